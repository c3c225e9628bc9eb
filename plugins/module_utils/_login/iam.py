# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM: the login, the service catalog, the ID of a project, and the entries of clouds.yaml.

This module util is private to the collection. Source: Keystone v3, POST /v3/auth/tokens and GET /v3/projects.
"""

from __future__ import annotations

import contextlib
import logging
import math
import random
import re
import time
import typing as t
from collections import deque
from collections.abc import Mapping
from urllib.parse import urlsplit

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    MissingLibraryError,
    ModelArtsError,
    TransportError,
    api_error,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.transport import (
    BoundedAdapter,
    NoAnswerError,
    explained,
    origin,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    PROJECT_ID,
    check_secret,
    checked_url,
    is_private,
    sources,
    unusable_authorities,
    without_version,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.signature import canonical_query
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import plain, shown

with contextlib.suppress(ImportError):  # _auth says so
    import requests

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from keystoneauth1.identity.base import BaseIdentityPlugin
    from requests.auth import AuthBase

_Answer = t.TypeVar("_Answer")

# Keys of an auth section, in the names that the plugins of keystoneauth1 have for them.
_SECRET = re.compile(".*(password|token|secret)")
_PASSING = re.compile(".*code")  # good for one login; a passcode has six digits, as amounts and times can have
_ADDRESS = re.compile(".*(url|uri|endpoint)")


class Login(t.NamedTuple):
    """What IAM gave: the token, the project that it is for, and the raw service catalog."""

    token: str
    project_id: str | None
    catalog: t.Any


class Iam:
    """Requests to IAM: bounded in time and number, without redirects. ``left`` tells for how many seconds more."""

    def __init__(self, *, verify: bool | str, timeout: float, retries: int, where: str) -> None:
        self.verify = verify
        self.timeout = timeout
        self.retries = retries
        self.where = where
        self.left: Callable[[], float] = lambda: math.inf
        self._noted: deque[str] = deque(maxlen=100)
        # It logs whole answers, in which a server may repeat what it was sent; ansible-rulebook -vv prints them.
        logging.getLogger("keystoneauth").setLevel(logging.INFO)

    def secrets(self) -> Iterable[str]:
        """What logins have sent and got on their way, in headers."""
        return self._noted.copy()

    def passing_secrets(self) -> Iterable[str]:
        return ()

    def log_in(self, plugin: BaseIdentityPlugin, retries: int) -> Login:
        """The plugin's login, made anew only when it has none that holds."""
        return self._repeated(lambda timeout: self._log_in_once(plugin, timeout), retries)

    def _log_in_once(self, plugin: BaseIdentityPlugin, timeout: float) -> Login:
        from keystoneauth1 import exceptions
        from keystoneauth1.session import Session

        url = f"{plugin.auth_url}/auth/tokens"
        try:
            with self._session() as session:
                iam = Session(session=session, verify=self.verify, timeout=timeout, redirect=False)
                access = plugin.get_access(iam)
            return Login(str(access.auth_token), access.project_id, access.service_catalog.catalog)
        except NoAnswerError as failure:
            raise self._no_answer(url, failure) from None
        except exceptions.HttpError as failure:
            if failure.response is None:
                raise ApiError(f"POST {url} was answered {failure.http_status}.", status=failure.http_status) from None
            hint = f"Check the credentials on {self.where}." if failure.http_status == 401 else ""
            raise self._answered(failure.response, hint) from None
        except exceptions.InvalidResponse as failure:
            raise self._answered(failure.response) from None
        except exceptions.ClientException as failure:
            raise InputError(f"The login at {url} on {self.where} failed: {plain(str(failure))}.") from None
        # RecursionError: JSON that is nested some thousand times.
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise ApiError(f"POST {url} was answered with something that is not a login.") from None

    def find_project(self, auth_url: str, name: str, auth: AuthBase) -> str:
        """The ID of the one project of this name: KeystoneListProjects of the IAM API."""
        url = f"{auth_url}/projects"
        document = self._repeated(lambda timeout: self._get(url, name, auth, timeout), self.retries)
        listed = document.get("projects") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise ApiError(f"GET {url} was answered with something that is not a list of projects.")
        found = [entry.get("id") for entry in listed if isinstance(entry, dict) and entry.get("name") == name]
        if len(found) != 1:
            raise InputError(
                f"IAM at {auth_url} knows {len(found) or 'no'} project{'s' * (len(found) > 1)} named {shown(name)}: "
                f"set project_id or project_name, {sources(self.where, 'project_id', 'project_name')}."
            )
        if not isinstance(found[0], str) or not PROJECT_ID.fullmatch(found[0]):
            raise ApiError(f"GET {url} was answered with an ID of a project that cannot be one.")
        return found[0]

    def _get(self, url: str, name: str, auth: AuthBase, timeout: float) -> object:
        try:
            with self._session() as session, explained(url, timeout, self.where):
                answer = session.get(
                    f"{url}?{canonical_query([('name', name)])}",
                    auth=auth,
                    headers={"Accept": "application/json"},
                    timeout=timeout,
                    verify=self.verify,
                    allow_redirects=False,
                )
        except NoAnswerError as failure:
            raise self._no_answer(url, failure) from None
        if answer.status_code != 200:
            raise self._answered(answer, "Set project_id to do without this look-up.")
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise self._answered(answer) from None

    def _session(self) -> requests.Session:
        session = requests.Session()
        adapter = BoundedAdapter(self.where, self.left, self._note)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        # Without this, requests would add what ~/.netrc has for the host.
        session.auth = lambda request: request
        return session

    def _note(self, secret: str) -> None:
        if secret not in self._noted:
            self._noted.append(secret)

    def _repeated(self, call: Callable[[float], _Answer], retries: int) -> _Answer:
        attempt = 0
        while True:
            left = self.left()
            if left <= 0:
                raise TransportError(f"No time was left on {self.where} to ask IAM.")
            wait = min(2.0**attempt, 30.0) * random.uniform(0.5, 1.0)
            try:
                return call(min(self.timeout, left))
            except ModelArtsError as failure:
                if not failure.transient or attempt >= retries or wait >= self.left():
                    raise
            time.sleep(wait)
            attempt += 1

    def _answered(self, answer: requests.Response, hint: str = "") -> ApiError:
        """The error of an answer; a login can ask at several addresses, and it names the one that was asked."""
        if 300 <= answer.status_code < 400:
            hint = "Redirects are not followed: set auth_url to the address of IAM itself."
        url = str(answer.request.url)
        asked = f"{answer.request.method} {origin(url)}{urlsplit(url).path}"
        return api_error(asked, answer.status_code, answer.headers, answer.content, hint)

    def _no_answer(self, url: str, failure: NoAnswerError) -> TransportError:
        sentence = f"IAM at {url} could not be reached from {self.where}: {{cause}}."
        return failure.told(sentence, "Check {address}, region and ca_path.", "auth_url")


class Cloud(t.NamedTuple):
    plugin: BaseIdentityPlugin
    settings: dict[str, t.Any]
    secrets: tuple[str, ...]
    passing_secrets: tuple[str, ...]


def password_plugin(given: Mapping[str, t.Any], auth_url: str) -> BaseIdentityPlugin:
    try:
        from keystoneauth1.identity.v3 import Password
    except ImportError as failure:
        raise missing_library("keystoneauth1", "the options username and password") from failure
    project = {"project_id": given["project_id"]} if "project_id" in given else {"project_name": given["project_name"]}
    if "project_name" in project:
        project["project_domain_name"] = given["domain_name"]
    return Password(
        auth_url=auth_url,
        username=given["username"],
        password=given["password"],
        user_domain_name=given["domain_name"],
        **project,
    )


def read_cloud(name: str, given: Mapping[str, t.Any], where: str) -> Cloud:
    """An entry of clouds.yaml, from the places where openstacksdk looks for the file.

    ``given`` are the options that stand above what the entry says.
    """
    region = given.get("region")
    try:
        from keystoneauth1.identity.base import BaseIdentityPlugin as Identity
        from openstack.config import OpenStackConfig
        from openstack.exceptions import ConfigException
    except ImportError as failure:
        raise missing_library("openstacksdk", "the option cloud") from failure
    entry = f"The entry {name} of clouds.yaml on {where}"
    try:
        clouds = OpenStackConfig()
        if name not in clouds.get_cloud_names():
            # Without any entry, openstacksdk makes up one of this name.
            known = ", ".join(sorted({*clouds.get_cloud_names()} - {"defaults"})) or "none"
            raise InputError(
                f"{entry} does not exist, or the file cannot be read: known are {known}. Set cloud, "
                f"{sources(where, 'cloud')}."
            )
        written = clouds.cloud_config["clouds"][name]
        if not isinstance(written, Mapping) or not isinstance(written.get("auth", {}), Mapping):
            raise InputError(f"{entry} has an auth that is no mapping: write auth_url, username and so on below it.")
        try:
            config = clouds.get_one(cloud=name, region_name=region, validate=False).config
        except ConfigException:
            own = clouds.get_one(cloud=name, validate=False).region_name
            raise InputError(
                f"{entry} is for region {own}, not {region}: set another cloud or region, "
                f"{sources(where, 'cloud', 'region')}."
            ) from None
        _check_auth(entry, config)
        # These two would ask IAM for its versions, and send credentials to the address in the answer.
        kind = {"password": "v3password", "token": "v3token"}.get(str(config.get("auth_type")), config.get("auth_type"))
        cloud = clouds.get_one(cloud=name, region_name=region, auth_type=kind)
        plugin = cloud.get_auth()
    except ModelArtsError:
        raise
    except Exception as failure:
        raise InputError(f"{entry} cannot be used: {_reason(failure)}.") from None
    if not isinstance(plugin, Identity) or not plugin.auth_url:
        raise InputError(f"{entry} does not log in to an IAM: it needs an auth_url and an auth_type that has one.")
    plugin.auth_url = iam_base(checked_url(plugin.auth_url, f"{entry} has an auth_url that"))
    verify, _cert = cloud.get_requests_verify_args()
    own_authorities = verify if isinstance(verify, str) and given.get("validate_certs", True) else None
    if own_authorities is not None and "ca_path" not in given:
        unusable = unusable_authorities(own_authorities)
        if unusable is not None:
            raise InputError(f"{entry} has a cacert that names {unusable}. Write a file with the authorities there.")
    settings = {
        "region": cloud.region_name,
        "validate_certs": verify is not False,
        "ca_path": own_authorities,
    }
    auth = {str(key): str(value) for key, value in cloud.config["auth"].items()}
    lasting = {key: value for key, value in auth.items() if _SECRET.fullmatch(key)}
    for key, value in lasting.items():
        check_secret(value, f"{entry} has a {key} that", "in clouds.yaml or secure.yaml")
    passing = tuple(value for key, value in auth.items() if _PASSING.fullmatch(key))
    return Cloud(plugin, settings, tuple(lasting.values()), passing)


def _check_auth(entry: str, config: Mapping[str, t.Any]) -> None:
    """Raises InputError for keys that keystoneauth1 does not explain, or would follow blindly."""
    auth = config["auth"]
    if {"ak", "sk", "access_key", "secret_key"} & auth.keys():
        raise InputError(
            f"{entry} has an access key in auth, which no auth_type takes: give the options access_key and secret_key "
            "in place of cloud."
        )
    methods = auth.get("auth_methods", config.get("auth_methods"))
    if isinstance(methods, str) or (methods is None and config.get("auth_type") == "v3multifactor"):
        raise InputError(f"{entry} needs a list as auth_methods in auth, like [v3password, v3totp].")
    by_name = config.get("auth_type") in (None, "password", "v3password", "v3totp") and "username" in auth
    if by_name and not {"user_domain_id", "user_domain_name", "user_id"} & auth.keys():
        raise InputError(f"{entry} has a username in auth, but no user_domain_name.")
    for key, url in auth.items():
        if _ADDRESS.fullmatch(str(key)) and key != "auth_url" and isinstance(url, str) and not is_private(url):
            raise InputError(
                f"{entry} has a {key} that must start with https: over http, credentials would be readable on the "
                "network."
            )


def _reason(failure: Exception) -> str:
    """What openstacksdk or keystoneauth1 misses. Never the text of the failure, which can quote a line of the file."""
    from keystoneauth1 import exceptions

    if isinstance(failure, exceptions.MissingRequiredOptions):
        return f"its auth lacks {' and '.join(option.dest for option in failure.options)}"
    if isinstance(failure, exceptions.NoMatchingPlugin):
        return f"there is no auth_type {shown(failure.name)} among those that are installed"
    unknown = re.search(r"unexpected keyword argument '(\w+)'", str(failure))
    if unknown is not None:
        return f"its auth_type takes no {unknown[1]} in auth"
    line = getattr(getattr(failure, "problem_mark", None), "line", None)
    if line is not None:
        return f"the file is no YAML in line {line + 1}"
    return "openstacksdk does not take it; check that its auth section has the keys that its auth_type needs"


def catalog_endpoint(
    catalog: Iterable[Mapping[str, t.Any]] | None, region: str | None, project: str | None, where: str
) -> str | None:
    """The public endpoint of the service type ``modelarts``; in an entry for all regions, ``region`` is "*"."""
    try:
        public = [
            (endpoint.get("region_id") or endpoint.get("region"), without_version(endpoint["url"], project))
            for service in catalog or ()
            if service.get("type") == "modelarts"
            for endpoint in service["endpoints"]
            if endpoint.get("interface") == "public"
        ]
    except (AttributeError, KeyError, TypeError):
        raise ApiError(
            f"IAM gave a service catalog that cannot be read: set endpoint, {sources(where, 'endpoint')}."
        ) from None
    urls = {url for place, url in public if place == region or region is None}
    urls = urls or {url for place, url in public if place in (None, "", "*")}
    if len(urls) > 1:
        raise InputError(
            f"The service catalog lists {len(urls)} endpoints of ModelArts: set region or endpoint, "
            f"{sources(where, 'region', 'endpoint')}."
        )
    return checked_url(urls.pop(), "The service catalog has an endpoint of ModelArts that") if urls else None


def iam_base(url: str) -> str:
    return url if url.endswith("/v3") else f"{url}/v3"


def missing_library(library: str, needed_for: str) -> MissingLibraryError:
    sentence = missing_required_lib(library, reason=f"for {needed_for}")
    return MissingLibraryError(str(sentence))
