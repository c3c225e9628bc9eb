# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run one way: plugins import utils, nothing imports a plugin, and the decision knows no HTTP."""

from __future__ import annotations

import ast
import typing as t
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
OWN = "ansible_collections.poolgate.modelarts.plugins."
DECISION = "plugin_utils._capacity"


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(PLUGINS).with_suffix("").parts)


def imports(file: Path) -> set[str]:
    """What a file imports wherever it does, but for what only type checkers read."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "t.TYPE_CHECKING":
            node.body = [ast.Pass()]
    named = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return named | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


FOLDERS = ("module_utils", "plugin_utils")
FILES = {dotted(file): file for folder in FOLDERS for file in sorted((PLUGINS / folder).rglob("*.py"))}
UTILS = {name: imports(file) for name, file in FILES.items()}


def utils_of(names: t.Iterable[str]) -> set[str]:
    """The utils among imported modules, by their path below plugins."""
    own = {name.removeprefix(OWN) for name in names if name.startswith(OWN)}
    return {name for name in own if name.partition(".")[0] in FOLDERS}


def test_utils_import_one_way() -> None:
    """Raises CycleError, which names the cycle."""
    order = list(TopologicalSorter({name: utils_of(names) for name, names in UTILS.items()}).static_order())
    assert set(order) == set(UTILS)


@pytest.mark.parametrize("file", sorted(PLUGINS.rglob("*.py")), ids=lambda file: str(file.relative_to(PLUGINS)))
def test_nothing_imports_a_plugin(file: Path) -> None:
    """What runs on a target has no utils of the controller, either."""
    of_target = file.relative_to(PLUGINS).parts[0] in ("modules", "module_utils")
    utils = ("module_utils",) if of_target else ("module_utils", "plugin_utils")
    own = {name.removeprefix(OWN) for name in imports(file) if name.startswith(OWN)}
    assert {name for name in own if name.partition(".")[0] not in utils} == set()


def test_the_decision_knows_nothing_of_requests_and_of_time() -> None:
    known, new = set(), {DECISION}
    while new:
        known |= new
        new = set().union(*(utils_of(UTILS[name]) for name in new)) - known
    assert "module_utils._quantity" in known
    used = {name.partition(".")[0] for util in known for name in UTILS[util]}
    assert used.isdisjoint({"requests", "urllib3", "socket", "time", "os", "random", "threading", "subprocess"}), used


WAYS_OUT = ("warn", "warning", "error", "deprecated")
CODE = [*PLUGINS.rglob("*.py"), *(PLUGINS.parent / "extensions").rglob("*.py")]


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_what_is_warned_of_logged_or_raised_goes_through_one_function(file: Path) -> None:
    """ModelArtsError has it in itself; Ansible's own errors, warnings and the log take any text."""
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    ways = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in WAYS_OUT]
    ways += [call for call in calls if isinstance(call.func, ast.Name) and call.func.id.startswith("Ansible")]
    said = [argument for way in ways for argument in way.args if not isinstance(argument, ast.Constant)]
    others = [argument for argument in said if not ast.unparse(argument).startswith("sentence(")]
    assert [ast.unparse(argument) for argument in others] == []
