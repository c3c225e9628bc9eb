# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims: which of them count for a reading of a pool, and how they begin and end. Pure, with the store's time alone.

A document is changed by compare-and-set. Order is by its version: a claim that has ended counts for every reading that
began before its end. Each rule is a function of its own, which a model of many deployers leaves out to see it fail.

This plugin util is private to the collection.
"""

from __future__ import annotations

import enum
import fnmatch
import itertools
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts, is_card_resource
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import CLOCK_TOLERANCE, SCOPE_OF
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    MOST_CLAIMS,
    MOST_JOBS_OF_CLAIM,
    Claim,
    Ended,
    PoolClaims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

SETTLE = 60.0
"""Seconds after which all reads show what one read may have shown: a job with its cards, or a submission whose answer
was lost. How long the lists of ModelArts are behind is not documented; not tried on a real pool."""

KEPT = 600.0
"""Seconds for which an ended claim is kept after it has settled. It must be more than OLDEST_READING."""

OLDEST_READING = 300.0
"""Seconds after which a reading is too old to decide on: by then, claims that it has to count may have been dropped."""

DEFAULT_SECONDS = 900.0
"""Seconds that a claim lasts which does not say: more than from an admission until its job has its cards."""

_MOST_AHEAD = 7 * 86400.0
"""Seconds by which the store's clock may be behind what its documents say. Until it has caught up, no claim of the pool
ends by time. A claim lasts for a week at most, so further ahead a clock was wrong; one that is behind for an hour, as
after a start, must not end what is claimed."""

_MOST_LEFT_OUT = 100
"""Old claims that are kept for jobs of which a reading has left some out. All of them would fill the document while one
claim lasts for days; of jobs that are over, the newest are the last to be left out."""

# Most claims have a plain name, which is compared without making a pattern of it.
_GLOB = frozenset("*?[")

# Stand for all names, and for all patterns of names. No name that is compared is one of them.
_ANY, _GLOBS = "*", "?*"


class Stage(enum.Enum):
    """How far a job is. ``ENDS`` is every other status in which it may still hold its cards."""

    WAITS = "waits"
    STARTS = "starts"
    RUNS = "runs"
    ENDS = "ends"
    OVER = "over"


@dataclass(frozen=True)
class SeenJob:
    """A job as a reading shows it, of those whose names were looked for; ``created`` by the clock of the API.

    A look may tell one of its IDs alone, so it is the same job where any of them is. One that tells none may be any
    job: it ends no claim, and keeps each claim that may be its own.
    """

    uuid: str | None
    name: str
    type: str | None
    stage: Stage
    shows_node: bool
    amounts: Amounts
    created: float | None = None
    other_ids: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return () if self.uuid is None else (self.uuid, *self.other_ids)

    def is_one_of(self, ids: Container[str]) -> bool:
        return any(one in ids for one in self.ids)


@dataclass(frozen=True)
class Reading:
    """What was read of a pool, and the version and the time of its document from before anything of it was asked.

    Of very many jobs not all are read: those that are over are left out first. ``read_at`` is when the jobs were read,
    by the clock of the API.
    """

    version: int
    born: str | None
    time: float
    jobs: Sequence[SeenJob]
    is_complete: bool = True
    read_at: float | None = None

    @property
    def shows_all_alive(self) -> bool:
        return self.is_complete or any(job.stage is Stage.OVER for job in self.jobs)


@dataclass(frozen=True)
class Row:
    """A document as the store has it, at which version, and the store's time. Version 0 is a document that is not.

    ``is_set_back`` says that its times are other ones than in the store, and are to be written.
    """

    version: int
    document: PoolClaims
    now: float
    is_set_back: bool = False

    def with_times_that_come(self) -> Row:
        """Return the row in which nothing was written later than now, if a clock that was wrong has said so.

        Such claims begin now, and so last longer than they would have; such ends settle from now on.
        """
        if self.document.newest <= self.now + _MOST_AHEAD:
            return self
        claims = [_claim_set_back(claim, self.now) for claim in self.document.claims.values()]
        return replace(self, document=self.document.with_claims(*claims), is_set_back=True)

    @property
    def moment(self) -> float:
        """The time, which never goes back even if the store's clock does."""
        return max(self.now, self.document.newest)

    def reading(self, jobs: Sequence[SeenJob], *, is_complete: bool = True, read_at: float | None = None) -> Reading:
        """Return a reading that began at the time of the row."""
        born = self.document.born if self.version else None
        return Reading(self.version, born, self.moment, jobs, is_complete, read_at)


@dataclass(frozen=True)
class Counted:
    """A claim that counts for a reading: ``amounts`` are what its jobs do not hold yet."""

    claim: Claim
    amounts: Amounts
    jobs: Sequence[SeenJob]


@dataclass(frozen=True)
class Wanted:
    """The claim that a gate makes when it admits.

    ``family`` is the id that all gates of a pipeline's job derive, in each of its runs, of which ``owner`` is one. It
    is empty where the id is that of this gate alone.
    """

    id: str
    job: str
    seconds: float
    owner: str
    labels: Mapping[str, str]
    nonce: str
    family: str = ""

    def is_retry_of(self, claim: Claim) -> bool:
        """Return whether the gate takes the place of the one that has made the claim: of itself, or of an earlier run.

        A run that was cancelled may still look after its retry was admitted.
        """
        if not self.family:
            return claim.id == self.id
        # What its own run has claimed is for another gate of that run, and counts as that of any other.
        head, _stroke, number = claim.id.rpartition("/")
        is_of_job = claim.id == self.family or (head == self.family and number.isdigit())
        return is_of_job and (claim.nonce == self.nonce or _is_run_before(claim.owner, self.owner))

    def within(self, document: PoolClaims) -> Wanted:
        """Return the claim with an id of the document under which no other gate of its run has one."""
        # A derived id has no such end, as it has a fixed number of parts.
        ids = itertools.chain([self.id], (f"{self.id}/{number}" for number in itertools.count(2)))
        return replace(self, id=next(one for one in ids if self._may_take(document.claims.get(one))))

    def _may_take(self, earlier: Claim | None) -> bool:
        return earlier is None or earlier.ended is not None or self.is_retry_of(earlier)


@dataclass(frozen=True)
class Asked:
    """What a request asks of one pool, as its claim has it."""

    type: str | None
    priority: int | None
    groups: tuple[Group, ...]
    amounts: Amounts
    is_placed: bool = True


# The rules


def was_known_to_claim(claim: Claim, job: SeenJob) -> bool:
    """Return whether the job was there before the claim, or may have been: it is not the one that was to come."""
    # A name may be used again, while the UUID of a job is its own.
    if job.is_one_of(claim.known):
        return True
    # The look that claimed may not have shown an old job, or may have told another of its IDs.
    if is_job_older_than_claim(claim, job):
        return True
    # A claim knows all jobs that were not over. Of very many that were, it knows some, and one of the others ends it
    # only if it is certainly younger than the claim.
    return not claim.knows_all and job.stage is Stage.OVER and is_job_older_than_claim(claim, job, -CLOCK_TOLERANCE)


def is_job_older_than_claim(claim: Claim, job: SeenJob, tolerance: float = CLOCK_TOLERANCE) -> bool:
    """Return whether the job is older than the look that the claim was admitted on, or does not tell that it is not."""
    # Both are times of the API, whatever the store's clock is set to. The API dates its answers and its jobs by clocks
    # that may differ.
    return job.created is None or claim.read_at is None or job.created + tolerance < claim.read_at


def is_reading_older_than_claim(claim: Claim, reading: Reading) -> bool:
    """Return whether the claim was written after the reading began: its jobs may be those that the claim replaces."""
    # The claim knows only the jobs of its own look, and one of this reading may have been deleted before that look.
    return reading.version < claim.version


def has_type_of_claim(claim: Claim, job: SeenJob) -> bool:
    """Return whether the job may be of the type that was asked for. One that is not told may be any."""
    return claim.type is None or job.type is None or _type_in_queue(job.type) == _type_in_queue(claim.type)


def covers_claim(job: SeenJob) -> bool:
    """Return whether what the job was promised is in the facts, or nothing will come any more.

    Of one that waits the cards are still to come, and of one that ends, the nodes may show less than it holds.
    """
    return job.stage in (Stage.STARTS, Stage.RUNS, Stage.OVER)


def ends_its_claim(job: SeenJob) -> bool:
    """Return whether the job has, or had, its cards: this ends its claim."""
    # One that starts without a node may be put back into the queue, and its claim would be gone.
    return job.stage in (Stage.RUNS, Stage.ENDS, Stage.OVER) or (job.stage is Stage.STARTS and job.shows_node)


def has_claim_expired(claim: Claim, reading: Reading) -> bool:
    """Return whether the time of the claim was over, and settled, before the reading began."""
    # Settling is added: a job that started in the last second may not show its cards in this reading yet.
    return claim.expires + SETTLE <= reading.time


def has_claim_ended(claim: Claim, reading: Reading) -> bool:
    """Return whether the end of the claim was written before the reading began."""
    # By version and not by time: no clock is involved, and the version was read before the first request.
    return claim.ended is not None and claim.ended.version <= reading.version


def has_claim_settled(claim: Claim, reading: Reading) -> bool:
    """Return whether a reading that began then shows all that there was to see when the claim ended."""
    # Measured to the beginning of the reading: its documents may be as old as that.
    return claim.ended is not None and claim.ended.at + SETTLE <= reading.time


def end_of_claimed_room(claim: Claim) -> float:
    """Return when a claim without a job takes no room any more, in seconds since the epoch by the store's clock."""
    if claim.ended is None:
        return claim.expires
    return claim.ended.at + (0.0 if needs_claim_no_grace(claim) else SETTLE)


def needs_claim_no_grace(claim: Claim) -> bool:
    """Return whether it is sure that no job comes after the end of the claim."""
    return claim.ended is not None and claim.ended.why == "void"


def is_claim_given_back(claim: Claim) -> bool:
    """Return whether the claim has ended without a job, which may have been submitted all the same."""
    return claim.ended is not None and claim.ended.why in ("released", "replaced")


def may_come_after_claim(claim: Claim, reading: Reading) -> bool:
    """Return whether a job that comes after the claim was given back is still promised its room."""
    return is_claim_given_back(claim) and not has_claim_expired(claim, reading)


def may_have_late_job(claim: Claim, reading: Reading) -> bool:
    """Return whether a job of the claim's exact name may be its own, and is late: no pattern takes such a job."""
    is_without_job = claim.ended is None or is_claim_given_back(claim)
    return is_without_job and not is_glob_of_claim(claim.job) and has_claim_expired(claim, reading)


def may_job_of_claim_come(claim: Claim, reading: Reading) -> bool:
    """Return whether a job may still take the room of the claim, or wait for it."""
    return not needs_claim_no_grace(claim) and not has_claim_expired(claim, reading)


def may_claim_be_dropped(claim: Claim, now: float) -> bool:
    """Return whether no reading on which a gate may still decide has to know the claim."""
    # A gate that was paused cannot profit: dropping changes the version, and its swap is lost.
    end = claim.expires if claim.ended is None else claim.ended.at
    return end + SETTLE + KEPT < now


def why_not_usable_with_claims(reading: Reading, row: Row) -> str:
    """Return why nothing may be decided on a reading with this row; empty when it may."""
    # A version that went back, or another birth, would leave out claims that this reading has seen.
    if row.version < reading.version or (reading.version and row.document.born != reading.born):
        return "the store was restored or made anew"
    # By the time of such a reading, claims whose times have been set back are over.
    if reading.time - row.moment > _MOST_AHEAD:
        return "the clock of the store was set back"
    # Ended claims are dropped after SETTLE + KEPT, so an older reading could miss one that it has to count.
    if row.moment - reading.time > OLDEST_READING:
        return "the facts are too old"
    return ""


# What follows from them


def counted_claims(document: PoolClaims, reading: Reading, own: Wanted | None = None) -> list[Counted]:
    """Return the claims that count for the reading, the oldest first, whatever their priority.

    Those that ``own`` takes the place of do not: a gate is not refused because of its own earlier try. One whose job
    is seen to wait is submitted, and takes its room as any other.
    """
    found = jobs_of_claims(document, reading)
    replaced = set() if own is None else _replaced_claims(document, reading, found, own)
    counted = []
    for claim in _claims_by_age(document):
        jobs = found[claim.key]
        if claim.key not in replaced and _does_claim_count(claim, jobs, reading):
            left = _left_of_claim(claim, jobs)
            # A claim without amounts counts until one of its jobs has begun: its replicas still need places.
            if left or not any(map(covers_claim, jobs)):
                counted.append(Counted(claim, left, jobs))
    return counted


def _replaced_claims(
    document: PoolClaims, reading: Reading, found: Mapping[str, Sequence[SeenJob]], own: Wanted
) -> set[str]:
    """Return the keys of the earlier tries of a gate, without those that may have submitted a job that waits."""
    tries = [claim for claim in document.claims.values() if own.is_retry_of(claim)]
    with_job = {
        claim.key
        for claim in tries
        if any(job.stage is Stage.WAITS for job in found[claim.key])
        and _does_claim_count(claim, found[claim.key], reading)
    }
    waiting = [job for job in reading.jobs if job.stage is Stage.WAITS]

    def may_wait_for(claim: Claim) -> bool:
        # One that a try has which asks for the same counts with that one alone.
        counting = {
            one
            for key in with_job
            if _asks_for_same(document.claims[key], claim)
            for job in found[key]
            for one in job.ids
        }
        rest = [job for job in waiting if not job.is_one_of(counting)]
        return any(_jobs_that_may_be_of_claim(document, claim, rest, found))

    return {
        claim.key
        for claim in tries
        if claim.key not in with_job
        # The job of an earlier run that claimed during this look may be in the reading, and is not told from others.
        and (claim.nonce == own.nonce or not is_reading_older_than_claim(claim, reading))
        and not may_wait_for(claim)
    }


def _asks_for_same(one: Claim, other: Claim) -> bool:
    return (one.groups, one.amounts, one.is_placed) == (other.groups, other.amounts, other.is_placed)


def jobs_of_claims(document: PoolClaims, reading: Reading) -> dict[str, list[SeenJob]]:
    """Return the jobs of each claim, by its key. A job belongs to one claim, the oldest that it may be the job of.

    Claims with its exact name come before globs, and claims that have ended after all others: else an earlier try of
    a gate would take the job of its claim. A job that may be late for a claim of its exact name is the job of no
    glob. A job that waits and tells no ID belongs to each claim of its name.
    """
    jobs = {job.uuid: job for job in sorted(reading.jobs, key=lambda one: one.ids) if job.ids}
    by_id = {one: job for job in jobs.values() for one in reversed(job.ids)}
    # A job that was bound once stays with its claim, whatever other claims of its name come. Bound to two by looks that
    # told one of its IDs each, it is the job of the one that it has ended: no job ends two.
    found: dict[str, list[SeenJob]] = {key: [] for key in document.claims}
    given: set[str | None] = set()
    for claim in sorted(_claims_by_age(document), key=lambda one: one.ended is None):
        bound_here = {by_id[one].uuid: by_id[one] for one in claim.jobs if one in by_id}
        found[claim.key] = [job for uuid, job in bound_here.items() if uuid not in given]
        given.update(bound_here)
    bound = {one for claim in document.claims.values() for one in claim.jobs}
    free = [job for job in jobs.values() if not job.is_one_of(bound)]
    late = {job.uuid for own in _late_jobs(document, reading, found, free).values() for job in own}
    for claim in _claims_that_take_jobs(document, reading, found):
        own = found[claim.key]
        has_all = _has_claim_all(claim, own)
        for job in list(free):
            if has_all:
                break
            if _is_job_of_claim(claim, job) and not (job.uuid in late and is_glob_of_claim(claim.job)):
                # Of a claim that is newer it may be the job or not: a later look tells, and no other takes it before.
                free.remove(job)
                if not is_reading_older_than_claim(claim, reading):
                    own.append(job)
                    has_all = _has_claim_all(claim, own)
    unknown = [job for job in reading.jobs if not job.ids and job.stage is Stage.WAITS]
    for claim in document.claims.values():
        found[claim.key] += [job for job in unknown if _has_name_of_claim(claim, job)]
    return found


def _late_jobs(
    document: PoolClaims, reading: Reading, found: Mapping[str, Sequence[SeenJob]], jobs: Iterable[SeenJob]
) -> dict[str, list[SeenJob]]:
    """Return those of the jobs that may be late for claims of their exact names, by the keys of the claims."""
    named: dict[str, list[SeenJob]] = {}
    for job in jobs:
        named.setdefault(job.name, []).append(job)
    return {
        key: [job for job in named.get(claim.job, ()) if _is_job_of_claim(claim, job)]
        for key, claim in document.claims.items()
        if may_have_late_job(claim, reading) and not _has_claim_all(claim, found[key])
    }


def _claims_that_take_jobs(
    document: PoolClaims, reading: Reading, found: Mapping[str, Sequence[SeenJob]]
) -> list[Claim]:
    # The oldest first, so every gate that reads the same document gives the same job to the same claim.
    by_age = _claims_by_age(document)
    waiting = [claim for claim in by_age if claim.ended is None and not has_claim_expired(claim, reading)]
    ended = [
        claim
        for claim in by_age
        if claim.ended is not None
        and not needs_claim_no_grace(claim)
        and (_does_claim_count(claim, found[claim.key], reading) or may_come_after_claim(claim, reading))
    ]
    return sorted(waiting + ended, key=lambda claim: is_glob_of_claim(claim.job))


def mark_claims(row: Row, reading: Reading) -> PoolClaims:
    """Return the document in which jobs are bound to their claims, and claims end whose job has its cards.

    Claims that no reading has to know any more are dropped.
    """
    document = row.document
    found = jobs_of_claims(document, reading)
    dropped = _dropped_claims(row, reading, found)
    marked = {}
    for key, claim in document.claims.items():
        if key in dropped:
            continue
        bound = _ids_that_claim_keeps(claim, found[key])
        marked[key] = (
            _marked_claim(claim, found[key], row)
            if bound == claim.jobs
            else _marked_claim(replace(claim, jobs=bound), found[key], row)
        )
    return PoolClaims(document.born, marked)


def _ids_that_claim_keeps(claim: Claim, jobs: Sequence[SeenJob]) -> tuple[str, ...]:
    """Return the IDs of the jobs that have come, in the order of their coming, as equal documents have equal texts.

    Of more than a document may have, those are kept that have ended the claim, and else those that are still seen.
    """
    ids = list(dict.fromkeys((*claim.jobs, *(one for job in jobs for one in job.ids))))
    if len(ids) <= MOST_JOBS_OF_CLAIM:
        return tuple(ids)
    ending = {one for job in jobs if ends_its_claim(job) for one in job.ids}
    seen = {one for job in jobs for one in job.ids}

    # Those that came first are kept of those that are seen, or each look would keep others.
    def rank(place: int) -> tuple[bool, bool, int]:
        is_seen = ids[place] in seen
        return ids[place] not in ending, not is_seen, place if is_seen else -place

    kept = sorted(range(len(ids)), key=rank)[:MOST_JOBS_OF_CLAIM]
    return tuple(ids[place] for place in sorted(kept))


def _dropped_claims(row: Row, reading: Reading, found: Mapping[str, Sequence[SeenJob]]) -> set[str]:
    """Return the keys of the claims that are dropped: nothing of what counts is another one without them."""
    old = {
        key
        for key, claim in row.document.claims.items()
        if may_claim_be_dropped(claim, row.moment)
        # A claim that is dropped while its job waits would leave the job without its promise.
        and (has_claim_expired(claim, reading) or not any(job.stage is Stage.WAITS for job in found[key]))
    }
    dropped = old if reading.is_complete else old - _claims_of_jobs_left_out(row, reading, old)
    takers = _claims_that_take_jobs(row.document, reading, found)
    taken = {one for jobs in found.values() for job in jobs for one in job.ids}
    late = _late_jobs(row.document, reading, found, (job for job in reading.jobs if not job.is_one_of(taken)))
    own = {key: [*found[key], *late.get(key, ())] for key in dropped}
    # One that tells no ID ends none.
    jobs = {job.ids: job for key in dropped for job in own[key] if job.ids}
    taken_by: dict[tuple[str, ...], list[str]] = {ids: [] for ids in jobs}
    # Two for each job, whatever number of claims has it: a claim itself is not one that would take its job.
    for taker in takers:
        for ids, job in jobs.items():
            if len(taken_by[ids]) < 2 and _is_job_of_claim(taker, job):
                taken_by[ids].append(taker.key)
    # Without its claim a job is free, and ends the next claim of its name, whose own job has not come. Whether that one
    # has all its jobs, or is dropped as well, is not asked: it would take a round for each of them.
    return {key for key in dropped if all(taker == key for job in own[key] for taker in taken_by.get(job.ids, ()))}


def _claims_of_jobs_left_out(row: Row, reading: Reading, old: set[str]) -> set[str]:
    """Return the keys of the newest old claims whose jobs may have been left out of the reading, and may come back.

    A job may wait, and be promised its room until the time of its claim. And a claim that was made before their end,
    and waits for jobs of their names, would take them for its own.
    """
    claims = row.document.claims
    # Of each name, and of all patterns, the one that was made first: whether the others were as well changes nothing.
    first: dict[str, int] = {}
    for one in claims.values():
        if one.ended is None and not has_claim_expired(one, reading) and one.key not in old:
            for name in (_ANY, _GLOBS if is_glob_of_claim(one.job) else one.job):
                first[name] = min(one.version, first.get(name, one.version))

    def is_waited_for(claim: Claim) -> bool:
        names = (_ANY,) if is_glob_of_claim(claim.job) else (_GLOBS, claim.job)
        return any(claim.ended is None or first[one] <= claim.ended.version for one in names if one in first)

    left_out = [
        key
        for key in old
        if (claims[key].jobs or may_have_late_job(claims[key], reading))
        and (not has_claim_expired(claims[key], reading) or is_waited_for(claims[key]))
    ]
    return set(sorted(left_out, key=lambda key: claims[key].version)[-_MOST_LEFT_OUT:])


def _marked_claim(claim: Claim, jobs: Sequence[SeenJob], row: Row) -> Claim:
    """Return the claim, ended if one of its jobs has begun. A job that came after a release ends it once more."""
    # An end that a job has made is final; written again it would settle anew at every look.
    if not any(map(ends_its_claim, jobs)) or (claim.ended is not None and claim.ended.why in ("started", "over")):
        return claim
    return _ended_claim(claim, row, "over" if all(job.stage is Stage.OVER for job in jobs) else "started")


class TooManyClaimsError(Exception):
    """A document has no place for another claim."""


def add_claim(
    document: PoolClaims, row: Row, reading: Reading, wanted: Wanted, asked: Asked
) -> tuple[PoolClaims, Claim]:
    """Return the document with a claim in it, which ends an earlier one of its id, and the claim.

    Raises TooManyClaimsError.
    """
    claim = Claim(
        key=wanted.id,
        job=wanted.job,
        type=asked.type,
        priority=asked.priority,
        groups=asked.groups,
        amounts=asked.amounts,
        is_placed=asked.is_placed,
        owner=wanted.owner,
        labels=dict(wanted.labels),
        created=row.moment,
        # The store's clock, read with the document: those of two controllers may differ by more than a claim lasts.
        expires=row.moment + wanted.seconds,
        # The version that this write makes: the swap fails if it makes another.
        version=row.version + 1,
        nonce=wanted.nonce,
        read_at=reading.read_at,
    )
    # Jobs that have the name already are older than the claim, and would end it at once.
    there = [job for job in reading.jobs if _has_name_of_claim(claim, job)]
    # Of very many, those that their times do not tell from the coming one, and then those that may keep a claim: the
    # names of all fill the document.
    there.sort(key=lambda job: (not _is_new(job, reading), job.stage is Stage.OVER))
    known = frozenset(one for job in there[:MOST_JOBS_OF_CLAIM] for one in job.ids)
    claim = replace(claim, known=known, knows_all=reading.is_complete and all(job.ids for job in there))
    earlier = document.claims.get(wanted.id)
    tries = [one for one in document.claims.values() if one.ended is None and wanted.is_retry_of(one)]
    document = document.with_claims(*(_ended_claim(one, row, "replaced") for one in tries if one is not earlier))
    if earlier is not None:
        # Of one that has ended before, the end stays when it was: nothing begins anew.
        ended = earlier if earlier.ended is not None else _ended_claim(earlier, row, "replaced")
        document = document.with_claims(replace(ended, key=earlier.key_when_replaced))
    document = document.with_claims(claim)
    # A document with more is refused when it is read, so it must not be written either.
    if len(document.claims) > MOST_CLAIMS:
        raise TooManyClaimsError
    return document, claim


def shows_job_without_id(reading: Reading, wanted: Wanted) -> bool:
    """Return whether a job of the wanted name may be alive that a claim could not tell from the one that is to come."""
    alive = (job for job in reading.jobs if job.stage is not Stage.OVER)
    return any(not job.ids and _is_name_like(job.name, wanted.job) for job in alive)


def shows_too_many_new_jobs(reading: Reading, wanted: Wanted) -> bool:
    """Return whether more jobs of the wanted name than a claim keeps are too new to be told by their ages."""
    new = (job for job in reading.jobs if _is_new(job, reading))
    return sum(_is_name_like(job.name, wanted.job) for job in new) > MOST_JOBS_OF_CLAIM


def _is_new(job: SeenJob, reading: Reading) -> bool:
    """Return whether the time of a job may not tell it from one that comes after the reading."""
    return job.created is None or reading.read_at is None or job.created >= reading.read_at - 2 * CLOCK_TOLERANCE


def is_claim_written(row: Row, claim: Claim) -> bool:
    """Return whether the document has this very claim.

    That of another gate of its id has another nonce, and that of an earlier try of this gate another version.
    """
    written = row.document.claims.get(claim.id)
    return written is not None and (written.nonce, written.version) == (claim.nonce, claim.version)


def does_claim_hold(row: Row, claim: Claim) -> bool:
    """Return whether a claim is there, has not ended, and has half of its time left."""
    written = row.document.claims.get(claim.id)
    left = claim.expires - row.moment
    # Half of the time, not any rest: the job has still to be submitted, queued and started.
    return (
        is_claim_written(row, claim)
        and written is not None
        and written.ended is None
        and (2 * left >= claim.expires - claim.created)
    )


def end_earlier_claims(row: Row, claim: Claim, wanted: Wanted) -> PoolClaims:
    """Return the document of another pool in which claims of an earlier try have ended, as a retry has this one."""
    earlier = [
        one
        for one in row.document.claims.values()
        if one.ended is None
        and wanted.is_retry_of(one)
        # Of two gates that have been given one id, each would end the other's: the later claim stays.
        and (one.created, one.nonce) < (claim.created, claim.nonce)
    ]
    return row.document.with_claims(*(_ended_claim(one, row, "replaced") for one in earlier))


def claim_of_id(document: PoolClaims, claim_id: str, nonce: str = "") -> Claim | None:
    """Return the claim of an id: the newest, or the one that has the nonce, also where it was replaced since."""
    newest = document.claims.get(claim_id)
    if not nonce or (newest is not None and newest.nonce == nonce):
        return newest
    return next((one for one in document.claims.values() if (one.id, one.nonce) == (claim_id, nonce)), None)


def release_claim_of(
    row: Row, reading: Reading, claim_id: str, *, nonce: str = "", submitted: bool = True
) -> tuple[PoolClaims, str]:
    """Return (the document in which a claim is given back, what became of it).

    A claim whose job waits is left alone: its job may start at any time. Without a job, one that may have been
    ``submitted`` counts until it has settled.
    """
    claim = claim_of_id(row.document, claim_id, nonce)
    if claim is None:
        return row.document, "gone"
    if claim.ended is not None:
        return row.document, claim.ended.why
    # Of what was not submitted nothing was read, so nothing is known of other claims, either.
    document = mark_claims(row, reading) if submitted else row.document
    marked = document.claims.get(claim.key)
    # Dropped as too old to matter, so nothing is left to give back.
    if marked is None:
        return document, "expired"
    if marked.ended is not None:
        return document, marked.ended.why
    if has_claim_expired(marked, reading):
        return document, "expired"
    # A list of all that is alive shows no job that was deleted. Without a look, a job that was seen once may wait.
    shows_all = submitted and reading.shows_all_alive
    has_job = any(job.is_one_of(marked.jobs) for job in reading.jobs) if shows_all else bool(marked.jobs)
    # Not ended here: between this look and the swap the job may get its cards.
    found = jobs_of_claims(document, reading)
    if has_job or any(_jobs_that_may_be_of_claim(document, marked, reading.jobs, found)):
        return document, "waits"
    why = "released" if submitted else "void"
    return document.with_claims(_ended_claim(marked, row, why)), why


def takes_job_for_certain(other: Claim, claim: Claim) -> bool:
    """Return whether a job that the other claim has cannot be that of the claim, though it has its name."""
    # One that was given back may only seem to have it. And of two that wait for one name, whose it is is not told.
    return other.ended is None and is_glob_of_claim(claim.job) and not is_glob_of_claim(other.job)


def _jobs_that_may_be_of_claim(
    document: PoolClaims, claim: Claim, jobs: Sequence[SeenJob], found: Mapping[str, Sequence[SeenJob]]
) -> Iterator[SeenJob]:
    """Yield those of the jobs that may be of a claim by their names, though their types or their ages are others."""
    # What keeps a claim has to match more than what ends it: the room of a job that waits would be given to others.
    named = [job for job in jobs if job.stage is not Stage.OVER and _has_name_of_claim(claim, job)]
    if named:
        taking = [
            one.key for one in document.claims.values() if one.key != claim.key and takes_job_for_certain(one, claim)
        ]
        others = {one for key in taking for job in found[key] for one in job.ids}
        for job in named:
            # One that was there before may have been started anew, and have another ID beside the one that it had.
            is_known = bool(job.ids) and all(one in claim.known for one in job.ids)
            if not is_known and not job.is_one_of(others):
                yield job


def renew_claim_of(row: Row, claim_id: str, seconds: float, nonce: str = "") -> tuple[PoolClaims, Claim | None]:
    """Return (the document in which a claim lasts for so many seconds from now, the claim); None when it is gone."""
    claim = claim_of_id(row.document, claim_id, nonce)
    # A claim whose time is over stays over: another gate may have been promised the room since.
    if claim is None or claim.ended is not None or claim.expires <= row.moment:
        return row.document, None
    # Never shorter: a renewal that comes early must not take time away.
    renewed = replace(claim, expires=max(claim.expires, row.moment + seconds))
    return row.document.with_claims(renewed), renewed


def end_claim(row: Row, claim_id: str) -> tuple[PoolClaims, bool]:
    """Return (the document in which the claims of an id have ended by hand, whether there was one to end).

    The promise to a job that waits ends with them, whether they had ended before or not.
    """
    lasting = [
        claim
        for claim in row.document.claims.values()
        if claim.id == claim_id and claim.expires > row.moment and not needs_claim_no_grace(claim)
    ]
    # Not void, as a person who ends it does not know whether the job starts just now.
    ended = [one if one.ended is not None else _ended_claim(one, row, "released") for one in lasting]
    return row.document.with_claims(*(replace(one, expires=row.moment) for one in ended)), bool(ended)


def bind_job_to_claim(
    document: PoolClaims, own: Sequence[tuple[str, str]], job_id: str, reading: Reading
) -> PoolClaims:
    """Return the document in which a job belongs for certain to a claim of its run, as its own watch says.

    ``own`` are (ID, nonce) of what the run has claimed: of those that the job can be the job of, it is that of the
    oldest whose jobs have not come yet. With no such claim nothing changes.
    """
    job = next((one for one in reading.jobs if job_id in one.ids), None)
    if job is None:
        return document
    claims = [claim_of_id(document, *one) for one in own]
    # A job of another name or type, and one from before the claim, cannot be its own, whatever a watch says.
    possible = [claim for claim in claims if claim is not None and _is_job_of_claim(claim, job)]
    if not possible:
        return document

    def order(claim: Claim) -> tuple[bool, bool, bool, bool, bool, int]:
        jobs = [one for one in reading.jobs if one.is_one_of(claim.jobs)]
        is_bound = job.is_one_of(claim.jobs)
        # As everywhere, also an exact name leaves the next job of its name to a pattern.
        have_come = _has_claim_all(claim, jobs) or (claim.ended is not None and not is_claim_given_back(claim))
        return (
            not is_bound,
            needs_claim_no_grace(claim),
            have_come,
            is_glob_of_claim(claim.job),
            claim.ended is not None,
            claim.version,
        )

    claim = min(possible, key=order)
    if set(job.ids) <= set(claim.jobs):
        return document
    others = [
        _claim_without_job(one, job, reading)
        for one in document.claims.values()
        if one.key != claim.key and job.is_one_of(one.jobs)
    ]
    bound = tuple(dict.fromkeys((*claim.jobs, *job.ids)))
    return document.with_claims(*others, replace(claim, jobs=bound))


def _claim_without_job(claim: Claim, job: SeenJob, reading: Reading) -> Claim:
    """Return the claim that has taken the job of another one, and waits again for its own if the job has ended it."""
    jobs = tuple(one for one in claim.jobs if one not in job.ids)
    ended = claim.ended
    is_ended_by_other = any(ends_its_claim(one) for one in reading.jobs if one.is_one_of(jobs))
    if ended is not None and ended.why in ("started", "over") and not is_ended_by_other:
        # Whether it had been given back before is not told: it counts for its time, which is never too little.
        ended = None if claim.key == claim.id else replace(ended, why="replaced")
    return replace(claim, jobs=jobs, ended=ended)


def names_claims_look_for(documents: Iterable[PoolClaims]) -> list[str]:
    """Return the names and globs of all jobs that claims wait for."""
    return sorted({claim.job for document in documents for claim in document.claims.values()})


def is_claim_for(claim: Claim, name: str) -> bool:
    """Return whether the claim waits for jobs of a name."""
    return _is_name_like(name, claim.job)


def is_glob_of_claim(name: str) -> bool:
    return not _GLOB.isdisjoint(name)


def jobs_after_their_claims(document: PoolClaims, reading: Reading) -> Iterator[tuple[Claim, SeenJob]]:
    """Yield jobs that have come after the time of their claims, each with its claim."""
    taken = {one for jobs in jobs_of_claims(document, reading).values() for job in jobs for one in job.ids}
    jobs = [job for job in reading.jobs if job.ids and not job.is_one_of(taken)]
    for claim in _claims_by_age(document):
        if claim.ended is None and has_claim_expired(claim, reading):
            yield from ((claim, job) for job in jobs if _is_job_of_claim(claim, job))


def _does_claim_count(claim: Claim, jobs: Sequence[SeenJob], reading: Reading) -> bool:
    if claim.ended is None:
        return not has_claim_expired(claim, reading)
    # This reading began before the end, so it may show neither the claim's job nor its cards.
    if not has_claim_ended(claim, reading):
        return True
    if needs_claim_no_grace(claim):
        return False
    # A job that came after a release, or was put back into the queue, is still promised its room.
    if any(job.stage is Stage.WAITS for job in jobs):
        return not has_claim_expired(claim, reading)
    return not has_claim_settled(claim, reading)


def _left_of_claim(claim: Claim, jobs: Sequence[SeenJob]) -> Amounts:
    """Return what the jobs do not hold of what was claimed; cores and memory come with the last card."""
    held: Amounts = {}
    covering = [job for job in jobs if covers_claim(job)]
    for job in covering:
        add_amounts(held, job.amounts)
    left = {name: max(0, amount - held.get(name, 0)) for name, amount in claim.amounts.items()}
    # With all cards there the job is there whole: what it asks of cores may be less than was claimed.
    if covering and not any(amount for name, amount in left.items() if is_card_resource(name)):
        return {}
    return left


def _has_claim_all(claim: Claim, jobs: Sequence[SeenJob]) -> bool:
    """Return whether the jobs are all that a claim waits for, by their cards; without cards, one job is."""
    held: Amounts = {}
    for job in jobs:
        add_amounts(held, job.amounts)
    # By cards, as cores and memory of a job may be given otherwise than the request has them.
    return bool(jobs) and all(
        held.get(name, 0) >= amount for name, amount in claim.amounts.items() if is_card_resource(name)
    )


def _is_job_of_claim(claim: Claim, job: SeenJob) -> bool:
    is_like_it = _has_name_of_claim(claim, job) and has_type_of_claim(claim, job)
    return is_like_it and not was_known_to_claim(claim, job)


def _type_in_queue(job_type: str) -> str:
    # Without case, in which the API's types are not always spelled alike. And infer and x-infer are one: which of them
    # a service shows is not documented; not tried on a real pool.
    return SCOPE_OF.get(job_type.lower(), job_type.lower())


def _has_name_of_claim(claim: Claim, job: SeenJob) -> bool:
    return is_claim_for(claim, job.name)


def _is_name_like(name: str, wanted: str) -> bool:
    return name == wanted or (is_glob_of_claim(wanted) and fnmatch.fnmatchcase(name, wanted))


def _is_run_before(owner: str, later: str) -> bool:
    """Return whether a run's page, which ends in its number, is that of an earlier run. Without a number it is not."""
    numbers = [one.rpartition("/")[2] for one in (owner, later)]
    return all(one.isascii() and one.isdigit() for one in numbers) and int(numbers[0]) < int(numbers[1])


def _claims_by_age(document: PoolClaims) -> list[Claim]:
    # The version orders all admissions of a pool; times could be equal, or go back with the store's clock.
    return sorted(document.claims.values(), key=lambda claim: (claim.version, claim.key))


def _claim_set_back(claim: Claim, now: float) -> Claim:
    ahead = max(0.0, claim.created - now)
    ended = claim.ended
    if ended is not None:
        ended = replace(ended, at=min(ended.at, now))
    return replace(claim, created=claim.created - ahead, expires=claim.expires - ahead, ended=ended)


def _ended_claim(claim: Claim, row: Row, why: str) -> Claim:
    # A claim whose time is over is not to count for a minute anew.
    return replace(claim, ended=Ended(min(row.moment, claim.expires), row.version + 1, why))
