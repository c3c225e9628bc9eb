# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the guides, or the README files, as they stand on the emulator, and compare what is printed with what they show.

To put what is printed now into the guides, in a clone at .../ansible_collections/poolgate/modelarts::

    ANSIBLE_COLLECTIONS_PATH=... python tests/integration/targets/guides/run_guides.py --write [guide_gate ...]

Every guide has a reader with an empty home, who does block after block what it says:

* ``yaml`` and ``yaml+jinja`` with a caption is written to a file of that name, which a command must use. What a
  pipeline (``.gitlab-ci.yml``, ``.github/workflows``) would run is run. Without a caption, tasks and plays are run, and
  variables are given to the role ``capacity_gate``, for the first pool of the scenario and 8 GPUs where they say none.
* ``console`` has commands after ``$``; they must end with 0, and what they export stays.
* ``text`` is what came last: the gate's own lines, or all that was printed. Times, the number of attempts and IDs of
  requests may differ.

A comment ``.. run: WORDS`` stands for the next block: ``fails``, ``decides wait`` (of the role's variables), ``new
terminal`` (no credentials are set), ``keeps running`` (the reader sets what it exports), and ``printed by TASK``, the
sentence with which a task of files/GUIDE.yml fails.

The cloud is an emulator with the scenario files/GUIDE.json, or ``demo``; its addresses and its domain stand for those
of Open Telekom Cloud in the examples and in what is printed. The reader's secrets are in ``~/.secrets`` and in
variables ``vault_*``.

With ``--readme`` the README files are followed, by a reader who has cloned the repository. There, a block is fenced, a
comment is ``<!-- run: WORDS -->``, the name of a file is a comment in its first line, ``json`` is a scenario.
"""

from __future__ import annotations

import difflib
import json
import os
import platform
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml

COLLECTIONS = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]).absolute()
COLLECTION = COLLECTIONS / "ansible_collections" / "poolgate" / "modelarts"
GUIDES = COLLECTION / "docs" / "docsite" / "rst"
FILES = COLLECTION / "tests" / "integration" / "targets" / "guides" / "files"

MODELARTS_URL = "https://modelarts.eu-de.otc.t-systems.com"
IAM_URL = "https://iam.eu-de.otc.t-systems.com/v3"
DOMAIN = "OTC-EU-DE-00000000001000012345"
OTHER_CLOUD = re.compile(r"http://127\.0\.0\.1:9\b|https://127\.0\.0\.1:\d+")
CONTROLLER = "controller"

READMES = ("README.md", "playbooks/emulator/README.md", "roles/*/README.md")
FENCE = re.compile(r"^```(\w*)$")
COMMENT = re.compile(r"^<!-- run: (.+) -->$")
FILE_NAME = re.compile(r"^# (\S+\.yml)$")
PLACEHOLDER = re.compile(r"\b(?:OS|HW)_(PROJECT_ID|ACCESS_KEY|SECRET_KEY)=\.\.\.")
CODE = re.compile(r"^\.\. code-block:: (\S+)$")
UNKNOWN_BLOCK = re.compile(r"\s*\.\. (code|sourcecode|literalinclude|parsed-literal|ansible-output)|(?!\s*\.\. ).*::$")
RUN = re.compile(r"^\.\. run: (.+)$")
PIPELINES = (".gitlab-ci.yml", ".github/")
# They need ansible-rulebook and Java, and parts of AWX, which the nox sessions `rulebook` and `awx` have.
ELSEWHERE = ("guide_events", "guide_awx")
WITHOUT_COMMAND = (*PIPELINES, "group_vars/", ".config/", "ansible.cfg")
COMMAND_SECONDS = 600.0  # the longest play asks some twenty gates, of which each takes ten seconds on a busy machine
QUIET_SECONDS = 0.7
WIDTH = 80

GATE_LINE = re.compile(r"(ADMIT|WAIT|REJECT|UNKNOWN) |\d\d:\d\d:\d\dZ \d+:\d\d:\d\d/")
END_OF_PAGE = re.compile(r"((ok|changed|fatal|failed|skipping): \[|\[(ERROR|WARNING)|TASK \[|$)")
# What differs from run to run.
MOVING = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+"), "2026-01-01 00:00:00.0"),
    (re.compile(r"\d\d:\d\d:\d\dZ"), "00:00:00Z"),
    (re.compile(r"\d+:\d\d:\d\d/"), "0:00:00/"),
    (re.compile(r"\d+ s ago"), "0 s ago"),
    (re.compile(r"waited .* attempts?"), "waited"),
    (re.compile(r"request [0-9a-f-]{8,}"), "request ID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:0"),
    (re.compile(r"self.signed certificate( \(_ssl\.c:\d+\))?"), "self-signed certificate"),
    (re.compile(r"clock is \d+ s"), "clock is 0 s"),
    (re.compile(r"\b\d+ min\b"), "0 min"),
    (re.compile(r"async is not supported for this task\.|This action \(\S+\) does not support async\."), "no async"),
    (re.compile(r"(?<=\S) +"), " "),
)


@dataclass
class Block:
    """A code block: ``first`` and ``last`` are the lines of its content, counted from 0, the latter excluded."""

    language: str
    caption: str
    run: list[str]
    first: int
    last: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def is_yaml(self) -> bool:
        return self.language in ("yaml", "yaml+jinja")

    def told(self, words: str) -> str | None:
        """What follows these words in a comment before the block; None without such a comment."""
        return next((said[len(words) :].strip() for said in self.run if said.startswith(words)), None)


def blocks_of(lines: t.Sequence[str]) -> list[Block]:
    """The code blocks of a guide. Any other way to write one is an error, as it would not be run."""
    blocks = []
    run: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        comment, code = RUN.match(line), CODE.match(line)
        if comment:
            run.append(comment.group(1))
        elif code:
            options = {}
            while number < len(lines) and (option := re.match(r"^   :(\w+): (.+)$", lines[number])):
                options[option.group(1)] = option.group(2)
                number += 1
            first = number + 1
            while number < len(lines) and (not lines[number] or lines[number].startswith("   ")):
                number += 1
            last = number
            while not lines[last - 1]:
                last -= 1
            content = [text[3:] for text in lines[first:last]]
            blocks.append(Block(code.group(1), options.get("caption", ""), run, first, last, content))
            run = []
        elif UNKNOWN_BLOCK.match(line):
            raise SystemExit(f"line {number} starts a block that would not be run: {line}")
    return blocks


def fenced_blocks_of(lines: t.Sequence[str]) -> list[Block]:
    """The code blocks of a README."""
    blocks: list[Block] = []
    run: list[str] = []
    first, language = 0, ""  # of the block that is open
    for number, line in enumerate(lines):
        comment, fence = COMMENT.match(line), FENCE.match(line)
        if not first and comment:
            run.append(comment.group(1))
        elif not first and fence:
            first, language = number + 1, fence.group(1)
        elif fence:
            content = list(lines[first:number])
            name = FILE_NAME.match(content[0])
            blocks.append(Block(language, name.group(1) if name else "", run, first, number, content))
            run, first = [], 0
    return blocks


def gate_lines(output: str) -> list[str]:
    """The lines that the gate itself has printed."""
    lines: list[str] = []
    inside = False
    for line in output.splitlines():
        inside = not END_OF_PAGE.match(line) and (inside or bool(GATE_LINE.match(line)))
        lines += [line] * inside
    return lines


def comparable(lines: t.Iterable[str]) -> list[str]:
    """The lines without what differs from run to run, each run of equal ones once."""
    compared: list[str] = []
    for line in lines:
        for pattern, replacement in MOVING:
            line = pattern.sub(replacement, line)
        if not compared or line != compared[-1]:
            compared.append(line)
    return compared


def pipeline_script(block: Block) -> str:
    """What the jobs of a pipeline run."""
    document = yaml.safe_load(block.text)
    if block.caption.startswith(".github/"):
        steps = [step for job in document["jobs"].values() for step in job["steps"]]
        return "\n".join(step["run"] for step in steps if "run" in step)
    return "\n".join(line for job in document.values() if isinstance(job, dict) for line in job.get("script", ()))


class Emulator:
    """An emulator that stands for the cloud."""

    def __init__(self, scenario: str, folder: Path) -> None:
        state_file = folder / "state.json"
        command = [sys.executable, str(COLLECTION / "playbooks" / "emulator"), "--scenario", scenario]
        self.process = subprocess.Popen(
            [*command, "--state-file", str(state_file), "--parent-pid", str(os.getpid())], stdout=subprocess.DEVNULL
        )
        while not state_file.exists():
            if self.process.poll() is not None:
                raise SystemExit(f"the emulator did not start with {scenario}")
            time.sleep(0.02)
        self.state: dict[str, t.Any] = json.loads(state_file.read_text(encoding="utf-8"))


@dataclass
class Reader:
    """Does what a guide says, in a home of its own."""

    guide: Path
    home: Path
    cloud: dict[str, t.Any]
    writes: bool
    printed: str = ""
    pipelines: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder, self.playbooks = self.home, self.home / ".blocks"
        if self.guide.suffix == ".md":
            self.folder = self.home / "clone"
            self.playbooks = self.folder / "playbooks"
            ignored = shutil.ignore_patterns(".git", "output", "__pycache__")
            shutil.copytree(COLLECTION, self.folder, ignore=ignored)
        own = re.compile(r"(OS|HW|HUAWEICLOUD_SDK|MODELARTS|vault)_|ANSIBLE_(CONFIG|FORCE_COLOR)$")
        self.bare = {
            **{name: value for name, value in os.environ.items() if not own.match(name)},
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "HOME": str(self.home),
            "MODELARTS_ENDPOINT": self.cloud["endpoint"],
            "no_proxy": "127.0.0.1",
        }
        self.environment = {
            **self.bare,
            "OS_ACCESS_KEY": self.cloud["access_key"],
            "OS_SECRET_KEY": self.cloud["secret_key"],
            "OS_PROJECT_ID": self.cloud["project_id"],
        }
        self.connected = dict(self.environment)
        secrets = self.home / ".secrets"
        secrets.mkdir()
        for name in ("access_key", "secret_key", "auth_token", "password"):
            (secrets / name.replace("_", "-")).write_text(self.cloud[name], encoding="utf-8")
        (secrets / "vault-password").write_text("a-vault-password", encoding="utf-8")
        (self.home / ".ansible").mkdir()
        if self.guide == COLLECTION / "README.md":
            for environment in (self.bare, self.environment, self.connected):  # the README installs it
                del environment["ANSIBLE_COLLECTIONS_PATH"]
        else:
            (self.home / ".ansible" / "collections").symlink_to(COLLECTIONS)

    def on_emulator(self, text: str) -> str:
        text = text.replace(MODELARTS_URL, self.cloud["endpoint"]).replace(IAM_URL, self.cloud["iam_url"])
        text = PLACEHOLDER.sub(lambda found: f"{found[0][:-3]}{self.cloud[found[1].lower()]}", text)
        return text.replace(DOMAIN, self.cloud["domain_name"])

    def on_cloud(self, text: str) -> str:
        text = text.replace(self.cloud["iam_url"], IAM_URL).replace(self.cloud["endpoint"], MODELARTS_URL)
        text = re.sub(rf"\b{re.escape(platform.node())}\b", CONTROLLER, text)
        return OTHER_CLOUD.sub(MODELARTS_URL, text)

    def shell(self, script: str, environment: dict[str, str]) -> int:
        """Run a script in the reader's folder, and keep what it prints; the exit code."""
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.on_emulator(script)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        self.printed = ended.stdout
        return ended.returncode

    def commands(self, block: Block) -> None:
        """Run a console block."""
        if not all(line.startswith(("$ ", "> ")) for line in block.lines):
            self.complain(block, "every line of a console block must start with $, or with > for a further line")
        script = "\n".join(re.sub("^make ", "make --dry-run ", line[2:]) for line in block.lines)
        if block.told("keeps running") is not None:
            return self.keep_running(block, script)
        exports = self.home / ".exports"
        code = self.shell(f"{script}\nenv -0 >{exports}", self.environment)
        fails = block.told("fails") is not None
        if bool(code) != fails:
            self.complain(block, f"ended with {code}\n{self.printed}")
        if exports.exists():
            entries = exports.read_text(encoding="utf-8").rstrip("\0").split("\0")
            self.environment = dict(entry.split("=", 1) for entry in entries)
            exports.unlink()
        return None

    def keep_running(self, block: Block, script: str) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {script}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.running.append(process)
        assert process.stdout
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while selector.select(QUIET_SECONDS if said else COMMAND_SECONDS):
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    self.complain(block, "did not keep running")
                    break
                said += piece
        self.printed = said.decode()
        for name, value in re.findall(r"^export (\w+)=(\S+)$", self.printed, re.MULTILINE):
            self.environment[name] = value

    def playbook(self, plays: list[dict[str, t.Any]]) -> int:
        variables = {f"vault_{key}": value for key, value in self.cloud.items()}
        self.playbooks.mkdir(exist_ok=True)
        playbook, vault = self.playbooks / "block.yml", self.home / ".vault.json"
        playbook.write_text(self.on_emulator(json.dumps(plays)), encoding="utf-8")
        vault.write_text(json.dumps(variables), encoding="utf-8")
        return self.shell(f"ansible-playbook --extra-vars @{vault} {playbook}", self.connected)

    def scenario(self, block: Block) -> None:
        """Start an emulator with a scenario, and end it."""
        file = self.home / "scenario.json"
        file.write_text(block.text, encoding="utf-8")
        place = self.home / ".scenario"
        place.mkdir(exist_ok=True)
        self.running.append(Emulator(str(file), place).process)

    def program(self, block: Block) -> None:
        environment = {**self.bare, "PYTHONPATH": str(COLLECTIONS)}
        file = self.home / "program.py"
        file.write_text(block.text, encoding="utf-8")
        if self.shell(f"python3 {file}", environment):
            self.complain(block, self.printed)

    def variables(self, blocks: t.Sequence[Block]) -> dict[int, str]:
        """Give each block of variables to the role, in one play; what is printed for each, by its line."""
        tasks = [
            {
                "name": f"Block {block.first}",
                "ansible.builtin.include_role": {"name": "poolgate.modelarts.capacity_gate"},
                "vars": {
                    "capacity_gate_pools": [self.cloud["pools"][0]["id"]],
                    "capacity_gate_request": {"type": "train", "resources": {"nvidia.com/gpu": 8}},
                    "capacity_gate_on_refusal": "continue",
                    **yaml.safe_load(block.text),
                },
            }
            for block in blocks
        ]
        if not tasks:
            return {}
        play = {"name": "Blocks of variables", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
        code = self.playbook([play])
        parts = re.split(r"^TASK \[Block (\d+)\].*$", self.printed, flags=re.MULTILINE)
        printed = {int(number): output for number, output in zip(parts[1::2], parts[2::2])}
        if code or len(printed) < len(blocks):
            at = max(printed, default=blocks[0].first)
            self.complain(next(block for block in blocks if block.first == at), self.printed)
        return printed

    def listing(self, block: Block) -> None:
        """Run a YAML block that is tasks or plays."""
        entries: list[dict[str, t.Any]] = yaml.safe_load(block.text)
        plays = [entry for entry in entries if "hosts" in entry or "import_playbook" in entry]
        tasks = [entry for entry in entries if entry not in plays]
        if tasks:
            plays.append({"name": "Tasks", "hosts": "localhost", "gather_facts": False, "tasks": tasks})
        code = self.playbook(plays)
        if bool(code) != (block.told("fails") is not None):
            self.complain(block, f"ended with {code}\n{self.printed}")

    def write_file(self, block: Block, later: t.Iterable[Block]) -> None:
        """Write a YAML block with a caption, for the commands of later blocks."""
        name = block.caption.removeprefix("~/")
        file = (self.home if block.caption.startswith("~/") else self.folder) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.on_emulator(block.text), encoding="utf-8")
        used = any(name in o.text for o in later if o.language == "console" or o.caption.startswith(PIPELINES))
        if name.startswith(PIPELINES):
            script = pipeline_script(block)
            # Not the reader's shell: a runner has variables of its own, and a store in which nobody has claimed yet.
            store = self.home / f"claims-of-runner-{len(self.pipelines)}.db"
            runner = {**self.connected, "MODELARTS_CLAIM_STORE": f"sqlite:///{store}"}
            if script not in self.pipelines and self.shell(script, runner):
                self.complain(block, self.printed)
            self.pipelines.add(script)
        elif not used and not name.startswith(WITHOUT_COMMAND):
            self.complain(block, f"no command uses {block.caption}")

    def failures(self) -> dict[str, str]:
        """The sentences with which the tasks of files/GUIDE.yml fail, by the names of the tasks."""
        playbook = FILES / f"{self.guide.stem}.yml"
        if not playbook.exists():
            return {}
        if self.shell(f"ansible-playbook {playbook}", self.connected):
            self.problems.append(f"{playbook.name}: {self.printed}")
        parts = re.split(r"^TASK \[(.+?)\] \**$", self.printed, flags=re.MULTILINE)
        sentences = {}
        for name, output in zip(parts[1::2], parts[2::2]):
            failed = re.search(r"^fatal: \[.+?\]: FAILED! => (\{.*\})$", output, re.MULTILINE)
            if failed:
                sentences[name] = self.on_cloud(json.loads(failed.group(1))["msg"])
        return sentences

    def read(self, blocks: t.Sequence[Block]) -> dict[int, list[str]]:
        """Do what the blocks say; what should stand in those of text, by their lines."""
        shown: dict[int, list[str]] = {}
        failures = self.failures()
        variables = [b for b in blocks if b.is_yaml and not b.caption and isinstance(yaml.safe_load(b.text), dict)]
        of_variables = self.variables(variables)
        for number, block in enumerate(blocks):
            if block.told("new terminal") is not None:
                self.environment = dict(self.bare)
            if block.told("printed by make demo") is not None:
                continue
            if block.language == "text":
                shown[block.first] = self.shown(block, failures)
            elif block.language in ("json", "python") and self.guide.suffix == ".md":
                self.scenario(block) if block.language == "json" else self.program(block)
            elif block.language == "console":
                self.commands(block)
            elif not block.is_yaml:
                self.complain(block, f"{block.language} is none of text, console, yaml and yaml+jinja")
            elif block.caption:
                self.write_file(block, blocks[number + 1 :])
            elif block in variables:
                self.printed = of_variables.get(block.first, "")
                decided = re.findall(r"^(ADMIT|WAIT|REJECT|UNKNOWN) ", self.printed, re.MULTILINE)
                if [decision.lower() for decision in decided[:1]] != [block.told("decides")]:
                    self.complain(block, f"does not decide {block.told('decides')}\n{self.printed}")
            else:
                self.listing(block)
        return shown

    def shown(self, block: Block, failures: dict[str, str]) -> list[str]:
        """What a text block should show, compared with what it does show."""
        task = block.told("printed by")
        if task is None:
            lines = gate_lines(self.printed) or [line.rstrip() for line in self.printed.rstrip().splitlines()]
            lines = [self.on_cloud(line) for line in lines]
        else:
            lines = textwrap.wrap(failures.get(task, f"no task {task} fails"), WIDTH, break_on_hyphens=False)
        # ansible-core before 2.19 warns in lines of 80 columns, and of the collection that ansible-test runs in.
        lines = [line for line in lines if line != "[WARNING]: running with default collection poolgate.modelarts"]
        before, now = comparable(block.lines), comparable(lines)
        # Where a sentence is broken into lines does not matter.
        flows = task or any(line.startswith("[WARNING]") for line in block.lines)
        if before == now or (flows and comparable([" ".join(block.lines)]) == comparable([" ".join(lines)])):
            return block.lines
        if not self.writes:
            difference = difflib.unified_diff(before, now, "the guide shows", "what is printed", lineterm="", n=20)
            self.complain(block, "\n".join(difference))
        return lines

    def complain(self, block: Block, what: str) -> None:
        self.problems.append(f"{self.guide.name}, line {block.first + 1}: {what}")


def follow(guide: Path, write: bool) -> list[str]:
    """Follow one guide on an emulator of its own; what is wrong with it."""
    lines = guide.read_text(encoding="utf-8").split("\n")
    blocks = fenced_blocks_of(lines) if guide.suffix == ".md" else blocks_of(lines)
    if not any(block.is_yaml for block in blocks):
        return [f"{guide.name}: it has no example"]
    scenario = FILES / f"{guide.stem}.json"
    with tempfile.TemporaryDirectory() as place:
        home = Path(place, "home")
        home.mkdir()
        emulator = Emulator(str(scenario) if scenario.exists() else "demo", Path(place))
        reader = Reader(guide, home, emulator.state, write)
        try:
            shown = reader.read(blocks)
        finally:
            for process in [*reader.running, emulator.process]:
                process.send_signal(signal.SIGTERM)
                process.wait()
            shutil.rmtree(home, ignore_errors=True)
    if write and any(block.lines != shown.get(block.first, block.lines) for block in blocks):
        for block in reversed([block for block in blocks if block.first in shown]):
            lines[block.first : block.last] = [f"   {line}".rstrip() for line in shown[block.first]]
        guide.write_text("\n".join(lines), encoding="utf-8")
    return reader.problems


def main(arguments: list[str]) -> int:
    """Follow the guides side by side; 1 when something in one of them is wrong."""
    write = "--write" in arguments
    names = [argument for argument in arguments if not argument.startswith("--")]
    if "--readme" in arguments:
        guides = [readme for pattern in READMES for readme in sorted(COLLECTION.glob(pattern))]
    else:
        known = sorted(GUIDES.glob("guide_*.rst"))
        guides = [guide for guide in known if (guide.stem in names if names else guide.stem not in ELSEWHERE)]
    if not guides:
        raise SystemExit(f"there is no such guide in {GUIDES}")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1) as pool:
        outcomes = list(zip(guides, pool.map(lambda guide: follow(guide, write), guides)))
    for guide, problems in outcomes:
        print("\n".join([f"{'FAIL' if problems else 'ok'} {guide.relative_to(COLLECTION)}", *problems]), flush=True)
    broken = sum(bool(problems) for _guide, problems in outcomes)
    print(f"{len(outcomes) - broken} of {len(outcomes)} are as they say")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
