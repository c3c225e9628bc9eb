# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page as a browser reads it, for the tests of all that writes HTML."""

from __future__ import annotations

import typing as t

import html5lib

HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "div", "span", "bdi"),
    *("h1", "h2", "h3", "p", "b", "a", "ul", "li", "dl", "dt", "dd", "data", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "defs", "pattern", "symbol", "use", "rect", "circle", "path", "line", "text"),
}
"""Elements that load nothing, run nothing and send nothing."""


def parsed(page: str) -> t.Any:
    """The page as a browser reads it; html5lib raises for markup that is not right."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def tag_of(element: t.Any) -> str:
    return str(element.tag).rpartition("}")[2]


def text_of(element: t.Any) -> str:
    return "".join(element.itertext())
