# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate: it decides over candidates, attempt after attempt. Pure: looks, lines and time are handed in.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import NOTHING_CLAIMED
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import (
    best_decision,
    capacity_verdict,
    hold_decision_until_stable,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._outcome import gate_outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.document import Observed, report_document
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import attempt_line_of_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import SteadyWait

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry
    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import Candidate
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import GateClaims
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import Claimed
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import VerdictFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._outcome import OutcomeFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import ReportDocument
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait


class Observe(t.Protocol):
    """A look at the pools within the seconds that are left, and at the jobs that have these names."""

    def __call__(self, seconds_left: float | None, names: Sequence[str] = (), /) -> Sequence[PoolEntry]:
        """Return an entry for each pool."""


class Gate:
    """Decides over the candidates, and waits for one that admits."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        policy: Policy,
        declared: Amounts | None,
        wait: Wait,
        claims: GateClaims | None = None,
    ) -> None:
        self._claims = claims
        self._candidates = candidates
        self._policy = policy
        self._declared = declared
        self._wait = wait
        # One for each candidate: room that moves from pool to pool has not lasted in any.
        self._steady = [SteadyWait(policy.stable_seconds) for _candidate in candidates]
        self._observed: Sequence[PoolEntry] = []
        self._waited: float | None = None

    def wait(self, observe: Observe, say: Callable[[list[str]], None]) -> OutcomeFacts:
        """Return the outcome: at once when it is admitted or rejected, else at the last attempt that ends in time.

        ``observe`` returns facts about the pool of each candidate, in their order; it is given the seconds that are
        left, or None, and the names of jobs to look for. ``say`` is given the line of each attempt of a gate that can
        wait.
        """
        can_wait = self._wait.timeout > 0
        for left in self._wait.looks():
            # The facts are as old as the look that read them: by a steady clock, from before the first request.
            began = self._wait.time.clock()
            # What is claimed is read first: what ends while a pool is read counts all the same.
            if self._claims is None:
                self._observed = observe(left)
            else:
                names = self._claims.begin(left)
                # A store that was slow to answer has taken of what is left.
                self._observed = observe(self._wait.left, names)
            now = self._wait.time.clock()
            verdicts = self._decide(now, now - began)
            verdict = best_decision(verdicts)
            if can_wait:
                say([attempt_line_of_page(verdict, self._wait.time.utc(), self._wait.elapsed, self._wait.timeout)])
            # Unknown goes on: a document that failed may be read at the next look.
            if verdict["decision"] in ("admit", "reject"):
                break
        self._waited = self._wait.elapsed if can_wait else None
        return gate_outcome(verdict, verdicts, self._wait.count, self._waited)

    def report(self, outcome: OutcomeFacts) -> ReportDocument:
        """Return the outcome with all that was seen for it, as the document of a report."""
        candidates = [
            Observed(candidate.request, facts, verdict)
            for candidate, facts, verdict in zip(self._candidates, self._observed, outcome["pools"])
        ]
        return report_document(outcome, candidates, self._policy, self._wait.time.utc(), self._waited)

    def _decide(self, now: float, age: float) -> list[VerdictFacts]:
        """Return the verdict on each candidate."""
        verdicts: list[VerdictFacts] = []
        if self._claims is not None:
            self._claims.look_at(self._observed, self._wait.left)
        for candidate, facts, steady in zip(self._candidates, self._observed, self._steady):
            decide = partial(self._verdict, candidate, facts, steady, now, age)
            if self._claims is None:
                verdicts.append(decide(NOTHING_CLAIMED))
            else:
                # One claim: of several pools with room it is the first that counts.
                admitted = any(verdict["decision"] == "admit" for verdict in verdicts)
                verdicts.append(self._claims.judge(facts, candidate.request, decide, claims=not admitted))
        return verdicts

    def _verdict(
        self, candidate: Candidate, facts: PoolEntry, steady: SteadyWait, now: float, age: float, claimed: Claimed
    ) -> VerdictFacts:
        verdict = capacity_verdict(facts, candidate.request, self._policy, self._declared, age=age, claimed=claimed)
        steady.look(verdict["decision"] == "admit", now)
        return hold_decision_until_stable(verdict, steady.lasted, self._policy)
