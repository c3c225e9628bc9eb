# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool can still take: facts of nodes, metrics and jobs -> exact amounts. Pure.

What could not be read stays apart from what is there: ``unread`` are names of resources, ``"*"`` stands for all.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add,
    canonical,
    counts_bytes,
    merge_spellings,
    parse,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import CLOCK_TOLERANCE
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._placement import Need, Slot

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

Facts = dict[str, t.Any]
Names = frozenset[str]

_LEAVING_PHASE = "Deleting"
_ON_EVERY_NODE = ("cpu", "memory")
_METRIC_WINDOWS = 5
_DEFAULT_WINDOW = 60


def is_card(resource: str) -> bool:
    """Whether the resource is an accelerator: neither cores nor bytes."""
    return resource != "cpu" and not counts_bytes(resource)


def is_unread(unread: Collection[str], resources: Iterable[str]) -> bool:
    """Whether one of the resources is among those that could not be read."""
    return bool(unread) and ("*" in unread or any(resource in unread for resource in resources))


class Held(t.NamedTuple):
    """What jobs hold on a node: ``surely``, at most beside that ``perhaps``, and of ``unread`` nobody can tell."""

    surely: Amounts
    perhaps: Amounts
    unread: Names


_NOTHING_HELD = Held({}, {}, frozenset())


class Node(t.NamedTuple):
    """A node that the API lists. Its amounts are shared with nodes that are alike, and never changed.

    ``shown`` is what its entry gives as free. The list of jobs is read at another moment, and either may be behind, so
    ``free`` is the smaller of that and of what ``held`` leaves: it is surely free. ``hoped`` is what may be free.
    """

    flavor: str | None
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
    hoped: Amounts
    is_short: bool = False

    def weighed(self) -> Node:
        """The same node, with what is free on it by its entry and by the jobs there. So far that is what it shows."""
        if not (self.unread_shown or self.held.perhaps or self.held.unread or self.shows_too_much):
            return self
        # A free amount of what the node has none of contradicts itself, so neither is known. Where only the size cannot
        # be read, the node has at least what it shows.
        nowhere = frozenset(
            resource
            for resource, amount in self.shown.items()
            if amount and resource not in self.resources and not is_unread(self.unread_resources, (resource,))
        )
        free: Amounts = {}
        hoped: Amounts = {}
        for resource in {**self.shown, **self.resources}:
            amount = self.shown.get(resource, 0)
            left = max(0, self.resources.get(resource, amount) - self.held.surely.get(resource, 0))
            if resource in nowhere:
                continue
            if resource not in self.shown:
                hoped[resource] = left
                continue
            hoped[resource] = min(amount, left) if resource in self.resources else amount
            if not is_unread(self.held.unread, (resource,)):
                free[resource] = min(amount, max(0, left - self.held.perhaps.get(resource, 0)))
        return self._replace(
            unread_resources=self.unread_resources | nowhere,
            free=free,
            unread_free=self.unread_shown | nowhere | self.held.unread,
            hoped=hoped,
        )

    @property
    def shows_too_much(self) -> bool:
        """Whether it shows more as free than it has beside what jobs hold there."""
        has, held = self.resources, self.held.surely
        # A list, which for three resources takes half the time of any(): there may be ten thousand nodes.
        return bool([name for name, amount in self.shown.items() if amount > has.get(name, 0) - held.get(name, 0)])

    @property
    def is_behind(self) -> bool:
        """Whether its entry does not show all that jobs hold there. Where its size cannot be read, nobody can tell."""
        has, shown = self.resources, self.shown
        return any(shown.get(name, 0) > has[name] - held for name, held in self.held.surely.items() if name in has)

    def beside(self, services: Amounts) -> Node:
        """The same node where its own services may take so much beside the jobs."""
        perhaps = dict(services)
        add(perhaps, self.held.perhaps)
        return self._replace(held=self.held._replace(perhaps=perhaps)).weighed()

    def without(self, amounts: Mapping[str, int]) -> Node:
        """The same node when a job that holds these amounts on it has gone. It never offers more than it has.

        What comes back on a node whose size cannot be read is hoped for: the entry may be older than the job.
        """
        shown, surely = dict(self.shown), dict(self.held.surely)
        unsized: Amounts = {}
        for resource, amount in amounts.items():
            surely[resource] = max(0, surely.get(resource, 0) - amount)
            if is_unread(self.unread_shown, (resource,)):
                continue
            if resource in self.resources:
                shown[resource] = min(self.shown.get(resource, 0) + amount, self.resources[resource])
            elif is_unread(self.unread_resources, (resource,)):
                unsized[resource] = amount
        left = self._replace(
            jobs=None if self.jobs is None else max(0, self.jobs - 1),
            shown=shown,
            held=self.held._replace(surely=surely),
            free=shown,
            unread_free=self.unread_shown,
            hoped=shown,
        ).weighed()
        if not unsized:
            return left
        return left._replace(
            hoped={**left.hoped, **{r: left.hoped.get(r, 0) + amount for r, amount in unsized.items()}}
        )

    @property
    def unbounded(self) -> Names:
        """The resources of which neither the free amount nor the most that it may be could be read."""
        if "*" in self.unread_free:
            return self.unread_resources
        return self.unread_free if "*" in self.unread_resources else self.unread_free & self.unread_resources

    @property
    def empty(self) -> bool | None:
        """Whether the whole node is idle: no job shows its address, and only the node's own services take something.

        These are taken to need less than half of cpu and memory, and no card. A node that is short of cards which
        others of its flavor have is not whole.
        """
        if self.is_short:
            return False
        known = self.jobs is not None and not self.unread_free
        for resource, amount in self.resources.items():
            free = self.free.get(resource)
            if free is not None and (free < amount if is_card(resource) else 2 * free < amount):
                return False
        if self.jobs:
            return False
        return True if known else None

    def slot(self, order: Sequence[str], *, whole: bool, hopeful: bool = False) -> Slot | None:
        """What the node surely offers of the resources in ``order``.

        With ``hopeful`` the best that it may offer, and empty if it may be; None when not even that is known. Whether
        it is empty only matters where ``whole`` nodes are asked for.
        """
        empty = whole and (self.empty is not False if hopeful else self.empty is True)
        if hopeful and self.unread_free and is_unread(self.unbounded, order):
            return None
        offered = self.hoped if hopeful else self.free
        return Slot(tuple(offered.get(resource, 0) for resource in order), self.flavor, empty)


def read_nodes(facts: Sequence[Facts]) -> list[Node]:
    """The nodes of an entry of ``pools``."""
    known: dict[t.Any, tuple[Amounts, Names]] = {}
    known_held: dict[t.Any, Held] = {}

    def amounts(numbers: Mapping[str, t.Any] | None) -> tuple[Amounts, Names]:
        if not numbers:
            return {}, frozenset("*")
        key = tuple(numbers.items())
        if key not in known:
            read, unread = read_numbers(numbers, down=True)
            known[key] = merge_spellings(read, min), unread | {name for name in _ON_EVERY_NODE if name not in numbers}
        return known[key]

    def held_of(held: Facts | None) -> Held:
        if not held:
            return _NOTHING_HELD
        key: tuple[t.Any, ...] = tuple(held["resources"].items())
        if held["unsplit"] or held["unread"]:
            key = key, tuple(held["unsplit"].items()), tuple(held["unread"])
        if key not in known_held:
            surely, unread = read_numbers(held["resources"])
            perhaps, unread_perhaps = read_numbers(held["unsplit"])
            known_held[key] = Held(surely, perhaps, unread | unread_perhaps | frozenset(held["unread"]))
        return known_held[key]

    nodes = []
    for fact in facts:
        resources, unread_resources = amounts(fact["resources"])
        shown, unread_shown = amounts(fact["free"])
        if fact["unreadable"]:
            unreadable = frozenset(canonical(what["resource"]) for what in fact["unreadable"])
            unread_resources |= unreadable - resources.keys()
            unread_shown |= unreadable - shown.keys()
        unread_resources |= _may_come(fact, resources)
        if resources.keys() != shown.keys():
            unread_shown |= resources.keys() - shown.keys()
        node = Node(
            fact["flavor"],
            fact["unusable"],
            fact["phase"] == _LEAVING_PHASE,
            fact["private_ip"],
            fact["jobs"],
            resources,
            unread_resources,
            shown,
            unread_shown,
            held_of(fact.get("held")),
            shown,
            unread_shown,
            shown,
        )
        nodes.append(node.weighed())
    cards = _cards_by_flavor(nodes)
    for index, node in enumerate(nodes):
        has, unread = node.resources, node.unread_resources
        most = cards.get(node.flavor, {}).items()
        if any(has.get(n, 0) < of and (n in has or not is_unread(unread, (n,))) for n, of in most):
            nodes[index] = node._replace(is_short=True)
    # An entry that shows less as taken than jobs hold is older than they: what it does show may be its services alone.
    behind = [index for index, node in enumerate(nodes) if node.free is not node.shown and node.is_behind]
    services = _services(nodes) if behind else {}
    for index in behind:
        nodes[index] = nodes[index].beside(services)
    return nodes


def _cards_by_flavor(nodes: Iterable[Node]) -> dict[str | None, Amounts]:
    """The most cards that a node of each flavor has."""
    most: dict[str | None, Amounts] = {}
    for node in nodes:
        for name, amount in node.resources.items():
            if _has_vendor(name):
                of_flavor = most.setdefault(node.flavor, {})
                of_flavor[name] = max(amount, of_flavor.get(name, 0))
    return most


def _may_come(fact: Facts, resources: Amounts) -> Names:
    """Return the resources that a node may have later: it is being created, or shows none of a card just now.

    What such a node will have is not known, so nothing is too large for it for good. A card of which it shows none has
    lost its plugin: a node that never had one does not name it.
    """
    gone = frozenset(name for name, amount in resources.items() if not amount and is_card(name))
    if any(amount and _has_vendor(name) for name, amount in resources.items()):
        return gone
    components = [one for one in (fact["driver"], *fact["plugins"]) if one is not None]
    is_ready = fact["phase"] != "Creating" and all(one["phase"] in (None, "Running") for one in components)
    return gone if is_ready else frozenset("*")


def _has_vendor(resource: str) -> bool:
    """Whether it is a card, and not one of the things that Kubernetes itself counts on a node, like pods."""
    return "/" in resource and is_card(resource)


def _services(nodes: Iterable[Node]) -> Amounts:
    """The most that a node's own services take.

    It stands in no document, and is taken to be about the same on every node: no more than each of them shows as taken.
    """
    most: Amounts = {}
    for node in nodes:
        for name in _ON_EVERY_NODE:
            if node.unusable is None and name in node.shown and name in node.resources:
                taken = max(0, node.resources[name] - node.shown[name])
                most[name] = min(taken, most.get(name, taken))
    return most


def read_numbers(numbers: Mapping[str, t.Any] | None, *, down: bool = False) -> tuple[Amounts, Names]:
    """(amounts of facts in cores, bytes and cards, what could not be read). ``down`` is for what there is."""
    amounts: Amounts = {}
    unread = set()
    for resource, value in (numbers or {}).items():
        try:
            amounts[resource] = parse(resource, value, down=down)
        except UnreadableQuantityError:
            unread.add(canonical(resource))
    return amounts, frozenset(unread)


@dataclass
class Room:
    """What one source tells: ``free`` is surely idle of ``usable``, ``hoped`` may be. ``age`` is in seconds.

    A resource that is not in ``free`` is not known, unless the source ``lists_all``: then there is none of it. Of the
    resources in ``unbounded`` not even the most that there may be is known.
    """

    source: str
    age: float
    usable: Amounts
    free: Amounts
    hoped: Amounts
    lists_all: bool = False
    unbounded: Names = frozenset()
    notes: list[str] = field(default_factory=list)

    def take_smaller(self, other: Room, said: Callable[[str, int], str]) -> None:
        """Where the other source contradicts this one, the smaller counts."""
        for resource, free in other.free.items():
            mine = self.free.get(resource)
            if mine is not None and free < mine:
                seen = f"{other.source} show {said(resource, free)} free, {self.source} {said(resource, mine)}"
                self.notes.append(f"{seen}: the smaller counts")
                self.free[resource] = free
                self.hoped[resource] = min(free, self.hoped.get(resource, free))


def room_on_nodes(nodes: Iterable[Node], age: float) -> Room:
    """The sums over the nodes that can take work."""
    room = Room("nodes", age, {}, {}, {}, lists_all=True)
    may_be_free: Amounts = {}
    unbounded: set[str] = set()
    for node in nodes:
        if node.unusable is not None:
            continue
        add(room.free, node.free)
        add(room.usable, node.resources if not node.unread_resources else {**node.hoped, **node.resources})
        if node.hoped is not node.free:
            add(may_be_free, {r: amount - node.free.get(r, 0) for r, amount in node.hoped.items()})
        if node.unread_free:
            unbounded |= node.unbounded
    room.unbounded = frozenset(unbounded)
    room.hoped = dict(room.free)
    add(room.hoped, may_be_free)
    return room


def why_no_metrics(metrics: Facts | None, age: float, said: Callable[[float], str]) -> str:
    """Why the runtime metrics do not count; empty when they do. Stale is what is older than five of their windows."""
    if not metrics:
        return "the API has none for this pool"
    if metrics["age_seconds"] is None:
        return "their time cannot be read: not used"
    if metrics["age_seconds"] < -CLOCK_TOLERANCE:
        return f"their time is {said(-metrics['age_seconds'])} in the future: not used"
    limit = _METRIC_WINDOWS * (metrics["window_seconds"] or _DEFAULT_WINDOW)
    old = metrics["age_seconds"] + age
    if old > limit:
        return f"{said(old)} old, limit {said(limit)}: not used"
    if metrics["capacity"] is None or metrics["allocated"] is None:
        return "not readable: not used"
    return ""


def room_of_metrics(metrics: Facts, held: Facts | None, unplaced: Unplaced, age: float, *, alone: bool) -> Room:
    """What the runtime metrics tell. Jobs that started after they were taken are in the list of jobs only.

    What cannot be read in one place still bounds what nodes show, and is no room where metrics stand ``alone``.

    Neither do metrics know of ``unplaced`` jobs, which are left for the caller to take off.
    """
    capacity = merge_spellings(read_numbers(metrics["capacity"], down=True)[0], min)
    allocated = merge_spellings(read_numbers(metrics["allocated"])[0])
    placed = _less(read_numbers((held or {}).get("resources"))[0], unplaced.total)
    used = {resource: max(amount, placed.get(resource, 0)) for resource, amount in allocated.items()}
    free = {resource: max(0, amount - used[resource]) for resource, amount in capacity.items() if resource in used}
    # What the newer table ``available`` leaves out (standbys, broken nodes) is not documented: the smaller counts.
    available = merge_spellings(read_numbers(metrics["available"])[0], min)
    unread = {canonical(what["resource"]) for what in metrics["unreadable"]} if alone else set()
    unread |= set(held["unread"]) if alone and held else set()
    free = {
        resource: min(amount, available.get(resource, amount))
        for resource, amount in free.items()
        if not is_unread(unread, (resource,))
    }
    return Room("metrics", max(0, metrics["age_seconds"]) + age, capacity, free, dict(free))


def room_declared(declared: Amounts, held: Facts | None, unplaced: Unplaced, age: float) -> Room:
    """A capacity that the caller declares, less what the jobs hold; ``unplaced`` jobs are left to be taken off."""
    by_jobs, unread = read_numbers((held or {}).get("resources"))
    unread |= frozenset((held or {"unread": "*"})["unread"])
    free = {
        resource: max(0, amount - used)
        for resource, amount in declared.items()
        for used in [_less(by_jobs, unplaced.total).get(resource, 0)]
        if not is_unread(unread, (resource,))
    }
    return Room("declared", age, dict(declared), free, dict(free))


def _less(amounts: Mapping[str, int], taken: Mapping[str, int]) -> Amounts:
    return {resource: max(0, amount - taken.get(resource, 0)) for resource, amount in amounts.items()}


def largest_by_flavor(nodes: Iterable[Node], order: Sequence[str]) -> dict[str | None, Amounts]:
    """What the largest listed node of each flavor has, of those of which all resources in ``order`` could be read."""
    largest: dict[str | None, Amounts] = {}
    for node in nodes:
        if not is_unread(node.unread_resources, order):
            of_flavor = largest.setdefault(node.flavor, {})
            for resource, amount in node.resources.items():
                of_flavor[resource] = max(amount, of_flavor.get(resource, 0))
    return largest


EmptyPool = Counter[tuple[t.Optional[str], tuple[tuple[str, int], ...]]]


def whole_pool(nodes: Sequence[Node], flavors: Sequence[Facts], order: Sequence[str]) -> EmptyPool | None:
    """Every node that the pool is meant to have, empty: counts of (flavor, amounts).

    These are the listed nodes, whatever their state, and those that the counts of the pool's spec promise beyond. None
    when of one of them it is not known how much it has of the resources in ``order``.
    """
    pool: EmptyPool = Counter()
    for node in nodes:
        if not node.leaving and not is_unread(node.unread_resources, order):
            pool[(node.flavor, tuple(node.resources.items()))] += 1
    largest = largest_by_flavor(nodes, order)
    for flavor, count in _not_listed(nodes, flavors, order).items():
        shape = largest.get(flavor)
        if not shape:
            return None
        pool[(flavor, tuple(shape.items()))] += count
    return pool


def most_of_pool(nodes: Sequence[Node], flavors: Sequence[Facts]) -> tuple[Amounts, Names]:
    """(what all those nodes have together, the resources of which that is not known)."""
    total: Amounts = {}
    unread: set[str] = set()
    for node in nodes:
        if not node.leaving:
            add(total, node.resources)
            unread |= node.unread_resources
    largest = largest_by_flavor(nodes, ())
    for flavor, count in _not_listed(nodes, flavors, ()).items():
        shape = largest.get(flavor)
        if not shape:
            unread.add("*")
        add(total, {resource: amount * count for resource, amount in (shape or {}).items()})
    return total, frozenset(unread)


def _not_listed(nodes: Sequence[Node], flavors: Sequence[Facts], order: Sequence[str]) -> Counter[str | None]:
    """How many nodes of each flavor are promised and not listed, or listed without their size."""
    staying = [node for node in nodes if not node.leaving]
    missing = Counter(node.flavor for node in staying if is_unread(node.unread_resources, order))
    listed = Counter(node.flavor for node in staying)
    for flavor in flavors:
        meant = max(flavor["count"] or 0, flavor["max_count"] or 0)
        missing[flavor["flavor"]] += max(0, meant - listed[flavor["flavor"]])
    return +missing


@dataclass
class Unplaced:
    """Resources that jobs take on nodes which nobody knows yet.

    How a job is split is not in the API. ``pods`` bounds the number of nodes that are hit, when it is known: a pod is
    taken to have at least one whole card. None means any number.
    """

    total: Amounts
    pods: int | None
    unread: Names

    @classmethod
    def of(cls, groups: Iterable[Facts]) -> Unplaced:
        """Of ``[{count, resources, unread}]``."""
        unplaced = cls({}, 0, frozenset())
        unreadable: set[str] = set()
        for group in groups:
            amounts, unread = read_numbers(group["resources"])
            unreadable.update(unread, group["unread"])
            add(unplaced.total, {resource: amount * group["count"] for resource, amount in amounts.items()})
            cards = sum(amount for resource, amount in amounts.items() if is_card(resource))
            if unplaced.pods is not None:
                unplaced.pods = unplaced.pods + cards // 1000 * group["count"] if cards and cards % 1000 == 0 else None
        unplaced.unread = frozenset(unreadable)
        return unplaced

    @property
    def is_empty(self) -> bool:
        return not self.total and not self.unread

    def most_lost(self, slots: Mapping[Slot, int], need: Need, order: Sequence[str]) -> int:
        """The most places for replicas that these jobs can take, wherever they land."""
        if self.is_empty:
            return 0
        places = {slot: need.fits(slot) for slot in slots}
        everything = sum(places[slot] * count for slot, count in slots.items())
        if need.amounts is None:
            return everything if self.pods is None else _largest(_by_places(places, slots), self.pods)
        cards = rest = 0
        for index, amount in enumerate(need.amounts):
            if amount and is_card(order[index]):
                cards += self._lost_by(slots, places, index, amount, order[index])
            elif amount:
                rest += self._lost_by(slots, places, index, amount, order[index])
        whole = all(slot.free[i] % 1000 == 0 for slot in slots for i, name in enumerate(order) if is_card(name))
        if self.pods is not None and whole:
            cards = min(cards, _largest(_by_places(places, slots), self.pods))
        return min(everything, cards + rest)

    def _lost_by(
        self, slots: Mapping[Slot, int], places: Mapping[Slot, int], index: int, asked: int, resource: str
    ) -> int:
        """Places that the total of one resource can take: on each node the first costs its slack and a bit more."""
        budget = self.total.get(resource, 0)
        whole = is_card(resource) and all(amount % 1000 == 0 for amount in [budget, *(s.free[index] for s in slots)])
        bit = 1000 if whole else 1
        prices: Counter[int] = Counter()
        for slot, count in slots.items():
            if places[slot] > 0:
                prices[slot.free[index] - places[slot] * asked + bit] += count
                prices[asked] += (places[slot] - 1) * count
        lost = 0
        for price, count in sorted(prices.items()):
            bought = min(count, budget // price)
            lost, budget = lost + bought, budget - bought * price
        return lost

    def without_hit_nodes(self, slots: Mapping[Slot, int], order: Sequence[str]) -> Counter[Slot] | None:
        """What is left of every kind of node in the worst case; None when any number of nodes may be hit.

        A pod without cards may take cpu and memory anywhere, so the number of pods says nothing where these count.
        """
        whole = all(slot.free[i] % 1000 == 0 for slot in slots for i, name in enumerate(order) if is_card(name))
        if self.pods is None or not whole or any(self.total.get(name) for name in order if not is_card(name)):
            return None
        return Counter({slot: count - self.pods for slot, count in slots.items() if count > self.pods})


def _by_places(places: Mapping[Slot, int], slots: Mapping[Slot, int]) -> list[tuple[int, int]]:
    """(places on a node, number of such nodes)."""
    return [(places[slot], count) for slot, count in slots.items()]


def _largest(values: Iterable[tuple[int, int]], most: int) -> int:
    """The sum of the ``most`` largest values, each given with its count."""
    total = 0
    for value, count in sorted(values, reverse=True):
        taken = min(count, most)
        total, most = total + value * taken, most - taken
    return total
