# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools as facts."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pools import pool_facts
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import (
    JSON,
    Document,
    client_of,
    documents,
    example,
    pools,
)
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmodelarts import v1 as sdk
from hypothesis import given
from hypothesis import strategies as st

MIB = 2**20


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
            ours = read_pools_and_capacity(client, [], include_capacity=True, clock=time.time)["pools"]
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
