# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools that a user names, in every form that YAML, templates, extra variables and surveys give them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import ast
import json
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import shown, trimmed, written

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# A list that somebody writes on a command line. Python reads longer ones, too, and takes its time for nested ones.
_LONGEST_LITERAL = 10_000


def entries_of_given_names(where: str, given: object) -> Iterator[object]:
    """Yield what a list has, and the lists in it; names one by one, without blank ones. Raises InputError.

    A text is a list in brackets, as JSON or as Python has it, or names with commas or lines between them.
    """
    if isinstance(given, str):
        text = trimmed(given)
        if text.startswith("["):
            yield from entries_of_given_names(where, _given_names_in_text(where, text))
        else:
            yield from _flat_given_names([part for line in text.splitlines() for part in line.split(",")])
    else:
        yield from _flat_given_names(given)


def given_pool_name(where: str, given: object) -> str:
    """Return the name that an entry stands for. Raises InputError for none, and for one that YAML may have changed."""
    if isinstance(given, str):
        return given
    # A name of digits alone, which YAML has made a number without changing it.
    name = written(given) if isinstance(given, int) and not isinstance(given, bool) else None
    if name is not None:
        return name
    if given is None or isinstance(given, (dict, list, tuple)):
        raise InputError(f"{where}: an entry names no pool; it must be a pool, or a dictionary with pool and request.")
    # no, 1.10 and 2026-01-01 have become False, 1.1 and a date, and 1.1 may be another pool.
    raise InputError(
        f"{where} has {shown(given)}, which YAML has read from a name without quotes: quote it, as in 'no' or '1.10'."
    )


def given_pool_names(where: str, given: object) -> list[str]:
    """Return the names that were given, in their order, each once. Raises InputError."""
    return list(dict.fromkeys(given_pool_name(where, entry) for entry in entries_of_given_names(where, given)))


def _flat_given_names(given: object) -> Iterator[object]:
    if isinstance(given, (list, tuple)):
        for entry in given:
            yield from _flat_given_names(entry)
    elif isinstance(given, str):
        yield from filter(None, map(trimmed, given.splitlines()))
    elif given is not None:
        yield given


def _given_names_in_text(where: str, text: str) -> object:
    """Return the list that the text is: ansible-core reads it as one in some versions and places, not in others."""
    try:
        listed: object = json.loads(text)
    except (ValueError, RecursionError):
        try:
            listed = ast.literal_eval(text) if len(text) <= _LONGEST_LITERAL else None
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            listed = None
    if not isinstance(listed, list):
        raise InputError(f'{where} is {shown(text)}, which is not a list: write it as JSON, like ["train", "infer"].')
    return listed
