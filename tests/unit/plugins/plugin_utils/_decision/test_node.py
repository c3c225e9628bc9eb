# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and jobs are read one after the other: what a node shows as free counts as far as the jobs there leave it."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    Verdict,
    address_of,
    check_of,
    counted,
    decide,
    job,
    metrics,
    node,
    observed,
    pool,
    refused,
)

SIZE = {"cpu": "64", "memory": "500Gi", GPU: "8"}
SNT9, D1980 = "huawei.com/ascend-snt9", "huawei.com/ascend-1980"
OWN = "c237e9e1-50e7-4c4d-97ba-f4a5e0f62f70"
HOLDING = ("Running", "Creating", "Terminating", "Abnormal", "Migrating")


def asking(replicas: int, cards: t.Any = 1, **more: t.Any) -> Document:
    return {"replicas": replicas, "resources": {GPU: cards}, **more}


def free_of(verdict: Verdict, resource: str = GPU) -> float:
    return t.cast(float, check_of(verdict, resource)["free"])


def held_on(nodes: t.Sequence[Document], jobs: t.Sequence[Document], index: int = 0) -> Document:
    return t.cast(Document, observed(nodes, jobs)["nodes"][index]["held"])


# At most what the jobs leave


@pytest.mark.parametrize("status", HOLDING)
def test_a_job_in_whatever_status_holds_its_cards_on_its_node(status: str) -> None:
    """The node shows the cards of one of its two jobs: both hold."""
    nodes = [node(SIZE, {**SIZE, GPU: "4"})]
    jobs = [job({GPU: "4"}, on=[address_of(nodes[0])]), job({GPU: "4"}, status, on=[address_of(nodes[0])])]
    verdict = decide(nodes, jobs, request=asking(1))
    assert (verdict["decision"], free_of(verdict)) == ("wait", 0)
    assert "1 node shows more free than the jobs leave: the smaller counts" in verdict["notes"]


@pytest.mark.parametrize(
    ("status", "shows"),
    [("Completed", True), ("Failed", True), ("Terminated", True), ("Queue", False), ("Pending", False)],
)
def test_a_job_that_is_over_or_waits_holds_nothing(status: str, shows: bool) -> None:
    nodes = [node(SIZE, {**SIZE, GPU: "4"})]
    own = [address_of(nodes[0])] if shows else []
    jobs = [job({GPU: "4"}, on=[address_of(nodes[0])]), job({GPU: "4"}, status, on=own)]
    request = asking(1, 4, priority=9)
    assert decide(nodes, jobs, request=request)["decision"] == "admit"


def test_a_starting_job_does_not_hide_behind_what_another_node_shows_as_taken() -> None:
    """Over the pool the sums agree: eight cards are held, and eight are shown as taken."""
    nodes = [node(SIZE), node(SIZE, {**SIZE, GPU: "0"})]
    jobs = [job({GPU: "8"}, "Creating", on=[address_of(nodes[0])])]
    verdict = decide(nodes, jobs, request=asking(1, 8))
    assert (verdict["decision"], free_of(verdict)) == ("wait", 0)


def test_the_cards_of_a_node_that_is_out_hide_no_job() -> None:
    nodes = [node(SIZE), node(SIZE, {**SIZE, GPU: "0"}, phase="Abnormal")]
    jobs = [job({GPU: "8"}, on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request=asking(1, 8))["decision"] == "wait"


@pytest.mark.parametrize(("resource", "held", "asked"), [("cpu", "60", 5), ("memory", "480Gi", "30Gi")])
def test_cores_and_bytes_count_like_cards(resource: str, held: str, asked: t.Any) -> None:
    nodes = [node(SIZE)]
    jobs = [job({resource: held}, on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request={"resources": {resource: asked}})["decision"] == "wait"
    assert decide(nodes, [], request={"resources": {resource: asked}})["decision"] == "admit"


def test_an_entry_that_shows_its_jobs_counts_as_it_is() -> None:
    """Its own services take something, which no job holds; and a job that has ended may still be shown."""
    nodes = [node(SIZE, {"cpu": "33", "memory": "230Gi", GPU: "4"})]
    jobs = [job({"cpu": "30", "memory": "250Gi", GPU: "4"}, on=[address_of(nodes[0])])]
    request = {"resources": {GPU: 4, "cpu": 33, "memory": "230Gi"}}
    verdict = decide(nodes, jobs, request=request)
    assert verdict["decision"] == "admit"
    assert not any("the smaller counts" in note for note in verdict["notes"])
    assert decide([node(SIZE, {**SIZE, GPU: "0"})], [], request=asking(1))["decision"] == "wait"


def test_services_of_a_node_that_is_behind_its_jobs() -> None:
    """An idle node shows what the services take. How much they take where jobs are is not told, so it is not room."""
    idle = {**SIZE, "cpu": "63", "memory": "497Gi"}
    nodes = [node(SIZE, idle), node(SIZE, {**idle, GPU: "0"}, flavor="other")]
    jobs = [job({"cpu": "60", GPU: "4"}, on=[address_of(nodes[0])])]
    request = {"resources": {"cpu": 4, GPU: 4}}
    assert decide(nodes, jobs, request=request)["decision"] == "unknown"
    assert decide(nodes, jobs, request={"resources": {"cpu": 3, GPU: 4}})["decision"] == "admit"
    assert decide(nodes, jobs, request={"resources": {"cpu": 5, GPU: 4}})["decision"] == "wait"


def test_a_small_job_does_not_hide_behind_the_services_of_its_node() -> None:
    """The entry of its node shows two cores as taken, as that of an idle one does: the job's own are not among them."""
    idle = {**SIZE, "cpu": "62", "memory": "496Gi"}
    nodes = [node(SIZE, idle), node(SIZE, idle)]
    jobs = [job({"cpu": "2", "memory": "4Gi"}, on=[address_of(nodes[0])])]
    whole = {GPU: 8, "cpu": 62}
    verdict = decide(nodes, jobs, request={"replicas": 2, "resources": whole})
    assert verdict["decision"] == "unknown"
    what = "it may not show all jobs there, and its own services take some cpu beside them"
    assert f"node {nodes[0]['metadata']['name']}: {what}" in verdict["notes"]
    assert decide(nodes, jobs, request={"replicas": 1, "resources": whole})["decision"] == "admit"
    assert decide(nodes, jobs, request={"replicas": 2, "resources": {**whole, "cpu": 60}})["decision"] == "admit"
    shown = [node(SIZE, {**idle, "cpu": "60", "memory": "492Gi"}), node(SIZE, idle)]
    jobs = [job({"cpu": "2", "memory": "4Gi"}, on=[address_of(shown[0])])]
    assert decide(shown, jobs, request={"resources": {**whole, "cpu": 60}})["decision"] == "admit"
    # Without an idle node, what its entry shows as taken may be all the job's.
    alone = [node(SIZE, idle)]
    jobs = [job({"cpu": "2", "memory": "4Gi"}, on=[address_of(alone[0])])]
    assert decide(alone, jobs, request={"resources": whole})["decision"] == "admit"


def test_a_node_with_more_taken_than_services_take_may_have_a_job_that_is_not_listed_yet() -> None:
    """The list of nodes may be newer than that of jobs. A third of a node are no services where others have few."""
    idle = {**SIZE, "cpu": "62", "memory": "490Gi"}
    more = {**SIZE, "cpu": "54", "memory": "450Gi"}
    full = {**SIZE, "cpu": "42", "memory": "490Gi"}
    request = {"replicas": 2, "flavor": FLAVOR}
    assert decide([node(SIZE, idle), node(SIZE, more)], [], request=request)["decision"] == "admit"
    for taken in (full, {**idle, "memory": "300Gi"}):
        nodes = [node(SIZE, idle), node(SIZE, taken)]
        verdict = decide(nodes, [], request=request)
        assert verdict["decision"] == "unknown"
        what = "more cpu or memory is taken than on other nodes of its flavor, so a job may have started there"
        assert f"node {nodes[1]['metadata']['name']}: {what}" in verdict["notes"]
        assert decide(nodes, [], request={**request, "replicas": 1})["decision"] == "admit"
        # It is there for anything smaller.
        assert decide(nodes, [], request={"replicas": 2, "resources": {GPU: 8, "cpu": 42}})["decision"] == "admit"
    # What its jobs take beside it does not make a node one whose services take as much.
    busy = [node(SIZE, {**full, GPU: "0"}), node(SIZE, full)]
    jobs = [job({GPU: "8", "cpu": "20", "memory": "1Gi"}, on=[address_of(busy[0])])]
    assert decide(busy, jobs, request={"replicas": 1, "flavor": FLAVOR})["decision"] == "unknown"
    # Alone of its flavor, nothing tells what its services take.
    assert decide([node(SIZE, full)], [], request={"replicas": 1, "flavor": FLAVOR})["decision"] == "admit"


def test_two_spellings_of_a_card_are_held_as_one() -> None:
    for has, holds in ((SNT9, D1980), (D1980, SNT9)):
        nodes = [node({has: "8", "cpu": "64", "memory": "1Gi"}, flavor="modelarts.bm.npu.arm.8snt9b3")]
        jobs = [job({holds: "6"}, on={address_of(nodes[0]): {holds: "6"}})]
        assert decide(nodes, jobs, request={"resources": {holds: 3}})["decision"] == "wait"
        assert decide(nodes, jobs, request={"resources": {has: 2}})["decision"] == "admit"
        parts = job([{has: "3"}, {holds: "3"}], on=[address_of(nodes[0])])
        assert held_on(nodes, [parts])["resources"] == {SNT9: 6}


def test_what_a_job_holds_never_rejects() -> None:
    """The node is empty one day, whatever its jobs hold."""
    nodes = [node(SIZE)]
    jobs = [job({GPU: "80"}, "Abnormal", on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request=asking(1, 8))["decision"] == "wait"


# How a job is split


def test_the_split_of_a_job_is_what_it_holds_on_each_node() -> None:
    nodes = [node(SIZE), node(SIZE)]
    on = {address_of(nodes[0]): {GPU: "6"}, address_of(nodes[1]): {GPU: "2"}}
    jobs = [job({GPU: "8"}, on=on)]
    assert decide(nodes, jobs, request=asking(1, 6))["decision"] == "admit"
    assert decide(nodes, jobs, request=asking(1, 7))["decision"] == "wait"
    assert [held_on(nodes, jobs, index)["resources"] for index in (0, 1)] == [{GPU: 6}, {GPU: 2}]


@pytest.mark.parametrize(
    ("total", "shares", "held"),
    [
        ({GPU: "4"}, {}, [{GPU: 4}]),
        ({GPU: "4"}, {0: {GPU: "6"}}, [{GPU: 6}]),
        ({GPU: "6"}, {0: {GPU: "4"}}, [{GPU: 4}]),
        ({GPU: "4", "cpu": "7"}, {0: {GPU: "4"}}, [{GPU: 4, "cpu": 7}]),
        ({GPU: "?"}, {0: {GPU: "4"}}, [{GPU: 4}]),
        ({GPU: "4"}, {0: {GPU: "?"}}, [{GPU: 4}]),
        ({GPU: "8"}, {0: {GPU: "6"}}, [{GPU: 6}, {GPU: 2}]),
        ({GPU: "8"}, {0: {GPU: "6"}, 1: {GPU: "?"}}, [{GPU: 6}, {GPU: 2}]),
        ({GPU: "8"}, {0: {GPU: "6"}, 1: {GPU: "6"}}, [{GPU: 6}, {GPU: 6}]),
    ],
)
def test_requirement_and_split_of_a_job_tell_together_what_it_holds(
    total: t.Any, shares: dict[int, Document], held: list[Document]
) -> None:
    nodes = [node(SIZE) for _one in held]
    document = job(total, on=[address_of(item) for item in nodes])
    document["nodes"] = [{"hostIp": address_of(nodes[i]), "resourceRequirement": has} for i, has in shares.items()]
    facts = [held_on(nodes, [document], index) for index in range(len(held))]
    assert facts == [{"resources": one, "unsplit": {}, "unread": []} for one in held]


@pytest.mark.parametrize("requirement", [None, {}, "x"])
def test_shares_do_not_hide_what_cannot_be_read_of_a_requirement(requirement: t.Any) -> None:
    """What it has beyond them may be cores of the same node, which the share does not name, or on any other node."""
    nodes = [node(SIZE), node(SIZE)]
    jobs = [job(requirement, on={address_of(nodes[0]): {GPU: "4"}})]
    assert held_on(nodes, jobs) == {"resources": {GPU: 4}, "unsplit": {}, "unread": ["cpu", "memory"]}
    assert decide(nodes, jobs, request={"resources": {GPU: 4, "cpu": 60}})["decision"] == "unknown"
    assert decide(nodes, jobs, request=asking(1, 8))["decision"] == "unknown"
    jobs = [job({GPU: "4", "cpu": "4"}, on={address_of(nodes[0]): {GPU: "4", "cpu": "4"}})]
    assert decide(nodes, jobs, request=asking(1, 8))["decision"] == "admit"


def test_a_split_that_is_not_told_is_unknown_where_it_matters() -> None:
    """All of the job may be on either of its nodes. That is assumed, so it does not read as a fact."""
    nodes = [node(SIZE, {**SIZE, GPU: "6"}), node(SIZE, {**SIZE, GPU: "6"}), node(SIZE)]
    jobs = [job({GPU: "4"}, on=[address_of(item) for item in nodes[:2]])]
    assert held_on(nodes, jobs) == {"resources": {}, "unsplit": {GPU: 4}, "unread": []}
    assert decide(nodes, jobs, request=asking(1, 8))["decision"] == "admit"
    assert decide(nodes[:2], jobs, request=asking(2, 4))["decision"] == "admit"
    verdict = decide(nodes[:2], jobs, request=asking(1, 6))
    assert verdict["decision"] == "unknown"
    assert any("the split of a job's gpu over its nodes is not known" in note for note in verdict["notes"])
    assert decide(nodes[:2], jobs, request=asking(1, 7))["decision"] == "wait"


def test_a_job_over_two_whole_nodes_needs_no_split() -> None:
    nodes = [node(SIZE, {**SIZE, GPU: "0"}), node(SIZE, {**SIZE, GPU: "0"}), node(SIZE)]
    jobs = [job({GPU: "16"}, on=[address_of(item) for item in nodes[:2]])]
    assert decide(nodes, jobs, request=asking(1, 8))["decision"] == "admit"
    assert decide(nodes, jobs, request=asking(2, 8))["decision"] == "wait"


def test_what_a_split_leaves_of_the_requirement_may_be_anywhere() -> None:
    nodes = [node(SIZE), node(SIZE)]
    jobs = [job({GPU: "12"}, on={address_of(item): {GPU: "4"} for item in nodes})]
    assert held_on(nodes, jobs) == {"resources": {GPU: 4}, "unsplit": {}, "unread": []}
    assert decide(nodes, jobs, request=asking(1, 2))["decision"] == "admit"
    assert decide(nodes, jobs, request=asking(2, 4))["decision"] == "wait"


# What cannot be read, and nodes that are not listed


@pytest.mark.parametrize("requirement", [{GPU: "a few"}, None, [], "all", {GPU: None}])
def test_a_job_that_cannot_be_read_leaves_nothing_sure_on_its_own_node(requirement: t.Any) -> None:
    nodes = [node(SIZE, {**SIZE, GPU: "4"}), node(SIZE)]
    jobs = [job(requirement, name="odd", on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request=asking(1, 8))["decision"] == "admit"
    verdict = decide(nodes, jobs, request=asking(3, 4))
    assert verdict["decision"] == "unknown"
    assert any("the gpu that a job holds there cannot be read" in note for note in verdict["notes"])
    assert decide(nodes, jobs, request=asking(13))["decision"] == "wait"


def test_what_cannot_be_read_and_is_not_asked_for_decides_nothing() -> None:
    nodes = [node(SIZE)]
    jobs = [job({"memory": "much", GPU: "4"}, on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request=asking(1, 4))["decision"] == "admit"
    assert decide(nodes, jobs, request={"resources": {GPU: 4, "memory": "1Gi"}})["decision"] == "unknown"


@pytest.mark.parametrize("address", ["172.16.0.9", "fd00::9", "not an address"])
def test_jobs_on_an_address_that_no_node_has_may_be_anywhere(address: str) -> None:
    nodes = [node(SIZE), node(SIZE)]
    jobs = [job({GPU: "8"}, "Abnormal", on={address: {GPU: "8"}})]
    assert decide(nodes, jobs, request=asking(8))["decision"] == "admit"
    verdict = decide(nodes, jobs, request=asking(9))
    assert verdict["decision"] == "wait"
    assert check_of(verdict, GPU)["unplaced"] == 8
    assert decide(nodes, [job({GPU: "?"}, on=[address])], request=asking(1))["decision"] == "unknown"


def test_only_the_share_on_the_unlisted_address_may_be_anywhere() -> None:
    nodes = [node(SIZE, {**SIZE, GPU: "4"}), node(SIZE)]
    jobs = [job({GPU: "6"}, on={address_of(nodes[0]): {GPU: "4"}, "172.16.0.9": {GPU: "2"}})]
    verdict = decide(nodes, jobs, request=asking(10))
    assert (verdict["decision"], check_of(verdict, GPU)["unplaced"]) == ("admit", 2)
    assert decide(nodes, jobs, request=asking(11))["decision"] == "wait"


def test_a_split_that_is_not_told_and_goes_beyond_the_list() -> None:
    nodes = [node(SIZE), node(SIZE)]
    jobs = [job({GPU: "4"}, on=[address_of(nodes[0]), "172.16.0.9"])]
    verdict = decide(nodes, jobs, request=asking(13))
    assert (verdict["decision"], check_of(verdict, GPU)["unplaced"]) == ("wait", 4)


def test_a_job_made_up_of_thousands_of_resources_holds_what_cannot_be_read() -> None:
    """Told apart on thousands of nodes, their product would be counted."""
    nodes = [node(SIZE)]
    many = {f"vendor.example/{number}": "1" for number in range(200)}
    jobs = [job({**many, GPU: "1"}, on=[address_of(nodes[0]), "10.9.9.9"])]
    assert "*" in held_on(nodes, jobs)["unread"]


# Whole nodes


@pytest.mark.parametrize("status", HOLDING)
def test_a_node_with_any_job_that_holds_is_no_whole_node(status: str) -> None:
    nodes = [node(SIZE)]
    jobs = [job({"cpu": "1"}, status, on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request={"flavor": FLAVOR})["decision"] == "wait"


# What a replaced job gives back


def replacing(replicas: int, cards: int, back: int | None = None) -> Document:
    return asking(replicas, cards, replaces={"job_uuid": OWN, "replicas": back})


def test_a_replaced_job_takes_its_own_share_out_of_what_is_held() -> None:
    """Whether its node shows it yet or not; the other job there still holds its cards."""
    for shown in ("8", "4", "0"):
        nodes = [node(SIZE, {**SIZE, GPU: shown})]
        jobs = [job({GPU: "4"}, uuid=OWN, on=[address_of(nodes[0])]), job({GPU: "4"}, on=[address_of(nodes[0])])]
        assert decide(nodes, jobs, request=replacing(1, 4))["decision"] == "admit", shown
        assert decide(nodes, jobs, request=replacing(1, 5))["decision"] == "wait", shown
        assert decide(nodes, jobs, request=asking(1))["decision"] == "wait", shown


def test_replicas_that_are_given_back_on_a_node_that_is_behind() -> None:
    nodes = [node(SIZE)]
    jobs = [job({GPU: "8"}, uuid=OWN, on={address_of(nodes[0]): {GPU: "8"}})]
    assert decide(nodes, jobs, request=replacing(2, 4, back=2))["decision"] == "admit"
    assert decide(nodes, jobs, request=replacing(2, 4, back=1))["decision"] == "wait"


def test_a_verdict_changes_no_facts_of_nodes() -> None:
    nodes = [node(SIZE)]
    jobs = [job({GPU: "8"}, uuid=OWN, on=[address_of(nodes[0])])]
    before = copy.deepcopy((nodes, jobs))
    assert decide(nodes, jobs, request=replacing(1, 8))["decision"] == "admit"
    assert (nodes, jobs) == before


# What a node has


def test_a_node_has_no_more_free_than_it_has() -> None:
    nodes = [node(SIZE, {**SIZE, GPU: "16"})]
    verdict = decide(nodes, request=asking(9), pool_document=pool({FLAVOR: 2}))
    assert (verdict["decision"], free_of(verdict)) == ("wait", 8)


@pytest.mark.parametrize("size", [{"cpu": "64", "memory": "500Gi"}, {"cpu": "64", "memory": "500Gi", GPU: "0"}])
def test_free_cards_of_a_node_that_has_none_are_no_room(size: Document) -> None:
    nodes = [node(size, SIZE), node(SIZE, {**SIZE, GPU: "0"})]
    assert decide(nodes, request=asking(1))["decision"] == ("wait" if GPU in size else "unknown")
    assert decide(nodes, request={"resources": {"cpu": 60}})["decision"] == "admit"


def test_a_size_that_cannot_be_read_is_at_least_what_the_node_shows() -> None:
    nodes = [node({**SIZE, GPU: "eight"}, {**SIZE, GPU: "4"})]
    assert decide(nodes, request=asking(1, 4))["decision"] == "admit"
    jobs = [job({GPU: "4"}, on=[address_of(nodes[0])])]
    assert decide(nodes, jobs, request=asking(1, 4))["decision"] == "unknown"


def test_what_is_free_is_rounded_down_and_what_is_held_up() -> None:
    nodes = [node(SIZE, {**SIZE, GPU: "7.9999"})]
    assert decide(nodes, request=asking(1, 8))["decision"] == "wait"
    assert free_of(decide(nodes, request=asking(1, 7))) == 7.999
    jobs = [job({GPU: "3.0001"}, on=[address_of(nodes[0])])]
    assert held_on(nodes, jobs)["resources"] == {GPU: 3.001}
    size = [node({**SIZE, GPU: "7.9999"})]
    assert decide(size, request=asking(1, 8))["decision"] == "reject"


def test_metrics_and_a_declared_capacity_are_rounded_down_too() -> None:
    policy = {"placement": "aggregate"}
    items = [metrics({GPU: "7.9999"}, {GPU: 0})]
    assert decide(refused(), request=asking(8), policy=policy, metric_items=items)["decision"] != "admit"
    assert decide(refused(), request=asking(8), declared={GPU: "7.9999"})["decision"] != "admit"
    assert decide(refused(), request=asking(7), declared={GPU: "7.9999"})["decision"] == "admit"


# One node, one entry


def again(item: Document, **changes: t.Any) -> Document:
    """The node once more, with other values of its status."""
    other = copy.deepcopy(item)
    other["status"].update(changes)
    return other


def drained(item: Document) -> Document:
    other = copy.deepcopy(item)
    other["metadata"]["annotations"]["os.modelarts.node/drain"] = "true"
    return other


def renamed(item: Document, name: str | None) -> Document:
    other = copy.deepcopy(item)
    other["metadata"]["name"] = name
    return other


ONE = node(SIZE)
TWICE = {
    "the same": [ONE, again(ONE)],
    "three times": [ONE, again(ONE), again(ONE)],
    "free and then full": [ONE, again(ONE, availableResources={**SIZE, GPU: "0"})],
    "Available and then Abnormal": [ONE, again(ONE, phase="Abnormal")],
    "Available and then being deleted": [ONE, again(ONE, phase="Deleting")],
    "not drained and then drained": [ONE, drained(ONE)],
    "two names with one address": [ONE, renamed(ONE, "another")],
    "one name with two addresses": [ONE, again(ONE, privateIp="10.9.9.9")],
    "without a name": [ONE, renamed(ONE, None)],
    "two sizes": [ONE, again(ONE, resources={**SIZE, GPU: "16"}, availableResources={**SIZE, GPU: "16"})],
    "readable and then not": [ONE, again(ONE, availableResources=None)],
    "by a chain": [ONE, again(renamed(ONE, "b"), privateIp="10.9.9.9"), renamed(again(ONE, privateIp="10.9.9.9"), "c"),
                   renamed(ONE, "c")],
}  # fmt: skip


@pytest.mark.parametrize("name", TWICE)
@pytest.mark.parametrize("turned", [False, True])
def test_a_node_that_is_listed_twice_counts_once_and_at_its_worse(name: str, turned: bool) -> None:
    nodes = TWICE[name][::-1] if turned else TWICE[name]
    document = pool({FLAVOR: 4})
    assert len(observed(nodes)["nodes"]) == 1
    assert decide(nodes, request=asking(2, 8), pool_document=document)["decision"] in ("wait", "unknown")
    assert decide(nodes, request={"replicas": 2, "flavor": FLAVOR}, pool_document=document)["decision"] != "admit"
    alone = decide(nodes, request=asking(1, 8), pool_document=document)["decision"]
    harmless = ("the same", "three times", "two names with one address", "one name with two addresses",
                "without a name", "by a chain")  # fmt: skip
    assert (alone == "admit") is (name in harmless), alone
    assert alone != "reject"


def test_entries_that_differ_have_the_least_that_each_of_them_shows() -> None:
    nodes = [ONE, again(ONE, availableResources={**SIZE, GPU: "6", "cpu": "10"}),
             again(ONE, availableResources={**SIZE, GPU: "7", "cpu": "5"})]  # fmt: skip
    (fact,) = observed(nodes)["nodes"]
    assert (fact["free"][GPU], fact["free"]["cpu"]) == (6, 5)
    assert decide(nodes, request={"resources": {GPU: 6, "cpu": 5}})["decision"] == "admit"
    assert decide(nodes, request={"resources": {GPU: 6, "cpu": 6}})["decision"] == "wait"


def test_a_node_bound_to_a_logical_pool_by_one_of_its_entries() -> None:
    bound = copy.deepcopy(ONE)
    bound["metadata"]["labels"]["os.modelarts.node/elastic.quota"] = "q"
    assert decide([ONE, bound], request=asking(1))["decision"] == "unknown"


def test_the_jobs_of_both_addresses_of_one_node_are_on_it() -> None:
    nodes = [ONE, again(ONE, privateIp="10.9.9.9")]
    jobs = [job({GPU: "5"}, on=["10.9.9.9"]), job({GPU: "1.5"}, on=[address_of(ONE)])]
    assert held_on(nodes, jobs)["resources"] == {GPU: 6.5}
    assert decide(nodes, jobs, request=asking(2, 1))["decision"] == "wait"


def test_a_node_with_neither_name_nor_address_takes_no_work() -> None:
    """It may be any of the others."""
    unknown = again(renamed(ONE, None), privateIp=None)
    verdict = decide([ONE, unknown], request=asking(2, 8), pool_document=pool({FLAVOR: 2}))
    assert verdict["decision"] == "wait"
    assert "1 it has neither a name nor an address" in check_of(verdict, "placement")["message"]


def test_a_replaced_job_gives_back_once_on_an_address_that_stands_twice() -> None:
    full = again(ONE, availableResources={**SIZE, GPU: "0"})
    nodes = [full, renamed(full, "another")]
    jobs = [job({GPU: "8"}, uuid=OWN, on=[address_of(ONE)])]
    document = pool({FLAVOR: 2})
    assert decide(nodes, jobs, request=replacing(1, 8), pool_document=document)["decision"] == "admit"
    assert decide(nodes, jobs, request=replacing(2, 8), pool_document=document)["decision"] == "wait"


def test_entries_of_one_node_never_reject() -> None:
    """Sizes that contradict each other are not known, and a node is leaving only when all its entries say so."""
    smaller = again(ONE, resources={**SIZE, GPU: "4"}, availableResources={**SIZE, GPU: "4"})
    for other in (smaller, again(ONE, phase="Deleting")):
        verdict = decide([ONE, other], request=asking(1, 8), pool_document=pool(counted([ONE])))
        assert verdict["decision"] in ("wait", "unknown")


@pytest.mark.parametrize(
    ("size", "free"),
    [
        (None, {**SIZE, GPU: "3"}),
        (None, {**SIZE, GPU: "0"}),
        ({**SIZE, GPU: "?"}, {**SIZE, GPU: "3"}),
        ({**SIZE, "cpu": "?"}, {**SIZE, "cpu": "10"}),
        ({"memory": "500Gi", GPU: "8"}, {**SIZE, "cpu": "10"}),
    ],
)
def test_a_node_whose_size_cannot_be_read_is_not_known_to_be_whole(size: t.Any, free: Document) -> None:
    assert decide([node(size, free)], request={"flavor": FLAVOR})["decision"] == "unknown"
