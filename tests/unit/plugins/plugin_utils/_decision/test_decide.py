# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict as a whole: over several pools, over time, as plain JSON with a reason for everything."""

from __future__ import annotations

import json

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import (
    best_decision,
    capacity_verdict,
    hold_decision_until_stable,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.cards import (
    OWN,
    asking,
    gpu_nodes,
    holding,
    reason,
    replacing,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import check_of, decide, observed


def test_the_best_over_several_pools() -> None:
    verdicts = [{"decision": decision, "pool": decision} for decision in ("reject", "unknown", "wait", "admit")]
    assert [best_decision(verdicts[:count])["decision"] for count in (1, 2, 3, 4)] == [
        "reject",
        "unknown",
        "wait",
        "admit",
    ]
    twice = [{"decision": "admit", "pool": "first"}, {"decision": "admit", "pool": "second"}]
    assert best_decision(twice)["pool"] == "first"


def test_what_fits_has_to_fit_for_a_while() -> None:
    policy = read_policy({"stable_seconds": 60})
    verdict = decide(gpu_nodes(8), request=asking(1))
    held = hold_decision_until_stable(verdict, 59.0, policy)
    assert held["decision"] == "wait"
    assert check_of(held, "stable")["passed"] is False
    assert "59 s" in reason(held)
    assert "60 s" in reason(held)
    assert hold_decision_until_stable(verdict, 60.0, policy)["decision"] == "admit"
    assert verdict["decision"] == "admit"
    refused_one = decide(gpu_nodes(0), request=asking(1))
    assert hold_decision_until_stable(refused_one, 0.0, policy) == refused_one


def test_a_verdict_is_json_and_changes_no_facts() -> None:
    nodes = gpu_nodes(0, 4)
    facts = observed(nodes, [holding(nodes, 8, 4, uuid=OWN)], placement_of=[OWN])
    before = json.dumps(facts)
    verdict = capacity_verdict(facts, read_request(replacing(1, 8)), read_policy(None))
    assert json.dumps(facts) == before
    assert json.loads(json.dumps(verdict)) == verdict
