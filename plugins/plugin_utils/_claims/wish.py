# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim that a user wishes for: the name of the coming job, and what tells one deployment from another.

This plugin util is private to the collection.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
import typing as t
import uuid
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import (
    is_blank,
    one_line,
    shown,
    trimmed,
    written,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import read_dictionary_of_candidate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.protocol import DEFAULT_SECONDS, Wanted
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import read_seconds

if t.TYPE_CHECKING:
    from collections.abc import Mapping

# A shorter claim would be over before its job shows itself in the list.
_LEAST_SECONDS = 30.0
_MOST_SECONDS = 7 * 86400.0
"""A build may take days. What a pipeline that died has claimed is held for as long."""

# Bounds on texts that every user of the store reads, and that stay in its documents.
_LONGEST_JOB = 128
_LONGEST_OWNER = 200
_MOST_LABELS = 20
_LONGEST_LABEL = 100

_ID = re.compile(r"[A-Za-z0-9_.:/@-]{1,200}")
# The stroke stands between the parts of an ID, and in none: a job train would find the claims of train/a100 as its own.
_NOT_OF_A_PART = re.compile(r"[^A-Za-z0-9_.:@-]")
# Six of them, their strokes, and a number of a gate of the same run are an ID. Each is cut by itself, as an ID that is
# cut does not begin with its prefix.
_LONGEST_PART = 31
_HASHED = 12
_LIKE_HASHED = re.compile(rf".*-[0-9a-f]{{{_HASHED}}}")
_KEYS = ("job", "id", "seconds", "labels")

# Together they name one job of one pipeline, also when it is run once more. A matrix has a name for each of its legs.
_OF_GITLAB = ("CI_SERVER_HOST", "CI_PROJECT_ID", "CI_PIPELINE_ID", "CI_JOB_NAME")


@dataclass(frozen=True)
class Wish:
    """A claim as a user gives it; ``id`` is None where it is to be derived."""

    job: str
    id: str | None
    seconds: float
    labels: Mapping[str, str]

    def wanted(self, host: str, variables: Mapping[str, object], environment: Mapping[str, str]) -> Wanted:
        """Return the claim for a gate on this host."""
        prefix = id_of_host(host, environment)
        # Derived only where no two runs share it: elsewhere a second run would replace the claim of the first.
        family = f"{prefix}/{wished_id_of([self.job])}" if prefix and self.id is None else ""
        owner = owner_of_claims(variables, environment)
        # The nonce tells the writes of two gates apart that have been given one ID.
        return Wanted(
            id=self.id or family or uuid.uuid4().hex,
            job=self.job,
            seconds=self.seconds,
            owner=owner,
            labels=self.labels,
            nonce=uuid.uuid4().hex,
            family=family,
        )


def read_wish(value: object, name: str = "claim") -> Wish:
    """Return the wish that the name of a job, or a dictionary, stands for. Raises InputError."""
    # A survey gives dictionaries as text, and the name of a job does not begin with a brace.
    given = (
        read_dictionary_of_candidate(name, value)
        if isinstance(value, str) and trimmed(value).startswith("{")
        else value
    )
    table = given if isinstance(given, dict) else {"job": given}
    for key in table:
        if key not in _KEYS:
            raise InputError(
                f"{name} has the key {shown(key)}; it must be the name of a job, or have {', '.join(_KEYS)}."
            )
    job = _text_of_wish(f"{name}.job", table.get("job"), _LONGEST_JOB)
    if not job:
        raise InputError(f"{name} names no job: give the name that the job will have.")
    seconds = read_seconds_of_claim(table.get("seconds"), f"{name}.seconds")
    claim_id = None if is_blank(table.get("id")) else read_wished_id(table["id"], f"{name}.id")
    return Wish(job, claim_id, seconds, _labels_of_wish(f"{name}.labels", table.get("labels")))


def read_seconds_of_claim(value: object, name: str = "seconds") -> float:
    """Return for how long a claim is to last. Raises InputError."""
    seconds = read_seconds(name, value, DEFAULT_SECONDS)
    if not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        raise InputError(f"{name} is {seconds:g}, but must be {_LEAST_SECONDS:g} to {_MOST_SECONDS:g}.")
    return seconds


def read_wished_id(value: object, name: str = "id") -> str:
    """Return the id of a claim. Raises InputError."""
    text = trimmed(value) if isinstance(value, str) else (isinstance(value, int) and written(value)) or ""
    if not _ID.fullmatch(text):
        raise InputError(f"{name} is {shown(value)}, and must have 1 to 200 letters, digits and characters of _.:/@-")
    return text


def read_nonce(value: object, name: str = "nonce") -> str:
    """Return what tells the claims of one id apart; empty where it is not given. Raises InputError."""
    return "" if is_blank(value) else read_wished_id(value, name)


def wished_id_prefix_of_pipeline(environment: Mapping[str, str]) -> str:
    """Return what all ids that one job of GitLab derives begin with; empty elsewhere.

    Only GitLab names a job so that no two that run at a time share it, and a second try has it again.
    """
    parts = [environment.get(name, "") for name in _OF_GITLAB]
    # Without the page of the job, which is the owner, a retry could not be told from the run before.
    return wished_id_of(parts) if all(parts) and environment.get("CI_JOB_URL") else ""


def id_of_host(host: str, environment: Mapping[str, str]) -> str:
    """Return what the ids begin with that the job of GitLab derives for one of its hosts; empty elsewhere."""
    prefix = wished_id_prefix_of_pipeline(environment)
    return f"{prefix}/{wished_id_of([host])}" if prefix else ""


def wished_id_of(parts: list[str]) -> str:
    """Return parts as an id, with a stroke between them. What a part cannot have is replaced, and told by a hash."""
    return "/".join(map(_part_of_id, parts))


def _part_of_id(text: str) -> str:
    clean = _NOT_OF_A_PART.sub("-", text)
    # A name that ends like a hashed one would otherwise be the ID of that one.
    if clean == text and len(text) <= _LONGEST_PART and not _LIKE_HASHED.fullmatch(text):
        return text
    # Two names that differ in replaced characters alone would otherwise share an ID, and replace one another's claims.
    # A name of the environment may have bytes that are no UTF-8.
    told = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_HASHED]
    return f"{clean[: _LONGEST_PART - _HASHED - 1]}-{told}"


def owner_of_claims(variables: Mapping[str, object], environment: Mapping[str, str]) -> str:
    """Return who is to be asked about a claim: the page of the pipeline's job, the job of AWX, or a person."""
    facts = variables.get("ansible_facts")
    is_fact = isinstance(facts, dict) and "awx_job_id" in facts  # which any managed host may send
    if environment.get("CI_JOB_URL"):
        # Without the scheme: some terminals and chats make a link of it.
        owner = environment["CI_JOB_URL"].partition("://")[2]
        # The number of the job is its end, and the one thing that tells a retry from the try before.
        if len(owner) > _LONGEST_OWNER:
            owner = f"{environment.get('CI_SERVER_HOST', 'gitlab')}/-/jobs/{owner.rpartition('/')[2]}"
    elif environment.get("GITHUB_RUN_ID"):
        owner = f"{environment.get('GITHUB_REPOSITORY', 'github')}/actions/runs/{environment['GITHUB_RUN_ID']}"
        if environment.get("GITHUB_RUN_ATTEMPT"):
            owner = f"{owner}/attempts/{environment['GITHUB_RUN_ATTEMPT']}"
    elif variables.get("awx_job_id") and not is_fact:
        owner = f"AWX job {variables['awx_job_id']}"
    else:
        owner = f"{_controller_user_of_wish()} on {socket.gethostname()}"
    return one_line(owner, _LONGEST_OWNER)


def _controller_user_of_wish() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user ID without a name, as in many containers
        return "somebody"


def _labels_of_wish(name: str, value: object) -> dict[str, str]:
    given = read_dictionary_of_candidate(name, value)
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _MOST_LABELS:
        raise InputError(f"{name} is {shown(value)}, but must be a dictionary of at most {_MOST_LABELS} labels.")
    return {
        _text_of_wish(name, key, _LONGEST_LABEL): _text_of_wish(f"{name}.{shown(key)}", one, _LONGEST_LABEL)
        for key, one in given.items()
    }


def _text_of_wish(name: str, value: object, longest: int) -> str:
    if is_blank(value):
        return ""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise InputError(f"{name} is {shown(value)}, but must be a text.")
    text = trimmed(written(value) or "")
    # Others read these texts on their terminals.
    if not text or len(text) > longest or not text.isprintable():
        raise InputError(f"{name} is {shown(value)}, and must have at most {longest} printable characters.")
    return text
