# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jobs ask for: their resource requirements as amounts.

This module util is private to the collection. Source: ListWorkloads, table 5.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    UnreadableQuantityError,
    add_amounts,
    parse_quantity,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import MOST_RESOURCES
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import UnparsedQuantity
    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts

_UNPARSED = 50
_MOST_UNREAD = 10  # resources of one job; no real one asks for as many in all


class Requirements:
    """Reads resource requirements, each different one once, and counts what could not be read."""

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
            for part in requirement:
                amounts, missing = self.read(part, jobs)
                add_amounts(total, amounts)
                unread += missing
            return total, unread
        # As text: the numbers of an attacker could all have one hash, and 1 is true in a dictionary.
        key = repr(requirement)
        if key not in self._read:
            self._read[key] = _read_amounts(requirement)
        amounts, names, unparsed = self._read[key]
        for what in unparsed:
            if what in self.unparsed or len(self.unparsed) < _UNPARSED:
                self.unparsed[what] += jobs
        return amounts, list(names) if amounts or names else ["*"]

    def as_facts(self) -> list[UnparsedQuantity]:
        """Return what could not be read: ``[{resource, value, jobs}]``."""
        return [{"resource": r, "value": v, "jobs": n} for (r, v), n in self.unparsed.items()]


def _read_amounts(requirement: object) -> tuple[Amounts, list[str], list[tuple[str, str]]]:
    """Return the amounts, the resources that could not be read, and the first of these with their values, as shown.

    More unread resources than any job has are all of it, like a requirement that is no object.
    """
    amounts: Amounts = {}
    if requirement is None:
        return amounts, [], []
    if not isinstance(requirement, dict):
        return amounts, ["*"], [("*", one_line(repr(requirement), 60))]
    if len(requirement) > MOST_RESOURCES:
        return amounts, ["*"], [("*", f"more than {MOST_RESOURCES} resources")]
    unread: list[str] = []
    for resource, value in requirement.items():
        try:
            amounts[resource] = parse_quantity(resource, value)
        except UnreadableQuantityError:
            unread.append(resource)
            if len(unread) > _MOST_UNREAD:
                return {}, ["*"], [("*", f"more than {_MOST_UNREAD} that cannot be read")]
    return amounts, unread, [(one_line(resource, 60), one_line(repr(requirement[resource]), 60)) for resource in unread]
