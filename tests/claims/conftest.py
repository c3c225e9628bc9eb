# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of the tests' own, on the loopback interface, where the programs of one are."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
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
