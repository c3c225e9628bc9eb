# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment gives back before it starts: the job that it replaces, node by node. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts, merge_spellings
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._room import Node, is_card, read_numbers

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Facts = dict[str, t.Any]


@dataclass
class GivenBack:
    """What a job gives back on each of its nodes when the deployment ends it.

    When only some replicas are ended, ``shape`` is what each of them has, and nobody knows which of them go.
    """

    shares: list[tuple[Node, Amounts]] = field(default_factory=list)
    replicas: int | None = None
    shape: Amounts = field(default_factory=dict)

    @property
    def is_partial(self) -> bool:
        return self.replicas is not None

    def credit(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes when all of the job has gone from them."""
        gone: dict[int, list[Amounts]] = {}
        for node, amounts in self.shares:
            gone.setdefault(id(node), []).append(amounts)
        return [functools.reduce(Node.without, gone.get(id(node), ()), node) for node in nodes]

    def shows_as_free(self) -> bool:
        """Whether a node shows cards of the job as free already."""
        return any(
            is_card(resource)
            and resource in node.resources
            and resource in node.shown
            and node.shown[resource] + amount > node.resources[resource]
            for node, amounts in self.shares
            for resource, amount in amounts.items()
        )

    def places(self) -> int:
        """How many places for replicas of ``shape`` are opened, if those go whose going opens none."""
        useless = 0
        for node, amounts in self.shares if self.is_partial else ():
            replicas = min(amounts.get(resource, 0) // asked for resource, asked in self.shape.items())
            taken = {resource: node.resources.get(resource, 0) - node.free.get(resource, 0) for resource in self.shape}
            opened = min(taken[resource] // asked for resource, asked in self.shape.items())
            useless += replicas - (0 if node.unusable is not None else max(0, min(replicas, opened)))
        return max(0, (self.replicas or 0) - useless)

    def surely(self) -> Amounts:
        """What is given back on nodes that can take work, whichever replicas go."""
        back: Amounts = {}
        if self.is_partial:
            return {resource: amount * self.places() for resource, amount in self.shape.items()}
        for node, amounts in self.shares:
            if node.unusable is None:
                add_amounts(back, amounts)
        return back


def has_whole_replicas(split: Mapping[str, Amounts], shape: Mapping[str, int], replicas: int) -> bool:
    """Whether every share of a job is a whole number of replicas of the shape, and enough of them."""
    found = 0
    for amounts in split.values():
        times = {divmod(amounts.get(resource, 0), amount) for resource, amount in shape.items()}
        if len(times) != 1:
            return False
        count, rest = times.pop()
        if rest or not count:
            return False
        found += count
    return found >= replicas


def split_over_nodes(job: Facts) -> dict[str, Amounts] | None:
    """What a job of ``placements`` has on each address; None when that is not known."""
    if job["nodes"]:
        split: dict[str, Amounts] = {}
        for node in job["nodes"]:
            amounts, unread = read_numbers(node["resources"])
            if unread or not amounts or not node["host_ip"]:
                return None
            add_amounts(split.setdefault(node["host_ip"], {}), merge_spellings(amounts))
        return split if set(split) >= set(job["host_ips"]) else None
    if len(job["host_ips"]) == 1 and not job["unread"]:
        return {job["host_ips"][0]: merge_spellings(read_numbers(job["resources"])[0])}
    return None
