# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of clouds.yaml that cannot be used: the entry, its key, and what to write. And where secrets of one go."""

from __future__ import annotations

import json
import logging
import os
import typing as t
from base64 import b64encode
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen
from openstack.config import vendors

AUTH = {
    "auth_url": "https://iam.example.com",
    "username": "mara",
    "password": "pw-SECRET-1",
    "user_domain_name": "acme",
    "project_name": "eu-de_ml",
    "project_domain_name": "acme",
}
OIDC = {
    "auth_url": "https://iam.example.com",
    "username": "mara",
    "password": "pw-SECRET-1",
    "project_name": "eu-de_ml",
    "project_domain_name": "acme",
    "identity_provider": "idp",
    "protocol": "openid",
    "client_id": "gate",
    "client_secret": "cs-SECRET-2",
    "openid_scope": "openid",
}
CLIENT = {key: value for key, value in OIDC.items() if key not in ("username", "password")}
FEDERATED = [("v3oidcpassword", OIDC), ("v3oidcclientcredentials", CLIENT)]
Start = t.Callable[..., ScriptedServer]
Write = t.Callable[..., None]


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    file = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(content: object, **more: object) -> None:
        entry = {"auth": content, **more}
        file.write_text(content if isinstance(content, str) else json.dumps({"clouds": {"otc": entry}}))

    return write


def refusal(**options: t.Any) -> str:
    with pytest.raises(InputError) as raised:
        connect({"cloud": "otc", **options}, where="host-7")
    message = raised.value.message
    assert message.startswith("The entry otc of clouds.yaml on host-7 ")
    assert "SECRET" not in message
    assert not any(name in message for name in ("Exception", "Error", "MissingRequired", "NoMatching"))
    return message


@pytest.mark.parametrize(
    ("auth", "more", "said"),
    [
        (AUTH, {"cacert": "/no/such/ca.pem"}, "has a cacert that names a file that does not exist, '/no/such/ca.pem'"),
        (AUTH, {"cacert": ["/etc/ca.pem"]}, "has a cacert that is not a text: write the path of a file"),
        (AUTH, {"cert": {"SECRET": 1}}, "has a cert that is not a text: write the path of a file"),
        (AUTH, {"cacert": "/etc/hostname"}, "has a cacert that names a file without a certificate in PEM"),
        ({**AUTH, "ak": "AK1", "sk": "sk-SECRET-3"}, {}, "give the options access_key and secret_key"),
        (
            {"auth_url": AUTH["auth_url"], "access_key": "AK1", "secret_key": "sk-SECRET-3"},
            {},
            "give the options access",
        ),
        (AUTH, {"auth_type": "v3multifactor"}, "needs a list as auth_methods in auth"),
        (
            {**AUTH, "auth_methods": "v3password,v3totp"},
            {"auth_type": "v3multifactor"},
            "needs a list as auth_methods in auth, like [v3password, v3totp].",
        ),
        ({"password": "pw-SECRET-1"}, {}, "lacks auth_url"),
        ({**AUTH, "auth_url": ["https://iam.example.com"]}, {}, "has an auth_url that is not a text"),
        ({**AUTH, "auth_url": {"SECRET": 1}}, {}, "has an auth_url that is not a text"),
        (OIDC, {"auth_type": "v3oidcdeviceauthz"}, "has a login that waits for a person"),
        ({**OIDC, "idp_otp_key": "otp"}, {"auth_type": "v3oidcpassword"}, "has a login that waits for a person"),
        ({"username": "mara", "password": "pw-SECRET-1"}, {}, "has a username in auth, but no user_domain_name"),
        (
            {**OIDC, "access_token_endpoint": "https://idp.example.com", "user_domain_name": "acme"},
            {"auth_type": "v3oidcpassword"},
            "its auth_type takes no user_domain_name in auth",
        ),
        ({**AUTH, "password": None}, {"auth_type": "v3token"}, "cannot be used"),
        (AUTH, {"auth_type": "v3pasword"}, "the auth_type 'v3pasword' is not installed"),
        (["auth_url"], {}, "has an auth that is not a mapping"),
        ({**AUTH, "password": "train"}, {}, "has a password that is too short, a number, or a word of every answer"),
        ({**AUTH, "password": 12345}, {}, "has a password that is too short, a number, or a word of every answer"),
    ],
)
def test_what_is_wrong_is_told_by_entry_and_key(auth: object, more: dict[str, t.Any], said: str, clouds: Write) -> None:
    clouds(auth, **more)
    assert said in refusal()


def profiles_by_address() -> list[str]:
    """The profiles of this openstacksdk that name another one by an address, as those of two clouds do."""
    files = sorted(Path(vendors.__file__).parent.glob("*.json"))
    return [file.stem for file in files if "profile" in json.loads(file.read_text(encoding="utf-8"))["profile"]]


@pytest.mark.parametrize("key", ["profile", "cloud"])
@pytest.mark.parametrize(
    "address", ["{0}", "//{1}", "HTTP://{1}", "x://u:pw-SECRET-1@{1}/path", *profiles_by_address()]
)
def test_a_profile_that_is_asked_from_an_address_is_refused(
    key: str, address: str, script: Start, clouds: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openstacksdk would ask by itself, in clear text, too, and log in where the answer says."""
    asked: list[str] = []
    monkeypatch.setattr("requests.get", lambda url, **_options: asked.append(url))
    server = script(Reply(body={"name": "v", "profile": {"auth": {"auth_url": "https://elsewhere.example.com"}}}))
    auth = {name: value for name, value in AUTH.items() if name != "auth_url"}
    clouds(auth, **{key: address.format(server.url, server.url.removeprefix("http://"))})
    assert "has a profile that would be fetched from a URL: write auth_url and region_name into the entry" in refusal()
    assert asked == server.seen == []


def test_there_is_a_profile_by_address() -> None:
    assert "vexxhost" in profiles_by_address()


def test_a_profile_of_the_library_is_taken(clouds: Write) -> None:
    clouds({name: value for name, value in AUTH.items() if name != "auth_url"}, profile="otc", region_name="eu-de")
    assert connect({"cloud": "otc"}, where="host-7").region == "eu-de"


def test_a_file_that_is_no_yaml_is_not_repeated(clouds: Write) -> None:
    clouds("clouds:\n  otc:\n    auth:\n      password: SECRET: [\n")
    assert "cannot be" in refusal()


def test_a_cacert_that_is_not_used_is_not_looked_at(clouds: Write, tmp_path: Path) -> None:
    clouds(AUTH, cacert="/no/such/ca.pem")
    assert connect({"cloud": "otc", "validate_certs": False}, where="host-7").verify is False
    assert connect({"cloud": "otc", "ca_path": str(tmp_path)}, where="host-7").verify == str(tmp_path)


# Where secrets go


@pytest.mark.parametrize(("kind", "auth"), FEDERATED)
@pytest.mark.parametrize("key", ["access_token_endpoint", "discovery_endpoint"])
def test_a_token_endpoint_without_https_is_refused(kind: str, auth: dict[str, str], key: str, clouds: Write) -> None:
    clouds({**auth, key: "http://idp.example.com/token"}, auth_type=kind)
    assert f"has a {key} that must start with https" in refusal()


@pytest.mark.parametrize(("kind", "auth"), FEDERATED)
def test_a_token_endpoint_that_discovery_names_has_to_have_https(
    kind: str, auth: dict[str, str], clouds: Write, script: Start
) -> None:
    """The provider's discovery is loopback here, and names an address in clear text elsewhere."""
    discovery = script(Reply(body={"token_endpoint": "http://idp.example.com/token"}))
    clouds({**auth, "discovery_endpoint": f"{discovery.url}/.well-known"}, auth_type=kind)
    connection = connect({"cloud": "otc", "max_retries": 0}, where="host-7")
    with pytest.raises(InputError, match="http://idp.example.com is an address without https") as raised:
        connection.project()
    assert "SECRET" not in raised.value.message
    assert [seen.path for seen in discovery.seen] == ["/.well-known"]


def test_no_proxy_hears_a_token_endpoint_on_loopback(
    clouds: Write, script: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM is asked by https, where a proxy is fine; the token endpoint is not."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    proxy, provider = script(Reply(500, "")), script(Reply(body={"access_token": "at-SECRET-4"}))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    clouds({**OIDC, "access_token_endpoint": f"{provider.url}/token"}, auth_type="v3oidcpassword")
    with pytest.raises(ModelArtsError):
        connect({"cloud": "otc", "max_retries": 0}, where="host-7").project()
    assert [seen.path for seen in provider.seen] == ["/token"]
    assert {seen.method for seen in proxy.seen} <= {"CONNECT"}


def test_what_a_login_obtains_on_its_way_is_hidden(
    clouds: Write, script: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Each server repeats what it was sent: the token of the provider, and the one of IAM without a project."""
    caplog.set_level(logging.DEBUG)

    def repeat(seen: Seen) -> Reply:
        return Reply(401, {"error": {"message": f"bad {seen.headers['authorization']}"}})

    unscoped = Reply(201, {"token": {"methods": ["mapped"], "user": {}}}, {"X-Subject-Token": "unscoped-SECRET-6"})
    for answers in (
        [repeat],
        [Reply(body={"access_token": "at-SECRET-4"}), repeat],
        [
            Reply(body={"access_token": "at-SECRET-4"}),
            unscoped,
            Reply(401, {"error": {"message": "unscoped-SECRET-6 may not enter"}}),
        ],
    ):
        server = script(*answers)
        clouds(
            {**OIDC, "auth_url": server.url, "access_token_endpoint": f"{server.url}/token"}, auth_type="v3oidcpassword"
        )
        connection = connect({"cloud": "otc", "max_retries": 0}, where="host-7")
        with pytest.raises(ApiError, match=r"returned 401 .*\*{8}") as raised:
            connection.project()
        assert len(server.seen) == len(answers)
        assert "SECRET" not in str(raised.value.as_result())
        assert b64encode(b"gate:cs-SECRET-2").decode() not in str(raised.value.as_result())
    assert "SECRET" not in caplog.text


def test_an_error_of_a_token_endpoint_names_it(clouds: Write, script: Start) -> None:
    provider = script(Reply(401, {"error": "invalid_client", "error_description": "wrong secret"}))
    clouds({**OIDC, "access_token_endpoint": f"{provider.url}/token"}, auth_type="v3oidcpassword")
    with pytest.raises(ApiError, match=rf"^POST {provider.url}/token returned 401 .* on host-7\.$"):
        connect({"cloud": "otc", "max_retries": 0}, where="host-7").project()


def login(project: object) -> t.Callable[[Seen], Reply]:
    document = {
        "methods": ["password"],
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "user": {"id": "u1", "name": "mara", "domain": {"id": "d1", "name": "acme"}},
        "catalog": [],
        "project": {"id": project, "name": "x", "domain": {"id": "d1", "name": "acme"}},
    }
    return lambda seen: Reply(201, {"token": document}, {"X-Subject-Token": "issued-SECRET-5"})


@pytest.mark.parametrize("project", ["../../v3/users", "p1/pools", "p 1", "p?x=1", "p" * 65, {"a": 1}, 7, ""])
def test_a_project_that_is_none_does_not_reach_a_path(project: object, clouds: Write, script: Start) -> None:
    iam, modelarts = script(login(project)), script(Reply(body={"items": []}))
    clouds({**AUTH, "auth_url": iam.url})
    connection = connect({"cloud": "otc", "endpoint": modelarts.url, "max_retries": 0}, where="host-7")
    with Client(connection) as client, pytest.raises(ModelArtsError) as raised:
        client.list_pools()
    assert raised.value.from_iam or isinstance(raised.value, (ApiError, InputError))
    assert modelarts.seen == []


def test_a_passcode_is_hidden_and_stops_no_data_with_the_same_digits(clouds: Write, script: Start) -> None:
    iam = script(Reply(401, {"error": {"code": 401, "message": "passcode 574571 is wrong"}}))
    auth = {key: value for key, value in AUTH.items() if key != "password"}
    clouds({**auth, "auth_url": iam.url, "passcode": "574571"}, auth_type="v3totp")
    connection = connect({"cloud": "otc", "max_retries": 0}, where="host-7")
    with pytest.raises(ApiError, match=r"passcode \*{8} is wrong"):
        connection.project()
    facts = {"memory": 6574571520}
    assert connection.without_secrets(facts) == facts


def test_a_name_of_any_length_is_cut_in_a_sentence(clouds: Write) -> None:
    clouds(AUTH, region_name="r" * 100_000)
    assert len(refusal(region="eu-de")) < 1000
    with pytest.raises(InputError) as raised:
        connect({"cloud": "c" * 100_000}, where="host-7")
    assert len(raised.value.message) < 1000
