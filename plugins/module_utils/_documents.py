# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the API: bytes -> a document that can be trusted to be one, and the parts of it that every list has.

This module util is private to the collection.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    TransportError,
    api_error,
    plain,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, t.Any]

WHOLE = re.compile(r"[0-9]{1,18}")
"""A whole number that is written as text."""

_DEEPEST = 50
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_OWN_KEYS = frozenset(("items", "total", "metadata", "kind"))
_ERROR_KEYS = ("error_code", "error_msg", "errorCode", "errorMsg", "error", "code", "message")


def document_of(request: str, headers: Mapping[str, str], body: bytes) -> Document:
    """The document that was answered with status 200.

    ``request`` names the call in sentences. Raises TransportError for one that is broken off, ApiError for an error,
    for what is no document of ModelArts, and for one that is nested deeper than any of the reference.
    """
    try:
        document = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] in (b"{", b"["):
            raise TransportError(f"{request}: the JSON that came is broken off or damaged.", status=200) from error
        raise api_error(request, 200, headers, body, "That is not JSON: check the endpoint, and proxies.") from error
    if not isinstance(document, dict):
        raise ApiError(f"{request}: the answer is JSON, but no object.", status=200)
    if "items" not in document and any(name in document for name in _ERROR_KEYS):
        raise api_error(request, 200, headers, body)
    if document and _OWN_KEYS.isdisjoint(document):
        raise api_error(request, 200, headers, body, "That is no document of ModelArts: check the endpoint.")
    if _may_be_deep(body) and _is_deep(document):
        raise ApiError(f"{request}: the answer is nested deeper than any that the reference knows.", status=200)
    return document


def _no_number(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _may_be_deep(body: bytes) -> bool:
    """Whether its brackets leave it open that it is, or stand within texts, too; many times as fast to tell."""
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    brackets = body.translate(None, _NO_BRACKETS).replace(b'""', b"")
    if b'"' in brackets:
        return True
    for _depth in range(_DEEPEST):
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not brackets:
            return False
    return True


def _is_deep(document: Document) -> bool:
    """Whether it is nested so deep that reading or printing it could exhaust the stack."""
    level: list[t.Any] = [document]
    for _depth in range(_DEEPEST):
        values = [value for one in level for value in (one.values() if isinstance(one, dict) else one)]
        level = [value for value in values if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


def items_of(document: Document) -> list[Document]:
    """The objects of a list document; null and absent are empty. Raises ApiError for anything else."""
    items = document.get("items")
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiError(
            f"The {plain(str(document.get('kind', 'list')), 40)} that the API sent has no list of objects in items."
        )
    return items


def total_of(document: Document) -> int | None:
    """How many records the API says that the list has; None when it does not say."""
    total = document.get("total")
    if isinstance(total, str):
        return int(total) if WHOLE.fullmatch(total) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None
