"""Making events happen, and knowing when they can be read."""

from __future__ import annotations

from django.db import connection

from accounts.models import Account
from webhooks.outgoing import outbox
from webhooks.outgoing.outbox import Announcement


def happen(account: Account, *names: str, type: str = "message.received") -> None:
    """Publish one event for each name, all in one transaction."""
    outbox.publish([Announcement(account.pk, type, {"name": name}) for name in names])


def settled() -> bool:
    """Tell whether every transaction of the server that began before the newest event has ended.

    Other tests run on the same server, and theirs hold back events as a customer's would.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(txid), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint "
            "FROM webhooks_event WHERE txid < 2 ^ 40"
        )
        return bool(cursor.fetchone()[0])
