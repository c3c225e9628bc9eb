# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims in a file of SQLite, for one controller.

This plugin util is private to the collection.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import sys
import time
import typing as t
from contextlib import closing, suppress
from urllib.parse import quote

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import TABLE, StoreError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import Value
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import Location


# What has the name or belongs to it. Who can write the file can have made a view of that name, or a trigger, an index,
# a check or a column of an expression, one call of which may take for hours: a plain table has columns and their
# types, in some hundred characters, and the index of its key has no text.
_LONGEST_SCHEMA = 1000
_SCHEMA = (
    f"SELECT type, substr(sql, 1, {_LONGEST_SCHEMA}) FROM sqlite_master "
    "WHERE lower(tbl_name) = 'poolgate_claims' LIMIT 9"
)
_PLAIN_TABLE = re.compile(
    r"(?:[\s,()\"'`\[\]]|\b(?:CREATE|TABLE|poolgate_claims|pool|version|document|VARCHAR|64|BIGINT|INTEGER|INT|TEXT|PRIMARY"
    r"|KEY|NOT|NULL|WITHOUT|ROWID|STRICT)\b)+",
    re.IGNORECASE,
)

# Steps of a statement between two looks at the clock, some tenths of a millisecond.
_STEPS = 10_000

# Bytes of one value, which SQLite would take up to a gigabyte of memory for; a longer document closes its store, and
# one that is longer than documents may be, its pool.
_MOST_BYTES = 16_000_000


class SqliteConnection:
    """A file in its default journal: a write-ahead log would need shared memory, which some mounts lack."""

    mark = "?"
    # julianday() has milliseconds in every version; unixepoch() needs SQLite 3.38.
    now = "(julianday('now') - 2440587.5) * 86400.0"
    # Columns have no types here: a version may be a text of any length.
    version = "CASE WHEN typeof(version) = 'integer' THEN version END"
    create = TABLE
    # Who can read the file sees all that is in it.
    has_none = shows_all = "1 = 1"
    # Half a surrogate pair in the name of a pool cannot be written.
    errors: tuple[type[Exception], ...] = (sqlite3.Error, UnicodeError)

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    def execute(
        self, statement: str, values: Sequence[Value], seconds: float
    ) -> tuple[Sequence[Sequence[object]], int]:
        # A file that is not there is made by a write alone.
        connection = self._open(is_read=statement.startswith("SELECT"))
        if connection is not None:
            # A process that was stopped within a write holds the file for as long as that lasts.
            connection.execute(f"PRAGMA busy_timeout = {max(1, int(seconds * 1000))}")
            return _execute_in_sqlite(connection, statement, values, seconds)
        # An empty database answers as one without the table does, and has the same clock.
        with closing(sqlite3.connect(":memory:")) as empty:
            return _execute_in_sqlite(empty, statement, values, seconds)

    def _open(self, *, is_read: bool) -> sqlite3.Connection | None:
        found = self._identity()
        # A gate may wait for hours, in which a backup is put in place of the file: others claim in that one then.
        if self._file is not None and self._opened != found:
            self._file.close()
            self._file = None
        if found is None and not is_read:
            _make_file(self._path)
            found = self._identity()
        if self._file is None:
            if is_read and found is None:
                return None
            # A mode in the URI: plain connect() would make the file, also for a read, and for everybody to read.
            name = f"file:{quote(self._path)}?mode=rw"
            # Without transactions of Python's: each statement is one of its own.
            self._file = sqlite3.connect(name, uri=True, isolation_level=None)
            if sys.version_info >= (3, 11):
                self._file.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        self._opened = found
        return self._file

    def _identity(self) -> tuple[int, int] | None:
        """Return which file the path names; None if there is none for certain. Raises sqlite3.OperationalError."""
        # Not os.path.exists(), to which a folder that may not be entered, or one that does not answer, is no file.
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else None
            raise sqlite3.OperationalError(f"its file cannot be looked for: {words or error}") from None
        return status.st_dev, status.st_ino

    def has_no_table(self, error: Exception) -> bool:
        # SQLite has no code of its own for a missing table.
        return isinstance(error, sqlite3.OperationalError) and "no such table" in str(error)

    def is_conflict(self, error: Exception) -> bool:
        # Writers wait for the file's lock, so no two statements change a row at once.
        return False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _make_file(path: str) -> None:
    """Make the file for its user, and for the group of its folder if that may write there, as each user of it has to.

    Who may only read it can hold a lock for as long as they like, and no gate claims meanwhile.
    """
    real = os.path.realpath(path)
    # Whatever fails is told when it is opened, and another gate may have made it meanwhile.
    with suppress(OSError):
        file = os.open(real, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            folder = os.stat(os.path.dirname(real))
            if folder.st_mode & stat.S_IWGRP and folder.st_gid == os.fstat(file).st_gid:
                os.fchmod(file, 0o660)
        finally:
            os.close(file)


def _execute_in_sqlite(
    connection: sqlite3.Connection, statement: str, values: Sequence[Value], seconds: float
) -> tuple[Sequence[Sequence[object]], int]:
    ends = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
    try:
        # In one transaction: the table is what it is seen to be until the statement is over.
        connection.execute("BEGIN" if statement.startswith("SELECT") else "BEGIN IMMEDIATE")
        try:
            if not all(_is_plain_table(*row) for row in connection.execute(_SCHEMA)):
                raise sqlite3.OperationalError("poolgate_claims is another table than a gate makes")
            cursor = connection.execute(statement, tuple(values))
            rows, changed = cursor.fetchall(), cursor.rowcount
        except BaseException:
            if connection.in_transaction:  # some errors end it by themselves
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return rows, changed
    except sqlite3.OperationalError as error:
        if str(error) == "interrupted":
            raise sqlite3.OperationalError("it did not answer in the time that there is for it") from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _is_plain_table(kind: str, text: str | None) -> bool:
    if text is None:
        return kind == "index"
    return kind == "table" and len(text) < _LONGEST_SCHEMA and _PLAIN_TABLE.fullmatch(text) is not None


def connect_to_sqlite(location: Location, _seconds: float) -> SqliteConnection:
    """Return the file, which is opened when it is first used. Raises StoreError for an SQLite that is too old."""
    # ON CONFLICT came with 3.24, and sums over all rows beside each of them with 3.25.
    if sqlite3.sqlite_version_info < (3, 25):
        raise StoreError(sentence(f"SQLite is {sqlite3.sqlite_version}, and a store of claims needs 3.25 or later."))
    return SqliteConnection(location.target)
