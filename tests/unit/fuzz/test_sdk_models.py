# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official SDK's models are fed with the same strange documents: where they can read one, the facts agree."""

from __future__ import annotations

import copy
import re
import typing as t
import warnings
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from hypothesis import given, settings
from hypothesis import strategies as st

from . import documents as docs
from .documents import FLAVOR, GPU, MISSING, changed, job, places, world
from .test_documents import STRANGE

sdk = pytest.importorskip("huaweicloudsdkmodelarts.v1")

BASE = world([job(1, "Running", 4, "10.0.0.2"), job(2, "Queue", 8), job(3, "Completed", 1)], 8, 4)
PLACES = {name: list(places(BASE[name])) for name in ("workloads", "pool", "nodes")}
HALF_A_PAIR = re.compile("[\ud800-\udfff]")
TEXTS = ("status", "uid", "job_name", "name", "type", "user_name", "flavor")


def as_model(document: t.Any, model: str) -> t.Any:
    """The SDK's object, or None where it gives up. It may change what it is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return sdk.ModelArtsClient()._deserialize(copy.deepcopy(document), model)
        except (TypeError, ValueError, AttributeError, KeyError):
            return None


def test_jobs_as_the_sdk_reads_them() -> None:
    compared = {"texts": 0, "cards": 0}

    @settings(max_examples=tries(600), database=None)
    @given(changes=st.lists(st.tuples(st.integers(0, 10**6), STRANGE), min_size=1, max_size=3))
    def run(changes: list[tuple[int, t.Any]]) -> None:
        document = BASE["workloads"]
        for spot, value in changes:
            document = changed(document, PLACES["workloads"][spot % len(PLACES["workloads"])], value)
        try:
            facts = docs.facts_of({**BASE, "workloads": document})
        except ModelArtsError:
            return
        items = document.get("items") if isinstance(document, dict) else None
        if facts["pools"][0]["held"] is None or not isinstance(items, list):
            return
        sent = {id(item): item for item in items}
        assert len(facts["workloads"]) <= len(sent)
        # Only those that no other has the uid of: which fact is of which item is not told otherwise.
        uids = Counter(fact["uid"] for fact in facts["workloads"])
        read = {fact["uid"]: fact for fact in facts["workloads"] if uids[fact["uid"]] == 1}
        for item in sent.values():
            model = as_model(item, "WorkloadSummary") if hasattr(sdk, "WorkloadSummary") else as_model(item, "Workload")
            fact = read.get(item.get("uid")) if isinstance(item.get("uid"), str) else None
            if model is None or fact is None:
                continue
            for name in TEXTS:
                theirs = getattr(model, name, None)
                if isinstance(theirs, str) and isinstance(item.get(docs_key(name)), str):
                    # Half a pair of UTF-16 is no character, and cannot be printed or kept in a file.
                    assert fact[name] == HALF_A_PAIR.sub("\N{REPLACEMENT CHARACTER}", theirs), (name, ascii(item))
                    compared["texts"] += 1
            asked = getattr(model.resource_requirement, "nvidia_com_gpu", None)
            if asked in ("1", "4", "8") and isinstance(item.get("resourceRequirement"), dict):
                assert fact["resources"][GPU] == int(asked), item
                compared["cards"] += 1

    run()
    assert compared["texts"] > tries(1_000), compared
    assert compared["cards"] > tries(300), compared


def docs_key(name: str) -> str:
    return {"job_name": "jobName", "user_name": "userName"}.get(name, name)


@pytest.mark.parametrize(("name", "model"), [("pool", "ShowPoolResponse"), ("nodes", "ListPoolNodesResponse")])
def test_pools_and_nodes_as_the_sdk_reads_them(name: str, model: str) -> None:
    compared = {"parsed": 0}

    @settings(max_examples=tries(300), database=None)
    @given(changes=st.lists(st.tuples(st.integers(0, 10**6), STRANGE), min_size=1, max_size=2))
    def run(changes: list[tuple[int, t.Any]]) -> None:
        document = BASE[name]
        for spot, value in changes:
            document = changed(document, PLACES[name][spot % len(PLACES[name])], value)
        theirs = as_model(document, model)
        try:
            entry = docs.facts_of({**BASE, name: document})["pools"][0]
        except ModelArtsError:
            return
        if theirs is None or entry["errors"]:
            return
        if name == "pool":
            compare_text(getattr(theirs.metadata, "name", None), entry["pool"]["pool_name"], compared)
            compare_text(getattr(theirs.status, "phase", None), entry["pool"]["phase"], compared)
        else:
            for one, fact in zip(theirs.items or [], entry["nodes"]):
                compare_text(getattr(one.spec, "flavor", None), fact["flavor"], compared)
                compare_text(getattr(one.status, "phase", None), fact["phase"], compared)

    run()
    assert compared["parsed"] > tries(200), compared


def compare_text(theirs: object, ours: str | None, compared: dict[str, int]) -> None:
    """The SDK turns other types into text; facts have null there."""
    if isinstance(theirs, str) and ours is not None:
        assert theirs == ours
        compared["parsed"] += 1


def test_the_base_is_read_alike() -> None:
    assert MISSING not in BASE
    assert as_model(BASE["nodes"], "ListPoolNodesResponse").items[0].spec.flavor == FLAVOR
