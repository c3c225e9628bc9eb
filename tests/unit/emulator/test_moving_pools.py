# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools that move while they are read, and servers that do not page as documented."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import ScenarioError
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from .conftest import Caller, frozen, small_pool

Serve = t.Callable[..., Caller]
SORTED = "sort=create_time&ascend=true"


def moving(serve: Serve, **churn: t.Any) -> Caller:
    jobs = [{"name": "j", "count": 100, "age": 100, "every": 10}]
    return serve(frozen(small_pool(jobs=jobs), churn=churn))


def read(caller: Caller, times: int) -> list[list[str]]:
    return [[job["jobUUID"] for job in caller.workloads(SORTED)["items"]] for _i in range(times)]


def test_the_same_seed_gives_the_same_changes(serve: Serve) -> None:
    first, second, third = (read(moving(serve, seed=seed, changes=5), 10) for seed in (1, 1, 2))
    assert first == second
    assert first != third


def test_every_change_is_told(serve: Serve) -> None:
    caller = moving(serve, seed=3, changes=6)
    pages = read(caller, 30)
    log = caller.emulator.churn.log
    assert {change["action"] for change in log} == {"add", "remove", "status"}
    removed = {change["job_uuid"] for change in log if change["action"] == "remove"}
    added = {change["job_uuid"] for change in log if change["action"] == "add"}
    assert set(pages[0]) | added == set(pages[-1]) | removed
    assert not set(pages[-1]) & removed
    assert all(len(set(page)) == len(page) for page in pages)


def test_the_first_read_finds_the_scenario(serve: Serve) -> None:
    caller = moving(serve, seed=4, changes=50)
    assert len(read(caller, 1)[0]) == 100
    assert caller.emulator.churn.log == []


def test_an_offset_slips(serve: Serve) -> None:
    """What churn is for: following pages by offset alone loses jobs that were there throughout."""
    caller = moving(serve, seed=5, changes=8, add=0, status=0)
    there = {job["jobUUID"] for job in caller.workloads()["items"]}
    seen = set()
    for offset in range(0, 100, 10):
        seen |= {job["jobUUID"] for job in caller.workloads(f"{SORTED}&limit=10&offset={offset}")["items"]}
    throughout = there - {change["job_uuid"] for change in caller.emulator.churn.log}
    assert throughout - seen


@pytest.mark.parametrize(
    ("ties", "late", "same", "last"), [(1, 0, True, True), (0, 0, False, True), (0, 1, False, False)]
)
def test_where_new_jobs_appear(serve: Serve, ties: int, late: int, same: bool, last: bool) -> None:
    caller = moving(serve, changes=20, remove=0, status=0, ties=ties, late=late)
    before = caller.workloads(SORTED)["items"]
    caller.emulator.advance(50)
    after = caller.workloads(SORTED)["items"]
    new = [index for index, job in enumerate(after) if job["jobName"].startswith("churn")]
    assert new
    assert (after[new[0]]["createTime"] == before[-1]["createTime"]) == same
    assert (new == list(range(100, len(after)))) == last
    times = [job["createTime"] for job in after]
    assert times == sorted(times)


def test_unknown_keys_of_churn() -> None:
    with pytest.raises(ScenarioError, match="churn: unknown key 'rate'"):
        Emulator({"churn": {"rate": 1}})


def pages(serve: Serve, **quirks: t.Any) -> Caller:
    jobs = [{"name": "j", "count": 10, "age": 100, "every": 0}, {"name": "old", "age": 900}]
    return serve(frozen(small_pool(jobs=jobs, quirks=quirks)))


def test_short_pages(serve: Serve) -> None:
    caller = pages(serve, short_pages=3)
    assert [len(caller.jobs(f"limit=5&offset={offset}")) for offset in (0, 3, 9)] == [3, 3, 2]
    assert caller.workloads()["total"] == 11


def test_a_server_that_ignores_sort(serve: Serve) -> None:
    assert pages(serve).jobs(SORTED)[0] == "old"
    assert pages(serve, ignore_sort=True).jobs(SORTED)[-1] == "old"


def test_a_server_that_ignores_offset(serve: Serve) -> None:
    caller = pages(serve, ignore_offset=True)
    assert caller.jobs("limit=4&offset=4") == caller.jobs("limit=4")


def test_a_server_that_never_ends(serve: Serve) -> None:
    caller = pages(serve, endless=True, no_total=True)
    first = caller.workloads(f"{SORTED}&limit=500")
    second = caller.workloads(f"{SORTED}&limit=500&offset=500")
    assert "total" not in first
    assert len({job["jobUUID"] for job in first["items"] + second["items"]}) == 1000
    again = caller.workloads(f"{SORTED}&limit=500&offset=500")
    assert [job["jobUUID"] for job in again["items"]] == [job["jobUUID"] for job in second["items"]]


def test_ties_in_an_order_that_changes(serve: Serve) -> None:
    caller = pages(serve, shuffle_ties=True)
    orders = {tuple(caller.jobs(SORTED)) for _i in range(5)}
    assert len(orders) == 5
    assert {order[0] for order in orders} == {"old"}
    assert len({tuple(pages(serve).jobs(SORTED)) for _i in range(5)}) == 1


def test_fields_beside_the_items(serve: Serve) -> None:
    found = pages(serve, list_extra={"total": "11", "metadata": None}).workloads()
    assert (found["total"], found["metadata"], len(found["items"])) == ("11", None, 11)
