# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the API that the collection knows, and how far its clock is trusted, each in this one place.

This module util is private to the collection. Source: the API reference, and where a constant says so, the SDK.
"""

from __future__ import annotations

# Jobs

JOB_TYPES = ("train", "infer", "x-infer", "notebook")
"""Types that ListWorkloads filters by. A pool may know others, so a request is not checked against them."""

SCOPE_OF = {"x-infer": "infer"}
"""Job types that a pool enables, and queues, with those of another type: both kinds of inference services."""

STATUSES = (
    "Queue",
    "Pending",
    "Abnormal",
    "Terminating",
    "Creating",
    "Running",
    "Completed",
    "Terminated",
    "Failed",
)
# A job in one of these has no cards, unless it shows a node: then its images are being pulled (ListWorkloads).
WAITING = frozenset(("Queue", "Pending"))
ACTIVE = frozenset(("Running", "Creating"))

# A status that is in none of the three holds resources: Abnormal and Terminating jobs still have their containers, and
# of a status that is new the same is assumed, as it must not look like room.
OVER = frozenset(("Completed", "Terminated", "Failed"))

UNKNOWN = "unknown"
"""What counts of jobs are under when a job tells no type or no status."""

CANNOT_BE_READ = "cannot be read"
"""How a reason ends that leaves it open whether a node takes work."""

# Pools

POOL_RUNNING = "Running"
LOGICAL_POOL = "logical"
TYPE_ENABLED = "Enabled"
DRIVER_RUNNING = "Running"
"""The one state in which a driver or a plugin lets jobs start."""

CONTROL_MODES = {
    1: "billing_change_restricted",
    2: "flavor_change_restricted",
    4: "service_restricted",
    8: "frozen",
    16: "frozen_by_police",
}
"""The bits of spec.controlMode, which add up. Source: the SDK's PoolSpecModel."""

STOPPING_MODES = ("service_restricted", "frozen", "frozen_by_police")
"""Those of them that hold a deployment back."""

BILLING_MODES = {"0": "pay-per-use", "1": "yearly/monthly"}

NAME_LABEL = "os.modelarts/name"
WORKSPACE_LABEL = "os.modelarts/workspace.id"
BILLING_MODE_ANNOTATION = "os.modelarts/billing.mode"
STRATEGY_ANNOTATION = "os.modelarts.pool/scheduler.queue.strategy"
SUBPOOLS_ANNOTATION = "os.modelarts.pool/subpools.count"

SCOPE = "status.scope"
"""What is unreadable of a pool where one of its job types is: it may be any."""

# Nodes

NODE_AVAILABLE = "Available"
NODE_CREATING = "Creating"
NODE_DELETING = "Deleting"

# PreferNoSchedule is a wish: the scheduler uses such a node when there is no other.
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")

# Most of these are in one cloud's reference or in the SDK alone; where one is absent, it says nothing.
DRAIN_ANNOTATION = "os.modelarts.node/drain"
PLACEMENT_ANNOTATION = "os.modelarts/npu-topology-placement"
LOCK_ANNOTATION = "os.modelarts.node/lock.action"
EXCLUSIVE_LABEL = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
QUOTA_LABEL = "os.modelarts.node/elastic.quota"
STANDBY_LABEL = "os.modelarts.node/ha.redundant.enabled"
BILLING_LABEL = "os.modelarts/billing.status"

BILLING_STATUSES = {"0": "normal", "1": "frozen", "2": "ended"}
"""Values of the billing label, in the words of the facts."""

# Where a node stands. None of these decides.
NODE_POOL_LABEL = "os.modelarts.node/nodepoolname"
NODE_POOL_ID_LABEL = "os.modelarts.node/nodepool"
SUPERNODE_LABEL = "os.modelarts.node/spod.id"
CABINET_LABEL = "cce.kubectl.kubernetes.io/cabinet"
SERVER_LABEL = "os.modelarts.node/underlying.instance.id"

BATCH_LABELS = {name: f"os.modelarts.node/batch.{name}" for name in ("uid", "name", "type", "count")}

# Times

CLOCK_TOLERANCE = 30
"""Seconds by which a time may be ahead of the API's clock, whose servers need not agree to the second.

They are half of the shortest window of metrics that the reference shows, and no longer than a job is about to start.
"""

# Error codes

# Mostly a display name was given where the ID belongs.
POOL_NOT_FOUND = "ModelArts.50015001"
SUSPENDED = "ModelArts.5017"
URL_NOT_KNOWN = ("APIG.0101", "APIGW.0101")
"""The gateway's, of Open Telekom Cloud and of Huawei Cloud."""

ERROR_CODES = (POOL_NOT_FOUND, SUSPENDED, *URL_NOT_KNOWN)
