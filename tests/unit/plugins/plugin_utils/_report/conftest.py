# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of every kind, for the tests of this folder."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU


class Made(dict[str, tuple[t.Any, t.Any]]):
    """Document and verdicts of each case, made when a test asks for them."""

    def __missing__(self, name: str) -> tuple[t.Any, t.Any]:
        self[name] = reports.report_of(reports.CASES[name](), {"headroom": {GPU: 2}})
        return self[name]


@pytest.fixture
def made() -> Made:
    return Made()
