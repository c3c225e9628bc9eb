# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario may contain: reading it, and errors that name the place and the key."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from .quantities import Resources, parse_quantity

SCENARIOS = Path(__file__).parent / "scenarios"

# Thirty years: more than a job has ever waited, and less than what time.sleep() takes.
LONGEST_SECONDS = 10**9
# The largest pool that a client is measured on has a tenth of that. More would only take memory.
LARGEST_COUNT = 100_000
# What JSON readers of other languages still read as a whole number.
LARGEST_WHOLE = 2**53


class ScenarioError(Exception):
    """A scenario that cannot be used; the sentence names the place and the key."""


def load(scenario: dict[str, t.Any] | str) -> dict[str, t.Any]:
    """Return a scenario from a mapping, from the name of one that is shipped, or from a file."""
    if isinstance(scenario, dict):
        return scenario
    try:
        shipped = SCENARIOS / f"{scenario}.json"
        path = shipped if shipped.is_file() else Path(scenario)
        # Editors of Windows put a byte order mark before the text.
        loaded = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_no_constant)
    except OSError as error:
        names = ", ".join(sorted(entry.stem for entry in SCENARIOS.glob("*.json")))
        raise ScenarioError(f"cannot read the scenario {scenario!r} ({error.strerror}); shipped are: {names}") from None
    except RecursionError:
        raise ScenarioError(f"the scenario {scenario!r} is nested too deeply") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"the scenario {scenario!r} is not UTF-8: save it as UTF-8") from None
    except ValueError as error:
        raise ScenarioError(f"the scenario {scenario!r} is not JSON: {error}") from None
    return mapping_of(loaded, f"the scenario {scenario!r}")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def checked(mapping: object, known: t.Iterable[str], where: str) -> dict[str, t.Any]:
    """Return the mapping without its ``comment``; any other key that is not known is an error."""
    given = mapping_of(mapping, where)
    names = sorted(known)
    for key in given:
        if key != "comment" and key not in names:
            raise ScenarioError(f"{where}: unknown key {key!r}; known keys: {', '.join(names)}")
    return {key: value for key, value in given.items() if key != "comment"}


def one_of(value: object, choices: t.Iterable[str], where: str) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ScenarioError(f"{where}: {_shown(value)} is not one of {', '.join(choices)}")
    return value


def text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ScenarioError(f"{where}: {_shown(value)} is not text")
    return value


def any_text(value: object, where: str) -> str:
    """Return a text that may be empty."""
    return value if value == "" else text(value, where)


def optional_text(mapping: t.Mapping[str, t.Any], key: str, where: str, default: str = "") -> str:
    """Return the text at ``key`` of a part of the scenario; ``default`` when it is not given."""
    return text(mapping[key], f"{where}.{key}") if key in mapping else default


def flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise ScenarioError(f"{where}: {_shown(value)} is neither true nor false")
    return value


def number(value: object, where: str, *, least: float = 0, most: float = LONGEST_SECONDS) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:  # NaN is not, either
        raise ScenarioError(f"{where}: {_shown(value)} is not a number of {least} or more")
    if value > most:
        raise ScenarioError(f"{where}: {_shown(value)} is more than {most}")
    return value


def whole(value: object, where: str, *, least: int = 0, most: int = LARGEST_WHOLE) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ScenarioError(f"{where}: {_shown(value)} is not a whole number of {least} or more")
    if value > most:
        raise ScenarioError(f"{where}: {_shown(value)} is more than {most}")
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


def texts_by_name(value: object, where: str) -> dict[str, str]:
    """Return an object whose values are texts, as labels are: ``{"os.modelarts/billing.status": "1"}``."""
    return {name: any_text(entry, f"{where}.{name}") for name, entry in mapping_of(value, where).items()}


def header_text(value: object, where: str) -> str:
    """Return a text that can be the value of a header."""
    if not re.fullmatch(r"[\x20-\x7e]+", text(value, where)):
        raise ScenarioError(f"{where}: {_shown(value)} is not one line of ASCII")
    return str(value)


def listed(value: object, where: str) -> list[t.Any]:
    if not isinstance(value, list):
        raise ScenarioError(f"{where} must be a list")
    return value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
