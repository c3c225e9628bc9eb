# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to log in with a token that the caller has.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._login.credentials import Credentials

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    import requests


class AuthTokenAuth(Credentials):
    """A token that the caller has: it cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Auth-Token"] = self._token
        return request

    def secrets(self) -> Iterable[str]:
        return (self._token,)
