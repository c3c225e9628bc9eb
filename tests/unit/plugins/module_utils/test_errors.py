# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors from any body at all; the documented shapes are in _http/test_answers.py, as they come over the wire."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.answers import error_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.sampled_from(("error_code", "error_msg", "errorCode", "code", "message", "error", "request_id", "x"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
)


@given(
    st.one_of(st.binary(max_size=600), JSON.map(lambda document: json.dumps(document).encode())), st.text(max_size=300)
)
def test_any_body_gives_one_sentence(body: bytes, request_id: str) -> None:
    error = error_of_answer(
        "GET /x", 500, {"X-Request-ID": request_id, "Content-Type": "application/json"}, body, "Do this."
    )
    assert error.message.startswith("GET /x returned 500 (")
    assert error.message.endswith("). Do this.")
    assert len(error.message) < 1000
    for said in (error.message, error.error_code, error.error_msg, error.request_id):
        assert said is None or said.isprintable()
        assert said != ""


@given(st.text(max_size=1000), st.integers(10, 300))
def test_text_of_the_api_fits_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\u202eb", "a\u2028b", "a\u0085b", "a\rb", "a\u200bb", "a\x00b"])
def test_text_that_would_move_the_cursor(text: str) -> None:
    assert not set(one_line(text)) & set("\x1b\u202e\u2028\u0085\r\u200b\x00")


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (InputError("No."), {"msg": "No."}),
        (TransportError("No."), {"msg": "No.", "transient": True}),
        (ApiError("No.", status=404, error_code="X"), {"msg": "No.", "status": 404, "error_code": "X"}),
        (
            ApiError("No.", status=429, error_msg="slow", request_id="r"),
            {"msg": "No.", "status": 429, "error_msg": "slow", "request_id": "r", "transient": True},
        ),
    ],
)
def test_the_fields_of_a_failed_module(error: ModelArtsError, result: dict[str, t.Any]) -> None:
    assert error.as_result() == result
    assert str(error) == "No."


@pytest.mark.parametrize("unit", ["://", "://@", "://a @", "@", "://" + "a" * 299 + " @", "://" + "a" * 300 + "@"])
def test_a_long_text_of_beginnings_of_urls_takes_no_time(unit: str) -> None:
    """Whoever sets a taint may make it as long as an answer: 64 MiB of it took minutes."""
    text = unit * (4 * 2**20 // len(unit))
    began = time.process_time()
    for limit in (60, 300, 2000):
        assert len(one_line(text, limit)) <= limit
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "text",
    [
        f"{'x' * 590}://svc:SECRET-SECRET@h",
        f"{'://' + 'u' * 290 + '@'}://{'SECRET' * 40}@h" * 9,
        f"{'x' * 60}://svc:{'SECRET' * 40}@h",
        "see http://svc:SECRET/x@h and http://svc:SECRET://x@h",
    ],
)
@pytest.mark.parametrize("limit", [60, 100, 300, 2000])
def test_no_user_and_password_of_a_url_is_shown_wherever_the_text_is_cut(text: str, limit: int) -> None:
    assert "SECRET" not in one_line(text, limit)
