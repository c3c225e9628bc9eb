# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that were looked for by name -> jobs as the protocol of claims sees them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import ACTIVE, OVER, WAITING
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import SeenJob, Stage
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import amounts_in_situation

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FoundJobFacts


def seen_jobs(found: Sequence[FoundJobFacts] | None) -> tuple[SeenJob, ...]:
    """Return the jobs, with what they have of their claims rounded down.

    One that tells no ID cannot be told from those that were there before, and is left out.
    """
    return tuple(
        SeenJob(
            uuid=job["job_uuid"],
            name=job["job_name"],
            type=job["type"],
            stage=_stage_of_seen_job(job),
            shows_node=bool(job["host_ips"]),
            amounts=amounts_in_situation(job["resources"], down=True)[0],
            age=job["age_seconds"],
            other_id=job["uid"] if job["uid"] != job["job_uuid"] else None,
        )
        for job in found or ()
        if job["job_uuid"] is not None
    )


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
