# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and workflows as AWX runs them: its own injector for credentials, ansible-runner for playbooks.

What is between these parts follows awx/main/tasks (jobs, callbacks), awx/main/models/workflow.py and
awx/main/scheduler/dag_workflow.py of AWX 24.6. There is no container, so that the private data directory, which a
container has as /runner, is where it is.
"""

from __future__ import annotations

import copy
import shutil
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import ansible_runner
import yaml
from awx_plugins.interfaces._temporary_private_api import ManagedCredentialType
from awx_plugins.interfaces._temporary_private_container_api import CONTAINER_ROOT
from awx_plugins.interfaces._temporary_private_credential_api import Credential
from awx_plugins.interfaces._temporary_private_inject_api import build_safe_env, inject_credential
from controller import Controller, Document


class UnsafeDumper(yaml.SafeDumper):
    """Writes texts as AWX writes those of extra variables: Ansible must not take them for templates."""

    def represent_data(self, data: t.Any) -> yaml.Node:
        return self.represent_scalar("!unsafe", data) if isinstance(data, str) else super().represent_data(data)


@dataclass
class Job:
    """What AWX keeps of a job, and the folder that it had."""

    template: str
    folder: Path
    status: str = ""
    artifacts: Document = field(default_factory=dict)
    events: list[Document] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    injected: dict[str, str] = field(default_factory=dict)
    extra_vars: Document = field(default_factory=dict)

    @property
    def output(self) -> str:
        return "\n".join(event["stdout"] for event in self.events)


@dataclass
class Awx:
    """Runs what a controller holds, in the ``environment`` that an execution environment gives."""

    controller: Controller
    environment: dict[str, str]
    folder: Path

    def launch(self, name: str, extra_vars: Document, verbosity: int = 0) -> Job:
        """Run a job template to its end."""
        template = self.controller.named("job_templates", name)
        number = len(list(self.folder.iterdir())) + 1
        job = Job(name, self.folder / f"awx_{number}", extra_vars=extra_vars)
        for part in ("env", "inventory"):
            (job.folder / part).mkdir(parents=True)
        shutil.copytree(self.controller.project, job.folder / "project")
        (job.folder / "inventory" / "hosts").write_text("[all]\n", encoding="utf-8")
        (job.folder / "env" / "extravars").write_text(yaml.dump(extra_vars, Dumper=UnsafeDumper), encoding="utf-8")
        env = dict(self.environment)
        safe_env = build_safe_env(env)
        arguments: list[str] = []
        for credential_id in self.controller.linked(template, "credentials"):
            credential = self.controller.by_id(credential_id)
            kind = self.controller.by_id(credential["credential_type"])
            injected: dict[str, t.Any] = {}
            inject_credential(
                ManagedCredentialType("", kind["name"], kind["kind"], kind["inputs"], kind["injectors"]),
                Credential(credential["inputs"]),
                injected,
                safe_env,
                arguments,
                str(job.folder),
            )
            mounted = {name: value.replace(f"{CONTAINER_ROOT}/", f"{job.folder}/") for name, value in injected.items()}
            job.injected.update(mounted)
        env.update(job.injected)

        def started(status: Document, runner_config: t.Any) -> None:
            if status["status"] == "starting":
                job.env = {name: safe_env.get(name, value) for name, value in runner_config.env.items()}

        def happened(event: Document) -> bool:
            job.events.append(copy.deepcopy(event))
            if event.get("event_data", {}).get("artifact_data"):
                job.artifacts = event["event_data"]["artifact_data"]
            return False

        runner = ansible_runner.run(
            private_data_dir=str(job.folder),
            ident=str(number),
            playbook=template["playbook"],
            inventory=str(job.folder / "inventory" / "hosts"),
            envvars=env,
            cmdline=" ".join(arguments) or None,
            verbosity=verbosity or None,
            suppress_env_files=True,
            settings={"job_timeout": 180, "suppress_ansible_output": True, "suppress_output_file": False},
            event_handler=happened,
            status_handler=started,
        )
        job.status = runner.status
        return job

    def launch_workflow(self, name: str, answers: Document, verbosity: int = 0) -> list[Job]:
        """Run a workflow along its own nodes; the jobs in the order in which they ran."""
        workflow = self.controller.named("workflow_job_templates", name)
        nodes = self.controller.search("workflow_job_template_nodes", {"workflow_job_template": str(workflow["id"])})
        relations = ("success_nodes", "failure_nodes", "always_nodes")
        linked = self.controller.linked
        children = {number for node in nodes for relation in relations for number in linked(node, relation)}
        ready: list[tuple[Document, Document]] = [(node, {}) for node in nodes if node["id"] not in children]
        jobs = []
        while ready:
            node, artifacts = ready.pop(0)
            template = self.controller.by_id(node["unified_job_template"])
            job = self.launch(template["name"], {**artifacts, **answers}, verbosity)
            jobs.append(job)
            ended = "success_nodes" if job.status == "successful" else "failure_nodes"
            for relation in (ended, "always_nodes"):
                for number in linked(node, relation):
                    ready.append((self.controller.by_id(number), {**artifacts, **job.artifacts}))
        return jobs
