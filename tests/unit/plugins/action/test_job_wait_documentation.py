# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says of the options and results of modelarts_job_wait is what the action has."""

from __future__ import annotations

import importlib
import typing as t

import yaml
from ansible_collections.poolgate.modelarts.plugins.modules.modelarts_job_wait import DOCUMENTATION
from ansible_collections.poolgate.modelarts.plugins.plugin_utils import _watch
from ansible_collections.poolgate.modelarts.tests.unit.documented import Comparison, hints, returned_by, wrong

ACTION = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_job_wait")
OPTIONS: dict[str, t.Any] = yaml.safe_load(DOCUMENTATION)["options"]


def test_the_documented_options_are_those_that_are_taken() -> None:
    taken = {name: option.get("required", False) for name, option in ACTION.ActionModule.own_options.items()}
    assert {name: option.get("required", False) for name, option in OPTIONS.items()} == taken
    defaults = (OPTIONS["wait_timeout"]["default"], OPTIONS["poll_interval"]["default"])
    assert defaults == (ACTION._WAIT_TIMEOUT, ACTION._POLL_INTERVAL)


def test_the_documented_results_are_those_that_are_returned() -> None:
    job_wait = Comparison("modelarts_job_wait", vars(_watch))
    assert job_wait.differences(returned_by("modelarts_job_wait"), _watch.WatchedFacts) == []
    returned = _watch.JobWatch("pool-a", "llm").result(0)
    assert wrong(returned, _watch.WatchedFacts, vars(_watch), "result") == []
    # Ansible's own are documented nowhere.
    more = hints(ACTION.JobWaitFailure, vars(ACTION)).keys() - hints(_watch.WatchedFacts, vars(_watch)).keys()
    assert more == {"changed", "failed", "msg"}
