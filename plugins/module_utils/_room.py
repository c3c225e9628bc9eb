# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool can still take: facts of nodes, metrics and jobs -> exact amounts. Pure.

What could not be read stays apart from what is there: ``unread`` are names of resources, ``"*"`` stands for all.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._placement import Need, Slot
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add,
    canonical,
    counts_bytes,
    merge_spellings,
    parse,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Facts = dict[str, t.Any]
Names = frozenset[str]

_LEAVING_PHASE = "Deleting"
_ON_EVERY_NODE = ("cpu", "memory")
_METRIC_WINDOWS = 5
_DEFAULT_WINDOW = 60


def is_card(resource: str) -> bool:
    """Whether the resource is an accelerator: neither cores nor bytes."""
    return resource != "cpu" and not counts_bytes(resource)


def is_unread(unread: Iterable[str], resources: Iterable[str]) -> bool:
    """Whether one of the resources is among those that could not be read."""
    names = set(unread)
    return bool(names) and ("*" in names or not names.isdisjoint(resources))


@dataclass
class Node:
    """A node that the API lists. ``empty`` is None when it is not known whether a job is on it."""

    flavor: str | None
    unusable: str | None
    leaving: bool
    address: str | None
    resources: Amounts
    unread_resources: Names
    free: Amounts
    unread_free: Names
    jobs: int | None

    @property
    def empty(self) -> bool | None:
        """Whether the whole node is idle: no job shows its address, and all its cards are free."""
        cards = {resource: amount for resource, amount in self.resources.items() if is_card(resource)}
        if any(self.free.get(resource, 0) < amount for resource, amount in cards.items()):
            return False
        return None if self.jobs is None else self.jobs == 0

    def slot(self, order: Sequence[str], *, amounts: Amounts | None = None, hopeful: bool = False) -> Slot | None:
        """What the node offers of the resources in ``order``; None when that could not be read.

        With ``hopeful`` the best that it may offer: all it has of what could not be read, and empty if it may be.
        """
        if is_unread(self.unread_free, order):
            if not hopeful or is_unread(self.unread_resources, order):
                return None
            amounts = self.resources
        offered = self.free if amounts is None else amounts
        empty = self.empty is not False if hopeful else self.empty is True
        return Slot(tuple(offered.get(resource, 0) for resource in order), self.flavor, empty)


def read_nodes(facts: Sequence[Facts]) -> list[Node]:
    """The nodes of an entry of ``pools``."""
    known: dict[t.Any, tuple[Amounts, Names]] = {}

    def amounts(numbers: Mapping[str, t.Any] | None, unreadable: Iterable[Facts]) -> tuple[Amounts, Names]:
        named = frozenset(canonical(what["resource"]) for what in unreadable)
        if numbers is None:
            return {}, frozenset("*")
        key = tuple(numbers.items())
        if key not in known:
            read, unread = read_numbers(numbers)
            known[key] = merge_spellings(read, min), unread | {name for name in _ON_EVERY_NODE if name not in numbers}
        read, unread = known[key]
        return dict(read), unread | named

    nodes = []
    for fact in facts:
        resources, unread_resources = amounts(fact["resources"], fact["unreadable"])
        free, unread_free = amounts(fact["free"], fact["unreadable"])
        nodes.append(
            Node(
                flavor=fact["flavor"],
                unusable=fact["unusable"],
                leaving=fact["phase"] == _LEAVING_PHASE,
                address=fact["private_ip"],
                resources=resources,
                unread_resources=unread_resources,
                free=free,
                unread_free=unread_free | (frozenset(resources) - frozenset(free)),
                jobs=fact["jobs"],
            )
        )
    return nodes


def read_numbers(numbers: Mapping[str, t.Any] | None) -> tuple[Amounts, Names]:
    """(amounts of facts in cores, bytes and cards, what could not be read)."""
    amounts: Amounts = {}
    unread = set()
    for resource, value in (numbers or {}).items():
        try:
            amounts[resource] = parse(resource, value)
        except UnreadableQuantityError:
            unread.add(canonical(resource))
    return amounts, frozenset(unread)


@dataclass
class Room:
    """What one source tells: ``free`` is surely idle of ``usable``, ``hoped`` may be. ``age`` is in seconds.

    A resource that is not in ``free`` is not known, unless the source ``lists_all``: then there is none of it.
    """

    source: str
    age: float
    usable: Amounts
    free: Amounts
    hoped: Amounts
    lists_all: bool
    notes: list[str] = field(default_factory=list)

    def take_smaller(self, other: Room, said: Callable[[str, int], str]) -> None:
        """Where the other source contradicts this one, the smaller counts."""
        for resource, free in other.free.items():
            name = canonical(resource)
            mine = self.free.get(name)
            if mine is not None and free < mine:
                seen = f"{other.source} show {said(name, free)} free, {self.source} {said(name, mine)}"
                self.notes.append(f"{seen}: the smaller counts")
                self.free[name] = free
                self.hoped[name] = min(free, self.hoped.get(name, free))


def room_on_nodes(nodes: Iterable[Node], age: float) -> Room:
    """The sums over the nodes that can take work."""
    room = Room("nodes", age, {}, {}, {}, lists_all=True)
    for node in nodes:
        if node.unusable is not None:
            continue
        add(room.usable, node.resources)
        add(room.free, node.free)
        unknown = {r: amount for r, amount in node.resources.items() if is_unread(node.unread_free, (r,))}
        add(room.hoped, {**node.free, **unknown})
    return room


def why_no_metrics(metrics: Facts | None, age: float, said: Callable[[float], str]) -> str:
    """Why the runtime metrics do not count; empty when they do. Stale is what is older than five of their windows."""
    if not metrics:
        return "the API has none for this pool"
    if metrics["age_seconds"] is None:
        return "their time cannot be read: not used"
    limit = _METRIC_WINDOWS * (metrics["window_seconds"] or _DEFAULT_WINDOW)
    old = metrics["age_seconds"] + age
    if old > limit:
        return f"{said(old)} old, limit {said(limit)}: not used"
    if metrics["capacity"] is None or metrics["allocated"] is None:
        return "not readable: not used"
    return ""


def room_of_metrics(metrics: Facts, held: Facts | None, age: float) -> Room:
    """What the runtime metrics tell. Jobs that started after they were taken are in the list of jobs only."""
    capacity, _unread = read_numbers(metrics["capacity"])
    allocated, _unread = read_numbers(metrics["allocated"])
    by_jobs, _unread = read_numbers((held or {}).get("resources"))
    free = {
        resource: max(0, amount - max(allocated[resource], by_jobs.get(resource, 0)))
        for resource, amount in capacity.items()
        if resource in allocated
    }
    return Room("metrics", metrics["age_seconds"] + age, capacity, free, dict(free), lists_all=False)


def room_declared(declared: Amounts, held: Facts | None, age: float) -> Room:
    """A capacity that the caller declares, less what the jobs hold. What jobs hold unreadably is not known."""
    by_jobs, unread = read_numbers((held or {}).get("resources"))
    unread |= frozenset((held or {"unread": "*"})["unread"])
    free = {
        resource: max(0, amount - by_jobs.get(resource, 0))
        for resource, amount in declared.items()
        if not is_unread(unread, (resource,))
    }
    return Room("declared capacity", age, dict(declared), free, dict(declared), lists_all=False)


def largest_of_flavor(nodes: Iterable[Node], flavor: str | None) -> Amounts | None:
    """What the largest listed node of a flavor has; None when none is listed that could be read."""
    largest: Amounts = {}
    for node in nodes:
        if node.flavor == flavor and not node.unread_resources:
            for resource, amount in node.resources.items():
                largest[resource] = max(amount, largest.get(resource, 0))
    return largest or None


def whole_pool(
    nodes: Sequence[Node], flavors: Sequence[Facts]
) -> Counter[tuple[str | None, tuple[tuple[str, int], ...]]] | None:
    """Every node that the pool is meant to have, empty: counts of (flavor, amounts). None when a size is not known.

    These are the listed nodes, whatever their state, and those that the counts of the pool's spec promise beyond.
    """
    staying = [node for node in nodes if not node.leaving]
    promised = Counter(node.flavor for node in staying if node.unread_resources)
    listed = Counter(node.flavor for node in staying)
    for flavor in flavors:
        missing = max(flavor["count"] or 0, flavor["max_count"] or 0) - listed[flavor["flavor"]]
        promised[flavor["flavor"]] += max(0, missing)
    pool = Counter((n.flavor, tuple(n.resources.items())) for n in staying if not n.unread_resources)
    for name, count in promised.items():
        if count:
            shape = largest_of_flavor(nodes, name)
            if shape is None:
                return None
            pool[(name, tuple(shape.items()))] += count
    return pool


@dataclass
class Unplaced:
    """Resources that jobs take on nodes which nobody knows yet, in ``pieces`` of at most ``piece`` each.

    How a job is split is not in the API: a piece is taken to have one card, or one core when the job has no cards.
    """

    total: Amounts
    piece: Amounts
    pieces: int
    unread: Names

    @classmethod
    def of(cls, groups: Iterable[Facts]) -> Unplaced:
        """Of ``[{count, resources, unread}]``."""
        unplaced = cls({}, {}, 0, frozenset())
        for group in groups:
            amounts, unread = read_numbers(group["resources"])
            unplaced.unread |= unread | frozenset(group["unread"])
            cards = sum(amount for resource, amount in amounts.items() if is_card(resource))
            parts = max(1, -(-(cards or amounts.get("cpu", 0)) // 1000))
            unplaced.pieces += parts * group["count"]
            add(unplaced.total, {resource: amount * group["count"] for resource, amount in amounts.items()})
            for resource, amount in amounts.items():
                unplaced.piece[resource] = max(unplaced.piece.get(resource, 0), -(-amount // parts))
        return unplaced

    def damage(self, need: Need, order: Sequence[str]) -> int:
        """The most places for replicas that the pieces can take, wherever they land."""
        if need.amounts is None:
            return self.pieces
        pairs = [(self.piece.get(resource, 0), asked) for resource, asked in zip(order, need.amounts) if asked]
        return self.pieces * max(-(-piece // asked) for piece, asked in pairs)


@dataclass
class GivenBack:
    """What a job gives back on each of its nodes when the deployment ends ``replicas`` of it; None means all of it.

    When not all of it is given back, nobody knows which replicas go: one a node is assumed, and the least useful.
    """

    shares: list[tuple[Node, Amounts]] = field(default_factory=list)
    replicas: int | None = None

    @property
    def is_partial(self) -> bool:
        return self.replicas is not None and self.replicas < len(self.shares)

    def credit_nodes(self) -> None:
        """Adds what is given back to the free amounts of the nodes, when all of it is."""
        for node, amounts in self.shares:
            add(node.free, amounts)
            node.jobs = None if node.jobs is None else max(0, node.jobs - 1)

    def surely(self) -> Amounts:
        """What is given back on nodes that can take work, whichever replicas go."""
        usable = [amounts for node, amounts in self.shares if node.unusable is None]
        replicas = len(self.shares) if self.replicas is None else min(self.replicas, len(self.shares))
        count = max(0, replicas - (len(self.shares) - len(usable)))
        names = {resource for amounts in usable for resource in amounts}
        return {name: sum(sorted(amounts.get(name, 0) for amounts in usable)[:count]) for name in names}

    def places(self, need: Need, order: Sequence[str]) -> int:
        """How many more replicas fit when a part is given back, whichever replicas go."""
        gains = []
        for node, amounts in self.shares:
            before = node.slot(order)
            if node.unusable is not None or before is None:
                gains.append(0)
                continue
            after = dict(node.free)
            add(after, amounts)
            raised = t.cast(Slot, node.slot(order, amounts=after))
            gains.append(max(0, need.fits(raised)) - max(0, need.fits(before)))
        return sum(sorted(gains)[: self.replicas])


def split_over_nodes(job: Facts) -> dict[str, Amounts] | None:
    """What a job of ``placements`` has on each address; None when that is not known."""
    if job["nodes"]:
        split: dict[str, Amounts] = {}
        for node in job["nodes"]:
            amounts, unread = read_numbers(node["resources"])
            if unread or not amounts or not node["host_ip"]:
                return None
            add(split.setdefault(node["host_ip"], {}), merge_spellings(amounts))
        return split if set(split) >= set(job["host_ips"]) else None
    if len(job["host_ips"]) == 1 and not job["unread"]:
        return {job["host_ips"][0]: merge_spellings(read_numbers(job["resources"])[0])}
    return None
