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
  - Follows a job in a dedicated resource pool. It looks at the jobs of the pool at intervals until the job runs,
    completes or fails, or until the time is up. It reports the outcome in one sentence.
  - The task fails unless the job runs or has completed.
  - While it waits, it prints one line for each look.
  - A look that fails is a warning, and it brings no news. Until the job is found, a permanent failure ends the task.
    Refused credentials always end it.
  - This is an action plugin. It follows the job on the controller. For each look, it runs
    M(poolgate.modelarts.modelarts_workload_info) on the host of the task. If that host is the controller itself, it
    reads the same facts without starting the module.
author:
  - The poolgate.modelarts contributors (@poolgate)
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.actiongroup
  - poolgate.modelarts.connection.info_module
attributes:
  check_mode:
    details:
      - It looks and waits as it does without check mode, but changes no claim. With O(wait_timeout=0), it looks once.
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
      - ID of the pool. The ID is the C(metadata.name) of the pool, not the name that the console shows.
    type: str
    required: true
  job:
    description:
      - Name of the job, or its C(job_uuid). If several jobs have the name, the task follows the newest and prints which
        one it is.
      - A C(job_uuid) takes precedence over names. A text in the form of a UUID is never matched against names, because
        others can name their jobs like this.
      - After a submission, use the C(job_uuid), or set O(created_after). The newest job of the name may still be an
        earlier one.
    type: str
    required: true
  created_after:
    description:
      - A time such as C(2026-11-28T19:00:00Z), for example C(observed_at) of the gate. If O(job) is a name, the task
        does not follow a job that is over and was created before this time. It waits for the job of this run instead.
    type: str
  wait_timeout:
    description:
      - Seconds within which the job must run. With V(0), the task looks once.
      - The task begins no look that would end after this time. With a slow API, the last look and the reading of the
        queue can take up to a minute more.
    type: float
    default: 600
  poll_interval:
    description:
      - Seconds between two looks. The task varies them by up to a tenth.
    type: float
    default: 15
  store:
    description:
      - The claim store, see O(poolgate.modelarts.modelarts_capacity_gate#module:store).
    type: str
    version_added: 1.1.0
  claims:
    description:
      - Claims that gates made, as they returned them. The task takes the one that names the job, and touches no other.
      - Before the first look, the task renews that claim for 15 minutes. The claim ends when a look shows the job with
        its cards. If the store cannot be read, the task only warns.
    type: list
    elements: dict
    version_added: 1.1.0
    suboptions:
      id:
        description:
          - ID of the claim.
        type: str
        required: true
      nonce:
        description:
          - The C(nonce) of the claim. The task then leaves alone a claim that a retry made under the same ID.
        type: str
seealso:
  - module: poolgate.modelarts.modelarts_capacity_gate
  - module: poolgate.modelarts.modelarts_workload_info
"""

EXAMPLES = r"""
- name: Wait up to ten minutes until the job runs
  poolgate.modelarts.modelarts_job_wait:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    job: llm-pretrain-7b
    wait_timeout: 600
  register: watched

- name: Show how long it waited
  ansible.builtin.debug:
    msg: "{{ watched.state }}: {{ watched.message }}"
"""

RETURN = r"""
state:
  description:
    - V(running) or V(completed) if the job runs or has run.
    - V(failed) if the job failed or was terminated.
    - V(waiting) if the job is still queued, or is being created, when the time is up.
    - V(gone) if the job was in the pool and no longer is.
    - V(missing) if no job of this name has appeared.
    - V(unread) if the state is not known, because the API did not answer at the end or its IDs do not identify the job.
  returned: when the pool could be read
  type: str
  sample: running
status:
  description: The status of the job at the last look, as the API returns it. Null if that look did not show the job.
  returned: when the pool could be read
  type: str
  sample: Running
pool:
  description: ID of the pool.
  returned: when the pool could be read
  type: str
job_uuid:
  description: ID of the job that was followed. Null if none was found.
  returned: when the pool could be read
  type: str
ahead:
  description: Number of jobs that are ahead in the queue. Null if the job is not queued, or if the number is not known.
  returned: when the pool could be read
  type: int
message:
  description: The outcome in one sentence.
  returned: when the pool could be read
  type: str
  sample: llm-pretrain-7b runs in pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03, after 5 s in the queue.
"""
