# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.check_options import expand_path_of_option
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import CONNECTION_OPTIONS
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import (
    is_blank,
    one_line,
    sentence,
    shown,
    trimmed,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._action import (
    REAL_TIME,
    STORE_VARIABLE,
    ObservingAction,
    is_action_of_role,
    store_given_to_action,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._candidates import (
    Candidate,
    read_candidates,
    read_dictionary_of_candidate,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._gate import Gate
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import Observer
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._outcome import refusal_of_outcome
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.files import ReportDirectory
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._request import (
    check_names_in_policy,
    check_request_with_policy,
    read_declared_capacity,
    read_policy,
    read_seconds,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._sources import refuse_facts_behind
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Wait

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import PoolEntry
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.claiming import GateClaims
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._outcome import OutcomeFacts, RefusalFacts

_WAIT_TIMEOUT, _POLL_INTERVAL = 0.0, 30.0


class ActionModule(ObservingAction):
    """Holds a task until a pool has room."""

    own_options: t.ClassVar = {
        "pools": {"type": "raw"},
        "request": {"type": "raw"},
        "policy": {"type": "raw"},
        "declared_capacity": {"type": "raw"},
        "wait_timeout": {"type": "raw"},
        "poll_interval": {"type": "raw"},
        "on_refusal": {"type": "raw"},
        "report_dir": {"type": "raw"},
        "store": {"type": "raw"},
        "claim": {"type": "raw"},
        "reset": {"type": "bool", "default": False},
    }

    _directory: ReportDirectory | None = None

    def begin(self, written: Mapping[str, object]) -> None:
        """Empty the directory of the report, so that no earlier one speaks for a gate that is refused."""
        given = self._task.args.get("report_dir")
        path = None if is_blank(given) else read_gate_report_directory(given)
        if path and not self._task.check_mode:
            refuse_facts_behind(_values_that_may_give_gate_option(written, "report_dir"), self._variables)
            self._directory = ReportDirectory(path)

    def act(self, options: Mapping[str, object]) -> Mapping[str, object]:
        return {"changed": False} if options["reset"] else self._ask(options)

    def _ask(self, options: Mapping[str, object]) -> OutcomeFacts | RefusalFacts:
        if is_action_of_role(self._task):
            self._refuse_mistake_of_gate_role()
        goes_on = read_gate_on_refusal(options["on_refusal"])
        request, policy, declared = (
            read_dictionary_of_candidate(name, options[name]) for name in ("request", "policy", "declared_capacity")
        )
        candidates = read_candidates(options["pools"], request)
        timeout = read_seconds("wait_timeout", options["wait_timeout"], _WAIT_TIMEOUT)
        interval = read_seconds("poll_interval", options["poll_interval"], _POLL_INTERVAL)
        strictness, capacity = read_policy(policy), read_declared_capacity(declared)
        check_names_in_policy([candidate.request for candidate in candidates], strictness, capacity)
        for candidate in candidates:
            check_request_with_policy(candidate.request, strictness, timeout)
        claims = self._gate_claims(options["store"], options["claim"])
        look = Look(self.observer(options), candidates)
        wait = Wait(0.0 if self._task.check_mode else timeout, interval, REAL_TIME)
        gate = Gate(candidates, strictness, capacity, wait, claims)
        outcome = gate.wait(look, self.say)
        written = [] if self._directory is None else self._write_report(self._directory, gate, outcome)
        self.say(outcome["report"] + written)
        return outcome if goes_on or outcome["decision"] == "admit" else refusal_of_outcome(outcome)

    def _gate_claims(self, store: object, claim: object) -> GateClaims | None:
        """Return what the gate does with claims; None without a store, of which nothing is imported then."""
        url = store_given_to_action(store)
        if url is None:
            if claim is not None:
                raise InputError(f"claim needs a claim store: set store, or {STORE_VARIABLE}.")
            return None
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.task_options import gate_claims_of_task

        host = str(self._variables.get("inventory_hostname", "localhost"))
        return gate_claims_of_task(url, claim, host, self._variables, REAL_TIME, self._task.check_mode, self.remark)

    def _refuse_mistake_of_gate_role(self) -> None:
        """Raise InputError for what is wrong in a variable that the role reads after this task, if it was given."""
        mistake = self._templar.template(self._variables.get("__capacity_gate_mistake", ""))
        if mistake:
            raise InputError(sentence(str(mistake)))

    def _write_report(self, directory: ReportDirectory, gate: Gate, outcome: OutcomeFacts) -> list[str]:
        """Write the report and return the line that names it. A failure changes nothing in the decision."""
        try:
            directory.write(gate.report(outcome), outcome["pools"])
        except OSError as error:
            self.remark(f"The report was not written to {directory.path}: {error.strerror}.")
            return []
        return [f"  report   {directory.path / 'report.html'}"]


class Look:
    """A look at the pool of each candidate: one call of modelarts_workload_info over all of them."""

    def __init__(self, observer: Observer, candidates: list[Candidate]) -> None:
        self._observer = observer
        self._names = [candidate.pool for candidate in candidates]
        self._replaced = [one.request.replaces.job_uuid for one in candidates if one.request.replaces is not None]

    def __call__(self, seconds_left: float | None, names: Sequence[str] = ()) -> list[PoolEntry]:
        asked: dict[str, object] = {"pool_name": self._names, "placement_of": self._replaced}
        if names:
            asked["look_for"] = list(names)
        # The module counts from its start, which may take seconds on a host that is far.
        limit = None if seconds_left is None else max(0.0, seconds_left - self._observer.start)
        pools = self._observer.look_at_capacity({**asked, "time_limit": limit})
        # A display name is looked up once.
        self._names = [pool["pool_name"] for pool in pools]
        return pools


def _values_that_may_give_gate_option(written: Mapping[str, object], option: str) -> dict[str, object]:
    """Return those of the values that may give the option."""
    others = {*CONNECTION_OPTIONS, *ActionModule.own_options, "delegate_to"} - {option}
    named = {name: name.split(" ")[0].removeprefix("capacity_gate_") for name in written}
    of_the_task = {name: value for name, value in written.items() if not name.endswith(" in environment")}
    return {name: value for name, value in of_the_task.items() if named[name] not in others}


def read_gate_on_refusal(value: object) -> bool:
    """Return whether the play goes on when it is refused. Raises InputError."""
    word = trimmed(value) if isinstance(value, str) else value
    if word not in (None, "fail", "continue"):
        raise InputError(f"value of on_refusal must be one of: fail, continue, got: {one_line(str(word), 60)}.")
    return word == "continue"


def read_gate_report_directory(value: object) -> str | None:
    """Return the path of the report's directory, with ~ and variables of the environment in it. Raises InputError."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError(f"report_dir is {shown(value)}, but must be the path of a directory.")
    path = expand_path_of_option(value, "report_dir")
    # What is not known stays in the text, which would become the name of a directory.
    if path.startswith("~") or re.search(r"\$(?:\w+|\{[^}]*\})", path):
        raise InputError(
            f"report_dir is {shown(value)}, which names a user or an environment variable that does not exist."
        )
    return path
