# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a decision says: checks with their outcomes, and the verdict over them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import Numbers
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import label

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import JobFacts

# Unknown before reject: an unknown pool may admit at the next look, and a rejection is final.
PREFERENCE = ("admit", "wait", "unknown", "reject")
"""Decisions, the better first: over several pools the best one counts."""

# A sentence fits into a few lines of a log.
_LONGEST_SENTENCE = 500


class Outcome(enum.Enum):
    """How a question was answered. Only ``NEVER`` rejects: waiting does not mend it."""

    PASSED = "passed"
    FAILED = "failed"
    NEVER = "failed for good"
    UNKNOWN = "not known"


_AS_PASSED: dict[Outcome, bool | None] = {Outcome.PASSED: True, Outcome.UNKNOWN: None}


class _ClaimedFigure(t.TypedDict, total=False):
    """Only where others have claimed some of it."""

    claimed: float


class ResourceFigures(_ClaimedFigure):
    """What a check of a resource calculated with, in cores, bytes and cards."""

    resource: str
    need: float
    free: float
    total: float
    kept: float
    unplaced: float
    missing: float
    used: float
    left: float


class ResourceName(t.TypedDict):
    """The figures of a resource of which the source of the room tells nothing."""

    resource: str


class QueueFigures(t.TypedDict):
    """How many jobs are ahead of the request, by which strategy."""

    ahead: int
    strategy: str


class _CheckAnswer(t.TypedDict):
    name: str
    passed: bool | None


class CheckInFigures(_CheckAnswer, total=False):
    """A check without its sentence, with figures where there are some."""

    resource: str
    need: float
    free: float
    total: float
    kept: float
    unplaced: float
    claimed: float
    missing: float
    used: float
    left: float
    ahead: int
    strategy: str


class CheckFacts(CheckInFigures):
    """A check as a verdict returns it, with its sentence."""

    message: str


class ClaimFacts(t.TypedDict):
    """Room that a deployment has claimed; what of it no job holds yet is in cores, bytes and cards."""

    id: str
    job: str
    owner: str
    resources: Numbers
    seconds_left: int
    expires_at: str


class OwnClaimFacts(t.TypedDict):
    """The claim that an admission has made, or would make: then there is no ``id`` yet in the store."""

    id: str
    job: str
    expires_at: str
    seconds_left: int
    is_made: bool
    nonce: str


class _ClaimsFacts(t.TypedDict, total=False):
    """Only of a gate that has a store of claims: those of others that count, and its own."""

    claims: list[ClaimFacts]
    claim: OwnClaimFacts


class VerdictFacts(_ClaimsFacts):
    """The verdict as plugins return it; quantities are in cores, bytes and cards."""

    decision: str
    pool: str
    display_name: str | None
    source: str | None
    observed_at: str | None
    age_seconds: int | None
    checks: list[CheckFacts]
    reasons: list[str]
    brief: str
    remedies: list[str]
    notes: list[str]
    resources: list[ResourceFigures]
    asked: list[str]
    ahead: list[JobFacts]
    holders: list[JobFacts]


class BestVerdict(VerdictFacts):
    """The verdict that counts over several pools, and all of them."""

    pools: list[VerdictFacts]


@dataclass(frozen=True)
class Check:
    """A question and its answer.

    ``remedy`` says what to do, ``figures`` are numbers for machines, ``brief`` is the message where there is little
    room. Text of the API in them becomes one printable line.
    """

    name: str
    outcome: Outcome
    message: str
    remedy: str = ""
    figures: ResourceFigures | ResourceName | QueueFigures | None = None
    brief: str = ""

    def __post_init__(self) -> None:
        # Here and not where sentences are made: names that others chose stand in nearly all of them.
        object.__setattr__(self, "message", one_line(self.message, _LONGEST_SENTENCE))
        object.__setattr__(self, "remedy", one_line(self.remedy, _LONGEST_SENTENCE))

    @property
    def is_about_resource(self) -> bool:
        return self.figures is not None and "resource" in self.figures

    @property
    def reason(self) -> str:
        """The check as one line among others."""
        return self._as_line(self.message)

    @property
    def brief_reason(self) -> str:
        """The same where there is little room."""
        return self._as_line(self.brief or self.message)

    def _as_line(self, message: str) -> str:
        return f"{label(self.name)} {message}" if self.is_about_resource else f"{self.name}: {message}"

    def as_facts(self) -> CheckFacts:
        passed = _AS_PASSED.get(self.outcome, False)
        return t.cast(
            CheckFacts, {"name": self.name, "passed": passed, "message": self.message, **(self.figures or {})}
        )


@dataclass(frozen=True)
class Findings:
    """What some questions found: checks that decide, and notes that explain."""

    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.checks + other.checks, self.notes + other.notes)

    @classmethod
    def of(cls, checks: Iterable[Check | None] = (), notes: Iterable[str] = ()) -> Findings:
        """Return findings of the checks that are not None and the notes that are not empty."""
        return cls(tuple(one for one in checks if one is not None), tuple(note for note in notes if note))


@dataclass(frozen=True)
class Verdict:
    """The findings about one pool, and the decision that follows from them."""

    findings: Findings
    pool: str
    display_name: str | None
    source: str | None
    observed_at: str | None
    age_seconds: int | None
    asked: Sequence[str]
    ahead: Sequence[JobFacts] = field(default=())
    holders: Sequence[JobFacts] = field(default=())

    @property
    def decision(self) -> str:
        """One NEVER rejects; else one FAILED waits; else one UNKNOWN is unknown; what is left admits."""
        outcomes = {check.outcome for check in self.findings.checks}
        # Whether to wait does not matter any more, nor what is not known.
        if Outcome.NEVER in outcomes:
            return "reject"
        if Outcome.FAILED in outcomes:
            return "wait"
        return "unknown" if Outcome.UNKNOWN in outcomes else "admit"

    def as_facts(self) -> VerdictFacts:
        decision = self.decision
        checks = self.findings.checks
        # What must change before the decision can be another. A rejection names only what rejects.
        decisive = [check for check in checks if check.outcome is not Outcome.PASSED]
        if decision == "reject":
            decisive = [check for check in checks if check.outcome is Outcome.NEVER]
        figures = [check.figures for check in checks if check.figures is not None and "need" in check.figures]
        return {
            "decision": decision,
            "pool": self.pool,
            "display_name": self.display_name,
            "source": self.source,
            "observed_at": self.observed_at,
            "age_seconds": self.age_seconds,
            "checks": [check.as_facts() for check in checks],
            "reasons": [check.reason for check in decisive],
            "brief": decisive[0].brief_reason if decisive else "it fits now",
            "remedies": list(dict.fromkeys(check.remedy for check in decisive if check.remedy)),
            "notes": [one_line(note, _LONGEST_SENTENCE) for note in self.findings.notes],
            "resources": t.cast("list[ResourceFigures]", figures),
            "asked": list(self.asked),
            "ahead": list(self.ahead),
            "holders": list(self.holders),
        }
