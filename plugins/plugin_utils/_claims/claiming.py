# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate does with claims at each look: it reads the store first, subtracts, and claims before it says admit.

This plugin util is private to the collection.
"""

from __future__ import annotations

import itertools
import typing as t
import uuid
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    add_amounts,
    amount_from_number,
    amounts_to_numbers,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.attempt import Answer, propose
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import (
    AnswerLostError,
    StoreError,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    LONGEST_WITH_NEW_CLAIM,
    MOST_JOBS_OF_CLAIM,
    NewerFormatError,
    PoolClaims,
    UnreadableDocumentError,
    UnwritableDocumentError,
    dump_claims,
    parse_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Asked,
    Counted,
    Row,
    TooManyClaimsError,
    does_claim_hold,
    end_earlier_claims,
    end_of_claimed_room,
    is_claim_written,
    is_glob_of_claim,
    jobs_after_their_claims,
    may_job_of_claim_come,
    names_claims_look_for,
    shows_job_without_id,
    shows_too_many_new_jobs,
    why_not_usable_with_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.seen import seen_jobs
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import NO_VERSION
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.claimed import Claimed, JobsOfClaim
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import clock

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import Claim
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import Reading, Wanted
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Documents, Store
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
        ClaimFacts,
        OwnClaimFacts,
        VerdictFacts,
    )
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Request
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Time

Decide = t.Callable[[Claimed], "VerdictFacts"]

# Twenty gates that start in one second lose some swaps to one another, and none of them twenty.
_MOST_ROUNDS = 20
_MOST_SECONDS = 10.0
# A store answers in less, and what a look at the pools has left is of no use without it.
_LEAST_SECONDS = 1.0
# Each job of the pools is held against each pattern: against so many, a hundred thousand take some seconds.
_MOST_NAMES = 5000
_MOST_GLOBS = 500
# About the time of a few swaps; it grows with each round, so that gates that lose do not meet again.
_PAUSE = 0.02
# A process that stood still for a tenth of its claim's time looks whether it still has it.
_LONG_PAUSE = 0.1

# With policy.placement aggregate a request is promised amounts, and none of these is there.
_CHECKS_OF_PLACES = ("placement", "supernodes")


class GateClaims:
    """The claims of a gate over some pools. With ``is_dry`` nothing is written, not even that a claim has ended."""

    def __init__(self, store: Store, wanted: Wanted | None, time: Time, *, is_dry: bool = False) -> None:
        self._store = store
        self._wanted = wanted
        self._time = time
        self._is_dry = is_dry
        self._pools: Sequence[str] | None = None
        self._read_pools: Sequence[str] | None = None
        self._began: Documents | None = None
        self._failure = ""
        self._marks = True

    def begin(self, left: float | None = None) -> list[str]:
        """Read what is claimed, before anything is asked of a pool; return the names of the jobs to look for.

        ``left`` are the seconds that the gate has, of which the look at the pools needs some as well.
        """
        self._began, self._failure, self._marks = None, "", True
        self._store.end_in(None if left is None else max(left / 2, _LEAST_SECONDS))
        try:
            # All pools at first: display names become IDs in the reading, and the versions have to be older than that.
            self._read_pools = self._pools
            self._began = self._read(self._read_pools)
        except StoreError:
            return []  # each pool says why
        try:
            return bounded_names(self._names_of_documents(self._began))
        except StoreError as error:
            self._failure = str(error)
            return []

    def _names_of_documents(self, documents: Documents) -> Iterator[str]:
        """Yield the names that claims wait for, of one document after the other. Raises StoreError."""
        # The own name, too: jobs that have it already are not the one to come, and must not end the new claim.
        if self._wanted is not None:
            yield self._wanted.job
        started = self._time.clock()
        for _version, text in documents.by_pool.values():
            # A statement has a limit of its own, and who may write the store can have much parsed after it.
            if not self._store.has_time() or self._time.clock() - started > _MOST_SECONDS:
                raise StoreError("What others have claimed could not be read in the time that there is for it.")
            try:
                yield from names_claims_look_for([_parse_for_claiming(text)])
            except UnreadableDocumentError:
                continue  # the pool that it is of is not admitted to

    def look_at(self, entries: Sequence[PoolEntry], left: float | None = None) -> None:
        """Note the IDs of the pools, which only a look tells: the next one reads no other documents.

        ``left`` are the seconds that are left for the verdicts on all of them.
        """
        self._pools = [entry["pool_name"] for entry in entries]
        if self._began is not None:
            # Those of all pools may have fifty million characters.
            own = {pool: one for pool, one in self._began.by_pool.items() if pool in self._pools}
            self._began = self._began._replace(by_pool=own)
        self._store.end_in(None if left is None else max(left, _LEAST_SECONDS))

    def judge(self, entry: PoolEntry, request: Request, decide: Decide, *, claims: bool) -> VerdictFacts:
        """Return the verdict with what others have claimed. If it admits, the claim has been written."""
        try:
            return self._judge(entry, request, decide, claims)
        except NewerFormatError as error:
            why = f"a later version of the collection has written them: {error}"
        except UnreadableDocumentError as error:
            why = f"what others have claimed cannot be read: {error}"
        except UnwritableDocumentError as error:
            why = f"the pool's claims have no place for another one: {error}"
        except TooManyClaimsError:
            why = "the pool has as many claims as its document takes"
        except StoreError as error:
            why = str(error)
        return decide(Claimed(why_unknown=one_line(why)))

    def _judge(self, entry: PoolEntry, request: Request, decide: Decide, claims: bool) -> VerdictFacts:
        # A store that has failed would take as much time again for each pool. The next look asks it again.
        if self._began is None or self._failure:
            raise StoreError(self._failure)
        pool = entry["pool_name"]
        # A display name became an ID in this look, after its document was to be read.
        if self._read_pools is not None and pool not in self._read_pools:
            raise StoreError("the ID of the pool was not known when they were read: the next look will tell")
        found = entry.get("found")
        # Of a list of which pages are missing, it only tells that none of those that were read was left out.
        is_complete = entry["complete"] and entry.get("found_complete", False)
        row = row_for_claiming(self._began, pool)
        reading = row.reading(seen_jobs(found), is_complete=is_complete, read_at=entry.get("found_at"))
        wanted = self._wanted if claims else None
        # A claim that does not know all jobs of its name that are not over would take one of the others for its own.
        # And of a claim that is there, the job that waits for its room may be left out.
        is_awaited = any(may_job_of_claim_come(claim, reading) for claim in row.document.claims.values())
        if found and not reading.shows_all_alive and (wanted is not None or is_awaited):
            raise StoreError("more jobs than are read have the names that claims wait for")
        if wanted is not None and shows_too_many_new_jobs(reading, wanted):
            raise StoreError(
                f"more than {MOST_JOBS_OF_CLAIM} new jobs have the name of the coming job: give it another"
            )
        if wanted is not None and shows_job_without_id(reading, wanted):
            raise StoreError(
                f"a job called {wanted.job} shows no ID, and the claim could not tell it from the coming job: ask "
                "again in a minute, or give the coming job another name"
            )
        started = self._time.clock()
        lost = ""
        for _round in range(_MOST_ROUNDS):
            read_at = self._time.clock()
            row = row_for_claiming(self._read([pool]), pool)
            # Read anew each round: a decision on an older document would miss a claim that was made since.
            why = why_not_usable_with_claims(reading, row)
            if why:
                raise StoreError(f"{why}: the next look will tell")
            proposal = propose(reading, row, wanted, partial(_answer_while_claiming, row, request, decide))
            verdict = _verdict_with_late_jobs_of_claims(proposal.verdict, row, reading)
            if wanted is None or proposal.claim is None or self._is_dry:
                # Marks alone: the verdict stands, whether they are written or lost to another gate.
                if proposal.is_changed and not self._is_dry:
                    self._mark(pool, proposal.version, proposal.document)
                return (
                    verdict
                    if proposal.claim is None
                    else _verdict_with_own_claim(verdict, proposal.claim, row, is_made=False)
                )
            lost_before, lost = lost, ""
            try:
                text = dump_claims(proposal.document, LONGEST_WITH_NEW_CLAIM)
                is_written = self._store.swap(pool, proposal.version, text)
            except AnswerLostError as error:
                # The connection broke after the statement was sent, so only the document tells.
                is_written, lost = (
                    is_claim_written(row_for_claiming(self._read([pool]), pool), proposal.claim),
                    str(error),
                )
            if is_written:
                # The monotonic clock of this host measures the pause; the store's own may be set meanwhile.
                paused = self._time.clock() - read_at > _LONG_PAUSE * (proposal.claim.expires - proposal.claim.created)
                if not paused or does_claim_hold(row_for_claiming(self._read([pool]), pool), proposal.claim):
                    self._end_earlier_elsewhere(pool, proposal.claim, wanted)
                    return _verdict_with_own_claim(verdict, proposal.claim, row, is_made=True)
            # Lost twice in a row, and not written: the database refuses it, and its words tell why.
            elif lost and lost_before:
                raise StoreError(lost)
            # Bounded: at some point a gate that always loses has to say so.
            if self._time.clock() - started > _MOST_SECONDS:
                break
            self._time.sleep(self._time.uniform(0, _PAUSE * (_round + 1)))
        # Unknown and not refused: the gate's next look may win.
        raise StoreError("others changed them at each try")

    def _read(self, pools: Sequence[str] | None) -> Documents:
        try:
            return self._store.read(pools)
        except StoreError as error:
            self._failure = str(error)
            raise

    def _end_earlier_elsewhere(self, own_pool: str, claim: Claim, wanted: Wanted) -> None:
        """End what an earlier try of this id has claimed in other pools. What fails is left to its time."""
        started = self._time.clock()
        for _round in range(_MOST_ROUNDS):
            is_lost = False
            try:
                # All pools: the earlier try may have had other candidates.
                documents = self._store.read()
                for pool in sorted({*documents.by_pool} - {own_pool}):
                    # The deployment waits for it, and may begin without it.
                    if self._time.clock() - started > _MOST_SECONDS:
                        return
                    is_lost |= not self._end_earlier_in_pool(documents, pool, claim, wanted)
            except (StoreError, UnwritableDocumentError):
                return
            if not is_lost:
                return

    def _end_earlier_in_pool(self, documents: Documents, pool: str, claim: Claim, wanted: Wanted) -> bool:
        """Return whether nothing of an earlier try is left in the pool."""
        try:
            row = row_for_claiming(documents, pool)
        except UnreadableDocumentError:
            return True  # nothing can be done about it here
        document = end_earlier_claims(row, claim, wanted)
        return document == row.document or self._store.swap(pool, row.version, dump_claims(document))

    def _mark(self, pool: str, version: int, document: PoolClaims) -> None:
        """Write that claims have ended. Who comes next writes it as well, so it is tried once."""
        if not self._marks:
            return
        try:
            self._store.swap(pool, version, dump_claims(document))
        except UnwritableDocumentError:
            return
        except StoreError:
            # A role that may only read is refused for each pool.
            self._marks = False


def bounded_names(names: Iterable[str]) -> list[str]:
    """Return the names and globs of jobs to look for, each once. Raises StoreError when they are too many."""
    found: set[str] = set()
    globs = 0
    for name in names:
        if name not in found:
            found.add(name)
            globs += is_glob_of_claim(name)
        if len(found) > _MOST_NAMES or globs > _MOST_GLOBS:
            raise StoreError(
                f"Claims wait for more than {_MOST_NAMES} names of jobs, or {_MOST_GLOBS} patterns of names."
            )
    return sorted(found)


def row_for_claiming(documents: Documents, pool: str) -> Row:
    """Return the row of a pool. Raises UnreadableDocumentError."""
    if documents.by_pool.get(pool, (0, ""))[0] == NO_VERSION:
        raise UnreadableDocumentError("its version is no number")
    # Version 0 makes the swap an insert, which fails when another gate has made the document meanwhile.
    version, text = documents.by_pool.get(pool, (0, ""))
    document = PoolClaims(uuid.uuid4().hex) if not version else _parse_for_claiming(text)
    return Row(version, document, documents.now).with_times_that_come()


def _parse_for_claiming(text: str | None) -> PoolClaims:
    if text is None:
        raise UnreadableDocumentError("it is too long, or no text")
    return parse_claims(text)


def _answer_while_claiming(
    row: Row, request: Request, decide: Decide, counted: Sequence[Counted]
) -> Answer[VerdictFacts]:
    claimed = claimed_room(counted, row.moment)
    verdict: VerdictFacts = {**decide(claimed), "claims": list(claimed.facts)}
    # The sums of the verdict: only the nodes tell what a whole node of a flavor has.
    amounts = {one["resource"]: amount_from_number(one["resource"], one["need"]) for one in verdict["resources"]}
    groups = tuple(replace(group, affinity_group_size=request.affinity_group_size) for group in request.groups)
    is_placed = any(check["name"] in _CHECKS_OF_PLACES for check in verdict["checks"])
    asked = Asked(request.type, request.priority, groups, amounts, is_placed)
    return Answer(verdict, verdict["decision"] == "admit", asked)


def claimed_room(counted: Sequence[Counted], now: float) -> Claimed:
    """Return what claims take in a decision."""
    total: dict[str, int] = {}
    for one in counted:
        add_amounts(total, one.amounts)
    return Claimed(
        total=total,
        # Whole, even where a part has started: which replicas are still to come is not told.
        shapes=[group for each in counted if each.claim.is_placed for group in each.claim.groups],
        loose=[group for each in counted if not each.claim.is_placed for group in each.claim.groups],
        # A job without an ID is not among them, as None would be each of these.
        jobs=[
            JobsOfClaim(frozenset(job.uuid for job in each.jobs if job.uuid is not None), each.amounts)
            for each in counted
        ],
        facts=[claim_facts(each.claim, each.amounts, now) for each in counted],
    )


def claim_facts(claim: Claim, amounts: dict[str, int], now: float) -> ClaimFacts:
    """Return a claim as verdicts and lists have it. One that was released takes room for a short time only."""
    end = end_of_claimed_room(claim)
    return {
        "id": claim.id,
        "job": claim.job,
        "owner": claim.owner,
        "resources": amounts_to_numbers(amounts),
        "seconds_left": max(0, int(end - now)),
        "expires_at": iso_time_of_claim(end),
    }


def iso_time_of_claim(seconds: float) -> str:
    """Return a time of the store as ISO 8601 in UTC; the last one that there is for what others may have written."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return "9999-12-31T23:59:59Z"


def _verdict_with_own_claim(verdict: VerdictFacts, claim: Claim, row: Row, *, is_made: bool) -> VerdictFacts:
    own: OwnClaimFacts = {
        "id": claim.id,
        "job": claim.job,
        "expires_at": iso_time_of_claim(claim.expires),
        "seconds_left": max(0, int(claim.expires - row.moment)),
        "is_made": is_made,
        "nonce": claim.nonce,
    }
    return {**verdict, "claim": own}


def _verdict_with_late_jobs_of_claims(verdict: VerdictFacts, row: Row, reading: Reading) -> VerdictFacts:
    late = [
        f"{job.name} came after the time of its claim, {clock(row.moment - claim.expires)} ago: give its claim more "
        "seconds"
        for claim, job in itertools.islice(jobs_after_their_claims(row.document, reading), 3)
    ]
    return {**verdict, "notes": [*verdict["notes"], *map(one_line, late)]} if late else verdict
