# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service catalog of a login."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import PASSWORD, ScriptedIam, listed, login

HOST = "target-7"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("catalog", "region", "expected"),
    [
        ([listed(("eu-de", "https://m.example.com/v1/p1"))], None, "https://m.example.com"),
        ([listed(("eu-de", "https://m.example.com:8443/v2/p1/"))], None, "https://m.example.com:8443"),
        (
            [listed(("eu-de", "https://m.example.com/v1/p1")), listed(("eu-de", "https://m.example.com/v2/p1"))],
            None,
            "https://m.example.com",
        ),
        (
            [listed(("eu-de", "https://de.example.com"), ("eu-nl", "https://nl.example.com"))],
            "eu-nl",
            "https://nl.example.com",
        ),
        ([listed(("*", "https://all.example.com"))], "eu-nl", "https://all.example.com"),
        ([listed(("eu-de", "https://de.example.com"))], "eu-nl", "https://modelarts.eu-nl.otc.t-systems.com"),
        (
            [listed(("eu-de", "https://inside.example.com"), interface="internal")],
            "eu-de",
            "https://modelarts.eu-de.otc.t-systems.com",
        ),
        (
            [listed(("eu-de", "https://x.example.com"), kind="compute")],
            "eu-de",
            "https://modelarts.eu-de.otc.t-systems.com",
        ),
    ],
)
def test_the_service_catalog_gives_the_address(catalog: list[t.Any], region: str | None, expected: str) -> None:
    with ScriptedIam(login(project="p1", catalog=catalog)) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url, "region": region}, where=HOST)
        assert connection.base_url() == expected
        assert connection.base_url() == expected
    assert len(iam.seen) == 1


@pytest.mark.parametrize(
    ("catalog", "expected"),
    [
        ([], "set endpoint or region"),
        ([listed(("eu-de", "https://de.example.com"), ("eu-nl", "https://nl.example.com"))], "set region or endpoint"),
        ([listed(("eu-de", "http://clear.example.com/v1/p1"))], "must start with https"),
        ([listed(("eu-de", "https://user:x@m.example.com"))], "must be a URL"),
    ],
)
def test_a_service_catalog_that_does_not_tell(catalog: list[t.Any], expected: str) -> None:
    with ScriptedIam(login(catalog=catalog)) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with pytest.raises(InputError, match=expected):
            connection.base_url()


@pytest.mark.parametrize(
    "catalog", [7, ["x"], [{"type": "modelarts", "endpoints": "x"}], [{"type": "modelarts", "endpoints": [7]}]]
)
def test_a_service_catalog_of_another_shape(catalog: object) -> None:
    with ScriptedIam(login(catalog=catalog)) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ModelArtsError):
            connection.base_url()
