# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups with names of the API beside those of other sources."""

from __future__ import annotations

from ansible.inventory.data import InventoryData
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._pool_groups import PoolGroups


def test_a_group_is_judged_once_and_what_it_is_not_given_stays_out() -> None:
    inventory = InventoryData()
    inventory.add_host("web01", group=inventory.add_group("web"))
    inventory.add_group("pools")
    inventory.add_host("pool-a", group="pools")
    said: list[str] = []
    groups = PoolGroups(inventory, "pools", ["own_"], said.append)
    for name in ("web", "web", "own_new", "own_new"):
        groups.add_host("pool-a", group=groups.add_group(name))
        groups.add_child(groups.add_group("parent"), name)
    assert {group.name for group in inventory.hosts["pool-a"].groups} - {"all"} == {"pools", "own_new", "parent"}
    assert [host.name for host in inventory.groups["web"].get_hosts()] == ["web01"]
    assert said == ["web is a group of hosts of another inventory source."]
    assert groups.get_host("pool-a") is inventory.hosts["pool-a"]


def test_no_group_takes_the_place_of_the_controller() -> None:
    """Without such a host in any inventory, a pattern that names it would match the pools of the group."""
    inventory = InventoryData()
    inventory.add_group("pools")
    inventory.add_host("pool-a", group="pools")
    said: list[str] = []
    groups = PoolGroups(inventory, "pools", [""], said.append)
    groups.add_host("pool-a", group=groups.add_group("localhost"))
    assert "localhost" not in inventory.groups
    assert said == ["localhost is the name of a host."]
