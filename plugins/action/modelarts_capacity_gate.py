# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import time
import typing as t
from datetime import datetime, timezone
from http import HTTPStatus

from ansible.module_utils.common.validation import check_type_dict
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, plain
from ansible_collections.poolgate.modelarts.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
    merge_levels,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._capacity import (
    best,
    capacity_verdict,
    hold_until_stable,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._checks import duration, plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._connection import templated_variables_level
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report import attempt_line, overview, page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report_document import Observed, report_document
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report_files import ReportDirectory
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    Policy,
    Request,
    check_together,
    read_declared_capacity,
    read_policy,
    read_request,
)

Facts = dict[str, t.Any]

GATE_OPTIONS: dict[str, dict[str, t.Any]] = {
    "pools": {"type": "list", "elements": "raw", "required": True},
    "request": {"type": "raw"},
    "policy": {"type": "raw"},
    "declared_capacity": {"type": "raw"},
    "wait_timeout": {"type": "raw", "default": 0},
    "poll_interval": {"type": "raw", "default": 30},
    "on_refusal": {"type": "str", "choices": ["fail", "continue"], "default": "fail"},
    "report_dir": {"type": "path"},
}

_JITTER = 0.1
_MOST_PAGES = 5
_REFUSAL = ("decision", "pool", "source", "observed_at", "reasons", "attempts")
_DETAILS = ("status", "error_code", "error_msg", "request_id", "unreachable", "module_stderr")
_HEAD = ("decision", "pool", "source", "observed_at")
_FIGURES = ("name", "passed", "resource", "need", "free", "total", "kept", "missing", "ahead")
display = Display()


class ObservationError(Exception):
    """The pools could not be asked, and asking again would not help. ``result`` is that of the failed task."""

    def __init__(self, result: Facts) -> None:
        super().__init__(result["msg"])
        self.result = result


class Candidate(t.NamedTuple):
    """A pool to ask, by ID or display name, and what to ask of it."""

    pool: str
    request: Request


class ActionModule(ActionBase):
    """Runs modelarts_workload_info on the task's host, attempt after attempt, and decides here."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Facts | None = None) -> Facts:
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        _validation, args = self.validate_argument_spec(argument_spec={**CONNECTION_OPTIONS, **GATE_OPTIONS})
        try:
            gate = self._gate(args)
            directory = self._report_directory(args["report_dir"])
            outcome = gate.wait(self._observe, self._say)
        except InputError as error:
            return {"failed": True, "changed": False, "msg": error.message}
        except ObservationError as error:
            return {"failed": True, "changed": False, **error.result}
        self._say(outcome["report"])
        if directory is not None:
            self._write_report(directory, gate, outcome)
        if outcome["decision"] != "admit" and args["on_refusal"] == "fail":
            # What is on the page already would be printed a second time, as JSON.
            told = {name: outcome[name] for name in _REFUSAL}
            return {"failed": True, "changed": False, "msg": outcome["summary"], **told}
        return outcome

    def _gate(self, args: Facts) -> _Gate:
        request, policy, declared = (
            read_dictionary(name, args[name]) for name in ("request", "policy", "declared_capacity")
        )
        candidates = read_candidates(args["pools"], request)
        timeout = read_seconds("wait_timeout", args["wait_timeout"])
        interval = read_seconds("poll_interval", args["poll_interval"])
        strictness, capacity = read_policy(policy), read_declared_capacity(declared)
        for candidate in candidates:
            check_together(candidate.request, strictness, timeout)
        self._connection_options = merge_levels(
            {name: args[name] for name in CONNECTION_OPTIONS}, templated_variables_level(self._variables, self._templar)
        )
        self._ids: dict[str, str] = {}
        return _Gate(candidates, strictness, capacity, 0.0 if self._task.check_mode else timeout, interval)

    def _report_directory(self, path: str | None) -> ReportDirectory | None:
        return ReportDirectory(path) if path and not self._task.check_mode else None

    def _write_report(self, directory: ReportDirectory, gate: _Gate, outcome: Facts) -> None:
        """A report that cannot be written changes nothing in the decision."""
        try:
            directory.write(gate.report(outcome), outcome["pools"])
        except OSError as error:
            display.warning(f"The report was not written to {directory.path}: {error.strerror}.")
        else:
            self._say([f"  report   {directory.path / 'report.html'}"])

    def _observe(self, candidates: list[Candidate], seconds_left: float | None) -> list[Facts]:
        """Facts about the pool of each candidate: one call of modelarts_workload_info over all of them.

        Raises ObservationError when it failed for good.
        """
        names = [self._ids.get(candidate.pool, candidate.pool) for candidate in candidates]
        replaced = [one.request.replaces.job_uuid for one in candidates if one.request.replaces is not None]
        options = {"pool_name": names, "fields": [], "include_capacity": True, "placement_of": replaced}
        result: Facts = self._execute_module(
            module_name="poolgate.modelarts.modelarts_workload_info",
            module_args={**self._connection_options, **options, "time_limit": seconds_left},
            task_vars=self._variables,
        )
        if "pools" not in result or result.get("status") == HTTPStatus.UNAUTHORIZED:
            details = {name: result[name] for name in _DETAILS if name in result}
            raise ObservationError({"msg": result.get("msg", "modelarts_workload_info returned nothing"), **details})
        facts: list[Facts] = result["pools"]
        for error in (error for entry in facts for error in entry.get("errors", ())):
            # Of one document, too: the next attempt would send the credentials again, and refusals lock a key.
            if error.get("status") == HTTPStatus.UNAUTHORIZED:
                raise ObservationError({name: error[name] for name in ("msg", *_DETAILS) if name in error})
        self._ids = {candidate.pool: entry["pool_name"] for candidate, entry in zip(candidates, facts)}
        return facts

    def _say(self, lines: list[str]) -> None:
        if not self._task.no_log:
            for line in lines:
                display.display(line)


class _Gate:
    """Decides over the candidates, and waits for one that admits."""

    def __init__(
        self,
        candidates: list[Candidate],
        policy: Policy,
        declared: dict[str, int] | None,
        timeout: float,
        interval: float,
    ) -> None:
        self._candidates = candidates
        self._policy = policy
        self._declared = declared
        self._timeout = timeout
        self._interval = interval
        self._started = time.monotonic()
        self._fits_since: dict[str, float] = {}
        self._observed: list[Facts] = []
        self._waited: float | None = None

    def wait(self, observe: Observe, say: t.Callable[[list[str]], None]) -> Facts:
        """The outcome: at once when it is admitted or rejected, else at the last attempt that ends in time."""
        attempts = 0
        longest = 0.0
        while True:
            attempts += 1
            began = time.monotonic()
            verdicts = self._decide(observe(self._candidates, self._left()))
            verdict = best(verdicts)
            longest = max(longest, time.monotonic() - began)
            if self._timeout:
                say([attempt_line(verdict, _now(), time.monotonic() - self._started, self._timeout)])
            left = self._left() or 0.0
            if verdict["decision"] in ("admit", "reject") or left <= longest:
                self._waited = time.monotonic() - self._started if self._timeout else None
                return _outcome(verdict, verdicts, attempts, self._waited)
            pause = self._interval * random.uniform(1 - _JITTER, 1 + _JITTER)
            time.sleep(min(pause, left - longest))

    def report(self, outcome: Facts) -> Facts:
        """The outcome with all that was seen for it, as the document of a report."""
        candidates = [
            Observed(candidate.request, facts, verdict)
            for candidate, facts, verdict in zip(self._candidates, self._observed, outcome["pools"])
        ]
        return report_document(outcome, candidates, self._policy, _now(), self._waited)

    def _left(self) -> float | None:
        """Seconds until the deadline; None when there is none, because one attempt decides."""
        return max(0.0, self._started + self._timeout - time.monotonic()) if self._timeout else None

    def _decide(self, observed: list[Facts]) -> list[Facts]:
        now = time.monotonic()
        self._observed = observed
        verdicts = []
        for candidate, facts in zip(self._candidates, observed):
            verdict = capacity_verdict(facts, candidate.request, self._policy, self._declared)
            if verdict["decision"] == "admit":
                since = self._fits_since.setdefault(candidate.pool, now)
                verdict = hold_until_stable(verdict, now - since, self._policy)
            else:
                self._fits_since.pop(candidate.pool, None)
            verdicts.append(verdict)
        return verdicts


Observe = t.Callable[[list[Candidate], t.Optional[float]], list[Facts]]


def read_candidates(pools: list[object], request: object) -> list[Candidate]:
    """The pools in order of preference, each an ID, a display name, or ``{pool, request}``. Raises InputError."""
    candidates = []
    for entry in pools:
        own = dict(entry) if isinstance(entry, dict) else {"pool": entry}
        unknown = [key for key in own if key not in ("pool", "request")]
        name = own.get("pool")
        if unknown or not isinstance(name, str):
            what = f"has the key {plain(str(unknown[0]), 60)!r}" if unknown else "names no pool"
            raise InputError(f"pools: an entry {what}; it must be a pool, or a dictionary with pool and request.")
        asked = own.get("request") or request
        if not asked:
            raise InputError("request is missing: say what the deployment asks for.")
        candidates += [Candidate(one.strip(), read_request(asked)) for one in name.splitlines() if one.strip()]
    if not candidates:
        raise InputError("pools names no pool: give the ID of at least one.")
    names = [candidate.pool for candidate in candidates]
    if len(set(names)) < len(names):
        raise InputError("pools names a pool twice.")
    return candidates


def read_dictionary(name: str, value: object) -> object:
    """The dictionary that a text stands for, as a survey gives it; anything else as it is. Raises InputError."""
    if not isinstance(value, str):
        return value
    try:
        return check_type_dict(value) if value.strip() else None
    except TypeError:
        shown = plain(repr(value), 60)
        raise InputError(
            f"{name} is {shown}, which is no dictionary: write it as JSON, with double quotes around texts."
        ) from None


def read_seconds(name: str, value: object) -> float:
    """The seconds that the value stands for. Raises InputError when it is no length of time."""
    try:
        seconds = float(t.cast("str | float", value))
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if isinstance(value, bool) or not 0 <= seconds < 10**8:
        raise InputError(f"{name} is {plain(repr(value), 60)}, and must be a number of seconds, 0 or more.")
    return seconds


def _outcome(verdict: Facts, verdicts: list[Facts], attempts: int, waited: float | None) -> Facts:
    wait = "" if waited is None else f"waited {duration(waited)}, {plural(attempts, 'attempt')}"
    return {
        "changed": False,
        **{name: verdict[name] for name in _HEAD},
        "checks": verdict["checks"],
        "reasons": verdict["reasons"],
        "attempts": attempts,
        "pools": verdicts,
        "artifact": {**_bare(verdict), "attempts": attempts, "pools": [_bare(each) for each in verdicts]},
        "report": _report(verdict, verdicts) + ([f"  {wait}"] if wait else []),
        "summary": f"{verdict['decision']}: {verdict['pool']}: {'; '.join(verdict['reasons']) or 'it fits now'}"
        + (f" ({wait})" if wait else ""),
    }


def _bare(verdict: Facts) -> Facts:
    """The verdict without text of the API."""
    checks = [{name: check[name] for name in _FIGURES if name in check} for check in verdict["checks"]]
    return {**{name: verdict[name] for name in _HEAD}, "checks": checks}


def _report(verdict: Facts, verdicts: list[Facts]) -> list[str]:
    """The page of the pool that admits, or those of all; of many pools that of the best, and a line for each."""
    if len(verdicts) > _MOST_PAGES:
        return page(verdict) + overview(verdicts)
    shown = [verdict] if verdict["decision"] == "admit" else verdicts
    return [line for each in shown for line in page(each)]


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
