# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of a pool: from a scenario to the documents of ListWorkloads."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from .cards import MOST_CARDS
from .clock import Clock
from .node import Node
from .parts import digest, merged, uuid_of
from .quantities import Resources, job_quantity
from .scenario import (
    LARGEST_COUNT,
    ScenarioError,
    checked,
    listed,
    mapping_of,
    number,
    one_of,
    optional_text,
    quantities,
    text,
    whole,
)


class JobType(t.NamedTuple):
    """A type of jobs: its resource in Kubernetes, and the scope of pools that it belongs to."""

    gvk: str
    scope: str


JOB_TYPES = {  # only the resource of train is documented, the others are a guess
    "train": JobType("batch.volcano.sh/v1alpha1, Kind=Job", "Train"),
    "infer": JobType("apps/v1, Kind=Deployment", "Infer"),
    "notebook": JobType("apps/v1, Kind=StatefulSet", "Notebook"),
    # Inference services of the new kind belong to the scope of the old kind.
    "x-infer": JobType("apps/v1, Kind=Deployment", "Infer"),
}
STATUSES = ("Queue", "Pending", "Abnormal", "Terminating", "Creating", "Running", "Completed", "Terminated", "Failed")
HOLDING = frozenset(("Running", "Creating", "Terminating", "Abnormal"))
WAITING = frozenset(("Queue", "Pending"))

_JOB_KEYS = (
    "age", "cards", "count", "createTime", "every", "extra", "flavor", "jobUUID", "name", "nodes", "owner", "priority",
    "ran", "replicas", "resources", "status", "type", "uid", "waited",
)  # fmt: skip
_CYCLED = ("type", "status", "owner", "resources", "priority", "flavor")


@dataclass(eq=False)
class Job:
    """A job. Times are whole seconds of the scenario's clock, None where it did not happen.

    ``requirement`` is a replica's. ``order`` sorts by creation, and among equals by appearance. ``wanted_nodes`` is
    None where the emulator chooses, and empty for a job that holds resources but shows no node. ``wanted_cards`` are
    the numbers of a replica's cards, None where the emulator chooses.
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
    wanted_cards: list[int] | None = None
    placement: list[tuple[Node, str | None]] = field(default_factory=list)
    fragment: tuple[str, int, str] | str | None = None

    def __lt__(self, other: Job) -> bool:
        return self.order < other.order


class JobReader:
    """Reads the entries of a scenario that stand for jobs of one pool, and numbers the jobs."""

    def __init__(self, pool_id: str, clock: Clock, check_node: t.Callable[[str, str], object]) -> None:
        self._pool_id = pool_id
        self._clock = clock
        self._check_node = check_node
        self._sequence = 0

    def jobs_of(self, entry: object, where: str) -> t.Iterator[Job]:
        """Return the jobs that an entry of a scenario stands for. They are not in the pool yet."""
        scenario = checked(entry, _JOB_KEYS, where)
        count = whole(scenario.get("count", 1), f"{where}.count", most=LARGEST_COUNT)
        name = text(scenario.get("name"), f"{where}.name")
        age = number(scenario.get("age", 3600), f"{where}.age")
        every = number(scenario.get("every", 60), f"{where}.every")
        for node_name in listed(scenario.get("nodes", []), f"{where}.nodes"):
            self._check_node(text(node_name, f"{where}.nodes"), where)
        choices = [(key, scenario[key]) for key in _CYCLED if isinstance(scenario.get(key), list)]
        for key, values in choices:
            if not values:
                raise ScenarioError(f"{where}.{key}: the list is empty")
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
            yield self._job_of(chosen, numbered, parsed[id(wanted)], age + index * every, where)

    def _job_of(self, scenario: dict[str, t.Any], name: str, wanted: Resources, age: float, where: str) -> Job:
        self._sequence += 1
        made_up = digest(self._pool_id, "job", self._sequence)
        status = one_of(scenario.get("status", "Queue"), STATUSES, f"{where}.status")
        wanted_nodes = scenario.get("nodes")
        replicas = whole(scenario.get("replicas", len(wanted_nodes or "1")), f"{where}.replicas", most=LARGEST_COUNT)
        if wanted_nodes and len(wanted_nodes) != replicas:
            raise ScenarioError(f"{where}: {replicas} replicas, but {len(wanted_nodes)} nodes")
        if "cards" in scenario and not wanted_nodes:
            raise ScenarioError(f"{where}: cards needs nodes, as it lists the cards of each node")
        now = int(self._clock.now)
        create_ms = whole(scenario.get("createTime", (now - int(age)) * 1000), f"{where}.createTime")
        began = create_ms // 1000 + int(number(scenario.get("waited", 0), f"{where}.waited"))
        ended = None
        if status not in WAITING and status not in HOLDING:
            ended = began + int(number(scenario["ran"], f"{where}.ran")) if "ran" in scenario else max(began, now)
        return Job(
            name=name,
            type=one_of(scenario.get("type", "train"), JOB_TYPES, f"{where}.type"),
            status=status,
            owner=optional_text(scenario, "owner", where) or None,
            flavor=optional_text(scenario, "flavor", where) or None,
            priority=_priority(scenario.get("priority", "0"), f"{where}.priority"),
            uid=optional_text(scenario, "uid", where, uuid_of(made_up[:32])),
            job_uuid=optional_text(scenario, "jobUUID", where, uuid_of(made_up[32:])),
            requirement=wanted,
            replicas=replicas,
            wanted_nodes=wanted_nodes,
            create_ms=create_ms,
            started=None if status in WAITING else began,
            ended=ended,
            order=(create_ms, self._sequence),
            extra=mapping_of(scenario["extra"], f"{where}.extra") if "extra" in scenario else None,
            wanted_cards=_cards(scenario["cards"], f"{where}.cards") if "cards" in scenario else None,
        )

    def invented(self, position: int) -> Job:
        """Return a job of a server that never ends."""
        entry = {"jobUUID": uuid_of(digest(self._pool_id, "invented", position)[:32])}
        return self._job_of(entry, f"invented-{position}", {}, 10**9 + position, "quirks.endless")


def _cards(value: object, where: str) -> list[int]:
    """Return the numbers of the cards that each replica has on its node."""
    numbers = [whole(number, where, most=MOST_CARDS) for number in listed(value, where)]
    if len(set(numbers)) != len(numbers) or 0 in numbers:
        raise ScenarioError(f"{where} must be different card numbers of 1 or more")
    return numbers


def _priority(value: object, where: str) -> str:
    """Return it as the text that the API writes; in a scenario it may be a number."""
    return value if isinstance(value, str) else str(whole(value, where))


class JobWriter:
    """Writes jobs as JSON. A job that does not change is written once."""

    def __init__(self, pool_id: str, clock: Clock, quirks: dict[str, t.Any]) -> None:
        self._pool_id = pool_id
        self._clock = clock
        self._quirks = quirks
        self._requirements: dict[tuple[tuple[tuple[str, int], ...], int], str] = {}

    def encoded(self, jobs: t.Iterable[Job]) -> str:
        """Return the jobs as JSON, separated by commas, with durations as of now."""
        now = int(self._clock.now)
        parts = []
        for job in jobs:
            fragment = job.fragment or self._encode(job)
            if not isinstance(fragment, str):
                head, since, tail = fragment
                fragment = f"{head}{now - since}{tail}"
            if job.extra is not None:
                fragment = json.dumps(merged(json.loads(fragment), job.extra))
            parts.append(fragment)
        return ",".join(parts)

    def _encode(self, job: Job) -> tuple[str, int, str] | str:
        """Cut the job's JSON at the one number that moves with the clock, if there is one."""
        created = job.create_ms // 1000
        flavor = f', "flavor": {json.dumps(job.flavor)}' if job.flavor is not None else ""
        owner = f', "userName": {json.dumps(job.owner)}' if job.owner is not None else ""
        # The reference does not say whether the requirement is a replica's or the job's: taken to be the job's.
        required = self._encoded_requirement(job.requirement, job.replicas)
        if self._quirks.get("requirement_as_array"):
            required = f"[{required}]"
        head = (
            f'{{"kind": "Workload", "apiVersion": "v1", "uid": {json.dumps(job.uid)}, '
            f'"jobUUID": {json.dumps(job.job_uuid)}, "name": {json.dumps("modelarts-job-" + job.job_uuid)}, '
            f'"jobName": {json.dumps(job.name)}, "type": "{job.type}", "namespace": "{self._pool_id}"{flavor}, '
            f'"status": "{job.status}"{owner}, "resourceRequirement": {required}, '
            f'"priority": {json.dumps(job.priority)}, "createTime": {job.create_ms}'
        )
        gvk = JOB_TYPES[job.type].gvk
        tail = f', "pendingPosition": -1, "gvk": "{gvk}"{self._encoded_nodes(job)}, "isDeleted": "false"}}'
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
        ips = json.dumps(",".join(dict.fromkeys(node.ip for node, _cards in job.placement)))
        required = self._encoded_requirement(job.requirement, 1)
        nodes = ", ".join(
            f'{{"hostIp": {json.dumps(node.ip)}{_encoded_bits(bits)}, "resourceRequirement": {required}}}'
            for node, bits in job.placement
        )
        if not self._quirks.get("nodes_as_object") or len(job.placement) > 1:
            nodes = f"[{nodes}]"
        return f', "hostIps": {ips}, "nodes": {nodes}'


def _encoded_bits(bits: str | None) -> str:
    return f', "npuTopologyPlacement": "{bits}"' if bits else ""
