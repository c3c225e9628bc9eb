# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a region: one table for ModelArts and IAM.

This module util is private to the collection. Sources: the pages "Regions and Endpoints" of Open Telekom Cloud and of
Huawei Cloud. That ModelArts runs in eu-nl, in eu-ch2 and in the regions below myhuaweicloud.eu is not confirmed: there,
its host has the form of the region's other services, and was not tried.
"""

from __future__ import annotations

import re
import typing as t


class _HostsOfRegions(t.NamedTuple):
    regions: str
    modelarts: str
    iam: str


_TABLE = (
    _HostsOfRegions("eu-de|eu-nl", "modelarts.{}.otc.t-systems.com", "iam.{}.otc.t-systems.com"),
    # The Swiss cloud has a domain of its own, and its public IAM has another name.
    _HostsOfRegions("eu-ch2", "modelarts.{}.sc.otc.t-systems.com", "iam-pub.{}.sc.otc.t-systems.com"),
    # Dublin is eu-west-101. The older eu-west-0 is below .com, with all the others.
    _HostsOfRegions("eu-west-1[0-9]{2}", "modelarts.{}.myhuaweicloud.eu", "iam.{}.myhuaweicloud.eu"),
    _HostsOfRegions(".*", "modelarts.{}.myhuaweicloud.com", "iam.{}.myhuaweicloud.com"),
)


def modelarts_url(region: str) -> str:
    return f"https://{_hosts_of_region(region).modelarts.format(region)}"


def iam_url(region: str) -> str:
    return f"https://{_hosts_of_region(region).iam.format(region)}"


def _hosts_of_region(region: str) -> _HostsOfRegions:
    # The last row takes every region, so there always is one.
    return next(hosts for hosts in _TABLE if re.fullmatch(hosts.regions, region))
