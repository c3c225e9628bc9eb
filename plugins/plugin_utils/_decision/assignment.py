# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node takes what of a request: the placement as it was decided, for a picture of it.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add_amounts
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import card_rules_of, choose_cards
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.case import resource_order_of_case
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import (
    Need,
    Placement,
    place,
    place_greedily,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request


class Taken(t.NamedTuple):
    """What a node takes of a request: ``amounts``, and of its Ascend cards those in ``cards``.

    Cards lie together in groups of ``rule``, None where that is not known. ``free`` are the numbers of the free ones,
    None where these are not known.
    """

    amounts: Amounts
    rule: int | None = None
    free: list[int] | None = None
    cards: Sequence[int] = ()


def assign_replicas(nodes: Sequence[Node], request: Request, policy: Policy) -> tuple[list[Taken], int]:
    """Return (what each node takes of the request, how many replicas found a place).

    It is the placement that was decided; where there is none, as many replicas as one greedy pass places. What a
    replaced job gives back is not there yet.
    """
    order = resource_order_of_case(request)
    needs = [Need.of(group, order) for group in request.groups]
    whole = any(need.amounts is None for need in needs)
    offers = [
        None if node.unusable is not None else node.offer(order, policy.card_groups, whole=whole) for node in nodes
    ]
    counted = Counter(offer for offer in offers if offer is not None)
    # The search that the check runs: arithmetic of its own could draw a placement that contradicts the decision.
    placement = place(counted, needs)
    if not isinstance(placement, Placement):
        placement = place_greedily(counted, needs)
    taken: list[Taken] = []
    for node, replicas in zip(nodes, placement.by_node(offers)):
        amounts: Amounts = {}
        for group, count in zip(request.groups, replicas or ()):
            # A whole node gives all that is free there: the request names no amounts for it.
            of_each = node.free if group.resources is None else group.resources
            add_amounts(amounts, {name: amount * count for name, amount in of_each.items() if amount * count})
        taken.append(_assign_cards(node, amounts, request, policy, replicas or ()))
    return taken, request.replicas - sum(placement.missing)


def _assign_cards(node: Node, amounts: Amounts, request: Request, policy: Policy, replicas: Sequence[int]) -> Taken:
    """Return what a node takes with the very cards, where its text tells which are free."""
    cards = node.cards
    if cards is None:
        return Taken(amounts)
    rules = card_rules_of(node.flavor, cards.places, cards.batch_type, policy.card_groups)
    rule = rules[0] if len(rules) == 1 else None
    # A text that shows more cards than the amounts do is older, and its numbers would draw cards that are taken.
    if cards.shown is None or bin(cards.shown).count("1") * 1000 > node.free.get(cards.resource, 0):
        return Taken(amounts, rule)
    free = [number for number in range(1, cards.places + 1) if cards.shown >> (number - 1) & 1]
    sizes: list[int] = []
    for group, count in zip(request.groups, replicas):
        of_each = node.free if group.resources is None else group.resources
        sizes += [of_each.get(cards.resource, 0) // 1000] * count
    # Any way to place them is a picture: where the rule is not known, one in which the smallest groups hold.
    chosen = choose_cards(free, min(rules, default=cards.places), [size for size in sizes if size])
    return Taken(amounts, rule, free, sorted(number for mine in chosen or () for number in mine))
