# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that variables and options name."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.tests.unit.cloud.faulty import PASSWORD, Peer, failure
from ansible_collections.poolgate.modelarts.tests.unit.faults.servers import certificate as certified

PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
TOKEN = {"auth_token": "tok-SECRET-1"}
LOGINS = {"token": {**PLACE, **TOKEN}, "password": PASSWORD}


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


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certified(tmp_path / "server.pem", "localhost")
