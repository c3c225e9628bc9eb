# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of a pool in one pass: what a decision needs of them, in a size that stays small.

This module util is private to the collection.
"""

from __future__ import annotations

import heapq
import math
import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    add,
    counts_bytes,
    merge_spellings,
    numbers,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._workloads import (
    FIELDS,
    OVER,
    WAITING,
    Facts,
    Requirements,
    created_at,
    hosts_of,
    integer_of,
    job_nodes,
    label_of,
    pending_seconds,
    text_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ACTIVE = frozenset(("Running", "Creating"))
_JOB_FIELDS = ("job_uuid", "job_name", "name", "user_name", "type", "status", "priority")
_HOLDERS = 10
_QUEUED = 100


class Occupancy:
    """One pass over all jobs of a pool: what a decision and its report need, in a size that stays small.

    ``placement_of`` are the job_uuids whose split over nodes is kept. ``now`` is in seconds since the epoch.
    """

    FACTS = ("held", "holders", "queued", "queue_counts", "unplaced", "placements")

    def __init__(self, now: float, items: Iterable[Facts], placement_of: Iterable[str] = ()) -> None:
        self.jobs_by_host: Counter[str] = Counter()
        self._now = now
        self._placement_of = frozenset(placement_of)
        self._requirements = Requirements()
        self._held: Amounts = {}
        self._held_unread: Counter[str] = Counter()
        self._active: Amounts = {}
        self._holders: list[tuple[tuple[int, int], int, Facts]] = []
        self._queue: list[tuple[tuple[float, int], int, Facts]] = []
        self._queue_ages: dict[tuple[str, int | None], list[int | None]] = {}
        self._unplaced: dict[str, Facts] = {}
        self._placements: list[Facts] = []
        self._count = 0
        for item in items:
            self._add(item)

    def _add(self, item: Facts) -> None:
        self._count += 1
        status = label_of(item.get("status"))
        if text_of(item.get("jobUUID")) in self._placement_of:
            nodes = job_nodes(item.get("nodes"), self._requirements)[0]
            split = [{"host_ip": node["host_ip"], "resources": node["resources"]} for node in nodes]
            self._placements.append({**self._job(item), "host_ips": hosts_of(item), "nodes": split})
        if status in WAITING:
            self._add_queued(item)
        elif status not in OVER:
            self._add_holder(item)

    def _add_holder(self, item: Facts) -> None:
        amounts, unread = self._requirements.read(item.get("resourceRequirement"))
        amounts = merge_spellings(amounts)
        add(self._held, amounts)
        self._held_unread.update(unread)
        if label_of(item.get("status")) in _ACTIVE:
            add(self._active, amounts)
        hosts = hosts_of(item)
        self.jobs_by_host.update(hosts)
        if not hosts:
            group = {"count": 0, "resources": numbers(amounts), "unread": unread}
            self._unplaced.setdefault(repr((sorted(amounts.items()), unread)), group)["count"] += 1
        cards = sum(amount for resource, amount in amounts.items() if resource != "cpu" and not counts_bytes(resource))
        _keep_largest(self._holders, ((cards, amounts.get("cpu", 0)), self._count, item), _HOLDERS)

    def _add_queued(self, item: Facts) -> None:
        priority = integer_of(item.get("priority"))
        ages = self._queue_ages.setdefault((label_of(item.get("type")), priority), [])
        ages.append(pending_seconds(item, self._now))
        order = (math.inf if priority is None else priority, -(integer_of(item.get("createTime")) or 0))
        _keep_largest(self._queue, (order, -self._count, item), _QUEUED)

    def _job(self, item: Facts) -> Facts:
        amounts, unread = self._requirements.read(item.get("resourceRequirement"))
        status = label_of(item.get("status"))
        waits = status in WAITING
        return {
            **{name: text_of(item.get(FIELDS[name])) for name in _JOB_FIELDS},
            "created_at": created_at(item.get("createTime")),
            "seconds": pending_seconds(item, self._now) if waits else integer_of(item.get("runningDuration")),
            "resources": numbers(merge_spellings(amounts)),
            "unread": unread,
            "waits": waits,
            "holds": not waits and status not in OVER,
        }

    def as_facts(self) -> Facts:
        """``{held, holders, queued, queue_counts, unplaced, placements}``.

        ``held`` is ``{resources, active, unread}``: what jobs hold, what of it those that run or are created, and how
        many hold what could not be read, by resource.
        ``holders`` are the ten jobs that hold most, ``queued`` the first hundred that wait, in the scheduler's order;
        ``queue_counts`` counts all that wait by type and priority (null: not readable), with the seconds that the
        oldest and the youngest have waited. ``unplaced`` are the jobs that
        hold resources and show no node yet, by requirement. ``placements`` are the jobs that were asked for by UUID.
        A job's ``seconds`` are those that it has waited, or run; ``unread`` names what of its requirement could not be
        read (``"*"``: all of it).
        """
        return {
            "held": {
                "resources": numbers(self._held),
                "active": numbers(self._active),
                "unread": dict(self._held_unread),
            },
            "holders": [self._job(item) for *_order, item in sorted(self._holders, key=_order_of, reverse=True)],
            "queued": [self._job(item) for *_order, item in sorted(self._queue, key=_order_of, reverse=True)],
            "queue_counts": [
                {"type": kind, "priority": priority, "count": len(ages), **_extremes(ages)}
                for (kind, priority), ages in self._queue_ages.items()
            ],
            "unplaced": list(self._unplaced.values()),
            "placements": self._placements,
        }


def _extremes(ages: Sequence[int | None]) -> Facts:
    known = [age for age in ages if age is not None]
    whole = len(known) == len(ages)
    return {"oldest_seconds": max(known) if whole else None, "youngest_seconds": min(known) if whole else None}


def _keep_largest(heap: list[t.Any], entry: tuple[t.Any, int, Facts], most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, entry)
    elif entry[:2] > heap[0][:2]:
        heapq.heapreplace(heap, entry)


def _order_of(entry: tuple[t.Any, int, Facts]) -> tuple[t.Any, int]:
    return entry[:2]
