# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes as a picture: a cell a node, in it what is taken, asked for and free. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount, from_number
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_card
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import label
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._markup import Html, joined, tag

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Facts = dict[str, t.Any]

_MOST_CARDS = 16
_PARTS = 8
_COLUMNS = 4
_SIDE, _PITCH = 7, 9
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Cell(t.NamedTuple):
    """What the picture of a node shows: so many of its ``size`` parts are taken, and asked for.

    A part is a card where it counts ``in_cards``, or else an eighth of the node's ``resource``. ``taken`` is None where
    it could not be read, and ``unusable`` says why the node takes no work. Nodes that are alike have equal cells.
    """

    flavor: str
    resource: str
    size: int
    in_cards: bool
    taken: int | None
    asked: int
    unusable: str | None

    @property
    def free(self) -> int:
        return self.size - (self.taken or 0) - self.asked

    @property
    def order(self) -> tuple[t.Any, ...]:
        """What is asked for first, then the emptier; what is left out or not known last."""
        left_out = self.unusable is not None
        return (self.flavor, left_out, self.taken is None, -self.asked, self.taken or 0, self.unusable or "")

    def words(self) -> str:
        """``5 taken, 2 asked, 1 free``."""
        if self.taken is None:
            return "not known"
        unit = "" if self.in_cards else f"/{self.size}"
        parts = [(self.taken, "taken"), (self.asked, "asked"), (self.free, "free")]
        return ", ".join(f"{count}{unit} {word}" for count, word in parts if count or word == "taken")


def cell_of(node: Facts, wanted: Iterable[str]) -> Cell:
    """The cell of a node of the report, showing the first resource of ``wanted`` that the node has."""
    has = node["resources"] or {}
    names = [*wanted, *filter(is_card, has), "cpu", "memory"]
    candidates = [name for name in names if has.get(name)]
    flavor = node["flavor"] or "no flavor told"
    if not candidates:
        return Cell(flavor, "", 1, False, None, 0, node["unusable"])
    resource = candidates[0]
    total = from_number(resource, has[resource])
    in_cards = is_card(resource) and total % 1000 == 0 and total <= _MOST_CARDS * 1000
    size = total // 1000 if in_cards else _PARTS
    free = (node["free"] or {}).get(resource)
    if free is None or resource in node["unread"]:
        return Cell(flavor, resource, size, in_cards, None, 0, node["unusable"])
    taken = min(size, -(-max(0, total - from_number(resource, free)) * size // total))
    asked = min(size - taken, -(-from_number(resource, node["asked"].get(resource, 0)) * size // total))
    return Cell(flavor, resource, size, in_cards, taken, asked, node["unusable"])


def wanted_resources(groups: Sequence[Facts]) -> list[str]:
    """The resources that a request asks for, cards first."""
    names = {name for group in groups for name in group["resources"] or ()}
    return sorted(names, key=lambda name: (not is_card(name), name))


def grouped(cells: Iterable[Cell]) -> list[tuple[Cell, int]]:
    """Nodes that are alike, with their number, in the order of the picture."""
    return sorted(Counter(cells).items(), key=lambda entry: entry[0].order)


def letters_of(cells: Iterable[Cell]) -> dict[str, str]:
    """A letter for each reason why nodes are left out, the most frequent first; the last stands for all the others."""
    reasons = Counter(cell.unusable for cell in cells if cell.unusable is not None)
    return {
        reason: _LETTERS[min(index, len(_LETTERS) - 1)]
        for index, (reason, _count) in enumerate(sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])))
    }


class Symbols:
    """Draws cells. What nodes have in common is defined once, and used by each of them."""

    def __init__(self) -> None:
        self._ids: dict[tuple[t.Any, ...], str] = {}
        self._defined: list[Html] = []

    def draw(self, cell: Cell, letters: Mapping[str, str], **attributes: object) -> Html:
        """The picture of the cell, without a text alternative."""
        letter = letters.get(cell.unusable or "", "")
        key = (cell.size, cell.taken, cell.asked, letter)
        if key not in self._ids:
            self._ids[key] = f"n{len(self._ids)}"
            self._defined.append(_symbol(self._ids[key], cell, letter))
        return tag("svg", tag("use", href=f"#{self._ids[key]}"), class_="n", **attributes)

    def definitions(self) -> Html:
        return joined(self._defined)


def _symbol(name: str, cell: Cell, letter: str) -> Html:
    columns = _COLUMNS if cell.size > _COLUMNS // 2 else cell.size
    rows = -(-cell.size // columns)
    width, height = _COLUMNS * _PITCH - 2, max(rows, 2) * _PITCH - 2
    states = "t" * (cell.taken or 0) + "a" * cell.asked
    states += ("f" if cell.taken is not None else "u") * (cell.size - len(states))
    parts = []
    for index, state in enumerate(states):
        x, y = index % columns * _PITCH, index // columns * _PITCH
        parts.append(f'<rect class="{state}" x="{x}" y="{y}" width="{_SIDE}" height="{_SIDE}"/>')
        if state == "a":
            parts.append(f'<path class="p" d="M{x + 1.5} {y + 3.5}h4M{x + 3.5} {y + 1.5}v4"/>')
    if letter:
        middle = width / 2
        parts.append(f'<path class="o" d="M0 {height}L{width} 0"/>')
        parts.append(f'<circle class="k" cx="{middle}" cy="{height / 2}" r="8"/>')
        parts.append(f'<text class="l" x="{middle}" y="{height / 2 + 4}">{letter}</text>')
    elif cell.taken is None:
        parts.append(f'<text class="q" x="{width / 2}" y="{height / 2 + 5}">?</text>')
    return tag("symbol", Html("".join(parts)), id=name, viewBox=f"0 0 {width} {height}")


def amount_words(resource: str, value: int | float) -> str:
    """``gpu 8``."""
    return f"{label(resource)} {format_amount(resource, from_number(resource, value))}"
