# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is tried of what is made up at random: all of it on one ansible-core, and a tenth on the others.

What is tried knows little of ansible-core, and nothing of old Pythons, which only targets have.
"""

from __future__ import annotations

import sys

from ansible.module_utils.ansible_release import __version__ as core

EXAMPLES = 100
"""Hypothesis' own number."""


def tries(thorough: int) -> int:
    """So many, or a tenth of it."""
    return thorough if core.startswith("2.19.") and sys.version_info >= (3, 11) else thorough // 10
