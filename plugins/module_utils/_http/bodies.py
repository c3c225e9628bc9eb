# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of answers: unpacked as they come in, each of them bounded, and all that are under way together.

This module util is private to the collection.
"""

from __future__ import annotations

import threading
import typing as t
import zlib

from ansible_collections.poolgate.modelarts.plugins.module_utils._http.no_answer import NoAnswerError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

LARGEST_ANSWER = 128 * 2**20
"""Bytes that an answer may unpack to: 600 pages of nodes as the reference shows them."""

SMALL_ANSWER = 16 * 2**20
"""Bytes: more than IAM ever sends, and what any answer may unpack to, however little came."""

# Threads read eight answers at a time, so without this bound eight of the largest would be a gigabyte before the first
# of them is looked at. Real pages are some hundred kilobytes.
MOST_UNDER_WAY = 2 * LARGEST_ANSWER
"""Bytes of all bodies of one read that have come in and are not parsed yet."""

_HIGHEST_RATIO = 100
"""How many bytes a byte may unpack to beyond that. Lists of jobs and nodes that are much alike pack to a fiftieth."""

_CHUNK = 2**18  # what is read and unpacked at once, so that a bound is passed by no more than that
_GZIP = 31  # zlib's number for the format with header and checksum


class Bodies:
    """The bodies that the threads of one read have under way.

    Each may have a share of what all may have, and one at a time may have up to the largest size: so the one that is
    large always gets to its end, and the others wait for it, as long as ``left`` tells.
    """

    def __init__(self, largest: int, threads: int, left: Callable[[], float]) -> None:
        self._largest = largest
        # Divided so that the bound holds with one answer at the largest size and every thread at its share.
        self._share = (MOST_UNDER_WAY - largest) // threads
        self._left = left
        self._turn = threading.Lock()

    def read(self, response: requests.Response) -> bytes:
        """Return the whole body, which counts as under way until release().

        Raises NoAnswerError for one above the largest size, for one that unpacks to more than _HIGHEST_RATIO times what
        came, and for one that waits in vain.

        urllib3 does not unpack it: before 2.6 it unpacks whatever a read brings at once, without a bound.
        """
        body = bytearray()
        try:
            for piece, allowed in self._pieces_of_body(response):
                # Once only, when the share is passed: real pages never are that large, and never wait.
                if len(body) <= self._share < len(body) + len(piece):
                    self._wait_for_memory()
                body += piece
                # After each piece: memory passes the bound by one chunk at most.
                if len(body) > allowed:
                    raise _body_too_large(allowed, self._largest)
        except BaseException:
            response.close()  # what is left of the answer must not become the next one on this connection
            self.release(len(body))
            raise
        return bytes(body)

    def release(self, size: int) -> None:
        """Say that a body of this size is no longer needed."""
        if size > self._share:
            self._turn.release()

    def _pieces_of_body(self, response: requests.Response) -> Iterator[tuple[bytes, int]]:
        """Yield the body as it comes in, with the size that what came so far allows."""
        # Only gzip was asked for; anything else comes out as it came in, and is no JSON then.
        is_packed = response.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")
        unpacker = zlib.decompressobj(_GZIP)
        received = 0
        # urllib3 1.26 has no read1 and waits for whole chunks, which hides slow bytes from the clock.
        read = getattr(response.raw, "read1", response.raw.read)
        while chunk := read(_CHUNK, decode_content=False):
            received += len(chunk)
            # Of what came so far: a bomb is told from the first bytes that unpack to too much.
            allowed = min(self._largest, max(SMALL_ANSWER, received * _HIGHEST_RATIO))
            piece = chunk
            while is_packed:
                piece = unpacker.decompress(chunk, _CHUNK)
                chunk = unpacker.unconsumed_tail
                if not chunk and len(piece) < _CHUNK:
                    break  # a full piece may have more behind it, even with no byte left to unpack
                yield piece, allowed
            yield piece, allowed
            # Bytes behind the packed text would be dropped unread.
            if unpacker.unused_data:
                raise zlib.error("more than one compressed answer")
        if is_packed and received and not unpacker.eof:
            raise NoAnswerError("the answer broke off", unreached=True)

    def _wait_for_memory(self) -> None:
        # One at a time: of two that both passed their share, each could wait for memory that the other holds.
        if not self._turn.acquire(timeout=min(max(self._left(), 0.0), threading.TIMEOUT_MAX)):
            raise NoAnswerError(
                f"the answers that are being read are larger than {MOST_UNDER_WAY // 2**20} MiB together"
            )


def _body_too_large(allowed: int, largest: int) -> NoAnswerError:
    if allowed == largest:
        return NoAnswerError(f"the answer is larger than {largest // 2**20} MiB", lasts=True)
    return NoAnswerError(f"the answer unpacks to more than {_HIGHEST_RATIO} times its size", lasts=True)
