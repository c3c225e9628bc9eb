# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as a person reads it: 80 columns, without colour.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
import unicodedata

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount, parse_quantity
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_card
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, job_name, label

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Facts = dict[str, t.Any]

WIDTH = 80
_CELLS = 16
_SHORTEST_NAME = 8
_LONGEST_LABEL = WIDTH // 2
HEADLINES = {
    "admit": "it fits now",
    "wait": "it does not fit now, and could later",
    "reject": "waiting cannot help",
    "unknown": "not let through; there may be room",
}
_MARKS = {True: "ok  ", False: "FAIL", None: "?   "}


def attempt_line(verdict: Facts, now: str, elapsed: float, timeout: float) -> str:
    """One line an attempt: ``03:14:07Z 0:02:00/1:00:00 WAIT pool-a: gpu need 32, free 24, kept 2, short 10``.

    ``now`` is ISO 8601 in UTC, ``elapsed`` and ``timeout`` are seconds since the start of the wait. What does not fit
    into a line is on the page at the end.
    """
    why = verdict["brief"]
    start = f"{now[11:]} {_clock(elapsed)}/{_clock(timeout)} {verdict['decision'].upper()} "
    room = max(_SHORTEST_NAME, WIDTH - _width(start) - _width(why) - 2)
    return _fitted(f"{start}{_fitted(_name(verdict), room)}: {_line(why)}", WIDTH)


def overview(verdicts: Sequence[Facts]) -> list[str]:
    """One line for each of many pools, those with room first: what would be left there, or what is missing."""
    admitted = [verdict for verdict in verdicts if verdict["decision"] == "admit"]
    others = [verdict for verdict in verdicts if verdict["decision"] != "admit"]
    lines = [f"{len(admitted)} of {len(verdicts)} pools have room:"]
    for verdict in admitted + others:
        left = ", ".join(_left(figures) for figures in verdict["resources"])
        why = f"left {left}" if verdict["decision"] == "admit" else verdict["brief"]
        lines.append(_fitted(f"  {verdict['decision'].upper():<8}{_fitted(_name(verdict), 32)}: {_line(why)}", WIDTH))
    return lines


def _left(figures: Facts) -> str:
    resource = figures["resource"]
    left, total = (format_amount(resource, parse_quantity(resource, figures[name])) for name in ("left", "total"))
    return f"{label(resource)} {left}/{total}"


def page(verdict: Facts) -> list[str]:
    """The verdict on one pool, as lines of at most WIDTH columns."""
    lines = _headline(verdict)
    if verdict["decision"] == "admit":
        for resource in verdict["resources"]:
            lines += _resource_lines(resource)
        for check in verdict["checks"]:
            if check["name"] in ("placement", "queue"):
                lines += _wrapped(f"  {check['name']:<15} ", check["message"])
    else:
        for check in sorted(
            verdict["checks"], key=lambda check: (check["passed"] is not False, check["passed"] is True)
        ):
            name = _fitted(label(check["name"]), _LONGEST_LABEL)
            lines += _wrapped(f"  {_MARKS[check['passed']]} {name:<10} ", check["message"])
        for remedy in verdict["remedies"]:
            lines += _wrapped("  Do: ", remedy)
        lines += _people(verdict)
    for note in verdict["notes"]:
        lines += _wrapped("  note: ", note)
    return lines


def _headline(verdict: Facts) -> list[str]:
    left = f"{verdict['decision'].upper()} {_name(verdict)}: {HEADLINES[verdict['decision']]}"
    if verdict["source"] is None or verdict["observed_at"] is None:
        return _wrapped("", left)
    source = "jobs" if verdict["source"] == "declared" else verdict["source"]
    right = f"({source} read {verdict['observed_at'][11:]}, {duration(verdict['age_seconds'])} ago)"
    if _width(left) + len(right) + 2 <= WIDTH:
        return [left + " " * (WIDTH - _width(left) - len(right)) + right]
    return [*_wrapped("", left), f"  {right}"]


def _name(verdict: Facts) -> str:
    name = verdict["display_name"] or verdict["pool"]
    return _line(str(name))


def _resource_lines(figures: Facts) -> list[str]:
    resource = figures["resource"]
    amounts = {
        name: parse_quantity(resource, figures[name]) for name in ("used", "unplaced", "need", "kept", "left", "total")
    }
    parts = [("used", "used"), ("unplaced", "starting"), ("need", "asked"), ("kept", "kept"), ("left", "left")]
    said = ", ".join(
        f"{word} {format_amount(resource, amounts[name])}"
        for name, word in parts
        if amounts[name] or name not in ("unplaced", "kept")
    )
    said += f" of {format_amount(resource, amounts['total'])}"
    for name in (_line(resource), label(resource)):
        line = f"  {name:<15} [{_cells(amounts)}] {said}"
        if _width(line) <= WIDTH:
            return [line]
    return [f"  {_fitted(label(resource), _LONGEST_LABEL):<15} [{_cells(amounts)}]", *_wrapped(" " * 18, said)]


def _cells(amounts: Mapping[str, int]) -> str:
    """The amounts as a bar: taken, asked, kept free, and left."""
    if not amounts["total"]:
        return "." * _CELLS
    upto = 0
    edges = []
    for amount in (amounts["used"] + amounts["unplaced"], amounts["need"], amounts["kept"]):
        upto += amount
        edges.append(min(_CELLS, -(-upto * _CELLS // amounts["total"])))
    taken, asked, kept = edges
    return "#" * taken + "+" * (asked - taken) + "k" * (kept - asked) + "." * (_CELLS - kept)


def _people(verdict: Facts) -> list[str]:
    """Who holds what is missing, and who is ahead."""
    missing = [figures["resource"] for figures in verdict["resources"] if figures["missing"]]
    wanted = missing or verdict["asked"]
    lines = []
    holders = [job for job in verdict["holders"] if any(job["resources"].get(resource) for resource in wanted)]
    if verdict["decision"] != "reject" and holders:
        lines += _wrapped("  held by  ", "; ".join(_job(job, missing) for job in holders[:5]))
    if verdict["ahead"]:
        lines += _wrapped("  ahead    ", "; ".join(_job(job, missing) for job in verdict["ahead"][:5]))
    return lines


def _job(job: Facts, missing: Sequence[str]) -> str:
    owner = f" ({_line(job['user_name'])})" if job["user_name"] else ""
    held = [(resource, parse_quantity(resource, job["resources"][resource])) for resource in _told_of(job, missing)]
    amounts = ", ".join(f"{format_amount(resource, amount)} {_unit(resource, amount)}" for resource, amount in held)
    age = f" {duration(job['seconds'])}" if job["seconds"] is not None else ""
    return f"{_line(job_name(job))}{owner} {amounts}{age}"


def _told_of(job: Facts, missing: Sequence[str]) -> list[str]:
    """Return the resources of a job that a person reads: what is missing, then its cards, else cpu and memory.

    The cards always stand there: they are why the pool exists, and cpu and memory are sized to them.
    """
    has = [resource for resource, amount in job["resources"].items() if amount]
    cards = [resource for resource in has if is_card(resource)]
    decisive = [resource for resource in missing if resource in has]
    return list(dict.fromkeys([*decisive, *cards])) or [name for name in ("cpu", "memory") if name in has] or has[:2]


def _unit(resource: str, amount: int) -> str:
    if not is_card(resource):
        return label(resource)
    return "card" if amount == 1000 else "cards"


def _wrapped(start: str, message: str) -> list[str]:
    """The message after ``start``, its further lines under the first, none wider than WIDTH."""
    lines = [start]
    indent = _width(start)
    for word in _line(message).split(" "):
        for piece in _pieces(word, WIDTH - indent):
            apart = "" if lines[-1].strip() == start.strip() or not lines[-1].strip() else " "
            if _width(lines[-1] + apart + piece) > WIDTH and lines[-1].strip() not in ("", start.strip()):
                lines.append(" " * indent)
                apart = ""
            lines[-1] += apart + piece
    return [line.rstrip() for line in lines]


def _pieces(word: str, width: int) -> list[str]:
    pieces = [""]
    used = 0
    for character in word:
        used += _columns(character)
        if used > width and _columns(character):  # a mark stays with the character that it belongs to
            pieces.append("")
            used = _columns(character)
        pieces[-1] += character
    return pieces


def _fitted(line: str, width: int) -> str:
    if _width(line) <= width:
        return line
    while _width(line) > width - 2:
        line = line[:-1]
    return f"{line}.."


def _width(line: str) -> int:
    return len(line) if line.isascii() else sum(map(_columns, line))


def _columns(character: str) -> int:
    """Return the columns of a terminal that a character takes: a mark none, an East Asian wide character two.

    Marks are the categories Mn and Me, and the vowels and final consonants that a terminal joins to a Hangul syllable.
    """
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _line(message: str) -> str:
    return one_line(message, 400)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
