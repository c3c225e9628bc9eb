# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words in which verdicts speak of resources, times, jobs and errors.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from difflib import get_close_matches

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import DocumentError, JobFacts

_LONGEST_LABEL = 100  # what follows the vendor of a resource has 63 characters at most
_LONGEST_NAME = 400  # 64 characters with all their marks, which leaves room for the rest of a sentence
_ERROR_STATUS = 400
_FORBIDDEN = 403


def label(resource: str) -> str:
    """Return a resource as sentences name it: the part after its vendor, like ``gpu``."""
    return one_line(resource.rpartition("/")[2], _LONGEST_LABEL)


def duration(seconds: float) -> str:
    """Return seconds as a person reads them: ``40 s``, ``12 min``, ``9 h``, ``2 d 4 h``, ``98 d``."""
    whole = int(seconds)
    # Two minutes and two hours: below them the smaller unit is the one that people count in.
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    days, hours = divmod(whole // 3600, 24)
    if days == 0:
        return f"{hours} h"
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


def clock(seconds: float) -> str:
    """Return seconds as a clock shows them: ``0:02:05``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def coming_time(at: str, seconds: float) -> str:
    """Return a time of ISO 8601 that comes in so many seconds, with its date where that is a day or more."""
    return at if seconds >= 86400 else at[11:]


def plural(count: int, word: str) -> str:
    """Return ``1 node``, ``2 nodes``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def job_in_words(job: JobFacts) -> str:
    """Return a job as sentences name it: its type and its name."""
    name = job["job_name"] or job["name"] or job["job_uuid"] or "without a name"
    return one_line(f"{job['type'] or 'job'} {name}", _LONGEST_NAME)


def spaced_words(*names: str) -> str:
    """Return names of facts as words: ``frozen_by_police`` as ``frozen by police``."""
    return ", ".join(name.replace("_", " ") for name in names)


def nearest_resource_in_words(resource: str, known: Sequence[str]) -> str:
    """Return the known resource that was most likely meant: the same but for vendor and case, else a similar one."""
    wanted = label(resource).lower()
    same = [name for name in known if label(name).lower() == wanted]
    return next(iter(same or get_close_matches(resource.lower(), known, 1)), "")


def error_in_words(error: DocumentError | None) -> str:
    """Return an error of the API in a few words: its status, code and request."""
    if error is None:
        return "not read"
    parts = " ".join(str(part) for part in (error.get("status"), error.get("error_code")) if part)
    # Without a status the request never reached the API: its own sentence tells more than any code.
    if not error.get("error_code") and (error.get("status") or 0) < _ERROR_STATUS:
        return error["msg"]
    return parts + (f", request {error['request_id']}" if error.get("request_id") else "")


def permission_remedy_in_words(error: DocumentError | None, what: str) -> str:
    """Return the remedy for a document that the user may not read; empty for other errors."""
    return f"allow {what}." if error is not None and error.get("status") == _FORBIDDEN else ""


def joined_words(words: Iterable[str], nothing: str = "none") -> str:
    """Return the words with commas between them."""
    return ", ".join(words) or nothing
