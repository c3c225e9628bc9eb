# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt of a gate, step by step: a reading and the document of now -> what to write, and what may then be said.

Pure. The steps between which others may come are reading the document and swapping it.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
    add_claim,
    counted_claims,
    mark_claims,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.document import Claim, PoolClaims
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import (
        Asked,
        Counted,
        Reading,
        Row,
        Wanted,
    )

V = t.TypeVar("V")


@dataclass(frozen=True)
class Answer(t.Generic[V]):
    """A verdict on a reading with claims: whether it admits, and what the request asks for in all."""

    verdict: V
    admits: bool
    asked: Asked


@dataclass(frozen=True)
class Proposal(t.Generic[V]):
    """A verdict that may be said once ``document`` is written in place of version ``version``.

    Without a ``claim`` it may be said at once: then only marks are to be written, which others write as well.
    """

    verdict: V
    version: int
    document: PoolClaims
    claim: Claim | None
    is_changed: bool


def propose(
    reading: Reading, row: Row, wanted: Wanted | None, decide: Callable[[Sequence[Counted]], Answer[V]]
) -> Proposal[V]:
    """Return what follows from a reading and a document that is not older. Raises TooManyClaimsError."""
    # Marked first: a claim whose job has its cards in this reading must not count beside the job.
    document = mark_claims(row, reading)
    if wanted is not None:
        wanted = wanted.within(document)
    answer = decide(counted_claims(document, reading, wanted))
    claim = None
    if answer.admits and wanted is not None:
        document, claim = add_claim(document, row, reading, wanted, answer.asked)
    # An equal document is not written: every write makes the swaps of other gates fail.
    return Proposal(answer.verdict, row.version, document, claim, row.is_set_back or document != row.document)
