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
import jinja2.nodes
from ansible import constants
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import is_template

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PREFIXES = ("modelarts_", "capacity_gate_", "__capacity_gate_")

# Variables that core sets to facts, whatever the names of these.
_ALL_FACTS = frozenset({"ansible_facts", "ansible_local"})

# Ways to the variables of every host, and to those of a name that the template need not show. Jinja has self.
_ALL_VARIABLES = frozenset({"hostvars", "vars", "ansible_delegated_vars", "self"})
_LOOKUPS = frozenset({"lookup", "query", "q"})
# Core sets it below facts, and it tells whose facts there are: a host could pass for one that has sent none.
_NAME_OF_HOST = "inventory_hostname"
# Plugins that read variables by their names, also as settings of core, or templates that name variables, in whatever
# collection.
_READING_LOOKUPS = frozenset({"vars", "template", "config", "merge_variables"})
_OTHER_TEMPLATES = (jinja2.nodes.Include, jinja2.nodes.Import, jinja2.nodes.FromImport, jinja2.nodes.Extends)

# Tags that core knows, so that no template is more than can be parsed here.
_JINJA = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)


def refuse_facts_of_hosts(variables: Mapping[str, object]) -> None:
    """Raise InputError when a fact that a host sent back has become a variable that this collection reads.

    Ansible makes variables of the facts that a module returns, above role defaults and the inventory. With these, a
    managed host could send the credentials of the controller to its own address, or loosen the policy of a gate.

    Ansible keeps facts under ``ansible_facts``, and set_fact only with ``cacheable``. Values do not tell whether a
    variable is the fact of its name: of a host that sends ``modelarts_endpoint`` and ``ansible_modelarts_endpoint``,
    the first is the variable and the second the fact, because names lose their prefix under ``ansible_facts``.
    """
    _refuse_fact_as_name_of_host(variables)
    facts = variables.get("ansible_facts")
    if not isinstance(facts, dict):
        return
    for name in sorted(str(name) for name in facts):
        # Refused and not passed over: a play that went on with a default could do as the host wants.
        if name.startswith(_PREFIXES) and name in variables:
            raise InputError(
                f"{one_line(name, 60)} comes from the facts of {_source_host(variables)}, and a host must not choose "
                "what the gate does or where credentials go. Set it in the play, the inventory or the environment; "
                "set_fact needs cacheable=false."
            )


def refuse_facts_behind(given: Mapping[str, object], variables: Mapping[str, object]) -> None:
    """Raise InputError when a value, as it was written, is or may be rendered from a fact that a host sent back.

    Templates are followed through all variables that they name. What reads variables in a way that cannot be followed
    is refused as soon as any host has sent a fact. ``given`` are the values by name.
    """
    facts = _FactsOfHosts(variables)
    for name, value in given.items():
        complaint = _complaint_about_source(value, variables, facts)
        if complaint:
            raise InputError(f"{one_line(name, 60)} {complaint}")


def _refuse_fact_as_name_of_host(variables: Mapping[str, object]) -> None:
    facts = variables.get("ansible_facts")
    if isinstance(facts, dict) and _NAME_OF_HOST in facts:
        raise InputError(
            f"{_NAME_OF_HOST} comes from the facts of a host, and a host must not choose its name: it could pass for "
            "another one. Leave that fact out, or use a play without facts."
        )


class _FactsOfHosts:
    """The names of variables that are facts of the own host, and whether any host has sent one."""

    def __init__(self, variables: Mapping[str, object]) -> None:
        _refuse_fact_as_name_of_host(variables)
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
            self.own = self._sent_by(str(variables.get(_NAME_OF_HOST)))
        self.own |= _ALL_FACTS if self.own else self.own

    @functools.cached_property
    def any_sent(self) -> bool:
        """Whether any host has sent one. Read only where it matters, as there may be many hosts."""
        if self.own:
            return True
        hostvars = self._variables.get("hostvars")
        if self._cache is None:
            return hostvars is not None  # not known, as core has changed
        # Hostvars does not list the implicit host, which core names as it was first written.
        hosts = (*constants.LOCALHOST, *map(str, t.cast("Iterable[object]", hostvars or ())))
        return any(self._sent_by(host) for host in hosts)

    def _sent_by(self, host: str) -> frozenset[str]:
        try:
            return frozenset(str(name) for name in (self._cache.get(host) if self._cache is not None else None) or ())
        except KeyError:  # none were sent, or they have expired
            return frozenset()


def _complaint_about_source(value: object, variables: Mapping[str, object], facts: _FactsOfHosts) -> str:
    """Return which fact the value is rendered from, or what may read one, or nothing."""
    pending, seen = [value], set[str]()
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            pending.extend(one.values())
        elif isinstance(one, (list, tuple)):
            pending.extend(one)
        elif isinstance(one, str) and is_template(one):
            names, blind_spot = _variables_as_sources_of_template(one)
            for fact in sorted(names & facts.own):
                return (
                    f"is made from {one_line(fact, 60)}, which {_source_host(variables)} reports as a fact, and a "
                    "host must not choose what the gate does or where credentials go. Set it by a variable whose name "
                    "no fact has, or use a play without facts."
                )
            # A variable of such a name hides the function.
            for name in sorted((names & _ALL_VARIABLES) | (names & _LOOKUPS - variables.keys())):
                blind_spot = blind_spot or name
            if blind_spot and facts.any_sent:
                return (
                    f"uses {one_line(blind_spot, 60)}, which may give a fact that a host has sent, and a host must not "
                    "choose what the gate does or where credentials go. Set the value directly, or use a play without "
                    "facts."
                )
            # Each name once: variables may be made from one another in a circle.
            pending.extend(variables.get(name) for name in names - seen - _ALL_VARIABLES)
            seen |= names
    return ""


def _source_host(variables: Mapping[str, object]) -> str:
    return one_line(str(variables.get("inventory_hostname", "a host")), 60)


def _variables_as_sources_of_template(template: str) -> tuple[set[str], str]:
    """Return the names in a template, and what in it reads variables whose names it does not show, or nothing.

    The tree is only parsed. To compile it would take the filters and tests of Ansible and of all collections.
    """
    if template.startswith("#jinja2:"):
        return set(), "a header that sets the delimiters of a template"
    # Most values are no templates, and need no parsing.
    if "{{" not in template and "{%" not in template:
        return set(), ""
    try:
        tree = _JINJA.parse(template)
    except (jinja2.TemplateError, RecursionError, ValueError):
        return set(), "a template that cannot be read before Ansible renders it"
    blind_spots = [type(node).__name__.lower() for node in tree.find_all(_OTHER_TEMPLATES)]
    called = [node for node in tree.find_all(jinja2.nodes.Call) if _is_source_lookup(node.node)]
    blind_spots += [spot for spot in map(_blind_spot_of_source, called) if spot]
    by_call = {id(node.node) for node in called}
    names = {node.name for node in tree.find_all(jinja2.nodes.Name) if id(node) not in by_call}
    # A text in a template may be a template: some lookups render their terms.
    for node in tree.find_all(jinja2.nodes.Const):
        if isinstance(node.value, str):
            more, spot = _variables_as_sources_of_template(node.value)
            names |= more
            blind_spots += [spot] if spot else []
    return names, blind_spots[0] if blind_spots else ""


def _is_source_lookup(node: jinja2.nodes.Node) -> bool:
    return isinstance(node, jinja2.nodes.Name) and node.name in _LOOKUPS


def _blind_spot_of_source(call: jinja2.nodes.Call) -> str:
    """Return what a lookup is, where it can read any variable, or nothing."""
    plugin = call.args[0] if call.args else None
    if not isinstance(plugin, jinja2.nodes.Const) or not isinstance(plugin.value, str):
        return "a lookup whose plugin is not named by a constant"
    return f"lookup('{plugin.value}')" if plugin.value.rpartition(".")[2] in _READING_LOOKUPS else ""
