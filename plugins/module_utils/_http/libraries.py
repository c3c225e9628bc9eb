# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python libraries that a host may lack. Without requests, all names are there, and connect() says what is missing.

This module util is private to the collection.
"""

from __future__ import annotations

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import MissingLibraryError

__all__ = (
    "REQUESTS_IMPORT_ERROR",
    "AuthBase",
    "HTTPAdapter",
    "HTTPConnection",
    "HTTPConnectionPool",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "Timeout",
    "missing_library",
    "requests",
    "select_proxy",
    "urllib3",
)

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
    from requests.auth import AuthBase
    from requests.utils import select_proxy
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.util import Timeout
except ImportError as error:
    REQUESTS_IMPORT_ERROR: ImportError | None = error
    # Classes are made of these when a module is imported, and nothing is called.
    requests = urllib3 = select_proxy = None  # type: ignore[assignment]
    AuthBase = HTTPAdapter = HTTPConnection = HTTPSConnection = Timeout = object  # type: ignore[misc,assignment]
    HTTPConnectionPool = HTTPSConnectionPool = object  # type: ignore[misc,assignment]
else:
    REQUESTS_IMPORT_ERROR = None


def missing_library(library: str, needed_for: str) -> MissingLibraryError:
    """Return the error of a library that is not there, in the words of ansible-core."""
    return MissingLibraryError(str(missing_required_lib(library, reason=f"for {needed_for}")))
