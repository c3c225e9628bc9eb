# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from datetime import datetime

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import (
    is_blank,
    is_endless,
    one_line,
    shown,
    trimmed,
    written,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._action import (
    REAL_TIME,
    ObservingAction,
    is_action_of_role,
    store_given_to_action,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import ObservationError, Observer
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_seconds
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._watch import (
    HAS_RUN,
    JOB_FIELDS,
    JobWatch,
    WatchedFacts,
    watch_job,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import JobFacts, WorkloadsAnswer
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.followed import FollowedClaims

_WAIT_TIMEOUT, _POLL_INTERVAL = 600.0, 15.0

# What became of a job that has, or had, its cards.
_ENDED = ("running", "completed", "failed")

# A look may end after the deadline, for its answer is the result. A healthy API takes much less than a minute, which
# the last look and what is read behind it share.
_SHORTEST_LIMIT = 60.0

# Who runs the role has not written the options of its task: a mistake is told in the names of the role's variables.
_VARIABLES = {
    "pool_name": "capacity_gate_watch_pool",
    "job": "capacity_gate_watch_job",
    "wait_timeout": "capacity_gate_watch_timeout",
    "poll_interval": "capacity_gate_watch_interval",
}


class JobWaitFacts(WatchedFacts):
    """The result of the task."""

    changed: bool


class JobWaitFailure(JobWaitFacts):
    """The result of the task for a job that has not run."""

    failed: bool
    msg: str


class ActionModule(ObservingAction):
    """Waits until a job runs, ends or fails."""

    own_options: t.ClassVar = {
        "pool_name": {"type": "raw", "required": True},
        "job": {"type": "raw", "required": True},
        "created_after": {"type": "raw"},
        "wait_timeout": {"type": "raw"},
        "poll_interval": {"type": "raw"},
        "store": {"type": "raw"},
        "claims": {"type": "raw"},
    }

    def act(self, options: Mapping[str, object]) -> JobWaitFacts | JobWaitFailure:
        of_role = is_action_of_role(self._task)
        names = _VARIABLES if of_role else {name: name for name in _VARIABLES}
        pool, job = (_read_name_of_awaited_job(names[name], options[name]) for name in ("pool_name", "job"))
        if not pool:
            run_the_gate = "Run the gate first, or set" if of_role else "Set"
            raise InputError(f"There is no pool to watch. {run_the_gate} {names['pool_name']}.")
        if not job:
            raise InputError(f"There is no job to watch: set {names['job']}.")
        timeout = read_seconds(
            names["wait_timeout"], options["wait_timeout"], _WAIT_TIMEOUT, _value_in_line_of_job_wait
        )
        interval = read_seconds(
            names["poll_interval"], options["poll_interval"], _POLL_INTERVAL, _value_in_line_of_job_wait
        )
        claims = self._claims_of_awaited_job(options)
        watch = JobWatch(pool, job, _read_time_of_awaited_job("created_after", options.get("created_after")))
        # Before the time of the wait begins.
        if claims is not None:
            claims.renew_for(job)
        observer = self.observer(options)
        time = REAL_TIME
        end = 0.0

        def look(seconds_left: float | None) -> WorkloadsAnswer:
            nonlocal end
            # A job that was given by its ID has told its name.
            if claims is not None:
                claims.renew_for(watch.job_name)
            limit = None if seconds_left is None else max(seconds_left, _SHORTEST_LIMIT)
            end = time.clock() + (limit or _SHORTEST_LIMIT)
            return observer.look({"pool_name": [pool], "fields": list(JOB_FIELDS), "time_limit": limit})

        watch_job(watch, Wait(timeout, interval, time), look, self.say, self.remark)
        queued = _read_jobs_queued_with_awaited_one(observer, pool, end - time.clock()) if watch.is_queued else None
        watched = watch.result(timeout, queued)
        # Without an ID the job cannot be told from another, and its claim is left to its time.
        if claims is not None and watched["state"] in _ENDED and watch.job_id is not None:
            claims.end_by(watch.job_name, watch.job_id, self.job_look(options))
        if watched["state"] not in HAS_RUN:
            return {"failed": True, "changed": False, "msg": watched["message"], **watched}
        self.say([watched["message"]])
        return {"changed": False, **watched}

    def _claims_of_awaited_job(self, options: Mapping[str, object]) -> FollowedClaims | None:
        """Return the claims of which one may be for the job; None without any. Raises InputError."""
        given, url = options.get("claims"), store_given_to_action(options.get("store"))
        if is_blank(given) or url is None:
            return None
        # Without a store, nothing of this is imported.
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.followed import (
            FollowedClaims,
            read_followed_claims,
        )

        own = read_followed_claims(given)
        return FollowedClaims(url, own, self.remark) if own and not self._task.check_mode else None


def _read_jobs_queued_with_awaited_one(observer: Observer, pool: str, seconds_left: float) -> list[JobFacts] | None:
    """Return the jobs that wait in the pool, in the order of the scheduler; None when they cannot be read."""
    if seconds_left < 1:
        return None
    limit = min(seconds_left, _SHORTEST_LIMIT)
    try:
        return observer.look_at_capacity({"pool_name": [pool], "time_limit": limit})[0]["queued"]
    except ObservationError:
        return None


def _read_name_of_awaited_job(option: str, value: object) -> str:
    """Return the name that was given, which YAML may have read as a number. Raises InputError for what is no name."""
    if value is None:
        return ""
    if isinstance(value, (bool, dict, list, tuple)) or is_endless(value):
        raise InputError(
            f"{option} is {shown(value)}, but must be one name, in quotes where YAML reads something else."
        )
    return trimmed(str(value))


def _read_time_of_awaited_job(option: str, value: object) -> float:
    """Return the milliseconds since the epoch, 0 for no time. Raises InputError."""
    if value is None:
        return 0
    mistake = InputError(
        f"{option} is {_value_in_line_of_job_wait(value)}, but must be a time like 2026-11-28T19:00:00Z."
    )
    try:
        # As text, also of what YAML has read as a time, as in the artifact that AWX hands on.
        at = datetime.fromisoformat(trimmed(str(value)).replace("Z", "+00:00"))
    except ValueError:
        raise mistake from None
    if at.tzinfo is None:
        raise mistake
    return 1000 * at.timestamp()


def _value_in_line_of_job_wait(value: object) -> str:
    return one_line(written(value) or shown(value), 80)
