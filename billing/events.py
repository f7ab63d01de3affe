"""The ledger of Stripe's events: stored before they are answered, then Stripe is asked what is true.

An event's own content is never applied. It names a customer, a checkout or a payment; the worker fetches
that from Stripe. While Stripe does not answer, the event stays due: it is never given up for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from billing import stripe_api, subscriptions
from billing.models import Customer, StripeEvent

log = structlog.get_logger(__name__)

BATCH = 50
LEASE_SECONDS = 120.0
#: tries before an event that cannot be applied is left for an operator; Stripe's silence is no try
MAX_ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 300
#: what may change something that we keep; other types are stored and left
WATCHED = ("customer.", "checkout.session.", "invoice.", "charge.", "subscription_schedule.")
#: kept this long, so that an old event sent again is still a known one
KEPT_DAYS = 60

_INSERT = """
INSERT INTO billing_stripeevent
    (id, type, customer, subject, received_at, due_at, lease_token, attempts, trouble)
VALUES (%s, %s, %s, %s, now(), CASE WHEN %s THEN now() END, 0, 0, '')
ON CONFLICT (id) DO NOTHING
"""
# Picked first and materialised, as in webhooks.incoming.inbox: a subquery might run once per row.
_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM billing_stripeevent WHERE due_at <= now()
    ORDER BY due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE billing_stripeevent e
SET lease_token = e.lease_token + 1, due_at = now() + make_interval(secs => %s), attempts = e.attempts + 1
WHERE e.id IN (SELECT id FROM picked)
RETURNING e.id, e.lease_token, e.type, e.customer, e.subject
"""
_DONE = """
UPDATE billing_stripeevent SET due_at = NULL, applied_at = now(), trouble = ''
WHERE id = %s AND lease_token = %s
"""
_LATER = """
UPDATE billing_stripeevent
SET due_at = CASE WHEN attempts < %s OR %s
                  THEN now() + make_interval(secs => least(power(3, least(attempts, 10)), %s)) END,
    trouble = %s
WHERE id = %s AND lease_token = %s
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A claimed event."""

    id: str
    token: int
    type: str
    customer: str
    subject: str


def receive(event: Mapping[str, Any]) -> bool:
    """Store a verified event: one insert. False: it was stored before."""
    data = event.get("data")
    about = data.get("object") if isinstance(data, Mapping) else None
    about = about if isinstance(about, Mapping) else {}
    customer = about.get("id") if about.get("object") == "customer" else about.get("customer")
    kind = str(event["type"])
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                str(event["id"])[:100],
                kind[:100],
                _id(customer)[:100],
                _id(about.get("id"))[:200],
                kind.startswith(WATCHED),
            ],
        )
        return cursor.rowcount == 1


def _id(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else ""


def drain() -> int:
    """Ask Stripe about what is due and apply its answers; returns how many events are done."""
    done = 0
    if not stripe_api.configured():
        return 0
    while held := _claim():
        asked: dict[str, Exception | None] = {}
        for one in held:
            # Ten events about one customer are one question.
            what, ask = _question(one)
            if what not in asked:
                asked[what] = _try(ask, one)
            trouble = asked[what]
            if trouble is None:
                with connection.cursor() as cursor:
                    cursor.execute(_DONE, [one.id, one.token])
                done += 1
            else:
                _later(one, trouble)
    return done


@transaction.atomic
def _claim() -> list[Held]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [BATCH, LEASE_SECONDS])
        return [Held(*row) for row in cursor.fetchall()]


def _question(event: Held) -> tuple[str, Callable[[], None]]:
    """Return what an event makes us ask, and how; equal questions are asked once."""
    if event.type.startswith("charge.dispute."):
        return event.subject, lambda: subscriptions.apply_dispute(stripe_api.dispute(event.subject))
    if event.type.startswith("charge."):
        return event.subject, lambda: subscriptions.apply_charge(stripe_api.charge(event.subject))
    if event.type.startswith("checkout.session."):
        return event.subject, lambda: _session(event)
    return event.customer, lambda: _sync(event.customer)


def _session(event: Held) -> None:
    subscriptions.apply_session(stripe_api.session(event.subject))
    _sync(event.customer)


def _sync(customer: str) -> None:
    owner = Customer.objects.filter(stripe_id=customer).values_list("pk", flat=True).first()
    if customer and owner is not None:
        subscriptions.sync(owner)


def _try(ask: Callable[[], None], event: Held) -> Exception | None:
    try:
        ask()
    except stripe_api.Missing:
        log.warning("an event speaks of something that Stripe does not know", stripe_event=event.id)
    except stripe_api.Unavailable as error:
        log.warning("Stripe could not be asked", stripe_event=event.id, why=str(error))
        return error
    except Exception as error:
        log.exception("an event could not be applied", stripe_event=event.id)
        return error
    return None


def _later(event: Held, trouble: Exception) -> None:
    # Stripe's and the database's own troubles say nothing of the event: it is never given up for them.
    weather = isinstance(trouble, stripe_api.Unavailable | OperationalError | InterfaceError)
    with connection.cursor() as cursor:
        cursor.execute(
            _LATER,
            [MAX_ATTEMPTS, weather, LONGEST_WAIT_SECONDS, repr(trouble)[:500], event.id, event.token],
        )


def sweep() -> int:
    """Delete events that nobody can need any more; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM billing_stripeevent "
            "WHERE due_at IS NULL AND received_at < now() - make_interval(days => %s)",
            [KEPT_DAYS],
        )
        return int(cursor.rowcount)


__all__ = ["StripeEvent", "drain", "receive", "sweep"]
