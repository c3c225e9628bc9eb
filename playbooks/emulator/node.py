# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a pool: from a scenario to the documents of ListPoolNodes."""

from __future__ import annotations

import json
import typing as t

from .cards import MOST_CARDS, Cards, text_of, together_on
from .parts import digest, iso_time, merged
from .quantities import Resources, node_quantity
from .scenario import (
    LARGEST_COUNT,
    ScenarioError,
    checked,
    listed,
    mapping_of,
    one_of,
    optional_text,
    quantities,
    text,
    texts_by_name,
    whole,
)

NODE_PHASES = ("Available", "Creating", "Deleting", "Abnormal", "Checking")
# Of a node's driver and plugins. Terraform reads them from the real API, no reference lists them.
PART_PHASES = ("Running", "Abnormal", "Pending", "Updating")
BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
CABINET_LABEL = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
STANDBY_LABEL = "os.modelarts.node/ha.redundant.enabled"
BILLING_LABEL = "os.modelarts/billing.status"
NODE_POOL_LABEL = "os.modelarts.node/nodepool"
DRAIN_ANNOTATION = "os.modelarts.node/drain"
# Of a node, what an event of the timeline can change.
NODE_CHANGES = ("annotations", "driver", "labels", "phase", "plugins", "taints")
_NODE_KEYS = (
    "annotations", "az", "count", "created", "driver", "extra", "flavor", "hostNetwork", "ip", "labels", "name",
    "overhead", "phase", "plugins", "resources", "taints",
)  # fmt: skip
_DRIVER_VERSION = "535.54.03"
_PLUGIN_VERSION = "1.0.0"


def checked_changes(given: dict[str, t.Any], where: str) -> dict[str, t.Any]:
    """Return the part of a scenario that says in which state a node is: those of NODE_CHANGES that are there."""
    if "phase" in given:
        one_of(given["phase"], NODE_PHASES, f"{where}.phase")
    if "driver" in given:
        one_of(given["driver"], PART_PHASES, f"{where}.driver")
    for name, phase in mapping_of(given.get("plugins", {}), f"{where}.plugins").items():
        one_of(phase, PART_PHASES, f"{where}.plugins.{name}")
    for key in ("labels", "annotations"):
        texts_by_name(given.get(key, {}), f"{where}.{key}")
    for taint in listed(given.get("taints", []), f"{where}.taints"):
        texts_by_name(taint, f"{where}.taints")
    return {key: given[key] for key in NODE_CHANGES if key in given}


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
        together: int | None = None,
    ) -> None:
        self.name = name
        self.ip = ip
        self.flavor = flavor
        self.resources = resources
        self.free = dict(resources)
        self.document = document
        self.extra = extra
        self._encoded: str | None = None
        cards = [key for key in resources if key.startswith("huawei.com/ascend")]
        self.npu = cards[0] if cards else ""
        self.cards = Cards(resources[self.npu] // 1000, together or together_on(flavor)) if cards else None

    @property
    def phase(self) -> str:
        return str(self.document["status"]["phase"])

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.document["metadata"].get("labels", {})
        return labels

    @property
    def takes_work(self) -> bool:
        """Whether new work is started on it. What its document does not say does not speak against it."""
        status, metadata = self.document["status"], self.document["metadata"]
        parts = [status.get("driver", {}), *status.get("plugins", ())]
        return (
            self.phase == "Available"
            and not any(taint.get("effect") in BLOCKING_EFFECTS for taint in status.get("taints", ()))
            and DRAIN_ANNOTATION not in metadata.get("annotations", ())
            and CABINET_LABEL not in self.labels
            and self.labels.get(STANDBY_LABEL) != "true"
            and self.labels.get(BILLING_LABEL, "0") == "0"
            and all(part.get("phase", "Running") == "Running" for part in parts)
        )

    def has_room(self, wanted: Resources, replicas: int = 1, cards: t.Sequence[int] | None = None) -> bool:
        """Return whether so many replicas fit, on ``cards`` if they want those."""
        if not all(self.free.get(resource, 0) >= amount * replicas for resource, amount in wanted.items()):
            return False
        if self.cards is None or not wanted.get(self.npu):
            return True
        if cards is not None:
            return replicas == 1 and len(cards) == _whole(wanted[self.npu]) and self.cards.are_free(cards)
        return self.cards.replicas(_whole(wanted[self.npu])) >= replicas

    def take(self, job: str, wanted: Resources, cards: t.Sequence[int] | None = None) -> str | None:
        """Take a replica's resources; for NPU the cards that it got, as 16 bits."""
        self._encoded = None
        for resource, amount in wanted.items():
            self.free[resource] = self.free.get(resource, 0) - amount
        if self.cards is None or not wanted.get(self.npu):
            return None
        return text_of(self.cards.take(job, _whole(wanted[self.npu]), cards))

    def give_back(self, job: str, wanted: Resources) -> None:
        self._encoded = None
        for resource, amount in wanted.items():
            self.free[resource] = self.free.get(resource, 0) + amount
        if self.cards is not None:
            self.cards.give_back(job)

    def change(self, changes: t.Mapping[str, t.Any]) -> None:
        """Put it into another state: each of NODE_CHANGES that is given takes the place of what there was."""
        self._encoded = None
        metadata, status = self.document["metadata"], self.document["status"]
        metadata.update({key: changes[key] for key in ("labels", "annotations") if key in changes})
        status.update({key: changes[key] for key in ("phase", "taints") if key in changes})
        if "driver" in changes:
            status["driver"] = {"phase": changes["driver"], "version": _DRIVER_VERSION}
        if "plugins" in changes:
            status["plugins"] = [
                {"name": name, "phase": phase, "version": _PLUGIN_VERSION} for name, phase in changes["plugins"].items()
            ]

    def encoded(self) -> str:
        if self._encoded is None:
            self._encoded = json.dumps(self._document())
        return self._encoded

    def _document(self) -> dict[str, t.Any]:
        status = dict(self.document["status"])
        status["resources"] = {key: node_quantity(key, amount) for key, amount in self.resources.items()}
        status["availableResources"] = {key: node_quantity(key, max(0, self.free[key])) for key in self.resources}
        metadata = self.document["metadata"]
        if self.cards is not None:
            placement = {"os.modelarts/npu-topology-placement": text_of(self.cards.taken)}
            metadata = {**metadata, "annotations": {**metadata.get("annotations", {}), **placement}}
        return merged({**self.document, "metadata": metadata, "status": status}, self.extra)


def _whole(amount: int) -> int:
    """Return whole cards: those of which a job has a part are its own."""
    return -(-amount // 1000)


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
        for resource, amount in resources.items():
            if resource.startswith("huawei.com/ascend") and amount > MOST_CARDS * 1000:
                raise ScenarioError(f"{where}.resources: {resource} is more than {MOST_CARDS}")
        overhead = quantities(scenario.get("overhead", {}), f"{where}.overhead")
        extra = mapping_of(scenario.get("extra", {}), f"{where}.extra")
        host_network = mapping_of(scenario.get("hostNetwork", {}), f"{where}.hostNetwork")
        created = optional_text(scenario, "created", where, self._created)
        az = optional_text(scenario, "az", where, "eu-de-01")
        changes = checked_changes({"phase": "Available", **scenario}, where)
        count = whole(scenario.get("count", 1), f"{where}.count", most=LARGEST_COUNT)
        for index in range(count):
            self._serial += 1
            serial = self._serial
            name = optional_text(
                scenario, "name", where, f"os-node-created-{digest(self._pool_id, 'node', serial)[:5]}"
            )
            if count > 1 and "name" in scenario:
                name = f"{name}-{index + 1:02d}"
            address = f"10.{self._network}.{(serial - 1) // 250}.{(serial - 1) % 250 + 1}"
            ip = optional_text(scenario, "ip", where, address)
            spec = {"flavor": flavor, **({"hostNetwork": host_network} if host_network else {})}
            document: dict[str, t.Any] = {
                "kind": "Node",
                "apiVersion": "v2",
                "metadata": {"name": name, "creationTimestamp": created},
                "spec": spec,
                "status": {"phase": "", "az": az, "privateIp": ip},
            }
            node = Node(name, ip, flavor, resources, document, extra, described.get("cards_together"))
            node.change(changes)
            for resource, amount in overhead.items():
                node.free[resource] = node.free.get(resource, 0) - amount
            yield node
