# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import re
import time
import typing as t
from datetime import datetime, timezone
from http import HTTPStatus

from ansible import constants
from ansible.module_utils.common.validation import check_type_dict, check_type_path
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS, merge_levels
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import is_blank, plain, sentence, shown, trimmed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._connection import templated_variables_level
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import (
    best,
    capacity_verdict,
    hold_until_stable,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._names import entries, pool_name
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.document import Observed, report_document
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.files import ReportDirectory
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import attempt_line, overview, page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    Policy,
    Request,
    check_names,
    check_together,
    read_declared_capacity,
    read_policy,
    read_request,
    read_seconds,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._sources import refuse_facts_of_hosts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import inert

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Facts = dict[str, t.Any]

GATE_OPTIONS: dict[str, dict[str, t.Any]] = {
    "pools": {"type": "raw", "required": True},
    "request": {"type": "raw"},
    "policy": {"type": "raw"},
    "declared_capacity": {"type": "raw"},
    "wait_timeout": {"type": "raw"},
    "poll_interval": {"type": "raw"},
    "on_refusal": {"type": "raw"},
    "report_dir": {"type": "raw"},
}
"""Raw, as a survey gives text for everything, and nothing or an empty text for what was left out."""

_WAIT_TIMEOUT, _POLL_INTERVAL = 0.0, 30.0

# How Pythons before 3.9 end: on names of types, which they cannot subscribe, and before 3.7 on the syntax.
_OLD_PYTHON = re.compile(r"'type' object is not subscriptable|^SyntaxError: ")

_JITTER = 0.1
_MOST_PAGES = 5
_REFUSAL = ("decision", "pool", "source", "observed_at", "reasons", "attempts")
_DETAILS = ("status", "error_code", "error_msg", "request_id", "unreachable", "module_stderr")
_HEAD = ("decision", "pool", "source", "observed_at")
_FIGURES = ("name", "passed", "resource", "need", "free", "total", "kept", "missing", "ahead")
display = Display()

# What refused credentials have led to, one a login and worker process: the items of a loop share it.
_refused: dict[str, Facts] = {}


class ObservationError(Exception):
    """The pools could not be asked, and asking again would not help. ``result`` is that of the failed task.

    Its sentence comes from the host that asked.
    """

    def __init__(self, result: Facts) -> None:
        self.result = {**result, "msg": sentence(str(result["msg"]))}
        super().__init__(self.result["msg"])


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
            refuse_facts_of_hosts(self._variables)
            args = {name: None if is_blank(value) else value for name, value in args.items()}
            goes_on = read_on_refusal(args["on_refusal"])
            path = read_directory(args["report_dir"])
            gate = self._gate(args)
            directory = self._report_directory(path)
            outcome = gate.wait(self._observe, self._say)
        except InputError as error:
            return {"failed": True, "changed": False, "msg": error.message}
        except ObservationError as error:
            return {"failed": True, "changed": False, **error.result}
        written = [] if directory is None else self._write_report(directory, gate, outcome)
        self._say(outcome["report"] + written)
        if outcome["decision"] != "admit" and not goes_on:
            # What is on the page already would be printed a second time, as JSON.
            told = {name: outcome[name] for name in _REFUSAL}
            return {"failed": True, "changed": False, "msg": outcome["summary"], **told}
        return outcome

    def _gate(self, args: Facts) -> _Gate:
        request, policy, declared = (
            read_dictionary(name, args[name]) for name in ("request", "policy", "declared_capacity")
        )
        candidates = read_candidates(args["pools"], request)
        timeout = read_seconds("wait_timeout", args["wait_timeout"], _WAIT_TIMEOUT)
        interval = read_seconds("poll_interval", args["poll_interval"], _POLL_INTERVAL)
        strictness, capacity = read_policy(policy), read_declared_capacity(declared)
        check_names([candidate.request for candidate in candidates], strictness, capacity)
        for candidate in candidates:
            check_together(candidate.request, strictness, timeout)
        self._connection_options = merge_levels(
            {name: args[name] for name in CONNECTION_OPTIONS}, templated_variables_level(self._variables, self._templar)
        )
        self._ids: dict[str, str] = {}
        return _Gate(candidates, strictness, capacity, 0.0 if self._task.check_mode else timeout, interval)

    def _report_directory(self, path: str | None) -> ReportDirectory | None:
        return ReportDirectory(path) if path and not self._task.check_mode else None

    def _write_report(self, directory: ReportDirectory, gate: _Gate, outcome: Facts) -> list[str]:
        """Write the report and return the line that names it. A failure changes nothing in the decision."""
        try:
            directory.write(gate.report(outcome), outcome["pools"])
        except OSError as error:
            display.warning(sentence(f"The report was not written to {directory.path}: {error.strerror}."))
            return []
        return [f"  report   {directory.path / 'report.html'}"]

    def _observe(self, candidates: list[Candidate], seconds_left: float | None) -> list[Facts]:
        """Facts about the pool of each candidate: one call of modelarts_workload_info over all of them.

        Raises ObservationError when it failed for good.
        """
        login = self._login()
        if login in _refused:
            raise ObservationError(_refused[login])
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
            details["msg"] = why_nothing(result)
            if result.get("status") == HTTPStatus.UNAUTHORIZED:
                _refused[login] = details
            raise ObservationError(details)
        facts: list[Facts] = result["pools"]
        for error in (error for entry in facts for error in entry.get("errors", ())):
            # Of one document, too: the next attempt would send the credentials again, and refusals lock a key.
            if error.get("status") == HTTPStatus.UNAUTHORIZED:
                _refused[login] = {name: error[name] for name in ("msg", *_DETAILS) if name in error}
                raise ObservationError(_refused[login])
        self._ids = {candidate.pool: entry["pool_name"] for candidate, entry in zip(candidates, facts)}
        return facts

    def _login(self) -> str:
        """What decides the credentials: the options, and the environment and the host that fill in the rest."""
        place = self._task.delegate_to, self._variables.get("inventory_hostname")
        return repr((sorted(self._connection_options.items()), self._compute_environment_string(), place))

    def _say(self, lines: list[str]) -> None:
        """Display the lines in one piece, so that those of other hosts' gates do not come between them.

        A callback that writes JSON to stdout has stdout for itself: the lines go to stderr.
        """
        if not self._task.no_log:
            callback = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK")).rpartition(".")[2]
            display.display("\n".join(lines), stderr=callback.startswith("json"))


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
            verdicts = self._decide(observe(self._candidates, self._left()), began)
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

    def _decide(self, observed: list[Facts], began: float) -> list[Facts]:
        """Return the verdict on each candidate.

        The facts are as old as the look that read them: by this host's own steady clock, from before the first request.
        """
        now = time.monotonic()
        self._observed = observed
        verdicts = []
        for candidate, facts in zip(self._candidates, observed):
            verdict = capacity_verdict(facts, candidate.request, self._policy, self._declared, age=now - began)
            if verdict["decision"] == "admit":
                since = self._fits_since.setdefault(candidate.pool, now)
                verdict = hold_until_stable(verdict, now - since, self._policy)
            else:
                self._fits_since.pop(candidate.pool, None)
            verdicts.append(verdict)
        return verdicts


Observe = t.Callable[[list[Candidate], t.Optional[float]], list[Facts]]


def read_candidates(pools: object, request: object) -> list[Candidate]:
    """The pools in order of preference, each an ID, a display name, or ``{pool, request}``. Raises InputError."""
    candidates: list[Candidate] = []
    common: Request | None = None
    for entry in entries("pools", pools):
        own = entry if isinstance(entry, dict) else {"pool": entry}
        unknown = [key for key in own if key not in ("pool", "request")]
        if unknown:
            raise InputError(
                f"pools: an entry has the key {shown(unknown[0])}; it must be a pool, or a dictionary with pool and "
                "request."
            )
        asked = None if is_blank(own.get("request")) else read_dictionary("request", own["request"])
        if not asked:
            if not request:
                raise InputError("request is missing: say what the deployment asks for.")
            common = common or read_request(request)
        name = pool_name("pools", own.get("pool"))
        wanted = read_request(asked) if asked else t.cast(Request, common)
        candidates += [Candidate(one, wanted) for one in map(trimmed, name.splitlines()) if one]
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
        return check_type_dict(trimmed(value)) if trimmed(value) else None
    except (TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
        raise InputError(
            f"{name} is {shown(value)}, which is no dictionary: write it as JSON, with double quotes around texts."
        ) from None


def read_on_refusal(value: object) -> bool:
    """Whether the play goes on when it is refused. Raises InputError."""
    word = trimmed(value) if isinstance(value, str) else value
    if word not in (None, "fail", "continue"):
        raise InputError(f"value of on_refusal must be one of: fail, continue, got: {plain(str(word), 60)}.")
    return word == "continue"


def read_directory(value: object) -> str | None:
    """The path of the report's directory, with ~ and variables of the environment in it. Raises InputError."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError(f"report_dir is {shown(value)}, and must be the path of a directory.")
    return str(check_type_path(value))


def why_nothing(result: Facts) -> str:
    """What a result without pools says of it: the module's own words, or how Python ended when it crashed.

    A crash has no ``msg`` of ours: it is missing from ansible-core 2.19 on, and "MODULE FAILURE" before.
    """
    said = str(result.get("msg") or "")
    if said and "module_stderr" not in result:
        return said
    end = next((line for line in map(_last_line, _crash_texts(result)) if line), plain(said) or "it returned nothing")
    old = " It needs Python 3.9 or later there: set ansible_python_interpreter." if _OLD_PYTHON.search(end) else ""
    return f"modelarts_workload_info crashed on its host: {end.rstrip('.')}.{old}"


def _crash_texts(result: Facts) -> Iterator[object]:
    """Where ansible-core keeps how a module ended, the most telling first."""
    exception = result.get("exception")
    event = getattr(exception, "event", None)  # from ansible-core 2.19 on, an object that is not for plugins
    yield getattr(event, "formatted_traceback", None)
    yield exception if isinstance(exception, str) and not exception.startswith("(") else None
    yield result.get("module_stderr")
    yield getattr(event, "msg", None)
    yield result.get("module_stdout")


def _last_line(text: object) -> str:
    lines = text.strip().splitlines() if isinstance(text, str) else []
    return plain(lines[-1]) if lines else ""


def _outcome(verdict: Facts, verdicts: list[Facts], attempts: int, waited: float | None) -> Facts:
    wait = "" if waited is None else f"waited {duration(waited)}, {plural(attempts, 'attempt')}"
    return {
        "changed": False,
        **{name: verdict[name] for name in _HEAD},
        "checks": verdict["checks"],
        "reasons": verdict["reasons"],
        "attempts": attempts,
        "pools": verdicts,
        "artifact": inert({**_bare(verdict), "attempts": attempts, "pools": [_bare(each) for each in verdicts]}),
        "report": _report(verdict, verdicts) + ([f"  {wait}"] if wait else []),
        "summary": _summary(verdict) + (f" ({wait})" if wait else ""),
    }


def _summary(verdict: Facts) -> str:
    reasons = "; ".join(verdict["reasons"]) or "it fits now"
    return sentence(f"{verdict['decision']}: {plain(str(verdict['pool']))}: {reasons}")


def _bare(verdict: Facts) -> Facts:
    """The verdict without sentences."""
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
