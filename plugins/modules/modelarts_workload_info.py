#!/usr/bin/python
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: modelarts_workload_info
short_description: Obtain the jobs in dedicated resource pools of ModelArts
version_added: 0.1.0
description:
  - Reads the jobs (training, inference, notebooks) that run or wait in one or more dedicated resource pools of Huawei
    Cloud or Open Telekom Cloud ModelArts, as structured facts with a summary.
  - With O(include_capacity) it also reads, in the same call, what the pools can still take.
  - It calls the API "Obtaining Jobs in a Dedicated Resource Pool".
author:
  - The poolgate.modelarts contributors (@poolgate)
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.actiongroup
  - poolgate.modelarts.connection.info_module
  - poolgate.modelarts.workloads
options:
  pool_name:
    description:
      - IDs of the pools. The ID is the C(metadata.name) of a pool, not the name that the console shows.
      - With O(include_capacity), the name that the console shows is taken, too. What does not look like an ID is looked
        up in the list of pools, which is one request more.
    type: list
    elements: str
    required: true
  placement_of:
    description:
      - Values of C(job_uuid) of jobs whose split over nodes is returned under RV(pools[].placements). Needs
        O(include_capacity).
    type: list
    elements: str
    default: []
  look_for:
    description:
      - Names of jobs, exact or with the wildcards C(*), C(?) and C([]). The jobs that have them are returned under
        RV(pools[].found), whatever their type and status. Needs O(include_capacity).
      - Of more than 500 jobs of a pool, it is the newest that are not over.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  time_limit:
    description:
      - Seconds that the whole call may take, with its retries and the waits that the API asks for when it throttles.
        They begin when the module has started on its host.
      - Ten minutes when not given, and then no pause is longer than a minute.
    type: float
seealso:
  - plugin: poolgate.modelarts.modelarts_workloads
    plugin_type: lookup
  - module: poolgate.modelarts.modelarts_capacity_gate
"""

EXAMPLES = r"""
- name: What runs and waits in a pool
  poolgate.modelarts.modelarts_workload_info:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
  register: pool

- name: Say it
  ansible.builtin.debug:
    msg: >-
      {{ pool.summary.by_status }}, the oldest waits for {{ pool.summary.oldest_pending_seconds }} s

- name: Training and inference jobs that wait, newest first, a few fields of each
  poolgate.modelarts.modelarts_workload_info:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    type:
      - train
      - infer
    status:
      - Queue
      - Pending
    sort: create_time
    ascend: false
    fields:
      - job_name
      - user_name
      - resources
      - created_at

- name: One page, as the API gives it
  poolgate.modelarts.modelarts_workload_info:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    fetch_all: false
    offset: 0
    limit: 5

- name: What two pools can still take, without the list of jobs
  poolgate.modelarts.modelarts_workload_info:
    pool_name:
      - pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
      - pool-npu-dev-9d40c1b7e2f64a538b0f6ac3d51e7284
    fields: []
    include_capacity: true
  register: pools

- name: Idle resources on the nodes that can take work
  ansible.builtin.debug:
    msg: "{{ pools.pools | items2dict(key_name='pool_name', value_name='capacity') }}"
"""

RETURN = r"""
workloads:
  description:
    - The jobs, oldest first unless O(sort) and O(ascend) say otherwise. With O(fields), only those keys of each.
  returned: success
  type: list
  elements: dict
  contains: &workload
    pool_name:
      description: ID of the pool that was asked for this job.
      type: str
    api_version:
      description: Resource version.
      type: str
      sample: v1
    kind:
      description: Resource type.
      type: str
      sample: Workload
    type:
      description: Service type, as O(type) has it. V(x-infer) are inference services of the new kind.
      type: str
      sample: train
    namespace:
      description: ID of the pool to which the job belongs.
      type: str
    name:
      description: Job name.
      type: str
      sample: modelarts-job-c237e9e1-50e7-4c4d-97ba-f4a5e0f62f70
    job_name:
      description: Name of the job in the service above.
      type: str
      sample: autotest_b82d17
    uid:
      description: Job UID.
      type: str
    job_uuid:
      description: ID of the job in the service above.
      type: str
    flavor:
      description: Job specifications.
      type: str
    status:
      description: Job status.
      type: str
      sample: Queue
    user_name:
      description: Who started the job. The reference does not document it, the official SDK does.
      type: str
    resource_requirement:
      description: The resources requested for the job, as the API sends them, one object or a list of objects.
      type: raw
      sample: {"cpu": "1 Cores", "memory": "6.52 GiB"}
    resources:
      description:
        - The same as numbers, the parts of a list added up. C(cpu) is in cores, C(memory) in bytes, accelerators in
          cards. What cannot be read is missing, and counted in RV(summary.unparsed).
      type: dict
      sample: {"cpu": 1, "memory": 7000796693}
    priority:
      description: Job priority, a number as text. A higher one goes first.
      type: str
      sample: "0"
    running_duration:
      description: Running duration in seconds.
      type: int
    pending_duration:
      description: Queuing duration in seconds.
      type: int
    pending_position:
      description: Queuing position. V(-1) means unknown, not first.
      type: int
    create_time:
      description: Creation time in milliseconds since the epoch.
      type: int
      sample: 1727254947000
    created_at:
      description: Creation time, ISO 8601 in UTC.
      type: str
      sample: "2024-09-25T09:02:27Z"
    gvk:
      description: GVK of the job.
      type: str
      sample: batch.volcano.sh/v1alpha1, Kind=Job
    host_ips:
      description: IP addresses of the nodes where the job runs.
      type: list
      elements: str
    nodes:
      description:
        - Those nodes with the resources of each; also when the API sends a single object.
      type: list
      elements: dict
      contains:
        host_ip:
          description: IP address of the node.
          type: str
        npu_topology_placement:
          description:
            - Sixteen bits as text, the right-most one for the first card. V(1) means occupied.
            - Whether these are the job's own cards or all that are occupied on the node is not documented.
          type: str
        cards_free:
          description:
            - Numbers of the cards for which RV(workloads[].nodes[].npu_topology_placement) has V(0).
            - Null when it cannot be read, and without O(include_capacity). Only the list of nodes tells how many cards
              there are.
          type: list
          elements: int
        resource_requirement:
          description: Requested resources, as the API sends them.
          type: raw
        resources:
          description: The same as numbers.
          type: dict
        extra:
          description: Keys that the reference does not document, as the API sends them.
          returned: when there are any
          type: dict
    is_deleted:
      description: Whether the job is deleted. Only the example of the reference shows it.
      type: bool
      sample: false
    extra:
      description: Keys that the reference does not document, as the API sends them.
      type: dict
total:
  description: How many jobs the API says there are, over all pools; null when it does not say.
  returned: success
  type: int
  sample: 234
complete:
  description:
    - Whether every job that the API holds is in the answer, and the pages fitted together. Jobs start and end while
      pages are read; what slipped is read again, a bounded number of times.
  returned: success
  type: bool
summary:
  description: Counts and sums over the jobs that were read.
  returned: success
  type: dict
  contains: &summary
    total:
      description: Number of jobs.
      type: int
    by_status:
      description: Number of jobs by status.
      type: dict
      sample: {"Queue": 234}
    by_type:
      description: Number of jobs by service type.
      type: dict
      sample: {"train": 234}
    resources_by_status:
      description: Requested resources by status, in cores, bytes and cards.
      type: dict
      sample: {"Queue": {"cpu": 234, "memory": 1638186426162}}
    oldest_pending_seconds:
      description: For how long the oldest job waits that is queued or pending; null when none is.
      type: int
    unparsed:
      description:
        - Quantities that could not be read, with C(resource) and C(value), and of how many C(jobs); at most fifty
          different ones.
      type: list
      elements: dict
      sample: []
pools:
  description: One entry for each pool.
  returned: success, or when O(include_capacity) is set and no pool could be read
  type: list
  elements: dict
  contains:
    pool_name:
      description: ID of the pool.
      type: str
    total:
      description: As RV(total), of this pool.
      type: int
    complete:
      description: As RV(complete), of this pool.
      type: bool
    summary:
      description: As RV(summary), of this pool.
      type: dict
    pool:
      description:
        - With O(include_capacity), the pool itself, as RV(poolgate.modelarts.modelarts_pool_info#module:pools[])
          describes it. Null when it could not be read.
      type: dict
    nodes:
      description:
        - With O(include_capacity), the nodes, with the resources they have and the free ones in cores, bytes and cards,
          whether they can take new work, and if not, why. Null when they could not be read. Their keys are those of
          RV(poolgate.modelarts.modelarts_pool_info#module:pools[].nodes[]), C(jobs) and C(held) included.
        - A node stands here once, whatever the pages of the list do. Of several entries with its name or its address
          the worse counts.
      type: list
      elements: dict
    capacity:
      description:
        - With O(include_capacity), sums over the nodes. C(total) is what all nodes have, C(usable) what those have that
          can take work, C(free) what is idle on these. C(nodes) counts all of them, C(usable_nodes) those that can take
          work.
      type: dict
    metrics:
      description:
        - With O(include_capacity), the runtime metrics of the pool with their age. Null when there are none.
        - C(allocated), C(capacity), C(max_capacity), C(all_capacity), C(all_max_capacity), C(available) and
          C(max_available) are amounts, C(workload) counts jobs by type. C(observed_at), C(age_seconds) and
          C(window_seconds) tell when they were taken, C(unreadable) what of them could not be read. See
          M(poolgate.modelarts.modelarts_pool_info).
      type: dict
    held:
      description: With O(include_capacity), what the jobs hold.
      type: dict
      contains:
        resources:
          description: What all of them hold, in cores, bytes and cards.
          type: dict
        active:
          description: What of it those hold that run or are being created.
          type: dict
        unread:
          description: How many hold something that could not be read, by resource, V(*) for all resources.
          type: dict
    holders:
      description: With O(include_capacity), the ten jobs that hold most.
      type: list
      elements: dict
      contains: &job
        job_uuid:
          description: As RV(workloads[].job_uuid).
          type: str
        job_name:
          description: As RV(workloads[].job_name).
          type: str
        name:
          description: As RV(workloads[].name).
          type: str
        user_name:
          description: As RV(workloads[].user_name).
          type: str
        type:
          description: As RV(workloads[].type).
          type: str
        status:
          description: As RV(workloads[].status).
          type: str
        priority:
          description: As RV(workloads[].priority).
          type: str
        created_at:
          description: As RV(workloads[].created_at).
          type: str
        seconds:
          description: For how long it has run, or waited.
          type: int
        resources:
          description: As RV(workloads[].resources).
          type: dict
        unread:
          description: Names of resources of which it asks for what cannot be read, V(*) for all.
          type: list
          elements: str
        waits:
          description: Whether it is queued or pending.
          type: bool
        holds:
          description: Whether it holds what it asks for.
          type: bool
    queued:
      description:
        - With O(include_capacity), the first hundred jobs that wait, in the order of the scheduler, each as
          RV(pools[].holders[]).
      type: list
      elements: dict
    queue_counts:
      description: With O(include_capacity), how many jobs wait, by type and priority.
      type: list
      elements: dict
      contains:
        type:
          description: Their type.
          type: str
        priority:
          description: Their priority; null when it could not be read.
          type: int
        count:
          description: How many they are.
          type: int
        oldest_seconds:
          description: For how long the oldest has waited; null when it is not known of each of them.
          type: int
        youngest_seconds:
          description: The same of the youngest.
          type: int
    unplaced:
      description:
        - With O(include_capacity), jobs that hold resources and show no node yet, grouped by requirement, and what jobs
          hold on addresses that no listed node has. C(count) is how many jobs, C(resources) what each of them holds,
          C(unread) the names of what could not be read of it.
      type: list
      elements: dict
    placements:
      description:
        - With O(include_capacity), the jobs of O(placement_of) with their split over nodes. The C(cards) of a node are
          the numbers of the job's own cards there. They are null where the placement bits of the job cannot be taken
          for that, because they are not as many as its cards, or another job shows one of them, too.
      type: list
      elements: dict
      contains:
        <<: *job
        host_ips:
          description: As RV(workloads[].host_ips).
          type: list
          elements: str
        nodes:
          description: The split, with C(host_ip), C(resources) and C(cards) of each node.
          type: list
          elements: dict
    found:
      description:
        - The jobs of O(look_for), with C(job_uuid), C(uid), C(job_name), C(type), C(status), C(age_seconds),
          C(host_ips), and C(resources) that they ask for. C(unread) names what of these could not be read.
        - C(job_name) is the name of the service above, else the job's own.
      returned: when O(look_for) names jobs
      type: list
      elements: dict
      version_added: 1.1.0
    found_complete:
      description:
        - Whether these are all jobs of O(look_for). Of more than 500, those that are over are left out first, and of
          the rest the older ones.
      returned: when O(look_for) names jobs
      type: bool
      version_added: 1.1.0
    observed_at:
      description:
        - With O(include_capacity), when the reading of the pool's documents began, ISO 8601 in UTC.
        - It is told by the clock of the API, which dates its answers.
      type: str
    age_seconds:
      description: With O(include_capacity), for how many seconds the reading had been under way when it ended.
      type: int
    errors:
      description:
        - With O(include_capacity), the documents of the pool that could not be read. The module fails only when nothing
          of any pool could be read.
      type: list
      elements: dict
      contains:
        document:
          description: V(workloads), V(pool), V(nodes) or V(metrics).
          type: str
        msg:
          description: What happened.
          type: str
        status:
          description: HTTP status.
          type: int
        error_code:
          description: Error code of the API.
          type: str
        error_msg:
          description: Error message of the API.
          type: str
        request_id:
          description: ID of the request, for the support of the cloud.
          type: str
        transient:
          description: V(true) when the same document may be read later.
          type: bool
seconds:
  description: Seconds that the call took on its host, without what it took to start it there.
  returned: success, when O(time_limit) is given
  type: float
  sample: 1.25
  version_added: 1.1.0
status:
  description: HTTP status of the answer that made the module fail.
  returned: failure, when the API answered
  type: int
  sample: 404
error_code:
  description: Error code of the API.
  returned: failure, when the API gave one
  type: str
  sample: ModelArts.50015001
error_msg:
  description: Error message of the API.
  returned: failure, when the API gave one
  type: str
request_id:
  description: ID of the request, for the support of the cloud.
  returned: failure, when the API gave one
  type: str
transient:
  description: V(true) when the same call may succeed later, as after a time-out or when the API throttled it.
  returned: failure, when it is so
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.poolgate.modelarts.plugins.module_utils._module import run_module
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import READING_OPTIONS, read_as_asked


def main() -> None:
    module = AnsibleModule(argument_spec=READING_OPTIONS, supports_check_mode=True)
    run_module(module, lambda client: read_as_asked(client, module.params))


if __name__ == "__main__":
    main()
