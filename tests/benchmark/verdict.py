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
from dataclasses import dataclass
from functools import partial
from statistics import median

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.simulation import documents

NODES = 10_000
JOBS = 20_000
ROUNDS = 9
"""Odd, for a median. Each round parses, and decides every request once: a machine that is slow is so for both."""
GPU = documents.GPU
NPU = "huawei.com/ascend-snt9"
OWN = "c237e9e1-50e7-4c4d-97ba-f4a5e0f62f70"


@dataclass(frozen=True)
class Cards:
    """What nodes of a pool have: the name of their cards, the flavor, and whether they tell which cards are free."""

    resource: str
    flavor: str
    have_texts: bool


KINDS = (Cards(GPU, "modelarts.vm.gpu.{}", have_texts=False), Cards(NPU, "modelarts.kat1.8xlarge.{}", have_texts=True))


def large_pool(rng: random.Random, cards: Cards) -> tuple[list[documents.Document], list[documents.Document]]:
    """(nodes, jobs): every node differs a little from the next, and every third job waits or is over."""
    nodes, jobs = [], []
    running = JOBS * 2 // 3
    shares: list[list[int]] = [[] for _i in range(NODES)]
    for number in range(running):
        shares[rng.randrange(NODES)].append(number)
    for number in range(NODES):
        size = {"cpu": "63200m", "memory": "500Gi", cards.resource: "8"}
        taken = min(8, sum(1 + job % 3 for job in shares[number]))
        free = {
            "cpu": f"{63200 - taken * 7000 - rng.randrange(900)}m",
            "memory": f"{500 - taken * 50}Gi",
            cards.resource: str(8 - taken),
        }
        state: dict[str, t.Any] = {"drain": True} if rng.random() < 0.01 else {}
        if cards.have_texts:
            own = rng.sample(range(8), taken)
            text = "".join("1" if 15 - place in own else "0" for place in range(16))
            state["annotations"] = {"os.modelarts/npu-topology-placement": text}
        nodes.append(documents.node(size, free, flavor=cards.flavor.format(number % 4), **state))
        address = documents.address_of(nodes[-1])
        for job in shares[number]:
            has = {"cpu": str(7 * (1 + job % 3)), "memory": "50Gi", cards.resource: str(1 + job % 3)}
            jobs.append(documents.job(has, on={address: has}, uuid=OWN if job == 0 else None, user=f"user-{job % 50}"))
    for number in range(JOBS - running):
        waits = number % 2 == 0
        asked = {"cpu": "64", "memory": "500Gi", cards.resource: str(8 * (1 + number % 4))}
        jobs.append(documents.job(asked, "Queue" if waits else "Completed", priority=str(number % 5), seconds=number))
    return nodes, jobs


def seconds_of(call: t.Callable[[], object]) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    call()
    return time.process_time() - began


def requests_for(cards: Cards) -> dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]]:
    """Return {what it is: (request, policy)}; Ascend nodes take no request for 3 or 5 of their cards."""
    card = cards.resource
    some = (1, 2, 4) if cards.have_texts else (1, 3, 5)
    in_any_order = {"queue_strategy": "traversal"}
    return {
        "one card": ({"resources": {card: 1}, "priority": 9}, {}),
        "64 replicas of 8 cards": ({"replicas": 64, "resources": {card: 8, "cpu": 60, "memory": "400Gi"}}, {}),
        "more than fits": ({"replicas": 9000, "resources": {card: 8}}, {"headroom": "10%"}),
        "more than ever fits": ({"replicas": 11_000, "resources": {card: 8}}, {}),
        "16 whole nodes": ({"replicas": 16, "flavor": cards.flavor.format(1)}, {}),
        "master and workers": (
            {"groups": [{"resources": {"cpu": 4}}, {"replicas": 64, "resources": {card: 4, "cpu": 28}}], "priority": 9},
            in_any_order,
        ),
        "three large groups": (
            {"groups": [{"replicas": 500, "resources": {card: count, "cpu": 5 * count + 1}} for count in some]},
            in_any_order,
        ),
        "replaces a job": (
            {"replicas": 4, "resources": {card: 8}, "replaces": {"job_uuid": OWN}},
            {**in_any_order, "max_oldest_queued_seconds": 100},
        ),
    }


def measure(cards: Cards) -> bool:
    """Print the times on a pool of these cards; return whether every verdict took less than parsing."""
    nodes, jobs = large_pool(random.Random("large"), cards)
    counts = documents.counted(nodes)
    facts = documents.observed(nodes, jobs, pool_document=documents.pool(counts), placement_of=[OWN])
    texts = [json.dumps({"items": items}) for items in (nodes, jobs)]
    # A gate has the facts and no documents; these would only give the garbage collector more to look through.
    nodes.clear()
    jobs.clear()
    asked = {
        name: (read_request(request), read_policy(policy)) for name, (request, policy) in requests_for(cards).items()
    }
    parsing: list[float] = []
    verdicts: dict[str, list[float]] = {name: [] for name in asked}
    for _round in range(ROUNDS):
        parsing.append(seconds_of(lambda: [json.loads(text) for text in texts]))
        for name, (request, policy) in asked.items():
            verdicts[name].append(seconds_of(partial(capacity_verdict, facts, request, policy)))
    size = sum(len(text) for text in texts) / 1e6
    print(f"{NODES} nodes of 8 {cards.resource} and {JOBS} jobs, {size:.1f} MB of JSON, {ROUNDS} rounds")
    print(f"{'parsing the documents':<28}{min(parsing) * 1000:8.1f} ms of processor time at best")
    slowest = ("", 0.0)
    for name, times in verdicts.items():
        decision = capacity_verdict(facts, *asked[name])["decision"]
        ratio = median(took / parsed for took, parsed in zip(times, parsing))
        print(f"{name:<28}{min(times) * 1000:8.1f}  {decision:<8}{ratio:6.2f} of parsing, the median of the rounds")
        slowest = max(slowest, (name, ratio), key=lambda entry: entry[1])
    if "--profile" in sys.argv:
        profile = cProfile.Profile()
        profile.runcall(capacity_verdict, facts, *asked[slowest[0]])
        pstats.Stats(profile).sort_stats("tottime").print_stats(18)
    if slowest[1] >= 1:
        print(f"TOO SLOW: {slowest[0]} takes longer than parsing")
    return slowest[1] < 1


def main() -> int:
    are_fast = [measure(cards) for cards in KINDS]
    return 0 if all(are_fast) else 1


if __name__ == "__main__":
    sys.exit(main())
