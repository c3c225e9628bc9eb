# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate decides attempt after attempt: how old its facts are, when it stops, and for how long it has to fit."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import Candidate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._gate import Gate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, node, observed

REQUEST = read_request({"resources": {GPU: 1}})
ROOM, FULL, CPU_ONLY = ([node({GPU: "8"})], [node({GPU: "8"}, {GPU: "0"})], [node({"cpu": "8"})])


class Attempts:
    """A gate whose looks take so many seconds, and see one set of nodes after the other, the last one for ever."""

    def __init__(
        self, *seen: list[t.Any], seconds: float = 0.0, timeout: float = 0.0, interval: float = 30.0, stable: int = 0
    ) -> None:
        self.clock = Clock()
        self.left: list[float | None] = []
        self.lines: list[str] = []
        self._seen, self._seconds = list(seen), seconds
        wait = Wait(timeout, interval, self.clock.time)
        policy = read_policy({"stable_seconds": stable})
        self.gate = Gate([Candidate("pool-a", REQUEST)], policy, None, wait)
        self.outcome = self.gate.wait(self._observe, self.lines.extend)

    def _observe(self, left: float | None) -> list[dict[str, t.Any]]:
        self.left.append(left)
        self.clock.now += self._seconds
        return [observed(self._seen.pop(0) if len(self._seen) > 1 else self._seen[0])]


@pytest.mark.parametrize("seconds", [0, 7, 299])
def test_the_page_says_how_old_the_facts_are(seconds: int) -> None:
    outcome = Attempts(ROOM, seconds=seconds + 0.5).outcome
    assert outcome["decision"] == "admit"
    assert outcome["pools"][0]["age_seconds"] == seconds
    assert outcome["report"][0].endswith(f", {seconds} s ago)" if seconds < 120 else ", 4 min ago)")


def test_a_look_that_took_too_long_decides_nothing() -> None:
    outcome = Attempts(ROOM, seconds=301).outcome
    assert outcome["decision"] == "unknown"
    assert outcome["reasons"] == ["age: the facts are 5 min old, limit 5 min"]


def test_it_waits_until_there_is_room() -> None:
    attempts = Attempts(FULL, FULL, ROOM, timeout=100, seconds=2)
    assert (attempts.outcome["decision"], attempts.outcome["attempts"]) == ("admit", 3)
    assert attempts.left == [100, 68, 36]
    assert [line.split(" ")[2] for line in attempts.lines] == ["WAIT", "WAIT", "ADMIT"]
    assert attempts.outcome["report"][-1] == "  waited 66 s, 3 attempts"


def test_it_ends_with_the_last_attempt_that_is_over_in_time() -> None:
    attempts = Attempts(FULL, timeout=100, seconds=2)
    assert (attempts.outcome["decision"], attempts.outcome["attempts"]) == ("wait", 4)
    assert attempts.clock.now == 98


def test_without_seconds_to_wait_one_attempt_decides_and_says_no_line() -> None:
    attempts = Attempts(FULL)
    assert (attempts.outcome["attempts"], attempts.left, attempts.lines) == (1, [None], [])
    assert "waited" not in attempts.outcome["summary"]


def test_what_can_never_fit_is_not_waited_for() -> None:
    attempts = Attempts(CPU_ONLY, timeout=100)
    assert (attempts.outcome["decision"], attempts.outcome["attempts"]) == ("reject", 1)


def test_it_has_to_fit_at_every_attempt_for_so_long() -> None:
    """The attempt without room between starts the count anew."""
    attempts = Attempts(ROOM, FULL, ROOM, timeout=1000, stable=60)
    assert (attempts.outcome["decision"], attempts.outcome["attempts"]) == ("admit", 5)
    assert attempts.lines[0].endswith("stable: it has fitted for 0 s of 60 s")


def test_a_report_is_about_the_last_attempt() -> None:
    attempts = Attempts(FULL, ROOM, timeout=100)
    report = attempts.gate.report(attempts.outcome)
    assert (report["decision"], report["waited_seconds"]) == ("admit", 30)
