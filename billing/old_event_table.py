"""The table in which the version before kept Stripe's events; they are in ``webhooks.incoming.inbox`` now.

While an upgrade rolls through, a process of that version still stores events there. The table, its model
and this file go with the next version.
"""

from __future__ import annotations

from django.db import connection

from billing.events import Event

_TAKE = "DELETE FROM billing_stripeevent RETURNING id, type, customer, subject"


def take() -> list[Event]:
    """Take all events out of the old table, in the current transaction: who takes them must keep them."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE)
        return [
            Event(id=ident, type=kind, livemode=None, customer=customer, subject=subject)
            for ident, kind, customer, subject in cursor.fetchall()
        ]
