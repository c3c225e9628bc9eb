# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking again and again until a deadline. Pure: the clock, the pause and the chance are handed in.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import clock

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Gates that were started together, by forks or by slices, must not ask in the same second for ever.
_JITTER = 0.1
# A look that takes some hundredths of a second takes many times as long on a machine that is busy for a moment, and one
# that does not end in time is no answer.
_SHORTEST_LOOK = 1.0
# A look may be over in some hundredths of a second, and then the next one asks the API for the same again.
_SHORTEST_PAUSE = 0.1


@dataclass(frozen=True)
class Time:
    """How time is told and passed.

    ``clock`` never goes back, and ``utc`` is the time of day, ISO 8601 in UTC. ``uniform`` gives a number between two.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    uniform: Callable[[float, float], float]
    utc: Callable[[], str]


def varied_pause_of_wait(seconds: float, uniform: Callable[[float, float], float]) -> float:
    """Return the pause to make in place of so many seconds: a tenth less or more."""
    return seconds * uniform(1 - _JITTER, 1 + _JITTER)


class Wait:
    """Looks, ``interval`` seconds apart, for ``timeout`` seconds at most; 0 is one look, without a deadline."""

    def __init__(self, timeout: float, interval: float, time: Time) -> None:
        self.timeout = timeout
        self.time = time
        self.count = 0
        self._interval = interval
        self._began = time.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.time.clock() - self._began

    @property
    def left(self) -> float | None:
        """Seconds until the deadline; None when there is none."""
        return max(0.0, self.timeout - self.elapsed) if self.timeout else None

    @property
    def progress(self) -> str:
        """The time of day, for how long it has waited, and for how long at most: ``03:14:07Z 0:02:00/1:00:00``."""
        return f"{self.time.utc()[11:]} {clock(self.elapsed)}/{clock(self.timeout)}"

    def looks(self) -> Iterator[float | None]:
        """Yield what is left at each look, and pause in between, as long as another look can end in time.

        A look takes as long as the longest one before, a second at least: with less time left, the last answer is
        the newest to be had. ``count`` is how many there were.
        """
        longest = _SHORTEST_LOOK
        while True:
            self.count += 1
            began = self.elapsed
            yield self.left
            longest = max(longest, self.elapsed - began)
            left = self.left or 0.0
            if left <= longest:
                return
            # The last look begins early enough to end at the deadline.
            pause = max(varied_pause_of_wait(self._interval, self.time.uniform), _SHORTEST_PAUSE)
            self.time.sleep(min(pause, left - longest))


class SteadyWait:
    """Tells whether something has held at every look for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self.lasted = 0.0

    def look(self, holds: bool, now: float) -> bool:
        """Note a look, and return whether it has held for long enough. ``lasted`` is for how long it has, in seconds.

        ``now`` are the seconds of a clock that never goes back.
        """
        self._since = (now if self._since is None else self._since) if holds else None
        self.lasted = 0.0 if self._since is None else now - self._since
        return holds and self.lasted >= self._seconds
