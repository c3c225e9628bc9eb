# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the guides show the report's page as it is today.

A picture depends on the fonts of a machine, so it is the page that is compared: `drawn.json` has the digest of each
page that was drawn. With DRAW=$PWD/docs/docsite/rst/images in the environment,
`.build/venv/bin/nox -s browser -- tests/browser/test_pictures.py` draws them anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
COLLECTION = HERE.parents[1]
EMULATOR = COLLECTION / "playbooks" / "emulator"
GUIDES = COLLECTION / "docs" / "docsite" / "rst"
IMAGES = Path(os.environ.get("DRAW", GUIDES / "images"))
PICTURES = ("room", "refused", "cards", "claims")
# The column of a guide is some 800 pixels wide. The nodes end within this height; jobs and settings come after them.
SIZE = {"width": 1000, "height": 940}
TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?|\d\d:\d\d:\d\d|\d+ s\b")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report's page of each picture, from gates on the emulator."""
    folder = tmp_path_factory.mktemp("reports")
    scenario = json.loads((EMULATOR / "scenarios" / "demo.json").read_text(encoding="utf-8"))
    # A clock that stands still: the jobs have run as long each time.
    scenario["clock"] = {"start": 1_795_776_000, "frozen": True}
    file = folder / "scenario.json"
    file.write_text(json.dumps(scenario))
    options = ("--background", "--parent-pid", str(os.getpid()), "--lifetime", "120", "--scenario", str(file))
    said = subprocess.run([sys.executable, EMULATOR, *options], capture_output=True, check=True, text=True).stdout
    given = json.dumps({"connection": json.loads(said), "folder": str(folder)})
    play = ("ansible-playbook", str(HERE / "pictures.yml"), "--extra-vars", given)
    subprocess.run(play, check=True, env={**os.environ, "no_proxy": "127.0.0.1"})
    return {name: folder / name / "report.html" for name in PICTURES}


def digest_of(page: Path) -> str:
    """The digest of a page without its times."""
    return hashlib.sha256(TIMES.sub("", page.read_text(encoding="utf-8")).encode()).hexdigest()


def draw(pages: dict[str, Path]) -> None:
    """Draw the pictures, and note which pages they show."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
        for name, file in pages.items():
            page: Page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(file.as_uri())
            page.screenshot(path=IMAGES / f"report_{name}.png")
        browser.close()
    (IMAGES / "drawn.json").write_text(json.dumps({name: digest_of(pages[name]) for name in PICTURES}, indent=2) + "\n")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_the_page_of_today(name: str, pages: dict[str, Path]) -> None:
    if os.environ.get("DRAW") and name == PICTURES[0]:
        draw(pages)
    drawn = json.loads((IMAGES / "drawn.json").read_text(encoding="utf-8"))
    assert digest_of(pages[name]) == drawn[name], "The page has changed: draw the pictures anew, see above."
    assert (IMAGES / f"report_{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_every_picture_is_in_a_guide() -> None:
    shown = {name for file in GUIDES.glob("*.rst") for name in re.findall(r"images/(\S+)", file.read_text())}
    assert shown == {file.name for file in IMAGES.glob("*.png")}
