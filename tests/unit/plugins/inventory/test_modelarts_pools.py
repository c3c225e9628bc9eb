# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools as hosts: what goes over the wire, what becomes of it, what is kept, and what is said when it fails."""

from __future__ import annotations

import json
import os
import typing as t
from collections import Counter
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.inventory.modelarts_pools import _inventory_cache_key
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS, ENVIRONMENT
from ansible_collections.poolgate.modelarts.tests.unit.core import VARIABLES, trust_as_template
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

NAME = "poolgate.modelarts.modelarts_pools"
TRAIN = "pool-train-0123456789abcdef0123456789abcdef"
OTHER = "pool-other-0123456789abcdef0123456789abcdef"
TEXT = "{{ lookup('ansible.builtin.pipe', 'id') }}"
SECRET = "tok-SECRET"
Start = t.Callable[..., ScriptedServer]
Facts = dict[str, t.Any]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name for names in ENVIRONMENT.values() for name in names} & os.environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants.config, "_config_file", None)


def pool(pool_id: str, name: str = "train", **more: t.Any) -> Facts:
    counts = [{"flavor": "modelarts.p3d.8xa100", "count": 1}]
    document: Facts = {
        "metadata": {"name": pool_id, "labels": {"os.modelarts/name": name}, "annotations": {}},
        "spec": {"type": "Dedicate", "resources": counts},
        "status": {
            "phase": "Running",
            "scope": [
                {"scopeType": "Train", "state": "Enabled"},
                {"scopeType": "Infer", "state": "Disabled"},
            ],
        },
    }
    for path, value in more.items():
        part, _separator, key = path.partition("__")
        document[part][key] = value
    return document


def node(name: str = "n-1") -> Facts:
    sizes = {"cpu": "94", "nvidia.com/gpu": "8"}
    return {
        "metadata": {"name": name},
        "spec": {"flavor": "modelarts.p3d.8xa100"},
        "status": {"phase": "Available", "resources": sizes, "availableResources": sizes},
    }


def cloud(*pools: Facts, nodes: Reply | None = None, metrics: Reply | None = None) -> t.Callable[[Seen], Reply]:
    """The answers of a project with these pools."""
    nodes = nodes or Reply(body={"kind": "NodeList", "items": [node()]})
    metrics = metrics or Reply(body={"kind": "PoolMetricsList", "items": []})
    shown = {document["metadata"]["name"]: {"kind": "Pool", **document} for document in pools}

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/metrics/runtime/pools"):
            return metrics
        if seen.path.endswith("/nodes"):
            return nodes
        return Reply(body=shown.get(seen.path.rpartition("/")[2], {"kind": "PoolList", "items": list(pools)}))

    return answer


def at(server: ScriptedServer, **options: t.Any) -> Facts:
    return {
        "plugin": NAME,
        "endpoint": server.url,
        "project_id": "p1",
        "auth_token": SECRET,
        "max_retries": 0,
        **options,
    }


def parse(
    folder: Path, options: Facts, monkeypatch: pytest.MonkeyPatch | None = None, flush: bool = False, **extra: t.Any
) -> InventoryData:
    """The inventory that a file with these options gives, with these extra variables."""
    path = folder / "modelarts_pools.yml"
    path.write_text(yaml.safe_dump(options), encoding="utf-8")
    if monkeypatch is not None:
        trusted = {name: trust_as_template(value) for name, value in extra.items()}
        monkeypatch.setattr("ansible.plugins.inventory.load_extra_vars", lambda loader: trusted)
    inventory = InventoryData()
    plugin = inventory_loader.get(NAME)
    plugin.parse(inventory, DataLoader(), str(path), cache=not flush)
    if plugin.get_option("cache"):
        plugin.update_cache_if_changed()
    return inventory


def groups_of(inventory: InventoryData, host: str) -> set[str]:
    return {group.name for group in inventory.hosts[host].get_groups()}


def paths(server: ScriptedServer) -> Counter[str]:
    return Counter(seen.path for seen in server.seen)


# What it reads and makes


@pytest.mark.parametrize("name", ["modelarts_pools.yml", "a.modelarts_pools.yaml"])
def test_its_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / "hosts.yml").touch()
    plugin = inventory_loader.get(NAME)
    assert plugin.verify_file(str(tmp_path / name))
    assert not plugin.verify_file(str(tmp_path / "hosts.yml"))
    assert not plugin.verify_file(str(tmp_path / "absent" / name))


def test_one_list_one_document_of_metrics_and_the_nodes_of_each_pool(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN), pool(OTHER, "other")))
    inventory = parse(tmp_path, at(server))
    assert paths(server) == {
        "/v2/p1/pools": 1,
        "/v2/p1/metrics/runtime/pools": 1,
        f"/v2/p1/pools/{TRAIN}/nodes": 1,
        f"/v2/p1/pools/{OTHER}/nodes": 1,
    }
    assert list(inventory.hosts) == [TRAIN, OTHER]
    variables = inventory.hosts[TRAIN].vars
    assert set(variables) - {"inventory_file", "inventory_dir"} == {
        "modelarts_pool",
        "ansible_connection",
        "ansible_python_interpreter",
    }
    assert variables["modelarts_pool"]["display_name"] == "train"
    assert variables["modelarts_pool"]["capacity"]["free"] == {"cpu": 94, "nvidia.com/gpu": 8}
    assert variables["ansible_connection"] == "local"


def test_without_capacity_it_is_one_request(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN)))
    inventory = parse(tmp_path, at(server, include_capacity=False))
    assert paths(server) == {"/v2/p1/pools": 1}
    assert "capacity" not in inventory.hosts[TRAIN].vars["modelarts_pool"]


def test_only_the_pools_asked_for(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN), pool(OTHER, "other")))
    inventory = parse(tmp_path, at(server, pool_name=["other"]))
    assert list(inventory.hosts) == [OTHER]
    assert f"/v2/p1/pools/{TRAIN}/nodes" not in paths(server)


def test_a_project_without_pools_has_the_group(script: Start, tmp_path: Path) -> None:
    inventory = parse(tmp_path, at(script(cloud())))
    assert inventory.groups["modelarts_pools"].hosts == []


def test_groups(script: Start, tmp_path: Path) -> None:
    strategy = {"os.modelarts.pool/scheduler.queue.strategy": "back fill"}
    unknown = pool(OTHER, status__phase=None, status__scope=None, spec__resources=None)
    inventory = parse(tmp_path, at(script(cloud(pool(TRAIN, metadata__annotations=strategy), unknown))))
    assert groups_of(inventory, TRAIN) - {"all"} == {
        "modelarts_pools",
        "modelarts_phase_Running",
        "modelarts_job_type_train",
        "modelarts_flavor_modelarts_p3d_8xa100",
        "modelarts_queue_strategy_back_fill",
    }
    assert groups_of(inventory, OTHER) - {"all"} == {"modelarts_pools"}


def test_constructed_variables_and_groups(script: Start, tmp_path: Path) -> None:
    built = {
        "compose": {"idle": "modelarts_pool.capacity.free['nvidia.com/gpu']", "ansible_connection": "'ssh'"},
        "groups": {"idle_pools": "idle | int > 0", "busy_pools": "idle | int == 0"},
        "keyed_groups": [{"prefix": "pool", "key": "modelarts_pool.display_name"}],
    }
    inventory = parse(tmp_path, at(script(cloud(pool(TRAIN, "Train A100"))), **built))
    assert {"idle_pools", "pool_Train_A100"} < groups_of(inventory, TRAIN)
    assert "busy_pools" not in groups_of(inventory, TRAIN)
    assert int(inventory.hosts[TRAIN].vars["idle"]) == 8  # a text before ansible-core 2.19
    assert inventory.hosts[TRAIN].vars["ansible_connection"] == "ssh"


@pytest.mark.parametrize("strict", [False, True])
def test_strict(script: Start, tmp_path: Path, strict: bool) -> None:
    server = script(cloud(pool(TRAIN)))
    options = at(server, compose={"idle": "modelarts_pool.nothing.at_all"}, strict=strict)
    if strict:
        with pytest.raises(AnsibleError, match="Could not set idle for host"):
            parse(tmp_path, options)
    else:
        assert "idle" not in parse(tmp_path, options).hosts[TRAIN].vars


def test_an_expression_that_fails_leaves_no_part_of_the_pools(script: Start, tmp_path: Path) -> None:
    """A play over those that were added before would take them for all."""
    server = script(cloud(pool(TRAIN), pool(OTHER)))
    path = tmp_path / "modelarts_pools.yml"
    expression = f"1 if modelarts_pool.pool_name == '{TRAIN}' else modelarts_pool.nothing.at_all"
    path.write_text(yaml.safe_dump(at(server, compose={"idle": expression}, strict=True)), encoding="utf-8")
    inventory = InventoryData()
    inventory.add_host("of-another-source", group=inventory.add_group("modelarts_pools"))
    with pytest.raises(AnsibleError, match="Could not set idle for host"):
        inventory_loader.get(NAME).parse(inventory, DataLoader(), str(path), cache=False)
    assert list(inventory.hosts) == ["of-another-source"]


def test_a_pool_that_cannot_be_read_is_a_host_that_says_so(
    script: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Reply(403, {"error_code": "ModelArts.0108", "error_msg": f"not with {SECRET}"})
    said: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text, *a, **k: said.append(text))
    inventory = parse(tmp_path, at(script(cloud(pool(TRAIN), pool(OTHER), nodes=refused))))
    for host in (TRAIN, OTHER):
        facts = inventory.hosts[host].vars["modelarts_pool"]
        assert (facts["nodes"], facts["capacity"]) == (None, None)
        assert [(error["document"], error["status"]) for error in facts["errors"]] == [("nodes", 403)]
        assert SECRET not in repr(facts)
    (sentence,) = said
    assert sentence.startswith(
        "2 of 2 pools could not be read completely, see modelarts_pool.errors of these hosts. The"
    )
    assert SECRET not in sentence


# Text of the API


def test_text_of_the_api_is_never_a_template(script: Start, tmp_path: Path) -> None:
    hostile = pool(
        TRAIN,
        TEXT,
        status__phase=TEXT,
        status__driver={TEXT: {"version": TEXT}},
        metadata__annotations={"os.modelarts.pool/scheduler.queue.strategy": TEXT},
        spec__resources=[{"flavor": TEXT, "count": 1}],
        status__scope=[{"scopeType": TEXT, "state": "Enabled"}],
    )
    built = {
        "compose": {"name": "modelarts_pool.display_name", "loud": "modelarts_pool.phase | upper"},
        "keyed_groups": [{"prefix": "pool", "key": "modelarts_pool.display_name"}],
    }
    server = script(cloud(hostile, nodes=Reply(body={"kind": "NodeList", "items": [node(TEXT)]})))
    options = at(server, cache=True, cache_plugin="jsonfile", cache_connection=str(tmp_path / "kept"), **built)
    for inventory in (parse(tmp_path, options), parse(tmp_path, options)):
        variables = inventory.hosts[TRAIN].vars
        shown = Templar(loader=DataLoader(), variables=variables).template(
            {name: variables[name] for name in ("modelarts_pool", "name", "loud")}
        )
        assert (shown["name"], shown["loud"]) == (TEXT, TEXT.upper())
        assert shown["modelarts_pool"] == variables["modelarts_pool"]
        assert shown["modelarts_pool"]["driver"] == {TEXT: {"version": TEXT, "state": None}}
        assert shown["modelarts_pool"]["nodes"][0]["name"] == TEXT
        assert all(group.replace("_", "").isalnum() for group in inventory.groups)
    assert len(paths(server)) == sum(paths(server).values()) == 3


def test_what_the_plugin_sets_itself_is_a_template(script: Start, tmp_path: Path) -> None:
    variables = parse(tmp_path, at(script(cloud(pool(TRAIN))))).hosts[TRAIN].vars
    templar = Templar(loader=DataLoader(), variables={"ansible_playbook_python": "/opt/python"})
    assert templar.template(variables["ansible_python_interpreter"]) == "/opt/python"


# Where the connection comes from


@pytest.mark.parametrize(
    ("levels", "token"),
    [
        ({"option": "tok1", "variable": "tok2", "environment": "tok3", "file": "tok4"}, "tok1"),
        ({"variable": "tok2", "environment": "tok3", "file": "tok4"}, "tok2"),
        ({"environment": "tok3", "file": "tok4"}, "tok3"),
        ({"file": "tok4"}, "tok4"),
        ({"option": "", "variable": "", "environment": "", "file": "tok4"}, "tok4"),
        ({"option": "tok1", "timeout": "{{ 15 * 2 }}"}, "tok1"),
        ({"option": "{{ 'tok' ~ 5 }}", "environment": "tok3"}, "tok5"),
        ({"variable": "{{ 'tok' ~ 6 }}"}, "tok6"),
    ],
)
def test_the_levels(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, levels: dict[str, str], token: str
) -> None:
    server = script(cloud(pool(TRAIN)))
    options = {**at(server, include_capacity=False), "auth_token": levels.get("option")}
    extra = {"modelarts_auth_token": levels["variable"]} if "variable" in levels else {}
    options["timeout"] = levels.get("timeout")
    if "environment" in levels:
        monkeypatch.setenv("OS_AUTH_TOKEN", levels["environment"])
    if "file" in levels:
        (tmp_path / "ansible.cfg").write_text(f"[modelarts]\nauth_token = {levels['file']}\n", encoding="utf-8")
        monkeypatch.setattr(constants.config, "_config_file", str(tmp_path / "ansible.cfg"))
    parse(tmp_path, options, monkeypatch, **extra)
    assert [seen.headers["x-auth-token"] for seen in server.seen] == [token]


def test_an_option_that_is_omitted(script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OS_AUTH_TOKEN", SECRET)
    server = script(cloud(pool(TRAIN)))
    options = at(server, include_capacity=False, auth_token="{{ omit }}")
    if "omit" in VARIABLES:  # ansible-core before 2.19 has it in plays, and not yet where it reads inventories
        with pytest.raises(AnsibleError, match="'omit' is undefined"):
            parse(tmp_path, options)
    else:
        parse(tmp_path, options)
        assert [seen.headers["x-auth-token"] for seen in server.seen] == [SECRET]


# Names of hosts


@pytest.mark.parametrize("name", [TEXT, "web01\x1b[31m", "a b", "..", "-x", "web01\n[all]", "{% set x = 1 %}"])
@pytest.mark.parametrize("capacity", [True, False])
def test_an_id_that_is_none_makes_no_host(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, capacity: bool
) -> None:
    said: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text, *a, **k: said.append(text))
    server = script(cloud(pool(TRAIN), pool(name)))
    inventory = parse(tmp_path, at(server, include_capacity=capacity))
    assert list(inventory.hosts) == [TRAIN]
    assert any("was left out of the inventory" in text and text.isprintable() for text in said), said


def test_a_pool_named_like_a_host_of_another_source_is_left_out(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its tasks would run on the controller."""
    said: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text, *a, **k: said.append(text))
    inventory = InventoryData()
    inventory.add_host("web01")
    server = script(cloud(pool("web01"), pool(TRAIN)))
    path = tmp_path / "modelarts_pools.yml"
    path.write_text(yaml.safe_dump(at(server, include_capacity=False)), encoding="utf-8")
    for _twice in range(2):
        inventory_loader.get(NAME).parse(inventory, DataLoader(), str(path), cache=False)
    assert set(inventory.hosts) == {"web01", TRAIN}
    assert "ansible_connection" not in inventory.hosts["web01"].vars
    assert inventory.hosts[TRAIN].vars["ansible_connection"] == "local"
    assert [text for text in said if "web01 is already a host of another inventory source" in text]
    assert not [text for text in said if TRAIN in text]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("all", "is the name of a group"),
        ("ungrouped", "is the name of a group"),
        ("web", "is the name of a group"),
        ("modelarts_pools", "is the name of a group"),
        ("modelarts_flavor_f_gpu8", "is the name of a group"),
        ("localhost", "is the controller itself"),
        ("127.0.0.1", "is the controller itself"),
    ],
)
def test_a_pool_named_like_a_group_is_left_out(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, why: str
) -> None:
    """What is set for it would be set for the group, and the tasks of all its hosts would run on the controller."""
    said: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text, *a, **k: said.append(text))
    inventory = InventoryData()
    inventory.add_group("modelarts_flavor_f_gpu8")
    inventory.add_host("web01", group=inventory.add_group("web"))
    server = script(cloud(pool(TRAIN), pool(name)))
    path = tmp_path / "modelarts_pools.yml"
    path.write_text(yaml.safe_dump(at(server, include_capacity=False, compose={"own": "1"})), encoding="utf-8")
    inventory_loader.get(NAME).parse(inventory, DataLoader(), str(path), cache=False)
    assert set(inventory.hosts) == {"web01", TRAIN}
    assert not any(group.vars for group in inventory.groups.values())
    assert [text for text in said if f"{name} {why}" in text]


@pytest.mark.parametrize(
    ("name", "keyed", "joins", "why"),
    [
        ("webservers", {"separator": ""}, False, "webservers is a group of hosts of another inventory source"),
        ("web", {"prefix": "", "separator": ""}, False, "web is a group of hosts of another inventory source"),
        ("servers", {"prefix": "web", "separator": ""}, False, "webservers is a group of hosts of another"),
        ("web01", {"separator": ""}, False, "web01 is the name of a host"),
        ("staging", {"separator": ""}, False, "staging is a group of another inventory source, and keyed_groups"),
        ("x", {"separator": "", "parent_group": "webservers"}, False, "webservers is a group of hosts of another"),
        (
            "x",
            {"separator": "", "parent_group": "{{ modelarts_pool.phase | lower }}"},
            False,
            "running is a group of h",
        ),
        ("train", {"prefix": "gpu"}, True, ""),
        ("train", {"prefix": "new"}, True, ""),
        ("train", {"prefix": "new", "parent_group": "news"}, True, ""),
    ],
)
def test_a_pool_joins_no_group_of_another_source_by_what_it_is_called(
    script: Start,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    keyed: Facts,
    joins: bool,
    why: str,
) -> None:
    """The tasks of the hosts of that group would also run on the controller, or those of a host on it alone."""
    said: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text, *a, **k: said.append(text))
    inventory = InventoryData()
    for group in ("webservers", "staging", "chosen", "running", "web", "gpu_train", "modelarts_phase_Running"):
        inventory.add_group(group)
    inventory.add_child("web", "webservers")
    inventory.add_host("web01", group="webservers")
    inventory.add_host("web01", group="running")
    before = {group: set(one.get_hosts()) for group, one in inventory.groups.items()}
    server = script(cloud(pool(TRAIN, name), pool(OTHER, name)))
    path = tmp_path / "modelarts_pools.yml"
    keys = [{"key": "modelarts_pool.display_name", **keyed}]
    options = at(server, include_capacity=False, keyed_groups=keys, groups={"chosen": "true"})
    path.write_text(yaml.safe_dump(options), encoding="utf-8")
    for _twice in range(2):
        inventory_loader.get(NAME).parse(inventory, DataLoader(), str(path), cache=False)
    inventory.reconcile_inventory()
    for group in ("webservers", "running", "web"):
        assert set(inventory.groups[group].get_hosts()) == before[group]
    assert "web01" not in inventory.groups
    # The group that the plugin names, and the one that the user does.
    assert {TRAIN, OTHER} <= groups_with(inventory, "modelarts_phase_Running") & groups_with(inventory, "chosen")
    made = f"{keyed.get('prefix', '')}{keyed.get('separator', '_')}{name}"
    if joins:
        assert groups_with(inventory, made) == {TRAIN, OTHER}
        assert not said
    else:
        assert len({text for text in said if why in text}) == 1, said


def groups_with(inventory: InventoryData, group: str) -> set[str]:
    return {host.name for host in inventory.groups[group].get_hosts()}


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: None,
        lambda kept: 7,
        lambda kept: [7],
        lambda kept: [{"pool_name": TRAIN}],
        lambda kept: [{**kept[0], "flavors": [7]}],
        lambda kept: [{**kept[0], "job_types": "Train"}],
        lambda kept: [{**kept[0], "errors": [{}]}],
        lambda kept: [{name: value for name, value in kept[0].items() if name != "unreadable"}],
    ],
)
def test_what_is_kept_in_another_shape_is_read_anew(
    script: Start, tmp_path: Path, damage: t.Callable[[t.Any], t.Any]
) -> None:
    """A file of an earlier release, or one that something has damaged."""
    server = script(cloud(pool(TRAIN)))
    parse(tmp_path, caching(server, tmp_path))
    asked = len(server.seen)
    (file,) = [one for one in (tmp_path / "kept").iterdir() if TRAIN in one.read_text(encoding="utf-8")]
    document = json.loads(file.read_text(encoding="utf-8"))
    wrapped = "__payload__" in document if isinstance(document, dict) else False
    pools = json.loads(document["__payload__"]) if wrapped else document
    changed = json.dumps(damage(pools))
    file.write_text(json.dumps({**document, "__payload__": changed}) if wrapped else changed, encoding="utf-8")
    assert list(parse(tmp_path, caching(server, tmp_path)).hosts) == [TRAIN]
    assert len(server.seen) == 2 * asked


def test_a_text_of_any_length_makes_a_group_of_bounded_length(script: Start, tmp_path: Path) -> None:
    long = pool(TRAIN, status__phase="Odd" * 30_000)
    inventory = parse(tmp_path, at(script(cloud(long)), include_capacity=False))
    assert max(map(len, inventory.groups)) < 150


# What is kept


def kept(folder: Path) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in (folder / "kept").glob("*"))


def caching(server: ScriptedServer, folder: Path, **options: t.Any) -> Facts:
    return at(server, cache=True, cache_plugin="jsonfile", cache_connection=str(folder / "kept"), **options)


def test_a_second_run_sends_nothing_until_the_cache_is_flushed(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN)))
    first = parse(tmp_path, caching(server, tmp_path))
    asked = len(server.seen)
    second = parse(tmp_path, caching(server, tmp_path))
    assert len(server.seen) == asked == 3
    assert second.hosts[TRAIN].vars["modelarts_pool"] == first.hosts[TRAIN].vars["modelarts_pool"]
    assert groups_of(second, TRAIN) == groups_of(first, TRAIN)
    parse(tmp_path, caching(server, tmp_path), flush=True)
    assert len(server.seen) == 2 * asked


def test_what_is_kept_has_the_pools_and_no_secret(script: Start, tmp_path: Path) -> None:
    refused = Reply(403, {"error_code": "ModelArts.0108", "error_msg": f"not with {SECRET}"})
    parse(tmp_path, caching(script(cloud(pool(TRAIN), nodes=refused)), tmp_path))
    assert TRAIN in kept(tmp_path)
    assert "********" in kept(tmp_path)
    assert SECRET not in kept(tmp_path)
    assert not [file for file in (tmp_path / "kept").iterdir() if SECRET in file.name]


def test_another_login_is_not_answered_from_the_cache(script: Start, tmp_path: Path) -> None:
    """The digest tells logins apart, and no secret can be read or cheaply guessed from it."""
    server = script(cloud(pool(TRAIN)))
    parse(tmp_path, caching(server, tmp_path))
    asked = len(server.seen)
    parse(tmp_path, {**caching(server, tmp_path), "auth_token": "tok-OTHER"})
    assert len(server.seen) == 2 * asked
    assert not [file for file in (tmp_path / "kept").iterdir() if SECRET in file.name]


@pytest.mark.parametrize("changed", ["auth_url", "username", "password", "project_name", "region_name"])
def test_another_login_of_the_same_name_is_not_answered_from_the_cache(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two teams may both have an entry otc, each in a file of its own."""

    def key(of_entry: Facts) -> str:
        auth = {"auth_url": "https://iam.example.com", "username": "mara", "password": SECRET, "project_name": "eu-de"}
        auth |= {"user_domain_name": "acme", "project_domain_name": "acme", **of_entry}
        entry = {"region_name": auth.pop("region_name", "eu-de"), "auth": auth}
        file = tmp_path / "clouds.yaml"
        file.write_text(json.dumps({"clouds": {"otc": entry}}), encoding="utf-8")
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
        return _inventory_cache_key({"cloud": "otc"}, [], True)

    assert key({}) == key({}) != key({changed: "https://other.example.com"})


@pytest.mark.parametrize(
    "changed", [{"project_id": "p2"}, {"pool_name": ["train"]}, {"include_capacity": False}, {"region": "eu-de"}]
)
def test_another_question_is_not_answered_from_the_cache(script: Start, tmp_path: Path, changed: Facts) -> None:
    server = script(cloud(pool(TRAIN)))
    parse(tmp_path, caching(server, tmp_path))
    asked = len(server.seen)
    parse(tmp_path, caching(server, tmp_path, **changed))
    assert len(server.seen) > asked


def test_an_error_that_may_pass_is_not_kept(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN), nodes=Reply(503)))
    parse(tmp_path, caching(server, tmp_path))
    server.answers[:] = [cloud(pool(TRAIN))]
    inventory = parse(tmp_path, caching(server, tmp_path))
    assert inventory.hosts[TRAIN].vars["modelarts_pool"]["errors"] == []


# What it says when it fails


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pool_names": ["train"]}, r"There is no option pool_names\. Known options are: access_key, "),
        ({"timeout": "soon"}, r"timeout must be a number of seconds above 0, not "),
        ({"auth_token": [SECRET]}, r"auth_token must be a single value\. It can be set by option, "),
        ({"auth_token": ""}, r"No credentials: give auth_token, "),
        ({"endpoint": "ftp://x"}, r"endpoint \(on "),
        ({"validate_certs": "{{ 'perhaps' }}"}, r"validate_certs must be true or false, not "),
    ],
)
def test_options_that_cannot_be_used(script: Start, tmp_path: Path, options: Facts, sentence: str) -> None:
    server = script(cloud(pool(TRAIN)))
    with pytest.raises(AnsibleError, match=sentence) as raised:
        parse(tmp_path, at(server, **options))
    assert SECRET not in str(raised.value)
    assert server.seen == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([False], r"pool_name has False, .* quote it"),
        (True, r"pool_name has True, .* quote it"),
        ([1.5], r"pool_name has 1\.5, .* quote it"),
        ([{"pool": "train"}], r"names no pool"),
        ("a\u200bb", r"display name 'a\\u200bb'; the project has train"),
        (["train, other"], r"display name 'train, other'; the project has train"),
    ],
)
def test_names_of_pools_that_are_none(script: Start, tmp_path: Path, given: t.Any, sentence: str) -> None:
    server = script(cloud(pool(TRAIN)))
    with pytest.raises(AnsibleParserError, match=sentence):
        parse(tmp_path, at(server, pool_name=given))


@pytest.mark.parametrize(
    "given",
    [
        "2024", 2024, [2024], [["2024"], None], "2024,", "['2024']", "\u200b2024\n", ["{{ 2000 + 24 }}"],
        "{{ ['2024'] }}", "{{ lookup('ansible.builtin.env', 'YEAR') }}",
    ],
)  # fmt: skip
def test_names_of_pools_in_every_form(
    script: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: t.Any
) -> None:
    server = script(cloud(pool(TRAIN, "2024"), pool(OTHER, "other")))
    monkeypatch.setenv("YEAR", "2024")
    inventory = parse(tmp_path, at(server, pool_name=given))
    assert list(inventory.hosts) == [TRAIN]


@pytest.mark.parametrize("given", [None, "", []])
def test_names_that_were_left_blank_are_all_pools(script: Start, tmp_path: Path, given: t.Any) -> None:
    server = script(cloud(pool(TRAIN), pool(OTHER, "other")))
    assert list(parse(tmp_path, at(server, pool_name=given)).hosts) == [TRAIN, OTHER]


def test_a_name_that_no_pool_has(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN)))
    with pytest.raises(AnsibleParserError, match="No pool has the ID or the display name nonesuch; the project has"):
        parse(tmp_path, at(server, pool_name="nonesuch"))


def test_an_error_of_the_api(script: Start, tmp_path: Path) -> None:
    error = {"error_code": "APIG.0301", "error_msg": f"token {SECRET} is wrong"}
    server = script(Reply(401, error, {"X-Request-Id": "r-1"}))
    with pytest.raises(AnsibleParserError) as raised:
        parse(tmp_path, at(server))
    assert str(raised.value) == (
        "GET /pools returned 401 (APIG.0301: token ******** is wrong). Check the credentials (auth_token). "
        "Request ID: r-1."
    )
    assert raised.value.__suppress_context__


def test_a_template_that_cannot_be_rendered(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN)))
    with pytest.raises(AnsibleError, match="nobodys"):
        parse(tmp_path, at(server, auth_token="{{ nobodys }}"))
    assert server.seen == []


def test_every_option_is_documented() -> None:
    defined = inventory_loader.get(NAME).option_definitions
    assert set(CONNECTION_OPTIONS) < set(defined)
    assert {"cache", "compose", "groups", "keyed_groups", "strict", "pool_name", "include_capacity"} < set(defined)
    for option in CONNECTION_OPTIONS:
        assert [entry["name"] for entry in defined[option]["env"]] == list(ENVIRONMENT[option])


def test_ages_are_told_by_the_clock_of_the_api(script: Start, tmp_path: Path) -> None:
    answer = cloud(pool(TRAIN))

    def dated(seen: Seen) -> Reply:
        return Reply(body=answer(seen).body, headers={"Date": "Wed, 01 Jan 2020 00:00:10 GMT"})

    inventory = parse(tmp_path, at(script(dated)))
    assert inventory.hosts[TRAIN].vars["modelarts_pool"]["observed_at"].startswith("2020-01-01T00:0")


def test_the_pools_of_a_workspace(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN)))
    parse(tmp_path, at(server, workspace_id="5", include_capacity=False))
    assert [(seen.path, seen.query) for seen in server.seen] == [("/v2/p1/pools", "workspaceId=5")]


def test_a_pool_by_its_id_needs_no_list(script: Start, tmp_path: Path) -> None:
    server = script(cloud(pool(TRAIN)))
    inventory = parse(tmp_path, at(server, pool_name=[TRAIN]))
    assert list(inventory.hosts) == [TRAIN]
    assert "/v2/p1/pools" not in paths(server)
