# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page shows of many pools."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.markdown import markdown
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view import view_page
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.pages import parsed
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, observed, refused

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


def asking_of_each(*cards: int) -> list[t.Any]:
    """The same pool asked for so many cards, request by request."""
    return [({"resources": {GPU: each}}, observed(reports.nodes_of(8, 0))) for each in cards]


def test_the_pool_that_decides_heads_the_page_though_it_was_asked_for_more_before() -> None:
    page = view_page(reports.report_of(asking_of_each(16, 2))[0])
    assert (page.decision, page.deciding.decision, page.deciding.section) == ("admit", "admit", "pool-2")
    assert page.deciding.asked == "1 replica with gpu 2"


def test_the_pool_that_decides_has_a_section_wherever_it_stands() -> None:
    page = view_page(reports.report_of(asking_of_each(*[16] * 40, 2))[0])
    assert page.deciding.section == "pool-41"
    assert [pool.section for pool in page.pools] == [f"pool-{number}" for number in (*range(1, 20), 41)]
    assert [candidate.section for candidate in page.candidates].count("") == 21


def test_a_request_in_words() -> None:
    request = {
        "type": "train",
        "priority": 2,
        "replaces": {"job_uuid": "old"},
        "groups": [{"replicas": 2, "resources": {GPU: 8, "cpu": "60"}}, {"replicas": 1, "flavor": "f"}],
    }
    page = view_page(reports.report_of([(request, observed(reports.nodes_of(8), placement_of=["old"]))])[0])
    assert page.deciding.asked == (
        "2 replicas, each with gpu 8, cpu 60; 1 replica with a whole node of f, for train jobs, priority 2, "
        "in place of old"
    )


def test_what_could_not_be_read_is_among_the_notes() -> None:
    page = view_page(reports.report_of([({"resources": {GPU: 1}}, observed(refused(503), refused(503)))])[0])
    assert {one.document for one in page.deciding.unread} >= {"its nodes", "its jobs"}
    assert page.deciding.source == "its free capacity could not be read"
    assert page.candidates == []
