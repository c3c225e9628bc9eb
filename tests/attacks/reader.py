# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a pool in a process of its own, as a module does, and tells how long that took and how much memory.

On standard input: ``{options, pool, time_limit}``. On standard output: ``{seconds, busy, peak, decision, said}``, with
the seconds of a processor behind the limit, and bytes of memory.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from pathlib import Path

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    read_declared_capacity,
    read_policy,
    read_request,
)

GROUPS = [
    {"replicas": 2, "resources": {"cpu": 4, "memory": "8Gi"}},
    {"replicas": 1, "resources": {"nvidia.com/gpu": 1}},
]


def main() -> None:
    asked = json.load(sys.stdin)
    began = time.monotonic()
    at_limit: list[float] = []
    timer = threading.Timer(asked["time_limit"], lambda: at_limit.append(time.process_time()))
    timer.start()
    decision = None
    try:
        with Client(connect(asked["options"], where="here"), time_limit=asked["time_limit"]) as client:
            facts = read_workloads(client, [asked["pool"]], WorkloadQuery(include_capacity=True), clock=client.now)
        verdict = capacity_verdict(
            facts["pools"][0],
            read_request({"groups": GROUPS}),
            read_policy(None),
            read_declared_capacity(None),
            age=0.0,
        )
        decision, said = verdict["decision"], " ".join(verdict["reasons"])
    except ModelArtsError as error:
        said = error.message
    seconds = time.monotonic() - began
    timer.cancel()
    busy = time.process_time() - at_limit[0] if at_limit else 0.0
    # Not from getrusage(), which counts what the parent had when it started this process.
    peak = 1024 * int(re.findall(r"VmHWM:\s+([0-9]+) kB", Path("/proc/self/status").read_text(encoding="ascii"))[0])
    json.dump({"seconds": seconds, "busy": busy, "peak": peak, "decision": decision, "said": said[:500]}, sys.stdout)


if __name__ == "__main__":
    main()
