# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL without a server: which library is taken, and what errors mean. tests/claims has a real one."""

from __future__ import annotations

import socket
import threading
import time
import types
import typing as t
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import postgresql
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import store as store_module
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import AnswerLostError, StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import open_store

LOCATION = read_location("postgresql://poolgate@db.example.com/poolgate")


class Error(Exception):
    """What both libraries have: the first calls its state sqlstate, the second pgcode."""

    def __init__(self, said: str, **state: str) -> None:
        super().__init__(said)
        vars(self).update(state)


class Cursor:
    def __init__(self, session: Session) -> None:
        self._session = session
        self.description: t.Any = None
        self.rowcount = -1

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def execute(self, statement: str, values: Sequence[object]) -> None:
        answer = self._session.answers.pop(0)
        self._session.asked.append((statement, values))
        if isinstance(answer, Exception):
            raise answer
        self.rows, self.rowcount, self.description = answer

    def fetchall(self) -> object:
        return self.rows


class Session:
    """A session that answers from a list."""

    answers: t.ClassVar[list[t.Any]] = []
    asked: t.ClassVar[list[t.Any]] = []

    def __init__(self, url: str, **options: object) -> None:
        self.url, self.options = url, options
        self.autocommit = False
        self.prepare_threshold: int | None = 5

    def cursor(self) -> Cursor:
        return Cursor(self)

    def close(self) -> None:
        pass


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    Session.answers, Session.asked = [], []
    made = types.SimpleNamespace(connect=Session, Error=Error)
    monkeypatch.setattr(postgresql, "_psycopg_library", lambda: made)
    return made


def test_statements_take_the_marks_and_the_time_of_postgresql(library: types.SimpleNamespace) -> None:
    Session.answers = [([(17.5, "pool-a", 3, "x")], 1, ["columns"]), ([], 1, None), ([], 0, None)]
    store = open_store(LOCATION)
    assert store.read(["pool-a"]) == (17.5, {"pool-a": (3, "x")})
    assert store.swap("pool-a", 3, "y")
    assert not store.swap("pool-a", 0, "y")
    assert "clock_timestamp()" in Session.asked[0][0]
    assert Session.asked[1][1] == ("y", "pool-a", 3)
    assert all("?" not in statement for statement, _values in Session.asked)


@pytest.mark.parametrize("state", [{"sqlstate": "42P01"}, {"pgcode": "42P01"}])
def test_a_table_that_is_not_there_is_made_by_a_write_alone(
    library: types.SimpleNamespace, state: dict[str, str]
) -> None:
    missing = Error("relation does not exist", **state)
    Session.answers = [missing, ([(17.5, None, 0, None)], 1, ["columns"])]
    store = open_store(LOCATION)
    assert store.read() == (17.5, {})
    assert not any("CREATE" in statement for statement, _values in Session.asked)
    # Two sessions at once: the other one has made it.
    Session.answers = [missing, Error("duplicate key", sqlstate="23505"), ([], 1, None)]
    assert store.swap("pool-a", 0, "x")


def test_a_table_that_the_role_does_not_see_is_no_empty_store(library: types.SimpleNamespace) -> None:
    Session.answers = [Error("relation does not exist", sqlstate="42P01"), ([], 0, ["columns"])] * 2
    with pytest.raises(StoreError, match="a table poolgate_claims that this role does not see"):
        open_store(LOCATION).read()


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_serialization_failure_is_a_lost_swap(library: types.SimpleNamespace, state: str) -> None:
    Session.answers = [Error("could not serialize access", sqlstate=state)]
    assert not open_store(LOCATION).swap("pool-a", 1, "x")


def test_a_lost_connection_is_a_lost_answer(library: types.SimpleNamespace) -> None:
    Session.answers = [Error("server closed the connection unexpectedly\n\tThis probably means")]
    with pytest.raises(AnswerLostError, match="server closed the connection"):
        open_store(LOCATION).swap("pool-a", 1, "x")


def test_a_server_that_refuses_is_told(library: types.SimpleNamespace) -> None:
    def refuse(url: str, **options: object) -> None:
        raise Error("connection refused")

    library.connect = refuse
    with pytest.raises(StoreError, match="postgresql://db.example.com/poolgate could not be asked: connection refused"):
        open_store(LOCATION).read()


def test_without_a_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fail(name: str) -> None:
        asked.append(name)
        raise ImportError(name)

    monkeypatch.setattr(postgresql, "importlib", types.SimpleNamespace(import_module=fail))
    with pytest.raises(StoreError, match=r"install psycopg\[binary\]"):
        open_store(LOCATION).read()
    assert asked == ["psycopg", "psycopg2"]


@pytest.mark.parametrize(("url", "given"), [("", True), ("?connect_timeout=3", False)])
def test_a_time_limit_that_the_url_has_is_left_alone(library: types.SimpleNamespace, url: str, given: bool) -> None:
    connection: t.Any = postgresql.connect_to_postgresql(read_location(f"postgresql://db/poolgate{url}"), 5)
    assert ("connect_timeout" in connection._session.options) == given
    assert connection._session.autocommit is True
    assert connection._session.prepare_threshold is None


def test_a_server_that_does_not_answer_is_cut_off(
    library: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq itself waits for ever."""
    monkeypatch.setattr(store_module, "_MOST_SECONDS", 0.05)
    here, there = socket.socketpair()
    before = threading.active_count()

    class Silent(Cursor):
        def execute(self, statement: str, values: Sequence[object]) -> None:
            if here.recv(1) == b"":
                raise Error("SSL connection has been closed unexpectedly")

    def cursor_of(session: Session) -> Cursor:
        return Silent(session)

    monkeypatch.setattr(Session, "cursor", cursor_of)
    monkeypatch.setattr(Session, "fileno", lambda self: here.fileno(), raising=False)
    with pytest.raises(StoreError, match="closed unexpectedly"):
        open_store(LOCATION).read()
    assert threading.active_count() <= before + 1  # the timer may be about to end
    there.close()
    here.close()


def test_text_is_asked_for_in_one_encoding_and_decoded(library: types.SimpleNamespace) -> None:
    """A database in SQL_ASCII gives bytes, of which str() is another name."""
    Session.answers = [([(17.5, b"pool-a", 3, memoryview(b"x"))], 1, ["columns"])]
    store: t.Any = open_store(LOCATION)
    assert store.read() == (17.5, {"pool-a": (3, "x")})
    assert store._connection._session.options["client_encoding"] == "UTF8"
    Session.answers = [([(17.5, b"pool-\xff", 3, "x")], 1, ["columns"])] * 2
    with pytest.raises(StoreError, match="could not be asked"):
        store.read()


@pytest.mark.parametrize(("host", "given"), [("db.example.com", {"sslmode": "require"}), ("127.0.0.1", {})])
def test_a_password_does_not_go_over_a_network_in_the_clear(
    library: types.SimpleNamespace, host: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    connection: t.Any = postgresql.connect_to_postgresql(read_location(f"postgresql://{host}/poolgate"), 5)
    assert {name: value for name, value in connection._session.options.items() if name == "sslmode"} == given


def test_a_server_that_takes_no_session_is_given_up(library: types.SimpleNamespace) -> None:
    """DNS, and several addresses of a host, are in no limit of libpq's."""
    is_closed = threading.Event()
    connects = threading.Event()

    class Late(Session):
        def close(self) -> None:
            is_closed.set()

    def connect(url: str, **options: object) -> Late:
        connects.wait(10)
        return Late(url)

    library.connect = connect
    began = time.monotonic()
    with pytest.raises(StoreError, match="no session within 0 seconds"):
        postgresql.connect_to_postgresql(LOCATION, 0.1)
    assert time.monotonic() - began < 5
    connects.set()
    assert is_closed.wait(5), "nor is it left open when it comes late"


def test_what_a_thread_raises_is_raised_where_it_is_waited_for(library: types.SimpleNamespace) -> None:
    def connect(url: str, **options: object) -> None:
        raise KeyError("of the library")

    library.connect = connect
    with pytest.raises(KeyError):
        postgresql.connect_to_postgresql(LOCATION, 5)


@pytest.mark.parametrize("way", ["environment", "file", "libpq", "libpq, a word"])
def test_a_password_that_comes_back_in_an_error_is_hidden(
    library: types.SimpleNamespace, way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    password = "train" if way == "libpq, a word" else "Zq7vaultx9kk"
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:*:{password}\n" if way == "file" else "")
    monkeypatch.setenv("PGPASSFILE", str(file))
    monkeypatch.setenv("PGPASSWORD", password if way == "environment" else "")

    def refuse(url: str, **options: object) -> None:
        error = Error(f"FATAL:  no such password: {password}\n")
        if way.startswith("libpq"):
            vars(error).update(pgconn=types.SimpleNamespace(password=password.encode()))
        raise error

    library.connect = refuse
    with pytest.raises(StoreError, match="could not be asked") as error:
        open_store(read_location("postgresql://poolgate@db.example.com/poolgate")).read()
    assert password not in str(error.value)
