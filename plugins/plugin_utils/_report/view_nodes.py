# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part "Nodes" of the HTML page: a picture of each node, or of those that are alike. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.cells import (
    Cell,
    cell_of,
    count_alike_cells,
    count_reasons_of_cells,
    letters_of_cell_reasons,
    resources_shown_in_cells,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_room import bar_percent

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import ReportNode, ReportPool

NAMED_NODES = 64
"""Up to this number, each node has a cell with its name: about two screens of them."""

DRAWN_NODES = 2000
"""Up to this number, each node has a cell; of more, identical nodes share one, as a browser draws no more in time."""

# States and reasons that a reader still looks through; texts of the API could make each node one of its own.
_LISTED_STATES = 60
_LISTED_REASONS = 25
_LISTED_UNITS = 12
# Below three quarters of a percent, a line is narrower than a pixel of a small screen.
LEAST_PART = 0.0075

# The geometry of a picture, in its own units: squares of 7, 9 from one to the next, in rows of four.
_COLUMNS = 4
_SIDE, _PITCH = 7, 9


@dataclass(frozen=True)
class Square:
    """A part of a node: ``t`` taken, ``a`` asked, ``f`` free, ``u`` not known. ``plus`` is the path of a plus in it."""

    state: str
    x: int
    y: int
    plus: str | None


@dataclass(frozen=True)
class Symbol:
    """A picture that nodes share, by its number. ``letter`` is that of the reason why they are left out, or empty.

    ``joins`` is the path that joins cards which lie together.
    """

    number: int
    width: int
    height: int
    side: int
    squares: Sequence[Square]
    joins: str
    letter: str
    is_known: bool
    center_x: float
    center_y: float
    letter_y: float
    mark_y: float


@dataclass(frozen=True)
class NamedNode:
    name: str
    symbol: int
    words: str
    letter: str
    reason: str | None


@dataclass(frozen=True)
class StateRow:
    """Nodes that are alike: their picture, number and flavor, and ``width`` for their part of all nodes."""

    symbol: int
    count: int
    words: str
    width: str
    flavor: str


@dataclass(frozen=True)
class Remainder:
    """What a table leaves out: so many nodes, in so many states."""

    count: int
    states: int


@dataclass(frozen=True)
class States:
    rows: Sequence[StateRow]
    rest: Remainder | None
    has_flavors: bool


@dataclass(frozen=True)
class Reason:
    letter: str
    count: str
    text: str


@dataclass(frozen=True)
class CellLegend:
    """What the pictures of a pool show, so that the legend names no more.

    ``units`` are what a square stands for, the first of them; ``other_units`` counts the others.
    """

    asked: bool
    unknown: bool
    left_out: bool
    joined: bool
    units: Sequence[str]
    other_units: int


@dataclass(frozen=True)
class Nodes:
    """The part as a whole: ``summary`` alone where there are no nodes to draw.

    Few nodes are ``named``; more are ``drawn``, each by its picture, with ``drawn_words`` for who cannot see them, and
    counted as ``states``.
    """

    summary: str
    legend: CellLegend | None = None
    named: Sequence[NamedNode] = ()
    drawn: Sequence[int] = ()
    drawn_words: str = ""
    states: States | None = None
    reasons: Sequence[Reason] = ()
    other_reasons: int = 0


class NodeSymbols:
    """Numbers the pictures of a page. Nodes that look the same share one, which keeps the page small."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int | None, int, str, str, int | None], int] = {}
        self.symbols: list[Symbol] = []

    def number_of(self, cell: Cell, letters: Mapping[str, str]) -> int:
        """Return the number of the picture of the cell, which is made when it is the first of its kind."""
        letter = letters.get(cell.unusable or "", "")
        key = (cell.size, cell.taken, cell.asked, letter, cell.cards, cell.group)
        if key not in self._numbers:
            self._numbers[key] = len(self.symbols)
            self.symbols.append(_view_node_symbol(len(self.symbols), cell, letter))
        return self._numbers[key]


def view_nodes(pool: ReportPool, symbols: NodeSymbols) -> Nodes:
    """Return the nodes of a pool; their pictures are added to ``symbols``."""
    nodes = pool["nodes"]
    if nodes is None:
        return Nodes("The nodes could not be read.")
    if not nodes:
        return Nodes("The pool has no nodes.")
    wanted = resources_shown_in_cells(pool["request"]["groups"])
    cells = [cell_of(node, wanted) for node in nodes]
    reasons = count_reasons_of_cells(cells)
    letters = letters_of_cell_reasons(reasons)
    summary, legend = _view_nodes_summary(pool, nodes), _view_node_legend(cells)
    if len(cells) <= NAMED_NODES:
        named = [_view_named_node(node, cell, letters, symbols) for node, cell in zip(nodes, cells)]
        return Nodes(summary, legend, named=named)
    drawn = []
    # In an order of their own, so that equal pictures stand together and a pattern shows.
    if len(cells) <= DRAWN_NODES:
        drawn = [symbols.number_of(cell, letters) for cell in sorted(cells, key=lambda cell: cell.order)]
    listed = [Reason(letters[text], plural(count, "node"), text) for text, count in reasons[:_LISTED_REASONS]]
    return Nodes(
        summary,
        legend,
        drawn=drawn,
        drawn_words=f"{len(cells)} nodes, grouped by state; the table below counts them",
        states=_view_node_states(cells, letters, symbols),
        reasons=listed,
        other_reasons=len(reasons) - len(listed),
    )


def _view_nodes_summary(pool: ReportPool, nodes: Sequence[ReportNode]) -> str:
    left_out = sum(node["unusable"] is not None for node in nodes)
    replicas = sum(group["replicas"] for group in pool["request"]["groups"])
    said = plural(len(nodes), "node") + (f", {left_out} left out" if left_out else "") + ". "
    if pool["placed"]:
        said += f"One way to place {pool['placed']} of {plural(replicas, 'replica')} is shown; the scheduler decides."
    else:
        said += "No replica finds a place on them now."
    return said + (" Resources that are given back first still show as taken." if pool["request"]["replaces"] else "")


def _view_node_legend(cells: Sequence[Cell]) -> CellLegend:
    kinds = set(cells)  # of ten thousand nodes, most are alike
    units = sorted({cell.unit for cell in kinds if cell.resource})
    return CellLegend(
        asked=any(cell.asked for cell in kinds),
        unknown=any(cell.taken is None for cell in kinds),
        left_out=any(cell.unusable is not None for cell in kinds),
        joined=any(_view_joins_of_node_cards(cell) for cell in kinds),
        units=units[:_LISTED_UNITS],
        other_units=max(0, len(units) - _LISTED_UNITS),
    )


def _view_named_node(node: ReportNode, cell: Cell, letters: Mapping[str, str], symbols: NodeSymbols) -> NamedNode:
    letter = "" if cell.unusable is None else letters[cell.unusable]
    name = node["name"] or "without a name"
    return NamedNode(name, symbols.number_of(cell, letters), cell.words, letter, cell.unusable)


def _view_node_states(cells: Sequence[Cell], letters: Mapping[str, str], symbols: NodeSymbols) -> States:
    alike = count_alike_cells(cells)
    rows = [
        StateRow(
            symbol=symbols.number_of(cell, letters),
            count=count,
            words=cell.words + (f", left out ({letters[cell.unusable]})" if cell.unusable is not None else ""),
            width=bar_percent(max(count / len(cells), LEAST_PART), 1),
            flavor=cell.flavor,
        )
        for cell, count in alike[:_LISTED_STATES]
    ]
    others = alike[_LISTED_STATES:]
    rest = Remainder(sum(count for _cell, count in others), len(others)) if others else None
    return States(rows, rest, has_flavors=len({cell.flavor for cell in cells}) > 1)


def _view_node_symbol(number: int, cell: Cell, letter: str) -> Symbol:
    columns = _COLUMNS if cell.size > _COLUMNS // 2 else cell.size
    rows = -(-cell.size // columns)
    # All pictures are as wide as four squares and as high as two at least, so that a card looks the same on each.
    width, height = _COLUMNS * _PITCH - 2, max(rows, 2) * _PITCH - 2
    states = "t" * (cell.taken or 0) + "a" * cell.asked
    states += ("f" if cell.taken is not None else "u") * (cell.size - len(states))
    states = cell.cards or states
    squares = []
    for index, state in enumerate(states):
        x, y = index % columns * _PITCH, index // columns * _PITCH
        plus = f"M{x + 1.5} {y + 3.5}h4M{x + 3.5} {y + 1.5}v4" if state == "a" else None
        squares.append(Square(state, x, y, plus))
    return Symbol(
        number=number,
        width=width,
        height=height,
        side=_SIDE,
        squares=squares,
        joins=_view_joins_of_node_cards(cell),
        letter=letter,
        is_known=cell.taken is not None,
        center_x=width / 2,
        center_y=height / 2,
        letter_y=height / 2 + 4,
        mark_y=height / 2 + 5,
    )


def _view_joins_of_node_cards(cell: Cell) -> str:
    """Return the lines between the cards of a node that lie together; none where all of them do, or it is not known."""
    if not cell.cards or cell.group is None or cell.group in (1, cell.size):
        return ""
    joins = ""
    for index in range(cell.size - 1):
        x, y = index % _COLUMNS * _PITCH, index // _COLUMNS * _PITCH
        if index // cell.group != (index + 1) // cell.group:
            continue
        is_in_row = index % _COLUMNS < _COLUMNS - 1
        joins += f"M{x + _SIDE} {y + 3.5}h2" if is_in_row else f"M3.5 {y + _SIDE}v2"
    return joins
