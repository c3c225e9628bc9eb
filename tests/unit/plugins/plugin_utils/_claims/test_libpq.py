# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of PostgreSQL: they are read as libpq does, secrets of all its ways are known, and TLS is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.libpq import read_database_url

PASSWORD = "Zq7vaultx9kk"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://poolgate:Zq7vault@x9kk@db/poolgate",
        "postgresql://poolgate:12/34vault@db/poolgate",
        "postgresql://poolgate:12?34vault@db/poolgate",
        "postgresql://poolgate:Zq7vau#x9kk@db/poolgate",
        "postgresql://poolgate:Zq7vau x9kk@db/poolgate",
        "postgresql://poolgate:Zq7%41vault%ZZx9@db/poolgate",
        "postgresql://poolgate:Zq7%00vault@db/poolgate",
        "postgresql://poolgate@db/poolgate?password=Zq7vault&x9kk",
        "postgresql://poolgate@db/poolgate?password=Zq7vault&x9kk=1",
        "postgresql://poolgate@db/poolgate?password=Zq7vault=x9kk",
        "postgresql://poolgate@db/poolgate?passwrd=Zq7vaultx9kk",
        "postgresql://poolgate@db/poolgate?PASSWORD=Zq7vaultx9kk",
        "postgresql://db/host=x%20password=Zq7vaultx9kk",
        "postgresql://db:54a2/poolgate",
        "postgresql://[db/poolgate",
    ],
)
def test_what_libpq_would_take_otherwise_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(InputError) as error:
        read_database_url(url, {})
    assert not any(part in error.value.message for part in ("Zq7", "vault", "x9", "54a2", "[db"))


def test_several_hosts_with_ports() -> None:
    assert read_database_url("postgresql://h1:5432,h2:5433/db", {}).shown == "postgresql://h1:5432,h2:5433/db"
    assert read_database_url("postgresql://u:p%40ssword@[::1]:5433,h2/db", {}).shown == "postgresql://[::1]:5433,h2/db"
    assert read_database_url("postgresql:///poolgate?host=h1,h2&port=5432,5433", {}).shown == "postgresql:///poolgate"


def test_a_password_is_that_which_libpq_reads() -> None:
    assert read_database_url("postgresql://u:a+b:c%2Bvault@db/x", {}).secrets == ("a+b:c+vault",)
    assert read_database_url("postgresql://db/x?password=a+b%2Bvault&p%61ssword=other+one", {}).secrets == (
        "other+one",
    )


def test_passwords_beside_the_url_are_known(tmp_path: Path) -> None:
    """They come back in the errors of a server or a pooler as well."""
    (tmp_path / ".pgpass").write_text(
        "# of mine\ndb:5432:*:poolgate:Zq7\\:vault\\\\x\n*:*:*:*:train\nother:*:*:*:of-another-9k\n"
    )
    (tmp_path / "services").write_text("[other]\npassword=not-this-one\n[mine]\nhost=db\npassword=of-service-9k\n")
    environment = {"HOME": str(tmp_path), "PGPASSWORD": PASSWORD, "PGSERVICEFILE": str(tmp_path / "services")}
    found = read_database_url("postgresql://poolgate@db/poolgate?service=mine", environment)
    assert set(found.secrets) == {PASSWORD, "Zq7\\:vault\\\\x", "Zq7:vault\\x", "of-service-9k"}
    assert found.weak_secrets == ("train",), "an ordinary word is not hidden everywhere"
    elsewhere = {"HOME": "/missing", "PGPASSFILE": str(tmp_path / ".pgpass")}
    assert "Zq7:vault\\x" in read_database_url("postgresql://db/poolgate", elsewhere).secrets
    assert read_database_url("postgresql://db/poolgate", {"HOME": "/missing"}).secrets == ()


@pytest.mark.parametrize(
    ("url", "environment", "is_asked_for"),
    [
        ("postgresql://db.example.com/x", {}, True),
        ("postgresql://192.0.2.2:5432/x", {}, True),
        ("postgresql://127.0.0.1,db.example.com/x", {}, True),
        ("postgresql:///x?host=db.example.com", {}, True),
        ("postgresql://localhost/x?hostaddr=192.0.2.2", {}, True),
        ("postgresql:///x", {"PGHOST": "db.example.com"}, True),
        ("postgresql:///x", {"PGHOSTADDR": "192.0.2.2"}, True),
        ("postgresql://db.example.com/x?sslmode=", {}, True),
        ("postgresql://db.example.com/x", {"PGSSLMODE": ""}, True),
        ("postgresql://db.example.com/x?sslmode=verify-full", {}, False),
        ("postgresql://db.example.com/x?sslmode=disable", {}, False),
        ("postgresql://db.example.com/x?ssl=true", {}, False),
        ("postgresql://db.example.com/x", {"PGSSLMODE": "verify-full"}, False),
        ("postgresql:///x", {}, False),
        ("postgresql://localhost:5432/x", {}, False),
        ("postgresql://127.0.0.1:5432,[::1]:5433/x", {}, False),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/x", {}, False),
        ("postgresql:///x?host=/var/run/postgresql", {"PGHOST": "db.example.com"}, False),
    ],
)
def test_tls_is_asked_for_off_this_machine_unless_it_is_written(
    url: str, environment: dict[str, str], is_asked_for: bool
) -> None:
    options = read_database_url(url, {"HOME": "/missing", **environment}).options
    assert options == ({"sslmode": "require"} if is_asked_for else {})


def test_a_service_has_its_own_sslmode(tmp_path: Path) -> None:
    """What is given beside the URL would be in the place of a stricter one."""
    services = tmp_path / "pg_service.conf"
    services.write_text(
        "[strict]\nhost=db\nsslmode=verify-full\n\n[plain]\n# sslmode=disable\nhost = db\n[here]\nport=5\n[directory]\nldap://ldap.example.com/x\n"
    )
    environment = {"HOME": "/missing", "PGSYSCONFDIR": str(tmp_path)}
    with pytest.raises(InputError, match="in no file which can be read"):
        read_database_url("postgresql:///x?service=directory", environment)
    for name, options in (("strict", {}), ("plain", {"sslmode": "require"}), ("here", {})):
        assert read_database_url("postgresql:///x", {**environment, "PGSERVICE": name}).options == options
    with pytest.raises(InputError, match="in no file which can be read"):
        read_database_url("postgresql:///x?service=missing", environment)
    assert read_database_url("postgresql:///x?service=missing&sslmode=require", environment).options == {}
