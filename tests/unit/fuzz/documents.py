# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole documents of the reference, what can go wrong in them, and the way from their text to a verdict.

The documents go through the client as text, so that what JSON can hold is read as it would be on the wire. They are
synthetic: the published examples know no cards.
"""

from __future__ import annotations

import copy
import json
import re
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sending import Call, Sender
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    read_declared_capacity,
    read_policy,
    read_request,
)

Document = t.Any
Place = tuple[t.Union[str, int], ...]

POOL = "pool-fuzz-3c7e52d1f0984b6a8e5d2b7c41a96f03"
GPU = "nvidia.com/gpu"
NPU = "huawei.com/ascend-1980"
FLAVOR = "modelarts.vm.gpu.8"
NOW = 1_790_000_000.0
MISSING = "<missing>"
REFUSED = "<refused>"

DOCUMENTS = ("workloads", "pool", "nodes", "metrics")


def job(number: int, status: str, gpu: int, host: str | None = None, **keys: t.Any) -> Document:
    """An item of ListWorkloads with every field that the reference or the SDK knows."""
    requirement = {"cpu": "30 Cores", "memory": "200 GiB", GPU: str(gpu)}
    document = {
        "kind": "Workload",
        "apiVersion": "v1",
        "uid": f"uid-{number}",
        "jobUUID": f"uuid-{number}",
        "name": f"modelarts-job-{number}",
        "jobName": f"llm-{number}",
        "type": "train",
        "namespace": POOL,
        "flavor": FLAVOR,
        "status": status,
        "userName": "ml-team-a",
        "resourceRequirement": requirement,
        "priority": "1",
        "runningDuration": 3600,
        "pendingDuration": 60,
        "pendingPosition": -1,
        "createTime": int(NOW * 1000) - 10_000_000 + number,
        "gvk": "batch.volcano.sh/v1alpha1, Kind=Job",
        "isDeleted": "false",
    }
    if host is not None:
        document["hostIps"] = host
        document["nodes"] = [
            {"hostIp": host, "resourceRequirement": dict(requirement), "npuTopologyPlacement": "0000000000001111"}
        ]
    return {**document, **keys}


def node(number: int, free: int) -> Document:
    """An item of ListPoolNodes: eight cards, of which so many are free."""
    share = free / 8
    return {
        "kind": "Node",
        "apiVersion": "v2",
        "metadata": {
            "name": f"os-node-{number}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"os.modelarts/name": f"node-{number}"},
            "annotations": {"os.modelarts/npu-topology-placement": "0000000000001111"},
        },
        "spec": {"flavor": FLAVOR, "taints": [{"key": "seen", "value": "x", "effect": "PreferNoSchedule"}]},
        "status": {
            "phase": "Available",
            "az": "eu-de-01",
            "privateIp": f"10.0.0.{number}",
            "resources": {"cpu": "94200m", "memory": "960Gi", GPU: "8"},
            "availableResources": {
                "cpu": f"{int(94200 * share)}m",
                "memory": f"{int(960 * share)}Gi",
                GPU: str(free),
            },
        },
    }


def pool() -> Document:
    """ShowPool."""
    return {
        "kind": "Pool",
        "apiVersion": "v2",
        "metadata": {
            "name": POOL,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"os.modelarts/name": "train-a"},
            "annotations": {
                "os.modelarts.pool/scheduler.queue.strategy": "fifo",
                "os.modelarts.pool/subpools.count": "0",
            },
        },
        "spec": {"type": "Dedicate", "scope": ["Train"], "resources": [{"flavor": FLAVOR, "count": 2, "maxCount": 2}]},
        "status": {
            "phase": "Running",
            "message": "",
            "root": POOL,
            "scope": [{"scopeType": "Train", "state": "Enabled"}, {"scopeType": "Infer", "state": "Enabled"}],
            "resources": {"available": [{"flavor": FLAVOR, "count": 2, "azs": [{"az": "eu-de-01", "count": 2}]}]},
            "driver": {"gpu": {"version": "535", "state": "Running"}},
        },
    }


def metrics(free: int) -> Document:
    """ShowPoolRuntimeMetrics of a pool of sixteen cards, fresh."""
    taken = (16 - free) / 16
    at = {"timestamp": "2026-09-21T14:12:50Z", "window": "1m"}
    value = {"cpu": f"{int(188400 * taken)}m", "memory": f"{int(1920 * taken)}Gi", GPU: 16 - free}
    whole = {"cpu": "188400m", "memory": "1920Gi", GPU: 16}
    table = {"allocated": {"value": value, **at}, "capacity": {"value": whole, "maxValue": whole, **at}}
    return {"apiVersion": "v2", "kind": "PoolMetricsList", "items": [{"metadata": {"name": POOL}, "table": table}]}


def world(jobs: t.Sequence[Document], *free: int) -> dict[str, Document]:
    """The four documents of a pool with these jobs and a node for each number of free cards."""
    head = {"apiVersion": "v2", "metadata": {}}
    nodes = [node(number, cards) for number, cards in enumerate(free, 1)]
    return {
        "workloads": {"kind": "WorkloadList", **head, "total": len(jobs), "items": list(jobs)},
        "pool": pool(),
        "nodes": {"kind": "NodeList", **head, "items": nodes},
        "metrics": metrics(sum(free)),
    }


def places(document: Document, above: Place = ()) -> t.Iterator[Place]:
    """Where something stands in a document, outermost first."""
    yield above
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*above, key))


def changed(document: Document, place: Place, value: t.Any) -> Document:
    """A copy with another value at a place, or with nothing there."""
    if not place:
        return {} if value is MISSING else value
    made = copy.deepcopy(document)
    at = made
    try:
        for key in place[:-1]:
            at = at[key]
        if value is MISSING:
            del at[place[-1]]
        else:
            at[place[-1]] = value
    except (KeyError, IndexError, TypeError):
        return document  # an earlier change took the place away
    return made


def at_place(document: Document, place: Place) -> t.Any:
    for key in place:
        document = document[key]
    return document


_OFFSET = re.compile(r"[?&]offset=(\d+)")
_CONNECTION = connect(
    {
        "endpoint": "https://modelarts.example",
        "project_id": "0123456789abcdef",
        "auth_token": "a-token-of-the-fuzz",
        "max_retries": 0,
    },
    where="here",
)


class DocumentClient(Client):
    """A client whose answers are these documents, or texts of documents."""

    def __init__(self, documents: t.Mapping[str, Document]) -> None:
        super().__init__(_CONNECTION)
        self._sender = DocumentSender(documents)


class DocumentSender(Sender):
    """Answers without a wire, one call after the other."""

    def __init__(self, documents: t.Mapping[str, Document]) -> None:
        super().__init__(_CONNECTION, time_limit=None, clock=time.monotonic, sleep=time.sleep)
        self._documents = documents

    def in_parallel(self, calls: t.Sequence[t.Callable[[], t.Any]]) -> t.Iterator[t.Any]:
        return iter([call() for call in calls])

    def _send_request(self, call: Call[t.Any], url: str) -> tuple[int, t.Mapping[str, str], bytes]:
        path = url.partition("?")[0]
        name = {"workloads": "workloads", "nodes": "nodes"}.get(path.rpartition("/")[2], "pool")
        if "/metrics/" in path:
            name = "metrics"
        elif path.endswith("/pools"):
            name = "pools"
        document = self._documents[name]
        skipped = _OFFSET.search(url)
        if skipped and isinstance(document, dict) and isinstance(document.get("items"), list):
            document = {**document, "items": document["items"][int(skipped[1]) :]}
        if document == REFUSED:
            return 403, {"X-Request-Id": "r"}, b'{"error_code": "ModelArts.0108", "error_msg": "No permission."}'
        return 200, {}, document if isinstance(document, bytes) else json.dumps(document).encode()


def facts_of(documents: t.Mapping[str, Document], **options: t.Any) -> dict[str, t.Any]:
    """What modelarts_workload_info makes of them, with the jobs."""
    client = DocumentClient(documents)
    query = WorkloadQuery(include_capacity=True)
    return read_workloads(client, [POOL], query, clock=lambda: NOW, **options)


def pools_of(document: Document, nodes: Document, measured: Document) -> dict[str, t.Any]:
    """What modelarts_pool_info makes of them."""
    client = DocumentClient({"pools": {"kind": "PoolList", "items": [document]}, "nodes": nodes, "metrics": measured})
    return read_pools_and_capacity(client, [], include_capacity=True, clock=lambda: NOW)


def verdict_of(facts: dict[str, t.Any], asked: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The verdict on the pool. ``asked`` has request, and where wanted policy and declared."""
    return capacity_verdict(
        facts["pools"][0],
        read_request(asked["request"]),
        read_policy(asked.get("policy")),
        read_declared_capacity(asked.get("declared")),
    )
