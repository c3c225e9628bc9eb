# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have claimed costs the most that it can, and no more: against every way in which it may land."""

from __future__ import annotations

import itertools
import random
import typing as t
from collections import Counter
from dataclasses import replace

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import Claimed, JobsOfClaim
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need, NodeKind, Offer
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.unplaced import Unplaced
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group, read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.cards import asking, gpu_nodes
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, job, node, observed

CARDS = 1000
ORDER = ["cpu", GPU]
NO_JOBS = Unplaced({}, 0, frozenset())


def claimed(replicas: int, cards: int, cpu: int = 0, **more: t.Any) -> Claimed:
    resources = {GPU: cards * CARDS, **({"cpu": cpu * 1000} if cpu else {})}
    total = {name: amount * replicas for name, amount in resources.items()}
    return Claimed(total=total, shapes=[Group(replicas, resources, None)], **more)


def decide(nodes: t.Any, request: t.Any, room: Claimed, jobs: t.Any = (), **policy: t.Any) -> t.Any:
    strictness = read_policy({"queue_strategy": "traversal", **policy})
    return capacity_verdict(observed(nodes, jobs), read_request(dict(request)), strictness, claimed=room)


def test_what_is_claimed_is_taken_off_and_said() -> None:
    verdict = decide(gpu_nodes(8, 8), asking(1, 8), claimed(1, 8))
    assert verdict["decision"] == "admit"
    verdict = decide(gpu_nodes(8, 8), asking(2, 8), claimed(1, 8))
    assert verdict["decision"] == "wait"
    check = next(one for one in verdict["checks"] if one["name"] == GPU)
    assert (check["free"], check["claimed"], check["missing"]) == (16, 8, 8)
    assert verdict["brief"] == "gpu need 16, free 16, claimed 8, short 8"


def test_a_claim_of_one_replica_takes_one_place() -> None:
    """By its cards alone it could be eight jobs of one card, on eight nodes."""
    assert decide(gpu_nodes(8, 8), asking(1, 8), claimed(1, 8))["decision"] == "admit"
    assert decide(gpu_nodes(8, 8), asking(1, 8), claimed(2, 4))["decision"] == "wait"
    assert (
        decide(gpu_nodes(8, 8), asking(1, 8, resources={GPU: 8, "cpu": 30}), claimed(1, 8, 30))["decision"] == "admit"
    )


def test_a_claim_on_a_part_of_a_node_takes_no_more_places_than_it_is_large() -> None:
    assert decide(gpu_nodes(8), asking(6, 1), claimed(1, 2))["decision"] == "admit"
    assert decide(gpu_nodes(8), asking(7, 1), claimed(1, 2))["decision"] == "wait"


def test_a_whole_node_that_is_claimed() -> None:
    whole = Claimed(total={GPU: 8 * CARDS}, shapes=[Group(1, None, "flavor")])
    offers = {Offer((8 * CARDS,), NodeKind("flavor"), True): 2, Offer((8 * CARDS,), NodeKind("other"), True): 1}
    assert whole.most_lost(offers, Need(1, (1 * CARDS,), None), [GPU], NO_JOBS) == 8
    assert whole.most_lost(offers, Need(1, None, "flavor"), [GPU], NO_JOBS) == 1


def test_what_is_admitted_later_leaves_the_earlier_one_its_place() -> None:
    """The later one may be submitted first, and land on the only node that is whole."""
    nodes = gpu_nodes(8, 4)
    verdict = decide(nodes, asking(1, 4), claimed(1, 8))
    assert verdict["decision"] == "wait"
    assert "may take places that others have claimed" in verdict["reasons"][0]
    assert decide(gpu_nodes(8, 8), asking(1, 4), claimed(1, 8))["decision"] == "admit"
    assert decide(nodes, asking(1, 4), claimed(1, 4))["decision"] == "admit"


def test_a_request_that_asks_for_no_places_leaves_others_theirs() -> None:
    nodes, whole = gpu_nodes(8, 4), claimed(1, 8)
    verdict = decide(nodes, asking(1, 4), whole, placement="aggregate")
    assert verdict["decision"] == "wait"
    assert verdict["reasons"][0].startswith("placement: 1 replica by sums alone; they may take places ")
    assert decide(gpu_nodes(8, 8), asking(1, 4), whole, placement="aggregate")["decision"] == "admit"
    # Where the claim was promised no places either, amounts are all that there is.
    loose = Claimed(total=whole.total, loose=whole.shapes)
    assert decide(nodes, asking(1, 4), loose, placement="aggregate")["decision"] == "admit"
    assert decide(nodes, asking(1, 8), loose)["decision"] == "wait", "it takes a place all the same"
    assert decide(nodes, asking(2, 4), loose)["decision"] == "wait"


def test_claims_of_very_many_shapes_are_not_tried_out() -> None:
    shapes = [Group(1, {GPU: 1, "cpu": number}, None) for number in range(101)]
    verdict = decide(gpu_nodes(8, 8), asking(1, 1), Claimed(shapes=shapes))
    assert verdict["decision"] == "unknown"
    assert "too many to check" in verdict["reasons"][0]
    offers = {Offer((8000, 8 * CARDS), NodeKind(None), True): 2}
    assert Claimed(shapes=shapes).most_lost(offers, Need(1, (0, CARDS), None), ORDER, NO_JOBS) == 16, "all places"
    assert decide(gpu_nodes(8, 8), asking(1, 1), Claimed(shapes=shapes[:1] * 10))["decision"] == "admit"


def test_a_shape_is_held_against_a_kind_of_node_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each against each of the others on each of the nodes would take minutes, from a document of some kilobytes."""
    counted: Counter[str] = Counter()
    fits = Offer.fits

    def count(offer: Offer, need: Need) -> int:
        counted["fits"] += 1
        return fits(offer, need)

    monkeypatch.setattr(Offer, "fits", count)
    offers = {Offer((number * 1000, 8 * CARDS), NodeKind(None), True): 1 for number in range(100, 130)}
    shapes = [Group(1, {GPU: CARDS, "cpu": number}, None) for number in range(20)]
    asked = [Group(1, {GPU: CARDS}, None)]
    assert Claimed(shapes=shapes).keeps_its_places(offers, asked, Unplaced({GPU: CARDS}, 1, frozenset()), ORDER)
    assert counted["fits"] == len(shapes) * len(offers)
    counted.clear()
    Claimed(shapes=shapes).most_lost(offers, Need(1, (0, CARDS), None), ORDER, NO_JOBS)
    assert counted["fits"] == len(offers)


def test_what_takes_too_long_to_weigh_is_not_known() -> None:
    names = [f"example.com/r{number}" for number in range(100)]
    shapes = [Group(1, {GPU: CARDS, **dict.fromkeys(names, number)}, None) for number in range(100)]
    room = Claimed(shapes=shapes)
    offers = {Offer((number, *[9] * 100), NodeKind(None), True): 1 for number in range(60)}
    assert room.is_too_much(offers)
    assert not Claimed(shapes=shapes[:10]).is_too_much(offers)
    assert not room.keeps_its_places(offers, [], NO_JOBS, [GPU, *names])


def test_a_claim_of_nothing_takes_nothing() -> None:
    for resources in ({}, {GPU: 0}):
        room = Claimed(shapes=[Group(3, resources, None)])
        assert decide(gpu_nodes(8), asking(1, 8), room)["decision"] == "admit"


def test_several_groups_are_placed_beside_what_is_claimed() -> None:
    groups = {"groups": [{"replicas": 1, "resources": {GPU: 8}}, {"replicas": 1, "resources": {GPU: 4}}]}
    assert decide(gpu_nodes(8, 8, 8), groups, claimed(1, 8))["decision"] == "admit"
    verdict = decide(gpu_nodes(8, 8), groups, claimed(1, 4))
    assert verdict["decision"] == "unknown"
    assert "the claims of others may take their places" in verdict["reasons"][0]


def test_what_is_claimed_never_rejects() -> None:
    verdict = decide(gpu_nodes(8, 8), asking(2, 8), claimed(100, 8))
    assert verdict["decision"] == "wait"


def test_claims_are_no_jobs_without_a_node() -> None:
    """What all jobs hold together has these in it, and claims are in neither: each would free as much as it takes."""

    def loose(replicas: int) -> Claimed:
        return Claimed(total={GPU: replicas * 8 * CARDS}, loose=[Group(replicas, {GPU: 8 * CARDS}, None)])

    request, running = asking(1, 8), [job({GPU: "8"}, "Running", on={"10.0.0.1": {GPU: "8"}})]
    declared = {GPU: 24 * CARDS}
    entry = observed(_error(), running)
    for room, decision in ((claimed(1, 8), "unknown"), (loose(1), "admit"), (loose(2), "wait")):
        verdict = capacity_verdict(
            entry, read_request(request), read_policy({"placement": "aggregate"}), declared, claimed=room
        )
        assert (verdict["source"], verdict["decision"]) == ("declared", decision)
        if decision == "unknown":
            assert verdict["reasons"] == ["placement: others have claimed places on nodes, but the nodes are not known"]


def _error() -> Exception:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError

    return ApiError("GET nodes returned 403.", status=403)


def test_a_job_that_waits_for_its_claim_counts_once() -> None:
    young = job({GPU: "8"}, "Queue", seconds=1)
    uuid = young["jobUUID"]
    assert decide(gpu_nodes(8, 8), asking(1, 8), claimed(1, 8), [young])["decision"] == "wait"
    of_claim = JobsOfClaim(frozenset({uuid}), {GPU: 8 * CARDS})
    assert decide(gpu_nodes(8, 8), asking(1, 8), claimed(1, 8, jobs=[of_claim]), [young])["decision"] == "admit"


@pytest.mark.parametrize(
    ("asked_for", "decision"),
    [({GPU: "4"}, "admit"), ({GPU: "4", "cpu": "8"}, "admit"), ({GPU: "4", "cpu": "48"}, "wait"), ({GPU: "8"}, "wait")],
)
def test_what_a_job_takes_beyond_its_claim_is_no_room(asked_for: dict[str, str], decision: str) -> None:
    """A request for cards alone claims only these, and a job of any size may bear the name for which it waits."""
    young = job(asked_for, "Queue", seconds=1)
    room = claimed(1, 4, jobs=[JobsOfClaim(frozenset({young["jobUUID"]}), {GPU: 4 * CARDS})])
    nodes = [node({GPU: "8", "cpu": "64"})]
    request = asking(1, 4, resources={GPU: 4, "cpu": 28})
    assert decide(nodes, request, room, [young])["decision"] == decision


def test_what_cannot_be_read_of_a_job_of_a_claim_may_be_beyond_it() -> None:
    young = job({GPU: "1", "cpu": "some"}, "Queue", seconds=1)
    room = claimed(1, 1, jobs=[JobsOfClaim(frozenset({young["jobUUID"]}), {GPU: CARDS})])
    request = asking(1, 1, resources={GPU: 1, "cpu": 1})
    verdict = decide([node({GPU: "8", "cpu": "64"})], request, room, [young])
    assert verdict["decision"] == "unknown"


def test_claims_that_are_not_known_are_no_room() -> None:
    verdict = decide(gpu_nodes(8, 8), asking(1, 1), Claimed(why_unknown="the store is down"))
    assert verdict["decision"] == "unknown"
    assert verdict["reasons"] == ["claims: the store is down"]


@pytest.mark.parametrize("seed", range(tries(400)))
def test_no_way_in_which_claims_and_jobs_land_takes_more_places(seed: int) -> None:
    """Of a job without a node nobody knows how it is split: here it is cut into pieces of one card, or of one core."""
    rng = random.Random(seed)
    nodes = [(rng.randint(0, 4) * 1000, rng.randint(0, 4) * 1000) for _node in range(rng.randint(1, 3))]
    shapes = [
        Group(rng.randint(1, 2), {"cpu": rng.randint(0, 3) * 1000, GPU: rng.randint(0, 4) * 1000}, None)
        for _shape in range(rng.randint(1, 2))
    ]
    pieces = [(0, 1000)] * rng.randint(0, 2) + [(1000, 0)] * rng.randint(0, 1)
    cards = sum(piece[1] for piece in pieces)
    pods = cards // 1000 if len(pieces) * 1000 == cards else None
    jobs = Unplaced({"cpu": sum(piece[0] for piece in pieces), GPU: cards}, pods, frozenset())
    need = Need(1, (rng.randint(0, 2) * 1000, rng.randint(1, 3) * 1000), None)
    offers = Counter(Offer(free, NodeKind(None), False) for free in nodes)

    def places(free: t.Sequence[tuple[int, ...]]) -> int:
        return sum(Offer(tuple(one), NodeKind(None), False).fits(need) for one in free)

    parts = [
        tuple((shape.resources or {})[name] for name in ORDER) for shape in shapes for _one in range(shape.replicas)
    ]
    parts += pieces
    worst = 0
    for where in itertools.product(range(len(nodes) + 1), repeat=len(parts)):
        left = [list(free) for free in nodes]
        for index, takes in zip(where, parts):
            if index < len(nodes):  # else it is on none of them
                left[index] = [has - taken for has, taken in zip(left[index], takes)]
        if all(amount >= 0 for free in left for amount in free):
            worst = max(worst, places(nodes) - places([tuple(free) for free in left]))
    assert Claimed(shapes=shapes).most_lost(offers, need, ORDER, jobs) >= worst


CARD, A3 = "huawei.com/ascend-1980", "modelarts.bm.npu.arm.16snt9b23"
SIZE = {CARD: "16", "cpu": "320", "memory": "1500Gi"}


def members(*supernodes: str | None, flavor: str = A3) -> list[t.Any]:
    """Idle nodes of supernodes, or of ones that are not told."""
    labels = ({} if name is None else {"os.modelarts.node/spod.id": name} for name in supernodes)
    return [node(SIZE, SIZE, flavor=flavor, labels=each) for each in labels]


def together(replicas: int, size: int, *, flavor: str | None = A3, cards: int = 16) -> Group:
    """Replicas in one supernode each `size`, by a flavor or by their cards."""
    return Group(replicas, None if flavor else {"huawei.com/ascend-snt9": cards * CARDS}, flavor, size)


@pytest.mark.parametrize("by_flavor", [True, False])
def test_groups_in_one_supernode_keep_it(by_flavor: bool) -> None:
    """A single node that is admitted later may break up the one supernode that the pair needs."""
    single: t.Any = {"replicas": 1, "flavor": A3} if by_flavor else {"replicas": 1, "resources": {CARD: 16}}
    pair = together(2, 2, flavor=A3 if by_flavor else None)
    for supernodes, decision in (
        (("s0", "s0", "s1"), "wait"),
        (("s0", "s0", "s0", "s0"), "admit"),
        (("s0", "s0", "s1", "s1"), "admit"),
        (("s0", None, None), "wait"),
    ):
        verdict = decide(members(*supernodes), single, Claimed(shapes=[pair]))
        assert verdict["decision"] == decision, supernodes
    loose = Claimed(loose=[pair])
    assert decide(members("s0", "s0", "s1"), single, loose)["decision"] == "admit"


@pytest.mark.parametrize(
    ("pair", "flavor"),
    [
        (together(3, 2), A3),
        (together(2, 2, flavor=None, cards=8), A3),
        (together(4, 10**18), A3),
        (together(2, 2, flavor="modelarts.pool.ai1.a5"), "modelarts.pool.ai1.a5"),
    ],
)
def test_groups_that_cannot_be_counted_hold_back(pair: Group, flavor: str) -> None:
    """A rest, replicas smaller than a node, and nodes that tell their frame in place of their supernode."""
    nodes = members(*["s0"] * 4, *["s1"] * 4, flavor=flavor)
    verdict = decide(nodes, {"replicas": 1, "flavor": flavor}, Claimed(shapes=[pair]))
    assert verdict["decision"] == "wait"
    assert "may take places that others have claimed" in verdict["reasons"][0]


@pytest.mark.parametrize("seed", range(tries(400)))
def test_no_way_in_which_others_land_takes_a_promised_group(seed: int) -> None:
    """Single replicas land on any idle node, and groups on any supernode that has so many."""
    rng = random.Random(seed)
    idle = [rng.randint(0, 4) for _supernode in range(rng.randint(1, 3))]
    offers = Counter({Offer((16 * CARDS,), NodeKind(A3), True): sum(idle)})
    size = rng.randint(2, 3)
    own = together(size * rng.randint(1, 2), size)
    others = [
        together(rng.randint(1, 2) * each, each) for each in (rng.randint(1, 3) for _other in range(rng.randint(0, 2)))
    ]
    keeps = Claimed(shapes=[own]).keeps_its_groups(
        lambda shape: sum(count // shape.affinity_group_size for count in idle), offers, others, NO_JOBS, []
    )
    parts = [one.affinity_group_size for one in others for _group in range(one.replicas // one.affinity_group_size)]
    worst = sum(count // size for count in idle)
    for where in itertools.product(range(len(idle) + 1), repeat=len(parts)):
        left = [*idle, 99]  # the last is where they take none of these
        for index, takes in zip(where, parts):
            left[index] -= takes
        if min(left) >= 0:
            worst = min(worst, sum(count // size for count in left[:-1]))
    if keeps:
        assert worst >= own.replicas // size


@pytest.mark.parametrize("seed", range(tries(200)))
def test_whatever_is_claimed_it_never_admits_more(seed: int) -> None:
    rng = random.Random(seed)
    nodes = gpu_nodes(*(rng.randint(0, 8) for _node in range(3)))
    request = asking(rng.randint(1, 3), rng.randint(1, 8))
    small = rng.random() < 0.5
    room = claimed(rng.randint(0, 2 if small else 10**6), rng.randint(0, 4 if small else 10**6), rng.randint(0, 9))
    # The jobs of its claims wait, and ask for what was claimed or for anything else.
    jobs = [
        job({GPU: str(rng.randint(0, 8)), "cpu": str(rng.choice([1, 20, 60]))}, "Queue", seconds=1)
        for _job in range(rng.randint(0, 2))
    ]
    of_claim = JobsOfClaim(frozenset(one["jobUUID"] for one in jobs), rng.choice([{}, room.total]))
    room = replace(room, jobs=[of_claim])
    order = ("reject", "wait", "unknown", "admit")
    with_claims, without = (decide(nodes, request, one, jobs)["decision"] for one in (room, Claimed()))
    assert order.index(with_claims) <= order.index(without)
    assert (with_claims == "reject") == (without == "reject")
