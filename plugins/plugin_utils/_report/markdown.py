# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a gate as Markdown, for the summary of a pipeline's job. Pure.

Text of the API only stands in code, where neither Markdown and HTML nor mentions and quick actions work.

This plugin util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._quantity import format_amount
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import duration, plural
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.page import overview_page, page
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.wording import (
    AMOUNT_WORDS,
    HEADLINES,
    AmountName,
    exact_amounts_to_word,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import (
        ResourceFigures,
        VerdictFacts,
    )
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.schema import ReportDocument

# As many as the gate prints. Of more pools, the one that decides has a page, and all of them a line.
_MOST_PAGES = 5

_COLUMNS: dict[AmountName, str] = {**AMOUNT_WORDS, "total": "of"}


def markdown(document: ReportDocument, verdicts: Sequence[VerdictFacts]) -> str:
    """Return the document as Markdown; ``verdicts`` are those on its pools, in their order."""
    waited = document["waited_seconds"]
    wait = "" if waited is None else f", waited {duration(waited)}"
    lines = [
        f"## {document['decision'].upper()}: {HEADLINES[document['decision']]}",
        "",
        f"Pool {_markdown_code_span(document['pool'])}, {plural(document['attempts'], 'attempt')}{wait}, "
        f"written {document['written_at']}.",
    ]
    many = len(verdicts) > _MOST_PAGES
    for pool, verdict in zip(document["pools"], verdicts):
        if many and pool["pool"] != document["pool"]:
            continue
        said = page(verdict) + (overview_page(verdicts) if many else [])
        # Longer than any run within: a name with backticks cannot end the block.
        fence = "`" * max(3, 1 + _longest_backtick_run("\n".join(said)))
        lines += ["", f"{fence}text", *said, fence]
        if pool["resources"]:
            lines += ["", *_markdown_resource_table(pool["resources"])]
    return "\n".join(lines) + "\n"


def _markdown_resource_table(resources: Sequence[ResourceFigures]) -> list[str]:
    columns = {
        name: word for name, word in _COLUMNS.items() if name != "claimed" or any("claimed" in one for one in resources)
    }
    lines = [f"| | {' | '.join(columns.values())} |", "|---|" + "---:|" * len(columns)]
    for figures in resources:
        amounts = exact_amounts_to_word(figures)
        cells = [format_amount(figures["resource"], amounts[column]) for column in columns]
        lines.append(f"| {_markdown_code_cell(figures['resource'])} | {' | '.join(cells)} |")
    return lines


def _markdown_code_span(value: str) -> str:
    """Return text as a code span, whose fence is longer than any run of backticks in it."""
    line = one_line(value) or " "
    fence = "`" * (1 + _longest_backtick_run(line))
    return f"{fence} {line} {fence}" if line[0] == "`" or line[-1] == "`" else f"{fence}{line}{fence}"


def _markdown_code_cell(value: str) -> str:
    """Return text as code in a table, whose cells end at a bar even in a code span."""
    return "<code>" + "".join(c if c.isalnum() else f"&#{ord(c)};" for c in one_line(value)) + "</code>"


def _longest_backtick_run(value: str) -> int:
    return max((len(run) for run in re.findall("`+", value)), default=0)
