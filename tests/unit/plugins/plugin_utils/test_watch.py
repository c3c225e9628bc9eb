# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait for a job says of what its looks have seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import ObservationError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._watch import (
    JobWatch,
    WatchedFacts,
    watch_job,
)
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock

Facts = dict[str, t.Any]
Look = t.Union[list[Facts], ObservationError]

POOL = "pool-a"


def job(status: str | None = "Queue", name: str = "llm", uuid: str | None = "u-1", **more: t.Any) -> Facts:
    created = {"create_time": 1_700_000_000_000, "created_at": "2023-11-14T22:13:20Z"}
    return {
        **{
            "uid": None,
            "name": None,
            "job_name": name,
            "job_uuid": uuid,
            "status": status,
            "pending_duration": 5,
            "running_duration": 60,
        },
        **created,
        **more,
    }


def failure(**result: t.Any) -> ObservationError:
    return ObservationError({"msg": "GET /pools was answered.", **result})


PASSING, LASTING, REFUSED = (
    {"status": 503, "transient": True},
    {"status": 403},
    {"status": 401},
)


class Follow:
    """A job of that name is followed for 30 seconds, with a look every 10, which see one list after the other.

    The last is seen for ever. ``incomplete`` are the numbers of looks that may not have shown all jobs.
    """

    def __init__(
        self, *looks: Look, wanted: str = "llm", timeout: float = 30.0, incomplete: t.Sequence[int] = ()
    ) -> None:
        self.said: list[str] = []
        self.remarks: list[str] = []
        self.left: list[float | None] = []
        self.watch = JobWatch(POOL, wanted)
        self._looks, self._timeout, self._incomplete = looks, timeout, incomplete
        watch_job(self.watch, Wait(timeout, 10.0, Clock().time), self._look, self.said.extend, self.remarks.append)

    def _look(self, left: float | None) -> Facts:
        number = len(self.left)
        self.left.append(left)
        seen = self._looks[min(number, len(self._looks) - 1)]
        if isinstance(seen, ObservationError):
            raise seen
        return {"workloads": seen, "complete": number not in self._incomplete}

    def watched(self, queued: list[Facts] | None = None) -> WatchedFacts:
        return self.watch.result(self._timeout, queued)

    def ended(self) -> tuple[str, str | None, str]:
        watched = self.watched()
        return watched["state"], watched["status"], watched["message"]


@pytest.mark.parametrize(
    ("looks", "state", "message"),
    [
        (([job()], [job("Running")]), "running", "llm runs in pool-a, after 5 s in the queue."),
        (([job("Running", pending_duration=None)],), "running", "llm runs in pool-a, after 0 s in the queue."),
        (([], [job("Running")]), "running", "llm runs in pool-a, after 5 s in the queue."),
        (([job("Completed")],), "completed", "llm has completed after running for 60 s."),
        (([job(), job("x", "other", "u-2")], [job("Failed")]),
         "failed", "llm has failed after running for 60 s: its log says why."),
        (([job("Terminated", running_duration=None)],), "failed", "llm was terminated after running for 0 s."),
        (([job("Creating")],), "waiting", "llm does not run within 30 s: its status is Creating."),
        (([job("\x1b[31m" + "S" * 90)],),
         "waiting", f"llm does not run within 30 s: its status is [31m{'S' * 53}...."),
        (([job()], []), "gone", "llm has disappeared from pool-a, and was not seen to run."),
        (([job(name="other")],), "missing", "No job llm has come up in pool-a within 30 s."),
        (([job()], failure(**PASSING)),
         "unread", "It is not known whether llm runs: the jobs of pool-a could not be read within 30 s."),
        (([], failure(**PASSING)),
         "unread", "It is not known whether llm runs: the jobs of pool-a could not be read within 30 s."),
        (([job(None)],), "unread", "It is not known whether llm runs: pool-a does not report its status."),
    ],
)  # fmt: skip
def test_each_state_has_its_sentence(looks: tuple[Look, ...], state: str, message: str) -> None:
    following = Follow(*looks)
    watched = following.watched()
    assert (watched["state"], watched["message"]) == (state, message)
    assert watched == {
        **{"state": state, "status": watched["status"], "pool": POOL, "job_uuid": watched["job_uuid"]},
        **{"ahead": None, "message": message},
    }
    assert watched["job_uuid"] == ("u-1" if following.watch.has_found else None)


@pytest.mark.parametrize(
    ("queued", "ahead", "place"),
    [
        (None, None, "its place in the queue is not known"),
        ([], None, "its place in the queue is not known"),
        ([("infer", "web", "u-9")], None, "its place in the queue is not known"),
        ([("train", "llm", "u-1")], 0, "nothing is ahead of it"),
        ([("infer", "web", "u-9"), ("train", "llm", "u-1")], 1, "1 ahead of it, first infer web"),
        ([("infer", None, "u-9"), ("train", "a", "u-8"), ("train", "llm", "u-1")], 2,
         "2 ahead of it, first infer u-9"),
        ([("train", "\x1b" + "y" * 200, "u-9"), ("train", "llm", "u-1")], 1,
         f"1 ahead of it, first train  {'y' * 90}..."),
    ],
)  # fmt: skip
def test_a_job_that_waits_has_a_place(queued: t.Any, ahead: int | None, place: str) -> None:
    waiting = Follow([job("Pending")])
    assert waiting.watch.is_queued
    jobs = queued and [{"type": a, "job_name": b, "name": None, "job_uuid": c} for a, b, c in queued]
    watched = waiting.watched(jobs)
    assert watched["message"] == f"llm has not started within 30 s: it still waits in pool-a (Pending), {place}."
    assert (watched["state"], watched["status"], watched["ahead"]) == ("waiting", "Pending", ahead)


def test_it_looks_until_the_time_is_up_and_says_a_line_a_look() -> None:
    following = Follow([], failure(**PASSING), [job()])
    assert following.left == [30, 20, 10, 1.0]
    assert following.said == [
        "00:00:00Z 0:00:00/0:00:30 not there llm",
        "00:00:00Z 0:00:10/0:00:30 not known llm",
        "00:00:00Z 0:00:20/0:00:30 Queue llm",
        "00:00:00Z 0:00:29/0:00:30 Queue llm",
    ]
    assert following.remarks == ["GET /pools was answered."]


def test_without_seconds_it_looks_once_and_says_no_line() -> None:
    following = Follow([job()], timeout=0)
    assert (following.left, following.said) == ([None], [])


def test_a_failure_is_a_look_without_news() -> None:
    """Once the job was found, also one that lasts: it was possible to read the pool before."""
    for problem in (PASSING, LASTING, {"unreachable": True}):
        following = Follow([job()], failure(**problem), [job("Running")])
        assert following.ended()[0] == "running"
        assert len(following.remarks) == 1


@pytest.mark.parametrize(
    ("looks", "count"),
    [
        ((failure(**LASTING),), 1),
        (([], failure(**LASTING)), 2),
        ((failure(**REFUSED),), 1),
        (([job()], failure(**REFUSED), [job("Running")]), 2),
        ((failure(**PASSING),), 4),
    ],
    ids=["lasts", "lasts, later", "refused", "refused after the job was found", "never read"],
)
def test_what_is_wrong_with_the_connection_ends_it(looks: tuple[Look, ...], count: int) -> None:
    left: list[float | None] = []
    said: list[t.Any] = []

    def look(seconds: float | None) -> Facts:
        left.append(seconds)
        seen = looks[min(len(left), len(looks)) - 1]
        if isinstance(seen, ObservationError):
            raise seen
        return {"workloads": seen, "complete": True}

    with pytest.raises(ObservationError, match="GET /pools was answered"):
        watch_job(JobWatch(POOL, "llm"), Wait(30.0, 10.0, Clock().time), look, said.append, said.append)
    assert len(left) == count


def test_a_failure_at_the_start_that_passes_is_survived() -> None:
    assert Follow(failure(**PASSING), [job("Running")]).ended()[0] == "running"


def test_the_newest_of_several_is_followed_and_said_once() -> None:
    old, new = job("Failed", uuid="u-old", create_time=1), job("Queue", uuid="u-new")
    following = Follow([old, new, job("Running", uuid="u-odd", create_time=None)], [old, {**new, "status": "Running"}])
    assert following.ended()[0] == "running"
    assert following.watched()["job_uuid"] == "u-new"
    said = "3 jobs are named llm; the newest is followed, u-new of 2023-11-14T22:13:20Z."
    assert [line for line in following.said if "newest" in line] == [said]


@pytest.mark.parametrize("wanted", ["u-2", "U-2", " u-2 "])
def test_a_job_that_is_named_by_its_uuid(wanted: str) -> None:
    assert Follow([job("Running"), job("Failed", uuid="u-2")], wanted=wanted).ended()[0] == "failed"


@pytest.mark.parametrize("mine", ["Queue", None])
def test_a_job_that_is_named_like_the_uuid_of_another_is_not_it(mine: str | None) -> None:
    """Whoever may start a job chooses its name, and not its ID."""
    uuid = "d5f7ac4d-f953-4012-ad73-671d3508b59e"
    other = job("Running", name=uuid, uuid="u-other", create_time=1_700_000_060_000)
    listed = [other] if mine is None else [job(mine, uuid=uuid), other]
    assert Follow(listed, [other, job("Completed", uuid=uuid)], wanted=uuid).ended()[0] == "completed"
    following = Follow(listed, wanted=uuid)
    assert following.ended()[0] == ("missing" if mine is None else "waiting")
    assert following.watched()["job_uuid"] == (None if mine is None else uuid)


def test_an_id_goes_before_a_name_that_was_followed() -> None:
    other = job("Queue", name="train-7", uuid="u-other")
    following = Follow([other], [{**other, "status": "Running"}, job("Failed", uuid="train-7")], wanted="train-7")
    assert (following.ended()[0], following.watched()["job_uuid"]) == ("failed", "train-7")


@pytest.mark.parametrize("ids", [{"uuid": ""}, {"uuid": None}, {"uuid": "", "uid": "i-1"}, {"uuid": "", "uid": ""}])
def test_an_id_that_is_empty_is_none(ids: Facts) -> None:
    """The next job without one is not the same, and the newest of both does not count."""
    other = job("Running", name="other", create_time=1_700_000_060_000, **{**ids, "uid": ids.get("uid") and "i-2"})
    following = Follow([job(**ids), other])
    assert following.ended()[:2] == ("waiting", "Queue")
    assert following.watched()["job_uuid"] is None


@pytest.mark.parametrize("wanted", ["llm", "u-1"])
def test_an_id_of_two_jobs_tells_neither(wanted: str) -> None:
    other = job("Running", name="other", create_time=1_700_000_060_000)
    following = Follow([job(), other], wanted=wanted)
    said = f"It is not known whether {wanted} runs: the IDs that pool-a gives do not identify the job."
    assert following.ended() == ("unread", None, said)
    assert Follow([job()], [job(), other], [job("Running")], wanted=wanted).ended()[0] == "running"


@pytest.mark.parametrize(
    ("first", "later", "state"),
    [
        ({"uid": "i-1"}, {"uid": "i-1", "uuid": None}, "running"),
        ({"uid": "i-1"}, {"uid": None, "uuid": "u-1"}, "running"),
        ({"name_of_it": "llm-x8"}, {"name_of_it": "llm-x8", "uuid": ""}, "running"),
        ({"name_of_it": "llm-x8"}, {"name_of_it": "llm-x9", "uuid": ""}, "gone"),
        ({}, {"uuid": None}, "unread"),
        ({"uid": "i-1"}, {"uid": "i-2", "uuid": None}, "gone"),
    ],
    ids=str,
)
def test_a_look_without_the_uuid_does_not_end_a_watch(first: Facts, later: Facts, state: str) -> None:
    """As the event source tells jobs apart: by ID, then by the own name. A given name may be that of another."""

    def listed(status: str, name_of_it: str | None = None, **ids: t.Any) -> list[Facts]:
        return [{**job(status, **ids), "name": name_of_it}]

    following = Follow(listed("Queue", **first), listed("Running", **later))
    assert following.ended()[0] == state
    assert following.watched()["job_uuid"] == "u-1"


def test_a_job_that_had_ended_before_is_said_to_be_of_then() -> None:
    said = "llm had ended before the first look, u-1 of 2023-11-14T22:13:20Z."
    assert Follow([job("Completed")]).said[0] == said
    assert said not in Follow([job("Completed")], wanted="u-1").said
    assert said not in Follow([job()], [job("Completed")]).said


@pytest.mark.parametrize("status", ["Completed", "Failed", "Terminated"])
@pytest.mark.parametrize("at", [1_700_000_000_000, None])
def test_a_job_that_is_over_and_older_than_the_run_is_not_followed(status: str, at: int | None) -> None:
    """The list of jobs may be some seconds behind, and still show that of last week alone."""
    earlier = job(status, create_time=at)

    def followed(*looks: list[Facts], created_after: float, wanted: str = "llm") -> str:
        watch = JobWatch(POOL, wanted, created_after)
        for look in looks:
            watch.look_at(look, complete=True)
        return watch.result(30.0)["state"]

    assert followed([earlier], created_after=1_700_000_000_001) == "missing"
    later = job("Running", uuid="u-2", create_time=1_700_000_000_001)
    assert followed([earlier], [earlier, later], created_after=1_700_000_000_001) == "running"
    # One that a rerun finds still running is the job, and so is one that is given by its ID.
    assert followed([job("Running", create_time=at)], created_after=1_700_000_000_001) == "running"
    assert followed([earlier], created_after=1_700_000_000_001, wanted="u-1") in ("completed", "failed")
    assert followed([earlier], created_after=0) in ("completed", "failed")


def test_a_status_that_cannot_be_read_or_is_spelled_otherwise_is_told_as_such() -> None:
    assert Follow([job(None)]).said[0].endswith("not known llm")
    said = "llm does not run within 30 s: its status is running, which is not the word Running."
    assert Follow([job(" running")]).ended()[2] == said


def test_the_newest_part_of_a_restarted_job_counts() -> None:
    """A restarted training has its uuid twice for a while, and the old part is listed first."""
    parts = [job("Failed", create_time=1), job("Running", create_time=2)]
    assert Follow([job()], parts).ended()[0] == "running"


def test_a_job_without_uuid_is_followed_by_its_name() -> None:
    nameless = job("Running", name="other", uuid=None)
    following = Follow([job(uuid=None), nameless])
    assert following.ended()[0] == "waiting"
    assert following.watched([nameless])["ahead"] is None


def test_an_incomplete_look_ends_nothing() -> None:
    """What it does not show may be there."""
    assert Follow([job()], [], [job("Running")], incomplete=[1]).ended()[0] == "running"
    assert Follow([job()], [], incomplete=range(1, 9)).ended()[0] == "unread"
    assert Follow([], incomplete=range(9)).ended()[0] == "unread"
    assert Follow([job("Running")], incomplete=[0]).ended()[0] == "running"


def test_a_status_that_is_not_told_is_the_one_before() -> None:
    assert Follow([job("Creating")], [job(None)]).ended()[:2] == ("waiting", "Creating")
