# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: the documents of ListWorkloads -> facts.

This module util is private to the collection. Source: ListWorkloads, tables 3 to 7.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import amounts_to_numbers
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import free_cards_in_text
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    boolean_field,
    creation_time_field,
    host_address,
    integer_field,
    label_field,
    seconds_since,
    text_field,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import JobNode, WorkloadFacts
    from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements

FIELDS = {
    "api_version": "apiVersion",
    "kind": "kind",
    "type": "type",
    "namespace": "namespace",
    "name": "name",
    "job_name": "jobName",
    "uid": "uid",
    "job_uuid": "jobUUID",
    "flavor": "flavor",
    "status": "status",
    "user_name": "userName",
    "resource_requirement": "resourceRequirement",
    "priority": "priority",
    "running_duration": "runningDuration",
    "pending_duration": "pendingDuration",
    "pending_position": "pendingPosition",
    "create_time": "createTime",
    "gvk": "gvk",
    "host_ips": "hostIps",
    "nodes": "nodes",
    "is_deleted": "isDeleted",
}
"""The documented fields, as facts spell them and as the API does."""

ADDED_FIELDS = ("pool_name", "resources", "created_at", "extra")

_DOCUMENTED = frozenset(FIELDS.values())
_NODE_DOCUMENTED = frozenset(("hostIp", "npuTopologyPlacement", "resourceRequirement"))
_INTEGERS = ("running_duration", "pending_duration", "pending_position", "create_time")


def job_type_of(item: Document) -> str:
    """Return the type of a job as JOB_TYPES spell it: pools spell theirs in upper case."""
    return label_field(item.get("type")).lower()


def pending_seconds_of_job(item: Document, now: float) -> int | None:
    """Return for how many seconds a job has waited; None when it does not tell, or was created in the future.

    No job has waited for longer than there is one.
    """
    # pendingDuration and createTime may disagree: with the smaller wait a job is more likely on its way.
    seconds = integer_field(item.get("pendingDuration"))
    created = integer_field(item.get("createTime"))
    exists = None if created is None else seconds_since(created / 1000, now)
    # A negative wait is none, and the time of creation takes its place.
    if seconds is not None and seconds >= 0:
        return seconds if exists is None else min(seconds, exists)
    return exists


def may_job_have_started_within(item: Document, seconds: float, now: float) -> bool:
    """Return whether a job that has nodes has come there within so many seconds, or does not tell that it has not."""
    ran = integer_field(item.get("runningDuration"))
    if ran is None or ran < 0:
        created, waited = integer_field(item.get("createTime")), integer_field(item.get("pendingDuration"))
        started = None if created is None or waited is None else created / 1000 + waited
        ran = None if started is None else seconds_since(started, now)
    return ran is None or ran < seconds


def _host_ips_of_job(value: object) -> list[str]:
    # The reference has one text with commas, the SDK a list.
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [address for address in map(host_address, parts) if address]


def hosts_of_job(item: Document) -> list[str]:
    """Return the addresses of the nodes that a job shows, from hostIps and from nodes, each once."""
    nodes = item.get("nodes")
    shown = [nodes] if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else []
    placed = [node.get("hostIp") for node in shown if isinstance(node, dict)]
    # Both sources together, as each of them may be absent (ListWorkloads, table 3; the SDK).
    return list(dict.fromkeys(_host_ips_of_job(item.get("hostIps")) + _host_ips_of_job(placed)))


def job_nodes(
    nodes: object, requirements: Requirements, cards: Mapping[str, int | None] | None = None
) -> tuple[list[JobNode], list[object]]:
    """Return (nodes of a job as facts, what was no object).

    The table of the reference gives one object, the SDK a list. ``cards`` is how many the node of an address has.
    """
    facts: list[JobNode] = []
    unreadable: list[object] = []
    for node in [nodes] if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else []:
        if not isinstance(node, dict):
            unreadable.append(node)
            continue
        amounts, _unread = requirements.read(node.get("resourceRequirement"))
        host, text = host_address(node.get("hostIp")), text_field(node.get("npuTopologyPlacement"))
        fact: JobNode = {
            "host_ip": host,
            "npu_topology_placement": text,
            "cards_free": free_cards_in_text(text, cards.get(host or "")) if cards else None,
            "resource_requirement": node.get("resourceRequirement"),
            "resources": amounts_to_numbers(amounts),
        }
        unknown = {key: value for key, value in node.items() if key not in _NODE_DOCUMENTED}
        if unknown:
            fact["extra"] = unknown
        facts.append(fact)
    return facts, unreadable


def job_facts(
    item: Document,
    pool_name: str,
    requirements: Requirements,
    fields: Sequence[str] | None = None,
    cards: Mapping[str, int | None] | None = None,
) -> WorkloadFacts:
    """Return a job as facts: every documented field, null where the API gave none, and what is added to them.

    Added are ``pool_name``, ``resources`` (cores, bytes, cards), ``created_at`` (ISO 8601, UTC) and ``extra`` (what
    the reference does not document, and documented fields of a type that cannot be theirs, as the API sent them).
    ``fields`` keeps only those keys, and ``cards`` is how many the node of an address has.
    """
    extra = {key: value for key, value in item.items() if key not in _DOCUMENTED}
    facts: dict[str, object] = {}
    for name, key in FIELDS.items():
        value = item.get(key)
        if name in _READERS:
            facts[name] = _READERS[name](value)
        else:
            facts[name] = value if isinstance(value, str) else text_field(value)
        # What could not be read under its name is kept as it came, so that nobody has to call the API again.
        if facts[name] is None and value is not None:
            extra[key] = value
    facts["nodes"], unreadable = job_nodes(item.get("nodes"), requirements, cards)
    if unreadable:
        extra["nodes"] = unreadable
    facts["pool_name"] = pool_name
    facts["resources"] = amounts_to_numbers(requirements.read(item.get("resourceRequirement"))[0])
    facts["created_at"] = creation_time_field(facts["create_time"])
    facts["extra"] = extra
    # FIELDS and _READERS are the types of WorkloadFacts, key by key, which a test compares.
    return t.cast("WorkloadFacts", facts if fields is None else {name: facts[name] for name in fields})


def _any_value(value: object) -> object:
    return value


_READERS: dict[str, Callable[[object], object]] = {
    "resource_requirement": _any_value,
    "host_ips": _host_ips_of_job,
    "nodes": _any_value,
    "is_deleted": boolean_field,
    **dict.fromkeys(_INTEGERS, integer_field),
}
