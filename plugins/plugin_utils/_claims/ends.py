# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How claims end, and how they are listed: what a release, a renewal, a watch and a list do with the store.

This plugin util is private to the collection.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import (
    bounded_names,
    claim_facts,
    row_for_claiming,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    UnreadableDocumentError,
    UnwritableDocumentError,
    dump_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    DEFAULT_SECONDS,
    bind_job_to_claim,
    claim_of_id,
    end_claim,
    end_of_claimed_room,
    is_claim_for,
    is_claim_given_back,
    mark_claims,
    names_claims_look_for,
    release_claim_of,
    renew_claim_of,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.seen import seen_jobs

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FoundJobFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import Claim, PoolClaims
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import Reading, Row
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import ClaimFacts

OwnClaim = tuple[str, str]
"""The ID of a claim, and its nonce, or an empty one for all claims that have the ID."""

Look = t.Callable[[str, list[str]], "tuple[Sequence[FoundJobFacts], bool] | None"]
"""A look at the jobs of a pool that have certain names: (the jobs, whether these are all); None when they could not be
read."""

# As for gates: of twenty that write in one second, none loses twenty swaps.
_MOST_ROUNDS = 20


class ListedClaim(t.TypedDict):
    """A claim of a list, its pool, and whether it was released and only takes room until a late job would show."""

    pool: str
    claim: ClaimFacts
    is_released: bool


class _Place(t.NamedTuple):
    """Where a claim is: its pool, a reading that begins before anything of it is asked, and the names to look for.


    The document is not kept: who may write the store can give one ID to claims in very many pools.
    """

    pool: str
    began: Reading
    names: Sequence[str]
    claim: Claim


def list_claims(store: Store, remark: Callable[[str], None]) -> list[ListedClaim]:
    """Return the claims of all pools that take room, the oldest first. Raises StoreError.

    ``remark`` is told of each pool whose claims cannot be read.
    """
    return [
        {
            "pool": pool,
            "claim": claim_facts(claim, claim.amounts, moment),
            "is_released": claim.ended is not None,
        }
        for pool, moment, claim in _claims_that_take_room(store, remark)
    ]


def ids_of_claims_to_end(store: Store, prefix: str, owner: str) -> list[tuple[str, str]]:
    """Return (ID, nonce) of claims that have not ended and that one run of a pipeline's job has made.

    Raises StoreError.
    """
    begin = f"{prefix}/"
    claims = [claim for _pool, _moment, claim in _claims_that_take_room(store) if claim.ended is None]
    # A retry has the same IDs, and may have claimed before the run that was cancelled gives its own back.
    return [(claim.id, claim.nonce) for claim in claims if claim.id.startswith(begin) and claim.owner == owner]


def release_claim(
    store: Store, claim_id: str, look: Look, *, nonce: str = "", submitted: bool, job: str | None = None
) -> list[str]:
    """Return what became of the claims of an id, in every pool, or of the one of a nonce: each is given back.

    One whose job waits is not. If ``job`` is given, only that one was not ``submitted``, and jobs of other claims may
    have been. Raises StoreError, and what the look raises.
    """
    said: list[str] = []
    failed: StoreError | None = None
    for place in _find_claims(store, [(claim_id, nonce)]):
        # A pool that cannot be looked at does not keep what is claimed in another.
        try:
            said.append(_release_in_pool(store, place, look, submitted or job not in (None, place.claim.job)))
        except StoreError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return list(dict.fromkeys(said)) or ["gone"]


def _release_in_pool(store: Store, place: _Place, look: Look, submitted: bool) -> str:
    claim = place.claim
    # After the store was read: a job that shows up later makes its claim count on, and never end too early.
    # Without a look the job may have been submitted, and a release would give its room to another gate.
    reading = _read_jobs_of_claims(store, place, look) if submitted else place.began
    said = ""

    def change(row: Row) -> PoolClaims:
        nonlocal said
        # Of the nonce: a retry may have claimed since the look, which was not for its job.
        document, said = release_claim_of(row, reading, claim.id, nonce=claim.nonce, submitted=submitted)
        return document

    _change_claim_until_written(store, place.pool, change)
    return said


def end_claim_by_job(store: Store, own: Sequence[OwnClaim], job_name: str, job_id: str, look: Look) -> bool:
    """Note that the job of a claim was seen by its own watch: it ends the claim if it has its cards.

    Returns whether any of the run's own claims that are there is for a job of that name; no other one is touched.
    Raises StoreError, and what the look raises.
    """
    places = _find_claims(store, own)
    of_job = [place for place in places if is_claim_for(place.claim, job_name)]
    for pool in dict.fromkeys(place.pool for place in of_job):
        here = [place for place in of_job if place.pool == pool]
        reading = _read_jobs_of_claims(store, here[0], look)
        # Of claims in several pools it is the job of that one in whose pool it is.
        if any(job_id in job.ids for job in reading.jobs):
            claims = [(place.claim.id, place.claim.nonce) for place in here]
            _change_claim_until_written(store, pool, partial(_note_in_document, reading, claims, job_id))
    return bool(of_job) or not places


def _read_jobs_of_claims(store: Store, place: _Place, look: Look) -> Reading:
    """Return what a gate would read: without the jobs of other claims, those would be dropped, or take this one's.

    Raises StoreError, also where the store has no time left, in which what follows could be written: who may write it
    can give an ID to claims in a thousand pools, and each takes a look.
    """
    looked = look(place.pool, bounded_names(place.names)) if store.has_time() else None
    if looked is None:
        raise StoreError(f"The jobs of {place.pool} could not be read in time.")
    found, is_complete = looked
    return replace(place.began, jobs=seen_jobs(found), is_complete=is_complete)


def _note_in_document(reading: Reading, own: Sequence[OwnClaim], job_id: str, row: Row) -> PoolClaims:
    # Bound before it is marked: the name alone could give the job to an older claim of that name.
    bound = bind_job_to_claim(row.document, own, job_id, reading)
    return mark_claims(replace(row, document=bound), reading)


def renew_claim(store: Store, claim_id: str, seconds: float = DEFAULT_SECONDS, *, nonce: str = "") -> ClaimFacts | None:
    """Have a claim last for so many seconds from now, and return it; None when it is gone. Raises StoreError.

    Of claims of the id in several pools all are renewed, and the newest is the one that is returned.
    """
    renewed: ClaimFacts | None = None
    for place in _find_claims(store, [(claim_id, nonce)]):
        renewed = _renew_in_pool(store, place.pool, place.claim, seconds)
    return renewed


def renew_claims_for_job(store: Store, own: Sequence[OwnClaim], job_name: str) -> None:
    """Renew those of a run's own claims that are for a job of that name. Raises StoreError."""
    for_job = [place for place in _find_claims(store, own) if is_claim_for(place.claim, job_name)]
    # A job belongs to the claim with its exact name, if there is one.
    exact = [place for place in for_job if place.claim.job == job_name and place.claim.ended is None]
    for place in exact or for_job:
        _renew_in_pool(store, place.pool, place.claim, DEFAULT_SECONDS)


def _renew_in_pool(store: Store, pool: str, claim: Claim, seconds: float) -> ClaimFacts | None:
    renewed: ClaimFacts | None = None

    def change(row: Row) -> PoolClaims:
        nonlocal renewed
        document, lasting = renew_claim_of(row, claim.id, seconds, claim.nonce)
        renewed = None if lasting is None else claim_facts(lasting, lasting.amounts, row.moment)
        return document

    _change_claim_until_written(store, pool, change)
    return renewed


def end_claim_by_hand(store: Store, claim_id: str) -> bool:
    """End the claims of an id, in every pool, and return whether there was one to end. Raises StoreError."""
    pools = [
        pool
        for pool, row in _rows_of_listed_claims(store)
        if any(claim.id == claim_id for claim in row.document.claims.values())
    ]
    ended = [_end_in_pool(store, pool, claim_id) for pool in pools]
    return any(ended)


def _end_in_pool(store: Store, pool: str, claim_id: str) -> bool:
    is_ended = False

    def change(row: Row) -> PoolClaims:
        nonlocal is_ended
        document, is_ended = end_claim(row, claim_id)
        return document

    _change_claim_until_written(store, pool, change)
    return is_ended


def _find_claims(store: Store, own: Sequence[OwnClaim]) -> list[_Place]:
    """Return the claims of some IDs that have not ended, the oldest first; of an ID without such, those that have.

    A retry that is admitted in another pool has the id of the try before.
    """
    found: dict[OwnClaim, list[_Place]] = {one: [] for one in own}
    for pool, row in _rows_of_listed_claims(store):
        for one, places in found.items():
            claim = claim_of_id(row.document, *one)
            if claim is not None:
                names = names_claims_look_for([row.document])
                places.append(_Place(pool, row.reading(()), names, claim))
    lasting = [[place for place in places if place.claim.ended is None] or places for places in found.values()]
    return sorted(itertools.chain.from_iterable(lasting), key=lambda place: place.claim.created)


def _claims_that_take_room(
    store: Store, remark: Callable[[str], None] = lambda words: None
) -> list[tuple[str, float, Claim]]:
    """Return (pool, the store's time, claim) of each that others have to leave room for. Raises StoreError."""
    return [
        (pool, row.moment, claim)
        for pool, row in _rows_of_listed_claims(store, remark)
        for claim in sorted(row.document.claims.values(), key=lambda one: (one.version, one.key))
        # By the store's clock, and not this host's: only that one has set the times.
        if (claim.ended is None or is_claim_given_back(claim)) and end_of_claimed_room(claim) > row.moment
    ]


def _rows_of_listed_claims(
    store: Store, remark: Callable[[str], None] = lambda words: None
) -> Iterator[tuple[str, Row]]:
    """Yield the pools whose document can be read, and remark on the others. Raises StoreError."""
    documents = store.read()
    for pool in sorted(documents.by_pool):
        # Who may write the store can have very many documents that take long to parse.
        if not store.has_time():
            raise StoreError(f"The claims of {len(documents.by_pool)} pools could not be read in time.")
        try:
            yield pool, row_for_claiming(documents, pool)
        except UnreadableDocumentError as error:
            # A document that cannot be read keeps its own pool closed, and must not hide the claims of others.
            remark(
                f"The claims of {pool} cannot be read: {error}. No gate admits to it until its row is removed from the "
                "store, or written by the version of the collection that made it."
            )


def _change_claim_until_written(store: Store, pool: str, change: Callable[[Row], PoolClaims]) -> None:
    """Write what is to be changed, on the document of now. A change that was written already changes nothing more."""
    for _round in range(_MOST_ROUNDS):
        try:
            # Each round changes the document of now: written on an older one, the change would undo claims made since.
            row = row_for_claiming(store.read([pool]), pool)
        except UnreadableDocumentError as error:
            raise StoreError(f"The claims of {pool} cannot be read: {error}.") from None
        document = change(row)
        if document == row.document and not row.is_set_back:
            return
        try:
            text = dump_claims(document)
        except UnwritableDocumentError as error:
            raise StoreError(f"The claims of {pool} are left as they are: {error}.") from None
        if store.swap(pool, row.version, text):
            return
    raise StoreError(f"Others changed the claims of {pool} at each try.")
