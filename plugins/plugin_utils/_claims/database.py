# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind of database has to offer to a store of claims, and how the store fails.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence

Value = t.Union[str, int, float, None]

TABLE = (
    "CREATE TABLE IF NOT EXISTS poolgate_claims "
    "(pool VARCHAR(64) PRIMARY KEY, version BIGINT NOT NULL, document TEXT NOT NULL)"
)


class StoreError(Exception):
    """The store could not be asked. ``str()`` is a sentence without secrets."""


class AnswerLostError(StoreError):
    """A swap whose answer was lost: whether it was written is not known."""


class DatabaseConnection(t.Protocol):
    """A database: how it spells what differs, and how its errors are told apart."""

    mark: str
    now: str
    version: str
    create: str
    """Makes the table, but no second one beside a table that the role does not see."""
    has_none: str
    """A condition that holds where there is no such table, seen or not."""
    shows_all: str
    """A condition that holds where no row of the table is hidden from the role."""
    errors: tuple[type[Exception], ...]

    def execute(
        self, statement: str, values: Sequence[Value], seconds: float
    ) -> tuple[Sequence[Sequence[object]], int]:
        """Return (the rows, how many rows were changed), and fail when it takes longer than so many seconds."""

    def has_no_table(self, error: Exception) -> bool:
        """Return whether the table of claims is not there yet."""

    def is_conflict(self, error: Exception) -> bool:
        """Return whether another session has changed the row at the same time, and nothing was written."""

    def close(self) -> None:
        """End the session."""
