# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, workspaces and rights: which pools are found, and what is missing where they are not."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.cloud.api import (
    POOL,
    TOKEN,
    Api,
    Document,
    api,
    asked,
    client_of,
    listing,
    observe,
    pool,
    pools_of,
)
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

Start = t.Callable[..., ScriptedServer]
OTHER = "pool-b-000000000000000000000000000000000"
FORBIDDEN = Reply(403, {"error_code": "ModelArts.0108", "error_msg": "no"})


@pytest.mark.parametrize("read", [observe, pools_of], ids=["gate", "pool_info"])
def test_a_display_name_of_pools_on_two_pages_is_that_of_two(
    script: Start, read: t.Callable[[ScriptedServer, str], t.Any]
) -> None:
    pages = [listing("PoolList", [pool(POOL, "twin")], token="a"), listing("PoolList", [pool(OTHER, "twin")])]
    with pytest.raises(InputError, match=f"twin is the display name of 2 pools: give one of the IDs {POOL}, {OTHER}"):
        read(script(api(pools=pages)), "twin")


def test_a_pool_that_is_listed_twice_and_differently_is_not_readable(script: Start) -> None:
    running, gone = pool(POOL), pool(POOL, phase="Deleting")
    for items, unreadable in (([running, running], []), ([running, gone], ["the pool, which is listed twice,"])):
        (facts,) = pools_of(script(api(pools=[listing("PoolList", items)])))["pools"]
        assert facts["unreadable"] == unreadable


def test_an_id_is_answered_by_the_pool_itself(script: Start) -> None:
    """For who may read one pool and list none."""
    server = script(api(pools=[FORBIDDEN], metrics=[FORBIDDEN]))
    facts = pools_of(server, POOL)
    assert asked(server) == ["metrics/runtime/pools", f"pools/{POOL}", f"pools/{POOL}/nodes"]
    (entry,) = facts["pools"]
    assert (entry["pool_name"], entry["phase"], len(entry["nodes"])) == (POOL, "Running", 1)
    (error,) = entry["errors"]
    assert error["document"] == "metrics"
    assert error["msg"].endswith(
        "The credentials lack the permission modelarts:pool:list, or belong to another project."
    )
    assert observe(server)["nodes"] is not None


def test_a_display_name_that_looks_like_an_id(script: Start) -> None:
    server = script(Api(pools=[listing("PoolList", [pool(POOL, OTHER)])]))
    with client_of(server) as client:
        facts = read_pools_and_capacity(client, [OTHER], include_capacity=False, clock=client.now)
    assert facts["resolved"] == {OTHER: POOL}
    assert asked(server) == ["pools", f"pools/{OTHER}"]


@pytest.mark.parametrize(
    ("options", "query", "workspace"), [({}, "", "0"), ({"workspace_id": "5"}, "?workspaceId=5", "5")]
)
def test_a_name_that_is_not_found_says_where_it_was_looked_for(
    script: Start, options: Document, query: str, workspace: str
) -> None:
    server = script(Api(pools=[listing("PoolList", [pool(POOL)])], metrics=[listing("PoolMetricsList", [])]))
    said = f"Only workspace {workspace} was listed: for a pool of another, give its ID or set workspace_id."
    with pytest.raises(InputError) as raised:
        pools_of(server, "elsewhere", **options)
    assert raised.value.message == (f"No pool has the ID or the display name elsewhere; the project has train. {said}")
    assert asked(server) == [f"pools{query}"]
    with client_of(server, **options) as client, pytest.raises(ModelArtsError, match=said):
        read_workloads(client, ["elsewhere"], WorkloadQuery(include_capacity=True), clock=client.now)


@pytest.mark.parametrize("workspace", ["a b", "5&status=failed", "x" * 65, ["5"]])
def test_a_workspace_that_cannot_be_one(workspace: t.Any) -> None:
    options = {"endpoint": "https://m.example", "project_id": "p", "auth_token": TOKEN, "workspace_id": workspace}
    with pytest.raises(InputError, match="^workspace_id must be .*MODELARTS_WORKSPACE_ID"):
        connect(options, where="here")


@pytest.mark.parametrize(
    ("call", "permission"),
    [
        (lambda client: client.show_pool(POOL), "modelarts:pool:get"),
        (lambda client: client.list_nodes(POOL), "modelarts:pool:get"),
        (lambda client: client.list_workloads(POOL, []), "modelarts:pool:get"),
        (lambda client: client.list_pools(), "modelarts:pool:list"),
        (lambda client: client.runtime_metrics(), "modelarts:pool:list"),
    ],
)
def test_a_403_names_what_is_missing(script: Start, call: t.Callable[[Client], t.Any], permission: str) -> None:
    for code, said in (
        ("ModelArts.0108", f"The credentials lack the permission {permission}, or belong to another project."),
        ("ModelArts.5017", "The account is suspended, for example for an unpaid bill; no permission is missing."),
        ("ModelArts.50170", f"The credentials lack the permission {permission}, or belong to another project."),
    ):
        server = script(Reply(403, {"error_code": code, "error_msg": "no"}))
        with client_of(server) as client, pytest.raises(ApiError) as raised:
            call(client)
        assert raised.value.message.endswith(f"({code}: no). {said}")
        assert str(raised.value) == raised.value.message
        assert len(server.seen) == 1


@pytest.mark.parametrize("shown", [pool(OTHER), {**pool(POOL), "kind": "Node"}, {"kind": "Pool"}, {}])
def test_a_document_of_another_pool_is_none_of_this(script: Start, shown: Document) -> None:
    server = script(Reply(body=shown))
    with client_of(server) as client, pytest.raises(ApiError, match=f"GET /pools/{POOL}"):
        client.show_pool(POOL)
