"""Celery tasks of billing: what is due every minute, every night."""

from __future__ import annotations

import structlog
from celery import shared_task

from billing import entitlement, quota, stripe_api, subscriptions
from billing import mails as billing_mails

log = structlog.get_logger(__name__)


@shared_task(name="billing.tasks.watch", queue="maintenance")
def watch() -> None:
    """Every minute: overrides and grace times that end, mails that are due."""
    entitlement.end_overrides()
    if stripe_api.configured():
        subscriptions.end_graces()
        subscriptions.end_closed()
    billing_mails.tell_overdue()


@shared_task(name="billing.tasks.reconcile", queue="maintenance")
def reconcile() -> None:
    """Every night: compare everything with Stripe's list; count ended periods together."""
    quota.close_ended()
    if stripe_api.configured():
        try:
            subscriptions.reconcile()
        except stripe_api.Unavailable as error:
            log.warning("subscriptions could not be compared with Stripe", why=str(error))
