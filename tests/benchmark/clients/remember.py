# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the facts of all jobs to a file, for benchmark_memory to return."""

import marshal
import os
import sys
import time

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import environment_level
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads

with (
    Client(connect(environment_level(os.environ), where="here")) as client,
    open(sys.argv[1], "wb") as stream,
):
    facts = read_workloads(client, [os.environ["POOL"]], WorkloadQuery(), clock=time.time)
    facts.pop("warnings")
    marshal.dump(facts, stream)
