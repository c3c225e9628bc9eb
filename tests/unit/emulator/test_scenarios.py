# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios: what nodes and jobs become, what time changes, and errors that name the key."""

from __future__ import annotations

import copy
import json
import typing as t
from fractions import Fraction

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.quantities import (
    job_quantity,
    metric_quantity,
    node_quantity,
    parse_quantity,
)
from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import SCENARIOS, ScenarioError
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from .conftest import POOL, Caller, frozen, small_pool

Serve = t.Callable[..., Caller]
FULL = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": 4}


def job(name: str, **keys: t.Any) -> dict[str, t.Any]:
    return {"name": name, "status": "Running", "resources": FULL, **keys}


@pytest.mark.parametrize(
    ("resource", "text", "amount"),
    [
        ("cpu", "1 Cores", 1000), ("cpu", "3920m", 3920), ("cpu", "0.5", 500), ("cpu", 8, 8000),
        ("memory", "6.52 GiB", 7000796692), ("memory", "6270Mi", 6270 * 2**20), ("memory", "8G", 8 * 10**9),
        ("nvidia.com/gpu", "8", 8000), ("nvidia.com/gpu", "1073m", 1073),
    ],
)  # fmt: skip
def test_quantities_are_read(resource: str, text: t.Any, amount: int) -> None:
    assert parse_quantity(resource, text) == amount


@pytest.mark.parametrize("text", ["", "8 X", "-1", "1e3", "lots", None, True, "0x8", "1,5"])
def test_what_is_no_quantity(text: t.Any) -> None:
    with pytest.raises(ValueError, match="is not a quantity of cpu"):
        parse_quantity("cpu", text)


def test_quantities_are_written_as_each_document_does() -> None:
    gib = 2**30
    assert [job_quantity("cpu", 1000), job_quantity("cpu", 1250)] == ["1 Cores", "1.25 Cores"]
    assert [job_quantity("memory", 64 * gib), job_quantity("memory", 7000796692)] == ["64 GiB", "6.52 GiB"]
    assert job_quantity("nvidia.com/gpu", 16000) == "16"
    assert [node_quantity("cpu", 3920), node_quantity("memory", 6270 * 2**20)] == ["3920m", "6270Mi"]
    assert [node_quantity("memory", 1025), node_quantity("nvidia.com/gpu", 8000)] == ["1Ki", "8"]
    assert [metric_quantity("cpu", 5000), metric_quantity("cpu", 5500), metric_quantity("x", 0)] == [5, "5500m", 0]
    assert [metric_quantity("memory", 64 * gib), metric_quantity("memory", 15548 * 2**20)] == ["64Gi", "15548Mi"]


def test_a_running_job_takes_its_resources_from_its_nodes(serve: Serve) -> None:
    jobs = [job("two", nodes=["node-01", "node-02"], resources={"cpu": "2", "memory": "6.5Gi", "nvidia.com/gpu": 1})]
    caller = serve(frozen(small_pool(jobs=jobs)))
    assert caller.available() == [{"cpu": "14000m", "memory": "58880Mi", "nvidia.com/gpu": "3"}] * 2
    found = caller.workloads()["items"][0]
    assert found["resourceRequirement"] == {"cpu": "4 Cores", "memory": "13 GiB", "nvidia.com/gpu": "2"}
    assert found["hostIps"] == "10.0.0.1,10.0.0.2"
    replica = {"cpu": "2 Cores", "memory": "6.5 GiB", "nvidia.com/gpu": "1"}
    assert found["nodes"] == [{"hostIp": ip, "resourceRequirement": replica} for ip in ("10.0.0.1", "10.0.0.2")]


def test_jobs_without_nodes_are_placed_on_the_first_that_fit(serve: Serve) -> None:
    jobs = [
        job("big", resources={"nvidia.com/gpu": 3}),
        job("pair", replicas=2, resources={"nvidia.com/gpu": 2}),
        job("small", resources={"nvidia.com/gpu": 1}),
        job("unplaced", nodes=[], resources={"nvidia.com/gpu": 4}),
        job("waiting", status="Queue", resources={"nvidia.com/gpu": 4}),
    ]
    caller = serve(frozen(small_pool(jobs=jobs)))
    found = {entry["jobName"]: entry for entry in caller.workloads()["items"]}
    assert [found[name].get("hostIps") for name in ("big", "pair", "small")] == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]
    assert len(found["pair"]["nodes"]) == 2
    assert "nodes" not in found["unplaced"]
    assert "nodes" not in found["waiting"]
    assert [node["nvidia.com/gpu"] for node in caller.available()] == ["0", "0"]


@pytest.mark.parametrize(
    "keys",
    [
        {"taints": [{"key": "k", "effect": "NoSchedule"}]},
        {"taints": [{"key": "k", "effect": "NoExecute"}]},
        {"annotations": {"os.modelarts.node/drain": "true"}},
        {"labels": {"os.modelarts.node/volcano.scheduler.cabinet-exclusive": "job"}},
        {"phase": "Abnormal"},
    ],
)
def test_nodes_that_take_no_new_work(serve: Serve, keys: dict[str, t.Any]) -> None:
    nodes = [
        {"name": "closed", "flavor": "gpu4", "resources": FULL, **keys},
        {"name": "open", "flavor": "gpu4", "resources": FULL, "taints": [{"key": "k", "effect": "PreferNoSchedule"}]},
    ]
    caller = serve(frozen(small_pool(nodes=nodes, jobs=[job("a")])))
    assert caller.workloads()["items"][0]["hostIps"] == "10.0.0.2"
    closed = caller.nodes()["items"][0]
    assert closed["status"].get("taints", []) == keys.get("taints", [])
    for part in ("annotations", "labels"):
        assert closed["metadata"].get(part) == keys.get(part)


def test_cards_of_an_npu_node(serve: Serve) -> None:
    """Synthetic: no published example shows an NPU."""
    key = "huawei.com/ascend-1980"
    nodes = [{"name": "npu", "flavor": "npu8", "resources": {"cpu": "192", key: 8}}]
    jobs = [job("a", resources={key: 2}, age=20), job("b", resources={key: 1}, age=10)]
    scenario = frozen(small_pool(nodes=nodes, jobs=jobs), timeline=[{"after": 5, "end": "a"}])
    caller = serve(scenario)

    def placements() -> tuple[str, list[str]]:
        node = caller.nodes()["items"][0]["metadata"]["annotations"]["os.modelarts/npu-topology-placement"]
        running = caller.workloads("status=Running&sort=create_time&ascend=true")["items"]
        return node, [entry["nodes"][0]["npuTopologyPlacement"] for entry in running]

    assert placements() == ("0000000000000111", ["0000000000000011", "0000000000000100"])
    caller.emulator.advance(5)
    assert placements() == ("0000000000000100", ["0000000000000100"])


def test_durations_follow_the_clock(serve: Serve) -> None:
    jobs = [
        job("running", age=100, waited=30),
        job("queued", status="Queue", age=70),
        job("done", status="Completed", age=500, waited=20, ran=50),
    ]
    caller = serve(frozen(small_pool(jobs=jobs)))

    def durations() -> dict[str, tuple[int | None, int]]:
        return {
            entry["jobName"]: (entry.get("runningDuration"), entry["pendingDuration"])
            for entry in caller.workloads()["items"]
        }

    assert durations() == {"running": (70, 30), "queued": (None, 70), "done": (50, 20)}
    caller.emulator.advance(10)
    assert durations() == {"running": (80, 30), "queued": (None, 80), "done": (50, 20)}
    created = {entry["jobName"]: entry["createTime"] for entry in caller.workloads()["items"]}
    assert created == {"running": 1_699_999_900_000, "queued": 1_699_999_930_000, "done": 1_699_999_500_000}


def test_the_clock_runs_unless_it_is_frozen(serve: Serve) -> None:
    caller = serve({"pools": [small_pool(jobs=[job("queued", status="Queue", age=0)])]})
    caller.emulator.advance(3600)
    assert caller.workloads()["items"][0]["pendingDuration"] in (3600, 3601)


def test_timeline(serve: Serve) -> None:
    jobs = [job("first", age=50), job("second", status="Queue", age=40), job("third", age=30)]
    timeline = [
        {"after": 10, "end": "first", "status": "Failed"},
        {"after": 20, "start": "second"},
        {"after": 30, "remove": "third"},
        {"after": 30, "node": "node-02", "phase": "Abnormal"},
        {"after": 40, "add": job("fourth", status="Queue")},
        {"after": 50, "node": "node-02", "phase": "Available"},
        {"after": 60, "start": "fourth"},
        {"after": 70, "scope": {"Train": "Disabled"}},
        {"after": 80, "phase": "Abnormal"},
    ]
    caller = serve(frozen(small_pool(jobs=jobs), timeline=timeline))

    def state() -> tuple[str, str, list[str]]:
        order = "sort=create_time&ascend=true"
        statuses = " ".join(f"{entry['jobName']}:{entry['status']}" for entry in caller.workloads(order)["items"])
        nodes = caller.nodes()["items"]
        phases = " ".join(node["status"]["phase"] for node in nodes)
        return statuses, phases, [node["status"]["availableResources"]["nvidia.com/gpu"] for node in nodes]

    up, down = "Available Available", "Available Abnormal"
    expected = [
        ("first:Running second:Queue third:Running", up, ["0", "0"]),
        ("first:Failed second:Queue third:Running", up, ["4", "0"]),
        ("first:Failed second:Running third:Running", up, ["0", "0"]),
        ("first:Failed second:Running", down, ["0", "4"]),
        ("first:Failed second:Running fourth:Queue", down, ["0", "4"]),
        ("first:Failed second:Running fourth:Queue", up, ["0", "4"]),
        ("first:Failed second:Running fourth:Running", up, ["0", "0"]),
    ]
    for wanted in expected:
        assert state() == wanted
        caller.emulator.advance(10)
    pool = caller.get(f"/v2/{{project}}/pools/{POOL}")
    assert {entry["scopeType"]: entry["state"] for entry in pool["status"]["scope"]}["Train"] == "Disabled"
    assert pool["status"]["phase"] == "Running"
    caller.emulator.advance(10)
    assert caller.get(f"/v2/{{project}}/pools/{POOL}")["status"]["phase"] == "Abnormal"
    first = next(entry for entry in caller.workloads("status=Failed")["items"] if entry["jobName"] == "first")
    assert first["runningDuration"] == 60


def test_a_job_that_finds_no_room_stays_in_the_queue(serve: Serve) -> None:
    jobs = [job("a"), job("b"), job("c", status="Queue")]
    timeline = [{"after": 1, "start": "c"}, {"after": 2, "add": job("d")}]
    caller = serve(frozen(small_pool(jobs=jobs), timeline=timeline))
    caller.emulator.advance(5)
    assert sorted(caller.jobs("status=Running")) == ["a", "b"]
    assert sorted(caller.jobs("status=Queue")) == ["c", "d"]


def test_a_filtered_list_learns_of_new_jobs(serve: Serve) -> None:
    timeline = [{"after": 1, "add": job("b", status="Queue")}]
    caller = serve(frozen(small_pool(jobs=[job("a", status="Queue")]), timeline=timeline))
    assert caller.jobs("status=Queue") == ["a"]
    caller.emulator.advance(1)
    assert caller.jobs("status=Queue") == ["b", "a"]


def test_a_node_that_comes_back_takes_work_again(serve: Serve) -> None:
    timeline = [
        {"after": 1, "node": "node-01", "phase": "Abnormal"},
        {"after": 2, "add": job("a")},
        {"after": 3, "node": "node-01", "phase": "Available"},
        {"after": 4, "add": job("b")},
    ]
    caller = serve(frozen(small_pool(), timeline=timeline))
    caller.emulator.advance(4)
    found = caller.workloads("status=Running")["items"]
    assert {entry["jobName"]: entry["hostIps"] for entry in found} == {"a": "10.0.0.2", "b": "10.0.0.1"}


def test_an_event_can_count_from_a_read_of_the_nodes(serve: Serve) -> None:
    """So that a demonstration does not depend on how fast the machine is."""
    timeline = [{"after": 3, "after_reads": 2, "end": "a"}]
    caller = serve(frozen(small_pool(jobs=[job("a")]), timeline=timeline))
    caller.emulator.advance(100)
    for read in range(2):
        assert caller.available()[0]["nvidia.com/gpu"] == "0", read
    caller.emulator.advance(2)
    assert caller.available()[0]["nvidia.com/gpu"] == "0"
    caller.emulator.advance(1)
    assert caller.available()[0]["nvidia.com/gpu"] == "4"


def test_a_pool_counts_its_nodes_by_phase(serve: Serve) -> None:
    phases = ["Available", "Available", "Creating", "Abnormal", "Deleting"]
    nodes = [
        {"name": f"n{index}", "flavor": "gpu4", "resources": FULL, "phase": phase} for index, phase in enumerate(phases)
    ]
    caller = serve(frozen(small_pool(nodes=nodes, resources=[{"flavor": "gpu4", "count": 9, "maxCount": 12}])))
    pool = caller.get(f"/v2/{{project}}/pools/{POOL}")
    counts = {name: sum(entry["count"] for entry in entries) for name, entries in pool["status"]["resources"].items()}
    assert counts == {"creating": 1, "available": 2, "abnormal": 1, "deleting": 1}
    assert pool["spec"]["resources"] == [{"flavor": "gpu4", "count": 9, "maxCount": 12}]
    table = caller.get("/v2/{project}/metrics/runtime/pools")["items"][0]["table"]
    assert (table["capacity"]["value"]["nvidia.com/gpu"], table["capacity"]["maxValue"]["nvidia.com/gpu"]) == (8, 20)


def test_metrics_can_be_stale_absent_or_wrong(serve: Serve) -> None:
    stale = serve(frozen(small_pool(metrics={"age": 2520, "allocated": {"cpu": 1}})))
    allocated = stale.get("/v2/{project}/metrics/runtime/pools")["items"][0]["table"]["allocated"]
    assert allocated == {"value": {"cpu": 1}, "timestamp": "2023-11-14T21:31:20Z", "window": "1m"}
    absent = serve(frozen(small_pool(metrics=None)))
    assert absent.get("/v2/{project}/metrics/runtime/pools")["items"] == []


def test_compact_jobs_run_through_their_choices(serve: Serve) -> None:
    jobs = [{"name": "j-{n}", "count": 6, "age": 10, "every": 5, "type": ["train", "infer"], "owner": ["x", "y", "z"]}]
    found = serve(frozen(small_pool(jobs=jobs))).workloads()["items"]
    assert [(entry["jobName"], entry["type"], entry["userName"]) for entry in found] == [
        ("j-0", "train", "x"), ("j-1", "infer", "x"), ("j-2", "train", "y"),
        ("j-3", "infer", "y"), ("j-4", "train", "z"), ("j-5", "infer", "z"),
    ]  # fmt: skip
    assert [entry["pendingDuration"] for entry in found] == [10, 15, 20, 25, 30, 35]


def test_a_scenario_gives_the_same_jobs_every_time() -> None:
    first, second = (
        [(entry.uid, entry.job_uuid) for entry in Emulator("many").world.pools.popitem()[1].jobs] for _i in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.update(pool=[]), r"the scenario: unknown key 'pool'; known keys: .*pools"),
        (lambda s: s["pools"][0].update(node=[]), r"pools\[0\]: unknown key 'node'"),
        (lambda s: s["pools"][0].update(id="short"), r"pools\[0\]\.id must be 36 to 63"),
        (lambda s: s["pools"][0]["nodes"][0].update(flavour="x"), r"pools\[0\]\.nodes\[0\]: unknown key 'flavour'"),
        (lambda s: s["pools"][0]["nodes"][0].update(phase="Up"), r"nodes\[0\]\.phase: 'Up' is not one of Available"),
        (lambda s: s["pools"][0]["nodes"][0].pop("flavor"), r"nodes\[0\]\.flavor: None is not text"),
        (lambda s: s["pools"][0]["nodes"][0].pop("resources"), r"nodes\[0\]: give resources, or describe"),
        (lambda s: s["pools"][0]["nodes"][0].update(resources={"cpu": "x"}), r"nodes\[0\]\.resources: 'x' is not a"),
        (lambda s: s["pools"][0]["jobs"][0].update(cores=1), r"jobs\[0\]: unknown key 'cores'"),
        (lambda s: s["pools"][0]["jobs"][0].update(status="running"), r"jobs\[0\]\.status: 'running' is not one of"),
        (lambda s: s["pools"][0]["jobs"][0].update(type="batch"), r"jobs\[0\]\.type: 'batch' is not one of"),
        (lambda s: s["pools"][0]["jobs"][0].update(nodes=["x"]), r"jobs\[0\]: the pool has no node named 'x'"),
        (lambda s: s["pools"][0]["jobs"][0].update(resources={"cpu": 99}), r"jobs\[0\]: a does not fit on the nodes"),
        (lambda s: s["pools"][0]["jobs"][0].update(replicas=3, nodes=["node-01"]), r"3 replicas, but 1 nodes"),
        (lambda s: s["pools"][0]["jobs"][0].update(age=-1), r"jobs\[0\]\.age: -1 is not a number of 0 or more"),
        (lambda s: s["pools"][0].update(quirks={"odd": True}), r"pools\[0\]\.quirks: unknown key 'odd'"),
        (lambda s: s["pools"][0].update(refuse={"jobs": 403}), r"pools\[0\]\.refuse: unknown key 'jobs'"),
        (lambda s: s.update(timeline=[{"after": 1, "end": "b"}]), r"timeline\[0\]\.end: the pool has no job named 'b'"),
        (lambda s: s.update(timeline=[{"end": "a"}]), r"timeline\[0\]\.after: None is not a number"),
        (lambda s: s.update(timeline=[{"after": 1}]), r"timeline\[0\]: give one of add"),
        (lambda s: s.update(timeline=[{"after": 1, "when": 2}]), r"timeline\[0\]: unknown key 'when'"),
        (lambda s: s.update(credentials={"user": "x"}), r"credentials: unknown key 'user'"),
        (lambda s: s.update(clock={"freeze": True}), r"clock: unknown key 'freeze'"),
        (lambda s: s.update(iam={"ttl": 1}), r"iam: unknown key 'ttl'"),
        (lambda s: s["pools"].append(s["pools"][0]), r"pools\[1\]\.id: two pools have the ID"),
        (lambda s: s.update(pools={}), r"pools must be a list"),
    ],
)
def test_errors_in_a_scenario_name_the_place(change: t.Callable[[dict[str, t.Any]], object], sentence: str) -> None:
    scenario = copy.deepcopy(frozen(small_pool(jobs=[job("a")])))
    change(scenario)
    with pytest.raises(ScenarioError, match=sentence):
        Emulator(scenario)


def test_a_comment_may_stand_anywhere(serve: Serve) -> None:
    caller = serve({"comment": "x", "pools": [small_pool(comment="y", jobs=[job("a", comment="z")])]})
    assert caller.jobs() == ["a"]


@pytest.mark.parametrize("name", sorted(path.stem for path in SCENARIOS.glob("*.json")))
def test_shipped_scenarios_are_consistent(serve: Serve, name: str) -> None:
    """Every node's room is what it has less what its jobs hold, and statistics count what is listed."""
    raw = json.loads((SCENARIOS / f"{name}.json").read_text())
    accelerators = [key for key in ("nvidia", "ascend") if key in json.dumps(raw["pools"])]
    assert not accelerators or "ynthetic" in raw["comment"]
    caller = serve(name)
    for pool in caller.emulator.state()["pools"]:
        listed: list[dict[str, t.Any]] = []
        total = 1
        while len(listed) < total:
            page = caller.workloads(f"offset={len(listed)}", pool["id"])
            total = page["total"]
            listed += page["items"]
        assert len({entry["uid"] for entry in listed}) == total
        statistics = caller.get(f"/v2/{{project}}/statistics/pools/{pool['id']}/workloads")["statistics"]
        assert statistics["total"] == total
        for item in statistics["items"]:
            for status, count in item["status"].items():
                assert count == sum((entry["type"], entry["status"]) == (item["type"], status) for entry in listed)
        for node in caller.nodes(pool=pool["id"])["items"]:
            status = node["status"]
            for resource, has in status["resources"].items():
                held = sum(
                    Fraction(part["resourceRequirement"].get(resource, "0").split()[0])
                    for entry in listed
                    for part in entry.get("nodes", [])
                    if part["hostIp"] == status["privateIp"]
                )
                if resource.startswith(("nvidia", "huawei")):
                    assert int(status["availableResources"][resource]) == int(has) - held


def test_the_many_jobs_are_of_all_types_and_statuses(serve: Serve) -> None:
    caller = serve("many")
    pool = caller.emulator.state()["pools"][0]["id"]
    items = caller.get(f"/v2/{{project}}/statistics/pools/{pool}/workloads")["statistics"]["items"]
    assert sum(item["total"] for item in items) == 1234
    assert [len(item["status"]) for item in items] == [9, 9, 9]
    assert len(caller.workloads("offset=1000&sort=create_time&ascend=true", pool)["items"]) == 234


def test_the_demo_has_room_for_two_nodes_at_once_and_for_four_later(serve: Serve) -> None:
    caller = serve("demo")
    pool = caller.emulator.state()["pools"][0]["id"]

    def whole_nodes() -> int:
        return sum(room["nvidia.com/gpu"] == "8" for room in caller.available(pool))

    caller.emulator.advance(100)
    assert [whole_nodes(), whole_nodes()] == [2, 2]
    caller.emulator.advance(4)
    assert whole_nodes() == 4
    assert caller.jobs("status=Queue", pool) == []


def test_the_scenario_of_the_readme(serve: Serve) -> None:
    text = (SCENARIOS.parent / "README.md").read_text(encoding="utf-8")
    caller = serve(json.loads(text.partition("```json\n")[2].partition("```")[0]))
    pool = caller.emulator.state()["pools"][0]["id"]
    assert (caller.workloads(pool=pool)["total"], len(caller.available(pool))) == (21, 4)
    caller.emulator.advance(60)
    assert caller.jobs("status=Completed", pool) == ["llm"]
