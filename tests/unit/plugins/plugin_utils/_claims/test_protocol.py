# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of claims one by one. tests/unit/claims walks through what many deployers make of them together."""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import protocol
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import (
    MOST_JOBS_OF_CLAIM,
    Ended,
    PoolClaims,
    dump_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    Asked,
    Reading,
    Row,
    SeenJob,
    Stage,
    TooManyClaimsError,
    Wanted,
    add_claim,
    bind_job_to_claim,
    counted_claims,
    does_claim_hold,
    end_claim,
    end_earlier_claims,
    is_claim_written,
    jobs_after_their_claims,
    jobs_of_claims,
    mark_claims,
    names_claims_look_for,
    release_claim_of,
    renew_claim_of,
    why_not_usable_with_claims,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

GPU = "nvidia.com/gpu"
TTL = 900.0
API = 5e6
"""Seconds by which the API's clock is ahead of the store's: times of the two are never compared."""
EMPTY = PoolClaims("born")
ASKED = Asked("train", 1, (Group(1, {GPU: 8000}, None),), {GPU: 8000})


def job(
    uuid: str, stage: Stage, *, name: str = "train", cards: int = 8, node: bool | None = None, **more: t.Any
) -> SeenJob:
    shows = stage in (Stage.RUNS, Stage.ENDS) if node is None else node
    return SeenJob(
        uuid, name, more.get("type", "train"), stage, shows, {GPU: cards * 1000}, more.get("created", 2 * API)
    )


def claimed(
    *ids: str, document: PoolClaims = EMPTY, at: float = 1000.0, name: str = "train", cards: int = 8, **more: t.Any
) -> PoolClaims:
    """A document with a claim for each of the ids, one after the other."""
    asked = Asked(
        more.get("type", "train"), 1, (Group(1, {GPU: cards * 1000}, None),), {GPU: cards * 1000, "cpu": 60000}
    )
    for claim_id in ids:
        row = Row(len(document.claims), document, at)
        wanted = Wanted(claim_id, name, TTL, "g/-/jobs/7", {}, f"nonce of {claim_id} {at}")
        reading = row.reading(more.get("seen", ()), is_complete=more.get("is_complete", True), read_at=API + at)
        document, _claim = add_claim(document, row, reading, wanted, asked)
    return document


def reading(version: int, time: float, *jobs: SeenJob) -> Reading:
    return Reading(version, "born", time, jobs, read_at=API + time)


def counted(document: PoolClaims, seen: Reading, own: Wanted | None = None) -> dict[str, int]:
    """The cards that count of each claim."""
    return {one.claim.key: one.amounts.get(GPU, 0) // 1000 for one in counted_claims(document, seen, own)}


@pytest.mark.parametrize(
    ("stage", "counts"),
    [(Stage.WAITS, 8), (Stage.ENDS, 8), (Stage.STARTS, None), (Stage.RUNS, None), (Stage.OVER, None)],
)
def test_a_claim_counts_until_its_job_is_seen_with_cards(stage: Stage, counts: int | None) -> None:
    document = claimed("a")
    assert counted(document, reading(1, 1001)) == {"a": 8}
    assert counted(document, reading(1, 1001, job("1", stage))) == ({} if counts is None else {"a": counts})


def test_priority_does_not_matter_and_the_own_claim_does_not_count() -> None:
    document = claimed("a", "b")
    assert counted(document, reading(2, 1001), Wanted("a", "train", TTL, "owner", {}, "n")) == {"b": 8}


def test_a_claim_counts_until_its_time_has_settled() -> None:
    document = claimed("a", at=1000.0)
    assert counted(document, reading(1, 1959.9)) == {"a": 8}
    assert counted(document, reading(1, 1960.0)) == {}


@pytest.mark.parametrize(
    ("seen", "type_of_job", "name"),
    [
        ("train", "infer", "train"),
        ("other", "train", "train"),
        ("Train", "train", "train"),
        ("train", "train", "trai?n"),
    ],
)
def test_a_job_of_another_name_or_type_is_not_the_one(seen: str, type_of_job: str, name: str) -> None:
    document = claimed("a", name=name)
    assert counted(document, reading(1, 1001, job("1", Stage.RUNS, name=seen, type=type_of_job))) == {"a": 8}


def test_a_glob_names_jobs_that_end_in_a_number() -> None:
    document = claimed("a", name="llm-*")
    assert counted(document, reading(1, 1001, job("1", Stage.RUNS, name="llm-4711", type="TRAIN"))) == {}


def test_a_job_that_was_there_before_is_not_the_one() -> None:
    old = job("old", Stage.RUNS)
    document = claimed("a", seen=(old,))
    assert counted(document, reading(1, 1001, old)) == {"a": 8}
    assert counted(document, reading(1, 1001, old, job("new", Stage.RUNS))) == {}


@pytest.mark.parametrize(
    ("stage", "created", "is_complete", "ends"),
    [
        (Stage.OVER, None, True, False),
        (Stage.OVER, None, False, False),
        (Stage.OVER, API + 1029.9, False, False),
        (Stage.OVER, API + 1030.0, False, True),
        (Stage.OVER, API + 970.0, True, True),
        (Stage.OVER, API + 969.9, True, False),
        (Stage.RUNS, None, False, False),
        (Stage.RUNS, API + 1000.0, False, True),
    ],
)
def test_of_very_many_jobs_only_one_that_came_after_the_claim_ends_it(
    stage: Stage, created: float | None, is_complete: bool, ends: bool
) -> None:
    """At the admission some of those that were over were left out, so the claim does not know them."""
    document = claimed("a", at=1000.0, is_complete=is_complete)
    seen = reading(1, 1100.0, job("1", stage, created=created))
    assert (mark_claims(Row(1, document, 1101.0), seen).claims["a"].ended is not None) == ends
    released = release_claim_of(Row(1, document, 1101.0), seen, "a")[1]
    is_over = stage is Stage.OVER
    assert released == (("over" if is_over else "started") if ends else "released" if is_over else "waits")


@pytest.mark.parametrize("is_complete", [True, False])
@pytest.mark.parametrize("stage", [Stage.STARTS, Stage.RUNS, Stage.ENDS, Stage.OVER])
def test_a_job_that_is_older_than_the_claim_is_not_its_job(stage: Stage, is_complete: bool) -> None:
    """A list that was behind did not show it at the admission, or told another of its IDs."""
    row = Row(1, claimed("a", at=1000.0, is_complete=is_complete), 1101.0)
    seen = reading(1, 1100.0, job("1", stage, created=API + 969.9, node=True))
    assert counted(row.document, seen) == {"a": 8}
    assert mark_claims(row, seen).claims["a"].ended is None
    assert bind_job_to_claim(row.document, [("a", "")], "1", seen) == row.document
    # What keeps a claim needs less than what ends it.
    assert release_claim_of(row, seen, "a")[1] == ("released" if stage is Stage.OVER else "waits")


def test_a_reading_from_before_a_claim_gives_it_no_job() -> None:
    """The job of its name was deleted between that reading and the look that claimed."""
    row = Row(1, claimed("a"), 1010.0)
    old = job("old", Stage.RUNS)
    assert counted(row.document, reading(0, 999, old)) == {"a": 8}
    assert mark_claims(row, reading(0, 999, old)) == row.document
    assert counted(row.document, reading(1, 1001, old)) == {}
    bound = mark_claims(row, reading(1, 1001, job("1", Stage.WAITS)))
    assert counted(bound, reading(0, 999, job("1", Stage.RUNS))) == {}, "what is bound is its job in each reading"


def test_a_job_that_may_be_that_of_a_newer_claim_is_bound_to_no_claim_that_was_given_back() -> None:
    released, _why = release_claim_of(Row(1, claimed("a"), 1010.0), reading(1, 1005), "a")
    row = Row(2, claimed("b", document=released, at=1020.0), 1030.0)
    row = replace(row, document=row.document.with_claims(replace(row.document.claims["b"], version=3)), version=3)
    older = reading(2, 1015, job("1", Stage.WAITS))
    assert mark_claims(row, older) == row.document
    assert mark_claims(row, reading(3, 1031, job("1", Stage.WAITS))).claims["b"].jobs == ("1",)


def test_a_claim_is_kept_while_its_job_could_end_one_that_is_newer_than_the_reading() -> None:
    document = mark_claims(Row(1, claimed("a"), 1010.0), reading(1, 1005, job("1", Stage.RUNS)))
    at = 1010.0 + protocol.SETTLE + protocol.KEPT + 1
    document = claimed("b", document=document, at=at)
    row = Row(3, document.with_claims(replace(document.claims["b"], version=3)), at)
    assert set(mark_claims(row, reading(2, at - 1, job("1", Stage.RUNS))).claims) == {"a", "b"}


def without_id(stage: Stage, **more: t.Any) -> SeenJob:
    return replace(job("", stage, **more), uuid=None)


@pytest.mark.parametrize("stage", Stage)
def test_a_job_without_an_id_ends_nothing(stage: Stage) -> None:
    row = Row(2, claimed("a", "b"), 1010.0)
    seen = reading(2, 1005, without_id(stage))
    assert counted(row.document, seen) == {"a": 8, "b": 8}
    assert mark_claims(row, seen) == row.document
    assert [*jobs_after_their_claims(row.document, replace(seen, time=9999))] == []


@pytest.mark.parametrize("stage", Stage)
def test_a_job_without_an_id_keeps_all_that_it_may_be_of(stage: Stage) -> None:
    document = claimed("a", "b")
    row = Row(3, claimed("other", document=document, name="eval"), 1010.0)
    seen = reading(3, 1005, without_id(stage))
    kept = "released" if stage is Stage.OVER else "waits"
    assert [release_claim_of(row, seen, key)[1] for key in ("a", "b", "other")] == [kept, kept, "released"]
    released, _why = release_claim_of(row, reading(3, 1005), "a")
    for key in ("b", "other"):
        released, _why = release_claim_of(replace(row, document=released), reading(3, 1005), key)
    # All of them have settled, and the job may have come after the release.
    seen = replace(seen, version=4, time=1800.0)
    assert counted(released, seen) == ({"a": 8, "b": 8} if stage is Stage.WAITS else {})
    assert set(mark_claims(Row(4, released, 1800.0), seen).claims) == ({"a", "b"} if stage is Stage.WAITS else set())


def test_a_claim_does_not_know_all_where_a_job_told_no_id() -> None:
    document = claimed("a", seen=(without_id(Stage.OVER),))
    over = job("1", Stage.OVER, created=API + 1000)
    assert mark_claims(Row(1, document, 1010.0), reading(1, 1005, over)) == document
    others = claimed("a", seen=(without_id(Stage.OVER, name="eval"),))
    assert mark_claims(Row(1, others, 1010.0), reading(1, 1005, over)).claims["a"].ended is not None


def test_a_retry_counts_what_its_try_before_has_submitted() -> None:
    document = claimed("a")
    retry = Wanted("a", "train", TTL, "owner", {}, "n")
    assert counted(document, reading(1, 1001), retry) == {}
    assert counted(document, reading(1, 1001, job("1", Stage.WAITS)), retry) == {"a": 8}
    assert counted(document, reading(1, 1001, job("1", Stage.RUNS)), retry) == {}
    assert counted(document, reading(1, 1001, job("1", Stage.OVER)), retry) == {}
    released, _why = release_claim_of(Row(1, document, 1010.0), reading(1, 1005), "a")
    assert counted(released, reading(2, 1200, job("1", Stage.WAITS)), retry) == {"a": 8}, "it came after all"
    void, _why = release_claim_of(Row(1, document, 1010.0), reading(1, 1005), "a", submitted=False)
    assert counted(void, reading(2, 1200, job("1", Stage.WAITS)), retry) == {}


def test_very_many_jobs_of_a_name_fill_no_document() -> None:
    """Jobs that wait and ask for no cards never make up what a claim waits for, and are bound one after the other."""
    document = claimed("a")
    for version in range(1, 10):
        jobs = [job(f"{version}-{number}", Stage.WAITS, cards=0) for number in range(400)]
        document = mark_claims(Row(version, document, 1010.0), reading(version, 1005, *jobs))
        assert len(document.claims["a"].jobs) == MOST_JOBS_OF_CLAIM
        assert all(one.startswith(f"{version}-") for one in document.claims["a"].jobs), "the oldest are forgotten"
        assert mark_claims(Row(version, document, 1010.0), reading(version, 1005, *jobs)) == document
    own = job("z", Stage.RUNS)
    ended = mark_claims(Row(10, document, 1010.0), reading(10, 1005, *jobs, own)).claims["a"]
    assert ended.ended is not None
    assert "z" in ended.jobs, "what has ended it is kept"
    assert len(dump_claims(PoolClaims("born", {"a": ended}))) < 10_000


@pytest.mark.parametrize("is_glob_older", [True, False])
@pytest.mark.parametrize("is_given_back", [True, False])
def test_an_exact_name_takes_its_job_before_a_glob_does(is_glob_older: bool, is_given_back: bool) -> None:
    names = {"glob": "llm-*", "exact": "llm-7"}
    document = EMPTY
    for key in names if is_glob_older else reversed(names):
        document = claimed(key, document=document, name=names[key])
    if is_given_back:
        document, _why = release_claim_of(Row(2, document, 1010.0), reading(2, 1005), "exact")
    seen = reading(3, 1012, job("7", Stage.WAITS, name="llm-7"), job("8", Stage.WAITS, name="llm-8"))
    marked = mark_claims(Row(3, document, 1020.0), seen)
    assert {key: claim.jobs for key, claim in marked.claims.items()} == {"glob": ("8",), "exact": ("7",)}


def test_a_claim_that_was_released_keeps_no_other_from_the_job_that_both_may_have() -> None:
    """Whether the job is the late one of the first or that of the glob is not told, so the glob's room is kept."""
    document = claimed("glob", document=claimed("exact", name="llm-7"), name="llm-*")
    document, _why = release_claim_of(Row(2, document, 1010.0), reading(2, 1005), "exact")
    waits = reading(3, 1012, job("7", Stage.WAITS, name="llm-7"))
    assert release_claim_of(Row(3, document, 1020.0), waits, "glob")[1] == "waits"


def test_whether_a_job_is_older_than_its_claim_is_no_matter_of_the_clock_of_the_store() -> None:
    """Where that was set back, its time stands still, while jobs are looked at for minutes."""
    document = claimed("a", at=1000.0)
    runs = job("1", Stage.RUNS, created=API + 1005)
    late = replace(reading(1, 1000.0, runs), read_at=API + 1900)
    assert mark_claims(Row(1, document, 1000.0), late).claims["a"].ended is not None


def test_of_very_many_jobs_a_claim_knows_those_that_their_times_do_not_tell() -> None:
    stages = [*(Stage.OVER,) * 430, *(Stage.RUNS,) * 50]
    old = [job(f"old-{number}", stage, created=API + 0.0 - number) for number, stage in enumerate(stages)]
    new = [job("untold", Stage.RUNS, created=None), job("new", Stage.RUNS, created=API + 997)]
    document = claimed("a", seen=(*old, *new))
    claim = document.claims["a"]
    assert len(claim.known) == 100
    assert {"untold", "new", "old-479"} <= set(claim.known)
    assert "old-400" not in claim.known, "of those that are over the fewest"
    assert mark_claims(Row(1, document, 1050.0), reading(1, 1050, *old, *new)) == document, "none of them ends it"


@pytest.mark.parametrize(
    ("asked", "seen", "ends"),
    [
        ("infer", "x-infer", True),
        ("x-infer", "INFER", True),
        ("infer", None, True),
        (None, "notebook", True),
        ("infer", "train", False),
    ],
)
def test_types_of_one_queue_are_one_and_one_that_is_not_told_may_be_any(
    asked: str | None, seen: str | None, ends: bool
) -> None:
    document = claimed("a", type=asked)
    running = reading(1, 1005, job("1", Stage.RUNS, type=seen))
    assert (mark_claims(Row(1, document, 1010.0), running).claims["a"].ended is not None) == ends
    old = job("1", Stage.RUNS, type="notebook")
    before = claimed("a", type=asked, seen=(old,))
    assert mark_claims(Row(1, before, 1010.0), running) == before, "its type was told otherwise at the admission"


@pytest.mark.parametrize("stage", [Stage.WAITS, Stage.STARTS, Stage.RUNS, Stage.ENDS])
def test_a_job_of_another_type_ends_no_claim_and_keeps_it(stage: Stage) -> None:
    other = job("1", stage, type="notebook")
    row = Row(2, claimed("a", "b"), 1010.0)
    assert release_claim_of(row, reading(2, 1005, other), "a") == (row.document, "waits")
    assert release_claim_of(row, reading(2, 1005, job("1", stage, name="tts")), "a")[1] == "released"


@pytest.mark.parametrize(
    ("older", "newer", "kept"),
    [("train", "train", "waits"), ("tr*", "tr*", "waits"), ("train", "tr*", "released"), ("tr*", "train", "waits")],
)
@pytest.mark.parametrize("stage", [Stage.WAITS, Stage.STARTS])
def test_whose_job_it_is_of_two_claims_of_one_name_a_release_does_not_guess(
    older: str, newer: str, kept: str, stage: Stage
) -> None:
    """The older one has the job, until a watch says whose it is. A pattern takes no job of an exact name."""
    document = claimed("b", name=newer, document=claimed("a", name=older))
    seen = reading(2, 1005, job("1", stage, node=False))
    assert release_claim_of(Row(2, document, 1010.0), seen, "b")[1] == kept


def test_one_job_belongs_to_one_claim_the_oldest() -> None:
    document = claimed("a", "b")
    seen = reading(2, 1001, job("1", Stage.RUNS))
    assert counted(document, seen) == {"b": 8}
    marked = mark_claims(Row(2, document, 1002.0), seen)
    assert marked.claims["a"].jobs == ("1",)
    # The same in a reading in which another job comes first by its name.
    assert jobs_of_claims(marked, reading(3, 1003, job("0", Stage.RUNS), job("1", Stage.RUNS)))["b"][0].uuid == "0"


def test_of_several_jobs_the_claim_less_what_they_hold_counts() -> None:
    document = claimed("a", name="svc-*")
    one, other = (job(uuid, Stage.RUNS, name=f"svc-{uuid}", cards=4) for uuid in "12")
    assert counted(document, reading(1, 1001, one)) == {"a": 4}
    assert counted(document, reading(1, 1001, one, other)) == {}
    marked = mark_claims(Row(1, document, 1001.0), reading(1, 1001, one))
    assert counted(marked, reading(2, 1060, one)) == {"a": 4}
    assert counted(marked, reading(2, 1061, one)) == {}, "the rest was given up"


def test_cores_and_memory_come_with_the_last_card() -> None:
    """Jobs often ask for a little less of them than was claimed: this must not count for a minute after each start."""
    (only,) = counted_claims(claimed("a"), reading(1, 1001, job("1", Stage.RUNS, cards=4)))
    assert only.amounts == {GPU: 4000, "cpu": 60000}
    assert counted_claims(claimed("a"), reading(1, 1001, job("1", Stage.RUNS, cards=8))) == []


@pytest.mark.parametrize(
    ("stage", "node", "why"),
    [
        (Stage.WAITS, False, None),
        (Stage.STARTS, False, None),
        (Stage.STARTS, True, "started"),
        (Stage.RUNS, True, "started"),
        (Stage.ENDS, True, "started"),
        (Stage.OVER, False, "over"),
    ],
)
def test_a_job_with_its_cards_ends_its_claim(stage: Stage, node: bool, why: str | None) -> None:
    row = Row(5, claimed("a"), 1010.0)
    end = mark_claims(row, reading(5, 1005, job("1", stage, node=node))).claims["a"].ended
    assert (end and (end.why, end.at, end.version)) == (why and (why, 1010.0, 6))


def test_an_ended_claim_counts_for_older_readings_and_until_it_has_settled() -> None:
    running = job("1", Stage.RUNS)
    document = mark_claims(Row(1, claimed("a"), 1010.0), reading(1, 1005, running))
    assert counted(document, reading(1, 2000)) == {"a": 8}, "it began before the end"
    assert counted(document, reading(2, 1069.9)) == {"a": 8}, "this reading may not show the job yet"
    assert counted(document, reading(2, 1070)) == {}
    assert counted(document, reading(2, 1020, running)) == {}


def test_marks_are_made_once() -> None:
    seen = reading(1, 1005, job("1", Stage.RUNS))
    document = mark_claims(Row(1, claimed("a"), 1010.0), seen)
    assert mark_claims(Row(2, document, 1011.0), seen) == document


def test_a_job_that_is_put_back_into_the_queue_is_promised_its_room_again() -> None:
    document = mark_claims(Row(1, claimed("a"), 1010.0), reading(1, 1005, job("1", Stage.RUNS)))
    assert counted(document, reading(2, 1200, job("1", Stage.WAITS))) == {"a": 8}
    assert counted(document, reading(2, 1960, job("1", Stage.WAITS))) == {}


@pytest.mark.parametrize(
    ("jobs", "submitted", "why", "ended"),
    [
        ((), True, "released", True),
        ((), False, "void", True),
        ((job("1", Stage.WAITS),), True, "waits", False),
        ((job("1", Stage.WAITS),), False, "waits", False),
        ((job("1", Stage.STARTS),), True, "waits", False),
        ((job("1", Stage.RUNS),), True, "started", True),
        ((job("1", Stage.OVER),), True, "over", True),
    ],
)
def test_release(jobs: tuple[SeenJob, ...], submitted: bool, why: str, ended: bool) -> None:
    row = Row(1, claimed("a"), 1010.0)
    document, said = release_claim_of(row, reading(1, 1005, *jobs), "a", submitted=submitted)
    assert (said, document.claims["a"].ended is not None) == (why, ended)
    again, _said = release_claim_of(Row(2, document, 1011.0), reading(2, 1011, *jobs), "a", submitted=submitted)
    assert again == document, "twice is once"


@pytest.mark.parametrize(
    ("complete", "submitted", "why"), [(True, True, "released"), (False, True, "waits"), (True, False, "waits")]
)
def test_a_job_that_waited_and_was_deleted_keeps_no_claim(complete: bool, submitted: bool, why: str) -> None:
    bound = mark_claims(Row(1, claimed("a"), 1005.0), reading(1, 1005, job("1", Stage.WAITS)))
    look = replace(reading(2, 1010), is_complete=complete)
    document, said = release_claim_of(Row(2, bound, 1010.0), look, "a", submitted=submitted)
    assert said == why
    assert counted(document, reading(3, 1075, job("1", Stage.WAITS))) == {"a": 8}, "the list was behind"


def test_what_is_released_counts_until_a_lost_submission_would_show() -> None:
    document, _why = release_claim_of(Row(1, claimed("a"), 1010.0), reading(1, 1005), "a")
    assert counted(document, reading(2, 1069)) == {"a": 8}
    assert counted(document, reading(2, 1070)) == {}
    assert counted(document, reading(2, 1075, job("1", Stage.WAITS))) == {"a": 8}, "its job came after all"
    void, _why = release_claim_of(Row(1, claimed("a"), 1010.0), reading(1, 1005), "a", submitted=False)
    assert counted(void, reading(2, 1011)) == {}
    assert counted(void, reading(1, 1011)) == {"a": 8}, "a reading from before the end"


def test_a_name_that_is_used_again_belongs_to_the_claim_that_was_not_given_back() -> None:
    document, _why = release_claim_of(Row(1, claimed("a"), 1010.0), reading(1, 1005), "a")
    document = claimed("b", document=document, at=1100.0)
    assert counted(document, reading(3, 1101, job("1", Stage.WAITS))) == {"b": 8}
    assert counted(document, reading(3, 1101, job("1", Stage.RUNS))) == {}


def test_a_release_sees_the_job_though_an_earlier_try_waits_for_it_too() -> None:
    document = claimed("a", document=claimed("a"), at=1001.0)
    assert release_claim_of(Row(2, document, 1010.0), reading(2, 1005, job("1", Stage.WAITS)), "a")[1] == "waits"


def test_the_release_of_what_is_not_there_changes_nothing() -> None:
    assert release_claim_of(Row(1, claimed("a"), 1010.0), reading(1, 1005), "b") == (claimed("a"), "gone")


def test_the_same_id_claims_again() -> None:
    """The second try replaces the first, which ends as a released one does, and not against its own owner."""
    document = claimed("a")
    again = claimed("a", document=document, at=1100.0)
    assert set(again.claims) == {"a", "a~1"}
    assert again.claims["a~1"].ended is not None
    assert again.claims["a~1"].ended.why == "replaced"
    assert counted(again, reading(2, 1101), Wanted("a", "train", TTL, "owner", {}, "n")) == {}
    assert counted(again, reading(2, 1101)) == {"a": 8, "a~1": 8}
    assert counted(again, reading(2, 1160)) == {"a": 8}
    assert not is_claim_written(Row(2, again, 1101.0), document.claims["a"])
    assert is_claim_written(Row(2, again, 1101.0), again.claims["a"])
    earlier_try = replace(again.claims["a"], version=1, expires=1999.0)
    assert not is_claim_written(Row(2, again, 1101.0), earlier_try), (
        "an earlier try of the same gate, whose answer was lost"
    )


def test_renewing() -> None:
    document, claim = renew_claim_of(Row(1, claimed("a"), 1500.0), "a", 900)
    assert claim is not None
    assert claim.expires == 2400.0
    assert document.claims["a"] == claim
    assert renew_claim_of(Row(2, document, 1500.0), "a", 10)[1] == claim, "it makes no claim shorter"
    assert renew_claim_of(Row(2, document, 2400.0), "a", 900) == (document, None), "its time is over"
    assert renew_claim_of(Row(2, document, 1500.0), "b", 900) == (document, None)


def test_ending_by_hand() -> None:
    document, is_ended = end_claim(Row(1, claimed("a"), 1010.0), "a")
    assert is_ended
    waiting = job("1", Stage.WAITS)
    assert counted(document, reading(2, 1069, waiting)) == {"a": 8}
    assert counted(document, reading(2, 1070, waiting)) == {}, "its room is free though its job waits"
    assert release_claim_of(Row(2, document, 1011.0), reading(2, 1011, waiting), "a") == (document, "released")
    assert end_claim(Row(2, document, 1011.0), "a") == (document, False)


@pytest.mark.parametrize("why", ["released", "replaced", "started", "void"])
def test_ending_by_hand_what_has_ended_and_is_still_promised_to_a_job_that_waits(why: str) -> None:
    claim = replace(claimed("a").claims["a"], ended=Ended(1005.0, 1, why))
    document, is_ended = end_claim(Row(1, PoolClaims("born", {"a": claim}), 1010.0), "a")
    assert is_ended == (why != "void")
    assert counted(document, reading(2, 1070, job("1", Stage.WAITS))) == {}


@pytest.mark.parametrize("end", ["release", "by hand", "replaced", "its other pool"])
def test_an_end_after_its_time_does_not_let_a_claim_count_anew(end: str) -> None:
    document = claimed("a", at=1000.0)
    row, gate = Row(1, document, 2000.0), Wanted("a", "train", TTL, "g/-/jobs/7", {}, "nonce")
    later = claimed("a", at=1999.0).claims["a"]
    ended = {
        "release": lambda: release_claim_of(row, reading(1, 2000), "a")[0],
        "by hand": lambda: end_claim(row, "a")[0],
        "replaced": lambda: add_claim(document, row, reading(1, 2000), gate, ASKED)[0],
        "its other pool": lambda: end_earlier_claims(row, later, gate),
    }[end]()
    old = next(claim for claim in ended.claims.values() if claim.created == 1000.0)
    assert counted(PoolClaims("born", {old.key: old}), reading(2, 2001)) == {}


def test_a_watch_tells_whose_job_it_is() -> None:
    """Of two claims of one name, the job was taken for that of the older."""
    seen = reading(2, 1001, job("1", Stage.RUNS))
    document = mark_claims(Row(2, claimed("a", "b"), 1002.0), seen)
    bound = bind_job_to_claim(document, [("b", "")], "1", seen)
    assert (bound.claims["a"].jobs, bound.claims["b"].jobs) == ((), ("1",))
    assert bind_job_to_claim(bound, [("b", "")], "1", seen) == bound
    known = claimed("a", seen=(job("old", Stage.RUNS),))
    there = reading(2, 1001, job("old", Stage.RUNS))
    assert bind_job_to_claim(known, [("a", "")], "old", there) == known, (
        "one that was there before is not the job of the claim"
    )


@pytest.mark.parametrize("stage", [Stage.RUNS, Stage.ENDS, Stage.OVER])
def test_a_watch_that_takes_a_job_gives_back_the_end_that_the_job_has_made(stage: Stage) -> None:
    """The older claim of two, which the job has ended, waits for its own job again."""
    seen = reading(2, 1001, job("1", stage))
    document = mark_claims(Row(2, claimed("a", "b"), 1002.0), seen)
    assert document.claims["a"].ended is not None
    bound = bind_job_to_claim(document, [("b", "")], "1", seen)
    marked = mark_claims(Row(3, bound, 1003.0), seen)
    assert (marked.claims["a"].ended, marked.claims["b"].ended is None) == (None, False)
    assert counted(marked, reading(4, 1100, job("1", stage))) == {"a": 8}
    own = job("2", Stage.RUNS)
    assert mark_claims(Row(4, marked, 1101.0), reading(4, 1100, own)).claims["a"].jobs == ("2",)


def test_a_watch_gives_back_no_end_that_another_job_or_a_release_has_made() -> None:
    jobs = job("1", Stage.RUNS, cards=4), job("2", Stage.RUNS, cards=4)
    document = mark_claims(Row(2, claimed("a", "b"), 1002.0), reading(2, 1001, *jobs))
    assert document.claims["a"].jobs == ("1", "2")
    bound = bind_job_to_claim(document, [("b", "")], "1", reading(2, 1001, *jobs))
    assert bound.claims["a"].ended == document.claims["a"].ended
    waiting = reading(2, 1001, job("1", Stage.WAITS))
    document, _is_ended = end_claim(Row(2, mark_claims(Row(2, claimed("a", "b"), 1002.0), waiting), 1003.0), "a")
    bound = bind_job_to_claim(document, [("b", "")], "1", waiting)
    assert bound.claims["a"] == replace(document.claims["a"], jobs=())


def test_of_two_earlier_tries_a_retry_counts_the_one_that_has_the_job_that_waits() -> None:
    document, own = claimed("a", document=claimed("a"), at=1030.0), Wanted("a", "train", TTL, "owner", {}, "third")
    assert counted(document, reading(2, 1050)) == {"a~1": 8, "a": 8}
    waits = job("1", Stage.WAITS)
    assert counted(document, reading(2, 1050, waits), own) == {"a": 8}
    smaller = claimed("a", document=claimed("a"), at=1030.0, cards=4)
    assert counted(smaller, reading(2, 1050, waits), own) == {"a~1": 8, "a": 4}, "it may be the job of either"
    expired = document.with_claims(replace(document.claims["a~1"], jobs=("1",), expires=900.0))
    assert counted(expired, reading(2, 1100, waits), own) == {"a": 8}


def test_a_retry_counts_its_earlier_try_whose_job_waits_though_its_time_says_otherwise() -> None:
    """A date of the API may be wrong, and what counts has to match more than what ends a claim."""
    document, own = claimed("a"), Wanted("a", "train", TTL, "owner", {}, "retry")
    assert counted(document, reading(1, 1000, job("1", Stage.WAITS, created=API + 900)), own) == {"a": 8}
    assert counted(document, reading(1, 1000, job("1", Stage.RUNS, created=API + 900)), own) == {}
    seen = job("old", Stage.WAITS, created=API + 900)
    assert counted(claimed("a", seen=(seen,)), reading(1, 1000, seen), own) == {}, "it was there before"


@pytest.mark.parametrize("more", [{"name": "eval"}, {"type": "infer"}])
def test_a_watch_of_a_job_that_no_claim_of_its_run_is_for_touches_none(more: dict[str, t.Any]) -> None:
    """As with two gates in one play, of which the watch follows the job of the first."""
    document = claimed("a", **more)
    seen = reading(1, 1001, job("1", Stage.RUNS))
    assert bind_job_to_claim(document, [("a", "")], "1", seen) == document
    both = claimed("b", document=document)
    bound = bind_job_to_claim(both, [("a", ""), ("b", "")], "1", seen)
    assert (bound.claims["a"].jobs, bound.claims["b"].jobs) == ((), ("1",))
    assert bind_job_to_claim(both, [("a", ""), ("b", "")], "2", seen) == both, "a job that does not show"


def test_a_watch_takes_the_claim_with_the_exact_name_and_not_an_older_glob() -> None:
    document = claimed("exact", document=claimed("glob", name="tr*"), name="train")
    seen = reading(2, 1001, job("1", Stage.RUNS))
    bound = bind_job_to_claim(document, [("glob", ""), ("exact", "")], "1", seen)
    assert (bound.claims["glob"].jobs, bound.claims["exact"].jobs) == ((), ("1",))


def test_a_watch_takes_a_glob_that_waits_and_not_an_exact_name_whose_job_has_come() -> None:
    first, second = job("1", Stage.RUNS), job("2", Stage.RUNS)
    started = mark_claims(Row(1, claimed("exact"), 1001.0), reading(1, 1001, first))
    document = claimed("glob", document=started, name="tr*", seen=(first,))
    for jobs in ((first, second), (second,)):
        bound = bind_job_to_claim(document, [("glob", ""), ("exact", "")], "2", reading(2, 1002, *jobs))
        assert (bound.claims["glob"].jobs, bound.claims["exact"].jobs) == (("2",), ("1",))


def test_a_watch_takes_a_claim_that_waits_and_not_one_that_was_given_back() -> None:
    given_back, _why = release_claim_of(
        Row(1, claimed("exact", name="train"), 1001.0), reading(1, 1001), "exact", submitted=False
    )
    document = claimed("glob", document=given_back, name="tr*")
    seen = reading(2, 1001, job("1", Stage.RUNS))
    bound = bind_job_to_claim(document, [("glob", ""), ("exact", "")], "1", seen)
    assert (bound.claims["glob"].jobs, bound.claims["exact"].jobs) == (("1",), ())
    # One whose job may have been submitted all the same is not void: its late job is no job of the glob.
    end = Ended(1001.0, 2, "released")
    released = document.with_claims(replace(document.claims["exact"], ended=end))
    bound = bind_job_to_claim(released, [("glob", ""), ("exact", "")], "1", seen)
    assert (bound.claims["glob"].jobs, bound.claims["exact"].jobs) == ((), ("1",))


def test_what_is_started_anew_under_its_id_keeps_a_claim_and_ends_none() -> None:
    """As a notebook or a service may be: the reference does not say which of its IDs stay."""
    before, again = job("n", Stage.OVER), replace(job("n", Stage.WAITS), other_ids=("u2",))
    row = Row(1, claimed("a", seen=(before,)), 1010.0)
    assert release_claim_of(row, reading(1, 1005, before, again), "a") == (row.document, "waits")
    assert release_claim_of(row, reading(1, 1005, replace(again, other_ids=())), "a")[1] == "released"
    assert mark_claims(row, reading(1, 1005, replace(again, stage=Stage.RUNS))) == row.document


def test_of_two_claims_of_a_run_for_one_name_each_has_a_job() -> None:
    document, own = claimed("a", "b"), [("b", ""), ("a", "")]
    jobs = [job("1", Stage.RUNS), job("2", Stage.RUNS)]
    document = bind_job_to_claim(document, own, "2", reading(2, 1001, *jobs))
    assert (document.claims["a"].jobs, document.claims["b"].jobs) == (("2",), ())
    document = bind_job_to_claim(document, own, "1", reading(2, 1001, *jobs))
    assert (document.claims["a"].jobs, document.claims["b"].jobs) == (("2",), ("1",))
    again = replace(jobs[0], other_ids=("U",))
    document = bind_job_to_claim(document, own, "U", reading(2, 1001, again, jobs[1]))
    assert (document.claims["a"].jobs, document.claims["b"].jobs) == (("2",), ("1", "U"))
    lasting, _end = end_claim(Row(2, claimed("a", "b"), 1001.0), "a")
    assert bind_job_to_claim(lasting, own, "1", reading(2, 1001, *jobs)).claims["b"].jobs == ("1",)


def test_what_nobody_has_to_know_is_dropped() -> None:
    document = claimed("a")
    assert mark_claims(Row(1, document, 1900.0 + 660.0), reading(1, 1000)).claims
    assert not mark_claims(Row(1, document, 1900.0 + 660.1), reading(1, 1000)).claims
    ended, _why = release_claim_of(Row(1, document, 1010.0), reading(1, 1005), "a")
    assert not mark_claims(Row(2, ended, 1670.1), reading(2, 1671)).claims
    waiting = reading(2, 1671, job("1", Stage.WAITS))
    assert mark_claims(Row(2, ended, 1671.0), waiting).claims, "its job came after all, and waits"


def test_a_pool_has_so_many_claims_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_CLAIMS", 2)
    document = claimed("a", "b")
    with pytest.raises(TooManyClaimsError):
        claimed("c", document=document)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (Row(5, EMPTY, 1300.0), ""),
        (Row(9, EMPTY, 1300.0), ""),
        (Row(4, EMPTY, 1300.0), "restored"),
        (Row(9, PoolClaims("again"), 1300.0), "made anew"),
        (Row(5, EMPTY, 1300.1), "too old"),
    ],
)
def test_when_a_reading_is_of_no_use(row: Row, why: str) -> None:
    assert why in why_not_usable_with_claims(reading(5, 1000), row)
    assert bool(why_not_usable_with_claims(reading(5, 1000), row)) == bool(why)


def test_a_document_that_is_new_since_the_reading_may_have_any_birth() -> None:
    assert why_not_usable_with_claims(Reading(0, None, 1000, ()), Row(1, PoolClaims("new"), 1001.0)) == ""


def test_a_clock_that_goes_back_is_stopped() -> None:
    row = Row(1, claimed("a", at=1000.0), 900.0)
    assert row.moment == 1000.0
    assert row.reading(()).time == 1000.0
    assert claimed("b", document=row.document, at=900.0).claims["b"].expires == 1900.0


def test_after_a_pause_a_claim_must_be_there_with_half_of_its_time() -> None:
    document = claimed("a")
    claim = document.claims["a"]
    assert does_claim_hold(Row(1, document, 1450.0), claim)
    assert not does_claim_hold(Row(1, document, 1450.1), claim)
    assert not does_claim_hold(Row(2, EMPTY, 1001.0), claim)
    assert not does_claim_hold(Row(2, end_claim(Row(1, document, 1001.0), "a")[0], 1001.0), claim)
    assert not does_claim_hold(Row(2, claimed("a", document=document, at=1001.0), 1001.0), claim)


def test_a_job_that_comes_after_its_claim_is_late() -> None:
    document = claimed("a")
    seen = reading(1, 1960, job("1", Stage.RUNS))
    assert [(claim.id, one.uuid) for claim, one in jobs_after_their_claims(document, seen)] == [("a", "1")]
    assert list(jobs_after_their_claims(document, replace(seen, time=1959))) == []


@pytest.mark.parametrize("end", [None, "released", "replaced"])
@pytest.mark.parametrize("stage", [Stage.WAITS, Stage.RUNS, Stage.OVER])
def test_a_late_job_of_an_exact_name_is_the_job_of_no_glob(stage: Stage, end: str | None) -> None:
    """For as long as it is seen: its own claim is not dropped before."""
    document = claimed("exact", document=claimed("glob", name="tr*"), at=1010.0)
    lasting = replace(document.claims["glob"], expires=1e6)
    ended = replace(document.claims["exact"], ended=None if end is None else Ended(1020.0, 3, end))
    document = document.with_claims(lasting, ended)
    late = job("1", stage)
    for version, at in enumerate((1970.0, 1980.0, 2100.0, 9000.0), 3):
        seen = reading(version, at, late)
        assert counted(document, seen) == {"glob": 8}
        notes = [(claim.id, one.uuid) for claim, one in jobs_after_their_claims(document, seen)]
        assert notes == ([] if end else [("exact", "1")])
        document = mark_claims(Row(version, document, at), seen)
        assert {key: claim.jobs for key, claim in document.claims.items()} == {"glob": (), "exact": ()}
    assert set(mark_claims(Row(9, document, 9001.0), reading(9, 9001)).claims) == {"glob"}


def test_a_look_that_fails_drops_no_claim_whose_late_job_a_glob_would_take() -> None:
    document = claimed("exact", document=claimed("glob", name="tr*"), at=1010.0)
    document = document.with_claims(replace(document.claims["glob"], expires=1e6))
    row = Row(2, document, 9000.0)
    unread = mark_claims(row, Reading(2, "born", 9000.0, [], is_complete=False))
    assert counted(unread, reading(3, 9001, job("1", Stage.RUNS))) == {"glob": 8}
    assert set(mark_claims(row, reading(2, 9000)).claims) == {"glob"}


@pytest.mark.parametrize("end", ["started", "over", "void"])
def test_a_second_job_of_an_exact_name_may_be_that_of_a_glob(end: str) -> None:
    document = claimed("exact", document=claimed("glob", name="tr*"), at=1010.0)
    ended = replace(document.claims["exact"], ended=Ended(1020.0, 3, end))
    lasting = replace(document.claims["glob"], expires=1e6)
    document = document.with_claims(lasting, ended)
    assert counted(document, reading(3, 1970, job("1", Stage.RUNS))) == {}


def test_a_job_that_has_come_in_time_leaves_the_next_one_of_its_name_to_a_glob() -> None:
    document = claimed("exact", document=claimed("glob", name="tr*"), at=1010.0)
    waits = job("1", Stage.WAITS)
    document = mark_claims(Row(2, document, 1020.0), reading(2, 1020, waits))
    document = document.with_claims(replace(document.claims["glob"], expires=1e6))
    seen = reading(3, 1970, waits, job("2", Stage.RUNS))
    assert {key: [one.uuid for one in jobs] for key, jobs in jobs_of_claims(document, seen).items()} == {
        "exact": ["1"],
        "glob": ["2"],
    }


def test_names_that_are_looked_for() -> None:
    assert names_claims_look_for([claimed("a", "b"), claimed("c", name="x-*")]) == ["train", "x-*"]


def test_nothing_counts_for_ever() -> None:
    """With all pipelines dead, whatever jobs do: after the time to live and settling, no claim counts."""
    document = claimed("a", "b", "c")
    for stages in ((), (Stage.WAITS,), (Stage.RUNS, Stage.ENDS), tuple(Stage)):
        jobs = [job(str(number), stage) for number, stage in enumerate(stages)]
        marked = mark_claims(Row(3, document, 1900.0), reading(3, 1899, *jobs))
        assert counted(marked, reading(4, 1000 + TTL + protocol.SETTLE, *jobs)) == {}


def test_of_two_claims_of_one_id_in_two_pools_the_later_one_stays() -> None:
    """Two gates that were given one id by mistake would else end the claims of each other."""
    first, second = claimed("a", at=1000.0), claimed("a", at=1001.0)
    gate = Wanted("a", "train", TTL, "g/-/jobs/7", {}, "nonce")
    ended = end_earlier_claims(Row(1, first, 1002.0), second.claims["a"], gate)
    assert ended.claims["a"].ended == Ended(1002.0, 2, "replaced")
    assert end_earlier_claims(Row(2, ended, 1003.0), second.claims["a"], gate) == ended
    assert end_earlier_claims(Row(1, second, 1002.0), first.claims["a"], gate) == second
    assert end_earlier_claims(Row(1, claimed("b"), 1002.0), second.claims["a"], gate) == claimed("b")
    of_run = replace(gate, family="a")
    assert end_earlier_claims(Row(1, first, 1002.0), second.claims["a"], of_run) == first, "of another gate of its run"
    retry = replace(of_run, owner="g/-/jobs/8")
    assert end_earlier_claims(Row(1, first, 1002.0), second.claims["a"], retry) == ended
    # As in the pool itself: a submission of the earlier try may still come, and its job is promised its room.
    assert counted(ended, reading(2, 1010)) == {"a": 8}
    assert counted(ended, reading(2, 1100, job("1", Stage.WAITS))) == {"a": 8}
    assert counted(ended, reading(2, 1100)) == {}


def test_an_earlier_run_does_not_take_the_place_of_a_later_one() -> None:
    """A run that was cancelled while its gate looked goes on for a while, and its retry may be admitted before it."""

    def of_run(page: str, nonce: str) -> Wanted:
        return Wanted("g/1", "train", TTL, page, {}, nonce, family="g/1")

    seen, row = reading(1, 1001), Row(0, EMPTY, 1000.0)
    asked = Asked("train", 1, (), {GPU: 8000})
    document, _claim = add_claim(EMPTY, row, row.reading(()), of_run("g/-/jobs/10", "n1"), asked)
    # An earlier run that claims during the look of the next one may have submitted the job that this look shows.
    later = of_run("g/-/jobs/11", "n2").within(document)
    assert counted(document, reading(0, 1001, job("1", Stage.WAITS, created=API + 996)), later) == {"g/1": 8}
    assert counted(document, reading(0, 1001), of_run("g/-/jobs/10", "n1").within(document)) == {}, "its own, written"
    for page, counts in (("9", True), ("11", False), ("10", True), ("", True), ("\u0661\u0662", True)):
        gate = of_run(f"g/-/jobs/{page}", "n2").within(document)
        assert (counted(document, seen, gate) != {}) == counts, page
        assert (gate.id == "g/1/2") == counts, page
    earlier = of_run("g/-/jobs/9", "n2").within(document)
    both, _claim = add_claim(document, Row(1, document, 1001.0), seen, earlier, asked)
    assert [claim.ended for claim in both.claims.values()] == [None, None]
    assert end_earlier_claims(Row(1, document, 1002.0), both.claims["g/1/2"], earlier) == document


def test_two_gates_of_one_run_have_two_claims_and_a_retry_takes_the_place_of_both() -> None:
    """A loop over components under one glob: the id of GitLab's job is the same for each of its gates."""

    def gate(document: PoolClaims, owner: str, nonce: str) -> tuple[PoolClaims, str]:
        row = Row(len(document.claims), document, 1000.0)
        wanted = Wanted("g/1", "train-*", TTL, owner, {}, nonce, family="g/1").within(document)
        document, claim = add_claim(document, row, row.reading(()), wanted, Asked("train", 1, (), {GPU: 8000}))
        return document, claim.id

    document, first = gate(EMPTY, "g/-/jobs/1", "n1")
    document, second = gate(document, "g/-/jobs/1", "n2")
    assert (first, second) == ("g/1", "g/1/2")
    assert counted(document, reading(2, 1001)) == {"g/1": 8, "g/1/2": 8}
    assert gate(document, "g/-/jobs/1", "n2")[1] == "g/1/2", "the same gate, whose answer was lost"
    released, _why = release_claim_of(Row(2, document, 1001.0), reading(2, 1001), "g/1")
    third = Wanted("g/1", "train-*", TTL, "g/-/jobs/1", {}, "n5", family="g/1")
    assert counted(released, reading(3, 1002), third) == {"g/1": 8, "g/1/2": 8}, "its job may still come"
    assert counted(released, reading(3, 1002), replace(third, owner="g/-/jobs/2")) == {}, "a retry of both"
    document, first = gate(document, "g/-/jobs/2", "n3")
    assert [claim.nonce for claim in document.claims.values() if claim.ended is None] == ["n3"], "that of both"
    document, second = gate(document, "g/-/jobs/2", "n4")
    assert (first, second) == ("g/1", "g/1/2")
    lasting = {claim.nonce for claim in document.claims.values() if claim.ended is None}
    assert lasting == {"n3", "n4"}


def test_a_clock_that_was_ahead_by_days_holds_no_claim_for_days() -> None:
    day = 86400.0
    document = claimed("a", at=1000.0 + 30 * day)
    document = document.with_claims(
        replace(claimed("b", at=1000.0 + 30 * day).claims["b"], ended=Ended(1000.0 + 30 * day, 1, "released"))
    )
    assert Row(2, document, 1000.0 + 30 * day).with_times_that_come().is_set_back is False
    row = Row(2, document, 1000.0).with_times_that_come()
    assert row.is_set_back
    assert row.moment == 1000.0
    claim = row.document.claims["a"]
    assert (claim.created, claim.expires) == (1000.0, 1000.0 + TTL)
    # Only what is written lets time go on for it.
    written = Row(3, row.document, 1000.0 + TTL + protocol.SETTLE).with_times_that_come()
    assert not written.is_set_back
    assert counted(written.document, written.reading(())) == {}
    # A reading from before the clock was set would take both for long over.
    ahead = Row(2, document, 1000.0 + 40 * day).reading(())
    assert "the clock of the store was set back" in why_not_usable_with_claims(ahead, row)


def test_a_clock_that_is_a_little_behind_stands_still() -> None:
    document = claimed("a", at=1000.0)
    row = Row(1, document, 900.0)
    assert row.with_times_that_come() == row
    assert row.moment == 1000.0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("u1", None), ("j1", "u1")),
        (("j1", "u1"), ("u1", None)),
        (("j1", "u1"), ("j2", "u1")),
        (("j1", "u1"), ("j1", None)),
    ],
    ids=["jobUUID comes later", "jobUUID is left out", "restarted", "uid is left out"],
)
def test_a_job_is_the_same_by_any_of_its_ids(before: tuple[str, str | None], after: tuple[str, str | None]) -> None:
    def seen(ids: tuple[str, str | None]) -> SeenJob:
        return replace(job(ids[0], Stage.RUNS), other_ids=() if ids[1] is None else (ids[1],))

    known = claimed("a", seen=[seen(before)])
    row = Row(1, known, 1001.0)
    marked = mark_claims(row, row.reading([seen(after)]))
    assert marked.claims["a"].ended is None, "it was there before the claim"
    bound = mark_claims(Row(1, claimed("a"), 1001.0), reading(1, 1001, replace(seen(before), stage=Stage.WAITS)))
    assert set(bound.claims["a"].jobs) == {one for one in before if one}
    (found,) = jobs_of_claims(claimed("older", document=bound, at=900.0), reading(2, 1002, seen(after)))["a"]
    assert found == seen(after), "it is bound to this claim, and to no other of its name"


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_claim_that_is_dropped_leaves_its_job_to_no_other_of_its_name(is_complete: bool) -> None:
    """Two deployments whose jobs have one name: the job of the first still runs when its claim is long over."""
    both = claimed("first", "second")
    later = replace(both.claims["second"], expires=1e6)
    both = both.with_claims(later)
    runs = job("1", Stage.RUNS)
    marked = mark_claims(Row(2, both, 1001.0), reading(2, 1001, runs))
    assert marked.claims["first"].jobs == ("1",)
    at = 1001.0 + protocol.SETTLE + protocol.KEPT + 1
    shown = [runs] if is_complete else []
    marked = mark_claims(Row(3, marked, at), Reading(3, "born", at, shown, is_complete))
    assert marked.claims["second"].ended is None
    assert counted(marked, reading(4, at, runs)) == {"second": 8}
    # Without another claim of the name, or once the job is gone, nothing keeps it.
    assert "first" not in mark_claims(Row(4, marked, at), reading(4, at)).claims
    alone = PoolClaims("born", {"first": marked.claims["first"]})
    assert mark_claims(Row(4, alone, at), reading(4, at, runs)).claims == {}


def test_claims_whose_jobs_are_left_out_fill_no_document() -> None:
    """More than 500 jobs of a name: one claim that lasts for days would keep all that have ended since."""
    document = claimed("long", name="train*")
    document = document.with_claims(replace(document.claims["long"], expires=1e9))
    for number in range(300):
        document = claimed(str(number), document=document, at=1000.0 + number)
    ended = [
        replace(claim, jobs=(key,), ended=Ended(claim.created, claim.version, "started"))
        for key, claim in document.claims.items()
        if key != "long"
    ]
    row = Row(301, document.with_claims(*ended), 1e6)
    marked = mark_claims(row, Reading(301, "born", 1e6, [], is_complete=False))
    assert set(marked.claims) == {"long", *map(str, range(200, 300))}
    assert set(mark_claims(row, reading(301, 1e6)).claims) == {"long"}
    others = Row(301, claimed("other", document=PoolClaims("born", {one.key: one for one in ended}), name="eval"), 1e6)
    assert mark_claims(others, Reading(301, "born", 1e6, [], is_complete=False)).claims == {}


def test_what_is_dropped_takes_no_time_for_each_claim_and_job_and_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old claims that share their jobs, and claims that could take those: who may write the store chooses both."""
    jobs = [job(str(number), Stage.RUNS) for number in range(50)]
    old = claimed(*(f"o{number}" for number in range(20)), at=1.0)
    bound = tuple(one.uuid for one in jobs)
    old = old.with_claims(*(replace(claim, jobs=bound) for claim in old.claims.values()))
    document = claimed(*(f"t{number}" for number in range(60)), document=old, at=1e6, type="infer")
    asked = 0
    rule = protocol._is_job_of_claim

    def count(*words: t.Any) -> bool:
        nonlocal asked
        asked += 1
        return rule(*words)

    monkeypatch.setattr(protocol, "_is_job_of_claim", count)
    marked = mark_claims(Row(80, document, 1e6), reading(80, 1e6, *jobs))
    assert set(marked.claims) == {f"t{number}" for number in range(60)}
    assert asked <= len(jobs) * 60


def test_a_watch_takes_a_job_with_all_its_ids() -> None:
    waits = replace(job("J", Stage.WAITS), other_ids=("U",))
    runs = replace(waits, stage=Stage.RUNS)
    document = mark_claims(Row(2, claimed("a", "b"), 1001.0), reading(2, 1001, waits))
    assert document.claims["a"].jobs == ("J", "U")
    seen = reading(3, 1002, runs)
    for one in ("J", "U"):
        bound = bind_job_to_claim(document, [("b", "")], one, seen)
        assert (bound.claims["a"].jobs, bound.claims["b"].jobs) == ((), ("J", "U"))
        marked = mark_claims(Row(3, bound, 1002.0), seen)
        assert marked.claims["a"].ended is None
        assert marked.claims["b"].ended is not None


def test_a_job_that_two_claims_have_by_one_of_its_ids_each_ends_one_of_them() -> None:
    """Looks told one ID alone, and a watch has taken the job by the other."""
    first = mark_claims(Row(2, claimed("a", "b"), 1001.0), reading(2, 1001, job("U", Stage.WAITS)))
    told = mark_claims(Row(3, first, 1002.0), reading(3, 1002, job("J", Stage.RUNS)))
    bound = told.with_claims(
        replace(told.claims["a"], jobs=("U",), ended=None),
        replace(told.claims["b"], jobs=("J",), ended=told.claims["a"].ended),
    )
    both = replace(job("J", Stage.RUNS), other_ids=("U",))
    marked = mark_claims(Row(4, bound, 1003.0), reading(4, 1003, both))
    assert marked.claims["b"].ended is not None
    assert marked.claims["a"].ended is None, "its job is still to come"
    assert counted(marked, reading(5, 1004, both)) == {"a": 8}


def test_a_watch_binds_no_job_that_was_there_before_by_any_of_its_ids() -> None:
    known = claimed("a", seen=[job("U", Stage.RUNS)])
    now = replace(job("J", Stage.RUNS), other_ids=("U",))
    assert bind_job_to_claim(known, [("a", "")], "J", reading(1, 1001, now)) == known
    over = replace(claimed("a", is_complete=False).claims["a"], knows_all=False)
    document = PoolClaims("born", {"a": over})
    seen = reading(1, 1001, job("1", Stage.OVER, created=API - 4000))
    assert bind_job_to_claim(document, [("a", "")], "1", seen) == document


def test_of_two_old_claims_of_a_name_none_leaves_its_job_to_a_third() -> None:
    three = claimed("first", "second", "third")
    three = three.with_claims(replace(three.claims["third"], expires=1e6))
    jobs = [job("1", Stage.RUNS), job("2", Stage.RUNS)]
    marked = mark_claims(Row(3, three, 1001.0), reading(3, 1001, *jobs))
    assert [marked.claims[key].jobs for key in ("first", "second", "third")] == [("1",), ("2",), ()]
    at = 1001.0 + protocol.SETTLE + protocol.KEPT + 1
    for version in range(4, 8):
        marked = mark_claims(Row(version, marked, at), reading(version, at, *jobs))
        assert marked.claims["third"].ended is None
        assert counted(marked, reading(version + 1, at, *jobs)) == {"third": 8}


def test_very_many_old_claims_that_are_kept_take_one_pass() -> None:
    document = claimed("live", name="*")
    document = document.with_claims(replace(document.claims["live"], expires=1e9))
    for number in range(499):
        document = claimed(str(number), document=document, name="*", at=1000.0 + number)
    old = [
        replace(claim, jobs=(key,), expires=1e9, ended=Ended(claim.created, claim.version, "released"))
        for key, claim in document.claims.items()
        if key != "live"
    ]
    jobs = [job(str(number), Stage.RUNS) for number in range(499)]
    row = Row(500, document.with_claims(*old), 1e6)
    began = time.process_time()
    assert len(mark_claims(row, reading(500, 1e6, *jobs)).claims) == 500
    assert time.process_time() - began < 5


def test_a_look_that_fails_drops_no_claim_whose_job_may_wait() -> None:
    document = claimed("a")
    claim = replace(document.claims["a"], expires=8200.0, jobs=("1",), ended=Ended(1030.0, 1, "released"))
    row = Row(2, document.with_claims(claim), 1730.0)
    waits = job("1", Stage.WAITS)
    assert set(mark_claims(row, reading(2, 1730, waits)).claims) == {"a"}
    unread = mark_claims(row, Reading(2, "born", 1730.0, [], is_complete=False))
    assert counted(unread, reading(3, 1731, waits)) == {"a": 8}
    assert mark_claims(row, reading(2, 1730)).claims == {}, "its job is gone"
    later = replace(row, now=8300.0)
    assert mark_claims(later, Reading(2, "born", 8300.0, [], is_complete=False)).claims == {}, "its time is over"
