# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that does with each connection what an attack says, on the socket itself."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import typing as t
import zlib

Answer = t.Callable[["Asked"], None]

MEBIBYTE = 2**20


def gzip_of(*parts: tuple[bytes, int]) -> bytes:
    """Each part so many times, packed. After a full flush nothing refers to what was before: one block is for all."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed, checksum, size = bytearray(b"\x1f\x8b\x08\0\0\0\0\0\0\xff"), 0, 0
    for part, times in parts:
        most = max(1, MEBIBYTE // len(part))
        for block, count in ((part * most, times // most), (part * (times % most), 1)):
            packed += (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)) * count
            for _block in range(count):
                checksum = zlib.crc32(block, checksum)
            size += len(block) * count
    return bytes(packed + packer.flush() + struct.pack("<2L", checksum, size))


class Asked:
    """One request: its path, its query, and ways to answer it."""

    def __init__(self, connection: socket.socket, head: bytes) -> None:
        self.connection = connection
        self.path, _mark, query = head.split(b" ")[1].decode().partition("?")
        self.query = dict(part.split("=") for part in query.split("&") if part)

    def send(
        self, body: bytes, *headers: str, status: int = 200, content_type: str = "Content-Type: application/json"
    ) -> None:
        lines = filter(None, (f"HTTP/1.1 {status} OK", content_type, f"Content-Length: {len(body)}", *headers))
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())
        self.connection.sendall(body)

    def send_json(self, document: t.Any) -> None:
        self.send(json.dumps(document).encode())

    def send_packed(self, packed: bytes, *headers: str, **keys: t.Any) -> None:
        self.send(packed, "Content-Encoding: gzip", *headers, **keys)

    def drip(self, data: bytes, pause: float = 0.1) -> None:
        """A byte now and then, until the client has enough of it."""
        for index in range(len(data)):
            self.connection.sendall(data[index : index + 1])
            if threading.Event().wait(pause):
                return


class Attacker:
    """Answers each request with ``answer``; what the client does not wait for ends quietly."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *unused: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            received = b""
            while True:
                while b"\r\n\r\n" not in received:
                    more = connection.recv(65536)
                    if not more:
                        return
                    received += more
                head, _end, received = received.partition(b"\r\n\r\n")
                self.asked += 1
                self._answer(Asked(connection, head))
