# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the checks ask about one request and one pool, worked out once from what was read.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import ON_EVERY_NODE, is_quantity_of_bytes
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import NOTHING_CLAIMED, Claimed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.empty_pool import EmptyPool
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need, Offer
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.replaced_job import ReplacedJob
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.room import Room
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import JobGroup
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.unplaced import Unplaced
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Findings, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import error_in_words, plural

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Names, Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import Queue
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Job, Situation
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request


@dataclass(frozen=True)
class Case:
    """A request, a policy and a situation, and what follows from them.

    ``order`` are the resources asked for, ``nodes`` those of the situation when the replaced job has gone from them.
    ``starting`` names the jobs that take ``unplaced``. ``findings`` are what there is to say of all this.
    """

    situation: Situation
    request: Request
    policy: Policy
    order: Sequence[str]
    needs: Sequence[Need]
    queue: Queue
    nodes: Sequence[Node] | None
    empty: EmptyPool
    replaced: ReplacedJob
    unplaced: Unplaced
    claimed: Claimed
    starting: str
    room: Room | None
    findings: Findings

    @classmethod
    def of(
        cls,
        situation: Situation,
        request: Request,
        policy: Policy,
        queue: Queue,
        declared: Amounts | None,
        age: float,
        claimed: Claimed = NOTHING_CLAIMED,
    ) -> Case:
        """Work it out. The order matters: the replaced job makes room, in which other jobs may start first."""
        order = resource_order_of_case(request)
        nodes, pool = situation.nodes, situation.pool
        empty = EmptyPool()
        # Without the counts of its spec, what the pool is meant to have is not known, and nothing can be too much.
        if nodes is not None and pool is not None and pool.tells_its_size:
            empty = EmptyPool.of(nodes, pool.flavors, order)
        replaced = ReplacedJob.of(situation, request, order)
        waits = queue.waiting or queue.other_queues
        room_for_others = _room_for_others_in_case(situation, declared, age) if waits else None
        jobs, larger, starting, found_starting = _starting_jobs_of_case(queue, replaced, room_for_others)
        known = None if nodes is None else _resources_in_case(nodes)
        # A job that waits for claimed room has its amounts in the claim, and would count twice.
        jobs, beyond_claims = claimed.without_jobs_of_claims(jobs, known)
        waiting = [JobGroup(1, job.amounts, job.unread) for job in jobs]
        unplaced = Unplaced.of([*situation.unplaced, *waiting], known)
        # Not all jobs that wait find room in it; counting all of them would refuse where there is enough.
        if larger is not None:
            held_elsewhere = Unplaced.of(situation.unplaced, known)
            unplaced = held_elsewhere.and_also(Unplaced.of_waiting(waiting, larger, known))
        unplaced = unplaced.and_also(beyond_claims)
        credited = None if nodes is None else replaced.credit(nodes)
        # Of what is taken off later, only what jobs hold already is in what all jobs hold together.
        held = Unplaced.of(situation.unplaced, known).total
        room, found_room = _choose_room_of_case(situation, credited, replaced, held, declared, age)
        return cls(
            situation=situation,
            request=request,
            policy=policy,
            order=order,
            needs=[Need.of(group, order) for group in request.groups],
            queue=queue,
            nodes=credited,
            empty=empty,
            replaced=replaced,
            unplaced=unplaced,
            claimed=claimed,
            starting=starting,
            room=room,
            findings=replaced.findings + found_starting + found_room,
        )

    @property
    def untold(self) -> list[str]:
        """The sizes asked for that no node tells: the API's nodes have cores, memory and cards, and no storage."""
        return [
            name
            for name in self.order
            if is_quantity_of_bytes(name)
            and name not in ON_EVERY_NODE
            and not any(name in node.resources for node in self.nodes or ())
        ]

    @property
    def asks_whole_nodes(self) -> bool:
        return self.request.asks_whole_nodes

    def offers_of(self, nodes: Iterable[Node]) -> Counter[Offer]:
        """Return what the nodes certainly offer of what is asked for, counted."""
        whole = self.asks_whole_nodes
        return Counter([node.offer(self.order, self.policy.card_groups, whole=whole) for node in nodes])


def resource_order_of_case(request: Request) -> list[str]:
    """Return the resources that the groups of a request ask for, in the order in which amounts of them are kept."""
    return sorted({resource for group in request.groups for resource in group.resources or ()})


def _room_for_others_in_case(situation: Situation, declared: Amounts | None, age: float) -> Room | None:
    """Return the most room that jobs may find which start before the deployment; None where nothing bounds it."""
    if situation.nodes is not None:
        return Room.for_others(situation.nodes)
    if situation.metrics is not None and not _why_no_metrics_in_case(situation, age):
        # Metrics and the list of jobs may each be behind: the less of what they show as taken is taken for certain.
        metrics = situation.metrics
        return Room.of_capacity_for_others(metrics.capacity, situation.jobs_hold, metrics.allocated)
    return None if declared is None else Room.of_capacity_for_others(declared, situation.jobs_hold)


def _starting_jobs_of_case(
    queue: Queue, replaced: ReplacedJob, room: Room | None
) -> tuple[Sequence[Job], Room | None, str, Findings]:
    """Return (jobs that may start before the deployment is there, in which larger room, words for them, findings)."""
    some = "jobs that are about to start"
    most = replaced.most_amounts()
    # Nothing is given back and no order changes, so only jobs on their way to a node come first.
    if not most and not replaced.shares and not (replaced.leaves_queue and queue.strategy.goes_in_order):
        return queue.jobs_about_to_start(room), None, some, Findings()
    larger = None if room is None else room.plus(most).without_bound_of(replaced.unread)
    starting, are_all = queue.jobs_starting_in(larger)
    checks = []
    if not are_all:
        message = "more jobs wait than are listed, and resources that are given back go to them first"
        checks.append(Check("replaces", Outcome.UNKNOWN, message))
    if not starting:
        return starting, None, some, Findings.of(checks)
    words = starting[0].name + (f" and {len(starting) - 1} more" if len(starting) > 1 else "")
    what = "resources that are given back may go" if most else "the place of the replaced job in the queue goes"
    return starting, larger, words, Findings.of(checks, [f"{what} to {words} first"])


def _resources_in_case(nodes: Sequence[Node]) -> Names:
    """Return the resources of which a node has some, or shows some."""
    tables = [node.resources for node in nodes] + [node.shown for node in nodes]
    names: set[str] = set().union(*tables)
    without = set(names)
    for table in tables:
        # Most often the first few tables have some of everything, and a pool may have ten thousand nodes.
        if not without:
            break
        without.difference_update(name for name, amount in table.items() if amount)
    return frozenset(names - without)


def _choose_room_of_case(
    situation: Situation,
    nodes: Sequence[Node] | None,
    replaced: ReplacedJob,
    unplaced: Amounts,
    declared: Amounts | None,
    age: float,
) -> tuple[Room | None, Findings]:
    """Return (the room by the best source that there is, what there is to say): nodes, then metrics, then declared."""
    unused = _why_no_metrics_in_case(situation, age)
    measured = None
    if not unused and situation.metrics is not None:
        # Beside nodes metrics only lower amounts. Alone they decide, and an amount that they do not tell is no room.
        alone = nodes is None
        measured = Room.of_metrics(situation.metrics, situation.jobs_hold, unplaced, age, alone=alone)
    if nodes is not None:
        return _room_on_nodes_of_case(situation.nodes or (), nodes, measured, replaced, age)
    # Only nodes show fragmentation (ListPoolNodes), so they come first; a declared capacity is no reading at all.
    error = error_in_words(situation.errors.get("nodes"))
    checks = [_check_node_counts_of_case(situation)]
    if measured is not None:
        return measured, Findings.of(checks, [f"nodes: {error}"])
    if declared is not None:
        room = Room.declared(declared, situation.jobs_hold, unplaced, age)
        return room, Findings.of(checks, [f"nodes: {error}", f"metrics: {unused}"])
    remedy = "allow listing nodes, or set capacity_gate_declared_capacity."
    return None, Findings.of(
        [Check("nodes", Outcome.UNKNOWN, error, remedy), Check("metrics", Outcome.UNKNOWN, unused)]
    )


def _check_node_counts_of_case(situation: Situation) -> Check | None:
    """Return a check where the pool counts nodes that are not available: how much they have is not known."""
    count = sum(quota.not_available for quota in situation.pool.flavors) if situation.pool else 0
    if not count:
        return None
    message = f"the pool counts {plural(count, 'node')} as not available, with resources that are not known"
    return Check("nodes", Outcome.UNKNOWN, message, "allow listing nodes, or wait until all nodes are available.")


def _why_no_metrics_in_case(situation: Situation, age: float) -> str:
    """Return why the runtime metrics do not count; empty when they do."""
    if "metrics" in situation.errors:
        return error_in_words(situation.errors["metrics"])
    if situation.pool is not None and situation.pool.is_logical:
        return "they count the guaranteed quota of a logical pool: not used"
    if situation.metrics is None:
        return "the API has none for this pool"
    return situation.metrics.why_unused(age)


def _room_on_nodes_of_case(
    before: Sequence[Node], nodes: Sequence[Node], measured: Room | None, replaced: ReplacedJob, age: float
) -> tuple[Room, Findings]:
    """Return the room on the nodes, with what the replaced job gives back, and at most what metrics show."""
    notes = []
    room = Room.on_nodes(nodes, age)
    # Which replicas go is not known, so no node got anything back: the sum gets what is certain.
    if replaced.is_partial:
        room = room.plus(replaced.certain_amounts())
    elif replaced.shows_as_free:
        notes.append("nodes of the replaced job show its cards as free already")
    if measured is not None and replaced.shares:
        # Metrics still count the replaced job as running: what it gives back is free in them, too.
        was_free = Room.on_nodes(before, age).free
        back = {name: room.free.get(name, 0) - was_free.get(name, 0) for name in measured.free}
        measured = measured.plus(back)
    if measured is not None:
        room = room.bounded_by(measured)
    return room, Findings.of(notes=notes)
