# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All pools of a scenario, and what happens to them as time goes by."""

from __future__ import annotations

import threading
import typing as t

from .clock import Clock
from .job import HOLDING, STATUSES, Job
from .node import NODE_PHASES
from .pool import NoRoomError, Pool, checked_quirks
from .scenario import ScenarioError, checked, listed, number, one_of

_FLAVOR_KEYS = ("allocatable", "arch", "cpu", "gpu", "labels", "memory", "npu", "spec")
_EVENT_KEYS = (
    "add", "after", "after_reads", "end", "node", "phase", "pool", "remove", "scope", "start", "status",
)  # fmt: skip


class World:
    """All pools of a scenario at this moment. Hold ``lock`` while using it."""

    def __init__(self, scenario: dict[str, t.Any]) -> None:
        self.lock = threading.RLock()
        clock = checked(scenario.get("clock", {}), ("start", "frozen"), "clock")
        start = number(clock["start"], "clock.start") if "start" in clock else None
        self.clock = Clock(start, bool(clock.get("frozen", False)))
        self.flavors = {
            name: checked(flavor, _FLAVOR_KEYS, f"flavors.{name}")
            for name, flavor in scenario.get("flavors", {}).items()
        }
        quirks = checked_quirks(scenario.get("quirks", {}), "quirks")
        self.pools: dict[str, Pool] = {}
        for index, entry in enumerate(listed(scenario.get("pools", []), "pools")):
            pool = Pool(entry, self.flavors, self.clock, quirks, index)
            if pool.id in self.pools:
                raise ScenarioError(f"pools[{index}].id: two pools have the ID {pool.id}")
            self.pools[pool.id] = pool
        self._names: set[tuple[str, str]] = set()
        self._events = [
            self._checked_event(event, f"timeline[{index}]")
            for index, event in enumerate(listed(scenario.get("timeline", []), "timeline"))
        ]
        self._reads_at: dict[tuple[str, int], float] = {}

    # Timeline

    def _checked_event(self, entry: object, where: str) -> dict[str, t.Any]:
        event = checked(entry, _EVENT_KEYS, where)
        number(event.get("after"), f"{where}.after")
        wanted = event.get("pool")
        found = [pool for pool in self.pools.values() if wanted in (None, pool.id, pool.name)]
        if len(found) != 1:
            raise ScenarioError(f"{where}.pool: {wanted!r} names {len(found)} pools, not one")
        actions = [key for key in ("add", "end", "start", "remove", "node", "scope", "phase") if key in event]
        if not actions or (len(actions) > 1 and actions != ["node", "phase"]):
            raise ScenarioError(f"{where}: give one of add, end, start, remove, node with phase, scope or phase")
        if "node" in event:
            found[0].node(str(event["node"]), where)
            one_of(event.get("phase"), NODE_PHASES, f"{where}.phase")
        if "status" in event:
            one_of(event["status"], STATUSES, f"{where}.status")
        pool = found[0]
        if "add" in event:
            self._names.update((pool.id, job.name) for job in pool.job_reader.jobs_of(event["add"], f"{where}.add"))
        for key in ("end", "start", "remove"):
            if key in event and not pool.job(event[key]) and (pool.id, event[key]) not in self._names:
                raise ScenarioError(f"{where}.{key}: the pool has no job named {event[key]!r} by then")
        return {**event, "pool": pool, "where": where}

    def count_read(self, pool: Pool) -> None:
        """Remember when the pool's nodes were read for the n-th time: events can count from then."""
        pool.reads += 1
        self._reads_at[pool.id, pool.reads] = self.clock.elapsed

    def catch_up(self) -> None:
        """Apply what is due, in the order of the timeline."""
        if not self._events:
            return
        elapsed = self.clock.elapsed
        due = [event for event in self._events if self._due_at(event) <= elapsed]
        for event in sorted(due, key=self._due_at):
            self._events.remove(event)
            self._apply(event)

    def _due_at(self, event: dict[str, t.Any]) -> float:
        reads = event.get("after_reads")
        began = 0.0 if not reads else self._reads_at.get((event["pool"].id, reads), float("inf"))
        return began + t.cast(float, event["after"])

    @staticmethod
    def _apply(event: dict[str, t.Any]) -> None:
        pool: Pool = event["pool"]
        if "add" in event:
            for job in pool.job_reader.jobs_of({"age": 0, **event["add"]}, f"{event['where']}.add"):
                World._run(pool.add, job)
        elif "node" in event:
            pool.set_node_phase(event["node"], event["phase"])
        elif "scope" in event:
            pool.scope.update(event["scope"])
        elif "phase" in event:
            pool.phase = event["phase"]
        else:
            World._apply_to_job(pool, event)

    @staticmethod
    def _apply_to_job(pool: Pool, event: dict[str, t.Any]) -> None:
        action = next(key for key in ("end", "start", "remove") if key in event)
        job = pool.job(event[action])
        if job is None:
            return
        if action == "remove":
            pool.remove(job)
        else:
            World._run(pool.set_status, job, event.get("status", "Completed" if action == "end" else "Running"))

    @staticmethod
    def _run(change: t.Callable[..., None], job: Job, *arguments: str) -> None:
        """A job that finds no room when it is to run stays in the queue, as it would with a scheduler."""
        try:
            change(job, *arguments)
        except NoRoomError:
            if job.status in HOLDING:
                job.status, job.started = "Queue", None
                change(job)

    # Documents of more than one pool

    def flavor_documents(self) -> list[dict[str, t.Any]]:
        documents = []
        for name, flavor in self.flavors.items():
            spec = {"cpuArch": flavor.get("arch", "x86"), "cpu": flavor.get("cpu"), "memory": flavor.get("memory")}
            spec.update({key: flavor[key] for key in ("gpu", "npu") if key in flavor})
            spec.update({"type": "Dedicate", "billingModes": [0], **flavor.get("spec", {})})
            documents.append(
                {
                    "kind": "ResourceFlavor",
                    "apiVersion": "v1",
                    "metadata": {"name": name, "labels": flavor.get("labels", {})},
                    "spec": {key: value for key, value in spec.items() if value is not None},
                }
            )
        return documents
