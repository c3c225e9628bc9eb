# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask of ListWorkloads, and the jobs that it answers with, whatever a server makes of the filters.

This module util is private to the collection. Source: ListWorkloads, table 2.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import PAGE_SIZE
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages, join_lists_oldest_first
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.jobs import ADDED_FIELDS, FIELDS, job_type_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import JOB_TYPES, STATUSES

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client, Query
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import OptionSpec

WORKLOAD_OPTIONS: dict[str, OptionSpec] = {
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


class QueryOptions(t.TypedDict):
    """WORKLOAD_OPTIONS as Ansible has validated them."""

    type: list[str]
    status: list[str]
    sort: str | None
    ascend: bool | None
    offset: int | None
    limit: int | None
    fetch_all: bool
    fields: list[str] | None
    include_capacity: bool


# A server that takes one type may answer so when it is given several.
_BAD_REQUEST = 400


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
    def from_options(cls, options: QueryOptions) -> WorkloadQuery:
        """Return the query of WORKLOAD_OPTIONS. Raises InputError for what the reference does not allow."""
        query = cls(
            types=options["type"],
            statuses=options["status"],
            sort=options["sort"],
            ascend=options["ascend"],
            offset=options["offset"],
            limit=options["limit"],
            fetch_all=options["fetch_all"],
            fields=options["fields"],
            include_capacity=options["include_capacity"],
        )
        query.check()
        return query

    def check(self) -> None:
        """Raise InputError before anything is sent."""
        if self.limit is not None and not 0 <= self.limit <= PAGE_SIZE:
            raise InputError(f"limit is {self.limit}, but must be 0 to {PAGE_SIZE} (0 means {PAGE_SIZE}).")
        if self.offset is not None and self.offset < 0:
            raise InputError(f"offset is {self.offset}, but must be 0 or more: the number of jobs to skip.")
        # ascend has a meaning with sort alone (ListWorkloads).
        if self.ascend is not None and self.sort is None:
            raise InputError("ascend is given without sort: set sort to create_time, or leave ascend out.")
        # A job that is left out would leave its room free.
        if self.include_capacity and (self.offset or not self.fetch_all):
            raise InputError("include_capacity needs all jobs: leave out offset, and fetch_all=false.")
        known = [*FIELDS, *ADDED_FIELDS]
        for name in self.fields or ():
            if name not in known:
                # Only a mistake needs it.
                from difflib import get_close_matches

                near = get_close_matches(name, known, 1)
                raise InputError(
                    f"fields names {one_line(name, 60)!r}, which a job does not have"
                    + (f": did you mean {near[0]}?" if near else f". A job has {', '.join(known)}.")
                )

    def read(self, client: Client, pool_name: str) -> Pages:
        """Return the jobs of one pool that the query names.

        What the filters let through is filtered here, too: the API takes one status, and not every server all types.
        """
        filters: Query = [("type", one) for one in self.types]
        # The API takes one status (ListWorkloads); several are filtered here.
        if len(self.statuses) == 1:
            filters.append(("status", self.statuses[0]))
        if not self.fetch_all:
            return self._page_of_statuses(self._read_one_page(client, pool_name, filters))
        # Without a filter, the offset can be left to the API: its pages are those of the whole list.
        if not filters and not self.statuses:
            return self.read_pool(client, pool_name)
        read = self._read_several_types if len(self.types) > 1 else self._read_filtered
        return self._sorted_and_skipped(self.selected(read(client, pool_name, filters)), self.offset or 0)

    def read_pool(self, client: Client, pool_name: str) -> Pages:
        """Return all jobs of one pool, whatever the query filters, in the order that it asks for."""
        skip = self.offset or 0
        # Read oldest first and turned round: newest first, each new job would move all others to later pages.
        if self._wants_newest_first:
            return self._sorted_and_skipped(self._read_filtered(client, pool_name, []), skip)
        return client.list_workloads(pool_name, [], offset=skip, limit=self.limit or PAGE_SIZE)

    def selected(self, pages: Pages) -> Pages:
        """Return the same pages with what the filters of the query let through; ``total`` counts that."""
        if not self.types and not self.statuses:
            return pages
        # Compared here as well: a server may ignore a filter that it does not know.
        items = [
            item
            for item in pages.items
            if (not self.types or job_type_of(item) in self.types)
            and (not self.statuses or item.get("status") in self.statuses)
        ]
        # Nothing was left out, so the total of the API still holds.
        if len(items) == len(pages.items):
            return pages
        return replace(pages, items=items, total=len(items) if pages.complete else None)

    def _read_filtered(self, client: Client, pool_name: str, filters: Query) -> Pages:
        return client.list_workloads(pool_name, filters, limit=self.limit or PAGE_SIZE)

    def _read_several_types(self, client: Client, pool_name: str, filters: Query) -> Pages:
        """Return the jobs of several types, whatever the server makes of them.

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
        found = {job_type_of(item) for item in pages.items}

        def read(kind: str) -> Pages | None:
            own = [("type", kind), *(one for one in filters if one[0] != "type")]
            # One job tells whether there are any, where most of these lists are empty.
            first = client.list_workloads_page(pool_name, [*own, ("limit", "1")])
            if not any(job_type_of(item) == kind for item in first.items):
                return None
            return self._read_filtered(client, pool_name, own)

        # Each type once: a repeated one would be read, and listed, twice.
        absent = [partial(read, kind) for kind in dict.fromkeys(self.types) if kind not in found]
        left_out = [part for part in client.in_parallel(absent) if part is not None]
        return join_lists_oldest_first([pages, *left_out]) if left_out else pages

    def _page_of_statuses(self, page: Pages) -> Pages:
        """Return a page as the API gave it, but for several statuses.

        It is surely complete if it has a job of each type.
        """
        if len(self.types) > 1 and not {job_type_of(item) for item in page.items}.issuperset(self.types):
            # A type that is missing from the page may be one that the server passed over.
            page = replace(page, complete=False)
        return self.selected(page) if len(self.statuses) > 1 else page

    @property
    def _wants_newest_first(self) -> bool:
        return self.sort is not None and not self.ascend

    def _sorted_and_skipped(self, pages: Pages, skip: int) -> Pages:
        """Return the whole list in the order asked for, without the first jobs."""
        # On the wire the oldest come first: what is added while pages are read then comes at the end.
        items = pages.items[::-1] if self._wants_newest_first else pages.items
        return replace(pages, items=items[skip:], complete=pages.complete and not (skip and items))

    def _read_one_page(self, client: Client, pool_name: str, filters: Query) -> Pages:
        asked = {
            "sort": self.sort,
            "ascend": None if self.ascend is None else str(self.ascend).lower(),
            "offset": self.offset,
            "limit": self.limit,
        }
        query = [*filters, *((name, str(value)) for name, value in asked.items() if value is not None)]
        return client.list_workloads_page(pool_name, query)
