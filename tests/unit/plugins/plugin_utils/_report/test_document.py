# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a report: the decision, what was seen, and one way to place the request."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import FLAVOR, GPU, observed


def test_the_decision_and_what_was_seen(made: t.Any) -> None:
    document, verdicts = made["room"]
    assert (document["decision"], document["reasons"]) == ("admit", [])
    assert (document["attempts"], document["waited_seconds"]) == (3, 90)
    (pool,) = document["pools"]
    assert pool["resources"] == verdicts[0]["resources"]
    assert [node["name"] for node in pool["nodes"]][:2] == ["train-a100-01", "train-a100-02"]
    assert [node["free"][GPU] for node in pool["nodes"]] == [0, 0, 0, 3, 6, 8, 8, 8, 8]
    assert [bool(node["unusable"]) for node in pool["nodes"]] == [False] * 7 + [True] * 2
    assert pool["holders"][0]["job_name"] == "llm-pretrain-7b"
    assert pool["queue"]["waiting"] == 0
    assert made["unread"][0]["pools"][0]["nodes"] is None
    assert made["unread"][0]["decision"] == "unknown"


@pytest.mark.parametrize(
    ("request_", "cards", "placed"),
    [
        ({"replicas": 2, "resources": {GPU: 4}}, [0, 0, 4, 4, 0], 2),
        ({"replicas": 1, "resources": {GPU: 2}}, [0, 2, 0, 0, 0], 1),
        ({"replicas": 9, "resources": {GPU: 3}}, [0, 3, 3, 6, 0], 4),
        ({"replicas": 1, "resources": {GPU: 16}}, [0, 0, 0, 0, 0], 0),
        ({"replicas": 2, "flavor": FLAVOR}, [0, 0, 0, 8, 0], 1),
        ({"groups": [{"flavor": FLAVOR}, {"flavor": FLAVOR}]}, [0, 0, 0, 8, 0], 1),
        ({"groups": [{"replicas": 1, "resources": {GPU: 2}}, {"resources": {GPU: 8}}]}, [0, 2, 0, 8, 0], 2),
    ],
)
def test_one_way_to_place_it(request_: t.Any, cards: list[int], placed: int) -> None:
    """Replicas go where they fit best, none on nodes that take no work, and never more than is free."""
    nodes = [*reports.nodes_of(0, 3, 4, 8), *reports.nodes_of(8, drain=True)]
    (pool,) = reports.report_of([(request_, observed(nodes))])[0]["pools"]
    assert [node["asked"].get(GPU, 0) for node in pool["nodes"]] == cards
    assert pool["placed"] == placed
