# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where connection options come from, and what each way to log in puts on the wire."""

from __future__ import annotations

import datetime
import json
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import typing as t
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import yaml
from ansible_collections.poolgate.modelarts.playbooks.emulator.iam import Credentials
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.doc_fragments.connection import ModuleDocFragment
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import (
    ApiError,
    InputError,
    MissingLibraryError,
    ModelArtsError,
    TransportError,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import canonical_query
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection, connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    environment_level,
    merge_levels,
    variables_level,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import hide
from ansible_collections.poolgate.modelarts.tests.unit.faults.servers import certificate as certified
from hypothesis import given, settings
from hypothesis import strategies as st

HOST = "target-7"
SECRETS = {
    "auth_token": "tok-S3CR3T-1",
    "secret_key": "sk-S3CR3T-2",
    "security_token": "st-S3CR3T-3",
    "password": 'pw "S3CR3T" 4/ü',
}
ISSUED = "issued-S3CR3T-5"
KEYS = {"access_key": "AK1", "secret_key": SECRETS["secret_key"]}
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
PASSWORD = {
    "auth_url": "https://iam.example.com",
    "username": "mara",
    "password": SECRETS["password"],
    "domain_name": "acme",
    "project_name": "eu-de_ml",
}
Level = dict[str, t.Any]


# Levels and their order


@pytest.mark.parametrize(
    ("task", "variables", "environ", "expected"),
    [
        pytest.param({}, {}, {}, {}, id="nothing"),
        pytest.param(
            {"region": "eu-de"},
            {"modelarts_region": "eu-nl"},
            {"MODELARTS_REGION": "eu-ch2", "OS_REGION_NAME": "x"},
            {"region": "eu-de"},
            id="the option before the variable before the environment",
        ),
        pytest.param(
            {}, {"modelarts_region": "eu-nl"}, {"MODELARTS_REGION": "eu-ch2"}, {"region": "eu-nl"}, id="variable next"
        ),
        pytest.param(
            {},
            {},
            {"HW_REGION_NAME": "hw", "OS_REGION_NAME": "os", "MODELARTS_REGION": "own"},
            {"region": "own"},
            id="our name before the vendors'",
        ),
        pytest.param({}, {}, {"HW_REGION_NAME": "hw", "OS_REGION_NAME": "os"}, {"region": "os"}, id="OS before HW"),
        pytest.param(
            {},
            {},
            {"HUAWEICLOUD_SDK_PROJECT_ID": "sdk", "HW_PROJECT_ID": "hw"},
            {"project_id": "hw"},
            id="HW before HUAWEICLOUD_SDK",
        ),
        pytest.param(
            {"auth_token": "", "region": None},
            {"modelarts_auth_token": None, "modelarts_region": ""},
            {"OS_TOKEN": "", "OS_AUTH_TOKEN": "t", "OS_REGION_NAME": "", "HW_REGION_NAME": "r"},
            {"auth_token": "t", "region": "r"},
            id="empty is unset",
        ),
        pytest.param(
            {"validate_certs": False, "max_retries": 0},
            {"modelarts_validate_certs": True, "modelarts_max_retries": 3},
            {},
            {"validate_certs": False, "max_retries": 0},
            id="false and zero are set",
        ),
        pytest.param(
            {"cloud": "otc"},
            {"modelarts_access_key": "a", "modelarts_secret_key": "s"},
            {"OS_TOKEN": "t", "OS_USERNAME": "u"},
            {"cloud": "otc"},
            id="the highest level that names a method decides it",
        ),
        pytest.param(
            {"timeout": 5},
            {"modelarts_username": "u"},
            {"OS_TOKEN": "t", "OS_PASSWORD": "p", "OS_ACCESS_KEY": "a"},
            {"timeout": 5, "username": "u", "password": "p"},
            id="a level that names none leaves it to the next",
        ),
        pytest.param(
            {"access_key": "a"},
            {"modelarts_secret_key": "s"},
            {"OS_ACCESS_KEY": "b", "OS_SECRET_KEY": "c", "OS_TOKEN": "t"},
            {"access_key": "a", "secret_key": "s"},
            id="lower levels fill what the method lacks",
        ),
        pytest.param(
            {"access_key": "a"},
            {"modelarts_auth_token": "t"},
            {"OS_USERNAME": "u", "OS_PASSWORD": "p"},
            {"access_key": "a"},
            id="half a method stays half",
        ),
        pytest.param(
            {"auth_token": "t", "access_key": "a", "secret_key": "s", "username": "u", "password": "p", "cloud": "c"},
            {},
            {},
            {"auth_token": "t"},
            id="in one level: token first",
        ),
        pytest.param(
            {"access_key": "a", "secret_key": "s", "username": "u", "password": "p", "cloud": "c"},
            {},
            {},
            {"access_key": "a", "secret_key": "s"},
            id="in one level: keys second",
        ),
        pytest.param(
            {"username": "u", "password": "p", "cloud": "c"},
            {},
            {},
            {"username": "u", "password": "p"},
            id="in one level: password third",
        ),
        pytest.param({"password": "p"}, {}, {"OS_TOKEN": "t"}, {"password": "p"}, id="a password alone names it too"),
        pytest.param({"secret_key": "s"}, {}, {"OS_TOKEN": "t"}, {"secret_key": "s"}, id="a secret key alone names it"),
        pytest.param(
            {"domain_name": "task", "auth_url": "https://task"},
            {},
            {"OS_USERNAME": "u", "OS_DOMAIN_NAME": "env", "OS_AUTH_URL": "https://env"},
            {"username": "u", "domain_name": "task", "auth_url": "https://task"},
            id="a field above the level that names the method counts",
        ),
        pytest.param(
            {},
            {},
            {"OS_USER_DOMAIN_NAME": "user", "OS_DOMAIN_NAME": "domain", "HW_DOMAIN_NAME": "hw", "OS_USERNAME": "u"},
            {"username": "u", "domain_name": "user"},
            id="the user's domain before the domain",
        ),
        pytest.param(
            {"access_key": "a", "secret_key": "s"},
            {},
            {"HW_SECURITY_TOKEN": "stale"},
            {"access_key": "a", "secret_key": "s"},
            id="a stale security token does not join a permanent key",
        ),
        pytest.param(
            {"access_key": "a", "secret_key": "s", "security_token": "own"},
            {},
            {"HW_SECURITY_TOKEN": "stale"},
            {"access_key": "a", "secret_key": "s", "security_token": "own"},
            id="a key's own security token",
        ),
        pytest.param(
            {"access_key": "a"},
            {},
            {"HW_SECRET_KEY": "s", "HW_SECURITY_TOKEN": "st"},
            {"access_key": "a", "secret_key": "s", "security_token": "st"},
            id="a security token from where the pair was completed",
        ),
        pytest.param(
            {},
            {},
            {
                "OS_ACCESS_KEY": "half",
                "OS_SECURITY_TOKEN": "stale",
                "HW_ACCESS_KEY": "a",
                "HW_SECRET_KEY": "s",
                "HUAWEICLOUD_SDK_AK": "c",
                "HUAWEICLOUD_SDK_SK": "d",
                "HUAWEICLOUD_SDK_SECURITY_TOKEN": "e",
            },
            {"access_key": "a", "secret_key": "s"},
            id="a vendor with the pair gives all of it",
        ),
        pytest.param(
            {},
            {},
            {"OS_ACCESS_KEY": "a", "HW_SECRET_KEY": "s"},
            {"access_key": "a", "secret_key": "s"},
            id="no vendor with the pair: each key by itself",
        ),
        pytest.param(
            {"project_name": "mine"},
            {},
            {"OS_PROJECT_ID": "other", "OS_PROJECT_NAME": "another", "OS_TOKEN": "t"},
            {"auth_token": "t", "project_name": "mine"},
            id="a project's name is not overruled by an ID from below",
        ),
        pytest.param(
            {}, {"modelarts_project_id": "mine"}, {"OS_PROJECT_NAME": "other"}, {"project_id": "mine"}, id="nor its ID"
        ),
        pytest.param(
            {},
            {},
            {"HW_PROJECT_ID": "other", "OS_TENANT_NAME": "mine"},
            {"project_name": "mine"},
            id="nor in the environment",
        ),
        pytest.param(
            {"cloud": "otc"},
            {},
            {"OS_AUTH_URL": "https://x", "OS_PROJECT_NAME": "y", "OS_CACERT": "/ca", "MODELARTS_TIMEOUT": "9"},
            {"cloud": "otc", "ca_path": "/ca", "timeout": "9"},
            id="general options are filled whatever the method",
        ),
        pytest.param(
            {"pool_name": ["a"], "fields": []}, {"modelarts_pool_name": "b"}, {"OS_POOL": "c"}, {}, id="no other option"
        ),
    ],
)
def test_levels(task: Level, variables: Level, environ: dict[str, str], expected: Level) -> None:
    levels = (task, variables_level(variables), environment_level(environ))
    assert merge_levels(*levels) == expected
    in_two_steps = merge_levels(merge_levels(*levels[:2]), levels[2])
    assert in_two_steps == expected


LEVEL = st.dictionaries(st.sampled_from(sorted(CONNECTION_OPTIONS)), st.sampled_from(["", None, "a", "b", "c"]))


@settings(deadline=None)
@given(st.lists(LEVEL, max_size=5), st.integers(0, 5))
def test_levels_can_be_merged_from_the_top_in_any_number_of_steps(levels: list[Level], first: int) -> None:
    assert merge_levels(merge_levels(*levels[:first]), *levels[first:]) == merge_levels(*levels)


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


@pytest.mark.parametrize(
    ("option", "name"), [(option, name) for option, names in REFERENCE.items() for name in names.split()]
)
def test_every_name_that_users_have_in_their_environment_counts(option: str, name: str) -> None:
    assert environment_level({name: "value", "PATH": "/bin"}) == {option: "value"}


def test_every_option_can_be_a_variable() -> None:
    variables = {f"modelarts_{option}": option for option in CONNECTION_OPTIONS}
    assert variables_level({**variables, "modelarts_other": 1, "region": 2}) == {
        option: option for option in CONNECTION_OPTIONS
    }


# What is documented is what is read


def test_documented_options_are_the_argument_spec() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert {option: entry["type"] for option, entry in documented.items()} == {
        option: entry["type"] for option, entry in CONNECTION_OPTIONS.items()
    }
    assert all(set(entry) - {"version_added"} == {"description", "type"} for entry in documented.values())
    assert all(set(entry) <= {"type", "no_log"} for entry in CONNECTION_OPTIONS.values())
    assert {option for option, entry in CONNECTION_OPTIONS.items() if entry.get("no_log")} == set(SECRETS)


def test_documented_names_are_the_ones_that_are_read() -> None:
    prose = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    listed = yaml.safe_load(ModuleDocFragment.PLUGINS)["options"]
    for option, names in REFERENCE.items():
        assert re.findall(r"E\((\w+)\)", " ".join(prose[option]["description"])) == names.split()
        assert listed[option] == {
            "env": [{"name": name} for name in names.split()],
            "ini": [{"section": "modelarts", "key": option}],
            "vars": [{"name": f"modelarts_{option}"}],
        }
    assert not any(name.startswith("ANSIBLE_") for names in REFERENCE.values() for name in names.split())


# What is checked before anything is sent


@pytest.mark.parametrize(
    ("options", "lacking", "names"),
    [
        ({**PLACE, "access_key": "AK"}, "secret_key", "HUAWEICLOUD_SDK_SK"),
        ({**PLACE, "secret_key": SECRETS["secret_key"]}, "access_key", "HW_ACCESS_KEY"),
        ({**PLACE, "username": "u"}, "auth_url and password and domain_name", "OS_PASSWORD"),
        ({**PASSWORD, "password": ""}, "password", "OS_PASSWORD"),
        ({**PASSWORD, "username": ""}, "username", "OS_USERNAME"),
        ({**PASSWORD, "domain_name": ""}, "domain_name", "OS_USER_DOMAIN_NAME"),
        ({**PASSWORD, "project_name": ""}, "project_name", "OS_TENANT_NAME"),
        ({**PASSWORD, "auth_url": ""}, "auth_url", "OS_AUTH_URL"),
    ],
)
def test_half_a_method_is_an_error_that_names_the_rest(options: Level, lacking: str, names: str) -> None:
    with pytest.raises(InputError, match=f"but not {lacking}: set") as failure:
        connect(options, where=HOST)
    assert names in str(failure.value)
    assert HOST in str(failure.value)
    assert not leaked(str(failure.value))


def test_half_a_method_does_not_fall_back_to_another() -> None:
    levels = merge_levels({"access_key": "AK"}, {**PASSWORD, "auth_token": "t"})
    with pytest.raises(InputError, match="but not secret_key"):
        connect(levels, where=HOST)


def test_no_method_at_all() -> None:
    with pytest.raises(InputError, match=r"^No credentials: .* in the environment of target-7 .*OS_TOKEN"):
        connect(PLACE, where=HOST)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"auth_token": SECRETS["auth_token"], "project_id": "p"}, "set endpoint or region"),
        ({**KEYS, "project_id": "p"}, "set endpoint or region"),
        ({"auth_token": SECRETS["auth_token"], "endpoint": "https://m.example.com"}, "set project_id"),
        ({**KEYS, "endpoint": "https://m.example.com", "project_name": "x"}, "set project_id"),
        ({**KEYS, "endpoint": "https://m.example.com", "auth_url": "https://iam.example.com"}, "set project_id"),
    ],
)
def test_an_address_and_a_project_have_to_be_found_somehow(options: Level, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as failure:
        connect(options, where=HOST)
    assert HOST in str(failure.value)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("validate_certs", "false", False),
        ("validate_certs", "No", False),
        ("validate_certs", "0", False),
        ("validate_certs", 0, False),
        ("validate_certs", " yes ", True),
        ("validate_certs", True, True),
        ("timeout", "30", 30.0),
        ("timeout", "0.5", 0.5),
        ("timeout", 7, 7.0),
        ("max_retries", "4", 4),
        ("max_retries", 0, 0),
        ("max_retries", "0", 0),
        ("connections", "1", 1),
        ("region", "eu-nl", "eu-nl"),
        ("ca_path", "~", os.path.expanduser("~")),
        ("endpoint", "https://m.example.com/", "https://m.example.com"),
        ("endpoint", "https://m.example.com/v2/p1", "https://m.example.com"),
        ("endpoint", "https://m.example.com:8443/gate/v1/p1/", "https://m.example.com:8443/gate"),
        ("endpoint", "http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("endpoint", "http://[::1]:8080", "http://[::1]:8080"),
        ("endpoint", "http://localhost", "http://localhost"),
        ("auth_url", "https://iam.example.com", "https://iam.example.com/v3"),
        ("auth_url", "https://iam.example.com/v3/", "https://iam.example.com/v3"),
        ("auth_url", "https://example.com/identity/v3", "https://example.com/identity/v3"),
        ("auth_url", "https://example.com/identity/", "https://example.com/identity/v3"),
    ],
)
def test_values_are_coerced(option: str, value: object, expected: object) -> None:
    connection = connect({**PLACE, **KEYS, option: value}, where=HOST)
    assert getattr(connection, option) == expected
    assert type(getattr(connection, option)) is type(expected)


def test_defaults() -> None:
    connection = connect({**PLACE, **KEYS}, where=HOST)
    assert (connection.timeout, connection.max_retries, connection.verify) == (30.0, 4, True)
    assert connection.connections == 8


def test_verify_is_what_requests_takes(tmp_path: Path) -> None:
    trusted = {**PLACE, **KEYS, "ca_path": str(tmp_path)}
    assert connect(trusted, where=HOST).verify == str(tmp_path)
    assert connect({**trusted, "validate_certs": "no"}, where=HOST).verify is False


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("validate_certs", "maybe"),
        ("validate_certs", 2),
        ("timeout", "soon"),
        ("timeout", 0),
        ("timeout", "-1"),
        ("timeout", "nan"),
        ("timeout", "inf"),
        ("timeout", True),
        ("max_retries", -1),
        ("max_retries", "1.5"),
        ("max_retries", 1.5),
        ("max_retries", True),
        ("max_retries", "many"),
        ("connections", 0),
        ("region", "EU-DE"),
        ("region", "eu-de.evil.example"),
        ("region", "eu-de/"),
        ("region", "-eu"),
        ("region", "eu-de\n"),
        ("region", "r" * 64),
        ("project_id", "../p"),
        ("project_id", "p?x"),
        ("project_id", "p" * 65),
        ("project_id", "p\r\nX-Evil: 1"),
        ("access_key", "AK, SignedHeaders=x"),
        ("access_key", "AK\n"),
        ("secret_key", "two words"),
        ("secret_key", "ümlaut"),
        ("security_token", "a\r\nX-Evil: 1"),
        ("ca_path", "/no/such/file"),
        ("username", "two\nlines"),
        ("project_name", "\x00"),
        ("project_name", "\udcff"),
        ("cloud", "a\x1bb"),
        ("region", ["eu-de"]),
        ("password", {"a": "b"}),
        *(
            (option, url)
            for option in ("endpoint", "auth_url")
            for url in (
                "modelarts.example.com",
                "ftp://example.com",
                "https://",
                "https:///v2",
                "https://user:sesame@example.com",
                "https://sesame@example.com",
                "https://example.com?x=sesame",
                "https://example.com#sesame",
                "https://example.com/a b",
                " https://example.com",
                "https://example.com\n",
                "https://exa\tmple.com",
                "https://example.com\\@evil.example",
                "https://example.com:99999",
                "https://example.com:port",
                "https://exämple.com",
                "https://example..com",
                "https://-example.com",
                f"https://{'x' * 64}.example.com",
                "https://example.com/%2e%2e",
                "https://[::1",
                "http://example.com",
                "http://127.0.0.1.example.com",
                "http://10.0.0.1",
                "http://localhost.example.com",
            )
        ),
    ],
)
def test_values_that_cannot_be_used_are_refused_in_one_sentence(option: str, value: object) -> None:
    whole = {**PLACE, **PASSWORD} if option in PASSWORD else {**PLACE, **KEYS}
    if option == "cloud":
        whole = dict(PLACE)
    with pytest.raises(InputError) as failure:
        connect({**whole, option: value}, where=HOST)
    sentence = str(failure.value)
    assert sentence.startswith(option)
    assert HOST in sentence
    assert REFERENCE[option].split()[0] in sentence
    assert "sesame" not in sentence
    assert sentence.isprintable()
    assert not leaked(sentence)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.text(max_size=3), max_size=2),
    st.sampled_from(["https://h", "http://localhost:1", "eu-de", "p1", "AK", "~"]),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(set(CONNECTION_OPTIONS) - {"cloud"})), JUNK, max_size=17))
def test_any_options_end_in_a_connection_or_in_one_sentence(options: Level) -> None:
    try:
        connection = connect(options, where=HOST)
    except InputError as failure:
        sentence = failure.message
    else:
        sentence = repr(connection)
    assert sentence.isprintable()


# Where requests go


@pytest.mark.parametrize(
    ("region", "base", "iam"),
    [
        ("eu-de", "https://modelarts.eu-de.otc.t-systems.com", "https://iam.eu-de.otc.t-systems.com/v3"),
        ("eu-nl", "https://modelarts.eu-nl.otc.t-systems.com", "https://iam.eu-nl.otc.t-systems.com/v3"),
        ("cn-north-4", "https://modelarts.cn-north-4.myhuaweicloud.com", "https://iam.cn-north-4.myhuaweicloud.com/v3"),
    ],
)
def test_a_region_gives_the_addresses(region: str, base: str, iam: str) -> None:
    connection = connect({**KEYS, "region": region, "project_id": "p1"}, where=HOST)
    assert (connection.base_url(), connection.auth_url, connection.project()) == (base, iam, "p1")


def test_an_explicit_endpoint_wins() -> None:
    assert connect({**KEYS, **PLACE, "region": "eu-de"}, where=HOST).base_url() == PLACE["endpoint"]


# An IAM that answers as it is told to


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


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


# Token and keys


def test_a_token_is_sent_as_it_is_and_cannot_be_renewed() -> None:
    connection = connect({**PLACE, "auth_token": SECRETS["auth_token"]}, where=HOST)
    assert prepared(connection).headers["X-Auth-Token"] == SECRETS["auth_token"]
    assert connection.auth.drop_token() is False
    assert connection.method == "auth_token"


def test_a_key_pair_signs_and_cannot_be_renewed() -> None:
    connection = connect({**PLACE, **KEYS, "security_token": SECRETS["security_token"]}, where=HOST)
    headers = prepared(connection).headers
    assert headers["X-Project-Id"] == "p1"
    assert headers["X-Security-Token"] == SECRETS["security_token"]
    assert "host;x-project-id;x-sdk-date;x-security-token" in headers["Authorization"]
    sent = datetime.datetime.strptime(headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ")
    assert abs(sent.replace(tzinfo=datetime.timezone.utc).timestamp() - time.time()) < 5
    assert connection.auth.drop_token() is False
    assert connection.method == "access_key"


@pytest.mark.parametrize("credentials", [{"auth_token": SECRETS["auth_token"]}, KEYS], ids=["token", "keys"])
@pytest.mark.parametrize(
    ("named", "name"),
    [({"region": "eu-de"}, "eu-de"), ({"region": "eu-de", "project_name": "eu-de_ml&x=1"}, "eu-de_ml&x=1")],
)
def test_a_project_is_looked_up_once_by_its_name(credentials: Level, named: Level, name: str) -> None:
    with ScriptedIam(projects(("p9", name), ("p8", "another"))) as iam:
        connection = connect({**credentials, **named, "auth_url": iam.url}, where=HOST)
        assert not iam.seen
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(lambda _i: connection.project(), range(16))) == {"p9"}
    assert [(seen.method, seen.path, seen.query) for seen in iam.seen] == [("GET", "/v3/projects", [("name", name)])]
    headers = iam.seen[0].headers
    if credentials == KEYS:
        assert headers["authorization"].startswith("SDK-HMAC-SHA256 Access=AK1, SignedHeaders=host;x-sdk-date, ")
        assert prepared(connection).headers["X-Project-Id"] == "p9"
    else:
        assert headers["x-auth-token"] == SECRETS["auth_token"]


@pytest.mark.parametrize(
    ("answer", "kind", "expected"),
    [
        (projects(), InputError, "knows no project named 'eu-de': set project_id"),
        (projects(("a", "eu-de"), ("b", "eu-de")), InputError, "knows 2 projects named 'eu-de'"),
        (projects(("../x", "eu-de")), ApiError, "ID of a project that cannot be one"),
        ((200, {}, {"projects": None}), ApiError, "not a list of projects"),
        ((200, {}, []), ApiError, "not a list of projects"),
        ((200, {}, b"<html>"), ApiError, "HTML"),
        ((302, {"Location": "http://localhost:1/"}, b""), ApiError, "Redirects are not followed"),
    ],
)
def test_a_project_that_cannot_be_told(answer: Answer, kind: type[ModelArtsError], expected: str) -> None:
    with ScriptedIam(answer) as iam:
        connection = connect({**KEYS, "region": "eu-de", "auth_url": iam.url}, where=HOST)
        with pytest.raises(kind, match=expected):
            connection.project()
    assert len(iam.seen) == 1


def test_a_refused_signature_is_sent_once_and_says_what_iam_said() -> None:
    refusal = {"error_code": "APIGW.0301", "error_msg": f"bad key {SECRETS['secret_key']}", "request_id": "r-1"}
    with ScriptedIam((401, {}, refusal)) as iam:
        connection = connect({**KEYS, "region": "eu-de", "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError) as failure:
            connection.project()
    assert len(iam.seen) == 1
    result = failure.value.as_result()
    assert (result["status"], result["error_code"], result["request_id"]) == (401, "APIGW.0301", "r-1")
    assert result["error_msg"] == "bad key ********"
    assert not leaked(str(result))


def test_what_is_transient_is_repeated_within_bounds() -> None:
    with ScriptedIam((503, {}, {}), (429, {}, {}), projects(("p9", "eu-de"))) as iam:
        options = {**KEYS, "region": "eu-de", "auth_url": iam.url, "max_retries": 2}
        assert connect(options, where=HOST).project() == "p9"
    assert len(iam.seen) == 3
    with ScriptedIam((503, {}, {})) as iam, pytest.raises(ApiError, match="answered 503"):
        connect({**options, "auth_url": iam.url}, where=HOST).project()
    assert len(iam.seen) == 3


def test_an_iam_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for options in ({**KEYS, "region": "eu-de"}, PASSWORD):
            connection = connect({**options, "auth_url": url, "max_retries": 1}, where=HOST)
            with pytest.raises(TransportError, match=r"Connection refused.*auth_url") as failure:
                connection.project()
            assert HOST in str(failure.value)
            assert url in str(failure.value)


def test_an_iam_that_keeps_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for options in ({**KEYS, "region": "eu-de"}, PASSWORD):
            connection = connect({**options, "auth_url": url, "timeout": 0.2, "max_retries": 0}, where=HOST)
            with pytest.raises(TransportError, match=r"no answer within 0\.2 s"):
                connection.project()


def test_a_deadline_ends_it_all() -> None:
    with ScriptedIam((503, {}, {})) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url, "max_retries": 50}, where=HOST)
        until = time.monotonic() + 0.4
        connection.ask_within(lambda: until - time.monotonic())
        with pytest.raises(ApiError, match="answered 503"):
            connection.project()
        connection.ask_within(lambda: -1)
        with pytest.raises(TransportError, match="No time was left"):
            connection.project()
    assert len(iam.seen) < 50


# Password


@pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/"])
def test_a_password_logs_in_to_the_project(suffix: str) -> None:
    with ScriptedIam(login()) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url + suffix, "region": "eu-de"}, where=HOST)
        assert not iam.seen
        assert prepared(connection).headers["X-Auth-Token"] == ISSUED
        assert connection.project() == "p-scope"
        assert connection.base_url() == "https://modelarts.eu-de.otc.t-systems.com"
    assert [(seen.method, seen.path) for seen in iam.seen] == [("POST", "/v3/auth/tokens")]
    assert iam.seen[0].body == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "mara", "password": SECRETS["password"], "domain": {"name": "acme"}}},
            },
            "scope": {"project": {"name": "eu-de_ml", "domain": {"name": "acme"}}},
        }
    }


def test_a_project_id_is_the_scope_of_the_login() -> None:
    with ScriptedIam(login(project="p1")) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url, "project_id": "p1"}, where=HOST)
        assert connection.project() == "p1"
    assert iam.seen[0].body["auth"]["scope"] == {"project": {"id": "p1"}}


def test_threads_share_one_login() -> None:
    with ScriptedIam(login(catalog=[listed(("eu-de", "https://m.example.com/v1/p"))])) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with ThreadPoolExecutor(8) as threads:
            work = [
                call
                for _i in range(8)
                for call in (connection.base_url, connection.project, lambda: prepared(connection))
            ]
            for done in [threads.submit(call) for call in work]:
                done.result()
    assert len(iam.seen) == 1


def test_threads_that_are_refused_make_one_new_login() -> None:
    tokens = iter(["first", "second", "third"])
    with ScriptedIam(lambda seen: login(token=next(tokens))) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        together = threading.Barrier(4)

        def refused() -> tuple[str, bool, str]:
            first = prepared(connection).headers["X-Auth-Token"]
            together.wait()
            renewed = connection.auth.drop_token()
            return first, renewed, prepared(connection).headers["X-Auth-Token"]

        with ThreadPoolExecutor(4) as threads:
            results = {threads.submit(refused) for _i in range(4)}
            assert {result.result() for result in results} == {("first", True, "second")}
    assert len(iam.seen) == 2


def test_a_token_about_to_expire_is_renewed() -> None:
    with ScriptedIam(login(token="old", seconds=5), login(token="new")) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        assert prepared(connection).headers["X-Auth-Token"] == "old"
        assert prepared(connection).headers["X-Auth-Token"] == "new"
        assert prepared(connection).headers["X-Auth-Token"] == "new"
    assert len(iam.seen) == 2


def test_a_wrong_password_is_sent_once() -> None:
    said = f"The username or password {SECRETS['password']} is wrong."
    with ScriptedIam((401, {"X-Request-Id": "r-2"}, {"error": {"code": "IAM.0001", "message": said}})) as iam:
        connection = connect({**PASSWORD, **PLACE, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError, match=f"Check the credentials on {HOST}") as failure:
            prepared(connection)
        assert connection.auth.drop_token() is False
    assert len(iam.seen) == 1
    result = failure.value.as_result()
    assert (result["status"], result["error_code"], result["request_id"]) == (401, "IAM.0001", "r-2")
    assert result["error_msg"] == "The username or password ******** is wrong."
    assert not leaked(str(result))


def test_a_password_that_is_refused_later_is_sent_once_more() -> None:
    with ScriptedIam(login(), (401, {}, {})) as iam:
        connection = connect({**PASSWORD, **PLACE, "auth_url": iam.url}, where=HOST)
        prepared(connection)
        assert connection.auth.drop_token() is True
        with pytest.raises(ApiError, match="answered 401"):
            prepared(connection)
        assert connection.auth.drop_token() is False
    assert len(iam.seen) == 2


def test_addresses_are_asked_for_once() -> None:
    with ScriptedIam(login(seconds=5, catalog=[listed(("eu-de", "https://m.example.com/v1/p-scope"))])) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        assert {connection.base_url() for _i in range(3)} == {"https://m.example.com"}
        assert len(iam.seen) == 1
        assert {connection.project() for _i in range(3)} == {"p-scope"}
    assert len(iam.seen) == 2


def test_a_request_tries_the_login_once_and_leaves_repeating_to_whoever_sends_it() -> None:
    with ScriptedIam((503, {}, {})) as iam:
        connection = connect({**PASSWORD, **PLACE, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError):
            prepared(connection)
        assert len(iam.seen) == 1
        with pytest.raises(ApiError):
            connection.project()
        assert len(iam.seen) == 1 + 5


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((404, {}, {"error": {"code": 404, "message": "no such API"}}), "answered 404 .404: no such API"),
        ((307, {"Location": "http://localhost:1/v3/auth/tokens"}, b""), "answered 307.*Redirects are not followed"),
        ((302, {"Location": "http://localhost:1/v3/auth/tokens"}, {"token": {}}), "answered"),
        ((200, {}, b"<html>welcome</html>"), "HTML"),
        ((201, {}, {"token": {}}), "not a login"),
        ((201, {"X-Subject-Token": "x"}, {"token": None}), "not a login"),
        ((201, {"X-Subject-Token": "x"}, {"token": []}), "not a login"),
        ((201, {"X-Subject-Token": "x"}, []), "answered 201"),
        ((201, {"X-Subject-Token": "x"}, 7), "not a login"),
    ],
)
def test_a_login_that_is_none(answer: Answer, expected: str) -> None:
    with ScriptedIam(answer) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ApiError, match=expected) as failure:
            connection.project()
    assert len(iam.seen) == 1
    assert not leaked(str(failure.value))


def test_a_redirect_takes_no_credentials_elsewhere() -> None:
    with ScriptedIam(login()) as elsewhere:
        target = elsewhere.url.replace("127.0.0.1", "localhost") + "/v3/auth/tokens"
        with ScriptedIam((307, {"Location": target}, b"")) as iam:
            connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
            with pytest.raises(ApiError):
                connection.project()
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("catalog", "region", "expected"),
    [
        ([listed(("eu-de", "https://m.example.com/v1/p1"))], None, "https://m.example.com"),
        ([listed(("eu-de", "https://m.example.com:8443/v2/p1/"))], None, "https://m.example.com:8443"),
        (
            [listed(("eu-de", "https://m.example.com/v1/p1")), listed(("eu-de", "https://m.example.com/v2/p1"))],
            None,
            "https://m.example.com",
        ),
        (
            [listed(("eu-de", "https://de.example.com"), ("eu-nl", "https://nl.example.com"))],
            "eu-nl",
            "https://nl.example.com",
        ),
        ([listed(("*", "https://all.example.com"))], "eu-nl", "https://all.example.com"),
        ([listed(("eu-de", "https://de.example.com"))], "eu-nl", "https://modelarts.eu-nl.otc.t-systems.com"),
        (
            [listed(("eu-de", "https://inside.example.com"), interface="internal")],
            "eu-de",
            "https://modelarts.eu-de.otc.t-systems.com",
        ),
        (
            [listed(("eu-de", "https://x.example.com"), kind="compute")],
            "eu-de",
            "https://modelarts.eu-de.otc.t-systems.com",
        ),
    ],
)
def test_the_service_catalog_gives_the_address(catalog: list[t.Any], region: str | None, expected: str) -> None:
    with ScriptedIam(login(project="p1", catalog=catalog)) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url, "region": region}, where=HOST)
        assert connection.base_url() == expected
        assert connection.base_url() == expected
    assert len(iam.seen) == 1


@pytest.mark.parametrize(
    ("catalog", "expected"),
    [
        ([], "set endpoint or region"),
        ([listed(("eu-de", "https://de.example.com"), ("eu-nl", "https://nl.example.com"))], "set region or endpoint"),
        ([listed(("eu-de", "http://clear.example.com/v1/p1"))], "must start with https"),
        ([listed(("eu-de", "https://user:x@m.example.com"))], "must be a URL"),
    ],
)
def test_a_service_catalog_that_does_not_tell(catalog: list[t.Any], expected: str) -> None:
    with ScriptedIam(login(catalog=catalog)) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with pytest.raises(InputError, match=expected):
            connection.base_url()


@pytest.mark.parametrize(
    "catalog", [7, ["x"], [{"type": "modelarts", "endpoints": "x"}], [{"type": "modelarts", "endpoints": [7]}]]
)
def test_a_service_catalog_of_another_shape(catalog: object) -> None:
    with ScriptedIam(login(catalog=catalog)) as iam:
        connection = connect({**PASSWORD, "auth_url": iam.url}, where=HOST)
        with pytest.raises(ModelArtsError):
            connection.base_url()


# clouds.yaml


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[object], None]:
    file = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(content: object) -> None:
        file.write_text(content if isinstance(content, str) else json.dumps({"clouds": content}))

    return write


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


@pytest.mark.parametrize("suffix", ["", "/v3"])
def test_an_entry_of_clouds_yaml_logs_in(clouds: t.Callable[[object], None], suffix: str) -> None:
    with ScriptedIam(login()) as iam:
        clouds({"otc": entry(iam.url + suffix, region_name="eu-nl", verify=False), "other": entry("https://x.example")})
        connection = connect({"cloud": "otc"}, where=HOST)
        assert not iam.seen
        assert prepared(connection).headers["X-Auth-Token"] == ISSUED
        assert connection.project() == "p-scope"
        assert connection.base_url() == "https://modelarts.eu-nl.otc.t-systems.com"
        assert connection.verify is False
        assert connection.method == "cloud"
    assert [(seen.method, seen.path) for seen in iam.seen] == [("POST", "/v3/auth/tokens")]
    assert iam.seen[0].body["auth"]["identity"]["password"]["user"]["password"] == SECRETS["password"]
    assert iam.seen[0].body["auth"]["scope"] == {"project": {"name": "eu-de_ml", "domain": {"name": "acme"}}}
    assert SECRETS["password"] in connection.secrets


def test_a_certificate_file_of_clouds_yaml_has_to_be_there(clouds: t.Callable[[object], None]) -> None:
    clouds({"otc": entry("https://iam.example.com", cacert="/no/such/file")})
    with pytest.raises(InputError, match=r"otc of clouds\.yaml on target-7 has a cacert that names .* '/no/such/file'"):
        connect({"cloud": "otc"}, where=HOST)


def test_options_come_before_clouds_yaml(clouds: t.Callable[[object], None], tmp_path: Path) -> None:
    clouds({"otc": entry("https://iam.example.com", region_name="eu-nl", verify=False, cacert="/no/such")})
    options = {"cloud": "otc", "region": "eu-nl", "validate_certs": "yes", "ca_path": str(tmp_path)}
    connection = connect(options, where=HOST)
    assert (connection.region, connection.verify) == ("eu-nl", str(tmp_path))


def test_a_region_that_the_entry_of_clouds_yaml_does_not_have(clouds: t.Callable[[object], None]) -> None:
    clouds({"otc": entry("https://iam.example.com", region_name="eu-nl")})
    with pytest.raises(InputError, match="is for region eu-nl, not eu-de: set another cloud or region"):
        connect({"cloud": "otc", "region": "eu-de"}, where=HOST)


def test_a_project_that_is_not_the_login_s(clouds: t.Callable[[object], None]) -> None:
    with ScriptedIam(login()) as iam:
        clouds({"otc": entry(iam.url)})
        with pytest.raises(InputError, match=r"project_id is p-other, but the login .* 'p-scope'"):
            connect({"cloud": "otc", "project_id": "p-other"}, where=HOST).project()


def test_a_login_without_a_project(clouds: t.Callable[[object], None]) -> None:
    with ScriptedIam(login(project=None)) as iam:
        clouds({"otc": entry(iam.url)})
        with pytest.raises(InputError, match="set project_id"):
            connect({"cloud": "otc"}, where=HOST).project()
        assert connect({"cloud": "otc", "project_id": "p1"}, where=HOST).project() == "p1"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"other": entry("https://x.example")}, "known are other"),
        ({"otc": {"auth": {"password": SECRETS["password"]}}}, "lacks auth_url|cannot be used"),
        ({"otc": entry("http://iam.example.com")}, "must start with https"),
        ({"otc": entry("https://user:S3CR3T@iam.example.com")}, "must be a URL"),
        ({"otc": {"auth_type": "none", "auth": {"endpoint": "https://x"}}}, "does not log in"),
        ({"otc": entry("https://x.example", auth_type="no-such-type")}, "cannot be used"),
        (f"clouds:\n otc:\n  auth:\n   password: {SECRETS['password']}: [\n", "known are none|cannot be used"),
        ("[]", "cannot be used|does not exist"),
    ],
)
def test_clouds_yaml_that_cannot_be_used(
    clouds: t.Callable[[object], None], content: object, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clouds(content)
    with pytest.raises(InputError, match=expected) as failure:
        connect({"cloud": "otc"}, where=HOST)
    assert HOST in str(failure.value)
    assert not leaked(str(failure.value))
    assert not leaked(caplog.text)


# Libraries


@pytest.mark.parametrize(
    ("absent", "options", "expected"),
    [
        ("requests", {**PLACE, **KEYS}, "requests"),
        ("keystoneauth1", PASSWORD, r"keystoneauth1.*username and password"),
        ("keystoneauth1", {"cloud": "otc"}, r"openstacksdk.*option cloud"),
        ("openstack", {"cloud": "otc"}, r"openstacksdk.*option cloud"),
    ],
)
def test_a_missing_library_is_named_with_the_option_that_needs_it(absent: str, options: Level, expected: str) -> None:
    program = (
        "import sys\n"
        f"sys.modules[{absent!r}] = None\n"
        "from ansible_collections.poolgate.modelarts.plugins.module_utils import _errors\n"
        "from ansible_collections.poolgate.modelarts.plugins.module_utils._login import connection as _auth\n"
        "try:\n"
        f"    _auth.connect({options!r}, where='x')\n"
        "except _errors.MissingLibraryError as error:\n"
        "    assert isinstance(error.__cause__, ImportError)\n"
        "    print(error)\n"
    )
    assert re.search(expected, run_python(program))
    assert issubclass(MissingLibraryError, ModelArtsError)


def test_libraries_are_imported_by_the_method_that_needs_them() -> None:
    keys = {**PLACE, **KEYS}
    program = (
        "import socket, sys\n"
        "def refuse(*unused): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from ansible_collections.poolgate.modelarts.plugins.module_utils._login import connection as _auth\n"
        f"_auth.connect({keys!r}, where='x')\n"
        "print(sorted({'keystoneauth1', 'openstack', 'huaweicloudsdkcore'} & set(sys.modules)))\n"
        f"_auth.connect({PASSWORD!r}, where='x')\n"
        "print(sorted({'keystoneauth1', 'openstack', 'huaweicloudsdkcore'} & set(sys.modules)))\n"
    )
    assert run_python(program).splitlines() == ["[]", "['keystoneauth1']"]


def run_python(program: str) -> str:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Secrets


def every_method(url: str) -> list[Level]:
    return [
        {**PLACE, "auth_token": SECRETS["auth_token"]},
        {**PLACE, **KEYS, "security_token": SECRETS["security_token"]},
        {**PASSWORD, "endpoint": PLACE["endpoint"], "auth_url": url},
        {"cloud": "otc"},
    ]


@pytest.mark.parametrize("index", range(4))
def test_no_secret_in_any_text(
    index: int, clouds: t.Callable[[object], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("keystoneauth").setLevel(logging.DEBUG)
    with ScriptedIam(login()) as iam:
        clouds({"otc": entry(iam.url, region_name="eu-nl")})
        options = every_method(iam.url)[index]
        connection = connect(options, where=HOST)
        request = prepared(connection)
        connection.project()
        connection.base_url()
    for text in (repr(connection), str(connection), repr(connection.auth), caplog.text):
        assert not leaked(text)
        assert ISSUED not in text
    wire = str(dict(request.headers))
    assert hide(wire, connection.secrets) != wire
    assert not leaked(hide(wire, connection.secrets))
    given_secrets = {value for option, value in options.items() if option in SECRETS}
    assert given_secrets <= connection.secrets
    if index == 1:
        signature = request.headers["Authorization"].rpartition("=")[2]
        assert connection.secrets - connection.lasting_secrets == {signature}
    if index > 1:
        assert {ISSUED, SECRETS["password"]} <= connection.secrets


def test_redaction_finds_a_secret_however_it_is_spelled() -> None:
    connection = connect({**PASSWORD}, where=HOST)
    spelled = [
        SECRETS["password"],
        json.dumps(SECRETS["password"])[1:-1],
        json.dumps(SECRETS["password"])[1:-1].replace("/", "\\/"),
        json.dumps(SECRETS["password"], ensure_ascii=False)[1:-1],
        "pw%20%22S3CR3T%22%204%2F%C3%BC",
        "pw%20%22S3CR3T%22%204/%C3%BC",
        "pw+%22S3CR3T%22+4%2F%C3%BC",
        "pw%20%22S3CR3T%22%204%2f%c3%bc",
        b64encode(SECRETS["password"].encode()).decode().rstrip("="),
    ]
    for text in spelled:
        assert hide(f"a {text} b", connection.secrets) == "a ******** b"
    assert hide("nothing to hide", connection.secrets) == "nothing to hide"


# The emulator, which has its own opinion on signatures and log-ins


def log_ins(mine: Credentials) -> dict[str, Level]:
    return {
        "token": {"auth_token": mine.auth_token},
        "aksk": {"access_key": mine.access_key, "secret_key": mine.secret_key},
        "temporary aksk": {
            "access_key": mine.temporary_access_key,
            "secret_key": mine.temporary_secret_key,
            "security_token": mine.security_token,
        },
        "password": {"username": mine.username, "password": mine.password, "domain_name": mine.domain_name},
        "cloud": {"cloud": "emulated"},
    }


@pytest.mark.parametrize("method", ["token", "aksk", "temporary aksk", "password", "cloud"])
def test_the_emulator_lets_every_method_in(method: str, clouds: t.Callable[[object], None]) -> None:
    with Emulator("document") as emulator:
        mine = emulator.credentials
        clouds(
            {
                "emulated": {
                    "auth": {
                        "auth_url": emulator.iam_url,
                        "username": mine.username,
                        "password": mine.password,
                        "user_domain_name": mine.domain_name,
                        "project_domain_name": mine.domain_name,
                        "project_name": mine.project_name,
                    }
                }
            }
        )
        options: Level = {"auth_url": emulator.iam_url, "project_name": mine.project_name}
        if method not in ("password", "cloud"):
            options["endpoint"] = emulator.endpoint
        connection = connect({**options, **log_ins(mine)[method]}, where=HOST)
        assert connection.base_url() == emulator.endpoint
        assert connection.project() == mine.project_id
        query = canonical_query([("type", "train"), ("type", "infer"), ("ascend", True), ("sort", "create_time")])
        pool = emulator.state()["pools"][0]["id"]
        answer = requests.get(
            f"{connection.base_url()}/v2/{connection.project()}/pools/{pool}/workloads?{query}",
            auth=connection.auth,
            timeout=10,
        )
        assert answer.status_code == 200
        assert emulator.requests[-1]["auth"] == ("token" if method in ("password", "cloud") else method)


@pytest.mark.parametrize("method", ["token", "aksk", "temporary aksk", "password"])
def test_the_emulator_refuses_what_is_wrong(method: str) -> None:
    with Emulator("document") as emulator:
        mine = emulator.credentials
        place = {"auth_url": emulator.iam_url, "project_name": mine.project_name, "endpoint": emulator.endpoint}
        secret = {"token": "auth_token", "aksk": "secret_key", "temporary aksk": "security_token"}.get(method, method)
        connection = connect({**place, **log_ins(mine)[method], secret: "wr0ng-S3CR3T"}, where=HOST)
        with pytest.raises(ApiError, match="answered 401") as failure:
            connection.project()
        assert len(emulator.requests) == 1
    assert failure.value.status == 401
    assert not leaked(str(failure.value.as_result()))


# TLS, proxies and other people's files


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    return certified(tmp_path_factory.mktemp("tls") / "iam.pem")


@pytest.mark.parametrize(
    "options", [{**KEYS, "region": "eu-de"}, {**PASSWORD, "region": "eu-de"}], ids=["keys", "password"]
)
def test_certificates_are_verified(
    options: Level, certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    answer: t.Callable[[Seen], Answer] = lambda seen: login() if seen.method == "POST" else projects(("p9", "eu-de"))  # noqa: E731
    with ScriptedIam(answer, tls=tls) as iam:
        given = {**options, "auth_url": iam.url}
        with pytest.raises(TransportError, match=r"certificate verify failed.*ca_path"):
            connect(given, where=HOST).project()
        (tmp_path / "junk.pem").write_text("no certificate")
        with pytest.raises(InputError, match="ca_path on target-7 names a file without a certificate"):
            connect({**given, "ca_path": str(tmp_path / "junk.pem")}, where=HOST).project()
        assert iam.seen == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle")
        assert connect({**given, "ca_path": str(certificate)}, where=HOST).project()
        with pytest.warns(Warning, match="Unverified HTTPS request"):
            assert connect({**given, "validate_certs": False}, where=HOST).project()
    assert len(iam.seen) == 2
    assert not any(seen.headers.get("authorization", "").startswith("Basic") for seen in iam.seen)


@pytest.mark.parametrize("options", [{**KEYS, "region": "eu-de"}, PASSWORD], ids=["keys", "password"])
def test_no_proxy_hears_loopback(options: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    answer: t.Callable[[Seen], Answer] = lambda seen: login() if seen.method == "POST" else projects(("p9", "eu-de"))  # noqa: E731
    with ScriptedIam((200, {}, {})) as proxy, ScriptedIam(answer) as iam:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert connect({**options, "auth_url": iam.url}, where=HOST).project()
    assert proxy.seen == []
    assert iam.seen
