# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What jobs hold on the addresses that they name, where it is too much to be told apart."""

from __future__ import annotations

from ansible_collections.poolgate.modelarts.plugins.module_utils._read.held import HeldOnAddresses


def test_many_resources_on_many_nodes_are_not_told_apart() -> None:
    """Their product would take a gigabyte."""
    hosts = [f"10.0.{n >> 8}.{n & 255}" for n in range(5000)]
    held = HeldOnAddresses()
    for number in range(3):
        held.add(hosts, {f"vendor.example/{number}-{n}": 1000 for n in range(40)}, [], {})
    assert held.on(hosts[0]) == {"resources": {}, "unsplit": {}, "unread": ["*"]}
    assert held.elsewhere({})[0]["unread"] == ["*"]


def test_many_jobs_of_many_resources_on_one_node_are_not_told_apart() -> None:
    held = HeldOnAddresses()
    for number in range(100):
        held.add_alone("10.0.0.1", {f"vendor.example/{number}-{n}": 1000 for n in range(40)})
    assert held.on("10.0.0.1") == {"resources": {}, "unsplit": {}, "unread": ["*"]}
