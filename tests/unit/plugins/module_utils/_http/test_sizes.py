# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds of what one object, job or table of an answer may hold, and the price of what it holds."""

from __future__ import annotations

import json

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import document_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.answers import why_answer_is_no_text
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sizes import size_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import amounts_field
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements


def resources(count: int, amount: str) -> dict[str, str]:
    return {f"r{number}": amount for number in range(count)}


def test_an_object_of_very_many_keys_is_refused() -> None:
    keys = {f"k{number}": 1 for number in range(300)}
    assert document_of("GET /x", {}, json.dumps({"kind": "Pool", "spec": keys}).encode())["spec"] == keys
    keys["one-more"] = 1
    with pytest.raises(ApiError, match="an object of more than 300 keys"):
        document_of("GET /x", {}, json.dumps({"kind": "Pool", "spec": keys}).encode())


def test_more_resources_than_any_job_has_are_not_known() -> None:
    requirements = Requirements()
    assert requirements.read(resources(50, "1"))[1] == []
    assert requirements.read(resources(51, "1")) == ({}, ["*"])
    assert requirements.read(resources(10, "?"))[1] == list(resources(10, "?"))
    assert requirements.read(resources(11, "?")) == ({}, ["*"])
    assert amounts_field(resources(51, "1")) == (None, [])


@pytest.mark.parametrize("text", ["{},", '"k":1,', "1,", "\\\\n"])
def test_each_value_and_escape_has_its_price(text: str) -> None:
    assert size_of_answer(text.encode() * 1000).seconds >= 1000 * 0.5e-6


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\ud800", "\ufffd"),
        (r"\udc00\ud800", "\ufffd\ufffd"),
        (r"\ud83d\ude00\ude00", "\U0001f600\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
        (r"\n\\\\ud800", "\n\\\\ud800"),
    ],
)
def test_half_of_a_pair_is_no_character(written: str, read: str) -> None:
    body = f'{{"kind":"Pool","x":"{written}","y":"\\ud800"}}'.encode()
    assert document_of("GET /x", {}, body)["x"] == read


def test_a_control_character_beside_half_of_a_pair_is_no_json() -> None:
    with pytest.raises(TransportError, match="cut off or damaged"):
        document_of("GET /x", {}, b'{"kind":"Pool","x":"\\ud800 \x00 \\n"}')


def test_what_was_asked_for_is_not_called_unasked() -> None:
    assert why_answer_is_no_text(b"\xff", {"Content-Encoding": "gzip"}) == "it is not text in UTF-8"
