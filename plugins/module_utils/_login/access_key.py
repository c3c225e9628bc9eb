# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to log in with a key pair, which signs each request.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import deque
from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import (
    canonical_url_query,
    host_header_of_url,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.credentials import Credentials
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.signature import DATE_FORMAT, DATE_HEADER, sign

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    import requests


class AccessKeyAuth(Credentials):
    """Signs each request with a key pair. A refusal must not be repeated: five in a row lock the key."""

    def __init__(
        self, access_key: str, secret_key: str, security_token: str | None = None, project_id: str | None = None
    ) -> None:
        self.project_id = project_id
        self._access_key = access_key
        self._secret_key = secret_key
        self._security_token = security_token
        # Signatures of the requests under way, and of many more: a server may repeat one in an error.
        self._issued: deque[str] = deque(maxlen=100)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url))
        query = canonical_url_query(parse_qsl(parts.query, keep_blank_values=True))
        # The query goes out sorted and quoted as the signature has it, or the server would compute another one.
        request.url = urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
        headers = request.headers
        headers["Host"] = host_header_of_url(request.url)
        headers[DATE_HEADER] = datetime.now(timezone.utc).strftime(DATE_FORMAT)
        # An account may have several projects, and the signature alone names none.
        if self.project_id:
            headers["X-Project-Id"] = self.project_id
        # Before signing: of a temporary key the token is a part of the signature.
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

    def passing_secrets(self) -> Iterable[str]:
        """Return the signatures of the last requests."""
        return self._issued.copy()
