# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts that modules and plugins return, key by key: they are plain JSON, and cross processes as such.

The documentation of the modules says what each key means, and a test compares the two. None is what the API did not
give, or what could not be read; a key that is optional stands in a class with total=False.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

Number = t.Union[int, float]
"""An amount in cores, bytes or cards; an int wherever it is whole."""

Numbers = dict[str, Number]
"""Amounts by the name of their resource."""


class UnreadableAmount(t.TypedDict):
    """A quantity that could not be read; the resource is ``"*"`` where a whole table could not be."""

    resource: str
    value: str


class FailureDetails(t.TypedDict, total=False):
    """What is known of a failed call; ``transient`` is only there when it is True."""

    transient: bool
    status: int
    error_code: str
    error_msg: str
    request_id: str


class FailureFacts(FailureDetails):
    msg: str


class DocumentError(FailureFacts):
    """Why a document of a pool could not be read: ``workloads``, ``pool``, ``nodes``, ``metrics`` or ``pools``."""

    document: str


class NothingReadFacts(FailureFacts):
    """A failure with the entry of each pool, of which nothing could be read."""

    pools: list[PoolEntry]


# Nodes


class ComponentFacts(t.TypedDict):
    """A driver or a plugin of a node."""

    name: str | None
    version: str | None
    phase: str | None


class BatchFacts(t.TypedDict):
    """The batch that a node was bought in."""

    uid: str | None
    name: str | None
    type: str | None
    count: int | None


class HeldOnNode(t.TypedDict):
    """What jobs hold on a node: surely, perhaps beside that, and of which resources it cannot be read."""

    resources: Numbers
    unsplit: Numbers
    unread: list[str]


class NodeFacts(t.TypedDict):
    name: str | None
    phase: str | None
    flavor: str | None
    az: str | None
    private_ip: str | None
    taints: list[object]
    drain: bool
    exclusive_to: str | None
    elastic_quota: str | None
    hot_standby: bool | None
    billing_status: str | None
    driver: ComponentFacts | None
    plugins: list[ComponentFacts | None]
    locked: bool
    node_pool: str | None
    node_pool_id: str | None
    supernode: str | None
    cabinet: str | None
    server: str | None
    batch: BatchFacts | None
    usable: bool
    unusable: str | None
    resources: Numbers | None
    free: Numbers | None
    unreadable: list[UnreadableAmount]
    cards_occupied: int | None
    cards_free: list[int] | None
    cards_lost: int | None
    jobs: int | None
    held: HeldOnNode | None


class CapacityFacts(t.TypedDict):
    """Sums over nodes."""

    nodes: int
    usable_nodes: int
    total: Numbers
    usable: Numbers
    free: Numbers


# Runtime metrics


class WorkloadCounts(t.TypedDict):
    """Jobs by type, those that run and those that wait."""

    allocated: dict[str, int]
    queue: dict[str, int]


class MetricsFacts(t.TypedDict):
    allocated: Numbers | None
    capacity: Numbers | None
    max_capacity: Numbers | None
    all_capacity: Numbers | None
    all_max_capacity: Numbers | None
    available: Numbers | None
    max_available: Numbers | None
    workload: WorkloadCounts | None
    observed_at: str | None
    age_seconds: int | None
    window_seconds: int | None
    unreadable: list[UnreadableAmount]


class CapacityReading(t.TypedDict):
    """Nodes and metrics of a pool, and how old they are."""

    nodes: list[NodeFacts] | None
    capacity: CapacityFacts | None
    metrics: MetricsFacts | None
    observed_at: str
    age_seconds: int
    errors: list[DocumentError]


# Pools


NodeState = t.Literal["available", "creating", "abnormal", "deleting"]
"""Under which a pool counts its nodes."""


class FlavorCount(t.TypedDict):
    """Nodes of one flavor: how many the pool is meant to have, and how many it has in each state."""

    flavor: str
    count: int | None
    max_count: int | None
    available: int
    creating: int
    abnormal: int
    deleting: int


class DriverFacts(t.TypedDict):
    """The driver of one kind of card of a pool."""

    version: str | None
    state: str | None


class NodePoolFacts(t.TypedDict):
    name: str
    flavor: str
    count: int | None
    max_count: int | None


class PoolFacts(t.TypedDict):
    pool_name: str | None
    display_name: str | None
    created_at: str | None
    type: str | None
    phase: str | None
    message: str | None
    job_types: dict[str, str] | None
    flavors: list[FlavorCount]
    driver: dict[str, DriverFacts]
    control_mode: list[str]
    node_pools: list[NodePoolFacts]
    workspace_id: str | None
    billing_mode: str | None
    queue_strategy: str | None
    subpools: int | None
    parent: str | None
    root: str | None
    unreadable: list[str]


class PoolWithCapacity(PoolFacts, CapacityReading):
    """A pool of modelarts_pool_info with include_capacity."""


class PoolsAnswer(t.TypedDict):
    """What modelarts_pool_info returns."""

    pools: t.Sequence[PoolFacts]
    resolved: dict[str, str]


# Jobs


class NodeShare(t.TypedDict):
    """What a job has on one node."""

    host_ip: str | None
    resources: Numbers


class PlacedShare(NodeShare):
    """The same with the numbers of its cards there; None where its text does not tell them for certain."""

    cards: list[int] | None


class _JobNode(NodeShare):
    npu_topology_placement: str | None
    cards_free: list[int] | None
    resource_requirement: object


class JobNode(_JobNode, total=False):
    """A node of a job in the list of jobs; ``extra`` is what the reference does not document."""

    extra: dict[str, object]


class WorkloadFacts(t.TypedDict, total=False):
    """A job in the list of jobs: all of the keys, or those that the option ``fields`` names."""

    api_version: str | None
    kind: str | None
    type: str | None
    namespace: str | None
    name: str | None
    job_name: str | None
    uid: str | None
    job_uuid: str | None
    flavor: str | None
    status: str | None
    user_name: str | None
    resource_requirement: object
    priority: str | None
    running_duration: int | None
    pending_duration: int | None
    pending_position: int | None
    create_time: int | None
    gvk: str | None
    host_ips: list[str]
    nodes: list[JobNode]
    is_deleted: bool | None
    pool_name: str
    resources: Numbers
    created_at: str | None
    extra: dict[str, object]


class JobFacts(t.TypedDict):
    """A job as a decision and its report need it.

    ``seconds`` are those that it has waited or run; ``unread`` names what of its requirement could not be read.
    """

    job_uuid: str | None
    job_name: str | None
    name: str | None
    user_name: str | None
    type: str | None
    status: str | None
    priority: str | None
    created_at: str | None
    seconds: int | None
    resources: Numbers
    unread: list[str]
    waits: bool
    holds: bool


class PlacementFacts(JobFacts):
    """A job with its split over nodes."""

    host_ips: list[str]
    nodes: list[PlacedShare]


class FoundJobFacts(t.TypedDict):
    """A job whose name was looked for, and the nodes that it shows."""

    job_uuid: str | None
    uid: str | None
    job_name: str
    type: str | None
    status: str | None
    created: float | None
    host_ips: list[str]
    resources: Numbers
    unread: list[str]


class QueueCount(t.TypedDict):
    """How many jobs of one type and priority wait. A priority that cannot be read is None."""

    type: str
    priority: int | None
    count: int
    oldest_seconds: int | None
    youngest_seconds: int | None


class UnplacedGroup(t.TypedDict):
    """Jobs of one requirement that hold resources on nodes which are not known."""

    count: int
    resources: Numbers
    unread: list[str]


class HeldInPool(t.TypedDict):
    """What all jobs hold, what of it those that run or start, and how many jobs hold what cannot be read.

    ``since_metrics`` is held on nodes by those that may have started after the runtime metrics were taken.
    """

    resources: Numbers
    active: Numbers
    since_metrics: Numbers
    unread: dict[str, int]


class OccupancyFacts(t.TypedDict):
    """What a decision needs of the jobs of a pool; all of it is None when these could not be read."""

    held: HeldInPool | None
    holders: list[JobFacts] | None
    queued: list[JobFacts] | None
    queue_counts: list[QueueCount] | None
    unplaced: list[UnplacedGroup] | None
    placements: list[PlacementFacts] | None


class UnparsedQuantity(UnreadableAmount):
    """A quantity that could not be read, and of how many jobs."""

    jobs: int


class SummaryFacts(t.TypedDict):
    total: int
    by_status: dict[str, int]
    by_type: dict[str, int]
    resources_by_status: dict[str, Numbers]
    oldest_pending_seconds: int | None
    unparsed: list[UnparsedQuantity]


class JobsEntry(t.TypedDict):
    """The jobs of one pool, counted."""

    pool_name: str
    total: int | None
    complete: bool
    summary: SummaryFacts


class FoundInPool(t.TypedDict, total=False):
    """Only where names were looked for: the jobs that have them, None when the jobs could not be read.

    Of very many, those that are over and the older ones are left out first. ``found_at`` and ``created`` are seconds
    since the epoch by the clock of the API.
    """

    found: list[FoundJobFacts] | None
    found_complete: bool
    found_at: float


class PoolEntry(JobsEntry, OccupancyFacts, CapacityReading, FoundInPool):
    """All that a decision and its report need of one pool: an entry of ``pools`` with include_capacity."""

    pool: PoolFacts | None


class JobsEntryWithJobs(JobsEntry):
    """The same with the jobs themselves, as the lookup returns it with ``wantpools``."""

    workloads: list[WorkloadFacts]


class WorkloadsAnswer(t.TypedDict):
    """What modelarts_workload_info returns; with include_capacity, the entries of ``pools`` are PoolEntry."""

    workloads: list[WorkloadFacts]
    total: int | None
    complete: bool
    summary: SummaryFacts
    pools: t.Sequence[JobsEntry]
    warnings: list[str]
