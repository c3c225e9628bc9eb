# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup on servers whose data hold secrets, or that repeat them. See module_utils/test_secrets.py."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.lookup import modelarts_workloads
from ansible_collections.poolgate.modelarts.tests.unit.cloud.info_module import POOL, forget_settings, run_with
from ansible_collections.poolgate.modelarts.tests.unit.cloud.secrets_in_data import (
    REPEATING,
    SHORT_OR_WORDS,
    TOKEN,
    Facts,
    job,
    jobs,
    jobs_with,
    login_with,
)
from ansible_collections.poolgate.modelarts.tests.unit.core import VARIABLES
from ansible_collections.poolgate.modelarts.tests.unit.scripted import ScriptedServer

Start = t.Callable[..., ScriptedServer]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_settings(monkeypatch)
    monkeypatch.setattr(constants.config, "_config_file", None)
    monkeypatch.setattr(modelarts_workloads, "_connections", {})


def look_up(url: str, **options: t.Any) -> t.Any:
    templar = Templar(loader=DataLoader(), variables=dict(VARIABLES))
    lookup = modelarts_workloads.LookupModule(loader=None, templar=templar)
    given = {"endpoint": url, "project_id": "p1", "max_retries": 0, **options}
    return lookup.run([POOL], variables=templar.available_variables, **given)


@pytest.mark.parametrize("secret", SHORT_OR_WORDS)
@pytest.mark.parametrize("option", ["auth_token", "secret_key", "password"])
def test_a_secret_that_is_short_or_a_word_of_the_data_is_refused_before_anything_is_sent(
    option: str, secret: str, script: Start
) -> None:
    server = script(jobs(job()))
    with pytest.raises(AnsibleLookupError, match=rf"^{option} is too short, a number, or a word of every answer"):
        look_up(server.url, **login_with(option, secret, server.url))
    assert server.seen == []


@pytest.mark.parametrize("own", jobs_with("vision-a"), ids=["type", "address", "amount"])
def test_a_secret_that_the_facts_hold_ends_in_a_sentence_and_never_in_other_facts(own: Facts, script: Start) -> None:
    with pytest.raises(AnsibleLookupError, match="use another one, or another way to log in"):
        look_up(script(jobs(own)).url, auth_token="vision-a")


def test_where_nothing_is_secret_it_returns_what_the_module_returns(
    script: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    server = script(jobs(job(), job(uid="u-2", type="infer")))
    result = run_with(capsys)(server.url, auth_token=TOKEN)
    assert look_up(server.url, auth_token=TOKEN) == result["workloads"]


@pytest.mark.parametrize("name", ["jobName", "userName"])
def test_a_secret_as_the_name_of_a_job_is_hidden_and_stops_nothing(name: str, script: Start) -> None:
    server = script(jobs(job(**{name: f"x {TOKEN} y"}), job(uid="u-2", newField={TOKEN: [TOKEN]})))
    found = look_up(server.url, auth_token=TOKEN)
    assert found[0]["job_name" if name == "jobName" else "user_name"] == "x ******** y"
    assert found[0]["type"] == "train"
    assert TOKEN not in json.dumps(found)


@pytest.mark.parametrize("place", REPEATING)
def test_a_secret_is_hidden_wherever_a_server_repeats_it(place: str, script: Start) -> None:
    with pytest.raises(AnsibleLookupError) as looked_up:
        look_up(script(REPEATING[place]).url, auth_token=TOKEN)
    assert TOKEN[:12] not in str(looked_up.value)
    assert "pppppppp" not in str(looked_up.value)
