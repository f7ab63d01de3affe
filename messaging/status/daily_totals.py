"""Daily totals: how messages ended, kept as differences so that analytics never read the ledger.

Only ends are counted here (sent, delivered, read, failed, canceled); what is still open is few and is
counted where it stands. Each recording inserts its differences as new rows and waits for no counter's
lock; ``compact`` adds them together.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol

from django.db import connection, transaction

from messaging.models import Status

COUNTED = (Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED, Status.CANCELED)
#: rows added together by one compaction
COMPACT_AT_MOST = 50_000

_INSERT = """
INSERT INTO messaging_tally (account_id, day, status, template, error_code, count)
SELECT * FROM unnest(%s::uuid[], %s::date[], %s::text[], %s::text[], %s::int[], %s::bigint[])
"""
_COMPACT = """
WITH taken AS (
    DELETE FROM messaging_tally WHERE id IN (
        SELECT id FROM messaging_tally ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING account_id, day, status, template, error_code, count
)
INSERT INTO messaging_tally (account_id, day, status, template, error_code, count)
SELECT account_id, day, status, template, error_code, sum(count) FROM taken
GROUP BY account_id, day, status, template, error_code HAVING sum(count) <> 0
"""


class Counted(Protocol):
    """The part of a message that is counted."""

    @property
    def account_id(self) -> uuid.UUID: ...
    @property
    def dry_run(self) -> bool: ...
    @property
    def status(self) -> Status: ...
    @property
    def template(self) -> str: ...
    @property
    def error_code(self) -> int | None: ...
    @property
    def created_at(self) -> datetime: ...


Place = tuple[uuid.UUID, date, str, str, int]


def count(cursor: Any, moves: Sequence[tuple[Counted, Counted]]) -> None:
    """Note, within the transaction that moves them, messages that went from one state to another."""
    differences: Counter[Place] = Counter()
    for before, after in moves:
        if after.dry_run:
            continue
        for row, by in ((before, -1), (after, 1)):
            if row.status in COUNTED:
                differences[_place(row)] += by
    rows = [(place, by) for place, by in differences.items() if by]
    if rows:
        columns = [list(column) for column in zip(*(place for place, _ in rows), strict=True)]
        cursor.execute(_INSERT, [*columns, [by for _, by in rows]])


def count_refused(cursor: Any, account_id: uuid.UUID, templates: Sequence[str], *, at: datetime) -> None:
    """Note messages that were stored as failed at once, at ``at``, by the names of their templates."""
    day = at.astimezone(UTC).date()  # of the row, from which a retry takes it away again
    for template, by in Counter(templates).items():
        cursor.execute(_INSERT, [[account_id], [day], ["failed"], [template], [0], [by]])


def _place(row: Counted) -> Place:
    error = row.error_code or 0 if row.status == Status.FAILED else 0
    return (row.account_id, row.created_at.astimezone(UTC).date(), str(row.status), row.template, error)


@transaction.atomic
def compact() -> int:
    """Add rows of the same place together; returns how many rows there are afterwards for them."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPACT, [COMPACT_AT_MOST])
        return int(cursor.rowcount)
