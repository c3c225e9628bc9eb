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

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, plain
from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import (
    Amounts,
    UnreadableQuantityError,
    add,
    canonical,
    parse,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_GROUP_KEYS = ("replicas", "resources", "flavor")
_REQUEST_KEYS = (*_GROUP_KEYS, "groups", "type", "priority", "replaces")
_POLICY_KEYS = (
    "headroom",
    "queue_strategy",
    "queue_scope",
    "max_oldest_queued_seconds",
    "placement",
    "stable_seconds",
)
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_MAX_REPLICAS = 100_000
# No list of ours: the pool is asked. Only what can be a name is sent on into sentences.
_JOB_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True)
class Group:
    """Replicas of one shape: ``resources`` of each, or one whole node of ``flavor`` for each."""

    replicas: int
    resources: Amounts | None
    flavor: str | None


@dataclass(frozen=True)
class Replaces:
    """A job that the deployment ends first; ``replicas`` of it, or all of it when None."""

    job_uuid: str
    replicas: int | None


@dataclass(frozen=True)
class Request:
    """What is asked for. Amounts are in the smallest unit of their resource, under canonical names."""

    groups: tuple[Group, ...]
    type: str | None
    priority: int | None
    replaces: Replaces | None

    @property
    def replicas(self) -> int:
        return sum(group.replicas for group in self.groups)

    def resources(self) -> Amounts:
        """The sum over the groups that ask for resources."""
        total: Amounts = {}
        for group in self.groups:
            add(total, {resource: amount * group.replicas for resource, amount in (group.resources or {}).items()})
        return total


@dataclass(frozen=True)
class Policy:
    """How strictly to decide. ``headroom`` maps resources to an amount, or to a share of the usable capacity."""

    headroom: Mapping[str, int | Fraction] = field(default_factory=dict)
    headroom_of_all: Fraction | None = None
    queue_strategy: str = "auto"
    queue_scope: str = "pool"
    max_oldest_queued_seconds: int | None = None
    placement: str = "required"
    stable_seconds: int = 0

    def kept(self, resource: str, capacity: int) -> int:
        """How much of the resource has to stay free, of that capacity."""
        headroom = self.headroom.get(resource, self.headroom_of_all or 0)
        return -(-capacity * headroom.numerator // headroom.denominator) if isinstance(headroom, Fraction) else headroom


def read_request(request: object) -> Request:
    """The request of a user: see the role's README for its keys. Raises InputError naming what is wrong."""
    given = _mapping("request", request, _REQUEST_KEYS)
    if "groups" in given:
        mixed = [key for key in _GROUP_KEYS if key in given]
        if mixed:
            raise InputError(f"request has groups and {mixed[0]}: put {mixed[0]} into the groups.")
        listed = given["groups"]
        if not isinstance(listed, (list, tuple)) or not listed:
            raise InputError("request.groups must be a list of groups, each with replicas and resources or flavor.")
        groups = tuple(
            _read_group(f"request.groups[{index}]", _mapping(f"request.groups[{index}]", group, _GROUP_KEYS))
            for index, group in enumerate(listed)
        )
    else:
        groups = (_read_group("request", given),)
    job_type = given.get("type")
    if job_type is not None and not (isinstance(job_type, str) and _JOB_TYPE.fullmatch(job_type.strip())):
        raise InputError(f"request.type is {_shown(job_type)}, and must be the name of a job type, like train.")
    priority = given.get("priority")
    return Request(
        groups=groups,
        type=None if job_type is None else job_type.strip().lower(),
        priority=None if priority is None else _integer("request.priority", priority),
        replaces=_read_replaces(given.get("replaces")),
    )


def _read_group(where: str, given: Mapping[str, object]) -> Group:
    replicas = _integer(f"{where}.replicas", given.get("replicas", 1), least=1)
    if replicas > _MAX_REPLICAS:
        raise InputError(f"{where}.replicas is {replicas}, and must be at most {_MAX_REPLICAS}.")
    flavor, resources = given.get("flavor"), given.get("resources")
    if (flavor is None) == (resources is None):
        raise InputError(f"{where} must have either resources (of one replica) or flavor (one whole node a replica).")
    if flavor is not None:
        if not isinstance(flavor, str):
            raise InputError(f"{where}.flavor is {_shown(flavor)}, and must be the name of a flavor.")
        return Group(replicas, None, flavor)
    amounts = {
        resource: amount for resource, amount in _read_amounts(f"{where}.resources", resources).items() if amount
    }
    if not amounts:
        raise InputError(f"{where}.resources asks for nothing: name a resource, as in {{'nvidia.com/gpu': 8}}.")
    return Group(replicas, amounts, None)


def _read_replaces(given: object) -> Replaces | None:
    if given is None:
        return None
    replaces = _mapping("request.replaces", given, ("job_uuid", "replicas"))
    job_uuid = replaces.get("job_uuid")
    if not isinstance(job_uuid, str):
        raise InputError("request.replaces must have job_uuid, the job_uuid of the job that is ended first.")
    replicas = replaces.get("replicas")
    return Replaces(job_uuid, None if replicas is None else _integer("request.replaces.replicas", replicas, least=1))


def read_policy(policy: object) -> Policy:
    """The policy of a user: see the role's README for its keys. Raises InputError naming what is wrong."""
    given = _mapping("policy", {} if policy is None else policy, _POLICY_KEYS)
    headroom, headroom_of_all = _read_headroom(given.get("headroom"))
    oldest = given.get("max_oldest_queued_seconds")
    return Policy(
        headroom=headroom,
        headroom_of_all=headroom_of_all,
        queue_strategy=_choice(
            "policy.queue_strategy", given.get("queue_strategy", "auto"), ("auto", "fifo", "backfill")
        ),
        queue_scope=_choice("policy.queue_scope", given.get("queue_scope", "pool"), ("pool", "type")),
        max_oldest_queued_seconds=None
        if oldest is None
        else _integer("policy.max_oldest_queued_seconds", oldest, least=0),
        placement=_choice("policy.placement", given.get("placement", "required"), ("required", "aggregate")),
        stable_seconds=_integer("policy.stable_seconds", given.get("stable_seconds", 0), least=0),
    )


def read_declared_capacity(declared: object) -> Amounts | None:
    """A capacity that the caller vouches for, like ``{"nvidia.com/gpu": 64}``; None when there is none."""
    return _read_amounts("declared_capacity", declared, down=True) or None if declared else None


def read_seconds(name: str, value: object) -> float:
    """The seconds that the value stands for. Raises InputError when it is no length of time."""
    try:
        seconds = float(t.cast("str | float", value))
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if isinstance(value, bool) or not 0 <= seconds < 10**8:
        raise InputError(f"{name} is {_shown(value)}, and must be a number of seconds, 0 or more.")
    return seconds


def check_together(request: Request, policy: Policy, wait_timeout: float) -> None:
    """Raises InputError where request, policy and the seconds to wait cannot be meant together."""
    if policy.queue_scope == "type" and request.type is None:
        raise InputError("policy.queue_scope is type, and request.type is missing: say which type is asked for.")
    if policy.stable_seconds > wait_timeout:
        raise InputError(
            f"policy.stable_seconds is {policy.stable_seconds}, more than the wait of {wait_timeout:g} s: it could "
            "never be met. Wait longer, or ask for less."
        )


def _read_headroom(given: object) -> tuple[dict[str, int | Fraction], Fraction | None]:
    if given is None:
        return {}, None
    if isinstance(given, str):
        share = _percent("policy.headroom", given)
        if share is not None:
            return {}, share
    if not isinstance(given, dict):
        raise InputError(
            f"policy.headroom is {_shown(given)}, and must be a percentage like '10%', or map resources to quantities "
            "or percentages."
        )
    headroom: dict[str, int | Fraction] = {}
    for resource, value in given.items():
        share = _percent(f"policy.headroom[{plain(str(resource), 60)}]", value)
        name = canonical(str(resource))
        if name in headroom:
            twice = " and ".join(str(one) for one in given if canonical(str(one)) == name)
            raise InputError(f"policy.headroom names one card twice: {twice} are two spellings of it.")
        headroom[name] = _read_amounts("policy.headroom", {resource: value})[name] if share is None else share
    return headroom, None


def _percent(where: str, value: object) -> Fraction | None:
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    share = Fraction(match.group(1)) / 100
    if share > 1:
        raise InputError(f"{where} is {_shown(value)}, and must be 0% to 100%.")
    return share


def _read_amounts(where: str, given: object, *, down: bool = False) -> Amounts:
    if not isinstance(given, dict):
        raise InputError(f"{where} is {_shown(given)}, and must map resources to quantities, as in {{'cpu': '60'}}.")
    amounts: Amounts = {}
    for resource, value in given.items():
        name = canonical(str(resource))
        if not isinstance(resource, str) or not resource or plain(resource) != resource:
            raise InputError(f"{where} has {_shown(resource)}, which cannot be the name of a resource.")
        if name in amounts:
            twice = " and ".join(str(one) for one in given if canonical(str(one)) == name)
            raise InputError(f"{where} names one card twice: {twice} are two spellings of it.")
        try:
            amounts[name] = parse(name, value, down=down)
        except UnreadableQuantityError as error:
            raise InputError(f"{where} cannot be read: {error}. Write 8, '60', '500m', '400Gi'.") from None
    return amounts


def _mapping(where: str, given: object, known: Iterable[str]) -> dict[str, t.Any]:
    """The given keys that have a value. Raises InputError for a key that is not known, naming the nearest."""
    if not isinstance(given, dict):
        raise InputError(f"{where} is {_shown(given)}, and must be a dictionary with keys like {', '.join(known)}.")
    for key in given:
        if key not in known:
            near = get_close_matches(str(key), list(known), 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(known)}."
            raise InputError(f"{where} has no key {_shown(key)}: {hint}")
    return {key: value for key, value in given.items() if value is not None and value != ""}


def _integer(where: str, value: object, least: int | None = None) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        number = int(value)
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f" of {least} or more"
        raise InputError(f"{where} is {_shown(value)}, and must be a whole number{bound}.")
    return number


def _choice(where: str, value: object, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{where} is {_shown(value)}, and must be one of {', '.join(choices)}.")
    return value


def _shown(value: object) -> str:
    return plain(repr(value), 60)
