# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading of what pools can still take: their jobs, nodes and metrics, side by side.

This module util is private to the collection.
"""

from __future__ import annotations

import time
import typing as t
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import NoPoolReadableError, try_read
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.metrics import metrics_of_pool
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import (
    capacity_facts,
    node_address,
    node_facts,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.one_node import one_entry_each
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pool_names import (
    ids_of,
    pools_asked_for,
    pools_listed,
    with_its_id,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pools import pool_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import Answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.values import iso_time
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import trimmed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
    from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import Read
    from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
    from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import Facts


def read_capacity(
    client: Client,
    names: Sequence[str],
    query: WorkloadQuery,
    clock: Callable[[], float],
    placement_of: Iterable[str],
) -> list[Answer]:
    """What a decision needs of each pool, see read_workloads(). Raises InputError and NoPoolReadableError."""
    ids, unnamed = ids_of(client, names)

    def read_pool(name: str) -> list[t.Any]:
        started = time.monotonic()
        if name in unnamed:
            refused = [(None, {**unnamed[name], "document": document}) for document in ("workloads", "pool", "nodes")]
            return [started, *refused]
        documents: list[Callable[[], Read]] = [
            partial(try_read, "workloads", partial(_read_jobs, client, name, query)),
            partial(try_read, "pool", partial(client.show_pool, name)),
            partial(try_read, "nodes", partial(client.list_nodes, name)),
        ]
        return [started, *client.in_parallel(documents)]

    def answer(name: str, started: float, jobs: Read, pool: Read, nodes: Read) -> Answer:
        now = clock()
        occupancy = None if jobs[0] is None else Occupancy(now, jobs[0].items, placement_of)
        listed = None if nodes[0] is None else {address for address in map(node_address, nodes[0]) if address}
        made = Answer(name, query.selected(jobs[0] or Pages([], None, False)), now)
        made.entry["pool"] = None if pool[0] is None else pool_facts(pool[0])
        made.entry.update(dict.fromkeys(Occupancy.FACTS) if occupancy is None else occupancy.as_facts(listed))
        made.entry.update(_capacity_of(name, nodes, metrics, occupancy, now, started))
        made.entry["errors"] = [error for _a, error in (jobs, pool) if error is not None] + made.entry["errors"]
        return made

    calls: list[Callable[[], t.Any]] = [
        partial(try_read, "metrics", client.runtime_metrics),  # one document tells about every pool
        *(partial(read_pool, own) for own in ids),
    ]
    metrics, *read = client.in_parallel(calls)
    answers = [answer(own, *documents) for own, documents in zip(ids, read)]
    if not any(made.readable for made in answers):
        raise NoPoolReadableError([made.entry for made in answers])
    return answers


def read_pools(client: Client, names: Sequence[str], *, include_capacity: bool, clock: Callable[[], float]) -> Facts:
    """The answer of modelarts_pool_info: ``{pools, resolved}``.

    ``names`` are IDs or display names; none means all pools. With ``include_capacity`` each pool also has ``nodes``,
    ``capacity``, ``metrics``, ``observed_at``, ``age_seconds`` and ``errors``. Raises InputError for a name that no
    pool has, or several.
    """
    started = time.monotonic()
    if names:
        asked = pools_asked_for(client, [trimmed(name) for name in names])
        ids = {name: str(pool["pool_name"]) for name, pool in asked.items()}
        pools = list({pool["pool_name"]: pool for pool in asked.values()}.values())
    else:
        ids, pools = {}, list(pools_listed(client.list_pools()).values())
    if include_capacity:
        metrics, *listed = client.in_parallel(
            [
                partial(try_read, "metrics", client.runtime_metrics),
                *(partial(_nodes_of, client, pool["pool_name"]) for pool in pools),
            ]
        )
        for pool, nodes in zip(pools, listed):
            pool.update(_capacity_of(pool["pool_name"], nodes, metrics, None, clock(), started))
    return {"pools": pools, "resolved": {name: own for name, own in ids.items() if name != own}}


def _nodes_of(client: Client, pool_name: str) -> Read:
    """The nodes of a pool that the API listed; an ID that cannot stand in a path hides no other pool."""
    try:
        return try_read("nodes", partial(client.list_nodes, pool_name))
    except InputError as error:
        return None, {"document": "nodes", **error.as_result()}


def _capacity_of(
    name: str,
    nodes: Read,
    metrics: Read,
    occupancy: Occupancy | None,
    now: float,
    started: float,
) -> Facts:
    """Nodes and metrics as facts, how old they are, and the errors of what could not be read.

    ``started`` is when the reading began, by time.monotonic(): that is the age of its oldest document.
    """
    listed = None if nodes[0] is None else one_entry_each([_node_with_jobs(node, occupancy) for node in nodes[0]])
    age = int(time.monotonic() - started)
    return {
        "nodes": listed,
        "capacity": None if listed is None else capacity_facts(listed),
        "metrics": metrics_of_pool(metrics[0] or (), name, now),
        "observed_at": iso_time(now - age),
        "age_seconds": age,
        "errors": [error for _answer, error in (nodes, metrics) if error is not None],
    }


def _node_with_jobs(document: Facts, occupancy: Occupancy | None) -> Facts:
    """A node as facts, with what jobs hold on it as ``held``; null when the jobs are not known, or its address."""
    if occupancy is None:
        return {**node_facts(document), "held": None}
    facts = node_facts(document, occupancy.jobs_by_host)
    facts["held"] = None if facts["private_ip"] is None else occupancy.held_on(facts["private_ip"])
    return facts


def _read_jobs(client: Client, name: str, query: WorkloadQuery) -> Pages:
    try:
        return query.read_pool(client, name)
    except ApiError as error:
        raise with_its_id(error, client, name) from None
