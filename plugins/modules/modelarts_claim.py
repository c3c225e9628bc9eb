#!/usr/bin/python
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: modelarts_claim
short_description: List, release, renew and end claims of room in ModelArts pools
version_added: 1.1.0
description:
  - Manages the claims in a claim store. Gates claim the room that they admit in this store, see
    O(poolgate.modelarts.modelarts_capacity_gate#module:store).
  - This is an action plugin. It opens the store on the controller. To release a claim, it reads the jobs once with
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
      - It writes nothing.
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
    details:
      - The task takes no longer than one look at the jobs.
options:
  store:
    description:
      - URL of the claim store. If it is omitted, C(MODELARTS_CLAIM_STORE) of the controller's environment is used.
    type: str
  state:
    description:
      - The operation.
      - V(listed) prints and returns the claims whose time is not over.
      - V(released) gives a claim back. If its job runs, the claim ends. If its job waits, the claim is left alone.
        Without a store or a claim, the task does nothing. If the store cannot be read, the task only warns.
      - V(renewed) makes a claim last for at least O(seconds) from now. The task fails if the claim has ended.
      - V(ended) ends a claim by hand.
    type: str
    choices: [listed, released, renewed, ended]
    default: listed
  id:
    description:
      - ID of the claim. With O(state=released), it can be empty or omitted, and the task then does nothing. See
        O(all_hosts) for the exception.
    type: str
  nonce:
    description:
      - The C(nonce) of the claim, which its gate returned. The task then leaves alone a claim that a retry made under
        the same O(id). If it is omitted, the task acts on all claims with this O(id) that have not ended, in every
        pool.
    type: str
  all_hosts:
    description:
      - If V(true), the task releases the claims that this run of a GitLab pipeline's job made for all hosts. Use it in
        a last step after the plays that claimed. It applies to O(state=released) without O(id).
    type: bool
    default: false
  submitted:
    description:
      - Use V(false) only if no job was submitted. The room is then available to others at once. With V(true), it is
        available after a minute. It applies to O(state=released).
    type: bool
    default: true
  claim:
    description:
      - Name of the job that was not submitted, or the same dictionary as for
        O(poolgate.modelarts.modelarts_capacity_gate#module:claim). The task then releases a claim for another job as
        with O(submitted=true). If it is omitted, O(submitted=false) applies to a claim for any job.
    type: raw
  seconds:
    description:
      - Time that the claim lasts from now, from 30 seconds to seven days. It applies to O(state=renewed).
    type: float
    default: 900
seealso:
  - module: poolgate.modelarts.modelarts_capacity_gate
"""

EXAMPLES = r"""
- name: List the claims in the store of MODELARTS_CLAIM_STORE
  poolgate.modelarts.modelarts_claim:
    state: listed
  register: store

- name: Release an unused claim
  poolgate.modelarts.modelarts_claim:
    state: released
    id: train-4711
"""

RETURN = r"""
claims:
  description: The claims that take room, the oldest of each pool first.
  returned: when O(state=listed)
  type: list
  elements: dict
  contains:
    pool:
      description: ID of the pool.
      type: str
    claim:
      description: The claim with its C(id), C(job), C(owner), C(resources), C(seconds_left) and C(expires_at).
      type: dict
    is_released:
      description:
        - Whether the claim was released, replaced or ended by hand.
        - It then takes room for one more minute, in which a late job would show.
      type: bool
released:
  description: The end of each claim, with its C(id), its C(end) and a C(message).
  returned: when O(state=released)
  type: list
  elements: dict
messages:
  description: The messages of RV(released).
  returned: when O(state=released)
  type: list
  elements: str
claim:
  description:
    - The renewed claim with its C(id), C(job), C(owner), C(resources), C(seconds_left) and C(expires_at).
  returned: when O(state=renewed)
  type: dict
"""
