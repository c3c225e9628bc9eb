# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents with fields missing, null, of another type, out of bounds: facts or one sentence, never an admission."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.columns import WIDTH
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.document import Observed, report_document
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.markdown import markdown
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import attempt_line_of_page, page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from hypothesis import given, settings
from hypothesis import strategies as st

from . import documents as docs
from .documents import DOCUMENTS, FLAVOR, GPU, MISSING, NPU, REFUSED, Document, Place, changed, job, places, world

World = dict[str, Document]
Asked = dict[str, t.Any]

ASKED = {"type": "train", "replicas": 3, "resources": {GPU: 4, "cpu": 30, "memory": "200Gi"}}
ROOM = world([job(1, "Running", 4, "10.0.0.2"), job(2, "Completed", 8)], 8, 4)
"""Exactly as much room as is asked for."""


def put(base: World, document: str, place: Place, value: t.Any) -> World:
    """The same world with a value at a place, which may be a new key."""
    above = docs.at_place(base[document], place[:-1])
    kept = list(above) if isinstance(above, list) else dict(above)
    kept[place[-1]] = value
    return {**base, document: changed(base[document], place[:-1], kept)}


def closed_worlds() -> dict[str, tuple[World, Asked]]:
    """Pools that do not admit, each for one reason."""
    running = job(1, "Running", 4, "10.0.0.2")
    node = ("items", 0)
    return {
        "a job ahead": (world([running, job(2, "Queue", 8)], 8, 4), {}),
        "a job pending": (world([running, job(2, "Pending", 1)], 8, 8), {"request": {**ASKED, "replicas": 2}}),
        "a job ahead by priority": (
            world([running, job(2, "Queue", 8, priority="5")], 8, 8),
            {"request": {**ASKED, "replicas": 1, "priority": 3}, "policy": {"headroom": {GPU: 1}}},
        ),
        "a job ahead of its type": (world([running, job(2, "Queue", 8)], 8, 8), {"policy": {"queue_scope": "type"}}),
        "all cards held": (world([running, job(3, "Running", 8, "10.0.0.1")], 0, 4), {}),
        "a job without a node": (world([running, job(3, "Creating", 4)], 8, 4), {}),
        "jobs that are missing": (put(ROOM, "workloads", ("total",), 3), {}),
        "a taint": (put(ROOM, "nodes", (*node, "spec", "taints", 0, "effect"), "NoSchedule"), {}),
        "a node that is drained": (
            put(ROOM, "nodes", (*node, "metadata", "annotations", "os.modelarts.node/drain"), "true"), {},
        ),
        "a node that is reserved": (
            put(
                ROOM, "nodes",
                (*node, "metadata", "labels", "os.modelarts.node/volcano.scheduler.cabinet-exclusive"), "job-x",
            ), {},
        ),
        "a node of a logical pool": (
            put(ROOM, "nodes", (*node, "metadata", "labels", "os.modelarts.node/elastic.quota"), "sub"), {},
        ),
        "a node that is abnormal": (put(ROOM, "nodes", (*node, "status", "phase"), "Abnormal"), {}),
        "a pool that is created": (put(ROOM, "pool", ("status", "phase"), "Creating"), {}),
        "a type that is not enabled": (put(ROOM, "pool", ("status", "scope", 0, "state"), "Disabled"), {}),
        "a logical pool": (put(ROOM, "pool", ("status", "parent"), "pool-other"), {}),
        "logical pools": (
            put(ROOM, "pool", ("metadata", "annotations", "os.modelarts.pool/subpools.count"), "2"), {},
        ),
        "metrics alone, full": (
            {**world([running], 4, 4), "nodes": REFUSED}, {"policy": {"placement": "aggregate"}},
        ),
        "a declared capacity, full": (
            {**world([job(1, "Running", 8, "10.0.0.1")], 4, 4), "nodes": REFUSED, "metrics": REFUSED},
            {"request": {**ASKED, "resources": {GPU: 4}}, "declared": {GPU: 16}},
        ),
        "a queue that is old": (
            world([running, job(2, "Queue", 1, priority="0")], 8, 8),
            {
                "request": {**ASKED, "replicas": 1, "priority": 3},
                "policy": {"max_oldest_queued_seconds": 10, "queue_strategy": "backfill"},
            },
        ),
    }  # fmt: skip


WORLDS = closed_worlds()
DEEP: t.Any = "x"
for _i in range(40):
    DEEP = [DEEP]
UNREADABLE: tuple[t.Any, ...] = (True, -7, "???", {}, ["???"])
NOT_SAID: tuple[t.Any, ...] = (MISSING, None)
IS_WHOLE = tries(10) == 10

# What is optional: nothing there, or nothing in it, says that there is none.
OPTIONAL = {
    "a taint": (("spec",), ("spec", "taints"), ("spec", "taints", 0)),
    "a node that is drained": (("metadata",), ("metadata", "annotations"), ("metadata", "annotations", "*")),
    "a node that is reserved": (("metadata",), ("metadata", "labels"), ("metadata", "labels", "*")),
    "a node of a logical pool": (("metadata",), ("metadata", "labels"), ("metadata", "labels", "*")),
    "a logical pool": (("status", "parent"),),
    "logical pools": (("metadata",), ("metadata", "annotations"), ("metadata", "annotations", "*")),
    "a job without a node": (("items", 1, "resourceRequirement"),),
    "a declared capacity, full": (("items", 0, "resourceRequirement"), ("items", 0, "resourceRequirement", GPU)),
}
# Another number is a number: what it says counts.
NUMBERS = {"a queue that is old": ("pendingDuration", "createTime"), "a job ahead by priority": ("priority",)}


def verdict_on(base: World, asked: Asked) -> str:
    """The decision, after all that a gate does with it; "error" when nothing could be read."""
    try:
        facts = docs.facts_of(base, placement_of=["uuid-1"])
        json.dumps(facts)
        docs.pools_of(*(base[name] for name in ("pool", "nodes", "metrics")))
    except ModelArtsError as error:
        assert error.message, error
        assert error.message.isprintable(), error.message
        return "error"
    verdict = docs.verdict_of(facts, {"request": ASKED, **asked})
    json.dumps(verdict)
    lines = [*page(verdict), attempt_line_of_page(verdict, "2026-01-01T00:00:00Z", 1, 2)]
    assert all(len(line) <= WIDTH for line in lines), lines
    lines += report_on(facts["pools"][0], verdict, {"request": ASKED, **asked})
    assert all(line.isprintable() for line in lines), lines
    return t.cast(str, verdict["decision"])


def report_on(facts: Document, verdict: Document, asked: Asked) -> list[str]:
    """The lines of the report's files, of which the one for machines can be written."""
    candidate = Observed(read_request(asked["request"]), facts, verdict)
    outcome = {**verdict, "attempts": 1}
    document = report_document(outcome, [candidate], read_policy(asked.get("policy")), "2026-01-01T00:00:00Z", None)
    json.dumps(document)
    return [*markdown(document, [verdict]).split("\n"), *html_page(document).split("\n")]


def decision_on(base: World, asked: Asked) -> str:
    try:
        return t.cast(str, docs.verdict_of(docs.facts_of(base), {"request": ASKED, **asked})["decision"])
    except ModelArtsError:
        return "error"


def is_optional(name: str, document: str, place: Place) -> bool:
    inner = place[2:] if document == "nodes" else place
    if document == "metrics":
        return False
    return any(
        len(pattern) == len(inner) and all(one in ("*", key) for one, key in zip(pattern, inner))
        for pattern in OPTIONAL.get(name, ())
    )


def met_at(world_number: int, place_number: int) -> tuple[t.Any, ...]:
    """What a place meets in a world: all of it with EFFORT=full; else two, and all of it in five worlds."""
    at = world_number + place_number
    if IS_WHOLE:
        return (*UNREADABLE, *NOT_SAID)
    return UNREADABLE[at % len(UNREADABLE)], NOT_SAID[at % len(NOT_SAID)]


def test_the_worlds_are_what_they_should_be() -> None:
    assert verdict_on(ROOM, {}) == "admit"
    assert {
        name: verdict_on(base, asked) for name, (base, asked) in WORLDS.items() if verdict_on(base, asked) == "admit"
    } == {}


@pytest.mark.parametrize("name", WORLDS)
def test_what_cannot_be_read_never_opens_a_closed_gate(name: str) -> None:
    """Every place of every document, with what cannot be read and with nothing."""
    base, asked = WORLDS[name]
    world_number = list(WORLDS).index(name)
    opened = []
    decisive = DOCUMENTS if base["nodes"] == REFUSED else DOCUMENTS[:-1]
    for document in decisive:
        for number, place in enumerate(places(base[document]) if base[document] != REFUSED else ()):
            for value in met_at(world_number, number):
                unsaid = value is MISSING or value is None or value == {}
                if not place and unsaid:
                    continue  # an empty object is an empty list: see the tests of the client
                if document == "workloads" and place == ("total",):
                    continue  # a total that cannot be read is not told, and then a short page is the end
                if place[-1:] == (GPU,) and value is None:
                    unsaid = False  # a quantity that is null is one that cannot be read
                if unsaid and is_optional(name, document, place):
                    continue
                if place and place[-1] in NUMBERS.get(name, ()) and value == -7:
                    continue
                if decision_on({**base, document: changed(base[document], place, value)}, asked) == "admit":
                    opened.append((document, place, "missing" if value is MISSING else repr(value)[:30]))
    assert opened == []


MUST_BE_READABLE = [
    *(("nodes", ("items", 0, *rest)) for rest in [
        ("status",), ("status", "phase"), ("status", "availableResources"), ("status", "availableResources", GPU),
        ("status", "availableResources", "cpu"), ("status", "availableResources", "memory"),
    ]),
    *(("pool", place) for place in [
        ("status",), ("status", "phase"), ("status", "scope"), ("status", "scope", 0),
        ("status", "scope", 0, "scopeType"), ("status", "scope", 0, "state"),
    ]),
    ("nodes", ("items", 0)), ("nodes", ("items",)), ("workloads", ("items",)), ("workloads", ("items", 0)),
]  # fmt: skip


@pytest.mark.parametrize(("document", "place"), MUST_BE_READABLE)
def test_what_an_admission_stands_on_must_be_readable(document: str, place: Place) -> None:
    for value in (*UNREADABLE, *NOT_SAID):
        decision = decision_on({**ROOM, document: changed(ROOM[document], place, value)}, {})
        assert decision != "admit", (value if value is not MISSING else "missing",)


STRANGE = st.one_of(
    st.sampled_from(
        [
            MISSING, None, True, False, [], {}, [None], [[]], {"a": 1}, "", " ", "abc", "1", "-1", "08", "+5", "1_0",
            -1, 0, 1, 2**63, 10**30, 10**400, -(10**400), "9" * 5_000, 1e308, 5e-324, 3.7, "1e99", "1e-99", "1e400",
            "Infinity", "0x10", "\u0663", "\u00b2", "\U0001f600", "\ud800", "\u202e", "\x1b[31m", "a\nb", "\x00",
            "{{ lookup('pipe', 'id') }}", "x" * 70_000, "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59", "99999h", "1073m", "500 Gi", "4 Cores", "Queue", "Running", "queue", "Gone",
            "NoSchedule", "fifo", "Enabled", "Available", "Deleting", GPU, NPU, FLAVOR, DEEP, {GPU: "7 Cards"},
            {NPU: 8, "huawei.com/ascend-snt9": "8"}, {"cpu": True}, {"cpu": [1]}, [{"cpu": "1"}, {"cpu": "2"}],
        ]
    ),
    st.text(max_size=8),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.recursive(st.none() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2), max_leaves=4),
)  # fmt: skip
EVERYTHING = [
    ROOM,
    *(base for base, _asked in WORLDS.values()),
    world([job(1, "Queue", 1, resourceRequirement=[{"cpu": "1 Cores"}, {NPU: 1}], nodes={"hostIp": "10.0.0.1"})], 8),
]
PLACES = {
    (index, name): list(places(base[name]))
    for index, base in enumerate(EVERYTHING)
    for name in DOCUMENTS
    if base[name] != REFUSED
}
RUNS = tries(2_500)
BUDGET = 60.0
"""Four documents a run; seconds for all of them, on a machine that has other things to do."""


def test_ten_thousand_strange_documents() -> None:
    read = {"documents": 0, "longest": 0.0}
    indices = st.integers(0, len(EVERYTHING) - 1)
    spots = st.integers(0, 10**6)

    @settings(max_examples=RUNS, database=None)
    @given(
        index=indices, changes=st.lists(st.tuples(st.sampled_from(DOCUMENTS), spots, STRANGE), min_size=1, max_size=5)
    )
    def run(index: int, changes: list[tuple[str, int, t.Any]]) -> None:
        strange = dict(EVERYTHING[index])
        for name, spot, value in changes:
            known = PLACES.get((index, name))
            if known:
                strange[name] = changed(strange[name], known[spot % len(known)], value)
        began = time.monotonic()
        verdict_on(strange, {})
        read["longest"] = max(read["longest"], time.monotonic() - began)
        read["documents"] += len(DOCUMENTS)

    began = time.monotonic()
    run()
    assert read["documents"] >= len(DOCUMENTS) * RUNS, read
    assert read["longest"] < 5, read
    assert time.monotonic() - began < 5 * BUDGET
