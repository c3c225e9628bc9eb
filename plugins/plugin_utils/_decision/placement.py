# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node takes which replicas, all or none: pure integer arithmetic over what nodes offer.

This plugin util is private to the collection.
"""

from __future__ import annotations

import enum
import functools
import heapq
import sys
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import replicas_on_cards

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import NodeFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import Cards
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

State = tuple[int, ...]
"""Numbers of replicas, one for each need: those still to place, or those that a node takes."""

SEARCH_BOUND = 20_000
"""Steps that the search over several groups may take before it gives up: patterns tried and states compared.

20,000 steps take a quarter of a second at most, and the largest requests seen in tests need some hundreds.
"""

_MOST_GROUPS = 200  # each is one call deeper, and Python allows about a thousand
_COMPARISONS_PER_STEP = 16  # comparing two states is that much cheaper than finding a pattern


class _TooManyError(Exception):
    """A node takes more patterns than may be tried."""


class NodeKind(t.NamedTuple):
    """What a replica can ask of a node beside amounts.

    A constraint of placement is one more field here and of Need, which are compared in accepts().
    """

    flavor: str | None

    @classmethod
    def of(cls, facts: NodeFacts) -> NodeKind:
        return cls(facts["flavor"])

    @classmethod
    def promised(cls, flavor: str | None) -> NodeKind:
        """Return the kind of a node that the pool is meant to have and that is not listed."""
        return cls(flavor)


@dataclass(frozen=True)
class Need:
    """Replicas of one shape: amounts in the order of Offer.free, or one whole idle node of a flavor each."""

    replicas: int
    amounts: tuple[int, ...] | None
    flavor: str | None

    @classmethod
    def of(cls, group: Group, order: Sequence[str]) -> Need:
        """Return what a group of a request needs, with its amounts in that order."""
        amounts = None if group.resources is None else tuple(group.resources.get(resource, 0) for resource in order)
        return cls(group.replicas, amounts, group.flavor)

    @functools.cached_property
    def asked(self) -> Sequence[tuple[int, int]]:
        """The amounts of what it asks for, each with its index."""
        return [(index, amount) for index, amount in enumerate(self.amounts or ()) if amount]

    @property
    def place(self) -> Offer:
        """What a node of the right kind offers that has room for one replica and for nothing else."""
        return Offer(self.amounts or (), NodeKind(self.flavor), False)

    def accepts(self, kind: NodeKind) -> bool:
        """Return whether its replicas may be on a node of that kind at all."""
        return self.flavor is None or self.flavor == kind.flavor


class Offer(t.NamedTuple):
    """What is left of a node: ``free`` amounts, one for each resource of the problem.

    It alone knows which replicas a node takes, and what is left of it afterwards. ``cards`` tells it which replicas
    find cards that lie together, on nodes where that matters.
    """

    free: tuple[int, ...]
    kind: NodeKind
    is_idle: bool
    cards: Cards | None = None

    def __hash__(self) -> int:
        """Return the hash of the numbers' text: it has a secret key, while numbers can be chosen to collide."""
        return hash((str(self.free), self[1:]))

    def fits(self, need: Need) -> int:
        """Return how many replicas of one shape the node takes when it takes nothing else."""
        free, kind, is_idle, cards = self
        if not need.accepts(kind):
            return 0
        if need.amounts is None:
            return int(is_idle)
        most = sys.maxsize  # no amount is as large
        # A loop, which for three resources takes half the time of min(): there may be ten thousand nodes.
        for index, asked in need.asked:
            here = free[index] // asked
            # A negative count would take places off other nodes in a sum.
            if here <= 0:
                return 0
            if here < most:
                most = here
        if cards is None or not need.amounts[cards.at]:
            return most
        return min(most, replicas_on_cards(cards, need.amounts[cards.at]))

    def fits_by(self, rule: int, need: Need) -> int:
        """Return the same for a need of whole cards where that rule holds for them."""
        if self.cards is None or need.amounts is None or not need.accepts(self.kind):
            return 0
        by_amounts = Offer(self.free, self.kind, self.is_idle).fits(need)
        return min(by_amounts, self.cards.fits_by(rule, need.amounts[self.cards.at] // 1000))

    def at_best(self) -> Offer:
        """Return what the node offers at best where only of its cards something may not be known."""
        if self.cards is None:
            return self
        free = min(self.free[self.cards.at] // 1000, self.cards.places)
        return self._replace(cards=self.cards._replace(is_hopeful=True, free=free))

    def is_all_of(self, best: Offer, needs: Sequence[Need]) -> bool:
        """Return whether what the node may offer at best is no more than this, for these needs."""
        if self is best:
            return True
        if (self.free, self.is_idle) != (best.free, best.is_idle):
            return False
        if any(self.fits(need) < best.fits(need) for need in needs):
            return False
        # Several shapes compete for the same groups of cards, so equal counts of each do not make equal offers.
        return len(needs) == 1 or self.cards is None or self.cards.is_certain

    def take(self, need: Need, replicas: int) -> Offer:
        """Return what is left when that many replicas have been placed there; a whole node leaves nothing."""
        if not replicas:
            return self
        if need.amounts is None:
            return Offer((0,) * len(self.free), self.kind, False)
        left = tuple(free - asked * replicas for free, asked in zip(self.free, need.amounts))
        return Offer(left, self.kind, False, self.cards and self.cards.take(need.amounts[self.cards.at], replicas))

    def prices(self, asked: int, places: int, index: int, unit: int) -> Iterable[tuple[int, int]]:
        """Return (how much of one resource others must take there for the place of a replica, how many cost this).

        ``places`` replicas that ask for so much of it fit there. The first place costs what is left beside them and
        one unit more, every further place what a replica asks. Of cards that lie in groups, one may be enough.
        """
        if self.cards is None or self.cards.at != index:
            return (asked, places - 1), (self.free[index] - places * asked + unit, 1)
        if unit == 1:
            return ((1, places),)  # a part of a card takes all of it
        # Amounts may leave fewer places than cards do, and the dearest of these are not there.
        return ((price, 1) for price in sorted(price * unit for price in self.cards.prices(asked))[:places])


Offers = t.Mapping[Offer, int]
"""The offers of nodes, each with the number of nodes that make it."""


class Assignment(t.NamedTuple):
    """``nodes`` nodes that make the same offer take the same replicas each, counted by need."""

    offer: Offer
    replicas: State
    nodes: int


@dataclass(frozen=True)
class Placement:
    """Where replicas go, and how many of each need have found no place."""

    assignments: tuple[Assignment, ...]
    missing: State

    @property
    def is_complete(self) -> bool:
        return not any(self.missing)

    def by_node(self, offers: Sequence[Offer | None]) -> Iterator[State | None]:
        """Yield what each node takes, given the offer of each; None for a node that takes nothing."""
        # Reversed, as pop() takes from the end: nodes get their replicas in the order of the placement.
        takes: dict[Offer, list[State]] = {}
        for assignment in reversed(self.assignments):
            takes.setdefault(assignment.offer, []).extend([assignment.replicas] * assignment.nodes)
        for offer in offers:
            left = takes.get(offer) if offer is not None else None
            yield left.pop() if left else None


class NoPlacement(enum.Enum):
    """Why there is no placement: there is none, or the search passed its bound."""

    IMPOSSIBLE = "impossible"
    GAVE_UP = "gave up"


def most_replicas_placed(offers: Offers, need: Need, fits: Sequence[int] | None = None) -> int:
    """Return how many replicas of one shape all nodes take when they take nothing else.

    ``fits`` is how many each offer takes, where that has been counted. Nodes of one flavor have the same
    hardware: where their rule is not known, it is one for all of them.
    """
    most = 0
    by_rule: dict[tuple[str, tuple[int, ...], bool], list[int]] = {}
    for (offer, nodes), replicas in zip(offers.items(), fits or _replicas_by_offer(offers, need)):
        cards, flavor = offer.cards, offer.kind.flavor
        if cards is None or len(cards.rules) < 2 or flavor is None or not _does_need_ask_whole_cards(need, cards.at):
            most += replicas * nodes
            continue
        of_flavor = by_rule.setdefault((flavor, cards.rules, cards.is_hopeful), [0] * len(cards.rules))
        for index, rule in enumerate(cards.rules):
            of_flavor[index] += offer.fits_by(rule, need) * nodes
    return most + sum(max(found) if is_hopeful else min(found) for (*_of, is_hopeful), found in by_rule.items())


def _replicas_by_offer(offers: Offers, need: Need) -> list[int]:
    return [offer.fits(need) for offer in offers]


def _does_need_ask_whole_cards(need: Need, index: int) -> bool:
    return need.amounts is not None and need.amounts[index] > 0 and need.amounts[index] % 1000 == 0


def place(offers: Offers, needs: Sequence[Need], bound: int = SEARCH_BOUND) -> Placement | NoPlacement:
    """Place all replicas of all needs together.

    One need is exact and never given up. For several, a greedy pass is tried before the search.
    """
    # The cheap proofs first: counting settles one need, and sums refute most requests of several.
    fits = [_replicas_by_offer(offers, need) for need in needs]
    most = [most_replicas_placed(offers, need, fits_of_need) for need, fits_of_need in zip(needs, fits)]
    if any(places < need.replicas for places, need in zip(most, needs)):
        return NoPlacement.IMPOSSIBLE
    if len(needs) > 1 and not _may_place_by_sums(offers, needs):
        return NoPlacement.IMPOSSIBLE
    greedy = _place_greedily(offers, needs, fits, most)
    return greedy if greedy.is_complete else _search_placement(offers, needs, bound)


def place_greedily(offers: Offers, needs: Sequence[Need]) -> Placement:
    """Place as many replicas as one pass does: the choosiest need first, each on the nodes that it fills best."""
    fits = [_replicas_by_offer(offers, need) for need in needs]
    most = [most_replicas_placed(offers, need, fits_of_need) for need, fits_of_need in zip(needs, fits)]
    return _place_greedily(offers, needs, fits, most)


def _place_greedily(
    offers: Offers, needs: Sequence[Need], fits: Sequence[Sequence[int]], most: Sequence[int]
) -> Placement:
    """Return the same where it is known how many replicas of each need each offer takes, and all of them together."""
    rows = _Rows(list(offers), list(offers.values()))
    missing = [need.replicas for need in needs]
    # The need with the fewest places to spare first, as those before it could take the nodes that it depends on.
    for index in sorted(range(len(needs)), key=lambda index: most[index] / needs[index].replicas):
        # Most nodes have taken nothing yet, and how many these take is known.
        places_of = [*fits[index], *[left.fits(needs[index]) for left in rows.left[len(offers) :]]]
        for places, number in rows.fullest_first(places_of):
            if not missing[index]:
                break
            missing[index] -= rows.take(number, places, needs, index, missing[index])
    return Placement(rows.assignments(), tuple(missing))


@dataclass
class _Rows:
    """Nodes as they fill up: ``left`` is what is left of each of ``nodes`` nodes, row by row.

    Nodes that take replicas go to a new row at the end. ``taken`` has what they offered, and what each of them took.
    """

    left: list[Offer]
    nodes: list[int]
    taken: dict[int, tuple[Offer, State]] = field(default_factory=dict)

    def fullest_first(self, places_of: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield (places for a replica, number) of each row that has some.

        Nodes with the fewest places come first, which keeps the roomy ones for needs to come.
        """
        by_places: dict[int, list[int]] = {}
        for number, (places, nodes) in enumerate(zip(places_of, self.nodes)):
            if places and nodes > 0:
                by_places.setdefault(places, []).append(number)
        for places, numbers in sorted(by_places.items()):
            # A heap, as a few of ten thousand nodes are enough for most requests.
            useful = [(self.left[number].free, number) for number in numbers]
            heapq.heapify(useful)
            while useful:
                yield places, heapq.heappop(useful)[1]

    def take(self, number: int, places: int, needs: Sequence[Need], index: int, replicas: int) -> int:
        """Let the nodes of a row take as many of the replicas of a need as they have places for; return how many."""
        used = min(self.nodes[number], -(-replicas // places))
        full = min(used, replicas // places)
        left = self.left[number]
        offer, before = self.taken.get(number, (left, (0,) * len(needs)))
        self.nodes[number] -= used
        # All but the last node are filled: alike nodes stay alike, and the rows few.
        for nodes, here in ((full, places), (used - full, replicas - full * places)):
            if nodes:
                self.taken[len(self.left)] = offer, (*before[:index], here, *before[index + 1 :])
                self.left.append(left.take(needs[index], here))
                self.nodes.append(nodes)
        return min(replicas, used * places)

    def assignments(self) -> tuple[Assignment, ...]:
        """Return what nodes took."""
        return tuple(
            Assignment(offer, taken, self.nodes[number])
            for number, (offer, taken) in self.taken.items()
            if self.nodes[number]
        )


def _may_place_by_sums(offers: Offers, needs: Sequence[Need]) -> bool:
    # Needs of whole nodes have no amounts, and were counted before.
    shapes = [(need.amounts, need.replicas) for need in needs if need.amounts is not None]
    width = len(next(iter(offers)).free)
    pairs = [(offer.free, nodes) for offer, nodes in offers.items()]
    offered = [sum([free[i] * nodes for free, nodes in pairs if free[i] > 0]) for i in range(width)]
    asked = [sum(amounts[i] * replicas for amounts, replicas in shapes) for i in range(width)]
    return all(a <= o for a, o in zip(asked, offered))


class _Path(t.NamedTuple):
    """The nodes that have led to a state, the last first."""

    offer: Offer
    taken: State
    before: _Path | None


def _search_placement(offers: Offers, needs: Sequence[Need], bound: int) -> Placement | NoPlacement:
    """Search exactly: the states are the replicas still to place, and of two states the one that placed no more goes.

    Each node takes a pattern of replicas to which none can be added.
    """
    if len(needs) > _MOST_GROUPS:
        return NoPlacement.GAVE_UP
    states: dict[State, _Path | None] = {tuple(need.replicas for need in needs): None}
    steps = 0
    useful = [(offer, nodes) for offer, nodes in offers.items() if any(offer.fits(need) for need in needs)]
    # Nodes that fit few shapes first: they leave the flexible ones for what is left.
    for offer, nodes in sorted(useful, key=lambda entry: sum(entry[0].fits(need) for need in needs)):
        for _node in range(nodes):
            reached: dict[State, _Path | None] = {}
            for state, path in states.items():
                try:
                    patterns = _patterns_of_replicas_to_place(offer, needs, state, bound - steps)
                except _TooManyError:
                    return NoPlacement.GAVE_UP
                # Counted before they are walked: a single state may have more patterns than the bound allows.
                steps += len(patterns)
                for pattern in patterns:
                    later = tuple(left - taken for left, taken in zip(state, pattern))
                    # Any way to a state will do, so the first one is kept.
                    reached.setdefault(later, _Path(offer, pattern, path) if any(pattern) else path)
            steps += len(reached) ** 2 // _COMPARISONS_PER_STEP
            if steps > bound:
                return NoPlacement.GAVE_UP
            reached = _undominated_states_of_placement(reached)
            for state, path in reached.items():
                if not any(state):
                    return Placement(_placement_on_path(path), state)
            if reached.keys() == states.keys():
                break  # another node of this kind adds nothing
            states = reached
    return NoPlacement.IMPOSSIBLE


def _placement_on_path(path: _Path | None) -> tuple[Assignment, ...]:
    counted: Counter[tuple[Offer, State]] = Counter()
    while path is not None:
        counted[path.offer, path.taken] += 1
        path = path.before
    return tuple(Assignment(offer, taken, nodes) for (offer, taken), nodes in counted.items())


def _patterns_of_replicas_to_place(offer: Offer, needs: Sequence[Need], state: State, bound: int) -> list[State]:
    """Return the numbers of replicas, one for each need, that the node takes at once and to which none can be added.

    Raises _TooManyError where there are more than ``bound``, before they take time and memory.
    """
    found: list[State] = []
    for index, need in enumerate(needs):
        if need.amounts is None and state[index] and offer.fits(need):
            # A whole node takes one replica and nothing beside it.
            found.append(tuple(int(index == other) for other in range(len(needs))))

    def extend(index: int, left: Offer, taken: State) -> None:
        if index == len(needs):
            if len(found) > bound:
                raise _TooManyError
            found.append(taken)
            return
        need = needs[index]
        if need.amounts is None:
            extend(index + 1, left, (*taken, 0))
            return
        most = min(state[index], left.fits(need))
        is_last = all(need.amounts is None or not state[i] for i, need in enumerate(needs) if i > index)
        # The last takes all that fits, since a pattern with fewer could be added to.
        for count in range(most, most - 1 if is_last else -1, -1):
            extend(index + 1, left.take(need, count), (*taken, count))

    extend(0, offer, ())
    return found


def _undominated_states_of_placement(states: dict[State, _Path | None]) -> dict[State, _Path | None]:
    """Return the states of which no other has at most as many replicas left of every need."""
    kept: list[State] = []
    # A state that beats another has a smaller sum, so it is kept before the other is looked at.
    for state in sorted(states, key=sum):
        if not any(all(a <= b for a, b in zip(other, state)) for other in kept):
            kept.append(state)
    return {state: states[state] for state in kept}
