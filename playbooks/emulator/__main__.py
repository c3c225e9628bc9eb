# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start of the emulator, as a folder (``python3 playbooks/emulator``) or as a module of the collection."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __package__:
    command = importlib.import_module(".command", __package__)
else:
    # A folder has no package name. Its own is given to it, so that the modules find each other.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    command = importlib.import_module("emulator.command")

sys.exit(command.main(sys.argv[1:]))
