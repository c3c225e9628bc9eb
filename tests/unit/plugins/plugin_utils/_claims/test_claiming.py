# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate does with claims, on a real file: it subtracts, claims before it says so, and never admits in doubt."""

from __future__ import annotations

import sqlite3
import typing as t
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.found import find_jobs
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import Candidate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import claiming
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import GateClaims, iso_time_of_claim
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import AnswerLostError, StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    Ended,
    PoolClaims,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import end_claim_by_hand, release_claim
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store, open_store
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.wish import read_wish
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import Claimed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._gate import Gate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Request, read_policy, read_request
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait
from ansible_collections.poolgate.modelarts.tests.unit.cards import gpu_nodes
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    NOW,
    address_of,
    job,
    node,
    observed,
)

POOL = observed([])["pool_name"]
REQUEST = read_request({"type": "train", "replicas": 1, "resources": {GPU: 8}})


# A node with the job of the first claim, and a free one.
NODES = gpu_nodes(0, 8)
RUNNING = job({GPU: "8"}, "Running", name="first", on={address_of(NODES[0]): {GPU: "8"}}, seconds=5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(read_location(f"sqlite:///{tmp_path}/claims.db"))


def gate(
    store: Store,
    name: str | None,
    *jobs: t.Any,
    nodes: t.Any = None,
    dry: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
    clock: Clock | None = None,
    timeout: float = 0.0,
    request: Request = REQUEST,
    **more: str,
) -> t.Any:
    """The outcome of a gate that sees so many free cards; something happens between its looks at store and pool."""
    clock = clock or Clock()
    wanted = None if name is None else read_wish({"job": name, "id": name}).wanted("localhost", {}, {})
    claims = GateClaims(store, wanted, clock.time, is_dry=dry)

    def observe(left: float | None, names: t.Sequence[str] = ()) -> list[t.Any]:
        entry = observed(gpu_nodes(8) if nodes is None else nodes, jobs)
        entry.update(find_jobs(jobs, names, float(NOW)))
        meanwhile()
        return [entry]

    wait = Wait(timeout, 30, clock.time)
    policy = read_policy({"queue_strategy": "traversal", **more})
    return Gate([Candidate("pool", request)], policy, None, wait, claims).wait(observe, lambda _lines: None)


def text_of(store: Store) -> str | None:
    return store.read().by_pool.get(POOL, (0, None))[1]


def test_the_room_of_one_is_not_the_room_of_another(store: Store) -> None:
    first = gate(store, "first")
    assert (first["decision"], first["claim"]["id"], first["claim"]["is_made"]) == ("admit", "first", True)
    assert first["changed"] is True
    assert first["artifact"]["claim"] == {"id": "first", "nonce": first["claim"]["nonce"], "seconds_left": 900}
    assert any(line.startswith("  claimed         until ") and line.endswith(" for first") for line in first["report"])
    second = gate(store, "second")
    assert (second["decision"], second["changed"], "claim" in second) == ("wait", False, False)
    assert [one["id"] for one in second["pools"][0]["claims"]] == ["first"]
    assert any(line.startswith("  claims   gpu 8 for first of ") for line in second["report"])
    assert gate(store, "second", nodes=gpu_nodes(8, 8))["decision"] == "admit"
    assert gate(store, None)["decision"] == "wait", "one that claims nothing subtracts all the same"


def test_without_a_wish_nothing_is_claimed(store: Store) -> None:
    assert gate(store, None)["decision"] == "admit"
    assert text_of(store) is None
    assert gate(store, "first")["decision"] == "admit"


def test_check_mode_says_what_it_would_do_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    outcome = gate(store, "first", dry=True)
    assert (outcome["decision"], outcome["changed"], "claim" in outcome) == ("admit", False, False)
    assert any(line.startswith("  would claim     until ") for line in outcome["report"])
    assert list(tmp_path.iterdir()) == []
    gate(store, "first")
    before = (tmp_path / "claims.db").read_bytes()
    assert gate(store, "second", RUNNING, dry=True, nodes=NODES)["decision"] == "admit"
    assert (tmp_path / "claims.db").read_bytes() == before, "not even that a claim has ended"


def test_a_refused_gate_writes_nothing(store: Store, tmp_path: Path) -> None:
    gate(store, "first")
    before = (tmp_path / "claims.db").read_bytes()
    assert gate(store, "second")["decision"] == "wait"
    assert (tmp_path / "claims.db").read_bytes() == before


def test_a_job_with_its_cards_ends_its_claim(store: Store) -> None:
    gate(store, "first")
    assert gate(store, "second", RUNNING, nodes=NODES)["decision"] == "admit"
    ended = parse_claims(str(text_of(store))).claims["first"].ended
    assert ended is not None
    assert ended.why == "started"
    assert gate(store, "third", RUNNING, nodes=NODES)["decision"] == "wait", "the claim of the second"


def test_a_job_that_waits_holds_its_claim(store: Store) -> None:
    gate(store, "first")
    waiting = job({GPU: "8"}, "Queue", name="first", seconds=100)
    assert gate(store, "second", waiting)["decision"] == "wait"


def test_the_same_deployment_is_not_refused_because_of_itself(store: Store) -> None:
    gate(store, "first")
    assert gate(store, "first")["decision"] == "admit"


def test_a_claim_that_comes_while_the_pool_is_read_counts(store: Store) -> None:
    other = open_store(store._location)
    assert gate(store, "second", meanwhile=lambda: gate(other, "first"))["decision"] == "wait"


class Odd:
    """A store that fails in turn, as it is told."""

    def __init__(self, store: Store, *failures: str) -> None:
        self._store, self._failures = store, list(failures)
        self.swaps = self.reads = 0

    def end_in(self, seconds: float | None) -> None:
        self._store.end_in(seconds)

    def has_time(self) -> bool:
        return self._store.has_time()

    def read(self, pools: t.Any = None) -> t.Any:
        self.reads += 1
        if self._failures and self._failures[0] == "down":
            raise StoreError("The claim store could not be asked: connection refused.")
        return self._store.read(pools)

    def swap(self, pool: str, version: int, text: str) -> bool:
        self.swaps += 1
        failure = self._failures.pop(0) if self._failures else ""
        if failure == "written and lost":
            self._store.swap(pool, version, text)
        if failure in ("written and lost", "lost"):
            raise AnswerLostError("The answer was lost.")
        return False if failure == "others" else self._store.swap(pool, version, text)


@pytest.mark.parametrize(("failures", "swaps"), [(["written and lost"], 1), (["lost"], 2), (["others"] * 19, 20)])
def test_a_swap_that_is_lost_or_whose_answer_is_leaves_one_claim(store: Store, failures: list[str], swaps: int) -> None:
    odd: t.Any = Odd(store, *failures)
    assert gate(odd, "first")["decision"] == "admit"
    assert odd.swaps == swaps
    assert list(parse_claims(str(text_of(store))).claims) == ["first"]


@pytest.mark.parametrize(
    ("failures", "said"),
    [(["down"] * 9, "connection refused"), (["others"] * 99, "others changed them at each try")],
)
def test_a_store_that_cannot_be_asked_is_never_room(store: Store, failures: list[str], said: str) -> None:
    odd: t.Any = Odd(store, *failures)
    outcome = gate(odd, "first")
    assert outcome["decision"] == "unknown"
    assert said in outcome["reasons"][0]
    assert text_of(store) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": 2}', "a later version of the collection"),
        ("nothing", "cannot be read: it is no JSON"),
        ("x" * 1_000_001, "too long"),
    ],
)
def test_a_document_that_cannot_be_read_is_never_room(store: Store, text: str, said: str) -> None:
    store.swap(POOL, 0, text)
    outcome = gate(store, "first")
    assert outcome["decision"] == "unknown"
    assert said in outcome["reasons"][0]
    assert text_of(store) == (text if len(text) < 100 else None), "and it is left as it is"


def test_a_claim_that_would_close_the_pool_is_not_written(store: Store) -> None:
    """A document is written as long as every gate can read it, with room left for the ends of its claims."""
    gate(store, "first", nodes=gpu_nodes(8))
    version, text = store.read().by_pool[POOL]
    document = parse_claims(str(text))
    claim = document.claims["first"]
    labels = {str(at): "x" * 290 for at in range(90)}
    # About 27,000 characters each, so that one more is too many.
    full = document.with_claims(*(replace(claim, key=f"id-{at}", labels=labels) for at in range(30)))
    assert store.swap(POOL, version, dump_claims(full))
    before = text_of(store)
    outcome = gate(store, "last", nodes=gpu_nodes(*[8] * 40))
    assert outcome["decision"] == "unknown"
    assert "no place for another one: their document would have 8" in outcome["reasons"][0]
    assert "release claims whose jobs do not come" in outcome["reasons"][0]
    assert text_of(store) == before
    assert end_claim_by_hand(store, "id-7"), "those that are there can still end"
    assert gate(store, None, nodes=gpu_nodes(*[8] * 40))["decision"] == "admit", "and the pool can still be read"


def test_many_claims_under_a_glob_that_many_jobs_match(store: Store) -> None:
    """If each claim listed the jobs that it knows, sixty of them would be longer than any gate reads."""
    jobs = [job({GPU: "0"}, "Running", name=f"train-{number}") for number in range(480)]
    entry: t.Any = observed(gpu_nodes(*[8] * 60))
    policy = read_policy({"queue_strategy": "traversal"})

    def decide(claimed: Claimed) -> t.Any:
        return capacity_verdict(entry, REQUEST, policy, claimed=claimed)

    for number in range(12):
        wanted = read_wish({"job": "train-*", "id": f"id-{number}"}).wanted("localhost", {}, {})
        claims = GateClaims(store, wanted, Clock().time)
        entry.update(find_jobs(jobs, claims.begin(), float(NOW)))
        verdict = claims.judge(entry, REQUEST, decide, claims=True)
        assert verdict["decision"] == "admit", (number, verdict["reasons"])
    text = str(text_of(store))
    assert len(text) < 50_000
    assert all(len(claim.known) == 2 * 100 for claim in parse_claims(text).claims.values())


@pytest.mark.parametrize("took", [0, 60])
def test_a_retry_counts_its_waiting_job_however_long_its_look_takes(store: Store, took: float) -> None:
    clock, began = Clock(), float(NOW)
    stored = mock.Mock(wraps=store, shown=store.shown)
    stored.read = lambda pools=None: store.read(pools)._replace(now=began + clock.now)

    def look_for_a_while() -> None:
        clock.now += took

    assert gate(stored, "x", clock=clock)["decision"] == "admit"
    clock.now += 30
    waiting = job({GPU: "8"}, "Queue", name="x", seconds=-5)
    assert gate(stored, "x", waiting, clock=clock, meanwhile=look_for_a_while)["decision"] == "wait"


def test_a_name_that_very_many_new_jobs_have_is_unknown(store: Store) -> None:
    jobs = [job({GPU: "0"}, "Running", name="x", seconds=1) for _number in range(101)]
    outcome = gate(store, "x", *jobs)
    assert outcome["decision"] == "unknown"
    assert "more than 100 new jobs have the name" in str(outcome["reasons"])
    assert gate(store, "y", *jobs)["decision"] == "admit"


def test_a_store_that_was_made_anew_meanwhile_is_never_room(store: Store, tmp_path: Path) -> None:
    gate(store, "first")

    def make_anew() -> None:
        store.close()
        (tmp_path / "claims.db").unlink()
        gate(open_store(store._location), "other")

    outcome = gate(store, "second", nodes=gpu_nodes(8, 8, 8), meanwhile=make_anew)
    assert outcome["decision"] == "unknown"
    assert "made anew" in outcome["reasons"][0]


def test_a_waiting_gate_asks_again(store: Store) -> None:
    odd: t.Any = Odd(store, "down")
    clock = Clock()

    def come_back() -> None:
        odd._failures = []

    outcome = gate(odd, "first", clock=clock, timeout=100, meanwhile=come_back)
    assert (outcome["decision"], outcome["attempts"]) == ("admit", 2)


def test_a_late_job_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    gate(store, "first")
    version, text = store.read().by_pool[POOL]
    claim = parse_claims(str(text)).claims["first"]
    store.swap(POOL, version, str(text).replace(repr(claim.expires), repr(claim.expires - 1000)))
    outcome = gate(store, "second", RUNNING, nodes=NODES)
    assert any("first came after the time of its claim, 0:01:" in note for note in outcome["pools"][0]["notes"])


def test_times_of_a_clock_that_was_ahead_are_set_back_in_the_store(store: Store) -> None:
    gate(store, "first")
    version, text = store.read().by_pool[POOL]
    claim = parse_claims(str(text)).claims["first"]
    ahead = str(text).replace(repr(claim.created), repr(claim.created + 30 * 86400))
    store.swap(POOL, version, ahead.replace(repr(claim.expires), repr(claim.expires + 30 * 86400)))
    gate(store, "second", nodes=NODES)
    documents = store.read()
    written = parse_claims(str(documents.by_pool[POOL][1])).claims["first"]
    assert written.created <= documents.now
    assert written.expires - written.created == pytest.approx(claim.expires - claim.created)


@pytest.mark.parametrize("pattern", ["train-{}", "train-{}-*"])
def test_claims_that_wait_for_too_many_names_are_not_known(
    store: Store, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job of a pool is held against each pattern, also of claims on pools that the gate does not ask for."""
    monkeypatch.setattr(claiming, "_MOST_NAMES", 10)
    monkeypatch.setattr(claiming, "_MOST_GLOBS", 5)
    gate(store, "train")
    _version, text = store.read().by_pool[POOL]
    document = parse_claims(str(text))
    claim = document.claims["train"]
    many = [replace(claim, key=str(number), job=pattern.format(number)) for number in range(12)]
    store.swap("pool-of-others", 0, dump_claims(document.with_claims(*many)))
    outcome = gate(store, "second", nodes=NODES)
    assert outcome["decision"] == "unknown"
    assert "Claims wait for more than 10 names of jobs, or 5 patterns" in outcome["reasons"][0]


def test_documents_that_take_too_long_to_parse_are_not_known(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may have a million characters, and all of them come with one statement."""
    for pool in range(20):
        store.swap(f"pool-of-others-{pool}", 0, dump_claims(PoolClaims("born")))
    clock, parse, parsed = Clock(), claiming.parse_claims, []

    def parse_slowly(text: str) -> PoolClaims:
        parsed.append(text)
        clock.now += 3
        return parse(text)

    monkeypatch.setattr(claiming, "parse_claims", parse_slowly)
    for seconds, most in ((0, 4), (10, 2)):
        parsed.clear()
        outcome, _told = gate_of_pools(Timed(store, clock), clock, seconds)
        assert outcome["decision"] == "unknown"
        assert "could not be read in the time" in str(outcome["reasons"])
        assert len(parsed) == most * outcome["attempts"]


def test_the_documents_of_other_pools_are_not_kept(store: Store) -> None:
    store.swap("pool-of-others", 0, dump_claims(PoolClaims("born")))
    claims = GateClaims(store, None, Clock().time)
    claims.begin()
    claims.look_at([{**observed(NODES), "found": []}])
    assert claims._began is not None
    assert claims._began.by_pool == {}


def test_times_that_nobody_will_see() -> None:
    assert iso_time_of_claim(0) == "1970-01-01T00:00:00Z"
    assert iso_time_of_claim(1e18) == "9999-12-31T23:59:59Z"


class Timed:
    """A store that takes a while, and says what time it was given."""

    def __init__(self, store: Store, clock: Clock, *fails: str, seconds: float = 0.0) -> None:
        self._store, self._clock, self._fails, self._seconds = store, clock, fails, seconds
        self.limits: list[float | None] = []
        self._ends: float | None = None
        self.asked: list[str] = []

    def end_in(self, seconds: float | None) -> None:
        self.limits.append(seconds)
        self._ends = None if seconds is None else self._clock.now + seconds

    def has_time(self) -> bool:
        return self._ends is None or self._clock.now < self._ends

    def read(self, pools: t.Any = None) -> t.Any:
        self.asked.append("read")
        self._clock.now += self._seconds
        if "read" in self._fails:
            raise StoreError("The claim store could not be asked: it is down.")
        return self._store.read(pools)

    def swap(self, pool: str, version: int, text: str) -> bool:
        self.asked.append("swap")
        if "swap" in self._fails:
            raise AnswerLostError("The claim store could not be asked: permission denied.")
        return self._store.swap(pool, version, text)


POOLS = [f"pool-{number}" for number in range(4)]


def gate_of_pools(
    store: t.Any, clock: Clock, timeout: float, *, wanted: bool = True, meanwhile: Callable[[], object] = lambda: None
) -> tuple[t.Any, list[float | None]]:
    """The outcome of a gate over four pools, and what each look was told to have left."""
    told: list[float | None] = []

    def observe(left: float | None, names: t.Sequence[str] = ()) -> list[t.Any]:
        told.append(left)
        meanwhile()
        return [{**observed(gpu_nodes(8)), "pool_name": name, "found": []} for name in POOLS]

    wish = read_wish({"job": "own", "id": "own"}).wanted("localhost", {}, {}) if wanted else None
    claims = GateClaims(store, wish, clock.time)
    policy = read_policy({"queue_strategy": "traversal"})
    wait = Wait(timeout, 30, clock.time)
    candidates = [Candidate(name, REQUEST) for name in POOLS]
    return Gate(candidates, policy, None, wait, claims).wait(observe, lambda _lines: None), told


def test_a_store_that_is_slow_takes_of_what_is_left(store: Store) -> None:
    clock = Clock()
    slow = Timed(store, clock, seconds=20)
    _outcome, told = gate_of_pools(slow, clock, 100)
    assert told == [80]
    assert slow.limits == [50, 80], "half of it before the look, and what is left after it"


def test_a_store_that_is_asked_last_has_a_second(store: Store) -> None:
    clock = Clock()
    timed = Timed(store, clock)
    outcome, _told = gate_of_pools(timed, clock, 100, meanwhile=lambda: clock.time.sleep(100))
    assert outcome["decision"] == "admit"
    assert timed.limits == [50, 1]


def test_a_gate_without_a_wait_has_the_limits_of_the_store_alone(store: Store) -> None:
    clock = Clock()
    timed = Timed(store, clock)
    gate_of_pools(timed, clock, 0)
    assert timed.limits == [None, None]


def test_a_store_that_failed_is_not_asked_for_each_pool(store: Store) -> None:
    clock = Clock()
    down = Timed(store, clock, "read")
    outcome, _told = gate_of_pools(down, clock, 0)
    assert down.asked == ["read"]
    assert [one["decision"] for one in outcome["pools"]] == ["unknown"] * 4
    assert all("it is down" in str(one["reasons"]) for one in outcome["pools"])
    up: t.Any = Timed(store, clock)
    outcome, _told = gate_of_pools(up, clock, 0, meanwhile=lambda: setattr(up, "_fails", ("read",)))
    assert up.asked == ["read", "read"], "nor when it fails after the look"
    assert outcome["decision"] == "unknown"


def test_a_store_that_failed_is_asked_at_the_next_look(store: Store) -> None:
    clock = Clock()
    timed: t.Any = Timed(store, clock, "read")
    outcome, told = gate_of_pools(timed, clock, 100, meanwhile=lambda: setattr(timed, "_fails", ()))
    assert (outcome["decision"], len(told)) == ("admit", 2)


def test_a_write_that_is_refused_says_what_the_database_said(store: Store) -> None:
    clock = Clock()
    refusing = Timed(store, clock, "swap")
    outcome, _told = gate_of_pools(refusing, clock, 0)
    assert outcome["decision"] == "unknown"
    assert "permission denied" in str(outcome["pools"][0]["reasons"])
    assert refusing.asked.count("swap") == 2 * 4, "twice for each pool, and not twenty times"


def test_a_role_that_may_only_read_is_enough_for_a_gate_that_claims_nothing(store: Store) -> None:
    """That a claim has ended is tried to be written once."""
    gate(store, "first")
    _version, text = store.read().by_pool[POOL]
    claim = parse_claims(str(text)).claims["first"]
    for pool in POOLS:
        store.swap(pool, 0, str(text).replace(repr(claim.expires), repr(claim.expires - 100_000)))
    clock = Clock()
    refusing = Timed(store, clock, "swap")
    outcome, _told = gate_of_pools(refusing, clock, 0, wanted=False)
    assert outcome["decision"] == "admit"
    assert refusing.asked.count("swap") == 1


def test_a_version_that_is_none_is_never_room(store: Store) -> None:
    store.swap(POOL, 0, "{}")
    with closing(sqlite3.connect(store._location.target)) as file:
        file.execute("UPDATE poolgate_claims SET version = 'abc'")
        file.commit()
    outcome = gate(store, "first")
    assert outcome["decision"] == "unknown"
    assert "its version is no number" in outcome["reasons"][0]


def over(number: int, days: float) -> t.Any:
    uuid = f"{number:08x}-6b1d-4d0e-9c55-2f3f6f1f7a10"
    return job({GPU: "8"}, "Completed", name="first", uuid=uuid, seconds=int(days * 86400) + number)


def test_of_very_many_jobs_that_are_over_none_is_taken_for_that_of_a_new_claim(store: Store) -> None:
    """One that runs hides one of them at the admission, and then ends and hides none."""
    long = job({GPU: "8"}, "Running", name="first", seconds=86400 * 30, on={address_of(NODES[0]): {GPU: "8"}})
    old = [over(number, 1) for number in range(600)]
    assert gate(store, "first", long, *old, nodes=NODES)["decision"] == "admit"
    assert gate(store, None, {**long, "status": "Completed"}, *old, nodes=gpu_nodes(0, 8))["decision"] == "wait"
    assert parse_claims(str(text_of(store))).claims["first"].ended is None


def test_among_very_many_jobs_that_are_not_over_nothing_is_claimed(store: Store) -> None:
    waiting = [{**over(number, 1), "status": "Queue"} for number in range(501)]
    outcome = gate(store, "first", *waiting)
    assert outcome["decision"] == "unknown"
    assert "more jobs than are read" in outcome["pools"][0]["reasons"][0]
    assert text_of(store) is None
    assert gate(store, None, *waiting[:500])["decision"] != "unknown"


def rewrite(store: Store, **changes: dict[str, t.Any]) -> None:
    """Have claims of the document be others, by their keys."""
    version, text = store.read().by_pool[POOL]
    document = parse_claims(str(text))
    claims = [replace(document.claims[key], **changed) for key, changed in changes.items()]
    assert store.swap(POOL, version, dump_claims(document.with_claims(*claims)))


def test_a_gate_that_may_not_see_the_job_of_a_claim_does_not_decide(store: Store) -> None:
    """The room of a claim that was given back is promised to its job, which very many newer jobs hide."""
    gate(store, "first")
    gate(store, "other", request=read_request({"type": "train", "resources": {"cpu": 1}}))
    now = store.read().now
    rewrite(store, first={"created": now - 200, "read_at": NOW - 200.0, "ended": Ended(now - 100, 2, "released")})
    waits = job({GPU: "8"}, "Queue", name="first", seconds=100)
    many = [job({"cpu": "1m"}, "Queue", name="other", seconds=50) for _number in range(500)]
    assert gate(store, None, waits)["decision"] == "wait"
    for dry in (True, False):
        outcome = gate(store, None, waits, *many, dry=dry)
        assert outcome["decision"] == "unknown"
        assert "more jobs than are read" in outcome["pools"][0]["reasons"][0]
    rewrite(store, first={"expires": now - 90}, other={"ended": Ended(now, 2, "void")})
    assert gate(store, None, *many, dry=True)["decision"] == "admit", "of neither a job can come"


def of_an_old_job(status: str = "Running", **more: t.Any) -> t.Any:
    return {**job({GPU: "8"}, status, name="first", on={address_of(NODES[0]): {GPU: "8"}}, seconds=86400), **more}


@pytest.mark.parametrize("ids", [{"uid": None, "jobUUID": None}, {"uid": "", "jobUUID": ""}, {"uid": "", "jobUUID": 7}])
def test_beside_a_job_of_its_name_without_an_id_nothing_is_claimed(store: Store, ids: dict[str, t.Any]) -> None:
    """Beside one that is over, a gate claims, as nothing more comes of it."""
    assert gate(store, "first", of_an_old_job("Completed", **ids), nodes=NODES, dry=True)["decision"] == "admit"
    outcome = gate(store, "first", of_an_old_job(**ids), nodes=NODES)
    assert outcome["decision"] == "unknown"
    (reason, *_others) = outcome["pools"][0]["reasons"]
    assert "a job called first shows no ID, and the claim could not tell it from the coming job" in reason
    assert "give the coming job another name" in reason
    assert text_of(store) is None
    assert gate(store, None, of_an_old_job(**ids), nodes=NODES)["decision"] == "admit", "it claims nothing"
    assert gate(store, "other", of_an_old_job(**ids), nodes=NODES)["decision"] == "admit", "it is of another name"


def test_an_empty_id_is_not_that_of_all_jobs(store: Store) -> None:
    """A job in the queue may have an empty text in place of the ID of its object in Kubernetes."""
    nodes = gpu_nodes(0, 8, 8)
    assert gate(store, "first", nodes=gpu_nodes(8, 8, 8))["decision"] == "admit"
    assert gate(store, "second", nodes=gpu_nodes(8, 8, 8))["decision"] == "admit"
    waits = {**job({GPU: "8"}, "Queue", name="first", seconds=5), "uid": ""}
    gate(store, None, waits, nodes=gpu_nodes(8, 8, 8))
    runs = job({GPU: "8"}, "Running", name="second", on={address_of(nodes[0]): {GPU: "8"}}, seconds=5)
    gate(store, None, waits, {**runs, "uid": ""}, nodes=nodes)
    claims = parse_claims(str(text_of(store))).claims
    assert [claims[name].ended is not None for name in ("first", "second")] == [False, True]


def test_a_job_whose_ids_are_told_by_turns_stays_the_old_one(store: Store) -> None:
    old = of_an_old_job()
    assert gate(store, "first", {**old, "jobUUID": None}, nodes=NODES)["decision"] == "admit"
    gate(store, None, {**old, "uid": ""}, nodes=NODES)
    assert parse_claims(str(text_of(store))).claims["first"].ended is None


@pytest.mark.parametrize("uid", ["", "that of before"])
def test_a_job_that_failed_and_waits_again_keeps_its_claim(store: Store, uid: str) -> None:
    """For a while it is listed as it was and as it is."""
    gate(store, "first")
    waits = job({GPU: "8"}, "Queue", name="first", seconds=5)
    failed = {**waits, "status": "Failed", "uid": uid}
    for jobs in ((waits, failed), (failed, waits)):
        assert gate(store, None, *jobs)["decision"] == "wait"
    assert parse_claims(str(text_of(store))).claims["first"].ended is None


def test_a_job_that_was_deleted_before_the_claim_does_not_end_it(store: Store) -> None:
    """Another gate has seen it, and decides after the claim was written."""
    free, old = gpu_nodes(8, 8), {**of_an_old_job(), "createTime": None}
    big = read_request({"type": "train", "replicas": 2, "resources": {GPU: 8}})
    gate(store, "first", nodes=free)
    assert release_claim(store, "first", lambda _pool, _names: ([], True), submitted=True) == ["released"]

    def meanwhile() -> None:
        nodes = gpu_nodes(8, 8, 8)
        assert gate(store, "first", nodes=nodes, request=big)["decision"] == "admit"

    gate(store, None, old, nodes=free, meanwhile=meanwhile)
    assert parse_claims(str(text_of(store))).claims["first"].ended is None


def test_very_many_jobs_of_a_name_stop_no_gate(store: Store) -> None:
    nodes = gpu_nodes(8, 8, 8, 8)
    gate(store, "first", nodes=nodes)
    for _round in range(3):
        jobs = [job({"cpu": "1"}, "Queue", name="first", seconds=100) for _number in range(400)]
        # Of those that have just come, the queue would tell that they may be about to start.
        jobs = [{**one, "createTime": None} for one in jobs]
        gate(store, None, *jobs, nodes=nodes)
    assert gate(store, "second", *jobs, nodes=nodes)["decision"] == "admit"


@pytest.mark.parametrize("strategy", ["traversal", "backfill"])
def test_a_retry_whose_job_waits_is_not_admitted_to_its_room(store: Store, strategy: str) -> None:
    gate(store, "first")
    # The queue alone would let it through.
    waits = {**job({GPU: "8"}, "Queue", name="first", seconds=100), "createTime": None}
    assert gate(store, "first", waits, queue_strategy=strategy)["decision"] == "wait"
    assert gate(store, "first", queue_strategy=strategy)["decision"] == "admit"


def over_two_pools(store: Store, free: dict[str, int], nonce: str = "") -> t.Any:
    """The outcome of a gate of the id `first` that may choose from pools with so many free cards each."""
    clock = Clock()
    wanted = read_wish({"job": "first", "id": "first"}).wanted("localhost", {}, {})
    claims = GateClaims(store, replace(wanted, nonce=nonce or wanted.nonce), clock.time)

    def observe(left: float | None, names: t.Sequence[str] = ()) -> list[t.Any]:
        return [
            {**observed(gpu_nodes(cards)), "pool_name": pool, **find_jobs([], names, float(NOW))}
            for pool, cards in free.items()
        ]

    policy = read_policy({"queue_strategy": "traversal"})
    candidates = [Candidate(pool, REQUEST) for pool in free]
    return Gate(candidates, policy, None, Wait(0.0, 30, clock.time), claims).wait(observe, lambda _lines: None)


def ends_of(store: Store, *pools: str) -> list[str | None]:
    claims = [parse_claims(str(store.read().by_pool[pool][1])).claims["first"] for pool in pools]
    return [None if claim.ended is None else claim.ended.why for claim in claims]


def test_a_retry_ends_what_it_has_claimed_in_another_pool(store: Store) -> None:
    assert over_two_pools(store, {"pool-a": 8, "pool-b": 8})["pool"] == "pool-a"
    # The pool of the try before is not even among those of the retry.
    assert over_two_pools(store, {"pool-b": 8})["pool"] == "pool-b"
    assert ends_of(store, "pool-a", "pool-b") == ["replaced", None]
    assert over_two_pools(store, {"pool-a": 8, "pool-b": 0})["pool"] == "pool-a"
    assert ends_of(store, "pool-a", "pool-b") == [None, "replaced"]


def test_a_retry_that_loses_a_swap_ends_it_all_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    over_two_pools(store, {"pool-a": 8})
    swap, lost = store.swap, [True]

    def loses(pool: str, *words: t.Any) -> bool:
        return not (pool == "pool-a" and lost and lost.pop()) and swap(pool, *words)

    monkeypatch.setattr(store, "swap", loses)
    over_two_pools(store, {"pool-b": 8})
    assert ends_of(store, "pool-a", "pool-b") == ["replaced", None]


def test_what_is_claimed_has_its_places_and_its_groups(store: Store) -> None:
    """A claim knows whether it was promised places, and how many of its replicas are in one supernode."""
    size = {"huawei.com/ascend-1980": "16", "cpu": "320", "memory": "1500Gi"}
    flavor = "modelarts.bm.npu.arm.16snt9b23"
    nodes = [node(size, size, flavor=flavor, labels={"os.modelarts.node/spod.id": name}) for name in ("a", "a", "b")]
    whole = {"type": "train", "flavor": flavor}
    pair = read_request({**whole, "replicas": 2, "affinity_group_size": 2})
    assert gate(store, "pair", nodes=nodes, request=pair)["decision"] == "admit"
    claim = parse_claims(str(text_of(store))).claims["pair"]
    assert (claim.groups[0].affinity_group_size, claim.is_placed) == (2, True)
    assert gate(store, "single", nodes=nodes, request=read_request({**whole, "replicas": 1}))["decision"] == "wait"


@pytest.mark.parametrize(("placement", "is_placed"), [("required", True), ("aggregate", False)])
def test_with_sums_alone_no_places_are_claimed(store: Store, placement: str, is_placed: bool) -> None:
    assert gate(store, "first", placement=placement)["decision"] == "admit"
    assert parse_claims(str(text_of(store))).claims["first"].is_placed is is_placed


@pytest.mark.parametrize("complete", [True, False])
def test_a_list_without_all_its_pages_drops_no_claim_whose_job_may_wait(store: Store, complete: bool) -> None:
    """It tells only that of the jobs that were read none was left out."""
    gate(store, "first")
    documents = store.read()
    version, text = documents.by_pool[POOL]
    claim = parse_claims(str(text)).claims["first"]
    ended = Ended(documents.now - 700, 1, "released")
    old = replace(claim, created=documents.now - 900, expires=documents.now + 900, jobs=("u",), ended=ended)
    store.swap(POOL, version, dump_claims(parse_claims(str(text)).with_claims(old)))
    claims = GateClaims(store, None, Clock().time)
    names = claims.begin()
    entry: t.Any = {**observed(gpu_nodes(8)), **find_jobs([], names, float(NOW)), "complete": complete}
    policy = read_policy({"queue_strategy": "traversal"})
    claims.judge(
        entry, REQUEST, lambda claimed: capacity_verdict(entry, REQUEST, policy, claimed=claimed), claims=False
    )
    assert ("first" in parse_claims(str(text_of(store))).claims) is not complete
