# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between here and the answer: proxies, certificates, files, and servers that speak something else."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import typing as t
from collections.abc import Iterator
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
from ansible_collections.poolgate.modelarts.tests.unit.faults.servers import certificate as certified
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

POOL = "pool-train-0123456789abcdef0123456789abcdef"
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
TOKEN = {"auth_token": "tok-SECRET-1"}
PASSWORD = {
    "auth_url": "https://iam.example.com",
    "username": "mara",
    "password": "pw-SECRET-2",
    "domain_name": "acme",
    "project_name": "eu-de_ml",
}
LOGINS = {"token": {**PLACE, **TOKEN}, "password": PASSWORD}
CLASSES = ("Error", "Exception", "HTTPSConnection", "urllib3", "[SSL", "_ssl")
Start = t.Callable[..., ScriptedServer]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def failure(options: dict[str, t.Any], **more: t.Any) -> ModelArtsError:
    """What comes of reading jobs, or of the login before it."""
    given = {"max_retries": 0, "timeout": 5, **options, **more}
    with pytest.raises(ModelArtsError) as raised, Client(connect(given, where="host-7")) as client:
        client.list_workloads_page(POOL, [])
    message = raised.value.message
    assert "SECRET" not in message
    assert message.isprintable()
    assert message.endswith(".")
    assert not any(name in message for name in CLASSES), message
    return raised.value


class Peer:
    """A server that reads a bit of what comes, answers with the same bytes each time, and closes."""

    def __init__(self, answer: bytes, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.heard.append(connection.recv(65536))
            connection.sendall(self._answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def stop(self) -> None:
        self._socket.close()


@pytest.fixture
def peer() -> Iterator[t.Callable[..., Peer]]:
    peers: list[Peer] = []

    def start(answer: bytes, tls: ssl.SSLContext | None = None) -> Peer:
        peers.append(Peer(answer, tls))
        return peers[-1]

    yield start
    for one in peers:
        one.stop()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


# Proxies


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
    assert message.startswith("https_proxy on host-7 is no URL of a proxy like http://host:port. ")
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
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants another user and password (407)", False),
        (b"HTTP/1.1 403 Forbidden by SECRET\r\n\r\n", "does not let it through to https://", False),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "does not let it through to https://", True),
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


# Files that variables and options name


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "ca_path"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "a file that does not exist"),
        ("", "a file without a certificate"),
        ("-----BEGIN CERTIFICATE-----\nSECRET\n-----END CERTIFICATE-----\n", "a file without a certificate"),
        ("folder", "a folder without certificates"),
    ],
    ids=["missing", "empty", "damaged", "folder"],
)
def test_authorities_that_cannot_be_used_are_named_by_variable_and_file(
    login: str, variable: str, content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content == "folder":
        path.mkdir()
        (path / "ca.pem").write_text("x", encoding="utf-8")
    elif content is not None:
        path.write_text(content, encoding="utf-8")
    options = dict(LOGINS[login])
    if variable == "ca_path":
        options["ca_path"] = str(path)
    else:
        monkeypatch.setenv(variable, str(path))
    error = failure(options)
    assert isinstance(error, InputError)
    assert error.message.startswith(variable)
    assert said in error.message
    assert "/ca.pem" in error.message


@pytest.mark.parametrize("login", LOGINS)
def test_a_key_log_that_cannot_be_written_is_named(
    login: str, certificate: Path, peer: t.Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A brother of REQUESTS_CA_BUNDLE: urllib3 opens the file of SSLKEYLOGFILE."""
    monkeypatch.setenv("SSLKEYLOGFILE", "/no/such/folder/keys")
    url = f"https://127.0.0.1:{peer(b'').port}"
    error = failure({**LOGINS[login], "endpoint": url, "auth_url": url})
    assert isinstance(error, InputError)
    assert error.message == (
        "SSLKEYLOGFILE on host-7 names '/no/such/folder/keys', which cannot be used: No such file or directory."
    )


# TLS


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
        ("localhost", (-2, -1), True, "It has to be renewed there, or this host's clock is wrong."),
        ("localhost", (1, 2), True, "It has to be renewed there, or this host's clock is wrong."),
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
    assert "the server does not speak TLS on this port, as one for http does. Check " in error.message
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


# Answers that are not what they claim


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (gzip.compress(b'{"items": []}'), {}, "it is packed by gzip, and its header does not say so"),
        ('{"items": []}'.encode("utf-16"), {}, "it is text in UTF-16 or UTF-32, not in UTF-8"),
        ('{"items": []}'.encode("utf-16-le"), {}, "it is text in UTF-16 or UTF-32, not in UTF-8"),
        ('{"items": []}'.encode("utf-32"), {}, "it is text in UTF-16 or UTF-32, not in UTF-8"),
        (
            '{"items": ["ü"]}'.encode("latin-1"),
            {"Content-Type": "application/json; charset=ISO-8859-1"},
            "it is text in ISO-8859-1, not in UTF-8",
        ),
        (b'{"items": ["\xff"]}', {}, "it is not text in UTF-8"),
        (b"\x1b\x02\x80\xff", {"Content-Encoding": "x-own"}, "it is packed by x-own, which was not asked for"),
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
    assert "the answer is packed in another way than its header says" in error.message
    assert not error.transient


def test_text_that_breaks_off_within_a_character_may_come_whole_the_next_time(script: Start) -> None:
    server = script(Reply(200, '{"items": ["ü'.encode()[:-1]))
    assert failure({**PLACE, **TOKEN, "endpoint": server.url}).transient


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"PRI * HTTP/2.0\r\n\r\n", b"\x00\x00\x12\x04\x00\x00"])
def test_another_protocol_is_not_repeated_on_the_screen(login: str, answer: bytes, peer: t.Callable[..., Peer]) -> None:
    url = f"http://127.0.0.1:{peer(answer).port}"
    error = failure({**LOGINS[login], "endpoint": url, "auth_url": url})
    assert "what came is no answer in HTTP/1.1" in error.message
    assert "SSH" not in error.message
    assert not error.transient


# Bounds


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


# IAM


@pytest.mark.parametrize("nested", ["[" * 5000 + "]" * 5000, '{"token":' * 5000 + "1" + "}" * 5000])
@pytest.mark.parametrize("options", [PASSWORD, {**TOKEN, "project_name": "x", "endpoint": "http://localhost:1"}])
def test_an_answer_of_iam_that_is_nested_without_end(options: dict[str, t.Any], nested: str, script: Start) -> None:
    server = script(Reply(200, nested, {"X-Subject-Token": "tok-SECRET-4"}))
    assert isinstance(failure({**options, "auth_url": server.url}), ModelArtsError)
