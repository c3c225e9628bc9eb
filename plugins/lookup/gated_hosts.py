# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gated_hosts
short_description: Return the hosts of a gate for the next play, or end the run if no gate has let it through
version_added: 1.1.0
author:
  - The poolgate.modelarts contributors (@poolgate)
description:
  - Use it in C(hosts) of the play after a gate, so that the deployment cannot run without the gate.
  - Ansible skips a play if C(--limit) excludes its hosts, if tags exclude its tasks, if C(--start-at-task) begins after
    it, or if its hosts have failed before. Ansible then continues with the next play. It evaluates C(hosts) of every
    play, even of a skipped one, so this lookup can end the run there.
  - It ends the run unless the role C(poolgate.modelarts.capacity_gate) has admitted on one of the hosts in this run.
    With C(capacity_gate_on_refusal=continue), a gate that has decided also lets the run continue. The playbooks
    C(poolgate.modelarts.gate) and C(poolgate.modelarts.gate_pools) use this lookup.
  - It ends nothing while a playbook is only checked or listed, for example with C(--syntax-check) or C(--list-tasks).
options:
  _terms:
    description:
      - Host pattern of the play with the gate, as in C(hosts).
    type: list
    elements: str
    required: true
seealso:
  - name: The gate in a pipeline
    description: How a deployment keeps its gate if only a part of its playbook runs.
    link: https://github.com/poolgate/poolgate.modelarts/blob/main/docs/docsite/rst/guide_pipelines.rst
"""

EXAMPLES = r"""
# The gate has a play of its own, and the deployment runs on other hosts.
- name: Ask for room from the controller
  hosts: localhost
  gather_facts: false
  roles:
    - role: poolgate.modelarts.capacity_gate
      tags: always
      vars:
        capacity_gate_pools: [train-a100]
        capacity_gate_request:
          type: train
          resources:
            nvidia.com/gpu: 8

- name: End here if the gate was skipped
  hosts: "{{ query('poolgate.modelarts.gated_hosts', 'localhost') }}"
  gather_facts: false

- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Start the training
      ansible.builtin.debug:
        msg: "Here the job is submitted to {{ hostvars.localhost.capacity_gate_result.pool }}."
"""

RETURN = r"""
_raw:
  description:
    - The given pattern.
  type: list
  elements: str
"""

import typing as t

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence, shown, written

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_LETS_THROUGH = "__capacity_gate_lets_through"
_ONLY_SHOWN = ("syntax", "listhosts", "listtasks", "listtags")


class LookupModule(LookupBase):
    def run(self, terms: list[object], variables: dict[str, object] | None = None, **kwargs: object) -> list[str]:
        pattern = [written(one) or shown(one) for term in terms for one in (term if isinstance(term, list) else [term])]
        known = variables or {}
        if not any(context.CLIARGS.get(option) for option in _ONLY_SHOWN):
            hosts = self._inventory_hosts(pattern, known)
            if not any(_gate_lets_host_through(host, known) for host in hosts):
                raise AnsibleLookupError(
                    sentence(f"No gate has let this through: {_why_no_gated_host(pattern, hosts, known)}.")
                )
        return pattern

    def _inventory_hosts(self, pattern: list[str], variables: dict[str, object]) -> list[str]:
        """Return the hosts of the inventory, whatever the limit, as Ansible's own lookup has them."""
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        hosts: list[str] = lookup.run(pattern, variables=variables)
        return hosts


def _gate_lets_host_through(host: str, variables: dict[str, object]) -> bool:
    # Ansible has no hostvars before a play has run, and hosts that nothing ran on have no facts.
    hostvars = t.cast("Mapping[str, Mapping[str, object]]", variables.get("hostvars", {}))
    if host not in hostvars:
        return False
    known = hostvars[host]
    # What a managed host sends back as a fact becomes a variable, too, and it must not open the gate.
    facts = t.cast("Mapping[str, object]", known.get("ansible_facts") or {})
    return bool(known.get(_LETS_THROUGH)) and _LETS_THROUGH not in facts


def _why_no_gated_host(pattern: list[str], hosts: list[str], variables: dict[str, object]) -> str:
    limit, where = variables.get("ansible_limit"), ", ".join(pattern)
    if context.CLIARGS.get("start_at_task"):
        return "--start-at-task begins after it"
    if not hosts:
        return f"no host is in {where}; check capacity_gate_hosts, and that the inventory could be read"
    if limit:
        return f"--limit {limit} may leave out its host; leave it in, as in --limit '{limit},{where}'"
    return f"tags left it out, or {where} had failed before or could not be reached"
