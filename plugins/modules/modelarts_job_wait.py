#!/usr/bin/python
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: modelarts_job_wait
short_description: Wait until a job in a ModelArts pool runs, ends or fails
version_added: 1.1.0
description:
  - Follows a job in a dedicated resource pool, look after look, until it runs, completes or fails, or until the time is
    up. Says in one sentence what became of it.
  - The task fails unless the job runs or has completed.
  - While it waits, it prints one line for each look. A look that the API fails is a warning, and a look without news.
    Before the job was found, a failure that another look would not mend ends the task. Refused credentials always do.
  - This is an action plugin. It runs M(poolgate.modelarts.modelarts_workload_info) on the host of the task, once for
    each look, and follows the job on the controller. Where that host is the controller itself, it reads the same
    without starting the module.
author:
  - The poolgate.modelarts contributors (@poolgate)
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.actiongroup
  - poolgate.modelarts.connection.info_module
attributes:
  check_mode:
    details:
      - Looks, and waits, as it does without check mode. With O(wait_timeout=0) it looks once.
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
    details:
      - Use O(wait_timeout) to wait.
options:
  pool_name:
    description:
      - ID of the pool. The ID is the C(metadata.name) of a pool, not the name that the console shows.
    type: str
    required: true
  job:
    description:
      - Name of the job, or its C(job_uuid). Of several jobs of the name the newest is followed, which is printed.
      - A C(job_uuid) goes before names, and a text of the form of a UUID is taken for nothing else, because others may
        name their jobs so. Behind a submission give the C(job_uuid), as an earlier job of the name may be the newest
        yet.
    type: str
    required: true
  wait_timeout:
    description:
      - Seconds within which the job must run. V(0) looks once.
      - No look begins that would end later. With a slow API, the last look and reading what is ahead of the job may
        take a minute more, together.
    type: float
    default: 600
  poll_interval:
    description:
      - Seconds between two looks, give or take a tenth.
    type: float
    default: 15
  store:
    description:
      - The store of claims, see O(poolgate.modelarts.modelarts_capacity_gate#module:store).
    type: str
    version_added: 1.1.0
  claim_id:
    description:
      - ID of the claim that the gate has made for the job. It is renewed for 15 minutes before the first look, and ends
        when the job is seen with its cards. A store that cannot be asked is a warning.
    type: str
    version_added: 1.1.0
  claim_nonce:
    description:
      - The C(nonce) of the claim. What a retry has claimed under the same O(claim_id) is then left alone.
    type: str
    version_added: 1.1.0
seealso:
  - module: poolgate.modelarts.modelarts_capacity_gate
  - module: poolgate.modelarts.modelarts_workload_info
"""

EXAMPLES = r"""
- name: Does it start within ten minutes?
  poolgate.modelarts.modelarts_job_wait:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    job: llm-pretrain-7b
    wait_timeout: 600
  register: watched

- name: Say for how long it waited
  ansible.builtin.debug:
    msg: "{{ watched.state }}: {{ watched.message }}"
"""

RETURN = r"""
state:
  description:
    - V(running) or V(completed) when the job runs, or has run.
    - V(failed) when it failed, or was terminated.
    - V(waiting) when it is still queued at the end of the time, or being created.
    - V(gone) when it was in the pool and is no longer.
    - V(missing) when no job of that name has come up.
    - V(unread) when its state is not known, because the API did not answer at the end, or its IDs did not tell
      which job it is.
  returned: when the pool could be read
  type: str
  sample: running
status:
  description: The status of the job at the last look, as the API has it; null when that look did not show it.
  returned: when the pool could be read
  type: str
  sample: Running
pool:
  description: ID of the pool.
  returned: when the pool could be read
  type: str
job_uuid:
  description: ID of the job that was followed; null when none was found.
  returned: when the pool could be read
  type: str
ahead:
  description: How many jobs are ahead of it in the queue; null when it does not wait there, and when it is not known.
  returned: when the pool could be read
  type: int
message:
  description: What became of the job, as one sentence.
  returned: when the pool could be read
  type: str
  sample: llm-pretrain-7b runs in pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03, after 5 s in the queue.
"""
