# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of pools, and with the capacity what a decision needs: the one call of the module and of the lookup.

This module util is private to the collection. Source: ListWorkloads.
"""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client, check_pool_of_call
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import (
    WORKLOAD_OPTIONS,
    QueryOptions,
    WorkloadQuery,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import combine_summaries, summarize_jobs
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import trimmed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import WorkloadsAnswer
    from ansible_collections.poolgate.modelarts.plugins.module_utils._read.summary import PoolReading

READING_OPTIONS: Mapping[str, Mapping[str, object]] = {
    **CONNECTION_OPTIONS,
    **WORKLOAD_OPTIONS,
    "pool_name": {"type": "list", "elements": "str", "required": True},
    "placement_of": {"type": "list", "elements": "str", "default": []},
    "look_for": {"type": "list", "elements": "str", "default": []},
    "time_limit": {"type": "float"},
}
"""The options of modelarts_workload_info."""


class ReadingOptions(QueryOptions):
    """The options of modelarts_workload_info that tell what to read, validated."""

    pool_name: list[str]
    placement_of: list[str]
    look_for: list[str]


def read_as_asked(client: Client, params: ReadingOptions) -> WorkloadsAnswer:
    """Return what modelarts_workload_info returns for its options, which are validated. Raises ModelArtsError."""
    return read_workloads(
        client,
        params["pool_name"],
        WorkloadQuery.from_options(params),
        clock=client.now,
        placement_of=params["placement_of"],
        look_for=params["look_for"],
    )


def read_workloads(
    client: Client,
    pool_names: Sequence[str],
    query: WorkloadQuery,
    *,
    clock: Callable[[], float],
    placement_of: Iterable[str] = (),
    look_for: Sequence[str] = (),
) -> WorkloadsAnswer:
    """Return jobs of pools: ``{workloads, total, complete, summary, pools, warnings}``. Raises the first error.

    With the query's ``include_capacity``, display names are taken, too, and each entry of ``pools``, in the order of
    ``pool_names`` and under its ID, also has what a decision and its report need:
    ``pool`` (see pool_facts), ``nodes``, ``capacity``, ``metrics``, what Occupancy.as_facts() gives, ``observed_at``,
    ``found`` where there are names to ``look_for``, and ``errors``:
    ``[{document, msg, status, error_code, error_msg, request_id}]``. A document that could not be read
    is null; NoPoolReadableError is raised when nothing of any pool could be read.

    ``clock`` gives seconds since the epoch.
    """
    # Each pool once, in the order given: a repeated name would count its jobs twice.
    names = list(dict.fromkeys(map(trimmed, pool_names)))
    if not names:
        raise InputError("pool_name names no pool: give the ID of at least one.")
    if query.include_capacity:
        # Here and below, as a list of jobs alone needs neither nodes nor pools, and starts sooner without them.
        from ansible_collections.poolgate.modelarts.plugins.module_utils._read.capacity import read_capacity

        return combine_summaries(read_capacity(client, names, query, clock, placement_of, look_for), query.fields)
    for name in names:
        # Before anything is sent, as a name becomes a part of the path.
        check_pool_of_call(name)

    def read(name: str) -> PoolReading:
        try:
            return summarize_jobs(name, query.read(client, name), clock())
        except ApiError as error:
            from ansible_collections.poolgate.modelarts.plugins.module_utils._read.pool_names import (
                error_with_id_of_pool_name,
            )

            raise error_with_id_of_pool_name(error, client, name) from None

    return combine_summaries(list(client.in_parallel([partial(read, name) for name in names])), query.fields)
