# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source as ansible-rulebook runs it, by its path, on the emulator."""

from __future__ import annotations

import asyncio
import calendar
import logging
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import ansible
import pytest
import yaml
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api import calls as _client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS, ENVIRONMENT
from urllib3.connection import HTTPConnection

Facts = dict[str, t.Any]

COLLECTION = Path(_client.__file__).parents[3]
FILE = COLLECTION / "extensions" / "eda" / "plugins" / "event_source" / "modelarts_workloads.py"
POOL = "pool-train-3c7e52d1f0984b6a8e5d2b7c41a96f03"
OTHER = "pool-other-3c7e52d1f0984b6a8e5d2b7c41a96f03"
LOGIN = "/v3/auth/tokens"
REQUEST = {"type": "train", "resources": {"nvidia.com/gpu": 8}}
RESOURCES = {"cpu": "94", "memory": "960Gi", "nvidia.com/gpu": 8}


@pytest.fixture(autouse=True)
def _no_credentials_but_the_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for names in ENVIRONMENT.values() for name in names):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", name="plugin")
def fixture_plugin() -> Facts:
    """The names of the file, run by its path. runpy, which ansible-rulebook has, trips over hooks of ansible-test."""
    names: Facts = {"__name__": "<run_path>", "__file__": str(FILE)}
    exec(compile(FILE.read_text(encoding="utf-8"), FILE, "exec"), names)
    return names


def scenario(**more: t.Any) -> Facts:
    """A pool with one node, which a job holds that ends after 10 s."""
    node = {"name": "n", "flavor": "gpu8", "resources": RESOURCES}
    jobs = [{"name": "llm", "owner": "ml-team-a", "status": "Running", "nodes": ["n"], "resources": RESOURCES}]
    pools = [
        {"id": POOL, "name": "train", "nodes": [node], "jobs": jobs},
        {"id": OTHER, "name": "other", "nodes": [{**node, "name": "o"}]},
    ]
    timeline = [{"after": 10, "pool": POOL, "end": "llm"}]
    return {"pools": pools, "timeline": timeline, "clock": {"frozen": True}, **more}


def arguments(emulator: Emulator, method: str = "keys", **more: t.Any) -> Facts:
    mine = emulator.credentials
    methods: dict[str, Facts] = {
        "token": {"auth_token": mine.auth_token},
        "keys": {"access_key": mine.access_key, "secret_key": mine.secret_key},
        "password": {
            "auth_url": emulator.iam_url,
            "username": mine.username,
            "password": mine.password,
            "domain_name": mine.domain_name,
        },
    }
    common = {"endpoint": emulator.endpoint, "project_id": mine.project_id, "pool_name": POOL, "max_retries": 0}
    return {**common, **methods[method], **more}


def watching(plugin: Facts, emulator: Emulator, method: str = "keys", **more: t.Any) -> t.Any:
    """The source without the loop around it, looking for room."""
    return plugin["Source"](arguments(emulator, method, **{"request": REQUEST, **more}))


def told(events: t.Iterable[Facts]) -> list[str]:
    return [event["change"] for event in events]


def paths(emulator: Emulator) -> list[str]:
    return [seen["path"] for seen in emulator.requests]


# How it is found and called


SHADOWS = ("nothing", "the package ansible", "an older copy")


@pytest.mark.parametrize("shadow", SHADOWS)
def test_the_file_finds_its_own_package(tmp_path: Path, shadow: str) -> None:
    """ansible-rulebook knows no collections; a folder of them elsewhere on the path does not hide this one."""
    utils = tmp_path / "ansible_collections" / "poolgate" / "modelarts" / "plugins" / "module_utils"
    if shadow != "nothing":
        (tmp_path / "ansible_collections" / "elsewhere").mkdir(parents=True)
        (tmp_path / "ansible_collections" / "__init__.py").touch()
        (tmp_path / "ansible_collections" / "elsewhere" / "there.py").touch()
    if shadow == "an older copy":
        (utils / "_api").mkdir(parents=True)
        (utils / "_api" / "calls.py").write_text("raise SystemExit('this is the older copy')\n")
    code = (
        "import runpy, sys\n"
        "before = 'ansible_collections' in sys.modules\n"
        f"names = runpy.run_path({str(FILE)!r})\n"
        "print(before, sys.modules[names['Client'].__module__].__file__)\n"
        + ("import ansible_collections.elsewhere.there\n" if shadow != "nothing" else "")
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(ansible.__file__).parents[1]}"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    own = COLLECTION.resolve() / "plugins" / "module_utils" / "_api" / "calls.py"
    assert ended.stdout.split() == ["False", str(own)]


def test_the_documentation_names_the_arguments_and_its_examples_are_taken(plugin: Facts) -> None:
    documented = yaml.safe_load(plugin["DOCUMENTATION"])["options"]
    accepted = plugin["SOURCE_OPTIONS"]
    assert set(plugin["SourceOptions"].__annotations__) == set(accepted) - set(CONNECTION_OPTIONS)
    assert list(documented) == list(accepted)
    for name, option in documented.items():
        known = CONNECTION_OPTIONS.get(name, accepted[name])
        assert option["type"] == known["type"]
        assert option.get("default") == known.get("default")
        assert option.get("required") == known.get("required")
    for example in yaml.safe_load(plugin["EXAMPLES"]):
        (args,) = example.values()
        assert plugin["_watches"](plugin["_validated"](args))


def test_changes_come_out_of_the_queue_once_and_a_cancel_ends_it(
    plugin: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin["Source"], "pause", lambda self: 0.02)
    events: list[Facts] = []

    async def run(emulator: Emulator) -> None:
        queue: asyncio.Queue[Facts] = asyncio.Queue()
        task = asyncio.create_task(plugin["main"](queue, arguments(emulator, request=REQUEST)))
        await until(lambda: len(paths(emulator)) >= 8)  # two looks
        emulator.advance(10)
        events.extend([await asyncio.wait_for(queue.get(), 20) for _number in range(2)])
        looked = len(paths(emulator))
        await until(lambda: len(paths(emulator)) >= looked + 8)
        assert queue.empty()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.get_running_loop().shutdown_default_executor()
        looked = len(paths(emulator))
        await asyncio.sleep(0.1)
        assert len(paths(emulator)) == looked

    with Emulator(scenario()) as emulator:
        asyncio.run(run(emulator))
    assert told(events) == ["job_ended", "room_appeared"]
    assert events[0]["job"]["job_name"] == "llm"
    assert events[0]["job"]["user_name"] == "ml-team-a"
    assert events[0]["job"]["status"] == "Completed"
    assert events[1]["at_start"] is False
    assert {event["pool"] for event in events} == {POOL}


async def until(met: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_look_that_is_cancelled_sends_nothing_more(plugin: Facts) -> None:
    """Not even the retries that it would have made."""

    async def run(emulator: Emulator) -> None:
        queue: asyncio.Queue[Facts] = asyncio.Queue()
        args = arguments(emulator, max_retries=1000)
        task = asyncio.create_task(plugin["main"](queue, args))
        await until(lambda: bool(paths(emulator)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 5)
        assert queue.empty()
        assert len(paths(emulator)) <= 2

    with Emulator(scenario(), faults=[{"do": "status", "status": 503, "times": 0}]) as emulator:
        asyncio.run(run(emulator))


# What is read


def test_without_a_request_only_the_jobs_are_read(plugin: Facts) -> None:
    with Emulator(scenario()) as emulator, watching(plugin, emulator, request=None) as source:
        assert source.look() == []
        emulator.advance(10)
        assert told(source.look()) == ["job_ended"]
        assert {path.rpartition("/")[2] for path in paths(emulator)} == {"workloads"}


def test_a_display_name_becomes_the_id_once(plugin: Facts) -> None:
    with Emulator(scenario()) as emulator, watching(plugin, emulator, pool_name=["train"]) as source:
        source.look()
        emulator.advance(10)
        assert {event["pool"] for event in source.look()} == {POOL}
        assert sum(path.endswith("/pools") and "runtime" not in path for path in paths(emulator)) == 1


def test_one_pool_that_cannot_be_read_does_not_hide_the_other(plugin: Facts, caplog: pytest.LogCaptureFixture) -> None:
    with Emulator(scenario()) as emulator, watching(plugin, emulator, pool_name=[OTHER, POOL]) as source:
        assert [(event["change"], event["pool"]) for event in source.look()] == [("room_appeared", OTHER)]
        emulator.set_faults([{"do": "status", "status": 403, "times": 0, "path": f"{OTHER}"}])
        emulator.advance(10)
        assert [(event["change"], event["pool"]) for event in source.look()] == [
            ("job_ended", POOL),
            ("room_appeared", POOL),
        ]
        assert source.pause() <= 66
        emulator.set_faults([])
        assert source.look() == []
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [OTHER] * 4


def test_looks_share_a_connection_until_one_fails(plugin: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(HTTPConnection, "connect", lambda self: (opened.append(self.host), connect(self)))
    with Emulator(scenario()) as emulator, watching(plugin, emulator, connections=1, max_retries=1) as source:
        source.look()
        source.look()
        assert len(opened) == 1
        emulator.set_faults([{"do": "status", "status": 403, "times": 1}])
        source.look()
        source.look()
        assert len(opened) == 2


# Failures


def test_an_outage_is_waited_out_and_said_once(plugin: Facts, caplog: pytest.LogCaptureFixture) -> None:
    with Emulator(scenario()) as emulator, watching(plugin, emulator, poll_interval=10) as source:
        source.look()
        assert 9 <= source.pause() <= 11
        emulator.set_faults([{"do": "status", "status": 503, "times": 0}])
        pauses = []
        for _number in range(8):
            assert source.look() == []
            pauses.append(source.pause())
        assert 18 <= pauses[0] <= 22
        assert 540 <= pauses[-1] <= 660
        emulator.set_faults([])
        emulator.advance(10)
        assert told(source.look()) == ["job_ended", "room_appeared"]
        assert source.pause() <= 11
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 4
    assert said[0].startswith(f"{POOL}: its jobs are not known: GET ")
    assert said[1].startswith(f"{POOL}: it is not known whether there is room: ")
    assert said[2:] == [f"{POOL}: its jobs are known again.", f"{POOL}: the gate can decide on room again."]


def test_an_outage_at_the_start_is_waited_out_too(plugin: Facts) -> None:
    with Emulator(scenario(), faults=[{"do": "reset", "times": 0}]) as emulator, watching(plugin, emulator) as source:
        assert source.look() == source.look() == []
        emulator.set_faults([])
        assert source.look() == []
        emulator.advance(10)
        assert told(source.look()) == ["job_ended", "room_appeared"]


def test_a_list_that_is_not_complete_ends_no_job(plugin: Facts) -> None:
    with Emulator(scenario()) as emulator, watching(plugin, emulator) as source:
        source.look()
        nothing = {"kind": "WorkloadList", "items": [], "total": 7}
        emulator.set_faults([{"do": "status", "status": 200, "times": 0, "path": "workloads", "body": nothing}])
        assert source.look() == []
        emulator.set_faults([])
        assert source.look() == []


def test_room_that_will_never_be_is_said(plugin: Facts, caplog: pytest.LogCaptureFixture) -> None:
    request = {"resources": {"nvidia.com/gpu": 16}}
    with Emulator(scenario()) as emulator, watching(plugin, emulator, request=request) as source:
        assert source.look() == source.look() == []
    (said,) = [record.getMessage() for record in caplog.records]
    assert "waiting for room cannot help" in said


@pytest.mark.parametrize("method", ["keys", "token", "password"])
def test_refused_credentials_are_sent_once(plugin: Facts, method: str) -> None:
    wrong = {"keys": {"secret_key": "wrong"}, "token": {"auth_token": "wrong"}, "password": {"password": "wrong"}}

    async def run(args: Facts) -> None:
        await asyncio.wait_for(plugin["main"](asyncio.Queue(), args), 20)

    with Emulator(scenario()) as emulator:
        args = arguments(emulator, method, request=REQUEST, pool_name=[POOL, OTHER], **wrong[method])
        with pytest.raises(ModelArtsError, match=r"returned 401 .*Check the credentials") as raised:
            asyncio.run(run(args))
        assert len(emulator.requests) == 1
    assert "wrong" not in str(raised.value).replace(method, "")
    assert raised.traceback[-1].name == "main"  # ansible-rulebook prints every frame


def test_credentials_that_are_refused_later_end_it_at_once(plugin: Facts) -> None:
    with Emulator(scenario()) as emulator, watching(plugin, emulator, "token") as source:
        source.look()
        emulator.revoke_tokens(static=True)
        asked = len(emulator.requests)
        with pytest.raises(ModelArtsError, match="401"):
            source.look()
        assert len(emulator.requests) == asked + 1


def test_a_token_that_has_expired_is_renewed_once(plugin: Facts) -> None:
    with Emulator(scenario()) as emulator, watching(plugin, emulator, "password") as source:
        source.look()
        source.look()
        assert paths(emulator).count(LOGIN) == 1
        emulator.revoke_tokens()
        emulator.advance(10)
        assert told(source.look()) == ["job_ended", "room_appeared"]
        source.look()
        assert paths(emulator).count(LOGIN) == 2


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"pool_name": "pool-gone-3c7e52d1f0984b6a8e5d2b7c41a96f03"}, r"returned 404 \(ModelArts\.50015001"),
        ({"pool_name": [POOL, "pool-gone-3c7e52d1f0984b6a8e5d2b7c41a96f03"]}, r"returned 404"),
        ({"project_id": "0" * 32}, r"returned 403"),
    ],
)
def test_what_will_not_change_ends_it_at_the_first_look(plugin: Facts, changed: Facts, sentence: str) -> None:
    with Emulator(scenario()) as emulator:
        source = watching(plugin, emulator, **changed)
        with pytest.raises(ModelArtsError, match=sentence):
            source.look()


def _within_itself() -> list[t.Any]:
    names: list[t.Any] = []
    names.append(names)
    return names


@pytest.mark.parametrize("args", [None, [], ["pool_name"], "pool-a"])
def test_a_source_without_arguments_is_told(plugin: Facts, args: t.Any) -> None:
    with pytest.raises(ModelArtsError, match="has no arguments: write pool_name and the others below it"):
        asyncio.run(plugin["main"](asyncio.Queue(), args))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"pool_name": _within_itself()}, "contains itself by an alias of YAML"),
        ({"pool_interval": 5}, "has no argument 'pool_interval': did you mean poll_interval"),
        ({"zzz": 5}, r"has no argument 'zzz': it has pool_name, request"),
        ({7: 1}, "has no argument '7': it has pool_name, request"),
        ({7: 1, "zzz": 5, None: 2}, "has no argument '7': it has pool_name, request"),
        ({"pool_name": None}, "missing required arguments: pool_name"),
        ({"pool_name": []}, "names no pool"),
        ({"pool_name": "../etc"}, "is not a pool ID"),
        ({"pool_name": ""}, "missing required arguments: pool_name"),
        ({"pool_name": [False]}, "pool_name has False, .* quote it"),
        ({"pool_name": ["pool-a, pool-b"]}, "'pool-a, pool-b' is not a pool ID: .* a list of names"),
        ({"request": REQUEST, "policy": {"headroom": {"gpu": 8}}}, "did you mean nvidia.com/gpu"),
        ({"request": REQUEST, "declared_capacity": {"gpu": 8}}, "did you mean nvidia.com/gpu"),
        ({"poll_interval": 0.5}, "poll_interval is 0.5, but must be a number of seconds, 1 or more"),
        ({"poll_interval": "often"}, "poll_interval"),
        ({"poll_interval": float("nan")}, "poll_interval is nan"),
        ({"policy": {"headroom": "10%"}}, "'policy': request"),
        ({"request": {"resource": {"cpu": 1}}}, "did you mean resources"),
        ({"request": REQUEST, "policy": {"head_room": 1}}, "did you mean headroom"),
        ({"poll_interval": 16**5000}, "poll_interval is a number of more than 300 digits"),
        ({"timeout": 16**5000}, "timeout is a number of more than 300 digits"),
        ({"pool_name": 16**5000}, "pool_name is a number of more than 300 digits"),
        ({"request": {**REQUEST, "replicas": 16**5000}}, "replicas is a value that is too long to be shown"),
        ({"timeout": "soon"}, "timeout must be a number of seconds"),
        ({"access_key": None, "secret_key": None}, "No credentials"),
        ({"endpoint": "http://modelarts.example.com"}, "must start with https"),
    ],
)
def test_arguments_that_cannot_be_used_are_said_in_one_sentence(plugin: Facts, changed: Facts, sentence: str) -> None:
    async def run(args: Facts) -> None:
        await asyncio.wait_for(plugin["main"](asyncio.Queue(), args), 20)

    with Emulator(scenario()) as emulator:
        with pytest.raises(InputError, match=sentence) as raised:
            asyncio.run(run({**arguments(emulator), **changed}))
        assert emulator.requests == []
    assert "\n" not in str(raised.value)


def test_the_connection_comes_from_the_environment_as_well(plugin: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(scenario()) as emulator:
        given = arguments(emulator)
        for option in ("endpoint", "access_key", "secret_key", "project_id"):
            monkeypatch.setenv(ENVIRONMENT[option][0], given.pop(option))
        with plugin["Source"](given) as source:
            assert source.look() == []
            emulator.advance(10)
            assert told(source.look()) == ["job_ended"]


def test_ages_are_told_by_the_clock_of_the_api(plugin: Facts) -> None:
    behind = 100_000_000
    more = {"request": {**REQUEST, "resources": {"nvidia.com/gpu": 1}}, "pool_name": OTHER}
    with Emulator(scenario(iam={"clock_offset": -behind})) as emulator:
        with watching(plugin, emulator, "token", **more) as source:
            (event,) = source.look()
        there = time.time() - behind
    observed = time.strptime(event["observed_at"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs(calendar.timegm(observed) - there) < 60
