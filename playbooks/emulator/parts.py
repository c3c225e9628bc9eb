# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What documents are made of: times, made-up identifiers, and the keys that a scenario puts in."""

from __future__ import annotations

import hashlib
import typing as t
from datetime import datetime, timezone


def merged(document: dict[str, t.Any], extra: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the document with the keys of ``extra`` at their places, to make answers that are not documented."""
    whole = dict(document)
    for key, value in extra.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = merged(whole[key], value) if both else value
    return whole


def iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def uuid_of(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
