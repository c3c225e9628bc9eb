# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a gate as one page for people: no script, no other file, nothing that is fetched. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount, from_number
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_card
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import PREFERENCE
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import (
    duration,
    job_name,
    label,
    plural,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._markup import Html, foreign, joined, tag
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report import HEADLINES
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report_nodes import (
    Cell,
    Symbols,
    amount_words,
    cell_of,
    grouped,
    letters_of,
    wanted_resources,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report_style import PATTERNS, STYLE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Facts = dict[str, t.Any]

NAMED_NODES = 64
"""Up to so many nodes have a cell with a name."""

DRAWN_NODES = 2000
"""Up to so many nodes have a cell of their own; of more, those that are alike share one."""

SHOWN_POOLS = 20
"""Up to so many pools have a section of their own."""

_LISTED_GROUPS = 60
_LISTED_AHEAD = 10
_LISTED_BEHIND = 5
_LISTED_REASONS = 25
_OVERHANG = 0.5
_LEAST_WIDTH = 0.75
_AMOUNTS = {
    "total": "",
    "used": "taken",
    "unplaced": "starting",
    "need": "asked",
    "kept": "kept free",
    "left": "left",
    "missing": "short",
}
_KINDS = {
    "t": "used",
    "starting": "unplaced",
    "asked": "need",
    "kept": "kept",
    "left": "left",
    "short": "missing",
}
_MARKS = {True: ("ok", ""), False: ("FAIL", "bad"), None: ("?", "open")}
_DOCUMENTS = {"pool": "the pool", "nodes": "its nodes", "metrics": "its metrics", "workloads": "its jobs"}


def html_page(document: Facts) -> str:
    """The document of report_document() as an HTML page."""
    symbols = Symbols()
    several = len(document["pools"]) > 1
    shown = _shown(document["pools"])
    sections = [_pool(document["pools"][index], index, several, symbols) for index in shown]
    deciding = next(pool for pool in document["pools"] if pool["pool"] == document["pool"])
    definitions = tag("defs", Html(PATTERNS), symbols.definitions())
    body = tag(
        "body",
        tag("svg", definitions, class_="defs", aria_hidden="true", focusable="false"),
        _header(document, deciding),
        tag("main", *([_candidates(document["pools"], shown)] if several else []), *sections),
        tag("footer", tag("p", f"Written {document['written_at']} by poolgate.modelarts.modelarts_capacity_gate.")),
    )
    title = tag("title", f"{document['decision'].upper()} {_title(deciding)}: capacity gate")
    head = tag("head", _meta(), title, tag("style", Html(STYLE)))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _meta() -> Html:
    """Nothing may be loaded, sent or run; of styles only the page's own counts."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Html(
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
    )


# The decision and its reasons


def _header(document: Facts, pool: Facts) -> Html:
    decision = document["decision"]
    waited = document["waited_seconds"]
    looked = plural(document["attempts"], "attempt") + ("" if waited is None else f", waited {duration(waited)}")
    facts = [("Asked", _asked(pool["request"])), ("Pool", foreign(pool["pool"])), ("Read", _read(pool))]
    return tag(
        "header",
        tag(
            "h1",
            tag("span", decision.upper(), class_="word"),
            " ",
            tag("span", foreign(_title(pool)), f": {HEADLINES[decision]}"),
            class_=f"verdict {decision}",
        ),
        *_reasons(pool),
        tag("dl", *(joined([tag("dt", name), tag("dd", value)]) for name, value in [*facts, ("Looked", looked)])),
    )


def _title(pool: Facts) -> str:
    return str(pool["display_name"] or pool["pool"])


def _own_id(pool: Facts) -> list[Html]:
    """The ID of a pool whose title is another."""
    return [tag("div", foreign(pool["pool"]), class_="soft")] if pool["display_name"] else []


def _asked(request: Facts) -> Html:
    """``2 replicas, each with gpu 8, cpu 60, for train jobs``."""
    groups = []
    for group in request["groups"]:
        what = f"a whole node of {group['flavor']}"
        if group["resources"] is not None:
            what = ", ".join(amount_words(*each) for each in group["resources"].items())
        groups.append(f"{plural(group['replicas'], 'replica')}{', each' * (group['replicas'] > 1)} with {what}")
    parts = ["; ".join(groups)]
    parts += [f"for {request['type']} jobs"] if request["type"] else []
    parts += [] if request["priority"] is None else [f"priority {request['priority']}"]
    parts += [f"in place of {request['replaces']['job_uuid']}"] if request["replaces"] else []
    return foreign(", ".join(parts))


def _read(pool: Facts) -> str:
    if pool["source"] is None or pool["observed_at"] is None:
        return "what it can still take could not be read"
    source = "jobs, against the declared capacity" if pool["source"] == "declared" else pool["source"]
    return f"{source}, {pool['observed_at']}, {duration(pool['age_seconds'] or 0)} before the decision"


def _reasons(pool: Facts) -> list[Html]:
    """Why it is not let through, and what to do."""
    lists = []
    for name, entries, before in (("said", pool["reasons"], ""), ("said do", pool["remedies"], "Do: ")):
        items = [tag("li", *([tag("b", before)] if before else []), foreign(entry)) for entry in entries]
        lists += [tag("ul", *items, class_=name)] if items else []
    return lists


def _shown(pools: Sequence[Facts]) -> list[int]:
    """The places of the pools that have a section: all, or of many the best."""
    best = sorted(range(len(pools)), key=lambda index: PREFERENCE.index(pools[index]["decision"]))
    return sorted(best[:SHOWN_POOLS])


def _candidates(pools: Sequence[Facts], shown: Sequence[int]) -> Html:
    rows = []
    for index, pool in enumerate(pools):
        name = foreign(_title(pool))
        link = tag("a", name, href=f"#pool-{index + 1}") if index in shown else name
        reason = next(iter(pool["reasons"]), HEADLINES[pool["decision"]])
        cells = [
            tag("td", str(index + 1), class_="place"),
            tag("th", link, *_own_id(pool), scope="row"),
            tag("td", pool["decision"].upper(), class_=f"time {pool['decision']}"),
            tag("td", foreign(reason)),
        ]
        rows.append(tag("tr", *cells))
    caption = "Pools asked, in order of preference"
    if len(shown) < len(pools):
        caption += f"; the {len(shown)} that came closest are shown below"
    table = _table(caption, ["", "Pool", "Decision", "First reason"], rows)
    return tag("section", table, class_="pool", aria_label="Pools asked")


# A pool


def _pool(pool: Facts, index: int, several: bool, symbols: Symbols) -> Html:
    parts = [_room(pool), _nodes(pool, symbols), _queue(pool), _holders(pool), _checks(pool), _notes(pool)]
    if not several:
        return tag("div", *(_part("h2", *part) for part in parts if part), class_="pool")
    decision = tag("b", pool["decision"].upper(), class_=pool["decision"])
    head = [
        tag("h2", foreign(_title(pool))),
        tag("p", decision, f": {HEADLINES[pool['decision']]}"),
        *_reasons(pool),
        tag("p", "Asked: ", _asked(pool["request"]), class_="soft"),
        tag("p", f"Read: {_read(pool)}", class_="soft"),
    ]
    content = [*head, *(_part("h3", *part) for part in parts if part)]
    return tag("section", *content, class_="pool", id=f"pool-{index + 1}")


def _part(level: str, title: str, *content: str) -> Html:
    return tag("div", tag(level, title, class_="title"), *content, class_="part")


def _table(caption: str, columns: Sequence[str], rows: Iterable[Html], classes: Sequence[str] = ()) -> Html:
    names = [*classes, *[""] * len(columns)]
    head = [
        tag("th", column, scope="col", class_=name or None) if column else tag("td", class_=name or None)
        for column, name in zip(columns, names)
    ]
    return tag("table", tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *rows))


def _room(pool: Facts) -> list[str]:
    if not pool["resources"]:
        return []
    legend = [
        tag("li", _swatch(tag("rect", class_=kind, **_box(1, 1, 14, 14))), _AMOUNTS[name])
        for kind, name in _KINDS.items()
        if any(figures[name] for figures in pool["resources"])
    ]
    bars = tag("ul", *map(_resource, pool["resources"]), class_="room")
    return ["Room", bars, tag("ul", *legend, class_="legend", aria_label="What the bars show")]


def _resource(figures: Facts) -> Html:
    """A bar as long as the pool; what is missing stands out beyond its end."""
    resource = figures["resource"]
    amounts = {name: from_number(resource, figures[name]) for name in _AMOUNTS}
    shown = {
        name: tag("data", format_amount(resource, amounts[name]), value=figures[name], class_=f"v-{name}")
        for name in _AMOUNTS
    }
    total = joined([shown.pop("total"), " in all: "])
    words = [joined([f"{_AMOUNTS[name]} ", said]) for name, said in shown.items() if amounts[name]]
    gauge = tag("svg", *_segments(amounts), class_="bar", aria_hidden="true")
    return tag("li", tag("b", foreign(resource)), gauge, tag("p", total, joined(words, ", ")))


def _segments(amounts: Mapping[str, int]) -> list[Html]:
    total = amounts["total"]
    asked = sum(amounts[name] for name in ("used", "unplaced", "need", "kept"))
    whole = max(1, min(asked, int(total * (1 + _OVERHANG))), total)
    segments, at = [], 0
    for kind, name in _KINDS.items():
        size = amounts[name]
        inside = min(size, max(0, total - at))
        segments += [_segment(kind, at, inside, whole)] if inside else []
        at += size
    missing = min(amounts["missing"], whole - total)
    if missing:
        end = tag("line", class_="end", x1=_percent(total, whole), x2=_percent(total, whole), y1="-2", y2="20")
        segments += [_segment("short", total, missing, whole), end]
    return segments


def _segment(kind: str, start: int, size: int, whole: int) -> Html:
    return tag("rect", class_=kind, y="1", height="16", x=_percent(start, whole), width=_percent(size, whole))


def _percent(part: float, whole: float) -> str:
    return f"{round(100 * part / whole, 2):g}%"


def _box(x: int, y: int, width: int, height: int) -> Facts:
    return {"x": x, "y": y, "width": width, "height": height}


def _swatch(*shapes: Html) -> Html:
    return tag("svg", *shapes, viewBox="0 0 16 16", aria_hidden="true")


# Its nodes


def _nodes(pool: Facts, symbols: Symbols) -> list[str]:
    if pool["nodes"] is None:
        return ["Nodes", tag("p", "The nodes could not be read.")]
    if not pool["nodes"]:
        return ["Nodes", tag("p", "The pool has no nodes.")]
    wanted = wanted_resources(pool["request"]["groups"])
    cells = [cell_of(node, wanted) for node in pool["nodes"]]
    letters = letters_of(cells)
    content = [tag("p", _about_nodes(pool)), _legend(cells)]
    if len(cells) <= NAMED_NODES:
        content.append(_named(pool["nodes"], cells, letters, symbols))
    else:
        if len(cells) <= DRAWN_NODES:
            drawn = [symbols.draw(cell, letters) for cell in sorted(cells, key=lambda cell: cell.order)]
            alike = f"{len(cells)} nodes, those that are alike side by side; the table below counts them"
            content.append(tag("div", *drawn, class_="dense", role="img", aria_label=alike))
        content.append(_groups(cells, letters, symbols))
        content += [_left_out(cells, letters)] if letters else []
    return ["Nodes", *content]


def _about_nodes(pool: Facts) -> str:
    out = sum(node["unusable"] is not None for node in pool["nodes"])
    replicas = sum(group["replicas"] for group in pool["request"]["groups"])
    said = plural(len(pool["nodes"]), "node") + (f", {out} left out" if out else "") + ". "
    if pool["placed"]:
        said += f"One way to place {pool['placed']} of {plural(replicas, 'replica')} is shown; the scheduler decides."
    else:
        said += "No replica finds a place on them now."
    return said + (" What is given back first still shows as taken." if pool["request"]["replaces"] else "")


def _legend(cells: Sequence[Cell]) -> Html:
    box = _box(1, 1, 14, 14)
    entries = [(_swatch(tag("rect", class_="t", **box)), "taken")]
    if any(cell.asked for cell in cells):
        plus = Html('<path class="p" d="M4 8h8M8 4v8"/>')
        entries.append((_swatch(tag("rect", class_="a", **box), plus), "asked, as it could be placed"))
    entries.append((_swatch(tag("rect", class_="f", **box)), "free"))
    if any(cell.taken is None for cell in cells):
        mark = tag("text", "?", class_="q", x="8", y="13")
        entries.append((_swatch(tag("rect", class_="u", **box), mark), "not known"))
    if any(cell.unusable is not None for cell in cells):
        letter = tag("text", "A", class_="l", x="8", y="12")
        entries.append((_swatch(Html('<circle class="k" cx="8" cy="8" r="7"/>'), letter), "left out, by reason"))
    units = sorted({_unit(cell) for cell in cells if cell.resource})
    square = joined(["a square: ", joined(map(foreign, units), " or ") if units else "nothing known"])
    entries.append((Html(), square))
    return tag("ul", *(tag("li", *entry) for entry in entries), class_="legend", aria_label="What the cells show")


def _unit(cell: Cell) -> str:
    return f"1 {label(cell.resource)}" if cell.in_cards else f"1/{cell.size} of the node's {label(cell.resource)}"


def _named(nodes: Sequence[Facts], cells: Sequence[Cell], letters: Mapping[str, str], symbols: Symbols) -> Html:
    items = []
    for node, cell in zip(nodes, cells):
        words = [tag("span", cell.words())]
        if cell.unusable is not None:
            words.append(tag("span", f"left out ({letters[cell.unusable]}): ", foreign(cell.unusable)))
        name = tag("b", foreign(node["name"] or "without a name"))
        picture = symbols.draw(cell, letters, aria_hidden="true")
        items.append(tag("li", name, picture, *words, class_="out" if cell.unusable is not None else None))
    return tag("ul", *items, class_="nodes")


def _groups(cells: Sequence[Cell], letters: Mapping[str, str], symbols: Symbols) -> Html:
    groups = grouped(cells)
    several = len({cell.flavor for cell in cells}) > 1
    rows = [
        tag(
            "tr",
            tag("td", symbols.draw(cell, letters, aria_hidden="true"), class_="pic"),
            tag("td", tag("data", str(count), value=count, class_="v-nodes"), class_="num place"),
            tag("td", _share(cell, letters, count / len(cells))),
            *([tag("td", foreign(cell.flavor), class_="flavor")] if several else []),
        )
        for cell, count in groups[:_LISTED_GROUPS]
    ]
    rest = sum(count for _cell, count in groups[_LISTED_GROUPS:])
    if rest:
        count = tag("td", tag("data", str(rest), value=rest, class_="v-nodes"), class_="num place")
        others = f"in {len(groups) - _LISTED_GROUPS} other states"
        rows.append(tag("tr", tag("td"), count, tag("td", others), *([tag("td")] if several else [])))
    columns, classes = ["", "Nodes", "Each"], ["pic", "num place", ""]
    if several:
        columns, classes = [*columns, "Flavor"], [*classes, "flavor"]
    return _table("Nodes that are alike", columns, rows, classes)


def _share(cell: Cell, letters: Mapping[str, str], part: float) -> Html:
    words = cell.words() + (f", left out ({letters[cell.unusable]})" if cell.unusable is not None else "")
    gauge = tag("rect", class_="t", height="10", width=_percent(max(part, _LEAST_WIDTH / 100), 1))
    return tag("div", tag("span", words), tag("svg", gauge, class_="line", aria_hidden="true"), class_="share")


def _left_out(cells: Sequence[Cell], letters: Mapping[str, str]) -> Html:
    counts = {reason: sum(cell.unusable == reason for cell in cells) for reason in letters}
    items = [
        tag("li", tag("b", letter), f" {plural(counts[reason], 'node')} left out: ", foreign(reason))
        for reason, letter in list(letters.items())[:_LISTED_REASONS]
    ]
    if len(letters) > len(items):
        items.append(tag("li", f"and {len(letters) - len(items)} other reasons"))
    return tag("ul", *items)


# Its jobs


def _queue(pool: Facts) -> list[str]:
    queue = pool["queue"]
    if queue is None:
        return ["Queue", tag("p", "The jobs could not be read.")]
    if not queue["waiting"]:
        return ["Queue", tag("p", "No job waits.")]
    jobs = queue["jobs"]
    longest = max([job["seconds"] or 0 for job in jobs] + [1])
    rows = [_queued(job, index, longest) for index, job in enumerate(jobs, 1)]
    place = max((index for index, job in enumerate(jobs, 1) if job["ahead"]), default=0)
    not_listed = queue["waiting"] - len(jobs)
    before, after = rows[:place], rows[place:]
    shown = [
        *before[:_LISTED_AHEAD],
        *_more(len(before) - _LISTED_AHEAD + (0 if after else not_listed)),
        _own_row(pool["request"]),
        *after[:_LISTED_BEHIND],
        *_more(len(after) - _LISTED_BEHIND + (not_listed if after else 0)),
    ]
    columns = ["", "Job", "Asks for", f"Waits (bar: {duration(longest)} until now)"]
    classes = ["place", "job", "asks", ""]
    caption = joined(["First to go on top; ", foreign(f"{queue['strategy']} ({queue['known']})")])
    ahead = "" if queue["ahead"] is None else f", {queue['ahead']} ahead"
    content = [
        tag("p", f"{plural(queue['waiting'], 'job')} in the queue{ahead}."),
        _table(caption, columns, shown, classes),
    ]
    rest = before[_LISTED_AHEAD:] + after[_LISTED_BEHIND:]
    if rest:
        table = _table("Jobs that the table above leaves out", columns, rest, classes)
        content.append(tag("details", tag("summary", f"Show {plural(len(rest), 'other job')}"), table))
    if not_listed > 0:
        content.append(tag("p", f"{not_listed} more wait, and are not listed.", class_="soft"))
    return ["Queue", *content]


def _more(count: int) -> list[Html]:
    words = tag("td", f"{plural(count, 'job')} more", colspan="3", class_="soft")
    return [tag("tr", tag("td", class_="place"), words)] if count > 0 else []


def _queued(job: Facts, place: int, longest: int) -> Html:
    waits = [tag("span", "not known")]
    if job["seconds"] is not None:
        part = max(_LEAST_WIDTH / 100, job["seconds"] / longest)
        gauge = tag("rect", class_="t", height="10", x=_percent(1 - part, 1), width=_percent(part, 1))
        seconds = tag("data", duration(job["seconds"]), value=job["seconds"])
        waits = [tag("div", seconds, tag("svg", gauge, class_="line", aria_hidden="true"), class_="waits")]
    return tag(
        "tr",
        tag("td", str(place), class_="place"),
        tag("th", *_job(job), scope="row"),
        tag("td", _held(job["resources"])),
        tag("td", *waits),
    )


def _own_row(request: Facts) -> Html:
    cells = [tag("th", "this request", scope="row"), tag("td", _asked(request)), tag("td", "from now on")]
    return tag("tr", tag("td", class_="place"), *cells, class_="own")


def _holders(pool: Facts) -> list[str]:
    if not pool["holders"]:
        return []
    rows = [
        tag(
            "tr",
            tag("th", *_job(job), scope="row"),
            tag("td", _held(job["resources"])),
            tag("td", "not known" if job["seconds"] is None else duration(job["seconds"]), class_="time"),
        )
        for job in pool["holders"]
    ]
    caption = f"The {plural(len(rows), 'job')} that hold most" if len(rows) > 1 else "The job that holds most"
    return ["Holders", _table(caption, ["Job", "Holds", "For"], rows, ["job", "", "time"])]


def _job(job: Facts) -> list[Html]:
    owner = [tag("span", " ", foreign(job["user_name"]), class_="soft")] if job["user_name"] else []
    return [foreign(job_name(job)), *owner]


def _held(resources: Mapping[str, t.Any]) -> Html:
    cards_first = sorted(resources.items(), key=lambda each: not is_card(each[0]))
    return foreign(", ".join(amount_words(*each) for each in cards_first) or "nothing that could be read")


# What was looked at


def _checks(pool: Facts) -> list[str]:
    order = sorted(pool["checks"], key=lambda check: (check["passed"] is not False, check["passed"] is True))
    rows = []
    for check in order:
        word, kind = _MARKS[check["passed"]]
        mark, name = tag("td", word, class_=f"mark {kind}".strip()), foreign(label(check["name"]))
        rows.append(tag("tr", mark, tag("th", name, scope="row"), tag("td", foreign(check["message"]))))
    return ["Checks", _table("What was looked at", ["", "Check", "Found"], rows, ["mark", "check"])] if rows else []


def _notes(pool: Facts) -> list[str]:
    notes = [tag("li", foreign(note)) for note in pool["notes"]]
    for error in pool["errors"]:
        notes.append(tag("li", f"{_DOCUMENTS[error['document']]} could not be read: ", foreign(error["msg"])))
    return ["Notes", tag("ul", *notes)] if notes else []
