# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> README.md with tables, and plots."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import DISTURBED, TRIES, Runs, Size
from plots import LICENCE, draw

Block = tuple[Size, dict[str, Runs]]

INTRODUCTION = """
# How long it takes

`make bench` wrote this page.
It measures programs that read the same jobs from the same local emulator of the API.
The programs take turns in one run (A B C A B C), and the page compares their medians.
{machine}.
Seconds differ between machines, so compare the ratios.

| program | description |
|---|---|
| nothing, empty | a play without a task; a play with a module that does nothing: the cost of ansible-core itself |
| plain | a `requests` script that reads one page after another and counts the jobs by status |
| sdk | the same with the official SDK (`huaweicloudsdkmodelarts`) |
| summary | `modelarts_workload_info` with `fields: []` |
| signed | summary, with each request signed by an access key |
| lookup | the summary by the lookup `modelarts_workloads` |
| wait | a gate that waits in vain for zero or four seconds; with a `limit`, the module reads the pool |
| many | a gate for each of 50 pools, with ten forks; with a `limit`, the module reads the pools |
| gate, role | the action `modelarts_capacity_gate`, which reads jobs, nodes, pool and metrics and decides; the role |
| all | `modelarts_workload_info`, which returns every job with every field |
| floor | a module that returns the same facts from a file: the cost of ansible-core for that result |
| uri | a play that loops over the pages with `ansible.builtin.uri` |

- *Launched* is the median minus the launch.
  The launch is *empty* for programs that run a module.
  It is *nothing* for lookup, gate and role, which read in the process of their task.
  It is zero for the scripts, which start their own Python.
- *Emulator* is the share of the time in which the emulator handled a request, according to its log.
  It excludes the delay that simulates the network, and counts parallel requests separately.
- *Peak* is the memory of the largest process that reads: the module, the script, or the play of lookup, gate and role.
- *Others* is the largest share of a core that other programs used during a run.
  `make bench` repeated a run in which they used more than {disturbed:.0%}, up to {tries} times.
"""
COUNTED = """
In `make test`, `tests/unit/plugins/module_utils/test_counts.py` checks the exact counts:
requests, connections, logins, imports and parses.
"""
LAUNCH = {
    "plain": None,
    "sdk": None,
    "nothing": None,
    "empty": None,
    **dict.fromkeys(("lookup", "gate", "role"), "nothing"),
}


@dataclass(frozen=True)
class Machine:
    """What the numbers were measured on."""

    cores: int
    memory: int

    def __str__(self) -> str:
        return f"The machine had {self.cores} cores and {round(self.memory / 2**30)} GiB"


@dataclass(frozen=True)
class Goal:
    """A figure to reach. ``measured`` is None when this run has not measured it."""

    text: str
    limit: float
    measured: float | None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def row(self) -> str:
        sign = "at least" if self.at_least else "at most"
        measured = "-" if self.measured is None else f"{self.measured:.{2 if self.measured >= 0.1 else 3}f}"
        verdict = {True: "yes", False: "**no**", None: "not measured"}[self.met]
        return f"| {self.text} | {sign} {self.limit:g} | {measured} | {verdict} |"


class Results:
    """The blocks of a run: a ratio compares only what took turns."""

    def __init__(self, blocks: t.Sequence[Block]) -> None:
        self.blocks = blocks

    def block(self, size: Size, *names: str) -> dict[str, Runs] | None:
        return next((runs for own, runs in self.blocks if own == size and all(name in runs for name in names)), None)

    def launched(self, size: Size, name: str) -> float | None:
        runs = self.block(size, name, launch_of(name) or name)
        return None if runs is None else launched(runs, name)

    def peak(self, size: Size, name: str) -> float | None:
        runs = self.block(size, name)
        return None if runs is None else runs[name].peak_mib

    def first_decision(self, size: Size, limit: int) -> float | None:
        """Processor time of a gate that does not wait."""
        runs = self.block(size, wait_of(0, limit))
        return None if runs is None else median(runs[wait_of(0, limit)].cpu)

    def attempt(self, size: Size, limit: int) -> float | None:
        """Processor time of each further attempt of a gate that waits."""
        once, often = wait_of(0, limit), wait_of(4, limit)
        runs = self.block(size, once, often)
        if runs is None:
            return None
        # Each attempt sends the same requests.
        further = median(runs[often].requests) / median(runs[once].requests) - 1
        return (median(runs[often].cpu) - median(runs[once].cpu)) / further

    def cpu_a_job(self, few: Size, many: Size, name: str) -> float | None:
        less, more = self.cpu(few, name), self.cpu(many, name)
        return None if less is None or more is None else (more - less) / (many.jobs - few.jobs)

    def constant(self, size: Size) -> float | None:
        """Processor time of the smallest summary above that of a module that does nothing."""
        summary, empty = self.cpu(size, "summary"), self.cpu(size, "empty")
        return None if summary is None or empty is None else summary - empty

    def cpu(self, size: Size, name: str) -> float | None:
        runs = self.block(size, name)
        return None if runs is None else median(runs[name].cpu)

    def seconds(self, size: Size, name: str, beside: str) -> float | None:
        runs = self.block(size, name, beside)
        return None if runs is None else runs[name].median


def wait_of(seconds: int, limit: int) -> str:
    return f"wait seconds={seconds} limit={limit}"


def launch_of(name: str) -> str | None:
    return LAUNCH.get(name, "empty")


def launched(runs: dict[str, Runs], name: str) -> float:
    """The median less that of the launch."""
    launch = launch_of(name)
    return runs[name].median - (runs[launch].median if launch in runs else 0.0)


def ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / max(other, 1e-9)


def goals(results: Results) -> list[Goal]:
    """The figures of "it is done when"."""
    near, far = Size(20_000, 1_000, 0), Size(20_000, 1_000, 50)
    small, several = Size(500, 100, 0), Size(50, 10, 0, pools=50)
    few, many = Size(5_000, 1_000, 0), Size(100_000, 1_000, 0)
    beside_plain = [ratio(results.peak(size, "summary"), results.peak(size, "plain")) for size in (few, near, many)]

    def grown(size: Size) -> float | None:
        peak, empty = results.peak(size, "summary"), results.peak(size, "empty")
        return None if peak is None or empty is None else peak - empty

    def a_job(amounts: t.Callable[[Size], float | None]) -> float | None:
        growth = ratio(amounts(many), amounts(few))
        return None if growth is None else growth * few.jobs / many.jobs

    return [
        Goal(
            "processor time per job, summary : plain",
            1.2,
            ratio(results.cpu_a_job(few, many, "summary"), results.cpu_a_job(few, many, "plain")),
        ),
        Goal("summary of 500 jobs above an empty module, seconds of processor time", 0.15, results.constant(small)),
        Goal(
            "at 50 ms a call, summary, launched : sdk",
            0.25,
            ratio(results.launched(far, "summary"), results.launched(far, "sdk")),
        ),
        Goal(
            "at 50 ms a call, lookup, launched : sdk",
            0.25,
            ratio(results.launched(far, "lookup"), results.launched(far, "sdk")),
        ),
        Goal(
            "all 20,000 jobs : floor",
            1.2,
            ratio(results.seconds(near, "all", "floor"), results.seconds(near, "floor", "all")),
        ),
        Goal(
            "uri loop : summary",
            15,
            ratio(results.seconds(near, "uri", "summary"), results.seconds(near, "summary", "uri")),
            at_least=True,
        ),
        Goal(
            "gate on 20,000 jobs and 1,000 nodes : summary, both launched",
            2,
            ratio(results.launched(near, "gate"), results.launched(near, "summary")),
        ),
        Goal(
            "waiting gate, one attempt, processor time, local : module",
            0.1,
            ratio(results.attempt(small, 0), results.attempt(small, 600)),
        ),
        Goal("waiting gate, one local attempt, seconds of processor time", 0.05, results.attempt(small, 0)),
        Goal(
            "waiting gate, first decision, processor time, local : module",
            0.7,
            ratio(results.first_decision(small, 0), results.first_decision(small, 600)),
        ),
        Goal(
            "50 gates with ten forks on 50 pools, processor time, local : module",
            1 / 3,
            ratio(results.cpu(several, "many limit=0"), results.cpu(several, "many limit=600")),
        ),
        Goal(
            "time per job of the summary, launched, 100,000 jobs : 5,000 jobs",
            1.2,
            a_job(lambda size: results.launched(size, "summary")),
        ),
        Goal("memory per job of the summary above an empty module, 100,000 jobs : 5,000 jobs", 1.2, a_job(grown)),
        Goal(
            "peak memory, summary : plain, worst of 5,000, 20,000 and 100,000 jobs",
            1.5,
            None if None in beside_plain else max(t.cast("list[float]", beside_plain)),
        ),
    ]


def table(runs: dict[str, Runs], size: Size) -> str:
    """One row a program."""
    plain = runs["plain"].median if "plain" in runs else None
    rows = [
        "| program | runs | median s | least - most | launched s | : plain | CPU s | peak MiB | requests | emulator |"
        " others |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, one in runs.items():
        spread = f"{min(one.seconds):.2f} - {max(one.seconds):.2f}"
        own = launched(runs, name)
        cells = [
            name,
            len(one.seconds),
            f"{one.median:.2f}",
            spread,
            f"{own:.2f}" if name not in ("nothing", "empty") and "empty" in runs else "",
            f"{own / plain:.2f}" if plain and name not in ("nothing", "empty") else "",
            f"{sorted(one.cpu)[len(one.cpu) // 2]:.2f}",
            f"{one.peak_mib:.0f}" if one.peak_mib else "",
            max(one.requests) or "",
            f"{sum(one.emulator) / sum(one.seconds):.0%}" if any(one.requests) else "",
            f"{max(one.others):.0%}",
        ]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return f"\n### {size}\n\n" + "\n".join(rows) + "\n"


def write(folder: Path, machine: Machine, blocks: t.Sequence[Block], decisions: str) -> bool:
    """Writes the page and its plots. Whether no goal was missed."""
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(blocks)
    reached = goals(results)
    summary = "\n".join(["| goal | limit | measured | met |", "|---|--:|--:|---|", *(goal.row() for goal in reached)])
    plots = draw(folder, blocks)
    page = [
        LICENCE,
        INTRODUCTION.format(machine=machine, disturbed=DISTURBED, tries=TRIES),
        "\n## Goals\n\n`a : b` is the ratio of `a` to `b`.\n\n" + summary + "\n",
        COUNTED,
        "\n## Plots\n\n" + "\n\n".join(f"![{title}]({name})" for name, title in plots.items()) + "\n",
        "\n## Measurements\n",
        *(table(runs, size) for size, runs in blocks),
    ]
    page.append(f"\n## The decision alone\n\n```text\n{decisions.strip()}\n```\n")
    (folder / "README.md").write_text("".join(page), encoding="utf-8")
    print(summary)
    return all(goal.met is not False for goal in reached)
