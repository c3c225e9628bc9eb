# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where connection options come from, and one class of credentials for each way to log in.

This module util is private to the collection. Nothing is sent before the first request asks for credentials, the
base URL or the project.
"""

from __future__ import annotations

import ipaddress
import json
import math
import os
import random
import re
import threading
import time
import typing as t
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    MissingLibraryError,
    ModelArtsError,
    TransportError,
    api_error,
    plain,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._signature import (
    DATE_FORMAT,
    DATE_HEADER,
    canonical_query,
    host_header,
    sign,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._transport import BoundedAdapter

try:
    import requests
    from requests.auth import AuthBase
except ImportError as error:
    REQUESTS_IMPORT_ERROR: ImportError | None = error
    AuthBase = object  # type: ignore[misc,assignment]
else:
    REQUESTS_IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from keystoneauth1.identity.base import BaseIdentityPlugin

CONNECTION_OPTIONS: dict[str, dict[str, t.Any]] = {
    "endpoint": {"type": "str"},
    "region": {"type": "str"},
    "project_id": {"type": "str"},
    "auth_token": {"type": "str", "no_log": True},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "security_token": {"type": "str", "no_log": True},
    "auth_url": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "domain_name": {"type": "str"},
    "project_name": {"type": "str"},
    "cloud": {"type": "str"},
    "validate_certs": {"type": "bool"},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float"},
    "max_retries": {"type": "int"},
    "connections": {"type": "int"},
}

DEFAULT_TIMEOUT = 30.0
DEFAULT_RETRIES = 4
DEFAULT_CONNECTIONS = 8

_SECRETS = ("auth_token", "secret_key", "security_token", "password")
_GENERAL = ("endpoint", "region", "project_id", "validate_certs", "ca_path", "timeout", "max_retries", "connections")

# The order is the order within one level.
_NAMED_BY = {
    "auth_token": ("auth_token",),
    "access_key": ("access_key", "secret_key"),
    "password": ("username", "password"),
    "cloud": ("cloud",),
}
_FIELDS = {
    "auth_token": ("auth_token", "auth_url", "project_name"),
    "access_key": ("access_key", "secret_key", "security_token", "auth_url", "project_name"),
    "password": ("auth_url", "username", "password", "domain_name", "project_name"),
    "cloud": ("cloud",),
}
_REQUIRED = {
    "auth_token": ("auth_token",),
    "access_key": ("access_key", "secret_key"),
    "password": ("auth_url", "username", "password", "domain_name"),
    "cloud": ("cloud",),
}
_KEY_OPTIONS = ("access_key", "secret_key", "security_token")

_FAMILIES = ("MODELARTS_", "OS_", "HW_", "HUAWEICLOUD_SDK_")
ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "endpoint": ("MODELARTS_ENDPOINT",),
    "region": ("MODELARTS_REGION", "OS_REGION_NAME", "HW_REGION_NAME"),
    "project_id": ("MODELARTS_PROJECT_ID", "OS_PROJECT_ID", "HW_PROJECT_ID", "HUAWEICLOUD_SDK_PROJECT_ID"),
    "auth_token": ("OS_TOKEN", "OS_AUTH_TOKEN"),
    "access_key": ("OS_ACCESS_KEY", "HW_ACCESS_KEY", "HUAWEICLOUD_SDK_AK"),
    "secret_key": ("OS_SECRET_KEY", "HW_SECRET_KEY", "HUAWEICLOUD_SDK_SK"),
    "security_token": ("OS_SECURITY_TOKEN", "HW_SECURITY_TOKEN", "HUAWEICLOUD_SDK_SECURITY_TOKEN"),
    "auth_url": ("OS_AUTH_URL", "HW_AUTH_URL"),
    "username": ("OS_USERNAME",),
    "password": ("OS_PASSWORD",),
    "domain_name": ("OS_USER_DOMAIN_NAME", "OS_DOMAIN_NAME", "HW_DOMAIN_NAME"),
    "project_name": ("OS_PROJECT_NAME", "OS_TENANT_NAME", "HW_PROJECT_NAME"),
    "cloud": ("OS_CLOUD",),
    "validate_certs": ("MODELARTS_VALIDATE_CERTS",),
    "ca_path": ("MODELARTS_CA_PATH", "OS_CACERT"),
    "timeout": ("MODELARTS_TIMEOUT",),
    "max_retries": ("MODELARTS_MAX_RETRIES",),
    "connections": ("MODELARTS_CONNECTIONS",),
}

_Answer = t.TypeVar("_Answer")

_OPEN_TELEKOM_CLOUD = ("eu-de", "eu-nl", "eu-ch2")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(rf"(https?)://((?:{_LABEL}\.)*{_LABEL}|\[[0-9A-Fa-f:.]+\])(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?")
_VERSION = re.compile(r"/v[0-9.]+(/.*)?$")
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRINTED = re.compile(r"[\x21-\x7e]+")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_+/=.-]+")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1", "y", "t"), True),
    **dict.fromkeys(("false", "no", "off", "0", "n", "f"), False),
}
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_CAUSE = re.compile(r"(certificate verify failed[^(\"']*|\[Errno -?\d+\] [^'\")]+|timed out|larger than \d+ MiB)")


def variables_level(variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options that Ansible variables ``modelarts_<option>`` give; the values must be templated already."""
    return _set({option: variables.get(f"modelarts_{option}") for option in CONNECTION_OPTIONS})


def environment_level(environ: Mapping[str, str]) -> dict[str, t.Any]:
    """The options that an environment gives: OS_* before HW_* before HUAWEICLOUD_SDK_*.

    A vendor that names a whole key pair gives all of it: a key never meets the token of another.
    """
    families = [
        {
            option: next(environ[name] for name in names if name.startswith(prefix) and environ.get(name))
            for option, names in ENVIRONMENT.items()
            if any(name.startswith(prefix) and environ.get(name) for name in names)
        }
        for prefix in _FAMILIES
    ]
    pair = next((family for family in families if "access_key" in family and "secret_key" in family), None)
    level: dict[str, t.Any] = {}
    for family in families:
        if pair is not None and family is not pair:
            family = _without(family, _KEY_OPTIONS)
        level = _filled(level, family)
    return level


def merge_levels(*levels: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The general options and the fields of one method; ``levels`` come highest first.

    The highest level that names a method decides it, and lower levels fill what it lacks. Two options are not
    filled from below: the project, once it is named by ID or by name, and the security token, once the key pair is
    complete, because it belongs to that pair. A result can be merged with further, lower levels.
    """
    merged: dict[str, t.Any] = {}
    for level in levels:
        lower = _set(level)
        method = _method(merged) or _method(lower)
        merged = _filled(merged, lower)
        if method is not None:
            merged = {option: merged[option] for option in merged if option in _GENERAL + _FIELDS[method]}
    return merged


def connect(options: Mapping[str, t.Any], *, where: str) -> Connection:
    """The connection that merged ``options`` describe, checked, with nothing sent yet.

    ``where`` is the host that the code runs on, as errors name it. Raises InputError, MissingLibraryError.
    """
    if REQUESTS_IMPORT_ERROR is not None:
        raise _missing("requests", "every connection to ModelArts") from REQUESTS_IMPORT_ERROR
    given = _all_checked(merge_levels(options), where)
    method = _method(given)
    if method is None:
        raise InputError(
            "No credentials: give auth_token, access_key with secret_key, username with password, or cloud, "
            f"{_sources(where, 'auth_token', 'access_key', 'username', 'cloud')}."
        )
    _require_whole(method, given, where)
    if method == "cloud":
        cloud = _read_cloud(given["cloud"], given.get("region"), where)
        given = _all_checked({**_set(cloud.settings), **given}, where)
    region = given.get("region")
    auth_url = given.get("auth_url") or _regional("iam", region)
    auth_url = auth_url and _iam_base(auth_url)
    iam = _Iam(
        verify=given.get("validate_certs", True) and given.get("ca_path", True),
        timeout=given.get("timeout", DEFAULT_TIMEOUT),
        retries=given.get("max_retries", DEFAULT_RETRIES),
        where=where,
    )
    auth: TokenAuth | SignatureAuth | KeystoneAuth
    if method == "auth_token":
        auth = TokenAuth(given["auth_token"])
    elif method == "access_key":
        auth = SignatureAuth(
            given["access_key"], given["secret_key"], given.get("security_token"), given.get("project_id")
        )
    elif method == "password":
        auth = KeystoneAuth(_password_plugin(given, str(auth_url)), iam, (given["password"],))
    else:
        auth = KeystoneAuth(cloud.plugin, iam, cloud.secrets)
    connection = Connection(
        endpoint=given.get("endpoint"),
        region=region,
        project_id=given.get("project_id"),
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
    validate_certs: bool
    ca_path: str | None
    timeout: float
    max_retries: int
    connections: int
    method: str
    auth: TokenAuth | SignatureAuth | KeystoneAuth = field(repr=False)
    auth_url: str | None
    project_name: str | None
    where: str
    _iam: _Iam = field(repr=False)
    _found: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    @property
    def verify(self) -> bool | str:
        """What requests takes as ``verify``; pass it with each request, or REQUESTS_CA_BUNDLE replaces it."""
        return self.validate_certs and (self.ca_path or True)

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret known so far: given, issued, and derived."""
        issued = self.auth.signatures() if isinstance(self.auth, SignatureAuth) else ()
        return self.lasting_secrets.union(issued)

    @property
    def lasting_secrets(self) -> frozenset[str]:
        """Every secret known so far that is good for more than one request: signatures are many, and are not."""
        return frozenset(self.auth.secrets())

    def redact(self, text: str) -> str:
        """``text`` with every known secret replaced by asterisks."""
        return _redacted(text, self.secrets)

    def finish_by(self, deadline: float) -> None:
        """Stop asking IAM at this time of ``time.monotonic()``."""
        self._iam.deadline = deadline

    def base_url(self) -> str:
        """``https://host`` of ModelArts: the endpoint, else the service catalog's, else the region's."""
        with self._lock:
            if "base_url" not in self._found:
                self._found["base_url"] = self._find_base_url()
            return self._found["base_url"]

    def project(self) -> str:
        """The project's ID: the option, else the login's project, else the one that IAM has under its name."""
        with self._lock:
            if "project" not in self._found:
                self._found["project"] = self._find_project()
            return self._found["project"]

    def _find_base_url(self) -> str:
        if self.endpoint is not None:
            return self.endpoint
        listed = None
        if isinstance(self.auth, KeystoneAuth):
            listed = _catalog_endpoint(self.auth.login().catalog, self.region, self.where)
        url = listed or _regional("modelarts", self.region)
        if url is None:
            raise InputError(
                "The service catalog lists no endpoint of ModelArts: set endpoint or region, "
                f"{_sources(self.where, 'endpoint', 'region')}."
            )
        return url

    def _find_project(self) -> str:
        if isinstance(self.auth, KeystoneAuth):
            scope = self.auth.login().project_id
            if scope is None and self.project_id is None:
                raise InputError(
                    "The login belongs to no project: set project_id, or name a project in the entry of clouds.yaml, "
                    f"{_sources(self.where, 'project_id')}."
                )
            if scope and self.project_id and scope != self.project_id:
                raise InputError(
                    f"project_id is {self.project_id}, but the login on {self.where} is for {_shown(scope)}: leave "
                    "project_id out, or log in to that project."
                )
            return str(self.project_id or scope)
        if self.project_id is not None:
            return self.project_id
        try:
            found = self._iam.find_project(str(self.auth_url), str(self.project_name or self.region), self.auth)
        except ModelArtsError as failure:
            raise _masked(failure, self.secrets) from None
        if isinstance(self.auth, SignatureAuth):
            self.auth.project_id = found
        return found

    def _require_reachable(self) -> None:
        if isinstance(self.auth, KeystoneAuth):
            return
        if self.endpoint is None and self.region is None:
            raise InputError(
                f"No address of ModelArts: set endpoint or region, {_sources(self.where, 'endpoint', 'region')}."
            )
        if self.project_id is None and not (self.auth_url and (self.project_name or self.region)):
            raise InputError(
                "No project: set project_id; or region, or auth_url with project_name, to have it looked up in IAM, "
                f"{_sources(self.where, 'project_id', 'region', 'auth_url', 'project_name')}."
            )


class TokenAuth(AuthBase):
    """A token that the caller has: it cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Auth-Token"] = self._token
        return request

    def secrets(self) -> Iterable[str]:
        return (self._token,)

    def invalidate(self) -> bool:
        """Whether a new login can follow a 401."""
        return False


class SignatureAuth(AuthBase):
    """Signs each request with a key pair. A refusal must not be repeated: five in a row lock the key."""

    def __init__(
        self, access_key: str, secret_key: str, security_token: str | None = None, project_id: str | None = None
    ) -> None:
        self.project_id = project_id
        self._access_key = access_key
        self._secret_key = secret_key
        self._security_token = security_token
        self._issued: deque[str] = deque(maxlen=100)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url))
        query = canonical_query(parse_qsl(parts.query, keep_blank_values=True))
        request.url = urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
        headers = request.headers
        headers["Host"] = host_header(request.url)
        headers[DATE_HEADER] = datetime.now(timezone.utc).strftime(DATE_FORMAT)
        if self.project_id:
            headers["X-Project-Id"] = self.project_id
        if self._security_token:
            headers["X-Security-Token"] = self._security_token
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        value = sign(str(request.method), request.url, headers, content, self._access_key, self._secret_key)
        headers["Authorization"] = value
        self._issued.append(value.rpartition("=")[2])
        return request

    def secrets(self) -> Iterable[str]:
        return filter(None, (self._secret_key, self._security_token))

    def signatures(self) -> Iterable[str]:
        """Those of the last requests, each of which is good for one."""
        return self._issued.copy()

    def invalidate(self) -> bool:
        """Whether a new login can follow a 401."""
        return False


class KeystoneAuth(AuthBase):
    """Logs in to IAM when a token is needed and before it expires: for a password, and for clouds.yaml."""

    def __init__(self, plugin: BaseIdentityPlugin, iam: _Iam, given: Iterable[str]) -> None:
        self._plugin = plugin
        self._iam = iam
        self._lock = threading.Lock()
        self._sent = threading.local()
        self._token: str | None = None
        self._secrets = deque(given, maxlen=100)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._sent.token = None
        # Whoever sends the request repeats it, so the login is tried once.
        self._sent.token = self._login(retries=0).token
        request.headers["X-Auth-Token"] = self._sent.token
        return request

    def login(self) -> Login:
        """The login that holds now; a new one is made when there is none or when it is about to expire."""
        return self._login(self._iam.retries)

    def secrets(self) -> Iterable[str]:
        return self._secrets.copy()

    def invalidate(self) -> bool:
        """Whether a new login can follow a 401; not when the login itself was refused.

        Threads that were refused with one and the same token make one new login.
        """
        with self._lock:
            refused = getattr(self._sent, "token", self._token)
            if refused is not None and refused == self._token:
                self._plugin.invalidate()
            return refused is not None

    def _login(self, retries: int) -> Login:
        with self._lock:
            try:
                login = self._iam.log_in(self._plugin, retries)
            except ModelArtsError as failure:
                raise _masked(failure, self._secrets) from None
            if login.token != self._token:
                self._token = login.token
                self._secrets.append(login.token)
            return login


class Login(t.NamedTuple):
    """What IAM gave: the token, the project that it is for, and the raw service catalog."""

    token: str
    project_id: str | None
    catalog: t.Any


class _UnreachableError(TransportError):
    """Worth another attempt."""


class _Iam:
    """Requests to IAM: bounded in time and number, without redirects."""

    def __init__(self, *, verify: bool | str, timeout: float, retries: int, where: str) -> None:
        self.verify = verify
        self.timeout = timeout
        self.retries = retries
        self.where = where
        self.deadline = math.inf

    def log_in(self, plugin: BaseIdentityPlugin, retries: int) -> Login:
        """The plugin's login, made anew only when it has none that holds."""
        return self._repeated(lambda timeout: self._log_in_once(plugin, timeout), retries)

    def _log_in_once(self, plugin: BaseIdentityPlugin, timeout: float) -> Login:
        from keystoneauth1 import exceptions
        from keystoneauth1.session import Session

        url = f"{plugin.auth_url}/auth/tokens"
        try:
            with _session(url) as session:
                iam = Session(session=session, verify=self.verify, timeout=timeout, redirect=False)
                access = plugin.get_access(iam)
            return Login(str(access.auth_token), access.project_id, access.service_catalog.catalog)
        except exceptions.HttpError as failure:
            if failure.response is None:
                raise ApiError(f"POST {url} was answered {failure.http_status}.", status=failure.http_status) from None
            hint = f"Check the credentials on {self.where}." if failure.http_status == 401 else ""
            raise self._answered("POST", url, failure.response, hint) from None
        except exceptions.InvalidResponse as failure:
            raise self._answered("POST", url, failure.response) from None
        except exceptions.SSLError as failure:
            raise TransportError(self._no_answer(url, failure)) from None
        except exceptions.ConnectionError as failure:
            raise _UnreachableError(self._no_answer(url, failure)) from None
        except exceptions.ClientException as failure:
            raise InputError(f"The login at {url} on {self.where} failed: {plain(str(failure))}.") from None
        except (AttributeError, KeyError, TypeError, ValueError):
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
                f"IAM at {auth_url} knows {len(found) or 'no'} project{'s' * (len(found) > 1)} named {_shown(name)}: "
                f"set project_id or project_name, {_sources(self.where, 'project_id', 'project_name')}."
            )
        if not isinstance(found[0], str) or not _PROJECT_ID.fullmatch(found[0]):
            raise ApiError(f"GET {url} was answered with an ID of a project that cannot be one.")
        return found[0]

    def _get(self, url: str, name: str, auth: AuthBase, timeout: float) -> object:
        with _session(url) as session:
            try:
                answer = session.get(
                    f"{url}?{canonical_query([('name', name)])}",
                    auth=auth,
                    headers={"Accept": "application/json"},
                    timeout=timeout,
                    verify=self.verify,
                    allow_redirects=False,
                )
            except requests.exceptions.SSLError as failure:
                raise TransportError(self._no_answer(url, failure)) from None
            except requests.exceptions.RequestException as failure:
                raise _UnreachableError(self._no_answer(url, failure)) from None
        if answer.status_code != 200:
            raise self._answered("GET", url, answer, "Set project_id to do without this look-up.")
        try:
            return answer.json()
        except ValueError:
            raise self._answered("GET", url, answer) from None

    def _repeated(self, call: Callable[[float], _Answer], retries: int) -> _Answer:
        attempt = 0
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TransportError(f"No time was left on {self.where} to ask IAM.")
            wait = min(2.0**attempt, 30.0) * random.uniform(0.5, 1.0)
            try:
                return call(min(self.timeout, left))
            except (_UnreachableError, ApiError) as failure:
                transient = isinstance(failure, _UnreachableError) or failure.status in _TRANSIENT
                if not transient or attempt >= retries or time.monotonic() + wait >= self.deadline:
                    raise
            time.sleep(wait)
            attempt += 1

    def _answered(self, verb: str, url: str, answer: requests.Response, hint: str = "") -> ApiError:
        if 300 <= answer.status_code < 400:
            hint = "Redirects are not followed: set auth_url to the address of IAM itself."
        return api_error(f"{verb} {url}", answer.status_code, answer.headers, answer.content, hint)

    def _no_answer(self, url: str, failure: Exception) -> str:
        cause = _CAUSE.search(str(failure))
        said = cause[0].strip() if cause else type(failure).__name__
        return f"IAM at {url} could not be reached from {self.where}: {said}. Check auth_url, region and ca_path."


class _Cloud(t.NamedTuple):
    plugin: BaseIdentityPlugin
    settings: dict[str, t.Any]
    secrets: tuple[str, ...]


def _session(url: str) -> requests.Session:
    session = requests.Session()
    session.mount("https://", BoundedAdapter())
    session.mount("http://", BoundedAdapter())
    # Only loopback addresses may be http, and no proxy may get to read what is sent to them.
    session.trust_env = not url.startswith("http:")
    # Without this, requests would add what ~/.netrc has for the host.
    session.auth = lambda request: request
    return session


def _password_plugin(given: Mapping[str, t.Any], auth_url: str) -> BaseIdentityPlugin:
    try:
        from keystoneauth1.identity.v3 import Password
    except ImportError as failure:
        raise _missing("keystoneauth1", "the options username and password") from failure
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


def _read_cloud(name: str, region: str | None, where: str) -> _Cloud:
    """An entry of clouds.yaml, from the places where openstacksdk looks for the file."""
    try:
        from keystoneauth1.identity.base import BaseIdentityPlugin as Identity
        from openstack.config import OpenStackConfig
        from openstack.exceptions import ConfigException
    except ImportError as failure:
        raise _missing("openstacksdk", "the option cloud") from failure
    entry = f"The entry {name} of clouds.yaml on {where}"
    try:
        clouds = OpenStackConfig()
        if name not in clouds.get_cloud_names():
            # Without any entry, openstacksdk makes up one of this name.
            known = ", ".join(sorted({*clouds.get_cloud_names()} - {"defaults"})) or "none"
            raise InputError(
                f"{entry} does not exist, or the file cannot be read: known are {known}. Set cloud, "
                f"{_sources(where, 'cloud')}."
            )
        try:
            kind = clouds.get_one(cloud=name, region_name=region, validate=False).config.get("auth_type")
        except ConfigException:
            own = clouds.get_one(cloud=name, validate=False).region_name
            raise InputError(
                f"{entry} is for region {own}, not {region}: set another cloud or region, "
                f"{_sources(where, 'cloud', 'region')}."
            ) from None
        # These two would ask IAM for its versions, and send credentials to the address in the answer.
        kind = {"password": "v3password", "token": "v3token"}.get(str(kind), kind)
        cloud = clouds.get_one(cloud=name, region_name=region, auth_type=kind)
        plugin = cloud.get_auth()
    except ModelArtsError:
        raise
    except Exception as failure:
        # The text of the failure can quote a line of the file.
        raise InputError(f"{entry} cannot be used ({type(failure).__name__}): check it and its auth section.") from None
    if not isinstance(plugin, Identity) or not plugin.auth_url:
        raise InputError(f"{entry} does not log in to an IAM: it needs an auth_url and an auth_type that has one.")
    plugin.auth_url = _iam_base(_checked_url(plugin.auth_url, f"{entry} has an auth_url that"))
    verify, _cert = cloud.get_requests_verify_args()
    settings = {
        "region": cloud.region_name,
        "validate_certs": verify is not False,
        "ca_path": verify if isinstance(verify, str) else None,
    }
    secrets = tuple(
        str(value)
        for option, value in cloud.config["auth"].items()
        if re.search("password|token|secret|passcode", option)
    )
    return _Cloud(plugin, settings, secrets)


def _catalog_endpoint(catalog: Iterable[Mapping[str, t.Any]] | None, region: str | None, where: str) -> str | None:
    """The public endpoint of the service type ``modelarts``; in an entry for all regions, ``region`` is "*"."""
    try:
        public = [
            (endpoint.get("region_id") or endpoint.get("region"), _VERSION.sub("", endpoint["url"]))
            for service in catalog or ()
            if service.get("type") == "modelarts"
            for endpoint in service["endpoints"]
            if endpoint.get("interface") == "public"
        ]
    except (AttributeError, KeyError, TypeError):
        raise ApiError(
            f"IAM gave a service catalog that cannot be read: set endpoint, {_sources(where, 'endpoint')}."
        ) from None
    urls = {url for place, url in public if place == region or region is None}
    urls = urls or {url for place, url in public if place in (None, "", "*")}
    if len(urls) > 1:
        raise InputError(
            f"The service catalog lists {len(urls)} endpoints of ModelArts: set region or endpoint, "
            f"{_sources(where, 'region', 'endpoint')}."
        )
    return _checked_url(urls.pop(), "The service catalog has an endpoint of ModelArts that") if urls else None


def _regional(service: str, region: str | None) -> str | None:
    if region is None:
        return None
    domain = "otc.t-systems.com" if region in _OPEN_TELEKOM_CLOUD else "myhuaweicloud.com"
    return f"https://{service}.{region}.{domain}"


def _iam_base(url: str) -> str:
    return url if url.endswith("/v3") else f"{url}/v3"


def _set(level: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        option: value for option, value in level.items() if option in CONNECTION_OPTIONS and value not in (None, "")
    }


def _method(level: Mapping[str, t.Any]) -> str | None:
    return next((method for method, names in _NAMED_BY.items() if any(name in level for name in names)), None)


def _without(level: Mapping[str, t.Any], options: Iterable[str]) -> dict[str, t.Any]:
    return {option: value for option, value in level.items() if option not in options}


def _filled(higher: Mapping[str, t.Any], lower: Mapping[str, t.Any]) -> dict[str, t.Any]:
    settled: tuple[str, ...] = ()
    if "project_id" in higher or "project_name" in higher:
        settled += ("project_id", "project_name")
    if "access_key" in higher and "secret_key" in higher:
        settled += ("security_token",)
    return {**_without(lower, settled), **higher}


def _require_whole(method: str, given: Mapping[str, t.Any], where: str) -> None:
    lacking = [option for option in _REQUIRED[method] if option not in given]
    if method == "password" and "project_id" not in given and "project_name" not in given:
        lacking.append("project_name")
    if lacking:
        named = next(option for option in _NAMED_BY[method] if option in given)
        raise InputError(
            f"{named} is given, but not {' and '.join(lacking)}: set {'it' if len(lacking) == 1 else 'them'} "
            f"{_sources(where, *lacking)}."
        )


def _all_checked(level: Mapping[str, t.Any], where: str) -> dict[str, t.Any]:
    return {option: _checked(option, value, where) for option, value in level.items()}


def _checked(option: str, value: object, where: str) -> object:
    kind = CONNECTION_OPTIONS[option]["type"]
    if isinstance(value, (Mapping, list, tuple, set)):
        raise _unusable(option, "must be a single value", where)
    if kind == "bool":
        return _boolean(option, value, where)
    if kind == "float":
        return _seconds(option, value, where)
    if kind == "int":
        return _count(option, value, 1 if option == "connections" else 0, where)
    text = str(value)
    if option in ("endpoint", "auth_url"):
        url = _checked_url(text, f"{option} (on {where}: {' or '.join(ENVIRONMENT[option])})")
        return _VERSION.sub("", url) if option == "endpoint" else url
    if option == "ca_path":
        path = os.path.expanduser(os.path.expandvars(text))
        if not os.path.exists(path):
            raise _unusable(option, f"names a file that does not exist, {_shown(path)}", where)
        return path
    expected, accepted = _TEXTS.get(option, ("must be printable text on one line", str.isprintable))
    if not accepted(text):
        raise _unusable(option, expected, where)
    return text


_TEXTS: dict[str, tuple[str, Callable[[str], t.Any]]] = {
    "region": ("must be lower-case letters, digits and hyphens, like eu-de", _REGION.fullmatch),
    "project_id": ("must be at most 64 letters, digits, hyphens and underscores", _PROJECT_ID.fullmatch),
    "auth_token": ("must be one line of ASCII without blanks", _PRINTED.fullmatch),
    "access_key": ("must be letters and digits, without blanks", _ACCESS_KEY.fullmatch),
    "secret_key": ("must be one line of ASCII without blanks", _PRINTED.fullmatch),
    "security_token": ("must be one line of ASCII without blanks", _PRINTED.fullmatch),
    "password": ("must be text", lambda text: True),
}


def _boolean(option: str, value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(str(value).strip().lower())
    if known is None:
        raise _unusable(option, f"must be true or false, not {_shown(value)}", where)
    return known


def _seconds(option: str, value: object, where: str) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise _unusable(option, f"must be a number of seconds above 0, not {_shown(value)}", where)
    return seconds


def _count(option: str, value: object, least: int, where: str) -> int:
    try:
        count = int(str(value))
    except ValueError:
        count = -1
    if count < least:
        raise _unusable(option, f"must be a whole number, {least} or more, not {_shown(value)}", where)
    return count


def _checked_url(text: str, subject: str) -> str:
    """The URL without a closing slash. The sentence of an error never repeats it: it may hold a password."""
    parts = _URL.fullmatch(text)
    if not parts or (parts[3] and int(parts[3][1:]) > 65535):
        raise InputError(f"{subject} must be a URL like https://host[:port], without user, query, fragment or blanks.")
    if parts[1] == "http" and not _is_loopback(parts[2].strip("[]")):
        raise InputError(f"{subject} must start with https: over http, credentials would be readable on the network.")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _missing(library: str, needed_for: str) -> MissingLibraryError:
    sentence = missing_required_lib(library, reason=f"for {needed_for}")
    return MissingLibraryError(str(sentence))


def _shown(value: object) -> str:
    return plain(repr(str(value)), 60)


def _unusable(option: str, expected: str, where: str) -> InputError:
    return InputError(f"{option} {expected}. It can be set {_sources(where, option)}.")


def _sources(where: str, *options: str) -> str:
    environment = "; ".join(f"{option}: {' or '.join(ENVIRONMENT[option])}" for option in options)
    return (
        "by option, by variable modelarts_<option> (not in a plain module), or in the environment of "
        f"{where} ({environment})"
    )


def _redacted(text: str, secrets: Iterable[str]) -> str:
    spellings = {
        spelling
        for secret in secrets
        for spelling in (secret, quote(secret, "", errors="replace"), json.dumps(secret)[1:-1])
    }
    for spelling in sorted(filter(None, spellings), key=len, reverse=True):
        text = text.replace(spelling, "********")
    return text


def _masked(failure: ModelArtsError, secrets: Iterable[str]) -> ModelArtsError:
    """The failure of a request to IAM, without secrets."""
    failure.from_iam = True
    known = tuple(secrets)
    failure.message = _redacted(failure.message, known)
    failure.args = (failure.message,)
    if failure.error_msg:
        failure.error_msg = _redacted(failure.error_msg, known)
    return failure
