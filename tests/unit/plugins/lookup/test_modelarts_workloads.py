# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup in a template: where its connection comes from, what it returns, and what it says when it fails."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError, AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.playbooks.emulator import scenario
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.doc_fragments import connection, workloads
from ansible_collections.poolgate.modelarts.plugins.lookup import modelarts_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import connection as _auth
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS, ENVIRONMENT
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WORKLOAD_OPTIONS
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._connection_options import config_level
from ansible_collections.poolgate.modelarts.tests.unit.core import VARIABLES, trust_as_template
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

NAME = "poolgate.modelarts.modelarts_workloads"
POOL = "pool-train-0123456789abcdef0123456789abcdef"
JOB = {"uid": "u", "jobName": "{{ 7 * 7 }}", "userName": "{% raw %}", "status": "Queue", "type": "train"}
LIST = {"kind": "WorkloadList", "items": [JOB], "total": 1}
Start = t.Callable[..., ScriptedServer]
Variables = dict[str, t.Any]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name for names in ENVIRONMENT.values() for name in names} & os.environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants.config, "_config_file", None)
    monkeypatch.setattr(modelarts_workloads, "_connections", {})


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(modelarts_workloads.display, "warning", said.append)
    return said


def run(*terms: t.Any, variables: Variables | None = None, **options: t.Any) -> t.Any:
    variables = {name: trusted(value) for name, value in (variables or {}).items()}
    templar = Templar(loader=DataLoader(), variables={**variables, **VARIABLES})
    lookup = modelarts_workloads.LookupModule(loader=None, templar=templar)
    return lookup.run(list(terms), variables=templar.available_variables, **options)


def trusted(value: t.Any) -> t.Any:
    return trust_as_template(value) if isinstance(value, str) else value


def at(server: ScriptedServer, **options: t.Any) -> dict[str, t.Any]:
    return {"endpoint": server.url, "project_id": "p1", "auth_token": "tok-SECRET", "max_retries": 0, **options}


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: str) -> None:
    path = folder / "ansible.cfg"
    path.write_text("\n".join(("[defaults]", "nocows = true", "[modelarts]", *lines)), encoding="utf-8")
    monkeypatch.setattr(constants.config, "_config_file", str(path))


# Where the connection comes from


def test_what_cannot_be_seen_at_the_ends_of_a_name_is_taken_off(script: Start) -> None:
    server = script(Reply(200, LIST))
    found = run(f"\u200b{POOL}\u00a0", f"{POOL}\ufeff", **at(server))
    assert [job["pool_name"] for job in found] == [POOL]
    assert [seen.path for seen in server.seen] == [f"/v2/p1/pools/{POOL}/workloads"]


@pytest.mark.parametrize(
    ("levels", "token"),
    [
        ({"option": "tok1", "variable": "tok2", "environment": "tok3", "file": "tok4"}, "tok1"),
        ({"variable": "tok2", "environment": "tok3", "file": "tok4"}, "tok2"),
        ({"environment": "tok3", "file": "tok4"}, "tok3"),
        ({"file": "tok4"}, "tok4"),
        ({"option": "", "variable": "tok2"}, "tok2"),
        ({"option": None, "variable": "", "environment": "tok3"}, "tok3"),
        ({"variable": "", "environment": "", "file": "tok4"}, "tok4"),
        ({"variable": "{{ omit }}", "file": "tok4"}, "tok4"),
        ({"variable": "{{ nobodys | default(omit) }}", "environment": "tok3"}, "tok3"),
        ({"variable": "{{ my_token }}", "environment": "tok3"}, "templated"),
        ({"variable": "{{ my_token | upper }}"}, "TEMPLATED"),
        ({"file": "'quoted'"}, "quoted"),
        ({"file": "tok4 ; a comment"}, "tok4"),
    ],
)
def test_the_levels(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, levels: dict[str, t.Any], token: str
) -> None:
    server = script(Reply(body=LIST))
    variables = {"my_token": "templated", "modelarts_endpoint": server.url, "modelarts_project_id": "p1"}
    options = {}
    for level, value in levels.items():
        if level == "option":
            options["auth_token"] = value
        elif level == "variable":
            variables["modelarts_auth_token"] = value
        elif level == "environment":
            monkeypatch.setenv("OS_AUTH_TOKEN", value)
        else:
            configured(monkeypatch, tmp_path, f"auth_token = {value}")
    run(POOL, variables=variables, **options)
    assert [seen.headers["x-auth-token"] for seen in server.seen] == [token]


@pytest.mark.parametrize("environment", [{}, {"MODELARTS_ENDPOINT": "", "OS_TOKEN": "", "MODELARTS_TIMEOUT": ""}])
def test_only_the_file(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
) -> None:
    """An environment variable that is empty hides nothing."""
    server = script(Reply(body=LIST))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configured(
        monkeypatch,
        tmp_path,
        f"endpoint = {server.url}",
        "project_id=p2",
        "auth_token=tok1",
        "timeout = 7",
        "other = 1",
    )
    run(POOL)
    assert [seen.path for seen in server.seen] == [f"/v2/p2/pools/{POOL}/workloads"]


def test_a_path_in_the_file_is_relative_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("", encoding="utf-8")
    configured(monkeypatch, tmp_path, "ca_path = ca.pem")
    assert config_level(str(tmp_path / "ansible.cfg")) == {"ca_path": str(tmp_path / "ca.pem")}


def test_no_file_and_a_file_without_the_section(tmp_path: Path) -> None:
    assert config_level(None) == {}
    (tmp_path / "ansible.cfg").write_text("[defaults]\nforks = 3\n", encoding="utf-8")
    assert config_level(str(tmp_path / "ansible.cfg")) == {}


def test_a_key_without_a_value_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configured(monkeypatch, tmp_path, "ca_path =", "region =", "timeout = 3")
    assert config_level(str(tmp_path / "ansible.cfg")) == {"timeout": "3"}


def test_the_level_that_names_a_method_decides(script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys in a variable, a token in the environment, a password in the file: signed, and with no token."""
    server = script(Reply(body=LIST))
    monkeypatch.setenv("OS_TOKEN", "tok3")
    configured(monkeypatch, tmp_path, "username = mara", "password = p")
    keys = {"modelarts_access_key": "AK", "modelarts_secret_key": "secret"}
    run(POOL, variables=keys, endpoint=server.url, project_id="p1")
    (seen,) = server.seen
    assert seen.headers["authorization"].startswith("SDK-HMAC-SHA256 Access=AK, ")
    assert "x-auth-token" not in seen.headers


def test_variables_of_other_names_are_not_read(script: Start) -> None:
    server = script(Reply(body=LIST))
    variables = {"auth_token": "t", "endpoint": server.url, "modelarts_limit": 501, "modelarts_status": "Nonsense"}
    with pytest.raises(AnsibleLookupError, match="No credentials"):
        run(POOL, variables=variables)
    run(POOL, variables=variables, **at(server))
    assert len(server.seen) == 1


def test_a_variable_that_cannot_be_templated(script: Start) -> None:
    server = script(Reply(body=LIST))
    with pytest.raises(AnsibleUndefinedVariable, match="nobodys"):
        run(POOL, variables={"modelarts_auth_token": "{{ nobodys }}"}, **at(server))
    assert server.seen == []


def test_every_option_is_documented() -> None:
    documentation = yaml.safe_load(modelarts_workloads.DOCUMENTATION)
    own = documentation["options"]
    plugins = yaml.safe_load(connection.ModuleDocFragment.PLUGINS)["options"]
    chosen = yaml.safe_load(workloads.ModuleDocFragment.DOCUMENTATION)["options"]
    assert {*own, *plugins, *chosen} == set(modelarts_workloads.LOOKUP_OPTIONS)
    typed = set(modelarts_workloads.LookupOptions.__annotations__)
    assert typed == set(modelarts_workloads.LOOKUP_OPTIONS) - set(CONNECTION_OPTIONS)
    for option in CONNECTION_OPTIONS:
        assert [entry["name"] for entry in plugins[option]["vars"]] == [f"modelarts_{option}"]
        assert [(entry["section"], entry["key"]) for entry in plugins[option]["ini"]] == [("modelarts", option)]
        assert tuple(entry["name"] for entry in plugins[option]["env"]) == ENVIRONMENT[option]
    for option, spec in {**WORKLOAD_OPTIONS, "wantpools": modelarts_workloads.LOOKUP_OPTIONS["wantpools"]}.items():
        described = {**chosen, **own}[option]
        assert {name: described.get(name) for name in spec} == spec


# One login


def test_one_session_for_all_pools_and_one_login_for_all_lookups() -> None:
    with Emulator("demo") as emulator:
        mine = emulator.credentials
        login = {
            "endpoint": emulator.endpoint,
            "auth_url": emulator.iam_url,
            "username": mine.username,
            "password": mine.password,
            "domain_name": mine.domain_name,
            "project_name": mine.project_name,
        }
        pools = list(emulator.world.pools)
        for _i in range(3):
            run(pools, **login)
        assert sum(entry["path"] == "/v3/auth/tokens" for entry in emulator.requests) == 1
        emulator.revoke_tokens()
        run(pools[0], **login)
        assert sum(entry["path"] == "/v3/auth/tokens" for entry in emulator.requests) == 2
        with pytest.raises(AnsibleLookupError):
            run(pools[0], **{**login, "password": "wrong"})


# What it returns


def test_jobs_and_pools_are_those_of_the_module() -> None:
    with Emulator({**scenario.load("demo"), "clock": {"frozen": True}}) as emulator:
        mine = emulator.credentials
        options = {"endpoint": emulator.endpoint, "auth_token": mine.auth_token, "project_id": mine.project_id}
        pools = list(emulator.world.pools)
        jobs = run(*pools, **options)
        entries = run(pools, wantpools=True, **options)
        nested = run(pools[0], pools[1:], fields=["job_name"], wantpools="yes", **options)
        capacity = run(*pools, fields=[], wantpools=True, include_capacity=True, **options)
    assert {job["pool_name"] for job in jobs} == set(pools)
    assert [job for entry in entries for job in entry["workloads"]] == jobs
    assert [entry["pool_name"] for entry in entries] == pools
    assert [entry["summary"]["total"] for entry in entries] == [len(entry["workloads"]) for entry in entries]
    assert [set(job) for entry in nested for job in entry["workloads"]] == [{"job_name"}] * len(jobs)
    assert [entry["workloads"] for entry in capacity] == [[] for _pool in pools]
    assert all(entry["capacity"]["free"] for entry in capacity)


def test_text_of_the_api_is_not_a_template(script: Start) -> None:
    server = script(Reply(body=LIST))
    templar = Templar(loader=DataLoader(), variables={"here": at(server)})
    (job,) = templar.template(trust_as_template(f"{{{{ query('{NAME}', '{POOL}', **here) }}}}"))
    assert (job["job_name"], job["user_name"]) == ("{{ 7 * 7 }}", "{% raw %}")
    templar = Templar(loader=DataLoader(), variables={"job": job})
    assert templar.template(job["job_name"]) == "{{ 7 * 7 }}"
    assert templar.template(trust_as_template("{{ job.job_name }}")) == "{{ 7 * 7 }}"


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({"limit": "5"}, "limit=5"),
        ({"type": "train,infer", "status": ["Queue"]}, "status=Queue&type=infer&type=train"),
        ({"sort": "create_time", "ascend": "no", "offset": "2"}, "ascend=false&offset=2&sort=create_time"),
        ({"limit": None, "type": None}, ""),
    ],
)
def test_options_are_converted_as_those_of_a_module(script: Start, options: dict[str, t.Any], query: str) -> None:
    server = script(Reply(body=LIST))
    run(POOL, fetch_all="false", **at(server, **options))
    assert [seen.query for seen in server.seen] == [query]


def test_a_list_that_cannot_be_read_whole_is_a_warning(script: Start, warnings: list[str]) -> None:
    server = script(Reply(body={**LIST, "total": 3}))
    (pool,) = run(POOL, wantpools=True, **at(server))
    assert pool["complete"] is False
    (said,) = warnings
    assert said.startswith(f"{POOL}: The list of jobs is not complete")


# What it says when it fails


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"limit": "501"}, "limit is 501, but must be 0 to 500 (0 means 500)."),
        ({"limit": 501}, "limit is 501, but must be 0 to 500 (0 means 500)."),
        ({"limit": "many"}, "argument 'limit' is of type "),
        ({"status": "Waiting"}, "value of status must be one or more of: Queue, Pending, "),
        ({"sort": "name"}, "value of sort must be one of: create_time, got: name"),
        ({"ascend": True}, "ascend is given without sort: set sort to create_time, or leave ascend out."),
        ({"jobs": 1}, f"Unsupported parameters for ({NAME}) lookup: jobs. Supported parameters include: "),
        ({"pool_name": POOL}, f"Unsupported parameters for ({NAME}) lookup: pool_name. "),
        ({"timeout": "soon"}, "timeout must be a number of seconds above 0, not "),
        ({"auth_token": ["tok-SECRET"]}, "auth_token must be a single value. It can be set by option, "),
        ({"endpoint": "ftp://x"}, "endpoint (on "),
        ({"timeout": 16**5000}, "timeout is a number of more than 300 digits"),
        ({"auth_token": 16**5000}, "auth_token is a number of more than 300 digits"),
        ({"limit": 16**5000}, "limit is a number of more than 300 digits"),
    ],
)
def test_options_that_cannot_be_used(script: Start, options: dict[str, t.Any], sentence: str) -> None:
    server = script(Reply(body=LIST))
    with pytest.raises(AnsibleLookupError) as raised:
        run(POOL, **at(server, **options))
    assert str(raised.value).startswith(sentence)
    assert "SECRET" not in str(raised.value)
    assert server.seen == []


@pytest.mark.parametrize("terms", [(), ([],), ("a/b",), (POOL, "a b"), ({"a": 1},)])
def test_terms_that_name_no_pool(script: Start, terms: tuple[t.Any, ...]) -> None:
    server = script(Reply(body=LIST))
    with pytest.raises(AnsibleLookupError, match="names no pool|is not a pool ID"):
        run(*terms, **at(server))
    assert server.seen == []


def test_an_error_of_the_api(script: Start) -> None:
    error = {"error_code": "APIG.0301", "error_msg": "token tok-SECRET is wrong"}
    server = script(Reply(401, error, {"X-Request-Id": "r-1"}))
    with pytest.raises(AnsibleLookupError) as raised:
        run(POOL, **at(server))
    assert str(raised.value) == (
        f"GET /pools/{POOL}/workloads returned 401 (APIG.0301: token ******** is wrong). Check the credentials "
        "(auth_token). Request ID: r-1."
    )
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("module", "options", "library"),
    [
        (None, {}, "requests"),
        (
            "keystoneauth1.identity.v3",
            {"username": "m", "password": "pass-1", "domain_name": "d", "project_name": "n"},
            "keystoneauth1",
        ),
        ("openstack.config", {"cloud": "otc"}, "openstacksdk"),
    ],
)
def test_a_library_that_is_missing(
    script: Start, monkeypatch: pytest.MonkeyPatch, module: str | None, options: dict[str, t.Any], library: str
) -> None:
    server = script(Reply(body=LIST))
    if module is None:
        monkeypatch.setattr(_auth, "REQUESTS_IMPORT_ERROR", ImportError("No module named 'requests'"))
    else:
        monkeypatch.setitem(__import__("sys").modules, module, None)
    given = {"endpoint": server.url, "auth_url": server.url, **(options or {"auth_token": "tok1", "project_id": "p"})}
    with pytest.raises(AnsibleLookupError, match=rf"Failed to import the required Python library \({library}\)"):
        run(POOL, **given)
    assert server.seen == []


def test_ages_are_told_by_the_clock_of_the_api(script: Start) -> None:
    job = {**JOB, "createTime": 1577836800000}
    server = script(Reply(body={**LIST, "items": [job]}, headers={"Date": "Wed, 01 Jan 2020 00:00:10 GMT"}))
    (entry,) = run(POOL, wantpools=True, **at(server))
    assert 10 <= entry["summary"]["oldest_pending_seconds"] <= 70


def test_a_workspace_is_listed_for_a_display_name(script: Start) -> None:
    server = script(Reply(body={"kind": "PoolList", "items": []}))
    with pytest.raises(AnsibleLookupError):
        run("train", include_capacity=True, variables={"modelarts_workspace_id": "5"}, **at(server))
    assert (server.seen[0].path, server.seen[0].query) == ("/v2/p1/pools", "workspaceId=5")
