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
from .job import HOLDING, WAITING, Job, JobReader, JobWriter
from .node import Node, NodeReader
from .scenario import ScenarioError, checked, listed, mapping_of, one_of, whole

_POOL_KEYS = (
    "annotations", "created", "extra", "id", "jobs", "labels", "message", "metrics", "name", "network", "nodes",
    "parent", "phase", "quirks", "refuse", "resources", "root", "scope",
)  # fmt: skip
_QUIRK_KEYS = (
    "empty_items", "endless", "ignore_offset", "ignore_sort", "list_extra", "nodes_as_object", "nodes_repeat_token",
    "nodes_unpaged", "no_total", "requirement_as_array", "short_pages", "shuffle_ties", "statistics_as_table",
)  # fmt: skip
_METRIC_KEYS = ("age", "allocated", "capacity", "mask", "max", "window")
_POOL_PARTS = ("nodes", "pool", "statistics", "workloads")


class NoRoomError(Exception):
    """A job does not fit on the nodes that it may run on."""


def checked_quirks(given: object, where: str) -> dict[str, t.Any]:
    quirks = checked(given, _QUIRK_KEYS, where)
    if "empty_items" in quirks:
        one_of(quirks["empty_items"], ("list", "null", "absent"), f"{where}.empty_items")
    if "short_pages" in quirks:
        whole(quirks["short_pages"], f"{where}.short_pages")
    if "list_extra" in quirks:
        mapping_of(quirks["list_extra"], f"{where}.list_extra")
    return quirks


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
        self.quirks = {**quirks, **checked_quirks(scenario.get("quirks", {}), f"{where}.quirks")}
        self.name: str = scenario.get("name", self.id)
        self.phase: str = scenario.get("phase", "Running")
        scope = scenario.get("scope", {"Train": "Enabled", "Infer": "Enabled", "Notebook": "Enabled"})
        self.scope: dict[str, str] = scope if isinstance(scope, dict) else dict.fromkeys(scope, "Enabled")
        self.refuse = checked(scenario.get("refuse", {}), _POOL_PARTS, f"{where}.refuse")
        self.metrics = scenario.get("metrics", {})
        if self.metrics is not None:
            self.metrics = checked(self.metrics, _METRIC_KEYS, f"{where}.metrics")
        self.extra = mapping_of(scenario.get("extra", {}), f"{where}.extra")
        self.scenario = scenario
        self.reads = 0
        self._random = random.Random(index)
        self.nodes: list[Node] = []
        self._nodes_by_name: dict[str, Node] = {}
        node_reader = NodeReader(self.id, index, flavors, clock.start)
        for position, node in enumerate(listed(scenario.get("nodes", []), f"{where}.nodes")):
            self._add_nodes(node_reader.nodes_of(node, f"{where}.nodes[{position}]"), f"{where}.nodes[{position}]")
        self.job_reader = JobReader(self.id, clock, self.node)
        self.job_writer = JobWriter(self.id, clock, self.quirks)
        self.jobs: list[Job] = []
        self._jobs_by_name: dict[str, Job] = {}
        self._first_fit: dict[tuple[tuple[str, int], ...], int] = {}
        self._selections: dict[tuple[frozenset[str], str | None, frozenset[str]], list[Job]] = {}
        for position, job_entry in enumerate(listed(scenario.get("jobs", []), f"{where}.jobs")):
            try:
                for job in self.job_reader.jobs_of(job_entry, f"{where}.jobs[{position}]"):
                    self._enter(job)
                    self.jobs.append(job)
            except NoRoomError as error:
                raise ScenarioError(f"{where}.jobs[{position}]: {error} does not fit on the nodes") from None
        self.jobs.sort(key=lambda job: job.order)

    # Nodes

    def _add_nodes(self, nodes: t.Iterable[Node], where: str) -> None:
        for node in nodes:
            if node.name in self._nodes_by_name:
                raise ScenarioError(f"{where}: two nodes are named {node.name!r}")
            self.nodes.append(node)
            self._nodes_by_name[node.name] = node

    def node(self, name: str, where: str) -> Node:
        if name not in self._nodes_by_name:
            raise ScenarioError(f"{where}: the pool has no node named {name!r}")
        return self._nodes_by_name[name]

    def set_node_phase(self, name: str, phase: str) -> None:
        self._nodes_by_name[name].set_phase(phase)
        self._first_fit.clear()

    # Jobs

    def add(self, job: Job) -> None:
        """Put a job into the pool; NoRoomError when it holds resources and finds none."""
        self._enter(job)
        insort(self.jobs, job)
        self._selections.clear()

    def _enter(self, job: Job) -> None:
        if job.status in HOLDING:
            self._place(job)
        self._jobs_by_name.setdefault(job.name, job)

    def _place(self, job: Job) -> None:
        """Put the job on the nodes that its scenario names, else on the first that have room for it."""
        if job.wanted_nodes is None:
            chosen = self._first_fitting(job)
        else:
            chosen = [self._nodes_by_name[name] for name in job.wanted_nodes]
            for node in set(chosen):
                if not node.has_room(job.requirement, chosen.count(node)):
                    raise NoRoomError(job.name)
        for node in chosen:
            job.placement.append((node, node.take(job.job_uuid, job.requirement)))

    def _first_fitting(self, job: Job) -> list[Node]:
        """One node a replica. The search goes on where the last one for the same resources ended."""
        kind = tuple(sorted(job.requirement.items()))
        found: list[Node] = []
        position = self._first_fit.get(kind, 0)
        while position < len(self.nodes) and len(found) < job.replicas:
            node = self.nodes[position]
            if node.schedulable and node.has_room(job.requirement, found.count(node) + 1):
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

    def _changed(self, job: Job) -> None:
        job.fragment = None
        self._selections.clear()

    # Lists

    def selection(self, types: frozenset[str], status: str | None, host_ips: frozenset[str]) -> list[Job]:
        """The jobs that pass the filters, oldest first."""
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
        """A page of a selection, in the order asked for; quirks are what keeps a server from that."""
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
