# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the picture of a node shows."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.cells import (
    cell_of,
    count_alike_cells,
    count_reasons_of_cells,
    letters_of_cell_reasons,
    resources_shown_in_cells,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU

HAS = {"cpu": 94, "memory": 2**40, GPU: 8}


def report_node(free: t.Any, has: t.Any = None, **more: t.Any) -> t.Any:
    node = {"name": "a", "flavor": "f", "phase": "Available", "az": None, "unusable": None, "jobs": 0, "unread": []}
    node["cards"] = None
    return {**node, "resources": has or HAS, "free": free, "asked": {}, **more}


@pytest.mark.parametrize(
    ("node", "wanted", "words", "unit"),
    [
        (report_node({**HAS, GPU: 3}), [GPU], "5 taken, 3 free", "1 gpu"),
        (report_node({**HAS, GPU: 3}, asked={GPU: 2}), [GPU], "5 taken, 2 asked, 1 free", "1 gpu"),
        (report_node({**HAS, GPU: 2.5}), [GPU], "6 taken, 2 free", "1 gpu"),
        (report_node({**HAS, GPU: 8}), [], "0 taken, 8 free", "1 gpu"),
        (report_node({**HAS, "cpu": 40}), ["cpu"], "5/8 taken, 3/8 free", "1/8 of the node's cpu"),
        (report_node({GPU: 60}, {GPU: 64}), [GPU], "1/8 taken, 7/8 free", "1/8 of the node's gpu"),
        (report_node({"cpu": 4}, {"cpu": 8}), [GPU], "4/8 taken, 4/8 free", "1/8 of the node's cpu"),
        (report_node(None), [GPU], "not known", "1 gpu"),
        (report_node(HAS, unread=[GPU]), [GPU], "not known", "1 gpu"),
        (report_node({**HAS, GPU: 9}), [GPU], "0 taken, 8 free", "1 gpu"),
    ],
)
def test_a_node_in_squares(node: t.Any, wanted: list[str], words: str, unit: str) -> None:
    """A square is a card where a node has up to sixteen whole ones, and what takes a part of it takes all of it."""
    cell = cell_of(node, wanted)
    assert (cell.words, cell.unit) == (words, unit)
    assert cell.free + cell.asked + (cell.taken or 0) == cell.size


def test_a_node_of_which_nothing_is_known_has_one_square() -> None:
    cell = cell_of(report_node(None, {"pods": 0}), [GPU])
    assert (cell.words, cell.size, cell.resource) == ("not known", 1, "")


def test_cards_are_shown_before_what_is_sized_to_them() -> None:
    groups: t.Any = [{"resources": {"memory": 1, GPU: 1}}, {"resources": None}, {"resources": {"cpu": 1}}]
    assert resources_shown_in_cells(groups) == [GPU, "cpu", "memory"]


def test_alike_nodes_are_counted_in_the_order_of_the_picture() -> None:
    frees = [{**HAS, GPU: 0}, {**HAS, GPU: 8}, {**HAS, GPU: 0}, None]
    nodes = [*map(report_node, frees), report_node(HAS, unusable="draining"), report_node(HAS, asked={GPU: 1})]
    alike = count_alike_cells(cell_of(node, [GPU]) for node in nodes)
    assert [(cell.words, cell.unusable, count) for cell, count in alike] == [
        ("0 taken, 1 asked, 7 free", None, 1),
        ("0 taken, 8 free", None, 1),
        ("8 taken", None, 2),
        ("not known", None, 1),
        ("0 taken, 8 free", "draining", 1),
    ]


def test_the_most_frequent_reason_has_the_first_letter_and_the_last_letter_stands_for_the_rest() -> None:
    nodes = [report_node(HAS, unusable=f"reason {number:02}") for number in range(30)]
    nodes += [report_node(HAS, unusable="draining")] * 2
    reasons = count_reasons_of_cells(cell_of(node, [GPU]) for node in nodes)
    letters = letters_of_cell_reasons(reasons)
    assert reasons[:2] == [("draining", 2), ("reason 00", 1)]
    assert letters["draining"] == "A"
    assert (letters["reason 23"], letters["reason 24"], letters["reason 29"]) == ("Y", "Z", "Z")
