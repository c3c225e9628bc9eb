# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is free on a node: what its entry shows, less what jobs hold there.

What could not be read stays apart from what is there: ``unread`` are names of resources, ``"*"`` stands for all.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from itertools import repeat

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    ON_EVERY_NODE,
    Amounts,
    add_amounts,
    is_card_resource,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import CANNOT_BE_READ
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import (
    PLACES_NOT_KNOWN,
    CardGroups,
    Cards,
    NodeCards,
    card_places_of_flavor,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import NodeKind, Offer

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

Names = frozenset[str]
NO_NAMES: Names = frozenset()
EVERYTHING: Names = frozenset("*")


def has_vendor(resource: str) -> bool:
    """Return whether it is a card, and not one of the things that Kubernetes itself counts on a node, like pods."""
    return "/" in resource and is_card_resource(resource)


def is_unread(unread: Collection[str], resources: Iterable[str]) -> bool:
    """Return whether one of the resources is among those that could not be read."""
    return bool(unread) and ("*" in unread or any(resource in unread for resource in resources))


class Held(t.NamedTuple):
    """What jobs hold on a node: ``certain``, at most ``possible`` beside that, and of ``unread`` an unknown amount.

    ``unsplit`` are the resources of jobs that do not tell how much they have on each of their nodes.
    """

    certain: Amounts
    possible: Amounts
    unread: Names
    unsplit: Names = frozenset()

    def on(self, resources: Amounts) -> Held:
        """Return it with cards of which the node has none, or less than is held, as possibly any of those that it has.

        A card has several names, of which jobs and nodes may use different ones.
        """
        # The part that the node has is held under this name; only the rest must be of another one.
        strange = 0
        for name, amount in self.certain.items():
            if amount > resources.get(name, 0) and is_card_resource(name):
                strange += amount - resources.get(name, 0)
        for name, amount in self.possible.items():
            if amount and not resources.get(name) and is_card_resource(name):
                strange += amount
        # An unread amount of a card that the node does not name may be any of its cards.
        hides = bool(self.unread) and any(
            is_card_resource(name) and not resources.get(name) for name in self.unread - EVERYTHING
        )
        if not strange and not hides:
            return self
        cards = [name for name, amount in resources.items() if amount and is_card_resource(name)]
        possible = dict(self.possible)
        for name in cards:
            # A name that is held beyond the node's amount is where the rest comes from, so it cannot be where it is.
            if strange and self.certain.get(name, 0) <= resources[name]:
                possible[name] = possible.get(name, 0) + strange
        return self._replace(possible=possible, unread=self.unread.union(cards if hides else ()))


NOTHING_HELD = Held({}, {}, NO_NAMES)


class Node(t.NamedTuple):
    """A node that the API lists. Its amounts are shared with nodes that are alike, and never changed.

    ``shown`` is what its entry gives as free. The list of jobs is read at another moment, and either may be behind.
    So ``free`` is certain: the smaller of ``shown`` and of what ``held`` leaves. ``at_most`` is what may be free.
    ``cards`` tells which of its Ascend cards these are, as far as that is known.
    """

    name: str | None
    kind: NodeKind
    unusable: str | None
    leaving: bool
    address: str | None
    jobs: int | None
    resources: Amounts
    unread_resources: Names
    shown: Amounts
    unread_shown: Names
    held: Held
    free: Amounts
    unread_free: Names
    at_most: Amounts
    is_short: bool = False
    cards: NodeCards | None = None
    supernode: str | None = None

    @property
    def flavor(self) -> str | None:
        return self.kind.flavor

    def weighed(self) -> Node:
        """Return the node with what is free by its entry and by the jobs there. Before, that is what it shows."""
        if not self.has_to_be_weighed:
            return self
        has, shown, held = self.resources, self.shown, self.held
        # A free amount of what the node has none of contradicts itself, so neither is known. Where only the size cannot
        # be read, the node has at least what it shows.
        contradicted = frozenset(
            name for name in shown.keys() - has.keys() if shown[name] and not is_unread(self.unread_resources, (name,))
        )
        free: Amounts = {}
        at_most: Amounts = {}
        for name in {**shown, **has}:
            if name in contradicted:
                continue
            amount = shown.get(name, 0)
            left = max(0, has.get(name, amount) - held.certain.get(name, 0))
            # A resource that the entry leaves out may be free as far as jobs allow, and no amount of it is certain.
            if name not in shown:
                at_most[name] = left
                continue
            at_most[name] = min(amount, left) if name in has else amount
            if not (held.unread and is_unread(held.unread, (name,))):
                # The possible comes off the amount that jobs leave: the amount that is shown may lack it already.
                free[name] = min(amount, max(0, left - held.possible.get(name, 0)))
        unread_free = self.unread_shown | contradicted | held.unread
        if contradicted:
            return self._replace(
                unread_resources=self.unread_resources | contradicted,
                free=free,
                unread_free=unread_free,
                at_most=at_most,
            )
        return Node._make((*self[:_FREE], free, unread_free, at_most, *self[_FREE + 3 :]))

    @property
    def has_to_be_weighed(self) -> bool:
        """Whether what is free, or may be, is not just what it shows."""
        if self.unread_shown or self.held.possible or self.held.unread:
            return True
        has, held = self.resources, self.held.certain
        # More free than it has beside what jobs hold there.
        # A list, which for three resources takes half the time of any(): there may be ten thousand nodes.
        return bool([name for name, amount in self.shown.items() if amount > has.get(name, 0) - held.get(name, 0)])

    def taken(self, resource: str) -> int:
        """Return how much of a resource its entry shows as taken; nothing where it does not tell."""
        has = self.resources.get(resource, 0)
        return has - self.shown.get(resource, has)

    def is_behind(self, services: Amounts | None = None) -> bool:
        """Return whether its entry does not show all that jobs hold there, beside services that take so much.

        A size that cannot be read does not tell.
        """
        has, shown, beside = self.resources, self.shown, services or {}
        behind = [
            name
            for name, of in self.held.certain.items()
            if name in has and shown.get(name, 0) > has[name] - of - (beside.get(name, 0) if of else 0)
        ]
        return bool(behind)

    def beside(self, services: Amounts) -> Node:
        """Return the node where its own services may take so much beside the jobs."""
        possible = dict(services)
        add_amounts(possible, self.held.possible)
        held = Held(self.held.certain, possible, self.held.unread, self.held.unsplit)
        return Node._make((*self[:_HELD], held, *self[_HELD + 1 :]))

    def without(self, amounts: Mapping[str, int], own_cards: int | None = None) -> Node:
        """Return the node when a job that holds these amounts on it has gone. It never offers more than it has.

        What comes back on a node whose size cannot be read is only possible: the entry may be older than the job.
        ``own_cards`` are the numbers of the job's cards as bits, where they are known.
        """
        shown, certain = dict(self.shown), dict(self.held.certain)
        unsized: Amounts = {}
        # An entry that does not show all that jobs hold may be of a moment without this one.
        is_behind = self.is_behind()
        for resource, amount in amounts.items():
            certain[resource] = max(0, certain.get(resource, 0) - amount)
            returned = 0 if is_behind else amount
            if is_unread(self.unread_shown, (resource,)):
                continue
            if resource in self.resources:
                shown[resource] = min(self.shown.get(resource, 0) + returned, self.resources[resource])
            elif is_unread(self.unread_resources, (resource,)):
                # Without a size there is no bound that keeps the amount from growing above what the node has.
                unsized[resource] = amount
        left = self._replace(
            jobs=None if self.jobs is None else max(0, self.jobs - 1),
            shown=shown,
            held=self.held._replace(certain=certain),
            free=shown,
            unread_free=self.unread_shown,
            at_most=shown,
            cards=self.cards and self.cards.with_back(-(-amounts.get(self.cards.resource, 0) // 1000), own_cards),
        ).weighed()
        if not unsized:
            return left
        possible = {resource: left.at_most.get(resource, 0) + amount for resource, amount in unsized.items()}
        return left._replace(at_most={**left.at_most, **possible})

    @property
    def unbounded(self) -> Names:
        """The resources of which neither the free amount nor the most that it may be could be read."""
        if "*" in self.unread_free:
            return self.unread_resources
        return self.unread_free if "*" in self.unread_resources else self.unread_free & self.unread_resources

    @property
    def may_take_work(self) -> bool:
        """Whether it takes work, or it cannot be told: then it is no room for a deployment, and may be for others."""
        # The facts give the reason in words, and these are the words for a reason that could not be read.
        return self.unusable is None or self.unusable.endswith((CANNOT_BE_READ, f"{CANNOT_BE_READ})", "phase unknown"))

    @property
    def is_idle(self) -> bool | None:
        """Whether the whole node is idle: no job shows its address, and only the node's own services take something.

        These are taken to need at most half of cpu and memory, and no card. A node that is short of cards which
        others of its flavor have is not whole.
        """
        # The jobs first, as most nodes have some, and counting what is taken takes longer.
        if self.is_short or self.jobs:
            return False
        is_known = self.jobs is not None and not self.unread_free and not self.unread_resources
        for resource, amount in self.resources.items():
            free = self.free.get(resource)
            # What Kubernetes itself counts on a node, like pods, its own services take some of, too.
            if free is None or not (has_vendor(resource) or resource in ON_EVERY_NODE):
                continue
            # Half of cores and memory is a guess, not tried on a real pool; services use no cards.
            if free < amount if has_vendor(resource) else 2 * free < amount:
                return False
        return True if is_known else None

    def offer(self, order: Sequence[str], by_policy: CardGroups, *, whole: bool) -> Offer:
        """Return what the node certainly offers of the resources in ``order``, by what the policy says of its cards.

        Whether it is idle only matters where ``whole`` nodes are asked for.
        """
        # Without a comprehension, which takes twice the time: this runs for each of ten thousand nodes.
        amounts = tuple(map(self.free.get, order, repeat(0)))
        if self.cards is None:
            return Offer(amounts, self.kind, whole and self.is_idle is True)
        is_idle = whole and self.is_idle is True and self.cards.shows_all_free
        cards = Cards.of(self.cards, self.kind.flavor, by_policy, order, amounts, is_hopeful=False)
        return Offer(amounts, self.kind, is_idle, cards)

    def best_offer(self, order: Sequence[str], by_policy: CardGroups, *, whole: bool) -> Offer | None:
        """Return the most that the node may offer, and idle if it may be; None when not even that is known."""
        if self.unread_free and is_unread(self.unbounded, order):
            return None
        amounts = tuple(map(self.at_most.get, order, repeat(0)))
        if self.cards is None:
            return Offer(amounts, self.kind, whole and self.is_idle is not False)
        is_idle = whole and self.is_idle is not False and self.cards.shows_all_free
        cards = Cards.of(self.cards, self.kind.flavor, by_policy, order, amounts, is_hopeful=True)
        return Offer(amounts, self.kind, is_idle, cards)

    @property
    def is_told(self) -> bool:
        """Whether all that may be free on it, but for its cards, is free for certain, and so is whether it is idle."""
        return self.at_most is self.free and not (self.unread_free or self.unread_resources) and self.jobs is not None

    def empty_offer(self, order: Sequence[str]) -> Offer:
        """Return what the node takes beside its own services at present, were all of its jobs gone."""
        taken = (max(0, self.resources.get(name, 0) - self.free.get(name, 0)) for name in order)
        return Offer(tuple(taken), self.kind, False)


# The part of a node by which the services of two nodes of a flavor may differ, beside being twice as much on one of
# them. A guess, not tried on a real pool: some pods of the cluster itself run on one node only.
_SPARE = 10

# Building a node from these on is faster than _replace(), which looks fields up.
_HELD = Node._fields.index("held")
_FREE = Node._fields.index("free")  # here the results of weighing begin


def services_of_node(nodes: Iterable[Node]) -> Amounts:
    """Return the most that a node's own services take.

    It stands in no document, and is taken to be about the same on every node: no more than each of them shows as taken.
    """
    # A node that takes no work may run repairs, which are none of the services of the others.
    tables = [(node.resources, node.shown) for node in nodes if node.unusable is None]
    most: Amounts = {}
    for name in ON_EVERY_NODE:
        taken = [has[name] - shown[name] for has, shown in tables if name in has and name in shown]
        if taken:
            most[name] = max(0, min(taken))
    return most


def alike_nodes(nodes: Sequence[Node]) -> list[tuple[Node, int]]:
    """Return (one of the nodes whose sizes are alike, how many these are). They share their amounts."""
    # By identity, as comparing the tables of ten thousand nodes takes longer than all that follows.
    return nodes_counted_by(
        nodes, lambda node: (id(node.resources), node.kind, node.unread_resources, node.is_short, node.leaving)
    )


def nodes_counted_by(nodes: Iterable[Node], key: Callable[[Node], object]) -> list[tuple[Node, int]]:
    """Return (the first of the nodes that have the same key, how many these are)."""
    first_of: dict[object, Node] = {}
    counts: dict[object, int] = {}
    for node in nodes:
        found = key(node)
        if found in counts:
            counts[found] += 1
        else:
            counts[found], first_of[found] = 1, node
    return list(zip(first_of.values(), counts.values()))


def nodes_made_for_as_many_cards(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes, those with Ascend cards made for as many as any node of their flavor, or as its name tells.

    Broken cards keep their places: of eight cards in two rings, four that are left are no ring.
    """
    places: dict[str | None, int] = {}
    for node in nodes:
        if node.cards is not None and node.cards.places != PLACES_NOT_KNOWN:
            known = places.get(node.flavor) or card_places_of_flavor(node.flavor)
            places[node.flavor] = max(known, node.cards.places)
    if not places:
        return list(nodes)
    return [
        node
        if node.cards is None or node.cards.places >= places.get(node.flavor, 0)
        else node._replace(cards=node.cards.made_for(places[node.flavor]))
        for node in nodes
    ]


def nodes_with_shortages(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes, those marked that are short of cards for which they are made, or which others of them have."""
    sizes = {(node.kind, id(node.resources), node.unread_resources): node for node in nodes}
    most: dict[str | None, Amounts] = {}
    for node in sizes.values():
        for name, amount in node.resources.items():
            if has_vendor(name):
                of_flavor = most.setdefault(node.flavor, {})
                of_flavor[name] = max(amount, of_flavor.get(name, 0))
    short = {size for size, node in sizes.items() if _is_node_short(node, most.get(node.flavor, {}))}
    if not short:
        return list(nodes)
    return [
        node._replace(is_short=True) if (node.kind, id(node.resources), node.unread_resources) in short else node
        for node in nodes
    ]


def nodes_that_may_have_jobs(nodes: Sequence[Node]) -> Sequence[Node]:
    """Return the nodes; whether a job is on one that has far more taken than services explain is not known.

    Its entry may be newer than the list of jobs. Other nodes of its flavor tell what services take there.
    """
    # Most nodes have jobs or little taken, and of their flavors nothing has to be known.
    flavors = {
        node.flavor
        for node in nodes
        if node.jobs == 0 and any(node.taken(name) * _SPARE > node.resources.get(name, 0) for name in ON_EVERY_NODE)
    }
    if not flavors:
        return nodes
    least: dict[tuple[str | None, str], int] = {}
    for node in nodes:
        if node.unusable is None and node.flavor in flavors:
            for name in ON_EVERY_NODE:
                taken = max(0, node.taken(name) - node.held.certain.get(name, 0))
                key = node.flavor, name
                least[key] = min(taken, least.get(key, taken))

    def has_more_taken(node: Node) -> bool:
        return any(
            node.taken(name) > 2 * least.get((node.flavor, name), 0) + node.resources.get(name, 0) // _SPARE
            for name in ON_EVERY_NODE
        )

    return [node._replace(jobs=None) if node.jobs == 0 and has_more_taken(node) else node for node in nodes]


def _is_node_short(node: Node, most: Amounts) -> bool:
    has, unread, cards = node.resources, node.unread_resources, node.cards
    if cards is not None and cards.resource in has and has[cards.resource] < cards.places * 1000:
        return True
    # A size that cannot be read is no shortage, and counts as not known already.
    return any(
        has.get(name, 0) < amount and (name in has or not is_unread(unread, (name,))) for name, amount in most.items()
    )


def weigh_nodes(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes weighed; of those whose entry is older than the jobs there, their own services are taken off.

    An entry that shows less as taken than jobs hold may show its services alone. One that shows as much may hide a
    small job behind them, where another entry tells how much they take.
    """
    # A node that is behind shows too much, or does not show something at all: most others need no second look.
    changed = {index for index, node in enumerate(nodes) if node.has_to_be_weighed}
    behind = {index for index in changed if nodes[index].is_behind()}
    services = {name: amount for name, amount in services_of_node(nodes).items() if amount}
    # An entry without the jobs there shows the services alone. Without any, the least that is taken may be a job's.
    is_told = services and (behind or any(node.unusable is None and not any(node.held) for node in nodes))
    weighed = list(nodes)
    for index, node in enumerate(nodes):
        if index in behind or (is_told and node.is_behind(services)):
            weighed[index] = node.beside(services).weighed()
        elif index in changed:
            weighed[index] = node.weighed()
    return weighed
