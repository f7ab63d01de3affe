"""Billing periods: the subscription's own, and calendar months (UTC) where there is none. Pure functions."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

#: moments closer than this begin the same period: the first send opens ours, an invoice opens Stripe's
SAME = timedelta(days=2)


def month_later(moment: datetime, day: int) -> datetime:
    """Return the same time a month later, on ``day`` or the last day of a shorter month."""
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return moment.replace(year=year, month=month, day=min(day, calendar.monthrange(year, month)[1]))


def month_of(now: datetime) -> tuple[datetime, datetime]:
    """Return the calendar month around ``now``."""
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, month_later(start, 1)


def around(now: datetime, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the period that contains ``now``, when the last one known ran from ``start`` to ``end``.

    Stripe's word of a renewal may be late; the months go on without it.
    """
    day = start.day
    while end <= now:
        start, end = end, month_later(end, max(day, end.day))
    return start, end
