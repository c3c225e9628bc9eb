# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this machine: who started us, and whether they are still there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def birth_of(pid: int) -> str | None:
    """Something that tells a living process from a later one with its number; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return "alive"
    return None if fields[0] in "ZX" else fields[19]


def ancestor_named(name: str) -> int | None:
    """Return the outermost of the processes above this one that runs a program of this name."""
    found, pid = None, os.getppid()
    while pid > 1:
        parent, words = _parent_and_command(pid)
        # The first word of a script is its interpreter.
        if any(os.path.basename(word) == name for word in words[:2]):
            found = pid
        pid = parent
    return found


def _parent_and_command(pid: int) -> tuple[int, list[str]]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return int(stat[1]), command
    except OSError:
        shown = subprocess.run(["ps", "-o", "ppid=,args=", "-p", str(pid)], capture_output=True, text=True, check=False)
        words = shown.stdout.split()
        return (int(words[0]), words[1:]) if words else (0, [])
