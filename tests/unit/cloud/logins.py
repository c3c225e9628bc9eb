# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to log in to the emulator that ask different servers first."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

LOGINS = ("auth_token", "password", "project")


def options_of(emulator: Emulator, login: str) -> dict[str, t.Any]:
    """Options of a connection; ``project`` asks IAM for its ID first."""
    mine = emulator.credentials
    common = {"endpoint": emulator.endpoint, "auth_url": emulator.iam_url, "timeout": 0.6, "max_retries": 0}
    if login == "auth_token":
        return {**common, "auth_token": mine.auth_token, "project_id": mine.project_id}
    if login == "project":
        return {**common, "auth_token": mine.auth_token, "project_name": mine.project_name}
    named = {"username": mine.username, "password": mine.password, "domain_name": mine.domain_name}
    return {**common, **named, "project_name": mine.project_name}
