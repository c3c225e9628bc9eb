# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bars of resources on the page."""

from __future__ import annotations

import random
import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_room import Bar, bar_percent, view_room
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU


def figures(total: int, **parts: int) -> t.Any:
    """The figures of a resource as a verdict has them: what is left and short follows from the rest."""
    all_parts = {"used": 0, "unplaced": 0, "need": 0, "kept": 0, **parts}
    left = total - sum(all_parts.values())
    return {"resource": GPU, "total": total, **all_parts, "left": max(0, left), "missing": max(0, -left)}


def bar_of(one: t.Any) -> Bar:
    room = view_room([one])
    assert room is not None
    return room.bars[0]


def test_a_bar_is_as_long_as_the_pool() -> None:
    drawn = bar_of(figures(64, used=24, unplaced=8, need=16, kept=4))
    assert [(one.style, one.x, one.width) for one in drawn.segments] == [
        ("t", "0%", "37.5%"),
        ("starting", "37.5%", "12.5%"),
        ("asked", "50%", "25%"),
        ("kept", "75%", "6.25%"),
        ("left", "81.25%", "18.75%"),
    ]
    assert drawn.end is None
    assert [(one.name, one.word, one.text) for one in drawn.figures] == [
        ("used", "taken", "24"),
        ("unplaced", "starting", "8"),
        ("need", "asked", "16"),
        ("kept", "kept free", "4"),
        ("left", "left", "12"),
    ]


def test_what_is_missing_stands_out_beyond_the_end_and_by_half_a_pool_at_most() -> None:
    assert [(one.style, one.x, one.width) for one in bar_of(figures(8, used=4, need=8)).segments] == [
        ("t", "0%", "33.33%"),
        ("asked", "33.33%", "33.33%"),
        ("short", "66.67%", "33.33%"),
    ]
    drawn = bar_of(figures(8, used=4, need=800))
    assert (drawn.end, drawn.segments[-1].width) == ("66.67%", "33.33%")


def test_no_part_of_a_bar_leaves_it() -> None:
    rng = random.Random("bar")
    for _i in range(500):
        parts = {name: rng.choice((0, rng.randint(0, 100))) for name in ("used", "unplaced", "need", "kept")}
        drawn = bar_of(figures(rng.choice((0, rng.randint(1, 100))), **parts))
        at = 0.0
        for segment in drawn.segments:
            assert abs(float(segment.x[:-1]) - at) < 0.05, (segment, drawn)
            at = float(segment.x[:-1]) + float(segment.width[:-1])
        assert at < 100.05


def test_the_legend_has_what_the_bars_show() -> None:
    room = view_room([figures(8, used=4, need=2), figures(8, need=10)])
    assert room is not None
    assert [entry.word for entry in room.legend] == ["taken", "asked", "left", "short"]
    assert view_room([]) is None


def test_a_length_has_two_digits() -> None:
    assert [bar_percent(1, 3), bar_percent(1, 1), bar_percent(0.0075, 1)] == ["33.33%", "100%", "0.75%"]
