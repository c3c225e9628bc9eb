# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and pools that take no work: their documents say why, and the emulated scheduler starts nothing there."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.job import JOB_TYPES

from .conftest import POOL, Caller, frozen, small_pool

Serve = t.Callable[..., Caller]
CARDS = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": 4}
NODE = {"flavor": "gpu4", "resources": CARDS}
STANDBY = "os.modelarts.node/ha.redundant.enabled"
BILLING = "os.modelarts/billing.status"


def job(name: str, **keys: t.Any) -> dict[str, t.Any]:
    return {"name": name, "resources": CARDS, **keys}


def shown_pool(caller: Caller) -> dict[str, t.Any]:
    document: dict[str, t.Any] = caller.get(f"/v2/{{project}}/pools/{POOL}")
    return document


CLOSED = [
    {"labels": {STANDBY: "true"}},
    {"labels": {BILLING: "1"}},
    {"labels": {BILLING: "2"}},
    {"driver": "Updating"},
    {"driver": "Abnormal"},
    {"plugins": {"gpu-driver": "Running", "os-node-agent": "Pending"}},
]
OPEN = [
    {"labels": {STANDBY: "false", BILLING: "0", "os.modelarts.node/elastic.quota": "team-a"}},
    {"annotations": {"os.modelarts.node/lock.action": "delete"}},
    {"driver": "Running", "plugins": {"gpu-driver": "Running"}},
]


@pytest.mark.parametrize(("keys", "takes"), [*((keys, False) for keys in CLOSED), *((keys, True) for keys in OPEN)])
def test_a_job_is_started_only_on_a_node_that_takes_work(serve: Serve, keys: dict[str, t.Any], takes: bool) -> None:
    """Wherever the scenario wants it: at the start, where the emulator chooses, and later, where the job names it."""
    nodes = [{"name": "asked", **NODE, **keys}, {"name": "other", **NODE}]
    timeline = [{"after": 1, "end": "chosen"}, {"after": 2, "start": "named"}]
    jobs = [job("chosen", status="Running"), job("named", nodes=["asked"])]
    caller = serve(frozen(small_pool(nodes=nodes, jobs=jobs), timeline=timeline))
    chosen = caller.workloads("status=Running")["items"][0]
    assert chosen["hostIps"] == ("10.0.0.1" if takes else "10.0.0.2")
    caller.emulator.advance(2)
    assert caller.jobs("status=Running") == (["named"] if takes else [])


@pytest.mark.parametrize("keys", CLOSED)
def test_a_job_that_was_there_before_stays(serve: Serve, keys: dict[str, t.Any]) -> None:
    """A driver is upgraded under running jobs, and an account is frozen with them on its nodes."""
    nodes = [{"name": "asked", **NODE, **keys}]
    caller = serve(frozen(small_pool(nodes=nodes, jobs=[job("old", status="Running", nodes=["asked"])])))
    assert caller.jobs("status=Running") == ["old"]
    assert caller.available()[0]["nvidia.com/gpu"] == "0"


def test_the_documents_of_such_nodes(serve: Serve) -> None:
    nodes = [
        {"name": "plain", **NODE},
        {"name": "all", **NODE, "labels": {STANDBY: "true"}, "driver": "Updating", "plugins": {"agent": "Pending"}},
    ]
    plain, full = serve(frozen(small_pool(nodes=nodes))).nodes()["items"]
    assert "labels" not in plain["metadata"]
    assert not {"driver", "plugins"} & plain["status"].keys()
    assert full["metadata"]["labels"] == {STANDBY: "true"}
    assert full["status"]["phase"] == "Available"
    assert full["status"]["driver"] == {"phase": "Updating", "version": "535.54.03"}
    assert full["status"]["plugins"] == [{"name": "agent", "phase": "Pending", "version": "1.0.0"}]


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({"labels": {}}, {"labels": {STANDBY: "true"}}),
        ({"driver": "Running"}, {"driver": "Updating"}),
        ({"plugins": {"agent": "Running"}}, {"plugins": {"agent": "Pending"}}),
        ({"taints": []}, {"taints": [{"key": "k", "effect": "NoSchedule"}]}),
        ({"annotations": {}}, {"annotations": {"os.modelarts.node/drain": "true"}}),
        ({"phase": "Available", "driver": "Running"}, {"phase": "Creating", "driver": "Pending"}),
    ],
)
def test_a_node_takes_work_once_the_timeline_lets_it(
    serve: Serve, change: dict[str, t.Any], keys: dict[str, t.Any]
) -> None:
    timeline = [
        {"after": 1, "add": job("early", status="Running")},
        {"after": 2, "node": "asked", **change},
        {"after": 3, "add": job("late", status="Running")},
    ]
    caller = serve(frozen(small_pool(nodes=[{"name": "asked", **NODE, **keys}]), timeline=timeline))
    caller.emulator.advance(3)
    assert (caller.jobs("status=Running"), caller.jobs("status=Queue")) == (["late"], ["early"])


@pytest.mark.parametrize(
    ("keys", "starts"),
    [
        ({"controlMode": 4}, False),
        ({"controlMode": 8}, False),
        ({"controlMode": 16}, False),
        ({"controlMode": 9}, False),
        ({"controlMode": 0}, True),
        ({"controlMode": 3}, True),
        ({"driver": {"gpu": "Upgrading"}}, False),
        ({"driver": {"gpu": "Running", "npu": "Creating"}}, False),
        ({"driver": {"gpu": "Running"}}, True),
        ({"phase": "Abnormal"}, False),
        ({"scope": {"Train": "Disabling"}}, False),
        ({"scope": ["Infer"]}, False),
    ],
)
def test_which_pools_start_a_job(serve: Serve, keys: dict[str, t.Any], starts: bool) -> None:
    timeline = [{"after": 1, "start": "waiting"}, {"after": 2, "add": job("new", status="Running")}]
    caller = serve(frozen(small_pool(jobs=[job("waiting")], **keys), timeline=timeline))
    caller.emulator.advance(2)
    assert caller.jobs("status=Running") == (["new", "waiting"] if starts else [])


def test_a_pool_is_thawed(serve: Serve) -> None:
    timeline = [
        {"after": 1, "controlMode": 0},
        {"after": 2, "driver": {"gpu": "Running"}},
        {"after": 3, "start": "waiting"},
    ]
    frozen_pool = small_pool(jobs=[job("waiting")], controlMode=9, driver={"gpu": "Upgrading", "npu": "Running"})
    caller = serve(frozen(frozen_pool, timeline=timeline))
    pool = shown_pool(caller)
    assert pool["spec"]["controlMode"] == 9
    assert pool["status"]["driver"] == {
        "gpu": {"version": "535.54.03", "state": "Upgrading"},
        "npu": {"version": "24.1.rc2", "state": "Running"},
    }
    caller.emulator.advance(3)
    pool = shown_pool(caller)
    assert pool["spec"]["controlMode"] == 0
    assert {state["state"] for state in pool["status"]["driver"].values()} == {"Running"}
    assert caller.jobs("status=Running") == ["waiting"]


@pytest.mark.parametrize("scope", ["Infer", "Train"])
def test_services_of_the_new_kind_are_started_in_the_scope_of_the_old(serve: Serve, scope: str) -> None:
    caller = serve(
        frozen(small_pool(scope=[scope], jobs=[job("chat", type="x-infer")]), timeline=[{"after": 1, "start": "chat"}])
    )
    assert shown_pool(caller)["status"]["scope"] == [{"scopeType": scope, "state": "Enabled"}]
    caller.emulator.advance(1)
    assert caller.jobs("type=x-infer&status=Running") == (["chat"] if scope == "Infer" else [])


def test_pools_without_any_of_it_are_as_they_were(serve: Serve) -> None:
    pool = shown_pool(serve(frozen(small_pool())))
    assert "controlMode" not in pool["spec"]
    assert "driver" not in pool["status"]
    assert pool["spec"]["type"] == "Dedicate"
    assert "os.modelarts/workspace.id" not in pool["metadata"]["labels"]


def test_node_pools_are_counted_apart(serve: Serve) -> None:
    label = "os.modelarts.node/nodepool"
    nodes = [
        {"name": "a", "count": 3, **NODE, "labels": {label: "np-1"}},
        {"name": "b", **NODE, "labels": {label: "np-2"}},
        {"name": "c", **NODE, "phase": "Creating"},
    ]
    pool = shown_pool(serve(frozen(small_pool(nodes=nodes))))
    azs = "eu-de-01"
    assert pool["spec"]["resources"] == [
        {"nodePool": "np-1", "flavor": "gpu4", "count": 3},
        {"nodePool": "np-2", "flavor": "gpu4", "count": 1},
        {"flavor": "gpu4", "count": 1},
    ]
    assert pool["status"]["resources"]["available"] == [
        {"nodePool": "np-1", "flavor": "gpu4", "count": 3, "azs": [{"az": azs, "count": 3}]},
        {"nodePool": "np-2", "flavor": "gpu4", "count": 1, "azs": [{"az": azs, "count": 1}]},
    ]


def metrics(caller: Caller) -> dict[str, t.Any]:
    table: dict[str, t.Any] = caller.get("/v2/{project}/metrics/runtime/pools")["items"][0]["table"]
    return table


def test_newer_tables_of_the_metrics(serve: Serve) -> None:
    nodes = [
        {"name": "open", **NODE},
        {"name": "spare", **NODE, "labels": {STANDBY: "true"}},
        {"name": "down", **NODE, "phase": "Abnormal"},
    ]
    jobs = [
        job("a", status="Running", nodes=["open"], resources={"nvidia.com/gpu": 1}),
        job("b", type="x-infer"),
        job("c", type="infer"),
        job("d", type="x-infer", status="Failed"),
    ]
    newer = {"all": True, "available": True, "workload": True}
    table = metrics(serve(frozen(small_pool(nodes=nodes, jobs=jobs, metrics=newer))))
    cards = {
        name: {key: value["nvidia.com/gpu"] for key, value in entry.items() if isinstance(value, dict)}
        for name, entry in table.items()
        if name != "workload"
    }
    assert cards == {
        "allocated": {"value": 1},
        "capacity": {"value": 8, "maxValue": 12, "allValue": 12, "allMaxValue": 12},
        "available": {"value": 3, "maxValue": 4},
    }
    counts = dict.fromkeys((*JOB_TYPES, "warmUpTask", "sum"), 0)
    assert table["workload"]["allocated"] == {**counts, "train": 1, "sum": 1}
    assert table["workload"]["queue"] == {**counts, "infer": 1, "x-infer": 1, "sum": 2}
    assert {entry["window"] for entry in table.values()} == {"1m"}
    assert set(metrics(serve(frozen(small_pool())))) == {"allocated", "capacity"}


def test_values_of_the_newer_tables_can_be_given(serve: Serve) -> None:
    given = {"available": {"tnt004": 1}, "all": {"tnt004": 9}}
    table = metrics(serve(frozen(small_pool(metrics=given))))
    assert (table["available"]["value"], table["capacity"]["allValue"]) == ({"tnt004": 1}, {"tnt004": 9})


def test_a_logical_pool_has_a_guarantee_and_a_ceiling(serve: Serve) -> None:
    parent = small_pool()
    quota = [{"flavor": "gpu4", "count": 1, "maxCount": 3}]
    logical = small_pool(
        id=POOL.replace("small", "logic"), name="logical", type="Logical", parent=POOL, root=POOL, resources=quota
    )
    caller = serve(frozen(parent, pools=[parent, logical], flavors={"gpu4": {"allocatable": CARDS}}))
    pool = caller.get(f"/v2/{{project}}/pools/{logical['id']}")
    assert (pool["spec"]["type"], pool["spec"]["resources"]) == ("Logical", quota)
    assert (pool["status"]["parent"], pool["status"]["root"]) == (POOL, POOL)
    capacity = caller.get("/v2/{project}/metrics/runtime/pools")["items"][1]["table"]["capacity"]
    assert (capacity["value"]["nvidia.com/gpu"], capacity["maxValue"]["nvidia.com/gpu"]) == (4, 12)
