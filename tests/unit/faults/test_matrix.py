# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault, at the first, a middle and the last request, and for good: what a user of each plugin sees.

The table of docs/docsite/rst/faults.rst is what this test saw. With FAULTS_TABLE=write in the environment it is written
anew: see the page.
"""

from __future__ import annotations

import os
import re
import socket
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from . import plan, servers, surfaces
from .plan import Case
from .surfaces import Facts, Play, kept, normal

PAGE = Path(plan.__file__).parents[3] / "docs" / "docsite" / "rst" / "faults.rst"
HEAD, TAIL = ".. What follows is written by tests/unit/faults/test_matrix.py\n", ".. The end of what is written\n"
HOSTS = 4
ASK = {"type": "train", "replicas": 1, "resources": {"nvidia.com/gpu": 8}}
PATIENT = {"timeout": plan.PATIENT_SECONDS, "max_retries": 1}


def connection(emulator: Emulator, case: Case) -> Facts:
    mine = emulator.credentials
    place = {"endpoint": emulator.endpoint, "auth_token": mine.auth_token, "project_id": mine.project_id}
    return {**place, **PATIENT, "timeout": case.fault.timeout}


def variables(options: Facts) -> Facts:
    return {f"modelarts_{name}": value for name, value in options.items()}


class Gates:
    """One play with the action and one with the role, over all cases, while the test does something else.

    A few hosts share the cases: throttling holds back all requests of a module alike.
    """

    def __init__(self, folder: Path, cases: list[Case], unreachable: dict[str, Facts]) -> None:
        calm = [case for case in cases if case.fault.timeout == PATIENT["timeout"]]
        shares = [calm[number::HOSTS] for number in range(HOSTS)]
        self._shares = [*shares, [case for case in cases if case not in calm]]
        self._emulators = [Emulator(plan.scenario(cases)).__enter__() for _i in range(2)]
        self._unreachable = {f"u{number}": name for number, name in enumerate(unreachable)}
        servers.no_such_names(folder / "names")
        action: Facts = {
            "poolgate.modelarts.modelarts_capacity_gate": {
                "pools": "{{ pools }}", "request": ASK, "on_refusal": "continue",
            },
            "register": "outcome",
        }  # fmt: skip
        role: Facts = {
            "ansible.builtin.include_role": {"name": "poolgate.modelarts.capacity_gate"},
            "vars": {
                "capacity_gate_pools": "{{ pools }}", "capacity_gate_request": ASK,
                "capacity_gate_on_refusal": "continue",
            },
        }  # fmt: skip
        self._plays = {}
        tasks = {"action": (action, "outcome.pools"), "role": (role, "capacity_gate_result.pools")}
        for (name, (task, result)), emulator in zip(tasks.items(), self._emulators):
            hosts = {
                f"h{number}": {"pools": [case.pool for case in share], **variables(connection(emulator, share[0]))}
                for number, share in enumerate(self._shares)
            }
            hosts.update(
                {
                    host: {"pools": [servers.POOL], **variables({**PATIENT, **unreachable[of]})}
                    for host, of in self._unreachable.items()
                }
            )
            home = folder / name
            python_path = os.pathsep.join((str(folder / "names"), surfaces.environment(home)["PYTHONPATH"]))
            self._plays[name] = Play(
                home, [task, surfaces.keep("pools", result)], hosts, env={"PYTHONPATH": python_path}
            )

    def verdicts(self) -> t.Iterator[tuple[str, str, str, Facts]]:
        """(action or role, fault, where it struck, the verdict)."""
        for name, play in self._plays.items():
            assert play.wait() == 0, play.output
            for number, share in enumerate(self._shares):
                for case, verdict in zip(share, kept(play.home, "pools", f"h{number}")):
                    yield name, case.fault.name, case.where, verdict
            for host, of in self._unreachable.items():
                yield name, of, "always", kept(play.home, "pools", host)[0]

    def stop(self) -> None:
        for emulator in self._emulators:
            emulator.stop()


def seen_by_module(options: Facts, pool: str) -> str:
    """The sentence of the failed module; nothing when it read every job."""
    result = surfaces.run_module("modelarts_workload_info", {**options, "pool_name": [pool], "limit": 4})
    if result.get("failed"):
        return normal(result["msg"], pool)
    assert result["complete"], result
    assert len(result["workloads"]) == 10
    return ""


def seen_by_lookup(options: Facts, pool: str) -> str:
    found = surfaces.run_lookup([pool], {**options, "limit": 4})
    if isinstance(found, str):
        return normal(found, pool)
    assert len(found) == 10
    return ""


def sentences(see: t.Callable[[Facts, str], str], unreachable: dict[str, Facts]) -> dict[tuple[str, str], str]:
    cases = plan.cases_by_number()
    with Emulator(plan.scenario(cases)) as emulator:
        said = {(case.fault.name, case.where): see(connection(emulator, case), case.pool) for case in cases}
    for name, options in unreachable.items():
        said[name, "always"] = see({**PATIENT, **options}, servers.POOL)
    return said


def test_the_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(-2, "Name or service not known")
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    said: dict[tuple[str, str, str], str] = {}
    decided: dict[tuple[str, str, str], Facts] = {}
    with servers.unreachable(tmp_path / "tls") as unreachable:
        gates = Gates(tmp_path, plan.cases_by_document(), unreachable)
        try:
            with surfaces.fast_clients(), ThreadPoolExecutor(1) as beside:
                by_lookup = beside.submit(sentences, seen_by_lookup, unreachable)
                said.update({("module", *key): text for key, text in sentences(seen_by_module, unreachable).items()})
                said.update({("lookup", *key): text for key, text in by_lookup.result().items()})
            for surface, name, where, verdict in gates.verdicts():
                decided[surface, name, where] = verdict
        finally:
            gates.stop()
    check_expectations(said, decided)
    table = table_of(said, decided)
    page = PAGE.read_text(encoding="utf-8")
    before, _head, rest = page.partition(HEAD)
    written = f"{before}{HEAD}\n{table}\n{TAIL}{rest.partition(TAIL)[2]}"
    if os.environ.get("FAULTS_TABLE") == "write":
        PAGE.write_text(written, encoding="utf-8")
        return
    assert page == written, "the table of docs/docsite/rst/faults.rst is not what happens: write it anew"


def check_expectations(said: dict[tuple[str, str, str], str], decided: dict[tuple[str, str, str], Facts]) -> None:
    """What has to be so, whatever the table says."""
    for fault in plan.FAULTS:
        for where in plan.POSITIONS:
            for surface in ("module", "lookup"):
                sentence = said[surface, fault.name, where]
                assert (not sentence) == fault.heals, (surface, fault.name, where, sentence)
            for surface in ("action", "role"):
                decision = decided[surface, fault.name, where]["decision"]
                assert decision == ("admit" if fault.heals else "unknown"), (surface, fault.name, where, decision)
        for surface in ("module", "lookup"):
            assert (not said[surface, fault.name, "always"]) == fault.harmless, (surface, fault.name)
        for surface in ("action", "role"):
            decision = decided[surface, fault.name, "always"]["decision"]
            assert decision == ("admit" if fault.harmless else "unknown"), (surface, fault.name, decision)
    for name in servers.UNREACHABLE:
        assert said["module", name, "always"]
        assert {decided[surface, name, "always"]["decision"] for surface in ("action", "role")} == {"unknown"}
    for sentence in said.values():
        assert "\n" not in sentence, sentence
        assert "Traceback" not in sentence, sentence
        assert " at 0x" not in sentence, sentence
    for surface, name, where in said:
        if surface == "lookup":
            assert said["lookup", name, where] == said["module", name, where], (name, where)
    for surface, name, where in decided:
        if surface == "role":
            of_action, of_role = (decided[one, name, where] for one in ("action", "role"))
            assert reasons_of(of_action) == reasons_of(of_role), (name, where)


def reasons_of(verdict: Facts) -> list[str]:
    return [normal(reason, verdict["pool"]) for reason in verdict["reasons"]]


def table_of(said: dict[tuple[str, str, str], str], decided: dict[tuple[str, str, str], Facts]) -> str:
    rows = [("Fault", "Once, at any request", "Permanent: module and lookup", "Permanent: gate")]
    for fault in plan.FAULTS:
        once = "retried, no error" if fault.heals else "same as permanent"
        if fault.harmless:
            once = "no error"
        rows.append((fault.name, once, *for_good(fault.name, said, decided)))
    rows += [(name, "not retried" if "certificate" in name else "retried", *for_good(name, said, decided))
             for name in servers.UNREACHABLE]  # fmt: skip
    lines = [".. list-table::", "  :header-rows: 1", "  :widths: 15 15 35 35", ""]
    for row in rows:
        lines += [f"  {'* -' if index == 0 else '  -'} {escaped(cell)}" for index, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def for_good(
    name: str, said: dict[tuple[str, str, str], str], decided: dict[tuple[str, str, str], Facts]
) -> tuple[str, str]:
    verdict = decided["action", name, "always"]
    gate = ": ".join([verdict["decision"].upper(), *reasons_of(verdict)[:1]])
    return said["module", name, "always"] or "no error", gate


def escaped(text: str) -> str:
    """Return the text of a cell as reStructuredText that shows it as it is, each sentence on a line of its own."""
    lines = re.sub(r"(?<=[.?!]) (?=[A-Z])", "\n      ", text)
    return "".join(f"\\{character}" if character in "\\*`_|" else character for character in lines)
