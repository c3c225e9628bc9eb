# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two gates never take the same room, in every order of what deployers do, and each rule is needed for that."""

from __future__ import annotations

import os
import random
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import protocol
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import Claim, PoolClaims
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Reading,
    Row,
    SeenJob,
    Stage,
)
from ansible_collections.poolgate.modelarts.tests.unit.claims.model import (
    OtherCourseError,
    Rules,
    broken,
    in_ticks,
    play,
    wander,
)
from ansible_collections.poolgate.modelarts.tests.unit.claims.reduced import walk_reduced
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries

WORLDS = {
    "traversal": Rules(looks=1, ttl=1),
    "fifo, nodes first": Rules(looks=1, ttl=1, fifo=True, nodes_first=True),
}
IS_WHOLE = os.environ.get("EFFORT") == "full"
# Of the first one with one tick there are 10,000 worlds, which take ten seconds.
TICKS_OF_A_PART = {"traversal": 1, "fifo, nodes first": 0}
MOVES = tries(1_200_000)
MOST_TICKS = 3


@pytest.mark.parametrize("name", WORLDS)
def test_two_deployers_in_every_order(name: str, record_property: t.Callable[[str, object], None]) -> None:
    """All of them in the session `claims-model`, where time passes as often as it changes something.

    Else all that happens within so many ticks: each gate reads, decides and swaps, jobs come and end.
    """
    with in_ticks():
        worlds, run = walk_reduced(WORLDS[name], None if IS_WHOLE else TICKS_OF_A_PART[name])
    record_property("worlds", worlds)
    print(f"{worlds} worlds")
    assert run == []
    assert worlds > (100_000 if IS_WHOLE else 1_000)


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("fifo", [False, True])
def test_more_deployers_in_random_orders(
    count: int, fifo: bool, record_property: t.Callable[[str, object], None]
) -> None:
    """More than a million moves in the session `claims-model`."""
    rng = random.Random(f"{count} {fifo}")
    lives = 0
    for nodes_first in (False, True):
        rules = Rules(room=count // 2, fifo=fifo, nodes_first=nodes_first, horizon=7)
        with in_ticks():
            lived, run = wander(count, rules, rng, MOVES // 8 if IS_WHOLE else 1_500)
        assert run == [], f"{rules}"
        lives += lived
    record_property("lives", lives)
    assert lives > 5


def test_a_cancelled_run_and_its_retry() -> None:
    """The retry has the same id, and what the cancelled run gives back late is not what the retry was promised."""
    rules = Rules(looks=1, ttl=1, horizon=2, with_retry=True)
    with in_ticks():
        assert wander(3, rules, random.Random("retry"), MOVES // 8 if IS_WHOLE else 3_000)[1] == []


def test_runs_that_claim_for_one_name() -> None:
    """Whose job it is, a gate cannot tell: each may be taken for the other's, as all ask for the same."""
    with in_ticks():
        for fifo in (False, True):
            # A late job of one that was released could be that of any other run.
            rules = Rules(looks=2, room=2, one_name=True, loses_answers=False, fifo=fifo)
            assert wander(3, rules, random.Random("one name"), MOVES // 8 if IS_WHOLE else 3_000)[1] == []


# What both deployers do in most of the runs below.
ADMITTED = (
    *("reads the store", "reads the jobs: []", "reads the nodes: []", "would be admitted"),
    *("claims", "is admitted"),
)


def of(deployer: int, *moves: str) -> list[str]:
    return [f"{deployer} {move}" for move in moves]


ZERO, ONE = of(0, *ADMITTED), of(1, *ADMITTED)
ONE_LOOKS = ONE[:3]
RUNNING = [*ZERO, "0 submits", "job 0 becomes 2", "job 0 becomes 3"]
WATCHED = [*RUNNING, *of(0, "reads the store", "reads the jobs: [('j0', 'runs')]", "decides", "writes")]
UNSURE = [*ZERO, "0 submits, and the answer is lost"]
RELEASED = [*UNSURE, *of(0, "reads the store", "reads the jobs: []", "decides", "writes")]
BESIDE_AN_EARLIER_JOB = (
    "reads the store",
    "reads the jobs: [('old', 'runs')]",
    "reads the nodes: ['old']",
    *ADMITTED[3:],
)
ENDED_BEFORE = ["job 2 becomes 4", "job 2 becomes 6"]
SEES_OLD = of(1, "reads the store", "reads the jobs: [('old', 'runs')]")
# A deployer ends the job that has its name, and asks. Another sees the job: it looked before, or its list is behind.
USED_AGAIN = {
    "is_reading_older_than_claim": (
        Rules(looks=2, with_earlier_job=True, with_old_times=False),
        [*SEES_OLD, *ENDED_BEFORE, *ZERO],
    ),
    "is_job_older_than_claim": (Rules(looks=2, with_earlier_job=True), [*ENDED_BEFORE, *ZERO, *SEES_OLD]),
}
TIME = "time passes"


def test_a_name_that_is_used_again() -> None:
    """Where times do not tell, a list that is behind shows the old job as a new one: see the guide on claims."""
    rule = "is_job_older_than_claim"
    rules, begin = USED_AGAIN[rule]
    with in_ticks():
        assert wander(2, rules, random.Random(rule), MOVES // 8 if IS_WHOLE else 3_000, begin)[1] == []
    with in_ticks(**{rule: lambda *_words: False}):
        assert wander(2, rules, random.Random(rule), 30_000, begin)[1]


class Left(t.NamedTuple):
    """A rule that is left out: by a function in its place, or in the world. And the run that shows what it is for."""

    functions: dict[str, t.Callable[..., t.Any]]
    rules: Rules
    run: list[str]


def _has_its_nonce(row: Row, claim: Claim) -> bool:
    written = row.document.claims.get(claim.id)
    return written is not None and written.nonce == claim.nonce


def _oldest_first(document: PoolClaims, reading: Reading) -> dict[str, list[SeenJob]]:
    """Give each job to the oldest claim, also where that has ended."""
    found: dict[str, list[SeenJob]] = {key: [] for key in document.claims}
    claims = sorted(document.claims.values(), key=lambda claim: claim.version)
    for job in reading.jobs:
        named = [claim for claim in claims if claim.job == job.name and job.uuid not in claim.known]
        if named:
            found[named[0].key].append(job)
    return found


def _without_job_and_still_ended(claim: Claim, job: SeenJob, _reading: Reading) -> Claim:
    return replace(claim, jobs=tuple(one for one in claim.jobs if one not in job.ids))


BASE = Rules(looks=1)
LEFT_OUT = {
    "a swap compares the version": Left(
        {}, Rules(looks=1, swaps_compare=False), [*ZERO[:4], *ONE[:4], *ZERO[4:], *ONE[4:]]
    ),
    "what was not written is written again": Left(
        {"is_claim_written": lambda _row, _claim: True},
        BASE,
        [*ZERO[:4], *of(0, "is cut off", "looks whether", "is admitted"), *ONE],
    ),
    "what an earlier try has written is not this one": Left(
        {"is_claim_written": _has_its_nonce},
        Rules(looks=1, ttl=1),
        [
            *(*ZERO[:4], TIME, "0 claims", *of(0, "was paused", "would be admitted", "is cut off", "looks whether")),
            *(*of(0, "is admitted", "submits"), TIME),
            *("1 reads the store", "1 reads the jobs: [('j0', 'waits')]", *ONE[2:]),
        ],
    ),
    "an earlier try does not take the job of its claim": Left(
        {"jobs_of_claims": _oldest_first, "takes_job_for_certain": lambda _other, _claim: True},
        Rules(looks=1, ttl=1),
        [
            *(*ZERO[:4], TIME, "0 claims", *of(0, "was paused", "would be admitted", "claims", "is admitted")),
            *of(0, "submits, and the answer is lost", "reads the store", "reads the jobs: [('j0', 'waits')]"),
            *("0 decides its release", TIME, "0 writes"),
            *("1 reads the store", "1 reads the jobs: [('j0', 'waits')]", *ONE[2:]),
        ],
    ),
    # The run that one does not see coming: the document is younger than the facts.
    "the store is read before the pool": Left(
        {}, Rules(looks=1, store_comes_first=False), [*ONE_LOOKS, *RELEASED, TIME, *ONE[3:]]
    ),
    "an end counts for older readings": Left(
        {
            "has_claim_ended": lambda claim, _reading: True,
            "has_claim_settled": lambda claim, reading: claim.ended.at <= reading.time,
        },
        BASE,
        [*ONE_LOOKS, *WATCHED, *ONE[3:]],
    ),
    "time that is over counts for older readings": Left(
        {"may_claim_be_dropped": lambda claim, now: claim.ended is None and claim.expires <= now},
        BASE,
        [*ZERO[:4], TIME, *ZERO[4:], "0 submits", *ONE[:2], TIME, *ONE[2:]],
    ),
    "time that is over settles": Left(
        {"has_claim_expired": lambda claim, reading: claim.expires <= reading.time},
        BASE,
        [
            *ZERO,
            "0 submits",
            TIME,
            TIME,
            "job 0 becomes 2",
            "job 0 becomes 3",
            "1 reads the store",
            "1 reads the jobs: [('j0', 'waits')]",
            *ONE[2:],
        ],
    ),
    "a job that waits has no cards": Left(
        {"covers_claim": lambda job: job.stage is not Stage.ENDS},
        BASE,
        [*ZERO, "0 submits", "1 reads the store", "1 reads the jobs: [('j0', 'waits')]", *ONE[2:]],
    ),
    "an end settles": Left({"has_claim_settled": lambda _claim, _reading: True}, BASE, [*WATCHED, *ONE]),
    "it has settled when the reading began": Left(
        {"may_claim_be_dropped": lambda claim, now: claim.ended is not None and claim.ended.at + 1 <= now},
        BASE,
        [*WATCHED, *ONE_LOOKS, TIME, *ONE[3:]],
    ),
    "a job that starts is on no node yet": Left(
        {},
        Rules(looks=1, sees_starting=False),
        [*ZERO, "0 submits", "job 0 becomes 2", "1 reads the store", "1 reads the jobs: [('j0', 'starts')]", *ONE[2:]],
    ),
    "a submission may come after a release": Left(
        {"needs_claim_no_grace": lambda claim: claim.ended is not None and claim.ended.why == "released"},
        BASE,
        [*RELEASED, *ONE],
    ),
    "what came after a release is promised its room": Left(
        {"may_come_after_claim": lambda _claim, _reading: False},
        BASE,
        [*RELEASED, TIME, "1 reads the store", "1 reads the jobs: [('j0', 'waits')]", *ONE[2:]],
    ),
    "a job from before the claim is not its job": Left(
        {"was_known_to_claim": lambda _claim, _job: False},
        Rules(looks=1, room=2, with_earlier_job=True),
        [*of(0, *BESIDE_AN_EARLIER_JOB), *of(1, *BESIDE_AN_EARLIER_JOB)],
    ),
    **{
        f"a name is used again: {rule}": Left(
            {rule: lambda *_words: False},
            rules,
            [
                *(*begin, *of(1, "reads the nodes: ['old']", "is refused", "writes marks"), TIME),
                *of(1, "reads the store", "reads the jobs: []", "reads the nodes: []", *ADMITTED[3:]),
            ],
        )
        for rule, (rules, begin) in USED_AGAIN.items()
    },
    "an ended claim is kept": Left(
        {"may_claim_be_dropped": lambda claim, _now: claim.ended is not None}, BASE, [*WATCHED, *ONE]
    ),
    "old facts are not decided on": Left(
        {"why_not_usable_with_claims": lambda _reading, _row: ""},
        BASE,
        [*ONE_LOOKS, *WATCHED, TIME, TIME, TIME, *ONE[3:]],
    ),
    "a release gives back what its own run has claimed": Left(
        {"claim_of_id": lambda document, claim_id, _nonce="": document.claims.get(claim_id)},
        Rules(looks=1, with_retry=True),
        [
            *(*ZERO, "0 fails, and releases", *ONE),
            *of(0, "reads the store", "reads the jobs: []", "decides its release", "writes"),
            *(TIME, *of(2, *ADMITTED)),
        ],
    ),
    "a watch gives back the end that its job has made": Left(
        {"_claim_without_job": _without_job_and_still_ended},
        Rules(looks=1, room=2, one_name=True),
        [
            *(*ZERO, *ONE, "1 submits", "job 1 becomes 2", "job 1 becomes 3"),
            *of(2, "reads the store", "reads the jobs: [('j1', 'runs')]", "reads the nodes: ['j1']"),
            *("2 is refused", "2 writes marks", "1 reads the store", "1 reads the jobs: [('j1', 'runs')]"),
            *of(1, "decides its watch", "writes"),
            *(TIME, *of(3, "reads the store", "reads the jobs: [('j1', 'runs')]", "reads the nodes: ['j1']")),
            *of(3, *ADMITTED[3:]),
        ],
    ),
    "of two claims of one name, a release does not guess whose job waits": Left(
        {"takes_job_for_certain": lambda other, _claim: other.ended is None},
        Rules(looks=1, room=2, one_name=True),
        [
            *(*ZERO, *ONE, "1 submits, and the answer is lost"),
            *of(1, "reads the store", "reads the jobs: [('j1', 'waits')]", "decides its release", "writes"),
            *(TIME, *of(2, "reads the store", "reads the jobs: [('j1', 'waits')]", "reads the nodes: []")),
            *of(2, *ADMITTED[3:]),
        ],
    ),
    # Nodes and jobs are compared job by job: in all, the card of one that ends would hide that of one that starts.
    "the card of a job that ends counts": Left(
        {},
        Rules(looks=1, with_earlier_job=True, room=2, sees_ending=False),
        [
            *of(0, *BESIDE_AN_EARLIER_JOB, "submits"),
            *("job 2 becomes 4", "job 0 becomes 2", "1 reads the store"),
            *("1 reads the jobs: [('j0', 'starts'), ('old', 'ends')]", "1 reads the nodes: ['old']", *ONE[3:]),
        ],
    ),
}


@pytest.mark.parametrize("left", LEFT_OUT.values(), ids=LEFT_OUT)
def test_each_rule_is_needed(left: Left) -> None:
    count = 4 if left.rules.one_name else 3 if left.rules.with_retry else 2
    with in_ticks(**left.functions):
        assert broken(play(count, left.rules, left.run), left.rules)
    kept = replace(left.rules, swaps_compare=True, store_comes_first=True, sees_starting=True, sees_ending=True)
    with in_ticks(), pytest.raises(OtherCourseError):
        play(count, kept, left.run)


# In which time has to pass before anything breaks: these take six minutes, and are for the session `claims-model`.
LATE = (
    "old facts are not decided on",
    "time that is over settles",
    "time that is over counts for older readings",
    "what an earlier try has written is not this one",
    "an earlier try does not take the job of its claim",
    "what came after a release is promised its room",
)
# With a job from before, or more than two deployers, there are more worlds than can be walked through. And of a run and
# its retry, which share an id, the walk cannot take one for the other. The runs above show what these rules are for.
WALKED = [
    name
    for name, left in LEFT_OUT.items()
    if not (left.rules.with_earlier_job or left.rules.with_retry or left.rules.one_name)
]


@pytest.mark.parametrize("name", [name for name in WALKED if IS_WHOLE or name not in LATE])
def test_the_walk_finds_what_each_rule_is_for(name: str) -> None:
    """The reductions of the walk hide none of it."""
    left = LEFT_OUT[name]
    with in_ticks(**left.functions):
        worlds, run = walk_reduced(left.rules, MOST_TICKS)
    assert run, f"{worlds} worlds"


def test_the_times_of_the_model_are_those_of_the_protocol() -> None:
    """What the model needs of them: a claim that has ended is kept for longer than facts are decided on."""
    assert protocol.KEPT >= protocol.OLDEST_READING > protocol.SETTLE
