# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One requests session: time-outs, bounded retries, pages that fit together. Documents go through as the API sent them.

This module util is private to the collection.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import math
import random
import re
import threading
import time
import typing as t
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    ModelArtsError,
    TransportError,
    api_error,
    plain,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._signature import canonical_query
from ansible_collections.poolgate.modelarts.plugins.module_utils._transport import TimedAdapter, chunks

try:
    import requests
    import urllib3
except ImportError:  # _auth says so, as it needs requests before this module can be of use
    pass

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._auth import Connection

Document = dict[str, t.Any]
Query = list[tuple[str, str]]
T = t.TypeVar("T")

PAGE_SIZE = 500
"""The most records that ListWorkloads gives on a page."""

SMALLEST_PAGE = 3
"""Pages that overlap need three records to get on."""

_MAX_PAGES = 2000
_SPARE_PAGES = 200
_MAX_RECORDS = 300_000
_MAX_WASTED = 10
_PAGES_AHEAD = 64
_MAX_BODY = 256 * 2**20
_DEEPEST = 50
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_LONGEST_WAIT = 60.0
_CLOCK_SKEW = 300.0
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_WHOLE = re.compile(r"[0-9]{1,18}")
_OWN_KEYS = frozenset(("items", "total", "metadata", "kind"))
_ERROR_KEYS = ("error_code", "error_msg", "errorCode", "errorMsg", "error", "code", "message")
_THROTTLE_TIME = re.compile(r"time:\s*([0-9]{1,6})\s*(second|minute)")

POOL_NOT_FOUND = "ModelArts.50015001"


def check_pool_name(pool_name: str) -> str:
    """The name itself, if it can stand in a path. Raises InputError before anything is sent."""
    if not _SEGMENT.fullmatch(pool_name) or ".." in pool_name:
        raise InputError(
            f"{plain(pool_name, 80)!r} is not a pool ID: give the metadata.name of a pool, which has letters, digits, "
            "dots, dashes and underscores only."
        )
    return pool_name


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


class Client:
    """The calls of the API reference, each returning the parsed document.

    Every method raises InputError, TransportError or ApiError. ``time_limit`` is the number of seconds that all calls
    together may take, retries and waits included.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        time_limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._sleep = sleep
        self._deadline = None if time_limit is None else clock() + time_limit
        if self._deadline is not None:
            connection.finish_by(self._deadline)
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._door = threading.Lock()
        self._admitted = False
        self._refusal: ModelArtsError | None = None
        self._session = requests.Session()
        adapter = TimedAdapter(pool_maxsize=connection.connections, pool_block=True)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.auth = connection.auth

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self._session.close()

    def side_by_side(self, calls: Sequence[Callable[[], T]]) -> Iterator[T]:
        """The results of the calls, in their order, as they come in. The session has ``connections`` at a time."""
        if len(calls) < 2:
            yield from (call() for call in calls)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(len(calls), self._connection.connections)) as workers:
            futures = [workers.submit(call) for call in calls]
            try:
                for future in futures:
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

    def show_pool(self, pool_name: str) -> Document:
        """ShowPool: GET /v2/{project_id}/pools/{pool_name}."""
        return self._get(f"/pools/{check_pool_name(pool_name)}")

    def list_pools(self) -> list[Document]:
        """ListPools: GET /v2/{project_id}/pools. The items."""
        return _items(self._get("/pools"))

    def list_nodes(self, pool_name: str) -> list[Document]:
        """ListPoolNodes: GET /v2/{project_id}/pools/{pool_name}/nodes, followed through its continue tokens."""
        path = f"/pools/{check_pool_name(pool_name)}/nodes"
        nodes: list[Document] = []
        tokens: set[str] = set()
        query: Query = []
        while True:
            document = self._get(path, query)
            nodes += _items(document)
            metadata = document.get("metadata")
            token = metadata.get("continue") if isinstance(metadata, dict) else None
            if not token:
                return nodes
            if str(token) in tokens or len(tokens) >= _MAX_PAGES:
                raise ApiError(f"GET {path} does not end: its page {len(tokens) + 1} points back to an earlier one.")
            tokens.add(str(token))
            query = [("continue", str(token)), ("limit", str(PAGE_SIZE))]

    def runtime_metrics(self) -> list[Document]:
        """ShowPoolRuntimeMetrics: GET /v2/{project_id}/metrics/runtime/pools. The items, one a pool."""
        return _items(self._get("/metrics/runtime/pools"))

    def list_workloads_page(self, pool_name: str, query: Query) -> Pages:
        """ListWorkloads, the one page that the query asks for: GET /v2/{project_id}/pools/{pool_name}/workloads."""
        document = self._workloads(pool_name, query)
        items, total, asked = _items(document), _total(document), dict(query)
        ended = len(items) < (int(asked.get("limit", 0)) or PAGE_SIZE) if total is None else len(items) >= total
        return Pages(items, total, ended and int(asked.get("offset", 0)) == 0)

    def list_workloads(self, pool_name: str, query: Query, *, offset: int = 0, limit: int = PAGE_SIZE) -> Pages:
        """ListWorkloads from ``offset`` to the end, oldest job first, in pages of ``limit`` records.

        ``query`` holds the filters. Jobs come and go meanwhile: see _PageReader.
        """
        filters = [*query, ("sort", "create_time"), ("ascend", "true")]

        def read(start: int, size: int) -> Document:
            return self._workloads(pool_name, [*filters, ("offset", str(start)), ("limit", str(size))])

        return _PageReader(read, self.side_by_side, offset, limit).read_all()

    def _workloads(self, pool_name: str, query: Query) -> Document:
        return self._get(f"/pools/{check_pool_name(pool_name)}/workloads", query)

    def _get(self, path: str, query: Iterable[tuple[str, str]] = ()) -> Document:
        """The document at ``path``, below the project.

        The first call goes alone: when its credentials are refused or nobody answers, that is the answer to all
        others too. More than five refusals in a row would lock an access key.
        """
        if self._admitted:
            return self._fetch(path, query)
        with self._door:
            if self._refusal is not None:
                raise self._refusal
            if not self._admitted:
                try:
                    document = self._fetch(path, query)
                except ModelArtsError as error:
                    if error.from_iam or error.status in (None, 401):
                        self._refusal = error
                    self._admitted = self._refusal is None
                    raise
                self._admitted = True
                return document
        return self._fetch(path, query)

    def _fetch(self, path: str, query: Iterable[tuple[str, str]]) -> Document:
        """Sends the request until it is answered. Retries what is transient, and logs in anew once on a 401."""
        base, project = self._connection.base_url(), self._connection.project()
        if base.startswith("http:"):
            self._session.trust_env = False  # loopback in clear text: no proxy may read the credentials
        url = f"{base}/v2/{project}{path}"
        encoded = canonical_query(query)
        request = f"GET {path}"
        if encoded:
            url = f"{url}?{encoded}"
        login_is_fresh = False
        failures = 0
        error: ModelArtsError
        while True:
            self._wait_for_turn(request)
            try:
                status, headers, body = self._exchange(url, request)
                if status == 200:
                    return _parsed(request, headers, body)
                error = api_error(request, status, headers, body, self._hint(status, headers, body))
            except ModelArtsError as raised:
                error = raised
                headers, body = {}, b""
            if error.status == 401 and not login_is_fresh and self._connection.auth.invalidate():
                login_is_fresh = True
                continue
            failures += 1
            wait = self._pause(error, failures, headers, body)
            if wait is None:
                raise self._masked(error)
            with self._lock:
                self._not_before = max(self._not_before, self._clock() + wait)

    def _exchange(self, url: str, request: str) -> tuple[int, Mapping[str, str], bytes]:
        timeout = self._connection.timeout if self._deadline is None else min(self._connection.timeout, self._left())
        host = self._connection.base_url()
        try:
            with self._session.get(
                url,
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                timeout=timeout,
                verify=self._connection.verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                if 300 <= response.status_code < 400:
                    raise ApiError(
                        f"{request} was redirected ({response.status_code}); redirects are not followed, because "
                        "credentials would go along. Check the endpoint.",
                        status=response.status_code,
                    )
                body = bytearray()
                for chunk in chunks(response):
                    body += chunk
                    if len(body) > _MAX_BODY:
                        raise ApiError(
                            f"{request}: the answer is larger than {_MAX_BODY // 2**20} MiB, given up.",
                            status=response.status_code,
                        )
                return response.status_code, response.headers, bytes(body)
        except requests.exceptions.SSLError as error:
            raise ApiError(
                f"{request} on {host}: the server's certificate was not accepted ({plain(_root_cause(error))}). "
                "Set ca_path to the authority that signed it."
            ) from error
        except requests.exceptions.Timeout as error:
            raise TransportError(f"{request} on {host}: no answer within {timeout:g} s.") from error
        except urllib3.exceptions.TimeoutError as error:
            raise TransportError(f"{request} on {host}: the answer did not end within {timeout:g} s.") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransportError(f"{request}: cannot reach {host} ({plain(_root_cause(error))}).") from error

    def _left(self) -> float:
        return t.cast(float, self._deadline) - self._clock()

    def _wait_for_turn(self, request: str) -> None:
        """Sleeps until throttling lets the next request go, for all threads alike. Raises at the deadline."""
        while True:
            with self._lock:
                wait = self._not_before - self._clock()
            if self._deadline is not None and max(wait, 0.0) >= self._left():
                raise TransportError(f"{request}: the time limit was reached before it could be sent.")
            if wait <= 0:
                return
            self._sleep(wait)

    def _pause(self, error: ModelArtsError, failures: int, headers: Mapping[str, str], body: bytes) -> float | None:
        """Seconds to wait before the next try, or None when there is none: not transient, or too often, or too long."""
        if not error.transient or failures > self._connection.max_retries:
            return None
        wait = min(0.5 * 2 ** (failures - 1), 8.0) * random.uniform(0.5, 1.0)
        if error.status in (429, 503):
            asked = _retry_after(headers.get("Retry-After", ""), body)
            wait = wait if asked is None else asked + random.uniform(0.0, 0.5)
        return wait if wait < self._longest_wait() else None

    def _longest_wait(self) -> float:
        return _LONGEST_WAIT if self._deadline is None else self._left()

    def _hint(self, status: int, headers: Mapping[str, str], body: bytes) -> str:
        if status == 404 and (b"APIG.0101" in body or b"APIGW.0101" in body):
            return "The URL is not known there: check endpoint and region."
        if status == 401:
            skew = _clock_skew(headers.get("Date", ""))
            if self._connection.method == "access_key" and skew is not None and abs(skew) > _CLOCK_SKEW:
                return f"This host's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the server's."
            return f"Check the credentials ({self._connection.method})."
        if status in (429, 503):
            asked = _retry_after(headers.get("Retry-After", ""), body)
            if asked is not None and asked >= self._longest_wait():
                return f"It asks for a pause of {min(asked, 1e9):.0f} s, which is more than this call can wait."
        if status == 403:
            return "The credentials lack the permission, or belong to another project."
        return ""

    def _masked(self, error: ModelArtsError) -> ModelArtsError:
        error.message = self._connection.redact(error.message)
        error.args = (error.message,)
        if error.error_msg:
            error.error_msg = self._connection.redact(error.error_msg)
        return error


class _PageReader:
    """Reads a list whose offsets move while it is read, in ascending order of createTime.

    What is kept true: every job that was there throughout and is older than the newest one read, is read. So a page
    fits when its first job is older than that: neighbouring pages overlap, and where jobs of one createTime stand among
    themselves does not matter. A page that does not fit is joined after one from further back. Where the times are of
    no use (an API that ignores sort, or a page full of one createTime) a page fits when its first job is known, and
    only a total that stayed put and was reached makes the answer complete.
    """

    def __init__(
        self,
        read: Callable[[int, int], Document],
        side_by_side: Callable[[Sequence[Callable[[], Document]]], Iterator[Document]],
        offset: int,
        limit: int,
    ) -> None:
        self._read_page = read
        self._side_by_side = side_by_side
        self._offset = offset
        self._limit = max(limit, SMALLEST_PAGE)
        self._items: dict[str, Document] = {}
        self._newest = -math.inf
        self._next = offset
        self._totals: list[int | None] = []
        self._largest_page = SMALLEST_PAGE
        self._ordered = True
        self._ended = False
        self._wasted = 0

    def read_all(self) -> Pages:
        self._take(self._offset, self._read(self._offset))
        while not self._ended and not self._gives_up():
            at = self._next
            for start, page in self._read_ahead():
                if not self._take(start, page) and self._mend(start) and not self._ended:
                    self._join(start, page)
                if self._ended or self._gives_up():
                    break
            if self._next <= at and not self._ended:
                self._ordered = False
        return self._result()

    def _gives_up(self) -> bool:
        return self._wasted > _MAX_WASTED + len(self._totals) // 2

    def _step(self) -> int:
        """How far apart pages start: they overlap a little, as few jobs have the same createTime."""
        return max(1, self._largest_page - 2 - self._largest_page // 50)

    def _read_ahead(self) -> Iterator[tuple[int, Document]]:
        """The next pages that the last total promises, side by side; without a total just the next one."""
        last = (self._totals[-1] or 0) - self._largest_page + self._step()  # what starts later is in the page before
        starts = range(self._next, max(last, self._next) + 1, self._step())
        calls = [partial(self._read, start) for start in starts[:_PAGES_AHEAD]]
        yield from zip(starts, self._side_by_side(calls))

    def _read(self, start: int) -> Document:
        told = self._totals[0] if self._totals else None  # a later one may grow for ever
        most = _MAX_PAGES if told is None else _SPARE_PAGES + 3 * min(told, _MAX_RECORDS) // self._step()
        if len(self._totals) > most:
            raise ApiError(f"The list of jobs does not end: given up after {len(self._totals)} pages.")
        return self._read_page(start, self._limit)

    def _take(self, start: int, document: Document) -> bool:
        """Joins a page that was just read to what is known. False when it does not fit."""
        self._totals.append(_total(document))
        self._largest_page = max(self._largest_page, len(_items(document)))
        known = len(self._items)
        fits = self._join(start, document)
        self._wasted += 2 * (len(self._items) - known) < self._step()
        return fits

    def _join(self, start: int, document: Document) -> bool:
        page, total = _items(document), _total(document)
        keys, times = [_key(item) for item in page], [_time(item) for item in page]
        if any(earlier > later for earlier, later in zip(times, times[1:])) or math.inf in times:
            self._ordered = False
        if start > self._offset:
            fits = bool(page) and (times[0] < self._newest if self._ordered else keys[0] in self._items)
            if not fits:
                return False
        late = sum(at < self._newest and key not in self._items for key, at in zip(keys, times))
        if late > len(page) // 20:
            self._ordered = False  # a few have ended or came in behind meanwhile, but not so many
        self._items.update(zip(keys, page))
        self._newest = max([self._newest, *times])
        self._ended = len(page) < self._limit and (total is None or start + len(page) >= total)
        self._next = max(start, self._continuation(start, times))
        return True

    def _continuation(self, start: int, times: Sequence[float]) -> int:
        """Where the next page starts, so that it begins with a job that is older than the newest of this one."""
        older = bisect_left(times, times[-1]) - 1 if times else 0
        if older < 1 and len(times) >= self._limit:
            self._ordered = False
        if self._ordered:
            return start + min(older, self._step())
        return start + len(times) - 1

    def _mend(self, start: int) -> bool:
        """Reads again from further and further back, until a page fits."""
        back = 8
        while not self._gives_up():
            total = self._totals[-1]
            again = max(self._offset, min(start, self._next, start if total is None else total) - back)
            if self._take(again, self._read(again)):
                return True
            back *= 4
        return False

    def _result(self) -> Pages:
        total, count = self._totals[-1], len(self._items)
        told = {max(one - self._offset, 0) for one in self._totals if one is not None}
        alone = len(self._totals) == 1
        reached = len(told) != 1 or count >= max(told)
        whole = told in (set(), {count}) if alone else (self._ordered and reached) or told == {count}
        items = list(self._items.values())
        if self._ordered:
            items.sort(key=_time)
        if self._ended and whole:
            return Pages(items, total, self._offset == 0 or total == 0)
        warning = (
            "The list of jobs is not complete: it changed faster than its pages could be read, or the API does "
            f"not keep its order ({count} read, total {'not told' if total is None else total})."
        )
        return Pages(items, total, False, [warning])


def _time(item: Document) -> float:
    """createTime; a job without one that can be read counts as infinitely new."""
    at = item.get("createTime")
    if isinstance(at, str):
        return int(at) if _WHOLE.fullmatch(at) else math.inf
    return at if isinstance(at, (int, float)) and not isinstance(at, bool) else math.inf


def _key(item: Document) -> str:
    """What tells one job from another: its uid, else jobUUID, else name, else all of it."""
    known = item.get("uid") or item.get("jobUUID") or item.get("name")
    return str(known or json.dumps(item, sort_keys=True, default=str))


def _items(document: Document) -> list[Document]:
    """The objects of a list document; null and absent are empty. Raises ApiError for anything else."""
    items = document.get("items")
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiError(
            f"The {plain(str(document.get('kind', 'list')), 40)} that the API sent has no list of objects in items."
        )
    return items


def _total(document: Document) -> int | None:
    total = document.get("total")
    if isinstance(total, str):
        return int(total) if _WHOLE.fullmatch(total) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def _parsed(request: str, headers: Mapping[str, str], body: bytes) -> Document:
    try:
        document = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] in (b"{", b"["):
            raise TransportError(f"{request}: the JSON that came is broken off or damaged.", status=200) from error
        raise api_error(request, 200, headers, body, "That is not JSON: check the endpoint, and proxies.") from error
    if not isinstance(document, dict):
        raise ApiError(f"{request}: the answer is JSON, but no object.", status=200)
    if "items" not in document and any(name in document for name in _ERROR_KEYS):
        raise api_error(request, 200, headers, body)
    if document and _OWN_KEYS.isdisjoint(document):
        raise api_error(request, 200, headers, body, "That is no document of ModelArts: check the endpoint.")
    if _may_be_deep(body) and _is_deep(document):
        raise ApiError(f"{request}: the answer is nested deeper than any that the reference knows.", status=200)
    return document


def _no_number(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _may_be_deep(body: bytes) -> bool:
    """Whether its brackets leave it open that it is, or stand within texts, too; many times as fast to tell."""
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    brackets = body.translate(None, _NO_BRACKETS).replace(b'""', b"")
    if b'"' in brackets:
        return True
    for _depth in range(_DEEPEST):
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not brackets:
            return False
    return True


def _is_deep(document: Document) -> bool:
    """Whether it is nested so deep that reading or printing it could exhaust the stack."""
    level: list[t.Any] = [document]
    for _depth in range(_DEEPEST):
        values = [value for one in level for value in (one.values() if isinstance(one, dict) else one)]
        level = [value for value in values if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


def _retry_after(header: str, body: bytes) -> float | None:
    """Seconds that a throttling answer asks for: Retry-After (seconds or a date), else the time that its text names."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    at = _http_date(text)
    if at is not None:
        return max(0.0, at - time.time())
    match = _THROTTLE_TIME.search(body[:2000].decode("utf-8", "replace"))
    return float(match.group(1)) * (60 if match.group(2) == "minute" else 1) if match else None


def _http_date(text: str) -> float | None:
    """Seconds since the epoch; None for what is no date, the 31st of February included."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError, OSError):
        return None


def _clock_skew(date: str) -> float | None:
    """Seconds by which the server's clock is ahead of ours, by the Date header."""
    at = _http_date(date)
    return None if at is None else at - time.time()


def _root_cause(error: BaseException) -> str:
    """The innermost reason of a chain of exceptions, without addresses of objects."""
    seen = 0
    while seen < 10:
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
        if inner is None:
            break
        error, seen = inner, seen + 1
    if isinstance(error, http.client.IncompleteRead):
        return "the answer broke off"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
