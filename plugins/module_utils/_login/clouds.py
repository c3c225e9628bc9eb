# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of clouds.yaml, from the places where openstacksdk looks for the file.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from urllib.parse import urlsplit

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.authorities import unusable_authorities
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import missing_library
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import check_url, is_private_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import check_secret_option
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.iam import versioned_iam_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import where_to_set
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import listed, shown, shown_name

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import CheckedOptions
    from keystoneauth1.identity.base import BaseIdentityPlugin

# Keys of an auth section, in the names that the plugins of keystoneauth1 have for them.
_SECRET = re.compile(".*(password|token|secret)")
_PASSING = re.compile(".*code")  # good for one login; a passcode has six digits, as amounts and times can have
_ADDRESS = re.compile(".*(url|uri|endpoint)")
# These print an address for a browser, and wait for as long as the server says.
_WAIT_FOR_A_PERSON = ("v3oidcdeviceauthz", "v3websso")


class Cloud(t.NamedTuple):
    plugin: BaseIdentityPlugin
    settings: dict[str, object]
    secrets: tuple[str, ...]
    passing_secrets: tuple[str, ...]


def read_cloud(name: str, given: CheckedOptions, where: str) -> Cloud:
    """Return an entry of clouds.yaml, from the places where openstacksdk looks for the file.

    ``given`` are the options that stand above what the entry says.
    """
    region = given.get("region")
    # Only here: openstacksdk takes a second to import, and other ways to log in do without it.
    try:
        from keystoneauth1.identity.base import BaseIdentityPlugin as Identity
        from openstack.config import OpenStackConfig
        from openstack.exceptions import ConfigException
    except ImportError as failure:
        raise missing_library("openstacksdk", "the option cloud") from failure
    entry = f"The entry {shown_name(name)} of clouds.yaml on {where}"
    try:
        clouds = OpenStackConfig()
        if name not in clouds.get_cloud_names():
            # Without any entry, openstacksdk makes up one of this name.
            known = listed(sorted({*clouds.get_cloud_names()} - {"defaults"}))
            raise InputError(
                f"{entry} does not exist, or the file cannot be read: known are {known}. Set cloud, "
                f"{where_to_set(where, 'cloud')}."
            )
        # As it was written: openstacksdk merges profiles into what it returns.
        written = clouds.cloud_config["clouds"][name]
        if not isinstance(written, Mapping) or not isinstance(written.get("auth", {}), Mapping):
            raise InputError(f"{entry} has an auth that is not a mapping: write auth_url, username and so on below it.")
        if not isinstance(written.get("auth", {}).get("auth_url", ""), str):
            raise InputError(f"{entry} has an auth_url that is not a text: write one address.")
        _refuse_remote_cloud_profile(entry, written)
        try:
            config = clouds.get_one(cloud=name, region_name=region, validate=False).config
        except ConfigException:
            own = clouds.get_one(cloud=name, validate=False).region_name
            raise InputError(
                f"{entry} is for region {shown_name(str(own))}, not {shown_name(str(region))}: set another cloud or "
                f"region, {where_to_set(where, 'cloud', 'region')}."
            ) from None
        _check_auth_of_cloud(entry, config, config["auth"])
        # These two would ask IAM for its versions, and send credentials to the address in the answer.
        kind = {"password": "v3password", "token": "v3token"}.get(str(config.get("auth_type")), config.get("auth_type"))
        cloud = clouds.get_one(cloud=name, region_name=region, auth_type=kind)
        plugin = cloud.get_auth()
        verify, _cert = cloud.get_requests_verify_args()
    except ModelArtsError:
        raise
    # Libraries and plugins raise what they like here, and their texts may quote the file.
    except Exception as failure:
        raise InputError(f"{entry} cannot be used: {_reason_of_clouds_library(failure)}.") from None
    if not isinstance(plugin, Identity) or not plugin.auth_url:
        raise InputError(f"{entry} does not log in to an IAM: it needs an auth_url and an auth_type that has one.")
    # With /v3 the plugin asks this very address, and not the one that a discovery answer names.
    plugin.auth_url = versioned_iam_url(check_url(plugin.auth_url, f"{entry} has an auth_url that"))
    own_authorities = verify if isinstance(verify, str) and given.get("validate_certs", True) else None
    if own_authorities is not None and "ca_path" not in given:
        unusable = unusable_authorities(own_authorities)
        if unusable is not None:
            raise InputError(f"{entry} has a cacert that names {unusable}. Write a file with the authorities there.")
    settings = {
        "region": cloud.region_name,
        # The entry stands below the options: a task may be stricter or laxer than the file.
        "validate_certs": verify is not False,
        "ca_path": own_authorities,
    }
    auth = {str(key): str(value) for key, value in cloud.config["auth"].items()}
    lasting = {key: value for key, value in auth.items() if _SECRET.fullmatch(key)}
    for key, value in lasting.items():
        check_secret_option(value, f"{entry} has a {key} that", "in clouds.yaml or secure.yaml")
    passing = tuple(value for key, value in auth.items() if _PASSING.fullmatch(key))
    return Cloud(plugin, settings, tuple(lasting.values()), passing)


def _refuse_remote_cloud_profile(entry: str, written: Mapping[str, object]) -> None:
    """Raise InputError for a profile that openstacksdk would ask an address for, by itself.

    It takes ``auth_url`` from the answer, and asks without ca_path and without a time limit, also in clear text.
    """
    from openstack.config import vendors

    profile = written.get("profile", written.get("cloud"))
    # A profile that ships with openstacksdk may itself name another by an address. get_profile() looks up in its files
    # what has no host in it, and asks for the rest. A list of all names is there from 4.19 on only.
    if isinstance(profile, str) and not urlsplit(profile).netloc:
        profile = (vendors.get_profile(profile) or {}).get("profile")
    if isinstance(profile, str) and urlsplit(profile).netloc:
        raise InputError(
            f"{entry} has a profile that would be fetched from a URL: write auth_url and region_name into the entry."
        )


def _check_auth_of_cloud(entry: str, config: Mapping[str, object], auth: Mapping[str, object]) -> None:
    """Raise InputError for keys that keystoneauth1 does not explain, or would follow blindly."""
    for key in ("cacert", "cert", "key"):
        if config.get(key) is not None and not isinstance(config[key], str):
            raise InputError(f"{entry} has a {key} that is not a text: write the path of a file.")
    if {"ak", "sk", "access_key", "secret_key"} & auth.keys():
        raise InputError(
            f"{entry} has an access key in auth, which no auth_type takes: give the options access_key and secret_key "
            "instead of cloud."
        )
    if config.get("auth_type") in _WAIT_FOR_A_PERSON or "idp_otp_key" in auth:
        raise InputError(
            f"{entry} has a login that waits for a person: use an auth_type that needs none, or give the options "
            "access_key and secret_key instead of cloud."
        )
    methods = auth.get("auth_methods", config.get("auth_methods"))
    if isinstance(methods, str) or (methods is None and config.get("auth_type") == "v3multifactor"):
        raise InputError(f"{entry} needs a list as auth_methods in auth, like [v3password, v3totp].")
    by_name = config.get("auth_type") in (None, "password", "v3password", "v3totp") and "username" in auth
    if by_name and not {"user_domain_id", "user_domain_name", "user_id"} & auth.keys():
        raise InputError(f"{entry} has a username in auth, but no user_domain_name.")
    for key, url in auth.items():
        # auth_url is checked by itself; these are token and identity endpoints of further plugins.
        if _ADDRESS.fullmatch(str(key)) and key != "auth_url" and isinstance(url, str) and not is_private_url(url):
            raise InputError(
                f"{entry} has a {key} that must start with https: over http, credentials would be readable on the "
                "network."
            )


def _reason_of_clouds_library(failure: Exception) -> str:
    """Return what openstacksdk or keystoneauth1 misses.

    The text of the failure is never repeated, as it can quote a line of the file.
    """
    from keystoneauth1 import exceptions

    if isinstance(failure, exceptions.MissingRequiredOptions):
        return f"its auth lacks {' and '.join(option.dest for option in failure.options)}"
    if isinstance(failure, exceptions.NoMatchingPlugin):
        return f"the auth_type {shown(failure.name)} is not installed"
    unknown = re.search(r"unexpected keyword argument '(\w+)'", str(failure))
    if unknown is not None:
        return f"its auth_type takes no {unknown[1]} in auth"
    line = getattr(getattr(failure, "problem_mark", None), "line", None)
    if line is not None:
        return f"the file is not valid YAML at line {line + 1}"
    return "openstacksdk does not accept it; check that its auth section has the keys that its auth_type needs"
