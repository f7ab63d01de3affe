"""Celery's face of billing: what is due every few seconds, every minute, every night."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from billing import events, notices, quota, standing, stripe_api, subscriptions
from config.celery import app
from config.dialects.whatsapi import when
from webhooks import outbox

log = structlog.get_logger(__name__)


def _publish(warnings: Sequence[notices.QuotaWarning]) -> None:
    """Tell the endpoints of whose quota runs out."""
    outbox.publish(
        [
            outbox.Announcement(
                one.account_id,
                "account.quota_warning",
                {
                    "plan": one.plan,
                    "used": one.used,
                    "limit": one.limit,
                    "percent": one.percent,
                    "periodEnd": when(one.ends_at),
                },
            )
            for one in warnings
        ]
    )


@app.task(name="billing.tasks.drain", queue="maintenance")
def drain() -> None:
    """Ask Stripe about what its events named."""
    events.drain()


@app.task(name="billing.tasks.watch", queue="maintenance")
def watch() -> None:
    """Every minute: overrides and grace times that end, mails that are due, quotas that run out."""
    standing.end_overrides()
    if stripe_api.configured():
        subscriptions.end_graces()
        subscriptions.end_closed()
    notices.tell_overdue()
    notices.warn_of_quotas(_publish)


@app.task(name="billing.tasks.reconcile", queue="maintenance")
def reconcile() -> None:
    """Every night: compare everything with Stripe's list; count ended periods together, delete old events."""
    quota.close_ended()
    events.sweep()
    if stripe_api.configured():
        try:
            subscriptions.reconcile()
        except stripe_api.Unavailable as error:
            log.warning("subscriptions could not be compared with Stripe", why=str(error))
