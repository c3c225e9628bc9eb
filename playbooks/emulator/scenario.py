# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario may contain: reading it, and errors that name the place and the key."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from .quantities import Resources, parse_quantity

SCENARIOS = Path(__file__).parent / "scenarios"


class ScenarioError(Exception):
    """A scenario that cannot be used; the sentence names the place and the key."""


def load(scenario: dict[str, t.Any] | str) -> dict[str, t.Any]:
    """A scenario from a mapping, from the name of one that is shipped, or from a file."""
    if isinstance(scenario, dict):
        return scenario
    shipped = SCENARIOS / f"{scenario}.json"
    path = shipped if shipped.is_file() else Path(scenario)
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(sorted(entry.stem for entry in SCENARIOS.glob("*.json")))
        raise ScenarioError(f"cannot read the scenario {scenario!r} ({error.strerror}); shipped are: {names}") from None
    except ValueError as error:
        raise ScenarioError(f"the scenario {scenario!r} is not JSON: {error}") from None
    return t.cast("dict[str, t.Any]", loaded)


def checked(mapping: object, known: t.Iterable[str], where: str) -> dict[str, t.Any]:
    """The mapping without its ``comment``; any other key that is not known is an error."""
    given = mapping_of(mapping, where)
    names = sorted(known)
    for key in given:
        if key != "comment" and key not in names:
            raise ScenarioError(f"{where}: unknown key {key!r}; known keys: {', '.join(names)}")
    return {key: value for key, value in given.items() if key != "comment"}


def one_of(value: object, choices: t.Iterable[str], where: str) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ScenarioError(f"{where}: {value!r} is none of {', '.join(choices)}")
    return value


def text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ScenarioError(f"{where}: {value!r} is not a text")
    return value


def number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ScenarioError(f"{where}: {value!r} is not a number of 0 or more")
    return value


def whole(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ScenarioError(f"{where}: {value!r} is not a whole number of 0 or more")
    return value


def quantities(mapping: object, where: str) -> Resources:
    try:
        return {resource: parse_quantity(resource, value) for resource, value in mapping_of(mapping, where).items()}
    except ValueError as error:
        raise ScenarioError(f"{where}: {error}") from None


def mapping_of(value: object, where: str) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{where} must be an object")
    return value


def listed(value: object, where: str) -> list[t.Any]:
    if not isinstance(value, list):
        raise ScenarioError(f"{where} must be a list")
    return value
