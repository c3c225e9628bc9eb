# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented example responses come out of scenarios, whole."""

from __future__ import annotations

import json
import typing as t

import pytest

from .conftest import EXAMPLES, POOL, Caller, frozen, small_pool

DOCUMENT_POOL = "pool-train-dev-cpu-public-fab2c5cf438b4f0c851fdcdf08704898"
AUTO_POOL = "auto-pool-os-86c13962597848eeb29c5861153a391f"
Serve = t.Callable[..., Caller]


def example(name: str) -> t.Any:
    return json.loads((EXAMPLES / f"{name}.200.json").read_text())


def auto_pool(**keys: t.Any) -> dict[str, t.Any]:
    """The pool of the examples of ShowPool and ListPools."""
    return {
        "id": AUTO_POOL,
        "name": "auto-pool-os",
        "created": "2022-09-16T03:10:40Z",
        "labels": {"os.modelarts/resource.id": "maos-auto-pool-os-72w8d"},
        "annotations": {"os.modelarts/external-access": "elb"},
        "network": "network-maos-86c13962597848eeb29c5861153a391f",
        "scope": {"Train": "Enabled", "Infer": "Enabled"},
        "nodes": [{"count": 2, "flavor": "modelarts.vm.cpu.4ud", "az": "az-7c", "resources": {"cpu": "3920m"}}],
        **keys,
    }


@pytest.mark.parametrize("sort", ["", "&sort=create_time", "&sort=create_time&ascend=false"])
def test_list_workloads(serve: Serve, sort: str) -> None:
    workloads = serve("document").workloads(f"offset=0&limit=5{sort}", DOCUMENT_POOL)
    assert workloads == example("list_workloads")
    assert list(workloads["items"][0]) == list(example("list_workloads")["items"][0])


def test_all_234_jobs_of_the_document_are_there(serve: Serve) -> None:
    workloads = serve("document").workloads("type=train&status=Queue", DOCUMENT_POOL)
    assert workloads["total"] == len({job["jobUUID"] for job in workloads["items"]}) == 234
    times = [job["createTime"] for job in workloads["items"]]
    assert times == sorted(times, reverse=True)
    assert {job["createTime"] // 1000 + job["pendingDuration"] for job in workloads["items"]} == {1729173183}


def test_show_workload_statistics(serve: Serve) -> None:
    found = serve("document").get(f"/v2/{{project}}/statistics/pools/{DOCUMENT_POOL}/workloads")
    assert found == example("show_workload_statistics")


def test_list_pool_nodes(serve: Serve) -> None:
    nodes = [
        {
            "name": node["metadata"]["name"],
            "created": node["metadata"]["creationTimestamp"],
            "flavor": "modelarts.vm.cpu.4ud",
            "az": "xx-xxxx-xx",
            "ip": node["status"]["privateIp"],
            "resources": {"cpu": "3920m", "memory": "6270Mi"},
            "overhead": overhead,
        }
        for node, overhead in zip(
            example("list_pool_nodes")["items"],
            [{"cpu": "950m", "memory": "1712Mi"}] * 2 + [{"cpu": "200m", "memory": "600Mi"}],
            strict=True,
        )
    ]
    assert serve({"pools": [small_pool(nodes=nodes)]}).nodes() == example("list_pool_nodes")


def test_show_pool(serve: Serve) -> None:
    dependency = "os.modelarts.pool/scope.external.dependency.Train"
    pool = auto_pool()
    pool["annotations"][dependency] = example("show_pool")["metadata"]["annotations"][dependency]
    assert serve({"pools": [pool]}).get(f"/v2/{{project}}/pools/{AUTO_POOL}") == example("show_pool")


def test_list_pools(serve: Serve) -> None:
    assert serve({"pools": [auto_pool()]}).get("/v2/{project}/pools") == example("list_pools")


def test_list_resource_flavors(serve: Serve) -> None:
    flavor = {"cpu": "8", "memory": "32Gi", "spec": {"dataVolumes": [{"volumeType": "SSD", "size": "500Gi"}]}}
    found = serve({"flavors": {"modelarts.vm.cpu8u32g": flavor}}).get("/v1/{project}/resourceflavors")
    assert found == example("list_resource_flavors")


def test_show_pool_runtime_metrics(serve: Serve) -> None:
    """Derived from nodes: 16 cores and 64 Gi over two nodes, of which 5 cores and 15548 Mi are taken."""
    wanted = example("show_pool_runtime_metrics")
    wanted["items"][0]["metadata"]["name"] = POOL
    node = {"flavor": "gpu1", "resources": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}}
    nodes = [
        {**node, "overhead": {"cpu": "4", "memory": "15500Mi", "nvidia.com/gpu": "1"}},
        {**node, "overhead": {"cpu": "1", "memory": "48Mi", "nvidia.com/gpu": "73m"}},
    ]
    scenario = frozen(small_pool(nodes=nodes, metrics={"mask": {"nvidia.com/gpu": "tnt004"}, "age": 50}))
    scenario["clock"]["start"] = 1648624150 + 50
    assert serve(scenario).get("/v2/{project}/metrics/runtime/pools") == wanted
