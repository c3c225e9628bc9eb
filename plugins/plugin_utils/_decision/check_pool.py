# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the pool takes such work at all: its phase, its restrictions, its job types, its logical pools.

This plugin util is private to the collection. Source: ShowPool.
"""

from __future__ import annotations

import typing as t
from difflib import get_close_matches

from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    DRIVER_RUNNING,
    POOL_NOT_FOUND,
    POOL_RUNNING,
    SCOPE,
    SCOPE_OF,
    STOPPING_MODES,
    TYPE_ENABLED,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import Check, Findings, Outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import (
    duration,
    error_in_words,
    joined_words,
    permission_remedy_in_words,
    plural,
    spaced_words,
)

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.situation import Pool, Situation
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import Request

OLDEST_FACTS = 300
"""Seconds after which facts are too old to decide on: jobs that have started since then do not show."""

# The API reference names these phases (ShowPool). Each may lead to Running, so none of them rejects.
_PASSING_PHASES = ("Creating", "Waiting", "Abnormal", "ScalingFailed", "Error")
# A pool in these phases never runs work again. That an Error is final stands in no document, so it may pass.
_LOST_PHASES = ("Deleting", "CreationFailed")
# They stop changes of the pool, and no jobs, as their names say; that is not documented.
_HARMLESS_MODES = ("billing_change_restricted", "flavor_change_restricted")
# A pool whose driver is in one of these states starts nothing, and may be Running again (ShowPool).
_PASSING_DRIVERS = ("Creating", "Upgrading", "Abnormal")
# An operator has switched the type off, or is about to: waiting does not bring it back.
_JOB_TYPE_LOST = ("Disabled", "Disabling")


def check_pool_facts(situation: Situation, age: float) -> Check | None:
    """Return the check that decides alone: facts that are too old, no such pool, no answer at all."""
    if age > OLDEST_FACTS:
        message = f"the facts are {duration(age)} old, limit {duration(OLDEST_FACTS)}"
        return Check("age", Outcome.UNKNOWN, message)
    errors = situation.errors
    documents = [errors[name] for name in ("pool", "workloads") if name in errors]
    missing = next((error for error in documents if error.get("error_code") == POOL_NOT_FOUND), None)
    # A pool whose own document was read is there, whatever another call was answered.
    if missing is not None and situation.pool is None:
        remedy = "give the ID (metadata.name) of a pool of this project."
        return Check("pool", Outcome.NEVER, f"not found ({error_in_words(missing)})", remedy)
    # One sentence in place of the same one for each document.
    messages = {error["msg"] for error in errors.values()}
    if len(messages) == 1 and {"pool", "nodes", "workloads"} <= errors.keys():
        return Check("api", Outcome.UNKNOWN, messages.pop(), "check that ModelArts can be reached, and try again.")
    return None


def check_pool(situation: Situation, request: Request) -> Findings:
    """Ask whether its jobs are known, whether it works, whether it takes the job type, and whether it is shared."""
    return (
        Findings.of([_check_pool_jobs(situation)])
        + _check_pool_phase(situation)
        + _check_pool_job_type(situation.pool, request.type)
        + Findings.of([_check_logical_pools(situation)])
    )


def _check_pool_jobs(situation: Situation) -> Check | None:
    error = situation.errors.get("workloads")
    if error is not None:
        remedy = permission_remedy_in_words(error, "listing the jobs of the pool")
        return Check("jobs", Outcome.UNKNOWN, error_in_words(error), remedy)
    if not situation.lists_all_jobs:
        message = "the list of jobs is not complete: it changed faster than it could be read"
        return Check("jobs", Outcome.UNKNOWN, message)
    return None


def _check_pool_phase(situation: Situation) -> Findings:
    pool = situation.pool
    if pool is None:
        error = situation.errors.get("pool")
        remedy = permission_remedy_in_words(error, "showing the pool")
        return Findings.of([Check("pool", Outcome.UNKNOWN, error_in_words(error), remedy)])
    message = f"phase {pool.phase or 'not reported'}"
    if pool.phase == POOL_RUNNING:
        return _check_pool_restrictions(pool, message)
    if pool.phase in _LOST_PHASES:
        check = Check("pool", Outcome.NEVER, message, "use another pool.")
    elif pool.phase in _PASSING_PHASES:
        remedy = f"wait until the pool is {POOL_RUNNING}, or use another one."
        check = Check("pool", Outcome.FAILED, message, remedy)
    else:
        why = ", which the API reference does not list" if pool.phase else ""
        check = Check("pool", Outcome.UNKNOWN, message + why)
    return Findings.of([check])


def _check_pool_restrictions(pool: Pool, message: str) -> Findings:
    """Return the check of a pool in the right phase: its restrictions, its driver, and what of it cannot be read."""
    modes, drivers = pool.control_modes, pool.drivers.items()
    stopping = [mode for mode in modes if mode in STOPPING_MODES]
    passing = [f"{kind} driver {state}" for kind, state in drivers if state in _PASSING_DRIVERS]
    unknown = [mode for mode in modes if mode not in (*STOPPING_MODES, *_HARMLESS_MODES)]
    odd = [f"{kind} driver {state}" for kind, state in drivers if state not in (*_PASSING_DRIVERS, DRIVER_RUNNING)]
    notes = [
        f"the pool is {spaced_words(mode)} (controlMode), which does not stop jobs"
        for mode in modes
        if mode in _HARMLESS_MODES
    ]
    # That these stop new work is what their names say, not a documented sentence: it holds back and does not reject.
    if stopping:
        message += f", {spaced_words(*stopping)} (controlMode; not seen on a real pool yet, assumed to start no jobs)"
        check = Check("pool", Outcome.FAILED, message, "find out why the pool is restricted, or use another one.")
    elif passing:
        # A known restriction is told before an odd one: it holds back, whatever the other means.
        check = Check(
            "pool", Outcome.FAILED, f"{message}, {joined_words(passing)}", "wait until its driver is Running."
        )
    elif unknown or odd:
        odd += [f"controlMode {spaced_words(*unknown)}"] if unknown else []
        check = Check("pool", Outcome.UNKNOWN, f"{message}, {joined_words(odd)}, which the API reference does not list")
    elif pool.unreadable:
        check = Check("pool", Outcome.UNKNOWN, f"{message}, but {joined_words(pool.unreadable)} cannot be read")
    else:
        check = Check("pool", Outcome.PASSED, message)
    return Findings.of([check], notes)


def _check_pool_job_type(pool: Pool | None, job_type: str | None) -> Findings:
    if job_type is None:
        return Findings.of(notes=["job type not asked for, so not checked"])
    states = pool.job_types if pool is not None else None
    if pool is None or states is None:
        message = f"the pool does not show whether it takes {job_type} jobs"
        return Findings.of([Check("job_type", Outcome.UNKNOWN, message)])
    # A type that the pool lists by itself has a state of its own; the others share that of their scope.
    scope = job_type if job_type in states else SCOPE_OF.get(job_type, job_type)
    state = states.get(scope)
    name = job_type if scope == job_type else f"{job_type}, which is of the scope {scope},"
    offered = joined_words(f"{one} {of}" for one, of in states.items())
    if state == TYPE_ENABLED:
        check = Check("job_type", Outcome.PASSED, f"{name} is enabled")
    elif state == "Enabling":
        check = Check("job_type", Outcome.FAILED, f"{name} is being enabled", "wait until it is enabled.")
    elif state is None and SCOPE in pool.unreadable:
        # A type that is missing from a list which could not be read whole is no reason to reject.
        check = Check("job_type", Outcome.UNKNOWN, f"{name} may be one of the pool's types that cannot be read")
    elif state is None or state in _JOB_TYPE_LOST:
        near = get_close_matches(job_type, [*states, *SCOPE_OF], 1) if state is None else []
        hint = f"; did you mean {near[0]}?" if near else ""
        remedy = f"enable {job_type} jobs in the pool, or use a pool that takes them."
        message = f"{name} is {state or 'not there'} (the pool has: {offered}){hint}"
        check = Check("job_type", Outcome.NEVER, message, remedy)
    else:
        message = f"{name} is {state} (the pool has: {offered}), which is not a known state"
        check = Check("job_type", Outcome.UNKNOWN, message)
    return Findings.of([check])


def _check_logical_pools(situation: Situation) -> Check | None:
    pool, bound = situation.pool, situation.nodes_of_logical_pools
    reasons = []
    if pool is not None and pool.is_logical:
        quotas = joined_words(map(str, pool.flavors), "not reported")
        reasons.append(f"this is a logical pool with the quota {quotas}")
    if pool is not None and pool.parent:
        reasons.append(f"this pool is part of {pool.parent}")
    if pool is not None and pool.logical_pools:
        reasons.append(f"{pool.logical_pools} logical pools share it")
    if bound:
        reasons.append(f"{plural(bound, 'node')} {'is' if bound == 1 else 'are'} bound to logical pools")
    if not reasons:
        return None
    message = f"{'; '.join(reasons)}: ModelArts does not document how it charges jobs above a guaranteed quota"
    return Check("logical_pools", Outcome.UNKNOWN, message, "use a pool without logical pools.")
