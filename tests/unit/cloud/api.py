# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API whose answers are given path by path."""

from __future__ import annotations

import email.utils
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

Document = dict[str, t.Any]

POOL = "pool-a-000000000000000000000000000000000"
TOKEN = "a-token-of-the-tests"
MISSING = Reply(404, {"error_code": "ModelArts.50015001", "error_msg": "pool not found"})


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


def pools_of(server: ScriptedServer, *names: str, **options: t.Any) -> Document:
    with client_of(server, **options) as client:
        facts: Document = read_pools_and_capacity(client, names, include_capacity=True, clock=client.now)
    return facts


def asked(server: ScriptedServer) -> list[str]:
    return sorted(seen.path.partition("/p/")[2] + (seen.query and f"?{seen.query}") for seen in server.seen)


def date(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
