# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times and durations, whatever they are written as."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    amounts_field,
    creation_time_field,
    epoch_seconds,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import job_facts, pending_seconds_of_job
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import node_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import BATCH_LABELS
from ansible_collections.poolgate.modelarts.tests.unit.cloud.api import POOL, api, client_of, job
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

Start = t.Callable[..., ScriptedServer]
NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    "odd",
    ["9" * 400, "-" + "9" * 400, "9" * 5000, "1e400", "-1e999", "1e300", "0.5", '"soon"', '"%s"' % ("9" * 400), "[]"],
)
@pytest.mark.parametrize("key", ["createTime", "priority", "pendingDuration", "runningDuration", "pendingPosition"])
def test_how_a_job_is_dated_stops_nothing(script: Start, odd: str, key: str) -> None:
    items = json.dumps([job(1, status="Queue"), job(2, status="Queue", **{key: "<odd>"}), job(3)]).replace(
        '"<odd>"', odd
    )
    server = script(api(workloads=[Reply(body=f'{{"kind": "WorkloadList", "items": {items}, "total": 3}}')]))
    with client_of(server) as client:
        query = WorkloadQuery(include_capacity=True)
        facts = read_workloads(client, [POOL], query, clock=client.now, placement_of=["x"])
    assert (facts["complete"], facts["pools"][0]["errors"]) == (True, [])
    assert len(facts["pools"][0]["queued"]) == 2
    assert facts["workloads"][1]["uid"] == "uid-2"
    json.loads(json.dumps(facts, allow_nan=False))
    if key == "createTime":
        assert facts["workloads"][1]["created_at"] is None or odd == "0.5"


@pytest.mark.parametrize(("ahead", "seconds"), [(-90, 90), (0, 0), (3, 0), (90, None), (10**15, None)])
def test_how_long_a_job_has_waited_that_was_created_later(ahead: int, seconds: int | None) -> None:
    """Date has whole seconds, so a few ahead are now; more are not."""
    assert pending_seconds_of_job({"createTime": int(NOW + ahead) * 1000}, NOW) == seconds


@pytest.mark.parametrize("create_time", [10**400, -(10**400), 1e300, "9" * 400, True, 10**17])
def test_a_time_that_is_none(create_time: t.Any) -> None:
    assert creation_time_field(create_time) is None
    assert job_facts({"createTime": create_time}, POOL, Requirements())["created_at"] is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2022-03-30T07:09:10Z", 1648624150.0),
        ("2022-03-30T07:09:10.123456789Z", 1648624150.123456),
        ("2022-03-30T07:09:10.1Z", 1648624150.1),
        ("2022-03-30T07:09:10,25+00:00", 1648624150.25),
        ("2022-03-30t09:09:10.123456789+02:00", 1648624150.123456),
        ("2022-03-30T09:09:10+0200", 1648624150.0),
        ("2022-03-30T02:09:10-05", 1648624150.0),
        (" 2022-03-30 07:09:10 ", 1648624150.0),
        ("20220330T070910Z", None),  # readable for some versions of Python
        ("2022-W13-3T07:09:10Z", None),
        ("2022-03-30", None),
        ("2022-03-30T07:09:10+24:00", None),
        ("2022-02-31T07:09:10Z", None),
        ("٢٠٢٢-03-30T07:09:10Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        (1648624150, None),
    ],
)
def test_times_are_read_alike_by_every_python(text: t.Any, seconds: float | None) -> None:
    assert epoch_seconds(text) == seconds


@pytest.mark.parametrize(("length", "is_read"), [(1, True), (317, True), (318, False)])
def test_a_name_that_no_flavor_can_have_is_not_read(length: int, is_read: bool) -> None:
    """A process that looks for days would keep each of them."""
    name = "x" * length
    labels = {BATCH_LABELS["type"]: name}
    node = node_facts({"metadata": {"labels": labels}, "spec": {"flavor": name}})
    assert node["flavor"] == (name if is_read else None)
    assert node["batch"] is not None
    assert node["batch"]["type"] == (name if is_read else None)


@pytest.mark.parametrize(("length", "is_read"), [(317, True), (318, False)])
def test_a_table_with_a_name_that_no_resource_can_have_is_not_read(length: int, is_read: bool) -> None:
    amounts, _unreadable = amounts_field({"cpu": "1", "x" * length: "2"})
    assert (amounts is not None) == is_read
