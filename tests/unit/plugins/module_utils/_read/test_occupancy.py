# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds and who waits."""

from __future__ import annotations

import math
import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import STATUSES, WAITING
from ansible_collections.poolgate.modelarts.tests.unit.cloud.jobs import NOW, job
from hypothesis import given
from hypothesis import strategies as st


def names(jobs: list[dict[str, t.Any]]) -> list[str]:
    return [one["job_name"] for one in jobs]


def test_who_holds_what() -> None:
    """So does a status that nobody knows."""
    items = [job(f"{status}-{n}", status, n) for status in (*STATUSES, "Hibernating") for n in (1, 2)]
    facts = Occupancy(NOW, items).as_facts()
    holding = {"Running", "Creating", "Terminating", "Abnormal", "Hibernating"}
    assert {name.split("-")[0] for name in names(facts["holders"])} == holding
    assert facts["held"]["resources"] == {"cpu": 10, "nvidia.com/gpu": 15}
    assert facts["held"]["active"] == {"cpu": 4, "nvidia.com/gpu": 6}  # Running and Creating
    assert facts["held"]["unread"] == {}
    assert [one["resources"]["nvidia.com/gpu"] for one in facts["holders"]] == [2] * 5 + [1] * 5
    assert {name.split("-")[0] for name in names(facts["queued"])} == WAITING


def test_the_ten_that_hold_most() -> None:
    items = [job(f"job-{n}", "Running", n % 37) for n in range(100)]
    holders = Occupancy(NOW, items).as_facts()["holders"]
    assert [one["resources"]["nvidia.com/gpu"] for one in holders] == [36, 36, 35, 35, 34, 34, 33, 33, 32, 32]


@given(st.lists(st.tuples(st.sampled_from(["0", "1", "10", "2", None, "high"]), st.integers(0, 5)), max_size=15))
def test_the_queue_is_in_the_order_of_the_scheduler(given_: list[tuple[str | None, int]]) -> None:
    """Higher numbers first, then older ones; a priority that cannot be read counts as ahead."""
    items = [job(f"job-{n}", "Queue", priority=priority, createTime=at) for n, (priority, at) in enumerate(given_)]

    def rank(item: dict[str, t.Any]) -> tuple[float, int]:
        priority = item["priority"]
        return (-int(priority) if priority and priority.isdigit() else -math.inf, item["createTime"])

    facts = Occupancy(NOW, items).as_facts()
    assert names(facts["queued"]) == [item["jobName"] for item in sorted(items, key=rank)]
    counted = {(entry["type"], entry["priority"]): entry["count"] for entry in facts["queue_counts"]}
    expected = Counter(("unknown", int(p) if p and p.isdigit() else None) for p, _given in given_)
    assert counted == dict(expected)


def test_a_long_queue_is_cut_at_its_end_and_counted_whole() -> None:
    items = [job(f"job-{n}", "Queue", priority="0", createTime=n, type="train") for n in range(250)]
    facts = Occupancy(NOW, items).as_facts()
    assert names(facts["queued"]) == [f"job-{n}" for n in range(100)]
    (counted,) = facts["queue_counts"]
    assert (counted["type"], counted["priority"], counted["count"]) == ("train", 0, 250)
    assert (counted["oldest_seconds"], counted["youngest_seconds"]) == (int(NOW), int(NOW - 0.249))


def test_jobs_that_show_no_node_yet_and_one_that_is_asked_for() -> None:
    items = [
        job("a", "Creating", 8),
        job("b", "Creating", 8),
        job("c", "Terminating", 2),
        job("d", "Running", 4, hostIps="10.0.0.1,10.0.0.2"),
        job("e", "Running", 4, nodes={"hostIp": "10.0.0.1", "resourceRequirement": {"nvidia.com/gpu": "4"}}),
    ]
    occupancy = Occupancy(NOW, items, placement_of=["e", "b", "z"])
    facts = occupancy.as_facts()
    assert facts["unplaced"] == [
        {"count": 2, "resources": {"cpu": 1, "nvidia.com/gpu": 8}, "unread": []},
        {"count": 1, "resources": {"cpu": 1, "nvidia.com/gpu": 2}, "unread": []},
    ]
    assert dict(occupancy.jobs_by_host) == {"10.0.0.1": 2, "10.0.0.2": 1}
    assert [(one["job_uuid"], one["host_ips"], one["nodes"]) for one in facts["placements"]] == [
        ("b", [], []),
        ("e", ["10.0.0.1"], [{"host_ip": "10.0.0.1", "resources": {"nvidia.com/gpu": 4}, "cards": None}]),
    ]
