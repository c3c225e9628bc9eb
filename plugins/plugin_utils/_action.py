# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions have in common: their options, the connection of the task's host, and lines for people.

This plugin util is private to the collection.
"""

from __future__ import annotations

import os
import random
import re
import time
import typing as t
from datetime import datetime, timezone

from ansible import constants
from ansible.playbook.base import Base
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    merge_levels,
    refuse_endless_numbers,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import is_blank, sentence
from ansible_collections.poolgate.modelarts.plugins.module_utils._vocabulary import OVER
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._connection_options import templated_variables_level
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._local_look import local_look_of_task
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._observer import ObservationError, Observer
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._sources import (
    refuse_facts_behind,
    refuse_facts_of_hosts,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._wait import Time

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ansible.playbook.task import Task
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FoundJobFacts
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import OptionSpec

_ROLE = "poolgate.modelarts.capacity_gate"

STORE_VARIABLE = "MODELARTS_CLAIM_STORE"
"""The variable of the controller's environment that names the claim store."""

# What a reading takes of an environment: the options, the files of openstacksdk and where it looks for them, ways to
# the server, authorities, and code. Not PATH, which plays make from ansible_env.PATH: reading starts no other program.
_ENVIRONMENT = re.compile(
    r"(MODELARTS|OS|HW|HUAWEICLOUD_SDK|XDG|STATSD|LD|OPENSSL)_.*|.*_PROXY|HOME|SNAP_REAL_HOME|TMPDIR|TEMP|TMP"
    r"|SSL.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NETRC|HOSTALIASES|RES_OPTIONS|LOCALDOMAIN|PYTHON.*",
    re.IGNORECASE,
)

# An end of a claim waits for one look. A healthy API takes some seconds for very many jobs.
_LOOK_LIMIT = 20.0

# Where a task has its arguments, beside the name of its action.
_KEYS_OF_ARGUMENTS = ("args", "action", "local_action")

display = Display()


def _utc_clock_of_action() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


REAL_TIME = Time(time.monotonic, time.sleep, random.uniform, _utc_clock_of_action)


class ObservingAction(ActionBase):
    """An action that looks at pools by running modelarts_workload_info on the task's host, and decides here.

    ``own_options`` are its options beside those of the connection. They are raw, as a survey gives text for everything,
    and nothing or an empty text for what was left out.
    """

    own_options: t.ClassVar[dict[str, OptionSpec]]

    _supports_check_mode = True
    _supports_async = False

    def act(self, options: Mapping[str, object]) -> Mapping[str, object]:
        """Return the task's result. Options that were left blank are None.

        Raises InputError and ObservationError, which become failures.
        """
        raise NotImplementedError

    def begin(self, written: Mapping[str, object]) -> None:
        """Do what comes before any refusal. ``written`` are the values that the task takes, as in _option_as_written().

        Raises InputError.
        """

    def run(self, tmp: str | None = None, task_vars: dict[str, object] | None = None) -> dict[str, object]:
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        written = self._option_as_written()
        try:
            self.begin(written)
            refuse_endless_numbers(self._task.args)
            _validation, args = self.validate_argument_spec(argument_spec={**CONNECTION_OPTIONS, **self.own_options})
            # Before anything is read or sent: no managed host chooses where credentials go.
            refuse_facts_of_hosts(self._variables)
            refuse_facts_behind(written, self._variables)
            # A field of a survey that was left empty counts as not given.
            return {**self.act({name: None if is_blank(value) else value for name, value in args.items()})}
        except InputError as error:
            return {"failed": True, "changed": False, "msg": error.message}
        except ObservationError as error:
            return {"failed": True, "changed": False, **error.result}

    def _option_as_written(self) -> dict[str, object]:
        """Return the values that the task takes, before Ansible has rendered them, by what a user calls them.

        Those of module_defaults are among them from ansible-core 2.19 on: before, they come rendered.
        """
        name = self._task.action.rpartition(".")[2]
        given: dict[str, object] = {}
        if is_action_of_role(self._task):
            given.update({one: value for one, value in self._variables.items() if one.startswith("capacity_gate_")})
        given[f"module_defaults of {name}"] = _module_defaults_of_task(self._task)
        for key, value in (self._task.get_ds() or {}).items():
            if str(key).rpartition(".")[2] in (name, *_KEYS_OF_ARGUMENTS):
                options = value if isinstance(value, dict) else {"the arguments": value}
                given.update({f"{option} of {name}": one for option, one in options.items()})
        # The host that gets the credentials.
        given["delegate_to"] = list(_hosts_delegated_to(self._task))
        # That of the task comes rendered; core keeps it as it was written beside the variables.
        for level in t.cast("Iterable[object]", self._variables.get("environment") or ()):
            own = level if isinstance(level, dict) else {"all": level}
            own = {one: own[one] for one in own if one == "all" or _ENVIRONMENT.fullmatch(str(one))}
            given.update({f"{one} in environment": value for one, value in own.items()})
        return given

    def observer(self, options: Mapping[str, object]) -> Observer:
        """Return what looks at pools from the host of the task, with the connection of the options and variables."""
        given = {name: options[name] for name in CONNECTION_OPTIONS}
        connection = merge_levels(given, templated_variables_level(self._variables, self._templar))

        environment: dict[str, object] = {}
        prefix = self._compute_environment_string(environment)
        look_here = local_look_of_task(
            self._task,
            self._connection,
            self._variables_of_host(),
            self._templar,
            environment,
            self._loader.get_basedir(),
        )

        def run(asked: Mapping[str, object]) -> Mapping[str, object]:
            arguments = {**connection, **asked}
            result = None if look_here is None else look_here(arguments)
            if result is None:
                result = self._execute_module(
                    module_name="poolgate.modelarts.modelarts_workload_info",
                    module_args=arguments,
                    task_vars=self._variables,
                )
            return t.cast("Mapping[str, object]", result)

        # Environment and host fill in what the options leave out.
        place = self._task.delegate_to, self._variables.get("inventory_hostname")
        return Observer(run, repr((sorted(connection.items()), prefix, place)))

    def _variables_of_host(self) -> Mapping[str, object]:
        """Return the variables of the host that modules are run on."""
        host = self._task.delegate_to
        if not host:
            return self._variables
        delegated = self._variables.get("ansible_delegated_vars")
        return delegated.get(host, {}) if isinstance(delegated, dict) else {}

    def job_look(
        self, options: Mapping[str, object]
    ) -> Callable[[str, list[str]], tuple[list[FoundJobFacts], bool] | None]:
        """Return a look at the jobs of a pool that have certain names. It is for ends of claims, and fails nothing.

        It returns (the jobs, whether these are all), and None where they cannot be read.
        """
        observer = self.observer(options)

        def look(pool: str, names: list[str]) -> tuple[list[FoundJobFacts], bool] | None:
            try:
                pools = observer.look_at_capacity({"pool_name": [pool], "look_for": names, "time_limit": _LOOK_LIMIT})
            except ObservationError as error:
                self.remark(str(error))
                return None
            entry = pools[0]
            found = entry.get("found")
            # Of very many, those that are over are left out first: with one of them there, all others are.
            has_all_alive = entry.get("found_complete") or any(job["status"] in OVER for job in found or ())
            if found is not None and not (entry["complete"] and has_all_alive):
                self.remark("Not all jobs of the pool could be read.")
                return None
            return None if found is None else (found, bool(entry.get("found_complete")))

        return look

    def say(self, lines: list[str]) -> None:
        """Display the lines in one piece, so that those of other hosts' tasks do not come between them.

        A callback that writes JSON to stdout has stdout for itself: the lines go to stderr.
        """
        if not self._task.no_log:
            callback = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK")).rpartition(".")[2]
            display.display("\n".join(lines), stderr=callback.startswith("json"))

    @staticmethod
    def remark(words: str) -> None:
        """Warn of something that does not change the result."""
        display.warning(sentence(words))


def store_given_to_action(option: object) -> object | None:
    """Return the claim store that the option, or else the controller's environment, names; None for none."""
    named = os.environ.get(STORE_VARIABLE)
    return option if option is not None else None if is_blank(named) else named


def is_action_of_role(task: Task) -> bool:
    """Return whether the task is one of the role, whose users give its variables and not options of its tasks."""
    return task._role is not None and task._role.get_name() == _ROLE


def _hosts_delegated_to(task: Task) -> Iterator[object]:
    """Yield ``delegate_to`` as the task, its blocks and the tasks that include it have it written."""
    # Not as a plain text, which would be no template for core.
    yield (task.get_ds() or {}).get("delegate_to")
    parent = task._parent
    while isinstance(parent, Base):
        # Core has the attribute itself inherited, and this one as it was written there.
        written = getattr(parent, "_delegate_to", None)
        if isinstance(written, str):
            yield written
        parent = getattr(parent, "_parent", None)


def _module_defaults_of_task(task: Task) -> list[object]:
    """Return the entries of module_defaults that the task takes.

    As core finds them: by the action that a redirect leads to, and by every group that has it. Another collection's
    group may extend ours.
    """
    action = task.resolved_action
    play = task._parent._play if task._parent else None
    groups = play._action_groups.get(action, ()) if play else ()
    names = {action, *(f"group/{group}" for group in groups)}
    entries = [one for one in task.module_defaults or () if isinstance(one, dict)]
    return [value for entry in entries for key, value in entry.items() if key in names]
