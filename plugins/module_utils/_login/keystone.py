# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to log in to IAM, with a password or as an entry of clouds.yaml says.

This module util is private to the collection.
"""

from __future__ import annotations

import threading
import typing as t
from collections import deque

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import missing_library
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.credentials import Credentials

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import CheckedOptions
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.iam import Iam, Login
    from keystoneauth1.identity.base import BaseIdentityPlugin


class KeystoneAuth(Credentials):
    """Logs in to IAM when a token is needed and before it expires: for a password, and for clouds.yaml."""

    def __init__(self, plugin: BaseIdentityPlugin, iam: Iam, given: Iterable[str], passing: Iterable[str] = ()) -> None:
        self._plugin = plugin
        self._iam = iam
        self._lock = threading.Lock()
        # The token of each thread's last request: by the time of a refusal another thread may have logged in anew.
        self._sent = threading.local()
        self._token: str | None = None
        self._is_dropped = False
        self._given = tuple(given)
        # Apart from what was given, which no number of logins may push out.
        self._issued: deque[str] = deque(maxlen=100)
        self._passing = tuple(passing)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._sent.token = None
        # Whoever sends the request repeats it, so the login is tried once.
        self._sent.token = self._log_in_by_password(retries=0).token
        request.headers["X-Auth-Token"] = self._sent.token
        return request

    def login(self) -> Login:
        """Return the login that holds now; a new one is made when there is none or when it is about to expire."""
        return self._log_in_by_password(self._iam.retries)

    def secrets(self) -> Iterable[str]:
        return (*self._given, *self._issued.copy())

    def passing_secrets(self) -> Iterable[str]:
        return self._passing

    def drop_token(self) -> bool:
        """Forget the token that was refused. Return whether a new login can follow; not when that was refused itself.

        Threads that were refused with one and the same token make one new login.
        """
        with self._lock:
            refused = getattr(self._sent, "token", self._token)
            # A token that is not the current one was replaced by another thread already, or will be.
            if refused is not None and refused == self._token and not self._is_dropped:
                self._plugin.invalidate()
                self._is_dropped = True
                self.refused_tokens += 1
            return refused is not None

    def _log_in_by_password(self, retries: int) -> Login:
        with self._lock:
            # Within the lock: threads that waited for a login must not repeat a refused one.
            if self.refusal is not None:
                raise self.refusal
            try:
                login = self._iam.log_in(self._plugin, retries)
            except ModelArtsError as failure:
                error = failure.as_login_error()
                self.note_login_failure(error)
                raise error from failure.__cause__
            self._is_dropped = False
            if login.token != self._token:
                self._token = login.token
                self._issued.append(login.token)
            return login


def keystone_password_plugin(given: CheckedOptions, auth_url: str) -> BaseIdentityPlugin:
    # Only here, as tokens and keys do without the library.
    try:
        from keystoneauth1.identity.v3 import Password
    except ImportError as failure:
        raise missing_library("keystoneauth1", "the options username and password") from failure
    is_by_name = "project_id" not in given
    return Password(
        auth_url=auth_url,
        username=given["username"],
        password=given["password"],
        user_domain_name=given["domain_name"],
        project_id=given.get("project_id"),
        project_name=given["project_name"] if is_by_name else None,
        project_domain_name=given["domain_name"] if is_by_name else None,
    )
