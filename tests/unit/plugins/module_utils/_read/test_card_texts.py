# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of placement: what they name as free, and whose cards those of a job are."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import (
    count_ascend_cards,
    free_cards_in_text,
    taken_cards_in_text,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import job_nodes
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.tests.unit.simulation.answers import NOW, job, node, observed

CARD, OTHER = "huawei.com/ascend-1980", "huawei.com/ascend-snt9"
PLACEMENT = "os.modelarts/npu-topology-placement"


@pytest.mark.parametrize(
    ("text", "cards", "free"),
    [
        ("0000000001000001", 8, [2, 3, 4, 5, 6, 8]),
        ("0000000000000000", 8, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("0000000011111111", 8, []),
        ("1000000000000001", 16, list(range(2, 16))),
        ("0000000000000001", 4, [2, 3, 4]),
        ("0000000010000000", 7, [1, 2, 3, 4, 5, 6, 7]),  # a broken card keeps its number
        ("0000000100000000", 8, None),  # a card that the node does not have
        ("0000000000010000", 4, None),
        ("00000000", 8, None),
        ("00000000000000001", 8, None),
        ("000000000000000x", 8, None),
        ("\u0660000000000000000", 8, None),
        ("0000000000000000\n", 8, None),
        (1000001, 8, None),
        (None, 8, None),
        ("0000000000000000", None, None),
    ],
)
def test_a_text_names_the_cards_that_are_free(text: t.Any, cards: int | None, free: list[int] | None) -> None:
    assert free_cards_in_text(text, cards) == free


def test_the_right_most_digit_is_card_1() -> None:
    assert taken_cards_in_text("1000000000000110") == [2, 3, 16]
    assert taken_cards_in_text("110") is None


@pytest.mark.parametrize(
    ("resources", "cards"),
    [
        ({CARD: 8, "cpu": 64}, 8),
        ({CARD: 8, OTHER: 8}, 8),  # two spellings of one card
        ({CARD: 8, OTHER: 4}, None),
        ({"Huawei.com/Ascend-910B": 16}, 16),
        ({CARD: 0.5}, None),
        ({CARD: 64}, None),
        ({"nvidia.com/gpu": 8}, None),
        ({}, None),
        (None, None),
    ],
)
def test_how_many_cards_a_node_has(resources: t.Any, cards: int | None) -> None:
    assert count_ascend_cards(resources) == cards


def facts_of(*texts: str, cards: str = "8") -> list[t.Any]:
    """The facts of one node which a list gives so many times."""
    nodes = [
        node({CARD: cards}, {CARD: "4"}, address="10.0.0.1", annotations={PLACEMENT: text}, flavor="f")
        for text in texts
    ]
    for item in nodes:
        item["metadata"]["name"] = "n-01"
    return t.cast("list[t.Any]", observed(nodes)["nodes"])


def test_a_node_has_its_free_cards_beside_the_number_of_those_that_are_taken() -> None:
    (fact,) = facts_of("0000000000001111")
    assert (fact["cards_occupied"], fact["cards_free"], fact["cards_lost"]) == (4, [5, 6, 7, 8], 0)
    (fact,) = facts_of("1111")
    assert (fact["cards_occupied"], fact["cards_free"], fact["cards_lost"]) == (4, None, None)


def test_of_two_entries_for_one_node_only_what_both_show_is_free() -> None:
    (fact,) = facts_of("0000000000001111", "0000000000111100")
    assert (fact["cards_free"], fact["cards_lost"]) == ([7, 8], 0)
    both = facts_of("0000000000000001", "0000000000000011")
    assert [fact["cards_lost"] for fact in both] == [3], "of 7 and of 6 that are shown, 4 are there: the more count"
    (fact,) = facts_of("0000000000001111", "?")
    assert fact["cards_free"] is None


def held(text: str | None, cards: int, uuid: str = "a", host: str = "10.0.0.1", status: str = "Running") -> t.Any:
    document = job({CARD: str(cards)}, status, uuid=uuid, on={host: {CARD: str(cards)}})
    if text is not None:
        document["nodes"][0]["npuTopologyPlacement"] = text
    return document


def own_cards(*jobs: t.Any) -> t.Any:
    (placement,) = Occupancy(NOW, jobs, ["a"]).as_facts()["placements"] or ()
    return placement["nodes"][0]["cards"]


def test_a_job_shows_its_own_cards_where_nothing_speaks_against_it() -> None:
    assert own_cards(held("0000000000001100", 2)) == [3, 4]
    assert own_cards(held("0000000000001100", 2), held("0000000000000011", 2, "b")) == [3, 4]
    assert own_cards(held("0000000000001100", 2), held("0000000000001100", 2, "b", "10.0.0.2")) == [3, 4]
    assert own_cards(held("0000000000001100", 2), held("0000000000001111", 4, "b", status="Completed")) == [3, 4]


@pytest.mark.parametrize(
    "jobs",
    [
        [held("0000000000001111", 2)],  # more than it has
        [held("0000000000001000", 2)],
        [held("110", 2)],
        [held(None, 2)],
        [held("0000000000001100", 2), held("0000000000001111", 4, "b")],  # another shows them, too
        [held("0000000000001111", 2, "b"), held("0000000000001100", 2)],
        [held("0000000000001100", 2), held("0000000000001100", 2)],
    ],
)
def test_what_may_be_all_cards_that_are_taken_there_is_no_jobs_own(jobs: list[t.Any]) -> None:
    placements = Occupancy(NOW, jobs, ["a"]).as_facts()["placements"] or ()
    assert {share["cards"] is None for one in placements for share in one["nodes"]} == {True}


@pytest.mark.parametrize("host", [" 10.0.0.1", "10.0.0.1\n"])
def test_an_address_with_blanks_is_the_same_node(host: str) -> None:
    one, other = held("0000000000001100", 2, host=host), held("0000000000001111", 4, "b")
    for jobs in ([one, other], [other, one]):
        (placement,) = Occupancy(NOW, jobs, ["a"]).as_facts()["placements"] or ()
        assert [(share["host_ip"], share["cards"]) for share in placement["nodes"]] == [("10.0.0.1", None)]
    (there,), _unreadable = job_nodes(one["nodes"], Requirements(), {"10.0.0.1": 8})
    assert (there["host_ip"], there["cards_free"]) == ("10.0.0.1", [1, 2, 5, 6, 7, 8])
    document = node({CARD: "8"}, {CARD: "4"})
    document["status"]["privateIp"] = f" {host} "
    (fact,) = observed([document], [one, other])["nodes"]
    assert (fact["private_ip"], fact["jobs"]) == ("10.0.0.1", 2)
    assert fact["held"]["resources"] == {OTHER: 6}


def cards_free(text: str, *jobs: t.Any) -> t.Any:
    there = node({CARD: "8"}, {CARD: "4"}, address="10.0.0.1", annotations={PLACEMENT: text})
    (fact,) = observed([there], jobs)["nodes"]
    return fact["cards_free"]


def test_a_card_is_free_where_the_node_and_each_job_say_so() -> None:
    one, other = held("0000000000001100", 2), held("0000000011000000", 2, "b")
    assert cards_free("0000000011110000") == [1, 2, 3, 4]
    assert cards_free("0000000011110000", one, other) == [1, 2]
    # Whatever it means: as many as the job has, or all that are taken there.
    assert cards_free("0000000000000000", held("0000000000001111", 1)) == [5, 6, 7, 8]
    assert cards_free("0000000011110000", held("0000000000001100", 2, status="Creating")) == [1, 2]
    for text in (None, "1100", "000000000000110x"):
        assert cards_free("0000000011110000", held(text, 2)) == [1, 2, 3, 4]
    assert cards_free("0000000011110000", held("0000000000001100", 2, host="10.0.0.2")) == [1, 2, 3, 4]
    assert cards_free("0000000011110000", held("0000000000001100", 2, status="Completed")) == [1, 2, 3, 4]
    assert cards_free("1111", one) is None


def test_cards_that_the_node_shows_as_free_are_no_jobs_own() -> None:
    for text, cards in (("0000000000001100", [3, 4]), ("0000000000001000", None), ("0000000011110000", None)):
        there = node({CARD: "8"}, {CARD: "4"}, address="10.0.0.1", annotations={PLACEMENT: text})
        facts = observed([there], [held("0000000000001100", 2), held("0000000000000011", 2, "b")], placement_of=["a"])
        (placement,) = facts["placements"]
        assert [share["cards"] for share in placement["nodes"]] == [cards]


def test_a_job_has_free_cards_where_the_node_is_known() -> None:
    document = held("0000000000001100", 2)
    (there,), _unreadable = job_nodes(document["nodes"], Requirements(), {"10.0.0.1": 8})
    assert there["cards_free"] == [1, 2, 5, 6, 7, 8]
    for cards in (None, {}, {"10.0.0.2": 8}, {"10.0.0.1": None}):
        (there,), _unreadable = job_nodes(document["nodes"], Requirements(), cards)
        assert there["cards_free"] is None
