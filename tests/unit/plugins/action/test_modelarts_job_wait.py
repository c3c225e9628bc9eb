# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that waits for a job: what it is given, what it asks, and what it returns."""

from __future__ import annotations

import importlib
import typing as t
from datetime import datetime, timezone
from unittest import mock

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import followed as claims
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import ObservationError, Observer
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._watch import JOB_FIELDS
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock

Facts = dict[str, t.Any]

WAIT = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_job_wait")
JOB = {**dict.fromkeys(JOB_FIELDS), "job_name": "llm", "job_uuid": "u-1", "status": "Running", "pending_duration": 5}


def run(
    options: Facts, *results: Facts, role: str = "", check_mode: bool = False, remarks: list[str] | None = None
) -> tuple[Facts, list[Facts], list[str]]:
    """(the task's result, what it asked, what it displayed): its looks have these results, one after the other."""
    asked: list[Facts] = []
    said: list[str] = []
    answers = iter(results)

    def look(given: Facts) -> Facts:
        asked.append(given)
        return next(answers)

    action = mock.Mock(say=said.extend, observer=lambda options: Observer(look, "a login of its own"))
    action._task._role = mock.Mock(get_name=lambda: role) if role else None
    action._task.check_mode = check_mode
    action.remark = [].append if remarks is None else remarks.append
    action._claims_of_awaited_job = WAIT.ActionModule._claims_of_awaited_job.__get__(action)
    given = {"pool_name": "pool-a", "job": "llm", "wait_timeout": 0, "poll_interval": None, **options}
    return WAIT.ActionModule.act(action, given), asked, said


def refusal(options: Facts, role: str = "") -> str:
    with pytest.raises(InputError) as refused:
        run(options, role=role)
    return refused.value.message


def looked(*jobs: Facts, **of_pool: t.Any) -> Facts:
    return {"workloads": list(jobs), "complete": True, "pools": [{"pool_name": "pool-a", "errors": [], **of_pool}]}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ("2023-11-14T22:13:20Z", "completed"),
        (" 2023-11-14T22:13:21Z\n", "missing"),
        (datetime(2023, 11, 14, 22, 13, 21, tzinfo=timezone.utc), "missing"),
        ("", "completed"),
        (None, "completed"),
    ],
)
def test_a_job_of_an_earlier_run_is_not_the_one(given: object, state: str) -> None:
    over = {**JOB, "status": "Completed", "create_time": 1_700_000_000_000}
    options = {"created_after": given or None}
    assert run(options, looked(over))[0]["state"] == state


@pytest.mark.parametrize("given", ["yesterday", "2023-11-14", "2023-02-30T00:00:00Z", 5, ["x"]])
def test_what_is_no_time_is_refused(given: object) -> None:
    assert "must be a time like 2026-11-28T19:00:00Z." in refusal({"created_after": given})


def test_a_job_that_runs() -> None:
    message = "llm runs in pool-a, after 5 s in the queue."
    result, asked, said = run({}, looked(JOB))
    assert result == {
        **{"changed": False, "state": "running", "status": "Running", "pool": "pool-a", "job_uuid": "u-1"},
        **{"ahead": None, "message": message},
    }
    assert asked == [{"pool_name": ["pool-a"], "fields": list(JOB_FIELDS), "time_limit": None}]
    assert said == [message]


@pytest.mark.parametrize(("seconds", "limit"), [(0, None), (5, 60.0), (600, 600.0)])
def test_a_look_may_end_after_the_deadline(seconds: float, limit: float | None) -> None:
    """What it tells is the result: with what is left of a short wait, a slow API would tell nothing."""
    _result, asked, _said = run({"wait_timeout": seconds}, looked(JOB))
    assert asked[0]["time_limit"] == (None if limit is None else pytest.approx(limit, abs=1))


def test_a_job_that_waits_fails_the_task_and_its_place_is_read_once() -> None:
    queued = [{"type": "train", "job_name": "first", "name": None, "job_uuid": "u-0"}, {"job_uuid": "u-1"}]
    result, asked, said = run({}, looked({**JOB, "status": "Queue"}), looked(queued=queued))
    assert result["failed"] is True
    assert (result["state"], result["ahead"]) == ("waiting", 1)
    assert result["msg"] == result["message"]
    assert result["message"].endswith("it still waits in pool-a (Queue), 1 ahead of it, first train first.")
    assert [options.get("include_capacity", False) for options in asked] == [False, True]
    assert said == []


@pytest.mark.parametrize(
    ("timeout", "took", "left"), [(5, 0, 60), (5, 25, 35), (0, 25, 35), (5, 59.5, None), (0, 90, None)]
)
def test_the_last_look_and_the_place_share_a_minute(
    monkeypatch: pytest.MonkeyPatch, timeout: float, took: float, left: float | None
) -> None:
    """So that a server that does not answer for the nodes has the task end a minute after its time, and not two."""
    clock = Clock()
    monkeypatch.setattr(WAIT, "REAL_TIME", clock.time)

    asked: list[Facts] = []

    def look(given: Facts) -> Facts:
        asked.append(given)
        if "include_capacity" in given:
            return looked(queued=[{"job_uuid": "u-1"}])
        clock.time.sleep(took)
        return looked({**JOB, "status": "Queue"})

    action = mock.Mock(observer=lambda options: Observer(look, "a login of its own"))
    action._task._role = None
    given = {"pool_name": "pool-a", "job": "llm", "wait_timeout": timeout, "poll_interval": 100}
    result = WAIT.ActionModule.act(action, given)
    places = [one["time_limit"] for one in asked if "include_capacity" in one]
    assert places == ([] if left is None else [left])
    assert ("nothing is ahead of it" in result["message"]) == (left is not None)


def test_a_place_that_cannot_be_read_is_not_known() -> None:
    for failed in ({"failed": True, "msg": "GET /pools returned 503."}, looked(queued=None)):
        result, _asked, _said = run({}, looked({**JOB, "status": "Queue"}), failed)
        assert result["state"] == "waiting"
        assert result["message"].endswith("its place in the queue is not known.")


def test_what_is_wrong_with_the_connection_is_no_state() -> None:
    with pytest.raises(ObservationError, match="returned 403"):
        run({}, {"failed": True, "msg": "GET /pools returned 403.", "status": 403})


@pytest.mark.parametrize(
    ("options", "alone", "in_the_role"),
    [
        ({"pool_name": None},
         "There is no pool to watch. Set pool_name.",
         "There is no pool to watch. Run the gate first, or set capacity_gate_watch_pool."),
        ({"job": None},
         "There is no job to watch: set job.",
         "There is no job to watch: set capacity_gate_watch_job."),
        ({"wait_timeout": "soon"},
         "wait_timeout is soon, but must be a number of seconds, 0 or more.",
         "capacity_gate_watch_timeout is soon, but must be a number of seconds, 0 or more."),
        ({"poll_interval": -1},
         "poll_interval is -1, but must be a number of seconds, 0 or more.",
         "capacity_gate_watch_interval is -1, but must be a number of seconds, 0 or more."),
        ({"job": True},
         "job is True, but must be one name, in quotes where YAML reads something else.",
         "capacity_gate_watch_job is True, but must be one name, in quotes where YAML reads something else."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_the_names_that_were_used(options: Facts, alone: str, in_the_role: str) -> None:
    assert refusal(options) == alone
    assert refusal(options, role="somebody.elses.role") == alone
    assert refusal(options, role="poolgate.modelarts.capacity_gate") == in_the_role


@pytest.mark.parametrize("option", ["pool_name", "job", "wait_timeout", "poll_interval"])
def test_a_number_without_end_is_refused_in_a_sentence(option: str) -> None:
    assert refusal({option: 16**5000}).startswith(f"{option} is a value that is too long to be shown, but must be ")


@pytest.mark.parametrize("name", ["\u200b4711\u00a0", 4711])
def test_a_name_in_every_form(name: t.Any) -> None:
    result, asked, _said = run({"pool_name": name, "job": name}, looked({**JOB, "job_name": "4711"}))
    assert (result["state"], asked[0]["pool_name"]) == ("running", ["4711"])


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What is done with the claims of a run, which are for the job llm."""
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr(claims, "ending_store_of_task", lambda url, _remark: url)

    def end(_store: object, own: object, name: str, job_id: str, _look: object) -> bool:
        done.append(("end", own, name, job_id))
        return name == "llm"

    monkeypatch.setattr(claims, "renew_claims_for_job", lambda _store, own, name: done.append(("renew", own, name)))
    monkeypatch.setattr(claims, "end_claim_by_job", end)
    return done


CLAIMS = {"store": "sqlite:////c.db", "claims": [{"id": "a", "nonce": "n", "job": "llm"}, {"id": "b"}]}
OWN = [("a", "n"), ("b", "")]


def test_the_claims_of_a_run_are_renewed_and_ended_for_the_name_of_the_job(
    followed: list[tuple[object, ...]],
) -> None:
    run(CLAIMS, looked(JOB))
    assert followed == [("renew", OWN, "llm"), ("end", OWN, "llm", "u-1")]
    followed.clear()
    run(CLAIMS, looked({**JOB, "status": "Queue"}), looked(queued=None))
    assert followed == [("renew", OWN, "llm")], "a job that waits ends no claim"


def test_a_job_that_is_given_by_its_id_tells_its_name(
    followed: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WAIT, "REAL_TIME", Clock().time)
    waits = {**JOB, "status": "Queue"}
    asked = {**CLAIMS, "job": "u-1", "wait_timeout": 600}
    run(asked, looked(waits), looked(waits), looked(JOB))
    assert followed == [("renew", OWN, "u-1"), ("renew", OWN, "llm"), ("end", OWN, "llm", "u-1")]


def test_a_job_that_nothing_was_claimed_for_is_told(followed: list[tuple[object, ...]]) -> None:
    remarks: list[str] = []
    run({**CLAIMS, "job": "asr"}, looked({**JOB, "job_name": "asr"}), remarks=remarks)
    assert followed == [("renew", OWN, "asr"), ("end", OWN, "asr", "u-1")]
    assert remarks == ["The claims of this run are not for a job asr, and stay as they are."]


@pytest.mark.parametrize("more", [{"claims": []}, {"claims": None}, {"store": None}])
def test_without_a_store_or_a_claim_nothing_is_asked(
    followed: list[tuple[object, ...]], more: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELARTS_CLAIM_STORE", raising=False)
    run({**CLAIMS, **more}, looked(JOB))
    run(CLAIMS, looked(JOB), check_mode=True)
    assert followed == []


def test_what_is_no_list_of_claims_is_refused() -> None:
    assert refusal({**CLAIMS, "claims": "a"}).startswith("claims has 'a', but must be a list of claims")
