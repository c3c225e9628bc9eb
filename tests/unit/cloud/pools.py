# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools on the emulator, and documents of the reference."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from hypothesis import strategies as st

EXAMPLES = Path(__file__).parents[1] / "emulator" / "examples"
POOL_A = "pool-a-000000000000000000000000000000000"
POOL_B = "pool-b-000000000000000000000000000000000"
Document = dict[str, t.Any]


def example(name: str) -> Document:
    document: Document = json.loads((EXAMPLES / f"{name}.200.json").read_text(encoding="utf-8"))
    return document


def client_of(emulator: Emulator, **options: t.Any) -> Client:
    mine = emulator.credentials
    keys = {"access_key": mine.access_key, "secret_key": mine.secret_key, "project_id": mine.project_id}
    return Client(connect({"endpoint": emulator.endpoint, **keys, **options}, where="here"))


def observe(emulator: Emulator, *pools: str, **query: t.Any) -> Document:
    with client_of(emulator, max_retries=0) as client:
        return read_workloads(client, pools, WorkloadQuery(include_capacity=True, **query), clock=time.time)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
AMOUNTS = (
    st.dictionaries(st.sampled_from(("cpu", "memory", "nvidia.com/gpu", "x")), JSON | st.sampled_from(("1", "1Gi")))
    | JSON
)


def documents(**parts: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries({}, optional={name: part | JSON for name, part in parts.items()})


# Several documents of several pools

NODES = [{"name": "n", "count": 2, "flavor": "gpu", "resources": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": 4}}]
JOBS = [
    {"name": "runs", "status": "Running", "nodes": ["n-01"], "resources": {"cpu": "4", "nvidia.com/gpu": 4}},
    {"name": "waits", "count": 3, "type": "infer", "resources": {"nvidia.com/gpu": 8}},
]
FACTS = (
    "capacity", "errors", "held", "holders", "metrics", "nodes", "observed_at", "placements", "pool", "queue_counts",
    "queued", "unplaced",
)  # fmt: skip


def pools(**refuse: t.Any) -> Document:
    one = {"nodes": NODES, "jobs": JOBS}
    return {
        "pools": [{"id": POOL_A, "name": "a", **one, "refuse": refuse}, {"id": POOL_B, "name": "b", **one}],
    }
