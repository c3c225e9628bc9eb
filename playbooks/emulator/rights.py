# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller may do: rights by IAM action, an account that is suspended, and refusals that a scenario asks for."""

from __future__ import annotations

import typing as t

from .iam import RefusedError, api_error
from .scenario import ScenarioError, checked, flag, listed, text, whole

GET = "modelarts:pool:get"
LIST = "modelarts:pool:list"
EVERYTHING = "*"
_NO_PERMISSION = "The user has no permission for this operation."


def refusal_of(given: object, where: str) -> RefusedError:
    """Return a refusal of the scenario: a status, or ``status``, ``error_code`` and ``error_msg``."""
    refusal = checked({"status": given} if isinstance(given, int) else given, _REFUSAL_KEYS, where)
    status = whole(refusal.get("status"), f"{where}.status", least=400, most=599)
    code = text(refusal.get("error_code", "ModelArts.0108"), f"{where}.error_code")
    return api_error(status, code, text(refusal.get("error_msg", _NO_PERMISSION), f"{where}.error_msg"))


_REFUSAL_KEYS = ("status", "error_code", "error_msg")


class Rights:
    """The rights of a scenario, ``{"modelarts:pool:get": ["train"]}``; without them everything is allowed.

    An action that is not named is not allowed. Rights to get are for the pools that are named by ID or name, or for
    all (``"*"``); rights to list are for all pools or none.
    """

    def __init__(self, scenario: t.Mapping[str, t.Any], pools: t.Mapping[str, str]) -> None:
        """Read the rights; ``pools`` are the names of the scenario's pools, by their IDs."""
        self._suspended = flag(scenario.get("suspended", False), "suspended")
        self._gets: frozenset[str] | None = None
        self._lists = True
        if "rights" not in scenario:
            return
        given = checked(scenario["rights"], (GET, LIST), "rights")
        self._lists = given.get(LIST, []) == EVERYTHING
        if not self._lists and given.get(LIST, []) != []:
            raise ScenarioError(f'rights.{LIST}: give "*", or leave it out: it is a right to all pools')
        if given.get(GET) != EVERYTHING:
            self._gets = frozenset(self._pool_id(name, pools) for name in listed(given.get(GET, []), f"rights.{GET}"))

    @staticmethod
    def _pool_id(name: object, pools: t.Mapping[str, str]) -> str:
        wanted = text(name, f"rights.{GET}")
        found = [pool_id for pool_id, pool_name in pools.items() if wanted in (pool_id, pool_name)]
        if len(found) != 1:
            raise ScenarioError(f"rights.{GET}: {wanted!r} names {len(found)} pools, not one")
        return found[0]

    def check_account(self) -> None:
        if self._suspended:
            raise api_error(403, "ModelArts.5017", "The account is suspended.")

    def check_get(self, pool_id: str) -> None:
        if self._gets is not None and pool_id not in self._gets:
            raise api_error(403, "ModelArts.0108", _NO_PERMISSION)

    def check_list(self) -> None:
        if not self._lists:
            raise api_error(403, "ModelArts.0108", _NO_PERMISSION)
