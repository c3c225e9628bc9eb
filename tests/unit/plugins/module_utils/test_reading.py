# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is plainly whole counts, each thing once, by the clock of the API; what is not is no empty list."""

from __future__ import annotations

import email.utils
import json
import time
import typing as t
from urllib.parse import parse_qsl

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import document_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import PageReader, Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import pending_seconds, workload_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.values import created_at, epoch_seconds
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

Document = dict[str, t.Any]
Start = t.Callable[..., ScriptedServer]

POOL = "pool-a-000000000000000000000000000000000"
OTHER = "pool-b-000000000000000000000000000000000"
TOKEN = "a-token-of-the-tests"
NOW = 1_790_000_000.0
MISSING = Reply(404, {"error_code": "ModelArts.50015001", "error_msg": "pool not found"})
FORBIDDEN = Reply(403, {"error_code": "ModelArts.0108", "error_msg": "no"})


def client_of(server: ScriptedServer, **options: t.Any) -> Client:
    given = {"endpoint": server.url, "project_id": "p", "auth_token": TOKEN, "max_retries": 0, **options}
    return Client(connect(given, where="here"))


def pool(name: str, display_name: str = "train", **status: t.Any) -> Document:
    metadata = {"name": name, "labels": {"os.modelarts/name": display_name}}
    return {"kind": "Pool", "metadata": metadata, "spec": {}, "status": {"phase": "Running", **status}}


def node(name: str, **status: t.Any) -> Document:
    amounts = {"cpu": "8", "memory": "32Gi"}
    status = {
        "phase": "Available",
        "privateIp": "10.0.0.1",
        "resources": amounts,
        "availableResources": amounts,
        **status,
    }
    return {"kind": "Node", "metadata": {"name": name}, "spec": {}, "status": status}


def metrics(name: str, used: int = 1, timestamp: str = "2026-09-21T14:12:50Z") -> Document:
    at = {"timestamp": timestamp, "window": "1m"}
    return {
        "metadata": {"name": name},
        "table": {"allocated": {"value": {"cpu": used}, **at}, "capacity": {"value": {"cpu": 8}, **at}},
    }


def job(number: int, kind: str = "train", **fields: t.Any) -> Document:
    return {"uid": f"uid-{number}", "type": kind, "status": "Running", "createTime": number * 1000, **fields}


def listing(kind: str, items: t.Any, *, token: str = "", **keys: t.Any) -> Reply:
    return Reply(body={"kind": kind, "items": items, "metadata": {"continue": token} if token else {}, **keys})


class Api:
    """Answers by path. ``documents`` maps the last part of a path, or a pool's ID, to replies in their order."""

    def __init__(self, *, date: float | None = None, **documents: t.Any) -> None:
        self.documents = {name: list(replies) for name, replies in documents.items()}
        self.headers = {} if date is None else {"Date": email.utils.formatdate(date, usegmt=True)}

    def __call__(self, seen: Seen) -> Reply:
        name = "metrics" if "/metrics/" in seen.path else seen.path.rpartition("/")[2]
        replies = self.documents.get(name) or self.documents.get("pool") or [MISSING]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return Reply(reply.status, reply.body, {**reply.headers, **self.headers})


def api(**documents: t.Any) -> Api:
    """A pool that is empty, but for what is given."""
    usual = {
        "workloads": [listing("WorkloadList", [], total=0)],
        "nodes": [listing("NodeList", [node("n-1")])],
        "metrics": [listing("PoolMetricsList", [metrics(POOL)])],
        "pools": [listing("PoolList", [pool(POOL)])],
        "pool": [Reply(body=pool(POOL))],
    }
    return Api(**{**usual, **documents})


def observe(server: ScriptedServer, *names: str, **query: t.Any) -> Document:
    with client_of(server) as client:
        asked = WorkloadQuery(include_capacity=True, **query)
        entry: Document = read_workloads(client, names or (POOL,), asked, clock=client.now)["pools"][0]
    return entry


# Lists in pages


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
        ({"metadata": {"remainingItemCount": 3}}, "3 items more, and no token"),
        ({"metadata": ["continue"]}, "metadata of the list is no object"),
    ):
        server = script(api(**{name: [Reply(body={"kind": kind, "items": [], **body})]}))
        with client_of(server) as client:
            calls = {"pools": client.list_pools, "nodes": lambda: client.list_nodes(POOL)}
            with pytest.raises(ApiError, match=said):
                calls.get(name, client.runtime_metrics)()
        assert len(server.seen) <= 2


def pools_of(server: ScriptedServer, *names: str, **options: t.Any) -> Document:
    with client_of(server, **options) as client:
        facts: Document = read_pools(client, names, include_capacity=True, clock=client.now)
    return facts


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


# Workspaces and rights


def asked(server: ScriptedServer) -> list[str]:
    return sorted(seen.path.partition("/p/")[2] + (seen.query and f"?{seen.query}") for seen in server.seen)


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
        facts = read_pools(client, [OTHER], include_capacity=False, clock=client.now)
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
        ("ModelArts.5017", "The account is suspended, as it is for an unpaid bill; no permission is missing."),
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


# What is no list


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
        assert "a total that is no number" in facts["warnings"][0]


# Documents that contradict themselves, and text that is none


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
    with pytest.raises(ApiError, match="GET /x: the answer contradicts itself: '.*' stands in it twice") as raised:
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


@pytest.mark.parametrize(
    "odd",
    ["9" * 400, "-" + "9" * 400, "9" * 5000, "1e400", "-1e999", "1e300", "0.5", '"soon"', '"%s"' % ("9" * 400), "[]"],
)
@pytest.mark.parametrize("key", ["createTime", "priority", "pendingDuration", "runningDuration", "pendingPosition"])
def test_how_a_job_is_dated_stops_nothing(script: Start, odd: str, key: str) -> None:
    items = json.dumps([job(1, status="Queue"), job(2, status="Queue", **{key: "<odd>"}), job(3)]).replace(
        '"<odd>"', odd
    )
    server = script(api(workloads=[Reply(body=f'{{"kind": "WorkloadList", "items": {items}, "total": 3}}')]))
    with client_of(server) as client:
        query = WorkloadQuery(include_capacity=True)
        facts = read_workloads(client, [POOL], query, clock=client.now, placement_of=["x"])
    assert (facts["complete"], facts["pools"][0]["errors"]) == (True, [])
    assert len(facts["pools"][0]["queued"]) == 2
    assert facts["workloads"][1]["uid"] == "uid-2"
    json.loads(json.dumps(facts, allow_nan=False))
    if key == "createTime":
        assert facts["workloads"][1]["created_at"] is None or odd == "0.5"


# Jobs that are not one


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
        jobs.append(job(100 + reads))
        page = {"items": jobs[start : start + limit]}
        return page if total is None else {**page, "total": len(jobs)}

    pages = PageReader(read, lambda calls: iter([call() for call in calls]), 0, 10).read_all()
    assert pages.complete
    assert {f"uid-{number}" for number in range(30)} <= {item["uid"] for item in pages.items}


# Several types


class TypesServer:
    """ListWorkloads with the filters that a server could have: what it makes of a repeated ``type`` is ``manner``."""

    def __init__(self, jobs: list[Document], manner: str) -> None:
        self.jobs, self.manner = jobs, manner

    def __call__(self, seen: Seen) -> Reply:
        query = parse_qsl(seen.query)
        types = [value for name, value in query if name == "type"]
        if len(types) > 1 and self.manner == "400":
            return Reply(400, {"error_code": "ModelArts.50004000", "error_msg": "Bad request."})
        taken = {"first": types[:1], "last": types[-1:], "none": []}.get(self.manner, types)
        options = dict(query)
        jobs = [
            one
            for one in self.jobs
            if (not taken or one["type"] in taken) and options.get("status") in (None, one["status"])
        ]
        jobs.sort(key=lambda one: one["createTime"], reverse=options.get("ascend") != "true")
        start, limit = int(options.get("offset", 0)), int(options.get("limit", 0)) or 500
        return listing("WorkloadList", jobs[start : start + limit], total=len(jobs))


STATUSES = ("Running", "Queue", "Completed")
MIXED = [job(n, ("train", "infer", "notebook")[n % 3 if n % 5 else 0], status=STATUSES[n % 4 % 3]) for n in range(40)]
MANNERS = ("array", "first", "last", "none", "400")


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("types", [["train", "infer"], ["infer", "train"], ["notebook", "infer", "train"]])
@pytest.mark.parametrize("statuses", [[], ["Running"], ["Queue", "Completed"], ["Failed"]])
@pytest.mark.parametrize(
    ("order", "offset"), [({}, None), ({"sort": "create_time"}, 3), ({"sort": "create_time", "ascend": True}, 7)]
)
def test_several_types_on_every_kind_of_server(
    script: Start, manner: str, types: list[str], statuses: list[str], order: Document, offset: int | None
) -> None:
    server = script(TypesServer(MIXED, manner))
    right = [one["uid"] for one in MIXED if one["type"] in types and (not statuses or one["status"] in statuses)]
    if order == {"sort": "create_time"}:
        right.reverse()
    query = WorkloadQuery(types=types, statuses=statuses, limit=10, offset=offset, **order)
    with client_of(server) as client:
        facts = read_workloads(client, [POOL], query, clock=client.now)
    assert [one["uid"] for one in facts["workloads"]] == right[offset or 0 :]
    assert facts["total"] == len(right)
    assert facts["complete"] == (not offset or not right)
    assert facts["warnings"] == []


@pytest.mark.parametrize(
    ("manner", "kinds", "queries"),
    [
        ("array", ("train", "infer"), []),
        ("array", ("train",), ["limit=1&status=Running&type=infer"]),
        ("array", (), ["limit=1&status=Running&type=infer", "limit=1&status=Running&type=train"]),
        (
            "first",  # of what is on the wire, where the values are sorted
            ("train", "infer"),
            [
                "ascend=true&limit=500&offset=0&sort=create_time&status=Running&type=train",
                "limit=1&status=Running&type=train",
            ],
        ),
        ("none", ("notebook", "train"), ["limit=1&status=Running&type=infer"]),
    ],
)
def test_what_several_types_cost(script: Start, manner: str, kinds: tuple[str, ...], queries: list[str]) -> None:
    """The documented key at first; then no more than one small request for each type that no job has."""
    server = script(TypesServer([job(n, kind) for n, kind in enumerate(kinds)], manner))
    with client_of(server) as client:
        query = WorkloadQuery(types=["train", "infer"], statuses=["Running"])
        facts = read_workloads(client, [POOL], query, clock=client.now)
    assert sorted(one["type"] for one in facts["workloads"]) == sorted(set(kinds) - {"notebook"})
    assert facts["complete"]
    asked_for = [seen.query for seen in server.seen]
    assert asked_for[0] == "ascend=true&limit=500&offset=0&sort=create_time&status=Running&type=infer&type=train"
    assert sorted(asked_for[1:]) == queries


@pytest.mark.parametrize("manner", ["array", "first"])
def test_one_page_stays_the_raw_call(script: Start, manner: str) -> None:
    """It does not claim to be whole where it may not be."""
    server = script(TypesServer([job(1, "train"), job(2, "infer")], manner))
    with client_of(server) as client:
        query = WorkloadQuery(types=["train", "infer"], fetch_all=False)
        facts = read_workloads(client, [POOL], query, clock=client.now)
    assert [seen.query for seen in server.seen] == ["type=infer&type=train"]
    assert facts["complete"] == (manner == "array")


def test_a_type_that_cannot_be_asked_for_is_an_error(script: Start) -> None:
    server = script(listing("WorkloadList", [job(1, "train")], total=1), Reply(500, "{}"))
    with client_of(server) as client, pytest.raises(ApiError, match="answered 500"):
        read_workloads(client, [POOL], WorkloadQuery(types=["train", "infer"]), clock=client.now)


# Time


def date(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


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
    assert 0 <= entry["queued"][0]["seconds"] - 90 <= 60
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
    """An answer may have lain in a cache; and an error is not dated by the API alone."""
    dates = [(200, NOW), (200, NOW - 500), (403, NOW + 9000)]
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

    answers = api()
    with client_of(script(slow), timeout=1000) as client:
        asked_for = WorkloadQuery(include_capacity=True)
        (entry,) = read_workloads(client, [POOL], asked_for, clock=lambda: NOW)["pools"]
        (shown,) = read_pools(client, [POOL], include_capacity=True, clock=lambda: NOW)["pools"]
    for facts in (entry, shown):
        assert 100 <= facts["age_seconds"] <= 160
        assert facts["observed_at"] == date(NOW - facts["age_seconds"])


@pytest.mark.parametrize(("ahead", "seconds"), [(-90, 90), (0, 0), (3, 0), (90, None), (10**15, None)])
def test_how_long_a_job_has_waited_that_was_created_later(ahead: int, seconds: int | None) -> None:
    """Date has whole seconds, so a few ahead are now; more are not."""
    assert pending_seconds({"createTime": int(NOW + ahead) * 1000}, NOW) == seconds


@pytest.mark.parametrize("create_time", [10**400, -(10**400), 1e300, "9" * 400, True, 10**17])
def test_a_time_that_is_none(create_time: t.Any) -> None:
    assert created_at(create_time) is None
    assert workload_facts({"createTime": create_time}, POOL, Requirements())["created_at"] is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2022-03-30T07:09:10Z", 1648624150.0),
        ("2022-03-30T07:09:10.123456789Z", 1648624150.123456),
        ("2022-03-30T07:09:10.1Z", 1648624150.1),
        ("2022-03-30T07:09:10,25+00:00", 1648624150.25),
        ("2022-03-30t09:09:10.123456789+02:00", 1648624150.123456),
        ("2022-03-30T09:09:10+0200", 1648624150.0),
        ("2022-03-30T02:09:10-05", 1648624150.0),
        (" 2022-03-30 07:09:10 ", 1648624150.0),
        ("20220330T070910Z", None),  # readable for some versions of Python
        ("2022-W13-3T07:09:10Z", None),
        ("2022-03-30", None),
        ("2022-03-30T07:09:10+24:00", None),
        ("2022-02-31T07:09:10Z", None),
        ("٢٠٢٢-03-30T07:09:10Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        (1648624150, None),
    ],
)
def test_times_are_read_alike_by_every_python(text: t.Any, seconds: float | None) -> None:
    assert epoch_seconds(text) == seconds


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
