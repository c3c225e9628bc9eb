# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls that the API reference names, each returning a document or what a list of them holds.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import threading
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import (
    MOST_MEMORY,
    Document,
    continue_token_of_document,
    distinct_documents,
    document_of,
    has_document_unreadable_total,
    items_of_document,
    require_document_kind,
    says_document_goes_on,
    total_of_document,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import PageReader, Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.answers import (
    date_of_answer,
    why_answer_is_no_text,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sending import Call, Sender
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sizes import size_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import canonical_url_query
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import odd_character, shown
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    POOL_NOT_FOUND,
    SUSPENDED,
    URL_NOT_KNOWN,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sending import KeptSession
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection

Query = list[tuple[str, str]]
T = t.TypeVar("T")

PAGE_SIZE = 500
"""The most records that ListWorkloads gives on a page."""

_MAX_PAGES = 2000  # a million nodes; without an end, a server could keep a client until its deadline
_MEMORY_OF_ALL = 4 * MOST_MEMORY
"""Bytes of memory that all answers of a client may take: those of 250,000 jobs as the reference shows them."""

_GRACE_SECONDS = 1.0  # by which the facts of what came just in time may be late
_CLOCK_SKEW = 300.0  # a signature is good for fifteen minutes; a third of that is worth a word
_SECONDS_OF_AMOUNT = 20e-6
"""What a key of a node, a job or a metric costs beside.

It may be a resource, of which an exact amount is made twice on a busy machine.
"""

_MOST_NODES_OF_JOB = 10_000  # more than any pool has
# As the reference shows metadata.name (ListPools, ShowPool): a name with "pool" in it, and 32 hexadecimal digits.
POOL_ID = re.compile(r"(?:[a-z0-9-]{1,50}-)?pool-[a-z0-9-]{1,100}-[0-9a-f]{32}")
# Wider than the documented form, as partners' clouds may name pools otherwise, and still one segment of a path.
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_pool_of_call(pool_name: str) -> str:
    """Return the name itself, if it can stand in a path. Raises InputError before anything is sent."""
    # Two dots could lead to another path in a gateway that resolves them.
    if not _SEGMENT.fullmatch(pool_name) or ".." in pool_name:
        raise InputError(
            f"{shown(pool_name)} is not a pool ID: give the metadata.name of a pool, which has letters, digits, "
            f"dots, dashes and underscores only.{_why_no_pool_of_call(pool_name)}"
        )
    return pool_name


def _why_no_pool_of_call(pool_name: str) -> str:
    odd = odd_character(pool_name)
    if odd:
        return f" It contains {odd}."
    return " Write several pools as a list of names, not as one text." if "," in pool_name else ""


class Client:
    """The calls of the API reference, which threads may share.

    Every method raises InputError, TransportError or ApiError. ``time_limit`` is the number of seconds that all calls
    together may take, logins, retries and waits included, ten minutes if none is given. ``kept`` has the connections of
    the client before.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        time_limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        kept: KeptSession | None = None,
    ) -> None:
        self._connection = connection
        self._sender = Sender(connection, time_limit=time_limit, clock=clock, sleep=sleep, kept=kept)
        self._lock = threading.Lock()
        self._memory = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self._sender.close()

    def in_parallel(self, calls: Sequence[Callable[[], T]]) -> Iterator[T]:
        """Run the calls, at most ``connections`` at once, and yield their results in call order."""
        return self._sender.in_parallel(calls)

    def now(self) -> float:
        """Return the seconds since the epoch by the clock of the API, which dates its documents."""
        return self._sender.now()

    @property
    def workspace(self) -> str:
        """The workspace whose pools list_pools() lists."""
        return self._connection.workspace_id or "0"

    def show_pool(self, pool_name: str) -> Document:
        """Return the document of ShowPool: GET /v2/{project_id}/pools/{pool_name}."""
        path = f"/pools/{check_pool_of_call(pool_name)}"
        document = self._get_document(path)
        require_document_kind(f"GET {path}", document, "Pool")
        metadata = document.get("metadata")
        # A proxy may answer with the document of another pool, on whose room the gate would admit.
        if not isinstance(metadata, dict) or metadata.get("name") != pool_name:
            raise ApiError(f"GET {path} returned another pool, or one without a name.", status=200)
        return document

    def list_pools(self) -> list[Document]:
        """Return the pools of one workspace, by ListPools: GET /v2/{project_id}/pools."""
        workspace = self._connection.workspace_id
        # Without the option no workspaceId is sent, and the API takes workspace 0 (ListPools).
        return self._list_by_tokens("/pools", "PoolList", [] if workspace is None else [("workspaceId", workspace)])

    def list_nodes(self, pool_name: str) -> list[Document]:
        """Return the nodes of a pool, by ListPoolNodes: GET /v2/{project_id}/pools/{pool_name}/nodes."""
        return self._list_by_tokens(f"/pools/{check_pool_of_call(pool_name)}/nodes", "NodeList")

    def runtime_metrics(self) -> list[Document]:
        """Return an item a pool, by ShowPoolRuntimeMetrics: GET /v2/{project_id}/metrics/runtime/pools."""
        return self._list_by_tokens("/metrics/runtime/pools", "PoolMetricsList")

    def _list_by_tokens(self, path: str, kind: str, filters: Sequence[tuple[str, str]] = ()) -> list[Document]:
        """Return the items of a list, followed through its continue tokens.

        Each comes once, and of one that changed all versions.

        ListPoolNodes documents the tokens, and an older edition of the reference has them for ListPools. Whatever list
        gives one is followed, because what is left out could hold cards or share a display name.
        """
        items: list[Document] = []
        tokens: set[str] = set()
        query = list(filters)
        while True:
            document = self._get_document(path, query)
            require_document_kind(f"GET {path}", document, kind)
            items += items_of_document(document)
            token = continue_token_of_document(f"GET {path}", document)
            if token is None:
                return distinct_documents(items)
            # A repeated token would go round for ever, and end in a list of the same nodes.
            if token in tokens or len(tokens) >= _MAX_PAGES:
                raise ApiError(f"GET {path} does not end: its page {len(tokens) + 1} points back to an earlier one.")
            tokens.add(token)
            query = [*filters, ("continue", token), ("limit", str(PAGE_SIZE))]

    def list_workloads_page(self, pool_name: str, query: Query) -> Pages:
        """Return the one page of ListWorkloads that is asked for: GET /v2/{project_id}/pools/{pool_name}/workloads."""
        document = self._workloads(pool_name, query)
        items, total, asked = items_of_document(document), total_of_document(document), dict(query)
        # Without a total only no job at all is certainly all: a server may have smaller pages than were asked for.
        ended = len(items) == (total or 0)
        doubtful = has_document_unreadable_total(document) or says_document_goes_on(document)
        return Pages(items, total, ended and int(asked.get("offset", 0)) == 0 and not doubtful)

    def list_workloads(self, pool_name: str, query: Query, *, offset: int = 0, limit: int = PAGE_SIZE) -> Pages:
        """Return ListWorkloads from ``offset`` to the end, oldest job first, in pages of ``limit`` records.

        ``query`` holds the filters. Jobs come and go meanwhile: see PageReader.
        """
        # Oldest first: jobs that come while pages are read come at the end, and move no others.
        filters = [*query, ("sort", "create_time"), ("ascend", "true")]

        def read(start: int, size: int) -> Document:
            return self._workloads(pool_name, [*filters, ("offset", str(start)), ("limit", str(size))])

        return PageReader(read, self.in_parallel, offset, limit).read_all()

    def _workloads(self, pool_name: str, query: Query) -> Document:
        path = f"/pools/{check_pool_of_call(pool_name)}/workloads"
        document = self._get_document(path, query)
        require_document_kind(f"GET {path}", document, "WorkloadList")
        # Before the document is kept: each node of a job becomes several facts.
        if any(map(_has_too_many_nodes, items_of_document(document))):
            raise ApiError(
                f"GET {path}: a job shows more than {_MOST_NODES_OF_JOB} nodes, which is too many to read.", status=200
            )
        if _is_call_of_another_pool(document, pool_name):
            raise ApiError(f"GET {path} returned the jobs of another pool.", status=200)
        return document

    def _get_document(self, path: str, query: Iterable[tuple[str, str]] = ()) -> Document:
        """Return the document at ``path``, below the project."""
        name = f"GET {path}"

        def read(url: str, headers: Mapping[str, str], body: bytes) -> Document:
            # Before parsing, which takes the memory and the time that are bounded here.
            self._check_document_size(name, body)
            try:
                return _document_of_call(name, headers, body)
            except ApiError as error:
                # An error code is ModelArts' own; without one, another server may have answered.
                raise (error if error.error_code else _error_with_called_address(error, url)) from None

        def explain(error: ApiError, headers: Mapping[str, str], url: str) -> ApiError:
            error = error.with_advice(self._advice_on_error(error, path, headers))
            return _error_with_called_address(error, url) if _may_call_wrong_address(error) else error

        return self._sender.get(Call(name, path, canonical_url_query(query), read, explain))

    def _check_document_size(self, name: str, body: bytes) -> None:
        """Raise ModelArtsError before the body is read, if that would take too much memory or time."""
        size = size_of_answer(body)
        has_amounts = name.endswith(("/nodes", "/workloads", "/metrics/runtime/pools"))
        # Taken off before the work: parsing several answers at once would otherwise pass the limit together.
        self._sender.spend(size.seconds + (size.keys * _SECONDS_OF_AMOUNT if has_amounts else 0.0))
        with self._lock:
            self._memory += size.memory
            memory = self._memory
        if size.memory > MOST_MEMORY or memory > _MEMORY_OF_ALL:
            raise ApiError(f"{name}: the answer holds more than can be read.", status=200)
        if self._sender.left() < -_GRACE_SECONDS:
            raise TransportError(f"{name}: the time limit was reached before its answer could be read.")

    def _advice_on_error(self, error: ApiError, path: str, headers: Mapping[str, str]) -> str:
        """Return what to do about the error."""
        if error.status == 404 and error.error_code in URL_NOT_KNOWN:
            return "The server does not know this URL: check endpoint and region."
        if error.status == 401:
            skew = _clock_skew_of_call(headers.get("Date", ""))
            if self._connection.method == "access_key" and skew is not None and abs(skew) > _CLOCK_SKEW:
                return f"This host's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the server's."
            return f"Check the credentials ({self._connection.method})."
        # An unpaid bill and a missing right have the same status, and other people to ask.
        if error.status == 403 and error.error_code == SUSPENDED:
            return "The account is suspended, for example for an unpaid bill; no permission is missing."
        if error.status == 403:
            return f"The credentials lack the permission {_iam_action_of_call(path)}, or belong to another project."
        return ""


def _document_of_call(name: str, headers: Mapping[str, str], body: bytes) -> Document:
    """Return the document of an answer with status 200."""
    reason = why_answer_is_no_text(body, headers)
    if reason is None:
        return document_of(name, headers, body)
    raise ApiError(
        f"{name} returned 200, but the answer cannot be read: {reason}. Check the endpoint and proxies.",
        status=200,
    )


def _has_too_many_nodes(job: Document) -> bool:
    """Return whether it names so many that they would take more time and memory than the text that names them."""
    hosts, nodes = job.get("hostIps"), job.get("nodes")
    named = hosts.count(",") if isinstance(hosts, str) else len(hosts) if isinstance(hosts, list) else 0
    return named > _MOST_NODES_OF_JOB or (isinstance(nodes, list) and len(nodes) > _MOST_NODES_OF_JOB)


def _is_call_of_another_pool(document: Document, pool_name: str) -> bool:
    """Return whether its jobs name a pool, and none of them the one that was asked for.

    Source: ListWorkloads, namespace is the pool ID. A list may have the jobs of logical pools as well, and what is not
    shaped like an ID may be a namespace of another kind: not tried on a real pool.
    """
    namespaces = (item.get("namespace") for item in items_of_document(document))
    named = {namespace for namespace in namespaces if isinstance(namespace, str)}
    return pool_name not in named and any(map(POOL_ID.fullmatch, named))


def _may_call_wrong_address(error: ApiError) -> bool:
    """Return whether the address may be wrong: something is not there, and it is not the pool."""
    return error.status == 404 and error.error_code != POOL_NOT_FOUND


def _error_with_called_address(error: ApiError, url: str) -> ApiError:
    """Return the error, which then says what address was asked."""
    return error.with_advice(f"The request went to {url.partition('?')[0]}.")


def _iam_action_of_call(path: str) -> str:
    """Return the IAM action that a call needs.

    What one pool says can be granted for that pool alone, what all say can not.
    """
    return "modelarts:pool:get" if path.startswith("/pools/") else "modelarts:pool:list"


def _clock_skew_of_call(date: str) -> float | None:
    """Return the seconds by which the server's clock is ahead of ours, by the Date header."""
    at = date_of_answer(date)
    return None if at is None else at - time.time()
