"""Retention: deletes messages past their days and accounts that were closed, as customers want it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from django.db import connection as database
from django.utils import timezone

from accounts.models import Account
from core.ids import first_at

log = structlog.get_logger(__name__)

#: rows of one statement: short locks, and a stop between any two of them loses nothing
BATCH = 1_000
#: a closed account's messages are kept that long, for a change of mind told to the operator
GRACE_DAYS = 7

_DELETE = """
WITH old AS (
    SELECT id FROM messaging_message
    WHERE account_id = %s AND id < %s AND due_at IS NULL
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), events AS (
    DELETE FROM messaging_messageevent USING old WHERE message_id = old.id
)
DELETE FROM messaging_message USING old WHERE messaging_message.id = old.id
"""


def forget(account_id: uuid.UUID, before: datetime) -> Iterator[int]:
    """Delete an account's messages made before a moment that wait for nothing; yields after each batch."""
    while True:
        with database.cursor() as cursor:
            cursor.execute(_DELETE, [account_id, first_at(before), BATCH])
            deleted = cursor.rowcount
        if deleted:
            yield deleted
        if deleted < BATCH:
            return


def sweep() -> int:
    """Delete what every account's retention says, and accounts closed long enough; returns the messages."""
    now = timezone.now()
    total = 0
    for account in Account.objects.exclude(retention_days=None).filter(closed_at=None):
        total += sum(forget(account.pk, now - timedelta(days=account.retention_days or 0)))
    for account in Account.objects.filter(closed_at__lt=now - timedelta(days=GRACE_DAYS)):
        total += sum(forget(account.pk, now))
        account.delete()
        log.info("closed account deleted", account=str(account.pk))
    return total
