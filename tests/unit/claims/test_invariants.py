# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What claims promise, one check for each promise. Each docstring is the promise.

The first seven are asked of every world that random moves of three deployers lead to. That no order of moves breaks the
first one is shown by the walks of test_model.
"""

from __future__ import annotations

import random
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import protocol
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import GateClaims
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    Ended,
    PoolClaims,
    UnreadableDocumentError,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Reading,
    Row,
    SeenJob,
    Stage,
    Wanted,
    counted_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Documents, open_store
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.cards import asking, gpu_nodes
from ansible_collections.poolgate.modelarts.tests.unit.claims.model import (
    CARD,
    RUNS,
    SHOWN,
    Rules,
    World,
    broken,
    deployer_moves,
    first_world,
    in_ticks,
    moves,
    row_of,
    seen_job,
)
from ansible_collections.poolgate.modelarts.tests.unit.claims.test_ascend_cards import verdict_beside
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.card_landings import promises
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import observed

RULES = Rules(room=1, looks=2, ttl=2, horizon=7)


def jobs_of(world: World) -> list[SeenJob]:
    """The jobs as a read shows them that is not behind."""
    there = [job for job in world.jobs if job is not None and job.stage in SHOWN]
    return [seen_job(job.uuid, job.name, job.stage, RULES) for job in there]


def reading_of_now(world: World) -> Reading:
    return row_of(world).reading(jobs_of(world))


# Of each world


def no_more_is_promised_than_there_is(_before: World, world: World) -> bool:
    """What is admitted and may still come, and what runs, is no more than there is, at every moment."""
    return not broken(world, RULES)


def claims_never_add_room(_before: World, world: World) -> bool:
    """Who is admitted with claims would be admitted without; no document, garbage included, adds room."""
    for text in (world.text, world.text.replace("1000", "-1000"), world.text[: len(world.text) // 2]):
        try:
            document = parse_claims(text) if text else row_of(world).document
        except UnreadableDocumentError:
            continue
        counted = protocol.counted_claims(document, reading_of_now(world))
        if any(amount < 0 for one in counted for amount in one.amounts.values()):
            return False
    return True


def no_gate_waits_for_its_own_claim(_before: World, world: World) -> bool:
    """No gate is refused because of its own claim, or of an earlier try with its ID, of which no job is submitted.

    The claim of a job that is seen to wait counts: it has its room, and a retry would submit another job.
    """
    document = row_of(world).document
    return not any(
        one.claim.id == f"c{index}" and not any(job.stage is Stage.WAITS for job in one.jobs)
        for index in range(len(world.deployers))
        for one in protocol.counted_claims(document, reading_of_now(world), Wanted(f"c{index}", "", 0, "", {}, ""))
    )


def room_comes_back_by_time_alone(_before: World, world: World) -> bool:
    """With all pipelines dead, nothing counts after the time of claims and of settling; no state needs a person."""
    row = row_of(world)
    later = replace(row, now=row.moment + RULES.ttl + protocol.SETTLE)
    return not protocol.counted_claims(row.document, later.reading(jobs_of(world)))


def a_job_that_has_settled_counts_once(_before: World, world: World) -> bool:
    """A job that holds its cards and has settled counts exactly once: as a job, and never as a claim."""
    settled = {job.name for job in world.jobs if job is not None and job.history == ((RUNS, -2),)}
    return not any(
        one.amounts.get(CARD)
        for one in protocol.counted_claims(row_of(world).document, reading_of_now(world))
        if one.claim.job in settled and _is_claim_of_last_try(world, one.claim.key)
    )


def _is_claim_of_last_try(world: World, key: str) -> bool:
    """Whether it is no earlier one that another has replaced: such a one counts until it has settled."""
    ended = row_of(world).document.claims[key].ended
    return ended is None or ended.why != "replaced"


def twice_is_once(_before: World, world: World) -> bool:
    """To watch, release or renew twice is to do so once; a swap whose answer was lost leaves one claim."""
    row, reading = row_of(world), reading_of_now(world)
    for key in row.document.claims:
        for change in (_released, _watched, _renewed):
            once = change(row, reading, key)
            again = change(replace(row, version=row.version + 1, document=once), reading, key)
            if dump_claims(again) != dump_claims(once):
                return False
    ids = [claim.id for claim in row.document.claims.values() if claim.ended is None]
    return len(set(ids)) == len(ids)


def _released(row: Row, reading: Reading, key: str) -> PoolClaims:
    return protocol.release_claim_of(row, reading, key)[0]


def _watched(row: Row, reading: Reading, _key: str) -> PoolClaims:
    return protocol.mark_claims(row, reading)


def _renewed(row: Row, _reading: Reading, key: str) -> PoolClaims:
    return protocol.renew_claim_of(row, key, RULES.ttl)[0]


def versions_only_grow(before: World, world: World) -> bool:
    """Versions only grow, and each admission has one of its own."""
    claims = row_of(world).document.claims.values()
    versions = [claim.version for claim in claims]
    is_changed = world.text != before.text
    return (
        world.version == before.version + is_changed
        and len(set(versions)) == len(versions)
        and all(0 < version <= world.version for version in versions)
    )


OF_EACH_WORLD = (
    no_more_is_promised_than_there_is,
    claims_never_add_room,
    no_gate_waits_for_its_own_claim,
    room_comes_back_by_time_alone,
    a_job_that_has_settled_counts_once,
    twice_is_once,
    versions_only_grow,
)


@pytest.fixture(scope="module")
def worlds() -> list[tuple[World, World]]:
    """Worlds, each with the one before it."""
    rng, found, left = random.Random("invariants"), [], tries(20_000)
    with in_ticks():
        while left > 0:
            world = first_world(3, RULES)
            while True:
                later = [(one, 0.3 if label == "time passes" else 1.0) for label, one in moves(world, RULES)]
                if not later:
                    break
                before, (world,) = (
                    world,
                    rng.choices([one for one, _weight in later], [weight for _one, weight in later]),
                )
                found.append((before, world))
                left -= 1
    return found


@pytest.mark.parametrize("check", OF_EACH_WORLD, ids=lambda check: check.__name__)
def test_every_world_holds(check: t.Callable[[World, World], bool], worlds: list[tuple[World, World]]) -> None:
    with in_ticks():
        for before, world in worlds:
            assert check(before, world), world
    assert any(world.text for _before, world in worlds)


CAN_FAIL: dict[str, tuple[t.Callable[[World, World], bool], dict[str, t.Callable[..., t.Any]]]] = {
    "time does not end claims": (room_comes_back_by_time_alone, {"has_claim_expired": lambda _claim, _reading: False}),
    "ends do not settle": (room_comes_back_by_time_alone, {"has_claim_settled": lambda _claim, _reading: False}),
    "jobs do not cover claims": (a_job_that_has_settled_counts_once, {"covers_claim": lambda _job: False}),
    "own claims count": (
        no_gate_waits_for_its_own_claim,
        {"counted_claims": lambda document, reading, _own: counted_claims(document, reading)},
    ),
    "each release ends a claim anew": (
        twice_is_once,
        {"release_claim_of": lambda row, _reading, key: (_ended_anew(row, key), "released")},
    ),
}


def _ended_anew(row: Row, key: str) -> PoolClaims:
    claim = row.document.claims[key]
    return row.document.with_claims(replace(claim, ended=Ended(row.moment, row.version + 1, "released")))


@pytest.mark.parametrize("name", CAN_FAIL)
def test_a_check_sees_what_is_wrong(name: str, worlds: list[tuple[World, World]]) -> None:
    check, wrong = CAN_FAIL[name]
    with in_ticks(**wrong):
        assert not all(check(before, world) for before, world in worlds)


# Of gates


class OddStore:
    """A store that answers with a text, or not at all, and lets no swap through."""

    def __init__(self, pool: str, text: str | None, failure: str = "") -> None:
        self.pool, self.text, self.failure, self.swaps = pool, text, failure, 0

    def has_time(self) -> bool:
        return True

    def end_in(self, seconds: float | None) -> None:
        """Take the limit, which a store in memory has no use for."""

    def read(self, _pools: t.Sequence[str] | None = None) -> Documents:
        if self.failure:
            raise StoreError(self.failure)
        return Documents(1e9, {} if self.text == "" else {self.pool: (1, self.text)})

    def swap(self, _pool: str, _version: int, _text: str) -> bool:
        self.swaps += 1
        return False


def judged(store: t.Any, *, is_dry: bool = False, free: int = 8) -> t.Any:
    entry, request = observed(gpu_nodes(free)), read_request(asking(1, 8))
    wanted = Wanted("one", "train", 900, "owner", {}, "n")
    gate = GateClaims(store, wanted, Clock().time, is_dry=is_dry)
    gate.begin()
    policy = read_policy({"queue_strategy": "traversal"})
    return gate.judge(
        entry, request, lambda claimed: capacity_verdict(entry, request, policy, claimed=claimed), claims=True
    )


def a_look_writes_nothing(file: Path) -> bool:
    """Check mode, and a refused gate without marks, leave the store as it was, byte for byte."""
    store = open_store(read_location(f"sqlite:///{file}"))
    judged(store)
    before = file.read_bytes()
    return (
        judged(store, is_dry=True)["decision"] == "admit"
        and judged(store, free=7)["decision"] in ("wait", "reject")
        and file.read_bytes() == before
    )


def test_a_look_writes_nothing(tmp_path: Path) -> None:
    assert a_look_writes_nothing(tmp_path / "claims.db")


def nobody_is_admitted_in_doubt(store: OddStore) -> bool:
    """Never admit when a store is down or slow, has a newer format or an odd text, or takes no swap of twenty."""
    return bool(judged(store)["decision"] == "unknown")


@pytest.mark.parametrize(
    ("text", "failure", "swaps"),
    [
        (None, "it is down", 0),
        (None, "it did not answer in time", 0),
        ('{"format": 2, "born": "b", "claims": {}}', "", 0),
        ("garbage", "", 0),
        (None, "", 0),
        ("", "", 20),
    ],
)
def test_nobody_is_admitted_in_doubt(text: str | None, failure: str, swaps: int) -> None:
    store = OddStore(observed([])["pool_name"], text, failure)
    assert nobody_is_admitted_in_doubt(store)
    assert store.swaps == swaps


def who_is_admitted_starts(seed: int) -> bool:
    """An admitted job starts without waiting, in a scheduler that places as badly as it can."""
    made = promises(seed)
    verdict = verdict_beside([one.document for one in made.machines], made.claims, made.request)
    return verdict["decision"] != "admit" or made.are_kept() is not False


def test_who_is_admitted_starts() -> None:
    """More of it is in test_ascend_cards, and on days of many jobs in the simulation."""
    assert all(map(who_is_admitted_starts, range(tries(500))))


def one_of_two_is_admitted(world: World) -> bool:
    """Of two gates that race for the last room, exactly one is admitted."""
    return sum(one.phase == "admitted" for one in world.deployers) == 1


def test_one_of_two_is_admitted() -> None:
    """In every order of their steps, in which no answer is lost."""
    rules, ended = Rules(looks=1), 0
    with in_ticks():
        pending = [first_world(2, rules)]
        seen = set(pending)
        while pending:
            world = pending.pop()
            later = [
                one
                for index, deployer in enumerate(world.deployers)
                if deployer.phase != "admitted"
                for label, one in deployer_moves(world, index, rules)
                if "lost" not in label and "cut off" not in label
            ]
            if not later:
                ended += 1
                assert one_of_two_is_admitted(world), world
            new = [one for one in later if one not in seen]
            seen.update(new)
            pending += new
    assert ended >= 2
