# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and proxies that are at fault."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect

POOL = "pool-train-0123456789abcdef0123456789abcdef"
PASSWORD = {
    "auth_url": "https://iam.example.com",
    "username": "mara",
    "password": "pw-SECRET-2",
    "domain_name": "acme",
    "project_name": "eu-de_ml",
}
CLASSES = ("Error", "Exception", "HTTPSConnection", "urllib3", "[SSL", "_ssl")


def failure(options: dict[str, t.Any], **more: t.Any) -> ModelArtsError:
    """What comes of reading jobs, or of the login before it."""
    given = {"max_retries": 0, "timeout": 5, **options, **more}
    with pytest.raises(ModelArtsError) as raised, Client(connect(given, where="host-7")) as client:
        client.list_workloads_page(POOL, [])
    message = raised.value.message
    assert "SECRET" not in message
    assert message.isprintable()
    assert message.endswith(".")
    assert not any(name in message for name in CLASSES), message
    return raised.value


class Peer:
    """A server that reads a bit of what comes, answers with the same bytes each time, and closes."""

    def __init__(self, answer: bytes, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.heard.append(connection.recv(65536))
            connection.sendall(self._answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def stop(self) -> None:
        self._socket.close()
