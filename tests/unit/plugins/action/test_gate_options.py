# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate is given: read before anything is asked, or refused in one sentence. And what a crash says."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_request

GATE = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_capacity_gate")
REQUEST = {"resources": {"nvidia.com/gpu": 8}}
OTHER = {"resources": {"huawei.com/ascend-snt9": 8}}


def refusal(call: t.Callable[..., object], *arguments: object) -> str:
    with pytest.raises(InputError) as refused:
        call(*arguments)
    assert refused.value.message.isprintable()
    return refused.value.message


@pytest.mark.parametrize(
    ("pools", "names"),
    [
        ("['train']", ["train"]),
        ('["train", "infer"]', ["train", "infer"]),
        ("train, infer", ["train", "infer"]),
        ([["train"], "infer\nports"], ["train", "infer", "ports"]),
        ([2024], ["2024"]),
        (["\u200btrain\ufeff"], ["train"]),
        ([{"pool": 2024}], ["2024"]),
        ([{"pool": "train\ninfer", "request": None}], ["train", "infer"]),
        ([{"pool": "train", "request": ""}], ["train"]),
    ],
)
def test_candidates_in_every_form(pools: t.Any, names: list[str]) -> None:
    candidates = GATE.read_candidates(pools, REQUEST)
    assert [candidate.pool for candidate in candidates] == names
    assert all(candidate.request == read_request(REQUEST) for candidate in candidates)


@pytest.mark.parametrize("own", [OTHER, str(OTHER), '{"resources": {"huawei.com/ascend-1980": "8"}}'])
def test_a_candidate_with_a_request_of_its_own(own: t.Any) -> None:
    first, second = GATE.read_candidates(["train", {"pool": "npu", "request": own}], REQUEST)
    assert (first.request, second.request) == (read_request(REQUEST), read_request(OTHER))
    (alone,) = GATE.read_candidates([{"pool": "npu", "request": own}], None)
    assert alone.request == read_request(OTHER)


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ([False], "pools has False"),
        ([{"pool": True}], "pools has True"),
        ([1.1], "quote it"),
        ([{"pool": ["a"]}], "names no pool"),
        ([{"pools": "a"}], "has the key 'pools'"),
        ([{}], "names no pool"),
        (["train", "train\u200b"], "names a pool twice"),
        ([["train"], "train"], "names a pool twice"),
        ([None], "pools names no pool"),
        ("", "pools names no pool"),
        (None, "pools names no pool"),
        ("[train]", "pools is '[train]', which is no list"),
    ],
)
def test_candidates_that_cannot_be_meant(pools: t.Any, words: str) -> None:
    assert words in refusal(GATE.read_candidates, pools, REQUEST)


def test_a_request_is_needed() -> None:
    assert "request is missing" in refusal(GATE.read_candidates, ["train"], None)
    assert "request is missing" in refusal(GATE.read_candidates, ["train", {"pool": "a", "request": OTHER}], {})


@pytest.mark.parametrize("nothing", [None, "", " ", "\u200b\n"])
def test_what_was_left_blank_is_not_given(nothing: t.Any) -> None:
    assert GATE.is_blank(nothing)
    assert GATE.read_seconds("poll_interval", nothing, 30.0) == 30.0
    assert not GATE.read_on_refusal(None if GATE.is_blank(nothing) else nothing)
    assert GATE.read_dictionary("policy", nothing) is None


def test_zero_is_given() -> None:
    assert not GATE.is_blank(0)
    assert GATE.read_seconds("poll_interval", "0\u00a0", 30.0) == 0.0
    assert GATE.read_seconds("poll_interval", 0, 30.0) == 0.0


def test_what_to_do_when_it_is_refused() -> None:
    assert GATE.read_on_refusal(" continue\n")
    assert not GATE.read_on_refusal("fail")
    for other in ("warn", False, 0, ["fail"]):
        assert "must be one of: fail, continue, got: " in refusal(GATE.read_on_refusal, other)


def test_the_directory_of_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REPORTS", str(tmp_path))
    assert GATE.read_directory(None) is None
    assert GATE.read_directory("$REPORTS/a") == str(tmp_path / "a")
    for other in (["report"], {"path": "report"}, 5, True):
        assert "report_dir is " in refusal(GATE.read_directory, other)


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
    assert GATE.why_nothing(result) == said
