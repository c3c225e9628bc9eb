# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of several types, on every kind of server."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qsl

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import (
    WORKLOAD_OPTIONS,
    QueryOptions,
    WorkloadQuery,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.cloud.api import POOL, Document, client_of, job, listing
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

Start = t.Callable[..., ScriptedServer]


class TypesServer:
    """ListWorkloads with the filters that a server could have: what it makes of a repeated ``type`` is ``manner``."""

    def __init__(self, jobs: list[Document], manner: str) -> None:
        self.jobs, self.manner = jobs, manner

    def __call__(self, seen: Seen) -> Reply:
        query = parse_qsl(seen.query)
        types = [value for name, value in query if name == "type"]
        if len(types) > 1 and self.manner == "400":
            return Reply(400, {"error_code": "ModelArts.50004000", "error_msg": "Bad request."})
        taken = {"first": types[:1], "last": types[-1:], "none": []}.get(self.manner, types)
        options = dict(query)
        jobs = [
            one
            for one in self.jobs
            if (not taken or one["type"] in taken) and options.get("status") in (None, one["status"])
        ]
        jobs.sort(key=lambda one: one["createTime"], reverse=options.get("ascend") != "true")
        start, limit = int(options.get("offset", 0)), int(options.get("limit", 0)) or 500
        return listing("WorkloadList", jobs[start : start + limit], total=len(jobs))


STATUSES = ("Running", "Queue", "Completed")
MIXED = [job(n, ("train", "infer", "notebook")[n % 3 if n % 5 else 0], status=STATUSES[n % 4 % 3]) for n in range(40)]
MANNERS = ("array", "first", "last", "none", "400")


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("types", [["train", "infer"], ["infer", "train"], ["notebook", "infer", "train"]])
@pytest.mark.parametrize("statuses", [[], ["Running"], ["Queue", "Completed"], ["Failed"]])
@pytest.mark.parametrize(
    ("order", "offset"), [({}, None), ({"sort": "create_time"}, 3), ({"sort": "create_time", "ascend": True}, 7)]
)
def test_several_types_on_every_kind_of_server(
    script: Start, manner: str, types: list[str], statuses: list[str], order: Document, offset: int | None
) -> None:
    server = script(TypesServer(MIXED, manner))
    right = [one["uid"] for one in MIXED if one["type"] in types and (not statuses or one["status"] in statuses)]
    if order == {"sort": "create_time"}:
        right.reverse()
    query = WorkloadQuery(types=types, statuses=statuses, limit=10, offset=offset, **order)
    with client_of(server) as client:
        facts = read_workloads(client, [POOL], query, clock=client.now)
    assert [one["uid"] for one in facts["workloads"]] == right[offset or 0 :]
    assert facts["total"] == len(right)
    assert facts["complete"] == (not offset or not right)
    assert facts["warnings"] == []


@pytest.mark.parametrize(
    ("manner", "kinds", "queries"),
    [
        ("array", ("train", "infer"), []),
        ("array", ("train",), ["limit=1&status=Running&type=infer"]),
        ("array", (), ["limit=1&status=Running&type=infer", "limit=1&status=Running&type=train"]),
        (
            "first",  # of what is on the wire, where the values are sorted
            ("train", "infer"),
            [
                "ascend=true&limit=500&offset=0&sort=create_time&status=Running&type=train",
                "limit=1&status=Running&type=train",
            ],
        ),
        ("none", ("notebook", "train"), ["limit=1&status=Running&type=infer"]),
    ],
)
def test_what_several_types_cost(script: Start, manner: str, kinds: tuple[str, ...], queries: list[str]) -> None:
    """The documented key at first; then no more than one small request for each type that no job has."""
    server = script(TypesServer([job(n, kind) for n, kind in enumerate(kinds)], manner))
    with client_of(server) as client:
        query = WorkloadQuery(types=["train", "infer"], statuses=["Running"])
        facts = read_workloads(client, [POOL], query, clock=client.now)
    assert sorted(one["type"] for one in facts["workloads"]) == sorted(set(kinds) - {"notebook"})
    assert facts["complete"]
    asked_for = [seen.query for seen in server.seen]
    assert asked_for[0] == "ascend=true&limit=500&offset=0&sort=create_time&status=Running&type=infer&type=train"
    assert sorted(asked_for[1:]) == queries


@pytest.mark.parametrize("manner", ["array", "first"])
def test_one_page_stays_the_raw_call(script: Start, manner: str) -> None:
    """It does not claim to be whole where it may not be."""
    server = script(TypesServer([job(1, "train"), job(2, "infer")], manner))
    with client_of(server) as client:
        query = WorkloadQuery(types=["train", "infer"], fetch_all=False)
        facts = read_workloads(client, [POOL], query, clock=client.now)
    assert [seen.query for seen in server.seen] == ["type=infer&type=train"]
    assert facts["complete"] == (manner == "array")


def test_a_type_that_cannot_be_asked_for_is_an_error(script: Start) -> None:
    server = script(listing("WorkloadList", [job(1, "train")], total=1), Reply(500, "{}"))
    with client_of(server) as client, pytest.raises(ApiError, match="returned 500"):
        read_workloads(client, [POOL], WorkloadQuery(types=["train", "infer"]), clock=client.now)


def test_each_option_has_the_type_of_its_specification() -> None:
    kinds = {"list": "list[str]", "str": "str", "bool": "bool", "int": "int"}
    specified = {
        name: kinds[option["type"]] + ("" if "default" in option else " | None")
        for name, option in WORKLOAD_OPTIONS.items()
    }
    assert {name: kind.__forward_arg__ for name, kind in QueryOptions.__annotations__.items()} == specified
