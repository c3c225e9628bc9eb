# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of SQLite, as the store uses them."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import typing as t
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import sqlite
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import store as store_module
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import Location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.sqlite import (
    SqliteConnection,
    connect_to_sqlite,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store, open_store


def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%41.db"
    store = open_store(Location("sqlite", str(path), "sqlite"))
    assert store.swap("pool-a", 0, "x")
    assert path.exists()


def test_a_file_that_another_one_holds_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite:////claims.db"))
    store.swap("pool-a", 0, "x")
    holder = sqlite3.connect(tmp_path / "claims.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(store_module, "_MOST_SECONDS", 0.05)
    with pytest.raises(StoreError, match="database is locked"):
        store.swap("pool-a", 1, "y")
    monkeypatch.undo()
    holder.execute("ROLLBACK")
    assert store.swap("pool-a", 1, "y")


def test_a_file_that_takes_the_place_of_the_first_is_the_one_that_counts(tmp_path: Path) -> None:
    """A gate that makes no claim only reads, for as long as it waits, and would go on reading the old file."""
    path = tmp_path / "claims.db"
    reader, writer = (open_store(Location("sqlite", str(path), "sqlite")) for _store in range(2))
    assert reader.read().by_pool == {}
    assert writer.swap("pool-a", 0, "first")
    assert writer.swap("pool-a", 1, "second")
    assert reader.read().by_pool == {"pool-a": (2, "second")}
    path.rename(tmp_path / "old.db")
    assert reader.read().by_pool == {}
    assert writer.swap("pool-b", 0, "new")
    assert reader.read().by_pool == {"pool-b": (1, "new")}


def test_a_file_that_cannot_be_looked_for_is_no_empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder of another user that may not be entered, or on a disk that does not answer."""
    store = open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite:////claims.db"))
    assert store.read().by_pool == {}

    def refuse(_path: str) -> t.NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(sqlite.os, "stat", refuse)
    with pytest.raises(StoreError, match="its file cannot be looked for: Permission denied"):
        store.read()


def modes_of_files(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize(
    ("folder", "file"), [(0o700, 0o600), (0o755, 0o600), (0o770, 0o660), (0o2775, 0o660), (0o777, 0o660)]
)
def test_a_file_is_made_for_those_who_may_write_to_its_folder(
    tmp_path: Path, folder: int, file: int, umask: int
) -> None:
    """Who may only read it can hold a lock for as long as they like, and no gate claims meanwhile."""
    place = tmp_path / "store"
    place.mkdir()
    place.chmod(folder)
    before = os.umask(umask)
    try:
        store = open_store(Location("sqlite", str(place / "claims.db"), "sqlite"))
        store.swap("pool-a", 0, "x")
        with closing(sqlite3.connect(place / "claims.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE poolgate_claims SET document = 'y'")
            assert modes_of_files(place) == {"claims.db": file, "claims.db-journal": file}
    finally:
        os.umask(before)


def test_a_file_of_another_group_than_its_folder_is_for_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without setgid: everybody on the machine may be in the first group of a user."""
    tmp_path.chmod(0o770)
    fstat = os.fstat

    def of_another_group(file: int) -> os.stat_result:
        found = [*fstat(file)]
        found[stat.ST_GID] += 1
        return os.stat_result(found)

    monkeypatch.setattr(sqlite.os, "fstat", of_another_group)
    assert open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite")).swap("pool-a", 0, "x")
    assert modes_of_files(tmp_path) == {"claims.db": 0o600}


def test_a_file_that_is_there_keeps_its_mode_and_one_behind_a_link_is_made(tmp_path: Path) -> None:
    place = tmp_path / "store"
    place.mkdir(0o700)
    (tmp_path / "claims.db").symlink_to(place / "real.db")
    store = open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite"))
    assert store.swap("pool-a", 0, "x")
    (place / "real.db").chmod(0o644)
    assert store.swap("pool-a", 1, "y")
    assert modes_of_files(place) == {"real.db": 0o644}


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    store = open_store(Location("sqlite", str(tmp_path / "missing" / "claims.db"), "sqlite:////claims.db"))
    with pytest.raises(StoreError, match="unable to open database file"):
        store.swap("pool-a", 0, "x")


TABLE = "CREATE TABLE poolgate_claims(pool PRIMARY KEY, version, document{})"
SLOW = "instr(hex(zeroblob(2000000)), hex(zeroblob(1000000)) || '1')"
OTHERS = {
    "a view": f"CREATE VIEW poolgate_claims(pool, version, document) AS SELECT 'pool-a', {SLOW}, 'x'",
    "a trigger": f"{TABLE.format('')}; CREATE TRIGGER slow BEFORE INSERT ON poolgate_claims BEGIN SELECT {SLOW}; END",
    "an index": f"{TABLE.format('')}; CREATE INDEX slow ON poolgate_claims({SLOW.replace('hex', 'pool || hex', 1)})",
    "a column": TABLE.format(f", slow AS ({SLOW})"),
    "a column of an operator": TABLE.replace("document", "big, document TEXT AS (big LIKE '%ab')").format(""),
    "a virtual table": "CREATE VIRTUAL TABLE poolgate_claims USING fts5(pool, version, document)",
    "a long text": TABLE.format(" " * 1000 + ", slow AS (1)"),
    "a check": TABLE.format(f", CHECK ({SLOW} = 0)"),
}


@pytest.mark.parametrize("ask", [lambda store: store.read(), lambda store: store.swap("pool-a", 0, "x")])
@pytest.mark.parametrize("scheme", OTHERS.values(), ids=OTHERS)
def test_what_is_no_plain_table_is_not_used(tmp_path: Path, scheme: str, ask: t.Callable[[Store], object]) -> None:
    """Who can write the file can have put something else in place of the table, of which one call takes for hours."""
    with closing(sqlite3.connect(tmp_path / "claims.db")) as file:
        file.executescript(scheme)
    store = open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite:////claims.db"))
    with pytest.raises(StoreError, match="is another table than a gate makes"):
        ask(store)


@pytest.mark.parametrize(
    "columns",
    [
        "pool VARCHAR(64) PRIMARY KEY, version BIGINT NOT NULL, document TEXT NOT NULL",
        "pool PRIMARY KEY, version, document",
        '"pool" TEXT, "version" INTEGER, "document" TEXT, PRIMARY KEY ("pool")',
    ],
)
def test_a_plain_table_that_somebody_else_made_is_used(tmp_path: Path, columns: str) -> None:
    with closing(sqlite3.connect(tmp_path / "claims.db")) as file:
        file.execute(f"create table poolgate_claims ({columns})")
    store = open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite:////claims.db"))
    assert store.swap("pool-a", 0, "x")
    assert store.read().by_pool == {"pool-a": (1, "x")}


def test_a_statement_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(tmp_path / "claims.db")) as file:
        file.execute(TABLE.format(""))
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000)"
        file.execute(f"{numbers} INSERT INTO poolgate_claims SELECT i, 1, 'x' FROM n")
        file.commit()
    monkeypatch.setattr(store_module, "_MOST_SECONDS", 0.05)
    monkeypatch.setattr(store_module, "_MOST_POOLS", 10**9)
    store = open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite:////claims.db"))
    with pytest.raises(StoreError, match="did not answer in the time"):
        store.read()


def test_an_old_sqlite_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite.sqlite3, "sqlite_version_info", (3, 7, 17))
    with pytest.raises(StoreError, match="needs 3.25 or later"):
        connect_to_sqlite(Location("sqlite", "/claims.db", ""), 1)


def test_a_file_that_was_not_used_can_be_closed() -> None:
    connection: t.Any = SqliteConnection("/claims.db")
    connection.close()
