# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM: projects, answers of any kind, and the time that they may take."""

from __future__ import annotations

import os
import socket
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import (
    PASSWORD,
    SECRETS,
    Answer,
    ScriptedIam,
    leaked,
    login,
    prepared,
    projects,
)

HOST = "target-7"
KEYS = {"access_key": "AK1", "secret_key": SECRETS["secret_key"]}
Level = dict[str, t.Any]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize("credentials", [{"auth_token": SECRETS["auth_token"]}, KEYS], ids=["token", "keys"])
@pytest.mark.parametrize(
    ("named", "name"),
    [({"region": "eu-de"}, "eu-de"), ({"region": "eu-de", "project_name": "eu-de_ml&x=1"}, "eu-de_ml&x=1")],
)
def test_a_project_is_looked_up_once_by_its_name(credentials: Level, named: Level, name: str) -> None:
    with ScriptedIam(projects(("p9", name), ("p8", "another"))) as iam:
        connection = connect({**credentials, **named, "auth_url": iam.url}, where=HOST)
        assert not iam.seen
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(lambda _i: connection.project(), range(16))) == {"p9"}
    assert [(seen.method, seen.path, seen.query) for seen in iam.seen] == [("GET", "/v3/projects", [("name", name)])]
    headers = iam.seen[0].headers
    if credentials == KEYS:
        assert headers["authorization"].startswith("SDK-HMAC-SHA256 Access=AK1, SignedHeaders=host;x-sdk-date, ")
        assert prepared(connection).headers["X-Project-Id"] == "p9"
    else:
        assert headers["x-auth-token"] == SECRETS["auth_token"]


@pytest.mark.parametrize(
    ("answer", "kind", "expected"),
    [
        (projects(), InputError, "knows no project named 'eu-de': set project_id"),
        (projects(("a", "eu-de"), ("b", "eu-de")), InputError, "knows 2 projects named 'eu-de'"),
        (projects(("../x", "eu-de")), ApiError, "project ID that is not valid"),
        ((200, {}, {"projects": None}), ApiError, "did not return a list of projects"),
        ((200, {}, []), ApiError, "did not return a list of projects"),
        ((200, {}, b"<html>"), ApiError, "HTML"),
        ((302, {"Location": "http://localhost:1/"}, b""), ApiError, "Redirects are not followed"),
    ],
)
def test_a_project_that_cannot_be_told(answer: Answer, kind: type[ModelArtsError], expected: str) -> None:
    with ScriptedIam(answer) as iam:
        connection = connect({**KEYS, "region": "eu-de", "auth_url": iam.url}, where=HOST)
        with pytest.raises(kind, match=expected):
            connection.project()
    assert len(iam.seen) == 1


def test_what_is_transient_is_repeated_within_bounds() -> None:
    with ScriptedIam((503, {}, {}), (429, {}, {}), projects(("p9", "eu-de"))) as iam:
        options = {**KEYS, "region": "eu-de", "auth_url": iam.url, "max_retries": 2}
        assert connect(options, where=HOST).project() == "p9"
    assert len(iam.seen) == 3
    with ScriptedIam((503, {}, {})) as iam, pytest.raises(ApiError, match="returned 503"):
        connect({**options, "auth_url": iam.url}, where=HOST).project()
    assert len(iam.seen) == 3


def test_an_iam_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for options in ({**KEYS, "region": "eu-de"}, PASSWORD):
            connection = connect({**options, "auth_url": url, "max_retries": 1}, where=HOST)
            with pytest.raises(TransportError, match=r"Connection refused.*auth_url") as failure:
                connection.project()
            assert HOST in str(failure.value)
            assert url in str(failure.value)


def test_an_iam_that_keeps_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for options in ({**KEYS, "region": "eu-de"}, PASSWORD):
            connection = connect({**options, "auth_url": url, "timeout": 0.2, "max_retries": 0}, where=HOST)
            with pytest.raises(TransportError, match=r"no answer within 0\.2 s"):
                connection.project()


def test_a_deadline_ends_it_all() -> None:
    with ScriptedIam((503, {}, {})) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url, "max_retries": 50}, where=HOST)
        until = time.monotonic() + 0.4
        connection.ask_within(lambda: until - time.monotonic())
        with pytest.raises(ApiError, match="returned 503"):
            connection.project()
        connection.ask_within(lambda: -1)
        with pytest.raises(TransportError, match="No time was left"):
            connection.project()
    assert len(iam.seen) < 50


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((404, {}, {"error": {"code": 404, "message": "no such API"}}), "returned 404 .404: no such API"),
        ((307, {"Location": "http://localhost:1/v3/auth/tokens"}, b""), "returned 307.*Redirects are not followed"),
        ((302, {"Location": "http://localhost:1/v3/auth/tokens"}, {"token": {}}), "did not return a login"),
        ((200, {}, b"<html>welcome</html>"), "HTML"),
        ((201, {}, {"token": {}}), "did not return a login"),
        ((201, {"X-Subject-Token": "x"}, {"token": None}), "did not return a login"),
        ((201, {"X-Subject-Token": "x"}, {"token": []}), "did not return a login"),
        ((201, {"X-Subject-Token": "x"}, []), "returned 201"),
        ((201, {"X-Subject-Token": "x"}, 7), "did not return a login"),
    ],
)
def test_a_login_that_is_none(answer: Answer, expected: str) -> None:
    with ScriptedIam(answer) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError, match=expected) as failure:
            connection.project()
    assert len(iam.seen) == 1
    assert not leaked(str(failure.value))


def test_a_redirect_takes_no_credentials_elsewhere() -> None:
    with ScriptedIam(login()) as elsewhere:
        target = elsewhere.url.replace("127.0.0.1", "localhost") + "/v3/auth/tokens"
        with ScriptedIam((307, {"Location": target}, b"")) as iam:
            connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
            with pytest.raises(ApiError):
                connection.project()
    assert elsewhere.seen == []
