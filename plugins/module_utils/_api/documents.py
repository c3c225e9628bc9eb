# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the API: bytes -> a document that can be trusted to be one, and the parts of it that every list has.

This module util is private to the collection.
"""

from __future__ import annotations

import json
import math
import re
import typing as t
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.answers import error_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import LARGEST_ANSWER
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Document = dict[str, object]
"""A document of the API, raw: what a value of it is must be asked where it is read."""

MOST_MEMORY = 3 * LARGEST_ANSWER
"""Bytes of memory that its text and its values may take beside it."""

WHOLE = re.compile(r"[0-9]{1,18}")
"""A whole number that is written as text."""

# Documents of the reference are nested nine levels deep at most; Python prints and compares some hundred.
_DEEPEST = 50
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_OWN_KEYS = frozenset(("items", "total", "metadata", "kind"))
# Every shape of errors that the references show: any of them may come with status 200.
_ERROR_KEYS = ("error_code", "error_msg", "errorCode", "errorMsg", "error", "code", "message")
# Those of Kubernetes have some hundred characters.
_LONGEST_TOKEN = 4096
_NOTHING = (None, "", 0, "0")
_LONGEST_INTEGER = 400  # digits; Python reads no more than 4,300, and a float holds 308
_MOST_KEYS = 300
"""Keys of one object. The most of any real one are the labels of a node, which are a hundred."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_HALF_OF_A_PAIR = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_NO_JSON = "\0"  # stands in no JSON, and so for a backslash that is escaped


class _TooManyKeysError(Exception):
    """An object has more keys than any of the reference."""


class _ContradictionError(Exception):
    """A key stands twice in one object, with two values."""


def document_of(request: str, headers: Mapping[str, str], body: bytes) -> Document:
    """Return the document that was answered with status 200.

    ``request`` names the call in sentences. Raises TransportError for one that is broken off, ApiError for an error,
    for what is no document of ModelArts, and for one that contradicts itself or is nested deeper than any of the
    reference. Text in it can be encoded: what stands for no character has become U+FFFD, in keys and in values.
    """
    try:
        document = _parse_json_document(body.decode("utf-8-sig", "replace"))
    except _ContradictionError as error:
        raise ApiError(
            f"{request}: the answer contradicts itself: {error} is in it twice, with two values.", status=200
        ) from None
    except _TooManyKeysError:
        raise ApiError(
            f"{request}: the answer has an object of more than {_MOST_KEYS} keys, more than any in the API reference.",
            status=200,
        ) from None
    except (ValueError, RecursionError) as error:
        # Began as JSON and did not end: broken off, which is worth another try.
        if body.lstrip()[:1] in (b"{", b"["):
            raise TransportError(f"{request}: the JSON is cut off or damaged.", status=200) from error
        raise error_of_answer(
            request, 200, headers, body, "The answer is not JSON: check the endpoint and proxies."
        ) from error
    if not isinstance(document, dict):
        raise ApiError(f"{request}: the answer is JSON, but not an object.", status=200)
    # Also beside items: an error with status 200 and empty items would be an empty list.
    if any(document.get(name) not in _NOTHING for name in _ERROR_KEYS):
        raise error_of_answer(request, 200, headers, body)
    # {} is left to the check of its kind, which says what was expected.
    if document and _OWN_KEYS.isdisjoint(document):
        raise error_of_answer(
            request, 200, headers, body, "The answer is not a document of ModelArts: check the endpoint."
        )
    # The cheap test first: most documents prove shallow by their brackets alone.
    if _may_json_nest_deep(body) and _is_json_nested_deep(document):
        raise ApiError(f"{request}: the answer is nested deeper than any in the API reference.", status=200)
    return document


def _parse_json_document(text: str) -> object:
    """Return what the JSON holds. A number too long or too large for one stays as the text that it is written as."""
    if "\\" in text and _SURROGATE.search(text):  # half of a pair is valid JSON, and no text that can be printed
        # The character that stands for escaped backslashes below must not come from the text itself.
        if _NO_JSON in text:
            raise ValueError("a control character in JSON")
        text = _HALF_OF_A_PAIR.sub(r"\\ufffd", text.replace(r"\\", _NO_JSON)).replace(_NO_JSON, r"\\")
    load = partial(
        json.loads,
        parse_constant=_refuse_json_constant,
        parse_float=_finite_json_number,
        object_pairs_hook=_json_object_without_duplicate_keys,
    )
    try:
        return load(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # int() refuses thousands of digits; a function for each integer would cost all answers time
        return load(text, parse_int=_short_json_integer)


def _json_object_without_duplicate_keys(pairs: list[tuple[str, object]]) -> Document:
    """Return the object that these pairs make.

    Raise _ContradictionError when the last value of a key would hide another one.
    """
    # Keys can be chosen to have one hash, and a table of them takes time by the square.
    if len(pairs) > _MOST_KEYS:
        raise _TooManyKeysError
    made = dict(pairs)
    if len(made) != len(pairs):
        for key, value in pairs:
            if value is not made[key] and repr(value) != repr(made[key]):  # 1 == true
                raise _ContradictionError(repr(one_line(key, 60)))
    return made


def _finite_json_number(text: str) -> float | str:
    number = float(text)
    # 1e999 is valid JSON and infinite in Python, where it would compare as more than anything.
    return number if math.isfinite(number) else text


def _short_json_integer(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_INTEGER else text


def _refuse_json_constant(name: str) -> t.NoReturn:
    # Python's parser takes NaN and Infinity, which compare as no amount does.
    raise ValueError(f"{name} is not a JSON number")


def _may_json_nest_deep(body: bytes) -> bool:
    """Return False where the number of brackets proves that the nesting is shallow, and True where a walk must tell.

    Counting is many times as fast as the walk.
    """
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


def _is_json_nested_deep(document: Document) -> bool:
    """Return whether it is nested so deep that reading or printing it could exhaust the stack."""
    level: list[Document | list[object]] = [document]
    for _depth in range(_DEEPEST):
        values = [value for one in level for value in (one.values() if isinstance(one, dict) else one)]
        level = [value for value in values if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


def require_document_kind(request: str, document: Document, kind: str) -> None:
    """Raise ApiError for a document of another kind: the reference gives one to each call, and none is optional."""
    if document.get("kind") != kind:
        found = one_line(repr(document.get("kind")), 60) if "kind" in document else "none"
        raise ApiError(f"{request}: the answer is not a {kind}: its kind is {found}.", status=200)


def items_of_document(document: Document) -> list[Document]:
    """Return the objects of a list document; null is empty, and nothing at all where a total is told.

    Raise ApiError for anything else.
    """
    # null and absent both occur for an empty list (ListWorkloads).
    items = document.get("items")
    if items is None and ("items" in document or total_of_document(document) is not None):
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiError(
            f"The {one_line(str(document.get('kind', 'list')), 40)} from the API has no list of objects in items."
        )
    return items


def total_of_document(document: Document) -> int | None:
    """Return how many records the API says that the list has.

    Return None when it does not say, or nothing that can be read.
    """
    total = document.get("total")
    if isinstance(total, str):
        # Counts of the API come as a text or as a number (ShowWorkloadStatistics).
        return int(total) if WHOLE.fullmatch(total) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def has_document_unreadable_total(document: Document) -> bool:
    return document.get("total") is not None and total_of_document(document) is None


def continue_token_of_document(request: str, document: Document) -> str | None:
    """Return what to ask for the next page with; None on the last page.

    Raise ApiError when there has to be one and is none.

    Source: ListPoolNodes, metadata.continue and metadata.remainingItemCount.
    """
    metadata = document.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise ApiError(
            f"{request}: the metadata of the list is not an object, so it is not known whether the list goes on."
        )
    token, remaining = metadata.get("continue"), metadata.get("remainingItemCount")
    if token:
        # Before it becomes a part of an address: quoting it takes memory for each of its characters.
        if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
            raise ApiError(f"{request}: the token for the rest of the list is not a text, or is too long for a token.")
        return token
    # Items that cannot be asked for could hold cards, or share a display name.
    if remaining not in _NOTHING:
        raise ApiError(
            f"{request}: the list has {one_line(repr(remaining), 40)} more items, but no token to request them."
        )
    return None


def says_document_goes_on(document: Document) -> bool:
    """Return whether a list that is read by offsets says that it goes on, as those do that have tokens."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return metadata is not None
    return bool(metadata.get("continue")) or metadata.get("remainingItemCount") not in _NOTHING


def distinct_documents(documents: Iterable[Document]) -> list[Document]:
    """Return the documents, each once, whatever pages have it again.

    Of one that changed meanwhile, all versions are kept.

    Which version holds is for the reader to tell: the later one may well be the older.
    """
    first: dict[str, Document] = {}
    versions: dict[str, set[str]] = {}
    kept = []
    for document in documents:
        metadata = document.get("metadata")
        name = str(metadata.get("name")) if isinstance(metadata, dict) else ""
        if name in first:
            # Only for names that repeat: dumping every document would take as long as parsing it.
            known = versions.setdefault(name, {json.dumps(first[name], sort_keys=True)})
            version = json.dumps(document, sort_keys=True)
            if version in known:
                continue
            known.add(version)
        else:
            first[name] = document
        kept.append(document)
    return kept
