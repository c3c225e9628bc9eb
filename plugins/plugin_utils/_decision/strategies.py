# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a pool starts its jobs: one class for each strategy, and the registry of them.

This plugin util is private to the collection. Source: the scheduling strategies of dedicated resource pools.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_unread
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, label

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.empty_pool import EmptyPool
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import Queue
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Job

_STUCK_SECONDS = 14 * 86400  # training jobs run for days, and hardly one waits two weeks for a turn that comes


class Strategy(t.Protocol):
    """How jobs that wait start, as far as the decision asks."""

    name: str

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        """Return whether the request is next once there is room for it."""

    def starting(self, jobs: Sequence[Job], may_start: Callable[[Job], bool]) -> tuple[Sequence[Job], bool]:
        """Return (the jobs that start where each starts by itself if it may, whether no job behind these does).

        ``jobs`` are those of one queue, the first first.
        """


class Fifo:
    """First in, first out: the first job that cannot start holds up all behind it."""

    name = "fifo"

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        if queue.count_ahead:
            outcome, why, remedy = _why_it_stands(queue, empty)
            return Check("queue", outcome, queue.words + why, remedy, queue.figures)
        if queue.hides_starting:
            message = f"{queue.words}, but jobs that are not listed may be about to start"
            return Check("queue", Outcome.UNKNOWN, message, figures=queue.figures)
        return Check("queue", Outcome.PASSED, queue.words, figures=queue.figures)

    def starting(self, jobs: Sequence[Job], may_start: Callable[[Job], bool]) -> tuple[Sequence[Job], bool]:
        starting: list[Job] = []
        for job in jobs:
            if not may_start(job):
                return starting, True
            starting.append(job)
        return starting, False


class Backfill:
    """Jobs that fit pass others that do not."""

    name = "backfill"

    def check_turn(self, queue: Queue, empty: EmptyPool) -> Check:
        if queue.hides_starting:
            message = f"{queue.words}, some of which may be about to start"
            return Check("queue", Outcome.UNKNOWN, message, figures=queue.figures)
        return Check("queue", Outcome.PASSED, queue.words, figures=queue.figures)

    def starting(self, jobs: Sequence[Job], may_start: Callable[[Job], bool]) -> tuple[Sequence[Job], bool]:
        return [job for job in jobs if may_start(job)], False


STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in (Fifo(), Backfill())}
"""The strategies that the gate knows, by the name that policies and pools give them."""

ASSUMED: Strategy = STRATEGIES["fifo"]
"""The one that holds a deployment back most, for pools that name none."""


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
        # A resource that no node names may be one of another spelling, or one that nodes do not tell.
        has = empty.total.get(resource)
        if has is not None and not is_unread(empty.unread, (resource,)) and amount > has:
            asks, offered = format_amount(resource, amount), format_amount(resource, has)
            return f"it asks {label(resource)} {asks}, the pool has {offered}"
    return ""
