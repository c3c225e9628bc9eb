# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM: the login, and the ID of a project.

This module util is private to the collection. Source: Keystone v3, POST /v3/auth/tokens and GET /v3/projects.
"""

from __future__ import annotations

import logging
import math
import time
import typing as t
from collections import deque
from urllib.parse import urlsplit

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.answers import error_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import SMALL_ANSWER, Bodies
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import requests
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.no_answer import NoAnswerError, explain_no_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.retries import pause_before_retry
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.transport import (
    BoundedAdapter,
    session_through,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import canonical_url_query, origin_of_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import PROJECT_ID
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import where_to_set
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.signature import ALGORITHM
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, shown

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.catalog import Service
    from keystoneauth1.identity.base import BaseIdentityPlugin
    from requests.auth import AuthBase

_Answer = t.TypeVar("_Answer")

_MOST_VALUES = 100_000
"""Of one answer. The largest is a token with its service catalog: some hundred services in dozens of regions."""


class Login(t.NamedTuple):
    """What IAM gave: the token, the project that it is for, and the raw service catalog."""

    token: str
    project_id: str | None
    catalog: Iterable[Service] | None


class Iam:
    """Requests to IAM: bounded in time and number, without redirects.

    ``left`` tells for how many seconds more, and
    ``longest_pause`` how long a server may ask to be left alone.
    """

    def __init__(self, *, verify: bool | str, timeout: float, retries: int, where: str) -> None:
        self.verify = verify
        self.timeout = timeout
        self.retries = retries
        self.where = where
        self.left: Callable[[], float] = lambda: math.inf
        self.longest_pause: Callable[[], float] = lambda: math.inf
        # Bounded, as an event source logs in for as long as it runs.
        self._noted: deque[str] = deque(maxlen=100)
        # It logs whole answers, in which a server may repeat what it was sent; ansible-rulebook -vv prints them.
        logging.getLogger("keystoneauth").setLevel(logging.INFO)

    def secrets(self) -> Iterable[str]:
        """Return what logins have sent and got on their way, in headers."""
        return self._noted.copy()

    def passing_secrets(self) -> Iterable[str]:
        return ()

    def log_in(self, plugin: BaseIdentityPlugin, retries: int) -> Login:
        """Return the plugin's login, made anew only when it has none that holds."""
        return self._retry_login(lambda timeout: self._log_in_once(plugin, timeout), retries)

    def _log_in_once(self, plugin: BaseIdentityPlugin, timeout: float) -> Login:
        from keystoneauth1 import exceptions
        from keystoneauth1.session import Session

        url = f"{plugin.auth_url}/auth/tokens"
        try:
            with self._iam_session() as session:
                # Without redirects: the password would go along to wherever the answer points.
                iam = Session(session=session, verify=self.verify, timeout=timeout, redirect=False)
                access = plugin.get_access(iam)
            return Login(
                str(access.auth_token), access.project_id, t.cast("list[Service]", access.service_catalog.catalog)
            )
        except NoAnswerError as failure:
            raise self._iam_not_reached(url, failure) from None
        except exceptions.HttpError as failure:
            if failure.response is None:
                raise ApiError(f"POST {url} returned {failure.http_status}.", status=failure.http_status) from None
            hint = f"Check the credentials on {self.where}." if failure.http_status == 401 else ""
            raise self._error_of_iam(failure.response, hint) from None
        except exceptions.InvalidResponse as failure:
            raise self._error_of_iam(failure.response) from None
        except exceptions.ClientException as failure:
            raise InputError(f"The login at {url} on {self.where} failed: {one_line(str(failure))}.") from None
        # RecursionError: JSON that is nested some thousand times.
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise ApiError(f"POST {url} did not return a login.") from None

    def find_project(self, auth_url: str, name: str, auth: AuthBase) -> str:
        """Return the ID of the one project of this name: KeystoneListProjects of the IAM API."""
        url = f"{auth_url}/projects"
        document = self._retry_login(lambda timeout: self._get_from_iam(url, name, auth, timeout), self.retries)
        listed = document.get("projects") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise ApiError(f"GET {url} did not return a list of projects.")
        found = [entry.get("id") for entry in listed if isinstance(entry, dict) and entry.get("name") == name]
        # Of two projects with one name, the wrong one would answer for the wrong pools.
        if len(found) != 1:
            raise InputError(
                f"IAM at {auth_url} knows {len(found) or 'no'} project{'s' * (len(found) > 1)} named {shown(name)}: "
                f"set project_id or project_name, {where_to_set(self.where, 'project_id', 'project_name')}."
            )
        if not isinstance(found[0], str) or not PROJECT_ID.fullmatch(found[0]):
            raise ApiError(f"GET {url} returned a project ID that is not valid.")
        return found[0]

    def _get_from_iam(self, url: str, name: str, auth: AuthBase, timeout: float) -> object:
        try:
            with self._iam_session() as session, explain_no_answer(url, timeout, self.where):
                answer = session.get(
                    f"{url}?{canonical_url_query([('name', name)])}",
                    auth=auth,
                    headers={"Accept": "application/json"},
                    timeout=timeout,
                    verify=self.verify,
                    allow_redirects=False,
                )
        except NoAnswerError as failure:
            raise self._iam_not_reached(url, failure) from None
        if answer.status_code != 200:
            raise self._error_of_iam(answer, "Set project_id to do without this look-up.")
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise self._error_of_iam(answer) from None

    def _iam_session(self) -> requests.Session:
        # The answers of a login come one after the other and are small, so none has to wait, or to be released.
        adapter = BoundedAdapter(
            self.where, self.left, Bodies(SMALL_ANSWER, 1, self.left), self._note_credentials, _MOST_VALUES
        )
        # Each step says by itself who asks.
        return session_through(adapter, lambda request: request)

    def _note_credentials(self, headers: Mapping[str, object]) -> None:
        """Remember the credentials in headers, before they are sent and when they come.

        A login may take several steps, each of which has a token of its own, and a server may repeat them in an error.
        """
        for secret in _credentials_in_iam_headers(headers):
            if secret not in self._noted:
                self._noted.append(secret)

    def _retry_login(self, call: Callable[[float], _Answer], retries: int) -> _Answer:
        """Retry what is transient."""
        failures = 0
        while True:
            left = self.left()
            if left <= 0:
                raise TransportError(f"No time was left on {self.where} to ask IAM.")
            try:
                return call(min(self.timeout, left))
            except ModelArtsError as error:
                failures += 1
                wait = pause_before_retry(error, failures, retries)
                # As for ModelArts: a pause that cannot end in time is not begun.
                if wait is None or wait >= min(self.longest_pause(), self.left()):
                    raise
            time.sleep(wait)

    def _error_of_iam(self, answer: requests.Response, hint: str = "") -> ApiError:
        """Return the error of an answer; a login can ask at several addresses, and it names the one that was asked."""
        if 300 <= answer.status_code < 400:
            hint = "Redirects are not followed: set auth_url to the address of IAM itself."
        url = str(answer.request.url)
        asked = f"{answer.request.method} {origin_of_url(url)}{urlsplit(url).path}"
        return error_of_answer(asked, answer.status_code, answer.headers, answer.content, hint)

    def _iam_not_reached(self, url: str, failure: NoAnswerError) -> TransportError:
        sentence = f"IAM at {url} could not be reached from {self.where}: {{cause}}."
        return failure.for_user(sentence, "Check {address}, region and ca_path.", "auth_url")


def versioned_iam_url(url: str) -> str:
    return url if url.endswith("/v3") else f"{url}/v3"


def _credentials_in_iam_headers(headers: Mapping[str, object]) -> Iterator[str]:
    """Yield tokens, and what stands for a name and a password; a signature is its maker's to know."""
    for name in ("X-Auth-Token", "X-Subject-Token", "Authorization"):
        value = headers.get(name) or ""
        # Libraries give values of headers as text or as bytes.
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if text and not text.startswith(ALGORITHM):
            yield text.rpartition(" ")[2]
