# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in data, and in what servers say."""

from __future__ import annotations

import gc
import json
import random
import string
import time
import typing as t

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.poolgate.modelarts.plugins.lookup import modelarts_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils import _secrets
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line
from ansible_collections.poolgate.modelarts.tests.unit.cloud.info_module import forget_settings, run_with
from ansible_collections.poolgate.modelarts.tests.unit.cloud.secrets_in_data import Facts, job, jobs
from ansible_collections.poolgate.modelarts.tests.unit.core import VARIABLES
from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply, ScriptedServer

POOL = "pool-train-0123456789abcdef0123456789abcdef"
TOKEN = "0f1e2d3c-SECRET-token"
Start = t.Callable[..., ScriptedServer]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_settings(monkeypatch)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., Facts]:
    return run_with(capsys)


def look_up(url: str, **options: t.Any) -> t.Any:
    templar = Templar(loader=DataLoader(), variables=dict(VARIABLES))
    lookup = modelarts_workloads.LookupModule(loader=None, templar=templar)
    given = {"endpoint": url, "project_id": "p1", "max_retries": 0, **options}
    return lookup.run([POOL], variables=templar.available_variables, **given)


@pytest.mark.parametrize(
    "secret",
    ["8", "a", "1.5", "cpu", "train", "Train", "infer", "pool", "Enabled", "Running", "unt", "12345678", "6123456789"],
)
@pytest.mark.parametrize("option", ["auth_token", "secret_key", "password"])
def test_a_secret_that_is_short_or_a_word_of_the_data_is_refused_before_anything_is_sent(
    option: str, secret: str, script: Start, run: t.Callable[..., Facts]
) -> None:
    server = script(jobs(job()))
    options: Facts = {option: secret}
    if option == "secret_key":
        options["access_key"] = "AK1"
    if option == "password":
        options.update(username="mara", domain_name="acme", auth_url=server.url)
    result = run(server.url, **options)
    assert result["failed"]
    assert "use a longer one" in result["msg"]
    with pytest.raises(AnsibleLookupError, match=rf"^{option} is too short, a number, or a word of every answer"):
        look_up(server.url, **options)
    assert server.seen == []


def test_a_secret_that_the_facts_hold_ends_in_a_sentence_and_never_in_other_facts(
    script: Start, run: t.Callable[..., Facts]
) -> None:
    """The token is a type, a part of an address, and of an amount: of each, masked facts would say something else."""
    for own in (job(type="vision-a"), job(hostIps="10.vision-a.7"), job(resourceRequirement={"vision-a.com/gpu": "1"})):
        server = script(jobs(own))
        result = run(server.url, auth_token="vision-a")
        assert result["failed"]
        assert "also occurs in an answer of ModelArts" in result["msg"]
        assert "workloads" not in result
        assert "vision-a" not in result["said"]
        with pytest.raises(AnsibleLookupError, match="use another one, or another way to log in"):
            look_up(server.url, auth_token="vision-a")


def test_nothing_is_masked_where_nothing_is_secret(script: Start, run: t.Callable[..., Facts]) -> None:
    server = script(jobs(job(), job(uid="u-2", type="infer")))
    result = run(server.url, auth_token=TOKEN)
    assert result["summary"]["by_type"] == {"train": 1, "infer": 1}
    assert result["workloads"][0]["resources"] == {"cpu": 1.0, "memory": 6123456789}
    assert look_up(server.url, auth_token=TOKEN) == result["workloads"]


@pytest.mark.parametrize("name", ["jobName", "userName"])
@pytest.mark.parametrize("secret", [TOKEN, 'a "quoted" p\\w/ü'])
def test_a_secret_as_the_name_of_a_job_is_hidden_and_stops_nothing(
    name: str, secret: str, script: Start, run: t.Callable[..., Facts]
) -> None:
    server = script(jobs(job(**{name: f"x {secret} y"}), job(uid="u-2", newField={secret: [secret]})))
    key = "job_name" if name == "jobName" else "user_name"
    if secret == TOKEN:
        found = look_up(server.url, auth_token=TOKEN)
        assert found[0][key] == "x ******** y"
        assert found[0]["type"] == "train"
        assert TOKEN not in json.dumps(found)
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


@pytest.mark.parametrize(
    "reply",
    [
        Reply(403, {"error_code": TOKEN, "error_msg": "no"}),
        Reply(403, {"error_code": "A.1", "error_msg": "no", "request_id": TOKEN}),
        Reply(403, {"error_code": "A.1", "error_msg": "no"}, {"X-Request-Id": TOKEN}),
        Reply(403, TOKEN, {"Content-Type": TOKEN}),
        Reply(200, {"kind": TOKEN, "items": 5}),
        Reply(200, {"kind": f"{'x' * 25}{TOKEN}", "items": 5}),
        Reply(200, b"\xff", {"Content-Encoding": TOKEN}),
        Reply(429, {"error_msg": f"policy {TOKEN}"}, {"Retry-After": TOKEN}),
        Reply(403, {"error_msg": f"asked through http://svc:{'p' * 8}@proxy.example.com"}),
    ],
    ids=["code", "request_id", "X-Request-Id", "text", "kind", "kind, cut", "encoding", "throttled", "URL"],
)
def test_a_secret_is_hidden_wherever_a_server_repeats_it(
    reply: Reply, script: Start, run: t.Callable[..., Facts]
) -> None:
    server = script(reply)
    connection = connect({"endpoint": server.url, "project_id": "p1", "auth_token": TOKEN, "max_retries": 0}, where="h")
    with Client(connection) as client, pytest.raises(ModelArtsError) as raised:
        client.list_pools()
    with pytest.raises(AnsibleLookupError) as looked_up:
        look_up(server.url, auth_token=TOKEN)
    for said in (repr(raised.value.as_result()), str(raised.value), str(looked_up.value)):
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
