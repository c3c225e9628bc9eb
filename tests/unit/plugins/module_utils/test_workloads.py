# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as facts: the documented example whole, every field in every shape, and what the official SDK makes of them."""

from __future__ import annotations

import json
import math
import typing as t
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import load as load_scenario
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import (
    ADDED_FIELDS,
    FIELDS,
    hosts_of,
    workload_facts,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import Tally, entries_with_jobs, merge
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.values import created_at
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import OVER, STATUSES, WAITING
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmodelarts import v1 as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLE = json.loads(
    (Path(__file__).parents[2] / "emulator" / "examples" / "list_workloads.200.json").read_text(encoding="utf-8")
)
POOL = "pool-train-dev-cpu-public-fab2c5cf438b4f0c851fdcdf08704898"
NOW = 1729173183.0
Start = t.Callable[..., ScriptedServer]


def facts_of(item: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    return workload_facts({**item, **changes}, "pool-x", Requirements())


def client_of(emulator: Emulator) -> Client:
    mine = emulator.credentials
    keys = {"access_key": mine.access_key, "secret_key": mine.secret_key, "project_id": mine.project_id}
    return Client(connect({"endpoint": emulator.endpoint, **keys}, where="here"))


def read(emulator: Emulator, *pools: str, query: WorkloadQuery | None = None) -> dict[str, t.Any]:
    with client_of(emulator) as client:
        return read_workloads(client, pools, query or WorkloadQuery(), clock=lambda: NOW)


# The document


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


# Every field of tables 3 to 7

FULL: dict[str, t.Any] = {
    "apiVersion": "v1",
    "kind": "Workload",
    "type": "train",
    "namespace": "pool-x",
    "name": "modelarts-job-1",
    "jobName": "llm",
    "uid": "uid-1",
    "jobUUID": "uuid-1",
    "flavor": "modelarts.p3d.8xa100",
    "status": "Running",
    "userName": "mara",
    "resourceRequirement": {"cpu": "8 Cores", "memory": "32 GiB", "nvidia.com/gpu": "4"},
    "priority": "2",
    "runningDuration": 60,
    "pendingDuration": 5,
    "pendingPosition": -1,
    "createTime": 1727254947000,
    "gvk": "batch.volcano.sh/v1alpha1, Kind=Job",
    "hostIps": "10.0.0.1,10.0.0.2",
    "nodes": [
        {
            "hostIp": "10.0.0.1",
            "npuTopologyPlacement": "0000000000001111",
            "resourceRequirement": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "4"},
        }
    ],
    "isDeleted": "false",
}
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
            [{"host_ip": None, "npu_topology_placement": None, "resource_requirement": None, "resources": {}}],
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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
QUANTITY = st.sampled_from(("1", "2 Cores", "6.52 GiB", "500m", "8", "lots", "", None, 5, 0.5, -1, True, [], {}))
REQUIREMENT = st.dictionaries(st.sampled_from(("cpu", "memory", "nvidia.com/gpu", "x")), QUANTITY, max_size=4)
NODE = st.fixed_dictionaries(
    {}, optional={"hostIp": JSON, "npuTopologyPlacement": JSON, "resourceRequirement": REQUIREMENT | JSON, "new": JSON}
)
FIELD: dict[str, st.SearchStrategy[t.Any]] = {
    **{key: JSON | st.just(FULL[key]) for key in FULL},
    "status": st.sampled_from((*STATUSES, "Hibernating", None, 5)) | JSON,
    "resourceRequirement": REQUIREMENT | st.lists(REQUIREMENT, max_size=3) | JSON,
    "nodes": NODE | st.lists(NODE, max_size=3) | JSON,
    "createTime": st.integers() | JSON,
    "unknownKey": JSON,
}
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
    assert facts["created_at"] == created_at(item.get("createTime"))
    json.dumps(facts)


@given(JOB, st.lists(st.sampled_from([*FIELDS, *ADDED_FIELDS]), max_size=6))
def test_fields_keep_what_they_name(item: dict[str, t.Any], fields: list[str]) -> None:
    whole = facts_of(item)
    assert workload_facts(item, "pool-x", Requirements(), fields) == {name: whole[name] for name in fields}


@settings(max_examples=40)
@given(st.lists(JOB, max_size=6))
def test_any_jobs_are_counted(items: list[dict[str, t.Any]]) -> None:
    summary = Tally(NOW, items).as_facts()
    assert summary["total"] == sum(summary["by_status"].values()) == sum(summary["by_type"].values()) == len(items)
    assert set(summary["resources_by_status"]) == set(summary["by_status"])
    occupancy = Occupancy(NOW, items).as_facts()
    waiting = sum(item.get("status") in WAITING for item in items if isinstance(item.get("status"), str))
    assert len(occupancy["queued"]) == sum(entry["count"] for entry in occupancy["queue_counts"]) == waiting
    over = sum(item.get("status") in OVER for item in items if isinstance(item.get("status"), str))
    placed = sum(item.get("status") in tuple(WAITING) and bool(hosts_of(item)) for item in items)
    assert len(occupancy["holders"]) == min(10, len(items) - waiting + placed - over)
    json.dumps([summary, occupancy])
    Occupancy(NOW, items, placement_of=["uuid-1"])


@settings(max_examples=40)
@given(st.lists(JOB, max_size=6), st.integers(0, 6))
def test_a_summary_of_two_pools_is_that_of_all_their_jobs(items: list[dict[str, t.Any]], cut: int) -> None:
    together = merge([Tally(NOW, items[:cut]), Tally(NOW, items[cut:])]).as_facts()
    whole = Tally(NOW, items).as_facts()
    for unordered in (together, whole):
        unordered["unparsed"] = sorted(unordered["unparsed"], key=repr)
    assert together == whole


def test_what_cannot_be_read_is_quoted_and_counted() -> None:
    items = [
        {**FULL, "resourceRequirement": {"cpu": "lots", "memory": "1Gi"}},
        {**FULL, "resourceRequirement": {"cpu": "lots"}},
        {**FULL, "resourceRequirement": "all of it"},
        {**FULL, "resourceRequirement": None},
    ]
    summary = Tally(NOW, items).as_facts()
    assert summary["unparsed"] == [
        {"resource": "cpu", "value": "'lots'", "jobs": 2},
        {"resource": "*", "value": "'all of it'", "jobs": 1},
    ]
    assert summary["resources_by_status"] == {"Running": {"memory": 2**30}}
    held = Occupancy(NOW, items).as_facts()["held"]
    assert held == {"resources": {"memory": 2**30}, "active": {"memory": 2**30}, "unread": {"cpu": 2, "*": 2}}


def test_sums_are_exact() -> None:
    """A tenth of a core a thousand times; 6.52 GiB each rounded up to a byte, as Kubernetes does."""
    items = [{"status": "Running", "resourceRequirement": {"cpu": "0.1 Cores", "memory": "6.52 GiB"}}] * 1000
    assert Tally(NOW, items).as_facts()["resources_by_status"] == {"Running": {"cpu": 100, "memory": 7000796693000}}


@pytest.mark.parametrize(
    ("item", "seconds"),
    [
        ({"status": "Queue", "pendingDuration": 30, "createTime": int(NOW - 90) * 1000}, 30),
        ({"status": "Pending", "pendingDuration": "30"}, 30),
        ({"status": "Queue", "createTime": int(NOW - 90) * 1000}, 90),
        ({"status": "Queue", "pendingDuration": -1, "createTime": int(NOW - 90) * 1000}, 90),
        ({"status": "Queue", "createTime": int(NOW + 90) * 1000}, None),
        ({"status": "Queue"}, None),
        ({"status": "Running", "pendingDuration": 30}, None),
        ({"status": "Hibernating", "pendingDuration": 30}, None),
    ],
)
def test_the_oldest_that_waits(item: dict[str, t.Any], seconds: int | None) -> None:
    assert Tally(NOW, [item]).as_facts()["oldest_pending_seconds"] == seconds
    if seconds is not None:
        younger = {"status": "Queue", "pendingDuration": 0}
        assert Tally(NOW, [younger, item, younger]).as_facts()["oldest_pending_seconds"] == seconds


# Who holds and who waits


def job(name: str, status: str, cards: int = 1, **keys: t.Any) -> dict[str, t.Any]:
    requirement = {"cpu": "1", "nvidia.com/gpu": str(cards)}
    return {"jobName": name, "jobUUID": name, "status": status, "resourceRequirement": requirement, **keys}


def names(jobs: list[dict[str, t.Any]]) -> list[str]:
    return [one["job_name"] for one in jobs]


def test_who_holds_what() -> None:
    """So does a status that nobody knows."""
    items = [job(f"{status}-{n}", status, n) for status in (*STATUSES, "Hibernating") for n in (1, 2)]
    facts = Occupancy(NOW, items).as_facts()
    holding = {"Running", "Creating", "Terminating", "Abnormal", "Hibernating"}
    assert {name.split("-")[0] for name in names(facts["holders"])} == holding
    assert facts["held"]["resources"] == {"cpu": 10, "nvidia.com/gpu": 15}
    assert facts["held"]["active"] == {"cpu": 4, "nvidia.com/gpu": 6}  # Running and Creating
    assert facts["held"]["unread"] == {}
    assert [one["resources"]["nvidia.com/gpu"] for one in facts["holders"]] == [2] * 5 + [1] * 5
    assert {name.split("-")[0] for name in names(facts["queued"])} == WAITING


def test_the_ten_that_hold_most() -> None:
    items = [job(f"job-{n}", "Running", n % 37) for n in range(100)]
    holders = Occupancy(NOW, items).as_facts()["holders"]
    assert [one["resources"]["nvidia.com/gpu"] for one in holders] == [36, 36, 35, 35, 34, 34, 33, 33, 32, 32]


@given(st.lists(st.tuples(st.sampled_from(["0", "1", "10", "2", None, "high"]), st.integers(0, 5)), max_size=15))
def test_the_queue_is_in_the_order_of_the_scheduler(given_: list[tuple[str | None, int]]) -> None:
    """Higher numbers first, then older ones; a priority that cannot be read counts as ahead."""
    items = [job(f"job-{n}", "Queue", priority=priority, createTime=at) for n, (priority, at) in enumerate(given_)]

    def rank(item: dict[str, t.Any]) -> tuple[float, int]:
        priority = item["priority"]
        return (-int(priority) if priority and priority.isdigit() else -math.inf, item["createTime"])

    facts = Occupancy(NOW, items).as_facts()
    assert names(facts["queued"]) == [item["jobName"] for item in sorted(items, key=rank)]
    counted = {(entry["type"], entry["priority"]): entry["count"] for entry in facts["queue_counts"]}
    expected = Counter(("unknown", int(p) if p and p.isdigit() else None) for p, _given in given_)
    assert counted == dict(expected)


def test_a_long_queue_is_cut_at_its_end_and_counted_whole() -> None:
    items = [job(f"job-{n}", "Queue", priority="0", createTime=n, type="train") for n in range(250)]
    facts = Occupancy(NOW, items).as_facts()
    assert names(facts["queued"]) == [f"job-{n}" for n in range(100)]
    (counted,) = facts["queue_counts"]
    assert (counted["type"], counted["priority"], counted["count"]) == ("train", 0, 250)
    assert (counted["oldest_seconds"], counted["youngest_seconds"]) == (int(NOW), int(NOW - 0.249))


def test_jobs_that_show_no_node_yet_and_one_that_is_asked_for() -> None:
    items = [
        job("a", "Creating", 8),
        job("b", "Creating", 8),
        job("c", "Terminating", 2),
        job("d", "Running", 4, hostIps="10.0.0.1,10.0.0.2"),
        job("e", "Running", 4, nodes={"hostIp": "10.0.0.1", "resourceRequirement": {"nvidia.com/gpu": "4"}}),
    ]
    occupancy = Occupancy(NOW, items, placement_of=["e", "b", "z"])
    facts = occupancy.as_facts()
    assert facts["unplaced"] == [
        {"count": 2, "resources": {"cpu": 1, "nvidia.com/gpu": 8}, "unread": []},
        {"count": 1, "resources": {"cpu": 1, "nvidia.com/gpu": 2}, "unread": []},
    ]
    assert dict(occupancy.jobs_by_host) == {"10.0.0.1": 2, "10.0.0.2": 1}
    assert [(one["job_uuid"], one["host_ips"], one["nodes"]) for one in facts["placements"]] == [
        ("b", [], []),
        ("e", ["10.0.0.1"], [{"host_ip": "10.0.0.1", "resources": {"nvidia.com/gpu": 4}}]),
    ]


# On the emulator


def frozen(given_: str | dict[str, t.Any]) -> dict[str, t.Any]:
    """A shipped scenario whose clock stands still, so that two readings say the same."""
    scenario = load_scenario(given_)
    return {**scenario, "clock": {**scenario.get("clock", {}), "frozen": True}}


@pytest.fixture(scope="module")
def many() -> t.Iterator[Emulator]:
    with Emulator(frozen("many")) as emulator:
        yield emulator


def test_1234_jobs_over_three_pages(many: Emulator) -> None:
    """Each once; and the summary is what ShowWorkloadStatistics counts."""
    (pool,) = many.world.pools
    before = len(many.requests)
    facts = read(many, pool)
    asked = [entry["query"] for entry in many.requests[before:]]
    assert asked[0] == "ascend=true&limit=500&offset=0&sort=create_time"
    assert len(asked) == 3
    assert (facts["total"], facts["complete"], facts["warnings"]) == (1234, True, [])
    assert len({one["job_uuid"] for one in facts["workloads"]}) == len(facts["workloads"]) == 1234
    assert {one["job_name"] for one in facts["workloads"]} == {f"job-{n}" for n in range(1234)}
    times = [one["create_time"] for one in facts["workloads"]]
    assert times == sorted(times)
    statistics = sdk_client(many).show_workload_statistics(sdk.ShowWorkloadStatisticsRequest(pool_name=pool)).statistics
    counted: Counter[str] = Counter()
    for entry in statistics.items:
        counted.update({name: int(count) for name, count in modelled(entry.status).items() if int(count)})
    assert facts["summary"]["by_status"] == dict(counted)
    assert facts["summary"]["by_type"] == {entry.type: int(entry.total) for entry in statistics.items}
    assert facts["summary"]["total"] == int(statistics.total) == 1234


@pytest.mark.parametrize("ascend", [None, True, False])
@pytest.mark.parametrize("offset", [None, 0, 7])
def test_the_order_asked_for(many: Emulator, ascend: bool | None, offset: int | None) -> None:
    """All pages, in the order and from the offset that one page would have."""
    (pool,) = many.world.pools
    query = {"sort": "create_time", "ascend": ascend, "offset": offset, "fields": ["job_uuid"]}
    followed = read(many, pool, query=WorkloadQuery(**query))
    page = read(many, pool, query=WorkloadQuery(**query, limit=500, fetch_all=False))
    assert followed["workloads"][:500] == page["workloads"]
    assert len(followed["workloads"]) == 1234 - (offset or 0)
    assert followed["total"] == 1234
    assert followed["complete"] == (not offset)


@pytest.mark.parametrize("types", [[], ["train"], ["infer", "notebook"]])
@pytest.mark.parametrize("statuses", [[], ["Queue"], ["Queue", "Pending"], ["Running", "Failed", "Completed"]])
def test_filters_whether_the_server_or_we_apply_them(many: Emulator, types: list[str], statuses: list[str]) -> None:
    (pool,) = many.world.pools
    everything = read(many, pool)["workloads"]
    expected = [
        one for one in everything if (not types or one["type"] in types) and (not statuses or one["status"] in statuses)
    ]
    facts = read(many, pool, query=WorkloadQuery(types=types, statuses=statuses))
    assert facts["workloads"] == expected
    assert (facts["total"], facts["complete"]) == (len(expected), True)
    assert facts["summary"]["total"] == len(expected)


def test_several_pools_and_their_own_parts() -> None:
    with Emulator(frozen("demo")) as emulator:
        pools = list(emulator.world.pools)
        facts = read(emulator, *pools)
        apart = [read(emulator, pool) for pool in pools]
        nothing = read(emulator, *pools, query=WorkloadQuery(fields=[]))
    assert facts["workloads"] == apart[0]["workloads"] + apart[1]["workloads"]
    assert facts["total"] == apart[0]["total"] + apart[1]["total"]
    assert facts["pools"] == [one["pools"][0] for one in apart]
    assert [pool["workloads"] for pool in entries_with_jobs(facts)] == [one["workloads"] for one in apart]
    assert nothing["workloads"] == []
    assert [pool["workloads"] for pool in entries_with_jobs(nothing)] == [[], []]
    assert (nothing["summary"], nothing["total"]) == (facts["summary"], facts["total"])


def test_a_display_name_in_place_of_an_id() -> None:
    with Emulator("demo") as emulator:
        with pytest.raises(ApiError) as raised:
            read(emulator, "train-a100")
        (pool,) = [pool.id for pool in emulator.world.pools.values() if pool.name == "train-a100"]
        assert raised.value.message.endswith(f" train-a100 is the display name of {pool}: give that ID.")
        assert (raised.value.status, raised.value.error_code) == (404, "ModelArts.50015001")
        assert raised.value.request_id
        with pytest.raises(ApiError, match="Give the ID of the pool, which is its metadata.name and not the name that"):
            read(emulator, "nobodys-pool")


# The official SDK as a second opinion


def sdk_client(emulator: Emulator) -> t.Any:
    mine = emulator.credentials
    login = BasicCredentials(mine.access_key, mine.secret_key, mine.project_id)
    return sdk.ModelArtsClient.new_builder().with_credentials(login).with_endpoint(emulator.endpoint).build()


def modelled(value: t.Any) -> t.Any:
    """What the SDK made of a document, under the keys of the API, without what is not there."""
    if hasattr(value, "attribute_map"):
        values = {key: modelled(getattr(value, name)) for name, key in value.attribute_map.items()}
        return {key: one for key, one in values.items() if one is not None}
    return [modelled(one) for one in value] if isinstance(value, list) else value


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
