# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time-outs of whole requests, in the libraries below requests.

In requests and urllib3 a time-out is that of one wait, so a server that sends a byte now and then, in its header or in
its body, holds a client for as long as it likes. Here it is that of a whole request, from the connection to the last
byte.

This module util is private to the collection.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import (
    HTTPConnection,
    HTTPConnectionPool,
    HTTPSConnection,
    HTTPSConnectionPool,
    Timeout,
)

_MOST_INTERIM = 50  # answers that say "not yet"; a server that works on it for a minute sends one a second
# Whatever length their headers tell, these have no body.
_NO_BODY = (204, 304)
_SHORTEST_WAIT = 0.001  # a time-out of 0 means to a socket that it must not wait at all


class Deadline(Timeout):
    """The time-out of a whole request for urllib3, which asks for what is left of it before each step."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._until = time.monotonic() + seconds

    # urllib3 clones a time-out for each attempt, which would begin anew.
    def clone(self) -> Deadline:
        return self

    def start_connect(self) -> float:
        return time.monotonic()

    @property
    def connect_timeout(self) -> float:
        return max(_SHORTEST_WAIT, self._until - time.monotonic())

    @property
    def read_timeout(self) -> float:
        # 0 makes urllib3 raise its own time-out before it reads.
        return max(0.0, self._until - time.monotonic())


class _TimedReader(io.RawIOBase):
    """Reads from a socket until its time-out, counted from now, is over."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb", buffering=0)
        timeout = connection.gettimeout()
        self._until = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise socket.timeout("timed out")
            # Before each wait: a byte now and then would otherwise start the time-out anew.
            self._connection.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """Passes over interim answers, of which http.client knows 100 alone: 102 and 103 would be the answer itself.

    The real one, which comes behind, would then be read as that of the next request on the connection.
    """

    def __init__(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        # In place of the reader that http.client has made, which waits a full time-out for each read.
        self.fp = io.BufferedReader(_TimedReader(sock))

    def begin(self) -> None:
        super().begin()
        # None of them ends what was asked, so whatever comes behind is not the answer of the next request.
        if self.status < 200 or self.status in _NO_BODY:
            self.will_close = True

    def _read_status(self) -> tuple[str, int, str]:
        for _answer in range(_MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            # 101 ends HTTP on the connection, so no other answer comes behind it.
            if status >= 200 or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)  # no more than 100 lines, each of 64 KiB
        raise http.client.BadStatusLine("interim answers without an end")


class _Timed(HTTPConnection):
    """Leaves to the tunnel of a proxy and to TLS what the connection has left of its time-out."""

    response_class = _TimedResponse
    _until: float | None = None

    def _new_conn(self) -> socket.socket:
        if isinstance(self.timeout, (int, float)):
            self._until = time.monotonic() + self.timeout
        connection = super()._new_conn()
        self._leave_the_rest_to(connection)
        return connection

    def _tunnel(self) -> None:
        # TLS with the proxy has taken its time before, and so has the proxy with its answer behind.
        self._leave_the_rest_to(self.sock)
        super()._tunnel()
        self._leave_the_rest_to(self.sock)

    def _leave_the_rest_to(self, connection: socket.socket) -> None:
        if self._until is not None:
            connection.settimeout(max(_SHORTEST_WAIT, self._until - time.monotonic()))


class _Connection(_Timed):
    pass


class _TlsConnection(_Timed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS: dict[str, object] = {"http": _Pool, "https": _TlsPool}
"""The pools of connections for urllib3, by the scheme of the address."""
