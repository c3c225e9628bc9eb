# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of SQLite, as the store uses them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
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


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n WHERE i < 0"
ENDLESS_VIEW = "CREATE VIEW poolgate_claims(pool, version, document) AS " + ENDLESS.format("'pool-a', 1, 'x'")
ENDLESS_TRIGGER = (
    "CREATE TABLE poolgate_claims(pool PRIMARY KEY, version, document); CREATE TRIGGER slow BEFORE INSERT "
    f"ON poolgate_claims BEGIN {ENDLESS.format('count(*)')}; END"
)


@pytest.mark.parametrize(
    ("scheme", "ask"),
    [
        (ENDLESS_VIEW, lambda store: store.read()),
        (ENDLESS_VIEW, lambda store: store.read(["pool-a"])),
        (ENDLESS_TRIGGER, lambda store: store.swap("pool-a", 0, "x")),
    ],
    ids=["a view", "a view, of one pool", "a trigger"],
)
def test_a_statement_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, ask: t.Callable[[Store], object]
) -> None:
    """Who can write the file can have put something else in place of the table."""
    with closing(sqlite3.connect(tmp_path / "claims.db")) as file:
        file.executescript(scheme)
    monkeypatch.setattr(store_module, "_MOST_SECONDS", 0.3)
    store = open_store(Location("sqlite", str(tmp_path / "claims.db"), "sqlite:////claims.db"))
    with pytest.raises(StoreError, match="did not answer in the time"):
        ask(store)


READ_AND_TELL_MEMORY = """
import resource, sys
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import Location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import open_store
store = open_store(Location("sqlite", sys.argv[1], "sqlite:////claims.db"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _try in range(10):
    try:
        texts = {text for _version, text in store.read().by_pool.values()}
        assert texts <= {None, "x"}, len(texts)
    except StoreError as error:
        assert "too big" in str(error), error
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("size", [4_000_000, 200_000_000])
def test_a_view_that_tells_another_text_each_time_fills_no_memory(tmp_path: Path, size: int) -> None:
    text = f"CASE WHEN abs(random()) % 3 THEN 'x' ELSE hex(zeroblob({size})) END"
    rows = f"SELECT 'pool-' || value, 1, {text} FROM json_each('[1, 2, 3, 4, 5, 6]')"
    with closing(sqlite3.connect(tmp_path / "claims.db")) as file:
        file.execute(f"CREATE VIEW poolgate_claims(pool, version, document) AS {rows}")
    words = [sys.executable, "-c", READ_AND_TELL_MEMORY, str(tmp_path / "claims.db")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    grown = subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout
    assert int(grown) < 200_000, f"{grown} KiB"


def test_an_old_sqlite_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite.sqlite3, "sqlite_version_info", (3, 7, 17))
    with pytest.raises(StoreError, match="needs 3.25 or later"):
        connect_to_sqlite(Location("sqlite", "/claims.db", ""), 1)


def test_a_file_that_was_not_used_can_be_closed() -> None:
    connection: t.Any = SqliteConnection("/claims.db")
    connection.close()
