# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers without an end, and answers that are no answer: the client says so, and in time."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http import bodies, sending
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.logins import LOGINS, options_of

from .documents import DOCUMENTS, POOL, DocumentClient, changed, facts_of, world


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_of_any_size_is_broken_off(login: str, compressed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((bodies, "SMALL_ANSWER"), (iam, "SMALL_ANSWER"), (sending, "LARGEST_ANSWER")):
        monkeypatch.setattr(module, name, 2**20)
    with Emulator("demo", faults=[{"do": "huge", "bytes": 2**26, "compressed": compressed}]) as emulator:
        given = {**options_of(emulator, login), "timeout": 20}
        with pytest.raises(ModelArtsError, match="larger than 1 MiB"):
            Client(connect(given, where="here")).show_pool(emulator.state()["pools"][0]["id"])
        assert len(emulator.requests) == 1  # not asked for a second time


NO_DOCUMENTS = [
    {"error_code": "ModelArts.0001", "error_msg": "no"},
    {"errorCode": "ModelArts.0001", "errorMsg": "no"},
    {"errorMsg": "no"},
    {"error": {"code": "ModelArts.0001", "message": "no"}},
    {"code": "ModelArts.0001", "message": "no"},
    {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "no", "code": 403},
    {"result": "ok"},
    {"?": "?"},
]


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("document", NO_DOCUMENTS, ids="-".join)
def test_an_object_that_is_no_document_is_never_an_empty_list(name: str, document: dict[str, t.Any]) -> None:
    facts = facts_of({**world([], 8, 8), name: document})
    assert [error["document"] for error in facts["pools"][0]["errors"]] == [name]
    assert "returned 200" in facts["pools"][0]["errors"][0]["msg"]


def nested(depth: int) -> t.Any:
    value: t.Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("depth", [120, 300, 800, 5_000])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_too_deep_to_print_is_an_error(name: str, depth: int) -> None:
    document = world([], 8, 8)[name]
    text = json.dumps({**document, "extra": "<deep>"})
    body = text.replace('"<deep>"', '{"a":[' * (depth // 2) + "1" + "]}" * (depth // 2)).encode()
    facts = facts_of({**world([], 8, 8), name: body})
    assert [error["document"] for error in facts["pools"][0]["errors"]] == [name]


@pytest.mark.parametrize("text", ['"]"', r'"\"]\""', r'"\\]"', '"a","]"', '"]","a"'])
def test_brackets_in_texts_hide_no_depth(text: str) -> None:
    """A list whose every opening bracket is followed by a closing one within a text, and the other way round."""
    depth = 400
    opened, closed = f"[{text},", f",{text.replace(']', '[')}]"
    deep = opened * depth + "1" + closed * depth
    body = ('{"kind": "Pool", "metadata": {}, "extra": ' + deep + "}").encode()
    facts = facts_of({**world([], 8, 8), "pool": body})
    assert "nested deeper" in facts["pools"][0]["errors"][0]["msg"]


def test_what_is_nested_a_little_is_a_fact() -> None:
    documents = world([], 8, 8)
    assert facts_of({**documents, "pool": {**documents["pool"], "extra": nested(30)}})["pools"][0]["errors"] == []


@pytest.mark.parametrize("value", ["9" * 5_000, float("nan"), float("inf"), -1, "1.5", [], {"a": 1}, True])
def test_a_total_that_cannot_be_one_is_not_told(value: object) -> None:
    documents = {"workloads": {"kind": "WorkloadList", "items": [{"uid": "a"}], "total": value}}
    try:
        pages = DocumentClient(documents).list_workloads(POOL, [])
    except ModelArtsError as error:
        assert isinstance(value, float), error
    else:
        assert (pages.total, len(pages.items)) == (None, 1)


@pytest.mark.parametrize("value", ["9" * 5_000, 10**400, -(10**400), "x", None, True, [1], {"a": 1}])
def test_a_time_of_creation_that_cannot_be_one(value: object) -> None:
    workloads = world([], 8, 8)["workloads"]
    document = changed(
        {**workloads, "items": [{"uid": "a"}, {"uid": "b"}], "total": 2}, ("items", 0, "createTime"), value
    )
    pages = DocumentClient({"workloads": document}).list_workloads(POOL, [])
    assert [item["uid"] for item in pages.items] in (["a", "b"], ["b", "a"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_no_json(number: str) -> None:
    body = f'{{"kind": "WorkloadList", "items": [{{"uid": "a", "createTime": {number}}}], "total": 1}}'.encode()
    with pytest.raises(ModelArtsError, match="cut off or damaged"):
        DocumentClient({"workloads": body}).list_workloads(POOL, [])
