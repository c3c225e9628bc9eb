# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents about a whole pool: ShowPool, ShowPoolRuntimeMetrics and ShowWorkloadStatistics."""

from __future__ import annotations

import typing as t
from collections import Counter

from .job import HOLDING, JOB_TYPES, STATUSES, WAITING
from .node import NODE_POOL_LABEL
from .parts import digest, iso_time, merged
from .quantities import metric_quantity
from .scenario import quantities

if t.TYPE_CHECKING:
    from .node import Node
    from .pool import Pool

_DRIVER_VERSIONS = {"gpu": "535.54.03", "npu": "24.1.rc2"}


def statistics_document(pool: Pool) -> dict[str, t.Any]:
    counted = Counter((job.type, job.status) for job in pool.jobs)
    items = []
    for job_type in JOB_TYPES:
        status = {
            name: counted[job_type, name]
            for name in STATUSES
            if counted[job_type, name] or name in ("Pending", "Queue", "Running")
        }
        total = sum(status.values())
        if total:
            items.append({"type": job_type, "total": total, "status": status})
    if pool.quirks.get("statistics_as_table"):
        for item in items:
            item["status"] = {name: str(count) for name, count in t.cast("dict[str, int]", item["status"]).items()}
        return {"statics": {"total": str(len(pool.jobs)), "items": items}}
    return {"statistics": {"total": len(pool.jobs), "items": items}}


def pool_document(pool: Pool) -> dict[str, t.Any]:
    made_up = digest(pool.id)
    given = pool.scenario
    spec = {
        "type": pool.type,
        "scope": list(pool.scope),
        "resources": given.get("resources") or _counts(pool.nodes),
        "network": {"name": given.get("network") or f"network-maos-{made_up[:32]}"},
    }
    if pool.control_mode is not None:
        spec["controlMode"] = pool.control_mode
    status: dict[str, t.Any] = {"phase": pool.phase}
    status.update({key: given[key] for key in ("message", "parent") if key in given})
    status["root"] = given.get("root", pool.id)
    status["scope"] = [{"scopeType": scope, "state": state} for scope, state in pool.scope.items()]
    status["resources"] = _counts_by_phase(pool)
    if pool.driver:
        status["driver"] = {
            kind: {"version": _DRIVER_VERSIONS[kind], "state": state} for kind, state in pool.driver.items()
        }
    document = {
        "kind": "Pool",
        "apiVersion": "v2",
        "metadata": {
            "name": pool.id,
            "creationTimestamp": given.get("created") or iso_time(pool.clock.start - 180 * 86400),
            "labels": {
                "os.modelarts/name": pool.name,
                "os.modelarts/resource.id": f"maos-{pool.name}-{made_up[:5]}",
                **pool.labels,
            },
            "annotations": {
                "os.modelarts/description": "",
                "os.modelarts/billing.mode": "0",
                **pool.annotations,
            },
        },
        "spec": spec,
        "status": status,
    }
    return merged(document, pool.extra)


def _counts_by_phase(pool: Pool) -> dict[str, t.Any]:
    resources = {}
    for phase in ("Creating", "Available", "Abnormal", "Deleting"):
        nodes = [node for node in pool.nodes if node.phase == phase]
        if nodes:
            resources[phase.lower()] = _counts(nodes, azs=True)
    return resources


def _counts(nodes: list[Node], azs: bool = False) -> list[dict[str, t.Any]]:
    """Return numbers of nodes by flavor, and by node pool where nodes are in one."""
    counted: dict[tuple[str, str | None], Counter[str]] = {}
    for node in nodes:
        kind = (node.flavor, node.labels.get(NODE_POOL_LABEL))
        counted.setdefault(kind, Counter())[node.document["status"]["az"]] += 1
    return [
        {
            **({"nodePool": node_pool} if node_pool else {}),
            "flavor": flavor,
            "count": sum(zones.values()),
            **({"azs": [{"az": az, "count": count} for az, count in zones.items()]} if azs else {}),
        }
        for (flavor, node_pool), zones in counted.items()
    ]


def metrics_document(pool: Pool) -> dict[str, t.Any] | None:
    """Return the pool's entry of ShowPoolRuntimeMetrics, derived from its nodes where the scenario gives no values.

    Guesses: ``capacity.value`` is that of nodes in phase Available, standbys included, and ``allValue`` that of all;
    ``available`` leaves out nodes that take no work.
    """
    given = pool.metrics
    if given is None:
        return None
    everything: Counter[str] = Counter()
    capacity: Counter[str] = Counter()
    allocated: Counter[str] = Counter()
    available: Counter[str] = Counter()
    usable: Counter[str] = Counter()
    for node in pool.nodes:
        everything.update(node.resources)
        if node.phase == "Available":
            capacity.update(node.resources)
            allocated.update({key: node.resources[key] - node.free[key] for key in node.resources})
        if node.takes_work:
            usable.update(node.resources)
            available.update({key: max(0, node.free[key]) for key in node.resources})
    guaranteed, ceiling = (_quota(pool, key) for key in ("count", "maxCount"))
    mask = given.get("mask", {})

    def written(amounts: t.Mapping[str, int]) -> dict[str, t.Any]:
        return {mask.get(key, key): metric_quantity(key, amounts.get(key, 0)) for key in everything}

    def values(name: str, derived: t.Mapping[str, int]) -> dict[str, t.Any]:
        return given[name] if isinstance(given.get(name), dict) else written(derived)

    stamp = {
        "timestamp": iso_time(pool.clock.now - given.get("age", 0)),
        "window": given.get("window", "1m"),
    }
    had = {"value": values("capacity", guaranteed or capacity), "maxValue": values("max", ceiling or everything)}
    if given.get("all"):
        had.update(allValue=values("all", everything), allMaxValue=written(everything))
    table: dict[str, t.Any] = {"allocated": {"value": values("allocated", allocated)}, "capacity": had}
    if given.get("available"):
        table["available"] = {"value": values("available", available), "maxValue": written(usable)}
    if given.get("workload"):
        table["workload"] = {"allocated": _job_counts(pool, HOLDING), "queue": _job_counts(pool, WAITING)}
    return {
        "table": {name: {**entry, **stamp} for name, entry in table.items()},
        "metadata": {"name": pool.id},
    }


def _quota(pool: Pool, key: str) -> Counter[str] | None:
    """Return what a logical pool is guaranteed (``count``), or may have at most (``maxCount``)."""
    if pool.type != "Logical":
        return None
    total: Counter[str] = Counter()
    for resource in pool.scenario.get("resources", []):
        allocatable = pool.flavors.get(resource.get("flavor"), {}).get("allocatable", {})
        amounts = quantities(allocatable, f"flavors.{resource.get('flavor')}.allocatable")
        total.update({name: amount * resource.get(key, 0) for name, amount in amounts.items()})
    return total


def _job_counts(pool: Pool, statuses: frozenset[str]) -> dict[str, int]:
    counted = Counter(job.type for job in pool.jobs if job.status in statuses)
    # warmUpTask: the emulator has no jobs that load weights in advance.
    return {**{name: counted[name] for name in JOB_TYPES}, "warmUpTask": 0, "sum": sum(counted.values())}
