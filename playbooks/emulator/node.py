# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a pool: from a scenario to the documents of ListPoolNodes."""

from __future__ import annotations

import json
import typing as t

from .parts import digest, iso_time, merged
from .quantities import Resources, node_quantity
from .scenario import ScenarioError, checked, mapping_of, one_of, quantities, text, whole

NODE_PHASES = ("Available", "Creating", "Deleting", "Abnormal", "Checking")
BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
CABINET_LABEL = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
DRAIN_ANNOTATION = "os.modelarts.node/drain"
_NODE_KEYS = (
    "annotations", "az", "count", "created", "extra", "flavor", "hostNetwork", "ip", "labels", "name", "overhead",
    "phase", "resources", "taints",
)  # fmt: skip


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
        return bits_of(index in mine for index in range(len(self.cards)))

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
            placement = {"os.modelarts/npu-topology-placement": bits_of(card is not None for card in self.cards)}
            metadata = {**metadata, "annotations": {**metadata.get("annotations", {}), **placement}}
        return merged({**self.document, "metadata": metadata, "status": status}, self.extra)


def bits_of(occupied: t.Iterable[bool]) -> str:
    return "".join("1" if bit else "0" for bit in occupied)[::-1].rjust(16, "0")


class NodeReader:
    """Reads the entries of a scenario that stand for nodes of one pool, and numbers the nodes."""

    def __init__(self, pool_id: str, network: int, flavors: dict[str, t.Any], start: float) -> None:
        self._pool_id = pool_id
        self._network = network
        self._flavors = flavors
        self._created = iso_time(start - 90 * 86400)
        self._serial = 0

    def nodes_of(self, entry: object, where: str) -> t.Iterator[Node]:
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
            self._serial += 1
            serial = self._serial
            name = scenario.get("name") or f"os-node-created-{digest(self._pool_id, 'node', serial)[:5]}"
            if count > 1 and "name" in scenario:
                name = f"{name}-{index + 1:02d}"
            ip = scenario.get("ip") or f"10.{self._network}.{(serial - 1) // 250}.{(serial - 1) % 250 + 1}"
            metadata: dict[str, t.Any] = {
                "name": name,
                "creationTimestamp": scenario.get("created") or self._created,
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
            yield node
