# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that come, end and change between any two requests, by a seed."""

from __future__ import annotations

import contextlib
import random
import typing as t

from .job import JOB_TYPES, STATUSES
from .pool import NoRoomError, Pool
from .scenario import LARGEST_COUNT, ScenarioError, checked, number, whole

_KEYS = ("add", "changes", "late", "remove", "seed", "status", "ties")


class Churn:
    """Changes pools between reads of their jobs, the same way for the same seed and requests.

    ``changes`` is the largest number of changes between two reads; ``add``, ``remove`` and ``status`` are the weights
    of the three kinds. A new job ties with the newest one's ``createTime`` with the probability ``ties``, and shows up
    late, among older jobs, with the probability ``late``.
    """

    def __init__(self, entry: object) -> None:
        given = checked(entry, _KEYS, "churn")
        self._random = random.Random(whole(given.get("seed", 0), "churn.seed"))
        self._changes = whole(given.get("changes", 2), "churn.changes", most=LARGEST_COUNT)
        self._kinds = ("add", "remove", "status")
        self._weights = [number(given.get(kind, 1), f"churn.{kind}") for kind in self._kinds]
        if not any(self._weights):
            raise ScenarioError("churn: one of add, remove and status must be more than 0")
        self._ties = number(given.get("ties", 0.2), "churn.ties")
        self._late = number(given.get("late", 0), "churn.late")
        self._added = 0
        self._read: set[str] = set()
        self.log: list[dict[str, t.Any]] = []

    def before_read(self, pool: Pool) -> None:
        """Change the pool, unless this is the first read of its jobs."""
        if pool.id not in self._read:
            self._read.add(pool.id)
            return
        for _i in range(self._random.randint(0, self._changes)):
            kind = self._random.choices(self._kinds, self._weights)[0]
            if kind == "add":
                job_uuid = self._add(pool)
            elif not pool.jobs:
                continue
            else:
                job = self._random.choice(pool.jobs)
                job_uuid = job.job_uuid
                if kind == "remove":
                    pool.remove(job)
                else:
                    with contextlib.suppress(NoRoomError):
                        pool.set_status(job, self._random.choice(STATUSES))
            self.log.append({"pool": pool.id, "action": kind, "job_uuid": job_uuid})

    def _add(self, pool: Pool) -> str:
        self._added += 1
        entry: dict[str, t.Any] = {
            "name": f"churn-{self._added}",
            "age": 0,
            "type": self._random.choice(list(JOB_TYPES)),
        }
        fate = self._random.random()
        if pool.jobs and fate < self._ties:
            entry["createTime"] = pool.jobs[-1].create_ms
        elif pool.jobs and fate < self._ties + self._late:
            entry["createTime"] = self._random.choice(pool.jobs).create_ms + 1
        (job,) = pool.job_reader.jobs_of(entry, "churn")
        pool.add(job)
        return job.job_uuid
