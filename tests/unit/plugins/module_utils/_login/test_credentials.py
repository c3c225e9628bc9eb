# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One refusal of the credentials stops everything that has not been sent, in all threads and at any time."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from functools import partial

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection, connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import NoPoolReadableError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

POOLS = [f"pool-{number:02}-0123456789abcdef0123456789abcdef" for number in range(12)]
KEYS = {"access_key": "AK1", "secret_key": "sk-SECRET-2"}
REFUSED = Reply(401, {"error_code": "APIG.0301", "error_msg": "Incorrect IAM authentication information"})
# What IAM answers about credentials: a user or domain that cannot be one, a wrong password, a locked account.
OF_CREDENTIALS = (400, 401, 403, 423)
Start = t.Callable[..., ScriptedServer]


def connected(url: str, **options: t.Any) -> Connection:
    return connect({"endpoint": url, "project_id": "p1", "max_retries": 0, "timeout": 5, **options}, where="host-7")


def listing(seen: Seen) -> Reply:
    """An empty list of the kind that is asked for, or a pool."""
    name = seen.path.rpartition("/")[2]
    if name.startswith("pool-"):
        return Reply(body={"kind": "Pool", "metadata": {"name": name}})
    kinds = {"nodes": "NodeList", "workloads": "WorkloadList"}
    kind = "PoolMetricsList" if "/metrics/" in seen.path else kinds.get(name, "PoolList")
    return Reply(body={"kind": kind, "items": [], "total": 0})


def ignoring_refusal(client: Client) -> None:
    with contextlib.suppress(ApiError):
        client.list_pools()


@pytest.mark.parametrize("after", [1, 2, 5])
@pytest.mark.parametrize("connections", [1, 3, 8])
def test_of_twelve_pools_only_the_requests_under_way_are_refused(after: int, connections: int, script: Start) -> None:
    """The key is refused after the first answers. More than five refusals in a row lock it."""

    def slow(seen: Seen) -> Reply:
        time.sleep(0.05)
        return REFUSED

    server = script(*[listing] * after, slow)
    query = WorkloadQuery(fields=(), include_capacity=True)
    with Client(connected(server.url, **KEYS, connections=connections)) as client:
        try:
            pools = read_workloads(client, POOLS, query, clock=lambda: 1.8e9)["pools"]
        except NoPoolReadableError as error:
            pools = error.pools
    statuses = [error["status"] for entry in pools for error in entry["errors"]]
    assert set(statuses) == {401}
    assert len(statuses) > 30
    assert len(server.seen) - after <= connections


def test_what_waits_for_a_connection_is_not_sent_after_a_refusal(script: Start) -> None:
    begun = threading.Event()

    def late(seen: Seen) -> Reply:
        begun.set()
        time.sleep(0.3)
        return REFUSED

    server = script(listing, late)
    with Client(connected(server.url, **KEYS, connections=1)) as client:
        client.list_pools()
        first = threading.Thread(target=ignoring_refusal, args=(client,))
        first.start()
        begun.wait(5)
        with pytest.raises(ApiError, match="returned 401"):
            client.list_pools()
        first.join()
    assert len(server.seen) == 2


def test_a_refusal_is_remembered_by_the_login_for_the_next_client(script: Start) -> None:
    """A lookup in a loop has a client for each of its items, and one login."""
    server = script(REFUSED)
    connection = connected(server.url, **KEYS)
    for _item in range(6):
        with Client(connection) as client, pytest.raises(ApiError, match=r"returned 401 \(APIG.0301"):
            client.list_pools()
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", OF_CREDENTIALS)
@pytest.mark.parametrize("given", [KEYS, {"auth_token": "token-SECRET-4"}])
def test_what_the_look_up_of_the_project_refuses_is_sent_once_by_all_clients(
    given: dict[str, str], status: int, script: Start
) -> None:
    iam = script(Reply(status, {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication information"}))
    options = {"endpoint": "https://127.0.0.1:9", "auth_url": iam.url, "project_name": "x", "max_retries": 0, **given}
    connection = connect(options, where="host-7")
    for _item in range(6):
        with Client(connection) as client, pytest.raises(ApiError, match=rf"returned {status} \(APIGW.0301") as raised:
            client.list_pools()
        assert raised.value.from_iam
    assert len(iam.seen) == 1


@pytest.mark.parametrize("status", OF_CREDENTIALS)
def test_a_password_that_is_refused_is_sent_once_by_all_clients(status: int, script: Start) -> None:
    """Each further try could lock the account for longer."""
    server = script(Reply(status, {"error": {"code": status, "message": "The username or password is wrong."}}))
    given = {
        "auth_url": server.url,
        "username": "mara",
        "password": "pw-SECRET-3",
        "domain_name": "acme",
        "project_name": "x",
    }
    connection = connect({**given, "max_retries": 0}, where="host-7")
    for _item in range(3):
        with Client(connection) as client, pytest.raises(ApiError, match=f"returned {status}") as raised:
            client.list_pools()
        assert raised.value.from_iam
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [404, 429, 503])
def test_an_iam_that_is_away_is_asked_again_by_the_next_client(status: int, script: Start) -> None:
    """It says nothing about the credentials, and may be back."""
    server = script(Reply(status))
    given = {"username": "mara", "password": "pw-SECRET-3", "domain_name": "acme", "project_name": "x"}
    connection = connect({**given, "auth_url": server.url, "max_retries": 0}, where="host-7")
    for _item in range(3):
        with Client(connection) as client, pytest.raises(ApiError, match=f"returned {status}"):
            client.list_pools()
    assert len(server.seen) == 3


def test_a_refusal_of_another_kind_stops_nothing(script: Start) -> None:
    """No permission for one document is no refusal of the credentials."""

    def forbidden_nodes(seen: Seen) -> Reply:
        return Reply(403, {"error_code": "ModelArts.0108"}) if seen.path.endswith("/nodes") else listing(seen)

    server = script(forbidden_nodes)
    with Client(connected(server.url, **KEYS)) as client:
        calls: list[t.Callable[[], t.Any]] = [partial(client.list_nodes, POOLS[0]), client.list_pools]
        for call in calls * 2:
            if call == client.list_pools:
                assert call() == []
            else:
                with pytest.raises(ApiError, match="returned 403"):
                    call()
    assert len(server.seen) == 4
