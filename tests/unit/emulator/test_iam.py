# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins and signatures, checked with clients that are not ours: keystoneauth1 and the official SDK."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.iam import (
    Credentials,
    Iam,
    RefusedError,
    Request,
    canonical_request,
    signature,
)

from .conftest import POOL, Caller, small_pool

Serve = t.Callable[..., Caller]
NOW = 1_573_788_955.0  # 20191115T033555Z, one minute before the published request was signed
VECTOR_KEY = "QTWAOYTTINDUT2QVKYUC"
VECTOR_SECRET = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
VECTOR_SIGNATURE = "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
VECTOR_PROJECT = "77b6a44cba5143ab91d13ab9a8ff44fd"
VECTOR_SIGNED = ["content-type", "host", "x-sdk-date"]


def published(signature_: str = VECTOR_SIGNATURE, **changes: t.Any) -> Request:
    """The published request, with changes."""
    headers = {
        "host": "service.region.example.com",
        "content-type": "application/json",
        "x-sdk-date": "20191115T033655Z",
        "authorization": (
            f"SDK-HMAC-SHA256 Access={VECTOR_KEY}, SignedHeaders={';'.join(VECTOR_SIGNED)}, Signature={signature_}"
        ),
    }
    headers.update(changes.pop("headers", {}))
    values = {
        "method": "GET",
        "path": f"/v1/{VECTOR_PROJECT}/vpcs",
        "query": "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        **changes,
    }
    return Request(headers=headers, **values)


def iam(now: float = NOW) -> Iam:
    return Iam(Credentials(project_id=VECTOR_PROJECT, access_key=VECTOR_KEY, secret_key=VECTOR_SECRET), now=lambda: now)


def test_the_published_signature() -> None:
    assert signature(published(), VECTOR_SIGNED, VECTOR_SECRET) == VECTOR_SIGNATURE
    assert iam().authenticate(published()) == ("aksk", VECTOR_PROJECT)


def test_canonical_form() -> None:
    request = Request("GET", "/v1/a%7eb/%E4%BD%A0/c d", "b=2&a=%7E&b=1&c&a=", {"host": " h ", "x-sdk-date": "d"})
    assert canonical_request(request, ["host", "x-sdk-date"]).splitlines()[:7] == [
        "GET",
        "/v1/a~b/%E4%BD%A0/c%20d/",
        "a=&a=~&b=1&b=2&c=",
        "host:h",
        "x-sdk-date:d",
        "",
        "host;x-sdk-date",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"query": "limit=3&marker=13551d6b-755d-4757-b956-536f674975c0"},
        {"query": "limit=2"},
        {"path": "/v1/other/vpcs"},
        {"method": "POST"},
        {"body": b"x"},
        {"headers": {"host": "another.example.com"}},
        {"headers": {"content-type": "text/plain"}},
        {"signature_": VECTOR_SIGNATURE[:-1] + "f"},
        {"signature_": ""},
        {"signature_": "\u00e9"},
    ],
)
def test_what_was_not_signed_is_refused(changes: dict[str, t.Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        iam().authenticate(published(**changes))
    assert (caught.value.status, caught.value.body["error_code"]) == (401, "APIG.0301")


def test_a_query_in_another_order_or_quoting_is_the_same_query() -> None:
    request = published(query="marker=13551d6b%2D755d-4757-b956-536f674975c0&limit=2")
    assert iam().authenticate(request)[0] == "aksk"


@pytest.mark.parametrize("missing", ["host", "x-sdk-date"])
def test_host_and_date_must_be_signed(missing: str) -> None:
    signed = [name for name in VECTOR_SIGNED if name != missing]
    text = f"SDK-HMAC-SHA256 Access={VECTOR_KEY}, SignedHeaders={';'.join(signed)}, Signature="
    request = published()
    request.headers["authorization"] = text + signature(request, signed, VECTOR_SECRET)
    with pytest.raises(RefusedError, match=f"{missing} is not signed"):
        iam().authenticate(request)


def test_a_security_token_must_be_signed() -> None:
    mine = Credentials()
    headers = {"x-security-token": mine.security_token}
    for signed, fine in ((VECTOR_SIGNED, False), ([*VECTOR_SIGNED, "x-security-token"], True)):
        request = published(headers=headers)
        request.headers["authorization"] = (
            f"SDK-HMAC-SHA256 Access={mine.temporary_access_key}, SignedHeaders={';'.join(signed)}, "
            f"Signature={signature(request, signed, mine.temporary_secret_key)}"
        )
        guard = Iam(mine, now=lambda: NOW)
        if fine:
            assert guard.authenticate(request) == ("temporary aksk", mine.project_id)
        else:
            with pytest.raises(RefusedError, match="security token is not signed"):
                guard.authenticate(request)


@pytest.mark.parametrize(("seconds", "fine"), [(899, True), (-899, True), (901, False), (-901, False)])
def test_clock_skew(seconds: int, fine: bool) -> None:
    signed_at = NOW + 60
    if fine:
        iam(signed_at + seconds).authenticate(published())
    else:
        with pytest.raises(RefusedError, match="15 minutes off"):
            iam(signed_at + seconds).authenticate(published())


def test_more_than_five_failures_in_a_row_lock_the_key_for_five_minutes() -> None:
    clock = [NOW]
    guard = Iam(
        Credentials(project_id=VECTOR_PROJECT, access_key=VECTOR_KEY, secret_key=VECTOR_SECRET), now=lambda: clock[0]
    )

    def fail(times: int) -> None:
        for _i in range(times):
            with pytest.raises(RefusedError, match="signature fail"):
                guard.authenticate(published("0" * 64))

    fail(5)
    guard.authenticate(published())
    fail(6)
    with pytest.raises(RefusedError, match="locked"):
        guard.authenticate(published())
    clock[0] += 299
    with pytest.raises(RefusedError, match="locked"):
        guard.authenticate(published())
    clock[0] += 2
    guard.authenticate(published())


def test_tokens(serve: Serve) -> None:
    caller = serve({"pools": [small_pool()]})
    path = f"/v2/{{project}}/pools/{POOL}"
    assert caller.send(path)[0].status == 200
    for headers, code in (
        ({"X-Auth-Token": "wrong"}, "ModelArts.50001000"),
        ({"X-Auth-Token": ""}, "ModelArts.50001000"),
        ({}, "APIG.0301"),
        ({"Authorization": "Bearer x"}, "APIG.0301"),
        ({"Authorization": "SDK-HMAC-SHA256"}, "APIG.0301"),
        ({"Authorization": "SDK-HMAC-SHA256 Access=nobody, SignedHeaders=, Signature="}, "APIG.0301"),
    ):
        response, document = caller.send(path, headers=headers)
        assert (response.status, document["error_code"]) == (401, code), headers


def login(caller: Caller, **changes: t.Any) -> tuple[t.Any, t.Any]:
    mine = caller.emulator.credentials
    user = {"name": mine.username, "password": mine.password, "domain": {"name": mine.domain_name}}
    user.update(changes.get("user", {}))
    identity = {"methods": ["password"], "password": {"user": user}, **changes.get("identity", {})}
    scope = changes.get("scope", {"project": {"id": mine.project_id}})
    body = {"auth": {"identity": identity, "scope": scope}}
    return caller.send("/v3/auth/tokens", method="POST", headers={}, body=changes.get("body", body))


def test_login(serve: Serve) -> None:
    caller = serve({"pools": [small_pool()]})
    mine, endpoint = caller.emulator.credentials, caller.emulator.endpoint
    by_name = {"project": {"name": mine.project_name, "domain": {"name": mine.domain_name}}}
    for changes in ({}, {"scope": by_name}):
        response, document = login(caller, **changes)
        assert response.status == 201
        assert document["token"]["project"]["id"] == mine.project_id
        urls = {
            service["type"]: [endpoint_["url"] for endpoint_ in service["endpoints"]]
            for service in document["token"]["catalog"]
        }
        assert urls == {
            "modelarts": [f"{endpoint}/v1/{mine.project_id}", f"{endpoint}/v2/{mine.project_id}"],
            "identity": [f"{endpoint}/v3"],
        }
        token = {"X-Auth-Token": response.getheader("X-Subject-Token")}
        assert caller.send(f"/v2/{{project}}/pools/{POOL}", headers=token)[0].status == 200
    caller.emulator.revoke_tokens()
    response, document = caller.send(f"/v2/{{project}}/pools/{POOL}", headers=token)
    assert (response.status, document["error_code"]) == (401, "ModelArts.50001000")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"user": {"password": "wrong"}}, 401),
        ({"user": {"name": "nobody"}}, 401),
        ({"user": {"domain": {"name": "elsewhere"}}}, 401),
        ({"user": {"domain": None}}, 401),
        ({"scope": {"project": {"id": "elsewhere"}}}, 401),
        ({"scope": {"project": {"name": "elsewhere", "domain": {"name": "OTC-EU-DE-EMULATED"}}}}, 401),
        ({"identity": {"methods": ["token"]}}, 401),
        ({"body": {"auth": {}}}, 400),
        ({"body": []}, 400),
        ({"body": None}, 400),
    ],
)
def test_failed_logins(serve: Serve, changes: dict[str, t.Any], status: int) -> None:
    response, document = login(serve({}), **changes)
    assert (response.status, document["error"]["code"]) == (status, status)


def test_a_token_of_another_project(serve: Serve) -> None:
    caller = serve({"pools": [small_pool()], "projects": [{"id": "other", "name": "eu-de_other"}]})
    response, _body = login(caller, scope={"project": {"id": "other"}})
    token = {"X-Auth-Token": response.getheader("X-Subject-Token")}
    response, document = caller.send(f"/v2/{{project}}/pools/{POOL}", headers=token)
    assert (response.status, document["error_code"]) == (403, "ModelArts.0206")
    assert caller.send(f"/v2/other/pools/{POOL}", headers=token)[0].status == 404
    assert caller.send("/v2/other/pools", headers=token)[1]["items"] == []


def test_tokens_that_wear_out(serve: Serve) -> None:
    caller = serve({"pools": [small_pool()], "iam": {"token_uses": 2}})
    response, _body = login(caller)
    token = {"X-Auth-Token": response.getheader("X-Subject-Token")}
    statuses = [caller.send(f"/v2/{{project}}/pools/{POOL}", headers=token)[0].status for _i in range(3)]
    assert statuses == [200, 200, 401]


def test_projects(serve: Serve) -> None:
    caller = serve({"projects": [{"id": "other", "name": "eu-de_other"}]})
    assert [project["id"] for project in caller.get("/v3/projects")["projects"]][1:] == ["other"]
    assert [project["id"] for project in caller.get("/v3/projects?name=eu-de_other")["projects"]] == ["other"]
    assert caller.get("/v3/projects?name=nothing")["projects"] == []
    assert caller.send("/v3/projects", headers={})[0].status == 401


def test_keystoneauth_logs_in_and_finds_the_service(serve: Serve) -> None:
    identity = pytest.importorskip("keystoneauth1.identity.v3")
    session_module = pytest.importorskip("keystoneauth1.session")
    exceptions = pytest.importorskip("keystoneauth1.exceptions")
    caller = serve({"pools": [small_pool()]})
    mine = caller.emulator.credentials
    options = {
        "auth_url": caller.emulator.iam_url,
        "username": mine.username,
        "password": mine.password,
        "user_domain_name": mine.domain_name,
    }
    for project in (
        {"project_id": mine.project_id},
        {"project_name": mine.project_name, "project_domain_name": mine.domain_name},
    ):
        session = session_module.Session(identity.Password(**options, **project))
        assert session.get_project_id() == mine.project_id
        assert session.get_endpoint(service_type="identity", interface="public") == caller.emulator.iam_url
        endpoint = session.get_endpoint(service_type="modelarts", interface="public", region_name="eu-de")
        assert endpoint.startswith(caller.emulator.endpoint)
        url = f"{caller.emulator.endpoint}/v2/{mine.project_id}/pools/{POOL}"
        assert session.get(url).json()["metadata"]["name"] == POOL
    wrong = session_module.Session(identity.Password(**{**options, "password": "wrong"}, project_id=mine.project_id))
    with pytest.raises(exceptions.Unauthorized):
        wrong.get_token()


def test_openstacksdk_connects(serve: Serve) -> None:
    openstack = pytest.importorskip("openstack")
    caller = serve({})
    mine = caller.emulator.credentials
    connection = openstack.connect(
        auth_url=caller.emulator.iam_url,
        username=mine.username,
        password=mine.password,
        user_domain_name=mine.domain_name,
        project_id=mine.project_id,
        region_name="eu-de",
        load_yaml_config=False,
        load_envvars=False,
    )
    assert connection.current_project_id == mine.project_id
    assert [project.name for project in connection.identity.projects()] == [mine.project_name]
