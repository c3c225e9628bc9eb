# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cards of an Ascend node replicas can get: pure arithmetic over groups of cards.

Cards lie in groups of n, counted from card 1. A replica of at most n cards gets all of them from one group; a larger
one takes groups that are wholly free. Where n is the number of cards, any free ones do.

This plugin util is private to the collection. Sources: the topology-aware scheduling of Huawei's Cloud Container
Engine, and MindCluster. Not tried on a real pool.
"""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import MOST_CARDS

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Groups = tuple[int, ...]
"""How many cards are free in each group, the most first."""

# A 910 has two HCCS rings of four cards (CCE); a 910C has pairs of dies (MindCluster).
RING, PAIR = 4, 2

HYPERINSTANCE = "hyperinstance"
"""The type of a batch of nodes that is a supernode; with 16 cards its nodes are taken for 910C."""

_CACHED = 65536  # more kinds of nodes than pools have; the bound is for documents that were made up
_FLAVORS = 1024  # names can be long, and pools have a few


class Hardware(t.NamedTuple):
    """A family of nodes, by the name that pages print. ``group`` is the n of its rule; None is all cards."""

    name: str
    group: int | None


# None where any free cards do: the star of a 910B, the full mesh of a 950, chips that CCE only counts on a 310.
ASCEND_910 = Hardware("910", RING)
ASCEND_910B = Hardware("910B", None)
ASCEND_910C = Hardware("910C", PAIR)
ASCEND_950 = Hardware("950", None)
ASCEND_310 = Hardware("310", None)

# What the names of flavors tell, the first that matches: snt9b23 is a 910C, and looks like a 910B.
_BY_FLAVOR = (
    (re.compile(r"snt9b23|snt9c"), ASCEND_910C),
    (re.compile(r"[0-9]snt9b[0-9]|910b"), ASCEND_910B),
    (re.compile(r"kat1|snt9\."), ASCEND_910),
    (re.compile(r"\.a5(?![0-9a-z])"), ASCEND_950),
    (re.compile(r"snt3"), ASCEND_310),
)

PLACES_NOT_KNOWN = MOST_CARDS + 1
"""Of a node whose number of cards cannot be read: more than any has, so of its hardware nothing is known."""

# As in modelarts.bm.npu.arm.8snt9b3. Of nodes with fewer, no public name is known.
_CARDS_OF_FLAVOR = re.compile(r"(?<![0-9])(8|16)snt9")

# What n may be where neither the flavor nor the policy tells, beside all cards. Nodes of 8 cards are 910 or 910B, and
# half a 910C has pairs; those of 16 are 910C, or the 910B with two rings of eight.
_MAY_BE = {4: (PAIR,), 8: (PAIR, RING), 16: (PAIR, 8)}


@lru_cache(maxsize=_FLAVORS)
def card_places_of_flavor(flavor: str | None) -> int:
    """Return for how many cards a node is made by the name of its flavor; 0 when that does not tell."""
    found = _CARDS_OF_FLAVOR.search((flavor or "").lower())
    return int(found[1]) if found else 0


@lru_cache(maxsize=_FLAVORS)
def card_hardware_of(flavor: str | None) -> Hardware | None:
    """Return the hardware of a node by the name of its flavor; None when that does not tell."""
    name = (flavor or "").lower()
    return next((hardware for pattern, hardware in _BY_FLAVOR if pattern.search(name)), None)


class CardGroups(t.NamedTuple):
    """What a policy says of flavors whose names do not tell their hardware: pairs of flavor and n."""

    by_flavor: tuple[tuple[str, int], ...] = ()

    def of(self, flavor: str | None) -> int | None:
        return dict(self.by_flavor).get(flavor or "")


NO_CARD_GROUPS = CardGroups()


@lru_cache(maxsize=_FLAVORS)
def card_rules_of(flavor: str | None, places: int, batch_type: str | None, by_policy: CardGroups) -> tuple[int, ...]:
    """Return every n that may hold on a node made for so many cards: one where it is known, none where nothing is."""
    hardware = card_hardware_of(flavor)
    given = by_policy.of(flavor)
    if places > MOST_CARDS:
        return ()  # no node that is known has as many
    # A 910B with 16 cards is a Box16, of which little is known.
    if hardware is not None and (hardware, places) != (ASCEND_910B, MOST_CARDS):
        return (min(hardware.group or places, places),)
    if given is not None:
        # A group of more cards than the node has is the whole node.
        return (min(given, places),)
    if places == MOST_CARDS and batch_type == HYPERINSTANCE:
        return (PAIR,)  # inferred: what is sold as a supernode with 16 cards is a 910C
    # For a Box16 without a policy both readings stay possible: two rings of eight, or any cards.
    return (*_MAY_BE.get(places, ()), places) if hardware is None else (8, places)


def offers_card_size(rule: int, places: int, size: int) -> bool:
    """Return whether hardware with groups of n gives a replica so many cards."""
    # One card and all cards need no rule, so they are known where the hardware is not.
    if size in (1, places) or rule >= places:
        return size <= places
    if rule == RING:
        # MindCluster offers 1, 2, 4 and 8 on rings. Three free cards of a ring are no place for a replica of three.
        return size in (2, 4, 8)
    return size <= rule or (size % rule == 0 and rule < 8)  # of rings of 8, a part of each: not known


def card_sizes_of(rules: Iterable[int], places: int) -> list[int]:
    """Return the sizes that are offered under each of the rules."""
    rules = list(rules)
    return [size for size in range(1, places + 1) if all(offers_card_size(rule, places, size) for rule in rules)]


class NodeCards(t.NamedTuple):
    """The Ascend cards of a node, which is made for ``places`` of them.

    ``shown`` are the numbers of those that its text shows as free, as bits, None without a text. ``back`` is how many
    come free beside them, of which it is not known which they are, as of the ``lost`` that are not free after all.
    """

    resource: str
    places: int
    shown: int | None
    batch_type: str | None = None
    back: int = 0
    lost: int = 0

    def made_for(self, places: int) -> NodeCards:
        """Return them on a node that is made for more cards, of which some are broken: at which places is not known."""
        return self if places <= self.places else self._replace(places=places, shown=None)

    def with_back(self, count: int, own: int | None) -> NodeCards:
        """Return them when a job has gone that had so many; ``own`` are the bits of its cards, None if not known."""
        if self.shown is None:
            return self
        if own is not None:
            return self._replace(shown=self.shown | own)
        return self._replace(back=min(self.places, self.back + count))

    @property
    def shows_all_free(self) -> bool:
        # Without a text the amounts alone tell whether a node is idle, as on one without Ascend cards.
        return self.shown is None or self.shown == 2**self.places - 1


@lru_cache(maxsize=_CACHED)
def card_groups_of(shown: int | None, places: int, rule: int) -> Groups:
    """Return how many of each group a text shows as free; without a text all may be."""
    # The last group is smaller where the number of cards is no multiple of n.
    starts = range(0, places, rule)
    if shown is None:
        return tuple(sorted((min(rule, places - start) for start in starts), reverse=True))
    free = ((shown >> start) % 2 ** min(rule, places - start) for start in starts)
    return tuple(sorted((bin(bits).count("1") for bits in free), reverse=True))


class Cards(t.NamedTuple):
    """The cards that a node offers: ``free`` of them, in ``groups`` for each of the ``rules`` that may hold.

    ``at`` is where cards stand among the amounts of the problem, and ``taken`` are the sizes of the replicas that have
    been placed there. Where something is not known, it tells what fits surely, and with ``is_hopeful`` what may fit.
    """

    at: int
    places: int
    rules: tuple[int, ...]
    groups: tuple[Groups, ...]
    back: int
    free: int
    is_hopeful: bool
    taken: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        cards: NodeCards,
        flavor: str | None,
        by_policy: CardGroups,
        order: Sequence[str],
        amounts: Sequence[int],
        *,
        is_hopeful: bool,
    ) -> Cards | None:
        """Return the cards among amounts in that order; None where no cards of their name are in it."""
        if cards.resource not in order:
            return None
        at = order.index(cards.resource)
        rules = card_rules_of(flavor, cards.places, cards.batch_type, by_policy)
        free = amounts[at] // 1000
        if cards.shown is not None and not is_hopeful and any(rule < cards.places for rule in rules):
            # Cards that jobs show as taken may be missing in the amounts, and the lost ones beside them.
            free = max(0, min(free, bin(cards.shown).count("1") + cards.back - cards.lost))
        return _cards_of(cards.shown, cards.places, cards.back, rules, at, free, is_hopeful)

    def fits(self, amount: int) -> int:
        """Return how many replicas find cards that ask for so many thousandths of one."""
        size, part = divmod(amount, 1000)
        # No document has parts of Ascend cards, so they never fit for certain.
        if part:
            return self._by_count(amount) if self.is_hopeful else 0
        if size == 1:
            return self._by_count(amount)
        # Of hardware that is not known, only all cards of an empty node are certain.
        if not self.rules:
            is_all = size == self.places and self.free == size and not self.taken
            return self._by_count(amount) if self.is_hopeful else int(is_all)
        # Any of the rules may hold: certain is what fits under each of them.
        found = [self.fits_by(rule, size) for rule in self.rules]
        return max(found) if self.is_hopeful else min(found)

    def fits_by(self, rule: int, size: int) -> int:
        """Return how many replicas of so many cards fit under one of the rules."""
        if not offers_card_size(rule, self.places, size):
            return self._by_count(size * 1000) if self.is_hopeful else 0
        groups = self.groups[self.rules.index(rule)]
        taken: list[int] = []
        for one in self.taken:
            # What is only hoped for may be given any cards.
            taken += [one] if offers_card_size(rule, self.places, one) else [1] * one
        found = _fits_in_card_groups(groups, rule, self.back, self.free, tuple(sorted(taken, reverse=True)), size)
        return found[1] if self.is_hopeful else found[0]

    def take(self, amount: int, replicas: int) -> Cards:
        """Return what is left when so many replicas have got their cards."""
        if not amount:
            return self
        if amount % 1000:
            # Only hoped for, and so are its cards.
            return self._replace(free=max(0, self.free - -(-amount * replicas // 1000)))
        return self._replace(taken=tuple(sorted((*self.taken, *[amount // 1000] * replicas), reverse=True)))

    def prices(self, amount: int) -> list[int]:
        """Return what it costs others to take each place for a replica, in cards, the cheapest way first."""
        size = amount // 1000
        worlds = _card_arrangements(self.groups[0], self.rules[0], self.back, self.free) if len(self.rules) == 1 else ()
        if len(worlds) != 1 or self.taken:
            return [1] * self.fits(amount)  # a card is of one group, and takes one place at most
        (groups,) = worlds
        rule = self.rules[0]
        if size % min(rule, size):
            return [1]  # all cards of a node whose last group is smaller
        if size > rule:
            whole, of_each = groups.count(rule), size // rule
            # One card spoils a whole group. The groups that are left over go first, and one more costs a place.
            return [whole % of_each + 1, *[of_each] * (whole // of_each - 1)]
        # The cards that a group has left over go first, and one more costs a place.
        prices: list[int] = []
        for free in groups:
            prices += [free % size + 1, *[size] * (free // size - 1)] if free >= size else []
        return prices

    @property
    def is_certain(self) -> bool:
        """Whether both the rule and the free cards are known."""
        if len(self.rules) != 1:
            return False
        return len(_card_arrangements(self.groups[0], self.rules[0], self.back, self.free)) == 1

    def _by_count(self, amount: int) -> int:
        # The text and the amounts may each be behind, so neither counts for more than the other shows.
        known = min(self.free, max((sum(groups) for groups in self.groups), default=self.free) + self.back)
        return max(0, known - sum(self.taken)) * 1000 // amount


@lru_cache(maxsize=_CACHED)
def _cards_of(
    shown: int | None, places: int, back: int, rules: tuple[int, ...], at: int, free: int, is_hopeful: bool
) -> Cards:
    groups = tuple(card_groups_of(shown, places, rule) for rule in rules)
    return Cards(at, places, rules, groups, 0 if shown is None else back, min(free, places), is_hopeful)


@lru_cache(maxsize=_CACHED)
def replicas_on_cards(cards: Cards, amount: int) -> int:
    """Return how many replicas find cards: nodes are many, and what their cards look like is one of a few ways."""
    return cards.fits(amount)


@lru_cache(maxsize=_CACHED)
def _fits_in_card_groups(groups: Groups, rule: int, back: int, free: int, taken: Groups, size: int) -> tuple[int, int]:
    """Return how many replicas fit (surely, at best)."""
    # Every arrangement that agrees with the documents may be the real one: the worst is certain, the best is hope.
    found = {_most_in_card_groups(world, rule, taken, size) for world in _card_arrangements(groups, rule, back, free)}
    return min(found), max(found)


@lru_cache(maxsize=_CACHED)
def _card_arrangements(groups: Groups, rule: int, back: int, free: int) -> frozenset[Groups]:
    """Return every way in which so many cards may be free.

    ``groups`` is what a text shows. Fewer than are said to be free: the text counts. More: some of them are broken, or
    taken since. Of the cards that come ``back``, each may be in any group that has room.
    """
    # In a single group it does not matter which cards are free.
    if len(groups) == 1:
        return frozenset([(min(groups[0] + back, rule, free),)])
    # A step that no arrangement allows is left out ("or worlds"): without any arrangement there would be no minimum.
    worlds = {groups}
    for _card in range(back):
        worlds = {one for world in worlds for one in _with_cards_changed(world, 1, rule)} or worlds
    for _card in range(sum(groups) + back - free):
        worlds = {one for world in worlds for one in _with_cards_changed(world, -1, rule)} or worlds
    return frozenset(worlds)


def _with_cards_changed(world: Groups, by: int, rule: int) -> Iterable[Groups]:
    # Equal groups give equal arrangements, and sorting keeps those few.
    for free in set(world):
        if 0 <= free + by <= rule:
            rest = list(world)
            rest.remove(free)
            yield tuple(sorted((*rest, free + by), reverse=True))


@lru_cache(maxsize=_CACHED)
def _most_in_card_groups(groups: Groups, rule: int, taken: Groups, size: int) -> int:
    """Return how many replicas of a size fit beside those that are there."""
    most = 0
    # Counting up ends soon: a node with rules has at most MOST_CARDS cards.
    while (most + 1) * size + sum(taken) <= sum(groups):
        if not _packs_into_card_groups(groups, rule, tuple(sorted((*taken, *[size] * (most + 1)), reverse=True))):
            break
        most += 1
    return most


@lru_cache(maxsize=_CACHED)
def _packs_into_card_groups(groups: Groups, rule: int, sizes: Groups) -> bool:
    """Return whether replicas of these sizes, the largest first, find their cards together."""
    if not sizes:
        return True
    size = sizes[0]
    if size > rule:
        if size % rule:
            return sum(groups) == size  # all cards of a node whose last group is smaller
        # Groups are sorted, so those that are wholly free stand first.
        whole = size // rule
        return groups.count(rule) >= whole and _packs_into_card_groups(groups[whole:], rule, sizes[1:])
    if size == 1:
        return sum(groups) >= len(sizes)
    for index, free in enumerate(groups):
        # Of groups with equally many free cards one is tried: the others lead to the same.
        if free >= size and (not index or groups[index - 1] != free):
            left = tuple(sorted((*groups[:index], free - size, *groups[index + 1 :]), reverse=True))
            if _packs_into_card_groups(left, rule, sizes[1:]):
                return True
    return False


def choose_cards(shown: Iterable[int], rule: int, sizes: Iterable[int]) -> list[list[int]] | None:
    """Return the numbers of the cards that replicas of these sizes get, of those that are free; None when none do.

    Each takes the group that it fills best, as the scheduler prefers it.
    """
    by_group: dict[int, list[int]] = {}
    for number in sorted(shown):
        by_group.setdefault((number - 1) // rule, []).append(number)
    chosen: list[list[int]] = []
    # The largest first: a small one could break up the group that a large one needs whole.
    for size in sorted(sizes, reverse=True):
        if size > rule:
            whole = [group for group in by_group.values() if len(group) == rule][: size // rule]
            mine = [number for group in whole for number in group]
            if len(mine) < size:
                return None
        else:
            useful = [group for group in by_group.values() if len(group) >= size]
            if not useful:
                return None
            mine = min(useful, key=len)[:size]
        chosen.append(mine)
        by_group = {key: [one for one in group if one not in mine] for key, group in by_group.items()}
    return chosen
