# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time-out is that of a whole request, and a connection is good for more than one."""

from __future__ import annotations

import time

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.logins import LOGINS, options_of


@pytest.mark.parametrize("login", LOGINS)
def test_an_answer_that_drips_ends_with_the_time_out(login: str) -> None:
    with Emulator("demo", faults=[{"do": "slow", "bytes_per_second": 60, "times": 0}]) as emulator:
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            Client(connect(options_of(emulator, login), where="here")).show_pool(emulator.state()["pools"][0]["id"])
        assert time.monotonic() - began < 2
        assert "0.6 s" in caught.value.message or "timed out" in caught.value.message


def test_a_connection_is_used_again_after_its_time_was_counted() -> None:
    with Emulator("demo") as emulator:
        client = Client(connect({**options_of(emulator, "auth_token"), "timeout": 1.0}, where="here"))
        pool = emulator.state()["pools"][0]["id"]
        for pause in (0.0, 0.7, 0.7):
            time.sleep(pause)
            client.show_pool(pool)
        assert {seen["connection"] for seen in emulator.requests} == {1}
