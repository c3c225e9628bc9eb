# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a region's ModelArts and IAM are, and what of an endpoint's path is dropped."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

POOL = "pool-train-0123456789abcdef0123456789abcdef"
PROJECT = "4f1d5a7c9b3e48d0a6c2e1f07b9d3c58"
KEYS = {"access_key": "AK1", "secret_key": "sk-SECRET-2"}
EMPTY = {"kind": "WorkloadList", "items": [], "total": 0}
Start = t.Callable[..., ScriptedServer]


@pytest.mark.parametrize(
    ("region", "modelarts", "iam"),
    [
        ("eu-de", "modelarts.eu-de.otc.t-systems.com", "iam.eu-de.otc.t-systems.com"),
        ("eu-nl", "modelarts.eu-nl.otc.t-systems.com", "iam.eu-nl.otc.t-systems.com"),
        ("eu-ch2", "modelarts.eu-ch2.sc.otc.t-systems.com", "iam-pub.eu-ch2.sc.otc.t-systems.com"),
        ("eu-west-101", "modelarts.eu-west-101.myhuaweicloud.eu", "iam.eu-west-101.myhuaweicloud.eu"),
        ("eu-west-0", "modelarts.eu-west-0.myhuaweicloud.com", "iam.eu-west-0.myhuaweicloud.com"),
        ("eu-west-1", "modelarts.eu-west-1.myhuaweicloud.com", "iam.eu-west-1.myhuaweicloud.com"),
        ("cn-north-4", "modelarts.cn-north-4.myhuaweicloud.com", "iam.cn-north-4.myhuaweicloud.com"),
        ("a-new-one", "modelarts.a-new-one.myhuaweicloud.com", "iam.a-new-one.myhuaweicloud.com"),
    ],
)
def test_every_region_has_its_hosts(region: str, modelarts: str, iam: str) -> None:
    connection = connect({**KEYS, "region": region, "project_id": PROJECT}, where="host-7")
    assert connection.base_url() == f"https://{modelarts}"
    assert connection.auth_url == f"https://{iam}/v3"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("", ""),
        ("/v2", ""),
        ("/v1.0/", ""),
        (f"/v2/{PROJECT}", ""),
        ("/v1/0123456789abcdef0123456789abcdef", ""),
        (f"/gate/v1/{PROJECT}/", "/gate"),
        ("/api/v1/modelarts", "/api/v1/modelarts"),
        ("/api/v1/modelarts/v2", "/api/v1/modelarts"),
        (f"/api/v1/modelarts/v2/{PROJECT}", "/api/v1/modelarts"),
        ("/v2/gate/eu", "/v2/gate/eu"),
    ],
)
def test_only_a_version_and_a_project_at_the_end_are_dropped(script: Start, path: str, kept: str) -> None:
    server = script(Reply(body=EMPTY))
    given = {"endpoint": server.url + path, "project_id": PROJECT, "auth_token": "tok-SECRET-1"}
    with Client(connect(given, where="host-7")) as client:
        client.list_workloads_page(POOL, [])
    assert [seen.path for seen in server.seen] == [f"{kept}/v2/{PROJECT}/pools/{POOL}/workloads"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, {"error_code": "APIG.0101", "error_msg": "The API does not exist"}),
        Reply(404, "<html>nothing here</html>", {"Content-Type": "text/html"}),
        Reply(200, "<html>sign in</html>", {"Content-Type": "text/html"}),
        Reply(302, "", {"Location": "https://elsewhere.example.com"}),
    ],
    ids=["a gateway", "a web server", "a portal", "a redirect"],
)
def test_what_may_be_another_server_is_told_with_the_address_that_was_asked(script: Start, reply: Reply) -> None:
    server = script(reply)
    given = {"endpoint": f"{server.url}/api/v1/modelarts", "project_id": PROJECT, "auth_token": "tok-SECRET-1"}
    asked = f"{server.url}/api/v1/modelarts/v2/{PROJECT}/pools/{POOL}/workloads"
    with Client(connect(given, where="host-7")) as client, pytest.raises(ApiError) as raised:
        client.list_workloads_page(POOL, [("limit", "1")])
    assert raised.value.message.endswith(f" The request went to {asked}.")


def test_a_pool_that_is_not_there_is_no_matter_of_the_address(script: Start) -> None:
    server = script(Reply(404, {"error_code": "ModelArts.50015001", "error_msg": "Pool not found."}))
    given = {"endpoint": server.url, "project_id": PROJECT, "auth_token": "tok-SECRET-1"}
    with Client(connect(given, where="host-7")) as client, pytest.raises(ApiError) as raised:
        client.list_workloads_page(POOL, [])
    assert "address" not in raised.value.message
