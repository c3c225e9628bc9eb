# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One requests session: time-outs, bounded retries, and the calls that the API reference names.

This module util is private to the collection.
"""

from __future__ import annotations

import contextlib
import email.utils
import math
import random
import re
import threading
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import (
    LARGEST_ANSWER,
    MOST_MEMORY,
    Document,
    continue_token,
    distinct,
    document_of,
    has_unreadable_total,
    items_of,
    require_kind,
    says_more,
    size_of,
    total_of,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import PageReader, Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    ModelArtsError,
    TransportError,
    api_error,
    not_text,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import body_of
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.faults import NoAnswerError, explained
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import requests
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.transport import TimedAdapter
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import canonical_query
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import odd_character, shown
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    POOL_NOT_FOUND,
    SUSPENDED,
    URL_NOT_KNOWN,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection

Query = list[tuple[str, str]]
T = t.TypeVar("T")

PAGE_SIZE = 500
"""The most records that ListWorkloads gives on a page."""

_MAX_PAGES = 2000
_MEMORY_OF_ALL = 4 * MOST_MEMORY
"""Bytes of memory that all answers of a client may take: those of 270,000 jobs as the reference shows them."""

_FACTS_SECONDS = 20e-6
"""What each object of an answer costs when facts are made of it: 0.1 s for 1,000 jobs, on a slow and busy machine."""

_LONGEST_READ = 600.0
"""Seconds that a read without a limit of its own may take; one of 20,000 jobs takes seconds."""

_GRACE_SECONDS = 1.0  # by which the facts of what came just in time may be late
_LONGEST_WAIT = 60.0
_CLOCK_SKEW = 300.0
_LATEST = 2.0**37  # the year 6325: a Date behind it is none, and would overflow what is reckoned with it
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_THROTTLE_TIME = re.compile(r"time:\s*([0-9]{1,6})\s*(second|minute)")


def check_pool_name(pool_name: str) -> str:
    """The name itself, if it can stand in a path. Raises InputError before anything is sent."""
    if not _SEGMENT.fullmatch(pool_name) or ".." in pool_name:
        raise InputError(
            f"{shown(pool_name)} is not a pool ID: give the metadata.name of a pool, which has letters, digits, "
            f"dots, dashes and underscores only.{_why_no_pool_id(pool_name)}"
        )
    return pool_name


def _why_no_pool_id(pool_name: str) -> str:
    odd = odd_character(pool_name)
    if odd:
        return f" It has {odd} in it."
    return " Several pools are a list of names, and not one text." if "," in pool_name else ""


class Client:
    """The calls of the API reference, each returning the parsed document.

    Every method raises InputError, TransportError or ApiError. ``time_limit`` is the number of seconds that all calls
    together may take, logins, retries and waits included, ten minutes if none is given. A caller that gives one can
    wait: without it, no pause is longer than a minute.
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
        self._deadline = clock() + (_LONGEST_READ if time_limit is None else time_limit)
        self._longest_wait = _LONGEST_WAIT if time_limit is None else math.inf
        connection.ask_within(self._left)
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._door = threading.Lock()
        self._admitted = False
        self._memory = 0
        self._facts_seconds = 0.0
        self._ahead: float | None = None
        self._refusal: ModelArtsError | None = None
        # A request that waits for a connection within urllib3 could not be stopped any more.
        self._turns = threading.BoundedSemaphore(connection.connections)
        self._session = requests.Session()
        adapter = TimedAdapter(connection.where, self._left, pool_maxsize=connection.connections, pool_block=True)
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

    def now(self) -> float:
        """Seconds since the epoch by the clock of the API, which dates its documents; by this host's before it answers.

        An answer has been on its way since its Date, so the latest of all dates is the nearest.
        """
        with self._lock:
            return time.time() if self._ahead is None else self._ahead + time.monotonic()

    @property
    def workspace(self) -> str:
        """The workspace whose pools list_pools() lists."""
        return self._connection.workspace_id or "0"

    def show_pool(self, pool_name: str) -> Document:
        """ShowPool: GET /v2/{project_id}/pools/{pool_name}."""
        path = f"/pools/{check_pool_name(pool_name)}"
        document = self._get(path)
        require_kind(f"GET {path}", document, "Pool")
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("name") != pool_name:
            raise ApiError(f"GET {path} was answered with another pool, or with one that has no name.", status=200)
        return document

    def list_pools(self) -> list[Document]:
        """ListPools: GET /v2/{project_id}/pools. The pools of one workspace."""
        workspace = self._connection.workspace_id
        return self._list("/pools", "PoolList", [] if workspace is None else [("workspaceId", workspace)])

    def list_nodes(self, pool_name: str) -> list[Document]:
        """ListPoolNodes: GET /v2/{project_id}/pools/{pool_name}/nodes."""
        return self._list(f"/pools/{check_pool_name(pool_name)}/nodes", "NodeList")

    def runtime_metrics(self) -> list[Document]:
        """ShowPoolRuntimeMetrics: GET /v2/{project_id}/metrics/runtime/pools. The items, one a pool."""
        return self._list("/metrics/runtime/pools", "PoolMetricsList")

    def _list(self, path: str, kind: str, filters: Sequence[tuple[str, str]] = ()) -> list[Document]:
        """The items of a list, followed through its continue tokens: each once, and all versions of one that changed.

        ListPoolNodes documents the tokens, and an older edition of the reference has them for ListPools. Whatever list
        gives one is followed, because what is left out could hold cards or share a display name.
        """
        items: list[Document] = []
        tokens: set[str] = set()
        query = list(filters)
        while True:
            document = self._get(path, query)
            require_kind(f"GET {path}", document, kind)
            items += items_of(document)
            token = continue_token(f"GET {path}", document)
            if token is None:
                return distinct(items)
            if token in tokens or len(tokens) >= _MAX_PAGES:
                raise ApiError(f"GET {path} does not end: its page {len(tokens) + 1} points back to an earlier one.")
            tokens.add(token)
            query = [*filters, ("continue", token), ("limit", str(PAGE_SIZE))]

    def list_workloads_page(self, pool_name: str, query: Query) -> Pages:
        """ListWorkloads, the one page that the query asks for: GET /v2/{project_id}/pools/{pool_name}/workloads."""
        document = self._workloads(pool_name, query)
        items, total, asked = items_of(document), total_of(document), dict(query)
        ended = len(items) < (int(asked.get("limit", 0)) or PAGE_SIZE) if total is None else len(items) == total
        doubtful = has_unreadable_total(document) or says_more(document)
        return Pages(items, total, ended and int(asked.get("offset", 0)) == 0 and not doubtful)

    def list_workloads(self, pool_name: str, query: Query, *, offset: int = 0, limit: int = PAGE_SIZE) -> Pages:
        """ListWorkloads from ``offset`` to the end, oldest job first, in pages of ``limit`` records.

        ``query`` holds the filters. Jobs come and go meanwhile: see PageReader.
        """
        filters = [*query, ("sort", "create_time"), ("ascend", "true")]

        def read(start: int, size: int) -> Document:
            return self._workloads(pool_name, [*filters, ("offset", str(start)), ("limit", str(size))])

        return PageReader(read, self.side_by_side, offset, limit).read_all()

    def _workloads(self, pool_name: str, query: Query) -> Document:
        path = f"/pools/{check_pool_name(pool_name)}/workloads"
        document = self._get(path, query)
        require_kind(f"GET {path}", document, "WorkloadList")
        return document

    def _get(self, path: str, query: Iterable[tuple[str, str]] = ()) -> Document:
        """The document at ``path``, below the project.

        The first call goes alone: when nobody answers it, that is the answer to all others too.
        """
        if self._admitted:
            return self._fetch(path, query)
        with self._door:
            self._raise_refusal()
            if not self._admitted:
                try:
                    document = self._fetch(path, query)
                except ModelArtsError as error:
                    if error.from_iam or error.status is None:
                        self._refusal = error
                    self._admitted = self._refusal is None
                    raise
                self._admitted = True
                return document
        return self._fetch(path, query)

    def _fetch(self, path: str, query: Iterable[tuple[str, str]]) -> Document:
        """Sends the request until it is answered. Retries what is transient, and logs in anew once on a 401."""
        base, project = self._connection.base_url(), self._connection.project()
        url = f"{base}/v2/{project}{path}"
        encoded = canonical_query(query)
        request = f"GET {path}"
        if encoded:
            url = f"{url}?{encoded}"
        login_is_fresh = False
        failures = 0
        error: ModelArtsError
        headers: Mapping[str, str]
        while True:
            headers, body = {}, b""
            try:
                with self._turn(request):
                    try:
                        status, headers, body = self._exchange(url, request)
                        if status != 200:
                            error = api_error(request, status, headers, body)
                            error.add(self._hint(error, path, headers, body))
                            raise _with_address(error, url) if _is_astray(error) else error
                    except ModelArtsError as refused:
                        # Before the next thread has its turn: it must not send what will be refused as well.
                        self._note_refusal(refused, login_is_fresh)
                        raise
                return self._read(request, url, headers, body)
            except ModelArtsError as raised:
                error = raised
            if error.status == 401 and not login_is_fresh and self._connection.auth.refusal is None:
                login_is_fresh = True
                continue
            failures += 1
            wait = self._pause(error, failures, headers, body)
            if wait is None:
                raise error
            with self._lock:
                self._not_before = max(self._not_before, self._clock() + wait)

    def _exchange(self, url: str, request: str) -> tuple[int, Mapping[str, str], bytes]:
        timeout = min(self._connection.timeout, self._left())
        try:
            with explained(url, timeout, self._connection.where), self._sent(url, timeout) as response:
                if 300 <= response.status_code < 400:
                    raise _with_address(
                        ApiError(
                            f"{request} was redirected ({response.status_code}); redirects are not followed, because "
                            "credentials would go along. Check the endpoint.",
                            status=response.status_code,
                        ),
                        url,
                    )
                body = body_of(response, LARGEST_ANSWER)
        except NoAnswerError as failure:
            host = self._connection.base_url()
            what = f": cannot reach {host} ({{cause}})." if failure.unreached else f" on {host}: {{cause}}."
            raise failure.told(request + what, "", "endpoint") from None
        if response.status_code == 200:
            self._bound(request, body)
        return response.status_code, response.headers, body

    def _bound(self, request: str, body: bytes) -> None:
        """Raises before the body is read, if that would take too much memory or time."""
        size = size_of(body)
        with self._lock:
            self._memory += size.memory
            self._facts_seconds += size.containers * _FACTS_SECONDS
            memory = self._memory
        if size.memory > MOST_MEMORY or memory > _MEMORY_OF_ALL:
            raise ApiError(f"{request}: the answer holds more than can be read, given up.", status=200)
        if self._left() < -_GRACE_SECONDS:
            raise TransportError(f"{request}: the time limit was reached before its answer could be read.")

    def _sent(self, url: str, timeout: float) -> requests.Response:
        return self._session.get(
            url,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            timeout=timeout,
            verify=self._connection.verify,
            allow_redirects=False,
            stream=True,
        )

    def _read(self, request: str, url: str, headers: Mapping[str, str], body: bytes) -> Document:
        """The document of an answer with status 200."""
        reason = not_text(body, headers)
        try:
            if reason is not None:
                raise ApiError(
                    f"{request} was answered 200, and the answer cannot be read: {reason}. Check the endpoint, and "
                    "proxies.",
                    status=200,
                )
            document = document_of(request, headers, body)
            self._note_time(headers)
            return document
        except ApiError as error:
            raise (error if error.error_code else _with_address(error, url)) from None

    def _note_refusal(self, error: ModelArtsError, login_is_fresh: bool) -> None:
        """Remember that the credentials are refused for good: more than five refusals in a row lock a key."""
        if error.status == 401 and (login_is_fresh or not self._connection.auth.invalidate()):
            self._connection.auth.refusal = error
        elif error.from_iam and not error.transient:
            self._refusal = error

    def _raise_refusal(self) -> None:
        refusal = self._refusal or self._connection.auth.refusal
        if refusal is not None:
            raise refusal

    def _left(self) -> float:
        """Seconds that there are for requests. What was read must still become facts."""
        return self._deadline - self._facts_seconds - self._clock()

    @contextlib.contextmanager
    def _turn(self, request: str) -> Iterator[None]:
        """One of the connections, once throttling lets the next request go and as long as none was refused."""
        wait = min(max(self._left(), 0.0), threading.TIMEOUT_MAX)
        if not self._turns.acquire(timeout=wait):
            raise self._too_late(request)
        try:
            self._wait_for_turn(request)
            self._raise_refusal()
            yield
        finally:
            self._turns.release()

    def _too_late(self, request: str) -> TransportError:
        return TransportError(f"{request}: the time limit was reached before it could be sent.")

    def _wait_for_turn(self, request: str) -> None:
        """Sleeps until throttling lets the next request go, for all threads alike. Raises at the deadline."""
        while True:
            with self._lock:
                wait = self._not_before - self._clock()
            if max(wait, 0.0) >= self._left():
                raise self._too_late(request)
            if wait <= 0:
                return
            self._sleep(wait)

    def _pause(self, error: ModelArtsError, failures: int, headers: Mapping[str, str], body: bytes) -> float | None:
        """Seconds to wait before the next try, or None when there is none: not transient, or too often, or too long."""
        if not error.transient or failures > self._connection.max_retries:
            return None
        wait = min(0.5 * 2 ** (failures - 1), 8.0) * random.uniform(0.5, 1.0)
        if error.status in (429, 503):
            asked = _retry_after(headers, body)
            wait = wait if asked is None else asked + random.uniform(0.0, 0.5)
        return wait if wait < min(self._longest_wait, self._left()) else None

    def _note_time(self, headers: Mapping[str, str]) -> None:
        at = _http_date(headers.get("Date", ""))
        if at is None or not 0 < at < _LATEST:
            return
        ahead = at - time.monotonic()
        with self._lock:
            self._ahead = ahead if self._ahead is None else max(self._ahead, ahead)

    def _hint(self, error: ApiError, path: str, headers: Mapping[str, str], body: bytes) -> str:
        """What to do about the error."""
        if error.status == 404 and error.error_code in URL_NOT_KNOWN:
            return "The URL is not known there: check endpoint and region."
        if error.status == 401:
            skew = _clock_skew(headers.get("Date", ""))
            if self._connection.method == "access_key" and skew is not None and abs(skew) > _CLOCK_SKEW:
                return f"This host's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the server's."
            return f"Check the credentials ({self._connection.method})."
        if error.status in (429, 503):
            asked = _retry_after(headers, body)
            if asked is not None and asked >= min(self._longest_wait, self._left()):
                return f"It asks for a pause of {min(asked, 1e9):.0f} s, which is more than this call can wait."
        if error.status == 403 and error.error_code == SUSPENDED:
            return "The account is suspended, as it is for an unpaid bill; no permission is missing."
        if error.status == 403:
            return f"The credentials lack the permission {_permission(path)}, or belong to another project."
        return ""


def _is_astray(error: ApiError) -> bool:
    """Return whether the address may be wrong: something is not there, and it is not the pool."""
    return error.status == 404 and error.error_code != POOL_NOT_FOUND


def _with_address(error: ApiError, url: str) -> ApiError:
    """The error, which says what address was asked."""
    error.add(f"The address asked was {url.partition('?')[0]}.")
    return error


def _permission(path: str) -> str:
    """The IAM action that a call needs. What one pool says can be granted for that pool alone, what all say can not."""
    return "modelarts:pool:get" if path.startswith("/pools/") else "modelarts:pool:list"


def _retry_after(headers: Mapping[str, str], body: bytes) -> float | None:
    """Seconds that a throttling answer asks for: Retry-After (seconds or a date), else the time that its text names."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    at = _http_date(text)
    if at is not None:
        now = _http_date(headers.get("Date", ""))
        return max(0.0, at - (time.time() if now is None else now))
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
