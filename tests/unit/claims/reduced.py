# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk through every order of what two deployers do, that comes to its end: worlds that are alike count as one.

Each deployer is one gate, its deployment, and a watch or a release behind it. The gate decides again as often as it
loses a swap, answers get lost, and reads are behind. A process may stand still at each step for as long as it likes, or
for good, which is what a crash is. Nothing else bounds the walk: time passes until it changes nothing any more.

Five reductions make it finite and small. None of them leaves out a world that breaks:

* Versions and times count by what the protocol compares: versions by their order, times by how long ago they are.
  Between two times, more than what settling and keeping take together is as good as any more.
* The two deployers are alike, so which of them is called the first does not matter.
* What a process has in its memory and never reads again is forgotten. A gate that holds a document in place of a
  version which is no longer there can only lose the swap: it is where it was before it had decided. One whose facts are
  too old by now begins anew.
* Where so few deployers are left that may have room promised, or have it, that it suffices for all of them, no world
  behind it breaks.
* A step that only reads waits until what it reads is about to change, or until its own process writes. Reads of the
  store are made before another deployer writes and before time passes. Reads of jobs and nodes show all that has been
  since the last tick, so a later one within a tick shows no less: they are made before time passes, or when their
  process decides. Each world is looked at with all that the waiting steps could lead to, an admission among them.

Without them, two gates of one look each have more than three million worlds. With them, these are 137,518, or 205,555
where jobs that wait hold up all others and nodes are read first.
"""

from __future__ import annotations

import functools
import itertools
import typing as t
from collections import deque
from dataclasses import replace

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import protocol
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    Claim,
    PoolClaims,
    dump_claims,
)
from ansible_collections.poolgate.modelarts.tests.unit.claims.model import (
    ENDS,
    NONE,
    OVER,
    RUNS,
    TICKS,
    WAITS,
    Deployer,
    Job,
    Rules,
    World,
    broken,
    deployer_moves,
    first_world,
    own_claim,
    parsed,
    reading_of,
    row_of,
    run_of,
    time_passes,
    world_moves,
)

# What the protocol adds up of its times, and one tick more.
_LONG_AGO = sum(TICKS.values()) + 1
# Any moment that is late enough for all that is older.
_NOW = 100
TIME = "time passes"
_ASKING = ("jobs", "nodes", "row", "swap", "lost", "won")
_ALIKE = ("j", "job", "c", "n")

Local = tuple[tuple[str, ...], Deployer]
"""Steps, the last of which leads to this."""


def writes(phase: str) -> bool:
    """Whether the next step of a deployer changes what others read."""
    return phase.endswith("swap") or phase in ("marks", "admitted")


class _Walk:
    """The rules of a walk, and what is known already of steps that only read."""

    def __init__(self, rules: Rules) -> None:
        self.rules = replace(rules, horizon=10**9)
        self._read: dict[t.Any, list[Local]] = {}

    def waiting(self, world: World, index: int) -> list[Local]:
        """Return what a deployer may be when it has made some of its steps that only read, none of them among it."""
        # What another deployer has in its memory is read by nobody else.
        key = (world._replace(deployers=()), index, world.deployers[index])
        if key not in self._read:
            found: dict[Deployer, tuple[str, ...]] = {world.deployers[index]: ()}
            pending = deque(found)
            while pending:
                deployer = pending.popleft()
                for label, later in self._only_reads(world, index, deployer):
                    if later not in found:
                        found[later] = (*found[deployer], label)
                        pending.append(later)
            self._read[key] = [(labels, deployer) for deployer, labels in found.items()]
        return self._read[key]

    def _only_reads(self, world: World, index: int, deployer: Deployer) -> t.Iterator[tuple[str, Deployer]]:
        here = with_deployer(world, index, deployer)
        for label, later in deployer_moves(here, index, self.rules):
            if (later.version, later.jobs) == (world.version, world.jobs) and deployer.phase != "admitted":
                yield label, later.deployers[index]

    def moves(self, world: World) -> t.Iterator[tuple[tuple[str, ...], World]]:
        """Yield the runs of steps that end with one that changes what is read, and the worlds after it."""
        for label, later in world_moves(world, self.rules):
            yield (label,), later
        for index in range(len(world.deployers)):
            for labels, deployer in self.waiting(world, index):
                if writes(deployer.phase):
                    yield from self._writes(with_deployer(world, index, deployer), index, labels)
        for labels, later in self._with_others(world, range(len(world.deployers))):
            for tick in time_passes(later, self.rules):
                yield (*labels, TIME), tick

    def _writes(self, world: World, index: int, labels: tuple[str, ...]) -> t.Iterator[tuple[tuple[str, ...], World]]:
        others = [other for other in range(len(world.deployers)) if other != index]
        for label, later in deployer_moves(world, index, self.rules):
            if later.version != world.version:
                for before, here in self._with_others(world, others):
                    yield (
                        (*labels, *before, label),
                        here._replace(
                            version=later.version,
                            text=later.text,
                            deployers=with_deployer(here, index, later.deployers[index]).deployers,
                        ),
                    )
            elif later.jobs != world.jobs or world.deployers[index].phase == "admitted":
                yield (*labels, label), later

    def _with_others(self, world: World, others: t.Iterable[int]) -> t.Iterator[tuple[tuple[str, ...], World]]:
        """Yield the worlds in which these have made some of their steps that only read."""
        indices = list(others)
        for locals_ in itertools.product(*(self.waiting(world, index) for index in indices)):
            here = world
            for index, (_labels, deployer) in zip(indices, locals_):
                here = with_deployer(here, index, deployer)
            yield tuple(label for labels, _deployer in locals_ for label in labels), here

    def breaks(self, world: World) -> list[str] | None:
        """Return the steps after which the world is broken that only read; None where there are none."""
        for labels, later in self._with_others(world, range(len(world.deployers))):
            if broken(later, self.rules):
                return list(labels)
        return None


def with_deployer(world: World, index: int, deployer: Deployer) -> World:
    return world._replace(deployers=(*world.deployers[:index], deployer, *world.deployers[index + 1 :]))


def walk_reduced(rules: Rules, ticks: int | None = None) -> tuple[int, list[str]]:
    """Go through every world of two deployers, or through those that so many ticks lead to.

    Return how many there were, and a run that breaks, of as few ticks as can be.
    """
    one = _Walk(rules)
    first = alike(first_world(2, one.rules), rules)
    seen = {first}
    now: list[tuple[World, t.Any]] = [(first, None)]
    for _tick in itertools.count() if ticks is None else range(ticks + 1):
        later_ones: list[tuple[World, t.Any]] = []
        while now:
            world, path = now.pop()
            broke = one.breaks(world)
            if broke is not None:
                return len(seen), [*run_of(path), *broke]
            for labels, later in one.moves(world):
                same = alike(later, rules)
                if same not in seen and may_break(same, rules):
                    seen.add(same)
                    (later_ones if labels[-1] == TIME else now).append((same, (", ".join(labels), path)))
        now = later_ones
        if not now:
            break
    return len(seen), []


# Worlds that are alike


def alike(world: World, rules: Rules) -> World:
    """Return the one world that stands for all that differ only in what nothing reads."""
    deployers = tuple(_remembered(world, index, rules) for index in range(len(world.deployers)))
    world = world._replace(deployers=deployers)
    documents = [parsed(world.text), *(parsed(one.writing.text) for one in deployers if one.writing is not None)]
    versions = _order_of_versions(world, documents)
    times = _times_ago(world, documents)
    # Which of them comes first is told by what has no name in it, if that tells.
    looks = [(one.phase, one.looks, str(job and job.history)) for one, job in zip(deployers, world.jobs)]
    order = tuple(sorted(range(len(deployers)), key=looks.__getitem__))
    if len(set(looks)) == len(looks):
        return _renamed(world, versions, times, order)
    turned = [_renamed(world, versions, times, order) for order in itertools.permutations(range(len(deployers)))]
    return min(turned, key=repr)


def _remembered(world: World, index: int, rules: Rules) -> Deployer:
    deployer, job = world.deployers[index], world.jobs[index]
    is_lost = deployer.writing is not None and deployer.writing.version != world.version and rules.swaps_compare
    if is_lost and deployer.phase == "swap":
        deployer = deployer._replace(phase="row", writing=None, row_at=0)
    if is_lost and deployer.phase == "marks":
        deployer = Deployer("idle", deployer.looks)
    if is_lost and deployer.phase in ("watch swap", "release swap"):
        deployer = deployer._replace(phase=deployer.phase.replace("swap", "row"), writing=None)
    if deployer.phase == "lost" and not protocol.is_claim_written(row_of(world), own_claim(index, deployer, rules)):
        deployer = deployer._replace(phase="row", writing=None, row_at=0)
    if deployer.phase in ("jobs", "nodes", "row") and protocol.why_not_usable_with_claims(
        reading_of(deployer, rules), row_of(world)
    ):
        deployer = Deployer("idle", deployer.looks)
    if deployer.taken <= {uuid for uuid, _name, stage in deployer.seen if stage in (RUNS, ENDS)} and rules.sees_ending:
        deployer = deployer._replace(taken=frozenset())
    if deployer.phase == "idle" and not deployer.looks:
        deployer = Deployer("dead", 0)
    if deployer.phase != "admitted" and (job is None or job.stage != WAITS or rules.fifo):
        deployer = deployer._replace(expires=0.0)
    return deployer


def may_break(world: World, rules: Rules) -> bool:
    """Whether there are still enough deployers that may have room promised, or have it, at one time."""
    earlier = world.jobs[-1]
    count = int(earlier is not None and earlier.stage < OVER)
    for deployer, job in zip(world.deployers, world.jobs):
        is_asking = deployer.phase in _ASKING or (deployer.phase in ("idle", "marks") and deployer.looks > 0)
        has_yes = deployer.has_yes and world.now < deployer.expires
        count += is_asking or has_yes if job is None else job.stage < OVER
    return count > rules.room


def _order_of_versions(world: World, documents: t.Sequence[PoolClaims]) -> dict[int, int]:
    found = {0, world.version}
    for deployer in world.deployers:
        found |= {deployer.began[0]} if deployer.began is not None else set()
        found |= {deployer.writing.version} if deployer.writing is not None else set()
    for document in documents:
        for claim in document.claims.values():
            found |= {claim.version, *({claim.ended.version} if claim.ended is not None else ())}
    return {version: place for place, version in enumerate(sorted(found))}


def _times_ago(world: World, documents: t.Sequence[PoolClaims]) -> dict[float, float]:
    found = {float(world.now)}
    for deployer in world.deployers:
        found |= {deployer.began[2]} if deployer.began is not None else set()
        found |= {deployer.expires} if deployer.expires else set()
        found |= {float(deployer.row_at)} if deployer.writing is not None else set()
    for document in documents:
        for claim in document.claims.values():
            found |= {claim.created, claim.expires, *({claim.ended.at} if claim.ended is not None else ())}
    times, now = sorted(found), float(world.now)
    ago = {now: float(_NOW)}
    for later, earlier in itertools.pairwise(reversed([time for time in times if time <= now])):
        ago[earlier] = ago[later] - min(later - earlier, _LONG_AGO)
    for time in times:
        if time > now:
            ago[time] = _NOW + time - now
    return ago


def _renamed(world: World, versions: dict[int, int], times: dict[float, float], order: tuple[int, ...]) -> World:
    """Return the world with other versions and times, in which deployer ``order[i]`` is the one at ``i``."""
    names = {f"{kind}{was}": f"{kind}{now}" for now, was in enumerate(order) for kind in _ALIKE}
    name = functools.partial(_name, names)

    def document(text: str) -> str:
        return _renamed_document(text, tuple(versions.items()), tuple(times.items()), order) if text else ""

    jobs = [world.jobs[was] for was in order] + list(world.jobs[len(order) :])
    return World(
        now=_NOW,
        version=versions[world.version],
        text=document(world.text),
        jobs=tuple(job and _renamed_job(job, name, world.now) for job in jobs),
        deployers=tuple(
            one._replace(
                began=one.began and (versions[one.began[0]], one.began[1], times[one.began[2]]),
                seen=tuple(sorted((name(uuid), name(job), stage) for uuid, job, stage in one.seen)),
                taken=frozenset(map(name, one.taken)),
                writing=one.writing
                and one.writing._replace(version=versions[one.writing.version], text=document(one.writing.text)),
                row_at=int(times[one.row_at]) if one.writing is not None else 0,
                expires=times[one.expires] if one.expires else 0.0,
            )
            for one in (world.deployers[was] for was in order)
        ),
    )


def _renamed_job(job: Job, name: t.Callable[[str], str], now: int) -> Job:
    # Of the stages before the last, reads show each at any time.
    *before, (last, since) = job.history
    stages = [(stage, _NOW) for stage, _since in sorted(before)] + [(last, _NOW if since == now else -2)]
    if stages[0][0] != NONE and len(stages) == 1:
        stages = [(last, -2)]
    return Job(name(job.uuid), name(job.name), tuple(stages))


@functools.lru_cache(maxsize=500_000)
def _renamed_document(
    text: str, versions: tuple[tuple[int, int], ...], times: tuple[tuple[float, float], ...], order: tuple[int, ...]
) -> str:
    of_version, of_time = dict(versions), dict(times)
    names = {f"{kind}{was}": f"{kind}{now}" for now, was in enumerate(order) for kind in _ALIKE}
    name = functools.partial(_name, names)
    document = parsed(text)
    claims = []
    for claim in document.claims.values():
        ended = claim.ended and replace(
            claim.ended, at=of_time[claim.ended.at], version=of_version[claim.ended.version]
        )
        one: Claim = replace(
            claim,
            key=name(claim.id),
            job=name(claim.job),
            nonce=name(claim.nonce.partition("-")[0]) + "-" + claim.nonce.partition("-")[2],
            created=of_time[claim.created],
            expires=of_time[claim.expires],
            version=of_version[claim.version],
            known=frozenset(map(name, claim.known)),
            jobs=tuple(map(name, claim.jobs)),
            ended=ended,
        )
        claims.append(one if claim.key == claim.id else replace(one, key=one.key_when_replaced))
    return dump_claims(PoolClaims(document.born).with_claims(*claims))


def _name(names: t.Mapping[str, str], name: str) -> str:
    return names.get(name, name)
