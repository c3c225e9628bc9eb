# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of a list of nodes that are one node: by name, by address, and by a chain of both."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import node_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.one_node import one_entry_for_each_node
from ansible_collections.poolgate.modelarts.tests.unit.simulation import answers
from hypothesis import given
from hypothesis import strategies as st

Facts = dict[str, t.Any]
MANY = 20_000


def entry(name: str | None, address: str | None, free: int = 8) -> Facts:
    document = answers.node({"cpu": "8", answers.GPU: "8"}, {"cpu": "8", answers.GPU: str(free)})
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
    assert sorted(fact["free"][answers.GPU] for fact in merged) == sorted(
        min(free for _name, _address, free in group) for group in groups
    )
    told = [(any(one[0] for one in group), any(one[1] for one in group)) for group in groups]
    # One that shows no address may be one that shows no name.
    doubtful = (False, True) in told
    usable = sum(has_address or (has_name and not doubtful) for has_name, has_address in told)
    assert sum(fact["usable"] for fact in merged) == usable


RUNNING, PENDING = ({"name": "npu", "version": "1", "phase": phase} for phase in ("Running", "Pending"))
SUPERNODE, OTHER = ({"uid": "b", "name": "b", "type": kind, "count": 2} for kind in ("hyperinstance", "normal"))
TAINT, HARMLESS = {"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "PreferNoSchedule"}

# (a key, the values of two entries, what is left of them)
TOLD_DIFFERENTLY: list[tuple[str, t.Any, t.Any, t.Any]] = [
    ("phase", "Deleting", "Available", "Available"),
    ("flavor", "a", "b", None),
    ("az", "a", "b", None),
    ("taints", [TAINT, HARMLESS], [HARMLESS], [TAINT, HARMLESS]),
    ("drain", False, True, True),
    ("exclusive_to", None, "a", "a"),
    ("elastic_quota", None, "a", "a"),
    ("hot_standby", False, True, True),
    ("hot_standby", False, None, None),
    ("hot_standby", None, True, True),
    ("billing_status", "normal", "frozen", None),
    ("driver", RUNNING, PENDING, PENDING),
    ("driver", None, PENDING, PENDING),
    ("plugins", [RUNNING], [PENDING, RUNNING], [PENDING, RUNNING]),
    ("locked", False, True, True),
    ("node_pool", "a", "b", None),
    ("node_pool_id", "a", None, None),
    ("supernode", "spod-0", "spod-1", None),
    ("supernode", "spod-0", None, None),
    ("cabinet", "a", "b", None),
    ("server", "a", "b", None),
    ("batch", OTHER, SUPERNODE, None),
    ("batch", None, SUPERNODE, None),
    ("usable", True, False, False),
    ("unusable", None, "draining", "draining"),
    ("resources", {"cpu": 8}, {"cpu": 8, "memory": 1}, {"cpu": 8}),
    ("free", {"cpu": 8}, {"cpu": 6}, {"cpu": 6}),
    ("free", None, {"cpu": 6}, None),
    ("cards_occupied", 1, 2, 2),
    ("cards_occupied", None, 2, None),
    ("cards_free", [1, 2], [2, 3], [2]),
    ("cards_free", None, [2, 3], None),
    ("cards_lost", 1, 2, None),
]


@pytest.mark.parametrize(("key", "one", "other", "left"), TOLD_DIFFERENTLY)
def test_what_two_entries_tell_differently_is_the_worse_or_not_known(
    key: str, one: t.Any, other: t.Any, left: t.Any
) -> None:
    first, second = ({**entry("name", "10.0.0.1"), key: value} for value in (one, other))
    if key == "unusable":
        first["usable"], second["usable"] = first["unusable"] is None, second["unusable"] is None
    for entries in ([first, second], [second, first]):
        (merged,) = one_entry_for_each_node(t.cast("t.Any", entries))
        told: t.Any = merged[key]  # type: ignore[literal-required]  # each key in turn
        if isinstance(left, list):
            assert sorted(told, key=str) == sorted(left, key=str)
        else:
            assert told == left


def test_every_key_of_a_node_is_weighed() -> None:
    merged_by_address = {"name", "private_ip", "jobs", "held", "unreadable"}
    assert {key for key, *_values in TOLD_DIFFERENTLY} | merged_by_address == set(entry("name", None))


def test_a_name_that_only_one_entry_has_is_the_node_s() -> None:
    named, unnamed = entry("name", "10.0.0.1"), entry(None, "10.0.0.1")
    assert [fact["name"] for fact in one_entry_for_each_node([unnamed, named])] == ["name"]


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
        "taints": [{**one, "taints": [{"key": f"t{i}", "effect": "NoSchedule"}]} for i in range(MANY)],
        "pairs": [{**one, "name": f"n{i // 2}", "private_ip": f"a{i // 2}"} for i in range(MANY)],
    }
    for name, nodes in lists.items():
        began = time.process_time()
        merged = one_entry_for_each_node(nodes)
        assert time.process_time() - began < 5, name
        assert len(merged) == (MANY // 2 if name == "pairs" else 1)
