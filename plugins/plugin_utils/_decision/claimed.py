# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room that others have claimed and do not hold yet, and the most places that it can cost. It only ever takes away.

It stands apart from the jobs without a node: what all jobs hold together has these in it, and claims are in neither.

This plugin util is private to the collection.
"""

from __future__ import annotations

import functools
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import JobGroup
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.unplaced import (
    Places,
    Unplaced,
    places_of,
    sum_of_places,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Names
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Offer, Offers
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Job
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import ClaimFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group


class JobsOfClaim(t.NamedTuple):
    """The ``uuids`` of the jobs of one claim, and the ``amounts`` that count for it."""

    uuids: frozenset[str]
    amounts: Amounts


@dataclass(frozen=True)
class Claimed:
    """What others have claimed in a pool; ``why_unknown`` says why that is not known.

    ``shapes`` were promised places, and ``loose`` amounts alone: they may land anywhere, and take places all the same.
    ``jobs`` are the jobs of each claim: what they wait for is claimed already, and would count twice.
    """

    total: Amounts = field(default_factory=dict)
    shapes: Sequence[Group] = ()
    loose: Sequence[Group] = ()
    jobs: Sequence[JobsOfClaim] = ()
    facts: Sequence[ClaimFacts] = ()
    why_unknown: str = ""

    def without_jobs_of_claims(self, jobs: Iterable[Job], known: Names | None) -> tuple[list[Job], Unplaced]:
        """Return (those of the waiting jobs that no claim has, what those of claims take beyond their claims).

        A request that names only cards claims only these, while its job takes cores and memory as well. And a job of
        any size may bear the name for which a claim waits.
        """
        rest = list(jobs)
        beyond = Unplaced({}, 0, frozenset())
        for claim in self.jobs:
            own = [job for job in rest if job.uuid in claim.uuids]
            if own:
                rest = [job for job in rest if job.uuid not in claim.uuids]
                whole = Unplaced.of([JobGroup(1, job.amounts, job.unread) for job in own], known)
                total = {name: amount - claim.amounts.get(name, 0) for name, amount in whole.total.items()}
                more = replace(whole, total={name: amount for name, amount in total.items() if amount > 0})
                beyond = beyond if more.is_empty else beyond.and_also(more)
        return rest, beyond

    @property
    def all_shapes(self) -> Sequence[Group]:
        return (*self.shapes, *self.loose)

    @property
    def replicas(self) -> int:
        return sum(shape.replicas for shape in self.all_shapes)

    def most_lost(self, offers: Offers, need: Need, order: Sequence[str], unplaced: Unplaced) -> int:
        """Return the most places for replicas of one shape that those to come take, and ``unplaced`` jobs beside them.

        Two bounds, of which the smaller counts. A replica lands on one node, and takes no more places there than its
        largest part is of what a place needs. And all of them together have so much of each resource.
        """
        return self.most_lost_of(places_of(offers, need), offers, need, order, unplaced)

    def most_lost_of(
        self, places: Sequence[Places], offers: Offers, need: Need, order: Sequence[str], unplaced: Unplaced
    ) -> int:
        """Return the same where the places have been counted before."""
        if not self.all_shapes:
            return unplaced.most_lost_of(places, offers, need, order)
        # Too much to weigh may take all: a document made up may hold back, and never admits.
        if self.is_too_much(offers):
            return sum_of_places(places)
        coming = [_Coming.of(shape, offers, order) for shape in self._together]
        return _most_lost_by(coming, places, offers, need, order, unplaced)

    def is_too_much(self, offers: Offers) -> bool:
        """Return whether it would take too long to weigh all that is claimed on all kinds of nodes."""
        if not self.all_shapes:
            return False
        resources = max((len(offer.free) for offer in offers), default=0)
        return len(self._together) > _MOST_SHAPES or len(self._together) * len(offers) * resources > _MOST_STEPS

    @functools.cached_property
    def _together(self) -> Sequence[Group]:
        return _claimed_shapes_together(self.all_shapes)

    def keeps_its_places(
        self, offers: Offers, asked: Sequence[Group], unplaced: Unplaced, order: Sequence[str]
    ) -> bool:
        """Return whether all that is claimed still finds its places, wherever the replicas that are asked for land.

        They may be submitted first, and take a part of the one node that somebody else's whole replica needs.
        """
        if self.is_too_much(offers):
            return False
        # Where each of them may land is the same for all that are held against it.
        promised, loose = _claimed_shapes_together(self.shapes), _claimed_shapes_together(self.loose)
        coming = [_Coming.of(shape, offers, order) for shape in (*promised, *loose, *asked)]
        for index, shape in enumerate(promised):
            # A replica of nothing finds a place anywhere. Others may have written one.
            if shape.resources is not None and not any(shape.resources.values()):
                continue
            need = Need.of(shape, order)
            places = places_of(offers, need)
            # Claims are held against one another as well: all of them were promised at once.
            others = [*coming[:index], *coming[index + 1 :]]
            lost = _most_lost_by(others, places, offers, need, order, unplaced)
            if sum_of_places(places) - lost < shape.replicas:
                return False
        return True

    def keeps_its_groups(
        self, groups_of: GroupsOf, offers: Offers, asked: Sequence[Group], unplaced: Unplaced, order: Sequence[str]
    ) -> bool:
        """Return whether replicas that must be together in one supernode still find one, wherever the others land.

        ``groups_of`` counts the groups of a shape that idle nodes make. Where it cannot tell, they do not.
        """
        shapes, loose = _claimed_shapes_together(self.shapes), _claimed_shapes_together(self.loose)
        for shape in shapes:
            size = shape.affinity_group_size
            if size == 1:
                continue
            need, there = Need.of(shape, order), groups_of(shape)
            # How a rest is placed, which makes no group, is not known.
            if there is None or shape.replicas % size:
                return False
            others = _all_but(shape, [*shapes, *loose, *asked])
            if there - others.most_groups_lost(size, offers, need, order, unplaced) < shape.replicas // size:
                return False
        return True

    def most_groups_lost(self, size: int, offers: Offers, need: Need, order: Sequence[str], unplaced: Unplaced) -> int:
        """Return the most groups of so many places in one supernode that those to come, and jobs, can break up.

        Each place that they take breaks up one at most. Those that are in one supernode themselves break up fewer.
        """
        bound: list[Group] = []
        loose: list[Group] = []
        for one in self.all_shapes:
            is_bound = one.affinity_group_size > 1 and one.replicas % one.affinity_group_size == 0
            (bound if is_bound else loose).append(one)
        broken = sum(
            one.replicas // one.affinity_group_size * -(-one.affinity_group_size // size)
            for one in bound
            if any(offer.fits(need) and _takes_claimed_replica(offer, one, order) for offer in offers)
        )
        return broken + Claimed(loose=loose).most_lost(offers, need, order, unplaced)

    def without_hit_nodes(self, offers: Offers) -> Counter[Offer]:
        """Return what is left of every kind of node in the worst case: each replica spoils one, of any kind."""
        hit = self.replicas
        if not hit:
            return Counter(offers)
        # Each kind loses all of them, as which kind a replica hits is not known.
        return Counter({offer: nodes - hit for offer, nodes in offers.items() if nodes > hit})


GroupsOf = t.Callable[["Group"], "int | None"]

NOTHING_CLAIMED = Claimed()

# Each is held against all others. Deployments of one pool have a few shapes; a document made up could have thousands.
_MOST_SHAPES = 100
# Shapes times kinds of nodes times resources: as many take some seconds. A thousand nodes that all differ, and claims
# of ten shapes that name cards, cores and memory, have thirty thousand.
_MOST_STEPS = 500_000


class _Coming(t.NamedTuple):
    """A shape of replicas to come, and a bit for each offer that takes one, in their order."""

    shape: Group
    takers: int

    @classmethod
    def of(cls, shape: Group, offers: Offers, order: Sequence[str]) -> _Coming:
        takes = "".join("1" if _takes_claimed_replica(offer, shape, order) else "0" for offer in offers)
        return cls(shape, int(takes[::-1] or "0", 2))


def _most_lost_by(
    coming: Sequence[_Coming],
    places: Sequence[Places],
    offers: Offers,
    need: Need,
    order: Sequence[str],
    unplaced: Unplaced,
) -> int:
    """Return the most places for replicas of one shape that those to come take, and ``unplaced`` jobs beside them."""
    beside = unplaced.most_lost_of(places, offers, need, order)
    if not coming:
        return beside
    by_places = _bits_by_places(places)
    lost = [
        (one.shape, one.shape.replicas * _most_lost_by_claimed_replica(one, by_places, need, order)) for one in coming
    ]
    together = _as_jobs((one.shape for one in coming), unplaced).most_lost_of(places, offers, need, order)
    together += sum(most for shape, most in lost if shape.resources is None)
    # No bound may take more places than there are: the difference would be a debt of other nodes.
    return min(sum_of_places(places), sum(most for _shape, most in lost) + beside, together)


def _as_jobs(shapes: Iterable[Group], unplaced: Unplaced) -> Unplaced:
    """Return the jobs without a node with those that are to come among them, but for whole nodes."""
    total, replicas = dict(unplaced.total), 0
    for shape in shapes:
        if shape.resources is not None:
            replicas += shape.replicas
            add_amounts(total, {name: amount * shape.replicas for name, amount in shape.resources.items()})
    return Unplaced(total, None if unplaced.pods is None else unplaced.pods + replicas, unplaced.unread)


def _bits_by_places(places: Sequence[Places]) -> list[tuple[int, int]]:
    """Return (how many replicas an offer takes, a bit for each that takes as many), the most first."""
    found: dict[int, list[int]] = {}
    for index, here in enumerate(places):
        found.setdefault(here.replicas, []).append(index)
    bits = {}
    for replicas, indexes in found.items():
        row = bytearray(len(places) // 8 + 1)
        for index in indexes:
            row[index // 8] |= 1 << index % 8
        bits[replicas] = int.from_bytes(row, "little")
    return sorted(bits.items(), reverse=True)


def _all_but(shape: Group, shapes: Sequence[Group]) -> Claimed:
    """Return what a claimed shape may lose places to."""
    # Claims are held against one another as well: all of them were promised at once.
    return Claimed(shapes=[one for one in shapes if one is not shape])


def _claimed_shapes_together(shapes: Sequence[Group]) -> list[Group]:
    """Return the shapes, those that are alike as one."""
    found: dict[object, Group] = {}
    for shape in shapes:
        # The text of the amounts: its hash has a secret key, while numbers can be chosen to collide.
        key = (
            str(sorted((shape.resources or {}).items())),
            shape.resources is None,
            shape.flavor,
            shape.affinity_group_size,
        )
        before = found[key].replicas if key in found else 0
        found[key] = replace(shape, replicas=before + shape.replicas)
    return list(found.values())


def _most_lost_by_claimed_replica(
    coming: _Coming, by_places: Sequence[tuple[int, int]], need: Need, order: Sequence[str]
) -> int:
    shape = coming.shape
    most = next((replicas for replicas, bits in by_places if bits & coming.takers), 0)
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
