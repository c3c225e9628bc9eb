# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs in turn against one emulator, and says how long each took and how much memory its processes had."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DISTURBED = 0.05
"""Share of a core that other programs may use while something is measured; what had more is measured again."""
TRIES = 12
POOL = "pool-bench-5d8a1f6c3e2b49708c4d9e0a7b615f32"
INTERPRETER = """#!{python}
import os, subprocess, sys
process = subprocess.Popen([{python!r}, *sys.argv[1:]])
_pid, status, usage = os.wait4(process.pid, 0)
with open(os.environ["PEAK"], "a") as stream:
    stream.write(f"{{usage.ru_maxrss}}\\n")
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Size:
    """What each of the emulated pools holds, and how long a call takes at least."""

    jobs: int
    nodes: int
    latency_ms: int
    pools: int = 1

    def __str__(self) -> str:
        pools = f"{self.pools} pools of " if self.pools > 1 else ""
        return f"{pools}{self.jobs:,} jobs, {self.nodes:,} nodes, {self.latency_ms} ms a call"


@dataclass
class Runs:
    """What was measured of one program: a value a run."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    emulator: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    peak_mib: float = 0.0

    @property
    def median(self) -> float:
        return median(self.seconds)


def scenario(size: Size) -> dict[str, t.Any]:
    """Pools of nodes with eight cards. Most of their jobs are over, as in a pool that has been in use for weeks."""
    node = {"cpu": "94", "memory": "960Gi", "nvidia.com/gpu": 8}
    jobs = {
        "name": "job-{n}",
        "count": size.jobs,
        "age": 60,
        "every": 5,
        "type": ["train", "infer", "notebook"],
        "status": ["Completed"] * 17 + ["Failed", "Terminated", "Running"],
        "owner": [f"ml-team-{letter}" for letter in "abcdefgh"],
        "resources": [
            {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": 1},
            *({"cpu": f"{100 * step}m", "memory": f"{64 * step}Mi"} for step in range(1, 7)),
        ],
    }
    nodes = {"name": "node", "count": size.nodes, "flavor": "gpu8", "resources": node}
    first = {"id": POOL, "name": "bench", "nodes": [nodes], "jobs": [jobs]}
    others = [
        {
            **{"id": f"{POOL}-{number}", "name": f"bench-{number}"},
            **{"nodes": [{**nodes, "name": f"node-{number}"}], "jobs": [jobs]},
        }
        for number in range(1, size.pools)
    ]
    return {"pools": [first, *others]}


class Bench:
    """An emulator of one size, and the programs that read from it."""

    def __init__(self, size: Size, folder: Path) -> None:
        self.size = size
        self.folder = folder
        self._log = folder / "requests.log"
        self._log.write_text("")
        interpreter = folder / "measured-python"
        interpreter.write_text(INTERPRETER.format(python=sys.executable))
        interpreter.chmod(0o755)

    def __enter__(self) -> Bench:
        place = self.folder / "scenario.json"
        document = scenario(self.size)
        place.write_text(json.dumps(document))
        # As modelarts_pools makes hosts of pools.
        of_pool = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        hosts = {pool["id"]: of_pool for pool in document["pools"]}
        inventory = self.folder / "hosts.json"
        inventory.write_text(json.dumps({"pools": {"hosts": hosts}}))
        options = ("--scenario", place, "--latency-ms", self.size.latency_ms, "--request-log", self._log)
        command = (sys.executable, ROOT / "playbooks" / "emulator", "--background", "--parent-pid", os.getpid())
        words = [str(word) for word in command + options]
        output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        self._state = json.loads(output)
        return self

    def __exit__(self, *unused: object) -> None:
        os.kill(self._state["pid"], signal.SIGTERM)

    def environment(self) -> dict[str, str]:
        """What a shell has that runs playbooks, with nothing of the user's settings."""
        kept = {name: value for name, value in os.environ.items() if not re.match("ANSIBLE_|MODELARTS_|OS_|HW_", name)}
        return {
            **kept,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "HOME": str(self.folder),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "PYTHONPATH": str(self.folder / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "MODELARTS_ENDPOINT": self._state["endpoint"],
            "OS_PROJECT_ID": self._state["project_id"],
            "OS_AUTH_TOKEN": self._state["auth_token"],
            "KEY": self._state["access_key"],
            "SECRET": self._state["secret_key"],
            "POOL": POOL,
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_INVENTORY": str(self.folder / "hosts.json"),
            "MEMORY": str(self.folder / "facts.marshal"),
            "PEAK": str(self.folder / "peaks"),
        }

    def command(self, name: str, *options: str) -> list[str]:
        if (HERE / "clients" / f"{name}.py").exists():
            return [sys.executable, str(HERE / "clients" / f"{name}.py"), *options]
        play, _mark, words = name.partition(" ")
        given = [f"--extra-vars={word}" for word in words.split()]
        return ["ansible-playbook", str(HERE / "plays" / f"{play}.yml"), *given, *options]

    def measure(self, names: t.Sequence[str], times: int) -> dict[str, Runs]:
        """Runs each once to see that it works, and then all of them in turn, so many times."""
        if "floor" in names:
            self._run(self.command("remember", str(self.folder / "facts.marshal")))
        measured = {name: Runs() for name in names}
        for name, runs in measured.items():
            runs.peak_mib = self._peak(name)
        for _turn in range(times):
            for name, runs in measured.items():
                self._run_once(name, runs)
        return measured

    def _run_once(self, name: str, runs: Runs) -> None:
        """Runs it until nothing else used the machine meanwhile; after some tries, the least disturbed one counts."""
        tries = []
        while not tries or (tries[-1][0] > DISTURBED and len(tries) < TRIES):
            _wait_for_calm()
            before, busy = self._log.stat().st_size, _busy_seconds() - self._emulator_seconds()
            seconds, usage = self._run(self.command(name))
            cpu = usage.ru_utime + usage.ru_stime
            others = (_busy_seconds() - self._emulator_seconds() - busy - cpu) / seconds
            with open(self._log, "rb") as stream:
                stream.seek(before)
                entries = [json.loads(line) for line in stream]
            if any(entry["status"] != 200 for entry in entries):
                raise RuntimeError(f"{name}: the emulator answered with an error")
            tries.append((max(0.0, others), seconds, cpu, entries))
        others, seconds, cpu, entries = min(tries, key=lambda one: one[0])
        runs.others.append(others)
        runs.seconds.append(seconds)
        runs.cpu.append(cpu)
        runs.requests.append(len(entries))
        runs.emulator.append(sum(entry["seconds"] for entry in entries) - len(entries) * self.size.latency_ms / 1000)

    def _emulator_seconds(self) -> float:
        """Processor time that the emulator has used."""
        fields = Path(f"/proc/{self._state['pid']}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _peak(self, name: str) -> float:
        """MiB that the largest process had that reads: a module's own, a script's or the play's.

        A small process starts it and asks the kernel afterwards: what a large one starts begins with its size.
        """
        if name.startswith(("nothing", "uri", "wait", "many")):
            return 0.0
        peaks = self.folder / "peaks"
        peaks.unlink(missing_ok=True)
        measured = str(self.folder / "measured-python")
        play, *options = self.command(name)
        if play == sys.executable:
            self._run([measured, *options])
        elif name in ("lookup", "gate", "role"):
            self._run([measured, str(Path(sys.executable).with_name(play)), *options])
        else:
            self._run([play, *options, f"--extra-vars=ansible_python_interpreter={measured}"])
        return max(int(line) for line in peaks.read_text().splitlines()) / 1024

    def _run(self, command: list[str]) -> tuple[float, t.Any]:
        output = self.folder / "output"
        with open(output, "wb") as stream:
            began = perf_counter()
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdout=stream, stderr=subprocess.STDOUT
            )
            _pid, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {process.returncode}:\n{output.read_text(errors='replace')[-4000:]}"
            )
        return seconds, usage


def _busy_seconds() -> float:
    """Processor time that everything on the machine has used, its idle time and waits for disks left out."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=9)
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _wait_for_calm(most: float = 120.0) -> None:
    """Until the rest of the machine has been idle for a moment, or so many seconds have passed."""
    began = perf_counter()
    while perf_counter() - began < most:
        busy, since = _busy_seconds(), perf_counter()
        sleep(0.3)
        if _busy_seconds() - busy <= DISTURBED * (perf_counter() - since):
            return
