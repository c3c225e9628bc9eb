# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of stores: what is taken, what is refused, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils import _secrets
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.location import read_location

PASSWORD = "correct-horse-battery"


def mounts_with(tmp_path: Path, *mounts: tuple[str, str]) -> Path:
    """A table of mounts, the root first."""
    rows = [f"{i} 1 0:{i} / {place} rw - {kind} none rw" for i, (place, kind) in enumerate((("/", "ext4"), *mounts))]
    path = tmp_path / "mountinfo"
    path.write_text("\n".join(["nonsense", *rows]), encoding="utf-8")
    return path


def test_a_file(tmp_path: Path) -> None:
    location = read_location(f" sqlite:///{tmp_path}/claims%20of%20all.db ", mounts_with(tmp_path))
    assert (location.kind, location.target) == ("sqlite", f"{tmp_path}/claims of all.db")
    assert location.shown == f"sqlite:///{tmp_path}/claims of all.db"
    assert location.remark == ""


@pytest.mark.parametrize("url", ["sqlite:///claims.db", "sqlite://claims.db", "sqlite:////tmp/claims.db?mode=memory"])
def test_a_path_that_is_not_absolute_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="four slashes"):
        read_location(url)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory is not there: make it"):
        read_location(f"sqlite:///{tmp_path}/missing/claims.db")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.sshfs"])
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=f"is on {kind}, where locks do not hold .* use PostgreSQL"):
        read_location(f"sqlite:///{tmp_path}/claims.db", mounts_with(tmp_path, (str(tmp_path), kind)))


def test_the_mount_that_counts_is_the_innermost_and_the_last(tmp_path: Path) -> None:
    share, local = tmp_path / "a share", tmp_path / "a share" / "local"
    local.mkdir(parents=True)
    escaped = str(share).replace(" ", "\\040")
    mounts = mounts_with(tmp_path, (escaped, "nfs4"), (f"{escaped}/local", "nfs4"), (f"{escaped}/local", "xfs"))
    assert read_location(f"sqlite:///{local}/claims.db", mounts).kind == "sqlite"
    with pytest.raises(InputError, match="nfs4"):
        read_location(f"sqlite:///{share}/claims.db", mounts)


def test_a_link_is_followed_to_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    with pytest.raises(InputError, match="nfs"):
        read_location(f"sqlite:///{tmp_path}/link/claims.db", mounts_with(tmp_path, (f"{tmp_path}/share", "nfs")))


@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_that_is_a_link_is_where_it_leads(tmp_path: Path, is_there: bool) -> None:
    share, local = tmp_path / "share", tmp_path / "local"
    share.mkdir()
    local.mkdir()
    (local / "claims.db").symlink_to("next.db")
    (local / "next.db").symlink_to("../share/claims.db")
    if is_there:
        (share / "claims.db").touch()
    with pytest.raises(InputError, match="is on nfs4"):
        read_location(f"sqlite:///{local}/claims.db", mounts_with(tmp_path, (str(share), "nfs4")))
    overlay = mounts_with(tmp_path, (str(share), "overlay"))
    assert "goes with the container" in read_location(f"sqlite:///{local}/claims.db", overlay).remark
    (local / "lost.db").symlink_to("missing/claims.db")
    with pytest.raises(InputError, match="directory is not there"):
        read_location(f"sqlite:///{local}/lost.db", overlay)


def test_a_file_in_a_container_is_remarked_on(tmp_path: Path) -> None:
    location = read_location(f"sqlite:///{tmp_path}/claims.db", mounts_with(tmp_path, (str(tmp_path), "overlay")))
    assert "goes with the container" in location.remark


def test_where_the_system_tells_no_mounts_the_file_is_taken(tmp_path: Path) -> None:
    assert read_location(f"sqlite:///{tmp_path}/claims.db", tmp_path / "missing").kind == "sqlite"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "PostgreSQL"])
def test_a_database(scheme: str) -> None:
    url = f"{scheme}://poolgate@db.example.com:5433/poolgate?sslmode=verify-full"
    location = read_location(url)
    # libpq knows the scheme in small letters alone, and repeats all of it in another.
    assert (location.kind, location.target) == ("postgresql", url.replace(scheme, "postgresql"))
    assert location.shown == "postgresql://db.example.com:5433/poolgate"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://poolgate:{PASSWORD}@db.example.com/poolgate",
        f"postgresql://poolgate@db.example.com/poolgate?password={PASSWORD}",
        f"postgresql://poolgate@db.example.com/poolgate?sslpassword={PASSWORD}",
    ],
)
def test_a_password_is_known_and_not_shown(url: str) -> None:
    location = read_location(url)
    assert location.secrets() == (PASSWORD,)
    assert PASSWORD not in location.shown
    _secrets.hide_secrets_of(location)
    assert PASSWORD not in sentence(f"The server says: {url} {PASSWORD}.")


def test_a_password_that_could_not_be_hidden_is_refused() -> None:
    with pytest.raises(InputError, match="too short, or an ordinary word"):
        read_location("postgresql://poolgate:train@db.example.com/poolgate")


@pytest.mark.parametrize(
    "value",
    [None, 5, "", "claims.db", "/var/lib/claims.db", "redis://db", f"mysql://u:{PASSWORD}@db", f"u:{PASSWORD}@db"],
)
def test_what_is_no_store_is_refused_without_being_quoted(value: object) -> None:
    with pytest.raises(InputError) as error:
        read_location(value)
    assert "must be a URL like" in error.value.message
    assert PASSWORD not in error.value.message


def test_a_url_that_cannot_be_read_is_refused_without_being_quoted() -> None:
    with pytest.raises(InputError) as error:
        read_location(f"postgresql://u:{PASSWORD}@[db/poolgate")
    assert PASSWORD not in error.value.message
