# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes one JSON document to standard output, as those of ansible.posix do."""

from __future__ import annotations

DOCUMENTATION = r"""
name: json_of_tasks
type: stdout
short_description: The names of the tasks that passed, as JSON
version_added: 1.1.0
description:
  - The names of the tasks that passed, as JSON.
author:
  - The poolgate.modelarts contributors (@poolgate)
"""

import json
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Collects names, and writes them at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json_of_tasks"

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []

    def v2_runner_on_ok(self, result: t.Any) -> None:
        task = getattr(result, "task", None) or result._task
        self._names.append(task.get_name())

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._display.display(json.dumps({"tasks": self._names}))
