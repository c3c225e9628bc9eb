# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a decision needs of pools, in one call."""

from __future__ import annotations

import time

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import (
    FACTS,
    POOL_A,
    POOL_B,
    client_of,
    observe,
    pools,
)


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
