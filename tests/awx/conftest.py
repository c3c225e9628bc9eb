# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud that is emulated, and an AWX that somebody has configured who followed the guide.

The nox session `awx` says in the environment where the collections are and where the artifact is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from controller import TOKEN, Controller, Document
from jobs import Awx
from run_guides import Reader, blocks_of

COLLECTIONS = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"])
COLLECTION = COLLECTIONS / "ansible_collections" / "poolgate" / "modelarts"
ARTIFACT = Path(os.environ["COLLECTION_ARTIFACT"])
GUIDE = COLLECTION / "docs" / "docsite" / "rst" / "guide_awx.rst"

# Such as generators of passwords make, with what has to be quoted somewhere.
CREDENTIALS = {
    "password": "Pa55%w/rd+\"quoted\"&'single'<>\\back=slash",
    "secret_key": "SecretKeyOf/Fourty+Characters0123456789==",
    "temporary_secret_key": "TemporarySecretKey/Of+Characters98765432==",
    "security_token": "SecurityTokenOf/Temporary+Keys==0123456789abcdef",
    "auth_token": "MIIStaticTokenOf/Keystone+Like_Text-0123456789",
}


@pytest.fixture(scope="session", autouse=True)
def _without_credentials_of_the_machine() -> None:
    """ansible-runner starts from the environment of its process, which for AWX is an empty container's."""
    for name in list(os.environ):
        if re.match(r"(OS|HW|HUAWEICLOUD_SDK|MODELARTS)_", name):
            del os.environ[name]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    demo = COLLECTION / "playbooks" / "emulator" / "scenarios" / "demo.json"
    scenario: Document = json.loads(demo.read_text(encoding="utf-8"))
    with Emulator({**scenario, "timeline": [], "credentials": CREDENTIALS}) as running:
        yield running


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that the guide's reader begins."""
    return tmp_path_factory.mktemp("reader") / "project"


@pytest.fixture(scope="session")
def controller(project: Path) -> Iterator[Controller]:
    with Controller(project) as running:
        yield running


@pytest.fixture(scope="session")
def reader(controller: Controller, emulator: Emulator, project: Path) -> Reader:
    """Somebody who has done what the guide says, in a home with nothing but the artifact and the secrets."""
    shutil.copy(ARTIFACT, project.parent)
    reader = Reader(GUIDE, project.parent, emulator.state(), writes=False)
    (reader.home / ".secrets" / "awx-token").write_text(TOKEN, encoding="utf-8")
    text = GUIDE.read_text(encoding="utf-8").replace("https://awx.example.com", controller.url)
    reader.read(blocks_of(text.split("\n")))
    assert reader.problems == []
    return reader


@pytest.fixture
def awx(reader: Reader, controller: Controller, tmp_path: Path) -> Awx:
    """The AWX that the guide has configured. Its jobs have the environment that an execution environment gives."""
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "no_proxy": "127.0.0.1",
    }
    (tmp_path / "jobs").mkdir()
    return Awx(controller, environment, tmp_path / "jobs")
