# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An address and a secret from every pair of sources: the facts of a managed host take part in none."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.lookup import modelarts_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import ENVIRONMENT
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._sources import (
    refuse_facts_behind,
    refuse_facts_of_hosts,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._trust import as_text
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


def seen_by_web01(facts: dict[str, t.Any], others: dict[str, t.Any], **own: t.Any) -> dict[str, t.Any]:
    """Variables as core has them when two hosts have sent facts: the facts of the own host are variables, too.

    A cache that core keeps in files gives the facts of a host, and cannot list its hosts.
    """
    cache = {"web01": facts, "web02": others}
    manager = mock.Mock(_fact_cache=mock.Mock(spec=["get"], get=cache.__getitem__))
    hostvars = mock.MagicMock(_variable_manager=manager)
    hostvars.__iter__.side_effect = lambda: iter(cache)
    without_prefix = {name.removeprefix("ansible_"): value for name, value in facts.items()}
    variables = {"inventory_hostname": "web01", "ansible_facts": without_prefix, **own, **facts}
    return {**variables, "vars": variables, "hostvars": hostvars}


BEHIND_A_FACT = [
    "https://{{ api_host }}",
    "{{ api_host | default('https://play') }}",
    "{% if api_host is defined %}{% set x = 1 %}{% endif %}https://play",
    "{{ address }}",
    "{{ nested.one[0] }}",
    ["{{ nested }}"],
    {"nvidia.com/gpu": "{{ address }}"},
    "{{ ansible_facts.api_host }}",
    "{{ ansible_env.HOME }}",
    "{{ ansible_local.x }}",
    "{{ api_host | regex_replace('/$', '') | ansible.builtin.combine({}) if 'a' is match('a') }}",
    "{{ lookup('together', ['{{ api_host }}']) }}",
]

WITH_A_BLIND_SPOT = [
    ("{{ vars['other'] }}", "vars"),
    ("{{ vars.other }}", "vars"),
    ("{{ hostvars['web02'].other }}", "hostvars"),
    ("{{ hostvars['web02'].of_the_play }}", "hostvars"),
    ("{{ (hostvars.web02 | default({})).get('other') }}", "hostvars"),
    ("{{ ansible_delegated_vars['web02'].other }}", "ansible_delegated_vars"),
    ("{{ self._TemplateReference__context['other'] }}", "self"),
    ("{{ groups.all | map('extract', hostvars) | map(attribute='ansible_facts.x.y') | first }}", "hostvars"),
    ("https://{{ gateway.other }}", "hostvars"),
    ("https://{{ gateways | map(attribute='other') | first }}", "hostvars"),
    ("https://{{ all_variables.other }}", "vars"),
    ("{{ lookup('vars', which) }}", "lookup('vars')"),
    ("{{ lookup('vars', 'other') }}", "lookup('vars')"),
    ("{{ query('ansible.builtin.vars', which) | first }}", "lookup('ansible.builtin.vars')"),
    ("{{ q('ansible.legacy.vars', 'other') }}", "lookup('ansible.legacy.vars')"),
    ("{{ lookup('template', 'request.json.j2') }}", "lookup('template')"),
    ("{{ lookup('config', 'remote_tmp', plugin_type='shell', plugin_name='sh') }}", "lookup('config')"),
    ("{{ lookup('ansible.builtin.template', 'x') | from_json }}", "lookup('ansible.builtin.template')"),
    ("{{ lookup(plugin, 'other') }}", "a lookup whose plugin is not named by a constant"),
    ("{{ lookup('va' ~ 'rs', 'other') }}", "a lookup whose plugin is not named by a constant"),
    ("{{ lookup(*['vars', 'other']) }}", "a lookup whose plugin is not named by a constant"),
    ("{% set reads = lookup %}{{ reads('vars', 'other') }}", "lookup"),
    ("{% include 'x.j2' %}", "include"),
    ("{% import 'x.j2' as x with context %}{{ x.y }}", "import"),
    ("{% from 'x.j2' import y with context %}{{ y }}", "fromimport"),
    ("{% extends 'x.j2' %}", "extends"),
    ("{{ lookup('together', ['{{ hostvars.web02.other }}']) }}", "hostvars"),
    ("{{ not closed", "a template that cannot be read before Ansible renders it"),
    ("{% tag_of_an_extension %}", "a template that cannot be read before Ansible renders it"),
    ("#jinja2: variable_start_string:'[['\n{# #}[[ other }}", "a header that sets the delimiters of a template"),
]
OF_THE_PLAY = {
    "address": "https://{{ nested.one[0] }}",
    "nested": {"one": ["{{ api_host }}"]},
    "gateway": "{{ hostvars[groups.gateways[0]] }}",
    "gateways": ["{{ gateway }}"],
    "all_variables": "{{ vars }}",
    "which": "other",
    "plugin": "vars",
}


@pytest.mark.parametrize("value", BEHIND_A_FACT, ids=str)
def test_what_is_made_from_a_fact_is_refused(value: t.Any) -> None:
    """However it is spelled, and through however many variables."""
    facts: dict[str, t.Any] = {"api_host": "evil", "ansible_env": {"HOME": "/evil"}}
    variables = seen_by_web01(facts, {"other": "evil"}, **trusted(OF_THE_PLAY))
    with pytest.raises(InputError, match=r"^modelarts_endpoint is made from \w+, which web01 reports as a fact, and"):
        refuse_facts_behind({"modelarts_endpoint": trusted(value)}, variables)


@pytest.mark.parametrize(("value", "blind_spot"), WITH_A_BLIND_SPOT, ids=str)
def test_what_may_read_the_facts_of_any_host_is_refused_once_one_has_sent_some(value: t.Any, blind_spot: str) -> None:
    """Also where the own host has sent none. Without any facts, the same value is taken."""
    variables = seen_by_web01({}, {"other": "evil"}, **trusted(OF_THE_PLAY))
    with pytest.raises(InputError, match=r"^request uses (.+), which may give a fact that a host has sent") as raised:
        refuse_facts_behind({"request": trusted(value)}, variables)
    assert f"uses {blind_spot}, which" in raised.value.message
    assert raised.value.message.endswith("Set the value directly, or use a play without facts.")
    refuse_facts_behind({"request": trusted(value)}, seen_by_web01({}, {}, **trusted(OF_THE_PLAY)))


def test_where_it_cannot_be_told_whether_hosts_have_sent_facts_they_count_as_sent() -> None:
    variables = {**seen_by_web01({}, {}), "hostvars": {"web02": {}}}
    with pytest.raises(InputError, match="^region uses hostvars"):
        refuse_facts_behind({"region": trusted("{{ hostvars.web02.region }}")}, variables)


@pytest.mark.parametrize(
    "value",
    [
        "https://play",
        "https://{{ of_the_play }}",
        "{{ env }} of {{ ansible_host }}",  # ansible_env is the fact
        "{{ other }}",  # a fact of another host
        "{{ lookup('env', 'HOME') }}",
        "{{ itself }}",
        "{{ query.url }}",  # a variable of the play, as a lookup would be called
        "{{ {'resources': {}} | combine({'replicas': 2}) }}",
        "{{ lookup('file', 'request.json') | from_json }}",
        "{{ of_the_play | regex_replace('/$', '') | bool if of_the_play is match('a') }}",
        "{{ of_the_play | any.other.filter is any.other.test }}",
        7,
        None,
    ],
    ids=str,
)
def test_what_is_made_from_no_fact_is_taken(value: t.Any) -> None:
    """Whatever filters and tests are in it: those of Ansible are not known here."""
    own = {"of_the_play": "play", "env": "test", "other": "play", "itself": "{{ itself }}", "query": {"url": "x"}}
    facts: dict[str, t.Any] = {"api_host": "{{ api_host }}", "ansible_env": {"HOME": "/evil"}}
    refuse_facts_behind({"modelarts_endpoint": trusted(value)}, seen_by_web01(facts, {"other": "evil"}, **trusted(own)))


def test_without_the_cache_of_core_a_fact_counts_under_both_of_its_names() -> None:
    variables = {"ansible_facts": {"env": {}}, "env": "test", "ansible_env": {}}
    for template in ("{{ env }}", "{{ ansible_env.HOME }}"):
        with pytest.raises(InputError, match="^region is made from "):
            refuse_facts_behind({"region": trusted(template)}, variables)


def test_text_that_is_no_template_names_no_variable() -> None:
    """As the API gave it: a job that is named like a template stops no gate."""
    variables = seen_by_web01({"api_host": "evil"}, {}, capacity_gate_result=as_text({"job": "{{ api_host }}"}))
    refuse_facts_behind({"capacity_gate_result": variables["capacity_gate_result"]}, variables)


def trusted(value: t.Any) -> t.Any:
    """Return the value as Ansible has read it from a file of the user."""
    if isinstance(value, dict):
        return {key: trusted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [trusted(one) for one in value]
    return trust_as_template(value) if isinstance(value, str) else value


def test_a_variable_that_is_made_from_a_fact_is_refused_by_the_lookup(script: t.Callable[..., ScriptedServer]) -> None:
    server = script(Reply(body=LIST))
    host = server.url.removeprefix("http://")
    own = trusted({"modelarts_endpoint": "http://{{ api_host }}", "modelarts_auth_token": "token-that-is-secret"})
    variables = {**VARIABLES, **seen_by_web01({"api_host": host}, {}, **own)}
    lookup = modelarts_workloads.LookupModule(loader=None, templar=Templar(loader=DataLoader(), variables=variables))
    with pytest.raises(AnsibleLookupError, match="is made from api_host, which web01 reports as a fact"):
        lookup.run([POOL], variables=variables, project_id="p1")
    assert server.seen == []


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


@pytest.mark.parametrize("written", ["http://127.0.0.1:1/", "http://{{ api_host }}/"])
def test_a_host_does_not_choose_its_own_name(written: str) -> None:
    """It would pass for a host that has sent no facts."""
    facts = {"api_host": "evil.example.com", "inventory_hostname": "web2"}
    variables = {**facts, "ansible_facts": facts, "modelarts_endpoint": written}
    with pytest.raises(InputError, match="inventory_hostname comes from the facts of a host"):
        refuse_facts_of_hosts(variables)
    with pytest.raises(InputError, match="inventory_hostname comes from the facts of a host"):
        refuse_facts_behind({"modelarts_endpoint": written}, variables)


@pytest.mark.parametrize("spelling", ["localhost", "127.0.0.1", "::1"])
def test_facts_of_the_implicit_host_count_however_the_play_names_it(spelling: str) -> None:
    """Core does not list it in hostvars, and any host may have sent facts for it by delegation."""
    cache: dict[str, t.Any] = {spelling: {"api_host": "of-a-host"}}
    manager = mock.Mock(_fact_cache=mock.Mock(spec=["get"], get=lambda name: cache[name]))
    hostvars = mock.MagicMock(_variable_manager=manager)
    hostvars.__iter__.side_effect = lambda: iter(["web01"])
    variables = {"inventory_hostname": "web01", "hostvars": hostvars}
    with pytest.raises(InputError, match="uses hostvars, which may give a fact"):
        refuse_facts_behind({"endpoint": trust_as_template(f"{{{{ hostvars['{spelling}'].api_host }}}}")}, variables)
