# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of the tests' own, on the loopback interface, where the programs of one are."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The server refuses to run as root; Debian's package makes this user.
_USER = "postgres"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian does not put into the path; that of the newest version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    named = shutil.which("pg_ctl")
    return folders[-1] if folders else Path(named).parent if named else None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server, without a database."""
    folder = programs()
    assert folder is not None, "there is no PostgreSQL here"
    place = Path(tempfile.mkdtemp(prefix="poolgate-"))
    user = _USER if os.geteuid() == 0 else None
    if user is not None:
        os.chown(place, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)

    def run(program: str, *words: str) -> None:
        subprocess.run([str(folder / program), *words], check=True, user=user, cwd=place, stdout=subprocess.DEVNULL)

    port = free_port()
    run("initdb", "-D", str(place / "data"), "-A", "trust", "-U", "poolgate")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c max_connections=60 -k {place}"
    run("pg_ctl", "-D", str(place / "data"), "-l", str(place / "log"), "-o", options, "-w", "start")
    try:
        yield f"postgresql://poolgate@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", str(place / "data"), "-m", "immediate", "stop")
        shutil.rmtree(place)


@pytest.fixture
def ascii_database(server: str, request: pytest.FixtureRequest) -> str:
    """A database that tells no encoding, as initdb makes it with the locale C."""
    import psycopg

    name = f"ascii_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    return f"{server}/{name}"


@pytest.fixture
def stopped(server: str) -> Iterator[Callable[[], None]]:
    """Stop all processes of the server, until the test is over."""
    stopped: list[int] = []

    def children_of(process: int) -> list[int]:
        said = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout
        return [int(word) for word in said.split()]

    def stop() -> None:
        import psycopg

        with psycopg.connect(f"{server}/postgres") as session:
            folder = session.execute("SHOW data_directory").fetchone()
        assert folder is not None
        process = int((Path(folder[0]) / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        for one in (process, *children_of(process)):
            with contextlib.suppress(ProcessLookupError):  # a session's process that has just ended
                os.kill(one, signal.SIGSTOP)
                stopped.append(one)

    try:
        yield stop
    finally:
        for one in reversed(stopped):
            os.kill(one, signal.SIGCONT)


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """A database of its own for each test. By parameter, one of stricter isolation."""
    import psycopg

    name = f"claims_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
        isolation = getattr(request, "param", None)
        if isolation:
            session.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
    return f"{server}/{name}"


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/claims.db"
