#!/usr/bin/python
# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: modelarts_claim
short_description: List, give back and renew claims of room in ModelArts pools
version_added: 1.1.0
description:
  - Works on the store in which gates claim the room that they admit, see
    O(poolgate.modelarts.modelarts_capacity_gate#module:store).
  - This is an action plugin. It opens the store on the controller. To give a claim back, it looks at the jobs once,
    with M(poolgate.modelarts.modelarts_workload_info) on the host of the task. Where that is the controller itself, it
    reads the same without starting the module.
author:
  - The poolgate.modelarts contributors (@poolgate)
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.actiongroup
  - poolgate.modelarts.connection.info_module
attributes:
  check_mode:
    details:
      - Writes nothing.
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
    details:
      - It takes no longer than one look.
options:
  store:
    description:
      - URL of the store. Without it, that of C(MODELARTS_CLAIM_STORE) in the controller's environment.
    type: str
  state:
    description:
      - What is to be done.
    type: str
    choices:
      listed: Print and return the claims whose time is not over.
      released: >-
        Give a claim back. One whose job runs ends, and one whose job waits is left alone. Without a store, or a claim,
        nothing is done. A store that cannot be asked is a warning.
      renewed: Have a claim last for O(seconds) from now on. Fails when it is gone.
      ended: End a claim by hand.
    default: listed
  id:
    description:
      - ID of the claim. With O(state=released) it may be left out within a job of a GitLab pipeline. What this run of
        the job has claimed for the host of the task is then meant.
    type: str
  nonce:
    description:
      - The C(nonce) of the claim, which its gate has returned. What a retry has claimed under the same O(id) is then
        left alone. Without it, all claims of the O(id) are meant that have not ended, in every pool.
    type: str
  all_hosts:
    description:
      - With O(state=released) and without O(id), whether the claims of the job for its other hosts are meant as well.
        It is for a last step, behind the play that has claimed.
    type: bool
    default: false
  submitted:
    description:
      - With O(state=released), whether a job may have been submitted. With V(false) the room is there for others at
        once, and else after a minute.
    type: bool
    default: true
  seconds:
    description:
      - With O(state=renewed), for how long the claim lasts from now on, 30 seconds to a week.
    type: float
    default: 900
seealso:
  - module: poolgate.modelarts.modelarts_capacity_gate
"""

EXAMPLES = r"""
- name: Who has claimed what, in the store of MODELARTS_CLAIM_STORE
  poolgate.modelarts.modelarts_claim:
    state: listed
  register: store

- name: Give back what was not used
  poolgate.modelarts.modelarts_claim:
    state: released
    id: train-4711
"""

RETURN = r"""
claims:
  description: The claims whose time is not over, the oldest of each pool first.
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
released:
  description: What became of each claim, with its C(id), its C(end) and a C(message).
  returned: when O(state=released)
  type: list
  elements: dict
messages:
  description: The sentences of these.
  returned: when O(state=released)
  type: list
  elements: str
claim:
  description:
    - The claim as it lasts now, with its C(id), C(job), C(owner), C(resources), C(seconds_left) and C(expires_at).
  returned: when O(state=renewed)
  type: dict
"""
