# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report in a directory.

This plugin util is private to the collection.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
import typing as t
from pathlib import Path

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.markdown import markdown

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import VerdictFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import ReportDocument

NAMES = ("report.json", "report.md", "report.html")

# The umask can take away from these, and nothing adds to them: other users of the machine may read at most.
_DIRECTORY_MODE = 0o755
_FILE_MODE = 0o644


class ReportDirectory:
    """The directory that a gate leaves its report in.

    It is made before anything is asked, so that a gate does not wait for hours and then has no place for its report:
    raises InputError when nothing can be written. Directories that are missing are made. The files of an earlier report
    are removed, so that they cannot pass for those of a gate that comes to no decision.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        try:
            for directory in (*reversed(self.path.parents), self.path):
                if not directory.exists():
                    directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
            self._refuse_what_others_can_change()
            self._replace_file(NAMES[0], "")
            for name in NAMES:
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            where = f"{self.path.absolute()} ({error.strerror})"
            what_to_do = "give a directory of the controller that you may write to."
            raise InputError(f"report_dir: no report can be written to {where}: {what_to_do}") from None
        except ValueError:
            raise InputError(
                "report_dir has a character that no path can have: give the path of a directory."
            ) from None

    def write(self, document: ReportDocument, verdicts: Sequence[VerdictFacts]) -> None:
        """Write the three files, each of them whole or not at all. Raises OSError."""
        texts = (json.dumps(document, separators=(",", ":")) + "\n", markdown(document, verdicts), html_page(document))
        for name, text in zip(NAMES, texts):
            self._replace_file(name, text)

    def _refuse_what_others_can_change(self) -> None:
        """Refuse a directory, and a link on the way, of another user, and a directory that all may write to.

        Its files could be replaced. Root may write anywhere, as in a container with a mounted path.
        """
        user = os.geteuid()
        if user == 0:
            return
        links = [link for link in (self.path, *self.path.parents) if link.is_symlink()]
        status = self.path.stat()
        if {status.st_uid, *(link.lstat().st_uid for link in links)} - {0, user}:
            raise PermissionError(errno.EPERM, "belongs to another user")
        # In one with the sticky bit, like /tmp, only the owner of a file may replace it.
        if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            raise PermissionError(errno.EPERM, "all users may write to it")

    def _replace_file(self, name: str, text: str) -> None:
        """Write another file and rename it when it is complete: a link of that name is replaced, not followed."""
        temporary = self.path / f".{name}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with open(os.open(temporary, flags, _FILE_MODE), "w", encoding="utf-8") as stream:
                stream.write(text)
            temporary.replace(self.path / name)
        finally:
            temporary.unlink(missing_ok=True)
