# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as the emulator lists them."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import summary_entries_with_jobs
from ansible_collections.poolgate.modelarts.tests.unit.cloud.jobs import frozen, modelled, read, sdk_client
from huaweicloudsdkmodelarts import v1 as sdk


@pytest.fixture(scope="module")
def many() -> t.Iterator[Emulator]:
    with Emulator(frozen("many")) as emulator:
        yield emulator


def test_1234_jobs_over_three_pages(many: Emulator) -> None:
    """Each once; and the summary is what ShowWorkloadStatistics counts."""
    (pool,) = many.world.pools
    before = len(many.requests)
    facts = read(many, pool)
    asked = [entry["query"] for entry in many.requests[before:]]
    assert asked[0] == "ascend=true&limit=500&offset=0&sort=create_time"
    assert len(asked) == 3
    assert (facts["total"], facts["complete"], facts["warnings"]) == (1234, True, [])
    assert len({one["job_uuid"] for one in facts["workloads"]}) == len(facts["workloads"]) == 1234
    assert {one["job_name"] for one in facts["workloads"]} == {f"job-{n}" for n in range(1234)}
    times = [one["create_time"] for one in facts["workloads"]]
    assert times == sorted(times)
    statistics = sdk_client(many).show_workload_statistics(sdk.ShowWorkloadStatisticsRequest(pool_name=pool)).statistics
    counted: Counter[str] = Counter()
    for entry in statistics.items:
        counted.update({name: int(count) for name, count in modelled(entry.status).items() if int(count)})
    assert facts["summary"]["by_status"] == dict(counted)
    assert facts["summary"]["by_type"] == {entry.type: int(entry.total) for entry in statistics.items}
    assert facts["summary"]["total"] == int(statistics.total) == 1234


@pytest.mark.parametrize("ascend", [None, True, False])
@pytest.mark.parametrize("offset", [None, 0, 7])
def test_the_order_asked_for(many: Emulator, ascend: bool | None, offset: int | None) -> None:
    """All pages, in the order and from the offset that one page would have."""
    (pool,) = many.world.pools
    query = {"sort": "create_time", "ascend": ascend, "offset": offset, "fields": ["job_uuid"]}
    followed = read(many, pool, query=WorkloadQuery(**query))
    page = read(many, pool, query=WorkloadQuery(**query, limit=500, fetch_all=False))
    assert followed["workloads"][:500] == page["workloads"]
    assert len(followed["workloads"]) == 1234 - (offset or 0)
    assert followed["total"] == 1234
    assert followed["complete"] == (not offset)


@pytest.mark.parametrize("types", [[], ["train"], ["infer", "notebook"]])
@pytest.mark.parametrize("statuses", [[], ["Queue"], ["Queue", "Pending"], ["Running", "Failed", "Completed"]])
def test_filters_whether_the_server_or_we_apply_them(many: Emulator, types: list[str], statuses: list[str]) -> None:
    (pool,) = many.world.pools
    everything = read(many, pool)["workloads"]
    expected = [
        one for one in everything if (not types or one["type"] in types) and (not statuses or one["status"] in statuses)
    ]
    facts = read(many, pool, query=WorkloadQuery(types=types, statuses=statuses))
    assert facts["workloads"] == expected
    assert (facts["total"], facts["complete"]) == (len(expected), True)
    assert facts["summary"]["total"] == len(expected)


def test_several_pools_and_their_own_parts() -> None:
    with Emulator(frozen("demo")) as emulator:
        pools = list(emulator.world.pools)
        facts = read(emulator, *pools)
        apart = [read(emulator, pool) for pool in pools]
        nothing = read(emulator, *pools, query=WorkloadQuery(fields=[]))
    assert facts["workloads"] == [job for one in apart for job in one["workloads"]]
    assert facts["total"] == sum(one["total"] for one in apart)
    assert facts["pools"] == [one["pools"][0] for one in apart]
    assert [pool["workloads"] for pool in summary_entries_with_jobs(facts)] == [one["workloads"] for one in apart]
    assert nothing["workloads"] == []
    assert [pool["workloads"] for pool in summary_entries_with_jobs(nothing)] == [[] for _one in apart]
    assert (nothing["summary"], nothing["total"]) == (facts["summary"], facts["total"])


def test_a_display_name_in_place_of_an_id() -> None:
    with Emulator("demo") as emulator:
        with pytest.raises(ApiError) as raised:
            read(emulator, "train-a100")
        (pool,) = [pool.id for pool in emulator.world.pools.values() if pool.name == "train-a100"]
        assert raised.value.message.endswith(f" train-a100 is the display name of {pool}: give that ID.")
        assert (raised.value.status, raised.value.error_code) == (404, "ModelArts.50015001")
        assert raised.value.request_id
        with pytest.raises(ApiError, match="Give the ID of the pool, which is its metadata.name and not the name that"):
            read(emulator, "nobodys-pool")
