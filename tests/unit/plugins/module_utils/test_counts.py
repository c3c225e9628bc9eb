# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a call fast and can be counted: requests, connections, logins, imports, parses, threads. Never seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import typing as t
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils import _quantity
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read import requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.modules import modelarts_workload_info
from ansible_collections.poolgate.modelarts.tests.unit.core import patch_module_args

POOLS = ["pool-a-000000000000000000000000000000000", "pool-b-000000000000000000000000000000000"]
QUANTITIES = [{"cpu": "1", "memory": "4Gi"}, {"cpu": "500m", "memory": "6.52 GiB", "nvidia.com/gpu": 1}]
Serve = t.Callable[[int], Emulator]


def pool(name: str, jobs: int) -> dict[str, t.Any]:
    nodes = {
        "name": "n",
        "count": 501,
        "flavor": "gpu8",
        "resources": {"cpu": 64, "memory": "1Ti", "nvidia.com/gpu": 8},
    }
    status = ["Running", *["Completed"] * 9]
    return {
        "id": name,
        "name": f"display-{name[5]}",
        "nodes": [nodes],
        "jobs": [{"name": "j-{n}", "count": jobs, "age": 60, "every": 5, "status": status, "resources": QUANTITIES}],
    }


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts an emulator with so many jobs in each of two pools."""
    running: list[Emulator] = []

    def start(jobs: int) -> Emulator:
        running.append(Emulator({"pools": [pool(name, jobs) for name in POOLS]}).__enter__())
        return running[-1]

    yield start
    for emulator in running:
        emulator.stop()


def read(
    emulator: Emulator, *, pools: int = 1, names: t.Sequence[str] = (), login: str = "token", **options: t.Any
) -> dict[str, t.Any]:
    """The facts of the first pools, or of those names, by way of a token, a signature or a password."""
    mine = emulator.credentials
    logins: dict[str, dict[str, t.Any]] = {
        "token": {"auth_token": mine.auth_token},
        "signature": {"access_key": mine.access_key, "secret_key": mine.secret_key},
        "password": {
            "auth_url": emulator.iam_url,
            "username": mine.username,
            "password": mine.password,
            "domain_name": mine.domain_name,
        },
    }
    connections = {"connections": options.pop("connections")} if "connections" in options else {}
    query = WorkloadQuery(**{"fields": (), **options})
    given = {"endpoint": emulator.endpoint, "project_id": mine.project_id, **logins[login], **connections}
    with Client(connect(given, where="here")) as client:
        return read_workloads(client, names or POOLS[:pools], query, clock=time.time)


def asked(emulator: Emulator) -> Counter[tuple[str, str]]:
    """What was asked, by the last part of the path and the query."""
    return Counter((entry["path"].split("/", 3)[3], entry["query"]) for entry in emulator.requests)


@pytest.mark.parametrize(("jobs", "pages"), [(0, 1), (499, 1), (501, 2), (987, 2), (989, 3), (2345, 5)])
def test_pages_are_asked_for_once(serve: Serve, jobs: int, pages: int) -> None:
    """Pages overlap by twelve of their 500 jobs; when the last one is full, one more shows that nothing came after."""
    emulator = serve(jobs)
    facts = read(emulator)
    assert (facts["complete"], facts["summary"]["total"]) == (True, jobs)
    assert sorted(asked(emulator).values()) == [1] * pages


@pytest.mark.parametrize(("connections", "opened"), [(1, 1), (2, 2), (8, 4)])
def test_connections_stay_open_and_are_as_few_as_asked_for_and_as_pages(
    serve: Serve, connections: int, opened: int
) -> None:
    emulator = serve(2345)
    read(emulator, connections=connections)
    assert len(emulator.requests) == 5
    assert len({entry["connection"] for entry in emulator.requests}) <= opened


def test_pools_and_their_documents_share_the_connections(serve: Serve) -> None:
    emulator = serve(989)
    read(emulator, pools=2, include_capacity=True, connections=2)
    assert len({entry["connection"] for entry in emulator.requests}) <= 2


def test_one_page_needs_one_connection_and_no_thread(serve: Serve, threads: list[str]) -> None:
    emulator = serve(499)
    read(emulator)
    assert [entry["connection"] for entry in emulator.requests] == [1]
    assert threads == []


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads of a pool that were started since; an emulator's have other names."""
    names: list[str] = []
    start = threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        if thread.name.startswith("ThreadPool"):
            names.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", counted)
    return names


@pytest.mark.parametrize(("connections", "most"), [(2, 2), (8, 4)])
def test_no_more_threads_than_connections_and_pages(
    serve: Serve, threads: list[str], connections: int, most: int
) -> None:
    read(serve(2345), connections=connections)
    assert 0 < len(threads) <= most


@pytest.mark.parametrize(("login", "logins"), [("token", 0), ("signature", 0), ("password", 1)])
def test_every_document_is_read_once_and_the_login_too(serve: Serve, login: str, logins: int) -> None:
    emulator = serve(989)
    facts = read(emulator, pools=2, login=login, include_capacity=True)
    assert [(entry["complete"], entry["errors"]) for entry in facts["pools"]] == [(True, [])] * 2
    requests = asked(emulator)
    assert set(requests.values()) == {1}
    assert Counter(path.rpartition("/")[2] for path, _query in requests) == {
        "workloads": 2 * 3,
        "nodes": 2 * 2,
        "pools": 1,  # metrics/runtime/pools, which tells about both
        **dict.fromkeys(POOLS, 1),
        **({"tokens": 1} if logins else {}),
    }
    assert len({entry["connection"] for entry in emulator.requests}) <= 8 + logins


def test_a_display_name_costs_one_request_and_no_login(serve: Serve) -> None:
    emulator = serve(20)
    facts = read(emulator, names=["display-b", POOLS[0]], login="password", include_capacity=True)
    assert [(entry["pool_name"], entry["errors"]) for entry in facts["pools"]] == [(POOLS[1], []), (POOLS[0], [])]
    requests = Counter(entry["path"].split("/", 3)[3] for entry in emulator.requests)
    assert (requests.pop("pools"), requests.pop("tokens")) == (1, 1)
    assert len(requests) == 1 + 3 * 2


def test_every_document_is_parsed_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    loads = json.loads
    emulator = serve(989)
    monkeypatch.setattr(json, "loads", lambda *text, **options: parsed.append(1) or loads(*text, **options))
    read(emulator, pools=2, include_capacity=True)
    assert len(parsed) == len(emulator.requests)


@pytest.mark.parametrize("fields", [(), None])
def test_a_quantity_is_parsed_once_however_many_jobs_ask_for_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, fields: t.Any
) -> None:
    parse, parsed = requirements.parse_quantity, []
    monkeypatch.setattr(requirements, "parse_quantity", lambda *what: parsed.append(what) or parse(*what))
    calls = []
    for jobs in (20, 989):
        parsed.clear()
        _quantity._parse_quantity_text.cache_clear()
        facts = read(serve(jobs), fields=fields)
        assert _quantity._parse_quantity_text.cache_info().misses == len(set(parsed)) == sum(map(len, QUANTITIES))
        assert len(facts["workloads"]) == (0 if fields == () else jobs)
        calls.append(len(parsed))
    assert calls[0] == calls[1] <= 2 * sum(map(len, QUANTITIES))


def test_the_answer_of_a_gate_does_not_grow_with_the_jobs_that_are_over(serve: Serve) -> None:
    small, large = (read(serve(jobs), include_capacity=True) for jobs in (200, 1200))
    assert small["workloads"] == large["workloads"] == []
    assert len(json.dumps(large)) < len(json.dumps(small)) * 1.05


NEVER = (
    "asyncio", "concurrent", "configparser", "difflib", "huaweicloudsdkcore", "keystoneauth1", "multiprocessing",
    "openstack", "xml", "yaml",
)  # fmt: skip
UTILS = (
    "_api.calls", "_api.documents", "_api.pages", "_errors", "_http.answers", "_http.authorities", "_http.bodies",
    "_http.deadlines", "_http.libraries", "_http.no_answer", "_http.proxies", "_http.retries", "_http.sending",
    "_http.sizes", "_http.transport", "_http.urls", "_login.access_key", "_login.auth_token", "_login.catalog",
    "_login.check_options", "_login.clouds", "_login.connection", "_login.credentials", "_login.iam",
    "_login.keystone", "_login.options", "_login.regions", "_login.signature", "_module", "_quantity",
    "_read.card_texts",
    "_read.fields", "_read.job_query", "_read.jobs", "_read.reading", "_read.requirements", "_read.summary",
    "_respelled", "_search", "_secrets", "_text", "_vocabulary",
)  # fmt: skip
FOLDERS = ("_api", "_http", "_login", "_read")


def test_a_call_imports_what_it_uses_and_no_more(serve: Serve) -> None:
    emulator = serve(20)
    mine = emulator.credentials
    arguments = {
        "pool_name": POOLS[:1],
        "endpoint": emulator.endpoint,
        "project_id": mine.project_id,
        "auth_token": mine.auth_token,
    }
    root = str(Path(modelarts_workload_info.__file__).parents[5])
    program = f"""
import json, sys
sys.path[:] = {[root, *sys.path]!r}
import requests
from ansible.module_utils.basic import AnsibleModule
before = set(sys.modules)
from ansible_collections.poolgate.modelarts.plugins.modules import modelarts_workload_info
added = set(sys.modules) - before
from ansible_collections.poolgate.modelarts.tests.unit.core import patch_module_args
before = set(sys.modules)
try:
    with patch_module_args({arguments!r}):
        modelarts_workload_info.main()
finally:
    added |= set(sys.modules) - before
    print(json.dumps(sorted(added)))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    result, added = map(json.loads, ran.stdout.strip().splitlines())
    assert result["total"] == 20
    assert not {name.partition(".")[0] for name in added} & set(NEVER)
    utils = "ansible_collections.poolgate.modelarts.plugins.module_utils."
    own = [name[len(utils) :] for name in added if name.startswith(utils)]
    assert [name for name in own if name not in FOLDERS] == list(UTILS)


def test_ansible_looks_for_few_secrets_in_a_large_answer(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = serve(2345)
    mine = emulator.credentials
    left = []

    def leave(module: AnsibleModule, **result: t.Any) -> t.NoReturn:
        left.append((module.no_log_values, result["total"]))
        raise SystemExit(0)

    monkeypatch.setattr(AnsibleModule, "exit_json", leave)
    arguments = {
        "pool_name": POOLS[0],
        "endpoint": emulator.endpoint,
        "project_id": mine.project_id,
        "access_key": mine.access_key,
        "secret_key": mine.secret_key,
    }
    with patch_module_args(arguments), pytest.raises(SystemExit):
        modelarts_workload_info.main()
    assert left == [({mine.secret_key}, 2345)]
    assert len(emulator.requests) == 5
