# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words and figures that the page, the Markdown and the HTML of a report share. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import amount_from_number, format_amount
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import label

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
        CheckFacts,
        ResourceFigures,
    )

HEADLINES = {
    "admit": "it fits now",
    "wait": "does not fit now, may fit later",
    "reject": "waiting cannot help",
    "unknown": "not let through; there may be room",
}

AmountName = t.Literal["used", "unplaced", "claimed", "need", "kept", "left", "missing", "total"]

AMOUNT_WORDS: dict[AmountName, str] = {
    "used": "taken",
    "unplaced": "starting",
    "claimed": "claimed",
    "need": "asked",
    "kept": "kept free",
    "left": "left",
    "missing": "short",
}
"""The parts of a resource in the order of a bar: what is taken, what the request takes, and what is left of it."""

_AMOUNTS: tuple[AmountName, ...] = (*AMOUNT_WORDS, "total")


def exact_amounts_to_word(figures: ResourceFigures) -> dict[AmountName, int]:
    """Return the figures of a resource in its smallest unit.

    They are read back by amount_from_number() and not as quantities of the API, which end at what one node can have:
    the sum over a pool may be larger.
    """
    return {name: amount_from_number(figures["resource"], amount_to_word(figures, name)) for name in _AMOUNTS}


def amount_to_word(figures: ResourceFigures, name: AmountName) -> float:
    """Return one of the figures; where nobody has claimed anything, there is none of that."""
    return figures.get("claimed", 0) if name == "claimed" else figures[name]


def word_amount(resource: str, value: float) -> str:
    """Return an amount with its resource: ``gpu 8``."""
    return f"{label(resource)} {format_amount(resource, amount_from_number(resource, value))}"


def failed_checks_first(checks: Sequence[CheckFacts]) -> list[CheckFacts]:
    """Return the checks in the order that a reader looks for: what failed, what is not known, what passed."""
    # sorted() keeps the order of equals, in which the questions were asked.
    return sorted(checks, key=lambda check: (check["passed"] is not False, check["passed"] is True))
