# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the replicas find a place node by node, and the sentences about it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import SIZE, asking, gpu_nodes, reason
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    address_of,
    check_of,
    decide,
    job,
    node,
    pool,
)

NPU = "huawei.com/ascend-snt9b"


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


def ascend_16(*free: int, names: t.Sequence[str] = (NPU,)) -> Document:
    """A node of 16 cards of hardware that its flavor does not tell, with these free."""
    size = {"cpu": "192", "memory": "1500Gi", **dict.fromkeys(names, "16")}
    text = "".join("0" if number in free else "1" for number in range(16, 0, -1))
    annotations = {"os.modelarts/npu-topology-placement": text}
    return node(
        size, {**size, **dict.fromkeys(names, str(len(free)))}, flavor="modelarts.bm.npu.16", annotations=annotations
    )


@pytest.mark.parametrize(("cards", "decision"), [(0, "admit"), (1, "wait"), (2, "wait"), (4, "wait")])
def test_what_a_starting_job_takes_counts_under_each_rule(cards: int, decision: str) -> None:
    """By pairs only the second node takes the replica, and by rings of eight only the first. The job may take that."""
    nodes = [ascend_16(1, 3, 5, 7), ascend_16(1, 2, 9, 10)]
    jobs = [job({NPU: str(cards)}, "Creating")] if cards else []
    request = {"replicas": 1, "resources": {NPU: 4}}
    verdict = decide(
        nodes,
        jobs,
        request=request,
        policy={"queue_strategy": "traversal"},
        pool_document=pool({"modelarts.bm.npu.16": 2}),
    )
    assert (verdict["decision"] == "admit") == (decision == "admit"), verdict["reasons"]


@pytest.mark.parametrize("names", [(NPU, "huawei.com/ascend-1980"), ("huawei.com/ascend-1980", NPU)])
def test_two_names_of_ascend_cards_on_a_node_may_be_one_card(names: t.Sequence[str]) -> None:
    nodes = [ascend_16(*range(1, 17), names=names)]
    starting = job({"huawei.com/ascend-1980": "16"}, "Creating")
    for jobs in ([], [starting]):
        verdict = decide(
            nodes,
            jobs,
            request={"replicas": 1, "resources": {NPU: 16}},
            policy={"queue_strategy": "traversal"},
            pool_document=pool({"modelarts.bm.npu.16": 1}),
        )
        assert verdict["decision"] == "unknown", verdict["reasons"]
