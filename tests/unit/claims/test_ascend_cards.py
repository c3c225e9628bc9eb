# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of Ascend nodes may land on any of their cards: no promise beside another one that these break.

From the outside in: documents of nodes with the texts of their cards, and the document of claims as a store has it.
"""

from __future__ import annotations

import json
import typing as t
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import GateClaims
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Documents
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.card_landings import Deployment, Shape, promises
from ansible_collections.poolgate.modelarts.tests.unit.simulation.card_oracle import (
    A1,
    A2,
    A3,
    CARD,
    OWN8,
    PLACEMENT,
    POLICY,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import Document, Verdict, node, observed

CASES, SHARES = tries(20_000), 4
NOW = 1_790_000_000.0


class OneDocument:
    """A store that has one document."""

    def __init__(self, pool: str, text: str) -> None:
        self._documents = Documents(NOW, {pool: (7, text)})

    def has_time(self) -> bool:
        return True

    def end_in(self, seconds: float | None) -> None:
        """Take the limit, which a store in memory has no use for."""

    def read(self, _pools: t.Sequence[str] | None = None) -> Documents:
        return self._documents

    def swap(self, _pool: str, _version: int, _text: str) -> bool:
        raise AssertionError("without a claim of its own, a gate that sees no job has nothing to write")


def document_of(claims: t.Sequence[Deployment]) -> str:
    return json.dumps(
        {
            "format": 1,
            "born": "b",
            "known": [],
            "claims": {f"c{index}": claim_of(index, one) for index, one in enumerate(claims)},
        }
    )


def claim_of(index: int, deployment: Deployment) -> Document:
    total: Counter[str] = Counter()
    for shape in deployment:
        for name, amount in shape.amounts.items():
            total[name] += amount * shape.replicas
    return {
        **{"job": f"job-{index}", "type": None, "priority": None, "amounts": dict(total)},
        "groups": [{"replicas": one.replicas, "resources": one.amounts, "flavor": None} for one in deployment],
        **{"owner": "o", "labels": {}, "created": NOW - 1, "expires": NOW + 900, "version": index + 1, "nonce": "n"},
        **{"known": "0", "jobs": [], "ended": None},
    }


def verdict_beside(nodes: t.Sequence[Document], claims: t.Sequence[Deployment], request: Deployment) -> Verdict:
    """The verdict of a gate on a request that asks for these shapes, beside these claims."""
    entry, shapes = observed(nodes), [shape.document for shape in request]
    asked = read_request({"groups": shapes} if len(shapes) > 1 else shapes[0])
    policy = read_policy({"queue_strategy": "traversal", **POLICY})
    gate = GateClaims(t.cast(t.Any, OneDocument(entry["pool_name"], document_of(claims))), None, Clock().time)
    gate.begin()
    verdict = gate.judge(
        entry, asked, lambda claimed: capacity_verdict(entry, asked, policy, claimed=claimed), claims=False
    )
    return t.cast(Verdict, verdict)


def ascend(flavor: str = A1, taken: str = "", cards: int = 8) -> Document:
    """A node with cards of these numbers taken."""
    numbers = {int(number) for number in taken.split()}
    text = "".join("1" if number in numbers else "0" for number in range(16, 0, -1))
    size = {CARD: str(cards), "cpu": "192"}
    free = {CARD: str(cards - len(numbers)), "cpu": "192"}
    return node(size, free, flavor=flavor, annotations={PLACEMENT: text})


def one(cards: int, replicas: int = 1) -> Deployment:
    return (Shape(replicas, cards, 0),)


FOUR, TWO_TWOS = one(4), one(2, 2)


@pytest.mark.parametrize(
    ("nodes", "claims", "request_of", "decision"),
    [
        ([ascend()], [FOUR], FOUR, "admit"),  # a ring for each
        ([ascend()], [FOUR, FOUR], FOUR, "wait"),
        ([ascend()], [FOUR, FOUR], one(1), "wait"),
        ([ascend(), ascend()], [FOUR, FOUR], one(4, 2), "admit"),
        ([ascend(), ascend()], [FOUR, FOUR], one(8), "wait"),  # one on each node
        ([ascend(), ascend()], [FOUR], one(8), "admit"),
        # Two replicas of two take one ring, or a part of each.
        ([ascend()], [TWO_TWOS], FOUR, "wait"),
        ([ascend()], [TWO_TWOS], TWO_TWOS, "admit"),
        ([ascend(), ascend()], [TWO_TWOS], one(4, 2), "admit"),
        ([ascend(), ascend()], [TWO_TWOS], one(4, 3), "wait"),
        ([ascend(taken="1 2"), ascend(taken="1 5")], [one(2)], FOUR, "wait"),
        ([ascend(taken="1 2"), ascend()], [one(2)], FOUR, "admit"),
        ([ascend(taken="1 2"), ascend()], [one(1)], one(4, 2), "admit"),
        ([ascend(taken="1 2"), ascend()], [one(1)], one(4, 3), "wait"),
        # The other way round: what is asked for now may start first, and break the ring that was promised.
        ([ascend()], [FOUR], TWO_TWOS, "wait"),
        ([ascend()], [FOUR], one(2), "admit"),
        ([ascend(), ascend()], [one(8)], one(1, 2), "wait"),
        ([ascend(), ascend(), ascend()], [one(8)], one(1, 2), "admit"),
        # Cards without rings are only counted, and pairs of dies are broken by one card each.
        ([ascend(A2)], [TWO_TWOS], FOUR, "admit"),
        ([ascend(OWN8)], [TWO_TWOS], FOUR, "wait"),
        ([ascend(A3, "1 2 3 4 5 6 7 8 9 10 11 12", 16)], [one(1, 2)], one(2), "wait"),
        ([ascend(A3, "1 2 3 4 5 6 7 8 9 10", 16)], [one(1, 2)], one(2), "admit"),
    ],
)
def test_claims_of_rings(
    nodes: t.Sequence[Document], claims: t.Sequence[Deployment], request_of: Deployment, decision: str
) -> None:
    verdict = verdict_beside(nodes, claims, request_of)
    assert verdict["decision"] == decision, verdict["reasons"]
    # All of these fit without the claims, and only their rings are short.
    assert verdict_beside(nodes, [], request_of)["decision"] == "admit"


@pytest.mark.parametrize("share", range(SHARES))
def test_no_admission_that_some_landing_of_the_claims_makes_impossible(
    share: int, record_property: t.Callable[[str, object], None]
) -> None:
    met: Counter[str] = Counter()
    for seed in range(share, CASES, SHARES):
        made = promises(seed)
        nodes = [machine.document for machine in made.machines]
        decision = verdict_beside(nodes, made.claims, made.request)["decision"]
        if verdict_beside(nodes, [], made.request)["decision"] != "admit":
            assert decision != "admit", seed
            met["does not fit without claims either"] += 1
            continue
        are_kept = made.are_kept()
        if are_kept is None:
            met["too many worlds"] += 1
            continue
        told = (seed, made.claims, made.request, [(m.flavor, m.free, m.shown, m.cores) for m in made.machines])
        assert are_kept or decision != "admit", told
        groups = "several groups" if len(made.request) > 1 else "one group"
        met[f"{groups}, {_word(are_kept, decision)}"] += 1
    record_property("cases", dict(met))
    print(dict(met))
    assert met["one group, admitted"] > tries(200), met
    assert met["several groups, admitted"] > tries(20), met
    assert met["one group, held back for claims"] > tries(200), met


def _word(are_kept: bool, decision: str) -> str:
    if decision == "admit":
        return "admitted"
    return "held back needlessly" if are_kept else "held back for claims"
