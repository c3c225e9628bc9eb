# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as a person reads it: 80 columns, without colour. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    amount_from_number,
    format_amount,
    is_card_resource,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import (
    clock,
    coming_time,
    duration,
    job_in_words,
    label,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.columns import (
    WIDTH,
    cut_to_width,
    line_in_columns,
    width_of,
    wrap_to_width,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.wording import (
    HEADLINES,
    AmountName,
    exact_amounts_to_word,
    failed_checks_first,
    word_amount,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import JobFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
        ClaimFacts,
        ResourceFigures,
        VerdictFacts,
    )

# A cell is a sixteenth: nodes have up to sixteen cards, and the figures still fit behind the bar.
_GAUGE_CELLS = 16
# Of a name that has no room on its line, so much is left to know it by.
_SHORTEST_NAME = 8
# Half a line, so that the message beside a label has the other half.
_LONGEST_LABEL = WIDTH // 2
# Less than half a line, as the reason behind it says more than the end of a long name.
_LONGEST_NAME_IN_OVERVIEW = 32
# Who to talk to first: more jobs than that are in the report's files.
_NAMED_JOBS = 5
# Of one width, so that the names of checks stand below each other.
_MARKS = {True: "ok  ", False: "FAIL", None: "?   "}
_GAUGE_WORDS: dict[AmountName, str] = {
    "used": "used",
    "claimed": "claimed",
    "unplaced": "starting",
    "need": "asked",
    "kept": "kept",
    "left": "left",
}


def attempt_line_of_page(verdict: VerdictFacts, now: str, elapsed: float, timeout: float) -> str:
    """Return one line an attempt: ``03:14:07Z 0:02:00/1:00:00 WAIT pool-a: gpu need 32, free 24, kept 2, short 10``.

    ``now`` is ISO 8601 in UTC, ``elapsed`` and ``timeout`` are seconds since the start of the wait. What does not fit
    into a line is on the page at the end.
    """
    reason = verdict["brief"]
    start = f"{now[11:]} {clock(elapsed)}/{clock(timeout)} {verdict['decision'].upper()} "
    room = max(_SHORTEST_NAME, WIDTH - width_of(start) - width_of(reason) - 2)
    return cut_to_width(f"{start}{cut_to_width(_pool_title_of_page(verdict), room)}: {line_in_columns(reason)}", WIDTH)


def overview_page(verdicts: Sequence[VerdictFacts]) -> list[str]:
    """Return a line for each of many pools, those with room first: what would be left there, or what is missing."""
    admitted = [verdict for verdict in verdicts if verdict["decision"] == "admit"]
    others = [verdict for verdict in verdicts if verdict["decision"] != "admit"]
    lines = [f"{len(admitted)} of {len(verdicts)} pools have room:"]
    for verdict in admitted + others:
        left = ", ".join(_left_of_total_on_page(figures) for figures in verdict["resources"])
        said = f"left {left}" if verdict["decision"] == "admit" else verdict["brief"]
        name = cut_to_width(_pool_title_of_page(verdict), _LONGEST_NAME_IN_OVERVIEW)
        lines.append(cut_to_width(f"  {verdict['decision'].upper():<8}{name}: {line_in_columns(said)}", WIDTH))
    return lines


def page(verdict: VerdictFacts) -> list[str]:
    """Return the verdict on one pool, as lines of at most WIDTH columns."""
    lines = _headline(verdict)
    lines += _room_lines(verdict) if verdict["decision"] == "admit" else _refusal_lines(verdict)
    for note in verdict["notes"]:
        lines += wrap_to_width("  note: ", note)
    return lines


def _headline(verdict: VerdictFacts) -> list[str]:
    left = f"{verdict['decision'].upper()} {_pool_title_of_page(verdict)}: {HEADLINES[verdict['decision']]}"
    if verdict["source"] is None or verdict["observed_at"] is None:
        return wrap_to_width("", left)
    source = "jobs" if verdict["source"] == "declared" else verdict["source"]
    right = f"({source} read {verdict['observed_at'][11:]}, {duration(verdict['age_seconds'] or 0)} ago)"
    if width_of(left) + len(right) + 2 <= WIDTH:
        return [left + " " * (WIDTH - width_of(left) - len(right)) + right]
    return [*wrap_to_width("", left), f"  {right}"]


def _room_lines(verdict: VerdictFacts) -> list[str]:
    """Return what an admission rests on: the resources, the places and the queue."""
    lines = [line for figures in verdict["resources"] for line in _resource_lines(figures)]
    for check in verdict["checks"]:
        if check["name"] in ("placement", "queue"):
            lines += wrap_to_width(f"  {check['name']:<15} ", check["message"])
    lines += _claims_lines(verdict, f"  {'claims':<15} ")
    own = verdict.get("claim")
    if own is not None:
        word = "claimed" if own["is_made"] else "would claim"
        said = f"until {coming_time(own['expires_at'], own['seconds_left'])} for {line_in_columns(own['job'])}"
        lines += wrap_to_width(f"  {word:<15} ", said)
    return lines


def _refusal_lines(verdict: VerdictFacts) -> list[str]:
    """Return the checks with what to do, who holds what is missing, and who is ahead."""
    lines = []
    for check in failed_checks_first(verdict["checks"]):
        name = cut_to_width(label(check["name"]), _LONGEST_LABEL)
        lines += wrap_to_width(f"  {_MARKS[check['passed']]} {name:<10} ", check["message"])
    for remedy in verdict["remedies"]:
        lines += wrap_to_width("  Do: ", remedy)
    missing = [figures["resource"] for figures in verdict["resources"] if figures["missing"]]
    wanted = missing or verdict["asked"]
    holders = [job for job in verdict["holders"] if any(job["resources"].get(resource) for resource in wanted)]
    # A rejection names no holders: their end would not help.
    if verdict["decision"] != "reject" and holders:
        lines += wrap_to_width("  held by  ", "; ".join(_job_line(job, missing) for job in holders[:_NAMED_JOBS]))
    if verdict["ahead"]:
        lines += wrap_to_width(
            "  ahead    ", "; ".join(_job_line(job, missing) for job in verdict["ahead"][:_NAMED_JOBS])
        )
    if verdict["decision"] != "reject":
        lines += _claims_lines(verdict, "  claims   ")
    return lines


def _claims_lines(verdict: VerdictFacts, head: str) -> list[str]:
    """Return whose claims count, and for how long they last."""
    claims = verdict.get("claims", [])
    said = [_claim_on_page(claim) for claim in claims[:_NAMED_JOBS]]
    more = len(claims) - _NAMED_JOBS
    return wrap_to_width(head, "; ".join(said) + (f"; and {more} more" if more > 0 else "")) if claims else []


def _claim_on_page(claim: ClaimFacts) -> str:
    """Return a claim as ``gpu 8 for tts-88 of gitlab.example.com/ml/tts/-/jobs/881, 0:00:12``."""
    has = [resource for resource, size in claim["resources"].items() if size]
    shown = [resource for resource in has if is_card_resource(resource)] or has[:2]
    amounts = ", ".join(word_amount(name, claim["resources"][name]) for name in shown)
    owner = f" of {line_in_columns(claim['owner'])}" if claim["owner"] else ""
    return f"{amounts} for {line_in_columns(claim['job'])}{owner}, {clock(claim['seconds_left'])}"


def _pool_title_of_page(verdict: VerdictFacts) -> str:
    return line_in_columns(str(verdict["display_name"] or verdict["pool"]))


def _left_of_total_on_page(figures: ResourceFigures) -> str:
    resource, amounts = figures["resource"], exact_amounts_to_word(figures)
    return f"{label(resource)} {format_amount(resource, amounts['left'])}/{format_amount(resource, amounts['total'])}"


def _resource_lines(figures: ResourceFigures) -> list[str]:
    resource, amounts = figures["resource"], exact_amounts_to_word(figures)
    said = ", ".join(
        f"{word} {format_amount(resource, amounts[name])}"
        for name, word in _GAUGE_WORDS.items()
        if amounts[name] or name not in ("claimed", "unplaced", "kept")
    )
    said += f" of {format_amount(resource, amounts['total'])}"
    # With its vendor where there is room, as two cards may differ in that alone.
    for name in (line_in_columns(resource), label(resource)):
        line = f"  {name:<15} [{_usage_gauge_on_page(amounts)}] {said}"
        if width_of(line) <= WIDTH:
            return [line]
    return [
        f"  {cut_to_width(label(resource), _LONGEST_LABEL):<15} [{_usage_gauge_on_page(amounts)}]",
        *wrap_to_width(" " * 18, said),
    ]


def _usage_gauge_on_page(amounts: Mapping[AmountName, int]) -> str:
    """Return the amounts as a bar: taken, claimed, asked, kept free, and left.

    What takes a part of a cell takes all of it.
    """
    if not amounts["total"]:
        return "." * _GAUGE_CELLS
    upto = 0
    edges = []
    for size in (amounts["used"] + amounts["unplaced"], amounts["claimed"], amounts["need"], amounts["kept"]):
        upto += size
        edges.append(min(_GAUGE_CELLS, -(-upto * _GAUGE_CELLS // amounts["total"])))
    taken, claimed, asked, kept = edges
    gauge = "#" * taken + "~" * (claimed - taken) + "+" * (asked - claimed) + "k" * (kept - asked)
    return gauge + "." * (_GAUGE_CELLS - kept)


def _job_line(job: JobFacts, missing: Sequence[str]) -> str:
    """Return a job with its owner, what it holds, and for how long: ``train llm (kim) 16 cards 2 h``."""
    owner = f" ({line_in_columns(job['user_name'])})" if job["user_name"] else ""
    held = [
        (resource, amount_from_number(resource, job["resources"][resource]))
        for resource in _resources_on_page(job, missing)
    ]
    amounts = ", ".join(f"{format_amount(resource, size)} {_unit_on_page(resource, size)}" for resource, size in held)
    age = f" {duration(job['seconds'])}" if job["seconds"] is not None else ""
    return f"{line_in_columns(job_in_words(job))}{owner} {amounts}{age}"


def _resources_on_page(job: JobFacts, missing: Sequence[str]) -> list[str]:
    """Return the resources of a job that a person reads: what is missing, then its cards, else cpu and memory.

    The cards always stand there: they are why the pool exists, and cpu and memory are sized to them.
    """
    has = [resource for resource, size in job["resources"].items() if size]
    cards = [resource for resource in has if is_card_resource(resource)]
    decisive = [resource for resource in missing if resource in has]
    return list(dict.fromkeys([*decisive, *cards])) or [name for name in ("cpu", "memory") if name in has] or has[:2]


def _unit_on_page(resource: str, size: int) -> str:
    if not is_card_resource(resource):
        return label(resource)
    return "card" if size == 1000 else "cards"
