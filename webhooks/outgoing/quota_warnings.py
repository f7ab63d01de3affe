"""Quota warnings for endpoints; billing counts, and knows no endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from billing import mails
from core.http.classic import when
from webhooks.outgoing import outbox


def warn() -> int:
    """Tell, by event and by mail, whose quota is nearly or wholly used; returns how many were mailed."""
    return mails.warn_of_quotas(publish)


def publish(warnings: Sequence[mails.QuotaWarning]) -> None:
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
