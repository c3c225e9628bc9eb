# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that take room on nodes that are not known yet, and the most places that they can cost.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts, is_card_resource
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Names, is_unread

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need, Offer, Offers
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.room import Room
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import JobGroup

_CARD = 1000
"""One card, in the thousandths in which amounts of cards are counted."""

_MOST_TRIED = 10  # jobs whose 1,024 sets are tried; of more, all that there is room for may start


class Places(t.NamedTuple):
    """Each of ``nodes`` nodes that make the same offer takes so many ``replicas``."""

    offer: Offer
    nodes: int
    replicas: int


def places_of(offers: Offers, need: Need) -> list[Places]:
    """Return how many replicas of one shape each offer takes, in the order of the offers."""
    return [Places(offer, nodes, offer.fits(need)) for offer, nodes in offers.items()]


def sum_of_places(places: Iterable[Places]) -> int:
    """Return how many replicas all of them take."""
    return sum(here.replicas * here.nodes for here in places)


@dataclass(frozen=True)
class Unplaced:
    """Resources that jobs take on nodes that are not known.

    How a job is split is not in the API. ``pods`` bounds the number of nodes that are hit, when it is known: a pod is
    taken to have at least one whole card. None means any number.
    """

    total: Amounts
    pods: int | None
    unread: Names

    @classmethod
    def of(cls, groups: Iterable[JobGroup], known: Names | None) -> Unplaced:
        """Return what the groups of jobs take, where ``known`` are the resources of the nodes, None if not read.

        A card that no node has is one of another name, or of another moment: which one is taken is not known.
        """
        total: Amounts = {}
        pods: int | None = 0
        unread: set[str] = set()
        for group in groups:
            unread |= group.unread
            names = {name for name, amount in group.amounts.items() if amount} | group.unread
            if known is not None and any(is_card_resource(name) and name not in known for name in names):
                unread.add("*")
            add_amounts(total, {name: amount * group.count for name, amount in group.amounts.items()})
            cards = sum(amount for name, amount in group.amounts.items() if is_card_resource(name))
            # A job with a part of a card, or without any, may have any number of pods.
            is_whole = cards > 0 and cards % _CARD == 0
            pods = None if pods is None or not is_whole else pods + cards // _CARD * group.count
        return cls(total, pods, frozenset(unread))

    @classmethod
    def of_waiting(cls, jobs: Sequence[JobGroup], room: Room, known: Names | None) -> Unplaced:
        """Return the most that jobs take which wait and may start in a room: some of them, as many as find room."""
        everything = cls.of(jobs, known)
        limits = {name: of for name, of in room.at_most.items() if not is_unread(room.unbounded, (name,))}
        most = _most_unplaced_together(jobs, limits)
        total = {name: min(of, most.get(name, of)) for name, of in everything.total.items()}
        pods = everything.pods
        if pods is not None:
            pods = min(pods, sum(amount for name, amount in total.items() if is_card_resource(name)) // _CARD)
        return cls(total, pods, everything.unread)

    def and_also(self, other: Unplaced) -> Unplaced:
        """Return what these jobs and others take together."""
        total = dict(self.total)
        add_amounts(total, other.total)
        pods = None if self.pods is None or other.pods is None else self.pods + other.pods
        return Unplaced(total, pods, self.unread | other.unread)

    @property
    def is_empty(self) -> bool:
        return not self.total and not self.unread

    def most_lost(self, offers: Offers, need: Need, order: Sequence[str]) -> int:
        """Return the most places for replicas that these jobs can take, wherever they land."""
        return 0 if self.is_empty else self.most_lost_of(places_of(offers, need), offers, need, order)

    def most_lost_of(self, places: Sequence[Places], offers: Offers, need: Need, order: Sequence[str]) -> int:
        """Return the same where the places have been counted before."""
        if self.is_empty:
            return 0
        everything = sum_of_places(places)
        # A pod of any size makes a whole node useless, so a pod costs a node and amounts bound nothing.
        if need.amounts is None:
            return everything if self.pods is None else _most_places_unplaced_can_take(places, self.pods)
        # Added and not compared: other jobs may take the cards than those that take cores or memory.
        cards = rest = 0
        for index, amount in enumerate(need.amounts):
            if amount and is_card_resource(order[index]):
                cards += self._lost_by(places, amount, index, order[index])
            elif amount:
                rest += self._lost_by(places, amount, index, order[index])
        if self.pods is not None and _are_unplaced_cards_whole(offers, order):
            cards = min(cards, _most_places_unplaced_can_take(places, self.pods))
        return min(everything, cards + rest)

    def _lost_by(self, places: Sequence[Places], asked: int, index: int, resource: str) -> int:
        """Return the places that the total of one resource can take. Buying the cheapest first is the worst case."""
        budget = self.total.get(resource, 0)
        if not budget:
            return 0
        unit = 1
        if is_card_resource(resource):
            amounts = [budget, asked, *[here.offer.free[index] for here in places]]
            # Whole cards only where no amount has a part: otherwise a thousandth may be what a place lacks.
            unit = 1 if any(amount % _CARD for amount in amounts) else _CARD
        prices: Counter[int] = Counter()
        for offer, nodes, replicas in places:
            if replicas:
                for price, count in offer.prices(asked, replicas, index, unit):
                    prices[price] += count * nodes
        lost = 0
        for price, count in sorted(prices.items()):
            bought = min(count, budget // price)
            lost, budget = lost + bought, budget - bought * price
        return lost

    def without_hit_nodes(self, offers: Offers, order: Sequence[str]) -> Counter[Offer] | None:
        """Return what is left of every kind of node in the worst case; None when any number of nodes may be hit.

        A pod without cards may take cpu and memory anywhere, so the number of pods does not bound where these count.
        """
        takes_others = any(self.total.get(name) for name in order if not is_card_resource(name))
        if self.pods is None or takes_others or not _are_unplaced_cards_whole(offers, order):
            return None
        return Counter({offer: nodes - self.pods for offer, nodes in offers.items() if nodes > self.pods})


def _most_unplaced_together(jobs: Sequence[JobGroup], limits: Amounts) -> Amounts:
    """Return the most that any of the jobs take of each resource which fit into the limits together."""
    if len(jobs) > _MOST_TRIED:
        return limits
    most: Amounts = {}

    def add(index: int, taken: Amounts) -> None:
        for name, amount in taken.items():
            most[name] = max(amount, most.get(name, 0))
        for later in range(index, len(jobs)):
            both = dict(taken)
            add_amounts(both, jobs[later].amounts)
            # A resource without a known limit holds no set of jobs back.
            if all(amount <= limits.get(name, amount) for name, amount in both.items()):
                add(later + 1, both)

    add(0, {})
    return most


def _are_unplaced_cards_whole(offers: Offers, order: Sequence[str]) -> bool:
    """Return whether all cards on offer are whole ones."""
    cards = [index for index, name in enumerate(order) if is_card_resource(name)]
    return all(offer.free[index] % _CARD == 0 for offer in offers for index in cards)


def _most_places_unplaced_can_take(places: Iterable[Places], most: int) -> int:
    """Return the places on the ``most`` nodes that have the most of them."""
    total = 0
    for value, count in sorted([(here.replicas, here.nodes) for here in places], reverse=True):
        taken = min(count, most)
        total, most = total + value * taken, most - taken
    return total
