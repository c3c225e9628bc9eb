# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that stand in a text in a way that no list of spellings has: escaped twice, wrapped, or cut.

Text and secret are brought to one form, without any escapes, and are compared in it. Each step goes once through the
text, however it was made.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._search import StringSearch

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_ROUNDS = 4  # a server that quotes the error of a server that quotes a request makes two or three
_ESCAPES = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)|(?P<units>(?:\\u[0-9A-Fa-f]{4})+)|\\x(?P<byte>[0-9A-Fa-f]{2})"
    r"|\\(?P<one>[\\/\"'bfnrt])|&\#(?P<decimal>[0-9]{1,7});|&\#[xX](?P<hex>[0-9A-Fa-f]{1,6});"
    r"|&(?P<name>amp|lt|gt|quot|apos);"
)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
# Where a line was wrapped, with its indentation, and characters that are not seen.
_FOLDS = re.compile(r"[ \t]*[\r\n]\s*|[\u00ad\u200b-\u200f\u2060\ufeff]")
# A shorter secret could stand in ordinary words, and is hidden only where all of it does.
_SHORTEST_CUT = 24
_LONGEST_HEAD = 24

NormalSecret = tuple[str, str]  # and as much of its beginning as tells that it is there
Spans = list[tuple[int, int]]


class RespelledSearch:
    """Looks for secrets, as normal_secrets() has them, in whatever form a text has them."""

    def __init__(self, secrets: Iterable[NormalSecret]) -> None:
        self._wholes: dict[str, set[str]] = {}
        for whole, head in secrets:
            self._wholes.setdefault(head, set()).add(whole)
        self._heads = StringSearch(self._wholes)

    def mask(self, text: str, mask: str) -> str:
        """Return the text without the secrets in another form, and without the beginnings of long ones."""
        if not self._wholes:
            return text
        # Spans cost memory for each character, so they are made only where something was found.
        heads = set(self._heads.found_in(normal_spelling(text)))
        if not heads:
            return text
        seen, spans = _normal_spelling_with_spans(text)
        found = sorted(
            span
            for head in heads
            for whole in self._wholes[head]
            for span in _places_of_respelled_secret(seen, whole, head)
        )
        parts, done = [], 0
        for first, last in found:
            start, end = spans[first][0], spans[last][1]
            if end > done:
                parts += [text[done:start], mask] if start >= done else []
                done = end
        return "".join([*parts, text[done:]])


def normal_secrets(secrets: Iterable[str]) -> frozenset[NormalSecret]:
    """Return the secrets as RespelledSearch takes them: to make them takes too long for each text."""
    return frozenset(found for found in map(_normal_spelling_and_head, secrets) if found[1])


def normal_spelling(text: str) -> str:
    """Return the text without escapes of JSON, Python, URLs, forms and HTML, and in one line."""
    for _round in range(_ROUNDS):
        decoded = _ESCAPES.sub(_respelled_character_of_secret, text)
        if decoded == text:
            break
        text = decoded
    return _FOLDS.sub("", text).replace("+", " ")


def _normal_spelling_and_head(secret: str) -> NormalSecret:
    """Return a secret in that form, and as much of its beginning as tells that it stands there."""
    whole = normal_spelling(secret)
    if len(whole) < _SHORTEST_CUT:
        return whole, whole
    # Half of it or 24 characters: a server may cut a token, and the part that is left is still secret.
    return whole, whole[: min(_LONGEST_HEAD, len(whole) // 2)]


def _respelled_character_of_secret(match: re.Match[str]) -> str:
    kind, value = match.lastgroup, str(match[match.lastgroup or 0])
    if kind == "percent":
        return bytes.fromhex(value.replace("%", "")).decode("utf-8", "replace")
    if kind == "units":
        return bytes.fromhex(value.replace("\\u", "")).decode("utf-16-be", "replace")
    if kind in ("decimal", "hex"):
        point = int(value, 10 if kind == "decimal" else 16)
        # Halves of surrogate pairs are no characters, and could not be printed.
        return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else "\ufffd"
    if kind == "byte":
        return chr(int(value, 16))
    return _NAMED[value] if kind == "name" else _CONTROLS.get(value, value)


def _normal_spelling_with_spans(text: str) -> tuple[str, Spans]:
    """Return normal_spelling() of the text, and for each character where in the text it stands."""
    spans: Spans = [(at, at + 1) for at in range(len(text))]
    for _round in range(_ROUNDS):
        decoded, spans = _mask_respelled_places(text, spans, _ESCAPES, _respelled_character_of_secret)
        if decoded == text:
            break
        text = decoded
    text, spans = _mask_respelled_places(text, spans, _FOLDS, lambda _match: "")
    return text.replace("+", " "), spans


def _mask_respelled_places(
    text: str, spans: Spans, pattern: re.Pattern[str], character: Callable[[re.Match[str]], str]
) -> tuple[str, Spans]:
    parts: list[str] = []
    moved: Spans = []
    done = 0
    for match in pattern.finditer(text):
        made = character(match)
        parts += [text[done : match.start()], made]
        moved += spans[done : match.start()]
        moved += [(spans[match.start()][0], spans[match.end() - 1][1])] * len(made)
        done = match.end()
    return "".join([*parts, text[done:]]), moved + spans[done:]


def _places_of_respelled_secret(seen: str, whole: str, head: str) -> Iterator[tuple[int, int]]:
    """Yield the first and the last character of each place, as far as it is the secret."""
    start = seen.find(head)
    while start >= 0:
        end = start + len(head)
        while end < len(seen) and end - start < len(whole) and seen[end] == whole[end - start]:
            end += 1
        yield start, end - 1
        # Behind the end: a place within another would be masked already.
        start = seen.find(head, end)
