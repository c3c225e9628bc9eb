# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of AWX's REST API that the modules of awx.awx write to, in memory, and what AWX refuses.

No AWX runs in these tests. The rules follow awx/main/fields.py (credential types and what is put into them),
awx/main/utils/ansible.py (playbooks of a project) and awx/api/views (surveys) of AWX 24.6.
"""

from __future__ import annotations

import json
import re
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from awx_plugins.interfaces._temporary_private_inject_api import ENV_BLOCKLIST
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

Document = dict[str, t.Any]

TOKEN = "oauth-token-of-the-tests"
COLLECTIONS = {
    "credential_types": "credential_type",
    "credentials": "credential",
    "execution_environments": "execution_environment",
    "inventories": "inventory",
    "job_templates": "job_template",
    "organizations": "organization",
    "projects": "project",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_job_templates": "workflow_job_template",
}
PLAYBOOK = re.compile(r"^\s*-?\s*(hosts|(ansible\.builtin\.)?(include|import_playbook)):", re.MULTILINE)
NAME = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*")
FIELD_KEYS = {"id", "label", "type", "choices", "help_text", "multiline", "secret", "ask_at_runtime", "default"}
SURVEY_TYPES = {**dict.fromkeys(("text", "textarea", "password", "multiplechoice", "multiselect"), str), "integer": int}


class RefusedError(Exception):
    """What AWX answers with 400."""


class Controller:
    """AWX's API on a port of this machine. A context manager: inside, ``url`` answers.

    ``project`` is the repository of every project, and is looked at when a job template names a playbook.
    """

    def __init__(self, project: Path) -> None:
        self.project = project
        self.items: dict[str, list[Document]] = {name: [] for name in COLLECTIONS}
        self.surveys: dict[str, Document] = {}
        self.links: dict[str, list[int]] = {}
        self.writes: list[str] = []
        self.create("organizations", {"name": "Default"})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"controller": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Controller:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def named(self, collection: str, name: str) -> Document:
        """The item of this name, or with this identifier."""
        (item,) = [one for one in self.items[collection] if name in (one.get("name"), one.get("identifier"))]
        return item

    def linked(self, item: Document, relation: str) -> list[int]:
        """The IDs of what the item is associated with."""
        return self.links.get(f"{item['url']}{relation}/", [])

    def create(self, collection: str, fields: Document) -> Document:
        number = sum(len(items) for items in self.items.values()) + 1
        url = f"/api/v2/{collection}/{number}/"
        item: Document = {"id": number, "type": COLLECTIONS[collection], "url": url, "summary_fields": {}}
        item["related"] = {"survey_spec": f"{url}survey_spec/"}
        if collection == "projects":
            item["scm_revision"] = ""
        self.items[collection].append(item)
        try:
            return self.update(item, fields)
        except RefusedError:
            self.items[collection].remove(item)
            raise

    def update(self, item: Document, fields: Document) -> Document:
        changed = {**item, **fields}
        if item["type"] == "credential_type":
            check_credential_type(changed)
        elif item["type"] == "credential":
            check_credential(changed, self.by_id(changed["credential_type"]))
        elif item["type"] == "job_template":
            check_playbook(self.project / changed["playbook"])
        item.update(fields)
        return item

    def by_id(self, number: int) -> Document:
        (item,) = [one for items in self.items.values() for one in items if one["id"] == number]
        return item

    def search(self, collection: str, query: dict[str, str]) -> list[Document]:
        wanted = {key: value for key, value in query.items() if key not in ("page_size", "order_by")}
        found = self.items["job_templates"] if collection == "unified_job_templates" else self.items[collection]
        return [one for one in found if all(str(one.get(key)) == value for key, value in wanted.items())]

    def get(self, path: str, query: dict[str, str]) -> Document:
        collection, *rest = path.removeprefix("/api/v2/").strip("/").split("/")
        if not rest:
            found = self.search(collection, query)
        elif len(rest) == 1:
            return self.shown(self.by_id(int(rest[0])))
        elif rest[1] == "survey_spec":
            return self.surveys.get(path, {})
        else:
            found = [self.by_id(number) for number in self.links.get(path, [])]
        return {"count": len(found), "next": None, "previous": None, "results": [self.shown(one) for one in found]}

    def shown(self, item: Document) -> Document:
        """The item without the secrets of a credential."""
        if item["type"] != "credential":
            return item
        hidden = secret_fields(self.by_id(item["credential_type"]))
        shown = {key: "$encrypted$" if key in hidden and value else value for key, value in item["inputs"].items()}
        return {**item, "inputs": shown}

    def post(self, path: str, body: Document) -> tuple[int, Document]:
        collection, *rest = path.removeprefix("/api/v2/").strip("/").split("/")
        if not rest:
            return 201, self.shown(self.create(collection, body))
        if rest[1] == "survey_spec":
            check_survey(body)
            self.surveys[path] = body
            return 200, {}
        self.by_id(body["id"])
        self.links.setdefault(path, []).append(body["id"])
        return 204, {}


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for the controller."""

    protocol_version = "HTTP/1.1"
    controller: Controller

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._answer(lambda: (200, self.controller.get(parts.path, dict(parse_qsl(parts.query)))))

    def do_POST(self) -> None:
        body = self._body()
        self._answer(lambda: self.controller.post(self.path, body))

    def do_PATCH(self) -> None:
        body, number = self._body(), int(self.path.strip("/").split("/")[-1])
        self._answer(lambda: (200, self.controller.update(self.controller.by_id(number), body)))

    def _body(self) -> Document:
        self.controller.writes.append(f"{self.command} {self.path}")
        document: Document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return document

    def _answer(self, act: t.Callable[[], tuple[int, Document]]) -> None:
        try:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                status, document = 401, {"detail": "Authentication credentials were not provided."}
            else:
                status, document = act()
        except RefusedError as refused:
            status, document = 400, {"error": str(refused), "__all__": [str(refused)]}
        content = json.dumps(document).encode() if status != 204 else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the requests are in ``writes``."""


def check_playbook(file: Path) -> None:
    """Refuse what AWX does not take for a playbook of the project. Raises RefusedError."""
    if not file.is_file() or not PLAYBOOK.search(file.read_text(encoding="utf-8")):
        raise RefusedError("Playbook not found for project.")


def secret_fields(credential_type: Document) -> list[str]:
    return [field["id"] for field in credential_type["inputs"]["fields"] if field.get("secret")]


def check_credential_type(credential_type: Document) -> None:
    """Refuse what AWX refuses. Raises RefusedError."""
    fields, injectors = credential_type["inputs"]["fields"], credential_type["injectors"]
    names = [field["id"] for field in fields]
    for field in fields:
        if not NAME.fullmatch(field["id"]) or field["id"] == "tower" or "label" not in field or set(field) - FIELD_KEYS:
            raise RefusedError(f"{field} is not a field")
        if field.setdefault("type", "string") not in ("string", "boolean"):
            raise RefusedError(f"{field['type']} is not a type")
    if len(set(names)) < len(names):
        raise RefusedError("field IDs must be unique")
    if set(credential_type["inputs"]) - {"fields", "required"} or set(injectors) - {"file", "env", "extra_vars"}:
        raise RefusedError("additional properties are not allowed")
    files = [name.partition(".") for name in injectors.get("file", {})]
    if any(head != "template" or (dot and not NAME.fullmatch(tail)) for head, dot, tail in files):
        raise RefusedError("files are named template or template.NAME")
    paths: t.Any = {tail: "EXAMPLE" for _head, dot, tail in files if dot} or "EXAMPLE"
    namespace = {**dict.fromkeys(names, "EXAMPLE"), "tower": {"filename": paths} if files else {}}
    for name in injectors.get("env", {}):
        if not NAME.fullmatch(name) or name.startswith("ANSIBLE_") or name in ENV_BLOCKLIST:
            raise RefusedError(f"Environment variable {name} is not allowed to be used in credentials.")
    for kind in injectors:
        for name, template in injectors[kind].items():
            try:
                environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
                environment.from_string(template).render(namespace)
            except TemplateError as failure:
                raise RefusedError(f"{name} uses an undefined field ({failure})") from None


def check_credential(credential: Document, credential_type: Document) -> None:
    """Refuse inputs that the type does not have. Raises RefusedError."""
    known = {field["id"] for field in credential_type["inputs"]["fields"]}
    if unknown := set(credential["inputs"]) - known:
        raise RefusedError(f"{sorted(unknown)} are no inputs of {credential_type['name']}")
    if lacking := set(credential_type["inputs"]["required"]) - set(credential["inputs"]):
        raise RefusedError(f"required for {credential_type['name']}: {sorted(lacking)}")


def check_survey(survey: Document) -> None:
    """Refuse what AWX refuses. Raises RefusedError."""
    if not all(isinstance(survey.get(key), kind) for key, kind in (("name", str), ("description", str))):
        raise RefusedError("a survey has a name, a description and a spec")
    variables = [question["variable"] for question in survey["spec"]]
    if not variables or len(set(variables)) < len(variables):
        raise RefusedError("a survey asks for different variables, at least for one")
    for question in survey["spec"]:
        kind = SURVEY_TYPES.get(question["type"])
        if kind is None or not isinstance(question["required"], bool) or not isinstance(question["question_name"], str):
            raise RefusedError(f"{question} is no question")
        if "default" in question and not isinstance(question["default"], kind):
            raise RefusedError(f"the default of {question['variable']} is not of its type")
        if any(not isinstance(question.get(limit, 0), int) for limit in ("min", "max")):
            raise RefusedError(f"a limit of {question['variable']} is not an integer")
