# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real stores: nobody gets more than there is, and processes that die or stand still leave documents whole."""

from __future__ import annotations

import importlib
import random
import sqlite3
import statistics
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import postgresql
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import store as store_module
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import AnswerLostError, StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    PoolClaims,
    dump_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Asked,
    Row,
    Wanted,
    add_claim,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import open_store
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group
from ansible_collections.poolgate.modelarts.tests.claims import racing
from ansible_collections.poolgate.modelarts.tests.claims.racing import (
    POOL,
    ROOM,
    Result,
    attempt,
    claimed,
    row_of,
    run_race,
    stop_at_random,
)
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries

PROCESSES, ATTEMPTS = 16, tries(150)
KILLS, STOPS = tries(200), tries(50)
MEASURED = 200
IS_WHOLE = tries(10) == 10
STRICT = ("read committed", "repeatable read", "serializable")


def check(results: list[Result], url: str, record_property: t.Callable[[str, object], None]) -> None:
    claims, lost = sum(one.claims for one in results), sum(one.lost for one in results)
    most = max(one.most for one in results)
    record_property("race", f"{claims} claims, {lost} lost swaps, {most} of {ROOM} at most")
    print(f"{claims} claims, {lost} lost swaps, {most} of {ROOM} at most")
    assert most <= ROOM, "never more was claimed than there is"
    # In few attempts, on a busy machine, not all that there is may be claimed at once.
    assert most == ROOM or not IS_WHOLE, "all of it was claimed at times"
    assert lost > 0, "there was a race"
    # Each claim is a version, and each end is one.
    assert row_of(open_store(read_location(url))).version == 2 * claims


def test_a_race_on_a_file(file: str, record_property: t.Callable[[str, object], None]) -> None:
    check(run_race(file, PROCESSES, ATTEMPTS), file, record_property)


@pytest.mark.parametrize("database", STRICT, indirect=True)
def test_a_race_on_a_server(database: str, record_property: t.Callable[[str, object], None]) -> None:
    check(run_race(database, PROCESSES, ATTEMPTS), database, record_property)


@pytest.mark.parametrize("kind", ["file", "database"])
def test_processes_that_are_killed_and_stopped(kind: str, request: pytest.FixtureRequest) -> None:
    """The documents stay whole, and the room comes back by time alone."""
    url = request.getfixturevalue(kind)
    assert stop_at_random(url, KILLS, STOPS) == KILLS + STOPS
    store = open_store(read_location(url))
    if kind == "file":
        with closing(sqlite3.connect(read_location(url).target)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    left = row_of(store)
    # The claims of the dead were for two seconds, and settle; the reading is one of a minute later.
    later = Row(left.version, left.document, left.now + 63)
    claims = [claim for claim in later.document.claims.values() if claim.ended is None]
    assert all(claim.expires + 60 < later.now for claim in claims)
    assert claimed(left.document) <= ROOM
    store.close()


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_both_libraries(database: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_psycopg_library", lambda: importlib.import_module(library))
    one, other = (open_store(read_location(database)) for _number in range(2))
    assert one.read().by_pool == {}
    assert abs(one.read().now - time.time()) < 5
    assert one.swap(POOL, 0, "first")
    assert not other.swap(POOL, 0, "second")
    assert other.swap(POOL, 1, "second")
    assert not one.swap(POOL, 1, "third")
    assert one.read([POOL, "other"]).by_pool == {POOL: (2, "second")}
    with pytest.raises(StoreError, match="could not be asked: .*poolgate_nobody"):
        open_store(read_location(f"{database}_poolgate_nobody")).read()


def test_a_role_that_may_not_make_tables(database: str) -> None:
    """An administrator may make the table, and give the role no more than its rows."""
    open_store(read_location(database)).swap(POOL, 0, "first")
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("CREATE ROLE clerk LOGIN")
        session.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        session.execute("GRANT SELECT, INSERT, UPDATE ON poolgate_claims TO clerk")
    store = open_store(read_location(database.replace("poolgate@", "clerk@")))
    assert store.swap(POOL, 1, "second")
    assert store.swap("pool-b", 0, "first")


def role_of(request: pytest.FixtureRequest, number: int = 0) -> str:
    """The name of a role for one test, as all databases of a server share their roles."""
    return f"role_{abs(hash(request.node.nodeid))}_{number}"


def tables_of(database: str) -> int:
    with psycopg.connect(database) as session:
        found = session.execute("SELECT count(*) FROM pg_class WHERE relname = 'poolgate_claims'").fetchone()
    return -1 if found is None else int(found[0])


HIDES = {
    "no right to its schema": "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "another search_path": "ALTER ROLE {role} SET search_path = elsewhere",
    "a schema of the role's own": "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA {role} AUTHORIZATION {role}",
}


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("how", HIDES)
def test_a_table_that_a_role_does_not_see_is_no_empty_store(
    database: str, how: str, library: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL says of such a table what it says of one that is not there."""
    monkeypatch.setattr(postgresql, "_psycopg_library", lambda: importlib.import_module(library))
    open_store(read_location(database)).swap(POOL, 0, "first")
    role = role_of(request)
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(f"CREATE ROLE {role} LOGIN")
        session.execute(f"GRANT SELECT, INSERT, UPDATE ON poolgate_claims TO {role}")
        session.execute(HIDES[how].format(role=role).encode())
    store = open_store(read_location(database.replace("poolgate@", f"{role}@")))
    for pools in (None, [POOL]):
        with pytest.raises(StoreError, match="a table poolgate_claims that this role does not see"):
            store.read(pools)
    with pytest.raises(StoreError, match="could not be asked"):
        store.swap(POOL, 0, "second")
    assert tables_of(database) == 1


def test_a_table_whose_rows_a_role_does_not_see_is_no_empty_store(
    database: str, request: pytest.FixtureRequest
) -> None:
    """With row security, rows that no policy gives to a role are left out without a word."""
    open_store(read_location(database)).swap(POOL, 0, "first")
    role = role_of(request)
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(f"CREATE ROLE {role} LOGIN")
        session.execute(f"GRANT SELECT, INSERT, UPDATE ON poolgate_claims TO {role}")
        session.execute("ALTER TABLE poolgate_claims ENABLE ROW LEVEL SECURITY")
    store = open_store(read_location(database.replace("poolgate@", f"{role}@")))
    for pools in (None, [POOL]):
        with pytest.raises(StoreError, match="does not see, or not whole"):
            store.read(pools)
    assert open_store(read_location(database)).read().by_pool == {POOL: (1, "first")}, "its owner sees them"


def test_roles_with_schemas_of_their_own_make_one_table(database: str, request: pytest.FixtureRequest) -> None:
    roles = [role_of(request, number) for number in range(8)]
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for role in roles:
            session.execute(f"CREATE ROLE {role} LOGIN")
            session.execute(f"CREATE SCHEMA {role} AUTHORIZATION {role}")
    start = threading.Barrier(len(roles))

    def claim(role: str) -> bool:
        store = open_store(read_location(database.replace("poolgate@", f"{role}@")))
        store.read()
        start.wait(60)
        try:
            return store.swap(POOL, 0, "first")
        except StoreError:
            return False

    with ThreadPoolExecutor(len(roles)) as executor:
        assert sum(executor.map(claim, roles)) == 1
    assert tables_of(database) == 1


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_a_session_that_the_server_ended_is_opened_again(
    database: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_psycopg_library", lambda: importlib.import_module(library))
    store = open_store(read_location(database))
    store.swap(POOL, 0, "first")
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert store.read().by_pool == {POOL: (1, "first")}


def test_a_server_that_does_not_answer_is_given_up(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_MOST_SECONDS", 0.5)
    store = open_store(read_location(database))
    store.swap(POOL, 0, "first")
    with psycopg.connect(database) as session:
        session.execute("LOCK TABLE poolgate_claims IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(StoreError):
            store.swap(POOL, 1, "second")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_a_database_without_an_encoding(ascii_database: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """psycopg gives bytes there, and claims under the name of bytes would be seen by no gate."""
    monkeypatch.setattr(postgresql, "_psycopg_library", lambda: importlib.import_module(library))
    store = open_store(read_location(ascii_database))
    assert store.swap(POOL, 0, "claims of \u5f20")
    for pools in (None, [POOL]):
        assert store.read(pools).by_pool == {POOL: (1, "claims of \u5f20")}
    with psycopg.connect(ascii_database, autocommit=True) as session:
        session.execute(b"UPDATE poolgate_claims SET document = E'\\377'")
    with pytest.raises(StoreError, match="could not be asked"):
        store.read()


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("library", ["psycopg", "psycopg2"])
def test_a_server_that_stands_still_takes_the_time_that_is_left(
    database: str, stopped: t.Callable[[], None], library: str, is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_psycopg_library", lambda: importlib.import_module(library))
    store = open_store(read_location(database))
    if is_open:
        store.read()
    stopped()
    for ask in (store.read, lambda: store.swap(POOL, 0, "x")):
        store.end_in(0.5)
        began = time.monotonic()
        with pytest.raises(StoreError):
            ask()
        assert time.monotonic() - began < 1.5


def test_a_database_that_may_only_be_read_says_so(database: str) -> None:
    open_store(read_location(database)).swap(POOL, 0, "first")
    with psycopg.connect(database, autocommit=True) as session:
        session.execute(f"ALTER DATABASE {database.rpartition('/')[2]} SET default_transaction_read_only = on")
    store = open_store(read_location(database))
    assert store.read().by_pool == {POOL: (1, "first")}
    with pytest.raises(AnswerLostError, match="read-only transaction"):
        store.swap(POOL, 1, "second")


@pytest.mark.parametrize(("kind", "limit"), [("file", 0.020), ("database", 0.050)])
def test_what_a_store_adds_to_a_gate(
    kind: str, limit: float, request: pytest.FixtureRequest, record_property: t.Callable[[str, object], None]
) -> None:
    """Connecting, reading before and after the look, and swapping a document of 50 claims, 200 times."""
    url = request.getfixturevalue(kind)
    asked = Asked("train", 1, (Group(1, {"nvidia.com/gpu": 8000}, None),), {"nvidia.com/gpu": 8000})
    first = open_store(read_location(url))
    row = row_of(first)
    document = row.document
    for number in range(50):
        wanted = Wanted(f"gitlab.example.com/{number}", "train", 900, "owner", {}, str(number))
        document, _claim = add_claim(document, row, row.reading(()), wanted, asked)
    first.swap(POOL, 0, dump_claims(document))
    took, busy = [], []
    for _number in range(MEASURED):
        began, began_busy = time.perf_counter(), time.process_time()
        store = open_store(read_location(url))
        store.read()
        seen = row_of(store)
        assert store.swap(POOL, seen.version, dump_claims(seen.document))
        store.close()
        took.append(time.perf_counter() - began)
        busy.append(time.process_time() - began_busy)
    said = f"{min(took) * 1000:.1f} ms at best, {statistics.median(took) * 1000:.1f} ms in the middle"
    print(said)
    record_property(kind, said)
    # The best of them is what it costs: other processes of the machine are in the others. Where so many run beside it
    # that they are in all of them, only the time of this process can tell.
    assert min(took if IS_WHOLE else busy) < limit


def test_the_race_would_be_seen(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not compare lets more be claimed than there is, which the numbers of the races show."""
    stores = [open_store(read_location(file)) for _number in range(2)]
    rng = random.Random(1)
    monkeypatch.setattr(rng, "choice", lambda _numbers: ROOM)
    stores[0].swap(POOL, 0, dump_claims(PoolClaims("b")))
    before = row_of(stores[0])
    monkeypatch.setattr(racing, "row_of", lambda _store: before)
    swap = stores[1].swap
    monkeypatch.setattr(stores[1], "swap", lambda pool, _version, text: swap(pool, row_of(stores[1]).version, text))
    assert attempt(stores[0], rng, 900)[0]
    assert attempt(stores[1], rng, 900)[0], "both have all of it"
