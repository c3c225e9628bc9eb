# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of an inventory whose names come from the API, and that pools take no group or host of other sources by these.

A pool has the connection local. In a group of hosts, what is meant for these would also run on the controller; a group
that is named like a host would stand before that host in a pattern: before localhost, too, which no inventory needs to
have.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible import constants

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible.inventory.data import InventoryData


class PoolGroups:
    """Stands in for an inventory: hosts and groups are added to it unless a group must not have pools.

    ``everywhere`` is the group of all pools. A group without hosts that another source has is only taken when its name
    has one of the ``prefixes``, which are the user's. ``warn`` is told once why a group is left out.
    """

    def __init__(
        self, inventory: InventoryData, everywhere: str, prefixes: Sequence[str], warn: Callable[[str], None]
    ) -> None:
        self._inventory = inventory
        self._everywhere = everywhere
        self._prefixes = tuple(prefixes)
        self._warn = warn
        self._taken: dict[str, bool] = {}

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._inventory, name)

    def add_group(self, group: str) -> str:
        """Add the group, and return its name."""
        if group not in self._taken:
            complaint = self._why_no_group(group)
            self._taken[group] = not complaint
            if complaint:
                self._warn(complaint)
        return str(self._inventory.add_group(group)) if self._taken[group] else group

    def add_host(self, host: str, group: str | None = None, port: int | str | None = None) -> str:
        """Add the host to the group."""
        if group is not None and not self._taken.get(group, True):
            return host
        return str(self._inventory.add_host(host, group, port))

    def add_child(self, group: str, child: str) -> bool:
        """Add the group or host to the group."""
        if not self._taken.get(group, True) or not self._taken.get(child, True):
            return False
        return bool(self._inventory.add_child(group, child))

    def _why_no_group(self, name: str) -> str:
        """Return why pools cannot be in a group of this name, or nothing."""
        if name in self._inventory.hosts or name in constants.LOCALHOST:
            return f"{name} is the name of a host."
        group = self._inventory.groups.get(name)
        if group is None:
            return ""
        # Groups of another source may be of pools as well, as of a second file of this plugin.
        hosts = group.get_hosts()
        if hosts and any(self._everywhere not in {one.name for one in host.groups} for host in hosts):
            return f"{name} is a group of hosts of another inventory source."
        if not hosts and not name.startswith(self._prefixes):
            return f"{name} is a group of another inventory source, and keyed_groups gives no prefix that it has."
        return ""
