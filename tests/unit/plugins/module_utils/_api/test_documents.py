# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading a document costs is known before it is read, and values that Python takes for equal are not."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import (
    continue_token_of_document,
    document_of,
    says_document_goes_on,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sizes import size_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import SummaryTally

BYTES = 300_000
PRIME = 2**61 - 1  # numbers that differ by it have one hash


def values(part: str) -> str:
    return ",".join([part] * (BYTES // len(part)))


def numbered(part: str, count: int = 0) -> str:
    return ",".join(part % number for number in range(count or BYTES // len(part)))


# As many keys as have the parser's table of them grow for the last time: it takes most for each of them then.
GROWN = 2**16 * 2 // 3 + 3

ITEMS = {
    "empty objects": values("{}"),
    "empty lists": values("[]"),
    "objects": values('{"a":1}'),
    "objects in objects": values('{"":{}}'),
    "objects with keys of their own": numbered('{"%x":"ab"}'),
    "objects with keys of their own, just grown": numbered('{"%x":"ab"}', GROWN),
    "objects in objects with keys of their own": numbered('{"%x":{}}', GROWN),
    "objects of six keys": values('{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}'),
    "an object with many keys": "{" + numbered('"%x":1') + "}",
    "an object with many keys, just grown": "{" + numbered('"%x":"ab"', GROWN) + "}",
    "lists in lists": values("[" * 40 + "]" * 40),
    "numbers": numbered("%d.5"),
    "texts": numbered('"%x"'),
    "wide texts": values('"\u0436"'),
    "texts of pictures": values('"\U0001f600"'),
    "one picture in a long text": f'"{"a" * BYTES}\U0001f600"',
    "one escaped picture in a long text": f'"{"a" * BYTES}\\ud83d\\ude00"',
    "jobs": values(json.dumps({"uid": "u", "resourceRequirement": {"cpu": "8", "memory": "64Gi"}, "nodes": [{}]})),
}


@pytest.mark.parametrize("name", ITEMS)
def test_the_memory_of_a_document_is_told_before_it_is_taken(name: str) -> None:
    body = f'{{"kind":"WorkloadList","items":[{ITEMS[name]}]}}'.encode()
    tracemalloc.start()
    with contextlib.suppress(ModelArtsError):
        document_of("GET it", {}, body)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= size_of_answer(body).memory + 2**16


def test_true_is_not_one() -> None:
    """In a dictionary it is: a requirement that cannot be read would count as one that can."""
    requirements = Requirements()
    assert requirements.read({"cpu": 1}) == ({"cpu": 1000}, [])
    assert requirements.read({"cpu": True}) == ({}, ["cpu"])
    jobs: list[dict[str, t.Any]] = [
        {"status": "Running", "type": "train", "resourceRequirement": {"cpu": cores}} for cores in (1, True)
    ]
    assert SummaryTally(0, jobs).as_facts()["resources_by_status"] == {"Running": {"cpu": 1}}


def seconds_for(requirements: t.Iterable[t.Any]) -> float:
    jobs = [{"status": "Running", "type": "train", "resourceRequirement": one} for one in requirements]
    began = time.process_time()
    SummaryTally(0, jobs)
    return time.process_time() - began


def test_numbers_of_one_hash_take_no_longer_than_others() -> None:
    """2,000 of them took a hundred times as long as others do."""
    others = min(seconds_for({"cpu": "8", "memory": number} for number in range(2000)) for _try in range(3))
    chosen = min(seconds_for({"cpu": "8", "memory": 5 + number * PRIME} for number in range(2000)) for _try in range(3))
    assert chosen < 10 * others


@pytest.mark.parametrize("nothing", [None, 0, "0", ""])
def test_nothing_more_in_whatever_shape_is_the_end_of_a_list(nothing: object) -> None:
    document = {"metadata": {"remainingItemCount": nothing}}
    assert continue_token_of_document("GET /pools", document) is None
    assert not says_document_goes_on(document)


@pytest.mark.parametrize("token", ["%" * 4097, 7, ["a"], {"a": 1}])
def test_a_token_that_is_no_text_of_its_length_is_not_asked_for(token: object) -> None:
    with pytest.raises(ApiError, match="the token for the rest of the list is not a text"):
        continue_token_of_document("GET /pools", {"metadata": {"continue": token}})
    assert continue_token_of_document("GET /pools", {"metadata": {"continue": "%" * 4096}}) == "%" * 4096
