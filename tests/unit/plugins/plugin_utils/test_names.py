# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools that a user names: as YAML, templates, extra variables and surveys give them."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._names import entries_of_given_names, given_pool_names


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["train", "infer"], ["train", "infer"]),
        ("train", ["train"]),
        ("train,infer", ["train", "infer"]),
        ("train, infer\u00a0", ["train", "infer"]),
        ("train\ninfer\n\n", ["train", "infer"]),
        (["train\ninfer"], ["train", "infer"]),
        ("['train']", ["train"]),
        ('["train", "infer"]', ["train", "infer"]),
        ("\ufeff ['train', ['infer', 2024]]\n", ["train", "infer", "2024"]),
        ([["train"], [["infer"]]], ["train", "infer"]),
        (("train",), ["train"]),
        ([2024], ["2024"]),
        ([-1], ["-1"]),
        (2024, ["2024"]),
        (["no", "null", "1.10"], ["no", "null", "1.10"]),
        (["\u200btrain\u200b", "\ufefftrain", " train "], ["train"]),
        (["two words"], ["two words"]),
        (["a, b"], ["a, b"]),  # one name, in which the sentence about it shows the comma
        ([], []),
        ("", []),
        (" \n", []),
        (None, []),
        ([None, "", "train"], ["train"]),
        ("[]", []),
    ],
)
def test_names(given: t.Any, names: list[str]) -> None:
    assert given_pool_names("pools", given) == names


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([False], ["pools has False", "quote it"]),
        ([True], ["pools has True", "quote it"]),
        (False, ["pools has False", "quote it"]),
        ([1.1], ["pools has 1.1", "quote it"]),
        ([datetime.date(2026, 1, 1)], ["datetime.date(2026, 1, 1)", "quote it"]),
        ("[true]", ["pools has True", "quote it"]),
        ("[no, yes]", ["'[no, yes]'", "not a list", "JSON"]),
        ("['train'", ["not a list", "JSON"]),
        ("[" * 9_000, ["not a list"]),
        ("[" * 200_000, ["not a list"]),
        ("[__import__('os').getcwd()]", ["not a list"]),
        ([{}], ["names no pool"]),
        ([16**5000], ["too long to be shown", "quote it"]),
    ],
)
def test_what_is_no_name_is_said(given: t.Any, words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        given_pool_names("pools", given)
    assert all(word in refused.value.message for word in words), refused.value.message
    assert refused.value.message.isprintable()


def test_dictionaries_are_entries() -> None:
    given = ["a", [{"pool": "b"}]]
    assert list(entries_of_given_names("pools", given)) == ["a", {"pool": "b"}]
    assert list(entries_of_given_names("pools", str(given))) == ["a", {"pool": "b"}]
