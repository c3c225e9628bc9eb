# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading of what pools can still take: their jobs, nodes and metrics, side by side.

This module util is private to the collection.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import count_ascend_cards
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import (
    NoPoolReadableError,
    Read,
    failure_of_document,
    read_or_failure,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import iso_time
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.found import find_jobs
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.held import sizes_of_held_addresses
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.metrics import metrics_of_pool
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import (
    node_address,
    node_facts,
    sum_node_facts,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.one_node import one_entry_for_each_node
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pool_names import (
    error_with_id_of_pool_name,
    pool_ids_of_names,
    pools_listed_for_names,
    pools_of_names,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pools import pool_facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import PoolReading, summarize_jobs
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import trimmed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        CapacityReading,
        DocumentError,
        FoundInPool,
        JobsEntry,
        MetricsFacts,
        NodeFacts,
        OccupancyFacts,
        PoolEntry,
        PoolFacts,
        PoolsAnswer,
        PoolWithCapacity,
    )
    from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import Read
    from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery


_NO_OCCUPANCY: OccupancyFacts = {
    "held": None,
    "holders": None,
    "queued": None,
    "queue_counts": None,
    "unplaced": None,
    "placements": None,
}


class _Documents(t.NamedTuple):
    """The documents of one pool, and when the first of them was asked for, by time.monotonic()."""

    started: float
    jobs: Read[Pages]
    pool: Read[Document]
    nodes: Read[list[Document]]


def read_capacity(
    client: Client,
    names: Sequence[str],
    query: WorkloadQuery,
    clock: Callable[[], float],
    placement_of: Iterable[str],
    look_for: Sequence[str] = (),
) -> list[PoolReading]:
    """Return what a decision needs of each pool, see read_workloads(). Raises InputError and NoPoolReadableError."""
    # First of all: a display name has to be an ID before any document can be asked for.
    ids, unnamed = pool_ids_of_names(client, names)

    def read_pool(name: str) -> _Documents:
        started = time.monotonic()
        if name in unnamed:
            error = unnamed[name]
            jobs, pool, nodes = (
                _capacity_error_of_name(error, document) for document in ("workloads", "pool", "nodes")
            )
        else:
            documents: list[Callable[[], Read[t.Any]]] = [
                # Side by side: the closer together lists of jobs and nodes are read, the less may happen between them.
                partial(read_or_failure, "workloads", partial(_read_jobs_for_capacity, client, name, query)),
                partial(read_or_failure, "pool", partial(client.show_pool, name)),
                partial(read_or_failure, "nodes", partial(client.list_nodes, name)),
            ]
            jobs, pool, nodes = client.in_parallel(documents)
        return _Documents(started, jobs, pool, nodes)

    calls: list[Callable[[], t.Any]] = [
        partial(read_or_failure, "metrics", client.runtime_metrics),  # one document tells about every pool
        *(partial(read_pool, pool_id) for pool_id in ids),
    ]
    metrics, *read = client.in_parallel(calls)
    entries: list[PoolEntry] = []
    readings: list[PoolReading] = []
    for pool_id, documents in zip(ids, read):
        # The API's clock after all answers: times of jobs are compared with the latest of its dates.
        now = clock()
        age = int(time.monotonic() - documents.started)
        pages = query.selected(documents.jobs.value or Pages([], None, False))
        # A job may have waited for less than it does now: it was listed when the reading began, or later.
        reading = summarize_jobs(pool_id, pages, now - age)
        measured = _metrics_read_of_pool(metrics, pool_id, now)
        occupancy = None
        if documents.jobs.value is not None:
            metrics_age = _most_seconds_since_metrics(measured.value)
            occupancy = Occupancy(now - age, documents.jobs.value.items, placement_of, metrics_age)
        capacity = _capacity_of(documents.nodes, measured, occupancy, now, age)
        entries.append(_pool_entry_with_capacity(reading.entry, documents, capacity, occupancy, now, look_for))
        nodes = entries[-1]["nodes"] or ()
        cards = {node["private_ip"]: count_ascend_cards(node["resources"]) for node in nodes if node["private_ip"]}
        readings.append(replace(reading, entry=entries[-1], cards=cards))
    # One pool that was read is an answer, and the entries of the others say what is missing.
    if not any(map(_is_any_capacity_read, entries)):
        raise NoPoolReadableError(entries)
    return readings


def _metrics_read_of_pool(metrics: Read[list[Document]], name: str, now: float) -> Read[MetricsFacts]:
    return Read(metrics_of_pool(metrics.value or (), name, now), metrics.error)


def _most_seconds_since_metrics(metrics: MetricsFacts | None) -> int | None:
    """Return how long ago the window of a pool's runtime metrics began; None where that is not known."""
    age = None if metrics is None else metrics["age_seconds"]
    return None if metrics is None or age is None else age + (metrics["window_seconds"] or 0)


def _capacity_error_of_name(error: DocumentError, document: str) -> Read[t.Any]:
    """Return the error of the look-up of a name as that of a document of the pool."""
    return Read(None, {**error, "document": document})


def _pool_entry_with_capacity(
    counted: JobsEntry,
    documents: _Documents,
    capacity: CapacityReading,
    occupancy: Occupancy | None,
    now: float,
    look_for: Sequence[str],
) -> PoolEntry:
    jobs, pool, nodes = documents.jobs, documents.pool, documents.nodes
    found: FoundInPool = {}
    if look_for:
        read = None if jobs.value is None else find_jobs(jobs.value.items, look_for, now)
        found = {"found": None, "found_complete": False, "found_at": now} if read is None else read
    sizes = None
    if nodes.value is not None:
        # Of every document: a node that was joined from two entries may have two addresses.
        sizes = sizes_of_held_addresses(capacity["nodes"] or (), filter(None, map(node_address, nodes.value)))
    return {
        **counted,
        **found,
        "pool": None if pool.value is None else pool_facts(pool.value),
        **(_NO_OCCUPANCY if occupancy is None else occupancy.as_facts(sizes)),
        **capacity,
        "errors": [error for error in (jobs.error, pool.error) if error is not None] + capacity["errors"],
    }


def _is_any_capacity_read(entry: PoolEntry) -> bool:
    return not (entry["pool"] is None and entry["nodes"] is None and entry["held"] is None)


def read_pools_and_capacity(
    client: Client, names: Sequence[str], *, include_capacity: bool, clock: Callable[[], float]
) -> PoolsAnswer:
    """Return what modelarts_pool_info returns.

    ``names`` are IDs or display names; none means all pools. Raises InputError for a name that no pool has, or several.
    """
    started = time.monotonic()
    pools: Sequence[PoolFacts]
    if names:
        asked = pools_of_names(client, [trimmed(name) for name in names])
        ids = {name: str(pool["pool_name"]) for name, pool in asked.items()}
        pools = list({pool["pool_name"]: pool for pool in asked.values()}.values())
    else:
        ids, pools = {}, list(pools_listed_for_names(client.list_pools()).values())
    if include_capacity:
        metrics, *listed = client.in_parallel(
            [
                partial(read_or_failure, "metrics", client.runtime_metrics),
                *(partial(_list_nodes_for_capacity, client, str(pool["pool_name"])) for pool in pools),
            ]
        )
        now = clock()
        age = int(time.monotonic() - started)
        pools = [
            _pool_with_capacity(
                pool, _capacity_of(nodes, _metrics_read_of_pool(metrics, str(pool["pool_name"]), now), None, now, age)
            )
            for pool, nodes in zip(pools, listed)
        ]
    return {"pools": pools, "resolved": {name: pool_id for name, pool_id in ids.items() if name != pool_id}}


def _pool_with_capacity(pool: PoolFacts, capacity: CapacityReading) -> PoolWithCapacity:
    return {**pool, **capacity}


def _list_nodes_for_capacity(client: Client, pool_name: str) -> Read[list[Document]]:
    """Read the nodes of a pool that the API listed; an ID that cannot stand in a path hides no other pool."""
    try:
        return read_or_failure("nodes", partial(client.list_nodes, pool_name))
    except InputError as error:
        return failure_of_document("nodes", error)


def _capacity_of(
    nodes: Read[list[Document]],
    metrics: Read[MetricsFacts],
    occupancy: Occupancy | None,
    now: float,
    age: int,
) -> CapacityReading:
    """Return nodes and metrics as facts, how old they are, and the errors of what could not be read.

    ``age`` is for how many seconds the reading has lasted: that is the age of its oldest document.
    """
    # Held amounts are added to each entry before entries are joined, as a node may be listed with two addresses.
    listed = (
        None
        if nodes.value is None
        else one_entry_for_each_node([_node_in_capacity(node, occupancy) for node in nodes.value])
    )
    return {
        "nodes": listed,
        "capacity": None if listed is None else sum_node_facts(listed),
        "metrics": metrics.value,
        "observed_at": iso_time(now - age),
        "age_seconds": age,
        "errors": [error for error in (nodes.error, metrics.error) if error is not None],
    }


def _node_in_capacity(document: Document, occupancy: Occupancy | None) -> NodeFacts:
    """Return a node as facts, with what jobs hold on it where the jobs are known, and its address.

    The list of nodes and that of jobs may each be behind, so a card is free where both say so.
    """
    if occupancy is None:
        return node_facts(document)
    facts = node_facts(document, occupancy.jobs_by_host)
    address, cards = facts["private_ip"], facts["cards_free"]
    if address is not None:
        facts["held"] = occupancy.held_on(address)
        facts["cards_free"] = None if cards is None else occupancy.free_cards_on(address, cards)
        facts["cards_lost"] = None if facts["cards_free"] is None else facts["cards_lost"]
    return facts


def _read_jobs_for_capacity(client: Client, name: str, query: WorkloadQuery) -> Pages:
    try:
        return query.read_pool(client, name)
    except ApiError as error:
        # Looks the name up only after a failure: most users give IDs, which need no list.
        raise error_with_id_of_pool_name(error, client, name) from None
