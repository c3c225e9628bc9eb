# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from a request and a situation: the source of the room, and who takes some of it first."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import (
    asking,
    gpu_nodes,
    reason,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    address_of,
    decide,
    job,
    metrics,
    pool,
    refused,
)


def test_nodes_are_the_best_source() -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), metric_items=[metrics({GPU: 8}, {GPU: 0}, age=120)])
    assert (verdict["decision"], verdict["source"], verdict["age_seconds"]) == ("admit", "nodes", 0)


def test_a_declared_capacity_is_not_better_than_fresh_metrics() -> None:
    items = [metrics({GPU: 64}, {GPU: 60})]
    policy = {"placement": "aggregate"}
    verdict = decide(refused(), request=asking(8), declared={GPU: 640}, metric_items=items, policy=policy)
    assert (verdict["decision"], verdict["source"]) == ("wait", "metrics")
    verdict = decide(refused(), request=asking(8), declared={GPU: 4}, metric_items=items, policy=policy)
    assert verdict["decision"] == "wait"


@pytest.mark.parametrize("declared", [{GPU: 16}, None])
def test_nodes_that_only_the_pool_counts_leave_other_sources_unknown(declared: Document | None) -> None:
    document = pool({FLAVOR: 2})
    document["status"]["resources"] = {"available": [], "abnormal": [{"flavor": FLAVOR, "count": 2}]}
    verdict = decide(
        refused(),
        request=asking(1, 8),
        pool_document=document,
        policy={"placement": "aggregate"},
        declared=declared,
        metric_items=refused() if declared else [metrics({GPU: "16"}, {GPU: "0"})],
    )
    assert verdict["decision"] == "unknown"
    assert "the pool counts 2 nodes as not available" in reason(verdict)


@pytest.mark.parametrize("split", [False, True])
def test_what_a_job_asks_beyond_its_nodes_is_on_others(split: bool) -> None:
    """It shows one of its two nodes, and the entry of the other is older than the job."""
    shown, other = gpu_nodes(8, 8)
    on: t.Any = {address_of(shown): {GPU: "8"}} if split else [address_of(shown)]
    large = job({GPU: "16"}, "Creating", on=on)
    assert decide([shown, other], [large], request=asking(1, 8))["decision"] == "wait"
    assert decide([shown, other], [large], request={"flavor": FLAVOR})["decision"] == "wait"
    assert decide([shown, other], [job({GPU: "8"}, on=on)], request=asking(1, 8))["decision"] == "admit"


@pytest.mark.parametrize(
    "counts",
    [
        {"available": [], "abnormal": [{"flavor": FLAVOR, "count": "two"}]},
        {"available": [], "abnormal": [{"count": 2}]},
        {"available": [], "abnormal": 2},
        {"available": []},
        {"available": [{"flavor": FLAVOR, "count": 1}]},
        {"available": [], "checking": [{"flavor": FLAVOR, "count": 2}]},
        "x",
        None,
    ],
)
@pytest.mark.parametrize("declared", [{GPU: 16}, None])
def test_node_counts_that_do_not_say_available_leave_other_sources_unknown(
    counts: t.Any, declared: Document | None
) -> None:
    document = pool({FLAVOR: 2})
    sources: Document = {
        "policy": {"placement": "aggregate"},
        "declared": declared,
        "metric_items": refused() if declared else [metrics({GPU: "16"}, {GPU: "0"})],
    }
    assert decide(refused(), request=asking(1, 8), pool_document=document, **sources)["decision"] == "admit"
    document["status"]["resources"] = counts
    assert decide(refused(), request=asking(1, 8), pool_document=document, **sources)["decision"] == "unknown"
