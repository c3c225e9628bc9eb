# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a report -> what its HTML page shows: all that is counted, sorted, cut off or worded. Pure.

The template page.html.j2 puts markup around it.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import PREFERENCE
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, label, plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_jobs import (
    Holders,
    QueuePart,
    view_jobs_that_hold,
    view_queue_of_jobs,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_nodes import (
    Nodes,
    NodeSymbols,
    Symbol,
    view_nodes,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_room import Room, view_room
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.wording import (
    HEADLINES,
    failed_checks_first,
    word_amount,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import CheckFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import (
        ReportDocument,
        ReportPool,
        ReportRequest,
    )

SHOWN_POOLS = 20
"""Up to this number of pools, each has a section; of more, those that came closest, which keeps the page small."""

_MARKS = {True: ("ok", "mark"), False: ("FAIL", "mark bad"), None: ("?", "mark open")}
_DOCUMENTS = {"pool": "the pool", "nodes": "its nodes", "metrics": "its metrics", "workloads": "its jobs"}


@dataclass(frozen=True)
class CheckRow:
    mark: str
    style: str
    name: str
    message: str


@dataclass(frozen=True)
class Unread:
    """A document that could not be read, and why."""

    document: str
    reason: str


@dataclass(frozen=True)
class Pool:
    """A pool with the parts of its section. ``section`` is the name of that, ``other_id`` an ID that is no title."""

    section: str
    id: str
    other_id: str
    title: str
    decision: str
    headline: str
    reasons: Sequence[str]
    remedies: Sequence[str]
    asked: str
    source: str
    room: Room | None
    nodes: Nodes
    queue: QueuePart
    holders: Holders | None
    checks: Sequence[CheckRow]
    notes: Sequence[str]
    unread: Sequence[Unread]


@dataclass(frozen=True)
class Candidate:
    """A row of the table of pools; ``section`` is empty where the pool has none."""

    place: int
    section: str
    title: str
    other_id: str
    decision: str
    reason: str


@dataclass(frozen=True)
class Page:
    """The page: the pool that decides, the pools with a section, and ``candidates`` where several were asked."""

    decision: str
    window_title: str
    attempts: str
    written_at: str
    deciding: Pool
    candidates: Sequence[Candidate]
    left_out: bool
    pools: Sequence[Pool]
    symbols: Sequence[Symbol]


def view_page(document: ReportDocument) -> Page:
    """Return what the page of the document shows."""
    symbols = NodeSymbols()
    pools = document["pools"]
    # sorted() keeps the order of equals, in which best_decision() looks as well.
    closest = sorted(range(len(pools)), key=lambda index: PREFERENCE.index(pools[index]["decision"]))
    shown = sorted(closest[:SHOWN_POOLS])
    sections = {index: _view_pool(pools[index], index, symbols) for index in shown}
    # By its place, as best() finds it, and not by its ID: a pool may stand there twice, with two requests.
    deciding = closest[0]
    waited = "" if document["waited_seconds"] is None else f", waited {duration(document['waited_seconds'])}"
    return Page(
        decision=document["decision"],
        window_title=f"{document['decision'].upper()} {_view_pool_heading(pools[deciding])}: capacity gate",
        attempts=plural(document["attempts"], "attempt") + waited,
        written_at=document["written_at"],
        deciding=sections[deciding],
        candidates=[_view_candidate(pool, index, shown) for index, pool in enumerate(pools)] if len(pools) > 1 else [],
        left_out=len(shown) < len(pools),
        pools=list(sections.values()),
        symbols=symbols.symbols,
    )


def _view_candidate(pool: ReportPool, index: int, shown: Collection[int]) -> Candidate:
    return Candidate(
        place=index + 1,
        section=_view_section_id(index) if index in shown else "",
        title=_view_pool_heading(pool),
        other_id=_view_id_beside_display_name(pool),
        decision=pool["decision"],
        reason=next(iter(pool["reasons"]), HEADLINES[pool["decision"]]),
    )


def _view_pool(pool: ReportPool, index: int, symbols: NodeSymbols) -> Pool:
    return Pool(
        section=_view_section_id(index),
        id=pool["pool"],
        other_id=_view_id_beside_display_name(pool),
        title=_view_pool_heading(pool),
        decision=pool["decision"],
        headline=HEADLINES[pool["decision"]],
        reasons=pool["reasons"],
        remedies=pool["remedies"],
        asked=_view_request(pool["request"]),
        source=_view_source_of_room(pool),
        room=view_room(pool["resources"]),
        nodes=view_nodes(pool, symbols),
        queue=view_queue_of_jobs(pool["queue"]),
        holders=view_jobs_that_hold(pool["holders"]),
        checks=[_view_check(check) for check in failed_checks_first(pool["checks"])],
        notes=pool["notes"],
        unread=[Unread(_DOCUMENTS[error["document"]], error["msg"]) for error in pool["errors"]],
    )


def _view_section_id(index: int) -> str:
    return f"pool-{index + 1}"


def _view_pool_heading(pool: ReportPool) -> str:
    return str(pool["display_name"] or pool["pool"])


def _view_id_beside_display_name(pool: ReportPool) -> str:
    return pool["pool"] if pool["display_name"] else ""


def _view_request(request: ReportRequest) -> str:
    """Return the request as a person reads it: ``2 replicas, each with gpu 8, cpu 60, for train jobs``."""
    groups = []
    for group in request["groups"]:
        what = f"a whole node of {group['flavor']}"
        if group["resources"] is not None:
            what = ", ".join(word_amount(*each) for each in group["resources"].items())
        each = ", each" if group["replicas"] > 1 else ""
        groups.append(f"{plural(group['replicas'], 'replica')}{each} with {what}")
    parts = ["; ".join(groups)]
    parts += [f"for {request['type']} jobs"] if request["type"] else []
    parts += [] if request["priority"] is None else [f"priority {request['priority']}"]
    parts += [f"in place of {request['replaces']['job_uuid']}"] if request["replaces"] else []
    return ", ".join(parts)


def _view_source_of_room(pool: ReportPool) -> str:
    """Return where the free capacity was read, and how old that was when it was decided on."""
    if pool["source"] is None or pool["observed_at"] is None:
        return "its free capacity could not be read"
    source = "jobs, against the declared capacity" if pool["source"] == "declared" else pool["source"]
    return f"{source}, {pool['observed_at']}, {duration(pool['age_seconds'] or 0)} before the decision"


def _view_check(check: CheckFacts) -> CheckRow:
    mark, style = _MARKS[check["passed"]]
    return CheckRow(mark, style, label(check["name"]), check["message"])
