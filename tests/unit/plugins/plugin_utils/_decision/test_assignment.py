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
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import read_nodes
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
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
        read = read_nodes(observed(nodes)["nodes"])
        taken, placed = assign_replicas(read, request, read_policy(None))
        fits = any(check["name"] == "placement" for check in verdict["checks"]) and bool(
            check_of(verdict, "placement")["passed"]
        )
        assert (placed == request.replicas) == fits, (seed, asked, verdict["reasons"])
        for one, amounts in zip(read, taken):
            assert all(amount <= one.free[name] for name, amount in amounts.items()), (seed, taken)
        assert sum(amounts.get(GPU, 0) for amounts in taken) <= request.resources()[GPU]
        met[fits] += 1
    assert min(met[True], met[False]) > tries(300), met
