# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools, nodes and jobs: from a scenario to the documents of the API at a moment of the scenario's clock."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import typing as t
from bisect import insort
from collections import Counter
from datetime import datetime, timezone
from fractions import Fraction

Resources = t.Dict[str, int]

JOB_TYPES = ("train", "infer", "notebook")
STATUSES = ("Queue", "Pending", "Abnormal", "Terminating", "Creating", "Running", "Completed", "Terminated", "Failed")
HOLDING = frozenset(("Running", "Creating", "Terminating", "Abnormal"))
WAITING = frozenset(("Queue", "Pending"))
NODE_PHASES = ("Available", "Creating", "Deleting", "Abnormal", "Checking")
BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
CABINET_LABEL = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
DRAIN_ANNOTATION = "os.modelarts.node/drain"

_UNITS = {
    "cpu": {"": 1000, "m": 1, "Core": 1000, "Cores": 1000},
    "memory": {
        "": 1,
        **{prefix + "i": 1024**power for power, prefix in enumerate("KMGTP", 1)},
        **{prefix + "iB": 1024**power for power, prefix in enumerate("KMGTP", 1)},
        **{prefix: 1000**power for power, prefix in enumerate("KMGTP", 1)},
    },
}
_CARD_UNITS = {"": 1000, "m": 1}
_GVK = {  # only that of train is documented, the others are a guess
    "train": "batch.volcano.sh/v1alpha1, Kind=Job",
    "infer": "apps/v1, Kind=Deployment",
    "notebook": "apps/v1, Kind=StatefulSet",
}


class ScenarioError(Exception):
    """A scenario that cannot be used; the sentence names the place and the key."""


class PoolNotFound(Exception):
    """No pool has this ID."""


# Quantities: cpu in millicores, memory in bytes, cards in thousandths


def parse_quantity(resource: str, value: t.Any) -> int:
    """``("cpu", "3920m")`` -> 3920, ``("memory", "6.52 GiB")`` -> 7000796692, ``("nvidia.com/gpu", 8)`` -> 8000."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value))
    units = _UNITS.get(resource, _CARD_UNITS)
    if isinstance(value, bool) or not found or found[2] not in units:
        raise ScenarioError(f"{value!r} is not a quantity of {resource}")
    return round(Fraction(found[1]) * units[found[2]])


def node_quantity(resource: str, amount: int) -> str:
    """As in ListPoolNodes: ``3920m``, ``6270Mi``, ``8``."""
    if resource == "cpu":
        return f"{amount}m"
    return _short(resource, amount)


def metric_quantity(resource: str, amount: int) -> int | str:
    """As in ShowPoolRuntimeMetrics: ``5``, ``"15548Mi"``, ``"64Gi"``, ``"1073m"``."""
    if resource != "memory" and amount % 1000 == 0:
        return amount // 1000
    if resource == "memory" and amount and amount % 2**30 == 0:
        return f"{amount // 2**30}Gi"
    return _short(resource, amount)


def job_quantity(resource: str, amount: int) -> str:
    """As in ListWorkloads: ``1 Cores``, ``6.52 GiB``, ``8``."""
    if resource == "cpu":
        return f"{_decimal(Fraction(amount, 1000), 3)} Cores"
    if resource == "memory":
        return f"{_decimal(Fraction(amount, 2**30), 2)} GiB"
    return _decimal(Fraction(amount, 1000), 3)


def _short(resource: str, amount: int) -> str:
    if resource == "memory":
        return f"{amount // 2**20}Mi" if amount % 2**20 == 0 else f"{amount // 2**10}Ki"
    return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"


def _decimal(value: Fraction, digits: int) -> str:
    return f"{float(value):.{digits}f}".rstrip("0").rstrip(".")


# Reading a scenario


def checked(mapping: t.Any, known: t.Iterable[str], where: str) -> dict[str, t.Any]:
    """The mapping without its ``comment``; any other key that is not known is an error."""
    if not isinstance(mapping, dict):
        raise ScenarioError(f"{where} must be an object")
    names = sorted(known)
    for key in mapping:
        if key != "comment" and key not in names:
            raise ScenarioError(f"{where}: unknown key {key!r}; known keys: {', '.join(names)}")
    return {key: value for key, value in mapping.items() if key != "comment"}


def one_of(value: t.Any, choices: t.Iterable[str], where: str) -> str:
    if value not in choices:
        raise ScenarioError(f"{where}: {value!r} is none of {', '.join(choices)}")
    return str(value)


def number(value: t.Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ScenarioError(f"{where}: {value!r} is not a number of 0 or more")
    return value


def whole(value: t.Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ScenarioError(f"{where}: {value!r} is not a whole number of 0 or more")
    return value


def quantities(mapping: t.Any, where: str) -> Resources:
    if not isinstance(mapping, dict):
        raise ScenarioError(f"{where} must be an object of quantities")
    try:
        return {resource: parse_quantity(resource, value) for resource, value in mapping.items()}
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error}") from None


def iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """The scenario's time in seconds. It runs, or stands still until it is advanced."""

    def __init__(self, start: float | None = None, frozen: bool = False) -> None:
        self._began = time.monotonic()
        self.start = time.time() if start is None else start
        self.frozen = frozen
        self._advanced = 0.0

    @property
    def elapsed(self) -> float:
        return self._advanced + (0.0 if self.frozen else time.monotonic() - self._began)

    @property
    def now(self) -> float:
        return self.start + self.elapsed

    def advance(self, seconds: float) -> None:
        self._advanced += seconds


class Node:
    """A node of a pool. ``free`` is what its jobs and its overhead leave of ``resources``."""

    def __init__(self, name: str, ip: str, flavor: str, resources: Resources, document: dict[str, t.Any]) -> None:
        self.name = name
        self.ip = ip
        self.flavor = flavor
        self.resources = resources
        self.free = dict(resources)
        self.phase = "Available"
        self.document = document
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

    def has_room(self, wanted: Resources) -> bool:
        return all(self.free.get(resource, 0) >= amount for resource, amount in wanted.items())

    def take(self, job: str, wanted: Resources) -> str | None:
        """Take a replica's resources; for NPU the cards that it got, as 16 bits."""
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
        for resource, amount in wanted.items():
            self.free[resource] = self.free.get(resource, 0) + amount
        self.cards = [None if holder == job else holder for holder in self.cards]

    def as_document(self) -> dict[str, t.Any]:
        status = {**self.document["status"], "phase": self.phase}
        status["resources"] = {key: node_quantity(key, amount) for key, amount in self.resources.items()}
        status["availableResources"] = {key: node_quantity(key, max(0, self.free[key])) for key in self.resources}
        metadata = self.document["metadata"]
        if self.cards:
            placement = {"os.modelarts/npu-topology-placement": _bits(card is not None for card in self.cards)}
            metadata = {**metadata, "annotations": {**metadata.get("annotations", {}), **placement}}
        return {**self.document, "metadata": metadata, "status": status}


def _bits(occupied: t.Iterable[bool]) -> str:
    return "".join("1" if bit else "0" for bit in occupied)[::-1].rjust(16, "0")


class Job:
    """A job. Times are whole seconds of the scenario's clock, None where it did not happen."""

    __slots__ = (
        "create_ms", "ended", "flavor", "fragment", "job_uuid", "name", "owner", "placement", "priority", "replicas",
        "requirement", "sequence", "started", "status", "type", "uid", "wanted_nodes",
    )  # fmt: skip

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
    sequence: int

    def __init__(self) -> None:
        self.placement: list[tuple[Node, str | None]] = []
        self.fragment: tuple[str, int, str] | str | None = None

    @property
    def order(self) -> tuple[int, int]:
        return self.create_ms, self.sequence

    def __lt__(self, other: Job) -> bool:
        return self.order < other.order


_JOB_KEYS = (
    "age", "count", "createTime", "every", "flavor", "jobUUID", "name", "nodes", "owner", "priority", "ran",
    "replicas", "resources", "status", "type", "uid", "waited",
)  # fmt: skip
_CYCLED = ("type", "status", "owner", "resources", "priority", "flavor")
_NODE_KEYS = (
    "annotations", "az", "count", "created", "flavor", "hostNetwork", "ip", "labels", "name", "overhead", "phase",
    "resources", "taints",
)  # fmt: skip
_POOL_KEYS = (
    "annotations", "created", "id", "jobs", "labels", "message", "metrics", "name", "network", "nodes", "parent",
    "phase", "quirks", "refuse", "resources", "root", "scope",
)  # fmt: skip
_QUIRK_KEYS = (
    "empty_items", "nodes_as_object", "nodes_repeat_token", "nodes_unpaged", "no_total", "requirement_as_array",
    "statistics_as_table",
)  # fmt: skip
_METRIC_KEYS = ("age", "allocated", "capacity", "mask", "max", "window")
_FLAVOR_KEYS = ("allocatable", "arch", "cpu", "gpu", "labels", "memory", "npu", "spec")
_EVENT_KEYS = (
    "add", "after", "after_reads", "end", "name", "node", "phase", "pool", "remove", "scope", "start", "status",
)  # fmt: skip
POOL_PARTS = ("workloads", "nodes", "pool", "statistics")


def checked_quirks(quirks: t.Any, where: str) -> dict[str, t.Any]:
    quirks = checked(quirks, _QUIRK_KEYS, where)
    if "empty_items" in quirks:
        one_of(quirks["empty_items"], ("list", "null", "absent"), f"{where}.empty_items")
    return quirks


class Pool:
    """One resource pool, changing in place; every change clears what was encoded of it."""

    def __init__(
        self, scenario: t.Any, flavors: dict[str, t.Any], clock: Clock, quirks: dict[str, t.Any], index: int
    ) -> None:
        where = f"pools[{index}]"
        scenario = checked(scenario, _POOL_KEYS, where)
        if not re.fullmatch(r"[a-z][a-z0-9-]{34,61}[a-z0-9]", str(scenario.get("id", ""))):
            raise ScenarioError(f"{where}.id must be 36 to 63 lower case letters, digits and hyphens")
        self.id: str = scenario["id"]
        self.where = where
        self.clock = clock
        self.index = index
        self.quirks = {**quirks, **checked_quirks(scenario.get("quirks", {}), f"{where}.quirks")}
        self.name: str = scenario.get("name", self.id)
        self.phase: str = scenario.get("phase", "Running")
        scope = scenario.get("scope", {"Train": "Enabled", "Infer": "Enabled", "Notebook": "Enabled"})
        self.scope: dict[str, str] = scope if isinstance(scope, dict) else dict.fromkeys(scope, "Enabled")
        self.refuse = checked(scenario.get("refuse", {}), POOL_PARTS, f"{where}.refuse")
        self.metrics = scenario.get("metrics", {})
        if self.metrics is not None:
            self.metrics = checked(self.metrics, _METRIC_KEYS, f"{where}.metrics")
        self._scenario = scenario
        self._flavors = flavors
        self.reads = 0
        self.nodes: list[Node] = []
        self._nodes_by_name: dict[str, Node] = {}
        for number_, node in enumerate(_listed(scenario.get("nodes", []), f"{where}.nodes")):
            self._add_nodes(node, f"{where}.nodes[{number_}]")
        self.jobs: list[Job] = []
        self._jobs_by_name: dict[str, Job] = {}
        self._sequence = 0
        self._first_fit: dict[tuple[tuple[str, int], ...], int] = {}
        self._selections: dict[tuple[frozenset[str], str | None, frozenset[str]], list[Job]] = {}
        for number_, job in enumerate(_listed(scenario.get("jobs", []), f"{where}.jobs")):
            self.add_jobs(job, f"{where}.jobs[{number_}]")

    # Nodes

    def _add_nodes(self, scenario: t.Any, where: str) -> None:
        scenario = checked(scenario, _NODE_KEYS, where)
        flavor = scenario.get("flavor")
        if not isinstance(flavor, str):
            raise ScenarioError(f"{where}.flavor is missing")
        described = self._flavors.get(flavor, {})
        given = scenario.get("resources", described.get("allocatable"))
        if given is None:
            raise ScenarioError(f"{where}: give resources, or describe the flavor {flavor!r} with allocatable")
        resources = quantities(given, f"{where}.resources")
        overhead = quantities(scenario.get("overhead", {}), f"{where}.overhead")
        count = whole(scenario.get("count", 1), f"{where}.count")
        for index in range(count):
            number_ = len(self.nodes) + 1
            name = scenario.get("name") or f"os-node-created-{_hash(self.id, 'node', number_)[:5]}"
            if count > 1 and "name" in scenario:
                name = f"{name}-{index + 1:02d}"
            # With more than 62,000 nodes addresses would run out of a private network; nobody has so many.
            ip = scenario.get("ip") or f"10.{self.index}.{(number_ - 1) // 250}.{(number_ - 1) % 250 + 1}"
            metadata: dict[str, t.Any] = {
                "name": name,
                "creationTimestamp": scenario.get("created") or iso_time(self.clock.start - 90 * 86400),
            }
            metadata.update({key: scenario[key] for key in ("labels", "annotations") if key in scenario})
            spec = {"flavor": flavor}
            spec.update({key: scenario[key] for key in ("hostNetwork",) if key in scenario})
            status = {"phase": "", "az": scenario.get("az", "eu-de-01"), "privateIp": ip}
            status.update({key: scenario[key] for key in ("taints",) if key in scenario})
            document = {"kind": "Node", "apiVersion": "v2", "metadata": metadata, "spec": spec, "status": status}
            node = Node(name, ip, flavor, resources, document)
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

    def set_node_phase(self, name: str, phase: str, where: str) -> None:
        self.node(name, where).phase = phase
        self._first_fit.clear()

    # Jobs

    def add_jobs(self, scenario: t.Any, where: str) -> None:
        scenario = checked(scenario, _JOB_KEYS, where)
        count = whole(scenario.get("count", 1), f"{where}.count")
        name = scenario.get("name")
        if not isinstance(name, str):
            raise ScenarioError(f"{where}.name is missing")
        age = number(scenario.get("age", 3600), f"{where}.age")
        every = number(scenario.get("every", 60), f"{where}.every")
        choices = [(key, value) for key, value in scenario.items() if key in _CYCLED and isinstance(value, list)]
        choices.sort(key=lambda choice: _CYCLED.index(choice[0]))
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
            self._add_job(chosen, numbered, parsed[id(wanted)], age + index * every, where)

    def _add_job(self, scenario: dict[str, t.Any], name: str, wanted: Resources, age: float, where: str) -> Job:
        job = Job()
        job.sequence = self._sequence
        self._sequence += 1
        made_up = _hash(self.id, "job", job.sequence)
        job.name = name
        job.uid = scenario.get("uid") or _uuid(made_up[:32])
        job.job_uuid = scenario.get("jobUUID") or _uuid(made_up[32:])
        job.type = one_of(scenario.get("type", "train"), JOB_TYPES, f"{where}.type")
        job.status = one_of(scenario.get("status", "Queue"), STATUSES, f"{where}.status")
        job.owner = scenario.get("owner")
        job.flavor = scenario.get("flavor")
        job.priority = str(scenario.get("priority", "0"))
        job.requirement = wanted
        job.wanted_nodes = scenario.get("nodes")
        placed = len(job.wanted_nodes) if job.wanted_nodes else 1
        job.replicas = whole(scenario.get("replicas", placed), f"{where}.replicas")
        now = int(self.clock.now)
        job.create_ms = whole(scenario.get("createTime", (now - int(age)) * 1000), f"{where}.createTime")
        created = job.create_ms // 1000
        waited = int(number(scenario.get("waited", 0), f"{where}.waited"))
        job.started = None if job.status in WAITING else created + waited
        job.ended = None
        if job.status not in WAITING and job.status not in HOLDING:
            job.ended = now if "ran" not in scenario else created + waited + int(number(scenario["ran"], f"{where}.ran"))
        if job.status in HOLDING:
            self._place(job, where)
        self._jobs_by_name.setdefault(name, job)
        insort(self.jobs, job) if self.jobs and job < self.jobs[-1] else self.jobs.append(job)
        self._selections.clear()
        return job

    def _place(self, job: Job, where: str) -> None:
        if job.wanted_nodes is not None:
            chosen = [self.node(name, where) for name in job.wanted_nodes]
        else:
            chosen = self._first_fitting(job)
            if len(chosen) < job.replicas:
                raise ScenarioError(f"{where}: job {job.name!r} does not fit on the nodes of {self.name}")
        for node in chosen:
            job.placement.append((node, node.take(job.job_uuid, job.requirement)))
        if job.wanted_nodes is not None and any(min(node.free.values(), default=0) < 0 for node in chosen):
            raise ScenarioError(f"{where}: job {job.name!r} asks for more than its nodes have left")

    def _first_fitting(self, job: Job) -> list[Node]:
        """The first nodes with room, one entry a replica. While jobs only come, a full node stays full."""
        kind = tuple(sorted(job.requirement.items()))
        found: list[Node] = []
        position = self._first_fit.get(kind, 0)
        while position < len(self.nodes) and len(found) < job.replicas:
            node = self.nodes[position]
            times = found.count(node) + 1
            if node.schedulable and node.has_room({key: amount * times for key, amount in kind}):
                found.append(node)
            else:
                position += 1
        if len(found) == job.replicas:
            self._first_fit[kind] = position
        return found

    def _release(self, job: Job) -> None:
        for node, _ in job.placement:
            node.give_back(job.job_uuid, job.requirement)
        job.placement = []
        self._first_fit.clear()

    def job(self, name: str, where: str) -> Job:
        if name not in self._jobs_by_name:
            raise ScenarioError(f"{where}: the pool has no job named {name!r}")
        return self._jobs_by_name[name]

    def set_status(self, job: Job, status: str, where: str) -> None:
        """Move a job to another status at this moment; it takes or gives back its nodes as the status says."""
        now = int(self.clock.now)
        held, holds = job.status in HOLDING, status in HOLDING
        if holds and not held:
            self._place(job, where)
            job.started = now if job.started is None else job.started
            job.ended = None
        elif held and not holds:
            self._release(job)
        if status in WAITING:
            job.started = job.ended = None
        elif not holds and job.ended is None:
            job.started, job.ended = job.started or now, now
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
                and (not host_ips or any(node.ip in host_ips for node, _ in job.placement))
            ]
        return self._selections[key]

    def encoded_jobs(self, jobs: t.Iterable[Job]) -> str:
        """The jobs as JSON, separated by commas, with durations as of now."""
        now = int(self.clock.now)
        parts = []
        for job in jobs:
            fragment = job.fragment or self._encode(job)
            if isinstance(fragment, str):
                parts.append(fragment)
            else:
                head, since, tail = fragment
                parts.append(f"{head}{now - since}{tail}")
        return ",".join(parts)

    def _encode(self, job: Job) -> tuple[str, int, str] | str:
        """Cut the job's JSON at the one number that moves with the clock, if there is one."""
        created = job.create_ms // 1000
        waiting, running = job.started is None, job.started is not None and job.ended is None
        head: dict[str, t.Any] = {
            "kind": "Workload",
            "apiVersion": "v1",
            "uid": job.uid,
            "jobUUID": job.job_uuid,
            "name": f"modelarts-job-{job.job_uuid}",
            "jobName": job.name,
            "type": job.type,
            "namespace": self.id,
        }
        if job.flavor is not None:
            head["flavor"] = job.flavor
        head["status"] = job.status
        if job.owner is not None:
            head["userName"] = job.owner
        # The reference does not say whether the requirement is a replica's or the job's: taken to be the job's.
        total = {key: job_quantity(key, amount * job.replicas) for key, amount in job.requirement.items()}
        head["resourceRequirement"] = [total] if self.quirks.get("requirement_as_array") else total
        head["priority"] = job.priority
        head["createTime"] = job.create_ms
        tail: dict[str, t.Any] = {}
        if job.started is not None:
            duration = job.ended - job.started if job.ended is not None else 0
            (head if job.ended is not None else tail)["runningDuration"] = duration
            tail["pendingDuration"] = max(0, job.started - created)
        else:
            tail["pendingDuration"] = 0
        tail["pendingPosition"] = -1
        tail["gvk"] = _GVK[job.type]
        if job.placement:
            tail["hostIps"] = ",".join(dict.fromkeys(node.ip for node, _ in job.placement))
            tail["nodes"] = self._job_nodes(job)
        tail["isDeleted"] = "false"
        start, end = json.dumps(head)[:-1] + ", ", json.dumps(tail)[1:]
        if waiting or running:
            name, rest = end.split(": 0", 1)
            job.fragment = (f"{start}{name}: ", created if waiting else t.cast(int, job.started), rest)
        else:
            job.fragment = start + end
        return job.fragment

    def _job_nodes(self, job: Job) -> t.Any:
        replica = {key: job_quantity(key, amount) for key, amount in job.requirement.items()}
        listed = [
            {
                "hostIp": node.ip,
                **({"npuTopologyPlacement": bits} if bits else {}),
                "resourceRequirement": replica,
            }
            for node, bits in job.placement
        ]
        return listed[0] if self.quirks.get("nodes_as_object") and len(listed) == 1 else listed

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
        return {
            "kind": "Pool",
            "apiVersion": "v2",
            "metadata": {
                "name": self.id,
                "creationTimestamp": given.get("created") or iso_time(self.clock.start - 180 * 86400),
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

    def _counts_by_phase(self) -> dict[str, t.Any]:
        resources = {}
        for phase in ("Creating", "Available", "Abnormal", "Deleting"):
            nodes = [node for node in self.nodes if node.phase == phase or (node.phase, phase) == ("Checking", "Abnormal")]
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
            "timestamp": iso_time(self.clock.now - given.get("age", 0)),
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


def _listed(value: t.Any, where: str) -> list[t.Any]:
    if not isinstance(value, list):
        raise ScenarioError(f"{where} must be a list")
    return value


def _hash(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


class World:
    """All pools of a scenario at this moment. Hold ``lock`` while using it."""

    def __init__(self, scenario: dict[str, t.Any]) -> None:
        self.lock = threading.RLock()
        clock = checked(scenario.get("clock", {}), ("start", "frozen"), "clock")
        start = number(clock["start"], "clock.start") if "start" in clock else None
        self.clock = Clock(start, bool(clock.get("frozen", False)))
        self.flavors = {
            name: checked(flavor, _FLAVOR_KEYS, f"flavors.{name}") for name, flavor in scenario.get("flavors", {}).items()
        }
        quirks = checked_quirks(scenario.get("quirks", {}), "quirks")
        self.pools: dict[str, Pool] = {}
        for index, entry in enumerate(_listed(scenario.get("pools", []), "pools")):
            pool = Pool(entry, self.flavors, self.clock, quirks, index)
            if pool.id in self.pools:
                raise ScenarioError(f"pools[{index}].id: two pools have the ID {pool.id}")
            self.pools[pool.id] = pool
        self._events = [
            self._checked_event(event, f"timeline[{index}]")
            for index, event in enumerate(_listed(scenario.get("timeline", []), "timeline"))
        ]
        self._reads_at: dict[tuple[str, int], float] = {}

    def pool(self, pool_id: str) -> Pool:
        if pool_id not in self.pools:
            raise PoolNotFound(pool_id)
        return self.pools[pool_id]

    # Timeline

    def _checked_event(self, event: t.Any, where: str) -> dict[str, t.Any]:
        event = checked(event, _EVENT_KEYS, where)
        number(event.get("after"), f"{where}.after")
        wanted = event.get("pool")
        found = [pool for pool in self.pools.values() if wanted in (None, pool.id, pool.name)]
        if len(found) != 1:
            raise ScenarioError(f"{where}.pool: {wanted!r} names {len(found)} pools, not one")
        actions = [key for key in ("add", "end", "start", "remove", "node", "scope", "phase") if key in event]
        if not actions or (len(actions) > 1 and actions != ["node", "phase"]):
            raise ScenarioError(f"{where}: give one of add, end, start, remove, node with phase, scope or phase")
        if "node" in event:
            found[0].node(event["node"], where)
            one_of(event.get("phase"), NODE_PHASES, f"{where}.phase")
        if "status" in event:
            one_of(event["status"], STATUSES, f"{where}.status")
        if "add" in event:
            checked(event["add"], _JOB_KEYS, f"{where}.add")
        return {**event, "pool": found[0], "where": where}

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
        pool, where = t.cast(Pool, event["pool"]), event["where"]
        if "add" in event:
            pool.add_jobs({"age": 0, **event["add"]}, f"{where}.add")
        elif "end" in event:
            pool.set_status(pool.job(event["end"], where), event.get("status", "Completed"), where)
        elif "start" in event:
            pool.set_status(pool.job(event["start"], where), event.get("status", "Running"), where)
        elif "remove" in event:
            pool.remove(pool.job(event["remove"], where))
        elif "node" in event:
            pool.set_node_phase(event["node"], event["phase"], where)
        elif "scope" in event:
            pool.scope.update(event["scope"])
        else:
            pool.phase = event["phase"]

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
