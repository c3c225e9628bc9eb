# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jobs hold beyond the nodes that they show: it is on others, and no room there."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    address_of,
    decide,
    job,
    node,
)

CPU = {"cpu": "96", "memory": "700Gi"}
SIZE = {**CPU, GPU: "8"}
FULL = {**SIZE, GPU: "0"}
SNT9B, D1980 = "huawei.com/ascend-snt9b", "huawei.com/ascend-1980"

# The nodes that are shown, the cards of the job, and what it tells of its split; there is one idle node beside.
BEYOND: dict[str, tuple[list[dict[str, t.Any]], t.Any, dict[int, t.Any]]] = {
    "two of three nodes": ([node(SIZE, FULL), node(SIZE, FULL)], 24, {}),
    "two of three that are behind": ([node(SIZE), node(SIZE)], 24, {}),
    "a share that is less": ([node(SIZE, {**SIZE, GPU: "4"})], 8, {0: {GPU: 4}}),
    "two shares that are less": ([node(SIZE), node(SIZE)], 16, {0: {GPU: 4}, 1: {GPU: 8}}),
    "a share of another resource": ([node(SIZE, FULL)], 16, {0: {"cpu": 4}}),
    "a master without cards": ([node(CPU)], 8, {}),
    "free cards not told": ([node(SIZE, CPU)], 16, {}),
    "size not readable": ([node({**SIZE, GPU: "?"}, FULL)], 16, {}),
    "neither size nor free": ([node(None, phase="Abnormal")], 16, {}),
    "being created": ([node(None, phase="Creating")], 16, {}),
}


@pytest.mark.parametrize("name", BEYOND)
@pytest.mark.parametrize("request_", [{"resources": {GPU: 8}}, {"flavor": FLAVOR}], ids=["cards", "whole node"])
def test_what_a_job_holds_beyond_the_nodes_that_it_shows_is_no_room(name: str, request_: t.Any) -> None:
    shown, cards, shares = BEYOND[name]
    other = node(SIZE)
    large = job({GPU: cards, "cpu": "8", "memory": "8Gi"}, "Creating", on=[address_of(one) for one in shown])
    if shares:
        large["nodes"] = [
            {"hostIp": address_of(shown[index]), "resourceRequirement": share} for index, share in shares.items()
        ]
    assert decide([*shown, other], [large], request=request_)["decision"] in ("wait", "unknown")
    assert decide([*shown, other], [], request=request_)["decision"] == "admit"


def test_a_job_that_fits_on_its_nodes_is_nowhere_else() -> None:
    shown, other = [node(SIZE), node(SIZE)], node(SIZE)
    large = job({GPU: 16}, "Creating", on=[address_of(one) for one in shown])
    assert decide([*shown, other], [large], request={"resources": {GPU: 8}})["decision"] == "admit"


def test_cards_under_another_name_beyond_the_node_are_not_known() -> None:
    shown, other = node({**CPU, SNT9B: "8"}), node({**CPU, SNT9B: "8"})
    large = job({D1980: 16}, "Creating", on=[address_of(shown)])
    assert decide([shown, other], [large], request={"resources": {SNT9B: 8}})["decision"] == "unknown"
    small = job({D1980: 8}, "Creating", on=[address_of(shown)])
    assert decide([shown, other], [small], request={"resources": {SNT9B: 8}})["decision"] == "admit"


@pytest.mark.parametrize("odd", ["0", "4"])
@pytest.mark.parametrize("shows", [True, False])
def test_a_name_of_which_there_is_less_than_is_held_does_not_hold_it(odd: str, shows: bool) -> None:
    nodes = [node({**CPU, SNT9B: "8", D1980: odd})]
    held = job({D1980: 8}, "Creating", on=[address_of(nodes[0])] if shows else ())
    assert decide(nodes, [held], request={"resources": {SNT9B: 8}})["decision"] != "admit" or (odd, shows) == (
        "4",
        False,
    )


@pytest.mark.parametrize("requirement", [{D1980: "8 cards"}, {"gpu": 8}, {"tnt004": 8}, {"gpu": "?"}])
@pytest.mark.parametrize("shows", [True, False])
def test_cards_that_no_node_names_may_be_any(requirement: t.Any, shows: bool) -> None:
    nodes = [node({**CPU, SNT9B: "8"})]
    held = job(requirement, "Creating", on=[address_of(nodes[0])] if shows else ())
    assert decide(nodes, [held], request={"resources": {SNT9B: 8}})["decision"] == "unknown"
