# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer about the jobs of pools: their summary, and the facts of each job.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    add_amounts,
    amounts_to_numbers,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import label_field
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import job_facts, pending_seconds_of_job
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import WAITING

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        JobsEntry,
        JobsEntryWithJobs,
        SummaryFacts,
        WorkloadFacts,
        WorkloadsAnswer,
    )

_WAITING = tuple(WAITING)  # a status of any type can be looked for in it


class SummaryTally:
    """One pass over jobs: the summary. ``now`` is in seconds since the epoch."""

    def __init__(self, now: float, items: Iterable[Document] = ()) -> None:
        self._requirements = Requirements()
        self._now = now
        self._by_status: Counter[str] = Counter()
        self._by_type: Counter[str] = Counter()
        self._resources_by_status: dict[str, Amounts] = {}
        self._oldest_pending: int | None = None
        alike: dict[str, tuple[object, object, object]] = {}
        jobs: Counter[str] = Counter()
        for item in items:
            status, kind, requirement = item.get("status"), item.get("type"), item.get("resourceRequirement")
            if status in _WAITING:
                self._note_wait(item)
            # As text, see Requirements.read().
            key = repr((status, kind, requirement))
            alike.setdefault(key, (status, kind, requirement))
            jobs[key] += 1
        for key, (status, kind, requirement) in alike.items():
            self._count_alike(status, kind, requirement, jobs[key])

    def _count_alike(self, status: object, kind: object, requirement: object, jobs: int) -> None:
        """Count so many jobs that are alike."""
        self._by_status[label_field(status)] += jobs
        self._by_type[label_field(kind)] += jobs
        # Once for all jobs that are alike: twenty thousand jobs ask for a few dozen requirements.
        amounts, _unread = self._requirements.read(requirement, jobs)
        total = self._resources_by_status.setdefault(label_field(status), {})
        add_amounts(total, {resource: amount * jobs for resource, amount in amounts.items()})

    def _note_wait(self, item: Document) -> None:
        seconds = pending_seconds_of_job(item, self._now)
        if seconds is not None and (self._oldest_pending is None or seconds > self._oldest_pending):
            self._oldest_pending = seconds

    def merge(self, other: SummaryTally) -> None:
        """Add what another tally counted."""
        self._by_status += other._by_status
        self._by_type += other._by_type
        for status, amounts in other._resources_by_status.items():
            add_amounts(self._resources_by_status.setdefault(status, {}), amounts)
        ages = [age for age in (self._oldest_pending, other._oldest_pending) if age is not None]
        self._oldest_pending = max(ages, default=None)
        self._requirements.unparsed += other._requirements.unparsed

    def as_facts(self) -> SummaryFacts:
        """Return ``{total, by_status, by_type, resources_by_status, oldest_pending_seconds, unparsed}``.

        Resources are in cores, bytes and cards.
        """
        return {
            "total": sum(self._by_status.values()),
            "by_status": dict(self._by_status),
            "by_type": dict(self._by_type),
            "resources_by_status": {
                status: amounts_to_numbers(total) for status, total in self._resources_by_status.items()
            },
            "oldest_pending_seconds": self._oldest_pending,
            "unparsed": self._requirements.as_facts(),
        }


def merge_summary_tallies(tallies: Sequence[SummaryTally]) -> SummaryTally:
    """Return one tally of several pools; that of a single pool is itself."""
    if len(tallies) == 1:
        return tallies[0]
    together = SummaryTally(0)
    for tally in tallies:
        together.merge(tally)
    return together


@dataclass(frozen=True)
class PoolReading:
    """What was read of one pool: its entry in ``pools``, and the documents of its jobs.

    ``cards`` is how many the node of an address has, where the nodes were read.
    """

    entry: JobsEntry
    items: list[Document]
    tally: SummaryTally
    warnings: list[str]
    cards: Mapping[str, int | None] = field(default_factory=dict)


def summarize_jobs(pool_name: str, pages: Pages, now: float) -> PoolReading:
    """Count the jobs of a pool. ``now`` is in seconds since the epoch."""
    tally = SummaryTally(now, pages.items)
    entry: JobsEntry = {
        "pool_name": pool_name,
        "total": pages.total,
        "complete": pages.complete,
        "summary": tally.as_facts(),
    }
    return PoolReading(entry, pages.items, tally, [f"{pool_name}: {warning}" for warning in pages.warnings])


def combine_summaries(readings: Sequence[PoolReading], fields: Sequence[str] | None) -> WorkloadsAnswer:
    """Return one answer about all pools, the jobs pool after pool, with the keys that ``fields`` names."""
    totals = [reading.entry["total"] for reading in readings]
    requirements = Requirements()
    workloads: list[WorkloadFacts] = []
    # An empty list asks for the summary alone, and spares the facts of every job.
    if fields is None or fields:
        for reading in readings:
            name = reading.entry["pool_name"]
            workloads += [job_facts(item, name, requirements, fields, reading.cards) for item in reading.items]
    known = [total for total in totals if total is not None]
    return {
        "workloads": workloads,
        # A total of some pools would pass for that of all.
        "total": sum(known) if len(known) == len(totals) else None,
        "complete": all(reading.entry["complete"] for reading in readings),
        "summary": merge_summary_tallies([reading.tally for reading in readings]).as_facts(),
        "pools": [reading.entry for reading in readings],
        "warnings": [warning for reading in readings for warning in reading.warnings],
    }


def summary_entries_with_jobs(answer: WorkloadsAnswer) -> list[JobsEntryWithJobs]:
    """Return the entries of ``pools``, each with its ``workloads``, which follow each other pool after pool."""
    # By the counts of the summaries: jobs do not name their pool in every selection of fields.
    workloads = iter(answer["workloads"])
    return [
        _summary_entry_with_jobs(entry, list(islice(workloads, entry["summary"]["total"]))) for entry in answer["pools"]
    ]


def _summary_entry_with_jobs(entry: JobsEntry, workloads: list[WorkloadFacts]) -> JobsEntryWithJobs:
    return {**entry, "workloads": workloads}
