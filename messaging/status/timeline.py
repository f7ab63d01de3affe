"""Timeline: the only module that writes Message.status. Forward only.

Two kinds of writers come here. The engine holds a lease, and its outcomes count only while the row
still carries its token. A callback (or an accepted answer) needs no token: it proves that Meta has the
message, whoever sent it. The rules themselves are pure and live in ``messaging.status.transitions``; here
``record`` applies many changes in one transaction, ``mark`` is the step before a call to Meta, and
``requeue`` opens a failed message again.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from django.db import transaction

from core.sql import hot
from messaging.models import Status
from messaging.status import daily_totals, webhook_events
from messaging.status.transitions import OPEN, WAITING, Change, Failure, Row, Step, advance

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Recorded:
    """What ``record`` did: the moved messages with their new status, and changes that came too late."""

    moved: list[tuple[uuid.UUID, Status]] = field(default_factory=list)
    ignored: int = 0
    missing: list[Change] = field(default_factory=list)


_COLUMNS: Sequence[tuple[str, str]] = (
    # column of the row that changes, its Postgres type
    ("status", "text"),
    ("sequence", "smallint"),
    ("attempts", "smallint"),
    ("crashes", "smallint"),
    ("due_at", "timestamptz"),
    ("submitted_at", "timestamptz"),
    ("wamid", "text"),
    ("sent_at", "timestamptz"),
    ("delivered_at", "timestamptz"),
    ("read_at", "timestamptz"),
    ("failed_at", "timestamptz"),
    ("failure", "text"),
    ("error_code", "int"),
    ("error_message", "text"),
    ("error_detail", "jsonb"),
    ("pricing", "jsonb"),
)
_JSON = frozenset({"error_detail", "pricing"})
_READ = (
    "id, account_id, dry_run, status, sequence, lease_token, attempts, crashes, due_at, submitted_at, "
    "wamid, sent_at, delivered_at, read_at, failed_at, failure, error_code, error_message, "
    "error_detail::text, pricing::text, created_at, coalesce(content->'template'->>'name', ''), "
    "round"
)
_LOCK = f"SELECT {_READ}, now() FROM messaging_message WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_UPDATE = (
    "UPDATE messaging_message AS m SET "
    + ", ".join(f"{name} = u.{name}" for name, _ in _COLUMNS)
    + " FROM unnest(%s::uuid[], "
    + ", ".join(f"%s::{kind}[]" for _, kind in _COLUMNS)
    + ") AS u(id, "
    + ", ".join(name for name, _ in _COLUMNS)
    + ") WHERE m.id = u.id"
)
_INSERT_EVENTS = (
    "INSERT INTO messaging_messageevent (message_id, sequence, status, at, recorded_at, detail) "
    "SELECT * FROM unnest(%s::uuid[], %s::smallint[], %s::text[], %s::timestamptz[], %s::timestamptz[], "
    "%s::jsonb[])"
)


def record(changes: Iterable[Change]) -> Recorded:
    """Apply changes to their messages in one transaction and return what moved.

    Rows are locked in the order of their ids, so two recorders never wait for each other in a circle.
    Changes of one message are applied in the order given.
    """
    by_message: dict[uuid.UUID, list[Change]] = {}
    for change in changes:
        by_message.setdefault(change.message_id, []).append(change)
    recorded = Recorded()
    if not by_message:
        return recorded
    with transaction.atomic(), hot() as cursor:
        cursor.execute(_LOCK, [list(by_message)])
        fetched = cursor.fetchall()
        if not fetched:
            recorded.missing = [change for batch in by_message.values() for change in batch]
            return recorded
        now = fetched[0][-1]
        before = {row.id: row for row in map(_row, fetched)}
        after: dict[uuid.UUID, Row] = {}
        entries: list[tuple[Row, Step, Change]] = []
        for message_id, batch in by_message.items():
            row = before.get(message_id)
            if row is None:
                recorded.missing.extend(batch)
                continue
            for change in batch:
                _suspect_double(row, change)
                step = advance(row, change, now)
                if step is None:
                    recorded.ignored += 1
                    continue
                row = step.row
                if step.entry is not None:
                    row = replace(row, sequence=row.sequence + 1)
                    entries.append((row, step, change))
                if step.moved:
                    recorded.moved.append((row.id, row.status))
            if row != before[message_id]:
                after[message_id] = row
        entries = _without_known_late_ones(cursor, entries, after)
        _write(cursor, list(after.values()), entries, now)
        _count_sent(cursor, before, after)
        daily_totals.count(cursor, [(before[ident], row) for ident, row in after.items()])
        webhook_events.moved(cursor, [(row, step.at) for row, step, _ in entries if step.moved])
    return recorded


def _row(values: Sequence[Any]) -> Row:
    named = list(values[:-1])
    named[3] = Status(named[3])
    for index in (18, 19):
        named[index] = orjson.loads(named[index]) if named[index] is not None else None
    return Row(*named)


def _suspect_double(row: Row, change: Change) -> None:
    if change.wamid and row.wamid and change.wamid != row.wamid:
        log.error(
            "duplicate suspected: Meta knows this message by two ids",
            message=str(row.id),
            first=row.wamid,
            second=change.wamid,
        )


def _without_known_late_ones(
    cursor: Any, entries: list[tuple[Row, Step, Change]], after: dict[uuid.UUID, Row]
) -> list[tuple[Row, Step, Change]]:
    """Drop entries for a late status that the timeline already shows (a redelivered callback)."""
    late = [row.id for row, step, _ in entries if not step.moved]
    if not late:
        return entries
    cursor.execute("SELECT message_id, status FROM messaging_messageevent WHERE message_id = ANY(%s)", [late])
    known = set(cursor.fetchall())
    kept: list[tuple[Row, Step, Change]] = []
    dropped: Counter[uuid.UUID] = Counter()
    for row, step, change in entries:
        if not step.moved and (row.id, step.entry) in known:
            dropped[row.id] += 1
            continue
        known.add((row.id, step.entry))
        kept.append((replace(row, sequence=row.sequence - dropped[row.id]), step, change))
    for message_id, count in dropped.items():
        after[message_id] = replace(after[message_id], sequence=after[message_id].sequence - count)
    return kept


def _write(cursor: Any, rows: list[Row], entries: list[tuple[Row, Step, Change]], now: datetime) -> None:
    if rows:
        columns: list[list[Any]] = [[row.id for row in rows]]
        for name, _ in _COLUMNS:
            values = [getattr(row, name) for row in rows]
            if name in _JSON:
                values = [None if value is None else orjson.dumps(value).decode() for value in values]
            columns.append(values)
        cursor.execute(_UPDATE, columns)
    if entries:
        cursor.execute(
            _INSERT_EVENTS,
            [
                [row.id for row, _, _ in entries],
                [row.sequence for row, _, _ in entries],
                [step.entry for _, step, _ in entries],
                [step.at for _, step, _ in entries],
                [now] * len(entries),
                [_detail(row, step) for row, step, _ in entries],
            ],
        )


def _detail(row: Row, step: Step) -> str | None:
    if step.entry != Status.FAILED:
        return None
    told = {"code": row.error_code, "failure": row.failure, "message": row.error_message}
    return orjson.dumps(told).decode()


def _count_sent(cursor: Any, before: dict[uuid.UUID, Row], after: dict[uuid.UUID, Row]) -> None:
    """Add newly accepted messages to their accounts' lifetime counter (W39; dry runs do not count).

    As in the statistics, a message counts once: not again when it is accepted again after a retry.
    """
    fresh = [row for row in after.values() if row.sent_at and not before[row.id].sent_at and not row.dry_run]
    retried = [row.id for row in fresh if row.round]
    known: set[uuid.UUID] = set()
    if retried:
        cursor.execute(_ACCEPTED_BEFORE, [retried])
        known = {ident for (ident,) in cursor.fetchall()}
    counts = Counter(row.account_id for row in fresh if row.id not in known)
    for account_id in sorted(counts):
        cursor.execute(
            "UPDATE accounts_account SET messages_sent = messages_sent + %s WHERE id = %s",
            [counts[account_id], account_id],
        )


# In an earlier round: before the last time that it was queued.
_ACCEPTED_BEFORE = """
SELECT DISTINCT e.message_id FROM messaging_messageevent e
WHERE e.message_id = ANY(%s) AND e.status IN ('sent', 'delivered', 'read')
  AND e.sequence < (SELECT max(q.sequence) FROM messaging_messageevent q
                    WHERE q.message_id = e.message_id AND q.status = 'queued')
"""
_MARK = """
WITH held AS (
    SELECT m.id, m.status FROM messaging_message m
    JOIN unnest(%s::uuid[], %s::bigint[]) AS c(id, token) ON m.id = c.id AND m.lease_token = c.token
    WHERE m.status = ANY(%s) AND m.due_at > now() + make_interval(secs => %s)
    ORDER BY m.id FOR NO KEY UPDATE OF m
), marked AS (
    UPDATE messaging_message m
    SET status = 'submitting', submitted_at = now(), attempts = m.attempts + 1,
        sequence = m.sequence + (CASE WHEN held.status = 'scheduled' THEN 1 ELSE 0 END)
    FROM held WHERE m.id = held.id
    RETURNING m.id, m.sequence, held.status AS before
), queued AS (
    INSERT INTO messaging_messageevent (message_id, sequence, status, at, recorded_at)
    SELECT id, sequence, 'queued', now(), now() FROM marked WHERE before = 'scheduled'
)
SELECT id FROM marked
"""


def mark(claims: Sequence[tuple[uuid.UUID, int]], *, needed: float) -> set[uuid.UUID]:
    """Note, in a commit of its own, that the calls for these (message, token) pairs are about to be made.

    Returns the messages that may be called for: their lease is ours for at least ``needed`` more
    seconds and nothing has been proved about them meanwhile. The others must be left alone.
    """
    if not claims:
        return set()
    with transaction.atomic(), hot() as cursor:
        cursor.execute(
            _MARK,
            [
                [message_id for message_id, _ in claims],
                [token for _, token in claims],
                [Status.SCHEDULED, Status.QUEUED, Status.RETRYING],
                needed,
            ],
        )
        return {row[0] for row in cursor.fetchall()}


_REQUEUE = """
WITH moved AS (
    UPDATE messaging_message
    SET status = 'queued', sequence = sequence + 1, due_at = now(), attempts = 0, crashes = 0,
        lease_token = lease_token + 1, submitted_at = NULL, wamid = NULL, sent_at = NULL, failed_at = NULL,
        failure = '', error_code = NULL, error_message = NULL, error_detail = NULL, round = round + 1,
        expires_at = now() + make_interval(secs => %s)
    WHERE id = %s AND status = 'failed'
    RETURNING id, sequence
)
INSERT INTO messaging_messageevent (message_id, sequence, status, at, recorded_at)
SELECT id, sequence, 'queued', now(), now() FROM moved
"""


def requeue(message_id: uuid.UUID, *, lifetime: timedelta) -> None:
    """Open a failed message again; its timeline keeps the failure and gains ``queued``.

    A new round begins: late callbacks of the failed attempt no longer speak of this message.
    """
    with transaction.atomic(), hot() as cursor:
        cursor.execute(_LOCK, [[message_id]])
        before = {row.id: row for row in map(_row, cursor.fetchall())}
        cursor.execute(_REQUEUE, [lifetime.total_seconds(), message_id])
        daily_totals.count(cursor, [(row, replace(row, status=Status.QUEUED)) for row in before.values()])


__all__ = [
    "OPEN",
    "WAITING",
    "Change",
    "Failure",
    "Recorded",
    "Row",
    "Step",
    "advance",
    "mark",
    "record",
    "requeue",
]
