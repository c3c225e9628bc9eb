# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which jobs stand before the request, and which of them may be about to start."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.cards import (
    OWN,
    asking,
    gpu_nodes,
    queued,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    check_of,
    decide,
    job,
)


def test_any_job_ahead_means_wait_whatever_is_idle() -> None:
    verdict = decide(gpu_nodes(8, 8), [queued("16", name="llm-7")], request=asking(1))
    assert verdict["decision"] == "wait"
    check = check_of(verdict, "queue")
    assert (check["passed"], check["ahead"]) == (False, 1)
    assert "fifo (assumed, pool names none), 1 ahead" in check["message"]
    assert "llm-7" in check["message"]
    assert [waiting["job_name"] for waiting in verdict["ahead"]] == ["llm-7"]


@pytest.mark.parametrize(
    ("theirs", "ours", "ahead"),
    [
        ("0", 0, 1),
        ("0", 1, 0),
        ("1", 0, 1),
        ("9", 10, 0),
        ("10", 9, 1),
        ("-1", 0, 0),
        (5, 6, 0),
        ("0", None, 1),
        ("urgent", 9, 1),
        (None, 9, 1),
        ("", 9, 1),
    ],
)
def test_priority(theirs: t.Any, ours: int | None, ahead: int) -> None:
    """The higher number goes first, the older first among equals; what cannot be read is ahead."""
    verdict = decide(gpu_nodes(8), [queued("8", priority=theirs)], request=asking(1, priority=ours))
    assert check_of(verdict, "queue")["ahead"] == ahead
    assert verdict["decision"] == ("wait" if ahead else "admit")


@pytest.mark.parametrize(
    ("kind", "scope", "ahead"),
    [("infer", "pool", 1), ("infer", "type", 0), ("train", "type", 1), (None, "type", 1), ("x-infer", "type", 0)],
)
def test_scope_of_the_queue(kind: str | None, scope: str, ahead: int) -> None:
    verdict = decide(
        gpu_nodes(8),
        [queued("8", kind=kind)],
        request=asking(1, type="train"),
        policy={"queue_scope": scope},
    )
    assert check_of(verdict, "queue")["ahead"] == ahead
    assert verdict["decision"] == ("wait" if ahead else "admit")
    if scope == "type":
        assert any("queue_scope" in note and "train" in note for note in verdict["notes"])


@pytest.mark.parametrize("status", ["Queue", "Pending"])
def test_both_statuses_that_wait(status: str) -> None:
    assert decide(gpu_nodes(8), [job({GPU: "8"}, status)], request=asking(1))["decision"] == "wait"


def test_a_restarted_job_does_not_stand_in_its_own_way() -> None:
    first = queued("8", uuid=OWN)
    again = asking(1, 8, replaces={"job_uuid": OWN})
    assert decide(gpu_nodes(8), [first], request=asking(1, 8))["decision"] == "wait"
    verdict = decide(gpu_nodes(8), [first], request=again)
    assert verdict["decision"] == "admit"
    assert check_of(verdict, "queue")["ahead"] == 0
    assert check_of(decide(gpu_nodes(8), [first, queued("8")], request=again), "queue")["ahead"] == 1


@pytest.mark.parametrize(
    ("limit", "waiting", "passed"),
    [(600, [600], True), (600, [601], False), (600, [], True), (600, [10] * 150 + [9000], False)],
)
def test_the_oldest_that_waits(limit: int, waiting: list[int], passed: bool) -> None:
    """Also where a hundred others of a higher priority wait before it."""
    jobs = [queued("8", seconds=age, priority="0" if age > limit else "3") for age in waiting]
    policy = {"max_oldest_queued_seconds": limit, "queue_strategy": "backfill"}
    verdict = decide(gpu_nodes(8), jobs, request=asking(1, priority=9), policy=policy)
    assert check_of(verdict, "queue_age")["passed"] is passed
    assert verdict["decision"] == ("admit" if passed else "wait")
