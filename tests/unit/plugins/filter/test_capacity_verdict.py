# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filter is given: an entry of pools, or a sentence."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.poolgate.modelarts.plugins.filter.capacity_verdict import capacity_verdict
from ansible_collections.poolgate.modelarts.tests.unit.fuzz import documents as docs

GPU = docs.GPU
REQUEST = {"resources": {GPU: 1}}
ENTRY = docs.facts_of(docs.world([docs.job(1, "Running", 4, "10.0.0.2")], 8, 4))["pools"][0]


def refusal(*given: t.Any) -> str:
    with pytest.raises(AnsibleFilterError) as refused:
        capacity_verdict(*given)
    message = str(refused.value)
    assert message.startswith("capacity_verdict: ")
    assert "object" not in message
    return message


def test_an_entry_and_a_list_of_them() -> None:
    alone = capacity_verdict(ENTRY, REQUEST)
    assert alone["decision"] == "admit"
    assert capacity_verdict([ENTRY, ENTRY], REQUEST)["pools"] == [alone, alone]
    assert capacity_verdict((ENTRY,), REQUEST)["decision"] == "admit"


@pytest.mark.parametrize(
    "given", [None, 0, 5, 1.5, True, "", "pool-a", b"x", [], [None], [5], [[ENTRY]], {}, {"pools": [ENTRY]}, {1, 2}]
)
def test_what_is_no_entry(given: t.Any) -> None:
    assert "is not an entry of pools of modelarts_workload_info with include_capacity=true." in refusal(given, REQUEST)


@pytest.mark.parametrize("complete", [False, "False", "no", "0", "True", 1, None])
def test_a_list_that_is_not_said_to_be_complete_is_not(complete: object) -> None:
    """A template in a dictionary gives text, with ansible-core 2.18 and before."""
    assert capacity_verdict({**ENTRY, "complete": complete}, REQUEST)["decision"] == "unknown"


def test_it_shows_what_it_was_given() -> None:
    assert "the input, None, is not an entry" in refusal(None, REQUEST)
    assert "the input, 'pool-a', is not an entry" in refusal("pool-a", REQUEST)
    assert "the input, an empty list, is not an entry" in refusal([], REQUEST)


@pytest.mark.parametrize(
    ("request_", "policy", "declared", "words"),
    [
        (None, None, None, "request is None"),
        ("8 gpus", None, None, "request is '8 gpus'"),
        ([REQUEST], None, None, "request is ["),
        (REQUEST, 5, None, "policy is 5"),
        (REQUEST, [], None, "policy is []"),
        (REQUEST, None, 5, "declared_capacity is 5"),
        (REQUEST, None, [], "declared_capacity is []"),
        (REQUEST, None, False, "declared_capacity is False"),
        (REQUEST, {"headroom": {"gpu": 8}}, None, f"did you mean {GPU}?"),
        (REQUEST, None, {"gpu": 8}, f"did you mean {GPU}?"),
    ],
)
def test_arguments_of_another_type(request_: t.Any, policy: t.Any, declared: t.Any, words: str) -> None:
    assert words in refusal(ENTRY, request_, policy, declared)


@pytest.mark.parametrize("value", [None, 5, "text", [], [5], {}, {"a": 5}, [{}]])
@pytest.mark.parametrize("key", sorted(ENTRY))
def test_an_entry_that_is_not_whole_is_a_decision_or_a_sentence(key: str, value: t.Any) -> None:
    entry = copy.deepcopy(ENTRY)
    entry[key] = value
    try:
        assert capacity_verdict(entry, REQUEST)["decision"] in ("admit", "wait", "reject", "unknown")
    except AnsibleFilterError as error:
        assert str(error).startswith("capacity_verdict: ")
    del entry[key]
    try:
        capacity_verdict(entry, REQUEST)
    except AnsibleFilterError as error:
        assert str(error).startswith("capacity_verdict: ")
