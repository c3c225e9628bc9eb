# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return is what their types say, and what their documentation says."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.poolgate.modelarts.plugins.module_utils import _facts as facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import ADDED_FIELDS, FIELDS
from ansible_collections.poolgate.modelarts.plugins.modules import modelarts_pool_info, modelarts_workload_info
from ansible_collections.poolgate.modelarts.tests.unit.fuzz.documents import facts_of, job, pools_of, world

Node = dict[str, t.Any]

DOCUMENTS = world([job(1, "Running", 2, "10.0.0.1"), job(2, "Queue", 4), job(3, "Creating", 1)], 6, 8)

POOL_INFO: Node = yaml.safe_load(modelarts_pool_info.RETURN)
WORKLOAD_INFO: Node = yaml.safe_load(modelarts_workload_info.RETURN)
ENTRY = WORKLOAD_INFO["pools"]["contains"]
POOL = POOL_INFO["pools"]["contains"]
FAILURE = ("msg", "transient", "status", "error_code", "error_msg", "request_id")

# The keys that a part of a RETURN documents, and the type that has them.
DOCUMENTED: list[tuple[str, t.Iterable[str], type]] = [
    ("the answer about jobs", {*WORKLOAD_INFO, "warnings"} - {*FAILURE}, facts.WorkloadsAnswer),
    ("a job", WORKLOAD_INFO["workloads"]["contains"], facts.WorkloadFacts),
    ("a node of a job", {*WORKLOAD_INFO["workloads"]["contains"]["nodes"]["contains"], "extra"}, facts.JobNode),
    ("a summary", WORKLOAD_INFO["summary"]["contains"], facts.SummaryFacts),
    ("an entry", ENTRY, facts.PoolEntry),
    ("an error", ENTRY["errors"]["contains"], facts.DocumentError),
    ("the answer about pools", POOL_INFO, facts.PoolsAnswer),
    ("a pool", POOL, facts.PoolWithCapacity),
    ("a node", POOL["nodes"]["contains"], facts.NodeFacts),
]


@pytest.mark.parametrize(("documented", "of"), [row[1:] for row in DOCUMENTED], ids=[row[0] for row in DOCUMENTED])
def test_the_documentation_has_the_keys_of_the_type(documented: t.Iterable[str], of: type) -> None:
    assert sorted(documented) == sorted(t.get_type_hints(of))


def test_the_failure_of_a_module_is_documented() -> None:
    assert sorted(t.get_type_hints(facts.FailureFacts)) == sorted(FAILURE)
    assert {*FAILURE} - {"msg"} <= {*WORKLOAD_INFO}


def test_the_fields_of_a_job_are_those_of_its_type() -> None:
    assert [*FIELDS, *ADDED_FIELDS] == list(facts.WorkloadFacts.__annotations__)


def wrong(value: object, of: t.Any, where: str) -> list[str]:
    """Return the places where a value is not of its type; a float may be whole."""
    origin, arguments = t.get_origin(of), t.get_args(of)
    if of is t.Any:
        return []
    if t.is_typeddict(of):
        hints = t.get_type_hints(of)
        if not isinstance(value, dict):
            return [where]
        places = [f"{where}.{key} is missing" for key in sorted(of.__required_keys__ - value.keys())]
        places += [f"{where}.{key} is unknown" for key in sorted(value.keys() - hints.keys())]
        return places + [
            place for key in value.keys() & hints.keys() for place in wrong(value[key], hints[key], f"{where}.{key}")
        ]
    if origin is t.Union or str(origin) == "<class 'types.UnionType'>":
        tried = [wrong(value, one, where) for one in arguments]
        return min(tried, key=len) if all(tried) else []
    if origin is dict:
        if not isinstance(value, dict):
            return [where]
        return [place for key, one in value.items() for place in wrong(one, arguments[1], f"{where}[{key}]")]
    if origin is not None:
        if not isinstance(value, list):
            return [where]
        return [place for number, one in enumerate(value) for place in wrong(one, arguments[0], f"{where}[{number}]")]
    if of is type(None):
        return [] if value is None else [where]
    return [] if type(value) is of else [f"{where} is {value!r}"]


def test_the_facts_of_jobs_are_of_their_types() -> None:
    answer = facts_of(DOCUMENTS, placement_of=["uuid-1", "uuid-2"])
    assert wrong(answer, facts.WorkloadsAnswer, "answer") == [
        f"answer.pools[0].{key} is unknown"
        for key in sorted({*t.get_type_hints(facts.PoolEntry)} - {*t.get_type_hints(facts.JobsEntry)})
    ]
    assert wrong(answer["pools"], list[facts.PoolEntry], "pools") == []
    entry = answer["pools"][0]
    assert entry["nodes"]
    assert entry["metrics"]
    for part in ("holders", "queued", "queue_counts", "unplaced", "placements"):
        assert entry[part], part


def test_the_facts_of_pools_are_of_their_types() -> None:
    answer = pools_of(DOCUMENTS["pool"], DOCUMENTS["nodes"], DOCUMENTS["metrics"])
    assert wrong(answer["pools"], list[facts.PoolWithCapacity], "pools") == []
    assert answer["pools"]
    assert set(answer) == set(t.get_type_hints(facts.PoolsAnswer))
