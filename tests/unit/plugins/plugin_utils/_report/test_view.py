# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page shows of many pools."""

from __future__ import annotations

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.markdown import markdown
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.pages import parsed
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, observed

LARGEST_PAGE = 300_000


def test_of_many_pools_those_that_came_closest_are_shown() -> None:
    asked = [
        ({"resources": {GPU: 16 if number < 150 else 4}}, observed(reports.nodes_of(8, 0))) for number in range(200)
    ]
    for number, (_request, facts) in enumerate(asked):
        facts["pool_name"] = f"pool-{number}-3c7e52d1f0984b6a8e5d2b7c41a96f03"
    document, verdicts = reports.report_of(asked)
    page = html_page(document)
    tree = parsed(page)
    assert len(page.encode()) < LARGEST_PAGE
    sections = [each.get("id") for each in tree.iter("section") if each.get("id")]
    assert sections == [f"pool-{number + 1}" for number in range(150, 170)]
    assert [each.get("href") for each in tree.iter("a")] == [f"#{name}" for name in sections]
    assert len(next(iter(tree.iter("table"))).findall(".//tr")) == 201
    text = markdown(document, verdicts)
    assert text.count("```text") == 1
    assert "50 of 200 pools have room:" in text
