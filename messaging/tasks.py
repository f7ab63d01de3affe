"""Celery tasks of messaging. No task takes an argument."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

import structlog
from celery import shared_task

from core.jobs import shutdown
from core.jobs.drains import plain_drain
from core.jobs.wakeup import channel, wake
from messaging.inbound import apply_callbacks as callbacks
from messaging.message_templates import store as template_store
from messaging.numbers import mails as number_mails
from messaging.numbers import verification
from messaging.send import heartbeat, restore_guard
from messaging.send import worker as send_worker
from messaging.status import daily_totals
from messaging.upkeep import housekeeping, retention
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

log = structlog.get_logger(__name__)

#: callbacks that come within this time are applied together: at a thousand a second one transaction for
#: each would cost more than receiving them; the first one after a silence never waits
GATHER_SECONDS = 0.1


def apply_meta(held: Sequence[inbox.Held]) -> dict[uuid.UUID, list[dict[str, object]]]:
    """Apply Meta's callbacks."""
    read = [
        callbacks.Callback(one.id, one.account_id, callbacks.open_envelope(one.raw), one.again)
        for one in held
    ]
    return callbacks.apply(read).parked


@shared_task(name="messaging.tasks.drain", queue="messages")
def drain() -> None:
    """Send what is due; when the time was up before the work was, wake the next."""
    if not restore_guard.may_send():
        log.error("nothing is sent: this database was restored or moved; see manage.py release_sending")
        return
    if send_worker.drain().cut_short and not shutdown.asked.is_set():
        wake("messages")


@shared_task(name="messaging.tasks.apply_callbacks", queue="inbox")
def apply_callbacks() -> None:
    """Apply callbacks while they come, and linger a little for the next."""
    with plain_drain(channel("inbox")) as running:
        if running is None:
            return
        while running.goes_on() and not shutdown.asked.is_set():
            looked = time.monotonic()
            if inbox.drain(source=InboundEvent.Source.META, apply=apply_meta):
                running.worked()
                looked = time.monotonic()
            else:
                running.wait()
            # A thousand wake-ups a second are not a thousand looks.
            time.sleep(max(0.0, looked + GATHER_SECONDS - time.monotonic()))
            running.forget()


@shared_task(name="messaging.tasks.adopt_orphans", queue="maintenance")
def adopt_orphans() -> None:
    """Every minute: match early statuses, let what expired fail, add the counts together."""
    housekeeping.adopt_orphans()
    housekeeping.expire()
    daily_totals.compact()


@shared_task(name="messaging.tasks.beat_heart", queue="maintenance")
def beat_heart() -> None:
    """Note whether Meta can reach us."""
    heartbeat.beat()


@shared_task(name="messaging.tasks.tell_owners", queue="maintenance")
def tell_owners() -> None:
    """Write to the owners of numbers that were held."""
    number_mails.tell_owners()


@shared_task(name="messaging.tasks.sweep", queue="maintenance")
def sweep() -> None:
    """Delete what has been kept long enough."""
    housekeeping.sweep()
    retention.sweep()


@shared_task(name="messaging.tasks.verify_numbers", queue="maintenance")
def verify_numbers() -> None:
    """Ask Meta about the numbers that it could not be asked about when they were saved."""
    verification.verify_due()


@shared_task(name="messaging.tasks.sync_templates", queue="maintenance")
def sync_templates() -> None:
    """Read the templates of the WhatsApp accounts whose time has come."""
    template_store.sync_due()
