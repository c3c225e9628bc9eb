# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return is what their types say, and what their documentation says."""

from __future__ import annotations

import ast
import time
import typing as t

import pytest
import yaml
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils import _facts as facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import ADDED_FIELDS, FIELDS
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.modules import modelarts_pool_info, modelarts_workload_info
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import POOL_A, POOL_B, client_of, observe, pools

Node = dict[str, t.Any]

POOL_INFO: Node = yaml.safe_load(modelarts_pool_info.RETURN)
WORKLOAD_INFO: Node = yaml.safe_load(modelarts_workload_info.RETURN)
ENTRY = WORKLOAD_INFO["pools"]["contains"]
POOL = POOL_INFO["pools"]["contains"]
FAILURE = ("msg", "transient", "status", "error_code", "error_msg", "request_id")
OF_THE_CALL = {"seconds"}  # of every module, whatever it reads

# The keys that a part of a RETURN documents, and the type that has them.
DOCUMENTED: list[tuple[str, t.Iterable[str], type]] = [
    ("the answer about jobs", {*WORKLOAD_INFO, "warnings"} - {*FAILURE} - OF_THE_CALL, facts.WorkloadsAnswer),
    ("a job", WORKLOAD_INFO["workloads"]["contains"], facts.WorkloadFacts),
    ("a node of a job", {*WORKLOAD_INFO["workloads"]["contains"]["nodes"]["contains"], "extra"}, facts.JobNode),
    ("a summary", WORKLOAD_INFO["summary"]["contains"], facts.SummaryFacts),
    ("an entry", ENTRY, facts.PoolEntry),
    ("an error", ENTRY["errors"]["contains"], facts.DocumentError),
    ("the answer about pools", {*POOL_INFO} - OF_THE_CALL, facts.PoolsAnswer),
    ("a pool", POOL, facts.PoolWithCapacity),
    ("a node", POOL["nodes"]["contains"], facts.NodeFacts),
]


class _Unions(ast.NodeTransformer):
    """``X | Y``, which Python has from 3.10 on, as Union[X, Y]."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        both = ast.Tuple([self.visit(node.left), self.visit(node.right)], ast.Load())
        union = ast.Attribute(ast.Name("t", ast.Load()), "Union", ast.Load())
        return ast.copy_location(ast.Subscript(union, both, ast.Load()), node)


def hints(of: type) -> dict[str, t.Any]:
    """Return the types of the keys of a TypedDict."""
    found = {}
    for name, annotation in of.__annotations__.items():
        tree = _Unions().visit(ast.parse(annotation.__forward_arg__, mode="eval"))
        found[name] = eval(compile(ast.fix_missing_locations(tree), name, "eval"), vars(facts))
    return found


@pytest.mark.parametrize(("documented", "of"), [row[1:] for row in DOCUMENTED], ids=[row[0] for row in DOCUMENTED])
def test_the_documentation_has_the_keys_of_the_type(documented: t.Iterable[str], of: type) -> None:
    assert sorted(documented) == sorted(hints(of))


def test_the_failure_of_a_module_is_documented() -> None:
    assert sorted(hints(facts.FailureFacts)) == sorted(FAILURE)
    assert {*FAILURE} - {"msg"} <= {*WORKLOAD_INFO}
    assert {*WORKLOAD_INFO} & {*POOL_INFO} >= OF_THE_CALL


def test_the_fields_of_a_job_are_those_of_its_type() -> None:
    assert [*FIELDS, *ADDED_FIELDS] == list(facts.WorkloadFacts.__annotations__)


def wrong(value: object, of: t.Any, where: str) -> list[str]:
    """Return the places where a value is not of its type; a float may be whole."""
    origin, arguments = t.get_origin(of), t.get_args(of)
    if of is t.Any:
        return []
    if hasattr(of, "__required_keys__"):
        known = hints(of)
        if not isinstance(value, dict):
            return [where]
        places = [f"{where}.{key} is missing" for key in sorted(of.__required_keys__ - value.keys())]
        places += [f"{where}.{key} is unknown" for key in sorted(value.keys() - known.keys())]
        return places + [
            place for key in value.keys() & known.keys() for place in wrong(value[key], known[key], f"{where}.{key}")
        ]
    if origin is t.Union:
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
    # A bool is an int in Python, and not in JSON.
    fits = isinstance(value, of) and isinstance(value, bool) == (of is bool)
    return [] if fits else [f"{where} is {value!r}"]


def test_the_facts_of_jobs_are_of_their_types() -> None:
    with Emulator(pools()) as emulator, client_of(emulator) as client:
        uuids = [
            job["job_uuid"] for job in read_workloads(client, [POOL_A], WorkloadQuery(), clock=time.time)["workloads"]
        ]
        query = WorkloadQuery(include_capacity=True)
        answer = read_workloads(client, [POOL_A, POOL_B], query, clock=time.time, placement_of=map(str, uuids))
    more = sorted({*hints(facts.PoolEntry)} - {*hints(facts.JobsEntry), *hints(facts.FoundInPool)})
    assert wrong(answer, facts.WorkloadsAnswer, "answer") == [
        f"answer.pools[{number}].{key} is unknown" for number in (0, 1) for key in more
    ]
    assert wrong(answer["pools"], list[facts.PoolEntry], "pools") == []
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
    assert wrong(answer["pools"], list[facts.PoolEntry], "pools") == []
    assert [error["document"] for error in answer["pools"][0]["errors"]] == ["nodes"]


def test_the_facts_of_pools_are_of_their_types() -> None:
    with Emulator(pools()) as emulator, client_of(emulator) as client:
        answer = read_pools_and_capacity(client, [], include_capacity=True, clock=time.time)
    assert wrong(answer["pools"], list[facts.PoolWithCapacity], "pools") == []
    assert len(answer["pools"]) == 2
    assert set(answer) == set(hints(facts.PoolsAnswer))
