# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens that end while pages are read, an IAM that fails, keys that are refused: what is sent, and how often."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.playbooks.emulator.server import Emulator

from . import surfaces
from .plan import pool, pool_id
from .surfaces import Facts, Play, kept

POOL = pool_id(0, "token")
LOGIN = "/v3/auth/tokens"


def options(emulator: Emulator, method: str, **changes: t.Any) -> Facts:
    mine = emulator.credentials
    common = {"endpoint": emulator.endpoint, "project_id": mine.project_id, "max_retries": 1}
    methods: dict[str, Facts] = {
        "token": {"auth_token": mine.auth_token},
        "keys": {"access_key": mine.access_key, "secret_key": mine.secret_key},
        "password": {
            "auth_url": emulator.iam_url,
            "username": mine.username,
            "password": mine.password,
            "domain_name": mine.domain_name,
        },
    }
    return {**common, **methods[method], **changes}


def read(emulator: Emulator, given: Facts, **more: t.Any) -> Facts:
    with surfaces.fast_clients(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "ansible_collections.poolgate.modelarts.plugins.module_utils._login.iam.time.sleep", lambda s: None
        )
        return surfaces.run_module("modelarts_workload_info", {**given, "pool_name": [POOL], "limit": 4, **more})


def logins(emulator: Emulator) -> int:
    return sum(seen["path"] == LOGIN for seen in emulator.requests)


def refused(emulator: Emulator) -> int:
    return sum(seen["status"] == 401 for seen in emulator.requests)


@pytest.mark.parametrize("uses", [1, 2, 3])
def test_a_token_that_ends_between_two_pages(uses: int) -> None:
    """A token is good for so many requests: every page that is refused is asked for anew, nothing is lost."""
    with Emulator({"pools": [pool(POOL)], "iam": {"token_uses": uses}}) as emulator:
        result = read(emulator, options(emulator, "password"))
        assert result.get("complete") is True or result.get("status") == 401, result
        if result.get("complete"):
            assert len(result["workloads"]) == 10
        assert logins(emulator) <= 2 + len([seen for seen in emulator.requests if seen["status"] == 200])


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_token_that_is_refused_once_at_any_request(at: int) -> None:
    fault = {"do": "status", "status": 401, "at": at, "path": "/workloads"}
    fault["body"] = {"error_code": "ModelArts.4127", "error_msg": "Token expired."}
    with Emulator({"pools": [pool(POOL)]}, faults=[fault]) as emulator:
        result = read(emulator, options(emulator, "password"))
        assert (result["complete"], len(result["workloads"])) == (True, 10)
        assert logins(emulator) == 2


def test_tokens_that_are_revoked_for_good() -> None:
    fault = {"do": "status", "status": 401, "times": 0, "path": "/v2/"}
    with Emulator({"pools": [pool(POOL)]}, faults=[fault]) as emulator:
        result = read(emulator, options(emulator, "password"), include_capacity=True)
        assert result["status"] == 401
        assert (logins(emulator), refused(emulator)) == (2, 2)


def test_a_token_of_the_user_that_is_revoked_is_sent_once() -> None:
    with Emulator({"pools": [pool(POOL)]}) as emulator:
        emulator.revoke_tokens(static=True)
        result = read(emulator, options(emulator, "token"), include_capacity=True)
        assert result["status"] == 401
        assert "Check the credentials (auth_token)." in result["msg"]
        assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("fault", "most", "said"),
    [
        ({"do": "status", "status": 503}, 2, "returned 503"),
        ({"do": "status", "status": 401}, 1, "returned 401"),
        ({"do": "reset"}, 2, "could not be reached"),
        ({"do": "html"}, 1, "did not return a login|HTML page"),
        ({"do": "truncate"}, 1, "did not return a login|returned 20"),
        ({"do": "error_body"}, 1, "did not return a login|returned 20"),
        ({"do": "redirect", "location": "https://elsewhere.example"}, 1, "Redirects are not followed"),
        ({"do": "throttle", "retry_after": 1}, 2, "returned 429"),
    ],
    ids=lambda value: value.get("do") if isinstance(value, dict) else None,
)
def test_an_iam_that_fails_for_good(fault: Facts, most: int, said: str) -> None:
    with Emulator({"pools": [pool(POOL)]}, faults=[{**fault, "times": 0, "path": LOGIN}]) as emulator:
        result = read(emulator, options(emulator, "password"), include_capacity=True)
        assert result["failed"], result
        assert any(part in result["msg"] for part in said.split("|")), result["msg"]
        assert "\n" not in result["msg"]
        assert 1 <= len(emulator.requests) <= most
        assert logins(emulator) == len(emulator.requests)


@pytest.mark.parametrize("fault", [{"do": "status", "status": 503}, {"do": "reset"}, {"do": "throttle"}])
def test_an_iam_that_fails_once(fault: Facts) -> None:
    with Emulator({"pools": [pool(POOL)]}, faults=[{**fault, "path": LOGIN}]) as emulator:
        assert read(emulator, options(emulator, "password"))["complete"] is True
        assert logins(emulator) == 2


@pytest.mark.parametrize("offset", [0, 3600, -3600])
def test_refused_keys_are_sent_once_and_a_wrong_clock_is_named(offset: int) -> None:
    """Five refusals in a row would lock the key."""
    with Emulator({"pools": [pool(POOL)], "iam": {"clock_offset": offset}}) as emulator:
        given = options(emulator, "keys", **({} if offset else {"secret_key": "wrong-secret-key"}))
        result = read(emulator, given, include_capacity=True)
        assert result["status"] == 401
        assert len(emulator.requests) == 1
        assert ("clock" in result["msg"]) == bool(offset), result["msg"]
        assert ("behind" in result["msg"]) == (offset > 0)


def files_below(folder: Path) -> t.Iterator[tuple[Path, bytes]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield file, file.read_bytes()


def test_a_wait_logs_in_at_most_once_an_attempt_and_leaves_nothing_on_disk(tmp_path: Path) -> None:
    """A play as a user runs it, whose pool has room at the third look; then its home and its temporary files."""
    timeline = [{"after_reads": 2, "after": 0, "end": "llm"}]
    with Emulator({"pools": [pool(POOL)], "timeline": timeline}) as emulator:
        mine = options(emulator, "password")
        variables = {f"modelarts_{name}": value for name, value in mine.items() if name != "password"}
        gate: Facts = {
            "poolgate.modelarts.modelarts_capacity_gate": {
                "pools": [POOL], "request": {"replicas": 2, "resources": {"nvidia.com/gpu": 8}},
                "wait_timeout": 100, "poll_interval": 0.3,
            },
            "register": "outcome",
        }  # fmt: skip
        variables["modelarts_password"] = "{{ lookup('env', 'THE_PASSWORD') }}"
        play = Play(
            tmp_path / "home",
            [gate, surfaces.keep("outcome", "outcome")],
            {"h": variables},
            env={"THE_PASSWORD": str(mine["password"]), "ANSIBLE_KEEP_REMOTE_FILES": "0"},
        )
        assert play.wait() == 0, play.output
        outcome = kept(tmp_path / "home", "outcome", "h")
        tokens = [token for token in emulator.iam._tokens if token]
        assert outcome["decision"] == "admit"
        assert outcome["attempts"] >= 2
        assert 1 <= logins(emulator) <= outcome["attempts"]
        assert tokens
        for file, content in files_below(tmp_path):
            for secret in (*tokens, str(mine["password"])):
                assert secret.encode() not in content, file
        left = [file for file, _content in files_below(tmp_path / "home" / "tmp")]
        assert left == []
