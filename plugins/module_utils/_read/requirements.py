# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jobs ask for: their resource requirements as amounts.

This module util is private to the collection. Source: ListWorkloads, table 5.
"""

from __future__ import annotations

import reprlib
import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    UnreadableQuantityError,
    add_amounts,
    parse_quantity,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    MOST_RESOURCES,
    are_resources_bounded,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import UnparsedQuantity
    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts

# Kinds of unreadable amounts that are kept: a made-up list could have a different one in each job.
_UNPARSED = 50
MOST_PARTS = 1000
"""Parts of one requirement that are added up. The reference shows one."""

_LONGEST = 200  # characters of a name or value that is kept to be recognized
_MOST_UNREAD = 10  # resources of one job; no real one asks for as many in all


class Requirements:
    """Parses resource requirements, caches identical ones, and counts those that cannot be parsed."""

    def __init__(self) -> None:
        self.unparsed: Counter[tuple[str, str]] = Counter()
        self._read: dict[str, tuple[Amounts, list[str], list[tuple[str, str]]]] = {}

    def read(self, requirement: object, jobs: int = 1) -> tuple[Amounts, list[str]]:
        """Return (amounts, the resources that could not be read; ``"*"`` when there is no requirement to read).

        ``jobs`` is how many have this requirement.

        The reference gives an array of objects and shows one object: the parts of an array are added up.
        """
        if isinstance(requirement, list) and requirement:
            total: Amounts = {}
            unread: list[str] = []
            for part in requirement[:MOST_PARTS]:
                amounts, missing = self.read(part, jobs)
                add_amounts(total, amounts)
                unread += missing
                if len(total) > MOST_RESOURCES or len(unread) > MOST_RESOURCES:
                    return {}, ["*"]
            return total, unread if len(requirement) <= MOST_PARTS else ["*"]
        # As text: the numbers of an attacker could all have one hash, and 1 is true in a dictionary.
        key = repr(requirement) if _is_short_requirement(requirement) else None
        read = _read_required_amounts(requirement) if key is None else self._read.get(key)
        if read is None:
            read = self._read[str(key)] = _read_required_amounts(requirement)
        amounts, names, unparsed = read
        for what in unparsed:
            # Known kinds are counted on, so the counts stay right when no further kind is kept.
            if what in self.unparsed or len(self.unparsed) < _UNPARSED:
                self.unparsed[what] += jobs
        # A job without any amount asks for something all the same, of which nothing is known.
        return amounts, list(names) if amounts or names else ["*"]

    def as_facts(self) -> list[UnparsedQuantity]:
        """Return what could not be read: ``[{resource, value, jobs}]``."""
        return [{"resource": r, "value": v, "jobs": n} for (r, v), n in self.unparsed.items()]


def _is_short_requirement(requirement: object) -> bool:
    """Return whether it is made of as few short texts and numbers as a real one."""
    if not isinstance(requirement, dict):
        return requirement is None
    # A longer one is read anew each time: kept as a key, it would stay in memory.
    return len(requirement) <= MOST_RESOURCES and all(
        len(name) <= _LONGEST
        and (len(value) <= _LONGEST if isinstance(value, str) else isinstance(value, (int, float)))
        for name, value in requirement.items()
    )


def _brief_requirement(value: object) -> str:
    """Return the beginning of a value, of which not all has to be written out."""
    if isinstance(value, str):
        # Cut before repr(), which would write out all of it.
        value = value[:_LONGEST]
    elif isinstance(value, list):
        value = value[:5]
    return one_line(reprlib.repr(value) if isinstance(value, (list, dict)) else repr(value), 60)


def _read_required_amounts(requirement: object) -> tuple[Amounts, list[str], list[tuple[str, str]]]:
    """Return the amounts, the resources that could not be read, and the first of these with their values, as shown.

    More unread resources than any job has are all of it, like a requirement that is no object.
    """
    amounts: Amounts = {}
    if requirement is None:
        return amounts, [], []
    if not isinstance(requirement, dict):
        return amounts, ["*"], [("*", _brief_requirement(requirement))]
    if not are_resources_bounded(requirement):
        return amounts, ["*"], [("*", f"more than {MOST_RESOURCES} resources, or a name that is too long")]
    unread: list[str] = []
    for resource, value in requirement.items():
        try:
            amounts[resource] = parse_quantity(resource, value)
        except UnreadableQuantityError:
            unread.append(resource)
            if len(unread) > _MOST_UNREAD:
                return {}, ["*"], [("*", f"more than {_MOST_UNREAD} that cannot be read")]
    return amounts, unread, [(one_line(resource, 60), _brief_requirement(requirement[resource])) for resource in unread]
