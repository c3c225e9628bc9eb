# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes as facts: which of them take work, and what cannot be read."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import node_facts, sum_node_facts
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import AMOUNTS, JSON, Document, documents, example
from hypothesis import given
from hypothesis import strategies as st

MIB = 2**20


def test_the_nodes_of_the_document() -> None:
    nodes = [node_facts(item) for item in example("list_pool_nodes")["items"]]
    assert len(nodes) == len(example("list_pool_nodes")["items"])
    assert nodes[0]["name"] == "os-node-created-zlncn"
    assert nodes[0]["resources"] == {"cpu": 3.92, "memory": 6270 * MIB}
    assert nodes[0]["free"] == {"cpu": 2.97, "memory": 4558 * MIB}
    assert all(node["usable"] for node in nodes)
    capacity = sum_node_facts(nodes)
    assert capacity["total"]["cpu"] == pytest.approx(3.92 * len(nodes))
    free = [item["status"]["availableResources"]["memory"] for item in example("list_pool_nodes")["items"]]
    assert capacity["free"]["memory"] == sum(int(memory.removesuffix("Mi")) for memory in free) * MIB


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
            "reserved for an unnamed job",
        ),
    ],
)
def test_which_nodes_take_work(changes: Document, unusable: str | None) -> None:
    facts = node_facts(node(**changes))
    assert (facts["usable"], facts["unusable"]) == (unusable is None, unusable)
    capacity = sum_node_facts([facts, node_facts(node())])
    assert capacity["nodes"] == 2
    assert capacity["usable_nodes"] == 2 - (unusable is not None)
    assert capacity["total"]["cpu"] == 16
    assert capacity["usable"]["cpu"] == capacity["free"]["cpu"] == 8 * capacity["usable_nodes"]


def test_what_a_node_says_that_cannot_be_read() -> None:
    facts = node_facts(node(status__availableResources={"cpu": "some", "memory": "1Gi"}, status__resources=None))
    assert (facts["resources"], facts["free"]) == (None, {"memory": 2**30})
    assert facts["unreadable"] == [{"resource": "cpu", "value": "'some'"}]
    assert sum_node_facts([facts])["free"] == {"memory": 2**30}


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
    json.dumps([facts, sum_node_facts([facts])])


@pytest.mark.parametrize(
    ("metadata", "bound"),
    [
        ({"labels": "x"}, True),
        ("x", True),
        ({"labels": {"os.modelarts.node/elastic.quota": ""}}, True),
        ({"labels": None}, False),
        ({}, False),
    ],
)
def test_labels_that_cannot_be_read_may_bind_a_node_to_a_logical_pool(metadata: object, bound: bool) -> None:
    assert bool(node_facts({"metadata": metadata, "spec": {}, "status": {}})["elastic_quota"]) is bound


@pytest.mark.parametrize("value", [None, {}, [], 0, False, "", " ", "\u200b"])
def test_a_supernode_that_is_not_told_has_no_name(value: object) -> None:
    """Two nodes whose label is null would be one supernode called None."""
    document: Document = {"metadata": {"name": "n-1", "labels": {"os.modelarts.node/spod.id": value}}}
    assert node_facts(document)["supernode"] is None
