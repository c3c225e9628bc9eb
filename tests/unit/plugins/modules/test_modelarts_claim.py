# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of the action: it is its documentation, and ends like that of the others."""

from __future__ import annotations

import yaml
from ansible_collections.poolgate.modelarts.plugins.modules.modelarts_claim import DOCUMENTATION, EXAMPLES, RETURN


def test_the_documentation_can_be_read() -> None:
    assert yaml.safe_load(DOCUMENTATION)["module"] == "modelarts_claim"
    assert {task["poolgate.modelarts.modelarts_claim"].get("state", "listed") for task in yaml.safe_load(EXAMPLES)} == {
        "listed",
        "released",
    }
    assert set(yaml.safe_load(RETURN)) == {"claims", "released", "messages", "claim"}
