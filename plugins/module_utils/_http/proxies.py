# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies of the environment: which one a request takes, and whether it can be used.

This module util is private to the collection.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import unquote

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import select_proxy

# What stands before the host must be percent-encoded but for these; more strictly than urllib3 reads it, which takes
# the beginning of a password with a slash for a host and repeats it.
_PROXY = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:(?P<userinfo>[^\s/?#\[\]\\]*)@)?"
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?"
)


def proxy_variable_of(value: str, names: tuple[str, ...], otherwise: str) -> str:
    """Return the variable of the environment that the value comes from; the lower-case one counts before the other."""
    named = [name for name, content in os.environ.items() if content == value and name.lower() in map(str.lower, names)]
    # Lower case sorts behind upper case, and libraries prefer it.
    return max(named, default=otherwise)


def _names_of_proxy_variables(url: str) -> tuple[str, str]:
    return f"{url.partition(':')[0]}_proxy", "all_proxy"


def check_proxy(url: str, proxies: Mapping[str, str] | None, where: str) -> None:
    """Raise InputError for a proxy that cannot be used. The sentence repeats no part of it: it may hold a password."""
    proxy = select_proxy(url, proxies)
    if not proxy:
        return
    name = f"{proxy_variable_of(proxy, _names_of_proxy_variables(url), 'The proxy of the system')} on {where}"
    parts = _PROXY.fullmatch(proxy)
    if parts is None or int(parts["port"] or 0) > 65535:
        raise InputError(
            f"{name} is not the URL of a proxy, like http://host:port. In user:password@ before the host, "
            "percent-encode all characters but letters and digits: / is %2F, ? is %3F, # is %23, @ is %40, [ is %5B."
        )
    # socks5 needs a library of its own, whose absence would surface as another error.
    if (parts["scheme"] or "http").lower() not in ("http", "https"):
        raise InputError(f"{name} must be an http proxy, with a URL like http://host:port: others are not supported.")
    try:
        # Basic authentication sends Latin-1, and urllib3 raises in the midst of the request otherwise.
        unquote(parts["userinfo"] or "").encode("latin-1")
    except UnicodeEncodeError:
        raise InputError(
            f"{name} has a user or a password with a character outside of ISO-8859-1, which cannot be sent to a proxy."
        ) from None


def proxy_variable(url: str) -> str:
    """Return the variable that names the proxy of a request."""
    names = [one for name in _names_of_proxy_variables(url) for one in (name, name.upper())]
    return next((name for name in names if os.environ.get(name)), "the system")
