# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of one moment and jobs of another: what is admitted fits into the pool as it is at the later one."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.apart import KINDS, World, world
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import decide

WORLDS = tries(600)
"""For each kind, with and without services on the nodes."""


def decision_on(made: World) -> str:
    return t.cast(str, decide(made.nodes, made.jobs, request=made.request)["decision"])


def told(kind: str, seed: int, made: World) -> str:
    return f"world({seed}, {kind!r}): {made.request} {made.nodes} {made.jobs}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("services", [False, True])
def test_no_document_that_is_behind_makes_room(kind: str, services: bool) -> None:
    met: Counter[tuple[str, bool]] = Counter()
    for seed in range(WORLDS):
        made = world(seed, kind, services=services)
        decision, fits = decision_on(made), made.fits()
        assert fits or decision != "admit", told(kind, seed, made)
        met[(decision, fits)] += 1
    assert met[("admit", True)] >= WORLDS // 24, met
    assert met[("wait", False)] >= WORLDS // 24, met


@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_one_moment_hold_nothing_back(kind: str) -> None:
    """Where every job shows its nodes and its split, the gate says what a look into the pool says."""
    met: Counter[tuple[str, bool]] = Counter()
    for seed in range(WORLDS // 2):
        made = world(seed, kind, apart=False, services=True, told=1.0)
        if any(one.shows == "nothing" for one in made.later):
            continue
        decision, fits = decision_on(made), made.fits()
        assert (decision == "admit") is fits, (decision, told(kind, seed, made))
        met[(decision, fits)] += 1
    assert met[("admit", True)] > WORLDS // 40, met
