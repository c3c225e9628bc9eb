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
    add_amounts,
    amounts_to_numbers,
    canonical_amounts,
    canonical_resource,
    is_quantity_of_bytes,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import CardTextsOfJobs, is_ascend_card
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    MOST_RESOURCES,
    creation_time_field,
    host_address,
    integer_field,
    label_field,
    text_field,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.held import HeldOnAddresses
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import (
    hosts_of_job,
    job_nodes,
    may_job_have_started_within,
    pending_seconds_of_job,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import MOST_PARTS, Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import comparable_uuid
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import ACTIVE, OVER, WAITING

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        HeldOnNode,
        JobFacts,
        OccupancyFacts,
        PlacedShare,
        PlacementFacts,
        QueueCount,
        UnplacedGroup,
    )

    # What its place in the list goes by, its number, and the job.
    _Listed = tuple[tuple[float, int], int, Document]

# How long the lists of ModelArts are behind each other is not documented; a guess, not tried on a real pool.
_SECONDS_BEHIND = 60
_HOLDERS = 10  # a page shows some of them; who holds less than ten others seldom matters
_QUEUED = 100  # as many as a person reads; the counts by type and priority have all of them


class Occupancy:
    """One pass over all jobs of a pool: what a decision and its report need, in a size that stays small.

    ``placement_of`` are the job_uuids whose split over nodes is kept. ``now`` is in seconds since the epoch.
    ``metrics_age`` is for how many seconds the runtime metrics may not have what jobs hold that have started.
    """

    def __init__(
        self, now: float, items: Iterable[Document], placement_of: Iterable[str] = (), metrics_age: int | None = None
    ) -> None:
        self.jobs_by_host: Counter[str] = Counter()
        self._now = now
        self._metrics_age = metrics_age
        self._placement_of = frozenset(map(comparable_uuid, placement_of))
        self._requirements = Requirements()
        self._held: Amounts = {}
        self._held_unread: Counter[str] = Counter()
        self._active: Amounts = {}
        self._since_metrics: Amounts = {}
        self._holders: list[_Listed] = []
        self._queue: list[_Listed] = []
        self._queue_ages: dict[tuple[str, int | None], list[int | None]] = {}
        self._unplaced: dict[str, UnplacedGroup] = {}
        self._on_addresses = HeldOnAddresses()
        self._placements: list[PlacementFacts] = []
        self._has_job_without_uuid = False
        self._card_texts = CardTextsOfJobs()
        self._texts: list[tuple[PlacedShare, str | None]] = []
        self._count = 0
        for item in items:
            self._add_job(item)

    def _add_job(self, item: Document) -> None:
        self._count += 1
        status = label_field(item.get("status"))
        if self._placement_of and comparable_uuid(text_field(item.get("jobUUID"))) in self._placement_of:
            nodes = job_nodes(item.get("nodes"), self._requirements)[0]
            split: list[PlacedShare] = [
                {"host_ip": node["host_ip"], "resources": node["resources"], "cards": None} for node in nodes
            ]
            self._texts += zip(split, (node["npu_topology_placement"] for node in nodes))
            self._placements.append({**self._listed_job(item), "host_ips": hosts_of_job(item), "nodes": split})
        if status in WAITING:
            self._add_queued(item)
        if _occupies_resources(item):
            self._has_job_without_uuid |= not comparable_uuid(text_field(item.get("jobUUID")))
            self._add_holder(item)

    def _add_holder(self, item: Document) -> None:
        amounts, unread = self._read_requirement(item.get("resourceRequirement"))
        hosts = hosts_of_job(item)
        has_cards = any(map(is_ascend_card, amounts)) or unread
        is_young = has_cards and may_job_have_started_within(item, _SECONDS_BEHIND, self._now)
        self._card_texts.note(item.get("nodes"), hosts if is_young else ())
        # Those without a node are in no metrics at all.
        if hosts and self._metrics_age and may_job_have_started_within(item, self._metrics_age, self._now):
            add_amounts(self._since_metrics, amounts)
        add_amounts(self._held, amounts)
        self._held_unread.update(unread)
        if label_field(item.get("status")) in ACTIVE:
            add_amounts(self._active, amounts)
        # Before any split is known: an address that a job shows makes its node not idle.
        self.jobs_by_host.update(hosts)
        if hosts:
            # The short way for nearly all jobs: of twenty thousand, few are on several nodes.
            if len(hosts) == 1 and not unread and _occupies_one_node_alone(item):
                self._on_addresses.add_alone(hosts[0], amounts)
            else:
                self._on_addresses.add(hosts, amounts, unread, self._shares_by_address(item.get("nodes")))
        else:
            group: UnplacedGroup = {"count": 0, "resources": amounts_to_numbers(amounts), "unread": unread}
            # Jobs that ask for the same become one group, and text as its key cannot be chosen to collide.
            self._unplaced.setdefault(repr((sorted(amounts.items()), unread)), group)["count"] += 1
        cards = sum(
            amount for resource, amount in amounts.items() if resource != "cpu" and not is_quantity_of_bytes(resource)
        )
        _keep_largest_holders(self._holders, ((cards, amounts.get("cpu", 0)), self._count, item), _HOLDERS)

    def _shares_by_address(self, nodes: object) -> dict[str, tuple[Amounts, set[str]]]:
        """Return (amounts, what of them cannot be read) by the address of each node that a job tells its share of."""
        shares: dict[str, tuple[Amounts, set[str]]] = {}
        for node in [nodes] if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else []:
            host = host_address(node.get("hostIp")) if isinstance(node, dict) else None
            if host is not None:
                share, unread = self._read_requirement(node.get("resourceRequirement"))
                # A job may name one node several times, once for each of its pods.
                so_far = shares.setdefault(host, ({}, set()))
                add_amounts(so_far[0], share)
                so_far[1].update(unread)
        return shares

    def _read_requirement(self, requirement: object) -> tuple[Amounts, list[str]]:
        """Return a requirement with each card under its one name.

        Parts of a list may spell it differently, and add up.
        """
        if not isinstance(requirement, list) or not requirement:
            amounts, unread = self._requirements.read(requirement)
            return canonical_amounts(amounts), [canonical_resource(name) for name in unread]
        total: Amounts = {}
        missing: list[str] = []
        # Merged part by part: two spellings in two parts are two amounts, and in one part the same one.
        for part in requirement[:MOST_PARTS]:
            amounts, unread = self._requirements.read(part)
            add_amounts(total, canonical_amounts(amounts))
            missing += [canonical_resource(name) for name in unread]
            if len(total) > MOST_RESOURCES or len(missing) > MOST_RESOURCES:
                return {}, ["*"]
        return total, missing if len(requirement) <= MOST_PARTS else ["*"]

    def _add_queued(self, item: Document) -> None:
        priority = integer_field(item.get("priority"))
        ages = self._queue_ages.setdefault((label_field(item.get("type")), priority), [])
        ages.append(pending_seconds_of_job(item, self._now))
        # As the scheduler orders them: priority, then age. An unreadable priority may be the highest.
        order = (math.inf if priority is None else priority, -(integer_field(item.get("createTime")) or 0))
        _keep_largest_holders(self._queue, (order, -self._count, item), _QUEUED)

    def _listed_job(self, item: Document) -> JobFacts:
        amounts, unread = self._requirements.read(item.get("resourceRequirement"))
        status = label_field(item.get("status"))
        waits = status in WAITING
        return {
            "job_uuid": text_field(item.get("jobUUID")),
            "job_name": text_field(item.get("jobName")),
            "name": text_field(item.get("name")),
            "user_name": text_field(item.get("userName")),
            "type": text_field(item.get("type")),
            "status": text_field(item.get("status")),
            "priority": text_field(item.get("priority")),
            "created_at": creation_time_field(item.get("createTime")),
            "seconds": pending_seconds_of_job(item, self._now) if waits else integer_field(item.get("runningDuration")),
            "resources": amounts_to_numbers(canonical_amounts(amounts)),
            "unread": unread,
            "waits": waits,
            "holds": _occupies_resources(item),
        }

    def held_on(self, address: str) -> HeldOnNode:
        """Return what jobs hold on a node, see HeldOnAddresses.on()."""
        return self._on_addresses.on(address)

    def free_cards_on(self, address: str, shown: Sequence[int]) -> list[int] | None:
        """Return those of the cards that a node shows as free which no job shows as taken, see CardTextsOfJobs."""
        return self._card_texts.free_on(address, shown)

    def as_facts(self, sizes: Mapping[str, Amounts] | None = None) -> OccupancyFacts:
        """Return ``{held, holders, queued, queue_counts, unplaced, placements}``.

        ``sizes`` is what the node of each listed address has, where the nodes are known. Ask for the cards of these
        nodes first: they speak against what a job calls its own.

        ``held`` is ``{resources, active, since_metrics, unread}``: what jobs hold, what of it those that run or are
        created, and those on nodes that may have started after the metrics were taken, and how many hold what could
        not be read, by resource.
        ``holders`` are the ten jobs that hold most, ``queued`` the first hundred that wait, in the scheduler's order;
        ``queue_counts`` counts all that wait by type and priority (null: not readable), with the seconds that the
        oldest and the youngest have waited. ``unplaced`` are the jobs that
        hold resources and show no node yet, by requirement, and what jobs hold beyond the listed nodes that they show.
        ``placements`` are the jobs that were asked for by UUID; null where none of them was found, and one that holds
        resources shows no UUID.
        A job's ``seconds`` are those that it has waited, or run; ``unread`` names what of its requirement could not be
        read (``"*"``: all of it).
        """
        for share, text in self._texts:
            share["cards"] = self._card_texts.of(text, share["host_ip"], share["resources"])
        is_hidden = bool(self._placement_of) and not self._placements and self._has_job_without_uuid
        return {
            "held": {
                "resources": amounts_to_numbers(self._held),
                "active": amounts_to_numbers(self._active),
                "since_metrics": amounts_to_numbers(self._since_metrics),
                "unread": dict(self._held_unread),
            },
            "holders": [
                self._listed_job(item)
                for *_order, item in sorted(self._holders, key=_heap_order_of_holders, reverse=True)
            ],
            "queued": [
                self._listed_job(item)
                for *_order, item in sorted(self._queue, key=_heap_order_of_holders, reverse=True)
            ],
            "queue_counts": [
                _count_queued_in_occupancy(job_type, priority, ages)
                for (job_type, priority), ages in self._queue_ages.items()
            ],
            "unplaced": [*self._unplaced.values(), *(() if sizes is None else self._on_addresses.elsewhere(sizes))],
            # A job without a UUID may be the one that was asked for.
            "placements": None if is_hidden else self._placements,
        }


def _occupies_resources(item: Document) -> bool:
    """Return whether it holds resources.

    One that waits and shows a node is on it already, while its images are pulled.
    """
    status = label_field(item.get("status"))
    # Every status that is not known to be over holds, so a new one is never taken for room.
    return bool(hosts_of_job(item)) if status in WAITING else status not in OVER


def _occupies_one_node_alone(item: Document) -> bool:
    """Return whether a job on one node tells nothing else of it than its requirement, as nearly all do."""
    nodes = item.get("nodes")
    if not nodes:
        return True
    # The table of the reference gives one object, the SDK a list (ListWorkloads).
    share = nodes[0] if isinstance(nodes, list) and len(nodes) == 1 else nodes
    return isinstance(share, dict) and share.get("resourceRequirement") == item.get("resourceRequirement")


def _count_queued_in_occupancy(job_type: str, priority: int | None, ages: Sequence[int | None]) -> QueueCount:
    known = [age for age in ages if age is not None]
    # One age that is not known may be the oldest or the youngest of all.
    whole = len(known) == len(ages)
    return {
        "type": job_type,
        "priority": priority,
        "count": len(ages),
        "oldest_seconds": max(known) if whole else None,
        "youngest_seconds": min(known) if whole else None,
    }


def _keep_largest_holders(heap: list[_Listed], entry: _Listed, most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, entry)
    elif entry[:2] > heap[0][:2]:
        # Only order and number are compared: documents have no order.
        heapq.heapreplace(heap, entry)


def _heap_order_of_holders(entry: _Listed) -> tuple[tuple[float, int], int]:
    return entry[:2]
