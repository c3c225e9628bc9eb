# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of room: nodes before metrics before a declared capacity."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import asking, gpu_nodes, queued, reason
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    address_of,
    check_of,
    decide,
    job,
    metrics,
    refused,
)


def test_nodes_and_metrics_that_contradict_each_other() -> None:
    """Metrics newer than a job's end, or a node that tells too much: the smaller counts."""
    items = [metrics({GPU: 8, "cpu": 64}, {GPU: 6, "cpu": 3})]
    verdict = decide(gpu_nodes(8), request=asking(4), metric_items=items)
    assert verdict["decision"] == "wait"
    assert check_of(verdict, GPU)["free"] == 2
    assert any("metrics show gpu 2 free, nodes gpu 8" in note for note in verdict["notes"])
    assert decide(gpu_nodes(8), request=asking(2), metric_items=items)["decision"] == "admit"
    more = [metrics({GPU: 64}, {GPU: 0})]
    assert decide(gpu_nodes(2), request=asking(4), metric_items=more)["decision"] == "wait"


def test_masked_keys_of_metrics_say_nothing_of_cards() -> None:
    items = [metrics({"cpu": 64, "tnt004": 8}, {"cpu": 0, "tnt004": 8})]
    assert decide(gpu_nodes(8), request=asking(8), metric_items=items)["decision"] == "admit"
    policy = {"placement": "aggregate"}
    verdict = decide(refused(), request=asking(1), policy=policy, metric_items=items)
    assert verdict["decision"] == "unknown"
    assert check_of(verdict, GPU)["passed"] is None
    assert "tnt004" in check_of(verdict, GPU)["message"]


def test_nodes_that_may_not_be_listed_leave_placement_unknown() -> None:
    items = [metrics({GPU: 64, "cpu": 512}, {GPU: 24, "cpu": 0})]
    verdict = decide(refused(), request=asking(2, 8), metric_items=items)
    assert (verdict["decision"], verdict["source"]) == ("unknown", "metrics")
    assert check_of(verdict, GPU)["passed"] is True
    assert check_of(verdict, "placement")["passed"] is None
    assert any("allow listing nodes" in remedy for remedy in verdict["remedies"])
    assert any("403 ModelArts.0108, request 7f3a91" in note for note in verdict["notes"])
    verdict = decide(refused(), request=asking(2, 8), metric_items=items, policy={"placement": "aggregate"})
    assert (verdict["decision"], verdict["source"], verdict["age_seconds"]) == ("admit", "metrics", 30)
    verdict = decide(refused(), request=asking(2, 8), metric_items=items, declared={GPU: 64})
    assert verdict["decision"] == "unknown"


def test_metrics_that_are_too_small() -> None:
    items = [metrics({GPU: 64}, {GPU: 60})]
    verdict = decide(refused(), request=asking(2, 8), metric_items=items, policy={"placement": "aggregate"})
    assert (verdict["decision"], check_of(verdict, GPU)["missing"]) == ("wait", 12)


def test_metrics_know_nothing_of_jobs_that_came_after_them() -> None:
    items = [metrics({GPU: 16}, {GPU: 0})]
    policy = {"placement": "aggregate"}
    jobs = [job({GPU: "8"}, on=["10.9.9.9"])]
    assert decide(refused(), jobs, request=asking(8), policy=policy, metric_items=items)["decision"] == "admit"
    assert decide(refused(), jobs, request=asking(9), policy=policy, metric_items=items)["decision"] == "wait"
    starting = [job({GPU: "8"}, "Creating")]
    assert decide(refused(), starting, request=asking(8), policy=policy, metric_items=items)["decision"] == "admit"
    assert decide(refused(), starting, request=asking(9), policy=policy, metric_items=items)["decision"] == "wait"


D1980 = "huawei.com/ascend-1980"


@pytest.mark.parametrize(
    ("age", "window", "fresh"),
    [(300, "1m", True), (301, "1m", False), (1500, "5m", True), (1501, "5m", False), (2520, "1m", False)],
)
def test_stale_metrics_do_not_count(age: float, window: str, fresh: bool) -> None:
    items = [metrics({GPU: 64}, {GPU: 0}, age=age, window=window)]
    verdict = decide(refused(), request=asking(1), metric_items=items, policy={"placement": "aggregate"})
    assert verdict["decision"] == ("admit" if fresh else "unknown")
    if not fresh:
        assert verdict["source"] is None
        assert "403 ModelArts.0108, request 7f3a91" in check_of(verdict, "nodes")["message"]
        assert "not used" in check_of(verdict, "metrics")["message"]
        assert verdict["remedies"] == ["allow listing nodes, or set capacity_gate_declared_capacity."]
    if age == 2520:
        assert check_of(verdict, "metrics")["message"] == "42 min old, limit 5 min: not used"


def test_the_age_of_the_facts_makes_metrics_stale_too() -> None:
    items = [metrics({GPU: 64}, {GPU: 0}, age=250)]
    policy = {"placement": "aggregate"}
    assert decide(refused(), request=asking(1), metric_items=items, policy=policy, age=50.0)["decision"] == "admit"
    assert decide(refused(), request=asking(1), metric_items=items, policy=policy, age=51.0)["decision"] == "unknown"


def test_metrics_without_a_readable_time_do_not_count() -> None:
    item = metrics({GPU: 64}, {GPU: 0})
    item["table"]["allocated"]["timestamp"] = "yesterday"
    verdict = decide(refused(), request=asking(1), metric_items=[item], policy={"placement": "aggregate"})
    assert verdict["decision"] == "unknown"


def test_a_declared_capacity_less_what_jobs_hold() -> None:
    jobs = [job({GPU: "24"}, on=["10.9.9.9"]), job({GPU: "8"}, "Creating"), job({GPU: "64"}, "Completed")]
    verdict = decide(refused(), jobs, request=asking(4, 8), declared={GPU: 64})
    assert (verdict["decision"], verdict["source"]) == ("admit", "declared")
    assert (check_of(verdict, GPU)["need"], check_of(verdict, GPU)["total"]) == (32, 64)
    assert decide(refused(), jobs, request=asking(33), declared={GPU: 64})["decision"] == "wait"
    assert decide(refused(), jobs, request=asking(65), declared={GPU: 64})["decision"] == "reject"
    verdict = decide(refused(), jobs, request={"resources": {"cpu": 1}}, declared={GPU: 64})
    assert verdict["decision"] == "unknown"


@pytest.mark.parametrize("source", ["declared", "metrics"])
@pytest.mark.parametrize("held", [0, 8])
def test_jobs_about_to_start_are_taken_off_whatever_others_hold(source: str, held: int) -> None:
    """Of what is taken off, only what jobs hold already may be left out of what they hold."""
    jobs = [queued(8, seconds=3), *([job({GPU: str(held)}, on=["10.9.9.9"])] if held else [])]
    verdict = decide(
        refused(),
        jobs,
        request=asking(1, 8 if held else 16),
        policy={"queue_strategy": "backfill", "placement": "aggregate"},
        declared={GPU: 16} if source == "declared" else None,
        metric_items=refused() if source == "declared" else [metrics({GPU: "16"}, {GPU: "0"})],
    )
    assert (verdict["decision"], check_of(verdict, GPU)["unplaced"]) == ("wait", 8)


@pytest.mark.parametrize("status", ["Running", "Creating"])
@pytest.mark.parametrize("source", ["declared", "metrics"])
def test_cards_of_another_name_are_unknown_without_nodes(source: str, status: str) -> None:
    card = "huawei.com/ascend-snt9b"
    held = job({D1980: "16"}, status, on=["10.9.9.9"] if status == "Running" else None)
    verdict = decide(
        refused(),
        [held],
        request={"resources": {card: 8}},
        policy={"placement": "aggregate"},
        declared={card: 16} if source == "declared" else None,
        metric_items=refused() if source == "declared" else [metrics({card: "16"}, {card: "0"})],
    )
    assert verdict["decision"] == "unknown"
    assert "jobs hold huawei.com/ascend-snt9, which may be another name for it" in reason(verdict)


def test_cards_of_another_vendor_are_no_other_name() -> None:
    held = job({D1980: "16"}, on=["10.9.9.9"])
    verdict = decide(refused(), [held], request=asking(1, 8), declared={GPU: 16}, metric_items=refused())
    assert verdict["decision"] == "admit"


@pytest.mark.parametrize("by_metrics", [False, True])
def test_a_job_that_waits_may_start_where_a_listed_job_has_just_ended(by_metrics: bool) -> None:
    """The list of jobs is the older one: what it shows as held is free by the node, or by metrics."""
    nodes = gpu_nodes(8)
    jobs = [
        job({GPU: "4"}, on={"10.0.0.1": {GPU: "4"}} if by_metrics else [address_of(nodes[0])]),
        queued(6, seconds=10),
    ]
    items = [metrics({GPU: 8}, {GPU: 0})]
    policy = {"queue_strategy": "traversal", "placement": "aggregate"}
    verdict = decide(
        refused() if by_metrics else nodes,
        jobs,
        request=asking(1, 4, priority=9),
        metric_items=items,
        policy=policy,
    )
    assert verdict["decision"] == "wait"
    assert check_of(verdict, GPU)["missing"] == 6
