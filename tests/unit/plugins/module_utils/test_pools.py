# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools, nodes and metrics as facts; which nodes take work; and pools that can be read only in part."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import NoPoolReadableError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.metrics import metrics_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import capacity_facts, node_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pools import pool_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmodelarts import v1 as sdk
from hypothesis import given
from hypothesis import strategies as st

EXAMPLES = Path(__file__).parents[2] / "emulator" / "examples"
MIB = 2**20
POOL_A = "pool-a-000000000000000000000000000000000"
POOL_B = "pool-b-000000000000000000000000000000000"
POOL_C = "pool-c-000000000000000000000000000000000"
POOL_D = "pool-d-000000000000000000000000000000000"
Document = dict[str, t.Any]


def example(name: str) -> Document:
    document: Document = json.loads((EXAMPLES / f"{name}.200.json").read_text(encoding="utf-8"))
    return document


def client_of(emulator: Emulator, **options: t.Any) -> Client:
    mine = emulator.credentials
    keys = {"access_key": mine.access_key, "secret_key": mine.secret_key, "project_id": mine.project_id}
    return Client(connect({"endpoint": emulator.endpoint, **keys, **options}, where="here"))


def observe(emulator: Emulator, *pools: str, **query: t.Any) -> Document:
    with client_of(emulator, max_retries=0) as client:
        return read_workloads(client, pools, WorkloadQuery(include_capacity=True, **query), clock=time.time)


# The documents' examples


def test_the_pool_of_the_document() -> None:
    assert pool_facts(example("show_pool")) == {
        "pool_name": "auto-pool-os-86c13962597848eeb29c5861153a391f",
        "display_name": "auto-pool-os",
        "created_at": "2022-09-16T03:10:40Z",
        "type": "Dedicate",
        "phase": "Running",
        "message": None,
        "job_types": {"train": "Enabled", "infer": "Enabled"},
        "flavors": [
            {
                "flavor": "modelarts.vm.cpu.4ud",
                "count": 2,
                "max_count": None,
                "available": 2,
                "creating": 0,
                "abnormal": 0,
                "deleting": 0,
            }
        ],
        "driver": {},
        "control_mode": [],
        "node_pools": [
            {
                "name": "modelarts.vm.cpu.4ud-default",
                "flavor": "modelarts.vm.cpu.4ud",
                "count": 2,
                "max_count": None,
            }
        ],
        "workspace_id": None,
        "billing_mode": "pay-per-use",
        "queue_strategy": None,
        "subpools": None,
        "parent": None,
        "root": "auto-pool-os-86c13962597848eeb29c5861153a391f",
        "unreadable": [],
    }


def test_the_nodes_of_the_document() -> None:
    nodes = [node_facts(item) for item in example("list_pool_nodes")["items"]]
    assert len(nodes) == len(example("list_pool_nodes")["items"])
    assert nodes[0]["name"] == "os-node-created-zlncn"
    assert nodes[0]["resources"] == {"cpu": 3.92, "memory": 6270 * MIB}
    assert nodes[0]["free"] == {"cpu": 2.97, "memory": 4558 * MIB}
    assert all(node["usable"] for node in nodes)
    capacity = capacity_facts(nodes)
    assert capacity["total"]["cpu"] == pytest.approx(3.92 * len(nodes))
    free = [item["status"]["availableResources"]["memory"] for item in example("list_pool_nodes")["items"]]
    assert capacity["free"]["memory"] == sum(int(memory.removesuffix("Mi")) for memory in free) * MIB


def test_the_metrics_of_the_document() -> None:
    (item,) = example("show_pool_runtime_metrics")["items"]
    assert metrics_facts(item, 1648624150 + 90.5) == {
        "allocated": {"cpu": 5, "memory": 15548 * MIB, "tnt004": 1.073},
        "capacity": {"cpu": 16, "memory": 64 * 1024 * MIB, "tnt004": 2},
        "max_capacity": {"cpu": 16, "memory": 64 * 1024 * MIB, "tnt004": 2},
        "all_capacity": None,
        "all_max_capacity": None,
        "available": None,
        "max_available": None,
        "workload": None,
        "observed_at": "2022-03-30T07:09:10Z",
        "age_seconds": 90,
        "window_seconds": 60,
        "unreadable": [],
    }


# Which nodes can take work


def node(**changes: t.Any) -> Document:
    amounts = {"cpu": "8", "memory": "32Gi"}
    document: Document = {
        "metadata": {"name": "n", "labels": {}, "annotations": {}},
        "spec": {"flavor": "f"},
        "status": {"phase": "Available", "privateIp": "10.0.0.1", "resources": amounts, "availableResources": amounts},
    }
    for path, value in changes.items():
        part, _mark, key = path.partition("__")
        document[part] = {**document[part], key: value}
    return document


@pytest.mark.parametrize(
    ("changes", "unusable"),
    [
        ({}, None),
        *[
            ({"status__phase": phase}, f"phase {phase}")
            for phase in ("Creating", "Deleting", "Abnormal", "Checking", "New")
        ],
        ({"status__phase": None}, "phase unknown"),
        ({"status__phase": "available"}, "phase available"),
        ({"status__taints": [{"key": "k", "effect": "NoSchedule"}]}, "taint k:NoSchedule"),
        ({"status__taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}, "taint k:NoExecute"),
        ({"spec__taints": [{"key": "k", "effect": "NoSchedule"}]}, "taint k:NoSchedule"),
        ({"status__taints": [{"key": "k", "effect": "PreferNoSchedule"}]}, None),
        (
            {"status__taints": [{"key": "a", "effect": "PreferNoSchedule"}, {"effect": "NoExecute"}]},
            "taint None:NoExecute",
        ),
        ({"status__taints": None}, None),
        ({"metadata__annotations": {"os.modelarts.node/drain": ""}}, "draining"),
        ({"metadata__annotations": {"os.modelarts.node/drain": "false"}}, "draining"),
        (
            {"metadata__labels": {"os.modelarts.node/volcano.scheduler.cabinet-exclusive": "job-1"}},
            "reserved for job-1",
        ),
        # The label is there only while a job has the node to itself.
        (
            {"metadata__labels": {"os.modelarts.node/volcano.scheduler.cabinet-exclusive": ""}},
            "reserved for a job that is not named",
        ),
    ],
)
def test_which_nodes_take_work(changes: Document, unusable: str | None) -> None:
    facts = node_facts(node(**changes))
    assert (facts["usable"], facts["unusable"]) == (unusable is None, unusable)
    capacity = capacity_facts([facts, node_facts(node())])
    assert capacity["nodes"] == 2
    assert capacity["usable_nodes"] == 2 - (unusable is not None)
    assert capacity["total"]["cpu"] == 16
    assert capacity["usable"]["cpu"] == capacity["free"]["cpu"] == 8 * capacity["usable_nodes"]


def test_what_a_node_says_that_cannot_be_read() -> None:
    facts = node_facts(node(status__availableResources={"cpu": "some", "memory": "1Gi"}, status__resources=None))
    assert (facts["resources"], facts["free"]) == (None, {"memory": 2**30})
    assert facts["unreadable"] == [{"resource": "cpu", "value": "'some'"}]
    assert capacity_facts([facts])["free"] == {"memory": 2**30}


@pytest.mark.parametrize(
    ("bits", "occupied"), [("0000000000001111", 4), ("1111", 4), ("", 0), ("01x", None), (None, None), (15, None)]
)
def test_occupied_cards(bits: t.Any, occupied: int | None) -> None:
    """Text, never a number: 1111 is four cards."""
    annotations = {"os.modelarts/npu-topology-placement": bits}
    assert node_facts(node(metadata__annotations=annotations))["cards_occupied"] == occupied


def test_jobs_on_a_node() -> None:
    assert node_facts(node(), {"10.0.0.1": 3})["jobs"] == 3
    assert node_facts(node(), {})["jobs"] == 0
    assert node_facts(node())["jobs"] is None
    assert node_facts(node(status__privateIp=None), {"10.0.0.1": 3})["jobs"] is None


# Pools


@pytest.mark.parametrize("shape", [list, lambda entries: entries[0]], ids=["array", "object"])
def test_counts_of_nodes_in_both_shapes(shape: t.Callable[[list[Document]], t.Any]) -> None:
    """The reference shows arrays, the SDK models an object."""
    status = {"resources": {state: shape([{"flavor": "f", "count": 2}]) for state in ("available", "abnormal")}}
    spec = {"resources": shape([{"flavor": "f", "count": "5", "maxCount": 7}])}
    (flavor,) = pool_facts({"spec": spec, "status": status})["flavors"]
    assert flavor == {
        "flavor": "f", "count": 5, "max_count": 7, "available": 2, "creating": 0, "abnormal": 2, "deleting": 0,
    }  # fmt: skip


def test_one_flavor_in_several_node_pools_is_added_up() -> None:
    entries = [{"flavor": "f", "count": 2}, {"flavor": "g", "count": 1}, {"flavor": "f", "count": 3, "maxCount": 4}]
    flavors = pool_facts({"spec": {"resources": entries}, "status": {"resources": {"available": entries}}})["flavors"]
    assert [(one["flavor"], one["count"], one["max_count"], one["available"]) for one in flavors] == [
        ("f", 5, 4, 5),
        ("g", 1, None, 1),
    ]


def test_a_pool_with_all_that_the_gate_looks_at() -> None:
    facts = pool_facts(
        {
            "metadata": {
                "name": "pool-x",
                "annotations": {
                    "os.modelarts.pool/scheduler.queue.strategy": "backfill",
                    "os.modelarts.pool/subpools.count": "2",
                },
            },
            "status": {
                "phase": "Abnormal",
                "message": "two nodes are down",
                "parent": "pool-y",
                "scope": [{"scopeType": "Train", "state": "Enabling"}, {"scopeType": "Infer"}, "Notebook"],
                "driver": {"gpu": {"version": "535", "state": "Running"}, "npu": None},
            },
        }
    )
    assert (facts["phase"], facts["message"], facts["parent"]) == ("Abnormal", "two nodes are down", "pool-y")
    assert (facts["queue_strategy"], facts["subpools"]) == ("backfill", 2)
    assert facts["job_types"] == {"train": "Enabling", "infer": "None"}
    assert facts["driver"] == {"gpu": {"version": "535", "state": "Running"}}
    assert pool_facts({})["job_types"] is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
AMOUNTS = (
    st.dictionaries(st.sampled_from(("cpu", "memory", "nvidia.com/gpu", "x")), JSON | st.sampled_from(("1", "1Gi")))
    | JSON
)


def documents(**parts: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries({}, optional={name: part | JSON for name, part in parts.items()})


TABLE = documents(
    value=AMOUNTS,
    window=st.sampled_from(("1m", "60s", "h")),
    timestamp=st.datetimes().map(str) | st.just("0001-01-01T00:00:00+23:59"),
)


@given(
    documents(
        metadata=documents(
            name=JSON, labels=JSON, annotations=documents(**{"os.modelarts/npu-topology-placement": JSON})
        ),
        spec=documents(taints=st.lists(documents(key=JSON, effect=JSON))),
        status=documents(
            resources=AMOUNTS, availableResources=AMOUNTS, phase=JSON | st.just("Available"), privateIp=JSON
        ),
    )
)
def test_any_node_becomes_facts(document: Document) -> None:
    facts = node_facts(document, {})
    assert set(facts) == set(node_facts(node()))
    assert facts["usable"] == (facts["unusable"] is None)
    json.dumps([facts, capacity_facts([facts])])


@given(
    documents(
        metadata=documents(name=JSON, labels=JSON, annotations=JSON),
        spec=documents(resources=st.lists(documents(flavor=st.just("f"), count=JSON, maxCount=JSON))),
        status=documents(
            scope=st.lists(documents(scopeType=JSON, state=JSON)), resources=documents(available=JSON), driver=JSON
        ),
    )
)
def test_any_pool_becomes_facts(document: Document) -> None:
    facts = pool_facts(document)
    assert set(facts) == set(pool_facts({}))
    json.dumps(facts)


@given(documents(table=documents(allocated=TABLE, capacity=TABLE)), st.floats(0, 1e11))
def test_any_metrics_become_facts(document: Document, now: float) -> None:
    facts = metrics_facts(document, now)
    assert facts["age_seconds"] is None or isinstance(facts["age_seconds"], int)
    json.dumps(facts)


@pytest.mark.parametrize(
    ("timestamps", "age"),
    [
        (("2022-03-30T07:09:10Z", "2022-03-30T07:08:10Z"), 160),
        (("2022-03-30T07:09:10+00:00", "2022-03-30T09:09:10+02:00"), 100),
        (("2022-03-30T07:09:10", "2022-03-30 07:09:10"), 100),
        (("2022-03-30T07:19:10Z", "2022-03-30T07:19:10Z"), -500),  # from the future
        (("2022-03-30T07:09:10Z", "2022-03-30T07:19:10Z"), -500),  # which is worse than any age
        (("2022-03-30T07:09:10Z", "yesterday"), None),
        (("2022-03-30T07:09:10Z", None), None),
        (("0001-01-01T00:00:00+23:59", "2022-03-30T07:09:10Z"), None),  # before the year 1, in UTC
    ],
)
def test_the_age_of_metrics_is_that_of_the_older_table(timestamps: tuple[t.Any, t.Any], age: int | None) -> None:
    allocated, capacity = ({"value": {}, "timestamp": timestamp, "window": "1m"} for timestamp in timestamps)
    assert (
        metrics_facts({"table": {"allocated": allocated, "capacity": capacity}}, 1648624150 + 100)["age_seconds"] == age
    )


# Several documents of several pools

NODES = [{"name": "n", "count": 2, "flavor": "gpu", "resources": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": 4}}]
JOBS = [
    {"name": "runs", "status": "Running", "nodes": ["n-01"], "resources": {"cpu": "4", "nvidia.com/gpu": 4}},
    {"name": "waits", "count": 3, "type": "infer", "resources": {"nvidia.com/gpu": 8}},
]
FACTS = (
    "capacity", "errors", "held", "holders", "metrics", "nodes", "observed_at", "placements", "pool", "queue_counts",
    "queued", "unplaced",
)  # fmt: skip


def pools(**refuse: t.Any) -> Document:
    one = {"nodes": NODES, "jobs": JOBS}
    return {
        "pools": [{"id": POOL_A, "name": "a", **one, "refuse": refuse}, {"id": POOL_B, "name": "b", **one}],
    }


def test_all_that_a_decision_needs_in_one_call() -> None:
    with Emulator(pools()) as emulator:
        facts = observe(emulator, POOL_A, POOL_B, types=["infer"], fields=["job_name"])
        paths = [entry["path"].split("/", 3)[3] for entry in emulator.requests]
    assert sorted(paths) == sorted(
        ["metrics/runtime/pools"]
        + [f"pools/{pool}{part}" for pool in (POOL_A, POOL_B) for part in ("", "/nodes", "/workloads")]
    )
    assert [job["job_name"] for job in facts["workloads"]] == ["waits-2", "waits-1", "waits-0"] * 2
    assert (facts["total"], facts["complete"]) == (6, True)
    for entry in facts["pools"]:
        assert set(FACTS) < set(entry)
        assert entry["errors"] == []
        assert entry["capacity"]["free"] == {"cpu": 28, "memory": 128 * 2**30, "nvidia.com/gpu": 4}
        assert [job["job_name"] for job in entry["holders"]] == ["runs"]  # whatever type asks for
        assert len(entry["queued"]) == 3
        assert [one["jobs"] for one in entry["nodes"]] == [1, 0]
        assert entry["metrics"]["allocated"]["nvidia.com/gpu"] == 4
        assert entry["pool"]["display_name"] in ("a", "b")
        assert entry["summary"]["total"] == 3


@pytest.mark.parametrize(
    ("refuse", "null", "document"),
    [
        ({"nodes": {"status": 403, "error_code": "ModelArts.0108"}}, ("nodes", "capacity"), "nodes"),
        ({"pool": 500}, ("pool",), "pool"),
        ({"workloads": 503}, ("held", "holders", "queued", "queue_counts", "unplaced", "placements"), "workloads"),
    ],
)
def test_a_document_that_cannot_be_read(refuse: Document, null: tuple[str, ...], document: str) -> None:
    with Emulator(pools(**refuse)) as emulator:
        facts = observe(emulator, POOL_A, POOL_B)
    first, second = facts["pools"]
    assert [name for name in FACTS if first[name] is None] == sorted(null)
    (error,) = first["errors"]
    assert error["document"] == document
    assert error["status"] in (403, 500, 503)
    assert error["error_code"]
    assert error["request_id"]
    assert second["errors"] == []
    assert None not in [second[name] for name in FACTS]
    assert facts["complete"] is (document != "workloads")


def test_metrics_that_cannot_be_read() -> None:
    with Emulator({**pools(), "refuse": {"metrics": 403}}) as emulator:
        facts = observe(emulator, POOL_A, POOL_B)
    for entry in facts["pools"]:
        assert entry["metrics"] is None
        assert [error["document"] for error in entry["errors"]] == ["metrics"]


def test_one_pool_of_two_does_not_exist() -> None:
    with Emulator(pools()) as emulator:
        facts = observe(emulator, "pool-nobodys", POOL_B)
    assert [len(entry["errors"]) for entry in facts["pools"]] == [3, 0]
    assert facts["complete"] is False
    assert facts["total"] is None


def test_no_pool_can_be_read() -> None:
    with Emulator(pools()) as emulator, pytest.raises(NoPoolReadableError) as raised:
        observe(emulator, "pool-nobodys", "pool-nowhere")
    result = raised.value.as_result()
    assert (result["status"], result["error_code"]) == (404, "ModelArts.50015001")
    assert result["request_id"]
    assert [entry["pool_name"] for entry in result["pools"]] == ["pool-nobodys", "pool-nowhere"]


def test_pools_of_a_decision_by_display_name() -> None:
    with Emulator(pools()) as emulator:
        facts = observe(emulator, "b", POOL_A, "pool-nobodys")
        paths = [entry["path"].split("/", 3)[3] for entry in emulator.requests]
    assert [entry["pool_name"] for entry in facts["pools"]] == [POOL_B, POOL_A, "pool-nobodys"]
    assert [len(entry["errors"]) for entry in facts["pools"]] == [0, 0, 3]
    assert [paths[0], paths.count("pools")] == ["pools", 2]  # the second for the sentence of the 404


def test_the_list_of_pools_cannot_be_read() -> None:
    """What has an ID is read all the same; what has not, is neither read nor taken for a pool that does not exist."""
    with Emulator({**pools(), "refuse": {"pools": 403}}) as emulator:
        facts = observe(emulator, "a", POOL_B)
        assert not [entry for entry in emulator.requests if entry["path"].endswith("/pools/a")]
    named, known = facts["pools"]
    assert (named["pool_name"], known["errors"]) == ("a", [])
    assert [error["document"] for error in named["errors"]] == ["workloads", "pool", "nodes"]
    assert {error["status"] for error in named["errors"]} == {403}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a", POOL_A], f"{POOL_A} is asked for twice, by ID and by display name."),
        (["b", "twin"], f"twin is the display name of 2 pools: give one of the IDs {POOL_C}, {POOL_D}."),
        (["b", "no/where"], "'no/where' is not a pool ID"),
    ],
)
def test_display_names_of_a_decision_that_are_a_mistake(names: list[str], sentence: str) -> None:
    twins = [{"id": POOL_C, "name": "twin"}, {"id": POOL_D, "name": "twin"}]
    with Emulator({"pools": [*pools()["pools"], *twins]}) as emulator:
        with pytest.raises(InputError) as raised:
            observe(emulator, *names)
        assert [entry["path"].split("/", 3)[3] for entry in emulator.requests] == ["pools"]
    assert raised.value.message.startswith(sentence)


def test_nodes_over_several_pages() -> None:
    many = {"name": "n", "count": 1100, "flavor": "cpu", "resources": {"cpu": "4", "memory": "8Gi"}}
    with Emulator({"pools": [{"id": POOL_A, "nodes": [many]}]}) as emulator:
        (entry,) = observe(emulator, POOL_A)["pools"]
        asked = [one["query"] for one in emulator.requests if one["path"].endswith("/nodes")]
    assert len({one["name"] for one in entry["nodes"]}) == len(entry["nodes"]) == 1100
    assert len(asked) == 3
    assert entry["capacity"]["free"]["cpu"] == 4400


def test_nodes_whose_token_repeats() -> None:
    many = {"name": "n", "count": 1100, "flavor": "cpu", "resources": {"cpu": "4", "memory": "8Gi"}}
    pool = {"id": POOL_A, "nodes": [many], "quirks": {"nodes_repeat_token": True}}
    with Emulator({"pools": [pool]}) as emulator:
        (entry,) = observe(emulator, POOL_A)["pools"]
    assert (entry["nodes"], entry["capacity"]) == (None, None)
    assert "does not end" in entry["errors"][0]["msg"]


def test_pools_by_id_and_by_display_name() -> None:
    with Emulator(pools()) as emulator, client_of(emulator) as client:
        everything = read_pools(client, [], include_capacity=False, clock=time.time)
        assert [pool["pool_name"] for pool in everything["pools"]] == [POOL_A, POOL_B]
        named = read_pools(client, ["b", POOL_A, "b"], include_capacity=True, clock=time.time)
        assert [pool["pool_name"] for pool in named["pools"]] == [POOL_B, POOL_A]
        assert named["resolved"] == {"b": POOL_B}
        assert named["pools"][0]["capacity"]["free"]["nvidia.com/gpu"] == 4
        with pytest.raises(InputError, match="No pool has the ID or the display name c; the project has a, b"):
            read_pools(client, ["c"], include_capacity=False, clock=time.time)


def test_a_display_name_of_two_pools() -> None:
    twins = {"pools": [{"id": POOL_A, "name": "twin"}, {"id": POOL_B, "name": "twin"}]}
    with Emulator(twins) as emulator, client_of(emulator) as client, pytest.raises(InputError) as raised:
        read_pools(client, ["twin"], include_capacity=False, clock=time.time)
    assert raised.value.message == f"twin is the display name of 2 pools: give one of the IDs {POOL_A}, {POOL_B}."


@pytest.mark.parametrize("include_capacity", [True, False])
def test_wrong_keys_lock_nothing(include_capacity: bool) -> None:
    """The emulator locks an access key after five refusals in a row, as the gateway does."""
    with Emulator(pools()) as emulator:
        for _i in range(4):
            with client_of(emulator, secret_key="wrong") as client, pytest.raises(ModelArtsError) as raised:
                read_workloads(
                    client, [POOL_A, POOL_B], WorkloadQuery(include_capacity=include_capacity), clock=time.time
                )
            assert raised.value.status == 401
        assert len(emulator.requests) == 4
        assert observe(emulator, POOL_A, POOL_B)["complete"]


# The official SDK as a second opinion


def sdk_client(emulator: Emulator) -> t.Any:
    mine = emulator.credentials
    login = BasicCredentials(mine.access_key, mine.secret_key, mine.project_id)
    return sdk.ModelArtsClient.new_builder().with_credentials(login).with_endpoint(emulator.endpoint).build()


@pytest.mark.parametrize(
    "scenario", ["document", "demo", "many", pools()], ids=["document", "demo", "many", "two pools"]
)
def test_every_field_of_nodes_and_pools_that_the_sdk_models(scenario: str | Document) -> None:
    with Emulator(scenario) as emulator:
        api = sdk_client(emulator)
        with client_of(emulator) as client:
            ours = read_pools(client, [], include_capacity=True, clock=time.time)["pools"]
        theirs = api.list_pools(sdk.ListPoolsRequest()).items
        assert [pool["pool_name"] for pool in ours] == [pool.metadata.name for pool in theirs]
        for mine, other in zip(ours, theirs):
            shown = api.show_pool(sdk.ShowPoolRequest(pool_name=mine["pool_name"]))
            for model in (other, shown):
                assert mine["created_at"] == model.metadata.creation_timestamp
                assert mine["display_name"] == model.metadata.labels.os_modelarts_name
                assert (mine["phase"], mine["message"]) == (model.status.phase, model.status.message)
                assert (mine["parent"], mine["root"]) == (model.status.parent, model.status.root)
                assert mine["job_types"] == {one.scope_type.lower(): one.state for one in model.status.scope}
                flavors = {one.flavor: one.count for one in model.spec.resources}
                assert {one["flavor"]: one["count"] for one in mine["flavors"]} == flavors
            nodes = api.list_pool_nodes(sdk.ListPoolNodesRequest(pool_name=mine["pool_name"])).items
            assert len(mine["nodes"]) == len(nodes) > 0
            for my_node, their_node in zip(mine["nodes"], nodes):
                assert my_node["name"] == their_node.metadata.name
                assert my_node["flavor"] == their_node.spec.flavor
                status = their_node.status
                assert (my_node["phase"], my_node["az"]) == (status.phase, status.az)
                assert my_node["private_ip"] == status.private_ip
                for amounts, model in (("resources", status.resources), ("free", status.available_resources)):
                    cpu, memory = model.cpu, model.memory
                    assert cpu.endswith("m")
                    assert my_node[amounts]["cpu"] == int(cpu[:-1]) / 1000
                    assert memory[-2:] in ("Mi", "Ki")
                    assert my_node[amounts]["memory"] == int(memory[:-2]) * {"Mi": MIB, "Ki": 1024}[memory[-2:]]
                    if model.nvidia_com_gpu is not None:
                        assert my_node[amounts]["nvidia.com/gpu"] == int(model.nvidia_com_gpu)
