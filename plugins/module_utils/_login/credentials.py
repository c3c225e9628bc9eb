# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all ways to log in have in common: secrets, and the memory of a refusal.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import AuthBase

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError

# 401 is a wrong password or key, 403 an account that is locked or lacks the right, 423 a lock as well, and 400 a domain
# or a user that cannot be one. None of them passes by being sent again, and some locks begin anew with each try.
_REFUSING_STATUSES = frozenset((400, 401, 403, 423))


class Credentials(AuthBase):
    """A way to log in, as requests takes it: it puts into each request what the server wants to see.

    Clients of one process share it, so that one of them knows when another was refused.
    """

    # Over five refusals in a row lock a key for five minutes, so the first one ends it for all clients.
    refusal: ModelArtsError | None = None
    """Why nothing is sent any more with these credentials."""

    refused_tokens: int = 0
    """How many tokens were refused and could be replaced by a new login."""

    def note_login_failure(self, error: ModelArtsError) -> None:
        """Remember the error of IAM when it is about the credentials."""
        if error.status in _REFUSING_STATUSES:
            self.refusal = error

    def secrets(self) -> Iterable[str]:
        raise NotImplementedError

    def passing_secrets(self) -> Iterable[str]:
        """Return those that are good for one request only."""
        return ()

    def drop_token(self) -> bool:
        """Forget the token that was refused. Return whether a new login can follow."""
        return False
