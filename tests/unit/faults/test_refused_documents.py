# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate that waits ends when the credentials are refused, for one document of one pool as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from .plan import pool, pool_id
from .surfaces import Facts, Play

POOLS = [pool_id(number, "refused") for number in range(3)]


@pytest.mark.parametrize("document", ["/nodes", "/metrics/"])
def test_a_waiting_gate_repeats_no_refusal_of_one_document(document: str, tmp_path: Path) -> None:
    """Each attempt sent it anew, and more than five refusals in a row lock a key."""
    fault = {"do": "status", "status": 401, "times": 0, "path": document}
    fault["body"] = {"error_code": "APIG.0301", "error_msg": "Incorrect IAM authentication information."}
    with Emulator({"pools": [pool(one) for one in POOLS]}, faults=[fault]) as emulator:
        mine = emulator.credentials
        gate: Facts = {
            "poolgate.modelarts.modelarts_capacity_gate": {
                "pools": POOLS,
                "request": {"replicas": 2, "resources": {"nvidia.com/gpu": 8}},
                "wait_timeout": 60,
                "poll_interval": 0.2,
                "endpoint": emulator.endpoint,
                "project_id": mine.project_id,
                "access_key": mine.access_key,
                "secret_key": mine.secret_key,
                "connections": 1,
            }
        }
        play = Play(tmp_path / "home", [gate], {"h": {}})
        assert play.wait() == 2, play.output
        assert "returned 401 (APIG.0301" in " ".join(play.output.split())
        assert sum(seen["status"] == 401 for seen in emulator.requests) == 1
