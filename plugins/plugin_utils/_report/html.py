# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a gate as one HTML page for people: no script, no other file, nothing that is fetched.

The template page.html.j2 and the style sheet page.css beside this file are all that is ever compiled. Texts of the
document are values in it: what looks like a template in the name of a job stays text.

This plugin util is private to the collection.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import typing as t
from pathlib import Path

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.view import view_page
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import ReportDocument

# As long as the longest sentence of a check: names of the API may be as long as an answer.
_LONGEST_TEXT = 500


def html_page(document: ReportDocument) -> str:
    """Return the document as an HTML page."""
    style = _html_style_sheet()
    # The policy of the page allows this very style by its digest, and no other.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    body = _html_template().render(page=view_page(document), style=Markup(style), style_digest=digest)
    return f"<!DOCTYPE html>\n{body}\n"


# Compiling takes longer than rendering most pages, and the items of a loop share a process.
@functools.cache
def _html_template() -> Template:
    """Return the template of the page, whose lines are joined: between elements, blanks are content."""
    # StrictUndefined: a key that is misspelt in the template is an error, and not an empty place on the page.
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_printable_in_html)
    lines = _text_of_html_part("page.html.j2").splitlines()
    return environment.from_string("".join(line.strip() for line in lines))


@functools.cache
def _html_style_sheet() -> str:
    """Return the style sheet without its head, which names the licence of the file."""
    return _text_of_html_part("page.css").partition("*/")[2]


def _text_of_html_part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _printable_in_html(value: object) -> object:
    """Return what the template writes out: any text as one printable line of bounded length, before it is escaped."""
    return one_line(value, _LONGEST_TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value
