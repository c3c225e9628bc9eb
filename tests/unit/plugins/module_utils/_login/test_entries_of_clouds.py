# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of clouds.yaml beside other options."""

from __future__ import annotations

import json
import logging
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import (
    ISSUED,
    SECRETS,
    ScriptedIam,
    entry,
    leaked,
    login,
    prepared,
)

HOST = "target-7"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


# clouds.yaml


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[object], None]:
    file = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(content: object) -> None:
        file.write_text(content if isinstance(content, str) else json.dumps({"clouds": content}))

    return write


@pytest.mark.parametrize("suffix", ["", "/v3"])
def test_an_entry_of_clouds_yaml_logs_in(clouds: t.Callable[[object], None], suffix: str) -> None:
    with ScriptedIam(login()) as iam:
        clouds({"otc": entry(iam.url + suffix, region_name="eu-nl", verify=False), "other": entry("https://x.example")})
        connection = connect({"cloud": "otc"}, where=HOST)
        assert not iam.seen
        assert prepared(connection).headers["X-Auth-Token"] == ISSUED
        assert connection.project() == "p-scope"
        assert connection.base_url() == "https://modelarts.eu-nl.otc.t-systems.com"
        assert connection.verify is False
        assert connection.method == "cloud"
    assert [(seen.method, seen.path) for seen in iam.seen] == [("POST", "/v3/auth/tokens")]
    assert iam.seen[0].body["auth"]["identity"]["password"]["user"]["password"] == SECRETS["password"]
    assert iam.seen[0].body["auth"]["scope"] == {"project": {"name": "eu-de_ml", "domain": {"name": "acme"}}}
    assert SECRETS["password"] in connection.secrets


def test_a_certificate_file_of_clouds_yaml_has_to_be_there(clouds: t.Callable[[object], None]) -> None:
    clouds({"otc": entry("https://iam.example.com", cacert="/no/such/file")})
    with pytest.raises(InputError, match=r"otc of clouds\.yaml on target-7 has a cacert that names .* '/no/such/file'"):
        connect({"cloud": "otc"}, where=HOST)


def test_options_come_before_clouds_yaml(clouds: t.Callable[[object], None], tmp_path: Path) -> None:
    clouds({"otc": entry("https://iam.example.com", region_name="eu-nl", verify=False, cacert="/no/such")})
    options = {"cloud": "otc", "region": "eu-nl", "validate_certs": "yes", "ca_path": str(tmp_path)}
    connection = connect(options, where=HOST)
    assert (connection.region, connection.verify) == ("eu-nl", str(tmp_path))


def test_a_region_that_the_entry_of_clouds_yaml_does_not_have(clouds: t.Callable[[object], None]) -> None:
    clouds({"otc": entry("https://iam.example.com", region_name="eu-nl")})
    with pytest.raises(InputError, match="is for region eu-nl, not eu-de: set another cloud or region"):
        connect({"cloud": "otc", "region": "eu-de"}, where=HOST)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"other": entry("https://x.example")}, "known are other"),
        ({"otc": {"auth": {"password": SECRETS["password"]}}}, "lacks auth_url|cannot be used"),
        ({"otc": entry("http://iam.example.com")}, "must start with https"),
        ({"otc": entry("https://user:S3CR3T@iam.example.com")}, "must be a URL"),
        ({"otc": {"auth_type": "none", "auth": {"endpoint": "https://x"}}}, "does not log in"),
        ({"otc": entry("https://x.example", auth_type="no-such-type")}, "cannot be used"),
        (f"clouds:\n otc:\n  auth:\n   password: {SECRETS['password']}: [\n", "known are none|cannot be used"),
        ("[]", "cannot be used|does not exist"),
    ],
)
def test_clouds_yaml_that_cannot_be_used(
    clouds: t.Callable[[object], None], content: object, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clouds(content)
    with pytest.raises(InputError, match=expected) as failure:
        connect({"cloud": "otc"}, where=HOST)
    assert HOST in str(failure.value)
    assert not leaked(str(failure.value))
    assert not leaked(caplog.text)
