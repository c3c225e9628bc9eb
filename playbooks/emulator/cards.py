# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NPU cards of a node, and which of them jobs get: those of one group, or whole groups.

Source: the topology-aware scheduling of Huawei's Cloud Container Engine, and MindCluster.
"""

from __future__ import annotations

import typing as t

# How many cards lie together, by what is in the name of a flavor; the first that is there. Else any cards do.
_TOGETHER = (("snt9b23", 2), ("snt9c", 2), ("snt9b", 16), ("kat1", 4), ("snt9.", 4))
MOST_CARDS = 16
_RING_SIZES = (1, 2, 4, 8)


def together_on(flavor: str) -> int:
    """Return how many cards of a node of the flavor lie together."""
    return next((together for part, together in _TOGETHER if part in flavor), MOST_CARDS)


def text_of(taken: t.Iterable[int]) -> str:
    """Return the numbers of cards as sixteen digits, the right-most for card 1."""
    numbers = set(taken)
    return "".join("1" if number in numbers else "0" for number in range(MOST_CARDS, 0, -1))


class Cards:
    """The cards of one node, by number; each is free or has the job that holds it."""

    def __init__(self, count: int, together: int) -> None:
        self.count = count
        self._together = min(together, count)
        self._holders: dict[int, str | None] = dict.fromkeys(range(1, count + 1))

    @property
    def taken(self) -> list[int]:
        return [number for number, holder in self._holders.items() if holder is not None]

    def are_free(self, numbers: t.Iterable[int]) -> bool:
        return all(number in self._holders and self._holders[number] is None for number in numbers)

    def replicas(self, size: int) -> int:
        """Return how many replicas of so many cards find theirs; none of a size that the hardware does not offer."""
        free = self._free_groups()
        if size > self._together:
            whole = [group for group in free if len(group) == self._together]
            return 0 if size % self._together else len(whole) // (size // self._together)
        if self._together == 4 and size not in _RING_SIZES:
            return 0
        return sum(len(group) // size for group in free)

    def take(self, job: str, size: int, wanted: t.Sequence[int] | None = None) -> list[int]:
        """Give a job the cards that it wants, or those of the group that it fills best, as the scheduler does."""
        if wanted is None:
            free = self._free_groups()
            if size > self._together:
                whole = [group for group in free if len(group) == self._together]
                wanted = [number for group in whole[: size // self._together] for number in group]
            else:
                wanted = min((group for group in free if len(group) >= size), key=len)[:size]
        self._holders.update(dict.fromkeys(wanted, job))
        return list(wanted)

    def give_back(self, job: str) -> None:
        self._holders = {number: None if holder == job else holder for number, holder in self._holders.items()}

    def _free_groups(self) -> list[list[int]]:
        groups = [range(first, first + self._together) for first in range(1, self.count + 1, self._together)]
        return [[number for number in group if self._holders.get(number, "") is None] for group in groups]
