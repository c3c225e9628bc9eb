# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few exceptions that a user can meet, made from any error shape that the API has.

This module util is private to the collection.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import plain, sentence

if t.TYPE_CHECKING:
    from collections.abc import Mapping

TRANSIENT_STATUSES = frozenset((429, 500, 502, 503, 504))

_MAX_ERROR = 2**16  # bytes; an error has a code and a few sentences
_UTF_16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,30})")


class ModelArtsError(Exception):
    """One sentence that a person can act on, with what the API said beside it.

    ``status`` is the HTTP status; ``error_code`` and ``error_msg`` come from the body and ``request_id`` from the
    body or the header X-Request-Id. Each is None when the API did not give it. ``transient`` tells that the same call
    may succeed later, and ``from_iam`` that the login failed, so that nothing could be asked.

    All of them are one printable line without any secret that this process knows, whatever a server says and wherever.
    """

    from_iam = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_code: str | None = None,
        error_msg: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.message = sentence(message)
        super().__init__(self.message)
        self.status = status
        self.error_code = error_code and plain(error_code)
        self.error_msg = error_msg and plain(error_msg)
        self.request_id = request_id and plain(request_id)

    def add(self, more: str) -> None:
        """Say one thing more, at the end; nothing when it is empty."""
        if more:
            self.message = sentence(f"{self.message} {more}")
            self.args = (self.message,)

    @property
    def transient(self) -> bool:
        return self.status in TRANSIENT_STATUSES

    def as_result(self) -> dict[str, t.Any]:
        """The fields of a failed module: ``msg``, and of the others those that are known."""
        known: dict[str, t.Any] = {
            "transient": self.transient or None,
            "status": self.status,
            "error_code": self.error_code,
            "error_msg": self.error_msg,
            "request_id": self.request_id,
        }
        return {"msg": self.message, **{name: value for name, value in known.items() if value is not None}}


class InputError(ModelArtsError):
    """What the caller gave cannot be used. Nothing was sent."""


class MissingLibraryError(ModelArtsError):
    """An option needs a Python library that the host does not have. ``__cause__`` is the ImportError."""


class TransportError(ModelArtsError):
    """No answer: unreachable, refused, broken off or timed out. ``lasts`` tells that it would be so again."""

    lasts = False

    @property
    def transient(self) -> bool:
        return not self.lasts


class ApiError(ModelArtsError):
    """The API answered, with an error or with something that is no answer of its kind."""


def api_error(request: str, status: int, headers: Mapping[str, str], body: bytes, hint: str = "") -> ApiError:
    """The exception for an answer that is an error.

    ``request`` names the call in the sentence ("GET /v2/..."), ``hint`` is a closing sentence on what to do.
    Understands the shapes of the API reference: error_code/error_msg, error.code/error.message,
    errorCode/errorMsg, code/message, and plain text. HTML is named, never repeated.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    code, text, request_id = _details(body[:_MAX_ERROR], lower)
    request_id = request_id or plain(lower.get("x-request-id", "")) or None
    said = f"{code}: {text}" if code and text else code or text or "no explanation"
    return ApiError(
        f"{request} was answered {status} ({said}). {hint}",
        status=status,
        error_code=code,
        error_msg=text,
        request_id=request_id,
    )


def not_text(body: bytes, headers: Mapping[str, str]) -> str | None:
    """Why the bytes are not text in UTF-8, as JSON has to be; None when they are. For words, not for the screen."""
    lower = {name.lower(): value for name, value in headers.items()}
    if body.startswith(b"\x1f\x8b"):
        return "it is packed by gzip, and its header does not say so"
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
    if packed and packed.lower() != "identity":
        return f"it is packed by {plain(packed, 30)}, which was not asked for"
    charset = _CHARSET.search(lower.get("content-type", ""))
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
        return f"it is text in {plain(charset[1], 30)}, not in UTF-8"
    return "it is not text in UTF-8"


def _details(body: bytes, headers: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    is_html = "html" in headers.get("content-type", "").lower() or body.lstrip()[:1] == b"<"
    reason = None if is_html else not_text(body, headers)
    if reason is not None:
        return None, f"an answer that cannot be read: {reason}", None
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        if is_html:
            return None, "an HTML page, not JSON: another server than ModelArts answered", None
        return None, plain(text) or None, None
    if not isinstance(document, dict):
        return None, None, None
    nested = document.get("error")
    inner = nested if isinstance(nested, dict) else document
    code = _first(inner, "error_code", "errorCode", "code")
    message = _first(inner, "error_msg", "errorMsg", "message", "error_message")
    return code, message, _first(document, "request_id", "requestId")


def _first(document: Mapping[str, t.Any], *names: str) -> str | None:
    for name in names:
        value = document.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value):
            return plain(str(value)) or None
    return None
