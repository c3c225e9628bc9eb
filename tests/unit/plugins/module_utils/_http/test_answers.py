# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are errors, as they come over the wire."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.tests.unit.cloud.wire import POOL, client
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

Start = t.Callable[..., ScriptedServer]


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "text", "request_id"),
    [
        (
            400,
            {},
            {"error_code": "ModelArts.50004000", "error_msg": "Bad request."},
            "ModelArts.50004000",
            "Bad request.",
            None,
        ),
        (
            404,
            {"X-Request-Id": "r-1"},
            {"error_code": "ModelArts.50015001", "error_msg": "pool not found"},
            "ModelArts.50015001",
            "pool not found",
            "r-1",
        ),
        (
            404,
            {"X-Request-Id": "r-1"},
            {"error_code": "APIG.0101", "error_msg": "The API does not exist", "request_id": "r-2"},
            "APIG.0101",
            "The API does not exist",
            "r-2",
        ),
        (403, {}, {"error": {"code": 403, "message": "Denied", "title": "Forbidden"}}, "403", "Denied", None),
        (403, {}, {"errorCode": "IAM.1", "errorMsg": "Denied"}, "IAM.1", "Denied", None),
        (400, {}, {"code": "X.1", "message": "Wrong"}, "X.1", "Wrong", None),
        (400, {}, {"error_code": "X.1"}, "X.1", None, None),
        (400, {}, {"error": "invalid"}, None, None, None),
        (400, {}, {}, None, None, None),
        (400, {}, [1], None, None, None),
        (400, {}, "", None, None, None),
        (400, {"Content-Type": "text/plain"}, "no such thing\nsecond line", None, "no such thing second line", None),
        (
            405,
            {"Content-Type": "text/html", "X-Request-Id": "r-3"},
            "<html><body><h1>Not here</h1></body></html>",
            None,
            "an HTML page, not JSON: a server other than ModelArts answered",
            "r-3",
        ),
        (
            400,
            {"Content-Type": "text/plain"},
            b"\xff\xfe\x00",
            None,
            "an answer that cannot be read: it is text in UTF-16 or UTF-32, not in UTF-8",
            None,
        ),
    ],
)
def test_every_shape_of_error(
    script: Start,
    status: int,
    headers: dict[str, str],
    body: t.Any,
    code: str | None,
    text: str | None,
    request_id: str | None,
) -> None:
    server = script(Reply(status, body, headers))
    with client(server.url) as opened, pytest.raises(ApiError) as raised:
        opened.list_workloads_page(POOL, [])
    error = raised.value
    assert (error.status, error.error_code, error.error_msg, error.request_id) == (status, code, text, request_id)
    assert error.message.startswith(f"GET /pools/{POOL}/workloads returned {status} (")
    assert "\n" not in error.message
    assert "<h1>" not in error.message
    result = error.as_result()
    assert result["msg"] == error.message
    assert None not in result.values()


def test_a_long_error_is_cut(script: Start) -> None:
    server = script(Reply(400, {"error_code": "X", "error_msg": "y" * 100_000}))
    with client(server.url) as opened, pytest.raises(ApiError) as raised:
        opened.list_pools()
    assert len(raised.value.message) < 500
