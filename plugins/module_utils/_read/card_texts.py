# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cards of a node a text of placement names: sixteen digits, the right-most for card 1.

This module util is private to the collection. Source: npuTopologyPlacement of ListWorkloads, and the annotation of
ListPoolNodes.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import host_address

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import Number

MOST_CARDS = 16
"""As many cards as a text of placement has digits, and as any node with Ascend cards has."""

_ASCEND = "huawei.com/ascend"
_TEXT = re.compile(r"[01]{16}")
_SIZES = (1, 2, 4, 8, MOST_CARDS)  # of nodes when none of their cards is broken


def is_ascend_card(resource: str) -> bool:
    """Return whether the resource is an Ascend card, of which a text of placement tells."""
    return resource.lower().startswith(_ASCEND)


def card_places_of(cards: int) -> int:
    """Return for how many cards a node is made that has so many: a card that is broken keeps its number."""
    return next((size for size in _SIZES if size >= cards), cards)


def count_ascend_cards(resources: Mapping[str, Number] | None) -> int | None:
    """Return how many Ascend cards a node has; None when it is not told, or it has none, or parts of cards."""
    # Two spellings of one card have one amount; different amounts tell nothing for certain.
    counts = {amount for name, amount in (resources or {}).items() if is_ascend_card(name) and amount}
    count = counts.pop() if len(counts) == 1 else None
    return int(count) if count is not None and float(count).is_integer() and count <= MOST_CARDS else None


def taken_cards_in_text(text: object) -> list[int] | None:
    """Return the numbers of the cards that a text shows as taken; None when it cannot be read."""
    # Text and never a number: leading zeros are cards, and a number of sixteen digits may come as a float.
    if not isinstance(text, str) or not _TEXT.fullmatch(text):
        return None
    return [number for number in range(1, MOST_CARDS + 1) if text[-number] == "1"]


class CardTextsOfJobs:
    """Weighs the texts of jobs against those of their nodes, and tells the cards that can only be a job's own.

    Whether a job's text shows its own cards or all that are taken on the node is in no document. It is the former where
    it shows as many as the job has there, none that another job shows, too, and none that the node shows as free.
    Either way, the cards that it shows are not free.
    """

    def __init__(self) -> None:
        self._seen: dict[str, set[int]] = {}
        self._shared: set[str] = set()
        self._contradicted: dict[str, set[int]] = {}
        self._starting: set[str] = set()

    def note(self, nodes: object, starting: Iterable[str] = ()) -> None:
        """Take note of what the nodes of a job that holds resources show.

        ``starting`` are its addresses if it holds cards there and may have come since the nodes were listed.
        """
        told = set()
        for node in [nodes] if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else []:
            text = node.get("npuTopologyPlacement") if isinstance(node, dict) else None
            mine = taken_cards_in_text(text) if text else None
            host = host_address(node.get("hostIp")) if mine else None
            if mine and host is not None:
                seen = self._seen.setdefault(host, set())
                # One card in two jobs: the texts show the whole node, so none on it tells a job's own cards.
                if not seen.isdisjoint(mine):
                    self._shared.add(host)
                seen.update(mine)
                told.add(host)
        self._starting.update(host for host in starting if host not in told)

    def free_on(self, host: str, shown: Sequence[int]) -> list[int] | None:
        """Return those of the cards that a node shows as free which no job shows as taken there; None if not known.

        The list of nodes and that of jobs are of two moments, so either may be behind: a job that has just started and
        shows no text may have cards that the node shows as free, where another has left as many.
        """
        if host in self._starting:
            return None
        seen = self._seen.get(host)
        if seen is None or seen.isdisjoint(shown):
            return list(shown)
        self._contradicted.setdefault(host, set()).update(seen.intersection(shown))
        return [number for number in shown if number not in seen]

    def of(self, text: object, host: str | None, resources: Mapping[str, Number]) -> list[int] | None:
        """Return the numbers of a job's cards on a host; None where its text does not tell them for certain.

        Ask for it after free_on() has seen what the node shows.
        """
        mine = taken_cards_in_text(text)
        if not mine or host is None or host in self._shared or count_ascend_cards(resources) != len(mine):
            return None
        # A job that calls cards its own which the node shows as free contradicts the node: only their number counts.
        return mine if self._contradicted.get(host, set()).isdisjoint(mine) else None


def free_cards_in_text(text: object, cards: int | None) -> list[int] | None:
    """Return the numbers of the cards that a text shows as free, on a node that has so many.

    None when it cannot be read: its length or a character is another, or it names a card that the node does not have.
    """
    if cards is None or not isinstance(text, str) or not _TEXT.fullmatch(text):
        return None
    places = card_places_of(cards)
    # An eight-card node has sixteen digits as well: the left eight are no cards, and never free ones.
    if "1" in text[: MOST_CARDS - places]:
        return None
    return [number for number in range(1, places + 1) if text[-number] == "0"]
