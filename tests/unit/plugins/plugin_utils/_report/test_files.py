# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report: who may read and write them, and that a reader meets whole ones alone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.files import NAMES, ReportDirectory
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, observed


def test_more_than_any_pool_can_have_is_still_written(tmp_path: Path) -> None:
    asked = {"replicas": 100_000, "resources": {"memory": "800Pi", GPU: 8}}
    document, verdicts = reports.report_of([(asked, observed(reports.nodes_of(8)))])
    ReportDirectory(str(tmp_path)).write(document, verdicts)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["decision"] == "reject"


def test_the_files_are_readable_for_all_and_writable_for_nobody_else(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        place = tmp_path / "a" / "b"
        reports.write(place, "room")
    finally:
        os.umask(before)
    assert sorted(path.name for path in place.iterdir()) == sorted(NAMES)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (place, place.parent, *place.iterdir())}
    assert {oct(mode) for path, mode in modes.items() if path.is_dir()} == {"0o755"}
    assert {oct(mode) for path, mode in modes.items() if path.is_file()} == {"0o644"}


def test_a_stricter_umask_counts(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        reports.write(tmp_path / "a", "room")
    finally:
        os.umask(before)
    assert oct(stat.S_IMODE((tmp_path / "a" / "report.json").stat().st_mode)) == "0o600"


@pytest.mark.parametrize(
    ("owner", "own", "taken"), [(1000, 1000, True), (1001, 1000, False), (0, 1000, True), (1001, 0, True)]
)
def test_a_directory_of_another_user_is_refused(tmp_path: Path, owner: int, own: int, taken: bool) -> None:
    """Its owner could replace the files; root may write to a path that a container mounts."""
    place = tmp_path / "reports"
    place.mkdir()
    status = os.stat_result((*place.stat()[:4], owner, *place.stat()[5:10]))
    with (
        mock.patch.object(os, "geteuid", return_value=own),
        mock.patch.object(Path, "stat", return_value=status),
    ):
        if taken:
            ReportDirectory(str(place))
        else:
            with pytest.raises(
                InputError, match=r"^report_dir: no report can be written to .* \(belongs to another user\)"
            ):
                ReportDirectory(str(place))


@pytest.mark.parametrize(("mode", "own", "taken"), [(0o777, 1000, False), (0o1777, 1000, False), (0o777, 0, True)])
def test_a_directory_that_all_may_write_to_is_refused(tmp_path: Path, mode: int, own: int, taken: bool) -> None:
    place = tmp_path / "reports"
    place.mkdir()
    reports.write(place, "room")
    status = os.stat_result((stat.S_IFDIR | mode, *place.stat()[1:4], own, *place.stat()[5:10]))
    with mock.patch.object(os, "geteuid", return_value=own), mock.patch.object(Path, "stat", return_value=status):
        if taken:
            ReportDirectory(str(place))
        else:
            with pytest.raises(InputError, match=r"\(all users may write to it\): give a directory on the controller"):
                ReportDirectory(str(place))
    assert (place / "report.json").exists() is not taken


@pytest.mark.parametrize(
    ("gid", "group", "members", "taken"),
    [
        (1000, "ci", [], True),
        (1000, "ci", ["ci"], True),
        (1000, "ci", ["other"], False),
        (1000, "users", [], False),
        (2000, "ci", [], False),
        (0, "root", ["other"], True),
        (3000, None, [], False),
    ],
)
def test_a_directory_that_a_group_may_write_to_is_refused_unless_the_user_is_alone_in_it(
    tmp_path: Path, gid: int, group: str | None, members: list[str], taken: bool
) -> None:
    place = tmp_path / "reports"
    reports.write(place, "room")
    status = os.stat_result((stat.S_IFDIR | 0o775, *place.stat()[1:4], 1000, gid, *place.stat()[6:10]))
    of_group = mock.Mock(gr_name=group, gr_mem=members)
    with (
        mock.patch.object(os, "geteuid", return_value=1000),
        mock.patch.object(Path, "stat", return_value=status),
        mock.patch("pwd.getpwuid", return_value=mock.Mock(pw_name="ci", pw_gid=1000)),
        mock.patch("grp.getgrgid", side_effect=KeyError if group is None else [of_group]),
    ):
        if taken:
            ReportDirectory(str(place))
        else:
            with pytest.raises(InputError, match=r"\(a group may write to it\): give a directory on the controller"):
                ReportDirectory(str(place))
    assert (place / "report.json").exists() is not taken


@pytest.mark.parametrize("kind", ["absolute", "relative", "twice"])
def test_a_link_of_another_user_behind_an_own_one_is_not_followed(tmp_path: Path, kind: str) -> None:
    mine, shared = tmp_path / "mine", tmp_path / "shared"
    reports.write(mine / "reports", "room")
    shared.mkdir()
    (shared / "current").symlink_to("../mine" if kind == "relative" else mine)
    (mine / "link").symlink_to("../shared/current/reports" if kind != "absolute" else shared / "current" / "reports")
    (tmp_path / "start").symlink_to("mine/link")
    real = Path.stat

    def of_user(path: Path, **options: bool) -> os.stat_result:
        found = real(path, **options)
        return os.stat_result((*found[:4], 1001 if path.name == "current" else 1000, *found[5:10]))

    given = tmp_path / "start" if kind == "twice" else mine / "link"
    with mock.patch.object(os, "geteuid", return_value=1000), mock.patch.object(Path, "stat", of_user):
        # Root as well, whom a link could lead to any directory.
        for user in (0, 1000):
            with (
                mock.patch.object(os, "geteuid", return_value=user),
                pytest.raises(InputError, match=r"\(a link on the way belongs to another user\)"),
            ):
                ReportDirectory(str(given))
        assert (mine / "reports" / "report.json").exists()
        ReportDirectory(str(mine / "reports"))
    assert not (mine / "reports" / "report.json").exists()


def test_links_that_lead_to_each_other_are_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match="^report_dir: no report can be written to "):
        ReportDirectory(str(tmp_path / "a"))


def test_a_link_that_is_changed_later_leads_nowhere_else(tmp_path: Path) -> None:
    reports.write(tmp_path / "first", "room")
    (tmp_path / "other").mkdir()
    link = tmp_path / "link"
    link.symlink_to("first")
    directory = ReportDirectory(str(link))
    link.unlink()
    link.symlink_to("other")
    directory.write(*reports.report_of(reports.room()))
    assert (tmp_path / "first" / "report.json").exists()
    assert not (tmp_path / "other" / "report.json").exists()


@pytest.mark.parametrize(("owner", "taken"), [(1000, True), (0, True), (1001, False)])
def test_a_link_of_another_user_to_an_own_directory_is_not_followed(tmp_path: Path, owner: int, taken: bool) -> None:
    """Its files would be removed there."""
    place = tmp_path / "mine"
    reports.write(place / "reports", "room")
    (tmp_path / "link").symlink_to(place)
    real = Path.stat

    def of_user(path: Path, **options: bool) -> os.stat_result:
        found = real(path, **options)
        return os.stat_result((*found[:4], 1000 if options.get("follow_symlinks", True) else owner, *found[5:10]))

    with mock.patch.object(os, "geteuid", return_value=1000), mock.patch.object(Path, "stat", of_user):
        if taken:
            ReportDirectory(str(tmp_path / "link" / "reports"))
        else:
            with pytest.raises(InputError, match=r"\(a link on the way belongs to another user\)"):
                ReportDirectory(str(tmp_path / "link" / "reports"))
    assert (place / "reports" / "report.json").exists() is not taken


@pytest.mark.parametrize("path", ["a\0b", "a\ud800/\0"])
def test_what_no_path_can_have_is_told_in_a_sentence(path: str) -> None:
    with pytest.raises(InputError, match="^report_dir has a character that no path can have: give the path of a dir"):
        ReportDirectory(path)


def test_an_earlier_report_is_gone_before_anything_is_asked(tmp_path: Path) -> None:
    reports.write(tmp_path, "room")
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    ReportDirectory(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("untouched", encoding="utf-8")
    place = tmp_path / "reports"
    directory = ReportDirectory(str(place))
    for name in NAMES:
        (place / name).symlink_to(other)
    directory.write(*reports.report_of(reports.room()))
    assert other.read_text(encoding="utf-8") == "untouched"
    assert not any((place / name).is_symlink() for name in NAMES)


def test_a_reader_never_meets_half_a_file(tmp_path: Path) -> None:
    directory = ReportDirectory(str(tmp_path))
    document, verdicts = reports.report_of(reports.room())
    directory.write(document, verdicts)
    whole = (tmp_path / "report.html").read_text(encoding="utf-8")
    full = OSError(28, "No space left on device")
    with mock.patch.object(Path, "replace", side_effect=full), pytest.raises(OSError, match="No space left"):
        directory.write({**document, "attempts": 4}, verdicts)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", ["", "report.json"])
def test_a_file_in_the_way_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    (tmp_path / "place" / "report.json").mkdir(parents=True)
    path = tmp_path / "place" if name else tmp_path / "taken" / "reports"
    with pytest.raises(
        InputError, match=r"^report_dir: no report can be written to /.* \(.+\): give a directory on the"
    ):
        ReportDirectory(str(path))
