# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be read stays apart from what is there, and both spellings of a card meet."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision import situation
from ansible_collections.poolgate.modelarts.tests.unit.cards import SIZE, asking, gpu_nodes, queued
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
    refused,
)

SNT9, D1980 = "huawei.com/ascend-snt9", "huawei.com/ascend-1980"
SNT3, D310 = "huawei.com/ascend-snt3", "huawei.com/ascend-310"
ANY_CARDS = "modelarts.bm.npu.arm.8snt9b3"


def test_a_part_of_what_metrics_show_as_there_is_no_room() -> None:
    """An entry that was edited may have more digits than those of the module."""
    facts: t.Any = {
        **dict.fromkeys(("observed_at", "age_seconds", "window_seconds")),
        **{table: {GPU: 7.9999, "cpu": 0.0001} for table in ("capacity", "allocated", "available")},
        "unreadable": [],
    }
    read = situation.Metrics.of(facts)
    assert read.capacity == read.available == {GPU: 7999, "cpu": 0}
    assert read.allocated == {GPU: 8000, "cpu": 1}


def test_a_part_of_what_a_job_gives_back_is_no_room() -> None:
    facts: t.Any = {
        **dict.fromkeys(("job_uuid", "type", "priority", "seconds")),
        **{"resources": {GPU: 7.9999}, "unread": [], "host_ips": ["10.0.0.1"], "nodes": []},
    }
    assert situation.PlacedJob.of_placement(facts).split_over_nodes() == {"10.0.0.1": {GPU: 7999}}
    share = {"host_ip": "10.0.0.1", "resources": {GPU: 3.9999}, "cards": None}
    shared = situation.PlacedJob.of_placement({**facts, "nodes": [share]})
    assert shared.split_over_nodes() == {"10.0.0.1": {GPU: 3999}}
    assert shared.amounts == {GPU: 8000}, "what it holds is rounded up"


@pytest.mark.parametrize("name", [D1980, SNT9])
def test_what_could_not_be_read_of_a_job_is_known_by_its_one_name(name: str) -> None:
    facts: t.Any = {**dict.fromkeys(("job_uuid", "type", "priority", "seconds")), "resources": {}, "unread": [name]}
    assert situation.Job.of(facts).unread == {SNT9}
    assert situation.Job.of({**facts, "resources": {name: "abc"}, "unread": []}).unread == {SNT9}
    assert situation.JobGroup.of({**facts, "count": 1}).unread == {SNT9}
    assert situation.JobsHold.of(facts).unread == {SNT9}


@pytest.mark.parametrize("name", [D1980, SNT9])
def test_a_part_of_a_replaced_job_whose_requirement_was_not_read_is_not_given_back(name: str) -> None:
    """It may be on more nodes than those of which it tells its share, and what goes may be there."""
    nodes = [node({**SIZE, D1980: "8"}, {**SIZE, D1980: "0"}, flavor=ANY_CARDS) for _number in range(2)]
    own = job({name: "8"}, uuid="own", on={address_of(nodes[0]): {D1980: "8"}})
    asked = {"replicas": 1, "resources": {D1980: 8}, "replaces": {"job_uuid": "own", "replicas": 1}}
    assert decide(nodes, [own], request=asked)["decision"] == "admit"
    own["resourceRequirement"] = {name: "abc"}
    assert check_of(decide(nodes, [own], request=asked), "replaces")["passed"] is None


def test_an_unreadable_requirement_of_a_job_that_holds() -> None:
    unreadable = job({GPU: "a few"}, on=["10.9.9.9"])
    assert decide(refused(), [unreadable], request=asking(1), declared={GPU: 64})["decision"] == "unknown"
    assert decide(gpu_nodes(8), [unreadable], request=asking(1))["decision"] == "unknown"


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


@pytest.mark.parametrize(("new", "old"), [(SNT9, D1980), (SNT3, D310)])
def test_both_spellings_meet(new: str, old: str) -> None:
    for has, wants in ((new, old), (old, new)):
        nodes = [node({has: "8"}, {has: "4"}, flavor=ANY_CARDS)]
        assert decide(nodes, request={"resources": {wants: 4}})["decision"] == "admit"
        assert decide(nodes, request={"resources": {wants: 5}})["decision"] == "wait"
        both = [node({new: "8", old: "8"}, {new: "4", old: "4"}, flavor=ANY_CARDS)]
        assert check_of(decide(both, request={"resources": {wants: 5}}), new)["total"] == 8
        starting = job({has: "3"}, "Creating")
        verdict = decide([node({wants: "8"}, flavor=ANY_CARDS)], [starting], request={"resources": {wants: 6}})
        assert verdict["decision"] == "wait"


def test_both_spellings_on_one_node_that_differ() -> None:
    nodes = [node({SNT9: "8", D1980: "8"}, {SNT9: "4", D1980: "2"}, flavor=ANY_CARDS)]
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


@pytest.mark.parametrize("name", ["huawei.com/ascend-910b", "NVIDIA.com/gpu", "nvidia.com/gpu "])
def test_a_card_of_another_name_on_a_node_may_be_any_of_its_cards(name: str) -> None:
    """The entry of the node is older than the job. Where it shows the job, it counts as it is."""
    idle, up_to_date = gpu_nodes(8, 4)
    held = job({name: "4"}, on=[address_of(idle)])
    assert decide([idle], [held], request=asking(1, 8))["decision"] == "unknown"
    held = job({name: "4"}, on=[address_of(up_to_date)])
    assert decide([up_to_date], [held], request=asking(1, 4))["decision"] == "admit"


def test_what_kubernetes_counts_on_a_node_makes_it_no_less_idle() -> None:
    size = {**SIZE, "pods": "110"}
    assert decide([node(size, {**size, "pods": "105"})], request={"flavor": FLAVOR})["decision"] == "admit"


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 16**5000], ids=["inf", "nan", "without end"])
def test_a_priority_that_is_no_number_is_not_known(value: object) -> None:
    assert situation.priority_in_situation(value) is None
