# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of nodes on the page."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.pages import parsed, tag_of, text_of
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, address_of, job, observed


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
