# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run one way: plugins import utils, nothing imports a plugin, and the decision knows no HTTP."""

from __future__ import annotations

import ast
import contextlib
import functools
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


# What ansible-test has where it runs tests of modules and of their utils: no more of ansible-core is on a target.
TESTS = PLUGINS.parent / "tests" / "unit"
ON_TARGET = ("ansible.module_utils", "ansible.utils.collection_loader")
# Fragments are documentation, and import nothing.
OWN_OF_CONTROLLER = tuple(
    f"{OWN}{folder.name}"
    for folder in sorted(PLUGINS.iterdir())
    if folder.is_dir() and folder.name not in ("modules", "module_utils", "doc_fragments")
)
TESTS_OF_TARGET = [TESTS / "conftest.py"] + [
    file for folder in ("modules", "module_utils") for file in sorted((TESTS / "plugins" / folder).rglob("*.py"))
]
# In tests/unit/conftest.py: ansible-test has set the finder before.
NEVER_TRUE_THERE = ("t.TYPE_CHECKING", "AnsibleCollectionConfig.collection_finder is None")


def handled(node: ast.Try) -> list[ast.expr]:
    return [handler.type for handler in node.handlers if handler.type is not None]


def required_imports(tree: ast.AST) -> t.Iterator[str]:
    """Yield each module that has to be there, and each name that is taken from one, as that may be a module, too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in NEVER_TRUE_THERE:
            yield from required_imports(ast.Module(node.orelse, []))
        elif isinstance(node, ast.Try) and any("ImportError" in ast.unparse(one) for one in handled(node)):
            yield from required_imports(ast.Module([*node.handlers, *node.orelse, *node.finalbody], []))
        elif not (isinstance(node, ast.With) and "suppress(ImportError)" in ast.unparse(node.items[0])):
            yield from required_imports(node)


@functools.cache
def names_in(file: Path) -> frozenset[str]:
    return frozenset(required_imports(parsed(file)))


def is_in(name: str, modules: t.Iterable[str]) -> bool:
    """Return whether it is one of the modules, or within one."""
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


def is_of_controller(name: str) -> bool:
    """Return whether a target lacks this module, or this name within a module."""
    return is_in(name, OWN_OF_CONTROLLER) or (name.startswith("ansible.") and not is_in(name, ON_TARGET))


@functools.cache
def own_file(name: str) -> Path | None:
    """Return the file of a module of the collection, or of the module that the name is taken from."""
    parts = name.split(".")
    if parts[:3] != ["ansible_collections", "poolgate", "modelarts"]:
        return None
    places = [PLUGINS.parent.joinpath(*parts[3:end]) for end in (None, -1)]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


@pytest.mark.parametrize("file", TESTS_OF_TARGET, ids=lambda file: str(file.relative_to(TESTS)))
def test_a_test_of_what_runs_on_a_target_needs_nothing_of_the_controller(file: Path) -> None:
    """Nor do the helpers that it imports: on Pythons that are of no controller, and in the matrix, it would not run."""
    known: set[Path] = set()
    new = {file}
    wrong = []
    while new:
        known |= new
        names = {(one, name) for one in new for name in names_in(one)}
        wrong += [f"{one.name}: {name}" for one, name in names if is_of_controller(name)]
        new = {found for _one, name in names if (found := own_file(name))} - known
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        "from ansible import constants",
        "import ansible.constants as c",
        "from ansible.template import Templar",
        "def f():\n    from ansible.errors import AnsibleError",
        "try:\n    pass\nexcept ImportError:\n    from ansible.errors import AnsibleError",
        "if True:\n    from ansible.utils.display import Display",
        f"from {OWN}lookup import modelarts_workloads",
        f"from {OWN}plugin_utils._wait import Time",
    ],
)
def test_no_import_of_the_controller_is_hidden_from_that(code: str) -> None:
    assert any(map(is_of_controller, required_imports(ast.parse(code))))


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

EVENT_SOURCES = PLUGINS.parent / "extensions" / "eda" / "plugins"
LONGEST_CLASS = 250
# A fragment is documentation, and so is the module of an action, which is tested with the action.
ACTIONS = {file.name for file in (PLUGINS / "action").glob("*.py")}
WITH_CODE = [
    file
    for file in CODE
    if file.parent.name != "doc_fragments" and not (file.parent.name == "modules" and file.name in ACTIONS)
]
MAPS = ("dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict")

# Any switches the type checker off, under whatever alias. In these functions there is no type to write, and why.
UNTYPED = {
    ("module_utils/_http/deadlines.py", "_TimedReader.readinto"): "a buffer of io.RawIOBase",
    ("module_utils/_http/deadlines.py", "_TimedResponse.__init__"): "arguments of http.client, handed on",
    ("module_utils/_http/transport.py", "BoundedAdapter.__init__"): "arguments of requests, handed on",
    ("module_utils/_http/transport.py", "BoundedAdapter.init_poolmanager"): "arguments of requests, handed on",
    ("module_utils/_http/transport.py", "BoundedAdapter.proxy_manager_for"): "arguments of requests, handed on",
    ("module_utils/_http/transport.py", "BoundedAdapter.send"): "a time-out that urllib3 has and requests does not",
    ("module_utils/_read/capacity.py", "read_capacity"): "documents of several kinds, read side by side",
    ("module_utils/_read/capacity.py", "read_capacity.read_pool"): "documents of several kinds, read side by side",
    ("module_utils/_read/capacity.py", "_capacity_error_of_name"): "an error in place of any kind of document",
    ("module_utils/_read/failures.py", "failure_of_document"): "an error in place of any kind of document",
    ("plugin_utils/_claims/postgresql.py", "PostgresqlConnection.__init__"): "psycopg 2 or 3, which may be missing",
    ("plugin_utils/_claims/postgresql.py", "_made_within"): "psycopg 2 or 3, which may be missing",
    ("plugin_utils/_pool_groups.py", "PoolGroups.__getattr__"): "any attribute of the inventory",
}


def uses_of_any(tree: ast.AST, where: str = "") -> t.Iterator[tuple[str, ast.AST]]:
    """Yield (the function around it, the node) for each Any: in signatures, variables, aliases, and types as text."""
    for node in ast.iter_child_nodes(tree):
        inner = where
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = f"{where}.{node.name}" if where else node.name
        if (isinstance(node, ast.Name) and node.id == "Any") or (
            isinstance(node, ast.Attribute) and node.attr == "Any"
        ):
            yield where, node
        if isinstance(node, ast.alias) and node.name.rpartition(".")[2] == "Any":
            yield where, node
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "Any" in node.value:
            # A sentence is no expression; a type for cast() or TypeVar is one.
            with contextlib.suppress(SyntaxError):
                yield from uses_of_any(ast.parse(node.value, mode="eval"), where)
        yield from uses_of_any(node, inner)


def shapeless_maps(tree: ast.AST) -> t.Iterator[str]:
    """Yield each type of a mapping whose keys or values may be anything that the type checker then trusts."""
    for node in ast.walk(tree):
        is_map = isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] in MAPS
        if is_map and any(uses_of_any(node)):
            yield ast.unparse(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "Any" in node.value:
            with contextlib.suppress(SyntaxError):
                yield from shapeless_maps(ast.parse(node.value, mode="eval"))


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def place(file: Path) -> str:
    return file.relative_to(PLUGINS if file.is_relative_to(PLUGINS) else EVENT_SOURCES).as_posix()


@pytest.mark.parametrize("file", WITH_CODE, ids=place)
def test_no_class_is_too_long_to_be_seen_at_once(file: Path) -> None:
    nodes = [node for node in ast.walk(parsed(file)) if isinstance(node, ast.ClassDef)]
    classes = {node.name: int(node.end_lineno or 0) - node.lineno + 1 for node in nodes}
    assert {name: lines for name, lines in classes.items() if lines > LONGEST_CLASS} == {}


@pytest.mark.parametrize("file", CODE, ids=place)
def test_types_tell_the_shape_of_data(file: Path) -> None:
    """What may be of any kind is an object, whose type is then asked. No map of Any, not even in one of UNTYPED."""
    tree = parsed(file)
    assert list(shapeless_maps(tree)) == []
    assert {where for where, _node in uses_of_any(tree)} == {name for at, name in UNTYPED if at == place(file)}


@pytest.mark.parametrize(
    "code",
    [
        "def f(options: dict[str, t.Any]) -> None: ...",
        "def f() -> list[dict[str, Any]]: ...",
        "async def f(*, one: t.Mapping[str, t.Any] | None = None) -> None: ...",
        "def f(*rest: dict[str, t.Any], **more: t.Any) -> None: ...",
        "def f(run: Callable[[dict[str, t.Any]], None]) -> None: ...",
        "def f(run: 'Callable[[dict[str, t.Any]], None]') -> None: ...",
        "class A:\n    known: t.ClassVar[dict[str, dict[str, t.Any]]] = {}",
        "class A(t.TypedDict):\n    extra: dict[str, t.Any]",
        "Shape = dict[str, t.Any]",
        "Shape = t.Union[None, t.Dict[str, t.Any]]",
        "from typing import Any as Thing",
        "Thing = t.Any\nShape = dict[str, Thing]",
        "def f() -> None:\n    made: dict[str, t.Any] = {}",
        "f = lambda one: t.cast('dict[str, t.Any]', one)",
        "T = t.TypeVar('T', bound='Mapping[str, t.Any]')",
    ],
)
def test_no_shape_is_hidden_from_that(code: str) -> None:
    assert list(uses_of_any(ast.parse(code)))


def test_a_map_of_any_is_found_wherever_it_stands() -> None:
    code = "def f(*, one: 'list[dict[str, t.Any]] | None', **more: t.Any) -> dict[str, list[t.Any]]: ..."
    assert sorted(shapeless_maps(ast.parse(code))) == ["dict[str, list[t.Any]]", "dict[str, t.Any]"]
    assert (
        list(shapeless_maps(ast.parse("def f(one: dict[str, object], run: Callable[..., t.Any]) -> None: ..."))) == []
    )


def test_each_exception_is_of_a_function_that_is_there() -> None:
    assert {at for at, _name in UNTYPED} <= {place(file) for file in CODE}


@pytest.mark.parametrize("file", WITH_CODE, ids=place)
def test_every_file_has_a_test_of_its_name(file: Path) -> None:
    tests = PLUGINS.parent / "tests" / "unit" / "plugins" / Path(place(file)).parent
    assert (tests / f"test_{file.stem.lstrip('_')}.py").is_file()
