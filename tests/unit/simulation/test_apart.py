# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and jobs are read one after the other: what is admitted fits the pool as it is at the later moment.

The oracle knows the pool itself, and shares no code with the decision.
"""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.apart import KINDS, World, world
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import decide, observed

# Jobs that wait are another check: here the room decides.
POLICY = {"queue_strategy": "backfill"}


def decision_on(made: World) -> str:
    return str(decide(made.nodes, made.jobs, request=made.request, policy=POLICY)["decision"])


@pytest.mark.parametrize("services", [False, True], ids=["bare", "services"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_admitted_fits_at_the_later_moment(kind: str, services: bool) -> None:
    """Jobs have started, ended, stopped and broken between the two documents."""
    met: Counter[str] = Counter()
    for seed in range(tries(1500)):
        made = world(seed, kind, services=services)
        decision = decision_on(made)
        met[decision] += 1
        assert decision != "admit" or made.fits(), (kind, seed)
    assert met["admit"] > sum(met.values()) / 20, met


@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_one_moment_hold_nothing_back(kind: str) -> None:
    """Where both are of one moment and each job tells its split, the bound takes nothing from what nodes show."""
    held_back = fitting = 0
    for seed in range(tries(800)):
        made = world(seed, kind, apart=False, told=1.0)
        if any(job.shows == "nothing" for job in made.later) or not made.fits():
            continue
        fitting += 1
        held_back += decision_on(made) != "admit"
    assert fitting > tries(800) / 20
    assert held_back <= fitting / 50, (held_back, fitting)


def test_what_jobs_hold_on_a_node_is_told() -> None:
    """In cores, bytes and cards, whatever their status."""
    made = next(
        candidate
        for candidate in (world(seed, "cards", told=1.0) for seed in range(200))
        if any(job.holds and job.shows == "split" and job.on for job in candidate.shown_in_jobs)
    )
    facts = observed(made.nodes, made.jobs)
    held = {node["private_ip"]: node["held"]["resources"] for node in facts["nodes"]}
    for machine in made.machines:
        cores = sum(
            job.on.get(machine.address, {}).get("cpu", 0)
            for job in made.shown_in_jobs
            if job.holds and job.shows == "split"
        )
        assert held[machine.address].get("cpu", 0) >= cores / 1000
