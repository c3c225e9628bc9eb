# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: arguments in, JSON out, and what went over the wire between."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import ENVIRONMENT
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import JOB_TYPES
from ansible_collections.poolgate.modelarts.plugins.modules import modelarts_pool_info, modelarts_workload_info
from ansible_collections.poolgate.modelarts.tests.unit.core import patch_module_args, shown
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

POOL = "pool-train-0123456789abcdef0123456789abcdef"
JOB = {"uid": "u", "jobName": "llm", "status": "Queue", "type": "train", "resourceRequirement": {"cpu": "1 Cores"}}
LIST = {"kind": "WorkloadList", "items": [JOB], "total": 1}
Start = t.Callable[..., ScriptedServer]
Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the module; its result, and under ``said`` all that is shown of what it printed."""
    for name in {name for names in ENVIRONMENT.values() for name in names} & os.environ.keys():
        monkeypatch.delenv(name)

    def run_module(
        url: str | None = None, main: t.Callable[[], None] = modelarts_workload_info.main, **arguments: t.Any
    ) -> dict[str, t.Any]:
        given = {"pool_name": POOL, "max_retries": 0, **arguments}
        if url is not None:
            given.update({"endpoint": url, "project_id": "p1", "auth_token": arguments.get("auth_token", "tok-SECRET")})
        with patch_module_args(given), pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        result: dict[str, t.Any] = json.loads(said.out)
        assert left.value.code == (1 if result.get("failed") else 0)
        return {**result, "said": shown(said.out + said.err)}

    return run_module


@pytest.mark.parametrize("pool_name", [POOL, [POOL], f"{POOL},{POOL}"])
def test_a_pool_as_text_and_as_a_list(script: Start, run: Run, pool_name: t.Any) -> None:
    server = script(Reply(body=LIST))
    result = run(server.url, pool_name=pool_name)
    assert [job["job_name"] for job in result["workloads"]] == ["llm"]
    assert result["changed"] is False
    assert {"total", "complete", "summary", "pools"} <= result.keys()
    assert [seen.path for seen in server.seen] == [f"/v2/p1/pools/{POOL}/workloads"]


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"type": "train,infer"}, "type=infer&type=train"),
        ({"type": ["notebook"], "status": "Queue"}, "status=Queue&type=notebook"),
        (
            {"sort": "create_time", "ascend": "yes", "offset": "3", "limit": "7"},
            "ascend=true&limit=7&offset=3&sort=create_time",
        ),
        ({"sort": "create_time", "ascend": False}, "ascend=false&sort=create_time"),
        ({}, ""),
    ],
)
def test_arguments_reach_the_wire(script: Start, run: Run, arguments: dict[str, t.Any], query: str) -> None:
    server = script(Reply(body=LIST))
    run(server.url, fetch_all=False, **arguments)
    assert [seen.query for seen in server.seen] == [query]


@pytest.mark.parametrize("check_mode", [True, False])
def test_check_mode_reads_all_the_same(script: Start, run: Run, check_mode: bool) -> None:
    server = script(Reply(body=LIST))
    result = run(server.url, _ansible_check_mode=check_mode)
    assert len(result["workloads"]) == len(server.seen) == 1


def test_an_error_of_the_api(script: Start, run: Run) -> None:
    error = {"error_code": "ModelArts.50015001", "error_msg": "pool not found"}
    server = script(Reply(404, error, {"X-Request-Id": "r-1"}), Reply(body={"kind": "PoolList", "items": []}))
    result = run(server.url)
    assert result["msg"].startswith(f"GET /pools/{POOL}/workloads returned 404 (ModelArts.50015001: pool not found).")
    assert (result["status"], result["error_code"], result["error_msg"], result["request_id"]) == (
        404, "ModelArts.50015001", "pool not found", "r-1",
    )  # fmt: skip
    assert "Traceback" not in result["said"]


@pytest.mark.parametrize(
    ("arguments", "msg"),
    [
        ({"limit": 501}, "limit is 501, but must be 0 to 500 (0 means 500)."),
        ({"limit": "501"}, "limit is 501, but must be 0 to 500 (0 means 500)."),
        ({"limit": "many"}, "argument 'limit' is of type "),
        ({"status": ["Waiting"]}, "value of status must be one or more of: Queue, Pending, "),
        (
            {"type": "training"},
            f"value of type must be one or more of: {', '.join(JOB_TYPES)}. Got no match for: training",
        ),
        ({"sort": "name"}, "value of sort must be one of: create_time, got: name"),
        ({"jobs": True}, "Unsupported parameters for"),
        ({"pool_name": []}, "pool_name names no pool: give the ID of at least one."),
        ({"pool_name": ["a/b"]}, "'a/b' is not a pool ID: give the metadata.name of a pool, "),
    ],
)
def test_arguments_that_cannot_be_used(script: Start, run: Run, arguments: dict[str, t.Any], msg: str) -> None:
    server = script(Reply(body=LIST))
    result = run(server.url, **arguments)
    assert result["failed"]
    assert result["msg"].startswith(msg)
    assert server.seen == []


def test_no_credentials_at_all(run: Run) -> None:
    result = run()
    assert result["msg"].startswith("No credentials: give auth_token, access_key with secret_key, ")


@pytest.mark.parametrize(
    "answer", [Reply(body=LIST), Reply(401, {"error_code": "X", "error_msg": "tok-SECRET is bad"})]
)
def test_no_secret_is_printed(script: Start, run: Run, monkeypatch: pytest.MonkeyPatch, answer: Reply) -> None:
    server = script(answer)
    assert "tok-SECRET" not in run(server.url)["said"]
    monkeypatch.setenv("OS_TOKEN", "env-SECRET")
    monkeypatch.setenv("MODELARTS_ENDPOINT", server.url)
    monkeypatch.setenv("OS_PROJECT_ID", "p1")
    server.answers[0] = Reply(
        answer.status, json.dumps(answer.body).replace("tok-SECRET", "env-SECRET").replace("llm", "env-SECRET")
    )
    assert "env-SECRET" not in run()["said"]
    assert [seen.headers["x-auth-token"] for seen in server.seen] == ["tok-SECRET", "env-SECRET"]


def test_a_list_that_cannot_be_read_whole_is_a_warning(script: Start, run: Run) -> None:
    server = script(Reply(body={**LIST, "total": 3}))
    result = run(server.url)
    assert result["complete"] is False
    assert f"{POOL}: The list of jobs is not complete: " in result["said"]


def test_the_time_limit(script: Start, run: Run) -> None:
    server = script(Reply(429, "{}", {"Retry-After": "30"}))
    result = run(server.url, time_limit=1.5, max_retries=9)
    assert (result["status"], len(server.seen)) == (429, 1)


def test_ages_are_told_by_the_clock_of_the_api(script: Start, run: Run) -> None:
    """Its Date, not this host's clock; and both modules do."""
    headers = {"Date": "Wed, 01 Jan 2020 00:00:10 GMT"}
    job = {**JOB, "createTime": 1577836800000}  # ten seconds before
    result = run(script(Reply(body={**LIST, "items": [job]}, headers=headers)).url)
    assert 10 <= result["summary"]["oldest_pending_seconds"] <= 70
    monitored = [{"kind": "Pool", "metadata": {"name": POOL}}, {"kind": "PoolMetricsList", "items": []}]
    monitored.append({"kind": "NodeList", "items": []})
    server = script(*(Reply(body=body, headers=headers) for body in monitored))
    result = run(server.url, main=modelarts_pool_info.main, connections=1)
    assert result["pools"][0]["observed_at"].startswith("2020-01-01T00:0")
