# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summaries of jobs."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import hosts_of_job
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import (
    SummaryTally,
    merge_summary_tallies,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import OVER, WAITING
from ansible_collections.poolgate.modelarts.tests.unit.cloud.jobs import FIELD, NOW
from hypothesis import given, settings
from hypothesis import strategies as st

JOB = st.fixed_dictionaries({}, optional=FIELD)


@settings(max_examples=40)
@given(st.lists(JOB, max_size=6))
def test_any_jobs_are_counted(items: list[dict[str, t.Any]]) -> None:
    summary = SummaryTally(NOW, items).as_facts()
    assert summary["total"] == sum(summary["by_status"].values()) == sum(summary["by_type"].values()) == len(items)
    assert set(summary["resources_by_status"]) == set(summary["by_status"])
    occupancy = Occupancy(NOW, items).as_facts()
    waiting = sum(item.get("status") in WAITING for item in items if isinstance(item.get("status"), str))
    assert len(occupancy["queued"]) == sum(entry["count"] for entry in occupancy["queue_counts"]) == waiting
    over = sum(item.get("status") in OVER for item in items if isinstance(item.get("status"), str))
    placed = sum(item.get("status") in tuple(WAITING) and bool(hosts_of_job(item)) for item in items)
    assert len(occupancy["holders"]) == min(10, len(items) - waiting + placed - over)
    json.dumps([summary, occupancy])
    Occupancy(NOW, items, placement_of=["uuid-1"])


@settings(max_examples=40)
@given(st.lists(JOB, max_size=6), st.integers(0, 6))
def test_a_summary_of_two_pools_is_that_of_all_their_jobs(items: list[dict[str, t.Any]], cut: int) -> None:
    together = merge_summary_tallies([SummaryTally(NOW, items[:cut]), SummaryTally(NOW, items[cut:])]).as_facts()
    whole = SummaryTally(NOW, items).as_facts()
    for unordered in (together, whole):
        unordered["unparsed"] = sorted(unordered["unparsed"], key=repr)
    assert together == whole


@pytest.mark.parametrize(
    ("item", "seconds"),
    [
        ({"status": "Queue", "pendingDuration": 30, "createTime": int(NOW - 90) * 1000}, 30),
        ({"status": "Pending", "pendingDuration": "30"}, 30),
        ({"status": "Queue", "createTime": int(NOW - 90) * 1000}, 90),
        ({"status": "Queue", "pendingDuration": -1, "createTime": int(NOW - 90) * 1000}, 90),
        ({"status": "Queue", "createTime": int(NOW + 90) * 1000}, None),
        ({"status": "Queue"}, None),
        ({"status": "Running", "pendingDuration": 30}, None),
        ({"status": "Hibernating", "pendingDuration": 30}, None),
    ],
)
def test_the_oldest_that_waits(item: dict[str, t.Any], seconds: int | None) -> None:
    assert SummaryTally(NOW, [item]).as_facts()["oldest_pending_seconds"] == seconds
    if seconds is not None:
        younger = {"status": "Queue", "pendingDuration": 0}
        assert SummaryTally(NOW, [younger, item, younger]).as_facts()["oldest_pending_seconds"] == seconds
