# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads of cards that are free and do not lie together, or may not."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.simulation.card_oracle import A1, A3, CARD, OWN8, PLACEMENT
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    Document,
    address_of,
    check_of,
    decide,
    job,
    node,
)

SCATTERED = "wait, or ask for fewer cards per replica: there are enough, but they do not lie together."


def named(name: str, flavor: str, text: str | None, free: int | None = None) -> Document:
    cards = 16 if flavor == A3 else 8
    amount = cards - (text or "").count("1") if free is None else free
    annotations = {} if text is None else {PLACEMENT: text}
    made = node({CARD: str(cards)}, {CARD: str(amount)}, flavor=flavor, annotations=annotations)
    made["metadata"]["name"] = name
    return made


def placement_of(nodes: list[Document], cards: t.Any, jobs: t.Sequence[Document] = (), **more: t.Any) -> t.Any:
    verdict = decide(nodes, jobs, request={"resources": {CARD: cards}, **more})
    check = check_of(verdict, "placement")
    return check["passed"], check["message"], verdict["remedies"]


@pytest.mark.parametrize(
    ("flavor", "text", "cards", "said"),
    [
        (A1, "0000000011001100", 4, "4 cards are free on n-03, but 2 + 2 over its rings"),
        (A1, "0000000000011000", 4, "6 cards are free on n-03, but 3 + 3 over its rings"),
        (A3, "1111111111100010", 4, "4 cards are free on n-03, but only 1 whole pair"),
        (A3, "1111111101010101", 2, "4 cards are free on n-03, but no whole pair"),
        (A3, "1111111101010000", 6, "6 cards are free on n-03, but only 2 whole pairs"),
    ],
)
def test_where_cards_lie_that_do_not_lie_together(flavor: str, text: str, cards: int, said: str) -> None:
    full = named("n-01", flavor, "1" * 16 if flavor == A3 else "0000000011111111")
    passed, message, remedies = placement_of([full, named("n-03", flavor, text)], cards)
    assert (passed, message, remedies) == (False, f"0 of 1 replica on 2 usable nodes; {said}", [SCATTERED])


def test_of_several_nodes_the_one_with_most_free_cards_is_named() -> None:
    nodes = [named("n-01", A1, "0000000011001100"), named("n-02", A1, "0000000000011000")]
    assert "6 cards are free on n-02" in placement_of(nodes, 4)[1]


@pytest.mark.parametrize(
    ("nodes", "cards", "said", "remedy"),
    [
        (
            [named("n-01", OWN8, "0000000011001100")],
            4,
            "it is not known whether the 4 free cards of n-01 lie together, as its flavor own.8 does not show its "
            "hardware",
            "set the number of cards that lie together in policy.card_groups, like {'own.8': 4}.",
        ),
        (
            [named("n-01", A1, None, 2)],
            2,
            "it is not known which 2 cards of n-01 are free: its placement cannot be read",
            "ask for 1 card or for a whole node per replica, or wait until more are free.",
        ),
        (
            [named("n-01", A1, "0000000011000000", 4)],
            4,
            "it is not known which 4 cards of n-01 are free: its placement shows 6 free",
            "ask for 1 card or for a whole node per replica, or wait until more are free.",
        ),
        (
            [named("n-01", A1, "0000000000000000")],
            3,
            "a replica needs 3 cards, but a 910 node gives 1, 2, 4, 8",
            "ask for 4 cards per replica.",
        ),
        (
            [named("n-01", OWN8, "0000000000000000")],
            "500m",
            "a replica needs a part of a card, but a node of its kind gives 1, 2, 4, 8",
            "ask for 1 card per replica.",
        ),
    ],
)
def test_what_is_not_known_comes_with_its_remedy(nodes: list[Document], cards: t.Any, said: str, remedy: str) -> None:
    passed, message, remedies = placement_of(nodes, cards)
    assert (passed, message, remedies) == (None, f"1 replica on 1 usable node: {said}", [remedy])


def test_cards_that_are_given_back_somewhere() -> None:
    there = named("n-01", A1, "0000000011001100")
    mine = job({CARD: "2"}, on={address_of(there): {CARD: "2"}})
    passed, message, _remedies = placement_of([there], 4, [mine], replaces={"job_uuid": mine["jobUUID"]})
    assert passed is None
    assert message.endswith(": the cards that are given back there are not known")


def test_too_few_cards_say_nothing_of_how_they_lie() -> None:
    passed, message, _remedies = placement_of([named("n-01", A1, "0000000011101110")], 4)
    assert (passed, message) == (False, "0 of 1 replica on 1 usable node")


def test_a_policy_that_says_something_else_than_the_flavor_is_named() -> None:
    there = [named("n-01", A1, "0000000000001111")]
    request = {"resources": {CARD: 4}}
    notes = decide(there, request=request, policy={"card_groups": {A1: 8, "elsewhere": 2}})["notes"]
    assert f"policy.card_groups has 8 for {A1}, but its name means 4: not used" in notes
    assert not [note for note in notes if "elsewhere" in note]
    for policy in ({"card_groups": {A1: 4}}, {"card_groups": {OWN8: 2}}, {}):
        assert not [note for note in decide(there, request=request, policy=policy)["notes"] if "card_groups" in note]
