# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many strings, found at once wherever they stand in a text."""

from __future__ import annotations

import random
import time

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._search import StringSearch


@pytest.mark.parametrize("length", [1, 11, 12, 22, 23, 24, 25, 36, 200])
def test_a_string_is_found_at_each_place_and_no_other(length: int) -> None:
    chosen = random.Random(length)
    strings = {"".join(chosen.choices("abc", k=length)) for _one in range(5)}
    search = StringSearch(strings)
    for string in strings:
        for before in range(30):
            for behind in ("", "-" * 15):
                assert string in set(search.found_in("-" * before + string + behind))
            if length > 1:
                assert string not in set(search.found_in("-" * before + string[:-1] + "-"))
                assert string not in set(search.found_in("-" * before + string[1:]))


def test_what_is_found_is_what_is_there() -> None:
    """Few letters and repeated pieces, so that strings share ends, stand within each other, and overlap."""
    chosen = random.Random(1)
    for _round in range(2000):
        pieces = ["".join(chosen.choices("ab", k=chosen.randint(1, 30))) for _piece in range(4)]
        strings = {"".join(chosen.choices(pieces, k=chosen.randint(1, 3))) for _one in range(4)}
        text = "".join(chosen.choices([*pieces, *strings], k=chosen.randint(0, 6)))
        assert set(StringSearch(strings).found_in(text)) == {string for string in strings if string in text}


def test_nothing_and_the_empty_string_are_found_nowhere() -> None:
    assert list(StringSearch([]).found_in("text")) == []
    assert list(StringSearch(["", "a"]).found_in("")) == []


def test_strings_that_repeat_themselves_or_end_alike_take_no_longer_than_one_by_one() -> None:
    """Who answers in place of IAM chooses the tokens, and in place of ModelArts the text."""
    ends_alike = "".join(random.Random(1).choices("abcdefgh", k=60))
    for strings, text in (
        (["A" * (2500 + number) for number in range(100)], "A" * 50_000),
        ([f"{number:04}{ends_alike}" for number in range(100)], ends_alike * 1000),
    ):
        search = StringSearch(strings)
        began = time.process_time()
        expected = {string for string in strings if string in text}
        one_by_one = time.process_time() - began
        began = time.process_time()
        assert set(search.found_in(text)) == expected
        assert time.process_time() - began < 20 * one_by_one + 0.05
