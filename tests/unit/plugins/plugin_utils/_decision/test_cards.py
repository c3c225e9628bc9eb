# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cards replicas get: the published examples, and an oracle that tries every card."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import (
    CardGroups,
    choose_cards,
    hardware_of,
    rules_of,
    sizes_of,
)
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation import documents
from ansible_collections.poolgate.modelarts.tests.unit.simulation.card_oracle import (
    A1,
    A2,
    A3,
    CARD,
    OWN8,
    OWN16,
    PLACEMENT,
    POLICY,
    card_case,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import check_of, decide, job, node

CASES = tries(10_000)
SHARES = 4

VECTORS = json.loads((Path(documents.__file__).parent / "npu_vectors.json").read_text(encoding="utf-8"))
FLAVORS = {"A1": A1, "A2": A2, "A3": A3, "8 cards, flavor unknown": OWN8, "16 cards, flavor unknown": OWN16}
DECISIONS = {"yes": "admit", "no": "wait", "size": "unknown", "unknown": "unknown"}


def card_node(flavor: str, cards: int, text: str | None = None, free: int | None = None, **more: t.Any) -> t.Any:
    """A node with the free cards that its text shows, or with so many."""
    annotations = {} if text is None else {PLACEMENT: text}
    amount = cards - (text or "").count("1") if free is None else free
    return node({CARD: str(cards)}, {CARD: str(amount)}, flavor=flavor, annotations=annotations, **more)


def asking(cards: t.Any, replicas: int = 1, **more: t.Any) -> documents.Document:
    return {"replicas": replicas, "resources": {CARD: cards}, **more}


def nodes_of(vector: dict[str, t.Any]) -> list[documents.Document]:
    known = vector.get("hardware") or vector["known"]
    flavor = FLAVORS[known.removesuffix(", no text")]
    cards = vector.get("cards_per_node") or (8 if flavor in (A1, A2, OWN8) else 16)
    texts = vector.get("nodes") or [vector["text_or_free"]]
    return [
        card_node(flavor, cards, text) if isinstance(text, str) else card_node(flavor, cards, free=text)
        for text in texts
    ]


@pytest.mark.parametrize(
    "vector", [one for one in VECTORS if "idle_whole_nodes_per_supernode" not in one], ids=lambda one: str(one["id"])
)
def test_published_examples(vector: dict[str, t.Any]) -> None:
    verdict = decide(nodes_of(vector), request=asking(vector["cards"], vector["replicas"]))
    assert verdict["decision"] == DECISIONS[vector["verdict"]], verdict["reasons"]
    assert (verdict["decision"] == "unknown") <= bool(verdict["remedies"])


@pytest.mark.parametrize("share", range(SHARES))
def test_the_verdict_agrees_with_an_oracle_over_cards(share: int) -> None:
    """No admission that does not fit in some way; one shape that fits in all ways is let through."""
    met: Counter[tuple[str, bool]] = Counter()
    for seed in range(share, CASES, SHARES):
        made = card_case(seed)
        fits = made.fits()
        if fits is None:
            continue
        surely, at_best = fits
        decision = decide(made.nodes, request=made.request, policy=POLICY)["decision"]
        told = (seed, decision, fits, made.request, [(m.flavor, m.free, m.shown, m.cores) for m in made.machines])
        assert surely or decision != "admit", told
        assert decision not in ("wait", "reject") or not at_best, told
        if "groups" not in made.request:
            assert (decision == "admit") is surely, told
            assert (decision == "unknown") is (at_best and not surely), told
        met[(decision, "groups" in made.request)] += 1
    for decision in ("admit", "wait", "unknown"):
        assert met[(decision, False)] > tries(100), met
        assert met[(decision, True)] > tries(40), met
