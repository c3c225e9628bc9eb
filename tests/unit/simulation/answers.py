# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents as the API sends them, and the facts of them.

Facts are made by the code that reads the API, from a client that answers with these documents. Nothing here is of the
controller, so that tests of module_utils can use it on every Python.
"""

from __future__ import annotations

import itertools
import json
import typing as t
from datetime import datetime, timezone
from types import SimpleNamespace
from unittest import mock

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.answers import error_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._read import capacity as _reader
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import NoPoolReadableError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads

Document = dict[str, t.Any]
Facts = dict[str, t.Any]

NOW = 1_790_000_000
POOL = "pool-a-3c7e52d1f0984b6a8e5d2b7c41a96f03"
GPU = "nvidia.com/gpu"
FLAVOR = "modelarts.vm.gpu.8"

_serial = itertools.count(1)
_STILL = SimpleNamespace(monotonic=lambda: 0.0)
"""A reading in no time: on a busy machine one may take a second, by which the times of jobs would differ."""


def moment(seconds_ago: float = 0) -> str:
    """An instant before NOW, as the API writes it."""
    return datetime.fromtimestamp(NOW - seconds_ago, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def node(
    resources: t.Mapping[str, t.Any] | None,
    free: t.Mapping[str, t.Any] | None = None,
    *,
    address: str | None = None,
    flavor: str | None = FLAVOR,
    phase: str = "Available",
    taints: t.Sequence[str] = (),
    drain: bool = False,
    labels: t.Mapping[str, t.Any] | None = None,
    annotations: t.Mapping[str, t.Any] | None = None,
    **status: t.Any,
) -> Document:
    """An item of ListPoolNodes; without ``free`` nothing runs on it. ``taints`` are effects.

    What is more in ``status``, like ``driver`` and ``plugins``, is given as the API sends it.
    """
    number = next(_serial)
    available = resources if free is None else free
    name = f"os-node-created-{number}"
    metadata: Document = {"name": name, "labels": dict(labels or {}), "annotations": dict(annotations or {})}
    if drain:
        metadata["annotations"]["os.modelarts.node/drain"] = "true"
    return {
        "kind": "Node",
        "apiVersion": "v2",
        "metadata": metadata,
        "spec": {"flavor": flavor, "taints": [{"key": "maintenance", "effect": effect} for effect in taints]},
        "status": {
            "phase": phase,
            "az": "eu-de-01",
            "privateIp": address or f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "resources": None if resources is None else dict(resources),
            "availableResources": None if available is None else dict(available),
            **status,
        },
    }


def address_of(item: Document) -> str:
    return item["status"]["privateIp"]


def job(
    resources: t.Any,
    status: str = "Running",
    *,
    kind: str | None = "train",
    uuid: str | None = None,
    name: str | None = None,
    user: str | None = None,
    on: t.Mapping[str, t.Mapping[str, t.Any]] | t.Sequence[str] = (),
    priority: t.Any = "0",
    seconds: int = 3600,
) -> Document:
    """An item of ListWorkloads that has run, or waited, for ``seconds``.

    ``on`` are the addresses of its nodes, or what it has on each of them.
    """
    number = next(_serial)
    own = uuid or f"00000000-0000-4000-8000-{number:012}"
    waits = status in ("Queue", "Pending")
    document: Document = {
        "kind": "Workload",
        "apiVersion": "v1",
        "uid": f"10000000-0000-4000-8000-{number:012}",
        "jobUUID": own,
        "name": f"modelarts-job-{own}",
        "jobName": name or f"job-{number}",
        "namespace": POOL,
        "status": status,
        "resourceRequirement": resources,
        "priority": priority,
        "createTime": (NOW - seconds) * 1000,
        "pendingDuration" if waits else "runningDuration": seconds,
        "isDeleted": "false",
    }
    if kind is not None:
        document["type"] = kind
    if waits:
        document["pendingPosition"] = -1
    if user is not None:
        document["userName"] = user
    if on:
        document["hostIps"] = ",".join(on)
    if isinstance(on, t.Mapping):
        document["nodes"] = [{"hostIp": address, "resourceRequirement": dict(has)} for address, has in on.items()]
    return document


def pool(
    counts: t.Mapping[str, int] | None = None,
    *,
    phase: str | None = "Running",
    scope: t.Mapping[str, str] | None = None,
    strategy: str | None = None,
    parent: str | None = None,
    subpools: int | None = None,
    label: str | None = "pool-a",
    most: t.Mapping[str, int] | None = None,
    control_mode: t.Any = None,
    driver: t.Mapping[str, str] | None = None,
) -> Document:
    """The answer of ShowPool. ``counts`` are nodes by flavor, ``most`` what autoscaling may make of them.

    ``driver`` are states by kind.
    """
    states = {"Train": "Enabled", "Infer": "Enabled", "Notebook": "Enabled"} if scope is None else scope
    annotations = {"os.modelarts/billing.mode": "0"}
    if strategy is not None:
        annotations["os.modelarts.pool/scheduler.queue.strategy"] = strategy
    if subpools is not None:
        annotations["os.modelarts.pool/subpools.count"] = str(subpools)
    resources = [
        {"flavor": flavor, "count": count, **({"maxCount": (most or {})[flavor]} if flavor in (most or {}) else {})}
        for flavor, count in (counts or {}).items()
    ]
    status: Document = {
        "phase": phase,
        "root": POOL,
        "scope": [{"scopeType": kind, "state": state} for kind, state in states.items()],
        "resources": {"available": [{"flavor": row["flavor"], "count": row["count"]} for row in resources]},
    }
    if parent is not None:
        status["parent"] = parent
    if driver is not None:
        status["driver"] = {kind: {"version": "1.0", "state": state} for kind, state in driver.items()}
    spec: Document = {"type": "Dedicate", "scope": list(states), "resources": resources}
    if control_mode is not None:
        spec["controlMode"] = control_mode
    return {
        "kind": "Pool",
        "apiVersion": "v2",
        "metadata": {
            "name": POOL,
            "labels": {} if label is None else {"os.modelarts/name": label},
            "annotations": annotations,
        },
        "spec": spec,
        "status": status,
    }


def metrics(
    capacity: t.Mapping[str, t.Any], allocated: t.Mapping[str, t.Any], *, age: float = 30, window: str = "1m"
) -> Document:
    """The item of ShowPoolRuntimeMetrics for the pool."""
    times = {"timestamp": moment(age), "window": window}
    return {
        "metadata": {"name": POOL},
        "table": {
            "allocated": {"value": dict(allocated), **times},
            "capacity": {"value": dict(capacity), "maxValue": dict(capacity), **times},
        },
    }


def refused(status: int = 403, code: str = "ModelArts.0108", request_id: str = "7f3a91") -> ModelArtsError:
    """The answer of the API to a call that is not allowed."""
    body = json.dumps({"error_code": code, "error_msg": "no permission"}).encode()
    return error_of_answer("GET /v2/...", status, {"X-Request-Id": request_id}, body)


class _Answers:
    """Stands where the client stands: the same calls, answered with documents; an exception is raised."""

    def __init__(self, pool: t.Any, nodes: t.Any, jobs: t.Any, metrics: t.Any, complete: bool) -> None:
        self._pool, self._nodes, self._jobs, self._metrics, self._complete = pool, nodes, jobs, metrics, complete

    def in_parallel(self, calls: t.Sequence[t.Callable[[], t.Any]]) -> t.Iterator[t.Any]:
        return (call() for call in calls)

    def show_pool(self, name: str) -> Document:
        return _answer(self._pool)

    def list_pools(self) -> list[Document]:
        return []

    def list_nodes(self, name: str) -> list[Document]:
        return _answer(self._nodes)

    def runtime_metrics(self) -> list[Document]:
        return _answer(self._metrics)

    def list_workloads(self, name: str, query: t.Any, *, offset: int = 0, limit: int = 500) -> Pages:
        jobs = _answer(self._jobs)
        return Pages(jobs, len(jobs), self._complete)


def _answer(answer: t.Any) -> t.Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


def counted(nodes: t.Iterable[Document]) -> dict[str, int]:
    """How many nodes of each flavor there are."""
    counts: dict[str, int] = {}
    for item in nodes:
        counts[item["spec"]["flavor"]] = counts.get(item["spec"]["flavor"], 0) + 1
    return counts


def observed(
    nodes: t.Any,
    jobs: t.Any = (),
    *,
    pool_document: t.Any = None,
    metric_items: t.Any = (),
    complete: bool = True,
    placement_of: t.Iterable[str] = (),
) -> Facts:
    """The entry of ``pools`` that modelarts_workload_info returns for these documents."""
    if pool_document is None:
        pool_document = pool({} if isinstance(nodes, Exception) else counted(nodes))
    answers = _Answers(
        pool_document,
        nodes if isinstance(nodes, Exception) else list(nodes),
        jobs if isinstance(jobs, Exception) else list(jobs),
        metric_items if isinstance(metric_items, Exception) else list(metric_items),
        complete,
    )
    query = WorkloadQuery(fields=[], include_capacity=True)
    try:
        with mock.patch.object(_reader, "time", _STILL):
            answer = read_workloads(
                t.cast(t.Any, answers), [POOL], query, clock=lambda: float(NOW), placement_of=placement_of
            )
    except NoPoolReadableError as error:
        return error.pools[0]
    # What a module returns has been JSON on its way to the gate.
    return json.loads(json.dumps(answer["pools"][0]))
