# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas that must be in one supernode, each on a whole node; and only where the request says so."""

from __future__ import annotations

import itertools
import json
import random
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import Claimed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group, read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation import documents
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    Document,
    address_of,
    check_of,
    decide,
    job,
    node,
    observed,
    refused,
)

CARD = "huawei.com/ascend-1980"
A3, A5 = "modelarts.bm.npu.arm.16snt9b23", "modelarts.pool.ai1.a5"
SUPERNODE, STANDBY = "os.modelarts.node/spod.id", "os.modelarts.node/ha.redundant.enabled"
SIZE = {CARD: "16", "cpu": "320", "memory": "1500Gi"}

CARD_AS_COUNTED = "huawei.com/ascend-snt9"

VECTORS = json.loads((Path(documents.__file__).parent / "npu_vectors.json").read_text(encoding="utf-8"))
SUPERNODES = [one for one in VECTORS if "idle_whole_nodes_per_supernode" in one]


def member(name: str | None, *, idle: bool = True, flavor: str = A3, **labels: str) -> Document:
    named = {} if name is None else {SUPERNODE: name}
    return node(SIZE, SIZE if idle else {**SIZE, CARD: "8"}, flavor=flavor, labels={**named, **labels})


def members(*idle: int) -> list[Document]:
    """Supernodes with so many idle nodes, and a busy one each."""
    made = []
    for number, count in enumerate(idle):
        made += [member(f"spod-{number}") for _i in range(count)] + [member(f"spod-{number}", idle=False)]
    return made


def whole(replicas: int, size: t.Any = None, **more: t.Any) -> Document:
    grouped = {} if size is None else {"affinity_group_size": size}
    return {"replicas": replicas, "flavor": A3, **grouped, **more}


def by_cards(replicas: int, size: int, cards: int = 16) -> Document:
    return {"replicas": replicas, "resources": {CARD: cards}, "affinity_group_size": size}


def beside(claimed: Claimed, request: Document, nodes: t.Any, jobs: t.Any = ()) -> t.Any:
    strictness = read_policy({"queue_strategy": "traversal"})
    return capacity_verdict(observed(nodes, jobs), read_request(request), strictness, claimed=claimed)


@pytest.mark.parametrize("vector", SUPERNODES, ids=lambda one: str(one["id"]))
@pytest.mark.parametrize("asked", [whole, by_cards])
def test_published_examples(vector: dict[str, t.Any], asked: t.Callable[[int, int], Document]) -> None:
    nodes = members(*vector["idle_whole_nodes_per_supernode"])
    verdict = decide(nodes, request=asked(vector["instances"], vector["group_size"]))
    assert verdict["decision"] == {"yes": "admit", "no": "wait"}[vector["verdict"]], verdict["reasons"]


def test_nothing_binds_replicas_by_themselves() -> None:
    nodes = members(3, 3)
    for asked in (whole(6), whole(6, 1), whole(6, "1")):
        verdict = decide(nodes, request=asked)
        assert verdict["decision"] == "admit"
        assert not [check for check in verdict["checks"] if check["name"] == "supernodes"]


def test_a_hot_standby_is_no_member() -> None:
    nodes = [*members(1), member("spod-0", **{STANDBY: "true"})]
    verdict = decide(nodes, request=whole(2, 2))
    assert verdict["decision"] == "wait"
    assert check_of(verdict, "supernodes")["message"] == "0 of 1 group of 2 replicas on 1 supernode with 1 idle node"


def test_a_node_without_its_label_is_never_room() -> None:
    nodes = [*members(1), member(None)]
    verdict = decide(nodes, request=whole(2, 2))
    assert verdict["decision"] == "unknown"
    assert "the supernode of 1 node more is not known" in check_of(verdict, "supernodes")["message"]
    assert decide(nodes, request=whole(3, 3))["decision"] == "wait"


def test_a_node_that_is_listed_in_two_supernodes_is_in_neither() -> None:
    twice = [member("spod-0"), member("spod-1")]
    for one in twice:
        one["metadata"]["name"], one["status"]["privateIp"] = "twice", "10.9.9.9"
    for listed in (twice, twice[::-1]):
        verdict = decide([member("spod-0"), *listed], request=whole(2, 2))
        assert verdict["decision"] == "unknown"
        assert "the supernode of 1 node more is not known" in check_of(verdict, "supernodes")["message"]


def test_what_cannot_be_known_says_so() -> None:
    frames = [member("frame", flavor=A5) for _i in range(4)]
    for nodes, asked, said in (
        (members(4), whole(3, 2), "3 replicas are not a multiple of an affinity_group_size of 2"),
        (members(4), by_cards(2, 2, 8), "groups in one supernode take whole nodes"),
        (members(4), {"groups": [{"flavor": A3}, {"flavor": A3}], "affinity_group_size": 2}, "of several shapes"),
        (frames, {"replicas": 2, "flavor": A5, "affinity_group_size": 2}, "their frame, a smaller unit"),
    ):
        verdict = decide(nodes, request=asked)
        assert verdict["decision"] == "unknown", said
        assert said in check_of(verdict, "supernodes")["message"]
    verdict = decide(refused(), request=by_cards(2, 2), declared={CARD: 64})
    assert verdict["decision"] == "unknown"
    assert verdict["remedies"] == ["allow listing nodes."]


def test_a_job_that_shows_no_node_yet_may_break_up_a_group() -> None:
    nodes = members(2, 2)
    starting = job({CARD: "1"}, "Creating")
    assert decide(nodes, [starting], request=whole(2, 2))["decision"] == "admit"
    assert decide(nodes, [starting], request=whole(4, 2))["decision"] == "wait"


@pytest.mark.parametrize(
    "shape",
    [
        Group(2, {CARD_AS_COUNTED: 16_000}, None),
        Group(2, None, A3),
        Group(2, {CARD_AS_COUNTED: 1000, "cpu": 1000}, None),
    ],
    ids=["cards", "flavor", "parts"],
)
@pytest.mark.parametrize("asked", [whole, by_cards])
def test_what_others_have_claimed_may_break_up_a_group_each(
    shape: Group, asked: t.Callable[[int, int], Document]
) -> None:
    claimed = Claimed(total={CARD_AS_COUNTED: 2000}, shapes=[shape])
    verdict = beside(claimed, asked(4, 2), members(2, 2, 2))
    assert verdict["decision"] == "wait", verdict["reasons"]
    message = check_of(verdict, "supernodes")["message"]
    assert message.startswith("1 of 2 groups of 2 replicas on 3 supernodes with 6 idle nodes; ")
    assert message.endswith("; the claims of others may take nodes of the others")
    assert beside(claimed, asked(4, 2), members(2, 2, 2, 2))["decision"] == "admit"


def test_jobs_and_claims_break_up_groups_together() -> None:
    one = Claimed(total={CARD_AS_COUNTED: 16_000}, shapes=[Group(1, None, A3)])
    starting = [job({CARD: "1"}, "Creating")]
    assert beside(one, whole(4, 2), members(2, 2, 2))["decision"] == "admit"
    assert beside(one, whole(4, 2), members(2, 2, 2), starting)["decision"] == "wait"
    assert beside(one, whole(4, 2), members(2, 2, 2, 2), starting)["decision"] == "admit"


def test_a_job_that_is_replaced_gives_its_nodes_back() -> None:
    nodes = members(1)
    busy = nodes[-1]
    busy["status"]["availableResources"] = {**SIZE, CARD: "0"}
    own = job({CARD: "16"}, on={address_of(busy): {CARD: "16"}})
    asked = whole(2, 2, replaces={"job_uuid": own["jobUUID"]})
    assert decide(nodes, [own], request=asked)["decision"] == "admit"
    assert decide(nodes, [own], request=whole(2, 2))["decision"] == "wait"


def test_groups_agree_with_trying_every_set_of_nodes() -> None:
    rng = random.Random("supernodes")
    met: set[tuple[bool, str]] = set()
    for number in range(tries(2000)):
        idle = [rng.randint(0, 4) for _i in range(rng.randint(1, 3))]
        size, groups = rng.randint(2, 3), rng.randint(1, 3)
        names = [number for number, count in enumerate(idle) for _i in range(count)]
        fits = False
        for chosen in itertools.combinations(range(len(names)), size * groups) if len(names) <= 9 else ():
            counts = [sum(names[index] == name for index in chosen) for name in range(len(idle))]
            fits = fits or all(count % size == 0 for count in counts)
        if len(names) > 9:
            continue
        decision = decide(members(*idle), request=whole(size * groups, size))["decision"]
        assert (decision == "admit") is fits, (number, idle, size, groups)
        met.add((fits, decision))
    assert len(met) >= 3, met


@pytest.mark.parametrize("given", [0, -1, "two", 1.5, True])
def test_a_size_is_a_number_of_replicas(given: t.Any) -> None:
    with pytest.raises(InputError, match=r"request\.affinity_group_size is .*whole number of 1 or more"):
        read_request(whole(2, given))
