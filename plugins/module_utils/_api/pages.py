# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list whose pages move while they are read: pages that fit together, or that say that they do not.

This module util is private to the collection. Source: ListWorkloads, offset, limit, sort and ascend.
"""

from __future__ import annotations

import json
import math
import typing as t
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import (
    WHOLE,
    Document,
    has_document_unreadable_total,
    items_of_document,
    says_document_goes_on,
    total_of_document,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SMALLEST_PAGE = 3  # pages that overlap need three records to get on

# Without a total, nothing says where a list ends: a million records are more than any pool has had jobs.
_MAX_PAGES = 2000

# With one, three times its pages are enough even where each page is read again, and some more for short lists.
_SPARE_PAGES = 200

# A total may be any number. So many jobs are what the memory of a read is bounded to.
_MAX_RECORDS = 300_000

# Pages that brought little that is new: a few do while jobs end, half of all of them when the order is of no use.
_MAX_WASTED = 10

# More would be asked for in vain when the list turns out to be shorter than its total.
_PAGES_AHEAD = 64
_LATEST = 10**18  # milliseconds; what is above was never a time


@dataclass
class Pages:
    """The records of a list, in the order in which the API keeps them.

    ``total`` is what the API said last, or None; ``complete`` tells that every record that the API holds is here and
    that the pages fitted together; ``warnings`` say what could not be mended.
    """

    items: list[Document]
    total: int | None
    complete: bool
    warnings: list[str] = field(default_factory=list)


class PageReader:
    """Reads a list whose offsets move while it is read, in ascending order of createTime.

    What is kept true: every job that was there throughout and is older than the newest one read, is read. So a page
    fits when its first job is older than that: neighbouring pages overlap, and where jobs of one createTime stand among
    themselves does not matter. A page that does not fit is joined after one from further back. Where the times are of
    no use (an API that ignores sort, or a page full of one createTime) a page fits when its first job is known, and
    only a total that stayed put and was reached makes the answer complete. A job whose own time cannot be read stands
    where it was listed.
    """

    def __init__(
        self,
        read: Callable[[int, int], Document],
        in_parallel: Callable[[Sequence[Callable[[], Document]]], Iterator[Document]],
        offset: int,
        limit: int,
    ) -> None:
        self._read_page = read
        self._in_parallel = in_parallel
        self._offset = offset
        self._limit = max(limit, _SMALLEST_PAGE)
        self._items: dict[str, Document] = {}
        self._creation_times_in_page: dict[str, float] = {}
        self._newest = -math.inf
        self._next = offset
        self._totals: list[int | None] = []
        self._has_unreadable_total = False
        self._says_more = False
        self._largest_page = _SMALLEST_PAGE
        self._ordered = True
        self._ended = False
        self._length = 0
        self._wasted = 0

    def read_all(self) -> Pages:
        self._take_page(self._offset, self._read_page_at(self._offset))
        while not self._ended and not self._gives_up_on_moving_pages():
            at = self._next
            for start, page in self._read_pages_ahead():
                if not self._take_page(start, page) and self._reread_until_pages_join(start) and not self._ended:
                    self._join_page(start, items_of_document(page), total_of_document(page))
                if self._ended or self._gives_up_on_moving_pages():
                    break
            # Nothing was gained by the order, so it is of no use for finding the next page.
            if self._next <= at and not self._ended:
                self._ordered = False
        return self._joined_pages()

    def _gives_up_on_moving_pages(self) -> bool:
        # In proportion to the pages: a long list may move often and still be read to its end.
        return self._wasted > _MAX_WASTED + len(self._totals) // 2

    def _page_step(self) -> int:
        """Return how far apart pages start: they overlap a little, as few jobs have the same createTime."""
        return max(1, self._largest_page - 2 - self._largest_page // 50)

    def _read_pages_ahead(self) -> Iterator[tuple[int, Document]]:
        """Yield the next pages that the last total promises, side by side; without a total just the next one."""
        last = (
            (self._totals[-1] or 0) - self._largest_page + self._page_step()
        )  # what starts later is in the page before
        starts = range(self._next, max(last, self._next) + 1, self._page_step())
        calls = [partial(self._read_page_at, start) for start in starts[:_PAGES_AHEAD]]
        yield from zip(starts, self._in_parallel(calls))

    def _read_page_at(self, start: int) -> Document:
        told = self._totals[0] if self._totals else None  # a later one may grow for ever
        most = _MAX_PAGES if told is None else _SPARE_PAGES + 3 * min(told, _MAX_RECORDS) // self._page_step()
        if len(self._totals) > most:
            raise ApiError(f"The list of jobs does not end: the read stopped after {len(self._totals)} pages.")
        return self._read_page(start, self._limit)

    def _take_page(self, start: int, document: Document) -> bool:
        """Join a page that was just read to what is known. False when it does not fit."""
        page, total = items_of_document(document), total_of_document(document)
        self._totals.append(total)
        self._has_unreadable_total |= has_document_unreadable_total(document)
        self._says_more = says_document_goes_on(document)
        known = len(self._items)
        fits = self._join_page(start, page, total)
        self._wasted += 2 * (len(self._items) - known) < self._page_step()
        return fits

    def _join_page(self, start: int, page: Sequence[Document], total: int | None) -> bool:
        keys, times = self._keys_of_page(page), _creation_times_in_page(page)
        self._largest_page = max(self._largest_page, len(page))
        if any(earlier > later for earlier, later in zip(times, times[1:])) or math.inf in times:
            self._ordered = False
        if start > self._offset:
            # An empty page joins nothing: behind it, the list may have become shorter.
            fits = bool(page) and (times[0] < self._newest if self._ordered else keys[0] in self._items)
            if not fits:
                return False
        is_new = not self._items.keys() >= set(keys)
        late = sum(at < self._newest and key not in self._items for key, at in zip(keys, times))
        if late > len(page) // 20:
            self._ordered = False  # a few have ended or came in behind meanwhile, but not so many
        self._items.update(zip(keys, page))
        self._creation_times_in_page.update(zip(keys, times))
        self._newest = max([self._newest, *times])
        # A short page is no end: a server may have smaller pages than were asked for, and of several sizes. Without a
        # total, one is behind which nothing new comes, and a first one that is too short to read on from. Where all of
        # a page is left out for the caller, that is a guess.
        is_behind = start > self._offset and start + len(page) - self._offset >= self._length
        ends = (is_behind and not is_new) or (start == self._offset and len(page) < _SMALLEST_PAGE)
        is_last = ends if total is None else start + len(page) >= total
        self._ended = len(page) < self._limit and is_last
        self._length = start + len(page) - self._offset
        self._next = max(start, self._start_of_next_page(start, times))
        return True

    def _keys_of_page(self, page: Sequence[Document]) -> list[str]:
        """Return the keys of the jobs of a page. Of two jobs that claim to be one, both count."""
        keys = [_job_key_in_page(item) for item in page]
        often = Counter(keys)
        for index, item in enumerate(page):
            known = self._items.get(keys[index])
            # Two jobs with one uid: counting one of them would leave the other's room free.
            if often[keys[index]] > 1:
                keys[index] = _whole_job_in_page(item)
            elif known is not None and _unchanging_part_of_job_in_page(known) != _unchanging_part_of_job_in_page(item):
                keys[index] = repr(_unchanging_part_of_job_in_page(item))
        return keys

    def _start_of_next_page(self, start: int, times: Sequence[float]) -> int:
        """Return where the next page starts, so that it begins with a job that is older than the newest of this one."""
        older = bisect_left(times, times[-1]) - 1 if times else 0
        if older < 1 and len(times) >= self._largest_page:
            self._ordered = False
        if self._ordered:
            return start + min(older, self._page_step())
        # One job of overlap, by which the next page is known to follow this one.
        return start + len(times) - 1

    def _reread_until_pages_join(self, start: int) -> bool:
        """Read again from further and further back, until a page fits."""
        # A few jobs end between two pages; four times as far each time reaches any place in a few steps.
        back = 8
        while not self._gives_up_on_moving_pages():
            total = self._totals[-1]
            again = max(self._offset, min(start, self._next, start if total is None else total) - back)
            if self._take_page(again, self._read_page_at(again)):
                return True
            back *= 4
        return False

    def _joined_pages(self) -> Pages:
        total, count = self._totals[-1], len(self._items)
        told = {max(one - self._offset, 0) for one in self._totals if one is not None}
        if len(self._totals) == 1 or not self._ordered:
            # Without an order only the count proves the list, and a total that changed proves nothing. Without a total,
            # one page does, behind which nothing came.
            whole = told == {count} or (not told and len(self._totals) <= 2 and count == self._length)
        elif told:
            # A list that moves may have fewer by now, and as many as its total moves by may come and go unseen. Of a
            # server that ignores offset, whole pages are missing.
            whole = count >= min(told) - (max(told) - min(told))
        else:  # a server that ignores offset gives the first page for the last one
            whole = count >= self._length
        keys = sorted(self._items, key=self._creation_times_in_page.__getitem__) if self._ordered else self._items
        items = [self._items[key] for key in keys]
        if self._ended and whole and not self._has_unreadable_total and not self._says_more:
            # From an offset the list is complete only where there is nothing to skip.
            return Pages(items, total, self._offset == 0 or total == 0)
        if self._has_unreadable_total:
            warning = "The list of jobs may not be complete: the total from the API is not a number."
        else:
            warning = (
                "The list of jobs is not complete: it changed faster than its pages could be read, or the API does "
                f"not keep its order ({count} read, total {'not given' if total is None else total})."
            )
        return Pages(items, total, False, [warning])


def join_lists_oldest_first(parts: Sequence[Pages]) -> Pages:
    """Return several lists as one, oldest job first."""
    items = [item for pages in parts for item in pages.items]
    totals = [pages.total for pages in parts if pages.total is not None]
    return Pages(
        [item for _at, item in sorted(zip(_creation_times_in_page(items), items), key=itemgetter(0))],
        sum(totals) if len(totals) == len(parts) else None,
        all(pages.complete for pages in parts),
        list(dict.fromkeys(warning for pages in parts for warning in pages.warnings)),
    )


def _creation_times_in_page(page: Sequence[Document]) -> list[float]:
    """Return when each job was created.

    One that does not tell counts as created with the one before it, else with the one behind it.
    """
    times = [_creation_time_in_page(item) for item in page]
    if math.inf not in times:
        return times
    last = next((at for at in times if at < math.inf), math.inf)
    filled = []
    for at in times:
        last = at if at < math.inf else last
        filled.append(last)
    return filled


def _creation_time_in_page(item: Document) -> float:
    """Return createTime; infinite when it cannot be read."""
    at = item.get("createTime")
    if isinstance(at, str):
        return int(at) if WHOLE.fullmatch(at) else math.inf
    if not isinstance(at, (int, float)) or isinstance(at, bool):
        return math.inf
    return at if -_LATEST < at < _LATEST else math.inf


def _job_key_in_page(item: Document) -> str:
    """Return what tells one job from another: its uid, else jobUUID, else name, else all of it."""
    # The uid first: Kubernetes gives it to one object alone, while names are used again.
    return str(item.get("uid") or item.get("jobUUID") or item.get("name") or _whole_job_in_page(item))


def _unchanging_part_of_job_in_page(item: Document) -> tuple[object, ...]:
    """Return what stays the same of a job, whatever happens to it."""
    return item.get("uid"), item.get("jobUUID"), item.get("name"), item.get("createTime")


def _whole_job_in_page(item: Document) -> str:
    return json.dumps(item, sort_keys=True)
