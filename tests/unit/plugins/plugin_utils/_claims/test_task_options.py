# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options -> the store. Without one, nothing of it is imported or opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import task_options
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.task_options import (
    gate_claims_of_task,
    store_of_task,
)
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock

WITHOUT_A_STORE = """
import importlib, sys, unittest.mock as mock
gate = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_capacity_gate")
wait = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_job_wait")
claim = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_claim")
action = mock.Mock(_variables={}, _task=mock.Mock(check_mode=False))
assert gate.ActionModule._gate_claims(action, None, None) is None
options = dict.fromkeys(("store", "id", "submitted", "seconds"))
assert claim.ActionModule.act(action, {**options, "state": "released"})["released"] == []
print([name for name in sys.modules if "_claims" in name or name in ("sqlite3", "psycopg", "psycopg2")])
"""


def test_without_a_store_nothing_is_imported() -> None:
    words, environment = [sys.executable, "-c", WITHOUT_A_STORE], {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_gate_opens_nothing_before_it_looks(tmp_path: Path) -> None:
    said: list[str] = []
    claims = gate_claims_of_task(f"sqlite:///{tmp_path}/c.db", "llm", "localhost", {}, Clock().time, False, said.append)
    assert not list(tmp_path.iterdir())
    assert claims.begin() == ["llm"]
    assert said == []


def test_a_mistake_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no job"):
        gate_claims_of_task(f"sqlite:///{tmp_path}/c.db", {}, "localhost", {}, Clock().time, False, print)
    with pytest.raises(InputError, match="must be a URL like"):
        store_of_task("c.db", print)


def test_what_is_odd_with_a_place_is_remarked_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    location = task_options.read_location(f"sqlite:///{tmp_path}/c.db")
    monkeypatch.setattr(
        task_options, "read_location", lambda _url: type(location)("sqlite", "/c.db", "/c.db", remark="Odd.")
    )
    said: list[str] = []
    store_of_task("x", said.append)
    assert said == ["Odd."]
