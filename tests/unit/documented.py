# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of results beside what the documentation says of them, down to the keys of each dictionary in them."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import yaml

Node = dict[str, t.Any]
"""The documentation of one key, as RETURN has it."""

MODULES = Path(__file__).resolve().parents[2] / "plugins" / "modules"
NONE = type(None)
TYPES = {"str": str, "int": int, "float": float, "bool": bool}
_LINK = re.compile(r"RV\((?:poolgate\.modelarts\.(\w+)#module:)?([a-z_.\[\]]+)\)")


def returned_by(module: str) -> dict[str, Node]:
    """Return the RETURN of a module, without its import."""
    tree = ast.parse((MODULES / f"{module}.py").read_text(encoding="utf-8"))
    texts = {
        ast.unparse(node.targets[0]): node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    found: dict[str, Node] = yaml.safe_load(texts["RETURN"])
    return found


class _Unions(ast.NodeTransformer):
    """``X | Y``, which Python has from 3.10 on, as Union[X, Y]."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        both = ast.Tuple([self.visit(node.left), self.visit(node.right)], ast.Load())
        union = ast.Attribute(ast.Name("t", ast.Load()), "Union", ast.Load())
        return ast.copy_location(ast.Subscript(union, both, ast.Load()), node)


def hints(of: type, names: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the types of the keys of a TypedDict. ``names`` are those that its module knows."""
    found = {}
    for name, annotation in of.__annotations__.items():
        tree = _Unions().visit(ast.parse(annotation.__forward_arg__, mode="eval"))
        found[name] = eval(compile(ast.fix_missing_locations(tree), name, "eval"), dict(names))
    return found


def is_typed(of: t.Any) -> bool:
    return hasattr(of, "__required_keys__")


def wrong(value: object, of: t.Any, names: t.Mapping[str, t.Any], where: str) -> list[str]:
    """Return the places where a value is not of its type; a float may be whole."""
    origin, arguments = t.get_origin(of), t.get_args(of)
    if of is object:
        return []
    if is_typed(of):
        known = hints(of, names)
        if not isinstance(value, dict):
            return [where]
        places = [f"{where}.{key} is missing" for key in sorted(of.__required_keys__ - value.keys())]
        places += [f"{where}.{key} is unknown" for key in sorted(value.keys() - known.keys())]
        return places + [
            place
            for key in value.keys() & known.keys()
            for place in wrong(value[key], known[key], names, f"{where}.{key}")
        ]
    if origin is t.Union:
        tried = [wrong(value, one, names, where) for one in arguments]
        return min(tried, key=len) if all(tried) else []
    if origin is dict:
        if not isinstance(value, dict):
            return [where]
        return [place for key, one in value.items() for place in wrong(one, arguments[1], names, f"{where}[{key}]")]
    if origin is not None:
        if not isinstance(value, list):
            return [where]
        return [
            place for number, one in enumerate(value) for place in wrong(one, arguments[0], names, f"{where}[{number}]")
        ]
    if of is float:
        of = (int, float)
    if of is NONE:
        return [] if value is None else [where]
    # A bool is an int in Python, and not in JSON.
    fits = isinstance(value, of) and isinstance(value, bool) == (of is bool)
    return [] if fits else [f"{where} is {value!r}"]


class Comparison:
    """Compares the documentation of one module with the types of what it returns.

    ``more`` has the types that stand for others there: an entry of pools that has more keys than all entries have.
    """

    def __init__(self, module: str, names: t.Mapping[str, t.Any], more: t.Mapping[type, type] | None = None) -> None:
        self._module = module
        self._names = names
        self._more = more or {}

    def differences(self, documented: t.Mapping[str, Node], of: type, where: str = "") -> list[str]:
        """Return the places where keys, or their types, are not those of the TypedDict."""
        known = hints(self._more.get(of, of), self._names)
        places = [f"{where}{key} is not documented" for key in known if key not in documented]
        places += [f"{where}{key} is not returned" for key in documented if key not in known]
        for key in known.keys() & documented.keys():
            places += self._of_value(documented[key], known[key], f"{where}{key}")
        return sorted(places)

    def _of_value(self, documented: Node, of: t.Any, where: str) -> list[str]:
        origin, arguments = t.get_origin(of), t.get_args(of)
        if origin is t.Union:
            kinds = [one for one in arguments if one is not NONE]
            if set(kinds) == {int, float}:
                return [] if documented["type"] == "float" else [f"{where} is a number"]
            return self._of_value(documented, kinds[0], where)
        if origin is t.Literal:
            of = str
        if is_typed(of):
            return self._of_keys(documented, of, where, "dict")
        if origin is dict:
            places = [] if documented["type"] == "dict" else [f"{where} is a dictionary"]
            return places + (self._of_mentions(documented, arguments[1], where) if is_typed(arguments[1]) else [])
        if origin is not None:
            places = [] if documented["type"] == "list" else [f"{where} is a list"]
            if is_typed(arguments[0]):
                return places + self._of_keys(documented, arguments[0], where, "list")
            expected = {str: "str", int: "int"}.get(arguments[0], documented.get("elements"))
            return places + ([] if documented.get("elements") == expected else [f"{where} has elements {expected}"])
        fits = TYPES.get(documented["type"], object) is of or of is object
        return [] if fits else [f"{where} is {documented['type']}, and not {of.__name__}"]

    def _of_keys(self, documented: Node, of: type, where: str, kind: str) -> list[str]:
        if documented["type"] != kind or documented.get("elements", "dict") != "dict":
            return [f"{where} is a {kind} of dictionaries"]
        if "contains" in documented:
            return self.differences(documented["contains"], of, f"{where}.")
        for module, path in _LINK.findall(str(documented["description"])):
            if self._is_like(of, module or self._module, path):
                return []
        return self._of_mentions(documented, of, where)

    def _of_mentions(self, documented: Node, of: type, where: str) -> list[str]:
        """Return the keys that the description does not name, where it names them in a sentence."""
        named = re.findall(r"C\((\w+)\)", str(documented["description"]))
        return [f"{where}.{key} is not documented" for key in hints(of, self._names) if key not in named]

    def _is_like(self, of: type, module: str, path: str) -> bool:
        """Return whether another place of the documentation, which is linked, has the keys of the type."""
        node: Node = {"contains": returned_by(module)}
        for name in path.replace("[]", "").split("."):
            node = node.get("contains", {}).get(name, {})
        places = self.differences(node["contains"], of) if "contains" in node else ["it has no keys"]
        # What is linked may have more, as a pool with its capacity has.
        return all(place.endswith(" is not returned") for place in places)
