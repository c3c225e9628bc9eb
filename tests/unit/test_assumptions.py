# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of assumptions names places in the code that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_assumption_stands_where_the_page_says() -> None:
    page = (ROOT / "docs" / "docsite" / "rst" / "assumptions.rst").read_text(encoding="utf-8")
    rows = page.split("  * - ")[1:]
    places = [re.search(r"\n    - ``(\w+_utils/[\w/]+\.py)``: ``(\w+)``", row) for row in rows if "- Code" not in row]
    assert len(places) > 20
    assert None not in places, [row for row, place in zip(rows, places) if place is None]
    missing = []
    for place in filter(None, places):
        file = ROOT / "plugins" / place[1]
        defined = rf"^\s*(?:def |class )?{place[2]}\b[ (:=]"
        if not file.is_file() or not re.search(defined, file.read_text(encoding="utf-8"), re.MULTILINE):
            missing.append(place[0].strip())
    assert missing == []
