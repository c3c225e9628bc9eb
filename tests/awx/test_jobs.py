# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate as a job, with each way to log in, and the workflow, on real parts: see jobs.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.poolgate.modelarts.playbooks.emulator.iam import TOKEN_PREFIX
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from conftest import CREDENTIALS, GUIDE
from controller import Controller, Document
from jobs import Awx, Job
from secret_search import found_in

POOL = "pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03"
WORKFLOW = "ModelArts gate and deploy"
# As the survey gives them: a textarea is text, an integer is a number.
FITS: Document = {
    "capacity_gate_pools": "train-a100\n",
    "capacity_gate_request": '{"type": "train",\n "replicas": "2", "resources": {"nvidia.com/gpu": "8"}}\n',
    "capacity_gate_wait_timeout": 0,
}
FULL: Document = {
    "capacity_gate_pools": "train-a100\npool-npu-dev-9d40c1b7e2f64a538b0f6ac3d51e7284",
    "capacity_gate_request": '{"type": "train", "replicas": 4, "resources": {"nvidia.com/gpu": 8}}',
    "capacity_gate_wait_timeout": "1",
}


def inputs(emulator: Emulator, method: str) -> tuple[str, Document]:
    """The name of the credential type, and its inputs."""
    mine = emulator.credentials
    place = {"project_id": mine.project_id, "region": emulator.region, "endpoint": emulator.endpoint}
    login = {"auth_url": emulator.iam_url, "username": mine.username, "password": mine.password}
    user = {**login, "domain_name": mine.domain_name, "project_name": mine.project_name}
    auth = {**login, "user_domain_name": mine.domain_name, "project_id": mine.project_id}
    clouds = {"clouds": {"otc": {"auth": auth, "region_name": emulator.region}}}
    temporary = {"access_key": mine.temporary_access_key, "secret_key": mine.temporary_secret_key}
    return {
        "aksk": ("access key", {"access_key": mine.access_key, "secret_key": mine.secret_key, **place}),
        "temporary aksk": ("access key", {**temporary, "security_token": mine.security_token, **place}),
        "token": ("token", {"auth_token": mine.auth_token, **place}),
        "password": ("user", user),
        "cloud": ("clouds.yaml", {"clouds_yaml": yaml.safe_dump(clouds), "cloud": "otc"}),
    }[method]


def log_in(controller: Controller, emulator: Emulator, method: str, **changed: str) -> None:
    """Give the credential that the job templates have another type and other inputs."""
    name, values = inputs(emulator, method)
    kind = controller.named("credential_types", f"ModelArts {name}")
    values = {**values, **changed}
    controller.update(controller.named("credentials", "ModelArts"), {"credential_type": kind["id"], "inputs": values})


def found(text: str) -> list[str]:
    """Secrets that the text shows, in any spelling."""
    return found_in(text, {**CREDENTIALS, "an issued token": TOKEN_PREFIX})


def files_with_secrets(folder: Path) -> set[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"command", "stdout", "extravars"} <= {path.name for path in files}
    return {str(path.relative_to(folder)) for path in files if found(path.read_text("utf-8", "replace"))}


@pytest.mark.parametrize("method", ["aksk", "temporary aksk", "token", "password", "cloud"])
def test_each_credential_type_logs_in_and_shows_no_secret(
    awx: Awx, controller: Controller, emulator: Emulator, method: str
) -> None:
    log_in(controller, emulator, method)
    asked = len(emulator.requests)
    job = awx.launch("ModelArts gate", FITS, verbosity=5)
    assert job.status == "successful", job.output
    assert "ADMIT train-a100: it fits now" in job.output
    seen = {entry["auth"] for entry in emulator.requests[asked:] if entry["auth"]}
    by_iam = method in ("password", "cloud")
    assert seen == {"token" if by_iam else method}
    assert any(entry["path"] == "/v3/auth/tokens" for entry in emulator.requests[asked:]) == by_iam
    for kept in (job.output, json.dumps(job.events), json.dumps(job.artifacts), json.dumps(job.env)):
        assert found(kept) == []
    hidden = {name for name, value in job.env.items() if value == "*" * 10}
    assert hidden == {name for name, value in job.injected.items() if found(value)}
    # Where the credential has to be, in a folder that AWX removes after the job: ansible-runner notes the environment
    # of its command, and a file is a file.
    needed = job.folder / "artifacts/1/command" if hidden else Path(job.injected["OS_CLIENT_CONFIG_FILE"])
    assert files_with_secrets(awx.folder.parent) == {str(needed.relative_to(awx.folder.parent))}


def run(awx: Awx, answers: Document, verbosity: int = 0) -> tuple[list[str], Job, Job]:
    """The templates and results of a workflow's jobs, the gate, and what came after it."""
    jobs = awx.launch_workflow(WORKFLOW, answers, verbosity)
    gate, after = jobs
    return [f"{job.template}: {job.status}" for job in jobs], gate, after


def test_a_pool_with_room_is_deployed_to(awx: Awx, controller: Controller, emulator: Emulator) -> None:
    log_in(controller, emulator, "aksk")
    ran, gate, deploy = run(awx, FITS)
    assert ran == ["ModelArts gate: successful", "ModelArts deploy: successful"]
    verdict = gate.artifacts["capacity_gate_verdict"]
    assert (verdict["decision"], verdict["pool"]) == ("admit", POOL)
    assert deploy.extra_vars["capacity_gate_verdict"] == verdict
    assert f"Here the job is submitted to {POOL}." in deploy.output


def test_a_full_pool_is_told_about(awx: Awx, controller: Controller, emulator: Emulator) -> None:
    log_in(controller, emulator, "token")
    ran, gate, notify = run(awx, FULL)
    assert ran == ["ModelArts gate: failed", "ModelArts notify: successful"]
    verdict = gate.artifacts["capacity_gate_verdict"]
    assert verdict["decision"] == "wait"
    assert notify.extra_vars["capacity_gate_verdict"] == verdict
    sentence = f"Nothing was deployed to {POOL}: wait (nvidia.com/gpu short 7 of 32, placement)."
    assert sentence in notify.output
    assert sentence in GUIDE.read_text(encoding="utf-8")


def test_a_gate_without_a_verdict_is_told_about(awx: Awx, controller: Controller, emulator: Emulator) -> None:
    log_in(controller, emulator, "aksk", access_key="UNKNOWNACCESSKEY0001")
    ran, gate, notify = run(awx, FITS, verbosity=5)
    assert ran == ["ModelArts gate: failed", "ModelArts notify: successful"]
    verdict = gate.artifacts["capacity_gate_verdict"]
    assert (verdict["decision"], verdict["pool"], verdict["attempts"]) == ("unknown", "", 0)
    assert "APIG.0301" in gate.output
    assert "the gate failed before it could decide" in notify.output
    assert found(json.dumps([*gate.events, *notify.events])) == []
    assert files_with_secrets(awx.folder) == {"awx_1/artifacts/1/command"}


def test_nothing_is_deployed_without_a_gate(awx: Awx) -> None:
    job = awx.launch("ModelArts deploy", {})
    assert job.status == "failed"
    assert "No gate has let this through" in job.output


def test_an_answer_of_the_survey_is_no_template(awx: Awx, controller: Controller, emulator: Emulator) -> None:
    log_in(controller, emulator, "aksk")
    job = awx.launch("ModelArts gate", {**FITS, "capacity_gate_pools": "{{ lookup('pipe', 'id') }}"})
    assert job.status == "failed"
    assert "is not a pool ID" in job.output
    assert "uid=" not in job.output
