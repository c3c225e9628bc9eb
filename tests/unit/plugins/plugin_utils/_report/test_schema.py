# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a report is what its schema and its types say."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import jsonschema
import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import VERSION, ReportDocument
from ansible_collections.poolgate.modelarts.tests.unit import reports

SCHEMA = Path(__file__).parents[5] / "docs" / "report.schema.json"


def closed(schema: t.Any) -> t.Any:
    """The schema with no key allowed that it does not describe."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    entries = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **entries} if "properties" in schema else entries


@pytest.mark.parametrize("case", reports.CASES)
def test_the_schema_describes_it(made: t.Any, case: str) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(json.dumps(made[case][0]))
    jsonschema.Draft202012Validator(closed(schema)).validate(shortened(document))


def shortened(value: t.Any) -> t.Any:
    """The same, of lists of thousands the first and the last: what is between has been before."""
    if isinstance(value, dict):
        return {key: shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in (value if len(value) <= 500 else value[:250] + value[-250:])]
    return value


NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def types_of(schema: t.Any, definitions: t.Any) -> t.Any:
    """What a schema allows, as described() says it of a type."""
    if "$ref" in schema:
        return types_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "oneOf" in schema:
        return sorted((types_of(each, definitions) for each in schema["oneOf"]), key=repr)
    if "enum" in schema or "const" in schema:
        found = sorted({NAMES[type(value)] for value in schema.get("enum", [schema.get("const")])})
        return found if len(found) > 1 else found[0]
    if isinstance(schema["type"], list):
        parts = [types_of({**schema, "type": each}, definitions) for each in schema["type"]]
        return sorted(parts, key=repr)
    if schema["type"] == "array":
        return ("array", types_of(schema["items"], definitions))
    if schema["type"] == "object" and "properties" not in schema:
        return ("amounts", types_of(schema["additionalProperties"], definitions))
    if schema["type"] == "object":
        properties = {name: types_of(each, definitions) for name, each in schema["properties"].items()}
        return ("object", properties, sorted(schema["required"]))
    return schema["type"]


def described(annotation: t.Any) -> t.Any:
    """A type of the document as JSON: a name, ("array", items), ("amounts", values), ("object", keys, required)."""
    if t.is_typeddict(annotation):
        properties = {name: described(each) for name, each in t.get_type_hints(annotation).items()}
        return ("object", properties, sorted(annotation.__required_keys__))
    origin, arguments = t.get_origin(annotation), t.get_args(annotation)
    if origin is list:
        return ("array", described(arguments[0]))
    if origin is dict:
        return ("amounts", described(arguments[1]))
    if set(arguments) == {int, float}:
        return "number"
    if arguments:
        return sorted(map(described, arguments), key=repr)
    return NAMES[annotation]


def test_the_types_of_the_document_are_those_of_the_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert described(ReportDocument) == types_of(schema, schema["$defs"])
    assert schema["properties"]["version"]["const"] == VERSION
