# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: capacity_verdict
short_description: Decide from facts whether a request fits into a ModelArts pool
version_added: 0.1.0
description:
  - The decision of M(poolgate.modelarts.modelarts_capacity_gate) as a pure function of facts, request and policy.
    It calls no API and does not wait.
  - It reads no clock. Decide right after reading the facts, or give their age in O(age_seconds).
author:
  - The poolgate.modelarts contributors (@poolgate)
positional: request, policy
options:
  _input:
    description:
      - One entry of C(pools), or the list of them, as M(poolgate.modelarts.modelarts_workload_info) returns it with
        C(include_capacity).
    type: raw
    required: true
  request:
    description:
      - See O(poolgate.modelarts.modelarts_capacity_gate#module:request).
    type: dict
    required: true
  policy:
    description:
      - See O(poolgate.modelarts.modelarts_capacity_gate#module:policy).
    type: dict
  declared_capacity:
    description:
      - See O(poolgate.modelarts.modelarts_capacity_gate#module:declared_capacity).
    type: dict
  age_seconds:
    description:
      - Seconds since the facts were read. For facts older than 300 seconds, the verdict is V(unknown).
    type: float
    default: 0
    version_added: 1.1.0
seealso:
  - module: poolgate.modelarts.modelarts_capacity_gate
"""

EXAMPLES = r"""
- name: Read the capacity of the pool
  poolgate.modelarts.modelarts_workload_info:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    fields: []
    include_capacity: true
  register: observed

- name: Decide on a request
  ansible.builtin.debug:
    msg: "{{ observed.pools[0] | poolgate.modelarts.capacity_verdict(request) }}"
  vars:
    request:
      type: infer
      replicas: 1
      resources:
        nvidia.com/gpu: 2
"""

RETURN = r"""
_value:
  description:
    - The verdict, with C(decision), C(pool), C(source), C(checks), C(reasons) and more. For several pools, it is the
      best verdict, and C(pools) has all of them.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, sentence, shown
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import best_decision_of_pools
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.decide import capacity_verdict as decide
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    check_names_in_policy,
    check_request_with_policy,
    read_declared_capacity,
    read_policy,
    read_request,
    read_seconds,
)

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import BestVerdict, VerdictFacts


def capacity_verdict(
    facts: PoolEntry | list[PoolEntry],
    request: object,
    policy: object = None,
    declared_capacity: object = None,
    age_seconds: object = 0,
) -> VerdictFacts | BestVerdict:
    """See DOCUMENTATION."""
    pools = list(facts) if isinstance(facts, (list, tuple)) else [facts]
    if not pools or not all(isinstance(pool, dict) and "errors" in pool for pool in pools):
        what = "an empty list" if not pools else "" if isinstance(facts, (dict, list, tuple)) else shown(facts)
        raise AnsibleFilterError(
            sentence(
                f"capacity_verdict: the input{what and f', {what},'} is not an entry of pools of "
                "modelarts_workload_info with include_capacity=true."
            )
        )
    try:
        asked, strictness = read_request(request), read_policy(policy)
        check_request_with_policy(asked, strictness, float("inf"))
        declared = read_declared_capacity(declared_capacity)
        age = read_seconds("age_seconds", age_seconds)
        check_names_in_policy([asked], strictness, declared)
    except InputError as error:
        raise AnsibleFilterError(sentence(f"capacity_verdict: {error.message}")) from error
    try:
        verdicts = [decide(pool, asked, strictness, declared, age=age) for pool in pools]
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        what = one_line(f"{type(error).__name__} {error}")
        raise AnsibleFilterError(
            sentence(f"capacity_verdict: the facts are not complete ({what}): pass a complete entry of pools.")
        ) from None
    return verdicts[0] if isinstance(facts, dict) else best_decision_of_pools(verdicts)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., object]]:
        return {"capacity_verdict": capacity_verdict}
