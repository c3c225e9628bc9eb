# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client whose requests are looked at, and whose clock does not wait."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection, connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WORKLOAD_OPTIONS, WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads

POOL = "pool-train-0123456789abcdef0123456789abcdef"
PROJECT = "p1"
TOKEN = "tok-SECRET-1"


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
