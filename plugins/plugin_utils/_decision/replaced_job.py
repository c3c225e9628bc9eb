# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment gives back before it starts: the job that it replaces, node by node.

This plugin util is private to the collection.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    add_amounts,
    canonical_amounts,
    is_card_resource,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import NO_NAMES, Names, Node, is_unread
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import is_replaced_in_queue
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Findings, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import plural

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import PlacedJob, Situation
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Request


_NOT_FOUND = "the job could not be found: the jobs could not be read, or one of them shows no UUID"


class Share(t.NamedTuple):
    """What a job gives back on a node, and the numbers of its cards there as bits, None where they are not known."""

    node: Node
    amounts: Amounts
    cards: int | None


@dataclass(frozen=True)
class ReplacedJob:
    """What a job gives back on each of its nodes when the deployment ends it.

    When only some replicas are ended, ``shape`` is what each of them has, and which of them go is not known. Where its
    nodes are not known at all, ``possible`` is all that it has; where no nodes are, that is ``uncounted``: only other
    jobs may find it. One that waits gives nothing back, and ``leaves_queue``. ``required`` is what it asks for in all,
    of which ``unread`` could not be read.
    """

    shares: Sequence[Share] = ()
    replicas: int | None = None
    shape: Amounts = field(default_factory=dict)
    possible: Amounts = field(default_factory=dict)
    uncounted: Amounts = field(default_factory=dict)
    leaves_queue: bool = False
    required: Amounts = field(default_factory=dict)
    unread: Names = NO_NAMES
    findings: Findings = field(default_factory=Findings)

    @classmethod
    def of(cls, situation: Situation, request: Request, order: Sequence[str]) -> ReplacedJob:
        """Return what the request gives back, with what there is to say about it."""
        if request.replaces is None:
            return cls()
        if situation.placements is None:
            return cls(findings=_findings_of_replaced_job_check(Check("replaces", Outcome.UNKNOWN, _NOT_FOUND)))
        jobs = [job for job in situation.placements if is_replaced_in_queue(job, request)]
        holding = [job for job in jobs if job.holds]
        if not jobs:
            return cls(
                findings=_findings_of_replaced_job_note(
                    f"job {request.replaces.job_uuid} is not in the pool: nothing is given back"
                )
            )
        if not holding:
            waits = any(job.waits for job in jobs)
            what = "waits itself, and does not count as ahead" if waits else f"is {jobs[0].status}"
            return cls(
                leaves_queue=waits,
                findings=_findings_of_replaced_job_note(f"{jobs[0].name} {what}: nothing is given back"),
            )
        if situation.nodes is None:
            note = f"the resources that {holding[0].name} gives back are not counted: the nodes are not known"
            return cls(uncounted=_amounts_of_replaced_jobs(holding), findings=_findings_of_replaced_job_note(note))
        unread = NO_NAMES.union(*(job.unread for job in holding))
        required = _amounts_of_replaced_jobs(holding)
        return replace(cls._split(holding, situation.nodes, request, order), required=required, unread=unread)

    @classmethod
    def _split(
        cls, jobs: Sequence[PlacedJob], nodes: Sequence[Node], request: Request, order: Sequence[str]
    ) -> ReplacedJob:
        name = jobs[0].name
        by_address = {node.address: node for node in nodes if node.address is not None}
        shown = [job for job in jobs if job.addresses]
        splits = [job.split_over_nodes() for job in shown]
        split = [(address, amounts) for one in splits for address, amounts in (one or {}).items()]
        unknown = ""
        if len(splits) < len(jobs):
            unknown = f"{name} shows no node yet, so it is not known where it gives resources back"
        elif None in splits or any(address not in by_address for address, _amounts in split):
            unknown = f"the split of {name} over its nodes is not known"
        elif any(_is_node_blind_to_replaced_job(by_address[address], order) for address, _amounts in split):
            unknown = f"the free resources on the nodes of {name} could not be read"
        if unknown:
            return cls(
                possible=_amounts_of_replaced_jobs(jobs),
                findings=_findings_of_replaced_job_check(Check("replaces", Outcome.UNKNOWN, unknown)),
            )
        shares = [
            Share(by_address[address], amounts, job.cards_on(address))
            for job, one in zip(shown, splits)
            for address, amounts in (one or {}).items()
        ]
        replicas = request.replaces.replicas if request.replaces else None
        if replicas is None:
            return cls(shares, findings=_findings_of_replaced_job_note(f"{name} is given back first"))
        shape = request.groups[0].resources if len(request.groups) == 1 else None
        # Of two entries with one UUID it is not known which of them loses replicas.
        is_split = len(splits) == 1 and _is_split_of_replaced_job(shown[0], splits[0] or {}, by_address, shape or ())
        if shape is not None and is_split and has_replaced_job_whole_replicas(splits[0] or {}, shape, replicas):
            note = f"{name} gives back {plural(replicas, 'replica')} of the requested size first"
            return cls(shares, replicas, shape, findings=_findings_of_replaced_job_note(note))
        message = f"{name} does not have whole replicas of the requested size on each of its nodes"
        remedy = "leave out replaces.replicas if the whole job is ended first."
        return cls(findings=_findings_of_replaced_job_check(Check("replaces", Outcome.UNKNOWN, message, remedy)))

    @property
    def is_partial(self) -> bool:
        return self.replicas is not None

    @property
    def shows_as_free(self) -> bool:
        """Whether a node shows cards of the job as free already."""
        return any(
            is_card_resource(resource)
            and resource in node.resources
            and resource in node.shown
            and node.shown[resource] + amount > node.resources[resource]
            for node, amounts, _cards in self.shares
            for resource, amount in amounts.items()
        )

    def credit(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """Return the nodes when all of the job has gone from them; those of a part of it stay as they are."""
        if not self.shares or self.is_partial:
            return nodes
        gone: dict[int, list[Share]] = {}
        for share in self.shares:
            gone.setdefault(id(share.node), []).append(share)
        # By identity, as nodes can be equal in every field; a node may have shares of two entries of the job.
        return [functools.reduce(_node_without_replaced_job, gone.get(id(node), ()), node) for node in nodes]

    def worst_case_places(self) -> int:
        """Return how many places for replicas of ``shape`` are opened, if those go whose going opens none."""
        if not self.is_partial:
            return 0
        order = tuple(self.shape)
        need = Need(1, tuple(self.shape.values()), None)
        useless = 0
        for node, amounts, _cards in self.shares:
            here = min(amounts.get(resource, 0) // asked for resource, asked in self.shape.items())
            opened = 0 if node.unusable is not None else min(here, node.empty_offer(order).fits(need))
            # The scheduler, or the user, chooses which replicas go: in the worst case those whose going opens nothing.
            useless += here - opened
        return max(0, (self.replicas or 0) - useless)

    def most_amounts(self) -> Amounts:
        """Return the most that is given back of what can be read, for jobs that may start in it."""
        most = {**self.possible, **self.uncounted}
        for node, amounts, _cards in self.shares:
            # Others may start where it is not known whether a node takes work; the request does not count on it.
            if node.may_take_work:
                add_amounts(most, amounts)
        # A share may leave out cores and memory, which go all the same.
        for name, amount in self.required.items():
            if any(name not in amounts for _node, amounts, _cards in self.shares):
                most[name] = max(amount, most.get(name, 0))
        if self.is_partial:
            # The request names a part of what its replicas have: of the rest, each may have had all.
            most.update({name: amount * (self.replicas or 0) for name, amount in self.shape.items()})
        return most

    def certain_amounts(self) -> Amounts:
        """Return what is given back on nodes that can take work, whichever replicas go."""
        if self.is_partial:
            places = self.worst_case_places()
            return {resource: amount * places for resource, amount in self.shape.items()}
        back: Amounts = {}
        for node, amounts, _cards in self.shares:
            if node.unusable is None:
                add_amounts(back, amounts)
        return back


def _amounts_of_replaced_jobs(jobs: Sequence[PlacedJob]) -> Amounts:
    total: Amounts = {}
    for job in jobs:
        add_amounts(total, job.amounts)
    return total


def _node_without_replaced_job(node: Node, share: Share) -> Node:
    return node.without(share.amounts, share.cards)


def _is_split_of_replaced_job(
    job: PlacedJob, split: Mapping[str, Amounts], nodes: Mapping[str, Node], resources: Collection[str]
) -> bool:
    """Return whether the split tells where all of the job is: the rest may go, too, and on nodes that are not known."""
    rest = canonical_amounts(job.amounts)
    for address, amounts in split.items():
        size = nodes[address].resources
        # A share that is larger than its node has to be on other nodes as well.
        if any(amount > size.get(name, amount) for name, amount in amounts.items()):
            return False
        rest = {name: amount - amounts.get(name, 0) for name, amount in rest.items()}
    return not is_unread(job.unread, resources) and all(rest.get(name, 0) <= 0 for name in resources)


def has_replaced_job_whole_replicas(split: Mapping[str, Amounts], shape: Mapping[str, int], replicas: int) -> bool:
    """Return whether every share of a job is a whole number of replicas of the shape, and enough of them."""
    found = 0
    for amounts in split.values():
        times = {divmod(amounts.get(resource, 0), amount) for resource, amount in shape.items()}
        # Resources that make different numbers of replicas are those of another shape.
        if len(times) != 1:
            return False
        count, rest = times.pop()
        if rest or not count:
            return False
        found += count
    return found >= replicas


def _is_node_blind_to_replaced_job(node: Node, order: Sequence[str]) -> bool:
    # A node that takes no work gives nothing back, so its amounts do not matter.
    return node.unusable is None and is_unread(node.unread_free, order)


def _findings_of_replaced_job_check(check: Check) -> Findings:
    return Findings((check,))


def _findings_of_replaced_job_note(note: str) -> Findings:
    return Findings((), (note,))
