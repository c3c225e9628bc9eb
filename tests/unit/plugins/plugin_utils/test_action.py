# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions have in common: where their lines go, and what decides the credentials of a look."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS, ENVIRONMENT
from ansible_collections.poolgate.modelarts.plugins.plugin_utils import _action
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._action import ObservingAction
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import ObservationError, Observer

PLUGINS = Path(_action.__file__).parents[1]
TAKEN_BY_LIBRARIES = (
    "OS_CLIENT_CONFIG_FILE",
    "OS_CLIENT_SECURE_FILE",
    "OS_CLIENT_CONFIG_PATH",
    "OS_ENDPOINT_OVERRIDE",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "SNAP_REAL_HOME",
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
    "OPENSSL_CONF",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "HOSTALIASES",
)


@pytest.mark.parametrize("name", sorted(file.stem for file in (PLUGINS / "action").glob("*.py")))
def test_no_option_of_an_action_has_the_name_of_one_of_the_connection(name: str) -> None:
    """One would be taken for the other, like the seconds of a wait for those of an answer."""
    action = importlib.import_module(f"ansible_collections.poolgate.modelarts.plugins.action.{name}").ActionModule
    assert not action.own_options.keys() & CONNECTION_OPTIONS.keys()


@pytest.mark.parametrize(
    ("callback", "stderr"),
    [
        ("default", False),
        ("ansible.builtin.default", False),
        ("ansible.posix.json", True),
        ("ansible.posix.jsonl", True),
    ],
)
def test_lines_are_displayed_in_one_piece_and_leave_json_alone(
    monkeypatch: pytest.MonkeyPatch, callback: str, stderr: bool
) -> None:
    """One call is one message of a fork to the process that prints: no line of another host comes between."""
    display = mock.Mock()
    monkeypatch.setattr(_action, "display", display)
    monkeypatch.setattr(_action.constants, "config", mock.Mock(get_config_value=lambda name: callback))
    action = mock.Mock(_task=mock.Mock(no_log=False))
    ObservingAction.say(action, ["ADMIT pool-a: it fits now", "  placement       1 of 1 replica"])
    display.display.assert_called_once_with(
        "ADMIT pool-a: it fits now\n  placement       1 of 1 replica", stderr=stderr
    )


def test_a_task_without_log_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    display = mock.Mock()
    monkeypatch.setattr(_action, "display", display)
    ObservingAction.say(mock.Mock(_task=mock.Mock(no_log=True)), ["ADMIT pool-a: it fits now"])
    display.display.assert_not_called()


def test_the_environment_and_the_host_are_part_of_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that one host refuses may be another on the next, whose environment fills in the rest."""
    monkeypatch.setattr(Observer, "_refused", {})
    sent: list[str] = []

    def item(name: str, token: str = "one", environment: str = "", host: str | None = None) -> None:
        def run(**given: t.Any) -> dict[str, t.Any]:
            assert given["module_args"]["auth_token"] == token
            sent.append(name)
            return {"failed": True, "msg": "GET /pools returned 401.", "status": 401}

        action = mock.Mock(
            _variables={},
            _task=mock.Mock(delegate_to=host),
            _templar=mock.Mock(template=dict, available_variables={}),
            _compute_environment_string=lambda _given: environment,
            _execute_module=run,
        )
        options = {**dict.fromkeys(CONNECTION_OPTIONS), "auth_token": token}
        with pytest.raises(ObservationError):
            ObservingAction.observer(action, options).look({})

    item("first")
    item("the same")
    item("another token", token="two")
    item("another environment", environment="OS_REGION_NAME=eu-nl ")
    item("another host", host="bastion")
    assert sent == ["first", "another token", "another environment", "another host"]


def task_of(module_defaults: list[dict[str, t.Any]], **parts: t.Any) -> mock.Mock:
    """A task of the gate, in a play in which two groups of module_defaults have its action."""
    gate = "poolgate.modelarts.modelarts_capacity_gate"
    task = mock.Mock(**{"action": gate, "resolved_action": gate, "module_defaults": module_defaults, **parts})
    task._parent._play._action_groups = {gate: ["poolgate.modelarts.modelarts", "acme.tools.cloud"]}
    return task


@pytest.mark.parametrize(
    ("key", "is_taken"),
    [
        ("poolgate.modelarts.modelarts_capacity_gate", True),
        ("group/acme.tools.cloud", True),
        ("group/amazon.aws.aws", False),
        ("acme.tools.modelarts_capacity_gate", False),
    ],
)
@pytest.mark.parametrize("action", ["poolgate.modelarts.modelarts_capacity_gate", "acme.redirected.gate"])
def test_module_defaults_are_those_that_core_gives_to_the_task(action: str, key: str, is_taken: bool) -> None:
    """Another collection may redirect to the gate, and extend the group that it is in."""
    task = task_of([{key: {"endpoint": "{{ of_host }}"}}], action=action, get_ds=dict, _role=None)
    given = ObservingAction._option_as_written(mock.Mock(_task=task, _variables={}))
    assert next(iter(given.values())) == ([{"endpoint": "{{ of_host }}"}] if is_taken else [])


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ({"poolgate.modelarts.modelarts_capacity_gate": {"pools": 1, "request": 2}}, {"pools", "request"}),
        ({"modelarts_capacity_gate": {"pools": 1}, "args": {"request": 2}, "when": 3}, {"pools", "request"}),
        ({"action": {"module": "modelarts_capacity_gate", "pools": 1}}, {"module", "pools"}),
        ({"local_action": "modelarts_capacity_gate pools=1"}, {"the arguments"}),
        (None, set()),
    ],
)
def test_what_an_action_takes_is_told_by_its_names(written: t.Any, names: set[str]) -> None:
    """As it was written: what core has rendered does not tell what it was made from."""
    defaults = [{"group/poolgate.modelarts.modelarts": {"region": 4}, "other": {"region": 5}}]
    name = "modelarts_capacity_gate"
    task = task_of(defaults, get_ds=lambda: written, _role=None)
    variables = {"capacity_gate_request": 6, "modelarts_region": 7}
    given = ObservingAction._option_as_written(mock.Mock(_task=task, _variables=variables))
    assert given.keys() == {f"module_defaults of {name}", "delegate_to", *(f"{one} of {name}" for one in names)}
    assert given[f"module_defaults of {name}"] == [{"region": 4}]
    levels = [{"MODELARTS_ENDPOINT": 8, "PATH": 9, "LANG": 9}, "{{ environment_of_ours }}"]
    with_environment = ObservingAction._option_as_written(mock.Mock(_task=task, _variables={"environment": levels}))
    in_environment = {"MODELARTS_ENDPOINT in environment": 8, "all in environment": "{{ environment_of_ours }}"}
    assert with_environment == {**given, **in_environment}
    of_reading = {name: 8 for names in ENVIRONMENT.values() for name in names} | dict.fromkeys(TAKEN_BY_LIBRARIES, 8)
    with_all = ObservingAction._option_as_written(mock.Mock(_task=task, _variables={"environment": [of_reading]}))
    assert with_all == {**given, **{f"{one} in environment": 8 for one in of_reading}}
    task._role = mock.Mock(get_name=lambda: "poolgate.modelarts.capacity_gate")
    in_the_role = ObservingAction._option_as_written(mock.Mock(_task=task, _variables=variables))
    assert in_the_role == {"capacity_gate_request": 6, **given}


@pytest.mark.parametrize("option", ["timeout", "connections", "auth_token"])
def test_a_number_without_end_is_refused_in_a_sentence(option: str) -> None:
    """Ansible makes a float of it before an action sees it, and ends with an error of Python's."""

    class Action(ObservingAction):
        own_options: t.ClassVar[dict[str, dict[str, t.Any]]] = {}

        def act(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
            return options

    task = task_of([], args={option: 16**5000}, get_ds=dict, async_val=0, check_mode=False, _role=None)
    action = Action(task, *(mock.MagicMock() for _argument in range(5)))
    result = action.run(task_vars={})
    assert result["failed"]
    assert result["msg"] == f"{option} is a number of more than 300 digits, which no option takes."


@pytest.mark.parametrize(
    ("status", "entry", "reads"),
    [
        ("Queue", {"complete": True, "found_complete": True}, True),
        ("Queue", {"complete": True, "found_complete": False}, False),
        ("Completed", {"complete": True, "found_complete": False}, True),
        ("Completed", {"complete": False, "found_complete": True}, False),
    ],
)
def test_a_look_for_a_job_that_may_have_missed_it_is_none(status: str, entry: dict[str, t.Any], reads: bool) -> None:
    """Those that are over are left out first: with one of them there, one that waits is there as well."""
    found = [{"status": status}]
    action = mock.Mock()
    action.observer.return_value.look_at_capacity.return_value = [{**entry, "found": found}]
    assert ObservingAction.job_look(action, {})("pool", ["train"]) == (
        (found, entry["found_complete"]) if reads else None
    )
    assert action.remark.called is not reads


@pytest.mark.parametrize("answer", [{"pools": [], "changed": False}, None])
def test_a_look_is_taken_here_where_that_can_be(
    answer: dict[str, t.Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a task that is delegated, it is the host that it is delegated to which tells."""
    look = mock.Mock(return_value=answer)
    plan = mock.Mock(return_value=look)
    monkeypatch.setattr(_action, "local_look_of_task", plan)
    action = mock.Mock(
        _variables={"ansible_delegated_vars": {"bastion": {"ansible_python_interpreter": "/bin/python"}}},
        _task=mock.Mock(delegate_to="bastion"),
        _templar=mock.Mock(template=dict, available_variables={}),
        _compute_environment_string=lambda given: given.update(OS_CLOUD="x") or "OS_CLOUD=x ",
        _execute_module=mock.Mock(return_value={"pools": [], "changed": False}),
    )
    action._variables_of_host = lambda: ObservingAction._variables_of_host(action)
    options = {**dict.fromkeys(CONNECTION_OPTIONS), "auth_token": "one"}
    assert ObservingAction.observer(action, options).look({"pool_name": []})["pools"] == []
    look.assert_called_once_with({"auth_token": "one", "pool_name": []})
    assert action._execute_module.call_count == (answer is None)
    _task, _connection, variables, _templar, environment, _folder = plan.call_args.args
    assert variables == {"ansible_python_interpreter": "/bin/python"}
    assert environment == {"OS_CLOUD": "x"}
