# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults reach the client as they were planned, at the request they were planned for."""

from __future__ import annotations

import gzip
import http.client
import json
import time
import typing as t
from email.utils import parsedate_to_datetime

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import ScenarioError
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from .conftest import POOL, Caller, small_pool

Serve = t.Callable[..., Caller]
WORKLOADS = f"/v2/{{project}}/pools/{POOL}/workloads"


def raw(caller: Caller, path: str = WORKLOADS, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """One request on a connection of its own; the body as it came."""
    connection = http.client.HTTPConnection(caller.emulator.endpoint.removeprefix("http://"), timeout=10)
    path = path.replace("{project}", caller.emulator.credentials.project_id)
    connection.request("GET", path, headers={**caller.headers, **headers})
    response = connection.getresponse()
    return response, response.read()


@pytest.fixture
def caller(serve: Serve) -> Caller:
    return serve({"pools": [small_pool(jobs=[{"name": "j", "count": 50}])]})


@pytest.mark.parametrize(
    ("entry", "statuses"),
    [
        ({"at": 1}, [500, 200, 200, 200, 200]),
        ({"at": 3}, [200, 200, 500, 200, 200]),
        ({"at": [2, 4]}, [200, 500, 200, 500, 200]),
        ({"at": 2, "times": 3}, [200, 500, 500, 500, 200]),
        ({"at": 3, "times": 0}, [200, 200, 500, 500, 500]),
        ({"at": 1, "path": "/workloads$"}, [500, 200, 200, 200, 200]),
        ({"at": 1, "path": "/nodes$"}, [200, 200, 200, 200, 200]),
    ],
)
def test_when_a_fault_strikes(caller: Caller, entry: dict[str, t.Any], statuses: list[int]) -> None:
    caller.emulator.set_faults([{"do": "status", **entry}])
    assert [caller.send(WORKLOADS)[0].status for _i in range(5)] == statuses
    assert [bool(seen.get("fault")) for seen in caller.emulator.requests] == [status == 500 for status in statuses]


def test_only_requests_of_its_path_count(serve: Serve) -> None:
    faults = [{"do": "status", "at": 2, "path": "/nodes", "status": 503}]
    caller = serve({"pools": [small_pool()], "faults": faults})
    nodes = f"/v2/{{project}}/pools/{POOL}/nodes"
    assert [caller.send(path)[0].status for path in (WORKLOADS, nodes, WORKLOADS, nodes, nodes)] == [
        200, 200, 200, 503, 200,
    ]  # fmt: skip


def test_a_status_with_body_and_headers(caller: Caller) -> None:
    caller.emulator.set_faults(
        [
            {
                "do": "status",
                "status": 502,
                "body": "<html>",
                "content_type": "text/html",
                "headers": {"Retry-After": "3"},
            },
            {"do": "status", "at": 2, "status": 401, "body": {"error_code": "ModelArts.4127"}},
        ]
    )
    response, body = raw(caller)
    assert (response.status, body, response.getheader("Content-Type")) == (502, b"<html>", "text/html")
    assert response.getheader("Retry-After") == "3"
    response, body = raw(caller)
    assert (response.status, json.loads(body)) == (401, {"error_code": "ModelArts.4127"})


def test_throttling(caller: Caller) -> None:
    faults: list[dict[str, t.Any]] = [{"retry_after": 2}, {"retry_after_date": 60}, {}, {"seconds": 7}]
    caller.emulator.set_faults([{"do": "throttle", "at": at, **entry} for at, entry in enumerate(faults, 1)])
    answers = [raw(caller) for _i in faults]
    assert {response.status for response, _body in answers} == {429}
    waits = [response.getheader("Retry-After") for response, _body in answers]
    assert (waits[0], waits[2], waits[3]) == ("2", None, None)
    assert 55 <= parsedate_to_datetime(waits[1]).timestamp() - time.time() <= 61
    messages = [json.loads(body)["error_msg"] for _response, body in answers]
    assert "policy user over ratelimit,limit:10,time:1 second" in messages[0]
    assert "time:7 second" in messages[3]


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("before", ConnectionResetError),
        ("in_header", ConnectionResetError),
        ("after_header", ConnectionResetError),
        ("mid_body", ConnectionResetError),
    ],
)
def test_resets(caller: Caller, where: str, error: type[Exception]) -> None:
    caller.emulator.set_faults([{"do": "reset", "where": where}])
    with pytest.raises(error):
        raw(caller)
    assert raw(caller)[0].status == 200


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("before", http.client.RemoteDisconnected),
        ("after_header", http.client.IncompleteRead),
        ("mid_body", http.client.IncompleteRead),
    ],
)
def test_closed_connections(caller: Caller, where: str, error: type[Exception]) -> None:
    caller.emulator.set_faults([{"do": "close", "where": where}])
    with pytest.raises(error):
        raw(caller)
    assert raw(caller)[0].status == 200


def test_a_kept_connection_that_is_closed_when_it_is_used_again(caller: Caller) -> None:
    caller.emulator.set_faults([{"do": "close", "at": 2}])
    assert caller.send(WORKLOADS)[0].status == 200
    with pytest.raises(http.client.RemoteDisconnected):
        caller.send(WORKLOADS)


def test_bodies_that_are_not_what_they_should_be(caller: Caller) -> None:
    kinds = ["truncate", "html", "error_body", "content_type", "gzip", "redirect"]
    caller.emulator.set_faults([{"do": kind, "at": at} for at, kind in enumerate(kinds, 1)])
    whole = raw(caller)  # the first request is hit by truncate
    response, body = whole
    assert response.status == 200
    assert body.startswith(b'{"kind": "WorkloadList"')
    with pytest.raises(ValueError, match="Expecting|Unterminated|delimiter"):
        json.loads(body)
    response, body = raw(caller)
    assert (response.status, response.getheader("Content-Type"), body[:9]) == (200, "text/html", b"<!DOCTYPE")
    response, body = raw(caller)
    assert (response.status, set(json.loads(body))) == (200, {"error_code", "error_msg"})
    response, body = raw(caller)
    assert (response.getheader("Content-Type"), json.loads(body)["total"]) == ("text/plain", 50)
    response, body = raw(caller)
    assert response.getheader("Content-Encoding") == "gzip"
    assert json.loads(gzip.decompress(body))["total"] == 50
    response, body = raw(caller)
    assert (response.status, response.getheader("Location")) == (302, "/elsewhere")


def test_delay_and_slow_bytes(caller: Caller) -> None:
    caller.emulator.set_faults([{"do": "delay", "seconds": 0.4}, {"do": "slow", "at": 2, "bytes_per_second": 40_000}])
    began = time.monotonic()
    assert raw(caller)[0].status == 200
    assert 0.4 <= time.monotonic() - began < 1.4
    began = time.monotonic()
    _response, body = raw(caller)
    assert json.loads(body)["total"] == 50
    assert time.monotonic() - began >= len(body) / 40_000 * 0.8


@pytest.mark.parametrize("compressed", [False, True])
def test_huge_bodies(caller: Caller, compressed: bool) -> None:
    size = 30 * 2**20 + 5
    caller.emulator.set_faults([{"do": "huge", "bytes": size, "compressed": compressed}])
    response, body = raw(caller)
    if compressed:
        assert response.getheader("Content-Encoding") == "gzip"
        assert len(body) < 100_000
        body = gzip.decompress(body)
    assert len(body) == size


def test_a_client_that_leaves_a_huge_body_harms_nobody(caller: Caller) -> None:
    caller.emulator.set_faults([{"do": "huge", "bytes": 2**33}])
    connection = http.client.HTTPConnection(caller.emulator.endpoint.removeprefix("http://"), timeout=10)
    connection.request("GET", "/v3")
    assert connection.getresponse().read(1000) == b" " * 1000
    connection.close()
    assert raw(caller)[0].status == 200


def test_faults_of_the_login(serve: Serve) -> None:
    caller = serve({"faults": [{"do": "status", "status": 503, "path": "/v3/auth/tokens"}]})
    assert caller.send("/v3/auth/tokens", method="POST", body={})[0].status == 503
    assert caller.send("/v3/auth/tokens", method="POST", body={})[0].status == 400


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, r"faults\[0\]\.do: None is not one of"),
        ({"do": "explode"}, r"faults\[0\]\.do: 'explode' is not one of"),
        ({"do": "html", "status": 200}, r"faults\[0\]: unknown key 'status'"),
        ({"do": "reset", "where": "later"}, r"faults\[0\]\.where: 'later' is not one of"),
        ({"do": "html", "at": "first"}, r"faults\[0\]\.at: 'first' is not a whole number"),
        ({"do": "html", "path": "("}, r"faults\[0\]\.path is not a regular expression"),
        ({"do": "delay", "seconds": "long"}, r"faults\[0\]\.seconds: 'long' is not a number"),
    ],
)
def test_errors_in_a_plan(entry: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence):
        Emulator({}, faults=[entry])


def test_a_server_whose_clock_is_off(serve: Serve) -> None:
    caller = serve({"iam": {"clock_offset": 3600}})
    response, _body = caller.send("/v3")
    assert 3590 < parsedate_to_datetime(response.getheader("Date")).timestamp() - time.time() < 3610
