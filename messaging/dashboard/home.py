"""The dashboard's first page: what went well, what waits, how the numbers are, what is used of the plan."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format

from accounts.dashboard.base import DashboardView
from billing import quota
from core.ui import charts
from messaging.reports import overview

#: how often the figures of an open page are counted again
SECONDS = 10
#: part of the plan's messages from which the bar warns
NEARLY = 0.8


class Overview(DashboardView):
    """``/app``."""

    section = "overview"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the page, or for the open page only its figures."""
        now = timezone.now()
        found = overview.figures(self.account, today=now.astimezone(UTC).date())
        usage = quota.usage(self.account.pk)
        context: dict[str, Any] = {
            "usage": usage,
            "nearly_used": usage.limit is not None and usage.used >= usage.limit * NEARLY,
            "figures": found,
            "numbers": overview.numbers(self.account, now),
            "chart": charts.stacked([(date_format(day.day, "j M"), _parts(day)) for day in found.days]),
            "seconds": SECONDS,
        }
        partial = request.headers.get("HX-Target") == "overview-now"
        return self.page("app/overview_now.html" if partial else "app/overview.html", **context)


def _parts(day: overview.Day) -> list[tuple[str, int]]:
    return [("delivered", day.delivered), ("sent", day.sent), ("failed", day.failed)]
