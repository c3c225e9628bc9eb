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
  - Reads the running and queued jobs (training, inference, notebooks) in one or more dedicated resource pools. It
    supports ModelArts of Huawei Cloud and of Open Telekom Cloud. It returns structured facts and a summary.
  - With O(include_capacity), the same call also reads the free capacity of the pools.
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
      - With O(include_capacity), the name that the console shows is also accepted. A text that does not look like an ID
        is looked up in the list of pools, which takes one more request.
    type: list
    elements: str
    required: true
  placement_of:
    description:
      - The C(job_uuid) of each job whose split over nodes is returned in RV(pools[].placements). It needs
        O(include_capacity).
    type: list
    elements: str
    default: []
  look_for:
    description:
      - Names of jobs, either exact or with the wildcards C(*), C(?) and C([]). Jobs with these names are returned in
        RV(pools[].found), regardless of their type and status. It needs O(include_capacity).
      - If a pool has more than 500 such jobs, the newest of those that are not over are returned.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  time_limit:
    description:
      - Maximum duration of the whole call in seconds. It includes retries and the pauses that the API requests when it
        throttles. It does not include the start of the module on its host.
      - The default is ten minutes. With the default, no pause is longer than one minute.
    type: float
seealso:
  - plugin: poolgate.modelarts.modelarts_workloads
    plugin_type: lookup
  - module: poolgate.modelarts.modelarts_capacity_gate
"""

EXAMPLES = r"""
- name: Read the jobs of a pool
  poolgate.modelarts.modelarts_workload_info:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
  register: pool

- name: Show the number of jobs by status
  ansible.builtin.debug:
    msg: >-
      {{ pool.summary.by_status }}, the oldest has waited for {{ pool.summary.oldest_pending_seconds }} s

- name: Read a few fields of the waiting training and inference jobs, newest first
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

- name: Read one page, as the API returns it
  poolgate.modelarts.modelarts_workload_info:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    fetch_all: false
    offset: 0
    limit: 5

- name: Read the free capacity of two pools, without the list of jobs
  poolgate.modelarts.modelarts_workload_info:
    pool_name:
      - pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
      - pool-npu-dev-9d40c1b7e2f64a538b0f6ac3d51e7284
    fields: []
    include_capacity: true
  register: pools

- name: Show the capacity of the nodes
  ansible.builtin.debug:
    msg: "{{ pools.pools | items2dict(key_name='pool_name', value_name='capacity') }}"
"""

RETURN = r"""
workloads:
  description:
    - The jobs, oldest first unless O(sort) and O(ascend) specify another order. With O(fields), each has only those
      keys.
  returned: success
  type: list
  elements: dict
  contains: &workload
    pool_name:
      description: ID of the pool in which the job was found.
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
      description: Service type, as in O(type). V(x-infer) is a new type of inference service.
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
      description: Name of the job in the service that created it.
      type: str
      sample: autotest_b82d17
    uid:
      description: Job UID.
      type: str
    job_uuid:
      description: ID of the job in the service that created it.
      type: str
    flavor:
      description: Job specifications.
      type: str
    status:
      description: Job status.
      type: str
      sample: Queue
    user_name:
      description: User who started the job. Only the official SDK documents this field, not the API reference.
      type: str
    resource_requirement:
      description: Requested resources, as the API returns them. One object or a list of objects.
      type: raw
      sample: {"cpu": "1 Cores", "memory": "6.52 GiB"}
    resources:
      description:
        - The requested resources as numbers. The parts of a list are added up. C(cpu) is in cores, C(memory) in bytes,
          and accelerators are in cards. A quantity that cannot be read is missing here and counted in
          RV(summary.unparsed).
      type: dict
      sample: {"cpu": 1, "memory": 7000796693}
    priority:
      description: Priority of the job, a number as text. A job of higher priority goes first.
      type: str
      sample: "0"
    running_duration:
      description: Running duration in seconds.
      type: int
    pending_duration:
      description: Queuing duration in seconds.
      type: int
    pending_position:
      description: Position in the queue. V(-1) means that it is unknown, not that the job is first.
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
        - These nodes, with the resources on each. It is a list even if the API returns a single object.
      type: list
      elements: dict
      contains:
        host_ip:
          description: IP address of the node.
          type: str
        npu_topology_placement:
          description:
            - Sixteen bits as text. The right-most bit stands for the first card, and V(1) means occupied.
            - ModelArts does not document whether these are the job's own cards or all occupied cards of the node.
          type: str
        cards_free:
          description:
            - Numbers of the cards whose bit in RV(workloads[].nodes[].npu_topology_placement) is V(0).
            - Null if the bits cannot be read. It is also null without O(include_capacity), because only the list of
              nodes contains the number of cards.
          type: list
          elements: int
        resource_requirement:
          description: Requested resources, as the API returns them.
          type: raw
        resources:
          description: The requested resources as numbers.
          type: dict
        extra:
          description: Keys that the API reference does not document, as the API returns them.
          returned: when there are any
          type: dict
    is_deleted:
      description: V(true) if the job is deleted. Only the example in the API reference has this field.
      type: bool
      sample: false
    extra:
      description: Keys that the API reference does not document, as the API returns them.
      type: dict
total:
  description: Number of jobs in all pools, as the API counts them. Null if it does not return the number.
  returned: success
  type: int
  sample: 234
complete:
  description:
    - V(true) if the result contains every job that the API has, and the pages fit together. Jobs start and end while
      pages are read. A page that no longer fits is read again, a limited number of times.
  returned: success
  type: bool
summary:
  description: Counts and sums of the jobs that were read.
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
      description: Seconds that the oldest queued or pending job has waited. Null if there is none.
      type: int
    unparsed:
      description:
        - Quantities that could not be read, with C(resource), C(value) and the number of C(jobs) that have them. At
          most fifty different ones are listed.
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
      description: As RV(total), for this pool.
      type: int
    complete:
      description: As RV(complete), for this pool.
      type: bool
    summary:
      description: As RV(summary), for this pool.
      type: dict
    pool:
      description:
        - With O(include_capacity), the pool itself, as RV(poolgate.modelarts.modelarts_pool_info#module:pools[])
          describes it. Null if it could not be read.
      type: dict
    nodes:
      description:
        - With O(include_capacity), the nodes. Null if they could not be read. Their keys are described in
          RV(poolgate.modelarts.modelarts_pool_info#module:pools[].nodes[]). C(jobs) and C(held) have values here.
        - Each node is listed once, even if the API lists it several times. Of several entries with the same name or
          address, the worse one counts.
      type: list
      elements: dict
    capacity:
      description:
        - With O(include_capacity), sums over the nodes. C(total) is the capacity of all nodes. C(usable) is the
          capacity of the usable nodes, and C(free) is the free part of it. C(nodes) is the number of all nodes, and
          C(usable_nodes) is the number of usable nodes.
      type: dict
    metrics:
      description:
        - With O(include_capacity), the runtime metrics of the pool with their age. Null if there are none.
        - C(allocated), C(capacity), C(max_capacity), C(all_capacity), C(all_max_capacity), C(available) and
          C(max_available) are amounts. C(workload) has the number of jobs by type.
        - C(observed_at), C(age_seconds) and C(window_seconds) date the metrics. C(unreadable) lists the quantities that
          could not be read. See M(poolgate.modelarts.modelarts_pool_info).
      type: dict
    held:
      description: With O(include_capacity), the resources that jobs hold.
      type: dict
      contains:
        resources:
          description: Resources that all jobs hold, in cores, bytes and cards.
          type: dict
        active:
          description: Part of it that running jobs, and jobs that are being created, hold.
          type: dict
        since_metrics:
          description: Part of it that jobs hold on nodes which may have started after the runtime metrics were taken.
          type: dict
          version_added: 1.1.0
        unread:
          description:
            - Number of jobs that hold an amount that cannot be read, by resource. V(*) stands for all resources.
          type: dict
    holders:
      description: With O(include_capacity), the ten jobs that hold the most.
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
          description: Seconds for which the job has run or waited.
          type: int
        resources:
          description: As RV(workloads[].resources).
          type: dict
        unread:
          description: Names of requested resources with an amount that cannot be read. V(*) stands for all resources.
          type: list
          elements: str
        waits:
          description: V(true) if the job is queued or pending.
          type: bool
        holds:
          description: V(true) if the job holds the resources that it requests.
          type: bool
    queued:
      description:
        - With O(include_capacity), the first hundred queued jobs, in the order of the scheduler. Each has the form of
          RV(pools[].holders[]).
      type: list
      elements: dict
    queue_counts:
      description: With O(include_capacity), the number of queued jobs by type and priority.
      type: list
      elements: dict
      contains:
        type:
          description: Type of these jobs.
          type: str
        priority:
          description: Priority of these jobs. Null if it could not be read.
          type: int
        count:
          description: Number of these jobs.
          type: int
        oldest_seconds:
          description: Seconds that the oldest has waited. Null unless it is known for every job.
          type: int
        youngest_seconds:
          description: The same for the youngest.
          type: int
    unplaced:
      description:
        - With O(include_capacity), jobs that hold resources but show no node yet, grouped by requirement. It also has
          the resources that jobs hold on addresses that no listed node has.
        - C(count) is the number of jobs, and C(resources) are the resources that each of them holds. C(unread) names
          the resources that could not be read.
      type: list
      elements: dict
    placements:
      description:
        - With O(include_capacity), the jobs of O(placement_of) with their split over nodes. Null if none of them was
          found, and a job that holds resources shows no UUID.
        - The C(cards) of a node are the numbers of the job's own cards there. They are null if the placement bits
          do not show as many cards as the job has, if another job shows one of the same bits, or if the node shows one
          of these cards as free.
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
        - The jobs of O(look_for), with C(job_uuid), C(uid), C(job_name), C(type), C(status), C(host_ips) and the
          requested C(resources). C(unread) names the resources that could not be read.
        - C(created) is the time when the job was created, as RV(pools[].found_at).
        - C(job_name) is the name in the service that created the job. If there is none, it is the job's own name.
      returned: when O(look_for) is given
      type: list
      elements: dict
      version_added: 1.1.0
    found_complete:
      description:
        - V(true) if RV(pools[].found) contains all jobs of O(look_for). Of more than 500 jobs, those that are over are
          left out first, and then the oldest ones.
      returned: when O(look_for) is given
      type: bool
      version_added: 1.1.0
    found_at:
      description: The time of the last response, in seconds since the epoch, by the clock of the API.
      returned: when O(look_for) is given
      type: float
      version_added: 1.1.0
    observed_at:
      description:
        - With O(include_capacity), the time when the reading of the pool's documents began, ISO 8601 in UTC.
        - The time comes from the clock of the API, which dates its responses.
      type: str
    age_seconds:
      description: With O(include_capacity), the duration of the reading in seconds.
      type: int
    errors:
      description:
        - With O(include_capacity), the documents of the pool that could not be read. The module fails only if it could
          not read any document of any pool.
      type: list
      elements: dict
      contains:
        document:
          description: V(workloads), V(pool), V(nodes) or V(metrics).
          type: str
        msg:
          description: Description of the error.
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
          description: ID of the request, for the support team of the cloud.
          type: str
        transient:
          description: V(true) if reading the same document again may succeed.
          type: bool
seconds:
  description: Duration of the call on its host in seconds, without the start of the module.
  returned: success, when O(time_limit) is given
  type: float
  sample: 1.25
  version_added: 1.1.0
status:
  description: HTTP status of the response that made the module fail.
  returned: failure, when the API responded
  type: int
  sample: 404
error_code:
  description: Error code of the API.
  returned: failure, when the API returned one
  type: str
  sample: ModelArts.50015001
error_msg:
  description: Error message of the API.
  returned: failure, when the API returned one
  type: str
request_id:
  description: ID of the request, for the support team of the cloud.
  returned: failure, when the API returned one
  type: str
transient:
  description: V(true) if the same call may succeed later, for example after a timeout or throttling.
  returned: failure, if it is true
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
