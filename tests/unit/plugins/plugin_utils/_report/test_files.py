# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report: what is in them, that text of the API stays text in each, and how they are written."""

from __future__ import annotations

import json
import os
import re
import stat
import typing as t
from pathlib import Path
from unittest import mock

import html5lib
import jsonschema
import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import plain
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.files import NAMES, ReportDirectory
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.html import html_page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.markdown import markdown
from ansible_collections.poolgate.modelarts.tests.unit import reports
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    FLAVOR,
    GPU,
    address_of,
    job,
    observed,
)
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import pool as pool_of
from markdown_it import MarkdownIt

SCHEMA = Path(__file__).parents[5] / "docs" / "report.schema.json"
HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "div", "span", "bdi"),
    *("h1", "h2", "h3", "p", "b", "a", "ul", "li", "dl", "dt", "dd", "data", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "defs", "pattern", "symbol", "use", "rect", "circle", "path", "line", "text"),
}
LARGEST_PAGE = 300_000


class Made(dict[str, tuple[t.Any, t.Any]]):
    """Document and verdicts of each case, made when a test asks for them."""

    def __missing__(self, name: str) -> tuple[t.Any, t.Any]:
        self[name] = reports.report_of(reports.CASES[name](), {"headroom": {GPU: 2}})
        return self[name]


@pytest.fixture
def made() -> Made:
    return Made()


def closed(schema: t.Any) -> t.Any:
    """The schema with no key allowed that it does not describe."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    entries = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **entries} if "properties" in schema else entries


def parsed(page: str) -> t.Any:
    """The page as a browser reads it; html5lib raises for markup that is not right."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def tag_of(element: t.Any) -> str:
    return str(element.tag).rpartition("}")[2]


def text_of(element: t.Any) -> str:
    return "".join(element.itertext())


@pytest.mark.parametrize("case", reports.CASES)
def test_the_schema_describes_it(made: t.Any, case: str) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(json.dumps(made[case][0]))
    jsonschema.Draft202012Validator(closed(schema)).validate(shortened(document))


def shortened(value: t.Any) -> t.Any:
    """The same, of lists of thousands the first and the last: what is between has been before."""
    if isinstance(value, dict):
        return {key: shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in (value if len(value) <= 500 else value[:250] + value[-250:])]
    return value


def test_the_decision_and_what_was_seen(made: t.Any) -> None:
    document, verdicts = made["room"]
    assert (document["decision"], document["reasons"]) == ("admit", [])
    assert (document["attempts"], document["waited_seconds"]) == (3, 90)
    (pool,) = document["pools"]
    assert pool["resources"] == verdicts[0]["resources"]
    assert [node["name"] for node in pool["nodes"]][:2] == ["train-a100-01", "train-a100-02"]
    assert [node["free"][GPU] for node in pool["nodes"]] == [0, 0, 0, 3, 6, 8, 8, 8, 8]
    assert [bool(node["unusable"]) for node in pool["nodes"]] == [False] * 7 + [True] * 2
    assert pool["holders"][0]["job_name"] == "llm-pretrain-7b"
    assert pool["queue"]["waiting"] == 0
    assert made["unread"][0]["pools"][0]["nodes"] is None
    assert made["unread"][0]["decision"] == "unknown"


@pytest.mark.parametrize(
    ("request_", "cards", "placed"),
    [
        ({"replicas": 2, "resources": {GPU: 4}}, [0, 0, 4, 4, 0], 2),
        ({"replicas": 1, "resources": {GPU: 2}}, [0, 2, 0, 0, 0], 1),
        ({"replicas": 9, "resources": {GPU: 3}}, [0, 3, 3, 6, 0], 4),
        ({"replicas": 1, "resources": {GPU: 16}}, [0, 0, 0, 0, 0], 0),
        ({"replicas": 2, "flavor": FLAVOR}, [0, 0, 0, 8, 0], 1),
        ({"groups": [{"flavor": FLAVOR}, {"flavor": FLAVOR}]}, [0, 0, 0, 8, 0], 1),
        ({"groups": [{"replicas": 1, "resources": {GPU: 2}}, {"resources": {GPU: 8}}]}, [0, 2, 0, 8, 0], 2),
    ],
)
def test_one_way_to_place_it(request_: t.Any, cards: list[int], placed: int) -> None:
    """Replicas go where they fit best, none on nodes that take no work, and never more than is free."""
    nodes = [*reports.nodes_of(0, 3, 4, 8), *reports.nodes_of(8, drain=True)]
    (pool,) = reports.report_of([(request_, observed(nodes))])[0]["pools"]
    assert [node["asked"].get(GPU, 0) for node in pool["nodes"]] == cards
    assert pool["placed"] == placed


def test_how_many_are_ahead_is_told_beyond_those_listed(made: t.Any) -> None:
    queue = made["thousand"][0]["pools"][0]["queue"]
    assert (queue["waiting"], queue["ahead"], len(queue["jobs"])) == (120, 120, 100)
    tree = parsed(html_page(made["thousand"][0]))
    rows = [text_of(row) for row in tree.iter("tr")]
    place = next(index for index, row in enumerate(rows) if row.startswith("this request"))
    assert rows[place - 1] == "110 jobs more"
    assert "20 more wait, and are not listed." in text_of(tree)


def test_one_behind_the_others_stands_where_it_belongs() -> None:
    jobs = [job({GPU: "8"}, "Queue", name=name, priority=first, seconds=60) for name, first in (("a", "2"), ("b", "0"))]
    document, _verdicts = reports.report_of(
        [({"resources": {GPU: 1}, "priority": 1}, observed(reports.nodes_of(8), jobs))]
    )
    rows = [text_of(row) for row in parsed(html_page(document)).iter("tr")]
    order = [row for row in rows if row.startswith(("1train a", "2train b", "this request"))]
    assert [row[:7] for row in order] == ["1train ", "this re", "2train "]


@pytest.mark.parametrize("case", reports.CASES)
def test_the_page_has_the_figures_of_the_document(made: t.Any, case: str) -> None:
    document = made[case][0]
    tree = parsed(html_page(document))
    shown = [(each.get("class"), each.get("value")) for each in tree.iter("data") if each.get("class")]
    figures = {(f"v-{name}", str(figure)) for pool in document["pools"] for one in pool["resources"]
               for name, figure in one.items() if name not in ("resource", "free") and figure}  # fmt: skip
    assert {entry for entry in shown if entry[0] != "v-nodes" and entry[1] != "0"} == figures
    for pool in document["pools"]:
        if pool["nodes"] and len(pool["nodes"]) > 64:
            assert sum(int(value) for kind, value in shown if kind == "v-nodes") == len(pool["nodes"])
    assert document["decision"].upper() in text_of(next(tree.iter("h1")))
    assert [text_of(reason) for reason in tree.iter("li") if text_of(reason) in document["reasons"]] or (
        document["decision"] == "admit"
    )


def test_a_cell_a_node(made: t.Any) -> None:
    tree = parsed(html_page(made["room"][0]))
    cells = next(each for each in tree.iter("ul") if each.get("class") == "nodes")
    words = [text_of(cell) for cell in cells]
    assert words[0] == "train-a100-018 taken"
    assert words[4] == "train-a100-052 taken, 4 asked, 2 free"
    assert words[8] == "train-a100-090 taken, 8 freeleft out (A): draining"
    symbols = {
        each.get("id"): [shape.get("class") for shape in each] for each in tree.iter() if tag_of(each) == "symbol"
    }
    drawn = [use.get("href") or use.get("xlink:href") for use in cells.iter() if tag_of(use) == "use"]
    assert symbols[drawn[4][1:]] == ["t", "t", "a", "p", "a", "p", "a", "p", "a", "p", "f", "f"]
    assert len(drawn) == 9


@pytest.mark.parametrize("case", reports.CASES)
def test_the_page_is_one_file_without_anything_that_runs(made: t.Any, case: str) -> None:
    page = html_page(made[case][0])
    tree = parsed(page)
    for element in tree.iter():
        assert tag_of(element) in HARMLESS
        for name, value in element.attrib.items():
            assert not str(name).startswith("on")
            assert "style" not in str(name)
            assert not str(name).endswith(("href", "src")) or value.startswith("#")
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert not re.search(r"https?:|url\((?!#)", page)
    assert len(page.encode()) < LARGEST_PAGE
    assert tree.get("lang") == "en"
    assert text_of(next(tree.iter("title"))).startswith(made[case][0]["decision"].upper())


def test_a_thousand_nodes_are_drawn_one_by_one_and_ten_thousand_by_what_is_alike(made: t.Any) -> None:
    drawn = {}
    for case in ("thousand", "ten-thousand"):
        tree = parsed(html_page(made[case][0]))
        drawn[case] = sum(len(each) for each in tree.iter("div") if each.get("class") == "dense")
    assert drawn == {"thousand": 1000, "ten-thousand": 0}


def test_text_of_the_api_stays_text_on_the_page(made: t.Any) -> None:
    page = html_page(made["hostile"][0])
    line = plain(reports.HOSTILE)
    tree = parsed(page)
    assert text_of(tree).count(line) > 8
    assert not {"script", "code"} & {tag_of(element) for element in tree.iter()}
    assert not [character for character in page if not character.isprintable() and character != "\n"]
    for element in tree.iter():
        if line in (element.text or "") and tag_of(element) not in ("bdi", "title"):
            raise AssertionError(f"{tag_of(element)} has text of the API that can turn its direction")


def test_text_of_the_api_stays_text_in_markdown(made: t.Any) -> None:
    text = markdown(*made["hostile"])
    assert not [character for character in text if not character.isprintable() and character != "\n"]
    tree = parsed(f"<!DOCTYPE html><title>x</title>{MarkdownIt('gfm-like', {'linkify': False}).render(text)}")
    for element in tree.iter():
        assert tag_of(element) in {*HARMLESS, "pre", "code"}
    for element in [each for each in tree.iter() if tag_of(each) in ("pre", "code")]:
        tail, kind = element.tail, element.tag
        element.clear()
        element.tail, element.tag = tail, kind
    rest = text_of(tree)
    assert "REJECT" in rest
    assert not [word for word in ("script", "@all", "7*7", "/close", "gnp") if word in rest]


def test_a_name_cannot_end_the_block_of_code() -> None:
    label = f"{'x' * 74} ```` {'y' * 79} <b>out</b>"
    document, verdicts = reports.report_of(
        [({"resources": {GPU: 1}}, observed(reports.nodes_of(8), pool_document=pool_of(label=label)))]
    )
    text = markdown(document, verdicts)
    assert "\n````\n" in text
    assert "<b>" not in MarkdownIt("gfm-like", {"linkify": False}).render(text)


def test_a_bar_in_the_name_of_a_resource_ends_no_cell() -> None:
    document, verdicts = reports.report_of(
        [({"resources": {"odd|`*\\|<b>": 1, GPU: 1}}, observed(reports.nodes_of(8)))]
    )
    tree = parsed(
        "<!DOCTYPE html><title>x</title>"
        + MarkdownIt("gfm-like", {"linkify": False}).render(markdown(document, verdicts))
    )
    rows = [[text_of(cell) for cell in row] for row in tree.iter("tr")]
    assert {len(row) for row in rows} == {8}
    assert "odd|`*\\|<b>" in [row[0] for row in rows]


def test_more_than_any_pool_can_have_is_still_written(tmp_path: Path) -> None:
    asked = {"replicas": 100_000, "resources": {"memory": "800Pi", GPU: 8}}
    document, verdicts = reports.report_of([(asked, observed(reports.nodes_of(8)))])
    ReportDirectory(str(tmp_path)).write(document, verdicts)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["decision"] == "reject"


def test_what_a_replaced_job_gives_back_is_named() -> None:
    nodes = reports.nodes_of(0, 8)
    jobs = [job({GPU: "8"}, uuid="old", on={address_of(nodes[0]): {GPU: "8"}})]
    asked = {"replicas": 2, "resources": {GPU: 8}, "replaces": {"job_uuid": "old"}}
    document, _verdicts = reports.report_of([(asked, observed(nodes, jobs, placement_of=["old"]))])
    assert document["decision"] == "admit"
    assert "What is given back first still shows as taken." in text_of(parsed(html_page(document)))


def test_of_many_pools_those_that_came_closest_are_shown() -> None:
    asked = [
        ({"resources": {GPU: 16 if number < 150 else 4}}, observed(reports.nodes_of(8, 0))) for number in range(200)
    ]
    for number, (_request, facts) in enumerate(asked):
        facts["pool_name"] = f"pool-{number}-3c7e52d1f0984b6a8e5d2b7c41a96f03"
    document, verdicts = reports.report_of(asked)
    page = html_page(document)
    tree = parsed(page)
    assert len(page.encode()) < LARGEST_PAGE
    sections = [each.get("id") for each in tree.iter("section") if each.get("id")]
    assert sections == [f"pool-{number + 1}" for number in range(150, 170)]
    assert [each.get("href") for each in tree.iter("a")] == [f"#{name}" for name in sections]
    assert len(next(iter(tree.iter("table"))).findall(".//tr")) == 201
    text = markdown(document, verdicts)
    assert text.count("```text") == 1
    assert "50 of 200 pools have room:" in text


# The files


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
        InputError, match=r"^report_dir: no report can be written to /.* \(.+\): give a directory of the"
    ):
        ReportDirectory(str(path))
