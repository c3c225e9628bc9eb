# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at pools from the host of a task, and what a look that failed says.

This plugin util is private to the collection.
"""

from __future__ import annotations

import re
import time
import typing as t
from http import HTTPStatus

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, sentence

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry, WorkloadsAnswer

# How Pythons before 3.9 end: on names of types, which they cannot subscribe, and before 3.7 on the syntax.
_OLD_PYTHON = re.compile(r"'type' object is not subscriptable|^SyntaxError: ")

# What the module returns of a pool. The host that ran it may have returned anything else.
_TABLES = ("nodes", "holders", "queued", "queue_counts", "unplaced", "placements", "errors", "found")
_MAPPINGS = ("pool", "held", "summary", "capacity", "metrics")
_TEXTS_OF_FOUND = ("job_uuid", "uid", "type", "status")

_DETAILS = ("status", "error_code", "error_msg", "request_id", "unreachable", "module_stderr")


class ObservationError(Exception):
    """The pools could not be asked. ``result`` is that of the failed task.

    Its sentence comes from the host that asked. ``transient`` tells that the next look may succeed, and ``is_refusal``
    that it must not be taken: the credentials were refused.
    """

    def __init__(self, result: Mapping[str, object]) -> None:
        told = ((name, result[name]) for name in _DETAILS if name in result)
        details = {
            name: value if isinstance(value, (int, type(None))) else sentence(str(value)) for name, value in told
        }
        self.result: Mapping[str, object] = {**details, "msg": sentence(str(result["msg"]))}
        self.transient = bool(result.get("transient"))
        self.is_refusal = result.get("status") == HTTPStatus.UNAUTHORIZED
        super().__init__(self.result["msg"])


class Observer:
    """Looks at pools with modelarts_workload_info.

    ``run`` runs the module with the options that it is given, and ``login`` is what decides the credentials. Refused
    ones are sent once: more than five refusals in a row lock a key. ``clock`` tells seconds, and ``start`` how many of
    them the last look spent before and after the module ran on its host.
    """

    # One a login and worker process: the items of a loop share it.
    _refused: t.ClassVar[dict[str, Mapping[str, object]]] = {}

    def __init__(
        self,
        run: Callable[[Mapping[str, object]], Mapping[str, object]],
        login: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._login = login
        self._clock = clock
        self.start = 0.0

    def look(self, options: Mapping[str, object]) -> WorkloadsAnswer:
        """Return the facts of modelarts_workload_info. Raises ObservationError when it has none."""
        # Told again without a look: each look would send the refused credentials once more.
        if self._login in self._refused:
            raise ObservationError(self._refused[self._login])
        began = self._clock()
        result = self._run(options)
        seconds = result.get("seconds")
        if isinstance(seconds, (int, float)):
            took = self._clock() - began
            self.start = min(max(0.0, took - seconds), took)  # NaN is no start
        failed = _failure_of_observation(result)
        if failed is None:
            return t.cast("WorkloadsAnswer", result)
        if failed.get("status") == HTTPStatus.UNAUTHORIZED:
            self._refused[self._login] = failed
        raise ObservationError(failed)

    def look_at_capacity(self, options: Mapping[str, object]) -> list[PoolEntry]:
        """Return the entries of the pools with all that a decision needs, and no jobs. Raises ObservationError."""
        answer = self.look({**options, "fields": [], "include_capacity": True})
        return t.cast("list[PoolEntry]", answer["pools"])


def _failure_of_observation(result: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the failure that leaves no facts, or none to go on with; None when there are facts."""
    part = _malformed_part(result.get("pools", []))
    if part:
        return {"failed": True, "msg": f"modelarts_workload_info returned {part} in an unexpected form."}
    # A module that failed may still return pools: their errors tell which documents are missing.
    if "pools" not in result or result.get("status") == HTTPStatus.UNAUTHORIZED:
        return {**result, "msg": why_nothing_observed(result)}
    pools = t.cast("Sequence[PoolEntry]", result["pools"])
    for error in (error for entry in pools for error in entry.get("errors", ())):
        # Of one document, too: the next look would send the credentials again.
        if error.get("status") == HTTPStatus.UNAUTHORIZED:
            return error
    return None


def _malformed_part(pools: object) -> str:
    """Return what of the pools is not as the module returns it, and would end in a traceback; empty if all is."""
    if not isinstance(pools, list) or not all(isinstance(entry, dict) for entry in pools):
        return "pools"
    for entry in pools:
        for name in (name for name in _TABLES if entry.get(name) is not None):
            if not isinstance(entry[name], list) or not all(isinstance(row, dict) for row in entry[name]):
                return name
        for name in (name for name in _MAPPINGS if entry.get(name) is not None):
            if not isinstance(entry[name], dict):
                return name
        if not isinstance(entry.get("pool_name", ""), str):
            return "pool_name"
        if not all(map(_is_found_job, entry.get("found") or ())):
            return "found"
    return ""


def _is_found_job(job: Mapping[str, object]) -> bool:
    return (
        isinstance(job.get("job_name"), str)
        and all(name in job and isinstance(job[name], (str, type(None))) for name in _TEXTS_OF_FOUND)
        and isinstance(job.get("host_ips"), list)
        and isinstance(job.get("resources"), dict)
    )


def why_nothing_observed(result: Mapping[str, object]) -> str:
    """Return what a result without pools says of it: the module's own words, or how Python ended when it crashed.

    A crash has no ``msg`` of ours: it is missing from ansible-core 2.19 on, and "MODULE FAILURE" before.
    """
    said = str(result.get("msg") or "")
    if said and "module_stderr" not in result:
        return said
    end = next(
        (line for line in map(_last_line_of_observed_crash, _crash_texts_of_observation(result)) if line),
        one_line(said) or "it returned nothing",
    )
    old = " It needs Python 3.9 or later there: set ansible_python_interpreter." if _OLD_PYTHON.search(end) else ""
    return f"modelarts_workload_info crashed on its host: {end.rstrip('.')}.{old}"


def _crash_texts_of_observation(result: Mapping[str, object]) -> Iterator[object]:
    """Yield the places where ansible-core keeps how a module ended, the most telling first."""
    exception = result.get("exception")
    event = getattr(exception, "event", None)  # from ansible-core 2.19 on, an object that is not for plugins
    yield getattr(event, "formatted_traceback", None)
    yield exception if isinstance(exception, str) and not exception.startswith("(") else None
    yield result.get("module_stderr")
    yield getattr(event, "msg", None)
    yield result.get("module_stdout")


def _last_line_of_observed_crash(text: object) -> str:
    lines = text.strip().splitlines() if isinstance(text, str) else []
    return one_line(lines[-1]) if lines else ""
