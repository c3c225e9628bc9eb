# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of nodes on the page."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_nodes import (
    DRAWN_NODES,
    NAMED_NODES,
    Nodes,
    Symbols,
    view_nodes,
)
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.pages import parsed, tag_of, text_of
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    Document,
    address_of,
    job,
    node,
    observed,
    refused,
)


def test_a_cell_a_node(made: t.Any) -> None:
    tree = parsed(html_page(made["room"][0]))
    cells = next(each for each in tree.iter("ul") if each.get("class") == "nodes")
    words = [text_of(cell) for cell in cells]
    assert words[0] == "train-a100-018 taken"
    assert words[4] == "train-a100-052 taken, 4 asked, 2 free"
    assert words[8] == "train-a100-090 taken, 8 freeleft out (A): draining"
    symbols = {
        each.get("id"): [shape.get("class") for shape in each] for each in tree.iter() if tag_of(each) == "symbol"
    }
    drawn = [use.get("href") or use.get("xlink:href") for use in cells.iter() if tag_of(use) == "use"]
    assert symbols[drawn[4][1:]] == ["t", "t", "a", "p", "a", "p", "a", "p", "a", "p", "f", "f"]
    assert len(drawn) == 9


def test_a_thousand_nodes_are_drawn_one_by_one_and_ten_thousand_by_what_is_alike(made: t.Any) -> None:
    drawn = {}
    for case in ("thousand", "ten-thousand"):
        tree = parsed(html_page(made[case][0]))
        drawn[case] = sum(len(each) for each in tree.iter("div") if each.get("class") == "dense")
    assert drawn == {"thousand": 1000, "ten-thousand": 0}


def test_what_a_replaced_job_gives_back_is_named() -> None:
    nodes = reports.nodes_of(0, 8)
    jobs = [job({GPU: "8"}, uuid="old", on={address_of(nodes[0]): {GPU: "8"}})]
    asked = {"replicas": 2, "resources": {GPU: 8}, "replaces": {"job_uuid": "old"}}
    document, _verdicts = reports.report_of([(asked, observed(nodes, jobs, placement_of=["old"]))])
    assert document["decision"] == "admit"
    assert "What is given back first still shows as taken." in text_of(parsed(html_page(document)))


def nodes_part(nodes: t.Any, symbols: Symbols | None = None) -> Nodes:
    """The part of a pool with these nodes, asked for a card."""
    (pool,) = reports.report_of([({"resources": {GPU: 1}}, observed(nodes))])[0]["pools"]
    return view_nodes(pool, symbols or Symbols())


@pytest.mark.parametrize(
    ("count", "named", "drawn", "has_states"),
    [
        (NAMED_NODES, NAMED_NODES, 0, False),
        (NAMED_NODES + 1, 0, NAMED_NODES + 1, True),
        (DRAWN_NODES, 0, DRAWN_NODES, True),
        (DRAWN_NODES + 1, 0, 0, True),
    ],
)
def test_few_nodes_are_named_more_are_drawn_and_many_are_counted(
    count: int, named: int, drawn: int, has_states: bool
) -> None:
    part = nodes_part(reports.nodes_of(*[0, 8] * (count // 2), *[3] * (count % 2)))
    assert (len(part.named), len(part.drawn), part.states is not None) == (named, drawn, has_states)
    if part.states is not None:
        assert sum(row.count for row in part.states.rows) == count


def test_nodes_that_look_the_same_share_a_picture() -> None:
    symbols = Symbols()
    part = nodes_part(reports.nodes_of(0, 8, 0, 3), symbols)
    assert [one.symbol for one in part.named] == [0, 1, 0, 2]
    assert [symbol.number for symbol in symbols.symbols] == [0, 1, 2]
    assert [square.state for square in symbols.symbols[0].squares] == ["t"] * 8


def test_without_nodes_the_part_is_a_sentence() -> None:
    assert nodes_part(refused()) == Nodes("The nodes could not be read.")
    assert nodes_part([]) == Nodes("The pool has no nodes.")


def differing(count: int) -> list[Document]:
    """Nodes, each of which is left out for a reason of its own and has a card of its own."""
    nodes = [node({f"vendor/card-{number}": "8"}, taints=["NoSchedule"]) for number in range(count)]
    for number, item in enumerate(nodes):
        item["spec"]["taints"][0]["key"] = f"key-{number}"
    return nodes


def test_what_only_one_node_has_is_listed_up_to_a_number() -> None:
    part = nodes_part(differing(100))
    assert part.legend is not None
    assert part.states is not None
    assert (len(part.legend.units), part.legend.other_units) == (12, 88)
    assert (len(part.reasons), part.other_reasons) == (25, 75)
    assert part.states.rest is not None
    assert (len(part.states.rows), part.states.rest.count, part.states.rest.states) == (60, 40, 40)


def test_nodes_that_all_differ_take_time_by_their_number() -> None:
    """Counted for each reason among all nodes, six thousand of them took four seconds."""
    (pool,) = reports.report_of([({"resources": {GPU: 1}}, observed(differing(6000)))])[0]["pools"]
    began = time.process_time()
    view_nodes(pool, Symbols())
    assert time.process_time() - began < 2
