# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: the documents of ListWorkloads -> facts.

This module util is private to the collection. Source: ListWorkloads, tables 3 to 7.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import PAGE_SIZE, Client, Query
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import CLOCK_TOLERANCE
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages, joined
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add,
    numbers,
    parse,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import plain
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import JOB_TYPES, STATUSES, UNKNOWN

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Facts = dict[str, t.Any]

FIELDS = {
    "api_version": "apiVersion",
    "kind": "kind",
    "type": "type",
    "namespace": "namespace",
    "name": "name",
    "job_name": "jobName",
    "uid": "uid",
    "job_uuid": "jobUUID",
    "flavor": "flavor",
    "status": "status",
    "user_name": "userName",
    "resource_requirement": "resourceRequirement",
    "priority": "priority",
    "running_duration": "runningDuration",
    "pending_duration": "pendingDuration",
    "pending_position": "pendingPosition",
    "create_time": "createTime",
    "gvk": "gvk",
    "host_ips": "hostIps",
    "nodes": "nodes",
    "is_deleted": "isDeleted",
}
"""The documented fields, as facts spell them and as the API does."""

ADDED_FIELDS = ("pool_name", "resources", "created_at", "extra")

WORKLOAD_OPTIONS: dict[str, dict[str, t.Any]] = {
    "type": {"type": "list", "elements": "str", "choices": list(JOB_TYPES), "default": []},
    "status": {"type": "list", "elements": "str", "choices": list(STATUSES), "default": []},
    "sort": {"type": "str", "choices": ["create_time"]},
    "ascend": {"type": "bool"},
    "offset": {"type": "int"},
    "limit": {"type": "int"},
    "fetch_all": {"type": "bool", "default": True},
    "fields": {"type": "list", "elements": "str"},
    "include_capacity": {"type": "bool", "default": False},
}

_DOCUMENTED = frozenset(FIELDS.values())
_NODE_DOCUMENTED = frozenset(("hostIp", "npuTopologyPlacement", "resourceRequirement"))
_INTEGERS = ("running_duration", "pending_duration", "pending_position", "create_time")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_UNPARSED = 50
_BAD_REQUEST = 400
_LARGEST = 10**18  # as many digits as _INTEGER reads; no time and no priority is above


def created_at(create_time: object) -> str | None:
    """Milliseconds since the epoch as ISO 8601 in UTC; None when it cannot be read."""
    milliseconds = integer_of(create_time)
    if milliseconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Requirements:
    """Reads resource requirements, each different one once, and counts what could not be read."""

    def __init__(self) -> None:
        self.unparsed: Counter[tuple[str, str]] = Counter()
        self._read: dict[str, tuple[Amounts, list[tuple[str, str]]]] = {}

    def read(self, requirement: object, jobs: int = 1) -> tuple[Amounts, list[str]]:
        """(amounts, the resources that could not be read; ``"*"`` when there is no requirement to read).

        ``jobs`` is how many have this requirement.

        The reference gives an array of objects and shows one object: the parts of an array are added up.
        """
        if isinstance(requirement, list) and requirement:
            total: Amounts = {}
            unread: list[str] = []
            for part in requirement:
                amounts, missing = self.read(part, jobs)
                add(total, amounts)
                unread += missing
            return total, unread
        # As text: the numbers of an attacker could all have one hash, and 1 is true in a dictionary.
        key = repr(requirement)
        if key not in self._read:
            self._read[key] = _read_amounts(requirement)
        amounts, unparsed = self._read[key]
        for resource, value in unparsed:
            what = plain(resource, 60), value
            if what in self.unparsed or len(self.unparsed) < _UNPARSED:
                self.unparsed[what] += jobs
        return amounts, [name for name, _value in unparsed] if amounts or unparsed else ["*"]

    def as_facts(self) -> list[Facts]:
        """What could not be read: ``[{resource, value, jobs}]``."""
        return [{"resource": r, "value": v, "jobs": n} for (r, v), n in self.unparsed.items()]


def _read_amounts(requirement: object) -> tuple[Amounts, list[tuple[str, str]]]:
    amounts: Amounts = {}
    unread = []
    if not isinstance(requirement, dict):
        return amounts, [] if requirement is None else [("*", plain(repr(requirement), 60))]
    for resource, value in requirement.items():
        try:
            amounts[resource] = parse(resource, value)
        except UnreadableQuantityError:
            unread.append((resource, plain(repr(value), 60)))
    return amounts, unread


def text_of(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) else None


def label_of(value: object) -> str:
    return value if isinstance(value, str) and value else UNKNOWN


def _type_of(item: Facts) -> str:
    """The type of a job as JOB_TYPES spell it: pools spell theirs in upper case."""
    return label_of(item.get("type")).lower()


def integer_of(value: object) -> int | None:
    """The whole number that a field holds, however it is written; None for one that is larger than any of them."""
    if isinstance(value, int) and not isinstance(value, bool):  # nearly all are
        return value if -_LARGEST < value < _LARGEST else None
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value.strip()) else None
    if not isinstance(value, float) or not -_LARGEST < value < _LARGEST:
        return None
    return int(value) if value.is_integer() else None


def _boolean(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def seconds_since(at: float, now: float) -> int | None:
    """None for a moment that lies ahead: how long ago it was is not known."""
    return max(0, int(now - at)) if at <= now + CLOCK_TOLERANCE else None


def pending_seconds(item: Facts, now: float) -> int | None:
    """For how long a job has waited; None when it does not tell, or when it was created in the future.

    No job has waited for longer than there is one.
    """
    seconds = integer_of(item.get("pendingDuration"))
    created = integer_of(item.get("createTime"))
    exists = None if created is None else seconds_since(created / 1000, now)
    if seconds is not None and seconds >= 0:
        return seconds if exists is None else min(seconds, exists)
    return exists


def _split_hosts(value: object) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [part.strip() for part in parts if isinstance(part, str) and part.strip()]


def hosts_of(item: Facts) -> list[str]:
    """The addresses of the nodes that a job shows, from hostIps and from nodes, each once."""
    nodes = item.get("nodes")
    shown = [nodes] if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else []
    placed = [node.get("hostIp") for node in shown if isinstance(node, dict)]
    return list(dict.fromkeys(_split_hosts(item.get("hostIps")) + _split_hosts(placed)))


def job_nodes(nodes: object, requirements: Requirements) -> tuple[list[Facts], list[t.Any]]:
    """(nodes of a job as facts, what was no object). The table of the reference gives one object, the SDK a list."""
    facts: list[Facts] = []
    unreadable: list[t.Any] = []
    for node in [nodes] if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else []:
        if not isinstance(node, dict):
            unreadable.append(node)
            continue
        amounts, _unread = requirements.read(node.get("resourceRequirement"))
        fact = {
            "host_ip": text_of(node.get("hostIp")),
            "npu_topology_placement": text_of(node.get("npuTopologyPlacement")),
            "resource_requirement": node.get("resourceRequirement"),
            "resources": numbers(amounts),
        }
        unknown = {key: value for key, value in node.items() if key not in _NODE_DOCUMENTED}
        facts.append({**fact, "extra": unknown} if unknown else fact)
    return facts, unreadable


@dataclass(frozen=True)
class WorkloadQuery:
    """What to ask of ListWorkloads, in the words of the module's options.

    ``limit`` is the page size (0 or None: 500); ``fetch_all`` follows the pages, else exactly the page of ``offset``
    and ``limit`` is read.
    """

    types: Sequence[str] = ()
    statuses: Sequence[str] = ()
    sort: str | None = None
    ascend: bool | None = None
    offset: int | None = None
    limit: int | None = None
    fetch_all: bool = True
    fields: Sequence[str] | None = None
    include_capacity: bool = False

    @classmethod
    def from_options(cls, options: Mapping[str, t.Any]) -> WorkloadQuery:
        """The query of WORKLOAD_OPTIONS. Raises InputError for what the reference does not allow."""
        query = cls(
            types=options["type"],
            statuses=options["status"],
            **{name: options[name] for name in WORKLOAD_OPTIONS if name not in ("type", "status")},
        )
        query.check()
        return query

    def check(self) -> None:
        """Raises InputError before anything is sent."""
        if self.limit is not None and not 0 <= self.limit <= PAGE_SIZE:
            raise InputError(f"limit is {self.limit}, and must be 0 to {PAGE_SIZE} (0 means {PAGE_SIZE}).")
        if self.offset is not None and self.offset < 0:
            raise InputError(f"offset is {self.offset}, and must be 0 or more: the number of jobs to skip.")
        if self.ascend is not None and self.sort is None:
            raise InputError("ascend is given without sort: set sort to create_time, or leave ascend out.")
        if self.include_capacity and (self.offset or not self.fetch_all):
            raise InputError("include_capacity needs all jobs: leave out offset, and fetch_all=false.")
        known = [*FIELDS, *ADDED_FIELDS]
        for name in self.fields or ():
            if name not in known:
                from difflib import get_close_matches

                near = get_close_matches(name, known, 1)
                raise InputError(
                    f"fields names {plain(name, 60)!r}, which a job does not have"
                    + (f": did you mean {near[0]}?" if near else f". It has {', '.join(known)}.")
                )

    def read(self, client: Client, pool_name: str) -> Pages:
        """The jobs of one pool that the query names.

        What the filters let through is filtered here, too: the API takes one status, and not every server all types.
        """
        filters: Query = [("type", one) for one in self.types]
        if len(self.statuses) == 1:
            filters.append(("status", self.statuses[0]))
        if not self.fetch_all:
            return self._as_one_page(self._read_page(client, pool_name, filters))
        if not filters and not self.statuses:
            return self.read_pool(client, pool_name)
        read = self._read_types if len(self.types) > 1 else self._read_filtered
        return self._ordered(self.selected(read(client, pool_name, filters)), self.offset or 0)

    def read_pool(self, client: Client, pool_name: str) -> Pages:
        """All jobs of one pool, whatever the query filters, in the order that it asks for."""
        skip = self.offset or 0
        if self._descends:
            return self._ordered(self._read_filtered(client, pool_name, []), skip)
        return client.list_workloads(pool_name, [], offset=skip, limit=self.limit or PAGE_SIZE)

    def selected(self, pages: Pages) -> Pages:
        """The same pages with what the filters of the query let through; ``total`` counts that."""
        if not self.types and not self.statuses:
            return pages
        items = [
            item
            for item in pages.items
            if (not self.types or _type_of(item) in self.types)
            and (not self.statuses or item.get("status") in self.statuses)
        ]
        if len(items) == len(pages.items):
            return pages
        return replace(pages, items=items, total=len(items) if pages.complete else None)

    def _read_filtered(self, client: Client, pool_name: str, filters: Query) -> Pages:
        return client.list_workloads(pool_name, filters, limit=self.limit or PAGE_SIZE)

    def _read_types(self, client: Client, pool_name: str, filters: Query) -> Pages:
        """The jobs of several types, whatever the server makes of them.

        OTC's reference has an array of types, and the key repeated. In the newer one of Huawei Cloud, ``type`` is one
        String, and what a server then does is documented nowhere. It may take the first, the last or none of them, or
        answer 400. So a type that no job of the answer has is asked for alone: one job at first, all when there is one.
        Not tried on a real pool.
        """
        try:
            pages = self._read_filtered(client, pool_name, filters)
        except ApiError as error:
            if error.status != _BAD_REQUEST:
                raise
            pages = Pages([], 0, True)
        found = {_type_of(item) for item in pages.items}

        def read(kind: str) -> Pages | None:
            own = [("type", kind), *(one for one in filters if one[0] != "type")]
            first = client.list_workloads_page(pool_name, [*own, ("limit", "1")])
            if not any(_type_of(item) == kind for item in first.items):
                return None
            return self._read_filtered(client, pool_name, own)

        absent = [partial(read, kind) for kind in dict.fromkeys(self.types) if kind not in found]
        left_out = [part for part in client.side_by_side(absent) if part is not None]
        return joined([pages, *left_out]) if left_out else pages

    def _as_one_page(self, page: Pages) -> Pages:
        """A page as the API gave it, but for several statuses. It is surely complete if it has a job of each type."""
        if len(self.types) > 1 and not {_type_of(item) for item in page.items}.issuperset(self.types):
            page = replace(page, complete=False)
        return self.selected(page) if len(self.statuses) > 1 else page

    @property
    def _descends(self) -> bool:
        return self.sort is not None and not self.ascend

    def _ordered(self, pages: Pages, skip: int) -> Pages:
        """The whole list in the order asked for, without the first jobs."""
        items = pages.items[::-1] if self._descends else pages.items
        return replace(pages, items=items[skip:], complete=pages.complete and not (skip and items))

    def _read_page(self, client: Client, pool_name: str, filters: Query) -> Pages:
        asked = {
            "sort": self.sort,
            "ascend": None if self.ascend is None else str(self.ascend).lower(),
            "offset": self.offset,
            "limit": self.limit,
        }
        query = [*filters, *((name, str(value)) for name, value in asked.items() if value is not None)]
        return client.list_workloads_page(pool_name, query)


def workload_facts(
    item: Facts, pool_name: str, requirements: Requirements, fields: Sequence[str] | None = None
) -> Facts:
    """A job as facts: every documented field, null where the API gave none, and what is added to them.

    Added are ``pool_name``, ``resources`` (cores, bytes, cards), ``created_at`` (ISO 8601, UTC) and ``extra`` (what
    the reference does not document, and documented fields of a type that cannot be theirs, as the API sent them).
    ``fields`` keeps only those keys.
    """
    extra = {key: value for key, value in item.items() if key not in _DOCUMENTED}
    facts: Facts = {}
    for name, key in FIELDS.items():
        value = item.get(key)
        if name in _READERS:
            facts[name] = _READERS[name](value)
        else:
            facts[name] = value if isinstance(value, str) else text_of(value)
        if facts[name] is None and value is not None:
            extra[key] = value
    facts["nodes"], unreadable = job_nodes(item.get("nodes"), requirements)
    if unreadable:
        extra["nodes"] = unreadable
    facts["pool_name"] = pool_name
    facts["resources"] = numbers(requirements.read(item.get("resourceRequirement"))[0])
    facts["created_at"] = created_at(facts["create_time"])
    facts["extra"] = extra
    return facts if fields is None else {name: facts[name] for name in fields}


def _as_sent(value: object) -> object:
    return value


_READERS: dict[str, Callable[[object], t.Any]] = {
    "resource_requirement": _as_sent,
    "host_ips": _split_hosts,
    "nodes": _as_sent,
    "is_deleted": _boolean,
    **dict.fromkeys(_INTEGERS, integer_of),
}
