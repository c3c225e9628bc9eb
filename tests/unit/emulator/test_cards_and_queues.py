# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator gives jobs cards that lie together, and starts the jobs of a queue by the strategy that it is told."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator import queue as emulated
from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import ScenarioError
from ansible_collections.poolgate.modelarts.playbooks.emulator.timeline import World
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.strategies import STRATEGIES

POOL = "pool-npu-00000000000000000000000000000"
CARD = "huawei.com/ascend-1980"
RINGS, PAIRS, ANY = "modelarts.kat1.8xlarge", "modelarts.bm.npu.arm.16snt9b23", "modelarts.bm.npu.arm.8snt9b3"
PLACEMENT = "os.modelarts/npu-topology-placement"


def world(
    *jobs: dict[str, t.Any],
    flavor: str = RINGS,
    nodes: int = 1,
    timeline: t.Sequence[dict[str, t.Any]] = (),
    flavors: t.Any = None,
    **pool: t.Any,
) -> World:
    cards = "16" if flavor == PAIRS else "8"
    allocatable = {"cpu": "100", "memory": "100Gi", CARD: cards}
    return World(
        {
            "clock": {"start": 1_790_000_000, "frozen": True},
            "flavors": {flavor: {"allocatable": allocatable, **(flavors or {})}},
            "pools": [
                {"id": POOL, "nodes": [{"name": "n", "count": nodes, "flavor": flavor}], "jobs": list(jobs), **pool}
            ],
            "timeline": list(timeline),
        }
    )


def job(name: str, size: int, status: str = "Running", **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "status": status, "resources": {CARD: size}, **more}


def text_of(world: World, node: str = "n") -> str:
    document = world.pools[POOL].node(node, "test")._document()
    return t.cast(str, document["metadata"]["annotations"][PLACEMENT])


def running(world: World) -> list[str]:
    return sorted(one.name for one in world.pools[POOL].jobs if one.status == "Running")


@pytest.mark.parametrize(
    ("flavor", "sizes", "text"),
    [
        (RINGS, (2, 1, 4), "0000000011110111"),  # the ring that is filled best
        (RINGS, (4, 2), "0000000000111111"),
        (RINGS, (8,), "0000000011111111"),
        (PAIRS, (1, 2, 1), "0000000000001111"),
        (PAIRS, (1, 4), "0000000000111101"),
        (ANY, (3, 2), "0000000000011111"),
    ],
)
def test_jobs_get_cards_that_lie_together(flavor: str, sizes: tuple[int, ...], text: str) -> None:
    made = world(*(job(f"job-{index}", size) for index, size in enumerate(sizes)), flavor=flavor)
    assert text_of(made) == text


def test_a_job_shows_its_own_cards_and_gives_them_back() -> None:
    made = world(job("a", 2), job("b", 4), timeline=[{"after": 10, "end": "a"}])
    pool = made.pools[POOL]
    placement = {one.name: one.placement[0][1] for one in pool.jobs}
    assert placement == {"a": "0000000000000011", "b": "0000000011110000"}
    made.clock.advance(11)
    made.catch_up()
    assert text_of(made) == "0000000011110000"


@pytest.mark.parametrize(
    ("flavor", "there", "size"),
    [
        (RINGS, [[1, 2], [5, 6]], 4),
        (RINGS, [[1], [5]], 8),
        (RINGS, [], 3),
        (PAIRS, [[1, 3, 5, 7, 9, 11, 13, 15]], 2),
        (PAIRS, [], 3),
    ],
)
def test_what_the_scheduler_would_refuse_is_refused(flavor: str, there: list[list[int]], size: int) -> None:
    held = [job(f"held-{index}", len(cards), nodes=["n"], cards=cards) for index, cards in enumerate(there)]
    with pytest.raises(ScenarioError, match="asked does not fit on the nodes"):
        world(*held, job("asked", size), flavor=flavor)
    assert running(world(*held, job("asked", 1), flavor=flavor))[0] == "asked"


def test_a_flavor_may_say_how_many_cards_lie_together() -> None:
    held = job("held", 2, nodes=["n"], cards=[1, 5])
    assert running(world(held, job("asked", 4), flavor="own")) == ["asked", "held"]
    with pytest.raises(ScenarioError, match="asked does not fit"):
        world(held, job("asked", 4), flavor="own", flavors={"cards_together": 4})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (job("a", 2, cards=[1, 2]), "cards needs nodes"),
        (job("a", 2, nodes=["n"], cards=[1, 1]), "different card numbers"),
        (job("a", 2, nodes=["n"], cards=[0, 1]), "different card numbers"),
        (job("a", 2, nodes=["n"], cards=[1]), "a does not fit"),
        (job("a", 2, nodes=["n"], cards=[8, 9]), "a does not fit"),
    ],
)
def test_cards_of_a_scenario_that_cannot_be(entry: dict[str, t.Any], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        world(entry)


@pytest.mark.parametrize("together", [0, 17, "four"])
def test_groups_of_a_scenario_that_cannot_be(together: t.Any) -> None:
    with pytest.raises(ScenarioError, match=r"flavors\.own\.cards_together"):
        world(flavor="own", flavors={"cards_together": together})


# Queues

QUEUED = [
    job("large", 8, "Queue", age=500, priority=1),
    job("small", 2, "Queue", age=400, priority=1),
    job("urgent", 4, "Queue", age=300, priority=3),
]


@pytest.mark.parametrize(
    ("queue", "started"),
    [
        ("fifo", ["urgent"]),
        ("traversal", ["small", "urgent"]),
        ({"strategy": "ladder", "ladder_seconds": 600}, ["urgent"]),
        ({"strategy": "ladder", "ladder_seconds": 400}, ["small", "urgent"]),
        ("tiered", ["small", "urgent"]),
        (None, []),
    ],
)
def test_jobs_start_by_the_strategy(queue: t.Any, started: list[str]) -> None:
    made = world(*QUEUED, **({} if queue is None else {"queue": queue}))
    made.catch_up()
    assert running(made) == started


@pytest.mark.parametrize(("strategy", "started"), [("tiered", ["held"]), ("traversal", ["held", "small"])])
def test_by_tiers_none_starts_while_one_of_the_first_waits(strategy: str, started: list[str]) -> None:
    made = world(job("held", 4), job("urgent", 8, "Queue", priority=3), job("small", 2, "Queue"), queue=strategy)
    made.catch_up()
    assert running(made) == started


def test_the_emulator_knows_each_strategy_that_the_gate_knows() -> None:
    assert set(emulated.STRATEGIES) == STRATEGIES.keys() - {"backfill"}  # an older word for traversal


def test_a_ladder_lets_others_pass_when_its_time_is_over() -> None:
    made = world(
        job("held", 4),
        job("large", 8, "Queue", age=0),
        job("small", 2, "Queue", age=0),
        queue={"strategy": "ladder", "ladder_seconds": 60},
    )
    for seconds, started in ((59, ["held"]), (3, ["held", "small"])):
        made.clock.advance(seconds)
        made.catch_up()
        assert running(made) == started


def test_the_queue_moves_when_a_job_ends_and_when_a_node_comes_back() -> None:
    made = world(
        job("first", 8, nodes=["n-01"]),
        job("next", 8, "Queue"),
        job("last", 8, "Queue", age=10),
        nodes=2,
        queue="fifo",
        timeline=[
            {"after": 0, "node": "n-02", "phase": "Abnormal"},
            {"after": 10, "end": "first"},
            {"after": 20, "node": "n-02", "phase": "Available"},
        ],
    )
    for seconds, started in ((1, ["first"]), (10, ["next"]), (10, ["last", "next"])):
        made.clock.advance(seconds)
        made.catch_up()
        assert running(made) == started


@pytest.mark.parametrize("queue", ["lifo", {"strategy": "fifo", "seconds": 1}, {"ladder_seconds": 1}, 5])
def test_queues_of_a_scenario_that_cannot_be(queue: t.Any) -> None:
    with pytest.raises(ScenarioError, match=r"pools\[0\]\.queue"):
        world(queue=queue)
