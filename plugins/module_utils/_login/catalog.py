# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service catalog of a login.

This module util is private to the collection. Source: Keystone v3, POST /v3/auth/tokens.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import check_url
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import without_iam_version
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import where_to_set

if t.TYPE_CHECKING:
    from collections.abc import Iterable


class _Endpoint(t.TypedDict, total=False):
    """An endpoint of a service, as Keystone documents it; "region" is its older name."""

    interface: str
    region_id: str | None
    region: str | None
    url: str


class Service(t.TypedDict, total=False):
    """An entry of the catalog."""

    type: str
    endpoints: list[_Endpoint]


def catalog_endpoint(
    catalog: Iterable[Service] | None, region: str | None, project: str | None, where: str
) -> str | None:
    """Return the public endpoint of the service type ``modelarts``; in an entry for all regions, ``region`` is "*"."""
    try:
        # Only the public interface: others may be addresses within the cloud.
        public = [
            (endpoint.get("region_id") or endpoint.get("region"), without_iam_version(endpoint["url"], project))
            for service in catalog or ()
            if service.get("type") == "modelarts"
            for endpoint in service["endpoints"]
            if endpoint.get("interface") == "public"
        ]
    # A catalog comes from a server, and any part of it may be of another type than Keystone documents.
    except (AttributeError, KeyError, TypeError):
        raise ApiError(
            f"IAM returned a service catalog that cannot be read: set endpoint, {where_to_set(where, 'endpoint')}."
        ) from None
    # One service may stand there for several regions. Of these, the wrong one would answer for the wrong pools.
    urls = {url for place, url in public if place == region or region is None}
    urls = urls or {url for place, url in public if place in (None, "", "*")}
    if len(urls) > 1:
        raise InputError(
            f"The service catalog lists {len(urls)} endpoints of ModelArts: set region or endpoint, "
            f"{where_to_set(where, 'region', 'endpoint')}."
        )
    return check_url(urls.pop(), "The service catalog has an endpoint of ModelArts that") if urls else None
