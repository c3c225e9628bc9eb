# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look in the process of the task: when it stands for the module, what it returns, and what it leaves behind."""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import re
import sys
import typing as t
import warnings
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from unittest import mock

import pytest
from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http import sending
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils import _local_look
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._local_look import LocalLook, local_look_of_task
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import why_nothing_observed
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import PASSWORD, ScriptedIam, login
from ansible_collections.poolgate.modelarts.tests.unit.cloud.info_module import forget_settings, run_with
from ansible_collections.poolgate.modelarts.tests.unit.cloud.secrets_in_data import job, jobs
from ansible_collections.poolgate.modelarts.tests.unit.core import trust_as_template
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer
from urllib3.connection import HTTPConnection

POOL = "pool-train-0123456789abcdef0123456789abcdef"
TOKEN = "0f1e2d3c-SECRET-token"
Start = t.Callable[..., ScriptedServer]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_settings(monkeypatch)
    monkeypatch.setattr(constants.config, "_config_file", None)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts to which connections were opened."""
    hosts: list[str] = []
    connect = HTTPConnection.connect

    def counted(self: HTTPConnection) -> None:
        hosts.append(self.host)
        connect(self)

    monkeypatch.setattr(HTTPConnection, "connect", counted)
    return hosts


def asked(url: str, **options: t.Any) -> dict[str, t.Any]:
    place = {"endpoint": url, "project_id": "p1", "max_retries": 1, "auth_token": TOKEN}
    return {**place, "pool_name": [POOL], **options}


def look_in(folder: Path, **environment: str) -> LocalLook:
    return LocalLook(environment, str(folder))


# The same as the module


def without_times(result: t.Any) -> t.Any:
    """The result without what differs from look to look."""
    return re.sub(r'"(seconds|observed_at|age_seconds)": [^,}]+', r'"\1": 0', json.dumps(result, sort_keys=True))


REFUSED = Reply(401, {"error_code": "ModelArts.0104", "error_msg": f"no such token {TOKEN}"})


@pytest.mark.parametrize(
    ("reply", "options"),
    [
        (jobs(job()), {}),
        (jobs(job()), {"time_limit": 60}),
        (jobs(job(jobName=f"a-{TOKEN}")), {}),
        (jobs(job(type=TOKEN)), {}),
        (jobs(job(type="vision-a")), {"username": "mara", "password": "vision-a"}),
        (jobs(job()), {"auth_token": "train"}),
        (jobs(job()), {"fields": ["status"], "type": ["train"], "status": ["Running"]}),
        (jobs(job()), {"fields": ["nothing"]}),
        (jobs(job()), {"include_capacity": True, "fields": []}),
        (jobs(job()), {"limit": "many"}),
        (jobs(job()), {"timeout": TOKEN}),
        (jobs(job()), {"validate_certs": "perhaps", "auth_token": "perhaps"}),
        (jobs(job()), {"pool_name": []}),
        (jobs(job()), {"pool_name": "a/b"}),
        (jobs(job()), {"auth_token": None}),
        (jobs(job()), {"auth_url": "https://svc:SECRET-7@iam.example.com"}),
        (jobs(job()), {"time_limit": 0}),
        (REFUSED, {}),
        (Reply(503, "busy"), {"time_limit": 60}),
        (Reply(200, "no document"), {}),
        (Reply(broken="at once"), {}),
    ],
)
def test_it_returns_what_the_module_returns(
    reply: Reply, options: dict[str, t.Any], script: Start, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server = script(reply)
    given = {**asked(server.url), "max_retries": 0, **options}
    by_module = run_with(capsys)(server.url, **given)
    for name in ("said", "invocation", "_ansible_new_secrets", "exception"):
        by_module.pop(name, None)  # these are for ansible-core
    here = look_in(tmp_path)(given)
    assert here is not None
    assert without_times(here) == without_times(by_module)


def test_types_are_those_that_a_module_returns(script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever a reading makes, what decides gets it as JSON has it."""
    facts = {"pools": ({1: (float("inf"), 10**30)},)}
    monkeypatch.setattr(_local_look, "read_as_asked", lambda client, params: facts)
    assert look_in(tmp_path)(asked(script(jobs()).url)) == {
        "changed": False,
        "pools": [{"1": [float("inf"), 10**30]}],
    }


def test_arguments_are_those_that_a_module_gets(script: Start, tmp_path: Path) -> None:
    """Values with tags or of a vault are plain text; what is no JSON is for the module to refuse."""

    class Encrypted:
        __ENCRYPTED__ = True

        def __str__(self) -> str:
            return TOKEN

    server = script(jobs(job()))
    look = look_in(tmp_path)
    assert look(asked(server.url, auth_token=Encrypted(), project_id=trust_as_template("p1"))) is not None
    assert server.seen[-1].headers["x-auth-token"] == TOKEN
    assert look(asked(server.url, project_id=object())) is None


def test_a_crash_ends_in_the_sentence_of_a_crash(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def crash(client: t.Any, params: t.Any) -> t.NoReturn:
        client.now()
        raise ZeroDivisionError(f"with {TOKEN}")

    monkeypatch.setattr(_local_look, "read_as_asked", crash)
    result = look_in(tmp_path)(asked(script(jobs()).url))
    assert result is not None
    assert result["failed"]
    assert why_nothing_observed(result) == (
        "modelarts_workload_info crashed on its host: ZeroDivisionError: with ********."
    )
    assert TOKEN not in str(result)


def test_a_crash_before_the_login_shows_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_local_look, "ArgumentSpecValidator", mock.Mock(side_effect=ValueError(f"not {TOKEN}")))
    result = look_in(tmp_path)(asked("https://modelarts.example.com"))
    assert result is not None
    assert "ValueError: not ********" in str(result)
    assert TOKEN not in str(result)


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_an_end_of_the_process_is_no_crash(
    end: type[BaseException], script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_local_look, "read_as_asked", mock.Mock(side_effect=end))
    with pytest.raises(end):
        look_in(tmp_path, OS_CLOUD="x")(asked(script(jobs()).url))
    assert "OS_CLOUD" not in os.environ


def test_what_is_said_afterwards_is_hidden_no_more_than_after_the_module(script: Start, tmp_path: Path) -> None:
    """In the words of a verdict, asterisks would tell a password that is one of them."""
    look = look_in(tmp_path)
    server = script(jobs(job()), Reply(404, {"error_msg": "no placement-of-cards"}), jobs(job()))
    for _look in range(3):
        result = look(asked(server.url, auth_token="placement-of-cards"))
        assert result is not None
        assert "placement" not in str(result)
        assert one_line("the placement-of-cards") == "the placement-of-cards"


# Look after look


def test_the_next_look_has_the_login_and_the_connection_of_the_one_before(
    opened: list[str], script: Start, tmp_path: Path
) -> None:
    server = script(jobs(job()))
    with ScriptedIam(login(project="p1")) as iam:
        given = asked(server.url, auth_token=None, **{**PASSWORD, "auth_url": iam.url})
        look = look_in(tmp_path)
        for _look in range(3):
            result = look(given)
            assert result is not None
            assert result["total"] == 1
        assert len(iam.seen) == 1
    assert len(server.seen) == 3
    assert len(opened) == 2  # one to IAM, and one to ModelArts


def test_a_token_that_expires_is_renewed(script: Start, tmp_path: Path) -> None:
    server = script(jobs(job()), REFUSED, jobs(job()))
    with ScriptedIam(login("issued-token-1", project="p1"), login("issued-token-2", project="p1")) as iam:
        given = asked(server.url, auth_token=None, **{**PASSWORD, "auth_url": iam.url})
        look = look_in(tmp_path)
        results = [look(given), look(given)]
        assert [result and result.get("total") for result in results] == [1, 1]
        assert len(iam.seen) == 2
    assert [seen.headers["x-auth-token"][-1] for seen in server.seen] == ["1", "1", "2"]


def test_a_look_that_failed_is_no_part_of_the_next(opened: list[str], script: Start, tmp_path: Path) -> None:
    """The module would log in anew, too, over new connections and with nothing remembered."""
    server = script(jobs(job()), Reply(404, {}), jobs(job()))
    with ScriptedIam(login(project="p1")) as iam:
        given = asked(server.url, auth_token=None, **{**PASSWORD, "auth_url": iam.url})
        look = look_in(tmp_path)
        results = [look(given) for _look in range(3)]
        assert [bool(result and result.get("failed")) for result in results] == [False, True, False]
        assert len(iam.seen) == 2
    assert len(opened) == 4


@pytest.mark.parametrize("status", [400, 403, 423])
def test_a_login_that_was_refused_is_tried_again_by_the_next_look(status: int, script: Start, tmp_path: Path) -> None:
    """As by the module. After 401 no look follows: see Observer."""
    with ScriptedIam((status, {}, {}), login(project="p1")) as iam:
        given = asked(script(jobs(job())).url, auth_token=None, **{**PASSWORD, "auth_url": iam.url})
        look = look_in(tmp_path)
        results = [look(given), look(given)]
    assert [bool(result and result.get("failed")) for result in results] == [True, False]


def test_other_options_are_another_login(script: Start, tmp_path: Path) -> None:
    server = script(jobs(job()))
    look = look_in(tmp_path)
    look(asked(server.url))
    look(asked(server.url, auth_token="another-token"))
    assert [seen.headers["x-auth-token"] for seen in server.seen] == [TOKEN, "another-token"]


@pytest.mark.parametrize("by", ["option", "environment"])
def test_each_look_reads_clouds_yaml(by: str, script: Start, tmp_path: Path) -> None:
    """A password that is renewed while a gate waits is that of the next look, as the module would have it."""
    server = script(jobs(job()))
    with ScriptedIam(login(project="p1")) as iam:
        given = asked(server.url, auth_token=None, **({"cloud": "otc"} if by == "option" else {}))
        environment = {"OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml")}
        look = look_in(tmp_path, **environment, **({"OS_CLOUD": "otc"} if by == "environment" else {}))
        for password in ("the-first-password", "the-second-password"):
            auth = {"auth_url": iam.url, "username": "mara", "password": password, "user_domain_name": "d"}
            clouds = {"clouds": {"otc": {"auth": {**auth, "project_id": "p1"}}}}
            (tmp_path / "clouds.yaml").write_text(json.dumps(clouds), encoding="utf-8")
            result = look(given)
            assert result is not None
            assert result["total"] == 1
    sent = [seen.body["auth"]["identity"]["password"]["user"]["password"] for seen in iam.seen if seen.body]
    assert sent == ["the-first-password", "the-second-password"]


def test_what_was_silent_for_long_is_not_sent_over_again(
    opened: list[str], script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    look, given = look_in(tmp_path), asked(script(jobs(job())).url)
    look(given)
    monkeypatch.setattr(sending, "_LONGEST_IDLE", -1.0)
    look(given)
    assert len(opened) == 2


def test_without_retries_each_look_has_connections_of_its_own(opened: list[str], script: Start, tmp_path: Path) -> None:
    """Nothing mends a request on a connection that the server is about to close."""
    look, given = look_in(tmp_path), asked(script(jobs(job())).url, max_retries=0)
    look(given)
    look(given)
    assert len(opened) == 2


def test_a_cookie_of_one_look_is_not_sent_by_the_next(script: Start, tmp_path: Path) -> None:
    """One may lead to a server that is gone by then."""
    listed = jobs(job())
    server = script(Reply(200, listed.body, {"Set-Cookie": "route=7; Path=/"}))
    look = look_in(tmp_path)
    look(asked(server.url))
    look(asked(server.url))
    assert all("cookie" not in seen.headers for seen in server.seen)


# The process


def test_it_has_what_the_module_would_have_and_leaves_all_as_it_was(
    script: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OS_REGION_NAME", "before")
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    gc.enable()
    within: list[object] = []

    def read(client: t.Any, params: t.Any) -> t.NoReturn:
        within.extend((os.environ["OS_REGION_NAME"], os.environ["https_proxy"], os.getcwd(), gc.isenabled()))
        logging.getLogger("urllib3").critical("SECRET")
        warnings.warn("SECRET", stacklevel=1)
        raise InputError("no")

    def state() -> list[object]:
        return [dict(os.environ), os.getcwd(), gc.isenabled(), logging.root.manager.disable, warnings.filters[:]]

    monkeypatch.setattr(_local_look, "read_as_asked", read)
    before = state()
    with warnings.catch_warnings(record=True) as warned, mock.patch.object(logging.Logger, "callHandlers") as logged:
        warnings.simplefilter("always")
        result = look_in(tmp_path, OS_REGION_NAME="eu-de", https_proxy="http://proxy:1")(asked(script(jobs()).url))
    assert result == {"failed": True, "msg": "no"}
    assert within == ["eu-de", "http://proxy:1", str(tmp_path), False]
    assert state() == before
    assert warned == []
    logged.assert_not_called()


def test_the_environment_fills_in_what_is_not_given(script: Start, tmp_path: Path) -> None:
    server = script(jobs(job()))
    given = {"pool_name": [POOL], "project_id": "p1"}
    look_in(tmp_path, MODELARTS_ENDPOINT=server.url, OS_TOKEN=TOKEN)(given)
    assert server.seen[0].headers["x-auth-token"] == TOKEN
    assert "MODELARTS_ENDPOINT" not in os.environ


# When

PYTHON = MappingProxyType({"ansible_python_interpreter": sys.executable})


def planned(
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    *,
    variables: t.Mapping[str, t.Any] = PYTHON,
    environment: dict[str, t.Any] | None = None,
    connection: str = "ansible.builtin.local",
    loaded: t.Mapping[str, t.Any] = MappingProxyType({}),
    **keywords: t.Any,
) -> LocalLook | None:
    """The look of a task with these keywords."""
    monkeypatch.setattr(_local_look, "_is_worker", lambda: not keywords.get("threads"))
    monkeypatch.delitem(sys.modules, "openstack", raising=False)
    for name, library in loaded.items():
        monkeypatch.setitem(sys.modules, name, library)
    task = Task()
    task.timeout = keywords.get("timeout", 0)
    task.async_val = keywords.get("async_val", 0)
    plugin = connection_loader.get(connection, PlayContext(), os.devnull)
    if keywords.get("become"):
        plugin.set_become_plugin(mock.Mock())
    if keywords.get("shell"):
        plugin._shell = mock.Mock(SHELL_FAMILY=keywords["shell"])
    templar = Templar(loader=DataLoader(), variables={"python": sys.executable, **variables})
    return local_look_of_task(task, plugin, variables, templar, environment or {}, folder)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"variables": {"ansible_python_interpreter": trust_as_template("{{ python }}")}},
        {"variables": {"ansible_facts": {"discovered_interpreter_python": sys.executable}}},
        {
            "variables": {
                "ansible_python_interpreter": "auto_silent",
                "ansible_facts": {"discovered_interpreter_python": sys.executable},
            }
        },
        {"variables": {"ansible_python_interpreter": str(Path(sys.executable).parent / "." / "python")}},
        {"environment": {"OS_TOKEN": TOKEN, "MODELARTS_TIMEOUT": 5, "https_proxy": "http://p:1", "PATH": "/bin"}},
        {"environment": {"REQUESTS_CA_BUNDLE": "/x", "HUAWEICLOUD_SDK_AK": "a", "NO_PROXY": "b", "OS_CACERT": "c"}},
        {"connection": "local"},
    ],
)
def test_it_stands_for_the_module_where_that_would_run_here(
    given: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert planned(monkeypatch, str(tmp_path), **given) is not None


@pytest.mark.parametrize(
    "given",
    [
        {"connection": "ansible.builtin.ssh"},
        {"become": True},
        {"shell": "fish"},  # its settings may set variables
        {"threads": True},
        {"timeout": 5},
        {"async_val": 5},
        {"variables": {}},
        {"variables": {"ansible_python_interpreter": "auto"}},
        {"variables": {"ansible_python_interpreter": "auto_silent"}},
        {"variables": {"ansible_python_interpreter": "/no/such/python"}},
        {"variables": {"ansible_python_interpreter": "python3"}},
        {"variables": {"ansible_python_interpreter": f"{sys.executable} -s"}},
        {"variables": {"ansible_python_interpreter": os.path.realpath("/bin/sh")}},
        {"variables": {"ansible_python_interpreter": trust_as_template("{{ no_such_variable }}")}},
        {"variables": {"ansible_facts": {"discovered_interpreter_python": "/usr/bin/env"}}},
        *(
            {"environment": {name: "/x"}}
            for name in (
                *("PYTHONPATH", "PYTHONWARNINGS", "LD_PRELOAD", "LANG", "LC_ALL", "MALLOC_ARENA_MAX", "GCONV_PATH"),
                *("SSL_CERT_FILE", "SSLKEYLOGFILE", "OPENSSL_CONF", "HOME", "XDG_CONFIG_HOME", "HOSTALIASES", "TZ"),
                *("MY_CA", "OS TOKEN", "os_token", ""),
            )
        ),
    ],
    ids=str,
)
def test_in_any_doubt_it_is_the_module_that_looks(
    given: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert planned(monkeypatch, str(tmp_path), **given) is None


def test_a_python_with_other_libraries_is_another_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A virtual environment has links to the same file, and libraries of its own."""
    other = tmp_path / "bin" / Path(sys.executable).name
    other.parent.mkdir()
    other.symlink_to(sys.executable)
    assert planned(monkeypatch, str(tmp_path), variables={"ansible_python_interpreter": str(other)}) is None


def test_a_folder_that_is_not_for_this_user_is_for_the_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AnsibleModule knows where to go from there."""
    assert planned(monkeypatch, str(tmp_path / "gone")) is None
    monkeypatch.setattr(_local_look.os, "open", mock.Mock(side_effect=PermissionError))
    assert planned(monkeypatch, str(tmp_path)) is None


def test_what_this_process_lacks_the_module_may_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_local_look, "REQUESTS_IMPORT_ERROR", ImportError())
    assert planned(monkeypatch, str(tmp_path)) is None


def test_openstacksdk_looks_for_files_where_it_was_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An inventory plugin may have imported it, in another folder than that of the play."""
    assert planned(monkeypatch, str(tmp_path), loaded={"openstack": mock.Mock()}) is None


def test_only_a_process_of_its_own_takes_an_environment() -> None:
    """Threads of a strategy of the future would share it."""
    assert not _local_look._is_worker()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_local_look._is_worker)


def start_with_flag(monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    """Have this Python look as if it had been started with the flag."""
    flags = {name: getattr(sys.flags, name) for name in dir(sys.flags) if not name.startswith("_")}
    monkeypatch.setattr(sys, "flags", SimpleNamespace(**{**flags, flag: 1}))


@pytest.mark.parametrize("flag", ["ignore_environment", "isolated", "no_site"])
def test_a_python_that_was_started_with_flags_is_another_one(
    flag: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_with_flag(monkeypatch, flag)
    assert planned(monkeypatch, str(tmp_path)) is None


@pytest.mark.parametrize("exists", [True, False])
def test_without_the_folder_of_the_user_python_is_the_same_if_there_is_none(
    exists: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Packages of distributions start ansible-playbook so."""
    start_with_flag(monkeypatch, "no_user_site")
    place = tmp_path if exists else tmp_path / "none"
    monkeypatch.setattr(_local_look.site, "getusersitepackages", lambda: str(place))
    assert (planned(monkeypatch, str(tmp_path)) is None) is exists
