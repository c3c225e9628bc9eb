# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key pair."""

from __future__ import annotations

import datetime
import os
import time

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import SECRETS, ScriptedIam, leaked, prepared

HOST = "target-7"
KEYS = {"access_key": "AK1", "secret_key": SECRETS["secret_key"]}
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


def test_a_key_pair_signs_and_cannot_be_renewed() -> None:
    connection = connect({**PLACE, **KEYS, "security_token": SECRETS["security_token"]}, where=HOST)
    headers = prepared(connection).headers
    assert headers["X-Project-Id"] == "p1"
    assert headers["X-Security-Token"] == SECRETS["security_token"]
    assert "host;x-project-id;x-sdk-date;x-security-token" in headers["Authorization"]
    sent = datetime.datetime.strptime(headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ")
    assert abs(sent.replace(tzinfo=datetime.timezone.utc).timestamp() - time.time()) < 5
    assert connection.auth.drop_token() is False
    assert connection.method == "access_key"


def test_a_refused_signature_is_sent_once_and_says_what_iam_said() -> None:
    refusal = {"error_code": "APIGW.0301", "error_msg": f"bad key {SECRETS['secret_key']}", "request_id": "r-1"}
    with ScriptedIam((401, {}, refusal)) as iam:
        connection = connect({**KEYS, "region": "eu-de", "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError) as failure:
            connection.project()
    assert len(iam.seen) == 1
    result = failure.value.as_result()
    assert (result["status"], result["error_code"], result["request_id"]) == (401, "APIGW.0301", "r-1")
    assert result["error_msg"] == "bad key ********"
    assert not leaked(str(result))
