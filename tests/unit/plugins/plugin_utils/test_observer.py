# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at pools: what a module that failed says, and that refused credentials are sent once."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import (
    _DETAILS,
    ObservationError,
    Observer,
    why_nothing_observed,
)


class Event(t.NamedTuple):
    msg: str
    formatted_traceback: str | None


class Captured(t.NamedTuple):
    event: Event


OLD = "It needs Python 3.9 or later there: set ansible_python_interpreter."
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n{}\n'
SUBSCRIPT = "TypeError: 'type' object is not subscriptable"
FUTURE = "SyntaxError: future feature annotations is not defined"
CRASHED = "modelarts_workload_info crashed on its host:"


@pytest.mark.parametrize(
    ("result", "said"),
    [
        # what the module itself says stays as it is
        ({"failed": True, "msg": "No credentials: give auth_token."}, "No credentials: give auth_token."),
        ({"msg": "It needs requests.", "exception": TRACEBACK.format("ImportError: x")}, "It needs requests."),
        # ansible-core 2.18 and older
        (
            {"msg": "MODULE FAILURE\nSee stdout", "module_stderr": TRACEBACK.format(SUBSCRIPT), "module_stdout": ""},
            f"{CRASHED} {SUBSCRIPT}. {OLD}",
        ),
        (
            {"msg": "MODULE FAILURE", "module_stderr": "sh: python9: not found\n", "module_stdout": "", "rc": 127},
            f"{CRASHED} sh: python9: not found.",
        ),
        # ansible-core 2.19 and newer
        (
            {"exception": Captured(Event("'type' object is not subscriptable", TRACEBACK.format(SUBSCRIPT)))},
            f"{CRASHED} {SUBSCRIPT}. {OLD}",
        ),
        (
            {"failed": True, "exception": Captured(Event("no room left", None))},
            f"{CRASHED} no room left.",
        ),
        (
            {
                "msg": "Module result deserialization failed: No start of json char found",
                "exception": "(traceback unavailable)",
                "module_stderr": f"    from __future__ import annotations\n{FUTURE}\n",
            },
            f"{CRASHED} {FUTURE}. {OLD}",
        ),
        ({"failed": True}, f"{CRASHED} it returned nothing."),
        ({"msg": None, "exception": "\x1b[31mKilled"}, f"{CRASHED} [31mKilled."),
    ],
)  # fmt: skip
def test_a_module_that_crashed_says_why(result: t.Any, said: str) -> None:
    assert why_nothing_observed(result) == said


def test_no_part_of_a_failure_commands_a_runner() -> None:
    """The host that asked may have returned anything, under every key."""
    hostile = "line\n##vso[task.setvariable variable=a]b\n::error::q\x1b[31m"
    told = ObservationError({"msg": hostile, **dict.fromkeys(_DETAILS, hostile), "error_code": [hostile]}).result
    for value in told.values():
        assert str(value).isprintable()
        assert "##vso[" not in str(value)
        assert "::" not in str(value)
    assert ObservationError({"msg": "x", "status": 403, "unreachable": True}).result["status"] == 403


REFUSED = {"msg": "GET /pools returned 401.", "status": 401}


@pytest.mark.parametrize(
    "refused",
    [{"failed": True, **REFUSED}, {"pools": [{"pool_name": "p", "errors": [{"document": "nodes", **REFUSED}]}]}],
    ids=["of the call", "of one document"],
)
def test_the_items_of_a_loop_send_refused_credentials_once(
    monkeypatch: pytest.MonkeyPatch, refused: dict[str, t.Any]
) -> None:
    """Ansible goes on with a loop of which an item has failed, and more than five refusals in a row lock a key."""
    monkeypatch.setattr(Observer, "_refused", {})
    sent: list[str] = []

    def item(pool: str, login: str) -> None:
        def run(options: dict[str, t.Any]) -> dict[str, t.Any]:
            sent.append(options["pool_name"])
            return refused

        with pytest.raises(ObservationError, match=r"GET /pools returned 401\.") as raised:
            Observer(run, login).look({"pool_name": pool})
        assert raised.value.result["status"] == 401
        assert raised.value.is_refusal

    for number in range(7):
        item(f"pool-{number}", "one")
    item("pool-7", "another")
    assert sent == ["pool-0", "pool-7"]


@pytest.mark.parametrize("transient", [True, False])
def test_a_failure_that_passes_is_told_from_one_that_lasts(transient: bool) -> None:
    told = {"msg": "GET /pools returned 503.", "status": 503}
    with pytest.raises(ObservationError) as raised:
        Observer(lambda options: {"failed": True, "transient": transient, **told}, "a login").look({})
    assert raised.value.transient is transient
    assert not raised.value.is_refusal
    assert raised.value.result == told


@pytest.mark.parametrize(
    ("seconds", "start"), [(2.0, 3.0), (5, 0.0), (9.0, 0.0), (-1e9, 5.0), (None, 0.0), ("2", 0.0), (float("nan"), 0.0)]
)
def test_what_a_start_took_is_within_the_look(seconds: object, start: float) -> None:
    """What the module says comes from its host."""
    ticks = iter((10.0, 15.0))
    observer = Observer(lambda options: {"pools": [], "seconds": seconds}, "another login", lambda: next(ticks))
    observer.look({})
    assert observer.start == start


FOUND = {
    **{"job_uuid": "u", "uid": "u", "job_name": "a", "type": None, "status": "Running", "host_ips": []},
    "resources": {},
}


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("nodes", 5),
        ("nodes", [5]),
        ("queued", {}),
        ("held", 5),
        ("pool", []),
        ("errors", [None]),
        ("pool_name", ["p"]),
        ("found", "x"),
        ("found", [5]),
        ("found", [{}]),
        *[("found", [{**FOUND, name: ["x"]}]) for name in ("job_uuid", "uid", "job_name", "type", "status")],
        ("found", [{**FOUND, "type": 5}]),
        ("found", [{**FOUND, "host_ips": None}]),
        ("found", [{**FOUND, "resources": None}]),
    ],
)
def test_what_another_host_returns_in_another_form_is_told(part: str, value: object) -> None:
    """It ended in a traceback."""
    answers: list[t.Any] = [{"pools": [{"pool_name": "p", part: value}]}, {"pools": [{"pool_name": "p"}]}]
    observer = Observer(lambda options: answers.pop(0), "a login of its own")
    with pytest.raises(ObservationError, match=f"returned {part} in an unexpected form"):
        observer.look({})
    assert observer.look({}) == {"pools": [{"pool_name": "p"}]}


@pytest.mark.parametrize("pools", [5, {}, [5]])
def test_pools_of_another_form_are_told(pools: object) -> None:
    with pytest.raises(ObservationError, match="returned pools in an unexpected form"):
        Observer(lambda options: {"pools": pools}, "a login of its own").look({})


def test_jobs_that_were_found_are_of_their_form() -> None:
    answer = {"pools": [{"pool_name": "p", "found": [FOUND], "nodes": None, "pool": None}]}
    assert Observer(lambda options: answer, "a login of its own").look({}) == answer
