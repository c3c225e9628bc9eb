# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of answers, bounded as they come in.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
import zlib

from ansible_collections.poolgate.modelarts.plugins.module_utils._http.faults import NoAnswerError

if t.TYPE_CHECKING:
    import requests

_CHUNK = 2**18
SMALL_ANSWER = 16 * 2**20
"""Bytes: more than IAM ever sends, and what any answer may unpack to, however little came."""

_HIGHEST_RATIO = 100
"""How many bytes a byte may unpack to beyond that. Lists of jobs and nodes that are much alike pack to a fiftieth."""
_GZIP = 31  # zlib's number for the format with header and checksum


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
        allowed = min(most, max(SMALL_ANSWER, received * _HIGHEST_RATIO))
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
