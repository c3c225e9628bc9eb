# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs: what they must look like, and which of them secrets can be sent to.

This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# Neither user nor query nor fragment: a password would be in each sentence that names the address.
_URL = re.compile(rf"(https?)://((?:{_LABEL}\.)*{_LABEL}|\[[0-9A-Fa-f:.]+\])(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?")


def check_url(text: str, subject: str) -> str:
    """Return the URL without a closing slash. The sentence of an error never repeats it: it may hold a password."""
    parts = _URL.fullmatch(text)
    if not parts or (parts[3] and int(parts[3][1:]) > 65535):
        raise InputError(f"{subject} must be a URL like https://host[:port], without user, query, fragment or blanks.")
    # http stays allowed on loopback, where emulators and tests listen.
    if parts[1] == "http" and not _is_loopback_url(parts[2].strip("[]")):
        raise InputError(f"{subject} must start with https: over http, credentials would be readable on the network.")
    return text.rstrip("/")


def unusable_urls(options: Mapping[str, object]) -> set[str]:
    """Return the addresses among the options that cannot be used.

    They may hold a password, and must not be repeated.
    """
    texts = [str(options[name]) for name in ("endpoint", "auth_url") if options.get(name)]
    return {text for text in texts if not _URL.fullmatch(text)}


def is_private_url(url: str) -> bool:
    """Return whether credentials can be sent to the URL: by https, or within this host."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback_url(parts.hostname or ""))


def _is_loopback_url(host: str) -> bool:
    # By its name alone: resolving others would ask DNS, whose answer may change before the request goes.
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Left out of Host, as clients do: the signature is checked over the Host that has come.
_DEFAULT_PORTS = {"http": 80, "https": 443}


def canonical_url_query(pairs: Iterable[tuple[str, str | bool | int]]) -> str:
    """Return the query as it is signed and as it must be sent: sorted, always ``k=v``, repeated keys kept.

    True and False become ``true`` and ``false``, as the API spells them.
    """
    texts = sorted((key, _url_query_text(value)) for key, value in pairs)
    return "&".join(f"{_quote_for_url(key)}={_quote_for_url(value)}" for key, value in texts)


def canonical_url_path(path: str) -> str:
    """Return the path as it is signed.

    Each segment is quoted once, and a slash closes it that the path sent need not have.
    """
    # Unquoted first: what is quoted already would be quoted twice, and void the signature.
    quoted = "/".join(_quote_for_url(segment) for segment in unquote(path).split("/"))
    return quoted if quoted.endswith("/") else f"{quoted}/"


def host_header_of_url(url: str) -> str:
    """Return the Host header of a request to ``url``.

    It has no user info, and not the port that the scheme implies.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    # The brackets of an IPv6 address, which urlsplit takes off.
    if ":" in host:
        host = f"[{host}]"
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _quote_for_url(text: str) -> str:
    return quote(text, safe="~")


def _url_query_text(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def origin_of_url(url: str) -> str:
    """Return ``https://host:port`` of a URL, without user and path."""
    return f"{url.partition(':')[0]}://{host_header_of_url(url)}"
