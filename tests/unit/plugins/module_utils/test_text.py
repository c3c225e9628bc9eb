# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be seen in a text that users give is taken off its ends, or shown."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import check_pool_of_call
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import (
    listed,
    odd_character,
    one_line,
    shown,
    shown_name,
    trimmed,
)
from hypothesis import given
from hypothesis import strategies as st

UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00a0\u00ad\u202e\u2028\u3000\x00\x1b \t\r\n"


@pytest.mark.parametrize("text", ["", "a", "two words", "a\u200bb", "\u00e9t\u00e9"])
def test_only_the_ends_are_trimmed(text: str) -> None:
    assert trimmed(text) == text
    assert trimmed(f"{UNSEEN}{text}{UNSEEN}") == text


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()
    assert shown_name(text).isprintable()
    assert len(shown(text)) <= 80
    assert trimmed(trimmed(text)) == trimmed(text)
    assert trimmed(text) in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("##vso[task.setvariable variable=PATH]/evil", "# #vso[task.setvariable variable=PATH]/evil"),
        ("x ##[set-output name=decision;]admit", "x # #[set-output name=decision;]admit"),
        ("###[error]", "## #[error]"),
        ("#\u200b#[error]", "# #[error]"),
        ("::error file=a::it broke", ": :error file=a: :it broke"),
        ("name-of-a-job::add-mask::x", "name-of-a-job: :add-mask: :x"),
        (":::stop-commands::x", ": : :stop-commands: :x"),
    ],
)
def test_commands_of_runners_are_broken_up(text: str, said: str) -> None:
    """Wherever they stand: a long line is wrapped, and what is behind a blank may begin the next."""
    assert one_line(text) == said
    assert one_line(said) == said


@pytest.mark.parametrize("text", ["https://[fe80::a1]:8443/v3 and ::1", "# a title ## b", "a: b", "::ffff:10.0.0.1"])
def test_what_is_no_command_of_a_runner_stays(text: str) -> None:
    assert one_line(text) == text


def test_a_name_is_quoted_only_when_it_is_not_what_it_looks_like() -> None:
    assert shown_name("train-a100") == "train-a100"
    assert shown_name("a\u200bb") == "'a\\u200bb'"
    assert shown_name("a, b") == "'a, b'"
    assert shown_name("a ") == "'a '"
    assert odd_character("train") == ""
    assert odd_character("tr\u00a0ain") == "U+00A0 (NO-BREAK SPACE)"
    assert odd_character("\x07") == "U+0007"


@given(st.lists(st.text(max_size=100)))
def test_any_list_of_names_is_one_printable_line_of_bounded_length(names: list[str]) -> None:
    line = listed(names * 10)
    assert line.isprintable()
    assert len(line) < 1700


def test_of_many_names_the_first_are_listed_and_the_others_counted() -> None:
    assert listed([]) == "none"
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a"] * 20) == ", ".join(["a"] * 20)
    assert listed(["a"] * 23) == ", ".join(["a"] * 20) + " and 3 more"
    assert listed(["a\u202e"]) == "'a\\u202e'"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/b", ["'a/b' is not a pool ID"]),
        (" pool-b", ["' pool-b' is not a pool ID"]),
        ("pool-a, pool-b", ["'pool-a, pool-b' is not a pool ID", "a list of names"]),
        ("pool\u200b-b", ["'pool\\u200b-b' is not a pool ID", "U+200B (ZERO WIDTH SPACE)"]),
        ("p\u043eol", ["U+043E (CYRILLIC SMALL LETTER O)"]),
        ("", ["'' is not a pool ID"]),
    ],
)
def test_what_is_wrong_with_a_pool_id_is_shown(name: str, words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        check_pool_of_call(name)
    assert all(word in refused.value.message for word in words), refused.value.message
    assert refused.value.message.isprintable()
