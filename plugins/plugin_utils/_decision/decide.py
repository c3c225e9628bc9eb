# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: facts about a pool + request + policy -> verdict. Pure, without input or output.

Unknown is never room: a question is passed, failed, failed for good, or not known, and only passed questions admit.

This plugin util is private to the collection.
"""

from __future__ import annotations

import gc
import typing as t
from dataclasses import replace

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.card_words import notes_on_card_groups
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.case import Case
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.check_placement import check_placement
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.check_pool import (
    check_pool,
    check_pool_facts,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.check_resources import check_resources
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.check_supernodes import check_supernodes
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import NOTHING_CLAIMED, Claimed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import nodes_that_may_have_jobs
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.queue import Queue
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Situation
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
    PREFERENCE,
    BestVerdict,
    Check,
    Findings,
    Outcome,
    Verdict,
    VerdictFacts,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import remarks_on_request

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry
    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.room import Room
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request

_MOST_AHEAD = 10  # the page shows a few; the queue's count tells of the others


def capacity_verdict(
    entry: PoolEntry,
    request: Request,
    policy: Policy,
    declared: Amounts | None = None,
    *,
    age: float = 0.0,
    claimed: Claimed = NOTHING_CLAIMED,
) -> VerdictFacts:
    """Return the verdict on one pool as facts.

    ``entry`` is one of ``pools`` as modelarts_workload_info returns it with ``include_capacity``, ``declared`` a
    capacity that the caller vouches for, ``age`` the seconds since ``entry["observed_at"]``, ``claimed`` what others
    have claimed.
    """
    collects = gc.isenabled()
    # Nothing here holds a cycle, and looking for some in the facts of a large pool takes a fifth of the time.
    gc.disable()
    try:
        return decide(Situation.of(entry), request, policy, declared, age, claimed).as_facts()
    finally:
        if collects:
            gc.enable()


def decide(
    situation: Situation,
    request: Request,
    policy: Policy,
    declared: Amounts | None,
    age: float,
    claimed: Claimed = NOTHING_CLAIMED,
) -> Verdict:
    """Ask all questions about a request and a pool, in the order in which a person would."""
    # Whether a node is idle matters to whole nodes alone.
    if situation.nodes is not None and request.asks_whole_nodes:
        situation = replace(situation, nodes=nodes_that_may_have_jobs(situation.nodes))
    queue = Queue.of(situation, request, policy)
    # Facts that are too old, or of a pool that is not there, leave no other question worth asking.
    alone = check_pool_facts(situation, age)
    if alone is not None:
        return _decide_by_findings(situation, request, queue, None, Findings.of([alone]))

    case = Case.of(situation, request, policy, queue, declared, age, claimed)
    findings = check_pool(situation, request) + case.findings
    if claimed.why_unknown:
        remedy = "check the claim store; nothing is admitted while the claims of others are unknown."
        findings += Findings.of([Check("claims", Outcome.UNKNOWN, claimed.why_unknown, remedy)])
    if case.room is not None:
        resources = check_resources(case, case.room)
        findings += resources
        # Replicas that ask for more than there ever is find no place either: once is enough.
        if not any(check.outcome is Outcome.NEVER for check in resources.checks):
            findings += check_placement(case, case.room, resources)
        findings += Findings.of([check_supernodes(case)], notes_on_card_groups(case.nodes or (), policy.card_groups))
    findings += Findings.of(queue.checks(case.empty, policy), remarks_on_request(request, policy, declared))
    if policy.queue_scope == "type":
        note = f"only {request.type} jobs are assumed to wait in this queue (policy.queue_scope)"
        findings += Findings.of(notes=[note])
    return _decide_by_findings(situation, request, queue, case.room, findings)


def _decide_by_findings(
    situation: Situation, request: Request, queue: Queue, room: Room | None, findings: Findings
) -> Verdict:
    # Metrics are taken earlier than they are read, and their own time is that of the figures.
    is_measured = room is not None and room.source == "metrics" and situation.metrics is not None
    return Verdict(
        findings=findings,
        pool=situation.pool_name,
        display_name=situation.pool.display_name if situation.pool else None,
        source=None if room is None else room.source,
        observed_at=situation.metrics.observed_at if is_measured and situation.metrics else situation.observed_at,
        age_seconds=None if room is None else int(room.age),
        asked=sorted(request.resources()),
        ahead=[job.facts for job in queue.ahead[:_MOST_AHEAD]],
        holders=situation.holders,
    )


def best_decision(verdicts: Sequence[VerdictFacts]) -> VerdictFacts:
    """Return the verdict that counts over several pools: the first of the best decision."""
    # min() keeps the first of equals, so pools that are equally good go in the order in which they were named.
    return min(verdicts, key=lambda verdict: PREFERENCE.index(verdict["decision"]))


def best_decision_of_pools(verdicts: list[VerdictFacts]) -> BestVerdict:
    """Return the verdict that counts over several pools, with all of them under ``pools``."""
    counts = best_decision(verdicts)
    return {**counts, "pools": verdicts}


def hold_decision_until_stable(verdict: VerdictFacts, fitted_seconds: float, policy: Policy) -> VerdictFacts:
    """Return the verdict; an admission waits until the request has fitted for ``policy.stable_seconds``."""
    if verdict["decision"] != "admit" or fitted_seconds >= policy.stable_seconds:
        return verdict
    message = f"it has fitted for {duration(fitted_seconds)} of {duration(policy.stable_seconds)}"
    check = Check("stable", Outcome.FAILED, message)
    return {
        **verdict,
        "decision": "wait",
        "checks": [*verdict["checks"], check.as_facts()],
        "reasons": [check.reason],
        "brief": check.reason,
    }
