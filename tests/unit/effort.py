# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is tried of what is made up at random: a 25th, or with EFFORT=full in the environment all of it.

The numbers are chosen for the whole, and what is tried is the same on every run: a 25th is its first 25th.
"""

from __future__ import annotations

import os

EXAMPLES = 100
"""Hypothesis' own number."""


def tries(thorough: int) -> int:
    """So many, or a 25th of it."""
    return thorough if os.environ.get("EFFORT") == "full" else thorough // 25
