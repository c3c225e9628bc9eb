# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IAM that answers as it is told to, and what logs in to it."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import requests
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection

SECRETS = {
    "auth_token": "tok-S3CR3T-1",
    "secret_key": "sk-S3CR3T-2",
    "security_token": "st-S3CR3T-3",
    "password": 'pw "S3CR3T" 4/ü',
}
ISSUED = "issued-S3CR3T-5"
PASSWORD = {
    "auth_url": "https://iam.example.com",
    "username": "mara",
    "password": SECRETS["password"],
    "domain_name": "acme",
    "project_name": "eu-de_ml",
}


REFERENCE = {
    "auth_url": "OS_AUTH_URL HW_AUTH_URL",
    "username": "OS_USERNAME",
    "password": "OS_PASSWORD",
    "domain_name": "OS_USER_DOMAIN_NAME OS_DOMAIN_NAME HW_DOMAIN_NAME",
    "workspace_id": "MODELARTS_WORKSPACE_ID",
    "project_id": "MODELARTS_PROJECT_ID OS_PROJECT_ID HW_PROJECT_ID HUAWEICLOUD_SDK_PROJECT_ID",
    "project_name": "OS_PROJECT_NAME OS_TENANT_NAME HW_PROJECT_NAME",
    "region": "MODELARTS_REGION OS_REGION_NAME HW_REGION_NAME",
    "auth_token": "OS_TOKEN OS_AUTH_TOKEN",
    "access_key": "OS_ACCESS_KEY HW_ACCESS_KEY HUAWEICLOUD_SDK_AK",
    "secret_key": "OS_SECRET_KEY HW_SECRET_KEY HUAWEICLOUD_SDK_SK",
    "security_token": "OS_SECURITY_TOKEN HW_SECURITY_TOKEN HUAWEICLOUD_SDK_SECURITY_TOKEN",
    "cloud": "OS_CLOUD",
    "ca_path": "MODELARTS_CA_PATH OS_CACERT",
    "endpoint": "MODELARTS_ENDPOINT",
    "timeout": "MODELARTS_TIMEOUT",
    "max_retries": "MODELARTS_MAX_RETRIES",
    "connections": "MODELARTS_CONNECTIONS",
    "validate_certs": "MODELARTS_VALIDATE_CERTS",
}


class Seen(t.NamedTuple):
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: t.Any


Answer = tuple[int, dict[str, str], t.Any]


class ScriptedIam:
    """Takes one answer a request from ``answers``; the last is given for ever."""

    def __init__(self, *answers: Answer | t.Callable[[Seen], Answer], tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                parts = urlsplit(self.path)
                seen = Seen(
                    self.command,
                    parts.path,
                    parse_qsl(parts.query, keep_blank_values=True),
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
                with outer._lock:
                    outer.seen.append(seen)
                    answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                status, headers, document = answer(seen) if callable(answer) else answer
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _answer

            def log_message(self, *unused: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> ScriptedIam:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def projects(*found: tuple[str, str]) -> Answer:
    return 200, {}, {"links": {}, "projects": [{"id": one, "name": name} for one, name in found]}


def expiring(seconds: float) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def login(
    token: str = ISSUED, project: str | None = "p-scope", catalog: list[t.Any] | None = None, seconds: float = 86400
) -> Answer:
    document: dict[str, t.Any] = {
        "methods": ["password"],
        "expires_at": expiring(seconds),
        "issued_at": expiring(0),
        "user": {"id": "u1", "name": "mara", "domain": {"id": "d1", "name": "acme"}},
        "catalog": catalog or [],
    }
    if project:
        document["project"] = {"id": project, "name": "eu-de_ml", "domain": {"id": "d1", "name": "acme"}}
    return 201, {"X-Subject-Token": token}, {"token": document}


def listed(*urls: tuple[str, str], interface: str = "public", kind: str = "modelarts") -> dict[str, t.Any]:
    return {
        "type": kind,
        "name": kind,
        "id": "s",
        "endpoints": [
            {"id": url, "interface": interface, "region": region, "region_id": region, "url": url}
            for region, url in urls
        ],
    }


def leaked(text: str) -> list[str]:
    return [secret for secret in (*SECRETS.values(), "S3CR3T") if secret in text]


def prepared(
    connection: Connection, url: str = "https://modelarts.example.com/v2/p1/pools"
) -> requests.PreparedRequest:
    return requests.Request("GET", url, auth=connection.auth).prepare()


def entry(url: str, **more: object) -> dict[str, t.Any]:
    auth = {
        "auth_url": url,
        "username": "mara",
        "password": SECRETS["password"],
        "user_domain_name": "acme",
        "project_name": "eu-de_ml",
        "project_domain_name": "acme",
    }
    return {"auth": auth, **more}
