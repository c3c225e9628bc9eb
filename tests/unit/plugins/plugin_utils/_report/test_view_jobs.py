# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue and the holders on the page."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_jobs import (
    QueuePart,
    view_jobs_that_hold,
    view_queue_of_jobs,
)
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
    assert "20 more wait, but are not listed." in text_of(tree)


def test_one_behind_the_others_stands_where_it_belongs() -> None:
    jobs = [job({GPU: "8"}, "Queue", name=name, priority=first, seconds=60) for name, first in (("a", "2"), ("b", "0"))]
    document, _verdicts = reports.report_of(
        [({"resources": {GPU: 1}, "priority": 1}, observed(reports.nodes_of(8), jobs))]
    )
    rows = [text_of(row) for row in parsed(html_page(document)).iter("tr")]
    order = [row for row in rows if row.startswith(("1train a", "2train b", "this request"))]
    assert [row[:7] for row in order] == ["1train ", "this re", "2train "]


def queued_job(name: str, *, ahead: bool = True, seconds: int | None = 60) -> t.Any:
    resources = {"cpu": 4, GPU: 8}
    ids = {"job_uuid": name, "job_name": name, "name": None, "user_name": None, "created_at": None}
    return {**ids, "type": "train", "priority": "1", "seconds": seconds, "resources": resources, "ahead": ahead}


def queue_of(ahead: int, behind: int, waiting: int) -> t.Any:
    jobs = [queued_job(f"a{number}") for number in range(ahead)]
    jobs += [queued_job(f"b{number}", ahead=False) for number in range(behind)]
    return {"strategy": "fifo", "known": "by policy", "waiting": waiting, "ahead": ahead, "jobs": jobs}


@pytest.mark.parametrize(
    ("queue", "shown", "more", "others", "not_listed"),
    [
        (queue_of(3, 0, 3), (3, 0), ("", ""), 0, 0),
        (queue_of(12, 0, 12), (10, 0), ("2 jobs more", ""), 2, 0),
        (queue_of(100, 0, 120), (10, 0), ("110 jobs more", ""), 90, 20),
        (queue_of(11, 7, 18), (10, 5), ("1 job more", "2 jobs more"), 3, 0),
        (queue_of(2, 6, 30), (2, 5), ("", "23 jobs more"), 1, 22),
        (queue_of(0, 2, 1), (0, 2), ("", ""), 0, 0),
    ],
)
def test_the_table_shows_the_request_among_those_next_to_it(
    queue: t.Any, shown: tuple[int, int], more: tuple[str, str], others: int, not_listed: int
) -> None:
    table = view_queue_of_jobs(queue).table
    assert table is not None
    assert (len(table.ahead), len(table.behind)) == shown
    assert (table.more_ahead, table.more_behind) == more
    assert (len(table.others), table.not_listed) == (others, not_listed)
    places = sorted(row.place for row in [*table.ahead, *table.behind, *table.others])
    assert places == list(range(1, len(queue["jobs"]) + 1))


def test_a_job_waits_as_long_as_its_bar() -> None:
    queue = {**queue_of(0, 0, 3), "jobs": [queued_job("a", seconds=n) for n in (7200, 1800, None)]}
    table = view_queue_of_jobs(queue).table
    assert table is not None
    assert table.longest == "2 h"
    assert [None if row.waits is None else (row.waits.text, row.waits.x, row.waits.width) for row in table.ahead] == [
        ("2 h", "0%", "100%"),
        ("30 min", "75%", "25%"),
        None,
    ]


def test_without_a_queue_the_part_is_a_sentence() -> None:
    assert view_queue_of_jobs(None) == QueuePart("The jobs could not be read.")
    assert view_queue_of_jobs(queue_of(0, 0, 0)) == QueuePart("No job waits.")


def test_holders_show_their_cards_first() -> None:
    holders = view_jobs_that_hold([queued_job("a"), {**queued_job("b", seconds=None), "resources": {}}])
    assert holders is not None
    assert holders.caption == "The 2 jobs that hold most"
    assert [(row.job.name, row.job.resources, row.duration) for row in holders.rows] == [
        ("train a", "gpu 8, cpu 4", "60 s"),
        ("train b", "nothing that could be read", "not known"),
    ]
    assert view_jobs_that_hold([]) is None
