# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where claims are kept, as a user gives it: the file or the database of a URL, and what of it may be shown.

This plugin util is private to the collection.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import hide_secrets, is_secret_common_word
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, sentence, trimmed
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.libpq import read_database_url

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SQLITE, POSTGRESQL = "sqlite", "postgresql"

# Locks on them are lost, or hold on one machine alone: two gates would write into one another's claims.
_NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "fuse.ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "9p")
)
# The locks of these hold, but the file is gone when the container is.
_OF_CONTAINERS = frozenset(("overlay", "aufs"))
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Location:
    """A store: ``target`` is the path of its file, or the URL for libpq. ``shown`` is what may be said of it.

    ``weak_secrets`` are passwords that are ordinary words, and ``options`` what libpq is given beside the URL.
    """

    kind: str
    target: str
    shown: str
    secret: tuple[str, ...] = ()
    remark: str = ""
    weak_secrets: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    has_time_limit: bool = False

    def secrets(self) -> tuple[str, ...]:
        """Return the passwords of the store, for _secrets.hide_secrets_of()."""
        return self.secret

    def passing_secrets(self) -> tuple[str, ...]:
        return ()

    def sentence_on(self, error: Exception, password: str = "") -> str:
        """Return what the store has answered, without a secret; ``password`` is the one that was used, if known."""
        said = str(error).rstrip(".\n")
        # An ordinary word is in ordinary sentences: asterisks in its place would tell it.
        weak = [one for one in (*self.weak_secrets, password) if one and is_secret_common_word(one)]
        if hide_secrets(said, weak) != said:
            said = "its answer has a word in it that is a password as well, and is not repeated"
        return sentence(f"The claim store {self.shown} could not be asked: {hide_secrets(said, [password])}.")


def read_location(value: object, mounts: Path = _MOUNTS) -> Location:
    """Return the store that a URL names. Raises InputError, whose sentence has no part of what may be a secret."""
    text = trimmed(value) if isinstance(value, str) else ""
    scheme = text.partition("://")[0].lower()
    if scheme == SQLITE:
        return _file_location(text[len(SQLITE) + 3 :], mounts)
    if scheme in (POSTGRESQL, "postgres"):
        return _database_location(text)
    raise InputError(
        "The claim store must be a URL like sqlite:////var/lib/poolgate/claims.db or "
        "postgresql://poolgate@db.example.com/poolgate?sslmode=verify-full."
    )


def _file_location(rest: str, mounts: Path) -> Location:
    path = unquote(rest[1:])
    # Three slashes are a relative path, which would be another file for every directory that a gate starts in.
    if not rest.startswith("/") or not path.startswith("/") or "?" in rest or "\0" in path:
        raise InputError(
            "The claim store is a file whose path is not absolute: write four slashes, as in "
            "sqlite:////var/lib/poolgate/claims.db."
        )
    # Links are followed first, also one that the file itself is: a local name may lead to a network file system.
    real = os.path.realpath(path)
    if not os.path.isdir(os.path.dirname(real)):
        raise InputError(f"The claim store is {one_line(path)}, whose directory is not there: make it.")
    kind = _file_system_of_location(real, mounts)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise InputError(
            f"The claim store is {one_line(path)}, which is on {kind}, where locks do not hold between machines: "
            "use PostgreSQL, or a directory of this machine."
        )
    remark = ""
    if kind in _OF_CONTAINERS:
        remark = f"The claim store is {one_line(path)} in a container: the file goes with the container."
    return Location(SQLITE, path, f"sqlite:///{path}", remark=remark)


def _database_location(text: str) -> Location:
    url = read_database_url(text)
    return Location(
        POSTGRESQL,
        # In small letters, without which libpq takes all of it for something else, and repeats it.
        POSTGRESQL + text[text.index("://") :],
        url.shown,
        url.secrets,
        weak_secrets=url.weak_secrets,
        options=url.options,
        has_time_limit=url.has_time_limit,
    )


def _file_system_of_location(path: str, mounts: Path) -> str:
    """Return the kind of the file system that a path is on; empty where the system does not tell."""
    best, kind = "", ""
    for place, found in _mounted_file_systems_of_location(mounts):
        is_above = path == place or path.startswith(place if place.endswith("/") else f"{place}/")
        # The longest place is the nearest mount, and of equally long ones the later hides the earlier.
        if is_above and len(place) >= len(best):
            best, kind = place, found
    return kind


def _mounted_file_systems_of_location(mounts: Path) -> Iterator[tuple[str, str]]:
    """Yield the places and kinds of the file systems; of two at one place, the later one hides the other."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        head, _dash, tail = line.partition(" - ")
        words = head.split(" ")
        if len(words) > 4 and tail:
            yield _unescape_mounted_location(words[4]), tail.split(" ")[0]


def _unescape_mounted_location(place: str) -> str:
    # The backslash last: replaced first, it would make escapes of what was text.
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        place = place.replace(escaped, character)
    return place
