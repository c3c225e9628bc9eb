# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that could not be read: what was read, or the error in its place.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import Facts

if t.TYPE_CHECKING:
    from collections.abc import Callable

Read = tuple[t.Any, t.Optional[Facts]]


def try_read(document: str, call: Callable[[], t.Any]) -> Read:
    """(what the call returned, None), or (None, the error as facts)."""
    try:
        return call(), None
    except InputError:
        raise
    except ModelArtsError as error:
        return None, {"document": document, **error.as_result()}


class NoPoolReadableError(ModelArtsError):
    """Nothing could be read of any pool: the first error of the first pool, and all of them in ``pools``."""

    def __init__(self, pools: list[Facts]) -> None:
        first = pools[0]["errors"][0]
        details = ("status", "error_code", "error_msg", "request_id")
        super().__init__(first["msg"], **{name: first.get(name) for name in details})
        self.pools = pools
        self._transient = bool(first.get("transient"))

    @property
    def transient(self) -> bool:
        return self._transient

    def as_result(self) -> Facts:
        return {**super().as_result(), "pools": self.pools}
