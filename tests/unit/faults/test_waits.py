# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wait survives what passes, and refuses at its deadline, whatever the fault."""

from __future__ import annotations

import random
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import Candidate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._gate import Gate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Time, Wait

from .plan import FAULTS, Fault, pool, pool_id

POOL = pool_id(0, "wait")
REQUEST = read_request({"resources": {"nvidia.com/gpu": 8}})
FOR_EVER = 0
REAL_TIME = Time(time.monotonic, time.sleep, random.uniform, lambda: "2026-01-01T00:00:00Z")


def wait(fault: Fault, times: int, timeout: float) -> tuple[dict[str, t.Any], float, int]:
    """(the outcome of a gate, the seconds it took, the requests that it sent): the fault strikes so many requests."""
    with Emulator({"pools": [pool(POOL)], "faults": [{**fault.entry, "times": times}]}) as emulator:
        mine = emulator.credentials
        place = {"endpoint": emulator.endpoint, "auth_token": mine.auth_token, "project_id": mine.project_id}

        def observe(left: float | None) -> list[dict[str, t.Any]]:
            connection = connect({**place, "timeout": 0.4, "max_retries": 1}, where="here")
            try:
                with Client(connection, time_limit=left) as client:
                    query = WorkloadQuery(fields=[], include_capacity=True)
                    return t.cast("list[t.Any]", read_workloads(client, [POOL], query, clock=time.time)["pools"])
            except ModelArtsError as error:
                return t.cast("list[t.Any]", error.as_result()["pools"])

        gate = Gate([Candidate(POOL, REQUEST)], read_policy(None), None, Wait(timeout, 0.05, REAL_TIME))
        began = time.monotonic()
        said: list[str] = []
        outcome = gate.wait(observe, said.extend)
        assert len(said) == outcome["attempts"]
        return outcome, time.monotonic() - began, len(emulator.requests)


def test_what_passes_is_survived() -> None:
    """Six requests in a row are struck: more than one attempt tries."""
    faults = [fault for fault in FAULTS if not fault.harmless and "bytes" not in fault.entry]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda fault: wait(fault, 6, 30.0), faults))
    for fault, (outcome, seconds, _requests) in zip(faults, outcomes):
        assert outcome["decision"] == "admit", (fault.name, outcome["reasons"])
        assert outcome["attempts"] > 1, fault.name
        assert seconds < 20, fault.name


def test_what_stays_is_refused_at_the_deadline() -> None:
    faults = [fault for fault in FAULTS if not fault.harmless and "bytes" not in fault.entry]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda fault: wait(fault, FOR_EVER, 1.5), faults))
    for fault, (outcome, seconds, requests) in zip(faults, outcomes):
        assert outcome["decision"] == "unknown", fault.name
        assert seconds < 1.5 + 1.5, (fault.name, seconds)
        # A pause that the server asks for may leave no time for a second request.
        assert requests >= 2 or "Retry-After" in fault.name, fault.name
        assert requests <= 200, (fault.name, requests)
