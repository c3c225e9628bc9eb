# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SDK-HMAC-SHA256, the request signature of Open Telekom Cloud and Huawei Cloud.

This module util is private to the collection. Source: API Gateway, "AK/SK Signing and Authentication Guide".
"""

from __future__ import annotations

import hashlib
import hmac
import typing as t
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import (
    canonical_url_path,
    canonical_url_query,
    host_header_of_url,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "SDK-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
DATE_HEADER = "X-Sdk-Date"

# What a proxy on the way leaves as it is. A signed header that it changes would void the signature.
_SIGNED = frozenset({"host", "x-project-id", "x-security-token", "content-type"})


def sign(method: str, url: str, headers: Mapping[str, str], body: bytes, access_key: str, secret_key: str) -> str:
    """Return the value of the Authorization header.

    ``headers`` must hold X-Sdk-Date (``20191115T033655Z``); Host is taken from ``url`` when it is not among them.
    Only Host, X-Sdk-*, X-Project-Id, X-Security-Token and Content-Type are signed: proxies may change any other.
    """
    signed = {"host": host_header_of_url(url)}
    signed.update((name.lower(), value.strip()) for name, value in headers.items() if _is_signed_header(name.lower()))
    # The server sorts the names, too, and compares byte by byte.
    names = sorted(signed)
    parts = urlsplit(url)
    request = "\n".join(
        (
            method.upper(),
            canonical_url_path(parts.path),
            canonical_url_query(parse_qsl(parts.query, keep_blank_values=True)),
            *(f"{name}:{signed[name]}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        )
    )
    text = f"{ALGORITHM}\n{signed[DATE_HEADER.lower()]}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={';'.join(names)}, Signature={signature}"


def _is_signed_header(name: str) -> bool:
    return name in _SIGNED or name.startswith("x-sdk-")
