# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the emulator, and its life as a process."""

from __future__ import annotations

import argparse
import io
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from .processes import ancestor_named, birth_of
from .scenario import LONGEST_SECONDS, ScenarioError
from .server import Emulator

START_SECONDS = 30
POLL_SECONDS = 0.5


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> t.NoReturn:
        self.exit(2, f"emulator: {message}; --help lists the options\n")


def _port(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 5 or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"{value!r} is not a port from 0 to 65535")
    return int(value)


def _seconds(value: str) -> float:
    return _number(value, LONGEST_SECONDS, "seconds")


def _milliseconds(value: str) -> float:
    return _number(value, LONGEST_SECONDS, "milliseconds")


def _number(value: str, most: float, unit: str) -> float:
    try:
        given = float(value)
    except ValueError:
        given = -1
    if not 0 <= given <= most:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of {unit} from 0 to {most}")
    return given


def _process(value: str) -> int:
    # A process number below 1 would mean a whole group of processes.
    if not value.isascii() or not value.isdigit() or len(value) > 9 or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a process ID")
    return int(value)


def arguments(argv: t.Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="python3 playbooks/emulator",
        description="ModelArts and IAM on a port of this machine, for trying out and for tests.",
    )
    parser.add_argument("--scenario", default="demo", help="name of a shipped scenario, or a file (default: demo)")
    parser.add_argument("--port", type=_port, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--bind", default="127.0.0.1", choices=["127.0.0.1"], help="address to listen on")
    parser.add_argument("--lifetime", type=_seconds, metavar="SECONDS", help="end after this time")
    parser.add_argument("--parent-pid", type=_process, metavar="PID", help="end when this process is gone")
    parser.add_argument(
        "--parent-name", metavar="NAME", help="end when the outermost process above this one that runs NAME is gone"
    )
    parser.add_argument("--state-file", type=Path, metavar="FILE", help="write a JSON file once it listens")
    parser.add_argument("--request-log", type=Path, metavar="FILE", help="append a JSON line for each request")
    parser.add_argument(
        "--latency-ms", type=_milliseconds, default=0, metavar="N", help="wait this long before each answer"
    )
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate to serve HTTPS with")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="key of the certificate (default: in its file)")
    parser.add_argument(
        "--background",
        action=argparse.BooleanOptionalAction,
        help="return once it listens, and print its state as JSON",
    )
    options = parser.parse_args(argv)
    if options.tls_key and not options.tls_cert:
        parser.error("--tls-key needs --tls-cert")
    return options


def usage(emulator: Emulator) -> str:
    """Return how to use it: lines for a shell."""
    mine = emulator.credentials
    exports = {
        "MODELARTS_ENDPOINT": emulator.endpoint,
        "OS_ACCESS_KEY": mine.access_key,
        "OS_SECRET_KEY": mine.secret_key,
        "OS_PROJECT_ID": mine.project_id,
    }
    pools = "\n".join(f"#   {pool.id}  ({pool.name})" for pool in emulator.world.pools.values())
    lines = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in exports.items())
    return f"# ModelArts emulator on {emulator.endpoint}, its pools:\n{pools}\n# To use it from another shell:\n{lines}"


def write_state(path: Path, state: dict[str, t.Any]) -> None:
    """Write the state file in one step, readable for its owner only."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=2)
            file.write("\n")
        os.replace(name, path)
    except OSError as error:
        raise ScenarioError(f"cannot write the state file {str(path)!r} ({error.strerror})") from None


def serve(options: argparse.Namespace) -> int:
    """Serve until a signal, the end of the lifetime, or the end of the parent."""
    # A handler can be interrupted by the next signal: it must not take a lock, as threading.Event.set() does.
    stopped, stop = os.pipe()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_arguments: os.write(stop, b"."))
    parent = birth_of(options.parent_pid) if options.parent_pid else None
    if options.parent_pid and parent is None:
        raise ScenarioError(f"there is no process {options.parent_pid}")
    deadline = time.monotonic() + options.lifetime if options.lifetime is not None else None
    with Emulator(
        options.scenario,
        port=options.port,
        bind=options.bind,
        latency_ms=options.latency_ms,
        request_log=options.request_log,
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
    ) as emulator:
        if options.state_file:
            write_state(options.state_file, {**emulator.state(), "scenario": options.scenario})
        print(usage(emulator), flush=True)
        while True:
            left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, deadline - time.monotonic())
            if left <= 0 or (parent is not None and birth_of(options.parent_pid) != parent):
                break
            if select.select([stopped], [], [], left)[0]:
                break
    if options.state_file:
        options.state_file.unlink(missing_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # one that comes while Python ends would make it end with an error
    return 0


def start_in_background(argv: list[str], options: argparse.Namespace) -> int:
    """Start the emulator as a process of its own, and return when it listens. Later options beat earlier ones."""
    with tempfile.TemporaryDirectory() as folder:
        state_file = options.state_file or Path(folder) / "state.json"
        state_file.unlink(missing_ok=True)
        command = [sys.executable, str(Path(__file__).resolve().parent), *argv, "--state-file", str(state_file)]
        command.append("--no-background")
        if options.parent_name:
            command += ["--parent-name", "", "--parent-pid", str(options.parent_pid)]
        with open(Path(folder) / "errors", "w+b") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
            deadline = time.monotonic() + START_SECONDS
            while not state_file.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    errors.seek(0)
                    sys.stderr.write(errors.read().decode() or "the emulator did not start\n")
                    return 1
                time.sleep(0.02)
        print(state_file.read_text(encoding="utf-8"), end="")
    return 0


def main(argv: list[str]) -> int:
    options = arguments(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a pool's name can be in any script
    try:
        if options.parent_name:
            options.parent_pid = ancestor_named(options.parent_name)
            if options.parent_pid is None:
                raise ScenarioError(f"no process above this one runs {options.parent_name}")
        return start_in_background(argv, options) if options.background else serve(options)
    except (ScenarioError, OSError) as error:
        print(f"emulator: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
