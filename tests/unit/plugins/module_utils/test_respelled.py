# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in a form that no list of spellings has, and what is issued beside what is given."""

from __future__ import annotations

import datetime
import html
import json
import re
import time
import typing as t
from base64 import b64encode
from urllib.parse import quote

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils import _secrets
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

TOKEN = "MIIFtokenAbCdEfGh+ijk/lmnOPqrstuvwx=="
PASSWORDS = ("Pa&ss<word>12", "q'tests\"secret\\w0rd", "1+1=2 und 'drei'", "geh\u00e4im\U0001f600=")


class Owner:
    def __init__(self, *secrets: str) -> None:
        self._own = secrets

    def secrets(self) -> tuple[str, ...]:
        return self._own

    def passing_secrets(self) -> tuple[str, ...]:
        return ()


def as_gson_writes(text: str) -> str:
    return re.sub("[=&<>']", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text)[1:-1])


FORMS: dict[str, t.Callable[[str], str]] = {
    "gson": as_gson_writes,
    "gson twice": lambda text: as_gson_writes(as_gson_writes(text)),
    "json in gson": lambda text: as_gson_writes(json.dumps(text)[1:-1]),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent thrice": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "percent in json": lambda text: as_gson_writes(quote(text, safe="")),
    "entities": html.escape,
    "numbers of entities": lambda text: "".join(f"&#{ord(one)};" if not one.isalnum() else one for one in text),
    "hex of entities": lambda text: "".join(f"&#x{ord(one):X};" if not one.isalnum() else one for one in text),
    "all escaped": lambda text: re.sub("(....)", r"\\u\1", text.encode("utf-16-be").hex().upper()),
    "python": lambda text: repr(text + "'\"")[1:-4],
    "wrapped": lambda text: text[:3] + "\r\n   " + text[3:],
    "wrapped in json": lambda text: json.dumps(text[:3] + "\n" + text[3:])[1:-1],
    "not seen": lambda text: text[:3] + "\u00ad" + text[3:],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [TOKEN, *PASSWORDS])
def test_a_secret_is_hidden_in_every_form(secret: str, form: str) -> None:
    owner = Owner(secret)
    _secrets.hide_secrets_of(owner)
    written = FORMS[form](secret)
    assert one_line(f"a header <{written}> was wrong") == "a header <********> was wrong"
    assert one_line(f"it is {written}") == "it is ********"


@pytest.mark.parametrize("length", [18, 20, 30])
def test_the_beginning_of_a_token_is_hidden(length: int) -> None:
    owner = Owner(TOKEN)
    _secrets.hide_secrets_of(owner)
    assert one_line(f"token {TOKEN[:length]}...") == "token ********..."


@pytest.mark.parametrize("start", ["", "u:", "user:"])
@pytest.mark.parametrize("secret", ['q-tests"secret\\w0rd', "M\u00fcllers-Geheimnis-2026", "a/long+one/of=some&length"])
def test_a_secret_that_is_quoted_within_base64_is_hidden(secret: str, start: str) -> None:
    """As a server does that repeats the body of a login: in JSON or a form, in one line or wrapped, for URLs or not."""
    owner = Owner(secret)
    _secrets.hide_secrets_of(owner)
    for body in (secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), quote(secret, safe="")):
        packed = b64encode(f"{start}{body} and so on".encode()).decode()
        wrapped = "\n".join(packed[at : at + 19] for at in range(0, len(packed), 19))
        for written in (packed, packed.replace("+", "-").replace("/", "_"), wrapped):
            said = one_line(f"it is {written}")
            assert "********" in said, (body, written)
            # The characters at both ends are of the neighbours as well.
            assert len(said) - len("********") <= len(f"it is {written}") - (4 * ((len(secret) - 2) // 3) - 4), said


@pytest.mark.parametrize(
    "written",
    {
        "UTF-8 as Latin-1": "M\u00c3\u00bcllers-Geheimnis-2026",
        "question mark": "M?llers-Geheimnis-2026",
        "replaced": "M\ufffdllers-Geheimnis-2026",
        "Latin-1 in a URL": "M%FCllers-Geheimnis-2026",
        "entity": "M&uuml;llers-Geheimnis-2026",
        "decomposed": "Mu\u0308llers-Geheimnis-2026",
        "bytes of Python": repr("M\u00fcllers-Geheimnis-2026".encode())[2:-1],
        "Base64 of Latin-1": b64encode("user:M\u00fcllers-Geheimnis-2026".encode("latin-1")).decode(),
        "gson, question mark": "M?llers\\u002dGeheimnis\\u002d2026",
    }.values(),
)
def test_a_secret_with_other_letters_is_hidden_in_another_charset(written: str) -> None:
    owner = Owner("M\u00fcllers-Geheimnis-2026")
    _secrets.hide_secrets_of(owner)
    said = one_line(f"it is {written}")
    assert "********" in said
    for shown in ("Geheim", "2026", b64encode(b"Geheimnis").decode()[1:-4]):
        assert shown not in said


def test_a_piece_of_a_secret_that_is_a_word_of_the_data_is_left() -> None:
    owner = Owner("forbidden\u00fc", "\u00fcavailable")
    _secrets.hide_secrets_of(owner)
    assert one_line("the pool is available, and forbidden") == "the pool is available, and ********"
    facts = {"pool_name": "forbidden"}
    assert _secrets.without_secrets(facts, owner.secrets()) == facts


def test_a_secret_within_base64_is_hidden() -> None:
    secret = "a-password-of-some-length"
    owner = Owner(secret)
    _secrets.hide_secrets_of(owner)
    for user in ("u", "us", "use"):
        shown = one_line(f"Basic {b64encode(f'{user}:{secret}'.encode()).decode()}")
        assert "********" in shown
        assert len(shown) < 30


def test_what_is_no_secret_stays_as_it_is() -> None:
    owner = Owner("letmein-for-tests", TOKEN)
    _secrets.hide_secrets_of(owner)
    for text in ("a\\u003db %41 &amp; c+d", "let me in", "MIIFtoken of another", "C:\\new\\table"):
        assert one_line(text) == text


@pytest.mark.parametrize("piece", ["\\u0025", "%25", "&#38;", "\\\\", "\\n", TOKEN[:18], TOKEN[:-1], "%", "&#", "\\u"])
def test_a_text_of_beginnings_of_escapes_takes_no_time(piece: str) -> None:
    owner = Owner(TOKEN, *PASSWORDS)
    _secrets.hide_secrets_of(owner)
    began = time.process_time()
    one_line(piece * (2**22 // len(piece)))
    # It takes an eighth of a second, and on a busy machine the double of it. What grows with the square takes minutes.
    assert time.process_time() - began < 2


def test_what_was_given_stays_known_whatever_number_of_tokens_is_issued(
    script: t.Callable[..., ScriptedServer],
) -> None:
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)  # about to expire at once
    token = {"catalog": [], "project": {"id": "p1"}, "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    answers = (
        Reply(201, {"token": {**token, "methods": ["password"]}}, {"X-Subject-Token": f"an-issued-token-{number}"})
        for number in range(1000)
    )
    server = script(lambda _seen: next(answers))
    given = {"username": "u", "password": "a-given-password", "domain_name": "d", "project_id": "p1"}
    connection = connect({**given, "auth_url": server.url, "endpoint": server.url}, where="here")
    for _login in range(110):
        connection.auth.login()  # type: ignore[attr-defined]
    assert "a-given-password" in connection.auth.secrets()
    assert "an-issued-token-109" in connection.auth.secrets()
    assert one_line('{"password": "a-given-password"}') == '{"password": "********"}'
