# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource pools: their nodes and jobs, and how both change."""

from __future__ import annotations

import random
import re
import typing as t
from bisect import insort

from .clock import Clock
from .job import HOLDING, JOB_TYPES, WAITING, Job, JobReader, JobWriter
from .node import Node, NodeReader
from .queue import checked_queue
from .rights import refusal_of
from .scenario import (
    LARGEST_COUNT,
    ScenarioError,
    checked,
    flag,
    listed,
    mapping_of,
    number,
    one_of,
    optional_text,
    text,
    texts_by_name,
    whole,
)

POOL_TYPES = ("Dedicate", "Logical")
DRIVER_STATES = ("Creating", "Upgrading", "Running", "Abnormal")
WORKSPACE_LABEL = "os.modelarts/workspace.id"
# Of a pool, what an event of the timeline can change.
POOL_CHANGES = ("controlMode", "driver", "phase", "scope")
# Service restricted, frozen, frozen by the police. That these start nothing is what their names say, a guess.
_STOPPING_MODES = 4 | 8 | 16
_HIGHEST_MODE = 31
_POOL_KEYS = (
    "annotations", "controlMode", "created", "driver", "extra", "id", "jobs", "labels", "message", "metrics", "name",
    "network", "nodes", "parent", "phase", "queue", "quirks", "refuse", "resources", "root", "scope", "type",
    "workspace",
)  # fmt: skip
_FLAG_QUIRKS = (
    "endless", "ignore_offset", "ignore_sort", "no_total", "no_x_infer", "nodes_as_object", "nodes_overlap",
    "nodes_repeat_token", "nodes_unpaged", "requirement_as_array", "shuffle_ties", "statistics_as_table",
)  # fmt: skip
_QUIRK_KEYS = (*_FLAG_QUIRKS, "empty_items", "list_extra", "one_type", "short_pages")
_METRIC_KEYS = ("age", "all", "allocated", "available", "capacity", "mask", "max", "window", "workload")
_POOL_PARTS = ("nodes", "pool", "statistics", "workloads")


class NoRoomError(Exception):
    """A job does not fit on the nodes that it may run on, or its pool starts no such job."""


def checked_quirks(given: object, where: str) -> dict[str, t.Any]:
    quirks = checked(given, _QUIRK_KEYS, where)
    for key in _FLAG_QUIRKS:
        flag(quirks.get(key, False), f"{where}.{key}")
    if "empty_items" in quirks:
        one_of(quirks["empty_items"], ("list", "null", "absent"), f"{where}.empty_items")
    if "one_type" in quirks:
        one_of(quirks["one_type"], ("first", "last", "refused"), f"{where}.one_type")
    if "short_pages" in quirks:
        whole(quirks["short_pages"], f"{where}.short_pages")
    if "list_extra" in quirks:
        mapping_of(quirks["list_extra"], f"{where}.list_extra")
    return quirks


def checked_pool_changes(given: t.Mapping[str, t.Any], where: str) -> dict[str, t.Any]:
    """Return the part of a scenario that says in which state a pool is: those of POOL_CHANGES that are there."""
    if "phase" in given:
        text(given["phase"], f"{where}.phase")
    if "controlMode" in given:
        whole(given["controlMode"], f"{where}.controlMode", most=_HIGHEST_MODE)
    if "scope" in given and not isinstance(given["scope"], list):
        for scope, state in mapping_of(given["scope"], f"{where}.scope").items():
            text(state, f"{where}.scope.{scope}")
    for scope in given["scope"] if isinstance(given.get("scope"), list) else ():
        text(scope, f"{where}.scope")
    for kind, state in mapping_of(given.get("driver", {}), f"{where}.driver").items():
        one_of(kind, ("gpu", "npu"), f"{where}.driver")
        one_of(state, DRIVER_STATES, f"{where}.driver.{kind}")
    return {key: given[key] for key in POOL_CHANGES if key in given}


def _checked_metrics(given: object, where: str) -> dict[str, t.Any] | None:
    if given is None:
        return None
    metrics = checked(given, _METRIC_KEYS, where)
    number(metrics.get("age", 0), f"{where}.age")
    optional_text(metrics, "window", where)
    texts_by_name(metrics.get("mask", {}), f"{where}.mask")
    for key in ("allocated", "capacity", "max"):
        mapping_of(metrics.get(key, {}), f"{where}.{key}")
    for key in ("all", "available"):
        if not isinstance(metrics.get(key, False), bool):
            mapping_of(metrics[key], f"{where}.{key}")
    flag(metrics.get("workload", False), f"{where}.workload")
    return metrics


class Pool:
    """One resource pool, changing in place; every change clears what was encoded of it."""

    def __init__(
        self, entry: object, flavors: dict[str, t.Any], clock: Clock, quirks: dict[str, t.Any], index: int
    ) -> None:
        where = f"pools[{index}]"
        scenario = checked(entry, _POOL_KEYS, where)
        if not re.fullmatch(r"[a-z][a-z0-9-]{34,61}[a-z0-9]", str(scenario.get("id", ""))):
            raise ScenarioError(f"{where}.id must be 36 to 63 lower case letters, digits and hyphens")
        self.id: str = scenario["id"]
        self.clock = clock
        self.flavors = flavors
        self.quirks = {**quirks, **checked_quirks(scenario.get("quirks", {}), f"{where}.quirks")}
        self.name = optional_text(scenario, "name", where, self.id)
        self.type = one_of(scenario.get("type", "Dedicate"), POOL_TYPES, f"{where}.type")
        self.labels = texts_by_name(scenario.get("labels", {}), f"{where}.labels")
        if "workspace" in scenario:
            self.labels = {WORKSPACE_LABEL: text(scenario["workspace"], f"{where}.workspace"), **self.labels}
        self.annotations = texts_by_name(scenario.get("annotations", {}), f"{where}.annotations")
        for key in ("created", "message", "network", "parent", "root"):
            optional_text(scenario, key, where)
        for resource in listed(scenario.get("resources", []), f"{where}.resources"):
            text(mapping_of(resource, f"{where}.resources").get("flavor"), f"{where}.resources.flavor")
            for key in ("count", "maxCount"):
                whole(resource.get(key, 0), f"{where}.resources.{key}", most=LARGEST_COUNT)
        self.phase = "Running"
        self.control_mode: int | None = None
        self.driver: dict[str, str] = {}
        self.scope: dict[str, str] = {}
        defaults = {"scope": list(dict.fromkeys(job_type.scope for job_type in JOB_TYPES.values()))}
        self.change(checked_pool_changes({**defaults, **scenario}, where))
        refused = checked(scenario.get("refuse", {}), _POOL_PARTS, f"{where}.refuse")
        self.refuse = {part: refusal_of(given, f"{where}.refuse.{part}") for part, given in refused.items()}
        self.metrics = _checked_metrics(scenario.get("metrics", {}), f"{where}.metrics")
        self.extra = mapping_of(scenario.get("extra", {}), f"{where}.extra")
        self.scenario = scenario
        self.reads = 0
        self._random = random.Random(index)
        self.nodes: list[Node] = []
        self._nodes_by_name: dict[str, Node] = {}
        self._add_nodes(
            listed(scenario.get("nodes", []), f"{where}.nodes"), NodeReader(self.id, index, flavors, clock.start), where
        )
        self.job_reader = JobReader(self.id, clock, self.node)
        self.job_writer = JobWriter(self.id, clock, self.quirks)
        self.jobs: list[Job] = []
        self._jobs_by_name: dict[str, Job] = {}
        self._first_fit: dict[tuple[tuple[str, int], ...], int] = {}
        self._selections: dict[tuple[frozenset[str], str | None, frozenset[str]], list[Job]] = {}
        self._enter_all(listed(scenario.get("jobs", []), f"{where}.jobs"), where)
        self._queue = checked_queue(scenario["queue"], f"{where}.queue") if "queue" in scenario else None

    @property
    def workspace(self) -> str:
        return self.labels.get(WORKSPACE_LABEL, "0")

    def change(self, changes: t.Mapping[str, t.Any]) -> None:
        """Put it into another state: see POOL_CHANGES."""
        self.phase = changes.get("phase", self.phase)
        self.control_mode = changes.get("controlMode", self.control_mode)
        self.driver = {**self.driver, **changes.get("driver", {})}
        scope = changes.get("scope", {})
        self.scope.update(scope if isinstance(scope, dict) else dict.fromkeys(scope, "Enabled"))

    def starts(self, job_type: str) -> bool:
        """Return whether jobs of this type are started. What the pool does not say does not speak against it."""
        return (
            self.phase == "Running"
            and not (self.control_mode or 0) & _STOPPING_MODES
            and self.scope.get(JOB_TYPES[job_type].scope, "Disabled") == "Enabled"
            and all(state == "Running" for state in self.driver.values())
        )

    # Nodes

    def _add_nodes(self, entries: list[t.Any], reader: NodeReader, where: str) -> None:
        for position, entry in enumerate(entries):
            for node in reader.nodes_of(entry, f"{where}.nodes[{position}]"):
                if node.name in self._nodes_by_name:
                    raise ScenarioError(f"{where}.nodes[{position}]: two nodes are named {node.name!r}")
                self.nodes.append(node)
                self._nodes_by_name[node.name] = node

    def node(self, name: str, where: str) -> Node:
        if name not in self._nodes_by_name:
            raise ScenarioError(f"{where}: the pool has no node named {name!r}")
        return self._nodes_by_name[name]

    def change_node(self, name: str, changes: t.Mapping[str, t.Any]) -> None:
        self._nodes_by_name[name].change(changes)
        self._first_fit.clear()

    # Jobs

    def _enter_all(self, entries: list[t.Any], where: str) -> None:
        """Enter the jobs of the start. They run where the scenario says, whatever has become of the node."""
        for position, entry in enumerate(entries):
            try:
                for job in self.job_reader.jobs_of(entry, f"{where}.jobs[{position}]"):
                    self._enter(job)
                    self.jobs.append(job)
            except NoRoomError as error:
                raise ScenarioError(f"{where}.jobs[{position}]: {error} does not fit on the nodes") from None
        self.jobs.sort(key=lambda job: job.order)

    def add(self, job: Job) -> None:
        """Put a job into the pool; NoRoomError when it holds resources and cannot be started."""
        if job.status in HOLDING:
            self._check_startable(job)
        self._enter(job)
        insort(self.jobs, job)
        self._selections.clear()

    def _enter(self, job: Job) -> None:
        if job.status in HOLDING:
            self._place(job)
        self._jobs_by_name.setdefault(job.name, job)

    def _check_startable(self, job: Job) -> None:
        wanted = [self._nodes_by_name[name] for name in job.wanted_nodes or ()]
        if not self.starts(job.type) or not all(node.takes_work for node in wanted):
            raise NoRoomError(job.name)

    def _place(self, job: Job) -> None:
        """Put the job on the nodes that its scenario names, else on the first that have room for it."""
        if job.wanted_nodes is None:
            chosen = self._first_fitting(job)
        else:
            chosen = [self._nodes_by_name[name] for name in job.wanted_nodes]
            for node in set(chosen):
                if not node.has_room(job.requirement, chosen.count(node), job.wanted_cards):
                    raise NoRoomError(job.name)
        for node in chosen:
            job.placement.append((node, node.take(job.job_uuid, job.requirement, job.wanted_cards)))

    def _first_fitting(self, job: Job) -> list[Node]:
        """Return one node a replica. The search goes on where the last one for the same resources ended."""
        kind = tuple(sorted(job.requirement.items()))
        found: list[Node] = []
        position = self._first_fit.get(kind, 0)
        while position < len(self.nodes) and len(found) < job.replicas:
            node = self.nodes[position]
            if node.takes_work and node.has_room(job.requirement, found.count(node) + 1, job.wanted_cards):
                found.append(node)
            else:
                position += 1
        if len(found) < job.replicas:
            raise NoRoomError(job.name)
        self._first_fit[kind] = position
        return found

    def _release(self, job: Job) -> None:
        for node, _cards in job.placement:
            node.give_back(job.job_uuid, job.requirement)
        job.placement = []
        self._first_fit.clear()

    def job(self, name: str) -> Job | None:
        return self._jobs_by_name.get(name)

    def set_status(self, job: Job, status: str) -> None:
        """Move a job to another status now; it takes or gives back its nodes as the status says, or NoRoomError."""
        now = int(self.clock.now)
        held, holds = job.status in HOLDING, status in HOLDING
        if holds and not held:
            self._check_startable(job)
            self._place(job)
            job.started = now if job.started is None else job.started
            job.ended = None
        elif held and not holds:
            self._release(job)
        if status in WAITING:
            job.started = job.ended = None
        elif not holds and job.ended is None:
            job.started, job.ended = now if job.started is None else job.started, now
        job.status = status
        self._changed(job)

    def remove(self, job: Job) -> None:
        if job.status in HOLDING:
            self._release(job)
        self.jobs.remove(job)
        if self._jobs_by_name.get(job.name) is job:
            del self._jobs_by_name[job.name]
        self._changed(job)

    def run_queue(self) -> None:
        """Start the jobs that wait and may start by now, where the scenario says by which strategy."""
        if self._queue is not None:
            self._queue.run(self)

    def start(self, job: Job) -> bool:
        """Start a job that waits, whatever stands before it; whether it found room."""
        try:
            self.set_status(job, "Running")
        except NoRoomError:
            return False
        return True

    def _changed(self, job: Job) -> None:
        job.fragment = None
        self._selections.clear()

    # Lists

    def selection(self, types: frozenset[str], status: str | None, host_ips: frozenset[str]) -> list[Job]:
        """Return the jobs that pass the filters, oldest first."""
        if not types and status is None and not host_ips:
            return self.jobs
        key = (types, status, host_ips)
        if key not in self._selections:
            self._selections[key] = [
                job
                for job in self.jobs
                if (not types or job.type in types)
                and (status is None or job.status == status)
                and (not host_ips or any(node.ip in host_ips for node, _cards in job.placement))
            ]
        return self._selections[key]

    def page(self, jobs: list[Job], offset: int, limit: int, *, oldest_first: bool) -> list[Job]:
        """Return a page of a selection, in the order asked for; quirks are what keeps a server from that."""
        quirks = self.quirks
        oldest_first = oldest_first and not quirks.get("ignore_sort")
        offset = 0 if quirks.get("ignore_offset") else offset
        limit = min(limit, quirks.get("short_pages") or limit)
        if quirks.get("shuffle_ties"):
            jobs = sorted(jobs, key=lambda job: (job.create_ms, self._random.random()))
        end = offset + limit
        newest = jobs[max(0, len(jobs) - end) : max(0, len(jobs) - offset)][::-1]
        page = jobs[offset:end] if oldest_first else newest
        if quirks.get("endless"):
            page += [self.job_reader.invented(position) for position in range(offset + len(page), end)]
        return page
