# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's HTTP side: routes, parameters as documented, and a record of what was asked."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import typing as t
import uuid
from collections import deque
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote

from .churn import Churn
from .documents import metrics_document, pool_document, statistics_document
from .faults import Answer, FaultPlan
from .iam import Credentials, Iam, RefusedError, Request, api_error
from .job import JOB_TYPES, STATUSES
from .pool import Pool
from .rights import Rights, refusal_of
from .scenario import LONGEST_SECONDS, ScenarioError, checked, listed, load, number, optional_text, text, whole
from .timeline import World

MAX_PAGE = 500
MAX_OFFSET = 2**31 - 1
MAX_BODY = 2**20
RECORDED_REQUESTS = 100_000
RECORDED_HEADERS = ("host", "x-project-id", "x-sdk-date", "content-type")
SCENARIO_KEYS = (
    "churn", "clock", "credentials", "faults", "flavors", "iam", "pools", "projects", "quirks", "refuse", "region",
    "rights", "suspended", "timeline",
)  # fmt: skip


@dataclass
class Call:
    """A request on its way through a route, with what its path names."""

    request: Request
    project_id: str = ""
    pool: str = ""


class Query:
    """The query of a request, checked against the documented values. Anything else is a bad request."""

    def __init__(self, query: str, known: t.Iterable[str]) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
        except ValueError:
            raise bad_request() from None
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in known:
                raise bad_request()
            self._values.setdefault(name, []).append(value)

    def text(self, name: str, choices: t.Iterable[str] | None = None) -> str | None:
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1 or (choices is not None and values[0] not in choices):
            raise bad_request()
        return values[0]

    def texts(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def addresses(self, name: str) -> frozenset[str]:
        return frozenset(",".join(self._values.get(name, [])).split(",")) - {""}

    def number(self, name: str, maximum: int) -> int:
        """Return a whole number from 0 to ``maximum``; absent or blank is 0."""
        value = self.text(name) or "0"
        if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > maximum:
            raise bad_request()
        return int(value)


def bad_request() -> RefusedError:
    return api_error(400, "ModelArts.50004000", "Bad request.")


class Emulator:
    """ModelArts and IAM on a port of this machine.

    A context manager: inside, ``endpoint`` and ``iam_url`` answer. ``requests`` are the recorded requests, and
    ``credentials`` says how to log in. ``faults`` are added to those of the scenario.
    """

    def __init__(
        self,
        scenario: dict[str, t.Any] | str = "demo",
        *,
        port: int = 0,
        bind: str = "127.0.0.1",
        latency_ms: float = 0,
        request_log: str | os.PathLike[str] | None = None,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        faults: t.Iterable[dict[str, t.Any]] = (),
    ) -> None:
        loaded = checked(load(scenario), SCENARIO_KEYS, "the scenario")
        self.credentials = _credentials(loaded.get("credentials", {}))
        self.region = optional_text(loaded, "region", "the scenario", "eu-de")
        self.iam = Iam(
            self.credentials,
            region=self.region,
            projects=_projects(loaded.get("projects", [])),
            **_iam_options(loaded.get("iam", {})),
        )
        self.world = World(loaded)
        self.churn = Churn(loaded["churn"]) if "churn" in loaded else None
        self.faults = FaultPlan([*listed(loaded.get("faults", []), "faults"), *faults])
        refused = checked(loaded.get("refuse", {}), ("pools", "metrics", "flavors"), "refuse")
        self._refuse = {part: refusal_of(given, f"refuse.{part}") for part, given in refused.items()}
        self._rights = Rights(loaded, {pool.id: pool.name for pool in self.world.pools.values()})
        self.latency_ms = latency_ms
        self._recorded: deque[dict[str, t.Any]] = deque(maxlen=RECORDED_REQUESTS)
        context = _tls_context(tls_cert, tls_key) if tls_cert else None
        self._log = _opened_log(request_log) if request_log else None
        self._connections = itertools.count(1)
        self._server = _listening(self, bind, port, context)
        self.endpoint = f"http{'s' if context else ''}://{bind}:{self._server.server_address[1]}"
        self.iam_url = f"{self.endpoint}/v3"
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Emulator:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.close_connections()
        if self._log is not None:
            self._log.close()

    @property
    def requests(self) -> list[dict[str, t.Any]]:
        """What was asked so far, oldest first: see ``record``."""
        return list(self._recorded)

    def advance(self, seconds: float) -> None:
        """Move the scenario's clock on, which is the only way for one that is frozen."""
        self.world.clock.advance(seconds)

    def set_faults(self, faults: t.Iterable[dict[str, t.Any]]) -> None:
        """Replace the plan of faults; requests are counted anew."""
        self.faults = FaultPlan(list(faults))

    def revoke_tokens(self, static: bool = False) -> None:
        self.iam.revoke_tokens(static)

    def state(self) -> dict[str, t.Any]:
        """Return what a client needs to know; the content of the state file."""
        return {
            "endpoint": self.endpoint,
            "iam_url": self.iam_url,
            "region": self.region,
            "pid": os.getpid(),
            **self.credentials.as_dict(),
            "pools": [{"id": pool.id, "name": pool.name} for pool in self.world.pools.values()],
        }

    # Answering

    def next_connection(self) -> int:
        return next(self._connections)

    def answer(self, request: Request, entry: dict[str, t.Any]) -> Answer:
        """Answer a request; ``entry`` is its record and learns the method of authentication."""
        if self.latency_ms:
            time.sleep(self.latency_ms / 1000)
        try:
            for pattern, method, needs_login, route in _ROUTES:
                found = pattern.fullmatch(request.path)
                if not found or request.method != method:
                    continue
                call = Call(request, **{name: unquote(value) for name, value in found.groupdict().items()})
                if needs_login:
                    entry["auth"], project_id = self.iam.authenticate(request)
                    if call.project_id and call.project_id != project_id:
                        raise api_error(403, "ModelArts.0206", "The project in the URL is not that of the credentials.")
                    if call.project_id:
                        self._rights.check_account()
                with self.world.lock:
                    self.world.catch_up()
                    return route(self, call)
            raise api_error(404, "APIG.0101", "The API does not exist or has not been published in the environment")
        except RefusedError as refused:
            return Answer(refused.status, refused.body, refused.headers)

    def record(self, entry: dict[str, t.Any]) -> None:
        self._recorded.append(entry)
        if self._log is not None:
            self._log.write(json.dumps(entry) + "\n")

    def _pools(self, call: Call) -> dict[str, Pool]:
        """Return the pools of the project in the URL: further projects of the scenario have none."""
        return self.world.pools if call.project_id == self.credentials.project_id else {}

    def _pool(self, call: Call, part: str, message: str = "pool not found") -> Pool:
        self._rights.check_get(call.pool)
        pool = self._pools(call).get(call.pool)
        if pool is None:
            raise api_error(404, "ModelArts.50015001", message)
        if part in pool.refuse:
            raise pool.refuse[part]
        return pool

    def _check_allowed(self, part: str) -> None:
        if part in self._refuse:
            raise self._refuse[part]

    # Routes of ModelArts

    def list_workloads(self, call: Call) -> Answer:
        query = Query(call.request.query, ("type", "status", "sort", "ascend", "offset", "limit", "hostip"))
        given_types = query.texts("type")
        status = query.text("status", STATUSES)
        sort = query.text("sort", ("create_time",))
        ascend = query.text("ascend", ("true", "false"))
        offset = query.number("offset", MAX_OFFSET)
        limit = query.number("limit", MAX_PAGE) or MAX_PAGE
        host_ips = query.addresses("hostip")
        pool = self._pool(call, "workloads", f"Pool {call.pool} not found.")
        if self.churn is not None:
            self.churn.before_read(pool)
        jobs = pool.selection(_selected_types(given_types, pool.quirks), status, host_ips)
        if host_ips:
            offset, limit = 0, len(jobs)
        # Guesses: without sort the order is newest first, and ascend without sort changes nothing.
        page = pool.page(jobs, offset, limit, oldest_first=sort is not None and ascend == "true")
        return Answer(200, _workload_list(pool, pool.job_writer.encoded(page), len(jobs)))

    def list_pool_nodes(self, call: Call) -> Answer:
        query = Query(call.request.query, ("continue", "limit"))
        limit = query.number("limit", MAX_PAGE) or MAX_PAGE
        token = query.text("continue") or ""
        pool = self._pool(call, "nodes")
        start = _position(token, len(pool.nodes))
        if start == 0:
            self.world.count_read(pool)
        end = len(pool.nodes) if pool.quirks.get("nodes_unpaged") else start + limit
        metadata: dict[str, t.Any] = {}
        if end < len(pool.nodes):
            after = start if pool.quirks.get("nodes_repeat_token") and start else end
            metadata = {"continue": f"node-{after}", "remainingItemCount": len(pool.nodes) - end}
        first = start - 1 if start and pool.quirks.get("nodes_overlap") else start
        items = ", ".join(node.encoded() for node in pool.nodes[first:end])
        head = f'"kind": "NodeList", "apiVersion": "v2", "metadata": {json.dumps(metadata)}'
        return Answer(200, f'{{{head}, "items": [{items}]}}')

    def show_pool(self, call: Call) -> Answer:
        return Answer(200, pool_document(self._pool(call, "pool")))

    def list_pools(self, call: Call) -> Answer:
        size = self.world.pools_page
        paging = ("continue", "limit") if size else ()
        query = Query(call.request.query, ("workspaceId", "labelSelector", "status", "parent", *paging))
        status = query.text("status", POOL_STATUS_PHASES)
        labels = _label_selector(query.text("labelSelector"))
        parent = query.text("parent")
        workspace = query.text("workspaceId") or "0"
        limit = min(query.number("limit", MAX_PAGE) or MAX_PAGE, size or MAX_PAGE)
        token = query.text("continue") or ""
        self._rights.check_list()
        self._check_allowed("pools")
        documents = [pool_document(pool) for pool in self._pools(call).values() if pool.workspace == workspace]
        items = [
            document
            for document in documents
            if (status is None or document["status"]["phase"] in POOL_STATUS_PHASES[status])
            and (parent is None or document["status"].get("parent") == parent)
            and labels.items() <= (document["metadata"]["labels"] or {}).items()
        ]
        answer: dict[str, t.Any] = {"kind": "PoolList", "apiVersion": "v2", "items": items}
        if size:
            answer["items"], answer["metadata"] = _page(items, token, limit)
        return Answer(200, answer)

    def show_workload_statistics(self, call: Call) -> Answer:
        Query(call.request.query, ())
        return Answer(200, statistics_document(self._pool(call, "statistics", f"Pool {call.pool} not found.")))

    def show_pool_runtime_metrics(self, call: Call) -> Answer:
        Query(call.request.query, ())
        self._rights.check_list()
        self._check_allowed("metrics")
        items = [document for pool in self._pools(call).values() if (document := metrics_document(pool)) is not None]
        return Answer(200, {"apiVersion": "v2", "kind": "PoolMetricsList", "items": items})

    def list_resource_flavors(self, call: Call) -> Answer:
        query = Query(call.request.query, ("continue", "limit", "labelSelector"))
        labels = _label_selector(query.text("labelSelector"))
        limit = query.number("limit", MAX_PAGE) or MAX_PAGE
        self._check_allowed("flavors")
        flavors = [
            flavor for flavor in self.world.flavor_documents() if labels.items() <= flavor["metadata"]["labels"].items()
        ]
        items, metadata = _page(flavors, query.text("continue") or "", limit)
        return Answer(200, {"kind": "ResourceFlavorList", "apiVersion": "v1", "metadata": metadata, "items": items})

    # Routes of IAM

    def create_token(self, call: Call) -> Answer:
        catalog = "nocatalog" not in dict(parse_qsl(call.request.query, keep_blank_values=True))
        token, document = self.iam.issue_token(call.request.body, self.endpoint, catalog)
        return Answer(201, document, {"X-Subject-Token": token})

    def list_projects(self, call: Call) -> Answer:
        name = dict(parse_qsl(call.request.query, keep_blank_values=True)).get("name")
        return Answer(200, self.iam.list_projects(name, self.endpoint))

    def show_version(self, call: Call) -> Answer:
        return Answer(200, {"version": self.iam.version_document(self.endpoint)})

    def list_versions(self, call: Call) -> Answer:
        return Answer(300, {"versions": {"values": [self.iam.version_document(self.endpoint)]}})


POOL_STATUS_PHASES = {
    # Which phases each value of ListPools' status covers is a guess.
    "created": ("Running", "Abnormal", "Deleting", "ScalingFailed"),
    "failed": ("Error", "CreationFailed"),
    "creating": ("Creating", "Waiting"),
}

_PROJECT = r"/(?P<project_id>[^/]+)"
_POOL = r"/pools/(?P<pool>[^/]+)"
_ROUTES: list[tuple[re.Pattern[str], str, bool, t.Callable[[Emulator, Call], Answer]]] = [
    (re.compile(pattern), method, needs_login, route)
    for pattern, method, needs_login, route in (
        (rf"/v2{_PROJECT}{_POOL}/workloads", "GET", True, Emulator.list_workloads),
        (rf"/v2{_PROJECT}{_POOL}/nodes", "GET", True, Emulator.list_pool_nodes),
        (rf"/v2{_PROJECT}{_POOL}", "GET", True, Emulator.show_pool),
        (rf"/v2{_PROJECT}/pools", "GET", True, Emulator.list_pools),
        (rf"/v2{_PROJECT}/statistics{_POOL}/workloads", "GET", True, Emulator.show_workload_statistics),
        (rf"/v2{_PROJECT}/metrics/runtime/pools", "GET", True, Emulator.show_pool_runtime_metrics),
        (rf"/v1{_PROJECT}/resourceflavors", "GET", True, Emulator.list_resource_flavors),
        (r"/v3/auth/tokens", "POST", False, Emulator.create_token),
        (r"/v3/projects", "GET", True, Emulator.list_projects),
        (r"/v3/?", "GET", False, Emulator.show_version),
        (r"/", "GET", False, Emulator.list_versions),
    )
]


def _tls_context(cert: str | os.PathLike[str], key: str | os.PathLike[str] | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password at hand it would ask the terminal for the one of an encrypted key.
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError:
        needs = "PEM, without a password" if key else "PEM with its key, without a password; or give --tls-key"
        raise ScenarioError(f"cannot use the certificate {str(cert)!r}: it must be {needs}") from None
    except OSError as error:
        raise ScenarioError(f"cannot read the certificate {str(cert)!r} or its key ({error.strerror})") from None
    return context


def _opened_log(path: str | os.PathLike[str]) -> t.TextIO:
    try:
        return open(path, "a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise ScenarioError(f"cannot write the request log {str(path)!r} ({error.strerror})") from None


def _credentials(given: object) -> Credentials:
    values = checked(given, Credentials.names(), "credentials")
    return Credentials(**{name: text(value, f"credentials.{name}") for name, value in values.items()})


def _projects(given: object) -> list[dict[str, str]]:
    projects = []
    for index, entry in enumerate(listed(given, "projects")):
        project = checked(entry, ("id", "name"), f"projects[{index}]")
        projects.append({key: text(project.get(key), f"projects[{index}].{key}") for key in ("id", "name")})
    return projects


def _iam_options(given: object) -> dict[str, t.Any]:
    options = checked(given, ("clock_offset", "token_seconds", "token_uses"), "iam")
    if "clock_offset" in options:
        number(options["clock_offset"], "iam.clock_offset", least=-LONGEST_SECONDS)
    if "token_seconds" in options:
        number(options["token_seconds"], "iam.token_seconds")
    if "token_uses" in options:
        whole(options["token_uses"], "iam.token_uses")
    return options


def _selected_types(given: list[str], quirks: dict[str, t.Any]) -> frozenset[str]:
    """Return the types whose jobs are listed. What a server does that documents one type is a guess: see the quirk."""
    known = JOB_TYPES.keys() - ({"x-infer"} if quirks.get("no_x_infer") else set())
    if any(name not in known for name in given):
        raise bad_request()
    one = quirks.get("one_type")
    if one is None or len(given) < 2:
        return frozenset(given)
    if one == "refused":
        raise bad_request()
    return frozenset((given[0] if one == "first" else given[-1],))


def _workload_list(pool: Pool, items: str, total: int) -> str:
    listed = f', "items": [{items}]'
    if not items:
        listed = {"null": ', "items": null', "absent": ""}.get(pool.quirks.get("empty_items", "list"), listed)
    counted = "" if pool.quirks.get("no_total") else f', "total": {total}'
    answer = f'{{"kind": "WorkloadList", "apiVersion": "v1", "metadata": {{}}{listed}{counted}}}'
    extra = pool.quirks.get("list_extra")
    return json.dumps({**json.loads(answer), **extra}) if extra else answer


def _position(token: str, count: int) -> int:
    found = re.fullmatch(r"node-([0-9]{1,9})", token)
    if token and (not found or int(found[1]) > count):
        raise bad_request()
    return int(found[1]) if found else 0


def _page(items: list[t.Any], token: str, limit: int) -> tuple[list[t.Any], dict[str, t.Any]]:
    """Return the items of a page and its metadata: where the next one begins, and how many items are left."""
    start = _position(token, len(items))
    end = start + limit
    more = {"continue": f"node-{end}", "remainingItemCount": len(items) - end} if end < len(items) else {}
    return items[start:end], more


def _label_selector(text: str | None) -> dict[str, str]:
    pairs = [part.partition("=") for part in (text or "").split(",") if part]
    if not all(equals for _key, equals, _value in pairs):
        raise bad_request()
    return {key: value for key, _equals, value in pairs}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, address: tuple[str, int], emulator: Emulator) -> None:
        self.emulator = emulator
        self.open_connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The inherited one asks DNS for the name of the address.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def close_connections(self) -> None:
        for connection in list(self.open_connections):
            with contextlib.suppress(OSError):  # the client may have been faster
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that goes away; a fault of the emulator is told."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _listening(emulator: Emulator, bind: str, port: int, context: ssl.SSLContext | None) -> _Server:
    try:
        server = _Server((bind, port), emulator)
    except OSError as error:
        raise ScenarioError(f"cannot listen on port {port} ({error.strerror})") from None
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.emulator = self.server.emulator
        self.connection_number = self.emulator.next_connection()
        self.server.open_connections.add(self.connection)

    def finish(self) -> None:
        self.server.open_connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: requests are recorded."""

    def _serve(self) -> None:
        began = time.perf_counter()
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _mark, query = self.path.partition("?")
        entry: dict[str, t.Any] = {
            "method": self.command,
            "path": path,
            "query": query,
            "header_names": sorted(headers),
            "headers": {name: headers[name] for name in RECORDED_HEADERS if name in headers},
            "auth": None,
            "connection": self.connection_number,
        }
        length = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,7}", length) or int(length) > MAX_BODY:
            answer = Answer(413, {"error_code": "APIG.0201", "error_msg": "Request entity too large"})
            self.close_connection = True
        else:
            request = Request(self.command, path, query, headers, self.rfile.read(int(length)))
            answer = self.emulator.answer(request, entry)
        fault = self.emulator.faults.next(path)
        if fault is not None:
            entry["fault"] = fault.kind
            answer = fault.altered(answer)
        head, body = self._encode(answer)
        entry.update(status=answer.status, seconds=round(time.perf_counter() - began, 6))
        self.emulator.record(entry)
        if fault is None:
            self.connection.sendall(head + body)
        elif not fault.send(self.connection, head, body):
            self.close_connection = True

    def _encode(self, answer: Answer) -> tuple[bytes, bytes]:
        body = answer.encoded()
        headers = {
            "Date": formatdate(self.emulator.iam.now(), usegmt=True),
            "Content-Type": "application/json;charset=utf-8",
            "X-Request-Id": uuid.uuid4().hex,
            "Content-Length": str(len(body)),
            **answer.headers,
        }
        if self.close_connection:
            headers["Connection"] = "close"
        reason = self.responses.get(answer.status, ("",))[0]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {answer.status} {reason}\r\n{head}\r\n".encode("latin-1"), body

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815
