# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate's task is told to do, read before anything is asked; and what each of its looks asks."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import Candidate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import Observer
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_request
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock
from ansible_collections.poolgate.modelarts.tests.unit.core import trust_as_template

GATE = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_capacity_gate")


def refusal(call: t.Callable[..., object], *arguments: object) -> str:
    with pytest.raises(InputError) as refused:
        call(*arguments)
    assert refused.value.message.isprintable()
    return refused.value.message


def test_what_to_do_when_it_is_refused() -> None:
    assert GATE.read_gate_on_refusal(" continue\n")
    assert not GATE.read_gate_on_refusal("fail")
    for other in ("warn", False, 0, ["fail"]):
        assert "must be one of: fail, continue, got: " in refusal(GATE.read_gate_on_refusal, other)


def test_the_directory_of_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REPORTS", str(tmp_path))
    assert GATE.read_gate_report_directory(None) is None
    assert GATE.read_gate_report_directory("$REPORTS/a") == str(tmp_path / "a")
    for other in (["report"], {"path": "report"}, 5, True):
        assert "report_dir is " in refusal(GATE.read_gate_report_directory, other)
    monkeypatch.delenv("NOT_SET", raising=False)
    for unknown in ("~nosuch-user/x", "$NOT_SET/x", "a/${NOT_SET}"):
        said = refusal(GATE.read_gate_report_directory, unknown)
        assert f"report_dir is {unknown!r}, which names a user or an environment variable" in said


@pytest.mark.parametrize("name", ["OS_TOKEN", "PGPASSWORD", "MODELARTS_CLAIM_STORE", "AWS_ACCESS_KEY_ID", "PROXY_URL"])
def test_no_directory_has_the_name_of_a_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "a-secret")
    for written in (f"/reports/${name}", f"/reports/${{{name}}}/x"):
        said = refusal(GATE.read_gate_report_directory, written)
        assert said.startswith(f"report_dir names the environment variable {name}, which may hold a secret")
        assert "a-secret" not in said


def test_a_display_name_is_looked_up_once() -> None:
    """The first look tells the ID of the pool, and the next ones ask for that."""
    asked: list[dict[str, t.Any]] = []

    def run(options: dict[str, t.Any]) -> dict[str, t.Any]:
        asked.append(options)
        return {"pools": [{"pool_name": f"pool-of-{name}" if name == "a" else name} for name in options["pool_name"]]}

    request = read_request({"resources": {"cpu": 1}, "replaces": {"job_uuid": "u"}})
    look = GATE.Look(Observer(run, "a login"), [Candidate("a", request), Candidate("b", request)])
    look(None)
    look(7.0)
    assert [options["pool_name"] for options in asked] == [["a", "b"], ["pool-of-a", "b"]]
    assert [options["time_limit"] for options in asked] == [None, 7.0]
    assert asked[0]["placement_of"] == ["u", "u"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({"report_dir of modelarts_capacity_gate": "{{ place }}"}, True),
        ({"capacity_gate_report_dir": "{{ place }}"}, True),
        ({"module_defaults of modelarts_capacity_gate": ["{{ place }}"]}, True),
        ({"MODELARTS_ENDPOINT in environment": "{{ place }}"}, False),
        ({"request of modelarts_capacity_gate": "{{ place }}", "capacity_gate_policy": "{{ place }}"}, False),
    ],
)
def test_an_earlier_report_is_removed_unless_a_fact_has_chosen_where(
    tmp_path: Path, written: dict[str, t.Any], kept: bool
) -> None:
    """Before anything of the task is refused: it would say that this gate has admitted."""
    report = tmp_path / "report.json"
    report.write_text("{}", encoding="utf-8")
    variables = {"ansible_facts": {"place": str(tmp_path)}, "place": str(tmp_path)}
    gate = mock.Mock(_task=mock.Mock(args={"report_dir": str(tmp_path)}, check_mode=False), _variables=variables)
    given = {name: trusted(value) for name, value in written.items()}
    if kept:
        assert "is made from place, which a host reports as a fact" in refusal(GATE.ActionModule.begin, gate, given)
    else:
        GATE.ActionModule.begin(gate, given)
    assert report.exists() is kept


def trusted(value: str | list[str]) -> str | list[str]:
    """Return the value as Ansible has read it from a file of the user."""
    return [trust_as_template(one) for one in value] if isinstance(value, list) else trust_as_template(value)


def test_in_check_mode_an_earlier_report_stays(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    task = mock.Mock(args={"report_dir": str(tmp_path)}, check_mode=True)
    GATE.ActionModule.begin(mock.Mock(_task=task, _variables={}), {})
    assert (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("starts", "limits"),
    [
        ([0.0, 0.0, 0.0], [20.0, 18.0, 16.0]),
        ([4.0, 1.0, 0.0], [20.0, 10.0, 10.0]),  # what is left, without the start of the look before
        ([19.0, 0.0, 0.0], [20.0, 0.0, 0.0]),
    ],
)
def test_the_limit_leaves_out_what_the_last_start_took(starts: list[float], limits: list[float]) -> None:
    """The module counts from its start on the host, and the wait from its own."""
    clock, asked = Clock(), list[float]()

    def run(options: dict[str, t.Any]) -> dict[str, t.Any]:
        clock.now += 2.0 + starts[len(asked)]
        asked.append(options["time_limit"])
        return {"pools": [{"pool_name": "a"}], "seconds": 2.0}

    request = read_request({"resources": {"cpu": 1}})
    look = GATE.Look(Observer(run, "a login", clock.time.clock), [Candidate("a", request)])
    for _each in starts:
        look(max(0.0, 20.0 - clock.now))
    assert asked == limits
