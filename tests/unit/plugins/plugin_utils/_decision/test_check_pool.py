# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a pool takes such work at all, from its documents to the verdict."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import (
    capacity_verdict,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.cards import asking, gpu_nodes, reason
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    Document,
    check_of,
    decide,
    observed,
    pool,
    refused,
)


@pytest.mark.parametrize(
    ("phase", "decision"),
    [
        ("Running", "admit"),
        ("Creating", "wait"),
        ("Waiting", "wait"),
        ("Abnormal", "wait"),
        ("ScalingFailed", "wait"),
        ("Deleting", "reject"),
        ("Error", "wait"),
        ("CreationFailed", "reject"),
        ("Sleeping", "unknown"),
        (None, "unknown"),
    ],
)
def test_phase_of_the_pool(phase: str | None, decision: str) -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), pool_document=pool({FLAVOR: 1}, phase=phase))
    assert verdict["decision"] == decision
    assert (phase or "not reported") in check_of(verdict, "pool")["message"]
    assert check_of(verdict, "pool")["passed"] is {"admit": True, "unknown": None}.get(decision, False)


def test_a_pool_that_the_api_does_not_know() -> None:
    gone = refused(404, "ModelArts.50015001")
    verdict = decide(gone, gone, request=asking(1), pool_document=gone)
    assert verdict["decision"] == "reject"
    assert "not found (404 ModelArts.50015001, request 7f3a91)" in reason(verdict)
    assert "metadata.name" in verdict["remedies"][0]


def test_a_pool_that_cannot_be_shown_is_not_usable_for_sure() -> None:
    verdict = decide(gpu_nodes(8), request=asking(1, type="train"), pool_document=refused())
    assert verdict["decision"] == "unknown"
    assert check_of(verdict, "pool")["passed"] is None
    assert "403 ModelArts.0108, request 7f3a91" in reason(verdict)


@pytest.mark.parametrize(
    ("state", "decision"),
    [
        ("Enabled", "admit"),
        ("Enabling", "wait"),
        ("Disabled", "reject"),
        ("Disabling", "reject"),
        (None, "reject"),
        ("Pausing", "unknown"),
    ],
)
def test_state_of_the_job_type(state: str | None, decision: str) -> None:
    scope = {"Train": "Enabled"} if state is None else {"Train": "Enabled", "Infer": state}
    verdict = decide(gpu_nodes(8), request=asking(1, type="infer"), pool_document=pool({FLAVOR: 1}, scope=scope))
    assert verdict["decision"] == decision
    check = check_of(verdict, "job_type")
    assert check["passed"] is {"admit": True, "unknown": None}.get(decision, False)
    assert "infer" in check["message"]
    if decision == "reject":
        assert "train Enabled" in check["message"]
        assert "enable infer" in verdict["remedies"][0]


def test_job_types_that_the_pool_does_not_tell() -> None:
    document = pool({FLAVOR: 1})
    del document["status"]["scope"]
    verdict = decide(gpu_nodes(8), request=asking(1, type="infer"), pool_document=document)
    assert verdict["decision"] == "unknown"
    assert check_of(verdict, "job_type")["passed"] is None


def test_a_job_type_that_is_not_asked_for_is_not_checked_and_that_is_said() -> None:
    document = pool({FLAVOR: 1}, scope={"Train": "Disabled"})
    verdict = decide(gpu_nodes(8), request=asking(1), pool_document=document)
    assert verdict["decision"] == "admit"
    assert any("job type not asked for" in note for note in verdict["notes"])


@pytest.mark.parametrize(
    ("document", "nodes", "why"),
    [
        (pool({FLAVOR: 1}, parent="pool-big"), gpu_nodes(8), "part of pool-big"),
        (pool({FLAVOR: 1}, subpools=3), gpu_nodes(8), "3 logical pools"),
        (pool({FLAVOR: 2}), [*gpu_nodes(8), *gpu_nodes(8, labels={"os.modelarts.node/elastic.quota": "q"})],
         "1 node is bound"),
    ],
)  # fmt: skip
def test_logical_pools_are_unknown(document: Document, nodes: list[Document], why: str) -> None:
    verdict = decide(nodes, request=asking(1), pool_document=document)
    assert verdict["decision"] == "unknown"
    assert why in check_of(verdict, "logical_pools")["message"]
    assert "quota" in reason(verdict)


def test_a_pool_that_counts_no_logical_pools() -> None:
    assert decide(gpu_nodes(8), request=asking(1), pool_document=pool({FLAVOR: 1}, subpools=0))["decision"] == "admit"


@pytest.mark.parametrize(("age", "decision"), [(0.0, "admit"), (300.0, "admit"), (301.0, "unknown"), (1e6, "unknown")])
def test_age_of_the_facts(age: float, decision: str) -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), age=age)
    assert verdict["decision"] == decision
    if decision == "unknown":
        assert "limit 5 min" in check_of(verdict, "age")["message"]


def test_old_facts_do_not_reject_either() -> None:
    document = pool({FLAVOR: 1}, scope={"Train": "Disabled"})
    verdict = decide(gpu_nodes(8), request=asking(1, type="train"), pool_document=document, age=3600.0)
    assert verdict["decision"] == "unknown"


def test_nothing_can_be_read() -> None:
    error = refused(500, "ModelArts.0001")
    facts = observed(error, error, pool_document=error, metric_items=error)
    verdict = capacity_verdict(facts, read_request(asking(1)), read_policy(None))
    assert verdict["decision"] == "unknown"
    assert verdict["reasons"]


def test_an_incomplete_list_of_jobs_is_unknown() -> None:
    verdict = decide(gpu_nodes(8), request=asking(1), complete=False)
    assert verdict["decision"] == "unknown"
    assert "not complete" in reason(verdict)


def test_jobs_that_may_not_be_listed_are_unknown() -> None:
    verdict = decide(gpu_nodes(8), refused(), request=asking(1))
    assert verdict["decision"] == "unknown"
    assert "403 ModelArts.0108, request 7f3a91" in reason(verdict)


def test_a_job_type_that_is_not_enabled_yet() -> None:
    document = pool({FLAVOR: 1}, scope={"Train": "Enabled"})
    document["spec"]["scope"] = ["Train", "Notebook"]
    verdict = decide(gpu_nodes(8), request={**asking(1), "type": "notebook"}, pool_document=document)
    assert verdict["decision"] == "wait"
    assert "notebook is being enabled" in reason(verdict)
