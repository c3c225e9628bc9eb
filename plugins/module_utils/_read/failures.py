# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that could not be read: what was read, or the error in its place.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        DocumentError,
        NothingReadFacts,
        PoolEntry,
    )

T = t.TypeVar("T")


@dataclass(frozen=True)
class Read(t.Generic[T]):
    """What a call returned, or the error in its place."""

    value: T | None
    error: DocumentError | None


def read_or_failure(document: str, call: Callable[[], T]) -> Read[T]:
    """Return what the call returns, or its error as one of that document. Raises InputError."""
    try:
        return Read(call(), None)
    # An input of the user is wrong for every document, so it ends the reading.
    except InputError:
        raise
    except ModelArtsError as error:
        return failure_of_document(document, error)


def failure_of_document(document: str, error: ModelArtsError) -> Read[t.Any]:
    """Return the error as one of that document."""
    return Read(None, {"document": document, **error.as_result()})


class NoPoolReadableError(ModelArtsError):
    """Nothing could be read of any pool: the first error of the first pool, and all of them in ``pools``."""

    def __init__(self, pools: list[PoolEntry]) -> None:
        # One sentence for all: most often every pool fails for the same reason.
        first = pools[0]["errors"][0]
        super().__init__(
            first["msg"],
            status=first.get("status"),
            error_code=first.get("error_code"),
            error_msg=first.get("error_msg"),
            request_id=first.get("request_id"),
        )
        self.pools = pools
        self._transient = bool(first.get("transient"))

    @property
    def transient(self) -> bool:
        return self._transient

    def as_result(self) -> NothingReadFacts:
        return {**super().as_result(), "pools": self.pools}
