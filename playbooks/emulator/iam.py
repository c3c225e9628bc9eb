# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM (Keystone v3) and the gateway's authentication: who is asking, and for which project.

The signature check is written from the published description of SDK-HMAC-SHA256 alone. It must never share code with
what signs requests in this collection: it is the second opinion on it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
import typing as t
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from urllib.parse import quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
MAX_CLOCK_SKEW = 15 * 60
LOCK_AFTER_FAILURES = 5
LOCK_SECONDS = 5 * 60
TOKEN_PREFIX = "emulated-issued-token-"
TOKEN_SECONDS = 24 * 60 * 60


class RefusedError(Exception):
    """The request is answered with an error: ``status`` and a JSON ``body``."""

    def __init__(self, status: int, body: dict[str, t.Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def api_error(status: int, code: str, message: str) -> RefusedError:
    """Return an error in the shape that ModelArts and the gateway use."""
    return RefusedError(status, {"error_code": code, "error_msg": message})


def keystone_error(status: int, message: str) -> RefusedError:
    """Return an error in the shape that IAM uses."""
    titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
    return RefusedError(status, {"error": {"code": status, "message": message, "title": titles[status]}})


@dataclass
class Credentials:
    """Everything that a client can log in with. The values are made up and good for this emulator only."""

    project_id: str = "4f1d5a7c9b3e48d0a6c2e1f07b9d3c58"
    project_name: str = "eu-de_training"
    domain_name: str = "OTC-EU-DE-EMULATED"
    domain_id: str = "0b8e6d4c2a1f4e7d9c5b3a2f1e0d9c8b"
    username: str = "ml-team-a"
    password: str = "emulated-password"
    access_key: str = "EMULATEDACCESSKEY001"
    secret_key: str = "EmulatedSecretKeyForLoopbackOnly00000001"
    temporary_access_key: str = "EMULATEDTEMPORARY001"
    temporary_secret_key: str = "EmulatedTemporarySecretForLoopback000001"
    security_token: str = "emulated-security-token"
    auth_token: str = "emulated-static-token"

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Request:
    """A request as it was received. ``path`` and ``query`` are raw, header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Token:
    """``project_id`` is None for a token without a project; ``expires`` and ``uses`` are None without a bound."""

    project_id: str | None
    expires: float | None = None
    uses: int | None = None


@dataclass
class _Failures:
    count: int = 0
    locked_until: float = 0.0


class Iam:
    """Issues tokens and says which method and project a request was authenticated with."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        region: str = "eu-de",
        projects: t.Iterable[t.Mapping[str, str]] = (),
        token_seconds: float = TOKEN_SECONDS,
        token_uses: int | None = None,
        clock_offset: float = 0,
        now: t.Callable[[], float] = time.time,
    ) -> None:
        self.credentials = credentials
        self.region = region
        self.projects = {credentials.project_id: credentials.project_name}
        self.projects.update((project["id"], project["name"]) for project in projects)
        self.token_seconds = token_seconds
        self.token_uses = token_uses
        self._clock = now
        self._clock_offset = clock_offset
        self._failures: dict[str, _Failures] = {}
        self._tokens: dict[str, Token] = {}
        self._static = {credentials.auth_token}

    def now(self) -> float:
        """Return the time of IAM and the gateway, which a scenario can put off."""
        return self._clock() + self._clock_offset

    # Tokens

    def revoke_tokens(self, static: bool = False) -> None:
        """Every issued token is invalid from now on; with ``static``, the one of the scenario too."""
        self._tokens.clear()
        if static:
            self._static.clear()

    def issue_token(self, body: bytes, base_url: str, catalog: bool = True) -> tuple[str, dict[str, t.Any]]:
        """Answer ``POST /v3/auth/tokens``: the token, and the document that describes it."""
        try:
            auth = json.loads(body)["auth"]
            methods = auth["identity"]["methods"]
            user = auth["identity"]["password"]["user"] if methods == ["password"] else None
            scope = auth.get("scope") or {}
            project = scope.get("project") if isinstance(scope, dict) else None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise keystone_error(400, "The request body is invalid") from None
        if user is None:
            raise keystone_error(401, "Attempted to authenticate with an unsupported method.")
        if not isinstance(user, dict) or not self._is_user(user):
            raise keystone_error(401, "The username or password is wrong.")
        project_id = self._project_of_scope(project) if project else None
        now = self.now()
        token = TOKEN_PREFIX + secrets.token_urlsafe(48)
        self._tokens[token] = Token(project_id, now + self.token_seconds, self.token_uses)
        domain = self._domain()
        document: dict[str, t.Any] = {
            "methods": ["password"],
            "user": {"id": _made_up_id(self.credentials.username), "name": self.credentials.username, "domain": domain},
            "roles": [{"id": "0", "name": "te_admin"}],
            "issued_at": _iso(now),
            "expires_at": _iso(now + self.token_seconds),
        }
        if project_id:
            document["project"] = {"id": project_id, "name": self.projects[project_id], "domain": domain}
            if catalog:
                document["catalog"] = self._catalog(base_url, project_id)
        return token, {"token": document}

    def _is_user(self, user: dict[str, t.Any]) -> bool:
        mine = self.credentials
        if user.get("id") is not None:
            named = user["id"] == _made_up_id(mine.username)
        else:
            named = user.get("name") == mine.username and self._is_domain(user.get("domain"))
        return named and _same(str(user.get("password", "")), mine.password)

    def _is_domain(self, domain: object) -> bool:
        if not isinstance(domain, dict):
            return False
        return domain.get("name") == self.credentials.domain_name or domain.get("id") == self.credentials.domain_id

    def _project_of_scope(self, project: object) -> str:
        if isinstance(project, dict):
            if project.get("id") in self.projects:
                return str(project["id"])
            if "id" not in project and self._is_domain(project.get("domain")):
                for project_id, name in self.projects.items():
                    if name == project.get("name"):
                        return project_id
        raise keystone_error(401, "The project of the scope was not found.")

    def _domain(self) -> dict[str, str]:
        return {"id": self.credentials.domain_id, "name": self.credentials.domain_name}

    def _catalog(self, base_url: str, project_id: str) -> list[dict[str, t.Any]]:
        urls = {
            "modelarts": [f"{base_url}/v1/{project_id}", f"{base_url}/v2/{project_id}"],
            "identity": [f"{base_url}/v3"],
        }
        return [
            {
                "type": service,
                "name": service,
                "id": _made_up_id(service),
                "endpoints": [
                    {
                        "id": _made_up_id(url),
                        "interface": "public",
                        "region": self.region,
                        "region_id": self.region,
                        "url": url,
                    }
                    for url in service_urls
                ],
            }
            for service, service_urls in urls.items()
        ]

    # Other Keystone documents

    def list_projects(self, name: str | None, base_url: str) -> dict[str, t.Any]:
        """Answer ``GET /v3/projects``, with the filter ``name``."""
        return {
            "projects": [
                {
                    "id": project_id,
                    "name": project_name,
                    "domain_id": self.credentials.domain_id,
                    "parent_id": self.credentials.domain_id,
                    "is_domain": False,
                    "enabled": True,
                    "description": "",
                    "links": {"self": f"{base_url}/v3/projects/{project_id}"},
                }
                for project_id, project_name in self.projects.items()
                if name is None or name == project_name
            ],
            "links": {"self": f"{base_url}/v3/projects", "next": None, "previous": None},
        }

    @staticmethod
    def version_document(base_url: str) -> dict[str, t.Any]:
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{base_url}/v3/"}],
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
            ],
        }

    # Who is asking

    def authenticate(self, request: Request) -> tuple[str, str | None]:
        """Return (``token``, ``aksk`` or ``temporary aksk``, the project of a request). Raises RefusedError."""
        token = request.headers.get("x-auth-token")
        if token is not None:
            return "token", self._project_of_token(token)
        authorization = request.headers.get("authorization", "")
        if authorization.split(" ", 1)[0] == ALGORITHM:
            return self._project_of_signature(request, authorization)
        raise _bad_signature("x-auth-token not found")

    def _project_of_token(self, text: str) -> str | None:
        if text in self._static:
            return self.credentials.project_id
        token = self._tokens.get(text)
        if token is None or (token.expires is not None and token.expires <= self.now()) or token.uses == 0:
            raise api_error(401, "ModelArts.50001000", "token is invalid")
        if token.uses is not None:
            token.uses -= 1
        return token.project_id

    def _project_of_signature(self, request: Request, authorization: str) -> tuple[str, str]:
        parts = dict(part.strip().split("=", 1) for part in authorization[len(ALGORITHM) :].split(",") if "=" in part)
        access_key = parts.get("Access", "")
        failures = self._failures.setdefault(access_key, _Failures())
        now = self.now()
        if failures.locked_until > now:
            raise _bad_signature("the access key is locked after repeated failures")
        try:
            self._verify(request, access_key, parts)
        except RefusedError:
            failures.count += 1
            if failures.count > LOCK_AFTER_FAILURES:
                failures.locked_until, failures.count = now + LOCK_SECONDS, 0
            raise
        failures.count = 0
        temporary = access_key == self.credentials.temporary_access_key
        # Which error another project's ID in this header gives is a guess.
        project_id = request.headers.get("x-project-id", self.credentials.project_id)
        if project_id not in self.projects:
            raise api_error(403, "ModelArts.0206", "The project of X-Project-Id is not one of the access key's.")
        return "temporary aksk" if temporary else "aksk", project_id

    def _verify(self, request: Request, access_key: str, parts: dict[str, str]) -> None:
        mine = self.credentials
        signed = parts.get("SignedHeaders", "").split(";")
        if access_key == mine.access_key:
            secret_key = mine.secret_key
        elif access_key == mine.temporary_access_key:
            secret_key = mine.temporary_secret_key
            if not _same(request.headers.get("x-security-token", ""), mine.security_token):
                raise _bad_signature("verify securitytoken fail")
            if "x-security-token" not in signed:
                raise _bad_signature("the security token is not signed")
        else:
            raise _bad_signature("the access key does not exist")
        for name in ("host", "x-sdk-date"):
            if name not in signed:
                raise _bad_signature(f"{name} is not signed")
        for name in signed:
            if name not in request.headers:
                raise _bad_signature(f"signed header {name} is missing")
        try:
            date = datetime.strptime(request.headers["x-sdk-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        except ValueError:
            raise _bad_signature("x-sdk-date is not of the form YYYYMMDDThhmmssZ") from None
        if abs(date.timestamp() - self.now()) > MAX_CLOCK_SKEW:
            raise _bad_signature("x-sdk-date is more than 15 minutes off")
        if not _same(signature(request, signed, secret_key), parts.get("Signature", "")):
            raise _bad_signature("verify aksk signature fail")


def signature(request: Request, signed_headers: list[str], secret_key: str) -> str:
    """Return the signature that a request should carry, from the request as it was received."""
    digest = hashlib.sha256(canonical_request(request, signed_headers).encode()).hexdigest()
    to_sign = "\n".join((ALGORITHM, request.headers["x-sdk-date"], digest))
    return hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def canonical_request(request: Request, signed_headers: list[str]) -> str:
    """Method, path, query, headers, their names and the hash of the body, each in its canonical form."""
    path = "/".join(_quoted(unquote(segment)) for segment in request.path.split("/"))
    names = sorted(signed_headers)
    return "\n".join(
        (
            request.method,
            path if path.endswith("/") else path + "/",
            _canonical_query(request.query),
            "".join(f"{name}:{request.headers[name].strip()}\n" for name in names),
            ";".join(signed_headers),
            _body_hash(request),
        )
    )


def _canonical_query(query: str) -> str:
    # No "+" for a blank: a client that sends one has signed something else than it sent.
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    decoded = sorted((unquote(key), unquote(value)) for key, _equals, value in pairs)
    return "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in decoded)


def _body_hash(request: Request) -> str:
    if request.headers.get("x-sdk-content-sha256") == "UNSIGNED-PAYLOAD":
        return "UNSIGNED-PAYLOAD"
    return hashlib.sha256(request.body).hexdigest()


def _quoted(text: str) -> str:
    return quote(text, safe="~")


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _bad_signature(reason: str) -> RefusedError:
    # The code is documented; the reasons after the colon are a guess at the gateway's wording.
    return api_error(401, "APIG.0301", f"Incorrect IAM authentication information: {reason}")


def _made_up_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
