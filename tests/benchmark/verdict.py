# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the verdict takes on a large pool, beside parsing the documents that it stands on.

Run it with the collection importable: PYTHONPATH=<root of ansible_collections> python tests/benchmark/verdict.py
With --profile it also prints where the slowest verdict spends its time.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import random
import sys
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.simulation import documents

NODES = 10_000
JOBS = 20_000
REPEATS = 5
GPU = documents.GPU
OWN = "c237e9e1-50e7-4c4d-97ba-f4a5e0f62f70"


def large_pool(rng: random.Random) -> tuple[list[documents.Document], list[documents.Document]]:
    """(nodes, jobs): every node differs a little from the next, and every third job waits or is over."""
    nodes, jobs = [], []
    running = JOBS * 2 // 3
    shares: list[list[int]] = [[] for _i in range(NODES)]
    for number in range(running):
        shares[rng.randrange(NODES)].append(number)
    for number in range(NODES):
        size = {"cpu": "63200m", "memory": "500Gi", GPU: "8"}
        cards = min(8, sum(1 + job % 3 for job in shares[number]))
        free = {
            "cpu": f"{63200 - cards * 7000 - rng.randrange(900)}m",
            "memory": f"{500 - cards * 50}Gi",
            GPU: str(8 - cards),
        }
        state: dict[str, t.Any] = {"drain": True} if rng.random() < 0.01 else {}
        nodes.append(documents.node(size, free, flavor=f"modelarts.vm.gpu.{number % 4}", **state))
        address = documents.address_of(nodes[-1])
        for job in shares[number]:
            has = {"cpu": str(7 * (1 + job % 3)), "memory": "50Gi", GPU: str(1 + job % 3)}
            jobs.append(documents.job(has, on={address: has}, uuid=OWN if job == 0 else None, user=f"user-{job % 50}"))
    for number in range(JOBS - running):
        waits = number % 2 == 0
        asked = {"cpu": "64", "memory": "500Gi", GPU: str(8 * (1 + number % 4))}
        jobs.append(documents.job(asked, "Queue" if waits else "Completed", priority=str(number % 5), seconds=number))
    return nodes, jobs


def fastest(call: t.Callable[[], t.Any]) -> float:
    """Milliseconds."""
    times = []
    for _i in range(REPEATS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times) * 1000


REQUESTS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "one card": ({"resources": {GPU: 1}, "priority": 9}, {}),
    "64 replicas of 8 cards": ({"replicas": 64, "resources": {GPU: 8, "cpu": 60, "memory": "400Gi"}}, {}),
    "more than fits": ({"replicas": 9000, "resources": {GPU: 8}}, {"headroom": "10%"}),
    "more than ever fits": ({"replicas": 11_000, "resources": {GPU: 8}}, {}),
    "16 whole nodes": ({"replicas": 16, "flavor": "modelarts.vm.gpu.1"}, {}),
    "master and workers": (
        {"groups": [{"resources": {"cpu": 4}}, {"replicas": 64, "resources": {GPU: 4, "cpu": 28}}], "priority": 9},
        {"queue_strategy": "backfill"},
    ),
    "three large groups": (
        {"groups": [{"replicas": 500, "resources": {GPU: cards, "cpu": 5 * cards + 1}} for cards in (1, 3, 5)]},
        {"queue_strategy": "backfill"},
    ),
    "replaces a job": (
        {"replicas": 4, "resources": {GPU: 8}, "replaces": {"job_uuid": OWN}},
        {"queue_strategy": "backfill", "max_oldest_queued_seconds": 100},
    ),
}


def main() -> int:
    rng = random.Random("large")
    nodes, jobs = large_pool(rng)
    counts = documents.counted(nodes)
    facts = documents.observed(nodes, jobs, pool_document=documents.pool(counts), placement_of=[OWN])
    texts = [json.dumps({"items": items}) for items in (nodes, jobs)]
    parsing = fastest(lambda: [json.loads(text) for text in texts])
    size = sum(len(text) for text in texts) / 1e6
    print(f"{NODES} nodes and {JOBS} jobs, {size:.1f} MB of JSON, best of {REPEATS}, milliseconds")
    print(f"{'parsing the documents':<28}{parsing:8.1f}")
    slowest = ("", 0.0)
    for name, (request, policy) in REQUESTS.items():
        asked, strictness = read_request(request), read_policy(policy)
        took = fastest(lambda asked=asked, strictness=strictness: capacity_verdict(facts, asked, strictness))
        decision = capacity_verdict(facts, asked, strictness)["decision"]
        print(f"{name:<28}{took:8.1f}  {decision:<8}{took / parsing:6.2f} of parsing")
        slowest = max(slowest, (name, took), key=lambda entry: entry[1])
    if "--profile" in sys.argv:
        request, policy = REQUESTS[slowest[0]]
        profile = cProfile.Profile()
        profile.runcall(capacity_verdict, facts, read_request(request), read_policy(policy))
        pstats.Stats(profile).sort_stats("tottime").print_stats(18)
    if slowest[1] >= parsing:
        print(f"TOO SLOW: {slowest[0]} takes longer than parsing")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
