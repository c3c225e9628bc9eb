# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool in miniature: discrete events, gang scheduling, by each strategy.

It is written from what the scheduler does, not from how the gate decides: jobs go by priority, then age; a job starts
with all its replicas or not at all; a job that finds no room locks the resources that it asked for, or lets others
pass, as its strategy says. Amounts are cores, GiB and cards. On Ascend nodes a replica gets its cards from one group,
or whole groups; of those that would do, any.
"""

from __future__ import annotations

import copy
import heapq
import itertools
import random
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.poolgate.modelarts.tests.unit.simulation import documents
from ansible_collections.poolgate.modelarts.tests.unit.simulation.documents import GPU, Document

RESOURCES = ("cpu", "memory", GPU)
NPU = "huawei.com/ascend-1980"
RINGS, PAIRS = "modelarts.kat1.8xlarge", "modelarts.bm.npu.arm.16snt9b23"
SIZES = {"f.gpu8": (64, 500, 8), "f.gpu4": (32, 250, 4), RINGS: (64, 500, 8), PAIRS: (128, 1000, 16)}
GROUPS = {RINGS: 4, PAIRS: 2}
"""How many cards lie together, on nodes where that matters."""

FLAVORS = {GPU: ("f.gpu8", "f.gpu8", "f.gpu4"), NPU: (RINGS, RINGS, PAIRS)}
PLACEMENT = "os.modelarts/npu-topology-placement"
SYSTEM_PODS = (1, 3, 0)
SHOWS_NO_NODE_SECONDS = (2.0, 8.0)
DRIVER_SECONDS = 900.0
STANDBY_LABEL = "os.modelarts.node/ha.redundant.enabled"
BILLING_LABEL = "os.modelarts/billing.status"
STANDBYS = 0.12
TYPES = ("train", "infer", "notebook")

Vector = tuple[int, int, int]


@dataclass(frozen=True)
class Group:
    """Replicas of one shape, or one whole node of a flavor for each."""

    replicas: int
    shape: Vector
    flavor: str | None = None


@dataclass(eq=False)
class Node:
    """A node and what is left on it; ``address`` names it."""

    address: str
    flavor: str
    free: list[int]
    up: bool = True
    draining: bool = False
    standby: bool = False
    frozen: bool = False
    driver: str = "Running"
    gangs: set[int] = field(default_factory=set)
    holders: list[int | None] = field(default_factory=list)

    @property
    def takes_work(self) -> bool:
        return self.up and not (self.draining or self.standby or self.frozen) and self.driver == "Running"

    def takes(self, group: Group) -> int:
        """How many replicas of the group it takes."""
        if not self.takes_work:
            return 0
        if group.flavor is not None:
            return int(self.flavor == group.flavor and not self.gangs)
        most = min(free // asked for free, asked in zip(self.free, group.shape) if asked)
        return min(most, self.replicas_with_cards(group.shape[2]))

    def card_groups(self) -> list[list[int]]:
        """The free cards of each group."""
        size = GROUPS.get(self.flavor, len(self.holders) or 1)
        return [
            [card for card in range(first, first + size) if self.holders[card] is None]
            for first in range(0, len(self.holders), size)
        ]

    def replicas_with_cards(self, size: int) -> int:
        """How many replicas find cards that lie together."""
        if not size or self.flavor not in GROUPS:
            return 10**9
        groups, together = self.card_groups(), GROUPS[self.flavor]
        if size <= together:
            return sum(len(group) // size for group in groups)
        return sum(len(group) == together for group in groups) // (size // together)

    def give_cards(self, rng: random.Random, gang: int, size: int, replicas: int) -> None:
        """Give replicas their cards, of any groups that would do."""
        together = GROUPS.get(self.flavor, len(self.holders))
        for _replica in range(replicas if size and self.holders else 0):
            groups = self.card_groups()
            rng.shuffle(groups)
            if size <= together:
                mine = rng.sample(next(group for group in groups if len(group) >= size), size)
            else:
                whole = [group for group in groups if len(group) == together]
                mine = [card for group in whole[: size // together] for card in group]
            for card in mine:
                self.holders[card] = gang


@dataclass(eq=False)
class Gang:
    """A job: all of its replicas run, or none."""

    number: int
    groups: tuple[Group, ...]
    kind: str
    priority: int
    arrived: float
    lasts: float
    started: float | None = None
    shown_at: float = 0.0
    on: dict[str, list[int]] = field(default_factory=dict)
    document: Document = field(default_factory=dict)


class Pool:
    """The pool, its queue and its clock. ``hides_cards`` is the share of texts of nodes that are not there."""

    def __init__(
        self,
        rng: random.Random,
        *,
        strategy: str,
        ladder_seconds: float = 0.0,
        card: str = GPU,
        hides_cards: float = 0.0,
    ) -> None:
        self.rng = rng
        self.card = card
        self.strategy = strategy
        self.ladder_seconds = ladder_seconds
        self.now = 0.0
        self.nodes = {node.address: node for node in _nodes(rng, card)}
        self.hides_cards = hides_cards
        self.running: dict[int, Gang] = {}
        self.waiting: list[Gang] = []
        self._events: list[tuple[float, int, t.Callable[[], None]]] = []
        self._numbers = itertools.count(1)

    def at(self, when: float, event: t.Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), event))

    def run_until(self, when: float) -> None:
        """Lets everything happen that is due, and the scheduler after each event."""
        while self._events and self._events[0][0] <= when:
            self.now, _number, event = heapq.heappop(self._events)
            event()
            self.schedule()
        self.now = when

    def run_until_a_start(self, when: float) -> bool:
        """Lets things happen until a job has just started; whether one did by then."""
        while self._events and self._events[0][0] <= when:
            self.run_until(self._events[0][0])
            if any(gang.started == self.now for gang in self.running.values()):
                return True
        return False

    def copy(self) -> Pool:
        """A pool in the same state, to which nothing more is going to happen by itself."""
        other = copy.copy(self)
        other.rng = random.Random(self.now)
        other._events = []
        other.nodes = {
            address: replace(node, free=list(node.free), gangs=set(node.gangs), holders=list(node.holders))
            for address, node in self.nodes.items()
        }
        other.running = {number: replace(gang, on=dict(gang.on)) for number, gang in self.running.items()}
        other.waiting = [replace(gang, on=dict(gang.on)) for gang in self.waiting]
        other._numbers = itertools.count(10**9)
        return other

    def submit(self, groups: tuple[Group, ...], kind: str, priority: int, lasts: float) -> Gang:
        gang = Gang(next(self._numbers), groups, kind, priority, self.now, lasts)
        self.waiting.append(gang)
        if self.ladder_seconds:
            self.at(self.now + self.ladder_seconds + 1, lambda: None)  # the scheduler looks again when its time is over
        return gang

    def schedule(self) -> None:
        locked: set[str] = set()
        for gang in sorted(self.waiting, key=lambda gang: (-gang.priority, gang.arrived, gang.number)):
            if self.strategy == "tiered" and gang.priority < 3 and any(one.priority == 3 for one in self.waiting):
                return
            if locked & _asked_of(gang):
                continue
            found = self._find_room(gang.groups)
            if found is not None:
                self._start(gang, found)
            elif self._locks(gang):
                locked |= _asked_of(gang)

    def _locks(self, gang: Gang) -> bool:
        """Whether a job that found no room locks what it asked for."""
        has_time = self.now - gang.arrived <= self.ladder_seconds
        locks = {"fifo": True, "traversal": False, "ladder": has_time, "tiered": has_time and gang.priority == 3}
        return locks[self.strategy]

    def end(self, gang: Gang) -> None:
        """The job is over, or killed, or taken back."""
        if gang in self.waiting:
            self.waiting.remove(gang)
        if self.running.pop(gang.number, None) is None:
            return
        for address, took in gang.on.items():
            node = self.nodes[address]
            node.free = [free + amount for free, amount in zip(node.free, took)]
            node.gangs.discard(gang.number)
            node.holders = [None if holder == gang.number else holder for holder in node.holders]

    def _start(self, gang: Gang, found: list[tuple[Node, Group, int]]) -> None:
        self.waiting.remove(gang)
        self.running[gang.number] = gang
        gang.started = self.now
        gang.shown_at = self.now + self.rng.uniform(*SHOWS_NO_NODE_SECONDS)
        for node, group, count in found:
            shape = node.free if group.flavor is not None else [amount * count for amount in group.shape]
            took = gang.on.setdefault(node.address, [0, 0, 0])
            gang.on[node.address] = [had + more for had, more in zip(took, shape)]
            if group.flavor is not None:
                node.holders = [gang.number for _card in node.holders]
            else:
                node.give_cards(self.rng, gang.number, group.shape[2], count)
            node.free = [free - amount for free, amount in zip(node.free, shape)]
            node.gangs.add(gang.number)
        self.at(self.now + gang.lasts, lambda: self.end(gang))

    def _find_room(self, groups: tuple[Group, ...]) -> list[tuple[Node, Group, int]] | None:
        """Nodes for all replicas, exactly: the last group greedily, every one before it in all ways.

        The order of the nodes is random: what the gate says has to hold wherever the scheduler puts things.
        """
        nodes = list(self.nodes.values())
        self.rng.shuffle(nodes)
        return _find(nodes, groups, {})

    def toggle_up(self, node: Node) -> None:
        """A node goes down with what runs on it, or comes back, and then gets its driver first.

        A hot standby of the same flavor takes its place, and the node is the hot standby when it comes back.
        """
        node.up = not node.up
        if node.up:
            node.driver = self.rng.choice(("Pending", "Updating"))
            self.at(self.now + self.rng.uniform(30, DRIVER_SECONDS), lambda: self.has_driver(node))
            return
        for number in list(node.gangs):
            self.end(self.running[number])
        ready = [one for one in self.nodes.values() if one.standby and one.up and one.flavor == node.flavor]
        if ready and not node.standby:
            ready[0].standby, node.standby = False, True

    def has_driver(self, node: Node) -> None:
        node.driver = "Running"

    def toggle_draining(self, node: Node) -> None:
        node.draining = not node.draining

    def toggle_frozen(self, node: Node) -> None:
        """What runs goes on, and nothing new starts."""
        node.frozen = not node.frozen

    def empty(self) -> None:
        """All that runs ends, and every node is there again; a hot standby stays one."""
        for gang in list(self.running.values()):
            self.end(gang)
        for node in self.nodes.values():
            node.up, node.draining, node.frozen, node.driver = True, False, False, "Running"

    # What the API shows of it

    def node_documents(self) -> list[Document]:
        """Items of ListPoolNodes. What a job takes that shows no node yet is still shown as free."""
        unseen: dict[str, list[int]] = {}
        for gang in self.running.values():
            if self.now < gang.shown_at:
                for address, took in gang.on.items():
                    so_far = unseen.get(address, [0, 0, 0])
                    unseen[address] = [had + more for had, more in zip(so_far, took)]
        return [
            documents.node(
                self._table(SIZES[node.flavor]),
                self._table([free + more for free, more in zip(node.free, unseen.get(node.address, (0, 0, 0)))]),
                address=node.address,
                flavor=node.flavor,
                phase="Available" if node.up else "Abnormal",
                drain=node.draining,
                labels={
                    **({STANDBY_LABEL: "true"} if node.standby else {}),
                    **({BILLING_LABEL: "1"} if node.frozen else {}),
                },
                driver={"phase": node.driver},
                annotations=self._placement_of(node),
            )
            for node in self.nodes.values()
        ]

    def _placement_of(self, node: Node) -> dict[str, str]:
        """The text of a node's cards: at times it is not there, or shows what the amounts do not show yet."""
        chance = random.Random(f"{self.now} {node.address}").random()
        if not node.holders or chance < self.hides_cards:
            return {}
        is_late = chance < 0.9
        taken = {
            card
            for card, holder in enumerate(node.holders)
            if holder is not None and not (is_late and self.now < self.running[holder].shown_at)
        }
        return {PLACEMENT: _text_of(taken)}

    def _table(self, amounts: t.Sequence[int]) -> Document:
        return _asked(amounts, self.card)

    def job_documents(self) -> list[Document]:
        """Items of ListWorkloads: those that wait, those that start and those that run."""
        jobs = []
        for gang in self.waiting:
            jobs.append(self._job_document(gang, "Queue", gang.arrived, {}))
        for gang in self.running.values():
            seen = self.now >= gang.shown_at
            since = t.cast(float, gang.started)
            on = {address: self._table(took) for address, took in gang.on.items()} if seen else {}
            jobs.append(self._job_document(gang, "Running" if seen else "Creating", since, on))
        return jobs

    def _job_document(self, gang: Gang, status: str, since: float, on: t.Mapping[str, t.Any]) -> Document:
        if gang.on:
            asked = [sum(amounts) for amounts in zip(*gang.on.values())]
        else:
            asked = [sum(group.replicas * group.shape[index] for group in gang.groups) for index in range(3)]
        document = documents.job(
            self._table(asked),
            status,
            kind=gang.kind,
            uuid=uuid_of(gang),
            on=on,
            priority=str(gang.priority),
            seconds=int(self.now - since),
        )
        document["createTime"] = int((documents.NOW - self.now + gang.arrived) * 1000)
        for share in document.get("nodes", ()):
            holders = self.nodes[share["hostIp"]].holders
            if holders and self.rng_of_texts(gang) < 0.8:
                share["npuTopologyPlacement"] = _text_of(
                    {card for card, holder in enumerate(holders) if holder == gang.number}
                )
        return document

    def rng_of_texts(self, gang: Gang) -> float:
        """Below which share of the jobs one is: some show no cards."""
        return random.Random(f"texts {gang.number}").random()

    def pool_document(self) -> Document:
        return documents.pool(_count(node.flavor for node in self.nodes.values()))


def _asked_of(gang: Gang) -> set[str]:
    """The resources that a job asks for; a whole node is all of them."""
    return {
        name
        for group in gang.groups
        for name, amount in zip(RESOURCES, group.shape)
        if amount or group.flavor is not None
    }


def uuid_of(gang: Gang) -> str:
    return f"00000000-0000-4000-8000-{gang.number:012}"


def request_of(groups: tuple[Group, ...], kind: str, priority: int, card: str = GPU) -> Document:
    """The same, as a user writes it."""
    written = [
        {"replicas": group.replicas, "flavor": group.flavor}
        if group.flavor is not None
        else {"replicas": group.replicas, "resources": _asked(group.shape, card)}
        for group in groups
    ]
    return {"groups": written, "type": kind, "priority": priority}


def _find(
    nodes: list[Node], groups: tuple[Group, ...], used: dict[str, list[int] | None]
) -> list[tuple[Node, Group, int]] | None:
    """``used`` is what earlier groups take; None when they take the whole node."""

    def room(node: Node, group: Group) -> int:
        if node.address not in used:
            return node.takes(group)
        taken = used[node.address]
        if taken is None or group.flavor is not None:
            return 0
        left = [free - amount for free, amount in zip(node.free, taken)]
        most = min(free // asked for free, asked in zip(left, group.shape) if asked)
        # Of the groups of a job, only one asks for cards.
        return min(most, node.replicas_with_cards(group.shape[2]))

    group = groups[0]
    rooms = [(node, room(node, group)) for node in nodes]
    if sum(count for _node, count in rooms) < group.replicas:
        return None
    if len(groups) == 1:
        found = []
        left = group.replicas
        for node, count in rooms:
            if left and count:
                found.append((node, group, min(left, count)))
                left -= min(left, count)
        return found
    tried: set[t.Any] = set()
    for counts in _splits([count for _node, count in rooms], group.replicas):
        further = dict(used)
        for (node, _room), count in zip(rooms, counts):
            if count and group.flavor is not None:
                further[node.address] = None
            elif count:
                before = further.get(node.address) or [0, 0, 0]
                further[node.address] = [had + asked * count for had, asked in zip(before, group.shape)]
        key = tuple(sorted((_kind(node), str(further.get(node.address, ""))) for node in nodes))
        if key in tried:
            continue
        tried.add(key)
        rest = _find(nodes, groups[1:], further)
        if rest is not None:
            return [(node, group, count) for (node, _room), count in zip(rooms, counts) if count] + rest
    return None


def _kind(node: Node) -> tuple[t.Any, ...]:
    cards = tuple(len(group) for group in node.card_groups())
    return node.flavor, tuple(node.free), node.takes_work, bool(node.gangs), cards


def _splits(rooms: t.Sequence[int], replicas: int) -> t.Iterator[tuple[int, ...]]:
    if not rooms:
        if replicas == 0:
            yield ()
        return
    for count in range(min(rooms[0], replicas), -1, -1):
        for rest in _splits(rooms[1:], replicas - count):
            yield (count, *rest)


def _nodes(rng: random.Random, card: str) -> list[Node]:
    flavors = [rng.choice(FLAVORS[card])] if rng.random() < 0.6 else sorted(set(FLAVORS[card]))
    nodes = [
        Node(f"192.168.0.{index + 1}", flavor, [size - taken for size, taken in zip(SIZES[flavor], SYSTEM_PODS)])
        for index, flavor in enumerate(rng.choice(flavors) for _i in range(rng.randint(3, 9)))
    ]
    for node in nodes[1:]:
        node.standby = rng.random() < STANDBYS
    for node in nodes:
        node.holders = [None] * SIZES[node.flavor][2] if card == NPU else []
    return nodes


def _asked(amounts: t.Sequence[int], card: str) -> Document:
    cpu, memory, cards = amounts
    return {"cpu": str(cpu), "memory": f"{memory}Gi", card: str(cards)}


def _text_of(taken: t.Collection[int]) -> str:
    return "".join("1" if card in taken else "0" for card in range(15, -1, -1))


def _count(names: t.Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
