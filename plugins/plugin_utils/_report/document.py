# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts -> the document of a report: what report.json holds, and what the other files are written from. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import amounts_to_numbers
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.assignment import Taken, assign_replicas
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import Queue
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import (
    Situation,
    read_nodes_of_situation,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import VERSION

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import (
        DocumentError,
        JobFacts,
        NodeFacts,
        PoolEntry,
    )
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import VerdictFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import (
        GateOutcome,
        ReportCards,
        ReportClaims,
        ReportDocument,
        ReportError,
        ReportJob,
        ReportNode,
        ReportPool,
        ReportQueue,
        ReportRequest,
    )
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request


class Observed(t.NamedTuple):
    """A candidate with what was seen of it last: its entry of ``pools``, and the verdict on it."""

    request: Request
    entry: PoolEntry
    verdict: VerdictFacts


def report_document(
    outcome: GateOutcome, candidates: Sequence[Observed], policy: Policy, written_at: str, waited: float | None
) -> ReportDocument:
    """Return the report of a decision over candidates.

    ``written_at`` is ISO 8601 in UTC, and ``waited`` the seconds of a wait, None where one look decides.
    """
    return {
        "version": VERSION,
        "written_at": written_at,
        "decision": outcome["decision"],
        "pool": outcome["pool"],
        "reasons": outcome["reasons"],
        "attempts": outcome["attempts"],
        "waited_seconds": None if waited is None else int(waited),
        "pools": [_report_of_pool(candidate, policy) for candidate in candidates],
    }


def _report_of_pool(candidate: Observed, policy: Policy) -> ReportPool:
    request, entry, verdict = candidate
    nodes, placed = _report_nodes_with_replicas(entry["nodes"], request, policy)
    claims: ReportClaims = {}
    if "claims" in verdict:
        claims["claims"] = verdict["claims"]
    if "claim" in verdict:
        claims["claim"] = verdict["claim"]
    return {
        **claims,
        "pool": verdict["pool"],
        "display_name": verdict["display_name"],
        "decision": verdict["decision"],
        "source": verdict["source"],
        "observed_at": verdict["observed_at"],
        "age_seconds": verdict["age_seconds"],
        "request": _report_of_request(request),
        "checks": verdict["checks"],
        "reasons": verdict["reasons"],
        "remedies": verdict["remedies"],
        "notes": verdict["notes"],
        "resources": verdict["resources"],
        "holders": [_report_of_job(job) for job in verdict["holders"]],
        "placed": placed,
        "nodes": nodes,
        "queue": _report_of_queue(candidate, policy),
        "errors": [_report_of_error(error) for error in entry["errors"]],
    }


def _report_of_request(request: Request) -> ReportRequest:
    replaces = request.replaces
    return {
        "type": request.type,
        "priority": request.priority,
        "replaces": None if replaces is None else {"job_uuid": replaces.job_uuid, "replicas": replaces.replicas},
        "groups": [
            {
                "replicas": group.replicas,
                "resources": None if group.resources is None else amounts_to_numbers(group.resources),
                "flavor": group.flavor,
            }
            for group in request.groups
        ],
    }


def _report_nodes_with_replicas(
    facts: Sequence[NodeFacts] | None, request: Request, policy: Policy
) -> tuple[list[ReportNode] | None, int | None]:
    """Return (the nodes with what each takes of the request, how many replicas found a place)."""
    if facts is None:
        return None, None
    # Read as the decision read them, so the picture has the same amounts.
    nodes = read_nodes_of_situation(facts)
    asked, placed = assign_replicas(nodes, request, policy)
    return [_report_of_node(*each) for each in zip(facts, nodes, asked)], placed


def _report_of_node(fact: NodeFacts, node: Node, taken: Taken) -> ReportNode:
    return {
        "name": fact["name"],
        "flavor": fact["flavor"],
        "phase": fact["phase"],
        "az": fact["az"],
        "unusable": fact["unusable"],
        "jobs": fact["jobs"],
        "resources": None if "*" in node.unread_resources else amounts_to_numbers(node.resources),
        "free": None if "*" in node.unread_free else amounts_to_numbers(node.free),
        "unread": sorted((node.unread_free | node.unread_resources) - {"*"}),
        "asked": amounts_to_numbers(taken.amounts),
        "cards": _report_of_cards(node, taken),
    }


def _report_of_cards(node: Node, taken: Taken) -> ReportCards | None:
    if node.cards is None:
        return None
    return {
        "resource": node.cards.resource,
        "group": taken.rule,
        "free": taken.free,
        "asked": list(taken.cards),
    }


def _report_of_queue(candidate: Observed, policy: Policy) -> ReportQueue | None:
    request, entry, verdict = candidate
    if entry["queue_counts"] is None:
        return None
    queue = Queue.of(Situation.of(entry), request, policy)
    # By identity: the queue keeps the very facts, and a job without a UUID can be told from others by nothing else.
    ahead = {id(job.facts) for job in queue.ahead}
    return {
        "strategy": queue.strategy.name,
        "known": queue.known,
        "waiting": sum(group["count"] for group in entry["queue_counts"]),
        "ahead": next((check["ahead"] for check in verdict["checks"] if "ahead" in check), None),
        "jobs": [{**_report_of_job(job), "ahead": id(job) in ahead} for job in entry["queued"] or ()],
    }


def _report_of_job(job: JobFacts) -> ReportJob:
    return {
        "job_uuid": job["job_uuid"],
        "job_name": job["job_name"],
        "name": job["name"],
        "user_name": job["user_name"],
        "type": job["type"],
        "priority": job["priority"],
        "created_at": job["created_at"],
        "seconds": job["seconds"],
        "resources": job["resources"],
    }


def _report_of_error(error: DocumentError) -> ReportError:
    return {
        "document": error["document"],
        "msg": error["msg"],
        "status": error.get("status"),
        "error_code": error.get("error_code"),
        "request_id": error.get("request_id"),
    }
