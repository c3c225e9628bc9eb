# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes: API documents -> facts.

This module util is private to the collection. Source: ListPoolNodes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    add_amounts,
    amounts_to_numbers,
    parse_quantity,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import (
    count_ascend_cards,
    free_cards_in_text,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    amounts_field,
    count_field_or_none,
    host_address,
    list_field,
    misshapen_fields,
    name_field_or_none,
    object_field,
    text_field_or_none,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, trimmed
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    BATCH_LABELS,
    BILLING_LABEL,
    BILLING_STATUSES,
    BLOCKING_EFFECTS,
    CABINET_LABEL,
    CANNOT_BE_READ,
    DRAIN_ANNOTATION,
    DRIVER_RUNNING,
    EXCLUSIVE_LABEL,
    LOCK_ANNOTATION,
    NODE_AVAILABLE,
    NODE_POOL_ID_LABEL,
    NODE_POOL_LABEL,
    PLACEMENT_ANNOTATION,
    QUOTA_LABEL,
    SERVER_LABEL,
    STANDBY_LABEL,
    SUPERNODE_LABEL,
    TAINT_EFFECTS,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        BatchFacts,
        CapacityFacts,
        ComponentFacts,
        NodeFacts,
        Numbers,
    )
    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts

_NODE_SHAPES: dict[tuple[str, ...], type] = {
    ("metadata",): dict,
    ("metadata", "labels"): dict,
    ("metadata", "annotations"): dict,
    ("spec",): dict,
    ("spec", "taints"): list,
    ("status",): dict,
    ("status", "taints"): list,
    ("status", "driver"): dict,
    ("status", "plugins"): list,
}


# Labels alone tell which logical pool a node is bound to.
_LABEL_SHAPES: dict[tuple[str, ...], type] = {("metadata",): dict, ("metadata", "labels"): dict}


def node_facts(document: Document, jobs_by_host: Mapping[str, int] | None = None) -> NodeFacts:
    """Return a node as facts.

    ``resources`` are those that it has and ``free`` those that are idle, in cores, bytes and cards; None where not
    readable.

    ``usable`` tells whether it can take new work, ``unusable`` says why not. ``jobs`` is how many jobs show its
    address; ``cards_occupied`` counts the ones of its NPU placement bits, when it has them, and ``cards_free`` numbers
    the cards that they show as free, of which ``cards_lost`` are not among the free amounts. ``locked`` protects the
    node from deletion and decides nothing.
    """
    metadata, spec, status = (object_field(document, name) for name in ("metadata", "spec", "status"))
    labels, annotations = object_field(metadata, "labels"), object_field(metadata, "annotations")
    # OTC's reference has them in both places, and Huawei Cloud's has none (ListPoolNodes).
    taints = list_field(spec.get("taints")) + list_field(status.get("taints"))
    # Rounded down, both: 7.9999 cards are no room for eight.
    resources, unreadable = amounts_field(status.get("resources"), down=True)
    free, unreadable_free = amounts_field(status.get("availableResources"), down=True)
    phase = text_field_or_none(status.get("phase"))
    driver, plugins = (
        _driver_or_plugin_of_node(status.get("driver")),
        [_driver_or_plugin_of_node(one) for one in list_field(status.get("plugins"))],
    )
    # The first reason is told, so what a person sees in the console comes before what a label hides.
    unusable = (
        _why_node_unusable(phase, taints, annotations, labels)
        or _why_node_idle_in_vain(labels, driver, plugins)
        or _why_node_doubtful(document, taints)
    )
    address = node_address(document)
    bits = annotations.get(PLACEMENT_ANNOTATION)
    has = None if resources is None else amounts_to_numbers(resources)
    idle = None if free is None else amounts_to_numbers(free)
    cards = None if bits is None else free_cards_in_text(bits, count_ascend_cards(has))
    return {
        "name": text_field_or_none(metadata.get("name")),
        "phase": phase,
        "flavor": name_field_or_none(spec.get("flavor")),
        "az": text_field_or_none(status.get("az")),
        "private_ip": address,
        "taints": taints,
        "drain": DRAIN_ANNOTATION in annotations,
        "exclusive_to": _label_text_of_node(labels, EXCLUSIVE_LABEL),
        "elastic_quota": _quota_of_node(document, labels),
        "hot_standby": _is_standby_node(labels),
        "billing_status": _billing_status_of_node(labels),
        "driver": driver,
        "plugins": plugins,
        "locked": LOCK_ANNOTATION in annotations,
        "node_pool": _label_text_of_node(labels, NODE_POOL_LABEL),
        "node_pool_id": _label_text_of_node(labels, NODE_POOL_ID_LABEL),
        "supernode": _name_in_label_of_node(labels, SUPERNODE_LABEL),
        "cabinet": _name_in_label_of_node(labels, CABINET_LABEL),
        "server": _name_in_label_of_node(labels, SERVER_LABEL),
        "batch": _batch_of_node(labels),
        "usable": unusable is None,
        "unusable": unusable,
        "resources": has,
        "free": idle,
        "unreadable": unreadable + unreadable_free,
        "cards_occupied": bits.count("1") if isinstance(bits, str) and set(bits) <= {"0", "1"} else None,
        "cards_free": cards,
        # Counted before jobs take any away: which of them are broken, or taken by what is in no list, is not told.
        "cards_lost": None if cards is None else max(0, len(cards) - (count_ascend_cards(idle) or 0)),
        "jobs": None if jobs_by_host is None or address is None else jobs_by_host.get(address, 0),
        "held": None,
    }


def node_address(document: Document) -> str | None:
    """Return the address by which jobs name a node."""
    return host_address(object_field(document, "status").get("privateIp"))


def _why_node_unusable(
    phase: str | None, taints: Sequence[object], annotations: Document, labels: Document
) -> str | None:
    # Every other phase, known or not: a new one is no promise to take work.
    if phase != NODE_AVAILABLE:
        return f"phase {one_line(phase or 'unknown', 60)}"
    for taint in taints:
        if isinstance(taint, dict) and taint.get("effect") in BLOCKING_EFFECTS:
            return f"taint {one_line(str(taint.get('key')), 60)}:{taint['effect']}"
    # The key alone counts, whatever its value: the reference documents none (ListPoolNodes).
    if DRAIN_ANNOTATION in annotations:
        return "draining"
    if EXCLUSIVE_LABEL in labels:
        return f"reserved for {one_line(str(labels[EXCLUSIVE_LABEL]), 60) or 'an unnamed job'}"
    return None


def _why_node_idle_in_vain(
    labels: Document, driver: ComponentFacts | None, plugins: Sequence[ComponentFacts | None]
) -> str | None:
    """Return why a node that is Available and idle runs nothing all the same.

    Source: the SDK's NodeLabels; status.driver and status.plugins are in no reference, the Terraform provider reads
    them from the real API. A value that is not known counts as the worse one: not tried on a real pool.
    """
    # An isolated standby shows idle cards, and a job that counts on them fails (ListPoolNodes).
    standby = _is_standby_node(labels)
    if standby is not False:
        return "hot standby" if standby else f"hot standby or not (label {CANNOT_BE_READ})"
    billing = _billing_status_of_node(labels)
    # Frozen nodes keep their phase Available (ListPoolNodes).
    if billing not in (None, "normal"):
        return {"frozen": "frozen", "ended": "billing ended"}.get(
            str(billing), f"billing status {one_line(str(billing), 60)}"
        )
    # A node is Available while its driver is still being put on, and runs nothing by then.
    if driver is not None and driver["phase"] not in (None, DRIVER_RUNNING):
        return f"driver {one_line(driver['phase'], 60)}"
    for plugin in plugins:
        if plugin is not None and plugin["phase"] not in (None, DRIVER_RUNNING):
            return f"plugin {one_line(plugin['name'] or 'without a name', 60)} {one_line(plugin['phase'], 60)}"
    return None


def _is_standby_node(labels: Document) -> bool | None:
    """Return whether the node stands by for a broken one; None when its label is neither true nor false."""
    if STANDBY_LABEL not in labels:
        return False
    return {"true": True, "false": False}.get(str(labels[STANDBY_LABEL]).strip().lower())


def _billing_status_of_node(labels: Document) -> str | None:
    if BILLING_LABEL not in labels:
        return None
    value = str(labels[BILLING_LABEL]).strip()
    return BILLING_STATUSES.get(value, value or "empty")


def _driver_or_plugin_of_node(value: object) -> ComponentFacts | None:
    """Return a driver or plugin of a node: ``{name, version, phase}``.

    A phase that is no text is one that is not known.
    """
    if not isinstance(value, dict):
        return None
    phase = value.get("phase")
    return {
        "name": text_field_or_none(value.get("name")),
        "version": text_field_or_none(value.get("version")),
        "phase": None if phase is None else str(phase) or "empty",
    }


def _batch_of_node(labels: Document) -> BatchFacts | None:
    """Return the batch that the node was bought in: ``{uid, name, type, count}``.

    One of type hyperinstance is a supernode.
    """
    if not any(label in labels for label in BATCH_LABELS.values()):
        return None
    return {
        "uid": _name_in_label_of_node(labels, BATCH_LABELS["uid"]),
        "name": _name_in_label_of_node(labels, BATCH_LABELS["name"]),
        "type": name_field_or_none(_name_in_label_of_node(labels, BATCH_LABELS["type"])),
        "count": count_field_or_none(_name_in_label_of_node(labels, BATCH_LABELS["count"])),
    }


def _why_node_doubtful(document: Document, taints: Sequence[object]) -> str | None:
    """Return why it cannot be told whether the node takes work: what would say so is not as documented."""
    # A list of taints that is no list could hide the one that keeps work away.
    wrong = misshapen_fields(document, _NODE_SHAPES)
    plugins = list_field(object_field(document, "status").get("plugins"))
    wrong += ["a plugin" for plugin in plugins if not isinstance(plugin, dict)]
    if any(not isinstance(taint, dict) or taint.get("effect") not in TAINT_EFFECTS for taint in taints):
        wrong.append("a taint")
    return f"{wrong[0]} {CANNOT_BE_READ}" if wrong else None


def _quota_of_node(document: Document, labels: Document) -> str | None:
    """Return the logical pool that the node is bound to.

    Labels that cannot be read, or a label without a value, may stand for any of them.
    """
    if QUOTA_LABEL in labels:
        return str(labels[QUOTA_LABEL]) or "empty"
    return CANNOT_BE_READ if misshapen_fields(document, _LABEL_SHAPES) else None


def _label_text_of_node(labels: Document, name: str) -> str | None:
    """Return a label whose being there matters, as text whatever its type; None when there is none."""
    if name not in labels or labels[name] == "":
        return None
    return str(labels[name])


def _name_in_label_of_node(labels: Document, name: str) -> str | None:
    """Return a label whose value is what nodes have in common; None where it is not told: "None" would join nodes."""
    value = labels.get(name)
    return value if isinstance(value, str) and trimmed(value) else None


def sum_node_facts(nodes: Sequence[NodeFacts]) -> CapacityFacts:
    """Return sums over nodes: ``{nodes, usable_nodes, total, usable, free}``.

    ``total`` is what all nodes have, ``usable`` what those have that can take work, ``free`` what is idle on these. A
    node whose quantities cannot be read adds nothing.
    """
    total: Amounts = {}
    usable: Amounts = {}
    free: Amounts = {}
    for node in nodes:
        _add_node_amounts(total, node["resources"])
        if node["usable"]:
            _add_node_amounts(usable, node["resources"])
            _add_node_amounts(free, node["free"])
    return {
        "nodes": len(nodes),
        "usable_nodes": sum(node["usable"] for node in nodes),
        "total": amounts_to_numbers(total),
        "usable": amounts_to_numbers(usable),
        "free": amounts_to_numbers(free),
    }


def _add_node_amounts(total: Amounts, facts: Numbers | None) -> None:
    add_amounts(total, {resource: parse_quantity(resource, value) for resource, value in (facts or {}).items()})
