# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt of a gate, as a proposal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.attempt import Answer, propose
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import PoolClaims
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Asked,
    Counted,
    Row,
    SeenJob,
    Stage,
    Wanted,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

ASKED = Asked("train", 1, (Group(1, {"nvidia.com/gpu": 8000}, None),), {"nvidia.com/gpu": 8000})


def wanted(claim_id: str = "a") -> Wanted:
    return Wanted(claim_id, "train", 900, "owner", {}, "nonce")


def room_for(cards: int) -> Callable[[Sequence[Counted]], Answer[int]]:
    def decide(counted: Sequence[Counted]) -> Answer[int]:
        taken = sum(one.amounts["nvidia.com/gpu"] for one in counted) // 1000
        return Answer(taken, taken + 8 <= cards, ASKED)

    return decide


EMPTY = Row(0, PoolClaims("born"), 1000.0)


def test_an_admission_is_a_claim_to_write() -> None:
    proposal = propose(EMPTY.reading(()), EMPTY, wanted(), room_for(8))
    assert proposal.claim == proposal.document.claims["a"]
    assert (proposal.version, proposal.is_changed, proposal.claim.version) == (0, True, 1)


@pytest.mark.parametrize(("want", "cards"), [(None, 8), (wanted(), 7)])
def test_without_an_admission_or_a_wish_nothing_is_to_be_written(want: Wanted | None, cards: int) -> None:
    proposal = propose(EMPTY.reading(()), EMPTY, want, room_for(cards))
    assert (proposal.claim, proposal.is_changed, proposal.document) == (None, False, EMPTY.document)


def test_others_count_and_what_a_gate_sees_it_marks() -> None:
    document = propose(EMPTY.reading((), read_at=0.0), EMPTY, wanted(), room_for(8)).document
    row = Row(1, document, 1001.0)
    refused = propose(row.reading(()), row, wanted("b"), room_for(15))
    assert (refused.verdict, refused.claim, refused.is_changed) == (8, None, False)
    running = SeenJob("1", "train", "train", Stage.RUNS, True, {"nvidia.com/gpu": 8000}, created=1.0)
    marked = propose(row.reading((running,)), row, wanted("b"), room_for(7))
    assert (marked.verdict, marked.claim, marked.is_changed) == (0, None, True)
    assert marked.document.claims["a"].ended is not None


def test_a_second_try_is_not_refused_because_of_the_first() -> None:
    document = propose(EMPTY.reading(()), EMPTY, wanted(), room_for(8)).document
    row = Row(1, document, 1001.0)
    assert propose(row.reading(()), row, wanted(), room_for(8)).claim is not None
