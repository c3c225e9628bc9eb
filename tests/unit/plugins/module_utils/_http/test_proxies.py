# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies that cannot be used, or are at fault."""

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.tests.unit.cloud.faulty import PASSWORD, Peer, failure
from ansible_collections.poolgate.modelarts.tests.unit.faults.servers import certificate as certified

PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
TOKEN = {"auth_token": "tok-SECRET-1"}
LOGINS = {"token": {**PLACE, **TOKEN}, "password": PASSWORD}


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("https_proxy", "http://svc:SECRET7/x@127.0.0.1:3128"),
        ("https_proxy", "http://svc:12345/SECRET@127.0.0.1:3128"),
        ("HTTPS_PROXY", "http://svc:SECRET?x@127.0.0.1:3128"),
        ("all_proxy", "http://svc:SECRET#x@127.0.0.1:3128"),
        ("ALL_PROXY", "http://svc:SECRET[x@127.0.0.1:3128"),
        ("https_proxy", "http://svc:SECRET]x@127.0.0.1:3128"),
        ("https_proxy", "http://svc:SECRET@proxy.example.com:port"),
        ("https_proxy", "http://svc:SECRET@proxy.example.com:70000"),
        ("https_proxy", "svc:SECRET/x@proxy.example.com:3128"),
        ("https_proxy", "http://svc:SEC RET@proxy.example.com:3128"),
        ("https_proxy", "http://svc:SECRET@"),
        ("https_proxy", "http://svc:SECRET\\x@proxy.example.com"),
        ("https_proxy", "http://svc:SECRET%C5%82@proxy.example.com:3128"),
        ("https_proxy", "http://svc:SECRETł@proxy.example.com:3128"),
        ("https_proxy", "socks5://svc:SECRET@proxy.example.com:1080"),
        ("https_proxy", "file:///SECRET"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    login: str, variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url)
    error = failure(LOGINS[login])
    assert isinstance(error, InputError)
    assert not error.transient
    assert error.message.startswith(f"{variable} on host-7 ")
    assert "svc" not in error.message
    assert "example.com" not in error.message


def test_the_lower_case_variable_is_the_one_that_counts_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://svc:SECRET/x@127.0.0.1:3128")
    message = failure(LOGINS["token"]).message
    assert message.startswith("https_proxy on host-7 is not the URL of a proxy, like http://host:port. ")
    assert "percent-encode" in message


def test_a_proxy_that_is_passed_by_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://svc:SECRET/x@127.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    port = closed_port()
    message = failure({**PLACE, **TOKEN, "endpoint": f"https://127.0.0.1:{port}"}).message
    assert f"cannot reach https://127.0.0.1:{port} (Connection refused)" in message


@pytest.mark.parametrize("url", ["http://svc:p%2Fw%40%C3%BC@{}", "{}", "http://{}/", "http://a@b:c@{}"])
def test_a_proxy_with_what_is_encoded_is_used(
    url: str, peer: t.Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = peer(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
    monkeypatch.setenv("https_proxy", url.format(f"127.0.0.1:{proxy.port}"))
    error = failure(LOGINS["token"])
    assert error.transient
    assert proxy.heard[0].startswith(b"CONNECT modelarts.example.com:443 ")
    assert b"SECRET" not in b"".join(proxy.heard)


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    ("answer", "said", "transient"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "requires another user and password (407)", False),
        (b"HTTP/1.1 403 Forbidden by SECRET\r\n\r\n", "does not allow connections to https://", False),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "does not allow connections to https://", True),
        (b"SSH-2.0-OpenSSH_9\r\n", "names. ", False),
        (b"", "names. ", True),
    ],
    ids=["407", "403", "503", "another protocol", "nothing"],
)
def test_a_proxy_that_refuses_is_at_fault(
    login: str,
    answer: bytes,
    said: str,
    transient: bool,
    peer: t.Callable[..., Peer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", f"http://svc:SECRET@127.0.0.1:{peer(answer).port}")
    error = failure(LOGINS[login])
    assert f"the proxy that https_proxy names {said}".removesuffix(" names. ") in error.message
    assert "certificate" not in error.message
    assert error.transient is transient


def test_a_proxy_that_is_not_there_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port()}")
    error = failure(LOGINS["token"])
    assert "the proxy that ALL_PROXY names cannot be reached (Connection refused)" in error.message
    assert error.transient


def test_a_proxy_with_https_that_speaks_http_is_at_fault(
    peer: t.Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    monkeypatch.setenv("https_proxy", f"https://svc:SECRET@127.0.0.1:{proxy.port}")
    error = failure(LOGINS["token"])
    assert "the proxy that https_proxy names does not speak TLS. Write http:// in https_proxy." in error.message
    assert not error.transient


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certified(tmp_path / "server.pem", "localhost")
