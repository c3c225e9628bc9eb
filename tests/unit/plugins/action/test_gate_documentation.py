# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says of the gate's options and results is what is read and returned, each key of them."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.poolgate.modelarts.plugins.module_utils import _facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.modules.modelarts_capacity_gate import DOCUMENTATION
from ansible_collections.poolgate.modelarts.plugins.plugin_utils import _outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision import verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.documented import Comparison, hints, returned_by

Facts = dict[str, t.Any]

ACTION = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_capacity_gate")
OPTIONS: Facts = yaml.safe_load(DOCUMENTATION)["options"]
REQUEST: Facts = OPTIONS["request"]["suboptions"]
POLICY: Facts = OPTIONS["policy"]["suboptions"]
NODES = {"resources": {"cpu": 1}}
ROLE = Path(_facts.__file__).parents[2] / "roles" / "capacity_gate"
TYPES = {**vars(_facts), **vars(verdict), **vars(_outcome)}


def refusal(read: t.Callable[[t.Any], object], given: object) -> str:
    with pytest.raises(InputError) as refused:
        read(given)
    return refused.value.message


def test_the_documented_options_are_those_that_are_taken() -> None:
    taken = {name: option.get("required", False) for name, option in ACTION.ActionModule.own_options.items()}
    assert {name: option.get("required", False) for name, option in OPTIONS.items()} == taken
    defaults = (OPTIONS["wait_timeout"]["default"], OPTIONS["poll_interval"]["default"])
    assert defaults == (ACTION._WAIT_TIMEOUT, ACTION._POLL_INTERVAL)


@pytest.mark.parametrize(
    ("documented", "read", "holding"),
    [
        (REQUEST, read_request, lambda key: {**NODES, **key}),
        (REQUEST["groups"]["suboptions"], read_request, lambda key: {"groups": [{**NODES, **key}]}),
        (REQUEST["replaces"]["suboptions"], read_request, lambda key: {**NODES, "replaces": key}),
        (POLICY, read_policy, lambda key: key),
    ],
    ids=["request", "groups", "replaces", "policy"],
)
def test_the_documented_keys_are_those_that_are_known(
    documented: Facts, read: t.Callable[[t.Any], object], holding: t.Callable[[Facts], Facts]
) -> None:
    message = refusal(read, holding({"0": 1}))
    known = message.removesuffix(".").partition(": it knows ")[2].split(", ")
    assert sorted(known) == sorted(documented)


@pytest.mark.parametrize("key", sorted(key for key, option in POLICY.items() if "choices" in option))
def test_the_documented_choices_are_those_that_are_taken(key: str) -> None:
    message = refusal(read_policy, {key: "another"})
    assert message.endswith(f", but must be one of {', '.join(POLICY[key]['choices'])}.")


def test_the_documented_defaults_are_those_that_are_read() -> None:
    documented = {key: option.get("default") for key, option in POLICY.items()}
    read = Policy()
    assert documented.pop("headroom") is None
    assert (read.headroom, read.headroom_of_all) == ({}, None)
    assert documented.pop("card_groups") is None
    assert read.card_groups.by_flavor == ()
    assert documented == {key: getattr(read, key) for key in documented}
    assert REQUEST["replicas"]["default"] == read_request(NODES).groups[0].replicas
    assert REQUEST["groups"]["suboptions"]["replicas"]["default"] == read_request({"groups": [NODES]}).replicas


def test_what_is_required_is_asked_for() -> None:
    required = [key for key, option in REQUEST["replaces"]["suboptions"].items() if option.get("required")]
    assert required == ["job_uuid"]
    assert "must have job_uuid" in refusal(read_request, {**NODES, "replaces": {"replicas": 1}})


def test_the_documented_results_are_those_that_are_returned() -> None:
    documented = returned_by("modelarts_capacity_gate")
    gate = Comparison("modelarts_capacity_gate", TYPES)
    assert gate.differences(documented, _outcome.OutcomeFacts) == ["changed is not documented"]
    # Ansible's own are documented nowhere.
    assert hints(_outcome.RefusalFacts, TYPES).keys() - documented.keys() == {"failed", "changed", "msg"}


def test_the_fact_of_the_role_has_what_decides_of_the_result() -> None:
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    kept = set(variables["__capacity_gate_keys"])
    assert set(hints(_outcome.OutcomeFacts, TYPES)) - kept == {"changed", "artifact", "report", "summary"}
    assert kept - set(variables["__capacity_gate_undecided"]) == {"claim"}
    page = (ROLE / "README.md").read_text(encoding="utf-8")
    assert [key for key in kept if f"`{key}`" not in page and f"capacity_gate_result.{key}`" not in page] == []
