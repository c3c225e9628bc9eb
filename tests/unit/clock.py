# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that moves only when a test, or a pause, moves it."""

from __future__ import annotations

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Time


class Clock:
    """``now`` are seconds since its start; ``pauses`` are those that were slept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.varied: list[tuple[float, float]] = []
        self.time = Time(lambda: self.now, self._sleep, self._middle, lambda: "2026-01-01T00:00:00Z")

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def _middle(self, least: float, most: float) -> float:
        self.varied.append((least, most))
        return (least + most) / 2
