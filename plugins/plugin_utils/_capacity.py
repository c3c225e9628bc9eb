# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: facts about a pool + request + policy -> verdict. Pure, without input or output.

Facts are an entry of ``pools`` as modelarts_workload_info returns it with ``include_capacity``. What is not known is
never room: a check has passed (True), failed (False) or could not be made (None).

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from difflib import get_close_matches

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    add_amounts,
    canonical,
    format_amount,
    to_number,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import SCOPE
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._checks import Check, duration, job_name, label, plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._given_back import (
    GivenBack,
    has_whole_replicas,
    split_over_nodes,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._placement import Need, Slot, most_replicas, place
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._queue import Queue
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import remarks, same_but_vendor
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._room import (
    EmptyPool,
    Names,
    Node,
    Room,
    Unplaced,
    is_card,
    is_unread,
    most_of_pool,
    read_nodes,
    read_numbers,
    room_declared,
    room_of_metrics,
    room_on_nodes,
    whole_pool,
    why_no_metrics,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Group, Policy, Request

Facts = dict[str, t.Any]

PREFERENCE = ("admit", "wait", "unknown", "reject")
"""Decisions, the better first: over several pools the best one counts."""

OLDEST_FACTS = 300
"""Seconds after which facts are too old to decide on."""

_POOL_NOT_FOUND = "ModelArts.50015001"
_ERROR_STATUS = 400
_USABLE_PHASE = "Running"
_PASSING_PHASES = ("Creating", "Waiting", "Abnormal", "ScalingFailed", "Error")
# A pool in these phases never runs work again. That an Error is final stands in no document, so it may pass.
_LOST_PHASES = ("Deleting", "CreationFailed")
# That these stop new work is what their names say, not a documented sentence: it holds back and does not reject.
_STOPPING_MODES = ("service_restricted", "frozen", "frozen_by_police")
_HARMLESS_MODES = ("billing_change_restricted", "flavor_change_restricted")
_USABLE_DRIVER = "Running"
_PASSING_DRIVERS = ("Creating", "Upgrading", "Abnormal")
_JOB_TYPE_LOST = ("Disabled", "Disabling")
# Inference services of the new kind are enabled with those of the old kind.
_SCOPES = {"x-infer": "infer"}


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
    return {
        **verdict,
        "decision": "wait",
        "checks": [*verdict["checks"], check.as_facts()],
        "reasons": [check.reason],
        "brief": check.reason,
    }


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
        self._empty_pool: EmptyPool | None = None
        self._most: tuple[Amounts, Names] = {}, frozenset("*")
        # Without the counts of its spec, what the pool is meant to have is not known, and nothing can be too much.
        if self._nodes is not None and self._tells_its_size:
            self._empty_pool = whole_pool(self._nodes, self._pool["flavors"], self._order)
            self._most = most_of_pool(self._nodes, self._pool["flavors"])
        self._queue = Queue(facts, request, policy)
        self._checks: list[Check] = []
        self._notes: list[str] = []
        self._resources: list[Facts] = []
        self._room: Room | None = None
        self._first = "jobs that are about to start"
        self._may_come_back: Amounts = {}

    def verdict(self) -> Facts:
        if self._age > OLDEST_FACTS:
            self._check("age", None, f"the facts are {duration(self._age)} old, limit {duration(OLDEST_FACTS)}")
            return self._as_facts()
        if self._check_errors():
            return self._as_facts()
        self._check_pool()
        self._check_job_type()
        self._check_logical_pools()
        given_back = self._read_given_back()
        unplaced = self._read_unplaced(given_back)
        self._room = self._choose_room(unplaced, given_back)
        if self._room is not None:
            self._check_room(self._room, unplaced, given_back)
            if not any(check.never and check.is_about_resource for check in self._checks):
                self._check_placement(self._room, unplaced, given_back)
        self._checks += self._queue.checks(self._most)
        self._notes += remarks(self._request, self._policy, self._declared)
        if self._policy.queue_scope == "type":
            self._notes.append(f"only {self._request.type} jobs are taken to stand in this queue (policy.queue_scope)")
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

    def _check_errors(self) -> bool:
        """Whether what could not be read decides by itself."""
        documents = [self._errors[name] for name in ("pool", "workloads") if name in self._errors]
        missing = next((error for error in documents if error.get("error_code") == _POOL_NOT_FOUND), None)
        if missing is not None and not self._pool:
            remedy = "give the ID (metadata.name) of a pool of this project."
            self._check("pool", False, f"not found ({_said(missing)})", never=True, remedy=remedy)
            return True
        messages = {error["msg"] for error in self._errors.values()}
        if len(messages) == 1 and {"pool", "nodes", "workloads"} <= self._errors.keys():
            self._check("api", None, messages.pop(), remedy="see that ModelArts can be reached, and try again.")
            return True
        if "workloads" in self._errors:
            error = self._errors["workloads"]
            self._check("jobs", None, _said(error), remedy=_allow(error, "listing the jobs of the pool"))
        elif not self._facts["complete"]:
            self._check("jobs", None, "the list of jobs is not complete: it changed faster than it could be read")
        return False

    def _check_pool(self) -> None:
        if not self._pool:
            error = self._errors.get("pool")
            self._check("pool", None, _said(error), remedy=_allow(error, "showing the pool"))
            return
        phase = self._pool["phase"]
        message = f"phase {phase or 'not told'}"
        if phase in _LOST_PHASES:
            self._check("pool", False, message, never=True, remedy="use another pool.")
        elif phase in _PASSING_PHASES:
            remedy = f"wait until the pool is {_USABLE_PHASE}, or use another one."
            self._check("pool", False, message, remedy=remedy)
        elif phase != _USABLE_PHASE:
            self._check("pool", None, f"{message}, which is not a phase that the API reference knows")
        else:
            self._check_restrictions(message)

    def _check_restrictions(self, message: str) -> None:
        """Add the check of a pool in the right phase: its restrictions, its driver, and what of it cannot be read."""
        modes = self._pool["control_mode"]
        stopping = [mode for mode in modes if mode in _STOPPING_MODES]
        states = {f"{kind} driver": of["state"] for kind, of in self._pool["driver"].items() if of["state"] is not None}
        passing = [f"{kind} {state}" for kind, state in states.items() if state in _PASSING_DRIVERS]
        unknown = [mode for mode in modes if mode not in (*_STOPPING_MODES, *_HARMLESS_MODES)]
        odd = [f"{kind} {state}" for kind, state in states.items() if state not in (*_PASSING_DRIVERS, _USABLE_DRIVER)]
        self._notes += [
            f"the pool is {_words(mode)} (controlMode), which does not stop jobs"
            for mode in modes
            if mode in _HARMLESS_MODES
        ]
        if stopping:
            message += f", {_words(*stopping)} (controlMode; not seen on a real pool yet, taken to start no jobs)"
            self._check("pool", False, message, remedy="see why the pool is restricted, or use another one.")
        elif passing:
            self._check("pool", False, f"{message}, {', '.join(passing)}", remedy="wait until its driver is Running.")
        elif unknown or odd:
            odd += [f"controlMode {_words(*unknown)}"] if unknown else []
            self._check("pool", None, f"{message}, {', '.join(odd)}, which the API reference does not know")
        elif self._pool["unreadable"]:
            self._check("pool", None, f"{message}, but {', '.join(self._pool['unreadable'])} cannot be read")
        else:
            self._check("pool", True, message)

    def _check_job_type(self) -> None:
        job_type = self._request.type
        if job_type is None:
            self._notes.append("job type not asked for, so not checked")
            return
        states = self._pool["job_types"] if self._pool else None
        if states is None:
            self._check("job_type", None, f"the pool does not tell whether it takes {job_type} jobs")
            return
        scope = job_type if job_type in states else _SCOPES.get(job_type, job_type)
        state = states.get(scope)
        name = job_type if scope == job_type else f"{job_type}, which is of the scope {scope},"
        known = ", ".join(f"{name} {of}" for name, of in states.items()) or "none"
        if state == "Enabled":
            self._check("job_type", True, f"{name} is enabled")
        elif state == "Enabling":
            self._check("job_type", False, f"{name} is being enabled", remedy="wait until it is enabled.")
        elif state is None and SCOPE in self._pool["unreadable"]:
            self._check("job_type", None, f"{name} may be one of the pool's types that cannot be read")
        elif state is None or state in _JOB_TYPE_LOST:
            near = get_close_matches(job_type, [*states, *_SCOPES], 1) if state is None else []
            hint = f"; did you mean {near[0]}?" if near else ""
            remedy = f"enable {job_type} jobs in the pool, or use a pool that takes them."
            message = f"{name} is {state or 'not there'} (the pool has: {known}){hint}"
            self._check("job_type", False, message, never=True, remedy=remedy)
        else:
            self._check("job_type", None, f"{name} is {state} (the pool has: {known}), which is not a known state")

    @property
    def _is_logical(self) -> bool:
        return (self._pool.get("type") or "").strip().lower() == "logical"

    def _check_logical_pools(self) -> None:
        reasons = []
        if self._is_logical:
            quotas = ", ".join(_quota(flavor) for flavor in self._pool["flavors"]) or "not told"
            reasons.append(f"this is a logical pool with the quota {quotas}")
        if self._pool.get("parent"):
            reasons.append(f"this pool is a part of {self._pool['parent']}")
        if self._pool.get("subpools"):
            reasons.append(f"{self._pool['subpools']} logical pools share it")
        bound = sum(bool(node["elastic_quota"]) for node in self._facts["nodes"] or ())
        if bound:
            reasons.append(f"{plural(bound, 'node')} {'is' if bound == 1 else 'are'} bound to logical pools")
        if reasons:
            message = f"{'; '.join(reasons)}: how jobs above a guaranteed quota are charged is not documented"
            self._check("logical_pools", None, message, remedy="use a pool without logical pools.")

    # What it can still take

    def _choose_room(self, unplaced: Unplaced, given_back: GivenBack) -> Room | None:
        metrics, held = self._facts["metrics"], self._facts["held"]
        stale = _said(self._errors["metrics"]) if "metrics" in self._errors else ""
        if self._is_logical:
            stale = stale or "those of a logical pool count its guaranteed quota: not used"
        stale = stale or why_no_metrics(metrics, self._age, duration)
        measured = None if stale else room_of_metrics(metrics, held, unplaced, self._age, alone=self._nodes is None)
        if self._nodes is not None:
            return self._room_on_nodes(self._nodes, measured, given_back)
        said = _said(self._errors.get("nodes"))
        if measured is not None:
            self._notes.append(f"nodes: {said}")
            return measured
        if self._declared is not None:
            self._notes += [f"nodes: {said}", f"metrics: {stale}"]
            return room_declared(self._declared, held, unplaced, self._age)
        wanted = "allow listing nodes, or set capacity_gate_declared_capacity."
        self._check("nodes", None, said, remedy=wanted)
        self._check("metrics", None, stale)
        return None

    def _room_on_nodes(self, nodes: list[Node], measured: Room | None, given_back: GivenBack) -> Room:
        before = room_on_nodes(nodes, self._age) if given_back.shares else None
        if given_back.shares and not given_back.is_partial:
            if given_back.shows_as_free():
                self._notes.append("nodes of the replaced job show its cards as free already")
            nodes = self._nodes = given_back.credit(nodes)
        room = room_on_nodes(nodes, self._age)
        if given_back.is_partial:
            for amounts in (room.free, room.hoped):
                add_amounts(amounts, given_back.surely())
        if measured is not None:
            if before is not None:
                back = {r: amount - before.free.get(r, 0) for r, amount in room.free.items()}
                measured.free = {r: amount + back.get(r, 0) for r, amount in measured.free.items()}
            room.take_smaller(measured, lambda resource, of: f"{label(resource)} {format_amount(resource, of)}")
        return room

    def _read_unplaced(self, given_back: GivenBack) -> Unplaced:
        """What is about to take room that still shows as free, on nodes which nobody knows yet."""
        groups: list[Facts] = list(self._facts["unplaced"] or ())
        starting = self._starting_on(given_back) if given_back.shares else self._queue.starting()
        groups += [{"count": 1, "resources": job["resources"], "unread": job["unread"]} for job in starting]
        if self._nodes is not None:
            # A card that no node has is one of another name, or of another moment: which one is taken is not known.
            known = {name for node in self._nodes for name in (*node.resources, *node.shown)}
            groups = [
                {**group, "unread": [*group["unread"], "*"]}
                if any(
                    of and is_card(canonical(name)) and canonical(name) not in known
                    for name, of in group["resources"].items()
                )
                else group
                for group in groups
            ]
        return Unplaced.of(groups)

    def _starting_on(self, given_back: GivenBack) -> list[Facts]:
        """Jobs that may start on what is given back, before the deployment is there."""
        room = room_on_nodes(self._nodes or (), self._age)
        add_amounts(room.hoped, given_back.surely())
        starting, are_all = self._queue.starting_in(room)
        if not are_all:
            self._check("replaces", None, "more jobs wait than are listed, and what is given back goes to them first")
        if starting:
            others = f" and {len(starting) - 1} more" if len(starting) > 1 else ""
            self._first = f"{job_name(starting[0])}{others}"
            self._notes.append(f"what is given back may go to {self._first} first")
        return starting

    def _check_room(self, room: Room, unplaced: Unplaced, given_back: GivenBack) -> None:
        needs = self._needs()
        if needs is None:
            return
        for resource, need in needs.items():
            self._check_resource(resource, need, room, unplaced, given_back)
        missing = [name for name in ("cpu", "memory") if name not in needs]
        if missing:
            self._notes.append(f"{' and '.join(missing)} not asked for, so not checked")
        skipped = [name for name in self._policy.headroom if name not in needs]
        if skipped:
            self._notes.append(f"headroom of {', '.join(map(label, skipped))} not checked: not asked for")
        for name in skipped:
            meant = same_but_vendor(name, needs)
            if meant:
                message = f"policy.headroom names {name}, which no node has: did you mean {meant}?"
                self._check("headroom", None, message, remedy=f"name {meant} in policy.headroom.")
        self._notes += room.notes
        for node in self._facts["nodes"] or ():
            wrong = [what for what in node["unreadable"] if canonical(what["resource"]) in needs]
            if wrong:
                quoted = f"{wrong[0]['resource']} {wrong[0]['value']}"
                self._notes.append(f"node {node['name']}: {quoted} cannot be read")
                break
        self._note_jobs_on_nodes(needs)

    def _note_jobs_on_nodes(self, needs: Mapping[str, int]) -> None:
        """Adds where jobs leave less than a node shows as free, or where it is not known what they leave."""
        less = 0
        unknown = ""
        for fact, node in zip(self._facts["nodes"] or (), self._nodes or ()):
            if node.unusable is not None or node.free is node.shown:
                continue
            less += any(node.hoped.get(name, 0) < node.shown.get(name, 0) for name in needs)
            held = fact.get("held") or {"unread": (), "unsplit": ()}
            unread = [name for name in needs if is_unread(held["unread"], (name,))]
            unsplit = [
                name for name in needs if name in held["unsplit"] and node.free.get(name) != node.hoped.get(name)
            ]
            if unread:
                unknown = unknown or f"node {fact['name']}: what a job holds of {label(unread[0])} there cannot be read"
            elif unsplit:
                what = f"how much {label(unsplit[0])} a job has on each of its nodes is not told"
                unknown = unknown or f"node {fact['name']}: {what}"
        if less:
            shows = f"{plural(less, 'node')} {'shows' if less == 1 else 'show'}"
            self._notes.append(f"{shows} more free than there is beside the jobs: the smaller counts")
        if unknown:
            self._notes.append(unknown)

    def _needs(self) -> Amounts | None:
        """What is asked of each resource; a whole node counts as what the smallest of those that can serve gives."""
        needs = self._request.resources()
        for group in self._request.groups:
            if group.flavor is None:
                continue
            if self._nodes is None:
                self._check("flavor", None, f"only the list of nodes tells what a node of {group.flavor} has")
                return None
            nodes = [node for node in self._nodes if node.flavor == group.flavor]
            serving = [node.free for node in nodes if node.unusable is None and node.empty is not False]
            shapes = serving or [node.resources for node in nodes]
            smallest = dict(shapes[0]) if shapes else {}
            for shape in shapes:
                smallest = {name: min(amount, shape[name]) for name, amount in smallest.items() if name in shape}
            add_amounts(needs, {name: smallest[name] * group.replicas for name in sorted(smallest) if smallest[name]})
        return needs

    def _check_resource(self, resource: str, need: int, room: Room, unplaced: Unplaced, given_back: GivenBack) -> None:
        if resource not in room.free and not room.lists_all:
            self._check(resource, None, self._why_not_told(resource, room), figures={"resource": resource})
            return
        total, free = room.usable.get(resource, 0), room.free.get(resource, 0)
        kept = self._policy.kept(resource, total)
        taken = unplaced.total.get(resource, 0)
        back = given_back.surely().get(resource, 0)
        short = need + kept + taken - free
        amounts = {"need": need, "free": free, "total": total, "kept": kept, "unplaced": taken}
        amounts |= {"missing": max(0, short), "used": max(0, total - free), "left": max(0, -short)}
        figures: Facts = {"resource": resource, **{name: to_number(resource, of) for name, of in amounts.items()}}
        self._resources.append(figures)
        brief = f"need {format_amount(resource, need)}, free {format_amount(resource, free)}"
        brief += f", kept {format_amount(resource, kept)}" if kept else ""
        message = f"{brief} of {format_amount(resource, total)}"
        message += f", {format_amount(resource, back)} given back" if back else ""
        message += f", {format_amount(resource, taken)} going to {self._first}" if taken else ""
        brief += f", going {format_amount(resource, taken)}" if taken else ""
        message += f", short {format_amount(resource, short)}" if short > 0 else ""
        brief += f", short {format_amount(resource, short)}" if short > 0 else ""
        unbounded = is_unread(room.unbounded, (resource,))
        hoped = room.hoped.get(resource, 0) + self._may_come_back.get(resource, 0)
        may_be_enough = short <= 0 or unbounded or need + kept + taken <= hoped
        if not may_be_enough:
            self._check_shortage(resource, need, short, message, figures)
            self._checks[-1].brief = brief
        elif is_unread(unplaced.unread, (resource,)):
            message += f"; {self._first} take what could not be read"
            self._check(resource, None, message, figures=figures)
        elif short > 0:
            remedy = ""
            if self._may_come_back:
                message += "; what is given back may be enough"
            else:
                message += "; nodes that could not be read may have it"
                remedy = "have the nodes looked at whose quantities cannot be read."
            self._check(resource, None, message, remedy=remedy, figures=figures)
        else:
            self._check(resource, True, message, figures=figures)

    def _check_shortage(self, resource: str, need: int, short: int, message: str, figures: Facts) -> None:
        never, most = self._why_never_enough(resource, need)
        name = label(resource)
        if never and not most and self._nodes is not None:
            known = sorted(self._most[0], key=lambda one: (not is_card(one), one))
            near = _nearest(resource, known)
            message = f"the pool has no resource {resource}; it has {', '.join(known) or 'none'}"
            message += f": did you mean {near}?" if near else ""
            remedy = f"ask for {near}." if near else f"use a pool that has {name}."
            self._check(resource, False, message, never=True, remedy=remedy, figures=figures)
        elif never:
            remedy = f"ask for less {name}, or use a larger pool." if most else f"use a pool that has {name}."
            self._check(resource, False, f"{message}: {never}", never=True, remedy=remedy, figures=figures)
        else:
            remedy = f"wait until {format_amount(resource, short)} {name} are given back, or use another pool."
            self._check(resource, False, message, remedy=remedy, figures=figures)

    def _why_not_told(self, resource: str, room: Room) -> str:
        if room.source != "declared":
            known = ", ".join(label(name) for name in room.free) or "nothing"
            return f"the {room.source} do not tell about it, only about {known}"
        if resource not in room.usable:
            return "it is not in the declared capacity"
        quoted = ", ".join(f"{what['resource']} {what['value']}" for what in self._facts["summary"]["unparsed"][:3])
        return f"what jobs hold of it cannot be read ({quoted or 'no requirement given'})"

    def _why_never_enough(self, resource: str, need: int) -> tuple[str, int]:
        """(why the pool cannot give as much even with nothing running, what it has); the former empty when it could."""
        if any(group.flavor is not None for group in self._request.groups):
            return "", 0
        has, unread = self._most
        if not is_unread(unread, (resource,)):
            most, whole = has.get(resource, 0), "with every node it is meant to have, the pool has"
        elif self._room is not None and self._room.source == "declared":
            most, whole = self._room.usable.get(resource, 0), "the declared capacity is"
        else:
            return "", 0
        kept = self._policy.kept(resource, most)
        if need + kept <= most:
            return "", most
        return f"{whole} {format_amount(resource, most)}" + (
            f", and {format_amount(resource, kept)} are kept" if kept else ""
        ), most

    # Whether the replicas find a place, node by node

    def _check_placement(self, room: Room, unplaced: Unplaced, given_back: GivenBack) -> None:
        if self._nodes is None:
            self._check_placement_unseen(room)
            return
        needs = [_need(group, self._order) for group in self._request.groups]
        if self._check_empty_pool(needs):
            return
        # Sums know no flavors, and no idle nodes.
        if self._policy.placement == "aggregate" and all(group.flavor is None for group in self._request.groups):
            self._notes.append("placement not checked: policy.placement is aggregate")
            return
        usable = [node for node in self._nodes if node.unusable is None]
        slots = self._slots(usable)
        where = f"{plural(len(usable), 'usable node')}{self._left_out()}"
        replicas = plural(self._request.replicas, "replica")
        if len(needs) == 1:
            most = most_replicas(slots, needs[0]) + given_back.places()
            sure = most - unplaced.most_lost(slots, needs[0], self._order)
            fits: bool | None = sure >= needs[0].replicas
            message = f"{max(0, min(sure, needs[0].replicas))} of {replicas} on {where}"
            if sure < needs[0].replicas <= most:
                message += f"; {self._first} may take the other places"
        else:
            fits = place(slots, needs)
            message = f"{'all' if fits else 'not all'} {replicas} of {len(needs)} groups on {where}"
        unknown = self._why_placement_unknown(fits, needs, slots, usable, unplaced, given_back)
        if unknown:
            self._check("placement", None, f"{replicas} on {where}: {unknown}")
        elif fits:
            self._check("placement", True, message)
        else:
            enough = all(check.passed for check in self._checks if check.is_about_resource)
            remedy = "ask for smaller replicas, or wait: there is enough, but scattered over nodes."
            self._check("placement", False, message, remedy=remedy if enough else "")

    def _why_placement_unknown(
        self,
        fits: bool | None,
        needs: Sequence[Need],
        slots: Counter[Slot],
        usable: Sequence[Node],
        unplaced: Unplaced,
        given_back: GivenBack,
    ) -> str:
        if fits is None:
            return "the search over several groups was given up"
        if fits:
            if len(needs) == 1 or unplaced.is_empty:
                return ""
            rest = unplaced.without_hit_nodes(slots, self._order)
            return "" if rest and place(rest, needs) else f"{self._first} may take their places"
        if self._may_come_back or (len(needs) > 1 and given_back.is_partial):
            return "which places are given back is not known"
        hoped = self._slots(usable, hopeful=True)
        unread = any(is_unread(node.unbounded, self._order) for node in usable)
        if unread or (hoped != slots and place(hoped, needs) is not False):
            return "nodes that could not be read may take them"
        return ""

    def _slots(self, nodes: Sequence[Node], *, hopeful: bool = False) -> Counter[Slot]:
        whole = any(group.flavor is not None for group in self._request.groups)
        offered = (node.slot(self._order, whole=whole, hopeful=hopeful) for node in nodes)
        return Counter(slot for slot in offered if slot is not None)

    def _check_placement_unseen(self, room: Room) -> None:
        if room.source == "declared":
            self._notes.append("placement not checked: a declared capacity knows no nodes")
        elif self._policy.placement == "aggregate":
            self._notes.append("placement not checked: policy.placement is aggregate")
        else:
            remedy = "allow listing nodes, or set policy.placement to aggregate."
            message = f"the {room.source} know no nodes, so nobody can tell whether a replica fits on one"
            self._check("placement", None, message, remedy=remedy)

    def _check_empty_pool(self, needs: Sequence[Need]) -> bool:
        """Whether not even the empty pool takes the replicas, which is then said."""
        if not self._knows_what_is_meant():
            return False
        for group in self._request.groups:
            if self._check_flavor(group) if group.resources is None else self._check_size(group.resources):
                return True
        if self._empty_pool is None:
            return False
        slots: Counter[Slot] = Counter()
        for (flavor, amounts), count in self._empty_pool.items():
            had = dict(amounts)
            slots[Slot(tuple(had.get(resource, 0) for resource in self._order), flavor, True)] += count
        if place(slots, needs) is not False:
            return False
        most = most_replicas(slots, needs[0])
        message = "the empty pool would not take all groups together"
        if len(needs) == 1:
            message = f"the empty pool would take {most} of {needs[0].replicas} replicas"
        remedy = f"ask for {most} replicas or fewer" if len(needs) == 1 else "ask for less"
        self._check("placement", False, message, never=True, remedy=f"{remedy}, or use a larger pool.")
        return True

    def _knows_what_is_meant(self) -> bool:
        """Return whether the pool tells which nodes it is meant to have, and nodes their flavor where that counts."""
        by_flavor = any(group.flavor is not None for group in self._request.groups)
        untold = by_flavor and any(node.flavor is None for node in self._nodes or ())
        return self._tells_its_size and not untold

    @property
    def _tells_its_size(self) -> bool:
        """Whether the pool tells how many nodes of each flavor it is meant to have."""
        flavors = self._pool["flavors"] if self._pool else []
        return bool(flavors) and all(flavor["count"] is not None for flavor in flavors)

    def _check_flavor(self, group: Group) -> bool:
        """Whether the pool is not even meant to have so many nodes of a flavor, which is then said."""
        meant = {
            flavor["flavor"]: max(flavor["count"] or 0, flavor["max_count"] or 0) for flavor in self._pool["flavors"]
        }
        listed = sum(node.flavor == group.flavor and not node.leaving for node in self._nodes or ())
        most = max(listed, meant.get(str(group.flavor), 0))
        if most >= group.replicas:
            return False
        known = ", ".join(sorted(meant)) or "none"
        asked = f"{plural(group.replicas, 'whole node')} of {group.flavor} asked for"
        remedy = f"ask for a flavor that it has: {known}."
        if most:
            remedy = f"ask for {most} or fewer, or use a larger pool."
        message = f"{asked}; the pool is meant to have {most}"
        self._check("placement", False, message, never=True, remedy=remedy)
        return True

    def _check_size(self, resources: Mapping[str, int]) -> bool:
        """Whether a replica asks more of a resource than any node will ever have, which is then said."""
        for resource, asked in resources.items():
            pool = self._empty_pool or whole_pool(self._nodes or (), self._pool["flavors"], (resource,))
            if pool is None:
                continue
            largest = max((dict(amounts).get(resource, 0) for _flavor, amounts in pool), default=0)
            if asked > largest:
                most = f"{label(resource)} {format_amount(resource, largest)}"
                message = f"a replica asks {label(resource)} {format_amount(resource, asked)}; the largest node offers "
                message += f"{format_amount(resource, largest)} ({sum(pool.values())} looked at)"
                remedy = f"ask for {most} or less, or give a flavor instead of resources."
                self._check("placement", False, message, never=True, remedy=remedy)
                return True
        return False

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
        jobs = self._queue.own_jobs()
        holding = [job for job in jobs if job["holds"]]
        if not jobs:
            self._notes.append(f"job {replaces.job_uuid} is not in the pool: nothing is given back")
        elif not holding:
            waits = any(job["waits"] for job in jobs)
            what = "waits itself, and does not count as ahead" if waits else f"is {jobs[0]['status']}"
            self._notes.append(f"{job_name(jobs[0])} {what}: nothing is given back")
        elif self._nodes is None:
            self._notes.append(f"what {job_name(holding[0])} gives back is not counted: the nodes are not known")
        else:
            return self._split_jobs(holding, replaces.replicas)
        return GivenBack()

    def _split_jobs(self, jobs: Sequence[Facts], replicas: int | None) -> GivenBack:
        name = job_name(jobs[0])
        by_address = {node.address: node for node in self._nodes or () if node.address is not None}
        splits = [split_over_nodes(job) for job in jobs if job["host_ips"]]
        shares = [(address, amounts) for split in splits for address, amounts in (split or {}).items()]
        unknown = ""
        if len(splits) < len(jobs):
            unknown = f"{name} shows no node yet, so where it gives back is not known"
        elif None in splits or any(address not in by_address for address, _amounts in shares):
            unknown = f"how {name} is split over its nodes is not known"
        elif any(self._is_blind(by_address[address]) for address, _amounts in shares):
            unknown = f"what is free on the nodes of {name} could not be read"
        if unknown:
            self._check("replaces", None, unknown)
            for job in jobs:
                add_amounts(self._may_come_back, read_numbers(job["resources"])[0])
        elif replicas is None:
            self._notes.append(f"{name} is given back first")
            return GivenBack([(by_address[address], amounts) for address, amounts in shares])
        else:
            shape = self._request.groups[0].resources if len(self._request.groups) == 1 else None
            if shape is not None and len(splits) == 1 and has_whole_replicas(splits[0] or {}, shape, replicas):
                self._notes.append(f"of {name}, as much as {replicas} of the replicas asked for is given back first")
                return GivenBack([(by_address[address], amounts) for address, amounts in shares], replicas, shape)
            remedy = "leave out replaces.replicas if all of it is ended first."
            message = f"{name} does not have whole replicas of the size asked for on each of its nodes"
            self._check("replaces", None, message, remedy=remedy)
        return GivenBack()

    def _is_blind(self, node: Node) -> bool:
        return node.unusable is None and is_unread(node.unread_free, self._order)

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
            "observed_at": self._observed_at(),
            "age_seconds": None if self._room is None else int(self._room.age),
            "checks": [check.as_facts() for check in self._checks],
            "reasons": [check.reason for check in decisive],
            "brief": decisive[0].brief_reason if decisive else "it fits now",
            "remedies": list(dict.fromkeys(check.remedy for check in decisive if check.remedy)),
            "notes": [one_line(note, 500) for note in self._notes],
            "resources": self._resources,
            "asked": sorted(self._request.resources()),
            "ahead": self._queue.ahead[:10],
            "holders": self._facts["holders"] or [],
        }

    def _observed_at(self) -> str | None:
        if self._room is not None and self._room.source == "metrics":
            return t.cast("str | None", self._facts["metrics"]["observed_at"])
        return t.cast("str | None", self._facts["observed_at"])


def _need(group: Group, order: Sequence[str]) -> Need:
    amounts = None if group.resources is None else tuple(group.resources.get(resource, 0) for resource in order)
    return Need(group.replicas, amounts, group.flavor)


def _allow(error: Facts | None, what: str) -> str:
    return f"allow {what}." if error is not None and error.get("status") == 403 else ""


def _nearest(resource: str, known: Sequence[str]) -> str:
    """Return the known resource that was most likely meant: the same but for vendor and case, else a similar one."""
    wanted = label(resource).lower()
    same = [name for name in known if label(name).lower() == wanted]
    return next(iter(same or get_close_matches(resource.lower(), known, 1)), "")


def _words(*names: str) -> str:
    """Return names of facts as words: ``frozen_by_police`` as ``frozen by police``."""
    return ", ".join(name.replace("_", " ") for name in names)


def _quota(flavor: Facts) -> str:
    """Return the quota of a flavor: its guarantee and its ceiling, in nodes."""
    most = "" if flavor["max_count"] is None else f", at most {flavor['max_count']}"
    return f"{flavor['flavor']} {'?' if flavor['count'] is None else flavor['count']}{most}"


def _said(error: Facts | None) -> str:
    """An error of the API in a few words: its status, code and request."""
    if error is None:
        return "not read"
    parts = " ".join(str(error[name]) for name in ("status", "error_code") if error.get(name))
    if not error.get("error_code") and (error.get("status") or 0) < _ERROR_STATUS:
        return str(error["msg"])
    return parts + (f", request {error['request_id']}" if error.get("request_id") else "")
