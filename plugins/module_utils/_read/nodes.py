# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and runtime metrics: API documents -> facts.

This module util is private to the collection. Source: ListPoolNodes, ShowPoolRuntimeMetrics.
"""

from __future__ import annotations

import math
import re
import typing as t
from collections import Counter
from datetime import datetime, timedelta, timezone

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import CLOCK_TOLERANCE
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add,
    numbers,
    parse,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import plain
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    BATCH_LABELS,
    BILLING_LABEL,
    BILLING_STATUSES,
    BLOCKING_EFFECTS,
    DRAIN_ANNOTATION,
    DRIVER_RUNNING,
    EXCLUSIVE_LABEL,
    LOCK_ANNOTATION,
    NODE_AVAILABLE,
    PLACE_LABELS,
    PLACEMENT_ANNOTATION,
    QUOTA_LABEL,
    STANDBY_LABEL,
    TAINT_EFFECTS,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Facts = dict[str, t.Any]

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
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,](?P<fraction>[0-9]{1,30}))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):?(?P<minutes>[0-5][0-9])?)?"
)
_WINDOW = re.compile(r"([0-9]{1,5})(s|m|h)")
_LONGEST_WINDOW = 3600  # sixty of those that the reference shows; a longer one would make metrics of any age count
_TABLES = ("allocated", "capacity", "available")
_WINDOW_SECONDS = {"s": 1, "m": 60, "h": 3600}


def node_facts(document: Facts, jobs_by_host: Mapping[str, int] | None = None) -> Facts:
    """A node as facts: ``resources`` it has and ``free`` ones in cores, bytes and cards, null where not readable.

    ``usable`` tells whether it can take new work, ``unusable`` says why not. ``jobs`` is how many jobs show its
    address; ``cards_occupied`` counts the ones of its NPU placement bits, when it has them. ``locked`` protects the
    node from deletion and decides nothing.
    """
    metadata, spec, status = (object_in(document, name) for name in ("metadata", "spec", "status"))
    labels, annotations = object_in(metadata, "labels"), object_in(metadata, "annotations")
    taints = list_of(spec.get("taints")) + list_of(status.get("taints"))
    resources, unreadable = _node_amounts(status.get("resources"), down=True)
    free, unreadable_free = _node_amounts(status.get("availableResources"), down=True)
    phase = text_or_none(status.get("phase"))
    driver, plugins = _component(status.get("driver")), [_component(one) for one in list_of(status.get("plugins"))]
    unusable = (
        _why_unusable(phase, taints, annotations, labels)
        or _why_idle_in_vain(labels, driver, plugins)
        or _why_doubtful(document, taints)
    )
    address = node_address(document)
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
        "hot_standby": _is_standby(labels),
        "billing_status": _billing_status(labels),
        "driver": driver,
        "plugins": plugins,
        "locked": LOCK_ANNOTATION in annotations,
        **{name: _label(labels, label) for name, label in PLACE_LABELS.items()},
        "batch": _batch(labels),
        "usable": unusable is None,
        "unusable": unusable,
        "resources": None if resources is None else numbers(resources),
        "free": None if free is None else numbers(free),
        "unreadable": unreadable + unreadable_free,
        "cards_occupied": bits.count("1") if isinstance(bits, str) and set(bits) <= {"0", "1"} else None,
        "jobs": None if jobs_by_host is None or address is None else jobs_by_host.get(address, 0),
    }


def node_address(document: Facts) -> str | None:
    """The address by which jobs name a node."""
    return text_or_none(object_in(document, "status").get("privateIp"))


def _why_unusable(phase: str | None, taints: Sequence[object], annotations: Facts, labels: Facts) -> str | None:
    if phase != NODE_AVAILABLE:
        return f"phase {plain(phase or 'unknown', 60)}"
    for taint in taints:
        if isinstance(taint, dict) and taint.get("effect") in BLOCKING_EFFECTS:
            return f"taint {plain(str(taint.get('key')), 60)}:{taint['effect']}"
    if DRAIN_ANNOTATION in annotations:
        return "draining"
    if EXCLUSIVE_LABEL in labels:
        return f"reserved for {plain(str(labels[EXCLUSIVE_LABEL]), 60) or 'a job that is not named'}"
    return None


def _why_idle_in_vain(labels: Facts, driver: Facts | None, plugins: Sequence[Facts | None]) -> str | None:
    """Return why a node that is Available and idle runs nothing all the same.

    Source: the SDK's NodeLabels; status.driver and status.plugins are in no reference, the Terraform provider reads
    them from the real API. A value that is not known counts as the worse one: not tried on a real pool.
    """
    standby = _is_standby(labels)
    if standby is not False:
        return "hot standby" if standby else "hot standby or not (label cannot be read)"
    billing = _billing_status(labels)
    if billing not in (None, "normal"):
        return {"frozen": "frozen", "ended": "billing ended"}.get(
            str(billing), f"billing status {plain(str(billing), 60)}"
        )
    if driver is not None and driver["phase"] not in (None, DRIVER_RUNNING):
        return f"driver {plain(driver['phase'], 60)}"
    for plugin in plugins:
        if plugin is not None and plugin["phase"] not in (None, DRIVER_RUNNING):
            return f"plugin {plain(plugin['name'] or 'without a name', 60)} {plain(plugin['phase'], 60)}"
    return None


def _is_standby(labels: Facts) -> bool | None:
    """Return whether the node stands by for a broken one; None when its label is neither true nor false."""
    if STANDBY_LABEL not in labels:
        return False
    return {"true": True, "false": False}.get(str(labels[STANDBY_LABEL]).strip().lower())


def _billing_status(labels: Facts) -> str | None:
    if BILLING_LABEL not in labels:
        return None
    value = str(labels[BILLING_LABEL]).strip()
    return BILLING_STATUSES.get(value, value or "empty")


def _component(value: object) -> Facts | None:
    """A driver or plugin of a node: ``{name, version, phase}``; a phase that is no text is one that is not known."""
    if not isinstance(value, dict):
        return None
    phase = value.get("phase")
    return {
        "name": text_or_none(value.get("name")),
        "version": text_or_none(value.get("version")),
        "phase": None if phase is None else str(phase) or "empty",
    }


def _batch(labels: Facts) -> Facts | None:
    """The batch that the node was bought in: ``{uid, name, type, count}``; of type hyperinstance, it is a supernode."""
    if not any(label in labels for label in BATCH_LABELS.values()):
        return None
    batch = {name: _label(labels, label) for name, label in BATCH_LABELS.items()}
    return {**batch, "count": count_or_none(batch["count"])}


def _why_doubtful(document: Facts, taints: Sequence[object]) -> str | None:
    """Why it cannot be told whether the node takes work: what would say so is not as documented."""
    wrong = misshapen(document, _NODE_SHAPES)
    plugins = list_of(object_in(document, "status").get("plugins"))
    wrong += ["a plugin" for plugin in plugins if not isinstance(plugin, dict)]
    if any(not isinstance(taint, dict) or taint.get("effect") not in TAINT_EFFECTS for taint in taints):
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


def _node_amounts(resources: object, *, down: bool = False) -> tuple[Amounts | None, list[Facts]]:
    if not isinstance(resources, dict):
        return None, []
    amounts: Amounts = {}
    unreadable = []
    for resource, value in resources.items():
        try:
            amounts[resource] = parse(resource, value, down=down)
        except UnreadableQuantityError:
            unreadable.append({"resource": resource, "value": plain(repr(value), 60)})
    return amounts, unreadable


def metrics_facts(item: Facts, now: float) -> Facts:
    """The runtime metrics of one pool.

    ``{allocated, capacity, max_capacity, all_capacity, all_max_capacity, available, max_available, workload,
    observed_at, age_seconds, window_seconds, unreadable}``: amounts are in cores, bytes and cards, ``workload`` counts
    jobs by type under ``allocated`` and ``queue``, and a table that the API does not have is null. ``age_seconds`` is
    that of the oldest table that counts, null when a timestamp cannot be read, and below zero when one is in the
    future. Keys of accelerators are masked by the API (``tnt004``).
    """
    table = object_in(item, "table")
    allocated, capacity, available = (object_in(table, name) for name in _TABLES)
    unreadable = [_no_table(part) for part in map(table.get, _TABLES) if not isinstance(part, (dict, type(None)))]

    def amounts(part: Facts, name: str) -> Facts | None:
        value = part.get(name)
        read, unread = _node_amounts(value, down=part is not allocated)
        unreadable.extend(unread)
        if read is None and value is not None:
            unreadable.append(_no_table(value))
        return None if read is None else numbers(read)

    # The newest reference shows no timestamp of ``available``: it counts as one document with the others.
    times = [epoch_seconds(part.get("timestamp")) for part in (allocated, capacity)]
    times += [epoch_seconds(available["timestamp"])] if available.get("timestamp") is not None else []
    known = [at for at in times if at is not None]
    oldest, newest = (min(known), max(known)) if len(known) == len(times) else (None, None)
    windows = [_window_seconds(part.get("window")) for part in (allocated, capacity)]
    # Of two times the worse counts: one in the future is worse than any in the past.
    at = newest if newest is not None and newest > now + CLOCK_TOLERANCE else oldest
    return {
        "allocated": amounts(allocated, "value"),
        "capacity": amounts(capacity, "value"),
        "max_capacity": amounts(capacity, "maxValue"),
        "all_capacity": amounts(capacity, "allValue"),
        "all_max_capacity": amounts(capacity, "allMaxValue"),
        "available": amounts(available, "value"),
        "max_available": amounts(available, "maxValue"),
        "workload": _workload_counts(table.get("workload")),
        "observed_at": None if at is None else iso_time(at),
        "age_seconds": None if at is None else math.floor(now - at),
        "window_seconds": min((seconds for seconds in windows if seconds), default=None),
        "unreadable": unreadable,
    }


def metrics_of_pool(items: Sequence[Facts], pool_name: str, now: float) -> Facts | None:
    """The runtime metrics of a pool; None when ``items`` has none. Of several entries for it the worse counts."""
    found = [metrics_facts(item, now) for item in items if object_in(item, "metadata").get("name") == pool_name]
    if len(found) < 2:
        return found[0] if found else None
    ages = [one["age_seconds"] for one in found]
    worst = found[ages.index(None if None in ages else min(ages) if min(ages) < -CLOCK_TOLERANCE else max(ages))]
    merged = dict(worst)
    merged["unreadable"] = [what for one in found for what in one["unreadable"]]
    for name, choose in (("capacity", min), ("available", min), ("allocated", max)):
        tables = [one[name] for one in found]
        merged[name] = _each(choose, tables)
        merged["unreadable"] += () if name == "available" else _not_in_all(tables)
    merged["window_seconds"] = min((one["window_seconds"] for one in found if one["window_seconds"]), default=None)
    return merged


def _each(choose: Callable[..., t.Any], tables: Sequence[Facts | None]) -> Facts | None:
    """The chosen amount of each resource, of those tables that have it. Looks once at each amount."""
    known = [table for table in tables if table is not None]
    chosen: Facts = {}
    for table in known:
        for name, amount in table.items():
            chosen[name] = choose(amount, chosen.get(name, amount))
    return chosen if known else None


def _not_in_all(tables: Sequence[Facts | None]) -> list[Facts]:
    """What one entry tells and another does not: what there is of it is not known, only that it is no more."""
    known = [table for table in tables if table is not None]
    if known and len(known) < len(tables):
        return [{"resource": "*", "value": "told by one of two entries"}]
    times = Counter(name for table in known for name in table)
    return [{"resource": name, "value": "told by one of two entries"} for name, of in times.items() if of < len(known)]


def _workload_counts(value: object) -> Facts | None:
    """Jobs by type, ``{allocated, queue}``; what is no count is left out."""
    if not isinstance(value, dict):
        return None
    parts = {part: object_in(value, part) for part in ("allocated", "queue")}
    return {
        part: {str(job_type): count for job_type, of in counts.items() if (count := count_or_none(of)) is not None}
        for part, counts in parts.items()
    }


def _window_seconds(window: object) -> int | None:
    match = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    seconds = int(match.group(1)) * _WINDOW_SECONDS[match.group(2)] if match else 0
    return seconds if 0 < seconds <= _LONGEST_WINDOW else None


def _no_table(value: object) -> Facts:
    return {"resource": "*", "value": plain(repr(value), 60)}


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
