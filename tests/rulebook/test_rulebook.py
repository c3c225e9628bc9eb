# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real ansible-rulebook with the installed collection, on the emulator: see the nox session rulebook."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

Facts = dict[str, t.Any]

HERE = Path(__file__).resolve().parent
COLLECTION = HERE.parents[1]
INSTALLED = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"], "ansible_collections", "poolgate", "modelarts")
POOL = "pool-train-3c7e52d1f0984b6a8e5d2b7c41a96f03"
REQUEST = {"type": "train", "replicas": 2, "resources": {"nvidia.com/gpu": 8}}
RESOURCES = {"cpu": "94", "memory": "960Gi", "nvidia.com/gpu": 8}
SECONDS = 120.0


@dataclass
class Run:
    """ansible-rulebook and the emulator that it looks at."""

    folder: Path
    emulator: subprocess.Popen[bytes]
    state: Facts
    process: subprocess.Popen[bytes]

    def ended(self) -> tuple[int, str]:
        """(exit code, what was printed and logged)."""
        code = self.process.wait(SECONDS)
        return code, self.printed()

    def printed(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    def result(self) -> Facts:
        """What the playbook has left."""
        facts: Facts = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        return facts

    def requests(self) -> list[Facts]:
        lines = (self.folder / "requests.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        for process in (self.process, self.emulator):
            process.kill()
            process.wait()


def scenario(folder: Path, timeline: t.Sequence[Facts]) -> Facts:
    """A full pool; the job that holds it is named like a template that leaves a mark."""
    mark = "{{ lookup('ansible.builtin.pipe', 'touch " + str(folder / "executed") + "') }}"
    job = {"name": mark, "owner": "{{ 1234 * 5678 }}", "status": "Running", "replicas": 2, "resources": RESOURCES}
    pool = {
        "id": POOL,
        "name": "train",
        "nodes": [{"name": "n", "count": 2, "flavor": "gpu8", "resources": RESOURCES}],
        "jobs": [job],
    }
    changes = [{"after": 0, **change, **({"end": mark} if change.get("end") == "it" else {})} for change in timeline]
    return {"pools": [pool], "timeline": changes}


def start(folder: Path, timeline: t.Sequence[Facts], rulebook: str, *more: str, **variables: t.Any) -> Run:
    """Start both; the secrets of the emulator are in the variables, the rest of the connection in the environment."""
    folder.mkdir()
    (folder / "scenario.json").write_text(json.dumps(scenario(folder, timeline)), encoding="utf-8")
    own = {"cwd": folder, "stdin": subprocess.DEVNULL}
    files = ("--scenario", "scenario.json", "--state-file", "state.json", "--request-log", "requests.jsonl")
    emulator: subprocess.Popen[bytes] = subprocess.Popen(
        [sys.executable, str(INSTALLED / "playbooks" / "emulator"), *files, "--parent-pid", str(os.getpid())],
        stdout=subprocess.DEVNULL,
        **own,
    )
    while not (folder / "state.json").exists():
        assert emulator.poll() is None, "the emulator did not start"
        time.sleep(0.02)
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    given = {name: state[name] for name in ("access_key", "secret_key")}
    given |= {"pool_name": POOL, "request": REQUEST, "poll_interval": 1, **variables}
    (folder / "variables.json").write_text(json.dumps(given), encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "HOME": str(folder),
        "MODELARTS_ENDPOINT": state["endpoint"],
        "OS_PROJECT_ID": state["project_id"],
        "OS_ACCESS_KEY": given["access_key"],
        "OS_SECRET_KEY": given["secret_key"],
        "RESULT": str(folder / "result.json"),
    }
    words = [
        "ansible-rulebook",
        "--rulebook",
        rulebook,
        "--vars",
        "variables.json",
        "--inventory",
        "inventory.yml",
        *more,
    ]
    (folder / "inventory.yml").write_bytes((HERE / "inventory.yml").read_bytes())
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(words, env=environment, stdout=output, stderr=subprocess.STDOUT, **own)
    return Run(folder, emulator, state, process)


# Counted in looks at the nodes, so that no change is missed between two looks of a busy machine.
DAY = (
    {"after_reads": 2, "end": "it"},
    {"after_reads": 4, "add": {"name": "next", "status": "Running", "replicas": 2, "resources": RESOURCES}},
    {"after_reads": 6, "remove": "next"},
    {"after_reads": 8, "add": {"name": "the-last", "status": "Queue", "resources": {"nvidia.com/gpu": 1}}},
)


@pytest.fixture(scope="module", name="runs")
def fixture_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Side by side, as most of their time is that of a look."""
    place = tmp_path_factory.mktemp("rulebook")
    deployment = {"deployment_playbook": str(HERE / "deploy.yml"), "policy": {"stable_seconds": 1}}
    ready = "poolgate.modelarts.deploy_when_there_is_room"
    every_change = str(HERE / "every_change.yml")
    runs = {
        "deploy": start(place / "deploy", DAY[:1], ready, **deployment),
        "changes": start(place / "changes", DAY, every_change, "-vv", keep_playbook=str(HERE / "keep.yml")),
        "refused": start(place / "refused", (), every_change, "-vv", keep_playbook="none", secret_key="not-the-key"),
    }
    yield runs
    for run in runs.values():
        run.stop()


def test_a_job_ends_and_the_deployment_passes_its_gate_and_runs(runs: dict[str, Run]) -> None:
    code, printed = runs["deploy"].ended()
    assert code == 0, printed
    assert "ADMIT train: it fits now" in printed
    result = runs["deploy"].result()
    assert result["pool"] == result["event"]["pool"] == POOL
    assert result["event"]["change"] == "room_appeared"
    assert result["event"]["at_start"] is False
    assert printed.count("PLAY [Deploy to the pool that has room]") == 1
    assert "ERROR" not in printed


def test_every_change_is_an_event_once(runs: dict[str, Run]) -> None:
    code, printed = runs["changes"].ended()
    assert code == 0, printed
    blocks = re.findall(r"^\*\* \S+ \S+ \[event\] \*+\n(.*?)\n\*{80}$", printed, re.MULTILINE | re.DOTALL)
    events = [ast.literal_eval(block) for block in blocks]
    assert [(event["change"], event.get("ended_by")) for event in events][:7] == [
        ("job_ended", "status"),
        ("room_appeared", None),
        ("job_appeared", None),
        ("room_gone", None),
        ("job_ended", "disappearance"),
        ("room_appeared", None),
        ("job_appeared", None),
    ]
    assert events[6]["job"]["job_name"] == "the-last"
    assert {event["meta"]["source"]["name"] for event in events} == {"pools"}


def test_a_name_that_is_a_template_stays_text(runs: dict[str, Run]) -> None:
    runs["changes"].ended()
    result = runs["changes"].result()
    assert result["job_name"] == result["event"]["job"]["job_name"]
    assert re.match(r"\?\? lookup\(\?ansible\.builtin\.pipe\?, \?touch .*executed\?\) \?\?$", result["job_name"])
    assert result["event"]["job"]["user_name"] == "?? 1234 * 5678 ??"
    assert not (runs["changes"].folder / "executed").exists()


def test_refused_credentials_end_it_with_one_sentence_and_one_request(runs: dict[str, Run]) -> None:
    code, printed = runs["refused"].ended()
    assert code == 1, printed
    assert re.search(r"ModelArtsError: GET \S+ returned 401 \(APIG\.0301: .*Check the credentials", printed)
    assert len(re.findall(r" - ERROR - /", printed)) == 2, "frames of Python, which hide the sentence"
    assert len(runs["refused"].requests()) == 1


def test_no_secret_is_printed_at_any_verbosity(runs: dict[str, Run]) -> None:
    for name in ("changes", "refused"):
        _code, printed = runs[name].ended()
        assert "DEBUG" in printed
        state = runs[name].state
        for secret in (state["secret_key"], "not-the-key", state["auth_token"], state["password"]):
            assert secret not in printed
        assert not re.search(r"Signature=|X-Sdk-Date|X-Auth-Token", printed)


def test_the_guide_is_as_it_says() -> None:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2])}
    command = [sys.executable, str(COLLECTION / "tests" / "integration" / "targets" / "guides" / "run_guides.py")]
    ended = subprocess.run(
        [*command, "guide_events"], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
