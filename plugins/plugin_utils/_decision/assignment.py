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
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.case import needs_of, order_of
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import (
    Placement,
    place,
    place_greedily,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Policy, Request


def assign_replicas(nodes: Sequence[Node], request: Request, policy: Policy) -> tuple[list[Amounts], int]:
    """Return (what each node takes of the request, how many replicas found a place).

    It is the placement that was decided; where there is none, as many replicas as one greedy pass places. What a
    replaced job gives back is not there yet.
    """
    order = order_of(request)
    needs = needs_of(request, order)
    whole = any(need.amounts is None for need in needs)
    offers = [
        None if node.unusable is not None else node.offer(order, policy.card_groups, whole=whole) for node in nodes
    ]
    counted = Counter(offer for offer in offers if offer is not None)
    placement = place(counted, needs)
    if not isinstance(placement, Placement):
        placement = place_greedily(counted, needs)
    taken: list[Amounts] = []
    for node, replicas in zip(nodes, placement.by_node(offers)):
        amounts: Amounts = {}
        for group, count in zip(request.groups, replicas or ()):
            of_each = node.free if group.resources is None else group.resources
            add_amounts(amounts, {name: amount * count for name, amount in of_each.items() if amount * count})
        taken.append(amounts)
    return taken, request.replicas - sum(placement.missing)
