"""Settling of claimed rows without a call: lost answers, expired ones, dry runs, missing numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction

from accounts.connections import default_number
from accounts.models import Account, Number
from messaging.compose import recipients
from messaging.meta import codes
from messaging.meta.payloads import ref_for
from messaging.models import Message, Status, Template
from messaging.send import heartbeat, outcomes
from messaging.send.claims import Claim
from messaging.status.timeline import Change, Failure
from messaging.suppressions import OPTED_OUT


def needs_no_call(claim: Claim) -> bool:
    """Tell whether ``settle`` decides about this claim."""
    return (
        claim.dry_run
        or claim.number is None
        or claim.number.removed
        or claim.status in (Status.SUBMITTING, Status.UNKNOWN)
        or outcomes.poisonous(claim)
        or (claim.left is not None and claim.left <= 0)
        or claim.suppressed
    )


def settle(claims: Sequence[Claim]) -> list[Change]:
    """Say what becomes of claims that need no call. Reads the database, and moves messages of a replaced
    number to the one that replaced it."""
    changes: list[Change] = []
    for claim in claims:
        if outcomes.poisonous(claim) and claim.status != Status.UNKNOWN:
            changes.append(_failed(claim, outcomes.POISON))
        elif claim.status == Status.SUBMITTING:
            # A worker died between the mark and the record: Meta may have the message.
            wait = outcomes.unknown_wait(claim.submitted_ago)
            changes.append(Change(claim.id, Status.UNKNOWN, token=claim.token, delay=wait, spent=False))
        elif claim.status == Status.UNKNOWN:
            changes.append(_decide(claim))
        elif claim.left is not None and claim.left <= 0:
            changes.append(_failed(claim, outcomes.EXPIRED))
        elif claim.dry_run:
            changes += _simulate(claim)
        elif claim.suppressed:
            changes.append(_failed(claim, OPTED_OUT))
        else:
            changes += _rehome(claim)
    return changes


def _simulate(claim: Claim) -> list[Change]:
    """W12: the whole way without Meta; a test key's magic recipient fails as it says."""
    code = claim.content.get("simulate")
    if code is None:
        return [Change(claim.id, Status.SENT), Change(claim.id, Status.DELIVERED)]
    told = codes.lookup(int(code))
    failure = Failure(told.slug, told.ended, code=told.code, detail={"title": told.title, "source": "test"})
    return [Change(claim.id, Status.SENT), Change(claim.id, Status.FAILED, failure=failure)]


def _failed(claim: Claim, failure: Failure) -> Change:
    return Change(claim.id, Status.FAILED, token=claim.token, failure=failure)


def _decide(claim: Claim) -> Change:
    """Nobody reported on the message within the waiting time: follow its rule.

    One-time passwords and marketing fail rather than risk a second copy; so does a template whose
    category we do not know, since it may be one of those. The rest is sent again.
    """
    expired = claim.left is not None and claim.left <= 0
    if expired or claim.attempts >= outcomes.MAX_ATTEMPTS or not _may_repeat(claim):
        return _failed(claim, outcomes.OUTCOME_UNKNOWN)
    wait = heartbeat.silence_means_nothing_for(claim.submitted_ago or 0.0, ref=ref_for(claim.id, claim.round))
    if wait > 0:
        # Our own receiver was away: Meta may have reported without being heard.
        return Change(claim.id, Status.UNKNOWN, token=claim.token, delay=timedelta(seconds=wait), spent=False)
    return outcomes.once_more(claim)


def _may_repeat(claim: Claim) -> bool:
    template: dict[str, Any] | None = claim.content.get("template")
    if template is None:
        return True
    category = (
        Template.objects.filter(
            account_id=claim.account_id,
            waba_id=claim.number.waba_id if claim.number else "",
            name=template["name"],
            language=template["language"],
        )
        .values_list("category", flat=True)
        .first()
    )
    return category == "UTILITY"


def _successor(claim: Claim) -> Number | None:
    """Return the number that takes over: the account's default one, or none but itself under /v1.

    There the caller named the number, and another brand's number must not speak in its place.
    """
    named = Message.objects.filter(pk=claim.id, source=Message.Source.V1).exists()
    if named and claim.number is not None:
        return Number.objects.filter(
            account_id=claim.account_id, phone_number_id=claim.number.phone_number_id, removed_at=None
        ).first()
    return default_number(Account(pk=claim.account_id))


def _rehome(claim: Claim) -> list[Change]:
    """W49: a message uses the credentials that are there when the worker runs.

    Its number was replaced: it moves to the account's present one and is due at once. There is none: it
    fails and says why.
    """
    number = _successor(claim)
    if number is None:
        return [_failed(claim, outcomes.NO_CREDENTIALS)]
    with transaction.atomic():
        people = recipients.meet(
            account_id=claim.account_id, connection_id=number.pk, phones=[claim.recipient]
        )
        Message.objects.filter(pk=claim.id, lease_token=claim.token).update(
            connection=number, contact=people[claim.recipient].contact_id
        )
    return [outcomes.give_back(claim)]
