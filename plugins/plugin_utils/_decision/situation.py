# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of a pool, as a decision needs it: numbers as exact amounts, names of resources in one spelling.

An entry of ``pools`` of modelarts_workload_info enters the decision here, and nowhere else.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    ON_EVERY_NODE,
    Amounts,
    UnreadableQuantityError,
    add_amounts,
    canonical_amounts,
    canonical_resource,
    is_card_resource,
    parse_quantity,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import card_places_of, is_ascend_card
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import is_endless
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    CLOCK_TOLERANCE,
    DRIVER_RUNNING,
    LOGICAL_POOL,
    NODE_CREATING,
    NODE_DELETING,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import PLACES_NOT_KNOWN, NodeCards
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import (
    EVERYTHING,
    NO_NAMES,
    NOTHING_HELD,
    Held,
    Names,
    Node,
    has_vendor,
    nodes_made_for_as_many_cards,
    nodes_with_shortages,
    weigh_nodes,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import NodeKind
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, job_in_words

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        DocumentError,
        HeldInPool,
        HeldOnNode,
        JobFacts,
        MetricsFacts,
        NodeFacts,
        PlacedShare,
        PlacementFacts,
        PoolEntry,
        PoolFacts,
        QueueCount,
        UnplacedGroup,
    )

# Metrics are taken once a window. What is older than five of them, one may be late, is not of now.
_METRIC_WINDOWS = 5
_DEFAULT_WINDOW = 60  # seconds; the reference's examples have it


@dataclass(frozen=True)
class FlavorQuota:
    """How many nodes of a flavor the pool is meant to have: ``count``, and up to ``max_count``. None is not told.

    ``not_available`` of them are being created or deleted, are abnormal, or in a state that the pool does not count.
    """

    flavor: str
    count: int | None
    max_count: int | None
    not_available: int = 0

    @property
    def most(self) -> int:
        # Of a logical pool count is the guaranteed quota and max_count the ceiling (ShowPool).
        return max(self.count or 0, self.max_count or 0)

    def __str__(self) -> str:
        ceiling = "" if self.max_count is None else f", at most {self.max_count}"
        return f"{self.flavor} {'?' if self.count is None else self.count}{ceiling}"


@dataclass(frozen=True)
class Pool:
    """The pool's own document: its state, and what it is meant to have and to take."""

    display_name: str | None
    phase: str | None
    control_modes: Sequence[str]
    drivers: Mapping[str, str]
    job_types: Mapping[str, str] | None
    flavors: Sequence[FlavorQuota]
    is_logical: bool
    parent: str | None
    logical_pools: int
    queue_strategy: str | None
    unreadable: Sequence[str]

    @property
    def tells_its_size(self) -> bool:
        """Whether it tells how many nodes of each flavor it is meant to have."""
        return bool(self.flavors) and all(quota.count is not None for quota in self.flavors)

    @classmethod
    def of(cls, facts: PoolFacts) -> Pool:
        drivers = {kind: driver["state"] for kind, driver in facts["driver"].items()}
        return cls(
            display_name=facts["display_name"],
            phase=facts["phase"],
            control_modes=facts["control_mode"],
            drivers={kind: state for kind, state in drivers.items() if state is not None},
            job_types=facts["job_types"],
            flavors=[
                FlavorQuota(
                    one["flavor"],
                    one["count"],
                    one["max_count"],
                    # A node in a state that the API does not count shows in the difference alone.
                    max(one["creating"] + one["abnormal"] + one["deleting"], (one["count"] or 0) - one["available"]),
                )
                for one in facts["flavors"]
            ],
            is_logical=(facts["type"] or "").strip().lower() == LOGICAL_POOL,
            parent=facts["parent"],
            logical_pools=facts["subpools"] or 0,
            queue_strategy=facts["queue_strategy"],
            unreadable=facts["unreadable"],
        )


@dataclass(frozen=True)
class Job:
    """A job that waits, or whose placement was asked for. ``facts`` are what verdicts and reports return of it."""

    facts: JobFacts
    uuid: str | None
    type: str | None
    priority: int | None
    seconds: int | None
    amounts: Amounts
    unread: Names

    @property
    def name(self) -> str:
        return job_in_words(self.facts)

    @classmethod
    def of(cls, facts: JobFacts) -> Job:
        amounts, unread = amounts_in_situation(facts["resources"])
        # Canonical, as needs are: under its other name, a card that could not be read would be none of those asked for.
        unread |= frozenset(map(canonical_resource, facts["unread"]))
        priority = priority_in_situation(facts["priority"])
        return cls(facts, facts["job_uuid"], facts["type"], priority, facts["seconds"], amounts, unread)


@dataclass(frozen=True)
class PlacedJob(Job):
    """A job with the addresses that it shows, and what it has on each of its nodes as far as it tells."""

    addresses: Sequence[str]
    shares: Sequence[PlacedShare]

    @classmethod
    def of_placement(cls, facts: PlacementFacts) -> PlacedJob:
        job = Job.of(facts)
        return cls(**vars(job), addresses=facts["host_ips"], shares=facts["nodes"])

    @property
    def status(self) -> str | None:
        return self.facts["status"]

    @property
    def holds(self) -> bool:
        """Whether it has nodes, by its status."""
        return self.facts["holds"]

    @property
    def waits(self) -> bool:
        return self.facts["waits"]

    def split_over_nodes(self) -> dict[str, Amounts] | None:
        """Return what it has on each address; None when that is not known."""
        if self.shares:
            split: dict[str, Amounts] = {}
            for share in self.shares:
                # Rounded down, as it is given back: a part of a card is no room.
                amounts, unread = amounts_in_situation(share["resources"], down=True)
                if unread or not amounts or not share["host_ip"]:
                    return None
                add_amounts(split.setdefault(share["host_ip"], {}), canonical_amounts(amounts))
            # An address without a share would give back an amount that is not known.
            return split if set(split) >= set(self.addresses) else None
        if len(self.addresses) == 1 and not self.unread:
            return {self.addresses[0]: canonical_amounts(amounts_in_situation(self.facts["resources"], down=True)[0])}
        return None

    def cards_on(self, address: str) -> int | None:
        """Return the numbers of its cards on an address as bits; None where they are not known."""
        told = [share.get("cards") for share in self.shares if share["host_ip"] == address]
        if None in told or not told:
            return None
        # A set, as two shares may name the same card.
        return sum(1 << number - 1 for number in {number for cards in told for number in cards or ()})


@dataclass(frozen=True)
class QueueGroup:
    """Jobs of one type and priority that wait, counted; ages are in seconds, None is not known."""

    type: str
    priority: int | None
    count: int
    oldest_seconds: int | None
    youngest_seconds: int | None

    @classmethod
    def of(cls, facts: QueueCount) -> QueueGroup:
        return cls(facts["type"], facts["priority"], facts["count"], facts["oldest_seconds"], facts["youngest_seconds"])


@dataclass(frozen=True)
class JobGroup:
    """Jobs that ask for the same, counted."""

    count: int
    amounts: Amounts
    unread: Names

    @classmethod
    def of(cls, facts: UnplacedGroup) -> JobGroup:
        amounts, unread = amounts_in_situation(facts["resources"])
        return cls(facts["count"], amounts, unread | frozenset(map(canonical_resource, facts["unread"])))


@dataclass(frozen=True)
class JobsHold:
    """What all jobs of the pool hold together; ``are_read`` is False where the jobs could not be read.

    Of the amounts, those in ``since_metrics`` are of jobs on nodes that may have started after the runtime metrics.
    """

    amounts: Amounts
    unread: Names
    are_read: bool
    since_metrics: Amounts = field(default_factory=dict)

    @classmethod
    def of(cls, facts: HeldInPool | None) -> JobsHold:
        if facts is None:
            # Jobs that could not be read may hold anything.
            return cls({}, EVERYTHING, False)
        amounts, unread = amounts_in_situation(facts["resources"])
        unread |= frozenset(map(canonical_resource, facts["unread"]))
        # Facts of releases before 1.1.0 do not have it.
        return cls(amounts, unread, True, amounts_in_situation(facts.get("since_metrics", {}))[0])


@dataclass(frozen=True)
class Metrics:
    """The runtime metrics of the pool. ``age_seconds`` is None where their time cannot be read."""

    observed_at: str | None
    age_seconds: int | None
    window_seconds: int
    are_readable: bool
    capacity: Amounts
    allocated: Amounts
    available: Amounts
    unreadable: Names

    @classmethod
    def of(cls, facts: MetricsFacts) -> Metrics:
        return cls(
            observed_at=facts["observed_at"],
            age_seconds=facts["age_seconds"],
            window_seconds=facts["window_seconds"] or _DEFAULT_WINDOW,
            are_readable=facts["capacity"] is not None and facts["allocated"] is not None,
            # What there is: rounded down, and the smaller of two spellings. Allocated: rounded up, and the larger.
            capacity=canonical_amounts(amounts_in_situation(facts["capacity"], down=True)[0], min),
            allocated=canonical_amounts(amounts_in_situation(facts["allocated"])[0]),
            available=canonical_amounts(amounts_in_situation(facts["available"], down=True)[0], min),
            unreadable=frozenset(canonical_resource(one["resource"]) for one in facts["unreadable"]),
        )

    def why_unused(self, age: float) -> str:
        """Return why they do not count; empty when they do. ``age`` is that of the facts, in seconds."""
        if self.age_seconds is None:
            return "their time cannot be read: not used"
        # A time in the future would be fresh for ever.
        if self.age_seconds < -CLOCK_TOLERANCE:
            return f"their time is {duration(-self.age_seconds)} in the future: not used"
        limit = _METRIC_WINDOWS * self.window_seconds
        if self.age_seconds + age > limit:
            return f"{duration(self.age_seconds + age)} old, limit {duration(limit)}: not used"
        return "" if self.are_readable else "not readable: not used"


class UnreadAmount(t.NamedTuple):
    """An amount that could not be read, as it was given, and the name of its node where it is one of a node."""

    resource: str
    value: str
    node: str | None = None


@dataclass(frozen=True)
class Situation:
    """All that was read of a pool. None is what could not be read; ``errors`` says why, by document."""

    pool_name: str
    observed_at: str | None
    errors: Mapping[str, DocumentError]
    lists_all_jobs: bool
    pool: Pool | None
    nodes: Sequence[Node] | None
    nodes_of_logical_pools: int
    unread_on_nodes: Sequence[UnreadAmount]
    unread_of_jobs: Sequence[UnreadAmount]
    metrics: Metrics | None
    jobs_hold: JobsHold
    unplaced: Sequence[JobGroup]
    waiting: Sequence[Job]
    queue: Sequence[QueueGroup] | None
    placements: Sequence[PlacedJob] | None
    holders: Sequence[JobFacts]

    @classmethod
    def of(cls, entry: PoolEntry) -> Situation:
        """Return the situation of a pool from its entry, read with ``include_capacity``."""
        nodes = entry["nodes"]
        counts, placements = entry["queue_counts"], entry["placements"]
        return cls(
            pool_name=entry["pool_name"],
            observed_at=entry["observed_at"],
            errors={error["document"]: error for error in entry["errors"]},
            lists_all_jobs=entry["complete"] is True,  # a text like "False" is true as well
            pool=Pool.of(entry["pool"]) if entry["pool"] else None,
            nodes=None if nodes is None else read_nodes_of_situation(nodes),
            nodes_of_logical_pools=sum(bool(node["elastic_quota"]) for node in nodes or ()),
            unread_on_nodes=[
                UnreadAmount(one["resource"], one["value"], node["name"])
                for node in nodes or ()
                if node["unreadable"]
                for one in node["unreadable"]
            ],
            unread_of_jobs=[UnreadAmount(one["resource"], one["value"]) for one in entry["summary"]["unparsed"]],
            metrics=Metrics.of(entry["metrics"]) if entry["metrics"] else None,
            jobs_hold=JobsHold.of(entry["held"]),
            unplaced=[JobGroup.of(group) for group in entry["unplaced"] or ()],
            waiting=[Job.of(job) for job in entry["queued"] or ()],
            queue=None if counts is None else [QueueGroup.of(group) for group in counts],
            placements=None if placements is None else [PlacedJob.of_placement(job) for job in placements],
            holders=entry["holders"] or [],
        )


def amounts_in_situation(numbers: Mapping[str, object] | None, *, down: bool = False) -> tuple[Amounts, Names]:
    """Return (amounts of numbers in cores, bytes and cards, what could not be read). ``down`` is for what there is."""
    amounts: Amounts = {}
    unread = NO_NAMES
    for resource, value in (numbers or {}).items():
        try:
            amounts[resource] = parse_quantity(resource, value, down=down)
        except UnreadableQuantityError:
            unread |= {canonical_resource(resource)}
    return amounts, unread


def priority_in_situation(value: object) -> int | None:
    """Return a job's priority; None when it is no whole number."""
    try:
        priority = int(t.cast(str, value))
    except (TypeError, ValueError, OverflowError):
        return None
    return None if is_endless(priority) else priority


class _Size(t.NamedTuple):
    """What all nodes of one size have, and what follows from that.

    ``is_whole`` tells that it has cards and none of anything, and ``spellings`` are names that may be of one card.
    ``ascend`` is the name of its Ascend cards, and it was made for so many ``places`` of them.
    """

    amounts: Amounts
    unread: Names
    is_whole: bool
    spellings: Names
    ascend: str | None
    places: int

    @classmethod
    def of(cls, amounts: Amounts, unread: Names) -> _Size:
        ascend = [name for name, of in amounts.items() if of and is_ascend_card(name)]
        is_whole = all(amounts.values()) and any(map(has_vendor, amounts))
        spellings = frozenset(ascend) if len(ascend) > 1 else NO_NAMES
        # Rounded up, as the node was made with the card of which only a part is left.
        places = card_places_of(-(-amounts[ascend[0]] // 1000)) if ascend else 0
        return cls(amounts, unread, is_whole, spellings, ascend[0] if ascend else None, places)

    def cards_of(self, fact: NodeFacts, known: dict[object, NodeCards]) -> NodeCards | None:
        """Return what the entry of a node tells of its Ascend cards; ``known`` are those of nodes that are alike."""
        if self.ascend is None:
            return None
        free, batch = fact.get("cards_free"), fact.get("batch")
        batch_type = batch["type"] if batch else None
        lost = fact.get("cards_lost") or 0
        key = self.ascend, self.places, None if free is None else tuple(free), batch_type, lost
        cards = known.get(key)
        if cards is None:
            shown = None if free is None else sum(1 << number - 1 for number in free)
            cards = known[key] = NodeCards(self.ascend, self.places, shown, batch_type, lost=lost)
        return cards


def _cards_without_size(resources: Amounts, shown: Amounts) -> NodeCards | None:
    """Return Ascend cards that a node shows as free, and of which it does not tell how many it has."""
    if resources.keys() == shown.keys():
        return None
    ascend = next((name for name, of in shown.items() if of and name not in resources and is_ascend_card(name)), None)
    # Without their number neither their groups nor a text tell which of them lie together.
    return None if ascend is None else NodeCards(ascend, PLACES_NOT_KNOWN, None)


def read_nodes_of_situation(facts: Sequence[NodeFacts]) -> list[Node]:
    """Return the nodes of an entry of ``pools``. Nodes that are alike share their amounts, as they are many."""
    known: dict[object, tuple[Amounts, Names]] = {}
    sizes: dict[object, _Size] = {}
    known_held: dict[object, Held] = {}
    known_cards: dict[object, NodeCards] = {}

    def amounts(numbers: Mapping[str, float] | None) -> tuple[Amounts, Names]:
        if not numbers:
            # An entry without amounts may be that of a node of any size.
            return {}, EVERYTHING
        key = tuple(numbers.items())
        found = known.get(key)
        if found is None:
            read, unread = amounts_in_situation(numbers, down=True)
            # Every node has cores and memory, so an entry that does not name them has not told them.
            for name in ON_EVERY_NODE:
                if name not in numbers:
                    unread |= {name}
            found = known[key] = canonical_amounts(read, min), unread
        return found

    def held_of(held: HeldOnNode | None, resources: Amounts) -> Held:
        if not held:
            return NOTHING_HELD
        key: tuple[object, ...] = (id(resources), *held["resources"].items())
        if held["unsplit"] or held["unread"]:
            key = key, tuple(held["unsplit"].items()), tuple(held["unread"])
        found = known_held.get(key)
        if found is None:
            certain, unread = amounts_in_situation(held["resources"])
            possible, unread_possible = amounts_in_situation(held["unsplit"])
            unread |= unread_possible | frozenset(held["unread"])
            found = Held(certain, possible, unread, frozenset(held["unsplit"])).on(resources)
            known_held[key] = found
        return found

    nodes = []
    for fact in facts:  # there may be ten thousand: what only a few of them need stands behind a condition
        key = tuple((fact["resources"] or {}).items())
        size = sizes.get(key)
        if size is None:
            size = sizes[key] = _Size.of(*amounts(fact["resources"]))
        resources, unread_resources, spellings = size.amounts, size.unread, size.spellings
        shown, unread_shown = amounts(fact["free"])
        if fact["unreadable"]:
            unreadable = frozenset(canonical_resource(one["resource"]) for one in fact["unreadable"])
            # Where one of two spellings could be read, that amount counts.
            unread_resources |= unreadable - resources.keys()
            unread_shown |= unreadable - shown.keys()
        if not size.is_whole:
            unread_resources |= _resources_that_may_come(fact, resources)
        if spellings:
            # Several names of Ascend cards on one node may be those of one card, and jobs may use any of them.
            shown = {name: of for name, of in shown.items() if name not in spellings}
        if resources.keys() != shown.keys():
            # A resource that the node has and does not show as free may be taken whole.
            unread_shown |= resources.keys() - shown.keys()
        nodes.append(
            Node(
                fact["name"],
                NodeKind.of(fact),
                fact["unusable"],
                fact["phase"] == NODE_DELETING,
                fact["private_ip"],
                fact["jobs"],
                resources,
                unread_resources,
                shown,
                unread_shown,
                held_of(fact.get("held"), resources),
                # Before it is weighed, free is what it shows. By position, as names take twice the time.
                shown,
                unread_shown,
                shown,
                False,
                size.cards_of(fact, known_cards) or _cards_without_size(resources, shown),
                fact.get("supernode") if size.ascend else None,
            )
        )
    # In this order: weighing may find a size contradicted, which is no shortage.
    return nodes_with_shortages(nodes_made_for_as_many_cards(weigh_nodes(nodes)))


def _resources_that_may_come(fact: NodeFacts, resources: Amounts) -> Names:
    """Return the resources that a node may have later: it is being created, or shows none of a card just now.

    What such a node will have is not known, so nothing is too large for it for good. A card of which it shows none has
    lost its plugin: a node that never had one does not name it.
    """
    gone = NO_NAMES
    if 0 in resources.values():
        gone = frozenset(name for name, amount in resources.items() if not amount and is_card_resource(name))
    for name, amount in resources.items():
        if amount and has_vendor(name):
            return gone
    components = [one for one in (fact["driver"], *fact["plugins"]) if one is not None]
    is_ready = fact["phase"] != NODE_CREATING and all(one["phase"] in (None, DRIVER_RUNNING) for one in components)
    return gone if is_ready else EVERYTHING
