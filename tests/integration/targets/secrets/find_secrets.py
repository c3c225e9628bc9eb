# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in by every method, rightly and wrongly, at the highest verbosity, and look for every secret in all that is left.

Secrets are what is given, and what comes of it: issued tokens and signatures, which the emulator hands out or sees.
They are looked for as they are, quoted for URLs and JSON, and in base64: in what is printed, in Ansible's log, in what
was registered, in facts and artifacts, in inventories, and in every file that a run leaves behind.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path
from urllib.parse import quote, quote_plus

COLLECTIONS = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)[0]
sys.path.insert(0, COLLECTIONS)

from ansible_collections.poolgate.modelarts.playbooks.emulator.faults import Answer
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator
from ansible_collections.poolgate.modelarts.tests.secret_search import found_in

Facts = dict[str, t.Any]

# Such as generators of passwords make, with what has to be quoted somewhere.
CREDENTIALS = {
    "password": "Pa55%w/rd+\"quoted\"&'single'<>\\back=slash",
    "secret_key": "SecretKeyOf/Fourty+Characters0123456789==",
    "temporary_secret_key": "TemporarySecretKey/Of+Characters98765432==",
    "security_token": "SecurityTokenOf/Temporary+Keys==" + "0123456789abcdef" * 8,
    "auth_token": "MIIStaticTokenOf/Keystone+Like_Text-0123456789",
}
WRONG = {
    "wrong_password": "Wr0ng%pass/w+rd",
    "wrong_secret_key": "WrongSecretKey/0123+",
    "wrong_token": "MIIWrongToken/0123+",
}
ROOM = "pool-room-000000000000000000000000000"
ECHO = "pool-echo-000000000000000000000000000"
ELSEWHERE = "pool-away-000000000000000000000000000"
METHODS = ("token", "keys", "temporary", "password", "cloud")
POOLS = {"option": (ROOM, ECHO), "variable": (ROOM, ECHO), "defaults": (ROOM, ELSEWHERE)}
FAILING_POOLS: dict[str, tuple[str, ...]] = {"option": (ROOM,), "variable": (ROOM,), "defaults": ()}
"""Those that are asked with wrong credentials."""
BY_POOL_INFO = ("temporary-room", "password-room")
"""Where the module is asked that lists all pools: it takes credentials as the other one does."""
BY_ROLE = (
    *(f"{method}-{ROOM[5:9]}" for method in METHODS),
    *("token-echo", "password-echo", "password-away", "password-wrong-room", "keys-half-room"),
)
"""Where the role is asked: with each login, and with each kind of failure, of which the action says the same."""
OPTIONS = (
    *("endpoint", "project_id", "max_retries", "auth_token", "access_key", "secret_key", "security_token", "auth_url"),
    *("username", "password", "domain_name", "cloud"),
)


class Listening(Emulator):
    """Remembers the credentials that come in."""

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        self.seen: set[str] = set()
        super().__init__(*arguments, **options)

    def answer(self, request: t.Any, entry: Facts) -> t.Any:
        token = request.headers.get("x-auth-token")
        signature = request.headers.get("authorization", "").rpartition("Signature=")[2]
        self.seen.update(one for one in (token, signature) if one)
        if ECHO in request.path:
            return self._echo(request)
        answer = super().answer(request, entry)
        issued = answer.headers.get("X-Subject-Token")
        self.seen.update([issued] if issued else [])
        return answer

    def _echo(self, request: t.Any) -> Answer:
        """An error that repeats what this client knows, as gateways do that quote what they were sent."""
        token, mine = request.headers.get("x-auth-token", ""), self.credentials
        keys = request.headers.get("authorization", "")
        known = [token, keys.rpartition("Signature=")[2]]
        if token and token != mine.auth_token:
            known.append(mine.password)
        if f"Access={mine.access_key}," in keys:
            known.append(mine.secret_key)
        if f"Access={mine.temporary_access_key}," in keys:
            known += [mine.temporary_secret_key, mine.security_token]
        said = ", ".join(form for one in known if one for form in (one, quote(one, safe=""), quote_plus(one)))
        return Answer(400, {"error_code": "ModelArts.0001", "error_msg": said})


def scenario() -> Facts:
    node = {
        "name": "n",
        "count": 1,
        "flavor": "gpu8",
        "resources": {"cpu": "94", "memory": "960Gi", "nvidia.com/gpu": 8},
    }
    pools = [{"id": name, "name": name[5:9], "nodes": [node]} for name in (ROOM, ECHO, ELSEWHERE)]
    return {"pools": pools, "credentials": CREDENTIALS}


def faults() -> list[Facts]:
    """A pool that is elsewhere."""
    return [{"do": "redirect", "location": "https://elsewhere.example/", "times": 0, "path": f"/{ELSEWHERE}"}]


def logins(emulator: Emulator) -> dict[str, Facts]:
    """Options of every method, right and wrong."""
    mine = emulator.credentials
    common = {"endpoint": emulator.endpoint, "project_id": mine.project_id, "max_retries": 0}
    user = {"auth_url": emulator.iam_url, "username": mine.username, "domain_name": mine.domain_name}
    temporary = {"access_key": mine.temporary_access_key, "secret_key": mine.temporary_secret_key}
    methods: dict[str, Facts] = {
        "token": {"auth_token": mine.auth_token},
        "keys": {"access_key": mine.access_key, "secret_key": mine.secret_key},
        "temporary": {**temporary, "security_token": mine.security_token},
        "password": {**user, "password": mine.password},
        "cloud": {"cloud": "right"},
        "token-wrong": {"auth_token": WRONG["wrong_token"]},
        "keys-wrong": {"access_key": mine.access_key, "secret_key": WRONG["wrong_secret_key"]},
        "temporary-wrong": {**temporary, "security_token": WRONG["wrong_token"]},
        "password-wrong": {**user, "password": WRONG["wrong_password"]},
        "cloud-wrong": {"cloud": "wrong"},
        "password-half": {"password": mine.password, "auth_url": emulator.iam_url},
        "keys-half": {"secret_key": mine.secret_key},
    }
    return {name: {**common, **options} for name, options in methods.items()}


def write_clouds(emulator: Emulator, file: Path) -> None:
    mine = emulator.credentials

    def entry(password: str) -> Facts:
        user = {"username": mine.username, "password": password, "user_domain_name": mine.domain_name}
        return {"auth": {"auth_url": emulator.iam_url, "project_id": mine.project_id, **user}, "region_name": "eu-de"}

    clouds = {"right": entry(mine.password), "wrong": entry(WRONG["wrong_password"])}
    file.write_text(json.dumps({"clouds": clouds}), encoding="utf-8")


def tasks(given: str) -> list[Facts]:
    """Everything that takes credentials, in a pool with room and in pools that go wrong."""
    options = {name: f"{{{{ login.{name} | default(omit) }}}}" for name in OPTIONS} if given == "option" else {}
    request = {"resources": {"nvidia.com/gpu": 8}}
    report = f"{{{{ lookup('env', 'HOME') }}}}/reports/{{{{ inventory_hostname }}}}/{given}"
    lookup = "query('poolgate.modelarts.modelarts_workloads', pool, wantpools=true, include_capacity=true{})".format(
        ", **login" if given == "option" else ""
    )
    listed: list[Facts] = []
    if given != "variable":  # of which a plain module sees none
        listed += [
            {
                "poolgate.modelarts.modelarts_workload_info": {
                    "pool_name": "{{ pool }}",
                    "include_capacity": True,
                    **options,
                }
            },
            {
                "poolgate.modelarts.modelarts_pool_info": {"include_capacity": True, **options},
                "when": f"inventory_hostname in {BY_POOL_INFO}",
            },
        ]
    listed += [
        {
            "poolgate.modelarts.modelarts_capacity_gate": {
                "pools": ["{{ pool }}"],
                "request": request,
                "report_dir": f"{report}-action",
                **options,
            }
        },
        {
            "poolgate.modelarts.modelarts_job_wait": {
                "pool_name": "{{ pool }}",
                "job": "nobody",
                "wait_timeout": 0,
                **options,
            }
        },
    ]
    if given != "defaults":
        listed.append({"ansible.builtin.debug": {"msg": f"{{{{ {lookup} }}}}"}})
    # What is registered -v prints.
    made = [{**task, "register": f"outcome_{number}", "ignore_errors": True} for number, task in enumerate(listed)]
    outcomes = {f"outcome_{number}": f"{{{{ outcome_{number} }}}}" for number in range(len(listed))}
    made.append({"ansible.builtin.set_stats": {"data": outcomes, "per_host": True}})
    made.append({"ansible.builtin.set_fact": {f"kept_{name}": value for name, value in outcomes.items()}})
    if given != "option":
        names = {
            "capacity_gate_pools": ["{{ pool }}"],
            "capacity_gate_request": request,
            "capacity_gate_report_dir": f"{report}-role",
        }
        role = {"ansible.builtin.include_role": {"name": "poolgate.modelarts.capacity_gate"}, "vars": names}
        rescue = {"ansible.builtin.debug": {"var": "capacity_gate_result"}}
        made.append({"block": [role], "rescue": [rescue], "when": f"inventory_hostname in {BY_ROLE}"})
    return made


def run(folder: Path, emulator: Emulator, given: str, environment: dict[str, str]) -> str:
    """The output of a play with a host for each login and pool."""
    home = folder / f"home-{given}"
    (home / "tmp").mkdir(parents=True)
    hosts: dict[str, Facts] = {}
    for name, options in logins(emulator).items():
        for pool in POOLS[given] if name in METHODS else FAILING_POOLS[given]:
            variables: Facts = {
                "pool": pool,
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
            }
            # The values come from a vault, a credential or a secret store: here from the environment, by a lookup.
            secret = {option: f"{{{{ lookup('env', 'S_{name}_{option}') }}}}" for option in options}
            prefix = "modelarts_" if given == "variable" else ""
            if given == "variable":
                variables.update({f"{prefix}{option}": template for option, template in secret.items()})
            else:
                variables["login"] = secret
            hosts[f"{name}-{pool[5:9]}"] = variables
    play: Facts = {"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks(given)}
    if given == "defaults":
        play["module_defaults"] = {"group/poolgate.modelarts.modelarts": "{{ login }}"}
    inputs = folder / f"input-{given}"
    inputs.mkdir()
    (inputs / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    (inputs / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    values = {f"S_{name}_{key}": str(v) for name, options in logins(emulator).items() for key, v in options.items()}
    ended = subprocess.run(
        ["ansible-playbook", "-vvvvv", "--forks", "8", "-i", str(inputs / "hosts.yml"), str(inputs / "play.yml")],
        cwd=inputs,
        env={
            **environment, **values, "HOME": str(home), "TMPDIR": str(home / "tmp"),
            "ANSIBLE_HOME": str(home / ".ansible"),
            "ANSIBLE_LOG_PATH": str(home / "ansible.log"), "ANSIBLE_SHOW_CUSTOM_STATS": "true",
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(home / "facts"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )  # fmt: skip
    (home / "output").write_text(ended.stdout, encoding="utf-8")
    return ended.stdout


def run_inventories(folder: Path, emulator: Emulator, environment: dict[str, str]) -> str:
    """The output of a listing of all pools by each login, kept in a cache."""
    home = folder / "home-inventory"
    inputs = folder / "input-inventory"
    for place in (home / "tmp", inputs):
        place.mkdir(parents=True)
    sources, values = [], {}
    for name, options in logins(emulator).items():
        source = inputs / f"{name}.modelarts_pools.yml"
        secret = {option: f"{{{{ lookup('env', 'S_{name}_{option}') }}}}" for option in options}
        own = {"plugin": "poolgate.modelarts.modelarts_pools", "compose": {f"read by {name}": "1"}}
        source.write_text(json.dumps({**own, **secret}), encoding="utf-8")
        sources += ["-i", str(source)]
        values.update({f"S_{name}_{option}": str(value) for option, value in options.items()})
    ended = subprocess.run(
        ["ansible-inventory", "-vvvvv", "--list", *sources],
        cwd=inputs,
        env={
            **environment, **values, "HOME": str(home), "TMPDIR": str(home / "tmp"),
            "ANSIBLE_HOME": str(home / ".ansible"),
            "ANSIBLE_LOG_PATH": str(home / "ansible.log"), "ANSIBLE_INVENTORY_CACHE": "true",
            "ANSIBLE_INVENTORY_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_INVENTORY_CACHE_CONNECTION": str(home / "pools"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )  # fmt: skip
    (home / "output").write_text(ended.stdout, encoding="utf-8")
    return ended.stdout


def main() -> int:
    """Run everything; 1 when a secret is found, or when a run did not do what it should."""
    problems = []
    with tempfile.TemporaryDirectory() as name, Listening(scenario(), faults=faults()) as emulator:
        folder = Path(name)
        clouds = folder / "clouds.yaml"
        write_clouds(emulator, clouds)
        environment = {
            **os.environ,
            "OS_CLIENT_CONFIG_FILE": str(clouds),
            "no_proxy": "127.0.0.1",
            "ANSIBLE_NOCOLOR": "1",
        }
        for given in POOLS:
            output = run(folder, emulator, given, environment)
            if output.count("ADMIT room") < len(METHODS) or "modelarts_capacity_gate" not in output:
                problems.append(f"{given}: not every method was let in:\n{output[-6000:]}")
            if len(list(folder.glob(f"home-{given}/reports/*/*/report.html"))) < len(METHODS):
                problems.append(f"{given}: not every method has left a report")
        output = run_inventories(folder, emulator, environment)
        read_by = set(re.findall(r'"read by (\w+)": "?1"?', output))  # text before ansible-core 2.19
        if not read_by.issuperset(METHODS) or "********" not in output:
            problems.append(f"inventory: not every method was let in:\n{output[-6000:]}")
        if not list(folder.glob("home-inventory/pools/*")):
            problems.append("inventory: nothing was kept")
        secrets = {**CREDENTIALS, **WRONG, **{f"credential {n}": one for n, one in enumerate(sorted(emulator.seen))}}
        if len(emulator.seen) < 20:
            problems.append(f"only {len(emulator.seen)} tokens and signatures were seen")
        count = 0
        for file in sorted(folder.glob("home-*/**/*")):
            if file.is_file():
                count += 1
                text = file.read_text(encoding="utf-8", errors="replace")
                for what in found_in(text, secrets):
                    problems.append(f"{file.relative_to(folder)}: {what}")
        if found_in(json.dumps({"control": list(CREDENTIALS.values())}), CREDENTIALS) == []:
            problems.append("the search finds nothing even where all secrets stand")
        print(f"{len(secrets)} secrets in 8 spellings each, looked for in {count} files")
    print("\n".join(problems) or "none was found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
