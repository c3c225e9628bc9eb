# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools that a gate may choose from, each with what is asked of it.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.validation import check_type_dict
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import is_blank, shown, trimmed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._names import entries_of_given_names, given_pool_name
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Request, read_request


class Candidate(t.NamedTuple):
    """A pool to ask, by ID or display name, and what to ask of it."""

    pool: str
    request: Request


def read_candidates(pools: object, request: object) -> list[Candidate]:
    """Return the pools in order of preference, each given as an ID, a display name, or ``{pool, request}``.

    Raises InputError.
    """
    candidates: list[Candidate] = []
    common: Request | None = None
    for entry in entries_of_given_names("pools", pools):
        own = entry if isinstance(entry, dict) else {"pool": entry}
        unknown = [key for key in own if key not in ("pool", "request")]
        if unknown:
            raise InputError(
                f"pools: an entry has the key {shown(unknown[0])}; it must be a pool, or a dictionary with pool and "
                "request."
            )
        asked = None if is_blank(own.get("request")) else read_dictionary_of_candidate("request", own["request"])
        if not asked:
            if not request:
                raise InputError("request is missing: give the resources that the deployment needs.")
            # Only when a pool needs it: with a request of its own for each, the common one may be missing.
            common = common or read_request(request)
        name = given_pool_name("pools", own.get("pool"))
        wanted = read_request(asked) if asked else t.cast(Request, common)
        # A survey gives several names as lines of one text.
        candidates += [Candidate(one, wanted) for one in map(trimmed, name.splitlines()) if one]
    if not candidates:
        raise InputError("pools names no pool: give the ID of at least one.")
    # The same pool twice could be admitted once by each of two requests.
    names = [candidate.pool for candidate in candidates]
    if len(set(names)) < len(names):
        raise InputError("pools names a pool twice.")
    return candidates


def read_dictionary_of_candidate(name: str, value: object) -> object:
    """Return the dictionary that a text stands for, as a survey gives it; anything else as it is. Raises InputError."""
    if not isinstance(value, str):
        return value
    try:
        return check_type_dict(trimmed(value)) if trimmed(value) else None
    except (TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
        raise InputError(
            f"{name} is {shown(value)}, which is not a dictionary: write it as JSON, with double quotes around texts."
        ) from None
