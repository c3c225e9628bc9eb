# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ascend nodes with what their documents tell of their cards, and whether replicas get theirs, by trying everything.

It knows nothing of the collection's code. What documents leave open is tried in every way: each set of cards that may
be free, and each rule that may hold. Replicas fit surely when they fit in all ways, and at best when they do in one.
"""

from __future__ import annotations

import itertools
import random
import typing as t
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import Document, node

CARD = "huawei.com/ascend-snt9"
PLACEMENT = "os.modelarts/npu-topology-placement"
A1, A2, A3 = "modelarts.kat1.8xlarge", "modelarts.bm.npu.arm.8snt9b3", "modelarts.bm.npu.arm.16snt9b23"
BOX16 = "modelarts.bm.npu.arm.16snt9b2"
OWN8, OTHER8, OWN16, NAMED = "own.8", "other.8", "own.16", "named.8"

MACHINES = {A1: 8, A2: 8, A3: 16, BOX16: 16, OWN8: 8, OTHER8: 8, OWN16: 16, NAMED: 8, "own.4": 4}
"""Flavors with the number of their cards."""

RULES = {A1: (4,), A2: (8,), A3: (2,), BOX16: (8, 16), OWN8: (2, 4, 8), OTHER8: (2, 4, 8), OWN16: (2, 8, 16)}
RULES |= {NAMED: (4,), "own.4": (2, 4)}
"""How many cards may lie together on each. That of NAMED is in no name, and POLICY says it."""

POLICY = {"card_groups": {NAMED: 4}}

SIZES = {
    (2, 4): (1, 2, 4),
    (4, 4): (1, 2, 3, 4),
    (2, 8): (1, 2, 4, 6, 8),
    (4, 8): (1, 2, 4, 8),
    (8, 8): range(1, 9),
    (2, 16): (1, *range(2, 17, 2)),
    (8, 16): (*range(1, 9), 16),
    (16, 16): range(1, 17),
}
"""The sizes that hardware offers, by rule and number of cards."""

_MOST_WAYS = 1500


@dataclass
class Machine:
    """A node: ``free`` is how many cards its entry gives as free, ``shown`` those that its text does, if it has one."""

    flavor: str
    free: int
    shown: frozenset[int] | None
    cores: int
    document: Document = field(default_factory=dict)

    @property
    def cards(self) -> int:
        return MACHINES[self.flavor]

    def ways(self, rule: int) -> set[tuple[int, ...]]:
        """How many cards may be free in each group, in all ways that its documents allow."""
        shown = frozenset(range(1, self.cards + 1)) if self.shown is None else self.shown
        sets = itertools.combinations(sorted(shown), min(self.free, len(shown)))
        groups = [range(first, min(first + rule, self.cards + 1)) for first in range(1, self.cards + 1, rule)]
        return {tuple(sorted(sum(card in free for card in group) for group in groups)) for free in map(set, sets)}


@dataclass
class CardCase:
    machines: list[Machine]
    request: Document
    groups: list[tuple[int, int, int]]  # replicas, cards, cores

    @property
    def nodes(self) -> list[Document]:
        return [machine.document for machine in self.machines]

    def fits(self) -> tuple[bool, bool] | None:
        """Whether all replicas fit (surely, at best); None where there are too many ways to try."""
        flavors = sorted({machine.flavor for machine in self.machines})
        surely, at_best = True, False
        for rules in itertools.product(*(RULES[flavor] for flavor in flavors)):
            rule_of = dict(zip(flavors, rules))
            ways = [sorted(machine.ways(rule_of[machine.flavor])) for machine in self.machines]
            count = 1
            for of_machine in ways:
                count *= len(of_machine)
            if count > _MOST_WAYS:
                return None
            for world in itertools.product(*ways):
                surely = surely and self._fits_in(world, rule_of, hopefully=False)
                at_best = at_best or self._fits_in(world, rule_of, hopefully=True)
        return surely, at_best

    def _fits_in(self, world: t.Sequence[tuple[int, ...]], rule_of: dict[str, int], *, hopefully: bool) -> bool:
        bins = tuple(
            sorted(
                (machine.cards, rule_of[machine.flavor], free, 0, machine.cores)
                for machine, free in zip(self.machines, world)
            )
        )
        replicas = tuple(
            sorted(((cards, cores) for count, cards, cores in self.groups for _i in range(count)), reverse=True)
        )
        return _try(bins, replicas, hopefully, set())


def _try(bins: tuple[t.Any, ...], replicas: tuple[tuple[int, int], ...], hopefully: bool, failed: set[t.Any]) -> bool:
    """Every replica on every node, in every group."""
    if not replicas:
        return True
    if (bins, len(replicas)) in failed:
        return False
    (cards, cores), rest = replicas[0], replicas[1:]
    for index, one in enumerate(bins):
        if index and bins[index - 1] == one:
            continue
        for left in _put(one, cards, cores, hopefully):
            if _try(tuple(sorted((*bins[:index], left, *bins[index + 1 :]))), rest, hopefully, failed):
                return True
    failed.add((bins, len(replicas)))
    return False


def _put(one: tuple[t.Any, ...], cards: int, cores: int, hopefully: bool) -> t.Iterator[tuple[t.Any, ...]]:
    """What may be left of a node: its groups, and how many cards of them are taken wherever they lie."""
    size, rule, groups, loose, free_cores = one
    if cores > free_cores or cards > sum(groups) - loose:
        return
    left = free_cores - cores
    if not cards:
        yield size, rule, groups, loose, left
    elif cards not in SIZES[(rule, size)]:
        if hopefully:
            yield size, rule, groups, loose + cards, left
    elif cards == 1:
        for index, free in enumerate(groups):
            if free:
                yield size, rule, tuple(sorted((*groups[:index], free - 1, *groups[index + 1 :]))), loose, left
    elif cards <= rule:
        for index, free in enumerate(groups):
            if free >= cards:
                yield size, rule, tuple(sorted((*groups[:index], free - cards, *groups[index + 1 :]))), loose, left
    elif groups.count(rule) * rule >= cards:
        rest = list(groups)
        for _group in range(cards // rule):
            rest[rest.index(rule)] = 0
        yield size, rule, tuple(sorted(rest)), loose, left


def card_case(seed: object) -> CardCase:
    """The nodes and the request of that seed, always the same."""
    rng = random.Random(f"cards {seed}")
    flavors = rng.sample(sorted(MACHINES), rng.choice((1, 1, 1, 2)))
    machines = [machine_of(rng, rng.choice(flavors)) for _i in range(rng.choice((1, 1, 2, 2, 3)))]
    most = max(machine.cards for machine in machines)
    groups = [_group(rng, most) for _i in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    written = [
        {
            "replicas": replicas,
            "resources": {**({CARD: cards} if cards else {}), **({"cpu": cores} if cores or not cards else {})},
        }
        for replicas, cards, cores in groups
    ]
    return CardCase(machines, {"groups": written} if len(written) > 1 else written[0], groups)


def _group(rng: random.Random, most: int) -> tuple[int, int, int]:
    cards = rng.choice((1, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6, 8, 8, 10, 12, 16))
    return rng.choice((1, 1, 1, 2, 2, 3)), min(cards, most), rng.choice((0, 0, 4, 10))


def machine_of(rng: random.Random, flavor: str) -> Machine:
    """A node of that flavor with some of its cards free; its text may be missing, odd, or of another moment."""
    cards = MACHINES[flavor]
    free = frozenset(number for number in range(1, cards + 1) if rng.random() < rng.choice((0.3, 0.6, 0.9, 1)))
    shown: frozenset[int] | None = free
    amount, text = len(free), _text(free, cards)
    chance = rng.random()
    if chance < 0.15:
        shown, text = None, None
    elif chance < 0.22:
        beyond = "1" * (17 - cards) + "0" * (cards - 1) if cards < 16 else "0" * 8
        shown, text = None, rng.choice(("", "0" * 15, "0" * 17, "000000000000000x", beyond))
    elif chance < 0.32:
        shown = frozenset(rng.sample(sorted(free), max(0, len(free) - rng.randint(1, 3))))
        text = _text(shown, cards)
    elif chance < 0.45:
        taken = sorted(set(range(1, cards + 1)) - free)
        shown = free | frozenset(rng.sample(taken, min(len(taken), rng.randint(1, 2))))
        text = _text(shown, cards)
    cores = rng.choice((8, 16, 32))
    annotations = {} if text is None else {PLACEMENT: text}
    size = {CARD: str(cards), "cpu": "32"}
    document = node(size, {CARD: str(amount), "cpu": str(cores)}, flavor=flavor, annotations=annotations)
    return Machine(flavor, amount, shown, cores, document)


def _text(free: t.Collection[int], cards: int) -> str:
    return "".join("0" if number > cards or number in free else "1" for number in range(16, 0, -1))
