# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: names in, pools out."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import ENVIRONMENT
from ansible_collections.poolgate.modelarts.plugins.modules import modelarts_pool_info
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import POOL_A, POOL_B, Emulator, pools
from ansible_collections.poolgate.modelarts.tests.unit.core import patch_module_args

Result = dict[str, t.Any]


def run(emulator: Emulator, capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> Result:
    mine = emulator.credentials
    given = {"endpoint": emulator.endpoint, "project_id": mine.project_id, "auth_token": mine.auth_token}
    with patch_module_args({**given, "max_retries": 0, **arguments}), pytest.raises(SystemExit):
        modelarts_pool_info.main()
    result: Result = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name for names in ENVIRONMENT.values() for name in names} & os.environ.keys():
        monkeypatch.delenv(name)


def test_all_pools_with_what_they_can_take(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator(pools()) as emulator:
        result = run(emulator, capsys)
    assert result["changed"] is False
    assert [pool["pool_name"] for pool in result["pools"]] == [POOL_A, POOL_B]
    assert [pool["capacity"]["nodes"] for pool in result["pools"]] == [2, 2]
    assert {node["jobs"] for pool in result["pools"] for node in pool["nodes"]} == {None}
    assert result["resolved"] == {}


def test_a_pool_by_its_display_name_and_without_its_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator(pools()) as emulator:
        result = run(emulator, capsys, pool_name="b", include_capacity=False)
        assert not [seen for seen in emulator.requests if seen["path"].endswith("/nodes")]
    assert [pool["pool_name"] for pool in result["pools"]] == [POOL_B]
    assert "nodes" not in result["pools"][0]
    assert result["resolved"] == {"b": POOL_B}


def test_a_name_that_no_pool_has_fails_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator(pools()) as emulator:
        result = run(emulator, capsys, pool_name="c")
    assert result["failed"] is True
    assert result["msg"].startswith("No pool has the ID or the display name c; the project has a, b.")
