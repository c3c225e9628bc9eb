# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where connection options come from: levels, highest first, and what each option must look like.

This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import ssl
import typing as t
from collections.abc import Mapping
from urllib.parse import urlsplit

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import is_common
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import plain, shown

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CONNECTION_OPTIONS: dict[str, dict[str, t.Any]] = {
    "endpoint": {"type": "str"},
    "region": {"type": "str"},
    "project_id": {"type": "str"},
    "workspace_id": {"type": "str"},
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

# An hour: an answer that takes longer is none. The clocks of sockets end at some centuries.
_LONGEST_TIMEOUT = 3600.0
_MOST = {
    # With pauses of up to a minute, a thousand are most of a day; a gate that is to wait has wait_timeout.
    "max_retries": 1000,
    # Each is a thread and a connection with TLS. ModelArts throttles long before a hundred.
    "connections": 100,
}

SECRETS = ("auth_token", "secret_key", "security_token", "password")
_GENERAL = (
    "endpoint",
    "region",
    "project_id",
    "workspace_id",
    "validate_certs",
    "ca_path",
    "timeout",
    "max_retries",
    "connections",
)

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
    "workspace_id": ("MODELARTS_WORKSPACE_ID",),
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

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(rf"(https?)://((?:{_LABEL}\.)*{_LABEL}|\[[0-9A-Fa-f:.]+\])(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?")
_VERSION = re.compile(r"/v[0-9]+(?:\.[0-9]+)?(?:/([A-Za-z0-9_-]+))?$")
_GIVEN_PROJECT = re.compile(r"[0-9a-f]{32}")
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRINTED = re.compile(r"[\x21-\x7e]+")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_+/=.-]+")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1", "y", "t"), True),
    **dict.fromkeys(("false", "no", "off", "0", "n", "f"), False),
}


def variables_level(variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options that Ansible variables ``modelarts_<option>`` give; the values must be templated already."""
    return given_in({option: variables.get(f"modelarts_{option}") for option in CONNECTION_OPTIONS})


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
        lower = given_in(level)
        method = method_of(merged) or method_of(lower)
        merged = _filled(merged, lower)
        if method is not None:
            merged = {option: merged[option] for option in merged if option in _GENERAL + _FIELDS[method]}
    return merged


def given_in(level: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        option: value for option, value in level.items() if option in CONNECTION_OPTIONS and value not in (None, "")
    }


def method_of(level: Mapping[str, t.Any]) -> str | None:
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


def require_whole(method: str, given: Mapping[str, t.Any], where: str) -> None:
    lacking = [option for option in _REQUIRED[method] if option not in given]
    if method == "password" and "project_id" not in given and "project_name" not in given:
        lacking.append("project_name")
    if lacking:
        named = next(option for option in _NAMED_BY[method] if option in given)
        raise InputError(
            f"{named} is given, but not {' and '.join(lacking)}: set {'it' if len(lacking) == 1 else 'them'} "
            f"{sources(where, *lacking)}."
        )


def all_checked(level: Mapping[str, t.Any], where: str) -> dict[str, t.Any]:
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
        return checked_url(text, f"{option} (on {where}: {' or '.join(ENVIRONMENT[option])})")
    if option == "ca_path":
        path = os.path.expanduser(os.path.expandvars(text))
        if not os.path.exists(path):
            raise _unusable(option, f"names a file that does not exist, {plain(repr(path), 300)}", where)
        return path
    expected, accepted = _TEXTS.get(option, ("must be printable text on one line", str.isprintable))
    if not accepted(text):
        raise _unusable(option, expected, where)
    if option in SECRETS:
        check_secret(text, option, sources(where, option))
    return text


def check_secret(text: str, subject: str, where_to_set: str) -> None:
    """Raises InputError for a secret that could not be hidden without changing what is decided on."""
    if is_common(text):
        raise InputError(
            f"{subject} is too short, a number, or a word of every answer, so it cannot be kept out of output without "
            f"changing what is read and decided: use one that is longer. It can be set {where_to_set}."
        )


_TEXTS: dict[str, tuple[str, Callable[[str], t.Any]]] = {
    "region": ("must be lower-case letters, digits and hyphens, like eu-de", _REGION.fullmatch),
    "project_id": ("must be at most 64 letters, digits, hyphens and underscores", PROJECT_ID.fullmatch),
    "workspace_id": ("must be at most 64 letters, digits, hyphens and underscores", PROJECT_ID.fullmatch),
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
        raise _unusable(option, f"must be true or false, not {shown(value)}", where)
    return known


def _seconds(option: str, value: object, where: str) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        most = f"and {_LONGEST_TIMEOUT:.0f} at most"
        raise _unusable(option, f"must be a number of seconds above 0, not {shown(value)}, {most}", where)
    return seconds


def _count(option: str, value: object, least: int, where: str) -> int:
    try:
        count = int(str(value))
    except ValueError:
        count = -1
    if not least <= count <= _MOST[option]:
        bounds = f"from {least} to {_MOST[option]}"
        raise _unusable(option, f"must be a whole number, {bounds}, not {shown(value)}", where)
    return count


def without_version(url: str, project: str | None) -> str:
    """A service's URL without the version at its end, or the version and the project.

    A last segment is a project when it is ``project``, or has the form that clouds give to IDs of projects: in
    ``/api/v1/modelarts``, a gateway's path, the version stays.
    """
    url = url.rstrip("/")
    end = _VERSION.search(url)
    if end is None or not (end[1] is None or end[1] == project or _GIVEN_PROJECT.fullmatch(end[1])):
        return url
    return url[: end.start()]


def checked_url(text: str, subject: str) -> str:
    """The URL without a closing slash. The sentence of an error never repeats it: it may hold a password."""
    parts = _URL.fullmatch(text)
    if not parts or (parts[3] and int(parts[3][1:]) > 65535):
        raise InputError(f"{subject} must be a URL like https://host[:port], without user, query, fragment or blanks.")
    if parts[1] == "http" and not _is_loopback(parts[2].strip("[]")):
        raise InputError(f"{subject} must start with https: over http, credentials would be readable on the network.")
    return text.rstrip("/")


def repeated_urls(options: Mapping[str, t.Any]) -> set[str]:
    """The addresses among the options that cannot be used, as they may hold a password, and must not be repeated."""
    texts = [str(options[name]) for name in ("endpoint", "auth_url") if options.get(name)]
    return {text for text in texts if not _URL.fullmatch(text)}


def is_private(url: str) -> bool:
    """Return whether credentials can be sent to the URL: by https, or within this host."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def unusable_authorities(path: str) -> str | None:
    """What is wrong with a file or a folder of certificate authorities, as the end of "ca_path names ..."."""
    file = plain(repr(path), 300)  # as long as a path can be and still tell which it is
    if not os.path.exists(path):
        return f"a file that does not exist, {file}"
    try:
        if os.path.isdir(path):
            # OpenSSL looks for a certificate by the hash of its name, and passes over any other file.
            if any(map(_HASHED.fullmatch, os.listdir(path))):
                return None
            return f"a folder without certificates, {file} (openssl rehash gives them the names that count)"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return f"a file without a certificate in PEM, {file}"
    except OSError as error:
        return f"what cannot be read ({error.strerror}), {file}"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unusable(option: str, expected: str, where: str) -> InputError:
    return InputError(f"{option} {expected}. It can be set {sources(where, option)}.")


def sources(where: str, *options: str) -> str:
    environment = "; ".join(f"{option}: {' or '.join(ENVIRONMENT[option])}" for option in options)
    return (
        "by option, by variable modelarts_<option> (not in a plain module), or in the environment of "
        f"{where} ({environment})"
    )
