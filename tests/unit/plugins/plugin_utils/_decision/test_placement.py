# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The placement against one that tries everything, on thousands of pools and requests, from the documents on."""

from __future__ import annotations

import copy
import itertools
import json
import random
import typing as t
from collections import Counter
from dataclasses import replace

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import (
    Need,
    NodeKind,
    NoPlacement,
    Offer,
    Placement,
    most_replicas_placed,
    place,
)
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation import oracle
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    Document,
    address_of,
    decide,
    job,
    node,
    pool,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.generator import Case, case

CASES = tries(10_000)
SHARES = 4


def given_back(made: Case) -> tuple[list[Document], list[Document]]:
    """(nodes, jobs) once the job that is replaced has gone."""
    nodes, replaced = copy.deepcopy(made.nodes), made.request.get("replaces", {}).get("job_uuid")
    for gone in (document for document in made.jobs if document["jobUUID"] == replaced):
        shares = {share["hostIp"]: share["resourceRequirement"] for share in gone["nodes"]}
        for item in nodes:
            free = item["status"]["availableResources"] or {}
            for resource, amount in shares.get(address_of(item), {}).items():
                for key in free:
                    if oracle.card(key) == oracle.card(resource) and oracle.quantity(free[key]) is not None:
                        back = oracle.quantity(free[key]) + oracle.quantity(amount)
                        free[key] = f"{back * 1000}m" if resource != "memory" else f"{back / 2**20}Mi"
    return nodes, [document for document in made.jobs if document["jobUUID"] != replaced]


def with_services(made: Case) -> list[Document]:
    """The nodes where each entry that shows its jobs alone is older than one of them, beside services like others."""
    nodes, held = copy.deepcopy(made.nodes), oracle.held_by_host(made.jobs)
    sizes = [oracle.amounts(item["status"]["resources"], 0) for item in nodes]
    free = [oracle.amounts(item["status"]["availableResources"], oracle.UNLIMITED) for item in nodes]
    for resource in ("cpu", "memory"):
        largest = max((size.get(resource, 0) for size in sizes), default=0)
        taken = [(size.get(resource) or largest) - left.get(resource, 0) for size, left in zip(sizes, free)]
        by_jobs = [held.get(address_of(item), {}).get(resource, 0) for item in nodes]
        services = max((all_ - own for all_, own in zip(taken, by_jobs)), default=0)
        for item, all_, own, left in zip(nodes, taken, by_jobs, free):
            if 0 < own >= all_ and 0 < left.get(resource, 0) < oracle.UNLIMITED:
                less = max(0, left[resource] - services)
                item["status"]["availableResources"][resource] = f"{less * 1000}m" if resource == "cpu" else str(less)
    return nodes


def truth_of(made: Case) -> str:
    """fits, may fit (something cannot be read), later (when the pool empties) or never."""
    nodes, jobs = given_back(made)
    shapes = oracle.shapes_of(made.request)
    if oracle.places(oracle.bins_now(nodes, jobs, hopeful=False), shapes):
        return "fits"
    if oracle.places(oracle.bins_now(nodes, jobs, hopeful=True), shapes):
        return "may fit"
    return "later" if oracle.places(oracle.bins_ever(nodes, made.counts), shapes) else "never"


def sizes_known(made: Case) -> bool:
    sizes = [amount for one in oracle.bins_ever(made.nodes, made.counts) for _resource, amount in one.free]
    return made.readable and oracle.UNLIMITED not in sizes


def allowed(made: Case, truth: str) -> tuple[str, ...]:
    """The decisions that are right.

    Where a node cannot be read, what is given back on it is not known, and several groups may be unknown though they
    fit; where the size of a node is not known, nothing is refused for good.
    """
    several = len(made.request.get("groups", [made.request])) > 1
    decisions = {"fits": ("admit",), "may fit": ("unknown",), "later": ("wait",), "never": ("reject",)}[truth]
    if truth == "never" and not sizes_known(made):
        return ("reject", "wait", "unknown")
    if truth in ("fits", "may fit") and may_be_elsewhere(made):
        return ("admit", "wait", "unknown")
    if not made.readable and "replaces" in made.request:
        return (*decisions, "unknown") if truth != "may fit" else ("unknown", "wait")
    if truth == "fits" and ((not made.readable and (several or cards_not_told(made))) or services_may_hide_jobs(made)):
        return ("admit", "unknown")
    return decisions


def cards_not_told(made: Case) -> bool:
    """Whether a node does not tell how many cards it has, so that it is not known which counts of them it gives."""
    sizes = (item["status"]["resources"] or {} for item in made.nodes)
    return any(oracle.quantity(size[name]) is None for size in sizes for name in size if "/" in name)


def services_may_hide_jobs(made: Case) -> bool:
    nodes, jobs = given_back(replace(made, nodes=with_services(made)))
    return not oracle.places(oracle.bins_now(nodes, jobs, hopeful=False), oracle.shapes_of(made.request))


def may_be_elsewhere(made: Case) -> bool:
    """Whether a job asks for more than the nodes surely have that it shows."""
    sizes = {address_of(item): oracle.amounts(item["status"]["resources"], 0) for item in made.nodes}
    for one in made.jobs:
        shown = [host for host in str(one.get("hostIps", "")).split(",") if host]
        for resource, amount in oracle.amounts(one["resourceRequirement"], 0).items():
            if shown and amount > sum(sizes.get(host, {}).get(resource, 0) for host in shown):
                return True
    return False


@pytest.mark.parametrize("share", range(SHARES))
def test_the_verdict_agrees_with_brute_force(share: int) -> None:
    """One group and several: no search over at most five nodes and six replicas passes its bound."""
    met: Counter[tuple[str, bool]] = Counter()
    for seed in range(share, CASES, SHARES):
        made = case(seed)
        truth = truth_of(made)
        verdict = decide(made.nodes, made.jobs, pool_document=pool(made.counts), request=made.request)
        assert verdict["decision"] in allowed(made, truth), (
            f"case({seed}): {truth}, but {verdict['decision']} {verdict['reasons']}\n{json.dumps(made.request)}\n"
            + "\n".join(json.dumps(item["status"]) for item in made.nodes)
        )
        met[(truth, "groups" in made.request)] += 1
    for truth, several in itertools.product(("fits", "later", "never"), (False, True)):
        assert met[(truth, several)] > tries(100), met
    assert met[("may fit", False)] + met[("may fit", True)] >= tries(8), met


def offers_of(rng: random.Random, width: int) -> list[Offer]:
    kinds = [
        Offer(tuple(rng.randint(0, 8) for _i in range(width)), NodeKind(rng.choice(("a", "b"))), rng.random() < 0.5)
        for _i in range(rng.randint(1, 3))
    ]
    return [rng.choice(kinds) for _i in range(rng.randint(1, 4))]


def needs_of(rng: random.Random, width: int) -> list[Need]:
    needs = []
    for _i in range(rng.randint(1, 3)):
        amounts = tuple(rng.choice((0, 1, 2, 3, 5, 8)) for _i in range(width))
        whole = rng.random() < 0.2 or not any(amounts)
        needs.append(Need(rng.randint(1, 3), None if whole else amounts, rng.choice(("a", "b")) if whole else None))
    return needs


def answer(found: Placement | NoPlacement) -> bool | None:
    return True if isinstance(found, Placement) else None if found is NoPlacement.GAVE_UP else False


def holds(placement: Placement, offers: list[Offer], needs: list[Need]) -> bool:
    """Whether every node has room for what it takes, and the replicas are as many as are asked for."""
    takes = [taken or (0,) * len(needs) for taken in placement.by_node(offers)]
    for offer, replicas in zip(offers, takes):
        whole = [need for need, count in zip(needs, replicas) if count and need.amounts is None]
        if whole and (sum(replicas) > 1 or not offer.is_idle or offer.kind.flavor != whole[0].flavor):
            return False
        for index, free in enumerate(offer.free):
            if sum((need.amounts or (0,) * 9)[index] * count for need, count in zip(needs, replicas)) > free:
                return False
    return [sum(counts) for counts in zip(*takes)] == [need.replicas for need in needs]


def test_the_search_agrees_with_brute_force() -> None:
    rng = random.Random("search")
    met: Counter[bool | None] = Counter()
    for number in range(tries(3000)):
        width = rng.randint(1, 3)
        offers, needs = offers_of(rng, width), needs_of(rng, width)
        bins = [
            oracle.Bin(
                tuple((str(index), free) for index, free in enumerate(offer.free)), offer.kind.flavor, offer.is_idle
            )
            for offer in offers
        ]
        shapes = [
            oracle.Shape(tuple((str(index), amount) for index, amount in enumerate(need.amounts or ())), need.flavor)
            for need in needs
            for _i in range(need.replicas)
        ]
        found = place(Counter(offers), needs)
        assert answer(found) is oracle.places(bins, shapes), (number, offers, needs)
        assert not isinstance(found, Placement) or holds(found, offers, needs), (number, offers, needs, found)
        met[answer(found)] += 1
    assert min(met[True], met[False]) > tries(300), met


def test_one_group_is_exact_however_many_nodes() -> None:
    offers = Counter({Offer((8, 60), NodeKind("a"), True): 10_000, Offer((7, 60), NodeKind("a"), False): 10_000})
    need = Need(20_001, (4, 1), None)
    assert most_replicas_placed(offers, need) == 30_000
    assert isinstance(place(offers, [need]), Placement)
    assert place(offers, [Need(30_001, (4, 1), None)]) is NoPlacement.IMPOSSIBLE


@pytest.mark.parametrize(
    ("sizes", "asked", "fits"),
    [
        ((12, 12, 10, 13), ((5, 3), (2, 6), (5, 4)), True),
        ((13, 13, 12, 12, 10), ((2, 4), (4, 7), (4, 6)), False),
    ],
)
def test_past_its_bound_the_search_says_that_it_does_not_know(
    sizes: tuple[int, ...], asked: tuple[tuple[int, int], ...], fits: bool
) -> None:
    offers = Counter(Offer((size,), NodeKind(None), True) for size in sizes)
    needs = [Need(replicas, (amount,), None) for replicas, amount in asked]
    assert answer(place(offers, needs)) is fits
    assert place(offers, needs, bound=10) is NoPlacement.GAVE_UP
    assert answer(place(offers, needs[:1], bound=0)) is True
    assert place(offers, [Need(100, (1,), None), needs[1]], bound=0) is NoPlacement.IMPOSSIBLE


def landings(bins: tuple[oracle.Bin, ...], pods: t.Sequence[oracle.Shape]) -> t.Iterator[tuple[oracle.Bin, ...]]:
    """What is left of the nodes, for every way in which the pods can land."""
    if not pods:
        yield bins
        return
    for index, one in enumerate(bins):
        left = oracle.put(one, pods[0])
        if left is not None:
            yield from landings((*bins[:index], left, *bins[index + 1 :]), pods[1:])


def pods_of(rng: random.Random) -> list[Document]:
    """The pods of a job: alike, or a master without cards and its workers."""
    cards = rng.choice(("0", "1", "2", "4"))
    worker = {GPU: cards, "cpu": rng.choice(("1", "4", "7"))}
    pods = [worker] * rng.randint(1, 3)
    return [{GPU: "0", "cpu": rng.choice(("2", "9"))}, *pods[1:]] if rng.random() < 0.3 else pods


def test_wherever_the_pods_of_a_starting_job_land() -> None:
    """How a job is split is not in its document. What is admitted fits beside it on every node that it may land on."""
    met: Counter[tuple[str, bool]] = Counter()
    for number in range(1500):
        rng = random.Random(f"landing {number}")
        nodes = []
        for _i in range(rng.randint(2, 4)):
            free = {GPU: str(rng.choice((8, 8, 6, 4, 3))), "cpu": str(rng.choice((16, 16, 12, 9)))}
            nodes.append(node({GPU: "8", "cpu": "16"}, free))
        pods = pods_of(rng)
        together = {key: str(sum(int(pod[key]) for pod in pods)) for key in (GPU, "cpu")}
        group = {
            "replicas": rng.randint(1, 3),
            "resources": {GPU: rng.choice((1, 2, 4, 8)), "cpu": rng.choice((1, 4, 8))},
        }
        request = group if rng.random() < 0.7 else {"groups": [group, {"replicas": 1, "resources": {"cpu": 3}}]}
        verdict = decide(nodes, [job(together, "Creating")], request=request)
        bins = tuple(oracle.bins_now(nodes, hopeful=False))
        shapes = oracle.shapes_of(request)
        fits = all(
            oracle.places(left, shapes)
            for left in set(landings(bins, [oracle.shapes_of({"resources": pod})[0] for pod in pods]))
        )
        assert fits or verdict["decision"] != "admit", (number, together, request, verdict["checks"])
        met[(verdict["decision"], fits)] += 1
    assert met[("admit", True)] > 150, met
    assert met[("wait", False)] > 100, met


def test_no_numbers_give_all_offers_one_place_in_a_table() -> None:
    """Made for the hash of tuples of numbers, which has no key: of these pairs, each has the same."""
    pairs = [(a, b) for a in range(1, 20_000) if (b := _second_of(a)) < 10**18][:100]
    assert len({hash(pair) for pair in pairs}) == 1
    assert len({hash(Offer(pair, NodeKind("f.gpu8"), True)) for pair in pairs}) == len(pairs) == 100


_WORD = 2**64
_PRIMES = (11400714785074694791, 14029467366897019727, 2870177450012600261)  # of xxHash, which Python takes


def _second_of(first: int) -> int:
    """The number which gives the pair a hash that does not depend on the first."""
    state = _rotated((_PRIMES[2] + first * _PRIMES[1]) % _WORD, 31) * _PRIMES[0] % _WORD
    wanted = _rotated(12345 * pow(_PRIMES[0], -1, _WORD) % _WORD, 33)
    return (wanted - state) * pow(_PRIMES[1], -1, _WORD) % _WORD


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) % _WORD
