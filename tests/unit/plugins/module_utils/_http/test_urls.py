# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs as they are signed and sent."""

from __future__ import annotations

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import (
    canonical_url_path,
    canonical_url_query,
    host_header_of_url,
)


def test_query_is_sorted_and_quoted_as_it_is_sent() -> None:
    query = [("type", "train"), ("status", "a b"), ("type", "infer"), ("ascend", True), ("~k", "ü/*"), ("none", "")]
    assert canonical_url_query(query) == "ascend=true&none=&status=a%20b&type=infer&type=train&~k=%C3%BC%2F%2A"
    assert canonical_url_query([]) == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/"),
        ("/", "/"),
        ("/v2/p/pools", "/v2/p/pools/"),
        ("/v2/p/pools/", "/v2/p/pools/"),
        ("/a%20b/~c*", "/a%20b/~c%2A/"),
        ("/ü", "/%C3%BC/"),
    ],
)
def test_path_is_quoted_once_and_closed(path: str, expected: str) -> None:
    assert canonical_url_path(path) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host/x", "host"),
        ("https://host:443/", "host"),
        ("http://host:80/", "host"),
        ("https://host:80/", "host:80"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("https://user:pass@HOST/", "host"),
    ],
)
def test_host_is_the_one_that_http_sends(url: str, expected: str) -> None:
    assert host_header_of_url(url) == expected
