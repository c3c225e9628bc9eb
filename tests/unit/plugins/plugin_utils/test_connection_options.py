# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The levels that only the controller has: variables that are templates, and the section of ansible.cfg."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._connection_options import (
    config_level,
    templated_variables_level,
)
from ansible_collections.poolgate.modelarts.tests.unit.core import trust_as_template


def test_variables_are_rendered_and_no_others() -> None:
    variables = {
        "modelarts_endpoint": trust_as_template("https://{{ where }}.example.com"),
        "modelarts_unknown": trust_as_template("{{ no_such_variable }}"),
        "where": "modelarts",
    }
    level = templated_variables_level(variables, Templar(DataLoader(), variables))
    assert level == {"endpoint": "https://modelarts.example.com"}


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", {}),
        ("[defaults]\nendpoint = x\n", {}),
        ("[modelarts]\nendpoint = 'https://a' ; of Europe\nproject_id =\nother = 1\n", {"endpoint": "https://a"}),
    ],
)
def test_the_section_of_ansible_cfg(tmp_path: Path, text: str, level: dict[str, str]) -> None:
    path = tmp_path / "ansible.cfg"
    path.write_text(text, encoding="utf-8")
    assert config_level(str(path)) == level


def test_a_path_is_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ansible.cfg"
    path.write_text("[modelarts]\nca_path = ca.pem\n", encoding="utf-8")
    assert config_level(str(path)) == {"ca_path": str(tmp_path / "ca.pem")}
    assert config_level(None) == {}


@pytest.mark.parametrize("value", ["https://modelarts.example.com", True])
def test_a_fact_called_omit_leaves_nothing_out(value: object) -> None:
    """From ansible-core 2.19 on there is no variable of that name, so that only a host can send one."""
    variables = {"modelarts_endpoint": value, "omit": value}
    assert templated_variables_level(variables, Templar(DataLoader(), variables)) == {"endpoint": value}
