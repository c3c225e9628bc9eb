# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of every kind, for the tests of their files and of how a browser shows them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import best_decision, capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.document import Observed, report_document
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.files import ReportDirectory
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    address_of,
    job,
    metrics,
    node,
    observed,
    pool,
    refused,
)

NPU = "huawei.com/ascend-1980"
SIZE = {"cpu": "94", "memory": "960Gi", GPU: "8"}
DAY = 86400
WRITTEN_AT = "2026-11-26T12:31:05Z"
REQUEST = {"replicas": 2, "type": "train", "resources": {GPU: 4, "cpu": 20, "memory": "200Gi"}}
HOSTILE = "<script>alert(1)</script>`x`|**b**{{ 7*7 }}\u202egnp.exe @all\x1b[2J</title></code>&amp;\n/close \ud800"

Asked = tuple[Document, Document]


def free(cards: int) -> Document:
    """What is free on a node with so many free cards."""
    return {"cpu": str(94 - 10 * (8 - cards)), "memory": f"{960 - 100 * (8 - cards)}Gi", GPU: str(cards)}


def nodes_of(*cards: int, **states: t.Any) -> list[Document]:
    """Nodes with so many free cards."""
    return [node(SIZE, free(each), **states) for each in cards]


def named(nodes: list[Document], name: str) -> list[Document]:
    for number, item in enumerate(nodes, 1):
        item["metadata"]["name"] = f"{name}-{number:02}"
    return nodes


def team_pool() -> tuple[list[Document], list[Document], Document]:
    """(nodes, jobs, pool): nine nodes, of which two are left out."""
    nodes = nodes_of(0, 0, 0, 3, 6, 8, 8) + nodes_of(8, taints=["NoSchedule"]) + nodes_of(8, drain=True)
    addresses = [address_of(item) for item in named(nodes, "train-a100")]
    jobs = [
        job({GPU: "16", "cpu": "160"}, name="llm-pretrain-7b", user="ml-team-a", on=addresses[:2], seconds=2 * DAY),
        job({GPU: "8", "cpu": "80"}, name="llm-sft-13b", user="ml-team-b", on=[addresses[2]], seconds=32400),
        job({GPU: "5"}, name="review", user="ml-team-c", kind="notebook", on=[addresses[3]], seconds=7200),
        job({GPU: "2"}, name="search", user="ml-team-d", kind="infer", on=[addresses[4]], seconds=10 * DAY),
    ]
    return nodes, jobs, pool({FLAVOR: 9}, label="train-a100")


def queued(count: int) -> list[Document]:
    sizes = [{GPU: str(8 * (number % 5 + 1))} for number in range(count)]
    return [
        job(size, "Queue", name=f"sweep-{number}", user=f"ml-team-{'abcd'[number % 4]}", seconds=90000 // (number + 1))
        for number, size in enumerate(sizes)
    ]


def room() -> list[Asked]:
    nodes, jobs, document = team_pool()
    return [(REQUEST, observed(nodes, jobs, pool_document=document))]


def waiting() -> list[Asked]:
    nodes, jobs, document = team_pool()
    return [({**REQUEST, "replicas": 7}, observed(nodes, jobs + queued(12), pool_document=document))]


def hopeless() -> list[Asked]:
    nodes, jobs, document = team_pool()
    return [({"resources": {GPU: 16}}, observed(nodes, jobs, pool_document=document))]


def unknown() -> list[Asked]:
    old = metrics({GPU: 64}, {GPU: 8}, age=2520)
    return [(REQUEST, observed(refused(), queued(3), metric_items=[old]))]


def unread() -> list[Asked]:
    error = refused(503)
    return [(REQUEST, observed(error, error, pool_document=error, metric_items=error))]


def several() -> list[Asked]:
    cpu = {"cpu": "64", "memory": "250Gi"}
    mixed = [node(cpu, {**cpu, "cpu": str(left)}, flavor="modelarts.vm.cpu.64u") for left in (64, 40, 12, 3)]
    asked = [
        *waiting(),
        ({"replicas": 2, "resources": {"cpu": 30}}, observed(mixed + nodes_of(8, 2))),
        ({"replicas": 2, "flavor": FLAVOR}, observed(nodes_of(8, 8, 0))),
        *unknown(),
        *unread(),
    ]
    for number, (_request, facts) in enumerate(asked):
        facts["pool_name"] = f"pool-{number}-3c7e52d1f0984b6a8e5d2b7c41a96f03"
    return asked


def many(count: int) -> list[Asked]:
    """A pool with so many nodes, of which some are left out and of one not all could be read."""
    cards = (0, 0, 0, 0, 8, 0, 1, 0, 2, 0, 4)
    nodes = nodes_of(*(cards[number % len(cards)] for number in range(count - 15)))
    nodes += nodes_of(*[8] * 9, taints=["NoSchedule"]) + nodes_of(*[8] * 5, phase="Abnormal")
    nodes.append(node(SIZE, {**SIZE, GPU: "x"}))
    request = {"replicas": 64, "type": "train", "resources": {GPU: 8}}
    return [(request, observed(nodes, queued(120), pool_document=pool({FLAVOR: count}, label="research")))]


def cards() -> list[Asked]:
    """Ascend nodes: rings of four, pairs, any cards, and some of which it is not known which cards are free."""
    rings, pairs, any_cards = "modelarts.kat1.8xlarge", "modelarts.bm.npu.arm.16snt9b23", "modelarts.bm.npu.arm.8snt9b3"
    texts = ("0000000011001100", "0000000000001111", "0000000010000001", "0000000000000000", "0000000011111111")
    on_rings = [npu_node(rings, 8, text) for text in texts]
    on_rings += [npu_node(rings, 8, None, free=4), npu_node(rings, 8, "0000000000000000", drain=True)]
    on_pairs = [npu_node(pairs, 16, text) for text in ("1111111111100010", "0101010111110000", "0000000000000011")]
    asked = [
        ({"replicas": 2, "type": "train", "resources": {NPU: 4}}, named(on_rings, "ascend")),
        ({"replicas": 3, "type": "train", "resources": {NPU: 6}}, named(on_pairs, "super")),
        ({"resources": {NPU: 5}}, named([npu_node(any_cards, 8, "0000000001001001")], "any")),
        ({"resources": {NPU: 4}}, named([npu_node("own", 8, "0000000011001100")], "own")),
    ]
    entries = [(request, observed(nodes)) for request, nodes in asked]
    for number, (_request, facts) in enumerate(entries):
        facts["pool_name"] = f"pool-{number}-3c7e52d1f0984b6a8e5d2b7c41a96f03"
    return entries


def npu_node(flavor: str, count: int, text: str | None, free: int | None = None, **states: t.Any) -> Document:
    size = {"cpu": "192", "memory": "1500Gi", NPU: str(count)}
    left = {**size, NPU: str(count - (text or "").count("1") if free is None else free)}
    annotations = {} if text is None else {"os.modelarts/npu-topology-placement": text}
    return node(size, left, flavor=flavor, annotations=annotations, **states)


def hostile() -> list[Asked]:
    """Every text that the API has is such as nobody should call anything."""
    nodes = nodes_of(0, 0, taints=["NoSchedule"]) + nodes_of(8)
    for item in nodes:
        item["metadata"]["name"] = HOSTILE
        item["spec"]["flavor"] = HOSTILE
        for taint in item["spec"]["taints"]:
            taint["key"] = HOSTILE
    jobs = [
        job({GPU: "8"}, name=HOSTILE, user=HOSTILE, kind=HOSTILE, on=[address_of(nodes[0])]),
        job({GPU: "64"}, "Queue", name=HOSTILE, user=HOSTILE, seconds=300),
    ]
    document = pool({HOSTILE: 3}, label=HOSTILE, strategy=HOSTILE, phase=HOSTILE)
    return [({**REQUEST, "replicas": 30}, observed(nodes, jobs, pool_document=document))]


CASES: dict[str, t.Callable[[], list[Asked]]] = {
    "room": room,
    "waiting": waiting,
    "hopeless": hopeless,
    "unknown": unknown,
    "unread": unread,
    "several": several,
    "cards": cards,
    "thousand": lambda: many(1000),
    "ten-thousand": lambda: many(10_000),
    "hostile": hostile,
}


def report_of(asked: t.Sequence[Asked], policy: Document | None = None) -> tuple[Document, list[Document]]:
    """(the document, the verdicts) of a gate that was asked this."""
    read = read_policy(policy)
    candidates = []
    for wanted, facts in asked:
        request = read_request(wanted)
        candidates.append(Observed(request, facts, capacity_verdict(facts, request, read)))
    verdicts = [candidate.verdict for candidate in candidates]
    outcome = {**best_decision(verdicts), "attempts": 3}
    return report_document(outcome, candidates, read, WRITTEN_AT, 90.4), verdicts


def write(folder: Path, case: str) -> Document:
    """Write the report of a case into the folder; its document."""
    document, verdicts = report_of(CASES[case](), {"headroom": {GPU: 2}})
    ReportDirectory(str(folder)).write(document, verdicts)
    return document
