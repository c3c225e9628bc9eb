# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments that replace a job: how many are held back that would start, and how many of these no document tells.

What is given back goes to the jobs that wait first. How those are split is in no document: where another split of the
same amounts takes the room, a gate that lets the deployment through would be wrong half of the time.
"""

from __future__ import annotations

import random
import typing as t
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import decide
from ansible_collections.poolgate.modelarts.tests.unit.simulation.scheduler import TYPES, Pool, request_of, uuid_of
from ansible_collections.poolgate.modelarts.tests.unit.simulation.splits import split_otherwise
from ansible_collections.poolgate.modelarts.tests.unit.simulation.test_days import (
    groups_of,
    live,
    moments_of_a_day,
    starts,
    starts_when_emptied,
)

WHOLE = 60
DAYS = tries(WHOLE)
SPLITS = 1000
HELD_BACK = 0.10
"""Of those that would start, so many may be held back where the documents tell that they start."""


def told_by_no_document(pool: Pool, rng: random.Random, question: t.Any, replaced: t.Any) -> bool:
    """Whether some other split of the jobs that wait keeps the deployment from starting."""
    for _i in range(SPLITS):
        other = split_otherwise(pool, rng)
        if other is not None and not starts(other, *question, other.running[replaced.number]):
            return True
    return False


def replacing_through(strategy: str, day: int) -> tuple[Counter[str], list[str]]:
    rng = random.Random(f"replacing {strategy} {day}")
    pool = Pool(random.Random(f"replacing {strategy} {day} pool"), strategy=strategy)
    live(pool, len(pool.nodes) / rng.choice((3000, 6000, 9000, 20000)))
    flavors = sorted({node.flavor for node in pool.nodes.values()})
    counts: Counter[str] = Counter()
    wrong = []
    for when in moments_of_a_day(rng):
        pool.run_until(when)
        question = groups_of(rng, flavors), rng.choice(TYPES), rng.choice((1, 1, 2, 3))
        shown = [gang for gang in pool.running.values() if gang.shown_at <= pool.now]
        if not shown:
            continue
        replaced = rng.choice(shown)
        request = {**request_of(*question), "replaces": {"job_uuid": uuid_of(replaced)}}
        verdict = decide(
            pool.node_documents(),
            pool.job_documents(),
            pool_document=pool.pool_document(),
            request=request,
            policy={"queue_strategy": strategy},
        )
        truth, decision = starts(pool, *question, replaced), verdict["decision"]
        said = f"{strategy} day {day}, {pool.now:.0f} s: {decision} {request} {verdict['reasons']} {verdict['notes']}"
        if decision == "admit" and not truth:
            wrong.append(f"does not start: {said}")
        if decision == "reject" and starts_when_emptied(pool, *question):
            wrong.append(f"would start later: {said}")
        counts["would start"] += truth
        if truth and decision != "admit":
            counts["held back"] += 1
            counts["told by no document"] += told_by_no_document(pool, random.Random(when), question, replaced)
    return counts, wrong


@pytest.mark.parametrize("strategy", ["fifo", "traversal"])
def test_little_is_held_back_of_which_documents_tell_that_it_starts(
    strategy: str, record_property: t.Callable[[str, object], None]
) -> None:
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for day in range(DAYS):
        of_day, wrong_of_day = replacing_through(strategy, day)
        counts += of_day
        wrong += wrong_of_day
    would = counts["would start"]
    needless = (counts["held back"] - counts["told by no document"]) / would
    said = (
        f"{strategy}: {DAYS} days; of {would} that would start {counts['held back'] / would:.1%} are held back, "
        f"{counts['told by no document'] / would:.1%} as no document tells, {needless:.1%} needlessly"
    )
    print(said)
    record_property(strategy, said)
    assert not wrong, said + "\n" + "\n".join(wrong[:5])
    assert would > tries(300), said
    assert needless < HELD_BACK * (1 if DAYS == WHOLE else 2), said  # few days say less
