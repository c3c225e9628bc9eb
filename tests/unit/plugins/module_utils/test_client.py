# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire, how often, and what comes of each kind of answer."""

from __future__ import annotations

import email.utils
import json
import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection, connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    DEFAULT_CONNECTIONS,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WORKLOAD_OPTIONS, WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

POOL = "pool-train-0123456789abcdef0123456789abcdef"
PROJECT = "p1"
TOKEN = "tok-SECRET-1"
KEYS = {"access_key": "AK1", "secret_key": "sk-SECRET-2", "security_token": "st-SECRET-3"}
EMPTY = {"kind": "WorkloadList", "items": [], "total": 0}
NODES = {"kind": "NodeList"}
Start = t.Callable[..., ScriptedServer]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def connection(url: str, **options: t.Any) -> Connection:
    given = {"endpoint": url, "project_id": PROJECT, "timeout": 5, **options}
    if not {"access_key", "username", "cloud"} & given.keys():
        given["auth_token"] = TOKEN
    return connect(given, where="host-7")


def client(url: str, clock: Clock | None = None, *, time_limit: float | None = None, **options: t.Any) -> Client:
    clock = clock or Clock()
    return Client(connection(url, **options), time_limit=time_limit, clock=clock, sleep=clock.sleep)


def options(**given: t.Any) -> dict[str, t.Any]:
    return {**{name: spec.get("default") for name, spec in WORKLOAD_OPTIONS.items()}, **given}


def read(url: str, *pools: str, **given: t.Any) -> dict[str, t.Any]:
    query = WorkloadQuery.from_options(options(**given))
    with client(url) as opened:
        return read_workloads(opened, pools or (POOL,), query, clock=lambda: 1.8e9)


# What is asked


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
        ({"limit": 501}, "limit is 501, and must be 0 to 500 (0 means 500)."),
        ({"limit": -1}, "limit is -1, and must be 0 to 500 (0 means 500)."),
        ({"offset": -1}, "offset is -1, and must be 0 or more: the number of jobs to skip."),
        ({"ascend": True}, "ascend is given without sort: set sort to create_time, or leave ascend out."),
        ({"fields": ["jobname"]}, "fields names 'jobname', which a job does not have: did you mean job_name?"),
        ({"fields": ["42"]}, "fields names '42', which a job does not have. It has api_version, kind, type, "),
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


def test_one_session_for_all_pools(script: Start) -> None:
    """Each pool once, also when it is named twice; the first request goes alone."""
    server = script(Reply(body=EMPTY))
    facts = read(server.url, "pool-a", "pool-b", "pool-a", "pool-c")
    assert sorted(seen.path.split("/")[4] for seen in server.seen) == ["pool-a", "pool-b", "pool-c"]
    assert [entry["pool_name"] for entry in facts["pools"]] == ["pool-a", "pool-b", "pool-c"]


# What is tried again


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_is_transient_is_tried_again(script: Start, status: int) -> None:
    server = script(Reply(status, {"error_code": "X", "error_msg": "busy"}), Reply(status, "busy"), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        assert opened.list_workloads_page(POOL, []).items == []
    assert len(server.seen) == 3
    assert 0.25 <= clock.naps[0] <= 0.5 <= clock.naps[1] <= 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 418, 451, 501, 505])
def test_what_is_not_transient_is_asked_once(script: Start, status: int) -> None:
    server = script(Reply(status, {"error_code": "X", "error_msg": "no"}))
    clock = Clock()
    with client(server.url, clock) as opened, pytest.raises(ApiError) as raised:
        opened.list_workloads_page(POOL, [])
    assert raised.value.status == status
    assert (len(server.seen), clock.naps) == (1, [])


@pytest.mark.parametrize("retries", [0, 1, 4, 7])
def test_tries_are_bounded(script: Start, retries: int) -> None:
    server = script(Reply(503, {"error_code": "X.1", "error_msg": "down"}, {"X-Request-Id": "r-9"}))
    clock = Clock()
    with client(server.url, clock, max_retries=retries) as opened, pytest.raises(ApiError) as raised:
        opened.list_workloads_page(POOL, [])
    assert len(server.seen) == retries + 1
    assert sum(clock.naps) <= 0.5 * 2**retries
    assert max(clock.naps, default=0) <= 8
    error = raised.value
    assert (error.status, error.error_code, error.error_msg, error.request_id) == (503, "X.1", "down", "r-9")


THROTTLED = {"error_code": "APIG.0308", "error_msg": "policy user over ratelimit,limit:20,time:%s"}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "text", "seconds"),
    [
        ("7", "", 7),
        (" 7 ", "", 7),
        ("0", "", 0),
        ("7", "1 minute", 7),
        ("", "1 second", 1),
        ("", "2 minutes", None),  # a minute or more is longer than the longest wait
        ("soon", "3 seconds", 3),
        ("-1", "3 seconds", 3),
    ],
)
def test_throttling_says_how_long(script: Start, status: int, header: str, text: str, seconds: float | None) -> None:
    body = {**THROTTLED, "error_msg": THROTTLED["error_msg"] % text}
    server = script(Reply(status, body, {"Retry-After": header} if header else {}), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        if seconds is None:
            with pytest.raises(ApiError, match=f"answered {status}"):
                opened.list_workloads_page(POOL, [])
            assert clock.naps == []
        else:
            opened.list_workloads_page(POOL, [])
            assert seconds <= clock.naps[0] <= seconds + 0.5


@pytest.mark.parametrize(("ahead", "least", "most"), [(20, 18, 21), (-3600, 0, 0.5)])
def test_throttling_until_a_date(script: Start, ahead: int, least: float, most: float) -> None:
    date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    server = script(Reply(429, "", {"Retry-After": date}), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        opened.list_workloads_page(POOL, [])
    assert least <= sum(clock.naps) <= most


@pytest.mark.parametrize("header", ["", "x", "99999999999999999999", "Mon, 99 Foo 2026 99:99:99 GMT", "٣", "1e9"])
def test_a_retry_after_that_means_nothing_does_no_harm(script: Start, header: str) -> None:
    server = script(Reply(429, "{}", {"Retry-After": header.encode().decode("latin-1")}), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        try:
            opened.list_workloads_page(POOL, [])
        except ApiError as error:
            assert error.status == 429
    assert sum(clock.naps) <= 60.5


def test_throttling_holds_back_all_threads(script: Start) -> None:
    """Pools side by side, by the real clock: one is throttled for a second, and so are the others."""
    times: list[float] = []
    lock = threading.Lock()

    def answer(_seen: Seen) -> Reply:
        with lock:
            times.append(time.monotonic())
            throttled = len(times) == 2
        if throttled:
            return Reply(429, "{}", {"Retry-After": "1"})
        if len(times) <= 1 + DEFAULT_CONNECTIONS:
            time.sleep(0.3)  # so that the throttled thread gets to tell the others
        return Reply(body=EMPTY)

    server = script(answer)
    with Client(connection(server.url)) as opened:
        read_workloads(opened, [f"pool-{n}" for n in range(20)], WorkloadQuery(), clock=time.time)
    assert len(times) == 21
    waited = [moment - times[1] for moment in sorted(times)]
    # The first, the throttled one, and what was under way.
    assert sum(seconds < 0.95 for seconds in waited) <= 1 + DEFAULT_CONNECTIONS


@pytest.mark.parametrize("broken", ["at once", "within the body"])
def test_a_broken_connection_is_tried_again(script: Start, broken: str) -> None:
    server = script(Reply(body=EMPTY, broken=broken), Reply(body=EMPTY))
    with client(server.url) as opened:
        assert opened.list_workloads_page(POOL, []).items == []
    assert len(server.seen) == 2


def test_a_connection_that_stays_broken(script: Start) -> None:
    server = script(Reply(broken="at once"))
    with client(server.url, max_retries=2) as opened, pytest.raises(TransportError) as raised:
        opened.list_workloads_page(POOL, [])
    assert len(server.seen) == 3
    assert raised.value.message.startswith(f"GET /pools/{POOL}/workloads: cannot reach {server.url} (")
    assert "0x" not in raised.value.message
    assert raised.value.status is None


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with client(url, max_retries=1) as opened, pytest.raises(TransportError) as raised:
        opened.list_workloads_page(POOL, [])
    assert raised.value.message == f"GET /pools/{POOL}/workloads: cannot reach {url} (Connection refused)."


def test_no_answer_in_time(script: Start) -> None:
    release = threading.Event()

    def slow(_seen: Seen) -> Reply:
        release.wait(5)
        return Reply(body=EMPTY)

    server = script(slow, Reply(body=EMPTY))
    try:
        with client(server.url, timeout=0.2) as opened:
            assert opened.list_workloads_page(POOL, []).items == []
        assert len(server.seen) == 2
        server.answers.insert(0, slow)
        with client(server.url, timeout=0.2, max_retries=0) as opened, pytest.raises(TransportError) as raised:
            opened.list_workloads_page(POOL, [])
    finally:
        release.set()
    assert raised.value.message == f"GET /pools/{POOL}/workloads on {server.url}: no answer within 0.2 s."


def test_json_that_is_broken_off_is_tried_again(script: Start) -> None:
    server = script(Reply(body='{"items": [{"uid": '), Reply(body=EMPTY))
    with client(server.url) as opened:
        assert opened.list_workloads_page(POOL, []).items == []
    server = script(Reply(body='{"items": [{"uid": '))
    with client(server.url, max_retries=1) as opened, pytest.raises(TransportError, match="broken off or damaged"):
        opened.list_workloads_page(POOL, [])
    assert len(server.seen) == 2


# The time limit


def test_the_time_limit_covers_waits(script: Start) -> None:
    server = script(Reply(429, "{}", {"Retry-After": "30"}))
    clock = Clock()
    with client(server.url, clock, time_limit=20) as opened, pytest.raises(ApiError, match="answered 429"):
        opened.list_workloads_page(POOL, [])
    assert (len(server.seen), clock.naps) == (1, [])
    with client(server.url, clock, time_limit=100) as opened, pytest.raises(ApiError, match="answered 429"):
        opened.list_workloads_page(POOL, [])
    assert len(server.seen) == 1 + 4  # at 0, 30, 60 and 90 s
    assert clock.now <= 1000 + 100


def test_the_time_limit_covers_all_calls(script: Start) -> None:
    clock = Clock()

    def late(_seen: Seen) -> Reply:
        clock.now += 4
        return Reply(body=EMPTY)

    server = script(late)
    with client(server.url, clock, time_limit=12) as opened:
        for _i in range(3):
            opened.list_workloads_page(POOL, [])
        with pytest.raises(TransportError) as raised:
            opened.list_workloads_page(POOL, [])
    assert raised.value.message == f"GET /pools/{POOL}/workloads: the time limit was reached before it could be sent."
    assert len(server.seen) == 3


# Credentials


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("login", [{}, KEYS], ids=["token", "keys"])
def test_redirects_are_errors_and_credentials_stay(script: Start, status: int, login: dict[str, str]) -> None:
    other = script(Reply(body=EMPTY))
    server = script(Reply(status, "", {"Location": f"{other.url}/v2/{PROJECT}/pools"}))
    with client(server.url, **login) as opened, pytest.raises(ApiError) as raised:
        opened.list_workloads_page(POOL, [])
    assert "redirects are not followed" in raised.value.message
    assert raised.value.status == status
    assert (len(server.seen), other.seen) == (1, [])


REFUSED = Reply(401, {"error_code": "APIG.0301", "error_msg": "Incorrect IAM authentication information"})


@pytest.mark.parametrize("include_capacity", [False, True])
@pytest.mark.parametrize("login", [{}, KEYS], ids=["token", "keys"])
def test_refused_credentials_are_sent_once(script: Start, login: dict[str, str], include_capacity: bool) -> None:
    """Not more than five times in a row: that locks an access key. With three pools and ten documents too."""
    server = script(REFUSED)
    with client(server.url, **login) as opened, pytest.raises(ModelArtsError) as raised:
        read_workloads(
            opened, ["pool-a", "pool-b", "pool-c"], WorkloadQuery(include_capacity=include_capacity), clock=time.time
        )
    assert len(server.seen) == 1
    result = raised.value.as_result()
    assert (result["status"], result["error_code"]) == (401, "APIG.0301")
    assert "Check the credentials" in result["msg"]
    assert "SECRET" not in json.dumps(result)


@pytest.mark.parametrize("include_capacity", [False, True])
def test_nobody_who_answers_is_asked_once_for_all(script: Start, include_capacity: bool) -> None:
    server = script(Reply(broken="at once"))
    with client(server.url, max_retries=1) as opened, pytest.raises(ModelArtsError, match="cannot reach"):
        read_workloads(
            opened, ["pool-a", "pool-b", "pool-c"], WorkloadQuery(include_capacity=include_capacity), clock=time.time
        )
    assert len(server.seen) == 2


def test_a_pool_that_fails_first_does_not_stop_the_others(script: Start) -> None:
    def answer(seen: Seen) -> Reply:
        missing = {"error_code": "ModelArts.50015001", "error_msg": "pool not found"}
        path = seen.path.partition(f"/{PROJECT}/")[2]
        return Reply(404, missing) if "pool-a" in path else Reply(body=answers[path])

    answers = {
        "pools": {"kind": "PoolList", "items": []},
        "metrics/runtime/pools": {"kind": "PoolMetricsList", "items": []},
        "pools/pool-b": {"kind": "Pool", "metadata": {"name": "pool-b"}},
        "pools/pool-b/nodes": {"kind": "NodeList", "items": []},
        "pools/pool-b/workloads": EMPTY,
    }
    server = script(answer)
    with client(server.url) as opened:
        facts = read_workloads(opened, ["pool-a", "pool-b"], WorkloadQuery(include_capacity=True), clock=time.time)
    documents = [[error["document"] for error in pool["errors"]] for pool in facts["pools"]]
    assert documents == [["workloads", "pool", "nodes"], []]


def test_a_clock_that_is_wrong_is_said(script: Start) -> None:
    for offset, said in ((3600, "behind"), (-3600, "ahead of")):
        date = email.utils.formatdate(time.time() + offset, usegmt=True)
        server = script(Reply(401, REFUSED.body, {"Date": date}))
        with client(server.url, **KEYS) as opened, pytest.raises(ApiError) as raised:
            opened.list_pools()
        assert f"s {said} the server's." in raised.value.message


class Iam:
    """Logs in whoever asks, and refuses the tokens that ``accepts`` does not name."""

    def __init__(self, accepts: t.Callable[[int], bool]) -> None:
        self.logins = 0
        self.accepts = accepts

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "POST":
            self.logins += 1
            token = {
                "methods": ["password"],
                "user": {"id": "u", "name": "mara", "domain": {"id": "d", "name": "acme"}},
                "project": {"id": PROJECT, "name": "ml", "domain": {"id": "d", "name": "acme"}},
                "roles": [],
                "catalog": [],
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "expires_at": "2099-01-01T00:00:00.000000Z",
            }
            return Reply(201, {"token": token}, {"X-Subject-Token": f"issued-SECRET-{self.logins}"})
        number = int(seen.headers["x-auth-token"].rsplit("-", 1)[1])
        refused = {"error_code": "ModelArts.50001000", "error_msg": f"token issued-SECRET-{number} is invalid"}
        return Reply(body=EMPTY) if self.accepts(number) else Reply(401, refused)


def password(url: str) -> dict[str, t.Any]:
    return {"username": "mara", "password": "pw-SECRET", "domain_name": "acme", "auth_url": f"{url}/v3"}


def test_an_expired_token_is_replaced_once(script: Start) -> None:
    iam = Iam(lambda number: number > 1)
    server = script(iam)
    with client(server.url, **password(server.url)) as opened:
        facts = read_workloads(opened, ["pool-a", "pool-b", "pool-c"], WorkloadQuery(), clock=time.time)
    assert iam.logins == 2
    assert len(facts["pools"]) == 3
    assert sum(seen.method == "GET" for seen in server.seen) == 4


def test_a_new_token_that_is_refused_too_is_an_error(script: Start) -> None:
    iam = Iam(lambda number: False)
    server = script(iam)
    with client(server.url, **password(server.url)) as opened, pytest.raises(ModelArtsError) as raised:
        read_workloads(opened, ["pool-a", "pool-b", "pool-c"], WorkloadQuery(include_capacity=True), clock=time.time)
    assert iam.logins == 2
    assert sum(seen.method == "GET" for seen in server.seen) == 2
    assert raised.value.status == 401
    assert "SECRET" not in json.dumps(raised.value.as_result())


# Answers that are none


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "text", "request_id"),
    [
        (
            400,
            {},
            {"error_code": "ModelArts.50004000", "error_msg": "Bad request."},
            "ModelArts.50004000",
            "Bad request.",
            None,
        ),
        (
            404,
            {"X-Request-Id": "r-1"},
            {"error_code": "ModelArts.50015001", "error_msg": "pool not found"},
            "ModelArts.50015001",
            "pool not found",
            "r-1",
        ),
        (
            404,
            {"X-Request-Id": "r-1"},
            {"error_code": "APIG.0101", "error_msg": "The API does not exist", "request_id": "r-2"},
            "APIG.0101",
            "The API does not exist",
            "r-2",
        ),
        (403, {}, {"error": {"code": 403, "message": "Denied", "title": "Forbidden"}}, "403", "Denied", None),
        (403, {}, {"errorCode": "IAM.1", "errorMsg": "Denied"}, "IAM.1", "Denied", None),
        (400, {}, {"code": "X.1", "message": "Wrong"}, "X.1", "Wrong", None),
        (400, {}, {"error_code": "X.1"}, "X.1", None, None),
        (400, {}, {"error": "invalid"}, None, None, None),
        (400, {}, {}, None, None, None),
        (400, {}, [1], None, None, None),
        (400, {}, "", None, None, None),
        (400, {"Content-Type": "text/plain"}, "no such thing\nsecond line", None, "no such thing second line", None),
        (
            405,
            {"Content-Type": "text/html", "X-Request-Id": "r-3"},
            "<html><body><h1>Not here</h1></body></html>",
            None,
            "an HTML page, not JSON: another server than ModelArts answered",
            "r-3",
        ),
        (
            400,
            {"Content-Type": "text/plain"},
            b"\xff\xfe\x00",
            None,
            "an answer that cannot be read: it is text in UTF-16 or UTF-32, not in UTF-8",
            None,
        ),
    ],
)
def test_every_shape_of_error(
    script: Start,
    status: int,
    headers: dict[str, str],
    body: t.Any,
    code: str | None,
    text: str | None,
    request_id: str | None,
) -> None:
    server = script(Reply(status, body, headers))
    with client(server.url) as opened, pytest.raises(ApiError) as raised:
        opened.list_workloads_page(POOL, [])
    error = raised.value
    assert (error.status, error.error_code, error.error_msg, error.request_id) == (status, code, text, request_id)
    assert error.message.startswith(f"GET /pools/{POOL}/workloads was answered {status} (")
    assert "\n" not in error.message
    assert "<h1>" not in error.message
    result = error.as_result()
    assert result["msg"] == error.message
    assert None not in result.values()


def test_a_long_error_is_cut(script: Start) -> None:
    server = script(Reply(400, {"error_code": "X", "error_msg": "y" * 100_000}))
    with client(server.url) as opened, pytest.raises(ApiError) as raised:
        opened.list_pools()
    assert len(raised.value.message) < 500


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
        (Reply(body="hello"), r"answered 200 \(hello\). That is not JSON"),
        (Reply(body=""), "That is not JSON"),
        (Reply(body=b"\x80\x81"), "cannot be read: it is not text in UTF-8"),
        (Reply(body="[]"), "JSON, but no object"),
        (Reply(body="null"), "JSON, but no object"),
        (Reply(body={"error_code": "X.1", "error_msg": "hidden"}), r"answered 200 \(X.1: hidden\)"),
        (Reply(body={"error": {"code": 1, "message": "hidden"}}), r"answered 200 \(1: hidden\)"),
        (Reply(body={**EMPTY, "items": {"uid": 1}}), "no list of objects in items"),
        (Reply(body={**EMPTY, "items": ["x"]}), "no list of objects in items"),
        (Reply(body={**EMPTY, "items": 5}), "no list of objects in items"),
        (Reply(204, ""), "answered 204"),
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
        ([("limit", "5")], 4, None, True),
        ([("limit", "0")], 4, None, True),
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
