"""Celery tasks of webhooks. No task takes an argument."""

from __future__ import annotations

from celery import shared_task

from core.jobs import shutdown
from core.jobs.wakeup import wake
from webhooks.incoming import stripe_events
from webhooks.outgoing import delivery_log, quota_warnings
from webhooks.outgoing import mails as endpoint_mails
from webhooks.outgoing import worker as delivery_worker


@shared_task(name="webhooks.tasks.ask_stripe", queue="maintenance")
def ask_stripe() -> None:
    """Ask Stripe about what its events named."""
    stripe_events.drain()


@shared_task(name="webhooks.tasks.deliver", queue="deliveries")
def deliver() -> None:
    """Deliver what is due; when the time was up before the work was, wake the next."""
    if delivery_worker.drain().cut_short and not shutdown.asked.is_set():
        wake("deliveries")


@shared_task(name="webhooks.tasks.watch", queue="maintenance")
def watch() -> None:
    """Write to the owners of endpoints that fail or were disabled."""
    endpoint_mails.tell_owners()


@shared_task(name="webhooks.tasks.warn_of_quotas", queue="maintenance")
def warn_of_quotas() -> None:
    """Tell whose quota is nearly or wholly used."""
    quota_warnings.warn()


@shared_task(name="webhooks.tasks.sweep", queue="maintenance")
def sweep() -> None:
    """Delete events and the log of deliveries when their time is over."""
    delivery_log.sweep()
