# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options, and where they come from: levels, highest first.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import is_endless, shown_name

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class OptionSpec(t.TypedDict, total=False):
    """An option as argument specifications of modules have it."""

    type: str
    elements: str
    required: bool
    choices: list[str]
    default: object
    no_log: bool


CONNECTION_OPTIONS: dict[str, OptionSpec] = {
    "endpoint": {"type": "str"},
    "region": {"type": "str"},
    "project_id": {"type": "str"},
    "workspace_id": {"type": "str"},
    "auth_token": {"type": "str", "no_log": True},
    # An access key is an identifier like a user name; its secret is the secret_key.
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
    "ca_path": {"type": "str"},  # not path: Ansible would expand it before it can be checked, and print it so
    "timeout": {"type": "float"},
    "max_retries": {"type": "int"},
    "connections": {"type": "int"},
}

# Much more than a page of 500 jobs takes, and less than a person waits for a gateway that hangs.
DEFAULT_TIMEOUT = 30.0
DEFAULT_RETRIES = 4
# Measured at 50 ms a call: 20,000 jobs take 2.6 s one page at a time, 0.8 s four at a time, 0.5 s eight at a time.
DEFAULT_CONNECTIONS = 8

SECRETS = ("auth_token", "secret_key", "security_token", "password")
# Of no method: each of these may come from any level.
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
# The fields of one method stay together: a password of a lower level does not join a token of a higher one.
_FIELDS = {
    "auth_token": ("auth_token", "auth_url", "project_name"),
    "access_key": ("access_key", "secret_key", "security_token", "auth_url", "project_name"),
    "password": ("auth_url", "username", "password", "domain_name", "project_name"),
    "cloud": ("cloud",),
}
# Without these, no request can be made. What else a way to log in takes has a default or can be looked up.
_REQUIRED = {
    "auth_token": ("auth_token",),
    "access_key": ("access_key", "secret_key"),
    "password": ("auth_url", "username", "password", "domain_name"),
    "cloud": ("cloud",),
}
_KEY_OPTIONS = ("access_key", "secret_key", "security_token")

# The own names first; then those that users of OpenStack, of Huawei Cloud and of its SDK have set already.
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


def variables_level(variables: Mapping[str, object]) -> dict[str, object]:
    """Return the options that Ansible variables ``modelarts_<option>`` give; the values must be templated already."""
    return options_given({option: variables.get(f"modelarts_{option}") for option in CONNECTION_OPTIONS})


def environment_level(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the options that an environment gives: OS_* before HW_* before HUAWEICLOUD_SDK_*.

    A vendor that names a whole key pair gives all of it: a key never meets the token of another.
    """
    families: list[dict[str, object]] = [
        {
            option: next(environ[name] for name in names if name.startswith(prefix) and environ.get(name))
            for option, names in ENVIRONMENT.items()
            if any(name.startswith(prefix) and environ.get(name) for name in names)
        }
        for prefix in _FAMILIES
    ]
    # Half a pair in one family and half in another are of two accounts, or left over.
    pair = next((family for family in families if "access_key" in family and "secret_key" in family), None)
    level: dict[str, object] = {}
    for family in families:
        if pair is not None and family is not pair:
            family = _level_without(family, _KEY_OPTIONS)
        level = _fill_from_lower_level(level, family)
    return level


def merge_levels(*levels: Mapping[str, object]) -> dict[str, object]:
    """Return the general options and the fields of one method; ``levels`` come highest first.

    The highest level that names a method decides it, and lower levels fill what it lacks. Two options are not
    filled from below: the project, once it is named by ID or by name, and the security token, once the key pair is
    complete, because it belongs to that pair. A result can be merged with further, lower levels.
    """
    merged: dict[str, object] = {}
    for level in levels:
        lower = options_given(level)
        # Fields of another method below it are no part of this one: a token in the environment is not for this key.
        method = login_method_of_options(merged) or login_method_of_options(lower)
        merged = _fill_from_lower_level(merged, lower)
        if method is not None:
            merged = {option: merged[option] for option in merged if option in _GENERAL + _FIELDS[method]}
    refuse_endless_numbers(merged)
    return merged


def refuse_endless_numbers(options: Mapping[str, object]) -> None:
    """Raise InputError for a number that neither a float nor text has room for: Python's own error is no sentence."""
    for option, value in options.items():
        if is_endless(value):
            # Without the number: as a password it would be a secret.
            raise InputError(f"{shown_name(str(option))} is a number of more than 300 digits, which no option takes.")


def options_given(level: Mapping[str, object]) -> dict[str, object]:
    return {
        option: value for option, value in level.items() if option in CONNECTION_OPTIONS and value not in (None, "")
    }


def login_method_of_options(level: Mapping[str, object]) -> str | None:
    return next((method for method, names in _NAMED_BY.items() if any(name in level for name in names)), None)


def _level_without(level: Mapping[str, object], options: Iterable[str]) -> dict[str, object]:
    return {option: value for option, value in level.items() if option not in options}


def _fill_from_lower_level(higher: Mapping[str, object], lower: Mapping[str, object]) -> dict[str, object]:
    settled: tuple[str, ...] = ()
    if "project_id" in higher or "project_name" in higher:
        settled += ("project_id", "project_name")
    if "access_key" in higher and "secret_key" in higher:
        settled += ("security_token",)
    return {**_level_without(lower, settled), **higher}


def require_complete_options(method: str, given: Mapping[str, object], where: str) -> None:
    lacking = [option for option in _REQUIRED[method] if option not in given]
    if method == "password" and "project_id" not in given and "project_name" not in given:
        lacking.append("project_name")
    if lacking:
        named = next(option for option in _NAMED_BY[method] if option in given)
        raise InputError(
            f"{named} is given, but not {' and '.join(lacking)}: set {'it' if len(lacking) == 1 else 'them'} "
            f"{where_to_set(where, *lacking)}."
        )


def where_to_set(where: str, *options: str) -> str:
    environment = "; ".join(f"{option}: {' or '.join(ENVIRONMENT[option])}" for option in options)
    return (
        "by option, by variable modelarts_<option> (not in a plain module), or in the environment of "
        f"{where} ({environment})"
    )
