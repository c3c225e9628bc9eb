# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents about a whole pool: ShowPool, ShowPoolRuntimeMetrics and ShowWorkloadStatistics."""

from __future__ import annotations

import typing as t
from collections import Counter

from .job import JOB_TYPES, STATUSES
from .parts import digest, iso_time, merged
from .quantities import metric_quantity

if t.TYPE_CHECKING:
    from .node import Node
    from .pool import Pool


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
    status: dict[str, t.Any] = {"phase": pool.phase}
    if "message" in given:
        status["message"] = given["message"]
    if "parent" in given:
        status["parent"] = given["parent"]
    status["root"] = given.get("root", pool.id)
    status["scope"] = [{"scopeType": scope, "state": state} for scope, state in pool.scope.items()]
    status["resources"] = _counts_by_phase(pool)
    document = {
        "kind": "Pool",
        "apiVersion": "v2",
        "metadata": {
            "name": pool.id,
            "creationTimestamp": given.get("created") or iso_time(pool.clock.start - 180 * 86400),
            "labels": {
                "os.modelarts/name": pool.name,
                "os.modelarts/resource.id": f"maos-{pool.name}-{made_up[:5]}",
                **given.get("labels", {}),
            },
            "annotations": {
                "os.modelarts/description": "",
                "os.modelarts/billing.mode": "0",
                **given.get("annotations", {}),
            },
        },
        "spec": {
            "type": "Dedicate",
            "scope": list(pool.scope),
            "resources": given.get("resources") or _counts(pool.nodes),
            "network": {"name": given.get("network") or f"network-maos-{made_up[:32]}"},
        },
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
    counted: dict[str, Counter[str]] = {}
    for node in nodes:
        counted.setdefault(node.flavor, Counter())[node.document["status"]["az"]] += 1
    return [
        {
            "flavor": flavor,
            "count": sum(zones.values()),
            **({"azs": [{"az": az, "count": count} for az, count in zones.items()]} if azs else {}),
        }
        for flavor, zones in counted.items()
    ]


def metrics_document(pool: Pool) -> dict[str, t.Any] | None:
    """The pool's entry of ShowPoolRuntimeMetrics, derived from its nodes where the scenario gives no values."""
    given = pool.metrics
    if given is None:
        return None
    capacity: Counter[str] = Counter()
    maximum: Counter[str] = Counter()
    allocated: Counter[str] = Counter()
    for node in pool.nodes:
        maximum.update(node.resources)
        if node.phase == "Available":
            capacity.update(node.resources)
            allocated.update({key: node.resources[key] - node.free[key] for key in node.resources})
    mask = given.get("mask", {})

    def values(name: str, derived: t.Mapping[str, int]) -> dict[str, t.Any]:
        if name in given:
            return t.cast("dict[str, t.Any]", given[name])
        return {mask.get(key, key): metric_quantity(key, derived.get(key, 0)) for key in maximum}

    stamp = {
        "timestamp": iso_time(pool.clock.now - given.get("age", 0)),
        "window": given.get("window", "1m"),
    }
    return {
        "table": {
            "allocated": {"value": values("allocated", allocated), **stamp},
            "capacity": {
                "value": values("capacity", capacity),
                "maxValue": values("max", maximum),
                **stamp,
            },
        },
        "metadata": {"name": pool.id},
    }
