# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that choose jobs, as the module and the lookup document them."""

from __future__ import annotations

from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import JOB_TYPES, STATUSES


class ModuleDocFragment:
    """The documented parameters of ListWorkloads, and the parts of its response to keep."""

    # With its type: ansible-test's yamllint takes no other assignment to this name than of a plain text.
    DOCUMENTATION: str = r"""
options:
  type:
    description:
      - Service types of the jobs to read. By default, all.
      - Several types take one request. If the server applies only one of them, the others are requested one by one.
        This costs a small request for each type that no job of the first response has.
    type: list
    elements: str
    choices: [{job_types}]
    default: []
  status:
    description:
      - Statuses of the jobs to read. By default, all.
      - The API filters by one status. With several, all jobs are read and then filtered, so that a job that changes its
        status between two requests is not lost.
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
      - If V(true), the order is ascending. It needs O(sort). The default order is descending.
    type: bool
  offset:
    description:
      - Number of jobs to skip, in the requested order. It counts jobs, not pages.
    type: int
  limit:
    description:
      - Number of jobs on a page, from V(0) to V(500). V(0) means V(500), which is also the default.
    type: int
  fetch_all:
    description:
      - If V(true), all pages are read. They are read from the oldest job to the newest, because new jobs then come last
        and do not move the others. The requested order is made afterwards. Pages overlap, so that a O(limit) of V(1) or
        V(2) counts as V(3).
      - If V(false), exactly the page of O(offset) and O(limit) is read, as the API returns it. With several types, the
        server may then apply only one of them.
    type: bool
    default: true
  fields:
    description:
      - Keys to return of each job. By default, all. An empty list returns no jobs, only the summary.
    type: list
    elements: str
  include_capacity:
    description:
      - If V(true), the pool, its nodes and its runtime metrics are read as well. Each entry of C(pools) then contains
        the facts that a decision about free capacity needs.
      - All jobs of the pools are then read, regardless of O(type) and O(status). O(offset) and O(fetch_all=false) are
        not allowed.
    type: bool
    default: false
""".format(job_types=", ".join(JOB_TYPES), statuses=", ".join(STATUSES))
