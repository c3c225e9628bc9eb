# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as a person reads it: 80 columns, without colour.

This module util is private to the collection.
"""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._capacity import duration, job_name, label
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import plain
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import parse, text

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Facts = dict[str, t.Any]

WIDTH = 80
_CELLS = 16
_HEADLINES = {
    "admit": "it fits now",
    "wait": "it does not fit now, and could later",
    "reject": "waiting cannot help",
    "unknown": "not let through; there may be room",
}
_MARKS = {True: "ok  ", False: "FAIL", None: "?   "}


def attempt_line(verdict: Facts, now: str, elapsed: float, timeout: float) -> str:
    """One line an attempt: ``03:14:07Z 0:02:00/1:00:00 WAIT pool-a: gpu need 32, free 24, kept 2, short 10``.

    ``now`` is ISO 8601 in UTC, ``elapsed`` and ``timeout`` are seconds since the start of the wait.
    """
    why = verdict["reasons"][0] if verdict["reasons"] else _HEADLINES[verdict["decision"]]
    return (
        f"{now[11:]} {_clock(elapsed)}/{_clock(timeout)} {verdict['decision'].upper()} {_name(verdict)}: {_line(why)}"
    )


def failed_attempt_line(message: str, now: str, elapsed: float, timeout: float) -> str:
    """The line of an attempt that brought no facts."""
    return f"{now[11:]} {_clock(elapsed)}/{_clock(timeout)} UNKNOWN {_line(message)}"


def page(verdict: Facts) -> list[str]:
    """The verdict on one pool, as lines."""
    lines = [_headline(verdict)]
    if verdict["decision"] == "admit":
        lines += [_bar(bar) for bar in verdict["resources"]]
        lines += _wrapped(
            [
                (check["name"], check["message"])
                for check in verdict["checks"]
                if check["name"] in ("placement", "queue")
            ]
        )
    else:
        shown = sorted(verdict["checks"], key=lambda check: (check["passed"] is not False, check["passed"] is True))
        for check in shown:
            lines += _indented(f"{_MARKS[check['passed']]} {label(check['name']):<10} ", check["message"])
        for remedy in verdict["remedies"]:
            lines += _indented("Do: ", remedy)
        lines += _people(verdict)
    for note in verdict["notes"]:
        lines += _indented("note: ", note)
    return lines


def _headline(verdict: Facts) -> str:
    left = f"{verdict['decision'].upper()} {_name(verdict)}: {_HEADLINES[verdict['decision']]}"
    if verdict["source"] is None or verdict["observed_at"] is None:
        return left
    right = f"({verdict['source']} read {verdict['observed_at'][11:]}, {duration(verdict['age_seconds'])} ago)"
    if len(left) + len(right) + 2 <= WIDTH:
        return f"{left}{right:>{WIDTH - len(left)}}"
    return f"{left}\n  {right}"


def _name(verdict: Facts) -> str:
    name = verdict["display_name"] or verdict["pool"]
    return _line(str(name))


def _bar(bar: Facts) -> str:
    resource = bar["resource"]
    amounts = {name: parse(resource, bar[name]) for name in ("used", "need", "kept", "left", "total")}

    def said(name: str) -> str:
        return text(resource, amounts[name])

    kept = f", kept {said('kept')}" if amounts["kept"] else ""
    room = f"used {said('used')}, asked {said('need')}{kept}, left {said('left')} of {said('total')}"
    return f"  {resource:<15} [{_cells(amounts)}] {room}"


def _cells(amounts: Mapping[str, int]) -> str:
    total = amounts["total"]
    if not total:
        return "." * _CELLS
    edges = []
    upto = 0
    for name in ("used", "need", "kept"):
        upto += amounts[name]
        edges.append(min(_CELLS, -(-upto * _CELLS // total)))
    used, need, kept = edges
    return "#" * used + "+" * (need - used) + "k" * (kept - need) + "." * (_CELLS - kept)


def _people(verdict: Facts) -> list[str]:
    """Who holds what is missing, and who is ahead."""
    missing = [bar["resource"] for bar in verdict["resources"] if bar["missing"]]
    wanted = missing or [bar["resource"] for bar in verdict["resources"]]
    lines = []
    holders = [job for job in verdict["holders"] if any(job["resources"].get(resource) for resource in wanted)]
    if verdict["decision"] != "reject" and holders:
        lines += _indented("held by  ", "; ".join(_job(job, wanted) for job in holders[:5]))
    if verdict["ahead"]:
        lines += _indented("ahead    ", "; ".join(_job(job, wanted) for job in verdict["ahead"][:5]))
    return lines


def _job(job: Facts, wanted: Sequence[str]) -> str:
    owner = f" ({_line(job['user_name'])})" if job["user_name"] else ""
    shown = [resource for resource in wanted if job["resources"].get(resource)] or list(job["resources"])
    held = [(resource, parse(resource, job["resources"][resource])) for resource in shown[:2]]
    amounts = ", ".join(f"{text(resource, amount)} {_unit(resource, amount)}" for resource, amount in held)
    age = f" {duration(job['seconds'])}" if job["seconds"] is not None else ""
    return f"{_line(job_name(job))}{owner} {amounts}{age}"


def _unit(resource: str, amount: int) -> str:
    return resource if resource in ("cpu", "memory") else "card" if amount == 1000 else "cards"


def _wrapped(rows: Sequence[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    for name, message in rows:
        lines += _indented(f"{name:<15} ", message)
    return lines


def _indented(start: str, message: str) -> list[str]:
    first = f"  {start}"
    return textwrap.wrap(
        _line(message), WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False
    ) or [first.rstrip()]


def _line(message: str) -> str:
    return plain(message, 400)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
