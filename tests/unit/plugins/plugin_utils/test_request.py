# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write as request and policy: what it comes to, and what is said of what cannot be meant."""

from __future__ import annotations

import typing as t
from fractions import Fraction

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.strategies import STRATEGIES
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    Group,
    check_names_in_policy,
    check_request_with_policy,
    read_declared_capacity,
    read_policy,
    read_request,
    read_seconds,
    remarks_on_request,
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


ENDLESS = int("f" * 5000, 16)


@pytest.mark.parametrize(
    "value", [ENDLESS, -ENDLESS, 10**9, -(10**9), [ENDLESS], {ENDLESS: ENDLESS}], ids=lambda value: type(value).__name__
)
def test_a_number_without_end_is_refused_in_a_sentence(value: object) -> None:
    """YAML reads hexadecimal digits without a limit, and Python refuses to write as many decimal ones."""
    whole = {"resources": {GPU: 8}}
    for key in ("replicas", "priority", "affinity_group_size", "type", "groups", "replaces", "flavor"):
        assert key in refusal(read_request, {**whole, key: value})
    assert "replicas" in refusal(read_request, {**whole, "replaces": {"job_uuid": "u", "replicas": value}})
    for key in ("ladder_seconds", "max_oldest_queued_seconds", "stable_seconds", "queue_scope", "headroom"):
        assert key in refusal(read_policy, {key: value})
    assert "card_groups" in refusal(read_policy, {"card_groups": {"f": value}})
    assert "seconds" in refusal(read_seconds, "seconds", value)
    if value not in (10**9, -(10**9)):
        assert GPU in refusal(read_request, {"resources": {GPU: value}})
        assert "headroom" in refusal(read_policy, {"headroom": {GPU: value}})
        assert "declared_capacity" in refusal(read_declared_capacity, {GPU: value})
    for key in (ENDLESS, (ENDLESS,)):
        assert "no key" in refusal(read_request, {**whole, key: 1})
        assert "declared_capacity" in refusal(read_declared_capacity, {key: 1})


def test_the_largest_integers_are_the_same_as_a_number_and_as_text() -> None:
    for value in (999_999_999, "999999999"):
        assert read_request({"resources": {GPU: 8}, "priority": value}).priority == 999_999_999
    sentence = refusal(read_request, {"resources": {GPU: 8}, "replicas": 10**9})
    assert sentence.endswith("must be a whole number of 1 or more with at most nine digits.")


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
        ({"resources": {"gpu\x1b[31m": 1}}, ["name of a resource", "'gpu\\x1b[31m'", "U+001B"]),
        ({"resources": {"nvidia.com\u200b/gpu": 1}}, ["'nvidia.com\\u200b/gpu'", "U+200B (ZERO WIDTH SPACE)"]),
        ({"resources": {"nvidia.com/g\u0440u": 1}}, ["U+0440 (CYRILLIC SMALL LETTER ER)"]),
        ({"resources": {"CPU": 60}}, ["'CPU'", "did you mean cpu?"]),
        ({"resources": {"cpu": 60, "Memory": "400Gi"}}, ["'Memory'", "did you mean memory?"]),
        ({"resources": {GPU: "8Gi"}}, [GPU, "'8Gi'", "is a size"]),
        ({"resources": {GPU: "8G"}}, [GPU, "'8G'", "is a size"]),
        ({"resources": {"cpu": "60 GiB"}}, ["cpu", "'60 GiB'", "is a size"]),
        ({"flavor": 8}, ["request.flavor is 8"]),
        ({"resources": {GPU: 1}, "type": "a job"}, ["request.type is 'a job'", "the name of a job type"]),
        ({"resources": {GPU: 1}, "type": 7}, ["request.type is 7", "the name of a job type"]),
        ({"resources": {GPU: 1}, "type": "x" * 41}, ["request.type is 'xxx", "the name of a job type"]),
        ({"resources": {GPU: 1}, "priority": "high"}, ["request.priority is 'high'"]),
        ({"resources": {GPU: 1}, "replaces": "c237e9e1"}, ["request.replaces", "job_uuid"]),
        ({"resources": {GPU: 1}, "replaces": {"replicas": 2}}, ["request.replaces", "job_uuid"]),
        ({"resources": {GPU: 1}, "replaces": {"job_uuid": ""}}, ["request.replaces", "job_uuid"]),
        ({"resources": {GPU: 1}, "replaces": {"job_uuid": " \u200b"}}, ["request.replaces", "job_uuid"]),
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
        ({GPU: "10%"}, 64_000, 7000),
        ("10%", 64_000, 7000),
        ("10%", 24_000, 3000),
        ("10%", 20_000, 2000),
        (" 10 % ", 64_000, 7000),
        ("10%\u200b", 64_000, 7000),
        ("12.5%", 64_000, 8000),
        ("33.333%", 1000, 1000),
        ("10%", 500, 500),
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


@given(st.integers(0, 100_000), st.integers(0, 10**15), st.sampled_from([("cpu", 1), ("memory", 1), (GPU, 1000)]))
def test_a_percentage_is_exact_and_rounded_up(thousandths: int, capacity: int, counted: tuple[str, int]) -> None:
    """Up to whole cards: no part of one can be kept. It is never more than there is."""
    resource, unit = counted
    kept = read_policy({"headroom": f"{thousandths // 1000}.{thousandths % 1000:03}%"}).kept(resource, capacity)
    exact = Fraction(capacity) * thousandths / 100_000
    assert exact <= kept <= capacity
    assert kept < exact + unit
    assert kept % unit == 0 or kept == capacity


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
        ({"headroom": {D1980: "10%", SNT9: "10%"}}, ["one card twice", D1980, SNT9]),
        ({"headroom": {"": "10%"}}, ["policy.headroom", "name of a resource"]),
        ({"headroom": {"Cpu": "10%"}}, ["policy.headroom", "did you mean cpu?"]),
        ({"headroom": {GPU: "1Gi"}}, ["policy.headroom", "is a size"]),
        (
            {"queue_strategy": "lifo"},
            ["policy.queue_strategy is 'lifo'", ", ".join(("auto", *STRATEGIES))],
        ),
        ({"ladder_seconds": "1h"}, ["policy.ladder_seconds is '1h'", "0 or more"]),
        ({"card_groups": 4}, ["policy.card_groups is 4", "must map flavors"]),
        ({"card_groups": {"own.8": 0}}, ["policy.card_groups['own.8'] is 0", "1 or more"]),
        ({"card_groups": {"own.8": "four"}}, ["policy.card_groups['own.8'] is 'four'"]),
        ({"card_groups": {"own.8": 17}}, ["policy.card_groups['own.8'] is 17", "no node has more than 16"]),
        ({"card_groups": {"": 4}}, ["policy.card_groups has ''", "names of flavors"]),
        ({"card_groups": {8: 4}}, ["policy.card_groups has 8", "names of flavors"]),
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


@pytest.mark.parametrize("given", [0, False, [], [GPU]])
def test_a_declared_capacity_of_another_type(given: t.Any) -> None:
    assert "must map resources to quantities" in refusal(read_declared_capacity, given)


def test_what_must_be_meant_together() -> None:
    asked = read_request({"resources": {GPU: 1}})
    typed = read_request({"resources": {GPU: 1}, "type": "train"})
    assert "request.type" in refusal(check_request_with_policy, asked, read_policy({"queue_scope": "type"}), 3600)
    check_request_with_policy(typed, read_policy({"queue_scope": "type"}), 3600)
    message = refusal(check_request_with_policy, asked, read_policy({"stable_seconds": 601}), 600)
    assert "601" in message
    assert "600 s" in message
    check_request_with_policy(asked, read_policy({"stable_seconds": 600}), 600)


def test_what_cannot_be_seen_at_the_ends_is_taken_off() -> None:
    unseen = read_request(
        {
            "resources": {f"\ufeff{GPU}\u200b": "8\u00a0", "cpu ": " 4"},
            "type": "train ",
            "priority": "\u200b3",
            "replaces": {"job_uuid": "\u200bc237e9e1\u00a0"},
        }
    )
    plain = {"resources": {GPU: 8, "cpu": 4}, "type": "train", "priority": 3, "replaces": {"job_uuid": "c237e9e1"}}
    assert unseen == read_request(plain)
    assert read_policy({"placement": "aggregate\u200b"}).placement == "aggregate"


def names(requests: list[t.Any], headroom: t.Any = None, declared: t.Any = None) -> tuple[t.Any, ...]:
    return (
        [read_request({"resources": one} if isinstance(one, dict) else {"flavor": one}) for one in requests],
        read_policy({"headroom": headroom}),
        read_declared_capacity(declared),
    )


@pytest.mark.parametrize(
    ("requests", "headroom", "declared"),
    [
        ([{GPU: 8}], "10%", None),
        ([{GPU: 8}], {GPU: 2}, {GPU: 64}),
        ([{D1980: 8}], {SNT9: 2}, {D1980: 64}),
        ([{SNT9: 8}], {D1980: "10%"}, None),
        ([{GPU: 8}, {SNT9: 8}], {GPU: 2, SNT9: 2}, None),  # each candidate has its own cards
        (["modelarts.vm.gpu.8"], {GPU: 2, "memory": "10%"}, {"gpu": 64}),  # a whole node may have any resource
        ([{GPU: 8}, "modelarts.vm.gpu.8"], {"memory": "10%"}, None),
        ([{GPU: 8}], None, {GPU: 64, "cpu": 512, "memory": "4Ti"}),  # what the pool has, and more than is asked for
        ([{GPU: 8}, {SNT9: 8}], None, {GPU: 64}),
    ],
)
def test_names_that_are_meant(requests: list[t.Any], headroom: t.Any, declared: t.Any) -> None:
    check_names_in_policy(*names(requests, headroom, declared))


@pytest.mark.parametrize(
    ("requests", "headroom", "declared", "words"),
    [
        ([{GPU: 8}], {"gpu": 8}, None, ["policy.headroom names 'gpu'", f"did you mean {GPU}?"]),
        ([{GPU: 8}], {"NVIDIA.com/GPU": 8}, None, [f"did you mean {GPU}?"]),
        ([{GPU: 8}], {"gpu": "10%"}, None, [f"did you mean {GPU}?"]),
        ([{GPU: 8}], {"nvidia/gpu": 0}, None, [f"did you mean {GPU}?"]),
        ([{GPU: 8}], {"nvidia.com/gpus": 8}, None, [f"did you mean {GPU}?"]),
        ([{SNT9: 8}], {"ascend-1980": 8}, None, [f"did you mean {SNT9}?"]),
        ([{SNT9: 8}], {SNT3: 8}, None, [f"did you mean {SNT9}?"]),
        ([{GPU: 8, "memory": "1Gi"}], {"memroy": "10%"}, None, ["did you mean memory?"]),
        ([{GPU: 8}], {"memory": "10%"}, None, [f"'memory', which the request does not ask for: it asks for {GPU}."]),
        ([{GPU: 8}, {SNT9: 8}], {"gpu": 1}, None, [f"did you mean {GPU}?"]),
        ([{GPU: 8}], None, {"gpu": 64}, ["declared_capacity names 'gpu'", f"did you mean {GPU}?"]),
        ([{SNT9: 8}], None, {"ascend-1980": 64, "cpu": 8}, [f"did you mean {SNT9}?"]),
    ],
)  # fmt: skip
def test_a_name_that_none_of_the_requests_can_mean(
    requests: list[t.Any], headroom: t.Any, declared: t.Any, words: list[str]
) -> None:
    message = refusal(check_names_in_policy, *names(requests, headroom, declared))
    assert all(word in message for word in words), message


def test_bytes_that_were_hardly_meant_are_remarked() -> None:
    asked = read_request({"resources": {GPU: 8, "memory": 400, "cpu": 60}})
    assert remarks_on_request(asked, read_policy(None), None) == [
        "request.resources has memory 400, which is 400 bytes: did you mean 400Gi?"
    ]
    whole = read_request({"resources": {"memory": "400Gi", "ephemeral-storage": 2**20}})
    strict, declared = read_policy({"headroom": {"memory": 64}}), read_declared_capacity({"memory": 512, "cpu": 1})
    said = remarks_on_request(whole, strict, declared)
    assert [one.partition(" has ")[0] for one in said] == ["policy.headroom", "declared_capacity"]
    assert remarks_on_request(whole, read_policy({"headroom": "10%"}), None) == []


@pytest.mark.parametrize("nothing", [None, "", " ", "\u200b\n"])
def test_seconds_that_were_left_blank_are_the_default(nothing: t.Any) -> None:
    assert read_seconds("poll_interval", nothing, 30.0) == 30.0


def test_zero_seconds_are_given() -> None:
    assert read_seconds("poll_interval", "0\u00a0", 30.0) == 0.0
    assert read_seconds("poll_interval", 0, 30.0) == 0.0
