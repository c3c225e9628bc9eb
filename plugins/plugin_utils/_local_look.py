# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look in the process of the task, where the module would run on this machine, in this Python, as this user.

Starting the module costs a third of a second of processor time, and each start logs in. A task that waits looks here
instead, with one login and the connections of the look before. In any doubt, it is the module that looks: users see no
difference but the time.

This plugin util is private to the collection.
"""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import re
import site
import sys
import threading
import traceback
import typing as t
import warnings
from contextlib import contextmanager

import ansible.plugins.connection
from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import REQUESTS_IMPORT_ERROR
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sending import KeptSession
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    SECRETS,
    environment_level,
    merge_levels,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._module import (
    TAKES_SECRETS_OUT,
    log_in_by_options,
    result_of_read,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._read.reading import READING_OPTIONS, read_as_asked
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import (
    Owners,
    hide_known_secrets,
    hide_secrets,
    know_secrets_apart,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible.playbook.task import Task
    from ansible.plugins.connection import ConnectionBase
    from ansible.template import Templar
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection

# What a read asks for when it needs it, and PATH, which it never asks for. Others may count when Python starts, when
# libraries are imported, or within an option like ca_path.
_READ_WHEN_NEEDED = re.compile(
    r"(MODELARTS|OS|HW|HUAWEICLOUD_SDK)_[A-Z_]+|(http|https|all|no)_proxy|(HTTP|HTTPS|ALL|NO)_PROXY"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|PATH"
)
# What ansible_python_interpreter has where Python is yet to be found.
_TO_BE_DISCOVERED = ("auto", "auto_legacy", "auto_silent", "auto_legacy_silent")


def local_look_of_task(
    task: Task,
    connection: ConnectionBase,
    variables: Mapping[str, object],
    templar: Templar,
    environment: Mapping[str, object],
    folder: str,
) -> LocalLook | None:
    """Return what looks in this process; None where the module may be another process than this in any way.

    ``variables`` are those of the host that the task is run on, ``environment`` is the task's, rendered, and ``folder``
    is where ansible-core runs local modules.
    """
    given = {name: str(value) for name, value in environment.items()}
    if (
        REQUESTS_IMPORT_ERROR is None
        and _is_worker()
        and _is_local(connection)
        # With a time-out, ansible-core raises in the midst of this process; async is a process of its own.
        and not (getattr(task, "timeout", 0) or task.async_val)
        and all(map(_READ_WHEN_NEEDED.fullmatch, given))
        and _is_own_python(_interpreter_of_task(variables, templar))
        and _can_be_entered(folder)
        # It finds its files by the folder and the environment that it was imported with.
        and "openstack" not in sys.modules
    ):
        return LocalLook(given, folder)
    return None


def _is_worker() -> bool:
    """Return whether ansible-core has forked this process for the task: its environment is then nobody else's."""
    return multiprocessing.parent_process() is not None and threading.current_thread() is threading.main_thread()


def _is_local(connection: ConnectionBase) -> bool:
    """Return whether commands are run here, by this user and without settings of a shell."""
    # By its file: a plugin that somebody else wrote may have its name.
    files = [os.path.join(folder, "local.py") for folder in ansible.plugins.connection.__path__]
    return (
        getattr(connection, "_original_path", None) in files
        and connection.become is None
        and getattr(connection._shell, "SHELL_FAMILY", None) == "sh"
    )


def _interpreter_of_task(variables: Mapping[str, object], templar: Templar) -> object:
    """Return the Python that modules are run with; None where it is not known, or not known yet."""
    try:
        found = templar.template(constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables))
    except Exception:  # the module tells what is wrong with it
        return None
    if found and found not in _TO_BE_DISCOVERED:
        return found
    facts = variables.get("ansible_facts")
    return facts.get("discovered_interpreter_python") if isinstance(facts, dict) else None


def _is_own_python(interpreter: object) -> bool:
    """Return whether a Python that is started by this path has the libraries of this one."""
    if not isinstance(interpreter, str) or not os.path.isabs(interpreter) or not sys.executable:
        return False
    # Files alone do not tell: those of virtual environments are links to one and the same.
    for part in (str, os.path.dirname):
        if os.path.realpath(part(interpreter)) != os.path.realpath(part(sys.executable)):
            return False
    flags = sys.flags
    if flags.ignore_environment or flags.isolated or flags.no_site:
        return False
    return not (flags.no_user_site and os.path.isdir(site.getusersitepackages()))


def _can_be_entered(folder: str) -> bool:
    """Return whether this process can go there and come back, which it may not after a sudo."""
    try:
        os.close(os.open(".", os.O_RDONLY))
    except OSError:
        return False
    return os.access(folder, os.R_OK | os.X_OK)


class LocalLook:
    """Reads as modelarts_workload_info does, look after look with one login."""

    def __init__(self, environment: Mapping[str, str], folder: str) -> None:
        self._environment = environment
        self._folder = folder
        self._kept = KeptSession()
        self._owners = Owners()
        self._login: tuple[Mapping[str, object], Connection] | None = None

    def __call__(self, arguments: Mapping[str, object]) -> Mapping[str, object] | None:
        """Return the result of the module with these arguments; None where they are not such as a module can get."""
        try:
            given = json.loads(json.dumps(dict(arguments), default=_text_of_vault))
        except (TypeError, ValueError):
            return None
        crash = ""
        with know_secrets_apart(self._owners):
            try:
                with _as_process_of_module(self._environment, self._folder):
                    result = self._look(given)
                    # What a module returns passes as JSON, too: what decides gets the same types from both.
                    return t.cast("dict[str, object]", json.loads(json.dumps(result)))
            except Exception:
                # Those of the options, too: it may have crashed before there was a login that knows them.
                crash = hide_secrets(hide_known_secrets(traceback.format_exc()), _secrets_in(given))
                self._forget()
                return {"failed": True, "msg": "", "module_stderr": crash}

    def _look(self, arguments: Mapping[str, object]) -> Mapping[str, object]:
        no_log_values = _secrets_in(arguments)
        validated = ArgumentSpecValidator(READING_OPTIONS).validate(arguments)
        result: dict[str, object]
        if validated.error_messages:
            result = {"failed": True, "msg": validated.errors.msg}
        else:
            params = validated.validated_parameters
            result = result_of_read(
                params, no_log_values, lambda client: read_as_asked(client, params), self._log_in, self._kept
            )
        if result.get("failed"):
            # As after the end of a module: what failed is in no way a part of the next look.
            self._forget()
            return t.cast("dict[str, object]", _masked_as_of_module(result, no_log_values))
        said = [sentence(str(one)) for one in t.cast("list[object]", result.pop("warnings", []))]
        return {**result, "warnings": _masked_as_of_module(said, no_log_values)} if said else result

    def _log_in(self, options: Mapping[str, object]) -> Connection:
        # What clouds.yaml says may be another thing at the next look, and the module would read it then.
        is_of_file = bool(merge_levels(options, environment_level(os.environ)).get("cloud"))
        if self._login is None or self._login[0] != options or is_of_file:
            self._forget()
            self._login = options, log_in_by_options(options)
        return self._login[1]

    def _forget(self) -> None:
        self._login = None
        self._kept.drop()


def _secrets_in(arguments: Mapping[str, object]) -> set[str]:
    return {str(arguments[name]) for name in SECRETS if arguments.get(name)}


def _masked_as_of_module(value: object, no_log_values: set[str]) -> object:
    """Return a part of a result as ansible-core returns that of a module."""
    return remove_values(value, no_log_values) if TAKES_SECRETS_OUT else value


def _text_of_vault(value: object) -> str:
    """Return a value that was encrypted as ansible-core hands it to a module. Raises TypeError for any other."""
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    raise TypeError


@contextmanager
def _as_process_of_module(environment: Mapping[str, str], folder: str) -> Iterator[None]:
    """Give this process what one of the module has, and take it away again.

    What libraries log and warn of is not seen of a module, either.
    """
    before = {name: os.environ.get(name) for name in environment}
    collects, logs = gc.isenabled(), logging.root.manager.disable
    here = os.open(".", os.O_RDONLY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            gc.disable()  # as in a module
            os.chdir(folder)
            os.environ.update(environment)
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        os.fchdir(here)
        os.close(here)
        logging.disable(logs)
        if collects:
            gc.enable()
