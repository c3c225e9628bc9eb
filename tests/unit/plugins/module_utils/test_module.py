# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module does around its call, with secrets in options, data and errors."""

from __future__ import annotations

import contextlib
import inspect
import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.poolgate.modelarts.plugins.module_utils import _secrets
from ansible_collections.poolgate.modelarts.tests.unit.cloud.info_module import forget_settings, run_with
from ansible_collections.poolgate.modelarts.tests.unit.cloud.secrets_in_data import TOKEN, Facts, job, jobs
from ansible_collections.poolgate.modelarts.tests.unit.scripted import ScriptedServer
from hypothesis import given
from hypothesis import strategies as st

# Newer ones return it when the controller asks for it, and mask it where it is shown.
ALWAYS_RETURNS_INVOCATION = "inject_invocation" not in inspect.getsource(basic)
Start = t.Callable[..., ScriptedServer]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_settings(monkeypatch)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., Facts]:
    return run_with(capsys)


def test_a_secret_that_is_not_used_counts_where_ansible_masks_by_it(script: Start, run: t.Callable[..., Facts]) -> None:
    """Of the two ways to log in the token is taken, but ansible-core hides the password in every text all the same."""
    server = script(jobs(job(type="vision-a")))
    result = run(server.url, auth_token=TOKEN, username="mara", password="vision-a")
    assert result["failed"]
    assert "also occurs in an answer of ModelArts" in result["msg"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    ),
    st.text(min_size=1, max_size=3),
)
def test_what_is_returned_is_never_changed_by_ansible(value: t.Any, secret: str) -> None:
    """An oracle: what passes is what ansible-core leaves as it is."""
    facts = {"facts": value, "job_name": f"x{secret}"}
    found = _secrets.without_secrets(facts, [secret])
    if found is not None:
        assert remove_values(found, {secret}) == found
        assert found["facts"] == value or "extra" in json.dumps(value) or "msg" in json.dumps(value)


@pytest.mark.parametrize("option", ["endpoint", "auth_url"])
@pytest.mark.parametrize("url", ["https://svc:SECRET-7@gw.example.com", "https://svc:SECRET-7/x@gw", "svc:SECRET-7@gw"])
@pytest.mark.parametrize("succeeds", [True, False])
def test_a_password_in_an_address_is_not_printed_by_any_verbosity(
    option: str, url: str, succeeds: bool, script: Start, run: t.Callable[..., Facts]
) -> None:
    """What a module returns as its invocation is what ansible-core prints at -vvv."""
    server = script(jobs(job()))
    # With a project's ID and a token, auth_url is not asked; it is checked all the same.
    result = run(server.url, auth_token=TOKEN if succeeds else "a", **{option: url})
    assert result["failed"]
    assert ("invocation" in result) is ALWAYS_RETURNS_INVOCATION
    assert "SECRET-7" not in result["said"]
    assert server.seen == []


def test_a_chain_of_causes_is_not_printed(script: Start, run: t.Callable[..., Facts], monkeypatch: t.Any) -> None:
    """From ansible-core 2.19 on, a traceback can be asked for, and shows what an exception was raised for."""
    monkeypatch.setenv("https_proxy", "http://svc:SECRET/x@127.0.0.1:3128")
    with contextlib.suppress(ImportError):
        from ansible.module_utils._internal import _traceback

        monkeypatch.setattr(_traceback, "is_traceback_enabled", lambda event: True)
    result = run("https://modelarts.example.com", auth_token=TOKEN)
    assert result["failed"]
    assert "SECRET" not in result["said"].replace(TOKEN, "")


@pytest.mark.parametrize("limit", [None, 60])
def test_how_long_it_took_is_told_to_who_gives_a_limit(
    script: Start, run: t.Callable[..., Facts], limit: int | None
) -> None:
    """What does not wait has the same result each time."""
    result = run(script(jobs(job())).url, auth_token=TOKEN, **({} if limit is None else {"time_limit": limit}))
    assert ("seconds" in result) is (limit is not None)
    assert 0 <= result.get("seconds", 0) < 60
