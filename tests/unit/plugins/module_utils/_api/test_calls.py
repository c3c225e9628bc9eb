# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of the API reference, as they go over the wire."""

from __future__ import annotations

import email.utils
import json
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.cloud.wire import POOL, PROJECT, TOKEN, client, read
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

KEYS = {"access_key": "AK1", "secret_key": "sk-SECRET-2", "security_token": "st-SECRET-3"}
EMPTY = {"kind": "WorkloadList", "items": [], "total": 0}
NODES = {"kind": "NodeList"}
Start = t.Callable[..., ScriptedServer]


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ({}, ""),
        ({"type": ["train"]}, "type=train"),
        ({"type": ["train", "infer"]}, "type=infer&type=train"),
        ({"status": ["Queue"]}, "status=Queue"),
        ({"status": ["Queue", "Pending"]}, ""),
        ({"sort": "create_time"}, "sort=create_time"),
        ({"sort": "create_time", "ascend": True}, "ascend=true&sort=create_time"),
        ({"sort": "create_time", "ascend": False}, "ascend=false&sort=create_time"),
        ({"offset": 0}, "offset=0"),
        ({"offset": 17, "limit": 0}, "limit=0&offset=17"),
        ({"limit": 500}, "limit=500"),
        (
            {"type": ["notebook", "train"], "status": ["Failed"], "sort": "create_time", "ascend": False, "limit": 5},
            "ascend=false&limit=5&sort=create_time&status=Failed&type=notebook&type=train",
        ),
    ],
)
def test_every_documented_parameter_of_one_page(script: Start, given: dict[str, t.Any], query: str) -> None:
    server = script(Reply(body=EMPTY))
    read(server.url, fetch_all=False, **given)
    assert [(seen.method, seen.path, seen.query) for seen in server.seen] == [
        ("GET", f"/v2/{PROJECT}/pools/{POOL}/workloads", query)
    ]


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ({}, "ascend=true&limit=500&offset=0&sort=create_time"),
        ({"limit": 0}, "ascend=true&limit=500&offset=0&sort=create_time"),
        ({"limit": 20, "offset": 7}, "ascend=true&limit=20&offset=7&sort=create_time"),
        (
            {"type": ["train", "infer"], "status": ["Running"]},
            "ascend=true&limit=500&offset=0&sort=create_time&status=Running&type=infer&type=train",
        ),
        ({"sort": "create_time", "ascend": False, "offset": 7}, "ascend=true&limit=500&offset=0&sort=create_time"),
    ],
)
def test_all_pages_are_asked_for_oldest_first(script: Start, given: dict[str, t.Any], query: str) -> None:
    server = script(Reply(body=EMPTY))
    read(server.url, **given)
    assert server.seen[0].query == query
    assert len(server.seen) == 1 + len(given.get("type", ()))  # each type is asked for alone when there is no job of it


def test_headers_with_a_token(script: Start) -> None:
    server = script(Reply(body=EMPTY))
    read(server.url)
    headers = server.seen[0].headers
    assert headers["x-auth-token"] == TOKEN
    assert headers["content-type"] == headers["accept"] == "application/json"
    assert headers["host"] == server.url.removeprefix("http://")
    assert "authorization" not in headers
    assert "cookie" not in headers


def test_headers_with_keys(script: Start) -> None:
    server = script(Reply(body=EMPTY))
    with client(server.url, **KEYS) as opened:
        opened.list_workloads_page(POOL, [("type", "train"), ("type", "infer"), ("limit", "5")])
    headers = server.seen[0].headers
    assert server.seen[0].query == "limit=5&type=infer&type=train"
    assert headers["authorization"].startswith("SDK-HMAC-SHA256 Access=AK1, SignedHeaders=")
    assert headers["x-security-token"] == KEYS["security_token"]
    assert headers["x-project-id"] == PROJECT
    assert KEYS["secret_key"] not in json.dumps(headers)


def test_what_a_query_holds_is_quoted(script: Start) -> None:
    server = script(Reply(body=EMPTY))
    with client(server.url) as opened:
        opened.list_workloads_page(POOL, [("labelSelector", "a/b=c d&ü~")])
    assert server.seen[0].query == "labelSelector=a%2Fb%3Dc%20d%26%C3%BC~"


def test_the_other_calls(script: Start) -> None:
    answers = [{"kind": "Pool", "metadata": {"name": POOL}}]
    answers += [{"kind": kind, "items": []} for kind in ("PoolList", "NodeList", "PoolMetricsList")]
    server = script(*(Reply(body=answer) for answer in answers))
    with client(server.url) as opened:
        opened.show_pool(POOL)
        opened.list_pools()
        opened.list_nodes(POOL)
        opened.runtime_metrics()
    base = f"/v2/{PROJECT}"
    paths = [f"{base}/pools/{POOL}", f"{base}/pools", f"{base}/pools/{POOL}/nodes", f"{base}/metrics/runtime/pools"]
    assert [(seen.path, seen.query) for seen in server.seen] == [(path, "") for path in paths]


def test_nodes_are_followed_through_their_tokens(script: Start) -> None:
    server = script(
        Reply(body={**NODES, "items": [{"n": 1}], "metadata": {"continue": "a+b/=", "remainingItemCount": 2}}),
        Reply(body={**NODES, "items": [{"n": 2}], "metadata": {"continue": "c"}}),
        Reply(body={**NODES, "items": [{"n": 3}], "metadata": {"continue": ""}}),
    )
    with client(server.url) as opened:
        assert [node["n"] for node in opened.list_nodes(POOL)] == [1, 2, 3]
    assert [seen.query for seen in server.seen] == ["", "continue=a%2Bb%2F%3D&limit=500", "continue=c&limit=500"]


def test_nodes_whose_tokens_run_in_a_circle(script: Start) -> None:
    server = script(Reply(body={**NODES, "items": [{"n": 1}], "metadata": {"continue": "a"}}))
    with client(server.url) as opened, pytest.raises(ApiError, match="does not end"):
        opened.list_nodes(POOL)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"limit": 501}, "limit is 501, but must be 0 to 500 (0 means 500)."),
        ({"limit": -1}, "limit is -1, but must be 0 to 500 (0 means 500)."),
        ({"offset": -1}, "offset is -1, but must be 0 or more: the number of jobs to skip."),
        ({"ascend": True}, "ascend is given without sort: set sort to create_time, or leave ascend out."),
        ({"fields": ["jobname"]}, "fields names 'jobname', which a job does not have: did you mean job_name?"),
        ({"fields": ["42"]}, "fields names '42', which a job does not have. A job has api_version, kind, type, "),
        ({"include_capacity": True, "offset": 1}, "include_capacity needs all jobs: leave out offset, and "),
        ({"include_capacity": True, "fetch_all": False}, "include_capacity needs all jobs: leave out offset, and "),
    ],
)
def test_options_that_cannot_be_used_send_nothing(script: Start, given: dict[str, t.Any], sentence: str) -> None:
    server = script(Reply(body=EMPTY))
    with pytest.raises(InputError) as raised:
        read(server.url, **given)
    assert raised.value.message.startswith(sentence)
    assert server.seen == []


@pytest.mark.parametrize(
    "name", ["", "a/b", "../nodes", "a b", "pool?x=1", "pool#x", "pöol", "-x", "a" * 129, "a\nb", "a..b"]
)
@pytest.mark.parametrize("others", [(), ("pool-a",)], ids=["alone", "after a good one"])
def test_names_that_cannot_stand_in_a_path_send_nothing(script: Start, name: str, others: tuple[str, ...]) -> None:
    server = script(Reply(body=EMPTY))
    with pytest.raises(InputError, match="is not a pool ID: give the metadata.name of a pool"):
        read(server.url, *others, name)
    assert server.seen == []


def test_no_pool_at_all(script: Start) -> None:
    server = script(Reply(body=EMPTY))
    with client(server.url) as opened, pytest.raises(InputError, match="pool_name names no pool"):
        read_workloads(opened, [], WorkloadQuery(), clock=time.time)
    assert server.seen == []


REFUSED = Reply(401, {"error_code": "APIG.0301", "error_msg": "Incorrect IAM authentication information"})


def test_a_clock_that_is_wrong_is_said(script: Start) -> None:
    for offset, said in ((3600, "behind"), (-3600, "ahead of")):
        date = email.utils.formatdate(time.time() + offset, usegmt=True)
        server = script(Reply(401, REFUSED.body, {"Date": date}))
        with client(server.url, **KEYS) as opened, pytest.raises(ApiError) as raised:
            opened.list_pools()
        assert f"s {said} the server's." in raised.value.message


def test_a_wrong_url_and_a_missing_permission_say_what_to_do(script: Start) -> None:
    for reply, said in (
        (Reply(404, {"error_code": "APIG.0101", "error_msg": "no"}), "check endpoint and region"),
        (Reply(404, {"error_code": "APIGW.0101", "error_msg": "no"}), "check endpoint and region"),
        (Reply(403, {"error_code": "ModelArts.0108", "error_msg": "no"}), "lack the permission"),
    ):
        server = script(reply)
        with client(server.url) as opened, pytest.raises(ApiError, match=said):
            opened.list_pools()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(body="<html>Sign in</html>", headers={"Content-Type": "text/html"}), "an HTML page, not JSON"),
        (Reply(body="hello"), r"returned 200 \(hello\). The answer is not JSON"),
        (Reply(body=""), "The answer is not JSON"),
        (Reply(body=b"\x80\x81"), "cannot be read: it is not text in UTF-8"),
        (Reply(body="[]"), "JSON, but not an object"),
        (Reply(body="null"), "JSON, but not an object"),
        (Reply(body={"error_code": "X.1", "error_msg": "hidden"}), r"returned 200 \(X.1: hidden\)"),
        (Reply(body={"error": {"code": 1, "message": "hidden"}}), r"returned 200 \(1: hidden\)"),
        (Reply(body={**EMPTY, "items": {"uid": 1}}), "no list of objects in items"),
        (Reply(body={**EMPTY, "items": ["x"]}), "no list of objects in items"),
        (Reply(body={**EMPTY, "items": 5}), "no list of objects in items"),
        (Reply(204, ""), "returned 204"),
    ],
)
def test_200_is_not_enough(script: Start, reply: Reply, said: str) -> None:
    server = script(reply)
    with client(server.url) as opened, pytest.raises(ApiError, match=said):
        opened.list_workloads_page(POOL, [])
    assert len(server.seen) == 1


def test_deep_json_is_no_crash(script: Start) -> None:
    server = script(Reply(body="[" * 200_000))
    with client(server.url, max_retries=0) as opened, pytest.raises(ModelArtsError):
        opened.list_workloads_page(POOL, [])


@pytest.mark.parametrize(
    "body", [{"total": 0}, {"items": None, "total": 0}, {"items": [], "total": "0"}, {"items": None}]
)
@pytest.mark.parametrize("fetch_all", [True, False])
def test_nothing_is_an_answer(script: Start, body: dict[str, t.Any], fetch_all: bool) -> None:
    server = script(Reply(body={"kind": "WorkloadList", **body}))
    facts = read(server.url, fetch_all=fetch_all)
    assert (facts["workloads"], facts["complete"]) == ([], True)
    assert facts["total"] == (0 if "total" in body else None)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("query", "rows", "total", "complete"),
    [
        ([], 5, 234, False),
        ([], 5, 5, True),
        ([("limit", "5")], 5, 5, True),
        ([("limit", "5")], 5, None, False),
        ([("limit", "5")], 4, None, False),  # a server may have smaller pages than were asked for
        ([("limit", "0")], 4, None, False),
        ([], 0, None, True),
        ([("offset", "2"), ("limit", "5")], 3, 5, False),
        ([("offset", "0"), ("limit", "5")], 3, 3, True),
    ],
)
def test_when_one_page_is_complete(
    script: Start, query: list[tuple[str, str]], rows: int, total: int | None, complete: bool
) -> None:
    body = {"kind": "WorkloadList", "items": [{"uid": str(n)} for n in range(rows)]}
    if total is not None:
        body["total"] = total
    server = script(Reply(body=body))
    with client(server.url) as opened:
        pages: Pages = opened.list_workloads_page(POOL, query)
    assert (len(pages.items), pages.total, pages.complete) == (rows, total, complete)


def test_every_option_of_a_connection_is_one_of_the_modules() -> None:
    """The options that these tests use are those that a user has."""
    assert {"endpoint", "project_id", "auth_token", "timeout", "max_retries", *KEYS} <= CONNECTION_OPTIONS.keys()
