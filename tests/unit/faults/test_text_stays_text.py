# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the API that are templates, and text that moves a cursor: they stay text wherever they are used."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from . import surfaces
from .plan import pool_id
from .surfaces import Facts, Play, kept

POOL = pool_id(0, "text")
NO_ROOM = pool_id(1, "text")
SECOND = "capacity_gate_verdict"


def template(mark: Path) -> str:
    """A template that leaves a mark when it is rendered, and shows 7006652."""
    return "{{ lookup('ansible.builtin.pipe', 'touch " + str(mark) + "') }}{{ 1234 * 5678 }}\x1b[2J"


def scenario(mark: Path) -> Facts:
    text = template(mark)
    resources = {"cpu": "94", "memory": "960Gi", "nvidia.com/gpu": 8}
    job = {"name": text, "owner": text, "status": "Running", "resources": resources, "extra": {"namespace": text}}
    odd = {
        "name": "odd",
        "status": "Completed",
        "extra": {"resourceRequirement": {"cpu": text}, "type": text, text: text},
    }
    queued = {
        "name": text,
        "owner": text,
        "status": "Queue",
        "resources": {"nvidia.com/gpu": 1},
        "extra": {"jobName": text},
    }
    behind = {**queued, "name": "behind", "extra": {}}
    node: Facts = {"name": "n", "count": 2, "flavor": "gpu8", "resources": resources}
    tainted = {
        **node,
        "count": 1,
        "taints": [{"key": text, "value": text, "effect": "NoSchedule"}],
        "labels": {"a": text},
    }
    annotations = {"os.modelarts.pool/scheduler.queue.strategy": text}
    pools = [
        {"id": POOL, "name": "room", "nodes": [node, tainted], "jobs": [odd], "message": text},
        {"id": NO_ROOM, "name": "full", "nodes": [node], "jobs": [job, job | {"name": "b"}, queued, behind],
         "annotations": annotations, "labels": {"os.modelarts/name": text}, "message": text},
    ]  # fmt: skip
    return {"pools": pools}


def everything() -> list[Facts]:
    """The action, the role let in and refused, its watch, filter, module and lookup; and what people do with it."""
    gate: Facts = {"pools": [NO_ROOM], "request": {"resources": {"nvidia.com/gpu": 8}}, "on_refusal": "continue"}
    of_role: Facts = {"capacity_gate_pools": [NO_ROOM, POOL], "capacity_gate_request": gate["request"]}
    refused = {**of_role, "capacity_gate_pools": [NO_ROOM], "capacity_gate_stats_name": "refused"}
    watched = {
        "capacity_gate_watch_pool": NO_ROOM,
        "capacity_gate_watch_job": "behind",
        "capacity_gate_watch_timeout": 0,
    }
    include = {"ansible.builtin.include_role": {"name": "poolgate.modelarts.capacity_gate"}}
    watch = {"ansible.builtin.include_role": {**include["ansible.builtin.include_role"], "tasks_from": "watch"}}
    fails = {"ansible.builtin.fail": {"msg": "it was let in"}}
    rescue = [{"ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }} {{ ansible_failed_result }}"}}]
    jobs = f"query('poolgate.modelarts.modelarts_workloads', '{NO_ROOM}')"
    results = "decided, decided_by_lookup, capacity_gate_watched"
    verdict = "poolgate.modelarts.capacity_verdict({'resources': {'nvidia.com/gpu': 8}})"
    return [
        {"poolgate.modelarts.modelarts_capacity_gate": {**gate, "wait_timeout": 1}, "register": "outcome"},
        {**include, "vars": of_role},
        surfaces.keep("admitted", "capacity_gate_result"),
        {"block": [{**include, "vars": refused}, fails], "rescue": rescue},
        {"block": [{**watch, "vars": watched}, fails], "rescue": rescue},
        {"block": [{"poolgate.modelarts.modelarts_capacity_gate": {**gate, "on_refusal": "fail"}}, fails],
         "rescue": rescue},
        {"poolgate.modelarts.modelarts_workload_info": {"pool_name": [NO_ROOM], "include_capacity": True},
         "register": "facts"},
        {"poolgate.modelarts.modelarts_pool_info": {"include_capacity": True}, "register": "pools"},
        {"ansible.builtin.set_fact": {"again": "{{ facts.workloads | map(attribute='job_name') | join(' ') }}",
                                      "looked": f"{{{{ {jobs} | map(attribute='user_name') | join(' ') }}}}",
                                      "said": "{{ outcome.report | join(' ') }} {{ outcome.summary }}",
                                      "decided": f"{{{{ facts.pools[0] | {verdict} }}}}",
                                      "decided_by_lookup": f"{{{{ {jobs[:-1]}, wantpools=true, include_capacity=true)"
                                                           f" | {verdict} }}}}"}},
        {"ansible.builtin.debug": {"msg": "{{ again }} {{ looked }} {{ said }} {{ pools }} {{ decided }}"}},
        {"ansible.builtin.debug": {"msg": "{{ decided_by_lookup }} {{ capacity_gate_watched }}"}},
        {"ansible.builtin.debug": {"msg": "{{ item.job_name }}"}, "loop": "{{ facts.workloads }}"},
        {"ansible.builtin.debug": {"msg": "{{ item.job_name }}"},
         "with_poolgate.modelarts.modelarts_workloads": [NO_ROOM]},
        {"ansible.builtin.set_stats": {"data": {"by_hand": "{{ outcome.artifact }}"}}},
        surfaces.keep("everything", f"[again, looked, said, [{results}], outcome.artifact]"),
    ]  # fmt: skip


def run(folder: Path, ansible: t.Sequence[str] = (sys.executable, "-m", "ansible.cli.playbook")) -> None:
    mark = folder / "mark"
    with Emulator(scenario(mark)) as emulator:
        mine = emulator.credentials
        env = {
            "ANSIBLE_SHOW_CUSTOM_STATS": "true",
            "MODELARTS_ENDPOINT": emulator.endpoint,
            "OS_PROJECT_ID": mine.project_id,
            "OS_TOKEN": mine.auth_token,
        }
        play = Play(folder / "first", everything(), {"h": {}}, "-vv", env=env, ansible=ansible)
        assert play.wait() == 0, play.output
        assert not mark.exists(), "text of the API was executed"
        assert "7006652" not in play.output
        assert "7006652" not in json.dumps(kept(folder / "first", "everything", "h"))
        again, looked, said, decided, artifact = kept(folder / "first", "everything", "h")
        assert "{{ 1234 * 5678 }}" in again
        assert "{{ 1234 * 5678 }}" in looked
        assert "{{ 1234 * 5678 }}" in said or "1234" in said
        assert ["{{" in json.dumps(each) for each in decided] == [True, True, True]
        assert "\x1b[2J" not in play.output
        check_artifacts(folder, play.output, artifact, mark, ansible)


def check_artifacts(folder: Path, output: str, artifact: Facts, mark: Path, ansible: t.Sequence[str]) -> None:
    """What AWX hands on: the artifacts become extra variables of the next job, which are templates."""
    assert f'"{SECOND}"' in output or SECOND in output
    assert "{{" not in json.dumps(artifact)
    handed = folder / "artifacts.json"
    handed.write_text(json.dumps({SECOND: artifact}), encoding="utf-8")
    use = [{"ansible.builtin.debug": {"msg": f"{{{{ {SECOND} }}}} {{{{ {SECOND}.decision }}}}"}}]
    play = Play(folder / "second", use, {"h": {}}, "-e", f"@{handed}", ansible=ansible)
    assert play.wait() == 0, play.output
    assert not mark.exists()
    assert artifact["decision"] in play.output


def test_text_of_the_api_stays_text(tmp_path: Path) -> None:
    run(tmp_path)


def imported(folder: Path, env: dict[str, str]) -> Path:
    """The inventory as AWX imports it, and gives it to a job: a script that prints what was listed."""
    command = [sys.executable, "-m", "ansible.cli.inventory", "--list", "--export", "-i", str(folder)]
    given = {**surfaces.environment(folder.parent / "import"), **env}
    listing = subprocess.run(command, env=given, check=True, stdout=subprocess.PIPE, text=True).stdout
    script = folder.parent / "hosts"
    script.write_text(f"#!{sys.executable}\nprint({listing!r})\n", encoding="utf-8")
    script.chmod(0o700)
    return script


def test_text_in_an_inventory_stays_text(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    source = {
        "plugin": "poolgate.modelarts.modelarts_pools",
        "compose": {"pool_title": "modelarts_pool.display_name"},
        "keyed_groups": [{"prefix": "pool", "key": "modelarts_pool.message"}],
    }
    (inventory / "modelarts_pools.yml").write_text(json.dumps(source), encoding="utf-8")
    use = [
        {"ansible.builtin.debug": {"msg": "{{ modelarts_pool }} {{ pool_title }} {{ group_names }}"}},
        {"ansible.builtin.debug": {"var": "hostvars"}},
        {"ansible.builtin.set_fact": {"again": "{{ modelarts_pool.message }} {{ modelarts_pool | dict2items }}"}},
        surfaces.keep("seen", "[again, pool_title]"),
    ]
    with Emulator(scenario(mark)) as emulator:
        env = {
            "MODELARTS_ENDPOINT": emulator.endpoint,
            "OS_PROJECT_ID": emulator.credentials.project_id,
            "OS_TOKEN": emulator.credentials.auth_token,
        }
        for number, path in enumerate((inventory, imported(inventory, env))):
            home = tmp_path / str(number)
            play = Play(home, use, {}, "-i", str(path), env=env)
            assert play.wait() == 0, play.output
            assert not mark.exists(), f"text of the API was executed, from {path.name}"
            assert "7006652" not in play.output
            again, title = kept(home, "seen", NO_ROOM)
            assert again.count("{{ 1234 * 5678 }}") > 1
            assert "{{ 1234 * 5678 }}" in title
