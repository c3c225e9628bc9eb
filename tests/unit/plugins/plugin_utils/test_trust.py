# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that leaves for a place where text may be rendered can be made into a template."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import inert


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("train-a100_1/x", "train-a100_1/x"),
        ("{{ 7*7 }}", "?? 7*7 ??"),
        ("{% x %}", "?? x ??"),
        ("a\nb\x1b\u202ec", "a?b??c"),
        ({"{{ key }}": ["{#"]}, {"?? key ??": ["??"]}),
        (("a", 1, 0.5, None, True), ["a", 1, 0.5, None, True]),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (float("nan"), None),
        ("x" * 400, "x" * 299 + "?"),
    ],
)
def test_what_is_no_letter_is_taken_out(value: t.Any, left: t.Any) -> None:
    assert inert(value) == left
