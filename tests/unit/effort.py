# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is tried of what is made up at random: all of it on the Pythons that a controller runs on."""

from __future__ import annotations

import sys

EXAMPLES = 100
"""Hypothesis' own number."""


def tries(thorough: int) -> int:
    """So many, or a tenth on older Pythons, which only targets have: the same code passes all of them elsewhere."""
    return thorough if sys.version_info >= (3, 11) else thorough // 10
