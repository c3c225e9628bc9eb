# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-core has for tests, and stand-ins where it is older than 2.22, or than 2.19."""

from __future__ import annotations

import contextlib
import json
import typing as t
from unittest import mock

from ansible.module_utils import basic

Arguments = dict[str, t.Any]

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:

    @contextlib.contextmanager
    def patch_module_args(module_args: Arguments | None = None) -> t.Iterator[None]:
        """Modules that are run inside have these arguments."""
        given = json.dumps({"ANSIBLE_MODULE_ARGS": module_args or {}}).encode()
        with mock.patch.object(basic, "_ANSIBLE_ARGS", given):
            yield


try:
    from ansible.module_utils.secrets import mask_secrets as shown
except ImportError:

    def shown(value: str, /) -> str:
        """What a module writes is shown as it is: its secrets were taken out of it before."""
        return value


# Those that core gives to every template.
VARIABLES: dict[str, str] = {}

try:
    from ansible.template import trust_as_template
except ImportError:
    VARIABLES["omit"] = "__omit_place_holder__0123456789abcdef"

    def trust_as_template(value: str) -> str:
        """Text is a template unless it is marked as unsafe."""
        return value


__all__ = ["VARIABLES", "patch_module_args", "shown", "trust_as_template"]
