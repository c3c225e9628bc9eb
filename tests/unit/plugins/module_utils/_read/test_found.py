# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs by their names."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.found import find_jobs

NOW = 1000.0


def job(number: int, name: str = "train", status: str = "Running", **more: t.Any) -> dict[str, t.Any]:
    return {
        **{
            "jobName": name,
            "jobUUID": f"uuid-{number}",
            "status": status,
            "type": "train",
            "createTime": number * 1000,
        },
        **{"resourceRequirement": {"cpu": "8", "huawei.com/ascend-1980": 8}, "hostIps": "10.0.0.1,10.0.0.2"},
        **more,
    }


def names(found: list[t.Any]) -> list[str]:
    return [one["job_uuid"] for one in found]


def test_a_job_is_found_by_its_name() -> None:
    assert find_jobs([job(1), job(2, "other")], ["train"], NOW)["found"] == [
        {
            "job_uuid": "uuid-1",
            "uid": None,
            "job_name": "train",
            "type": "train",
            "status": "Running",
            "created": NOW - 999,
            "host_ips": ["10.0.0.1", "10.0.0.2"],
            "resources": {"cpu": 8, "huawei.com/ascend-snt9": 8},
            "unread": [],
        }
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [("llm-*", [1, 2]), ("llm-?", [1]), ("llm-[12]*", [1, 2]), ("LLM-*", []), ("llm-", []), ("*", [1, 2, 3, 4])],
)
def test_a_job_is_found_by_a_glob(name: str, found: list[int]) -> None:
    jobs = [job(1, "llm-1"), job(2, "llm-22"), job(3, "tts"), job(4, "a.llm-1")]
    assert names(find_jobs(jobs, [name], NOW)["found"]) == [f"uuid-{number}" for number in found]


def test_what_a_job_does_not_tell_is_null() -> None:
    bare = {"name": "train", "uid": "u", "resourceRequirement": "?"}
    assert find_jobs([bare, {"status": "Running"}], ["train"], NOW)["found"] == [
        {
            **{"job_uuid": "u", "uid": "u", "job_name": "train", "type": None, "status": None, "host_ips": []},
            "created": None,
            **{"resources": {}, "unread": ["*"]},
        }
    ]


@pytest.mark.parametrize(
    ("told", "ids"),
    [
        ({"jobUUID": "j", "uid": ""}, ("j", None)),
        ({"jobUUID": "", "uid": "u"}, ("u", "u")),
        ({"jobUUID": "", "uid": ""}, (None, None)),
        ({"jobUUID": 0, "uid": True}, (None, None)),
    ],
)
def test_what_is_no_text_or_empty_is_no_id(told: dict[str, t.Any], ids: tuple[str | None, str | None]) -> None:
    """All jobs could have it."""
    (found,) = find_jobs([job(1, **told)], ["train"], NOW)["found"]
    assert (found["job_uuid"], found["uid"]) == ids


def test_of_very_many_the_newest_that_are_not_over_are_found() -> None:
    jobs = [job(number, status="Completed" if number >= 100 else "Queue") for number in range(700)]
    answer = find_jobs(jobs, ["train"], NOW)
    found = names(answer["found"])
    assert len(found) == 500
    assert found == [f"uuid-{number}" for number in (*range(100), *range(300, 700))]
    assert answer["found_complete"] is False
    assert find_jobs(jobs[:500], ["train"], NOW)["found_complete"] is True


def test_what_looks_like_a_glob_is_a_name_as_well() -> None:
    jobs = [job(1, "train[1]"), job(2, "train1"), job(3, "train2")]
    assert names(find_jobs(jobs, ["train[1]"], NOW)["found"]) == ["uuid-1", "uuid-2"]


def test_a_glob_made_to_take_time_takes_none() -> None:
    began = time.monotonic()
    find_jobs([job(number, "a" * 64) for number in range(100)], ["*a" * 100 + "b"], NOW)
    assert time.monotonic() - began < 5


def test_hundreds_of_globs_take_little_time_for_many_jobs() -> None:
    """A loop over them in Python took a minute."""
    globs = [f"train-{number}-*" for number in range(500)]
    jobs = [job(number, f"deploy-{number}") for number in range(20_000)]
    began = time.process_time()
    assert find_jobs([*jobs, job(7, "train-499-b")], globs, NOW)["found"] != []
    assert time.process_time() - began < 2


def test_a_name_that_is_longer_than_any_is_like_no_glob() -> None:
    long = "a" * 1001
    assert names(find_jobs([job(1, long), job(2, "a" * 64)], ["a*"], NOW)["found"]) == ["uuid-2"]
    assert names(find_jobs([job(1, long)], [long], NOW)["found"]) == ["uuid-1"]
