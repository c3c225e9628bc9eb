# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is enough of each resource, and the sentences with their numbers."""

from __future__ import annotations

import typing as t
from fractions import Fraction

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import SIZE, asking, gpu_nodes, reason
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    check_of,
    decide,
    node,
    pool,
)
from hypothesis import given
from hypothesis import strategies as st

SNT9, D1980 = "huawei.com/ascend-snt9", "huawei.com/ascend-1980"


@pytest.mark.parametrize(
    ("replicas", "headroom", "decision", "kept", "missing"),
    [
        (24, None, "admit", 0, 0),
        (25, None, "wait", 0, 1),
        (22, {GPU: 2}, "admit", 2, 0),
        (23, {GPU: 2}, "wait", 2, 1),
        (18, {GPU: "25%"}, "admit", 6, 0),
        (19, {GPU: "25%"}, "wait", 6, 1),
        (18, "25%", "admit", 6, 0),
        (19, "25%", "wait", 6, 1),
        (21, "10%", "admit", 3, 0),
        (22, "10%", "wait", 3, 1),
    ],
)
def test_room_after_headroom_of_the_usable_capacity(
    replicas: int, headroom: t.Any, decision: str, kept: float, missing: float
) -> None:
    """A draining node is no part of the capacity that a percentage is of."""
    nodes = [*gpu_nodes(8, 8, 8), *gpu_nodes(8, 8, drain=True)]
    verdict = decide(nodes, request=asking(replicas), policy={"headroom": headroom})
    check = check_of(verdict, GPU)
    assert verdict["decision"] == decision
    assert check["passed"] is (decision == "admit")
    assert {name: check[name] for name in ("need", "free", "total", "kept", "missing")} == {
        "need": replicas,
        "free": 24,
        "total": 24,
        "kept": kept,
        "missing": missing,
    }


def test_the_sentence_of_missing_room() -> None:
    nodes = gpu_nodes(8, 8, 8, 0, 0, 0, 0, 0)
    verdict = decide(nodes, request=asking(4, 8), policy={"headroom": {GPU: 2}})
    assert verdict["decision"] == "wait"
    message = check_of(verdict, GPU)["message"]
    for part in ("need 32", "free 24", "kept 2", "64", "short 10"):
        assert part in message
    assert any(said.startswith("gpu need 32, free 24, kept 2") for said in verdict["reasons"])
    assert any("10 gpu" in remedy for remedy in verdict["remedies"])


@pytest.mark.parametrize(
    ("replicas", "counts", "most", "decision", "has"),
    [
        (16, {FLAVOR: 2}, {}, "wait", ""),
        (17, {FLAVOR: 2}, {}, "reject", "16"),
        (32, {FLAVOR: 4}, {}, "wait", ""),
        (33, {FLAVOR: 4}, {}, "reject", "32"),
        (40, {FLAVOR: 2}, {FLAVOR: 5}, "wait", ""),
        (41, {FLAVOR: 2}, {FLAVOR: 5}, "reject", "40"),
    ],
)
def test_more_than_the_pool_will_ever_have(
    replicas: int, counts: dict[str, int], most: dict[str, int], decision: str, has: str
) -> None:
    """Nodes that are down and those that the spec only promises count; one that is being deleted does not."""
    nodes = [*gpu_nodes(8), *gpu_nodes(0, phase="Abnormal"), *gpu_nodes(8, phase="Deleting")]
    verdict = decide(nodes, request=asking(replicas), pool_document=pool(counts, most=most))
    assert verdict["decision"] == decision
    if decision == "reject":
        assert f"the pool has {has}" in reason(verdict)


def test_headroom_can_make_it_never() -> None:
    verdict = decide(gpu_nodes(8, 8), request=asking(16), policy={"headroom": {GPU: 1}})
    assert verdict["decision"] == "reject"
    assert "1" in check_of(verdict, GPU)["message"]


def test_a_headroom_that_a_whole_node_may_mean_and_no_node_has_is_not_passed_over() -> None:
    asked = {"replicas": 1, "flavor": FLAVOR}
    meant = decide(gpu_nodes(8, 8), request=asked, policy={"headroom": {GPU: 8, "memory": "10%"}})
    assert meant["decision"] == "admit", meant["reasons"]
    other = decide(gpu_nodes(8, 8), request=asked, policy={"headroom": {"huawei.com/ascend-snt9": 8}})
    assert other["decision"] == "admit", "another candidate may ask for it"
    slip = decide(gpu_nodes(8, 8), request=asked, policy={"headroom": {"gpu": 8}})
    assert slip["decision"] == "unknown"
    assert f"policy.headroom names gpu, which no node has: did you mean {GPU}?" in reason(slip)


def test_bytes_that_were_hardly_meant_are_a_note() -> None:
    verdict = decide(gpu_nodes(8, 8), request={"resources": {GPU: 8, "memory": 400}})
    assert verdict["decision"] == "admit"
    assert "request.resources has memory 400, which is 400 bytes: did you mean 400Gi?" in verdict["notes"]


def test_what_is_not_asked_for_is_not_checked_and_that_is_said() -> None:
    nodes = [node(SIZE, {"cpu": "0", "memory": "0", GPU: "8"})]
    verdict = decide(nodes, request=asking(1, 8), policy={"headroom": {"cpu": 4}})
    assert verdict["decision"] == "admit"
    assert "cpu and memory not asked for, so not checked" in verdict["notes"]
    assert any("headroom of cpu not checked" in note for note in verdict["notes"])
    all_asked = decide(nodes, request={"resources": SIZE})
    assert all_asked["decision"] == "wait"
    assert not any("not asked for, so not checked" in note and "cpu" in note for note in all_asked["notes"])


@given(
    st.integers(1, 40),
    st.integers(1, 4000),
    st.integers(1, 6),
    st.integers(-1, 1),
)
def test_room_is_exact_to_the_millicore(replicas: int, millicores: int, count: int, beyond: int) -> None:
    """On one node: as much as fits to the last thousandth is admitted, one thousandth less room is not."""
    free = replicas * millicores + beyond
    verdict = decide(
        [node({"cpu": f"{free + count}m"}, {"cpu": f"{free}m"})],
        request={"replicas": replicas, "resources": {"cpu": f"{Fraction(millicores, 1000).limit_denominator():}"}}
        if millicores % 1000 == 0
        else {"replicas": replicas, "resources": {"cpu": millicores / 1000}},
    )
    assert verdict["decision"] == ("wait" if beyond < 0 and count >= -beyond else "admit")


def test_a_tenth_three_times_is_three_tenths() -> None:
    nodes = [node({"cpu": 1, GPU: 1}, {"cpu": 0.3, GPU: "300m"})]
    assert decide(nodes, request={"replicas": 3, "resources": {"cpu": 0.1, GPU: "0.1"}})["decision"] == "admit"
    assert decide(nodes, request={"replicas": 3, "resources": {"cpu": "101m"}})["decision"] == "wait"
    assert decide(nodes, request={"replicas": 3, "resources": {GPU: "101m"}})["decision"] == "wait"


def test_a_card_that_the_pool_does_not_have() -> None:
    verdict = decide(gpu_nodes(8), request={"resources": {SNT9: 1}})
    assert verdict["decision"] == "reject"
    assert "ascend-snt9" in reason(verdict)


@pytest.mark.parametrize("free", [{**SIZE, GPU: "?"}, {"cpu": "64", "memory": "500Gi"}])
def test_headroom_is_kept_beside_whole_nodes_though_one_node_is_not_readable(free: Document) -> None:
    nodes = [*gpu_nodes(8), node(SIZE, free)]
    verdict = decide(nodes, request={"flavor": FLAVOR}, policy={"headroom": {GPU: 8}})
    assert verdict["decision"] == "unknown"
    assert check_of(verdict, GPU)["kept"] == 8


def test_storage_that_nodes_do_not_tell_is_unknown() -> None:
    asked = {"resources": {GPU: 1, "ephemeral-storage": "10Gi"}}
    verdict = decide(gpu_nodes(8), request=asked)
    assert verdict["decision"] == "unknown"
    assert "the nodes do not report it" in reason(verdict)
