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
  - Reads one, several or all dedicated resource pools of a project. It returns the state of their job types, their
    flavors, their nodes, and the free capacity of the nodes.
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
      - Pools to read, each by ID or by display name. By default, all pools of the workspace.
      - An ID needs only the permission C(modelarts:pool:get) on that pool. A display name is looked up in the list of
        the pools of O(workspace_id), which needs C(modelarts:pool:list).
      - A display name that matches several pools is an error. The message lists them.
    type: list
    elements: str
    default: []
  include_capacity:
    description:
      - If V(true), the nodes and the runtime metrics of the pools are read as well.
    type: bool
    default: true
  time_limit:
    description:
      - Maximum duration of the whole call in seconds. It includes retries and the pauses that the API requests when it
        throttles. It does not include the start of the module on its host.
      - The default is ten minutes. With the default, no pause is longer than one minute.
    type: float
seealso:
  - module: poolgate.modelarts.modelarts_workload_info
"""

EXAMPLES = r"""
- name: Read all pools of the project without their nodes
  poolgate.modelarts.modelarts_pool_info:
    include_capacity: false
  register: project

- name: List IDs and names
  ansible.builtin.debug:
    msg: "{{ project.pools | items2dict(key_name='pool_name', value_name='display_name') }}"

- name: Read a pool by the name that the console shows
  poolgate.modelarts.modelarts_pool_info:
    pool_name: train-a100
  register: named

- name: List the nodes that cannot take work, with the reason
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.unusable }}"
  loop: "{{ named.pools[0].nodes | rejectattr('usable') }}"
"""

RETURN = r"""
pools:
  description: The pools, in the given order.
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
      description: Time when the pool was created, as the API returns it.
      type: str
    type:
      description: Type of the pool.
      type: str
      sample: Dedicate
    phase:
      description: Phase of the pool. Only a V(Running) pool takes work.
      type: str
      sample: Running
    message:
      description: Message of the API about the phase.
      type: str
    job_types:
      description:
        - State of each job type. Null if the API does not return any.
        - A type that the pool is meant to take but that has no state yet is assumed to be V(Enabling).
      type: dict
      sample: {"train": "Enabled", "infer": "Enabled"}
    flavors:
      description:
        - Number of nodes by C(flavor). C(count) and C(max_count) are the intended numbers. C(available), C(creating),
          C(abnormal) and C(deleting) are the actual numbers.
        - For a logical pool, C(count) is the guaranteed quota and C(max_count) is the ceiling.
      type: list
      elements: dict
    driver:
      description:
        - C(version) and C(state) of the drivers of GPUs and NPUs, by kind of card. Jobs start only if the state is
          V(Running).
      type: dict
    control_mode:
      description:
        - The restrictions of the pool, V(billing_change_restricted), V(flavor_change_restricted),
          V(service_restricted), V(frozen) and V(frozen_by_police). The last three hold a deployment back. They have not
          been observed on a real pool yet.
      type: list
      elements: str
      sample: []
    node_pools:
      description: Node pools with C(name), C(flavor), C(count) and C(max_count).
      type: list
      elements: dict
    workspace_id:
      description: Workspace that the pool belongs to. Null if the API does not return it.
      type: str
    billing_mode:
      description: V(pay-per-use) or V(yearly/monthly).
      type: str
    queue_strategy:
      description: Queue strategy that the pool names. Null if it names none.
      type: str
    subpools:
      description: Number of logical pools that share it.
      type: int
    parent:
      description: The pool that this logical pool is a part of.
      type: str
    root:
      description: The pool at the top of the hierarchy.
      type: str
    unreadable:
      description: Parts of the pool that do not have their documented type.
      type: list
      elements: str
    nodes:
      description: With O(include_capacity), the nodes. Null if they could not be read.
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
          description: Taints, as the API returns them.
          type: list
          elements: dict
        drain:
          description: V(true) if the node is being drained.
          type: bool
        exclusive_to:
          description: The job that the node is reserved for.
          type: str
        elastic_quota:
          description: The logical pool that the node is bound to.
          type: str
        hot_standby:
          description:
            - V(true) if the node is a hot standby, which takes no work until it replaces a broken node. Null if this
              cannot be read.
          type: bool
        billing_status:
          description: V(normal), V(frozen) or V(ended). Null if the API does not return it.
          type: str
        driver:
          description:
            - The driver of the node, with C(name), C(version) and C(phase). The node takes no work while the phase is
              not V(Running).
          type: dict
        plugins:
          description: The plugins of the node, in the same form. A phase other than V(Running) has the same effect.
          type: list
          elements: dict
        locked:
          description: V(true) if the node is locked against deletion. A locked node takes work.
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
          description: ID of the supernode. All nodes of one supernode have the same ID.
          type: str
        cabinet:
          description: Addresses of the top-of-rack switches, separated by a hyphen.
          type: str
        server:
          description: ID of the underlying server instance of the node.
          type: str
        usable:
          description: V(true) if the node can take new work.
          type: bool
        unusable:
          description: Reason why the node cannot take new work, like V(hot standby), V(frozen) or V(driver Updating).
          type: str
        resources:
          description: Resources of the node, in cores, bytes and cards.
          type: dict
          sample: {"cpu": 3.92, "memory": 6574571520}
        free:
          description: Free resources, as the node shows them.
          type: dict
        unreadable:
          description: Quantities that could not be read, with C(resource) and C(value).
          type: list
          elements: dict
        cards_occupied:
          description: Number of occupied NPU cards, by the placement bits. Null if the API returns none.
          type: int
        cards_free:
          description:
            - Numbers of the NPU cards that the placement bits show as free. The right-most bit is card 1. On a node
              with eight cards, the left eight bits have no meaning.
            - M(poolgate.modelarts.modelarts_workload_info) also reads the jobs, and leaves out the cards that a job on
              the node shows as taken.
            - Null if the API returns no bits, or bits that cannot be read, or bits of a card that the node does not
              have.
          type: list
          elements: int
          sample: [2, 3, 4, 5, 6, 8]
        cards_lost:
          description:
            - How many of the cards that the bits show as free are not in RV(pools[].nodes[].free). They are broken, or
              have been taken since. Which ones these are is unknown.
          type: int
          version_added: 1.1.0
        jobs:
          description:
            - Number of jobs that hold resources and show the address of the node. Null here, because this module reads
              no jobs. M(poolgate.modelarts.modelarts_workload_info) does.
          type: int
        held:
          description:
            - Resources that these jobs hold on the node, regardless of their status. C(resources) are certainly held.
              C(unsplit) may be held in addition. It belongs to jobs that show several nodes without a split over them.
              C(unread) names the resources with an amount that cannot be read. V(*) stands for all resources.
            - Null here, because this module reads no jobs. M(poolgate.modelarts.modelarts_workload_info) does. It is
              also null if the node has no address.
            - Nodes and jobs are read one after the other, so they can differ. RV(pools[].nodes[].free) is the amount
              that the node shows. The gate uses the smaller one of this amount and the rest that C(held) leaves.
          type: dict
    capacity:
      description:
        - With O(include_capacity), sums over the nodes. C(total) is the capacity of all nodes. C(usable) is the
          capacity of the usable nodes, and C(free) is the free part of it. C(nodes) is the number of all nodes, and
          C(usable_nodes) is the number of usable nodes.
      type: dict
    metrics:
      description:
        - With O(include_capacity), the runtime metrics of the pool. C(allocated), C(capacity), C(max_capacity),
          C(all_capacity), C(all_max_capacity), C(available) and C(max_available) are amounts.
        - C(workload) has the number of jobs by type. Its C(allocated) are running jobs, and its C(queue) are queued
          jobs. A table that the API does not return is null.
        - C(observed_at) is the time of the oldest measurement, and C(window_seconds) is the length of its window.
          C(age_seconds) is negative if the API dates the metrics into the future. Such metrics do not count.
        - C(unreadable) lists the quantities that could not be read, with C(resource) and C(value).
      type: dict
    observed_at:
      description:
        - With O(include_capacity), the time when the reading of these facts began, ISO 8601 in UTC.
        - The time comes from the clock of the API, which dates its responses.
      type: str
    age_seconds:
      description: With O(include_capacity), the duration of the reading in seconds.
      type: int
    errors:
      description:
        - With O(include_capacity), the documents of the pool that could not be read. Each has the form of
          RV(poolgate.modelarts.modelarts_workload_info#module:pools[].errors[]).
      type: list
      elements: dict
seconds:
  description: Duration of the call on its host in seconds, without the start of the module.
  returned: success, when O(time_limit) is given
  type: float
  sample: 1.25
  version_added: 1.1.0
resolved:
  description: The display names in O(pool_name), with their IDs.
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
