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
import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._auth import connect
from ansible_collections.poolgate.modelarts.plugins.module_utils._client import Client
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
    environment_level,
    merge_levels,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ansible.module_utils.basic import AnsibleModule

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # ansible-core before 2.22
    register_secrets = None


def run(module: AnsibleModule, read: Callable[[Client], dict[str, t.Any]]) -> t.NoReturn:
    """Exits the module with the facts that ``read`` returns; their ``warnings`` become the task's."""
    gc.disable()  # documents hold no cycles, and looking for some in all of them takes a tenth of the time
    try:
        options = {name: module.params[name] for name in CONNECTION_OPTIONS}
        connection = connect(merge_levels(options, environment_level(os.environ)), where=platform.node())
        _hide(connection.secrets, module)
        with Client(connection, time_limit=module.params["time_limit"]) as client:
            try:
                facts = read(client)
            except ModelArtsError:
                _hide(connection.secrets, module)
                raise
        # ansible-core before 2.22 looks for each of these in every text of the answer.
        _hide(connection.lasting_secrets, module)
    except ModelArtsError as error:
        module.fail_json(**error.as_result())
    for warning in facts.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(changed=False, **facts)


def _hide(secrets: Iterable[str], module: AnsibleModule) -> None:
    """Keep secrets that no option of the module gave out of what is printed.

    ansible-core 2.22 masks what is registered, and only where it is shown; earlier ones take it out of the result.
    """
    if register_secrets is None:
        module.no_log_values.update(secrets)
    else:
        register_secrets(secrets)
