# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents as the API sends them, and the verdict on them: a test goes the whole way from document to verdict."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    read_declared_capacity,
    read_policy,
    read_request,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.answers import (
    FLAVOR,
    GPU,
    NOW,
    Document,
    address_of,
    counted,
    job,
    metrics,
    moment,
    node,
    observed,
    pool,
    refused,
)

Verdict = dict[str, t.Any]

__all__ = [
    "FLAVOR",
    "GPU",
    "NOW",
    "Document",
    "Verdict",
    "address_of",
    "check_of",
    "counted",
    "decide",
    "job",
    "metrics",
    "moment",
    "node",
    "observed",
    "pool",
    "refused",
]


def decide(
    nodes: t.Any,
    jobs: t.Any = (),
    *,
    request: t.Mapping[str, t.Any],
    policy: t.Mapping[str, t.Any] | None = None,
    declared: t.Mapping[str, t.Any] | None = None,
    age: float = 0.0,
    **documents: t.Any,
) -> Verdict:
    """The verdict on these documents."""
    asked = read_request(dict(request))
    replaced = () if asked.replaces is None else (asked.replaces.job_uuid,)
    facts = observed(nodes, jobs, placement_of=replaced, **documents)
    return capacity_verdict(
        facts,
        asked,
        read_policy(None if policy is None else dict(policy)),
        read_declared_capacity(None if declared is None else dict(declared)),
        age=age,
    )


def check_of(verdict: Verdict, name: str) -> Verdict:
    """The check of that name, with its ``passed`` and its ``message``."""
    found = [check for check in verdict["checks"] if check["name"] == name]
    assert len(found) == 1, f"{len(found)} checks named {name}: {verdict['checks']}"
    return found[0]
