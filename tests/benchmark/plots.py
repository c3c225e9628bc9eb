# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> plots, the same bytes for the same numbers."""

from __future__ import annotations

import typing as t
from pathlib import Path

import matplotlib as mpl
from measure import Runs, Size

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "poolgate", "svg.fonttype": "none", "font.size": 9})
from matplotlib import pyplot as plt

Blocks = t.Sequence[tuple[Size, dict[str, Runs]]]

COLOURS = {"plain": "#777777", "sdk": "#d1495b", "summary": "#00798c", "lookup": "#66a182", "gate": "#edae49"}
_OWN_HEADER = Path(__file__).read_text(encoding="utf-8").splitlines()[:3]
LICENCE = "\n".join(["<!--", *(line[2:] for line in _OWN_HEADER), "-->", ""])


def draw(folder: Path, blocks: Blocks) -> dict[str, str]:
    """Draws every plot into the folder: its file name and title."""
    plots = {
        "seconds.svg": ("Seconds by the number of jobs", _by_jobs(blocks, lambda runs: runs.median, "s")),
        "memory.svg": (
            "Peak memory by the number of jobs",
            _by_jobs([block for block in blocks if not block[0].latency_ms], lambda runs: runs.peak_mib, "MiB"),
        ),
        "connections.svg": ("The summary by the number of connections", _by_connections(blocks)),
    }
    for name, (title, figure) in plots.items():
        figure.suptitle(title)
        figure.tight_layout()
        figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
        plt.close(figure)
        first, _mark, rest = (folder / name).read_text(encoding="utf-8").partition("\n")
        lines = [line.rstrip() for line in rest.splitlines()]
        (folder / name).write_text(f"{first}\n{LICENCE}" + "\n".join(lines) + "\n", encoding="utf-8")
    return {name: title for name, (title, _figure) in plots.items()}


def _by_jobs(blocks: Blocks, value: t.Callable[[Runs], float], unit: str) -> t.Any:
    """A panel for each delay: a line for each program, over the sizes at which all of them took turns."""
    latencies = sorted({size.latency_ms for size, _runs in blocks})
    figure, axes = plt.subplots(1, len(latencies), figsize=(4.5 * len(latencies), 3.5), sharey=True, squeeze=False)
    for axis, latency in zip(axes[0], latencies):
        sizes = [block for block in blocks if block[0].latency_ms == latency and block[1].keys() >= COLOURS.keys()]
        for name, colour in COLOURS.items():
            points = sorted((size.jobs, value(runs[name])) for size, runs in sizes)
            axis.plot(*zip(*points), "o-", color=colour, label=name, markersize=3)
        axis.set(xscale="log", yscale="log", xlabel="jobs", ylabel=unit, title=f"{latency} ms a call")
        axis.grid(visible=True, which="both", linewidth=0.3)
    axes[0][0].legend()
    return figure


def _by_connections(blocks: Blocks) -> t.Any:
    figure, axis = plt.subplots(figsize=(4.5, 3.5))
    for size, runs in blocks:
        points = [
            (int(name.partition("=")[2]), one.median - runs["empty"].median)
            for name, one in runs.items()
            if name.startswith("summary connections=")
        ]
        if points:
            axis.plot(*zip(*points), "o-", label=f"{size.latency_ms} ms a call", markersize=3)
    axis.set(xlabel="connections", ylabel="s, less the launch", ylim=(0, None))
    axis.grid(visible=True, linewidth=0.3)
    axis.legend()
    return figure
