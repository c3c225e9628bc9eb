# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What options must look like, in one sentence each."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import CheckedOptions
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import PASSWORD, REFERENCE, SECRETS, leaked
from hypothesis import given, settings
from hypothesis import strategies as st

HOST = "target-7"
KEYS = {"access_key": "AK1", "secret_key": SECRETS["secret_key"]}
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
Level = dict[str, t.Any]


def test_each_option_has_the_type_of_its_specification() -> None:
    kinds = {name: {"path": "str"}.get(option["type"], option["type"]) for name, option in CONNECTION_OPTIONS.items()}
    assert {name: kind.__forward_arg__ for name, kind in CheckedOptions.__annotations__.items()} == kinds


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


@pytest.mark.parametrize("written", ["/x/$OS_TOKEN", "/x/${OS_TOKEN}/ca.pem"])
def test_no_path_shows_a_secret_of_the_environment(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers a survey may write a path, and no template."""
    monkeypatch.setenv("OS_TOKEN", "sesame-of-another")
    with pytest.raises(InputError) as failure:
        connect({**PLACE, **KEYS, "ca_path": written}, where=HOST)
    assert "the environment variable OS_TOKEN, which may hold a secret" in failure.value.message
    assert "sesame" not in failure.value.message


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


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)
