# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report draws is what was decided."""

from __future__ import annotations

import random
import typing as t
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.assignment import assign_replicas
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import read_nodes_of_situation
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.card_oracle import (
    A1,
    CARD,
    PLACEMENT,
    POLICY,
    RULES,
    card_case,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    check_of,
    decide,
    node,
    observed,
)

SIZE = {"cpu": "16", "memory": "64Gi", GPU: "8"}


def groups_of(rng: random.Random) -> list[dict[str, t.Any]]:
    return [
        {"replicas": rng.randint(1, 3), "resources": {GPU: rng.choice((1, 2, 4, 8)), "cpu": rng.randint(1, 8)}}
        for _group in range(rng.randint(1, 3))
    ]


@pytest.mark.parametrize("share", range(4))
def test_as_many_replicas_are_drawn_as_were_decided(share: int) -> None:
    """And no node takes more than is free on it."""
    met: Counter[bool] = Counter()
    for seed in range(share, tries(10_000), 4):
        rng = random.Random(f"drawn {seed}")
        nodes = [
            node(SIZE, {"cpu": str(rng.randint(0, 16)), "memory": "64Gi", GPU: str(rng.randint(0, 8))})
            for _node in range(rng.randint(1, 6))
        ]
        asked = {"groups": groups_of(rng)}
        verdict = decide(nodes, request=asked)
        request = read_request(asked)
        read = read_nodes_of_situation(observed(nodes)["nodes"])
        taken, placed = assign_replicas(read, request, read_policy(None))
        fits = any(check["name"] == "placement" for check in verdict["checks"]) and bool(
            check_of(verdict, "placement")["passed"]
        )
        assert (placed == request.replicas) == fits, (seed, asked, verdict["reasons"])
        for one, there in zip(read, taken):
            assert all(amount <= one.free[name] for name, amount in there.amounts.items()), (seed, taken)
        assert sum(there.amounts.get(GPU, 0) for there in taken) <= request.resources()[GPU]
        met[fits] += 1
    assert min(met[True], met[False]) > tries(300), met


def test_cards_are_drawn_that_one_rule_allows() -> None:
    """As many as are asked for, all of them free, and those of each replica in one group or in whole groups."""
    met = 0
    for seed in range(tries(3000)):
        made = card_case(seed)
        if "groups" in made.request or not made.request["resources"].get(CARD):
            continue
        request, policy = read_request(made.request), read_policy(POLICY)
        size = made.request["resources"][CARD]
        taken, _placed = assign_replicas(read_nodes_of_situation(observed(made.nodes)["nodes"]), request, policy)
        for machine, there in zip(made.machines, taken):
            if there.free is None or not there.amounts:
                continue
            assert set(there.cards) <= set(there.free) == machine.shown, (seed, there)
            assert len(there.cards) * 1000 == there.amounts[CARD], (seed, there)
            assert (there.rule,) == RULES[machine.flavor] or there.rule is None
            rule = min(RULES[machine.flavor])
            in_groups = Counter((number - 1) // rule for number in there.cards)
            whole = [count for count in in_groups.values() if count == rule]
            assert size > rule or sum(count // size for count in in_groups.values()) * size == len(there.cards)
            assert size <= rule or len(whole) * rule == len(there.cards)
            met += 1
    assert met > tries(300), met


def test_no_card_is_drawn_where_it_is_not_known_which_are_free() -> None:
    size = {CARD: "8", "cpu": "64"}
    nodes = [
        node(size, {**size, CARD: "4"}, flavor=A1),
        node(size, {**size, CARD: "4"}, flavor=A1, annotations={PLACEMENT: "0000000000000011"}),
        node(size, {**size, CARD: "8"}, flavor=A1, annotations={PLACEMENT: "0000000000001111"}),
    ]
    request = read_request({"replicas": 1, "resources": {CARD: 4}})
    taken, placed = assign_replicas(read_nodes_of_situation(observed(nodes)["nodes"]), request, read_policy(None))
    assert placed == 1
    assert [(there.rule, there.free, list(there.cards)) for there in taken] == [
        (4, None, []),
        (4, None, []),
        (4, [5, 6, 7, 8], [5, 6, 7, 8]),
    ]
