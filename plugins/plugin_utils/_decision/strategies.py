# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a pool starts its jobs: one class for each strategy, and the registry of them.

This plugin util is private to the collection. Source: the scheduling strategies of dedicated resource pools.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import text
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_unread
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, label

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.empty_pool import EmptyPool
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import Queue
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.room import Room
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Job

ABOUT_TO_START = 30
"""Seconds that a job may have waited and still be on its way to a node, if jobs may pass each other."""

_STUCK_SECONDS = 14 * 86400  # training jobs run for days, and hardly one waits two weeks for a turn that comes


class Strategy(t.Protocol):
    """How jobs that wait start, as far as the decision asks."""

    name: str

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        """Return whether the request is next once there is room for it."""

    def starting(self, queue: Queue) -> Sequence[Job]:
        """Return the jobs ahead that may be on their way to a node already."""

    def starting_in(self, queue: Queue, room: Room) -> tuple[Sequence[Job], bool]:
        """Return (the jobs that may start in a room that has become larger, whether these are all for certain).

        The larger room is there before the deployment is submitted, so its priority does not matter.
        """


class Fifo:
    """First in, first out: the first job that cannot start holds up all behind it."""

    name = "fifo"

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        if not queue.count_ahead:
            return Check("queue", Outcome.PASSED, queue.words, figures=queue.figures)
        outcome, why, remedy = _why_it_stands(queue, empty)
        return Check("queue", outcome, queue.words + why, remedy, queue.figures)

    def starting(self, queue: Queue) -> Sequence[Job]:
        # A job ahead holds the deployment back whether it starts or not.
        return ()

    def starting_in(self, queue: Queue, room: Room) -> tuple[Sequence[Job], bool]:
        starting: list[Job] = []
        for job in queue.waiting:
            if not _may_fit(job, room):
                return starting, True
            starting.append(job)
        return starting, queue.lists_all


class Backfill:
    """Jobs that fit pass others that do not."""

    name = "backfill"

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        ages = [group.youngest_seconds for group in queue.groups_ahead]
        is_unlisted = queue.count_ahead > len(queue.ahead)
        if is_unlisted and any(age is None or age < ABOUT_TO_START for age in ages):
            message = f"{queue.words}, some of which may be about to start"
            return Check("queue", Outcome.UNKNOWN, message, figures=queue.figures)
        return Check("queue", Outcome.PASSED, queue.words, figures=queue.figures)

    def starting(self, queue: Queue) -> Sequence[Job]:
        return [job for job in queue.ahead if job.seconds is None or job.seconds < ABOUT_TO_START]

    def starting_in(self, queue: Queue, room: Room) -> tuple[Sequence[Job], bool]:
        return [job for job in queue.waiting if _may_fit(job, room)], queue.lists_all


STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in (Fifo(), Backfill())}
"""The strategies that the gate knows, by the name that policies and pools give them."""

ASSUMED: Strategy = STRATEGIES["fifo"]
"""The one that holds a deployment back most, for pools that name none."""


def _may_fit(job: Job, room: Room) -> bool:
    return not any(
        amount > room.at_most.get(resource, 0)
        for resource, amount in job.amounts.items()
        if not is_unread(room.unbounded, (resource,))
    )


def _why_it_stands(queue: Queue, empty: EmptyPool) -> tuple[Outcome, str, str]:
    """Return (whether the jobs ahead ever start, who holds them up, what to do)."""
    if not queue.ahead:
        return Outcome.FAILED, "", "wait for the jobs ahead, or use another pool."
    for position, job in enumerate(queue.ahead):
        too_much = _too_much(job, empty)
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


def _too_much(job: Job, empty: EmptyPool) -> str:
    """Return what the job asks more of than the whole pool has; empty when it may start some day."""
    for resource, amount in job.amounts.items():
        has = empty.total.get(resource, 0)
        if not is_unread(empty.unread, (resource,)) and amount > has:
            return f"it asks {label(resource)} {text(resource, amount)}, the pool has {text(resource, has)}"
    return ""
