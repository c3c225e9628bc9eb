# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the values of variables come from, and that no managed host sets them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import functools
import typing as t

import jinja2
import jinja2.meta
import jinja2.nodes
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import is_template

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIXES = ("modelarts_", "capacity_gate_", "__capacity_gate_")

# Variables that core sets to facts, whatever the names of these.
_ALL_FACTS = frozenset({"ansible_facts", "ansible_local"})

# Ways to a variable by a text that is its name.
_BY_NAME = frozenset({"hostvars", "vars"})
_LOOKUPS_BY_NAME = frozenset({"vars", "ansible.builtin.vars"})

# Tags that core knows, so that no template is more than can be parsed here.
_JINJA = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)


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


def refuse_facts_behind(given: Mapping[str, t.Any], variables: Mapping[str, t.Any]) -> None:
    """Raise InputError when a value, as it was written, is rendered from a fact that a host sent back.

    Templates are followed through all variables that they name. ``given`` are the values by name.
    """
    facts = _FactsOfHosts(variables)
    for name, value in given.items():
        fact = _fact_behind(value, variables, facts)
        if fact is not None:
            host = one_line(str(variables.get("inventory_hostname", "a host")), 60)
            raise InputError(
                f"{one_line(name, 60)} is made from {one_line(fact, 60)}, which is a fact that {host} sees, and a host "
                "must not choose what the gate does or where credentials go. Give it by a variable that has the name "
                "of no fact, or use a play without facts."
            )


class _FactsOfHosts:
    """The names of variables that are facts: those of the own host, and those of any host."""

    def __init__(self, variables: Mapping[str, t.Any]) -> None:
        self._variables = variables
        # Only the cache of core has the names as they were sent. A host is asked for by its name: the caches of core
        # that are kept in files cannot list their hosts without a prefix.
        self._cache = getattr(getattr(variables.get("hostvars"), "_variable_manager", None), "_fact_cache", None)
        if self._cache is None:
            # Under ansible_facts, names have lost their prefix: which of the two was sent is not known.
            known = variables.get("ansible_facts")
            names = [str(name) for name in known] if isinstance(known, dict) else []
            self.own = frozenset(one for name in names for one in (name, f"ansible_{name}"))
        else:
            self.own = self._sent_by(str(variables.get("inventory_hostname")))
        self.own |= _ALL_FACTS if self.own else self.own

    @functools.cached_property
    def all(self) -> frozenset[str]:
        """Those of every host. Read only where a template names variables by text, as there may be many hosts."""
        hosts = {"localhost", *map(str, self._variables.get("hostvars") or ())}
        names = self.own.union(*map(self._sent_by, hosts))
        return names | _ALL_FACTS if names else names

    def _sent_by(self, host: str) -> frozenset[str]:
        try:
            return frozenset(str(name) for name in (self._cache.get(host) if self._cache is not None else None) or ())
        except KeyError:  # none were sent, or they have expired
            return frozenset()


def _fact_behind(value: object, variables: Mapping[str, t.Any], facts: _FactsOfHosts) -> str | None:
    """Return the name of a fact that the value is rendered from, or None."""
    pending, seen = [value], set[str]()
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            pending.extend(one.values())
        elif isinstance(one, (list, tuple)):
            pending.extend(one)
        elif isinstance(one, str) and is_template(one):
            names, by_text = _variables_in_template(one)
            for fact in sorted((names & facts.own) | (by_text & facts.all if by_text else by_text)):
                return fact
            pending.extend(variables.get(name) for name in (names | by_text) - seen - _BY_NAME)
            seen |= names | by_text
    return None


def _variables_in_template(template: str) -> tuple[set[str], set[str]]:
    """Return the names of variables that a template may read, and those that it may read by a text that is the name.

    A name that a template puts together itself is not among them.
    """
    if "{{" not in template and "{%" not in template:
        return set(), set()
    try:
        tree = _JINJA.parse(template)
    except jinja2.TemplateSyntaxError:
        return set(), set()  # core refuses it, too
    names = jinja2.meta.find_undeclared_variables(tree)
    texts = {node.value for node in tree.find_all(jinja2.nodes.Const) if isinstance(node.value, str)}
    if not names & _BY_NAME and not texts & _LOOKUPS_BY_NAME:
        return names, set()
    return names, texts | {node.attr for node in tree.find_all(jinja2.nodes.Getattr)}
