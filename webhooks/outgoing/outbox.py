"""The outbox: events are written in the transaction that they tell of, with a delivery for each endpoint.

Nothing is written for an account that nobody listens to: one query for many accounts tells. What is
written is exactly what is sent later, as text, so that every attempt has the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import transaction

from core.ids import uuid7
from core.jobs.wakeup import wake
from core.sql import hot
from webhooks.models import EVERYTHING

#: an account that asked for its events within this time has them kept, also without an endpoint
LISTENS_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something to tell an account. ``data`` is the event's own part, ready for JSON.

    ``subject`` is what it is about (a message's id) and ``sequence`` its place among the events of that
    subject, where they have an order. ``at`` is when it happened (None: now).
    """

    account_id: uuid.UUID
    type: str
    data: Mapping[str, Any]
    subject: str = ""
    sequence: int | None = None
    at: datetime | None = None


@dataclass(slots=True)
class Audience:
    """Who wants to be told: for each account with a listener its enabled endpoints and what they want."""

    endpoints: dict[uuid.UUID, list[tuple[uuid.UUID, frozenset[str]]]] = field(default_factory=dict)

    def __contains__(self, account_id: uuid.UUID) -> bool:
        return account_id in self.endpoints

    def __bool__(self) -> bool:
        return bool(self.endpoints)

    def of(self, account_id: uuid.UUID, type: str) -> list[uuid.UUID]:
        """Return the endpoints of an account that want this type of event."""
        wanted = self.endpoints.get(account_id, [])
        return [endpoint for endpoint, types in wanted if type in types or EVERYTHING in types]


# A disabled endpoint keeps its account's events coming, so that they can be replayed to it later.
_AUDIENCE = """
SELECT e.account_id, CASE WHEN e.enabled THEN e.id END, e.events::text
FROM webhooks_endpoint e WHERE e.account_id = ANY(%s) AND e.removed_at IS NULL
UNION ALL
SELECT l.account_id, NULL, NULL
FROM webhooks_listener l WHERE l.account_id = ANY(%s) AND l.asked_at > now() - make_interval(secs => %s)
"""
_PUBLISH = """
WITH events AS (
    INSERT INTO webhooks_event (id, account_id, type, subject, sequence, body, txid, created_at)
    SELECT u.id, u.account_id, u.type, u.subject, u.sequence, u.body,
           pg_current_xact_id()::text::bigint, now()
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int[], %s::text[])
        AS u(id, account_id, type, subject, sequence, body)
)
INSERT INTO webhooks_delivery
    (id, endpoint_id, event_id, status, due_at, lease_token, attempts, attempts_before, created_at)
SELECT u.id, u.endpoint_id, u.event_id, 'pending', now(), 0, 0, 0, now()
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS u(id, endpoint_id, event_id)
"""
_LISTENS = """
INSERT INTO webhooks_listener (account_id, asked_at) VALUES (%s, now())
ON CONFLICT (account_id) DO UPDATE SET asked_at = now()
WHERE webhooks_listener.asked_at < now() - interval '1 hour'
"""


def audience(account_ids: Iterable[uuid.UUID]) -> Audience:
    """Find out which of these accounts want to be told of anything: one query for all of them."""
    found = Audience()
    ids = sorted(set(account_ids))
    if not ids:
        return found
    with hot() as cursor:
        cursor.execute(_AUDIENCE, [ids, ids, LISTENS_FOR.total_seconds()])
        for account_id, endpoint_id, events in cursor.fetchall():
            endpoints = found.endpoints.setdefault(account_id, [])
            if endpoint_id is not None:
                endpoints.append((endpoint_id, frozenset(orjson.loads(events))))
    return found


def publish(announcements: Sequence[Announcement], listeners: Audience | None = None) -> None:
    """Write events and their deliveries, in the caller's transaction; deliveries leave after its commit.

    Two statements however many there are. ``listeners`` saves the first of them for a caller that had to
    ask before, to know whether building announcements is worth its while.
    """
    if not announcements:
        return
    if listeners is None:
        listeners = audience(one.account_id for one in announcements)
    told = [one for one in announcements if one.account_id in listeners]
    if not told:
        return
    ids = [uuid7() for _ in told]
    pairs = [
        (event_id, endpoint_id)
        for event_id, one in zip(ids, told, strict=True)
        for endpoint_id in listeners.of(one.account_id, one.type)
    ]
    with transaction.atomic(), hot() as cursor:
        cursor.execute(
            _PUBLISH,
            [
                ids,
                [one.account_id for one in told],
                [one.type for one in told],
                [one.subject for one in told],
                [one.sequence for one in told],
                [body_of(event_id, one) for event_id, one in zip(ids, told, strict=True)],
                [uuid7() for _ in pairs],
                [endpoint_id for _, endpoint_id in pairs],
                [event_id for event_id, _ in pairs],
            ],
        )
    if pairs:
        transaction.on_commit(lambda: wake("deliveries"))


def body_of(event_id: uuid.UUID, announcement: Announcement) -> str:
    """Write the JSON that is sent: the documented fields first, then the event's id."""
    body = {
        "event": announcement.type,
        "timestamp": moment(announcement.at or datetime.now(UTC)),
        "data": announcement.data,
        "id": f"evt_{event_id.hex}",
    }
    try:
        return orjson.dumps(body).decode()
    except TypeError:
        # What strangers write may hold integers of any length; only the standard library writes those.
        return json.dumps(body)


def moment(at: datetime) -> str:
    """Write a time as all bodies do: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def note_listener(account_id: uuid.UUID) -> None:
    """Note that an account asks for its events (``GET /events``): from now on they are kept for it."""
    with hot() as cursor:
        cursor.execute(_LISTENS, [account_id])
