# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has changed in a pool between two looks at it, as events. Pure, without input or output.

A look that could not be completed says nothing: what was known before stays, and a change is told by the next look that
sees it.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import WorkloadFacts
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    OVER,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import CheckInFigures, VerdictFacts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._outcome import check_figures_of_outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import inert
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import SteadyWait

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import JobsEntryWithJobs, PoolEntry
    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts


class _Change(t.TypedDict):
    change: str


class Event(_Change, total=False):
    """What has changed: a job, with the status that it had before, or the room in a pool."""

    job: WorkloadFacts
    previous_status: str | None
    ended_by: str
    at_start: bool
    pool: str
    observed_at: str | None
    decision: str
    reason: str
    checks: list[CheckInFigures]


Jobs = t.Mapping[str, WorkloadFacts]
"""Jobs by what tells one from another."""

JOB_FIELDS = (
    "uid",
    "job_uuid",
    "name",
    "job_name",
    "type",
    "user_name",
    "status",
    "flavor",
    "priority",
    "created_at",
    "running_duration",
    "pending_duration",
    "resources",
)
"""What an event tells about a job, in the words of the workloads module."""

_MOVES = "the list changed faster than it could be read."


@dataclass(frozen=True)
class EventState:
    """What a look at a pool has shown: ``jobs`` by their ID, and whether there is ``room``. None is not known."""

    jobs: Jobs | None = None
    room: bool | None = None

    def followed_by(self, later: EventState) -> EventState:
        """Return what is known after a later look."""
        jobs = self.jobs
        if later.jobs is not None:
            known = self.jobs or {}
            jobs = {own: _job_of_event_with_status(job, known.get(own)) for own, job in later.jobs.items()}
        return EventState(jobs, self.room if later.room is None else later.room)


def events_of_jobs(before: EventState, now: EventState) -> list[Event]:
    """Return the events that lead from what was known to what is known now, each as ``{change, ...}``.

    ``now`` is what ``before.followed_by()`` returned. The jobs of the first look are where it starts from, and are no
    events; room at the first look is one, with ``at_start``.
    """
    events: list[Event] = []
    if before.jobs is not None and now.jobs is not None and now.jobs is not before.jobs:
        events += _event_of_disappearance(before.jobs, now.jobs)
        for own, job in now.jobs.items():
            events += _events_of_job(before.jobs.get(own), job)
    if now.room and not before.room:
        events.append({"change": "room_appeared", "at_start": before.room is None})
    elif before.room and now.room is False:
        events.append({"change": "room_gone"})
    return events


def _event_of_disappearance(before: Jobs, now: Jobs) -> list[Event]:
    return [
        {"change": "job_ended", "ended_by": "disappearance", "job": job, "previous_status": job["status"]}
        for own, job in before.items()
        # A job that was over has had its event, and lists may drop it at any time.
        if own not in now and job["status"] not in OVER
    ]


def _events_of_job(before: WorkloadFacts | None, job: WorkloadFacts) -> list[Event]:
    previous = None if before is None else before["status"]
    events: list[Event] = []
    if before is None:
        events.append({"change": "job_appeared", "job": job, "previous_status": previous})
    if job["status"] in OVER and previous not in OVER:
        events.append({"change": "job_ended", "ended_by": "status", "job": job, "previous_status": previous})
    elif previous is not None and job["status"] != previous:
        events.append({"change": "job_status_changed", "job": job, "previous_status": previous})
    return events


def _job_of_event_with_status(job: WorkloadFacts, before: WorkloadFacts | None) -> WorkloadFacts:
    """Return the job; one whose status was not told has the one that it had."""
    return job if before is None or job["status"] is not None else {**job, "status": before["status"]}


def _identity_of_job_in_events(job: WorkloadFacts) -> str | None:
    """Return what else than its ID tells a job from others."""
    # Not the job_name, which several jobs may have.
    return job["job_uuid"] or job["name"]


class PoolEvents:
    """Follows one pool from look to look. It keeps the jobs of the last complete one, and nothing else that grows."""

    def __init__(
        self,
        pool_name: str,
        request: Request | None = None,
        policy: Policy | None = None,
        declared: Amounts | None = None,
    ) -> None:
        self.pool_name = pool_name
        self.remarks: dict[str, str] = {}
        self._request = request
        self._policy = policy or Policy()
        self._declared = declared
        self._seen = EventState()
        self._steady = SteadyWait(self._policy.stable_seconds)

    def look_at(self, entry: PoolEntry, now: float, age: float = 0.0) -> list[Event]:
        """Return the events since the look before.

        ``entry`` is an entry of ``pools`` of read_workloads() with its ``workloads`` of JOB_FIELDS, and read with
        ``include_capacity`` when there is a request; ``now`` are the seconds of a clock that never goes back, and
        ``age`` those since its reading began.
        Afterwards ``remarks`` has a sentence for what a person should know of this look: ``jobs`` and ``room`` where
        they could not be told, ``never`` where waiting for room is in vain.
        """
        self.remarks = {}
        self.pool_name = entry["pool_name"]  # a display name has become the ID
        if not entry["complete"]:
            errors = {error["document"]: error["msg"] for error in entry["errors"]}
            self.remarks["jobs"] = f"its jobs are not known: {errors.get('workloads', _MOVES)}"
        verdict = None if self._request is None else self._verdict_on_request(self._request, entry, age)
        seen = self._seen.followed_by(EventState(self._jobs_by_id(entry), self._has_lasting_room(verdict, now)))
        events = events_of_jobs(self._seen, seen)
        self._seen = seen
        about = {"pool": self.pool_name, "observed_at": entry["observed_at"]}
        # ansible-rulebook makes an extra variable of the event, and extra variables are rendered.
        return [t.cast(Event, inert({**event, **about, **_room_of_event(event, verdict)})) for event in events]

    def _verdict_on_request(self, request: Request, entry: PoolEntry, age: float) -> VerdictFacts:
        verdict = capacity_verdict(entry, request, self._policy, self._declared, age=age)
        reasons = "; ".join(verdict["reasons"])
        if verdict["decision"] == "unknown":
            self.remarks["room"] = f"it is not known whether there is room: {reasons}"
        elif verdict["decision"] == "reject":
            self.remarks["never"] = f"waiting for room cannot help: {reasons}"
        return verdict

    def _jobs_by_id(self, entry: PoolEntry) -> Jobs | None:
        """Return the jobs by their ID; None when they are not known, also where one ID stands for two jobs.

        A job that is given without its ID this time is the one that had it. Jobs without any name cannot be followed.
        """
        if not entry["complete"]:
            return None
        by_name = {_identity_of_job_in_events(job): job_id for job_id, job in (self._seen.jobs or {}).items()}
        jobs: dict[str, WorkloadFacts] = {}
        for job in t.cast("JobsEntryWithJobs", entry)["workloads"]:
            job_id = job["uid"] or by_name.get(_identity_of_job_in_events(job)) or _identity_of_job_in_events(job)
            if job_id in jobs:
                self.remarks["jobs"] = "its jobs are not known: two of them have the same ID."
                return None
            if job_id:
                jobs[job_id] = job
        return jobs

    def _has_lasting_room(self, verdict: VerdictFacts | None, now: float) -> bool | None:
        """Return whether there is room; None when that is not known, and while it has not lasted for stable_seconds."""
        admits = verdict is not None and verdict["decision"] == "admit"
        # At every look: an unknown verdict, too, ends the time that the request has fitted.
        lasts = self._steady.look(admits, now)
        if verdict is None or verdict["decision"] == "unknown":
            return None
        return (lasts or None) if admits else False


def _room_of_event(event: Event, verdict: VerdictFacts | None) -> dict[str, object]:
    if verdict is None or "job" in event:
        return {}
    return {"decision": verdict["decision"], "reason": verdict["brief"], "checks": check_figures_of_outcome(verdict)}
