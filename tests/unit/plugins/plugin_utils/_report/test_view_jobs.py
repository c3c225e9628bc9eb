# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue and the holders on the page."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.pages import parsed, text_of
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, job, observed


def test_how_many_are_ahead_is_told_beyond_those_listed(made: t.Any) -> None:
    queue = made["thousand"][0]["pools"][0]["queue"]
    assert (queue["waiting"], queue["ahead"], len(queue["jobs"])) == (120, 120, 100)
    tree = parsed(html_page(made["thousand"][0]))
    rows = [text_of(row) for row in tree.iter("tr")]
    place = next(index for index, row in enumerate(rows) if row.startswith("this request"))
    assert rows[place - 1] == "110 jobs more"
    assert "20 more wait, and are not listed." in text_of(tree)


def test_one_behind_the_others_stands_where_it_belongs() -> None:
    jobs = [job({GPU: "8"}, "Queue", name=name, priority=first, seconds=60) for name, first in (("a", "2"), ("b", "0"))]
    document, _verdicts = reports.report_of(
        [({"resources": {GPU: 1}, "priority": 1}, observed(reports.nodes_of(8), jobs))]
    )
    rows = [text_of(row) for row in parsed(html_page(document)).iter("tr")]
    order = [row for row in rows if row.startswith(("1train a", "2train b", "this request"))]
    assert [row[:7] for row in order] == ["1train ", "this re", "2train "]
