# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and runtime metrics: API documents -> facts.

This module util is private to the collection. Source: ListPoolNodes, ShowPoolRuntimeMetrics.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta, timezone

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import plain
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add,
    numbers,
    parse,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Facts = dict[str, t.Any]

DRAIN_ANNOTATION = "os.modelarts.node/drain"
PLACEMENT_ANNOTATION = "os.modelarts/npu-topology-placement"
EXCLUSIVE_LABEL = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
QUOTA_LABEL = "os.modelarts.node/elastic.quota"

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
_NODE_SHAPES: dict[tuple[str, ...], type] = {
    ("metadata",): dict,
    ("metadata", "labels"): dict,
    ("metadata", "annotations"): dict,
    ("spec",): dict,
    ("spec", "taints"): list,
    ("status",): dict,
    ("status", "taints"): list,
}
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,](?P<fraction>[0-9]{1,30}))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):?(?P<minutes>[0-5][0-9])?)?"
)
_WINDOW = re.compile(r"([0-9]{1,5})(s|m|h)")
_WINDOW_SECONDS = {"s": 1, "m": 60, "h": 3600}


def node_facts(document: Facts, jobs_by_host: Mapping[str, int] | None = None) -> Facts:
    """A node as facts: ``resources`` it has and ``free`` ones in cores, bytes and cards, null where not readable.

    ``usable`` tells whether it can take new work, ``unusable`` says why not. ``jobs`` is how many jobs show its
    address; ``cards_occupied`` counts the ones of its NPU placement bits, when it has them.
    """
    metadata, spec, status = (object_in(document, name) for name in ("metadata", "spec", "status"))
    labels, annotations = object_in(metadata, "labels"), object_in(metadata, "annotations")
    taints = list_of(spec.get("taints")) + list_of(status.get("taints"))
    resources, unreadable = _node_amounts(status.get("resources"))
    free, unreadable_free = _node_amounts(status.get("availableResources"))
    phase = text_or_none(status.get("phase"))
    unusable = _why_unusable(phase, taints, annotations, labels) or _why_doubtful(document, taints)
    address = text_or_none(status.get("privateIp"))
    bits = annotations.get(PLACEMENT_ANNOTATION)
    return {
        "name": text_or_none(metadata.get("name")),
        "phase": phase,
        "flavor": text_or_none(spec.get("flavor")),
        "az": text_or_none(status.get("az")),
        "private_ip": address,
        "taints": taints,
        "drain": DRAIN_ANNOTATION in annotations,
        "exclusive_to": _label(labels, EXCLUSIVE_LABEL),
        "elastic_quota": _label(labels, QUOTA_LABEL),
        "usable": unusable is None,
        "unusable": unusable,
        "resources": None if resources is None else numbers(resources),
        "free": None if free is None else numbers(free),
        "unreadable": unreadable + unreadable_free,
        "cards_occupied": bits.count("1") if isinstance(bits, str) and set(bits) <= {"0", "1"} else None,
        "jobs": None if jobs_by_host is None or address is None else jobs_by_host.get(address, 0),
    }


def _why_unusable(phase: str | None, taints: Sequence[object], annotations: Facts, labels: Facts) -> str | None:
    if phase != "Available":
        return f"phase {plain(phase or 'unknown', 60)}"
    for taint in taints:
        if isinstance(taint, dict) and taint.get("effect") in _BLOCKING_EFFECTS:
            return f"taint {plain(str(taint.get('key')), 60)}:{taint['effect']}"
    if DRAIN_ANNOTATION in annotations:
        return "draining"
    reserved = _label(labels, EXCLUSIVE_LABEL)
    return f"reserved for {plain(reserved, 60)}" if reserved else None


def _why_doubtful(document: Facts, taints: Sequence[object]) -> str | None:
    """Why it cannot be told whether the node takes work: what would say so is not as documented."""
    wrong = misshapen(document, _NODE_SHAPES)
    if any(not isinstance(taint, dict) or taint.get("effect") not in _EFFECTS for taint in taints):
        wrong.append("a taint")
    return f"{wrong[0]} cannot be read" if wrong else None


def _label(labels: Facts, name: str) -> str | None:
    """A label whose being there matters, as text whatever its type; None when there is none."""
    if name not in labels or labels[name] == "":
        return None
    return str(labels[name])


def misshapen(document: Facts, shapes: Mapping[tuple[str, ...], type]) -> list[str]:
    """The parts of a document that are there and not of their documented type."""
    wrong = []
    for path, shape in shapes.items():
        value: object = document
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, shape):
            wrong.append(".".join(path))
    return wrong


def _node_amounts(resources: object) -> tuple[Amounts | None, list[Facts]]:
    if not isinstance(resources, dict):
        return None, []
    amounts: Amounts = {}
    unreadable = []
    for resource, value in resources.items():
        try:
            amounts[resource] = parse(resource, value)
        except UnreadableQuantityError:
            unreadable.append({"resource": resource, "value": plain(repr(value), 60)})
    return amounts, unreadable


def metrics_facts(item: Facts, now: float) -> Facts:
    """The runtime metrics of one pool: ``{allocated, capacity, observed_at, age_seconds, window_seconds, unreadable}``.

    Amounts are in cores, bytes and cards; ``age_seconds`` is that of the older of the two tables, null when a
    timestamp cannot be read. Keys of accelerators are masked by the API (``tnt004``).
    """
    table = object_in(item, "table")
    allocated, capacity = object_in(table, "allocated"), object_in(table, "capacity")
    used, unread_used = _node_amounts(allocated.get("value"))
    had, unread_had = _node_amounts(capacity.get("value"))
    times = [epoch_seconds(part.get("timestamp")) for part in (allocated, capacity)]
    known = [at for at in times if at is not None]
    oldest = min(known) if len(known) == len(times) else None
    windows = [_window_seconds(part.get("window")) for part in (allocated, capacity)]
    return {
        "allocated": None if used is None else numbers(used),
        "capacity": None if had is None else numbers(had),
        "observed_at": None if oldest is None else iso_time(oldest),
        "age_seconds": None if oldest is None else max(0, int(now - oldest)),
        "window_seconds": max((seconds for seconds in windows if seconds), default=None),
        "unreadable": unread_used + unread_had,
    }


def _window_seconds(window: object) -> int | None:
    match = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    return int(match.group(1)) * _WINDOW_SECONDS[match.group(2)] if match else None


def capacity_facts(nodes: Sequence[Facts]) -> Facts:
    """Sums over nodes: ``{nodes, usable_nodes, total, usable, free}``.

    ``total`` is what all nodes have, ``usable`` what those have that can take work, ``free`` what is idle on these. A
    node whose quantities cannot be read adds nothing.
    """
    sums: dict[str, Facts] = {"total": {}, "usable": {}, "free": {}}
    for node in nodes:
        _add_numbers(sums["total"], node["resources"])
        if node["usable"]:
            _add_numbers(sums["usable"], node["resources"])
            _add_numbers(sums["free"], node["free"])
    return {
        "nodes": len(nodes),
        "usable_nodes": sum(node["usable"] for node in nodes),
        **{name: numbers(amounts) for name, amounts in sums.items()},
    }


def _add_numbers(total: Amounts, facts: Mapping[str, t.Any] | None) -> None:
    add(total, {resource: parse(resource, value) for resource, value in (facts or {}).items()})


def iso_time(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_seconds(text: object) -> float | None:
    """An ISO 8601 time of the API as seconds since the epoch; None when it cannot be read. Without a zone it is UTC.

    Kubernetes writes up to nine digits behind the point; fromisoformat() reads those from Python 3.11 on.
    """
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    hours, minutes = int(match["hours"] or 0), int(match["minutes"] or 0)
    behind = timedelta(hours=hours, minutes=minutes) * (1 if match["sign"] == "-" else -1)
    try:
        moment = datetime(year, month, day, hour, minute, second, int(fraction), tzinfo=timezone.utc)
        return (moment + behind).timestamp()
    except (ValueError, OverflowError):
        return None


def object_in(document: Mapping[str, t.Any], name: str) -> Facts:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[t.Any]:
    return value if isinstance(value, list) else []


def text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def count_or_none(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if len(value) < 10 and value.isascii() and value.isdigit() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None
