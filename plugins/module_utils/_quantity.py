# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities of the API and of people, as exact integers.

Inside, an amount is an int in the smallest unit of its resource: millicores for cpu, bytes for memory and other
storage, thousandths of a card (or of anything else that is counted) for the rest. What cannot be read raises
UnreadableQuantityError; it is never taken for 0.

This module util is private to the collection.
"""

from __future__ import annotations

import itertools
import re
import reprlib
import typing as t
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

Amounts = dict[str, int]

# Two digits of an exponent at most: Decimal would write out what more of them mean.
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2}))?")
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_FACTORS: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(factor) for suffix, factor in {**_BINARY, **_DECIMAL}.items()},
}
# By their beginnings, as Kubernetes names hugepages by their size: hugepages-2Mi.
_BYTE_RESOURCES = ("memory", "ephemeral-storage", "hugepages")
_MAX_LENGTH = 40  # twenty digits, a point, an exponent and a suffix; Decimal would read millions of digits
_MOST = 10**18  # an exabyte, and as many millicores as no data center has
_MOST_BY_FLOAT = 2**40  # up to here no two numbers of thousandths are the same float

_FEW_NAMES = 10  # of resources; with more of them, adding table by table takes less time

ON_EVERY_NODE = ("cpu", "memory")
"""The resources of which every node has some, and every job, whether they name them or not."""

_NO_CARDS = ("pods",)  # what Kubernetes itself counts on a node
# Two names of one card each: the reference writes 310 and 1980 for jobs, snt3 and snt9 for nodes.
_ONE_CARD = {
    "huawei.com/ascend-310": "huawei.com/ascend-snt3",
    "huawei.com/ascend-1980": "huawei.com/ascend-snt9",
}


class UnreadableQuantityError(ValueError):
    """A quantity that cannot be read. ``str()`` quotes it, with the resource that it was given for."""


def canonical_resource(resource: str) -> str:
    """Return the one name under which both spellings of an Ascend card meet."""
    return _ONE_CARD.get(resource, resource)


def canonical_amounts(amounts: Amounts, choose: t.Callable[[int, int], int] = max) -> Amounts:
    """Return the amounts of one job or node under canonical names.

    Of two spellings of one card, the chosen amount counts.
    """
    # The same table again: nodes and jobs that are alike share theirs.
    if amounts.keys().isdisjoint(_ONE_CARD):
        return amounts
    merged: Amounts = {}
    for resource, amount in amounts.items():
        name = canonical_resource(resource)
        merged[name] = choose(merged.get(name, amount), amount)
    return merged


def is_quantity_of_bytes(resource: str) -> bool:
    """Return whether the resource is measured in bytes (memory, storage) and not in cores or cards."""
    return resource.startswith(_BYTE_RESOURCES)


def is_card_resource(resource: str) -> bool:
    """Return whether the resource is an accelerator: neither cores nor bytes."""
    return resource != "cpu" and not is_quantity_of_bytes(resource)


def card_resources_like(resource: str, known: t.Mapping[str, int]) -> list[str]:
    """Return the known cards that a card of another name may be: those of its vendor, as a card has several names.

    A name without a vendor may be any card, like those that the API masks. Names are compared without case and blanks.
    A name of which there is nothing is not known, and nothing is returned for a card that is.
    """
    if known.get(resource) or not is_card_resource(resource) or resource in _NO_CARDS:
        return []
    vendor = _vendor_of_resource(resource)
    return [
        name
        for name, amount in known.items()
        if amount
        and is_card_resource(name)
        and name not in _NO_CARDS
        and _vendor_of_resource(name) in (vendor or _vendor_of_resource(name), "")
    ]


def card_resources_for(resource: str, on_node: t.Mapping[str, int]) -> list[str]:
    """Return the cards of a node, any of which a card that it does not name may be."""
    if not is_card_resource(resource) or resource in _NO_CARDS:
        return []
    return [name for name, amount in on_node.items() if amount and is_card_resource(name) and name not in _NO_CARDS]


def _vendor_of_resource(resource: str) -> str:
    return resource.partition("/")[0].strip().lower() if "/" in resource else ""


def parse_quantity(resource: str, value: object, *, down: bool = False) -> int:
    """Return an amount in the smallest unit of ``resource``, rounded up as Kubernetes does.

    ``down`` is for what there is: 7.9999 free cards are no room for eight, while 7.9999 that are held are eight.

    Reads every form of the API reference: ``"1 Cores"``, ``"6.52 GiB"``, ``"3920m"``, ``"6270Mi"``, ``5``, ``"64Gi"``,
    ``"1073m"``, ``"8"``, ``"32G"``. A decimal suffix is taken at its word ("8G" is 8,000,000,000 bytes), which
    the reference does not say. Raises UnreadableQuantityError, also above 10**18: no pool has as much.
    """
    # true is 1 in Python, and no amount.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST // 1000:
        # Whole numbers are most of what facts have, and need no text.
        return value if is_quantity_of_bytes(resource) else value * 1000
    if isinstance(value, float) and 0 < value <= _MOST_BY_FLOAT and not is_quantity_of_bytes(resource):
        # Thousandths, as amount_to_number() writes them, need no text either.
        thousandths = round(value * 1000)
        if thousandths / 1000 == value:
            return thousandths
    # Larger than any amount, and maybe larger than Python writes as text.
    too_large = isinstance(value, int) and abs(value) > _MOST
    if isinstance(value, bool) or too_large or not isinstance(value, (str, int, float)):
        raise UnreadableQuantityError(f"{resource} {_quoted_quantity(value)}")
    text = (value if isinstance(value, str) else repr(value)).strip()
    unit = "bytes" if is_quantity_of_bytes(resource) else "cpu" if resource == "cpu" else ""
    # The length is bounded first: matching and Decimal both take time with it.
    amount = (
        _parse_quantity_text(unit, text, ROUND_FLOOR if down else ROUND_CEILING) if len(text) <= _MAX_LENGTH else None
    )
    if amount is None:
        raise UnreadableQuantityError(f"{resource} {_quoted_quantity(value)}")
    return amount


# Thousands of jobs ask for a few dozen amounts. The bound is for documents that were made up, and so is the key: it has
# no name of a resource, which may be of any length and stay for as long as the process does.
@lru_cache(maxsize=65536)
def _parse_quantity_text(unit: str, text: str, rounding: str) -> int | None:
    match = _NUMBER.match(text)
    factor = None if match is None else _factor_of_quantity_suffix(unit, text[match.end() :].strip())
    if match is None or factor is None:
        return None
    # Decimal and not float: 0.1 cores are 100 millicores, and 7.9999 cards are not eight.
    exact = Decimal(match.group(0)) * factor * (1 if unit == "bytes" else 1000)
    return None if exact > _MOST else int(exact.to_integral_value(rounding=rounding))


def _factor_of_quantity_suffix(unit: str, suffix: str) -> Decimal | None:
    if suffix in _BINARY and unit != "bytes":
        return None  # neither cores nor cards are counted in KiB
    if suffix in _FACTORS:
        return _FACTORS[suffix]
    if unit == "bytes":
        return _FACTORS.get(suffix[:-1]) if suffix.endswith("B") else None
    if unit == "cpu" and suffix.lower() in ("core", "cores"):
        return _FACTORS[""]
    return None


def _quoted_quantity(value: object) -> str:
    try:
        text = reprlib.repr(value) if isinstance(value, (list, dict)) else repr(value)  # of millions, the first few
    except ValueError:
        return "a number with too many digits"
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 3] + "..."


def amount_to_number(resource: str, amount: int) -> int | float:
    """Return an amount as facts carry it: cores, bytes or cards; an int wherever it is whole."""
    if is_quantity_of_bytes(resource) or amount % 1000 == 0:
        return amount if is_quantity_of_bytes(resource) else amount // 1000
    return amount / 1000


def amount_from_number(resource: str, value: int | float) -> int:
    """Return the amount that amount_to_number() made ``value`` of, however large."""
    # Rounded, as a float may be just below its thousandth.
    return int(value) if is_quantity_of_bytes(resource) else round(value * 1000)


def amounts_from_numbers(facts: t.Mapping[str, int | float]) -> Amounts:
    """Return the amounts that amounts_to_numbers() made ``facts`` of."""
    return {resource: amount_from_number(resource, value) for resource, value in facts.items()}


def amounts_to_numbers(amounts: t.Mapping[str, int]) -> dict[str, int | float]:
    """Return amounts as facts carry them, see amount_to_number()."""
    return {resource: amount_to_number(resource, amount) for resource, amount in amounts.items()}


def format_amount(resource: str, amount: int) -> str:
    """Return an amount as a person reads it: ``24``, ``63.2``, ``400Gi``.

    Of bytes one decimal is shown, rounded down.
    """
    if not is_quantity_of_bytes(resource):
        return f"{Decimal(amount) / 1000:f}".rstrip("0").rstrip(".") if amount % 1000 else str(amount // 1000)
    sign, size = ("-", -amount) if amount < 0 else ("", amount)
    for suffix, factor in reversed(list(_BINARY.items())):
        if size >= factor:
            tenths = size * 10 // factor
            return (
                f"{sign}{tenths // 10}{suffix}" if tenths % 10 == 0 else f"{sign}{tenths // 10}.{tenths % 10}{suffix}"
            )
    return f"{sign}{size}"


def sum_of_amounts(tables: t.Sequence[t.Mapping[str, int]]) -> Amounts:
    """Return the sums over the tables, with the names in the order in which they come up."""
    names = dict.fromkeys(itertools.chain.from_iterable(tables))
    # Name by name takes half the time for the three or four that nodes have. Those made up may each have its own.
    if len(names) <= _FEW_NAMES:
        return {name: sum([table.get(name, 0) for table in tables]) for name in names}
    total: Amounts = {}
    for table in tables:
        add_amounts(total, table)
    return total


def add_amounts(total: Amounts, more: t.Mapping[str, int]) -> None:
    """Add the amounts to ``total``, in place."""
    for resource, amount in more.items():
        total[resource] = total.get(resource, 0) + amount
