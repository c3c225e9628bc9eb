# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and words that the page, the Markdown and the HTML share."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.wording import (
    exact_amounts_to_word,
    failed_checks_first,
    word_amount,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU


def figures(resource: str, total: float) -> t.Any:
    return {"resource": resource, **dict.fromkeys(("used", "unplaced", "need", "kept", "left", "missing"), 0)} | {
        "total": total
    }


@pytest.mark.parametrize(
    ("resource", "total", "amount"),
    [("cpu", 63.2, 63_200), (GPU, 8, 8000), ("memory", 3 * 10**18, 3 * 10**18), (GPU, 10**16, 10**19)],
)
def test_figures_are_read_back_whatever_their_size(resource: str, total: float, amount: int) -> None:
    """A pool may have more than one node can: the limit of a quantity of the API is none of a sum."""
    assert exact_amounts_to_word(figures(resource, total))["total"] == amount


def test_what_failed_stands_first_and_what_passed_last() -> None:
    checks: t.Any = [{"name": str(number), "passed": passed} for number, passed in enumerate((True, None, False, None))]
    assert [check["name"] for check in failed_checks_first(checks)] == ["2", "1", "3", "0"]


def test_an_amount_has_the_short_name_of_its_resource() -> None:
    assert [word_amount(GPU, 8), word_amount("memory", 2**33), word_amount("cpu", 1.5)] == [
        "gpu 8",
        "memory 8Gi",
        "cpu 1.5",
    ]
