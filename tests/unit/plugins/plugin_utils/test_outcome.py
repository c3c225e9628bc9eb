# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a gate's task: its artifact is inert, and has a sentence of figures."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils import _facts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils import _outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision import verdict as _verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._outcome import (
    gate_outcome,
    outcome_in_figures,
    refusal_of_outcome,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.documented import wrong
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, node, observed

Facts = dict[str, t.Any]
TYPES = {**vars(_facts), **vars(_verdict), **vars(_outcome)}


def decided(request: Facts, *nodes: t.Any) -> Facts:
    return capacity_verdict(observed(list(nodes)), read_request(request), read_policy(None))


@pytest.mark.parametrize("name", ["{{ lookup('pipe', 'id') }}", "{% raw %}", "\x1b[31m", "x" * 100_000])
def test_an_artifact_holds_no_name_that_a_template_could_be_made_of(name: str) -> None:
    """Whole nodes are asked for, so the keys of a node's resources become names of checks."""
    verdict = decided({"flavor": "f"}, node({GPU: "8", name: "1"}, flavor="f"))
    result = gate_outcome(verdict, [verdict], 1, None)
    assert any(check["name"] != "placement" for check in result["checks"])
    text = json.dumps(result["artifact"])
    assert not set("{}%\x1b'") & set("".join(_texts(result["artifact"])))
    assert len(text) < 10_000


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ([], "pool-a: wait"),
        ([{"name": GPU, "passed": False, "missing": 7, "need": 32}, {"name": "queue", "passed": False}],
         f"pool-a: wait ({GPU} short 7 of 32, queue)"),
        ([{"name": "cpu", "passed": True, "missing": 0, "need": 1}, {"name": "placement", "passed": None}],
         "pool-a: wait (placement)"),
        ([{"name": "memory", "passed": False, "missing": 3 * 2**30, "need": 400 * 2**30}],
         "pool-a: wait (memory short 3.00 GB of 400.00 GB)"),
        ([{"name": f"v/{number}", "passed": False} for number in range(7)],
         "pool-a: wait (v/0, v/1, v/2, v/3, v/4 and 2 more)"),
        ([{"name": "\x1b[31m" + "y" * 70, "passed": False}], f"pool-a: wait ([31m{'y' * 53}...)"),
    ],
)  # fmt: skip
def test_the_sentence_of_an_artifact_has_what_is_short(checks: list[Facts], words: str) -> None:
    assert outcome_in_figures({"pool": "pool-a", "decision": "wait", "checks": checks}) == words


def test_a_task_that_fails_repeats_nothing_of_the_page() -> None:
    verdict = decided({"resources": {GPU: 9}}, node({GPU: "8"}))
    result = gate_outcome(verdict, [verdict], 3, 61.0)
    failed = refusal_of_outcome(result)
    assert failed["msg"] == result["summary"]
    assert failed["msg"].endswith("(waited 61 s, 3 attempts)")
    assert failed["failed"] is True
    assert failed["reasons"] == verdict["reasons"]
    assert not {"checks", "pools", "report", "artifact"} & failed.keys()


def _texts(value: t.Any) -> t.Iterator[str]:
    """All texts in a value, keys included."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)


@pytest.mark.parametrize("case", ["room", "waiting", "hopeless", "unknown", "unread", "several", "cards"])
def test_the_result_of_a_task_is_of_its_type(case: str) -> None:
    _document, verdicts = reports.report_of(reports.CASES[case]())
    assert wrong(verdicts, list[_verdict.VerdictFacts], TYPES, "verdicts") == []
    outcome = gate_outcome(verdicts[0], verdicts, 1, None)
    assert wrong(outcome, _outcome.OutcomeFacts, TYPES, "outcome") == []
    assert wrong(refusal_of_outcome(outcome), _outcome.RefusalFacts, TYPES, "refusal") == []
    figures = outcome["artifact"]["pools"]
    assert wrong(figures, list[_outcome.VerdictInFigures], TYPES, "artifact") == []
