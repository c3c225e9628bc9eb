# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of the matrix, and pools that meet them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Entry = dict[str, t.Any]

YEAR = 31_536_000
PATIENT_SECONDS = 120.0


@dataclass(frozen=True)
class Fault:
    """``entry`` is that of the emulator's plan. ``heals``: struck once, it is not noticed.

    ``timeout`` is that of the connection, long for what does not need it: a busy machine is no fault.
    """

    name: str
    entry: Entry
    heals: bool
    harmless: bool = False
    timeout: float = PATIENT_SECONDS


def _status(status: int, **keys: t.Any) -> Entry:
    return {"do": "status", "status": status, **keys}


_THROTTLED = {"error_code": "APIG.0308", "error_msg": "The throttling threshold has been reached."}

FAULTS = (
    Fault("429, Retry-After in seconds", {"do": "throttle", "retry_after": 1}, True),
    Fault("429, Retry-After as a date", {"do": "throttle", "retry_after_date": 1}, True),
    Fault("429, a time in the text", {"do": "throttle", "seconds": 1}, True),
    Fault("429 without a time", _status(429, body=_THROTTLED), True),
    Fault("429, Retry-After of a year", {"do": "throttle", "retry_after": YEAR}, False),
    Fault("500", _status(500), True),
    Fault("502 with HTML", _status(502, body="<html><h1>Bad Gateway</h1></html>", content_type="text/html"), True),
    Fault("503", _status(503), True),
    Fault("504, no body", _status(504, body=""), True),
    Fault("reset before the header", {"do": "reset", "where": "before"}, True),
    Fault("reset in the header", {"do": "reset", "where": "in_header"}, True),
    Fault("reset after the header", {"do": "reset", "where": "after_header"}, True),
    Fault("reset in the body", {"do": "reset", "where": "mid_body"}, True),
    Fault("closed before the header", {"do": "close", "where": "before"}, True),
    Fault("closed in the body", {"do": "close", "where": "mid_body"}, True),
    Fault("truncated JSON", {"do": "truncate"}, True),
    Fault("slow bytes", {"do": "slow", "bytes_per_second": 20}, True, timeout=3.0),
    Fault("no answer", {"do": "delay", "seconds": 6}, True, timeout=3.0),
    Fault("HTML with 200", {"do": "html"}, False),
    Fault("an error with 200", {"do": "error_body"}, False),
    Fault("an answer of 300 MiB", {"do": "huge", "bytes": 300 * 2**20}, False),
    Fault("redirect on the same host", {"do": "redirect", "location": "/v2/elsewhere"}, False),
    Fault("redirect to another host", {"do": "redirect", "location": "https://elsewhere.example/v2"}, False),
    Fault("400", _status(400, body={"error_code": "ModelArts.50004000", "error_msg": "Bad request."}), False),
    Fault("403", _status(403, body={"error_code": "ModelArts.0108", "error_msg": "No permission."}), False),
    Fault("404, a wrong URL", _status(404, body={"error_code": "APIG.0101", "error_msg": "No such API."}), False),
    Fault("gzip", {"do": "gzip"}, True, harmless=True),
    Fault("wrong content type", {"do": "content_type", "content_type": "text/plain"}, True, harmless=True),
)

POSITIONS = ("first", "middle", "last")


def pool_id(index: int, where: str) -> str:
    return f"pool-{index:02}-{where}-{'0' * 24}"


def pool(identity: str) -> Entry:
    """Two nodes of eight cards, one of them taken, and jobs for three pages."""
    node = {"name": "gpu", "count": 2, "flavor": "gpu8"}
    node["resources"] = {"cpu": "94", "memory": "960Gi", "nvidia.com/gpu": 8}
    taken = {"cpu": "80", "memory": "800Gi", "nvidia.com/gpu": 8}
    jobs = [
        {"name": "llm", "status": "Running", "nodes": ["gpu-01"], "resources": taken},
        {"name": "old-{n}", "count": 9, "status": "Completed", "age": 100, "resources": {"cpu": 1}},
    ]
    return {"id": identity, "name": identity[:24].rstrip("-"), "nodes": [node], "jobs": jobs}


@dataclass
class Case:
    """A pool that meets a fault at one of its requests, or at all of them."""

    fault: Fault
    where: str
    pool: str
    plan: list[Entry] = field(default_factory=list)


def cases_by_number() -> list[Case]:
    """For a read of pages: at the first, a middle and the last request that it sends, and at all."""
    cases = []
    for index, fault in enumerate(FAULTS):
        for where, at in zip(POSITIONS, (1, 2, 4)):
            name = pool_id(index, where)
            cases.append(Case(fault, where, name, [{**fault.entry, "at": at, "path": f"/{name}/"}]))
        name = pool_id(index, "always")
        cases.append(Case(fault, "always", name, [{**fault.entry, "times": 0, "path": f"/{name}/"}]))
    return cases


def cases_by_document() -> list[Case]:
    """For a gate, which sends several requests at once: at the pool, at its jobs, at its nodes, and at all."""
    cases = []
    for index, fault in enumerate(FAULTS):
        for where, part in zip(POSITIONS, ("", "/workloads", "/nodes")):
            name = pool_id(index, where)
            cases.append(Case(fault, where, name, [{**fault.entry, "at": 1, "path": f"/{name}{part}$"}]))
        name = pool_id(index, "always")
        cases.append(Case(fault, "always", name, [{**fault.entry, "times": 0, "path": f"/{name}(/|$)"}]))
    return cases


def scenario(cases: t.Sequence[Case]) -> Entry:
    return {"pools": [pool(case.pool) for case in cases], "faults": [entry for case in cases for entry in case.plan]}
