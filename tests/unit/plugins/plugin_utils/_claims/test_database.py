# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a store fails: a lost answer is a failure of the store, too."""

from __future__ import annotations

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import (
    AnswerLostError,
    StoreError,
)


def test_who_waits_for_a_failure_is_told_of_a_lost_answer() -> None:
    assert issubclass(AnswerLostError, StoreError)
