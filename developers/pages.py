"""The front page and what it says of the plans, for people and as Markdown."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from accounts.plans import LIMITS
from core.http.plain_views import markdown, only_read


@only_read
def home(request: HttpRequest) -> HttpResponse:
    """Show the front page."""
    return render(request, "home.html", _front())


@only_read
def home_markdown(request: HttpRequest) -> HttpResponse:
    """Give the front page as Markdown."""
    return markdown(render_to_string("home.md", _front()))


def _front() -> dict[str, Any]:
    """Return what the front page says about this server."""
    return {"public_url": settings.PUBLIC_URL, "plans": plans()}


def plans() -> list[dict[str, Any]]:
    """Return what each plan allows, written for people; empty where there is no limit or nothing."""
    return [
        {
            "label": plan.label,
            "monthly": f"{settings.MONTHLY_MESSAGES[plan]:,}" if settings.MONTHLY_MESSAGES[plan] else "",
            "requests": f"{its.requests_per_minute:,}",
            "bulk": f"{its.bulk_messages:,}" if its.bulk_messages else "",
            "endpoints": its.endpoints,
            "agents": its.agents,
            "v1": its.v1_keys,
        }
        for plan, its in LIMITS.items()
    ]
