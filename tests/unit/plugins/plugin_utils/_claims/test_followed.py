# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim of a followed job, on a real file."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import followed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    PoolClaims,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.followed import (
    FollowedClaims,
    read_followed_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import Asked, Row, Wanted, add_claim
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import open_store

GPU = "nvidia.com/gpu"
OWN = [("first", "n"), ("second", "n")]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in which two gates of a run have claimed for the jobs train and eval, for a minute each."""
    url = f"sqlite:///{tmp_path}/claims.db"
    store = open_store(read_location(url))
    document, now = PoolClaims("born"), store.read().now
    for version, (claim_id, name) in enumerate([("first", "train"), ("second", "eval")]):
        row = Row(version, document, now)
        wanted = Wanted(claim_id, name, 60, "owner", {}, "n")
        document, _claim = add_claim(
            document, row, row.reading((), read_at=0.0), wanted, Asked("train", 1, (), {GPU: 8000})
        )
    store.swap("pool-a", 0, dump_claims(document))
    return url


def left(url: str) -> dict[str, tuple[int, str | None]]:
    """For how long each claim lasts in all, and why it has ended."""
    _version, text = open_store(read_location(url)).read().by_pool["pool-a"]
    claims = parse_claims(str(text)).claims
    return {key: (round(one.expires - one.created, -2), one.ended and one.ended.why) for key, one in claims.items()}


def look(_pool: str, _names: list[str]) -> t.Any:
    job = {"job_uuid": "u", "uid": "u", "job_name": "train", "type": "train", "status": "Running", "unread": []}
    return [{**job, "host_ips": ["10.0.0.1"], "resources": {GPU: 8}, "created": 1.0}], True


def test_the_claim_of_the_job_is_renewed_and_ends_and_no_other(url: str) -> None:
    """Two gates in one play, of which the watch follows the job of the first."""
    remarks: list[str] = []
    claims = FollowedClaims(url, OWN, remarks.append)
    claims.renew_for("train")
    assert left(url) == {"first": (900, None), "second": (100, None)}
    claims.end_by("train", "u", look)
    assert left(url) == {"first": (900, "started"), "second": (100, None)}
    assert remarks == []


def test_a_job_that_nothing_was_claimed_for_is_told_and_touches_nothing(url: str) -> None:
    remarks: list[str] = []
    before = left(url)
    claims = FollowedClaims(url, OWN, remarks.append)
    claims.renew_for("other")
    claims.end_by("other", "u", look)
    assert left(url) == before
    assert remarks == ["The claims of this run are not for a job other, and stay as they are."]


def test_a_name_is_renewed_for_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    monkeypatch.setattr(followed, "renew_claims_for_job", lambda _store, _own, name: names.append(name))
    claims = FollowedClaims(url, OWN, print)
    for name in ("u", "train", "u", "train"):
        claims.renew_for(name)
    assert names == ["u", "train"]


def test_a_store_that_cannot_be_asked_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "claims.db").write_text("x" * 4096, encoding="utf-8")
    remarks: list[str] = []
    claims = FollowedClaims(f"sqlite:///{tmp_path}/claims.db", OWN, remarks.append)
    claims.renew_for("train")
    claims.end_by("train", "u", look)
    assert len(remarks) == 2
    assert all(one.endswith(" The claim stays until it expires.") for one in remarks)


def test_claims_as_gates_return_them() -> None:
    assert read_followed_claims({"id": "a", "nonce": "n", "job": "llm"}) == [("a", "n")]
    assert read_followed_claims([{"id": "a"}, {"id": "b", "nonce": ""}]) == [("a", ""), ("b", "")]
    assert read_followed_claims([]) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a", "claims has 'a', but must be a list of claims, each with its id and its nonce."),
        (["a"], "claims has 'a', but must be a list of claims, each with its id and its nonce."),
        ([{"nonce": "n"}], "claims.id is None, and must have 1 to 200 letters, digits and characters of _.:/@-"),
        ([{"id": "a", "nonce": "{{ n }}"}], "claims.nonce is '{{ n }}', and must have 1 to 200 letters"),
    ],
)
def test_what_is_no_list_of_claims_is_refused(given: object, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_followed_claims(given)
    assert refused.value.message.startswith(said)
