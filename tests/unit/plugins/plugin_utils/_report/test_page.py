# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads of a verdict: 80 columns, no colour, nothing that a job's name can do to a terminal."""

from __future__ import annotations

import random
import re
import typing as t
import unicodedata
from collections import Counter

import pytest
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import (
    attempt_line_of_page,
    overview_page,
    page,
)
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    Document,
    Verdict,
    address_of,
    decide,
    job,
    metrics,
    moment,
    node,
    pool,
    refused,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.generator import case

SNT9 = "huawei.com/ascend-snt9"
SIZE = {"cpu": "64", "memory": "500Gi", GPU: "8"}
DAY = 86400
READ = moment()[11:]
HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "line\nbreak\r\ttab",
    "\u202eevil\u202c",
    "zero\u200bwidth\ufeff",
    "\u2066iso\u2069late",
    "bell\x07\x00\x9b5n",
    "line\u2028sep\u2029",
    "x" * 300,
    "训练任务" * 12,
    "e\u0301" * 30,
    "{{ lookup('pipe', 'id') }}",
    "tag\U000e0041\U000e007f",
    "\ud800",
]


def gpu_nodes(*free: int, **states: t.Any) -> list[Document]:
    return [node(SIZE, {**SIZE, GPU: str(cards)}, **states) for cards in free]


def asking(replicas: int, cards: t.Any = 1, **more: t.Any) -> Document:
    return {"replicas": replicas, "resources": {GPU: cards}, **more}


def columns(line: str) -> int:
    """Columns of a terminal, counted apart from the code: wide characters take two, marks none.

    A decomposed Hangul syllable is counted as the one character that it composes to.
    """
    composed = unicodedata.normalize("NFC", line)
    return sum(
        0 if re.match("M[ne]", unicodedata.category(one)) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in composed
    )


def assert_readable(lines: t.Sequence[str]) -> None:
    for line in lines:
        assert columns(line) <= 80, (columns(line), line)
        assert line == line.rstrip()
        strange = [one for one in line if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")]
        assert not strange, (strange, line)


def lines_of(verdict: Verdict) -> list[str]:
    lines = page(verdict)
    assert_readable(lines)
    assert_readable([attempt_line_of_page(verdict, moment(), 120.0, 3600.0)])
    assert_readable(overview_page([verdict]))
    return lines


def test_an_admission() -> None:
    """The page of the design, to the letter."""
    nodes = gpu_nodes(8, 8, 8, 8, 8, 0, 0, 0)
    on = {address_of(item): {GPU: "8"} for item in nodes[5:]}
    verdict = decide(
        nodes,
        [job({GPU: "24"}, on=on)],
        request={"replicas": 4, "resources": {GPU: 8}, "type": "train"},
        policy={"headroom": {GPU: 2}},
        pool_document=pool({FLAVOR: 8}),
    )
    lines = lines_of(verdict)
    assert re.fullmatch(rf"ADMIT pool-a: it fits now +\(nodes read {READ}, 0 s ago\)", lines[0])
    assert len(lines[0]) == 80
    assert lines[1:4] == [
        "  nvidia.com/gpu  [######++++++++k.] used 24, asked 32, kept 2, left 6 of 64",
        "  placement       4 of 4 replicas on 8 usable nodes",
        "  queue           fifo (assumed, pool names none), 0 ahead",
    ]
    assert any("cpu and memory not asked for" in line for line in lines[4:])


def test_a_line_an_attempt() -> None:
    verdict = decide(gpu_nodes(8, 8, 8, 0, 0), request=asking(4, 8), policy={"headroom": {GPU: 2}})
    line = attempt_line_of_page(verdict, "2026-11-23T03:14:07Z", 120.9, 3600.0)
    assert re.fullmatch(r"03:14:07Z 0:02:00/1:00:00 WAIT pool-a: gpu need 32, free 24, kept 2( of 40)?, short 10", line)
    admitted = decide(gpu_nodes(8), request=asking(1))
    assert attempt_line_of_page(admitted, "2026-11-23T03:14:07Z", 36061.0, 86400.0).startswith(
        "03:14:07Z 10:01:01/24:00:00 ADMIT pool-a: "
    )


def test_an_overview_has_the_pools_with_room_first() -> None:
    request = {"replicas": 2, "resources": {GPU: 8, "cpu": 4}}
    verdicts = [
        decide(gpu_nodes(8, 0), request=request, pool_document=pool({FLAVOR: 2}, label="full")),
        decide(gpu_nodes(8, 8, 8), request=request, pool_document=pool({FLAVOR: 3}, label="p" * 63)),
        decide(gpu_nodes(8, 8), request=request, pool_document=pool({FLAVOR: 2}, label="just")),
    ]
    lines = overview_page(verdicts)
    assert_readable(lines)
    assert lines == [
        "2 of 3 pools have room:",
        f"  ADMIT   {'p' * 30}..: left gpu 8/24, cpu 184/192",
        "  ADMIT   just: left gpu 0/16, cpu 120/128",
        "  WAIT    full: gpu need 16, free 8, short 8",
    ]


def test_a_rejection() -> None:
    nodes = [node({**SIZE, "cpu": "63200m"}) for _i in range(8)]
    verdict = decide(nodes, request={"resources": {"cpu": 64, GPU: 2}}, policy={"headroom": {GPU: 2}})
    lines = lines_of(verdict)
    assert lines[0].startswith("REJECT pool-a: waiting cannot help ")
    assert lines[1] == "  FAIL placement  a replica needs cpu 64; the largest of 8 nodes offers 63.2"
    assert any(re.fullmatch(r"  ok   gpu        need 2, free 64, kept 2 of 64", line) for line in lines)
    assert "  Do: ask for cpu 63.2 or less, or give a flavor instead of resources." in lines
    assert not any(line.lstrip().startswith("held by") for line in lines)


def test_an_unknown() -> None:
    verdict = decide(refused(), request=asking(1), metric_items=[metrics({GPU: 8}, {GPU: 0}, age=2520)])
    lines = lines_of(verdict)
    assert lines[0] == "UNKNOWN pool-a: not let through; there may be room"
    assert lines[1:3] == [
        "  ?    nodes      403 ModelArts.0108, request 7f3a91",
        "  ?    metrics    42 min old, limit 5 min: not used",
    ]
    assert "  Do: allow listing nodes, or set capacity_gate_declared_capacity." in lines


def test_who_holds_what_is_missing() -> None:
    nodes = gpu_nodes(0, 0, 0, 0)
    jobs = [
        job({GPU: "24"}, name="llm-7", user="mara", on=["10.1.1.1"], seconds=9 * 3600),
        job({GPU: "8"}, kind="notebook", name="nb-2", user="li", on=["10.1.1.2"], seconds=2 * DAY + 4 * 3600),
        job({"cpu": "60"}, name="no-cards", on=["10.1.1.3"]),
        job({GPU: "16"}, "Queue", name="next-1", user="kim", seconds=7200),
    ]
    text = " ".join(" ".join(lines_of(decide(nodes, jobs, request=asking(1, 8)))).split())
    assert re.search(r"held by train llm-7 \(mara\) 24 cards,? 9 ?h; notebook nb-2 \(li\) 8( cards)?,? 2 ?d 4 ?h", text)
    assert re.search(r"ahead train next-1 \(kim\) 16 cards,? 2 ?h", text)
    assert "no-cards" not in text


def test_who_is_ahead_tells_the_cards_even_if_nothing_is_missing() -> None:
    """A pool with room and a queue: cpu and memory are sized to the cards, which are what people look for."""
    waits = job({"cpu": "160", "memory": "800Gi", GPU: "16"}, "Queue", name="llm", user="kim", seconds=7200)
    runs = job({"cpu": "64", "memory": "400Gi", GPU: "8"}, name="old", on=["10.1.1.1"], seconds=7200)
    request = {"replicas": 1, "resources": {"cpu": 8, "memory": "64Gi", GPU: 1}}
    verdict = decide(gpu_nodes(8, 8, 8), [waits, runs], request=request)
    assert verdict["decision"] == "wait"
    lines = lines_of(verdict)
    assert "  ahead    train llm (kim) 16 cards 2 h" in lines
    assert any(line.startswith("  held by  train old 8 cards 2 h") for line in lines), lines


def test_what_is_missing_stands_before_the_cards() -> None:
    holds = job({"cpu": "60", "memory": "100Gi", GPU: "8"}, name="wide", on=["10.1.1.1"], seconds=7200)
    only_memory = job({"memory": "64Gi"}, name="cache", on=["10.1.1.1"], seconds=7200)
    full = node(SIZE, {**SIZE, "cpu": "0"})
    lines = lines_of(decide([full], [holds, only_memory], request={"resources": {"cpu": 4, GPU: 1}}))
    assert "  held by  train wide 60 cpu, 8 cards 2 h" in lines


def test_storage_is_not_told_in_cards() -> None:
    size = {**SIZE, "ephemeral-storage": "100Gi"}
    holds = job({"ephemeral-storage": "90Gi"}, name="scratch", on=["10.1.1.1"], seconds=7200)
    full = node(size, {**size, "ephemeral-storage": "10Gi"})
    lines = lines_of(decide([full], [holds], request={"resources": {"ephemeral-storage": "20Gi"}}))
    assert "  held by  train scratch 90Gi ephemeral-storage 2 h" in lines


@pytest.mark.parametrize("mark", ["e\u0301", "n\u20dd", "\u1112\u1161\u11ab", "\u0e01\u0e34\u0e49"], ids=ascii)
def test_marks_take_no_column_and_stay_with_their_letter(mark: str) -> None:
    """Combining, enclosing, Hangul and Thai marks: a page of them is as wide as one of plain letters."""
    wide = 2 if unicodedata.east_asian_width(mark[0]) == "W" else 1
    names = (mark * 120, ("가" if wide == 2 else "e") * 120)
    pages = [
        lines_of(decide(gpu_nodes(0), [job({GPU: "8"}, name=name, on=["10.1.1.1"])], request=asking(1)))
        for name in names
    ]
    assert [len(page) for page in pages] == [len(pages[1])] * 2
    for line in pages[0]:
        assert not line.strip() or not unicodedata.category(line.lstrip()[0]).startswith("M"), line


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_would_like_to_be_more_than_names(name: str) -> None:
    jobs = [
        job({GPU: "8"}, name=name, user=name, kind=name[:60], on=["10.1.1.1"]),
        job({GPU: "64"}, "Queue", name=name, user=name, seconds=30 * DAY),
        job({GPU: "8"}, uuid="replaced", name=name, on=["10.1.1.9", "10.1.1.8"]),
    ]
    taint = gpu_nodes(8, taints=["NoSchedule"])
    taint[0]["spec"]["taints"][0]["key"] = name
    document = pool({FLAVOR: 2}, label=name, strategy=name, phase=name)
    for strategy in ("auto", "backfill"):
        verdict = decide(
            [*gpu_nodes(0), *taint],
            jobs,
            request=asking(1, 8, type="train", replaces={"job_uuid": "replaced"}),
            policy={"queue_strategy": strategy},
            pool_document=document,
        )
        lines = lines_of(verdict)
        assert all(plain in " ".join(lines) for plain in ("need 8", "queue"))


def test_long_names_of_pools_and_cards() -> None:
    long = "pool-" + "a" * 58
    size = {SNT9: "8", "memory": "1000.3Gi", "cpu": "191600m"}
    verdict = decide(
        [node(size) for _i in range(80)],
        request={"replicas": 30, "resources": {SNT9: 8, "memory": "999.7Gi", "cpu": "189333m"}},
        policy={"headroom": {SNT9: 2, "memory": "10.3Gi", "cpu": "777m"}},
        pool_document=pool({FLAVOR: 80}, label=long),
    )
    assert verdict["decision"] == "admit"
    text = " ".join(lines_of(verdict))
    assert "asked 240, kept 2, left 398 of 640" in text
    lines_of(decide(gpu_nodes(0), request=asking(1), pool_document=pool({FLAVOR: 1}, label=long)))


def test_a_job_that_starts_is_in_the_sum() -> None:
    verdict = decide(gpu_nodes(8, 8, 8, 8), [job({GPU: "2"}, "Creating")], request=asking(2, 8))
    assert verdict["decision"] == "admit"
    assert numbers_of(next(line for line in lines_of(verdict) if "[" in line)) == (32, 32)


def numbers_of(gauge: str) -> tuple[float, float]:
    """(sum of the parts, the whole) of a line with a bar."""
    said = gauge.partition("]")[2]
    parts = [float(number) for number in re.findall(r"(?:used|starting|asked|kept|left) ([0-9.]+)", said)]
    return round(sum(parts), 3), float(re.findall(r"of ([0-9.]+)", said)[0])


def test_the_bar_adds_up() -> None:
    """Parts and cells agree with the verdict, for cards and cores of many pools."""
    met = 0
    for seed in range(600):
        rng = random.Random(f"bar {seed}")
        nodes = [node({"cpu": "64", GPU: "8"}, {"cpu": "64", GPU: str(rng.randint(0, 8))}) for _i in range(8)]
        used = 64 - sum(int(item["status"]["availableResources"][GPU]) for item in nodes)
        policy = {"headroom": {GPU: rng.randint(0, 4)}}
        verdict = decide(nodes, request=asking(rng.randint(1, 20), 1), policy=policy)
        if verdict["decision"] != "admit":
            continue
        met += 1
        gauge = next(line for line in lines_of(verdict) if "[" in line)
        assert numbers_of(gauge) == (64, 64), gauge
        assert f"used {used}," in gauge
        cells = t.cast("re.Match[str]", re.search(r"\[(#*)(\+*)(k*)(\.*)\]", gauge))
        assert sum(len(part) for part in cells.groups()) == 16
        assert len(cells[1]) == -(-used * 16 // 64)
    assert met > 300


def test_every_page_is_readable_and_agrees_with_its_verdict() -> None:
    """Over generated pools: what failed stands first, every number of a check is on the page."""
    met: Counter[str] = Counter()
    for seed in range(20_000, 20_000 + tries(1200)):
        made = case(seed)
        rng = random.Random(f"page {seed}")
        jobs = list(made.jobs)
        if rng.random() < 0.4:
            jobs.append(job({GPU: "64"}, "Queue", name=rng.choice(HOSTILE), seconds=rng.choice((5, 4000, 40 * DAY))))
        verdict = decide(
            made.nodes,
            jobs,
            request={**made.request, "priority": rng.choice((0, 9))},
            policy={"queue_strategy": rng.choice(("auto", "backfill")), "headroom": rng.choice(("10%", None))},
            pool_document=pool(made.counts, label=rng.choice(("pool-a", "p" * 63))),
        )
        lines = lines_of(verdict)
        met[verdict["decision"]] += 1
        assert lines[0].startswith(f"{verdict['decision'].upper()} p")
        if verdict["decision"] == "admit":
            continue
        marks = [line[2:6] for line in lines if line[2:6] in ("FAIL", "?   ", "ok  ")]
        assert marks == sorted(marks, key=["FAIL", "?   ", "ok  "].index)
        assert len(marks) == len(verdict["checks"])
        text = " ".join(" ".join(lines).split())
        for check in verdict["checks"]:
            for part in re.findall(r"(?:need|free|short|kept) [0-9.]+", check["message"]):
                assert part in text
    assert min(met[decision] for decision in ("admit", "wait", "reject")) > tries(50), met


def test_the_sum_of_a_pool_may_be_larger_than_a_quantity() -> None:
    """Three nodes of 700Pi have more bytes than any quantity of the API that is read."""
    nodes = [node({"cpu": "64", "memory": "700Pi"}) for _i in range(3)]
    verdict = decide(nodes, request={"resources": {"memory": "1Gi"}})
    assert verdict["decision"] == "admit"
    lines = lines_of(verdict)
    assert "left 2Ei of 2Ei" in lines[1]
    assert overview_page([verdict])[1] == "  ADMIT   pool-a: left memory 2Ei/2Ei"
