# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint the English of the pages: proselint's own checks, and the rules below.

`python tests/prose/lint.py [FILE ...]` prints a line for each finding, and ends with 1 when there are any.
Code, commands, printed pages and names in literals are no prose, so each literal counts as one word.
"""

from __future__ import annotations

import io
import re
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from markdown_it import MarkdownIt
from proselint.checks import __register__ as of_proselint
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, CheckFlags, CheckResult, types
from proselint.registry.checks.engine import Padding
from proselint.tools import LintFile

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "roles/*/README.md", "playbooks/emulator/README.md"),
    *("extensions/**/README.md", "docs/docsite/rst/*.rst"),
)

# Longer ones in these pages held two facts or more, and a reader at three in the morning lost the first of them.
LONGEST_SENTENCE = 30

# Checks of proselint that take terms of this field for something else.
NOT_OURS = {
    "typography": "quotes and dashes are ASCII in sources, and Sphinx sets them",
    "misc.annotations": "words such as NOTE stand in what a gate prints",
}


def _long_sentences(text: str, check: Check) -> t.Iterator[CheckResult]:
    """Find the lines, each one sentence, that have too many words."""
    for line in re.finditer(r".+", text):
        words = len(line.group().split())
        if words > LONGEST_SENTENCE:
            yield CheckResult(check.path, check.message.format(words), (line.start(), line.end()), None)


def _clauses_as_subject(text: str, check: Check) -> t.Iterator[CheckResult]:
    """Find sentences that begin with a clause, and are not questions."""
    for line in re.finditer(r"^(?:What|Whatever|Whoever|Whether|That which) .+[^?\n]$", text, re.MULTILINE):
        yield CheckResult(check.path, check.message, (line.start(), line.end()), None)


def _banned(name: str, message: str, *patterns: str) -> Check:
    """Make a check that finds these patterns, which are words."""
    quoted = CheckFlags(allow_quotes=True)
    return Check(types.Existence(patterns, Padding.WORDS_IN_TEXT), path=f"house.{name}", message=message, flags=quoted)


# Each is a habit of the pages of 1.0.0, which read as if they were translated.
OUR_CHECKS = (
    Check(_long_sentences, path="house.length", message=f"{{}} words, more than {LONGEST_SENTENCE}: say it in two."),
    Check(_clauses_as_subject, path="house.subject", message="Name the subject: a clause is hard to read as one."),
    _banned(
        "passive", "'{}': let the system say it.", r"(?:is|are|was|were|be|been)(?: then| not| never)? (?:said|told)"
    ),
    _banned("people", "'{}': systems act, or name the role.", "nobody", "somebody", "whoever"),
    _banned("referent", "'{}' of what? Name the number.", "so many", "so much", "so long", "so often", "as much of"),
    _banned("too", "'{}': write 'also', or leave it out.", r"[^ ]+, too[.,;:]?"),
    _banned("precedence", "'{}': write 'takes precedence over'.", "stands? before", "comes? before all"),
    _banned("tell", "'{}': documents contain, show or lack.", r"(?:document|answer|pool|node|API)s? tells?"),
)


CheckRegistry().register_many((*of_proselint, *OUR_CHECKS))

# proselint takes the first name that a check begins with, so the longest come first.
CHECKS = dict(
    sorted(
        {**DEFAULT["checks"], **dict.fromkeys(NOT_OURS, False), "house": True}.items(),
        key=lambda check: check[0].count("."),
        reverse=True,
    )
)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of a page: the line that it begins on, its source, and its text with literals as one word."""

    line: int
    source: str
    text: str

    def sentences(self) -> list[str]:
        """Return its sentences."""
        sentences = re.split(r"(?<=[.?!:])[)\"']?\s+(?=[A-Z(\"'])", " ".join(self.text.split()))
        return [sentence for sentence in sentences if sentence]


class _Nested(Directive):
    """A directive of Sphinx whose content is prose."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = None

    def run(self) -> list[nodes.Node]:
        """Return its content, read as the rest of the page."""
        inner = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, inner)
        return [inner]


class _Left(_Nested):
    """A directive of Sphinx that has no prose."""

    def run(self) -> list[nodes.Node]:
        """Return nothing."""
        return []


def _word(number: int) -> str:
    """Return the word that stands for a literal: another for each, as a word that is repeated is a finding."""
    return f"Literal{number}"


def _literal_role(name: str, rawtext: str, text: str, *_rest: object) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """Read a role: a title before its target is prose, all else is a literal."""
    title = re.match(r"(.+?)\s*<[^>]+>$", text, re.DOTALL)
    return [nodes.inline(rawtext, title.group(1)) if title else nodes.literal(rawtext, text)], []


def paragraphs_of_rst(text: str, name: str) -> list[Paragraph]:
    """Return the paragraphs of a page in reStructuredText."""
    for role in set(re.findall(r"(?<!`):([a-z]+):`", text)):
        roles.register_local_role(role, _literal_role)
    for directive in ("code-block", "toctree", "contents", "image", "figure"):
        directives.register_directive(directive, _Left)
    for directive in ("versionadded", "versionchanged", "deprecated", "seealso", "glossary"):
        directives.register_directive(directive, _Nested)
    complaints = io.StringIO()
    settings = {"report_level": 3, "halt_level": 5, "warning_stream": complaints, "file_insertion_enabled": False}
    page = publish_doctree(text, source_path=name, settings_overrides=settings)
    if complaints.getvalue():
        raise ValueError(complaints.getvalue())
    found = []
    for paragraph in page.findall(nodes.paragraph):
        for number, literal in enumerate(list(paragraph.findall(nodes.literal))):
            literal.parent.replace(literal, nodes.Text(_word(number)))
        found.append(Paragraph(paragraph.line or 0, paragraph.rawsource, paragraph.astext()))
    return found


def paragraphs_of_markdown(text: str) -> list[Paragraph]:
    """Return the paragraphs, list items and cells of a page in Markdown."""
    found = []
    line = 0
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        line = token.map[0] + 1 if token.map else line
        if token.type == "inline":
            words = [
                {"code_inline": _word(number), "softbreak": "\n"}.get(child.type, child.content)
                for number, child in enumerate(token.children or [])
            ]
            found.append(Paragraph(line, token.content, "".join(words)))
    return found


def shared_lines(paragraph: Paragraph) -> t.Iterator[str]:
    """Yield what is wrong with its lines: each has one sentence, so that a change of one shows as one."""
    lines = [line.strip() for line in paragraph.source.splitlines()]
    for line in lines[:-1]:
        if not re.search(r"[.?!:;][)\"'`*]*$", line):
            yield f"a sentence goes on after this line: {line[-40:]}"
    for line in lines:
        prose = re.sub(r"``.*?``|`[^`]*`", _word(0), line)
        if re.search(r"(?<!e\.g)(?<!i\.e)[.?!][)\"']* +[A-Z(\"']", prose):
            yield f"two sentences on this line: {line[:40]}"


def findings(name: str, text: str) -> t.Iterator[str]:
    """Yield a line for each finding in a page of this name."""
    paragraphs = paragraphs_of_rst(text, name) if name.endswith(".rst") else paragraphs_of_markdown(text)
    for paragraph in paragraphs:
        for complaint in shared_lines(paragraph):
            yield f"{name}:{paragraph.line}: house.lines: {complaint}"
        for sentence in paragraph.sentences():
            # Each by itself, as proselint takes the same word in two cells of a table for one that is repeated.
            for result in LintFile(name, sentence).lint({"max_errors": 1000, "checks": CHECKS}):
                found = f"{result.check_result.check_path}: {result.check_result.message} [{sentence[:60]}]"
                yield f"{name}:{paragraph.line}: {found}"


def main() -> int:
    """Print the findings in the given files, or in all pages, and their number."""
    named = [Path(name).resolve() for name in sys.argv[1:]]
    files = named or sorted(file for pattern in PAGES for file in ROOT.glob(pattern))
    pages = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}
    found = [finding for name, text in pages.items() for finding in findings(name, text)]
    print("\n".join(found))
    print(f"{len(found)} findings in {len(files)} pages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
