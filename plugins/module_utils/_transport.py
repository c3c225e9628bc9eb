# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that end: the read time-out is that of a whole answer, and its size is bounded.

In requests and urllib3 the time-out is that of one read, so a server that sends a byte now and then, in its header or
in its body, holds a client for as long as it likes.

This module util is private to the collection.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import typing as t

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError:  # _auth says so
    HTTPAdapter = HTTPConnection = HTTPSConnection = object  # type: ignore[misc,assignment]
    HTTPConnectionPool = HTTPSConnectionPool = object  # type: ignore[misc,assignment]

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 2**18
_MAX_ANSWER = 16 * 2**20


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
            self._connection.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock))


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _TlsConnection(HTTPSConnection):
    response_class = _TimedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: dict[str, t.Any] = {"http": _Pool, "https": _TlsPool}


class TimedAdapter(HTTPAdapter):
    """For sessions of requests: a whole answer, header and body, has to come within the read time-out."""

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class BoundedAdapter(TimedAdapter):
    """The same for small answers, which are read at once; one above 16 MiB is broken off."""

    def send(self, request: t.Any, stream: bool = False, *args: t.Any, **kwargs: t.Any) -> requests.Response:
        response = super().send(request, True, *args, **kwargs)
        body = bytearray()
        try:
            for chunk in chunks(response):
                body += chunk
                if len(body) > _MAX_ANSWER:
                    response.close()
                    raise requests.exceptions.ContentDecodingError(
                        f"the answer is larger than {_MAX_ANSWER // 2**20} MiB", response=response
                    )
        except urllib3.exceptions.TimeoutError as error:
            raise requests.exceptions.ReadTimeout(error, request=request) from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ConnectionError(error, request=request) from error
        response._content = bytes(body)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


def chunks(response: requests.Response) -> Iterator[bytes]:
    """The decoded body as it comes in. urllib3 1.26 waits for whole chunks, which hides slow bytes from the clock."""
    read = getattr(response.raw, "read1", response.raw.read)
    while chunk := read(_CHUNK, decode_content=True):
        yield chunk
