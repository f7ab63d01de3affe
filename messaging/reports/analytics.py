"""Delivery statistics: sums of the daily totals and a count of what is still open."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum

from accounts.models import Account
from messaging.models import Tally
from messaging.status.timeline import OPEN
from messaging.status.words import shown

_OPEN = """
SELECT status, count(*) FROM messaging_message
WHERE account_id = %s AND status = ANY(%s) AND NOT dry_run GROUP BY status
"""
_OPEN_BETWEEN = _OPEN.replace("GROUP BY", "AND created_at >= %s AND created_at < %s GROUP BY")


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts by status as customers name them, and the same split further."""

    by_status: dict[str, int]
    by_day: dict[date, dict[str, int]] = field(default_factory=dict)
    by_template: dict[str, dict[str, int]] = field(default_factory=dict)
    by_error: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All messages (W41)."""
        return sum(self.by_status.values())

    @property
    def delivery_rate(self) -> float:
        """Delivered or read, as a part of all, two decimals (W40)."""
        return self._rate("delivered", "read")

    @property
    def failure_rate(self) -> float:
        """Failed, as a part of all, two decimals."""
        return self._rate("failed")

    def _rate(self, *statuses: str) -> float:
        counted = sum(self.by_status.get(status, 0) for status in statuses)
        return round(counted / self.total, 2) if self.total else 0.0


def summary(account: Account, *, since: date | None = None, until: date | None = None) -> Summary:
    """Count an account's messages, all of them or those accepted from ``since`` to ``until`` (UTC days,
    both included). Dry runs are left out."""
    rows = Tally.objects.filter(account=account)
    values: list[Any] = [account.pk, [*OPEN]]
    statement = _OPEN
    if since is not None or until is not None:
        first = since or date.min
        last = min(until or date.max, date.max - timedelta(days=1))
        rows = rows.filter(day__gte=first, day__lte=last)
        statement = _OPEN_BETWEEN
        values += [first, last + timedelta(days=1)]
    by_status: Counter[str] = Counter()
    by_day: dict[date, Counter[str]] = {}
    by_template: dict[str, Counter[str]] = {}
    by_error: Counter[int] = Counter()
    sums = rows.values_list("day", "status", "template", "error_code").annotate(Sum("count"))
    for day, status, template, error_code, count in sums.order_by("day"):
        if not count:
            continue
        by_status[status] += count
        by_day.setdefault(day, Counter())[status] += count
        if template:
            by_template.setdefault(template, Counter())[status] += count
        if error_code:
            by_error[error_code] += count
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        for status, count in cursor.fetchall():
            by_status[shown(status)] += count
    return Summary(
        by_status={status: count for status, count in by_status.items() if count},
        by_day={day: dict(counts) for day, counts in by_day.items()},
        by_template={name: dict(counts) for name, counts in by_template.items()},
        by_error=dict(by_error),
    )
