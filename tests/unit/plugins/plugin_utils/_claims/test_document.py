# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of claims: what is written is read again, and what others wrote never becomes room."""

from __future__ import annotations

import json
import tracemalloc
import typing as t
import uuid
from dataclasses import replace

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    Claim,
    Ended,
    NewerFormatError,
    PoolClaims,
    UnreadableDocumentError,
    UnwritableDocumentError,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group
from hypothesis import given
from hypothesis import strategies as st

CLAIM = Claim(
    key="gitlab.example.com/42/4711/train/localhost/llm",
    job="llm",
    type="train",
    priority=3,
    groups=(Group(2, {"nvidia.com/gpu": 8000}, None), Group(1, None, "modelarts.vm.gpu.a100")),
    amounts={"nvidia.com/gpu": 24000},
    owner="gitlab.example.com/ml/train/-/jobs/90210",
    labels={"team": "nlp"},
    created=1790000000.5,
    expires=1790000900.5,
    version=18,
    nonce="n",
    known=frozenset({"0f7c"}),
    jobs=("1a",),
)


def raw(**changed: object) -> dict[str, t.Any]:
    """The document of one claim, of which some keys are changed."""
    document = json.loads(dump_claims(PoolClaims("b").with_claims(CLAIM)))
    document["claims"][CLAIM.key].update(changed)
    return t.cast("dict[str, t.Any]", document)


@pytest.mark.parametrize("ended", [None, Ended(1790000100.0, 19, "started")])
def test_what_is_written_is_read_again(ended: Ended | None) -> None:
    document = PoolClaims("0d2c").with_claims(replace(CLAIM, ended=ended))
    assert parse_claims(dump_claims(document)) == document


def test_jobs_that_all_claims_know_are_written_once() -> None:
    """Sixty claims under one glob, in a pool with as many jobs of that name as a look finds."""
    jobs = [str(uuid.UUID(int=number)) for number in range(560)]
    claims = [replace(CLAIM, key=f"id-{at}", known=frozenset(jobs[at : at + 500])) for at in range(60)]
    document = PoolClaims("b").with_claims(*claims, replace(CLAIM, key="none", known=frozenset()))
    text = dump_claims(document)
    assert len(text) < 100_000
    assert parse_claims(text) == document


def test_what_claims_know_takes_no_memory_of_its_own() -> None:
    """A document of a third of a million characters, in which each of a thousand claims knows a thousand jobs."""
    known = [f"{number:x}" for number in range(1000)]
    first = raw()
    claim = {**next(iter(first["claims"].values())), "known": "f" * 250}
    text = json.dumps({**first, "known": known, "claims": {str(number): claim for number in range(1000)}})
    tracemalloc.start()
    try:
        document = parse_claims(text)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    assert {len(claim.known) for claim in document.claims.values()} == {1000}
    assert document.claims["7"].known == frozenset(known)
    assert "3e7" in document.claims["7"].known
    assert "3e8" not in document.claims["7"].known


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (replace(CLAIM, labels={str(at): "x" * 300 for at in range(400)}), "may have 100000: release claims"),
        (replace(CLAIM, groups=(Group(1, None, "x" * 301),)), r"groups.flavor is not a text: ask for less"),
        (replace(CLAIM, groups=(CLAIM.groups[0],) * 201), "groups is not a list"),
        (replace(CLAIM, amounts={"nvidia.com/gpu": 10**19}), "amounts is not a table of amounts"),
        (replace(CLAIM, priority=10**19), "priority is not a whole number"),
        (replace(CLAIM, known=frozenset(map(str, range(1001)))), "known is not a choice"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(claim: Claim, said: str) -> None:
    with pytest.raises(UnwritableDocumentError, match=said):
        dump_claims(PoolClaims("b").with_claims(claim), 100_000)


@pytest.mark.parametrize("word", ["2", "-1", "0x1", "", " 1", "1" * 1251])
def test_known_jobs_are_those_of_the_document(word: str) -> None:
    with pytest.raises(UnreadableDocumentError, match="known is not a choice"):
        parse_claims(json.dumps(raw(known=word)))


def test_the_id_of_a_claim_that_was_replaced_is_the_one_it_had() -> None:
    assert CLAIM.key_when_replaced == f"{CLAIM.id}~18"
    assert replace(CLAIM, key=CLAIM.key_when_replaced).id == CLAIM.id


@pytest.mark.parametrize(
    "changed",
    [
        {"amounts": {"nvidia.com/gpu": -8000}},
        {"amounts": {"nvidia.com/gpu": True}},
        {"amounts": {"nvidia.com/gpu": 1e300}},
        {"amounts": {"nvidia.com/gpu": 10**19}},
        {"amounts": []},
        {"groups": [{"replicas": -1, "resources": None, "flavor": None}]},
        {"groups": [None]},
        {"groups": {}},
        {"groups": [{"replicas": 1, "resources": None, "flavor": None}] * 201},
        {"expires": -1},
        {"expires": True},
        {"expires": "soon"},
        {"version": None},
        {"job": None},
        {"job": "x" * 301},
        {"priority": "high"},
        {"priority": 10**30},
        {"labels": {"team": 1}},
        {"known": [1]},
        {"known": "abc"},
        {"jobs": ["x"] * 1001},
        {"ended": {"at": 1, "version": 1, "why": "bored"}},
        {"ended": 1},
    ],
)
def test_what_is_not_as_it_must_be_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(UnreadableDocumentError, match=r"is not|is no"):
        parse_claims(json.dumps(raw(**changed)))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_no_time_is_endless(word: str) -> None:
    with pytest.raises(UnreadableDocumentError):
        parse_claims(dump_claims(PoolClaims("b").with_claims(CLAIM)).replace("1790000900.5", word))


@pytest.mark.parametrize(
    "text", ["", "nothing", "[]", "{}", "[" * 100_000, '{"format": 1}', '{"format": 1, "claims": {}}', "9" * 5000]
)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(UnreadableDocumentError):
        parse_claims(text)


def test_a_later_format_is_told_apart() -> None:
    with pytest.raises(NewerFormatError, match="its format is 2"):
        parse_claims('{"format": 2, "claims": "of another kind"}')


def test_a_document_is_bounded() -> None:
    with pytest.raises(UnreadableDocumentError, match="1000001 characters"):
        parse_claims(" " * 1_000_001)
    many = {**raw(), "claims": dict.fromkeys(map(str, range(1001)), None)}
    with pytest.raises(UnreadableDocumentError, match="1001 claims"):
        parse_claims(json.dumps(many))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(raw()["claims"][CLAIM.key])), VALUES)
def test_whatever_stands_at_a_key_is_read_or_refused(key: str, value: object) -> None:
    try:
        claims = parse_claims(json.dumps(raw(**{key: value}))).claims.values()
    except UnreadableDocumentError:
        return
    assert all(amount >= 0 for claim in claims for amount in claim.amounts.values())
    assert all(group.replicas >= 0 for claim in claims for group in claim.groups)


def test_a_document_without_what_was_added_is_taken_for_the_worse() -> None:
    """Its claims were promised places, and may not know all jobs that were there before."""
    raw = json.loads(dump_claims(PoolClaims("born", {CLAIM.key: CLAIM})))
    claim = raw["claims"][CLAIM.key]
    del claim["knows_all"], claim["is_placed"]
    for group in claim["groups"]:
        del group["affinity_group_size"]
    parsed = parse_claims(json.dumps(raw)).claims[CLAIM.key]
    assert (parsed.knows_all, parsed.is_placed) == (False, True)
    assert [group.affinity_group_size for group in parsed.groups] == [1] * len(parsed.groups)
    claim["groups"][0]["affinity_group_size"] = 0
    parsed = parse_claims(json.dumps(raw)).claims[CLAIM.key]
    assert parsed.groups[0].affinity_group_size == 1
