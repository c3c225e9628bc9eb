# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities as the API writes them: cpu in millicores, memory in bytes, cards in thousandths.

Each document has a notation of its own, so there is one formatter for each. Reading is written anew here, on purpose:
it must not share code with the collection's own reading of quantities, which is tested against it.
"""

from __future__ import annotations

import re
from fractions import Fraction

Resources = dict[str, int]

# Far above any memory in bytes; with more, the arithmetic of the documents leaves what a float holds.
LARGEST_AMOUNT = 10**18

_UNITS = {
    "cpu": {"": 1000, "m": 1, "Core": 1000, "Cores": 1000},
    "memory": {
        "": 1,
        **{prefix + "i": 1024**power for power, prefix in enumerate("KMGTP", 1)},
        **{prefix + "iB": 1024**power for power, prefix in enumerate("KMGTP", 1)},
        **{prefix: 1000**power for power, prefix in enumerate("KMGTP", 1)},
    },
}
_CARD_UNITS = {"": 1000, "m": 1}


def parse_quantity(resource: str, value: object) -> int:
    """``("cpu", "3920m")`` -> 3920, ``("memory", "6270Mi")`` -> 6574571520, ``("nvidia.com/gpu", 8)`` -> 8000.

    ValueError when it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value))
    units = _UNITS.get(resource, _CARD_UNITS)
    if isinstance(value, bool) or not found or found[2] not in units:
        raise ValueError(f"{value!r} is not a quantity of {resource}")
    amount: Fraction = Fraction(found[1]) * units[found[2]]
    if amount > LARGEST_AMOUNT:
        raise ValueError(f"{value!r} of {resource} is more than a pool can have")
    return round(amount)


def node_quantity(resource: str, amount: int) -> str:
    """Return it as in ListPoolNodes: ``3920m``, ``6270Mi``, ``8``."""
    if resource == "cpu":
        return f"{amount}m"
    return _short(resource, amount)


def metric_quantity(resource: str, amount: int) -> int | str:
    """Return it as in ShowPoolRuntimeMetrics: ``5``, ``"15548Mi"``, ``"64Gi"``, ``"1073m"``."""
    if resource != "memory" and amount % 1000 == 0:
        return amount // 1000
    if resource == "memory" and amount and amount % 2**30 == 0:
        return f"{amount // 2**30}Gi"
    return _short(resource, amount)


def job_quantity(resource: str, amount: int) -> str:
    """Return it as in ListWorkloads: ``1 Cores``, ``6.52 GiB``, ``8``."""
    if resource == "cpu":
        return f"{_decimal(Fraction(amount, 1000), 3)} Cores"
    if resource == "memory":
        return f"{_decimal(Fraction(amount, 2**30), 2)} GiB"
    return _decimal(Fraction(amount, 1000), 3)


def _short(resource: str, amount: int) -> str:
    if resource == "memory":
        return f"{amount // 2**20}Mi" if amount % 2**20 == 0 else f"{amount // 2**10}Ki"
    return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"


def _decimal(value: Fraction, digits: int) -> str:
    return f"{float(value):.{digits}f}".rstrip("0").rstrip(".")
