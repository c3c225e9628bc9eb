# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that were found, as the protocol sees them."""

from __future__ import annotations

import itertools
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import Stage
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.seen import seen_jobs


def found(status: str | None, *hosts: str, uuid: str | None = "u") -> t.Any:
    return {
        **{
            "job_uuid": uuid,
            "uid": uuid,
            "job_name": "llm",
            "type": "train",
            "status": status,
            "host_ips": list(hosts),
        },
        **{"resources": {"nvidia.com/gpu": 8}, "unread": [], "created": 7.0},
    }


@pytest.mark.parametrize(
    ("status", "hosts", "stage"),
    [
        ("Queue", [], Stage.WAITS),
        ("Pending", [], Stage.WAITS),
        ("Pending", ["10.0.0.1"], Stage.STARTS),
        ("Creating", [], Stage.STARTS),
        ("Running", [], Stage.RUNS),
        ("Terminating", ["10.0.0.1"], Stage.ENDS),
        ("Abnormal", ["10.0.0.1"], Stage.ENDS),
        ("Something new", [], Stage.ENDS),
        (None, [], Stage.ENDS),
        ("Completed", [], Stage.OVER),
        ("Failed", [], Stage.OVER),
        ("Terminated", [], Stage.OVER),
    ],
)
def test_stages(status: str | None, hosts: list[str], stage: Stage) -> None:
    (job,) = seen_jobs([found(status, *hosts)])
    assert (job.stage, job.shows_node, job.amounts, job.created) == (stage, bool(hosts), {"nvidia.com/gpu": 8000}, 7)


@pytest.mark.parametrize("uuid", [None, ""])
def test_a_job_without_an_id(uuid: str | None) -> None:
    """An empty text is none: else all jobs that have it would be one."""
    two = seen_jobs([found("Running", uuid=uuid), found("Queue", uuid=uuid)])
    assert [(job.uuid, job.ids, job.stage) for job in two] == [(None, (), Stage.RUNS), (None, (), Stage.WAITS)]
    (one,) = seen_jobs([{**found("Running", uuid=uuid), "uid": "u"}])
    assert one.ids == ("u",)


def test_jobs_that_were_not_read() -> None:
    assert seen_jobs(None) == ()


ENTRIES = [
    {**found("Failed"), "uid": "before", "created": 5.0},
    {**found("Queue"), "uid": "now", "created": 50.0},
    {**found("Completed", uuid=None), "job_uuid": "before", "created": None},
]


@pytest.mark.parametrize("entries", [*itertools.permutations(ENTRIES)])
def test_of_entries_of_one_job_the_one_that_is_least_far_counts(entries: t.Any) -> None:
    """A job that was restarted is listed as it was and as it is."""
    (one,) = seen_jobs(entries)
    assert (one.stage, one.created, one.uuid, set(one.ids)) == (Stage.WAITS, 5.0, "u", {"u", "now", "before"})


def test_very_many_jobs_take_little_time() -> None:
    many = [{**found("Queue", uuid=f"j{number}"), "uid": f"u{number}"} for number in range(500)]
    began = time.process_time()
    for _time in range(10):
        assert len(seen_jobs(many)) == 500
    assert time.process_time() - began < 1


def test_what_a_job_has_of_its_claim_is_rounded_down() -> None:
    """A part of a card that it does not have is still claimed."""
    (job,) = seen_jobs([{**found("Running"), "resources": {"nvidia.com/gpu": 7.9999}}])
    assert job.amounts == {"nvidia.com/gpu": 7999}


def test_a_job_has_two_ids() -> None:
    (two,) = seen_jobs([{**found("Running"), "uid": "uid"}])
    assert two.ids == ("u", "uid")
    (one,) = seen_jobs([found("Running")])
    assert one.ids == ("u",)
