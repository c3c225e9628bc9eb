# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders of certificate authorities.

This module util is private to the collection.
"""

from __future__ import annotations

import os
import re
import ssl

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


def unusable_authorities(path: str) -> str | None:
    """Return what is wrong with a file or a folder of certificate authorities, as the end of "ca_path names ..."."""
    file = one_line(repr(path), 300)  # as long as a path can be and still tell which it is
    if not os.path.exists(path):
        return f"a file that does not exist, {file}"
    try:
        if os.path.isdir(path):
            # OpenSSL looks for a certificate by the hash of its name, and passes over any other file.
            if any(map(_HASHED.fullmatch, os.listdir(path))):
                return None
            return f"a folder without certificates, {file} (openssl rehash gives them the names that count)"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return f"a file without a certificate in PEM, {file}"
    except OSError as error:
        return f"a path that cannot be read ({error.strerror}), {file}"
    return None
