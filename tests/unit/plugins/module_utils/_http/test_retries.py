# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried again, how often, and after which pause."""

from __future__ import annotations

import email.utils
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.tests.unit.cloud.wire import POOL, Clock, client
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

EMPTY = {"kind": "WorkloadList", "items": [], "total": 0}
Start = t.Callable[..., ScriptedServer]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_is_transient_is_tried_again(script: Start, status: int) -> None:
    server = script(Reply(status, {"error_code": "X", "error_msg": "busy"}), Reply(status, "busy"), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        assert opened.list_workloads_page(POOL, []).items == []
    assert len(server.seen) == 3
    assert 0.25 <= clock.naps[0] <= 0.5 <= clock.naps[1] <= 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 418, 451, 501, 505])
def test_what_is_not_transient_is_asked_once(script: Start, status: int) -> None:
    server = script(Reply(status, {"error_code": "X", "error_msg": "no"}))
    clock = Clock()
    with client(server.url, clock) as opened, pytest.raises(ApiError) as raised:
        opened.list_workloads_page(POOL, [])
    assert raised.value.status == status
    assert (len(server.seen), clock.naps) == (1, [])


@pytest.mark.parametrize("retries", [0, 1, 4, 7])
def test_tries_are_bounded(script: Start, retries: int) -> None:
    server = script(Reply(503, {"error_code": "X.1", "error_msg": "down"}, {"X-Request-Id": "r-9"}))
    clock = Clock()
    with client(server.url, clock, max_retries=retries) as opened, pytest.raises(ApiError) as raised:
        opened.list_workloads_page(POOL, [])
    assert len(server.seen) == retries + 1
    assert sum(clock.naps) <= 0.5 * 2**retries
    assert max(clock.naps, default=0) <= 8
    error = raised.value
    assert (error.status, error.error_code, error.error_msg, error.request_id) == (503, "X.1", "down", "r-9")


THROTTLED = {"error_code": "APIG.0308", "error_msg": "policy user over ratelimit,limit:20,time:%s"}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "text", "seconds"),
    [
        ("7", "", 7),
        (" 7 ", "", 7),
        ("0", "", 0),
        ("7", "1 minute", 7),
        ("", "1 second", 1),
        ("", "2 minutes", None),  # a minute or more is longer than the longest wait
        ("soon", "3 seconds", 3),
        ("-1", "3 seconds", 3),
    ],
)
def test_throttling_says_how_long(script: Start, status: int, header: str, text: str, seconds: float | None) -> None:
    body = {**THROTTLED, "error_msg": THROTTLED["error_msg"] % text}
    server = script(Reply(status, body, {"Retry-After": header} if header else {}), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        if seconds is None:
            with pytest.raises(ApiError, match=f"returned {status}"):
                opened.list_workloads_page(POOL, [])
            assert clock.naps == []
        else:
            opened.list_workloads_page(POOL, [])
            assert seconds <= clock.naps[0] <= seconds + 0.5


@pytest.mark.parametrize(("ahead", "least", "most"), [(20, 18, 21), (-3600, 0, 0.5)])
def test_throttling_until_a_date(script: Start, ahead: int, least: float, most: float) -> None:
    date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    server = script(Reply(429, "", {"Retry-After": date}), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        opened.list_workloads_page(POOL, [])
    assert least <= sum(clock.naps) <= most


@pytest.mark.parametrize("header", ["", "x", "99999999999999999999", "Mon, 99 Foo 2026 99:99:99 GMT", "٣", "1e9"])
def test_a_retry_after_that_means_nothing_does_no_harm(script: Start, header: str) -> None:
    server = script(Reply(429, "{}", {"Retry-After": header.encode().decode("latin-1")}), Reply(body=EMPTY))
    clock = Clock()
    with client(server.url, clock) as opened:
        try:
            opened.list_workloads_page(POOL, [])
        except ApiError as error:
            assert error.status == 429
    assert sum(clock.naps) <= 60.5
