"""Middleware of pages for people: their language, their time zone, their theme; never cached."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone, translation

from core.correlation import correlation_id
from core.http.bodies import is_page, most_of
from core.http.wire import content_length

log = structlog.get_logger(__name__)

#: paths whose pages know who reads them
PEOPLE = ("/app/", "/accounts/", "/billing/return")
THEMES = ("light", "dark")


def for_people(path: str) -> bool:
    """Tell whether a path belongs to the dashboard, to signing in or to the way back from Stripe."""
    return path == "/app" or path.startswith(PEOPLE)


def zone_of(name: str) -> zoneinfo.ZoneInfo | None:
    """Return the time zone with that name, None when there is none."""
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


class PeopleMiddleware:
    """Speaks the reader's language and keeps time in their zone.

    The person's own choice comes first, then the cookie, then what the browser asks for. Calls of the
    API pass untouched: their answers do not depend on who reads them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not for_people(request.path):
            return self.get_response(request)
        user: Any = request.user
        language = getattr(user, "language", "") or translation.get_language_from_request(request)
        known = dict(settings.LANGUAGES)
        with (
            translation.override(language if language in known else settings.LANGUAGE_CODE),
            timezone.override(zone_of(getattr(user, "timezone", "")) or timezone.get_default_timezone()),
        ):
            response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a crash of one of these pages with a page; nothing of the crash is on it."""
        if not for_people(request.path) or isinstance(
            exception, Http404 | PermissionDenied | SuspiciousOperation
        ):
            return None
        if type(exception).__module__.startswith("allauth"):
            return None  # its own middleware turns these into pages
        log.error("page failed", exc_info=exception, path=request.path)
        return trouble(request, status=500)


class FormBoundsMiddleware:
    """Refuses a form that is larger than its page takes by its length alone, before Django reads it.

    Django writes each file of a form to the disk, whole, before any view or check of ours sees the form.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_page(request.path) and content_length(request) > most_of(request.path):
            return trouble(request, status=413, large=True)
        return self.get_response(request)


def trouble(request: HttpRequest, *, status: int, stale: bool = False, large: bool = False) -> HttpResponse:
    """Draw the page for what went wrong; it asks neither session nor database for anything."""
    context = {"reference": correlation_id(), "stale": stale, "large": large, **ui(request)}
    return HttpResponse(render_to_string("ui/trouble.html", context), status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say to a person that their form was too old (CSRF_FAILURE_VIEW); the reason is logged by Django."""
    return trouble(request, status=403, stale=True)


def ui(request: HttpRequest) -> dict[str, Any]:
    """Give every template the theme that the reader chose (a cookie) and the direction of their script."""
    theme = request.COOKIES.get("theme", "")
    return {
        "ui_theme": theme if theme in THEMES else "",
        "ui_language": translation.get_language() or settings.LANGUAGE_CODE,
        "ui_development": settings.DEVELOPMENT,
        "ui_direction": "rtl" if translation.get_language_bidi() else "ltr",
    }
