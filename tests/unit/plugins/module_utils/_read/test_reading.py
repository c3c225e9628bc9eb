# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of any kind, on their way to facts."""

from __future__ import annotations

import email.utils
import json
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import document_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import PageReader, Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import epoch_seconds
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.cloud.api import (
    POOL,
    TOKEN,
    Document,
    api,
    client_of,
    date,
    job,
    listing,
    metrics,
    node,
    observe,
    pool,
    pools_of,
)
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

Start = t.Callable[..., ScriptedServer]
NOW = 1_790_000_000.0


def test_a_node_that_the_next_page_has_again_counts_once(script: Start) -> None:
    first, last = node("n-1"), node("n-2", privateIp="10.0.0.2")
    pages = [listing("NodeList", [first, last], token="a"), listing("NodeList", [last])]
    entry = observe(script(api(nodes=pages)))
    assert [one["name"] for one in entry["nodes"]] == ["n-1", "n-2"]
    assert entry["capacity"]["free"]["cpu"] == 16


def test_all_versions_of_a_node_are_told(script: Start) -> None:
    """Which one holds is decided where nodes become room."""
    idle, taken = node("n-1"), node("n-1", availableResources={"cpu": "0", "memory": "0"})
    pages = [listing("NodeList", [idle], token="a"), listing("NodeList", [taken, idle, taken])]
    server = script(api(nodes=pages))
    with client_of(server) as client:
        assert client.list_nodes(POOL) == [idle, taken]


@pytest.mark.parametrize(
    ("name", "kind"), [("pools", "PoolList"), ("nodes", "NodeList"), ("metrics", "PoolMetricsList")]
)
def test_every_list_is_followed_through_its_tokens(script: Start, name: str, kind: str) -> None:
    one, two = ({"metadata": {"name": own}} for own in ("x", "y"))
    server = script(api(**{name: [listing(kind, [one], token="a+b"), listing(kind, [one, two])]}))
    with client_of(server, workspace_id="5") as client:
        calls = {
            "pools": client.list_pools,
            "nodes": lambda: client.list_nodes(POOL),
            "metrics": client.runtime_metrics,
        }
        assert calls[name]() == [one, two]
    own = "&workspaceId=5" if name == "pools" else ""
    assert [seen.query for seen in server.seen] == [own[1:], f"continue=a%2Bb&limit=500{own}"]


@pytest.mark.parametrize(
    ("name", "kind"), [("pools", "PoolList"), ("nodes", "NodeList"), ("metrics", "PoolMetricsList")]
)
def test_a_list_that_points_back_or_says_that_more_remains_is_an_error(script: Start, name: str, kind: str) -> None:
    for body, said in (
        ({"metadata": {"continue": "a"}}, "does not end"),
        ({"metadata": {"remainingItemCount": 3}}, "3 more items, but no token"),
        ({"metadata": ["continue"]}, "metadata of the list is not an object"),
    ):
        server = script(api(**{name: [Reply(body={"kind": kind, "items": [], **body})]}))
        with client_of(server) as client:
            calls = {"pools": client.list_pools, "nodes": lambda: client.list_nodes(POOL)}
            with pytest.raises(ApiError, match=said):
                calls.get(name, client.runtime_metrics)()
        assert len(server.seen) <= 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": None},
        {"items": []},
        {"kind": "WorkloadList"},
        {"kind": "WorkloadList", "total": "none"},
        {"kind": "NodeList", "items": [], "total": 0},
        {"kind": ["WorkloadList"], "items": [], "total": 0},
        {"kind": "WorkloadList", "items": None, "error_code": "X.1", "error_msg": "hidden"},
        {"kind": "WorkloadList", "items": [], "total": 0, "error": {"code": "X.1", "message": "hidden"}},
        {"kind": "WorkloadList", "items": [], "total": 0, "message": "hidden"},
    ],
)
@pytest.mark.parametrize("fetch_all", [True, False])
def test_what_is_no_list_of_jobs_is_no_empty_pool(script: Start, body: Document, fetch_all: bool) -> None:
    server = script(Reply(body=body))
    with client_of(server) as client, pytest.raises(ApiError):
        read_workloads(client, [POOL], WorkloadQuery(fetch_all=fetch_all), clock=client.now)


@pytest.mark.parametrize(
    "body", [{"items": None}, {"items": [], "total": 0}, {"total": "0"}, {"items": [], "error": None}]
)
def test_what_is_an_empty_list(script: Start, body: Document) -> None:
    server = script(Reply(body={"kind": "WorkloadList", **body}))
    with client_of(server) as client:
        assert read_workloads(client, [POOL], WorkloadQuery(), clock=client.now)["complete"]


@pytest.mark.parametrize("total", [2.0, "2 jobs", -1, True, "1" * 19, [2], {}, "", "2.0"])
@pytest.mark.parametrize("fetch_all", [True, False])
def test_a_total_that_cannot_be_read_is_not_reached(script: Start, total: t.Any, fetch_all: bool) -> None:
    server = script(listing("WorkloadList", [job(1), job(2)], total=total))
    with client_of(server) as client:
        facts = read_workloads(client, [POOL], WorkloadQuery(fetch_all=fetch_all), clock=client.now)
    assert (len(facts["workloads"]), facts["total"], facts["complete"]) == (2, None, False)
    if fetch_all:
        assert "the total from the API is not a number" in facts["warnings"][0]


def parsed(text: str | bytes) -> Document:
    return document_of("GET /x", {}, text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "WorkloadList", "items": [{"uid": "a"}], "items": []}',
        '{"kind": "WorkloadList", "items": [], "total": 5, "total": 0}',
        '{"items": [{"status": {"availableResources": {"cpu": "0", "cpu": "8"}}}]}',
        '{"items": [{"spec": {"taints": [{"effect": "NoSchedule"}], "taints": null}}]}',
        '{"items": [{"status": "Running", "status": "Completed"}]}',
        '{"items": [], "total": 1, "total": true}',
        '{"items": [], "\\u0074otal": 1, "total": 2}',
    ],
)
def test_a_key_that_stands_twice_with_two_values(text: str) -> None:
    with pytest.raises(ApiError, match="GET /x: the answer contradicts itself: '.*' is in it twice") as raised:
        parsed(text)
    assert not raised.value.transient


def test_a_key_that_stands_twice_with_one_value() -> None:
    assert parsed('{"items": [], "total": 1, "total": 1}') == {"items": [], "total": 1}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\ud83d", "\ufffd"),
        (r"a\uDE00b", "a\ufffdb"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\"\ud83d\n", '"\ufffd\n'),
        (r"\ufffd\u00e9", "\ufffd\u00e9"),
    ],
)
def test_half_a_pair_is_replaced(written: str, read: str) -> None:
    assert parsed(f'{{"items": [{{"{written}": ["{written}"]}}]}}') == {"items": [{read: [read]}]}


@pytest.mark.parametrize("written", [b"\xff", b"\xed\xa0\xbd", b"\xc3"])
def test_bytes_that_are_no_text_are_replaced(written: bytes) -> None:
    (item,) = parsed(b'{"items": [{"name": "a' + written + b'"}]}')["items"]
    assert set(item["name"][1:]) == {"\ufffd"}
    item["name"].encode()


def test_a_byte_order_mark_is_no_text() -> None:
    assert parsed(b'\xef\xbb\xbf{"items": []}') == {"items": []}


def test_no_text_of_any_document_stops_a_reading(script: Start) -> None:
    """In keys and values, of jobs, pools, nodes and metrics: all of it can be printed as UTF-8."""
    odd = "\ud83d"
    server = script(
        api(
            workloads=[listing("WorkloadList", [job(1, jobName=odd, userName=odd, **{odd: odd})], total=1)],
            nodes=[listing("NodeList", [node("n-1", resources={"cpu": "8", odd: odd}, az=odd)])],
            metrics=[listing("PoolMetricsList", [{**metrics(POOL), odd: odd}])],
            pools=[listing("PoolList", [pool(POOL, odd, message=odd)])],
            pool=[Reply(body=pool(POOL, odd, message=odd))],
        )
    )
    with client_of(server) as client:
        facts = read_workloads(client, [POOL], WorkloadQuery(include_capacity=True), clock=client.now)
    assert facts["workloads"][0]["job_name"] == "\ufffd"
    for told in (facts, pools_of(server), pools_of(server, POOL)):
        json.dumps(told, ensure_ascii=False).encode()


def pages_of(limit: int, *pages: t.Any, total: t.Any = None) -> Pages:
    """What is read of a server that gives these pages whatever is asked for; the last one again and again."""
    left = list(pages)

    def read(_start: int, _limit: int) -> Document:
        items = left.pop(0) if len(left) > 1 else left[0]
        return {"items": items} if total is None else {"items": items, "total": total}

    return PageReader(read, lambda calls: iter([call() for call in calls]), 0, limit).read_all()


@pytest.mark.parametrize(
    "change",
    [{"name": "b"}, {"jobUUID": "b"}, {"createTime": 7000}, {"status": "Queue"}, {"resourceRequirement": {"cpu": "9"}}],
)
def test_two_jobs_with_one_uid_on_a_page_both_count(change: Document) -> None:
    one = job(1, name="a", jobUUID="a")
    pages = pages_of(10, [one, {**one, **change}], total=2)
    assert (len(pages.items), pages.complete) == (2, True)


def test_one_job_twice_on_a_page_counts_once() -> None:
    for total in (None, 2):
        pages = pages_of(10, [job(1), job(1)], total=total)
        assert (len(pages.items), pages.complete) == (1, False)


@pytest.mark.parametrize("change", [{"name": "b"}, {"jobUUID": "b"}])
def test_two_jobs_with_one_uid_on_two_pages_both_count(change: Document) -> None:
    jobs = [job(number) for number in range(15)]
    jobs.append({**jobs[2], **change, "createTime": 99_000})

    def read(start: int, limit: int) -> Document:
        return {"items": jobs[start : start + limit], "total": 16}

    pages = PageReader(read, lambda calls: iter([call() for call in calls]), 0, 10).read_all()
    assert (len(pages.items), pages.complete) == (16, True)


def test_without_a_total_a_second_page_that_repeats_the_first_is_not_complete() -> None:
    first = [job(number) for number in range(10)]
    for second in (first[:9], first):
        pages = pages_of(10, first, second)
        assert (len(pages.items), pages.complete) == (10, False)


@pytest.mark.parametrize("at", [0, 5, 9, 10, 14, 29])
@pytest.mark.parametrize("total", [30, None])
def test_a_job_without_a_readable_time_stands_where_it_was_listed(at: int, total: int | None) -> None:
    """The others are still joined by their times: jobs that come meanwhile do not make the list incomplete."""
    jobs = [job(number) for number in range(30)]
    jobs[at]["createTime"] = int("9" * 400)
    reads = 0

    def read(start: int, limit: int) -> Document:
        nonlocal reads
        reads += 1
        # Not behind each page: without a total, the list would have no end.
        if reads % 2:
            jobs.append(job(100 + reads))
        page = {"items": jobs[start : start + limit]}
        return page if total is None else {**page, "total": len(jobs)}

    pages = PageReader(read, lambda calls: iter([call() for call in calls]), 0, 10).read_all()
    assert pages.complete
    assert {f"uid-{number}" for number in range(30)} <= {item["uid"] for item in pages.items}


@pytest.mark.parametrize("ahead", [-86400, -3600, 0, 3600, 10**9])
def test_ages_are_told_by_the_clock_of_the_api(script: Start, ahead: int) -> None:
    there = float(int(time.time())) + ahead
    item = metrics(POOL, timestamp=date(there - 3480))
    waits = job(1, status="Queue", createTime=int(there - 90) * 1000)
    documents = {
        "metrics": [listing("PoolMetricsList", [item])],
        "workloads": [listing("WorkloadList", [waits], total=1)],
    }
    server = script(api(date=there, **documents))
    entry = observe(server)
    assert 0 <= entry["metrics"]["age_seconds"] - 3480 <= 60  # as long as a busy machine may take for it
    assert -60 <= entry["queued"][0]["seconds"] - 90 <= 60  # to the beginning of the reading
    assert entry["summary"]["oldest_pending_seconds"] == entry["queued"][0]["seconds"]
    assert 0 <= t.cast(float, epoch_seconds(entry["observed_at"])) + entry["age_seconds"] - there <= 60
    (shown,) = pools_of(server, POOL)["pools"]
    assert 0 <= shown["metrics"]["age_seconds"] - 3480 <= 60


def test_without_a_date_it_is_the_clock_of_this_host(script: Start) -> None:
    for headers in ({}, {"Date": "yesterday"}, {"Date": "Mon, 01 Jan 9999 00:00:00 GMT"}):
        server = script(Reply(body=pool(POOL), headers=headers))
        with client_of(server) as client:
            client.show_pool(POOL)
            assert abs(client.now() - time.time()) < 60


def test_the_latest_of_all_dates_is_the_nearest(script: Start) -> None:
    """An answer may have been on its way for long, and an error is not dated by the API alone."""
    dates = [(200, NOW), (200, NOW - 50), (403, NOW + 9000)]
    server = script(*(Reply(code, pool(POOL), {"Date": email.utils.formatdate(at, usegmt=True)}) for code, at in dates))
    with client_of(server) as client:
        client.show_pool(POOL)
        client.show_pool(POOL)
        with pytest.raises(ApiError):
            client.show_pool(POOL)
        assert 0 <= client.now() - NOW <= 60


def test_observed_at_is_when_the_reading_began(script: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 0.0
    monotonic = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed)

    def slow(seen: Seen) -> Reply:
        nonlocal passed
        if seen.path.endswith("/nodes"):
            passed += 100
        return answers(seen)

    # It may have waited for 90 seconds when it was listed, before the nodes were.
    waits = job(1, status="Queue", createTime=int(NOW - 190) * 1000)
    answers = api(workloads=[listing("WorkloadList", [waits], total=1)])
    with client_of(script(slow), timeout=1000) as client:
        asked_for = WorkloadQuery(include_capacity=True)
        (entry,) = read_workloads(client, [POOL], asked_for, clock=lambda: NOW)["pools"]
        (shown,) = read_pools_and_capacity(client, [POOL], include_capacity=True, clock=lambda: NOW)["pools"]
    for facts in (entry, shown):
        assert 100 <= facts["age_seconds"] <= 160
        assert facts["observed_at"] == date(NOW - facts["age_seconds"])
    assert 30 <= entry["queue_counts"][0]["youngest_seconds"] <= 90
    assert entry["summary"]["oldest_pending_seconds"] == entry["queued"][0]["seconds"] <= 90


def test_a_pause_until_a_date_is_counted_from_the_date_of_the_answer(script: Start) -> None:
    """Not from this host's clock, which may be an hour off."""
    there = time.time() + 3600
    headers = {
        "Date": email.utils.formatdate(there, usegmt=True),
        "Retry-After": email.utils.formatdate(there + 7, usegmt=True),
    }
    naps: list[float] = []
    server = script(Reply(429, "{}", headers), listing("PoolList", []))
    given = {"endpoint": server.url, "project_id": "p", "auth_token": TOKEN}
    clock = [0.0]

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        clock[0] += seconds

    with Client(connect(given, where="here"), clock=lambda: clock[0], sleep=sleep) as client:
        client.list_pools()
    assert 7 <= sum(naps) <= 8
