# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in the 80 columns of a terminal: how wide it is, where it is cut and where it wraps. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import unicodedata

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

# The narrowest terminal that is common: it would break a longer line anywhere.
WIDTH = 80

# Five lines: the longest sentence of our own has three, the rest leaves room for names in it.
_LONGEST_LINE = 400


def line_in_columns(text: str) -> str:
    """Return the text as one printable line, which has to be of bounded length before it is wrapped."""
    return one_line(text, _LONGEST_LINE)


def width_of(line: str) -> int:
    """Return the columns of a terminal that the line takes."""
    return len(line) if line.isascii() else sum(map(_columns_of_character, line))


def cut_to_width(line: str, width: int) -> str:
    """Return the line, or as much of its start as fits into the width together with ``..``."""
    if width_of(line) <= width:
        return line
    return f"{_pieces_of_word_in_columns(line, width - 2)[0]}.."


def wrap_to_width(start: str, message: str) -> list[str]:
    """Return the message after ``start``, its further lines under the first, none wider than WIDTH."""
    lines = [start]
    indent = width_of(start)
    for word in line_in_columns(message).split(" "):
        for piece in _pieces_of_word_in_columns(word, WIDTH - indent):
            apart = "" if lines[-1].strip() == start.strip() or not lines[-1].strip() else " "
            if width_of(lines[-1] + apart + piece) > WIDTH and lines[-1].strip() not in ("", start.strip()):
                lines.append(" " * indent)
                apart = ""
            lines[-1] += apart + piece
    return [line.rstrip() for line in lines]


def _pieces_of_word_in_columns(word: str, width: int) -> list[str]:
    """Return the word in pieces that are no wider than a line: names of the API have no blanks to break at."""
    pieces = [""]
    used = 0
    for character in word:
        used += _columns_of_character(character)
        if used > width and _columns_of_character(character):  # a mark stays with the character that it belongs to
            pieces.append("")
            used = _columns_of_character(character)
        pieces[-1] += character
    return pieces


def _columns_of_character(character: str) -> int:
    """Return the columns of a terminal that a character takes: a mark none, an East Asian wide character two.

    Marks are the categories Mn and Me, and the vowels and final consonants that a terminal joins to a Hangul syllable.
    """
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
