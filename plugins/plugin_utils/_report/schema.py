# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a report, key by key: what report.json holds, and what report.md and report.html are written from.

docs/report.schema.json says what each key means, and a test compares the two. Quantities are in cores, bytes and cards.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import Numbers
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
    CheckFacts,
    ClaimFacts,
    OwnClaimFacts,
    ResourceFigures,
)

VERSION = 1
"""Grows when a key of the document is removed or changes its meaning."""


class ReplacedJob(t.TypedDict):
    """The job, or so many replicas of it, that the deployment ends first."""

    job_uuid: str
    replicas: int | None


class ReportGroup(t.TypedDict):
    """Replicas of one shape: of ``resources``, or of whole nodes of a ``flavor``."""

    replicas: int
    resources: Numbers | None
    flavor: str | None


class ReportRequest(t.TypedDict):
    type: str | None
    priority: int | None
    replaces: ReplacedJob | None
    groups: list[ReportGroup]


class ReportCards(t.TypedDict):
    """Cards of a node that have numbers: the free ones, and those that the request takes of them.

    ``group`` is how many lie together. None is what is not known.
    """

    resource: str
    group: int | None
    free: list[int] | None
    asked: list[int]


class ReportNode(t.TypedDict):
    """A node; None and ``unread`` are what could not be read of it, ``asked`` is what it takes of the request."""

    name: str | None
    flavor: str | None
    phase: str | None
    az: str | None
    unusable: str | None
    jobs: int | None
    resources: Numbers | None
    free: Numbers | None
    unread: list[str]
    asked: Numbers
    cards: ReportCards | None


class ReportJob(t.TypedDict):
    job_uuid: str | None
    job_name: str | None
    name: str | None
    user_name: str | None
    type: str | None
    priority: str | None
    created_at: str | None
    seconds: int | None
    resources: Numbers


class QueuedJob(ReportJob):
    """A job that waits; ``ahead`` tells whether it goes before the request."""

    ahead: bool


class ReportQueue(t.TypedDict):
    """The jobs that wait. ``jobs`` are the first of them, ``ahead`` is how many of all go before the request."""

    strategy: str
    known: str
    waiting: int
    ahead: int | None
    jobs: list[QueuedJob]


class ReportError(t.TypedDict):
    """A document of the pool that could not be read."""

    document: str
    msg: str
    status: int | None
    error_code: str | None
    request_id: str | None


class ReportClaims(t.TypedDict, total=False):
    """Only of a gate that has a store of claims: those of others that count, and its own."""

    claims: list[ClaimFacts]
    claim: OwnClaimFacts


class ReportPool(ReportClaims):
    """A pool that was asked, as it was at the last look."""

    pool: str
    display_name: str | None
    decision: str
    source: str | None
    observed_at: str | None
    age_seconds: int | None
    request: ReportRequest
    checks: list[CheckFacts]
    reasons: list[str]
    remedies: list[str]
    notes: list[str]
    resources: list[ResourceFigures]
    holders: list[ReportJob]
    placed: int | None
    nodes: list[ReportNode] | None
    queue: ReportQueue | None
    errors: list[ReportError]


class GateOutcome(t.TypedDict):
    """The decision of a gate, the pool that it is about, why it was not admitted, and the number of looks."""

    decision: str
    pool: str
    reasons: list[str]
    attempts: int


class ReportDocument(GateOutcome):
    version: int
    written_at: str
    waited_seconds: int | None
    pools: list[ReportPool]
