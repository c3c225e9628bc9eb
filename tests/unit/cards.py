# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of one kind of node, requests for its cards, and jobs that hold or wait for them."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import (
    GPU,
    Document,
    Verdict,
    address_of,
    job,
    node,
)

SIZE = {"cpu": "64", "memory": "500Gi", GPU: "8"}
OWN = "c237e9e1-50e7-4c4d-97ba-f4a5e0f62f70"


def gpu_nodes(*free: int, **states: t.Any) -> list[Document]:
    """Nodes of 8 cards with so many free ones."""
    return [node(SIZE, {**SIZE, GPU: str(cards)}, **states) for cards in free]


def asking(replicas: int, cards: t.Any = 1, **more: t.Any) -> Document:
    return {"replicas": replicas, "resources": {GPU: cards}, **more}


def holding(nodes: t.Sequence[Document], *cards: int, **more: t.Any) -> Document:
    """A job with so many cards on each of the nodes."""
    on = {address_of(item): {GPU: str(count)} for item, count in zip(nodes, cards)}
    return job({GPU: str(sum(cards))}, on=on, **more)


def queued(cards: t.Any, **more: t.Any) -> Document:
    return job({GPU: cards}, "Queue", **more)


def reason(verdict: Verdict) -> str:
    return " | ".join(verdict["reasons"])


def replacing(replicas: int, cards: t.Any, back: int | None = None) -> Document:
    return asking(
        replicas, cards, replaces={"job_uuid": OWN, **({} if back is None else {"replicas": back})}
    )  # fmt: skip
