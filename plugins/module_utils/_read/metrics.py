# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runtime metrics of pools: API documents -> facts.

This module util is private to the collection. Source: ShowPoolRuntimeMetrics.
"""

from __future__ import annotations

import math
import re
import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import amounts_to_numbers
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    amounts_field,
    count_field_or_none,
    epoch_seconds,
    iso_time,
    object_field,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import CLOCK_TOLERANCE

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        MetricsFacts,
        Number,
        Numbers,
        UnreadableAmount,
        WorkloadCounts,
    )


# Five digits at most: int() of a longer text would take time.
_WINDOW = re.compile(r"([0-9]{1,5})(s|m|h)")
_LONGEST_WINDOW = 3600  # sixty of those that the reference shows; a longer one would make metrics of any age count
_TABLES = ("allocated", "capacity", "available")
_WINDOW_SECONDS = {"s": 1, "m": 60, "h": 3600}


def metrics_facts(item: Document, now: float) -> MetricsFacts:
    """Return the runtime metrics of one pool.

    ``{allocated, capacity, max_capacity, all_capacity, all_max_capacity, available, max_available, workload,
    observed_at, age_seconds, window_seconds, unreadable}``: amounts are in cores, bytes and cards, ``workload`` counts
    jobs by type under ``allocated`` and ``queue``, and a table that the API does not have is null. ``age_seconds`` is
    that of the oldest table that counts, null when a timestamp cannot be read, and below zero when one is in the
    future. Keys of accelerators are masked by the API (``tnt004``).
    """
    table = object_field(item, "table")
    allocated, capacity, available = (object_field(table, name) for name in _TABLES)
    unreadable = [
        _unreadable_metrics_table(part) for part in map(table.get, _TABLES) if not isinstance(part, (dict, type(None)))
    ]

    def amounts(part: Document, name: str) -> Numbers | None:
        value = part.get(name)
        # Capacity rounds down and the allocated rounds up, so that no rounding makes room.
        read, unread = amounts_field(value, down=part is not allocated)
        unreadable.extend(unread)
        if read is None and value is not None:
            unreadable.append(_unreadable_metrics_table(value))
        return None if read is None else amounts_to_numbers(read)

    # The newest reference shows no timestamp of ``available``: it counts as one document with the others.
    times = [epoch_seconds(part.get("timestamp")) for part in (allocated, capacity)]
    times += [epoch_seconds(available["timestamp"])] if available.get("timestamp") is not None else []
    known = [at for at in times if at is not None]
    # A table without a time may be of any time, so the others do not tell either.
    oldest, newest = (min(known), max(known)) if len(known) == len(times) else (None, None)
    windows = [_window_seconds_of_metrics(part.get("window")) for part in (allocated, capacity)]
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
        "workload": _workload_counts_of_metrics(table.get("workload")),
        "observed_at": None if at is None else iso_time(at),
        "age_seconds": None if at is None else math.floor(now - at),
        # The shorter window makes metrics old sooner.
        "window_seconds": min((seconds for seconds in windows if seconds), default=None),
        "unreadable": unreadable,
    }


def metrics_of_pool(items: Sequence[Document], pool_name: str, now: float) -> MetricsFacts | None:
    """Return the runtime metrics of a pool; None when ``items`` has none.

    Of several entries for it the worse counts.
    """
    found = [metrics_facts(item, now) for item in items if object_field(item, "metadata").get("name") == pool_name]
    if len(found) < 2:
        return found[0] if found else None
    worst = max(found, key=_doubt_about_metrics)
    capacity, allocated = [one["capacity"] for one in found], [one["allocated"] for one in found]
    merged = worst.copy()
    # Amount by amount: an entry that is worse in one resource may be better in another.
    merged["capacity"] = _choose_metrics_amounts(min, capacity)
    merged["available"] = _choose_metrics_amounts(min, [one["available"] for one in found])
    merged["allocated"] = _choose_metrics_amounts(max, allocated)
    merged["unreadable"] = [what for one in found for what in one["unreadable"]]
    # The chosen amount of a resource that one entry leaves out is only a bound.
    merged["unreadable"] += _amounts_not_in_all_metrics(capacity) + _amounts_not_in_all_metrics(allocated)
    merged["window_seconds"] = min((one["window_seconds"] for one in found if one["window_seconds"]), default=None)
    return merged


def _doubt_about_metrics(metrics: MetricsFacts) -> tuple[int, int]:
    """Order metrics by their age, the worst last: one that is not known, one in the future, the oldest."""
    age = metrics["age_seconds"]
    if age is None:
        return 2, 0
    return (1, -age) if age < -CLOCK_TOLERANCE else (0, age)


def _choose_metrics_amounts(
    choose: Callable[[Number, Number], Number], tables: Sequence[Numbers | None]
) -> Numbers | None:
    """Return the chosen amount of each resource, of those tables that have it. Looks once at each amount."""
    known = [table for table in tables if table is not None]
    chosen: Numbers = {}
    for table in known:
        for name, amount in table.items():
            chosen[name] = choose(amount, chosen.get(name, amount))
    return chosen if known else None


def _amounts_not_in_all_metrics(tables: Sequence[Numbers | None]) -> list[UnreadableAmount]:
    """Return what one entry tells and another does not: what there is of it is not known, only that it is no more."""
    known = [table for table in tables if table is not None]
    if known and len(known) < len(tables):
        return [{"resource": "*", "value": "missing from one of two entries"}]
    times = Counter(name for table in known for name in table)
    return [
        {"resource": name, "value": "missing from one of two entries"} for name, of in times.items() if of < len(known)
    ]


def _workload_counts_of_metrics(value: object) -> WorkloadCounts | None:
    """Return jobs by type, ``{allocated, queue}``; what is no count is left out."""
    if not isinstance(value, dict):
        return None
    return {
        "allocated": _job_counts_of_metrics(value.get("allocated")),
        "queue": _job_counts_of_metrics(value.get("queue")),
    }


def _job_counts_of_metrics(value: object) -> dict[str, int]:
    counts = value if isinstance(value, dict) else {}
    return {str(job_type): count for job_type, of in counts.items() if (count := count_field_or_none(of)) is not None}


def _window_seconds_of_metrics(window: object) -> int | None:
    match = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    seconds = int(match.group(1)) * _WINDOW_SECONDS[match.group(2)] if match else 0
    return seconds if 0 < seconds <= _LONGEST_WINDOW else None


def _unreadable_metrics_table(value: object) -> UnreadableAmount:
    return {"resource": "*", "value": one_line(repr(value), 60)}
