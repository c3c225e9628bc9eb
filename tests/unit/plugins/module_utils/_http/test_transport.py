# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where requests go, and past whom."""

from __future__ import annotations

import os
import ssl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import (
    PASSWORD,
    SECRETS,
    Answer,
    ScriptedIam,
    Seen,
    login,
    projects,
)
from ansible_collections.poolgate.modelarts.tests.unit.faults.servers import certificate as certified

HOST = "target-7"
KEYS = {"access_key": "AK1", "secret_key": SECRETS["secret_key"]}
Level = dict[str, t.Any]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    return certified(tmp_path_factory.mktemp("tls") / "iam.pem")


@pytest.mark.parametrize(
    "options", [{**KEYS, "region": "eu-de"}, {**PASSWORD, "region": "eu-de"}], ids=["keys", "password"]
)
def test_certificates_are_verified(
    options: Level, certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    answer: t.Callable[[Seen], Answer] = lambda seen: login() if seen.method == "POST" else projects(("p9", "eu-de"))  # noqa: E731
    with ScriptedIam(answer, tls=tls) as iam:
        given = {**options, "auth_url": iam.url}
        with pytest.raises(TransportError, match=r"certificate verify failed.*ca_path"):
            connect(given, where=HOST).project()
        (tmp_path / "junk.pem").write_text("no certificate")
        with pytest.raises(InputError, match="ca_path on target-7 names a file without a certificate"):
            connect({**given, "ca_path": str(tmp_path / "junk.pem")}, where=HOST).project()
        assert iam.seen == []
        (tmp_path / "junk.pem").write_bytes(certificate.read_bytes())  # mended, while this process goes on
        assert connect({**given, "ca_path": str(tmp_path / "junk.pem")}, where=HOST).project()
        iam.seen.clear()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle")
        assert connect({**given, "ca_path": str(certificate)}, where=HOST).project()
        with pytest.warns(Warning, match="Unverified HTTPS request"):
            assert connect({**given, "validate_certs": False}, where=HOST).project()
    assert len(iam.seen) == 2
    assert not any(seen.headers.get("authorization", "").startswith("Basic") for seen in iam.seen)


@pytest.mark.parametrize("options", [{**KEYS, "region": "eu-de"}, PASSWORD], ids=["keys", "password"])
def test_no_proxy_hears_loopback(options: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    answer: t.Callable[[Seen], Answer] = lambda seen: login() if seen.method == "POST" else projects(("p9", "eu-de"))  # noqa: E731
    with ScriptedIam((200, {}, {})) as proxy, ScriptedIam(answer) as iam:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert connect({**options, "auth_url": iam.url}, where=HOST).project()
    assert proxy.seen == []
    assert iam.seen
