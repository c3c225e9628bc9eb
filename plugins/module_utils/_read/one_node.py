# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node, one entry: a list that gives a node several times counts it once, at its worst.

This module util is private to the collection. Source: ListPoolNodes, whose pages may repeat a node while nodes come
and go.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    add_amounts,
    amounts_from_numbers,
    amounts_to_numbers,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import DRIVER_RUNNING

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import HeldOnNode, NodeFacts, Numbers

_Value = t.TypeVar("_Value")

# What a node has one of, so that two entries that differ tell none.
_ONE_VALUE: tuple[
    t.Literal["flavor", "az", "billing_status", "node_pool", "node_pool_id", "supernode", "cabinet", "server", "batch"],
    ...,
] = ("flavor", "az", "billing_status", "node_pool", "node_pool_id", "supernode", "cabinet", "server", "batch")


def one_entry_for_each_node(nodes: Sequence[NodeFacts]) -> list[NodeFacts]:
    """Return the nodes, those with one name or one address as one entry, in the order of their first.

    A node with neither a name nor an address may be any of the others, and takes no work; nor does one without an
    address where another has no name: they may be one.
    """
    names = [node["name"] for node in nodes if node["name"]]
    addresses = [node["private_ip"] for node in nodes if node["private_ip"]]
    found = list(nodes)
    # The usual list has each node once, and needs no grouping.
    if len(set(names)) != len(names) or len(set(addresses)) != len(addresses):
        found = [
            group[0] if len(group) == 1 else _worst_entry_of_one_node(group) for group in _entries_of_one_node(nodes)
        ]
    is_nameless = any(node["private_ip"] and not node["name"] for node in found)
    return [
        node
        if node["private_ip"] or (node["name"] and not is_nameless)
        else _unusable_entry(node, "no address" if node["name"] else "neither a name nor an address")
        for node in found
    ]


def _entries_of_one_node(nodes: Sequence[NodeFacts]) -> list[list[NodeFacts]]:
    """Return groups of entries, each joined by a name or an address. Each entry is looked at once, whatever repeats."""
    by_key: dict[tuple[str, str], list[int]] = {}
    for index, node in enumerate(nodes):
        for key in _keys_of_one_node(node):
            by_key.setdefault(key, []).append(index)
    groups: list[list[NodeFacts]] = []
    seen: set[int] = set()
    for first in range(len(nodes)):
        if first in seen:
            continue
        seen.add(first)
        group, left = [first], [first]
        while left:
            node = nodes[left.pop()]
            for key in _keys_of_one_node(node):
                # A key is taken when it is followed, so that no key is followed twice.
                found = [index for index in by_key.pop(key, ()) if index not in seen]
                seen.update(found)
                group += found
                left += found
        groups.append([nodes[index] for index in sorted(group)])
    return groups


def _keys_of_one_node(node: NodeFacts) -> list[tuple[str, str]]:
    """Return what tells the node from others."""
    keys = (("name", node["name"]), ("private_ip", node["private_ip"]))
    return [(key, value) for key, value in keys if value]


def _worst_entry_of_one_node(entries: Sequence[NodeFacts]) -> NodeFacts:
    """Return one entry of several for one node: it takes work when each of them says so, and has what each of them has.

    A size in which they differ is not known: taking the smaller for sure could refuse for good what fits.
    """
    # The reason of the first entry that takes no work is as good as any.
    merged = next((entry for entry in entries if not entry["usable"]), entries[0]).copy()
    # A node that is leaving makes the pool smaller for good, so all entries have to say it.
    phases = [merged["phase"], *(entry["phase"] for entry in entries)]
    merged["phase"] = next((phase for phase in phases if phase != "Deleting"), "Deleting")
    merged["drain"] = any(entry["drain"] for entry in entries)
    merged["exclusive_to"] = next((entry["exclusive_to"] for entry in entries if entry["exclusive_to"]), None)
    merged["elastic_quota"] = next((entry["elastic_quota"] for entry in entries if entry["elastic_quota"]), None)
    for key in _ONE_VALUE:
        # The first would be taken for certain: a flavor serves requests, and a supernode completes a group.
        if any(entry[key] != entries[0][key] for entry in entries):
            merged[key] = None
    standby = {entry["hot_standby"] for entry in entries}
    # Unless every entry says that it is none: what stands by, or may, is no room.
    merged["hot_standby"] = True if True in standby else None if None in standby else False
    merged["locked"] = any(entry["locked"] for entry in entries)
    merged["taints"] = _each_once([taint for entry in entries for taint in entry["taints"]])
    merged["plugins"] = _each_once([plugin for entry in entries for plugin in entry["plugins"]])
    drivers = [entry["driver"] for entry in entries if entry["driver"] is not None]
    # One that is not running yet, as the node may have other resources once it is.
    merged["driver"] = next((one for one in drivers if one["phase"] not in (None, DRIVER_RUNNING)), (*drivers, None)[0])
    merged["name"] = next((entry["name"] for entry in entries if entry["name"]), None)
    occupied = [entry["cards_occupied"] for entry in entries if entry["cards_occupied"] is not None]
    merged["cards_occupied"] = max(occupied) if len(occupied) == len(entries) else None
    free = [set(entry["cards_free"]) for entry in entries if entry["cards_free"] is not None]
    # A card is free where every entry shows it as free.
    merged["cards_free"] = sorted(set.intersection(*free)) if len(free) == len(entries) else None
    merged["cards_lost"] = None if merged["cards_free"] is None else max(entry["cards_lost"] or 0 for entry in entries)
    unreadable = [what for entry in entries for what in entry["unreadable"]]
    merged["resources"], differ = _least_in_entries_of_one_node([entry["resources"] for entry in entries])
    merged["free"], _differ = _least_in_entries_of_one_node([entry["free"] for entry in entries])
    for resource in differ:
        unreadable.append({"resource": resource, "value": "different in two entries"})
        for table in (merged["resources"], merged["free"]):
            (table or {}).pop(resource, None)
    merged["unreadable"] = list({(what["resource"], what["value"]): what for what in unreadable}.values())
    # The same jobs for the same address; with another address other jobs, on what is one node all the same.
    by_address = {entry["private_ip"]: entry for entry in entries if entry["private_ip"]}
    jobs = [entry["jobs"] for entry in by_address.values() if entry["jobs"] is not None]
    # An address whose jobs are not known may have any number of them.
    merged["jobs"] = sum(jobs) if jobs and len(jobs) == len(by_address) else None
    merged["private_ip"] = next(iter(by_address), None)
    held = [entry["held"] for entry in by_address.values() if entry["held"] is not None]
    merged["held"] = _held_in_entries_of_one_node(held) if held and len(held) == len(by_address) else None
    return merged


def _each_once(values: Sequence[_Value]) -> list[_Value]:
    # By their text, as dictionaries have no hash, and comparing each with each takes too long for what is made up.
    return list({repr(value): value for value in values}.values())


def _unusable_entry(node: NodeFacts, what: str) -> NodeFacts:
    unusable = node["unusable"] or f"it has {what}"
    return {**node, "usable": False, "unusable": unusable}


def _least_in_entries_of_one_node(tables: Sequence[Numbers | None]) -> tuple[Numbers | None, list[str]]:
    """Return (the least of what every entry has in that table, the resources in which they differ).

    Each amount is looked at once.
    """
    known = [table for table in tables if table is not None]
    if len(known) < len(tables):
        return None, []
    least: Numbers = {}
    times: Counter[str] = Counter()
    differ: dict[str, None] = {}
    for of in known:
        times.update(of.keys())
        for name, value in of.items():
            if least.setdefault(name, value) != value:
                differ[name] = None
                least[name] = min(least[name], value)
    chosen = {name: least[name] for name in known[0] if times[name] == len(known)}
    return chosen, [name for name in times if name in differ or times[name] < len(known)]


def _held_in_entries_of_one_node(held: Sequence[HeldOnNode]) -> HeldOnNode:
    resources: Amounts = {}
    unsplit: Amounts = {}
    for one in held:
        add_amounts(resources, amounts_from_numbers(one["resources"]))
        add_amounts(unsplit, amounts_from_numbers(one["unsplit"]))
    return {
        "resources": amounts_to_numbers(resources),
        "unsplit": amounts_to_numbers(unsplit),
        "unread": sorted({name for one in held for name in one["unread"]}),
    }
