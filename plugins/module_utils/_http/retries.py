# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a request is sent again, and after which pause: one policy for ModelArts and IAM.

This module util is private to the collection.
"""

from __future__ import annotations

import random
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError

# A gateway that restarts is back within seconds: the four tries of the default come after some 0.5, 1, 2 and 4 of them.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


def pause_before_retry(error: ModelArtsError, failures: int, retries: int) -> float | None:
    """Return the seconds to wait before the next try, None when there is to be none.

    Only what is transient is tried again, and no more than ``retries`` times. A server that throttles tells for how
    long. Half of each pause is left to chance, so that clients which failed together do not come back together.
    """
    if not error.transient or failures > retries:
        return None
    # A bit of chance on top: the end of a pause is the same moment for all clients that were told it.
    if error.retry_after is not None and error.status in (429, 503):
        return error.retry_after + random.uniform(0.0, 0.5)
    return min(_FIRST_PAUSE * 2.0 ** (failures - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
