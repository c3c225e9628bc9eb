# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values of documents, read whatever their type; None for what is not there or cannot be read.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta, timezone

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    UnreadableQuantityError,
    parse_quantity,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import CLOCK_TOLERANCE, UNKNOWN

MOST_RESOURCES = 50
"""Resources of one job, node or table. None has as many, and what has more cannot be read."""

# That of Kubernetes: a prefix of 253 characters, a stroke, and 63. Facts have it once for each node of a job.
_LONGEST_NAME = 317
_MOST_SHOWN = 5  # values of a table that cannot be read; they show a person of which kind they are
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_LARGEST = 10**18  # as many digits as _INTEGER reads; no time and no priority is above


def creation_time_field(create_time: object) -> str | None:
    """Return milliseconds since the epoch as ISO 8601 in UTC; None when it cannot be read."""
    # Whole milliseconds (ListWorkloads); a text of 400 digits must not end the reading.
    milliseconds = integer_field(create_time)
    if milliseconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def text_field(value: object) -> str | None:
    if isinstance(value, str):
        return value
    # The reference has texts where a server may send numbers, as for priority (ListWorkloads).
    return str(value) if isinstance(value, (int, float)) else None


def host_address(value: object) -> str | None:
    """Return the address of a node, as one text wherever it stands: jobs and nodes are joined by it."""
    return value.strip() or None if isinstance(value, str) else None


def label_field(value: object) -> str:
    return value if isinstance(value, str) and value else UNKNOWN


def integer_field(value: object) -> int | None:
    """Return the whole number that a field holds, however it is written.

    Return None for one that is larger than any of them.
    """
    if isinstance(value, int) and not isinstance(value, bool):  # nearly all are
        return value if -_LARGEST < value < _LARGEST else None
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value.strip()) else None
    if not isinstance(value, float) or not -_LARGEST < value < _LARGEST:
        return None
    return int(value) if value.is_integer() else None


def boolean_field(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    # isDeleted is a text in the reference's example (ListWorkloads).
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def seconds_since(at: float, now: float) -> int | None:
    """Return how long ago a moment was; None for one that lies ahead."""
    # Beyond the tolerance a time is wrong, and an age of 0 would make it the freshest of all.
    return max(0, int(now - at)) if at <= now + CLOCK_TOLERANCE else None


if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import UnreadableAmount
    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,](?P<fraction>[0-9]{1,30}))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):?(?P<minutes>[0-5][0-9])?)?"
)


def misshapen_fields(document: Mapping[str, object], shapes: Mapping[tuple[str, ...], type]) -> list[str]:
    """Return the parts of a document that are there and not of their documented type."""
    wrong = []
    for path, shape in shapes.items():
        value: object = document
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, shape):
            wrong.append(".".join(path))
    return wrong


def are_resources_bounded(resources: Mapping[str, object]) -> bool:
    """Return whether a table has no more resources, and no longer names, than any has that the API could send."""
    return len(resources) <= MOST_RESOURCES and all(len(name) <= _LONGEST_NAME for name in resources)


def amounts_field(resources: object, *, down: bool = False) -> tuple[Amounts | None, list[UnreadableAmount]]:
    if not isinstance(resources, dict) or not are_resources_bounded(resources):
        return None, []
    amounts: Amounts = {}
    unreadable: list[UnreadableAmount] = []
    for resource, value in resources.items():
        try:
            amounts[resource] = parse_quantity(resource, value, down=down)
        except UnreadableQuantityError:
            # All are named, as each is a resource that is not known; the values are for people, and a few are enough.
            shown = one_line(repr(value), 60) if len(unreadable) < _MOST_SHOWN else "not shown"
            unreadable.append({"resource": resource, "value": shown})
    return amounts, unreadable


def iso_time(seconds: float) -> str:
    """Return the seconds since the epoch as ISO 8601 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_seconds(text: object) -> float | None:
    """Return an ISO 8601 time of the API as seconds since the epoch; None when it cannot be read.

    Without a zone it is UTC.

    Kubernetes writes up to nine digits behind the point; fromisoformat() reads those from Python 3.11 on.
    """
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    # datetime has microseconds; further digits are cut and not rounded, which could reach the next second.
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    hours, minutes = int(match["hours"] or 0), int(match["minutes"] or 0)
    behind = timedelta(hours=hours, minutes=minutes) * (1 if match["sign"] == "-" else -1)
    try:
        moment = datetime(year, month, day, hour, minute, second, int(fraction), tzinfo=timezone.utc)
        return (moment + behind).timestamp()
    except (ValueError, OverflowError):
        return None


def object_field(document: Mapping[str, object], name: str) -> Document:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def list_field(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def text_field_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def name_field_or_none(value: object) -> str | None:
    """Return a name, of which a process that looks again and again keeps many; None for one that none is as long as."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME else None


def count_field_or_none(value: object) -> int | None:
    if isinstance(value, str):
        # isdigit() alone takes digits of all scripts, and int() of a long text takes time.
        return int(value) if len(value) < 10 and value.isascii() and value.isdigit() else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None
