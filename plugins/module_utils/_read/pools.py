# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools: API documents -> facts.

This module util is private to the collection. Source: ShowPool, ListPools.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    count_field_or_none,
    list_field,
    misshapen_fields,
    object_field,
    text_field_or_none,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    BILLING_MODE_ANNOTATION,
    BILLING_MODES,
    CONTROL_MODES,
    NAME_LABEL,
    SCOPE,
    STRATEGY_ANNOTATION,
    SUBPOOLS_ANNOTATION,
    WORKSPACE_LABEL,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        FlavorCount,
        NodePoolFacts,
        NodeState,
        PoolFacts,
    )


_POOL_SHAPES: dict[tuple[str, ...], type] = {
    ("metadata",): dict,
    ("metadata", "annotations"): dict,
    ("spec",): dict,
    ("spec", "type"): str,
    ("status",): dict,
    ("status", "driver"): dict,
    ("status", "resources"): dict,
    ("status", "parent"): str,
}


def display_name(document: Document) -> str | None:
    """Return the name that the console shows: the label os.modelarts/name."""
    return text_field_or_none(object_field(object_field(document, "metadata"), "labels").get(NAME_LABEL))


def pool_id(document: Document) -> str | None:
    """Return the pool's ID: metadata.name."""
    return text_field_or_none(object_field(document, "metadata").get("name"))


def pool_facts(document: Document) -> PoolFacts:
    """Return a pool of ShowPool or ListPools as facts. Counts are numbers of nodes; null is what the API did not give.

    ``job_types`` maps train, infer, notebook (as the API spells them, in lower case) to their state; ``flavors`` is a
    list of ``{flavor, count, max_count, available, creating, abnormal, deleting}``; of a logical pool, ``count`` is the
    guaranteed quota and ``max_count`` the ceiling. ``control_mode`` lists the restrictions of the pool by name, see
    CONTROL_MODES. ``unreadable`` names what is not of its documented type.
    """
    metadata, spec, status = (object_field(document, name) for name in ("metadata", "spec", "status"))
    annotations = object_field(metadata, "annotations")
    # Parts of another shape are named, so that no check takes them for absent.
    unreadable = misshapen_fields(document, _POOL_SHAPES)
    if (
        annotations.get(SUBPOOLS_ANNOTATION) is not None
        and count_field_or_none(annotations[SUBPOOLS_ANNOTATION]) is None
    ):
        unreadable.append(SUBPOOLS_ANNOTATION)
    unreadable += [
        # An array in the reference and one object in the SDK; another shape hides how many nodes there are (ShowPool).
        f"status.resources.{state}"
        for state, counts in object_field(status, "resources").items()
        if counts is not None and not _are_readable_counts_of_pool(counts)
    ]
    if not all(map(_is_documented_driver_of_pool, object_field(status, "driver").values())):
        unreadable.append("status.driver")
    if not all(map(_is_documented_scope_of_pool, list_field(status.get("scope")))):
        unreadable.append(SCOPE)
    # Bits that cannot be read may be those that stop all work.
    control_mode = _control_modes_of_pool(spec.get("controlMode"))
    if control_mode is None:
        unreadable.append("spec.controlMode")
    billing_mode = annotations.get(BILLING_MODE_ANNOTATION)
    return {
        "pool_name": pool_id(document),
        "display_name": display_name(document),
        "created_at": text_field_or_none(metadata.get("creationTimestamp")),
        "type": text_field_or_none(spec.get("type")),
        "phase": text_field_or_none(status.get("phase")),
        "message": text_field_or_none(status.get("message")),
        "job_types": _job_type_states_of_pool(status.get("scope"), spec.get("scope")),
        "flavors": _flavor_counts_of_pool(spec.get("resources"), object_field(status, "resources")),
        "driver": {
            kind: {"version": text_field_or_none(state.get("version")), "state": text_field_or_none(state.get("state"))}
            for kind, state in object_field(status, "driver").items()
            if isinstance(state, dict)
        },
        "control_mode": control_mode or [],
        "node_pools": _node_pool_facts(spec.get("resources")),
        "workspace_id": text_field_or_none(object_field(metadata, "labels").get(WORKSPACE_LABEL)),
        "billing_mode": None if billing_mode is None else BILLING_MODES.get(str(billing_mode), str(billing_mode)),
        "queue_strategy": text_field_or_none(annotations.get(STRATEGY_ANNOTATION)),
        "subpools": count_field_or_none(annotations.get(SUBPOOLS_ANNOTATION)),
        "parent": text_field_or_none(status.get("parent")),
        "root": text_field_or_none(status.get("root")),
        "unreadable": unreadable,
    }


def _is_documented_driver_of_pool(value: object) -> bool:
    """Return whether the driver of one kind of card is as documented, or not told."""
    state = value.get("state") if isinstance(value, dict) else value
    return state is None or (isinstance(value, dict) and isinstance(state, str) and state != "")


def _is_documented_scope_of_pool(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("scopeType"), str)


def _job_type_states_of_pool(scopes: object, meant: object) -> dict[str, str] | None:
    """Return the state of each job type; a type that stands there twice with different states has both.

    A type that the pool is ``meant`` to take and that has no state yet is being enabled. That is assumed: no document
    says when ``status.scope`` follows ``spec.scope``.
    """
    if not isinstance(scopes, list):
        return None
    states: dict[str, dict[str, None]] = {}
    for scope in scopes:
        if _is_documented_scope_of_pool(scope):
            # In lower case: pools write Train, and jobs ask for train.
            states.setdefault(scope["scopeType"].strip().lower(), {})[str(scope.get("state"))] = None
    # One that cannot be read may be any type, and its state any state.
    for name in list_field(meant) if all(map(_is_documented_scope_of_pool, scopes)) else ():
        if isinstance(name, str):
            states.setdefault(name.strip().lower(), {"Enabling": None})
    return {job_type: " and ".join(of) for job_type, of in states.items()}


def _control_modes_of_pool(value: object) -> list[str] | None:
    """Return the names of the bits that are set, ``bit_<value>`` for one that is not known; None when not readable."""
    # Absent means no restriction; a text or a negative number is not readable, and never 0.
    bits = 0 if value is None else count_field_or_none(value)
    if bits is None:
        return None
    return [CONTROL_MODES.get(1 << bit, f"bit_{1 << bit}") for bit in range(bits.bit_length()) if bits >> bit & 1]


def _node_pool_facts(specified: object) -> list[NodePoolFacts]:
    """Return ``[{name, flavor, count, max_count}]``. A node pool without a name is the default of its flavor."""
    return [
        {
            "name": text_field_or_none(entry.get("nodePool")) or f"{flavor}-default",
            "flavor": flavor,
            "count": count_field_or_none(entry.get("count")),
            "max_count": count_field_or_none(entry.get("maxCount")),
        }
        for flavor, entry in _counts_of_pool_by_flavor(specified)
    ]


def _flavor_counts_of_pool(specified: object, by_state: Mapping[str, object]) -> list[FlavorCount]:
    flavors: dict[str, FlavorCount] = {}

    def row(name: str) -> FlavorCount:
        none: FlavorCount = {
            "flavor": name,
            "count": None,
            "max_count": None,
            "available": 0,
            "creating": 0,
            "abnormal": 0,
            "deleting": 0,
        }
        # A flavor may stand in several node pools, whose counts add up.
        return flavors.setdefault(name, none)

    # One count that cannot be read makes all unknown: a sum without it would reject for good.
    told = _are_readable_counts_of_pool(specified)
    for flavor, entry in _counts_of_pool_by_flavor(specified):
        count = count_field_or_none(entry.get("count"))
        row(flavor)["count"] = (row(flavor)["count"] or 0) + (count or 0) if told else None
        most = count_field_or_none(entry.get("maxCount"))
        if most is not None:
            row(flavor)["max_count"] = (row(flavor)["max_count"] or 0) + most
    states: tuple[NodeState, ...] = ("available", "creating", "abnormal", "deleting")
    for state in states:
        for flavor, entry in _counts_of_pool_by_flavor(by_state.get(state)):
            row(flavor)[state] += count_field_or_none(entry.get("count")) or 0
    return list(flavors.values())


def _are_readable_counts_of_pool(entries: object) -> bool:
    """Return whether all counts can be read.

    Where one cannot, how many nodes the pool is meant to have is not known.
    """
    several = [entries] if isinstance(entries, dict) else entries
    return isinstance(several, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("flavor"), str)
        and count_field_or_none(entry.get("count")) is not None
        and (entry.get("maxCount") is None or count_field_or_none(entry["maxCount"]) is not None)
        for entry in several
    )


def _counts_of_pool_by_flavor(entries: object) -> list[tuple[str, Document]]:
    """Return (flavor, its counts): the reference shows an array, the SDK models one object."""
    several = [entries] if isinstance(entries, dict) else entries if isinstance(entries, list) else []
    listed = [(entry.get("flavor"), entry) for entry in several if isinstance(entry, dict)]
    return [(flavor, entry) for flavor, entry in listed if isinstance(flavor, str)]
