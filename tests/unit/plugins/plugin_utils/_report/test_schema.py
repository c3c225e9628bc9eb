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
