# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and pools that look idle and take no work, from the documents of the newest references to the verdict."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import page
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    check_of,
    decide,
    job,
    metrics,
    moment,
    node,
    observed,
    pool,
    refused,
)

SIZE = {"cpu": "64", "memory": "500Gi", GPU: "8"}
STANDBY = "os.modelarts.node/ha.redundant.enabled"
BILLING = "os.modelarts/billing.status"
EXCLUSIVE = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"


def asking(cards: t.Any = 8, **more: t.Any) -> Document:
    return {"replicas": 1, "resources": {GPU: cards}, **more}


def changed(document: Document, **changes: t.Any) -> Document:
    """The document with other values at paths like ``status__driver``; a label or annotation by its own key."""
    made = copy.deepcopy(document)
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = made
        for part in parts:
            place = place[part]
        if isinstance(place.get(last), dict) and isinstance(value, dict) and last in ("labels", "annotations"):
            place[last].update(value)
        else:
            place[last] = value
    return made


NODES: list[tuple[Document, str | None]] = [
    # every line of "a node can take new work when"
    ({"status__phase": "Checking"}, "phase Checking"),
    ({"spec__taints": [{"key": "k", "effect": "NoSchedule"}]}, "taint k:NoSchedule"),
    ({"metadata__annotations": {"os.modelarts.node/drain": "true"}}, "draining"),
    ({"metadata__labels": {EXCLUSIVE: "job-1"}}, "reserved for job-1"),
    ({"metadata__labels": {STANDBY: "true"}}, "hot standby"),
    ({"metadata__labels": {STANDBY: "True"}}, "hot standby"),
    ({"metadata__labels": {STANDBY: True}}, "hot standby"),
    ({"metadata__labels": {STANDBY: "false"}}, None),
    ({"metadata__labels": {STANDBY: "maybe"}}, "hot standby or not (label cannot be read)"),
    ({"metadata__labels": {STANDBY: ""}}, "hot standby or not (label cannot be read)"),
    ({"metadata__labels": {BILLING: "0"}}, None),
    ({"metadata__labels": {BILLING: 0}}, None),
    ({"metadata__labels": {BILLING: "1"}}, "frozen"),
    ({"metadata__labels": {BILLING: 1}}, "frozen"),
    ({"metadata__labels": {BILLING: "2"}}, "billing ended"),
    ({"metadata__labels": {BILLING: "3"}}, "billing status 3"),
    ({"metadata__labels": {BILLING: ""}}, "billing status empty"),
    ({"status__driver": {"version": "535.54.03", "phase": "Running"}}, None),
    ({"status__driver": {"version": "535.54.03"}}, None),
    ({"status__driver": {"phase": "Updating"}}, "driver Updating"),
    ({"status__driver": {"phase": "Pending"}}, "driver Pending"),
    ({"status__driver": {"phase": "Abnormal"}}, "driver Abnormal"),
    ({"status__driver": {"phase": "Dancing"}}, "driver Dancing"),
    ({"status__driver": {"phase": 7}}, "driver 7"),
    ({"status__driver": "Running"}, "status.driver cannot be read"),
    ({"status__plugins": [{"name": "npu", "phase": "Running"}, {"name": "log"}]}, None),
    (
        {"status__plugins": [{"name": "npu", "phase": "Running"}, {"name": "log", "phase": "Pending"}]},
        "plugin log Pending",
    ),
    ({"status__plugins": [{"phase": "Abnormal"}]}, "plugin without a name Abnormal"),
    ({"status__plugins": ["npu"]}, "a plugin cannot be read"),
    ({"status__plugins": {"name": "npu"}}, "status.plugins cannot be read"),
    ({"metadata__annotations": {"os.modelarts.node/lock.action": "delete"}}, None),
]


@pytest.mark.parametrize(("changes", "unusable"), NODES, ids=[str(changes) for changes, _why in NODES])
def test_an_idle_node_that_takes_no_work_is_no_room(changes: Document, unusable: str | None) -> None:
    """Its cards are free in the document, and the page says why it was left out."""
    idle = changed(node(SIZE), **changes)
    verdict = decide([idle, node(SIZE, {**SIZE, GPU: "0"})], request=asking())
    facts = observed([idle])["nodes"][0]
    assert facts["unusable"] == unusable
    assert verdict["decision"] == ("admit" if unusable is None else "wait")
    if unusable is not None:
        shown = " ".join(" ".join(page(verdict)).split())
        assert f"left out 1 {unusable}" in shown


def test_where_a_node_stands_is_told_and_decides_nothing() -> None:
    labels = {
        "os.modelarts.node/nodepool": "np-1",
        "os.modelarts.node/nodepoolname": "pool-of-eight",
        "os.modelarts.node/batch.uid": "b-1",
        "os.modelarts.node/batch.name": "first",
        "os.modelarts.node/batch.type": "hyperinstance",
        "os.modelarts.node/batch.count": "4",
        "os.modelarts.node/spod.id": "s-7",
        "os.modelarts.node/underlying.instance.id": "ecs-9",
        "cce.kubectl.kubernetes.io/cabinet": "10.0.0.1-10.0.0.2",
        BILLING: "0",
    }
    placed = changed(
        node(SIZE, labels=labels),
        status__driver={"version": "23.0.6", "phase": "Running"},
        status__plugins=[{"name": "npu", "version": "1", "phase": "Running"}],
        metadata__annotations={"os.modelarts.node/lock.action": "delete"},
    )
    facts = observed([placed])["nodes"][0]
    assert {name: facts[name] for name in ("node_pool", "node_pool_id", "supernode", "cabinet", "server")} == {
        "node_pool": "pool-of-eight",
        "node_pool_id": "np-1",
        "supernode": "s-7",
        "cabinet": "10.0.0.1-10.0.0.2",
        "server": "ecs-9",
    }
    assert facts["batch"] == {"uid": "b-1", "name": "first", "type": "hyperinstance", "count": 4}
    assert facts["driver"] == {"name": None, "version": "23.0.6", "phase": "Running"}
    assert facts["plugins"] == [{"name": "npu", "version": "1", "phase": "Running"}]
    assert (facts["locked"], facts["hot_standby"], facts["billing_status"]) == (True, False, "normal")
    assert facts["usable"]
    plain = observed([node(SIZE)])["nodes"][0]
    assert [plain[name] for name in ("batch", "driver", "billing_status", "supernode")] == [None] * 4
    assert (plain["plugins"], plain["locked"], plain["hot_standby"]) == ([], False, False)


POOLS: list[tuple[Document, str, str]] = [
    # (changes, decision, what the page says)
    ({"spec__controlMode": 0}, "admit", "phase Running"),
    ({"spec__controlMode": "0"}, "admit", "phase Running"),
    ({"spec__controlMode": 1}, "admit", "note: the pool is billing change restricted"),
    ({"spec__controlMode": 3}, "admit", "note: the pool is flavor change restricted"),
    ({"spec__controlMode": 4}, "wait", "service restricted (controlMode; not seen on a real pool yet"),
    ({"spec__controlMode": 8}, "wait", "frozen (controlMode; not seen on a real pool yet"),
    ({"spec__controlMode": 9}, "wait", "frozen (controlMode"),
    ({"spec__controlMode": 16}, "wait", "frozen by police (controlMode"),
    ({"spec__controlMode": 28}, "wait", "service restricted, frozen, frozen by police"),
    ({"spec__controlMode": 32}, "unknown", "controlMode bit 32, which the API reference does not list"),
    ({"spec__controlMode": 40}, "wait", "frozen (controlMode"),
    ({"spec__controlMode": "frozen"}, "unknown", "spec.controlMode cannot be read"),
    ({"spec__controlMode": -1}, "unknown", "spec.controlMode cannot be read"),
    ({"spec__controlMode": [8]}, "unknown", "spec.controlMode cannot be read"),
    ({"status__driver": {"gpu": {"version": "535", "state": "Running"}}}, "admit", "phase Running"),
    ({"status__driver": {"gpu": {"version": "535"}}}, "admit", "phase Running"),
    ({"status__driver": {"npu": {"state": "Upgrading"}}}, "wait", "npu driver Upgrading"),
    ({"status__driver": {"gpu": {"state": "Running"}, "npu": {"state": "Abnormal"}}}, "wait", "npu driver Abnormal"),
    ({"status__driver": {"gpu": {"state": "Creating"}}}, "wait", "gpu driver Creating"),
    (
        {"status__driver": {"gpu": {"state": "Asleep"}}},
        "unknown",
        "gpu driver Asleep, which the API reference does not",
    ),
    ({"status__driver": "Running"}, "unknown", "status.driver cannot be read"),
    ({"status__phase": "Deleting", "spec__controlMode": 8}, "reject", "phase Deleting"),
]


@pytest.mark.parametrize(("changes", "decision", "says"), POOLS, ids=[str(changes) for changes, *_rest in POOLS])
def test_a_pool_that_runs_and_starts_no_jobs(changes: Document, decision: str, says: str) -> None:
    verdict = decide([node(SIZE)], request=asking(), pool_document=changed(pool({FLAVOR: 1}), **changes))
    assert verdict["decision"] == decision
    text = " ".join(" ".join(page(verdict)).split())
    assert says in text or says in check_of(verdict, "pool")["message"], text


def test_what_a_pool_tells_of_itself() -> None:
    document = changed(
        pool(),
        spec__resources=[
            {"flavor": "f8", "count": 2, "maxCount": 4, "nodePool": "big"},
            {"flavor": "f8", "count": 1},
        ],
        spec__controlMode=9,
        metadata__labels={"os.modelarts/workspace.id": "w-5"},
        metadata__annotations={"os.modelarts/billing.mode": "1"},
    )
    facts = observed([node(SIZE)], pool_document=document)["pool"]
    assert facts["control_mode"] == ["billing_change_restricted", "frozen"]
    assert facts["node_pools"] == [
        {"name": "big", "flavor": "f8", "count": 2, "max_count": 4},
        {"name": "f8-default", "flavor": "f8", "count": 1, "max_count": None},
    ]
    assert (facts["workspace_id"], facts["billing_mode"]) == ("w-5", "yearly/monthly")


def test_a_logical_pool_shows_its_quotas_and_stays_unknown() -> None:
    document = changed(pool({FLAVOR: 2}, most={FLAVOR: 5}, parent="pool-big"), spec__type="Logical")
    verdict = decide([node(SIZE)], request=asking(), pool_document=document)
    assert verdict["decision"] == "unknown"
    message = check_of(verdict, "logical_pools")["message"]
    assert f"a logical pool with the quota {FLAVOR} 2, at most 5" in message
    assert "does not document" in message
    assert "not in the API" not in " ".join(verdict["remedies"])
    # Its metrics count the guarantee: beyond it, nobody knows, where they would say that there is no room.
    guarantee = [metrics({GPU: 8}, {GPU: 8})]
    for listed in ([node(SIZE)], refused()):
        verdict = decide(listed, metric_items=guarantee, request=asking(), pool_document=document)
        assert verdict["decision"] == "unknown", verdict["reasons"]


TYPES: list[tuple[str, dict[str, str], str, str]] = [
    # (asked, scopes of the pool, decision, what is said)
    ("x-infer", {"Train": "Enabled", "Infer": "Enabled"}, "admit", "x-infer, which is of the scope infer, is enabled"),
    (
        "x-infer",
        {"Train": "Enabled", "Infer": "Disabled"},
        "reject",
        "x-infer, which is of the scope infer, is Disabled",
    ),
    ("x-infer", {"Infer": "Enabling"}, "wait", "is being enabled"),
    ("x-infer", {"X-Infer": "Enabled", "Infer": "Disabled"}, "admit", "x-infer is enabled"),
    ("Train", {"Train": "Enabled"}, "admit", "train is enabled"),
    ("fine-tune", {"Fine-Tune": "Enabled"}, "admit", "fine-tune is enabled"),
    ("trian", {"Train": "Enabled"}, "reject", "trian is not there (the pool has: train Enabled); did you mean train?"),
    ("notebook", {"Train": "Enabled"}, "reject", "notebook is not there (the pool has: train Enabled)"),
]


@pytest.mark.parametrize(("asked", "scope", "decision", "says"), TYPES, ids=[f"{row[0]}-{row[1]}" for row in TYPES])
def test_the_pool_is_asked_which_job_types_it_takes(
    asked: str, scope: dict[str, str], decision: str, says: str
) -> None:
    verdict = decide([node(SIZE)], request=asking(type=asked), pool_document=pool({FLAVOR: 1}, scope=scope))
    assert verdict["decision"] == decision
    assert says in check_of(verdict, "job_type")["message"]


def test_a_job_type_that_is_listed_twice_is_not_enabled_for_sure() -> None:
    document = pool({FLAVOR: 1})
    document["status"]["scope"].append({"scopeType": "train", "state": "Disabled"})
    verdict = decide([node(SIZE)], request=asking(type="train"), pool_document=document)
    assert verdict["decision"] == "unknown"
    assert "train is Enabled and Disabled" in check_of(verdict, "job_type")["message"]


@pytest.mark.parametrize(
    ("asked", "queued", "ahead"),
    [
        ("infer", "x-infer", 1),  # both kinds of services share a scope, and so a queue
        ("x-infer", "infer", 1),
        ("infer", "train", 0),
        ("x-infer", "train", 0),
        ("train", "notebook", 0),
        ("train", "Train", 1),
        ("train", "fine-tune", 1),  # a type that is not known is ahead of all
        ("train", None, 1),
        ("fine-tune", "fine-tune", 1),
        ("fine-tune", "train", 0),
    ],
)
def test_types_that_stand_in_one_queue(asked: str, queued: str | None, ahead: int) -> None:
    scope = {"Train": "Enabled", "Infer": "Enabled", "Fine-Tune": "Enabled"}
    waits = job({GPU: "8"}, "Queue", kind=queued)
    verdict = decide(
        [node(SIZE)],
        [waits],
        request=asking(type=asked),
        policy={"queue_scope": "type"},
        pool_document=pool({FLAVOR: 1}, scope=scope),
    )
    assert check_of(verdict, "queue")["ahead"] == ahead
    assert verdict["decision"] == ("wait" if ahead else "admit")


def test_a_job_without_a_type_that_is_replaced_is_not_ahead_of_its_successor() -> None:
    waits = job({GPU: "8"}, "Queue", kind=None, uuid="own")
    request = asking(type="train", replaces={"job_uuid": "own"})
    verdict = decide([node(SIZE)], [waits], request=request)
    assert check_of(verdict, "queue")["ahead"] == 0


# Metrics, where nodes cannot be read

AGGREGATE = {"placement": "aggregate"}


def of_metrics(*items: Document, cards: int = 8) -> Document:
    return decide(
        refused(), request=asking(cards), policy=AGGREGATE, metric_items=items, pool_document=pool({FLAVOR: 2})
    )


def test_available_of_the_metrics_counts_where_it_is_the_smaller() -> None:
    item = metrics({GPU: 16}, {GPU: 0})
    assert of_metrics(item)["decision"] == "admit"
    smaller = changed(item, table__available={"value": {GPU: 4}, "maxValue": {GPU: 8}})
    assert of_metrics(smaller)["decision"] == "wait"
    larger = changed(item, table__available={"value": {GPU: 99}})
    assert of_metrics(larger, cards=17)["decision"] == "wait"
    facts = observed([node(SIZE)], metric_items=[smaller])["metrics"]
    assert (facts["available"], facts["max_available"]) == ({GPU: 4}, {GPU: 8})


def test_newer_tables_of_the_metrics_are_facts() -> None:
    counts = {"train": 3, "infer": "2", "x-infer": 1, "notebook": 0, "warmUpTask": 4, "odd": "many"}
    item = changed(metrics({GPU: 16}, {GPU: 0}), table__workload={"allocated": counts, "queue": {"train": 7}})
    item["table"]["capacity"].update(allValue={GPU: 24}, allMaxValue={GPU: 32})
    facts = observed([node(SIZE)], metric_items=[item])["metrics"]
    assert (facts["all_capacity"], facts["all_max_capacity"]) == ({GPU: 24}, {GPU: 32})
    assert facts["workload"] == {
        "allocated": {"train": 3, "infer": 2, "x-infer": 1, "notebook": 0, "warmUpTask": 4},
        "queue": {"train": 7},
    }


@pytest.mark.parametrize(("ahead", "decision"), [(0, "admit"), (29, "admit"), (32, "unknown"), (86400, "unknown")])
def test_metrics_from_the_future_do_not_count(ahead: int, decision: str) -> None:
    verdict = of_metrics(metrics({GPU: 16}, {GPU: 0}, age=-ahead))
    assert verdict["decision"] == decision
    if decision == "unknown":
        assert "in the future: not used" in check_of(verdict, "metrics")["message"]


def test_of_two_entries_for_one_pool_the_worse_counts() -> None:
    """Whichever comes first: less capacity, more allocated, older, from the future, or without a time."""
    good = metrics({GPU: 16}, {GPU: 0})
    undated = changed(good)
    undated["table"]["capacity"]["timestamp"] = "yesterday"
    worse = [
        (metrics({GPU: 4}, {GPU: 0}), "wait"),
        (metrics({GPU: 16}, {GPU: 12}), "wait"),
        (metrics({GPU: 16}, {GPU: 0}, age=3600), "unknown"),
        (metrics({GPU: 16}, {GPU: 0}, age=-3600), "unknown"),
        (undated, "unknown"),
    ]
    for other, decision in worse:
        for items in ([good, other], [other, good]):
            assert of_metrics(*items)["decision"] == decision, items
    assert moment(-3600) > moment()


# A reject stands on facts


def test_what_the_pool_does_not_tell_rejects_nothing() -> None:
    """Without the counts of its spec, nobody can say what the pool is meant to have."""
    untold = pool()
    del untold["spec"]["resources"]
    assert decide([node(SIZE)], request=asking(64), pool_document=untold)["decision"] == "wait"
    assert decide([node(SIZE)], request={"replicas": 9, "flavor": "f"}, pool_document=untold)["decision"] == "wait"
    told = pool({FLAVOR: 1})
    assert decide([node(SIZE)], request=asking(64), pool_document=told)["decision"] == "reject"


def test_a_node_whose_flavor_is_not_told_may_be_the_one_that_is_asked_for() -> None:
    asked = {"replicas": 2, "flavor": "f"}
    nodes = [node(SIZE, flavor="f"), node(SIZE, flavor=None, phase="Creating")]
    assert decide(nodes, request=asked, pool_document=pool({"f": 1}))["decision"] == "wait"
    nodes = [node(SIZE, flavor="f"), node(SIZE, flavor="g", phase="Creating")]
    assert decide(nodes, request=asked, pool_document=pool({"f": 1, "g": 1}))["decision"] == "reject"


@pytest.mark.parametrize(
    "changes", [{"status__phase": "Creating"}, {"status__driver": {"phase": "Pending"}}], ids=["creating", "driver"]
)
def test_a_node_whose_cards_are_not_up_yet_may_have_them_later(changes: Document) -> None:
    bare = changed(node({"cpu": "64", "memory": "500Gi"}), **changes)
    verdict = decide([bare], request=asking(), pool_document=pool({FLAVOR: 1}))
    assert verdict["decision"] == "wait"
    up = node({"cpu": "64", "memory": "500Gi"})
    assert decide([up], request=asking(), pool_document=pool({FLAVOR: 1}))["decision"] == "reject"


def test_two_documents_that_disagree_about_the_pool_reject_nothing() -> None:
    """ShowPool shows it, and ListWorkloads does not know it."""
    verdict = decide([node(SIZE)], refused(404, "ModelArts.50015001"), request=asking())
    assert verdict["decision"] == "unknown"


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("gpu", GPU),
        ("nvidia/gpu", GPU),
        ("nvidia.com/gpus", GPU),
        ("tpu-v4", None),
    ],
)
def test_a_resource_that_the_pool_does_not_have_names_what_it_has(asked: str, near: str | None) -> None:
    verdict = decide([node(SIZE)], request={"resources": {asked: 1}})
    assert verdict["decision"] == "reject"
    message = check_of(verdict, asked)["message"]
    assert message.startswith(f"the pool has no resource {asked}; it has nvidia.com/gpu, cpu, memory")
    assert message.endswith(f": did you mean {near}?" if near else "cpu, memory")
    assert "the pool has 0" not in message
