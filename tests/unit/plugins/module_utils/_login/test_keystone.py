# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login with a password."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import (
    ISSUED,
    PASSWORD,
    SECRETS,
    ScriptedIam,
    leaked,
    listed,
    login,
    prepared,
)

HOST = "target-7"
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/"])
def test_a_password_logs_in_to_the_project(suffix: str) -> None:
    with ScriptedIam(login()) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url + suffix, "region": "eu-de"}, where=HOST)
        assert not iam.seen
        assert prepared(connection).headers["X-Auth-Token"] == ISSUED
        assert connection.project() == "p-scope"
        assert connection.base_url() == "https://modelarts.eu-de.otc.t-systems.com"
    assert [(seen.method, seen.path) for seen in iam.seen] == [("POST", "/v3/auth/tokens")]
    assert iam.seen[0].body == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "mara", "password": SECRETS["password"], "domain": {"name": "acme"}}},
            },
            "scope": {"project": {"name": "eu-de_ml", "domain": {"name": "acme"}}},
        }
    }


def test_a_project_id_is_the_scope_of_the_login() -> None:
    with ScriptedIam(login(project="p1")) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url, "project_id": "p1"}, where=HOST)
        assert connection.project() == "p1"
    assert iam.seen[0].body["auth"]["scope"] == {"project": {"id": "p1"}}


def test_threads_share_one_login() -> None:
    with ScriptedIam(login(catalog=[listed(("eu-de", "https://m.example.com/v1/p"))])) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with ThreadPoolExecutor(8) as threads:
            work = [
                call
                for _i in range(8)
                for call in (connection.base_url, connection.project, lambda: prepared(connection))
            ]
            for done in [threads.submit(call) for call in work]:
                done.result()
    assert len(iam.seen) == 1


def test_threads_that_are_refused_make_one_new_login() -> None:
    tokens = iter(["first", "second", "third"])
    with ScriptedIam(lambda seen: login(token=next(tokens))) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        together = threading.Barrier(4)

        def refused() -> tuple[str, bool, str]:
            first = prepared(connection).headers["X-Auth-Token"]
            together.wait()
            renewed = connection.auth.drop_token()
            return first, renewed, prepared(connection).headers["X-Auth-Token"]

        with ThreadPoolExecutor(4) as threads:
            results = {threads.submit(refused) for _i in range(4)}
            assert {result.result() for result in results} == {("first", True, "second")}
    assert len(iam.seen) == 2


def test_a_token_about_to_expire_is_renewed() -> None:
    with ScriptedIam(login(token="old", seconds=5), login(token="new")) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        assert prepared(connection).headers["X-Auth-Token"] == "old"
        assert prepared(connection).headers["X-Auth-Token"] == "new"
        assert prepared(connection).headers["X-Auth-Token"] == "new"
    assert len(iam.seen) == 2


def test_a_wrong_password_is_sent_once() -> None:
    said = f"The username or password {SECRETS['password']} is wrong."
    with ScriptedIam((401, {"X-Request-Id": "r-2"}, {"error": {"code": "IAM.0001", "message": said}})) as iam:
        connection = connect({**PASSWORD, **PLACE, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError, match=f"Check the credentials on {HOST}") as failure:
            prepared(connection)
        assert connection.auth.drop_token() is False
    assert len(iam.seen) == 1
    result = failure.value.as_result()
    assert (result["status"], result["error_code"], result["request_id"]) == (401, "IAM.0001", "r-2")
    assert result["error_msg"] == "The username or password ******** is wrong."
    assert not leaked(str(result))


def test_a_password_that_is_refused_later_is_sent_once_more() -> None:
    with ScriptedIam(login(), (401, {}, {})) as iam:
        connection = connect({**PASSWORD, **PLACE, "auth_url": iam.url}, where=HOST)
        prepared(connection)
        assert connection.auth.drop_token() is True
        with pytest.raises(ApiError, match="returned 401"):
            prepared(connection)
        assert connection.auth.drop_token() is False
    assert len(iam.seen) == 2


def test_a_request_tries_the_login_once_and_leaves_repeating_to_whoever_sends_it() -> None:
    with ScriptedIam((503, {}, {})) as iam:
        connection = connect({**PASSWORD, **PLACE, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError):
            prepared(connection)
        assert len(iam.seen) == 1
        with pytest.raises(ApiError):
            connection.project()
        assert len(iam.seen) == 1 + 5
