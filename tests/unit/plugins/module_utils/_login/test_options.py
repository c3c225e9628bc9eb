# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of options, their order, and what names them."""

from __future__ import annotations

import os
import re
import typing as t

import pytest
import yaml
from ansible_collections.poolgate.modelarts.plugins.doc_fragments.connection import ModuleDocFragment
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    environment_level,
    merge_levels,
    variables_level,
)
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import PASSWORD, REFERENCE, SECRETS, leaked
from hypothesis import given, settings
from hypothesis import strategies as st

HOST = "target-7"
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
Level = dict[str, t.Any]


@pytest.mark.parametrize("value", [16**5000, -(16**5000), 10**301], ids=["huge", "negative", "longer than a float"])
@pytest.mark.parametrize("option", ["timeout", "connections", "endpoint", "auth_token", "validate_certs"])
def test_a_number_without_end_is_refused_at_every_level(option: str, value: int) -> None:
    for levels in ([{option: value}], [{}, {option: value}]):
        with pytest.raises(InputError, match=f"^{option} is a number of more than 300 digits"):
            merge_levels(*levels)


@pytest.mark.parametrize(
    ("task", "variables", "environ", "expected"),
    [
        pytest.param({}, {}, {}, {}, id="nothing"),
        pytest.param(
            {"region": "eu-de"},
            {"modelarts_region": "eu-nl"},
            {"MODELARTS_REGION": "eu-ch2", "OS_REGION_NAME": "x"},
            {"region": "eu-de"},
            id="the option before the variable before the environment",
        ),
        pytest.param(
            {}, {"modelarts_region": "eu-nl"}, {"MODELARTS_REGION": "eu-ch2"}, {"region": "eu-nl"}, id="variable next"
        ),
        pytest.param(
            {},
            {},
            {"HW_REGION_NAME": "hw", "OS_REGION_NAME": "os", "MODELARTS_REGION": "own"},
            {"region": "own"},
            id="our name before the vendors'",
        ),
        pytest.param({}, {}, {"HW_REGION_NAME": "hw", "OS_REGION_NAME": "os"}, {"region": "os"}, id="OS before HW"),
        pytest.param(
            {},
            {},
            {"HUAWEICLOUD_SDK_PROJECT_ID": "sdk", "HW_PROJECT_ID": "hw"},
            {"project_id": "hw"},
            id="HW before HUAWEICLOUD_SDK",
        ),
        pytest.param(
            {"auth_token": "", "region": None},
            {"modelarts_auth_token": None, "modelarts_region": ""},
            {"OS_TOKEN": "", "OS_AUTH_TOKEN": "t", "OS_REGION_NAME": "", "HW_REGION_NAME": "r"},
            {"auth_token": "t", "region": "r"},
            id="empty is unset",
        ),
        pytest.param(
            {"validate_certs": False, "max_retries": 0},
            {"modelarts_validate_certs": True, "modelarts_max_retries": 3},
            {},
            {"validate_certs": False, "max_retries": 0},
            id="false and zero are set",
        ),
        pytest.param(
            {"cloud": "otc"},
            {"modelarts_access_key": "a", "modelarts_secret_key": "s"},
            {"OS_TOKEN": "t", "OS_USERNAME": "u"},
            {"cloud": "otc"},
            id="the highest level that names a method decides it",
        ),
        pytest.param(
            {"timeout": 5},
            {"modelarts_username": "u"},
            {"OS_TOKEN": "t", "OS_PASSWORD": "p", "OS_ACCESS_KEY": "a"},
            {"timeout": 5, "username": "u", "password": "p"},
            id="a level that names none leaves it to the next",
        ),
        pytest.param(
            {"access_key": "a"},
            {"modelarts_secret_key": "s"},
            {"OS_ACCESS_KEY": "b", "OS_SECRET_KEY": "c", "OS_TOKEN": "t"},
            {"access_key": "a", "secret_key": "s"},
            id="lower levels fill what the method lacks",
        ),
        pytest.param(
            {"access_key": "a"},
            {"modelarts_auth_token": "t"},
            {"OS_USERNAME": "u", "OS_PASSWORD": "p"},
            {"access_key": "a"},
            id="half a method stays half",
        ),
        pytest.param(
            {"auth_token": "t", "access_key": "a", "secret_key": "s", "username": "u", "password": "p", "cloud": "c"},
            {},
            {},
            {"auth_token": "t"},
            id="in one level: token first",
        ),
        pytest.param(
            {"access_key": "a", "secret_key": "s", "username": "u", "password": "p", "cloud": "c"},
            {},
            {},
            {"access_key": "a", "secret_key": "s"},
            id="in one level: keys second",
        ),
        pytest.param(
            {"username": "u", "password": "p", "cloud": "c"},
            {},
            {},
            {"username": "u", "password": "p"},
            id="in one level: password third",
        ),
        pytest.param({"password": "p"}, {}, {"OS_TOKEN": "t"}, {"password": "p"}, id="a password alone names it too"),
        pytest.param({"secret_key": "s"}, {}, {"OS_TOKEN": "t"}, {"secret_key": "s"}, id="a secret key alone names it"),
        pytest.param(
            {"domain_name": "task", "auth_url": "https://task"},
            {},
            {"OS_USERNAME": "u", "OS_DOMAIN_NAME": "env", "OS_AUTH_URL": "https://env"},
            {"username": "u", "domain_name": "task", "auth_url": "https://task"},
            id="a field above the level that names the method counts",
        ),
        pytest.param(
            {},
            {},
            {"OS_USER_DOMAIN_NAME": "user", "OS_DOMAIN_NAME": "domain", "HW_DOMAIN_NAME": "hw", "OS_USERNAME": "u"},
            {"username": "u", "domain_name": "user"},
            id="the user's domain before the domain",
        ),
        pytest.param(
            {"access_key": "a", "secret_key": "s"},
            {},
            {"HW_SECURITY_TOKEN": "stale"},
            {"access_key": "a", "secret_key": "s"},
            id="a stale security token does not join a permanent key",
        ),
        pytest.param(
            {"access_key": "a", "secret_key": "s", "security_token": "own"},
            {},
            {"HW_SECURITY_TOKEN": "stale"},
            {"access_key": "a", "secret_key": "s", "security_token": "own"},
            id="a key's own security token",
        ),
        pytest.param(
            {"access_key": "a"},
            {},
            {"HW_SECRET_KEY": "s", "HW_SECURITY_TOKEN": "st"},
            {"access_key": "a", "secret_key": "s", "security_token": "st"},
            id="a security token from where the pair was completed",
        ),
        pytest.param(
            {},
            {},
            {
                "OS_ACCESS_KEY": "half",
                "OS_SECURITY_TOKEN": "stale",
                "HW_ACCESS_KEY": "a",
                "HW_SECRET_KEY": "s",
                "HUAWEICLOUD_SDK_AK": "c",
                "HUAWEICLOUD_SDK_SK": "d",
                "HUAWEICLOUD_SDK_SECURITY_TOKEN": "e",
            },
            {"access_key": "a", "secret_key": "s"},
            id="a vendor with the pair gives all of it",
        ),
        pytest.param(
            {},
            {},
            {"OS_ACCESS_KEY": "a", "HW_SECRET_KEY": "s"},
            {"access_key": "a", "secret_key": "s"},
            id="no vendor with the pair: each key by itself",
        ),
        pytest.param(
            {"project_name": "mine"},
            {},
            {"OS_PROJECT_ID": "other", "OS_PROJECT_NAME": "another", "OS_TOKEN": "t"},
            {"auth_token": "t", "project_name": "mine"},
            id="a project's name is not overruled by an ID from below",
        ),
        pytest.param(
            {}, {"modelarts_project_id": "mine"}, {"OS_PROJECT_NAME": "other"}, {"project_id": "mine"}, id="nor its ID"
        ),
        pytest.param(
            {},
            {},
            {"HW_PROJECT_ID": "other", "OS_TENANT_NAME": "mine"},
            {"project_name": "mine"},
            id="nor in the environment",
        ),
        pytest.param(
            {"cloud": "otc"},
            {},
            {"OS_AUTH_URL": "https://x", "OS_PROJECT_NAME": "y", "OS_CACERT": "/ca", "MODELARTS_TIMEOUT": "9"},
            {"cloud": "otc", "ca_path": "/ca", "timeout": "9"},
            id="general options are filled whatever the method",
        ),
        pytest.param(
            {"pool_name": ["a"], "fields": []}, {"modelarts_pool_name": "b"}, {"OS_POOL": "c"}, {}, id="no other option"
        ),
    ],
)
def test_levels(task: Level, variables: Level, environ: dict[str, str], expected: Level) -> None:
    levels = (task, variables_level(variables), environment_level(environ))
    assert merge_levels(*levels) == expected
    in_two_steps = merge_levels(merge_levels(*levels[:2]), levels[2])
    assert in_two_steps == expected


LEVEL = st.dictionaries(st.sampled_from(sorted(CONNECTION_OPTIONS)), st.sampled_from(["", None, "a", "b", "c"]))


@settings(deadline=None)
@given(st.lists(LEVEL, max_size=5), st.integers(0, 5))
def test_levels_can_be_merged_from_the_top_in_any_number_of_steps(levels: list[Level], first: int) -> None:
    assert merge_levels(merge_levels(*levels[:first]), *levels[first:]) == merge_levels(*levels)


@pytest.mark.parametrize(
    ("option", "name"), [(option, name) for option, names in REFERENCE.items() for name in names.split()]
)
def test_every_name_that_users_have_in_their_environment_counts(option: str, name: str) -> None:
    assert environment_level({name: "value", "PATH": "/bin"}) == {option: "value"}


def test_every_option_can_be_a_variable() -> None:
    variables = {f"modelarts_{option}": option for option in CONNECTION_OPTIONS}
    assert variables_level({**variables, "modelarts_other": 1, "region": 2}) == {
        option: option for option in CONNECTION_OPTIONS
    }


def test_documented_options_are_the_argument_spec() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert {option: entry["type"] for option, entry in documented.items()} == {
        option: entry["type"] for option, entry in CONNECTION_OPTIONS.items()
    }
    assert all(set(entry) - {"version_added"} == {"description", "type"} for entry in documented.values())
    assert all(set(entry) <= {"type", "no_log"} for entry in CONNECTION_OPTIONS.values())
    assert {option for option, entry in CONNECTION_OPTIONS.items() if entry.get("no_log")} == set(SECRETS)


def test_documented_names_are_the_ones_that_are_read() -> None:
    prose = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    listed = yaml.safe_load(ModuleDocFragment.PLUGINS)["options"]
    for option, names in REFERENCE.items():
        assert re.findall(r"E\((\w+)\)", " ".join(prose[option]["description"])) == names.split()
        assert listed[option] == {
            "env": [{"name": name} for name in names.split()],
            "ini": [{"section": "modelarts", "key": option}],
            "vars": [{"name": f"modelarts_{option}"}],
        }
    assert not any(name.startswith("ANSIBLE_") for names in REFERENCE.values() for name in names.split())


@pytest.mark.parametrize(
    ("options", "lacking", "names"),
    [
        ({**PLACE, "access_key": "AK"}, "secret_key", "HUAWEICLOUD_SDK_SK"),
        ({**PLACE, "secret_key": SECRETS["secret_key"]}, "access_key", "HW_ACCESS_KEY"),
        ({**PLACE, "username": "u"}, "auth_url and password and domain_name", "OS_PASSWORD"),
        ({**PASSWORD, "password": ""}, "password", "OS_PASSWORD"),
        ({**PASSWORD, "username": ""}, "username", "OS_USERNAME"),
        ({**PASSWORD, "domain_name": ""}, "domain_name", "OS_USER_DOMAIN_NAME"),
        ({**PASSWORD, "project_name": ""}, "project_name", "OS_TENANT_NAME"),
        ({**PASSWORD, "auth_url": ""}, "auth_url", "OS_AUTH_URL"),
    ],
)
def test_half_a_method_is_an_error_that_names_the_rest(options: Level, lacking: str, names: str) -> None:
    with pytest.raises(InputError, match=f"but not {lacking}: set") as failure:
        connect(options, where=HOST)
    assert names in str(failure.value)
    assert HOST in str(failure.value)
    assert not leaked(str(failure.value))


def test_half_a_method_does_not_fall_back_to_another() -> None:
    levels = merge_levels({"access_key": "AK"}, {**PASSWORD, "auth_token": "t"})
    with pytest.raises(InputError, match="but not secret_key"):
        connect(levels, where=HOST)


def test_no_method_at_all() -> None:
    with pytest.raises(InputError, match=r"^No credentials: .* in the environment of target-7 .*OS_TOKEN"):
        connect(PLACE, where=HOST)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)
