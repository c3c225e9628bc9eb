# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a decision takes grows with the documents, and not with their square, whatever repeats or differs in them."""

from __future__ import annotations

import time
import tracemalloc
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    decide,
    job,
    metrics,
    node,
    pool,
    refused,
)

SIZE = {"cpu": "96", "memory": "700Gi", GPU: "8"}
ASKING: Document = {"resources": {GPU: 8}}


def own(number: int, count: int, value: t.Any = 1) -> Document:
    """Resources that nothing else has."""
    return {f"x/{number}-{index}": value for index in range(count)}


def listed_again() -> Document:
    one = node(SIZE, address="10.0.0.1")
    entries = [{**one, "status": {**one["status"], "resources": {**SIZE, **own(i, 100)}}} for i in range(800)]
    return {"nodes": entries, "request": ASKING}


def whole_nodes() -> Document:
    return {"nodes": [node({**SIZE, **own(i, 10)}) for i in range(1500)], "request": {"flavor": FLAVOR}}


def named_on_nodes() -> Document:
    return {"nodes": [node({**SIZE, **own(i, 40)}) for i in range(1500)], "request": ASKING}


def flavors() -> Document:
    counts = {f"flavor-{i}": 2 for i in range(10_000)}
    return {
        "nodes": [node(SIZE, flavor=f"flavor-{i}") for i in range(2500)],
        "request": ASKING,
        "pool_document": pool(counts),
    }


def unreadable_on_nodes() -> Document:
    return {"nodes": [node({**SIZE, **own(i, 20, "?")}) for i in range(2500)], "request": ASKING}


def unreadable_of_jobs() -> Document:
    jobs = [job({**SIZE, **own(i, 5, "?")}, "Creating") for i in range(10_000)]
    return {"nodes": [node(SIZE)], "jobs": jobs, "request": ASKING}


def unreadable_on_one_node() -> Document:
    one = node({**SIZE, **own(1, 15_000, "?")}, {**SIZE, **own(2, 15_000)})
    return {"nodes": [one], "request": ASKING}


def metrics_again() -> Document:
    entries = [metrics({**SIZE, **own(i, 50)}, {**SIZE, **own(i, 50)}) for i in range(800)]
    return {"nodes": refused(), "request": ASKING, "metric_items": entries, "policy": {"placement": "aggregate"}}


def replaced_again() -> Document:
    jobs = [job(SIZE, "Queue", kind=f"type-{i}", uuid="own") for i in range(2000)]
    return {"nodes": [node(SIZE)], "jobs": jobs, "request": {**ASKING, "replaces": {"job_uuid": "own"}}}


def many_patterns() -> Document:
    """The two first groups never fit together, and the small ones fill what they leave in any number of ways."""
    small = [{"replicas": 9, "resources": {"cpu": f"{index + 1}m"}} for index in range(20)]
    groups = [{"replicas": 3, "resources": {"cpu": 6}}, {"replicas": 2, "resources": {"cpu": 5}}, *small]
    return {"nodes": [node({"cpu": 10, "memory": "9Gi"}) for _number in range(3)], "request": {"groups": groups}}


def many_groups() -> Document:
    small = [{"resources": {"cpu": "1m"}} for _number in range(1500)]
    groups = [{"replicas": 3, "resources": {"cpu": 6}}, {"replicas": 2, "resources": {"cpu": 5}}, *small]
    return {"nodes": [node({"cpu": 10, "memory": "9Gi"}) for _number in range(3)], "request": {"groups": groups}}


@pytest.mark.parametrize(
    "make",
    [
        listed_again,
        whole_nodes,
        named_on_nodes,
        flavors,
        unreadable_on_nodes,
        unreadable_of_jobs,
        unreadable_on_one_node,
        metrics_again,
        replaced_again,
        many_patterns,
        many_groups,
    ],
)
def test_nothing_that_repeats_or_differs_takes_the_square_of_it(make: t.Callable[[], Document]) -> None:
    """Each takes a fraction of the bound, and took a multiple of it, or never ended, when it was looked at in pairs."""
    given = make()
    nodes = given.pop("nodes")
    began = time.process_time()
    decide(nodes, given.pop("jobs", ()), **given)
    assert time.process_time() - began < 5


def test_a_job_on_an_address_that_many_entries_have_is_kept_once() -> None:
    nodes = [node(SIZE, address="10.0.0.1") for _number in range(500)]
    large = job(own(1, 10_000), on=["10.0.0.1"])
    tracemalloc.start()
    decide(nodes, [large], request=ASKING)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60 * 2**20
