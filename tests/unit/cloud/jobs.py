# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of jobs."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.playbooks.emulator.scenario import load as load_scenario
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import STATUSES
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmodelarts import v1 as sdk
from hypothesis import strategies as st

NOW = 1729173183.0


def client_of(emulator: Emulator) -> Client:
    mine = emulator.credentials
    keys = {"access_key": mine.access_key, "secret_key": mine.secret_key, "project_id": mine.project_id}
    return Client(connect({"endpoint": emulator.endpoint, **keys}, where="here"))


def read(emulator: Emulator, *pools: str, query: WorkloadQuery | None = None) -> dict[str, t.Any]:
    with client_of(emulator) as client:
        return read_workloads(client, pools, query or WorkloadQuery(), clock=lambda: NOW)


# Every field of tables 3 to 7

FULL: dict[str, t.Any] = {
    "apiVersion": "v1",
    "kind": "Workload",
    "type": "train",
    "namespace": "pool-x",
    "name": "modelarts-job-1",
    "jobName": "llm",
    "uid": "uid-1",
    "jobUUID": "uuid-1",
    "flavor": "modelarts.p3d.8xa100",
    "status": "Running",
    "userName": "mara",
    "resourceRequirement": {"cpu": "8 Cores", "memory": "32 GiB", "nvidia.com/gpu": "4"},
    "priority": "2",
    "runningDuration": 60,
    "pendingDuration": 5,
    "pendingPosition": -1,
    "createTime": 1727254947000,
    "gvk": "batch.volcano.sh/v1alpha1, Kind=Job",
    "hostIps": "10.0.0.1,10.0.0.2",
    "nodes": [
        {
            "hostIp": "10.0.0.1",
            "npuTopologyPlacement": "0000000000001111",
            "resourceRequirement": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "4"},
        }
    ],
    "isDeleted": "false",
}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
QUANTITY = st.sampled_from(("1", "2 Cores", "6.52 GiB", "500m", "8", "lots", "", None, 5, 0.5, -1, True, [], {}))
REQUIREMENT = st.dictionaries(st.sampled_from(("cpu", "memory", "nvidia.com/gpu", "x")), QUANTITY, max_size=4)
NODE = st.fixed_dictionaries(
    {}, optional={"hostIp": JSON, "npuTopologyPlacement": JSON, "resourceRequirement": REQUIREMENT | JSON, "new": JSON}
)
FIELD: dict[str, st.SearchStrategy[t.Any]] = {
    **{key: JSON | st.just(FULL[key]) for key in FULL},
    "status": st.sampled_from((*STATUSES, "Hibernating", None, 5)) | JSON,
    "resourceRequirement": REQUIREMENT | st.lists(REQUIREMENT, max_size=3) | JSON,
    "nodes": NODE | st.lists(NODE, max_size=3) | JSON,
    "createTime": st.integers() | JSON,
    "unknownKey": JSON,
}


def job(name: str, status: str, cards: int = 1, **keys: t.Any) -> dict[str, t.Any]:
    requirement = {"cpu": "1", "nvidia.com/gpu": str(cards)}
    return {"jobName": name, "jobUUID": name, "status": status, "resourceRequirement": requirement, **keys}


def frozen(given_: str | dict[str, t.Any]) -> dict[str, t.Any]:
    """A shipped scenario whose clock stands still, so that two readings say the same."""
    scenario = load_scenario(given_)
    return {**scenario, "clock": {**scenario.get("clock", {}), "frozen": True}}


def sdk_client(emulator: Emulator) -> t.Any:
    mine = emulator.credentials
    login = BasicCredentials(mine.access_key, mine.secret_key, mine.project_id)
    return sdk.ModelArtsClient.new_builder().with_credentials(login).with_endpoint(emulator.endpoint).build()


def modelled(value: t.Any) -> t.Any:
    """What the SDK made of a document, under the keys of the API, without what is not there."""
    if hasattr(value, "attribute_map"):
        values = {key: modelled(getattr(value, name)) for name, key in value.attribute_map.items()}
        return {key: one for key, one in values.items() if one is not None}
    return [modelled(one) for one in value] if isinstance(value, list) else value
