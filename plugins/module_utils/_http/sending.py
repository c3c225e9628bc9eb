# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of one read, sent until they are answered: in time, in turn, and never what was refused.

This module util is private to the collection.
"""

from __future__ import annotations

import math
import re
import threading
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import ApiError, ModelArtsError, TransportError
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.answers import date_of_answer, error_of_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.bodies import LARGEST_ANSWER, Bodies
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.no_answer import NoAnswerError, explain_no_answer
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.retries import pause_before_retry
from ansible_collections.poolgate.modelarts.plugins.module_utils._http.transport import (
    BoundedAdapter,
    session_through,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import requests
    from ansible_collections.poolgate.modelarts.plugins.module_utils._login.connection import Connection

T = t.TypeVar("T")

_AGE = re.compile("[0-9]{1,10}")  # delta-seconds of RFC 9111; longer ones are older than any answer is

_LONGEST_READ = 600.0
"""Seconds that a read without a limit of its own may take; one of 20,000 jobs takes seconds."""

_LONGEST_WAIT = 60.0  # without a limit of its own, a read is one that a person waits for
_LATEST = 2.0**37  # the year 6325: a Date behind it is none, and would overflow what is reckoned with it

_OLDEST_ANSWER = 60.0
"""Seconds by which an answer may be older than the request. A proxy that keeps answers keeps them for as long as it
likes, while the clocks of servers of one API are apart by a few seconds."""

_LONGEST_IDLE = 120.0
"""Seconds after which a kept connection is given up. Firewalls drop those that are silent for minutes, some without a
word, and a request that is sent into nothing costs its whole time-out."""

_MOST_NEW_LOGINS = 3
"""Tokens of one read that may be refused and replaced. One expires while it is read, and a second may be revoked; each
further one is a secret to keep, and a login that some accounts are locked for."""


class KeptSession:
    """The connections of one read, kept for the next one of the same process."""

    def __init__(self) -> None:
        self._session: requests.Session | None = None
        self._used = 0.0

    def session_of(self, connection: Connection, left: Callable[[], float], bodies: Bodies) -> requests.Session:
        """Return the session for a read, as it would be if it were new but for its open connections."""
        if self._session is None:
            self._session = _new_session(connection, left, bodies)
            return self._session
        # A server may close a connection in the very moment that it is used again, which a retry mends.
        if time.monotonic() - self._used > _LONGEST_IDLE or not connection.max_retries:
            self._session.close()  # its connections; it can be used again
        for adapter in self._session.adapters.values():
            t.cast(BoundedAdapter, adapter).serve_read(left, bodies)
        return self._session

    def note_end(self) -> None:
        """Remember when the connections were last used."""
        self._used = time.monotonic()

    def drop(self) -> None:
        """Close what is open, and begin the next read with a new session."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _new_session(connection: Connection, left: Callable[[], float], bodies: Bodies) -> requests.Session:
    adapter = BoundedAdapter(connection.where, left, bodies, pool_maxsize=connection.connections, pool_block=True)
    return session_through(adapter, connection.auth)


@dataclass(frozen=True)
class Call(t.Generic[T]):
    """One request: its name in sentences, its path and query below the project, and what becomes of its answer.

    ``read`` makes a document of the address that was asked, the headers and the body, or raises ModelArtsError.
    ``explain`` takes an error, the headers and the address, and returns the error with what to do about it.
    """

    name: str
    path: str
    query: str
    read: Callable[[str, Mapping[str, str], bytes], T]
    explain: Callable[[ApiError, Mapping[str, str], str], ApiError]


class Sender:
    """The session of one read, which all its threads share.

    ``time_limit`` is the number of seconds that all requests together may take, logins, retries and waits included, ten
    minutes if none is given. A caller that gives one can wait: without it, no pause is longer than a minute. ``kept``
    is the session of the last read with the same connection.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        time_limit: float | None,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        kept: KeptSession | None = None,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._sleep = sleep
        self._deadline = clock() + (_LONGEST_READ if time_limit is None else time_limit)
        self._longest_wait = _LONGEST_WAIT if time_limit is None else math.inf
        # Logins count towards the same limit: a slow IAM must not double the time of a read.
        connection.ask_within(self.left, self._longest_pause)
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._spent = 0.0
        self._ahead: float | None = None
        self._least_ahead = math.inf
        self._first_call = threading.Lock()
        self._accepted = False
        self._login_error: ModelArtsError | None = None
        self._refused_before = connection.auth.refused_tokens
        # A request that waits for a connection within urllib3 could not be stopped any more.
        self._turns = threading.BoundedSemaphore(connection.connections)
        self._bodies = Bodies(LARGEST_ANSWER, connection.connections, self.left)
        self._kept = kept
        make = _new_session if kept is None else kept.session_of
        self.session = make(connection, self.left, self._bodies)

    def close(self) -> None:
        if self._kept is None:
            self.session.close()
        else:
            self._kept.note_end()

    def left(self) -> float:
        """Return the seconds that there are for requests. What was read must still become facts."""
        return self._deadline - self._spent - self._clock()

    def spend(self, seconds: float) -> None:
        """Keep so many seconds for what is done with answers that have come."""
        with self._lock:
            self._spent += seconds

    def now(self) -> float:
        """Return the seconds since the epoch by the clock of the API, by this host's before it answers.

        An answer has been on its way since its Date, so the latest of all dates is the nearest.
        """
        with self._lock:
            return time.time() if self._ahead is None else self._ahead + time.monotonic()

    def in_parallel(self, calls: Sequence[Callable[[], T]]) -> Iterator[T]:
        """Run the calls, at most ``connections`` at once, and yield their results in call order."""
        if len(calls) < 2:
            yield from (call() for call in calls)
            return
        from concurrent.futures import ThreadPoolExecutor  # many reads need no threads, and start sooner without

        with ThreadPoolExecutor(min(len(calls), self._connection.connections)) as workers:
            futures = [workers.submit(call) for call in calls]
            try:
                for future in futures:
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

    def get(self, call: Call[T]) -> T:
        """Return what the call makes of its answer.

        The first call goes alone: an error that keeps it from being answered holds for all others, too.
        """
        if self._accepted:
            return self._until_answered(call)
        with self._first_call:
            self._raise_refusal()
            if not self._accepted:
                try:
                    answer = self._until_answered(call)
                except ModelArtsError as error:
                    # An error of the login, or of a server that was never reached, is the same for every call.
                    if error.from_iam or error.status is None:
                        self._login_error = error
                    self._accepted = self._login_error is None
                    raise
                self._accepted = True
                return answer
        return self._until_answered(call)

    def _until_answered(self, call: Call[T]) -> T:
        """Retry what is transient, and log in anew once on a 401, as often as a read may."""
        # Not before the first call: both may need a login, whose errors belong to a call.
        url = f"{self._connection.base_url()}/v2/{self._connection.project()}{call.path}"
        url = f"{url}?{call.query}" if call.query else url
        login_is_fresh = False
        failures = 0
        while True:
            try:
                return self._send_with_login(call, url, login_is_fresh)
            except ModelArtsError as raised:
                error = raised
            # Once: a second 401 with a fresh token is a refusal, and some refusals lock an account.
            if error.status == 401 and not login_is_fresh and self._connection.refusal is None:
                login_is_fresh = True
                continue
            failures += 1
            wait = pause_before_retry(error, failures, self._connection.max_retries)
            # A pause that ends behind the deadline would end in the same error, later.
            if wait is None or wait >= self._longest_pause():
                raise error
            with self._lock:
                self._not_before = max(self._not_before, self._clock() + wait)

    def _send_with_login(self, call: Call[T], url: str, login_is_fresh: bool) -> T:
        body = b""
        try:
            with self._take_connection(call.name):
                try:
                    sent = time.monotonic()
                    status, headers, body = self._send_request(call, url)
                    if status != 200:
                        error = call.explain(error_of_answer(call.name, status, headers, body), headers, url)
                        raise error.with_advice(self._note_on_pause(error))
                    self._note_server_time(call.name, headers, sent)
                except ModelArtsError as refused:
                    # Before the next thread has its turn: it must not send what will be refused as well.
                    self._note_refusal(refused, login_is_fresh)
                    raise
            # Parsed without the connection, which another thread can use meanwhile.
            return call.read(url, headers, body)
        finally:
            self._bodies.release(len(body))

    def _send_request(self, call: Call[T], url: str) -> tuple[int, Mapping[str, str], bytes]:
        # Asked anew for each try, as waiting for a turn takes from the time that is left.
        timeout = min(self._connection.timeout, self.left())
        try:
            with explain_no_answer(url, timeout, self._connection.where):
                response = self.session.get(
                    url,
                    headers={
                        "Content-Type": "application/json",
                        "Accept": "application/json",
                        "Cache-Control": "no-cache",
                    },
                    timeout=timeout,
                    verify=self._connection.verify,
                    allow_redirects=False,
                )
        except NoAnswerError as failure:
            host = self._connection.base_url()
            what = f": cannot reach {host} ({{cause}})." if failure.unreached else f" on {host}: {{cause}}."
            raise failure.for_user(call.name + what, "", "endpoint") from None
        if 300 <= response.status_code < 400:
            self._bodies.release(len(response.content))
            raise ApiError(
                f"{call.name} was redirected ({response.status_code}); redirects are not followed, because credentials "
                f"would go along. Check the endpoint. The request went to {url.partition('?')[0]}.",
                status=response.status_code,
            )
        return response.status_code, response.headers, response.content

    def _note_refusal(self, error: ModelArtsError, login_is_fresh: bool) -> None:
        """Remember that the credentials are refused for good: more than five refusals in a row lock a key."""
        # A 401 refuses for good only where no new login can follow.
        if error.status == 401 and (login_is_fresh or not self._drop_token()):
            self._connection.auth.refusal = error
        elif error.from_iam and not error.transient:
            self._login_error = error

    def _drop_token(self) -> bool:
        auth = self._connection.auth
        # Counted after it is dropped: the threads that were refused with the same token make one new login.
        return auth.drop_token() and auth.refused_tokens - self._refused_before <= _MOST_NEW_LOGINS

    def _raise_refusal(self) -> None:
        refusal = self._login_error or self._connection.refusal
        if refusal is not None:
            raise refusal

    @contextmanager
    def _take_connection(self, name: str) -> Iterator[None]:
        """Take one of the connections, once throttling lets the next request go and as long as none was refused."""
        wait = min(max(self.left(), 0.0), threading.TIMEOUT_MAX)
        if not self._turns.acquire(timeout=wait):
            raise _error_of_late_sending(name)
        try:
            # Throttling before the refusal: credentials that were refused during the wait must not be sent.
            self._wait_for_throttling(name)
            self._raise_refusal()
            yield
        finally:
            self._turns.release()

    def _wait_for_throttling(self, name: str) -> None:
        """Sleep until throttling lets the next request go, for all threads alike. Raises at the deadline."""
        while True:
            with self._lock:
                wait = self._not_before - self._clock()
            if max(wait, 0.0) >= self.left():
                raise _error_of_late_sending(name)
            if wait <= 0:
                return
            self._sleep(wait)

    def _longest_pause(self) -> float:
        return min(self._longest_wait, self.left())

    def _note_on_pause(self, error: ApiError) -> str:
        asked = error.retry_after if error.status in (429, 503) else None
        if asked is None or asked < self._longest_pause():
            return ""
        return f"The server asks for a pause of {min(asked, 1e9):.0f} s, which is longer than this call can wait."

    def _note_server_time(self, name: str, headers: Mapping[str, str], sent: float) -> None:
        """Set the clock of the API by the Date of an answer to a request that was ``sent`` at that monotonic time.

        Raises TransportError for an answer that was there before it was asked for: a proxy has kept it, and what it
        shows as free may long be taken. By their Dates, which are compared with each other and not with the clock of
        this host, that is seen once another answer of the same read is not as old.
        """
        kept = _age_of_answer(headers.get("Age", ""))
        if kept > _OLDEST_ANSWER:
            raise _error_of_kept_answer(name, kept)
        at = date_of_answer(headers.get("Date", ""))
        if at is None or not 0 < at < _LATEST:
            return
        with self._lock:
            behind = 0.0 if self._ahead is None else self._ahead - (at - sent)
            if behind > _OLDEST_ANSWER:
                raise _error_of_kept_answer(name, behind)
            # By the monotonic clock: this host's own time may be set while a read lasts.
            ahead = at - time.monotonic()
            self._ahead = ahead if self._ahead is None else max(self._ahead, ahead)
            self._least_ahead = min(self._least_ahead, at - sent)
            oldest = self._ahead - self._least_ahead
        if oldest > _OLDEST_ANSWER:
            raise _error_of_kept_answer(name, oldest, lasts=True)  # it has come before, and something rests on it


def _age_of_answer(header: str) -> float:
    """Return the seconds for which caches have kept an answer, infinite where one of them tells no number.

    Each of several caches may add an Age, and requests joins them; the oldest counts. An origin sends none at all
    (RFC 9111, 5.1), so one that cannot be read is one of a cache, and as old as any.
    """
    ages = [age.strip() for age in header.split(",")]
    return max((float(age) if _AGE.fullmatch(age) else math.inf for age in ages if age), default=0.0)


def _error_of_late_sending(name: str) -> TransportError:
    return TransportError(f"{name}: the time limit was reached before it could be sent.")


def _error_of_kept_answer(name: str, age: float, *, lasts: bool = False) -> TransportError:
    old = f"is {age:.0f} s old" if math.isfinite(age) else "has an Age that cannot be read"
    return TransportError(
        f"{name}: {'an earlier' if lasts else 'the'} answer {old}, so a proxy on the way has cached it, or "
        "the clocks of the API's servers differ. Keep the proxy from caching answers of ModelArts, or name the host in "
        "no_proxy.",
        lasts=lasts,
    )
