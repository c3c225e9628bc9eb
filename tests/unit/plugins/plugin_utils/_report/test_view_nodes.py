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
    NodeSymbols,
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
    assert "Resources that are given back first still show as taken." in text_of(parsed(html_page(document)))


def nodes_part(nodes: t.Any, symbols: NodeSymbols | None = None) -> Nodes:
    """The part of a pool with these nodes, asked for a card."""
    (pool,) = reports.report_of([({"resources": {GPU: 1}}, observed(nodes))])[0]["pools"]
    return view_nodes(pool, symbols or NodeSymbols())


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
    symbols = NodeSymbols()
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
    view_nodes(pool, NodeSymbols())
    assert time.process_time() - began < 2


def test_the_very_cards_are_drawn_and_joined_in_their_groups(made: t.Any) -> None:
    """Rings of four are the rows of a picture, pairs are half of one; any cards and unknown rules are not joined."""
    symbols = NodeSymbols()
    pools = made["cards"][0]["pools"]
    drawn = [view_nodes(pool, symbols) for pool in pools]
    assert [[node.words for node in nodes.named] for nodes in drawn] == [
        [
            "4 taken, 4 free (1, 2, 5, 6)",
            "4 taken, 4 asked",
            "2 taken, 6 free (2, 3, 4, 5, 6, 7)",
            "0 taken, 4 asked, 4 free",
            "8 taken",
            "4 taken, 4 free",
            "0 taken, 8 free",
        ],
        [
            "12 taken, 4 free (1, 3, 4, 5)",
            "8 taken, 8 free (1, 2, 3, 4, 10, 12, 14, 16)",
            "2 taken, 12 asked, 2 free (15, 16)",
        ],
        ["3 taken, 5 asked"],
        ["4 taken, 4 free (1, 2, 5, 6)"],
    ]
    states = ["".join(square.state for square in symbol.squares) for symbol in symbols.symbols]
    assert states[:5] == ["ffttfftt", "ttttaaaa", "tfffffft", "aaaaffff", "tttttttt"]
    rings, pairs = (
        symbols.symbols[0].joins,
        next(symbol.joins for symbol in symbols.symbols if len(symbol.squares) == 16),
    )
    row, next_row = "M7 3.5h2M16 3.5h2M25 3.5h2", "M7 12.5h2M16 12.5h2M25 12.5h2"
    assert rings == row + next_row
    assert pairs.startswith("M7 3.5h2M25 3.5h2M7 12.5h2")
    assert [symbol.joins for symbol in symbols.symbols[-2:]] == ["", ""]
    assert [nodes.legend is not None and nodes.legend.joined for nodes in drawn] == [True, True, False, False]
    page = text_of(parsed(html_page(made["cards"][0])))
    assert "joined: cards that lie together" in page
    assert "joined" not in text_of(parsed(html_page(made["room"][0])))


def test_rings_of_eight_are_joined_over_two_rows() -> None:
    card = "huawei.com/ascend-1980"
    text = {"os.modelarts/npu-topology-placement": "0000000000000001"}
    there = node({card: "16"}, {card: "15"}, flavor="own.16", annotations=text)
    asked = [({"resources": {card: 8}}, observed([there]))]
    (pool,) = reports.report_of(asked, {"card_groups": {"own.16": 8}})[0]["pools"]
    symbols = NodeSymbols()
    view_nodes(pool, symbols)
    (symbol,) = symbols.symbols
    assert "".join(square.state for square in symbol.squares) == "tfffffffaaaaaaaa"
    ring = "M7 0h2M16 0h2M25 0h2M3.5 7v2M7 9h2M16 9h2M25 9h2"
    assert symbol.joins.replace("3.5h", "0h").replace("12.5h", "9h").startswith(ring)
    assert "M3.5 16v2" not in symbol.joins
