# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Property tests say the same on every run, and do not fail because the machine is busy. And a server with a script."""

from __future__ import annotations

import gc
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.utils.collection_loader import AnsibleCollectionConfig
from hypothesis import HealthCheck, settings

# ansible-test installs a loader of collections, and pytest by itself has none: plugins are then found by no name.
if AnsibleCollectionConfig.collection_finder is None:
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()

from ansible_collections.poolgate.modelarts.plugins.module_utils import _secrets
from ansible_collections.poolgate.modelarts.tests.unit.effort import EXAMPLES, tries
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Answer, ScriptedServer

# Each of these takes a second or more of a processor, or as long as some process does. `make quick` leaves them out.
SLOW = (
    *("claims/", "fuzz/", "faults/", "simulation/", "plugins/event_source/"),
    *("emulator/test_process.py", "emulator/test_wrong_scenarios.py"),
    *("plugins/module_utils/test_counts.py", "plugins/module_utils/_api/test_pages.py"),
    *(
        f"plugins/module_utils/_read/test_{name}.py"
        for name in ("job_query", "jobs_of_the_emulator", "one_node", "summary")
    ),
    *("plugins/plugin_utils/test_decisions_take_time_by_length.py", "plugins/plugin_utils/_claims/test_sqlite.py"),
    *(f"plugins/plugin_utils/_decision/test_{name}.py" for name in ("cards", "placement")),
    *(f"plugins/plugin_utils/_report/test_{name}.py" for name in ("html", "schema", "view_nodes")),
)

settings.register_profile(
    "poolgate",
    deadline=None,
    derandomize=True,
    max_examples=tries(EXAMPLES),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("poolgate")

HERE = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: not for while one works, see SLOW")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow by where it is."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """ansible-test forks for each test: garbage collection in a fork leaves what was there, and does not copy it."""
    gc.freeze()


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that some test still holds would be hidden in what others expect."""
    monkeypatch.setattr(_secrets, "_owners", _secrets.Owners())


@pytest.fixture
def script() -> Iterator[t.Callable[..., ScriptedServer]]:
    """Starts servers with a script; they stop with the test."""
    servers: list[ScriptedServer] = []

    def start(*answers: Answer) -> ScriptedServer:
        servers.append(ScriptedServer(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
