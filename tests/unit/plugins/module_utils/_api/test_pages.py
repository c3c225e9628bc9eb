# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of a list that moves while it is read, by servers that keep to the reference and by others."""

from __future__ import annotations

import itertools
import random
import typing as t
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.documents import Document
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.pages import PageReader, Pages
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError
from ansible_collections.poolgate.modelarts.tests.unit.effort import tries
from hypothesis import given
from hypothesis import strategies as st

RUNS = tries(3000)
DISTINCT = 10**9


@dataclass(frozen=True)
class Manners:
    """How a server answers. ``moves`` is how likely jobs come or go before a request."""

    moves: float = 0.0
    moving: str = "any"  # any | natural (jobs end and start) | swap (one ends and one starts)
    ties: str = "stable"  # unstable: jobs of one createTime change places between requests
    total: str = "right"  # none | low | high | page (counts the page) | random
    cap: int | None = None  # fewer rows than asked; 0 is a random number of them
    order: str = "ascending"  # descending | other: sort is ignored | pages: each page is sorted, the list is not


class Server:
    """A list of jobs in memory that moves between requests. ``removed`` are the uids of jobs that ended."""

    def __init__(self, chance: random.Random, times: Sequence[int], manners: Manners) -> None:
        self.chance = chance
        self.manners = manners
        self.requests: list[tuple[int, int]] = []
        self.removed: set[str] = set()
        self.widest_tie = 0
        self.sizes: set[int] = set()
        self._serial = itertools.count()
        self.jobs = [self._job(at) for at in sorted(times)]
        self.initial = {str(job["uid"]) for job in self.jobs}

    def _job(self, at: int) -> Document:
        return {"uid": f"uid-{next(self._serial)}", "createTime": at, "rank": self.chance.random()}

    def _move(self) -> None:
        kinds = {"any": ("end", "start", "enter", "swap"), "natural": ("end", "start"), "swap": ("swap",)}
        kind = self.chance.choice(kinds[self.manners.moving])
        for _i in range({"end": self.chance.choice((1, 1, 2, 5)), "swap": 1}.get(kind, 0)):
            if self.jobs:
                self.removed.add(self.jobs.pop(self.chance.randrange(len(self.jobs)))["uid"])
        if kind in ("start", "swap"):
            newest = max((job["createTime"] for job in self.jobs), default=0)
            self.jobs.append(self._job(newest + self.chance.choice((0, 1, 1000))))
        if kind == "enter" and self.jobs:  # an old job that now passes the filter
            self.jobs.append(self._job(self.chance.choice(self.jobs)["createTime"]))

    def _listing(self) -> list[Document]:
        jobs = list(self.jobs)
        unstable = self.manners.ties == "unstable"
        if unstable:
            self.chance.shuffle(jobs)
        sign = {"ascending": 1, "descending": -1, "other": 0, "pages": 0}[self.manners.order]
        return sorted(jobs, key=lambda job: (sign * job["createTime"], 0 if unstable else job["rank"]))

    def read(self, start: int, limit: int) -> Document:
        self.requests.append((start, limit))
        assert len(self.requests) < 3000, "it asks for ever"
        if self.chance.random() < self.manners.moves:
            self._move()
        jobs = self._listing()
        self.sizes.add(len(jobs))
        self.widest_tie = max([self.widest_tie, *Counter(job["createTime"] for job in jobs).values()])
        cap = self.chance.randint(1, limit) if self.manners.cap == 0 else self.manners.cap or limit
        page = jobs[start : start + min(limit, cap)]
        if self.manners.order == "pages":
            page.sort(key=lambda job: job["createTime"])
        total = {
            "right": len(jobs),
            "none": None,
            "low": len(jobs) // 2,
            "high": len(jobs) + 3,
            "page": len(page),
            "random": self.chance.randint(0, len(jobs) + 3),
        }[self.manners.total]
        return {"items": page} if total is None else {"items": page, "total": total}

    def in_parallel(self, calls: Sequence[Callable[[], Document]]) -> Iterator[Document]:
        """Requests that overtake each other, and answers in the order asked for."""
        order = list(range(len(calls)))
        self.chance.shuffle(order)
        answers = {index: calls[index]() for index in order}
        return iter([answers[index] for index in range(len(calls))])

    @property
    def throughout(self) -> set[str]:
        return self.initial - self.removed


def read_all(server: Server, limit: int, offset: int = 0) -> Pages:
    return PageReader(server.read, server.in_parallel, offset, limit).read_all()


def uids(pages: Pages) -> list[str]:
    return [item["uid"] for item in pages.items]


def check_promises(server: Server, pages: Pages, limit: int) -> None:
    """No job twice; complete means that no job is missing that was there throughout; and what is not, is said."""
    read = uids(pages)
    assert len(read) == len(set(read))
    assert pages.complete != bool(pages.warnings)
    if pages.complete and not cannot_be_told(server, limit):
        assert server.throughout <= set(read)


def cannot_be_told(server: Server, limit: int) -> bool:
    """Whether even a careful reader can be fooled: by a server without any order that lies once more.

    Its jobs change places within more than a page while as many start as end, or its total is wrong as well; or each of
    its pages is sorted though the list is shuffled anew each time.
    """
    manners = server.manners
    if manners.ties == "stable":
        return False
    rows = 1 if manners.cap == 0 else min(max(limit, 3), manners.cap or limit)
    unordered = manners.order != "ascending" or server.widest_tie > rows - 2
    balanced = bool(server.removed) and unordered and len(server.sizes) == 1
    is_wrong = unordered and manners.total not in ("right", "none")
    return balanced or is_wrong or manners.order == "pages"


def random_run(seed: int) -> tuple[Server, int]:
    chance = random.Random(seed)
    count = chance.choice((0, 1, 2, 3, 5, 8, 13, 20, 40, 60))
    span = chance.choice((1, 3, 20, DISTINCT))
    times = [chance.randint(0, span) for _i in range(count)]
    total = chance.choice(("right",) * 4 + ("none", "low", "high", "page", "random"))
    manners = Manners(
        moves=chance.choice((0.0, 0.1, 0.5, 1.0)),
        moving=chance.choice(("any", "natural", "swap")),
        ties=chance.choice(("stable", "unstable")),
        total=total,
        # Fewer rows than asked, now these and then those, and no honest total: nothing tells that from the end.
        cap=chance.choice({"right": (None, None, 4, 0), "none": (None, 4)}.get(total, (None,))),
        order=chance.choice(("ascending",) * 4 + ("descending", "other", "pages")),
    )
    return Server(chance, times, manners), chance.choice((1, 2, 3, 5, 10, 30, 100))


def test_thousands_of_random_servers() -> None:
    """Also that it ends: with an answer, or with the sentence that the list does not end."""
    endless = told = 0
    for seed in range(RUNS):
        server, limit = random_run(seed)
        try:
            pages = read_all(server, limit)
        except ApiError as error:
            assert "does not end" in error.message
            assert server.manners.moves
            endless += 1
            continue
        check_promises(server, pages, limit)
        told += not cannot_be_told(server, limit)
        assert len(server.requests) < 700
    assert endless <= max(RUNS // 100, 5)
    assert told > RUNS * 0.7


@given(
    times=st.lists(st.integers(0, 12), max_size=25),
    limit=st.integers(1, 12),
    seed=st.integers(0, 2**32),
    manners=st.builds(
        Manners,
        moves=st.floats(0, 1),
        moving=st.sampled_from(("any", "natural", "swap")),
        ties=st.sampled_from(("stable", "unstable")),
        total=st.sampled_from(("right", "none", "low", "high", "page", "random")),
        order=st.sampled_from(("ascending", "descending", "other", "pages")),
    ),
)
def test_promises_hold_for_any_manners(times: list[int], limit: int, seed: int, manners: Manners) -> None:
    server = Server(random.Random(seed), times, manners)
    try:
        pages = read_all(server, limit)
    except ApiError as error:
        assert "does not end" in error.message
    else:
        check_promises(server, pages, limit)


@pytest.mark.parametrize("ties", ["stable", "unstable"])
@pytest.mark.parametrize("span", [DISTINCT, 2000], ids=["distinct times", "ties"])
@pytest.mark.parametrize("moving", ["natural", "any"])
def test_a_pool_in_use_is_read_whole(ties: str, span: int, moving: str) -> None:
    """Jobs end and start between most requests: complete but for one read in fifty.

    A list that stands still takes eleven requests.
    """
    incomplete = 0
    for seed in range(tries(100)):
        chance = random.Random(seed)
        server = Server(
            chance, [chance.randint(0, span) for _i in range(5000)], Manners(moves=0.8, moving=moving, ties=ties)
        )
        pages = read_all(server, 500)
        incomplete += not pages.complete
        assert server.throughout <= set(uids(pages))
        assert len(server.requests) <= 16
    assert incomplete <= tries(100) // 50


@pytest.mark.parametrize("total", ["right", "none"])
@pytest.mark.parametrize("ties", ["stable", "unstable"])
@pytest.mark.parametrize(
    ("count", "limit", "requests"),
    [
        (0, 500, 1),
        (1, 500, 1),
        (499, 500, 1),
        (500, 500, 2),  # a full page may go on, whatever total says
        (501, 500, 2),
        (987, 500, 2),
        (988, 500, 3),
        (1234, 500, 3),
        (5000, 500, 11),
        (9, 3, 8),
        (9, 1, 8),
        (100, 100, 2),
    ],
)
def test_a_list_that_stands_still(count: int, limit: int, requests: int, ties: str, total: str) -> None:
    server = Server(random.Random(1), range(count), Manners(ties=ties, total=total))
    pages = read_all(server, limit)
    assert (pages.complete, pages.warnings) == (True, [])
    assert pages.total == (count if total == "right" else None)
    assert uids(pages) == [f"uid-{number}" for number in range(count)]
    # Without a total, a page that is not full may be one of a server that gives no larger ones.
    assert len(server.requests) == requests + (total == "none" and count >= 499 and count not in (500, 988))
    assert {size for _start, size in server.requests} == {max(limit, 3)}


@pytest.mark.parametrize("hidden", [{6}, {0}, {13}, {6, 7}, {0, 6, 13}])
def test_a_page_that_is_shorter_than_another_does_not_end_a_list_without_a_total(hidden: set[int]) -> None:
    """A server may take out of a page what its caller may not see, after it has cut the page."""
    jobs = [{"uid": f"uid-{number}", "createTime": number} for number in range(14)]
    seen = [job["uid"] for number, job in enumerate(jobs) if number not in hidden]

    def read(start: int, _limit: int) -> Document:
        return {
            "items": [job for number, job in enumerate(jobs) if start <= number < start + 5 and number not in hidden]
        }

    pages = PageReader(read, lambda calls: iter([call() for call in calls]), 0, 500).read_all()
    # Offsets count what is left out as well, so a list may have been read whole and not be known to be.
    assert uids(pages) == seen or not pages.complete


@pytest.mark.parametrize("total", ["right", "none"])
@pytest.mark.parametrize("largest", [3, 10, 100])
def test_a_server_with_smaller_pages_than_were_asked_for(largest: int, total: str) -> None:
    server = Server(random.Random(1), range(250), Manners(total=total, cap=largest))
    pages = read_all(server, 500)
    assert pages.complete
    assert uids(pages) == [f"uid-{number}" for number in range(250)]


@pytest.mark.parametrize("ties", ["stable", "unstable"])
@pytest.mark.parametrize("together", [2, 10, 40, 400])
def test_jobs_of_one_second(together: int, ties: str) -> None:
    """Whatever their order, and wherever a page ends among them."""
    server = Server(random.Random(1), [number // together for number in range(2400)], Manners(ties=ties))
    pages = read_all(server, 500)
    assert pages.complete
    assert sorted(uids(pages)) == sorted(server.initial)
    assert len(server.requests) <= 6 + 2400 // together


@pytest.mark.parametrize("order", ["descending", "other"])
def test_a_server_that_ignores_sort(order: str) -> None:
    server = Server(random.Random(1), range(1234), Manners(order=order))
    pages = read_all(server, 500)
    assert pages.complete
    assert set(uids(pages)) == server.initial


@pytest.mark.parametrize("order", ["descending", "other", "pages"])
def test_a_server_without_order_is_not_trusted_when_its_total_changes(order: str) -> None:
    for seed in range(50):
        server = Server(
            random.Random(seed), range(60), Manners(order=order, ties="unstable", moves=1.0, moving="natural")
        )
        pages = read_all(server, 10)
        if len({len(server.initial), pages.total}) > 1:
            assert not pages.complete


@pytest.mark.parametrize("cap", [100, 7, 0], ids=["100 rows", "7 rows", "any number of rows"])
def test_fewer_rows_than_asked_for(cap: int) -> None:
    server = Server(random.Random(1), range(300), Manners(cap=cap))
    pages = read_all(server, 500)
    assert pages.complete
    assert sorted(uids(pages)) == sorted(server.initial)


@pytest.mark.parametrize("total", ["low", "page", "random"])
def test_a_total_that_is_too_low_ends_nothing(total: str) -> None:
    for seed in range(20):
        server = Server(random.Random(seed), range(60), Manners(total=total))
        assert set(uids(read_all(server, 10))) == server.initial


def test_a_total_that_is_too_high_is_not_complete() -> None:
    server = Server(random.Random(1), range(60), Manners(total="high"))
    pages = read_all(server, 100)
    assert not pages.complete
    assert "60 read, total 63" in pages.warnings[0]
    assert len(server.requests) < 30


@pytest.mark.parametrize("told", [None, lambda start: 10, lambda start: start + 1000, lambda start: 10**12])
def test_a_list_that_never_ends_is_cut_off(told: t.Callable[[int], int] | None) -> None:
    requests = 0

    def read(start: int, limit: int) -> Document:
        nonlocal requests
        requests += 1
        assert requests <= 2100
        page = [{"uid": str(number), "createTime": number} for number in range(start, start + limit)]
        return {"items": page} if told is None else {"items": page, "total": told(start)}

    def one_by_one(calls: Sequence[Callable[[], Document]]) -> Iterator[Document]:
        return iter([call() for call in calls])

    with pytest.raises(ApiError, match=r"The list of jobs does not end: the read stopped after \d+ pages\."):
        PageReader(read, one_by_one, 0, 500).read_all()
    assert requests <= 2100


def test_a_page_that_comes_again_and_again() -> None:
    """A server that ignores offset: what it gives is kept once, and is not complete."""
    page = [{"uid": str(number), "createTime": number} for number in range(10)]
    requests = 0

    def read(_start: int, _limit: int) -> Document:
        nonlocal requests
        requests += 1
        return {"items": page, "total": 40}

    pages = PageReader(read, lambda calls: iter([call() for call in calls]), 0, 10).read_all()
    assert [item["uid"] for item in pages.items] == [item["uid"] for item in page]
    assert not pages.complete
    assert requests < 60


def test_the_total_counts_from_the_start_and_an_offset_leaves_jobs_out() -> None:
    server = Server(random.Random(1), range(30), Manners())
    pages = read_all(server, 10, offset=25)
    assert uids(pages) == [f"uid-{number}" for number in range(25, 30)]
    assert (pages.total, pages.complete, pages.warnings) == (30, False, [])
    assert server.requests == [(25, 10)]


@pytest.mark.parametrize("total", ["right", "none"])
def test_an_offset_behind_the_end(total: str) -> None:
    server = Server(random.Random(1), range(30), Manners(total=total))
    pages = read_all(server, 10, offset=50)
    assert (pages.items, pages.complete) == ([], False)
    assert server.requests == [(50, 10)]


@pytest.mark.parametrize("key", ["uid", "jobUUID", "name"])
def test_a_job_is_known_by_each_of_its_names(key: str) -> None:
    """Its durations grow between two pages that both hold it."""
    clock = itertools.count()

    def read(start: int, limit: int) -> Document:
        jobs = [{key: f"job-{number}", "createTime": number, "pendingDuration": next(clock)} for number in range(20)]
        return {"items": jobs[start : start + limit], "total": 20}

    pages = PageReader(read, lambda calls: iter([call() for call in calls]), 0, 10).read_all()
    assert [item[key] for item in pages.items] == [f"job-{number}" for number in range(20)]
    assert pages.complete


def test_times_as_text_and_without_times() -> None:
    jobs: list[Document] = [{"uid": f"uid-{number}", "createTime": str(number)} for number in range(20)]

    def read(start: int, limit: int) -> Document:
        return {"items": jobs[start : start + limit], "total": "20"}

    def one_by_one(calls: Sequence[Callable[[], Document]]) -> Iterator[Document]:
        return iter([call() for call in calls])

    assert PageReader(read, one_by_one, 0, 10).read_all().complete
    for job in jobs:
        job.pop("createTime")
    pages = PageReader(read, one_by_one, 0, 10).read_all()
    assert [item["uid"] for item in pages.items] == [job["uid"] for job in jobs]
    assert pages.complete


def _each(calls: t.Sequence[t.Callable[[], Document]]) -> t.Iterator[Document]:
    return (call() for call in calls)


@pytest.mark.parametrize("metadata", [{"continue": "token"}, {"remainingItemCount": 3}, "no object"])
@pytest.mark.parametrize("total", [None, 5])
def test_a_list_that_says_that_it_goes_on_is_not_complete(metadata: t.Any, total: int | None) -> None:
    items = [{"uid": str(number), "createTime": number} for number in range(5)]

    def read(start: int, size: int) -> Document:
        return {"items": items[start:], "total": total, "metadata": metadata}

    assert not PageReader(read, _each, 0, 500).read_all().complete


def test_a_server_that_ignores_offset_is_not_complete_where_its_total_moves() -> None:
    """It gives the first hundred, whatever is asked for; meanwhile a job more comes in."""
    items = [{"uid": str(number), "createTime": number} for number in range(100)]
    totals = iter(range(150, 250))
    pages = PageReader(lambda start, size: {"items": items, "total": next(totals)}, _each, 0, 500).read_all()
    assert not pages.complete
