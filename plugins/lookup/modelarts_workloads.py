# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: modelarts_workloads
short_description: Return the jobs in dedicated resource pools of ModelArts
version_added: 0.1.0
author:
  - The poolgate.modelarts contributors (@poolgate)
description:
  - Returns the running and queued jobs (training, inference, notebooks) in one or more dedicated resource pools. It
    supports ModelArts of Huawei Cloud and of Open Telekom Cloud.
  - Facts and options are the same as in the module M(poolgate.modelarts.modelarts_workload_info).
  - It runs on the controller. Its error messages are those of the module, followed by the ID of the request.
extends_documentation_fragment:
  - poolgate.modelarts.connection
  - poolgate.modelarts.connection.plugins
  - poolgate.modelarts.workloads
options:
  _terms:
    description:
      - IDs of the pools. The ID is the C(metadata.name) of a pool, not the name that the console shows.
    type: list
    elements: str
    required: true
  wantpools:
    description:
      - If V(true), the result is one entry for each pool, with its jobs, its totals and its summary. Otherwise, the
        result is only the jobs.
      - Only these entries contain the capacity data and C(complete).
    type: bool
    default: false
notes:
  - An incomplete result causes a warning. C(complete) is then V(false) in the entry of its pool.
  - Use C(query), or C(lookup) with C(wantlist=true), to always get a list. With C(lookup) alone, Ansible returns a
    single job or pool without its list.
  - Several lookups in one task log in once.
seealso:
  - module: poolgate.modelarts.modelarts_workload_info
"""

EXAMPLES = r"""
- name: List the queued jobs of a pool
  ansible.builtin.debug:
    msg: "{{ query('poolgate.modelarts.modelarts_workloads', pool, status='Queue') | map(attribute='job_name') }}"
  vars:
    pool: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03

- name: Show the cards of each running job, the job with the most cores first
  ansible.builtin.debug:
    msg: "{{ item.job_name }} of {{ item.user_name }} holds {{ item.resources['nvidia.com/gpu'] | default(0) }} cards"
  loop: "{{ jobs | sort(attribute='resources.cpu', reverse=true) }}"
  loop_control:
    label: "{{ item.job_uuid }}"
  vars:
    jobs: >-
      {{ query('poolgate.modelarts.modelarts_workloads', 'pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03',
               type=['train', 'infer'], status='Running') }}

- name: Show the summaries of two pools, without their jobs
  ansible.builtin.debug:
    msg: "{{ pools | items2dict(key_name='pool_name', value_name='summary') }}"
  vars:
    pools: >-
      {{ query('poolgate.modelarts.modelarts_workloads', 'pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03',
               'pool-npu-dev-9d40c1b7e2f64a538b0f6ac3d51e7284', wantpools=true, fields=[]) }}

- name: Show the free cards on the usable nodes of a pool
  ansible.builtin.debug:
    msg: "{{ pool.capacity.free['nvidia.com/gpu'] }} of {{ pool.capacity.total['nvidia.com/gpu'] }}"
  vars:
    pool: >-
      {{ lookup('poolgate.modelarts.modelarts_workloads', 'pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03',
                wantpools=true, fields=[], include_capacity=true) }}
"""

RETURN = r"""
_raw:
  description:
    - The jobs of all pools, in the order of the pools. Each has the form of
      RV(poolgate.modelarts.modelarts_workload_info#module:workloads[]).
    - With O(wantpools=true), one entry for each pool. Each has the form of
      RV(poolgate.modelarts.modelarts_workload_info#module:pools[]), and C(workloads) has its jobs.
  type: list
  elements: dict
"""

import os
import platform
import typing as t

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.lookup import LookupBase
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection, connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    OptionSpec,
    environment_level,
    merge_levels,
    refuse_endless_numbers,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import (
    WORKLOAD_OPTIONS,
    QueryOptions,
    WorkloadQuery,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import summary_entries_with_jobs
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._connection_options import (
    config_level,
    templated_variables_level,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._sources import refuse_facts_of_hosts

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import JobsEntryWithJobs, WorkloadFacts

LOOKUP_OPTIONS: dict[str, OptionSpec] = {
    **{name: {"type": "raw"} for name in CONNECTION_OPTIONS},  # connect() reads them, from whatever level they come
    **WORKLOAD_OPTIONS,
    "_terms": {"type": "list", "elements": "str"},
    "wantpools": {"type": "bool", "default": False},
}

display = Display()

# One a set of options and worker process, so that the items of a loop share a login.
_connections: dict[str, Connection] = {}


class LookupOptions(QueryOptions):
    """LOOKUP_OPTIONS as Ansible has validated them, beside those of the connection."""

    _terms: list[str]
    wantpools: bool


class LookupModule(LookupBase):
    def run(
        self, terms: list[object], variables: dict[str, object] | None = None, **kwargs: object
    ) -> Sequence[WorkloadFacts | JobsEntryWithJobs]:
        try:
            refuse_facts_of_hosts(variables or {})
            options = _validate_lookup_options(kwargs, terms)
            query = WorkloadQuery.from_options(options)
            connection = _cached_lookup_connection(
                merge_levels(
                    options,
                    templated_variables_level(variables or {}, t.cast(Templar, self._templar)),
                    environment_level(os.environ),
                    config_level(constants.config.get_config_value("CONFIG_FILE")),
                )
            )
            with Client(connection) as client:
                facts = read_workloads(client, options["_terms"], query, clock=client.now)
            facts = connection.without_secrets(facts)
        except ModelArtsError as error:
            request = f" Request ID: {error.request_id}." if error.request_id else ""
            raise AnsibleLookupError(sentence(error.message + request)) from None
        for warning in facts["warnings"]:
            display.warning(sentence(warning))
        return summary_entries_with_jobs(facts) if options["wantpools"] else facts["workloads"]


def _validate_lookup_options(options: Mapping[str, object], terms: list[object]) -> LookupOptions:
    """Return the options and terms, converted by the rules of a module. Raises InputError with a module's sentence."""
    pools = [pool for term in terms for pool in (term if isinstance(term, list) else [term])]
    # A loop with_... hands wantlist on, before ansible-core 2.19.
    given = {name: value for name, value in options.items() if value is not None and name != "wantlist"}
    refuse_endless_numbers(given)
    result = ArgumentSpecValidator(LOOKUP_OPTIONS).validate({**given, "_terms": pools})
    if result.unsupported_parameters:
        raise InputError(
            f"Unsupported parameters for (poolgate.modelarts.modelarts_workloads) lookup: {result.errors.msg}"
        )
    if result.error_messages:
        raise InputError(result.errors.msg)
    validated: LookupOptions = result.validated_parameters
    return validated


def _cached_lookup_connection(options: Mapping[str, object]) -> Connection:
    key = repr(sorted(options.items()))
    if key not in _connections:
        _connections[key] = connect(options, where=platform.node())
    return _connections[key]
