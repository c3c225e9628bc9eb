# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments that have been promised room on Ascend nodes and start in any order, each as badly as a scheduler may.

It knows nothing of the collection's code. A deployment starts whole, on any nodes and any cards that the rule of the
hardware allows. Where documents leave open which cards are free, or which rule holds, each way is a world of its own.
"""

from __future__ import annotations

import itertools
import random
import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.tests.unit.simulation.card_oracle import (
    A1,
    A2,
    A3,
    CARD,
    NAMED,
    OWN8,
    RULES,
    SIZES,
    Machine,
    machine_of,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import Document


class Shape(t.NamedTuple):
    """Replicas that ask for so many cards and cores each."""

    replicas: int
    cards: int
    cores: int

    @property
    def amounts(self) -> dict[str, int]:
        return {CARD: self.cards * 1000, **({"cpu": self.cores * 1000} if self.cores else {})}

    @property
    def document(self) -> Document:
        return {
            "replicas": self.replicas,
            "resources": {CARD: self.cards, **({"cpu": self.cores} if self.cores else {})},
        }


Deployment = tuple[Shape, ...]

# How many cards a node has, its rule, its free cards by group and its free cores.
Node = tuple[int, int, tuple[int, ...], int]
Nodes = tuple[Node, ...]

_MOST_WORLDS = 300


@dataclass
class Promises:
    """Nodes, what has been claimed of them, and a request that may be admitted beside that."""

    machines: list[Machine]
    claims: list[Deployment]
    request: Deployment

    def worlds(self) -> list[Nodes] | None:
        """Every world that the documents allow; None where there are too many to try."""
        flavors = sorted({machine.flavor for machine in self.machines})
        found: list[Nodes] = []
        for rules in itertools.product(*(RULES[flavor] for flavor in flavors)):
            rule_of = dict(zip(flavors, rules))
            ways = [sorted(machine.ways(rule_of[machine.flavor])) for machine in self.machines]
            for free in itertools.product(*ways):
                found.append(
                    tuple(
                        sorted(
                            (machine.cards, rule_of[machine.flavor], groups, machine.cores)
                            for machine, groups in zip(self.machines, free)
                        )
                    )
                )
                if len(found) > _MOST_WORLDS:
                    return None
        return sorted(set(found))

    def are_kept(self) -> bool | None:
        """Whether in every world each deployment starts, whatever came before it; None where that was not tried."""
        worlds = self.worlds()
        if worlds is None:
            return None
        known: dict[t.Any, bool] = {}
        return all(_all_start(world, (*self.claims, self.request), known) for world in worlds)


def _all_start(nodes: Nodes, deployments: tuple[Deployment, ...], known: dict[t.Any, bool]) -> bool:
    key = (nodes, tuple(sorted(deployments)))
    if key not in known:
        known[key] = True
        for index, one in enumerate(deployments):
            later = _started(nodes, one)
            rest = (*deployments[:index], *deployments[index + 1 :])
            if not later or not all(_all_start(world, rest, known) for world in later):
                known[key] = False
                break
    return known[key]


def _started(nodes: Nodes, deployment: Deployment) -> set[Nodes]:
    """Every way in which the nodes may be left when all of the deployment has started; none if it cannot."""
    reached = {nodes}
    for shape in deployment:
        for _replica in range(shape.replicas):
            reached = {later for one in reached for later in _with_replica(one, shape)}
    return reached


def _with_replica(nodes: Nodes, shape: Shape) -> t.Iterator[Nodes]:
    for index, (cards, rule, groups, cores) in enumerate(nodes):
        if shape.cores <= cores and (not index or nodes[index] != nodes[index - 1]):
            for left in _cards_taken(cards, rule, groups, shape.cards):
                here = (cards, rule, left, cores - shape.cores)
                yield tuple(sorted((*nodes[:index], here, *nodes[index + 1 :])))


def _cards_taken(cards: int, rule: int, groups: tuple[int, ...], size: int) -> set[tuple[int, ...]]:
    """Every way in which the groups may be left."""
    if size not in SIZES[(rule, cards)]:
        return set()
    if size <= rule:
        return {
            tuple(sorted((*groups[:index], free - size, *groups[index + 1 :])))
            for index, free in enumerate(groups)
            if free >= size
        }
    whole, needed = groups.count(rule), size // rule
    if whole < needed:
        return set()
    return {tuple(sorted((*(free for free in groups if free != rule), *[0] * needed, *[rule] * (whole - needed))))}


def promises(seed: object) -> Promises:
    """The nodes, the claims and the request of that seed, always the same."""
    rng = random.Random(f"promises {seed}")
    flavors = rng.sample((A1, A1, A1, A2, A3, NAMED, OWN8), rng.choice((1, 1, 1, 2)))
    count = rng.choice((1, 2, 2, 3))
    if rng.random() < 0.3:  # alike, as in most pools: what is hit of one kind is counted together
        flavor, state = rng.choice(flavors), rng.random()
        machines = [machine_of(random.Random(state), flavor) for _node in range(count + 1)]
    else:
        machines = [machine_of(rng, rng.choice(flavors)) for _node in range(count)]
    claims = [_deployment(rng, 1) for _claim in range(rng.choice((1, 1, 1, 2)))]
    return Promises(machines, claims, _deployment(rng, rng.choice((1, 1, 1, 2))))


def _deployment(rng: random.Random, shapes: int) -> Deployment:
    return tuple(
        Shape(rng.choice((1, 1, 1, 1, 2, 2, 3)), rng.choice((1, 1, 2, 2, 2, 4, 4, 8)), rng.choice((0, 0, 0, 4)))
        for _shape in range(shapes)
    )
