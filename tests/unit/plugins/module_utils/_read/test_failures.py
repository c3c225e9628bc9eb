# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that cannot be read, beside those that can."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import NoPoolReadableError
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import (
    FACTS,
    POOL_A,
    POOL_B,
    Document,
    observe,
    pools,
)


@pytest.mark.parametrize(
    ("refuse", "null", "document"),
    [
        ({"nodes": {"status": 403, "error_code": "ModelArts.0108"}}, ("nodes", "capacity"), "nodes"),
        ({"pool": 500}, ("pool",), "pool"),
        ({"workloads": 503}, ("held", "holders", "queued", "queue_counts", "unplaced", "placements"), "workloads"),
    ],
)
def test_a_document_that_cannot_be_read(refuse: Document, null: tuple[str, ...], document: str) -> None:
    with Emulator(pools(**refuse)) as emulator:
        facts = observe(emulator, POOL_A, POOL_B)
    first, second = facts["pools"]
    assert [name for name in FACTS if first[name] is None] == sorted(null)
    (error,) = first["errors"]
    assert error["document"] == document
    assert error["status"] in (403, 500, 503)
    assert error["error_code"]
    assert error["request_id"]
    assert second["errors"] == []
    assert None not in [second[name] for name in FACTS]
    assert facts["complete"] is (document != "workloads")


def test_metrics_that_cannot_be_read() -> None:
    with Emulator({**pools(), "refuse": {"metrics": 403}}) as emulator:
        facts = observe(emulator, POOL_A, POOL_B)
    for entry in facts["pools"]:
        assert entry["metrics"] is None
        assert [error["document"] for error in entry["errors"]] == ["metrics"]


def test_one_pool_of_two_does_not_exist() -> None:
    with Emulator(pools()) as emulator:
        facts = observe(emulator, "pool-nobodys", POOL_B)
    assert [len(entry["errors"]) for entry in facts["pools"]] == [3, 0]
    assert facts["complete"] is False
    assert facts["total"] is None


def test_no_pool_can_be_read() -> None:
    with Emulator(pools()) as emulator, pytest.raises(NoPoolReadableError) as raised:
        observe(emulator, "pool-nobodys", "pool-nowhere")
    result = raised.value.as_result()
    assert (result["status"], result["error_code"]) == (404, "ModelArts.50015001")
    assert result["request_id"]
    assert [entry["pool_name"] for entry in result["pools"]] == ["pool-nobodys", "pool-nowhere"]
