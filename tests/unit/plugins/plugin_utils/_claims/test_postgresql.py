# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL without a server: which library is taken, and what errors mean. tests/claims has a real one."""

from __future__ import annotations

import socket
import threading
import types
import typing as t
from collections.abc import Sequence

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims import postgresql
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import (
    AnswerLostError,
    StoreError,
)
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
    connection: t.Any = postgresql.connect_to_postgresql(read_location(f"postgresql://db/poolgate{url}"))
    assert ("connect_timeout" in connection._session.options) == given
    assert connection._session.autocommit is True
    assert connection._session.prepare_threshold is None


def test_a_server_that_does_not_answer_is_cut_off(
    library: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq itself waits for ever."""
    monkeypatch.setattr(postgresql, "_MOST_SECONDS", 0.05)
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
