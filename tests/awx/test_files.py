# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of extensions/awx: what the collection reads, what AWX refuses, and what ansible-builder makes of them."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS, ENVIRONMENT
from conftest import COLLECTION
from controller import Controller, Document, RefusedError, check_credential_type, check_survey, secret_fields
from packaging.requirements import Requirement
from run_guides import Reader

TYPES = ["ModelArts access key", "ModelArts token", "ModelArts user", "ModelArts clouds.yaml", "ModelArts claim store"]
SECRETS = {*(name for name, option in CONNECTION_OPTIONS.items() if option.get("no_log")), "clouds_yaml"}
OF_OPENSTACKSDK = {"clouds_yaml": "OS_CLIENT_CONFIG_FILE"}
OF_CLAIMS = {"store": "MODELARTS_CLAIM_STORE", "password": "PGPASSWORD", "root_certificate": "PGSSLROOTCERT"}


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("name", TYPES)
def test_a_credential_type_feeds_options_and_hides_their_secrets(controller: Controller, name: str) -> None:
    kind = controller.named("credential_types", name)
    fields = [field["id"] for field in kind["inputs"]["fields"]]
    assert {*secret_fields(kind)} == SECRETS & {*fields}
    env = kind["injectors"]["env"]
    injected = {re.sub(r"\{\{ |tower\.filename\.| if .*| \}\}", "", text): variable for variable, text in env.items()}
    assert list(injected) == fields
    for field, variable in injected.items():
        assert variable in (OF_OPENSTACKSDK.get(field), OF_CLAIMS.get(field)) or variable in ENVIRONMENT[field]


def broken(kind: Document, part: str, change: t.Callable[[t.Any], object]) -> Document:
    changed = copy.deepcopy(kind)
    change(changed[part])
    return changed


@pytest.mark.usefixtures("reader")
def test_what_awx_refuses_is_refused_here(controller: Controller) -> None:
    """The control of the rules that the files have passed."""
    kind = controller.named("credential_types", "ModelArts clouds.yaml")
    check_credential_type(copy.deepcopy(kind))
    wrong = [
        broken(kind, "injectors", lambda one: one["env"].update(ANSIBLE_CONFIG="x")),
        broken(kind, "injectors", lambda one: one["env"].update(PATH="x")),
        broken(kind, "injectors", lambda one: one["env"].update(OS_REGION_NAME="{{ region }}")),
        broken(kind, "injectors", lambda one: one["file"].clear()),
        broken(kind, "inputs", lambda one: one["fields"].append({"id": "cloud", "label": "again"})),
    ]
    for one in wrong:
        with pytest.raises(RefusedError):
            check_credential_type(one)
    survey = controller.surveys[controller.named("job_templates", "ModelArts gate")["related"]["survey_spec"]]
    with pytest.raises(RefusedError):
        check_survey({**survey, "spec": [*survey["spec"], {**survey["spec"][2], "variable": "x", "default": "0"}]})


@pytest.mark.usefixtures("reader")
def test_the_survey_asks_for_variables_of_the_role(controller: Controller) -> None:
    specs = yaml.safe_load((COLLECTION / "roles/capacity_gate/meta/argument_specs.yml").read_text(encoding="utf-8"))
    names = ("job_templates", "ModelArts gate"), ("workflow_job_templates", "ModelArts gate and deploy")
    job_template, workflow = (controller.named(*name) for name in names)
    survey = controller.surveys[job_template["related"]["survey_spec"]]
    assert {question["variable"] for question in survey["spec"]} < {*specs["argument_specs"]["main"]["options"]}
    assert controller.surveys[workflow["related"]["survey_spec"]] == survey
    assert job_template["survey_enabled"]
    assert workflow["survey_enabled"]


@pytest.mark.usefixtures("reader")
def test_deployments_come_one_after_the_other(controller: Controller) -> None:
    assert not controller.named("workflow_job_templates", "ModelArts gate and deploy")["allow_simultaneous"]
    assert not controller.named("job_templates", "ModelArts gate")["allow_simultaneous"]


def test_job_templates_and_workflow_can_be_applied_again(reader: Reader, controller: Controller) -> None:
    """Nothing is written, as AWX would keep each value as it stands in the files."""
    controller.writes.clear()
    again = "ansible-playbook configure_awx.yml --extra-vars @own.yml --start-at-task 'Job templates'"
    assert reader.shell(again, reader.environment) == 0
    assert reader.printed.count("ok: [localhost]") == 4
    assert controller.writes == []


def test_an_execution_environment_has_the_collection_and_its_libraries(reader: Reader, tmp_path: Path) -> None:
    """The context that the guide's reader has created, installed as its build does."""
    context = reader.home / "context"
    build = next(path for path in (context / "Dockerfile", context / "Containerfile") if path.exists())
    containerfile = build.read_text(encoding="utf-8")
    refs = re.search(r'^ARG ANSIBLE_INSTALL_REFS="(.*)"$', containerfile, re.MULTILINE)
    assert refs
    assert [Requirement(word).name for word in refs[1].split()] == ["ansible-core", "ansible-runner"]
    command = re.search(r"(ansible-galaxy collection install) \S+ (-r \S+ --collections-path) ", containerfile)
    assert command
    empty = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path)}
    subprocess.run(f"{command[1]} {command[2]} {tmp_path}", cwd=context / "_build", env=empty, shell=True, check=True)
    introspect = ["ansible-builder", "introspect", str(tmp_path)]
    told = subprocess.run(introspect, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = (COLLECTION / "meta" / "ee-requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    found = yaml.safe_load(told)
    assert [line.partition("#")[0].strip() for line in found["python"]] == wanted
    assert found["system"] == []
