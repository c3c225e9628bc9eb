# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools, nodes and jobs: from a scenario to the documents of the API at a moment of the scenario's clock."""

from __future__ import annotations

import hashlib
import json
import random
import re
import typing as t
from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .quantities import Resources, job_quantity, metric_quantity, node_quantity
from .scenario import ScenarioError, checked, listed, mapping_of, number, one_of, quantities, text, whole

JOB_TYPES = ("train", "infer", "notebook")
STATUSES = ("Queue", "Pending", "Abnormal", "Terminating", "Creating", "Running", "Completed", "Terminated", "Failed")
HOLDING = frozenset(("Running", "Creating", "Terminating", "Abnormal"))
WAITING = frozenset(("Queue", "Pending"))
NODE_PHASES = ("Available", "Creating", "Deleting", "Abnormal", "Checking")
BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
CABINET_LABEL = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
DRAIN_ANNOTATION = "os.modelarts.node/drain"

_GVK = {  # only that of train is documented, the others are a guess
    "train": "batch.volcano.sh/v1alpha1, Kind=Job",
    "infer": "apps/v1, Kind=Deployment",
    "notebook": "apps/v1, Kind=StatefulSet",
}


class NoRoomError(Exception):
    """A job does not fit on the nodes that it may run on."""


class Clock(t.Protocol):
    """The scenario's time in seconds since the epoch: ``start`` when it began, ``now`` at this moment."""

    start: float

    @property
    def now(self) -> float:
        """It is read anew each time."""


class Node:
    """A node of a pool. ``free`` is what its jobs and its overhead leave of ``resources``."""

    def __init__(
        self,
        name: str,
        ip: str,
        flavor: str,
        resources: Resources,
        document: dict[str, t.Any],
        extra: dict[str, t.Any],
    ) -> None:
        self.name = name
        self.ip = ip
        self.flavor = flavor
        self.resources = resources
        self.free = dict(resources)
        self.phase = "Available"
        self.document = document
        self.extra = extra
        self._encoded: str | None = None
        cards = [key for key in resources if key.startswith("huawei.com/ascend")]
        self.npu = cards[0] if cards else ""
        self.cards: list[str | None] = [None] * (resources[self.npu] // 1000) if cards else []

    @property
    def schedulable(self) -> bool:
        status, metadata = self.document["status"], self.document["metadata"]
        return (
            self.phase == "Available"
            and not any(taint.get("effect") in BLOCKING_EFFECTS for taint in status.get("taints", ()))
            and DRAIN_ANNOTATION not in metadata.get("annotations", ())
            and CABINET_LABEL not in metadata.get("labels", ())
        )

    def has_room(self, wanted: Resources, replicas: int = 1) -> bool:
        return all(self.free.get(resource, 0) >= amount * replicas for resource, amount in wanted.items())

    def take(self, job: str, wanted: Resources) -> str | None:
        """Take a replica's resources; for NPU the cards that it got, as 16 bits."""
        self._encoded = None
        for resource, amount in wanted.items():
            self.free[resource] = self.free.get(resource, 0) - amount
        if self.npu not in wanted:
            return None
        idle = [index for index, holder in enumerate(self.cards) if holder is None]
        mine = idle[: -(-wanted[self.npu] // 1000)]
        for index in mine:
            self.cards[index] = job
        return _bits(index in mine for index in range(len(self.cards)))

    def give_back(self, job: str, wanted: Resources) -> None:
        self._encoded = None
        for resource, amount in wanted.items():
            self.free[resource] = self.free.get(resource, 0) + amount
        self.cards = [None if holder == job else holder for holder in self.cards]

    def set_phase(self, phase: str) -> None:
        self._encoded = None
        self.phase = phase

    def encoded(self) -> str:
        if self._encoded is None:
            self._encoded = json.dumps(self._document())
        return self._encoded

    def _document(self) -> dict[str, t.Any]:
        status = {**self.document["status"], "phase": self.phase}
        status["resources"] = {key: node_quantity(key, amount) for key, amount in self.resources.items()}
        status["availableResources"] = {key: node_quantity(key, max(0, self.free[key])) for key in self.resources}
        metadata = self.document["metadata"]
        if self.cards:
            placement = {"os.modelarts/npu-topology-placement": _bits(card is not None for card in self.cards)}
            metadata = {**metadata, "annotations": {**metadata.get("annotations", {}), **placement}}
        return _merged({**self.document, "metadata": metadata, "status": status}, self.extra)


def _bits(occupied: t.Iterable[bool]) -> str:
    return "".join("1" if bit else "0" for bit in occupied)[::-1].rjust(16, "0")


@dataclass(eq=False)
class Job:
    """A job. Times are whole seconds of the scenario's clock, None where it did not happen.

    ``requirement`` is a replica's. ``order`` sorts by creation, and among equals by appearance. ``wanted_nodes`` is
    None where the emulator chooses, and empty for a job that holds resources but shows no node.
    """

    name: str
    type: str
    status: str
    owner: str | None
    flavor: str | None
    priority: str
    uid: str
    job_uuid: str
    requirement: Resources
    replicas: int
    wanted_nodes: list[str] | None
    create_ms: int
    started: int | None
    ended: int | None
    order: tuple[int, int]
    extra: dict[str, t.Any] | None
    placement: list[tuple[Node, str | None]] = field(default_factory=list)
    fragment: tuple[str, int, str] | str | None = None

    def __lt__(self, other: Job) -> bool:
        return self.order < other.order


_JOB_KEYS = (
    "age", "count", "createTime", "every", "extra", "flavor", "jobUUID", "name", "nodes", "owner", "priority", "ran",
    "replicas", "resources", "status", "type", "uid", "waited",
)  # fmt: skip
_CYCLED = ("type", "status", "owner", "resources", "priority", "flavor")
_NODE_KEYS = (
    "annotations", "az", "count", "created", "extra", "flavor", "hostNetwork", "ip", "labels", "name", "overhead",
    "phase", "resources", "taints",
)  # fmt: skip
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
        self.index = index
        self.quirks = {**quirks, **checked_quirks(scenario.get("quirks", {}), f"{where}.quirks")}
        self.name: str = scenario.get("name", self.id)
        self.phase: str = scenario.get("phase", "Running")
        scope = scenario.get("scope", {"Train": "Enabled", "Infer": "Enabled", "Notebook": "Enabled"})
        self.scope: dict[str, str] = scope if isinstance(scope, dict) else dict.fromkeys(scope, "Enabled")
        self.refuse = checked(scenario.get("refuse", {}), _POOL_PARTS, f"{where}.refuse")
        self.metrics = scenario.get("metrics", {})
        if self.metrics is not None:
            self.metrics = checked(self.metrics, _METRIC_KEYS, f"{where}.metrics")
        self._extra = mapping_of(scenario.get("extra", {}), f"{where}.extra")
        self._scenario = scenario
        self._flavors = flavors
        self.reads = 0
        self._random = random.Random(index)
        self.nodes: list[Node] = []
        self._nodes_by_name: dict[str, Node] = {}
        for position, node in enumerate(listed(scenario.get("nodes", []), f"{where}.nodes")):
            self._add_nodes(node, f"{where}.nodes[{position}]")
        self.jobs: list[Job] = []
        self._jobs_by_name: dict[str, Job] = {}
        self._sequence = 0
        self._requirements: dict[tuple[tuple[tuple[str, int], ...], int], str] = {}
        self._first_fit: dict[tuple[tuple[str, int], ...], int] = {}
        self._selections: dict[tuple[frozenset[str], str | None, frozenset[str]], list[Job]] = {}
        for position, job_entry in enumerate(listed(scenario.get("jobs", []), f"{where}.jobs")):
            try:
                for job in self.parsed_jobs(job_entry, f"{where}.jobs[{position}]"):
                    self._enter(job)
                    self.jobs.append(job)
            except NoRoomError as error:
                raise ScenarioError(f"{where}.jobs[{position}]: {error} does not fit on the nodes") from None
        self.jobs.sort(key=lambda job: job.order)

    # Nodes

    def _add_nodes(self, entry: object, where: str) -> None:
        scenario = checked(entry, _NODE_KEYS, where)
        flavor = text(scenario.get("flavor"), f"{where}.flavor")
        described = self._flavors.get(flavor, {})
        given = scenario.get("resources", described.get("allocatable"))
        if given is None:
            raise ScenarioError(f"{where}: give resources, or describe the flavor {flavor!r} with allocatable")
        resources = quantities(given, f"{where}.resources")
        overhead = quantities(scenario.get("overhead", {}), f"{where}.overhead")
        extra = mapping_of(scenario.get("extra", {}), f"{where}.extra")
        count = whole(scenario.get("count", 1), f"{where}.count")
        for index in range(count):
            serial = len(self.nodes) + 1
            name = scenario.get("name") or f"os-node-created-{_hash(self.id, 'node', serial)[:5]}"
            if count > 1 and "name" in scenario:
                name = f"{name}-{index + 1:02d}"
            ip = scenario.get("ip") or f"10.{self.index}.{(serial - 1) // 250}.{(serial - 1) % 250 + 1}"
            metadata: dict[str, t.Any] = {
                "name": name,
                "creationTimestamp": scenario.get("created") or _iso_time(self.clock.start - 90 * 86400),
            }
            metadata.update({key: scenario[key] for key in ("labels", "annotations") if key in scenario})
            spec = {"flavor": flavor}
            spec.update({key: scenario[key] for key in ("hostNetwork",) if key in scenario})
            status = {"phase": "", "az": scenario.get("az", "eu-de-01"), "privateIp": ip}
            status.update({key: scenario[key] for key in ("taints",) if key in scenario})
            document = {"kind": "Node", "apiVersion": "v2", "metadata": metadata, "spec": spec, "status": status}
            node = Node(name, ip, flavor, resources, document, extra)
            node.phase = one_of(scenario.get("phase", "Available"), NODE_PHASES, f"{where}.phase")
            for resource, amount in overhead.items():
                node.free[resource] = node.free.get(resource, 0) - amount
            if name in self._nodes_by_name:
                raise ScenarioError(f"{where}: two nodes are named {name!r}")
            self.nodes.append(node)
            self._nodes_by_name[name] = node

    def node(self, name: str, where: str) -> Node:
        if name not in self._nodes_by_name:
            raise ScenarioError(f"{where}: the pool has no node named {name!r}")
        return self._nodes_by_name[name]

    def set_node_phase(self, name: str, phase: str) -> None:
        self._nodes_by_name[name].set_phase(phase)
        self._first_fit.clear()

    # Jobs

    def parsed_jobs(self, entry: object, where: str) -> t.Iterator[Job]:
        """The jobs that an entry of a scenario stands for. They are not in the pool yet."""
        scenario = checked(entry, _JOB_KEYS, where)
        count = whole(scenario.get("count", 1), f"{where}.count")
        name = text(scenario.get("name"), f"{where}.name")
        age = number(scenario.get("age", 3600), f"{where}.age")
        every = number(scenario.get("every", 60), f"{where}.every")
        for node_name in listed(scenario.get("nodes", []), f"{where}.nodes"):
            self.node(node_name, where)
        choices = [(key, scenario[key]) for key in _CYCLED if isinstance(scenario.get(key), list)]
        parsed: dict[int, Resources] = {}
        for index in range(count):
            chosen, turn = scenario, index
            if choices:
                chosen = dict(scenario)
                for key, values in choices:
                    chosen[key] = values[turn % len(values)]
                    turn //= len(values)
            wanted = chosen.get("resources", {})
            if id(wanted) not in parsed:
                parsed[id(wanted)] = quantities(wanted, f"{where}.resources")
            numbered = name if count == 1 else name.replace("{n}", str(index)) if "{n}" in name else f"{name}-{index}"
            yield self._parsed_job(chosen, numbered, parsed[id(wanted)], age + index * every, where)

    def _parsed_job(self, scenario: dict[str, t.Any], name: str, wanted: Resources, age: float, where: str) -> Job:
        self._sequence += 1
        made_up = _hash(self.id, "job", self._sequence)
        status = one_of(scenario.get("status", "Queue"), STATUSES, f"{where}.status")
        wanted_nodes = scenario.get("nodes")
        replicas = whole(scenario.get("replicas", len(wanted_nodes or "1")), f"{where}.replicas")
        if wanted_nodes and len(wanted_nodes) != replicas:
            raise ScenarioError(f"{where}: {replicas} replicas, but {len(wanted_nodes)} nodes")
        now = int(self.clock.now)
        create_ms = whole(scenario.get("createTime", (now - int(age)) * 1000), f"{where}.createTime")
        began = create_ms // 1000 + int(number(scenario.get("waited", 0), f"{where}.waited"))
        ended = None
        if status not in WAITING and status not in HOLDING:
            ended = began + int(number(scenario["ran"], f"{where}.ran")) if "ran" in scenario else max(began, now)
        return Job(
            name=name,
            type=one_of(scenario.get("type", "train"), JOB_TYPES, f"{where}.type"),
            status=status,
            owner=scenario.get("owner"),
            flavor=scenario.get("flavor"),
            priority=str(scenario.get("priority", "0")),
            uid=scenario.get("uid") or _uuid(made_up[:32]),
            job_uuid=scenario.get("jobUUID") or _uuid(made_up[32:]),
            requirement=wanted,
            replicas=replicas,
            wanted_nodes=wanted_nodes,
            create_ms=create_ms,
            started=None if status in WAITING else began,
            ended=ended,
            order=(create_ms, self._sequence),
            extra=mapping_of(scenario["extra"], f"{where}.extra") if "extra" in scenario else None,
        )

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

    # Documents

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
            page += [self._invented(position) for position in range(offset + len(page), end)]
        return page

    def _invented(self, position: int) -> Job:
        """A job of a server that never ends."""
        entry = {"jobUUID": _uuid(_hash(self.id, "invented", position)[:32])}
        return self._parsed_job(entry, f"invented-{position}", {}, 10**9 + position, "quirks.endless")

    def encoded_jobs(self, jobs: t.Iterable[Job]) -> str:
        """The jobs as JSON, separated by commas, with durations as of now."""
        now = int(self.clock.now)
        parts = []
        for job in jobs:
            fragment = job.fragment or self._encode(job)
            if not isinstance(fragment, str):
                head, since, tail = fragment
                fragment = f"{head}{now - since}{tail}"
            if job.extra is not None:
                fragment = json.dumps(_merged(json.loads(fragment), job.extra))
            parts.append(fragment)
        return ",".join(parts)

    def _encode(self, job: Job) -> tuple[str, int, str] | str:
        """Cut the job's JSON at the one number that moves with the clock, if there is one."""
        created = job.create_ms // 1000
        flavor = f', "flavor": {json.dumps(job.flavor)}' if job.flavor is not None else ""
        owner = f', "userName": {json.dumps(job.owner)}' if job.owner is not None else ""
        # The reference does not say whether the requirement is a replica's or the job's: taken to be the job's.
        required = self._encoded_requirement(job.requirement, job.replicas)
        if self.quirks.get("requirement_as_array"):
            required = f"[{required}]"
        head = (
            f'{{"kind": "Workload", "apiVersion": "v1", "uid": {json.dumps(job.uid)}, '
            f'"jobUUID": {json.dumps(job.job_uuid)}, "name": {json.dumps("modelarts-job-" + job.job_uuid)}, '
            f'"jobName": {json.dumps(job.name)}, "type": "{job.type}", "namespace": "{self.id}"{flavor}, '
            f'"status": "{job.status}"{owner}, "resourceRequirement": {required}, '
            f'"priority": {json.dumps(job.priority)}, "createTime": {job.create_ms}'
        )
        tail = f', "pendingPosition": -1, "gvk": "{_GVK[job.type]}"{self._encoded_nodes(job)}, "isDeleted": "false"}}'
        if job.started is None:
            job.fragment = (f'{head}, "pendingDuration": ', created, tail)
        else:
            pending = f', "pendingDuration": {max(0, job.started - created)}'
            if job.ended is None:
                job.fragment = (f'{head}, "runningDuration": ', job.started, pending + tail)
            else:
                job.fragment = f'{head}, "runningDuration": {job.ended - job.started}{pending}{tail}'
        return job.fragment

    def _encoded_requirement(self, requirement: Resources, replicas: int) -> str:
        key = (tuple(requirement.items()), replicas)
        if key not in self._requirements:
            self._requirements[key] = json.dumps(
                {resource: job_quantity(resource, amount * replicas) for resource, amount in requirement.items()}
            )
        return self._requirements[key]

    def _encoded_nodes(self, job: Job) -> str:
        if not job.placement:
            return ""
        ips = ",".join(dict.fromkeys(node.ip for node, _cards in job.placement))
        required = self._encoded_requirement(job.requirement, 1)
        nodes = ", ".join(
            f'{{"hostIp": "{node.ip}"{_encoded_bits(bits)}, "resourceRequirement": {required}}}'
            for node, bits in job.placement
        )
        if not self.quirks.get("nodes_as_object") or len(job.placement) > 1:
            nodes = f"[{nodes}]"
        return f', "hostIps": "{ips}", "nodes": {nodes}'

    def statistics(self) -> dict[str, t.Any]:
        counted = Counter((job.type, job.status) for job in self.jobs)
        items = []
        for job_type in JOB_TYPES:
            status = {
                name: counted[job_type, name]
                for name in STATUSES
                if counted[job_type, name] or name in ("Pending", "Queue", "Running")
            }
            total = sum(status.values())
            if total:
                items.append({"type": job_type, "total": total, "status": status})
        if self.quirks.get("statistics_as_table"):
            for item in items:
                item["status"] = {name: str(count) for name, count in t.cast("dict[str, int]", item["status"]).items()}
            return {"statics": {"total": str(len(self.jobs)), "items": items}}
        return {"statistics": {"total": len(self.jobs), "items": items}}

    def as_document(self) -> dict[str, t.Any]:
        made_up = _hash(self.id)
        given = self._scenario
        status: dict[str, t.Any] = {"phase": self.phase}
        if "message" in given:
            status["message"] = given["message"]
        if "parent" in given:
            status["parent"] = given["parent"]
        status["root"] = given.get("root", self.id)
        status["scope"] = [{"scopeType": scope, "state": state} for scope, state in self.scope.items()]
        status["resources"] = self._counts_by_phase()
        document = {
            "kind": "Pool",
            "apiVersion": "v2",
            "metadata": {
                "name": self.id,
                "creationTimestamp": given.get("created") or _iso_time(self.clock.start - 180 * 86400),
                "labels": {
                    "os.modelarts/name": self.name,
                    "os.modelarts/resource.id": f"maos-{self.name}-{made_up[:5]}",
                    **given.get("labels", {}),
                },
                "annotations": {
                    "os.modelarts/description": "",
                    "os.modelarts/billing.mode": "0",
                    **given.get("annotations", {}),
                },
            },
            "spec": {
                "type": "Dedicate",
                "scope": list(self.scope),
                "resources": given.get("resources") or self._counts(self.nodes),
                "network": {"name": given.get("network") or f"network-maos-{made_up[:32]}"},
            },
            "status": status,
        }
        return _merged(document, self._extra)

    def _counts_by_phase(self) -> dict[str, t.Any]:
        resources = {}
        for phase in ("Creating", "Available", "Abnormal", "Deleting"):
            nodes = [node for node in self.nodes if node.phase == phase]
            if nodes:
                resources[phase.lower()] = self._counts(nodes, azs=True)
        return resources

    @staticmethod
    def _counts(nodes: list[Node], azs: bool = False) -> list[dict[str, t.Any]]:
        counted: dict[str, Counter[str]] = {}
        for node in nodes:
            counted.setdefault(node.flavor, Counter())[node.document["status"]["az"]] += 1
        return [
            {
                "flavor": flavor,
                "count": sum(zones.values()),
                **({"azs": [{"az": az, "count": count} for az, count in zones.items()]} if azs else {}),
            }
            for flavor, zones in counted.items()
        ]

    def metrics_document(self) -> dict[str, t.Any] | None:
        """The pool's entry of ShowPoolRuntimeMetrics, derived from its nodes where the scenario gives no values."""
        given = self.metrics
        if given is None:
            return None
        capacity: Counter[str] = Counter()
        maximum: Counter[str] = Counter()
        allocated: Counter[str] = Counter()
        for node in self.nodes:
            maximum.update(node.resources)
            if node.phase == "Available":
                capacity.update(node.resources)
                allocated.update({key: node.resources[key] - node.free[key] for key in node.resources})
        mask = given.get("mask", {})

        def values(name: str, derived: t.Mapping[str, int]) -> dict[str, t.Any]:
            if name in given:
                return t.cast("dict[str, t.Any]", given[name])
            return {mask.get(key, key): metric_quantity(key, derived.get(key, 0)) for key in maximum}

        stamp = {
            "timestamp": _iso_time(self.clock.now - given.get("age", 0)),
            "window": given.get("window", "1m"),
        }
        return {
            "table": {
                "allocated": {"value": values("allocated", allocated), **stamp},
                "capacity": {
                    "value": values("capacity", capacity),
                    "maxValue": values("max", maximum),
                    **stamp,
                },
            },
            "metadata": {"name": self.id},
        }


def _merged(document: dict[str, t.Any], extra: dict[str, t.Any]) -> dict[str, t.Any]:
    """The document with the keys of ``extra`` put in at their places, to make answers that are not documented."""
    merged = dict(document)
    for key, value in extra.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _hash(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def _encoded_bits(bits: str | None) -> str:
    return f', "npuTopologyPlacement": "{bits}"' if bits else ""


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
