"""The page to which Stripe sends people back. It changes nothing, so opening it by hand gains nothing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.http.plain_views import only_read


@only_read
def returned(request: HttpRequest) -> HttpResponse:
    """Say what happens now; ``?done=1`` is how Stripe marks a checkout that was completed."""
    return render(request, "billing/return.html", {"done": request.GET.get("done") == "1"})
