# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences about cards that are free, and do not or may not lie together.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import (
    PAIR,
    RING,
    card_hardware_of,
    card_rules_of,
    card_sizes_of,
    offers_card_size,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import joined_words, plural

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import CardGroups, Cards
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.placement import Need

# The two rings of a 910B Box16 (MindCluster). Nothing shows that ModelArts sells one.
_RING_OF_EIGHT = 8


class _Found(t.NamedTuple):
    """A node on which a replica finds enough cards by their number, surely or at best."""

    node: Node
    cards: Cards
    amount: int


def why_cards_scattered(
    nodes: Sequence[Node], needs: Sequence[Need], order: Sequence[str], by_policy: CardGroups
) -> str:
    """Return where a replica would find enough cards if these lay together; empty where no node is like that."""
    found = [
        one
        for one in _nodes_with_enough_cards(nodes, needs, order, by_policy)
        # A sentence that says how cards lie must not rest on a rule or a text that is only one of several.
        if one.cards.is_certain and not _do_cards_lie_together(one)
    ]
    if not found:
        return ""
    # The node with the most free cards is the one of which a reader asks why it does not serve.
    node, cards, _amount = max(found, key=lambda one: one.cards.free)
    rule, groups = cards.rules[0], cards.groups[0]
    told = (
        f"{plural(sum(groups), 'card')} {'is' if sum(groups) == 1 else 'are'} free on {_card_node_in_words(node)}, but "
    )
    if rule == PAIR:
        whole = groups.count(PAIR)
        return told + (f"only {plural(whole, 'whole pair')}" if whole else "no whole pair")
    return told + " + ".join(map(str, groups)) + f" over its {_card_groups_in_words(rule)}"


def why_cards_not_known(
    nodes: Sequence[Node], needs: Sequence[Need], order: Sequence[str], by_policy: CardGroups
) -> tuple[str, str]:
    """Return (why it is not known whether replicas get cards that lie together, the remedy); empty where it is."""
    found = [one for one in _nodes_with_enough_cards(nodes, needs, order, by_policy) if not _do_cards_lie_together(one)]
    if not found:
        return "", ""
    for one in found:
        if not _is_card_size_offered(one):
            return _card_size_in_words(one)
    for one in found:
        if len(one.cards.rules) > 1:
            return _card_rule_in_words(one)
    return _card_text_in_words(max(found, key=lambda one: one.cards.free))


def notes_on_card_groups(nodes: Sequence[Node], by_policy: CardGroups) -> list[str]:
    """Return a note on each flavor of the policy whose name tells something else of its cards."""
    notes = []
    for flavor, size in by_policy.by_flavor:
        cards = next((node.cards for node in nodes if node.flavor == flavor and node.cards is not None), None)
        hardware = card_hardware_of(flavor)
        if cards is None or hardware is None:
            continue
        rules = card_rules_of(flavor, cards.places, cards.batch_type, by_policy)
        # The name of a flavor outranks the policy, so a policy that contradicts it has no effect and must be told.
        if rules != (min(size, cards.places),):
            told = f"policy.card_groups has {size} for {flavor}, but its name means {joined_words(map(str, rules))}"
            notes.append(f"{told}: not used")
    return notes


def _nodes_with_enough_cards(
    nodes: Sequence[Node], needs: Sequence[Need], order: Sequence[str], by_policy: CardGroups
) -> Iterable[_Found]:
    """Yield one node of each kind that has enough free cards for a replica of one of the needs."""
    least: Amounts = {}
    for need in needs:
        for index, amount in need.asked:
            least[order[index]] = min(amount, least.get(order[index], amount))
    seen = set()
    for node in nodes:
        # Before an offer is made of it: there may be ten thousand nodes, and most of them have fewer cards free.
        name = node.cards.resource if node.cards is not None else None
        if name not in least or node.free.get(name, 0) < least[name]:
            continue
        offer = node.offer(order, by_policy, whole=False)
        if offer.cards is None or offer in seen:
            continue
        # Nodes that make the same offer give the same sentence, and a pool may have ten thousand of them.
        seen.add(offer)
        for need in needs:
            amount = need.amounts[offer.cards.at] if need.amounts else 0
            if amount and offer.free[offer.cards.at] >= amount:
                yield _Found(node, offer.cards, amount)


def _do_cards_lie_together(found: _Found) -> bool:
    return found.cards.fits(found.amount) > 0


def _is_card_size_offered(found: _Found) -> bool:
    size, part = divmod(found.amount, 1000)
    return not part and any(offers_card_size(rule, found.cards.places, size) for rule in found.cards.rules)


def _card_size_in_words(found: _Found) -> tuple[str, str]:
    size, part = divmod(found.amount, 1000)
    hardware = card_hardware_of(found.node.flavor)
    kind = "a node of its kind" if hardware is None else f"a {hardware.name} node"
    offered = card_sizes_of(found.cards.rules, found.cards.places)
    asked = "a part of a card" if part else plural(size, "card")
    larger = next((one for one in offered if one > size), None)
    message = f"a replica needs {asked}, but {kind} gives {joined_words(map(str, offered))}"
    return message, f"ask for {plural(larger, 'card')} per replica." if larger else ""


def _card_rule_in_words(found: _Found) -> tuple[str, str]:
    node, cards, _amount = found
    flavor = node.flavor or "without a name"
    free = f"the {plural(cards.free, 'free card')} of {_card_node_in_words(node)}"
    message = f"it is not known whether {free} lie together, as its flavor {flavor} does not show its hardware"
    remedy = f"set the number of cards that lie together in policy.card_groups, like {{'{flavor}': {RING}}}."
    return message, remedy if node.flavor else ""


def _card_text_in_words(found: _Found) -> tuple[str, str]:
    node, cards, _amount = found
    free = f"{plural(cards.free, 'card')} of {_card_node_in_words(node)} {'is' if cards.free == 1 else 'are'} free"
    shown = node.cards.shown if node.cards else None
    told = "its placement cannot be read"
    if shown is not None:
        told = f"its placement shows {bin(shown).count('1')} free"
    if node.cards and node.cards.back:
        told = "the cards that are given back there are not known"
    remedy = "ask for 1 card or for a whole node per replica, or wait until more are free."
    return f"it is not known which {free}: {told}", remedy


def _card_groups_in_words(rule: int) -> str:
    return "rings" if rule in (RING, _RING_OF_EIGHT) else f"groups of {rule}"


def _card_node_in_words(node: Node) -> str:
    return node.name or node.address or "a node without a name"
