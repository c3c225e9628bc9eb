# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for secrets in what tests have printed or written, in every spelling in which a log could show them."""

from __future__ import annotations

import base64
import json
import re
import sys
import typing as t
from pathlib import Path
from urllib.parse import quote, quote_plus

_SHORTEST = 8
_SIGNATURE = re.compile(r"Signature=[0-9a-f]{64}")


def spellings(secret: str) -> dict[str, str]:
    """Every form that a log could show the secret in, each with its name. Base64 shows it at one of three offsets."""
    forms = {
        secret: "as it is",
        quote(secret, safe=""): "quoted for URLs",
        quote_plus(secret): "quoted for forms",
        json.dumps(secret)[1:-1]: "quoted for JSON",
        repr(secret)[1:-1]: "as Python writes it",
    }
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + secret.encode()).decode()
        forms[coded[offset * 4 // 3 + (offset > 0) : len(coded) - 4]] = f"in base64, offset {offset}"
    return {**forms, secret: "as it is"}


def found_in(text: str, secrets: t.Mapping[str, str]) -> list[str]:
    """Which of the secrets, by name, stand in the text, and how they are spelled there."""
    return [
        f"{name} {form}"
        for name, secret in secrets.items()
        for spelled, form in spellings(secret).items()
        if len(spelled) >= _SHORTEST and spelled in text
    ]


def emulated_secrets() -> dict[str, str]:
    """What the emulator takes for a secret unless a scenario says otherwise, and how tokens begin that it issues."""
    playbooks = str(Path(__file__).resolve().parents[1] / "playbooks")
    if playbooks not in sys.path:
        sys.path.insert(0, playbooks)
    from emulator.iam import TOKEN_PREFIX, Credentials

    secret = re.compile("password|secret|token")
    named = {name: value for name, value in Credentials().as_dict().items() if secret.search(name)}
    return {**named, "an issued token": TOKEN_PREFIX}


def found_in_output(text: str) -> list[str]:
    """What a session of the checks has printed and should not have: secrets of the emulator, and signatures."""
    found = found_in(text, emulated_secrets())
    return [*found, "a signature"] if _SIGNATURE.search(text) else found
