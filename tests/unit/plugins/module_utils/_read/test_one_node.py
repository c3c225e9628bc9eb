# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of a list of nodes that are one node: by name, by address, and by a chain of both."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import node_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.one_node import one_entry_for_each_node
from ansible_collections.poolgate.modelarts.tests.unit.simulation import documents
from hypothesis import given
from hypothesis import strategies as st

Facts = dict[str, t.Any]
MANY = 20_000


def entry(name: str | None, address: str | None, free: int = 8) -> Facts:
    document = documents.node({"cpu": "8", documents.GPU: "8"}, {"cpu": "8", documents.GPU: str(free)})
    document["metadata"]["name"], document["status"]["privateIp"] = name, address
    return {**node_facts(document), "held": None}


KEYS = st.one_of(st.none(), st.sampled_from("abcdef"))


@given(st.lists(st.tuples(KEYS, KEYS, st.integers(0, 8)), max_size=10))
def test_entries_are_joined_as_their_names_and_addresses_say(listed: list[tuple[str | None, str | None, int]]) -> None:
    """Against joining them pair by pair until nothing changes."""
    groups = [[one] for one in listed]
    joined = True
    while joined:
        joined = False
        for group in groups:
            for other in groups:
                if group is not other and any(
                    (a[0] is not None and a[0] == b[0]) or (a[1] is not None and a[1] == b[1])
                    for a in group
                    for b in other
                ):
                    group += other
                    groups.remove(other)
                    joined = True
                    break
            if joined:
                break
    merged = one_entry_for_each_node([entry(*one) for one in listed])
    assert sorted(fact["free"][documents.GPU] for fact in merged) == sorted(
        min(free for _name, _address, free in group) for group in groups
    )
    usable = sum(any(name or address for name, address, _free in group) for group in groups)
    assert sum(fact["usable"] for fact in merged) == usable


def test_nodes_that_stand_once_stay_as_they_are() -> None:
    nodes = [entry(f"node-{number}", f"10.0.0.{number}", number) for number in range(5)]
    assert one_entry_for_each_node(nodes) == nodes


def test_a_long_list_takes_time_by_its_length_only() -> None:
    """A chain of names and addresses, one name for all, and one address for all: each entry is looked at once."""
    one = entry("name", "10.0.0.1")
    lists = {
        "chain": [{**one, "name": f"n{i // 2}", "private_ip": f"a{(i + 1) // 2}"} for i in range(MANY)],
        "one name": [{**one, "private_ip": f"a{i}"} for i in range(MANY)],
        "one address": [{**one, "name": f"n{i}"} for i in range(MANY)],
        "pairs": [{**one, "name": f"n{i // 2}", "private_ip": f"a{i // 2}"} for i in range(MANY)],
    }
    for name, nodes in lists.items():
        began = time.process_time()
        merged = one_entry_for_each_node(nodes)
        assert time.process_time() - began < 5, name
        assert len(merged) == (MANY // 2 if name == "pairs" else 1)
