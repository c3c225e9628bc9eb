# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends of claims on a real file."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import claiming
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    Ended,
    PoolClaims,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import (
    end_claim_by_hand,
    end_claim_by_job,
    ids_of_claims_to_end,
    list_claims,
    release_claim,
    renew_claim,
    renew_claims_for_job,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Asked,
    Row,
    Wanted,
    add_claim,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store, open_store
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

ASKED = Asked("train", 1, (Group(1, {"nvidia.com/gpu": 8000}, None),), {"nvidia.com/gpu": 8000})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with the claims a/1/x and a/1/y on a pool, and a/2/x on another; a third cannot be read."""
    store = open_store(read_location(f"sqlite:///{tmp_path}/claims.db"))
    now = store.read().now
    for pool, ids in (("pool-a", ["a/1/x", "a/1/y"]), ("pool-b", ["a/2/x"])):
        document = PoolClaims("born")
        for version, claim_id in enumerate(ids):
            row = Row(version, document, now)
            document, _claim = add_claim(
                document, row, row.reading((), read_at=0.0), Wanted(claim_id, "llm", 900, "owner", {}, claim_id), ASKED
            )
        store.swap(pool, 0, dump_claims(document))
    store.swap("pool-c", 0, "garbage")
    return store


def found(status: str, *hosts: str) -> t.Any:
    return {
        **{"job_uuid": "u", "uid": "u", "job_name": "llm", "type": "train", "status": status, "host_ips": list(hosts)},
        **{"resources": {"nvidia.com/gpu": 8}, "unread": [], "created": 7.0},
    }


def why(store: Store, claim_id: str) -> str | None:
    pool = "pool-b" if claim_id.startswith("a/2") else "pool-a"
    ended = parse_claims(str(store.read().by_pool[pool][1])).claims[claim_id].ended
    return ended.why if ended else None


def places_of_claim(store: Store) -> list[str]:
    """The pools where the claim a/2/x has not ended."""
    return [
        one["pool"] for one in list_claims(store, print) if one["claim"]["id"] == "a/2/x" and not one["is_released"]
    ]


def test_a_list(store: Store) -> None:
    said: list[str] = []
    listed = list_claims(store, said.append)
    (words,) = said
    assert words.startswith(
        "The claims of pool-c cannot be read: it is no JSON. No gate admits to it until its row is "
    )
    assert [(one["pool"], one["claim"]["id"]) for one in listed] == [
        ("pool-a", "a/1/x"),
        ("pool-a", "a/1/y"),
        ("pool-b", "a/2/x"),
    ]
    assert 890 <= listed[0]["claim"]["seconds_left"] <= 900
    assert listed[0]["claim"]["resources"] == {"nvidia.com/gpu": 8}
    assert end_claim_by_hand(store, "a/1/x")
    assert not end_claim_by_hand(store, "a/1/x")
    # Its job may have been submitted: gates count it for a minute more.
    listed = list_claims(store, print)
    assert [(one["claim"]["id"], one["is_released"]) for one in listed] == [
        ("a/1/x", True),
        ("a/1/y", False),
        ("a/2/x", False),
    ]
    assert 55 <= listed[0]["claim"]["seconds_left"] <= 60
    assert release_claim(store, "a/1/y", lambda _pool, _names: ([], True), submitted=False) == ["void"]
    assert [one["claim"]["id"] for one in list_claims(store, print)] == ["a/1/x", "a/2/x"]


def test_those_of_a_pipeline_s_job(store: Store) -> None:
    assert ids_of_claims_to_end(store, "a/1", "owner") == [("a/1/x", "a/1/x"), ("a/1/y", "a/1/y")]
    assert [one for one, _nonce in ids_of_claims_to_end(store, "a", "owner")] == ["a/1/x", "a/1/y", "a/2/x"]
    assert ids_of_claims_to_end(store, "a/1/x", "owner") == []
    assert ids_of_claims_to_end(store, "a/1", "that of a retry") == []


@pytest.mark.parametrize(
    ("jobs", "submitted", "said", "ended"),
    [
        ([], True, "released", "released"),
        ([], False, "void", "void"),
        ([found("Queue")], True, "waits", None),
        ([found("Running", "10.0.0.1")], True, "started", "started"),
    ],
)
def test_a_release(store: Store, jobs: list[t.Any], submitted: bool, said: str, ended: str | None) -> None:
    looked = []

    def look(pool: str, names: list[str]) -> t.Any:
        looked.append((pool, names))
        return jobs, True

    assert release_claim(store, "a/2/x", look, submitted=submitted) == [said]
    assert looked == ([("pool-b", ["llm"])] if submitted else [])
    assert why(store, "a/2/x") == ended


@pytest.mark.parametrize("uuid", [None, ""])
def test_a_job_that_waits_keeps_its_claim_without_an_id(store: Store, uuid: str | None) -> None:
    waits = {**found("Queue"), "job_uuid": uuid, "uid": uuid}
    assert release_claim(store, "a/2/x", lambda _pool, _names: ([waits], True), submitted=True) == ["waits"]
    assert why(store, "a/2/x") is None


def test_a_release_without_jobs_leaves_the_claim_to_its_time(store: Store) -> None:
    with pytest.raises(StoreError, match="^The jobs of pool-b could not be read in time.$"):
        release_claim(store, "a/2/x", lambda _pool, _names: None, submitted=True)
    assert why(store, "a/2/x") is None


def test_what_is_not_there(store: Store) -> None:
    assert release_claim(store, "b", lambda _pool, _names: ([], True), submitted=True) == ["gone"]
    assert renew_claim(store, "b", 60) is None
    assert not end_claim_by_hand(store, "b")
    end_claim_by_job(store, [("b", "")], "llm", "u", lambda _pool, _names: ([], True))


def test_a_renewal(store: Store) -> None:
    renewed = renew_claim(store, "a/1/y", 5000)
    assert renewed is not None
    assert 4990 <= renewed["seconds_left"] <= 5000
    end_claim_by_hand(store, "a/1/y")
    assert renew_claim(store, "a/1/y", 5000) is None


def test_a_watch_ends_its_own_claim(store: Store) -> None:
    """Not the older one of the same name."""
    end_claim_by_job(store, [("a/1/y", "")], "llm", "u", lambda _pool, _names: ([found("Running", "10.0.0.1")], True))
    assert (why(store, "a/1/x"), why(store, "a/1/y")) == (None, "started")


def test_a_watch_touches_nothing_that_is_claimed_for_other_jobs(store: Store) -> None:
    """As with two gates in one play, of which the watch follows the job of the first."""
    before = store.read().by_pool
    own = [("a/1/x", "a/1/x"), ("a/2/x", "a/2/x"), ("b", "")]
    asked: list[str] = []

    def look(pool: str, _names: list[str]) -> t.Any:
        asked.append(pool)
        return [found("Running", "10.0.0.1")] if pool == "pool-a" else [], True

    renew_claims_for_job(store, own, "asr")
    assert end_claim_by_job(store, own, "asr", "u", look) is False
    assert (store.read().by_pool, asked) == (before, [])
    assert end_claim_by_job(store, own, "llm", "u", look) is True
    assert (why(store, "a/1/x"), why(store, "a/1/y"), why(store, "a/2/x")) == ("started", None, None)
    assert end_claim_by_job(store, [("b", "")], "asr", "u", look) is True, "what is gone needs no words"
    renew_claims_for_job(store, own, "llm")
    changed = {pool for pool, one in store.read().by_pool.items() if one != before[pool]}
    assert changed == {"pool-a", "pool-b"}


def test_changes_that_others_make_first_are_made_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    swap, lost = store.swap, [False, False]
    monkeypatch.setattr(store, "swap", lambda *words: lost.pop() if lost else swap(*words))
    assert renew_claim(store, "a/1/y", 5000) is not None
    monkeypatch.setattr(store, "swap", lambda *_words: False)
    with pytest.raises(StoreError, match="^Others changed the claims of pool-. at each try.$"):
        end_claim_by_hand(store, "a/1/y")


def claims_again(
    store: Store, pool: str, claim_id: str, nonce: str, *, after: float = 1.0, owner: str = "owner"
) -> None:
    """A retry is admitted in a pool, so many seconds after all other claims."""
    version, text = store.read().by_pool.get(pool, (0, ""))
    document = parse_claims(str(text)) if text else PoolClaims("born")
    row = Row(version, document, store.read().now + after)
    document, _claim = add_claim(
        document, row, row.reading((), read_at=0.0), Wanted(claim_id, "llm", 900, owner, {}, nonce), ASKED
    )
    assert store.swap(pool, version, dump_claims(document))


def test_one_id_in_two_pools(store: Store) -> None:
    """A retry that is admitted in another pool has the id of the try before."""
    claims_again(store, "pool-0", "a/2/x", "retry")
    renewed = renew_claim(store, "a/2/x", 5000)
    assert renewed is not None
    lasting = {
        one["pool"]: one["claim"]["seconds_left"] for one in list_claims(store, print) if one["claim"]["id"] == "a/2/x"
    }
    assert all(4980 <= seconds <= 5000 for seconds in lasting.values())
    assert set(lasting) == {"pool-0", "pool-b"}
    looked: list[str] = []

    def look(pool: str, _names: list[str]) -> t.Any:
        looked.append(pool)
        return [found("Queue")] if pool == "pool-b" else [], True

    assert release_claim(store, "a/2/x", look, submitted=True) == ["waits", "released"]
    assert looked == ["pool-b", "pool-0"]
    assert release_claim(store, "a/2/x", look, submitted=True) == ["waits"], "one that has ended says nothing"
    assert end_claim_by_hand(store, "a/2/x")
    assert not end_claim_by_hand(store, "a/2/x")


def test_a_pool_that_cannot_be_looked_at_keeps_no_other(store: Store) -> None:
    claims_again(store, "pool-z", "a/2/x", "retry")
    with pytest.raises(StoreError, match="^The jobs of pool-b could not be read in time.$"):
        release_claim(store, "a/2/x", lambda pool, _names: None if pool == "pool-b" else ([], True), submitted=True)
    assert places_of_claim(store) == ["pool-b"]


def test_the_newest_of_an_id_tells_whether_it_was_renewed(store: Store) -> None:
    """Its job is the one that is to come, and an older claim that lasts is of no use to it."""
    version, text = store.read().by_pool["pool-b"]
    claims_again(store, "pool-0", "a/2/x", "retry", after=-2000.0)
    assert renew_claim(store, "a/2/x", 60) is not None
    document = parse_claims(str(text))
    over = replace(document.claims["a/2/x"], expires=document.claims["a/2/x"].created)
    assert store.swap("pool-b", version, dump_claims(document.with_claims(over)))
    assert renew_claim(store, "a/2/x", 60) is None


def test_a_watch_notes_the_job_where_it_is(store: Store) -> None:
    claims_again(store, "pool-0", "a/2/x", "retry")
    running = found("Running", "10.0.0.1")
    end_claim_by_job(
        store, [("a/2/x", "")], "llm", "u", lambda pool, _names: ([running] if pool == "pool-b" else [], True)
    )
    assert why(store, "a/2/x") == "started"
    assert places_of_claim(store) == ["pool-0"]


@pytest.mark.parametrize("pool", ["pool-b", "pool-z"])
def test_what_a_retry_has_claimed_is_not_that_of_the_run_before(store: Store, pool: str) -> None:
    claims_again(store, pool, "a/2/x", "retry", owner="another run")

    def look(_pool: str, _names: list[str]) -> t.Any:
        return [], True

    first = ids_of_claims_to_end(store, "a/2", "owner")
    assert first == ([] if pool == "pool-b" else [("a/2/x", "a/2/x")])
    ended = release_claim(store, "a/2/x", look, nonce="a/2/x", submitted=False)
    assert ended == (["replaced"] if pool == "pool-b" else ["void"])
    end_claim_by_job(store, [("a/2/x", "a/2/x")], "llm", "u", lambda *_asked: ([found("Running", "10.0.0.1")], True))
    assert (renew_claim(store, "a/2/x", 60, nonce="a/2/x"), renew_claim(store, "a/2/x", 60, nonce="other")) == (
        None,
        None,
    )
    assert places_of_claim(store) == [pool]
    assert release_claim(store, "a/2/x", look, nonce="retry", submitted=False) == ["void"]


def test_an_end_that_has_no_time_looks_at_no_more_pools(store: Store) -> None:
    """Who may write the store can give one ID to claims in very many pools."""
    claims_again(store, "pool-0", "a/2/x", "retry")
    looked = []

    def look(pool: str, _names: list[str]) -> t.Any:
        looked.append(pool)
        store.end_in(0)
        return [], True

    with pytest.raises(StoreError, match="time"):
        release_claim(store, "a/2/x", look, submitted=True)
    assert len(looked) == 1
    store.end_in(None)
    with pytest.raises(StoreError, match="time"):
        end_claim_by_job(store, [("a/2/x", "")], "llm", "u", look)
    assert len(looked) == 2


def test_an_end_that_has_no_time_reads_no_more_documents(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write the store can have very many that take long to parse."""
    times = [True, False]
    monkeypatch.setattr(store, "has_time", lambda: times.pop(0))
    with pytest.raises(StoreError, match="^The claims of 3 pools could not be read in time.$"):
        renew_claim(store, "a/2/x", 60)


@pytest.mark.parametrize("way", ["release", "void", "watch"])
def test_an_end_leaves_the_claims_of_other_names_as_they_are(tmp_path: Path, way: str) -> None:
    """Of two claims of one name, the job of the first still runs when its own is long over, and the second waits."""
    store = open_store(read_location(f"sqlite:///{tmp_path}/claims.db"))
    now = store.read().now
    document = PoolClaims("born")
    for claim_id, name, ago in (("first", "llm", 5000.0), ("second", "llm", 4990.0), ("other", "asr", 10.0)):
        row = Row(len(document.claims), document, now - ago)
        wanted = Wanted(claim_id, name, 9000, "owner", {}, claim_id)
        document, _claim = add_claim(document, row, row.reading((), read_at=0.0), wanted, ASKED)
    first = document.claims["first"]
    ended = Ended(first.created + 20, 1, "started")
    store.swap("pool-a", 0, dump_claims(document.with_claims(replace(first, jobs=("u",), ended=ended))))
    names_asked = []

    def look(_pool: str, names: list[str]) -> t.Any:
        names_asked.append(names)
        return [found("Running", "10.0.0.1"), {**found("Queue"), "job_uuid": "v", "uid": "v", "job_name": "asr"}], True

    if way == "watch":
        end_claim_by_job(store, [("other", "")], "asr", "v", look)
    else:
        release_claim(store, "other", look, submitted=way == "release")
    assert names_asked == ([] if way == "void" else [["asr", "llm"]])
    claims = parse_claims(str(store.read().by_pool["pool-a"][1])).claims
    assert set(claims) == {"first", "second", "other"}
    assert claims["second"].ended is None


def test_an_end_is_bounded_by_the_patterns_that_claims_wait_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a gate is: each job of the pool is held against each of them."""
    monkeypatch.setattr(claiming, "_MOST_NAMES", 0)
    with pytest.raises(StoreError, match="^Claims wait for more than 0 names"):
        release_claim(store, "a/2/x", lambda _pool, _names: ([], True), submitted=True)
    assert why(store, "a/2/x") is None
