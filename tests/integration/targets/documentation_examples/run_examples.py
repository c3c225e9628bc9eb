# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the examples of every plugin's documentation, as they stand, on the emulator's scenario demo.

ansible-doc must show them, and the roles. Of an inventory, each document is a file, named in its first line.

The connection comes from the environment, except where an example gives it. Such an example takes what it needs from
variables like vault_auth_token and vault_password, one for each entry of the emulator's state file, and calls the cloud
of its clouds.yaml otc.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import yaml

NAME = "poolgate.modelarts"
COLLECTION = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0], "ansible_collections", *NAME.split("."))
FOLDERS = {"module": "modules", "lookup": "lookup", "filter": "filter", "inventory": "inventory", "test": "test"}
START_SECONDS = 30.0
PLAY_SECONDS = 300.0


def documented_plugins(plugin_type: str) -> dict[str, str]:
    """The examples of each plugin of the type, by its name."""
    files = (COLLECTION / "plugins" / FOLDERS[plugin_type]).glob("[!_]*.*")
    names = sorted({f"{NAME}.{file.stem}" for file in files})
    if not names:
        return {}
    documents = json.loads(subprocess.check_output(["ansible-doc", "--json", "--type", plugin_type, *names], text=True))
    return {name: documents.get(name, {}).get("examples") or "" for name in names}


def shown_roles(folder: Path) -> dict[str, str]:
    """What is wrong with how ansible-doc shows each role; nothing, if it has a text for every entry point.

    It finds no role below a path that has ansible_collections twice, as that of a tree in a clone has: give it another.
    """
    names = sorted(path.name for path in (COLLECTION / "roles").iterdir())
    command = ["ansible-doc", "--json", "--type", "role", *(f"{NAME}.{name}" for name in names)]
    collections = folder / "collections"
    collections.symlink_to(COLLECTION.parents[2])
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(collections))
    documents = json.loads(subprocess.check_output(command, env=environment, text=True))
    problems = {}
    for name in names:
        entry_points = documents.get(f"{NAME}.{name}", {}).get("entry_points", {})
        told = entry_points and all(each.get("short_description") for each in entry_points.values())
        problems[f"role {NAME}.{name}"] = "" if told else "ansible-doc does not show it"
    return problems


def start_emulator(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, t.Any]]:
    """Start the emulator and wait for its state file."""
    state_file = folder / "state.json"
    command = [sys.executable, str(COLLECTION / "playbooks" / "emulator"), "--scenario", "demo"]
    words = [*command, "--state-file", str(state_file), "--parent-pid", str(os.getpid())]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # it prints how to log in
    deadline = time.monotonic() + START_SECONDS
    while not state_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SystemExit("the emulator did not start")
        time.sleep(0.05)
    return process, json.loads(state_file.read_text(encoding="utf-8"))


def environment_of(state: dict[str, t.Any], folder: Path) -> dict[str, str]:
    """The environment of a user of the emulator, with a clouds.yaml that calls it otc."""
    login = {key: state[key] for key in ("username", "password", "project_id")}
    cloud = {"auth": {"auth_url": state["iam_url"], **login, "user_domain_name": state["domain_name"]}}
    clouds = folder / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {"otc": {**cloud, "region_name": state["region"]}}}), encoding="utf-8")
    return dict(
        os.environ,
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
        ANSIBLE_LOCALHOST_WARNING="false",
        CI_MODELARTS_TOKEN=state["auth_token"],
        MODELARTS_CLAIM_STORE=f"sqlite:///{folder}/claims.db",
        MODELARTS_ENDPOINT=state["endpoint"],
        OS_ACCESS_KEY=state["access_key"],
        OS_AUTH_URL=state["iam_url"],
        OS_CLIENT_CONFIG_FILE=str(clouds),
        OS_PROJECT_ID=state["project_id"],
        OS_SECRET_KEY=state["secret_key"],
    )


def playbook_of(examples: str) -> list[dict[str, t.Any]]:
    """The examples as plays; those that are tasks become a play on localhost."""
    entries: list[dict[str, t.Any]] = yaml.safe_load(examples)
    plays = [entry for entry in entries if "hosts" in entry or "import_playbook" in entry]
    tasks = [entry for entry in entries if entry not in plays]
    if tasks:
        plays.append({"name": "Examples", "hosts": "localhost", "gather_facts": False, "tasks": tasks})
    return plays


def problem_with(examples: str, folder: Path, environment: dict[str, str], state: dict[str, t.Any]) -> str:
    """Run the examples; what went wrong, or nothing."""
    if not examples.strip():
        return "it has no examples"
    playbook = folder / "examples.yml"
    playbook.write_text(json.dumps(playbook_of(examples)), encoding="utf-8")
    variables = json.dumps({f"vault_{key}": value for key, value in state.items()})
    return problem_of(["ansible-playbook", "--extra-vars", variables, str(playbook)], folder, environment)


def problem_with_inventory(examples: str, folder: Path, environment: dict[str, str]) -> str:
    """List the hosts of the inventory file; what went wrong, or nothing."""
    name = re.match(r"\s*# (\S+\.yml):", examples)
    if not name:
        return f"no name of a file in the first line of:\n{examples}"
    source = folder / name.group(1)
    source.write_text(examples, encoding="utf-8")
    ended = subprocess.run(
        ["ansible-inventory", "--list", "--inventory", str(source)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PLAY_SECONDS,
        check=False,
    )
    if ended.returncode:
        return ended.stdout + ended.stderr
    missing = [group for group in ("pool_train_a100", "with_idle_gpus") if group not in json.loads(ended.stdout)]
    return f"no group {missing} in:\n{ended.stdout}" if missing else ""


def problem_of(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a call of ansible-playbook; what went wrong, or nothing."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=PLAY_SECONDS,
        check=False,
    )
    ran = re.search(r"ok=[1-9]\d* .*unreachable=0 +failed=0", ended.stdout)
    return "" if ended.returncode == 0 and ran else ended.stdout


def main() -> int:
    """Run everything; 1 when an example does not run."""
    documents = {f"{kind} {name}": text for kind in FOLDERS for name, text in documented_plugins(kind).items()}
    inventories = {title: documents.pop(title) for title in list(documents) if title.startswith("inventory ")}
    if not documents or not inventories:
        raise SystemExit("no plugin is documented")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emulator, state = start_emulator(folder)
        try:
            environment = environment_of(state, folder)
            results = [
                report(title, problem_with(examples, folder, environment, state))
                for title, examples in documents.items()
            ]
            results += [
                report(title, problem_with_inventory(examples, folder, environment))
                for title, examples in inventories.items()
            ]
            results += [report(title, problem) for title, problem in shown_roles(folder).items()]
        finally:
            emulator.send_signal(signal.SIGTERM)
            emulator.wait()
    print(f"{sum(results)} of {len(results)} are shown, and run")
    return 0 if all(results) else 1


def report(title: str, problem: str) -> bool:
    """Print what came of an example, and whether that is well."""
    print(f"{'FAIL' if problem else 'ok'} {title}\n{problem}".rstrip(), flush=True)
    return not problem


if __name__ == "__main__":
    sys.exit(main())
