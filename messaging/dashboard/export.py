"""``/app/settings/export``: everything the account has, to take along."""

from __future__ import annotations

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts import audit
from accounts.dashboard.base import DashboardView, Role
from messaging.reports import export


class Export(DashboardView):
    """``POST /app/settings/export``: everything the account has, as a file."""

    section = "settings"
    least = Role.OWNER

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Stream it; a large account takes a while but never much memory."""
        audit.record(self.account, "data.exported", **audit.by(request))
        response = StreamingHttpResponse(export.lines(self.account), content_type="application/x-ndjson")
        day = f"{timezone.localdate():%Y-%m-%d}"
        response["Content-Disposition"] = f'attachment; filename="hermod-{day}.jsonl"'
        return response
