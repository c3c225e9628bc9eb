# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools: API documents -> facts, and the reading of what several of them can still take.

This module util is private to the collection. Source: ShowPool, ListPools.
"""

from __future__ import annotations

import re
import time
import typing as t
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client, check_pool_name
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.nodes import (
    capacity_facts,
    count_or_none,
    iso_time,
    list_of,
    metrics_of_pool,
    misshapen,
    node_address,
    node_facts,
    object_in,
    text_or_none,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.occupancy import Occupancy
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.one_node import one_entry_each
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import Answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.workloads import Facts, WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import listed, shown_name, trimmed
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import (
    BILLING_MODE_ANNOTATION,
    BILLING_MODES,
    CONTROL_MODES,
    NAME_LABEL,
    NODE_STATES,
    POOL_NOT_FOUND,
    SCOPE,
    STRATEGY_ANNOTATION,
    SUBPOOLS_ANNOTATION,
    WORKSPACE_LABEL,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Attempted = tuple[t.Any, t.Optional[Facts]]

_POOL_ID = re.compile(r"[a-z][a-z0-9-]{34,61}[a-z0-9]")
_POOL_SHAPES: dict[tuple[str, ...], type] = {
    ("metadata",): dict,
    ("metadata", "annotations"): dict,
    ("spec",): dict,
    ("spec", "type"): str,
    ("status",): dict,
    ("status", "driver"): dict,
    ("status", "parent"): str,
}


def display_name(document: Facts) -> str | None:
    """The name that the console shows: the label os.modelarts/name."""
    return text_or_none(object_in(object_in(document, "metadata"), "labels").get(NAME_LABEL))


def pool_id(document: Facts) -> str | None:
    """The pool's ID: metadata.name."""
    return text_or_none(object_in(document, "metadata").get("name"))


def pool_facts(document: Facts) -> Facts:
    """A pool of ShowPool or ListPools as facts. Counts are numbers of nodes; null is what the API did not give.

    ``job_types`` maps train, infer, notebook (as the API spells them, in lower case) to their state; ``flavors`` is a
    list of ``{flavor, count, max_count, available, creating, abnormal, deleting}``; of a logical pool, ``count`` is the
    guaranteed quota and ``max_count`` the ceiling. ``control_mode`` lists the restrictions of the pool by name, see
    CONTROL_MODES. ``unreadable`` names what is not of its documented type.
    """
    metadata, spec, status = (object_in(document, name) for name in ("metadata", "spec", "status"))
    annotations = object_in(metadata, "annotations")
    unreadable = misshapen(document, _POOL_SHAPES)
    if annotations.get(SUBPOOLS_ANNOTATION) is not None and count_or_none(annotations[SUBPOOLS_ANNOTATION]) is None:
        unreadable.append(SUBPOOLS_ANNOTATION)
    if not all(map(_is_driver, object_in(status, "driver").values())):
        unreadable.append("status.driver")
    if not all(map(_is_scope, list_of(status.get("scope")))):
        unreadable.append(SCOPE)
    control_mode = _control_mode(spec.get("controlMode"))
    if control_mode is None:
        unreadable.append("spec.controlMode")
    billing_mode = annotations.get(BILLING_MODE_ANNOTATION)
    return {
        "pool_name": pool_id(document),
        "display_name": display_name(document),
        "created_at": text_or_none(metadata.get("creationTimestamp")),
        "type": text_or_none(spec.get("type")),
        "phase": text_or_none(status.get("phase")),
        "message": text_or_none(status.get("message")),
        "job_types": _job_types(status.get("scope")),
        "flavors": _flavors(spec.get("resources"), object_in(status, "resources")),
        "driver": {
            kind: {"version": text_or_none(state.get("version")), "state": text_or_none(state.get("state"))}
            for kind, state in object_in(status, "driver").items()
            if isinstance(state, dict)
        },
        "control_mode": control_mode or [],
        "node_pools": _node_pools(spec.get("resources")),
        "workspace_id": text_or_none(object_in(metadata, "labels").get(WORKSPACE_LABEL)),
        "billing_mode": None if billing_mode is None else BILLING_MODES.get(str(billing_mode), str(billing_mode)),
        "queue_strategy": text_or_none(annotations.get(STRATEGY_ANNOTATION)),
        "subpools": count_or_none(annotations.get(SUBPOOLS_ANNOTATION)),
        "parent": text_or_none(status.get("parent")),
        "root": text_or_none(status.get("root")),
        "unreadable": unreadable,
    }


def _is_driver(value: object) -> bool:
    """Whether the driver of one kind of card is as documented, or not told."""
    state = value.get("state") if isinstance(value, dict) else value
    return state is None or (isinstance(value, dict) and isinstance(state, str) and state != "")


def _is_scope(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("scopeType"), str)


def _job_types(scopes: object) -> dict[str, str] | None:
    """Return the state of each job type; a type that stands there twice with different states has both."""
    if not isinstance(scopes, list):
        return None
    states: dict[str, dict[str, None]] = {}
    for scope in scopes:
        if _is_scope(scope):
            states.setdefault(scope["scopeType"].strip().lower(), {})[str(scope.get("state"))] = None
    return {job_type: " and ".join(of) for job_type, of in states.items()}


def _control_mode(value: object) -> list[str] | None:
    """Return the names of the bits that are set, ``bit_<value>`` for one that is not known; None when not readable."""
    bits = 0 if value is None else count_or_none(value)
    if bits is None:
        return None
    return [CONTROL_MODES.get(1 << bit, f"bit_{1 << bit}") for bit in range(bits.bit_length()) if bits >> bit & 1]


def _node_pools(specified: object) -> list[Facts]:
    """Return ``[{name, flavor, count, max_count}]``. A node pool without a name is the default of its flavor."""
    return [
        {
            "name": text_or_none(entry.get("nodePool")) or f"{entry['flavor']}-default",
            "flavor": entry["flavor"],
            "count": count_or_none(entry.get("count")),
            "max_count": count_or_none(entry.get("maxCount")),
        }
        for entry in _counts(specified)
    ]


def _flavors(specified: object, by_state: Mapping[str, t.Any]) -> list[Facts]:
    flavors: dict[str, Facts] = {}

    def row(name: str) -> Facts:
        return flavors.setdefault(
            name, {"flavor": name, "count": None, "max_count": None, **dict.fromkeys(NODE_STATES, 0)}
        )

    told = _are_counts(specified)
    for entry in _counts(specified):
        count = count_or_none(entry.get("count"))
        row(entry["flavor"])["count"] = (row(entry["flavor"])["count"] or 0) + (count or 0) if told else None
        most = count_or_none(entry.get("maxCount"))
        if most is not None:
            row(entry["flavor"])["max_count"] = (row(entry["flavor"])["max_count"] or 0) + most
    for state in NODE_STATES:
        for entry in _counts(by_state.get(state)):
            row(entry["flavor"])[state] += count_or_none(entry.get("count")) or 0
    return list(flavors.values())


def _are_counts(entries: object) -> bool:
    """Whether all of them can be read; where one cannot, how many nodes the pool is meant to have is not known."""
    several = [entries] if isinstance(entries, dict) else entries
    return isinstance(several, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("flavor"), str)
        and count_or_none(entry.get("count")) is not None
        and (entry.get("maxCount") is None or count_or_none(entry["maxCount"]) is not None)
        for entry in several
    )


def _counts(entries: object) -> list[Facts]:
    """Counts by flavor: the reference shows an array, the SDK models one object."""
    several = [entries] if isinstance(entries, dict) else entries if isinstance(entries, list) else []
    return [entry for entry in several if isinstance(entry, dict) and isinstance(entry.get("flavor"), str)]


def read_capacity(
    client: Client,
    names: Sequence[str],
    query: WorkloadQuery,
    clock: Callable[[], float],
    placement_of: Iterable[str],
) -> list[Answer]:
    """What a decision needs of each pool, see read_workloads(). Raises InputError and NoPoolReadableError."""
    ids, unnamed = _ids_of(client, names)

    def read_pool(name: str) -> list[t.Any]:
        started = time.monotonic()
        if name in unnamed:
            refused = [(None, {**unnamed[name], "document": document}) for document in ("workloads", "pool", "nodes")]
            return [started, *refused]
        documents: list[Callable[[], Attempted]] = [
            partial(_attempt, "workloads", partial(_read_jobs, client, name, query)),
            partial(_attempt, "pool", partial(client.show_pool, name)),
            partial(_attempt, "nodes", partial(client.list_nodes, name)),
        ]
        return [started, *client.side_by_side(documents)]

    def answer(name: str, started: float, jobs: Attempted, pool: Attempted, nodes: Attempted) -> Answer:
        now = clock()
        occupancy = None if jobs[0] is None else Occupancy(now, jobs[0].items, placement_of)
        listed = None if nodes[0] is None else {address for address in map(node_address, nodes[0]) if address}
        made = Answer(name, query.selected(jobs[0] or Pages([], None, False)), now)
        made.entry["pool"] = None if pool[0] is None else pool_facts(pool[0])
        made.entry.update(dict.fromkeys(Occupancy.FACTS) if occupancy is None else occupancy.as_facts(listed))
        made.entry.update(_capacity_of(name, nodes, metrics, occupancy, now, started))
        made.entry["errors"] = [error for _a, error in (jobs, pool) if error is not None] + made.entry["errors"]
        return made

    calls: list[Callable[[], t.Any]] = [
        partial(_attempt, "metrics", client.runtime_metrics),  # one document tells about every pool
        *(partial(read_pool, own) for own in ids),
    ]
    metrics, *read = client.side_by_side(calls)
    answers = [answer(own, *documents) for own, documents in zip(ids, read)]
    if not any(made.readable for made in answers):
        raise NoPoolReadableError([made.entry for made in answers])
    return answers


def _ids_of(client: Client, names: Sequence[str]) -> tuple[list[str], dict[str, Facts]]:
    """(the ID of each pool, the error of each whose display name could not be looked up).

    Pools are listed only when a name does not look like an ID. A name that no pool has stays as it is: the API says so.
    Raises InputError for a name that several pools have, and for two names of one pool.
    """
    if all(map(_POOL_ID.fullmatch, names)):
        return list(names), {}
    documents, error = _attempt("pools", client.list_pools)
    if error is not None:
        return list(names), {name: error for name in names if not _POOL_ID.fullmatch(name)}
    ids: list[str] = []
    for name in names:
        named = _named(name, documents)
        if len(named) > 1:
            raise _several(name, named)
        ids.append(check_pool_name(named[0] if named else name))
        if ids[-1] in ids[:-1]:
            raise InputError(f"{ids[-1]} is asked for twice, by ID and by display name.")
    return ids, {}


def _attempt(document: str, call: Callable[[], t.Any]) -> Attempted:
    """(what the call returned, None), or (None, the error as facts)."""
    try:
        return call(), None
    except InputError:
        raise
    except ModelArtsError as error:
        return None, {"document": document, **error.as_result()}


def read_pools(client: Client, names: Sequence[str], *, include_capacity: bool, clock: Callable[[], float]) -> Facts:
    """The answer of modelarts_pool_info: ``{pools, resolved}``.

    ``names`` are IDs or display names; none means all pools. With ``include_capacity`` each pool also has ``nodes``,
    ``capacity``, ``metrics``, ``observed_at``, ``age_seconds`` and ``errors``. Raises InputError for a name that no
    pool has, or several.
    """
    started = time.monotonic()
    if names:
        asked = _asked_for(client, [trimmed(name) for name in names])
        ids = {name: str(pool["pool_name"]) for name, pool in asked.items()}
        pools = list({pool["pool_name"]: pool for pool in asked.values()}.values())
    else:
        ids, pools = {}, list(_listed(client.list_pools()).values())
    if include_capacity:
        metrics, *listed = client.side_by_side(
            [
                partial(_attempt, "metrics", client.runtime_metrics),
                *(partial(_nodes_of, client, pool["pool_name"]) for pool in pools),
            ]
        )
        for pool, nodes in zip(pools, listed):
            pool.update(_capacity_of(pool["pool_name"], nodes, metrics, None, clock(), started))
    return {"pools": pools, "resolved": {name: own for name, own in ids.items() if name != own}}


def _nodes_of(client: Client, pool_name: str) -> Attempted:
    """The nodes of a pool that the API listed; an ID that cannot stand in a path hides no other pool."""
    try:
        return _attempt("nodes", partial(client.list_nodes, pool_name))
    except InputError as error:
        return None, {"document": "nodes", **error.as_result()}


def _asked_for(client: Client, names: Sequence[str]) -> dict[str, Facts]:
    """The pool of each name. Raises InputError for a name that no pool has, or several.

    ShowPool answers for what looks like an ID: a caller may have the permission for one pool and none to list them,
    and the list is that of one workspace. The pools are listed when that leaves a name open.
    """
    likely = [name for name in dict.fromkeys(names) if _POOL_ID.fullmatch(name)]
    shown = list(client.side_by_side([partial(_shown, client, name) for name in likely]))
    known = {name: pool for name, pool in zip(likely, shown) if pool is not None}
    if not known.keys() >= set(names):
        documents = client.list_pools()
        pools = _listed(documents)
        for name in names:
            if name not in known:
                known[name] = pools[_resolve(client, name, documents)]
    return {name: known[name] for name in names}


def _shown(client: Client, name: str) -> Facts | None:
    try:
        return pool_facts(client.show_pool(name))
    except ApiError as error:
        if error.error_code != POOL_NOT_FOUND:
            raise
        return None


def _listed(documents: Iterable[Facts]) -> dict[str, Facts]:
    """The pools of a list by their ID. One that it has twice, and differently, is not readable."""
    pools: dict[str, Facts] = {}
    for document in documents:
        facts = pool_facts(document)
        if facts["pool_name"] in pools:
            pools[facts["pool_name"]]["unreadable"].append("the pool, which is listed twice,")
        elif facts["pool_name"] is not None:
            pools[facts["pool_name"]] = facts
    return pools


def _named(name: str, documents: Sequence[Facts]) -> list[str]:
    """The IDs of the pools that have the ID or, if none has, the display name."""
    ids = dict.fromkeys(own for own in map(pool_id, documents) if own == name)
    return list(ids or dict.fromkeys(own for own in (pool_id(d) for d in documents if display_name(d) == name) if own))


def _several(name: str, ids: Sequence[str]) -> InputError:
    return InputError(f"{shown_name(name)} is the display name of {len(ids)} pools: give one of the IDs {listed(ids)}.")


def _resolve(client: Client, name: str, documents: Sequence[Facts]) -> str:
    named = _named(name, documents)
    if len(named) == 1:
        return check_pool_name(named[0])
    if named:
        raise _several(name, named)
    known = listed(sorted(str(display_name(d) or pool_id(d)) for d in documents))
    raise InputError(
        f"No pool has the ID or the display name {shown_name(name)}; the project has {known}. {_only_listed(client)}"
    )


def _only_listed(client: Client) -> str:
    """ListPools lists one workspace, while ShowPool answers for a pool of any."""
    return f"Only workspace {client.workspace} was listed: for a pool of another, give its ID or set workspace_id."


def _capacity_of(
    name: str,
    nodes: Attempted,
    metrics: Attempted,
    occupancy: Occupancy | None,
    now: float,
    started: float,
) -> Facts:
    """Nodes and metrics as facts, how old they are, and the errors of what could not be read.

    ``started`` is when the reading began, by time.monotonic(): that is the age of its oldest document.
    """
    listed = None if nodes[0] is None else one_entry_each([_node_with_jobs(node, occupancy) for node in nodes[0]])
    age = int(time.monotonic() - started)
    return {
        "nodes": listed,
        "capacity": None if listed is None else capacity_facts(listed),
        "metrics": metrics_of_pool(metrics[0] or (), name, now),
        "observed_at": iso_time(now - age),
        "age_seconds": age,
        "errors": [error for _answer, error in (nodes, metrics) if error is not None],
    }


def _node_with_jobs(document: Facts, occupancy: Occupancy | None) -> Facts:
    """A node as facts, with what jobs hold on it as ``held``; null when the jobs are not known, or its address."""
    if occupancy is None:
        return {**node_facts(document), "held": None}
    facts = node_facts(document, occupancy.jobs_by_host)
    facts["held"] = None if facts["private_ip"] is None else occupancy.held_on(facts["private_ip"])
    return facts


def _read_jobs(client: Client, name: str, query: WorkloadQuery) -> Pages:
    try:
        return query.read_pool(client, name)
    except ApiError as error:
        say_its_id(error, client, name)
        raise


def say_its_id(error: ApiError, client: Client, name: str) -> None:
    """Adds to the sentence of a 404 which pool has that display name, when that can be told."""
    if error.error_code != POOL_NOT_FOUND:
        return
    documents, unlisted = _attempt("pools", client.list_pools)
    ids = [] if unlisted else _named(name, documents)
    if len(ids) == 1:
        error.add(f"{name} is the display name of {shown_name(ids[0])}: give that ID.")
        return
    error.add("Give the ID of the pool, which is its metadata.name and not the name that the console shows.")
    if not unlisted and not _POOL_ID.fullmatch(name):
        error.add(_only_listed(client))


class NoPoolReadableError(ModelArtsError):
    """Nothing could be read of any pool: the first error of the first pool, and all of them in ``pools``."""

    def __init__(self, pools: list[Facts]) -> None:
        first = pools[0]["errors"][0]
        details = ("status", "error_code", "error_msg", "request_id")
        super().__init__(first["msg"], **{name: first.get(name) for name in details})
        self.pools = pools
        self._transient = bool(first.get("transient"))

    @property
    def transient(self) -> bool:
        return self._transient

    def as_result(self) -> Facts:
        return {**super().as_result(), "pools": self.pools}
