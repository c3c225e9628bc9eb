# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment gives back before it starts, and who may take it first."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import (
    OWN,
    SIZE,
    asking,
    gpu_nodes,
    holding,
    queued,
    reason,
    replacing,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    address_of,
    check_of,
    decide,
    job,
    metrics,
    node,
)

HOUR, DAY = 3600, 86400


def test_a_rolling_update_frees_its_own_cards_first() -> None:
    nodes = gpu_nodes(0, 0)
    jobs = [holding(nodes, 8, 8, uuid=OWN)]
    assert decide(nodes, jobs, request=asking(2, 8))["decision"] == "wait"
    verdict = decide(nodes, jobs, request=replacing(2, 8))
    assert verdict["decision"] == "admit"
    assert check_of(verdict, GPU)["free"] == 16
    assert decide(nodes, jobs, request=replacing(3, 8))["decision"] == "reject"


def test_what_is_given_back_counts_node_by_node() -> None:
    nodes = gpu_nodes(2, 2)
    jobs = [holding(nodes, 3, 3, uuid=OWN), holding(nodes, 3, 3)]
    assert decide(nodes, jobs, request=replacing(2, 5))["decision"] == "admit"
    verdict = decide(nodes, jobs, request=replacing(1, 6))
    assert verdict["decision"] == "wait"
    assert check_of(verdict, GPU)["passed"] is True


def test_a_job_on_one_node_that_shows_no_split() -> None:
    nodes = gpu_nodes(0)
    jobs = [job({GPU: "8"}, uuid=OWN, on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request=replacing(1, 8))["decision"] == "admit"


def test_a_split_that_is_not_known_is_unknown() -> None:
    nodes = gpu_nodes(0, 0)
    jobs = [job({GPU: "16"}, uuid=OWN, on=[address_of(item) for item in nodes], name="svc")]
    verdict = decide(nodes, jobs, request=replacing(2, 8))
    assert verdict["decision"] != "admit"
    check = check_of(verdict, "replaces")
    assert check["passed"] is None
    assert "svc" in check["message"]
    assert "split" in check["message"]


@pytest.mark.parametrize(("free", "old", "others", "asked"), [(6, 8, [], 8), (2, 4, [4], 4)])
def test_a_replaced_job_that_the_node_does_not_count_any_more_gives_nothing_back(
    free: int, old: int, others: list[int], asked: int
) -> None:
    """It has ended by itself, and another has taken some of its cards. The list of jobs is behind that of nodes."""
    nodes = gpu_nodes(free)
    jobs = [holding(nodes, old, uuid=OWN), *(holding(nodes, other) for other in others)]
    assert decide(nodes, jobs, request=replacing(1, asked))["decision"] == "wait"
    assert decide(nodes, jobs, request=replacing(1, min(free, asked)))["decision"] == "admit"


def test_a_job_that_holds_and_shows_no_node() -> None:
    verdict = decide(gpu_nodes(8), [job({GPU: "8"}, "Creating", uuid=OWN)], request=replacing(1, 8))
    assert check_of(verdict, "replaces")["passed"] is None
    assert verdict["decision"] != "admit"


def test_a_job_on_an_address_that_no_node_has() -> None:
    jobs = [job({GPU: "8"}, uuid=OWN, on=["172.16.0.9"])]
    verdict = decide(gpu_nodes(8), jobs, request=replacing(1, 8))
    assert check_of(verdict, "replaces")["passed"] is None


@pytest.mark.parametrize("jobs", [[], [job({GPU: "8"}, "Completed", uuid=OWN)]])
def test_a_job_that_is_gone_gives_nothing_back_and_that_is_said(jobs: list[Document]) -> None:
    assert decide(gpu_nodes(8), jobs, request=replacing(1, 8))["decision"] == "admit"
    verdict = decide(gpu_nodes(0), jobs, request=replacing(1, 8))
    assert verdict["decision"] == "wait"
    assert any("nothing is given back" in note for note in verdict["notes"])


def test_what_is_given_back_on_a_node_that_takes_no_work_is_no_room() -> None:
    nodes = [*gpu_nodes(0, drain=True), *gpu_nodes(0)]
    jobs = [holding(nodes, 8, 8, uuid=OWN)]
    assert decide(nodes, jobs, request=replacing(1, 8))["decision"] == "admit"
    assert decide(nodes, jobs, request=replacing(2, 8))["decision"] == "wait"


def test_more_than_a_node_has_is_never_given_back() -> None:
    """The job is broken, and its cards show as free already."""
    nodes = [*gpu_nodes(8), *gpu_nodes(8, phase="Abnormal")]
    jobs = [job({GPU: "8"}, "Abnormal", uuid=OWN, on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request=replacing(1, 8))["decision"] == "admit"
    verdict = decide(nodes, jobs, request=replacing(2, 8))
    assert verdict["decision"] == "wait"
    assert check_of(verdict, GPU)["free"] == 8


def test_replicas_that_are_given_back_of_a_job_of_the_same_shape() -> None:
    """Which of them go is not known: what counts is there whichever go."""
    nodes = gpu_nodes(0, 0)
    jobs = [holding(nodes, 8, 8, uuid=OWN)]
    assert decide(nodes, jobs, request=replacing(2, 4, back=2))["decision"] == "admit"
    assert decide(nodes, jobs, request=replacing(3, 4, back=2))["decision"] == "wait"
    assert decide(nodes, jobs, request=replacing(4, 4, back=4))["decision"] == "admit"


def test_replicas_of_an_unknown_shape_are_unknown() -> None:
    nodes = gpu_nodes(0, 0)
    jobs = [holding(nodes, 8, 6, uuid=OWN)]
    verdict = decide(nodes, jobs, request=replacing(1, 4, back=1))
    assert verdict["decision"] != "admit"
    assert check_of(verdict, "replaces")["passed"] is None


def test_replicas_on_a_node_that_takes_no_work_may_be_those_that_go() -> None:
    nodes = [*gpu_nodes(0), *gpu_nodes(0, drain=True)]
    jobs = [holding(nodes, 4, 4, uuid=OWN)]
    assert decide(nodes, jobs, request=replacing(1, 4, back=1))["decision"] != "admit"
    assert decide(nodes, jobs, request=replacing(1, 4, back=2))["decision"] == "admit"


@pytest.mark.parametrize("strategy", ["fifo", "backfill"])
def test_what_is_given_back_is_theirs_first_who_wait(strategy: str) -> None:
    """Whatever their priority: the cards are free before the deployment is submitted."""
    nodes = gpu_nodes(0)
    policy = {"queue_strategy": strategy}
    jobs = [holding(nodes, 8, uuid=OWN), queued("8", priority="0", name="patient")]
    verdict = decide(nodes, jobs, request={**replacing(1, 8), "priority": 5}, policy=policy)
    assert verdict["decision"] == "wait"
    assert "patient" in reason(verdict)


@pytest.mark.parametrize("strategy", ["fifo", "backfill"])
def test_one_that_waits_for_more_than_is_given_back_takes_nothing(strategy: str) -> None:
    nodes = gpu_nodes(0, 0)
    policy = {"queue_strategy": strategy}
    jobs = [holding(nodes, 8, uuid=OWN), holding(nodes[1:], 8), queued("16", priority="0")]
    verdict = decide(nodes, jobs, request={**replacing(1, 8), "priority": 5}, policy=policy)
    assert verdict["decision"] == "admit"


def test_what_is_given_back_may_let_a_larger_one_start_that_takes_more() -> None:
    """8 given back and 8 idle: the one that waits for 16 takes both."""
    nodes = gpu_nodes(0, 8)
    jobs = [holding(nodes, 8, uuid=OWN), queued("16", seconds=HOUR)]
    verdict = decide(nodes, jobs, request=replacing(1, 8), policy={"queue_strategy": "backfill"})
    assert verdict["decision"] == "wait"


def test_a_job_that_was_restarted_under_its_uuid() -> None:
    nodes = gpu_nodes(0)
    jobs = [job({GPU: "8"}, "Terminated", uuid=OWN, on=[address_of(nodes[0])]), holding(nodes, 8, uuid=OWN)]
    assert decide(nodes, jobs, request=replacing(1, 8))["decision"] == "admit"


def test_a_rolling_update_beside_fresh_metrics() -> None:
    nodes = gpu_nodes(0, 0)
    items = [metrics({GPU: 16}, {GPU: 16})]
    verdict = decide(nodes, [holding(nodes, 8, 8, uuid=OWN)], request=replacing(2, 8), metric_items=items)
    assert verdict["decision"] == "admit"


def test_a_rolling_update_of_whole_nodes() -> None:
    nodes = [node(SIZE, {"cpu": "1", "memory": "9Gi", GPU: "0"})]
    on = {address_of(nodes[0]): {"cpu": "62", "memory": "480Gi", GPU: "8"}}
    jobs = [job({"cpu": "62", "memory": "480Gi", GPU: "8"}, uuid=OWN, on=on)]
    request = {"flavor": FLAVOR, "replaces": {"job_uuid": OWN}}
    assert decide(nodes, jobs, request=request)["decision"] == "admit"
    assert decide(nodes, [*jobs, job({"cpu": "1"}, on=list(on))], request=request)["decision"] == "wait"


@pytest.mark.parametrize("status", ["Queue", "Creating"])
def test_a_place_that_is_given_back_can_go_to_another_job(status: str) -> None:
    nodes = gpu_nodes(0, 3, 3)
    own = holding(nodes, 8, uuid=OWN, kind="infer")
    others = [job({GPU: "5"}, on={address_of(item): {GPU: "5"}}) for item in nodes[1:]]
    asked = replacing(1, 4, 1)
    backfill = {"queue_strategy": "backfill"}
    assert decide(nodes, [own, *others], request=asked, policy=backfill)["decision"] == "admit"
    other = job({GPU: "4"}, status, seconds=100)
    assert decide(nodes, [own, *others, other], request=asked, policy=backfill)["decision"] == "wait"


def test_what_is_given_back_can_go_to_a_job_of_another_queue() -> None:
    nodes = gpu_nodes(0)
    own = holding(nodes, 8, uuid=OWN, kind="infer")
    other = queued(8, seconds=100, kind="train")
    asked = {**replacing(1, 8), "type": "infer"}
    assert decide(nodes, [own, other], request=asked, policy={"queue_scope": "type"})["decision"] == "wait"


@pytest.mark.parametrize("strategy", ["traversal", "fifo"])
@pytest.mark.parametrize(
    ("share", "part"),
    [
        ({GPU: "4"}, False),
        ({GPU: "4", "cpu": "24"}, False),
        ({"cpu": "24", "memory": "400Gi", GPU: "4"}, False),
        ({"cpu": "24", "memory": "400Gi", GPU: "4"}, True),
    ],
)
def test_memory_comes_back_with_the_cards_and_lets_another_job_start(
    share: dict[str, str], part: bool, strategy: str
) -> None:
    """Neither a request that names only cards, nor a share that does, keeps a job out that waits for memory."""
    size = {"cpu": "64", "memory": "512Gi", GPU: "8"}
    there = node(size, {"cpu": "40", "memory": "112Gi", GPU: "4"})
    mine = job({"cpu": "24", "memory": "400Gi", GPU: "4"}, on={address_of(there): share}, kind="infer")
    # With one of two replicas gone, or with both, it starts, and one card is left.
    waits = job({"cpu": "8", "memory": "250Gi", GPU: "5" if part else "7"}, "Queue", priority="1")
    replaces = {"job_uuid": mine["jobUUID"], **({"replicas": 1} if part else {})}
    request = {"type": "infer", "priority": 3, "replicas": 2, "resources": {GPU: 2}, "replaces": replaces}
    verdict = decide([there], [mine, waits], request=request, policy={"queue_strategy": strategy})
    assert verdict["decision"] == "wait"
    assert decide([there], [mine], request=request, policy={"queue_strategy": strategy})["decision"] == "admit"


@pytest.mark.parametrize(
    ("uuid", "decision"), [("{}", "wait"), (" {} ", "wait"), ("upper", "wait"), ("", "unknown"), (None, "unknown")]
)
def test_a_replaced_job_is_known_by_its_uuid_however_it_is_written(uuid: str | None, decision: str) -> None:
    """Where it is not known, another job could start in the room that its end opens."""
    held = {"cpu": "60", GPU: "4"}
    there = node(SIZE, {**SIZE, "cpu": "4", GPU: "4"})
    mine = job(held, on={address_of(there): held}, uuid=OWN.replace("0", "a"))
    waits = job({"cpu": "32", GPU: "6"}, "Queue", priority="1")
    request = {**asking(2, 2), "priority": 1, "replaces": {"job_uuid": mine["jobUUID"]}}
    if uuid is None:
        del mine["jobUUID"]
    else:
        mine["jobUUID"] = mine["jobUUID"].upper() if uuid == "upper" else uuid.format(mine["jobUUID"])
    verdict = decide([there], [mine, waits], request=request, policy={"queue_strategy": "traversal"})
    assert verdict["decision"] == decision
    if decision == "unknown":
        assert "one of them shows no UUID" in reason(verdict)
