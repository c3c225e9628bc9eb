# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies are bounded each, by what came, and all together."""

from __future__ import annotations

import gzip
import io
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._http import bodies
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import Bodies
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.faults import NoAnswerError
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


@pytest.mark.parametrize("encoding", ["", "gzip", " GZIP "])
def test_a_body_is_read_as_it_was_sent(encoding: str) -> None:
    content = bytes(range(256)) * 4096
    sent = gzip.compress(content) if encoding else content
    assert Bodies(2 * MEGABYTE).read(response(sent, encoding)) == content


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_one_that_is_too_large_will_be_so_again(encoding: str) -> None:
    content = bytes(2 * MEGABYTE + 1)
    sent = gzip.compress(content) if encoding else content
    with pytest.raises(NoAnswerError, match="larger than 2 MiB|unpacks to more than 100 times") as raised:
        Bodies(2 * MEGABYTE).read(response(sent, encoding))
    assert not raised.value.transient


def test_threads_together_have_no_more_under_way_than_one_bound() -> None:
    """Each of the bodies is allowed, and eight of them at once are not; what is released makes room."""
    together = Bodies(MEGABYTE)
    begin = threading.Barrier(8)

    def read(_thread: int) -> bytes | NoAnswerError:
        begin.wait(10)
        try:
            return together.read(response(bytes(MEGABYTE)))
        except NoAnswerError as error:
            return error

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(read, range(8)))
    errors = [one for one in results if isinstance(one, NoAnswerError)]
    assert 4 <= len(errors) < 8
    assert {error.cause for error in errors} == {"the answers under way are larger than 4 MiB together"}
    assert all(error.transient for error in errors)
    for body in results:
        if isinstance(body, bytes):
            together.release(len(body))
    assert [len(together.read(response(bytes(MEGABYTE)))) for _body in range(4)] == [MEGABYTE] * 4


def test_a_read_goes_on_when_its_answers_pass_the_bound_together(script: t.Callable[..., ScriptedServer]) -> None:
    """What did not fit beside the others is asked for again; nothing is lost, and nothing stays reserved."""
    padding = "x" * (MEGABYTE * 3 // 2)

    def nodes(_seen: Seen) -> Reply:
        return Reply(body={"kind": "NodeList", "items": [{"metadata": {"name": "n1", "annotations": {"p": padding}}}]})

    server = script(nodes)
    options = {"endpoint": server.url, "project_id": "p1", "auth_token": "t-SECRET-1", "max_retries": 50}
    with Client(connect(options, where="here"), time_limit=60) as client:
        lists = list(client.in_parallel([lambda: client.list_nodes("pool-a")] * 8))
        assert [len(nodes) for nodes in lists] == [1] * 8
        assert client._sender._bodies._under_way == 0
