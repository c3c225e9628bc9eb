# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the picture of a node shows: how much of it is taken, asked for and free, in squares. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import amount_from_number, is_card_resource
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import label

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import (
        ReportCards,
        ReportGroup,
        ReportNode,
    )

# Nodes have up to sixteen cards; of more, squares are too small to be counted.
_MOST_CARDS = 16
# As many squares as most nodes have cards, so that nodes without cards look as large.
_PARTS = 8
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Cell(t.NamedTuple):
    """A node in squares: so many of its ``size`` parts are taken, and asked for.

    A part is a card where it counts ``in_cards``, or else an eighth of the node's ``resource``. ``taken`` is None where
    it could not be read, and ``unusable`` says why the node takes no work. Nodes that are alike have equal cells.

    ``cards`` has a letter for each card, ``t`` taken, ``a`` asked and ``f`` free, where it is known which they are. Of
    ``group`` each, as far as it is known, the cards lie together.
    """

    flavor: str
    resource: str
    size: int
    in_cards: bool
    taken: int | None
    asked: int
    unusable: str | None
    cards: str = ""
    group: int | None = None

    @property
    def free(self) -> int:
        return self.size - (self.taken or 0) - self.asked

    @property
    def order(self) -> tuple[str, bool, bool, int, int, str, str]:
        """What is asked for first, then the emptier; what is left out or not known last."""
        left_out = self.unusable is not None
        left = (self.taken is None, -self.asked, self.taken or 0)
        return (self.flavor, left_out, *left, self.unusable or "", self.cards)

    @property
    def words(self) -> str:
        """``5 taken, 2 asked, 1 free``."""
        if self.taken is None:
            return "not known"
        unit = "" if self.in_cards else f"/{self.size}"
        parts = [(self.taken, "taken"), (self.asked, "asked"), (self.free, "free")]
        said = ", ".join(f"{count}{unit} {word}" for count, word in parts if count or word == "taken")
        numbers = [str(number) for number, state in enumerate(self.cards, 1) if state == "f"]
        return said + (f" ({', '.join(numbers)})" if numbers and self.taken else "")

    @property
    def unit(self) -> str:
        """What a square stands for: ``1 gpu``, ``1/8 of the node's cpu``."""
        return f"1 {label(self.resource)}" if self.in_cards else f"1/{self.size} of the node's {label(self.resource)}"


def cell_of(node: ReportNode, wanted: Iterable[str]) -> Cell:
    """Return the cell of a node, showing the first resource of ``wanted`` that the node has.

    Amounts round up to whole squares: a card of which a part is taken is no card for others.
    """
    has = node["resources"] or {}
    # The resources asked for go first: the picture is to show why they fit, or why not.
    names = [*wanted, *filter(is_card_resource, has), "cpu", "memory"]
    candidates = [name for name in names if has.get(name)]
    flavor = node["flavor"] or "flavor not reported"
    if not candidates:
        return Cell(flavor, "", 1, False, None, 0, node["unusable"])
    resource = candidates[0]
    total = amount_from_number(resource, has[resource])
    in_cards = is_card_resource(resource) and total % 1000 == 0 and total <= _MOST_CARDS * 1000
    size = total // 1000 if in_cards else _PARTS
    free = (node["free"] or {}).get(resource)
    if free is None or resource in node["unread"]:
        return Cell(flavor, resource, size, in_cards, None, 0, node["unusable"])
    taken = min(size, -(-max(0, total - amount_from_number(resource, free)) * size // total))
    # Never more than is left: both are rounded up, and a node cannot be overfull in its picture.
    asked = min(size - taken, -(-amount_from_number(resource, node["asked"].get(resource, 0)) * size // total))
    cards = node["cards"]
    if cards is None or cards["resource"] != resource:
        return Cell(flavor, resource, size, in_cards, taken, asked, node["unusable"])
    states = _card_states_of_cell(cards, size, asked)
    taken = states.count("t") if states else taken
    return Cell(flavor, resource, size, in_cards, taken, asked, node["unusable"], states, cards["group"])


def _card_states_of_cell(cards: ReportCards, size: int, asked: int) -> str:
    """Return the state of each card; empty where it is not known which are free or asked for."""
    free = cards["free"]
    if free is None or len(cards["asked"]) != asked or max(free, default=0) > size:
        return ""
    return "".join("a" if number in cards["asked"] else "f" if number in free else "t" for number in range(1, size + 1))


def resources_shown_in_cells(groups: Sequence[ReportGroup]) -> list[str]:
    """Return the resources that a request asks for, cards first."""
    names = {name for group in groups for name in group["resources"] or ()}
    return sorted(names, key=lambda name: (not is_card_resource(name), name))


def count_alike_cells(cells: Iterable[Cell]) -> list[tuple[Cell, int]]:
    """Return nodes that are alike, with their number, in the order of the picture."""
    return sorted(Counter(cells).items(), key=lambda entry: entry[0].order)


def count_reasons_of_cells(cells: Iterable[Cell]) -> list[tuple[str, int]]:
    """Return the reasons why nodes are left out, with their number, the most frequent first."""
    reasons = Counter(cell.unusable for cell in cells if cell.unusable is not None)
    return sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))


def letters_of_cell_reasons(reasons: Iterable[tuple[str, int]]) -> dict[str, str]:
    """Return a letter for each reason of count_reasons_of_cells(); the last letter stands for all the others."""
    return {reason: _LETTERS[min(index, len(_LETTERS) - 1)] for index, (reason, _count) in enumerate(reasons)}
