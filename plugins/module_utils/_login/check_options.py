# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each connection option must look like.

This module util is private to the collection.
"""

from __future__ import annotations

import math
import os
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import check_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    ENVIRONMENT,
    SECRETS,
    where_to_set,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import is_secret_common_word
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, shown

if t.TYPE_CHECKING:
    from collections.abc import Callable

# An hour: an answer that takes longer is none. The clocks of sockets end at some centuries.
_LONGEST_TIMEOUT = 3600.0
_MOST = {
    # With pauses of up to a minute, a thousand are most of a day; a gate that is to wait has wait_timeout.
    "max_retries": 1000,
    # Each is a thread and a connection with TLS. ModelArts throttles long before a hundred.
    "connections": 100,
}
# A catalog lists /v1/{project} and /v2/{project}, and people copy such URLs; calls add their own.
_VERSION = re.compile(r"/v[0-9]+(?:\.[0-9]+)?(?:/([A-Za-z0-9_-]+))?$")
# The form that Open Telekom Cloud and Huawei Cloud give to IDs of projects.
_GIVEN_PROJECT = re.compile(r"[0-9a-f]{32}")
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
# It becomes a segment of every path, so it has neither a slash nor a dot.
PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PATH_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|(\w+))", re.ASCII)  # as os.path.expandvars() finds them
# A guess, from the names that are in use: nothing marks a variable as secret.
_NAME_OF_SECRET = re.compile(
    r"PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|STORE|(?:^|_)(?:AUTH|COOKIE|DSN|KEY|PAT|PW|URI|URL)(?:_|$)|_PWD$",
    re.IGNORECASE,
)
_PRINTED = re.compile(r"[\x21-\x7e]+")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_+/=.-]+")
# Those that Ansible takes: the environment and surveys give text alone.
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1", "y", "t"), True),
    **dict.fromkeys(("false", "no", "off", "0", "n", "f"), False),
}


class CheckedOptions(t.TypedDict, total=False):
    """The options of a connection that were given, each checked and of its type."""

    endpoint: str
    region: str
    project_id: str
    workspace_id: str
    auth_token: str
    access_key: str
    secret_key: str
    security_token: str
    auth_url: str
    username: str
    password: str
    domain_name: str
    project_name: str
    cloud: str
    validate_certs: bool
    ca_path: str
    timeout: float
    max_retries: int
    connections: int


def check_options(level: Mapping[str, object], where: str) -> CheckedOptions:
    # CheckedOptions has the types of CONNECTION_OPTIONS, which a test compares.
    return t.cast("CheckedOptions", {option: _check_option(option, value, where) for option, value in level.items()})


def _check_option(option: str, value: object, where: str) -> object:
    kind = CONNECTION_OPTIONS[option]["type"]
    # As text, a list would become a value that nobody gave.
    if isinstance(value, (Mapping, list, tuple, set)):
        raise _unusable_option(option, "must be a single value", where)
    if kind == "bool":
        return _check_boolean_option(option, value, where)
    if kind == "float":
        return _check_seconds_option(option, value, where)
    if kind == "int":
        return _check_count_option(option, value, 1 if option == "connections" else 0, where)
    text = str(value)
    if option in ("endpoint", "auth_url"):
        return check_url(text, f"{option} (on {where}: {' or '.join(ENVIRONMENT[option])})")
    if option == "ca_path":
        path = expand_path_of_option(text, f"ca_path on {where}")
        if not os.path.exists(path):
            raise _unusable_option(option, f"names a file that does not exist, {one_line(repr(path), 300)}", where)
        return path
    expected, accepted = _TEXTS.get(option, ("must be printable text on one line", str.isprintable))
    if not accepted(text):
        raise _unusable_option(option, expected, where)
    if option in SECRETS:
        check_secret_option(text, option, where_to_set(where, option))
    return text


def expand_path_of_option(text: str, subject: str) -> str:
    """Return the path with ~ and variables of the environment in it, as Ansible does it for the type ``path``.

    Raises InputError for a variable that may hold a secret: paths are printed, and directories are made of them.
    """
    for name in map("".join, _PATH_VARIABLE.findall(text)):
        if _NAME_OF_SECRET.search(name) and name in os.environ:
            raise InputError(
                f"{subject} names the environment variable {one_line(name, 60)}, which may hold a secret, and paths "
                "are printed: use another variable, or write the path."
            )
    return os.path.expanduser(os.path.expandvars(text))


def check_secret_option(text: str, subject: str, where_to_set: str) -> None:
    """Raise InputError for a secret that could not be hidden without changing what is decided on."""
    if is_secret_common_word(text):
        raise InputError(
            f"{subject} is too short, a number, or a word of every answer, so hiding it in output would "
            f"change the facts and the decision: use a longer one. It can be set {where_to_set}."
        )


_TEXTS: dict[str, tuple[str, Callable[[str], object]]] = {
    "region": ("must be lower-case letters, digits and hyphens, like eu-de", _REGION.fullmatch),
    "project_id": ("must be at most 64 letters, digits, hyphens and underscores", PROJECT_ID.fullmatch),
    "workspace_id": ("must be at most 64 letters, digits, hyphens and underscores", PROJECT_ID.fullmatch),
    "auth_token": ("must be one line of ASCII without blanks", _PRINTED.fullmatch),
    "access_key": ("must be letters and digits, without blanks", _ACCESS_KEY.fullmatch),
    "secret_key": ("must be one line of ASCII without blanks", _PRINTED.fullmatch),
    "security_token": ("must be one line of ASCII without blanks", _PRINTED.fullmatch),
    "password": ("must be text", lambda text: True),
}


def _check_boolean_option(option: str, value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(str(value).strip().lower())
    if known is None:
        raise _unusable_option(option, f"must be true or false, not {shown(value)}", where)
    return known


def _check_seconds_option(option: str, value: object, where: str) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    # NaN fails both comparisons, so it is refused with the rest.
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        most = f"and {_LONGEST_TIMEOUT:.0f} at most"
        raise _unusable_option(option, f"must be a number of seconds above 0, not {shown(value)}, {most}", where)
    return seconds


def _check_count_option(option: str, value: object, least: int, where: str) -> int:
    try:
        count = int(str(value))
    except ValueError:
        count = -1
    if not least <= count <= _MOST[option]:
        bounds = f"from {least} to {_MOST[option]}"
        raise _unusable_option(option, f"must be a whole number, {bounds}, not {shown(value)}", where)
    return count


def without_iam_version(url: str, project: str | None) -> str:
    """Return a service's URL without the version at its end, or the version and the project.

    A last segment is a project when it is ``project``, or has the form that clouds give to IDs of projects: in
    ``/api/v1/modelarts``, a gateway's path, the version stays.
    """
    url = url.rstrip("/")
    end = _VERSION.search(url)
    if end is None or not (end[1] is None or end[1] == project or _GIVEN_PROJECT.fullmatch(end[1])):
        return url
    return url[: end.start()]


def _unusable_option(option: str, expected: str, where: str) -> InputError:
    return InputError(f"{option} {expected}. It can be set {where_to_set(where, option)}.")
