"""Archive of callbacks as they came: kept encrypted for a time, applied again on demand, then forgotten.

A kept callback is sealed for its row. After ``CALLBACKS_KEPT_DAYS`` its bytes are wiped; the row stays
until its source's ``DIGEST_DAYS`` are over, because its digest is what makes a replayed callback a known one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction

from accounts import vault
from core.jobs.wakeup import wake
from webhooks.models import InboundEvent

#: Meta repeats a callback for seven days, and somebody who recorded one may repeat it later; Stripe's events
#: can be sent again by hand for thirty
DIGEST_DAYS = {InboundEvent.Source.META: 30, InboundEvent.Source.STRIPE: 60}
#: whose workers apply what a source called in (settings.WORKERS)
_QUEUES = {InboundEvent.Source.META: "inbox", InboundEvent.Source.STRIPE: "billing"}
BATCH = 1_000

_DONE = "due_at IS NULL AND received_at < now() - make_interval(days => %s)"
_EMPTY = f"""
WITH old AS (
    SELECT id FROM webhooks_inboundevent WHERE {_DONE} AND raw <> ''
    ORDER BY received_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE webhooks_inboundevent e SET raw = '' FROM old WHERE e.id = old.id
"""
_DELETE = f"""
DELETE FROM webhooks_inboundevent WHERE id IN (
    SELECT id FROM webhooks_inboundevent WHERE {_DONE} AND source = %s ORDER BY received_at LIMIT %s
)
"""
# Due a microsecond apart from ten seconds ago on, so that they are claimed in the order in which they came.
_AGAIN = """
WITH kept AS (
    SELECT id, received_at FROM webhooks_inboundevent
    WHERE due_at IS NULL AND raw <> '' AND source = %s AND received_at >= %s AND received_at < %s
      AND (%s::uuid IS NULL OR account_id = %s) AND (NOT %s OR parked <> '[]' OR applied_at IS NULL)
      AND (%s::jsonb IS NULL OR parked @> %s::jsonb)
      AND (received_at, id) > (%s, %s)
    ORDER BY received_at, id LIMIT %s FOR NO KEY UPDATE
), numbered AS (
    SELECT id, received_at, row_number() OVER (ORDER BY received_at, id) AS place FROM kept
), moved AS (
    UPDATE webhooks_inboundevent e
    SET due_at = %s + (%s + n.place) * interval '1 microsecond', attempts = 0
    FROM numbered n WHERE e.id = n.id
    RETURNING n.received_at, e.id
)
SELECT received_at, id FROM moved ORDER BY received_at, id
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: rows whose bytes were wiped, rows that were deleted."""

    emptied: int
    deleted: int


@dataclass(slots=True)
class Resealed:
    """What a rotation of the credentials key did to kept callbacks."""

    resealed: int = 0
    unreadable: int = 0


def _context(ident: uuid.UUID) -> str:
    return f"callback:{ident}"


def seal(ident: uuid.UUID, raw: bytes) -> bytes:
    """Encrypt a callback for its row."""
    return vault.ring().seal_bytes(raw, context=_context(ident))


def unseal(ident: uuid.UUID, kept: bytes) -> bytes:
    """Return the bytes as they came. Raises ``vault.CannotOpen``.

    What was stored before callbacks were sealed is the JSON itself.
    """
    if kept[:1] != b"v":
        return kept
    return vault.ring().open_bytes(kept, context=_context(ident))


def sweep() -> Swept:
    """Wipe callbacks whose time is over and delete those that nobody will repeat; in small batches.

    What is still to be applied is not touched.
    """
    days = settings.CALLBACKS_KEPT_DAYS
    emptied = _in_batches(_EMPTY, days)
    deleted = sum(_in_batches(_DELETE, max(kept, days), source) for source, kept in DIGEST_DAYS.items())
    return Swept(emptied, deleted)


def _in_batches(statement: str, *values: int | str) -> int:
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [*values, BATCH])
            total += cursor.rowcount
            if cursor.rowcount < BATCH:
                return total


def again(
    *,
    since: datetime,
    until: datetime,
    source: InboundEvent.Source = InboundEvent.Source.META,
    account_id: uuid.UUID | None = None,
    unfinished: bool = False,
    waiting_for: str = "",
) -> int:
    """Make kept callbacks of a time due again, in their order; returns how many.

    ``account_id`` takes only what that account's own secret signed. ``unfinished`` takes only those that
    were given up or have parked items; ``waiting_for`` those with an item that waits for this phone number
    id. They are applied by the worker like new ones, which changes nothing
    where they were applied before.
    """
    total = 0
    after: tuple[datetime, uuid.UUID] = (since, uuid.UUID(int=0))
    number = orjson.dumps([{"number": waiting_for}]).decode() if waiting_for else None
    asked: list[Any] = [source, since, until, account_id, account_id, unfinished, number, number]
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - interval '10 seconds'")
        (first,) = cursor.fetchone()
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_AGAIN, [*asked, *after, BATCH, first, total])
            rows = cursor.fetchall()
        total += len(rows)
        if len(rows) < BATCH:
            break
        after = rows[-1]
    if total:
        wake(_QUEUES[source])
    return total


def reseal() -> Iterator[Resealed]:
    """Seal kept callbacks with the newest key; yields the running count after each batch. Resumable."""
    count = Resealed()
    last = uuid.UUID(int=0)
    head = vault.current_head()
    while True:
        with transaction.atomic():
            rows = list(
                InboundEvent.objects.select_for_update()
                .filter(pk__gt=last)
                .exclude(raw=b"")
                .order_by("pk")
                .only("pk", "raw")[:BATCH]
            )
            stale: list[InboundEvent] = []
            for row in rows:
                if bytes(row.raw).startswith(head):
                    continue
                try:
                    row.raw = seal(row.pk, unseal(row.pk, bytes(row.raw)))
                    stale.append(row)
                except vault.CannotOpen:
                    count.unreadable += 1
            InboundEvent.objects.bulk_update(stale, ["raw"])
            count.resealed += len(stale)
        yield count
        if len(rows) < BATCH:
            return
        last = rows[-1].pk
