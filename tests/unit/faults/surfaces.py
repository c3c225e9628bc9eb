# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user meets: the module and the lookup in this process, and plays with the action and the role."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import LookupBase
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.module_utils._api import calls as _client
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.tests.unit.core import patch_module_args

Facts = dict[str, t.Any]

COLLECTIONS = Path(_client.__file__).parents[6]


class FastClock:
    """A clock that runs on when somebody sleeps, so that pauses take no time."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._skipped += seconds


@contextlib.contextmanager
def fast_clients() -> t.Iterator[None]:
    """Clients that are made inside wait without waiting."""
    defaults = t.cast("dict[str, t.Any]", Client.__init__.__kwdefaults__)
    before = dict(defaults)
    clock = FastClock()
    defaults.update(clock=clock.time, sleep=clock.sleep)
    try:
        yield
    finally:
        defaults.update(before)


def run_module(name: str, options: Facts) -> Facts:
    """The result of a module of the collection, run in this process."""
    module = importlib.import_module(f"ansible_collections.poolgate.modelarts.plugins.modules.{name}")
    printed = io.StringIO()
    with patch_module_args(options), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        module.main()
    result: Facts = json.loads(printed.getvalue())
    return result


def run_lookup(pools: list[str], options: Facts) -> list[Facts] | str:
    """What the lookup returns, or the sentence of its error."""
    name = "ansible_collections.poolgate.modelarts.plugins.lookup.modelarts_workloads"
    lookup: LookupBase = importlib.import_module(name).LookupModule(templar=Templar(loader=DataLoader()))
    try:
        return t.cast("list[Facts]", lookup.run(pools, {}, **options))
    except AnsibleError as error:
        return str(error)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a user who has set nothing, with a home and a folder for temporary files below it."""
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    (home / "ansible.cfg").write_text("[defaults]\n")
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV") if name in os.environ}
    paths = [str(COLLECTIONS), *(path for path in sys.path if path)]
    return {
        "LC_ALL": "C.UTF-8",
        **keep,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PYTHONPATH": os.pathsep.join(paths),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "no_proxy": "127.0.0.1,localhost",
        **more,
    }


class Play:
    """An ansible-playbook that runs while the test goes on: the tasks, on each of the hosts, which are this machine."""

    def __init__(
        self,
        home: Path,
        tasks: list[Facts],
        hosts: t.Mapping[str, Facts],
        *arguments: str,
        env: t.Mapping[str, str] | None = None,
        ansible: t.Sequence[str] = (sys.executable, "-m", "ansible.cli.playbook"),
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": {name: {**common, **variables} for name, variables in hosts.items()}}}
        play = {"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}
        (home / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
        (home / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
        self._process = subprocess.Popen(
            [*ansible, "-i", str(home / "hosts.yml"), "--forks", "8", *arguments, str(home / "play.yml")],
            cwd=home,
            env={**environment(home), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.output = ""
        self.home = home

    def wait(self, seconds: float = 120) -> int:
        """The exit code; the output is in ``output``."""
        try:
            self.output = self._process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.output = self._process.communicate()[0]
            raise
        return self._process.returncode


def keep(name: str, expression: str) -> Facts:
    """A task that writes what a template gives to a file of that name, and of the host, in the home."""
    place = f"{{{{ playbook_dir }}}}/{name}-{{{{ inventory_hostname }}}}.json"
    return {"ansible.builtin.copy": {"content": f"{{{{ {expression} | to_json }}}}", "dest": place, "mode": "0600"}}


def kept(home: Path, name: str, host: str) -> t.Any:
    return json.loads((home / f"{name}-{host}.json").read_text(encoding="utf-8"))


def normal(sentence: str, pool: str = "") -> str:
    """A sentence without what differs from run to run: addresses, IDs of requests."""
    sentence = re.sub(r"https?://(127\.0\.0\.1|localhost):\d+", "https://modelarts.example", sentence)
    sentence = re.sub(r"127\.0\.0\.1|localhost|modelarts\.invalid", "modelarts.example", sentence)
    sentence = re.sub(r"request [0-9a-f]{32}", "request 7f3a91", sentence)
    sentence = re.sub(r" Request ID: [0-9a-f]{32}\.", "", sentence)
    sentence = re.sub(r" \(_ssl\.c:\d+\)", "", sentence)
    sentence = sentence.replace("self signed", "self-signed")  # as older OpenSSL spells it
    return sentence.replace(pool, "pool-a") if pool else sentence
