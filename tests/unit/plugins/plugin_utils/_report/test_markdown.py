# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Markdown of a report, in which text of the API stays text."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.markdown import markdown
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.pages import HARMLESS, parsed, tag_of, text_of
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, observed
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import pool as pool_of
from markdown_it import MarkdownIt


def test_text_of_the_api_stays_text_in_markdown(made: t.Any) -> None:
    text = markdown(*made["hostile"])
    assert not [character for character in text if not character.isprintable() and character != "\n"]
    tree = parsed(f"<!DOCTYPE html><title>x</title>{MarkdownIt('gfm-like', {'linkify': False}).render(text)}")
    for element in tree.iter():
        assert tag_of(element) in {*HARMLESS, "pre", "code"}
    for element in [each for each in tree.iter() if tag_of(each) in ("pre", "code")]:
        tail, kind = element.tail, element.tag
        element.clear()
        element.tail, element.tag = tail, kind
    rest = text_of(tree)
    assert "REJECT" in rest
    assert not [word for word in ("script", "@all", "7*7", "/close", "gnp") if word in rest]


def test_a_name_cannot_end_the_block_of_code() -> None:
    label = f"{'x' * 74} ```` {'y' * 79} <b>out</b>"
    document, verdicts = reports.report_of(
        [({"resources": {GPU: 1}}, observed(reports.nodes_of(8), pool_document=pool_of(label=label)))]
    )
    text = markdown(document, verdicts)
    assert "\n````\n" in text
    assert "<b>" not in MarkdownIt("gfm-like", {"linkify": False}).render(text)


def test_a_bar_in_the_name_of_a_resource_ends_no_cell() -> None:
    document, verdicts = reports.report_of(
        [({"resources": {"odd|`*\\|<b>": 1, GPU: 1}}, observed(reports.nodes_of(8)))]
    )
    tree = parsed(
        "<!DOCTYPE html><title>x</title>"
        + MarkdownIt("gfm-like", {"linkify": False}).render(markdown(document, verdicts))
    )
    rows = [[text_of(cell) for cell in row] for row in tree.iter("tr")]
    assert {len(row) for row in rows} == {8}
    assert "odd|`*\\|<b>" in [row[0] for row in rows]
