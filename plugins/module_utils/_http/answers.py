# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are errors, in any shape that the API has, and what headers say.

This module util is private to the collection.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_ERROR = 2**16  # bytes; an error has a code and a few sentences
_UTF_16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,30})")
_NEXT_DATE = re.compile(r"\s*,\s*(?=(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,)")
# The gateway's own words: "policy user over ratelimit,limit:XX,time:1 second".
_THROTTLE_TIME = re.compile(r"time:\s*([0-9]{1,6})\s*(second|minute)")


def error_of_answer(request: str, status: int, headers: Mapping[str, str], body: bytes, hint: str = "") -> ApiError:
    """Return the exception for an answer that is an error.

    ``request`` names the call in the sentence ("GET /v2/..."), ``hint`` is a closing sentence on what to do.
    Understands the shapes of the API reference: error_code/error_msg, error.code/error.message,
    errorCode/errorMsg, code/message, and plain text. HTML is named, never repeated.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    # Cut first: an error is for one sentence, whatever length a server gives it.
    code, text, request_id = _error_details_in_answer(body[:_MAX_ERROR], lower)
    # Support asks for it, and not every shape of an error has it in the body.
    request_id = request_id or one_line(lower.get("x-request-id", "")) or None
    said = f"{code}: {text}" if code and text else code or text or "no explanation"
    return ApiError(
        f"{request} returned {status} ({said}). {hint}",
        status=status,
        error_code=code,
        error_msg=text,
        request_id=request_id,
        retry_after=_retry_after_of_answer(lower, body),
    )


def why_answer_is_no_text(body: bytes, headers: Mapping[str, str]) -> str | None:
    """Return why the bytes are not text in UTF-8, as JSON has to be; None when they are.

    It goes into a sentence; the bytes themselves would move the cursor of a terminal.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    # Told in words: bytes on a terminal could move its cursor.
    if body.startswith(b"\x1f\x8b"):
        return "it is compressed with gzip, but its header does not say so"
    if body.startswith(_UTF_16_OR_32) or b"\0" in body[:4]:
        return "it is text in UTF-16 or UTF-32, not in UTF-8"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end == len(body) and error.reason == "unexpected end of data":
            return None  # broken off within a character
    else:
        return None
    packed = lower.get("content-encoding", "").strip()
    if packed and packed.lower() not in ("identity", "gzip", "x-gzip"):
        return f"it is compressed with {one_line(packed, 30)}, which was not requested"
    charset = _CHARSET.search(lower.get("content-type", ""))
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
        return f"it is text in {one_line(charset[1], 30)}, not in UTF-8"
    return "it is not text in UTF-8"


def _error_details_in_answer(body: bytes, headers: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    is_html = "html" in headers.get("content-type", "").lower() or body.lstrip()[:1] == b"<"
    reason = None if is_html else why_answer_is_no_text(body, headers)
    if reason is not None:
        return None, f"an answer that cannot be read: {reason}", None
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    # Python's parser ends with a RecursionError on JSON that is nested some thousand times.
    except (ValueError, RecursionError):
        if is_html:
            return None, "an HTML page, not JSON: a server other than ModelArts answered", None
        return None, one_line(text) or None, None
    if not isinstance(document, dict):
        return None, None, None
    nested = document.get("error")
    inner = nested if isinstance(nested, dict) else document
    # Gateway, ModelArts and IAM have names of their own for these.
    code = _first_text_in_answer(inner, "error_code", "errorCode", "code")
    message = _first_text_in_answer(inner, "error_msg", "errorMsg", "message", "error_message")
    return code, message, _first_text_in_answer(document, "request_id", "requestId")


def _first_text_in_answer(document: Mapping[str, object], *names: str) -> str | None:
    for name in names:
        value = document.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value):
            return one_line(str(value)) or None
    return None


def _retry_after_of_answer(headers: Mapping[str, str], body: bytes) -> float | None:
    """Return the seconds that a throttling answer asks for.

    That is Retry-After (seconds or a date), else the time that the text of the error names.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    at = date_of_answer(text)
    if at is not None:
        now = date_of_answer(headers.get("date", ""))
        # A date is compared with the server's own: this host's clock may be wrong.
        return max(0.0, at - (time.time() if now is None else now))
    # A beginning is enough, and decoding all of a long body takes time.
    match = _THROTTLE_TIME.search(body[:2000].decode("utf-8", "replace"))
    return float(match.group(1)) * (60 if match.group(2) == "minute" else 1) if match else None


def date_of_answer(text: str) -> float | None:
    """Return the seconds since the epoch; None for what is no date, the 31st of February included.

    Of several dates in one header, as a cache may put its own before that of the answer, the earliest counts.
    """
    dates = [_one_date_of_answer(one) for one in _NEXT_DATE.split(text)]
    return min((at for at in dates if at is not None), default=None)


def _one_date_of_answer(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError, OSError):
        return None
