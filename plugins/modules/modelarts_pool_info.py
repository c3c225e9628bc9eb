#!/usr/bin/python
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: modelarts_pool_info
short_description: Obtain dedicated resource pools of ModelArts, their nodes and their capacity
version_added: 0.1.0
description:
  - Reads one, several or all dedicated resource pools of a project, with the state of their job types, their flavors,
    their nodes and what these can still take.
  - It calls the APIs "Querying a Resource Pool List", "Querying Nodes" and "Querying Resource Pool Monitoring".
author:
  - The poolgate.modelarts contributors (@poolgate)
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.actiongroup
  - poolgate.modelarts.connection.info_module
options:
  pool_name:
    description:
      - Pools to read, each by ID or by display name. Without it, all pools of the workspace.
      - An ID needs the permission C(modelarts:pool:get) on that pool alone. A display name is looked up in the list of
        pools, which needs C(modelarts:pool:list) and is that of O(workspace_id).
      - A display name that matches several pools is an error that lists them.
    type: list
    elements: str
    default: []
  include_capacity:
    description:
      - Also read the nodes and the runtime metrics of the pools.
    type: bool
    default: true
  time_limit:
    description:
      - Seconds that the whole call may take, with its retries and the waits that the API asks for when it throttles.
        They begin when the module has started on its host.
      - Ten minutes when not given, and then no pause is longer than a minute.
    type: float
seealso:
  - module: poolgate.modelarts.modelarts_workload_info
"""

EXAMPLES = r"""
- name: All pools of the project, without their nodes
  poolgate.modelarts.modelarts_pool_info:
    include_capacity: false
  register: project

- name: List IDs and names
  ansible.builtin.debug:
    msg: "{{ project.pools | items2dict(key_name='pool_name', value_name='display_name') }}"

- name: A pool by the name that the console shows
  poolgate.modelarts.modelarts_pool_info:
    pool_name: train-a100
  register: named

- name: Nodes that cannot take work, and why
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.unusable }}"
  loop: "{{ named.pools[0].nodes | rejectattr('usable') }}"
"""

RETURN = r"""
pools:
  description: The pools, in the order asked for.
  returned: success
  type: list
  elements: dict
  contains:
    pool_name:
      description: ID of the pool.
      type: str
    display_name:
      description: Name that the console shows.
      type: str
    created_at:
      description: When the pool was created, as the API sends it.
      type: str
    type:
      description: Type of the pool.
      type: str
      sample: Dedicate
    phase:
      description: Phase of the pool. Only a pool that is V(Running) takes work.
      type: str
      sample: Running
    message:
      description: What the API says about the phase.
      type: str
    job_types:
      description:
        - State of each job type; null when the API does not tell.
        - A type that the pool is meant to take and that has no state yet is V(Enabling), which is assumed.
      type: dict
      sample: {"train": "Enabled", "infer": "Enabled"}
    flavors:
      description:
        - Number of nodes by C(flavor). C(count) and C(max_count) are what the pool is meant to have, C(available),
          C(creating), C(abnormal) and C(deleting) what it has.
        - Of a logical pool, C(count) is the guaranteed quota and C(max_count) the ceiling.
      type: list
      elements: dict
    driver:
      description:
        - C(version) and C(state) of the drivers of GPUs and NPUs, by kind of card. A driver in another state than
          V(Running) starts no jobs.
      type: dict
    control_mode:
      description:
        - The restrictions of the pool, V(billing_change_restricted), V(flavor_change_restricted),
          V(service_restricted), V(frozen) and V(frozen_by_police). The last three hold a deployment back. Nobody has
          seen them on a real pool yet.
      type: list
      elements: str
      sample: []
    node_pools:
      description: Node pools with C(name), C(flavor), C(count) and C(max_count).
      type: list
      elements: dict
    workspace_id:
      description: The workspace that the pool belongs to; null when the API does not tell.
      type: str
    billing_mode:
      description: V(pay-per-use) or V(yearly/monthly).
      type: str
    queue_strategy:
      description: The queue strategy that the pool names; null when it names none.
      type: str
    subpools:
      description: Number of logical pools that share it.
      type: int
    parent:
      description: The pool that it is a part of.
      type: str
    root:
      description: The pool at the top.
      type: str
    unreadable:
      description: Parts of the pool that are not of their documented type.
      type: list
      elements: str
    nodes:
      description: With O(include_capacity), the nodes; null when they could not be read.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the node.
          type: str
        phase:
          description: Phase of the node.
          type: str
          sample: Available
        flavor:
          description: Flavor of the node.
          type: str
        az:
          description: Availability zone.
          type: str
        private_ip:
          description: Address of the node.
          type: str
        taints:
          description: Taints, as the API sends them.
          type: list
          elements: dict
        drain:
          description: Whether the node is being drained.
          type: bool
        exclusive_to:
          description: The job that the node is reserved for.
          type: str
        elastic_quota:
          description: The logical pool that the node is bound to.
          type: str
        hot_standby:
          description:
            - Whether the node stands by for a broken one and takes no work until then; null when that cannot be read.
          type: bool
        billing_status:
          description: V(normal), V(frozen) or V(ended); null when the API does not tell.
          type: str
        driver:
          description:
            - The driver of the node, with C(name), C(version) and C(phase). The node takes no work while the phase is
              another than V(Running).
          type: dict
        plugins:
          description: The plugins of the node in the same form, which decide in the same way.
          type: list
          elements: dict
        locked:
          description: Whether the node is locked against deletion. A locked node takes work.
          type: bool
        node_pool:
          description: Name of the node pool.
          type: str
        node_pool_id:
          description: ID of the node pool.
          type: str
        batch:
          description: The batch that the node was created in, with C(uid), C(name), C(type) and C(count).
          type: dict
        supernode:
          description: ID of the supernode. Nodes of one supernode have the same.
          type: str
        cabinet:
          description: Addresses of the top-of-rack switches, with a hyphen between them.
          type: str
        server:
          description: ID of the instance below the node.
          type: str
        usable:
          description: Whether the node can take new work.
          type: bool
        unusable:
          description: Why it cannot, like V(hot standby), V(frozen) or V(driver Updating).
          type: str
        resources:
          description: What the node has, in cores, bytes and cards.
          type: dict
          sample: {"cpu": 3.92, "memory": 6574571520}
        free:
          description: What of it is idle, as the node shows it.
          type: dict
        unreadable:
          description: Quantities that could not be read, with C(resource) and C(value).
          type: list
          elements: dict
        cards_occupied:
          description: Number of occupied NPU cards, by the placement bits; null when the API gives none.
          type: int
        cards_free:
          description:
            - Numbers of the NPU cards that the placement bits show as free. The right-most bit is card 1, and of a node
              with eight cards the left eight bits are no cards.
            - Null when the API gives none, or gives bits that cannot be read or that name a card which is not there.
          type: list
          elements: int
          sample: [2, 3, 4, 5, 6, 8]
        jobs:
          description:
            - How many jobs that hold resources show its address. Null here, because this module reads no jobs;
              M(poolgate.modelarts.modelarts_workload_info) does.
          type: int
        held:
          description:
            - What those jobs hold on the node, in whatever status they are. C(resources) is surely there. C(unsplit)
              may be there beside it, of jobs that show several nodes and do not tell what they have on each of them.
              C(unread) names the resources of which a job there holds what cannot be read, V(*) stands for all.
            - Null here, because this module reads no jobs; M(poolgate.modelarts.modelarts_workload_info) does. Null,
              too, when the node has no address.
            - Nodes and jobs are read one after the other. RV(pools[].nodes[].free) is what the node shows; the gate
              counts the smaller of it and of what C(held) leaves.
          type: dict
    capacity:
      description:
        - With O(include_capacity), sums over the nodes. C(total) is what all nodes have, C(usable) what those have that
          can take work, C(free) what is idle on these. C(nodes) counts all of them, C(usable_nodes) those that can take
          work.
      type: dict
    metrics:
      description:
        - With O(include_capacity), the runtime metrics of the pool. C(allocated), C(capacity), C(max_capacity),
          C(all_capacity), C(all_max_capacity), C(available) and C(max_available) are amounts, C(workload) counts jobs
          by type, C(allocated) those that run and C(queue) those that wait. A table that the API does not have is null.
        - C(observed_at) is when the oldest of them was taken, C(window_seconds) over how long. C(age_seconds) is below
          zero when the API dates them into the future. They do not count then.
        - C(unreadable) are quantities that could not be read, with C(resource) and C(value).
      type: dict
    observed_at:
      description:
        - With O(include_capacity), when the reading of what is told here began, ISO 8601 in UTC.
        - It is told by the clock of the API, which dates its answers.
      type: str
    age_seconds:
      description: With O(include_capacity), for how many seconds the reading had been under way when it ended.
      type: int
    errors:
      description:
        - With O(include_capacity), the documents of the pool that could not be read, each as
          RV(poolgate.modelarts.modelarts_workload_info#module:pools[].errors[]).
      type: list
      elements: dict
seconds:
  description: Seconds that the call took on its host, without what it took to start it there.
  returned: success, when O(time_limit) is given
  type: float
  sample: 1.25
  version_added: 1.1.0
resolved:
  description: The display names among O(pool_name), and the IDs that they stand for.
  returned: success
  type: dict
  sample: {"train-a100": "pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS
from ansible_collections.poolgate.modelarts.plugins.module_utils._module import run_module
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_pools_and_capacity


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_OPTIONS,
            "pool_name": {"type": "list", "elements": "str", "default": []},
            "include_capacity": {"type": "bool", "default": True},
            "time_limit": {"type": "float"},
        },
        supports_check_mode=True,
    )
    params = module.params
    run_module(
        module,
        lambda client: read_pools_and_capacity(
            client, params["pool_name"], include_capacity=params["include_capacity"], clock=client.now
        ),
    )


if __name__ == "__main__":
    main()
