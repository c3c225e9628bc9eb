# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look of the gate: how old its facts are when it decides, and where its lines go."""

from __future__ import annotations

import importlib
import json
import typing as t
from unittest import mock

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, node, observed

GATE = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_capacity_gate")
REQUEST = {"resources": {GPU: 1}}


def look(monkeypatch: pytest.MonkeyPatch, seconds: float) -> dict[str, t.Any]:
    """Return the outcome of a gate whose one look takes so many seconds, by a clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(GATE.time, "monotonic", lambda: now[0])

    def observe(candidates: list[t.Any], left: float | None) -> list[dict[str, t.Any]]:
        now[0] += seconds
        return [observed([node({GPU: "8"})])]

    gate = GATE._Gate([GATE.Candidate("pool-a", read_request(REQUEST))], read_policy(None), None, 0.0, 1.0)
    return t.cast("dict[str, t.Any]", gate.wait(observe, lambda lines: None))


@pytest.mark.parametrize("seconds", [0, 7, 299])
def test_the_page_says_how_old_the_facts_are(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    outcome = look(monkeypatch, seconds + 0.5)
    assert outcome["decision"] == "admit"
    assert outcome["pools"][0]["age_seconds"] == seconds
    assert outcome["report"][0].endswith(f", {seconds} s ago)" if seconds < 120 else ", 4 min ago)")


def test_a_look_that_took_too_long_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = look(monkeypatch, 301)
    assert outcome["decision"] == "unknown"
    assert outcome["reasons"] == ["age: the facts are 5 min old, limit 5 min"]


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
    monkeypatch.setattr(GATE, "display", display)
    monkeypatch.setattr(GATE.constants, "config", mock.Mock(get_config_value=lambda name: callback))
    action = mock.Mock(_task=mock.Mock(no_log=False))
    GATE.ActionModule._say(action, ["ADMIT pool-a: it fits now", "  placement       1 of 1 replica"])
    display.display.assert_called_once_with(
        "ADMIT pool-a: it fits now\n  placement       1 of 1 replica", stderr=stderr
    )


@pytest.mark.parametrize("name", ["{{ lookup('pipe', 'id') }}", "{% raw %}", "\x1b[31m", "x" * 100_000])
def test_an_artifact_holds_no_name_that_a_template_could_be_made_of(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whole nodes are asked for, so the keys of a node's resources become names of checks."""
    pools = [observed([node({GPU: "8", name: "1"}, flavor="f")])]
    gate = GATE._Gate([GATE.Candidate("pool-a", read_request({"flavor": "f"}))], read_policy(None), None, 0.0, 1.0)
    outcome = gate.wait(lambda candidates, left: pools, lambda lines: None)
    assert any(check["name"] != "placement" for check in outcome["checks"])
    text = json.dumps(outcome["artifact"])
    assert not set("{}%\x1b'") & set("".join(_texts(outcome["artifact"])))
    assert len(text) < 10_000


@pytest.mark.parametrize(
    "refused",
    [
        {"failed": True, "msg": "GET /pools was answered 401.", "status": 401},
        {
            "pools": [
                {
                    "pool_name": "p",
                    "errors": [{"document": "nodes", "msg": "GET /pools was answered 401.", "status": 401}],
                }
            ]
        },
    ],
)
def test_the_items_of_a_loop_send_refused_credentials_once(
    monkeypatch: pytest.MonkeyPatch, refused: dict[str, t.Any]
) -> None:
    """Ansible goes on with a loop of which an item has failed, and more than five refusals in a row lock a key."""
    monkeypatch.setattr(GATE, "_refused", {})
    sent = []

    def item(pool: str, token: str, environment: str = "") -> None:
        action = mock.Mock(
            _ids={},
            _connection_options={"auth_token": token},
            _variables={},
            _task=mock.Mock(delegate_to=None),
            _compute_environment_string=lambda: environment,
            _execute_module=lambda **given: sent.append(pool) or refused,
        )
        action._login = lambda: GATE.ActionModule._login(action)
        with pytest.raises(GATE.ObservationError, match=r"GET /pools was answered 401\.") as raised:
            GATE.ActionModule._observe(action, [GATE.Candidate(pool, read_request(REQUEST))], None)
        assert raised.value.result["status"] == 401

    for number in range(7):
        item(f"pool-{number}", "one")
    item("pool-7", "another")
    item("pool-8", "one", "OS_REGION_NAME=eu-nl ")
    assert sent == ["pool-0", "pool-7", "pool-8"]


def _texts(value: t.Any) -> t.Iterator[str]:
    """All texts in a value, keys included."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)
