# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a gate as one document: what report.json holds, and what the other files are written from. Pure.

docs/report.schema.json describes it. Quantities are in cores, bytes and cards.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, to_numbers
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.assignment import assign_replicas
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import Queue
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Situation, read_nodes

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request

Facts = dict[str, t.Any]

VERSION = 1
"""Grows when a key of the document is removed or changes its meaning."""

_HEAD = ("pool", "display_name", "decision", "source", "observed_at", "age_seconds")
_SENTENCES = ("checks", "reasons", "remedies", "notes", "resources")
_JOB = ("job_uuid", "job_name", "name", "user_name", "type", "priority", "created_at", "seconds", "resources")
_ERROR = ("document", "msg", "status", "error_code", "request_id")


class Observed(t.NamedTuple):
    """A candidate with what was seen of it last: its entry of ``pools``, and the verdict on it."""

    request: Request
    facts: Facts
    verdict: Facts


def report_document(
    outcome: Facts, candidates: Sequence[Observed], policy: Policy, written_at: str, waited: float | None
) -> Facts:
    """The report of a decision over candidates.

    ``outcome`` has the ``decision``, ``pool``, ``reasons`` and ``attempts`` of the gate, ``written_at`` is ISO 8601 in
    UTC, and ``waited`` the seconds of a wait, None where one look decides.
    """
    return {
        "version": VERSION,
        "written_at": written_at,
        **{name: outcome[name] for name in ("decision", "pool", "reasons", "attempts")},
        "waited_seconds": None if waited is None else int(waited),
        "pools": [_pool(candidate, policy) for candidate in candidates],
    }


def _pool(candidate: Observed, policy: Policy) -> Facts:
    request, facts, verdict = candidate
    nodes = None if facts["nodes"] is None else read_nodes(facts["nodes"])
    asked, placed = assign_replicas(nodes or (), request)
    return {
        **{name: verdict[name] for name in _HEAD},
        "request": _request(request),
        **{name: verdict[name] for name in _SENTENCES},
        "holders": [_job(job) for job in verdict["holders"]],
        "placed": None if nodes is None else placed,
        "nodes": None if nodes is None else [_node(*each) for each in zip(facts["nodes"], nodes, asked)],
        "queue": _queue(candidate, policy),
        "errors": [{name: error.get(name) for name in _ERROR} for error in facts["errors"]],
    }


def _request(request: Request) -> Facts:
    replaces = request.replaces
    return {
        "type": request.type,
        "priority": request.priority,
        "replaces": None if replaces is None else {"job_uuid": replaces.job_uuid, "replicas": replaces.replicas},
        "groups": [
            {
                "replicas": group.replicas,
                "resources": None if group.resources is None else to_numbers(group.resources),
                "flavor": group.flavor,
            }
            for group in request.groups
        ],
    }


def _node(fact: Facts, node: Node, asked: Amounts) -> Facts:
    """A node; null and ``unread`` are what could not be read of it, ``asked`` what it takes of the request."""
    return {
        **{name: fact[name] for name in ("name", "flavor", "phase", "az", "unusable", "jobs")},
        "resources": None if "*" in node.unread_resources else to_numbers(node.resources),
        "free": None if "*" in node.unread_free else to_numbers(node.free),
        "unread": sorted((node.unread_free | node.unread_resources) - {"*"}),
        "asked": to_numbers(asked),
    }


def _queue(candidate: Observed, policy: Policy) -> Facts | None:
    """The jobs that wait. ``jobs`` are the first of them, ``ahead`` how many of all go before the request."""
    request, facts, verdict = candidate
    if facts["queue_counts"] is None:
        return None
    queue = Queue.of(Situation.of(t.cast("PoolEntry", facts)), request, policy)
    ahead = {id(job.facts) for job in queue.ahead}
    return {
        "strategy": queue.strategy.name,
        "known": queue.known,
        "waiting": sum(group["count"] for group in facts["queue_counts"]),
        "ahead": next((check["ahead"] for check in verdict["checks"] if "ahead" in check), None),
        "jobs": [{**_job(job), "ahead": id(job) in ahead} for job in facts["queued"]],
    }


def _job(job: Facts) -> Facts:
    return {name: job[name] for name in _JOB}
