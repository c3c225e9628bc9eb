# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page names tests: they are there."""

from __future__ import annotations

import re

from .test_matrix import PAGE


def test_every_test_that_the_threat_model_names_is_there() -> None:
    page = PAGE.with_name("threat_model.rst").read_text(encoding="utf-8")
    tests = PAGE.parents[3] / "tests"
    defined = {
        name
        for file in tests.glob("**/test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"``(test_\w+)``", page))
    assert len(named) > 20
    assert named - defined == set()
    targets = set(re.findall(r"target ``(\w+)``", page))
    assert targets
    assert {name for name in targets if not (tests / "integration" / "targets" / name).is_dir()} == set()


def test_every_line_says_its_test() -> None:
    page = PAGE.with_name("threat_model.rst").read_text(encoding="utf-8")
    before, _sources, after = re.split(r"\.\. sources of values|\.\. end of the table", page)  # has a test of its own
    rows = [row for part in (before, after) for row in part.split("  * - ")[1:]]
    assert len(rows) > 20
    for row in rows:
        _who, separator, test = row.partition("\n    - ")
        assert separator, row
        assert re.match(r"``test_|target ``|none|Test", test), row
        assert test.startswith("none") <= row.startswith("**can**"), row
