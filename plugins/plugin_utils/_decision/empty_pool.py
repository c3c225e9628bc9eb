# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool would have with nothing running: every node that it is meant to have, empty.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import (
    EVERYTHING,
    NO_NAMES,
    Names,
    Node,
    alike_nodes,
    is_unread,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import NodeKind, Offer

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import FlavorQuota

Shape = tuple[NodeKind, tuple[tuple[str, int], ...]]
"""A node as its kind and its amounts."""


@dataclass(frozen=True)
class EmptyPool:
    """``total`` of all nodes together, not known of ``unread``; ``shapes`` counts the nodes that are alike.

    ``shapes`` is None where it is not known of one of them how much it has of the resources that are asked for.
    """

    total: Amounts = field(default_factory=dict)
    unread: Names = EVERYTHING
    shapes: Counter[Shape] | None = None

    @classmethod
    def of(cls, nodes: Sequence[Node], flavors: Sequence[FlavorQuota], order: Sequence[str]) -> EmptyPool:
        """Return the listed nodes, whatever their state, and those that the pool's spec promises beyond them."""
        alike = alike_nodes(nodes)
        return cls(*_total_of_empty_pool(alike, flavors), _shapes_of(alike, flavors, order))

    def offers(self, order: Sequence[str]) -> Counter[Offer]:
        """Return what its nodes offer of the resources in ``order``."""
        offers: Counter[Offer] = Counter()
        for (kind, amounts), count in (self.shapes or {}).items():
            has = dict(amounts)
            offers[Offer(tuple(has.get(resource, 0) for resource in order), kind, True)] += count
        return offers


AlikeNodes = t.Sequence[tuple[Node, int]]
"""One node of each size, with the number of nodes that are alike."""


def _shapes_of(alike: AlikeNodes, flavors: Sequence[FlavorQuota], order: Sequence[str]) -> Counter[Shape] | None:
    """Return the nodes that the pool is meant to have, counted by their shape; None when one of them is not known."""
    shapes: Counter[Shape] = Counter()
    for node, count in alike:
        if not node.leaving and _is_node_whole_in_empty_pool(node, order):
            shapes[(node.kind, tuple(node.resources.items()))] += count
    # A node that is listed and not whole is counted here as one that is promised: it may be whole again.
    largest, unread = _largest_empty_node_by_flavor(alike)
    for flavor, count in _not_listed_in_empty_pool(alike, flavors, order).items():
        shape = largest.get(flavor)
        # A promised node that no listed one resembles may have any amount, so nothing is too large for it.
        if not shape or is_unread(unread[flavor], order):
            return None
        shapes[(NodeKind.promised(flavor), tuple(shape.items()))] += count
    return shapes


def _total_of_empty_pool(alike: AlikeNodes, flavors: Sequence[FlavorQuota]) -> tuple[Amounts, Names]:
    """Return (what all nodes have together, the resources of which that is not known)."""
    total: Amounts = {}
    unread: set[str] = set()
    for node, count in alike:
        if not node.leaving and _is_node_whole_in_empty_pool(node, ()):
            add_amounts(total, {name: amount * count for name, amount in node.resources.items()})
            unread |= node.unread_resources
    largest, unread_of_flavor = _largest_empty_node_by_flavor(alike)
    for flavor, count in _not_listed_in_empty_pool(alike, flavors, ()).items():
        shape = largest.get(flavor)
        unread |= unread_of_flavor.get(flavor, NO_NAMES) if shape else EVERYTHING
        add_amounts(total, {name: amount * count for name, amount in (shape or {}).items()})
    return total, frozenset(unread)


def _largest_empty_node_by_flavor(alike: AlikeNodes) -> tuple[dict[str | None, Amounts], dict[str | None, Names]]:
    """Return (what the largest listed node of each flavor has, what of it cannot be read on any of them).

    A resource is read where it can be, also on nodes of which others cannot. A node that is short, or has none of a
    card, does not tell what one of its flavor is meant to have of it.
    """
    largest: dict[str | None, Amounts] = {}
    unread: dict[str | None, set[str]] = {}
    told: dict[str | None, set[str]] = {}
    for node, _count in alike:
        of_flavor = largest.setdefault(node.flavor, {})
        missing = unread.setdefault(node.flavor, set())
        is_told = told.setdefault(node.flavor, set())
        for name, amount in node.resources.items():
            of_flavor[name] = max(amount, of_flavor.get(name, 0))
            if not node.is_short and not is_unread(node.unread_resources, (name,)):
                is_told.add(name)
        missing.update(node.unread_resources)
        # What a short node has is a lower bound, and a flavor of short nodes alone is not known.
        missing.update(node.resources if node.is_short else ())
        # A node that was read whole tells all of its flavor: what it does not name, the flavor has none of.
        if not node.unread_resources and not node.is_short:
            is_told.add("*")
    left = {
        flavor: frozenset() if "*" in told[flavor] else frozenset(missing - told[flavor])
        for flavor, missing in unread.items()
    }
    return {flavor: of for flavor, of in largest.items() if of}, left


def _not_listed_in_empty_pool(
    alike: AlikeNodes, flavors: Sequence[FlavorQuota], order: Sequence[str]
) -> Counter[str | None]:
    """Count the nodes of each flavor that are promised and not listed, or not listed as what they are meant to be."""
    missing: Counter[str | None] = Counter()
    listed: Counter[str | None] = Counter()
    for node, count in alike:
        if not node.leaving:
            listed[node.flavor] += count
            missing[node.flavor] += 0 if _is_node_whole_in_empty_pool(node, order) else count
    for quota in flavors:
        # Up to the ceiling: a pool that may still grow gives no final answer.
        missing[quota.flavor] += max(0, quota.most - listed[quota.flavor])
    return +missing  # only what is above zero


def _is_node_whole_in_empty_pool(node: Node, order: Sequence[str]) -> bool:
    """Return whether its entry has all that it is meant to have. Cards that it is short of come back one day."""
    return not node.is_short and not is_unread(node.unread_resources, order)
