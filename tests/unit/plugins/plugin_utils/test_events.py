# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils import _facts
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    OVER,
    STATUSES,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils import _events
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision import verdict as _verdict
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._events import (
    JOB_FIELDS,
    EventState,
    PoolEvents,
    events_of_jobs,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, read_policy, read_request
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import inert
from ansible_collections.poolgate.modelarts.tests.unit.documented import wrong
from hypothesis import given
from hypothesis import strategies as st

Facts = dict[str, t.Any]

REQUEST = read_request({"resources": {"nvidia.com/gpu": 8}})
DECISIONS = ("admit", "wait", "reject", "unknown")


def job(own: str, status: str | None = "Running", **fields: t.Any) -> Facts:
    return {**dict.fromkeys(JOB_FIELDS), "uid": own, "job_name": f"name of {own}", "status": status, **fields}


def entry(jobs: t.Iterable[Facts] = (), *, complete: bool = True, decision: str = "wait", errors: t.Any = ()) -> Facts:
    """As read_workloads() gives it; ``decision`` is what the verdict on it will be."""
    return {
        "pool_name": "p",
        "complete": complete,
        "workloads": list(jobs),
        "errors": list(errors),
        "observed_at": "2026-01-02T03:04:05Z",
        "decision": decision,
    }


@pytest.fixture(autouse=True)
def _decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is the one that the entry names: how it is come to has tests of its own."""

    def verdict(facts: Facts, *unused: t.Any, age: float) -> Facts:
        checks = [{"name": "nvidia.com/gpu", "passed": False, "message": "sentence", "resource": "nvidia.com/gpu"}]
        reason = "a reason" if age < 300 else "old"
        return {"decision": facts["decision"], "reasons": [reason], "brief": reason, "checks": checks}

    monkeypatch.setattr(_events, "capacity_verdict", verdict)


def told(events: t.Iterable[Facts]) -> list[tuple[t.Any, ...]]:
    """The events in short."""
    return [
        (event["change"], event["job"]["uid"], event["job"]["status"], event["previous_status"])
        if "job" in event
        else (event["change"],)
        for event in events
    ]


def test_events_are_of_their_type() -> None:
    watch = PoolEvents("p", REQUEST, read_policy(None))
    waits, runs = job("a", "Queue", resources={}), job("a", resources={})
    looks = [entry(), entry([waits], decision="admit"), entry([runs]), entry()]
    events = [event for second, look in enumerate(looks) for event in watch.look_at(look, second)]
    assert {event["change"] for event in events} == {
        *("job_appeared", "job_status_changed", "job_ended", "room_appeared", "room_gone"),
    }
    types = {**vars(_facts), **vars(_verdict), **vars(_events)}
    for event in events:
        assert wrong(event, _events.Event, types, event["change"]) == []


# The jobs of a pool


def test_the_jobs_of_the_first_look_are_no_events() -> None:
    assert PoolEvents("p").look_at(entry([job("a"), job("b", "Completed")]), 0) == []


def test_a_job_appears_changes_and_ends_each_told_once() -> None:
    watch = PoolEvents("p")
    looks = [[], [job("a", "Queue")], [job("a")], [job("a")], [job("a", "Completed")], [job("a", "Completed")], []]
    assert [told(watch.look_at(entry(jobs), 0)) for jobs in looks] == [
        [],
        [("job_appeared", "a", "Queue", None)],
        [("job_status_changed", "a", "Running", "Queue")],
        [],
        [("job_ended", "a", "Completed", "Running")],
        [],
        [],
    ]


def test_a_job_that_ran_between_two_looks_has_appeared_and_ended() -> None:
    watch = PoolEvents("p")
    watch.look_at(entry(), 0)
    assert told(watch.look_at(entry([job("a", "Failed")]), 0)) == [
        ("job_appeared", "a", "Failed", None),
        ("job_ended", "a", "Failed", None),
    ]


def test_a_job_that_is_gone_has_ended_as_what_it_was() -> None:
    watch = PoolEvents("p")
    watch.look_at(entry([job("a"), job("over", "Terminated")]), 0)
    (event,) = watch.look_at(entry(), 0)
    assert event["change"] == "job_ended"
    assert event["ended_by"] == "disappearance"
    assert event["job"]["job_name"] == "name of a"
    assert event["job"]["status"] == event["previous_status"] == "Running"


@pytest.mark.parametrize("jobs", [[], [job("a", "Completed")], [job("b")]])
def test_a_look_that_is_not_complete_ends_nothing_and_the_next_one_tells(jobs: list[Facts]) -> None:
    watch = PoolEvents("p")
    watch.look_at(entry([job("a")]), 0)
    assert watch.look_at(entry(jobs, complete=False), 0) == []
    assert "jobs" in watch.remarks
    assert watch.look_at(entry([job("a")]), 0) == []
    assert watch.remarks == {}
    assert watch.look_at(entry(jobs, complete=False), 0) == []
    assert told(watch.look_at(entry(), 0)) == [("job_ended", "a", "Running", "Running")]


def test_a_status_that_is_not_told_is_no_change() -> None:
    watch = PoolEvents("p")
    watch.look_at(entry([job("a"), job("new", None)]), 0)
    assert watch.look_at(entry([job("a", None), job("new")]), 0) == []
    assert watch.look_at(entry([job("a"), job("new")]), 0) == []
    assert told(watch.look_at(entry([job("a", "Queue"), job("new")]), 0)) == [
        ("job_status_changed", "a", "Queue", "Running")
    ]


def test_a_job_without_any_id_is_not_followed() -> None:
    watch = PoolEvents("p")
    watch.look_at(entry(), 0)
    nameless = job("", "Running")
    assert watch.look_at(entry([nameless]), 0) == []
    assert watch.look_at(entry(), 0) == []


@pytest.mark.parametrize("key", ["uid", "job_uuid", "name"])
def test_the_first_id_that_a_job_has_tells_it_from_others(key: str) -> None:
    watch = PoolEvents("p")
    watch.look_at(entry(), 0)
    known = {**job(""), key: "x"}
    assert [event["change"] for event in watch.look_at(entry([known]), 0)] == ["job_appeared"]
    assert watch.look_at(entry([known]), 0) == []


# Room


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        (["admit", "admit"], ["room_appeared", None]),
        (["wait", "admit", "admit", "wait", "wait"], [None, "room_appeared", None, "room_gone", None]),
        (["wait", "unknown", "admit", "unknown", "admit"], [None, None, "room_appeared", None, None]),
        (["admit", "unknown", "wait", "unknown"], ["room_appeared", None, "room_gone", None]),
        (["unknown", "unknown", "reject", "admit"], [None, None, None, "room_appeared"]),
        (["admit", "reject"], ["room_appeared", "room_gone"]),
    ],
)
def test_room_comes_and_goes_and_unknown_is_neither(decisions: list[str], expected: list[str | None]) -> None:
    watch = PoolEvents("p", REQUEST)
    looked = [watch.look_at(entry(decision=decision), 0) for decision in decisions]
    assert [events[0]["change"] if events else None for events in looked] == expected


def test_room_at_the_first_look_says_so() -> None:
    for decisions, at_start in ((["admit"], True), (["unknown", "admit"], True), (["wait", "admit"], False)):
        watch = PoolEvents("p", REQUEST)
        events = [event for decision in decisions for event in watch.look_at(entry(decision=decision), 0)]
        assert [event["at_start"] for event in events] == [at_start]


def test_room_is_told_with_figures_and_one_sentence() -> None:
    (event,) = PoolEvents("p", REQUEST).look_at(entry(decision="admit"), 0)
    assert event["decision"] == "admit"
    assert event["reason"] == "a reason"
    assert event["checks"] == [{"name": "nvidia.com/gpu", "passed": False, "resource": "nvidia.com/gpu"}]
    assert event["pool"] == "p"
    assert event["observed_at"] == "2026-01-02T03:04:05Z"


def test_the_verdict_knows_how_long_the_look_took() -> None:
    (event,) = PoolEvents("p", REQUEST).look_at(entry(decision="admit"), 0, 300.0)
    assert event["reason"] == "old"


def test_room_has_to_last_and_a_look_that_could_not_tell_does_not_make_it_go() -> None:
    watch = PoolEvents("p", REQUEST, read_policy({"stable_seconds": 10}))
    looks = [(0, "wait"), (1, "admit"), (9, "admit"), (11, "admit"), (12, "unknown"), (13, "admit"), (14, "wait")]
    looked = [(now, watch.look_at(entry(decision=decision), now)) for now, decision in looks]
    assert [(now, event["change"]) for now, events in looked for event in events] == [
        (11, "room_appeared"),
        (14, "room_gone"),
    ]


def test_what_a_person_should_know_is_said() -> None:
    watch = PoolEvents("p", REQUEST)
    error = {"document": "workloads", "msg": "It returned 503."}
    watch.look_at(entry(complete=False, decision="unknown", errors=[error]), 0)
    assert watch.remarks == {
        "jobs": "its jobs are not known: It returned 503.",
        "room": "it is not known whether there is room: a reason",
    }
    watch.look_at(entry(decision="reject"), 0)
    assert watch.remarks == {"never": "waiting for room cannot help: a reason"}


# Random days


@dataclass
class Reader:
    """Follows a pool by its events alone."""

    jobs: dict[str, str | None]
    room: bool = False

    def hears(self, event: Facts) -> None:
        change = event["change"]
        if change == "room_appeared":
            assert not self.room
            self.room = True
        elif change == "room_gone":
            assert self.room
            self.room = False
        else:
            self._hears_of_job(change, event)

    def _hears_of_job(self, change: str, event: Facts) -> None:
        own, status, previous = event["job"]["uid"], event["job"]["status"], event["previous_status"]
        if change == "job_appeared":
            assert own not in self.jobs
            assert previous is None
            self.jobs[own] = status
        elif change == "job_status_changed":
            assert self.jobs[own] == previous != status
            self.jobs[own] = status
        else:
            assert change == "job_ended"
            assert self.jobs[own] == (status if previous is None else previous)
            assert previous not in OVER
            assert (status in OVER) == (event["ended_by"] == "status")
            self.jobs[own] = status if status in OVER else "gone"


POOL = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(STATUSES))
LOOK = st.tuples(POOL, st.booleans(), st.sampled_from(DECISIONS))


@given(st.lists(LOOK, max_size=12))
def test_every_change_comes_exactly_once(looks: list[tuple[dict[str, str], bool, str]]) -> None:
    """Whoever hears the events knows what the last look knew that could be trusted, and hears nothing twice."""
    watch = PoolEvents("p", REQUEST, Policy())
    reader: Reader | None = None
    room = False
    alive: dict[str, str] = {}
    for pool, complete, decision in looks:
        events = watch.look_at(entry([job(*one) for one in pool.items()], complete=complete, decision=decision), 0)
        if reader is None:
            reader = Reader({}, False)
            started = False
        if complete:
            alive = {own: status for own, status in pool.items() if status not in OVER}
        if complete and not started:
            assert not [event for event in events if "job" in event]
            reader.jobs = dict(pool)
            started = True
        for event in events:
            reader.hears(event)
        if complete:
            # A job that is over may leave the list without a word, and come back to it as a new one.
            reader.jobs = {own: status for own, status in reader.jobs.items() if own in pool}
        if decision != "unknown":
            room = decision == "admit"
        assert {own: status for own, status in reader.jobs.items() if status not in (*OVER, "gone")} == alive
        assert reader.room == room


@given(st.lists(LOOK, min_size=1, max_size=12))
def test_what_is_kept_is_no_more_than_the_last_complete_look(looks: list[tuple[dict[str, str], bool, str]]) -> None:
    watch = PoolEvents("p", REQUEST)
    last: set[str] = set()
    for pool, complete, decision in looks:
        watch.look_at(entry([job(*one) for one in pool.items()], complete=complete, decision=decision), 0)
        last = set(pool) if complete else last
        assert set(watch._seen.jobs or ()) == last


def test_a_look_that_knows_nothing_changes_nothing() -> None:
    known = EventState({"a": job("a")}, True)
    assert known.followed_by(EventState()) == known
    assert events_of_jobs(known, known.followed_by(EventState())) == []


# Text of the API


@given(st.text(max_size=400))
def test_no_text_of_an_event_can_be_a_template(text: str) -> None:
    watch = PoolEvents("p")
    watch.look_at(entry(), 0)
    events = watch.look_at(entry([job("a", text or None, user_name=text, resources={text: 1})]), 0)
    for kept in json.dumps(events, ensure_ascii=False).split('"')[1::2]:
        assert not set(kept) & set("{}%#$!&<>|\\'`[]\n\r\t\x1b")
        assert len(kept) <= 300


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("llm-pretrain-7b", "llm-pretrain-7b"),
        ("eval 3 (team_a) @ 10:00, 50/50; x=1 ~ *", "eval 3 (team_a) @ 10:00, 50/50; x=1 ~ *"),
        ("训练-größe", "训练-größe"),
        ("{{ lookup('pipe', 'id') }}", "?? lookup(?pipe?, ?id?) ??"),
        ("{", "?"),
        ("$ANSIBLE_VAULT;1.1;AES256", "?ANSIBLE_VAULT;1.1;AES256"),
        ("a\x1b[2J\nb", "a??2J?b"),
        ("x" * 301, "x" * 299 + "?"),
        ("x" * 300, "x" * 300),
    ],
)
def test_text_without_a_question_mark_is_as_it_was(text: str, kept: str) -> None:
    assert inert(text) == kept


def test_a_text_as_long_as_an_answer_takes_no_time_and_no_memory() -> None:
    began = time.process_time()
    assert inert({"name": "{" * 2**25}) == {"name": "?" * 300}
    assert time.process_time() - began < 0.5


def test_other_values_stay_and_numbers_fit_the_engine() -> None:
    facts = {"a": [1, 2.5, True, None, ("x",)], "b{": {"c": 2**63 - 1, "d": 2**63, "e": float("nan"), "f": -(10**30)}}
    assert inert(facts) == {
        "a": [1, 2.5, True, None, ["x"]],
        "b?": {"c": 2**63 - 1, "d": None, "e": None, "f": None},
    }
