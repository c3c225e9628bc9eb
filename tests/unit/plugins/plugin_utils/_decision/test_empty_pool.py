# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool would have with nothing running: only that makes waiting pointless."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import SIZE, asking, gpu_nodes, reason
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    Document,
    check_of,
    decide,
    node,
    pool,
)


def test_a_replica_larger_than_any_node() -> None:
    nodes = [node({"cpu": "63200m", "memory": "500Gi"}) for _i in range(8)]
    verdict = decide(nodes, request={"replicas": 1, "resources": {"cpu": 64}})
    assert verdict["decision"] == "reject"
    message = check_of(verdict, "placement")["message"]
    assert message == "a replica needs cpu 64; the largest of 8 nodes offers 63.2"
    assert verdict["remedies"] == ["ask for cpu 63.2 or less, or give a flavor instead of resources."]


def test_sizes_that_are_not_asked_for_need_not_be_known_to_reject() -> None:
    nodes = [node({"cpu": "63200m", GPU: "8", "memory": "?"}), node({"cpu": "63200m", GPU: "8"})]
    assert decide(nodes, request={"resources": {"cpu": 64}})["decision"] == "reject"
    assert decide(nodes, request={"resources": {"cpu": 64, "memory": "1Gi"}})["decision"] == "reject"


def test_replicas_that_the_empty_pool_has_no_place_for() -> None:
    verdict = decide(gpu_nodes(0, 0, 0), request=asking(4, 5))
    assert verdict["decision"] == "reject"
    assert "the empty pool would take 3 of 4 replicas" in reason(verdict)
    assert any("3 replicas or fewer" in remedy for remedy in verdict["remedies"])


@pytest.mark.parametrize("size", [{**SIZE, GPU: "7"}, {"cpu": "64", "memory": "500Gi"}])
def test_a_node_that_is_short_of_cards_gets_them_back(size: Document) -> None:
    verdict = decide([*gpu_nodes(8), node(size)], request=asking(2, 8))
    assert verdict["decision"] == "wait"


@pytest.mark.parametrize("gone", ["0", "?"])
def test_a_node_that_is_leaving_does_not_tell_what_those_to_come_have(gone: str) -> None:
    leaving, small = node({**SIZE, GPU: gone}, flavor="fa", phase="Deleting"), node(SIZE, flavor="fb")
    asked = {"resources": {GPU: 8}}
    assert decide([leaving], request=asked, pool_document=pool({"fa": 3}))["decision"] == "wait"
    two = {**asked, "replicas": 2}
    assert decide([leaving, small], request=two, pool_document=pool({"fa": 3, "fb": 1}))["decision"] == "wait"


def test_a_short_node_does_not_tell_what_one_has_that_cannot_be_read() -> None:
    nodes = [node({**SIZE, "cpu": "?"}, {**SIZE, GPU: "0"}), node({**SIZE, GPU: "7"})]
    assert decide(nodes, request={"resources": {GPU: 8, "cpu": 8}})["decision"] == "wait"


@pytest.mark.parametrize(
    ("asked", "decision"),
    [
        ({"replicas": 3, "resources": {GPU: 1, "cpu": 25}}, "admit"),
        ({"resources": {GPU: 16}}, "admit"),
        ({"resources": {GPU: 17}}, "reject"),
    ],
)
def test_where_sums_count_no_node_is_too_small(asked: t.Any, decision: str) -> None:
    verdict = decide([node(SIZE), node(SIZE)], request=asked, policy={"placement": "aggregate"})
    assert verdict["decision"] == decision
