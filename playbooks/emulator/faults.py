# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan of faults: what goes wrong, at which request, on its way to the client."""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
import time
import typing as t
import zlib
from dataclasses import dataclass, field
from email.utils import formatdate

from .scenario import ScenarioError, checked, flag, header_text, listed, mapping_of, number, one_of, text, whole

_COMMON = ("at", "do", "path", "times")
_KINDS: dict[str, tuple[str, ...]] = {
    "status": ("status", "headers", "body", "content_type"),
    "throttle": ("status", "retry_after", "retry_after_date", "seconds"),
    "redirect": ("status", "location"),
    "truncate": (),
    "html": (),
    "error_body": (),
    "content_type": ("content_type",),
    "gzip": (),
    "reset": ("where",),
    "close": ("where",),
    "delay": ("seconds",),
    "slow": ("bytes_per_second",),
    "huge": ("bytes", "compressed"),
}
_WHERE = ("before", "in_header", "after_header", "mid_body")
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Guest network</h1></body></html>"
_CHUNK = b" " * 2**16


@dataclass
class Answer:
    """A response: ``body`` is bytes, a JSON text, or a document to encode. ``headers`` beat the usual ones."""

    status: int
    body: t.Any
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        # Half a character goes as it is: a client has to bear it.
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode(errors="surrogatepass")


class Fault:
    """One entry of the plan. It counts the requests whose path it matches, and strikes at those in ``at``."""

    def __init__(self, entry: object, where: str) -> None:
        self.kind = one_of(mapping_of(entry, where).get("do"), _KINDS, f"{where}.do")
        self.given = given = checked(entry, (*_COMMON, *_KINDS[self.kind]), where)
        self._seen = 0
        at = given.get("at", 1)
        self._at = {whole(value, f"{where}.at") for value in (at if isinstance(at, list) else [at])}
        # 0 times: from then on, for ever.
        self._times = whole(given.get("times", 1), f"{where}.times")
        try:
            self._path = re.compile(text(given.get("path", "."), f"{where}.path"))
        except re.error as error:
            raise ScenarioError(f"{where}.path is not a regular expression: {error}") from None
        if "where" in given:
            one_of(given["where"], _WHERE, f"{where}.where")
        for key in ("seconds", "retry_after_date"):
            if key in given:
                number(given[key], f"{where}.{key}")
        for key in ("bytes", "bytes_per_second"):
            if key in given:
                whole(given[key], f"{where}.{key}")
        for key in ("content_type", "location"):
            if key in given:
                header_text(given[key], f"{where}.{key}")
        for name, value in mapping_of(given.get("headers", {}), f"{where}.headers").items():
            header_text(name, f"{where}.headers")
            header_text(value, f"{where}.headers.{name}")
        if "status" in given:
            whole(given["status"], f"{where}.status", least=200, most=599)
        if isinstance(given.get("retry_after"), str):
            header_text(given["retry_after"], f"{where}.retry_after")
        elif "retry_after" in given:
            number(given["retry_after"], f"{where}.retry_after")
        flag(given.get("compressed", False), f"{where}.compressed")

    def strikes(self, path: str) -> bool:
        if not self._path.search(path):
            return False
        self._seen += 1
        if not self._times:
            return self._seen >= min(self._at)
        return any(first <= self._seen < first + self._times for first in self._at)

    def altered(self, answer: Answer) -> Answer:
        """Return the answer as the client gets it, for faults in what is said."""
        given = self.given
        if self.kind == "status":
            headers = dict(given.get("headers", {}))
            if "content_type" in given:
                headers["Content-Type"] = given["content_type"]
            status = given.get("status", 500)
            body = given.get("body", {"error_code": f"ModelArts.{status}", "error_msg": "Injected fault."})
            return Answer(status, body, headers)
        if self.kind == "throttle":
            return self._throttled()
        if self.kind == "redirect":
            return Answer(given.get("status", 302), b"", {"Location": given.get("location", "/elsewhere")})
        if self.kind == "truncate":
            body = answer.encoded()
            return Answer(answer.status, body[: len(body) // 2], answer.headers)
        if self.kind == "html":
            return Answer(200, _HTML, {"Content-Type": "text/html"})
        if self.kind == "error_body":
            return Answer(200, {"error_code": "ModelArts.0001", "error_msg": "Unknown error."})
        if self.kind == "content_type":
            return Answer(answer.status, answer.body, {"Content-Type": given.get("content_type", "text/plain")})
        if self.kind == "gzip":
            return Answer(answer.status, gzip.compress(answer.encoded(), 1), {"Content-Encoding": "gzip"})
        if self.kind == "huge" and given.get("compressed"):
            return Answer(200, _gzipped_blanks(int(given.get("bytes", 2**30))), {"Content-Encoding": "gzip"})
        return answer

    def _throttled(self) -> Answer:
        given = self.given
        seconds = given.get("seconds", 1)
        message = (
            f"The throttling threshold has been reached: policy user over ratelimit,limit:10,time:{seconds} second"
        )
        headers = {}
        if "retry_after" in given:
            headers["Retry-After"] = str(given["retry_after"])
        if "retry_after_date" in given:
            headers["Retry-After"] = formatdate(time.time() + given["retry_after_date"], usegmt=True)
        return Answer(given.get("status", 429), {"error_code": "APIG.0308", "error_msg": message}, headers)

    def send(self, connection: socket.socket, head: bytes, body: bytes) -> bool:
        """Send the answer, for faults in how it is said. Whether the connection can be used further."""
        given = self.given
        if self.kind in ("reset", "close"):
            connection.sendall(_first_part(given.get("where", "before"), head, body))
            if self.kind == "reset":
                # Without lingering, closing sends a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return False
        if self.kind == "huge" and not given.get("compressed"):
            left = int(given.get("bytes", 2**30))
            connection.sendall(re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % left, head))
            while left:
                left -= connection.send(_CHUNK[:left])
            return True
        if self.kind == "delay":
            time.sleep(given.get("seconds", 1))
        if self.kind == "slow":
            rate = max(1, int(given.get("bytes_per_second", 10)))
            payload = head + body
            # Ten pieces a second, so that a time-out between two bytes never strikes.
            size = max(1, rate // 10)
            for start in range(0, len(payload), size):
                connection.sendall(payload[start : start + size])
                time.sleep(size / rate)
            return True
        connection.sendall(head + body)
        return True


def _first_part(where: str, head: bytes, body: bytes) -> bytes:
    return {
        "before": b"",
        "in_header": head[: len(head) // 2],
        "after_header": head,
        "mid_body": head + body[: len(body) // 2],
    }[where]


def _gzipped_blanks(size: int) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [compressor.compress(_CHUNK) for _i in range(size // len(_CHUNK))]
    return b"".join([*parts, compressor.compress(_CHUNK[: size % len(_CHUNK)]), compressor.flush()])


class FaultPlan:
    """The faults of a scenario or of a test, asked at every request."""

    def __init__(self, entries: object) -> None:
        self._faults = [Fault(entry, f"faults[{index}]") for index, entry in enumerate(listed(entries, "faults"))]
        self._lock = threading.Lock()

    def next(self, path: str) -> Fault | None:
        """Return the fault that strikes a request, the first of the plan if there are several. All of them count it."""
        with self._lock:
            striking = [fault for fault in self._faults if fault.strikes(path)]
        return striking[0] if striking else None
