# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts -> the result of a gate's task: its artifact, its page and its summary.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.text.formatters import bytes_to_human
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import overview_page, page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import inert

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
        CheckFacts,
        CheckInFigures,
        OwnClaimFacts,
        VerdictFacts,
    )


class _Decided(t.TypedDict):
    decision: str
    pool: str
    source: str | None
    observed_at: str | None


class VerdictInFigures(_Decided):
    """A verdict without sentences, as an artifact has it."""

    checks: list[CheckInFigures]


class ClaimInFigures(t.TypedDict):
    """A claim as an artifact has it: what its release needs."""

    id: str
    nonce: str
    seconds_left: int


class _OwnClaim(t.TypedDict, total=False):
    """Only of a gate that has claimed what it admits."""

    claim: OwnClaimFacts


class OutcomeFacts(_Decided, _OwnClaim):
    """The result of a gate's task."""

    changed: bool
    checks: list[CheckFacts]
    reasons: list[str]
    attempts: int
    pools: list[VerdictFacts]
    artifact: object
    report: list[str]
    summary: str


class RefusalFacts(_Decided):
    """The result of a gate's task that fails."""

    failed: bool
    changed: bool
    msg: str
    reasons: list[str]
    attempts: int


# A page takes about ten lines: more of them than a screen or two are not read.
_MOST_PAGES = 5
# Names and numbers alone: sentences have texts of the API, which an artifact must not carry.
_FIGURES = ("name", "passed", "resource", "need", "free", "total", "kept", "claimed", "missing", "ahead")
# A pool lacks a few resources at most; the rest is on the page.
_MOST_NAMED = 5


def gate_outcome(
    verdict: VerdictFacts, verdicts: list[VerdictFacts], attempts: int, waited: float | None
) -> OutcomeFacts:
    """Return the result of the task.

    ``verdict`` is the one of the ``verdicts`` that counts, ``waited`` the seconds of a gate that could wait.
    """
    wait = "" if waited is None else f"waited {duration(waited)}, {plural(attempts, 'attempt')}"
    artifact: dict[str, object] = {
        **_outcome_without_sentences(verdict),
        "attempts": attempts,
        "pools": [_outcome_without_sentences(each) for each in verdicts],
    }
    claim: _OwnClaim = {}
    # One that check mode would have made is not in the store, and has nothing to release.
    if "claim" in verdict and verdict["claim"]["is_made"]:
        own = claim["claim"] = verdict["claim"]
        figures: ClaimInFigures = {"id": own["id"], "nonce": own["nonce"], "seconds_left": own["seconds_left"]}
        artifact["claim"] = figures
    return {
        **claim,
        "changed": "claim" in claim,
        **_decided_outcome(verdict),
        "checks": verdict["checks"],
        "reasons": verdict["reasons"],
        "attempts": attempts,
        "pools": verdicts,
        # AWX hands artifacts on as extra variables, which Ansible renders.
        "artifact": inert({**artifact, "summary": outcome_in_figures(verdict)}),
        "report": _pages_of_outcome(verdict, verdicts) + ([f"  {wait}"] if wait else []),
        "summary": _message_of_outcome(verdict) + (f" ({wait})" if wait else ""),
    }


def _decided_outcome(facts: VerdictFacts | OutcomeFacts) -> _Decided:
    return {
        "decision": facts["decision"],
        "pool": facts["pool"],
        "source": facts["source"],
        "observed_at": facts["observed_at"],
    }


def refusal_of_outcome(outcome: OutcomeFacts) -> RefusalFacts:
    """Return the result of a task that fails for it: what is on the page would be printed once more, as JSON."""
    return {
        "failed": True,
        "changed": False,
        "msg": outcome["summary"],
        **_decided_outcome(outcome),
        "reasons": outcome["reasons"],
        "attempts": outcome["attempts"],
    }


def check_figures_of_outcome(verdict: VerdictFacts) -> list[CheckInFigures]:
    """Return the checks without their sentences."""
    figures = [{name: value for name, value in check.items() if name in _FIGURES} for check in verdict["checks"]]
    return t.cast("list[CheckInFigures]", figures)


def outcome_in_figures(verdict: VerdictFacts) -> str:
    """Return the pool, the decision and what is short, as ``pool-a: wait (cpu short 7 of 32, placement)``.

    Names are its only texts of the API. A job of AWX that is told of a refusal has the artifact alone to speak of it.
    """
    named = [_short_check_in_outcome(check) for check in verdict["checks"] if check["passed"] is not True]
    more = len(named) - _MOST_NAMED
    listed = ", ".join(named[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return one_line(f"{verdict['pool']}: {verdict['decision']}" + (f" ({listed})" if listed else ""))


def _short_check_in_outcome(check: CheckFacts) -> str:
    if "missing" not in check:
        return one_line(str(check["name"]), 60)
    amounts = [check["missing"], check["need"]]
    if check["name"] == "memory":
        amounts = [bytes_to_human(amount) for amount in amounts]
    return f"{one_line(str(check['name']), 60)} short {amounts[0]} of {amounts[1]}"


def _message_of_outcome(verdict: VerdictFacts) -> str:
    reasons = "; ".join(verdict["reasons"]) or "it fits now"
    return sentence(f"{verdict['decision']}: {one_line(str(verdict['pool']))}: {reasons}")


def _outcome_without_sentences(verdict: VerdictFacts) -> VerdictInFigures:
    """Return the verdict without sentences."""
    return {
        **_decided_outcome(verdict),
        "checks": check_figures_of_outcome(verdict),
    }


def _pages_of_outcome(verdict: VerdictFacts, verdicts: Sequence[VerdictFacts]) -> list[str]:
    """Return the page of the pool that admits, or those of all; of many that of the best, and a line for each."""
    if len(verdicts) > _MOST_PAGES:
        return page(verdict) + overview_page(verdicts)
    shown = [verdict] if verdict["decision"] == "admit" else verdicts
    return [line for each in shown for line in page(each)]
