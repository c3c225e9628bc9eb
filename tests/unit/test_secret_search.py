# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for secrets finds them. It is made over all that the checks print, see tests/run.py."""

from __future__ import annotations

import base64
import http.client
import json
from urllib.parse import quote, urlsplit

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.tests.secret_search import emulated_secrets, found_in, found_in_output

SECRETS = emulated_secrets()


def test_what_counts_as_a_secret_of_the_emulator() -> None:
    tokens = {"security_token", "auth_token", "an issued token"}
    assert set(SECRETS) == {"password", "secret_key", "temporary_secret_key", *tokens}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_every_secret_is_found_in_every_spelling(name: str, before: str) -> None:
    secret = SECRETS[name] + "rest"
    coded = base64.b64encode(f"{before}{secret}, and more".encode()).decode()
    for text in (secret, quote(secret), json.dumps(secret), repr(secret), coded):
        assert found_in_output(f"fatal: [localhost]: {before} {text}.")


def test_a_secret_that_has_to_be_quoted() -> None:
    secret = "Pa55%w/rd+\"quoted\"&'single'\\back=slash"
    for text in (secret, quote(secret, safe=""), json.dumps(secret), repr(secret)):
        assert found_in(f"said: {text}", {"password": secret})


def test_an_issued_token_and_a_signature() -> None:
    with Emulator("demo") as emulator:
        mine = emulator.credentials
        place = urlsplit(emulator.iam_url)
        domain = {"name": mine.domain_name}
        user = {"name": mine.username, "password": mine.password, "domain": domain}
        scope = {"project": {"id": mine.project_id}}
        login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        connection = http.client.HTTPConnection(place.netloc, timeout=10)
        connection.request("POST", f"{place.path}/auth/tokens", json.dumps(login), {"Content-Type": "application/json"})
        token = connection.getresponse().getheader("X-Subject-Token")
        connection.close()
    assert found_in_output(f"X-Auth-Token: {token}") == ["an issued token as it is"]
    assert found_in_output(f"Authorization: SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature={'0f' * 32}")


def test_nothing_is_found_where_nothing_is() -> None:
    assert found_in_output("ok: [localhost] => password: ********, an emulated token, Signature=********") == []
