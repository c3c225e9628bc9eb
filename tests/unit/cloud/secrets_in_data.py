# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and lookups on servers whose data hold secrets."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply

Facts = dict[str, t.Any]


def job(**fields: t.Any) -> Facts:
    return {
        "uid": "u-1",
        "jobName": "llm",
        "userName": "mara",
        "status": "Running",
        "type": "train",
        "resourceRequirement": {"cpu": "1 Cores", "memory": "6123456789"},
        **fields,
    }


def jobs(*listed: Facts) -> Reply:
    return Reply(body={"kind": "WorkloadList", "items": list(listed), "total": len(listed)})
