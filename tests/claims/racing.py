# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that race for the room of a pool, through the shipped proposal and the shipped swap, on a real store."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
import typing as t
import uuid
from collections.abc import Sequence

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.attempt import Answer, propose
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import (
    AnswerLostError,
    StoreError,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    PoolClaims,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Asked,
    Counted,
    Row,
    Wanted,
    is_claim_written,
    release_claim_of,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store, open_store
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

POOL = "pool-train-a100"
ROOM = 8
CARD = "nvidia.com/gpu"


class Result(t.NamedTuple):
    """How many claims a process has made, how many swaps it has lost, and the most cards that were claimed at once."""

    claims: int
    lost: int
    most: int


def row_of(store: Store) -> Row:
    now, by_pool = store.read([POOL])
    version, text = by_pool.get(POOL, (0, None))
    return Row(version, parse_claims(text) if text is not None else PoolClaims(uuid.uuid4().hex), now)


def claimed(document: PoolClaims) -> int:
    return sum(claim.amounts[CARD] for claim in document.claims.values() if claim.ended is None) // 1000


def decide_for(cards: int) -> t.Callable[[Sequence[Counted]], Answer[None]]:
    asked = Asked(None, None, (Group(1, {CARD: cards * 1000}, None),), {CARD: cards * 1000})

    def decide(counted: Sequence[Counted]) -> Answer[None]:
        taken = sum(one.amounts[CARD] for one in counted) // 1000
        return Answer(None, taken + cards <= ROOM, asked)

    return decide


def attempt(store: Store, rng: random.Random, seconds: float) -> tuple[str, int, int]:
    """Claim once; return (the id of the claim or nothing, the swaps that were lost, what is claimed in all)."""
    cards, lost = rng.choice((1, 2, 4, 8)), 0
    wanted = Wanted(uuid.uuid4().hex, "train", seconds, "race", {}, uuid.uuid4().hex)
    reading = row_of(store).reading(())
    while True:
        row = row_of(store)
        proposal = propose(reading, row, wanted, decide_for(cards))
        if proposal.claim is None:
            return "", lost, 0
        try:
            if store.swap(POOL, row.version, dump_claims(proposal.document)):
                return wanted.id, lost, claimed(proposal.document)
        except AnswerLostError:
            if is_claim_written(row_of(store), proposal.claim):
                return wanted.id, lost, claimed(proposal.document)
        lost += 1


def give_back(store: Store, claim_id: str) -> None:
    while True:
        row = row_of(store)
        document, _why = release_claim_of(row, row.reading(()), claim_id, submitted=False)
        if document == row.document or store.swap(POOL, row.version, dump_claims(document)):
            return


def patiently(store: Store, ask: t.Callable[[], t.Any]) -> t.Any:
    """Ask again where a machine with so many processes was too slow for the store, as the next look of a gate would."""
    while True:
        try:
            return ask()
        except StoreError:
            store.close()


def race(url: str, seed: int, attempts: int, results: t.Any) -> None:
    store, rng = open_store(read_location(url)), random.Random(seed)
    claims = lost = most = 0
    for _number in range(attempts):
        claim_id, lost_here, claimed_now = patiently(store, lambda: attempt(store, rng, 900))
        claims, lost, most = claims + bool(claim_id), lost + lost_here, max(most, claimed_now)
        if claim_id:
            patiently(store, lambda claim_id=claim_id: give_back(store, claim_id))
    results.put(Result(claims, lost, most))


def run_race(url: str, processes: int, attempts: int) -> list[Result]:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    running = [context.Process(target=race, args=(url, seed, attempts, results)) for seed in range(processes)]
    for process in running:
        process.start()
    found = [results.get(timeout=600) for _process in running]
    for process in running:
        process.join(60)
    return found


def claim_for_ever(url: str, seed: int) -> None:
    """Claim and give back until killed."""
    store, rng = open_store(read_location(url)), random.Random(seed)
    while True:
        try:
            claim_id, _lost, _claimed = attempt(store, rng, 2)
            if claim_id:
                give_back(store, claim_id)
        except StoreError:
            store.close()


def stop_at_random(url: str, kills: int, stops: int) -> int:
    """Kill and stop processes at random moments, and return how many documents were looked at between."""
    context = multiprocessing.get_context("spawn")
    rng, store, looked = random.Random(5), open_store(read_location(url)), 0
    running = [context.Process(target=claim_for_ever, args=(url, seed)) for seed in range(4)]
    for process in running:
        process.start()
    time.sleep(2)
    signals = [signal.SIGKILL] * kills + [signal.SIGSTOP] * stops
    rng.shuffle(signals)
    for number, what in enumerate(signals):
        index = rng.randrange(len(running))
        time.sleep(rng.uniform(0, 0.03))
        os.kill(t.cast(int, running[index].pid), what)
        if what == signal.SIGKILL:
            running[index].join()
            running[index] = context.Process(target=claim_for_ever, args=(url, 1000 + number))
            running[index].start()
        else:
            time.sleep(rng.uniform(0, 0.05))
            os.kill(t.cast(int, running[index].pid), signal.SIGCONT)
        assert claimed(row_of(store).document) <= ROOM
        looked += 1
    for process in running:
        process.kill()
        process.join()
    return looked
