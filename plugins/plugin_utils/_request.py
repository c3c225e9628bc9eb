# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment asks of a pool, and how strictly: request and policy, read and checked.

This plugin util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add_amounts,
    canonical_resource,
    is_quantity_of_bytes,
    parse_quantity,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.card_texts import MOST_CARDS
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import (
    is_blank,
    odd_character,
    shown,
    trimmed,
    written,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.cards import NO_CARD_GROUPS, CardGroups
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.strategies import STRATEGIES, has_ladder

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_GROUP_KEYS = ("replicas", "resources", "flavor")
_REQUEST_KEYS = (*_GROUP_KEYS, "groups", "type", "priority", "replaces", "affinity_group_size")
_POLICY_KEYS = (
    "headroom",
    "queue_strategy",
    "ladder_seconds",
    "queue_scope",
    "max_oldest_queued_seconds",
    "placement",
    "card_groups",
    "stable_seconds",
)
# A Fraction is made of it, so that a share of an exact amount stays exact.
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_LARGEST_INTEGER = 10**9 - 1  # as a number and as text alike
# More than any pool has cards.
_MAX_REPLICAS = 100_000
# No list of ours: the pool is asked. Only what can be a name is sent on into sentences.
_JOB_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}")

# Cores and cards are counted. What a size of memory ends with is a slip of the line, and no number of them.
_SIZE = re.compile(r"[0-9.]+\s*(?:[KMGTPE]i|[MGTPE])B?")

# Fewer bytes than any replica takes: the unit was left out, or is m, which is a thousandth of a byte.
_FEW_BYTES = 2**20

# Python's own bound for what is near is 0.6. Words of one vendor share more than half of their letters as it is.
_NEAR = 0.7


@dataclass(frozen=True)
class Group:
    """Replicas of one shape: ``resources`` of each, or one whole node of ``flavor`` for each.

    In a claim, so many of them as ``affinity_group_size`` are in one supernode; a request has that for all its groups.
    """

    replicas: int
    resources: Amounts | None
    flavor: str | None
    affinity_group_size: int = 1


@dataclass(frozen=True)
class Replaces:
    """A job that the deployment ends first; ``replicas`` of it, or all of it when None."""

    job_uuid: str
    replicas: int | None


@dataclass(frozen=True)
class Request:
    """What is asked for. Amounts are in the smallest unit of their resource, under canonical names.

    Of ``affinity_group_size`` replicas each, all must be in one supernode.
    """

    groups: tuple[Group, ...]
    type: str | None
    priority: int | None
    replaces: Replaces | None
    affinity_group_size: int = 1

    @property
    def replicas(self) -> int:
        return sum(group.replicas for group in self.groups)

    @property
    def asks_whole_nodes(self) -> bool:
        return any(group.flavor is not None for group in self.groups)

    def resources(self) -> Amounts:
        """Return the sum over the groups that ask for resources."""
        total: Amounts = {}
        for group in self.groups:
            add_amounts(
                total, {resource: amount * group.replicas for resource, amount in (group.resources or {}).items()}
            )
        return total


@dataclass(frozen=True)
class Policy:
    """How strictly to decide. ``headroom`` maps resources to an amount, or to a share of the usable capacity.

    ``card_groups`` says how many cards of a node lie together, by flavor.
    """

    headroom: Mapping[str, int | Fraction] = field(default_factory=dict)
    headroom_of_all: Fraction | None = None
    queue_strategy: str = "auto"
    ladder_seconds: int | None = None
    queue_scope: str = "pool"
    max_oldest_queued_seconds: int | None = None
    placement: str = "required"
    card_groups: CardGroups = NO_CARD_GROUPS
    stable_seconds: int = 0

    def kept(self, resource: str, capacity: int) -> int:
        """Return how much of the resource has to stay free, of that capacity.

        A share of cards is rounded up to whole cards, as no part of one can be kept for a job. It is never more than
        the capacity, which may itself be a part of a card.
        """
        headroom = self.headroom.get(resource, self.headroom_of_all or 0)
        if not isinstance(headroom, Fraction):
            return headroom
        unit = 1 if resource == "cpu" or is_quantity_of_bytes(resource) else 1000
        return min(capacity, -(-capacity * headroom.numerator // (headroom.denominator * unit)) * unit)


def read_request(request: object) -> Request:
    """Return the request of a user: see the role's README for its keys. Raises InputError naming what is wrong."""
    given = _read_mapping_of_request("request", request, _REQUEST_KEYS)
    if "groups" in given:
        mixed = [key for key in _GROUP_KEYS if key in given]
        if mixed:
            raise InputError(f"request has groups and {mixed[0]}: put {mixed[0]} into the groups.")
        listed = given["groups"]
        if not isinstance(listed, (list, tuple)) or not listed:
            raise InputError("request.groups must be a list of groups, each with replicas and resources or flavor.")
        groups = tuple(
            _read_group_of_request(
                f"request.groups[{index}]", _read_mapping_of_request(f"request.groups[{index}]", group, _GROUP_KEYS)
            )
            for index, group in enumerate(listed)
        )
    else:
        groups = (_read_group_of_request("request", given),)
    job_type = given.get("type")
    if job_type is not None and not (isinstance(job_type, str) and _JOB_TYPE.fullmatch(job_type.strip())):
        raise InputError(f"request.type is {shown(job_type)}, but must be the name of a job type, like train.")
    priority = given.get("priority")
    return Request(
        groups=groups,
        # Pools write types in upper case, and both are compared in lower case.
        type=None if job_type is None else job_type.strip().lower(),
        priority=None if priority is None else _read_integer_of_request("request.priority", priority),
        replaces=_read_replaces_of_request(given.get("replaces")),
        affinity_group_size=_read_integer_of_request(
            "request.affinity_group_size", given.get("affinity_group_size", 1), least=1
        ),
    )


def _read_group_of_request(where: str, given: Mapping[str, object]) -> Group:
    replicas = _read_integer_of_request(f"{where}.replicas", given.get("replicas", 1), least=1)
    if replicas > _MAX_REPLICAS:
        raise InputError(f"{where}.replicas is {replicas}, but must be at most {_MAX_REPLICAS}.")
    flavor, resources = given.get("flavor"), given.get("resources")
    if (flavor is None) == (resources is None):
        raise InputError(f"{where} must have either resources (of one replica) or flavor (one whole node per replica).")
    if flavor is not None:
        if not isinstance(flavor, str):
            raise InputError(f"{where}.flavor is {shown(flavor)}, but must be the name of a flavor.")
        return Group(replicas, None, flavor)
    amounts = {
        resource: amount
        for resource, amount in _read_amounts_of_request(f"{where}.resources", resources).items()
        if amount
    }
    if not amounts:
        raise InputError(f"{where}.resources asks for nothing: name a resource, as in {{'nvidia.com/gpu': 8}}.")
    return Group(replicas, amounts, None)


def _read_replaces_of_request(given: object) -> Replaces | None:
    if given is None:
        return None
    replaces = _read_mapping_of_request("request.replaces", given, ("job_uuid", "replicas"))
    job_uuid = replaces.get("job_uuid")
    # An empty one would be that of each job that tells none.
    if not isinstance(job_uuid, str) or not job_uuid.strip():
        raise InputError("request.replaces must have job_uuid, the job_uuid of the job that is ended first.")
    replicas = replaces.get("replicas")
    return Replaces(
        job_uuid, None if replicas is None else _read_integer_of_request("request.replaces.replicas", replicas, least=1)
    )


def read_policy(policy: object) -> Policy:
    """Return the policy of a user: see the role's README for its keys. Raises InputError naming what is wrong."""
    given = _read_mapping_of_request("policy", {} if policy is None else policy, _POLICY_KEYS)
    headroom, headroom_of_all = _read_headroom_of_policy(given.get("headroom"))
    oldest, ladder = given.get("max_oldest_queued_seconds"), given.get("ladder_seconds")
    return Policy(
        headroom=headroom,
        headroom_of_all=headroom_of_all,
        queue_strategy=_read_choice_of_request(
            "policy.queue_strategy", given.get("queue_strategy", "auto"), ("auto", *STRATEGIES)
        ),
        ladder_seconds=None if ladder is None else _read_integer_of_request("policy.ladder_seconds", ladder, least=0),
        queue_scope=_read_choice_of_request("policy.queue_scope", given.get("queue_scope", "pool"), ("pool", "type")),
        max_oldest_queued_seconds=None
        if oldest is None
        else _read_integer_of_request("policy.max_oldest_queued_seconds", oldest, least=0),
        placement=_read_choice_of_request(
            "policy.placement", given.get("placement", "required"), ("required", "aggregate")
        ),
        card_groups=_read_card_groups_of_policy(given.get("card_groups")),
        stable_seconds=_read_integer_of_request("policy.stable_seconds", given.get("stable_seconds", 0), least=0),
    )


def _read_card_groups_of_policy(given: object) -> CardGroups:
    if given is None:
        return NO_CARD_GROUPS
    if not isinstance(given, dict):
        raise InputError(
            f"policy.card_groups is {shown(given)}, but must map flavors to the number of cards that lie together, as "
            "in {'my.flavor.8': 4}."
        )
    groups: dict[str, int] = {}
    for flavor, size in given.items():
        name = trimmed(flavor) if isinstance(flavor, str) else ""
        if not name:
            raise InputError(f"policy.card_groups has {shown(flavor)}, but must have names of flavors.")
        where = f"policy.card_groups[{shown(name)}]"
        groups[name] = _read_integer_of_request(where, size, least=1)
        if groups[name] > MOST_CARDS:
            raise InputError(f"{where} is {groups[name]}, and no node has more than {MOST_CARDS} cards.")
    return CardGroups(tuple(sorted(groups.items())))


def read_declared_capacity(declared: object) -> Amounts | None:
    """Return a capacity that the caller vouches for, like ``{"nvidia.com/gpu": 64}``; None when there is none."""
    if declared is None or (isinstance(declared, str) and not trimmed(declared)):
        return None
    # Rounded down, as all that is there: a part of a card is no room.
    return _read_amounts_of_request("declared_capacity", declared, down=True) or None


def read_seconds(name: str, value: object, default: float = 0.0, show: Callable[[object], str] = shown) -> float:
    """Return the seconds that the value stands for. Raises InputError, which shows it, when it is no length of time."""
    if is_blank(value):
        return default
    try:
        seconds = float(trimmed(value) if isinstance(value, str) else t.cast(float, value))
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    # Three years, which a clock can still add to now; NaN fails both comparisons.
    if isinstance(value, bool) or not 0 <= seconds < 10**8:
        raise InputError(f"{name} is {show(value)}, but must be a number of seconds, 0 or more.")
    return seconds


def check_request_with_policy(request: Request, policy: Policy, wait_timeout: float) -> None:
    """Raise InputError where request, policy and the seconds to wait cannot be meant together."""
    if policy.queue_scope == "type" and request.type is None:
        raise InputError("policy.queue_scope is type, but request.type is missing: give the type of the job.")
    if policy.ladder_seconds is not None and not (policy.queue_strategy == "auto" or has_ladder(policy.queue_strategy)):
        raise InputError(
            f"policy.ladder_seconds is {policy.ladder_seconds}, and policy.queue_strategy is {policy.queue_strategy}, "
            "which has no ladder: leave one of them out."
        )
    if policy.stable_seconds > wait_timeout:
        raise InputError(
            f"policy.stable_seconds is {policy.stable_seconds}, more than the wait of {wait_timeout:g} s: it could "
            "never be met. Wait longer, or ask for less."
        )


def check_names_in_policy(requests: Sequence[Request], policy: Policy, declared: Amounts | None) -> None:
    """Raise InputError for a resource that policy or declared capacity names, and that none of the requests can mean.

    A headroom that no request asks for would keep nothing free. A declared capacity may name more than is asked for,
    so there only a name is refused that stands in for one that is missing. The node of a whole-node request may have
    any resource.
    """
    if any(group.flavor is not None for request in requests for group in request.groups):
        return
    asked = sorted({resource for request in requests for resource in request.resources()})
    for resource in policy.headroom:
        if resource not in asked:
            near = requested_resource_but_vendor(resource, asked) or requested_resource_written_alike(resource, asked)
            hint = f"did you mean {near}?" if near else f"it asks for {', '.join(asked)}."
            raise InputError(f"policy.headroom names {shown(resource)}, which the request does not ask for: {hint}")
    missing = [resource for resource in asked if resource not in (declared or {})]
    for resource in declared or {}:
        near = requested_resource_but_vendor(resource, missing) or requested_resource_written_alike(resource, missing)
        if near and resource not in asked:
            raise InputError(
                f"declared_capacity names {shown(resource)}, which the request does not ask for: did you mean {near}?"
            )


def requested_resource_but_vendor(resource: str, known: Iterable[str]) -> str | None:
    """Return the one of the resources that has the same name, but for its vendor and for capital letters."""
    wanted = _requested_resource_without_vendor(resource)
    return next((name for name in known if _requested_resource_without_vendor(name) == wanted), None)


def requested_resource_written_alike(resource: str, known: Iterable[str]) -> str | None:
    """Return the one of the resources that is written most like it; None when none is near."""
    names = {name.lower(): name for name in known}
    near = get_close_matches(resource.lower(), list(names), 1, _NEAR)
    return names[near[0]] if near else None


def _requested_resource_without_vendor(resource: str) -> str:
    name = resource.lower().rpartition("/")[2]
    # Through the canonical name, as one card has two spellings behind its vendor.
    return canonical_resource(f"huawei.com/{name}").rpartition("/")[2]


def remarks_on_request(request: Request, policy: Policy, declared: Amounts | None) -> list[str]:
    """Return a sentence for each amount that can be read, and was hardly meant."""
    headroom = {resource: amount for resource, amount in policy.headroom.items() if isinstance(amount, int)}
    named = [("request.resources", group.resources or {}) for group in request.groups]
    named += [("policy.headroom", headroom), ("declared_capacity", declared or {})]
    return list(
        dict.fromkeys(
            f"{where} has {resource} {amount}, which is {amount} bytes: did you mean {amount}Gi?"
            for where, amounts in named
            for resource, amount in amounts.items()
            if is_quantity_of_bytes(resource) and 0 < amount < _FEW_BYTES
        )
    )


def _read_headroom_of_policy(given: object) -> tuple[dict[str, int | Fraction], Fraction | None]:
    if given is None:
        return {}, None
    if isinstance(given, str):
        share = _read_percent_of_policy("policy.headroom", given)
        if share is not None:
            return {}, share
    if not isinstance(given, dict):
        raise InputError(
            f"policy.headroom is {shown(given)}, but must be a percentage like '10%', or map resources to quantities "
            "or percentages."
        )
    headroom: dict[str, int | Fraction] = {}
    for resource, value in given.items():
        share = _read_percent_of_policy(f"policy.headroom[{shown(resource)}]", value)
        name = _read_requested_resource("policy.headroom", resource, given)
        headroom[name] = (
            _read_amounts_of_request("policy.headroom", {resource: value})[name] if share is None else share
        )
    return headroom, None


def _read_percent_of_policy(where: str, value: object) -> Fraction | None:
    match = _PERCENT.fullmatch(trimmed(value)) if isinstance(value, str) else None
    if match is None:
        return None
    share = Fraction(match.group(1)) / 100
    # More than all of it could never be kept, so every request would be refused.
    if share > 1:
        raise InputError(f"{where} is {shown(value)}, but must be 0% to 100%.")
    return share


def _read_amounts_of_request(where: str, given: object, *, down: bool = False) -> Amounts:
    if not isinstance(given, dict):
        raise InputError(f"{where} is {shown(given)}, but must map resources to quantities, as in {{'cpu': '60'}}.")
    amounts: Amounts = {}
    for resource, value in given.items():
        name = _read_requested_resource(where, resource, given)
        if isinstance(value, str) and not is_quantity_of_bytes(name) and _SIZE.fullmatch(trimmed(value)):
            raise InputError(f"{where} has {name} {shown(value)}, which is a size: write a number, like 8.")
        try:
            amounts[name] = parse_quantity(name, trimmed(value) if isinstance(value, str) else value, down=down)
        except UnreadableQuantityError as error:
            raise InputError(f"{where} cannot be read: {error}. Write 8, '60', '500m', '400Gi'.") from None
    return amounts


def _read_requested_resource(where: str, resource: object, given: Iterable[object]) -> str:
    """Return the canonical name of a given resource. Raises InputError for what is none, and for one given twice."""
    written = trimmed(resource) if isinstance(resource, str) else ""
    odd = odd_character(written)
    if not written or odd:
        why = f": it contains {odd}." if odd else "."
        raise InputError(f"{where} has {shown(resource)}, which cannot be the name of a resource{why}")
    for known in ("cpu", "memory"):
        if written != known and written.lower() == known:
            raise InputError(f"{where} has {shown(written)}, which is not a resource: did you mean {known}?")
    name = canonical_resource(written)
    same = [str(one) for one in given if isinstance(one, str) and canonical_resource(trimmed(one)) == name]
    if len(same) > 1:
        raise InputError(f"{where} names one card twice: {' and '.join(same)} are two spellings of it.")
    return name


def _read_mapping_of_request(where: str, given: object, known: Iterable[str]) -> dict[str, object]:
    """Return the given keys that have a value. Raises InputError for a key that is not known, naming the nearest."""
    if not isinstance(given, dict):
        raise InputError(f"{where} is {shown(given)}, but must be a dictionary with keys like {', '.join(known)}.")
    for key in given:
        if key not in known:
            near = get_close_matches(written(key) or "", list(known), 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(known)}."
            raise InputError(f"{where} has no key {shown(key)}: {hint}")
    # Surveys and copies from pages bring blanks along, which no value needs.
    values = {key: trimmed(value) if isinstance(value, str) else value for key, value in given.items()}
    return {key: value for key, value in values.items() if value is not None and value != ""}


def _read_integer_of_request(where: str, value: object, least: int | None = None) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_INTEGER:
        number = value
    elif isinstance(value, str) and _INTEGER.fullmatch(trimmed(value)):
        number = int(trimmed(value))
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f" of {least} or more"
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            bound += " with at most nine digits"
        raise InputError(f"{where} is {shown(value)}, but must be a whole number{bound}.")
    return number


def _read_choice_of_request(where: str, value: object, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{where} is {shown(value)}, but must be one of {', '.join(choices)}.")
    return value
