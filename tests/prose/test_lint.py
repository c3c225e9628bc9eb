# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The linter finds what it is for, where it stands, and leaves plain English alone."""

from __future__ import annotations

import pytest
from lint import findings

# Sentences of the pages of 1.0.0, or like them.
BAD = {
    "A job that is full is said so.": "house.passive",
    "What is listed is not what runs.": "house.subject",
    "Whether it fits depends on the node.": "house.subject",
    "Nobody has tried it.": "house.people",
    "The gate counts so many replicas as there are nodes.": "house.referent",
    "It fails, too.": "house.too",
    "An option stands before the environment.": "house.precedence",
    "The answer tells the number of jobs.": "house.tell",
    "The gate the gate waits.": "lexical_illusions",
    " ".join(["The gate waits"] + ["for a node"] * 10) + ".": "house.length",
    "The gate waits. The play goes on.": "house.lines",
    "The gate waits for\nthe node.": "house.lines",
}
GOOD = (
    "The gate retries, and refuses at the deadline.",
    "What does an error mean?",
    "Set ``capacity_gate_pools`` to ``a`` ``b``, e.g. by a survey.",
    "The gate waits.\nThe play goes on.",
)


@pytest.mark.parametrize("page", ["page.md", "page.rst"])
@pytest.mark.parametrize("sentence", BAD)
def test_a_bad_sentence_is_found_where_it_stands(sentence: str, page: str) -> None:
    found = list(findings(page, f"Title\n=====\n\n{sentence}\n"))
    assert any(one.startswith(f"{page}:4: {BAD[sentence]}") for one in found), found


@pytest.mark.parametrize("page", ["page.md", "page.rst"])
@pytest.mark.parametrize("sentence", GOOD)
def test_plain_english_is_left_alone(sentence: str, page: str) -> None:
    assert list(findings(page, f"Title\n=====\n\n{sentence}\n")) == []


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo What is told so many times.\n```\n",
        "<!-- Nobody reads it. -->\n",
    ],
)
def test_code_is_no_prose(text: str) -> None:
    assert list(findings("page.md", text)) == []


def test_a_code_block_of_a_guide_is_no_prose() -> None:
    assert list(findings("page.rst", "Text:\n\n.. code-block:: text\n\n   Nobody is told so many. It is, too.\n")) == []


def test_a_page_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match=r"page\.rst:\d"):
        list(findings("page.rst", "Text.\n.. image:: x\n   :alt: y\n"))
