"""Pulling of events: an account's, in order, for those who ask instead of being told; none is skipped.

Events are ordered by the transaction that wrote them, and only transactions older than every one still
running are read. A transaction that commits late therefore cannot put an event behind one that somebody
has already passed, which an order by id or by time would allow.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from django.db import connection

from core.errors import invalid
from core.ids import uuid7
from webhooks.outgoing import outbox

log = structlog.get_logger(__name__)

DEFAULT, MOST = 50, 200
#: as ``after``: from now on
LATEST = "latest"
_EVENT = re.compile(r"evt_([0-9a-f]{32})")
_CURSOR = re.compile(r"cur_([0-9a-f]{1,16})_([0-9a-f]{32})")
_LARGEST = 2**63 - 1

_HORIZON = """
SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint,
       (SELECT max(txid) FROM webhooks_event WHERE account_id = %s)
FROM pg_current_snapshot() s
"""
_READ = """
SELECT txid, id, body FROM webhooks_event
WHERE account_id = %s AND (txid, id) > (%s, %s) AND txid < %s
ORDER BY txid, id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, oldest first. ``next_after`` continues behind them; ``more``: there are more already."""

    events: list[dict[str, Any]]
    next_after: str
    more: bool


def page(account_id: uuid.UUID, *, after: str | None, limit: int = DEFAULT) -> Page:
    """Return the account's events behind ``after``, at most ``limit``.

    ``after`` is an event's id, a ``next_after``, or ``latest``; None: the oldest that is kept. From the first
    call on, events are kept for the account also without an endpoint. Raises ``Invalid`` for an ``after``
    that is none of these, or an event that is another's or no longer kept.
    """
    outbox.note_listener(account_id)
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON, [account_id])
        horizon, beyond, newest = cursor.fetchone()
        if newest is not None and newest >= beyond:
            _renumber(account_id, beyond)
        place = _place(account_id, after, horizon=horizon, beyond=beyond)
        cursor.execute(_READ, [account_id, *place, horizon, limit + 1])
        rows = cursor.fetchall()
    read = rows[:limit]
    if read:
        place = read[-1][:2]
    return Page([orjson.loads(body) for _, _, body in read], _cursor(*place), len(rows) > limit)


def _place(account_id: uuid.UUID, after: str | None, *, horizon: int, beyond: int) -> tuple[int, uuid.UUID]:
    """Find the place that ``after`` names: (transaction, event)."""
    if after is None:
        return 0, uuid.UUID(int=0)
    if after == LATEST:
        # Every transaction below the horizon has ended, and so have its events been made by now.
        return horizon - 1, uuid7()
    if match := _CURSOR.fullmatch(after):
        txid = int(match[1], 16)
        # From a database of which this one is a restored copy: its numbers mean nothing here.
        return (txid if txid < beyond else 0), uuid.UUID(match[2])
    if match := _EVENT.fullmatch(after):
        ident = uuid.UUID(match[1])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT txid FROM webhooks_event WHERE id = %s AND account_id = %s", [ident, account_id]
            )
            if row := cursor.fetchone():
                return row[0], ident
        raise invalid("after", "No event with this id is kept. Leave `after` out to begin with the oldest.")
    raise invalid("after", "Must be an event's id (evt_…), a nextAfter, or latest.")


def _cursor(txid: int, ident: uuid.UUID) -> str:
    return f"cur_{min(txid, _LARGEST):x}_{ident.hex}"


def _renumber(account_id: uuid.UUID, beyond: int) -> None:
    """Put events of a restored copy before those of today: their transactions were another server's.

    A dump restored elsewhere begins to count transactions anew. Among themselves the events keep the
    order of their ids, which is that of time.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhooks_event SET txid = 0 WHERE account_id = %s AND txid >= %s", [account_id, beyond]
        )
        log.warning("events of a restored database were put in order", count=cursor.rowcount)
