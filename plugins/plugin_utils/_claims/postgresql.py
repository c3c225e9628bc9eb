# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims in PostgreSQL, for many controllers, by psycopg 3 or else psycopg2.

Secrets go the way of libpq: PGPASSWORD, ~/.pgpass, PGSERVICE, PGSSLMODE, PGSSLROOTCERT.

This plugin util is private to the collection.
"""

from __future__ import annotations

import importlib
import os
import socket
import threading
import typing as t
from contextlib import contextmanager, suppress

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import Value
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import Location

# A statement takes a millisecond. A server that is stopped, or gone without a word, must not hold a gate.
_MOST_SECONDS = 15
_CONNECT_SECONDS = 10

# The SQLSTATE undefined_table, which is the same in every language of the server.
_NO_TABLE = "42P01"
# Stricter isolation than the default says so in place of changing no row.
_CONFLICTS = ("40001", "40P01")


class PostgresqlConnection:
    """A session without transactions and prepared statements, which poolers in front of the server take."""

    mark = "%s"
    now = "extract(epoch FROM clock_timestamp())::float8"

    def __init__(self, library: ModuleType, url: str) -> None:
        self.errors: tuple[type[Exception], ...] = (library.Error,)
        # A time-out that the URL gives is the user's own.
        limits = {} if "connect_timeout=" in url else {"connect_timeout": _CONNECT_SECONDS}
        self._session = library.connect(url, **limits)
        # One statement a transaction: poolers may give the next statement to another session of the server.
        self._session.autocommit = True
        # psycopg 3 prepares a statement that it has sent some times, and the next session behind a pooler lacks it.
        if hasattr(self._session, "prepare_threshold"):
            self._session.prepare_threshold = None

    def execute(self, statement: str, values: Sequence[Value]) -> tuple[Sequence[Sequence[t.Any]], int]:
        with self._bounded(), self._session.cursor() as cursor:
            cursor.execute(statement, tuple(values))
            rows = cursor.fetchall() if cursor.description else []
            return rows, cursor.rowcount

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Have the session end when the server does not answer: libpq itself would wait for ever."""
        timer = threading.Timer(_MOST_SECONDS, self._cut)
        # A timer that is left over must not keep the process from ending.
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        # It may have ended by itself in the meantime.
        with suppress(OSError, *self.errors), socket.socket(fileno=os.dup(self._session.fileno())) as line:
            # On the socket itself: closing a psycopg session waits for the statement that does not end.
            line.shutdown(socket.SHUT_RDWR)

    def has_no_table(self, error: Exception) -> bool:
        return _sqlstate_of(error) == _NO_TABLE

    def is_conflict(self, error: Exception) -> bool:
        return _sqlstate_of(error) in _CONFLICTS

    def close(self) -> None:
        self._session.close()


def connect_to_postgresql(location: Location) -> PostgresqlConnection:
    """Return a session. Raises StoreError when there is no library, or no server that takes it."""
    library = _psycopg_library()
    try:
        return PostgresqlConnection(library, location.target)
    except library.Error as error:
        said = str(error).rstrip(".\n")
        raise StoreError(sentence(f"The store of claims {location.shown} could not be asked: {said}.")) from None


def _psycopg_library() -> ModuleType:
    # psycopg 3 where there are both: it is the one that the documentation names.
    for name in ("psycopg", "psycopg2"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise StoreError("A store of claims in PostgreSQL needs psycopg on the controller: install psycopg[binary].")


def _sqlstate_of(error: Exception) -> str | None:
    """Return the SQLSTATE of an error, by the names that psycopg 3 and psycopg2 have for it."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return None if state is None else str(state)
