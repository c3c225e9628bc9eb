# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of up to five nodes and requests of up to six replicas, close to the edge between fitting and not."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    Document,
    address_of,
    job,
    node,
)

ASCENDS = ("huawei.com/ascend-snt9", "huawei.com/ascend-1980")
NPU = "f.8snt9b3"  # any of its cards go together: where they do not, the oracle over cards knows
CARD_COUNTS = {"f.gpu8": 8, "f.gpu4": 4, NPU: 8, "f.cpu": 0}
DRIVER_PHASES = ("Running", "Running", "Updating", "Pending", "Abnormal")
UNREADABLE = ("eight", "", "-2", "8 cards", "1e", "NaN")


@dataclass
class Case:
    """A pool and a request that its caller may have; ``counts`` are the nodes that the pool is meant to have."""

    nodes: list[Document]
    jobs: list[Document]
    counts: dict[str, int]
    request: Document
    readable: bool


def case(seed: object) -> Case:
    """The case of that seed, always the same."""
    rng = random.Random(str(seed))
    nodes: list[Document] = []
    jobs: list[Document] = []
    flavors = rng.sample(sorted(CARD_COUNTS), rng.choice((1, 1, 2)))
    for _i in range(rng.randint(1, 5)):
        flavor = rng.choice(flavors)
        made = _node(rng, flavor, jobs)
        nodes.append(made)
    readable = rng.random() < 0.8
    if not readable:
        for made in rng.sample(nodes, rng.randint(1, len(nodes))):
            _spoil(rng, made)
    counts = {flavor: sum(made["spec"]["flavor"] == flavor for made in nodes) for flavor in flavors}
    if rng.random() < 0.2:
        counts[rng.choice(flavors)] += rng.randint(1, 2)
    if rng.random() < 0.3:
        jobs.append(job({"cpu": "many", GPU: "?"}, rng.choice(("Completed", "Terminated", "Failed"))))
    request = _request(rng, flavors)
    running = [document for document in jobs if document["status"] == "Running"]
    if running and rng.random() < 0.1:
        request["replaces"] = {"job_uuid": rng.choice(running)["jobUUID"]}
    return Case(nodes, jobs, counts, request, readable)


def _node(rng: random.Random, flavor: str, jobs: list[Document]) -> Document:
    """A node with the jobs that run on it; system pods take a little of an idle one."""
    cards, cores = CARD_COUNTS[flavor], rng.choice((16, 16, 16, 17))
    key = {NPU: rng.choice(ASCENDS)}.get(flavor, GPU)
    size = {"cpu": cores * 1000, "memory": 64 * 1024, **({key: cards * 1000} if cards else {})}
    free = dict(size)
    if rng.random() < 0.3:
        free["cpu"] -= rng.randint(1, 5) * 100
        free["memory"] -= rng.randint(1, 2000)
    running = []
    for _i in range(rng.choice((0, 0, 1, 1, 2))):
        took = {"cpu": rng.randint(1, 5) * 1000, "memory": rng.randint(1, 20) * 1024}
        if cards:
            took[key] = rng.choice((1000, 2000, 4000, 1073, 500))
        if all(amount <= free[resource] for resource, amount in took.items()):
            free = {resource: amount - took.get(resource, 0) for resource, amount in free.items()}
            running.append(_written(rng, took))
    state = rng.random()
    made = node(
        _spelled(rng, _written(rng, size)),
        _spelled(rng, _written(rng, free)),
        flavor=flavor,
        phase=rng.choice(("Abnormal", "Creating", "Deleting", "Checking")) if state < 0.1 else "Available",
        taints=[rng.choice(("NoSchedule", "NoExecute"))] if 0.1 < state < 0.15 else ["PreferNoSchedule"],
        drain=0.15 < state < 0.2,
        labels=_labels(rng) if 0.2 < state < 0.26 else None,
        **({"driver": {"phase": rng.choice(DRIVER_PHASES)}} if rng.random() < 0.1 else {}),
    )
    if made["status"]["phase"] in ("Creating", "Abnormal") and rng.random() < 0.5:
        made["status"].update(resources=None, availableResources=None)
    jobs += [job(took, on={address_of(made): took}) for took in running]
    return made


def _labels(rng: random.Random) -> dict[str, str]:
    """A label that keeps a node from work, or one that does not."""
    return rng.choice(
        (
            {"os.modelarts.node/volcano.scheduler.cabinet-exclusive": "a-job"},
            {"os.modelarts.node/ha.redundant.enabled": "true"},
            {"os.modelarts.node/ha.redundant.enabled": "false"},
            {"os.modelarts/billing.status": "1"},
            {"os.modelarts/billing.status": "0"},
        )
    )


def _written(rng: random.Random, amounts: t.Mapping[str, int]) -> dict[str, t.Any]:
    """Thousandths, and MiB of memory, in one of the forms that the API has for them."""
    written: dict[str, t.Any] = {}
    for resource, amount in amounts.items():
        if resource == "memory":
            written[resource] = f"{amount}Mi" if amount % 1024 or rng.random() < 0.5 else f"{amount // 1024}Gi"
        elif amount % 1000:
            written[resource] = f"{amount}m"
        else:
            written[resource] = rng.choice((str(amount // 1000), amount // 1000, f"{amount}m"))
    return written


def _spelled(rng: random.Random, table: dict[str, t.Any]) -> dict[str, t.Any]:
    """The same, at times with both spellings of one card."""
    both = [key for key in ASCENDS if key in table]
    if both and rng.random() < 0.2:
        return {**table, **dict.fromkeys(ASCENDS, table[both[0]])}
    return table


def _spoil(rng: random.Random, made: Document) -> None:
    """Makes something of a node unreadable, or leaves it out."""
    status = made["status"]
    table = rng.choice(("resources", "availableResources", "availableResources"))
    if not status[table] or rng.random() < 0.2:
        status[table] = None
    else:
        status[table][rng.choice(sorted(status[table]))] = rng.choice(UNREADABLE)


def _request(rng: random.Random, flavors: t.Sequence[str]) -> Document:
    groups = [_group(rng, flavors) for _i in range(rng.choice((1, 1, 2, 2, 3)))]
    while sum(group["replicas"] for group in groups) > 6:
        max(groups, key=lambda group: group["replicas"])["replicas"] -= 1
    return {"groups": groups} if len(groups) > 1 or rng.random() < 0.2 else dict(groups[0])


def _group(rng: random.Random, flavors: t.Sequence[str]) -> Document:
    replicas = rng.randint(1, 5)
    if rng.random() < 0.15:
        return {"replicas": replicas, "flavor": rng.choice(flavors)}
    asked: dict[str, int] = {}
    cards = [key for flavor, key in (("f.gpu8", GPU), ("f.gpu4", GPU), (NPU, ASCENDS[0])) if flavor in flavors]
    if cards and rng.random() < 0.8:
        key = rng.choice(ASCENDS) if rng.random() < 0.5 and ASCENDS[0] in cards else rng.choice(cards)
        # Of Ascend cards no parts are given.
        parts = () if key in ASCENDS else (500, 927, 1073)
        asked[key] = rng.choice((1000, 2000, 3000, 4000, 6000, 8000, *parts))
    if not asked or rng.random() < 0.5:
        asked["cpu"] = rng.choice((2000, 4000, 5500, 7000, 11000, 15500, 16000))
    if rng.random() < 0.3:
        asked["memory"] = rng.choice((4, 20, 30, 44, 60, 64)) * 1024
    return {"replicas": replicas, "resources": _written(rng, asked)}
