# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room that others have claimed and do not hold yet, and the most places that it can cost. It only ever takes away.

It stands apart from the jobs without a node: what all jobs hold together has these in it, and claims are in neither.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need, Offer, Offers
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import ClaimFacts


@dataclass(frozen=True)
class ClaimedShape:
    """Replicas that are to come: ``resources`` of each, or one whole idle node of ``flavor`` each."""

    replicas: int
    resources: Amounts | None
    flavor: str | None


@dataclass(frozen=True)
class Claimed:
    """What others have claimed in a pool; ``why_unknown`` says why that is not known.

    ``jobs`` are the jobs that wait for what is claimed: they would count twice.
    """

    total: Amounts = field(default_factory=dict)
    shapes: Sequence[ClaimedShape] = ()
    jobs: frozenset[str] = frozenset()
    facts: Sequence[ClaimFacts] = ()
    why_unknown: str = ""

    @property
    def replicas(self) -> int:
        return sum(shape.replicas for shape in self.shapes)

    def most_lost(self, offers: Offers, need: Need, order: Sequence[str]) -> int:
        """Return the most places for replicas of one shape that those to come can take, wherever they land.

        A replica lands on one node. It takes no more places there than its largest part is of what a place needs, and
        no more than there are. So the sum over all of them is never too small, beside whatever else is taken there.
        """
        most = sum(shape.replicas * _most_lost_by_one(shape, offers, need, order) for shape in self.shapes)
        return min(most, sum(offer.fits(need) * nodes for offer, nodes in offers.items()))

    def without_hit_nodes(self, offers: Offers) -> Counter[Offer]:
        """Return what is left of every kind of node in the worst case: each replica spoils one, of any kind."""
        hit = self.replicas
        return Counter({offer: nodes - hit for offer, nodes in offers.items() if nodes > hit})


NOTHING_CLAIMED = Claimed()


def _most_lost_by_one(shape: ClaimedShape, offers: Offers, need: Need, order: Sequence[str]) -> int:
    most = max((offer.fits(need) for offer in offers if _takes(offer, shape, order)), default=0)
    if shape.resources is None or need.amounts is None:
        return most
    parts = (-(-shape.resources.get(name, 0) // asked) for name, asked in zip(order, need.amounts) if asked)
    return min(most, max(parts, default=0))


def _takes(offer: Offer, shape: ClaimedShape, order: Sequence[str]) -> bool:
    """Whether a replica may land on a node: by what is known of it, as the offer has only what the request asks for."""
    if shape.resources is None:
        return shape.flavor is None or offer.kind.flavor == shape.flavor
    return all(free >= shape.resources.get(name, 0) for name, free in zip(order, offer.free))
