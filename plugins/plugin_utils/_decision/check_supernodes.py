# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether replicas that belong together, each on a whole node, find their nodes in one supernode.

By default nothing binds the replicas of a job. Where a request has an affinity_group_size, so many of them at a time
must be in one supernode. Source: the label spod.id of nodes; not tried on a real pool.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import is_ascend_card
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import ASCEND_950, card_hardware_of
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import plural

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.case import Case
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group, Policy

_NAME = "supernodes"


def check_supernodes(case: Case) -> Check | None:
    """Return whether the replicas find supernodes with enough idle nodes; None where they need not be in one."""
    size, replicas = case.request.affinity_group_size, case.request.replicas
    if size == 1:
        return None
    unclear = _why_supernodes_unclear(case)
    if unclear is not None:
        return Check(_NAME, Outcome.UNKNOWN, *unclear)
    usable = [node for node in case.nodes or () if node.unusable is None]
    need = case.needs[0]
    idle, unlabelled = _count_places_by_supernode(case, usable, need)
    offers = case.offers_of(usable)
    whole_groups = sum(count // size for count in idle.values())
    # Each place that others take, or have claimed, can break up one group at most.
    certain = whole_groups - case.claimed.most_groups_lost(size, offers, need, case.order, case.unplaced)
    wanted = replicas // size
    where = f"{plural(len(idle), 'supernode')} with {plural(sum(idle.values()), 'idle node')}"
    message = f"{max(0, min(certain, wanted))} of {plural(wanted, 'group')} of {size} replicas on {where}"
    if certain >= wanted:
        return Check(_NAME, Outcome.PASSED, message)
    best, best_unlabelled = _count_places_by_supernode(case, usable, need, is_hopeful=True)
    everywhere = sum(best.values()) + best_unlabelled
    # A node of a supernode that is not known completes one group at most.
    at_best = min(everywhere // size, sum(count // size for count in best.values()) + best_unlabelled)
    # Two nodes given back in one supernode make a group, and in two supernodes they may make none.
    if case.replaced.is_partial or case.replaced.possible:
        message += "; the nodes that are given back are not known"
        return Check(_NAME, Outcome.UNKNOWN, message)
    if unlabelled and at_best >= wanted:
        message += f"; the supernode of {plural(unlabelled, 'node')} more is not known"
        return Check(_NAME, Outcome.UNKNOWN, message, "leave out request.affinity_group_size if nothing binds them.")
    if at_best >= wanted and (best, best_unlabelled) != (idle, unlabelled):
        message += "; nodes that could not be read may be idle"
        return Check(_NAME, Outcome.UNKNOWN, message)
    # All nodes were read, and there are enough of them: only others can keep them from the request.
    if at_best >= wanted:
        beside_jobs = whole_groups - case.unplaced.most_lost(offers, need, case.order)
        who = "the claims of others" if beside_jobs >= wanted else case.starting
        message += f"; {who} may take nodes of the others"
    remedy = f"wait until {size} nodes of one supernode are idle, or ask for smaller groups."
    return Check(_NAME, Outcome.FAILED, message, remedy)


def _why_supernodes_unclear(case: Case) -> tuple[str, str] | None:
    """Return (why it cannot be told at all, the remedy)."""
    size, request = case.request.affinity_group_size, case.request
    if case.nodes is None:
        return "only the list of nodes shows which of them form a supernode", "allow listing nodes."
    if len(request.groups) > 1:
        return "it is not known how groups of several shapes share supernodes", "ask for one shape."
    if request.replicas % size:
        asked = f"{plural(request.replicas, 'replica')} are not a multiple of an affinity_group_size of {size}"
        return f"{asked}, and the placement of the rest is not known", f"ask for a multiple of {size} replicas."
    serving = [node for node in case.nodes if _may_serve_in_supernode(node, case.needs[0])]
    if serving and all(card_hardware_of(node.flavor) is ASCEND_950 for node in serving):
        return "the supernode that these nodes report is their frame, a smaller unit", ""
    resources = request.groups[0].resources
    # Instances of such a job take whole nodes. How smaller ones would share a supernode is not documented.
    if resources is not None and not any(_takes_all_cards_in_supernode(node, resources) for node in serving):
        message = "groups in one supernode take whole nodes, but a replica needs less than one"
        return message, "ask for all cards of a node, or for its flavor."
    return None


def _may_serve_in_supernode(node: Node, need: Need) -> bool:
    return node.unusable is None and need.accepts(node.kind)


def _takes_all_cards_in_supernode(node: Node, resources: t.Mapping[str, int]) -> bool:
    """Return whether a replica takes all Ascend cards of the node."""
    cards = [name for name in resources if is_ascend_card(name)]
    return bool(cards) and all(node.resources.get(name) == resources[name] for name in cards)


def _count_places_by_supernode(
    case: Case, nodes: Sequence[Node], need: Need, *, is_hopeful: bool = False
) -> tuple[Counter[str], int]:
    """Return (how many nodes of each supernode take a replica, how many do whose supernode is not known)."""
    whole, by_policy = case.asks_whole_nodes, case.policy.card_groups
    resources = case.request.groups[0].resources
    idle: Counter[str] = Counter()
    unlabelled = 0
    for node in nodes:
        offered = node.best_offer if is_hopeful else node.offer
        offer = offered(case.order, by_policy, whole=whole)
        is_whole = resources is None or _takes_all_cards_in_supernode(node, resources)
        fits = bool(is_whole and offer is not None and offer.fits(need))
        # At best a node that cannot be read is idle.
        if is_hopeful and offer is None and is_whole:
            fits = True
        if not fits:
            continue
        # The label of a 950 names its frame.
        if node.supernode is None or card_hardware_of(node.flavor) is ASCEND_950:
            unlabelled += 1
        else:
            idle[node.supernode] += 1
    return idle, unlabelled


def count_groups_by_supernode(nodes: Sequence[Node], shape: Group, order: Sequence[str], policy: Policy) -> int | None:
    """Return how many whole groups of a claimed shape idle nodes make; None where that cannot be counted.

    What is not told makes no group.
    """
    need, idle = Need.of(shape, order), Counter[str]()
    serving = [node for node in nodes if _may_serve_in_supernode(node, need)]
    resources = shape.resources
    # Of replicas smaller than a node it is not known how they share a supernode.
    if resources is not None and not any(_takes_all_cards_in_supernode(node, resources) for node in serving):
        return None
    for node in serving:
        is_whole = resources is None or _takes_all_cards_in_supernode(node, resources)
        is_told = node.supernode is not None and card_hardware_of(node.flavor) is not ASCEND_950
        if is_whole and is_told and node.offer(order, policy.card_groups, whole=True).fits(need):
            idle[str(node.supernode)] += 1
    return sum(count // shape.affinity_group_size for count in idle.values())
