"""Housekeeping, every minute and every hour: orphans adopted, the expired failed, the old deleted."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from messaging.inbound.apply_callbacks import STATUSES, change_of
from messaging.meta.callbacks import read_status
from messaging.meta.payloads import read_ref
from messaging.models import IdempotencyKey, Message, OrphanStatus, Status
from messaging.queue import idempotency
from messaging.send import outcomes
from messaging.status.timeline import WAITING, Change, record
from webhooks.incoming import archive

log = structlog.get_logger(__name__)

#: Meta redelivers for seven days; a status that found no message by then is another system's
ORPHAN_DAYS = 7
BATCH = 500


def adopt_orphans() -> int:
    """Match kept statuses with messages that have become known; returns how many were."""
    adopted = 0
    last = 0
    while True:
        with transaction.atomic():
            orphans = list(
                OrphanStatus.objects.select_for_update(skip_locked=True)
                .filter(pk__gt=last)
                .order_by("pk")[:BATCH]
            )
            if not orphans:
                return adopted
            last = orphans[-1].pk
            adopted += _adopt(orphans)


def _adopt(orphans: list[OrphanStatus]) -> int:
    known = {
        (number, wamid): ident
        for ident, number, wamid in Message.objects.filter(
            wamid__in=[orphan.wamid for orphan in orphans], direction=Message.Direction.OUT
        ).values_list("id", "connection_id", "wamid")
    }
    found: list[tuple[int, Change]] = []
    for orphan in orphans:
        item = read_status(orphan.item)
        ident = known.get((orphan.connection_id, orphan.wamid))
        if ident is None and item is not None and (ref := read_ref(item.ref)):
            ident = (
                Message.objects.filter(pk=ref[0], round=ref[1], connection=orphan.connection_id)
                .values_list("pk", flat=True)
                .first()
            )
        status = STATUSES.get(item.status) if item else None
        if ident is not None and item is not None and status is not None:
            found.append((orphan.pk, change_of(ident, status, item)))
    done = _recorded(found)
    OrphanStatus.objects.filter(pk__in=done).delete()
    return len(done)


def _recorded(found: list[tuple[int, Change]]) -> list[int]:
    """Record changes together, or one by one if that fails; returns the orphans whose change is recorded."""
    try:
        with transaction.atomic():
            record(change for _, change in found)
        return [orphan for orphan, _ in found]
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("a kept status could not be recorded", orphans=[orphan for orphan, _ in found])
        # One that nobody can record must not keep the others waiting until it is forgotten.
        return [] if len(found) == 1 else [done for one in found for done in _recorded([one])]


def expire() -> int:
    """Fail messages that waited too long (their number is held, paused or gone); returns how many."""
    expired = 0
    while True:
        rows = list(
            Message.objects.filter(
                due_at__isnull=False, expires_at__lte=timezone.now(), status__in=WAITING
            ).values_list("pk", "lease_token")[:BATCH]
        )
        changes = [
            Change(ident, Status.FAILED, token=token, failure=outcomes.EXPIRED) for ident, token in rows
        ]
        moved = len(record(changes).moved)
        expired += moved
        if not moved:
            return expired


def forget_keys() -> int:
    """Delete idempotency keys whose day is over; returns how many."""
    old = timezone.now() - timedelta(hours=idempotency.LIFETIME_HOURS)
    deleted, _ = IdempotencyKey.objects.filter(created_at__lt=old).delete()
    return deleted


def sweep() -> None:
    """Delete callbacks and orphans that nobody can need any more."""
    old = timezone.now() - timedelta(days=ORPHAN_DAYS)
    keys = forget_keys()
    orphans, _ = OrphanStatus.objects.filter(received_at__lt=old).delete()
    kept = archive.sweep()
    log.info("swept", orphans=orphans, keys=keys, emptied=kept.emptied, callbacks=kept.deleted)
