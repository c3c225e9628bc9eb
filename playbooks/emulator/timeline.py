# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All pools of a scenario, and what happens to them as time goes by."""

from __future__ import annotations

import threading
import typing as t

from .cards import MOST_CARDS
from .clock import Clock
from .job import HOLDING, STATUSES, Job
from .node import NODE_CHANGES, checked_changes
from .pool import POOL_CHANGES, NoRoomError, Pool, checked_pool_changes, checked_quirks
from .scenario import (
    ScenarioError,
    checked,
    flag,
    listed,
    mapping_of,
    number,
    one_of,
    quantities,
    text,
    texts_by_name,
    whole,
)

_FLAVOR_KEYS = ("allocatable", "arch", "cards_together", "cpu", "gpu", "labels", "memory", "npu", "spec")
_JOB_ACTIONS = ("add", "end", "remove", "start")
_EVENT_KEYS = frozenset(("after", "after_reads", "node", "pool", "status", *_JOB_ACTIONS, *NODE_CHANGES, *POOL_CHANGES))
# The last second but a few of the year 2100: documents write times in four digits of a year.
_LATEST_START = 4_102_444_799


def _checked_flavor(entry: object, where: str) -> dict[str, t.Any]:
    flavor = checked(entry, _FLAVOR_KEYS, where)
    quantities(flavor.get("allocatable", {}), f"{where}.allocatable")
    if "cards_together" in flavor and not 1 <= whole(flavor["cards_together"], f"{where}.cards_together") <= MOST_CARDS:
        raise ScenarioError(f"{where}.cards_together must be 1 to {MOST_CARDS}")
    texts_by_name(flavor.get("labels", {}), f"{where}.labels")
    mapping_of(flavor.get("spec", {}), f"{where}.spec")
    return flavor


class World:
    """All pools of a scenario at this moment. Hold ``lock`` while using it."""

    def __init__(self, scenario: dict[str, t.Any]) -> None:
        self.lock = threading.RLock()
        clock = checked(scenario.get("clock", {}), ("start", "frozen"), "clock")
        start = number(clock["start"], "clock.start", most=_LATEST_START) if "start" in clock else None
        self.clock = Clock(start, flag(clock.get("frozen", False), "clock.frozen"))
        self.flavors = {
            name: _checked_flavor(flavor, f"flavors.{name}")
            for name, flavor in mapping_of(scenario.get("flavors", {}), "flavors").items()
        }
        quirks = dict(mapping_of(scenario.get("quirks", {}), "quirks"))
        # How many pools ListPools gives at once; 0 is all, as it is today.
        self.pools_page = whole(quirks.pop("pools_page", 0), "quirks.pools_page")
        quirks = checked_quirks(quirks, "quirks")
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
        pool = found[0]
        whole(event.get("after_reads", 0), f"{where}.after_reads")
        if "status" in event:
            one_of(event["status"], STATUSES, f"{where}.status")
        actions = [key for key in event if key in _JOB_ACTIONS]
        changes = {key: event[key] for key in event if key in (NODE_CHANGES if "node" in event else POOL_CHANGES)}
        if "node" in event:
            pool.node(text(event["node"], f"{where}.node"), where)
            changes = checked_changes(changes, where)
        else:
            changes = checked_pool_changes(changes, where)
        stray = {*NODE_CHANGES, *POOL_CHANGES} & event.keys() - changes.keys()
        if stray or len(actions) + bool(changes) != 1 or (actions and "node" in event):
            raise ScenarioError(
                f"{where}: give one of add, end, start, remove, node with phase, driver, plugins, labels, annotations "
                "or taints, or of the pool scope, phase, driver or controlMode"
            )
        if "add" in event:
            self._names.update((pool.id, job.name) for job in pool.job_reader.jobs_of(event["add"], f"{where}.add"))
        for key in ("end", "start", "remove"):
            if key not in event:
                continue
            name = text(event[key], f"{where}.{key}")
            if not pool.job(name) and (pool.id, name) not in self._names:
                raise ScenarioError(f"{where}.{key}: the pool has no job named {name!r} by then")
        event["changes"] = changes
        return {**event, "pool": pool, "where": where}

    def count_read(self, pool: Pool) -> None:
        """Remember when the pool's nodes were read for the n-th time: events can count from then."""
        pool.reads += 1
        self._reads_at[pool.id, pool.reads] = self.clock.elapsed

    def catch_up(self) -> None:
        """Apply what is due, in the order of the timeline, and let the queues move after each of it."""
        elapsed = self.clock.elapsed
        due = [event for event in self._events if self._due_at(event) <= elapsed]
        for event in sorted(due, key=self._due_at):
            self._events.remove(event)
            self._apply(event)
            event["pool"].run_queue()
        for pool in self.pools.values():
            pool.run_queue()

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
            pool.change_node(event["node"], event["changes"])
        elif event["changes"]:
            pool.change(event["changes"])
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
        """Change the job; one that finds no room when it is to run stays in the queue, as it would with a scheduler."""
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
