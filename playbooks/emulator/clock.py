# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a scenario."""

from __future__ import annotations

import time


class Clock:
    """The scenario's time in seconds. It runs, or stands still until it is advanced."""

    def __init__(self, start: float | None = None, frozen: bool = False) -> None:
        self._began = time.monotonic()
        self.start = time.time() if start is None else start
        self.frozen = frozen
        self._advanced = 0.0

    @property
    def elapsed(self) -> float:
        return self._advanced + (0.0 if self.frozen else time.monotonic() - self._began)

    @property
    def now(self) -> float:
        return self.start + self.elapsed

    def advance(self, seconds: float) -> None:
        self._advanced += seconds
