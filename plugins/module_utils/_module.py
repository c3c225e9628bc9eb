# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module does around its one call: log in, keep secrets out, turn an error into a failed task.

This module util is private to the collection.
"""

from __future__ import annotations

import gc
import os
import platform
import time
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._api.calls import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import unusable_urls
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._login.options import (
    CONNECTION_OPTIONS,
    SECRETS,
    environment_level,
    merge_levels,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._secrets import HIDDEN, is_secret_common_word
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import sentence

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

    from ansible.module_utils.basic import AnsibleModule
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FailureFacts
    from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sending import KeptSession
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # ansible-core before 2.22
    register_secrets = None

TAKES_SECRETS_OUT = register_secrets is None
"""Whether ansible-core takes secrets out of results. From 2.22 on, it masks what is registered where it is shown."""


def run_module(module: AnsibleModule, read: Callable[[Client], Mapping[str, object]]) -> t.NoReturn:
    """Exit the module with the facts that ``read`` returns; their ``warnings`` become the task's."""
    gc.disable()  # documents hold no cycles, and looking for some in all of them takes a tenth of the time
    result = result_of_read(module.params, module.no_log_values, read)
    if result.get("failed"):
        # Not where it was caught: ansible-core prints, when it is told to, what an exception was raised for.
        del result["failed"]
        module.fail_json(**t.cast("FailureFacts", result))
    for warning in t.cast("Iterable[str]", result.pop("warnings", ())):
        module.warn(sentence(warning))
    module.exit_json(**result)


def log_in_by_options(options: Mapping[str, object]) -> Connection:
    """Return the connection of the options, with what they leave out from the environment of this process."""
    return connect(merge_levels(options, environment_level(os.environ)), where=platform.node())


def result_of_read(
    params: MutableMapping[str, object],
    no_log_values: set[str],
    read: Callable[[Client], Mapping[str, object]],
    log_in: Callable[[Mapping[str, object]], Connection] = log_in_by_options,
    kept: KeptSession | None = None,
) -> dict[str, object]:
    """Return the result of a module with these parameters, which are validated: its facts or its failure.

    What ``no_log_values`` holds in the end is a secret. Of ``params``, those that must not be shown are replaced.
    """
    began = time.monotonic()
    options = {name: params[name] for name in CONNECTION_OPTIONS}
    # ansible-core prints the options of a task at -vvv, and in a URL there may be a password.
    _hide_secrets_from_output(unusable_urls(options), no_log_values)
    for name in SECRETS:
        secret = options[name]
        if isinstance(secret, str) and secret and is_secret_common_word(secret):
            # It is refused if it is used. Masked by ansible-core, the sentence of that would show where it occurs.
            no_log_values.discard(secret)
            params[name] = HIDDEN
    time_limit = t.cast("float | None", params["time_limit"])
    facts: Mapping[str, object]
    try:
        connection = log_in(options)
        _hide_secrets_from_output(connection.secrets, no_log_values)
        try:
            with Client(connection, time_limit=time_limit, kept=kept) as client:
                facts, failed = read(client), False
        except ModelArtsError as error:
            facts, failed = error.as_result(), True
        # Without secrets, so that ansible-core finds none to mask: it masks by substring in every text and number of a
        # result, and the action decides on what it leaves.
        facts = connection.without_secrets(facts, no_log_values)
        _hide_secrets_from_output(connection.lasting_secrets, no_log_values)
    except ModelArtsError as error:
        facts, failed = error.as_result(), True
    if failed:
        return {"failed": True, **facts}
    result = {"changed": False, **facts}
    if time_limit is not None:
        # Who waits for this module learns so what it takes to start it on its host.
        result["seconds"] = round(time.monotonic() - began, 3)
    return result


def _hide_secrets_from_output(secrets: Iterable[str], no_log_values: set[str]) -> None:
    """Keep secrets that no option of the module gave out of what is printed."""
    if register_secrets is None:
        no_log_values.update(secrets)
    else:
        register_secrets(secrets)
