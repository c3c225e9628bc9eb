# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a pool starts its jobs: one class for each strategy, and the registry of them.

This plugin util is private to the collection. Source: the scheduling strategies of dedicated resource pools.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass, replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts, format_amount
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_unread
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, label

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.empty_pool import EmptyPool
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import Queue
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Job

_STUCK_SECONDS = 14 * 86400  # training jobs run for days, and hardly one waits two weeks for a turn that comes


MayStart = Callable[["Job", Amounts], bool]
"""Whether a job may start beside amounts that have been taken by then."""


class Strategy(t.Protocol):
    """How jobs that wait start, as far as the decision asks."""

    @property
    def name(self) -> str:
        """The word for it in policies and sentences."""

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        """Return whether the request is next once there is room for it."""

    @property
    def goes_in_order(self) -> bool:
        """Whether a job that waits may hold up those behind it."""

    def startable_jobs(self, jobs: Sequence[Job], may_start: MayStart) -> tuple[Sequence[Job], bool]:
        """Return (the jobs that start where each starts if it may, whether no job behind these does).

        ``jobs`` are those of one queue, the first first.
        """


class Fifo:
    """First in, first out: the first job that cannot start holds up all behind it.

    It locks the resources that it asks for, and as every job asks for cores and memory, it locks out all others.
    """

    name = "fifo"
    goes_in_order = True

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        if queue.count_ahead:
            outcome, why, remedy = _why_strategy_holds_queue_up(queue, empty)
            return Check("queue", outcome, queue.words + why, remedy, queue.figures)
        if queue.hides_starting:
            message = f"{queue.words}, but jobs that are not listed may be about to start"
            return Check("queue", Outcome.UNKNOWN, message, figures=queue.figures)
        return Check("queue", Outcome.PASSED, queue.words, figures=queue.figures)

    def startable_jobs(self, jobs: Sequence[Job], may_start: MayStart) -> tuple[Sequence[Job], bool]:
        starting: list[Job] = []
        taken: Amounts = {}
        for job in jobs:
            if not may_start(job, taken):
                return starting, True
            starting.append(job)
            add_amounts(taken, job.amounts)
        return starting, False


@dataclass(frozen=True)
class Traversal:
    """Jobs that fit pass others that do not. ``backfill`` is the older word for it."""

    name: str = "traversal"
    goes_in_order: bool = False

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        if queue.hides_starting:
            message = f"{queue.words}, some of which may be about to start"
            return Check("queue", Outcome.UNKNOWN, message, figures=queue.figures)
        return Check("queue", Outcome.PASSED, queue.words, figures=queue.figures)

    def startable_jobs(self, jobs: Sequence[Job], may_start: MayStart) -> tuple[Sequence[Job], bool]:
        # Each by itself: of jobs that do not fit together, any may be the one that starts.
        return [job for job in jobs if may_start(job, {})], False


@dataclass(frozen=True)
class Ladder:
    """A job that cannot start holds up all behind it for some seconds, and nothing any more when these are over.

    How long that is stands in no document: without ``seconds``, which a policy gives, it holds them up for good.
    Nor does any document tell when that time begins: it is taken to begin when the job is created.
    """

    seconds: int | None
    name: str = "ladder"
    goes_in_order: bool = True

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        if self.seconds is None:
            turn = Fifo().check_turn(queue, empty)
            # That it locks for good is assumed, so it never rejects.
            return replace(turn, outcome=Outcome.FAILED) if turn.outcome is Outcome.NEVER else turn
        locking = [job for job in queue.ahead if self._locks(job)]
        if locking:
            message = f"{queue.words}, of which {locking[0].name} has waited for less than {duration(self.seconds)}"
            remedy = "wait until it starts or lets others pass, or ask with a higher priority."
            return Check("queue", Outcome.FAILED, message, remedy, queue.figures)
        ages = [group.youngest_seconds for group in queue.groups_ahead]
        # The youngest of each group tells whether a job that is not listed may still lock.
        if queue.count_ahead > len(queue.ahead) and any(age is None or age <= self.seconds for age in ages):
            message = f"{queue.words}, some of which are not listed and may hold up others"
            return Check("queue", Outcome.UNKNOWN, message, figures=queue.figures)
        return Traversal().check_turn(queue, empty)

    def startable_jobs(self, jobs: Sequence[Job], may_start: MayStart) -> tuple[Sequence[Job], bool]:
        starting: list[Job] = []
        taken: Amounts = {}
        for job in jobs:
            if may_start(job, taken):
                starting.append(job)
                # One that lets others pass may not have started when they do.
                add_amounts(taken, job.amounts if self._locks(job) else {})
            elif self._locks(job):
                return starting, True
        return starting, False

    def _locks(self, job: Job) -> bool:
        return self.seconds is None or job.seconds is None or job.seconds <= self.seconds


@dataclass(frozen=True)
class Tiered:
    """Jobs of the highest priority go by ladder; the others by traversal, and only once none of those waits."""

    seconds: int | None
    name: str = "tiered"
    goes_in_order: bool = True

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        if not any(_is_strategy_of_first_tier(group.priority) for group in queue.groups):
            return Traversal().check_turn(queue, empty)
        if queue.priority is not None and _is_strategy_of_first_tier(queue.priority):
            return Ladder(self.seconds).check_turn(queue, empty)
        count = sum(group.count for group in queue.groups if _is_strategy_of_first_tier(group.priority))
        message = f"{queue.words}, {count} of priority {_FIRST_TIER}, which start before all others"
        remedy = f"wait until no job of priority {_FIRST_TIER} waits, or use another pool."
        return Check("queue", Outcome.FAILED, message, remedy, queue.figures)

    def startable_jobs(self, jobs: Sequence[Job], may_start: MayStart) -> tuple[Sequence[Job], bool]:
        first = [job for job in jobs if _is_strategy_of_first_tier(job.priority)]
        starting, is_held_up = Ladder(self.seconds).startable_jobs(first, may_start)
        if len(starting) < len(first):
            # One of them goes on waiting, so no other starts; whether those not listed do is told by the ladder.
            return starting, is_held_up or len(first) < len(jobs)
        return [
            *starting,
            *(job for job in jobs if not _is_strategy_of_first_tier(job.priority) and may_start(job, {})),
        ], False


STRATEGIES: dict[str, Callable[[int | None], Strategy]] = {
    "fifo": lambda _seconds: Fifo(),
    "traversal": lambda _seconds: Traversal(),
    "backfill": lambda _seconds: Traversal("backfill"),
    "ladder": Ladder,
    "tiered": Tiered,
}
"""The strategies that the gate knows, by the name that policies and pools give them, from policy.ladder_seconds."""


def has_ladder(strategy: str) -> bool:
    """Return whether the strategy has a time that policy.ladder_seconds gives."""
    return hasattr(STRATEGIES[strategy](None), "seconds")


ASSUMED: Strategy = Fifo()
"""The one that holds a deployment back most, for pools that name none."""

_FIRST_TIER = 3  # the highest of the priorities 1 to 3


def _is_strategy_of_first_tier(priority: int | None) -> bool:
    """Return whether a priority is the highest; one that cannot be read may be."""
    return priority is None or priority >= _FIRST_TIER


def _why_strategy_holds_queue_up(queue: Queue, empty: EmptyPool) -> tuple[Outcome, str, str]:
    """Return (whether the jobs ahead ever start, who holds them up, what to do)."""
    if not queue.ahead:
        return Outcome.FAILED, "", "wait for the jobs ahead, or use another pool."
    # Not the head alone: the order ends at any job ahead that never fits.
    for position, job in enumerate(queue.ahead):
        too_much = _why_strategy_never_starts(job, empty)
        if too_much:
            who = f"its head, {job.name}," if position == 0 else f"number {position + 1}, {job.name},"
            # An assumed strategy holds back; that a job blocks all others for good is only said of a known one.
            is_certain = job.priority is not None and not queue.is_assumed
            remedy = f"end {job.name}: it blocks the queue and can never start."
            outcome = Outcome.NEVER if is_certain else Outcome.FAILED
            return outcome, f"; {who} can never fit: {too_much}", remedy
    head = queue.ahead[0]
    if (head.seconds or 0) >= _STUCK_SECONDS:
        stuck = f"; its head, {head.name}, has waited {duration(head.seconds or 0)}: this queue does not move"
        remedy = f"find out why {head.name} does not start, or end it; waiting is unlikely to help."
        return Outcome.FAILED, stuck, remedy
    remedy = "wait for the jobs ahead, ask with a higher priority, or use another pool."
    return Outcome.FAILED, f", first {head.name}", remedy


def _why_strategy_never_starts(job: Job, empty: EmptyPool) -> str:
    """Return what the job asks more of than the whole pool has; empty when it may start some day."""
    for resource, amount in job.amounts.items():
        # A resource that no node names may be one of another spelling, or one that nodes do not tell.
        has = empty.total.get(resource)
        if has is not None and not is_unread(empty.unread, (resource,)) and amount > has:
            asks, offered = format_amount(resource, amount), format_amount(resource, has)
            return f"it needs {label(resource)} {asks}, the pool has {offered}"
    return ""
