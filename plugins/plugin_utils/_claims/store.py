# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store of claims: one document for each pool, changed by compare-and-set. Three statements, and one path to them.

No lock is held between two statements, so that none can be left behind, and who was paused cannot write over what came
since. The database is opened on the controller, and only when a gate has a store.

This plugin util is private to the collection.
"""

from __future__ import annotations

import math
import time
import typing as t
from contextlib import suppress

from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import hide_secrets_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import (
    AnswerLostError,
    DatabaseConnection,
    StoreError,
    Value,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import LONGEST_TEXT
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import SQLITE, Location

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST_POOL = 64
"""Characters of a pool's ID that the table has room for; the API's have at most as many."""

NO_VERSION = -1
"""What stands for a version that is none: the document of its pool cannot be read, and those of others can."""

# The time comes with the documents, also where there is none. Of texts that are too long, and of too many of them, no
# more is fetched than tells that. Each is looked at once, behind a LIMIT that keeps it so: in place of the table there
# may be a view, which gives another text each time.
_READ = (
    "SELECT {now}, pool, version, CASE WHEN sum(length(document)) OVER () > {most} THEN NULL ELSE document END "
    "FROM (SELECT 1) AS once LEFT JOIN (SELECT substr(pool, 1, {longest_pool}) AS pool, "
    "{version} AS version, substr(document, 1, {longest}) AS document FROM poolgate_claims WHERE {condition} "
    "LIMIT {most_pools} OFFSET 0) AS claims ON 1 = 1 WHERE {shows_all}"
)
# No RETURNING, which needs SQLite 3.35: the number of changed rows tells the same.
_INSERT = "INSERT INTO poolgate_claims VALUES ({mark}, 1, {mark}) ON CONFLICT (pool) DO NOTHING"
_UPDATE = "UPDATE poolgate_claims SET version = version + 1, document = {mark} WHERE pool = {mark} AND version = {mark}"


class Documents(t.NamedTuple):
    """The store's time, and (version, text) of the pools that have one; no text where it is too long."""

    now: float
    by_pool: dict[str, tuple[int, str | None]]


# A statement takes a millisecond or a few, and a connection some more. What is to be read or written takes no longer
# than this in all, whatever has to be tried for it.
_MOST_SECONDS = 10.0
# All pools of a store are read at the first look. A region has some hundreds, and a document of fifty claims 30 KiB.
_MOST_POOLS = 1000
_MOST_CHARACTERS = 50_000_000
# So that one more still is an integer in both databases.
_MOST_VERSIONS = 2**62


class Store:
    """Reads documents and swaps them. It connects when it is first asked."""

    def __init__(
        self,
        location: Location,
        connect: Callable[[Location, float], DatabaseConnection],
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self.shown = location.shown
        self._location = location
        self._connect = connect
        self._prepare = prepare
        self._connection: DatabaseConnection | None = None
        self._ends: float | None = None
        # Before anything can fail: the errors of a driver may repeat the URL.
        hide_secrets_of(location)

    def end_in(self, seconds: float | None) -> None:
        """Have all that is asked from now on fail after so many seconds; None lifts that limit."""
        self._ends = None if seconds is None else time.monotonic() + seconds

    def has_time(self) -> bool:
        """Return whether the limit of end_in() is still to come."""
        return self._ends is None or time.monotonic() < self._ends

    def read(self, pools: Sequence[str] | None = None) -> Documents:
        """Return the documents of some pools, or of all. Raises StoreError."""
        ends = self._deadline()
        try:
            return self._read(pools, ends)
        except StoreError:
            # The first try could not connect, so a second would wait as long for nothing.
            if self._connection is None:
                raise
            # One that was open may have been closed by the server since.
            self.close()
            # Of a store that took all of the time, its own words say more than that there is none left.
            if time.monotonic() >= ends:
                raise
            return self._read(pools, ends)

    def swap(self, pool: str, version: int, text: str) -> bool:
        """Write a document in place of a version, 0 where there is none; False when there is another one by now.

        Raises StoreError, and AnswerLostError when it may have been written all the same.
        """
        # PostgreSQL refuses a longer key with an error, and SQLite takes it: both say the same here.
        if len(pool) > LONGEST_POOL:
            raise StoreError(sentence(f"The ID of a pool has {len(pool)} characters, and no claim can be made on it."))
        ends = self._deadline()
        connection = self._open(ends)
        try:
            try:
                return self._write(connection, pool, version, text, ends)
            except connection.errors as error:
                if not connection.has_no_table(error):
                    raise
            self._create(connection, ends)
            return self._write(connection, pool, version, text, ends)
        except connection.errors as error:
            # A lost race, which is told apart from a lost answer: nothing was written.
            if connection.is_conflict(error):
                return False
            self.close()
            raise AnswerLostError(self._said(error)) from None

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(*connection.errors):  # it is of no use any more
                connection.close()

    def _deadline(self) -> float:
        # Before the time runs: importing a library may take seconds on a busy machine, and is no fault of the store.
        self._prepare()
        ends = time.monotonic() + _MOST_SECONDS
        return ends if self._ends is None else min(ends, self._ends)

    def _seconds_until(self, ends: float) -> float:
        """Return what is left. Raises StoreError when that is nothing: no statement was sent then."""
        left = ends - time.monotonic()
        if left <= 0:
            raise self._failure("it did not answer in the time that there is for it")
        return left

    def _open(self, ends: float) -> DatabaseConnection:
        if self._connection is None:
            self._connection = self._connect(self._location, self._seconds_until(ends))
        return self._connection

    def _execute(
        self, connection: DatabaseConnection, statement: str, values: Sequence[Value], ends: float
    ) -> tuple[Sequence[Sequence[object]], int]:
        return connection.execute(statement, values, self._seconds_until(ends))

    def _read(self, pools: Sequence[str] | None, ends: float) -> Documents:
        connection = self._open(ends)
        # IN () is no SQL in PostgreSQL; NULL is in no list.
        condition = "1 = 1" if pools is None else f"pool IN ({', '.join([connection.mark] * len(pools)) or 'NULL'})"
        statement = _READ.format(
            now=connection.now,
            version=connection.version,
            shows_all=connection.shows_all,
            longest=LONGEST_TEXT + 1,
            longest_pool=LONGEST_POOL + 1,
            condition=condition,
            # Of pools that are named there are a few, and theirs must not be hidden by those of others.
            most=_MOST_CHARACTERS if pools is None else (len(pools) + 1) * (LONGEST_TEXT + 1),
            most_pools=_MOST_POOLS + 1,
        )
        try:
            try:
                rows, _changed = self._execute(connection, statement, pools or (), ends)
            except connection.errors as error:
                if not connection.has_no_table(error):
                    raise
                # Reading makes no table: a look in check mode leaves nothing behind.
                empty = f"SELECT {connection.now}, NULL, 0, NULL WHERE {connection.has_none}"
                rows, _changed = self._execute(connection, empty, (), ends)
        except connection.errors as error:
            raise StoreError(self._said(error)) from None
        if not rows:
            raise self._failure(
                "it has a table poolgate_claims that this role does not see, or not whole: give the role USAGE on the "
                "schema, name the schema in its search_path, and let no policy hide rows"
            )
        return self._documents(rows, pools)

    def _documents(self, rows: Sequence[Sequence[object]], pools: Sequence[str] | None) -> Documents:
        """Return what was read. Raises StoreError for an answer that is none: a row that is not seen is room."""
        now = rows[0][0]
        if isinstance(now, bool) or not isinstance(now, (int, float)) or not math.isfinite(now):
            raise self._failure("it did not tell its time")
        if len(rows) > _MOST_POOLS:
            raise self._failure(f"it has more than {_MOST_POOLS} pools")
        found: dict[str, tuple[int, str | None]] = {}
        for _now, pool, version, text in rows:
            if pool is None:
                continue
            if not isinstance(pool, str) or pool in found or (pools is not None and pool not in pools):
                raise self._failure("it returned a row of a pool that was not asked for")
            if not isinstance(version, int) or not 0 < version < _MOST_VERSIONS:
                found[pool] = (NO_VERSION, None)
            else:
                found[pool] = (version, text if isinstance(text, str) and len(text) <= LONGEST_TEXT else None)
        return Documents(float(now), found)

    def _write(self, connection: DatabaseConnection, pool: str, version: int, text: str, ends: float) -> bool:
        statement, values = (_UPDATE, (text, pool, version)) if version else (_INSERT, (pool, text))
        _rows, changed = self._execute(connection, statement.format(mark=connection.mark), values, ends)
        # No row changed: another gate has written a version in between.
        return changed == 1

    def _create(self, connection: DatabaseConnection, ends: float) -> None:
        # Two sessions that make it at once may both be told that it is there. If it is not, the write tells why.
        with suppress(*connection.errors):
            self._execute(connection, connection.create, (), ends)

    def _failure(self, why: str) -> StoreError:
        return StoreError(sentence(f"The claim store {self.shown} could not be asked: {why}."))

    def _said(self, error: Exception) -> str:
        return self._location.sentence_on(error)


def open_store(location: Location) -> Store:
    """Return the store of a location. What its kind of database needs is imported now."""
    if location.kind == SQLITE:
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.sqlite import connect_to_sqlite

        return Store(location, connect_to_sqlite)
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.postgresql import (
        connect_to_postgresql,
        load_library,
    )

    return Store(location, connect_to_postgresql, load_library)
