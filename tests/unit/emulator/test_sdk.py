# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official SDK is a client of the emulator: its signatures are accepted, and it understands the documents."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import POOL, Caller, small_pool

credentials = pytest.importorskip("huaweicloudsdkcore.auth.credentials")
exceptions = pytest.importorskip("huaweicloudsdkcore.exceptions.exceptions")
sdk = pytest.importorskip("huaweicloudsdkmodelarts.v1")

Serve = t.Callable[..., Caller]
JOB = {
    "name": "llm", "owner": "ml-team-a", "status": "Running", "age": 900, "waited": 60, "flavor": "gpu4",
    "nodes": ["node-01", "node-02"], "resources": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": 4},
}  # fmt: skip


def client(caller: Caller, kind: str = "permanent", **changes: str) -> t.Any:
    mine = caller.emulator.credentials
    if kind == "permanent":
        keys = {"ak": mine.access_key, "sk": mine.secret_key}
    else:
        keys = {"ak": mine.temporary_access_key, "sk": mine.temporary_secret_key}
    keys.update({"project_id": mine.project_id})
    keys.update({name: value for name, value in changes.items() if name != "security_token"})
    login = credentials.BasicCredentials(**keys)
    if kind == "temporary":
        login = login.with_security_token(changes.get("security_token", mine.security_token))
    builder = sdk.ModelArtsClient.new_builder().with_credentials(login)
    return builder.with_endpoint(caller.emulator.endpoint).build()


@pytest.fixture
def caller(serve: Serve) -> Caller:
    queued = {"name": "queued", "count": 7, "type": ["train", "infer", "notebook"], "age": 10}
    return serve({"pools": [small_pool(jobs=[JOB, queued])]})


@pytest.mark.parametrize("kind", ["permanent", "temporary"])
def test_every_call(caller: Caller, kind: str) -> None:
    api = client(caller, kind)
    jobs = api.list_workloads(
        sdk.ListWorkloadsRequest(
            pool_name=POOL, type="train", status="Running", sort="create_time", ascend=True, offset="0", limit=500
        )
    ).items
    assert [job.job_name for job in jobs] == ["llm"]
    assert api.show_pool(sdk.ShowPoolRequest(pool_name=POOL)).metadata.name == POOL
    assert [pool.metadata.name for pool in api.list_pools(sdk.ListPoolsRequest(status="created")).items] == [POOL]
    nodes = api.list_pool_nodes(sdk.ListPoolNodesRequest(pool_name=POOL, limit=1))
    assert nodes.metadata.remaining_item_count == 1
    rest = api.list_pool_nodes(sdk.ListPoolNodesRequest(pool_name=POOL, _continue=nodes.metadata._continue))
    assert [node.status.available_resources.nvidia_com_gpu for node in nodes.items + rest.items] == ["0", "0"]
    assert api.show_pool_runtime_metrics(sdk.ShowPoolRuntimeMetricsRequest()).items[0].metadata.name == POOL
    statistics = api.show_workload_statistics(sdk.ShowWorkloadStatisticsRequest(pool_name=POOL)).statistics
    assert statistics.total == 8
    assert api.list_resource_flavors(sdk.ListResourceFlavorsRequest()).items == []
    method = "temporary aksk" if kind == "temporary" else "aksk"
    assert {(entry["auth"], entry["status"]) for entry in caller.emulator.requests} == {(method, 200)}


def test_a_job_in_the_sdks_model(caller: Caller) -> None:
    request = sdk.ListWorkloadsRequest(pool_name=POOL, status="Running")
    job = client(caller).list_workloads(request).items[0]
    assert (job.type, job.user_name, job.flavor, job.namespace) == ("train", "ml-team-a", "gpu4", POOL)
    assert (job.resource_requirement.cpu, job.resource_requirement.memory) == ("16 Cores", "64 GiB")
    assert job.resource_requirement.nvidia_com_gpu == "8"
    assert job.host_ips == "10.0.0.1,10.0.0.2"
    assert [(node.host_ip, node.resource_requirement.nvidia_com_gpu) for node in job.nodes] == [
        ("10.0.0.1", "4"),
        ("10.0.0.2", "4"),
    ]
    assert job.pending_duration == 60
    assert 840 <= job.running_duration <= 850


def test_pages_of_the_sdk_are_signed_pages(caller: Caller) -> None:
    api = client(caller)
    names = []
    for offset in range(0, 9, 3):
        request = sdk.ListWorkloadsRequest(
            pool_name=POOL, sort="create_time", ascend=False, offset=str(offset), limit=3
        )
        names += [job.job_name for job in api.list_workloads(request).items]
    assert names == [*(f"queued-{index}" for index in range(7)), "llm"]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("permanent", {"sk": "wrong"}),
        ("permanent", {"ak": "unknown"}),
        ("temporary", {"security_token": "wrong"}),
        ("temporary", {"sk": "wrong"}),
    ],
)
def test_wrong_keys(caller: Caller, kind: str, changes: dict[str, str]) -> None:
    with pytest.raises(exceptions.ClientRequestException) as caught:
        client(caller, kind, **changes).show_pool(sdk.ShowPoolRequest(pool_name=POOL))
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIG.0301")


def test_a_temporary_key_without_its_token(caller: Caller) -> None:
    mine = caller.emulator.credentials
    api = client(caller, ak=mine.temporary_access_key, sk=mine.temporary_secret_key)
    with pytest.raises(exceptions.ClientRequestException) as caught:
        api.show_pool(sdk.ShowPoolRequest(pool_name=POOL))
    assert caught.value.error_code == "APIG.0301"


def test_errors_in_the_sdks_words(caller: Caller) -> None:
    api = client(caller)
    for request, status, code in (
        (sdk.ListWorkloadsRequest(pool_name="pool-nobody-has"), 404, "ModelArts.50015001"),
        (sdk.ListWorkloadsRequest(pool_name=POOL, limit=501), 400, "ModelArts.50004000"),
        (sdk.ListWorkloadsRequest(pool_name=POOL, type="\u00e9 &=/+~"), 400, "ModelArts.50004000"),
    ):
        with pytest.raises(exceptions.ClientRequestException) as caught:
            api.list_workloads(request)
        assert (caught.value.status_code, caught.value.error_code) == (status, code)
        assert caught.value.request_id


def test_another_project(caller: Caller) -> None:
    with pytest.raises(exceptions.ClientRequestException) as caught:
        client(caller, project_id="elsewhere").show_pool(sdk.ShowPoolRequest(pool_name=POOL))
    assert (caught.value.status_code, caught.value.error_code) == (403, "ModelArts.0206")


LABELS = {
    "os.modelarts.node/elastic.quota": "team-a",
    "os.modelarts.node/nodepool": "np-1",
    "os.modelarts.node/nodepoolname": "gpu4-default",
    "os.modelarts.node/batch.uid": "batch-1",
    "os.modelarts.node/batch.name": "frame",
    "os.modelarts.node/batch.type": "hyperinstance",
    "os.modelarts.node/batch.count": "48",
    "os.modelarts.node/spod.id": "spod-7",
    "os.modelarts/billing.status": "1",
    "os.modelarts.node/volcano.scheduler.cabinet-exclusive": "job-1",
    "cce.kubectl.kubernetes.io/cabinet": "10.1.1.1-10.1.1.2",
    "os.modelarts.node/underlying.instance.id": "ecs-1",
    "os.modelarts.node/ha.redundant.enabled": "true",
}


def test_labels_of_a_node_in_the_sdks_model(serve: Serve) -> None:
    """Each label of the emulator's documentation has its place in the SDK's model, under the name of that place."""
    nodes = [
        {
            "flavor": "gpu4",
            "resources": {"cpu": "16"},
            "labels": LABELS,
            "driver": "Updating",
            "plugins": {"a": "Pending"},
        }
    ]
    node = client(serve({"pools": [small_pool(nodes=nodes)]})).list_pool_nodes(sdk.ListPoolNodesRequest(pool_name=POOL))
    labels = node.items[0].metadata.labels
    read = {name: getattr(labels, attribute) for attribute, name in labels.attribute_map.items()}
    assert {name: value for name, value in read.items() if value is not None} == LABELS
    assert node.items[0].status.phase == "Available"  # the SDK does not model status.driver and status.plugins


def test_the_state_of_a_pool_in_the_sdks_model(serve: Serve) -> None:
    pool = small_pool(
        controlMode=9,
        driver={"gpu": "Upgrading", "npu": "Running"},
        workspace="5",
        type="Logical",
        parent="pool-parent",
        resources=[{"flavor": "gpu4", "count": 1, "maxCount": 2}],
        annotations={"os.modelarts/billing.mode": "1"},
    )
    api = client(serve({"pools": [pool]}))
    assert api.list_pools(sdk.ListPoolsRequest()).items == []
    for found in (
        api.show_pool(sdk.ShowPoolRequest(pool_name=POOL)),
        api.list_pools(sdk.ListPoolsRequest(workspace_id="5")).items[0],
    ):
        assert found.spec.control_mode == 9
        assert (found.status.driver.gpu.state, found.status.driver.npu.state) == ("Upgrading", "Running")
        assert found.status.driver.gpu.version
        assert found.metadata.labels.os_modelarts_workspace_id == "5"
        assert found.metadata.annotations.os_modelarts_billing_mode == "1"
        assert (found.spec.type, found.status.parent) == ("Logical", "pool-parent")
        assert [(entry.flavor, entry.count, entry.max_count) for entry in found.spec.resources] == [("gpu4", 1, 2)]


def test_newer_metrics_in_the_sdks_model(serve: Serve) -> None:
    """The SDK models cpu, memory and one masked card."""
    jobs = [
        {"name": "a", "type": "x-infer", "status": "Running", "resources": {"cpu": 4, "nvidia.com/gpu": 3}},
        {"name": "b", "type": "infer"},
    ]
    newer = {"all": True, "available": True, "workload": True, "mask": {"nvidia.com/gpu": "tnt004"}}
    api = client(serve({"pools": [small_pool(jobs=jobs, metrics=newer)]}))
    table = api.show_pool_runtime_metrics(sdk.ShowPoolRuntimeMetricsRequest()).items[0].table
    cards = (table.allocated.value.tnt004, table.available.value.tnt004, table.available.max_value.tnt004)
    assert cards == ("3", "5", "8")
    assert (table.capacity.all_value.cpu, table.capacity.all_max_value.memory) == ("32", "128Gi")
    running, queued = table.workload.allocated, table.workload.queue
    assert (running.x_infer, running.infer, running.warm_up_task, running.sum) == (1, 0, 0, 1)
    assert (queued.x_infer, queued.infer, queued.sum) == (0, 1, 1)
    stamps = {(part.timestamp, part.window) for part in (table.allocated, table.available, table.workload)}
    assert len(stamps) == 1


def test_services_of_the_new_kind_in_the_sdks_model(serve: Serve) -> None:
    api = client(serve({"pools": [small_pool(jobs=[{"name": "chat", "type": "x-infer"}, {"name": "llm"}])]}))
    found = api.list_workloads(sdk.ListWorkloadsRequest(pool_name=POOL, type="x-infer")).items
    assert [(job.job_name, job.type) for job in found] == [("chat", "x-infer")]


@pytest.mark.parametrize(
    ("keys", "code"),
    [({"rights": {"modelarts:pool:get": "*"}}, "ModelArts.0108"), ({"suspended": True}, "ModelArts.5017")],
)
def test_what_a_caller_may_not_do_in_the_sdks_words(serve: Serve, keys: dict[str, t.Any], code: str) -> None:
    api = client(serve({"pools": [small_pool()], **keys}))
    for call, request in (
        (api.list_pools, sdk.ListPoolsRequest()),
        (api.show_pool_runtime_metrics, sdk.ShowPoolRuntimeMetricsRequest()),
    ):
        with pytest.raises(exceptions.ClientRequestException) as caught:
            call(request)
        assert (caught.value.status_code, caught.value.error_code) == (403, code)
