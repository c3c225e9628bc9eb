# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the replicas find a place, node by node.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import replace
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.card_words import (
    why_cards_not_known,
    why_cards_scattered,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.check_supernodes import (
    count_groups_by_supernode,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.empty_pool import EmptyPool
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_unread
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import (
    NoPlacement,
    Offer,
    Placement,
    most_replicas_placed,
    place,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.unplaced import places_of, sum_of_places
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Findings, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import joined_words, label, plural

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.case import Case
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.room import Room
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Pool
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group

_TOO_MUCH_CLAIMED = "the claims of others are too many to check"
_WAIT_FOR_ENDS = "wait until claims have ended: they have too many different shapes."
_CLAIMS_LOSE = "they may take places that others have claimed"
_WAIT_FOR_CLAIMS = "wait until the jobs of these claims have started."

_MOST_REASONS = 3  # the commonest reasons why nodes are left out; a line has no room for all


def check_placement(case: Case, room: Room, resources: Findings) -> Findings:
    """Ask whether every replica finds a node; ``resources`` is what was found of the amounts."""
    if case.nodes is None:
        return _check_placement_without_nodes(case, room)
    # Sums know no flavors, no idle nodes, and no node that is too small.
    if case.policy.placement == "aggregate" and not case.asks_whole_nodes:
        return _check_places_of_claims_alone(case)
    # Asked before the nodes of now: a request that never fits must be rejected, and not wait.
    never = _check_placement_in_empty_pool(case)
    if never is not None:
        return Findings.of([never])
    usable = [node for node in case.nodes if node.unusable is None]
    offers = case.offers_of(usable)
    with_claims = _offers_with_claims(case, usable)
    if case.claimed.is_too_much(offers) or case.claimed.is_too_much(with_claims):
        return Findings.of([Check("placement", Outcome.UNKNOWN, _TOO_MUCH_CLAIMED, _WAIT_FOR_ENDS)])
    where = f"{plural(len(usable), 'usable node')}{_nodes_left_out_of_placement(case.nodes)}"
    replicas = plural(case.request.replicas, "replica")
    if len(case.needs) == 1:
        fits, message = _check_placement_of_one_shape(case, offers, f"{replicas} on {where}")
        found: Placement | NoPlacement | None = None
    else:
        found = place(offers, case.needs)
        fits = isinstance(found, Placement)
        message = f"{'all' if fits else 'not all'} {replicas} of {len(case.needs)} groups on {where}"
    # Asked before the result is used: places that others may take are neither there nor missing.
    unknown, remedy = _why_placement_check_unknown(case, fits, found, offers, usable)
    if unknown:
        return Findings.of([Check("placement", Outcome.UNKNOWN, f"{replicas} on {where}: {unknown}", remedy)])
    if fits and not _does_placement_keep_claims(case, usable, with_claims):
        return Findings.of([Check("placement", Outcome.FAILED, f"{message}; {_CLAIMS_LOSE}", _WAIT_FOR_CLAIMS)])
    if fits:
        return Findings.of([Check("placement", Outcome.PASSED, message)])
    # Enough in sum and no place asks for another remedy than a shortage.
    is_enough = all(check.outcome is Outcome.PASSED for check in resources.checks if check.is_about_resource)
    scattered = why_cards_scattered(usable, case.needs, case.order, case.policy.card_groups)
    remedy = ""
    if scattered:
        message += f"; {scattered}"
        remedy = "wait, or ask for fewer cards per replica: there are enough, but they do not lie together."
    elif is_enough:
        remedy = "ask for smaller replicas, or wait: there is enough room, but scattered over nodes."
    return Findings.of([Check("placement", Outcome.FAILED, message, remedy)])


def _check_places_of_claims_alone(case: Case) -> Findings:
    """Return what is told of a request that asks for no places: those of others are kept all the same."""
    notes = ["placement not checked: policy.placement is aggregate"]
    usable = [node for node in case.nodes or () if node.unusable is None]
    offers = _offers_with_claims(case, usable)
    if case.claimed.is_too_much(offers):
        return Findings.of([Check("placement", Outcome.UNKNOWN, _TOO_MUCH_CLAIMED, _WAIT_FOR_ENDS)], notes)
    if _does_placement_keep_claims(case, usable, offers):
        return Findings.of(notes=notes)
    message = f"{plural(case.request.replicas, 'replica')} by sums alone; {_CLAIMS_LOSE}"
    return Findings.of([Check("placement", Outcome.FAILED, message, _WAIT_FOR_CLAIMS)], notes)


def _order_with_claims(case: Case) -> list[str]:
    """Return the resources of the request and of what others have claimed, which may need what it does not name."""
    named = (shape.resources or {} for shape in (*case.claimed.all_shapes, *case.request.groups))
    return sorted({resource for resources in named for resource in resources})


def _offers_with_claims(case: Case, usable: Sequence[Node]) -> Counter[Offer]:
    """Return what the nodes offer of these, counted; nothing where no place is claimed."""
    if not case.claimed.shapes:
        return Counter()
    order = _order_with_claims(case)
    return Counter(node.offer(order, case.policy.card_groups, whole=True) for node in usable)


def _does_placement_keep_claims(case: Case, usable: Sequence[Node], offers: Counter[Offer]) -> bool:
    """Return whether the request leaves what others have claimed its places, of all resources that it names."""
    order, asked = _order_with_claims(case), case.request.groups
    if not case.claimed.keeps_its_places(offers, asked, case.unplaced, order):
        return False
    # Those of the request are in one supernode, too, and break up fewer groups than alone.
    asked = tuple(replace(group, affinity_group_size=case.request.affinity_group_size) for group in asked)
    groups_of = partial(count_groups_by_supernode, usable, order=order, policy=case.policy)
    return case.claimed.keeps_its_groups(groups_of, offers, asked, case.unplaced, order)


def _check_placement_of_one_shape(case: Case, offers: Mapping[Offer, int], where: str) -> tuple[bool, str]:
    """Return (whether all replicas of the one shape certainly find a place, the sentence)."""
    need = case.needs[0]
    offers = Counter(offers)
    places = case.replaced.worst_case_places()
    if places and need.amounts is not None:
        # A place that is given back is one of its very size, on some node: others may take it like any other.
        offers[need.place] += places
    if case.unplaced.is_empty and not case.claimed.all_shapes:
        most = most_replicas_placed(offers, need)
        return most >= need.replicas, f"{min(most, need.replicas)} of {where}"
    there = places_of(offers, need)
    most = most_replicas_placed(offers, need, [here.replicas for here in there])
    # What others take is counted by what each node takes for certain. A rule of cards that all nodes share, and that is
    # not known, gives more together: from that, it would be taken off too little.
    counted = sum_of_places(there)
    certain = counted - case.claimed.most_lost_of(there, offers, need, case.order, case.unplaced)
    message = f"{max(0, min(certain, need.replicas))} of {where}"
    if certain < need.replicas <= most:
        beside_jobs = counted - case.unplaced.most_lost_of(there, offers, need, case.order)
        who = "the claims of others" if beside_jobs >= need.replicas else case.starting
        message += f"; {who} may take the other places"
    return certain >= need.replicas, message


def _why_placement_check_unknown(
    case: Case,
    fits: bool,
    found: Placement | NoPlacement | None,
    offers: Counter[Offer],
    usable: Sequence[Node],
) -> tuple[str, str]:
    """Return (why it cannot be told whether all replicas find a place, the remedy); empty when it can."""
    is_one_shape = len(case.needs) == 1
    if found is NoPlacement.GAVE_UP:
        # Neither a placement nor the proof that there is none: the bound of the search decides nothing.
        return "the search over several groups was given up", ""
    if fits:
        # The count of one shape has the places of others taken off already.
        if is_one_shape or (case.unplaced.is_empty and not case.claimed.replicas):
            return "", ""
        # Every kind of node loses as many nodes as others may hit: replicas that still fit do so wherever these land.
        rest = case.unplaced.without_hit_nodes(case.claimed.without_hit_nodes(offers), case.order)
        is_certain = bool(rest) and isinstance(place(rest or Counter(), case.needs), Placement)
        who = "the claims of others" if case.unplaced.is_empty else case.starting
        return "" if is_certain else f"{who} may take their places", ""
    if case.untold:
        return f"the nodes do not report {joined_words(map(label, case.untold))}", ""
    if case.replaced.possible or (not is_one_shape and case.replaced.is_partial):
        return "the places that are given back are not known", ""
    unread = "nodes that could not be read may take them", ""
    if any(is_unread(node.unbounded, case.order) for node in usable):
        return unread
    best = _best_offers_to_check_placement(case, offers, usable)
    # Where not even the hopeful amounts are enough, no document that could be read would change the answer.
    # As plain tables: a counter would look up each offer four times.
    if dict(best) == dict(offers) or place(best, case.needs) is NoPlacement.IMPOSSIBLE:
        return "", ""
    cards = why_cards_not_known(usable, case.needs, case.order, case.policy.card_groups)
    return cards if cards[0] else unread


def _best_offers_to_check_placement(case: Case, offers: Counter[Offer], nodes: Sequence[Node]) -> Counter[Offer]:
    """Return the most that the nodes may offer, where ``offers`` is what they certainly do."""
    whole, by_policy = case.asks_whole_nodes, case.policy.card_groups
    # Of most nodes all is told, and the best that they may offer follows from what they certainly do.
    untold = Counter(
        (node.offer(case.order, by_policy, whole=whole), node.best_offer(case.order, by_policy, whole=whole))
        for node in nodes
        if not node.is_told
    )
    told = Counter(offers)
    for (surely, _at_best), count in untold.items():
        told[surely] -= count
    pairs = [((offer, offer.at_best()), count) for offer, count in told.items() if count]
    best: Counter[Offer] = Counter()
    for (surely, at_best), count in (*pairs, *untold.items()):
        if at_best is not None:
            # An offer that hopes for nothing more is taken as the certain one, so equal nodes do not look uncertain.
            best[surely if surely.is_all_of(at_best, case.needs) else at_best] += count
    return best


def _nodes_left_out_of_placement(nodes: Sequence[Node]) -> str:
    reasons = Counter(node.unusable for node in nodes if node.unusable is not None)
    if not reasons:
        return ""
    return ", left out " + joined_words(f"{count} {reason}" for reason, count in reasons.most_common(_MOST_REASONS))


def _check_placement_without_nodes(case: Case, room: Room) -> Findings:
    """Return what can be told of a room that knows no nodes."""
    # Sums may be there, and the request still take a part of the one node that somebody else's replica needs.
    if case.claimed.shapes:
        message = "others have claimed places on nodes, but the nodes are not known"
        return Findings.of([Check("placement", Outcome.UNKNOWN, message, "allow listing nodes.")])
    if room.source == "declared":
        return Findings.of(notes=["placement not checked: a declared capacity has no per-node data"])
    if case.policy.placement == "aggregate":
        return Findings.of(notes=["placement not checked: policy.placement is aggregate"])
    message = f"the {room.source} have no per-node data, so it is not known whether a replica fits on a node"
    remedy = "allow listing nodes, or set policy.placement to aggregate."
    return Findings.of([Check("placement", Outcome.UNKNOWN, message, remedy)])


# Replicas that would not fit into the empty pool


def _check_placement_in_empty_pool(case: Case) -> Check | None:
    """Return a failed check if the replicas would not fit even into the empty pool."""
    pool, nodes = case.situation.pool, case.nodes or ()
    # A rejection is final, so all that it rests on must have been told.
    if pool is None or not pool.tells_its_size or case.untold:
        return None
    # A node without a flavor may be one of the flavor asked for.
    if case.asks_whole_nodes and any(node.flavor is None for node in nodes):
        return None
    for group in case.request.groups:
        check = (
            _check_placement_of_one_replica(case, pool, group.resources)
            if group.resources
            else _check_placement_by_flavor(pool, nodes, group)
        )
        if check is not None:
            return check
    if case.empty.shapes is None:
        return None
    offers = case.empty.offers(case.order)
    if place(offers, case.needs) is not NoPlacement.IMPOSSIBLE:
        return None
    message, remedy = "the groups together do not fit even into the empty pool", "ask for less"
    if len(case.needs) == 1:
        most = most_replicas_placed(offers, case.needs[0])
        message = f"the empty pool would take {most} of {case.needs[0].replicas} replicas"
        remedy = f"ask for {most} replicas or fewer"
    return Check("placement", Outcome.NEVER, message, f"{remedy}, or use a larger pool.")


def _check_placement_by_flavor(pool: Pool, nodes: Sequence[Node], group: Group) -> Check | None:
    """Return a failed check if the pool is not even meant to have so many nodes of a flavor."""
    meant = {quota.flavor: quota.most for quota in pool.flavors}
    listed = sum(node.flavor == group.flavor and not node.leaving for node in nodes)
    # Nodes may be listed beyond the count of the spec, and be in the spec before they are listed (ShowPool).
    most = max(listed, meant.get(str(group.flavor), 0))
    if most >= group.replicas:
        return None
    asked = f"{plural(group.replicas, 'whole node')} of {group.flavor} asked for"
    remedy = f"ask for a flavor that it has: {joined_words(sorted(meant))}."
    if most:
        remedy = f"ask for {most} or fewer, or use a larger pool."
    return Check("placement", Outcome.NEVER, f"{asked}; the pool is meant to have {most}", remedy)


def _check_placement_of_one_replica(case: Case, pool: Pool, resources: Mapping[str, int]) -> Check | None:
    """Return a failed check if a replica asks for more of a resource than any node will ever have."""
    for resource, asked in resources.items():
        # One resource can be known of every node where all that are asked for are not.
        shapes = case.empty.shapes or EmptyPool.of(case.nodes or (), pool.flavors, (resource,)).shapes
        if shapes is None:
            continue
        largest = max((dict(amounts).get(resource, 0) for _kind, amounts in shapes), default=0)
        if asked > largest:
            name, most = label(resource), format_amount(resource, largest)
            message = f"a replica needs {name} {format_amount(resource, asked)}; "
            message += f"the largest of {plural(sum(shapes.values()), 'node')} offers {most}"
            remedy = f"ask for {name} {most} or less, or give a flavor instead of resources."
            return Check("placement", Outcome.NEVER, message, remedy)
    return None
