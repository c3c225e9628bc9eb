# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the API agree with each other and with the documentation, and stand in one place."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import yaml
from ansible_collections.poolgate.modelarts.plugins.doc_fragments.workloads import ModuleDocFragment
from ansible_collections.poolgate.modelarts.plugins.module_utils import _vocabulary as vocabulary

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
# Words that are so much the API's own that a second copy could only drift.
UNMISTAKABLE = {
    *(value for name, value in vars(vocabulary).items() if name.endswith(("_LABEL", "_ANNOTATION"))),
    *vocabulary.ERROR_CODES,
    *vocabulary.BATCH_LABELS.values(),
    "x-infer",
    vocabulary.SCOPE,
}


def test_a_status_waits_runs_or_is_over() -> None:
    kinds = (vocabulary.WAITING, vocabulary.ACTIVE, vocabulary.OVER)
    assert sum(map(len, kinds)) == len(frozenset().union(*kinds))
    assert frozenset().union(*kinds) < frozenset(vocabulary.STATUSES)


def test_the_filters_are_documented_as_they_are() -> None:
    options: dict[str, t.Any] = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert tuple(options["type"]["choices"]) == vocabulary.JOB_TYPES
    assert tuple(options["status"]["choices"]) == vocabulary.STATUSES


def test_modes_that_hold_a_deployment_back_are_modes() -> None:
    assert set(vocabulary.STOPPING_MODES) < set(vocabulary.CONTROL_MODES.values())


def test_module_utilities_have_no_second_copy() -> None:
    copies = [
        (file.name, node.value)
        for file in (PLUGINS / "module_utils").rglob("*.py")
        if file.name != "_vocabulary.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in UNMISTAKABLE
    ]
    assert copies == []
