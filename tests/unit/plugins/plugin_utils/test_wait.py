# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking until a deadline: how often, with which pauses, and what has lasted."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import SteadyWait, Wait, varied_pause_of_wait
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock


def waited(timeout: float, interval: float, *seconds: float) -> tuple[list[float | None], Clock, Wait]:
    """(what was left at each look, the clock, the wait) of looks that take so many seconds, the last one for ever."""
    clock, lefts = Clock(), []
    wait = Wait(timeout, interval, clock.time)
    for number, left in enumerate(wait.looks()):
        lefts.append(left)
        clock.now += seconds[min(number, len(seconds) - 1)]
    return lefts, clock, wait


@pytest.mark.parametrize(
    ("timeout", "interval", "seconds", "lefts"),
    [
        (0, 30, (5.0,), [None]),
        (100, 30, (0.0,), [100, 70, 40, 10, 1.0]),  # one that is as fast may be slow for once
        (100, 30, (10.0,), [100, 60, 20]),
        (100, 30, (40.0,), [100, 40]),  # the pause is shorter, so that the second ends in time
        (100, 30, (50.0,), [100]),  # there is no second that is sure to end in time
        (100, 30, (5.0, 40.0), [100, 65]),  # another one like the longest would end too late
        (100, 30, (120.0,), [100]),
        (10, 1000, (1.0,), [10, 1]),
    ],
)
def test_looks_end_in_time(timeout: float, interval: float, seconds: tuple[float, ...], lefts: list[float]) -> None:
    found, clock, wait = waited(timeout, interval, *seconds)
    assert found == lefts
    assert wait.count == len(lefts)
    assert clock.now <= max(timeout, seconds[0])


def test_pauses_vary_by_a_tenth() -> None:
    """Gates that were started together drift apart."""
    _lefts, clock, _wait = waited(100, 30, 0.0)
    assert set(clock.varied) == {(0.9, 1.1)}
    assert varied_pause_of_wait(30.0, lambda least, most: least) == 27.0


def test_looks_without_an_interval_have_a_pause_all_the_same() -> None:
    _lefts, clock, _wait = waited(2, 0, 0.01)
    assert clock.pauses
    assert min(clock.pauses[:-1]) == 0.1


def test_the_progress_of_a_wait() -> None:
    clock = Clock()
    wait = Wait(3600.0, 30.0, clock.time)
    clock.now = 125.9
    assert wait.progress == "00:00:00Z 0:02:05/1:00:00"
    assert (wait.elapsed, wait.left) == (125.9, 3474.1)
    clock.now = 4000.0
    assert wait.left == 0.0


def test_what_has_held_at_every_look_is_steady() -> None:
    steady = SteadyWait(60)
    looks = [(True, 10), (True, 69), (True, 70), (False, 80), (True, 90), (True, 150)]
    assert [steady.look(holds, now) for holds, now in looks] == [False, False, True, False, False, True]
    assert steady.lasted == 60
    steady.look(False, 160)
    assert steady.lasted == 0


def test_what_has_to_hold_for_no_time_is_steady_at_once() -> None:
    assert SteadyWait(0).look(True, 5.0)
    assert not SteadyWait(0).look(False, 5.0)
