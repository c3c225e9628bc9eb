#!/usr/bin/python
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# The suboptions say what a dictionary may have, and what is meant where nothing is given. They are documentation only:
# the action takes request and policy as they come, since a survey gives a text and null for what was left blank, and
# reads them in plugin_utils, whose keys, choices and defaults a test compares with these. validate-modules checks the
# form of suboptions, and has no argument spec of this file to compare them with.
DOCUMENTATION = r"""
module: modelarts_capacity_gate
short_description: Hold a deployment back until a ModelArts pool has room for it
version_added: 0.1.0
description:
  - Observes one or more dedicated resource pools, decides whether a deployment fits now, and waits until it does.
  - The decision is V(admit), V(wait), V(reject) (waiting is pointless) or V(unknown) (it could not be determined, which
    is never treated as room). Over several pools, the first that admits wins.
  - While it waits, it prints one line for each attempt; at the end it prints the verdict as a page.
  - This is an action plugin. It runs M(poolgate.modelarts.modelarts_workload_info) on the host of the task, once for
    each attempt, and decides on the controller. Where that host is the controller itself, it reads the same without
    starting the module.
author:
  - The poolgate.modelarts contributors (@poolgate)
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.actiongroup
  - poolgate.modelarts.connection.info_module
attributes:
  check_mode:
    details:
      - Decides once, without waiting, and writes no report and no claim.
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
      - Pools to ask, in order of preference. Each is an ID, a display name, or a dictionary with C(pool) and
        C(request). The latter has a request of its own, as for a fall-back pool with other cards.
      - A number stands for its text. A name that YAML reads as something else, like V(no) or V(1.10), needs quotes.
    type: list
    elements: raw
    required: true
  request:
    description:
      - What the deployment asks for. Required, unless every entry of O(pools) has a request of its own.
      - Each replica asks for O(request.resources) or for O(request.flavor). Replicas of several shapes are
        O(request.groups).
      - A resource that is not asked for is not checked, and the verdict says so.
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
            What one replica takes, like V({"nvidia.com/gpu": 8, "cpu": "60", "memory": "400Gi"}).
        type: dict
      flavor:
        description:
          - In place of O(request.resources), one whole idle node of this flavor for each replica.
        type: str
      groups:
        description:
          - In place of the three above, a list of them, placed together or not at all.
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
              - What one of them takes.
            type: dict
          flavor:
            description:
              - In place of O(request.groups[].resources), one whole idle node of this flavor for each.
            type: str
      type:
        description:
          - Type of the job, V(train), V(infer), V(x-infer), V(notebook) or a newer type. The pool is asked whether it
            takes it. The scope C(infer) of a pool takes V(x-infer), too.
          - Not checked when left out.
        type: str
      priority:
        description:
          - Priority that the job will have. A higher one goes first. Without it, every job that waits counts as ahead.
        type: int
      replaces:
        description:
          - A job that the deployment ends first.
        type: dict
        suboptions:
          job_uuid:
            description:
              - The C(job_uuid) of the job.
            type: str
            required: true
          replicas:
            description:
              - How many of the replicas asked for are given back. Without it, all of the job is.
            type: int
      affinity_group_size:
        description:
          - How many replicas must be in one supernode, each on a whole node. The label C(spod.id) of nodes tells which
            are one.
          - A number of replicas that is no multiple of it, replicas of several shapes, and nodes without the label that
            are needed make the verdict V(unknown). With V(1), nothing is checked.
        type: int
        default: 1
        version_added: 1.1.0
  policy:
    description:
      - How strictly to decide.
    type: dict
    suboptions:
      headroom:
        description:
          - What stays free, a percentage of the usable capacity like V(10%), or quantities and percentages by resource.
            Of cards it is whole ones. A resource that none of the pools is asked for is an error.
        type: raw
      queue_strategy:
        description:
          - What a job that is ahead in the queue means. It is the strategy that is set for the whole pool.
        type: str
        choices:
          auto: What the pool names, else V(fifo).
          fifo: >-
            A job that finds no room locks the resources that it asked for, and so holds up all behind it. Any job ahead
            means wait, however much is idle.
          traversal: A job that finds no room is passed by all others that fit. What is idle is admitted into.
          backfill: The older word for V(traversal).
          ladder: >-
            A job that finds no room holds up those behind it for O(policy.ladder_seconds), and is passed when these are
            over. A job ahead that has waited for less means wait. Without them, as V(fifo), but nothing is rejected.
          tiered: >-
            Jobs of priority 3 go by V(ladder). The others go by V(traversal), and only once no job of priority 3 waits.
            One that is ahead means wait, or among jobs of priority 3 what it means by V(ladder).
        default: auto
      ladder_seconds:
        description:
          - For how long a job that does not fit holds up those behind it, by the strategies V(ladder) and V(tiered).
            ModelArts does not document how long that is. Without it, such a job is taken to hold them up for good.
        type: int
        version_added: 1.1.0
      queue_scope:
        description:
          - Which jobs stand in one queue. Which one holds is not in the API.
        type: str
        choices:
          pool: All jobs of the pool.
          type: Only jobs of the same type.
        default: pool
      max_oldest_queued_seconds:
        description:
          - Wait while a job is queued for longer than this. Without it, the age of a queue does not count.
        type: int
      placement:
        description:
          - Whether the nodes count, or only their sums.
        type: str
        choices:
          required: The replicas must fit on the nodes, one by one.
          aggregate: >-
            The sums count, whether or not a replica fits on a node. What others have claimed keeps its places.
        default: required
      card_groups:
        description:
          - >-
            How many Ascend cards of a node lie together, by flavor, like V({"my.flavor.8": 4}). A replica gets its
            cards from one such group, or all cards of several.
          - It counts for flavors whose names do not tell their hardware. Without it, a replica fits there when it fits
            whatever the hardware is.
        type: dict
        version_added: 1.1.0
      stable_seconds:
        description:
          - How long, in seconds, the request must keep fitting before it is admitted.
        type: int
        default: 0
  declared_capacity:
    description:
      - >-
        What the pools have in all, like V({"nvidia.com/gpu": 64}). It counts, less what the jobs hold, when neither
        nodes nor metrics can be read. Placement on nodes is then not checked.
    type: dict
  wait_timeout:
    description:
      - Seconds to wait for room. V(0) decides once.
      - The first attempt may end later by what it takes to start the module on its host. Later ones leave out what the
        start took before.
    type: float
    default: 0
  poll_interval:
    description:
      - Seconds between two attempts, give or take a tenth.
    type: float
    default: 30
  on_refusal:
    description:
      - What to do when the request is not admitted, V(fail) the task or V(continue) with the result.
      - A task that fails returns less, because the page has been printed. Use V(continue) to work with the checks.
    type: str
    choices: [fail, continue]
    default: fail
  report_dir:
    description:
      - A directory of the controller for the report, whatever the decision. C(report.json) is for machines, and
        C(docs/report.schema.json) of the collection describes it. C(report.md) is for the summary of a pipeline's job,
        and C(report.html) is a page for people. A relative path starts where C(ansible-playbook) was started.
      - Missing directories are made, and the files of an earlier report are removed before anything else is looked at.
        So give each gate of a play, and each host, a directory of its own, as in V(reports/{{ inventory_hostname }}).
        In the same one, only the report of the last gate is left.
      - No other user may write to the directory. So one that all may write to is refused, like C(/tmp) itself, and so
        is one that a group with other members may write to, one of another user, and a link of another user on the
        way. Root may write anywhere.
      - When the task ends without a decision, as after a failed login, there is no report. In check mode none is
        written, and the directory is left alone.
      - In an execution environment the files vanish with the container, unless the directory is a mounted path.
    type: path
    version_added: 1.0.0
  store:
    description:
      - A store of claims, so that two gates never take the same room. It is a file of SQLite for one controller, like
        V(sqlite:////var/lib/poolgate/claims.db), or a database of PostgreSQL for many, like
        V(postgresql://poolgate@db.example.com/poolgate?sslmode=verify-full), which needs C(psycopg).
      - Without it, the variable C(MODELARTS_CLAIM_STORE) of the controller's environment counts. Without either,
        nothing is opened, and a gate looks and lets go.
      - What others have claimed is taken off what is free. When the store cannot be asked, the decision is V(unknown).
      - It is opened on the controller. A password is best given by C(PGPASSWORD) or C(~/.pgpass).
    type: str
    version_added: 1.1.0
  claim:
    description:
      - Name of the job that will be submitted, exact or with the wildcards C(*), C(?) and C([]). An admission then
        claims the room, which is this deployment's until the job is seen with its cards, or the time of the claim ends.
      - In its place, a dictionary with C(job), and if wanted C(id), C(seconds) and C(labels).
      - C(id) tells this deployment from all others. Who claims again with the same one replaces its first claim, in
        whichever pool. In GitLab it is derived from the pipeline and its job. Elsewhere it is random.
      - C(seconds) is for how long the claim lasts, 900 unless it is given, 30 s to seven days. It must be longer than
        from the admission until the job has its cards.
      - C(labels) are texts to know the claim by.
    type: raw
    version_added: 1.1.0
seealso:
  - module: poolgate.modelarts.modelarts_workload_info
  - module: poolgate.modelarts.modelarts_claim
  - plugin: poolgate.modelarts.capacity_verdict
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Go on only when two whole 8-card replicas fit
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

- name: Wait for room in either pool, and keep a card free
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

- name: Leave a report for the summary of a pipeline's job
  poolgate.modelarts.modelarts_capacity_gate:
    pools:
      - train-a100
    request:
      resources:
        nvidia.com/gpu: 1
    report_dir: "reports/{{ inventory_hostname }}"

- name: Go on only when two 8-card replicas fit, and keep the room for the job until it starts
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

- name: Say where to deploy
  ansible.builtin.debug:
    msg: "{{ gate.decision }}: {{ gate.pool }}"
"""

RETURN = r"""
decision:
  description:
    - V(admit), V(wait), V(reject) or V(unknown).
    - Conditions of a play use RV(decision), RV(pool) and RV(checks). RV(summary) is for a message of one line,
      RV(report) for a person, and RV(artifact) for the next job of a workflow or a pipeline.
  returned: always
  type: str
  sample: admit
pool:
  description: ID of the pool that the decision is about, the one to deploy to when it is V(admit).
  returned: always
  type: str
source:
  description: Where the free capacity was read, V(nodes), V(metrics) or V(declared); null when it was not.
  returned: always
  type: str
observed_at:
  description: When it was read, ISO 8601 in UTC.
  returned: always
  type: str
checks:
  description: What was looked at.
  returned: when the task does not fail
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check, or the resource that it is about.
      type: str
    passed:
      description: Whether it passed; null when it could not be made.
      type: bool
    message:
      description: A sentence with numbers.
      type: str
    resource:
      description: The resource that it is about. Its amounts are in cores, bytes and cards.
      returned: when it is about a resource
      type: str
    need:
      description: What the request asks for, all replicas together.
      returned: when it is about a resource
      type: float
    total:
      description: What the nodes that can take work have, or the metrics or the caller tell.
      returned: when it is about a resource
      type: float
    used:
      description: What is taken of it.
      returned: when it is about a resource
      type: float
    free:
      description: What is not.
      returned: when it is about a resource
      type: float
    unplaced:
      description: What of the free part goes to jobs that are about to start.
      returned: when it is about a resource
      type: float
    claimed:
      description: What others have claimed of the free part.
      returned: when it is about a resource, and others have claimed some
      type: float
    kept:
      description: What the policy keeps free.
      returned: when it is about a resource
      type: float
    left:
      description: What would still be free.
      returned: when it is about a resource
      type: float
    missing:
      description: What is short.
      returned: when it is about a resource
      type: float
    ahead:
      description: How many jobs go first.
      returned: when it is about the queue
      type: int
    strategy:
      description: Its strategy, as O(policy.queue_strategy) names it.
      returned: when it is about the queue
      type: str
reasons:
  description: The sentences of the checks that decided against.
  returned: always
  type: list
  elements: str
attempts:
  description: Number of attempts.
  returned: always
  type: int
pools:
  description:
    - The verdict on each pool, in the order asked for, with C(decision), C(pool), C(display_name), C(source),
      C(observed_at), C(age_seconds), C(checks), C(reasons), C(brief), C(remedies), C(notes), C(resources), C(asked),
      C(ahead) and C(holders). With O(store) also C(claims), those of others that count, and C(claim), its own.
  returned: when the task does not fail
  type: list
  elements: dict
claim:
  description: The claim that the admission has made.
  returned: when O(claim) is given and the decision is V(admit)
  type: dict
  version_added: 1.1.0
  contains:
    id:
      description: Its ID, by which it is released and renewed.
      type: str
    job:
      description: Name of the coming job.
      type: str
    expires_at:
      description: When its time is over, ISO 8601 in UTC, by the clock of the store.
      type: str
    seconds_left:
      description: How long that was when it was made.
      type: int
    is_made:
      description: Always V(true).
      type: bool
    nonce:
      description: What tells it from the claim that a retry makes under the same ID.
      type: str
report:
  description:
    - The page that was printed, as lines of at most 80 columns. Of more than five pools it is the page of the best and
      a line for each.
  returned: when the task does not fail
  type: list
  elements: str
artifact:
  description:
    - The decision without any text of the API, fit to be handed on between jobs. The verdict on each pool is under
      C(pools), and C(summary) is one line of pool, decision and what is short.
  returned: when the task does not fail
  type: dict
summary:
  description: The decision and its reasons as one sentence.
  returned: when the task does not fail
  type: str
"""
