# Copyright (c) The poolgate.modelarts contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.poolgate.modelarts.plugins.module_utils._errors import InputError
from ansible_collections.poolgate.modelarts.plugins.module_utils._text import (
    is_blank,
    one_line,
    sentence,
    shown,
    trimmed,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._action import (
    STORE_VARIABLE,
    ObservingAction,
    store_given_to_action,
)
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.words import clock, coming_time
from ansible_collections.poolgate.modelarts.plugins.plugin_utils._report.wording import word_amount

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import ListedClaim
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.store import Store
    from ansible_collections.poolgate.modelarts.plugins.plugin_utils._decision.verdict import ClaimFacts

_STATES = ("listed", "released", "renewed", "ended")

_SAID = {
    "released": "Claim {id} is released. Its room is free in one minute, unless its job appears.",
    "void": "Claim {id} is released.",
    "started": "Claim {id} has ended: its job runs.",
    "over": "Claim {id} has ended: its job is over.",
    "replaced": "Claim {id} was replaced by another claim with the same ID.",
    "waits": "Claim {id} stays until it expires, as its job waits.",
    "expired": "Claim {id} has expired.",
    "gone": "There is no claim {id}.",
}


class ClaimsListed(t.TypedDict):
    """The result of a task that lists claims."""

    changed: bool
    claims: list[ListedClaim]


class ReleasedClaim(t.TypedDict):
    """What became of a claim that was to be given back; ``end`` is a key of the sentences above."""

    id: str
    end: str
    message: str


class ClaimsReleased(t.TypedDict):
    """The result of a task that gives claims back."""

    changed: bool
    released: list[ReleasedClaim]
    messages: list[str]


class ClaimEnded(t.TypedDict):
    """The result of a task that ends a claim, and of one that would change it, but for check mode."""

    changed: bool


class ClaimRenewed(ClaimEnded):
    """The result of a task that renews a claim."""

    claim: ClaimFacts


class ClaimFailure(t.TypedDict):
    """The result of a task that fails."""

    failed: bool
    changed: bool
    msg: str


class ActionModule(ObservingAction):
    """Lists claims, gives them back, renews them."""

    own_options: t.ClassVar = {
        "store": {"type": "raw"},
        "state": {"type": "raw"},
        "id": {"type": "raw"},
        "nonce": {"type": "raw"},
        "all_hosts": {"type": "raw"},
        "submitted": {"type": "raw"},
        "claim": {"type": "raw"},
        "seconds": {"type": "raw"},
    }

    def act(self, options: Mapping[str, object]) -> Mapping[str, object]:
        state = trimmed(str(options["state"] or "listed"))
        if state not in _STATES:
            raise InputError(f"value of state must be one of: {', '.join(_STATES)}, got: {one_line(state, 60)}.")
        submitted = _read_claim_boolean("submitted", options["submitted"], default=True)
        all_hosts = _read_claim_boolean("all_hosts", options.get("all_hosts"), default=False)
        url = store_given_to_action(options["store"])
        if url is None:
            if state == "released":
                return {"changed": False, "released": [], "messages": []}
            raise InputError(f"There is no claim store: set store, or {STORE_VARIABLE}.")
        # Without a store, nothing of this is imported.
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.task_options import (
            ending_store_of_task,
        )
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.wish import (
            read_nonce,
            read_wish,
            read_wished_id,
        )

        claim_id = None if is_blank(options["id"]) else read_wished_id(options["id"])
        nonce = read_nonce(options["nonce"])
        job = None if is_blank(options["claim"]) else read_wish(options["claim"]).job
        store = ending_store_of_task(url, self.remark)
        try:
            if state == "listed":
                return self._list_claims(store)
            if state == "released":
                own = [(claim_id, nonce)] if claim_id else self._claims_of_job(store) if all_hosts else []
                if all_hosts and not own:
                    # The last step of a pipeline: an ID that was forgotten would look like success.
                    self.say(["There is no claim to release. Outside GitLab, give the ID of the claim."])
                return self._release_claim(store, own, submitted, job, options)
            if claim_id is None:
                raise InputError("id is missing: give the ID of the claim.")
            if state == "renewed":
                return self._renew_claim(store, claim_id, nonce, options["seconds"])
            return self._end_claim(store, claim_id)
        except StoreError as error:
            if state == "released":
                self.remark(f"{error} The claim stays until it expires.")
                return {"changed": False, "released": [], "messages": []}
            return {"failed": True, "changed": False, "msg": sentence(str(error))}

    def _list_claims(self, store: Store) -> ClaimsListed:
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import list_claims

        claims = list_claims(store, self.remark)
        self.say(_lines_of_claims_to_list(claims) or [f"Nothing is claimed in {store.shown}."])
        return {"changed": False, "claims": claims}

    def _claims_of_job(self, store: Store) -> list[tuple[str, str]]:
        """Return (ID, nonce) of what this run of a pipeline's job has claimed, for all its hosts."""
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import ids_of_claims_to_end
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.wish import (
            owner_of_claims,
            wished_id_prefix_of_pipeline,
        )

        prefix = wished_id_prefix_of_pipeline(os.environ)
        return ids_of_claims_to_end(store, prefix, owner_of_claims(self._variables, os.environ)) if prefix else []

    def _release_claim(
        self,
        store: Store,
        own: list[tuple[str, str]],
        submitted: bool,
        job: str | None,
        options: Mapping[str, object],
    ) -> ClaimsReleased:
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.database import StoreError
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import release_claim

        released: list[ReleasedClaim] = []
        for one, nonce in [] if self._task.check_mode else own:
            try:
                ends = release_claim(store, one, self.job_look(options), nonce=nonce, submitted=submitted, job=job)
            except StoreError as error:
                # A deployment that went well does not fail because of it, and the claims of other hosts can still go.
                self.remark(f"{error} The claim stays until it expires.")
                continue
            released += [{"id": one, "end": why, "message": sentence(_SAID[why].format(id=one))} for why in ends]
        messages = [one["message"] for one in released]
        if messages:
            self.say(messages)
        ended = {"released", "void", "started", "over"}
        return {"changed": any(one["end"] in ended for one in released), "released": released, "messages": messages}

    def _renew_claim(
        self, store: Store, claim_id: str, nonce: str, given: object
    ) -> ClaimRenewed | ClaimEnded | ClaimFailure:
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import renew_claim
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.wish import read_seconds_of_claim

        seconds = read_seconds_of_claim(given)
        if self._task.check_mode:
            return {"changed": True}
        claim = renew_claim(store, claim_id, seconds, nonce=nonce)
        if claim is None:
            message = f"Claim {claim_id} no longer exists: others may have its room. Run the gate again."
            return {"failed": True, "changed": False, "msg": sentence(message)}
        until = coming_time(claim["expires_at"], claim["seconds_left"])
        self.say([sentence(f"Claim {claim_id} lasts until {until}.")])
        return {"changed": True, "claim": claim}

    def _end_claim(self, store: Store, claim_id: str) -> ClaimEnded | ClaimFailure:
        from ansible_collections.poolgate.modelarts.plugins.plugin_utils._claims.ends import end_claim_by_hand

        if self._task.check_mode:
            return {"changed": True}
        if not end_claim_by_hand(store, claim_id):
            message = f"There is no claim {claim_id} to end. The room of a released claim is free after one minute."
            return {"failed": True, "changed": False, "msg": sentence(message)}
        self.say([sentence(f"Claim {claim_id} is ended. Its room is free in one minute.")])
        return {"changed": True}


def _lines_of_claims_to_list(claims: list[ListedClaim]) -> list[str]:
    """Return a line for each claim: pool, amounts, job, owner, how long it lasts, and its ID below."""
    lines = []
    for one in claims:
        claim = one["claim"]
        amounts = ", ".join(word_amount(name, value) for name, value in claim["resources"].items() if value)
        owner = f" of {claim['owner']}" if claim["owner"] else ""
        released = " (released)" if one["is_released"] else ""
        left = f"{clock(claim['seconds_left'])}{released}"
        lines.append(sentence(f"{one['pool']}: {amounts} for {claim['job']}{owner}, {left}"))
        lines.append("  " + sentence(claim["id"]))
    return lines


def _read_claim_boolean(name: str, value: object, *, default: bool) -> bool:
    if value is None:
        return default
    try:
        return bool(boolean(value))
    except TypeError:
        raise InputError(f"{name} is {shown(value)}, but must be true or false.") from None
