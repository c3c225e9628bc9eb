# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be placed, by trying everything. Reads documents by itself and knows nothing of the collection's code.

A quantity that cannot be read is taken once for nothing and once for as much as there may be: what fits in the first
case surely fits, and what does not fit in the second surely does not.
"""

from __future__ import annotations

import typing as t
from fractions import Fraction

Amount = t.Union[Fraction, float]
Amounts = dict[str, Amount]
UNLIMITED = float("inf")

_SUFFIXES = {
    **{"m": Fraction(1, 1000), "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9},
    **{"GiB": 2**30, "MiB": 2**20, "Cores": 1, "": 1},
}
_SAME_CARD = {"huawei.com/ascend-310": "huawei.com/ascend-snt3", "huawei.com/ascend-1980": "huawei.com/ascend-snt9"}


class Bin(t.NamedTuple):
    """What is left of a node."""

    free: tuple[tuple[str, Amount], ...]
    flavor: str | None
    idle: bool


class Shape(t.NamedTuple):
    """One replica: amounts, or one whole node of a flavor."""

    amounts: tuple[tuple[str, Fraction], ...]
    flavor: str | None = None


def card(resource: str) -> str:
    return _SAME_CARD.get(resource, resource)


def quantity(value: t.Any) -> Fraction | None:
    """Cores, bytes or cards; None when it cannot be read."""
    text = str(value).strip()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    factor = _SUFFIXES.get(text[len(digits) :].strip())
    try:
        amount = None if factor is None else Fraction(digits) * factor
    except ValueError:
        return None
    return None if amount is None or amount < 0 else amount


def amounts(table: t.Mapping[str, t.Any] | None, unreadable: Amount) -> Amounts:
    """The quantities of a document, each card under one name; two spellings of one card are one card."""
    read: Amounts = {}
    for resource, value in (table or {}).items():
        amount = quantity(value)
        if amount is None:
            read.setdefault(card(resource), unreadable)
        else:
            other = [quantity(table[name]) for name in table or () if name != resource and card(name) == card(resource)]
            read[card(resource)] = min([amount, *(o for o in other if o is not None)])
    return read


def takes_work(node: dict[str, t.Any]) -> bool:
    """Whether a node of ListPoolNodes can take new work."""
    metadata = node["metadata"]
    return (
        node["status"]["phase"] == "Available"
        and not any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in node["spec"].get("taints") or ())
        and "os.modelarts.node/drain" not in (metadata.get("annotations") or {})
        and "os.modelarts.node/volcano.scheduler.cabinet-exclusive" not in (metadata.get("labels") or {})
        and (metadata.get("labels") or {}).get("os.modelarts.node/ha.redundant.enabled", "false") == "false"
        and (metadata.get("labels") or {}).get("os.modelarts/billing.status", "0") == "0"
        and (node["status"].get("driver") or {}).get("phase", "Running") == "Running"
    )


def held_by_host(jobs: t.Sequence[dict[str, t.Any]]) -> dict[str, Amounts]:
    """What jobs that hold resources show on each address; what cannot be read of it is unlimited.

    A job that does not tell its split over several addresses may hold all of it on any of them.
    """
    held: dict[str, Amounts] = {}
    for job in jobs:
        if job["status"] in ("Queue", "Pending", "Completed", "Terminated", "Failed"):
            continue
        shares = {share["hostIp"]: share["resourceRequirement"] for share in job.get("nodes") or ()}
        for address in filter(None, job.get("hostIps", "").split(",")):
            here = held.setdefault(address, {})
            for resource, amount in amounts(shares.get(address, job["resourceRequirement"]), UNLIMITED).items():
                here[resource] = here.get(resource, 0) + amount
    return held


def bins_now(
    nodes: t.Sequence[dict[str, t.Any]], jobs: t.Sequence[dict[str, t.Any]] = (), *, hopeful: bool
) -> list[Bin]:
    """What the nodes have free: no more than they show, and no more than the jobs leave that show their addresses."""
    held = held_by_host(jobs)
    bins = []
    for node in nodes:
        if not takes_work(node):
            continue
        status = node["status"]
        size = amounts(status["resources"], UNLIMITED)
        shown = amounts(status["availableResources"], UNLIMITED)
        taken = held.get(status["privateIp"], {})
        free: Amounts = {}
        for resource in {*size, *shown}:
            if status["resources"] is not None and resource not in size:
                continue
            most = size.get(resource, UNLIMITED)
            unknown = shown.get(resource, UNLIMITED) == UNLIMITED
            if most == UNLIMITED:  # of unknown size, but at least as large as what it shows
                most = UNLIMITED if hopeful else shown.get(resource, Fraction(0))
            left = max(Fraction(0), most - taken.get(resource, Fraction(0)))
            free[resource] = (left if hopeful else Fraction(0)) if unknown else min(shown[resource], left)
        # Of a node whose size is not told, what it shows as free may be a part of it.
        known = None not in (status["resources"], status["availableResources"])
        known = known and UNLIMITED not in (*size.values(), *shown.values())
        bins.append(_bin(free, node["spec"]["flavor"], status["privateIp"] not in held and (hopeful or known)))
    return bins


def bins_ever(nodes: t.Sequence[dict[str, t.Any]], counts: t.Mapping[str, int]) -> list[Bin]:
    """The nodes that the pool is meant to have, empty. A size that nobody knows is unlimited."""
    largest: dict[str, Amounts] = {}
    for node in nodes:
        shape = largest.setdefault(node["spec"]["flavor"], {})
        if gets_cards(node):
            continue
        for resource, amount in amounts(node["status"]["resources"], Fraction(0)).items():
            shape[resource] = max(amount, shape.get(resource, amount))
    bins = []
    listed: dict[str, int] = {}
    for node in nodes:
        flavor, status = node["spec"]["flavor"], node["status"]
        if status["phase"] == "Deleting":
            continue
        listed[flavor] = listed.get(flavor, 0) + 1
        own = amounts(status["resources"], UNLIMITED)
        peers = largest[flavor]
        if gets_cards(node):
            bins.append(_bin(peers or None, flavor, True))
            continue
        sized = {resource: peers.get(resource) or of if of == UNLIMITED else of for resource, of in own.items()}
        bins.append(_bin(sized if status["resources"] is not None else peers or None, flavor, True))
    for flavor, count in counts.items():
        missing = max(0, count - listed.get(flavor, 0))
        bins += [_bin(largest.get(flavor) or None, flavor, True)] * missing
    return bins


def gets_cards(node: dict[str, t.Any]) -> bool:
    """Whether a node shows no cards because it is not up yet: what it will have is not known."""
    status = node["status"]
    starts = status["phase"] == "Creating" or (status.get("driver") or {}).get("phase", "Running") != "Running"
    return starts and all(resource in ("cpu", "memory") for resource in status["resources"] or ())


def _bin(free: Amounts | None, flavor: str | None, idle: bool) -> Bin:
    return Bin((("*", UNLIMITED),) if free is None else tuple(sorted(free.items())), flavor, idle)


def shapes_of(request: t.Mapping[str, t.Any]) -> list[Shape]:
    """The replicas of a request, one by one, those of one group side by side."""
    shapes = []
    for group in request.get("groups") or [request]:
        asked = amounts(group.get("resources"), Fraction(0))
        shape = Shape(tuple(sorted((r, t.cast(Fraction, a)) for r, a in asked.items() if a)), group.get("flavor"))
        shapes += [shape] * int(group.get("replicas", 1))
    return shapes


def places(bins: t.Sequence[Bin], shapes: t.Sequence[Shape]) -> bool:
    """Whether all replicas find a place, all or none: every replica is tried on every node."""
    return _try(tuple(sorted(bins, key=_order)), tuple(shapes), set())


def _try(bins: tuple[Bin, ...], shapes: tuple[Shape, ...], failed: set[t.Any]) -> bool:
    if not shapes:
        return True
    state = (bins, len(shapes))
    if state in failed:
        return False
    for index, one in enumerate(bins):
        if index and bins[index - 1] == one:
            continue  # the same node again
        left = put(one, shapes[0])
        if left is not None and _try(
            tuple(sorted((*bins[:index], left, *bins[index + 1 :]), key=_order)), shapes[1:], failed
        ):
            return True
    failed.add(state)
    return False


def _order(one: Bin) -> tuple[t.Any, ...]:
    return one.free, one.flavor or "", one.idle


def put(one: Bin, shape: Shape) -> Bin | None:
    """What is left of the node with one replica more; None when it does not fit."""
    if shape.flavor is not None:
        return Bin((), None, False) if one.idle and one.flavor == shape.flavor else None
    free = dict(one.free)
    anything = free.get("*", 0)
    if any(amount > free.get(resource, anything) for resource, amount in shape.amounts):
        return None
    for resource, amount in shape.amounts:
        if resource in free:
            free[resource] -= amount
    return Bin(tuple(sorted(free.items())), one.flavor, False)
