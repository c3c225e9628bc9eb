# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts "Queue" and "Holders" of the HTML page: who is ahead of the request, and who holds what it needs. Pure.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import is_card_resource
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, job_in_words, plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_nodes import LEAST_PART
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view_room import bar_percent
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.wording import word_amount

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import JobFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import ReportJob, ReportQueue

# The table shows the request among those next to it; the others open below it.
_LISTED_AHEAD = 10
_LISTED_BEHIND = 5


@dataclass(frozen=True)
class JobWords:
    """A job as a row names it. ``owner`` is empty where it is not known."""

    name: str
    owner: str
    resources: str


@dataclass(frozen=True)
class Waits:
    """For how long a job waits, and a bar for it that ends at now."""

    seconds: int
    text: str
    x: str
    width: str


@dataclass(frozen=True)
class QueuedRow:
    place: int
    job: JobWords
    waits: Waits | None


@dataclass(frozen=True)
class QueueTable:
    """The queue around the request. ``more_ahead`` and ``more_behind`` count those that the table leaves out.

    ``others`` are these as far as they are listed, ``not_listed`` says how many are not.
    """

    strategy: str
    longest: str
    ahead: Sequence[QueuedRow]
    more_ahead: str
    behind: Sequence[QueuedRow]
    more_behind: str
    others: Sequence[QueuedRow]
    others_words: str
    not_listed: int


@dataclass(frozen=True)
class QueuePart:
    """The part as a whole: ``summary`` alone where no job waits."""

    summary: str
    table: QueueTable | None = None


@dataclass(frozen=True)
class HolderRow:
    job: JobWords
    duration: str


@dataclass(frozen=True)
class Holders:
    caption: str
    rows: Sequence[HolderRow]


def view_queue_of_jobs(queue: ReportQueue | None) -> QueuePart:
    """Return the queue with the request in its place."""
    if queue is None:
        return QueuePart("The jobs could not be read.")
    if not queue["waiting"]:
        return QueuePart("No job waits.")
    ahead = "" if queue["ahead"] is None else f", {queue['ahead']} ahead"
    return QueuePart(f"{plural(queue['waiting'], 'job')} in the queue{ahead}.", _view_queued_jobs(queue))


def view_jobs_that_hold(holders: Sequence[ReportJob]) -> Holders | None:
    """Return the jobs that hold most; None without any."""
    if not holders:
        return None
    rows = [
        HolderRow(_view_job_words(job), "not known" if job["seconds"] is None else duration(job["seconds"]))
        for job in holders
    ]
    return Holders(
        f"The {plural(len(rows), 'job')} that hold most" if len(rows) > 1 else "The job that holds most", rows
    )


def _view_queued_jobs(queue: ReportQueue) -> QueueTable:
    jobs = queue["jobs"]
    longest = max([job["seconds"] or 0 for job in jobs] + [1])
    rows = [
        QueuedRow(place, _view_job_words(job), _view_wait_of_job(job["seconds"], longest))
        for place, job in enumerate(jobs, 1)
    ]
    # Behind the last that goes first: an older job of a lower priority may stand between two that do.
    place = max((place for place, job in enumerate(jobs, 1) if job["ahead"]), default=0)
    ahead, behind = rows[:place], rows[place:]
    # Those that are not listed are the last of all: they are ahead, too, where all that are listed are.
    not_listed = queue["waiting"] - len(jobs)
    more_ahead = len(ahead) - _LISTED_AHEAD + (0 if behind else not_listed)
    more_behind = len(behind) - _LISTED_BEHIND + (not_listed if behind else 0)
    others = [*ahead[_LISTED_AHEAD:], *behind[_LISTED_BEHIND:]]
    return QueueTable(
        strategy=f"{queue['strategy']} ({queue['known']})",
        longest=duration(longest),
        ahead=ahead[:_LISTED_AHEAD],
        more_ahead=f"{plural(more_ahead, 'job')} more" if more_ahead > 0 else "",
        behind=behind[:_LISTED_BEHIND],
        more_behind=f"{plural(more_behind, 'job')} more" if more_behind > 0 else "",
        others=others,
        others_words=f"Show {plural(len(others), 'other job')}",
        not_listed=max(0, not_listed),
    )


def _view_job_words(job: ReportJob) -> JobWords:
    cards_first = sorted(job["resources"].items(), key=lambda each: not is_card_resource(each[0]))
    amounts = ", ".join(word_amount(*each) for each in cards_first) or "nothing that could be read"
    # Of the facts of a job, a report has all that job_in_words() reads.
    return JobWords(job_in_words(t.cast("JobFacts", job)), job["user_name"] or "", amounts)


def _view_wait_of_job(seconds: int | None, longest: int) -> Waits | None:
    if seconds is None:
        return None
    part = max(LEAST_PART, seconds / longest)
    return Waits(seconds, duration(seconds), bar_percent(1 - part, 1), bar_percent(part, 1))
