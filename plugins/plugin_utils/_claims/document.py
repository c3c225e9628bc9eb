# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a pool in a store of claims: who has claimed which room, as text and as values. Pure.

Everything in it was written by others. It is checked key by key, so that no document, garbage included, ever adds room.

This plugin util is private to the collection.
"""

from __future__ import annotations

import json
import math
import re
import typing as t
from collections.abc import Set
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT = 1
"""What this code reads and writes. A document of a later format may hold claims of a kind that counts otherwise."""

MOST_CLAIMS = 1000
"""Claims of one pool, ended ones included. Ten gates a minute that each claim for a quarter of an hour have 300."""

LONGEST_TEXT = 1_000_000
"""Characters of a document; a claim takes about 500."""

LONGEST_WITH_NEW_CLAIM = 800_000
"""Characters that a document may have with another claim in it. The rest is left for the ends of those it has."""

MOST_JOBS_OF_CLAIM = 100
"""IDs of jobs that a claim keeps. Jobs that wait may have its name without end, and all of them have one document."""

# Another word may be an end after which the room is still promised, so such a document is refused.
WHY_ENDED = ("started", "over", "released", "void", "replaced")

# Others may have written the document, so no value of it takes memory or time without end.
_LONGEST_NAME = 300
# A look finds 500 jobs of its names, each of which may have two IDs.
_MOST_NAMES = 1000
_MOST_GROUPS = 200
# All jobs together that claims know, each ID written once. A claim is kept for under an hour.
_MOST_KNOWN = 5000
_KNOWN = re.compile("[0-9a-f]{1,1250}")
# As for quantities of the API: no pool has as much.
_MOST_AMOUNT = 10**18
# Between the id and the version of a claim that another one of its id has replaced. No id has it.
_REPLACED = "~"


class UnreadableDocumentError(ValueError):
    """A document that is not one of claims. ``str()`` says where it is wrong."""


class NewerFormatError(UnreadableDocumentError):
    """A document that a later version of this collection has written."""


class UnwritableDocumentError(ValueError):
    """A document that could not be read again, and so must not be written. ``str()`` says why, and what to do."""


@dataclass(frozen=True)
class Ended:
    """The one end of a claim: when by the store's clock, by which version of the document, and why."""

    at: float
    version: int
    why: str


class KnownJobs(Set[str]):
    """Some of the jobs that a document lists: the bits of a number, the lowest the first of the list.

    Others may have written the document, and a set of names for each claim would take far more memory than its text.
    """

    __slots__ = ("_bits", "_places")

    def __init__(self, places: Mapping[str, int], bits: int) -> None:
        self._places = places
        self._bits = bits

    def __contains__(self, uuid: object) -> bool:
        place = self._places.get(t.cast(str, uuid))
        return place is not None and bool(self._bits >> place & 1)

    def __iter__(self) -> Iterator[str]:
        return (uuid for uuid, bit in zip(self._places, reversed(f"{self._bits:b}")) if bit == "1")

    def __len__(self) -> int:
        return self._bits.bit_count()


@dataclass(frozen=True)
class Claim:
    """Room that a deployment has been promised and its job has not taken yet.

    ``key`` is what it stands under in its document: its id, and behind that of one that was replaced, its version.
    ``job`` is the name of the coming job, or a glob. ``known`` are the jobs of that name that were there before.
    ``knows_all`` says whether these are all, or whether of those that were over some were left out.
    ``is_placed`` says whether its replicas were promised places on nodes, and not amounts alone.
    ``read_at`` is when the pool was read for it, by the clock of the API, while all other times are the store's.
    ``jobs`` are those that have come. ``nonce`` tells the writes of one id apart, and ``version`` orders all claims.
    """

    key: str
    job: str
    type: str | None
    priority: int | None
    groups: tuple[Group, ...]
    amounts: Amounts
    owner: str
    labels: dict[str, str]
    created: float
    expires: float
    version: int
    nonce: str
    known: Set[str] = frozenset()
    knows_all: bool = False
    is_placed: bool = True
    read_at: float | None = None
    jobs: tuple[str, ...] = ()
    ended: Ended | None = None

    @property
    def id(self) -> str:
        return self.key.partition(_REPLACED)[0]

    @property
    def key_when_replaced(self) -> str:
        """What it stands under when another claim of its id has come."""
        return f"{self.id}{_REPLACED}{self.version}"

    @property
    def replicas(self) -> int:
        return sum(group.replicas for group in self.groups)


@dataclass(frozen=True)
class PoolClaims:
    """The document: the claims of a pool by their keys.

    ``born`` tells a document from one that was made anew in its place.
    """

    born: str
    claims: dict[str, Claim] = field(default_factory=dict)

    def with_claims(self, *claims: Claim) -> PoolClaims:
        """Return the document with these in it, in place of those of their keys."""
        return PoolClaims(self.born, {**self.claims, **{claim.key: claim for claim in claims}})

    @cached_property
    def newest(self) -> float:
        """The latest moment that something was written at; a store whose clock has gone back is behind it."""
        ends = (claim.ended.at for claim in self.claims.values() if claim.ended is not None)
        return max((*(claim.created for claim in self.claims.values()), *ends), default=0.0)


def dump_claims(document: PoolClaims, longest: int = LONGEST_TEXT) -> str:
    """Return the text of a document: the same for the same claims. Raises UnwritableDocumentError.

    Every document goes through here before it is written: one that cannot be read would close its pool to all gates.
    """
    # Once for all claims: under a glob, each of them knows nearly the same jobs.
    known = sorted(set().union(*(claim.known for claim in document.claims.values())))
    bits = {uuid: 1 << index for index, uuid in enumerate(known)}
    claims = {key: _dumped_claim(claim, bits) for key, claim in document.claims.items()}
    text = json.dumps({"format": FORMAT, "born": document.born, "known": known, "claims": claims}, sort_keys=True)
    if len(text) > longest:
        raise UnwritableDocumentError(
            f"their document would have {len(text)} characters, and may have {longest}: release claims whose jobs do "
            "not come, or claim for the whole name of a job instead of a pattern"
        )
    try:
        # All bounds are the reader's: a second list of them here would miss the next one.
        parse_claims(text)
    except UnreadableDocumentError as error:
        raise UnwritableDocumentError(f"they could not be read again, as {error}: ask for less at a time") from None
    return text


def parse_claims(text: str) -> PoolClaims:
    """Return the document that a text is. Raises UnreadableDocumentError, and NewerFormatError for a later format."""
    # Before parsing, which takes memory and time for each value.
    if len(text) > LONGEST_TEXT:
        raise UnreadableDocumentError(f"it has {len(text)} characters")
    try:
        # NaN and Infinity are no JSON, and every comparison with NaN is false: such a claim would never count.
        raw = json.loads(text, parse_constant=_refuse_constant_in_claims)
    except (ValueError, RecursionError):
        raise UnreadableDocumentError("it is no JSON") from None
    table = _ClaimTable("", raw)
    version = table.integer("format")
    # Before anything else is read: the rest may be of another shape.
    if version > FORMAT:
        raise NewerFormatError(f"its format is {version}")
    claims = table.value("claims")
    if version != FORMAT or not isinstance(claims, dict):
        raise UnreadableDocumentError("it is no document of claims")
    if len(claims) > MOST_CLAIMS:
        raise UnreadableDocumentError(f"it has {len(claims)} claims")
    known = {uuid: place for place, uuid in enumerate(table.names("known", _MOST_KNOWN))}
    if len(known) != len(table.names("known", _MOST_KNOWN)):
        raise UnreadableDocumentError("known has a job twice")
    parsed = [
        _parsed_claim(key, _ClaimTable(f"claims.{key[:_LONGEST_NAME]}", one), known) for key, one in claims.items()
    ]
    return PoolClaims(table.text("born"), {claim.key: claim for claim in parsed})


def _refuse_constant_in_claims(word: str) -> t.NoReturn:
    raise ValueError(word)


def _dumped_claim(claim: Claim, bits: Mapping[str, int]) -> dict[str, object]:
    return {
        "job": claim.job,
        "type": claim.type,
        "priority": claim.priority,
        "groups": [vars(group) for group in claim.groups],
        "amounts": claim.amounts,
        "owner": claim.owner,
        "labels": claim.labels,
        "created": claim.created,
        "expires": claim.expires,
        "version": claim.version,
        "nonce": claim.nonce,
        "known": f"{sum(bits[uuid] for uuid in claim.known):x}",
        "knows_all": claim.knows_all,
        "is_placed": claim.is_placed,
        "read_at": claim.read_at,
        "jobs": list(claim.jobs),
        "ended": None if claim.ended is None else vars(claim.ended),
    }


def _parsed_claim(key: str, table: _ClaimTable, known: Mapping[str, int]) -> Claim:
    groups = [_parsed_group_of_claim(one) for one in table.tables("groups", _MOST_GROUPS)]
    return Claim(
        key=key,
        job=table.text("job"),
        type=table.text_or_none("type"),
        priority=table.integer_or_none("priority"),
        groups=tuple(groups),
        amounts=table.amounts("amounts"),
        owner=table.text("owner"),
        labels={name: table.table("labels").text(name) for name in table.dictionary("labels")},
        created=table.number("created"),
        expires=table.number("expires"),
        version=table.integer("version"),
        nonce=table.text("nonce"),
        known=table.chosen("known", known),
        # A document that does not say so knows some of them.
        knows_all=table.value("knows_all") is True,
        is_placed=table.value("is_placed") is not False,
        read_at=None if table.value("read_at") is None else table.number("read_at"),
        jobs=tuple(table.names("jobs")),
        ended=None if table.value("ended") is None else _parsed_end_of_claim(table.table("ended")),
    )


def _parsed_group_of_claim(table: _ClaimTable) -> Group:
    resources = None if table.value("resources") is None else table.amounts("resources")
    size = 1 if table.value("affinity_group_size") is None else table.integer("affinity_group_size")
    return Group(table.integer("replicas"), resources, table.text_or_none("flavor"), max(1, size))


def _parsed_end_of_claim(table: _ClaimTable) -> Ended:
    why = table.text("why")
    if why not in WHY_ENDED:
        raise UnreadableDocumentError(f"{table.place('why')} is not known")
    return Ended(table.number("at"), table.integer("version"), why)


class _ClaimTable:
    """A dictionary of the document, and where it stands. Reading raises UnreadableDocumentError."""

    def __init__(self, where: str, raw: object) -> None:
        self._where = where
        if not isinstance(raw, dict):
            raise UnreadableDocumentError(f"{where or 'it'} is no dictionary")
        self._raw = raw

    def place(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def value(self, key: str) -> object:
        return self._raw.get(key)

    def text(self, key: str) -> str:
        value = self.value(key)
        if not isinstance(value, str) or len(value) > _LONGEST_NAME:
            raise self._wrong(key, "a text")
        return value

    def text_or_none(self, key: str) -> str | None:
        return None if self.value(key) is None else self.text(key)

    def integer(self, key: str) -> int:
        """Return a whole number, which is not below zero."""
        value = self.value(key)
        if not _is_claimed_amount(value):
            raise self._wrong(key, "a whole number")
        return t.cast(int, value)

    def integer_or_none(self, key: str) -> int | None:
        value = self.value(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST_AMOUNT:
            raise self._wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST_AMOUNT:
            raise self._wrong(key, "a time")
        if not math.isfinite(value):
            raise self._wrong(key, "a time")
        return float(value)

    def dictionary(self, key: str) -> dict[str, object]:
        value = self.value(key)
        if not isinstance(value, dict) or len(value) > _MOST_NAMES or any(len(name) > _LONGEST_NAME for name in value):
            raise self._wrong(key, "a dictionary")
        return value

    def amounts(self, key: str) -> Amounts:
        """Return amounts, none of which is below zero: that would be room."""
        table = self.dictionary(key)
        if not all(map(_is_claimed_amount, table.values())):
            raise self._wrong(key, "a table of amounts")
        return t.cast(Amounts, table)

    def table(self, key: str) -> _ClaimTable:
        return _ClaimTable(self.place(key), self.value(key))

    def tables(self, key: str, most: int) -> list[_ClaimTable]:
        value = self.value(key)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(key, "a list")
        return [_ClaimTable(self.place(key), one) for one in value]

    def chosen(self, key: str, places: Mapping[str, int]) -> KnownJobs:
        """Return the jobs that the bits of a hexadecimal number choose."""
        value = self.value(key)
        bits = int(value, 16) if isinstance(value, str) and _KNOWN.fullmatch(value) else -1
        if bits < 0 or bits >> len(places) or bits.bit_count() > _MOST_NAMES:
            raise self._wrong(key, "a choice of the known jobs")
        return KnownJobs(places, bits)

    def names(self, key: str, most: int = _MOST_NAMES) -> list[str]:
        value = self.value(key)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(key, "a list")
        if not all(isinstance(one, str) and len(one) <= _LONGEST_NAME for one in value):
            raise self._wrong(key, "a list of names")
        return t.cast("list[str]", value)

    def _wrong(self, key: str, kind: str) -> UnreadableDocumentError:
        return UnreadableDocumentError(f"{self.place(key)} is not {kind}")


def _is_claimed_amount(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_AMOUNT
