# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that lists, releases and renews claims."""

from __future__ import annotations

import importlib
import re
import typing as t
from pathlib import Path
from unittest import mock

import pytest
import yaml
from ansible_collections.poolgate.modelarts.plugins.module_utils import _facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.modules.modelarts_claim import DOCUMENTATION
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import ends
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    PoolClaims,
    dump_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    DEFAULT_SECONDS,
    Asked,
    Row,
    Wanted,
    add_claim,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import open_store
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision import verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group
from ansible_collections.poolgate.modelarts.tests.unit.documented import Comparison, hints, returned_by, wrong

CLAIM = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.action.modelarts_claim")
TYPES = {**vars(_facts), **vars(verdict), **vars(ends), **vars(CLAIM)}
ID = "gitlab.example.com/42/4711/train/localhost/llm"
GITLAB = ("CI_SERVER_HOST", "CI_PROJECT_ID", "CI_PIPELINE_ID", "CI_JOB_NAME")
OWNER = "gitlab.example.com/ml/train/-/jobs/90210"
JOB_URL = f"https://{OWNER}"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in (*GITLAB, "CI_JOB_URL", "GITHUB_RUN_ID", "MODELARTS_CLAIM_STORE"):
        monkeypatch.delenv(name, raising=False)
    url = f"sqlite:///{tmp_path}/claims.db"
    store = open_store(read_location(url))
    asked = Asked("train", 1, (Group(1, {"nvidia.com/gpu": 8000}, None),), {"nvidia.com/gpu": 8000})
    row = Row(0, PoolClaims("born"), store.read().now)
    document, _claim = add_claim(row.document, row, row.reading(()), Wanted(ID, "llm", 900, OWNER, {}, "n"), asked)
    store.swap("pool-a", 0, dump_claims(document))
    return url


def run(
    url: str | None, jobs: t.Any = (), *, check_mode: bool = False, host: str = "localhost", **options: t.Any
) -> tuple[t.Any, list[str], list[str]]:
    """(the result, what was displayed, what was remarked on)."""
    said: list[str] = []
    remarks: list[str] = []
    action = mock.Mock(
        _task=mock.Mock(check_mode=check_mode),
        _variables={"inventory_hostname": host},
        say=said.extend,
        remark=remarks.append,
        job_look=lambda _options: lambda _pool, _names: None if jobs is None else (jobs, True),
    )
    for name in ("_list_claims", "_claims_of_job", "_release_claim", "_renew_claim", "_end_claim"):
        setattr(action, name, getattr(CLAIM.ActionModule, name).__get__(action))
    given = {**dict.fromkeys(CLAIM.ActionModule.own_options), "store": url, **options}
    return CLAIM.ActionModule.act(action, given), said, remarks


def test_a_list(url: str) -> None:
    result, said, _remarks = run(url)
    assert [one["claim"]["id"] for one in result["claims"]] == [ID]
    assert said[0].startswith(f"pool-a: gpu 8 for llm of {OWNER}, 0:14:5")
    assert said[1] == f"  {ID}"
    run(url, state="ended", id=ID)
    (released, _id) = run(url)[1]
    assert re.fullmatch(rf"pool-a: gpu 8 for llm of {OWNER}, 0:0(0:5\d|1:00) \(released\)", released)


def test_an_empty_list(url: str) -> None:
    run(url, state="released", id=ID, submitted=False)
    assert run(url)[1] == [f"Nothing is claimed in {url}."]


def test_a_release_says_what_became_of_it(url: str) -> None:
    result, said, _remarks = run(url, state="released", id=ID)
    assert (result["changed"], result["released"][0]["end"]) == (True, "released")
    assert said == result["messages"]
    assert "is released" in said[0]
    assert run(url, state="released", id="other")[0]["released"][0]["end"] == "gone"


@pytest.mark.parametrize(
    ("claim", "end"),
    [
        (None, "void"),
        ("", "void"),
        (" llm", "void"),
        ('{"job": "llm", "seconds": 60}', "void"),
        ({"job": "llm"}, "void"),
        ("tts", "released"),
        ("llm*", "released"),
        ({"job": "tts"}, "released"),
    ],
)
def test_the_claim_of_another_job_may_have_been_submitted(url: str, claim: object, end: str) -> None:
    """It is that of an earlier gate, where the last one failed before its first task."""
    result = run(url, state="released", id=ID, submitted="no", claim=claim)[0]
    assert result["released"][0]["end"] == end


def test_a_release_in_gitlab_finds_its_claims(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(url, state="released")[0]["released"] == []
    for name, value in zip((*GITLAB, "CI_JOB_URL"), (*ID.split("/")[:4], JOB_URL)):
        monkeypatch.setenv(name, value)
    # A gate that claimed nothing gives no ID, and must not give back what another play or host of the job has.
    assert [run(url, state="released", id=one)[0]["released"] for one in (None, "", " ")] == [[], [], []]
    monkeypatch.setenv("CI_JOB_NAME", "trai")
    result, said, _remarks = run(url, state="released", all_hosts=True)
    assert result["released"] == []
    assert said == ["There is no claim to release. Outside GitLab, give the ID of the claim."]
    monkeypatch.setenv("CI_JOB_NAME", "train")
    monkeypatch.setenv("CI_JOB_URL", f"{JOB_URL}0")
    assert run(url, state="released", all_hosts=True)[0]["released"] == [], "a retry has claimed it"
    monkeypatch.setenv("CI_JOB_URL", JOB_URL)
    result = run(url, state="released", all_hosts=True, submitted="no")[0]
    assert [one["id"] for one in result["released"]] == [ID]


def test_a_release_fails_nothing(url: str, tmp_path: Path) -> None:
    assert run(None, state="released", id=ID)[0] == {"changed": False, "released": [], "messages": []}
    (tmp_path / "claims.db").write_text("x" * 4096, encoding="utf-8")
    result, _said, remarks = run(url, state="released", id=ID)
    assert (result["changed"], "failed" in result) == (False, False)
    assert "The claim stays until it expires." in remarks[0]
    assert run(url, state="listed")[0]["failed"] is True


def test_a_renewal_fails_when_the_claim_is_gone(url: str) -> None:
    result, said, _remarks = run(url, state="renewed", id=ID, seconds="5000")
    assert (result["changed"], 4990 <= result["claim"]["seconds_left"] <= 5000) == (True, True)
    assert said[0].startswith(f"Claim {ID} lasts until ")
    gone = run(url, state="renewed", id="other")[0]
    assert gone["failed"] is True
    assert "Run the gate again" in gone["msg"]
    assert run(url, state="ended", id="other")[0]["failed"] is True


@pytest.mark.parametrize("state", ["released", "renewed", "ended"])
def test_check_mode_writes_nothing(url: str, tmp_path: Path, state: str) -> None:
    before = (tmp_path / "claims.db").read_bytes()
    run(url, state=state, id=ID, check_mode=True)
    assert (tmp_path / "claims.db").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"state": "stolen"}, "must be one of: listed, released, renewed, ended"),
        ({"state": "renewed"}, "id is missing"),
        ({"state": "released", "submitted": "perhaps"}, "must be true or false"),
        ({"state": "released", "id": "a", "submitted": False, "claim": {"name": "llm"}}, "has the key 'name'"),
        ({"state": "renewed", "id": "a b"}, "1 to 200 letters"),
    ],
)
def test_a_mistake_is_told(url: str, options: dict[str, t.Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        run(url, **options)
    assert said in error.value.message


def test_without_a_store_there_is_nothing_to_list(url: str) -> None:
    with pytest.raises(InputError, match="MODELARTS_CLAIM_STORE"):
        run(None)


def test_the_store_of_the_environment_is_that_of_the_controller(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELARTS_CLAIM_STORE", url)
    assert len(run(None)[0]["claims"]) == 1


def test_the_documented_options_are_those_that_are_taken() -> None:
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    assert set(documented) == set(CLAIM.ActionModule.own_options)
    assert tuple(documented["state"]["choices"]) == CLAIM._STATES
    assert documented["seconds"]["default"] == DEFAULT_SECONDS


def test_the_last_step_of_a_pipeline_s_job_gives_back_what_all_hosts_have_claimed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip((*GITLAB, "CI_JOB_URL"), (*ID.split("/")[:4], JOB_URL)):
        monkeypatch.setenv(name, value)
    assert [one["id"] for one in run(url, state="released", host="other", all_hosts="yes")[0]["released"]] == [ID]


def test_the_results_are_of_their_types_and_documented(url: str) -> None:
    results = [
        (run(url)[0], CLAIM.ClaimsListed),
        (run(url, state="renewed", id=ID, seconds=60)[0], CLAIM.ClaimRenewed),
        (run(url, state="renewed", id=ID, check_mode=True)[0], CLAIM.ClaimEnded),
        (run(url, state="released", id=ID, submitted=False)[0], CLAIM.ClaimsReleased),
        (run(url, state="released", id="nobody")[0], CLAIM.ClaimsReleased),
        (run(url, state="ended", id="nobody")[0], CLAIM.ClaimFailure),
    ]
    assert [wrong(result, of, TYPES, of.__name__) for result, of in results] == [[]] * len(results)
    documented = returned_by("modelarts_claim")
    told = set()
    for of in (CLAIM.ClaimsListed, CLAIM.ClaimRenewed, CLAIM.ClaimsReleased):
        keys = hints(of, TYPES).keys() & documented.keys()
        told |= keys
        claims = Comparison("modelarts_claim", TYPES)
        # Ansible's own is documented nowhere.
        assert claims.differences({key: documented[key] for key in keys}, of) == ["changed is not documented"]
    assert told == documented.keys()
