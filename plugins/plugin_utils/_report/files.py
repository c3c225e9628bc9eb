# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report in a directory.

This plugin util is private to the collection.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
import secrets
import stat
import typing as t
from pathlib import Path

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.markdown import markdown

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import VerdictFacts
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import ReportDocument

NAMES = ("report.json", "report.md", "report.html")

# The umask can take away from these, and nothing adds to them: other users of the machine may read at most.
_DIRECTORY_MODE = 0o755
_FILE_MODE = 0o644
_MOST_LINKS = 40  # as Linux follows


class ReportDirectory:
    """The directory that a gate leaves its report in.

    It is made before anything is asked, so that a gate does not wait for hours and then has no place for its report:
    raises InputError when nothing can be written. Directories that are missing are made. The files of an earlier report
    are removed, so that they cannot pass for those of a gate that comes to no decision.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        try:
            self._refuse_links_of_others()
            # One by one: mkdir(parents=True) gives parents a mode of its own.
            for directory in (*reversed(self.path.parents), self.path):
                if not directory.exists():
                    directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
            # Followed once: a link that is changed from now on leads nowhere else.
            self._resolved = self.path.resolve()
            self._refuse_what_others_can_change()
            # Tried with a file: permissions alone do not tell of a read-only mount.
            self._replace_file(NAMES[0], "")
            for name in NAMES:
                (self._resolved / name).unlink(missing_ok=True)
        except OSError as error:
            where = f"{self.path.absolute()} ({error.strerror})"
            what_to_do = "give a directory on the controller that only you can write to."
            raise InputError(f"report_dir: no report can be written to {where}: {what_to_do}") from None
        except ValueError:
            raise InputError(
                "report_dir has a character that no path can have: give the path of a directory."
            ) from None

    def write(self, document: ReportDocument, verdicts: Sequence[VerdictFacts]) -> None:
        """Write the three files, each of them whole or not at all. Raises OSError."""
        # All texts before the first file: an error while one is made leaves no half of a report.
        texts = (json.dumps(document, separators=(",", ":")) + "\n", markdown(document, verdicts), html_page(document))
        for name, text in zip(NAMES, texts):
            self._replace_file(name, text)

    def _refuse_links_of_others(self) -> None:
        """Refuse a link of another user on the way, before anything is made behind it."""
        if any(link.lstat().st_uid not in (0, os.geteuid()) for link in _links_on_the_way_to_files(self.path)):
            raise PermissionError(errno.EPERM, "a link on the way belongs to another user")

    def _refuse_what_others_can_change(self) -> None:
        """Refuse a directory of another user, and one that others may write to.

        Its files could be replaced, or be there before those of the gate, as in /tmp with its sticky bit. Root may
        write anywhere, as in a container with a mounted path.
        """
        user = os.geteuid()
        if user == 0:
            return
        status = self._resolved.stat()
        if status.st_uid not in (0, user):
            raise PermissionError(errno.EPERM, "belongs to another user")
        if status.st_mode & stat.S_IWOTH:
            raise PermissionError(errno.EPERM, "all users may write to it")
        if status.st_mode & stat.S_IWGRP and not _is_file_group_of_user_alone(status.st_gid, user):
            raise PermissionError(errno.EPERM, "a group may write to it")

    def _replace_file(self, name: str, text: str) -> None:
        """Write another file and rename it when it is complete: a link of that name is replaced, not followed."""
        temporary = self._resolved / f".{name}.{secrets.token_hex(8)}"
        # O_EXCL follows no link and takes no file that is there: another user may have guessed the name.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with open(os.open(temporary, flags, _FILE_MODE), "w", encoding="utf-8") as stream:
                stream.write(text)
            temporary.replace(self._resolved / name)
        finally:
            temporary.unlink(missing_ok=True)


def _links_on_the_way_to_files(path: Path) -> Iterator[Path]:
    """Yield each link that is followed to get to the path, those in the targets of others included."""
    first, *parts = path.absolute().parts
    here, pending = Path(first), parts[::-1]
    links = 0
    while pending:
        part = pending.pop()
        step = here.parent if part == ".." else here / part
        if part == ".." or not step.is_symlink():
            here = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        yield step
        target = Path(os.readlink(step))
        if target.is_absolute():
            here = Path(target.anchor)
        pending += [part for part in target.parts[::-1] if part != target.anchor]


def _is_file_group_of_user_alone(group: int, user: int) -> bool:
    """Return whether the group is the user's alone: that of root, or one of the user's name without other members."""
    if group == 0:
        return True
    try:
        of_user, of_group = pwd.getpwuid(user), grp.getgrgid(group)
    except KeyError:
        return False
    is_own = of_user.pw_gid == group and of_user.pw_name == of_group.gr_name
    return is_own and not set(of_group.gr_mem) - {of_user.pw_name}
