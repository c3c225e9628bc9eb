# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: hidden in every text that leaves, and never at the price of data that decides.

Text is hidden by substring, as ansible-core does it in the results of modules. Done to data, that would change it: with
the password ``train`` a pool ``train-a`` would become ``********-a``. So three steps keep the two apart. A secret that
is short or an ordinary word is refused before anything is sent. Texts that a person chose, and nothing decides on, are
hidden. Facts that hold a secret anywhere else are not returned at all.

This module util is private to the collection.
"""

from __future__ import annotations

import json
import re
import typing as t
import weakref
from base64 import b64encode
from contextlib import contextmanager
from urllib.parse import quote

from ansible_collections.poolgate.modelarts.plugins.module_utils._respelled import (
    NormalSecret,
    RespelledSearch,
    normal_secrets,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._search import StringSearch
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import ERROR_CODES, JOB_TYPES, STATUSES

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

AnyFacts = t.TypeVar("AnyFacts", bound="Mapping[str, object]")

HIDDEN = "********"

# Below four characters, the asterisks in ordinary sentences would tell the secret.
_SHORTEST = 4
_SHORTEST_PACKED = 12  # characters of Base64 that could not as well be those of an ID
# Amounts in bytes and times in milliseconds have thirteen digits, so a shorter number can be a part of one.
_LONGEST_NUMBER = 14
# What facts, decisions, and the paths of requests are made of. Each of these words is in the answer for any pool.
_WORDS = """
    false none null true get post projects pools nodes workloads metrics runtime statistics tokens modelarts apig apigw
    error available deleting checking waiting enabled enabling disabled physical logical admit reject unknown password
    nvidia.com/gpu huawei.com/ascend-1980 memory cards
""" + " ".join((*JOB_TYPES, *STATUSES, *ERROR_CODES)).lower()
# Texts that whoever starts a job, or runs a server, chooses. They are shown, and decide nothing.
_FREE_TEXTS = frozenset(
    ("job_name", "user_name", "display_name", "message", "msg", "error_msg", "request_id", "extra", "warnings")
)
# What no user and no password of a URL has, whoever wrote it, and how long the two can be.
_END_OF_USERINFO = re.compile(r"[\s\"'<>]")
_LONGEST_USERINFO = 300
_ESCAPED = re.compile(r"%[0-9A-F]{2}")
_ASCII_RUN = re.compile(r"[\x20-\x7e]{8,}")  # a shorter one is a word as often
_URL_SAFE = str.maketrans("+/", "-_")


class SecretsOwner(t.Protocol):
    """Something that holds secrets, and gets new ones: a login."""

    def secrets(self) -> Iterable[str]:
        """Return those that are good for several requests."""

    def passing_secrets(self) -> Iterable[str]:
        """Return those that are good for one request only."""


class Forms(t.NamedTuple):
    """What a secret is looked for as: in data as it is spelled, in sentences in all of these forms."""

    spelled: tuple[str, ...]
    respelled: frozenset[NormalSecret]
    runs: frozenset[NormalSecret]
    spelled_runs: tuple[str, ...]


class SecretSearch:
    """The forms of several secrets, ready to be looked for."""

    def __init__(self, forms: Iterable[Forms]) -> None:
        each = list(forms)
        self.spelled = StringSearch(spelling for one in each for spelling in one.spelled)
        self.respelled = RespelledSearch(found for one in each for found in one.respelled)
        self.spelled_runs = StringSearch(spelling for one in each for spelling in one.spelled_runs)
        self.runs = RespelledSearch(found for one in each for found in one.runs)


class Owners:
    """Those that hold secrets, for as long as they live, and the forms of these secrets.

    To make the forms of one long token takes milliseconds, and a process that runs for long has two hundred. So they
    are made once, and kept for as long as their secret is: a bound of their own would be too small for some process,
    and then each sentence would make all of them anew.
    """

    def __init__(self) -> None:
        # Threads read them while others add: each of the operations on them is one step of Python's.
        self._owners: dict[int, weakref.ref[SecretsOwner]] = {}
        self._known: tuple[dict[str, Forms], SecretSearch] = ({}, SecretSearch(()))

    def add(self, owner: SecretsOwner) -> None:
        key, owners = id(owner), self._owners
        owners[key] = weakref.ref(owner, lambda _gone: owners.pop(key, None))

    def search(self) -> SecretSearch:
        """Return the search for all secrets that the owners have now."""
        return self._forms_and_search()[1]

    def spellings(self, secrets: Iterable[str]) -> Iterator[str]:
        """Yield the spellings of ``secrets``, whether they are an owner's or not."""
        forms, _search = self._forms_and_search()
        for secret in secrets:
            yield from forms[secret].spelled if secret in forms else _spellings_of_secret(secret)

    def _forms_and_search(self) -> tuple[dict[str, Forms], SecretSearch]:
        owners = [owner for owner in (reference() for reference in list(self._owners.values())) if owner is not None]
        secrets = {secret for owner in owners for own in (owner.secrets(), owner.passing_secrets()) for secret in own}
        forms, search = self._known
        if forms.keys() != secrets:
            forms = {secret: forms.get(secret) or _forms_of_secret(secret) for secret in secrets}
            search = SecretSearch(forms.values())
            self._known = forms, search
        return forms, search


_owners = Owners()


def hide_secrets_of(owner: SecretsOwner) -> None:
    """Have hide_known_secrets() know the secrets of ``owner`` for as long as it lives."""
    _owners.add(owner)


@contextmanager
def know_secrets_apart(owners: Owners) -> Iterator[None]:
    """Have hide_known_secrets() know those of ``owners``, to which new ones are added, and no others, for a while.

    What is said after a look of this process is then hidden no more than after a look by the module: with the password
    ``placement``, asterisks in the verdict would tell it.
    """
    global _owners
    before, _owners = _owners, owners
    try:
        yield
    finally:
        _owners = before


def hide_known_secrets(text: str, most: int | None = None) -> str:
    """Return ``text`` without any secret of this process, and without the user and password of a URL.

    Of a text that is longer than ``most`` only so much is left: the rest would cost time. No part of a secret is at its
    end, where the cut may go through one.
    """
    search = _owners.search()
    text = _hide_spelled(text, search.spelled)
    if most is None or len(text) <= most:
        return _hide_other_forms_of_secrets(text, search)
    start = text.lstrip()[: most + _LONGEST_USERINFO]
    masked = _hide_other_forms_of_secrets(start, search)
    return masked[: max(0, len(masked) - _LONGEST_USERINFO)] if len(start) > most else masked


def _hide_other_forms_of_secrets(text: str, search: SecretSearch) -> str:
    """Return the text without what is no plain spelling: respelled, Base64 in lines, the ASCII in another charset."""
    text = search.respelled.mask(text, HIDDEN)
    text = search.runs.mask(_hide_spelled(text, search.spelled_runs), HIDDEN)
    return _hide_secrets_of_userinfo(text)


def _forms_of_secret(secret: str) -> Forms:
    spelled = _spellings_of_secret(secret)
    packed = [one for one in _packed_spellings_of_secret(secret) if len(one) >= _SHORTEST_PACKED]
    runs = _ascii_runs_of_secret(secret)
    return Forms(
        spelled,
        normal_secrets((secret, *packed)),
        normal_secrets(runs),
        tuple(spelling for run in runs for spelling in _spellings_of_secret(run)),
    )


def _ascii_runs_of_secret(secret: str) -> list[str]:
    """Return what stays of a secret when a server takes one charset for another: all but the letters beside ASCII.

    They are for sentences alone: in facts, such a piece may be a word of the data.
    """
    return [] if secret.isascii() else [run for run in _ASCII_RUN.findall(secret) if not is_secret_common_word(run)]


def _hide_secrets_of_userinfo(text: str) -> str:
    """Return the text without what stands between ``://`` and the last ``@`` behind it.

    Each step gets on to the next ``@`` or to an end, so that millions of beginnings take no longer than one. A regular
    expression would look at hundreds of characters for each.
    """
    parts, done = [], 0
    start = text.find("://")
    while start >= 0:
        start += 3
        at = text.find("@", start)
        if at < 0:
            break
        # Too far away for this beginning: the next one to look at is the first that is near enough.
        if at - start > _LONGEST_USERINFO:
            start = text.find("://", at - _LONGEST_USERINFO - 3)
            continue
        end = _END_OF_USERINFO.search(text, start, start + _LONGEST_USERINFO + 1)
        stop = end.start() if end is not None else start + _LONGEST_USERINFO + 1
        last = text.rfind("@", start, stop)
        if last > start:
            parts += [text[done:start], HIDDEN]
            done = last
        start = text.find("://", max(last, min(stop, at)))
    return "".join([*parts, text[done:]])


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with each of the secrets replaced by asterisks, however it is spelled."""
    return _hide_spelled(text, StringSearch(_owners.spellings(secrets)))


def _hide_spelled(text: str, spelled: StringSearch) -> str:
    # The longest first: a shorter spelling within it would leave the rest of the longer one.
    for spelling in sorted(set(spelled.found_in(text)), key=len, reverse=True):
        text = text.replace(spelling, HIDDEN)
    return text


def is_secret_common_word(secret: str) -> bool:
    """Return whether a secret cannot be hidden without changing ordinary sentences and data."""
    # With a point, too: amounts are printed with one.
    is_number = secret.isascii() and secret.replace(".", "").isdigit() and len(secret) <= _LONGEST_NUMBER
    return len(secret) < _SHORTEST or is_number or secret.lower() in _WORDS


def without_secrets(facts: AnyFacts, secrets: Iterable[str]) -> AnyFacts | None:
    """Return the facts, with secrets hidden in free texts.

    Return None when one occurs anywhere else, in a key or a number included.
    """
    known = [secret for secret in secrets if secret]
    spellings = list(_owners.spellings(known))
    spelled = StringSearch(spellings)
    wanted = StringSearch([*spellings, *(one for secret in known for one in _secret_as_python_writes_it(secret))])
    if not known or not _any_occurs(wanted, facts):
        return facts
    # Searched again afterwards: only free texts were cleaned, and facts with a secret in another are not returned.
    cleaned = t.cast(AnyFacts, _value_without_secrets(facts, spelled, False))
    return None if _any_occurs(wanted, cleaned) else cleaned


def _value_without_secrets(value: object, spelled: StringSearch, is_free: bool) -> object:
    if isinstance(value, str):
        return _hide_spelled(value, spelled) if is_free else value
    if isinstance(value, dict):
        return {
            _hide_spelled(key, spelled) if is_free and isinstance(key, str) else key: _value_without_secrets(
                one, spelled, is_free or key in _FREE_TEXTS
            )
            for key, one in value.items()
        }
    return (
        [_value_without_secrets(one, spelled, is_free) for one in value] if isinstance(value, (list, tuple)) else value
    )


def _any_occurs(wanted: StringSearch, facts: object) -> bool:
    return any(True for piece in _texts_that_may_have_secrets(facts) for _found in wanted.found_in(piece))


def _texts_that_may_have_secrets(value: object, depth: int = 3) -> Iterator[str]:
    """Yield the value as text, piece by piece: a hundred thousand jobs at once would double the memory of a read.

    Writing it and searching that is many times as fast as looking at each text and number.
    """
    if depth and isinstance(value, dict):
        for key, one in value.items():
            yield repr(key)
            yield from _texts_that_may_have_secrets(one, depth - 1)
    elif depth and isinstance(value, list):
        for one in value:
            yield from _texts_that_may_have_secrets(one, depth - 1)
    else:
        yield repr(value)


def _spellings_of_secret(secret: str) -> tuple[str, ...]:
    """Return the secret as it is, and in what servers write it: quoted for URLs, forms and JSON, and each in Base64."""
    return (*_plain_spellings_of_secret(secret), *_packed_spellings_of_secret(secret))


def _plain_spellings_of_secret(secret: str) -> tuple[str, ...]:
    if not secret:
        return ()
    quoted = [quote(secret, safe, errors="replace") for safe in ("", "/")]
    quoted += [one.replace("%20", "+") for one in quoted]
    # Both cases of the hexadecimal digits occur in what servers write.
    quoted += [_ESCAPED.sub(lambda found: found[0].lower(), one) for one in quoted]
    written = [json.dumps(secret, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)]
    written += [one.replace("/", "\\/") for one in written]
    return tuple(dict.fromkeys((secret, *quoted, *written)))


def _packed_spellings_of_secret(secret: str) -> tuple[str, ...]:
    """Return what Base64 makes of each spelling, alone and within a longer text, like the body of a login."""
    found: list[str] = []
    for spelling in _plain_spellings_of_secret(secret):
        # Half a surrogate pair from the environment cannot be encoded, and must not end in a traceback.
        data = spelling.encode("utf-8", "replace")
        found.append(b64encode(data).decode().rstrip("="))
        # Three bytes are four characters, and the outer ones are mixed with the neighbours.
        within = [b64encode(data[skipped:])[:-4].decode() for skipped in (0, 1, 2)]
        found += [one for one in within if len(one) >= _SHORTEST_PACKED]
    return tuple(dict.fromkeys((*found, *(one.translate(_URL_SAFE) for one in found))))


def _secret_as_python_writes_it(secret: str) -> tuple[str, str]:
    """Return the secret as repr() has it within quotes of one kind and of the other."""
    written = repr(f'"{secret}')[2:-1]
    return written, repr(f"'{secret}")[2:-1]
