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
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add,
    canonical,
    counts_bytes,
    merge_spellings,
    number,
    parse,
    text,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._request import Group, Policy, Request

Facts = dict[str, t.Any]

PREFERENCE = ("admit", "wait", "unknown", "reject")
"""Decisions, the better first: over several pools the best one counts."""

OLDEST_FACTS = 300
"""Seconds after which facts are too old to decide on."""

_METRIC_WINDOWS = 5
_DEFAULT_WINDOW = 60
_ABOUT_TO_START = 30
_STUCK_SECONDS = 14 * 86400
_POOL_NOT_FOUND = "ModelArts.50015001"
_USABLE_PHASE = "Running"
_PASSING_PHASES = ("Creating", "Waiting", "Abnormal", "ScalingFailed")
_LOST_PHASES = ("Deleting", "Error", "CreationFailed")
_LEAVING_PHASE = "Deleting"


def label(resource: str) -> str:
    """A resource as sentences name it: what follows the vendor, like ``gpu``."""
    return resource.rpartition("/")[2]


def duration(seconds: float) -> str:
    """Seconds as a person reads them, in two units: ``40 s``, ``12 min``, ``9 h``, ``2 d 4 h``."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    days, hours = divmod(whole // 3600, 24)
    if days == 0:
        return f"{hours} h"
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


@dataclass
class Check:
    """One question of the decision. ``never`` marks a failure that no waiting mends; ``figures`` are its numbers."""

    name: str
    passed: bool | None
    message: str
    never: bool = False
    remedy: str = ""
    figures: Facts = field(default_factory=dict)

    def as_facts(self) -> Facts:
        return {"name": self.name, "passed": self.passed, "message": self.message, **self.figures}


@dataclass
class _Source:
    """Where room comes from. ``free`` are the amounts that are surely idle, ``hoped`` those that may be.

    A resource that is absent from ``free`` is not known, unless ``lists_all``: then there is none of it.
    """

    name: str
    age: float
    usable: Amounts
    free: Amounts
    hoped: Amounts
    lists_all: bool
    notes: list[str] = field(default_factory=list)


@dataclass
class _Node:
    """A node that is listed, with amounts under canonical names; None where they could not be read."""

    flavor: str | None
    unusable: str | None
    leaving: bool
    resources: Amounts | None
    free: Amounts | None
    jobs: int | None
    address: str | None

    @property
    def empty(self) -> bool:
        """Whether a whole node is idle: no job shows it, and all its cards are free."""
        return (
            self.jobs == 0
            and self.free is not None
            and self.resources is not None
            and all(self.free.get(r, 0) >= amount for r, amount in self.resources.items() if _is_card(r))
        )


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
    check = Check("stable", False, message).as_facts()
    return {**verdict, "decision": "wait", "checks": [*verdict["checks"], check], "reasons": [f"stable {message}"]}


class _Decision:
    def __init__(self, facts: Facts, request: Request, policy: Policy, declared: Amounts | None, age: float) -> None:
        self.facts = facts
        self.request = request
        self.policy = policy
        self.declared = declared
        self.age = age
        self.pool: Facts = facts.get("pool") or {}
        self.errors: dict[str, Facts] = {error["document"]: error for error in facts.get("errors") or ()}
        self.checks: list[Check] = []
        self.notes: list[str] = []
        self.bars: list[Facts] = []
        self.ahead: list[Facts] = []
        self.nodes = _read_nodes(facts["nodes"]) if facts.get("nodes") is not None else None
        self.source: _Source | None = None

    def verdict(self) -> Facts:
        if self._pool_is_unknown_to_the_api():
            self._fail(
                "pool", f"not found ({_error_text(self._any_error('pool', 'workloads'))})", never=True,
                remedy="give the ID (metadata.name) of a pool of this project.",
            )  # fmt: skip
            return self._as_facts()
        self._check_facts()
        self._check_pool()
        self._check_job_type()
        self._check_logical_pools()
        replaced = self._read_replaced()
        self.source = self._choose_source(replaced)
        if self.source is not None:
            self._check_room(self.source, replaced)
            self._check_placement(self.source, replaced)
        self._check_queue(replaced)
        return self._as_facts()

    # What the decision stands on

    def _check_facts(self) -> None:
        if self.age > OLDEST_FACTS:
            self._unknown("age", f"the facts are {duration(self.age)} old, limit {duration(OLDEST_FACTS)}")
        if "workloads" in self.errors:
            self._unknown("jobs", _error_text(self.errors["workloads"]), remedy="allow listing the jobs of the pool.")
        elif not self.facts.get("complete"):
            self._unknown("jobs", "the list of jobs is not complete: it changed faster than it could be read")

    def _pool_is_unknown_to_the_api(self) -> bool:
        return any(
            error.get("error_code") == _POOL_NOT_FOUND for name, error in self.errors.items() if name != "metrics"
        )

    def _check_pool(self) -> None:
        if not self.pool:
            self._unknown("pool", _error_text(self.errors.get("pool")), remedy="allow showing the pool.")
            return
        phase = self.pool.get("phase")
        message = f"phase {phase or 'not told'}"
        if phase == _USABLE_PHASE:
            self._pass("pool", message)
        elif phase in _LOST_PHASES:
            self._fail("pool", message, never=True, remedy="use another pool.")
        elif phase in _PASSING_PHASES:
            self._fail("pool", message, remedy=f"wait until the pool is {_USABLE_PHASE}, or use another one.")
        else:
            self._unknown("pool", f"{message}, which is not a phase that the API reference knows")

    def _check_job_type(self) -> None:
        kind = self.request.type
        if kind is None:
            self.notes.append("job type not asked for, so not checked")
            return
        states = self.pool.get("job_types")
        if states is None:
            self._unknown("job_type", f"the pool does not tell whether it takes {kind} jobs")
            return
        state = states.get(kind)
        if state == "Enabled":
            self._pass("job_type", f"{kind} is enabled")
        elif state == "Enabling":
            self._fail("job_type", f"{kind} is being enabled")
        else:
            known = ", ".join(f"{name} {of}" for name, of in states.items()) or "none"
            self._fail(
                "job_type", f"{kind} is {state or 'not enabled'} (the pool has: {known})", never=True,
                remedy=f"enable {kind} jobs in the pool, or use a pool that takes them.",
            )  # fmt: skip

    def _check_logical_pools(self) -> None:
        reasons = []
        if self.pool.get("parent"):
            reasons.append(f"this pool is a part of {self.pool['parent']}")
        if self.pool.get("subpools"):
            reasons.append(f"{self.pool['subpools']} logical pools share it")
        bound = sum(bool(node.get("elastic_quota")) for node in self.facts.get("nodes") or ())
        if bound:
            reasons.append(f"{bound} nodes are bound to logical pools")
        if reasons:
            self._unknown(
                "logical_pools", f"{'; '.join(reasons)}: their quotas cannot be read",
                remedy="use a pool without logical pools; their quotas are not in the API.",
            )  # fmt: skip

    # Capacity

    def _choose_source(self, replaced: _Replaced) -> _Source | None:
        metrics = self._metrics_source()
        if self.nodes is not None:
            source = self._nodes_source(replaced)
            if metrics is not None:
                _take_smaller(source, metrics)
            return source
        error = self.errors.get("nodes")
        said = _error_text(error) if error else "not read"
        stale = self._why_no_metrics() if metrics is None else ""
        if metrics is not None:
            self.notes.append(f"nodes: {said}")
            return metrics
        if self.declared is not None:
            self.notes += [f"nodes: {said}", f"metrics: {stale}"]
            return self._declared_source(self.declared)
        self._unknown("nodes", said, remedy="allow listing nodes, or set capacity_gate_declared_capacity.")
        self._unknown("metrics", stale)
        return None

    def _nodes_source(self, replaced: _Replaced) -> _Source:
        usable: Amounts = {}
        free: Amounts = {}
        hoped: Amounts = {}
        for node in self.nodes or ():
            if node.unusable is not None:
                continue
            add(usable, node.resources or {})
            add(free, node.free or {})
            add(hoped, node.free if node.free is not None else node.resources or {})
        for amounts in (free, hoped):
            add(amounts, replaced.surely_back)
        return _Source("nodes", self.age, usable, free, hoped, lists_all=True)

    def _metrics_source(self) -> _Source | None:
        metrics = self.facts.get("metrics")
        if not metrics or self._why_no_metrics():
            return None
        capacity, _unread = _read_numbers(metrics["capacity"])
        allocated, _unread = _read_numbers(metrics["allocated"])
        held, _unread = _read_numbers((self.facts.get("held") or {}).get("resources"))
        # Jobs that started after the metrics were taken are in the list of jobs only.
        free = {r: max(0, c - max(allocated[r], (held or {}).get(r, 0))) for r, c in capacity.items() if r in allocated}
        return _Source("metrics", metrics["age_seconds"] + self.age, capacity, free, dict(free), lists_all=False)

    def _why_no_metrics(self) -> str:
        """Why the runtime metrics do not count; empty when they do."""
        metrics = self.facts.get("metrics")
        if "metrics" in self.errors:
            return _error_text(self.errors["metrics"])
        if not metrics:
            return "the API has none for this pool"
        if metrics.get("age_seconds") is None:
            return "their time cannot be read: not used"
        limit = _METRIC_WINDOWS * (metrics.get("window_seconds") or _DEFAULT_WINDOW)
        age = metrics["age_seconds"] + self.age
        if age > limit:
            return f"{duration(age)} old, limit {duration(limit)}: not used"
        if metrics.get("unreadable") or metrics.get("capacity") is None or metrics.get("allocated") is None:
            return f"not readable ({', '.join(metrics.get('unreadable') or ['no tables'])}): not used"
        return ""

    def _declared_source(self, declared: Amounts) -> _Source:
        held = self.facts.get("held") or {}
        resources, unread = _read_numbers(held.get("resources"))
        if unread or held.get("unknown", 1):
            self._unknown("held", f"{held.get('unknown', 'all')} jobs hold what could not be read")
        free = {r: max(0, amount - resources.get(r, 0)) for r, amount in declared.items()}
        return _Source("declared", self.age, dict(declared), free, dict(free), lists_all=False)

    def _unplaced(self, source: _Source) -> _Unplaced:
        """What is about to take room that the source still shows as free."""
        groups = [] if source.name == "declared" else list(self.facts.get("unplaced") or ())
        starting = [job for job in self._jobs_ahead() if self._strategy()[0] == "backfill" and _is_starting(job)]
        groups += [{"count": 1, "resources": job["resources"], "known": job["known"]} for job in starting]
        return _Unplaced.of(groups)

    def _check_room(self, source: _Source, replaced: _Replaced) -> None:
        unplaced = self._unplaced(source)
        needs = self._needs(source)
        if not unplaced.known:
            self._unknown("unplaced", "jobs without a node hold what could not be read")
        for resource, need in needs.items():
            self._check_resource(resource, need, source, unplaced, replaced)
        missing = [name for name in ("cpu", "memory") if name not in needs]
        if missing:
            self.notes.append(f"{' and '.join(missing)} not asked for, so not checked")
        skipped = [label(name) for name in self.policy.headroom if name not in needs]
        if skipped:
            self.notes.append(f"headroom of {', '.join(skipped)} not checked: not asked for")
        self.notes += source.notes

    def _needs(self, source: _Source) -> Amounts:
        """What is asked of each resource; a whole node of a flavor counts as what the largest of them has."""
        needs = self.request.resources()
        for group in self.request.groups:
            if group.flavor is None:
                continue
            shape = self._largest_of_flavor(group.flavor)
            if shape is None and source.name != "nodes":
                self._unknown("flavor", f"what a node of {group.flavor} gives is only known from the list of nodes")
            add(needs, {resource: amount * group.replicas for resource, amount in (shape or {}).items()})
        return needs

    def _check_resource(
        self, resource: str, need: int, source: _Source, unplaced: _Unplaced, replaced: _Replaced
    ) -> None:
        total = source.usable.get(resource, 0)
        kept = self.policy.kept(resource, total)
        taken = unplaced.total.get(resource, 0)
        back = replaced.surely_back.get(resource, 0)
        if resource not in source.free and not source.lists_all:
            self._unknown(
                resource, f"{source.name} do not tell about {label(resource)} (they have "
                f"{', '.join(label(r) for r in source.free) or 'nothing'})",
            )  # fmt: skip
            return
        free = source.free.get(resource, 0)
        short = need + kept + taken - free
        hoped_short = need + kept + taken - source.hoped.get(resource, 0)

        def said(amount: int) -> str:
            return text(resource, amount)

        extras = [f"kept {said(kept)}"] if kept else []
        extras += [f"{said(taken)} taken by jobs that show no node yet"] if taken else []
        extras += [f"{said(back)} of it given back"] if back else []
        message = f"need {said(need)}, free {said(free)}{''.join(', ' + extra for extra in extras)} of {said(total)}"
        amounts = {"need": need, "free": free, "total": total, "kept": kept, "unplaced": taken}
        amounts["missing"] = max(0, short)
        figures: Facts = {"resource": resource, **{name: number(resource, of) for name, of in amounts.items()}}
        if short <= 0:
            self._pass(resource, message, figures=figures)
        elif hoped_short <= 0:
            self._unknown(resource, f"{message}; nodes whose free amount cannot be read may have it", figures=figures)
        else:
            never = self._never_enough(resource, need)
            self._fail(
                resource, f"{message}, short {said(short)}" + (f": {never}" if never else ""), never=bool(never),
                remedy=f"ask for less {label(resource)}, or use a larger pool." if never else
                f"wait until {said(short)} {label(resource)} are given back, or use another pool.", figures=figures,
            )  # fmt: skip
        amounts["used"], amounts["left"] = max(0, total - free), max(0, -short)
        self.bars.append({"resource": resource, **{name: number(resource, of) for name, of in amounts.items()}})

    def _never_enough(self, resource: str, need: int) -> str:
        """Why the pool cannot give as much even with nothing running; empty when it could."""
        if self.nodes is None:
            if self.declared is None or resource not in self.declared:
                return ""
            most, whole = self.declared[resource], "the declared capacity is"
        else:
            potential = self._potential()
            if potential is None:
                return ""
            most, whole = sum(p.get(resource, 0) for p in potential), "with every node it is meant to have the pool has"
        kept = self.policy.kept(resource, most)
        if need + kept <= most:
            return ""
        return f"{whole} {text(resource, most)}" + (f", of which {text(resource, kept)} are kept" if kept else "")

    def _potential(self) -> list[Amounts] | None:
        """Every node that the pool is meant to have, empty. None when the size of one of them is not known."""
        if not self.pool:
            return None
        staying = [node for node in self.nodes or () if not node.leaving]
        counts = {
            flavor["flavor"]: max(flavor["count"] or 0, flavor["max_count"] or 0) for flavor in self.pool["flavors"]
        }
        listed = Counter(node.flavor for node in staying)
        potential = []
        for node in staying:
            resources = node.resources or self._largest_of_flavor(node.flavor)
            if not resources:
                return None
            potential.append(resources)
        for flavor, count in counts.items():
            missing = count - listed[flavor]
            shape = self._largest_of_flavor(flavor)
            if missing > 0 and not shape:
                return None
            potential += [shape or {}] * max(0, missing)
        return potential

    def _largest_of_flavor(self, flavor: str | None) -> Amounts | None:
        largest: Amounts = {}
        for node in self.nodes or ():
            if node.flavor == flavor:
                for resource, amount in (node.resources or {}).items():
                    largest[resource] = max(amount, largest.get(resource, 0))
        return largest or None

    # Placement

    def _check_placement(self, source: _Source, replaced: _Replaced) -> None:
        if source.name != "nodes":
            self._placement_unseen(source)
            return
        order = sorted({resource for group in self.request.groups for resource in group.resources or ()})
        needs = [_need(group, order) for group in self.request.groups]
        usable = [node for node in self.nodes or () if node.unusable is None]
        slots = Counter(_slot(node.free, node, order) for node in usable if node.free is not None)
        replicas = f"{self.request.replicas} replicas" if self.request.replicas > 1 else "1 replica"
        left_out = self._left_out()
        never = self._never_placed(needs, order)
        if never is not None:
            self.checks.append(never)
            return
        if self.policy.placement == "aggregate":
            self.notes.append("placement on nodes not asked for (policy.placement is aggregate)")
            return
        unplaced = self._unplaced(source)
        if replaced.partial:
            fitted = self._fits_beside(slots, needs, unplaced, replaced.smallest_gain(needs, order))
        else:
            fitted = self._fits_beside(slots, needs, unplaced, 0)
        where = f"{len(usable)} usable node{'s' * (len(usable) != 1)}{left_out}"
        if fitted:
            self._pass("placement", f"{self.request.replicas} of {replicas} on {where}")
            return
        hoped = slots + Counter(_slot(node.resources or {}, node, order) for node in usable if node.free is None)
        if fitted is None or (hoped != slots and place(hoped, needs) is not False):
            why = "nodes whose free amount cannot be read may take them" if hoped != slots else (
                "jobs that show no node yet may land on the same nodes" if unplaced.pieces else
                "the search over several groups was given up"
            )  # fmt: skip
            self._unknown("placement", f"{replicas} on {where}: {why}")
            return
        self._fail(
            "placement", self._why_not_placed(slots, needs, order, unplaced, where), remedy=self._scattered(order)
        )

    def _fits_beside(
        self, slots: Mapping[Slot, int], needs: Sequence[Need], unplaced: _Unplaced, gained: int
    ) -> bool | None:
        """Whether the replicas fit wherever the jobs without a node land."""
        if len(needs) > 1:
            fits = place(slots, needs) if slots else False
            return None if fits and unplaced.pieces else fits
        return most_replicas(slots, needs[0]) + gained - unplaced.damage(needs[0], self._order()) >= needs[0].replicas

    def _order(self) -> list[str]:
        return sorted({resource for group in self.request.groups for resource in group.resources or ()})

    def _placement_unseen(self, source: _Source) -> None:
        if self.policy.placement == "aggregate" or self.declared is not None:
            self.notes.append(f"placement not checked: {source.name} know no nodes")
        else:
            self._unknown(
                "placement", f"{source.name} know no nodes, so nobody can tell whether a replica fits on one",
                remedy="allow listing nodes, or set policy.placement to aggregate.",
            )  # fmt: skip

    def _never_placed(self, needs: Sequence[Need], order: Sequence[str]) -> Check | None:
        """The failure when not even the empty pool takes the replicas."""
        potential = self._potential()
        if potential is None:
            return None
        flavors: list[str | None] = [node.flavor for node in self.nodes or () if not node.leaving]
        for flavor in self.pool["flavors"]:
            count = max(flavor["count"] or 0, flavor["max_count"] or 0)
            flavors += [flavor["flavor"]] * max(0, count - flavors.count(flavor["flavor"]))
        slots = Counter(
            Slot(tuple(amounts.get(r, 0) for r in order), flavor, True) for amounts, flavor in zip(potential, flavors)
        )
        for need, group in zip(needs, self.request.groups):
            if most_replicas(slots, need) == 0:
                return self._replica_too_large(group, potential)
        if place(slots, needs) is not False:
            return None
        most = most_replicas(slots, needs[0])
        if len(needs) == 1:
            message = f"the empty pool would take {most} of {needs[0].replicas} replicas"
            remedy = f"ask for {most} replicas or fewer, or use a larger pool."
        else:
            message, remedy = "the empty pool would not take all groups", "ask for less, or use a larger pool."
        return Check("placement", False, message, never=True, remedy=remedy)

    def _replica_too_large(self, group: Group, potential: Sequence[Amounts]) -> Check:
        if group.resources is None:
            return Check(
                "placement", False, f"the pool has no node of flavor {group.flavor}", never=True,
                remedy=f"ask for a flavor that the pool has: "
                f"{', '.join(sorted(flavor['flavor'] for flavor in self.pool['flavors'])) or 'none'}.",
            )  # fmt: skip
        for resource, asked in group.resources.items():
            largest = max((amounts.get(resource, 0) for amounts in potential), default=0)
            if asked > largest:
                return Check(
                    "placement", False,
                    f"a replica asks {label(resource)} {text(resource, asked)}; the largest node offers "
                    f"{text(resource, largest)} ({len(potential)} looked at)", never=True,
                    remedy=f"ask for {label(resource)} {text(resource, largest)} or less"
                    + (", or give a flavor instead of resources." if largest else ", or use a pool that has it."),
                )  # fmt: skip
        return Check(
            "placement",
            False,
            "no node has all that a replica asks for",
            never=True,
            remedy="ask for smaller replicas.",
        )

    def _why_not_placed(
        self, slots: Mapping[Slot, int], needs: Sequence[Need], order: Sequence[str], unplaced: _Unplaced, where: str
    ) -> str:
        if len(needs) > 1:
            return f"not all {self.request.replicas} replicas of {len(needs)} groups on {where}"
        most = most_replicas(slots, needs[0])
        sure = max(0, most - unplaced.damage(needs[0], order))
        message = f"{min(sure, needs[0].replicas)} of {needs[0].replicas} replicas on {where}"
        if sure < most:
            message += f"; {most - sure} places may go to jobs that show no node yet"
        return message

    def _scattered(self, order: Sequence[str]) -> str:
        fits = [check for check in self.checks if check.name in order]
        if fits and all(check.passed for check in fits):
            return "there is enough, but scattered over nodes: ask for smaller replicas, or wait."
        return ""

    def _left_out(self) -> str:
        reasons = Counter(node.unusable for node in self.nodes or () if node.unusable is not None)
        if not reasons:
            return ""
        return ", left out " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3))

    # What the deployment gives back

    def _read_replaced(self) -> _Replaced:
        replaces = self.request.replaces
        if replaces is None:
            return _Replaced()
        jobs = [job for job in self.facts.get("placements") or () if job["job_uuid"] == replaces.job_uuid]
        if self.facts.get("placements") is None:
            self._unknown("replaces", "the jobs could not be read")
        elif not jobs:
            self.notes.append(f"job {replaces.job_uuid} is not in the pool: nothing is given back")
        elif jobs[0]["waits"]:
            self.notes.append(f"{_job_name(jobs[0])} waits itself: it gives nothing back, and is not counted as ahead")
            return _Replaced(waiting=jobs[0])
        elif jobs[0]["holds"]:
            return self._give_back(jobs[0], replaces.replicas)
        return _Replaced()

    def _give_back(self, job: Facts, replicas: int | None) -> _Replaced:
        if not job["host_ips"]:
            self._unknown("replaces", f"{_job_name(job)} shows no node yet, so where it gives back is not known")
            return _Replaced()
        split = _split_over_nodes(job)
        by_address = {node.address: node for node in self.nodes or () if node.address is not None}
        if self.nodes is None:
            self.notes.append(f"what {_job_name(job)} gives back is not counted: the nodes are not known")
            return _Replaced()
        if split is None or any(address not in by_address for address in split):
            self._unknown("replaces", f"how {_job_name(job)} is split over its nodes is not known")
            return _Replaced()
        shares = [(by_address[address], amounts) for address, amounts in split.items()]
        if any(node.free is None for node, _amounts in shares):
            self._unknown("replaces", f"what is free on the nodes of {_job_name(job)} could not be read")
            return _Replaced()
        if replicas is not None and replicas < len(shares):
            self.notes.append(
                f"{replicas} of {len(shares)} replicas of {_job_name(job)} are given back, taken for one a node, "
                "and for the least useful ones"
            )
            return _Replaced(shares=shares, replicas=replicas)
        for node, amounts in shares:
            add(t.cast(Amounts, node.free), amounts)
            node.jobs = None if node.jobs is None else max(0, node.jobs - 1)
        back: Amounts = {}
        for node, amounts in shares:
            if node.unusable is None:
                add(back, amounts)
        self.notes.append(f"{_job_name(job)} is given back first")
        return _Replaced(back=back, credited=True)

    # Queue

    def _strategy(self) -> tuple[str, str]:
        """(fifo or backfill, how that is known)."""
        if self.policy.queue_strategy != "auto":
            return self.policy.queue_strategy, "by policy"
        named = self.pool.get("queue_strategy")
        if not named:
            return "fifo", "assumed, pool names none"
        if named.lower() in ("fifo", "backfill"):
            return named.lower(), "named by the pool"
        return "fifo", f"assumed, pool names {named!r}, which is not known"

    def _counts_ahead(self) -> int:
        groups: list[Facts] = self.facts.get("queue_counts") or []
        return sum(
            int(group["count"])
            for group in groups
            if self._is_in_scope(group["type"]) and self._goes_first(group["priority"])
        )

    def _jobs_ahead(self) -> list[Facts]:
        replaces = self.request.replaces
        return [
            job
            for job in self.facts.get("queued") or ()
            if self._is_in_scope(job["type"])
            and self._goes_first(_priority(job["priority"]))
            and (replaces is None or job["job_uuid"] != replaces.job_uuid)
        ]

    def _is_in_scope(self, kind: str | None) -> bool:
        return self.policy.queue_scope == "pool" or kind == self.request.type or kind in (None, "unknown")

    def _goes_first(self, priority: int | None) -> bool:
        """Whether a job that waits already goes before the request: they are all older."""
        return priority is None or self.request.priority is None or priority >= self.request.priority

    def _check_queue(self, replaced: _Replaced) -> None:
        if self.facts.get("queue_counts") is None:
            if "workloads" not in self.errors:
                self._unknown("queue", "the jobs that wait could not be read")
            return
        strategy, known = self._strategy()
        count = self._counts_ahead()
        own = replaced.waiting
        if own is not None and self._is_in_scope(own["type"]) and self._goes_first(_priority(own["priority"])):
            count -= 1
        self.ahead = self._jobs_ahead()
        if self.policy.queue_scope == "type":
            self.notes.append(f"only {self.request.type} jobs are taken to stand in this queue (policy.queue_scope)")
        message = f"{strategy} ({known}), {count} ahead"
        figures = {"ahead": count, "strategy": strategy}
        if strategy == "backfill":
            if replaced.credited and count:
                self._fail("queue", f"{message}: what is given back is theirs first", figures=figures)
            else:
                self._pass("queue", message, figures=figures)
        elif count == 0:
            self._pass("queue", message, figures=figures)
        else:
            self._fail_queue(message, figures)
        self._check_queue_age()

    def _fail_queue(self, message: str, figures: Facts) -> None:
        head = self.ahead[0] if self.ahead else None
        if head is None:
            self._fail("queue", message, figures=figures)
            return
        too_much = self._why_head_never_fits(head)
        name = _job_name(head)
        if too_much:
            self._fail(
                "queue", f"{message}; its head {name} can never fit: {too_much}", never=True, figures=figures,
                remedy=f"end {name}: it blocks the queue and can never start.",
            )  # fmt: skip
        elif (head["seconds"] or 0) >= _STUCK_SECONDS:
            self._fail(
                "queue", f"{message}; its head {name} has waited {duration(head['seconds'])}: this queue does not move",
                figures=figures, remedy=f"find out why {name} does not start, or end it; waiting is unlikely to help.",
            )  # fmt: skip
        else:
            self._fail(
                "queue", f"{message}, first {name}", figures=figures,
                remedy="wait for the jobs ahead, ask with a higher priority, or use another pool.",
            )  # fmt: skip

    def _why_head_never_fits(self, head: Facts) -> str:
        potential = self._potential() if self.nodes is not None else None
        if potential is None:
            return ""
        asked, _unread = _read_numbers(head["resources"])
        for resource, amount in asked.items():
            most = sum(amounts.get(resource, 0) for amounts in potential)
            if amount > most:
                return f"it asks {label(resource)} {text(resource, amount)}, the pool has {text(resource, most)}"
        return ""

    def _check_queue_age(self) -> None:
        limit = self.policy.max_oldest_queued_seconds
        if limit is None:
            return
        ages = [job["seconds"] for job in self.facts.get("queued") or () if self._is_in_scope(job["type"])]
        oldest = max((age for age in ages if age is not None), default=0)
        said = f"the oldest job waits for {duration(oldest)}, limit {duration(limit)}"
        if None in ages and oldest <= limit:
            self._unknown("queue_age", "for how long a job waits could not be read")
        elif oldest > limit:
            self._fail("queue_age", said)
        else:
            self._pass("queue_age", said)

    # The verdict

    def _pass(self, name: str, message: str, *, figures: Facts | None = None) -> None:
        self.checks.append(Check(name, True, message, figures=figures or {}))

    def _fail(
        self, name: str, message: str, *, never: bool = False, remedy: str = "", figures: Facts | None = None
    ) -> None:
        self.checks.append(Check(name, False, message, never, remedy, figures or {}))

    def _unknown(self, name: str, message: str, *, remedy: str = "", figures: Facts | None = None) -> None:
        self.checks.append(Check(name, None, message, False, remedy, figures or {}))

    def _any_error(self, *documents: str) -> Facts | None:
        return next((self.errors[name] for name in documents if name in self.errors), None)

    def _decision(self) -> str:
        if any(check.never for check in self.checks):
            return "reject"
        if any(check.passed is False for check in self.checks):
            return "wait"
        return "unknown" if any(check.passed is None for check in self.checks) else "admit"

    def _as_facts(self) -> Facts:
        decision = self._decision()
        if decision == "reject":
            decisive = [check for check in self.checks if check.never]
        else:
            decisive = [check for check in self.checks if check.passed is not True]
        return {
            "decision": decision,
            "pool": self.facts["pool_name"],
            "display_name": self.pool.get("display_name"),
            "source": None if self.source is None else self.source.name,
            "observed_at": self.facts.get("observed_at"),
            "age_seconds": None if self.source is None else int(self.source.age),
            "checks": [check.as_facts() for check in self.checks],
            "reasons": [f"{label(check.name)} {check.message}" for check in decisive],
            "remedies": list(dict.fromkeys(check.remedy for check in decisive if check.remedy)),
            "notes": self.notes,
            "resources": self.bars,
            "ahead": self.ahead[:10],
            "holders": self.facts.get("holders") or [],
        }


@dataclass
class _Replaced:
    """What the job that is ended first gives back.

    ``back`` is already added to the nodes. Of ``shares``, only ``replicas`` are given back, and not known which.
    """

    back: Amounts = field(default_factory=dict)
    credited: bool = False
    waiting: Facts | None = None
    shares: list[tuple[_Node, Amounts]] = field(default_factory=list)
    replicas: int = 0

    @property
    def partial(self) -> bool:
        return bool(self.shares)

    @property
    def surely_back(self) -> Amounts:
        """What is given back on usable nodes, and is not yet in their free amounts."""
        usable = [amounts for node, amounts in self.shares if node.unusable is None]
        count = self.replicas - (len(self.shares) - len(usable))
        least: Amounts = {}
        for resource in {resource for amounts in usable for resource in amounts}:
            least[resource] = sum(sorted(amounts.get(resource, 0) for amounts in usable)[: max(0, count)])
        return least

    def smallest_gain(self, needs: Sequence[Need], order: Sequence[str]) -> int:
        """Places that giving back opens for one group, if the least useful replicas go."""
        gains = []
        for node, amounts in self.shares:
            if node.unusable is not None or node.free is None:
                gains.append(0)
                continue
            after = dict(node.free)
            add(after, amounts)
            before_slot, after_slot = _slot(node.free, node, order), _slot(after, node, order)
            gains.append(max(0, needs[0].fits(after_slot)) - max(0, needs[0].fits(before_slot)))
        return sum(sorted(gains)[: self.replicas])


@dataclass
class _Unplaced:
    """Resources that will be taken on nodes nobody knows yet, in ``pieces`` that have at most ``piece`` each.

    How a job is split is not in the API: a piece is taken to have one card, or one core when the job has no cards.
    """

    total: Amounts
    piece: Amounts
    pieces: int
    known: bool

    @classmethod
    def of(cls, groups: Sequence[Facts]) -> _Unplaced:
        total: Amounts = {}
        piece: Amounts = {}
        pieces = 0
        known = True
        for group in groups:
            amounts, unread = _read_numbers(group["resources"])
            known = known and group["known"] and not unread
            cards = sum(amount for resource, amount in amounts.items() if _is_card(resource))
            parts = max(1, -(-(cards or amounts.get("cpu", 0)) // 1000))
            pieces += parts * group["count"]
            add(total, {resource: amount * group["count"] for resource, amount in amounts.items()})
            for resource, amount in amounts.items():
                piece[resource] = max(piece.get(resource, 0), -(-amount // parts))
        return cls(total, piece, pieces, known)

    def damage(self, need: Need, order: Sequence[str]) -> int:
        """The most places for replicas that the pieces can take, wherever they land."""
        if not self.pieces:
            return 0
        if need.amounts is None:
            return self.pieces
        pairs = [(self.piece.get(resource, 0), asked) for resource, asked in zip(order, need.amounts) if asked]
        return self.pieces * max(-(-piece // asked) for piece, asked in pairs)


def _read_nodes(facts: Sequence[Facts]) -> list[_Node]:
    nodes = []
    for fact in facts:
        resources, unread = _read_numbers(fact["resources"])
        free, unread_free = _read_numbers(fact["free"])
        broken = bool(unread or unread_free or fact["unreadable"])
        nodes.append(
            _Node(
                flavor=fact["flavor"],
                unusable=fact["unusable"],
                leaving=fact["phase"] == _LEAVING_PHASE,
                resources=None if fact["resources"] is None or unread else merge_spellings(resources, min),
                free=None if fact["free"] is None or broken else merge_spellings(free, min),
                jobs=fact["jobs"],
                address=fact["private_ip"],
            )
        )
    return nodes


def _read_numbers(facts: Mapping[str, t.Any] | None) -> tuple[Amounts, list[str]]:
    """(amounts of facts, what could not be read)."""
    amounts: Amounts = {}
    unread = []
    for resource, value in (facts or {}).items():
        try:
            amounts[resource] = parse(resource, value)
        except UnreadableQuantityError as error:
            unread.append(str(error))
    return amounts, unread


def _take_smaller(source: _Source, metrics: _Source) -> None:
    """Nodes and fresh metrics contradict each other: the smaller counts."""
    for resource, free in metrics.free.items():
        name = canonical(resource)
        if name in source.free and free < source.free[name]:
            seen = text(name, source.free[name])
            source.notes.append(f"metrics show {text(name, free)} free {label(name)}, nodes {seen}: the smaller counts")
            source.free[name] = free
            source.hoped[name] = min(free, source.hoped.get(name, free))


def _need(group: Group, order: Sequence[str]) -> Need:
    amounts = None if group.resources is None else tuple(group.resources.get(resource, 0) for resource in order)
    return Need(group.replicas, amounts, group.flavor)


def _slot(amounts: Mapping[str, int], node: _Node, order: Sequence[str]) -> Slot:
    return Slot(tuple(amounts.get(resource, 0) for resource in order), node.flavor, node.empty)


def _split_over_nodes(job: Facts) -> dict[str, Amounts] | None:
    """What a job has on each address; None when that is not known."""
    if job["nodes"]:
        split: dict[str, Amounts] = {}
        for node in job["nodes"]:
            amounts, unread = _read_numbers(node["resources"])
            if unread or not amounts or not node["host_ip"]:
                return None
            add(split.setdefault(node["host_ip"], {}), merge_spellings(amounts))
        return split if set(split) >= set(job["host_ips"]) else None
    if len(job["host_ips"]) == 1 and job["known"]:
        return {job["host_ips"][0]: merge_spellings(_read_numbers(job["resources"])[0])}
    return None


def _job_name(job: Facts) -> str:
    return " ".join(
        part for part in (job.get("type"), job.get("job_name") or job.get("name") or job.get("job_uuid")) if part
    )


def _is_starting(job: Facts) -> bool:
    return job["seconds"] is None or job["seconds"] < _ABOUT_TO_START


def _priority(value: object) -> int | None:
    try:
        return int(t.cast(str, value))
    except (TypeError, ValueError):
        return None


def _is_card(resource: str) -> bool:
    return resource != "cpu" and not counts_bytes(resource)


def _error_text(error: Facts | None) -> str:
    if error is None:
        return "not read"
    parts = [str(error[name]) for name in ("status", "error_code") if error.get(name)]
    if not parts:
        return str(error["msg"])
    return " ".join(parts) + (f", request {error['request_id']}" if error.get("request_id") else "")
