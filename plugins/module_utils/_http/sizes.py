# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much reading an answer would cost, told from its bytes alone, before any of it is taken.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

# What one of each costs on a slow and busy machine, from its bytes to the facts: 0.2 s for 1,000 jobs in all.
_CONTAINER_SECONDS = 20e-6
_KEY_SECONDS = 2e-6
_VALUE_SECONDS = 1e-6
_ESCAPE_SECONDS = 0.5e-6

# Bytes of memory, measured as bounds on Python 3.9 to 3.13, whose objects differ much in size.
_OBJECT_BYTES = 200
"""Of an empty object, beside the comma or colon before it, on Python 3.9 and 3.10: it has room for five keys there."""

_LIST_BYTES = 90
_VALUE_BYTES = 75
_KEY_BYTES = 180
"""Of a key, its value, their places in the object, and the parser's table of all keys where that has just grown."""


class Size(t.NamedTuple):
    """What reading a JSON text costs at most: bytes of memory, seconds, and how many values and keys it has."""

    memory: int
    seconds: float
    values: int
    keys: int


def size_of_answer(body: bytes) -> Size:
    """Return what reading these bytes costs. What stands within texts counts, too.

    The text and the texts in it have at most four bytes a character, where one of all is as wide.
    """
    width = 4 if _has_wide_characters(body) else 1
    # Counting bytes takes no memory, while parsing to find out would take all of it.
    objects, lists = body.count(b"{"), body.count(b"[")
    containers = objects + lists
    commas, colons, escapes = body.count(b","), body.count(b":"), body.count(b"\\")
    return Size(
        2 * width * len(body)
        + objects * _OBJECT_BYTES
        + lists * _LIST_BYTES
        + commas * _VALUE_BYTES
        + colons * _KEY_BYTES,
        containers * _CONTAINER_SECONDS + colons * _KEY_SECONDS + commas * _VALUE_SECONDS + escapes * _ESCAPE_SECONDS,
        containers + commas + colons,
        colons,
    )


def _has_wide_characters(body: bytes) -> bool:
    """Return whether one character may need more bytes of memory than another.

    Both steps go through 100 MiB in a moment.
    """
    return not body.isascii() or rb"\u" in body
