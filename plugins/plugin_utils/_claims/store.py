# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store of claims: one document for each pool, changed by compare-and-set. Three statements, and one path to them.

No lock is held between two statements, so that none can be left behind, and who was paused cannot write over what came
since. The database is opened on the controller, and only when a gate has a store.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress

from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import hide_secrets_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import (
    AnswerLostError,
    DatabaseConnection,
    StoreError,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import LONGEST_TEXT
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import SQLITE, Location

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST_POOL = 64
"""Characters of a pool's ID that the table has room for; the API's have at most as many."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS poolgate_claims "
    "(pool VARCHAR(64) PRIMARY KEY, version BIGINT NOT NULL, document TEXT NOT NULL)"
)
# The time comes with the documents, also where there is none. A text that is too long is not fetched.
_READ = (
    "SELECT {now}, pool, version, CASE WHEN length(document) > {longest} THEN NULL ELSE document END "
    "FROM (SELECT 1) AS once LEFT JOIN poolgate_claims ON {condition}"
)
# No RETURNING, which needs SQLite 3.35: the number of changed rows tells the same.
_INSERT = "INSERT INTO poolgate_claims VALUES ({mark}, 1, {mark}) ON CONFLICT (pool) DO NOTHING"
_UPDATE = "UPDATE poolgate_claims SET version = version + 1, document = {mark} WHERE pool = {mark} AND version = {mark}"


class Documents(t.NamedTuple):
    """The store's time, and (version, text) of the pools that have one; no text where it is too long."""

    now: float
    by_pool: dict[str, tuple[int, str | None]]


class Store:
    """Reads documents and swaps them. It connects when it is first asked."""

    def __init__(self, location: Location, connect: Callable[[Location], DatabaseConnection]) -> None:
        self.shown = location.shown
        self._location = location
        self._connect = connect
        self._connection: DatabaseConnection | None = None
        # Before anything can fail: the errors of a driver may repeat the URL.
        hide_secrets_of(location)

    def read(self, pools: Sequence[str] | None = None) -> Documents:
        """Return the documents of some pools, or of all. Raises StoreError."""
        try:
            return self._read(pools)
        except StoreError:
            # The first try could not connect, so a second would wait as long for nothing.
            if self._connection is None:
                raise
            # One that was open may have been closed by the server since.
            self.close()
            return self._read(pools)

    def swap(self, pool: str, version: int, text: str) -> bool:
        """Write a document in place of a version, 0 where there is none; False when there is another one by now.

        Raises StoreError, and AnswerLostError when it may have been written all the same.
        """
        # PostgreSQL refuses a longer key with an error, and SQLite takes it: both say the same here.
        if len(pool) > LONGEST_POOL:
            raise StoreError(sentence(f"The ID of a pool has {len(pool)} characters, and no claim can be made on it."))
        connection = self._open()
        try:
            try:
                return self._write(connection, pool, version, text)
            except connection.errors as error:
                if not connection.has_no_table(error):
                    raise
            self._create(connection)
            return self._write(connection, pool, version, text)
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

    def _open(self) -> DatabaseConnection:
        if self._connection is None:
            self._connection = self._connect(self._location)
        return self._connection

    def _read(self, pools: Sequence[str] | None) -> Documents:
        connection = self._open()
        # IN () is no SQL in PostgreSQL; NULL is in no list.
        condition = "1 = 1" if pools is None else f"pool IN ({', '.join([connection.mark] * len(pools)) or 'NULL'})"
        statement = _READ.format(now=connection.now, longest=LONGEST_TEXT, condition=condition)
        try:
            try:
                rows, _changed = connection.execute(statement, pools or ())
            except connection.errors as error:
                if not connection.has_no_table(error):
                    raise
                # Reading makes no table: a look in check mode leaves nothing behind.
                rows, _changed = connection.execute(f"SELECT {connection.now}, NULL, 0, NULL", ())
        except connection.errors as error:
            raise StoreError(self._said(error)) from None
        found = {str(pool): (int(version), text) for _now, pool, version, text in rows if pool is not None}
        return Documents(float(rows[0][0]), found)

    @staticmethod
    def _write(connection: DatabaseConnection, pool: str, version: int, text: str) -> bool:
        statement, values = (_UPDATE, (text, pool, version)) if version else (_INSERT, (pool, text))
        _rows, changed = connection.execute(statement.format(mark=connection.mark), values)
        # No row changed: another gate has written a version in between.
        return changed == 1

    @staticmethod
    def _create(connection: DatabaseConnection) -> None:
        # Two sessions that make it at once may both be told that it is there. If it is not, the write tells why.
        with suppress(*connection.errors):
            connection.execute(_CREATE, ())

    def _said(self, error: Exception) -> str:
        return sentence(f"The store of claims {self.shown} could not be asked: {str(error).rstrip('.')}.")


def open_store(location: Location) -> Store:
    """Return the store of a location. What its kind of database needs is imported now."""
    if location.kind == SQLITE:
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.sqlite import connect_to_sqlite

        return Store(location, connect_to_sqlite)
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.postgresql import (
        connect_to_postgresql,
    )

    return Store(location, connect_to_postgresql)
