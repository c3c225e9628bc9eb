# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential type of a store of claims, as AWX's own injector puts it into the environment of a job."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from awx_plugins.interfaces._temporary_private_api import ManagedCredentialType
from awx_plugins.interfaces._temporary_private_container_api import CONTAINER_ROOT
from awx_plugins.interfaces._temporary_private_credential_api import Credential
from awx_plugins.interfaces._temporary_private_inject_api import inject_credential
from conftest import COLLECTION

STORE = {"store": "postgresql://poolgate@db.example.com/poolgate?sslmode=verify-full", "password": "of-the-store"}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


class TextOfAwx(yaml.SafeLoader):
    """Reads the files as Ansible does."""


TextOfAwx.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(t.cast(yaml.ScalarNode, node)))


def injected(folder: Path, **inputs: str) -> dict[str, str]:
    text = (COLLECTION / "extensions" / "awx" / "credential_types.yml").read_text(encoding="utf-8")
    types = yaml.load(text, TextOfAwx)["controller_credential_types"]
    (kind,) = [one for one in types if one["name"] == "ModelArts claim store"]
    env: dict[str, t.Any] = {}
    (folder / "env").mkdir()
    inject_credential(
        ManagedCredentialType("", kind["name"], kind["kind"], kind["inputs"], kind["injectors"]),
        Credential({**STORE, **inputs}),
        env,
        {},
        [],
        str(folder),
    )
    return env


@pytest.mark.parametrize("given", [{}, {"root_certificate": ""}])
def test_without_a_certificate_libpq_looks_where_it_always_does(tmp_path: Path, given: dict[str, str]) -> None:
    env = injected(tmp_path, **given)
    assert (env["MODELARTS_CLAIM_STORE"], env["PGPASSWORD"]) == (STORE["store"], STORE["password"])
    # An empty variable is none to libpq. An empty file would be a list of authorities, without any.
    assert env["PGSSLROOTCERT"] == ""


def test_the_certificate_is_in_the_file_that_libpq_is_told_of(tmp_path: Path) -> None:
    name = injected(tmp_path, root_certificate=CERTIFICATE)["PGSSLROOTCERT"]
    assert name.startswith(f"{CONTAINER_ROOT}/")
    file = Path(name.replace(CONTAINER_ROOT, str(tmp_path), 1))
    assert file.read_text(encoding="utf-8").strip() == CERTIFICATE.strip()
