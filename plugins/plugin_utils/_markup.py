# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG from plain Python: markup has a type of its own, and any other text is escaped where the two meet.

No template engine, because text of the API must never be one, and because module utilities are imported on hosts that
have none.

This plugin util is private to the collection.
"""

from __future__ import annotations

import html
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_TEXT = 500


class Html(str):
    """Markup. A ``str`` that is none is text."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: object) -> Html:
    """An element. ``_`` in the name of an attribute stands for ``-``, or for nothing at its end; None leaves it out."""
    words = [
        f'{key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    start = " ".join([name, *words])
    return Html(f"<{start}>{joined(content)}</{name}>")


def joined(content: Iterable[str], between: str = "") -> Html:
    """Markup and text one after the other, the text escaped."""
    return Html(_escaped(between).join(part if isinstance(part, Html) else _escaped(part) for part in content))


def foreign(words: str) -> Html:
    """Text of the API: one line that cannot turn the direction of what follows."""
    return tag("bdi", one_line(words, _LONGEST_TEXT))


def _escaped(words: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in words[:_LONGEST_TEXT])
    return html.escape(line + "..." * (len(words) > _LONGEST_TEXT))
