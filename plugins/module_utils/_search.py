# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many strings, looked for in a text at once.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Wherever a string of at least twice this length stands in a text that is cut into blocks of it, one of the blocks is
# within the end of the string.
_BLOCK = 12

# Strings that share a block. Tokens are random, so more are made up, for a text of such blocks to take the time of all.
_MOST_OF_BLOCK = 4


class StringSearch:
    """Finds strings in a time that hardly grows with the number of long ones: each block of a text is looked up once.

    The blocks are of the ends of strings: the beginnings of tokens are alike, and known to everyone.
    """

    def __init__(self, strings: Iterable[str]) -> None:
        self._one_by_one: list[str] = []
        self._by_block: dict[str, list[tuple[str, int]]] = {}
        for string in filter(None, set(strings)):
            starts = range(max(0, len(string) - 2 * _BLOCK + 1), len(string) - _BLOCK + 1)
            blocks = {string[start : start + _BLOCK]: start for start in starts}
            if len(blocks) < _BLOCK or any(len(self._by_block.get(one, ())) >= _MOST_OF_BLOCK for one in blocks):
                self._one_by_one.append(string)
                continue
            for block, start in blocks.items():
                self._by_block.setdefault(block, []).append((string, start))

    def found_in(self, text: str) -> Iterator[str]:
        """Yield each of the strings that is in the text, some of them several times."""
        yield from (string for string in self._one_by_one if string in text)
        if not self._by_block:
            return
        for at in range(0, len(text) - _BLOCK + 1, _BLOCK):
            for string, start in self._by_block.get(text[at : at + _BLOCK], ()):
                if start <= at and text.startswith(string, at - start):
                    yield string
