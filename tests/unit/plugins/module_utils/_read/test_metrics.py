# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runtime metrics as facts."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.metrics import metrics_facts
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import AMOUNTS, Document, documents, example
from hypothesis import given
from hypothesis import strategies as st

MIB = 2**20


def test_the_metrics_of_the_document() -> None:
    (item,) = example("show_pool_runtime_metrics")["items"]
    assert metrics_facts(item, 1648624150 + 90.5) == {
        "allocated": {"cpu": 5, "memory": 15548 * MIB, "tnt004": 1.073},
        "capacity": {"cpu": 16, "memory": 64 * 1024 * MIB, "tnt004": 2},
        "max_capacity": {"cpu": 16, "memory": 64 * 1024 * MIB, "tnt004": 2},
        "all_capacity": None,
        "all_max_capacity": None,
        "available": None,
        "max_available": None,
        "workload": None,
        "observed_at": "2022-03-30T07:09:10Z",
        "age_seconds": 90,
        "window_seconds": 60,
        "unreadable": [],
    }


TABLE = documents(
    value=AMOUNTS,
    window=st.sampled_from(("1m", "60s", "h")),
    timestamp=st.datetimes().map(str) | st.just("0001-01-01T00:00:00+23:59"),
)


@given(documents(table=documents(allocated=TABLE, capacity=TABLE)), st.floats(0, 1e11))
def test_any_metrics_become_facts(document: Document, now: float) -> None:
    facts = metrics_facts(document, now)
    assert facts["age_seconds"] is None or isinstance(facts["age_seconds"], int)
    json.dumps(facts)


@pytest.mark.parametrize(
    ("timestamps", "age"),
    [
        (("2022-03-30T07:09:10Z", "2022-03-30T07:08:10Z"), 160),
        (("2022-03-30T07:09:10+00:00", "2022-03-30T09:09:10+02:00"), 100),
        (("2022-03-30T07:09:10", "2022-03-30 07:09:10"), 100),
        (("2022-03-30T07:19:10Z", "2022-03-30T07:19:10Z"), -500),  # from the future
        (("2022-03-30T07:09:10Z", "2022-03-30T07:19:10Z"), -500),  # which is worse than any age
        (("2022-03-30T07:09:10Z", "yesterday"), None),
        (("2022-03-30T07:09:10Z", None), None),
        (("0001-01-01T00:00:00+23:59", "2022-03-30T07:09:10Z"), None),  # before the year 1, in UTC
    ],
)
def test_the_age_of_metrics_is_that_of_the_older_table(timestamps: tuple[t.Any, t.Any], age: int | None) -> None:
    allocated, capacity = ({"value": {}, "timestamp": timestamp, "window": "1m"} for timestamp in timestamps)
    assert (
        metrics_facts({"table": {"allocated": allocated, "capacity": capacity}}, 1648624150 + 100)["age_seconds"] == age
    )
