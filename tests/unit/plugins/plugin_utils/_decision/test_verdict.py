# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which decision follows from the outcomes of checks, and what a verdict says of them."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
    Check,
    Findings,
    Outcome,
    Verdict,
)
from ansible_collections.poolgate.modelarts.tests.unit.cards import (
    asking,
    gpu_nodes,
    queued,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    decide,
)


def verdict_on(*outcomes: Outcome) -> Verdict:
    checks = [Check(f"check{number}", outcome, f"message {number}") for number, outcome in enumerate(outcomes)]
    return Verdict(Findings.of(checks), "pool-a", None, "nodes", None, 0, [])


@pytest.mark.parametrize(
    ("outcomes", "decision", "reasons"),
    [
        ((), "admit", []),
        ((Outcome.PASSED, Outcome.PASSED), "admit", []),
        ((Outcome.PASSED, Outcome.UNKNOWN), "unknown", ["check1: message 1"]),
        ((Outcome.UNKNOWN, Outcome.FAILED), "wait", ["check0: message 0", "check1: message 1"]),
        ((Outcome.UNKNOWN, Outcome.FAILED, Outcome.NEVER), "reject", ["check2: message 2"]),
    ],
)
def test_only_passed_questions_admit(outcomes: tuple[Outcome, ...], decision: str, reasons: list[str]) -> None:
    facts = verdict_on(*outcomes).as_facts()
    assert (facts["decision"], facts["reasons"]) == (decision, reasons)
    assert [check["passed"] for check in facts["checks"]] == [
        {Outcome.PASSED: True, Outcome.UNKNOWN: None}.get(outcome, False) for outcome in outcomes
    ]


def test_the_same_remedy_is_said_once() -> None:
    checks = [
        Check("pool", Outcome.FAILED, "phase Creating", "wait."),
        Check("queue", Outcome.FAILED, "2 ahead", "wait."),
    ]
    facts = Verdict(Findings.of([*checks, None]), "pool-a", None, None, None, None, []).as_facts()
    assert facts["remedies"] == ["wait."]
    assert facts["brief"] == "pool: phase Creating"


def test_text_of_the_api_in_a_check_is_one_printable_line() -> None:
    check = Check("pool", Outcome.FAILED, "phase \x1b[2J\n\u202eodd")
    assert check.reason.isprintable()


def test_every_failed_or_unknown_check_is_a_reason_with_its_numbers() -> None:
    verdict = decide(gpu_nodes(0, 4), [queued("8")], request=asking(1, 8))
    failed = [check for check in verdict["checks"] if check["passed"] is not True]
    assert len(verdict["reasons"]) == len(failed) == 3
    assert all(check["message"] in said for check, said in zip(failed, verdict["reasons"]))
    assert verdict["remedies"]
