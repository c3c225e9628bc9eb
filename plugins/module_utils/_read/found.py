# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs by their names: those that claims of room wait for.

This module util is private to the collection.
"""

from __future__ import annotations

import fnmatch
import heapq
import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import amounts_to_numbers, canonical_amounts
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import (
    integer_field,
    label_field,
    seconds_since,
    text_field,
    text_field_or_none,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import hosts_of_job
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.requirements import Requirements
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import OVER

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FoundInPool, FoundJobFacts

# Of more jobs than that, the newest that are not over are found: a claim whose job is not among them counts on.
_MOST = 500

# A name that is longer is like no glob: ModelArts takes 64 characters, and each is held against each of the globs.
_LONGEST_NAME = 1000

_GLOB = re.compile(r"[*?\[]")


def find_jobs(items: Iterable[Document], names: Iterable[str], now: float) -> FoundInPool:
    """Return the jobs whose name in the service above, or else whose own name, is one of the names or globs."""
    is_wanted = _matcher_of_names_to_find(names)
    heap: list[tuple[tuple[bool, int], int, Document, str]] = []
    is_complete = True
    for count, item in enumerate(items):
        # jobName may be absent (ListWorkloads; the SDK).
        name = text_field(item.get("jobName")) or text_field(item.get("name"))
        if name is None or not is_wanted(name):
            continue
        # Jobs that are not over first: only these keep or end the promise of a claim.
        order = (label_field(item.get("status")) not in OVER, integer_field(item.get("createTime")) or 0)
        entry = (order, count, item, name)
        # A heap keeps memory bounded, however many jobs a name matches.
        if len(heap) < _MOST:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
            is_complete = False
    requirements = Requirements()
    in_order = sorted(heap, key=lambda one: one[1])
    found = [_found_job(item, name, requirements, now) for _order, _count, item, name in in_order]
    return {"found": found, "found_complete": is_complete, "found_at": now}


def _matcher_of_names_to_find(names: Iterable[str]) -> Callable[[str], bool]:
    # A job may be called train[1]: what looks like a glob is a name as well.
    exact = set(names)
    globs = [fnmatch.translate(name) for name in sorted(exact) if _GLOB.search(name)]
    # One pattern for all: a loop over hundreds, for each of very many jobs, takes ten times as long.
    is_like_one = re.compile("|".join(globs)).match if globs else lambda _name: None
    # Most names are plain, and a look-up does not grow with the number of claims.
    return lambda name: name in exact or (len(name) <= _LONGEST_NAME and is_like_one(name) is not None)


def _found_job(item: Document, name: str, requirements: Requirements, now: float) -> FoundJobFacts:
    created = integer_field(item.get("createTime"))
    amounts, unread = requirements.read(item.get("resourceRequirement"))
    # An empty text is no ID: a job in the queue may have one in place of its uid, and so may all others.
    uid = text_field_or_none(item.get("uid"))
    return {
        "job_uuid": text_field_or_none(item.get("jobUUID")) or uid,
        "uid": uid,
        "job_name": name,
        "type": text_field(item.get("type")),
        "status": text_field(item.get("status")),
        "created": None if created is None or seconds_since(created / 1000, now) is None else created / 1000,
        "host_ips": hosts_of_job(item),
        "resources": amounts_to_numbers(canonical_amounts(amounts)),
        "unread": unread,
    }
