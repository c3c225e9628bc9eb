# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer about the jobs of pools: their summary, and the facts of each job.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from itertools import islice

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add, numbers
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import (
    Facts,
    pending_seconds,
    workload_facts,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.values import label_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import WAITING

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WAITING = tuple(WAITING)  # a status of any type can be looked for in it


class Tally:
    """One pass over jobs: the summary. ``now`` is in seconds since the epoch."""

    def __init__(self, now: float, items: Iterable[Facts] = ()) -> None:
        self._requirements = Requirements()
        self._now = now
        self._by_status: Counter[str] = Counter()
        self._by_type: Counter[str] = Counter()
        self._resources_by_status: dict[str, Amounts] = {}
        self._oldest_pending: int | None = None
        alike: dict[str, list[t.Any]] = {}
        for item in items:
            status, kind, requirement = item.get("status"), item.get("type"), item.get("resourceRequirement")
            if status in _WAITING:
                self._note_wait(item)
            # As text, see Requirements.read().
            alike.setdefault(repr((status, kind, requirement)), [0, status, kind, requirement])[0] += 1
        for jobs, status, kind, requirement in alike.values():
            self._add(status, kind, requirement, jobs)

    def _add(self, status: object, kind: object, requirement: object, jobs: int) -> None:
        """Counts so many jobs that are alike."""
        self._by_status[label_of(status)] += jobs
        self._by_type[label_of(kind)] += jobs
        amounts, _unread = self._requirements.read(requirement, jobs)
        total = self._resources_by_status.setdefault(label_of(status), {})
        add(total, {resource: amount * jobs for resource, amount in amounts.items()})

    def _note_wait(self, item: Facts) -> None:
        seconds = pending_seconds(item, self._now)
        if seconds is not None and (self._oldest_pending is None or seconds > self._oldest_pending):
            self._oldest_pending = seconds

    def merge(self, other: Tally) -> None:
        """Adds what another tally counted."""
        self._by_status += other._by_status
        self._by_type += other._by_type
        for status, amounts in other._resources_by_status.items():
            add(self._resources_by_status.setdefault(status, {}), amounts)
        ages = [age for age in (self._oldest_pending, other._oldest_pending) if age is not None]
        self._oldest_pending = max(ages, default=None)
        self._requirements.unparsed += other._requirements.unparsed

    def as_facts(self) -> Facts:
        """``{total, by_status, by_type, resources_by_status, oldest_pending_seconds, unparsed}``.

        Resources are in cores, bytes and cards.
        """
        return {
            "total": sum(self._by_status.values()),
            "by_status": dict(self._by_status),
            "by_type": dict(self._by_type),
            "resources_by_status": {status: numbers(total) for status, total in self._resources_by_status.items()},
            "oldest_pending_seconds": self._oldest_pending,
            "unparsed": self._requirements.as_facts(),
        }


def merged(tallies: Sequence[Tally]) -> Tally:
    """One tally of several pools; that of a single pool is itself."""
    if len(tallies) == 1:
        return tallies[0]
    together = Tally(0)
    for tally in tallies:
        together.merge(tally)
    return together


class Answer:
    """What was read of one pool: its entry in ``pools``, and the documents of its jobs."""

    def __init__(self, name: str, pages: Pages, now: float) -> None:
        self.items = pages.items
        self.tally = Tally(now, pages.items)
        self.entry: Facts = {
            "pool_name": name,
            "total": pages.total,
            "complete": pages.complete,
            "summary": self.tally.as_facts(),
        }
        self.warnings = [f"{name}: {warning}" for warning in pages.warnings]

    @property
    def readable(self) -> bool:
        return any(self.entry[document] is not None for document in ("pool", "nodes", "held"))


def combined(answers: Sequence[Answer], fields: Sequence[str] | None) -> Facts:
    totals = [answer.entry["total"] for answer in answers]
    requirements = Requirements()
    workloads: list[Facts] = []
    if fields is None or fields:
        for answer in answers:
            name = answer.entry["pool_name"]
            workloads += [workload_facts(item, name, requirements, fields) for item in answer.items]
    return {
        "workloads": workloads,
        "total": None if None in totals else sum(totals),
        "complete": all(answer.entry["complete"] for answer in answers),
        "summary": merged([answer.tally for answer in answers]).as_facts(),
        "pools": [answer.entry for answer in answers],
        "warnings": [warning for answer in answers for warning in answer.warnings],
    }


def by_pool(facts: Facts) -> list[Facts]:
    """The entries of ``pools`` that read_workloads() returned, each with its ``workloads``."""
    workloads = iter(facts["workloads"])
    return [{**pool, "workloads": list(islice(workloads, pool["summary"]["total"]))} for pool in facts["pools"]]
