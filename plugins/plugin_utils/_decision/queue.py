# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of a pool that wait, and who of them goes before the request.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import comparable_uuid
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import JOB_TYPES, SCOPE_OF
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.strategies import ASSUMED, STRATEGIES
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Outcome, QueueFigures
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.empty_pool import EmptyPool
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.room import Room
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import (
        Job,
        QueueGroup,
        Situation,
    )
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.strategies import MayStart, Strategy
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request

ABOUT_TO_START = 30
"""Seconds that a job may have waited and still be on its way to a node: schedulers look every second, and the list of
jobs shows what they did a few seconds later."""

_QUEUES = {job_type: SCOPE_OF.get(job_type, job_type) for job_type in JOB_TYPES}
"""The queue of each job type that is known, where ``queue_scope`` is type."""


@dataclass(frozen=True)
class Queue:
    """The jobs that wait, without those that the deployment replaces.

    ``waiting`` are the first of them, ``ahead`` those that go before the request, and ``groups`` count them all. Which
    strategy a pool follows is only partly in the API: ``known`` says how it is known.
    """

    strategy: Strategy
    priority: int | None
    known: str
    is_assumed: bool
    is_read: bool
    waiting: Sequence[Job]
    other_queues: Sequence[Sequence[Job]]
    ahead: Sequence[Job]
    groups: Sequence[QueueGroup]
    groups_ahead: Sequence[QueueGroup]
    all_groups: Sequence[QueueGroup]

    @classmethod
    def of(cls, situation: Situation, request: Request, policy: Policy) -> Queue:
        """Return the queue that the request would stand in."""
        strategy, known, is_assumed = _queue_strategy_of(situation, policy)
        left = [job for job in situation.waiting if not is_replaced_in_queue(job, request)]
        waiting = [job for job in left if _stands_in_queue_of(job.type, request, policy)]
        all_groups = _queue_groups_without_replaced(situation, request)
        groups = [group for group in all_groups if _stands_in_queue_of(group.type, request, policy)]
        return cls(
            strategy=strategy,
            priority=request.priority,
            known=known,
            is_assumed=is_assumed,
            is_read=situation.queue is not None,
            waiting=waiting,
            # Jobs of other queues are not ahead of the request, and may still start in the room that it counts on.
            other_queues=_groups_by_queue(job for job in left if not _stands_in_queue_of(job.type, request, policy)),
            ahead=[job for job in waiting if _goes_before_request_in_queue(job.priority, request)],
            groups=groups,
            groups_ahead=[group for group in groups if _goes_before_request_in_queue(group.priority, request)],
            all_groups=all_groups,
        )

    @property
    def count_ahead(self) -> int:
        return sum(group.count for group in self.groups_ahead)

    @property
    def words(self) -> str:
        return f"{self.strategy.name} ({self.known}), {self.count_ahead} ahead"

    @property
    def figures(self) -> QueueFigures:
        return {"ahead": self.count_ahead, "strategy": self.strategy.name}

    @property
    def hides_starting(self) -> bool:
        """Whether a job that is not listed may be on its way to a node."""
        _jobs, are_all = self._startable_jobs(lambda job, _taken: _is_queued_about_to_start(job))
        return not are_all and any(_has_just_queued(group.youngest_seconds) for group in self.all_groups)

    def jobs_about_to_start(self, room: Room | None) -> Sequence[Job]:
        """Return the jobs that may be on their way to a node already, of whatever type and priority.

        A job that has waited for longer does not fit, or is held up; one that asks for more than the room has does not
        fit. In a strict order, too: its head may have come to its turn just now, or have room that is scattered.
        """
        # Each by itself: some may be on their nodes already, which show what these take.
        starting, _are_all = self._startable_jobs(
            lambda job, _taken: _is_queued_about_to_start(job) and _may_queued_fit(job, room, {})
        )
        return starting

    def jobs_starting_in(self, room: Room | None) -> tuple[Sequence[Job], bool]:
        """Return (the jobs that may start in a room that has become larger, whether these are all for certain).

        The larger room is there before the deployment is submitted, so its priority does not matter.
        """
        return self._startable_jobs(lambda job, taken: _may_queued_fit(job, room, taken))

    def _startable_jobs(self, may_start: MayStart) -> tuple[Sequence[Job], bool]:
        found = [self.strategy.startable_jobs(jobs, may_start) for jobs in (self.waiting, *self.other_queues)]
        listed = sum(len(jobs) for jobs in (self.waiting, *self.other_queues))
        # Only the first jobs of a queue are listed one by one, while the groups count all of them.
        lists_all = sum(group.count for group in self.all_groups) <= listed
        are_all = lists_all or all(is_all for _jobs, is_all in found)
        return [job for jobs, _is_all in found for job in jobs], are_all

    def checks(self, empty: EmptyPool, policy: Policy) -> list[Check]:
        """Return whether the request is next, and whether a job waits too long; nothing where jobs were not read."""
        if not self.is_read:
            return []
        checks = [self.strategy.check_turn(self, empty)]
        if policy.max_oldest_queued_seconds is not None:
            checks.append(self._check_age(policy.max_oldest_queued_seconds))
        return checks

    def _check_age(self, limit: int) -> Check:
        ages = [group.oldest_seconds for group in self.groups]
        oldest = max((age for age in ages if age is not None), default=0)
        # An age above the limit fails, whatever the others are; only below it does an unread one matter.
        if oldest <= limit and None in ages:
            return Check("queue_age", Outcome.UNKNOWN, "the waiting time of a job could not be read")
        message = f"the oldest job has waited for {duration(oldest)}, limit {duration(limit)}"
        outcome = Outcome.PASSED if oldest <= limit else Outcome.FAILED
        return Check("queue_age", outcome, message, "wait, or raise policy.max_oldest_queued_seconds.")


def is_replaced_in_queue(job: Job, request: Request) -> bool:
    """Return whether the deployment ends the job first."""
    return request.replaces is not None and comparable_uuid(job.uuid) == comparable_uuid(request.replaces.job_uuid)


def _queue_strategy_of(situation: Situation, policy: Policy) -> tuple[Strategy, str, bool]:
    """Return (the strategy, how it is known, whether it is assumed)."""
    # The values of the pool's annotation are documented nowhere, so a policy outranks it.
    if policy.queue_strategy != "auto":
        return STRATEGIES[policy.queue_strategy](policy.ladder_seconds), "by policy", False
    named = situation.pool.queue_strategy if situation.pool else None
    if not named:
        return ASSUMED, "assumed, pool names none", True
    if named.lower() in STRATEGIES:
        return STRATEGIES[named.lower()](policy.ladder_seconds), "named by the pool", False
    return ASSUMED, f"assumed, pool names {named!r}, which is not known", True


def _queue_groups_without_replaced(situation: Situation, request: Request) -> list[QueueGroup]:
    # By the very type: kinds that stand in one queue are counted apart, and one job is only one of them.
    own = Counter(
        (job.type or "unknown", job.priority)
        for job in situation.placements or ()
        if is_replaced_in_queue(job, request) and job.waits
    )
    groups = [replace(group, count=group.count - own[group.type, group.priority]) for group in situation.queue or ()]
    return [group for group in groups if group.count > 0]


def _groups_by_queue(jobs: Iterable[Job]) -> list[list[Job]]:
    queues: dict[str, list[Job]] = {}
    for job in jobs:
        queues.setdefault(_queue_of(job.type), []).append(job)
    return list(queues.values())


def _has_just_queued(seconds: int | None) -> bool:
    # A time that cannot be read may be a moment ago.
    return seconds is None or seconds < ABOUT_TO_START


def _is_queued_about_to_start(job: Job) -> bool:
    return _has_just_queued(job.seconds)


def _may_queued_fit(job: Job, room: Room | None, taken: Amounts) -> bool:
    # Without a bound everything may fit, which takes room from the request and never gives it any.
    return room is None or room.may_take(job.amounts, taken)


def _stands_in_queue_of(job_type: str | None, request: Request, policy: Policy) -> bool:
    """Return whether a job of that type stands in the queue of the request; one of a type not known always does."""
    if policy.queue_scope == "pool":
        return True
    queue = _queue_of(job_type)
    return queue == _queue_of(request.type) or queue not in _QUEUES


def _queue_of(job_type: str | None) -> str:
    """Return the queue of a job type: both kinds of inference services, which share a scope, stand in one."""
    return _QUEUES.get((job_type or "").lower(), (job_type or "unknown").lower())


def _goes_before_request_in_queue(priority: int | None, request: Request) -> bool:
    """Return whether a job of that priority goes before the request.

    All jobs are older than the request, so equal priorities go first; so does one that cannot be read.
    """
    return priority is None or request.priority is None or priority >= request.priority
