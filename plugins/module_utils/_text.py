# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and values, as users and the API give them: trimmed, and shown so that what is wrong with them is seen.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import hide_known_secrets

if t.TYPE_CHECKING:
    from collections.abc import Iterable

# Blanks and lines, control characters, and format characters such as U+200B and the byte order mark U+FEFF: they come
# along when a name is copied from a web page, a document or a file of another system.
_UNSEEN = ("Zs", "Zl", "Zp", "Cc", "Cf")
# A name of the API has 64 characters at most, and room is left for the code points of odd ones.
_LONGEST = 80
_MAX_TEXT = 300
# A float ends at 1.8e308. A password that YAML has read as a number is shorter.
_LARGEST_NUMBER = 10**300
_LONGEST_SENTENCE = 2000  # twice as long as the longest of our own, which lists every option
# Commands that the runners of a CI take from output: ::error:: at the start of a line, which may be one that was
# wrapped, and ##[command] or ##vso[command] anywhere. Addresses like fe80::1 stay.
_RUNNER_COMMAND = re.compile(r"(:)(?=:[0-9A-Fa-f.:]*[G-Zg-z-])|(#)(?=#\w*\[)")
_MOST_NAMES = 20  # so that a sentence can be read, and has the room to say what to do


def one_line(text: str, limit: int = _MAX_TEXT) -> str:
    """Return text of the API, fit for one line of output.

    Control and format characters become blanks, commands of CI runners are broken up, and long text is cut.

    Secrets are hidden first: of one that the cut goes through, all but the end would be left.
    """
    text = hide_known_secrets(text, 10 * limit)  # to look at each character of a long answer takes seconds
    line = (text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)).strip()
    line = _RUNNER_COMMAND.sub(lambda found: f"{found[0]} ", line)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def sentence(words: str) -> str:
    """Return whole sentences on their way to a person, whatever stands in them: one printable line of bounded length.

    What is displayed, warned of, logged or raised goes through here, which a test watches.
    """
    return one_line(words, _LONGEST_SENTENCE)


def trimmed(text: str) -> str:
    """Return the text without the characters at both ends that cannot be seen."""
    start, end = 0, len(text)
    while start < end and _is_invisible_in_text(text[start]):
        start += 1
    while start < end and _is_invisible_in_text(text[end - 1]):
        end -= 1
    return text[start:end]


def is_blank(value: object) -> bool:
    """Return whether it counts as not given, as a field of a survey that was left empty."""
    return value is None or (isinstance(value, str) and not trimmed(value))


def shown(value: object) -> str:
    """Return the value as one printable line: quoted when it is text, with the code points of what cannot be seen."""
    if isinstance(value, str):
        return one_line(repr(hide_known_secrets(str(value), 10 * _LONGEST)), _LONGEST)
    try:
        return one_line(repr(value), _LONGEST)
    except (ValueError, RecursionError):
        # YAML reads hexadecimal digits without an end, and Python refuses to write as many decimal ones.
        return "a value that is too long to be shown"


def written(value: object) -> str | None:
    """Return the value as text; None for a number that has more digits than Python writes."""
    try:
        return str(value)
    except ValueError:
        return None


def is_endless(value: object) -> bool:
    """Return whether it is a whole number that is larger than any that is meant, and than a float may be."""
    return isinstance(value, int) and abs(value) > _LARGEST_NUMBER


def shown_name(name: str) -> str:
    """Return a name within a sentence: as it is, or as shown() has it when it could be taken for another one."""
    seen = name.isprintable() and name == trimmed(name) and "," not in name
    # Quotes show where a name begins and ends, which blanks and commas would hide.
    return name if seen and len(name) <= _LONGEST else shown(name)


def listed(names: Iterable[str]) -> str:
    """Return names within a sentence, as shown_name() has each; of many, the first and how many more there are."""
    first, *others = list(map(shown_name, names)) or ["none"]
    more = len(others) + 1 - _MOST_NAMES
    return ", ".join([first, *others[: _MOST_NAMES - 1]]) + (f" and {more} more" if more > 0 else "")


def comparable_uuid(uuid: str | None) -> str:
    """Return a UUID as it is compared: without case, and without blanks at its ends. It is empty when there is none."""
    return (uuid or "").strip().lower()


def odd_character(text: str) -> str:
    """Return the first character that is no printable ASCII, as "U+200B (ZERO WIDTH SPACE)".

    It is empty when there is none.
    """
    for character in text:
        if not " " <= character <= "~":
            name = unicodedata.name(character, "")
            return f"U+{ord(character):04X}" + (f" ({name})" if name else "")
    return ""


def _is_invisible_in_text(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN
