# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each strategy: who starts next, who holds up whom, and what is only assumed never rejects."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.strategies import STRATEGIES
from ansible_collections.poolgate.modelarts.tests.unit.cards import asking, gpu_nodes, queued, reason
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    Verdict,
    check_of,
    decide,
    job,
    node,
    pool,
)

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("named", "wanted", "decision", "said"),
    [
        (None, "auto", "wait", "fifo (assumed, pool names none), 1 ahead"),
        ("fifo", "auto", "wait", "fifo (named by the pool), 1 ahead"),
        ("backfill", "auto", "admit", "backfill (named by the pool), 1 ahead"),
        ("Backfill", "auto", "admit", "backfill (named by the pool), 1 ahead"),
        ("fair-share-2", "auto", "wait", "fair-share-2"),
        ("fair-share-2", "backfill", "admit", "backfill (by policy), 1 ahead"),
        ("backfill", "fifo", "wait", "fifo (by policy), 1 ahead"),
        (None, "backfill", "admit", "backfill (by policy), 1 ahead"),
    ],
)
def test_strategy_of_the_queue(named: str | None, wanted: str, decision: str, said: str) -> None:
    verdict = decide(
        gpu_nodes(8, 0),
        [queued("16")],
        request=asking(8),
        policy={"queue_strategy": wanted},
        pool_document=pool({FLAVOR: 2}, strategy=named),
    )
    assert verdict["decision"] == decision
    assert said in check_of(verdict, "queue")["message"]
    if named == "fair-share-2" and wanted == "auto":
        assert "not known" in check_of(verdict, "queue")["message"]
        assert "fifo" in check_of(verdict, "queue")["message"]


def test_under_backfill_what_came_just_now_goes_first() -> None:
    policy = {"queue_strategy": "backfill"}
    assert decide(gpu_nodes(8), [queued("8", seconds=2)], request=asking(1), policy=policy)["decision"] == "wait"
    assert decide(gpu_nodes(8), [queued("7", seconds=2)], request=asking(1), policy=policy)["decision"] == "admit"
    stuck = [queued("64", seconds=DAY + number) for number in range(120)]
    verdict = decide(gpu_nodes(8), [*stuck, queued("8", seconds=2)], request=asking(1), policy=policy)
    assert verdict["decision"] != "admit"
    assert decide(gpu_nodes(8), stuck, request=asking(1), policy=policy)["decision"] == "admit"


def test_a_head_that_can_never_fit_makes_waiting_pointless() -> None:
    """By a strategy that the policy or the pool names. One that is only assumed holds back, and names the cause."""
    blocking = queued("64", name="too-big", seconds=HOUR)
    jobs = [queued("1", seconds=60), blocking]
    named = pool({FLAVOR: 2}, strategy="FIFO")
    assert decide(gpu_nodes(8, 8), jobs, request=asking(1), pool_document=named)["decision"] == "reject"
    assumed = decide(gpu_nodes(8, 8), jobs, request=asking(1))
    assert assumed["decision"] == "wait"
    assert "too-big" in check_of(assumed, "queue")["message"]
    verdict = decide(gpu_nodes(8, 8), jobs, request=asking(1), policy={"queue_strategy": "fifo"})
    assert verdict["decision"] == "reject"
    message = check_of(verdict, "queue")["message"]
    assert "too-big" in message
    assert "gpu 64" in message
    assert "16" in message
    assert any("end" in remedy and "too-big" in remedy for remedy in verdict["remedies"])


def test_one_behind_the_head_that_can_never_fit_blocks_as_well() -> None:
    verdict = decide(gpu_nodes(8), [queued("8", seconds=100), queued("64", name="too-big")], request=asking(1))
    assert "too-big" in check_of(verdict, "queue")["message"]


def test_one_that_may_not_be_ahead_does_not_reject() -> None:
    jobs = [queued("64", priority="urgent?", name="too-big")]
    assert decide(gpu_nodes(8), jobs, request=asking(1, priority=5))["decision"] == "wait"


def test_a_strategy_that_is_only_assumed_for_another_does_not_reject() -> None:
    document = pool({FLAVOR: 1}, strategy="fair-share-2")
    assert decide(gpu_nodes(8), [queued("64")], request=asking(1), pool_document=document)["decision"] == "wait"


def test_backfill_passes_a_head_that_can_never_fit() -> None:
    policy = {"queue_strategy": "backfill"}
    assert decide(gpu_nodes(8), [queued("64")], request=asking(1), policy=policy)["decision"] == "admit"


def test_234_jobs_queued_for_months_are_named_as_the_cause() -> None:
    """The documented example: five of 234 jobs, of one core each, that have waited 22 to 98 days."""
    ages = (1918236, 1919830, 7192323, 7198182, 8473063)
    example = [
        job({"cpu": "1 Cores", "memory": "6.52 GiB"}, "Queue", seconds=seconds, name=f"autotest_{number}")
        for number, seconds in enumerate([*ages, *range(5000, 5229)])
    ]
    nodes = [node({"cpu": "3920m", "memory": "6270Mi"}, {"cpu": "2970m", "memory": "4558Mi"}) for _i in range(3)]
    verdict = decide(nodes, example, request={"resources": {"cpu": "1"}, "type": "train"})
    message = check_of(verdict, "queue")["message"]
    assert check_of(verdict, "queue")["ahead"] == 234
    assert verdict["decision"] in ("wait", "reject")
    assert "234 ahead" in message
    assert "autotest_4" in message
    assert "can never fit" in message or ("98 d" in message and "does not move" in message)


def test_a_queue_that_stands_still_is_named_though_its_head_could_fit() -> None:
    verdict = decide(gpu_nodes(0), [queued("8", seconds=20 * DAY, name="stuck")], request=asking(1))
    assert verdict["decision"] == "wait"
    message = check_of(verdict, "queue")["message"]
    assert "stuck" in message
    assert "has waited 20 d: this queue does not move" in message
    assert "does not move" not in reason(decide(gpu_nodes(0), [queued("8", seconds=HOUR)], request=asking(1)))


@pytest.mark.parametrize("resource", ["huawei.com/ascend-1980", "ephemeral-storage"])
def test_a_head_that_asks_for_what_nodes_do_not_name_may_start(resource: str) -> None:
    head = job({GPU: "1", resource: "8"}, "Queue", seconds=100)
    verdict = decide(gpu_nodes(8), [head], request=asking(1), policy={"queue_strategy": "fifo"})
    assert verdict["decision"] == "wait"


def decision_by(strategy: str, jobs: list[Document], priority: int = 1, seconds: int | None = HOUR) -> Verdict:
    """The verdict on one card asked for beside eight free ones, which none of the jobs finds enough."""
    policy = {"queue_strategy": strategy, **({} if seconds is None else {"ladder_seconds": seconds})}
    return decide(gpu_nodes(8, 0), jobs, request={**asking(1), "priority": priority}, policy=policy)


@pytest.mark.parametrize(
    ("waited", "seconds", "decision"),
    [
        (HOUR - 60, HOUR, "wait"),
        (HOUR + 60, HOUR, "admit"),
        (HOUR, 0, "admit"),
        (DAY, None, "wait"),
    ],
)
def test_a_job_on_the_ladder_holds_up_others_for_a_time(waited: int, seconds: int | None, decision: str) -> None:
    verdict = decision_by("ladder", [queued(16, seconds=waited, priority="1")], seconds=seconds)
    assert verdict["decision"] == decision, verdict["reasons"]


def test_a_job_that_never_fits_is_passed_on_a_ladder() -> None:
    """Without its seconds it is only assumed to hold others up for good, which rejects nothing."""
    assert decision_by("ladder", [queued(64, seconds=60, priority="1")])["decision"] == "wait"
    assert decision_by("ladder", [queued(64, seconds=DAY, priority="1")])["decision"] == "admit"
    assert decision_by("ladder", [queued(64, seconds=DAY, priority="1")], seconds=None)["decision"] == "wait"


def test_jobs_on_a_ladder_that_are_not_listed_may_hold_up_others() -> None:
    many = [queued(16, seconds=DAY + number, priority="1") for number in range(100)]
    assert decision_by("ladder", many)["decision"] == "admit"
    assert decision_by("ladder", [*many, queued(16, seconds=60, priority="1")])["decision"] == "unknown"


@pytest.mark.parametrize(
    ("theirs", "ours", "waited", "decision"),
    [
        ("3", 1, 60, "wait"),
        ("3", 2, DAY, "wait"),
        ("3", 3, 60, "wait"),
        ("3", 3, DAY, "admit"),
        ("2", 1, 60, "admit"),
        ("2", 3, 60, "admit"),
        (None, 1, DAY, "wait"),
    ],
)
def test_tiers_go_one_after_the_other(theirs: str | None, ours: int, waited: int, decision: str) -> None:
    """The first tier by ladder, the others by traversal once none of the first waits."""
    verdict = decision_by("tiered", [queued(16, seconds=waited, priority=theirs)], ours)
    assert verdict["decision"] == decision, verdict["reasons"]


def test_in_tiers_nobody_starts_beside_a_job_of_the_first_that_waits() -> None:
    """The lower one came just now and fits, and is held up all the same. Without the first it may be about to start."""
    lower = queued(8, seconds=2, priority="1")
    assert decision_by("tiered", [queued(16, seconds=DAY, priority="3"), lower], 3)["decision"] == "admit"
    assert decision_by("tiered", [lower], 3)["decision"] == "wait"


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_can_be_named_by_policy_and_pool(name: str) -> None:
    document = pool({FLAVOR: 1}, strategy=name.upper())
    by_pool = decide(gpu_nodes(8), [], request=asking(1), pool_document=document)
    by_policy = decide(gpu_nodes(8), [], request=asking(1), policy={"queue_strategy": name})
    assert check_of(by_pool, "queue")["message"] == f"{name} (named by the pool), 0 ahead"
    assert check_of(by_policy, "queue")["message"] == f"{name} (by policy), 0 ahead"
