# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as facts, field by field."""

from __future__ import annotations

import json
import math
import typing as t
from fractions import Fraction
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import creation_time_field
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import ADDED_FIELDS, FIELDS, job_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.tests.unit.cloud.jobs import (
    FIELD,
    FULL,
    NOW,
    frozen,
    modelled,
    read,
    sdk_client,
)
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer
from huaweicloudsdkmodelarts import v1 as sdk
from hypothesis import given
from hypothesis import strategies as st

EXAMPLE = json.loads(
    (Path(__file__).parents[3] / "emulator" / "examples" / "list_workloads.200.json").read_text(encoding="utf-8")
)
POOL = "pool-train-dev-cpu-public-fab2c5cf438b4f0c851fdcdf08704898"
Start = t.Callable[..., ScriptedServer]


def facts_of(item: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    return job_facts({**item, **changes}, "pool-x", Requirements())


def test_the_example_of_the_document_comes_out_whole(script: Start) -> None:
    server = script(Reply(body=EXAMPLE))
    connection = connect({"endpoint": server.url, "project_id": "p", "auth_token": "tok1"}, where="here")
    with Client(connection) as client:
        facts = read_workloads(
            client,
            [POOL],
            WorkloadQuery(
                types=["train", "infer"], sort="create_time", ascend=False, offset=0, limit=5, fetch_all=False
            ),
            clock=lambda: NOW,
        )
    assert (facts["total"], facts["complete"], facts["warnings"]) == (234, False, [])
    assert [job["job_name"] for job in facts["workloads"]] == [item["jobName"] for item in EXAMPLE["items"]]
    for job, item in zip(facts["workloads"], EXAMPLE["items"]):
        for name, key in FIELDS.items():
            if key in item and key != "isDeleted":
                assert job[name] == item[key], name
        assert job["is_deleted"] is False
        assert job["resources"] == {"cpu": 1, "memory": math.ceil(Fraction("6.52") * 2**30)}
        assert (job["pool_name"], job["extra"]) == (POOL, {})
        assert (job["host_ips"], job["nodes"]) == ([], [])
        assert (job["flavor"], job["user_name"], job["running_duration"]) == (None, None, None)
        assert set(job) == {*FIELDS, *ADDED_FIELDS}
    assert facts["workloads"][0]["created_at"] == "2024-09-25T09:02:27Z"
    assert facts["summary"] == {
        "total": 5,
        "by_status": {"Queue": 5},
        "by_type": {"train": 5},
        "resources_by_status": {"Queue": {"cpu": 5, "memory": 5 * math.ceil(Fraction("6.52") * 2**30)}},
        "oldest_pending_seconds": 8473063,
        "unparsed": [],
    }


def test_the_five_jobs_queued_up_to_one_moment() -> None:
    """createTime and pendingDuration are milliseconds and seconds: that is how their sums agree."""
    assert {item["createTime"] // 1000 + item["pendingDuration"] for item in EXAMPLE["items"]} == {int(NOW)}


RESOURCES = {"cpu": 8, "memory": 32 * 2**30, "nvidia.com/gpu": 4}


def test_every_documented_field() -> None:
    assert set(FULL) == set(FIELDS.values())
    facts = facts_of(FULL)
    for name, key in FIELDS.items():
        if name not in ("host_ips", "nodes", "is_deleted"):
            assert facts[name] == FULL[key]
    assert facts["host_ips"] == ["10.0.0.1", "10.0.0.2"]
    assert facts["nodes"] == [
        {
            "host_ip": "10.0.0.1",
            "npu_topology_placement": "0000000000001111",
            "cards_free": None,
            "resource_requirement": FULL["nodes"][0]["resourceRequirement"],
            "resources": RESOURCES,
        }
    ]
    assert facts["resources"] == RESOURCES
    assert facts["is_deleted"] is False
    assert facts["extra"] == {}


@pytest.mark.parametrize(
    ("key", "value", "name", "fact"),
    [
        ("nodes", FULL["nodes"][0], "nodes", facts_of(FULL)["nodes"]),  # the table: one object
        ("nodes", [], "nodes", []),
        ("nodes", None, "nodes", []),
        (
            "nodes",
            [{}],
            "nodes",
            [
                {
                    "host_ip": None,
                    "npu_topology_placement": None,
                    "cards_free": None,
                    "resource_requirement": None,
                    "resources": {},
                }
            ],
        ),
        ("resourceRequirement", [FULL["resourceRequirement"]], "resources", RESOURCES),  # the table: an array
        (
            "resourceRequirement",
            [{"cpu": "1", "memory": "1Gi"}, {"cpu": "500m", "nvidia.com/gpu": 1}],
            "resources",
            {"cpu": 1.5, "memory": 2**30, "nvidia.com/gpu": 1},
        ),
        ("resourceRequirement", {"huawei.com/ascend-1980": "8"}, "resources", {"huawei.com/ascend-1980": 8}),
        ("resourceRequirement", {"cpu": "", "memory": None}, "resources", {}),
        ("resourceRequirement", None, "resources", {}),
        ("hostIps", ["10.0.0.1", " 10.0.0.2 "], "host_ips", ["10.0.0.1", "10.0.0.2"]),
        ("hostIps", "10.0.0.1, 10.0.0.2,", "host_ips", ["10.0.0.1", "10.0.0.2"]),
        ("hostIps", "", "host_ips", []),
        ("hostIps", None, "host_ips", []),
        ("isDeleted", "true", "is_deleted", True),
        ("isDeleted", "False", "is_deleted", False),
        ("isDeleted", True, "is_deleted", True),
        ("isDeleted", None, "is_deleted", None),
        ("priority", 3, "priority", "3"),
        ("priority", None, "priority", None),
        ("createTime", "1727254947000", "create_time", 1727254947000),
        ("createTime", "1727254947000", "created_at", "2024-09-25T09:02:27Z"),
        ("createTime", 1727254947999, "created_at", "2024-09-25T09:02:27Z"),
        ("createTime", 1727254947000.0, "create_time", 1727254947000),
        ("createTime", 10**17, "created_at", None),
        ("createTime", None, "created_at", None),
        ("runningDuration", "60", "running_duration", 60),
        ("pendingPosition", "-1", "pending_position", -1),
        ("status", "Hibernating", "status", "Hibernating"),
        ("type", "x-infer", "type", "x-infer"),
    ],
)
def test_every_shape_of_a_field(key: str, value: t.Any, name: str, fact: t.Any) -> None:
    facts = facts_of(FULL, **{key: value})
    assert facts[name] == fact
    assert type(facts[name]) is type(fact)
    assert facts["extra"] == {}


@pytest.mark.parametrize(
    ("key", "value", "name", "fact"),
    [
        ("status", ["Running"], "status", None),
        ("jobName", {"a": 1}, "job_name", None),
        ("createTime", "yesterday", "create_time", None),
        ("createTime", True, "create_time", None),
        ("runningDuration", 1.5, "running_duration", None),
        ("runningDuration", "1" * 30, "running_duration", None),
        ("isDeleted", "maybe", "is_deleted", None),
        ("nodes", ["10.0.0.1"], "nodes", []),
        ("newKey", {"a": [1]}, "status", "Running"),
    ],
)
def test_what_cannot_be_the_fields_is_kept_as_sent(key: str, value: t.Any, name: str, fact: t.Any) -> None:
    facts = facts_of(FULL, **{key: value})
    assert facts[name] == fact
    assert facts["extra"] == {key: value}


JOB = st.fixed_dictionaries({}, optional=FIELD)


@given(JOB)
def test_any_job_becomes_facts_of_fixed_types(item: dict[str, t.Any]) -> None:
    facts = facts_of(item)
    assert set(facts) == {*FIELDS, *ADDED_FIELDS}
    integers = ("running_duration", "pending_duration", "pending_position", "create_time")
    for name, value in facts.items():
        if name in integers:
            assert value is None or (isinstance(value, int) and not isinstance(value, bool))
        elif name in ("host_ips", "nodes"):
            assert isinstance(value, list)
        elif name in ("resources", "extra"):
            assert isinstance(value, dict)
        elif name == "is_deleted":
            assert value in (None, True, False)
        elif name != "resource_requirement":
            assert value is None or isinstance(value, str)
    assert facts["resource_requirement"] == item.get("resourceRequirement")
    assert all(isinstance(address, str) and address for address in facts["host_ips"])
    assert all(amount >= 0 for amount in facts["resources"].values())
    assert facts["created_at"] == creation_time_field(item.get("createTime"))
    json.dumps(facts)


@given(JOB, st.lists(st.sampled_from([*FIELDS, *ADDED_FIELDS]), max_size=6))
def test_fields_keep_what_they_name(item: dict[str, t.Any], fields: list[str]) -> None:
    whole = facts_of(item)
    assert job_facts(item, "pool-x", Requirements(), fields) == {name: whole[name] for name in fields}


@pytest.fixture(scope="module")
def many() -> t.Iterator[Emulator]:
    with Emulator(frozen("many")) as emulator:
        yield emulator


NPU_POOL = {
    "id": "pool-npu-0000000000000000000000000000000",
    "nodes": [
        {"count": 2, "flavor": "npu", "resources": {"cpu": "64", "memory": "512Gi", "huawei.com/ascend-snt9": 8}}
    ],
    "jobs": [
        {
            "name": "npu",
            "count": 3,
            "status": "Running",
            "flavor": "npu",
            "owner": "mara",
            "priority": 3,
            "replicas": 1,
            "resources": {"cpu": "1500m", "memory": "1 GiB", "huawei.com/ascend-snt9": 4},
        },
        {"name": "over", "status": "Completed", "ran": 7, "resources": {"cpu": "1"}},
    ],
}


@pytest.mark.parametrize("scenario", ["document", "demo", "many", {"pools": [NPU_POOL]}], ids=str)
def test_every_field_that_the_sdk_models_is_ours(scenario: str | dict[str, t.Any]) -> None:
    compared: set[str] = set()
    with Emulator(frozen(scenario)) as emulator:
        api = sdk_client(emulator)
        for pool in emulator.world.pools:
            ours = read(emulator, pool, query=WorkloadQuery(sort="create_time", ascend=False))["workloads"]
            theirs: list[t.Any] = []
            while len(theirs) < len(ours):
                request = sdk.ListWorkloadsRequest(
                    pool_name=pool, sort="create_time", ascend=False, offset=str(len(theirs)), limit=500
                )
                theirs += api.list_workloads(request).items
            assert len(ours) == len(theirs)
            for mine, other in zip(ours, theirs):
                for name in other.attribute_map:
                    value = modelled(getattr(other, name))
                    if name == "host_ips":
                        assert mine[name] == (value.split(",") if value else [])
                    elif name == "nodes":
                        assert [node["host_ip"] for node in mine[name]] == [node.get("hostIp") for node in value or []]
                        for node, their_node in zip(mine[name], value or []):
                            assert node["npu_topology_placement"] == their_node.get("npuTopologyPlacement")
                            assert their_node["resourceRequirement"].items() <= node["resource_requirement"].items()
                    elif name == "resource_requirement":
                        assert (value or {}).items() <= mine[name].items()
                    else:
                        assert mine[name] == value, name
                    compared |= {name} if value is not None else set()
    assert {"name", "job_uuid", "status", "create_time", "resource_requirement", "namespace", "gvk"} <= compared
    if scenario != "document":
        assert {"user_name", "host_ips", "nodes", "running_duration"} <= compared
