# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in Chromium: what it loads, says and shows, and whether everybody can read it.

The session `browser` of noxfile.py runs this, and names the browser in the variable CHROMIUM.
"""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.tests.unit import reports
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
WIDTHS = (360, 1280)
SCHEMES: tuple[t.Literal["light", "dark"], ...] = ("light", "dark")
OPENS_WITHIN_MS = 20_000.0

Folders = dict[str, Path]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """A report of every case."""
    written = {case: tmp_path_factory.mktemp(case) for case in reports.CASES}
    for case, folder in written.items():
        reports.write(folder, case)
    return written


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser) -> Iterator[t.Callable[..., Page]]:
    """Opens a page in a context of its own; what it requests and says is in its ``seen``."""
    contexts = []

    def open_page(file: Path, **options: t.Any) -> Page:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url))
        page.on("console", lambda message: seen.append(message.text))
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.goto(file.as_uri(), timeout=OPENS_WITHIN_MS)
        page.seen = seen  # type: ignore[attr-defined]
        return page

    yield open_page
    for context in contexts:
        context.close()


def overflow(page: Page) -> int:
    """How many pixels wider than the window the page is."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def violations(page: Page) -> list[str]:
    """What axe-core finds: its rule and the first element."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    found = Axe().run(page).response
    assert found["passes"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found["violations"]]


@pytest.mark.parametrize("case", reports.CASES)
def test_it_loads_nothing_says_nothing_and_needs_no_script(folders: Folders, opened: t.Any, case: str) -> None:
    file = folders[case] / "report.html"
    page = opened(file, java_script_enabled=False)
    assert page.locator("h1").is_visible()
    assert page.locator("h2").count() >= 3
    assert page.seen == [file.as_uri()]


def test_what_gets_into_the_page_by_mistake_is_stopped(folders: Folders, opened: t.Any, tmp_path: Path) -> None:
    """The page's own policy holds, and the tests see when something is loaded."""
    page = (folders["room"] / "report.html").read_text(encoding="utf-8")
    strange = "<img src='http://127.0.0.1:9/x'><script>document.title = 'ran'</script><b style='color: red'>x</b>"
    changed = tmp_path / "changed.html"
    changed.write_text(page.replace("<main>", f"<main>{strange}"), encoding="utf-8")
    page = opened(changed)
    assert page.title() != "ran"
    assert len([said for said in page.seen if "Content Security Policy" in said]) == 3


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("case", ["room", "several", "hostile"])
def test_everybody_can_read_it(folders: Folders, opened: t.Any, case: str, scheme: str) -> None:
    page = opened(folders[case] / "report.html", color_scheme=scheme)
    assert violations(page) == []


@pytest.mark.parametrize("case", ["hopeless", "thousand"])
def test_everybody_can_read_the_others(folders: Folders, opened: t.Any, case: str) -> None:
    """In one scheme, as their colours are the same."""
    assert violations(opened(folders[case] / "report.html", color_scheme="dark")) == []


def test_axe_sees_what_is_wrong(folders: Folders, opened: t.Any) -> None:
    page = opened(folders["room"] / "report.html")
    page.evaluate("document.documentElement.removeAttribute('lang'); document.body.style.color = '#ddd'")
    assert {rule.partition(":")[0] for rule in violations(page)} >= {"html-has-lang", "color-contrast"}


def test_the_dark_scheme_is_dark(folders: Folders, opened: t.Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    shades = [max(opened(folders["room"] / "report.html", color_scheme=scheme).evaluate(paper)) for scheme in SCHEMES]
    assert shades[0] > 230
    assert shades[1] < 40


@pytest.mark.parametrize("case", reports.CASES)
def test_it_fits_its_window(folders: Folders, opened: t.Any, case: str) -> None:
    page = opened(folders[case] / "report.html")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert (width, overflow(page)) == (width, 0)


@pytest.mark.parametrize("case", reports.CASES)
def test_it_shows_what_report_json_has(folders: Folders, opened: t.Any, case: str) -> None:
    document = json.loads((folders[case] / "report.json").read_text(encoding="utf-8"))
    page = opened(folders[case] / "report.html")
    assert page.locator("h1 .word").inner_text() == document["decision"].upper()
    expected = [
        {"total": one["total"]}
        | {name: one[name] for name in ("used", "unplaced", "need", "kept", "left", "missing") if one[name]}
        for pool in document["pools"]
        for one in pool["resources"]
    ]
    read = (
        "rows => rows.map(row => [...row.querySelectorAll('data')].map(d => [d.className.slice(2), Number(d.value)]))"
    )
    assert [dict(row) for row in page.eval_on_selector_all(".room > li", read)] == expected
    for reason in document["reasons"][:3]:
        assert page.get_by_text(" ".join(reason.split())[:40]).first.is_visible()
    drawn = page.eval_on_selector_all(
        ".nodes .n, .dense .n", "all => all.filter(each => each.getBoundingClientRect().width > 15).length"
    )
    shown = [len(pool["nodes"]) for pool in document["pools"] if pool["nodes"] and len(pool["nodes"]) <= 2000]
    assert drawn == sum(shown)
    alike = page.eval_on_selector_all("data.v-nodes", "all => all.map(each => Number(each.value))")
    assert sum(alike) == sum(
        len(pool["nodes"]) for pool in document["pools"] if pool["nodes"] and len(pool["nodes"]) > 64
    )


def test_the_keyboard_reaches_what_can_be_used(folders: Folders, opened: t.Any) -> None:
    page = opened(folders["several"] / "report.html")
    for number in range(1, 1 + page.locator("table a").count()):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == f"#pool-{number}"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == f"#pool-{number}"
    assert page.evaluate("document.querySelector(':target').getBoundingClientRect().top") < 800


def test_what_is_left_out_of_a_long_queue_opens_without_a_script(folders: Folders, opened: t.Any) -> None:
    page = opened(folders["thousand"] / "report.html", java_script_enabled=False)
    row = page.get_by_role("row", name="sweep-77")
    assert not row.is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert row.is_visible()


def test_on_paper_it_is_black_on_white_and_short(folders: Folders, opened: t.Any) -> None:
    page = opened(folders["room"] / "report.html", color_scheme="dark")
    page.emulate_media(media="print")
    colours = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.pdf(format="A4").count(b"/Type /Page\n") in (1, 2)
