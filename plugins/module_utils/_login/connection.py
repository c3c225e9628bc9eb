# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection that options describe.

This module util is private to the collection.
"""

from __future__ import annotations

import math
import threading
import typing as t
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import (
    REQUESTS_IMPORT_ERROR,
    missing_library,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.access_key import AccessKeyAuth
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.auth_token import AuthTokenAuth
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.catalog import catalog_endpoint
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import (
    PROJECT_ID,
    check_options,
    without_iam_version,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.clouds import read_cloud
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.iam import Iam, versioned_iam_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.keystone import (
    KeystoneAuth,
    keystone_password_plugin,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    DEFAULT_CONNECTIONS,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    login_method_of_options,
    merge_levels,
    options_given,
    require_complete_options,
    where_to_set,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.regions import iam_url, modelarts_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import (
    AnyFacts,
    hide_secrets_of,
    without_secrets,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import shown

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def connect(options: Mapping[str, object], *, where: str) -> Connection:
    """Return the connection that merged ``options`` describe, checked, with nothing sent yet.

    ``where`` is the host that the code runs on, as errors name it. Raises InputError, MissingLibraryError.
    """
    if REQUESTS_IMPORT_ERROR is not None:
        raise missing_library("requests", "every connection to ModelArts") from REQUESTS_IMPORT_ERROR
    # Merged once more, as a caller may hand on a single level, of which only the fields of one method may count.
    given = check_options(merge_levels(options), where)
    method = login_method_of_options(given)
    if method is None:
        raise InputError(
            "No credentials: give auth_token, access_key with secret_key, username with password, or cloud, "
            f"{where_to_set(where, 'auth_token', 'access_key', 'username', 'cloud')}."
        )
    # Before the file is read: a missing option is told at once.
    require_complete_options(method, given, where)
    if method == "cloud":
        cloud = read_cloud(given["cloud"], given, where)
        # The options of the task stand above the entry.
        given = check_options({**options_given(cloud.settings), **given}, where)
    region = given.get("region")
    auth_url = given.get("auth_url") or (region and iam_url(region))
    auth_url = auth_url and versioned_iam_url(auth_url)
    endpoint = given.get("endpoint")
    iam = Iam(
        verify=given.get("validate_certs", True) and given.get("ca_path", True),
        timeout=given.get("timeout", DEFAULT_TIMEOUT),
        retries=given.get("max_retries", DEFAULT_RETRIES),
        where=where,
    )
    auth: AuthTokenAuth | AccessKeyAuth | KeystoneAuth
    if method == "auth_token":
        auth = AuthTokenAuth(given["auth_token"])
    elif method == "access_key":
        auth = AccessKeyAuth(
            given["access_key"], given["secret_key"], given.get("security_token"), given.get("project_id")
        )
    elif method == "password":
        auth = KeystoneAuth(keystone_password_plugin(given, str(auth_url)), iam, (given["password"],))
    else:
        auth = KeystoneAuth(cloud.plugin, iam, cloud.secrets, cloud.passing_secrets)
    # Before anything is sent: from here on, no error can repeat one of them.
    hide_secrets_of(auth)
    hide_secrets_of(iam)
    connection = Connection(
        endpoint=endpoint and without_iam_version(endpoint, given.get("project_id")),
        region=region,
        project_id=given.get("project_id"),
        workspace_id=given.get("workspace_id"),
        validate_certs=given.get("validate_certs", True),
        ca_path=given.get("ca_path"),
        timeout=iam.timeout,
        max_retries=iam.retries,
        connections=given.get("connections", DEFAULT_CONNECTIONS),
        method=method,
        auth=auth,
        auth_url=auth_url,
        project_name=given.get("project_name"),
        where=where,
        _iam=iam,
    )
    # Now and not at the first request: what is missing is a mistake of the caller, and no fault of the network.
    connection._require_reachable()
    return connection


@dataclass(frozen=True)
class Connection:
    """What a client needs to send requests; ``timeout`` is in seconds.

    ``base_url()`` and ``project()`` may ask IAM, once; they raise InputError, ApiError and TransportError.
    """

    endpoint: str | None
    region: str | None
    project_id: str | None
    workspace_id: str | None
    validate_certs: bool
    ca_path: str | None
    timeout: float
    max_retries: int
    connections: int
    method: str
    auth: AuthTokenAuth | AccessKeyAuth | KeystoneAuth = field(repr=False)
    auth_url: str | None
    project_name: str | None
    where: str
    _iam: Iam = field(repr=False)
    _found: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    # IAM is asked once, whichever thread comes first; a project may need the login that gives the address, too.
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    @property
    def refusal(self) -> ModelArtsError | None:
        """Why nothing is sent any more with these credentials, by whichever client."""
        return self.auth.refusal

    @property
    def verify(self) -> bool | str:
        """What requests takes as ``verify``; pass it with each request, or REQUESTS_CA_BUNDLE replaces it."""
        return self.validate_certs and (self.ca_path or True)

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret known so far: given, issued, and derived."""
        return self.lasting_secrets.union(self.auth.passing_secrets())

    @property
    def lasting_secrets(self) -> frozenset[str]:
        """Every secret known so far that is good for more than one request."""
        return frozenset((*self.auth.secrets(), *self._iam.secrets()))

    def without_secrets(self, facts: AnyFacts, others: Iterable[str] = ()) -> AnyFacts:
        """Return the facts, fit to be returned: a secret in a name that a person chose is hidden.

        Raises InputError when a secret occurs anywhere else, as a pool, a type or an amount: to hide it there would
        change what is decided on, and to show it would tell it. ``others`` are further secrets that are looked for.
        """
        found = without_secrets(facts, self.lasting_secrets.union(others))
        if found is None:
            raise InputError(
                f"The password, token or key that {self.where} logs in with also occurs in an answer of ModelArts, so "
                "it cannot be kept out of output without changing the facts: use another one, or another way to log in."
            )
        return found

    def ask_within(self, left: Callable[[], float], longest_pause: Callable[[], float] = lambda: math.inf) -> None:
        """Stop asking IAM when no second is ``left``, and when it wants a longer pause."""
        self._iam.left = left
        self._iam.longest_pause = longest_pause

    def base_url(self) -> str:
        """Return ``https://host`` of ModelArts: the endpoint, else the service catalog's, else the region's."""
        with self._lock:
            if "base_url" not in self._found:
                self._found["base_url"] = self._find_base_url()
            return self._found["base_url"]

    def project(self) -> str:
        """Return the project's ID: the option, else the login's project, else the one that IAM has under its name."""
        with self._lock:
            if "project" not in self._found:
                self._found["project"] = self._find_project()
            return self._found["project"]

    def _find_base_url(self) -> str:
        # An explicit endpoint always wins: catalogs of private clouds may list addresses that cannot be reached.
        if self.endpoint is not None:
            return self.endpoint
        listed = None
        if isinstance(self.auth, KeystoneAuth):
            login = self.auth.login()
            listed = catalog_endpoint(login.catalog, self.region, login.project_id, self.where)
        url = listed or (self.region and modelarts_url(self.region))
        if url is None:
            raise InputError(
                "The service catalog lists no endpoint of ModelArts: set endpoint or region, "
                f"{where_to_set(self.where, 'endpoint', 'region')}."
            )
        return url

    def _find_project(self) -> str:
        if isinstance(self.auth, KeystoneAuth):
            scope = self.auth.login().project_id
            # It becomes a part of every path, so an ID that IAM gave is checked as one of a user.
            if scope is not None and not (isinstance(scope, str) and PROJECT_ID.fullmatch(scope)):
                raise ApiError(f"The login on {self.where} is for a project whose ID is not valid.")
            if scope is None and self.project_id is None:
                raise InputError(
                    "The login belongs to no project: set project_id, or name a project in the entry of clouds.yaml, "
                    f"{where_to_set(self.where, 'project_id')}."
                )
            # The token is good for its own project alone; for another, each call would be refused.
            if scope and self.project_id and scope != self.project_id:
                raise InputError(
                    f"project_id is {self.project_id}, but the login on {self.where} is for {shown(scope)}: leave "
                    "project_id out, or log in to that project."
                )
            return str(self.project_id or scope)
        if self.project_id is not None:
            return self.project_id
        # Another client of this process may have been refused: the key is not tried again.
        if self.auth.refusal is not None:
            raise self.auth.refusal
        try:
            found = self._iam.find_project(str(self.auth_url), str(self.project_name or self.region), self.auth)
        except ModelArtsError as failure:
            error = failure.as_login_error()
            self.auth.note_login_failure(error)
            raise error from failure.__cause__
        if isinstance(self.auth, AccessKeyAuth):
            # Found once, it goes into each signature, as the option would have.
            self.auth.project_id = found
        return found

    def _require_reachable(self) -> None:
        if isinstance(self.auth, KeystoneAuth):
            return
        if self.endpoint is None and self.region is None:
            raise InputError(
                f"No address of ModelArts: set endpoint or region, {where_to_set(self.where, 'endpoint', 'region')}."
            )
        if self.project_id is None and not (self.auth_url and (self.project_name or self.region)):
            raise InputError(
                "No project: set project_id; or region, or auth_url with project_name, to have it looked up in IAM, "
                f"{where_to_set(self.where, 'project_id', 'region', 'auth_url', 'project_name')}."
            )
