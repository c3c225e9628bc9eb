# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the pipelines of docs/examples on the emulator, script by script, as a runner of GitLab or GitHub does.

Their files are checked against the published schemas first. A runner starts each script with bash in the folder of the
repository, goes on after a failure only where the pipeline says so, and shows report.md as the summary of the job.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import jsonschema
import yaml
from ansible.release import __version__ as core

COLLECTION = Path(
    os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0], "ansible_collections", "poolgate", "modelarts"
).absolute()
EXAMPLES = COLLECTION / "docs" / "examples"
SCHEMA = COLLECTION / "docs" / "report.schema.json"
PUBLISHED = {"gitlab-ci.yml": "vendor.gitlab-ci", "github-workflow.yml": "vendor.github-workflows"}
BASH = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c")
PINNED_CORE = re.compile(r"ansible-core ~= [\d.]+")
"""In place of which the pipelines install the ansible-core that is tested."""
SECONDS = 300.0

Facts = dict[str, t.Any]


class Runner:
    """A checkout with the examples in it, and an environment that only has what a pipeline of the project is given."""

    def __init__(self, home: Path, cloud: Facts) -> None:
        self.checkout = home / "checkout"
        shutil.copytree(EXAMPLES, self.checkout)
        for name in PUBLISHED:
            pipeline = self.checkout / name
            text, count = PINNED_CORE.subn(f"ansible-core == {core}", pipeline.read_text(encoding="utf-8"))
            if not count:
                raise SystemExit(f"{name} installs no ansible-core")
            pipeline.write_text(text, encoding="utf-8")
        build = ["ansible-galaxy", "collection", "build", "--output-path", str(self.checkout), str(COLLECTION)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        self.summary = home / "summary.md"
        own = ("OS_", "HW_", "HUAWEICLOUD_SDK_", "MODELARTS_", "ANSIBLE_")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(own)},
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "CI": "true",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "HOME": str(home),
            "MODELARTS_CLAIM_STORE": f"sqlite:///{home}/claims.db",
            "MODELARTS_ENDPOINT": cloud["endpoint"],
            "OS_ACCESS_KEY": cloud["access_key"],
            "OS_PROJECT_ID": cloud["project_id"],
            "OS_SECRET_KEY": cloud["secret_key"],
            "no_proxy": "127.0.0.1",
        }
        self.printed = ""
        self._installed: set[str] = set()

    def is_first(self, script: str) -> bool:
        """Whether what installs is not installed yet: to do so anew for each job takes seconds, and changes nothing."""
        is_first = script not in self._installed
        self._installed.add(script)
        return is_first

    def shell(self, script: str) -> int:
        """Run a script in the checkout; its exit code."""
        ended = subprocess.run(
            [*BASH, script],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.printed += ended.stdout
        return ended.returncode

    def ask_for(self, **request: object) -> None:
        """Change request.yml, as somebody who wants something else does."""
        file = self.checkout / "request.yml"
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        document["capacity_gate_request"].update(request)
        file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def forget(self) -> None:
        """Another run, in a fresh checkout of the same state."""
        shutil.rmtree(self.checkout / "report", ignore_errors=True)
        self.summary.unlink(missing_ok=True)
        self.printed = ""

    def gitlab(self, job: str) -> int:
        """Run a job of the GitLab pipeline; the exit code of its script."""
        document = yaml.safe_load((self.checkout / "gitlab-ci.yml").read_text(encoding="utf-8"))
        before = document["default"]["before_script"]
        installs = before if self.is_first("\n".join(before)) else ()
        code = self.shell("\n".join([*installs, *document[job]["script"]]))
        for script in document[job].get("after_script", ()):
            check(self, f"GitLab, {job}, behind it: {script}", self.shell(script) == 0)
        return code

    def github(self) -> list[int]:
        """Run the steps of the GitHub workflow; the exit codes of those that ran."""
        document = yaml.safe_load((self.checkout / "github-workflow.yml").read_text(encoding="utf-8"))
        codes: list[int] = []
        for step in document["jobs"]["train"]["steps"]:
            if "run" in step and (not any(codes) or step.get("if") == "always()"):
                is_done = step["name"].startswith("Install ") and not self.is_first(step["run"])
                codes.append(0 if is_done else self.shell(step["run"]))
        return codes

    def report(self) -> Facts:
        """report.json, which its schema describes."""
        document: Facts = json.loads((self.checkout / "report" / "report.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
        return document


def check(runner: Runner, what: str, holds: object) -> None:
    """Say what holds, or stop with all that was printed."""
    if not holds:
        raise SystemExit(f"FAIL {what}\n{runner.printed}")
    print(f"ok {what}", flush=True)


def check_schemas() -> None:
    for name, schema in PUBLISHED.items():
        words = ["-m", "check_jsonschema", "--builtin-schema", schema, str(EXAMPLES / name)]
        subprocess.run([sys.executable, *words], check=True)


def admitted(runner: Runner) -> None:
    check(runner, "GitLab, merge request: 0 where there is room", runner.gitlab("capacity") == 0)
    check(runner, "its report says so", runner.report()["decision"] == "admit")
    check(runner, "it does not wait", runner.report()["waited_seconds"] is None)
    runner.forget()
    check(runner, "GitLab, train: gate, deployment and watch end with 0", runner.gitlab("train") == 0)
    said = [runner.printed.find(words) for words in ("ADMIT train-a100", " is submitted to pool-", "runs in pool-")]
    check(runner, "in this order", -1 not in said and said == sorted(said))
    runner.forget()
    check(runner, "GitHub: every step ends with 0", runner.github() == [0, 0, 0])
    summary = runner.summary.read_text(encoding="utf-8")
    check(runner, "the summary of the job is the report", summary.startswith("## ADMIT: it fits now\n"))


def refused(runner: Runner) -> None:
    runner.ask_for(replicas=65)
    runner.forget()
    document = yaml.safe_load((runner.checkout / "gitlab-ci.yml").read_text(encoding="utf-8"))
    code = runner.gitlab("capacity")
    check(runner, "GitLab, merge request: 2 where it is refused", code == 2)
    check(runner, "which is only a warning", document["capacity"]["allow_failure"]["exit_codes"] == code)
    check(runner, "its report says why", "short" in runner.report()["reasons"][0])
    runner.forget()
    check(runner, "GitLab, train: 2", runner.gitlab("train") == 2)
    check(runner, "nothing was submitted", "is submitted to" not in runner.printed)
    runner.forget()
    check(runner, "GitHub: the gate's step ends with 2, and the summary is shown", runner.github() == [0, 2, 0])
    summary = runner.summary.read_text(encoding="utf-8")
    check(runner, "it says why", summary.startswith("## REJECT: waiting cannot help\n") and "short" in summary)


def not_asked(runner: Runner) -> None:
    runner.environment["OS_SECRET_KEY"] = "wrong"
    (runner.checkout / "report").mkdir(exist_ok=True)
    (runner.checkout / "report" / "report.md").write_text("## ADMIT\n", encoding="utf-8")
    runner.summary.unlink(missing_ok=True)
    check(runner, "GitHub: 2 where it could not ask, and the summary's step is well", runner.github() == [0, 2, 0])
    check(runner, "no report of an earlier run is shown", not runner.summary.exists())


def main() -> int:
    """Run everything; it stops at the first thing that is not as it should be."""
    check_schemas()
    with tempfile.TemporaryDirectory() as place:
        state = Path(place, "state.json")
        command = [sys.executable, str(COLLECTION / "playbooks" / "emulator"), "--scenario", "demo"]
        emulator = subprocess.Popen(
            [*command, "--state-file", str(state), "--parent-pid", str(os.getpid())], stdout=subprocess.DEVNULL
        )
        try:
            while not state.exists():
                if emulator.poll() is not None:
                    raise SystemExit("the emulator did not start")
                time.sleep(0.02)
            runner = Runner(Path(place), json.loads(state.read_text(encoding="utf-8")))
            for story in (admitted, refused, not_asked):
                story(runner)
        finally:
            emulator.send_signal(signal.SIGTERM)
            emulator.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
