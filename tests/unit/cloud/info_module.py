# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""modelarts_workload_info in this process, and nothing of this machine in it."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import ENVIRONMENT
from ansible_collections.poolgate.modelarts.plugins.modules import modelarts_workload_info
from ansible_collections.poolgate.modelarts.tests.unit.core import patch_module_args

POOL = "pool-train-0123456789abcdef0123456789abcdef"
Facts = dict[str, t.Any]


def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no variable of the environment that is an option."""
    for name in {name for names in ENVIRONMENT.values() for name in names} & os.environ.keys():
        monkeypatch.delenv(name)


def run_with(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., Facts]:
    """Return what runs the module: its result, and under ``said`` everything that it printed.

    From 2.22 on, ansible-core takes secrets that it is to mask out of what a module prints, before anything is shown.
    """

    def run_module(url: str, **arguments: t.Any) -> Facts:
        given = {"pool_name": POOL, "max_retries": 0, "endpoint": url, "project_id": "p1", **arguments}
        with patch_module_args(given), pytest.raises(SystemExit):
            modelarts_workload_info.main()
        said = capsys.readouterr()
        result = json.loads(said.out)
        result.pop("_ansible_new_secrets", None)
        return {**result, "said": json.dumps(result) + said.err}

    return run_module
