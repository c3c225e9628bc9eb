# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and variables can give: facts or one sentence, nothing odd on the wire, no admission by mistake."""

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest
import requests
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import merge_levels
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import FIELDS
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import JOB_TYPES, STATUSES
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import read_candidates
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    check_request_with_policy,
    read_declared_capacity,
    read_policy,
    read_request,
    read_seconds,
)
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from hypothesis import given, settings
from hypothesis import strategies as st

from . import documents as docs
from .documents import GPU, NOW, POOL, job, world

RUNS = tries(3_400)
"""For each of three tests, so that there are more than 10,000 inputs."""

WIRE = re.compile(
    r"https://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?/v2/[A-Za-z0-9_-]{1,64}"
    r"(/metrics/runtime/pools|/pools(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/workloads|/nodes)?)?)"
    r"(\?[a-z]+=[A-Za-z0-9_-]+(&[a-z]+=[A-Za-z0-9_-]+)*)?"
)
HEADER = re.compile(r"[\x20-\x7e]*")

NASTY = [
    "", " ", "a/b", "..", ".", "../x", "a?b=c", "a#b", "a%2fb", "a\r\nX-Evil: 1", "a\nb", "a\x00b", "\x1b[31m", "a b",
    "\u202e", "\U0001f600", "\ud800", "\u00e9", "{{ 7 * 7 }}", "{{ lookup('pipe', 'id') }}", "x" * 300, "-", "-a",
    "a:b", "a\\b", "a;b", "https://user:secret@host", "http://169.254.169.254", "https://a/b?c=d", "file:///etc/passwd",
    "//host", "https://", "0", "-1",
    "1e9", "nan", "inf", "None", "null", "true", "[]", "{}", "0x10", "9" * 400, "1_0",
    "\u0663", "\u00b2",
]  # fmt: skip
OTHERS: list[t.Any] = [
    None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, float("nan"), float("inf"), -0.0, [], [[]], [None], {}, {"a": 1},
    b"bytes", ("a",),
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=12), st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True))
VALUES = st.one_of(TEXTS, st.sampled_from(OTHERS), st.integers(), st.lists(TEXTS, max_size=3))

DOCUMENTS = world([job(1, "Running", 4, "10.0.0.2")], 8, 4)


class Wire(requests.adapters.BaseAdapter):
    """Records what would be sent, and answers with documents."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *unused: t.Any, **options: t.Any) -> requests.Response:
        self.sent.append(request)
        path = str(request.url).partition("?")[0]
        last = path.rpartition("/")[2]
        document = DOCUMENTS.get({"workloads": "workloads", "nodes": "nodes"}.get(last, "pool"))
        if "/metrics/" in path:
            document = DOCUMENTS["metrics"]
        elif last == "pools":
            document = {"kind": "PoolList", "items": [DOCUMENTS["pool"]]}
        response = requests.Response()
        response.status_code = 200
        response.request = request
        response.url = str(request.url)
        response.raw = Body(json.dumps(document).encode())
        return response

    def close(self) -> None:
        """Nothing is open."""


class Body:
    """What of urllib3's response is read."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read1(self, *unused: t.Any, **options: t.Any) -> bytes:
        content, self._content = self._content, b""
        return content

    read = read1

    def release_conn(self) -> None:
        """There is no connection."""

    def close(self) -> None:
        """Nothing is open."""


def check_wire(wire: Wire) -> None:
    for request in wire.sent:
        assert WIRE.fullmatch(str(request.url)), request.url
        for name, value in request.headers.items():
            assert HEADER.fullmatch(str(value)), (name, value)
        assert request.body is None


def check_sentence(error: ModelArtsError) -> None:
    assert error.message
    assert error.message.isprintable(), error.message
    assert len(error.message) < 2_000, error.message


OPTIONS: dict[str, st.SearchStrategy[t.Any]] = {
    "endpoint": VALUES, "region": VALUES, "project_id": VALUES, "auth_token": VALUES, "access_key": VALUES,
    "secret_key": VALUES, "security_token": VALUES, "validate_certs": VALUES, "ca_path": VALUES, "timeout": VALUES,
    "max_retries": VALUES,
}  # fmt: skip
QUERY: dict[str, st.SearchStrategy[t.Any]] = {
    "types": st.lists(st.sampled_from(JOB_TYPES), max_size=2),
    "statuses": st.lists(st.sampled_from(STATUSES), max_size=2),
    "sort": st.sampled_from([None, "create_time"]),
    "ascend": st.sampled_from([None, True, False]),
    "offset": st.none() | st.integers(),
    "limit": st.none() | st.integers(-2, 502),
    "fetch_all": st.booleans(),
    "fields": st.none() | st.lists(st.one_of(TEXTS, st.sampled_from(sorted(FIELDS))), max_size=3),
    "include_capacity": st.booleans(),
}


def test_options_and_names_of_pools() -> None:
    """Connection options, pools and queries: at most one of each kind is strange, so that many get to the wire."""
    good = {"endpoint": "https://modelarts.example", "project_id": "p1"}
    logins: list[dict[str, t.Any]] = [
        {"auth_token": "a-token"}, {"access_key": "AK", "secret_key": "SK-1"},
        {"access_key": "AK", "secret_key": "SK-1", "security_token": "ST-1"},
    ]  # fmt: skip
    count = {"inputs": 0, "sent": 0}

    @settings(max_examples=RUNS, database=None)
    @given(
        login=st.sampled_from(logins),
        strange=st.lists(st.sampled_from(sorted(OPTIONS)), max_size=2),
        values=st.lists(VALUES, min_size=2, max_size=2),
        pools=st.lists(st.one_of(st.just(POOL), TEXTS), max_size=3),
        query=st.fixed_dictionaries({}, optional=QUERY),
        by_name=st.booleans(),
    )
    def run(
        login: dict[str, t.Any], strange: list[str], values: list[t.Any], pools: list[str], query: t.Any, by_name: bool
    ) -> None:
        count["inputs"] += 1
        wire = Wire()
        try:
            connection = connect(merge_levels({**good, **login, **dict(zip(strange, values))}), where="here")
            with Client(connection, time_limit=5, sleep=lambda seconds: None) as client:
                client._sender.session.mount("https://", wire)
                client._sender.session.mount("http://", wire)
                asked = WorkloadQuery(**query)
                asked.check()
                if by_name:
                    facts = read_pools_and_capacity(client, pools, include_capacity=True, clock=lambda: NOW)
                else:
                    facts = read_workloads(client, pools, asked, clock=lambda: NOW)
            json.dumps(facts)
        except ModelArtsError as error:
            check_sentence(error)
        check_wire(wire)
        count["sent"] += bool(wire.sent)

    run()
    assert count["inputs"] >= RUNS
    assert count["sent"] >= RUNS / 10, "hardly anything got through: this tests too little"


AMOUNTS = st.one_of(
    st.integers(-2, 20), TEXTS,
    st.sampled_from(["8", "500m", "400Gi", "1e99", "1e99Ei", "0", "4 Cores", "-1", "1,5", "0.0001", ".5", *OTHERS]),
)  # fmt: skip
NAMES = ["cpu", "memory", GPU, "gpu", "huawei.com/ascend-1980", "huawei.com/ascend-snt9", "", "a\nb"]
RESOURCES = st.dictionaries(st.sampled_from(NAMES), AMOUNTS, max_size=2)
GROUP: dict[str, t.Any] = {
    "replicas": st.one_of(st.integers(1, 3), VALUES),
    "resources": st.one_of(st.just({GPU: 1}), RESOURCES, VALUES),
    "flavor": st.one_of(st.just(docs.FLAVOR), VALUES),
}
REPLACES = st.fixed_dictionaries({}, optional={"job_uuid": st.one_of(st.just("uuid-1"), VALUES), "replicas": VALUES})
KEYS: dict[str, t.Any] = {
    **GROUP,
    "groups": st.lists(st.one_of(VALUES, st.fixed_dictionaries({}, optional=GROUP)), max_size=3),
    "type": st.one_of(st.sampled_from(JOB_TYPES), VALUES),
    "priority": st.one_of(st.integers(-3, 9), VALUES),
    "replaces": st.one_of(VALUES, REPLACES),
    "replica": VALUES,
}
POLICY_KEYS: dict[str, t.Any] = {
    "headroom": st.one_of(st.sampled_from(["10%", "101%", "1e3%", "-1%", "%"]), RESOURCES, VALUES),
    "queue_strategy": st.one_of(st.sampled_from(["fifo", "backfill"]), VALUES),
    "queue_scope": st.one_of(st.just("type"), VALUES),
    "max_oldest_queued_seconds": st.one_of(st.integers(0, 99), VALUES),
    "placement": st.one_of(st.just("aggregate"), VALUES),
    "stable_seconds": st.one_of(st.integers(0, 99), VALUES),
    "head_room": VALUES,
}


def with_some(good: dict[str, t.Any], keys: dict[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """The good mapping, with at most two keys changed or added; or no mapping at all."""
    pairs = st.sampled_from(sorted(keys)).flatmap(lambda key: st.tuples(st.just(key), keys[key]))
    return st.one_of(*[st.lists(pairs, max_size=2).map(lambda some: {**good, **dict(some)})] * 6, VALUES)


GOOD = {"resources": {GPU: 1}, "type": "train"}
REQUEST = with_some(GOOD, KEYS)
POLICY = st.one_of(st.none(), with_some({}, POLICY_KEYS))
DECLARED = st.one_of(st.none(), RESOURCES, VALUES)
FULL = docs.facts_of(world([job(1, "Running", 8, "10.0.0.1"), job(2, "Running", 8, "10.0.0.2")], 0, 0))["pools"][0]


def decide(request: t.Any, policy: t.Any, declared: t.Any) -> str:
    """The decision on a pool that has nothing free."""
    asked, strictness = read_request(request), read_policy(policy)
    check_request_with_policy(asked, strictness, 600.0)
    facts = copy.deepcopy(FULL)
    verdict = capacity_verdict(facts, asked, strictness, read_declared_capacity(declared))
    json.dumps(verdict)
    assert all(line.isprintable() for line in page(verdict))
    return t.cast(str, verdict["decision"])


def test_requests_and_policies() -> None:
    """A pool without anything free admits nothing, whatever is asked for. One of the three is strange at a time."""
    count: dict[str, int] = {}
    good: tuple[t.Any, ...] = (GOOD, {"headroom": "10%"}, {GPU: 64})
    strange = [st.tuples(st.just(place), one) for place, one in enumerate((REQUEST, POLICY, DECLARED))]

    @settings(max_examples=RUNS, database=None)
    @given(strange=st.one_of(strange))
    def run(strange: tuple[int, t.Any]) -> None:
        inputs = [*good[: strange[0]], strange[1], *good[strange[0] + 1 :]]
        try:
            decision = decide(*inputs)
        except InputError as error:
            check_sentence(error)
            decision = "sentence"
        count[decision] = count.get(decision, 0) + 1
        assert decision != "admit", inputs

    run()
    assert sum(count.values()) >= RUNS
    assert sum(count.values()) - count["sentence"] >= RUNS / 50, count


def test_candidates_and_seconds() -> None:
    @settings(max_examples=RUNS, database=None)
    @given(
        pools=st.lists(
            st.one_of(
                VALUES, st.fixed_dictionaries({}, optional={"pool": VALUES, "request": REQUEST, "pools": VALUES})
            ),
            max_size=3,
        ),
        request=REQUEST,
        seconds=VALUES,
    )
    def run(pools: list[t.Any], request: t.Any, seconds: t.Any) -> None:
        try:
            assert 0 <= read_seconds("wait_timeout", seconds) < 10**8
        except InputError as error:
            check_sentence(error)
        try:
            for candidate in read_candidates(pools, request):
                assert candidate.pool
        except InputError as error:
            check_sentence(error)

    run()


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"replica": 2, "resources": {GPU: 1}}, "replicas"),
        ({"resource": {GPU: 1}}, "resources"),
        ({"resources": {GPU: 1}, "prioritty": 1}, "priority"),
        ({"resources": {GPU: 1}, "replace": {}}, "replaces"),
        ({"groups": [{"resourcs": {GPU: 1}}]}, "resources"),
        ({"resources": {GPU: 1}, "replaces": {"job_uid": "x"}}, "job_uuid"),
    ],
)
def test_an_unknown_key_of_a_request_names_the_nearest(given: dict[str, t.Any], nearest: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {nearest}\\?"):
        read_request(given)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("head_room", "headroom"), ("queue_strategie", "queue_strategy"), ("queue-scope", "queue_scope"),
        ("placements", "placement"), ("stable_second", "stable_seconds"),
        ("max_oldest_queued", "max_oldest_queued_seconds"),
    ],
)  # fmt: skip
def test_an_unknown_key_of_a_policy_names_the_nearest(key: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {nearest}\\?"):
        read_policy({key: 1})
