# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pool can still take, as one source tells it: its nodes, its runtime metrics, or a declared capacity.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    add_amounts,
    card_resources_like,
    format_amount,
    sum_of_amounts,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import (
    EVERYTHING,
    Names,
    Node,
    is_unread,
    nodes_counted_by,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import label

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import JobsHold, Metrics


@dataclass(frozen=True)
class Room:
    """What one source tells: ``free`` is certainly idle of ``usable``, ``at_most`` may be. ``age`` is in seconds.

    A resource that is not in ``free`` is not known, unless the source ``lists_all``: then there is none of it. Of the
    resources in ``unbounded`` not even the most that there may be is known.
    """

    source: str
    age: float
    usable: Amounts
    free: Amounts
    at_most: Amounts
    lists_all: bool = False
    unbounded: Names = frozenset()
    notes: tuple[str, ...] = ()

    @classmethod
    def on_nodes(cls, nodes: Iterable[Node], age: float) -> Room:
        """Return the sums over the nodes that can take work."""
        serving = [node for node in nodes if node.unusable is None]
        usable = sum_of_amounts([node.resources for node in serving if not node.unread_resources])
        free = sum_of_amounts([node.free for node in serving])
        may_be_free: Amounts = {}
        unbounded: set[str] = set()
        for node in serving:
            if node.unread_resources:
                # Where a size cannot be read, the most that may be free stands in for it.
                add_amounts(usable, {**node.at_most, **node.resources})
            if node.at_most is not node.free:
                add_amounts(
                    may_be_free, {name: amount - node.free.get(name, 0) for name, amount in node.at_most.items()}
                )
            if node.unread_free:
                unbounded |= node.unbounded
        add_amounts(may_be_free, free)
        return cls("nodes", age, usable, free, may_be_free, lists_all=True, unbounded=frozenset(unbounded))

    @classmethod
    def for_others(cls, nodes: Iterable[Node]) -> Room:
        """Return the most that jobs may find which start before the deployment is there.

        Entries of nodes and the list of jobs may each be behind, so on each node it is the larger of what its entry
        shows and of what listed jobs leave, also where it cannot be told whether the node takes work.
        """
        usable: Amounts = {}
        unsized: Amounts = {}
        left: Amounts = {}
        unbounded: set[str] = set()
        serving = [node for node in nodes if node.may_take_work]
        # Nodes of one size on which jobs hold the same share these tables: of ten thousand a few hundred differ.
        for node, count in nodes_counted_by(serving, lambda node: (id(node.resources), id(node.held))):
            add_amounts(usable, {name: amount * count for name, amount in node.resources.items()})
            # A node gives no more than it has: what is held beyond that is held elsewhere.
            held = node.held.certain
            add_amounts(left, {name: max(0, of - held.get(name, 0)) * count for name, of in node.resources.items()})
        for node in serving:
            # Weighing makes a new table where an entry shows more than jobs leave, so identity tells the others.
            if node.at_most is not node.shown:
                held, shown = node.held.certain, node.shown
                more = {
                    name: min(of, shown.get(name, 0)) - max(0, of - held.get(name, 0))
                    for name, of in node.resources.items()
                }
                add_amounts(left, {name: amount for name, amount in more.items() if amount > 0})
            if not node.shown.keys() <= node.resources.keys():
                add_amounts(unsized, {name: of for name, of in node.shown.items() if name not in node.resources})
            if node.unread_resources:
                unbounded |= node.unread_resources
        add_amounts(usable, unsized)
        return cls("nodes", 0, usable, {}, left, unbounded=frozenset(unbounded))

    @classmethod
    def of_capacity_for_others(cls, capacity: Amounts, jobs: JobsHold, allocated: Amounts | None = None) -> Room:
        """Return the same of a capacity without nodes, of which metrics may show so much as ``allocated``."""
        held = jobs.amounts
        if allocated is not None:
            held = {name: min(amount, allocated.get(name, amount)) for name, amount in held.items()}
        left = {name: max(0, amount - held.get(name, 0)) for name, amount in capacity.items()}
        unbounded = jobs.unread if jobs.are_read else EVERYTHING
        return cls("capacity", 0, capacity, {}, left, unbounded=unbounded)

    @classmethod
    def of_metrics(cls, metrics: Metrics, jobs: JobsHold, unplaced: Amounts, age: float, *, alone: bool) -> Room:
        """Return what the runtime metrics tell. Jobs that started after them are in the list of jobs only.

        What cannot be read in one place still bounds what nodes show, and is no room where metrics stand ``alone``.
        Metrics do not know of ``unplaced`` jobs either, which are left for the caller to take off.
        """
        placed = _held_in_room(jobs.amounts, unplaced)
        # Metrics may count work that is not in the list, like the services of nodes. That stays beside jobs that have
        # started since; where nodes show them, too, the larger counts.
        since = jobs.since_metrics if alone else {}
        used = {
            name: max(amount + since.get(name, 0), placed.get(name, 0)) for name, amount in metrics.allocated.items()
        }
        free = {name: max(0, amount - used[name]) for name, amount in metrics.capacity.items() if name in used}
        unread: Names = frozenset()
        if alone:
            unread = metrics.unreadable | (jobs.unread if jobs.are_read else frozenset())
            unread |= _hidden_by_names_in_room(jobs, metrics.capacity)
        # What the newer table ``available`` leaves out (standbys, broken nodes) is not documented: the smaller counts.
        free = {
            name: min(amount, metrics.available.get(name, amount))
            for name, amount in free.items()
            if not is_unread(unread, (name,))
        }
        # Within the tolerance a time may be ahead of the clock; a negative age would make the facts younger.
        return cls("metrics", max(0, metrics.age_seconds or 0) + age, metrics.capacity, free, free)

    @classmethod
    def declared(cls, declared: Amounts, jobs: JobsHold, unplaced: Amounts, age: float) -> Room:
        """Return a capacity that the caller declares, less what the jobs hold; ``unplaced`` jobs are left on."""
        placed = _held_in_room(jobs.amounts, unplaced)
        # A card that a job holds under another name would leave the declared one free in full.
        unread = jobs.unread | _hidden_by_names_in_room(jobs, declared)
        free = {
            name: max(0, amount - placed.get(name, 0))
            for name, amount in declared.items()
            if not is_unread(unread, (name,))
        }
        return cls("declared", age, declared, free, free)

    def may_take(self, amounts: Mapping[str, int], taken: Mapping[str, int]) -> bool:
        """Return whether a job of these amounts may find room beside what is taken by then.

        What the source does not tell holds up nothing.
        """
        return not any(
            amount + taken.get(resource, 0) > self.at_most.get(resource, 0)
            for resource, amount in amounts.items()
            if resource in self.usable and not is_unread(self.unbounded, (resource,))
        )

    def plus(self, amounts: Mapping[str, int]) -> Room:
        """Return the room with amounts that are given back in it."""
        free, at_most = dict(self.free), dict(self.at_most)
        add_amounts(free, amounts)
        add_amounts(at_most, amounts)
        return _changed_room(self, free, at_most, self.notes)

    def without_bound_of(self, names: Names) -> Room:
        """Return the room of which it is not known how much of these resources there may be."""
        return replace(self, unbounded=self.unbounded | names) if names else self

    def bounded_by(self, other: Room) -> Room:
        """Return this room; where the other source contradicts it, the smaller amount counts."""
        free, at_most, notes = dict(self.free), dict(self.at_most), list(self.notes)
        for name, amount in other.free.items():
            mine = self.free.get(name)
            # A name that only one source has bounds nothing: metrics mask the names of cards (ShowPoolRuntimeMetrics).
            if mine is not None and amount < mine:
                seen = f"{other.source} show {label(name)} {format_amount(name, amount)} free, "
                notes.append(f"{seen}{self.source} {label(name)} {format_amount(name, mine)}: the smaller counts")
                free[name] = amount
                at_most[name] = min(amount, at_most.get(name, amount))
        return _changed_room(self, free, at_most, tuple(notes))


def _changed_room(room: Room, free: Amounts, at_most: Amounts, notes: tuple[str, ...]) -> Room:
    return Room(room.source, room.age, room.usable, free, at_most, room.lists_all, room.unbounded, notes)


def _hidden_by_names_in_room(jobs: JobsHold, known: Amounts) -> Names:
    """Return the known cards that jobs may hold under another name, which is not known or has less."""
    strange = [name for name, amount in jobs.amounts.items() if amount > known.get(name, 0)]
    strange += [name for name in jobs.unread if not known.get(name)]
    return frozenset(one for name in strange for one in card_resources_like(name, {**known, name: 0}))


def _held_in_room(amounts: Mapping[str, int], taken: Mapping[str, int]) -> Amounts:
    return {name: max(0, amount - taken.get(name, 0)) for name, amount in amounts.items()}
