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
    card_rules_of,
    card_sizes_of,
    choose_cards,
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
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import address_of, decide, job, node

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


@pytest.mark.parametrize(
    ("flavor", "cards", "batch_type", "rules"),
    [
        ("modelarts.bm.npu.arm.16snt9b23", 16, None, (2,)),  # looks like a 910B, too
        ("modelarts.snt9c.16", 16, None, (2,)),
        ("modelarts.bm.npu.arm.8snt9b3", 8, None, (8,)),
        ("modelarts.ascend-910B.8", 8, None, (8,)),
        ("modelarts.bm.npu.arm.16snt9b2", 16, None, (8, 16)),
        ("modelarts.kat1.8xlarge", 8, None, (4,)),
        ("modelarts.kat1.xlarge", 1, None, (1,)),
        ("modelarts.bm.snt9.xlarge.8", 8, None, (4,)),
        ("modelarts.pool.ai1.a5", 8, None, (8,)),
        ("modelarts.pool.ai1.a50", 8, None, (2, 4, 8)),
        ("modelarts.vm.snt3.4", 4, None, (4,)),
        ("modelarts.bm.npu.8snt9b", 8, None, (2, 4, 8)),
        ("own", 16, "hyperinstance", (2,)),
        ("own", 8, "hyperinstance", (2, 4, 8)),
        (None, 16, None, (2, 8, 16)),
        ("own", 4, None, (2, 4)),
        ("own", 64, None, ()),
        ("told", 8, None, (4,)),
        ("told", 4, None, (4,)),
        ("told", 16, "hyperinstance", (4,)),  # what a person says is more than what is inferred
        ("told.kat1", 8, None, (4,)),  # and what the flavor says is more than either
    ],
)
def test_which_rule_holds(flavor: str | None, cards: int, batch_type: str | None, rules: tuple[int, ...]) -> None:
    assert card_rules_of(flavor, cards, batch_type, CardGroups((("told", 4), ("told.kat1", 8)))) == rules


def test_sizes_that_hardware_offers() -> None:
    assert card_sizes_of((4,), 8) == [1, 2, 4, 8]
    assert card_sizes_of((8,), 8) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert card_sizes_of((2,), 16) == [1, 2, 4, 6, 8, 10, 12, 14, 16]
    assert card_sizes_of((8,), 16) == [1, 2, 3, 4, 5, 6, 7, 8, 16]
    assert card_sizes_of((2, 4, 8), 8) == [1, 2, 4, 8]


def test_one_card_and_all_cards_need_no_rule() -> None:
    for flavor, cards in ((OWN8, 8), (OWN16, 16), ("own.64", 64)):
        free = card_node(flavor, cards, free=cards)
        assert decide([free], request=asking(cards))["decision"] == "admit"
        assert decide([free], request=asking(1, cards))["decision"] == "admit"
        assert decide([card_node(flavor, cards, free=1)], request=asking(1))["decision"] == "admit"


def test_a_part_of_a_card_is_no_size() -> None:
    assert decide([card_node(A2, 8, free=8)], request=asking("500m"))["decision"] == "unknown"
    assert decide([card_node(A2, 8, free=0)], request=asking("500m"))["decision"] == "wait"


def test_one_rule_holds_for_all_nodes_of_a_flavor() -> None:
    """Four cards fit on the one where there are pairs, on the other where there are rings of eight: surely on one."""
    pairs, ring = "1111110011111100", "1111111101010101"
    nodes = [card_node(OWN16, 16, pairs), card_node(OWN16, 16, ring)]
    assert decide(nodes, request=asking(4))["decision"] == "admit"
    assert decide(nodes[:1], request=asking(4))["decision"] == "unknown"
    assert decide(nodes[1:], request=asking(4))["decision"] == "unknown"


def test_a_node_that_shows_fewer_free_cards_than_it_has_is_not_idle() -> None:
    size = {CARD: "8", "cpu": "192", "memory": "1500Gi"}
    for text, decision in (("0000000000000001", "wait"), ("0000000000000000", "admit"), ("1", "admit")):
        there = node(size, size, flavor=A1, annotations={PLACEMENT: text})
        assert decide([there], request={"replicas": 1, "flavor": A1})["decision"] == decision


def holding(there: t.Any, text: str | None, cards: int, **more: t.Any) -> t.Any:
    document = job({CARD: str(cards)}, on={address_of(there): {CARD: str(cards)}}, **more)
    if text is not None:
        document["nodes"][0]["npuTopologyPlacement"] = text
    return document


def test_cards_of_the_replaced_job_come_free_one_by_one() -> None:
    there = card_node(A1, 8, "0000000011001100")
    mine, others = holding(there, "0000000000001100", 2), holding(there, "0000000011000000", 2)
    asked = asking(4, replaces={"job_uuid": mine["jobUUID"]})
    assert decide([there], [mine, others], request=asked)["decision"] == "admit"
    scattered = [holding(there, "0000000001000100", 2), holding(there, "0000000010001000", 2)]
    asked["replaces"]["job_uuid"] = scattered[0]["jobUUID"]
    assert decide([there], scattered, request=asked)["decision"] == "wait"


@pytest.mark.parametrize("text", [None, "0000000011001100", "0000000000000100"])
def test_cards_that_may_not_be_the_jobs_own_may_be_any(text: str | None) -> None:
    """None, as many as are taken on the node, fewer than it has."""
    there = card_node(A1, 8, "0000000011001100")
    mine = holding(there, text, 2)
    asked = asking(4, replaces={"job_uuid": mine["jobUUID"]})
    assert decide([there], [mine, holding(there, None, 2)], request=asked)["decision"] == "unknown"
    asked["resources"][CARD] = 2
    assert decide([there], [mine, holding(there, None, 2)], request={**asked, "replicas": 2})["decision"] == "admit"
    both = {**asking(8), "replaces": asked["replaces"]}
    assert decide([there], [holding(there, text, 4, uuid=mine["jobUUID"])], request=both)["decision"] == "admit"


def test_cards_of_the_replaced_job_that_the_node_shows_as_free_may_be_any() -> None:
    there = card_node(A1, 8, "0000000011001100")
    mine = holding(there, "0000000000000011", 2)
    for replicas, cards, decision in ((1, 2, "admit"), (1, 4, "unknown"), (2, 2, "unknown")):
        asked = asking(cards, replicas, replaces={"job_uuid": mine["jobUUID"]})
        assert decide([there], [mine, holding(there, None, 2)], request=asked)["decision"] == decision


@pytest.mark.parametrize(
    ("texts", "decision"),
    [
        (["0000000000001100", "0000000011000000"], "wait"),  # by the jobs, two cards of each ring are free
        (["0000000000001000"], "wait"),
        (["0000000000110000", "0000000011000000"], "admit"),
        (["1100", None], "admit"),
    ],
)
def test_a_card_that_a_job_shows_as_taken_is_not_free(texts: list[str | None], decision: str) -> None:
    """The node shows the first ring as free, and is behind by one job that ended and one that started."""
    there = card_node(A1, 8, "0000000011110000")
    jobs = [holding(there, text, 4 // len(texts)) for text in texts]
    assert decide([there], jobs, request=asking(4))["decision"] == decision
    # Without a text of the node, the gate knows a number only, and assumes the worst.
    del there["metadata"]["annotations"][PLACEMENT]
    assert decide([there], jobs, request=asking(4))["decision"] == "unknown"


@pytest.mark.parametrize(("free", "text", "decision"), [(7, "0" * 16, "unknown"), (8, "0" * 16, "admit")])
def test_a_broken_card_is_none_of_those_that_a_job_has_taken_since(free: int, text: str, decision: str) -> None:
    """Its number is not told: if it is in the second ring, and cards 1 and 2 are the job's, no ring is free."""
    there = card_node(A1, 8, text, free=free)
    assert decide([there], [holding(there, "0000000000000011", 2)], request=asking(4))["decision"] == decision


@pytest.mark.parametrize(
    ("more", "text", "decision"),
    [
        ({"seconds": 30}, None, "unknown"),
        ({"seconds": 3600}, None, "admit"),
        ({"seconds": 30}, "0000000000110011", "wait"),
        ({"seconds": 30, "status": "Creating"}, None, "unknown"),
    ],
)
def test_a_job_without_a_text_that_has_just_started_may_have_any_cards(
    more: dict[str, t.Any], text: str | None, decision: str
) -> None:
    """The node shows four cards as taken, as one job left it: another has as many since, two in each ring."""
    there = card_node(A1, 8, "0000000000001111")
    assert decide([there], [holding(there, text, 4, **more)], request=asking(4))["decision"] == decision
    if text is None:
        assert decide([there], [holding(there, text, 4, **more)], request=asking(1, 4))["decision"] == "admit"


@pytest.mark.parametrize(("flavor", "decision"), [(A1, "unknown"), (A2, "admit")])
def test_cards_that_are_broken_leave_their_places(flavor: str, decision: str) -> None:
    """Of eight cards four are left, and which of them is not known. Another node, or the flavor, tells of the eight."""
    whole, half = card_node(flavor, 8, "0000000011111111"), card_node(flavor, 4, free=4)
    assert decide([whole, half], request=asking(4))["decision"] == decision
    assert decide([whole, half], request=asking(1, 4))["decision"] == "admit"


def test_a_node_with_a_broken_card_is_not_whole() -> None:
    """Alone of its flavor, too. It comes back one day, so nothing is refused for good."""
    there = card_node(A1, 7, free=7)
    assert decide([there], request={"replicas": 1, "flavor": A1})["decision"] == "wait"
    assert decide([there], request=asking(8))["decision"] == "wait"


@pytest.mark.parametrize("resources", [{}, None, {"cpu": "64"}, {CARD: "x"}])
def test_a_node_of_which_the_number_of_cards_is_not_known_has_no_groups(resources: t.Any) -> None:
    """Its text names two cards of each ring as free: no way to read its size makes them a ring."""
    there = card_node(A1, 8, "0000000011001100")
    assert decide([there], request=asking(4))["decision"] == "wait"
    there["status"]["resources"] = resources
    assert decide([there], request=asking(4))["decision"] == "unknown"
    # Where it names other resources, that it names none contradicts what it shows as free.
    assert decide([there], request=asking(1))["decision"] == ("unknown" if resources == {"cpu": "64"} else "admit")


def test_cards_that_the_text_of_a_node_misses_may_be_free() -> None:
    """Of four lost cards and four of a job, none, some or all may be the same. Without groups amounts say enough."""
    missed = "0000000000001111"
    for flavor, decision in ((A1, "unknown"), (A2, "admit")):
        there = card_node(flavor, 8, "0" * 16, free=4)
        assert decide([there], [holding(there, missed, 4)], request=asking(4))["decision"] == decision
        assert decide([there], [holding(there, missed, 4)], request=asking(8))["decision"] == "wait"


def test_a_starting_job_breaks_a_ring_with_one_card() -> None:
    nodes = [card_node(A1, 8, "0000000011110000"), card_node(A1, 8, "0000000011111111")]
    starting = job({CARD: "1"}, "Creating")
    assert decide(nodes, request=asking(4))["decision"] == "admit"
    verdict = decide([card_node(A1, 8, "0000000000000000"), *nodes], [starting], request=asking(4, 2))
    assert verdict["decision"] == "admit"
    verdict = decide([card_node(A1, 8, "0000000000110000"), *nodes], [starting], request=asking(4, 2))
    assert verdict["decision"] == "wait"


def test_cards_are_chosen_as_the_scheduler_prefers_them() -> None:
    assert choose_cards([1, 2, 5, 6, 7, 8], 4, [2]) == [[1, 2]]
    assert choose_cards([1, 2, 5, 6, 7, 8], 4, [2, 4]) == [[5, 6, 7, 8], [1, 2]]
    assert choose_cards(range(1, 9), 4, [8]) == [[1, 2, 3, 4, 5, 6, 7, 8]]
    assert choose_cards([1, 2, 5, 6], 4, [4]) is None
    assert choose_cards([1, 3, 4], 2, [2, 1]) == [[3, 4], [1]]
    assert choose_cards([1, 3, 4], 2, [4]) is None
