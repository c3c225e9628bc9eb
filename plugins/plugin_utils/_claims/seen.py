# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that were looked for by name -> jobs as the protocol of claims sees them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import ACTIVE, OVER, WAITING
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import SeenJob, Stage
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import amounts_in_situation

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FoundJobFacts


# How far a job is, the least first.
_STAGES = tuple(Stage)


def seen_jobs(found: Sequence[FoundJobFacts] | None) -> tuple[SeenJob, ...]:
    """Return the jobs, with what they have of their claims rounded down.

    A job that was restarted is listed as it was and as it is: the entry that is least far counts, with all IDs of it.
    """
    without_id: list[SeenJob] = []
    entries_of: dict[str, list[SeenJob]] = {}
    for job in map(_seen_job, found or ()):
        if not job.ids:
            without_id.append(job)
            continue
        same = {id(entries): entries for entries in (entries_of.get(one, []) for one in job.ids)}
        joined = [entry for entries in same.values() for entry in entries] + [job]
        for entry in joined:
            entries_of.update(dict.fromkeys(entry.ids, joined))
    each = {id(entries): entries for entries in entries_of.values()}
    return (*map(_joined_entries, each.values()), *without_id)


def _seen_job(job: FoundJobFacts) -> SeenJob:
    # An empty ID is none: all jobs that have it would be one.
    ids = tuple(dict.fromkeys(one for one in (job["job_uuid"], job["uid"]) if one))
    return SeenJob(
        uuid=ids[0] if ids else None,
        name=job["job_name"],
        type=job["type"],
        stage=_stage_of_seen_job(job),
        shows_node=bool(job["host_ips"]),
        amounts=amounts_in_situation(job["resources"], down=True)[0],
        created=job["created"],
        other_ids=ids[1:],
    )


def _joined_entries(entries: Sequence[SeenJob]) -> SeenJob:
    counts = min(entries, key=lambda entry: _STAGES.index(entry.stage))
    ids = dict.fromkeys((*counts.ids, *(one for entry in entries for one in entry.ids)))
    # The oldest, as a claim is ended only by a job that came after it.
    created = [entry.created for entry in entries if entry.created is not None]
    return replace(counts, other_ids=tuple(ids)[1:], created=min(created, default=None))


def _stage_of_seen_job(job: FoundJobFacts) -> Stage:
    """Return how far a job is. One that waits and shows a node is on it already, while its images are pulled."""
    status = job["status"]
    # In this order: an unknown status may hold cards, so it is none of those that are known.
    if status in OVER:
        return Stage.OVER
    if status in WAITING:
        return Stage.STARTS if job["host_ips"] else Stage.WAITS
    if status in ACTIVE:
        return Stage.RUNS if status == "Running" else Stage.STARTS
    return Stage.ENDS
