# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of verdicts: short, exact, and one printable line whatever the API gives."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import (
    clock,
    duration,
    error_in_words,
    job_in_words,
    label,
    nearest_resource_in_words,
    permission_remedy_in_words,
    plural,
    spaced_words,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.9, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (86399, "23 h"),
        (86400, "1 d"),
        (2 * 86400 + 4 * 3600, "2 d 4 h"),
        (98 * 86400 + 7200, "98 d"),
    ],
)
def test_durations_are_told_in_the_unit_that_people_count_in(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_wait_is_told_as_a_clock_shows_it() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 61, 3600, 100 * 3600)] == [
        "0:00:00",
        "0:00:59",
        "0:01:01",
        "1:00:00",
        "100:00:00",
    ]


def test_one_and_many() -> None:
    assert [plural(count, "node") for count in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]


def test_a_resource_is_named_without_its_vendor() -> None:
    assert [label(name) for name in ("nvidia.com/gpu", "cpu", "odd\n/x\u202ey")] == ["gpu", "cpu", "x y"]


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"job_name": "train-7b"}, "train train-7b"),
        ({"name": "modelarts-job-1"}, "train modelarts-job-1"),
        ({"job_uuid": "c237"}, "train c237"),
        ({"type": None}, "job without a name"),
    ],
)
def test_a_job_is_named_by_the_best_name_that_it_has(keys: dict[str, str | None], name: str) -> None:
    facts: t.Any = {"type": "train", "job_name": None, "name": None, "job_uuid": None, **keys}
    assert job_in_words(facts) == name


@pytest.mark.parametrize(
    ("error", "words", "remedy"),
    [
        (None, "not read", ""),
        ({"msg": "no answer in time"}, "no answer in time", ""),
        ({"msg": "...", "status": 403, "error_code": "ModelArts.0108"}, "403 ModelArts.0108", "allow looking."),
        ({"msg": "...", "status": 500, "request_id": "7f3a91"}, "500, request 7f3a91", ""),
    ],
)
def test_an_error_of_the_api_in_a_few_words(error: t.Any, words: str, remedy: str) -> None:
    assert error_in_words(error) == words
    assert permission_remedy_in_words(error, "looking") == remedy


def test_the_resource_that_was_meant() -> None:
    known = ["nvidia.com/gpu", "cpu", "memory"]
    assert nearest_resource_in_words("amd.com/GPU", known) == "nvidia.com/gpu"
    assert nearest_resource_in_words("memroy", known) == "memory"
    assert nearest_resource_in_words("huawei.com/ascend-snt9", known) == ""
    assert spaced_words("frozen_by_police", "frozen") == "frozen by police, frozen"
