# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How claims end, and how they are listed: what a release, a renewal, a watch and a list do with the store.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import (
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
    end_claim,
    mark_claims,
    release_claim_of,
    renew_claim_of,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.seen import seen_jobs

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FoundJobFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import Claim, PoolClaims
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import Row
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Documents, Store
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import ClaimFacts

Look = t.Callable[[str, str], "Sequence[FoundJobFacts] | None"]
"""A look at the jobs of a pool that have a name; None when they could not be read."""

# As for gates: of twenty that write in one second, none loses twenty swaps.
_MOST_ROUNDS = 20


class ListedClaim(t.TypedDict):
    """A claim of a list, and its pool."""

    pool: str
    claim: ClaimFacts


def list_claims(store: Store) -> list[ListedClaim]:
    """Return the claims of all pools that can be read and that have not ended, the oldest first. Raises StoreError."""
    documents = store.read()
    listed: list[ListedClaim] = []
    for pool, row in _rows_of_listed_claims(documents):
        for claim in sorted(row.document.claims.values(), key=lambda one: (one.version, one.key)):
            # By the store's clock, and not this host's: only that one has set the times.
            if claim.ended is None and claim.expires > row.moment:
                listed.append({"pool": pool, "claim": claim_facts(claim, claim.amounts, row.moment)})
    return listed


def ids_of_claims_to_end(store: Store, prefix: str) -> list[str]:
    """Return the IDs of claims that have not ended and that one job of a pipeline has made. Raises StoreError."""
    begin = f"{prefix}/"
    return [one["claim"]["id"] for one in list_claims(store) if one["claim"]["id"].startswith(begin)]


def release_claim(store: Store, claim_id: str, look: Look, *, submitted: bool) -> str:
    """Return what became of a claim: it is given back, unless its job waits.

    Raises StoreError, and what the look raises.
    """
    place = _find_claim_to_end(store, claim_id)
    if place is None:
        return "gone"
    pool, began, claim = place
    # After the store was read: a job that shows up later makes its claim count on, and never end too early.
    found = look(pool, claim.job) if submitted else ()
    # Without a look the job may have been submitted, and a release would give its room to another gate.
    if found is None:
        raise StoreError("the jobs of the pool could not be read, so its claim is left to its time")
    reading = began.reading(seen_jobs(found))
    said = ""

    def change(row: Row) -> PoolClaims:
        nonlocal said
        document, said = release_claim_of(row, reading, claim_id, submitted=submitted)
        return document

    _change_claim_until_written(store, pool, change)
    return said


def end_claim_by_job(store: Store, claim_id: str, job_uuid: str, look: Look) -> None:
    """Note that the job of a claim was seen by its own watch: it ends the claim if it has its cards.

    Raises StoreError, and what the look raises.
    """
    place = _find_claim_to_end(store, claim_id)
    if place is None:
        return
    pool, began, claim = place
    reading = began.reading(seen_jobs(look(pool, claim.job)))

    def change(row: Row) -> PoolClaims:
        # Bound before it is marked: the name alone could give the job to an older claim of that name.
        bound = bind_job_to_claim(row.document, claim_id, job_uuid)
        return mark_claims(replace(row, document=bound), reading)

    _change_claim_until_written(store, pool, change)


def renew_claim(store: Store, claim_id: str, seconds: float = DEFAULT_SECONDS) -> ClaimFacts | None:
    """Have a claim last for so many seconds from now, and return it; None when it is gone. Raises StoreError."""
    place = _find_claim_to_end(store, claim_id)
    renewed: ClaimFacts | None = None
    if place is None:
        return None

    def change(row: Row) -> PoolClaims:
        nonlocal renewed
        document, claim = renew_claim_of(row, claim_id, seconds)
        renewed = None if claim is None else claim_facts(claim, claim.amounts, row.moment)
        return document

    _change_claim_until_written(store, place[0], change)
    return renewed


def end_claim_by_hand(store: Store, claim_id: str) -> bool:
    """End a claim, and return whether there was one to end. Raises StoreError."""
    place = _find_claim_to_end(store, claim_id)
    is_ended = False
    if place is None:
        return False

    def change(row: Row) -> PoolClaims:
        nonlocal is_ended
        document, is_ended = end_claim(row, claim_id)
        return document

    _change_claim_until_written(store, place[0], change)
    return is_ended


def _find_claim_to_end(store: Store, claim_id: str) -> tuple[str, Row, Claim] | None:
    """Return (the pool of a claim, its row of now, the claim)."""
    for pool, row in _rows_of_listed_claims(store.read()):
        if claim_id in row.document.claims:
            return pool, row, row.document.claims[claim_id]
    return None


def _rows_of_listed_claims(documents: Documents) -> Iterator[tuple[str, Row]]:
    """Yield the pools whose document can be read."""
    for pool in sorted(documents.by_pool):
        try:
            yield pool, row_for_claiming(documents, pool)
        except UnreadableDocumentError:
            # A document that cannot be read keeps its own pool closed, and must not hide the claims of others.
            continue


def _change_claim_until_written(store: Store, pool: str, change: Callable[[Row], PoolClaims]) -> None:
    """Write what is to be changed, on the document of now. A change that was written already changes nothing more."""
    for _round in range(_MOST_ROUNDS):
        try:
            # Each round changes the document of now: written on an older one, the change would undo claims made since.
            row = row_for_claiming(store.read([pool]), pool)
        except UnreadableDocumentError as error:
            raise StoreError(f"the claims of {pool} cannot be read: {error}") from None
        document = change(row)
        if document == row.document:
            return
        try:
            text = dump_claims(document)
        except UnwritableDocumentError as error:
            raise StoreError(f"the claims of {pool} are left as they are: {error}") from None
        if store.swap(pool, row.version, text):
            return
    raise StoreError("others changed the claims at each try")
