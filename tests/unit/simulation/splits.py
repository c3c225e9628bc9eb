# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other ways in which the jobs that wait may be split: the documents are the same, and what starts is not.

ListWorkloads gives what a job asks for in all, and its nodes only once it has some. Into how many replicas of which
size a job is split that waits is in no document.
"""

from __future__ import annotations

import random
import typing as t

from ansible_collections.poolgate.modelarts.tests.unit.simulation.scheduler import Group, Pool, Vector


def other_split(rng: random.Random, groups: t.Sequence[Group]) -> tuple[Group, ...]:
    """Replicas that ask for the same in all: as many as there are cards or fewer, as alike as they can be, or one large
    one and small others; at times with a master that has no cards.
    """
    total = [sum(group.replicas * group.shape[index] for group in groups) for index in range(3)]
    cards = total[2]
    if not cards:
        return tuple(groups)
    master: list[Group] = []
    if rng.random() < 0.5:
        takes: Vector = (rng.randint(0, total[0]), rng.randint(0, total[1]), 0)
        total = [amount - of for amount, of in zip(total, takes)]
        master = [Group(1, takes)] if any(takes) else []
    return (*master, *_workers(rng, total))


def _workers(rng: random.Random, total: list[int]) -> tuple[Group, ...]:
    cards = total[2]
    count = rng.randint(1, cards)
    if cards > 1 and rng.random() < 0.3:
        large = rng.randint(1, cards - 1)
        share = [amount * large // cards for amount in total]
        first: Vector = (share[0], share[1], large)
        rest = [amount - of for amount, of in zip(total, first)]
        return (Group(1, first), *_alike(rest, min(count, cards - large)))
    return tuple(_alike(total, count))


def _alike(total: t.Sequence[int], count: int) -> list[Group]:
    """So many replicas, of which some have a card more than the others, and as much more of the rest."""
    small, more = divmod(total[2], count)
    cores, memory = total[0] // total[2], total[1] // total[2]
    sizes = [small + (index < more) for index in range(count)]
    shapes = [[cores * size, memory * size, size] for size in sizes]
    shapes[0][0] += total[0] - sum(shape[0] for shape in shapes)
    shapes[0][1] += total[1] - sum(shape[1] for shape in shapes)
    groups: dict[Vector, int] = {}
    for shape in shapes:
        key: Vector = (shape[0], shape[1], shape[2])
        groups[key] = groups.get(key, 0) + 1
    return [Group(replicas, shape) for shape, replicas in groups.items()]


def split_otherwise(pool: Pool, rng: random.Random) -> Pool | None:
    """A pool of which every document is the same; None when a job would have started by now that waits."""
    other = pool.copy()
    waiting = len(other.waiting)
    for gang in other.waiting:
        if rng.random() < 0.8 and not any(group.flavor for group in gang.groups):
            gang.groups = other_split(rng, gang.groups)
    other.schedule()
    return other if len(other.waiting) == waiting else None
