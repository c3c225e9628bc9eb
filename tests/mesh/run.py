# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gate 80 pools in one run, and in slices over several workers of ansible-runner as AWX does, and compare the answers.

The single run has the inventory plugin. For the slices, the inventory is imported once and every slice gets each n-th
host as a script, as AWX writes it; ``ansible-runner transmit | worker | process`` carries it to a worker and back. The
artifacts of the slices become extra variables of one more play, as in a workflow.

Without arguments a run asks its pools in one task. With ``each.yml`` each pool is a host with a gate of its own, by
Ansible's forks, which takes minutes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.tests.secret_search import found_in

Facts = dict[str, t.Any]

POOLS = 80
SLICES = 4
FORKS = 4
HERE = Path(__file__).resolve().parent
REQUEST = {"type": "train", "replicas": 2, "resources": {"nvidia.com/gpu": 8, "cpu": "60", "memory": "400Gi"}}
PLUGIN = {"plugin": "poolgate.modelarts.modelarts_pools", "include_capacity": False}
SECRET = "MeshSecretKeyOfFourtyCharacters000000001"


def scenario() -> Facts:
    """Pools in every state that decides: with room, full, queued for, disabled, too small, broken, not to be read."""
    chance = random.Random(1)
    flavors = {
        "gpu8": {"cpu": "96", "memory": "1024Gi", "allocatable": {"cpu": "94", "memory": "960Gi", "nvidia.com/gpu": 8}}
    }
    shape = {"cpu": "60", "memory": "400Gi", "nvidia.com/gpu": 8}
    pools = []
    for number in range(POOLS):
        nodes = chance.choice([1, 2, 4, 8])
        busy = {"name": "busy-{n}", "count": chance.randint(0, nodes), "status": "Running", "resources": shape}
        pool: Facts = {
            "id": f"pool-{number:04d}-3c7e52d1f0984b6a8e5d2b7c41a96f03",
            "name": f"team-{number}",
            "nodes": [{"count": nodes, "flavor": "gpu8"}],
            "jobs": [busy] * bool(busy["count"]),
        }
        odd = chance.choice(["queue", "type", "phase", "nodes", "drain", "", "", ""])
        if odd == "queue":
            pool["jobs"].append({"name": "queued", "status": "Queue", "resources": shape})
        elif odd == "type":
            pool["scope"] = {"Train": "Disabled", "Infer": "Enabled"}
        elif odd == "phase":
            pool["phase"] = chance.choice(["Creating", "Abnormal", "Error"])
        elif odd == "nodes":
            pool.update(refuse={"nodes": 403}, metrics=None)
        elif odd == "drain":
            pool["nodes"][0]["annotations"] = {"os.modelarts.node/drain": "true"}
            pool["jobs"] = []
        pools.append(pool)
    return {"flavors": flavors, "pools": pools, "credentials": {"secret_key": SECRET}}


def environment(emulator: Emulator, home: Path) -> dict[str, str]:
    home.mkdir()
    mine = emulator.credentials
    own = ("OS_", "HW_", "HUAWEICLOUD_SDK_", "MODELARTS_", "ANSIBLE_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(own)},
        "HOME": str(home),
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        "ANSIBLE_FORKS": str(FORKS),
        "ANSIBLE_PIPELINING": "1",
        "MODELARTS_ENDPOINT": emulator.endpoint,
        "OS_ACCESS_KEY": mine.access_key,
        "OS_SECRET_KEY": mine.secret_key,
        "OS_PROJECT_ID": mine.project_id,
        "no_proxy": "127.0.0.1",
    }


class Job:
    """A job of AWX: the folder that ansible-runner gets, what becomes of it, and its answer."""

    def __init__(self, folder: Path, playbook: str, env: dict[str, str], variables: Facts) -> None:
        self.folder = folder
        self.playbook = playbook
        self._env = env
        (folder / "env").mkdir(parents=True)
        (folder / "inventory").mkdir()
        (folder / "project").mkdir()
        (folder / "project" / playbook).write_bytes((HERE / "project" / playbook).read_bytes())
        (folder / "env" / "extravars").write_text(json.dumps(variables), encoding="utf-8")

    def give_plugin(self) -> None:
        (self.folder / "inventory" / "modelarts_pools.yml").write_text(json.dumps(PLUGIN), encoding="utf-8")

    def give_script(self, inventory: Facts) -> None:
        """The hosts as AWX gives them to a job."""
        script = self.folder / "inventory" / "hosts"
        script.write_text(f"#!/usr/bin/env python3\nprint({json.dumps(inventory)!r})\n", encoding="utf-8")
        script.chmod(0o700)

    def run(self) -> None:
        self._runner(["run", str(self.folder), "--playbook", self.playbook])

    def run_on_a_worker(self) -> None:
        sent = self._runner(["transmit", str(self.folder), "--playbook", self.playbook])
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as worker:
            done = self._runner(["worker", "--private-data-dir", worker], sent)
        self._runner(["process", str(self.folder)], done)

    def _runner(self, arguments: list[str], given: bytes = b"") -> bytes:
        ended = subprocess.run(
            [sys.executable, "-m", "ansible_runner", *arguments],
            env=self._env,
            input=given,
            capture_output=True,
            check=False,
        )
        if ended.returncode:
            raise SystemExit(f"{self.folder.name}, {arguments[0]}: {(ended.stdout + ended.stderr).decode()[-4000:]}")
        return ended.stdout

    def artifacts(self) -> Facts:
        """What the job leaves by set_stats, taken from its last event as AWX does."""
        for file in self.folder.glob("artifacts/**/job_events/*.json"):
            event = json.loads(file.read_text(encoding="utf-8"))
            if event["event"] == "playbook_on_stats":
                return t.cast("Facts", event["event_data"].get("artifact_data", {}))
        raise SystemExit(f"{self.folder.name} has no last event")

    def left(self) -> str:
        """All that a user of AWX can see of the job."""
        files = [*self.folder.glob("artifacts/**/job_events/*.json"), *self.folder.glob("artifacts/**/stdout")]
        return "\n".join(file.read_text(encoding="utf-8") for file in files)


def imported(env: dict[str, str], folder: Path) -> Facts:
    """The inventory as AWX imports it."""
    source = folder / "modelarts_pools.yml"
    source.write_text(json.dumps(PLUGIN), encoding="utf-8")
    command = [sys.executable, "-m", "ansible.cli.inventory", "--list", "--export", "-i", str(source)]
    listing: Facts = json.loads(subprocess.run(command, env=env, capture_output=True, check=True).stdout)
    return listing


def sliced(inventory: Facts, number: int, count: int) -> Facts:
    """The slice of this number, from 1: of the sorted hosts each ``count``-th."""
    variables = inventory["_meta"]["hostvars"]
    hosts = sorted(variables)[number - 1 :: count]
    groups = {
        name: {**group, "hosts": [host for host in group["hosts"] if host in hosts]} if "hosts" in group else group
        for name, group in inventory.items()
        if name != "_meta"
    }
    return {**groups, "_meta": {"hostvars": {host: variables[host] for host in hosts}}}


def verdicts(artifacts: Facts) -> dict[str, Facts]:
    """The verdict on each pool, without the time at which it was read."""
    entries = [entry for artifact in artifacts.values() for entry in artifact["pools"]]
    by_pool = {entry["pool"]: {name: entry[name] for name in entry if name != "observed_at"} for entry in entries}
    assert len(by_pool) == len(entries), "a pool was asked twice"
    return by_pool


def checks(playbook: str, folder: Path) -> t.Iterator[tuple[str, bool]]:
    with Emulator(scenario()) as emulator:
        env = environment(emulator, folder / "home")
        variables = {"capacity_gate_request": REQUEST, "capacity_gate_on_refusal": "continue"}

        single = Job(folder / "single", playbook, env, variables)
        single.give_plugin()
        began = time.monotonic()
        single.run()
        alone = time.monotonic() - began
        expected = verdicts(single.artifacts())

        began = time.monotonic()
        inventory = imported(env, folder)
        slices = []
        for number in range(1, SLICES + 1):
            job = Job(folder / f"slice-{number}", playbook, env, {**variables, "awx_job_id": 100 + number})
            job.give_script(sliced(inventory, number, SLICES))
            slices.append(job)
        with ThreadPoolExecutor(SLICES) as workers:
            list(workers.map(Job.run_on_a_worker, slices))
        side_by_side = time.monotonic() - began

        # As AWX hands artifacts on in a workflow: of two with the same name, the later is left.
        handed: Facts = {}
        for job in slices:
            handed.update(job.artifacts())
        chosen = Job(folder / "choose", "choose.yml", env, handed)
        chosen.run()

    decisions = Counter(entry["decision"] for entry in expected.values())
    print(f"{POOLS} pools, {playbook}: {dict(decisions)}")
    print(f"one run {alone:.1f} s, {SLICES} slices side by side {side_by_side:.1f} s, on {os.cpu_count()} cores")
    room = sorted(pool for pool, entry in expected.items() if entry["decision"] == "admit")
    yield "the single run has a verdict on every pool", len(expected) == POOLS
    yield "every decision occurs", set(decisions) == {"admit", "wait", "reject", "unknown"}
    yield "every slice has its share", [len(verdicts(job.artifacts())) for job in slices] == [POOLS // SLICES] * SLICES
    yield "the slices together say what the single run says", verdicts(handed) == expected
    yield "the next job of the workflow finds every pool with room", chosen.artifacts() == {"pools_with_room": room}
    left = [job.left() for job in [single, *slices, chosen]]
    yield "every job has left its output", all("PLAY RECAP" in text for text in left)
    yield "no secret is in it", not any(found_in(text, {"secret_key": SECRET}) for text in left)


def main(playbook: str = "gate_pools.yml") -> int:
    """Run everything; 1 when a check failed."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = list(checks(playbook, Path(folder)))
    for what, well in outcomes:
        print(f"{'ok' if well else 'FAIL'} {what}")
    passed = sum(well for _what, well in outcomes)
    print(f"mesh: {passed} passed, {len(outcomes) - passed} failed")
    return 0 if passed == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
