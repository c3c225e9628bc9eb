# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools by their ID or by the name that the console shows.

This module util is private to the collection. Source: ShowPool, ListPools.
"""

from __future__ import annotations

import re
import typing as t
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import POOL_ID, check_pool_of_call
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import read_or_failure
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pools import display_name, pool_facts, pool_id
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import listed, shown_name
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import POOL_NOT_FOUND

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import DocumentError, PoolFacts

# Wider than the form of the reference. A display name may look like this, and is asked for as an ID first.
_LIKE_AN_ID = re.compile(r"[a-z][a-z0-9-]{34,61}[a-z0-9]")


def pool_ids_of_names(client: Client, names: Sequence[str]) -> tuple[list[str], dict[str, DocumentError]]:
    """Return (the ID of each pool, the error of each whose display name could not be looked up).

    Pools are listed only when a name does not look like an ID. A name that no pool has stays as it is: the API says so.
    Raises InputError for a name that several pools have, and for two names of one pool.
    """
    # Most users give IDs, which need no list, and no permission for one.
    if all(map(_LIKE_AN_ID.fullmatch, names)):
        return list(names), {}
    pools = read_or_failure("pools", client.list_pools)
    if pools.error is not None:
        return list(names), {name: pools.error for name in names if not _LIKE_AN_ID.fullmatch(name)}
    ids: list[str] = []
    for name in names:
        # Also a pool that is not listed is asked for by its ID.
        named = [] if _LIKE_AN_ID.fullmatch(name) else _pool_ids_under_name(name, pools.value or ())
        if len(named) > 1:
            raise _several_pools_of_name(name, named)
        # An ID of the API is checked as one of the user: it goes into a path.
        ids.append(check_pool_of_call(named[0] if named else name))
        # A pool that is asked twice would be two candidates with one room.
        if ids[-1] in ids[:-1]:
            raise InputError(f"{ids[-1]} is given twice, by ID and by display name.")
    return ids, {}


def pools_of_names(client: Client, names: Sequence[str]) -> dict[str, PoolFacts]:
    """Return the pool of each name. Raises InputError for a name that no pool has, or several.

    ShowPool answers for what looks like an ID: a caller may have the permission for one pool and none to list them,
    and the list is that of one workspace. The pools are listed when that leaves a name open.
    """
    # Each name once, as each costs a request.
    likely = [name for name in dict.fromkeys(names) if _LIKE_AN_ID.fullmatch(name)]
    shown = list(client.in_parallel([partial(_show_pool_of_name, client, name) for name in likely]))
    known = {name: pool for name, pool in zip(likely, shown) if pool is not None}
    if not known.keys() >= set(names):
        documents = client.list_pools()
        pools = pools_listed_for_names(documents)
        for name in names:
            if name not in known:
                known[name] = pools[_resolve_pool_display_name(client, name, documents)]
    return {name: known[name] for name in names}


def _show_pool_of_name(client: Client, name: str) -> PoolFacts | None:
    try:
        return pool_facts(client.show_pool(name))
    except ApiError as error:
        # Any other error says nothing about the name.
        if error.error_code != POOL_NOT_FOUND:
            raise
        return None


def pools_listed_for_names(documents: Iterable[Document]) -> dict[str, PoolFacts]:
    """Return the pools of a list by their ID. One that it has twice, and differently, is not readable."""
    pools: dict[str, PoolFacts] = {}
    for document in documents:
        facts = pool_facts(document)
        if facts["pool_name"] in pools:
            pools[facts["pool_name"]]["unreadable"].append("the pool, which is listed twice,")
        elif facts["pool_name"] is not None:
            pools[facts["pool_name"]] = facts
    return pools


def _pool_ids_under_name(name: str, documents: Sequence[Document]) -> list[str]:
    """Return the IDs of the pools that have the ID or, if none has, the display name.

    What has the form of an ID is no display name: anybody may label a pool with the ID of one that is not listed, as it
    was deleted or is in another workspace.
    """
    ids = dict.fromkeys(own for own in map(pool_id, documents) if own == name)
    if POOL_ID.fullmatch(name):
        return list(ids)
    # The ID goes first: a display name is free to be the ID of another pool.
    return list(ids or dict.fromkeys(own for own in (pool_id(d) for d in documents if display_name(d) == name) if own))


def _several_pools_of_name(name: str, ids: Sequence[str]) -> InputError:
    return InputError(f"{shown_name(name)} is the display name of {len(ids)} pools: give one of the IDs {listed(ids)}.")


def _resolve_pool_display_name(client: Client, name: str, documents: Sequence[Document]) -> str:
    named = _pool_ids_under_name(name, documents)
    if len(named) == 1:
        return check_pool_of_call(named[0])
    if named:
        raise _several_pools_of_name(name, named)
    # Names of pools are chosen by others: listed() bounds them and makes them printable.
    known = listed(sorted(str(display_name(d) or pool_id(d)) for d in documents))
    raise InputError(
        f"No pool has the ID or the display name {shown_name(name)}; the project has {known}. "
        f"{_workspace_advice_on_pool_name(client)}"
    )


def _workspace_advice_on_pool_name(client: Client) -> str:
    """Return what to do about a pool of another workspace: ListPools lists one, while ShowPool answers for any."""
    return f"Only workspace {client.workspace} was listed: for a pool of another, give its ID or set workspace_id."


def error_with_id_of_pool_name(error: ApiError, client: Client, name: str) -> ApiError:
    """Return the error. Where a pool is not found, it says which one has that display name, when that can be told."""
    if error.error_code != POOL_NOT_FOUND:
        return error
    pools = read_or_failure("pools", client.list_pools)
    ids = _pool_ids_under_name(name, pools.value or ())
    if len(ids) == 1:
        return error.with_advice(f"{name} is the display name of {shown_name(ids[0])}: give that ID.")
    error = error.with_advice(
        "Give the ID of the pool, which is its metadata.name and not the name that the console shows."
    )
    return (
        error.with_advice(_workspace_advice_on_pool_name(client))
        if pools.error is None and not _LIKE_AN_ID.fullmatch(name)
        else error
    )
