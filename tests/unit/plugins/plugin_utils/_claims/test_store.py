# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store on a real file of SQLite, and on a database that fails where it is told to."""

from __future__ import annotations

import sqlite3
import time
import typing as t
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import store as store_module
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import AnswerLostError, StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import Location, read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.sqlite import SqliteConnection
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store, open_store


@pytest.fixture
def location(tmp_path: Path) -> Location:
    return read_location(f"sqlite:///{tmp_path}/claims.db")


def test_a_document_is_swapped_by_its_version(location: Location) -> None:
    one, other = open_store(location), open_store(location)
    assert one.read().by_pool == {}
    assert one.swap("pool-a", 0, "first")
    assert not other.swap("pool-a", 0, "second")
    assert other.read(["pool-a"]).by_pool == {"pool-a": (1, "first")}
    assert other.swap("pool-a", 1, "second")
    assert not one.swap("pool-a", 1, "third")
    assert one.read().by_pool == {"pool-a": (2, "second")}


def test_reading_makes_nothing(location: Location) -> None:
    """A look in check mode leaves no file and no table behind."""
    store = open_store(location)
    assert abs(store.read(["pool-a"]).now - time.time()) < 5
    assert not Path(location.target).exists()
    sqlite3.connect(location.target).execute("CREATE TABLE other (a)")
    assert store.read().by_pool == {}
    assert "poolgate" not in str(sqlite3.connect(location.target).execute("SELECT name FROM sqlite_master").fetchall())


def test_the_time_comes_with_the_documents_and_without_any(location: Location) -> None:
    store = open_store(location)
    store.swap("pool-a", 0, "x")
    for pools in (None, ["pool-a"], ["pool-b"], []):
        assert abs(store.read(pools).now - time.time()) < 5
    assert store.read(["pool-b"]).by_pool == {}


def test_a_document_that_is_too_long_is_not_fetched(location: Location) -> None:
    store = open_store(location)
    store.swap("pool-a", 0, "x" * 1_000_001)
    assert store.read().by_pool == {"pool-a": (1, None)}


def test_a_pool_that_the_table_has_no_room_for_cannot_be_claimed(location: Location) -> None:
    with pytest.raises(StoreError, match="has 65 characters"):
        open_store(location).swap("p" * 65, 0, "x")


def test_a_file_that_is_no_database_is_told(location: Location) -> None:
    Path(location.target).write_text("x" * 4096, encoding="utf-8")
    with pytest.raises(StoreError, match=r"sqlite:.*claims\.db could not be asked: file is not a database"):
        open_store(location).read()


class Failing(SqliteConnection):
    """A database whose calls fail in turn, before or after they have done what they are asked."""

    failures: t.ClassVar[list[str]]

    def execute(self, statement: str, values: Sequence[t.Any], seconds: float) -> tuple[Sequence[Sequence[t.Any]], int]:
        failure = self.failures.pop(0) if self.failures else ""
        if failure.startswith("before"):
            raise sqlite3.OperationalError(f"{failure}: connection to server lost")
        result = super().execute(statement, values, seconds)
        if failure.startswith("after"):
            raise sqlite3.OperationalError(f"{failure}: connection to server lost")
        return result

    def is_conflict(self, error: Exception) -> bool:
        return "conflict" in str(error)


@pytest.fixture
def failing(location: Location) -> Callable[..., Store]:
    def make(*failures: str) -> Store:
        Failing.failures = []
        store = Store(location, lambda one, _seconds: Failing(one.target))
        store.swap("pool-a", 0, "x")
        Failing.failures = list(failures)
        return store

    return make


@pytest.mark.parametrize(("failure", "written"), [("before", "x"), ("after", "y")])
def test_a_lost_answer_is_told_apart_from_a_lost_swap(
    failing: Callable[..., Store], failure: str, written: str
) -> None:
    store = failing(failure)
    with pytest.raises(AnswerLostError, match="could not be asked"):
        store.swap("pool-a", 1, "y")
    assert store.read().by_pool["pool-a"][1] == written


def test_a_conflict_is_a_lost_swap(failing: Callable[..., Store]) -> None:
    assert not failing("before conflict").swap("pool-a", 1, "y")


def test_a_read_connects_once_more(failing: Callable[..., Store]) -> None:
    assert failing("before").read().by_pool == {"pool-a": (1, "x")}
    with pytest.raises(StoreError):
        failing("before", "before").read()


def test_a_secret_in_an_error_is_hidden(location: Location) -> None:
    secret = "correct-horse-battery"
    hidden = Location("postgresql", "x", "postgresql://db/poolgate", (secret,))

    def refuse(one: Location, seconds: float) -> SqliteConnection:
        connection = Failing(location.target)
        Failing.failures = [f"before {secret}"] * 2
        return connection

    with pytest.raises(StoreError) as error:
        Store(hidden, refuse).read()
    assert secret not in str(error.value)


def table_with(location: Location, *rows: tuple[object, object, object]) -> None:
    with closing(sqlite3.connect(location.target)) as file:
        file.execute("CREATE TABLE poolgate_claims (pool VARCHAR(64) PRIMARY KEY, version BIGINT, document TEXT)")
        file.executemany("INSERT INTO poolgate_claims VALUES (?, ?, ?)", rows)
        file.commit()


@pytest.mark.parametrize("version", ["abc", "x" * 2_000_000, 1e300, float("inf"), 1.5, b"1", None, 0, -5, 2**63 - 1])
def test_a_version_that_is_none_closes_its_own_pool(location: Location, version: object) -> None:
    table_with(location, ("pool-a", version, "{}"), ("pool-b", 3, "{}"))
    for pools in (None, ["pool-a", "pool-b"]):
        assert open_store(location).read(pools).by_pool == {"pool-a": (-1, None), "pool-b": (3, "{}")}


def test_a_text_behind_a_nul_is_not_fetched(location: Location) -> None:
    """To SQLite a text ends there, where it is measured or cut."""
    table_with(location, ("pool-a", 1, "{}\0" + "x" * 1_000_000))
    assert open_store(location).read().by_pool == {"pool-a": (1, "{}")}


def test_the_name_of_a_pool_that_no_pool_has_is_cut(location: Location) -> None:
    table_with(location, ("p" * 100_000, 1, "{}"))
    assert [len(pool) for pool in open_store(location).read().by_pool] == [65]


def test_what_is_read_of_all_pools_is_bounded(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_MOST_POOLS", 3)
    monkeypatch.setattr(store_module, "_MOST_CHARACTERS", 100)
    table_with(location, *((f"pool-{number}", 1, "x" * 40) for number in range(3)))
    store = open_store(location)
    assert set(store.read().by_pool.values()) == {(1, None)}, "no document, and never none of a pool"
    assert store.read(["pool-0"]).by_pool == {"pool-0": (1, "x" * 40)}
    store.swap("pool-a", 0, "x")
    with pytest.raises(StoreError, match="has more than 3 pools"):
        store.read()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(17.5, b"pool-a", 1, "x")], "not asked for"),
        ([(17.5, "b'pool-a'", 1, "x")], "not asked for"),
        ([(17.5, "POOL-A", 1, "x")], "not asked for"),
        ([(17.5, "pool-a", 1, "x"), (17.5, "pool-a", 1, "y")], "not asked for"),
        ([(17.5, 5, 1, "x")], "not asked for"),
        ([], "does not see"),
        ([(None, "pool-a", 1, "x")], "its time"),
        ([(float("nan"), "pool-a", 1, "x")], "its time"),
        ([("17", "pool-a", 1, "x")], "its time"),
    ],
)
def test_an_answer_that_is_none_is_never_room(
    location: Location, monkeypatch: pytest.MonkeyPatch, rows: list[t.Any], said: str
) -> None:
    monkeypatch.setattr(SqliteConnection, "execute", lambda *_asked: (rows, 1))
    with pytest.raises(StoreError, match=said):
        open_store(location).read(["pool-a"])


class Slow(SqliteConnection):
    """A database that takes all of the time that it is given, and fails."""

    given: t.ClassVar[list[float]]

    def execute(self, statement: str, values: Sequence[t.Any], seconds: float) -> tuple[Sequence[Sequence[t.Any]], int]:
        self.given.append(seconds)
        time.sleep(seconds)
        raise sqlite3.OperationalError("no such table, or no answer")


@pytest.mark.parametrize(
    ("most", "left", "takes"), [(0.1, None, 0.1), (0.1, 5.0, 0.1), (5.0, 0.1, 0.1), (5.0, -1.0, 0.0)]
)
def test_an_operation_ends_in_its_time_whatever_is_tried_for_it(
    location: Location, monkeypatch: pytest.MonkeyPatch, most: float, left: float | None, takes: float
) -> None:
    monkeypatch.setattr(store_module, "_MOST_SECONDS", most)
    connecting: list[float] = []

    def connect(one: Location, seconds: float) -> SqliteConnection:
        connecting.append(seconds)
        return Slow(one.target)

    for ask in (lambda store: store.read(), lambda store: store.swap("pool-a", 0, "x")):
        Slow.given = []
        store = Store(location, connect)
        store.end_in(left)
        began = time.monotonic()
        with pytest.raises(StoreError):
            ask(store)
        assert time.monotonic() - began < takes + 0.5
        assert all(seconds <= takes for seconds in (*Slow.given, *connecting))


def test_half_a_surrogate_pair_is_told(location: Location) -> None:
    store = open_store(location)
    store.swap("pool-a", 0, "x")
    for ask in (lambda: store.read(["pool-\ud800"]), lambda: store.swap("pool-\ud800", 0, "x")):
        with pytest.raises(StoreError, match="could not be asked"):
            ask()


def test_what_is_loaded_first_is_not_in_the_time_of_the_store(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_MOST_SECONDS", 0.2)
    store = Store(location, lambda one, _seconds: SqliteConnection(one.target), lambda: time.sleep(0.3))
    assert store.read().by_pool == {}
