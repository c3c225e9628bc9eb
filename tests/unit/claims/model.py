# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world of deployers that share a pool and a store of claims, in which anything may happen between any two steps.

Deployers run the shipped functions of the protocol. Around them, answers get lost, processes die, reads are behind,
each in its own way, and a scheduler starts and ends jobs. ``moves`` gives everything that can happen next in a world,
and ``broken`` says what must never be.

Time goes in ticks, of which a claim lasts for one or two; everything settles within one. A process that has died is one
that makes no move any more, which each may do at any time.
"""

from __future__ import annotations

import functools
import itertools
import random
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest import mock

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import protocol
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.attempt import Answer, propose
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    Claim,
    PoolClaims,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Asked,
    Reading,
    Row,
    SeenJob,
    Stage,
    Wanted,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

CARD = "nvidia.com/gpu"
ASKED = Asked("train", 1, (Group(1, {CARD: 1000}, None),), {CARD: 1000})
# When a job was created that was there before all deployers, and those of the deployers.
OLD, YOUNG = -1000.0, 1000.0
TICKS = {"SETTLE": 1, "KEPT": 1, "OLDEST_READING": 1}

# What a job is: not there, in the queue, on a node that neither it nor the node shows, on a node, ending, ended, gone.
NONE, WAITS, STARTS, RUNS, ENDS, OVER, GONE = range(7)
HOLDING = (STARTS, RUNS, ENDS)
SHOWN = {
    WAITS: (Stage.WAITS, False),
    STARTS: (Stage.STARTS, False),
    RUNS: (Stage.RUNS, True),
    ENDS: (Stage.ENDS, True),
    OVER: (Stage.OVER, True),
}


class Job(t.NamedTuple):
    """What has become of a job, the newest last, each with its tick: a read shows any that is still within a tick."""

    uuid: str
    name: str
    history: tuple[tuple[int, int], ...]

    @property
    def stage(self) -> int:
        return self.history[-1][0]

    def become(self, stage: int, now: int) -> Job:
        return self._replace(history=(*self.history, (stage, now)))

    def at(self, now: int) -> Job:
        """Forget what no read shows any more."""
        first = max(index for index, (_stage, since) in enumerate(self.history) if index == 0 or since + 1 <= now)
        # Since when does not matter any more for what every read shows.
        (stage, _since), *later = self.history[first:]
        return self._replace(history=((stage, -2), *later))


Seen = tuple[tuple[str, str, int], ...]
"""Jobs as a read shows them: their UUIDs, names and stages."""


class Writing(t.NamedTuple):
    """A document that is to be written in place of a version."""

    version: int
    text: str


class Deployer(t.NamedTuple):
    """How far a pipeline is, with all that its process has in its memory.

    ``began`` are the version, the birth and the time of the document before it asked anything of the pool.
    """

    phase: str
    looks: int
    began: tuple[int, str | None, float] | None = None
    seen: Seen = ()
    taken: frozenset[str] = frozenset()
    writing: Writing | None = None
    row_at: int = 0
    expires: float = 0.0
    nonce: str = ""
    has_yes: bool = False


class World(t.NamedTuple):
    now: int
    version: int
    text: str
    jobs: tuple[Job | None, ...]
    deployers: tuple[Deployer, ...]


@dataclass(frozen=True)
class Rules:
    """The world's own: how many cards, whether a job that waits holds up all others, and what is read first."""

    room: int = 1
    fifo: bool = False
    nodes_first: bool = False
    looks: int = 2
    ttl: int = 2
    watches: bool = True
    # A job of the first deployer's name runs already, and may be ended before the gate looks, or be seen after that.
    with_earlier_job: bool = False
    with_old_times: bool = True
    # The first deployer was cancelled once it was admitted, and the second one is its retry, which has the same id.
    with_retry: bool = False
    # All deployers claim for jobs of one name.
    one_name: bool = False
    loses_answers: bool = True
    horizon: int = 6
    # What a variant changes of the world and not of the protocol.
    swaps_compare: bool = True
    store_comes_first: bool = True
    sees_starting: bool = True
    sees_ending: bool = True


Step = t.Callable[[World, int, Deployer, Rules], Iterator[tuple[str, World]]]


def first_world(count: int, rules: Rules) -> World:
    earlier = Job("old", "job0", ((RUNS, -2),)) if rules.with_earlier_job else None
    return World(0, 0, "", (*(None,) * count, earlier), (Deployer("idle", rules.looks),) * count)


@functools.lru_cache(maxsize=500_000)
def parsed(text: str) -> PoolClaims:
    return parse_claims(text) if text else PoolClaims("b")


def claim_id_of(index: int, rules: Rules) -> str:
    return f"c{0 if rules.with_retry and index == 1 else index}"


def job_name_of(index: int, rules: Rules) -> str:
    return f"job{0 if rules.one_name else index}"


def row_of(world: World) -> Row:
    return Row(world.version, parsed(world.text), float(world.now))


def reading_of(deployer: Deployer, rules: Rules) -> Reading:
    assert deployer.began is not None
    # Always the same, as another would make many worlds of one.
    return Reading(*deployer.began, [seen_job(*one, rules) for one in deployer.seen], read_at=0.0)


def seen_job(uuid: str, name: str, stage: int, rules: Rules) -> SeenJob:
    """Return a job as a read shows it. The deployers' own are younger than any claim, and the old one may be too."""
    created = YOUNG if uuid != "old" else OLD if rules.with_old_times else 0.0
    return SeenJob(uuid, name, "train", *SHOWN[stage], {CARD: 1000}, created)


def broken(world: World, rules: Rules) -> bool:
    """Whether more is promised, and not taken yet, or taken, than there is."""
    promised = 0
    for index, (deployer, job) in enumerate(zip(world.deployers, world.jobs)):
        if rules.with_retry and index == 0:
            continue
        if job is not None:
            promised += job.stage < OVER
        elif deployer.has_yes:
            promised += world.now < deployer.expires
    earlier = world.jobs[-1]
    return promised + (earlier is not None and earlier.stage < OVER) > rules.room


def moves(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    yield from world_moves(world, rules)
    yield from (("time passes", later) for later in time_passes(world, rules))
    for index in range(len(world.deployers)):
        yield from deployer_moves(world, index, rules)


def deployer_moves(world: World, index: int, rules: Rules) -> Iterator[tuple[str, World]]:
    deployer = world.deployers[index]
    for label, later in _STEPS.get(deployer.phase, _nothing)(world, index, deployer, rules):
        yield f"{index} {label}", later


# The world

_NEXT = {WAITS: (STARTS,), STARTS: (RUNS,), RUNS: (ENDS, OVER), ENDS: (GONE,)}


def world_moves(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    now = world.now
    holding = sum(job is not None and job.stage in HOLDING for job in world.jobs)
    for index, job in enumerate(world.jobs):
        if job is None:
            continue
        for stage in _NEXT.get(job.stage, ()):
            if stage != STARTS or holding < rules.room:
                yield f"job {index} becomes {stage}", _with_job(world, index, job.become(stage, now))


def time_passes(world: World, rules: Rules) -> Iterator[World]:
    now = world.now
    if now < rules.horizon and all(map(functools.partial(_may_age, world, rules), range(len(world.deployers)))):
        yield world._replace(now=now + 1, jobs=tuple(job and job.at(now + 1) for job in world.jobs))


def _may_age(world: World, rules: Rules, index: int) -> bool:
    """Whether what the protocol assumes still holds a tick later: a job has its cards before its claim is over.

    Where jobs that wait hold up all others, it need only be in the queue by then.
    """
    job = world.jobs[index]
    return job is None or rules.fifo or job.stage != WAITS or world.now + 1 <= world.deployers[index].expires


def _with_job(world: World, index: int, job: Job) -> World:
    return world._replace(jobs=(*world.jobs[:index], job, *world.jobs[index + 1 :]))


def _with(world: World, index: int, deployer: Deployer) -> World:
    return world._replace(deployers=(*world.deployers[:index], deployer, *world.deployers[index + 1 :]))


def _nothing(*_words: object) -> Iterator[tuple[str, World]]:
    return iter(())


def _stages(world: World) -> Iterator[list[tuple[Job, int]]]:
    """Every way in which a read may show the jobs."""
    jobs = [job for job in world.jobs if job is not None]
    for seen in itertools.product(*(sorted({stage for stage, _since in job.history}) for job in jobs)):
        yield list(zip(jobs, seen))


def _lists(world: World) -> Iterator[tuple[str, Seen]]:
    for shown in _stages(world):
        seen = tuple((job.uuid, job.name, stage) for job, stage in shown if stage in SHOWN)
        yield f"reads the jobs: {[(uuid, SHOWN[stage][0].value) for uuid, _name, stage in seen]}", seen


def _swap(world: World, writing: Writing | None, rules: Rules) -> World | None:
    """The store: None when another version is there by now."""
    assert writing is not None
    if writing.version != world.version and rules.swaps_compare:
        return None
    return world._replace(version=world.version + 1, text=writing.text)


# A gate


def _begin(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    if deployer.looks:
        first = "nodes" if rules.nodes_first else "jobs"
        yield "reads the store", _with(world, index, Deployer(first, deployer.looks - 1, _moment(world)))


def _moment(world: World) -> tuple[int, str | None, float]:
    began = row_of(world).reading(())
    return began.version, began.born, began.time


def _jobs(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    for said, seen in _lists(world):
        later = deployer._replace(phase="row" if rules.nodes_first else "nodes", seen=seen)
        yield said, _with(world, index, later)


def _nodes(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    for shown in _stages(world):
        taken = frozenset(job.uuid for job, stage in shown if stage in (RUNS, ENDS))
        later = deployer._replace(phase="jobs" if rules.nodes_first else "row", taken=taken)
        yield f"reads the nodes: {sorted(taken)}", _with(world, index, later)


def _used(deployer: Deployer, rules: Rules) -> int:
    """The cards that the facts show as taken: on nodes, by nodes and jobs together, and of jobs without a node."""
    active = [uuid for uuid, _name, stage in deployer.seen if stage in (STARTS, RUNS)]
    if not rules.sees_ending:
        return max(len(deployer.taken), len(active))
    on_nodes = {uuid for uuid, _name, stage in deployer.seen if stage in (RUNS, ENDS)} | deployer.taken
    return len(on_nodes) + sum(stage == STARTS for _uuid, _name, stage in deployer.seen if rules.sees_starting)


def _row(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    row, reading = row_of(world), reading_of(deployer, rules)
    if not rules.store_comes_first:
        reading = row.reading(reading.jobs, read_at=reading.read_at)
    if protocol.why_not_usable_with_claims(reading, row):
        yield "begins anew", _with(world, index, Deployer("idle", deployer.looks))
        return
    used = _used(deployer, rules)
    waits = rules.fifo and any(stage == WAITS for _uuid, _name, stage in deployer.seen)
    wanted = Wanted(
        claim_id_of(index, rules), job_name_of(index, rules), rules.ttl, "", {}, f"n{index}-{deployer.looks}"
    )

    def decide(counted: t.Sequence[protocol.Counted]) -> Answer[bool]:
        claimed = sum(one.amounts.get(CARD, 0) // 1000 for one in counted)
        fits = used + claimed + 1 <= rules.room and not waits
        return Answer(fits, fits, ASKED)

    proposal = propose(reading, row, wanted, decide)
    writing = Writing(proposal.version, dump_claims(proposal.document))
    if proposal.claim is not None:
        later = deployer._replace(phase="swap", writing=writing, row_at=world.now)
        yield f"would be admitted ({used} taken)", _with(world, index, later)
    elif proposal.is_changed:
        later = Deployer("marks", deployer.looks, writing=writing)
        yield f"is refused ({used} taken)", _with(world, index, later)
    else:
        yield f"is refused ({used} taken)", _with(world, index, Deployer("idle", deployer.looks))


def _marks(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    """What a refused gate has to write, it tries to write once."""
    later = _swap(world, deployer.writing, rules) or world
    yield "writes marks", _with(later, index, Deployer("idle", deployer.looks))


def _claim(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    yield "is cut off before it claims", _with(world, index, deployer._replace(phase="lost"))
    later = _swap(world, deployer.writing, rules)
    if later is None:
        yield "loses the swap", _with(world, index, deployer._replace(phase="row", writing=None))
        return
    yield "claims", _with(later, index, deployer._replace(phase="won"))
    yield "claims, and the answer is lost", _with(later, index, deployer._replace(phase="lost"))


def own_claim(index: int, deployer: Deployer, rules: Rules) -> Claim:
    assert deployer.writing is not None
    return parsed(deployer.writing.text).claims[claim_id_of(index, rules)]


def _lost(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    is_there = protocol.is_claim_written(row_of(world), own_claim(index, deployer, rules))
    yield "looks whether it was written", _with(world, index, deployer._replace(phase="won" if is_there else "row"))


def _won(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    claim = own_claim(index, deployer, rules)
    if world.now > deployer.row_at and not protocol.does_claim_hold(row_of(world), claim):
        yield "was paused for too long", _with(world, index, deployer._replace(phase="row"))
    else:
        later = Deployer("admitted", 0, expires=claim.expires, nonce=claim.nonce, has_yes=True)
        yield "is admitted", _with(world, index, later)


# The deployment behind it


def _admitted(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
    ended = Deployer("release", 0, expires=deployer.expires, nonce=deployer.nonce)
    if world.now < deployer.expires and not (rules.with_retry and index == 0):
        job = Job(f"j{index}", job_name_of(index, rules), ((NONE, world.now), (WAITS, world.now)))
        after = ended._replace(phase="watch" if rules.watches else "dead")
        yield "submits", _with(_with_job(world, index, job), index, after)
        if rules.loses_answers:
            yield "submits, and the answer is lost", _with(_with_job(world, index, job), index, ended)
    yield "fails, and releases", _with(world, index, ended)


def _begins_to(phase: str) -> Step:
    def begin(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
        later = deployer._replace(phase=f"{phase} jobs", began=_moment(world))
        yield f"reads the store for its {phase}", _with(world, index, later)

    return begin


def _reads_jobs_to(phase: str) -> Step:
    def read(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
        for said, seen in _lists(world):
            yield said, _with(world, index, deployer._replace(phase=f"{phase} row", seen=seen))

    return read


def _decides_to(phase: str) -> Step:
    def decide(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
        row, reading, claim_id = row_of(world), reading_of(deployer, rules), claim_id_of(index, rules)
        if phase == "release":
            document, _word = protocol.release_claim_of(row, reading, claim_id, nonce=deployer.nonce)
        else:
            own = next((job.uuid for job in reading.jobs if job.uuid == f"j{index}"), None)
            bound = row.document
            if own is not None:
                bound = protocol.bind_job_to_claim(bound, [(claim_id, deployer.nonce)], own, reading)
            document = protocol.mark_claims(replace(row, document=bound), reading)
        if document == row.document:
            yield f"has nothing to write for its {phase}", _with(world, index, _end_of(deployer))
        else:
            later = deployer._replace(phase=f"{phase} swap", writing=Writing(row.version, dump_claims(document)))
            yield f"decides its {phase}", _with(world, index, later)

    return decide


def _writes_its(phase: str) -> Step:
    def swap(world: World, index: int, deployer: Deployer, rules: Rules) -> Iterator[tuple[str, World]]:
        later = _swap(world, deployer.writing, rules)
        if later is None:
            yield "loses the swap", _with(world, index, deployer._replace(phase=f"{phase} row", writing=None))
        else:
            yield f"writes its {phase}", _with(later, index, _end_of(deployer))

    return swap


def _end_of(deployer: Deployer) -> Deployer:
    return _DEAD._replace(expires=deployer.expires)


_DEAD = Deployer("dead", 0)

_STEPS: dict[str, Step] = {
    "idle": _begin,
    "jobs": _jobs,
    "nodes": _nodes,
    "row": _row,
    "marks": _marks,
    "swap": _claim,
    "lost": _lost,
    "won": _won,
    "admitted": _admitted,
    **{
        f"{phase}{step}": make(phase)
        for phase in ("watch", "release")
        for step, make in (("", _begins_to), (" jobs", _reads_jobs_to), (" row", _decides_to), (" swap", _writes_its))
    },
}


# Walking through it


@contextmanager
def in_ticks(**left_out: t.Callable[..., t.Any]) -> Iterator[None]:
    """The protocol with the model's times, and with some of its rules replaced."""
    with mock.patch.multiple(protocol, **{**TICKS, **left_out}):
        yield


class OtherCourseError(Exception):
    """A run that cannot go on as it is written."""


def play(count: int, rules: Rules, run: t.Sequence[str]) -> World:
    """Return the world after moves whose labels begin with these words. Raises OtherCourseError where there is none."""
    world = first_world(count, rules)
    for number, words in enumerate(run):
        found = [later for label, later in moves(world, rules) if label.startswith(words)]
        if not found:
            others = ", ".join(label for label, _later in moves(world, rules))
            raise OtherCourseError(f"{number}: {words}; there is {others}")
        world = found[0]
    return world


def run_of(path: t.Any) -> list[str]:
    labels = []
    while path is not None:
        label, path = path
        labels.append(label)
    return labels[::-1]


def wander(
    count: int, rules: Rules, rng: random.Random, moves_left: int, begin: t.Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Make so many random moves, life after life; return how many lives there were, and the run that breaks.

    Each life goes on from what it begins with.
    """
    lives, first = 0, play(count, rules, begin)
    while moves_left > 0:
        lives += 1
        world, run = first, [*begin]
        while True:
            found = list(moves(world, rules))
            if not found:
                break
            # Time passes less often than something happens, or little would happen before the end.
            weights = [0.3 if label == "time passes" else 1.0 for label, _later in found]
            ((label, world),) = rng.choices(found, weights)
            run.append(label)
            moves_left -= 1
            if broken(world, rules):
                return lives, run
    return lives, []
