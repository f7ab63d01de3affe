"""Delivery log: read, replayed (one, or all of a time), tested, and swept when its time is over."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Account
from core.errors import Refusal
from core.ids import first_at
from core.jobs.wakeup import wake
from webhooks.models import EVERYTHING, Delivery, Endpoint
from webhooks.outgoing import endpoints, outbox
from webhooks.outgoing.outbox import Announcement

log = structlog.get_logger(__name__)

TEST_TYPE = "webhook.test"
#: deliveries that one replay may start
REPLAY_AT_MOST = 100_000
_SWEEP_BATCH = 5_000

# Ids sort by time, as ours do. Due a microsecond apart, so that they leave in the order of the events.
_REPLAY = """
WITH chosen AS (
    SELECT e.id, row_number() OVER (ORDER BY e.txid, e.id) AS place
    FROM webhooks_event e
    WHERE e.account_id = %s AND e.created_at >= %s AND e.created_at < %s
      AND (%s OR e.type = ANY(%s)) AND e.type <> %s
      AND NOT EXISTS (SELECT 1 FROM webhooks_delivery d WHERE d.event_id = e.id AND d.endpoint_id = %s
                      AND (d.due_at IS NOT NULL OR (d.status = 'delivered' AND NOT %s)))
    ORDER BY e.txid, e.id LIMIT %s
)
INSERT INTO webhooks_delivery
    (id, endpoint_id, event_id, status, due_at, lease_token, attempts, attempts_before, created_at)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(place & 4095), 3, '0') || '8' || substr(md5(random()::text || id::text), 1, 15))::uuid,
       %s, id, 'pending', now() + place * interval '1 microsecond', 0, 0, 0, now()
FROM chosen
ON CONFLICT (event_id, endpoint_id) DO UPDATE
SET status = 'pending', due_at = excluded.due_at, attempts_before = webhooks_delivery.attempts,
    lease_token = webhooks_delivery.lease_token + 1
WHERE webhooks_delivery.due_at IS NULL
"""
_REPLAY_ONE = """
UPDATE webhooks_delivery
SET status = 'pending', due_at = now(), attempts_before = attempts, lease_token = lease_token + 1
WHERE id = %s AND endpoint_id = %s AND due_at IS NULL
"""
# What is still to be delivered is never swept, however old it is.
_SWEEP_DELIVERIES = """
WITH old AS (
    SELECT id FROM webhooks_delivery
    WHERE due_at IS NULL AND id < %s AND coalesce(last_attempt_at, created_at) < %s
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), attempts AS (DELETE FROM webhooks_attempt WHERE delivery_id IN (SELECT id FROM old))
DELETE FROM webhooks_delivery WHERE id IN (SELECT id FROM old)
"""
_SWEEP_EVENTS = """
DELETE FROM webhooks_event WHERE id IN (
    SELECT e.id FROM webhooks_event e WHERE e.id < %s
      AND NOT EXISTS (SELECT 1 FROM webhooks_delivery d WHERE d.event_id = e.id)
    ORDER BY e.id LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def of_endpoint(
    endpoint: Endpoint, *, status: str | None = None, before: uuid.UUID | None = None, limit: int = 20
) -> list[Delivery]:
    """Return an endpoint's deliveries with events and attempts, newest first, from behind ``before``."""
    found = Delivery.objects.filter(endpoint=endpoint)
    if status:
        found = found.filter(status=status)
    if before:
        found = found.filter(pk__lt=before)
    return list(found.select_related("event").prefetch_related("log").order_by("-id")[:limit])


def find(endpoint: Endpoint, delivery_id: uuid.UUID | None) -> Delivery:
    """Return one delivery of an endpoint. Raises ``Refusal`` (``not_found``)."""
    found = Delivery.objects.filter(endpoint=endpoint).select_related("event").prefetch_related("log")
    delivery = found.filter(pk=delivery_id).first() if delivery_id else None
    if delivery is None:
        raise Refusal("not_found", "No delivery found with this id.")
    return delivery


def _refuse_disabled(endpoint: Endpoint) -> None:
    if not endpoint.enabled:
        raise Refusal("conflict", "This endpoint is disabled. Enable it first.")


def replay(account: Account, endpoint_id: uuid.UUID | None, delivery_id: uuid.UUID | None) -> Delivery:
    """Deliver one event once more, with the whole schedule before it.

    Raises ``Refusal``: ``not_found``, ``conflict`` when it is still on its way or the endpoint is disabled.
    """
    with transaction.atomic():
        endpoint = endpoints.find(account, endpoint_id, lock=True)
        delivery = find(endpoint, delivery_id)
        _refuse_disabled(endpoint)
        with connection.cursor() as cursor:
            cursor.execute(_REPLAY_ONE, [delivery.pk, endpoint.pk])
            if cursor.rowcount == 0:
                raise Refusal("conflict", "This event is still being delivered.")
    wake("deliveries")
    return find(endpoint, delivery_id)


def replay_range(
    account: Account, endpoint_id: uuid.UUID | None, *, since: datetime, until: datetime, everything: bool
) -> int:
    """Deliver an account's events of a time to an endpoint that wants them; returns how many.

    By default those that it did not get: given up, skipped, or from before it existed. ``everything``: also
    those that arrived. What is on its way is left alone, so each arrives once. Raises like ``replay``.
    """
    with transaction.atomic():
        endpoint = endpoints.find(account, endpoint_id, lock=True)
        _refuse_disabled(endpoint)
        wants_all = EVERYTHING in endpoint.events
        with connection.cursor() as cursor:
            cursor.execute(
                _REPLAY,
                [
                    *(account.pk, since, until, wants_all, list(endpoint.events), TEST_TYPE, endpoint.pk),
                    *(everything, REPLAY_AT_MOST, endpoint.pk),
                ],
            )
            count = cursor.rowcount
    if count:
        wake("deliveries")
    return count


def send_test(account: Account, endpoint_id: uuid.UUID | None) -> Delivery:
    """Send an endpoint a test event, whatever types it wants. Raises like ``replay``."""
    with transaction.atomic():
        endpoint = endpoints.find(account, endpoint_id, lock=True)
        _refuse_disabled(endpoint)
        announcement = Announcement(
            account.pk, TEST_TYPE, {"message": "This is a test event. Your endpoint works."}
        )
        outbox.publish(
            [announcement], outbox.Audience({account.pk: [(endpoint.pk, frozenset({EVERYTHING}))]})
        )
        fresh = Delivery.objects.filter(endpoint=endpoint, event__type=TEST_TYPE).order_by("-id")[:1].get()
    return find(endpoint, fresh.pk)


def oldest_kept() -> datetime:
    """Return the moment before which events and the log are deleted."""
    return timezone.now() - timedelta(days=settings.DELIVERIES_KEPT_DAYS)


def sweep() -> int:
    """Delete events, deliveries and attempts older than ``DELIVERIES_KEPT_DAYS``; returns how many rows.

    Removed endpoints go with the last of their log. In batches, each in a transaction of its own.
    """
    old = oldest_kept()
    bound = first_at(old)
    deliveries = _in_batches(_SWEEP_DELIVERIES, [bound, old])
    events = _in_batches(_SWEEP_EVENTS, [bound])
    gone = Endpoint.objects.filter(removed_at__lt=old).exclude(deliveries__isnull=False)
    removed, _ = gone.delete()
    log.info("swept the log of deliveries", deliveries=deliveries, events=events, endpoints=removed)
    return deliveries + events + removed


def _in_batches(statement: str, values: Sequence[Any]) -> int:
    total = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [*values, _SWEEP_BATCH])
            total += cursor.rowcount
            if cursor.rowcount < _SWEEP_BATCH:
                return total
