"""The dashboard's request log: the last API calls with their correlation ids, answers and times."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from accounts.dashboard.base import DashboardView
from core.http import requestlog
from core.redis import RedisUnavailable
from messaging.dashboard.base import PAGE, clean

SECONDS = 5


class Log(DashboardView):
    """``/app/log``."""

    section = "log"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the list, newest first; ``failed`` shows only refusals, ``q`` looks for an id or a path."""
        search, only_failed = clean(request.GET.get("q")), request.GET.get("failed") == "1"
        before = clean(request.GET.get("before"))
        try:
            calls, away = requestlog.calls(self.account.pk), False
        except RedisUnavailable:
            calls, away = [], True
        found = [
            call
            for call in calls
            if (not only_failed or call.failed)
            and (not search or search in (call.correlation_id, str(call.status)) or search in call.path)
            and (not before or call.at.isoformat() < before)
        ]
        return self.page(
            "app/log.html",
            calls=found[:PAGE],
            any=bool(calls),
            away=away,
            search=search,
            only_failed=only_failed,
            live=not before,
            seconds=SECONDS,
            older=found[PAGE - 1].at.isoformat() if len(found) > PAGE else "",
        )
