# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim that a user wishes for, and by what it is known."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.wish import (
    id_of_host,
    owner_of_claims,
    read_wish,
    read_wished_id,
    wished_id_of,
    wished_id_prefix_of_pipeline,
)

GITLAB = {
    "CI_SERVER_HOST": "gitlab.example.com",
    "CI_PROJECT_ID": "42",
    "CI_PIPELINE_ID": "4711",
    "CI_JOB_NAME": "train",
    "CI_JOB_URL": "https://gitlab.example.com/ml/train/-/jobs/90210",
}


@pytest.mark.parametrize(
    ("value", "job", "seconds"),
    [
        (" llm-4711 ", "llm-4711", 900),
        (4711, "4711", 900),
        ({"job": "llm", "seconds": "60"}, "llm", 60),
        ('{"job": "llm-*", "labels": {"team": "nlp"}}', "llm-*", 900),
        ({"job": "llm", "id": "", "labels": None, "seconds": None}, "llm", 900),
    ],
)
def test_a_wish_in_every_form(value: object, job: str, seconds: float) -> None:
    wish = read_wish(value)
    assert (wish.job, wish.seconds, wish.id) == (job, seconds, None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "names no job"),
        ({"name": "llm"}, "has the key 'name'"),
        ({"job": ["llm"]}, "must be a text"),
        ({"job": True}, "must be a text"),
        ("x" * 129, "at most 128 printable"),
        ("a\nb", "at most 128 printable"),
        ({"job": "llm", "seconds": 29}, "must be 30 to 604800"),
        ({"job": "llm", "seconds": 604801}, "must be 30 to 604800"),
        ({"job": "llm", "seconds": "soon"}, "seconds"),
        ({"job": "llm", "id": "a b"}, "claim.id is 'a b'"),
        ({"job": "llm", "labels": ["a"]}, "labels"),
        ({"job": "llm", "labels": {"a": ["b"]}}, "must be a text"),
        ("{job}", "not a dictionary"),
    ],
)
def test_a_mistake_is_told(value: object, said: str) -> None:
    with pytest.raises(InputError) as error:
        read_wish(value)
    assert said in error.value.message


@pytest.mark.parametrize(
    "value",
    [
        16**5000,
        {"job": 16**5000},
        {"job": "llm", "id": 16**5000},
        {"job": "llm", "seconds": 16**5000},
        {"job": "llm", "labels": 16**5000},
        {"job": "llm", "labels": {"team": 16**5000}},
        {"job": "llm", "labels": {16**5000: "team"}},
        {"job": "llm", 16**5000: 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_number_without_end_is_refused_in_a_sentence(value: object) -> None:
    with pytest.raises(InputError, match="is a value that is too long to be shown|has the key a value that is too"):
        read_wish(value)


def test_the_id_of_a_pipeline_s_job_is_the_same_for_a_retry() -> None:
    one, other = (read_wish("llm").wanted("localhost", {}, GITLAB) for _number in range(2))
    assert one.id == other.id == "gitlab.example.com/42/4711/train/localhost/llm"
    assert one.nonce != other.nonce
    assert one.owner == "gitlab.example.com/ml/train/-/jobs/90210"
    assert one.id.startswith(wished_id_prefix_of_pipeline(GITLAB) + "/")


def test_two_legs_of_a_matrix_have_two_ids() -> None:
    names = ("train: [a, b]", "train: [a- b]", "train: [a  b]")
    ids = {read_wish("llm").wanted("localhost", {}, {**GITLAB, "CI_JOB_NAME": name}).id for name in names}
    assert len(ids) == 3
    assert all(read_wished_id(one) == one for one in ids)


def test_no_job_of_a_pipeline_finds_the_claims_of_another() -> None:
    """Strokes are usual in names of GitLab's jobs, and in those of hosts and jobs of ModelArts nothing forbids them."""
    jobs = ("train", "train/a100", "train/a100/localhost", "train:a100", "train-a100")
    environments = [{**GITLAB, "CI_JOB_NAME": name} for name in jobs]
    hosts = ("h", "h/1", "h/1/llm")
    ids = {
        (one["CI_JOB_NAME"], host): read_wish("llm/7b").wanted(host, {}, one).id
        for one in environments
        for host in hosts
    }
    assert len(set(ids.values())) == len(ids)
    for one in environments:
        own = [place for place, claim_id in ids.items() if claim_id.startswith(wished_id_prefix_of_pipeline(one) + "/")]
        assert own == [(one["CI_JOB_NAME"], host) for host in hosts]
        for host in hosts:
            begin = id_of_host(host, one) + "/"
            assert [place for place, claim_id in ids.items() if claim_id.startswith(begin)] == [own[hosts.index(host)]]


@pytest.mark.parametrize("text", ["train: [a100, 8]", "a/b", "x" * 40, "\udcff"])
def test_what_is_named_like_the_id_of_another_has_another_id(text: str) -> None:
    """Names of GitLab's jobs, of hosts and of jobs are chosen by others, and IDs are there to be read."""
    ids = [wished_id_of([text])]
    for _number in range(3):
        ids.append(wished_id_of([ids[-1]]))
    assert len(set(ids)) == len(ids)
    assert all(read_wished_id(one) == one and len(one) <= 31 for one in ids)


@pytest.mark.parametrize(
    "text", ["train", "llm-pretrain-7b", "gitlab.example.com", "train-0123456789", "a-0123456789abc"]
)
def test_an_ordinary_name_is_its_own_id(text: str) -> None:
    assert wished_id_of([text]) == text


def test_the_longest_names_have_ids_that_begin_with_their_prefix() -> None:
    matrix = (
        "train: [llama-3-70b-instruct, eu-de, a100-80gb, bf16, flash-attention-2, sequence-length-8192, batch-1024]"
    )
    long = dict.fromkeys(GITLAB, matrix * 2)
    one, other = (read_wish("j" * 120 + name).wanted("h" * 250, {}, long) for name in "ab")
    assert read_wished_id(one.id) == one.id != other.id
    assert one.id.startswith(id_of_host("h" * 250, long) + "/")
    assert id_of_host("h" * 250, long).startswith(wished_id_prefix_of_pipeline(long) + "/")


def test_a_retry_is_another_owner() -> None:
    url = "https://gitlab.example.com/" + "group/" * 40 + "-/jobs/"
    one, other = (owner_of_claims({}, {**GITLAB, "CI_JOB_URL": f"{url}{number}"}) for number in (90210, 90211))
    assert one == "gitlab.example.com/-/jobs/90210" != other
    github = {"GITHUB_RUN_ID": "7", "GITHUB_REPOSITORY": "ml/train", "GITHUB_RUN_ATTEMPT": "2"}
    assert owner_of_claims({}, github) == "ml/train/actions/runs/7/attempts/2"


def test_only_a_derived_id_is_of_a_run() -> None:
    derived = read_wish("llm").wanted("localhost", {}, GITLAB)
    assert derived.family == derived.id
    assert read_wish("llm").wanted("localhost", {}, {}).family == ""
    assert read_wish({"job": "llm", "id": "mine/4711"}).wanted("localhost", {}, GITLAB).family == ""


@pytest.mark.parametrize("missing", [*GITLAB])
def test_elsewhere_an_id_is_random(missing: str) -> None:
    """GitHub has one name for all legs of a matrix: what two may share is no ID."""
    environment = {**GITLAB, missing: ""}
    one, other = (read_wish("llm").wanted("localhost", {}, environment) for _number in range(2))
    assert one.id != other.id
    assert wished_id_prefix_of_pipeline(environment) == ""


def test_an_id_that_is_given_counts() -> None:
    assert read_wish({"job": "llm", "id": "mine/4711"}).wanted("localhost", {}, GITLAB).id == "mine/4711"


@pytest.mark.parametrize(
    ("variables", "environment", "owner"),
    [
        ({}, {"GITHUB_RUN_ID": "7", "GITHUB_REPOSITORY": "ml/train"}, "ml/train/actions/runs/7"),
        ({"awx_job_id": 31}, {}, "AWX job 31"),
        ({"awx_job_id": 31, "ansible_facts": {"other": 1}}, {}, "AWX job 31"),
    ],
)
def test_who_is_to_be_asked(variables: dict[str, t.Any], environment: dict[str, str], owner: str) -> None:
    assert read_wish("llm").wanted("localhost", variables, environment).owner == owner
    assert " on " in read_wish("llm").wanted("localhost", {}, {}).owner
    of_a_host = {"awx_job_id": "31 of somebody else", "ansible_facts": {"awx_job_id": "31 of somebody else"}}
    assert " on " in read_wish("llm").wanted("localhost", of_a_host, {}).owner


def test_long_parts_are_cut_and_told_apart() -> None:
    one, other = wished_id_of(["x" * 300, "a"]), wished_id_of(["x" * 300, "b"])
    assert one != other
    assert read_wished_id(one) == one


@pytest.mark.parametrize("value", ["", "a b", "{{ x }}", "a~1", "x" * 201, None, ["a"], "\u0431"])
def test_what_is_no_id(value: object) -> None:
    with pytest.raises(InputError, match="1 to 200 letters"):
        read_wished_id(value)
