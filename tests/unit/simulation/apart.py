# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pools whose nodes are read at one moment and whose jobs at another, with what is true at the later one.

Between the two moments jobs start, end, stop, break and come back. Neither document is wrong, and each is behind in
its own way; what fits is decided by the pool itself, which neither of them shows in full.
"""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ansible_collections.poolgate.modelarts.tests.unit.simulation import oracle
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, Document, job, node

KINDS = ("cards", "cores", "groups", "whole nodes")
HOLDING = ("Running", "Running", "Running", "Creating", "Terminating", "Abnormal", "Migrating")
OVER = ("Completed", "Failed", "Terminated")
ASCEND = ("huawei.com/ascend-snt9", "huawei.com/ascend-1980")
MIB = 2**20

Amounts = dict[str, int]
"""Thousandths of cores and cards, MiB of memory."""


@dataclass(frozen=True)
class Machine:
    """A node, and what its own services take."""

    address: str
    flavor: str
    size: Amounts
    services: Amounts
    takes_work: bool


@dataclass(frozen=True)
class Job:
    """A job with what it has on each address. ``shows`` is how much of that its document tells."""

    uuid: str
    status: str
    on: dict[str, Amounts]
    shows: str  # split, hosts (without what it has on each), nothing

    @property
    def holds(self) -> bool:
        return self.status not in OVER


@dataclass
class World:
    """What is read of a pool, what is asked of it, and the jobs that it has at the later of the two moments."""

    machines: list[Machine]
    shown_in_nodes: list[Job]
    shown_in_jobs: list[Job]
    later: list[Job]
    request: Document
    card: str
    nodes: list[Document] = field(default_factory=list)
    jobs: list[Document] = field(default_factory=list)

    def fits(self) -> bool:
        """Whether the replicas find a place in the pool as it is at the later moment."""
        bins = []
        for machine in self.machines:
            if machine.takes_work:
                free = _free(machine, self.later)
                idle = not any(machine.address in job.on for job in self.later if job.holds)
                amounts = tuple(sorted((oracle.card(r), _exact(r, amount)) for r, amount in free.items()))
                bins.append(oracle.Bin(amounts, machine.flavor, idle))
        return oracle.places(bins, oracle.shapes_of(self.request))


def world(seed: object, kind: str, *, apart: bool = True, services: bool = False, told: float = 0.9) -> World:
    """The world of that seed. Without ``apart`` both documents are of one moment; ``told`` is the share of split jobs.

    Where whole nodes are asked for, no job is as small as what a node's own services may take: which of the two a few
    cores are, no document tells.
    """
    rng = random.Random(f"{kind} {seed}")
    small = kind != "whole nodes"
    card = rng.choice((GPU, GPU, *ASCEND))
    alike = {"cpu": rng.randint(1, 9) * 100, "memory": rng.randint(1, 3000)} if services else {}
    machines = [_machine(rng, index, card, alike) for index in range(rng.randint(1, 4))]
    first: list[Job] = []
    for _i in range(rng.randint(0, 4)):
        _start(rng, machines, first, card, told, small)
    second = _later(rng, machines, first, card, told, small) if apart else first
    nodes_first = rng.random() < 0.7
    made = World(
        machines,
        first if nodes_first else second,
        second if nodes_first else first,
        second,
        _request(rng, kind, card, machines),
        card,
    )
    made.nodes = [_node_document(rng, machine, made.shown_in_nodes) for machine in machines]
    made.jobs = [_job_document(rng, one) for one in made.shown_in_jobs]
    return made


def _machine(rng: random.Random, index: int, card: str, services: Amounts) -> Machine:
    cards = rng.choice((8, 8, 4, 0))
    size = {"cpu": rng.choice((16, 16, 24)) * 1000, "memory": 64 * 1024, **({card: cards * 1000} if cards else {})}
    # Of this flavor any cards go together: where they do not, the oracle over cards knows.
    flavor = f"f.{cards}snt9b3" if card in ASCEND else f"f.{cards}"
    return Machine(f"10.0.0.{index + 1}", flavor, size, services, rng.random() < 0.85)


def _start(
    rng: random.Random, machines: t.Sequence[Machine], jobs: list[Job], card: str, told: float, small: bool
) -> None:
    """Adds a job where there is room for it, on one node or on several."""
    pods: dict[str, Amounts] = {}
    shape = {"cpu": rng.choice((200, 500, 1000, 2000, 4000, 8000)), "memory": rng.choice((256, 1024, 4096, 16384))}
    if rng.random() < 0.75:
        shape[card] = rng.choice((1000, 2000, 4000, 8000, 500))
    if not small and card not in shape:
        shape["memory"] = 40 * 1024
    # A pod is taken to have at least one whole card, so that a part of a card is a job on one node.
    several = 1 if shape.get(card) == 500 else rng.choice((1, 1, 1, 2, 3))
    for machine in rng.sample(machines, min(len(machines), several)):
        free = _free(machine, jobs)
        if all(amount <= free.get(resource, 0) for resource, amount in shape.items()):
            pods[machine.address] = dict(shape)
    if len(pods) > 1 and small and rng.random() < 0.15:  # a master without cards, on its own
        pods[next(iter(pods))].pop(card, None)
    if pods:
        status = rng.choice(HOLDING)
        shows = (
            "nothing" if status == "Creating" and rng.random() < 0.4 else "split" if rng.random() < told else "hosts"
        )
        jobs.append(Job(f"uuid-{len(jobs)}-{rng.random()}", status, pods, shows))


def _later(
    rng: random.Random, machines: t.Sequence[Machine], jobs: t.Sequence[Job], card: str, told: float, small: bool
) -> list[Job]:
    """The jobs after some have ended, changed or vanished, and others have started in their place."""
    after = []
    for one in jobs:
        chance = rng.random()
        if chance < 0.3:
            continue
        if chance < 0.4:
            after.append(replace(one, status=rng.choice(OVER)))
        elif chance < 0.6:
            after.append(
                replace(one, status=rng.choice(HOLDING), shows="split" if one.shows == "nothing" else one.shows)
            )
        else:
            after.append(one)
    for _i in range(rng.randint(0, 3)):
        _start(rng, machines, after, card, told, small)
    return after


def _free(machine: Machine, jobs: t.Iterable[Job]) -> Amounts:
    free = {resource: amount - machine.services.get(resource, 0) for resource, amount in machine.size.items()}
    for one in jobs:
        if one.holds:
            for resource, amount in one.on.get(machine.address, {}).items():
                free[resource] -= amount
    return free


def _exact(resource: str, amount: int) -> Fraction:
    return Fraction(amount * MIB) if resource == "memory" else Fraction(amount, 1000)


def _table(rng: random.Random, amounts: Amounts) -> Document:
    """The amounts as a document has them, an Ascend card in either spelling."""
    table: Document = {}
    for resource, amount in amounts.items():
        name = rng.choice(ASCEND) if resource in ASCEND else resource
        table[name] = f"{amount}Mi" if resource == "memory" else f"{amount}m"
    return table


def _node_document(rng: random.Random, machine: Machine, jobs: t.Sequence[Job]) -> Document:
    phase = "Available" if machine.takes_work else rng.choice(("Abnormal", "Creating"))
    free = _table(rng, _free(machine, jobs))
    return node(_table(rng, machine.size), free, address=machine.address, flavor=machine.flavor, phase=phase)


def _job_document(rng: random.Random, one: Job) -> Document:
    total: Amounts = {}
    for amounts in one.on.values():
        for resource, amount in amounts.items():
            total[resource] = total.get(resource, 0) + amount
    on: t.Any = ()
    if one.shows == "split":
        on = {address: _table(rng, amounts) for address, amounts in one.on.items()}
    elif one.shows == "hosts":
        on = list(one.on)
    return job(_table(rng, total), one.status, uuid=one.uuid, on=on)


def _request(rng: random.Random, kind: str, card: str, machines: t.Sequence[Machine]) -> Document:
    if kind == "whole nodes":
        return {"replicas": rng.randint(1, 2), "flavor": rng.choice(machines).flavor}
    if kind == "groups":
        groups = [_group(rng, rng.random() < 0.8, card, machines) for _i in range(rng.choice((2, 2, 3)))]
        while sum(group["replicas"] for group in groups) > 6:
            max(groups, key=lambda group: group["replicas"])["replicas"] -= 1
        return {"groups": groups}
    return _group(rng, kind == "cards", card, machines)


def _group(rng: random.Random, cards: bool, card: str, machines: t.Sequence[Machine]) -> Document:
    asked: Amounts = {}
    if cards:
        asked[card] = rng.choice((1000 if card in ASCEND else 500, 1000, 2000, 3000, 4000, 6000, 8000))
    if not cards or rng.random() < 0.4:
        free = [_free(machine, ())["cpu"] for machine in machines]  # of an idle node
        asked["cpu"] = rng.choice((500, 1000, 3000, 7000, 11000, 15500, 16000, *free))
        if rng.random() < 0.5:
            asked["memory"] = rng.choice((1, 8, 20, 40, 60)) * 1024
    return {"replicas": rng.randint(1, 4), "resources": _table(rng, asked)}
