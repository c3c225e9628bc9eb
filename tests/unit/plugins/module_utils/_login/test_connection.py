# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection that options describe."""

from __future__ import annotations

import json
import logging
import os
import typing as t
from base64 import b64encode
from pathlib import Path

import pytest
import requests
from ansible_collections.poolgate.modelarts.playbooks.emulator.iam import Credentials
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import canonical_url_query
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import hide_secrets
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import (
    ISSUED,
    PASSWORD,
    SECRETS,
    ScriptedIam,
    entry,
    leaked,
    listed,
    login,
    prepared,
)

HOST = "target-7"
KEYS = {"access_key": "AK1", "secret_key": SECRETS["secret_key"]}
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
Level = dict[str, t.Any]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"auth_token": SECRETS["auth_token"], "project_id": "p"}, "set endpoint or region"),
        ({**KEYS, "project_id": "p"}, "set endpoint or region"),
        ({"auth_token": SECRETS["auth_token"], "endpoint": "https://m.example.com"}, "set project_id"),
        ({**KEYS, "endpoint": "https://m.example.com", "project_name": "x"}, "set project_id"),
        ({**KEYS, "endpoint": "https://m.example.com", "auth_url": "https://iam.example.com"}, "set project_id"),
    ],
)
def test_an_address_and_a_project_have_to_be_found_somehow(options: Level, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as failure:
        connect(options, where=HOST)
    assert HOST in str(failure.value)


def test_defaults() -> None:
    connection = connect({**PLACE, **KEYS}, where=HOST)
    assert (connection.timeout, connection.max_retries, connection.verify) == (30.0, 4, True)
    assert connection.connections == 8


def test_verify_is_what_requests_takes(tmp_path: Path) -> None:
    trusted = {**PLACE, **KEYS, "ca_path": str(tmp_path)}
    assert connect(trusted, where=HOST).verify == str(tmp_path)
    assert connect({**trusted, "validate_certs": "no"}, where=HOST).verify is False


@pytest.mark.parametrize(
    ("region", "base", "iam"),
    [
        ("eu-de", "https://modelarts.eu-de.otc.t-systems.com", "https://iam.eu-de.otc.t-systems.com/v3"),
        ("eu-nl", "https://modelarts.eu-nl.otc.t-systems.com", "https://iam.eu-nl.otc.t-systems.com/v3"),
        ("cn-north-4", "https://modelarts.cn-north-4.myhuaweicloud.com", "https://iam.cn-north-4.myhuaweicloud.com/v3"),
    ],
)
def test_a_region_gives_the_addresses(region: str, base: str, iam: str) -> None:
    connection = connect({**KEYS, "region": region, "project_id": "p1"}, where=HOST)
    assert (connection.base_url(), connection.auth_url, connection.project()) == (base, iam, "p1")


def test_an_explicit_endpoint_wins() -> None:
    assert connect({**KEYS, **PLACE, "region": "eu-de"}, where=HOST).base_url() == PLACE["endpoint"]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


def test_addresses_are_asked_for_once() -> None:
    with ScriptedIam(login(seconds=5, catalog=[listed(("eu-de", "https://m.example.com/v1/p-scope"))])) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        assert {connection.base_url() for _i in range(3)} == {"https://m.example.com"}
        assert len(iam.seen) == 1
        assert {connection.project() for _i in range(3)} == {"p-scope"}
    assert len(iam.seen) == 2


# clouds.yaml


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[object], None]:
    file = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(content: object) -> None:
        file.write_text(content if isinstance(content, str) else json.dumps({"clouds": content}))

    return write


def test_a_project_that_is_not_the_login_s(clouds: t.Callable[[object], None]) -> None:
    with ScriptedIam(login()) as iam:
        clouds({"otc": entry(iam.url)})
        with pytest.raises(InputError, match=r"project_id is p-other, but the login .* 'p-scope'"):
            connect({"cloud": "otc", "project_id": "p-other"}, where=HOST).project()


def test_a_login_without_a_project(clouds: t.Callable[[object], None]) -> None:
    with ScriptedIam(login(project=None)) as iam:
        clouds({"otc": entry(iam.url)})
        with pytest.raises(InputError, match="set project_id"):
            connect({"cloud": "otc"}, where=HOST).project()
        assert connect({"cloud": "otc", "project_id": "p1"}, where=HOST).project() == "p1"


def every_method(url: str) -> list[Level]:
    return [
        {**PLACE, "auth_token": SECRETS["auth_token"]},
        {**PLACE, **KEYS, "security_token": SECRETS["security_token"]},
        {**PASSWORD, "endpoint": PLACE["endpoint"], "auth_url": url},
        {"cloud": "otc"},
    ]


@pytest.mark.parametrize("index", range(4))
def test_no_secret_in_any_text(
    index: int, clouds: t.Callable[[object], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("keystoneauth").setLevel(logging.DEBUG)
    with ScriptedIam(login()) as iam:
        clouds({"otc": entry(iam.url, region_name="eu-nl")})
        options = every_method(iam.url)[index]
        connection = connect(options, where=HOST)
        request = prepared(connection)
        connection.project()
        connection.base_url()
    for text in (repr(connection), str(connection), repr(connection.auth), caplog.text):
        assert not leaked(text)
        assert ISSUED not in text
    wire = str(dict(request.headers))
    assert hide_secrets(wire, connection.secrets) != wire
    assert not leaked(hide_secrets(wire, connection.secrets))
    given_secrets = {value for option, value in options.items() if option in SECRETS}
    assert given_secrets <= connection.secrets
    if index == 1:
        signature = request.headers["Authorization"].rpartition("=")[2]
        assert connection.secrets - connection.lasting_secrets == {signature}
    if index > 1:
        assert {ISSUED, SECRETS["password"]} <= connection.secrets


def test_redaction_finds_a_secret_however_it_is_spelled() -> None:
    connection = connect({**PASSWORD}, where=HOST)
    spelled = [
        SECRETS["password"],
        json.dumps(SECRETS["password"])[1:-1],
        json.dumps(SECRETS["password"])[1:-1].replace("/", "\\/"),
        json.dumps(SECRETS["password"], ensure_ascii=False)[1:-1],
        "pw%20%22S3CR3T%22%204%2F%C3%BC",
        "pw%20%22S3CR3T%22%204/%C3%BC",
        "pw+%22S3CR3T%22+4%2F%C3%BC",
        "pw%20%22S3CR3T%22%204%2f%c3%bc",
        b64encode(SECRETS["password"].encode()).decode().rstrip("="),
    ]
    for text in spelled:
        assert hide_secrets(f"a {text} b", connection.secrets) == "a ******** b"
    assert hide_secrets("nothing to hide", connection.secrets) == "nothing to hide"


def log_ins(mine: Credentials) -> dict[str, Level]:
    return {
        "token": {"auth_token": mine.auth_token},
        "aksk": {"access_key": mine.access_key, "secret_key": mine.secret_key},
        "temporary aksk": {
            "access_key": mine.temporary_access_key,
            "secret_key": mine.temporary_secret_key,
            "security_token": mine.security_token,
        },
        "password": {"username": mine.username, "password": mine.password, "domain_name": mine.domain_name},
        "cloud": {"cloud": "emulated"},
    }


@pytest.mark.parametrize("method", ["token", "aksk", "temporary aksk", "password", "cloud"])
def test_the_emulator_lets_every_method_in(method: str, clouds: t.Callable[[object], None]) -> None:
    with Emulator("document") as emulator:
        mine = emulator.credentials
        clouds(
            {
                "emulated": {
                    "auth": {
                        "auth_url": emulator.iam_url,
                        "username": mine.username,
                        "password": mine.password,
                        "user_domain_name": mine.domain_name,
                        "project_domain_name": mine.domain_name,
                        "project_name": mine.project_name,
                    }
                }
            }
        )
        options: Level = {"auth_url": emulator.iam_url, "project_name": mine.project_name}
        if method not in ("password", "cloud"):
            options["endpoint"] = emulator.endpoint
        connection = connect({**options, **log_ins(mine)[method]}, where=HOST)
        assert connection.base_url() == emulator.endpoint
        assert connection.project() == mine.project_id
        query = canonical_url_query([("type", "train"), ("type", "infer"), ("ascend", True), ("sort", "create_time")])
        pool = emulator.state()["pools"][0]["id"]
        answer = requests.get(
            f"{connection.base_url()}/v2/{connection.project()}/pools/{pool}/workloads?{query}",
            auth=connection.auth,
            timeout=10,
        )
        assert answer.status_code == 200
        assert emulator.requests[-1]["auth"] == ("token" if method in ("password", "cloud") else method)


@pytest.mark.parametrize("method", ["token", "aksk", "temporary aksk", "password"])
def test_the_emulator_refuses_what_is_wrong(method: str) -> None:
    with Emulator("document") as emulator:
        mine = emulator.credentials
        place = {"auth_url": emulator.iam_url, "project_name": mine.project_name, "endpoint": emulator.endpoint}
        secret = {"token": "auth_token", "aksk": "secret_key", "temporary aksk": "security_token"}.get(method, method)
        connection = connect({**place, **log_ins(mine)[method], secret: "wr0ng-S3CR3T"}, where=HOST)
        with pytest.raises(ApiError, match="returned 401") as failure:
            connection.project()
        assert len(emulator.requests) == 1
    assert failure.value.status == 401
    assert not leaked(str(failure.value.as_result()))
