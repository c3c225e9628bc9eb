# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes first: the jobs that wait, as a scheduler orders them. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._checks import Check, duration, job_name, label
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._room import Room, is_unread, read_numbers

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request

Facts = dict[str, t.Any]

ABOUT_TO_START = 30
"""Seconds that a job may have waited and still be on its way to a node, if jobs may pass each other."""

_STUCK_SECONDS = 14 * 86400  # training jobs run for days, and hardly one waits two weeks for a turn that comes

ASSUMED = "assumed"
"""How a strategy begins that neither the policy nor the pool names."""

_QUEUES = {"train": "train", "infer": "infer", "x-infer": "infer", "notebook": "notebook"}
"""The queue of each job type that is known, where ``queue_scope`` is type."""


Most = tuple[t.Mapping[str, int], t.Collection[str]]
"""What the empty pool has, and the resources of which that is not known."""


class Queue:
    """The jobs of a pool that wait, without those that the deployment replaces.

    ``strategy`` is fifo (any job ahead means wait) or backfill (a job may pass others that do not fit). Which of them
    a pool follows, and whether jobs of all types stand in one queue, is only partly in the API: ``known`` says how.
    """

    def __init__(self, facts: Facts, request: Request, policy: Policy) -> None:
        self._request = request
        self._policy = policy
        self._facts = facts
        self.strategy, self.known = self._read_strategy()
        self.waiting = [
            job for job in facts["queued"] or () if self._stands_here(job["type"]) and not self._is_own(job)
        ]
        self.ahead = [job for job in self.waiting if self._goes_first(_priority(job["priority"]))]
        self._groups = [group for group in self._read_groups() if self._stands_here(group["type"])]

    def own_jobs(self) -> list[Facts]:
        """The jobs that the deployment replaces, whatever their status; their facts are asked for by UUID."""
        return [job for job in self._facts["placements"] or () if self._is_own(job)]

    def starting(self) -> list[Facts]:
        """Jobs ahead that may be on their way to a node already."""
        if self.strategy == "fifo":
            return []
        return [job for job in self.ahead if job["seconds"] is None or job["seconds"] < ABOUT_TO_START]

    def starting_in(self, room: Room) -> tuple[list[Facts], bool]:
        """(the jobs that may start in a room that has become larger, whether these are surely all).

        The larger room is there before the deployment is submitted, so its priority does not matter. First in first
        out, the first job that cannot start holds up all behind it.
        """
        starting = []
        for job in self.waiting:
            asked, _unread = read_numbers(job["resources"])
            bounded = {
                resource: amount for resource, amount in asked.items() if not is_unread(room.unbounded, (resource,))
            }
            if not any(amount > room.hoped.get(resource, 0) for resource, amount in bounded.items()):
                starting.append(job)
            elif self.strategy == "fifo":
                return starting, True
        return starting, sum(group["count"] for group in self._groups) <= len(self.waiting)

    def checks(self, most: Most) -> list[Check]:
        """Whether the request is next, and whether a job waits too long."""
        if self._facts["queue_counts"] is None:
            return []
        checks = [self._check_turn(most)]
        if self._policy.max_oldest_queued_seconds is not None:
            checks.append(self._check_age(self._policy.max_oldest_queued_seconds))
        return checks

    def _check_turn(self, most: Most) -> Check:
        ahead = [group for group in self._groups if self._goes_first(group["priority"])]
        count = sum(group["count"] for group in ahead)
        message = f"{self.strategy} ({self.known}), {count} ahead"
        figures = {"ahead": count, "strategy": self.strategy}
        if count == 0:
            return Check("queue", True, message, figures=figures)
        if self.strategy == "fifo":
            never, why, remedy = self._why_it_stands(most)
            return Check("queue", False, message + why, never, remedy, figures)
        youngest = [group["youngest_seconds"] for group in ahead]
        if count > len(self.ahead) and any(age is None or age < ABOUT_TO_START for age in youngest):
            return Check("queue", None, f"{message}, some of which may be about to start", figures=figures)
        return Check("queue", True, message, figures=figures)

    def _why_it_stands(self, most: Most) -> tuple[bool, str, str]:
        """(whether it never moves, who holds it up, what to do)."""
        if not self.ahead:
            return False, "", "wait for the jobs ahead, or use another pool."
        for position, job in enumerate(self.ahead):
            too_much = _too_much(job, most)
            if too_much:
                who = f"its head, {job_name(job)}," if position == 0 else f"number {position + 1}, {job_name(job)},"
                # An assumed strategy holds back; that a job blocks all others for good is only said of a known one.
                sure = _priority(job["priority"]) is not None and not self.known.startswith(ASSUMED)
                remedy = f"end {job_name(job)}: it blocks the queue and can never start."
                return sure, f"; {who} can never fit: {too_much}", remedy
        head, name = self.ahead[0], job_name(self.ahead[0])
        if (head["seconds"] or 0) >= _STUCK_SECONDS:
            stuck = f"; its head, {name}, has waited {duration(head['seconds'])}: this queue does not move"
            return False, stuck, f"find out why {name} does not start, or end it; waiting is unlikely to help."
        return False, f", first {name}", "wait for the jobs ahead, ask with a higher priority, or use another pool."

    def _check_age(self, limit: int) -> Check:
        ages = [group["oldest_seconds"] for group in self._groups]
        oldest = max((age for age in ages if age is not None), default=0)
        if oldest <= limit and None in ages:
            return Check("queue_age", None, "for how long a job waits could not be read")
        said = f"the oldest job waits for {duration(oldest)}, limit {duration(limit)}"
        return Check("queue_age", oldest <= limit, said, remedy="wait, or raise policy.max_oldest_queued_seconds.")

    def _read_strategy(self) -> tuple[str, str]:
        if self._policy.queue_strategy != "auto":
            return self._policy.queue_strategy, "by policy"
        named = (self._facts["pool"] or {}).get("queue_strategy")
        if not named:
            return "fifo", f"{ASSUMED}, pool names none"
        if named.lower() in ("fifo", "backfill"):
            return named.lower(), "named by the pool"
        return "fifo", f"{ASSUMED}, pool names {named!r}, which is not known"

    def _read_groups(self) -> list[Facts]:
        # By the very type: kinds that stand in one queue are counted apart, and one job is only one of them.
        own = Counter((job["type"] or "unknown", _priority(job["priority"])) for job in self.own_jobs() if job["waits"])
        groups = [
            {**group, "count": group["count"] - own[group["type"], group["priority"]]}
            for group in self._facts["queue_counts"] or ()
        ]
        return [group for group in groups if group["count"] > 0]

    def _stands_here(self, job_type: str | None) -> bool:
        """Return whether a job of that type stands in the queue of the request; one of a type not known always does."""
        own, other = _job_type(self._request.type), _job_type(job_type)
        return self._policy.queue_scope == "pool" or other == own or other not in _QUEUES

    def _is_own(self, job: Facts) -> bool:
        return self._request.replaces is not None and job["job_uuid"] == self._request.replaces.job_uuid

    def _goes_first(self, priority: int | None) -> bool:
        """Whether a job of that priority goes before the request: all are older, and one that is not readable does."""
        return priority is None or self._request.priority is None or priority >= self._request.priority


def _too_much(job: Facts, most: Most) -> str:
    has, unread = most
    asked, _unread = read_numbers(job["resources"])
    for resource, amount in asked.items():
        if not is_unread(unread, (resource,)) and amount > has.get(resource, 0):
            what = f"it asks {label(resource)} {format_amount(resource, amount)}"
            return f"{what}, the pool has {format_amount(resource, has.get(resource, 0))}"
    return ""


def _job_type(value: str | None) -> str:
    """Return the queue of a job type: both kinds of inference services, which share a scope, stand in one."""
    return _QUEUES.get((value or "").lower(), (value or "unknown").lower())


def _priority(value: object) -> int | None:
    try:
        return int(t.cast(str, value))
    except (TypeError, ValueError):
        return None
