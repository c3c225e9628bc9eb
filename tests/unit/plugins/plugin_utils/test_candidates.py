# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools that a gate is given, with their requests: read in every form, or refused in one sentence."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import (
    read_candidates,
    read_dictionary_of_candidate,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_request

REQUEST = {"resources": {"nvidia.com/gpu": 8}}
OTHER = {"resources": {"huawei.com/ascend-snt9": 8}}


def refusal(call: t.Callable[..., object], *arguments: object) -> str:
    with pytest.raises(InputError) as refused:
        call(*arguments)
    assert refused.value.message.isprintable()
    return refused.value.message


@pytest.mark.parametrize(
    ("pools", "names"),
    [
        ("['train']", ["train"]),
        ('["train", "infer"]', ["train", "infer"]),
        ("train, infer", ["train", "infer"]),
        ([["train"], "infer\nports"], ["train", "infer", "ports"]),
        ([2024], ["2024"]),
        (["\u200btrain\ufeff"], ["train"]),
        ([{"pool": 2024}], ["2024"]),
        ([{"pool": "train\ninfer", "request": None}], ["train", "infer"]),
        ([{"pool": "train", "request": ""}], ["train"]),
    ],
)
def test_candidates_in_every_form(pools: t.Any, names: list[str]) -> None:
    candidates = read_candidates(pools, REQUEST)
    assert [candidate.pool for candidate in candidates] == names
    assert all(candidate.request == read_request(REQUEST) for candidate in candidates)


@pytest.mark.parametrize("own", [OTHER, str(OTHER), '{"resources": {"huawei.com/ascend-1980": "8"}}'])
def test_a_candidate_with_a_request_of_its_own(own: t.Any) -> None:
    first, second = read_candidates(["train", {"pool": "npu", "request": own}], REQUEST)
    assert (first.request, second.request) == (read_request(REQUEST), read_request(OTHER))
    (alone,) = read_candidates([{"pool": "npu", "request": own}], None)
    assert alone.request == read_request(OTHER)


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ([False], "pools has False"),
        ([{"pool": True}], "pools has True"),
        ([1.1], "quote it"),
        ([{"pool": ["a"]}], "names no pool"),
        ([{"pools": "a"}], "has the key 'pools'"),
        ([{}], "names no pool"),
        (["train", "train\u200b"], "names a pool twice"),
        ([["train"], "train"], "names a pool twice"),
        ([None], "pools names no pool"),
        ("", "pools names no pool"),
        (None, "pools names no pool"),
        ("[train]", "pools is '[train]', which is not a list"),
    ],
)
def test_candidates_that_cannot_be_meant(pools: t.Any, words: str) -> None:
    assert words in refusal(read_candidates, pools, REQUEST)


def test_a_request_is_needed() -> None:
    assert "request is missing" in refusal(read_candidates, ["train"], None)
    assert "request is missing" in refusal(read_candidates, ["train", {"pool": "a", "request": OTHER}], {})


@pytest.mark.parametrize("nothing", ["", " ", "\u200b\n", None])
def test_a_blank_text_stands_for_no_dictionary(nothing: t.Any) -> None:
    assert read_dictionary_of_candidate("policy", nothing) is None


def test_a_text_that_is_no_dictionary_is_shown() -> None:
    assert "policy is '[1]', which is not a dictionary" in refusal(read_dictionary_of_candidate, "policy", "[1]")
