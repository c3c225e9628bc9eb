# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims in PostgreSQL, for many controllers, by psycopg 3 or else psycopg2.

Secrets go the way of libpq: PGPASSWORD, ~/.pgpass, PGSERVICE, PGSSLMODE, PGSSLROOTCERT.

This plugin util is private to the collection.
"""

from __future__ import annotations

import importlib
import math
import os
import queue
import socket
import threading
import typing as t
from contextlib import contextmanager, suppress

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import TABLE, StoreError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import Value
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import Location

# What libpq takes for one second as well.
_LEAST_CONNECT_SECONDS = 2

# The SQLSTATE undefined_table, which is the same in every language of the server.
_NO_TABLE = "42P01"
# Stricter isolation than the default says so in place of changing no row.
_CONFLICTS = ("40001", "40P01")


class PostgresqlConnection:
    """A session without transactions and prepared statements, which poolers in front of the server take."""

    mark = "%s"
    now = "extract(epoch FROM clock_timestamp())::float8"
    version = "version"
    # Of a table in a schema that a role may not use, or that is not in its search_path, the server says that there is
    # none. The catalog shows those of all schemas to everybody.
    has_none = "NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'poolgate_claims')"
    # Two roles that have a schema each would make two tables at once.
    create = (
        "DO $$BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('poolgate_claims')); "
        f"IF {has_none} THEN {TABLE}; END IF; END$$"
    )
    # To a role for which a policy is missing, a table with row security is empty.
    shows_all = "NOT pg_catalog.row_security_active('poolgate_claims')"

    def __init__(self, library: ModuleType, session: t.Any) -> None:
        # What is not in UTF-8 cannot be read, nor half a surrogate pair written.
        self.errors: tuple[type[Exception], ...] = (library.Error, UnicodeError)
        self._session = session
        # One statement a transaction: poolers may give the next statement to another session of the server.
        self._session.autocommit = True
        # psycopg 3 prepares a statement that it has sent some times, and the next session behind a pooler lacks it.
        if hasattr(self._session, "prepare_threshold"):
            self._session.prepare_threshold = None

    def execute(
        self, statement: str, values: Sequence[Value], seconds: float
    ) -> tuple[Sequence[Sequence[object]], int]:
        with self._bounded(seconds), self._session.cursor() as cursor:
            cursor.execute(statement, tuple(values))
            rows = cursor.fetchall() if cursor.description else []
            return [[_decoded_value(value) for value in row] for row in rows], cursor.rowcount

    @contextmanager
    def _bounded(self, seconds: float) -> Iterator[None]:
        """Have the session end when the server does not answer: libpq itself would wait for ever."""
        # And no statement_timeout of the server's: one that is stopped does not keep it, and poolers refuse it.
        timer = threading.Timer(seconds, self._cut)
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


def connect_to_postgresql(location: Location, seconds: float) -> PostgresqlConnection:
    """Return a session. Raises StoreError when there is no library, or no server that takes it in that time."""
    library = _psycopg_library()
    # A database in SQL_ASCII would else give bytes, in which no pool has its name.
    options: dict[str, object] = {"client_encoding": "UTF8", **location.options}
    if not location.has_time_limit:
        options["connect_timeout"] = max(_LEAST_CONNECT_SECONDS, math.ceil(seconds))

    try:
        return PostgresqlConnection(library, _made_within(seconds, lambda: library.connect(location.target, **options)))
    except (library.Error, UnicodeError, TimeoutError) as error:
        raise StoreError(location.sentence_on(error, _password_of(error))) from None


def _made_within(seconds: float, connect: Callable[[], t.Any]) -> t.Any:
    """Return a session, or raise TimeoutError.

    In a thread of its own: libpq bounds neither the look-up of a name, nor all addresses and hosts together.
    """
    made: queue.SimpleQueue[tuple[t.Any, Exception | None]] = queue.SimpleQueue()
    given_up = threading.Event()

    def run() -> None:
        try:
            session = connect()
        except Exception as error:  # whatever it is, it is raised where it is waited for
            made.put((None, error))
            return
        made.put((session, None))
        if given_up.is_set():
            session.close()

    # It must not keep the process from ending.
    threading.Thread(target=run, daemon=True).start()
    try:
        session, error = made.get(timeout=seconds)
    except queue.Empty:
        given_up.set()
        raise TimeoutError(f"no session within {seconds:.0f} seconds") from None
    if error is not None:
        raise error
    return session


def _password_of(error: Exception) -> str:
    """Return the password of the session that failed, wherever libpq had it from: psycopg 3 tells."""
    try:
        password = getattr(getattr(error, "pgconn", None), "password", None)
    except Exception:  # a session that was never begun has none
        return ""
    return password.decode("utf-8", "surrogateescape") if isinstance(password, bytes) else ""


def _decoded_value(value: object) -> object:
    """Return text for the bytes of a text. A library gives bytes where it does not know their encoding."""
    return bytes(value).decode("utf-8") if isinstance(value, (bytes, memoryview)) else value


def load_library() -> None:
    """Import what a session needs. Raises StoreError."""
    _psycopg_library()


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
