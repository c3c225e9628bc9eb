# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play behind a gate is entered when the gate has let something through, and when a playbook is only shown."""

from __future__ import annotations

import typing as t

import pytest
from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.context_objects import CLIArgs
from ansible_collections.poolgate.modelarts.plugins.lookup.gated_hosts import LookupModule

Variables = dict[str, t.Any]
GROUPS = {"all": ["web01", "web02"], "ungrouped": [], "web": ["web01", "web02"]}
OPEN: Variables = {"__capacity_gate_lets_through": True}


@pytest.fixture(autouse=True)
def command_line(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    def set_to(**options: t.Any) -> None:
        monkeypatch.setattr(context, "CLIARGS", CLIArgs(options))

    set_to()
    return set_to


def run(*terms: t.Any, facts: Variables | None = None, **variables: t.Any) -> list[str]:
    known: Variables = {"groups": GROUPS, **variables}
    if facts is not None:
        known["hostvars"] = facts
    loader = DataLoader()
    return LookupModule(loader=loader, templar=Templar(loader=loader, variables=known)).run(
        list(terms), variables=known
    )


def refusal(*terms: t.Any, **given: t.Any) -> str:
    with pytest.raises(AnsibleLookupError) as refused:
        run(*terms, **given)
    assert str(refused.value).startswith("No gate has let this through: ")
    return str(refused.value)


@pytest.mark.parametrize("terms", [["localhost"], [["localhost"]], [["web", "localhost"]], ["web,localhost"]])
def test_a_gate_that_let_through(terms: t.Any) -> None:
    flat = terms[0] if isinstance(terms[0], list) else terms
    assert run(*terms, facts={"web01": {}, "localhost": OPEN}) == flat


def test_one_host_of_several_is_enough() -> None:
    assert run("web", facts={"web01": {}, "web02": OPEN}) == ["web"]


@pytest.mark.parametrize(
    "facts", [None, {}, {"localhost": {}}, {"localhost": {"__capacity_gate_lets_through": False}}, {"web01": OPEN}]
)
def test_a_gate_that_did_not(facts: Variables | None) -> None:
    assert "tags left it out, or localhost had failed before" in refusal("localhost", facts=facts)


@pytest.mark.parametrize("value", [True, False])
def test_a_fact_that_a_host_sends_back_opens_nothing(value: bool) -> None:
    facts = {"localhost": {**OPEN, "ansible_facts": {"__capacity_gate_lets_through": value}}}
    assert "tags left it out, or localhost had failed before" in refusal("localhost", facts=facts)
    assert run("localhost", facts={"localhost": {**OPEN, "ansible_facts": {"os_family": "Debian"}}}) == ["localhost"]


def test_why(command_line: t.Callable[..., None]) -> None:
    assert "no host is in nowhere" in refusal("nowhere")
    assert "--limit 'web01,localhost'" in refusal("localhost", ansible_limit="web01", facts={"web01": {}})
    command_line(start_at_task="Deploy")
    assert "--start-at-task begins after it" in refusal("localhost")


@pytest.mark.parametrize("option", ["syntax", "listhosts", "listtasks", "listtags"])
def test_nothing_is_refused_while_a_playbook_is_shown(option: str, command_line: t.Callable[..., None]) -> None:
    command_line(**{option: True})
    assert run("nowhere") == ["nowhere"]
