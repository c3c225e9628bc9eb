# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim of a job that is followed: it is renewed while the job is awaited, and ends when the job was seen.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import shown
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import (
    end_claim_by_job,
    renew_claims_for_job,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.task_options import ending_store_of_task
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.wish import read_nonce, read_wished_id

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import Look, OwnClaim


class FollowedClaims:
    """What gates of a run have claimed, of which one may be for the job. No other one is touched.

    What fails is a warning: a job that cannot be followed to its end is not what fails a deployment.
    """

    def __init__(self, url: object, own: list[OwnClaim], remark: Callable[[str], None]) -> None:
        self._url = url
        self._own = own
        self._remark = remark
        self._names: set[str] = set()

    def renew_for(self, job_name: str) -> None:
        """Renew what is claimed for a job of that name, once."""
        if job_name in self._names:
            return
        self._names.add(job_name)
        try:
            renew_claims_for_job(ending_store_of_task(self._url, self._remark), self._own, job_name)
        except StoreError as error:
            self._leave(error)

    def end_by(self, job_name: str, job_id: str, look: Look) -> None:
        """End the claim of a job that was seen with its cards."""
        store = ending_store_of_task(self._url, self._remark)
        try:
            is_one_for_job = end_claim_by_job(store, self._own, job_name, job_id, look)
        except StoreError as error:
            self._leave(error)
        else:
            if not is_one_for_job:
                self._remark(f"The claims of this run are not for a job {job_name}, and stay as they are.")

    def _leave(self, error: StoreError) -> None:
        self._remark(f"{error} The claim stays until it expires.")


def read_followed_claims(value: object, name: str = "claims") -> list[OwnClaim]:
    """Return (ID, nonce) of each claim of a list, as gates return them. Raises InputError."""
    own = []
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            raise InputError(f"{name} has {shown(one)}, but must be a list of claims, each with its id and its nonce.")
        own.append((read_wished_id(one.get("id"), f"{name}.id"), read_nonce(one.get("nonce"), f"{name}.nonce")))
    return own
