# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interim answers, which may come before any answer, and answers that have no body."""

from __future__ import annotations

import json
import threading
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.attacks.server import Asked, Attacker

POOLS = tuple(f"pool-{letter}-3c7e52d1f0984b6a8e5d2b7c41a96f03" for letter in "ab")


def client(server: Attacker, **options: t.Any) -> Client:
    given = {"endpoint": server.url, "project_id": "p1", "auth_token": "a-token-of-tests", "connections": 1}
    return Client(connect({**given, **options}, where="here"), time_limit=10)


def nodes_of(path: str) -> dict[str, t.Any]:
    return {"kind": "NodeList", "metadata": {}, "items": [{"metadata": {"name": f"node-of-{path.split('/')[-2]}"}}]}


def names(nodes: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    return [node["metadata"]["name"] for node in nodes]


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints", "199 Whatever"])
def test_an_interim_answer_is_not_the_answer(interim: str) -> None:
    def answer(asked: Asked) -> None:
        asked.connection.sendall(f"HTTP/1.1 {interim}\r\nLink: </a>\r\n\r\n".encode() * 2)
        threading.Event().wait(0.1)
        asked.send_json(nodes_of(asked.path))

    with Attacker(answer) as server, client(server) as asking:
        for pool in POOLS:
            assert names(asking.list_nodes(pool)) == [f"node-of-{pool}"]


@pytest.mark.parametrize("status", [101, 204, 304])
def test_what_comes_behind_an_answer_without_a_body_is_not_the_next_answer(status: int) -> None:
    def answer(asked: Asked) -> None:
        if POOLS[0] in asked.path:
            asked.connection.sendall(f"HTTP/1.1 {status} Whatever\r\n\r\n".encode())
            threading.Event().wait(0.1)
        body = json.dumps(nodes_of(asked.path)).encode()
        asked.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with Attacker(answer) as server, client(server, max_retries=0) as asking:
        with pytest.raises(ApiError, match=str(status)):
            asking.list_nodes(POOLS[0])
        assert names(asking.list_nodes(POOLS[1])) == [f"node-of-{POOLS[1]}"]


def test_interim_answers_without_an_end_are_no_answer() -> None:
    def answer(asked: Asked) -> None:
        while True:
            asked.connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 60)

    with (
        Attacker(answer) as server,
        client(server, max_retries=0) as asking,
        pytest.raises(TransportError, match="not HTTP/1.1"),
    ):
        asking.list_nodes(POOLS[0])


@pytest.mark.parametrize(
    ("namespaces", "is_refused"),
    [
        ([POOLS[0]], False),
        ([POOLS[1]], True),
        ([POOLS[1], None], True),
        (["auto-pool-os-86c13962597848eeb29c5861153a391f"], True),  # as the example of ListPools has it
        (["network-maos-86c13962597848eeb29c5861153a391f"], False),  # the name of its network: no pool
        ([POOLS[0], POOLS[1]], False),
        (["default"], False),
        ([None, 5], False),
    ],
)
def test_jobs_of_another_pool_are_refused(namespaces: list[t.Any], is_refused: bool) -> None:
    jobs = [{"uid": f"u{number}", "namespace": name} for number, name in enumerate(namespaces)]
    with (
        Attacker(lambda asked: asked.send_json({"kind": "WorkloadList", "total": len(jobs), "items": jobs})) as server,
        client(server, max_retries=0) as asking,
    ):
        if is_refused:
            with pytest.raises(ApiError, match="another pool"):
                asking.list_workloads(POOLS[0], [])
        else:
            assert len(asking.list_workloads(POOLS[0], []).items) == len(jobs)
