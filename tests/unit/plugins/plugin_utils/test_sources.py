# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address and a secret from every pair of sources: the facts of a managed host take part in none."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.lookup import modelarts_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import ENVIRONMENT
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._sources import refuse_facts_of_hosts
from ansible_collections.poolgate.modelarts.tests.unit.core import VARIABLES, trust_as_template
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "docsite" / "rst"
POOL = "pool-train-0123456789abcdef0123456789abcdef"
LIST = {"kind": "WorkloadList", "items": [], "total": 0}
SOURCES = ("option", "variable", "environment", "ansible.cfg", "facts of a host")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name for names in ENVIRONMENT.values() for name in names} & os.environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.setattr(modelarts_workloads, "_connections", {})


@pytest.mark.parametrize("secret_from", SOURCES)
@pytest.mark.parametrize("address_from", SOURCES)
def test_every_pair_of_sources(
    script: t.Callable[..., ScriptedServer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    address_from: str,
    secret_from: str,
) -> None:
    """The lookup reads all sources. What it refuses is refused before anything is sent."""
    server = script(Reply(body=LIST))
    given = {source: dict[str, str]() for source in SOURCES}
    given["option"]["project_id"] = "p1"
    given[address_from]["endpoint"] = server.url
    given[secret_from]["auth_token"] = "token-that-is-secret"
    for option, value in given["environment"].items():
        monkeypatch.setenv(ENVIRONMENT[option][0], value)
    config = tmp_path / "ansible.cfg"
    config.write_text(
        "\n".join(["[modelarts]", *(f"{name} = {value}" for name, value in given["ansible.cfg"].items())])
    )
    monkeypatch.setattr(constants.config, "_config_file", str(config))
    facts = {f"modelarts_{option}": value for option, value in given["facts of a host"].items()}
    variables = {f"modelarts_{option}": trust_as_template(value) for option, value in given["variable"].items()}
    host = {"inventory_hostname": "web01", "ansible_facts": facts, **facts, **variables, **VARIABLES}
    templar = Templar(loader=DataLoader(), variables=host)
    lookup = modelarts_workloads.LookupModule(loader=None, templar=templar)
    if "facts of a host" in (address_from, secret_from):
        with pytest.raises(
            AnsibleLookupError, match="comes from the facts of web01, and a host must not choose"
        ) as raised:
            lookup.run([POOL], variables=host, **given["option"])
        assert "token-that-is-secret" not in str(raised.value)
        assert server.seen == []
    else:
        assert lookup.run([POOL], variables=host, **given["option"]) == []
        assert [seen.headers["x-auth-token"] for seen in server.seen] == ["token-that-is-secret"]


@pytest.mark.parametrize("name", ["modelarts_region", "modelarts_validate_certs", "capacity_gate_policy"])
def test_facts_that_steer_anything_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"^{name} comes from the facts of a host"):
        refuse_facts_of_hosts({"ansible_facts": {name: "v"}, name: "v"})


@pytest.mark.parametrize("value", ["https://host", float("nan"), [float("nan")]])
def test_a_fact_that_is_sent_under_two_names_is_refused(value: t.Any) -> None:
    """As ansible-core makes variables of facts: under ansible_facts, names have lost their prefix."""
    sent = {"modelarts_endpoint": value, "ansible_modelarts_endpoint": "https://host/another"}
    facts = {name[8:] if name.startswith("ansible_") else name: one for name, one in sent.items()}
    with pytest.raises(InputError, match="^modelarts_endpoint comes from the facts of a host"):
        refuse_facts_of_hosts({"ansible_facts": facts, **sent})


def test_a_fact_that_the_role_would_take_for_its_own_is_refused() -> None:
    with pytest.raises(InputError, match="^__capacity_gate_outcome comes from the facts of a host"):
        refuse_facts_of_hosts({"ansible_facts": {"__capacity_gate_outcome": {}}, "__capacity_gate_outcome": {}})


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"ansible_facts": None},
        {"ansible_facts": {"modelarts_endpoint": "https://host"}},  # facts are not injected as variables
        {"ansible_facts": {"os_family": "Debian", 7: 7}, "modelarts_endpoint": "https://play"},
        {"ansible_facts": {}, "capacity_gate_result": {"decision": "admit"}},
    ],
)
def test_what_no_host_has_chosen_is_taken(variables: dict[str, t.Any]) -> None:
    refuse_facts_of_hosts(variables)


@pytest.mark.parametrize("page", ["guide_authentication", "threat_model"])
def test_the_tables_of_sources_are_these(page: str) -> None:
    """Guide and threat model list the same sources with the same words."""
    text = (GUIDE / f"{page}.rst").read_text(encoding="utf-8")
    table = text.split(".. sources of values\n", 1)[1].split(".. end of the table", 1)[0]
    rows = re.findall(r"^  \* - (.+?)\n    - (.+?)\n    - (.+?)$", table, re.MULTILINE)
    assert [row[0] for row in rows[1:]] == [
        "option of a task, ``module_defaults``, inventory file, rulebook",
        "variable of a play, an inventory or the command line; ``set_fact``",
        "environment of the process",
        "ansible.cfg, ``clouds.yaml``",
        "facts that a host sends back",
    ]
    other = (GUIDE / "threat_model.rst").read_text(encoding="utf-8")
    assert table in other
