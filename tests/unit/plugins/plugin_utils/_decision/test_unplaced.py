# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that hold or take room on nodes that are not known cost the most that they can."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import (
    OWN,
    SIZE,
    asking,
    gpu_nodes,
    holding,
    queued,
    replacing,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    address_of,
    check_of,
    decide,
    job,
    node,
)


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


@pytest.mark.parametrize("strategy", ["fifo", "traversal", "ladder", "tiered"])
def test_jobs_that_wait_take_no_more_than_there_is_room_for(strategy: str) -> None:
    """Ten cards are free when the job has gone: one of two jobs with eight cards may start, and two cards are left."""
    nodes = gpu_nodes(0, 2)
    own = job({GPU: "8"}, uuid=OWN, on={address_of(nodes[0]): {GPU: "8"}})
    other = job({GPU: "6"}, on={address_of(nodes[1]): {GPU: "6"}})
    waiting = [queued("8", seconds=7200), queued("8", seconds=3600)]
    policy = {"queue_strategy": strategy}
    for replicas, decision in ((2, "admit"), (3, "wait")):
        asked = {**replacing(replicas, 1), "priority": 9}
        assert decide(nodes, [own, other, *waiting], request=asked, policy=policy)["decision"] == decision
    three = [*waiting, queued("2", seconds=1800)]
    asked = {**replacing(1, 1), "priority": 9}
    decision = decide(nodes, [own, other, *three], request=asked, policy=policy)["decision"]
    # The second holds up the third by fifo and by a ladder without an end; else that may take the last two cards.
    assert decision == ("admit" if strategy in ("fifo", "ladder") else "wait")


def test_of_many_jobs_that_wait_all_that_there_is_room_for_may_start() -> None:
    nodes = gpu_nodes(0, 2)
    own = job({GPU: "8"}, uuid=OWN, on={address_of(nodes[0]): {GPU: "8"}})
    other = job({GPU: "6"}, on={address_of(nodes[1]): {GPU: "6"}})
    waiting = [queued("8", seconds=3600) for _i in range(12)]
    asked = {**replacing(1, 1), "priority": 9}
    verdict = decide(nodes, [own, other, *waiting], request=asked, policy={"queue_strategy": "traversal"})
    assert verdict["decision"] == "wait"
    assert check_of(verdict, GPU)["unplaced"] == 10


@pytest.mark.parametrize("part", ["500m", "927m", "1500m", 1])
def test_a_starting_job_that_takes_a_node_whole_leaves_no_part_of_a_card(part: t.Any) -> None:
    """Only the first node has enough cores for the request, and only there the job finds its eight cards."""
    nodes = [node(SIZE), node(SIZE, {**SIZE, "cpu": "2", GPU: "4"})]
    held = {"cpu": "62", GPU: "4"}
    jobs = [job(held, on={address_of(nodes[1]): held}), job({"cpu": "16", GPU: "8"}, "Creating")]
    request = {"resources": {GPU: part, "cpu": 40}}
    assert decide(nodes, jobs[:1], request=request)["decision"] == "admit"
    assert decide(nodes, jobs, request=request)["decision"] == "wait"


@pytest.mark.parametrize("share", [None, {GPU: "8"}, {"cpu": "16", GPU: "8"}])
def test_cores_are_where_the_cards_of_a_job_prove_to_be(share: t.Any) -> None:
    """Of 16 cards, the node that it shows has eight. The entry of the other one is behind."""
    nodes = [node(SIZE, {**SIZE, "cpu": "48", GPU: "0"}), node(SIZE)]
    jobs = [
        job({"cpu": "32", GPU: "16"}, on=[address_of(nodes[0])] if share is None else {address_of(nodes[0]): share})
    ]
    assert decide(nodes, jobs, request={"resources": {"cpu": 60}})["decision"] == "wait"
    assert decide(nodes, jobs[:0], request={"resources": {"cpu": 60}})["decision"] == "admit"
