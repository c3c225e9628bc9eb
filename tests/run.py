# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every nox session of the project, one more side by side than there are cores, and add up what they say.

With ``--tags matrix``, these are the sessions of that tag in place of those that run by default.

A session counts its tests in a line `name: N passed, N failed`; one without such a line counts as one. The output of a
session is shown when it fails, and is kept in .build/logs. A session that prints a secret fails.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from secret_search import found_in_output

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".build" / "logs"
NOX = [sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py")]
SESSION_LIMIT = 2700.0  # the longest takes four minutes of a processor, and shares two with others, which may be busy
MATRIX_LIMIT = 4 * 3600.0  # the longest session, thorough, takes an hour and a half on two busy processors

running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Outcome:
    """What came of a session; `verdict` is ok, FAIL or "not run", and `busy` its seconds of processor time."""

    name: str
    verdict: str
    seconds: float
    busy: float
    passed: int
    failed: int
    log: str


def session_names(tags: list[str]) -> list[str]:
    """The sessions that run by default, or of the tag, in the order of the noxfile: those that take longest first."""
    listing = subprocess.run(
        [*NOX, "--list", "--json", *tags], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return [entry["session"] for entry in json.loads(listing)]


def run(name: str, limit: float) -> Outcome:
    """Run one session to its end, or to the time limit."""
    report, log_file = LOGS / f"{name}.json", LOGS / f"{name}.log"
    report.unlink(missing_ok=True)
    began = time.monotonic()
    with log_file.open("w") as stream:
        process = subprocess.Popen(
            [*NOX, "--session", name, "--report", str(report)],
            cwd=ROOT,
            env=dict(os.environ, NO_COLOR="1"),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        running.add(process)
        stop = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        stop.start()
        _pid, status, usage = os.wait4(process.pid, 0)
        stop.cancel()
        running.discard(process)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode == -signal.SIGKILL:
            stream.write(f"\nstopped: longer than {limit:.0f} s\n")
        seconds, busy = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    log = log_file.read_text(errors="replace")
    leaked = found_in_output(log)
    if leaked:
        log += f"\nprinted, and must not be: {', '.join(leaked)}\n"
    results = [entry["result"] for entry in json.loads(report.read_text())["sessions"]] if report.is_file() else []
    if results == ["skipped"] and not leaked:
        return Outcome(name, "not run", seconds, busy, 0, 0, log)
    fine = process.returncode == 0 and results == ["success"] and not leaked
    counts = re.findall(rf"^{re.escape(name)}: (\d+) passed, (\d+) failed$", log, re.MULTILINE)
    passed, failed = (int(count) for count in counts[-1]) if counts else (int(fine), 0)
    if not fine:
        failed = max(failed, 1)
    return Outcome(name, "ok" if fine else "FAIL", seconds, busy, passed, failed, log)


def show(outcome: Outcome) -> None:
    """Print a line for the session, what of it could not run, and the output of one that failed."""
    counts = f"{outcome.passed} passed, {outcome.failed} failed"
    took = f"{outcome.seconds:5.0f} s, {outcome.busy:4.0f} s busy"
    print(f"{outcome.verdict:<8} {outcome.name:<19} {took}  {counts}", flush=True)
    for reason in sorted(set(re.findall(r"^not run.*|no Python \S+ on this machine", outcome.log, re.MULTILINE))):
        print(f"         {reason}", flush=True)
    if outcome.verdict == "FAIL":
        print(f"\n{outcome.log.rstrip()}\n", flush=True)


def main() -> int:
    """Run the sessions and print what came of each, and the sum."""
    LOGS.mkdir(parents=True, exist_ok=True)
    names = session_names(sys.argv[1:])
    # One more than there are cores, as sessions also wait: for packages, for answers, for time to pass.
    workers = int(os.environ.get("JOBS", "0")) or min((os.cpu_count() or 1) + 1, 4)
    print(f"{len(names)} sessions, {workers} at a time: {', '.join(names)}", flush=True)
    outcomes = []
    with ThreadPoolExecutor(workers) as pool:
        limit = MATRIX_LIMIT if sys.argv[1:] else SESSION_LIMIT
        futures = [pool.submit(run, name, limit) for name in names]
        try:
            for finished in as_completed(futures):
                outcomes.append(finished.result())
                show(outcomes[-1])
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                os.killpg(process.pid, signal.SIGTERM)
            return 130
    failures = [outcome.name for outcome in outcomes if outcome.verdict == "FAIL"]
    print(f"failed: {', '.join(failures)}" if failures else "every session passed")
    print(f"{sum(outcome.passed for outcome in outcomes)} passed, {sum(outcome.failed for outcome in outcomes)} failed")
    return 1 if failures or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
