# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters as documented, and the table of errors."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import POOL, Caller, frozen, small_pool

Serve = t.Callable[..., Caller]
JOBS = [
    {
        "name": "a",
        "type": "train",
        "status": "Running",
        "age": 400,
        "nodes": ["node-01", "node-02"],
        "resources": {"cpu": 1},
    },
    {"name": "b", "type": "infer", "status": "Running", "age": 300, "nodes": ["node-02"], "resources": {"cpu": 1}},
    {"name": "c", "type": "notebook", "status": "Queue", "age": 200},
    {"name": "d", "type": "train", "status": "Queue", "age": 100},
]
WORKLOADS = f"/v2/{{project}}/pools/{POOL}/workloads"
NODES = f"/v2/{{project}}/pools/{POOL}/nodes"


@pytest.fixture
def caller(serve: Serve) -> Caller:
    return serve({"pools": [small_pool(jobs=JOBS)]})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "dcba"),
        ("ascend=true", "dcba"),
        ("sort=create_time", "dcba"),
        ("sort=create_time&ascend=false", "dcba"),
        ("sort=create_time&ascend=true", "abcd"),
        ("sort=create_time&ascend=true&offset=1&limit=2", "bc"),
        ("offset=1&limit=2", "cb"),
        ("offset=3&limit=2", "a"),
        ("offset=4", ""),
        ("offset=2147483647", ""),
        ("offset=&limit=", "dcba"),
        ("limit=0", "dcba"),
        ("limit=500", "dcba"),
        ("type=train", "da"),
        ("type=train&type=infer", "dba"),
        ("type=train&type=infer&type=notebook", "dcba"),
        ("status=Queue", "dc"),
        ("status=Failed", ""),
        ("type=infer&status=Running&sort=create_time&ascend=true", "b"),
        ("hostip=10.0.0.1", "a"),
        ("hostip=10.0.0.1,10.0.0.2&limit=1&offset=1", "ba"),
        ("hostip=10.0.0.1&hostip=10.0.0.2", "ba"),
    ],
)
def test_selection(caller: Caller, query: str, names: str) -> None:
    assert caller.jobs(query) == list(names)


def test_total_counts_what_the_filter_lets_through(caller: Caller) -> None:
    assert caller.workloads("type=train&limit=1")["total"] == 2
    assert caller.workloads("status=Failed") == {
        "kind": "WorkloadList", "apiVersion": "v1", "metadata": {}, "items": [], "total": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        "limit=501", "limit=-1", "limit=+1", "limit=ten", "limit=1.0", "limit=1&limit=2", "limit=%201", "limit=1e2",
        "offset=-1", "offset=2147483648", "offset=x", "offset=1&offset=1",
        "type=x_infer", "type=", "type=Train", "type=train&type=other", "type=train,infer",
        "status=", "status=running", "status=Running&status=Queue", "status=Running,Queue",
        "sort=", "sort=name", "sort=create_time&sort=create_time",
        "ascend=", "ascend=True", "ascend=1", "sort=create_time&ascend=yes",
        "fields=jobName", "LIMIT=1", "limit", "=", "&limit=1", "status=%FF",
    ],
)  # fmt: skip
def test_bad_parameters(caller: Caller, query: str) -> None:
    response, document = caller.send(f"{WORKLOADS}?{query}")
    assert (response.status, document) == (400, {"error_code": "ModelArts.50004000", "error_msg": "Bad request."})


@pytest.mark.parametrize("path", [f"{NODES}?limit=501", f"{NODES}?continue=elsewhere", f"{NODES}?offset=0"])
def test_bad_parameters_of_nodes(caller: Caller, path: str) -> None:
    assert caller.send(path)[0].status == 400


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/{project}/pools/pool-nobody-has/workloads", 404, "ModelArts.50015001"),
        ("/v2/{project}/pools/small/workloads", 404, "ModelArts.50015001"),
        ("/v2/{project}/pools/pool-nobody-has/nodes", 404, "ModelArts.50015001"),
        ("/v2/{project}/pools/pool-nobody-has", 404, "ModelArts.50015001"),
        ("/v2/{project}/statistics/pools/pool-nobody-has/workloads", 404, "ModelArts.50015001"),
        ("/v2/{project}/nothing", 404, "APIG.0101"),
        (f"/v1/{{project}}/pools/{POOL}/workloads", 404, "APIG.0101"),
        (f"{WORKLOADS}/", 404, "APIG.0101"),
        ("/v2//pools", 404, "APIG.0101"),
        (f"/v2/another-project/pools/{POOL}/workloads", 403, "ModelArts.0206"),
    ],
)
def test_wrong_paths(caller: Caller, path: str, status: int, code: str) -> None:
    response, document = caller.send(path)
    assert (response.status, document["error_code"]) == (status, code)


def test_the_pool_is_named_where_the_document_names_it(caller: Caller) -> None:
    _response, document = caller.send("/v2/{project}/pools/small/workloads")
    assert document["error_msg"] == "Pool small not found."
    _response, document = caller.send("/v2/{project}/pools/small/nodes")
    assert document["error_msg"] == "pool not found"


def test_every_answer_has_a_date_and_a_request_id_of_its_own(caller: Caller) -> None:
    responses = [caller.send(path)[0] for path in (WORKLOADS, WORKLOADS, "/nothing", f"{WORKLOADS}?limit=x", "/v3")]
    assert all(response.getheader("Date") for response in responses)
    assert len({response.getheader("X-Request-Id") for response in responses}) == len(responses)


def test_other_methods_do_not_exist(caller: Caller) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert caller.send(WORKLOADS, method=method)[0].status == 404


def test_node_pages(serve: Serve) -> None:
    nodes = [{"name": "n", "count": 5, "flavor": "cpu", "resources": {"cpu": "4"}}]
    caller = serve({"pools": [small_pool(nodes=nodes)]})
    names, token, remaining = [], "", []
    while True:
        page = caller.nodes(f"limit=2&continue={token}")
        names += [node["metadata"]["name"] for node in page["items"]]
        token = page["metadata"].get("continue", "")
        remaining.append(page["metadata"].get("remainingItemCount"))
        if not token:
            break
    assert names == ["n-01", "n-02", "n-03", "n-04", "n-05"]
    assert remaining == [3, 1, None]
    assert len(caller.nodes()["items"]) == 5


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["small", "logical"]),
        ("status=created", ["small"]),
        ("status=creating", ["logical"]),
        ("status=failed", []),
        (f"parent={POOL}", ["logical"]),
        ("labelSelector=os.modelarts/name%3Dsmall", ["small"]),
        ("labelSelector=os.modelarts/name=small,os.modelarts/workspace.id=1", []),
        ("workspaceId=0", ["small", "logical"]),
    ],
)
def test_list_pools_filters(serve: Serve, query: str, names: list[str]) -> None:
    logical = small_pool(id=POOL.replace("small", "logic"), name="logical", parent=POOL, phase="Creating")
    found = serve({"pools": [small_pool(), logical]}).get(f"/v2/{{project}}/pools?{query}")
    assert [pool["metadata"]["labels"]["os.modelarts/name"] for pool in found["items"]] == names


def test_refusals_of_the_scenario(serve: Serve) -> None:
    refused = {"status": 403, "error_code": "ModelArts.0112", "error_msg": "no"}
    caller = serve({"pools": [small_pool(refuse={"nodes": 403, "pool": refused})], "refuse": {"metrics": 500}})
    response, document = caller.send(NODES)
    assert (response.status, document["error_code"]) == (403, "ModelArts.0108")
    response, document = caller.send(f"/v2/{{project}}/pools/{POOL}")
    assert (response.status, document) == (403, {"error_code": "ModelArts.0112", "error_msg": "no"})
    assert caller.send("/v2/{project}/metrics/runtime/pools")[0].status == 500
    assert caller.workloads()["total"] == 0


def test_quirks(serve: Serve) -> None:
    jobs = [{"name": "a", "status": "Running", "nodes": ["node-01"], "resources": {"cpu": 2}}]
    quirks = {
        "no_total": True, "requirement_as_array": True, "nodes_as_object": True, "statistics_as_table": True,
        "empty_items": "null", "nodes_unpaged": True,
    }  # fmt: skip
    caller = serve({"pools": [small_pool(jobs=jobs)], "quirks": quirks})
    assert "total" not in caller.workloads()
    job = caller.workloads()["items"][0]
    assert job["resourceRequirement"] == [{"cpu": "2 Cores"}]
    assert job["nodes"] == {"hostIp": "10.0.0.1", "resourceRequirement": {"cpu": "2 Cores"}}
    assert caller.workloads("status=Failed")["items"] is None
    assert len(caller.nodes("limit=1")["items"]) == 2
    statistics = caller.get(f"/v2/{{project}}/statistics/pools/{POOL}/workloads")
    assert statistics["statics"]["items"][0]["status"]["Running"] == "1"
    absent = serve({"pools": [small_pool(quirks={"empty_items": "absent", "nodes_repeat_token": True})]})
    assert "items" not in absent.workloads()
    second = absent.nodes("limit=1")["metadata"]["continue"]
    assert second == "node-1"


def test_a_repeated_token_repeats(serve: Serve) -> None:
    nodes = [{"count": 9, "flavor": "cpu", "resources": {"cpu": "4"}}]
    caller = serve({"pools": [small_pool(nodes=nodes, quirks={"nodes_repeat_token": True})]})
    tokens = [caller.nodes(f"limit=2&continue={token}")["metadata"]["continue"] for token in ("", "node-2", "node-2")]
    assert tokens == ["node-2", "node-2", "node-2"]


def test_undocumented_answers(serve: Serve) -> None:
    """``extra`` puts anything into a document, for clients that must bear it."""
    jobs = [{"name": "a", "extra": {"status": "Sleeping", "resourceRequirement": {"cpu": "lots"}, "new": None}}]
    node = {"name": "n", "flavor": "cpu", "resources": {"cpu": 1}, "extra": {"status": {"phase": 7}}}
    caller = serve(frozen(small_pool(jobs=jobs, nodes=[node], extra={"metadata": {"labels": None}})))
    job = caller.workloads()["items"][0]
    assert (job["status"], job["resourceRequirement"], job["new"]) == ("Sleeping", {"cpu": "lots"}, None)
    assert job["pendingDuration"] == 3600
    assert caller.nodes()["items"][0]["status"]["phase"] == 7
    assert caller.get(f"/v2/{{project}}/pools/{POOL}")["metadata"]["labels"] is None


def test_what_is_recorded(serve: Serve) -> None:
    caller = serve({"pools": [small_pool()]})
    caller.workloads("limit=7")
    caller.send("/v2/x/pools", headers={"Authorization": "SDK-HMAC-SHA256 Access=a, Signature=private"})
    other = Caller(caller.emulator)
    other.nodes()
    first, second, third = caller.emulator.requests
    assert (first["method"], first["query"], first["auth"], first["status"]) == ("GET", "limit=7", "token", 200)
    assert first["path"] == WORKLOADS.replace("{project}", caller.emulator.credentials.project_id)
    assert [entry["connection"] for entry in (first, second, third)] == [1, 1, 2]
    assert second["status"] == 401
    assert "authorization" in second["header_names"]
    text = str(caller.emulator.requests)
    assert "private" not in text
    assert caller.emulator.credentials.auth_token not in text
