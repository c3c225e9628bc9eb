#!/usr/bin/python
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# The suboptions document the keys of a dictionary and their defaults. They are documentation only: the action takes
# request and policy as they are, because a survey sends text, and null for a blank field. plugin_utils reads them, and
# a test compares its keys, choices and defaults with these. validate-modules checks only the form of suboptions, as
# this file has no argument spec.
DOCUMENTATION = r"""
module: modelarts_capacity_gate
short_description: Hold a deployment back until a ModelArts pool has room for it
version_added: 0.1.0
description:
  - Observes one or more dedicated resource pools, decides whether a deployment fits now, and waits until it does.
  - The decision is V(admit), V(wait), V(reject) (waiting is pointless), or V(unknown) (the gate cannot determine it).
    V(unknown) never counts as room. With several pools, the first that admits wins.
  - While the gate waits, it prints one line for each attempt. At the end, it prints the verdict as a page.
  - This is an action plugin. It decides on the controller. For each attempt, it runs
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
      - The gate decides once, without waiting. It writes no report and no claim.
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
  pools:
    description:
      - Candidate pools in order of preference. Each is an ID, a display name, or a dictionary with C(pool) and
        C(request). Use the dictionary for a pool with a request of its own, like a fallback pool with other cards.
      - A number counts as its text. Quote a name that YAML reads as something else, like V(no) or V(1.10).
      - It is required unless O(reset=true).
    type: list
    elements: raw
  request:
    description:
      - The room that the deployment needs. It is required unless every entry of O(pools) has a request of its own.
      - Each replica takes O(request.resources) or a node of O(request.flavor). For replicas of several shapes, use
        O(request.groups).
      - The gate does not check a resource that the request does not name, and the verdict says so.
    type: dict
    suboptions:
      replicas:
        description:
          - Number of replicas, 1 or more.
        type: int
        default: 1
      resources:
        description:
          - >-
            Resources of one replica, like V({"nvidia.com/gpu": 8, "cpu": "60", "memory": "400Gi"}).
        type: dict
      flavor:
        description:
          - In place of O(request.resources), each replica takes one whole idle node of this flavor.
        type: str
      groups:
        description:
          - In place of the three options above, a list of groups of replicas. The gate admits all groups together or
            none.
        type: list
        elements: dict
        suboptions:
          replicas:
            description:
              - Number of replicas of this shape, 1 or more.
            type: int
            default: 1
          resources:
            description:
              - Resources of one replica of this group.
            type: dict
          flavor:
            description:
              - In place of O(request.groups[].resources), each replica takes one whole idle node of this flavor.
            type: str
      type:
        description:
          - Type of the job, V(train), V(infer), V(x-infer), V(notebook) or a newer type. The gate checks whether the
            pool takes this type. A pool that takes V(infer) also takes V(x-infer).
          - If it is omitted, the gate does not check it.
        type: str
      priority:
        description:
          - Priority of the coming job. A job of higher priority goes first. If it is omitted, every queued job counts
            as ahead.
        type: int
      replaces:
        description:
          - A job that this deployment ends first.
        type: dict
        suboptions:
          job_uuid:
            description:
              - The C(job_uuid) of that job.
            type: str
            required: true
          replicas:
            description:
              - Number of replicas that the job gives back. Each has the size of a replica of the request, not of the
                old job. If it is omitted, the whole job is given back.
            type: int
      affinity_group_size:
        description:
          - Number of replicas that must be in one supernode, each on a whole node. The label C(spod.id) of a node names
            its supernode. With V(1), the gate does not check supernodes.
          - The verdict is V(unknown) in three cases. The number of replicas is not a multiple of this size, the
            replicas have several shapes, or the request needs nodes without the label.
        type: int
        default: 1
        version_added: 1.1.0
  policy:
    description:
      - How strictly the gate decides.
    type: dict
    suboptions:
      headroom:
        description:
          - Capacity that must stay free. It is a percentage of the usable capacity, like V(10%), or a dictionary of
            quantities and percentages by resource.
          - A percentage of cards is rounded up to whole cards. A resource that no request asks for is an error.
        type: raw
      queue_strategy:
        description:
          - Queue strategy that is set for the whole pool. It determines whether queued jobs hold the request back.
          - V(auto) is the strategy that the pool names, or V(fifo) if it names none or an unknown one.
          - With V(fifo), a job that finds no room locks the resources that it asks for, and so holds up all jobs behind
            it. If any job is ahead, the gate waits, even if capacity is idle.
          - With V(traversal), all jobs that fit pass a job that finds no room. Jobs ahead do not hold the request back.
            V(backfill) is its older name.
          - With V(ladder), a job that finds no room holds up the jobs behind it for O(policy.ladder_seconds). After
            that time, they pass it. If a job ahead has waited for less than that time, the gate waits. Without
            O(policy.ladder_seconds), the gate decides as with V(fifo), but never rejects.
          - With V(tiered), jobs of priority 3 follow V(ladder). All other jobs follow V(traversal), but start only when
            no job of priority 3 is queued. A request of priority 3 is decided as with V(ladder). Any other request
            waits while a job of priority 3 is queued.
        type: str
        choices: [auto, fifo, traversal, backfill, ladder, tiered]
        default: auto
      ladder_seconds:
        description:
          - For the strategies V(ladder) and V(tiered), the seconds for which a job that does not fit holds up the jobs
            behind it. ModelArts does not document this time. If it is omitted, the gate assumes that such a job holds
            them up for good.
        type: int
        version_added: 1.1.0
      queue_scope:
        description:
          - Jobs that share a queue. The API does not return the scope of a pool.
          - With V(pool), these are all jobs of the pool.
          - With V(type), these are only jobs of the same type. Both types of inference services share one queue.
        type: str
        choices: [pool, type]
        default: pool
      max_oldest_queued_seconds:
        description:
          - The gate waits while a job has been queued for longer than this. If it is omitted, the age of the queue does
            not count.
        type: int
      placement:
        description:
          - How the gate compares the request with the nodes.
          - With V(required), every replica must fit on a node.
          - With V(aggregate), only the sums over the pool count, even if no node has room for a replica. Claims of
            others still keep their places on nodes.
        type: str
        choices: [required, aggregate]
        default: required
      card_groups:
        description:
          - >-
            Number of Ascend cards in a card group of a node, by flavor, like V({"my.flavor.8": 4}). A replica gets its
            cards from one card group, or all cards of several card groups.
          - It counts for flavors whose names do not identify their hardware. If such a flavor is omitted, a replica
            fits on its nodes only if it fits on every possible hardware.
        type: dict
        version_added: 1.1.0
      stable_seconds:
        description:
          - Seconds for which the request must keep fitting before it is admitted.
        type: int
        default: 0
  declared_capacity:
    description:
      - >-
        Total capacity of each pool, like V({"nvidia.com/gpu": 64}). It counts, less the resources that jobs hold, when
        neither nodes nor metrics can be read. The gate then does not check the placement on nodes.
    type: dict
  wait_timeout:
    description:
      - Seconds to wait for room. With V(0), the gate decides once.
      - The first attempt can overrun by the time that the module needs to start on its host. Later attempts subtract
        that time.
    type: float
    default: 0
  poll_interval:
    description:
      - Seconds between two attempts. The gate varies them by up to a tenth.
    type: float
    default: 30
  on_refusal:
    description:
      - The reaction when the request is not admitted. V(fail) fails the task, V(continue) returns the result.
      - A failed task returns fewer fields, because the page is already printed. Use V(continue) to work with the
        checks.
    type: str
    choices: [fail, continue]
    default: fail
  report_dir:
    description:
      - Directory on the controller for the report, which is written for every decision. A relative path starts in the
        directory in which C(ansible-playbook) was started.
      - C(report.json) is for machines. C(docs/report.schema.json) of the collection describes it.
      - C(report.md) is for the summary of a pipeline's job, and C(report.html) is a page for people.
      - Missing directories are created. The files of an earlier report are removed before anything else is read.
      - Give each gate of a play, and each host, a directory of its own, like V(reports/{{ inventory_hostname }}). In a
        shared directory, only the report of the last gate remains.
      - No other user may be able to write to the directory. The gate refuses a directory that all users can write to,
        like C(/tmp) itself, or that a group with other members can write to. It also refuses a directory of another
        user, and a path with a link of another user. Root may use any directory.
      - A task that ends without a decision, for example after a failed login, leaves no report. Check mode writes no
        report and leaves the directory alone.
      - If an option cannot be rendered, the task does not start, and an earlier report stays. A task with O(reset=true)
        before it removes that report.
      - In an execution environment, the files vanish with the container unless the directory is a mounted path.
    type: path
    version_added: 1.0.0
  store:
    description:
      - URL of a claim store, so that two gates never take the same room. It is a SQLite file for one controller, like
        V(sqlite:////var/lib/poolgate/claims.db), or a PostgreSQL database for several controllers, like
        V(postgresql://poolgate@db.example.com/poolgate?sslmode=verify-full). PostgreSQL needs C(psycopg).
      - If it is omitted, the gate uses C(MODELARTS_CLAIM_STORE) of the controller's environment. Without either, the
        gate opens no store and claims nothing.
      - The gate subtracts the claims of others from the free capacity. If it cannot read the store, the decision is
        V(unknown).
      - The store is opened on the controller. Pass a password in C(PGPASSWORD) or C(~/.pgpass).
    type: str
    version_added: 1.1.0
  claim:
    description:
      - Name of the job that will be submitted, either exact or with the wildcards C(*), C(?) and C([]). An admission
        then claims the room for this deployment. The claim ends when the job shows with its cards, or when its time is
        over.
      - Alternatively, a dictionary with C(job) and, optionally, C(id), C(seconds) and C(labels).
      - C(id) identifies this deployment. A new claim with the same C(id) replaces the first one, even in another pool.
        In GitLab, the default is derived from the pipeline and its job. Elsewhere, the default is random.
      - C(seconds) is the time that the claim lasts, from 30 seconds to seven days. The default is 900. It must be
        longer than the time from the admission until the job has its cards.
      - C(labels) are texts that describe the claim.
    type: raw
    version_added: 1.1.0
  reset:
    description:
      - With V(true), the task only removes the files of an earlier report from O(report_dir). It asks nothing and
        returns no decision.
      - The entry point C(reset) of the role P(poolgate.modelarts.capacity_gate#role) uses it.
    type: bool
    default: false
    version_added: 1.1.0
seealso:
  - module: poolgate.modelarts.modelarts_workload_info
  - module: poolgate.modelarts.modelarts_claim
  - plugin: poolgate.modelarts.capacity_verdict
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Continue only if two replicas with 8 cards each fit
  poolgate.modelarts.modelarts_capacity_gate:
    pools:
      - pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    request:
      type: train
      replicas: 2
      resources:
        nvidia.com/gpu: 8
        cpu: 60
        memory: 400Gi

- name: Wait for room in either pool, and keep one card free
  poolgate.modelarts.modelarts_capacity_gate:
    pools:
      - train-a100
      - pool: npu-dev
        request:
          type: train
          replicas: 1
          resources:
            huawei.com/ascend-1980: 8
    request:
      type: train
      replicas: 4
      resources:
        nvidia.com/gpu: 8
    policy:
      headroom:
        nvidia.com/gpu: 1
    wait_timeout: 60
    poll_interval: 5
    on_refusal: continue
  register: gate

- name: Write a report for the summary of a pipeline's job
  poolgate.modelarts.modelarts_capacity_gate:
    pools:
      - train-a100
    request:
      resources:
        nvidia.com/gpu: 1
    report_dir: "reports/{{ inventory_hostname }}"

- name: Continue only if two replicas with 8 cards each fit, and claim the room until the job starts
  poolgate.modelarts.modelarts_capacity_gate:
    pools:
      - train-a100
    request:
      type: train
      replicas: 2
      resources:
        nvidia.com/gpu: 8
    claim: llm-pretrain-7b
  register: gate

- name: Show where to deploy
  ansible.builtin.debug:
    msg: "{{ gate.decision }}: {{ gate.pool }}"
"""

RETURN = r"""
decision:
  description:
    - V(admit), V(wait), V(reject) or V(unknown).
    - Use RV(decision), RV(pool) and RV(checks) in conditions of a play, and RV(artifact) in the next job of a workflow
      or a pipeline. RV(summary) is a message of one line, and RV(report) is a page for people.
  returned: always
  type: str
  sample: admit
pool:
  description: ID of the pool that the decision is about. With V(admit), deploy to this pool.
  returned: always
  type: str
source:
  description: Source of the free capacity, V(nodes), V(metrics) or V(declared). Null if there was none.
  returned: always
  type: str
observed_at:
  description: Time of the reading, ISO 8601 in UTC.
  returned: always
  type: str
checks:
  description: The checks that the gate made.
  returned: when the task does not fail
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check, or of the resource that it is about.
      type: str
    passed:
      description: V(true) if the check passed. Null if the gate could not make it.
      type: bool
    message:
      description: A sentence with the figures of the check.
      type: str
    resource:
      description: The resource that the check is about. Its amounts are in cores, bytes and cards.
      returned: when it is about a resource
      type: str
    need:
      description: Amount that all replicas of the request need together.
      returned: when it is about a resource
      type: float
    total:
      description: Amount that the usable nodes have. Without nodes, the amount of the metrics or the declared one.
      returned: when it is about a resource
      type: float
    used:
      description: Amount that is in use.
      returned: when it is about a resource
      type: float
    free:
      description: Amount that is free.
      returned: when it is about a resource
      type: float
    unplaced:
      description: Part of the free amount that goes to jobs that are about to start.
      returned: when it is about a resource
      type: float
    claimed:
      description: Part of the free amount that others have claimed.
      returned: when it is about a resource, and others have claimed some
      type: float
    kept:
      description: Amount that the policy keeps free.
      returned: when it is about a resource
      type: float
    left:
      description: Amount that would still be free.
      returned: when it is about a resource
      type: float
    missing:
      description: Amount that is missing.
      returned: when it is about a resource
      type: float
    ahead:
      description: Number of jobs that are ahead.
      returned: when it is about the queue
      type: int
    strategy:
      description: Queue strategy, as O(policy.queue_strategy) names it.
      returned: when it is about the queue
      type: str
reasons:
  description: The sentences of the checks that keep the request from being admitted.
  returned: always
  type: list
  elements: str
attempts:
  description: Number of attempts.
  returned: always
  type: int
pools:
  description:
    - The verdict on each pool, in the given order, with C(decision), C(pool), C(display_name), C(source),
      C(observed_at), C(age_seconds), C(checks), C(reasons), C(brief), C(remedies), C(notes), C(resources), C(asked),
      C(ahead) and C(holders).
    - With O(store), a verdict also has C(claims), the claims of others that count, and C(claim), the gate's own.
  returned: when the task does not fail
  type: list
  elements: dict
claim:
  description: The claim that the admission made.
  returned: when O(claim) is given and the decision is V(admit)
  type: dict
  version_added: 1.1.0
  contains:
    id:
      description: ID of the claim. Use it to release or renew the claim.
      type: str
    job:
      description: Name of the coming job.
      type: str
    expires_at:
      description: Time when the claim ends, ISO 8601 in UTC, by the clock of the store.
      type: str
    seconds_left:
      description: Seconds that the claim lasts from the time it was made.
      type: int
    is_made:
      description: Always V(true).
      type: bool
    nonce:
      description: Text that distinguishes this claim from the claim of a retry under the same ID.
      type: str
report:
  description:
    - The printed page, as lines of at most 80 columns. For more than five pools, it is the page of the best pool, and
      one line for each pool.
  returned: when the task does not fail
  type: list
  elements: str
artifact:
  description:
    - The decision without any text of the API, safe to hand on between jobs. C(pools) has the verdict on each pool.
      C(summary) is one line with the pool, the decision and the missing amounts.
  returned: when the task does not fail
  type: dict
summary:
  description: The decision and its reasons in one sentence.
  returned: when the task does not fail
  type: str
"""
