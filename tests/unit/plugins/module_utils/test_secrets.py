# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in data, and in what servers say."""

from __future__ import annotations

import gc
import random
import string
import time
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils import _secrets
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.tests.unit.cloud.info_module import forget_settings, run_with
from ansible_collections.poolgate.modelarts.tests.unit.cloud.secrets_in_data import (
    REPEATING,
    SHORT_OR_WORDS,
    TOKEN,
    Facts,
    job,
    jobs,
    jobs_with,
    login_with,
)
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

Start = t.Callable[..., ScriptedServer]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_settings(monkeypatch)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., Facts]:
    return run_with(capsys)


@pytest.mark.parametrize("secret", SHORT_OR_WORDS)
@pytest.mark.parametrize("option", ["auth_token", "secret_key", "password"])
def test_a_secret_that_is_short_or_a_word_of_the_data_is_refused_before_anything_is_sent(
    option: str, secret: str, script: Start, run: t.Callable[..., Facts]
) -> None:
    server = script(jobs(job()))
    result = run(server.url, **login_with(option, secret, server.url))
    assert result["failed"]
    assert "use a longer one" in result["msg"]
    assert server.seen == []


@pytest.mark.parametrize("own", jobs_with("vision-a"), ids=["type", "address", "amount"])
def test_a_secret_that_the_facts_hold_ends_in_a_sentence_and_never_in_other_facts(
    own: Facts, script: Start, run: t.Callable[..., Facts]
) -> None:
    result = run(script(jobs(own)).url, auth_token="vision-a")
    assert result["failed"]
    assert "also occurs in an answer of ModelArts" in result["msg"]
    assert "workloads" not in result
    assert "vision-a" not in result["said"]


def test_nothing_is_masked_where_nothing_is_secret(script: Start, run: t.Callable[..., Facts]) -> None:
    result = run(script(jobs(job(), job(uid="u-2", type="infer"))).url, auth_token=TOKEN)
    assert result["summary"]["by_type"] == {"train": 1, "infer": 1}
    assert result["workloads"][0]["resources"] == {"cpu": 1.0, "memory": 6123456789}


@pytest.mark.parametrize("name", ["jobName", "userName"])
@pytest.mark.parametrize("secret", [TOKEN, 'a "quoted" p\\w/ü'])
def test_a_secret_as_the_name_of_a_job_is_hidden_and_stops_nothing(
    name: str, secret: str, script: Start, run: t.Callable[..., Facts]
) -> None:
    server = script(jobs(job(**{name: f"x {secret} y"}), job(uid="u-2", newField={secret: [secret]})))
    key = "job_name" if name == "jobName" else "user_name"
    result = run(server.url, auth_token=TOKEN, username="mara", password=secret)
    assert result["workloads"][0][key] == "x ******** y"
    assert result["workloads"][1]["extra"] == {"newField": {"********": ["********"]}}
    assert secret not in result["said"]


def test_no_secret_and_an_empty_one_change_nothing() -> None:
    facts = {"job_name": "a", "n": [1, None, True]}
    assert _secrets.without_secrets(facts, []) == _secrets.without_secrets(facts, [""]) == facts


@pytest.mark.parametrize("offset", range(250, 310, 3))
def test_a_secret_that_is_cut_is_hidden_all_the_same(offset: int, script: Start) -> None:
    """An error's text is cut at 300 characters, and a token across the cut would be shown but for its end."""
    texts = ["x" * offset + TOKEN + "y" * 100]
    server = script(
        Reply(500, {"error_code": "X.1", "error_msg": texts[0]}),
        Reply(500, texts[0], {"Content-Type": "text/plain"}),
        Reply(500, "\0" * 400 + texts[0], {"Content-Type": "text/plain"}),
    )
    connection = connect({"endpoint": server.url, "project_id": "p1", "auth_token": TOKEN, "max_retries": 0}, where="h")
    for _answer in range(3):
        with Client(connection) as client, pytest.raises(ModelArtsError) as raised:
            client.list_pools()
        for length in range(6, len(TOKEN)):
            assert TOKEN[:length] not in repr(raised.value.as_result())


@pytest.mark.parametrize("place", REPEATING)
def test_a_secret_is_hidden_wherever_a_server_repeats_it(
    place: str, script: Start, run: t.Callable[..., Facts]
) -> None:
    server = script(REPEATING[place])
    connection = connect({"endpoint": server.url, "project_id": "p1", "auth_token": TOKEN, "max_retries": 0}, where="h")
    with Client(connection) as client, pytest.raises(ModelArtsError) as raised:
        client.list_pools()
    for said in (repr(raised.value.as_result()), str(raised.value)):
        assert TOKEN[:12] not in said
        assert "pppppppp" not in said
    assert TOKEN[:12] not in run(server.url, auth_token=TOKEN)["said"]


def test_a_secret_is_known_as_long_as_its_login_lives() -> None:
    own = "a token of this test alone"
    connection = connect({"endpoint": "https://h", "project_id": "p1", "auth_token": own.replace(" ", "-")}, where="h")
    text = f"a {own.replace(' ', '-')}"
    assert one_line(text) == ApiError(text).message == str(ApiError(text)) == "a ********"
    del connection
    gc.collect()
    assert one_line(text) == text


def test_the_error_of_a_refused_secret_is_an_input_error() -> None:
    with pytest.raises(InputError, match="^password is too short"):
        connect(
            {
                "auth_url": "https://iam.example.com",
                "username": "mara",
                "password": "train",
                "domain_name": "acme",
                "project_name": "x",
            },
            where="host-7",
        )


class Owner:
    """A login that has got so many tokens, of the most characters that those of IAM have."""

    def __init__(self, number: int) -> None:
        letters = random.Random(number)
        self.tokens = ["MII" + "".join(letters.choices(string.ascii_letters + "+-", k=2500)) for _one in range(number)]

    def secrets(self) -> list[str]:
        return self.tokens

    def passing_secrets(self) -> tuple[str, ...]:
        return ()


def seconds_of(step: t.Callable[[], object]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def test_a_sentence_takes_no_longer_with_the_most_tokens_that_are_kept() -> None:
    texts = ("phase odd", "MII" * 100, "phase odd " * 2000)

    def say() -> None:
        for text in texts * 50:
            one_line(text)

    few, owners = Owner(1), (Owner(100), Owner(101))
    _secrets.hide_secrets_of(few)
    one_line("")
    with_few = seconds_of(say)
    for owner in owners:
        _secrets.hide_secrets_of(owner)
    making = seconds_of(lambda: one_line("phase odd"))
    assert one_line(f"it is {owners[0].tokens[99]}") == "it is ********"
    # It is three times as long; without what is kept, a hundred times. A busy machine changes either by half.
    assert seconds_of(say) < 20 * with_few
    # One of them makes place for a new one, as a login does: the forms of the others are still there.
    owners[1].tokens[0] = few.tokens[0]
    assert seconds_of(lambda: one_line("phase odd")) < making / 2
    assert one_line(f"it is {owners[1].tokens[0]}") == "it is ********"


def test_facts_take_no_longer_with_the_most_tokens_that_are_kept() -> None:
    few, owner = Owner(1), Owner(40)
    for one in (few, owner):
        _secrets.hide_secrets_of(one)
    one_line("")
    # As they are: many short texts. The search has to be short for each of them.
    short = {f"field_{number}": "value" for number in range(12)}
    facts: dict[str, t.Any] = {"workloads": [{**short, "job_name": f"job {number}"} for number in range(3000)]}
    with_few = seconds_of(lambda: _secrets.without_secrets(facts, few.tokens))
    assert seconds_of(lambda: _secrets.without_secrets(facts, owner.tokens)) < 10 * with_few
    facts["workloads"][500]["job_name"] = f"{'a' * 1000}{owner.tokens[30]}"
    cleaned = _secrets.without_secrets(facts, owner.tokens)
    assert cleaned is not None
    assert cleaned["workloads"][500]["job_name"] == f"{'a' * 1000}********"
