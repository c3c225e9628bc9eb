# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is enough of each resource, over the whole pool.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    ON_EVERY_NODE,
    Amounts,
    add_amounts,
    amount_to_number,
    canonical_resource,
    card_resources_like,
    format_amount,
    is_card_resource,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import is_unread
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
    Check,
    Findings,
    Outcome,
    ResourceFigures,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import (
    joined_words,
    label,
    nearest_resource_in_words,
    plural,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import requested_resource_but_vendor

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.case import Case
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.node import Node
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.room import Room

_MOST_QUOTED = 3  # the first amounts that cannot be read show what kind they are


@dataclass(frozen=True)
class _ResourceBalance:
    """One resource in a room: exact amounts of what is needed, free, kept free, and about to be taken."""

    resource: str
    need: int
    free: int
    total: int
    kept: int
    unplaced: int
    given_back: int
    claimed: int

    @property
    def short(self) -> int:
        """What is missing; below zero what is left."""
        return self.need + self.kept + self.unplaced + self.claimed - self.free

    @property
    def figures(self) -> ResourceFigures:
        figures: ResourceFigures = {
            "resource": self.resource,
            "need": amount_to_number(self.resource, self.need),
            "free": amount_to_number(self.resource, self.free),
            "total": amount_to_number(self.resource, self.total),
            "kept": amount_to_number(self.resource, self.kept),
            "unplaced": amount_to_number(self.resource, self.unplaced),
            "missing": amount_to_number(self.resource, max(0, self.short)),
            "used": amount_to_number(self.resource, max(0, self.total - self.free)),
            "left": amount_to_number(self.resource, max(0, -self.short)),
        }
        if self.claimed:
            figures["claimed"] = amount_to_number(self.resource, self.claimed)
        return figures

    def message(self, starting: str) -> str:
        """Return the sentence, where ``starting`` names the jobs that are about to take some."""
        parts = [
            f"{self._head()} of {self._text(self.total)}",
            self._part(self.given_back, "given back", after=True),
            self._part(self.claimed, "claimed"),
            f"{self._text(self.unplaced)} going to {starting}" if self.unplaced else "",
            self._part(self.short, "short"),
        ]
        return ", ".join(part for part in parts if part)

    def brief(self) -> str:
        """Return the same where there is little room."""
        parts = [
            self._head(),
            self._part(self.claimed, "claimed"),
            self._part(self.unplaced, "going"),
            self._part(self.short, "short"),
        ]
        return ", ".join(part for part in parts if part)

    def _head(self) -> str:
        kept = f", kept {self._text(self.kept)}" if self.kept else ""
        return f"need {self._text(self.need)}, free {self._text(self.free)}{kept}"

    def _part(self, amount: int, word: str, *, after: bool = False) -> str:
        """Return an amount with its word, or nothing where there is none of it."""
        if amount <= 0:
            return ""
        return f"{self._text(amount)} {word}" if after else f"{word} {self._text(amount)}"

    def _text(self, amount: int) -> str:
        return format_amount(self.resource, amount)


def check_resources(case: Case, room: Room) -> Findings:
    """Ask for each resource whether there is enough, and note what was not asked."""
    needs, unknown = _needs_of_resources(case)
    if unknown is not None:
        return Findings.of([unknown])
    skipped = [name for name in case.policy.headroom if name not in needs]
    missing = [name for name in ON_EVERY_NODE if name not in needs]
    notes = [
        f"{' and '.join(missing)} not asked for, so not checked" if missing else "",
        f"headroom of {joined_words(map(label, skipped))} not checked: not asked for" if skipped else "",
        *room.notes,
        _note_unread_resource(case, needs),
        *_notes_on_resources_of_jobs(case, needs),
        _note_job_that_may_be_on_node(case),
    ]
    checks = [_check_resource(case, room, resource, need) for resource, need in needs.items()]
    return Findings.of([*checks, *_check_headroom_resources(skipped, needs)], notes)


def _needs_of_resources(case: Case) -> tuple[Amounts, Check | None]:
    """Return what is asked of each resource; a whole node counts as the smallest of those that can serve."""
    needs = case.request.resources()
    for group in case.request.groups:
        if group.flavor is None:
            continue
        if case.nodes is None:
            message = f"only the list of nodes shows the resources of a node of {group.flavor}"
            return needs, Check("flavor", Outcome.UNKNOWN, message)
        # A sum must not refuse a request that fits: counted by the smallest node, it leaves that to the placement.
        smallest = _resources_of_smallest_node([node for node in case.nodes if node.flavor == group.flavor])
        add_amounts(needs, {name: smallest[name] * group.replicas for name in sorted(smallest) if smallest[name]})
    return needs, None


def _resources_of_smallest_node(nodes: Sequence[Node]) -> Amounts:
    """Return what a whole node gives at least; a node of which an amount cannot be read says nothing of that one."""
    serving = [node for node in nodes if node.unusable is None and node.is_idle is not False]
    # Where no node can serve now, their sizes still tell which resources a whole node takes.
    tables = [(node.free, node.unread_free) for node in serving] or [
        (node.resources, node.unread_resources) for node in nodes
    ]
    smallest: Amounts = {}
    told: Counter[str] = Counter()
    for has, unread in tables:
        for name, amount in has.items():
            smallest[name] = min(amount, smallest.get(name, amount))
        if not unread:
            told.update(has.keys())
    # A node that was read whole and does not name a resource has none of it.
    whole = sum(not unread for _has, unread in tables)
    return {name: amount if told[name] == whole else 0 for name, amount in smallest.items()}


def _check_resource(case: Case, room: Room, resource: str, need: int) -> Check:
    if resource not in room.free and not (room.lists_all and resource not in case.untold):
        return Check(
            resource, Outcome.UNKNOWN, _why_resource_not_told(case, room, resource), figures={"resource": resource}
        )
    total = room.usable.get(resource, 0)
    balance = _ResourceBalance(
        resource,
        need=need,
        free=room.free.get(resource, 0),
        total=total,
        kept=case.policy.kept(resource, total),
        unplaced=case.unplaced.total.get(resource, 0),
        given_back=case.replaced.certain_amounts().get(resource, 0),
        claimed=case.claimed.total.get(resource, 0),
    )
    message, figures = balance.message(case.starting), balance.figures
    # A shortage that no unread amount can mend is certain, so it comes before all that is not known.
    if not _may_be_enough_of_resource(balance, room, case.replaced.possible):
        return _check_resource_shortage(case, room, balance)
    if is_unread(case.unplaced.unread, (resource,)):
        message += f"; {case.starting} take what could not be read"
        return Check(resource, Outcome.UNKNOWN, message, figures=figures)
    if balance.short <= 0:
        return Check(resource, Outcome.PASSED, message, figures=figures)
    if case.replaced.possible:
        message += "; the resources that are given back may be enough"
        return Check(resource, Outcome.UNKNOWN, message, figures=figures)
    message += "; nodes that could not be read may have enough"
    remedy = "check the nodes whose quantities cannot be read."
    return Check(resource, Outcome.UNKNOWN, message, remedy, figures)


def _may_be_enough_of_resource(balance: _ResourceBalance, room: Room, possible: Mapping[str, int]) -> bool:
    """Return whether there is enough, or may be with what could not be read and what may be given back."""
    # An amount without a bound may be enough: that is not known, and no shortage.
    if balance.short <= 0 or is_unread(room.unbounded, (balance.resource,)):
        return True
    at_most = room.at_most.get(balance.resource, 0) + possible.get(balance.resource, 0)
    return balance.need + balance.kept + balance.unplaced + balance.claimed <= at_most


def _check_resource_shortage(case: Case, room: Room, balance: _ResourceBalance) -> Check:
    resource, name, figures = balance.resource, label(balance.resource), balance.figures
    message, brief = balance.message(case.starting), balance.brief()
    never, most = _why_never_enough_of_resource(case, room, resource, balance.need)
    # Only nodes name all resources: metrics mask the names of cards (ShowPoolRuntimeMetrics).
    if never and not most and case.nodes is not None:
        # Cards first: one of them is what a wrong name most likely means.
        known = sorted(case.empty.total, key=lambda one: (not is_card_resource(one), one))
        near = nearest_resource_in_words(resource, known)
        hint = f": did you mean {near}?" if near else ""
        message = f"the pool has no resource {resource}; it has {joined_words(known)}{hint}"
        remedy = f"ask for {near}." if near else f"use a pool that has {name}."
        return Check(resource, Outcome.NEVER, message, remedy, figures, brief)
    if never:
        remedy = f"ask for less {name}, or use a larger pool." if most else f"use a pool that has {name}."
        return Check(resource, Outcome.NEVER, f"{message}: {never}", remedy, figures, brief)
    remedy = f"wait until {format_amount(resource, balance.short)} {name} are given back, or use another pool."
    return Check(resource, Outcome.FAILED, message, remedy, figures, brief)


def _why_never_enough_of_resource(case: Case, room: Room, resource: str, need: int) -> tuple[str, int]:
    """Return (why the pool cannot give as much even with nothing running, what it has); no reason when it could."""
    # Nodes of one flavor may differ, so the placement in the empty pool tells whether whole nodes can ever serve.
    if case.asks_whole_nodes:
        return "", 0
    if not is_unread(case.empty.unread, (resource,)):
        most, whole = case.empty.total.get(resource, 0), "with every node it is meant to have, the pool has"
    elif room.source == "declared":
        most, whole = room.usable.get(resource, 0), "the declared capacity is"
    else:
        return "", 0
    kept = case.policy.kept(resource, most)
    if need + kept <= most:
        return "", most
    return f"{whole} {format_amount(resource, most)}" + (
        f", and {format_amount(resource, kept)} are kept" if kept else ""
    ), most


def _why_resource_not_told(case: Case, room: Room, resource: str) -> str:
    held = case.situation.jobs_hold.amounts
    alias = next((name for name in held if held[name] and resource in card_resources_like(name, room.usable)), None)
    if alias is not None:
        return f"jobs hold {alias}, which may be another name for it"
    if room.source != "declared":
        known = joined_words(map(label, room.free), "nothing")
        return f"the {room.source} do not report it, only {known}"
    if resource not in room.usable:
        return "it is not in the declared capacity"
    quoted = joined_words(
        (f"{one.resource} {one.value}" for one in case.situation.unread_of_jobs[:_MOST_QUOTED]), "no requirement given"
    )
    return f"the amounts that jobs hold of it cannot be read ({quoted})"


def _check_headroom_resources(skipped: Collection[str], needs: Amounts) -> list[Check]:
    """Return a check for each resource of the headroom that only its vendor tells from one that is asked for."""
    # A headroom whose name matches nothing would keep nothing free, and a slip of the pen would admit.
    checks = []
    for name in skipped:
        meant = requested_resource_but_vendor(name, needs)
        if meant:
            message = f"policy.headroom names {name}, which no node has: did you mean {meant}?"
            checks.append(Check("headroom", Outcome.UNKNOWN, message, f"name {meant} in policy.headroom."))
    return checks


def _note_unread_resource(case: Case, needs: Amounts) -> str:
    """Return a note on the first amount of a node that cannot be read and that is asked for."""
    unread = (one for one in case.situation.unread_on_nodes if canonical_resource(one.resource) in needs)
    first = next(unread, None)
    return f"node {first.node}: {first.resource} {first.value} cannot be read" if first else ""


def _notes_on_resources_of_jobs(case: Case, needs: Amounts) -> list[str]:
    """Return where jobs leave less than a node shows as free, or where it is not known what they leave."""
    less = 0
    unknown = ""
    for node in case.nodes or ():
        # Weighing makes a new table where jobs change something, so identity tells the nodes without a difference.
        if node.unusable is not None or node.free is node.shown:
            continue
        at_most, shown, held = node.at_most, node.shown, node.held
        less += bool([name for name in needs if at_most.get(name, 0) < shown.get(name, 0)])
        unread = [name for name in needs if is_unread(held.unread, (name,))] if held.unread else []
        unsplit = [name for name in needs if name in held.unsplit and node.free.get(name) != at_most.get(name)]
        if unread:
            what = f"the {label(unread[0])} that a job holds there cannot be read"
            unknown = unknown or f"node {node.name}: {what}"
        elif unsplit:
            what = f"the split of a job's {label(unsplit[0])} over its nodes is not known"
            unknown = unknown or f"node {node.name}: {what}"
        elif services := [name for name in needs if name in held.possible and node.free.get(name) != at_most.get(name)]:
            what = f"it may not show all jobs there, and its own services take some {label(services[0])} beside them"
            unknown = unknown or f"node {node.name}: {what}"
    shows = f"{plural(less, 'node')} {'shows' if less == 1 else 'show'}"
    return [f"{shows} more free than the jobs leave: the smaller counts" if less else "", unknown]


def _note_job_that_may_be_on_node(case: Case) -> str:
    """Return a note on the first node of which it is not known whether a job is there, where that matters."""
    if not case.asks_whole_nodes or not case.queue.is_read:
        return ""
    nodes = (node for node in case.nodes or () if node.jobs is None and node.address and node.unusable is None)
    first = next(nodes, None)
    what = "more cpu or memory is taken than on other nodes of its flavor, so a job may have started there"
    return f"node {first.name}: {what}" if first else ""
