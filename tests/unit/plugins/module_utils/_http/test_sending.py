# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of one read, in time and in turn."""

from __future__ import annotations

import email.utils
import json
import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, ModelArtsError, TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sending import KeptSession
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import DEFAULT_CONNECTIONS
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.cloud.wire import POOL, PROJECT, Clock, client, connection, read
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

KEYS = {"access_key": "AK1", "secret_key": "sk-SECRET-2", "security_token": "st-SECRET-3"}
EMPTY = {"kind": "WorkloadList", "items": [], "total": 0}
Start = t.Callable[..., ScriptedServer]


def test_one_session_for_all_pools(script: Start) -> None:
    """Each pool once, also when it is named twice; the first request goes alone."""
    server = script(Reply(body=EMPTY))
    facts = read(server.url, "pool-a", "pool-b", "pool-a", "pool-c")
    assert sorted(seen.path.split("/")[4] for seen in server.seen) == ["pool-a", "pool-b", "pool-c"]
    assert [entry["pool_name"] for entry in facts["pools"]] == ["pool-a", "pool-b", "pool-c"]


def test_no_cookie_comes_back(script: Start) -> None:
    server = script(Reply(body=EMPTY, headers={"Set-Cookie": "who=you; Path=/"}))
    read(server.url, "pool-a", "pool-b")
    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


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


def test_a_kept_session_has_the_time_of_each_read_anew(script: Start) -> None:
    server, clock, kept = script(Reply(body=EMPTY)), Clock(), KeptSession()
    made = connection(server.url)
    for _read in range(2):
        with Client(made, time_limit=5.0, clock=clock, sleep=clock.sleep, kept=kept) as opened:
            assert opened.list_workloads_page(POOL, []).items == []
        clock.now += 10.0
    assert len(server.seen) == 2


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


def test_an_error_that_is_being_handled_is_no_cause_of_the_next() -> None:
    """Python chains them where a caller looks once more while it handles the first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    def look(times: int) -> str:
        try:
            with client(url, max_retries=0) as opened:
                opened.list_workloads_page(POOL, [])
        except TransportError as error:
            return look(times - 1) if times else error.message
        raise AssertionError("somebody listens")

    assert look(5) == f"GET /pools/{POOL}/workloads: cannot reach {url} (Connection refused)."


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
    with client(server.url, max_retries=1) as opened, pytest.raises(TransportError, match="cut off or damaged"):
        opened.list_workloads_page(POOL, [])
    assert len(server.seen) == 2


def test_the_time_limit_covers_waits(script: Start) -> None:
    server = script(Reply(429, "{}", {"Retry-After": "30"}))
    clock = Clock()
    with client(server.url, clock, time_limit=20) as opened, pytest.raises(ApiError, match="returned 429"):
        opened.list_workloads_page(POOL, [])
    assert (len(server.seen), clock.naps) == (1, [])
    with client(server.url, clock, time_limit=100) as opened, pytest.raises(ApiError, match="returned 429"):
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


@pytest.mark.parametrize("tokens", [3, 4])
def test_a_read_whose_tokens_are_refused_again_and_again_ends(script: Start, tokens: int) -> None:
    """Each of its requests is answered after one new login, until so many tokens were refused."""
    answered: list[int] = []

    def accepts(number: int) -> bool:
        if number <= min(len(answered) + 1, tokens):
            return False
        answered.append(number)
        return True

    server = script(Iam(accepts))
    pools = [f"pool-{number}" for number in range(6)]
    with client(server.url, connections=1, **password(server.url)) as opened:
        if tokens == 3:
            assert len(read_workloads(opened, pools, WorkloadQuery(), clock=time.time)["pools"]) == 6
        else:
            with pytest.raises(ModelArtsError, match=r"returned 401 .*Check the credentials \(password\)") as raised:
                read_workloads(opened, pools, WorkloadQuery(), clock=time.time)
            assert "SECRET" not in json.dumps(raised.value.as_result())
    assert answered == ([2, 3, 4, 4, 4, 4] if tokens == 3 else [2, 3, 4])
    assert sum(seen.method == "POST" for seen in server.seen) == 4


def dated(seconds: float, **headers: str) -> Reply:
    return Reply(body=EMPTY, headers={"Date": email.utils.formatdate(time.time() + seconds, usegmt=True), **headers})


def read_in_turn(url: str, *pools: str, **options: t.Any) -> None:
    with client(url, connections=1, **options) as opened:
        read_workloads(opened, list(pools), WorkloadQuery(), clock=opened.now)


def test_answers_are_asked_for_anew(script: Start) -> None:
    server = script(Reply(body=EMPTY))
    read(server.url)
    assert [seen.headers["cache-control"] for seen in server.seen] == ["no-cache"]


def dated_twice(*seconds: float) -> Reply:
    """As requests joins two headers: that of a cache, and that of the answer."""
    dates = (email.utils.formatdate(time.time() + one, usegmt=True) for one in seconds)
    return Reply(body=EMPTY, headers={"Date": ", ".join(dates)})


KEPT = pytest.mark.parametrize(
    "kept",
    [dated(0, Age="3600"), dated(-3600), dated_twice(0, -3600), dated_twice(-3600, 0)],
    ids=["Age", "Date", "own Date first", "own Date last"],
)


@KEPT
def test_an_answer_that_a_proxy_has_kept_is_asked_for_again(script: Start, kept: Reply) -> None:
    server = script(dated(0), kept, dated(0))
    read_in_turn(server.url, "pool-a", "pool-b")
    assert len(server.seen) == 3


@KEPT
def test_an_answer_that_a_proxy_keeps_is_an_error(script: Start, kept: Reply) -> None:
    server = script(dated(0), kept)
    with pytest.raises(TransportError, match=r"the answer is \d{4} s old, so a proxy on the way has cached it, or"):
        read_in_turn(server.url, "pool-a", "pool-b", max_retries=1)
    assert len(server.seen) == 3


def test_nothing_rests_on_an_answer_that_turns_out_to_be_old(script: Start) -> None:
    """The first answer is an hour old, which only the second can tell."""
    server = script(dated(-3600), dated(0))
    with pytest.raises(TransportError, match=r"an earlier answer is \d{4} s old"):
        read_in_turn(server.url, "pool-a", "pool-b")
    assert len(server.seen) == 2


@pytest.mark.parametrize("age", ["300, 20", "20, 300", "20,300,", "61"])
def test_of_several_caches_the_oldest_counts(script: Start, age: str) -> None:
    server = script(dated(0), dated(0, Age=age))
    with pytest.raises(TransportError, match=r"the answer is (300|61) s old, so a proxy on the way has cached it, or"):
        read_in_turn(server.url, "pool-a", "pool-b", max_retries=0)


@pytest.mark.parametrize("age", ["soon", "9" * 400, "-1", "1.5", "20, soon", "20 300", "+1", "0x1"])
def test_an_age_that_cannot_be_read_is_as_old_as_any(script: Start, age: str) -> None:
    server = script(dated(0), dated(0, Age=age))
    with pytest.raises(TransportError, match=r"the answer has an Age that cannot be read, so a proxy on the way"):
        read_in_turn(server.url, "pool-a", "pool-b", max_retries=0)
    server = script(dated(0), dated(0, Age=age), dated(0))
    read_in_turn(server.url, "pool-a", "pool-b")
    assert len(server.seen) == 3, "it is asked for again"


@pytest.mark.parametrize(
    "headers",
    [{"Age": "59"}, {"Age": "0"}, {"Age": " "}, {"Age": "20, 59 ,"}],
    ids=["young", "none", "empty", "of two caches"],
)
def test_an_answer_that_is_young_enough_counts(script: Start, headers: dict[str, str]) -> None:
    server = script(dated(0, **headers), dated(-25), dated(25))
    read_in_turn(server.url, "pool-a", "pool-b", "pool-c")
    assert len(server.seen) == 3
