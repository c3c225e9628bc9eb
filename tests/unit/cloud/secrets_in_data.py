# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and lookups on servers whose data hold secrets."""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.tests.unit.scripted import Reply

Facts = dict[str, t.Any]

TOKEN = "0f1e2d3c-SECRET-token"
SHORT = ("8", "a", "unt", "1.5", "12345678", "6123456789")
SHORT_OR_WORDS = (*SHORT, "cpu", "train", "Train", "infer", "pool", "Enabled", "Running")
"""Secrets that would be hidden all over the data."""

REPEATING = {
    "code": Reply(403, {"error_code": TOKEN, "error_msg": "no"}),
    "request_id": Reply(403, {"error_code": "A.1", "error_msg": "no", "request_id": TOKEN}),
    "X-Request-Id": Reply(403, {"error_code": "A.1", "error_msg": "no"}, {"X-Request-Id": TOKEN}),
    "text": Reply(403, TOKEN, {"Content-Type": TOKEN}),
    "kind": Reply(200, {"kind": TOKEN, "items": 5}),
    "kind, cut": Reply(200, {"kind": f"{'x' * 25}{TOKEN}", "items": 5}),
    "encoding": Reply(200, b"\xff", {"Content-Encoding": TOKEN}),
    "throttled": Reply(429, {"error_msg": f"policy {TOKEN}"}, {"Retry-After": TOKEN}),
    "URL": Reply(403, {"error_msg": f"asked through http://svc:{'p' * 8}@proxy.example.com"}),
}
"""Answers with the token, or with a password in a URL."""


def job(**fields: t.Any) -> Facts:
    return {
        "uid": "u-1",
        "jobName": "llm",
        "userName": "mara",
        "status": "Running",
        "type": "train",
        "resourceRequirement": {"cpu": "1 Cores", "memory": "6123456789"},
        **fields,
    }


def jobs(*listed: Facts) -> Reply:
    return Reply(body={"kind": "WorkloadList", "items": list(listed), "total": len(listed)})


def login_with(option: str, secret: str, auth_url: str) -> Facts:
    """The options of a login in which this one is the secret."""
    beside = {
        "secret_key": {"access_key": "AK1"},
        "password": {"username": "mara", "domain_name": "acme", "auth_url": auth_url},
    }
    return {option: secret, **beside.get(option, {})}


def jobs_with(secret: str) -> list[Facts]:
    """Jobs with it as a type, in an address, and in an amount: of each, masked facts would say something else."""
    return [
        job(type=secret),
        job(hostIps=f"10.{secret}.7"),
        job(resourceRequirement={f"{secret}.com/gpu": "1"}),
    ]
