# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following one job from look to look: what became of it, in one sentence. Pure: looks are handed in.

A look that failed, and one that was not complete and does not show the job, is a look without news.

This plugin util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import comparable_uuid, one_line, sentence
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import OVER, STATUSES, WAITING
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import job_in_words
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import ObservationError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        JobFacts,
        WorkloadFacts,
        WorkloadsAnswer,
    )
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait

JOB_FIELDS = (
    "uid",
    "job_uuid",
    "name",
    "job_name",
    "status",
    "create_time",
    "created_at",
    "pending_duration",
    "running_duration",
)
"""What a look has to read of each job."""

# A text of this form is no name: a job can be named like the ID of another.
_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# Real names have 64 characters. What is longer is cut, so that the words around it are still read.
_LONGEST_NAME = 100
_LONGEST_POOL = 150
_LONGEST_STATUS = 60


HAS_RUN = ("running", "completed")
"""The states of a job after which the play may go on."""


class WatchedFacts(t.TypedDict):
    """What became of a job, with the sentence that says it. ``ahead`` is None where it is not known."""

    state: str
    status: str | None
    pool: str
    job_uuid: str | None
    ahead: int | None
    message: str


class JobWatch:
    """Follows the job of a pool that has this ``job_uuid`` or name; of several, the newest when it is found.

    A ``job_uuid`` goes before all names, which others may choose. Jobs of the name that were created before
    ``created_after``, in milliseconds, and are over are those of earlier runs.
    """

    def __init__(self, pool: str, wanted: str, created_after: float = 0) -> None:
        self._pool = pool
        self._wanted = wanted
        self._created_after = created_after
        self._followed: WorkloadFacts | None = None
        self._job: WorkloadFacts | None = None
        self._status: str | None = None
        self._complete = False
        self._is_ambiguous = False
        self.has_found = False
        self.has_read = False

    def look_at(self, jobs: Sequence[WorkloadFacts], complete: bool) -> str:
        """Take the jobs of a look, and return what a person should know of it, which is nothing mostly.

        ``complete`` tells whether these are all jobs of the pool.
        """
        self.has_read = True
        found = self._watched_jobs(jobs)
        self._is_ambiguous = found is None
        # A look that does not tell which job it is cannot tell either that the job is gone.
        self._complete = complete and found is not None
        said = ""
        if found and not self.has_found:
            said = self._note_on_first_look(found)
        self._job = _newest_watched_job(found) if found else None
        if self._job is not None:
            self.has_found = True
            self._followed = _watched_job_with_known_ids(self._job, self._followed)
            # A status that is not told is the one that was told before.
            self._status = self._job["status"] or self._status
        return said

    def _watched_jobs(self, jobs: Sequence[WorkloadFacts]) -> list[WorkloadFacts] | None:
        """Return the jobs of a look of which the newest is the one; None when the look does not tell which it is."""
        # The ID first: a name is free to be the ID of another job.
        wanted = comparable_uuid(self._wanted)
        found = [job for job in jobs if comparable_uuid(job["job_uuid"]) == wanted]
        if not found and self._followed is not None:
            same = [(job, _is_watched_job(job, self._followed)) for job in jobs]
            found = [job for job, is_same in same if is_same]
            if not found and any(is_same is None for _job, is_same in same):
                return None
        elif not found and not _UUID.fullmatch(self._wanted):
            found = [job for job in jobs if job["job_name"] == self._wanted and not self._is_of_earlier_run(job)]
        if not found:
            return []
        # A restarted training has its IDs twice for a while. Those of two jobs tell neither.
        newest = _newest_watched_job(found)
        parts = [newest, *(job for job in jobs if _is_watched_job(job, newest))]
        return found if len({job["job_name"] for job in parts}) == 1 else None

    def _is_of_earlier_run(self, job: WorkloadFacts) -> bool:
        return job["status"] in OVER and (job["create_time"] or 0) < self._created_after

    def look_failed(self) -> None:
        """Take a look without an answer: whether the job is still there is not known."""
        self._job = None
        self._complete = False
        self._is_ambiguous = False

    @property
    def status(self) -> str | None:
        """The status at the last look; None when it did not show the job."""
        return None if self._job is None else self._status

    @property
    def is_over(self) -> bool:
        """Whether a later look could tell nothing else: the job runs or has ended, or it is gone."""
        if self._job is None:
            return self.has_found and self._complete
        return self._status == "Running" or self._status in OVER

    @property
    def is_queued(self) -> bool:
        """Whether the job has a place in the queue."""
        return self.status in WAITING

    def line(self, progress: str) -> str:
        """Return the line of a look: the progress of the wait, what the job is doing, and its name."""
        is_absent = self._job is None and self._complete
        seen = one_line(self.status or "", _LONGEST_STATUS) or ("not there" if is_absent else "not known")
        return sentence(f"{progress} {seen} {self._name_in_line}")

    def result(self, seconds: float, queued: Sequence[JobFacts] | None = None) -> WatchedFacts:
        """Return what became of the job within so many seconds.

        ``queued`` are the jobs that wait, in the order of the scheduler; None when they are not known.
        """
        within = f" within {round(seconds)} s"
        if self._job is None:
            return self._unseen_job(within)
        if self._status == "Running":
            waited = self._job["pending_duration"] or 0
            return self._result(
                "running", f"{self._name_in_line} runs in {self._pool_in_line}, after {waited} s in the queue."
            )
        if self._status in _ENDS:
            state, ending = _ENDS[self._status]
            return self._result(state, self._name_in_line + ending.format(ran=self._job["running_duration"] or 0))
        if self._status in WAITING:
            return self._queued_job(within, queued)
        if self._status is None:
            return self._result(
                "unread",
                f"It is not known whether {self._name_in_line} runs: {self._pool_in_line} does not report its status.",
            )
        status = one_line(self._status, _LONGEST_STATUS)
        known = {one.lower(): one for one in STATUSES}.get(status.strip().lower(), self._status)
        unlike = "" if known == self._status else f", which is not the word {known}"
        return self._result("waiting", f"{self._name_in_line} does not run{within}: its status is {status}{unlike}.")

    def _unseen_job(self, within: str) -> WatchedFacts:
        if self._is_ambiguous:
            return self._result(
                "unread",
                f"It is not known whether {self._name_in_line} runs: "
                f"the IDs that {self._pool_in_line} gives do not identify the job.",
            )
        if not self._complete:
            return self._result(
                "unread",
                f"It is not known whether {self._name_in_line} runs: "
                f"the jobs of {self._pool_in_line} could not be read{within}.",
            )
        if not self.has_found:
            return self._result("missing", f"No job {self._name_in_line} has come up in {self._pool_in_line}{within}.")
        return self._result(
            "gone", f"{self._name_in_line} has disappeared from {self._pool_in_line}, and was not seen to run."
        )

    def _queued_job(self, within: str, queued: Sequence[JobFacts] | None) -> WatchedFacts:
        uuids = [job["job_uuid"] for job in queued or ()]
        ahead = uuids.index(self._job_uuid) if self._job_uuid and self._job_uuid in uuids else None
        if ahead is None or not queued:
            place = "its place in the queue is not known"
        elif ahead == 0:
            place = "nothing is ahead of it"
        else:
            place = f"{ahead} ahead of it, first {one_line(job_in_words(queued[0]), _LONGEST_NAME)}"
        start = f"{self._name_in_line} has not started{within}: it still waits in {self._pool_in_line}"
        return self._result("waiting", f"{start} ({self._status}), {place}.", ahead)

    def _result(self, state: str, message: str, ahead: int | None = None) -> WatchedFacts:
        return {
            "state": state,
            "status": self.status,
            "pool": self._pool,
            "job_uuid": self._job_uuid,
            "ahead": ahead,
            "message": sentence(message),
        }

    @property
    def job_id(self) -> str | None:
        """What the job that is followed can be told by; None while there is none, or it has told no ID."""
        return self._job_uuid or (self._followed["uid"] if self._followed is not None else None) or None

    @property
    def job_name(self) -> str:
        """The name of the job that is followed; while there is none, or it has told none, what was given."""
        return (self._followed["job_name"] if self._followed is not None else None) or self._wanted

    @property
    def _job_uuid(self) -> str | None:
        return (self._followed["job_uuid"] or None) if self._followed is not None else None

    def _note_on_first_look(self, jobs: Sequence[WorkloadFacts]) -> str:
        """Return what a person should know of the job that is followed, which may be an earlier one of its name."""
        newest = _newest_watched_job(jobs)
        of = f" of {newest['created_at']}" if newest["created_at"] else ""
        which = f"{one_line(newest['job_uuid'] or 'without an ID', _LONGEST_NAME)}{of}"
        if len(jobs) > 1:
            return sentence(f"{len(jobs)} jobs are named {self._name_in_line}; the newest is followed, {which}.")
        if newest["status"] in OVER and newest["job_uuid"] != self._wanted:
            return sentence(f"{self._name_in_line} had ended before the first look, {which}.")
        return ""

    @property
    def _name_in_line(self) -> str:
        return one_line(self._wanted, _LONGEST_NAME)

    @property
    def _pool_in_line(self) -> str:
        return one_line(self._pool, _LONGEST_POOL)


def watch_job(
    watch: JobWatch,
    wait: Wait,
    look: Callable[[float | None], WorkloadsAnswer],
    say: Callable[[list[str]], None],
    remark: Callable[[str], None],
) -> None:
    """Look until the job runs or has ended, until it is gone, or until the time is up.

    ``look`` is given the seconds that are left, or None, and returns the facts of modelarts_workload_info on the pool.
    Raises ObservationError when the credentials are refused; before the job was found, also when another look would
    fail as well, since what is wrong with the connection shows then; and when no look at all could be read.
    """
    failure: ObservationError | None = None
    for left in wait.looks():
        lines = []
        try:
            facts = look(left)
        except ObservationError as error:
            if error.is_refusal or not (watch.has_found or error.transient):
                raise
            failure = error
            watch.look_failed()
            remark(str(error))
        else:
            lines.append(watch.look_at(facts["workloads"], facts["complete"]))
        if wait.timeout:
            lines.append(watch.line(wait.progress))
        if any(lines):
            say([line for line in lines if line])
        if watch.is_over:
            return
    # Without any answer the result is the failure, and not a job that is missing.
    if failure is not None and not watch.has_read:
        raise failure


# The sentence of each status in which a job has ended.
_ENDS = {
    "Completed": ("completed", " has completed after running for {ran} s."),
    "Failed": ("failed", " has failed after running for {ran} s: its log says why."),
    "Terminated": ("failed", " was terminated after running for {ran} s."),
}


def _is_watched_job(job: WorkloadFacts, known: WorkloadFacts) -> bool | None:
    """Return whether a job is the known one; None when neither an ID nor its own name tells, and the given one may."""
    same_ids = [
        mine == other for mine, other in zip(_ids_of_watched_job(job), _ids_of_watched_job(known)) if mine and other
    ]
    if same_ids:
        # One equal ID is enough: a restarted training may keep only one of them. Not tried on a real pool.
        return any(same_ids)
    if job["name"] and known["name"]:
        return job["name"] == known["name"]
    return None if job["job_name"] == known["job_name"] else False


def _ids_of_watched_job(job: WorkloadFacts) -> tuple[str | None, str | None]:
    return job["uid"], job["job_uuid"]


def _watched_job_with_known_ids(job: WorkloadFacts, before: WorkloadFacts | None) -> WorkloadFacts | None:
    """Return the job, with what an earlier look has told of its IDs; None when there is nothing to follow it by."""
    if before is not None:
        told = {key: job.get(key) or before.get(key) for key in ("uid", "job_uuid", "name")}
        job = t.cast("WorkloadFacts", {**job, **told})
    return job if any(_ids_of_watched_job(job)) or job["name"] else None


def _newest_watched_job(jobs: Sequence[WorkloadFacts]) -> WorkloadFacts:
    """Return the job that was created last. One that does not tell when is taken for older."""
    return max(jobs, key=lambda job: job["create_time"] or 0)
