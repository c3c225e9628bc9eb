# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of a pool, which starts jobs by one of the strategies of ModelArts.

Jobs stand in the order of priority, then creation. One that finds no room locks the resources that it asks for, for
good (fifo) or for a time (ladder), or locks nothing (traversal). By tiers, jobs of priority 3 go by ladder, and others
by traversal once none of those waits. How long a ladder's time is stands in no document.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .scenario import checked, number, one_of

if t.TYPE_CHECKING:
    from .job import Job
    from .pool import Pool

STRATEGIES = ("fifo", "traversal", "ladder", "tiered")
_FIRST_TIER = 3


def checked_queue(given: object, where: str) -> Queue:
    """Return the part of a scenario that runs a queue: a strategy, or one with the seconds of its ladder."""
    if isinstance(given, str):
        return Queue(one_of(given, STRATEGIES, where))
    queue = checked(given, ("ladder_seconds", "strategy"), where)
    strategy = one_of(queue.get("strategy"), STRATEGIES, f"{where}.strategy")
    return Queue(strategy, number(queue.get("ladder_seconds", Queue.ladder_seconds), f"{where}.ladder_seconds"))


@dataclass(frozen=True)
class Queue:
    strategy: str
    ladder_seconds: float = 600

    def run(self, pool: Pool) -> None:
        """Start the jobs that may start, in their order."""
        waiting = [job for job in pool.jobs if job.status == "Queue"]
        locked: set[str] = set()
        for job in sorted(waiting, key=lambda job: (-_priority_of(job), job.order)):
            if self.strategy == "tiered" and _priority_of(job) < _FIRST_TIER and _first_tier_waits(pool):
                return
            if locked.isdisjoint(job.requirement) and not pool.start(job) and self._locks(job, pool.clock.now):
                locked.update(job.requirement)

    def _locks(self, job: Job, now: float) -> bool:
        if self.strategy in ("fifo", "traversal"):
            return self.strategy == "fifo"
        by_ladder = self.strategy == "ladder" or _priority_of(job) >= _FIRST_TIER
        return by_ladder and now - job.create_ms / 1000 <= self.ladder_seconds


def _priority_of(job: Job) -> int:
    return int(job.priority) if job.priority.isdecimal() else 0


def _first_tier_waits(pool: Pool) -> bool:
    return any(job.status == "Queue" and _priority_of(job) >= _FIRST_TIER for job in pool.jobs)
