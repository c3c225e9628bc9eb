# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that a host may lack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import MissingLibraryError, ModelArtsError
from ansible_collections.poolgate.modelarts.plugins.module_utils._login import iam as _iam
from ansible_collections.poolgate.modelarts.tests.unit.cloud.iam import PASSWORD, SECRETS

KEYS = {"access_key": "AK1", "secret_key": SECRETS["secret_key"]}
PLACE = {"endpoint": "https://modelarts.example.com", "project_id": "p1"}
Level = dict[str, t.Any]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "HW_", "HUAWEICLOUD_", "MODELARTS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_iam.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("absent", "options", "expected"),
    [
        ("requests", {**PLACE, **KEYS}, "requests"),
        ("keystoneauth1", PASSWORD, r"keystoneauth1.*username and password"),
        ("keystoneauth1", {"cloud": "otc"}, r"openstacksdk.*option cloud"),
        ("openstack", {"cloud": "otc"}, r"openstacksdk.*option cloud"),
    ],
)
def test_a_missing_library_is_named_with_the_option_that_needs_it(absent: str, options: Level, expected: str) -> None:
    program = (
        "import sys\n"
        f"sys.modules[{absent!r}] = None\n"
        "from ansible_collections.poolgate.modelarts.plugins.module_utils import _errors\n"
        "from ansible_collections.poolgate.modelarts.plugins.module_utils._login import connection as _auth\n"
        "try:\n"
        f"    _auth.connect({options!r}, where='x')\n"
        "except _errors.MissingLibraryError as error:\n"
        "    assert isinstance(error.__cause__, ImportError)\n"
        "    print(error)\n"
    )
    assert re.search(expected, run_python(program))
    assert issubclass(MissingLibraryError, ModelArtsError)


def test_libraries_are_imported_by_the_method_that_needs_them() -> None:
    keys = {**PLACE, **KEYS}
    program = (
        "import socket, sys\n"
        "def refuse(*unused): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from ansible_collections.poolgate.modelarts.plugins.module_utils._login import connection as _auth\n"
        f"_auth.connect({keys!r}, where='x')\n"
        "print(sorted({'keystoneauth1', 'openstack', 'huaweicloudsdkcore'} & set(sys.modules)))\n"
        f"_auth.connect({PASSWORD!r}, where='x')\n"
        "print(sorted({'keystoneauth1', 'openstack', 'huaweicloudsdkcore'} & set(sys.modules)))\n"
    )
    assert run_python(program).splitlines() == ["[]", "['keystoneauth1']"]


def run_python(program: str) -> str:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
