# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of tasks -> the store that they name, and what a gate does with it.

This plugin util is private to the collection.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import GateClaims
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import open_store
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.wish import read_wish

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Time


_MOST_SECONDS = 40.0
"""Seconds that a task has for ends of claims. A look at their jobs that begins in these has twenty of its own, so it is
over within a minute; a last step of GitLab has five."""


def ending_store_of_task(url: object, remark: Callable[[str], None]) -> Store:
    """Return the store of a URL for what ends, renews or lists claims. Raises InputError."""
    store = store_of_task(url, remark)
    store.end_in(_MOST_SECONDS)
    return store


def store_of_task(url: object, remark: Callable[[str], None]) -> Store:
    """Return the store of a URL, which is not opened yet. Raises InputError."""
    location = read_location(url)
    if location.remark:
        remark(location.remark)
    return open_store(location)


def gate_claims_of_task(
    store: object,
    claim: object,
    host: str,
    variables: Mapping[str, object],
    time: Time,
    is_dry: bool,
    remark: Callable[[str], None],
) -> GateClaims:
    """Return what a gate on a host does with claims. Raises InputError."""
    wanted = None if claim is None else read_wish(claim).wanted(host, variables, os.environ)
    return GateClaims(store_of_task(store, remark), wanted, time, is_dry=is_dry)
