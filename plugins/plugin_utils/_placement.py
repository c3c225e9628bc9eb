# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether replicas find a place on nodes, all or none: pure integer arithmetic over slots.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

State = tuple[int, ...]

SEARCH_BOUND = 20_000
"""Steps that the search over several groups may take before it gives up: patterns tried and states compared."""

_MOST_GROUPS = 200  # each is one call deeper


class _TooManyError(Exception):
    """A node takes more patterns than may be tried."""


@dataclass(frozen=True)
class Slot:
    """What a node offers: ``free`` amounts, one for each resource of the problem; ``empty`` when no job is on it."""

    free: tuple[int, ...]
    flavor: str | None
    empty: bool

    def __hash__(self) -> int:
        """That of a text, which has a key in each process; of numbers, chosen ones could have all one hash."""
        return hash((str(self.free), self.flavor, self.empty))


@dataclass(frozen=True)
class Need:
    """Replicas of one shape: amounts in the order of Slot.free, or one whole empty node of a flavor."""

    replicas: int
    amounts: tuple[int, ...] | None
    flavor: str | None

    def fits(self, slot: Slot) -> int:
        """How many replicas the slot takes when it takes nothing else."""
        if self.amounts is None:
            return int(slot.empty and slot.flavor == self.flavor)
        return min(free // asked for free, asked in zip(slot.free, self.amounts) if asked)


def most_replicas(slots: Mapping[Slot, int], need: Need) -> int:
    """How many replicas of one shape all slots take. ``slots`` counts the nodes that offer the same."""
    return sum(max(0, need.fits(slot)) * count for slot, count in slots.items())


def place(slots: Mapping[Slot, int], needs: Sequence[Need], bound: int = SEARCH_BOUND) -> bool | None:
    """Whether all replicas of all groups can be placed together; None when the search passed its bound.

    One group is exact and never None. For several, the states are the replicas still to place; each node takes a
    pattern of replicas to which none can be added, and of two states the one that has placed no more is dropped.
    """
    if any(most_replicas(slots, need) < need.replicas for need in needs):
        return False
    if len(needs) == 1:
        return True
    if not _sums_fit(slots, needs):
        return False
    return True if _fits_greedily(slots, needs) else _search(slots, needs, bound)


def _fits_greedily(slots: Mapping[Slot, int], needs: Sequence[Need]) -> bool:
    """Whether the groups fit one after the other, the choosiest first, each into the nodes that fit it least well."""
    left = Counter(slots)
    for need in sorted(needs, key=lambda need: most_replicas(slots, need) / need.replicas):
        replicas = need.replicas
        for slot in sorted(left, key=lambda slot: (need.fits(slot), slot.free)):
            places = need.fits(slot)
            if places <= 0 or not replicas:
                continue
            used = min(left[slot], -(-replicas // places))
            left[slot] -= used
            full = min(used, replicas // places)
            for count, taken in ((full, places), (used - full, replicas - full * places)):
                if count and need.amounts is not None:
                    rest = tuple(free - asked * taken for free, asked in zip(slot.free, need.amounts))
                    left[Slot(rest, slot.flavor, False)] += count
            replicas -= min(replicas, used * places)
        if replicas:
            return False
        left = +left
    return True


def _sums_fit(slots: Mapping[Slot, int], needs: Sequence[Need]) -> bool:
    shapes = [need for need in needs if need.amounts is not None]
    width = len(next(iter(slots)).free)
    offered = [sum(max(0, slot.free[i]) * count for slot, count in slots.items()) for i in range(width)]
    asked = [sum(t.cast("tuple[int, ...]", need.amounts)[i] * need.replicas for need in shapes) for i in range(width)]
    return all(a <= o for a, o in zip(asked, offered))


def _search(slots: Mapping[Slot, int], needs: Sequence[Need], bound: int) -> bool | None:
    if len(needs) > _MOST_GROUPS:
        return None
    states: set[State] = {tuple(need.replicas for need in needs)}
    steps = 0
    useful = [(slot, count) for slot, count in slots.items() if any(need.fits(slot) > 0 for need in needs)]
    # Nodes that fit few shapes first: they leave the flexible ones for what is left.
    for slot, count in sorted(useful, key=lambda entry: sum(need.fits(entry[0]) for need in needs)):
        for _node in range(count):
            reached: set[State] = set()
            for state in states:
                try:
                    patterns = _patterns(slot, needs, state, bound - steps)
                except _TooManyError:
                    return None
                steps += len(patterns)
                reached.update(tuple(left - taken for left, taken in zip(state, pattern)) for pattern in patterns)
            steps += len(reached) ** 2 // 16
            if steps > bound:
                return None
            reached = _undominated(reached)
            if any(not any(state) for state in reached):
                return True
            if reached == states:
                break
            states = reached
    return False


def _patterns(slot: Slot, needs: Sequence[Need], state: State, bound: int) -> list[State]:
    """Numbers of replicas, one for each group, that the slot takes at once and to which none can be added.

    Raises _TooManyError where there are more than ``bound``, before they take time and memory.
    """
    found: list[State] = []
    for index, need in enumerate(needs):
        if need.amounts is None and state[index] and need.fits(slot):
            found.append(tuple(int(index == other) for other in range(len(needs))))

    def extend(index: int, free: tuple[int, ...], taken: State) -> None:
        if index == len(needs):
            if len(found) > bound:
                raise _TooManyError
            found.append(taken)
            return
        amounts = needs[index].amounts
        if amounts is None:
            extend(index + 1, free, (*taken, 0))
            return
        most = min([state[index], *(f // a for f, a in zip(free, amounts) if a)])
        last = all(need.amounts is None or not state[i] for i, need in enumerate(needs) if i > index)
        for count in range(most, most - 1 if last else -1, -1):
            left = tuple(f - a * count for f, a in zip(free, amounts))
            extend(index + 1, left, (*taken, count))

    extend(0, slot.free, ())
    return found


def _undominated(states: set[State]) -> set[State]:
    kept: list[State] = []
    for state in sorted(states, key=sum):
        if not any(all(a <= b for a, b in zip(other, state)) for other in kept):
            kept.append(state)
    return set(kept)
