# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jobs ask for, as amounts."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import SummaryTally
from ansible_collections.poolgate.modelarts.tests.unit.cloud.jobs import FULL, NOW


def test_what_cannot_be_read_is_quoted_and_counted() -> None:
    items = [
        {**FULL, "resourceRequirement": {"cpu": "lots", "memory": "1Gi"}},
        {**FULL, "resourceRequirement": {"cpu": "lots"}},
        {**FULL, "resourceRequirement": "all of it"},
        {**FULL, "resourceRequirement": None},
    ]
    summary = SummaryTally(NOW, items).as_facts()
    assert summary["unparsed"] == [
        {"resource": "cpu", "value": "'lots'", "jobs": 2},
        {"resource": "*", "value": "'all of it'", "jobs": 1},
    ]
    assert summary["resources_by_status"] == {"Running": {"memory": 2**30}}
    held = Occupancy(NOW, items).as_facts()["held"]
    assert held == {
        "resources": {"memory": 2**30},
        "active": {"memory": 2**30},
        "since_metrics": {},
        "unread": {"cpu": 2, "*": 2},
    }


def test_sums_are_exact() -> None:
    """A tenth of a core a thousand times; 6.52 GiB each rounded up to a byte, as Kubernetes does."""
    items = [{"status": "Running", "resourceRequirement": {"cpu": "0.1 Cores", "memory": "6.52 GiB"}}] * 1000
    assert SummaryTally(NOW, items).as_facts()["resources_by_status"] == {
        "Running": {"cpu": 100, "memory": 7000796693000}
    }


def test_a_requirement_of_more_parts_or_resources_than_any_is_not_read() -> None:
    many = [{f"vendor.example/{part}-{n}": 1 for n in range(50)} for part in range(8000)]
    requirements = Requirements()
    assert requirements.read(many) == ({}, ["*"])
    assert requirements.read([{"nvidia.com/gpu": 1}] * 2000)[1] == ["*"]
    assert requirements.read([{"nvidia.com/gpu": 1}] * 1000) == ({"nvidia.com/gpu": 1_000_000}, [])
    assert len(requirements._read) < 10


def test_a_value_that_is_a_long_list_is_not_written_out() -> None:
    class Written:
        """A value that is not to be looked at."""

        def __repr__(self) -> str:
            raise AssertionError("all of it")

    requirements = Requirements()
    value = [*[0.1] * 9, Written()]
    assert requirements.read({"cpu": "1", "nvidia.com/gpu": value}) == ({"cpu": 1000}, ["nvidia.com/gpu"])
    assert requirements.as_facts()[0]["value"] == "[0.1, 0.1, 0.1, 0.1, 0.1]"


@pytest.mark.parametrize(("length", "unread"), [(317, []), (318, ["*"])])
def test_a_name_that_no_resource_can_have_is_not_read(length: int, unread: list[str]) -> None:
    """Facts have the name once for each node of a job."""
    amounts, missing = Requirements().read({"cpu": "1", "x" * length: "2"})
    assert missing == unread
    assert len(amounts) == (0 if unread else 2)
