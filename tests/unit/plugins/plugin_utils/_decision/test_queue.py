# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which jobs stand before the request, and which of them may be about to start."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import OWN, asking, gpu_nodes, queued, reason
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    Document,
    address_of,
    check_of,
    decide,
    job,
    metrics,
    refused,
)


def test_any_job_ahead_means_wait_whatever_is_idle() -> None:
    verdict = decide(gpu_nodes(8, 8), [queued("16", name="llm-7")], request=asking(1))
    assert verdict["decision"] == "wait"
    check = check_of(verdict, "queue")
    assert (check["passed"], check["ahead"]) == (False, 1)
    assert "fifo (assumed, pool names none), 1 ahead" in check["message"]
    assert "llm-7" in check["message"]
    assert [waiting["job_name"] for waiting in verdict["ahead"]] == ["llm-7"]


@pytest.mark.parametrize(
    ("theirs", "ours", "ahead"),
    [
        ("0", 0, 1),
        ("0", 1, 0),
        ("1", 0, 1),
        ("9", 10, 0),
        ("10", 9, 1),
        ("-1", 0, 0),
        (5, 6, 0),
        ("0", None, 1),
        ("urgent", 9, 1),
        (None, 9, 1),
        ("", 9, 1),
    ],
)
def test_priority(theirs: t.Any, ours: int | None, ahead: int) -> None:
    """The higher number goes first, the older first among equals; what cannot be read is ahead."""
    verdict = decide(gpu_nodes(8), [queued("8", priority=theirs)], request=asking(1, priority=ours))
    assert check_of(verdict, "queue")["ahead"] == ahead
    assert verdict["decision"] == ("wait" if ahead else "admit")


@pytest.mark.parametrize(
    ("kind", "scope", "ahead"),
    [("infer", "pool", 1), ("infer", "type", 0), ("train", "type", 1), (None, "type", 1), ("x-infer", "type", 0)],
)
def test_scope_of_the_queue(kind: str | None, scope: str, ahead: int) -> None:
    verdict = decide(
        gpu_nodes(8),
        [queued("8", kind=kind)],
        request=asking(1, type="train"),
        policy={"queue_scope": scope},
    )
    assert check_of(verdict, "queue")["ahead"] == ahead
    assert verdict["decision"] == ("wait" if ahead else "admit")
    if scope == "type":
        assert any("queue_scope" in note and "train" in note for note in verdict["notes"])


@pytest.mark.parametrize("status", ["Queue", "Pending"])
def test_both_statuses_that_wait(status: str) -> None:
    assert decide(gpu_nodes(8), [job({GPU: "8"}, status)], request=asking(1))["decision"] == "wait"


def test_a_restarted_job_does_not_stand_in_its_own_way() -> None:
    first = queued("8", uuid=OWN)
    again = asking(1, 8, replaces={"job_uuid": OWN})
    assert decide(gpu_nodes(8), [first], request=asking(1, 8))["decision"] == "wait"
    verdict = decide(gpu_nodes(8), [first], request=again)
    assert verdict["decision"] == "admit"
    assert check_of(verdict, "queue")["ahead"] == 0
    assert check_of(decide(gpu_nodes(8), [first, queued("8")], request=again), "queue")["ahead"] == 1


@pytest.mark.parametrize(
    ("limit", "waiting", "passed"),
    [(600, [600], True), (600, [601], False), (600, [], True), (600, [10] * 150 + [9000], False)],
)
def test_the_oldest_that_waits(limit: int, waiting: list[int], passed: bool) -> None:
    """Also where a hundred others of a higher priority wait before it."""
    jobs = [queued("8", seconds=age, priority="0" if age > limit else "3") for age in waiting]
    policy = {"max_oldest_queued_seconds": limit, "queue_strategy": "backfill"}
    verdict = decide(gpu_nodes(8), jobs, request=asking(1, priority=9), policy=policy)
    assert check_of(verdict, "queue_age")["passed"] is passed
    assert verdict["decision"] == ("admit" if passed else "wait")


@pytest.mark.parametrize("strategy", ["fifo", "backfill"])
@pytest.mark.parametrize(
    ("theirs", "asked", "scope"),
    [
        ({"priority": "1"}, {"priority": 3}, "pool"),
        ({"kind": "train"}, {"type": "infer"}, "type"),
    ],
)
def test_a_job_that_came_just_now_is_there_first(strategy: str, theirs: Document, asked: Document, scope: str) -> None:
    """Whatever its type and priority: it starts before the deployment is sent, unless it is too large."""
    policy = {"queue_strategy": strategy, "queue_scope": scope}

    def decision(cards: int, seconds: int) -> str:
        jobs = [queued(cards, seconds=seconds, **theirs)]
        return str(decide(gpu_nodes(8), jobs, request={**asking(1, 8), **asked}, policy=policy)["decision"])

    assert decision(8, 2) == "wait"
    assert decision(8, 100) == "admit"
    assert decision(16, 2) == "admit"


def test_in_a_strict_order_nothing_starts_behind_one_that_cannot() -> None:
    jobs = [queued(16, seconds=100, priority="2"), queued(8, seconds=2, priority="1")]
    asked = {**asking(1, 8), "priority": 3}
    assert decide(gpu_nodes(8), jobs, request=asked, policy={"queue_strategy": "fifo"})["decision"] == "admit"
    assert decide(gpu_nodes(8), jobs, request=asked, policy={"queue_strategy": "backfill"})["decision"] == "wait"


def test_jobs_that_are_not_listed_may_be_about_to_start() -> None:
    """The first hundred are listed. Where all of those are young, one behind them may be the one that fits."""
    jobs = [queued(16, seconds=2, priority="1") for _job in range(101)]
    verdict = decide(gpu_nodes(8), jobs, request={**asking(1, 8), "priority": 3}, policy={"queue_strategy": "fifo"})
    assert verdict["decision"] == "unknown"
    assert "jobs that are not listed may be about to start" in reason(verdict)


# The most room that others may find

REPLACED = "0f7c1a52-6b1d-4d0e-9c55-2f3f6f1f7a10"
PASSING = {"queue_strategy": "traversal"}


@pytest.mark.parametrize("odd", [{"taints": "?"}, {}])
def test_others_may_start_where_a_deployment_does_not_count_on_it(odd: Document) -> None:
    """A node of which it cannot be told whether it takes work, and one whose entry is older than the end of its job."""
    first, second = gpu_nodes(8, 8 if odd else 0)
    second["spec"].update(odd)
    young, none = [queued(16, seconds=2)], [queued(24, seconds=2)]
    assert decide([first, second], young, request=asking(1, 8), policy=PASSING)["decision"] == "wait"
    assert decide([first, second], none, request=asking(1, 8), policy=PASSING)["decision"] == "admit"


@pytest.mark.parametrize("standby", [True, False])
def test_a_part_of_a_job_that_goes_may_be_the_one_that_others_wait_for(standby: bool) -> None:
    """A replica on a broken node gives back nothing to the deployment. The other one may be what others start in."""
    idle, shared, broken = gpu_nodes(4, 0, 0)
    broken["status"]["phase"] = "Abnormal"
    on = {address_of(shared): {GPU: 4}, address_of(broken): {GPU: 4}}
    jobs = [job({GPU: 8}, uuid=REPLACED, on=on, kind="infer")]
    jobs += [job({GPU: 4}, on=[address_of(item)]) for item in (idle, shared, broken)]
    request = {"resources": {GPU: 4}, "replaces": {"job_uuid": REPLACED, "replicas": 1}}
    waits = [queued(8, seconds=3000)] if standby else []
    decision = decide([idle, shared, broken], [*jobs, *waits], request=request, policy=PASSING)["decision"]
    assert decision == ("wait" if standby else "admit")


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("cards", [16, 24])
def test_what_goes_where_no_nodes_are_known_is_for_those_that_wait(measured: bool, cards: int) -> None:
    jobs = [job({GPU: 8}, uuid=REPLACED, on=["10.0.0.1"], kind="infer"), queued(cards, seconds=4000)]
    verdict = decide(
        refused(),
        jobs,
        request={"resources": {GPU: 8}, "replaces": {"job_uuid": REPLACED}},
        policy={**PASSING, "placement": "aggregate"},
        declared=None if measured else {GPU: 16},
        metric_items=[metrics({GPU: 16}, {GPU: 8})] if measured else refused(),
    )
    assert verdict["decision"] == ("wait" if cards == 16 else "admit")


@pytest.mark.parametrize(
    ("strategy", "decision"), [("fifo", "wait"), ("ladder", "wait"), ("tiered", "wait"), ("traversal", "admit")]
)
def test_the_replaced_job_may_be_what_held_up_the_queue(strategy: str, decision: str) -> None:
    jobs = [
        job({GPU: 16}, "Queue", uuid=REPLACED, priority="2", seconds=5000),
        queued(8, priority="1", seconds=4000),
    ]
    request = {**asking(1, 8), "priority": 3, "replaces": {"job_uuid": REPLACED}}
    verdict = decide(gpu_nodes(8), jobs, request=request, policy={"queue_strategy": strategy})
    assert verdict["decision"] == decision
    assert decide(gpu_nodes(8), jobs[:1], request=request, policy={"queue_strategy": strategy})["decision"] == "admit"
