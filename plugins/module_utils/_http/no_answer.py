# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For every failure between a request and its answer a sentence that says who is at fault.

This module util is private to the collection.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import ssl
import typing as t
import zlib

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    InputError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import requests, urllib3
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.proxies import proxy_variable
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import origin_of_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# Variables by which libraries read files: an error names the one whose file it is about.
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_OTHER_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
# The reasons that versions of OpenSSL give when the other side answers without TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


class NoAnswerError(TransportError):
    """Nothing came back, or nothing that is an answer.

    ``cause`` is a clause that says who is at fault, and ``advice`` a sentence or nothing; in both, ``{address}`` stands
    for the name of the option that gives the address. ``unreached`` tells that the cause is a bare reason, like
    "Connection refused", of a server that could not be reached.
    """

    def __init__(self, cause: str, advice: str = "", *, unreached: bool = False, lasts: bool = False) -> None:
        super().__init__(f"{cause}. {advice}".strip(), lasts=lasts)
        self.cause = cause
        self.advice = advice
        self.unreached = unreached

    def with_more_advice(self, more: str) -> NoAnswerError:
        """Return the same error with one thing more to do about it."""
        return NoAnswerError(self.cause, f"{self.advice} {more}".strip(), unreached=self.unreached, lasts=self.lasts)

    def for_user(self, sentence: str, advice: str, address: str) -> TransportError:
        """Return the error for a user.

        ``sentence`` has {cause}, ``advice`` is for a cause that has none of its own, and ``address`` is the option that
        gives the address.
        """
        parts = (sentence.replace("{cause}", self.cause), self.advice or advice)
        return TransportError(" ".join(filter(None, parts)).replace("{address}", address), lasts=self.lasts)


@contextlib.contextmanager
def explain_no_answer(url: str, timeout: float | None, where: str) -> Iterator[None]:
    """Turn what requests, urllib3, ssl and the system raise for a request to ``url`` into InputError or NoAnswerError.

    None of their texts is repeated but those of the system and of certificates: others quote proxies and passwords.
    """
    try:
        yield
    except ModelArtsError:
        raise
    except Exception as error:
        # Without its cause: tracebacks and -vvv print chains, and foreign texts quote URLs with their passwords.
        raise _fault_of_request(list(_causes_of_fault(error)), url, timeout, where) from None


def _causes_of_fault(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what it was raised for, the innermost last."""
    # Errors can be chained in a circle; requests, urllib3 and ssl together make some five.
    for _depth in range(12):
        # An error of ours is no cause: it is of an earlier request, which somebody is still handling.
        if error is None or isinstance(error, ModelArtsError):
            return
        yield error
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__


def _fault_of_request(
    chain: list[BaseException], url: str, timeout: float | None, where: str
) -> InputError | NoAnswerError:
    innermost = chain[-1]
    # The proxy first: behind one, time-outs and TLS failures are most often its own.
    if _has_cause_of_fault(chain, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        return _fault_of_proxy(chain, url)
    if _is_fault_of_timeout(chain):
        return NoAnswerError("no answer in time" if timeout is None else f"no answer within {timeout:g} s")
    tls = next((error for error in chain if isinstance(error, ssl.SSLError)), None)
    if tls is not None:
        return _fault_of_tls(tls)
    if _has_cause_of_fault(chain, zlib.error):
        return NoAnswerError(
            "the answer is not compressed as its header says", "Check {address} and proxies.", lasts=True
        )
    if _has_cause_of_fault(chain, http.client.IncompleteRead):
        return NoAnswerError("the answer broke off", unreached=True)
    if isinstance(innermost, http.client.HTTPException) and not isinstance(innermost, OSError):
        return _fault_of_protocol(innermost, url)
    refused = next((error for error in chain if error.__class__ is OSError or isinstance(error, _FILE_ERRORS)), None)
    file = None if refused is None else _file_at_fault(refused)
    if file is not None:
        reason = getattr(refused, "strerror", None) or "it does not exist, or has another format"
        name = next((name for name in AUTHORITIES if os.environ.get(name) == file), "The libraries' settings")
        return InputError(f"{name} on {where} names {one_line(file, 300)!r}, which cannot be used: {reason}.")
    if isinstance(innermost, OSError) and innermost.strerror:
        return NoAnswerError(one_line(innermost.strerror), unreached=True)
    if isinstance(innermost, http.client.RemoteDisconnected):
        return NoAnswerError(one_line(str(innermost)), unreached=True)
    if isinstance(innermost, (UnicodeError, requests.exceptions.InvalidURL, urllib3.exceptions.LocationValueError)):
        return NoAnswerError("this is not a valid address", "Check {address} and proxies.", lasts=True)
    if _has_cause_of_fault(chain, urllib3.exceptions.ProtocolError):
        return NoAnswerError("the answer broke off", unreached=True)
    # Not met in any test; the name of its class is all that can be shown of it without the risk of a secret.
    return NoAnswerError(f"the request failed in the libraries of {where}: {type(innermost).__name__}", lasts=True)


_FILE_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def _has_cause_of_fault(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(error, kinds) for error in chain)


def _is_fault_of_timeout(chain: list[BaseException]) -> bool:
    # A connection that is refused is a time-out in the classes of urllib3 1.26.
    return any(
        isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, socket.timeout))
        and not isinstance(error, urllib3.exceptions.NewConnectionError)
        and getattr(error, "errno", None) is None
        for error in chain
    )


def _file_at_fault(error: BaseException) -> str | None:
    """Return the file that an error is about: requests names it in a text only."""
    named = getattr(error, "filename", None)
    if isinstance(named, str):
        return named
    found = re.search(r"invalid path: (.+)", str(error))
    return found[1] if found else None


def _fault_of_proxy(chain: list[BaseException], url: str) -> NoAnswerError:
    name = proxy_variable(url)
    proxy = f"the proxy that {name} names"
    texts = [str(error) for error in chain]
    refused = next((found for found in map(_TUNNEL.search, texts) if found), None)
    if refused is not None:
        status = int(refused[1])
        # The proxy's own 407 needs another user; asking again would repeat the refusal.
        if status == 407:
            return NoAnswerError(
                f"{proxy} requires another user and password (407)", f"Set them in the URL of {name}.", lasts=True
            )
        return NoAnswerError(
            f"{proxy} does not allow connections to {origin_of_url(url)} ({status})",
            "Allow that host there, or name it in no_proxy.",
            # Only throttling and failures of the proxy's side pass by waiting.
            lasts=400 <= status < 500 and status != 429,
        )
    if any("appears to only use HTTP" in text for text in texts):
        return NoAnswerError(f"{proxy} does not speak TLS", f"Write http:// in {name}.", lasts=True)
    if _is_fault_of_timeout(chain):
        return NoAnswerError(f"{proxy} did not answer in time")
    innermost = chain[-1]
    if isinstance(innermost, ssl.SSLError):
        return NoAnswerError(f"{proxy} has a certificate or a TLS version that is not accepted", lasts=True)
    if isinstance(innermost, http.client.HTTPException) and not isinstance(innermost, OSError):
        return NoAnswerError(f"{proxy} does not speak HTTP", f"Check {name}.", lasts=True)
    reason = one_line(getattr(innermost, "strerror", None) or "it closed the connection")
    return NoAnswerError(f"{proxy} cannot be reached ({reason})", f"Check {name}.")


def _fault_of_tls(error: ssl.SSLError) -> NoAnswerError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = one_line(error.verify_message).rstrip(".")
        cause = f"the server's certificate was not accepted (certificate verify failed: {reason})"
        if error.verify_code in _OTHER_NAME:
            return NoAnswerError(cause, "Set {address} to a name that the certificate has.", lasts=True)
        if error.verify_code in _OTHER_TIME:
            return NoAnswerError(cause, "Renew it on the server, or correct this host's clock.", lasts=True)
        return NoAnswerError(cause, "Set ca_path to the authority that signed it.", lasts=True)
    name = str(error.reason or "")
    if name in _NO_TLS:
        return NoAnswerError(
            "the server does not speak TLS on this port, as if it were a port for http", "Check {address}.", lasts=True
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "EOF" in name:
        return NoAnswerError("it closed the connection before TLS was established", unreached=True)
    words = one_line(name.replace("_", " ").lower()) or "no reason was given"
    return NoAnswerError(f"the two sides do not agree on TLS ({words})", "Check {address} and proxies.", lasts=True)


def _fault_of_protocol(error: http.client.HTTPException, url: str) -> NoAnswerError:
    # A TLS alert begins with these two bytes.
    if isinstance(error, http.client.BadStatusLine) and "\x15\x03" in str(error) and url.startswith("http:"):
        return NoAnswerError("the server speaks TLS on this port", "Write https in {address}.", lasts=True)
    return NoAnswerError("the answer is not HTTP/1.1", "Check {address} and proxies.", lasts=True)
