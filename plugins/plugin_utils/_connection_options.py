# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The levels of connection options that only plugins on the controller have: variables, and ansible.cfg.

This plugin util is private to the collection.
"""

from __future__ import annotations

import configparser
import typing as t

from ansible.config.manager import resolve_path
from ansible.parsing.quoting import unquote
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    variables_level,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._sources import refuse_facts_behind

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible.template import Templar


def template_option_values(values: Mapping[str, object], templar: Templar) -> dict[str, object]:
    """Return the values rendered, which come as they were written or vaulted, without those that are omitted."""
    level = templar.template(dict(values))
    # From ansible-core 2.19 on, a template leaves the key out. Before, it gives a text that stands for omit, and that
    # begins like this: a fact of that name must not choose which values count.
    omitted = str(templar.available_variables.get("omit"))
    if not omitted.startswith("__omit_place_holder__"):
        return dict(level)
    return {name: value for name, value in level.items() if value != omitted}


def templated_variables_level(variables: Mapping[str, object], templar: Templar) -> dict[str, object]:
    """Return the options that the variables ``modelarts_<option>`` give; no other variable is templated.

    Raises InputError when one of them is made from a fact of a host.
    """
    names = (f"modelarts_{option}" for option in CONNECTION_OPTIONS)
    given = {name: variables[name] for name in names if name in variables}
    # As they were written: a rendered value no longer shows which fact it was made from.
    refuse_facts_behind(given, variables)
    return variables_level(template_option_values(given, templar))


def config_level(path: str | None) -> dict[str, object]:
    """Return the options that the section [modelarts] of ansible.cfg gives, the lowest level.

    The file is read here, because get_option() lets an empty environment variable hide what stands in it, and ranks
    single options where merge_levels() ranks ways to log in.
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    if path is not None:
        parser.read(path)
    if not parser.has_section("modelarts"):
        return {}
    section = {option: unquote(value) for option, value in parser.items("modelarts") if option in CONNECTION_OPTIONS}
    if section.get("ca_path"):
        section["ca_path"] = resolve_path(section["ca_path"], basedir=path)
    return {option: value for option, value in section.items() if value}
