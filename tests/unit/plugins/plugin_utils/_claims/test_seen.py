# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that were found, as the protocol sees them."""

from __future__ import annotations

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
        **{"resources": {"nvidia.com/gpu": 8}, "unread": [], "age_seconds": 7},
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
    assert (job.stage, job.shows_node, job.amounts, job.age) == (stage, bool(hosts), {"nvidia.com/gpu": 8000}, 7)


def test_a_job_without_an_id_and_jobs_that_were_not_read() -> None:
    assert seen_jobs([found("Running", uuid=None)]) == ()
    assert seen_jobs(None) == ()


def test_what_a_job_has_of_its_claim_is_rounded_down() -> None:
    """A part of a card that it does not have is still claimed."""
    (job,) = seen_jobs([{**found("Running"), "resources": {"nvidia.com/gpu": 7.9999}}])
    assert job.amounts == {"nvidia.com/gpu": 7999}


def test_a_job_has_two_ids() -> None:
    (two,) = seen_jobs([{**found("Running"), "uid": "uid"}])
    assert two.ids == ("u", "uid")
    (one,) = seen_jobs([found("Running")])
    assert one.ids == ("u",)
