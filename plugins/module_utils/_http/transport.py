# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that go where they should, answers that end.

What goes out, and what fails, passes one place: it sees the address, the proxy and the authorities as they will be
used, from whatever option, file or variable they come.

This module util is private to the collection.
"""

from __future__ import annotations

import functools
import os
import typing as t
from http.cookiejar import DefaultCookiePolicy

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.authorities import unusable_authorities
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.deadlines import POOLS, Deadline
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.libraries import (
    HTTPAdapter,
    requests,
    select_proxy,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.no_answer import (
    AUTHORITIES,
    NoAnswerError,
    explain_no_answer,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.proxies import (
    check_proxy,
    proxy_variable,
    proxy_variable_of,
)
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.sizes import size_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.urls import is_private_url, origin_of_url

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import Bodies


class BoundedAdapter(HTTPAdapter):
    """For sessions of requests: a whole request, from the connection to the last byte, ends within its time-out.

    ``where`` is the host that the code runs on, as errors name it. ``left`` tells how many seconds there are for this
    and all that follows, and is asked before each request: a library may send several where one was meant. ``bodies``
    read what comes, so an answer is whole when it is returned. ``note`` is told the headers that go and those that
    come. ``most_values`` bounds answers that a library reads, which knows no bound.

    Raises InputError for a proxy or authorities that cannot be used, with nothing sent, and NoAnswerError.
    """

    def __init__(
        self,
        where: str,
        left: Callable[[], float],
        bodies: Bodies,
        note: Callable[[Mapping[str, object]], None] = lambda headers: None,
        most_values: int | None = None,
        **kwargs: t.Any,
    ) -> None:
        self._where = where
        self._left = left
        self._bodies = bodies
        self._note = note
        self._most_values = most_values
        super().__init__(**kwargs)

    def serve_read(self, left: Callable[[], float], bodies: Bodies) -> None:
        """Send from now on for another read, over the connections that are open."""
        self._left = left
        self._bodies = bodies

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        # On the manager and not globally: other users of urllib3 in this process keep theirs.
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def send(
        self,
        request: t.Any,
        stream: bool = False,
        timeout: t.Any = None,
        verify: bool | str = True,
        cert: t.Any = None,
        proxies: t.Any = None,
    ) -> requests.Response:
        url = str(request.url)
        # Here and not only in options: a catalog, a discovery or a token endpoint may name an address, too.
        if not is_private_url(url):
            raise InputError(
                f"{origin_of_url(url)} is an address without https to which {self._where} was about to send "
                "credentials: over http they would be readable on the network."
            )
        if url.startswith("http:"):
            proxies = {}  # loopback in clear text: no proxy may read what is sent there
        else:
            check_proxy(url, proxies, self._where)
            _check_adapter_authorities(verify, self._where)
        request.headers["Accept-Encoding"] = "gzip"  # what Bodies unpacks
        # Before sending: an error may repeat what was sent.
        self._note(request.headers)
        seconds = min(timeout, self._left())
        if seconds <= 0:
            raise NoAnswerError("no time was left for the request")
        until: t.Any = Deadline(seconds)
        try:
            with explain_no_answer(url, seconds, self._where):
                # As a stream, so that nothing is read before Bodies does it.
                response = super().send(request, True, until, verify, cert, proxies)
                self._note(response.headers)
                body = self._bodies.read(response)
                # requests would read the body by itself, without a bound.
                response._content = body
                # JSON is UTF-8. For what is not, requests would go through all tables of characters there are.
                response.encoding = "utf-8"
                if self._most_values is not None and size_of_answer(body).values > self._most_values:
                    raise NoAnswerError("the answer holds more than can be read", lasts=True)
        except NoAnswerError as failure:
            if select_proxy(url, proxies) and "proxy that" not in failure.cause:
                # Behind a proxy, one that ends a connection and one that lets it end look the same.
                more = f"The request went through the proxy that {proxy_variable(url)} names."
                raise failure.with_more_advice(more) from None
            raise
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


def session_through(
    adapter: BoundedAdapter, auth: Callable[[requests.PreparedRequest], requests.PreparedRequest]
) -> requests.Session:
    """Return a session that sends everything through the adapter and takes credentials from ``auth`` alone.

    With an ``auth`` of its own, requests adds nothing that ~/.netrc has for the host.
    """
    session = requests.Session()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.auth = auth
    # Neither API has cookies, and one that a proxy sets would tell it which requests are of one read.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _check_adapter_authorities(verify: bool | str, where: str) -> None:
    if isinstance(verify, str):
        reason = _unusable_authorities(verify, _state_of_authorities(verify))
        if reason is not None:
            name = proxy_variable_of(verify, AUTHORITIES[:2], "ca_path")
            raise InputError(f"{name} on {where} names {reason}, so no certificate could be verified.")


@functools.lru_cache(maxsize=20)
def _unusable_authorities(path: str, state: object) -> str | None:
    """Return unusable_authorities(), as long as the state is the same.

    Each request asks, a read may send hundreds, and the file is parsed each time.
    """
    return unusable_authorities(path)


def _state_of_authorities(path: str) -> object:
    """Return what changes when somebody mends the file, which a process that reads for days has to notice."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
