# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measures the collection beside other ways to read the same jobs, and writes docs/benchmark.

With QUICK=1 small sizes and two runs show that everything works; the report then goes to .build/bench/quick.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from measure import ROOT, Bench, Runs, Size
from report import Machine, write

BUILD = ROOT / ".build" / "bench"

LAUNCHES = ("nothing", "empty")
READERS = ("plain", "sdk", "summary", "lookup", "gate")
CONNECTIONS = (1, 2, 4, 8, 16)
WAITS = tuple(f"wait seconds={seconds} limit={limit}" for limit in (0, 600) for seconds in (0, 4))
MANY = tuple(f"many limit={limit}" for limit in (0, 600))

Plan = list[tuple[Size, tuple[str, ...], int]]


def plan(quick: bool) -> Plan:
    """What to measure: the size, the programs that take turns, and how often each runs."""
    several = tuple(f"summary connections={count}" for count in CONNECTIONS)
    if quick:
        size = Size(1000, 100, 0)
        return [
            (size, (*LAUNCHES, *READERS, "role", "signed"), 2),
            (size, ("all", "floor"), 2),
            (size, ("uri", "summary"), 1),
            (Size(500, 100, 0), WAITS, 1),
            (Size(50, 10, 0, pools=50), MANY, 1),
            (Size(1000, 100, 50), ("empty", *READERS, *several[-2:]), 1),
        ]
    full: Plan = []
    for latency in (0, 50):
        full += [
            (Size(500, 100, latency), (*LAUNCHES, *READERS), 5),
            (Size(5_000, 1_000, latency), (*LAUNCHES, *READERS), 5),
            (Size(20_000, 1_000, latency), (*LAUNCHES, *READERS, "role", "signed"), 7),
            (Size(100_000, 1_000, latency), (*LAUNCHES, *READERS), 3),
            (Size(20_000, 1_000, latency), ("empty", *several), 3),
        ]
    return [
        *full,
        (Size(20_000, 100, 0), ("empty", "summary", "gate"), 3),
        (Size(20_000, 10_000, 0), ("empty", "summary", "gate"), 3),
        (Size(500, 100, 0), ("all", "floor"), 3),
        (Size(5_000, 1_000, 0), ("all", "floor"), 3),
        (Size(20_000, 1_000, 0), ("all", "floor"), 5),
        (Size(20_000, 1_000, 0), ("uri", "summary"), 2),
        (Size(500, 100, 0), WAITS, 5),
        (Size(50, 10, 0, pools=50), MANY, 5),
    ]


def install_collection(folder: Path) -> None:
    """The collection as a user gets it: built and installed from the artifact."""
    shutil.rmtree(folder / "collections", ignore_errors=True)
    for old in folder.glob("*.tar.gz"):
        old.unlink()
    galaxy = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection"]
    place = str(folder / "collections")
    settings = {**os.environ, "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_COLLECTIONS_PATH": place}
    quiet: dict[str, t.Any] = {"env": settings, "stdout": subprocess.DEVNULL}
    subprocess.run([*galaxy, "build", "--output-path", str(folder), str(ROOT)], check=True, **quiet)
    (artifact,) = folder.glob("*.tar.gz")
    subprocess.run([*galaxy, "install", str(artifact), "--offline", "--collections-path", place], check=True, **quiet)


def decisions(folder: Path) -> tuple[str, bool]:
    """What the benchmark of the decision alone prints, and whether it is content. It builds pools as the tests do."""
    place = folder / "tree" / "ansible_collections" / "poolgate"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "modelarts").exists():
        (place / "modelarts").symlink_to(ROOT)
    script = Path(__file__).with_name("verdict.py")
    environment = {**os.environ, "PYTHONPATH": str(folder / "tree")}
    ran = subprocess.run([sys.executable, str(script)], env=environment, check=False, stdout=subprocess.PIPE, text=True)
    return ran.stdout, ran.returncode == 0


def main() -> int:
    quick = os.environ.get("QUICK", "") not in ("", "0")
    BUILD.mkdir(parents=True, exist_ok=True)
    install_collection(BUILD)
    machine = Machine(os.cpu_count() or 1, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    results: list[tuple[Size, dict[str, Runs]]] = []
    began = time.monotonic()
    for size, names, times in plan(quick):
        print(f"{time.monotonic() - began:5.0f} s  {size}: {', '.join(names)}", flush=True)
        with Bench(size, BUILD) as bench:
            results.append((size, bench.measure(names, times)))
    place = BUILD / "quick" if quick else ROOT / "docs" / "benchmark"
    decided, content = decisions(BUILD)
    met = write(place, machine, results, decided) and content
    print(f"{time.monotonic() - began:5.0f} s  {place / 'README.md'}")
    return 0 if met or quick else 1


if __name__ == "__main__":
    sys.exit(main())
