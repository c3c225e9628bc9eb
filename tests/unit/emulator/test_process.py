# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator as a process: how it starts, what it says, and that it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator import command, server

FOLDER = Path(server.__file__).parent
WAIT_SECONDS = 20


def until(condition: t.Callable[[], t.Any], what: str) -> t.Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {WAIT_SECONDS} s for {what}")


class Started:
    """An emulator started by its command, with what it printed."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.state_file = folder / "state.json"
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER), "--state-file", str(self.state_file), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        until(lambda: self.state_file.exists() or self.process.poll() is not None, "the state file")
        self.state = json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

    def end(self, number: int | None = None) -> tuple[int, str, str]:
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, out, err


@pytest.fixture
def start(tmp_path: Path) -> t.Iterator[t.Callable[..., Started]]:
    started: list[Started] = []

    def run(*options: str) -> Started:
        started.append(Started(tmp_path, *options))
        return started[-1]

    yield run
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem, its key.pem, the same key with a password, locked.pem, and both.pem."""
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    make += " -keyout key.pem -out cert.pem -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    lock = "openssl ec -in key.pem -aes256 -passout pass:secret -out locked.pem"
    for words in (make, lock):
        subprocess.run(words.split(), cwd=folder, check=True, capture_output=True)
    (folder / "both.pem").write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return folder


def fetch(state: dict[str, t.Any], context: ssl.SSLContext | None = None) -> int:
    url = f"{state['endpoint']}/v2/{state['project_id']}/pools/{state['pools'][0]['id']}/workloads"
    request = urllib.request.Request(url, headers={"X-Auth-Token": state["auth_token"]})
    with urllib.request.urlopen(request, timeout=10, context=context) as response:
        return len(json.load(response)["items"])


def is_served(state: dict[str, t.Any]) -> bool:
    try:
        fetch(state)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(start: t.Callable[..., Started], number: int) -> None:
    emulator = start()
    assert fetch(emulator.state) == 12
    status, out, err = emulator.end(number)
    assert (status, err) == (0, "")
    assert not emulator.state_file.exists()
    assert emulator.state["endpoint"] in out


@pytest.mark.parametrize("gap", [0, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3])
def test_signals_close_together_stop_it_too(start: t.Callable[..., Started], gap: float) -> None:
    """What an impatient supervisor sends."""
    emulator = start("--lifetime", "60")
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT) * 5:
            os.kill(emulator.process.pid, number)
            time.sleep(gap)
    status, _out, err = emulator.end()
    assert (status, err) == (0, "")
    assert not emulator.state_file.exists()


INTERRUPTED = """
import signal, sys
from ansible_collections.poolgate.modelarts.playbooks.emulator import command

left = 50

def interrupt(*_arguments):
    global left
    if left:
        left -= 1
        signal.raise_signal(signal.SIGTERM)
    return interrupt

def interrupted(handler):
    def handle(*arguments):
        if sys.gettrace() is None:
            sys.settrace(interrupt)
        handler(*arguments)
    return handle

set_handler = signal.signal
signal.signal = lambda number, handler: set_handler(number, interrupted(handler))
sys.exit(command.main(sys.argv[1:]))
"""


def test_a_signal_at_every_step_of_handling_one(tmp_path: Path) -> None:
    """What chance does seldom: the next signal comes at each line that the handler of the first one runs."""
    state_file = tmp_path / "state.json"
    words = [sys.executable, "-c", INTERRUPTED, "--lifetime", "60", "--state-file", str(state_file)]
    path = os.pathsep.join(part for part in sys.path if part)
    with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as process:
        try:
            until(state_file.exists, "the state file")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=WAIT_SECONDS) == 0
        finally:
            process.kill()


def test_it_says_how_to_use_it(start: t.Callable[..., Started]) -> None:
    emulator = start()
    _status, out, _err = emulator.end(signal.SIGTERM)
    exported = dict(re.findall(r"^export (\w+)=(.*)$", out, re.MULTILINE))
    exported = {name: shlex.split(value)[0] for name, value in exported.items()}
    assert exported["OS_ACCESS_KEY"] == emulator.state["access_key"]
    assert exported["OS_SECRET_KEY"] == emulator.state["secret_key"]
    assert exported["MODELARTS_ENDPOINT"] == emulator.state["endpoint"]
    for pool in emulator.state["pools"]:
        assert f"{pool['id']}  ({pool['name']})" in out


def test_the_state_file_is_complete_and_private(start: t.Callable[..., Started]) -> None:
    emulator = start("--scenario", "many")
    assert emulator.state_file.stat().st_mode & 0o077 == 0
    assert emulator.state["pid"] == emulator.process.pid
    assert emulator.state["scenario"] == "many"
    assert {"access_key", "secret_key", "security_token", "auth_token", "username"} <= set(emulator.state)
    assert list(emulator.state_file.parent.iterdir()) == [emulator.state_file]


def test_it_ends_with_its_lifetime(start: t.Callable[..., Started]) -> None:
    began = time.monotonic()
    emulator = start("--lifetime", "1.5")
    assert fetch(emulator.state) == 12
    assert emulator.end()[::2] == (0, "")
    assert 1.5 <= time.monotonic() - began < WAIT_SECONDS
    assert not emulator.state_file.exists()


@pytest.mark.parametrize("reaped", [True, False])
def test_it_ends_with_its_parent(start: t.Callable[..., Started], reaped: bool) -> None:
    """A parent that was killed, and one that nobody has waited for yet."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        emulator = start("--parent-pid", str(parent.pid))
        time.sleep(1.2)
        assert emulator.process.poll() is None
        assert fetch(emulator.state) == 12
        parent.kill()
        if reaped:
            parent.wait()
        assert emulator.end()[::2] == (0, "")


def test_a_parent_that_is_gone_already(start: t.Callable[..., Started]) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as parent:
        pass
    status, out, err = start("--parent-pid", str(parent.pid)).end()
    assert (status, out, err) == (2, "", f"emulator: there is no process {parent.pid}\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--scenario", "nothing"], "cannot read the scenario 'nothing' .*shipped are: demo, document, many"),
        (["--scenario", "broken.json"], "the scenario 'broken.json' is not JSON"),
        (["--scenario", "unknown.json"], "the scenario: unknown key 'nodes'"),
        (["--scenario", "list.json"], "the scenario 'list.json' must be an object"),
        (["--scenario", "latin.json"], "the scenario 'latin.json' is not UTF-8: save it as UTF-8"),
        (["--scenario", "deep.json"], "the scenario 'deep.json' is nested too deeply"),
        (["--scenario", "nan.json"], "the scenario 'nan.json' is not JSON: NaN is not a JSON number"),
        (["--scenario", "x" * 300], "cannot read the scenario 'x*' .File name too long"),
        (["--scenario", ""], "cannot read the scenario ''"),
        (["--scenario", "."], "cannot read the scenario '.' .Is a directory"),
        (["--tls-cert", "nothing.pem"], "cannot read the certificate 'nothing.pem' or its key .No such file"),
        (["--tls-cert", "broken.json"], "cannot use the certificate 'broken.json': it must be PEM with its key, .*"),
        (["--tls-cert", "cert.pem"], "cannot use the certificate 'cert.pem': .*; or give --tls-key"),
        (["--tls-cert", "cert.pem", "--tls-key", "locked.pem"], "'cert.pem': it must be PEM, without a password"),
        (["--request-log", "."], "cannot write the request log '.' .Is a directory"),
        (["--state-file", "nowhere/state.json"], "cannot write the state file 'nowhere/state.json' .No such file"),
    ],
)
def test_what_cannot_start_says_why(
    start: t.Callable[..., Started], tmp_path: Path, certificate: Path, options: list[str], sentence: str
) -> None:
    """Each in one sentence, which has no traceback and no question of OpenSSL for a password."""
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "unknown.json").write_text('{"nodes": []}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "latin.json").write_bytes(b'{"comment": "\xe9"}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "nan.json").write_text('{"clock": {"start": NaN}}')
    for name in ("cert.pem", "locked.pem"):
        (tmp_path / name).write_bytes((certificate / name).read_bytes())
    status, _out, err = start(*options).end()
    assert status == 2
    assert re.match(f"emulator: .*{sentence}", err)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--bind", "0.0.0.0"], "argument --bind: invalid choice: '0.0.0.0'"),
        (["--port", "99999"], "argument --port: '99999' is not a port from 0 to 65535; --help lists the options"),
        (["--port", "-1"], "argument --port: '-1' is not a port"),
        (["--port", "\u0661"], "argument --port: .* is not a port"),
        (["--lifetime", "nan"], "argument --lifetime: 'nan' is not a number of seconds from 0 to 1000000000"),
        (["--lifetime", "inf"], "argument --lifetime: 'inf' is not"),
        (["--lifetime", "-1"], "argument --lifetime: '-1' is not"),
        (["--lifetime", "long"], "argument --lifetime: 'long' is not"),
        (["--latency-ms", "1e400"], "argument --latency-ms: '1e400' is not a number of milliseconds"),
        (["--parent-pid", "0"], "argument --parent-pid: '0' is not a process ID"),
        (["--parent-pid", "9" * 40], "argument --parent-pid: '9*' is not a process ID"),
        (["--background", "--port", "99999"], "argument --port: '99999' is not a port"),
        (["--tls-key", "key.pem"], "--tls-key needs --tls-cert"),
        (["--scenario"], "argument --scenario: expected one argument"),
        (["--odd"], "unrecognized arguments: --odd; --help lists the options"),
        (["demo"], "unrecognized arguments: demo"),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(
    capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(options)
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert re.match(f"emulator: {sentence}", err)
    assert err.count("\n") == 1


def test_a_port_that_is_taken(start: t.Callable[..., Started]) -> None:
    first = start()
    port = first.state["endpoint"].rpartition(":")[2]
    first.state_file.unlink()
    status, _out, err = start("--port", port).end()
    assert status == 2
    assert "Address already in use" in err


def test_a_scenario_of_ones_own(start: t.Callable[..., Started], tmp_path: Path) -> None:
    scenario = {"pools": [{"id": "pool-" + "x" * 40, "jobs": [{"name": "mine", "count": 3}]}]}
    (tmp_path / "mine.json").write_text(json.dumps(scenario))
    assert fetch(start("--scenario", "mine.json").state) == 3


def test_a_scenario_of_an_editor_that_writes_a_byte_order_mark(start: t.Callable[..., Started], tmp_path: Path) -> None:
    scenario = {"pools": [{"id": "pool-" + "x" * 40, "name": "\u6a21\ud83d", "jobs": [{"name": "mine", "count": 3}]}]}
    (tmp_path / "mine.json").write_text("\ufeff" + json.dumps(scenario), encoding="utf-8")
    emulator = start("--scenario", "mine.json")
    assert fetch(emulator.state) == 3
    _status, out, _err = emulator.end(signal.SIGTERM)
    assert "\\ud83d" in out  # half a character, which no encoding has


def test_the_request_log(start: t.Callable[..., Started], tmp_path: Path) -> None:
    emulator = start("--request-log", "requests.jsonl")
    fetch(emulator.state)
    bad = urllib.request.Request(f"{emulator.state['endpoint']}/nothing?x=1", headers={"X-Auth-Token": "private"})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(bad, timeout=10)
    emulator.end(signal.SIGTERM)
    text = (tmp_path / "requests.jsonl").read_text()
    first, second = (json.loads(line) for line in text.splitlines())
    assert (first["method"], first["status"], first["auth"], first["connection"]) == ("GET", 200, "token", 1)
    assert (second["path"], second["query"], second["status"], second["connection"]) == ("/nothing", "x=1", 404, 2)
    assert first["headers"]["host"] == emulator.state["endpoint"].removeprefix("http://")
    assert "x-auth-token" in first["header_names"]
    assert 0 <= first["seconds"] < 1
    assert "private" not in text
    assert emulator.state["auth_token"] not in text


def test_latency(start: t.Callable[..., Started]) -> None:
    emulator = start("--latency-ms", "300")
    began = time.monotonic()
    fetch(emulator.state)
    assert time.monotonic() - began >= 0.3


def test_in_the_background(tmp_path: Path) -> None:
    """The command returns when the emulator listens, and the emulator stays."""
    words = [sys.executable, str(FOLDER), "--background", "--lifetime", "30"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True, cwd=tmp_path)
    state = json.loads(done.stdout)
    try:
        assert fetch(state) == 12
        assert os.getsid(state["pid"]) != os.getsid(0)
    finally:
        os.kill(state["pid"], signal.SIGTERM)
    until(lambda: not is_served(state), "the emulator to end")
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_the_program_that_it_was_started_for(tmp_path: Path) -> None:
    """As a playbook starts it: from a process below the one that matters, which is known by its name."""
    script = tmp_path / "some-playbook"
    script.write_text(
        "import subprocess, sys\n"
        f"subprocess.run(['sh', '-c', '{sys.executable} {FOLDER} --background --parent-name some-playbook; true'])\n"
        "input()\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as playbook:
        assert playbook.stdout is not None
        state = json.loads("".join(iter(lambda: next(iter(playbook.stdout)).decode(), "}\n")) + "}")
        time.sleep(1.2)
        assert fetch(state) == 12
        playbook.kill()
        playbook.wait()
    until(lambda: not is_served(state), "the emulator to end")


def test_a_parent_that_nobody_runs() -> None:
    words = [sys.executable, str(FOLDER), "--parent-name", "nobody-runs-this"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (2, "emulator: no process above this one runs nobody-runs-this\n")


def test_a_background_start_that_fails(tmp_path: Path) -> None:
    words = [sys.executable, str(FOLDER), "--background", "--scenario", "nothing"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("emulator: cannot read the scenario 'nothing'")


@pytest.mark.parametrize("options", [("cert.pem", "key.pem"), ("both.pem",)])
def test_tls(start: t.Callable[..., Started], certificate: Path, options: tuple[str, ...]) -> None:
    files = [str(certificate / name) for name in options]
    emulator = start(*(word for pair in zip(("--tls-cert", "--tls-key"), files) for word in pair))
    assert emulator.state["iam_url"].startswith("https://127.0.0.1:")
    with pytest.raises(urllib.error.URLError):
        fetch(emulator.state)
    assert fetch(emulator.state, ssl.create_default_context(cafile=str(certificate / "cert.pem"))) == 12
