# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server that gives the answers of a script and records what was asked."""

from __future__ import annotations

import json
import socket
import threading
import typing as t
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Seen:
    """A request as it was on the wire. ``query`` is raw; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer of the script: JSON, text or bytes. ``broken`` closes the connection: at once, or within the body."""

    status: int = 200
    body: t.Any = None
    headers: t.Mapping[str, str] = field(default_factory=dict)
    broken: str = ""

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


Answer = t.Union[Reply, t.Callable[[Seen], Reply]]


class ScriptedServer:
    """Gives the answers of a script in their order, and the last one to all further requests."""

    def __init__(self, *answers: Answer) -> None:
        self.seen: list[Seen] = []
        self.answers = list(answers)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _mark, query = self.path.partition("?")
                seen = Seen(self.command, path, query, {name.lower(): value for name, value in self.headers.items()})
                with script._lock:
                    script.seen.append(seen)
                    answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                reply = answer(seen) if callable(answer) else answer
                if reply.broken == "at once":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = reply.content()
                self.send_response_only(reply.status)
                headers = {"Content-Type": "application/json", **reply.headers}
                headers["Content-Length"] = str(len(content) + (100 if reply.broken else 0))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = bool(reply.broken)

            do_GET = do_POST = _answer

            def log_message(self, *unused: object) -> None:
                pass

        return Handler
