# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Days on which several deployers ask in the same second: with one store none of them is let through too many.

Jobs appear late: up to a minute after their admission they are submitted, and up to forty seconds later the list of
jobs has them. Nobody else submits, and no node fails, as neither is promised.
"""

from __future__ import annotations

import random
import typing as t
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.found import find_jobs
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import GateClaims
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import Wanted
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Documents
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import NOTHING_CLAIMED, Claimed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import NOW, observed
from ansible_collections.poolgate.modelarts.tests.unit.simulation.scheduler import (
    SIZES,
    TYPES,
    Gang,
    Group,
    Pool,
    request_of,
    uuid_of,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.test_days import groups_of

DAYS = tries(200)
DAY = 86400.0
CONTROLS = 4  # of so many days one is lived without a store, too: that it would go wrong then shows on each
MOMENTS = 8
SUBMITTED_WITHIN, LISTED_WITHIN = 60.0, 40.0


class SimulatedStore:
    """A store whose time is that of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._rows: dict[str, tuple[int, str | None]] = {}

    def has_time(self) -> bool:
        return True

    def end_in(self, seconds: float | None) -> None:
        """Take the limit, which a store in memory has no use for."""

    def read(self, _pools: t.Sequence[str] | None = None) -> Documents:
        return Documents(1e9 + self._pool.now, dict(self._rows))

    def swap(self, pool: str, version: int, text: str) -> bool:
        if self._rows.get(pool, (0, None))[0] != version:
            return False
        self._rows[pool] = (version + 1, text)
        return True


class Deployers:
    """Those that ask on one day, and what came of it."""

    def __init__(self, strategy: str, day: int, *, with_store: bool) -> None:
        self.rng = random.Random(f"claims {strategy} {day}")
        self.pool = Pool(random.Random(f"claims {strategy} {day} pool"), strategy=strategy)
        self.store: t.Any = SimulatedStore(self.pool) if with_store else None
        self.policy = read_policy({"queue_strategy": strategy})
        self.counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._listed: dict[str, float] = {}
        self._serial = 0

    def live(self) -> None:
        for when in sorted(self.rng.uniform(0, DAY) for _moment in range(MOMENTS)):
            # Some ask again while what was admitted is on its way.
            for later in (0.0, self.rng.uniform(1, 90), self.rng.uniform(90, 400)):
                self.pool.run_until(max(self.pool.now, when + later))
                self._ask_at_once(self.rng.randint(2, 5))
        self.pool.run_until(DAY * 2)

    def _ask_at_once(self, count: int) -> None:
        asking = []
        for _deployer in range(count):
            self._serial += 1
            asking.append((f"deployment-{self._serial}", self._wanted_groups(), self.rng.choice(TYPES)))
        gates = [self._gate(name) for name, _groups, _kind in asking]
        names = [gate.begin() if gate is not None else [] for gate in gates]
        entries = [self._look(wanted) for wanted in names]
        for (name, groups, kind), gate, entry in zip(asking, gates, entries):
            request = read_request(request_of(groups, kind, 1))

            def decide(claimed: Claimed, entry: t.Any = entry, request: t.Any = request) -> t.Any:
                return capacity_verdict(entry, request, self.policy, claimed=claimed)

            verdict = decide(NOTHING_CLAIMED) if gate is None else gate.judge(entry, request, decide, claims=True)
            self.counts[verdict["decision"]] += 1
            if verdict["decision"] == "admit":
                self._submit_later(name, groups, kind)

    def _wanted_groups(self) -> tuple[Group, ...]:
        flavors = sorted({node.flavor for node in self.pool.nodes.values()})
        return tuple(
            Group(group.replicas, (SIZES[group.flavor][0] - 1, SIZES[group.flavor][1] - 3, SIZES[group.flavor][2]))
            if group.flavor is not None
            else group
            for group in groups_of(self.rng, flavors)
        )

    def _gate(self, name: str) -> GateClaims | None:
        if self.store is None:
            return None
        return GateClaims(self.store, Wanted(name, name, 900, "", {}, name), Clock().time)

    def _look(self, names: t.Sequence[str]) -> t.Any:
        jobs = []
        for document in self.pool.job_documents():
            if self._listed.get(document["jobUUID"], 0.0) <= self.pool.now:
                jobs.append({**document, "jobName": self._names[document["jobUUID"]]})
        entry = observed(self.pool.node_documents(), jobs, pool_document=self.pool.pool_document())
        # Documents of the pool are as if it were always NOW, while a claim compares times of two looks.
        by_now = [{**job, "createTime": job["createTime"] + int(self.pool.now * 1000)} for job in jobs]
        entry.update(find_jobs(by_now, names, NOW + self.pool.now))
        return entry

    def _submit_later(self, name: str, groups: tuple[Group, ...], kind: str) -> None:
        def submit() -> None:
            gang = self.pool.submit(groups, kind, 1, self.rng.expovariate(1 / 5400) + 60)
            self._names[uuid_of(gang)] = name
            self._listed[uuid_of(gang)] = self.pool.now + self.rng.uniform(0, LISTED_WITHIN)
            self.pool.at(self.pool.now, lambda: self._check(gang))

        self.pool.at(self.pool.now + self.rng.uniform(0, SUBMITTED_WITHIN), submit)

    def _check(self, gang: Gang) -> None:
        self.counts["overbooked"] += gang.started is None
        if gang.started is None:
            self.pool.end(gang)


@pytest.mark.parametrize("strategy", ["fifo", "traversal"])
def test_with_one_store_nobody_is_let_through_too_many(
    strategy: str, record_property: t.Callable[[str, object], None]
) -> None:
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    admitted_on_controls = 0
    for day in range(DAYS):
        is_control = day % CONTROLS == 0
        for with_store in (True, False) if is_control else (True,):
            deployers = Deployers(strategy, day, with_store=with_store)
            deployers.live()
            counts[with_store] += deployers.counts
            admitted_on_controls += deployers.counts["admit"] * (with_store and is_control)
    said = f"{DAYS} days, with a store {dict(counts[True])}, without {dict(counts[False])} on every fourth"
    print(said)
    record_property(strategy, said)
    assert counts[True]["overbooked"] == 0, said
    assert counts[False]["overbooked"] > DAYS // CONTROLS, said
    # What claims hold back is in proportion: most of what is let through without them is let through with them.
    assert admitted_on_controls > counts[False]["admit"] // 2, said
