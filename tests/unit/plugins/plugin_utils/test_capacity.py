# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict from the documents on: every check, every decision, and the sentences with their numbers."""

from __future__ import annotations

import json
import typing as t
from fractions import Fraction

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import (
    best,
    capacity_verdict,
    hold_until_stable,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    Verdict,
    address_of,
    check_of,
    decide,
    job,
    metrics,
    node,
    observed,
    pool,
    refused,
)
from hypothesis import given
from hypothesis import strategies as st

SNT9, D1980 = "huawei.com/ascend-snt9", "huawei.com/ascend-1980"
SNT3, D310 = "huawei.com/ascend-snt3", "huawei.com/ascend-310"
SIZE = {"cpu": "64", "memory": "500Gi", GPU: "8"}
OWN = "c237e9e1-50e7-4c4d-97ba-f4a5e0f62f70"
HOUR, DAY = 3600, 86400


def gpu_nodes(*free: int, **states: t.Any) -> list[Document]:
    """Nodes of 8 cards with so many free ones."""
    return [node(SIZE, {**SIZE, GPU: str(cards)}, **states) for cards in free]


def asking(replicas: int, cards: t.Any = 1, **more: t.Any) -> Document:
    return {"replicas": replicas, "resources": {GPU: cards}, **more}


def holding(nodes: t.Sequence[Document], *cards: int, **more: t.Any) -> Document:
    """A job with so many cards on each of the nodes."""
    on = {address_of(item): {GPU: str(count)} for item, count in zip(nodes, cards)}
    return job({GPU: str(sum(cards))}, on=on, **more)


def queued(cards: t.Any, **more: t.Any) -> Document:
    return job({GPU: cards}, "Queue", **more)


def reason(verdict: Verdict) -> str:
    return " | ".join(verdict["reasons"])


# The pool


@pytest.mark.parametrize(
    ("phase", "decision"),
    [
        ("Running", "admit"),
        ("Creating", "wait"),
        ("Waiting", "wait"),
        ("Abnormal", "wait"),
        ("ScalingFailed", "wait"),
        ("Deleting", "reject"),
        ("Error", "wait"),
        ("CreationFailed", "reject"),
        ("Sleeping", "unknown"),
        (None, "unknown"),
    ],
)
def test_phase_of_the_pool(phase: str | None, decision: str) -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), pool_document=pool({FLAVOR: 1}, phase=phase))
    assert verdict["decision"] == decision
    assert (phase or "not told") in check_of(verdict, "pool")["message"]
    assert check_of(verdict, "pool")["passed"] is {"admit": True, "unknown": None}.get(decision, False)


def test_a_pool_that_the_api_does_not_know() -> None:
    gone = refused(404, "ModelArts.50015001")
    verdict = decide(gone, gone, request=asking(1), pool_document=gone)
    assert verdict["decision"] == "reject"
    assert "not found (404 ModelArts.50015001, request 7f3a91)" in reason(verdict)
    assert "metadata.name" in verdict["remedies"][0]


def test_a_pool_that_cannot_be_shown_is_not_usable_for_sure() -> None:
    verdict = decide(gpu_nodes(8), request=asking(1, type="train"), pool_document=refused())
    assert verdict["decision"] == "unknown"
    assert check_of(verdict, "pool")["passed"] is None
    assert "403 ModelArts.0108, request 7f3a91" in reason(verdict)


@pytest.mark.parametrize(
    ("state", "decision"),
    [
        ("Enabled", "admit"),
        ("Enabling", "wait"),
        ("Disabled", "reject"),
        ("Disabling", "reject"),
        (None, "reject"),
        ("Pausing", "unknown"),
    ],
)
def test_state_of_the_job_type(state: str | None, decision: str) -> None:
    scope = {"Train": "Enabled"} if state is None else {"Train": "Enabled", "Infer": state}
    verdict = decide(gpu_nodes(8), request=asking(1, type="infer"), pool_document=pool({FLAVOR: 1}, scope=scope))
    assert verdict["decision"] == decision
    check = check_of(verdict, "job_type")
    assert check["passed"] is {"admit": True, "unknown": None}.get(decision, False)
    assert "infer" in check["message"]
    if decision == "reject":
        assert "train Enabled" in check["message"]
        assert "enable infer" in verdict["remedies"][0]


def test_job_types_that_the_pool_does_not_tell() -> None:
    document = pool({FLAVOR: 1})
    del document["status"]["scope"]
    verdict = decide(gpu_nodes(8), request=asking(1, type="infer"), pool_document=document)
    assert verdict["decision"] == "unknown"
    assert check_of(verdict, "job_type")["passed"] is None


def test_a_job_type_that_is_not_asked_for_is_not_checked_and_that_is_said() -> None:
    document = pool({FLAVOR: 1}, scope={"Train": "Disabled"})
    verdict = decide(gpu_nodes(8), request=asking(1), pool_document=document)
    assert verdict["decision"] == "admit"
    assert any("job type not asked for" in note for note in verdict["notes"])


@pytest.mark.parametrize(
    ("document", "nodes", "why"),
    [
        (pool({FLAVOR: 1}, parent="pool-big"), gpu_nodes(8), "part of pool-big"),
        (pool({FLAVOR: 1}, subpools=3), gpu_nodes(8), "3 logical pools"),
        (pool({FLAVOR: 2}), [*gpu_nodes(8), *gpu_nodes(8, labels={"os.modelarts.node/elastic.quota": "q"})],
         "1 node is bound"),
    ],
)  # fmt: skip
def test_logical_pools_are_unknown(document: Document, nodes: list[Document], why: str) -> None:
    verdict = decide(nodes, request=asking(1), pool_document=document)
    assert verdict["decision"] == "unknown"
    assert why in check_of(verdict, "logical_pools")["message"]
    assert "quota" in reason(verdict)


def test_a_pool_that_counts_no_logical_pools() -> None:
    assert decide(gpu_nodes(8), request=asking(1), pool_document=pool({FLAVOR: 1}, subpools=0))["decision"] == "admit"


@pytest.mark.parametrize(("age", "decision"), [(0.0, "admit"), (300.0, "admit"), (301.0, "unknown"), (1e6, "unknown")])
def test_age_of_the_facts(age: float, decision: str) -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), age=age)
    assert verdict["decision"] == decision
    if decision == "unknown":
        assert "limit 5 min" in check_of(verdict, "age")["message"]


def test_old_facts_do_not_reject_either() -> None:
    document = pool({FLAVOR: 1}, scope={"Train": "Disabled"})
    verdict = decide(gpu_nodes(8), request=asking(1, type="train"), pool_document=document, age=3600.0)
    assert verdict["decision"] == "unknown"


# Room


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


# Placement


def test_room_that_is_scattered_is_no_place() -> None:
    verdict = decide(gpu_nodes(4, 4, 4), request=asking(1, 8))
    assert verdict["decision"] == "wait"
    assert check_of(verdict, GPU)["passed"] is True
    check = check_of(verdict, "placement")
    assert check["passed"] is False
    assert "0 of 1 replica on 3 usable nodes" in check["message"]
    assert any("scattered" in remedy for remedy in verdict["remedies"])


def test_all_replicas_or_none() -> None:
    verdict = decide(gpu_nodes(8, 8, 6, 0), request=asking(3, 6))
    assert verdict["decision"] == "admit"
    assert "3 of 3 replicas on 4 usable nodes" in check_of(verdict, "placement")["message"]
    verdict = decide(gpu_nodes(8, 8, 6, 5), request=asking(4, 6))
    assert verdict["decision"] == "wait"
    assert "3 of 4 replicas on 4 usable nodes" in check_of(verdict, "placement")["message"]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({"phase": "Abnormal"}, "1 phase Abnormal"),
        ({"phase": "Creating"}, "1 phase Creating"),
        ({"phase": "Checking"}, "1 phase Checking"),
        ({"phase": "Deleting"}, "1 phase Deleting"),
        ({"taints": ["NoSchedule"]}, "1 taint maintenance:NoSchedule"),
        ({"taints": ["PreferNoSchedule", "NoExecute"]}, "1 taint maintenance:NoExecute"),
        ({"drain": True}, "1 draining"),
        ({"labels": {"os.modelarts.node/volcano.scheduler.cabinet-exclusive": "job-9"}}, "1 reserved for job-9"),
    ],
)
def test_nodes_that_cannot_take_work_are_left_out_with_the_reason(states: t.Any, said: str) -> None:
    nodes = [*gpu_nodes(4), *gpu_nodes(8, **states)]
    counts = {FLAVOR: 2}
    verdict = decide(nodes, request=asking(1, 8), pool_document=pool(counts))
    assert verdict["decision"] == "wait"
    assert f"1 usable node, left out {said}" in check_of(verdict, "placement")["message"]
    assert check_of(verdict, GPU)["total"] == 8


def test_a_taint_that_only_advises_leaves_a_node_in() -> None:
    assert decide(gpu_nodes(8, taints=["PreferNoSchedule"]), request=asking(1, 8))["decision"] == "admit"


def test_a_replica_larger_than_any_node() -> None:
    nodes = [node({"cpu": "63200m", "memory": "500Gi"}) for _i in range(8)]
    verdict = decide(nodes, request={"replicas": 1, "resources": {"cpu": 64}})
    assert verdict["decision"] == "reject"
    message = check_of(verdict, "placement")["message"]
    assert message == "a replica asks cpu 64; the largest node offers 63.2 (8 looked at)"
    assert verdict["remedies"] == ["ask for cpu 63.2 or less, or give a flavor instead of resources."]


def test_sizes_that_are_not_asked_for_need_not_be_known_to_reject() -> None:
    nodes = [node({"cpu": "63200m", GPU: "8", "memory": "?"}), node({"cpu": "63200m", GPU: "8"})]
    assert decide(nodes, request={"resources": {"cpu": 64}})["decision"] == "reject"
    assert decide(nodes, request={"resources": {"cpu": 64, "memory": "1Gi"}})["decision"] == "reject"


def test_a_card_that_the_pool_does_not_have() -> None:
    verdict = decide(gpu_nodes(8), request={"resources": {SNT9: 1}})
    assert verdict["decision"] == "reject"
    assert "ascend-snt9" in reason(verdict)


def test_replicas_that_the_empty_pool_has_no_place_for() -> None:
    verdict = decide(gpu_nodes(0, 0, 0), request=asking(4, 5))
    assert verdict["decision"] == "reject"
    assert "the empty pool would take 3 of 4 replicas" in reason(verdict)
    assert any("3 replicas or fewer" in remedy for remedy in verdict["remedies"])


def test_a_master_and_its_workers_are_placed_together() -> None:
    def groups(master: int) -> Document:
        return {"groups": [{"resources": {GPU: master}}, {"replicas": 2, "resources": {GPU: 8}}]}

    assert decide(gpu_nodes(8, 8, 4), request=groups(4))["decision"] == "admit"
    verdict = decide(gpu_nodes(8, 8, 4), request=groups(5))
    assert verdict["decision"] == "wait"
    assert "3 replicas of 2 groups" in check_of(verdict, "placement")["message"]
    assert decide(gpu_nodes(8, 8), request=groups(1))["decision"] == "reject"


def test_a_search_that_is_given_up_is_unknown() -> None:
    """Past the bound nothing is admitted and nothing refused."""
    nodes = [node({"cpu": f"{90 + number}"}) for number in range(60)]
    groups = [{"replicas": 80, "resources": {"cpu": cores}} for cores in (17, 29, 41)]
    verdict = decide(nodes, request={"groups": groups})
    assert verdict["decision"] == "unknown"
    assert "given up" in check_of(verdict, "placement")["message"]


def test_placement_that_is_not_wanted_is_not_checked_and_that_is_said() -> None:
    verdict = decide(gpu_nodes(4, 4), request=asking(1, 8), policy={"placement": "aggregate"})
    assert verdict["decision"] == "admit"
    assert any("placement not checked" in note for note in verdict["notes"])


# Whole nodes


def test_whole_nodes_of_a_flavor() -> None:
    """What the node's own services take does not make it unfit: a flavor is gross."""
    idle = {**SIZE, "cpu": "63200m", "memory": "490Gi"}
    nodes = [node(SIZE, idle), node(SIZE, idle)]
    assert decide(nodes, request={"replicas": 2, "flavor": FLAVOR})["decision"] == "admit"
    verdict = decide(nodes, request={"replicas": 3, "flavor": FLAVOR})
    assert verdict["decision"] == "reject"
    assert "2" in reason(verdict)


def test_a_node_with_a_job_is_no_whole_node() -> None:
    nodes = gpu_nodes(8, 8)
    small = job({"cpu": "1"}, on=[address_of(nodes[0])])
    assert decide(nodes, [small], request={"flavor": FLAVOR})["decision"] == "admit"
    assert decide(nodes, [small], request={"replicas": 2, "flavor": FLAVOR})["decision"] == "wait"
    over = job({"cpu": "1"}, "Completed", on=[address_of(nodes[0])])
    assert decide(nodes, [over], request={"replicas": 2, "flavor": FLAVOR})["decision"] == "admit"


def test_whole_nodes_of_unequal_size() -> None:
    nodes = [node({**SIZE, "cpu": str(cores)}) for cores in (64, 63, 64)]
    assert decide(nodes, request={"replicas": 3, "flavor": FLAVOR})["decision"] == "admit"


def test_a_cpu_node_that_is_used_is_no_whole_node() -> None:
    nodes = [node({"cpu": "8", "memory": "32Gi"}, {"cpu": "100m", "memory": "1Gi"}, flavor="c8")]
    assert decide(nodes, request={"flavor": "c8"})["decision"] != "admit"


def test_a_flavor_that_the_pool_does_not_have() -> None:
    verdict = decide(gpu_nodes(8), request={"flavor": "modelarts.vm.gpu.16"})
    assert verdict["decision"] == "reject"
    assert "modelarts.vm.gpu.16" in reason(verdict)
    assert FLAVOR in verdict["remedies"][0]


# Jobs that show no node yet


def test_a_job_without_a_node_is_taken_off() -> None:
    starting = job({GPU: "8"}, "Creating")
    nodes = gpu_nodes(8, 8)
    assert decide(nodes, [starting], request=asking(8))["decision"] == "admit"
    verdict = decide(nodes, [starting], request=asking(9))
    assert verdict["decision"] == "wait"
    assert "8" in check_of(verdict, GPU)["message"]
    assert check_of(verdict, GPU)["unplaced"] == 8


@pytest.mark.parametrize("status", ["Creating", "Running", "Terminating", "Abnormal", "Something new"])
def test_every_status_that_holds(status: str) -> None:
    assert decide(gpu_nodes(8), [job({GPU: "8"}, status)], request=asking(1))["decision"] == "wait"


@pytest.mark.parametrize("status", ["Completed", "Terminated", "Failed"])
def test_every_status_that_is_over(status: str) -> None:
    assert decide(gpu_nodes(8), [job({GPU: "8"}, status)], request=asking(8))["decision"] == "admit"


def test_a_job_without_a_node_may_spoil_any_node() -> None:
    starting = job({GPU: "1"}, "Creating")
    verdict = decide(gpu_nodes(8, 8), [starting], request=asking(2, 7))
    assert verdict["decision"] == "admit"
    verdict = decide(gpu_nodes(8, 8), [starting], request=asking(2, 8))
    assert verdict["decision"] != "admit"
    verdict = decide(gpu_nodes(8, 8, 8), [starting], request=asking(2, 8))
    assert verdict["decision"] == "admit"


def test_a_job_of_many_small_parts_may_spoil_many_nodes() -> None:
    """Nobody tells how a job is split: four halves of a card can take the whole of four nodes from their next user."""
    halves = job({GPU: "2"}, "Creating")
    nodes = [node(SIZE, {**SIZE, GPU: "7500m"}) for _i in range(4)]
    assert decide(nodes, [halves], request=asking(1, "7500m"))["decision"] != "admit"
    millicores = job({"cpu": "1"}, "Creating")
    assert decide(gpu_nodes(8, 8, 8, 8), [millicores], request={"resources": {"cpu": 64}})["decision"] != "admit"


def test_a_master_without_cards_lands_somewhere_too() -> None:
    starting = job({"cpu": "61", GPU: "1"}, "Creating")
    assert decide(gpu_nodes(8, 8), [starting], request={"resources": {GPU: 8, "cpu": 60}})["decision"] != "admit"


def test_a_job_without_a_node_beside_several_groups() -> None:
    starting = job({GPU: "1"}, "Creating")
    groups = {"groups": [{"resources": {GPU: 1}}, {"resources": {GPU: 8}}]}
    assert decide(gpu_nodes(*[8] * 10), [starting], request=groups)["decision"] == "admit"
    assert decide(gpu_nodes(8, 8), [starting], request=groups)["decision"] != "admit"


def test_cards_that_jobs_hold_and_nodes_do_not_show_yet() -> None:
    """Nodes and jobs are not read in one instant."""
    nodes = gpu_nodes(8)
    verdict = decide(nodes, [holding(nodes, 8)], request=asking(1, 8))
    assert verdict["decision"] == "wait"


def test_a_job_without_a_node_whose_requirement_cannot_be_read() -> None:
    assert decide(gpu_nodes(8), [job({GPU: "some"}, "Creating")], request=asking(1))["decision"] == "unknown"
    assert decide(gpu_nodes(8), [job({"cpu": "some", GPU: "1"}, "Creating")], request=asking(7))["decision"] == "admit"


# The queue


def test_any_job_ahead_means_wait_whatever_is_idle() -> None:
    verdict = decide(gpu_nodes(8, 8), [queued("16", name="llm-7")], request=asking(1))
    assert verdict["decision"] == "wait"
    check = check_of(verdict, "queue")
    assert (check["passed"], check["ahead"]) == (False, 1)
    assert "fifo (assumed, pool names none), 1 ahead" in check["message"]
    assert "llm-7" in check["message"]
    assert [waiting["job_name"] for waiting in verdict["ahead"]] == ["llm-7"]


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


# What the deployment gives back


def replacing(replicas: int, cards: t.Any, back: int | None = None) -> Document:
    return asking(
        replicas, cards, replaces={"job_uuid": OWN, **({} if back is None else {"replicas": back})}
    )  # fmt: skip


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


# Sources


def test_nodes_are_the_best_source() -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), metric_items=[metrics({GPU: 8}, {GPU: 0}, age=120)])
    assert (verdict["decision"], verdict["source"], verdict["age_seconds"]) == ("admit", "nodes", 0)


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


def test_a_declared_capacity_is_not_better_than_fresh_metrics() -> None:
    items = [metrics({GPU: 64}, {GPU: 60})]
    policy = {"placement": "aggregate"}
    verdict = decide(refused(), request=asking(8), declared={GPU: 640}, metric_items=items, policy=policy)
    assert (verdict["decision"], verdict["source"]) == ("wait", "metrics")
    verdict = decide(refused(), request=asking(8), declared={GPU: 4}, metric_items=items, policy=policy)
    assert verdict["decision"] == "wait"


def test_an_unreadable_requirement_of_a_job_that_holds() -> None:
    unreadable = job({GPU: "a few"}, on=["10.9.9.9"])
    assert decide(refused(), [unreadable], request=asking(1), declared={GPU: 64})["decision"] == "unknown"
    assert decide(gpu_nodes(8), [unreadable], request=asking(1))["decision"] == "unknown"


def test_nothing_can_be_read() -> None:
    error = refused(500, "ModelArts.0001")
    facts = observed(error, error, pool_document=error, metric_items=error)
    verdict = capacity_verdict(facts, read_request(asking(1)), read_policy(None))
    assert verdict["decision"] == "unknown"
    assert verdict["reasons"]


# Only what the decision stands on makes it unknown


@pytest.mark.parametrize(
    "document",
    [
        job({GPU: "?", "cpu": "many"}, "Completed"),
        job({GPU: "?"}, "Failed"),
        job(None, "Terminated"),
        job({"memory": "?", GPU: "0"}, on=["10.9.9.9"]),
        job({"memory": "?", GPU: "0"}, "Creating"),
    ],
)
def test_unreadable_jobs_that_it_does_not_stand_on(document: Document) -> None:
    assert decide(gpu_nodes(8), [document], request=asking(1, 8))["decision"] == "admit"


def test_a_queued_job_that_cannot_be_read_is_ahead_all_the_same() -> None:
    assert decide(gpu_nodes(8), [queued("?")], request=asking(1))["decision"] == "wait"


@pytest.mark.parametrize(
    ("resources", "free"),
    [
        ({**SIZE, "hugepages-2Mi": "?"}, {**SIZE, "hugepages-2Mi": "?"}),
        (SIZE, {**SIZE, "cpu": "a lot"}),
        ({**SIZE, "memory": None}, SIZE),
    ],
)
def test_unreadable_quantities_that_are_not_asked_for(resources: Document, free: Document) -> None:
    assert decide([node(resources, free)], request=asking(1, 8))["decision"] == "admit"


def test_an_unreadable_node_that_takes_no_work() -> None:
    nodes = [*gpu_nodes(8), node({**SIZE, GPU: "?"}, {**SIZE, GPU: "?"}, drain=True)]
    assert decide(nodes, request=asking(1, 8))["decision"] == "admit"


@pytest.mark.parametrize(
    ("resources", "free"),
    [(SIZE, {**SIZE, GPU: "eight"}), ({**SIZE, GPU: "eight"}, {**SIZE, GPU: "eight"}), (SIZE, None), (None, None)],
)
def test_an_unreadable_node_that_is_needed(resources: Document | None, free: Document | None) -> None:
    """Not 0, and not room: never admitted, never refused for good."""
    wanted = node(SIZE if resources is None else resources, free)
    wanted["status"].update(resources=resources, availableResources=free)
    verdict = decide([*gpu_nodes(0), wanted], request=asking(1, 8))
    assert verdict["decision"] == "unknown"
    alone = decide([wanted], request=asking(1, 8))
    assert alone["decision"] == "unknown"
    assert decide([*gpu_nodes(8), wanted], request=asking(1, 8))["decision"] == "admit"


def test_an_incomplete_list_of_jobs_is_unknown() -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), complete=False)
    assert verdict["decision"] == "unknown"
    assert "not complete" in reason(verdict)


def test_jobs_that_may_not_be_listed_are_unknown() -> None:
    verdict = decide(gpu_nodes(8), refused(), request=asking(1))
    assert verdict["decision"] == "unknown"
    assert "403 ModelArts.0108, request 7f3a91" in reason(verdict)


# Two spellings of one card


@pytest.mark.parametrize(("new", "old"), [(SNT9, D1980), (SNT3, D310)])
def test_both_spellings_meet(new: str, old: str) -> None:
    for has, wants in ((new, old), (old, new)):
        nodes = [node({has: "8"}, {has: "4"})]
        assert decide(nodes, request={"resources": {wants: 4}})["decision"] == "admit"
        assert decide(nodes, request={"resources": {wants: 5}})["decision"] == "wait"
        both = [node({new: "8", old: "8"}, {new: "4", old: "4"})]
        assert check_of(decide(both, request={"resources": {wants: 5}}), new)["total"] == 8
        starting = job({has: "3"}, "Creating")
        verdict = decide([node({wants: "8"})], [starting], request={"resources": {wants: 6}})
        assert verdict["decision"] == "wait"


def test_both_spellings_on_one_node_that_differ() -> None:
    nodes = [node({SNT9: "8", D1980: "8"}, {SNT9: "4", D1980: "2"})]
    assert decide(nodes, request={"resources": {SNT9: 3}})["decision"] != "admit"
    assert decide(nodes, request={"resources": {SNT9: 2}})["decision"] == "admit"


def test_both_spellings_in_metrics() -> None:
    policy = {"placement": "aggregate"}
    items = [metrics({D1980: 8}, {D1980: 4})]
    assert decide(refused(), request={"resources": {SNT9: 4}}, policy=policy, metric_items=items)["decision"] == "admit"
    held = [job({SNT9: "6"}, on=["10.9.9.9"])]
    verdict = decide(refused(), held, request={"resources": {D1980: 4}}, policy=policy, metric_items=items)
    assert verdict["decision"] == "wait"


def test_fractional_cards_count_as_they_are() -> None:
    nodes = [node({GPU: "2"}, {GPU: "927m"})]
    assert decide(nodes, request=asking(1, "927m"))["decision"] == "admit"
    assert decide(nodes, request=asking(1, "928m"))["decision"] == "wait"
    assert decide([node({GPU: "2"}, {GPU: "1999m"})], request=asking(2, "1"))["decision"] == "wait"


# Several pools, and stability


def test_the_best_over_several_pools() -> None:
    verdicts = [{"decision": decision, "pool": decision} for decision in ("reject", "unknown", "wait", "admit")]
    assert [best(verdicts[:count])["decision"] for count in (1, 2, 3, 4)] == ["reject", "unknown", "wait", "admit"]
    twice = [{"decision": "admit", "pool": "first"}, {"decision": "admit", "pool": "second"}]
    assert best(twice)["pool"] == "first"


def test_what_fits_has_to_fit_for_a_while() -> None:
    policy = read_policy({"stable_seconds": 60})
    verdict = decide(gpu_nodes(8), request=asking(1))
    held = hold_until_stable(verdict, 59.0, policy)
    assert held["decision"] == "wait"
    assert check_of(held, "stable")["passed"] is False
    assert "59 s" in reason(held)
    assert "60 s" in reason(held)
    assert hold_until_stable(verdict, 60.0, policy)["decision"] == "admit"
    assert verdict["decision"] == "admit"
    refused_one = decide(gpu_nodes(0), request=asking(1))
    assert hold_until_stable(refused_one, 0.0, policy) == refused_one


# What holds for every verdict


def test_a_verdict_is_json_and_changes_no_facts() -> None:
    nodes = gpu_nodes(0, 4)
    facts = observed(nodes, [holding(nodes, 8, 4, uuid=OWN)], placement_of=[OWN])
    before = json.dumps(facts)
    verdict = capacity_verdict(facts, read_request(replacing(1, 8)), read_policy(None))
    assert json.dumps(facts) == before
    assert json.loads(json.dumps(verdict)) == verdict


def test_every_failed_or_unknown_check_is_a_reason_with_its_numbers() -> None:
    verdict = decide(gpu_nodes(0, 4), [queued("8")], request=asking(1, 8))
    failed = [check for check in verdict["checks"] if check["passed"] is not True]
    assert len(verdict["reasons"]) == len(failed) == 3
    assert all(check["message"] in said for check, said in zip(failed, verdict["reasons"]))
    assert verdict["remedies"]
