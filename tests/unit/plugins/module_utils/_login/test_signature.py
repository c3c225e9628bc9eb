# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature of requests, against the published vector and the official signer."""

from __future__ import annotations

import types
import typing as t
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
import requests
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import canonical_url_query
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.access_key import AccessKeyAuth
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.signature import sign
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import example, given, settings
from hypothesis import strategies as st

VECTOR_URL = (
    "https://service.region.example.com/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
    "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0"
)
VECTOR_HEADERS = {"content-type": "application/json", "X-Sdk-Date": "20191115T033655Z"}
VECTOR_KEYS = ("QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc")
VECTOR = (
    "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, "
    "Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
QUERY = st.dictionaries(TEXT, st.one_of(TEXT, st.booleans(), st.integers(), st.lists(TEXT, max_size=4)), max_size=5)
Query = dict[str, t.Any]


def pairs(query: Query) -> list[tuple[str, t.Any]]:
    return [(key, one) for key, value in query.items() for one in (value if isinstance(value, list) else [value])]


def official(
    method: str, host: str, path: str, query: Query, headers: t.Mapping[str, str], body: bytes, keys: tuple[str, str]
) -> SdkRequest:
    """The request as the vendor's signer leaves it."""
    request = SdkRequest(
        method=method,
        schema="https",
        host=host,
        resource_path=path,
        query_params=list(query.items()),
        header_params=dict(headers),
        body=body,
    )
    return Signer(types.SimpleNamespace(ak=keys[0], sk=keys[1])).sign(request)


def test_published_vector() -> None:
    assert sign("GET", VECTOR_URL, VECTOR_HEADERS, b"", *VECTOR_KEYS) == VECTOR


@pytest.mark.parametrize(
    "header", [{"User-Agent": "x"}, {"Accept": "*/*"}, {"Connection": "close"}, {"X-Request-Id": "1"}]
)
def test_headers_that_a_proxy_may_change_are_not_signed(header: dict[str, str]) -> None:
    assert sign("GET", VECTOR_URL, {**VECTOR_HEADERS, **header}, b"", *VECTOR_KEYS) == VECTOR


@pytest.mark.parametrize("name", ["X-Project-Id", "X-Security-Token", "X-Sdk-Content-Sha256", "Content-Type", "Host"])
def test_headers_that_matter_are_signed(name: str) -> None:
    value = sign("GET", VECTOR_URL, {"X-Sdk-Date": "20191115T033655Z", name: "x"}, b"", *VECTOR_KEYS)
    other = sign("GET", VECTOR_URL, {"X-Sdk-Date": "20191115T033655Z", name: "y"}, b"", *VECTOR_KEYS)
    assert name.lower() in value.split("SignedHeaders=")[1].split(",")[0].split(";")
    assert value != other


@settings(deadline=None)
@given(
    method=st.sampled_from(["GET", "post", "DELETE"]),
    path=st.lists(TEXT, max_size=4).map(lambda segments: "/" + "/".join(segments)),
    query=QUERY,
    headers=st.fixed_dictionaries(
        {}, optional={"Content-Type": st.just("application/json"), "X-Project-Id": VISIBLE, "X-Security-Token": VISIBLE}
    ),
    body=st.binary(max_size=30),
    keys=st.tuples(VISIBLE, VISIBLE),
)
@example(
    method="GET",
    path="/v2/p/pools/a/workloads",
    query={"type": ["train", "infer"], "ascend": True, "é": "ü", "a": "b+c d", "a-": ""},
    headers={},
    body=b"",
    keys=VECTOR_KEYS,
)
def test_signs_as_the_official_signer_does(
    method: str, path: str, query: Query, headers: dict[str, str], body: bytes, keys: tuple[str, str]
) -> None:
    headers = {**headers, "X-Sdk-Date": "20191115T033655Z"}
    theirs = official(method, "host.example.com:8443", quote(path), query, headers, body, keys)
    url = f"https://host.example.com:8443{quote(path)}?{canonical_url_query(pairs(query))}"
    assert sign(method, url, headers, body, *keys) == theirs.header_params["Authorization"]
    if "?" in theirs.uri:
        assert canonical_url_query(pairs(query)) == theirs.uri.partition("?")[2]


@settings(deadline=None)
@given(
    path=st.lists(TEXT, max_size=4).map(lambda segments: "/v2/" + "/".join(segments)),
    query=st.lists(st.tuples(TEXT, TEXT), max_size=6),
    project_id=st.none() | st.just("4f1d5a7c"),
    security_token=st.none() | VISIBLE,
)
def test_what_is_signed_is_what_is_sent(
    path: str, query: list[tuple[str, str]], project_id: str | None, security_token: str | None
) -> None:
    auth = AccessKeyAuth("AK", "SK", security_token, project_id)
    request = requests.Request(
        "GET", "https://host.example.com" + quote(path), params=query, auth=auth, headers={"User-Agent": "any"}
    ).prepare()
    sent = urlsplit(str(request.url))
    assert sent.query == canonical_url_query(query)
    assert parse_qsl(sent.query, keep_blank_values=True) == sorted(query)
    signed = {name: value for name, value in request.headers.items() if name not in ("User-Agent", "Authorization")}
    repeated: Query = {}
    for key, value in query:
        repeated.setdefault(key, []).append(value)
    theirs = official("GET", signed["Host"], unquote(sent.path), repeated, signed, b"", ("AK", "SK"))
    assert request.headers["Authorization"] == theirs.header_params["Authorization"]
    assert request.headers.get("X-Project-Id") == project_id
    assert request.headers.get("X-Security-Token") == security_token
