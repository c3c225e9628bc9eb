# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jobs hold on the nodes that they show, and what of it must be on others.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    ON_EVERY_NODE,
    Amounts,
    add_amounts,
    amounts_from_numbers,
    amounts_to_numbers,
    canonical_amounts,
    card_resources_for,
    is_card_resource,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import MOST_RESOURCES

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import HeldOnNode, NodeFacts, UnplacedGroup

# Amounts of one job that are told apart. No real job has as many, and a document made up to have many resources on
# thousands of nodes would cost their product.
_MOST_AMOUNTS = 20_000

Shares = t.Mapping[str, tuple[Amounts, t.AbstractSet[str]]]
"""What a job tells of each of its addresses: amounts, and what of them cannot be read."""

_NOT_TOLD: tuple[Amounts, t.AbstractSet[str]] = {}, frozenset("*")


@dataclass
class _HeldOnAddress:
    """What ``jobs`` hold on one address, see HeldOnAddresses.on(); ``told`` is what of it stands in a share of one."""

    jobs: int = 0
    held: Amounts = field(default_factory=dict)
    told: Amounts = field(default_factory=dict)
    unsplit: Amounts = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    def add_held(self, amounts: Amounts, *, is_told: bool = False) -> None:
        add_amounts(self.held, amounts)
        if is_told:
            add_amounts(self.told, amounts)
        self._bound()

    def add_unsplit(self, amounts: Amounts) -> None:
        add_amounts(self.unsplit, amounts)
        self._bound()

    def _bound(self) -> None:
        """Take more resources than any node has for what cannot be read."""
        if len(self.held) > MOST_RESOURCES or len(self.unsplit) > MOST_RESOURCES:
            # All is unknown in place of some: dropping single resources would make room of them.
            self.held, self.told, self.unsplit = {}, {}, {}
            self.unread = {"*"}

    def beyond(self, sizes: Amounts, named: Collection[str]) -> Amounts:
        """Return what is held beyond all that the node has, and so on nodes that the jobs do not show yet.

        ``named`` are the resources that any node has. What this node does not name is there where a job tells so, or
        where it may be one of its cards under another name.
        """
        beyond = {}
        for name, amount in self.held.items():
            if name in sizes:
                placed = sizes[name]
            elif name not in named and card_resources_for(name, sizes):
                # As another card's name it can be where that card is not held under its own name.
                placed = sum(max(0, sizes[one] - self.held.get(one, 0)) for one in card_resources_for(name, sizes))
            else:
                # A node that does not name the resource has it only as far as a job says so.
                placed = self.told.get(name, 0)
            if amount > placed:
                beyond[name] = amount - placed
        return beyond

    def elsewhere(self, sizes: Amounts, named: Collection[str]) -> Amounts:
        """Return what is held on nodes that the jobs do not show, or may be: what cards prove to be there has cores."""
        beyond = self.beyond(sizes, named)
        # Of several jobs, each of which may fit there, it is not told which one does not.
        if self.jobs > 1 or not any(map(is_card_resource, beyond)):
            return beyond
        # How much of them is with these cards is told by shares alone.
        untold = {name: amount - self.told.get(name, 0) for name, amount in self.held.items() if name in ON_EVERY_NODE}
        return {**{name: amount for name, amount in untold.items() if amount > 0}, **beyond}


class HeldOnAddresses:
    """What jobs hold on each address that they show, added job by job."""

    def __init__(self) -> None:
        self._hosts: dict[str, _HeldOnAddress] = {}
        self._facts: dict[str, HeldOnNode] = {}
        self._unsplit: list[tuple[Sequence[str], Amounts]] = []
        self._not_shown: list[UnplacedGroup] = []

    def add_alone(self, host: str, total: Amounts) -> None:
        """Add a job on one node that tells nothing else of it than its requirement."""
        there = self._hosts.setdefault(host, _HeldOnAddress())
        there.jobs += 1
        there.add_held(total)

    def add(self, hosts: Sequence[str], total: Amounts, unread: Sequence[str], shares: Shares) -> None:
        """Add what a job holds to each address that it shows, by its split over them and by its requirement.

        What the requirement has beyond the readable shares is on the nodes without one. Is that a single node, it is
        known as well; of several, each may hold all of it. Where each has a share, it is on nodes that do not show.
        """
        on = [self._hosts.setdefault(host, _HeldOnAddress()) for host in hosts]
        for there in on:
            there.jobs += 1
        names = {*total, *unread, *(name for amounts, _unread in shares.values() for name in amounts)}
        if "*" in unread:
            names.update(ON_EVERY_NODE)
        # The product: many resources on many nodes cost it in time, and in memory for each node.
        if len(names) > MOST_RESOURCES or len(names) * len(hosts) > _MOST_AMOUNTS:
            self._not_shown.append({"count": 1, "resources": {}, "unread": ["*"]})
            for there in on:
                there.unread.add("*")
            return
        unsplit: dict[tuple[str, ...], Amounts] = {}
        not_shown: Amounts = {}
        not_shown_unread: set[str] = set()
        for name in names:
            without = []
            rest = total.get(name, 0)
            for host, there in zip(hosts, on):
                amounts, unread_there = shares.get(host, _NOT_TOLD)
                if name in amounts:
                    there.add_held({name: amounts[name]}, is_told=True)
                    rest -= amounts[name]
                # Every pod has some cores and memory, so a share without these does not tell them.
                if "*" in unread_there or name in unread_there or (name in ON_EVERY_NODE and name not in amounts):
                    without.append(host)
            # Where the requirement is not known, neither is the rest that is on nodes without a share.
            if name in unread or "*" in unread:
                for host in without:
                    self._hosts[host].unread.add(name)
                # What it has beyond its shares may be anywhere.
                if not without:
                    not_shown_unread.add(name)
            elif rest > 0 and without:
                # The nodes without a share have the rest together, and how it is split is not told.
                unsplit.setdefault(tuple(without), {})[name] = rest
            elif rest > 0:
                # Every node that the job shows tells its share, so the rest is on nodes that do not show yet.
                not_shown[name] = rest
        if any(map(is_card_resource, not_shown)):
            # Nodes with more of its cards have some of its cores and memory; how much is told by shares alone.
            for together in unsplit.values():
                not_shown.update({name: rest for name, rest in together.items() if name in ON_EVERY_NODE})
        if not_shown or not_shown_unread:
            beyond = amounts_to_numbers(not_shown)
            self._not_shown.append({"count": 1, "resources": beyond, "unread": sorted(not_shown_unread)})
        for over, together in unsplit.items():
            if len(over) == 1:
                self._hosts[over[0]].add_held(together)
                continue
            self._unsplit.append((over, together))
            for host in over:
                self._hosts[host].add_unsplit(together)

    def on(self, address: str) -> HeldOnNode:
        """Return what jobs hold on a node: ``{resources, unsplit, unread}``, whatever the status of those jobs.

        ``resources`` is surely there. ``unsplit`` may be there beside it, of jobs that show several nodes and not what
        they have on each. ``unread`` are the resources of which a job there holds what cannot be read (``"*"``: all).
        """
        # Made once: a list may give one address any number of times.
        if address not in self._facts:
            on = self._hosts.get(address, _HeldOnAddress())
            held: HeldOnNode = {
                "resources": amounts_to_numbers(on.held),
                "unsplit": amounts_to_numbers(on.unsplit),
                "unread": sorted(on.unread),
            }
            self._facts[address] = held
        return self._facts[address]

    def elsewhere(self, sizes: Mapping[str, Amounts]) -> list[UnplacedGroup]:
        """Return what jobs hold on nodes that they do not show, and on addresses that no listed node has.

        ``sizes`` is what the node of each listed address has. A job is on the nodes that it shows as far as it fits on
        them. One whose size is not known holds nothing for certain, so all of it may be elsewhere.
        """
        named = {name for size in sizes.values() for name in size}
        groups = list(self._not_shown)
        for host, on in self._hosts.items():
            size = sizes.get(host)
            amounts = on.held if size is None else on.elsewhere(size, named)
            unread = sorted(on.unread) if size is None else []
            if amounts or unread:
                groups.append({"count": 1, "resources": amounts_to_numbers(amounts), "unread": unread})
        for hosts, together in self._unsplit:
            known = [sizes[host] for host in hosts if host in sizes]
            beyond = together
            # A node of unknown size may hold nothing, so only with all sizes something is certain to be there.
            if len(known) == len(hosts):
                beyond = {
                    name: amount - sum(_most_held_on(size, name, named) for size in known)
                    for name, amount in together.items()
                }
            beyond = {name: amount for name, amount in beyond.items() if amount > 0}
            if beyond:
                groups.append({"count": 1, "resources": amounts_to_numbers(beyond), "unread": []})
        return groups


def sizes_of_held_addresses(nodes: Sequence[NodeFacts], addresses: Iterable[str]) -> dict[str, Amounts]:
    """Return what the node of each address has, without what it has none of.

    Of a size that cannot be read it has at least what it shows as free. A second address of one node has nothing.
    """
    # A job may show the second address of a node, whose amounts must not count twice.
    sizes: dict[str, Amounts] = {address: {} for address in addresses}
    known: dict[object, Amounts] = {}  # nodes that are alike share their amounts, as they are many
    for node in nodes:
        if node["private_ip"]:
            size = node["resources"] or node["free"] or {}
            if node["unreadable"] and node["free"]:
                unread = {one["resource"] for one in node["unreadable"]}
                size = {**{name: of for name, of in node["free"].items() if name in unread}, **size}
            key = tuple(size.items())
            if key not in known:
                # The smaller of two spellings: only the amount that is certain keeps the rest of a job off other nodes.
                amounts = canonical_amounts(amounts_from_numbers(size), min)
                known[key] = {name: amount for name, amount in amounts.items() if amount}
            sizes[node["private_ip"]] = known[key]
    return sizes


def _most_held_on(size: Amounts, resource: str, named: Collection[str]) -> int:
    """Return how much of a resource a node can have, under another name, too, where no node names it."""
    if resource in size or resource in named:
        return size.get(resource, 0)
    return sum(size[one] for one in card_resources_for(resource, size))
