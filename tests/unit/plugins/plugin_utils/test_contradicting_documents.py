# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that contradict each other, or are odd where they decide: never room, and no reason to refuse for good."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    address_of,
    decide,
    job,
    metrics,
    moment,
    node,
    pool,
    refused,
)

SIZE = {"cpu": "96", "memory": "700Gi", GPU: "8"}
ASKING: Document = {"resources": {GPU: 8}}


@pytest.mark.parametrize("status", ["Queue", "Pending"])
@pytest.mark.parametrize("request_", [ASKING, {"flavor": FLAVOR}])
@pytest.mark.parametrize("split", [False, True])
def test_a_job_that_waits_and_shows_a_node_holds_what_it_has_there(
    status: str, request_: Document, split: bool
) -> None:
    """Kubernetes calls a pod Pending while its images are pulled. The entry of the node is older than the job."""
    idle = node(SIZE)
    on: t.Any = {address_of(idle): SIZE} if split else [address_of(idle)]
    waiting = job(SIZE, status, on=on, priority="1", seconds=100)
    assert decide([idle], [waiting], request={**request_, "priority": 3})["decision"] == "wait"
    backfill = {"queue_strategy": "backfill"}
    assert decide([idle], [waiting], request=request_, policy=backfill)["decision"] == "wait"


def test_whole_nodes_are_looked_for_whatever_the_policy_says_of_placement() -> None:
    """The sums over the pool know neither flavors nor idle nodes."""
    aggregate = {"placement": "aggregate"}
    busy = node(SIZE, {"cpu": "1", "memory": "1Gi", GPU: "0"})
    other = node(SIZE, flavor="other")
    assert decide([busy, other], request={"flavor": FLAVOR}, policy=aggregate)["decision"] == "wait"
    unnamed = node(SIZE, flavor=None)
    asked = decide([busy, unnamed], request={"flavor": "no.such"}, policy=aggregate, pool_document=pool({FLAVOR: 2}))
    assert asked["decision"] == "wait"
    halves = [node(SIZE, {"cpu": "50", "memory": "400Gi", GPU: "4"}) for _number in range(2)]
    assert decide(halves, request={"flavor": FLAVOR}, policy=aggregate)["decision"] == "wait"


@pytest.mark.parametrize(("own", "other"), [("infer", "x-infer"), ("Train", "train"), ("x-infer", "infer")])
def test_a_replaced_job_that_waits_hides_no_job_of_another_kind_in_its_queue(own: str, other: str) -> None:
    waiting = [job(SIZE, "Queue", kind=own, uuid="own"), job(SIZE, "Queue", kind=other)]
    verdict = decide([node(SIZE)], waiting, request={**ASKING, "replaces": {"job_uuid": "own"}})
    assert verdict["decision"] == "wait"
    assert any("1 ahead" in reason for reason in verdict["reasons"])
    alone = decide([node(SIZE)], waiting[:1], request={**ASKING, "replaces": {"job_uuid": "own"}})
    assert alone["decision"] == "admit"


def pool_with(**parts: t.Any) -> Document:
    """The pool of one node, with other values in its spec or status."""
    made = pool({FLAVOR: 1})
    for path, value in parts.items():
        part, name = path.split("__")
        made[part][name] = value
    return made


@pytest.mark.parametrize(
    "parts",
    [
        {"status__driver": {"gpu": "Abnormal"}},
        {"status__driver": {"gpu": [{"state": "Abnormal"}]}},
        {"status__driver": {"gpu": {"state": ["Abnormal"]}}},
        {"status__driver": {"gpu": {"state": ""}}},
        {"spec__type": ["Logical"]},
        {"spec__type": "logical"},
        {"spec__type": " LOGICAL "},
    ],
)
def test_a_part_of_the_pool_that_cannot_be_read_is_no_good_news(parts: Document) -> None:
    assert decide([node(SIZE)], request=ASKING, pool_document=pool_with(**parts))["decision"] == "unknown"


@pytest.mark.parametrize(
    "scopes",
    [
        ["Train"],
        [{"scopeType": None, "state": "Enabled"}],
        [{"scopeType": "Infer", "state": "Enabled"}, {"scopeType": ["Train"], "state": "Enabled"}],
    ],
)
def test_a_job_type_that_may_be_one_that_cannot_be_read_is_not_refused_for_good(scopes: list[t.Any]) -> None:
    asked = decide([node(SIZE)], request={**ASKING, "type": "train"}, pool_document=pool_with(status__scope=scopes))
    assert asked["decision"] == "unknown"


def test_blanks_around_a_job_type_are_none_of_it() -> None:
    scopes = [{"scopeType": " Train", "state": "Enabled"}]
    asked = decide([node(SIZE)], request={**ASKING, "type": "train"}, pool_document=pool_with(status__scope=scopes))
    assert asked["decision"] == "admit"


@pytest.mark.parametrize(
    "specified",
    [
        None,
        [{"flavor": FLAVOR}],
        [{"flavor": FLAVOR, "count": "2 nodes"}],
        [{"flavor": FLAVOR, "count": 3.0}],
        [{"flavor": FLAVOR, "count": 1, "maxCount": "many"}],
        [{"flavor": FLAVOR, "count": 1}, {"count": 2}],
        [{"flavor": FLAVOR, "count": 1}, FLAVOR],
    ],
)
@pytest.mark.parametrize("request_", [ASKING, {"flavor": FLAVOR}])
def test_a_count_that_cannot_be_read_makes_nothing_too_much_for_good(specified: t.Any, request_: Document) -> None:
    """The status still counts a node, which is not what the pool is meant to have."""
    asked = decide(
        [node(SIZE)], request={**request_, "replicas": 2}, pool_document=pool_with(spec__resources=specified)
    )
    assert asked["decision"] == "wait"


PLAIN = {"cpu": "96", "memory": "700Gi"}


@pytest.mark.parametrize("size", [{}, PLAIN, {**PLAIN, "pods": "110"}, {**PLAIN, GPU: "0"}])
@pytest.mark.parametrize(
    "state",
    [
        {"phase": "Creating"},
        {"driver": {"phase": "Updating"}},
        {"plugins": [{"name": "gpu", "phase": "Pending"}]},
    ],
)
def test_a_node_that_is_not_in_order_may_have_cards_later(size: Document, state: Document) -> None:
    assert decide([node(size, **state)], request=ASKING)["decision"] == "wait"


def test_a_node_that_has_lost_its_cards_or_shows_nothing_may_have_them_again() -> None:
    assert decide([node({**PLAIN, GPU: "0"})], request=ASKING)["decision"] == "wait"
    assert decide([node({**PLAIN, GPU: "0"}, phase="Abnormal")], request=ASKING)["decision"] == "wait"
    assert decide([node({}, phase="Checking")], request=ASKING)["decision"] == "wait"
    assert decide([node({})], request=ASKING)["decision"] == "unknown"
    assert decide([node(PLAIN)], request=ASKING)["decision"] == "reject"


@pytest.mark.parametrize("size", [PLAIN, {**PLAIN, GPU: "0"}, {**PLAIN, GPU: "7"}])
def test_a_node_that_is_short_of_cards_is_not_whole(size: Document) -> None:
    """Nothing runs on it. Another node of its flavor, which is busy, has eight."""
    nodes = [node(SIZE, {"cpu": "1", "memory": "1Gi", GPU: "0"}), node(size)]
    assert decide(nodes, request={"flavor": FLAVOR})["decision"] == "wait"
    assert decide([node(SIZE), *nodes], request={"flavor": FLAVOR})["decision"] == "admit"


PLENTY = {GPU: "64", "cpu": "960", "memory": "7000Gi"}
NONE = {GPU: "0", "cpu": "0", "memory": "0"}


def metrics_with(**tables: t.Any) -> Document:
    """Metrics of a pool that is idle, with other values in a table."""
    item = metrics(PLENTY, NONE)
    for path, value in tables.items():
        table, _mark, name = path.partition("__")
        if name:
            item["table"].setdefault(table, {})[name] = value
        else:
            item["table"][table] = value
    return item


def by_metrics(items: list[Document], jobs: t.Sequence[Document] = ()) -> str:
    aggregate = {"placement": "aggregate"}
    verdict = decide(refused(), jobs, request=ASKING, policy=aggregate, metric_items=items)
    return str(verdict["decision"])


@pytest.mark.parametrize(
    "items",
    [
        [metrics_with(), metrics_with(allocated__value={GPU: "?"})],
        [metrics_with(), metrics_with(capacity__value={GPU: "?"})],
        [metrics_with(), metrics_with(allocated__value=None)],
        [metrics_with(available__value={GPU: "?"})],
        [metrics_with(available__value=["?"])],
        [metrics_with(available="?")],
        [metrics(PLENTY, NONE, age=86400, window="99999h")],
        [metrics_with(capacity__window="1h", allocated__timestamp=moment(600), capacity__timestamp=moment(600))],
    ],
)
def test_metrics_that_cannot_be_read_in_one_place_are_no_room(items: list[Document]) -> None:
    assert by_metrics([metrics_with()]) == "admit"
    assert by_metrics(items) == "unknown"


def test_metrics_may_be_older_than_a_job_that_holds_what_cannot_be_read() -> None:
    assert by_metrics([metrics_with()], [job({GPU: "?"}, on=["10.0.0.1"], seconds=10)]) == "unknown"
    assert by_metrics([metrics_with()], [job({GPU: "8"}, on=["10.0.0.1"], seconds=10)]) == "admit"


@pytest.mark.parametrize("name", ["nvidia.com/GPU", "nvidia.com/gpu ", "huawei.com/ascend-910"])
def test_a_starting_job_on_cards_that_no_node_names_may_take_any(name: str) -> None:
    starting = job({**PLAIN, name: "8"}, "Creating")
    assert decide([node(SIZE), node(SIZE)], [starting], request=ASKING)["decision"] == "unknown"


def test_no_job_has_waited_for_longer_than_there_is_one() -> None:
    """One that came five seconds ago is about to start, whatever it says."""
    waiting = {**job(SIZE, "Queue", seconds=5), "pendingDuration": 99_999}
    backfill = {"queue_strategy": "backfill"}
    assert decide([node(SIZE)], [waiting], request=ASKING, policy=backfill)["decision"] == "wait"
