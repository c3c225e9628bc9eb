# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part "Room" of the HTML page: bars of what is taken, asked for and left of each resource. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.wording import (
    AMOUNT_WORDS,
    AmountName,
    amount_to_word,
    exact_amounts_to_word,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import ResourceFigures

# What is missing stands out by half a pool at most: a request for many times the pool leaves the bar readable.
_OVERHANG = 0.5

_STYLES: dict[AmountName, str] = {
    "used": "t",
    "unplaced": "starting",
    "claimed": "claimed",
    "need": "asked",
    "kept": "kept",
    "left": "left",
    "missing": "short",
}
"""The class of the style sheet for each part of a bar, in the order of the bar."""


@dataclass(frozen=True)
class Segment:
    """A part of a bar: its class in the style sheet, where it starts and how wide it is."""

    style: str
    x: str
    width: str


@dataclass(frozen=True)
class Figure:
    """An amount under a bar: the key of the document, its word, how it reads, and its value there."""

    name: str
    word: str
    text: str
    value: float


@dataclass(frozen=True)
class Bar:
    """A resource. ``end`` is where the pool ends within the bar, None where nothing stands out beyond it."""

    resource: str
    segments: Sequence[Segment]
    end: str | None
    total: Figure
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Legend:
    style: str
    word: str


@dataclass(frozen=True)
class Room:
    bars: Sequence[Bar]
    legend: Sequence[Legend]


def view_room(resources: Sequence[ResourceFigures]) -> Room | None:
    """Return the bars of a pool; None without figures."""
    if not resources:
        return None
    legend = [
        Legend(style, AMOUNT_WORDS[name])
        for name, style in _STYLES.items()
        if any(amount_to_word(figures, name) for figures in resources)
    ]
    return Room([_view_room_bar(figures) for figures in resources], legend)


def bar_percent(part: float, whole: float) -> str:
    """Return a length of the page: two digits, as no screen shows more."""
    return f"{round(100 * part / whole, 2):g}%"


def _view_room_bar(figures: ResourceFigures) -> Bar:
    resource, amounts = figures["resource"], exact_amounts_to_word(figures)
    segments, end = _view_room_segments(amounts)
    return Bar(
        resource=resource,
        segments=segments,
        end=end,
        total=Figure("total", "in all", format_amount(resource, amounts["total"]), figures["total"]),
        figures=[
            Figure(name, word, format_amount(resource, amounts[name]), amount_to_word(figures, name))
            for name, word in AMOUNT_WORDS.items()
            if amounts[name]
        ],
    )


def _view_room_segments(amounts: Mapping[AmountName, int]) -> tuple[list[Segment], str | None]:
    """Return (the parts of a bar, where the pool ends): it is as long as the pool, and what is missing stands out."""
    total = amounts["total"]
    asked = amounts["used"] + amounts["unplaced"] + amounts["claimed"] + amounts["need"] + amounts["kept"]
    # At least 1, as a pool may have nothing at all of a resource.
    whole = max(1, min(asked, int(total * (1 + _OVERHANG))), total)
    segments, start = [], 0
    for name, style in _STYLES.items():
        size = amounts[name]
        inside = min(size, max(0, total - start))
        if inside:
            segments.append(Segment(style, bar_percent(start, whole), bar_percent(inside, whole)))
        start += size
    missing = min(amounts["missing"], whole - total)
    if not missing:
        return segments, None
    end = bar_percent(total, whole)
    return [*segments, Segment(_STYLES["missing"], end, bar_percent(missing, whole))], end
