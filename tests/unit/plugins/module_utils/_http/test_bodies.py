# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies are bounded each, by what came, and all together."""

from __future__ import annotations

import gzip
import io
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._http import bodies, sending
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import Bodies
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.no_answer import NoAnswerError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer, Seen

MEGABYTE = 2**20


class Raw(io.BytesIO):
    """What urllib3 gives: bytes that are read as they came."""

    def read1(self, size: int | None = -1, decode_content: bool = True) -> bytes:
        return super().read(size)

    def release_conn(self) -> None:
        """There is none."""


def response(content: bytes, encoding: str = "") -> requests.Response:
    made = requests.Response()
    made.raw = Raw(content)
    made.headers["Content-Encoding"] = encoding
    return made


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SMALL_ANSWER", MEGABYTE)
    monkeypatch.setattr(bodies, "MOST_UNDER_WAY", 4 * MEGABYTE)
    monkeypatch.setattr(bodies, "_CHUNK", 2**12)
    monkeypatch.setattr(sending, "LARGEST_ANSWER", 2 * MEGABYTE)


@pytest.mark.parametrize("encoding", ["", "gzip", " GZIP "])
def test_a_body_is_read_as_it_was_sent(encoding: str) -> None:
    content = bytes(range(256)) * 4096
    sent = gzip.compress(content) if encoding else content
    assert Bodies(2 * MEGABYTE, 1, lambda: 9.0).read(response(sent, encoding)) == content


@pytest.mark.parametrize("size", [0, 1, 2**12 - 1, 2**12, 2**12 + 1, 2**16 - 7, 2**18])
@pytest.mark.parametrize("letter", ["a", "ab", "xyz"])
def test_what_packs_to_little_is_unpacked_to_its_end(size: int, letter: str) -> None:
    content = (letter * size)[:size].encode()
    assert Bodies(2 * MEGABYTE, 1, lambda: 9.0).read(response(gzip.compress(content), "gzip")) == content


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_one_that_is_too_large_will_be_so_again(encoding: str) -> None:
    content = bytes(2 * MEGABYTE + 1)
    sent = gzip.compress(content) if encoding else content
    with pytest.raises(NoAnswerError, match="larger than 2 MiB|unpacks to more than 100 times") as raised:
        Bodies(2 * MEGABYTE, 1, lambda: 9.0).read(response(sent, encoding))
    assert not raised.value.transient


class Counted(Raw):
    """Counts what all of them have given."""

    lock = threading.Lock()
    now = 0
    most = 0

    def read1(self, size: int | None = -1, decode_content: bool = True) -> bytes:
        chunk = super().read1(size)
        Counted.add(len(chunk))
        return chunk

    @classmethod
    def add(cls, size: int) -> None:
        with cls.lock:
            cls.now += size
            cls.most = max(cls.most, cls.now)


def test_threads_together_have_no_more_under_way_than_one_bound() -> None:
    """Each of the bodies is allowed, and eight of them at once are not: they wait for each other."""
    together = Bodies(MEGABYTE, 8, lambda: 30.0)
    begin = threading.Barrier(8)

    def read(_thread: int) -> int:
        sent = response(b"")
        sent.raw = Counted(bytes(MEGABYTE))
        begin.wait(10)
        size = len(together.read(sent))
        time.sleep(0.02)
        Counted.add(-size)
        together.release(size)
        return size

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read, range(8))) == [MEGABYTE] * 8
    assert Counted.most <= bodies.MOST_UNDER_WAY + 8 * bodies._CHUNK
    assert Counted.now == 0


def test_a_body_that_waits_in_vain_may_come_later() -> None:
    together = Bodies(MEGABYTE, 8, lambda: 0.05)
    held = together.read(response(bytes(MEGABYTE)))
    small = together.read(response(bytes(MEGABYTE // 8)))
    with pytest.raises(NoAnswerError, match="being read are larger than 4 MiB together") as raised:
        together.read(response(bytes(MEGABYTE)))
    assert raised.value.transient
    together.release(len(small))
    together.release(len(held))
    assert len(together.read(response(bytes(MEGABYTE)))) == MEGABYTE


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_one_that_is_given_up_leaves_the_turn_to_the_next(encoding: str) -> None:
    together = Bodies(MEGABYTE, 8, lambda: 0.05)
    content = bytes(2 * MEGABYTE)
    for _body in range(2):
        with pytest.raises(NoAnswerError, match="larger than 1 MiB|unpacks to more than 100 times"):
            together.read(response(gzip.compress(content) if encoding else content, encoding))


def test_a_read_goes_on_when_its_answers_pass_the_bound_together(script: t.Callable[..., ScriptedServer]) -> None:
    """What does not fit beside the others waits; nothing is lost, and no turn is kept."""
    padding = "x" * (MEGABYTE * 3 // 2)

    def nodes(_seen: Seen) -> Reply:
        return Reply(body={"kind": "NodeList", "items": [{"metadata": {"name": "n1", "annotations": {"p": padding}}}]})

    server = script(nodes)
    options = {"endpoint": server.url, "project_id": "p1", "auth_token": "t-SECRET-1", "max_retries": 50}
    with Client(connect(options, where="here"), time_limit=60) as client:
        lists = list(client.in_parallel([lambda: client.list_nodes("pool-a")] * 8))
        assert [len(nodes) for nodes in lists] == [1] * 8
        assert not client._sender._bodies._turn.locked()
    assert len(server.seen) == 8
