# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A read ends within its limit and a second, and takes less than four times what an answer may unpack to.

The servers here are made for the attacks, and share no code with the emulator.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import LARGEST_ANSWER
from ansible_collections.poolgate.modelarts.tests.attacks.server import MEBIBYTE, Answer, Asked, Attacker, gzip_of

POOL = "pool-a-3c7e52d1f0984b6a8e5d2b7c41a96f03"
LIMIT = 4.0
GRACE = 1.0
PATIENCE = 5.0  # of the clock, as other tests may have the processors; what waits for a server waits far longer
PRIME = 2**61 - 1  # numbers that differ by it have one hash

Facts = dict[str, t.Any]


def read(server: Attacker, proxy: str = "", **options: t.Any) -> Facts:
    """What reader.py says, with a time-out for a request that is longer than the limit of all."""
    given = {"endpoint": server.url, "project_id": "p1", "auth_token": "a-token-of-attacks", "timeout": 60, **options}
    asked = {"options": given, "pool": POOL, "time_limit": LIMIT}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("reader.py"))],
        input=json.dumps(asked),
        env={**os.environ, "https_proxy": proxy, "no_proxy": "", "NO_PROXY": ""},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return t.cast(Facts, json.loads(done.stdout))


def document(kind: str, items: t.Sequence[t.Any] = (), **keys: t.Any) -> Facts:
    return {"kind": kind, "apiVersion": "v2", "items": list(items), **keys}


POOL_DOCUMENT = {
    "kind": "Pool",
    "apiVersion": "v2",
    "metadata": {"name": POOL, "labels": {}},
    "spec": {
        "type": "Dedicate",
        "scope": ["Train", "Infer", "Notebook"],
        "resources": [{"flavor": "f.gpu8", "count": 9}],
    },
    "status": {"phase": "Running", "scope": [{"scopeType": "Train", "state": "Enabled"}]},
}


def harmless(asked: Asked) -> None:
    """A pool that is empty, and has no nodes."""
    if asked.path.endswith("/workloads"):
        asked.send_json(document("WorkloadList", total=0))
    elif asked.path.endswith("/nodes"):
        asked.send_json(document("NodeList", metadata={}))
    elif asked.path.endswith("/runtime/pools"):
        asked.send_json(document("PoolMetricsList"))
    else:
        asked.send_json(POOL_DOCUMENT)


def attack(ending: str, answer: Answer) -> Answer:
    """Harmless but for requests of that kind."""

    def answered(asked: Asked) -> None:
        (answer if asked.path.endswith(ending) else harmless)(asked)

    return answered


def packed(part: bytes, size: int, before: bytes = b'"items":[', after: bytes = b"0]") -> Answer:
    """A list of jobs that packs to next to nothing, with so many bytes of ``part``."""
    head = b'{"kind":"WorkloadList","total":1,' + before
    body = gzip_of((head, 1), (part, size // len(part)), (after + b"}", 1))
    return attack("/workloads", lambda asked: asked.send_packed(body))


def plain(part: bytes, size: int, before: bytes = b'"items":[', after: bytes = b"0]") -> Answer:
    """The same as it is."""
    body = b'{"kind":"WorkloadList","total":1,' + before + part * (size // len(part)) + after + b"}"
    return attack("/workloads", lambda asked: asked.send(body))


def job(number: int, **keys: t.Any) -> Facts:
    return {
        **{"kind": "Workload", "uid": f"u{number}", "jobUUID": f"j{number}", "name": f"n{number}", "status": "Queue"},
        **{"type": "train", "createTime": 1_789_996_400_000 + number, "priority": "1"},
        **{"resourceRequirement": {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "8"}},
        **keys,
    }


def node(number: int, free: Facts, **keys: t.Any) -> Facts:
    size = {"cpu": 10**15, "memory": 10**18, "nvidia.com/gpu": "8"}
    return {
        "kind": "Node",
        "metadata": {"name": f"node-{number}", **keys},
        "spec": {"flavor": "f.gpu8"},
        "status": {"phase": "Available", "privateIp": f"ip-{number}", "resources": size, "availableResources": free},
    }


def endless_jobs(asked: Asked) -> None:
    """Pages that are full for ever, of a list that is said to be long."""
    start, size = int(asked.query.get("offset", 0)), int(asked.query.get("limit", 500))
    asked.send_json(document("WorkloadList", [job(start + number) for number in range(size)], total=10**9))


def empty_jobs(asked: Asked) -> None:
    """Far more jobs than were asked for, and none of them has anything."""
    asked.send(b'{"kind":"WorkloadList","total":1000000,"items":[' + b"{}," * 400_000 + b"{}]}")


def endless_nodes() -> Answer:
    numbers = itertools.count()

    def answer(asked: Asked) -> None:
        page = next(numbers)
        nodes = [node(500 * page + number, {"cpu": number}) for number in range(500)]
        asked.send_json(document("NodeList", nodes, metadata={"continue": f"page-{page}"}))

    return answer


def jobs(made: t.Iterable[Facts]) -> Answer:
    """All on one page, whatever is asked for."""
    body = json.dumps(document("WorkloadList", items := list(made), total=len(items))).encode()
    return attack("/workloads", lambda asked: asked.send(body))


def nodes(made: t.Iterable[Facts]) -> Answer:
    body = json.dumps(document("NodeList", list(made), metadata={})).encode()
    return attack("/nodes", lambda asked: asked.send(body))


def resources(count: int, amount: str) -> Facts:
    return {f"r{number}": amount for number in range(count)}


def metrics(tables: t.Iterable[Facts]) -> Answer:
    entries = [{"metadata": {"name": POOL}, "table": {"allocated": {"value": table}}} for table in tables]
    body = json.dumps(document("PoolMetricsList", entries)).encode()
    return attack("/runtime/pools", lambda asked: asked.send(body))


def dripping(head: bytes) -> Answer:
    return attack("/workloads", lambda asked: asked.drip(head + b" " * 10_000))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NEARLY = LARGEST_ANSWER - MEBIBYTE
HEAVY = 12 * MEBIBYTE  # of values, about as many as may be

ATTACKS: dict[str, t.Callable[[], Answer]] = {
    # 8 kB on the wire
    "packed objects": lambda: packed(b"{},", 2**29),
    "packed lists": lambda: packed(b"[],", 2**29),
    "packed text": lambda: packed(b"a", 2**29, b'"items":["', b'"]'),
    "packed to less than the ratio": lambda: packed(b"{},", 15 * MEBIBYTE),
    # as much as may come
    "one long text": lambda: plain(b"a", NEARLY, b'"items":["', b'"]'),
    "one wide character in a long text": lambda: plain(b"a", NEARLY, b'"items":["', '\U0001f600"]'.encode()),
    "wide text": lambda: plain("\U0001f600".encode(), NEARLY, b'"items":["', b'"]'),
    "an escape that makes a long text wide": lambda: plain(b"a", NEARLY, b'"items":["', b'\\ud83d\\ude00"]'),
    "more than may come": lambda: plain(b"a", LARGEST_ANSWER + MEBIBYTE, b'"items":["', b'"]'),
    "objects": lambda: plain(b"{},", NEARLY),
    "as many objects as may be": lambda: plain(b"{},", HEAVY // 3),
    "as many lists as may be": lambda: plain(b"[],", HEAVY // 2),
    "keys": lambda: plain(b'"":{},', HEAVY, b'"items":[{', b'"z":0}]'),
    "numbers": lambda: plain(b"1.5,", HEAVY),
    "long numbers": lambda: plain(b"9" * 4000 + b",", HEAVY),
    "deep lists": lambda: plain(b"[" * 40 + b"]" * 40 + b",", HEAVY),
    "very deep lists": lambda: plain(b"[", HEAVY, b'"items":', b""),
    # pages
    "jobs without an end": lambda: attack("/workloads", endless_jobs),
    "more jobs than asked for": lambda: attack("/workloads", empty_jobs),
    "nodes without an end": lambda: attack("/nodes", endless_nodes()),
    # time
    "a header that drips": lambda: dripping(b"HTTP/1.1 200 OK\r\nX-A: "),
    "a body that drips": lambda: dripping(HEAD + b"Content-Length: 10000\r\n\r\n{"),
    "a packed body that drips": lambda: dripping(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 10000\r\n\r\n\x1f\x8b\x08"
    ),
    "chunks that drip": lambda: dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"),
    "a pause of a year": lambda: attack(
        "/workloads", lambda asked: asked.send(b"{}", "Retry-After: 31536000", status=429)
    ),
    "always too many requests": lambda: attack("/workloads", lambda asked: asked.send(b"{}", status=429)),
    # what costs more for each that there is
    "requirements of one hash": lambda: jobs(
        job(number, resourceRequirement={"cpu": 5 + PRIME * number}) for number in range(8000)
    ),
    "free amounts of one hash": lambda: nodes(
        node(number, {"cpu": 1, "memory": 5 + number * PRIME}) for number in range(8000)
    ),
    "nodes that are all one": lambda: nodes(
        node(number, {"cpu": number}, name=f"node-{number // 2}") for number in range(6000)
    ),
    "a node 6,000 times": lambda: nodes(node(0, {"cpu": number}) for number in range(6000)),
    "a job 6,000 times": lambda: jobs(job(0, priority=str(number)) for number in range(6000)),
    "jobs with as many nodes as may be": lambda: jobs(
        job(number, status="Running", hostIps=",".join(f"ip-{host}" for host in range(10_000))) for number in range(40)
    ),
    "a job with a million nodes": lambda: jobs(
        [job(0, status="Running", hostIps=",".join(f"h{host:x}" for host in range(1_000_000)))]
    ),
    # what costs more for each resource, value and escape
    "a job with a million resources": lambda: jobs([job(0, resourceRequirement=resources(1_000_000, ""))]),
    "a node with very many resources": lambda: nodes([node(0, resources(400_000, "1"))]),
    "metrics with very many resources": lambda: metrics([resources(400_000, "x")]),
    "metrics with as many resources as may be": lambda: metrics(resources(50, "x") for _entry in range(15_000)),
    "metrics with as many keys as may be": lambda: metrics(resources(290, "x") for _entry in range(3000)),
    "jobs with as many resources as may be": lambda: jobs(
        job(number, status="Running", hostIps="ip-0", resourceRequirement=resources(290, f"1{number}"))
        for number in range(2000)
    ),
    "jobs with fifty resources": lambda: jobs(
        job(number, status="Running", hostIps="ip-0", resourceRequirement=resources(50, f"1{number}"))
        for number in range(10_000)
    ),
    "nodes with fifty resources": lambda: nodes(
        node(number, resources(50, "x" if number % 2 else f"1{number}")) for number in range(5000)
    ),
    "jobs with as many that cannot be read": lambda: jobs(
        job(number, status="Running", resourceRequirement=resources(10, f"x{number}")) for number in range(15_000)
    ),
    "nodes with as many resources as may be": lambda: nodes(
        node(number, resources(290, "x" if number % 2 else f"1{number}")) for number in range(2000)
    ),
    "escapes": lambda: plain(b"\\n", 46 * MEBIBYTE, b'"x":"\\ud800', b'","items":[]'),
    "halves of pairs": lambda: plain(b"\\ud800", 46 * MEBIBYTE, b'"x":"', b'","items":[]'),
    "fractions": lambda: plain(b"0.1,", 18 * MEBIBYTE, b'"x":[', b'0],"items":[]'),
    "jobs with very many nodes": lambda: jobs(
        job(number, status="Running", hostIps=",".join(f"ip-{host}" for host in range(20_000))) for number in range(20)
    ),
}


def in_time(attempt: t.Callable[[], Facts]) -> Facts:
    """The result of the first attempt of three that was not busy for longer than GRACE behind its limit."""
    results = []
    for _attempt in range(3):
        results.append(attempt())
        if results[-1]["seconds"] < LIMIT + PATIENCE and results[-1]["busy"] < GRACE:
            return results[-1]
    raise AssertionError(results)


@pytest.fixture(scope="module")
def bare() -> int:
    """The memory of a read that meets nothing."""
    with Attacker(harmless) as server:
        result = read(server)
    assert result["decision"] is not None, result
    return int(result["peak"])


@pytest.mark.parametrize("name", ATTACKS)
def test_a_read_stays_within_its_time_and_memory(name: str, bare: int) -> None:
    with Attacker(ATTACKS[name]()) as server:
        result = in_time(lambda: read(server))
    assert result["peak"] - bare < 4 * LARGEST_ANSWER, result
    assert result["decision"] != "admit", result


@pytest.mark.parametrize("proxied", [False, True])
def test_a_way_to_the_server_stays_within_the_time(proxied: bool) -> None:
    """TLS that is never agreed on, and a proxy that opens its tunnel a byte at a time."""
    with Attacker(lambda asked: asked.drip(b"HTTP/1.1 200 OK\r\nX-A: " + b" " * 10_000)) as server:
        https = server.url.replace("http:", "https:")
        attempt = {"endpoint": "https://modelarts.example", "proxy": server.url} if proxied else {"endpoint": https}
        result = in_time(lambda: read(server, **attempt))
    assert result["decision"] is None, result


def test_a_login_stays_within_the_time(bare: int) -> None:
    """It may send several requests: each has what is left, and not a time-out of its own."""
    with Attacker(lambda asked: asked.drip(HEAD + b"Content-Length: 9999\r\n\r\n{")) as server:
        login = {"auth_token": None, "username": "u", "password": "a-password-of-attacks", "domain_name": "d"}
        result = in_time(lambda: read(server, **login, auth_url=server.url))
    assert result["peak"] - bare < MEBIBYTE * 16, result


def test_a_tunnel_stays_within_the_time(bare: int) -> None:
    """The proxy takes most of the time to let it through, and what is behind it takes all of it again for TLS."""

    def late(asked: Asked) -> None:
        threading.Event().wait(LIMIT * 0.9)
        asked.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        asked.connection.recv(65536)
        asked.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + bytes(16000))

    with Attacker(late) as server:
        result = in_time(lambda: read(server, proxy=server.url, endpoint="https://modelarts.example.com"))
        assert server.asked
    assert result["peak"] - bare < MEBIBYTE * 16, result


IAM_ATTACKS: dict[str, tuple[tuple[bytes, int], ...]] = {
    "objects": ((b'{"token":{"x":[', 1), (b'{"":0},', 2 * MEBIBYTE), (b"0]}}", 1)),
    "lists": ((b'{"token":{"x":[', 1), (b"[],", 5 * MEBIBYTE), (b"0]}}", 1)),
    "what is no text": ((b'{"a":"', 1), (b"\xff\xfe\xe9 b\xc3", 2 * MEBIBYTE), (b'"}', 1)),
}


@pytest.mark.parametrize("name", IAM_ATTACKS)
@pytest.mark.parametrize("by_key", [False, True])
def test_a_late_answer_of_iam_stays_within_the_time_and_memory(name: str, by_key: bool, bare: int) -> None:
    """It is small on the wire, and comes when there is next to no time left."""
    body = gzip_of(*IAM_ATTACKS[name])

    def late(asked: Asked) -> None:
        threading.Event().wait(LIMIT * 0.9)
        asked.send_packed(body, "X-Subject-Token: MIItokenofattacks", content_type="")

    login = {"username": "u", "password": "a-password-of-attacks", "domain_name": "d"}
    key = {"access_key": "AKofattacks12345", "secret_key": "SKofattacks12345", "project_id": None, "project_name": "p"}
    with Attacker(late) as server:
        result = in_time(lambda: read(server, auth_token=None, auth_url=server.url, **(key if by_key else login)))
    assert result["decision"] is None, result
    assert result["peak"] - bare < MEBIBYTE * 256, result
