# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: facts about a pool + request + policy -> verdict. Pure, without input or output.

Facts are an entry of ``pools`` as modelarts_workload_info returns it with ``include_capacity``. What is not known is
never room: a check has passed (True), failed (False) or could not be made (None).

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.poolgate.modelarts.plugins.module_utils._placement import Need, Slot, most_replicas, place
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import Amounts, add, number, text
from ansible_collections.poolgate.modelarts.plugins.module_utils._room import (
    GivenBack,
    Node,
    Room,
    Unplaced,
    is_unread,
    largest_of_flavor,
    read_nodes,
    read_numbers,
    room_declared,
    room_of_metrics,
    room_on_nodes,
    split_over_nodes,
    whole_pool,
    why_no_metrics,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._request import Group, Policy, Request

Facts = dict[str, t.Any]

PREFERENCE = ("admit", "wait", "unknown", "reject")
"""Decisions, the better first: over several pools the best one counts."""

OLDEST_FACTS = 300
"""Seconds after which facts are too old to decide on."""

_POOL_NOT_FOUND = "ModelArts.50015001"
_USABLE_PHASE = "Running"
_PASSING_PHASES = ("Creating", "Waiting", "Abnormal", "ScalingFailed")
_LOST_PHASES = ("Deleting", "Error", "CreationFailed")
_ABOUT_TO_START = 30
_STUCK_SECONDS = 14 * 86400


def label(resource: str) -> str:
    """A resource as sentences name it: what follows the vendor, like ``gpu``."""
    return resource.rpartition("/")[2]


def duration(seconds: float) -> str:
    """Seconds as a person reads them: ``40 s``, ``12 min``, ``9 h``, ``2 d 4 h``, ``98 d``."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    days, hours = divmod(whole // 3600, 24)
    if days == 0:
        return f"{hours} h"
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


def job_name(job: Facts) -> str:
    """A job as sentences name it: its type and its name."""
    name = job["job_name"] or job["name"] or job["job_uuid"] or "without a name"
    return f"{job['type'] or 'job'} {name}"


@dataclass
class Check:
    """One question of the decision. ``never`` marks a failure that no waiting mends; ``figures`` are its numbers."""

    name: str
    passed: bool | None
    message: str
    never: bool = False
    remedy: str = ""
    figures: Facts = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """The check as one line among others."""
        return f"{label(self.name)} {self.message}" if "resource" in self.figures else f"{self.name}: {self.message}"

    def as_facts(self) -> Facts:
        return {"name": self.name, "passed": self.passed, "message": self.message, **self.figures}


def capacity_verdict(
    facts: Facts, request: Request, policy: Policy, declared: Amounts | None = None, *, age: float = 0.0
) -> Facts:
    """The verdict on one pool.

    ``facts`` is an entry of ``pools`` read with ``include_capacity``, ``declared`` a capacity that the caller vouches
    for, ``age`` the seconds since ``facts["observed_at"]``. Returns ``{decision, pool, display_name, source,
    observed_at, age_seconds, checks, reasons, remedies, notes, resources, ahead, holders}``; quantities are in cores,
    bytes and cards.
    """
    return _Decision(facts, request, policy, declared, age).verdict()


def best(verdicts: Sequence[Facts]) -> Facts:
    """The verdict that counts over several pools: the first of the best decision."""
    return min(verdicts, key=lambda verdict: PREFERENCE.index(verdict["decision"]))


def hold_until_stable(verdict: Facts, fitted_seconds: float, policy: Policy) -> Facts:
    """The same verdict, but an admission waits until the request has fitted for ``policy.stable_seconds``."""
    if verdict["decision"] != "admit" or fitted_seconds >= policy.stable_seconds:
        return verdict
    message = f"it fits for {duration(fitted_seconds)}, and has to for {duration(policy.stable_seconds)}"
    check = Check("stable", False, message)
    return {**verdict, "decision": "wait", "checks": [*verdict["checks"], check.as_facts()], "reasons": [check.reason]}


class _Decision:
    """The checks of one verdict, made one after the other."""

    def __init__(self, facts: Facts, request: Request, policy: Policy, declared: Amounts | None, age: float) -> None:
        self._facts = facts
        self._request = request
        self._policy = policy
        self._declared = declared
        self._age = age
        self._pool: Facts = facts["pool"] or {}
        self._errors: dict[str, Facts] = {error["document"]: error for error in facts["errors"]}
        self._order = sorted({resource for group in request.groups for resource in group.resources or ()})
        self._nodes: list[Node] | None = None if facts["nodes"] is None else read_nodes(facts["nodes"])
        self._empty_pool = None
        if self._nodes is not None and self._pool:
            self._empty_pool = whole_pool(self._nodes, self._pool["flavors"])
        self._ahead = [job for job in facts["queued"] or () if self._is_ahead(job)]
        self._checks: list[Check] = []
        self._notes: list[str] = []
        self._resources: list[Facts] = []
        self._room: Room | None = None

    def verdict(self) -> Facts:
        missing = next((e for e in self._errors.values() if e.get("error_code") == _POOL_NOT_FOUND), None)
        if missing is not None:
            remedy = "give the ID (metadata.name) of a pool of this project."
            self._check("pool", False, f"not found ({_said(missing)})", never=True, remedy=remedy)
            return self._as_facts()
        self._check_facts()
        self._check_pool()
        self._check_job_type()
        self._check_logical_pools()
        given_back = self._read_given_back()
        given_back_at_once = GivenBack() if given_back.is_partial else given_back
        given_back_at_once.credit_nodes()
        self._room = self._choose_room(given_back)
        if self._room is not None:
            unplaced = self._read_unplaced(self._room)
            self._check_room(self._room, unplaced, given_back)
            if not any(check.never and "resource" in check.figures for check in self._checks):
                self._check_placement(self._room, unplaced, given_back)
        self._check_queue()
        return self._as_facts()

    def _check(
        self,
        name: str,
        passed: bool | None,
        message: str,
        *,
        never: bool = False,
        remedy: str = "",
        figures: Facts | None = None,
    ) -> None:
        self._checks.append(Check(name, passed, message, never, remedy, figures or {}))

    # Whether the pool takes such work at all

    def _check_facts(self) -> None:
        if self._age > OLDEST_FACTS:
            self._check("age", None, f"the facts are {duration(self._age)} old, limit {duration(OLDEST_FACTS)}")
        if "workloads" in self._errors:
            said = _said(self._errors["workloads"])
            self._check("jobs", None, said, remedy="allow listing the jobs of the pool.")
        elif not self._facts["complete"]:
            self._check("jobs", None, "the list of jobs is not complete: it changed faster than it could be read")

    def _check_pool(self) -> None:
        if not self._pool:
            self._check("pool", None, _said(self._errors.get("pool")), remedy="allow showing the pool.")
            return
        phase = self._pool["phase"]
        message = f"phase {phase or 'not told'}"
        if phase == _USABLE_PHASE:
            self._check("pool", True, message)
        elif phase in _LOST_PHASES:
            self._check("pool", False, message, never=True, remedy="use another pool.")
        elif phase in _PASSING_PHASES:
            remedy = f"wait until the pool is {_USABLE_PHASE}, or use another one."
            self._check("pool", False, message, remedy=remedy)
        else:
            self._check("pool", None, f"{message}, which is not a phase that the API reference knows")

    def _check_job_type(self) -> None:
        kind = self._request.type
        if kind is None:
            self._notes.append("job type not asked for, so not checked")
        elif not self._pool or self._pool["job_types"] is None:
            self._check("job_type", None, f"the pool does not tell whether it takes {kind} jobs")
        else:
            states = self._pool["job_types"]
            state = states.get(kind, "not there")
            if state == "Enabled":
                self._check("job_type", True, f"{kind} is enabled")
            elif state == "Enabling":
                self._check("job_type", False, f"{kind} is being enabled", remedy="wait until it is enabled.")
            else:
                known = ", ".join(f"{name} {of}" for name, of in states.items()) or "none"
                remedy = f"enable {kind} jobs in the pool, or use a pool that takes them."
                message = f"{kind} is {state} (the pool has: {known})"
                self._check("job_type", False, message, never=True, remedy=remedy)

    def _check_logical_pools(self) -> None:
        reasons = []
        if self._pool.get("parent"):
            reasons.append(f"this pool is a part of {self._pool['parent']}")
        if self._pool.get("subpools"):
            reasons.append(f"{self._pool['subpools']} logical pools share it")
        bound = sum(bool(node["elastic_quota"]) for node in self._facts["nodes"] or ())
        if bound:
            reasons.append(f"{bound} nodes are bound to logical pools")
        if reasons:
            remedy = "use a pool without logical pools, because their quotas are not in the API."
            self._check("logical_pools", None, f"{'; '.join(reasons)}: quotas cannot be read", remedy=remedy)

    # What it can still take

    def _choose_room(self, given_back: GivenBack) -> Room | None:
        metrics = self._facts["metrics"]
        stale = _said(self._errors.get("metrics")) if "metrics" in self._errors else ""
        stale = stale or why_no_metrics(metrics, self._age, duration)
        measured = None if stale else room_of_metrics(metrics, self._facts["held"], self._age)
        if self._nodes is not None:
            room = room_on_nodes(self._nodes, self._age)
            if given_back.is_partial:
                add(room.free, given_back.surely())
                add(room.hoped, given_back.surely())
            if measured is not None:
                room.take_smaller(measured, lambda resource, of: f"{label(resource)} {text(resource, of)}")
            return room
        said = _said(self._errors.get("nodes"))
        if measured is not None:
            self._notes.append(f"nodes: {said}")
            return measured
        if self._declared is not None:
            self._notes += [f"nodes: {said}", f"metrics: {stale}"]
            return room_declared(self._declared, self._facts["held"], self._age)
        self._check("nodes", None, said, remedy="allow listing nodes, or set capacity_gate_declared_capacity.")
        self._check("metrics", None, stale)
        return None

    def _read_unplaced(self, room: Room) -> Unplaced:
        """What is about to take room that the source still shows as free."""
        groups: list[Facts] = [] if self._is_declared(room) else list(self._facts["unplaced"] or ())
        if self._strategy()[0] == "backfill":
            starting = [job for job in self._ahead if job["seconds"] is None or job["seconds"] < _ABOUT_TO_START]
            groups += [{"count": 1, "resources": job["resources"], "unread": job["unread"]} for job in starting]
        return Unplaced.of(groups)

    def _is_declared(self, room: Room) -> bool:
        return self._nodes is None and not room.lists_all and room.source != "metrics"

    def _check_room(self, room: Room, unplaced: Unplaced, given_back: GivenBack) -> None:
        needs = self._needs()
        if needs is None:
            return
        for resource, need in needs.items():
            self._check_resource(resource, need, room, unplaced, given_back)
        missing = [name for name in ("cpu", "memory") if name not in needs]
        if missing:
            self._notes.append(f"{' and '.join(missing)} not asked for, so not checked")
        skipped = [label(name) for name in self._policy.headroom if name not in needs]
        if skipped:
            self._notes.append(f"headroom of {', '.join(skipped)} not checked: not asked for")
        self._notes += room.notes

    def _needs(self) -> Amounts | None:
        """What is asked of each resource; a whole node of a flavor counts as what the largest of them has."""
        needs = self._request.resources()
        for group in self._request.groups:
            if group.flavor is None:
                continue
            shape = largest_of_flavor(self._nodes or (), group.flavor)
            if shape is None and self._nodes is None:
                self._check("flavor", None, f"only the list of nodes tells what a node of {group.flavor} has")
                return None
            add(needs, {resource: amount * group.replicas for resource, amount in (shape or {}).items()})
        return needs

    def _check_resource(self, resource: str, need: int, room: Room, unplaced: Unplaced, given_back: GivenBack) -> None:
        if resource not in room.free and not room.lists_all:
            known = ", ".join(label(name) for name in room.free) or "nothing"
            self._check(resource, None, f"{room.source} do not tell about {label(resource)}, only about {known}")
            return
        total, free = room.usable.get(resource, 0), room.free.get(resource, 0)
        kept = self._policy.kept(resource, total)
        taken = unplaced.total.get(resource, 0)
        short = need + kept + taken - free
        hoped_short = need + kept + taken - room.hoped.get(resource, 0)
        amounts = {"need": need, "free": free, "total": total, "kept": kept, "unplaced": taken}
        amounts |= {"missing": max(0, short), "used": max(0, total - free), "left": max(0, -short)}
        figures: Facts = {"resource": resource, **{name: number(resource, of) for name, of in amounts.items()}}
        self._resources.append(figures)
        message = f"need {text(resource, need)}, free {text(resource, free)}"
        for said, amount in (
            ("kept", kept),
            ("about to be taken by jobs that show no node yet", taken),
            ("of it given back", given_back.surely().get(resource, 0)),
        ):
            message += f", {said} {text(resource, amount)}" if amount else ""
        message += f" of {text(resource, total)}"
        if is_unread(unplaced.unread, (resource,)):
            unknown = "and jobs that show no node yet take what could not be read"
            self._check(resource, False if hoped_short > 0 else None, f"{message}, {unknown}", figures=figures)
        elif short <= 0:
            self._check(resource, True, message, figures=figures)
        elif hoped_short <= 0:
            unknown = "nodes whose free amount cannot be read may have it"
            self._check(resource, None, f"{message}, short {text(resource, short)}; {unknown}", figures=figures)
        else:
            message += f", short {text(resource, short)}"
            never = self._why_never_enough(resource, need)
            if never:
                less = f"use a pool that has {label(resource)}" if not total else f"ask for less {label(resource)}"
                remedy = f"{less}, or use a larger pool." if total else f"{less}."
                self._check(resource, False, f"{message}: {never}", never=True, remedy=remedy, figures=figures)
            else:
                remedy = f"wait until {text(resource, short)} {label(resource)} are given back, or use another pool."
                self._check(resource, False, message, remedy=remedy, figures=figures)

    def _why_never_enough(self, resource: str, need: int) -> str:
        """Why the pool cannot give as much even with nothing running; empty when it could."""
        if self._empty_pool is not None:
            most = sum(dict(amounts).get(resource, 0) * count for (_f, amounts), count in self._empty_pool.items())
            whole = "with every node it is meant to have, the pool has"
        elif self._nodes is None and self._declared is not None and resource in self._declared:
            most, whole = self._declared[resource], "the declared capacity is"
        else:
            return ""
        kept = self._policy.kept(resource, most)
        if need + kept <= most:
            return ""
        return f"{whole} {text(resource, most)}" + (f", and {text(resource, kept)} are kept" if kept else "")

    # Whether the replicas find a place, node by node

    def _check_placement(self, room: Room, unplaced: Unplaced, given_back: GivenBack) -> None:
        if self._nodes is None:
            self._check_placement_unseen(room)
            return
        needs = [_need(group, self._order) for group in self._request.groups]
        if self._check_empty_pool(needs) or self._policy.placement == "aggregate":
            return
        usable = [node for node in self._nodes if node.unusable is None]
        slots = Counter(slot for slot in (node.slot(self._order) for node in usable) if slot is not None)
        hoped = Counter(slot for slot in (node.slot(self._order, hopeful=True) for node in usable) if slot is not None)
        where = f"{len(usable)} usable node{'s' * (len(usable) != 1)}{self._left_out()}"
        replicas = f"{self._request.replicas} replica{'s' * (self._request.replicas != 1)}"
        gained = given_back.places(needs[0], self._order) if given_back.is_partial else 0
        sure = most_replicas(slots, needs[0]) + gained - unplaced.damage(needs[0], self._order)
        if len(needs) == 1:
            fits: bool | None = sure >= needs[0].replicas
            message = f"{max(0, min(sure, needs[0].replicas))} of {replicas} on {where}"
        else:
            fits = place(slots, needs)
            message = f"{'all' if fits else 'not all'} {replicas} of {len(needs)} groups on {where}"
        unknown = ""
        if fits and len(needs) > 1 and unplaced.pieces:
            unknown = "jobs that show no node yet may land on the same nodes"
        elif fits is None:
            unknown = "the search over several groups was given up"
        elif not fits and hoped != slots and place(hoped, needs) is not False:
            unknown = "nodes that could not be read whole may take them"
        if unknown:
            self._check("placement", None, f"{replicas} on {where}: {unknown}")
        elif fits:
            self._check("placement", True, message)
        else:
            if sure < needs[0].replicas <= most_replicas(slots, needs[0]):
                message += "; jobs that show no node yet may take the other places"
            remedy = "ask for smaller replicas, or wait: there is enough, but scattered over nodes."
            enough = all(check.passed for check in self._checks if check.name in self._order)
            self._check("placement", False, message, remedy=remedy if enough else "")

    def _check_placement_unseen(self, room: Room) -> None:
        if self._policy.placement == "aggregate" or self._declared is not None:
            self._notes.append(f"placement not checked: {room.source} know no nodes")
        else:
            remedy = "allow listing nodes, or set policy.placement to aggregate."
            message = f"{room.source} know no nodes, so nobody can tell whether a replica fits on one"
            self._check("placement", None, message, remedy=remedy)

    def _check_empty_pool(self, needs: Sequence[Need]) -> bool:
        """Whether not even the empty pool takes the replicas, which is then said."""
        if self._empty_pool is None:
            return False
        slots: Counter[Slot] = Counter()
        for (flavor, amounts), count in self._empty_pool.items():
            had = dict(amounts)
            slots[Slot(tuple(had.get(resource, 0) for resource in self._order), flavor, True)] += count
        for need, group in zip(needs, self._request.groups):
            if most_replicas(slots, need) == 0:
                message, remedy = self._why_replica_never_fits(group, slots)
                self._check("placement", False, message, never=True, remedy=remedy)
                return True
        if place(slots, needs) is not False:
            return False
        most = most_replicas(slots, needs[0])
        message = "the empty pool would not take all groups together"
        if len(needs) == 1:
            message = f"the empty pool would take {most} of {needs[0].replicas} replicas"
        remedy = f"ask for {most} replicas or fewer" if len(needs) == 1 else "ask for less"
        self._check("placement", False, message, never=True, remedy=f"{remedy}, or use a larger pool.")
        return True

    def _why_replica_never_fits(self, group: Group, slots: Mapping[Slot, int]) -> tuple[str, str]:
        """(what is wrong, what to do)."""
        if group.resources is None:
            known = ", ".join(sorted(flavor["flavor"] for flavor in self._pool["flavors"])) or "none"
            return f"the pool has no node of flavor {group.flavor}", f"ask for a flavor that it has: {known}."
        for index, resource in enumerate(self._order):
            asked = group.resources.get(resource, 0)
            largest = max((slot.free[index] for slot in slots), default=0)
            if asked > largest:
                offer = f"{label(resource)} {text(resource, largest)}"
                return (
                    f"a replica asks {label(resource)} {text(resource, asked)}; the largest node offers "
                    f"{text(resource, largest)} ({sum(slots.values())} looked at)",
                    f"ask for {offer} or less, or give a flavor instead of resources.",
                )
        return "no node has all that a replica asks for", "ask for smaller replicas."

    def _left_out(self) -> str:
        reasons = Counter(node.unusable for node in self._nodes or () if node.unusable is not None)
        if not reasons:
            return ""
        return ", left out " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3))

    # What the deployment gives back

    def _read_given_back(self) -> GivenBack:
        replaces = self._request.replaces
        if replaces is None:
            return GivenBack()
        if self._facts["placements"] is None:
            self._check("replaces", None, "the jobs could not be read")
            return GivenBack()
        job = next((job for job in self._facts["placements"] if job["job_uuid"] == replaces.job_uuid), None)
        if job is None:
            self._notes.append(f"job {replaces.job_uuid} is not in the pool: nothing is given back")
        elif job["waits"]:
            self._notes.append(f"{job_name(job)} waits itself: it gives nothing back, and does not count as ahead")
        elif not job["holds"]:
            self._notes.append(f"{job_name(job)} is {job['status']}: nothing is given back")
        elif self._strategy()[0] == "backfill" and self._count_ahead():
            self._notes.append(f"what {job_name(job)} gives back is not counted: it goes to the jobs ahead first")
        elif self._nodes is None:
            self._notes.append(f"what {job_name(job)} gives back is not counted: the nodes are not known")
        else:
            return self._split_job(job, replaces.replicas)
        return GivenBack()

    def _split_job(self, job: Facts, replicas: int | None) -> GivenBack:
        name = job_name(job)
        by_address = {node.address: node for node in self._nodes or () if node.address is not None}
        split = split_over_nodes(job) if job["host_ips"] else None
        if not job["host_ips"]:
            self._check("replaces", None, f"{name} shows no node yet, so where it gives back is not known")
        elif split is None or any(address not in by_address for address in split):
            self._check("replaces", None, f"how {name} is split over its nodes is not known")
        elif any(is_unread(by_address[address].unread_free, self._order) for address in split):
            self._check("replaces", None, f"what is free on the nodes of {name} could not be read")
        else:
            given_back = GivenBack([(by_address[address], amounts) for address, amounts in split.items()], replicas)
            self._notes.append(f"{name} is given back first")
            if given_back.is_partial:
                self._notes[-1] = (
                    f"{replicas} of {len(split)} replicas of {name} are given back first, taken for one a node and for "
                    "the least useful ones"
                )
            return given_back
        return GivenBack()

    # Who goes first

    def _strategy(self) -> tuple[str, str]:
        """(fifo or backfill, how that is known). An unknown strategy is taken for the stricter one."""
        if self._policy.queue_strategy != "auto":
            return self._policy.queue_strategy, "by policy"
        named = self._pool.get("queue_strategy")
        if not named:
            return "fifo", "assumed, pool names none"
        if named.lower() in ("fifo", "backfill"):
            return named.lower(), "named by the pool"
        return "fifo", f"assumed, pool names {named!r}, which is not known"

    def _is_ahead(self, job: Facts) -> bool:
        """Whether a job that waits goes before the request. All of them are older."""
        replaces = self._request.replaces
        if replaces is not None and job["job_uuid"] == replaces.job_uuid:
            return False
        return self._is_in_queue(job["type"]) and self._goes_first(_priority(job["priority"]))

    def _is_in_queue(self, kind: str | None) -> bool:
        return self._policy.queue_scope == "pool" or kind in (self._request.type, None, "unknown")

    def _goes_first(self, priority: int | None) -> bool:
        return priority is None or self._request.priority is None or priority >= self._request.priority

    def _count_ahead(self) -> int:
        groups: list[Facts] = self._facts["queue_counts"] or []
        count = sum(g["count"] for g in groups if self._is_in_queue(g["type"]) and self._goes_first(g["priority"]))
        replaces = self._request.replaces
        for job in self._facts["placements"] or ():
            if replaces is not None and job["job_uuid"] == replaces.job_uuid and job["waits"]:
                count -= self._is_in_queue(job["type"]) and self._goes_first(_priority(job["priority"]))
        return int(count)

    def _check_queue(self) -> None:
        if self._facts["queue_counts"] is None:
            return
        strategy, known = self._strategy()
        count = self._count_ahead()
        message = f"{strategy} ({known}), {count} ahead"
        figures = {"ahead": count, "strategy": strategy}
        if self._policy.queue_scope == "type":
            self._notes.append(f"only {self._request.type} jobs are taken to stand in this queue (policy.queue_scope)")
        if count == 0 or strategy == "backfill":
            self._check("queue", True, message, figures=figures)
        else:
            never, why, remedy = self._why_queue_stands()
            self._check("queue", False, message + why, never=never, remedy=remedy, figures=figures)
        self._check_queue_age()

    def _why_queue_stands(self) -> tuple[bool, str, str]:
        """(whether it never moves, who is at its head, what to do)."""
        if not self._ahead:
            return False, "", "wait for the jobs ahead, or use another pool."
        head = self._ahead[0]
        name = job_name(head)
        asked, _unread = read_numbers(head["resources"])
        for resource, amount in asked.items() if self._empty_pool is not None else ():
            most = sum(dict(had).get(resource, 0) * n for (_f, had), n in (self._empty_pool or {}).items())
            if amount > most:
                what = f"it asks {label(resource)} {text(resource, amount)}, the pool has {text(resource, most)}"
                remedy = f"end {name}: it blocks the queue and can never start."
                return True, f"; its head {name} can never fit: {what}", remedy
        if (head["seconds"] or 0) >= _STUCK_SECONDS:
            stuck = f"; its head {name} has waited {duration(head['seconds'])}: this queue does not move"
            return False, stuck, f"find out why {name} does not start, or end it; waiting is unlikely to help."
        return False, f", first {name}", "wait for the jobs ahead, ask with a higher priority, or use another pool."

    def _check_queue_age(self) -> None:
        limit = self._policy.max_oldest_queued_seconds
        if limit is None:
            return
        ages = [job["seconds"] for job in self._facts["queued"] if self._is_in_queue(job["type"])]
        oldest = max((age for age in ages if age is not None), default=0)
        said = f"the oldest job waits for {duration(oldest)}, limit {duration(limit)}"
        if oldest <= limit and None in ages:
            self._check("queue_age", None, "for how long a job waits could not be read")
        else:
            self._check("queue_age", oldest <= limit, said)

    # The verdict

    def _as_facts(self) -> Facts:
        if any(check.never for check in self._checks):
            decision = "reject"
            decisive = [check for check in self._checks if check.never]
        else:
            decisive = [check for check in self._checks if check.passed is not True]
            failed = any(check.passed is False for check in decisive)
            decision = "wait" if failed else "unknown" if decisive else "admit"
        return {
            "decision": decision,
            "pool": self._facts["pool_name"],
            "display_name": self._pool.get("display_name"),
            "source": None if self._room is None else self._room.source,
            "observed_at": self._facts["observed_at"],
            "age_seconds": None if self._room is None else int(self._room.age),
            "checks": [check.as_facts() for check in self._checks],
            "reasons": [check.reason for check in decisive],
            "remedies": list(dict.fromkeys(check.remedy for check in decisive if check.remedy)),
            "notes": self._notes,
            "resources": self._resources,
            "ahead": self._ahead[:10],
            "holders": self._facts["holders"] or [],
        }


def _need(group: Group, order: Sequence[str]) -> Need:
    amounts = None if group.resources is None else tuple(group.resources.get(resource, 0) for resource in order)
    return Need(group.replicas, amounts, group.flavor)


def _priority(value: object) -> int | None:
    try:
        return int(t.cast(str, value))
    except (TypeError, ValueError):
        return None


def _said(error: Facts | None) -> str:
    """An error of the API in a few words: its status, code and request."""
    if error is None:
        return "not read"
    parts = " ".join(str(error[name]) for name in ("status", "error_code") if error.get(name))
    if not parts:
        return str(error["msg"])
    return parts + (f", request {error['request_id']}" if error.get("request_id") else "")
