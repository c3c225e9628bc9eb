# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write as request and policy: what it comes to, and what is said of what cannot be meant."""

from __future__ import annotations

import typing as t
from fractions import Fraction

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    Group,
    check_together,
    read_declared_capacity,
    read_policy,
    read_request,
)
from hypothesis import given
from hypothesis import strategies as st

GPU = "nvidia.com/gpu"
SNT9, D1980 = "huawei.com/ascend-snt9", "huawei.com/ascend-1980"
SNT3, D310 = "huawei.com/ascend-snt3", "huawei.com/ascend-310"


def refusal(call: t.Callable[..., object], *arguments: object) -> str:
    """The sentence with which it is refused."""
    with pytest.raises(InputError) as refused:
        call(*arguments)
    message = refused.value.message
    assert message.endswith((".", "?"))
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    ("given", "groups"),
    [
        ({"resources": {GPU: 8}}, (Group(1, {GPU: 8000}, None),)),
        ({"replicas": "4", "resources": {GPU: "8", "cpu": "60", "memory": "400Gi"}},
         (Group(4, {GPU: 8000, "cpu": 60000, "memory": 400 * 2**30}, None),)),
        ({"replicas": 2, "flavor": "modelarts.vm.gpu.8"}, (Group(2, None, "modelarts.vm.gpu.8"),)),
        ({"resources": {D1980: 8}}, (Group(1, {SNT9: 8000}, None),)),
        ({"resources": {D310: "1"}}, (Group(1, {SNT3: 1000}, None),)),
        ({"resources": {GPU: "1073m"}}, (Group(1, {GPU: 1073}, None),)),
        ({"resources": {GPU: 0, "cpu": "500m"}}, (Group(1, {"cpu": 500}, None),)),
        ({"groups": [{"resources": {"cpu": 4}}, {"replicas": "3", "resources": {GPU: 8}}]},
         (Group(1, {"cpu": 4000}, None), Group(3, {GPU: 8000}, None))),
        ({"replicas": 1, "resources": {"cpu": 1}, "flavor": "", "type": "", "priority": None, "replaces": None},
         (Group(1, {"cpu": 1000}, None),)),
    ],
)  # fmt: skip
def test_groups_as_users_and_surveys_write_them(given: t.Any, groups: tuple[Group, ...]) -> None:
    assert read_request(given).groups == groups


def test_all_of_a_request() -> None:
    asked = read_request(
        {
            "groups": [{"resources": {"cpu": 4}}, {"replicas": 3, "resources": {GPU: 8, "cpu": 2}}],
            "type": "train",
            "priority": "-2",
            "replaces": {"job_uuid": "c237e9e1", "replicas": "2"},
        }
    )
    assert (asked.type, asked.priority, asked.replicas) == ("train", -2, 4)
    assert asked.replaces is not None
    assert (asked.replaces.job_uuid, asked.replaces.replicas) == ("c237e9e1", 2)
    assert asked.resources() == {"cpu": 10000, GPU: 24000}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, ["request is None", "dictionary"]),
        ({}, ["resources", "flavor"]),
        ({"replicas": 2}, ["either resources", "or flavor"]),
        ({"resources": {GPU: 8}, "flavor": "f"}, ["either resources", "or flavor"]),
        ({"resource": {GPU: 8}}, ["'resource'", "did you mean resources?"]),
        ({"replicsa": 2, "resources": {GPU: 8}}, ["'replicsa'", "did you mean replicas?"]),
        ({"zzz": 1, "resources": {GPU: 8}}, ["'zzz'", "replicas, resources, flavor, groups, type, priority, replaces"]),
        ({"groups": [{"resources": {GPU: 1}, "flavour": "f"}]}, ["request.groups[0]", "did you mean flavor?"]),
        ({"groups": [{"resources": {GPU: 1}}], "replicas": 2}, ["groups and replicas"]),
        ({"groups": []}, ["request.groups"]),
        ({"groups": {"resources": {GPU: 1}}}, ["request.groups"]),
        ({"groups": [{"resources": {GPU: 1}}, {}]}, ["request.groups[1]"]),
        ({"replicas": 0, "resources": {GPU: 1}}, ["request.replicas is 0", "1 or more"]),
        ({"replicas": -1, "resources": {GPU: 1}}, ["request.replicas is -1"]),
        ({"replicas": "two", "resources": {GPU: 1}}, ["request.replicas is 'two'", "whole number"]),
        ({"replicas": 1.5, "resources": {GPU: 1}}, ["request.replicas is 1.5", "whole number"]),
        ({"replicas": True, "resources": {GPU: 1}}, ["request.replicas is True", "whole number"]),
        ({"replicas": 10**9, "resources": {GPU: 1}}, ["request.replicas", "at most"]),
        ({"resources": {}}, ["asks for nothing"]),
        ({"resources": {GPU: 0}}, ["asks for nothing"]),
        ({"resources": "8 gpus"}, ["request.resources is '8 gpus'"]),
        ({"resources": {GPU: "eight"}}, ["request.resources", GPU, "'eight'"]),
        ({"resources": {GPU: None}}, ["request.resources", GPU]),
        ({"resources": {GPU: -1}}, ["request.resources", GPU, "-1"]),
        ({"resources": {GPU: True}}, ["request.resources", GPU, "True"]),
        ({"resources": {"cpu": "1 GiB"}}, ["request.resources", "cpu", "1 GiB"]),
        ({"resources": {D1980: 8, SNT9: 8}}, ["one card twice", D1980, SNT9]),
        ({"resources": {"gpu\x1b[31m": 1}}, ["name of a resource"]),
        ({"flavor": 8}, ["request.flavor is 8"]),
        ({"resources": {GPU: 1}, "type": "a job"}, ["request.type is 'a job'", "the name of a job type"]),
        ({"resources": {GPU: 1}, "type": 7}, ["request.type is 7", "the name of a job type"]),
        ({"resources": {GPU: 1}, "type": "x" * 41}, ["request.type is 'xxx", "the name of a job type"]),
        ({"resources": {GPU: 1}, "priority": "high"}, ["request.priority is 'high'"]),
        ({"resources": {GPU: 1}, "replaces": "c237e9e1"}, ["request.replaces", "job_uuid"]),
        ({"resources": {GPU: 1}, "replaces": {"replicas": 2}}, ["request.replaces", "job_uuid"]),
        ({"resources": {GPU: 1}, "replaces": {"job_uuid": "c", "replicas": 0}}, ["replaces.replicas is 0"]),
        ({"resources": {GPU: 1}, "replaces": {"job_uid": "c"}}, ["'job_uid'", "did you mean job_uuid?"]),
    ],
)  # fmt: skip
def test_requests_that_cannot_be_meant(given: t.Any, words: list[str]) -> None:
    message = refusal(read_request, given)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("headroom", "capacity", "kept"),
    [
        ({GPU: 2}, 64_000, 2000),
        ({GPU: "2"}, 64_000, 2000),
        ({GPU: "500m"}, 64_000, 500),
        ({GPU: "10%"}, 64_000, 6400),
        ("10%", 64_000, 6400),
        (" 10 % ", 64_000, 6400),
        ("12.5%", 64_000, 8000),
        ("33.333%", 1000, 334),
        ("0.001%", 1, 1),
        ("0%", 64_000, 0),
        ("100%", 64_000, 64_000),
        (None, 64_000, 0),
        ({}, 64_000, 0),
        ({"cpu": "50%"}, 64_000, 0),
    ],
)
def test_headroom_in_quantities_and_percent(headroom: t.Any, capacity: int, kept: int) -> None:
    assert read_policy({"headroom": headroom}).kept(GPU, capacity) == kept


def test_headroom_under_both_spellings_of_a_card() -> None:
    assert read_policy({"headroom": {D1980: 2}}).kept(SNT9, 64_000) == 2000
    assert read_policy({"headroom": {D1980: "50%"}}).kept(SNT9, 64_000) == 32_000


@given(st.integers(0, 100_000), st.integers(0, 10**15))
def test_a_percentage_is_exact_and_rounded_up(thousandths: int, capacity: int) -> None:
    kept = read_policy({"headroom": f"{thousandths // 1000}.{thousandths % 1000:03}%"}).kept(GPU, capacity)
    exact = Fraction(capacity) * thousandths / 100_000
    assert exact <= kept < exact + 1


def test_policy_as_surveys_write_it() -> None:
    policy = read_policy(
        {
            "queue_strategy": "backfill",
            "queue_scope": "type",
            "max_oldest_queued_seconds": "600",
            "placement": "aggregate",
            "stable_seconds": "60",
            "headroom": "",
        }
    )
    assert (policy.queue_strategy, policy.queue_scope, policy.placement) == ("backfill", "type", "aggregate")
    assert (policy.max_oldest_queued_seconds, policy.stable_seconds) == (600, 60)


@pytest.mark.parametrize("given", [None, {}, {"queue_strategy": None, "placement": ""}])
def test_policy_when_nothing_is_said(given: t.Any) -> None:
    policy = read_policy(given)
    assert (policy.queue_strategy, policy.queue_scope, policy.placement) == ("auto", "pool", "required")
    assert (policy.max_oldest_queued_seconds, policy.stable_seconds, policy.kept(GPU, 64_000)) == (None, 0, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("fifo", ["policy is 'fifo'", "dictionary"]),
        ({"headroon": "10%"}, ["'headroon'", "did you mean headroom?"]),
        ({"queue_stratgy": "fifo"}, ["did you mean queue_strategy?"]),
        ({"headroom": "10"}, ["policy.headroom is '10'", "10%"]),
        ({"headroom": 10}, ["policy.headroom is 10"]),
        ({"headroom": "101%"}, ["policy.headroom is '101%'", "0% to 100%"]),
        ({"headroom": {GPU: "200%"}}, ["200%", GPU]),
        ({"headroom": {GPU: "-1%"}}, ["-1%"]),
        ({"headroom": {GPU: "a few"}}, ["a few", GPU]),
        ({"headroom": {D1980: 1, SNT9: 2}}, [D1980, SNT9]),
        ({"queue_strategy": "lifo"}, ["policy.queue_strategy is 'lifo'", "auto, fifo, backfill"]),
        ({"queue_scope": "project"}, ["policy.queue_scope", "pool, type"]),
        ({"placement": "no"}, ["policy.placement", "required, aggregate"]),
        ({"stable_seconds": -1}, ["policy.stable_seconds is -1", "0 or more"]),
        ({"max_oldest_queued_seconds": "1h"}, ["policy.max_oldest_queued_seconds is '1h'"]),
    ],
)
def test_policies_that_cannot_be_meant(given: t.Any, words: list[str]) -> None:
    message = refusal(read_policy, given)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("given", [None, {}, ""])
def test_no_declared_capacity(given: t.Any) -> None:
    assert read_declared_capacity(given) is None


def test_a_declared_capacity() -> None:
    assert read_declared_capacity({D310: "64", "memory": "1Ti"}) == {SNT3: 64_000, "memory": 2**40}
    assert "declared_capacity" in refusal(read_declared_capacity, {GPU: "many"})
    assert "declared_capacity" in refusal(read_declared_capacity, "64")


def test_what_must_be_meant_together() -> None:
    asked = read_request({"resources": {GPU: 1}})
    typed = read_request({"resources": {GPU: 1}, "type": "train"})
    assert "request.type" in refusal(check_together, asked, read_policy({"queue_scope": "type"}), 3600)
    check_together(typed, read_policy({"queue_scope": "type"}), 3600)
    message = refusal(check_together, asked, read_policy({"stable_seconds": 601}), 600)
    assert "601" in message
    assert "600 s" in message
    check_together(asked, read_policy({"stable_seconds": 600}), 600)
