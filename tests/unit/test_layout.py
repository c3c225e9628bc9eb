# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run one way: plugins import utils, nothing imports a plugin, and the decision knows no HTTP."""

from __future__ import annotations

import ast
import re
import typing as t
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
OWN = "ansible_collections.poolgate.modelarts.plugins."
DECISION = "plugin_utils._decision.decide"


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


# How large, how typed, and where its test is

# Raw documents are of any shape. Each of these reads some, and hands on types.
READS_ANYTHING = {
    "module_utils._api.documents": "Document is the type of a raw document",
    "module_utils._read.capacity": "hands documents of a pool to what makes facts of them",
    "module_utils._read.found": "reads jobs",
    "module_utils._read.jobs": "reads jobs",
    "module_utils._read.metrics": "reads runtime metrics",
    "module_utils._read.nodes": "reads nodes",
    "module_utils._read.occupancy": "reads jobs",
    "module_utils._read.pool_names": "reads pools",
    "module_utils._read.pools": "reads pools",
    "module_utils._read.summary": "reads jobs",
    "module_utils._read.fields": "reads values of any type",
    "module_utils._api.calls": "its calls return documents",
    "module_utils._api.pages": "puts pages of documents together",
}
# Ansible calls plugins with options and variables, and gives results, of any shape.
SPEAKS_WITH_ANSIBLE = {
    "action.modelarts_capacity_gate": "arguments of a task, its result",
    "action.modelarts_claim": "arguments of a task, its result",
    "action.modelarts_job_wait": "arguments of a task, its result",
    "inventory.modelarts_pools": "an inventory file, the cache",
    "plugin_utils._action": "arguments of a task, results of modules",
    "plugin_utils._observer": "results of modules",
}

LONGEST_CLASS = 250
SHAPELESS = re.compile(r"\b(?:dict\[str, (?:t\.)?Any\]|Facts|Document)\b")
# A fragment is documentation, and so is the module that an action stands for.
DOCUMENTATION = (
    "doc_fragments",
    "modules.modelarts_capacity_gate",
    "modules.modelarts_claim",
    "modules.modelarts_job_wait",
)
EVERY = sorted(file for file in PLUGINS.rglob("*.py") if not dotted(file).startswith(DOCUMENTATION))


def functions(file: Path) -> t.Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("file", EVERY, ids=dotted)
def test_no_class_is_too_long_to_be_seen_at_once(file: Path) -> None:
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    classes = {
        node.name: int(node.end_lineno or 0) - node.lineno + 1 for node in nodes if isinstance(node, ast.ClassDef)
    }
    long = {name: lines for name, lines in classes.items() if lines > LONGEST_CLASS}
    assert long == {}


@pytest.mark.parametrize("file", EVERY, ids=dotted)
def test_a_signature_tells_the_shape_of_data(file: Path) -> None:
    shapeless = [
        f"{function.name}: {ast.unparse(annotation)}"
        for function in functions(file)
        for annotation in (
            function.returns,
            *(one.annotation for one in (*function.args.args, *function.args.kwonlyargs, *function.args.posonlyargs)),
        )
        if annotation is not None and SHAPELESS.search(ast.unparse(annotation))
    ]
    assert bool(shapeless) == (dotted(file) in {**READS_ANYTHING, **SPEAKS_WITH_ANSIBLE}), shapeless


@pytest.mark.parametrize("file", EVERY, ids=dotted)
def test_every_file_has_a_test_of_its_name(file: Path) -> None:
    place = PLUGINS.parent / "tests" / "unit" / "plugins" / file.relative_to(PLUGINS).parent
    assert (place / f"test_{file.stem.lstrip('_')}.py").is_file()
