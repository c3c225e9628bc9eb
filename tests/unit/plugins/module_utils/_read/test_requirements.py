# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jobs ask for, as amounts."""

from __future__ import annotations

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import Tally
from ansible_collections.poolgate.modelarts.tests.unit.cloud.jobs import FULL, NOW


def test_what_cannot_be_read_is_quoted_and_counted() -> None:
    items = [
        {**FULL, "resourceRequirement": {"cpu": "lots", "memory": "1Gi"}},
        {**FULL, "resourceRequirement": {"cpu": "lots"}},
        {**FULL, "resourceRequirement": "all of it"},
        {**FULL, "resourceRequirement": None},
    ]
    summary = Tally(NOW, items).as_facts()
    assert summary["unparsed"] == [
        {"resource": "cpu", "value": "'lots'", "jobs": 2},
        {"resource": "*", "value": "'all of it'", "jobs": 1},
    ]
    assert summary["resources_by_status"] == {"Running": {"memory": 2**30}}
    held = Occupancy(NOW, items).as_facts()["held"]
    assert held == {"resources": {"memory": 2**30}, "active": {"memory": 2**30}, "unread": {"cpu": 2, "*": 2}}


def test_sums_are_exact() -> None:
    """A tenth of a core a thousand times; 6.52 GiB each rounded up to a byte, as Kubernetes does."""
    items = [{"status": "Running", "resourceRequirement": {"cpu": "0.1 Cores", "memory": "6.52 GiB"}}] * 1000
    assert Tally(NOW, items).as_facts()["resources_by_status"] == {"Running": {"cpu": 100, "memory": 7000796693000}}
