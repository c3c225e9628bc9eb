# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of other editions, workspaces, and callers who may not do everything."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import ScenarioError
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from .conftest import POOL, Caller, small_pool

Serve = t.Callable[..., Caller]
OTHER = POOL.replace("small", "other")
POOLS = "/v2/{project}/pools"
METRICS = "/v2/{project}/metrics/runtime/pools"
FLAVORS = "/v1/{project}/resourceflavors"
OF_ONE_POOL = ("pools/{pool}", "pools/{pool}/nodes", "pools/{pool}/workloads", "statistics/pools/{pool}/workloads")
JOBS = [
    {"name": name, "type": job_type, "age": age}
    for age, (name, job_type) in enumerate([("n", "notebook"), ("x", "x-infer"), ("i", "infer"), ("t", "train")])
]


def paths_of(pool: str) -> list[str]:
    return [f"/v2/{{project}}/{path}".replace("{pool}", pool) for path in OF_ONE_POOL]


def names(document: dict[str, t.Any]) -> list[str]:
    return [pool["metadata"]["labels"]["os.modelarts/name"] for pool in document["items"]]


@pytest.mark.parametrize(
    ("one_type", "query", "found"),
    [
        (None, "type=train&type=x-infer", "xt"),
        ("first", "type=train&type=x-infer", "t"),
        ("last", "type=train&type=x-infer", "x"),
        ("refused", "type=train&type=x-infer", None),
        ("first", "type=infer", "i"),
        ("last", "type=infer", "i"),
        ("refused", "type=infer", "i"),
        ("first", "", "nxit"),
        ("first", "type=train&type=batch", None),
    ],
)
def test_a_server_that_documents_one_type(serve: Serve, one_type: str | None, query: str, found: str | None) -> None:
    quirks = {} if one_type is None else {"one_type": one_type}
    caller = serve({"pools": [small_pool(jobs=JOBS, quirks=quirks)]})
    response, document = caller.send(f"/v2/{{project}}/pools/{POOL}/workloads?{query}")
    assert response.status == (400 if found is None else 200)
    if found is not None:
        assert "".join(job["jobName"] for job in document["items"]) == found
        assert document["total"] == len(found)


def test_an_older_server_knows_no_services_of_the_new_kind(serve: Serve) -> None:
    caller = serve({"pools": [small_pool(jobs=JOBS[:1])], "quirks": {"no_x_infer": True}})
    assert caller.send(f"/v2/{{project}}/pools/{POOL}/workloads?type=x-infer")[0].status == 400
    assert caller.jobs("type=notebook") == ["n"]


def test_jobs_of_the_new_kind_are_counted(serve: Serve) -> None:
    caller = serve({"pools": [small_pool(jobs=JOBS)]})
    assert caller.jobs("type=x-infer") == ["x"]
    statistics = caller.get(f"/v2/{{project}}/statistics/pools/{POOL}/workloads")["statistics"]
    assert {item["type"]: item["total"] for item in statistics["items"]} == {
        "train": 1, "infer": 1, "notebook": 1, "x-infer": 1,
    }  # fmt: skip


def test_pages_that_overlap(serve: Serve) -> None:
    nodes = [{"name": "n", "count": 4, "flavor": "cpu", "resources": {"cpu": "4"}}]
    caller = serve({"pools": [small_pool(nodes=nodes, quirks={"nodes_overlap": True})]})
    pages = [caller.nodes(f"limit=2&continue={token}") for token in ("", "node-2")]
    listed = [[node["metadata"]["name"] for node in page["items"]] for page in pages]
    assert listed == [["n-01", "n-02"], ["n-02", "n-03", "n-04"]]
    assert [page["metadata"].get("continue") for page in pages] == ["node-2", None]


def test_pools_of_one_workspace_are_listed_and_those_of_all_shown(serve: Serve) -> None:
    caller = serve({"pools": [small_pool(), small_pool(id=OTHER, name="other", workspace="5")]})
    assert names(caller.get(POOLS)) == names(caller.get(f"{POOLS}?workspaceId=0")) == ["small"]
    assert names(caller.get(f"{POOLS}?workspaceId=5")) == ["other"]
    assert names(caller.get(f"{POOLS}?workspaceId=7")) == []
    labels = caller.get(f"{POOLS}/{OTHER}")["metadata"]["labels"]
    assert (labels["os.modelarts/name"], labels["os.modelarts/workspace.id"]) == ("other", "5")
    assert [item["metadata"]["name"] for item in caller.get(METRICS)["items"]] == [POOL, OTHER]


def test_pools_in_pages(serve: Serve) -> None:
    pools = [small_pool(id=f"pool-{index:032d}", name=f"p{index}") for index in range(5)]
    caller = serve({"pools": pools, "quirks": {"pools_page": 2}})
    found, token, remaining = [], "", []
    while True:
        page = caller.get(f"{POOLS}?continue={token}&limit=500")
        found += names(page)
        token = page["metadata"].get("continue", "")
        remaining.append(page["metadata"].get("remainingItemCount"))
        if not token:
            break
    assert (found, remaining) == (["p0", "p1", "p2", "p3", "p4"], [3, 1, None])
    today = serve({"pools": pools})
    assert "metadata" not in today.get(POOLS)
    assert today.send(f"{POOLS}?continue=node-2")[0].status == 400


def refused(caller: Caller, paths: t.Iterable[str]) -> dict[str, str]:
    answers = {path: caller.send(path) for path in paths}
    assert {response.status for response, _document in answers.values()} <= {200, 403}
    return {path: document["error_code"] for path, (response, document) in answers.items() if response.status == 403}


@pytest.mark.parametrize("name", ["small", POOL])
def test_a_caller_who_may_get_one_pool(serve: Serve, name: str) -> None:
    pools = [small_pool(), small_pool(id=OTHER, name="other")]
    caller = serve({"pools": pools, "rights": {"modelarts:pool:get": [name]}})
    others = [*paths_of(OTHER), *paths_of("pool-nobody-has"), POOLS, METRICS]
    assert refused(caller, [*paths_of(POOL), FLAVORS, *others]) == dict.fromkeys(others, "ModelArts.0108")


def test_a_caller_who_may_get_every_pool_or_only_list_them(serve: Serve) -> None:
    gets = serve({"pools": [small_pool()], "rights": {"modelarts:pool:get": "*"}})
    assert list(refused(gets, [*paths_of(POOL), POOLS, METRICS])) == [POOLS, METRICS]
    lists = serve({"pools": [small_pool()], "rights": {"modelarts:pool:list": "*"}})
    assert list(refused(lists, [*paths_of(POOL), POOLS, METRICS])) == paths_of(POOL)


def test_a_suspended_account(serve: Serve) -> None:
    caller = serve({"pools": [small_pool()], "suspended": True})
    everything = [*paths_of(POOL), POOLS, METRICS, FLAVORS]
    assert refused(caller, everything) == dict.fromkeys(everything, "ModelArts.5017")
    assert caller.send("/v3/projects")[0].status == 200
    assert caller.send(POOLS, headers={"X-Auth-Token": "wrong"})[0].status == 401


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rights": {"modelarts:pool:delete": "*"}}, "rights: unknown key 'modelarts:pool:delete'"),
        ({"rights": {"modelarts:pool:get": ["nonesuch"]}}, "rights.modelarts:pool:get: 'nonesuch' names 0 pools"),
        ({"rights": {"modelarts:pool:get": "small"}}, "rights.modelarts:pool:get must be a list"),
        ({"rights": {"modelarts:pool:list": ["small"]}}, "it is a right to all pools"),
        ({"rights": []}, "rights must be an object"),
        ({"suspended": "yes"}, "suspended: 'yes' is neither true nor false"),
        ({"quirks": {"pools_page": -1}}, "quirks.pools_page: -1 is not a whole number"),
        ({"quirks": {"one_type": True}}, "quirks.one_type: True is not one of first, last, refused"),
    ],
)
def test_errors_in_them_name_the_place(change: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence):
        Emulator({"pools": [small_pool()], **change})
