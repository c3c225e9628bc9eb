# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands at any place of a scenario: it is refused in a sentence, or the emulator answers every call."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.iam import Request
from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import ScenarioError
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from .conftest import POOL

NODE = {
    "name": "n", "count": 2, "flavor": "gpu8", "phase": "Available", "az": "az-1", "created": "2026-01-01T00:00:00Z",
    "labels": {"os.modelarts/billing.status": "0"}, "annotations": {"os.modelarts.node/lock.action": "delete"},
    "taints": [{"key": "k", "effect": "PreferNoSchedule"}], "driver": "Running", "plugins": {"agent": "Running"},
    "overhead": {"cpu": "1"}, "hostNetwork": {"vpc": "v"}, "extra": {"status": {"x": 1}},
}  # fmt: skip
NPU = {"name": "npu", "flavor": "npu8", "resources": {"cpu": "8", "huawei.com/ascend-1980": 8}, "ip": "10.9.9.9"}
POOL_ENTRY = {
    "id": POOL, "name": "small", "phase": "Running", "message": "m", "scope": {"Train": "Enabled"}, "controlMode": 0,
    "driver": {"gpu": "Running"}, "workspace": "0", "type": "Logical", "parent": "p", "root": "r", "network": "net",
    "created": "2026-01-01T00:00:00Z", "labels": {"a": "b"}, "annotations": {"a": "b"}, "extra": {"spec": {"x": 1}},
    "resources": [{"flavor": "gpu8", "count": 1, "maxCount": 2}], "refuse": {"statistics": {"status": 500}},
    "metrics": {
        "age": 1, "window": "1m", "mask": {"nvidia.com/gpu": "tnt004"}, "allocated": {"cpu": 1},
        "capacity": {"cpu": 2}, "max": {"cpu": 3}, "available": True, "all": {"cpu": 3}, "workload": True,
    },
    "nodes": [NODE, NPU],
    "jobs": [
        {
            "name": "a-{n}", "count": 2, "every": 5, "age": 50, "waited": 5, "type": ["train", "x-infer"],
            "status": "Running", "owner": ["o"], "flavor": "f", "priority": 1, "replicas": 1,
            "resources": {"nvidia.com/gpu": 1}, "extra": {"x": 1},
        },
        {"name": "b", "status": "Completed", "ran": 5, "createTime": 10**12, "uid": "u", "jobUUID": "j"},
        {"name": "c", "status": "Running", "nodes": ["npu"], "resources": {"huawei.com/ascend-1980": 2}},
    ],
    "quirks": {"empty_items": "null", "one_type": "first", "short_pages": 5, "list_extra": {"x": 1}, "endless": True},
}  # fmt: skip
SCENARIO: dict[str, t.Any] = {
    "pools": [POOL_ENTRY],
    "flavors": {
        "gpu8": {
            "arch": "x86",
            "cpu": "96",
            "memory": "1Ti",
            "gpu": {"size": "8"},
            "labels": {"a": "b"},
            "spec": {"x": 1},
            "allocatable": {"cpu": "94", "nvidia.com/gpu": 8},
        }
    },
    "timeline": [
        {"after": 1, "pool": "small", "end": "b", "status": "Failed"},
        {"after": 2, "after_reads": 1, "add": {"name": "d", "status": "Running"}},
        {"after": 3, "node": "npu", "phase": "Abnormal", "driver": "Updating", "labels": {"a": "b"}},
        {"after": 4, "scope": {"Infer": "Enabled"}, "controlMode": 8, "driver": {"npu": "Upgrading"}},
        {"after": 5, "remove": "c"},
    ],
    "region": "eu-de",
    "projects": [{"id": "i", "name": "n"}],
    "credentials": {"username": "u", "password": "p"},
    "clock": {"start": 1_700_000_000, "frozen": True},
    "iam": {"token_seconds": 60, "token_uses": 100, "clock_offset": -5},
    "refuse": {"flavors": {"status": 403, "error_code": "c", "error_msg": "m"}},
    "rights": {"modelarts:pool:get": ["small"], "modelarts:pool:list": "*"},
    "suspended": False,
    "quirks": {"pools_page": 1, "no_total": True},
    "churn": {"seed": 1, "changes": 3, "add": 1, "remove": 1, "status": 1, "ties": 0.5, "late": 0.5},
    "faults": [
        {"do": "status", "at": [9], "times": 1, "path": ".", "status": 500, "headers": {"A": "b"}, "body": {"x": 1}},
        {"do": "throttle", "at": 10, "retry_after": 1, "seconds": 1},
        {"do": "slow", "at": 11, "bytes_per_second": 10},
        {"do": "redirect", "at": 12, "location": "/"},
    ],
}
WRONG: list[t.Any] = [
    None, True, False, -1, 0, 3, 1.5, 10**30, 1e300, float("nan"), "", "x", "\ud83d", "\n", [], [None], ["x"], {},
    {"x": None}, {"x": "y"}, [[]], [{}],
]  # fmt: skip
OF_POOL = ("pools/{}", "pools/{}/nodes", "pools/{}/workloads?limit=9", "statistics/pools/{}/workloads")
CALLS = [
    *(f"/v2/{{project}}/{path.format(POOL)}" for path in OF_POOL),
    f"/v2/{{project}}/pools/{POOL}/workloads?type=train&limit=3",
    "/v2/{project}/pools",
    "/v2/{project}/metrics/runtime/pools",
    "/v1/{project}/resourceflavors",
    "/v3/projects",
]


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """Every place of a document, by the keys that lead there."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


PLACES = [path for path in places(SCENARIO) if path]


def with_value(path: tuple[t.Any, ...], value: t.Any) -> dict[str, t.Any]:
    scenario = copy.deepcopy(SCENARIO)
    place: t.Any = scenario
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = copy.deepcopy(value)
    return scenario


def answer_all(scenario: dict[str, t.Any]) -> None:
    """Every call twice, and what the faults make of the answers; without a socket, so that an exception comes here."""
    emulator = Emulator(scenario)
    try:
        for _i in range(2):
            for call in CALLS:
                path, _mark, query = call.replace("{project}", emulator.credentials.project_id).partition("?")
                request = Request("GET", path, query, {"x-auth-token": emulator.credentials.auth_token})
                answer = emulator.answer(request, {})
                json.loads(answer.encoded())
                fault = emulator.faults.next(path)
                if fault is not None:
                    fault.altered(answer).encoded()
            emulator.advance(10)
    finally:
        emulator.stop()


def test_the_scenario_is_right() -> None:
    answer_all(SCENARIO)


@pytest.mark.parametrize("key", sorted(SCENARIO))
def test_no_value_at_any_place_ends_in_a_traceback(key: str) -> None:
    for path in PLACES:
        if path[0] != key:
            continue
        for value in WRONG:
            try:
                answer_all(with_value(path, value))
            except ScenarioError as error:
                assert str(error).strip()
            except Exception as error:
                raise AssertionError(f"{path} = {value!r}") from error
