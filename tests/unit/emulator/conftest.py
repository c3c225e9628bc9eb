# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the emulator that is nothing but the standard library: it shows the wire as it is."""

from __future__ import annotations

import http.client
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

POOL = "pool-small-2f6c9a4e1b7d4c0e8a35d9f1b6c27e48"
EXAMPLES = Path(__file__).parent / "examples"


class Caller:
    """Sends one request after another on one connection, as the user whose static token it has."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.headers = {"X-Auth-Token": emulator.credentials.auth_token}
        self._connection = http.client.HTTPConnection(emulator.endpoint.removeprefix("http://"), timeout=10)

    def send(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: t.Any = None
    ) -> tuple[http.client.HTTPResponse, t.Any]:
        """The response and its JSON. ``{project}`` in the path becomes the project's ID."""
        self._connection.request(
            method,
            path.replace("{project}", self.emulator.credentials.project_id),
            body=None if body is None else json.dumps(body),
            headers=self.headers if headers is None else headers,
        )
        response = self._connection.getresponse()
        content = response.read()
        return response, json.loads(content) if content else None

    def get(self, path: str) -> t.Any:
        response, document = self.send(path)
        assert response.status == 200, document
        return document

    def jobs(self, query: str = "", pool: str = POOL) -> list[str]:
        return [job["jobName"] for job in self.workloads(query, pool)["items"]]

    def workloads(self, query: str = "", pool: str = POOL) -> t.Any:
        return self.get(f"/v2/{{project}}/pools/{pool}/workloads{'?' if query else ''}{query}")

    def nodes(self, query: str = "", pool: str = POOL) -> t.Any:
        return self.get(f"/v2/{{project}}/pools/{pool}/nodes{'?' if query else ''}{query}")

    def available(self, pool: str = POOL) -> list[dict[str, str]]:
        return [node["status"]["availableResources"] for node in self.nodes(pool=pool)["items"]]


def small_pool(**keys: t.Any) -> dict[str, t.Any]:
    """A pool of two nodes with four cards each; ``keys`` replace its parts."""
    node = {
        "name": "node",
        "count": 2,
        "flavor": "gpu4",
        "resources": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": 4},
    }
    return {"id": POOL, "name": "small", "nodes": [node], **keys}


def frozen(pool: dict[str, t.Any], **keys: t.Any) -> dict[str, t.Any]:
    """A scenario of one pool whose clock only moves when a test advances it."""
    return {"clock": {"start": 1_700_000_000, "frozen": True}, "pools": [pool], **keys}


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., Caller]]:
    """Start emulators that end with the test."""
    running: list[Emulator] = []

    def start(scenario: dict[str, t.Any] | str, **options: t.Any) -> Caller:
        emulator = Emulator(scenario, **options).__enter__()
        running.append(emulator)
        return Caller(emulator)

    yield start
    for emulator in running:
        emulator.stop()
