# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML page: one harmless file with the figures of the document, in which text of the API stays text."""

from __future__ import annotations

import re
import typing as t
from unittest import mock

import jinja2
import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.pages import HARMLESS, parsed, tag_of, text_of
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, observed
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import pool as pool_of

LARGEST_PAGE = 300_000


@pytest.mark.parametrize("case", reports.CASES)
def test_the_page_has_the_figures_of_the_document(made: t.Any, case: str) -> None:
    document = made[case][0]
    tree = parsed(html_page(document))
    shown = [(each.get("class"), each.get("value")) for each in tree.iter("data") if each.get("class")]
    figures = {(f"v-{name}", str(figure)) for pool in document["pools"] for one in pool["resources"]
               for name, figure in one.items() if name not in ("resource", "free") and figure}  # fmt: skip
    assert {entry for entry in shown if entry[0] != "v-nodes" and entry[1] != "0"} == figures
    for pool in document["pools"]:
        if pool["nodes"] and len(pool["nodes"]) > 64:
            assert sum(int(value) for kind, value in shown if kind == "v-nodes") == len(pool["nodes"])
    assert document["decision"].upper() in text_of(next(tree.iter("h1")))
    assert [text_of(reason) for reason in tree.iter("li") if text_of(reason) in document["reasons"]] or (
        document["decision"] == "admit"
    )


@pytest.mark.parametrize("case", reports.CASES)
def test_the_page_is_one_file_without_anything_that_runs(made: t.Any, case: str) -> None:
    page = html_page(made[case][0])
    tree = parsed(page)
    for element in tree.iter():
        assert tag_of(element) in HARMLESS
        for name, value in element.attrib.items():
            assert not str(name).startswith("on")
            assert "style" not in str(name)
            assert not str(name).endswith(("href", "src")) or value.startswith("#")
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert not re.search(r"https?:|url\((?!#)", page)
    assert len(page.encode()) < LARGEST_PAGE
    assert tree.get("lang") == "en"
    assert text_of(next(tree.iter("title"))).startswith(made[case][0]["decision"].upper())


def test_text_of_the_api_stays_text_on_the_page(made: t.Any) -> None:
    page = html_page(made["hostile"][0])
    line = one_line(reports.HOSTILE)
    tree = parsed(page)
    assert text_of(tree).count(line) > 8
    assert not {"script", "code"} & {tag_of(element) for element in tree.iter()}
    assert not [character for character in page if not character.isprintable() and character != "\n"]
    for element in tree.iter():
        if line in (element.text or "") and tag_of(element) not in ("bdi", "title"):
            raise AssertionError(f"{tag_of(element)} has text of the API that can turn its direction")


def labelled(label: str) -> t.Any:
    """The document on a pool with this display name."""
    asked = [({"resources": {GPU: 1}}, observed(reports.nodes_of(8), pool_document=pool_of(label=label)))]
    return reports.report_of(asked)[0]


@pytest.mark.parametrize(
    "label",
    [
        *("{{ 7*7 }}", "{% set x = 1 %}{{ x }}", "{# gone #}", "{% raw %}", "{{ page.symbols }}", "{%- endmacro -%}"),
        *("</title><script>alert(1)</script>", "</style>", "<!--", "&lt;b&gt;", "\"'><b onload=x>"),
    ],
)
def test_what_looks_like_a_template_or_markup_stays_text(label: str) -> None:
    tree = parsed(html_page(labelled(label)))
    assert text_of(next(tree.iter("title"))) == f"ADMIT {label}: capacity gate"
    assert text_of(next(tree.iter("h1"))) == f"ADMIT {label}: it fits now"


def test_nothing_is_compiled_but_the_template_of_the_page(made: t.Any) -> None:
    """Once it is, Jinja sees values alone."""
    html_page(made["room"][0])
    with mock.patch.object(jinja2.Environment, "compile", side_effect=AssertionError("compiled")):
        assert reports.HOSTILE[:8] not in html_page(made["hostile"][0])


def test_the_title_of_the_page_hides_what_its_text_hides() -> None:
    """The password of a URL was hidden in the heading, and not in the name of the window."""
    page = html_page(labelled("https://mara:hunter2@example.com/"))
    assert "hunter2" not in page
    assert page.count("https://********@example.com/") >= 2
