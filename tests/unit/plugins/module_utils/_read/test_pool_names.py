# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools by ID and by display name."""

from __future__ import annotations

import time

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity
from ansible_collections.poolgate.modelarts.tests.unit.cloud.pools import POOL_A, POOL_B, client_of, observe, pools

POOL_C = "pool-c-000000000000000000000000000000000"
POOL_D = "pool-d-000000000000000000000000000000000"


def test_pools_of_a_decision_by_display_name() -> None:
    with Emulator(pools()) as emulator:
        facts = observe(emulator, "b", POOL_A, "pool-nobodys")
        paths = [entry["path"].split("/", 3)[3] for entry in emulator.requests]
    assert [entry["pool_name"] for entry in facts["pools"]] == [POOL_B, POOL_A, "pool-nobodys"]
    assert [len(entry["errors"]) for entry in facts["pools"]] == [0, 0, 3]
    assert [paths[0], paths.count("pools")] == ["pools", 2]  # the second for the sentence of the 404


def test_the_list_of_pools_cannot_be_read() -> None:
    """What has an ID is read all the same; what has not, is neither read nor taken for a pool that does not exist."""
    with Emulator({**pools(), "refuse": {"pools": 403}}) as emulator:
        facts = observe(emulator, "a", POOL_B)
        assert not [entry for entry in emulator.requests if entry["path"].endswith("/pools/a")]
    named, known = facts["pools"]
    assert (named["pool_name"], known["errors"]) == ("a", [])
    assert [error["document"] for error in named["errors"]] == ["workloads", "pool", "nodes"]
    assert {error["status"] for error in named["errors"]} == {403}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a", POOL_A], f"{POOL_A} is given twice, by ID and by display name."),
        (["b", "twin"], f"twin is the display name of 2 pools: give one of the IDs {POOL_C}, {POOL_D}."),
        (["b", "no/where"], "'no/where' is not a pool ID"),
    ],
)
def test_display_names_of_a_decision_that_are_a_mistake(names: list[str], sentence: str) -> None:
    twins = [{"id": POOL_C, "name": "twin"}, {"id": POOL_D, "name": "twin"}]
    with Emulator({"pools": [*pools()["pools"], *twins]}) as emulator:
        with pytest.raises(InputError) as raised:
            observe(emulator, *names)
        assert [entry["path"].split("/", 3)[3] for entry in emulator.requests] == ["pools"]
    assert raised.value.message.startswith(sentence)


def test_no_display_name_takes_over_an_id() -> None:
    """A pool that is in another workspace, or was deleted, is not listed, and anybody may label a pool with its ID."""
    with Emulator({"pools": [*pools()["pools"], {"id": POOL_C, "name": POOL_D}]}) as emulator:
        facts = observe(emulator, "b", POOL_D)
    assert [entry["pool_name"] for entry in facts["pools"]] == [POOL_B, POOL_D]
    assert [error["status"] for error in facts["pools"][1]["errors"]] == [404, 404, 404]


def test_a_pool_that_is_labelled_with_the_id_of_another_is_not_that_one() -> None:
    gone = "pool-train-0123456789abcdef0123456789abcdef"
    labelled = {"pools": [*pools()["pools"], {"id": POOL_C, "name": gone}]}
    with (
        Emulator(labelled) as emulator,
        client_of(emulator) as client,
        pytest.raises(InputError, match=f"No pool has the ID or the display name {gone}"),
    ):
        read_pools_and_capacity(client, ["b", gone], include_capacity=False, clock=time.time)


def test_pools_by_id_and_by_display_name() -> None:
    with Emulator(pools()) as emulator, client_of(emulator) as client:
        everything = read_pools_and_capacity(client, [], include_capacity=False, clock=time.time)
        assert [pool["pool_name"] for pool in everything["pools"]] == [POOL_A, POOL_B]
        named = read_pools_and_capacity(client, ["b", POOL_A, "b"], include_capacity=True, clock=time.time)
        assert [pool["pool_name"] for pool in named["pools"]] == [POOL_B, POOL_A]
        assert named["resolved"] == {"b": POOL_B}
        assert named["pools"][0]["capacity"]["free"]["nvidia.com/gpu"] == 4
        with pytest.raises(InputError, match="No pool has the ID or the display name c; the project has a, b"):
            read_pools_and_capacity(client, ["c"], include_capacity=False, clock=time.time)


def test_a_display_name_of_two_pools() -> None:
    twins = {"pools": [{"id": POOL_A, "name": "twin"}, {"id": POOL_B, "name": "twin"}]}
    with Emulator(twins) as emulator, client_of(emulator) as client, pytest.raises(InputError) as raised:
        read_pools_and_capacity(client, ["twin"], include_capacity=False, clock=time.time)
    assert raised.value.message == f"twin is the display name of 2 pools: give one of the IDs {POOL_A}, {POOL_B}."
