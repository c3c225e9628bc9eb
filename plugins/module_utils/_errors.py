# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few exceptions that a user can meet.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._text import one_line, sentence

if t.TYPE_CHECKING:
    from ansible_collections.poolgate.modelarts.plugins.module_utils._facts import FailureFacts

# What a gateway says while the service behind it is away, or when it is asked too often.
TRANSIENT_STATUSES = frozenset((429, 500, 502, 503, 504))


Error = t.TypeVar("Error", bound="ModelArtsError")


class ModelArtsError(Exception):
    """One sentence that a person can act on, with what the API said beside it.

    ``status`` is the HTTP status; ``error_code`` and ``error_msg`` come from the body and ``request_id`` from the
    body or the header X-Request-Id. Each is None when the API did not give it. ``transient`` tells that the same call
    may succeed later, ``retry_after`` in how many seconds the server wants it, and ``from_iam`` that the login failed.

    All of them are one printable line without any secret that this process knows, whatever a server says and wherever.
    """

    from_iam = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_code: str | None = None,
        error_msg: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = sentence(message)
        super().__init__(self.message)
        self.status = status
        self.error_code = error_code and one_line(error_code)
        self.error_msg = error_msg and one_line(error_msg)
        self.request_id = request_id and one_line(request_id)
        self.retry_after = retry_after

    def with_message(self: Error, message: str) -> Error:
        """Return the same error with another sentence."""
        return self._copy_of_error(message=sentence(message))

    def with_advice(self: Error, more: str) -> Error:
        """Return the same error with one thing more said at its end; nothing is added when it is empty."""
        return self.with_message(f"{self.message} {more}") if more else self

    def as_login_error(self: Error) -> Error:
        """Return the same error as one of the login, so that nothing could be asked."""
        return self._copy_of_error(from_iam=True)

    def _copy_of_error(self: Error, **fields: object) -> Error:
        # Not by the constructor, which subclasses have with other arguments.
        made = self.__class__.__new__(self.__class__)
        made.__dict__.update({**self.__dict__, **fields})
        made.args = (made.message,)
        made.__cause__ = self.__cause__
        return made

    @property
    def transient(self) -> bool:
        return self.status in TRANSIENT_STATUSES

    def as_result(self) -> FailureFacts:
        """Return the fields of a failed module: ``msg``, and of the others those that are known."""
        facts: FailureFacts = {"msg": self.message}
        if self.transient:
            facts["transient"] = True
        if self.status is not None:
            facts["status"] = self.status
        if self.error_code is not None:
            facts["error_code"] = self.error_code
        if self.error_msg is not None:
            facts["error_msg"] = self.error_msg
        if self.request_id is not None:
            facts["request_id"] = self.request_id
        return facts


class InputError(ModelArtsError):
    """What the caller gave cannot be used. Nothing was sent."""


class MissingLibraryError(ModelArtsError):
    """An option needs a Python library that the host does not have. ``__cause__`` is the ImportError."""


class TransportError(ModelArtsError):
    """No answer: unreachable, refused, broken off or timed out. ``lasts`` tells that it would be so again."""

    def __init__(self, message: str, *, status: int | None = None, lasts: bool = False) -> None:
        super().__init__(message, status=status)
        self.lasts = lasts

    @property
    def transient(self) -> bool:
        return not self.lasts


class ApiError(ModelArtsError):
    """The API answered, with an error or with something that is no answer of its kind."""
