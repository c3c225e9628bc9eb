# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile text in every name and key of the API, and every way out of the collection.

What a person reads is one printable line of bounded length. What may become a template has nothing that one is made of.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import re
import tempfile
import typing as t
from pathlib import Path
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible_collections.poolgate.modelarts.plugins.filter.capacity_verdict import capacity_verdict
from ansible_collections.poolgate.modelarts.plugins.module_utils import _secrets
from ansible_collections.poolgate.modelarts.plugins.module_utils._api import calls as _client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import POOL_NOT_FOUND
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import Candidate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import PREFERENCE
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._gate import Gate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import ObservationError, why_nothing_observed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._outcome import refusal_of_outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.files import NAMES, ReportDirectory
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import overview_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_policy, read_request
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._watch import JobWatch, watch_job
from ansible_collections.poolgate.modelarts.tests.unit.clock import Clock
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.faults import surfaces
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .documents import FLAVOR, GPU, POOL, facts_of, job, metrics, node, pool, verdict_of
from .documents import world as world_of

Facts = dict[str, t.Any]
World = t.Callable[[Seen], Reply]

COLLECTION = Path(_client.__file__).parents[3]
SOURCE = COLLECTION / "extensions" / "eda" / "plugins" / "event_source" / "modelarts_workloads.py"

LONGEST = 2500
"""Characters of a line: a sentence, and the ID of its request or the wait."""

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07\nok: [localhost] => admitted\r\u2028\u0085\x9b31m\x00",
    "\u202egnp.exe\u2066\u200f\ud800",
    "x\x1b" * 5_000,
    "{{ lookup('pipe', 'touch x') }}{% raw %}{# a #}",
    "a, b <script>alert(1)</script>",
    f"vendor/\x1b[31m{'y' * 300}",
    "\u65e5" * 300,
]
LONGEST_RESOURCE = 317  # a longer name makes its table one that cannot be read, and then nothing is admitted
SURROGATE = re.compile("[\ud800-\udfff]")
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=20))


def hostile_pool(text: str, own: str, label: str) -> Facts:
    """A pool with that ID and display name, and the text wherever else it may have one."""
    document = pool()
    document["metadata"] = {
        "name": own,
        "labels": {"os.modelarts/name": label, text: text},
        "annotations": {"os.modelarts.pool/scheduler.queue.strategy": text, text: text},
    }
    document["spec"]["resources"].append({"flavor": text, "count": 1, "nodePool": text})
    document["status"] |= {"message": text, "driver": {text: {"version": text, "state": "Running"}}}
    document["status"]["scope"].append({"scopeType": text, "state": text})
    return document


def jobs(text: str) -> list[Facts]:
    """Jobs that run, wait and are in no known state, named and sized by that text; of the last one nothing is told."""
    keys = dict.fromkeys(
        ("name", "jobName", "userName", "flavor", "namespace", "gvk", "apiVersion", "kind", text), text
    )
    odd = {"resourceRequirement": {GPU: "1", text[:LONGEST_RESOURCE]: "2", "memory": text}}
    listed = [
        job(1, "Running", 8, "10.0.0.2", **keys, **odd),
        job(2, "Queue", 64, **keys),
        job(3, "Queue", 1, **{**keys, "jobName": "behind"}),
        job(4, text, 1, **{**keys, "jobName": "strange", "type": text}),
        job(5, "Creating", 1, **keys, resourceRequirement=None),
    ]
    return [{**one, "jobUUID": f"{text}-{number}"} for number, one in enumerate(listed)]


def nodes(text: str) -> list[Facts]:
    """Empty nodes, with resources of that name, and one that nothing starts on."""
    made = [node(number, 8) for number in (1, 3, 4)] + [node(2, 0)]
    resource = text[:LONGEST_RESOURCE]
    for one in made:
        one["metadata"]["name"] = text + str(made.index(one))
        one["status"]["resources"][resource] = "2"
        one["status"]["availableResources"][resource] = "2"
    made[2]["spec"]["taints"] = [{"key": text, "value": text, "effect": "NoSchedule"}]
    made[1]["status"]["resources"][f"{resource[:-7]}/unread"] = text
    return made


def world(text: str, nodes_status: int = 200, phase: str = "Running", is_busy: bool = True) -> World:
    """The answers of a project: a pool of that text, and others whose IDs are none."""
    own = hostile_pool(text, POOL, text)
    own["status"]["phase"] = phase
    twins = [hostile_pool(text, f"{text}{number}", "twin") for number in range(2)]
    listed = [own, hostile_pool(text, text, "single"), *twins, *(hostile_pool(text, f"{text}-{n}", text) for n in "ab")]
    error = {"error_code": text, "error_msg": text, "request_id": text}
    measured = metrics(8)
    measured["items"][0]["table"]["allocated"]["value"][text] = text

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/metrics/runtime/pools"):
            return Reply(body=measured)
        if seen.path.endswith("/pools"):
            return Reply(body={"kind": "PoolList", "items": listed})
        if POOL not in seen.path:
            return Reply(404, {**error, "error_code": POOL_NOT_FOUND})
        if seen.path.endswith("/nodes"):
            return Reply(body={"kind": "NodeList", "items": nodes(text)}) if nodes_status == 200 else Reply(403, error)
        if seen.path.endswith("/workloads"):
            listed_jobs = jobs(text)[int(re.findall(r"offset=(\d+)|$", seen.query)[0] or 0) :] if is_busy else []
            return Reply(body={"kind": "WorkloadList", "items": listed_jobs, "total": 5 * is_busy})
        return Reply(body=own)

    return answer


def broken(text: str) -> list[Reply]:
    """Answers that are errors, or documents of another kind."""
    return [
        Reply(500, {"error_code": text, "error_msg": text, "request_id": text}),
        Reply(403, text.encode("utf-8", "surrogatepass"), {"Content-Type": "text/plain"}),
        Reply(200, {"kind": text, "items": []}),
        Reply(200, {"error": {"code": text, "message": text}}),
        Reply(200, json.dumps({"kind": "PoolList"})[:-1] + f', {json.dumps(text)}: 1, {json.dumps(text)}: 2}}'),
    ]  # fmt: skip


def as_read(text: str) -> str:
    """The text as it is read: half of a surrogate pair is no character."""
    return SURROGATE.sub("\ufffd", text)


class Heard:
    """What is said by warnings, and in the log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextlib.contextmanager
    def listen(self) -> t.Iterator[Heard]:
        say, handler = self.lines.append, logging.Handler()
        handler.emit = lambda record: say(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("poolgate.modelarts.modelarts_workloads")
        logger.addHandler(handler)
        warn = mock.patch("ansible.utils.display.Display.warning", lambda _self, text, *_a, **_k: say(text))
        lookup = importlib.import_module("ansible_collections.poolgate.modelarts.plugins.lookup.modelarts_workloads")
        # Logins of other texts would be looked for in each of the lines.
        alone = mock.patch.object(_secrets, "_owners", _secrets.Owners())
        with warn, alone, mock.patch.object(lookup, "_connections", {}), surfaces.fast_clients():
            yield self
        logger.removeHandler(handler)


def options(server: ScriptedServer, **more: t.Any) -> Facts:
    return {"endpoint": server.url, "project_id": "p1", "auth_token": "tok-SECRET", "max_retries": 0, **more}


def said_by_module(result: Facts) -> list[str]:
    """The sentences of a result, and not its facts."""
    errors = [error for entry in result.get("pools", ()) for error in entry.get("errors", ())]
    told = [result, *errors]
    texts = [each[key] for each in told for key in ("msg", "error_code", "error_msg", "request_id") if each.get(key)]
    return texts + [str(warning) for warning in result.get("warnings", ())]


def said_by_lookup(pools: list[str], given_options: Facts) -> list[str]:
    found = surfaces.run_lookup(pools, given_options)
    return [found] if isinstance(found, str) else []


def of_reading(server: ScriptedServer, names: t.Sequence[str] = ("nobody", "single", "twin")) -> list[str]:
    """Modules and lookup asked for pools by names that none or several have, or whose IDs are none."""
    lines: list[str] = []
    for name in names:
        lines += said_by_module(surfaces.run_module("modelarts_pool_info", options(server, pool_name=[name])))
        for capacity in (False, True):
            asked = options(server, pool_name=[name], include_capacity=capacity)
            lines += said_by_module(surfaces.run_module("modelarts_workload_info", asked))
            lines += said_by_lookup([name], options(server, include_capacity=capacity))
    everything = surfaces.run_module("modelarts_pool_info", options(server))
    facts = surfaces.run_module("modelarts_workload_info", options(server, pool_name=[POOL], include_capacity=True))
    return lines + said_by_module(everything) + said_by_module(facts) + said_by_lookup([POOL], options(server))


def of_inventory(server: ScriptedServer) -> tuple[list[str], list[str]]:
    """(sentences, names of hosts and groups)."""
    said, names = [], []
    for asked in ([], ["nobody"], ["single"], ["twin"]):
        given_options = options(server, plugin="poolgate.modelarts.modelarts_pools", pool_name=asked)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "modelarts_pools.yml")
            path.write_text(yaml.safe_dump(given_options), encoding="utf-8")
            inventory = InventoryData()
            try:
                inventory_loader.get(given_options["plugin"]).parse(inventory, DataLoader(), str(path))
            except AnsibleError as error:
                said.append(str(error).replace(folder, ""))
        names += [*inventory.hosts, *inventory.groups]
    assert POOL in names
    return said, names


REQUESTS: list[Facts] = [
    {"flavor": FLAVOR, "priority": 9},
    {"flavor": FLAVOR, "replicas": 3},
    {"type": "train", "resources": {GPU: 8}, "priority": 5},
    {"type": "notebook", "replicas": 2, "resources": {GPU: 8, "memory": "900Gi"}},
]


def of_gate(server: ScriptedServer, text: str) -> tuple[list[str], list[t.Any]]:
    """(what the gate, its report and the filter say, what they hand on to where texts are templates)."""
    text = as_read(text)
    asked = options(server, pool_name=[POOL], include_capacity=True, fields=[], placement_of=[f"{text}-0"])
    result = surfaces.run_module("modelarts_workload_info", asked)
    lines, artifacts = said_by_module(result), []
    if "pools" not in result:
        return [*lines, ObservationError({**result, "msg": why_nothing_observed(result)}).result["msg"]], []
    (entry,) = result["pools"]
    strict = {"queue_strategy": "backfill", "headroom": "10%"}
    asked_for = [*REQUESTS, {**REQUESTS[2], "replaces": {"job_uuid": f"{text}-0"}}]
    for request, policies in zip(asked_for, ([{}], [{}], [{}, strict], [strict], [{}, strict])):
        for policy in policies:
            candidates = [Candidate(POOL, read_request(request))] * 2
            gate = Gate(candidates, read_policy(policy), None, Wait(60.0, 30.0, Clock().time))
            outcome = gate.wait(lambda left: [entry, entry], lines.extend)
            verdict = capacity_verdict(entry, request, policy)
            assert verdict["decision"] == outcome["decision"]
            lines += [
                *outcome["report"],
                outcome["summary"],
                refusal_of_outcome(outcome)["msg"],
                *outcome["reasons"],
                *overview_page(outcome["pools"]),
            ]
            lines += [verdict["brief"], *verdict["reasons"], *verdict["remedies"], *verdict["notes"]]
            lines += [check["message"] for check in verdict["checks"]]
            artifacts.append(outcome["artifact"])
            lines += of_report(gate, outcome)
    with pytest.raises(AnsibleError) as raised:
        capacity_verdict({**entry, "nodes": [{text: text}]}, REQUESTS[0])
    return [*lines, str(raised.value)], artifacts


def of_report(gate: t.Any, outcome: Facts) -> list[str]:
    """The lines of the files of a report; the page has each text in an element of its own."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        ReportDirectory(folder).write(gate.report(outcome), outcome["pools"])
        for name in NAMES:
            written = Path(folder, name).read_text(encoding="utf-8")
            assert all(line.isprintable() for line in written.split("\n")), name
            lines += written.split("\n") if name.endswith(".md") else []
            lines += re.findall(r">([^<]+)<", written.partition("</style>")[2]) if name.endswith(".html") else []
    return lines


def of_events(plugin: Facts, first: ScriptedServer, second: ScriptedServer) -> tuple[list[str], list[Facts]]:
    """(sentences, events) of a source that looks twice; its log is heard by others."""
    said, events = [], []
    for name, request in ((POOL, REQUESTS[2]), (POOL, REQUESTS[0]), (POOL, None), ("single", REQUESTS[2])):
        try:
            with plugin["Source"](options(first, pool_name=name, request=request)) as source:
                events += source.look()
                source._connection = plugin["Source"](options(second, pool_name=name))._connection
                events += source.look()
        except (AnsibleError, ModelArtsError) as error:
            said.append(str(error))
    return said, events


def of_watch(server: ScriptedServer, text: str) -> list[str]:
    """What a wait for a job says of jobs, of one status after the other, and of failures."""
    text = as_read(text)
    asked = options(server, pool_name=[POOL], include_capacity=True, fields=[])
    queued = surfaces.run_module("modelarts_workload_info", asked)["pools"][0]["queued"]
    told = {"uid": None, "name": None, "create_time": 1, "created_at": "2026-01-01T00:00:00Z"}
    told = {**told, "pending_duration": 1, "running_duration": 1}
    said: list[str] = []
    for named in ("behind", text):
        for status in (text, "Queue", "Running", "Completed", None):
            listed = [{**told, "job_name": named, "job_uuid": f"{text}-2", "status": status}] * 2
            first: Facts = {"workloads": listed, "complete": True}
            for last in (first, {"workloads": [], "complete": True}, None):
                looks = iter([first, last])
                watch = JobWatch(POOL, named)

                def look(left: float | None, looks: t.Iterator[Facts | None] = looks) -> Facts:
                    seen = next(looks)
                    if seen is None:
                        raise ObservationError({"msg": text})
                    return seen

                watch_job(watch, Wait(30.0, 30.0, Clock().time), look, said.extend, said.append)
                said.append(watch.result(0, queued)["message"])
    return said


def texts_in(value: t.Any) -> t.Iterator[str]:
    """All texts in a value, keys included."""
    if isinstance(value, dict):
        yield from (text for pair in value.items() for each in pair for text in texts_in(each))
    elif isinstance(value, (list, tuple)):
        yield from (text for each in value for text in texts_in(each))
    elif isinstance(value, str):
        yield value


def check_read_by_people(lines: t.Iterable[str]) -> None:
    for line in lines:
        assert line.isprintable(), ascii(line[:300])
        assert len(line) <= LONGEST, f"{len(line)}: {line[:300]}"
        assert "tok-SECRET" not in line


def check_handed_on(values: t.Any) -> None:
    for text in texts_in(values):
        assert not set(text) & set("{}%#\\'\"\n\x1b"), ascii(text[:300])
        assert text.isprintable()
        assert len(text) <= 300


def hostile(test: t.Callable[..., None]) -> t.Callable[..., None]:
    """Try the test with each hostile text, and with some that are made up."""
    for text in HOSTILE:
        test = example(text=text)(test)
    return settings(max_examples=tries(50))(given(text=TEXTS)(test))


@hostile
def test_what_reading_says_is_one_printable_line(text: str) -> None:
    for answer in (world(text), *broken(text)):
        server = ScriptedServer(answer)
        with Heard().listen() as heard:
            lines = of_reading(server) if callable(answer) else of_reading(server, ["nobody"])
        server.stop()
        assert lines
        check_read_by_people([*lines, *heard.lines])


@hostile
def test_hosts_and_groups_are_names_and_what_the_inventory_says_is_one_printable_line(text: str) -> None:
    server = ScriptedServer(world(text))
    with Heard().listen() as heard:
        said, names = of_inventory(server)
    server.stop()
    assert len(said) >= 2
    # Few texts are IDs that a pool may have.
    assert any("left out of the inventory" in line for line in heard.lines) or re.fullmatch(r"[\w.-]+", text, re.ASCII)
    check_read_by_people([*said, *heard.lines])
    check_handed_on(names)


@hostile
def test_what_a_gate_says_is_one_printable_line_and_its_artifact_is_inert(text: str) -> None:
    decisions = set()
    for answer in (world(text), world(text, is_busy=False), world(text, nodes_status=403), world(text, phase=text)):
        server = ScriptedServer(answer)
        with Heard().listen() as heard:
            lines, artifacts = of_gate(server, text)
        server.stop()
        decisions |= {artifact["decision"] for artifact in artifacts}
        check_read_by_people([*lines, *heard.lines])
        check_handed_on(artifacts)
    assert decisions == set(PREFERENCE)


@pytest.mark.parametrize("name", ["\x1b[31m", "vendor.example/" + "y" * 60])
def test_what_a_job_holds_of_a_resource_is_not_known_whatever_its_name(name: str) -> None:
    """A name is cut and made plain for people, and never where one is compared with another."""
    listed = world_of([], 8, 8)["nodes"]
    for one in listed["items"]:
        one["status"]["resources"][name] = one["status"]["availableResources"][name] = "2"
    for amount, passed in (("1", True), ("garbage", None)):
        starting = job(1, "Creating", 0, resourceRequirement={name: amount})
        facts = facts_of({**world_of([starting], 8, 8), "nodes": listed})
        checks = verdict_of(facts, {"request": {"flavor": FLAVOR}})["checks"]
        assert [check["passed"] for check in checks if check["name"] == name] == [passed], checks


@pytest.fixture(scope="module", name="plugin")
def fixture_plugin() -> Facts:
    names: Facts = {"__name__": "<run_path>", "__file__": str(SOURCE)}
    exec(compile(SOURCE.read_text(encoding="utf-8"), SOURCE, "exec"), names)
    return names


@hostile
def test_events_are_inert_and_what_the_source_logs_is_one_printable_line(plugin: Facts, text: str) -> None:
    for later in (world("later"), world(text, nodes_status=403), broken(text)[0]):
        first, second = ScriptedServer(world(text)), ScriptedServer(later)
        with Heard().listen() as heard:
            said, events = of_events(plugin, first, second)
        for server in (first, second):
            server.stop()
        assert said or heard.lines
        check_read_by_people([*said, *heard.lines])
        check_handed_on(events)


@hostile
def test_what_a_watch_says_is_one_printable_line(text: str) -> None:
    server = ScriptedServer(world(text))
    with Heard().listen():
        lines = of_watch(server, text)
    server.stop()
    assert any("ahead of it, first train" in line for line in lines), lines
    check_read_by_people(lines)


def test_harmless_names_stand_in_sentences_as_they_are() -> None:
    server = ScriptedServer(world("train-a100"))
    with Heard().listen():
        said = " ".join([*of_reading(server), *of_inventory(server)[0], *of_watch(server, "train-a100")])
    server.stop()
    for sentence in (
        "single is the display name of train-a100: give that ID.",
        "twin is the display name of 2 pools: give one of the IDs train-a1000, train-a1001.",
        "; the project has single, train-a100, train-a100, train-a100, twin, twin. Only",
        "behind does not run within 0 s: its status is train-a100.",
        "1 ahead of it, first train train-a100.",
        "2 jobs are named behind; the newest is followed, train-a100-2 of 2026-01-01T00:00:00Z.",
    ):
        assert sentence in said, said
