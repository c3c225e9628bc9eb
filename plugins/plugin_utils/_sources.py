# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the values of variables come from, and that no managed host sets them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIXES = ("modelarts_", "capacity_gate_", "__capacity_gate_")


def refuse_facts_of_hosts(variables: Mapping[str, t.Any]) -> None:
    """Raise InputError when a fact that a host sent back has become a variable that this collection reads.

    Ansible makes variables of the facts that a module returns, above role defaults and the inventory. With these, a
    managed host could send the credentials of the controller to its own address, or loosen the policy of a gate.

    Ansible keeps facts under ``ansible_facts``, and set_fact only with ``cacheable``. Values do not tell whether a
    variable is the fact of its name: of a host that sends ``modelarts_endpoint`` and ``ansible_modelarts_endpoint``,
    the first is the variable and the second the fact, because names lose their prefix under ``ansible_facts``.
    """
    facts = variables.get("ansible_facts")
    if not isinstance(facts, dict):
        return
    for name in sorted(str(name) for name in facts):
        if name.startswith(_PREFIXES) and name in variables:
            host = one_line(str(variables.get("inventory_hostname", "a host")), 60)
            raise InputError(
                f"{one_line(name, 60)} comes from the facts of {host}, and a host must not choose what the gate does "
                "or where credentials go. Set it in the play, the inventory or the environment; set_fact needs "
                "cacheable=false."
            )
