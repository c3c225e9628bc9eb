# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question of a decision, and the words in which verdicts speak of resources, times and jobs.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

Facts = dict[str, t.Any]

_LONGEST_SENTENCE = 500
_LONGEST_LABEL = 100  # what follows the vendor of a resource has 63 characters at most
_LONGEST_NAME = 400  # 64 characters with all their marks, which leaves room for the rest of a sentence


@dataclass
class Check:
    """A question and its answer: passed, failed, or None for not known.

    ``never`` marks a failure that no waiting mends, ``remedy`` says what to do, ``figures`` are numbers for machines,
    ``brief`` is the message for where there is little room.
    Whatever the API put into the sentences is one printable line.
    """

    name: str
    passed: bool | None
    message: str
    never: bool = False
    remedy: str = ""
    figures: Facts = field(default_factory=dict)
    brief: str = ""

    def __post_init__(self) -> None:
        self.message = one_line(self.message, _LONGEST_SENTENCE)
        self.remedy = one_line(self.remedy, _LONGEST_SENTENCE)

    @property
    def is_about_resource(self) -> bool:
        return "resource" in self.figures

    @property
    def reason(self) -> str:
        """The check as one line among others."""
        return self._said(self.message)

    @property
    def brief_reason(self) -> str:
        """The same where there is little room."""
        return self._said(self.brief or self.message)

    def _said(self, message: str) -> str:
        return f"{label(self.name)} {message}" if self.is_about_resource else f"{self.name}: {message}"

    def as_facts(self) -> Facts:
        return {"name": self.name, "passed": self.passed, "message": self.message, **self.figures}


def label(resource: str) -> str:
    """A resource as sentences name it: what follows the vendor, like ``gpu``."""
    return one_line(resource.rpartition("/")[2], _LONGEST_LABEL)


def duration(seconds: float) -> str:
    """Seconds as a person reads them: ``40 s``, ``12 min``, ``9 h``, ``2 d 4 h``, ``98 d``."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    days, hours = divmod(whole // 3600, 24)
    if days == 0:
        return f"{hours} h"
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


def plural(count: int, word: str) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def job_name(job: Facts) -> str:
    """A job as sentences name it: its type and its name."""
    name = job["job_name"] or job["name"] or job["job_uuid"] or "without a name"
    return one_line(f"{job['type'] or 'job'} {name}", _LONGEST_NAME)
