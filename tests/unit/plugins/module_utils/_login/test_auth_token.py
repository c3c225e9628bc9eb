# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token that the caller has."""

from __future__ import annotations

import os

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import SECRETS, prepared

HOST = "target-7"
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


def test_a_token_is_sent_as_it_is_and_cannot_be_renewed() -> None:
    connection = connect({**PLACE, "auth_token": SECRETS["auth_token"]}, where=HOST)
    assert prepared(connection).headers["X-Auth-Token"] == SECRETS["auth_token"]
    assert connection.auth.drop_token() is False
    assert connection.method == "auth_token"
