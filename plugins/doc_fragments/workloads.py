# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that choose jobs, as the module and the lookup document them."""

from __future__ import annotations

from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import JOB_TYPES, STATUSES


class ModuleDocFragment:
    """The documented parameters of ListWorkloads, and how much of the answer to keep."""

    # With its type: ansible-test's yamllint takes no other assignment to this name than of a plain text.
    DOCUMENTATION: str = r"""
options:
  type:
    description:
      - Service types to read. Without it, all.
      - Several are asked for in one request. A server that takes only one of them is asked for the others, one by one;
        that costs a small request for each type that no job of the first answer has.
    type: list
    elements: str
    choices: [{job_types}]
    default: []
  status:
    description:
      - Statuses to read. Without it, all.
      - One status is filtered by the API. Several are read unfiltered and filtered here, so that no job is lost that
        changes its status between two calls.
    type: list
    elements: str
    choices: [{statuses}]
    default: []
  sort:
    description:
      - Field to sort by.
    type: str
    choices: [create_time]
  ascend:
    description:
      - Whether to sort in ascending order. Needs O(sort). When not given, descending.
    type: bool
  offset:
    description:
      - How many jobs to skip, in the order asked for. It is a number of jobs, not of pages.
    type: int
  limit:
    description:
      - How many jobs a page has, V(0) to V(500). V(0) means V(500), as does leaving it out.
    type: int
  fetch_all:
    description:
      - V(true) follows the pages to the end. They are always read from the oldest job to the newest, because new jobs
        then come last and do not move the others; the order asked for is made here. Pages overlap, so a O(limit) of
        V(1) or V(2) is read as V(3).
      - V(false) reads exactly the one page that O(offset) and O(limit) name, as the API gives it. Of several types, a
        server may then answer for one.
    type: bool
    default: true
  fields:
    description:
      - Keys to keep of each job. Without it, all. An empty list returns no jobs, only the summary.
    type: list
    elements: str
  include_capacity:
    description:
      - Also read the pool, its nodes and its runtime metrics, and return what a decision about free capacity needs in
        each entry of C(pools).
      - All jobs of the pools are then read, whatever O(type) and O(status) choose; O(offset) and O(fetch_all=false)
        are not allowed.
    type: bool
    default: false
""".format(job_types=", ".join(JOB_TYPES), statuses=", ".join(STATUSES))
