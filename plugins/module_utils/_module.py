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
    from collections.abc import Callable, Iterable, Mapping

    from ansible.module_utils.basic import AnsibleModule
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FailureFacts

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # ansible-core before 2.22
    register_secrets = None


def run_module(module: AnsibleModule, read: Callable[[Client], Mapping[str, object]]) -> t.NoReturn:
    """Exit the module with the facts that ``read`` returns; their ``warnings`` become the task's."""
    began = time.monotonic()
    gc.disable()  # documents hold no cycles, and looking for some in all of them takes a tenth of the time
    options = {name: module.params[name] for name in CONNECTION_OPTIONS}
    # ansible-core prints the options of a task at -vvv, and in a URL there may be a password.
    _hide_secrets_from_module_output(unusable_urls(options), module)
    for name in SECRETS:
        if options[name] and is_secret_common_word(options[name]):
            # It is refused if it is used. Masked by ansible-core, the sentence of that would show where it occurs.
            module.no_log_values.discard(options[name])
            module.params[name] = HIDDEN
    facts, failure = _read_or_fail_module(module, options, read)
    if failure is not None:
        # Not where it was caught: ansible-core prints, when it is told to, what an exception was raised for.
        module.fail_json(**failure)
    result = dict(facts)
    for warning in t.cast("Iterable[str]", result.pop("warnings", ())):
        module.warn(sentence(warning))
    if module.params["time_limit"] is not None:
        # Who waits for this module learns so what it takes to start it on its host.
        result["seconds"] = round(time.monotonic() - began, 3)
    module.exit_json(changed=False, **result)


def _read_or_fail_module(
    module: AnsibleModule, options: Mapping[str, object], read: Callable[[Client], Mapping[str, object]]
) -> tuple[Mapping[str, object], FailureFacts | None]:
    """Return (the facts, None), or ({}, the result of a failure).

    Both are without secrets, so that ansible-core finds none to mask.

    It masks by substring in every text and number of a result, and the action decides on what it leaves.
    """
    facts: Mapping[str, object] = {}
    failure: FailureFacts | None = None
    try:
        connection = connect(merge_levels(options, environment_level(os.environ)), where=platform.node())
        _hide_secrets_from_module_output(connection.secrets, module)
        try:
            with Client(connection, time_limit=module.params["time_limit"]) as client:
                facts = read(client)
        except ModelArtsError as error:
            failure = error.as_result()
        if failure is None:
            facts = connection.without_secrets(facts, module.no_log_values)
        else:
            failure = connection.without_secrets(failure, module.no_log_values)
        _hide_secrets_from_module_output(connection.lasting_secrets, module)
    except ModelArtsError as error:
        return {}, error.as_result()
    return facts, failure


def _hide_secrets_from_module_output(secrets: Iterable[str], module: AnsibleModule) -> None:
    """Keep secrets that no option of the module gave out of what is printed.

    ansible-core 2.22 masks what is registered, and only where it is shown; earlier ones take it out of the result.
    """
    if register_secrets is None:
        module.no_log_values.update(secrets)
    else:
        register_secrets(secrets)
