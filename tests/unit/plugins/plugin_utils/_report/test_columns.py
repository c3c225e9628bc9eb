# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The 80 columns: what is cut, what wraps, and how wide characters are. test_page.py has the widths of whole pages."""

from __future__ import annotations

import random

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.columns import (
    WIDTH,
    cut_to_width,
    line_in_columns,
    width_of,
    wrap_to_width,
)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("gpu", 3),
        ("训练", 4),
        ("e\u0301", 1),
        ("n\u20dd", 1),
        ("\u1112\u1161\u11ab", 2),
        ("\uff71", 1),
        ("\uff21", 2),
    ],
    ids=ascii,
)
def test_the_columns_of_a_text(text: str, width: int) -> None:
    assert width_of(text) == width


def test_what_fits_is_not_cut() -> None:
    assert cut_to_width("train-a100", 10) == "train-a100"
    assert cut_to_width("train-a100", 9) == "train-a.."
    assert cut_to_width("训练任务", 7) == "训练.."


def test_the_lines_under_the_first_stand_where_its_message_starts() -> None:
    lines = wrap_to_width("  note: ", "word " * 30)
    assert len(lines) == 3
    assert [line[:9] for line in lines] == ["  note: w", *["        w"] * 2]


def test_wrapped_text_keeps_its_words_and_its_width() -> None:
    rng = random.Random("wrap")
    for _i in range(300):
        words = ["".join(rng.choices("ab训e\u0301", k=rng.randint(1, 30))) for _j in range(rng.randint(1, 9))]
        start = " " * rng.randint(0, 20)
        lines = wrap_to_width(start, " ".join(words))
        assert max(map(width_of, lines)) <= WIDTH
        assert " ".join(line.strip() for line in lines).split() == words


def test_a_word_without_a_blank_is_broken_where_the_line_ends() -> None:
    lines = wrap_to_width("  ", "x" * 200)
    assert [len(line) for line in lines] == [80, 80, 46]


def test_a_line_is_printable_and_bounded() -> None:
    assert line_in_columns("a\x1b[2J\nb\u202e") == "a [2J b"
    assert len(line_in_columns("x" * 5000)) == 400
