"""Taking due rows: many at once, fair over numbers, with each number's pace reserved in the same commit.

A claim is a postponement: ``due_at`` moves to the end of the lease and ``lease_token`` goes up. If the
worker dies, the row is simply due again. Only the database's clock counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction

from messaging.models import Status

#: How far ahead slots of a number's rate are given out. Long enough for a claim to be worth its
#: statements, short enough that a one-time password never waits behind more than this much bulk.
HORIZON_SECONDS = 0.25
#: Numbers served by one claim; the rest come first next time (their slots are older).
NUMBERS_PER_CLAIM = 100
#: The part of each number's slots that bulk gets even while single messages wait.
BULK_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Sender:
    """The number that a claimed message goes out from, as it was when claimed."""

    id: uuid.UUID
    account_id: uuid.UUID
    phone_number_id: str
    waba_id: str
    access_token_sealed: str
    app_secret_sealed: str
    removed: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """One leased message. ``wait`` is the number of seconds until its slot; ``left`` until it expires."""

    id: uuid.UUID
    token: int
    sender: Sender | None
    account_id: uuid.UUID
    status: Status
    recipient: str
    content: dict[str, Any]
    dry_run: bool
    attempts: int
    crashes: int
    correlation_id: str
    contact_id: uuid.UUID | None
    wait: float
    left: float | None
    submitted_ago: float | None


# Numbers that have pending rows, found by skipping from one to the next in the partial index: the cost
# is one probe per such number, not one per row.
_NUMBERS = """
WITH RECURSIVE pending AS (
    (SELECT connection_id FROM messaging_message
     WHERE due_at IS NOT NULL AND connection_id IS NOT NULL ORDER BY connection_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.connection_id FROM messaging_message m
            WHERE m.due_at IS NOT NULL AND m.connection_id > pending.connection_id
            ORDER BY m.connection_id LIMIT 1)
    FROM pending WHERE pending.connection_id IS NOT NULL
)
SELECT c.id, c.account_id, c.phone_number_id, c.waba_id, c.access_token_sealed, c.app_secret_sealed,
       c.removed_at IS NOT NULL, c.messages_per_second,
       greatest(extract(epoch FROM c.next_slot_at - now()), 0)::float
FROM accounts_connection c
WHERE c.id IN (SELECT connection_id FROM pending)
  AND c.status <> 'held'
  AND (c.paused_until IS NULL OR c.paused_until <= now())
  AND (c.next_slot_at IS NULL OR c.next_slot_at < now() + make_interval(secs => %s))
  AND (EXISTS (SELECT 1 FROM messaging_message m
               WHERE m.connection_id = c.id AND m.lane = 0 AND m.due_at <= now())
    OR EXISTS (SELECT 1 FROM messaging_message m
               WHERE m.connection_id = c.id AND m.lane = 1 AND m.due_at <= now()))
ORDER BY c.next_slot_at NULLS FIRST
LIMIT %s
FOR NO KEY UPDATE OF c SKIP LOCKED
"""
_CLAIM = """
WITH wanted AS (
    SELECT * FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS w(connection_id, slots, bulk)
), singles AS (
    SELECT p.id, w.connection_id FROM wanted w CROSS JOIN LATERAL (
        SELECT m.id FROM messaging_message m
        WHERE m.connection_id = w.connection_id AND m.lane = 0 AND m.due_at <= now()
        ORDER BY m.due_at LIMIT w.slots FOR NO KEY UPDATE SKIP LOCKED) p
), counted AS (
    SELECT w.connection_id, greatest(w.bulk, w.slots - count(singles.id))::int AS slots
    FROM wanted w LEFT JOIN singles USING (connection_id)
    GROUP BY w.connection_id, w.slots, w.bulk
), bulk AS (
    SELECT p.id FROM counted w CROSS JOIN LATERAL (
        SELECT m.id FROM messaging_message m
        WHERE m.connection_id = w.connection_id AND m.lane = 1 AND m.due_at <= now()
        ORDER BY m.due_at LIMIT w.slots FOR NO KEY UPDATE SKIP LOCKED) p
)
UPDATE messaging_message m
SET lease_token = m.lease_token + 1, due_at = now() + make_interval(secs => %s), crashes = m.crashes + 1
WHERE m.id IN (SELECT id FROM singles UNION ALL SELECT id FROM bulk)
RETURNING m.id, m.lease_token, m.connection_id, m.account_id, m.status, m.recipient, m.content::text,
          m.dry_run, m.attempts, m.crashes, m.correlation_id, m.lane, m.contact_id,
          extract(epoch FROM m.expires_at - now())::float, extract(epoch FROM now() - m.submitted_at)::float
"""
_CLAIM_WITHOUT_NUMBER = """
UPDATE messaging_message m
SET lease_token = m.lease_token + 1, due_at = now() + make_interval(secs => %s), crashes = m.crashes + 1
WHERE m.id IN (SELECT id FROM messaging_message WHERE connection_id IS NULL AND due_at <= now()
               ORDER BY lane, due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
RETURNING m.id, m.lease_token, m.connection_id, m.account_id, m.status, m.recipient, m.content::text,
          m.dry_run, m.attempts, m.crashes, m.correlation_id, m.lane, m.contact_id,
          extract(epoch FROM m.expires_at - now())::float, extract(epoch FROM now() - m.submitted_at)::float
"""
_RESERVE = """
UPDATE accounts_connection c
SET next_slot_at = greatest(c.next_slot_at, now()) + make_interval(secs => u.seconds)
FROM unnest(%s::uuid[], %s::float[]) AS u(id, seconds) WHERE c.id = u.id
"""


@transaction.atomic
def claim(capacity: int) -> list[Claim]:
    """Lease up to about ``capacity`` due messages; an empty list when nothing is due or may go now."""
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, [HORIZON_SECONDS, NUMBERS_PER_CLAIM])
        numbers = cursor.fetchall()
        claims = _of_numbers(cursor, numbers, capacity) if numbers else []
        if len(claims) < capacity:
            cursor.execute(_CLAIM_WITHOUT_NUMBER, [settings.SEND_LEASE_SECONDS, capacity - len(claims)])
            claims += [_claim(row, None, 0.0) for row in cursor.fetchall()]
    return claims


def _of_numbers(cursor: Any, numbers: Sequence[tuple[Any, ...]], capacity: int) -> list[Claim]:
    senders: dict[uuid.UUID, Sender] = {}
    rates: dict[uuid.UUID, float] = {}
    first_slots: dict[uuid.UUID, float] = {}
    for *sender, rate, first_slot in numbers:
        senders[sender[0]] = Sender(*sender)
        rates[sender[0]] = max(rate, 0.01)
        first_slots[sender[0]] = first_slot
    slots = share(
        {ident: max(1, round((HORIZON_SECONDS - first_slots[ident]) * rates[ident])) for ident in senders},
        capacity,
    )
    bulk = {ident: max(1, round(count * BULK_SHARE)) if count else 0 for ident, count in slots.items()}
    cursor.execute(
        _CLAIM, [list(slots), list(slots.values()), list(bulk.values()), settings.SEND_LEASE_SECONDS]
    )
    rows = cursor.fetchall()
    # Within a number the lane decides who gets the earlier slot; the rows come back in no order.
    rows.sort(key=lambda row: row[11])
    taken = dict.fromkeys(senders, 0)
    claims: list[Claim] = []
    for row in rows:
        ident = row[2]
        wait = first_slots[ident] + taken[ident] / rates[ident]
        if not row[7]:  # a dry run makes no call and needs no slot
            taken[ident] += 1
        claims.append(_claim(row, senders[ident], wait))
    used = {ident: count / rates[ident] for ident, count in taken.items() if count}
    if used:
        cursor.execute(_RESERVE, [list(used), list(used.values())])
    return claims


def share(wanted: dict[uuid.UUID, int], capacity: int) -> dict[uuid.UUID, int]:
    """Divide ``capacity`` over the numbers so that each gets what it wants or an equal part.

    What one number does not need goes to the others, in the order given.
    """
    given: dict[uuid.UUID, int] = {}
    left = capacity
    by_appetite = sorted(wanted, key=lambda ident: wanted[ident])
    for position, ident in enumerate(by_appetite):
        part = left // (len(by_appetite) - position)
        given[ident] = min(wanted[ident], part)
        left -= given[ident]
    return given


def _claim(row: tuple[Any, ...], sender: Sender | None, wait: float) -> Claim:
    return Claim(
        id=row[0],
        token=row[1],
        sender=sender,
        account_id=row[3],
        status=Status(row[4]),
        recipient=row[5],
        content=orjson.loads(row[6]),
        dry_run=row[7],
        attempts=row[8],
        crashes=row[9],
        correlation_id=row[10],
        wait=wait,
        contact_id=row[12],
        left=row[13],
        submitted_ago=row[14],
    )
