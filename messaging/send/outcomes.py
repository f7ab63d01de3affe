"""Outcomes: from Meta's answer to what becomes of the message; pure rules, no network, no database."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from django.conf import settings

from messaging.meta.client import Accepted, Answer, Refused, Unknown, Unsent
from messaging.meta.codes import Outcome
from messaging.models import Status
from messaging.send.claims import Claim
from messaging.status.timeline import Change, Failure
from messaging.status.transitions import OUTCOME_UNKNOWN as OUTCOME_UNKNOWN

#: tries of one message after answers that prove it was not processed
MAX_ATTEMPTS = 6
BACKOFF_FIRST_SECONDS = 2.0
BACKOFF_LONGEST_SECONDS = 120.0
#: claims that ended without an outcome before we call a message poisonous, when its call was about to be made
#: in as many; those after ``claims_sql.SUSPECT_CRASHES`` were made with no other suspect under way
MAX_CRASHES = 5
#: the same when workers mostly died before its turn came: innocent messages meet that, too, while workers die
#: every few seconds for another reason
MAX_CRASHES_UNCALLED = 8
#: how long a number rests after an application- or account-wide limit (codes 4, 80007, …)
ACCOUNT_PAUSE_SECONDS = 60.0

EXPIRED = Failure(
    "expired", "The message waited longer than it was worth sending, so it was not sent. Send a new one."
)
POISON = Failure(
    "poison",
    "Each try to send this message broke off inside our service. It was set aside; our operators can see it.",
)
NO_CREDENTIALS = Failure(
    "no_credentials",
    "The WhatsApp credentials were removed before this message was sent. "
    "Save them with PUT /auth/me/credentials and send it again.",
)
META_UNREACHABLE = Failure(
    "meta_unreachable", "WhatsApp could not be reached for a while. Send the message again."
)


def backoff(attempts: int) -> timedelta:
    """Return a wait with full jitter: somewhere between half a second and 2, 4, 8 … 120 seconds."""
    longest = min(BACKOFF_LONGEST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** max(0, attempts - 1))
    return timedelta(seconds=random.uniform(0.5, longest))  # noqa: S311 - spreads load, hides nothing


def poisonous(claim: Claim) -> bool:
    """Tell whether the message is what ended so many of its claims, rather than what stood beside."""
    return claim.crashes > (MAX_CRASHES if claim.attempts >= MAX_CRASHES else MAX_CRASHES_UNCALLED)


def unknown_wait(submitted_ago: float | None = None) -> timedelta:
    """Return how long to wait for Meta's callback before the message's own rule decides."""
    return timedelta(seconds=max(1.0, settings.UNKNOWN_WAIT_SECONDS - (submitted_ago or 0.0)))


def is_down(answer: Answer) -> bool:
    """Tell whether Meta said that it cannot work: proved not processed, and yet no sign that it is well."""
    return isinstance(answer, Refused) and answer.meta.outcome is Outcome.RETRY and answer.http_status >= 500


def change_of(claim: Claim, answer: Answer) -> Change:
    """Say what an answer means for the message that was called for."""
    if isinstance(answer, Accepted):
        return Change(claim.id, Status.SENT, token=claim.token, wamid=answer.wamid)
    if isinstance(answer, Unknown):
        said = None if answer.http_status is None else _said(answer) | {"code": answer.code}
        return Change(claim.id, Status.UNKNOWN, token=claim.token, delay=unknown_wait(), answer=said)
    if isinstance(answer, Unsent):
        return _again(
            claim,
            backoff(claim.attempts + 1),
            META_UNREACHABLE,
        )
    return _refused(claim, answer)


def _said(answer: Refused | Unknown) -> dict[str, Any]:
    """Return Meta's own words, as they are kept with the message."""
    return {
        "title": answer.title,
        "details": answer.details,
        "fbtrace_id": answer.fbtrace_id,
        "http_status": answer.http_status,
    }


def _refused(claim: Claim, answer: Refused) -> Change:
    failure = Failure(
        slug=answer.meta.slug,
        message=answer.meta.ended,
        code=answer.code,
        detail=_said(answer) | {"title": answer.title or answer.meta.title},
    )
    outcome = answer.meta.outcome
    asked = answer.retry_after
    if outcome is Outcome.THROTTLE_NUMBER:
        # Never processed and not the message's fault: it waits, and the try does not count.
        return _wait(claim, timedelta(seconds=asked or random.uniform(0.5, 1.5)))  # noqa: S311
    if outcome is Outcome.THROTTLE_PAIR:
        # Meta's own rule for a pair: 4^0, 4^1, 4^2 … seconds. Only this recipient waits.
        return _again(claim, timedelta(seconds=asked or 4.0 ** min(claim.attempts, 4)), failure)
    if outcome in (Outcome.THROTTLE_ACCOUNT, Outcome.PAUSE_ACCOUNT):
        return _wait(claim, timedelta(seconds=asked or ACCOUNT_PAUSE_SECONDS))
    if outcome is Outcome.HOLD_CREDENTIALS:
        # The number is held, so nothing claims this row until there are new credentials.
        return _wait(claim, timedelta(0))
    if outcome is Outcome.RETRY:
        return _again(claim, timedelta(seconds=asked) if asked else backoff(claim.attempts + 1), failure)
    return Change(claim.id, Status.FAILED, token=claim.token, failure=failure)


def _wait(claim: Claim, delay: timedelta) -> Change:
    return Change(claim.id, Status.RETRYING, token=claim.token, delay=delay, spent=False)


def _again(claim: Claim, delay: timedelta, failure: Failure) -> Change:
    if claim.attempts + 1 >= MAX_ATTEMPTS:
        return Change(claim.id, Status.FAILED, token=claim.token, failure=failure)
    return Change(claim.id, Status.RETRYING, token=claim.token, delay=delay)


def give_back(claim: Claim) -> Change:
    """Return a claim that was not used: due at once, nothing counted, no timeline entry."""
    return Change(claim.id, claim.status, token=claim.token, delay=timedelta(0), spent=False)


def once_more(claim: Claim) -> Change:
    """Send a message again whose first answer was lost and never reported."""
    return Change(claim.id, Status.RETRYING, token=claim.token, delay=timedelta(0))
