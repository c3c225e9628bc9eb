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
from dataclasses import dataclass, field, replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need, most_replicas_placed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.unplaced import Unplaced

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Offer, Offers
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import ClaimFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group


@dataclass(frozen=True)
class Claimed:
    """What others have claimed in a pool; ``why_unknown`` says why that is not known.

    ``jobs`` are the jobs that wait for what is claimed: they would count twice.
    """

    total: Amounts = field(default_factory=dict)
    shapes: Sequence[Group] = ()
    jobs: frozenset[str] = frozenset()
    facts: Sequence[ClaimFacts] = ()
    why_unknown: str = ""

    @property
    def replicas(self) -> int:
        return sum(shape.replicas for shape in self.shapes)

    def most_lost(self, offers: Offers, need: Need, order: Sequence[str], unplaced: Unplaced) -> int:
        """Return the most places for replicas of one shape that those to come take, and ``unplaced`` jobs beside them.

        Two bounds, of which the smaller counts. A replica lands on one node, and takes no more places there than its
        largest part is of what a place needs. And all of them together have so much of each resource.
        """
        beside = unplaced.most_lost(offers, need, order)
        if not self.shapes:
            return beside
        whole = [shape for shape in self.shapes if shape.resources is None]
        one_by_one = sum(
            shape.replicas * _most_lost_by_claimed_replica(shape, offers, need, order) for shape in self.shapes
        )
        together = self._as_jobs(unplaced).most_lost(offers, need, order)
        together += sum(shape.replicas * _most_lost_by_claimed_replica(shape, offers, need, order) for shape in whole)
        # No bound may take more places than there are: the difference would be a debt of other nodes.
        everything = sum(offer.fits(need) * nodes for offer, nodes in offers.items())
        return min(everything, one_by_one + beside, together)

    def _as_jobs(self, unplaced: Unplaced) -> Unplaced:
        """Return the jobs without a node with those that are to come among them, but for whole nodes."""
        total, replicas = dict(unplaced.total), 0
        for shape in self.shapes:
            if shape.resources is not None:
                replicas += shape.replicas
                add_amounts(total, {name: amount * shape.replicas for name, amount in shape.resources.items()})
        return Unplaced(total, None if unplaced.pods is None else unplaced.pods + replicas, unplaced.unread)

    def keeps_its_places(
        self, offers: Offers, asked: Sequence[Group], unplaced: Unplaced, order: Sequence[str]
    ) -> bool:
        """Return whether all that is claimed still finds its places, wherever the replicas that are asked for land.

        They may be submitted first, and take a part of the one node that somebody else's whole replica needs.
        """
        shapes = _claimed_shapes_together(self.shapes)
        # Too many to weigh counts as a lost place: a document made up may hold back, and never admits.
        if len(shapes) > _MOST_SHAPES:
            return False
        for shape in shapes:
            need = Need.of(shape, order)
            # Claims are held against one another as well: all of them were promised at once.
            others = Claimed(shapes=[*(one for one in shapes if one is not shape), *asked])
            if most_replicas_placed(offers, need) - others.most_lost(offers, need, order, unplaced) < shape.replicas:
                return False
        return True

    def without_hit_nodes(self, offers: Offers) -> Counter[Offer]:
        """Return what is left of every kind of node in the worst case: each replica spoils one, of any kind."""
        hit = self.replicas
        # Each kind loses all of them, as which kind a replica hits is not known.
        return Counter({offer: nodes - hit for offer, nodes in offers.items() if nodes > hit})


NOTHING_CLAIMED = Claimed()

# Each is held against all others. Deployments of one pool have a few shapes; a document made up could have thousands.
_MOST_SHAPES = 100


def _claimed_shapes_together(shapes: Sequence[Group]) -> list[Group]:
    """Return the shapes, those that are alike as one."""
    found: dict[t.Any, Group] = {}
    for shape in shapes:
        # The text of the amounts: its hash has a secret key, while numbers can be chosen to collide.
        key = (str(sorted((shape.resources or {}).items())), shape.resources is None, shape.flavor)
        before = found[key].replicas if key in found else 0
        found[key] = replace(shape, replicas=before + shape.replicas)
    return list(found.values())


def _most_lost_by_claimed_replica(shape: Group, offers: Offers, need: Need, order: Sequence[str]) -> int:
    most = max((offer.fits(need) for offer in offers if _takes_claimed_replica(offer, shape, order)), default=0)
    if shape.resources is None or need.amounts is None:
        return most
    # Rounded up: taking a part of a place costs the whole place.
    parts = (-(-shape.resources.get(name, 0) // asked) for name, asked in zip(order, need.amounts) if asked)
    return min(most, max(parts, default=0))


def _takes_claimed_replica(offer: Offer, shape: Group, order: Sequence[str]) -> bool:
    """Return whether a replica may land there, by what the offer tells: it has only what the request asks for."""
    if shape.resources is None:
        return shape.flavor is None or offer.kind.flavor == shape.flavor
    return all(free >= shape.resources.get(name, 0) for name, free in zip(order, offer.free))
