# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return is what their types say, and what their documentation says."""

from __future__ import annotations

import copy
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils import _facts as facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import NoPoolReadableError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import ADDED_FIELDS, FIELDS
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import summary_entries_with_jobs
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import POOL_A, POOL_B, client_of, observe, pools
from ansible_collections.poolgate.modelarts.tests.unit.documented import Comparison, hints, returned_by, wrong

NAMES = vars(facts)
FAILURE = ("msg", "transient", "status", "error_code", "error_msg", "request_id")
POOL_INFO = returned_by("modelarts_pool_info")
WORKLOAD_INFO = returned_by("modelarts_workload_info")
# What is not of the facts: of a failure, of each module's call, and what Ansible itself shows.
BESIDE = {*(f"{name} is not returned" for name in (*FAILURE, "seconds")), "warnings is not documented"}


def test_the_documentation_of_pools_has_the_keys_and_types_that_are_returned() -> None:
    pools = Comparison("modelarts_pool_info", NAMES, {facts.PoolFacts: facts.PoolWithCapacity})
    assert {*pools.differences(POOL_INFO, facts.PoolsAnswer)} - BESIDE == set()


def test_the_documentation_of_jobs_has_the_keys_and_types_that_are_returned() -> None:
    jobs = Comparison("modelarts_workload_info", NAMES, {facts.JobsEntry: facts.PoolEntry})
    assert {*jobs.differences(WORKLOAD_INFO, facts.WorkloadsAnswer)} - BESIDE == set()


def test_a_key_that_is_documented_nowhere_is_told_however_deep() -> None:
    documented = copy.deepcopy(WORKLOAD_INFO)
    del documented["pools"]["contains"]["held"]["contains"]["active"]
    documented["pools"]["contains"]["unplaced"]["description"] = "C(count) and C(unread)."
    documented["summary"]["contains"]["total"]["type"] = "str"
    documented["workloads"]["contains"]["nodes"]["contains"]["more"] = {"type": "int"}
    jobs = Comparison("modelarts_workload_info", NAMES, {facts.JobsEntry: facts.PoolEntry})
    assert {*jobs.differences(documented, facts.WorkloadsAnswer)} - BESIDE == {
        "pools.held.active is not documented",
        "pools.unplaced.resources is not documented",
        "summary.total is str, and not int",
        "workloads.nodes.more is not returned",
    }


def test_the_failure_of_a_module_is_documented() -> None:
    assert sorted(hints(facts.FailureFacts, NAMES)) == sorted(FAILURE)
    assert {*FAILURE} - {"msg"} <= {*WORKLOAD_INFO}
    assert "seconds" in WORKLOAD_INFO.keys() & POOL_INFO.keys()


def test_the_fields_of_a_job_are_those_of_its_type() -> None:
    assert [*FIELDS, *ADDED_FIELDS] == list(facts.WorkloadFacts.__annotations__)


def test_the_facts_of_jobs_are_of_their_types() -> None:
    with Emulator(pools()) as emulator, client_of(emulator) as client:
        uuids = [
            job["job_uuid"] for job in read_workloads(client, [POOL_A], WorkloadQuery(), clock=time.time)["workloads"]
        ]
        query = WorkloadQuery(include_capacity=True)
        answer = read_workloads(client, [POOL_A, POOL_B], query, clock=time.time, placement_of=map(str, uuids))
    more = sorted({*hints(facts.PoolEntry, NAMES)} - {*hints(facts.JobsEntry, NAMES), *hints(facts.FoundInPool, NAMES)})
    assert wrong(answer, facts.WorkloadsAnswer, NAMES, "answer") == [
        f"answer.pools[{number}].{key} is unknown" for number in (0, 1) for key in more
    ]
    assert wrong(answer["pools"], list[facts.PoolEntry], NAMES, "pools") == []
    entry = t.cast("facts.PoolEntry", answer["pools"][0])
    assert entry["nodes"]
    assert entry["metrics"]
    assert entry["holders"]
    assert entry["queued"]
    assert entry["queue_counts"]
    assert entry["placements"]


def test_the_facts_of_an_entry_without_documents_are_of_their_types() -> None:
    with Emulator(pools(nodes=403)) as emulator:
        answer = observe(emulator, POOL_A)
    assert wrong(answer["pools"], list[facts.PoolEntry], NAMES, "pools") == []
    assert [error["document"] for error in answer["pools"][0]["errors"]] == ["nodes"]


def test_the_facts_of_pools_are_of_their_types() -> None:
    with Emulator(pools()) as emulator, client_of(emulator) as client:
        answer = read_pools_and_capacity(client, [], include_capacity=True, clock=time.time)
    assert wrong(answer["pools"], list[facts.PoolWithCapacity], NAMES, "pools") == []
    assert len(answer["pools"]) == 2
    assert set(answer) == set(hints(facts.PoolsAnswer, NAMES))


def test_the_entries_of_the_lookup_are_of_their_type() -> None:
    with Emulator(pools()) as emulator, client_of(emulator) as client:
        answer = read_workloads(client, [POOL_A, POOL_B], WorkloadQuery(), clock=time.time)
    entries = summary_entries_with_jobs(answer)
    assert wrong(entries, list[facts.JobsEntryWithJobs], NAMES, "entries") == []
    assert [entry["pool_name"] for entry in entries] == [POOL_A, POOL_B]
    assert wrong(answer, facts.WorkloadsAnswer, NAMES, "answer") == []


def test_a_failure_with_entries_is_of_its_type() -> None:
    with Emulator(pools(nodes=403, workloads=403, pool=403)) as emulator, pytest.raises(NoPoolReadableError) as failed:
        observe(emulator, POOL_A)
    assert wrong(failed.value.as_result(), facts.NothingReadFacts, NAMES, "failure") == []
