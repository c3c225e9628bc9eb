# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For every failure a sentence that says who is at fault."""

from __future__ import annotations

import gzip
import ssl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.faulty import PASSWORD, Peer, failure
from ansible_collections.poolgate.modelarts.tests.unit.faults.servers import certificate as certified
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
TOKEN = {"auth_token": "tok-SECRET-1"}
LOGINS = {"token": {**PLACE, **TOKEN}, "password": PASSWORD}
Start = t.Callable[..., ScriptedServer]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certified(tmp_path / "server.pem", "localhost")


def context(certificate: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    return tls


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    ("name", "hours", "is_trusted", "said"),
    [
        ("localhost", (-1, 1), False, "Set ca_path to the authority that signed it."),
        ("other.example.com", (-1, 1), True, " to a name that the certificate has."),
        ("localhost", (-2, -1), True, "Renew it on the server, or correct this host's clock."),
        ("localhost", (1, 2), True, "Renew it on the server, or correct this host's clock."),
    ],
    ids=["unknown authority", "another name", "expired", "not yet valid"],
)
def test_a_certificate_that_is_not_accepted_says_what_to_do(
    login: str,
    name: str,
    hours: tuple[int, int],
    is_trusted: bool,
    said: str,
    peer: t.Callable[..., Peer],
    tmp_path: Path,
) -> None:
    starts, ends = hours
    own = certified(tmp_path / "own.pem", name, ends, starts)
    url = f"https://localhost:{peer(b'', context(own)).port}"
    trusted = {"ca_path": str(own)} if is_trusted else {}
    error = failure({**LOGINS[login], "endpoint": url, "auth_url": url, **trusted})
    assert "the server's certificate was not accepted (certificate verify failed: " in error.message
    assert error.message.endswith(said)
    assert not error.transient


@pytest.mark.parametrize("login", LOGINS)
def test_https_on_a_server_for_http_is_not_a_matter_of_certificates(login: str, script: Start) -> None:
    url = script(Reply(body={})).url.replace("http:", "https:")
    error = failure({**LOGINS[login], "endpoint": url, "auth_url": url})
    assert "the server does not speak TLS on this port, as if it were a port for http. Check " in error.message
    assert not error.transient


def test_http_on_a_server_for_https(peer: t.Callable[..., Peer]) -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x16"
    error = failure({**PLACE, **TOKEN, "endpoint": f"http://127.0.0.1:{peer(alert).port}"})
    assert "the server speaks TLS on this port. Write https in endpoint." in error.message


def test_a_server_that_ends_the_handshake_may_be_back(peer: t.Callable[..., Peer]) -> None:
    error = failure({**PLACE, **TOKEN, "endpoint": f"https://127.0.0.1:{peer(b'').port}"})
    assert isinstance(error, TransportError)
    assert error.transient


@pytest.mark.parametrize("login", LOGINS)
def test_a_name_that_is_not_known(login: str) -> None:
    url = "https://no-such-host.invalid"
    error = failure({**LOGINS[login], "endpoint": url, "auth_url": url})
    assert error.transient
    assert url in error.message


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (gzip.compress(b'{"items": []}'), {}, "it is compressed with gzip, but its header does not say so"),
        ('{"items": []}'.encode("utf-16"), {}, "it is text in UTF-16 or UTF-32, not in UTF-8"),
        ('{"items": []}'.encode("utf-16-le"), {}, "it is text in UTF-16 or UTF-32, not in UTF-8"),
        ('{"items": []}'.encode("utf-32"), {}, "it is text in UTF-16 or UTF-32, not in UTF-8"),
        (
            '{"items": ["ü"]}'.encode("latin-1"),
            {"Content-Type": "application/json; charset=ISO-8859-1"},
            "it is text in ISO-8859-1, not in UTF-8",
        ),
        (b'{"items": ["\xff"]}', {}, "it is not text in UTF-8"),
        (b"\x1b\x02\x80\xff", {"Content-Encoding": "x-own"}, "it is compressed with x-own, which was not requested"),
    ],
    ids=["gzip", "UTF-16", "UTF-16 without mark", "UTF-32", "latin-1", "bytes", "packed otherwise"],
)
def test_a_body_that_is_no_text_is_told_in_words(
    status: int, body: bytes, headers: dict[str, str], said: str, script: Start
) -> None:
    server = script(Reply(status, body, headers))
    error = failure({**PLACE, **TOKEN, "endpoint": server.url})
    assert isinstance(error, ApiError)
    assert said in error.message
    assert error.message.isascii()
    assert not error.transient


def test_a_body_that_is_packed_in_another_way_than_it_says(script: Start) -> None:
    server = script(Reply(200, b'{"items": []}', {"Content-Encoding": "gzip"}))
    error = failure({**PLACE, **TOKEN, "endpoint": server.url})
    assert "the answer is not compressed as its header says" in error.message
    assert not error.transient


def test_text_that_breaks_off_within_a_character_may_come_whole_the_next_time(script: Start) -> None:
    server = script(Reply(200, '{"items": ["ü'.encode()[:-1]))
    assert failure({**PLACE, **TOKEN, "endpoint": server.url}).transient


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"PRI * HTTP/2.0\r\n\r\n", b"\x00\x00\x12\x04\x00\x00"])
def test_another_protocol_is_not_repeated_on_the_screen(login: str, answer: bytes, peer: t.Callable[..., Peer]) -> None:
    url = f"http://127.0.0.1:{peer(answer).port}"
    error = failure({**LOGINS[login], "endpoint": url, "auth_url": url})
    assert "the answer is not HTTP/1.1" in error.message
    assert "SSH" not in error.message
    assert not error.transient


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("timeout", 1e18, "3600 at most"),
        ("timeout", 3600.5, "3600 at most"),
        ("connections", 99999999999, "from 1 to 100"),
        ("connections", 101, "from 1 to 100"),
        ("max_retries", 10**30, "from 0 to 1000"),
        ("max_retries", 1001, "from 0 to 1000"),
    ],
)
def test_numbers_have_bounds_that_the_sentence_names(option: str, value: float, said: str) -> None:
    with pytest.raises(InputError) as raised:
        connect({**PLACE, **TOKEN, option: value}, where="host-7")
    assert raised.value.message.startswith(option)
    assert said in raised.value.message


def test_the_bounds_themselves_can_be_given() -> None:
    given = {**PLACE, **TOKEN, "timeout": 3600, "connections": 100, "max_retries": 1000}
    with Client(connect(given, where="host-7")):
        pass


@pytest.mark.parametrize("nested", ["[" * 5000 + "]" * 5000, '{"token":' * 5000 + "1" + "}" * 5000])
@pytest.mark.parametrize("options", [PASSWORD, {**TOKEN, "project_name": "x", "endpoint": "http://localhost:1"}])
def test_an_answer_of_iam_that_is_nested_without_end(options: dict[str, t.Any], nested: str, script: Start) -> None:
    server = script(Reply(200, nested, {"X-Subject-Token": "tok-SECRET-4"}))
    assert isinstance(failure({**options, "auth_url": server.url}), ModelArtsError)
