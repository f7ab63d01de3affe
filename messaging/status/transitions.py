"""Transitions: the rule book of statuses, pure functions of one message and one change. Forward only.

``failed`` wins over ``sent`` and loses to ``delivered`` and ``read``; ``read`` implies ``delivered``
implies ``sent``. The engine's outcomes count only under the lease they were learnt with; a callback or an
accepted answer proves that Meta has the message and needs none.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from messaging.models import Status

#: what a message may still be sent from; ``submitting`` and ``unknown`` are calls without an outcome
WAITING = frozenset({Status.SCHEDULED, Status.QUEUED, Status.RETRYING})
OPEN = WAITING | {Status.SUBMITTING, Status.UNKNOWN}
#: which report says more; a status only goes forward
RANK = {Status.SENT: 1, Status.FAILED: 2, Status.DELIVERED: 3, Status.READ: 4}
#: failures that were our conclusion, not Meta's word: proof that the message was sent undoes them
_CONCLUDED = frozenset({"outcome_unknown", "expired", "poison"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message failed: Meta's code if any, a stable word, a sentence, and what Meta said."""

    slug: str
    message: str
    code: int | None = None
    detail: dict[str, Any] | None = None


OUTCOME_UNKNOWN = Failure(
    "outcome_unknown",
    "The connection to WhatsApp broke after your message was handed over, and no report of it came back. "
    "It may or may not have arrived; we did not send it again. Send a new message if it still matters.",
)
#: the same when there was an answer
ANSWER_UNCLEAR = (
    "WhatsApp answered HTTP {status}, which does not say whether your message was taken, and no report of it "
    "came back. It may or may not have arrived; we did not send it again. Send a new message if it still "
    "matters."
)


def details_of(failure: str, detail: dict[str, Any] | None) -> str | None:
    """Return Meta's own words about why a message failed (``error_data.details``), if it gave any."""
    return (detail or {}).get("details") if failure else None


#: Meta reported a failure without a reason
FAILED = Failure("failed", "WhatsApp could not deliver this message.")
#: the word that /v1, which has no status for it, gives a canceled message
CANCELED = Failure("canceled", "The message was canceled before it was handed to WhatsApp.")


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a message.

    ``status`` is where it leads. ``token`` is the lease it was learnt under; None: proof by itself.
    ``at`` is when it happened (None: now, by the database's clock). ``delay`` is how long until the row
    is due again (``retrying`` and ``unknown``). ``answer`` is what Meta answered when that proved nothing:
    kept until something is proved, and told if nothing ever is. ``spent`` False: the call was never made or
    surely not processed for a reason of pace, so the attempt does not count.
    """

    message_id: uuid.UUID
    status: Status
    token: int | None = None
    at: datetime | None = None
    wamid: str | None = None
    delay: timedelta | None = None
    failure: Failure | None = None
    pricing: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    spent: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """The part of a message that the rules read and write."""

    id: uuid.UUID
    account_id: uuid.UUID
    dry_run: bool
    status: Status
    sequence: int
    lease_token: int
    attempts: int
    crashes: int
    due_at: datetime | None
    submitted_at: datetime | None
    wamid: str | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    failure: str
    error_code: int | None
    error_message: str | None
    error_detail: dict[str, Any] | None
    pricing: dict[str, Any] | None
    created_at: datetime
    #: name of its template; empty for other kinds
    template: str
    #: how often it was retried by hand
    round: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What ``advance`` decided: the new row, the timeline entry if any, and whether the status moved."""

    row: Row
    entry: Status | None
    at: datetime
    moved: bool


def advance(row: Row, change: Change, now: datetime) -> Step | None:
    """Apply one change to one row; None when it says nothing new.

    Status never goes back: ``failed`` wins over ``sent`` and loses to ``delivered`` and ``read``;
    ``read`` implies ``delivered`` implies ``sent``. A late status still fills in its own time.
    """
    at = change.at or now
    if change.status in (Status.SENT, Status.DELIVERED, Status.READ):
        return _delivered_that_far(row, change, at)
    if change.status == Status.FAILED:
        return _failed(row, change, at)
    if change.status == Status.CANCELED:
        return _canceled(row, at)
    return _still_open(row, change, now)


def _delivered_that_far(row: Row, change: Change, at: datetime) -> Step | None:
    if row.status == Status.RECEIVED:
        return None
    at = max(at, row.created_at)
    rank = RANK[change.status]
    known = RANK.get(row.status, 0)
    wamid = row.wamid or change.wamid
    pricing = change.pricing or row.pricing
    proof_undoes_failure = row.status == Status.FAILED and row.failure in _CONCLUDED
    if known < rank or proof_undoes_failure:
        sent_at = row.sent_at or at
        fresh = replace(
            row,
            status=change.status,
            wamid=wamid,
            pricing=pricing,
            due_at=None,
            crashes=0,
            sent_at=sent_at,
            error_detail=None,
        )
        if rank >= RANK[Status.DELIVERED]:
            # Meta counts whole seconds; a delivery must not seem older than its sending.
            at = max(at, sent_at)
            fresh = replace(fresh, delivered_at=row.delivered_at or at)
        if change.status == Status.READ:
            at = max(at, fresh.delivered_at or at)
            fresh = replace(fresh, read_at=at)
        if row.status == Status.FAILED:
            fresh = replace(fresh, failed_at=None, failure="", error_code=None, error_message=None)
        return Step(fresh, change.status, at, moved=True)
    fresh = replace(row, wamid=wamid, pricing=pricing)
    late = known > rank
    if late and change.status == Status.SENT and (row.sent_at is None or at <= row.sent_at):
        at = min(at, row.failed_at or at)
        return Step(replace(fresh, sent_at=at), Status.SENT, at, moved=False)
    if late and change.status == Status.DELIVERED and (row.delivered_at is None or at <= row.delivered_at):
        # What was only implied (sent no later than read) moves along.
        sent_at = min(row.sent_at or at, at)
        return Step(replace(fresh, delivered_at=at, sent_at=sent_at), Status.DELIVERED, at, moved=False)
    return Step(fresh, None, at, moved=False) if fresh != row else None


def _failed(row: Row, change: Change, at: datetime) -> Step | None:
    if row.status not in OPEN and row.status != Status.SENT:
        return None
    if change.token is not None and (change.token != row.lease_token or row.status == Status.SENT):
        return None
    at = max(at, row.created_at, row.sent_at or row.created_at)
    failure = change.failure or FAILED
    if failure == OUTCOME_UNKNOWN and row.error_detail is not None:
        failure = _unclear(row.error_detail)
    fresh = replace(
        row,
        status=Status.FAILED,
        wamid=row.wamid or change.wamid,
        due_at=None,
        crashes=0,
        failed_at=at,
        failure=failure.slug,
        error_code=failure.code,
        error_message=failure.message,
        error_detail=failure.detail,
    )
    return Step(fresh, Status.FAILED, at, moved=True)


def _unclear(answer: dict[str, Any]) -> Failure:
    """Tell of an outcome that stayed unknown with what Meta had answered."""
    told = ANSWER_UNCLEAR.format(status=answer["http_status"])
    return Failure(OUTCOME_UNKNOWN.slug, told, code=answer.get("code"), detail=answer)


def _canceled(row: Row, at: datetime) -> Step | None:
    """Anything that waits may be cancelled, leased or not: the mark will find that it no longer waits."""
    if row.status not in WAITING:
        return None
    return Step(replace(row, status=Status.CANCELED, due_at=None), Status.CANCELED, at, moved=True)


def _still_open(row: Row, change: Change, now: datetime) -> Step | None:
    if row.status not in OPEN or change.token != row.lease_token:
        return None
    due = now + (change.delay or timedelta(0))
    if change.status == Status.UNKNOWN:
        # An answer that says nothing is still an outcome; a worker that died is none.
        crashes = 0 if change.spent else max(0, row.crashes - 1)  # this look was no crash
        said = change.answer or row.error_detail
        fresh = replace(row, status=Status.UNKNOWN, due_at=due, crashes=crashes, error_detail=said)
        return Step(fresh, None, now, moved=True)
    if change.status == row.status and not change.spent:
        return Step(replace(row, due_at=due, crashes=0), None, now, moved=False)  # a claim given back
    attempts = row.attempts if change.spent else max(0, row.attempts - 1)
    # Sending again after silence is no outcome either: what kills a worker each time must be found out.
    crashes = max(0, row.crashes - 1) if row.status == Status.UNKNOWN else 0
    fresh = replace(
        row,
        status=change.status,
        due_at=due,
        submitted_at=None,
        attempts=attempts,
        crashes=crashes,
        error_detail=None,
    )
    # A throttled message may wait in line many times; its timeline says so once or twice, not each time.
    entry = change.status if change.spent or row.sequence <= 2 else None
    if change.status in (Status.QUEUED, Status.SCHEDULED):
        entry = None  # a claim given back after an uncertain mark: nothing happened to the message
    return Step(fresh, entry, now, moved=entry is not None)
