# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source: changes of jobs and of capacity in dedicated resource pools of ModelArts."""

from __future__ import annotations

DOCUMENTATION = r"""
short_description: Changes of jobs and of room in ModelArts pools as events
version_added: 1.0.0
description:
  - Looks at one or more dedicated resource pools at intervals, and puts each change into the queue of the rulebook
    once. It supports ModelArts of Huawei Cloud and of Open Telekom Cloud.
  - C(event.change) is V(job_appeared), V(job_status_changed), V(job_ended), V(room_appeared) or V(room_gone).
  - Only a complete list of jobs produces job events, and only a certain decision produces a room event. Facts that
    cannot be read are logged and produce no event. The source retries after transient failures.
  - The first look produces no job events. If there is room, it produces a room event with C(event.at_start).
  - The source stores nothing on disk, so it does not report changes that happened while it was not running.
  - In the texts of events, C(?) replaces every character except letters, digits, blanks and C(._-:/@+,;()=~*).
    Otherwise, Ansible would render a text that is a template.
options:
  pool_name:
    description:
      - ID of a pool, or a list of IDs. The ID is the C(metadata.name) of a pool. With O(request), the name that the
        console shows is also accepted.
    type: raw
    required: true
  request:
    description:
      - The room to look for, in the form of C(request) of the action C(poolgate.modelarts.modelarts_capacity_gate). If
        it is omitted, the source reads only the jobs and produces only job events.
    type: dict
  policy:
    description:
      - How strictly to decide, in the form of C(policy) of the action. With C(stable_seconds), a room event comes only
        after the request has kept fitting for this time.
    type: dict
  declared_capacity:
    description:
      - See C(declared_capacity) of the action.
    type: dict
  poll_interval:
    description:
      - Seconds between two looks, 1 or more. While nothing can be read, the interval grows to at most ten minutes.
    type: float
    default: 60
  endpoint:
    description:
      - Base URL of ModelArts.
      - For this option and those below, see the guide on authentication. Omitted options come from the environment of
        ansible-rulebook.
    type: str
  region:
    description: Region, like V(eu-de).
    type: str
  project_id:
    description: ID of the project.
    type: str
  workspace_id:
    description: ID of the workspace whose pools are listed to find a display name.
    type: str
  auth_token:
    description: An IAM token. It cannot be renewed, so the source ends when the token expires.
    type: str
  access_key:
    description: Access key, together with O(secret_key).
    type: str
  secret_key:
    description: Secret key.
    type: str
  security_token:
    description: Security token of a temporary access key. It cannot be renewed.
    type: str
  auth_url:
    description: URL of IAM.
    type: str
  username:
    description: Name of the user, together with O(password) and O(domain_name).
    type: str
  password:
    description: Password of the user.
    type: str
  domain_name:
    description: Domain of the user.
    type: str
  project_name:
    description: Name of the project, in place of O(project_id).
    type: str
  cloud:
    description: Name of an entry of C(clouds.yaml).
    type: str
  validate_certs:
    description: If V(true), which is the default, TLS certificates are verified.
    type: bool
  ca_path:
    description: File or directory with the certificates of the trusted authorities.
    type: str
  timeout:
    description: Timeout of a request in seconds, from opening its connection to the last byte of the response.
    type: float
  max_retries:
    description: Maximum number of retries of a request within one look.
    type: int
  connections:
    description: Maximum number of parallel requests.
    type: int
"""

EXAMPLES = r"""
- poolgate.modelarts.modelarts_workloads:
    pool_name: pool-train-a100-3c7e52d1f0984b6a8e5d2b7c41a96f03
    request:
      type: train
      replicas: 2
      resources:
        nvidia.com/gpu: 8
    poll_interval: 30
"""

import asyncio
import importlib
import logging
import math
import os
import platform
import random
import sys
import threading
import time
import typing as t
from difflib import get_close_matches
from functools import partial
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping


def _find_own_package() -> None:
    """Let Python find the collection that this file belongs to: ansible-rulebook runs it by its path.

    An ansible_collections elsewhere, like the one of the package ansible, would hide it, so the folders come first.
    """
    root = Path(__file__).resolve().parents[7]
    if str(root) not in sys.path:
        sys.path.append(str(root))
    name = ""
    for part in ("ansible_collections", "poolgate", "modelarts"):
        name = f"{name}.{part}" if name else part
        package = importlib.import_module(name)
        folder = str(root.joinpath(*name.split(".")))
        if folder not in package.__path__:
            package.__path__ = [folder, *package.__path__]


_find_own_package()

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client, check_pool_of_call
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sending import KeptSession
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    OptionSpec,
    environment_level,
    merge_levels,
    refuse_endless_numbers,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.failures import NoPoolReadableError
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.fields import iso_time
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.job_query import WorkloadQuery
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import read_workloads
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, sentence
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._events import (
    JOB_FIELDS,
    Event,
    PoolEvents,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._names import given_pool_names
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    check_names_in_policy,
    check_request_with_policy,
    read_declared_capacity,
    read_policy,
    read_request,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import varied_pause_of_wait

SOURCE_OPTIONS: dict[str, OptionSpec] = {
    "pool_name": {"type": "raw", "required": True},
    "request": {"type": "dict"},
    "policy": {"type": "dict"},
    "declared_capacity": {"type": "dict"},
    "poll_interval": {"type": "float", "default": 60.0},
    **{name: {"type": "raw"} for name in CONNECTION_OPTIONS},  # connect() reads them, from whatever level they come
}


class SourceOptions(t.TypedDict):
    """SOURCE_OPTIONS as Ansible has validated them, beside those of the connection."""

    pool_name: object
    request: dict[str, object] | None
    policy: dict[str, object] | None
    declared_capacity: dict[str, object] | None
    poll_interval: float


_LONGEST_PAUSE = 600.0
_SHORTEST_LIMIT = 60.0
_OVER = {
    "jobs": "its jobs are known again.",
    "room": "the gate can decide on room again.",
    "never": "waiting for room may help again.",
}

logger = logging.getLogger("poolgate.modelarts.modelarts_workloads")


async def main(queue: asyncio.Queue[Event], args: Mapping[str, object]) -> None:
    """Called by ansible-rulebook: put the changes of the pools into the queue until cancelled.

    Raises ModelArtsError when ``args`` cannot be used, when the first look fails for good, and when the credentials are
    refused.
    """
    try:
        with Source(args) as source:
            while True:
                for event in await asyncio.to_thread(source.look):
                    await queue.put(event)
                await asyncio.sleep(source.pause())
    except ModelArtsError as error:
        raise error.with_traceback(None) from None  # ansible-rulebook prints each frame, which hides the sentence


class Source:
    """Looks at the pools that the arguments of a rulebook name."""

    def __init__(self, args: Mapping[str, object]) -> None:
        try:
            options = _validated(args)
            self._watches = _watches(options)
        except RecursionError:
            raise InputError(
                "An argument of the event source contains itself by an alias of YAML: write it without the alias."
            ) from None
        self._interval = options["poll_interval"]
        self._query = WorkloadQuery(fields=JOB_FIELDS, include_capacity=bool(options["request"]))
        self._connection = connect(merge_levels(options, environment_level(os.environ)), where=platform.node())
        self._kept = KeptSession()
        self._stopped = threading.Event()
        self._has_seen_jobs = False
        self._failures = 0
        self._remarked: set[tuple[str, str]] = set()

    def look(self) -> list[Event]:
        """Return the events since the look before. Blocks while the pools are read."""
        began = time.monotonic()
        # A client remembers that IAM could not be asked, and that of an earlier look must not stand for this one.
        with Client(
            self._connection,
            time_limit=max(self._interval, _SHORTEST_LIMIT),
            clock=self._clock,
            sleep=self._sleep,
            kept=self._kept,
        ) as client:
            calls = [partial(self._read, client, watch.pool_name) for watch in self._watches]
            entries = list(client.in_parallel(calls))
        if any(entry["errors"] for entry in entries):
            self._kept.drop()  # whatever is wrong with a connection, the next look has others
        self._raise_what_lasts(entries)
        now = time.monotonic()
        events = [
            event for watch, entry in zip(self._watches, entries) for event in watch.look_at(entry, now, now - began)
        ]
        self._has_seen_jobs = self._has_seen_jobs or any(entry["complete"] for entry in entries)
        failed = all(any(error.get("transient") for error in entry["errors"]) for entry in entries)
        self._failures = self._failures + 1 if failed else 0
        self._log_remarks()
        return events

    def pause(self) -> float:
        """Return the seconds until the next look: longer and longer while nothing can be read."""
        seconds = min(math.ldexp(self._interval, min(self._failures, 10)), max(self._interval, _LONGEST_PAUSE))
        return varied_pause_of_wait(seconds, random.uniform)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *unused: object) -> None:
        """Send nothing any more: a look that goes on in its thread ends with the answer that it waits for."""
        self._stopped.set()

    def _clock(self) -> float:
        return math.inf if self._stopped.is_set() else time.monotonic()

    def _sleep(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _read(self, client: Client, pool_name: str) -> PoolEntry:
        """Return the pool's entry as PoolWatch.look_at() takes it, whatever could be read of it."""
        try:
            facts = read_workloads(client, [pool_name], self._query, clock=client.now)
            entry: Mapping[str, object] = {**facts["pools"][0], "workloads": facts["workloads"]}
        except NoPoolReadableError as error:
            entry = {**error.pools[0]}
        except InputError:
            raise
        except ModelArtsError as error:
            errors = [{"document": "workloads", **error.as_result()}]
            entry = {"pool_name": pool_name, "complete": False, "errors": errors}
        read = {"observed_at": iso_time(client.now()), "errors": [], **self._connection.without_secrets(entry)}
        return t.cast("PoolEntry", read)

    def _raise_what_lasts(self, entries: list[PoolEntry]) -> None:
        """Raise ModelArtsError for refused credentials, which lock a key when they are sent again and again.

        As long as no jobs were seen, also for those that will never be: the wrong pool, address or permission.
        """
        if self._connection.refusal is not None:
            raise ModelArtsError(self._connection.refusal.message)
        for error in (error for entry in entries for error in entry["errors"]):
            if not self._has_seen_jobs and error["document"] == "workloads" and not error.get("transient"):
                raise ModelArtsError(error["msg"])

    def _log_remarks(self) -> None:
        """Say what a person should know once when it begins, and once when it is over."""
        remarks = {(watch.pool_name, what): remark for watch in self._watches for what, remark in watch.remarks.items()}
        for (pool_name, what), remark in remarks.items():
            if (pool_name, what) not in self._remarked:
                logger.warning("%s", sentence(f"{pool_name}: {remark}"))
        for pool_name, what in sorted(self._remarked - remarks.keys()):
            logger.warning("%s", sentence(f"{pool_name}: {_OVER[what]}"))
        self._remarked = set(remarks)


def _validated(args: Mapping[str, object]) -> SourceOptions:
    """Return the arguments, converted by the rules of a module. Raises InputError with a module's sentence."""
    # Of a source without arguments, a rulebook has none, or a list of what stands below it.
    if not isinstance(args, dict):
        raise InputError(
            "The event source has no arguments: write pool_name and the others below it, each with a colon."
        )
    given = {name: value for name, value in args.items() if value is not None and value != ""}
    # The validator sorts and joins the names that it does not know, and YAML may have read one as a number.
    if given.keys() - SOURCE_OPTIONS.keys():
        unknown = one_line(str(min(given.keys() - SOURCE_OPTIONS.keys(), key=str)), 60)
        near = get_close_matches(unknown, list(SOURCE_OPTIONS), 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(SOURCE_OPTIONS)}."
        raise InputError(f"The event source has no argument {unknown!r}: {hint}")
    refuse_endless_numbers(given)
    result = ArgumentSpecValidator(
        SOURCE_OPTIONS, required_by={"policy": "request", "declared_capacity": "request"}
    ).validate(given)
    if result.error_messages:
        raise InputError(f"The event source cannot use its arguments: {result.errors.msg}.")
    options: SourceOptions = result.validated_parameters
    interval = options["poll_interval"]
    if not 1 <= interval < math.inf:
        raise InputError(f"poll_interval is {interval:g}, but must be a number of seconds, 1 or more.")
    return options


def _watches(options: SourceOptions) -> list[PoolEvents]:
    """Return one for each pool. Raises InputError when pools, request or policy cannot be used."""
    names = [check_pool_of_call(name) for name in given_pool_names("pool_name", options["pool_name"])]
    if not names:
        raise InputError("pool_name names no pool: give the ID of at least one.")
    if not options["request"]:
        return [PoolEvents(name) for name in names]
    request, policy = read_request(options["request"]), read_policy(options["policy"])
    check_request_with_policy(request, policy, math.inf)
    declared = read_declared_capacity(options["declared_capacity"])
    check_names_in_policy([request], policy, declared)
    return [PoolEvents(name, request, policy, declared) for name in names]
