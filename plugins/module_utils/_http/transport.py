# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that go where they should, answers that end, and for every failure between the two a sentence.

In requests and urllib3 a time-out is that of one wait, so a server that sends a byte now and then, in its header or in
its body, holds a client for as long as it likes, and so does one whose answer unpacks to very much. Here the time-out
is that of a whole request, from the connection to the last byte, and the size of an answer is bounded as it comes in.

What goes out, and what fails, passes one place, TimedAdapter: it sees the address, the proxy and the authorities as
they will be used, from whatever option, file or variable they come.

This module util is private to the collection.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import os
import re
import socket
import ssl
import time
import typing as t
import zlib
from urllib.parse import unquote

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    InputError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import is_private, unusable_authorities
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.signature import ALGORITHM, host_header
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import plain

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
    from requests.utils import select_proxy
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.util import Timeout
except ImportError:  # _auth says so
    HTTPAdapter = HTTPConnection = HTTPSConnection = Timeout = object  # type: ignore[misc,assignment]
    HTTPConnectionPool = HTTPSConnectionPool = object  # type: ignore[misc,assignment]

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CHUNK = 2**18
_SMALL_ANSWER = 16 * 2**20
"""Bytes: more than IAM ever sends, and what any answer may unpack to, however little came."""

_HIGHEST_RATIO = 100
"""How many bytes a byte may unpack to beyond that. Lists of jobs and nodes that are much alike pack to a fiftieth."""

_SHORTEST_WAIT = 0.001  # a time-out of 0 means to a socket that it must not wait at all
_GZIP = 31  # zlib's number for the format with header and checksum

# What stands before the host must be percent-encoded but for these; more strictly than urllib3 reads it, which takes
# the beginning of a password with a slash for a host and repeats it.
_PROXY = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:(?P<userinfo>[^\s/?#\[\]\\]*)@)?"
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?"
)
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_OTHER_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


class NoAnswerError(TransportError):
    """Nothing came back, or nothing that is an answer.

    ``cause`` is a clause that says who is at fault, and ``advice`` a sentence or nothing; in both, ``{address}`` stands
    for the name of the option that gives the address. ``unreached`` tells that the cause is a bare reason, like
    "Connection refused", of a server that could not be reached.
    """

    def __init__(self, cause: str, advice: str = "", *, unreached: bool = False, lasts: bool = False) -> None:
        super().__init__(f"{cause}. {advice}".strip())
        self.cause = cause
        self.advice = advice
        self.unreached = unreached
        self.lasts = lasts

    def told(self, sentence: str, advice: str, address: str) -> TransportError:
        """The error for a user: ``sentence`` has {cause}, and ``advice`` is for a cause that has none of its own."""
        parts = (sentence.replace("{cause}", self.cause), self.advice or advice)
        error = TransportError(" ".join(filter(None, parts)).replace("{address}", address))
        error.lasts = self.lasts
        return error


class _Deadline(Timeout):
    """The time-out of a whole request for urllib3, which asks for what is left of it before each step."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._until = time.monotonic() + seconds

    def clone(self) -> _Deadline:
        return self

    def start_connect(self) -> float:
        return time.monotonic()

    @property
    def connect_timeout(self) -> float:
        return max(_SHORTEST_WAIT, self._until - time.monotonic())

    @property
    def read_timeout(self) -> float:
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

    def _leave_the_rest_to(self, connection: t.Any) -> None:
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


_POOLS: dict[str, t.Any] = {"http": _Pool, "https": _TlsPool}


class TimedAdapter(HTTPAdapter):
    """For sessions of requests: a whole request, from the connection to the last byte, ends within its time-out.

    ``where`` is the host that the code runs on, as errors name it. ``left`` tells how many seconds there are for this
    and all that follows, and is asked before each request: a library may send several where one was meant. Raises
    InputError for a proxy or authorities that cannot be used, with nothing sent, and NoAnswerError.
    """

    def __init__(self, where: str, left: Callable[[], float], **kwargs: t.Any) -> None:
        self._where = where
        self._left = left
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(
        self,
        request: t.Any,
        stream: bool = False,
        timeout: t.Any = None,
        verify: bool | str = True,
        cert: t.Any = None,
        proxies: t.Any = None,
    ) -> requests.Response:
        url = str(request.url)
        if not is_private(url):
            raise InputError(
                f"{origin(url)} is an address without https, to which {self._where} was about to send credentials: "
                "over http they would be readable on the network."
            )
        if url.startswith("http:"):
            proxies = {}  # loopback in clear text: no proxy may read what is sent there
        else:
            _check_proxy(url, proxies, self._where)
            _check_authorities(verify, self._where)
        request.headers["Accept-Encoding"] = "gzip"  # what body_of() unpacks
        seconds = min(timeout, self._left())
        if seconds <= 0:
            raise NoAnswerError("no time was left to ask")
        until: t.Any = _Deadline(seconds)
        try:
            with explained(url, seconds, self._where):
                return super().send(request, stream, until, verify, cert, proxies)
        except NoAnswerError as failure:
            if select_proxy(url, proxies) and "proxy that" not in failure.cause:
                # Behind a proxy, one that ends a connection and one that lets it end look the same.
                failure.advice = f"{failure.advice} It was asked through the proxy that {_proxy(url)} names.".strip()
            raise


class BoundedAdapter(TimedAdapter):
    """The same for small answers, which are read at once; one above 16 MiB is broken off.

    ``note`` is told the credentials in headers before they are sent, and those that come: a login may take several
    steps, each of which has a token of its own, and a server may repeat them in an error.
    """

    def __init__(self, where: str, left: Callable[[], float], note: Callable[[str], None]) -> None:
        self._note = note
        super().__init__(where, left)

    def send(self, request: t.Any, stream: bool = False, timeout: t.Any = None, **kwargs: t.Any) -> requests.Response:  # type: ignore[override]
        for credential in _credentials_in(request.headers):
            self._note(credential)
        response = super().send(request, True, timeout, **kwargs)
        for credential in _credentials_in(response.headers):
            self._note(credential)
        with explained(str(request.url), timeout, self._where):
            response._content = body_of(response, _SMALL_ANSWER)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


def _credentials_in(headers: Mapping[str, t.Any]) -> Iterator[str]:
    """Tokens, and what stands for a name and a password; a signature is its maker's to know."""
    for name in ("X-Auth-Token", "X-Subject-Token", "Authorization"):
        value = headers.get(name) or ""
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if text and not text.startswith(ALGORITHM):
            yield text.rpartition(" ")[2]


def body_of(response: requests.Response, most: int) -> bytes:
    """The whole body, unpacked as it comes in. Raises NoAnswerError for one above ``most`` bytes or _HIGHEST_RATIO.

    Not urllib3 unpacks it: before 2.6 it unpacks whatever a read brings at once, without a bound.
    """
    is_packed = response.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")
    unpacker = zlib.decompressobj(_GZIP)
    body = bytearray()
    received = 0
    # urllib3 1.26 has no read1 and waits for whole chunks, which hides slow bytes from the clock.
    read = getattr(response.raw, "read1", response.raw.read)
    while chunk := read(_CHUNK, decode_content=False):
        received += len(chunk)
        allowed = min(most, max(_SMALL_ANSWER, received * _HIGHEST_RATIO))
        body += unpacker.decompress(chunk, allowed + 1 - len(body)) if is_packed else chunk
        if len(body) > allowed:
            response.close()
            raise NoAnswerError(
                f"the answer is larger than {most // 2**20} MiB"
                if allowed == most
                else f"the answer unpacks to more than {_HIGHEST_RATIO} times what came",
                lasts=True,
            )
        if unpacker.unused_data:
            raise zlib.error("more than one packed answer")
    if is_packed and received and not unpacker.eof:
        raise NoAnswerError("the answer broke off", unreached=True)
    return bytes(body)


def origin(url: str) -> str:
    """``https://host:port`` of a URL, without user and path."""
    return f"{url.partition(':')[0]}://{host_header(url)}"


def _variable(value: str, names: tuple[str, ...], otherwise: str) -> str:
    """The variable of the environment that the value comes from; the lower-case one counts before the other."""
    named = [name for name, content in os.environ.items() if content == value and name.lower() in map(str.lower, names)]
    return max(named, default=otherwise)


def _proxy_names(url: str) -> tuple[str, str]:
    return f"{url.partition(':')[0]}_proxy", "all_proxy"


def _check_proxy(url: str, proxies: t.Any, where: str) -> None:
    """Raises InputError for a proxy that cannot be used. The sentence repeats no part of it: it may hold a password."""
    proxy = select_proxy(url, proxies)
    if not proxy:
        return
    name = f"{_variable(proxy, _proxy_names(url), 'The proxy of the system')} on {where}"
    parts = _PROXY.fullmatch(proxy)
    if parts is None or int(parts["port"] or 0) > 65535:
        raise InputError(
            f"{name} is no URL of a proxy like http://host:port. Where user:password@ stands before the host, "
            "percent-encode in both what is no letter and no digit: / is %2F, ? is %3F, # is %23, @ is %40, [ is %5B."
        )
    if (parts["scheme"] or "http").lower() not in ("http", "https"):
        raise InputError(f"{name} must be an http proxy, with a URL like http://host:port: others are not supported.")
    try:
        unquote(parts["userinfo"] or "").encode("latin-1")
    except UnicodeEncodeError:
        raise InputError(
            f"{name} has a user or a password with a character outside of ISO-8859-1, which cannot be sent to a proxy."
        ) from None


def _check_authorities(verify: bool | str, where: str) -> None:
    if isinstance(verify, str):
        reason = _unusable_authorities(verify)
        if reason is not None:
            name = _variable(verify, _AUTHORITIES[:2], "ca_path")
            raise InputError(f"{name} on {where} names {reason}, so no certificate could be verified.")


_unusable_authorities = functools.lru_cache(maxsize=20)(unusable_authorities)


@contextlib.contextmanager
def explained(url: str, timeout: float | None, where: str) -> Iterator[None]:
    """Turns what requests, urllib3, ssl and the system raise for a request to ``url`` into InputError or NoAnswerError.

    None of their texts is repeated but those of the system and of certificates: others quote proxies and passwords.
    """
    try:
        yield
    except ModelArtsError:
        raise
    except Exception as error:
        raise _fault(list(_chain(error)), url, timeout, where) from None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised for, the innermost last."""
    for _depth in range(12):
        if error is None:
            return
        yield error
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__


def _fault(chain: list[BaseException], url: str, timeout: float | None, where: str) -> InputError | NoAnswerError:
    innermost = chain[-1]
    if _any(chain, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        return _fault_of_proxy(chain, url)
    if _is_timeout(chain):
        return NoAnswerError("no answer within the time" if timeout is None else f"no answer within {timeout:g} s")
    tls = next((error for error in chain if isinstance(error, ssl.SSLError)), None)
    if tls is not None:
        return _fault_of_tls(tls)
    if _any(chain, zlib.error):
        return NoAnswerError(
            "the answer is packed in another way than its header says", "Check {address}, and proxies.", lasts=True
        )
    if _any(chain, http.client.IncompleteRead):
        return NoAnswerError("the answer broke off", unreached=True)
    if isinstance(innermost, http.client.HTTPException) and not isinstance(innermost, OSError):
        return _fault_of_speech(innermost, url)
    refused = next((error for error in chain if error.__class__ is OSError or isinstance(error, _FILE_ERRORS)), None)
    file = None if refused is None else _file_of(refused)
    if file is not None:
        reason = getattr(refused, "strerror", None) or "it is not there, or it is no such file"
        name = next((name for name in _AUTHORITIES if os.environ.get(name) == file), "The libraries' settings")
        return InputError(f"{name} on {where} names {plain(file, 300)!r}, which cannot be used: {reason}.")
    if isinstance(innermost, OSError) and innermost.strerror:
        return NoAnswerError(plain(innermost.strerror), unreached=True)
    if isinstance(innermost, http.client.RemoteDisconnected):
        return NoAnswerError(plain(str(innermost)), unreached=True)
    if isinstance(innermost, (UnicodeError, requests.exceptions.InvalidURL, urllib3.exceptions.LocationValueError)):
        return NoAnswerError("this is no address that can be asked", "Check {address}, and proxies.", lasts=True)
    if _any(chain, urllib3.exceptions.ProtocolError):
        return NoAnswerError("the answer broke off", unreached=True)
    # Not met in any test; the name of its class is all that can be shown of it without the risk of a secret.
    return NoAnswerError(f"the request failed in the libraries of {where}: {type(innermost).__name__}", lasts=True)


_FILE_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def _any(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(error, kinds) for error in chain)


def _is_timeout(chain: list[BaseException]) -> bool:
    # A connection that is refused is a time-out in the classes of urllib3 1.26.
    return any(
        isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, socket.timeout))
        and not isinstance(error, urllib3.exceptions.NewConnectionError)
        and getattr(error, "errno", None) is None
        for error in chain
    )


def _file_of(error: BaseException) -> str | None:
    """The file that an error is about: requests names it in a text only."""
    named = getattr(error, "filename", None)
    if isinstance(named, str):
        return named
    found = re.search(r"invalid path: (.+)", str(error))
    return found[1] if found else None


def _proxy(url: str) -> str:
    """The variable that names the proxy of a request."""
    names = [one for name in _proxy_names(url) for one in (name, name.upper())]
    return next((name for name in names if os.environ.get(name)), "the system")


def _fault_of_proxy(chain: list[BaseException], url: str) -> NoAnswerError:
    name = _proxy(url)
    proxy = f"the proxy that {name} names"
    texts = [str(error) for error in chain]
    refused = next((found for found in map(_TUNNEL.search, texts) if found), None)
    if refused is not None:
        status = int(refused[1])
        if status == 407:
            return NoAnswerError(
                f"{proxy} wants another user and password (407)", f"Set them in the URL of {name}.", lasts=True
            )
        return NoAnswerError(
            f"{proxy} does not let it through to {origin(url)} ({status})",
            "It has to allow that host, or no_proxy has to name it.",
            lasts=400 <= status < 500 and status != 429,
        )
    if any("appears to only use HTTP" in text for text in texts):
        return NoAnswerError(f"{proxy} does not speak TLS", f"Write http:// in {name}.", lasts=True)
    if _is_timeout(chain):
        return NoAnswerError(f"{proxy} did not answer in time")
    innermost = chain[-1]
    if isinstance(innermost, ssl.SSLError):
        return NoAnswerError(f"{proxy} has a certificate or a TLS that is not accepted", lasts=True)
    if isinstance(innermost, http.client.HTTPException) and not isinstance(innermost, OSError):
        return NoAnswerError(f"{proxy} does not speak HTTP", f"Check {name}.", lasts=True)
    reason = plain(getattr(innermost, "strerror", None) or "it closed the connection")
    return NoAnswerError(f"{proxy} cannot be reached ({reason})", f"Check {name}.")


def _fault_of_tls(error: ssl.SSLError) -> NoAnswerError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = plain(error.verify_message).rstrip(".")
        cause = f"the server's certificate was not accepted (certificate verify failed: {reason})"
        if error.verify_code in _OTHER_NAME:
            return NoAnswerError(cause, "Set {address} to a name that the certificate has.", lasts=True)
        if error.verify_code in _OTHER_TIME:
            return NoAnswerError(cause, "It has to be renewed there, or this host's clock is wrong.", lasts=True)
        return NoAnswerError(cause, "Set ca_path to the authority that signed it.", lasts=True)
    name = str(error.reason or "")
    if name in _NO_TLS:
        return NoAnswerError(
            "the server does not speak TLS on this port, as one for http does", "Check {address}.", lasts=True
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "EOF" in name:
        return NoAnswerError("it closed the connection before TLS was agreed on", unreached=True)
    words = plain(name.replace("_", " ").lower()) or "no reason was given"
    return NoAnswerError(f"the two sides do not agree on TLS ({words})", "Check {address}, and proxies.", lasts=True)


def _fault_of_speech(error: http.client.HTTPException, url: str) -> NoAnswerError:
    if isinstance(error, http.client.BadStatusLine) and "\x15\x03" in str(error) and url.startswith("http:"):
        return NoAnswerError("the server speaks TLS on this port", "Write https in {address}.", lasts=True)
    return NoAnswerError("what came is no answer in HTTP/1.1", "Check {address}, and proxies.", lasts=True)
